# shellcheck shell=bash
# A streaming standby of a file's PostgreSQL. To be loaded after testing. It
# lives in $STANDBY, which is removed with the other servers' folders.

# standby_allow: once, in setup_file
standby_allow() {
    echo 'local replication postgres peer map=owner' \
        >>"$DSAPI_DIR/pg/data/pg_hba.conf"
    sql_super 'SELECT pg_reload_conf()'
    export STANDBY=$DSAPI_DIR/standby
}

# standby_make: a copy of the primary as it is now, which follows it
standby_make() {
    mkdir -m 711 "$STANDBY"
    mkdir -m 700 "$STANDBY/data"
    srv_own "$SRV_PG_USER" "$STANDBY/data"
    (cd / && srv_as "$SRV_PG_USER" "$SRV_PGBIN/pg_basebackup" -R -N -c fast \
        -X stream -h "$DSAPI_DIR/pg/sock" -U postgres -D "$STANDBY/data")
    touch "$STANDBY/made"
    srv_pg_make "$STANDBY" off
    echo 'log_statement = all' >>"$STANDBY/data/postgresql.conf"
    standby_start
}

standby_start() {
    srv_pg_start "$STANDBY"
    wait_until 30 standby_follows
}

# standby_stop [INT|QUIT]: fast, or as in a crash
standby_stop() {
    srv_pg_stop "$STANDBY" "${1:-INT}"
}

standby_follows() {
    [[ $(sql_super "SELECT count(*) FROM pg_stat_replication
        WHERE state = 'streaming'") == 1 ]]
}

# on_standby SQL
on_standby() {
    srv_psql "$STANDBY" -c "$1"
}

promote() {
    [[ $(srv_psql_super "$STANDBY" -c 'SELECT pg_promote()') == t ]]
}
