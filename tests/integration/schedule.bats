#!/usr/bin/env bats
# status, body and output are set by req and configtest
# shellcheck disable=SC2030,SC2031,SC2154,SC2016
# DsapiSchedule: jobs by the clock, each tick once, whoever works and whatever
# is restarted meanwhile.

bats_require_minimum_version 1.5.0
load ../lib/testing

# conf_of SCHEDULES: a source with them
conf_of() {
    cat <<END
<DsapiService s /s>
    <DsapiSource data>
        DsapiParam  day  date required
        DsapiParam  name slug default=none
        DsapiFetch  "\${UPSTREAM}/data/{name}?day={day}"
        DsapiStore  "INSERT INTO stored SELECT :name WHERE :body IS NOT NULL"
        $1
    </DsapiSource>
    <DsapiRoute GET /status>
        DsapiParam name slug
        DsapiJob   data
    </DsapiRoute>
</DsapiService>
END
}

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "$(conf_of '')"
    sql 'CREATE TABLE stored (name text)'
    sql 'CREATE TABLE place (name text)'
}

setup() {
    dsapi_test_begin
    stub DELETE /_stub/answers >"$BATS_TEST_TMPDIR/stub"
    stub DELETE /_stub/log >"$BATS_TEST_TMPDIR/stub"
    stub POST /_stub/answers '{"times": 0, "path": "/data/", "status": 200,
        "body": "[1]", "headers": {"Content-Type": "application/json"}}' \
        >"$BATS_TEST_TMPDIR/stub"
    # one lock at a time: workers have some, too
    sql 'TRUNCATE dsapi.schedule'
    sql 'TRUNCATE place'
    sql 'TRUNCATE dsapi.job, stored'
}

teardown() {
    if [[ -e $DSAPI_DIR/second/ident ]]; then
        httpd_stop second
    fi
    httpd_config httpd "$(conf_of '')"
    httpd_restart_graceful
    dsapi_test_end
}

# schedule DIRECTIVES: from now on
schedule() {
    httpd_config httpd "$(conf_of "$1")"
    httpd_restart_graceful
}

is() {
    [[ $(sql "$2") == "$1" ]]
}

@test "a schedule runs at once, and then by its interval" {
    schedule 'DsapiSchedule "every 1s" day=today-1d name=a'
    wait_until 30 is t "SELECT count(*) >= 3 FROM dsapi.job
        WHERE state = 'succeeded'"
    # each second one, by PostgreSQL's clock: ticks between the first and now
    [[ $(sql "SELECT count(*) <= 1 + extract(epoch FROM
                  clock_timestamp() - min(queued_at)) FROM dsapi.job") == t ]]
    is t "SELECT bool_and(params = jsonb_build_object('name', 'a', 'day',
              (queued_at AT TIME ZONE 'UTC')::date - 1)) FROM dsapi.job"
    grep -F "DSAPI0039: schedule s/data: \"every 1s\" day=today-1d name=a:" \
        "$DSAPI_DIR/httpd/error.log"
    req GET '/s/status?name=a'
    expect 200 .name a
}

@test "two httpds share each tick" {
    local text='DsapiSchedule "every 1s" day=today each="SELECT name FROM place"'

    sql "INSERT INTO place VALUES ('a'), ('b')"
    httpd_up second "$(conf_of "$text")"
    schedule "$text"
    wait_until 30 is t "SELECT count(*) >= 8 FROM dsapi.job"
    # live jobs are not made twice, so that more would not be seen: the ticks
    is t "SELECT count(*) <= 2 * (2 + extract(epoch FROM
              max(queued_at) - min(queued_at))) FROM dsapi.job"
    is 1 'SELECT count(*) FROM dsapi.schedule'
}

@test "a row of each= makes a job; what it lacks comes from the arguments" {
    sql "INSERT INTO place VALUES ('a'), ('b'), ('a')"
    schedule 'DsapiSchedule "cron 0 0 1 1 *" tz=Europe/Madrid day=2024-02-29 each="SELECT name FROM place"'
    wait_until 20 is 1 'SELECT count(*) FROM dsapi.schedule'
    is t "SELECT next_at AT TIME ZONE 'Europe/Madrid' = date_trunc('year',
              now() AT TIME ZONE 'Europe/Madrid') + interval '1 year'
            FROM dsapi.schedule"
    is 0 'SELECT count(*) FROM dsapi.job'
    # as if the year had ended
    sql 'UPDATE dsapi.schedule SET next_at = now()'
    httpd_restart_graceful
    wait_until 20 is 'a,b' "SELECT string_agg(params->>'name', ','
            ORDER BY params->>'name')
        FROM dsapi.job WHERE state = 'succeeded'
         AND params->>'day' = '2024-02-29'"
}

@test "a tick that was missed runs once when httpd starts" {
    schedule 'DsapiSchedule "every 1d" day=today'
    wait_until 20 is 1 "SELECT count(*) FROM dsapi.job
        WHERE state = 'succeeded'"
    httpd_stop
    sql "UPDATE dsapi.schedule SET next_at = now() - interval '5 days'"
    httpd_start
    wait_until 20 is 2 "SELECT count(*) FROM dsapi.job
        WHERE state = 'succeeded'"
    is t 'SELECT next_at > now() FROM dsapi.schedule'
}

@test "an error of each= is logged once, and its tick is not lost" {
    claim_log 'DSAPI0040: schedule s/data: .*; it is tried again every minute'
    schedule 'DsapiSchedule "every 1h" day=today each="SELECT nome AS name FROM place"'
    wait_until 20 is t 'SELECT error IS NOT NULL FROM dsapi.schedule'
    is 0 'SELECT count(*) FROM dsapi.job'
    sql 'ALTER TABLE place ADD COLUMN nome text'
    sql "INSERT INTO place (nome) VALUES ('c')"
    # as if the minute were over
    sql 'UPDATE dsapi.schedule SET retry_at = now()'
    httpd_restart_graceful
    wait_until 20 is c "SELECT params->>'name' FROM dsapi.job"
    sql 'ALTER TABLE place DROP COLUMN nome'
    [[ $(grep -c 'DSAPI0040: ' "$DSAPI_DIR/httpd/error.log") == 1 ]]
}

@test "a long each= costs no job its lease" {
    stub DELETE /_stub/answers >"$BATS_TEST_TMPDIR/stub"
    stub POST /_stub/answers '{"times": 0, "path": "/data/", "hold": true,
        "status": 200, "body": "[1]", "headers":
        {"Content-Type": "application/json"}}' >"$BATS_TEST_TMPDIR/stub"
    sql "INSERT INTO dsapi.job (source, params, max_attempts) SELECT 's/data',
             json_build_object('day', '2024-01-01', 'name', 'n' || n), 5
           FROM generate_series(1, 8) AS n"
    sql "INSERT INTO place VALUES ('late')"
    schedule 'DsapiSchedule "every 1h" day=today each="SELECT name FROM place, pg_sleep(13)"'
    wait_until 40 is 1 "SELECT count(*) FROM dsapi.job
        WHERE params->>'name' = 'late'"
    is 0 "SELECT count(*) FROM dsapi.job WHERE attempts > 1"
    stub POST /_stub/release >"$BATS_TEST_TMPDIR/stub"
    stub DELETE /_stub/answers >"$BATS_TEST_TMPDIR/stub"
}
