#!/usr/bin/env bats
# status, body and output are set by req and configtest
# shellcheck disable=SC2030,SC2031,SC2154
# What goes into the queue and what is kept of it: bounds, fresh data, many
# jobs at once, and the table's health.

bats_require_minimum_version 1.5.0
load ../lib/testing

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "
    <DsapiService q /q>
        $(source_of data '')
        $(source_of fresh 'DsapiFreshFor 1h')
        $(source_of full 'DsapiQueueMax 3')
        $(source_of narrow 'DsapiUpstreamLimit concurrency=2')
        $(source_of slow 'DsapiUpstreamLimit 5/s concurrency=9')
        <DsapiRoute POST /odd/{name}>
            DsapiParam name slug
            DsapiEnqueue data
        </DsapiRoute>
    </DsapiService>"
    sql 'CREATE TABLE stored (source text, name text)'
}

# source_of NAME DIRECTIVES: a source with routes that enqueue one, and several
source_of() {
    cat <<END
<DsapiSource $1>
    DsapiParam name slug required pattern=^[a-z]
    DsapiParam depth int default=1
    DsapiFetch "\${UPSTREAM}/$1/{name}"
    DsapiStore "INSERT INTO stored SELECT '$1', :name WHERE :body IS NOT NULL"
    DsapiRetry 5 first=100ms max=200ms
    $2
</DsapiSource>
<DsapiRoute GET /$1/{name}>
    DsapiParam name slug
    DsapiEnqueue $1
</DsapiRoute>
<DsapiRoute POST /$1/{name}>
    DsapiParam name slug
    DsapiEnqueue $1
</DsapiRoute>
<DsapiRoute POST /$1>
    DsapiParam names slug[] in=body body=whole required
    DsapiEnqueue $1 name=:names
</DsapiRoute>
<DsapiRoute GET /$1>
    DsapiParam names slug[] required
    DsapiParam depth int
    DsapiEnqueue $1 name=:names
</DsapiRoute>
<DsapiRoute GET /$1/{name}/status>
    DsapiParam name slug
    DsapiJob $1
</DsapiRoute>
END
}

setup() {
    dsapi_test_begin
    stub DELETE /_stub/answers >"$BATS_TEST_TMPDIR/stub"
    stub DELETE /_stub/log >"$BATS_TEST_TMPDIR/stub"
    # one lock at a time: workers have some, too
    sql 'TRUNCATE dsapi.upstream'
    sql 'TRUNCATE dsapi.purged'
    sql 'TRUNCATE dsapi.job, stored'
    answer 0
}

