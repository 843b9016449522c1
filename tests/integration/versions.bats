#!/usr/bin/env bats
# DsapiDependsOn: cached answers live until their data changes, in every child
# of every httpd, whoever changes it; and what is done while that can't be told.
# shellcheck disable=SC2154 # status: set by req

load ../lib/testing

TABLE='(SELECT coalesce(sum(n), 0) FROM t)'

setup_file() {
    local text

    export DSAPI_SERVICES=none
    text=$(configuration)
    dsapi_up "$text"
    sql "CREATE TABLE t (n int); CREATE TABLE other (n int);
        CREATE TRIGGER touch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
            ON t FOR EACH STATEMENT EXECUTE FUNCTION dsapi.touch_name('v/t')"
    sql "SELECT dsapi.touch('v/t'), dsapi.touch('v/data')"
    printf 'ann:%s\nbob:%s\n' "$(openssl passwd -apr1 a)" \
        "$(openssl passwd -apr1 b)" >"$DSAPI_DIR/httpd/users"
    chmod 644 "$DSAPI_DIR/httpd/users"
    mkdir "$DSAPI_DIR/second"
    cp "$DSAPI_DIR/httpd/users" "$DSAPI_DIR/second"
    # takes no jobs, and knows of changes all the same
    httpd_up second "DsapiWorker Off
$text"
    SECOND=http://127.0.0.1:$(<"$DSAPI_DIR/second/port")
    export SECOND
}

setup() {
    dsapi_test_begin
    sql 'TRUNCATE t'
    await_versions
}

configuration() {
    cat <<CONF
LoadModule auth_basic_module \${MODULES}/mod_auth_basic.so
LoadModule authn_file_module \${MODULES}/mod_authn_file.so
LoadModule authz_user_module \${MODULES}/mod_authz_user.so
LoadModule filter_module \${MODULES}/mod_filter.so
LoadModule deflate_module \${MODULES}/mod_deflate.so
DsapiDBWait 5s
<DsapiService v "/v">
    DsapiCache     1h stale=2h
    DsapiDependsOn v/t
    <DsapiSource data>
        DsapiParam key text required
        DsapiFetch "\${UPSTREAM}/x/{key}"
        DsapiStore "INSERT INTO other SELECT json_array_length(:body)"
    </DsapiSource>
    <DsapiRoute POST "/fetch/{key}">
        DsapiParam   key text
        DsapiEnqueue data
    </DsapiRoute>
    <DsapiRoute GET "/sum">
        DsapiDBTimeout 20s
        DsapiParam wait number default=0
        DsapiQuery "SELECT $TABLE AS sum, (random() * 1e9)::bigint AS made, pg_sleep(:wait) IS NULL AS slept"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/data">
        DsapiDependsOn data
        DsapiQuery "SELECT (SELECT sum(n) FROM other) AS sum, (random() * 1e9)::bigint AS made"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/never">
        DsapiCache 1s
        DsapiDependsOn v/never-touched
        DsapiQuery "SELECT (random() * 1e9)::bigint AS made"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/time">
        DsapiCache 1s stale=0s
        DsapiDependsOn Off
        DsapiQuery "SELECT (random() * 1e9)::bigint AS made"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/off">
        DsapiCache Off
        DsapiQuery "SELECT (random() * 1e9)::bigint AS made"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/brief">
        DsapiCache 1s
        DsapiQuery "SELECT $TABLE AS sum, (random() * 1e9)::bigint AS made"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/long">
        DsapiQuery "SELECT $TABLE AS sum, repeat('x', 5000) AS text"
    </DsapiRoute>
    <DsapiRoute GET "/who">
        DsapiQuery "SELECT (random() * 1e9)::bigint AS made"
        DsapiResult row
    </DsapiRoute>
</DsapiService>
<Location "/v/long">
    SetOutputFilter DEFLATE
</Location>
<Location "/v/who">
    AuthType Basic
    AuthName v
    AuthUserFile \${HTTPD_DIR}/users
    Require valid-user
</Location>
CONF
}

