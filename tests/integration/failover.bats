#!/usr/bin/env bats
# Two PostgreSQL servers, one a streaming standby of the other, and httpd with
# both in DBDParams (libpq's multi-host).
# shellcheck disable=SC2154,SC2034 # status, body: set by req; loads, CONNINFO:
# used by what is loaded

load ../lib/testing
load ../lib/load
load ../lib/standby

setup_file() {
    # what mod_dbd and the worker say of servers that are away
    claim_log '^[^]]*\] \[dbd:(error|crit)\]'
    claim_log 'DSAPI0005: worker: no database'
    export DSAPI_SERVICES=none
    dsapi_up
    sql 'CREATE TABLE written (n int); CREATE TABLE stored (k text)'
    standby_allow
}

setup() {
    dsapi_test_begin
    loads=()
    sql 'TRUNCATE written, stored'
    standby_make
}

teardown() {
    load_end
    [[ ! -e $DSAPI_DIR/two ]] || httpd_stop two
    dsapi_test_end
    standby_stop QUIT
    rm -rf "$STANDBY"
}

# two CONNINFO [EXTRA]: an httpd on these; requests go to it
two() {
    local CONNINFO=$1

    # shellcheck disable=SC2016 # httpd expands it
    httpd_up two "DsapiDBWait 60s
$2"'
<DsapiService d "/d">
    <DsapiRoute GET "/read">
        DsapiQuery "SELECT count(*) FROM stored"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/sleep">
        DsapiDBTimeout 60s
        DsapiQuery "SELECT pg_sleep(3) IS NULL AS slept"
    </DsapiRoute>
    <DsapiRoute POST "/write">
        DsapiParam n int
        DsapiQuery "INSERT INTO written VALUES (:n)"
        DsapiResult none
    </DsapiRoute>
    <DsapiRoute POST "/slow-write">
        DsapiDBTimeout 60s
        DsapiQuery "INSERT INTO written VALUES (7)"
        DsapiQuery "SELECT pg_sleep(30)"
        DsapiResult none
    </DsapiRoute>
    <DsapiSource s>
        DsapiParam k text required
        DsapiFetch "${UPSTREAM}/_stub/health?k={k}"
        DsapiStore "INSERT INTO stored SELECT :k WHERE :body::json IS NOT NULL"
    </DsapiSource>
    <DsapiRoute POST "/fetch/{k}">
        DsapiParam k text
        DsapiEnqueue s
    </DsapiRoute>
    <DsapiRoute GET "/job/{k}">
        DsapiParam k text
        DsapiJob s
    </DsapiRoute>
</DsapiService>'
    BASE=http://127.0.0.1:$(<"$DSAPI_DIR/two/port")
}

both() {
    echo "host=$DSAPI_DIR/pg/sock,$STANDBY/sock dbname=dsapi user=dsapi" \
        "connect_timeout=3 target_session_attrs=read-write"
}

job_done() {
    req GET "/d/job/$1"
    [[ $status == 200 && $(json .state) == succeeded ]]
}

# run_job K
run_job() {
    req POST "/d/fetch/$1"
    expect 202
    wait_until 30 job_done "$1"
}

# asking in the background: its status comes to $BATS_TEST_TMPDIR/NAME
ask() {
    curl -sS --noproxy '*' --max-time 120 -X "$2" -o /dev/null \
        -w '%{http_code}' "$BASE$3" >"$BATS_TEST_TMPDIR/$1" 3>&- &
    asking+=($!)
}

sleeping() {
    [[ $(sql_super "SELECT count(*) FROM pg_stat_activity
        WHERE wait_event = 'PgSleep'") == "$1" ]]
}

@test "the primary ends and the standby is promoted: no read is lost, no write lost or doubled" {
    local n pid
    local -a asking=()

    # writes in flight
    claim_log 'DSAPI0003: database-unavailable: SQLSTATE'
    two "$(both)" 'DBDMax 4
DBDKeep 4'
    pid=$(httpd_pid two)
    run_job before
    load_begin '/d/read?#[1-20]' 3
    write_begin 2
    ask write POST /d/slow-write    # which sleeps for longer
    wait_until 20 sleeping 1
    ask read GET /d/sleep
    wait_until 20 sleeping 2
    wait_until 30 load_more 0 60
    pg_stop
    n=$(load_count)
    promote
    wait "${asking[@]}"
    [[ $(<"$BATS_TEST_TMPDIR/read") == 200 ]]
    [[ $(<"$BATS_TEST_TMPDIR/write") == 503 ]]
    wait_until 30 load_more "$n" 60
    n=$(cat "$WRITES".* | wc -l)
    wait_until 30 write_more "$n" 10
    load_end
    load_all_good
    [[ $(on_standby 'SELECT count(*) FROM written WHERE n = 7') == 0 ]]
    writes_exact 2 on_standby
    # the worker is there, too, and listens
    run_job after
    [[ $(on_standby 'SELECT string_agg(k, $$ $$ ORDER BY k) FROM stored') == \
        'after before' ]]
    grep -q 'LISTEN dsapi_job' "$STANDBY/log"
    [[ $(httpd_pid two) == "$pid" ]]
}

@test "a server that takes no changes any more is left for the one that does" {
    two "$(both)" 'DBDMax 1
DBDKeep 1'
    run_job before
    req POST /d/write -d n=1
    expect 204
    wait_until 20 copied
    promote
    sql_super 'ALTER SYSTEM SET default_transaction_read_only = on'
    sql_super 'SELECT pg_reload_conf()'
    wait_until 20 read_only
    # the same connections
    for n in 2 3 4 5; do
        req POST /d/write -d "n=$n"
        expect 204
    done
    [[ $(on_standby 'SELECT string_agg(n::text, $$ $$ ORDER BY n) FROM written') == \
        '1 2 3 4 5' ]]
    [[ $(sql 'SELECT count(*) FROM written') == 1 ]]
    run_job after
    [[ $(on_standby "SELECT count(*) FROM stored WHERE k = 'after'") == 1 ]]
    sql_super 'ALTER SYSTEM RESET default_transaction_read_only'
    sql_super 'SELECT pg_reload_conf()'
}

copied() {
    [[ $(on_standby 'SELECT count(*) FROM written') == 1 ]]
}

read_only() {
    [[ $(sql 'SHOW default_transaction_read_only') == on ]]
}

@test "a standby alone: reads are answered, changes 503 until it is promoted" {
    claim_log 'DSAPI0003: database-unavailable: SQLSTATE 25006'
    two "host=$STANDBY/sock dbname=dsapi user=dsapi connect_timeout=3" \
        'DsapiWorker Off'
    for _ in 1 2 3; do
        req GET /d/read
        expect 200
        req POST /d/write -d n=1
        expect_problem 503 database-unavailable
        [[ $(header Retry-After) =~ ^[1-9][0-9]*$ ]]
        req GET /d/read
        expect 200
    done
    promote
    req POST /d/write -d n=2
    expect 204
    [[ $(on_standby 'SELECT n FROM written') == 2 ]]
}
