#!/usr/bin/env bats
# DsapiReadDatabase and DsapiReadFrom: routes that read from a real streaming
# standby, and from the primary where that is away.
# shellcheck disable=SC2154,SC2034,SC2016,SC2030,SC2031
# status, body: set by req; loads: used by what is loaded; $ is httpd's

load ../lib/testing
load ../lib/load
load ../lib/standby

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up
    sql 'CREATE TABLE t (n int); CREATE TABLE hot (n int);
        INSERT INTO t SELECT generate_series(1, 5000)'
    standby_allow
    standby_make
    httpd_up two "$(configuration)"
}

setup() {
    dsapi_test_begin
    loads=()
    standby_start
    httpd_start two
    BASE=http://127.0.0.1:$(<"$DSAPI_DIR/two/port")
}

teardown() {
    load_end
    dsapi_test_end
}

teardown_file() {
    standby_stop QUIT
    dsapi_down
}

# One child, so that log lines and connections can be counted.
configuration() {
    cat <<CONF
ServerLimit 1
StartServers 1
MaxRequestWorkers 8
DsapiReadDatabase "host=$STANDBY/sock dbname=dsapi user=dsapi connect_timeout=3 application_name=reader options='-c default_transaction_isolation=repeatable\\\\\\\\ read'"
CONF
    cat <<'CONF'
DBDKeep 4
DBDMax 4
DsapiBuffer 4K
<DsapiService d "/d">
    DsapiSession tenant=%{HTTP:X-Tenant}
    <DsapiRoute GET "/there">
        DsapiReadFrom standby
        DsapiQuery  "SELECT pg_is_in_recovery()"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/isolation">
        DsapiReadFrom standby
        DsapiQuery  "SELECT current_setting('transaction_isolation')"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/here">
        DsapiReadFrom primary
        DsapiQuery  "SELECT pg_is_in_recovery()"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/default">
        DsapiQuery  "SELECT pg_is_in_recovery()"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/rows/{n}">
        DsapiParam  n int
        DsapiReadFrom standby
        DsapiQuery  "SELECT n, pg_is_in_recovery() AS there, current_setting('dsapi.tenant', true) AS tenant FROM t WHERE n <= :n ORDER BY n"
    </DsapiRoute>
    <DsapiRoute GET "/kept">
        DsapiReadFrom standby
        DsapiCache  60s
        DsapiQuery  "SELECT pg_is_in_recovery() AS there, (random() * 1e9)::bigint AS made"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/quotient/{n}">
        DsapiParam  n int
        DsapiReadFrom standby
        DsapiQuery  "SELECT 1 / :n AS quotient"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/slow">
        DsapiReadFrom standby
        DsapiDBTimeout 60s
        DsapiQuery  "SELECT pg_is_in_recovery() AS there, pg_sleep(30) IS NULL AS slept"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/late">
        DsapiReadFrom standby
        DsapiDBTimeout 200ms
        DsapiQuery  "SELECT pg_sleep(30) IS NULL AS slept"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/hot">
        DsapiReadFrom standby
        DsapiDBTimeout 60s
        DsapiQuery  "SELECT pg_is_in_recovery() AS there, (SELECT count(*) FROM hot) AS n, pg_sleep(1) IS NULL AS slept"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute POST "/write">
        DsapiQuery  "INSERT INTO hot VALUES (0)"
        DsapiResult none
    </DsapiRoute>
</DsapiService>
CONF
}

