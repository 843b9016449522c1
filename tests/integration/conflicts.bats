#!/usr/bin/env bats
# Transactions in each other's way: serialization failures and deadlocks are
# run again, and everything happens once.
# shellcheck disable=SC2154 # status and body are set by req

load ../lib/testing

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up
    sql "CREATE TABLE counter (id int PRIMARY KEY, n int NOT NULL);
        CREATE TABLE entry (id int);
        CREATE SEQUENCE runs;
        CREATE FUNCTION fails(state text, times int) RETURNS void
        LANGUAGE plpgsql AS 'BEGIN IF nextval(''runs'') <= times THEN
            RAISE EXCEPTION ''secret'' USING ERRCODE = state; END IF; END'"
    sql_super "ALTER ROLE dsapi SET deadlock_timeout = '100ms'"
    httpd_up level "$(routes_conf)
DBDParams \"$CONNINFO options='-c default_transaction_isolation=serializable'\""
    BASE=http://127.0.0.1:$(<"$DSAPI_DIR/level/port")
    export BASE
}

routes_conf() {
    cat <<'END'
DBDMax 4
DBDKeep 4
DsapiDBWait 30s
<DsapiService c "/c">
    <DsapiRoute GET "/level">
        DsapiQuery "SELECT current_setting('transaction_isolation')"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute POST "/add">
        DsapiDBTimeout 20s
        DsapiQuery "UPDATE counter SET n = (SELECT n FROM counter WHERE id = 1) + 1 WHERE id = 1"
        DsapiResult none
    </DsapiRoute>
    <DsapiRoute POST "/move/{from}/{to}">
        DsapiParam from int
        DsapiParam to int
        DsapiDBTimeout 20s
        DsapiQuery "INSERT INTO entry VALUES (:from)"
        DsapiQuery "UPDATE counter SET n = n - 1 WHERE id = :from"
        DsapiQuery "UPDATE counter SET n = n + 1 WHERE id = :to"
        DsapiResult none
    </DsapiRoute>
    <DsapiRoute POST "/deadlock">
        DsapiDBTimeout 60s
        DsapiQuery "INSERT INTO entry VALUES (1)"
        DsapiQuery "UPDATE counter SET n = n + 1 WHERE id = 1"
        DsapiQuery "SELECT pg_advisory_xact_lock(7)"
        DsapiQuery "UPDATE counter SET n = n + 1 WHERE id = 2"
        DsapiResult none
    </DsapiRoute>
    <DsapiRoute POST "/fails/{state}/{times}">
        DsapiParam state text
        DsapiParam times int
        DsapiQuery "INSERT INTO entry VALUES (:times)"
        DsapiQuery "SELECT fails(:state, :times)"
        DsapiResult none
    </DsapiRoute>
</DsapiService>
END
}

setup() {
    dsapi_test_begin
    since=$(stat -c %s "$DSAPI_DIR/pg/log")
    sql 'TRUNCATE entry, counter; ALTER SEQUENCE runs RESTART;
        INSERT INTO counter SELECT n, 0 FROM generate_series(1, 2) n'
}

teardown() {
    [[ -z ${other_PID:-} ]] || kill "$other_PID" 2>/dev/null || true
    dsapi_test_end
}

# other SQL: another session, a superuser's, goes on with its transaction
other() {
    if [[ -z ${other_PID:-} ]]; then
        coproc other { srv_psql_super "$DSAPI_DIR/pg" -d dsapi 2>&1; }
        echo 'SET search_path = dsapi;' >&"${other[1]}"
    fi
    printf '%s;\n\\echo done\n' "$1" >&"${other[1]}"
}

# it has done so
other_done() {
    local line

    read -r -t 60 line <&"${other[0]}"
    echo "other: $line"
    [[ $line == "done" ]]
}

# post PATH, in the background; its status comes to $BATS_TEST_TMPDIR/answer
post() {
    curl -sS --noproxy '*' --max-time 120 -X POST -o /dev/null \
        -w '%{http_code}' "$BASE$1" >"$BATS_TEST_TMPDIR/answer" 3>&- &
    asking=$!
}

# posted STATUS: that was its answer
posted() {
    wait "$asking"
    [[ $(<"$BATS_TEST_TMPDIR/answer") == "$1" ]]
}

# so many sessions whose SQL is LIKE that wait for a lock: blocked N LIKE
blocked() {
    [[ $(sql_super "SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND query LIKE '$2'") == "$1" ]]
}

# pg_said REGEX: PostgreSQL had that error in this test
pg_said() {
    tail -c "+$((since + 1))" "$DSAPI_DIR/pg/log" | grep -qE "ERROR:  $1"
}

