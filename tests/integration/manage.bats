#!/usr/bin/env bats
# status, body and output are set by req and configtest
# shellcheck disable=SC2030,SC2031,SC2154,SC2016
# SetHandler dsapi-jobs: the queue over HTTP, and who may write.

bats_require_minimum_version 1.5.0
load ../lib/testing

SECRET=not-for-anybodys-eyes

setup_file() {
    export DSAPI_SERVICES=none
    export "DSAPI_TEST_TOKEN=$SECRET"
    dsapi_up '
    DsapiWorker Off
    <DsapiService m "/m">
        <DsapiSource a>
            DsapiParam  n int required
            DsapiFetch  "${UPSTREAM}/{n}"
            DsapiStore  "SELECT :body"
            DsapiHeader "Authorization: Bearer %{DSAPI_TEST_TOKEN}"
        </DsapiSource>
        <DsapiRoute POST "/a/{n}">
            DsapiParam   n int
            DsapiEnqueue a
        </DsapiRoute>
    </DsapiService>
    ServerName jobs.example.org
    <Location "/ops/jobs">
        SetHandler dsapi-jobs
    </Location>
    <Location "/locked/jobs">
        SetHandler dsapi-jobs
        Require all denied
    </Location>'
}

J=/ops/jobs

setup() {
    dsapi_test_begin
    sql 'TRUNCATE dsapi.job RESTART IDENTITY'
}

# job SOURCE N STATE: one more
job() {
    sql "INSERT INTO dsapi.job (source, params, max_attempts, attempts, state,
                                error, finished_at, lease_token, lease_until)
         SELECT '$1', '{\"n\": $2}', 5, 5, '$3',
                CASE '$3' WHEN 'failed' THEN 'no' END,
                CASE WHEN '$3' IN ('failed', 'succeeded') THEN now() END,
                CASE '$3' WHEN 'running' THEN gen_random_uuid() END,
                CASE '$3' WHEN 'running' THEN now() END"
}

ids() {
    json 'map(.id) | join(",")'
}

next_page() {
    header Link | sed -nE 's/^<([^>]*)>; rel="next"$/\1/p'
}

@test "the list: newest first, by state and source, page by page" {
    local i

    req GET $J
    expect 200 length 0
    for i in 1 2 3 4 5 6; do
        job m/a "$i" "$([[ $i == [24] ]] && echo failed || echo succeeded)"
    done
    job m/b 1 failed
    req GET $J
    expect 200 length 7 '.[0].id' 7 '.[0].source' m/b '.[0].params.n' 1 \
        '.[0].state' failed '.[0].error' no '.[0].attempts' 5 \
        '.[0] | has("lease_token")' false
    [[ $(header Cache-Control) == no-store ]]
    [[ $(header Content-Type) == 'application/json; charset=utf-8' ]]
    header X-Request-Id
    run ! header Link
    req GET "$J?state=failed"
    [[ $(ids) == 7,4,2 ]]
    req GET "$J?state=failed&source=m/a"
    [[ $(ids) == 4,2 ]]
    req GET "$J?source=m/a&limit=4"
    [[ $(ids) == 6,5,4,3 ]]
    req GET "$(next_page)"
    [[ $(ids) == 2,1 ]]
    run ! header Link
    req HEAD "$J?limit=3"
    expect 200
    [[ $(next_page) == "$J?limit=3&after=5" ]]
}

@test "what is no question of the list is 400" {
    req GET "$J?state=lost"
    expect_problem 400 invalid-parameter state
    req GET "$J?limit=501"
    expect_problem 400 invalid-parameter limit
    req GET "$J?after=x"
    expect_problem 400 invalid-parameter after
    req GET "$J?who=me"
    expect_problem 400 invalid-parameter who
    req GET "$J/1?who=me"
    expect_problem 400 invalid-parameter who
}

@test "one job in full, and no secret of it" {
    req POST /m/a/7 -H 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    expect 202
    req GET $J/1
    expect 200 .id 1 .params.n 7 .state queued .source m/a
    [[ $(json .trace) == 00-4bf92f3577b34da6a3ce929d0e0e4736-* ]]
    [[ $body != *"$SECRET"* && $body != *lease_token* ]]
    req GET $J/2
    expect_problem 404 not-found
    req GET $J/99999999999999999999
    [[ $status == 4* ]]
}

@test "the last five errors are kept, with their times" {
    local i

    req POST /m/a/7
    sql 'UPDATE dsapi.job SET max_attempts = 7'
    for i in 1 2 3 4 5 6 7; do
        sql "SELECT dsapi.fail(id, lease_token, 'no $i', '0')
               FROM dsapi.claim('{m/a}', 1, '1 min')" >/dev/null
    done
    req GET $J/1
    expect 200 .state failed .error 'no 7' \
        '.errors | map(.attempt) | join(",")' 3,4,5,6,7 \
        '.errors[0].error' 'no 3' \
        '.errors | all(.at | test("^20.*[+]00:00$"))' true
}