# reads_from there|here
reads_from() {
    req GET /d/there
    [[ $status == 200 && $body == "$([[ $1 == there ]] && echo true ||
        echo false)" ]]
}

# said NUMBER: how often httpd two has logged it
said() {
    grep -c "$1" "$DSAPI_DIR/two/error.log"
}

# asking in the background: its status comes to $BATS_TEST_TMPDIR/NAME
ask() {
    curl -sS --noproxy '*' --max-time 120 -o "$BATS_TEST_TMPDIR/$1.body" \
        -w '%{http_code}' "$BASE$2" >"$BATS_TEST_TMPDIR/$1" 3>&- &
    asking+=($!)
}

# sleeping N: so many queries of the standby
sleeping() {
    [[ $(srv_psql_super "$STANDBY" -c "SELECT count(*) FROM pg_stat_activity
        WHERE wait_event = 'PgSleep'") == "$1" ]]
}

@test "a route reads from where it says, and writes go to the primary" {
    reads_from there
    for path in here default; do
        req GET /d/$path
        expect 200 . false
    done
    req GET /d/rows/3 -H 'X-Tenant: t'
    expect 200 length 3 'all(.there)' true '.[0].tenant' t
    # streamed, and with HEAD, and by a connection that streams have used
    for _ in 1 2 3; do
        req GET /d/rows/5000
        expect 200 length 5000 'all(.there)' true
        [[ $(header Transfer-Encoding) == chunked ]]
        req HEAD /d/rows/5000
        [[ $status == 200 ]]
    done
    req GET /d/kept
    expect 200 .there true
    req POST /d/write
    expect 204
    req GET /d/quotient/0
    expect_problem 400 invalid-value
    req GET /d/quotient/1
    expect 200 . 1
    [[ $(srv_psql_super "$STANDBY" -c "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'reader'") -ge 1 ]]
    [[ $(sql_super "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'reader'") == 0 ]]
}

@test "where the standby is away the primary answers, and that is logged once" {
    local away back how

    claim_log 'DSAPI0056: the standby .* cannot be asked; the primary is'
    for how in INT QUIT; do
        away=$(said DSAPI0056) || true
        back=$(said DSAPI0057) || true
        reads_from there
        load_begin '/d/rows/[1-20]' 3
        wait_until 30 load_more 0 30
        standby_stop $how
        wait_until 30 load_more "$(load_count)" 30
        reads_from here
        req GET /d/rows/5000
        expect 200 length 5000 'any(.there)' false
        [[ $(said DSAPI0056) == $((away + 1)) ]]
        standby_start
        wait_until 20 reads_from there
        load_end
        load_all_good
        [[ $(said DSAPI0056) == $((away + 1)) ]]
        [[ $(said DSAPI0057) == $((back + 1)) ]]
    done
}

@test "what is streamed tells that the standby is back, too" {
    local back

    claim_log 'DSAPI0056: the standby .* cannot be asked; the primary is'
    streamed() {
        req GET /d/rows/5000
        expect 200 length 5000 "all(.there == $1)" true
    }
    noted() { # when all has been sent
        [[ $(said DSAPI0057) == $((back + 1)) ]]
    }
    back=$(said DSAPI0057) || true
    streamed true
    standby_stop
    streamed false
    standby_start
    wait_until 20 streamed true
    wait_until 10 noted
}

@test "httpd starts without its standby" {
    claim_log 'DSAPI0056: the standby .* cannot be asked; .*standby/sock'
    standby_stop
    httpd_stop two
    httpd_start two
    reads_from here
    standby_start
    wait_until 20 reads_from there
}

@test "a role that is serializable reads repeatably there" {
    sql_super "ALTER ROLE dsapi
        SET default_transaction_isolation = serializable"
    wait_until 20 standby_serializable
    httpd_stop two
    httpd_start two
    reads_from there
    req GET /d/isolation
    expect 200 . 'repeatable read'
    sql_super 'ALTER ROLE dsapi RESET default_transaction_isolation'
}

standby_serializable() {
    [[ $(on_standby 'SHOW default_transaction_isolation') == serializable ]]
}

@test "a query that the primary's changes end again and again goes there" {
    local go=$BATS_TEST_TMPDIR/go pid

    srv_psql_super "$STANDBY" \
        -c "ALTER SYSTEM SET max_standby_streaming_delay = 0"
    srv_psql_super "$STANDBY" -c 'SELECT pg_reload_conf()'
    touch "$go"
    while [[ -e $go ]]; do
        sql 'TRUNCATE hot'
    done 3>&- &
    pid=$!
    req GET /d/hot
    rm "$go"
    wait "$pid"
    expect 200 .there false .n 0
    req GET /d/hot
    expect 200 .there true
    # the statement is cancelled, or its connection ended
    [[ $(grep -c 'due to conflict with recovery' "$STANDBY/log") -ge 5 ]]
}

@test "a full standby is no reason to load the primary" {
    local -a asking=()
    local n

    claim_log 'DSAPI0003: database-busy'
    for n in 1 2 3 4; do
        ask "slow.$n" /d/slow
    done
    wait_until 20 sleeping 4
    req GET /d/there
    expect_problem 503 database-busy
    [[ $(header Retry-After) =~ ^[1-9][0-9]*$ ]]
    req GET /d/here
    expect 200 . false
    # and neither is a query that takes too long, nor its end
    srv_psql_super "$STANDBY" -c "SELECT pg_cancel_backend(pid)
        FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    claim_log 'DSAPI0003: database-timeout'
    wait "${asking[@]}"
    for n in 1 2 3 4; do
        [[ $(<"$BATS_TEST_TMPDIR/slow.$n") == 504 ]]
    done
    req GET /d/late
    expect_problem 504 database-timeout
    reads_from there
}

@test "a read that a crash of the standby breaks off is run on the primary" {
    local -a asking=()

    claim_log 'DSAPI0056: the standby .* cannot be asked'
    ask slow /d/slow
    wait_until 20 sleeping 1
    standby_stop QUIT
    wait "${asking[@]}"
    [[ $(<"$BATS_TEST_TMPDIR/slow") == 200 ]]
    [[ $(jq .there "$BATS_TEST_TMPDIR/slow.body") == false ]]
}
