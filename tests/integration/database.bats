#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2034 # status, body: set by req; loads, CONNINFO:
# used by what is loaded
# The database: away, back, restarted, overloaded, slow, changed under our
# feet. What performance.md saw others fail at.
load ../lib/testing
load ../lib/load

# One child and a pool of one, unless said otherwise: what is busy is known.
CHILD='ServerLimit 1
StartServers 1
MaxRequestWorkers 8
MinSpareThreads 1
MaxSpareThreads 8'

routes_conf() {
    cat <<'END'
<DsapiService d "/d">
    <DsapiRoute GET "/read">
        DsapiParam n int default=1
        DsapiQuery "SELECT :n AS n, (SELECT count(*) FROM kept) AS kept"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/other">
        DsapiQuery "SELECT id, name FROM kept ORDER BY id"
    </DsapiRoute>
    <DsapiRoute POST "/write">
        DsapiParam n int
        DsapiQuery "INSERT INTO written (n) VALUES (:n)"
        DsapiResult none
    </DsapiRoute>
    <DsapiRoute GET "/sleep">
        DsapiParam s number
        DsapiQuery "SELECT pg_sleep(:s) IS NULL AS slept"
    </DsapiRoute>
    <DsapiRoute GET "/timeout">
        DsapiParam s number default=30
        DsapiDBTimeout 1s
        DsapiQuery "SELECT 'timeout route', pg_sleep(:s)"
    </DsapiRoute>
    <DsapiRoute GET "/two-slow">
        DsapiDBTimeout 1500ms
        DsapiQuery "SELECT pg_sleep(1)"
        DsapiQuery "SELECT pg_sleep(1) IS NULL AS slept"
    </DsapiRoute>
    <DsapiRoute POST "/deallocate">
        DsapiQuery "DEALLOCATE ALL"
        DsapiResult none
    </DsapiRoute>
    <DsapiRoute POST "/discard">
        DsapiQuery "DISCARD ALL"
        DsapiResult none
    </DsapiRoute>
    <DsapiRoute POST "/settings">
        DsapiQuery "SET DateStyle = 'German'"
        DsapiQuery "SET client_encoding = 'LATIN1'"
        DsapiQuery "SET bytea_output = 'escape'"
        DsapiResult none
    </DsapiRoute>
    <DsapiRoute GET "/shape">
        DsapiQuery "SELECT * FROM shape"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/late">
        DsapiQuery "SELECT * FROM comes_late"
    </DsapiRoute>
    <DsapiRoute GET "/big">
        DsapiDBTimeout 30s
        DsapiQuery "SELECT n, repeat('x', 200) AS filler FROM generate_series(1, 100000) n"
    </DsapiRoute>
    <DsapiRoute GET "/styled">
        DsapiQuery "SELECT chr(252) || 'ñ' || chr(8364) AS text, DATE '2024-02-29' AS day, TIMESTAMPTZ '2024-02-29 12:00Z' = '2024-02-29 12:00Z' AS same, '\xff'::bytea AS bin, INTERVAL '1 day 2 hours' AS span, 0.1::float8 + 0.2 AS f"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/prepared">
        DsapiQuery "SELECT count(*) FROM pg_prepared_statements"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/pid">
        DsapiQuery "SELECT pg_backend_pid()"
        DsapiResult value
    </DsapiRoute>
</DsapiService>
END
}

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "$(routes_conf)"
    sql "CREATE TABLE kept (id int, name text);
        INSERT INTO kept SELECT n, 'name ' || n FROM generate_series(1, 5) n;
        CREATE TABLE written (n int);
        CREATE TABLE shape (a int, b text); INSERT INTO shape VALUES (1, 'x')"
    export READ='{"n":1,"kept":5}'
}

setup() {
    BASE=http://127.0.0.1:$PORT
    dsapi_test_begin
    loads=()
}

