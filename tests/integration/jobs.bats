# The job queue with the shipped food-security service: whatever is killed,
# stopped or restarted while a job runs, its data is stored once.
# shellcheck disable=SC2030,SC2031,SC2154 # status, body: set by req

bats_require_minimum_version 1.5.0
load ../lib/testing

S=/foodsecurity/v1
DAYS='from=2023-05-01&to=2023-05-31'
JOB="$S/status/COL?$DAYS"
RECORDS=1023

setup_file() {
    export DSAPI_SERVICES=hungermap
    dsapi_up
    # Every store of an answer touches its country's row once.
    sql 'CREATE TABLE stores (iso3 text)'
    sql 'CREATE FUNCTION note_store() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO stores VALUES (NEW.iso3);
             RETURN NULL;
         END $$'
    sql 'CREATE TRIGGER note_store AFTER INSERT OR UPDATE
             ON hungermap.country FOR EACH ROW EXECUTE FUNCTION note_store()'
}

setup() {
    dsapi_test_begin
    stub DELETE /_stub/answers >"$BATS_TEST_TMPDIR/stub"
    stub DELETE /_stub/log >"$BATS_TEST_TMPDIR/stub"
    # none is live: every test awaits the ends of its own
    sql 'TRUNCATE dsapi.job, stores, hungermap.observation, hungermap.area,
             hungermap.country'
}

teardown() {
    local name

    # what this file's tests start besides
    for name in second off; do
        if [[ -e $DSAPI_DIR/$name/ident ]]; then
            httpd_stop "$name"
        fi
    done
    dsapi_test_end
}

# ---- the queue ----

# hold [TIMES]: the stand-in holds the next answers of Colombia's; 0: all
hold() {
    stub POST /_stub/answers "{\"real\": true, \"hold\": true,
        \"times\": ${1:-1}, \"path\":
        \"/v1/foodsecurity/country/COL/\"}" >"$BATS_TEST_TMPDIR/stub"
}

release() {
    stub POST /_stub/release >"$BATS_TEST_TMPDIR/stub"
}

is_held() {
    [[ $(stub GET /_stub/health | jq .held) == "$1" ]]
}

requests() {
    stub GET /_stub/log | jq length
}

# ask_held [TIMES]: ask for a month of Colombia, until the answer is held
ask_held() {
    hold "${1:-1}"
    req POST "$S/fetch/COL?$DAYS"
    expect 202
    wait_until 10 is_held 1
    req GET "$JOB"
    expect 200 .state running .attempts 1
}

job_ended() {
    req GET "$JOB"
    [[ $status == 200 && $body =~ '"state":"'(succeeded|failed)'"' ]]
}

# succeeds SECONDS ATTEMPTS: the job ends well within that time, its data
# stored once
succeeds() {
    wait_until "$1" job_ended
    expect 200 .state succeeded .attempts "$2" .error null \
        .next_attempt_at null .result.metrics.fcs.stored "$RECORDS"
    stored_once
}