# warm PATH [CURL ARGUMENT...]: until each of the two children of both httpds
# has an answer of its own; prints what they were made with
warm() {
    local at path=$1

    shift
    for at in "$BASE" "$SECOND"; do
        : >"$BATS_TEST_TMPDIR/made"
        wait_until 30 two_made "$at$path" "$@" || return 1
        sort -u "$BATS_TEST_TMPDIR/made"
    done
}

two_made() {
    req GET "$@"
    json .made >>"$BATS_TEST_TMPDIR/made"
    [[ $(sort -u "$BATS_TEST_TMPDIR/made" | wc -l) == 2 ]]
}

# watchers [SINCE]: how many there are, of those that have begun since then
watchers() {
    sql "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()
         AND query LIKE '%FROM dsapi.versions(%'
         AND backend_start > '${1:--infinity}'"
}

# ---- what is seen ----

@test "a change by hand is seen in every child of every httpd" {
    local change want

    everywhere /v/sum .sum 0
    while read -r want change; do
        sql "$change"
        await_versions
        everywhere /v/sum .sum "$want"
    done <<'END'
3 INSERT INTO t VALUES (1), (2)
4 UPDATE t SET n = n + 1 WHERE n = 2
1 DELETE FROM t WHERE n = 3
0 TRUNCATE t
5 WITH x AS (INSERT INTO t VALUES (5) RETURNING n) SELECT n FROM x
END
}

@test "an answer outlives its max-age, and other names' changes" {
    local kept

    kept=$(warm /v/who -u ann:a && warm /v/brief)
    sql "SELECT dsapi.touch('v/data'), dsapi.touch('v/x'), dsapi.touch('t')"
    sql 'INSERT INTO other VALUES (1)'
    for ((i = 0; i < 3; i++)); do # a second or so each, and max-age is one
        await_versions
    done
    [[ $(warm /v/who -u ann:a && warm /v/brief) == "$kept" ]]
    req GET /v/brief
    # as old as its verification
    [[ $status == 200 && -z $(header Age) && -z $(header Cache-Status) ]]
}

@test "what is rolled back has not been" {
    local kept

    kept=$(warm /v/sum)
    sql 'BEGIN; INSERT INTO t VALUES (9); ROLLBACK'
    await_versions
    [[ $(warm /v/sum) == "$kept" ]]
}

@test "a job announces its source's data" {
    local before

    before=$(warm /v/data)
    stub POST /_stub/answers '{"path": "/x/", "body": "[1, 2, 3]",
        "headers": {"Content-Type": "application/json"}}' >/dev/null
    req POST /v/fetch/k
    expect 202
    wait_until 30 stored
    await_versions
    everywhere /v/data .sum "$(sql 'SELECT sum(n) FROM other')"
    [[ $(warm /v/data) != "$before" ]]
}

stored() {
    [[ $(sql "SELECT state FROM dsapi.job ORDER BY id DESC LIMIT 1") == \
        succeeded ]]
}

@test "a change that no notification tells of is seen all the same" {
    local silent

    everywhere /v/sum .sum 0
    # as behind a pooler, where no notification arrives
    silent="BEGIN; ALTER TABLE t DISABLE TRIGGER touch; INSERT INTO t VALUES (7);
        ALTER TABLE t ENABLE TRIGGER touch;
        INSERT INTO dsapi.data_version (name) VALUES ('v/t'); COMMIT"
    sql "$silent"
    await_versions
    everywhere /v/sum .sum 7
}

all_watch() {
    [[ $(watchers) == 4 ]]
}