teardown() {
    load_end
    [[ ! -e $DSAPI_DIR/one ]] || httpd_stop one
    [[ ! -e $DSAPI_DIR/patient ]] || httpd_stop patient
    dsapi_test_end
    # what a test that failed set in PostgreSQL spoils no other one
    if grep -q '^[^#]' "$DSAPI_DIR/pg/data/postgresql.auto.conf"; then
        pg_stop
        echo >"$DSAPI_DIR/pg/data/postgresql.auto.conf"
    fi
}

# one EXTRA: a second httpd with one child, "one"; requests go to it
one() {
    httpd_up one "$(routes_conf)
$CHILD
$1"
    BASE=http://127.0.0.1:$(<"$DSAPI_DIR/one/port")
}

# patient: a second httpd as the first, whose requests wait for a connection
# as long as a slow machine may need; requests go to it
patient() {
    httpd_up patient "$(routes_conf)
DsapiDBWait 10s"
    BASE=http://127.0.0.1:$(<"$DSAPI_DIR/patient/port")
}

# What mod_dbd and we say of a database that is away.
claim_down() {
    claim_log 'DSAPI0003: database-(unavailable|busy): '
    claim_log '^[^]]*\] \[dbd:(error|crit)\]'
}

terminate_all() {
    sql_super "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE usename = 'dsapi' AND pid <> pg_backend_pid()"
}

backends() {
    sql_super "SELECT count(*) FROM pg_stat_activity WHERE usename = 'dsapi' $1"
}

is() {
    [[ $("${@:2}") == "$1" ]]
}

# reads PATH [STATUS]
reads() {
    req GET "$1"
    [[ $status == "${2:-200}" ]]
}

# in_time SECONDS COMMAND...
in_time() {
    local begin=$EPOCHREALTIME limit=$1

    shift
    "$@"
    [[ $((${EPOCHREALTIME/[.,]/} - ${begin/[.,]/})) -lt \
        $((limit * 1000000 * DSAPI_SLOW)) ]] || {
        echo "took longer than $limit s: $*"
        return 1
    }
}

# ---- away ----

@test "httpd starts with the database down, answers 503, and serves once it is up" {
    local pid

    claim_down
    httpd_stop
    pg_stop
    httpd_start
    pid=$(httpd_pid)
    for _ in 1 2 3; do
        in_time 2 req GET /d/read
        expect_problem 503 database-unavailable
        [[ $(header Retry-After) =~ ^[1-9][0-9]*$ ]]
        lacks_details
    done
    req GET /d/nothing
    expect_problem 404 not-found
    req POST /d/write -d n=x
    expect_problem 400 invalid-parameter n
    pg_start
    wait_until 4 steady
    [[ $body == "$READ" && $(httpd_pid) == "$pid" ]]
}

# twenty good reads in a row
steady() {
    local i

    for i in {1..20}; do
        reads /d/read || return 1
    done
}

lacks_details() {
    ! grep -iE 'socket|sock|host|user|dsapi-|SQL' "$RES/body"
}

@test "stopped: 503 at once; started: no read fails any more" {
    local n

    claim_down
    load_begin '/d/read?n=[1-20]' 4
    wait_until 10 load_more 0 100
    pg_stop QUIT
    n=$(load_count)
    wait_until 10 load_more "$n" 100
    in_time 2 req GET /d/read
    expect_problem 503 database-unavailable
    pg_start
    wait_until 5 steady             # two children have to find it
    load_end
    [[ $(cat "$LOAD".* | sort -u | tr '\n' ' ') == '200 503 ' ]]
    # no more than a child has connections: none waits for one
    load_begin '/d/read?n=[1-20]' 2
    wait_until 10 load_more 0 300
    load_end
    load_all_good
}

@test "restarted with an idle pool: the next read is right" {
    claim_down
    for _ in {1..20}; do
        reads /d/read
        reads /d/other
    done
    pg_stop
    pg_start
    for _ in {1..20}; do
        req GET /d/read
        expect 200
        [[ $body == "$READ" ]]
        req GET /d/other
        expect 200
    done
    pg_stop QUIT
    pg_start
    req POST /d/write -d n=1        # what is idle may write, too
    expect 204
    [[ $(sql 'SELECT count(*) FROM written') == 1 ]]
    sql 'TRUNCATE written'
}