stored_once() {
    [[ $(sql "SELECT count(*) FROM hungermap.observation
               WHERE metric = 'fcs'") == "$RECORDS" ]]
    [[ $(sql 'SELECT count(*) FROM stores') == 1 ]]
    [[ $(sql 'SELECT count(*) FROM dsapi.job') == 1 ]]
}

# logged NAME TEXT: that httpd's lines with it since this test began
logged() {
    local from=1

    [[ ! -e $DSAPI_DIR/$1/log.seen ]] || from=$(<"$DSAPI_DIR/$1/log.seen")
    tail -c "+$from" "$DSAPI_DIR/$1/error.log" | grep -F "$2"
}

# runners: the children that have started an attempt, one a line
runners() {
    logged httpd 'DSAPI0006: ' | sed -E 's/.*\[pid ([0-9]+).*/\1/'
}

# expire: as if the lease had been taken ten seconds ago
expire() {
    sql "UPDATE dsapi.job SET lease_until = now() - interval '1 ms'
          WHERE state = 'running'"
}

# ---- a child ----

@test "a child is killed while it waits for the upstream: another goes on" {
    local first last

    claim_log 'AH00052: child pid [0-9]+ exit signal Killed \(9\)'
    ask_held
    first=$(runners)
    kill -KILL "$first"
    succeeds 30 2
    last=$(runners | tail -n 1)
    [[ $first != "$last" ]]
    [[ $(requests) == 2 ]]
    logged httpd 'DSAPI0011: worker: took back 1 job(s) of lost workers'
}

@test "a child that freezes loses its job, and stores nothing when it wakes" {
    local first

    ask_held
    first=$(runners)
    kill -STOP "$first"
    expire
    succeeds 30 2
    [[ $(runners | tail -n 1) != "$first" ]]
    # now it gets its answer
    kill -CONT "$first"
    release
    wait_until 20 logged httpd 'another worker has it'
    succeeds 1 2
}

@test "a child is killed while it stores: nothing by halves, another goes on" {
    local first blocker

    claim_log 'AH00052: child pid [0-9]+ exit signal Killed \(9\)'
    ask_held
    first=$(runners)
    # what it has stored so far is seen by nobody; then it cannot go on
    block
    release
    wait_until 10 is_blocked
    kill -KILL "$first"
    unblock
    expire
    succeeds 30 2
    [[ $(requests) == 2 ]]
}

@test "a child is killed in a long store: all its jobs run again by lease" {
    local blocker pid

    claim_log 'AH00052: child pid [0-9]+ exit signal Killed \(9\)'
    ask_three
    for pid in $(runners | sort -u); do # one has two of them, at least
        kill -KILL "$pid"
    done
    # that they end at once, and not between two looks: who has taken one back
    # stores it, and cannot look again
    sql "UPDATE dsapi.job SET lease_until = (SELECT max(lease_until)
            FROM dsapi.job WHERE state = 'running') WHERE state = 'running'"
    # nothing helps: neither the leases nor the lock
    wait_until 15 all_three running 2
    unblock
    wait_until 15 all_three succeeded 2
    [[ $(sql 'SELECT count(*) FROM stores') == 3 ]]
}

# ask_three: three jobs are answered; each child that has some stores one, and
# is blocked
ask_three() {
    local i

    hold 3
    for i in 1 2 3; do
        req POST "$S/fetch/COL?from=2023-05-01&to=2023-05-2$i"
        expect 202
    done
    wait_until 10 is_held 3
    block
    release
    wait_until 10 all_store
}

# for the table, or for the row of a country that the other has
all_store() {
    [[ $(sql 'SELECT count(DISTINCT pid) FROM pg_locks
               WHERE NOT granted') == "$(runners | sort -u | wc -l)" ]]
}

# all_three STATE ATTEMPTS
all_three() {
    [[ $(sql "SELECT count(*) FROM dsapi.job
               WHERE state = '$1' AND attempts = $2") == 3 ]]
}

# block, unblock: a session that holds the table of observations
block() {
    mkfifo "$BATS_TEST_TMPDIR/blocker"
    srv_psql "$DSAPI_DIR/pg" <"$BATS_TEST_TMPDIR/blocker" 3>&- &
    blocker=$!
    exec 7>"$BATS_TEST_TMPDIR/blocker"
    echo 'BEGIN; LOCK TABLE hungermap.observation IN SHARE MODE;' >&7
    wait_until 10 holds_table
}

holds_table() {
    [[ $(sql "SELECT count(*) FROM pg_locks
               WHERE relation = 'hungermap.observation'::regclass
                 AND mode = 'ShareLock' AND granted") == 1 ]]
}

is_blocked() {
    [[ $(sql "SELECT count(*) FROM pg_locks
               WHERE relation = 'hungermap.observation'::regclass
                 AND NOT granted") == 1 ]]
}

unblock() {
    exec 7>&-
    wait "$blocker" || true
}

# long_lease: however long PostgreSQL is away, it has not run out
long_lease() {
    sql "UPDATE dsapi.job SET lease_until = now() + interval '2 min'
          WHERE state = 'running'"
}

# ---- PostgreSQL ----

@test "PostgreSQL stops during the fetch, and comes back" {
    claim_log 'DSAPI0005: worker: no database: '
    claim_log 'DSAPI0036'
    ask_held
    long_lease
    pg_stop
    wait_until 10 logged httpd 'DSAPI0005: worker: no database: '
    release
    wait_until 10 is_held 0
    pg_start
    # the answer that came meanwhile is stored: the lease has not run out
    succeeds 30 1
    [[ $(requests) == 1 ]]
}

@test "PostgreSQL stops while the answer is being stored" {
    local blocker

    claim_log 'DSAPI0005: worker: no database: '
    claim_log 'DSAPI0036'
    ask_held
    block
    long_lease
    release
    wait_until 10 is_blocked
    pg_stop
    unblock
    pg_start
    succeeds 30 1
    [[ $(requests) == 1 ]]
}

@test "httpd starts without PostgreSQL, and takes jobs when it comes" {
    claim_log 'DSAPI0005: worker: no database: '
    claim_log 'DSAPI0036'
    claim_log "AH00629: Can't connect to pgsql: "
    claim_log 'AH00633: failed to initialise'
    claim_log 'AH00636: child init failed!'
    httpd_stop
    enqueue
    pg_stop
    httpd_start
    wait_until 10 logged httpd 'DSAPI0005: worker: no database: '
    pg_start
    succeeds 20 1
}

# enqueue: put the job into the queue without httpd
enqueue() {
    [[ $(sql "SELECT state, attempts FROM dsapi.enqueue(
                  'foodsecurity/region', '{\"iso3\": \"COL\",
                  \"from\": \"2023-05-01\", \"to\": \"2023-05-31\"}', 5)") == \
        'queued|0' ]]
}

# ---- httpd ----

@test "a graceful restart during the fetch gives the job back at once" {
    local first

    ask_held
    first=$(runners)
    httpd_restart_graceful
    # long before the lease would run out
    succeeds 8 1
    [[ $(requests) -ge 2 ]]
    [[ $(runners | tail -n 1) != "$first" ]]
}

@test "a graceful restart during a long store gives all jobs back" {
    local blocker

    ask_three
    httpd_restart_graceful
    # the stores are broken off; who has the jobs now stores them anew
    wait_until 8 given_back
    unblock
    wait_until 15 all_three succeeded 1
    [[ $(sql 'SELECT count(*) FROM stores') == 3 ]]
}

# six attempts were begun (more, where one child took what the other gave back
# before it was to stop, too), and yet each job had one
given_back() {
    [[ $(runners | wc -l) -ge 6 ]] && all_three running 1
}

@test "graceful restarts one after the other lose and double no job" {
    local i

    for ((i = 1; i <= 12; i++)); do
        req POST "$S/fetch/COL?from=2023-05-01&to=2023-05-$((12 + i))"
        expect 202
        [[ $((i % 4)) != 0 ]] || httpd_restart_graceful
    done
    wait_until 30 all_ended 12
    [[ $(sql "SELECT count(*) FROM dsapi.job WHERE state = 'succeeded'
                 AND attempts = 1") == 12 ]]
    [[ $(sql 'SELECT count(*) FROM stores') == 12 ]]
}

all_ended() {
    [[ $(sql "SELECT count(*) FROM dsapi.job
               WHERE state IN ('succeeded', 'failed')") == "$1" ]]
}

@test "a graceful stop during the fetch gives the job back; a start runs it" {
    ask_held 0
    kill -WINCH "$(httpd_pid)"
    wait_until 30 srv_dead "$DSAPI_DIR/httpd"
    [[ $(sql 'SELECT state, attempts FROM dsapi.job') == 'queued|0' ]]
    [[ $(sql 'SELECT count(*) FROM stores') == 0 ]]
    stub DELETE /_stub/answers >/dev/null
    httpd_start
    succeeds 10 1
}

@test "a job that came while httpd was stopped runs when it starts" {
    httpd_stop
    enqueue
    httpd_start
    succeeds 10 1
    [[ $(requests) == 1 ]]
}

# ---- several httpds ----

@test "two httpds work one queue, and every job runs once" {
    local i port day n=36

    httpd_up second
    port=$(<"$DSAPI_DIR/second/port")
    hold "$n"
    # one httpd takes 32 at most: two children, 16 transfers each
    for ((i = 0; i < n; i++)); do
        day=2022-0$((7 + i / 30))-$((i % 30 + 1))
        [[ $day == *-?? ]] || day=${day%-*}-0${day##*-}
        [[ $((i % 2)) == 0 ]] || req POST \
            "http://127.0.0.1:$port$S/fetch/COL?from=$day&to=$day"
        [[ $((i % 2)) == 1 ]] || req POST "$S/fetch/COL?from=$day&to=$day"
        [[ $status == 202 ]]
    done
    wait_until 20 is_held "$n"
    release
    wait_until 60 all_ended "$n"
    [[ $(sql "SELECT count(*) FROM dsapi.job
               WHERE state = 'succeeded' AND attempts = 1") == "$n" ]]
    [[ $(sql 'SELECT count(*) FROM stores') == "$n" ]]
    [[ $(stub GET /_stub/log | jq 'length, (map(.target) | unique | length)' |
        xargs) == "$n $n" ]]
    all_logged() { # after the commit
        [[ $(logged "$i" 'DSAPI0006: ' | wc -l) == \
            $(logged "$i" 'DSAPI0007: ' | wc -l) ]]
    }
    for i in httpd second; do
        [[ $(logged "$i" 'DSAPI0006: ' | wc -l) -ge $((n - 32)) ]]
        wait_until 10 all_logged
    done
}

@test "DsapiWorker Off takes no job, and still answers" {
    local off

    httpd_up off 'DsapiWorker Off'
    off=http://127.0.0.1:$(<"$DSAPI_DIR/off/port")
    httpd_stop
    req POST "$off$S/fetch/COL?$DAYS"
    expect 202 .state queued
    # where there are workers, all ask the queue every second
    run ! srv_until 3 started_one
    req GET "$off$JOB"
    expect 200 .state queued .attempts 0
    httpd_start
    succeeds 10 1
    [[ $(logged off DSAPI0006: | wc -l) == 0 ]]
}

started_one() {
    [[ $(requests) != 0 ]]
}