# answer TIMES [MORE]: what the stand-in answers; 0: always
answer() {
    stub POST /_stub/answers "{\"times\": $1, \"path\": \"/\",
        \"status\": 200, \"body\": \"[1]\", \"headers\":
        {\"Content-Type\": \"application/json\"}${2:-}}" \
        >"$BATS_TEST_TMPDIR/stub"
}

hold() {
    stub DELETE /_stub/answers >"$BATS_TEST_TMPDIR/stub"
    answer 0 ', "hold": true'
}

# release N: once so many requests are held
release() {
    wait_until 10 is_held "$1"
    stub DELETE /_stub/answers >"$BATS_TEST_TMPDIR/stub"
    answer 0
    stub POST /_stub/release >"$BATS_TEST_TMPDIR/stub"
}

is_held() {
    [[ $(stub GET /_stub/health | jq .held) == "$1" ]]
}

post() {
    req POST "$1" -H 'Content-Type: application/json' --data-binary "$2"
}

jobs() {
    sql "SELECT count(*) FROM dsapi.job WHERE $1"
}

has_jobs() {
    [[ $(jobs "$2") == "$1" ]]
}

# ---- bounds ----

@test "beyond DsapiQueueMax it is 503, and what is there is still answered" {
    claim_log 'DSAPI0003: queue-full: '
    # due tomorrow, so that they wait
    sql "INSERT INTO dsapi.job (source, params, max_attempts, run_at)
         SELECT 'q/full', json_build_object('name', n, 'depth', 1), 5,
                now() + interval '1 day'
           FROM unnest(ARRAY['a', 'b', 'c']) AS n"
    req POST /q/full/d
    expect_problem 503 queue-full
    [[ $(header Retry-After) -ge 1 ]]
    [[ $(header Cache-Control) == no-store ]]
    # one of them
    req POST /q/full/b
    expect 202 .state queued .name b
    [[ $(header Location) == /q/full/b/status ]]
    [[ $(header Cache-Control) == no-store ]]
    # other sources have a queue of their own
    req POST /q/data/d
    expect 202
    # running ones do not wait
    sql "UPDATE dsapi.job SET run_at = now() WHERE params->>'name' = 'a'"
    wait_until 10 has_jobs 1 "source = 'q/full' AND state = 'succeeded'"
    req POST /q/full/d
    expect 202 .name d
}

@test "the bound counts every job of a list, and then none is there" {
    claim_log 'DSAPI0003: queue-full: '
    hold
    sql "INSERT INTO dsapi.job (source, params, max_attempts, run_at)
         VALUES ('q/full', '{\"name\": \"a\", \"depth\": 1}', 5,
                 now() + interval '1 day')"
    post /q/full '["a", "b", "c", "d"]'
    expect_problem 503 queue-full
    has_jobs 1 true
    post /q/full '["a", "b", "c"]'
    expect 202 'map(.name) | join(",")' a,b,c
    release 2
}

# ---- fresh data ----

@test "a GET answers fresh data's job with 200; POST always enqueues" {
    req GET /q/fresh/a
    expect 202 .name a
    [[ $(header Location) == /q/fresh/a/status ]]
    wait_until 10 has_jobs 1 "state = 'succeeded'"
    req GET /q/fresh/a
    expect 200 .state succeeded .name a .depth 1
    [[ $(header Cache-Control) == no-store ]]
    req GET /q/fresh/b
    expect 202 .name b
    req POST /q/fresh/a
    expect 202 .name a
    wait_until 10 has_jobs 3 "state = 'succeeded'"
    # it is no longer fresh
    sql "UPDATE dsapi.job SET finished_at = now() - interval '61 min'"
    req GET /q/fresh/a
    expect 202
    wait_until 10 has_jobs 4 "state = 'succeeded'"
}

@test "data stays fresh when a later fetch fails" {
    sql "INSERT INTO dsapi.job (source, params, max_attempts, state,
                                finished_at)
         SELECT 'q/fresh', '{\"name\": \"a\", \"depth\": 1}', 5, s, now()
           FROM unnest(ARRAY['succeeded', 'failed']) AS s"
    req GET /q/fresh/a
    expect 200 .state succeeded
    req GET /q/data/a
    expect 202
}

# ---- lists ----

@test "a list of names makes one job each" {
    hold
    post /q/data '["France", "new-zealand", "france", "c"]'
    expect 202 'map(.name) | join(",")' france,new-zealand,c \
        'map(.state) | unique | join(",")' queued
    [[ $(header Cache-Control) == no-store ]]
    run ! header Location
    has_jobs 3 true
    # the live ones are the answer
    req GET '/q/data?names=c,x,france'
    expect 202 'map(.name) | join(",")' c,x,france length 3
    has_jobs 4 true
    release 4
    wait_until 20 has_jobs 4 "state = 'succeeded' AND attempts = 1"
    [[ $(sql 'SELECT count(DISTINCT name) FROM stored') == 4 ]]
    post /q/data '[]'
    expect 202 length 0
}

@test "a list is all or nothing" {
    post /q/data '["a", "b", "-"]'
    expect_problem 400 invalid-parameter names
    # what only the source knows of it
    post /q/data '["a", "b", "9"]'
    expect_problem 400 invalid-parameter name
    [[ $(json .detail) == 'item 3: '* ]]
    post /q/data '{"names": ["a"]}'
    expect_problem 400 invalid-parameter
    post /q/data "$(jq -nc '[range(1001) | "a\(.)"]')"
    expect_problem 400 invalid-parameter names
    [[ $(json .detail) == *'not have more than 1000 items'* ]]
    has_jobs 0 true
}

@test "a list asked for by GET is 200 once all of it is fresh" {
    req GET '/q/fresh?names=a,b'
    expect 202 length 2
    wait_until 10 has_jobs 2 "state = 'succeeded'"
    req GET '/q/fresh?names=a,b,a'
    expect 200 length 2 'map(.state) | unique | join(",")' succeeded
    req GET '/q/fresh?names=a,c'
    expect 202 '.[0].state' succeeded '.[1].name' c
    req GET '/q/fresh?names=a&depth=2'
    expect 202 '.[0].depth' 2
}

# ---- the upstream's limits ----

