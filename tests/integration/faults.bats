# Faults in every phase of a job, in loops: two httpds work one queue, the
# clock of one an hour ahead. After every fault all jobs have ended well, what
# they store is there once, and an attempt was counted for every time that a
# worker was lost, and for no other.
#
# FAULT_ROUNDS rounds of each (1); `make soak` asks for more.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154

bats_require_minimum_version 1.5.0
load ../lib/testing

ROUNDS=${FAULT_ROUNDS:-1}
JOBS=5
export DSAPI_SERVICES=none

# A job waits at a gate that is closed: 1 as it is claimed, 2 in its store,
# 3 as it is finished.
setup_file() {
    dsapi_up '
        <DsapiService loop "/loop">
            <DsapiSource item>
                DsapiParam key text required
                DsapiFetch "${UPSTREAM}/item/{key}"
                DsapiStore "INSERT INTO item (key) VALUES (:key)"
                DsapiStore "SELECT pg_advisory_xact_lock_shared(2)"
                DsapiRetry 9 first=100ms max=1s
            </DsapiSource>
            <DsapiRoute POST "/items/{key}">
                DsapiParam key text
                DsapiEnqueue item
            </DsapiRoute>
        </DsapiService>'
    mkdir "$DSAPI_DIR/second"
    # a sanitizer and a clock of its own do not go together
    [[ -n ${SAN:-} ]] || echo +1h >"$DSAPI_DIR/second/skew"
    httpd_up second "$(<"$DSAPI_DIR/httpd/extra.conf")"
    # elsewhere a crash may lose what was committed last
    sql_super 'ALTER SYSTEM SET synchronous_commit = on'
    sql_super 'SELECT pg_reload_conf()'
    sql 'CREATE TABLE item (key text)'
    sql "CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS \$\$
         BEGIN
             IF NEW.state = 'running' AND OLD.state = 'queued' THEN
                 PERFORM pg_advisory_xact_lock_shared(1);
             ELSIF NEW.state = 'succeeded' THEN
                 PERFORM pg_advisory_xact_lock_shared(3);
             END IF;
             RETURN NEW;
         END \$\$"
    sql 'CREATE TRIGGER gate BEFORE UPDATE ON dsapi.job
             FOR EACH ROW EXECUTE FUNCTION gate()'
}

setup() {
    dsapi_test_begin
    httpd_start second
    claim_log 'AH00052: child pid [0-9]+ exit signal Killed \(9\)'
    claim_log 'DSAPI0005: worker: no database: '
}

# ---- gates ----

# close_gate N SQL: a session does that, and keeps its locks
close_gate() {
    rm -f "$BATS_TEST_TMPDIR/gate"
    mkfifo "$BATS_TEST_TMPDIR/gate"
    srv_psql "$DSAPI_DIR/pg" <"$BATS_TEST_TMPDIR/gate" \
        >"$BATS_TEST_TMPDIR/gate.out" 2>&1 3>&- &
    gate=$!
    exec 7>"$BATS_TEST_TMPDIR/gate"
    echo "BEGIN; $1; SELECT 'closed';" >&7
    wait_until 20 grep -q closed "$BATS_TEST_TMPDIR/gate.out"
}

open_gate() {
    exec 7>&-
    wait "$gate" || true
}

# somebody waits: for a gate, or for a job's row
waits() {
    [[ $(sql "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted") == t ]]
}

# waiting: the backends that do, an SQL array
waiting() {
    sql "SELECT array_agg(DISTINCT pid) FROM pg_locks WHERE NOT granted"
}

# gone PIDS
gone() {
    [[ $(sql "SELECT count(*) FROM pg_stat_activity
               WHERE pid = ANY ('$1')") == 0 ]]
}

# ---- phases ----

# answers OBJECT: the stand-in's, for items
answers() {
    stub POST /_stub/answers "{\"path\": \"/item/\", \"body\": \"{}\",
        \"headers\": {\"Content-Type\": \"application/json\"}, $1}" >/dev/null
}

# ask [hold]: for all jobs; the first answer to each is held
ask() {
    local key

    sql 'TRUNCATE dsapi.job, item'
    stub DELETE /_stub/answers >/dev/null
    [[ -z ${1:-} ]] || answers "\"hold\": true, \"times\": $JOBS"
    answers '"times": 0'
    for ((key = 1; key <= JOBS; key++)); do
        req POST "/loop/items/$key"
        expect 202
    done
}

is_held() {
    [[ $(stub GET /_stub/health | jq .held) == "$1" ]]
}

release() {
    stub POST /_stub/release >/dev/null
}

# reach PHASE: the jobs are in it, and stay there
reach() {
    case $1 in
    claim)
        close_gate 'SELECT pg_advisory_xact_lock(1)'
        ask
        wait_until 20 waits
        ;;
    fetch)
        close_gate 'SELECT 1'
        ask hold
        wait_until 20 is_held "$JOBS"
        ;;
    answer)
        ask hold
        wait_until 20 is_held "$JOBS"
        close_gate 'SELECT count(*) FROM (SELECT FROM dsapi.job FOR UPDATE) j'
        release
        wait_until 20 waits
        ;;
    store | finish)
        close_gate "SELECT pg_advisory_xact_lock($([[ $1 == store ]] &&
            echo 2 || echo 3))"
        ask
        wait_until 20 waits
        ;;
    esac
}