@test "restarted under load: no read fails, no answered write is lost or doubled" {
    local n how

    claim_log '^[^]]*\] \[dbd:(error|crit)\]'
    claim_log 'DSAPI0003: database-unavailable: SQLSTATE'   # writes in flight
    sql 'TRUNCATE written'
    sql_super 'ALTER ROLE dsapi SET synchronous_commit = on'    # QUIT is a crash
    one 'DsapiDBWait 60s'
    load_begin '/d/read?n=[1-20]' 3
    write_begin 2
    for how in INT QUIT INT; do
        n=$(load_count)
        wait_until 30 load_more "$n" 60
        pg_stop "$how"
        pg_start
    done
    n=$(load_count)
    wait_until 30 load_more "$n" 60
    n=$(cat "$WRITES".* | wc -l)
    wait_until 30 write_more "$n" 10
    load_end
    load_all_good
    writes_exact 6 sql              # two clients, three restarts
    sql_super 'ALTER ROLE dsapi RESET synchronous_commit'
    sql 'TRUNCATE written'
}

@test "httpd restarted gracefully under load: every request is answered" {
    local n sleeper

    sql 'TRUNCATE written'
    patient
    load_begin '/d/other' 3
    write_begin 2
    for _ in 1 2 3; do
        n=$(load_count)
        wait_until 30 load_more "$n" 40
        curl -sS --noproxy '*' -o /dev/null -w '%{http_code}' \
            "$BASE/d/sleep?s=2" >"$BATS_TEST_TMPDIR/slept" 3>&- &
        sleeper=$!
        wait_until 5 is 1 backends "AND wait_event = 'PgSleep'"
        httpd_restart_graceful patient
        wait "$sleeper"
        [[ $(<"$BATS_TEST_TMPDIR/slept") == 200 ]]
    done
    n=$(cat "$WRITES".* | wc -l)
    wait_until 30 write_more "$n" 10
    load_end
    load_all_good
    writes_exact 0 sql
    sql 'TRUNCATE written'
}

@test "connections terminated under load: no read fails" {
    local i n

    patient
    load_begin '/d/read?n=[1-20]' 4
    for i in {1..10}; do
        n=$(load_count)
        wait_until 10 load_more "$n" 40
        [[ $(terminate_all) -ge 1 ]]
    done
    n=$(load_count)
    wait_until 10 load_more "$n" 40
    load_end
    load_all_good
    # and they are prepared again
    one ''
    reads /d/prepared
    reads /d/prepared
    [[ $body -ge 2 ]]
    terminate_all
    reads /d/prepared
    reads /d/prepared
    [[ $body -ge 2 ]]
}

@test "a write whose connection is lost is not done twice" {
    local asking

    claim_log 'DSAPI0003: database-unavailable'
    one ''
    sql "CREATE FUNCTION slow_write() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_sleep(30); RETURN NEW; END';
        CREATE TRIGGER slow BEFORE INSERT ON written FOR EACH ROW
        WHEN (NEW.n = 7) EXECUTE FUNCTION slow_write()"
    curl -sS --noproxy '*' -d n=7 -o /dev/null -w '%{http_code}' \
        "$BASE/d/write" >"$BATS_TEST_TMPDIR/answer" 3>&- &
    asking=$!
    wait_until 5 is 1 backends "AND wait_event = 'PgSleep'"
    terminate_all
    wait "$asking"
    [[ $(<"$BATS_TEST_TMPDIR/answer") == 503 ]]
    [[ $(backends "AND wait_event = 'PgSleep'") == 0 ]]
    [[ $(sql 'SELECT count(*) FROM written') == 0 ]]
    req POST /d/write -d n=8
    expect 204
    [[ $(sql 'SELECT n FROM written') == 8 ]]
    sql 'DROP TRIGGER slow ON written; DROP FUNCTION slow_write;
        TRUNCATE written'
}