# restart_watched NAME...: until the new children of these know the versions
restart_watched() {
    local since name

    since=$(sql 'SELECT clock_timestamp()')
    for name; do
        httpd_restart_graceful "$name"
    done
    wait_until 20 new_watch "$since" $(($# * 2))
    await_versions
}

# new_watch SINCE N: so many watch, and have begun since then
new_watch() {
    [[ $(watchers "$1") == "$2" ]]
}

@test "what every child knows of, no later answer lacks" {
    local floor="$BATS_TEST_TMPDIR/floor" i
    local -a readers=()

    sql 'INSERT INTO t VALUES (0)'
    echo 0 >"$floor"
    for i in 1 2 3; do
        read_on "$floor" "$BATS_TEST_TMPDIR/reader$i" &
        readers+=($!)
    done
    for ((i = 1; i <= 8; i++)); do
        sql "UPDATE t SET n = $i"
        await_versions
        echo "$i" >"$floor.new"
        mv "$floor.new" "$floor"
    done
    touch "$floor.end"
    for i in "${readers[@]}"; do
        wait "$i"
    done
    [[ $(cat "$BATS_TEST_TMPDIR"/reader? | sort -u | wc -l) -gt 4 ]]
}

# read_on FLOOR FILE: ask until FLOOR.end; never for less than FLOOR says
read_on() {
    local at floor sum n=0

    while [[ ! -e $1.end ]]; do
        for at in "$BASE" "$SECOND"; do
            floor=$(<"$1")
            sum=$(curl -s "$at/v/sum?wait=0.0$((n++ % 9))" | jq .sum)
            echo "$sum" >>"$2"
            if [[ $sum -lt $floor ]]; then
                echo "$sum, when $floor was known"
                return 1
            fi
        done
    done
}

# ---- how ----

@test "of many at once that need a new answer, one asks" {
    local i

    claim_log AH10159: # there are few threads
    claim_log AH00484:
    everywhere '/v/sum?wait=0.5' .sum 0
    sql 'INSERT INTO t VALUES (2)'
    await_versions
    for ((i = 0; i < 16; i++)); do
        curl -s "$BASE/v/sum?wait=0.5" -o "$BATS_TEST_TMPDIR/$i.json" &
    done
    wait
    [[ $(cat "$BATS_TEST_TMPDIR"/*.json | jq .sum | sort -u) == 2 ]]
    # one a child
    [[ $(cat "$BATS_TEST_TMPDIR"/*.json | jq .made | sort -u | wc -l) -le 2 ]]
}

@test "who asks after a change never gets an answer begun before it" {
    local i

    curl -s "$BASE/v/sum?wait=4" -o "$BATS_TEST_TMPDIR/first" &
    wait_until 10 sleeping
    sql 'INSERT INTO t VALUES (3)'
    await_versions
    for ((i = 0; i < 6; i++)); do
        curl -s "$BASE/v/sum?wait=4" -o "$BATS_TEST_TMPDIR/$i.json" &
    done
    wait
    [[ $(jq .sum "$BATS_TEST_TMPDIR/first") == 0 ]]
    [[ $(cat "$BATS_TEST_TMPDIR"/?.json | jq .sum | sort -u) == 3 ]]
    for ((i = 0; i < 6; i++)); do # and none is kept either
        req GET '/v/sum?wait=4'
        expect 200 .sum 3
    done
}

sleeping() {
    [[ $(sql "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") \
        -ge 1 ]]
}

@test "304 asks nobody, in a child that has no answer either" {
    local etag i

    req GET /v/sum
    etag=$(header ETag)
    [[ $etag =~ ^W/\"[0-9a-f]{32}\"$ ]]
    [[ $(header Cache-Control) == 'public, max-age=3600, stale-if-error=7200' ]]
    restart_watched httpd second
    # whoever asked would wait
    sql 'BEGIN; LOCK TABLE t; SELECT pg_sleep(20)' >/dev/null 2>&1 &
    wait_until 10 sleeping
    for ((i = 0; i < 12; i++)); do
        req GET /v/sum -H "If-None-Match: \"x\", $etag"
        [[ $status == 304 && $(header ETag) == "$etag" && ! -s $RES/body ]]
        [[ $(header Cache-Control) == public* ]]
        req GET "$SECOND/v/sum" -H "If-None-Match: $etag"
        [[ $status == 304 ]]
    done
    sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE wait_event = 'PgSleep'"
    wait
    req GET /v/sum -H 'If-None-Match: *'
    [[ $status == 304 ]]
    sql 'INSERT INTO t VALUES (1)'
    await_versions
    req GET /v/sum -H "If-None-Match: $etag"
    expect 200 .sum 1
    [[ $(header ETag) != "$etag" ]]
}

@test "another configuration, another validator" {
    local etag

    req GET /v/sum
    etag=$(header ETag)
    httpd_config second "$(configuration | sed 's/AS sum, (random/AS total, (random/')"
    restart_watched second
    req GET "$SECOND/v/sum" -H "If-None-Match: $etag"
    expect 200 .total 0
    httpd_config second "DsapiWorker Off
$(configuration)"
    restart_watched second
    req GET "$SECOND/v/sum" -H "If-None-Match: $etag"
    [[ $status == 304 ]]
}

@test "compressed, the validator holds" {
    local etag

    req GET /v/long -H 'Accept-Encoding: gzip'
    [[ $status == 200 && $(header Content-Encoding) == gzip ]]
    etag=$(header ETag)
    req GET "$SECOND/v/long" -H "If-None-Match: $etag" -H 'Accept-Encoding: gzip'
    [[ $status == 304 ]]
    req GET /v/long -H 'Accept: text/csv' -H "If-None-Match: $etag"
    [[ $status == 200 ]]
}

@test "each user has an answer and a validator" {
    local etag

    req GET /v/who -u ann:a
    etag=$(header ETag)
    [[ $(header Cache-Control) == private,* ]]
    req GET /v/who -u bob:b -H "If-None-Match: $etag"
    [[ $status == 200 && $(header ETag) != "$etag" ]]
    req GET /v/who -u ann:a -H "If-None-Match: $etag"
    [[ $status == 304 ]]
    req GET /v/who
    expect_problem 401 unauthorized
}

@test "without versions there is the time" {
    local path first

    for path in /v/never /v/time; do
        req GET "$path"
        first=$(json .made)
        [[ $(header ETag) == \"* ]]
        renewed() {
            req GET "$path"
            [[ $status == 200 && $(json .made) != "$first" ]]
        }
        wait_until 10 renewed
    done
    [[ $(header Cache-Control) == 'public, max-age=1' ]]
    req GET /v/off
    [[ $status == 200 && -z $(header ETag) && -z $(header Cache-Control) ]]
}

@test "a virtual host with a database of its own has the time" {
    local other

    httpd_up third "$(configuration)
<VirtualHost *>
    DBDriver pgsql
    DBDParams \"\${CONNINFO} options=-cwork_mem=8MB\"
</VirtualHost>"
    other=http://127.0.0.1:$(<"$DSAPI_DIR/third/port")
    await_versions
    req GET "$other/v/sum"
    [[ $status == 200 && $(header ETag) == \"* ]]
    httpd_stop third
}

# ---- while it can't be told ----

@test "what can't be verified says so, and is not kept beyond its time" {
    claim_log 'DSAPI0037'
    claim_log 'DSAPI0036'
    everywhere /v/brief .sum 0
    sql 'ALTER FUNCTION dsapi.versions RENAME TO hidden'
    unverified() {
        req GET /v/brief
        [[ $(header Cache-Status) == 'mod_dsapi; hit; ttl='* ]]
    }
    wait_until 20 unverified
    [[ $(header Age) =~ ^[0-9]+$ ]]
    sql 'INSERT INTO t VALUES (4)'
    fresh() {
        everywhere /v/brief .sum 4
    }
    wait_until 20 fresh
    sql 'ALTER FUNCTION dsapi.hidden RENAME TO versions'
    await_versions
    everywhere /v/sum .sum 4
}

@test "the watchers' connections are cut, and made again" {
    claim_log 'DSAPI0036'
    everywhere /v/sum .sum 0
    sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE query LIKE '%FROM dsapi.versions(%' AND pid <> pg_backend_pid()"
    sql 'INSERT INTO t VALUES (6)'
    wait_until 20 all_watch
    await_versions
    everywhere /v/sum .sum 6
}

@test "the database restarts: an old answer meanwhile, a new one after" {
    claim_log 'DSAPI0003: database-unavailable'
    claim_log 'DSAPI00(05|36)'
    claim_log '(AH00(629|632|633|636|639)|AH02655)'
    everywhere /v/brief .sum 0
    pg_stop
    aged() {
        req GET /v/brief
        [[ $status == 200 && $(json .sum) == 0 &&
            $(header Cache-Status) == 'mod_dsapi; hit; ttl=-'* ]]
    }
    wait_until 20 aged
    pg_start
    sql 'INSERT INTO t VALUES (8)'
    wait_until 20 all_watch
    await_versions
    everywhere /v/brief .sum 8
    req GET /v/brief
    [[ -z $(header Cache-Status) ]]
}