values() {
    sql "SELECT string_agg(n::text, ' ' ORDER BY id) FROM counter"
}

@test "the isolation level is the connection's" {
    req GET /c/level
    expect 200 . serializable
}

@test "a change by others in the middle: the request is run again, and succeeds" {
    other 'BEGIN; UPDATE counter SET n = 100 WHERE id = 1'
    other_done
    post /c/add
    wait_until 20 blocked 1 'UPDATE counter SET n = (%'
    other 'COMMIT'
    other_done
    posted 204
    [[ $(values) == '101 0' ]]
}

lock_held() {
    [[ $(sql_super "SELECT count(*) FROM pg_locks
        WHERE locktype = 'advisory' AND granted") == 1 ]]
}

@test "a deadlock: the request that PostgreSQL ends for it is run again" {
    local locker

    # what makes the request wait until the other session waits for it
    srv_psql_super "$DSAPI_DIR/pg" -d dsapi -c 'SELECT pg_advisory_lock(7)' \
        -c 'SELECT pg_sleep(600)' >/dev/null 2>&1 3>&- &
    locker=$!
    wait_until 20 lock_held
    other "SET deadlock_timeout = '1h'; BEGIN;
        UPDATE counter SET n = n + 100 WHERE id = 2"
    other_done
    post /c/deadlock
    wait_until 20 blocked 1 'SELECT pg_advisory_xact_lock%'
    other 'UPDATE counter SET n = n + 100 WHERE id = 1'
    wait_until 20 blocked 1 'UPDATE counter SET n = n + 100%'
    sql_super "SELECT pg_terminate_backend(pid) FROM pg_locks
        WHERE locktype = 'advisory' AND granted"
    wait "$locker" || true
    other_done
    other 'COMMIT'
    other_done
    posted 204
    [[ $(values) == '101 101' && $(sql 'SELECT count(*) FROM entry') == 1 ]]
    pg_said 'deadlock detected'
}

# many PATH: how many such requests succeeded
many() {
    grep -c "^$1 204\$" "$BATS_TEST_TMPDIR/all"
}

@test "many at once: every answered change is there once" {
    local n path
    local -a asking=()

    claim_log 'DSAPI0003: try-again: SQLSTATE 40(001|P01)'
    for path in add move/1/2 move/2/1; do
        for n in 1 2; do
            curl -sS --noproxy '*' --max-time 120 -X POST -o /dev/null \
                -w "$path %{http_code}\n" "$BASE/c/$path#[1-30]" \
                >>"$BATS_TEST_TMPDIR/many.${path//\//-}.$n" 3>&- &
            asking+=($!)
        done
    done
    wait "${asking[@]}"
    cat "$BATS_TEST_TMPDIR"/many.* >"$BATS_TEST_TMPDIR/all"
    sort "$BATS_TEST_TMPDIR/all" | uniq -c
    [[ $(grep -cE ' (204|503)$' "$BATS_TEST_TMPDIR/all") == 180 ]]
    # moves change the sum by nothing, additions by one
    [[ $(sql 'SELECT sum(n) FROM counter') == "$(many add)" ]]
    [[ $(sql 'SELECT n FROM counter WHERE id = 2') == \
        $(($(many move/1/2) - $(many move/2/1))) ]]
    [[ $(sql 'SELECT count(*) FROM entry') == "$(many move/./.)" ]]
    [[ $(many '.*') -gt 100 ]]
    # they were in each other's way
    pg_said '(could not serialize|deadlock)'
}

# counts RUNS ENTRIES
counts() {
    [[ $(sql 'SELECT last_value FROM runs') == "$1" &&
        $(sql 'SELECT count(*) FROM entry') == "$2" ]]
}

@test "four failures are not told, and what is written is written once" {
    req POST /c/fails/40001/4
    expect 204
    counts 5 1
    sql 'ALTER SEQUENCE runs RESTART'
    req POST /c/fails/40P01/4
    expect 204
    counts 5 2
}

@test "what goes on failing is 503 with Retry-After, and nothing is written" {
    claim_log 'DSAPI0003: try-again: SQLSTATE 40001'
    req POST /c/fails/40001/1000
    expect_problem 503 try-again
    [[ $(header Retry-After) =~ ^[1-9][0-9]*$ ]]
    ! grep secret "$RES/body" || false
    counts 5 0
}

@test "no other error is run again" {
    claim_log 'DSAPI0003: '
    for state in 40003 40002 55P03 23505 53200 57014 XX000; do
        sql 'ALTER SEQUENCE runs RESTART'
        req POST "/c/fails/$state/1000"
        [[ $status == [45]* ]]
        counts 1 0
    done
}