# One connection, until standard input ends. It is asked for again where it is
# refused: who looks at pg_stat_activity (as a superuser)
# takes one of the slots for a moment, too.
hold_one() {
    local i

    for i in {1..200}; do
        ! srv_psql "$DSAPI_DIR/pg" || return 0
        sleep 0.1
    done
}

# so many connections of others are held: hold N
hold() {
    local n

    mkfifo "$BATS_TEST_TMPDIR/hold"
    for ((n = 0; n < $1; n++)); do
        hold_one <"$BATS_TEST_TMPDIR/hold" >/dev/null 2>&1 3>&- &
    done
    exec {held}>"$BATS_TEST_TMPDIR/hold"
    wait_until 20 is "$1" backends ''
}

let_go() {
    exec {held}>&-
    rm "$BATS_TEST_TMPDIR/hold"
}

@test "max_connections reached: 503, and right again when some end" {
    local held

    claim_down
    httpd_stop
    sql_super 'ALTER SYSTEM SET max_connections = 8'    # 3 for superusers
    pg_stop
    pg_start
    hold 5
    ! srv_psql "$DSAPI_DIR/pg" -c 'SELECT 1' 2>"$BATS_TEST_TMPDIR/said" || false
    grep -q 'connection slots are reserved' "$BATS_TEST_TMPDIR/said"
    httpd_start
    in_time 2 req GET /d/read
    expect_problem 503 database-unavailable
    [[ $(header Retry-After) =~ ^[1-9][0-9]*$ ]]
    lacks_details
    let_go
    wait_until 10 steady
    # the other way round: a pool that PostgreSQL has too little room for
    httpd_stop
    hold 4
    one 'DBDMax 4
DBDKeep 4
DsapiDBWait 30s'
    load_begin '/d/read?n=[1-20]' 6
    wait_until 30 load_more 0 300
    load_end
    load_all_good
    let_go
    sql_super 'ALTER SYSTEM RESET max_connections'
    pg_stop
}

# ---- prepared statements ----

@test "prepared statements that went away are made again" {
    local i

    one ''
    for i in 1 2 3; do
        reads /d/read
        reads /d/other
        req POST /d/deallocate
        expect 204
        req GET "/d/read?n=$i"
        expect 200 .n "$i" .kept 5
        reads /d/other
    done
    # also for what writes: it has not happened
    req POST /d/write -d n=1
    expect 204
    req POST /d/deallocate
    req POST /d/write -d n=2
    expect 204
    [[ $(sql "SELECT string_agg(n::text, ',' ORDER BY n) FROM written") == 1,2 ]]
    sql 'TRUNCATE written'
    claim_log 'DSAPI0003: internal: SQLSTATE 25001'
    req POST /d/discard             # not within a transaction
    expect 500
    reads /d/read
}

@test "a table that changes under prepared statements" {
    one ''
    req GET /d/shape
    expect 200 tojson '{"a":1,"b":"x"}'
    sql 'ALTER TABLE shape ALTER a TYPE text'
    req GET /d/shape
    expect 200 tojson '{"a":"1","b":"x"}'
    sql 'ALTER TABLE shape ADD c bool, DROP b'
    req GET /d/shape
    expect 200 tojson '{"a":"1","c":null}'
    sql "DROP TABLE shape; CREATE TABLE shape (a int, b text);
        INSERT INTO shape VALUES (2, 'y')"
    req GET /d/shape
    expect 200 tojson '{"a":2,"b":"y"}'
}

@test "a table that changes, where PostgreSQL speaks German" {
    sql_super "ALTER SYSTEM SET lc_messages = 'C.UTF-8'"
    pg_stop
    LANGUAGE=de pg_start
    one ''
    [[ $(sql 'SELECT 1 / 0' 2>&1) == *FEHLER* ]] ||
        skip 'this PostgreSQL has no German messages'
    req GET /d/shape
    expect 200
    sql 'ALTER TABLE shape ADD german bool'
    req GET /d/shape
    expect 200 'has("german")' true
    sql 'ALTER TABLE shape DROP german'
    sql_super 'ALTER SYSTEM RESET lc_messages'
    pg_stop
    pg_start
}