@test "a failed job is tried again, and nothing else is" {
    job m/a 1 failed
    job m/a 2 succeeded
    job m/a 3 failed
    job m/a 3 queued
    job m/a 4 running
    req POST $J/1/retry
    expect 202 .id 1 .state queued .attempts 0
    [[ $(header Location) == $J/1 ]]
    [[ $(header Cache-Control) == no-store ]]
    [[ $(sql 'SELECT state, attempts, finished_at IS NULL FROM dsapi.job
               WHERE id = 1') == 'queued|0|t' ]]
    [[ $(grep -c 'DSAPI0038: POST /ops/jobs/1/retry by -' \
        "$DSAPI_DIR/httpd/error.log") == 1 ]]
    req POST $J/1/retry
    expect_problem 409 conflict
    req POST $J/2/retry
    expect_problem 409 conflict
    req POST $J/3/retry
    expect_problem 409 conflict
    [[ $(json .detail) == 'an equal job is queued or running' ]]
    req POST $J/5/retry
    expect_problem 409 conflict
    req POST $J/6/retry
    expect_problem 404 not-found
    [[ $(sql "SELECT string_agg(state, ',' ORDER BY id) FROM dsapi.job") == \
        queued,succeeded,failed,queued,running ]]
}

@test "all failed jobs of a source, as far as none is newer" {
    job m/a 1 failed
    job m/a 1 failed
    job m/a 2 failed
    job m/a 2 succeeded
    job m/a 3 failed
    job m/b 3 failed
    req POST $J/retry
    expect_problem 400 invalid-parameter source
    # a slip of the pen re-drives nothing
    req POST $J/1x/retry
    expect_problem 400 invalid-parameter source
    req POST "$J/retry?source=m/a"
    expect 200 .retried 2
    [[ $(sql "SELECT string_agg(id::text, ',' ORDER BY id) FROM dsapi.job
               WHERE state = 'queued'") == 2,5 ]]
}

@test "a job that does not run is removed" {
    job m/a 1 failed
    job m/a 2 queued
    job m/a 3 running
    req DELETE $J/1
    expect 204
    req DELETE $J/2
    expect 204
    req DELETE $J/3
    expect_problem 409 conflict
    req DELETE $J/1
    expect_problem 404 not-found
    [[ $(sql 'SELECT string_agg(id::text, $$,$$) FROM dsapi.job') == 3 ]]
}

@test "methods, and httpd's own access control" {
    claim_log 'AH01630: client denied by server configuration: .*/locked'
    job m/a 1 failed
    req DELETE $J
    expect_problem 405 method-not-allowed
    [[ $(header Allow) == 'GET, HEAD, OPTIONS' ]]
    req POST $J/1
    expect_problem 405 method-not-allowed
    [[ $(header Allow) == 'GET, HEAD, DELETE, OPTIONS' ]]
    req GET $J/1/retry
    expect_problem 405 method-not-allowed
    [[ $(header Allow) == 'POST, OPTIONS' ]]
    req OPTIONS $J/1/retry
    expect 204
    [[ $(header Allow) == 'POST, OPTIONS' ]]
    req GET /locked/jobs
    [[ $status == 403 ]]
    req POST /locked/jobs/1/retry
    [[ $status == 403 ]]
}

@test "a write comes from this server's own pages or from no page" {
    local how

    job m/a 1 failed
    while read -r how; do
        # shellcheck disable=SC2086 # words
        req POST $J/1/retry $how
        expect_problem 403 "$([[ $how == *Host:* ]] &&
            echo wrong-host || echo cross-site)"
    done <<END
-H Origin:http://evil.example
-H Origin:null
-H Origin:http://127.0.0.1:1
-H Origin:https://127.0.0.1:$PORT
-H Sec-Fetch-Site:cross-site
-H Sec-Fetch-Site:same-site
-H Host:evil.example:$PORT -H Origin:http://evil.example:$PORT
-H Host:127.0.0.1.evil.example
END
    req DELETE $J/1 -H 'Origin: http://evil.example'
    expect_problem 403 cross-site
    req POST $J/1/retry -d 'a=b'
    expect_problem 415 unsupported-type
    req POST $J/1/retry -H 'Content-Type: text/plain' -d '{}'
    expect_problem 415 unsupported-type
    req POST $J/1/retry -H 'Content-Type: application/json' -d '{"a": 1}'
    expect_problem 400 invalid-parameter
    req POST $J/1/retry -H 'Content-Type: application/json' -d '{'
    expect_problem 400 invalid-json
    [[ $(sql 'SELECT state FROM dsapi.job') == failed ]]
    req POST $J/1/retry -H 'Content-Type: application/json' -d '{}' \
        -H "Origin: http://127.0.0.1:$PORT" -H 'Sec-Fetch-Site: same-origin'
    expect 202
    req DELETE $J/1 -H 'Host: jobs.example.org' \
        -H 'Origin: http://jobs.example.org'
    expect 204
}

@test "without the database it is 503" {
    claim_log 'DSAPI0003: database-unavailable: '
    claim_log "AH00629: Can't connect to pgsql: "
    claim_log 'AH00633: failed to initialise'
    claim_log 'AH00639: DBD \[pgsql\] Error: '
    claim_log 'AH02655: Failed to acquire DBD connection from pool!'
    pg_stop
    req GET $J
    expect_problem 503 database-unavailable
    [[ $(header Retry-After) -ge 1 ]]
    pg_start
}