# ---- faults ----

# children NAME: pids of an httpd's
children() {
    ps -o pid= --ppid "$(httpd_pid "$1")"
}

# kill_children PHASE
kill_children() {
    local pid stores

    stores=$(waiting)
    # shellcheck disable=SC2046 # one pid a word
    for pid in $(children httpd) $(children second); do
        kill -KILL "$pid"
    done
    # a store's transaction ends with its client; a claim does not notice
    [[ $1 != store && $1 != finish ]] || wait_until 20 gone "$stores"
}

# through FAULT PHASE: the gate is opened when the fault has happened
through() {
    local name

    case $1 in
    kill)
        kill_children "$2"
        ;;
    postgres)
        pg_stop QUIT
        pg_start
        ;;
    backends)
        sql_super "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE usename = 'dsapi'" >/dev/null
        ;;
    restart)
        for name in httpd second; do
            kill -USR1 "$(httpd_pid "$name")"
        done
        ;;
    stop)
        for name in httpd second; do
            kill -WINCH "$(httpd_pid "$name")"
        done
        ;;
    esac
    # what is given back is claimed anew, and waits at the gate as before
    # (where the gate is the jobs' rows nothing can be given back before)
    [[ $1 != restart || $2 == claim || $2 == answer ]] ||
        wait_until 20 given_back
    open_gate
    release
    if [[ $1 == stop ]]; then
        for name in httpd second; do
            wait_until 30 srv_dead "$DSAPI_DIR/$name"
            httpd_start "$name"
        done
    fi
}

# started COUNT of the attempts since the round began, in both logs
started() {
    [[ $(attempts_begun) -ge $1 ]]
}

given_back() {
    started $((JOBS + 1))
}

# count_in_logs SED-SCRIPT: sum of what it prints of the lines of this round
count_in_logs() {
    local name

    for name in httpd second; do
        tail -c "+$((${from[$name]} + 1))" "$DSAPI_DIR/$name/error.log" |
            sed -nE "$1"
    done | awk '{ n += $1 } END { print n + 0 }'
}

attempts_begun() {
    count_in_logs 's/.*DSAPI0006: .*/1/p'
}

taken_back() {
    count_in_logs 's/.*DSAPI0011: worker: took back ([0-9]+) .*/\1/p'
}

took_back() {
    [[ $(taken_back) == "$1" ]]
}

# ---- proof ----

all_ended() {
    [[ $(sql "SELECT count(*) FROM dsapi.job
               WHERE state IN ('succeeded', 'failed')") == "$JOBS" ]]
}

# prove FAULT
prove() {
    local extra

    # a lease is twice the heartbeat, and nobody's reaches further
    [[ $(sql "SELECT count(*) FROM dsapi.job
               WHERE lease_until > clock_timestamp() + interval '10 s'") == 0 ]]
    wait_until 30 all_ended
    sql 'SELECT id, state, attempts, error FROM dsapi.job ORDER BY id'
    [[ $(sql "SELECT count(*) FROM dsapi.job
               WHERE state = 'succeeded' AND error IS NULL
                 AND lease_token IS NULL") == "$JOBS" ]]
    [[ $(sql 'SELECT count(*), count(DISTINCT key) FROM item') == \
        "$JOBS|$JOBS" ]]
    extra=$(sql 'SELECT sum(attempts) - count(*) FROM dsapi.job')
    wait_until 10 took_back "$extra"    # which is logged after its commit
    case $1 in
    kill)
        # a connection that has stored in an earlier round notices in a claim,
        # too, that its child is gone, and takes it back
        [[ $extra -ge $lost ]]
        [[ $extra -gt 0 || ($phase == claim && $round -gt 1) ]]
        ;;
    restart | stop) [[ $extra == 0 ]] ;;
    esac
}

# in_each_phase FAULT: all its rounds
in_each_phase() {
    local round phase gate name lost
    local -A from

    for ((round = 1; round <= ROUNDS; round++)); do
        for phase in claim fetch answer store finish; do
            for name in httpd second; do
                from[$name]=$(stat -c %s "$DSAPI_DIR/$name/error.log")
            done
            echo "$1, $phase, round $round"
            reach "$phase"
            lost=$(sql "SELECT count(*) FROM dsapi.job
                         WHERE state = 'running'")
            through "$1" "$phase"
            prove "$1"
        done
    done
}

@test "all children of both are killed" {
    in_each_phase kill
}

@test "PostgreSQL crashes and comes back" {
    in_each_phase postgres
}

@test "all connections are cut" {
    in_each_phase backends
}

@test "both restart gracefully" {
    in_each_phase restart
}

@test "both stop gracefully, and start" {
    in_each_phase stop
}