@test "a table that changes under load" {
    local i n

    patient
    load_begin '/d/shape?#[1-20]' 3
    for i in {1..6}; do
        n=$(load_count)
        wait_until 10 load_more "$n" 30
        if ((i % 2)); then
            sql 'ALTER TABLE shape ALTER a TYPE text'
        else
            sql 'ALTER TABLE shape ALTER a TYPE int USING a::int'
        fi
    done
    n=$(load_count)
    wait_until 10 load_more "$n" 30
    load_end
    load_all_good
}

@test "a statement with a mistake spoils its route only, and not for ever" {
    claim_log 'DSAPI0003: internal: SQLSTATE 42P01'
    one ''
    for _ in 1 2 3; do
        req GET /d/late
        expect_problem 500 internal
        lacks_details
        reads /d/read
    done
    sql "CREATE TABLE comes_late AS SELECT 1 AS n"
    req GET /d/late
    expect 200 tojson '[{"n":1}]'
    sql 'DROP TABLE comes_late'
}

@test "DsapiDBPrepare Off prepares nothing" {
    one 'DsapiDBPrepare Off'
    for _ in 1 2 3; do
        reads /d/read
        reads /d/other
        req GET /d/prepared
        expect 200
        [[ $body == 0 ]]
    done
    req POST /d/write -d n=5
    expect 204
    [[ $(sql 'SELECT n FROM written') == 5 ]]
    sql 'TRUNCATE written'
}

# ---- busy and slow ----

@test "all connections busy: 503 after DsapiDBWait; what needs none is unharmed" {
    local sleeper

    claim_log 'DSAPI0003: database-busy'
    one 'DBDMax 1
DBDKeep 1
DsapiDBWait 700ms'
    reads /d/read
    curl -sS --noproxy '*' -o /dev/null "$BASE/d/sleep?s=4" 3>&- &
    sleeper=$!
    wait_until 5 is 1 backends "AND wait_event = 'PgSleep'"
    for _ in 1 2; do
        in_time 2 req GET /d/read
        expect_problem 503 database-busy
        [[ $(header Retry-After) =~ ^[1-9] ]]
        in_time 1 req GET /d/nothing
        expect_problem 404 not-found
        in_time 1 req GET '/d/read?x=1'
        expect_problem 400 invalid-parameter
    done
    wait "$sleeper"
    reads /d/read
    # who waits less than DsapiDBWait gets it
    curl -sS --noproxy '*' -o /dev/null "$BASE/d/sleep?s=0.1" 3>&- &
    reads /d/read
    wait $!
}

@test "many more clients than connections: all are answered, in turn" {
    claim_log AH00484:              # as many clients as threads
    one 'DBDMax 1
DBDKeep 1
DsapiDBWait 10s'
    load_begin '/d/read?n=[1-20]' 8
    wait_until 20 load_more 0 400
    load_end
    load_all_good
    [[ $(backends "AND pid <> pg_backend_pid()") -le 6 ]]
}

@test "DsapiDBTimeout: 504, and the statement has ended" {
    claim_log 'DSAPI0003: database-timeout: SQLSTATE 57014'
    in_time 3 req GET /d/timeout
    expect_problem 504 database-timeout
    lacks_details
    # the connection is broken, and PostgreSQL looks every 100 ms
    wait_until 5 is 0 backends "AND query LIKE '%timeout route%'"
    in_time 2 req GET '/d/timeout?s=0.01'
    expect 200
    # of each statement, not of the route
    req GET /d/two-slow
    expect 200
    reads /d/read
    [[ $(sql 'SHOW statement_timeout') == 0 ]]
}

# slow_reader PATH: ask, and read nothing; its descriptor is in slow
slow_reader() {
    exec {slow}<>"/dev/tcp/127.0.0.1/${BASE##*:}"
    printf 'GET %s HTTP/1.1\r\nHost: x\r\n\r\n' "$1" >&"$slow"
}