@test "DsapiUpstreamLimit: so many at once, and the others wait uncounted" {
    hold
    post /q/narrow '["a", "b", "c", "d", "e"]'
    expect 202
    wait_until 10 is_held 2
    # another source is not held up
    post /q/data '["a", "b"]'
    wait_until 10 is_held 4
    has_jobs 3 "source = 'q/narrow' AND state = 'queued' AND attempts = 0"
    release 4
    wait_until 20 has_jobs 5 "source = 'q/narrow' AND state = 'succeeded'
        AND attempts = 1"
    # of those that run when one is started, itself included
    [[ $(sql "SELECT max(n) FROM (
          SELECT count(*) AS n FROM dsapi.job a JOIN dsapi.job b
              ON b.started_at BETWEEN a.started_at AND a.finished_at
           WHERE a.source = 'q/narrow' AND b.source = 'q/narrow'
           GROUP BY b.id) AS running") == 2 ]]
}

@test "DsapiUpstreamLimit: a rate that all children share" {
    post /q/slow "$(jq -nc '[range(12) | "a\(.)"]')"
    expect 202
    wait_until 30 has_jobs 12 "state = 'succeeded' AND attempts = 1"
    # never more than five, and one that was left of the last tenth, a second
    [[ $(sql "SELECT count(*) FROM (
          SELECT started_at - lag(started_at, 6) OVER (ORDER BY started_at)
                 AS t FROM dsapi.job) AS spans
           WHERE t < interval '900 ms'") == 0 ]]
}

# ---- the table's health ----

@test "what has been kept for DsapiJobKeep is removed, but for the newest" {
    sql "INSERT INTO dsapi.job (source, params, max_attempts, state,
                                finished_at)
         SELECT 'q/data', json_build_object('name', 'a', 'depth', n / 1500), 5,
                'succeeded', now() - interval '8 days'
           FROM generate_series(0, 2999) AS n"
    httpd_restart_graceful
    wait_until 20 has_jobs 2 true
    req GET /q/data/a/status
    expect 200 .state succeeded .depth 1
}

@test "where its tables are missing the log says so, and then they are there" {
    local told='DSAPI0077: worker: no jobs are taken; has core/schema\.sql been applied\? SQLSTATE 3F000'

    claim_log "$told"
    claim_log 'DSAPI003[67]: data versions are not known'
    sql 'ALTER SCHEMA dsapi RENAME TO hidden'
    wait_until 20 grep -qE "$told" "$DSAPI_DIR/httpd/error.log"
    sql 'ALTER SCHEMA hidden RENAME TO dsapi'
    post /q/data '["a"]'
    expect 202
    wait_until 20 has_jobs 1 "state = 'succeeded'"
}

@test "no statement of the queue reads the whole table" {
    local statement n

    # a large one in small: what is read must not grow with it
    sql "INSERT INTO dsapi.job (source, params, max_attempts, state,
                                finished_at)
         SELECT 'q/data', json_build_object('name', n), 5, 'succeeded',
                now() - interval '1 day' * (n % 10)
           FROM generate_series(1, 20000) AS n"
    sql "INSERT INTO dsapi.job (source, params, max_attempts, run_at)
         SELECT CASE n % 2 WHEN 0 THEN 'x/held' ELSE 'x/foreign' END,
                json_build_object('n', n), 5, now() - interval '1 day'
           FROM generate_series(1, 10000) AS n"
    sql "INSERT INTO dsapi.job (source, params, max_attempts)
         SELECT 'x/due', json_build_object('n', n), 5
           FROM generate_series(1, 20) AS n"
    sql "INSERT INTO dsapi.upstream VALUES ('x/held', now() + interval '1 day')
             ON CONFLICT (source) DO UPDATE SET next_at = excluded.next_at"
    sql 'VACUUM ANALYZE dsapi.job'
    while read -r statement; do
        n=$(buffers "$statement")
        [[ $n -gt 0 && $n -lt 1500 ]] || {
            echo "$n buffers: $statement"
            return 1
        }
    done <<'END'
SELECT * FROM dsapi.claim('{x/held,x/due,x/none}', '{10s,NULL,NULL}', NULL, 4, '10s')
SELECT dsapi.due_in('{x/held,x/due,x/none}')
SELECT dsapi.reap()
SELECT dsapi.purge('{q/data}', '{7d}', 10)
SELECT * FROM dsapi.job WHERE source = 'q/data' AND params @> '{"name": 77}' ORDER BY id DESC LIMIT 1
SELECT * FROM dsapi.enqueue_all('x/held', '{"{\"n\": 2}"}', 5, NULL, 100, '1 day')
END
    # which is more than that
    [[ $(sql "SELECT pg_relation_size('dsapi.job') / 8192") -gt 600 ]]
}

# buffers STATEMENT: how many it touches, once planned
buffers() {
    sql "BEGIN; EXPLAIN (ANALYZE, BUFFERS, FORMAT json) $1; ROLLBACK" |
        jq '.[0].Plan | .["Shared Hit Blocks"] + .["Shared Read Blocks"]'
}