@test "clients that do not read do not pin connections" {
    local -a fds=()
    local i slow

    one 'DBDMax 2
DBDKeep 2
DsapiBuffer 64M
DsapiDBWait 2s'
    for i in 1 2 3 4; do
        slow_reader /d/big
        fds+=("$slow")
    done
    # their queries have been begun, and answered
    wait_until 20 is 2 backends "AND query LIKE '%filler%' AND pid <> pg_backend_pid()"
    wait_until 20 is 0 backends "AND query LIKE '%filler%' AND state = 'active' AND pid <> pg_backend_pid()"
    for i in {1..20}; do
        in_time 2 req GET /d/read
        expect 200
    done
    [[ $(backends "AND state <> 'idle' AND pid <> pg_backend_pid()") == 0 ]]
    # and the answers are whole
    for slow in "${fds[@]}"; do
        printf 'GET /d/pid HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&"$slow"
        timeout 60 cat <&"$slow" >"$BATS_TEST_TMPDIR/big"
        exec {slow}>&-
        [[ $(stat -c %s "$BATS_TEST_TMPDIR/big") -gt 22000000 ]]
        grep -aq '"n":100000,' "$BATS_TEST_TMPDIR/big"
    done
}

# ---- settings of others ----

@test "a role's client_encoding, DateStyle and the like change nothing" {
    local want='{"text":"üñ€","day":"2024-02-29","same":true,"bin":"\\xff","span":"1 day 02:00:00","f":0.30000000000000004}'

    req GET /d/styled
    expect 200
    [[ $body == "$want" ]]
    for setting in "client_encoding = 'LATIN1'" "DateStyle = 'German'"; do
        sql_super "ALTER ROLE dsapi SET $setting"
        terminate_all
        for _ in {1..6}; do
            req GET /d/styled
            expect 200
            [[ $body == "$want" ]]
        done
        sql_super "ALTER ROLE dsapi RESET ALL"
    done
    terminate_all
    # nor does a route that sets them
    one 'DBDMax 1
DBDKeep 1'
    req POST /d/settings
    expect 204
    req GET /d/styled
    expect 200 .text 'üñ€' .day 2024-02-29
}

# ---- what is left ----

@test "no connection stays in a transaction, whatever was asked" {
    claim_log 'DSAPI0003: (internal|database-timeout)'
    one 'DBDMax 1
DBDKeep 1'
    for path in /d/read /d/late /d/timeout /d/other /d/read?n=x; do
        req GET "$path"
        [[ $(backends "AND state LIKE 'idle in transaction%'") == 0 ]]
        wait_until 5 is 0 backends "AND state <> 'idle' AND pid <> pg_backend_pid()"
    done
}

# resident kilobytes of httpd's children
resident() {
    local pid sum=0 kb

    for pid in $(pgrep -P "$(httpd_pid one)"); do
        kb=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
        sum=$((sum + kb))
    done
    echo "$sum"
}

# hammer N: so many of each kind, on one connection each
hammer() {
    curl -sS --noproxy '*' -o /dev/null "$BASE/d/read?n=[1-$1]"
    curl -sS --noproxy '*' -o /dev/null "$BASE/d/other?[1-$1]" # 400
    curl -sS --noproxy '*' -o /dev/null "$BASE/d/no/[1-$1]"    # 404
    curl -sS --noproxy '*' -o /dev/null "$BASE/d/late?#[1-$1]"
    curl -sS --noproxy '*' -o /dev/null "$BASE/d/styled?#[1-$1]"
}

@test "memory does not grow with the number of requests" {
    local before after

    claim_log 'DSAPI0003: internal: SQLSTATE 42P01'
    one ''
    hammer 300
    before=$(resident)
    hammer 500
    after=$(resident)
    echo "before $before kB, after $after kB"
    ((before > 0 && after - before < 8192 * DSAPI_SLOW))
}
