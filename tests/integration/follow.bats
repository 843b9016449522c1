# DsapiFollow: an upstream that answers in pages; DsapiResolve: parameters that
# the database knows.
# shellcheck disable=SC2030,SC2031,SC2154 # status, body: set by req
# shellcheck disable=SC2016 # the dollars of configuration and jq

bats_require_minimum_version 1.5.0
load ../lib/testing

export DSAPI_SERVICES=none

setup_file() {
    export SESAME=open-sesame
    dsapi_up
    # elsewhere a crash may lose what was committed last
    sql_super 'ALTER SYSTEM SET synchronous_commit = on'
    sql_super 'SELECT pg_reload_conf()' >"$DSAPI_DIR/reloaded"
    sql 'CREATE TABLE kept (source text, key text, body json)'
    sql 'CREATE TABLE place (slug text, id integer, area numeric, open boolean)'
    sql "INSERT INTO place VALUES ('lima', 7, 12.50, true), ('lost', 8, NULL,
        NULL), ('twin', 1, 1, true), ('twin', 2, 2, true)"
    httpd_config httpd "$(services)"
    httpd_restart_graceful
}

# source_of NAME DIRECTIVES: a source of one parameter, key, and its routes
source_of() {
    cat <<END
    <DsapiSource $1>
        DsapiParam key text required
        DsapiRetry 3 first=50ms max=50ms
        $2
    </DsapiSource>
    <DsapiRoute POST "/$1/{key}">
        DsapiParam   key text
        DsapiEnqueue $1
    </DsapiRoute>
    <DsapiRoute GET "/$1/{key}">
        DsapiParam key text
        DsapiJob   $1
    </DsapiRoute>
END
}

services() {
    local keep='DsapiStore "INSERT INTO kept VALUES ('\'paged\'', :key, :body)"
        DsapiStore "SELECT json_array_length(:body->'\'items\'') AS stored, :key AS key"
        DsapiStore "SELECT pg_advisory_xact_lock_shared(2)"
        DsapiStore "SELECT json_array_length(:body->'\'items\'') AS stored, :key AS key"'
    local find='DsapiResolve "SELECT id, area, open AS \"isOpen\", slug FROM place WHERE slug = :key"'

    cat <<END
<DsapiService f "/f">
    $(source_of link "DsapiFetch \"\${UPSTREAM}/x/{key}\"
        DsapiHeader \"Authorization: Bearer %{SESAME}\"
        DsapiFollow link max=4
        $keep")
    $(source_of point "DsapiFetch \"\${UPSTREAM}/x/{key}\"
        DsapiExpect pointer=/data pointer=
        DsapiFollow /next
        $keep")
    $(source_of both "DsapiFetch \"\${UPSTREAM}/x/{key}\"
        DsapiHeader \"Authorization: Bearer %{SESAME}\"
        DsapiAllowHost localhost
        DsapiFollow link
        $keep")
    $(source_of small "DsapiFetch \"\${UPSTREAM}/x/{key}\"
        DsapiMaxBody 1K
        DsapiFollow link
        $keep")
    $(source_of slow "DsapiFetch \"\${UPSTREAM}/x/{key}\"
        DsapiUpstreamLimit 60/min
        DsapiFollow link
        $keep")
    $(source_of place "$find
        DsapiFetch \"\${UPSTREAM}/x/{id}?open={isOpen}&area={area}\"
        DsapiStore \"INSERT INTO kept SELECT 'place', :key, json_build_object('id', :id + 1, 'area', :area, 'open', NOT :isOpen, 'body', :body)\"")
    $(source_of part "$find
        DsapiFetch POST \"\${UPSTREAM}/x/{id}\"
        DsapiFetchBody '{\"a\": [\":area\", \":isOpen\", \":key\"]}'
        DsapiStore \"INSERT INTO kept SELECT 'part', :key, to_json(:area)\"")
    $(source_of wrong "$find
        DsapiFetch \"\${UPSTREAM}/x/{ident}\"
        DsapiStore \"SELECT :body\"")
    $(source_of refused 'DsapiResolve "SELECT refuse(:key) AS id"
        DsapiFetch "${UPSTREAM}/x/{id}"
        DsapiStore "INSERT INTO kept SELECT '\'refused\'', :key, :body"')
    $(source_of held 'DsapiResolve "SELECT 7 AS id, pg_advisory_xact_lock_shared(3)"
        DsapiFetch "${UPSTREAM}/x/{id}"
        DsapiStore "INSERT INTO kept SELECT '\'held\'', :key, :body"')
</DsapiService>
END
}

setup() {
    dsapi_test_begin
    stub DELETE /_stub/answers >"$BATS_TEST_TMPDIR/stub"
    stub DELETE /_stub/log >"$BATS_TEST_TMPDIR/stub"
    # one lock at a time: workers have some, too
    sql 'TRUNCATE dsapi.validator'
    sql 'TRUNCATE dsapi.upstream'
    sql 'TRUNCATE dsapi.job, kept'
}

teardown() {
    open_gate
    dsapi_test_end
}

# answer PATH MEMBERS: the stand-in's next answer to that path has them
answer() {
    stub POST /_stub/answers "{\"path\": \"$1\", $2}" >"$BATS_TEST_TMPDIR/stub"
}

# page PATH NEXT [MEMBERS]: a page of two items, and its Link
page() {
    local link=''

    [[ -z $2 ]] || link=", \"Link\": \"</first>; rel=first, <$2>; rel=\\\"next\\\"\""
    answer "$1" "\"headers\": {\"Content-Type\": \"application/json\"$link},
        \"body\": \"{\\\"items\\\": [\\\"$1\\\", 2]}\"${3:+, $3}"
}

# pages: /x/a and two more
pages() {
    page /x/a '?p=2'
    page /x/a?p=2 /y/3
    page /y/3 ''
}

# ends URL STATE [FILTER VALUE]...: the job that is asked for there
ends() {
    local url=$1 state=$2

    shift 2
    req POST "$url"
    expect 202
    wait_until 30 ended "$url"
    expect 200 .state "$state" "$@"
}

ended() {
    req GET "$1"
    [[ $status == 200 && $body =~ '"state":"'(succeeded|failed)'"' ]]
}

# log FILTER: of the requests that the stand-in has had
log() {
    stub GET /_stub/log | jq -r "$1"
}

asked() {
    log 'map(.target) | join(" ")'
}

stored() {
    sql "SELECT string_agg(body->'items'->>0, ' ' ORDER BY ctid) FROM kept"
}

all_stored() {
    [[ $(stored) == "$1" ]] || {
        stored
        return 1
    }
}

# ---- gates: a session holds a lock ----

close_gate() {
    rm -f "$BATS_TEST_TMPDIR/gate"
    mkfifo "$BATS_TEST_TMPDIR/gate"
    srv_psql "$DSAPI_DIR/pg" <"$BATS_TEST_TMPDIR/gate" \
        >"$BATS_TEST_TMPDIR/gate.out" 2>&1 3>&- &
    gate=$!
    exec 7>"$BATS_TEST_TMPDIR/gate"
    echo "BEGIN; SELECT pg_advisory_xact_lock($1); SELECT 'closed';" >&7
    wait_until 20 grep -q closed "$BATS_TEST_TMPDIR/gate.out"
}

open_gate() {
    [[ -n ${gate:-} ]] || return 0
    exec 7>&-
    wait "$gate" || true
    gate=''
}

waits() {
    [[ $(sql "SELECT count(*) FROM pg_locks
        WHERE NOT granted AND locktype = 'advisory'") == 1 ]]
}

is_held() {
    [[ $(stub GET /_stub/health | jq .held) == 1 ]]
}

release() {
    stub POST /_stub/release >"$BATS_TEST_TMPDIR/stub"
}

# job COLUMNS: of the newest
job() {
    sql "SELECT $1 FROM dsapi.job ORDER BY id DESC LIMIT 1"
}

job_is() {
    [[ $(job "$1") == "$2" ]]
}

kill_children() {
    local pid

    claim_log 'AH00052: child pid [0-9]+ exit signal Killed \(9\)'
    for pid in $(ps -o pid= --ppid "$(httpd_pid httpd)"); do
        kill -KILL "$pid"
    done
}

# ---- pages ----

@test "pages are followed by Link, and stored one by one" {
    pages
    ends /f/link/a succeeded .attempts 1 .result.pages 3 .result.stored 6 \
        .result.key a '.result | keys_unsorted | join(" ")' 'stored key pages'
    [[ $(asked) == '/x/a /x/a?p=2 /y/3' ]]
    all_stored '/x/a /x/a?p=2 /y/3'
    [[ $(log 'map(.headers.Authorization) | unique | join(" ")') == \
        'Bearer open-sesame' ]]
    [[ $(job 'next_page IS NULL AND pages_seen IS NULL') == t ]]
    # a new job begins at the first page, and asks without conditions
    pages
    ends /f/link/a succeeded .result.pages 3
    [[ $(log 'map(.headers | has("If-None-Match")) | any') == false ]]
    [[ $(sql 'SELECT count(*) FROM kept') == 6 ]]
}

@test "a JSON pointer leads to the next page; null, or nothing, ends it" {
    local json='"headers": {"Content-Type": "application/json",
        "ETag": "\"1\"", "Link": "</z>; rel=next"}'

    answer /x/a "$json, \"body\":
        \"{\\\"data\\\": {\\\"items\\\": [1]}, \\\"next\\\": \\\"/x/b\\\"}\""
    answer /x/b "$json, \"body\":
        \"{\\\"data\\\": {\\\"items\\\": [2, 3]}, \\\"next\\\": null}\""
    ends /f/point/a succeeded .result.pages 2 .result.stored 3
    answer /x/c "$json, \"body\": \"{\\\"items\\\": []}\""
    ends /f/point/c succeeded .result.pages 1 .result.stored 0
    [[ $(asked) == '/x/a /x/b /x/c' ]]
    [[ $(sql 'SELECT count(*) FROM dsapi.validator') == 0 ]]
    answer /x/d "$json, \"body\": \"{\\\"next\\\": 7}\""
    ends /f/point/d failed .attempts 1 .error \
        'what the upstream gives for the next page is no URL that can be asked'
}

@test "an upstream that fails at a page is asked for that page again" {
    page /x/a '?p=2'
    page /x/a?p=2 /y/3
    answer /y/3 '"status": 500, "times": 2'
    page /y/3 /y/4
    answer /y/4 '"status": 500, "times": 2'
    page /y/4 ''
    # three attempts a page
    ends /f/link/a succeeded .attempts 3 .result.pages 4 .error null
    [[ $(asked) == '/x/a /x/a?p=2 /y/3 /y/3 /y/3 /y/4 /y/4 /y/4' ]]
    all_stored '/x/a /x/a?p=2 /y/3 /y/4'
}

@test "a job that has failed goes on where it was, once it is tried again" {
    page /x/a '?p=2'
    answer '/x/a?p=2' '"status": 404'
    ends /f/link/a failed .error 'page 2: the upstream answered 404 Not Found' \
        .result.pages 1
    page '/x/a?p=2' ''
    req POST "/dsapi/jobs/$(job id)/retry" -H 'Content-Type: application/json'
    expect 202
    wait_until 20 job_is 'state, pages' 'succeeded|2'
    all_stored '/x/a /x/a?p=2'
}

@test "a loop ends the job, and so does one page too many" {
    page /x/a '?p=2'
    page /x/a?p=2 /y/3
    page /y/3 /x/a
    ends /f/link/a failed .attempts 1 \
        .error 'page 3: the next page is one that was asked before'
    all_stored '/x/a /x/a?p=2'
    page /x/b ''
    ends /f/link/b succeeded
    page /x/c /x/c
    ends /f/link/c failed .error 'the next page is one that was asked before'
    page /x/d /x/e
    page /x/e /x/f
    page /x/f /x/g
    page /x/g /x/h
    ends /f/link/d failed .attempts 1 .error 'more than 4 pages' .result.pages 4
    [[ $(log '.[-1].target') == /x/g ]]
}

@test "a page on another host is refused, or allowed and told no secret" {
    local there=http://localhost:${UPSTREAM##*:}/there

    page /x/a "$there"
    ends /f/link/a failed .attempts 1 .error 'page 2: the host is not allowed'
    page /x/b "$there"
    page /there /back
    page /back ''
    ends /f/both/b succeeded .result.pages 3
    [[ $(asked) == '/x/a /x/b /there /back' ]]
    [[ $(log 'map(.headers | has("Authorization")) | map(tostring) | join(" ")') == \
        'true true false false' ]]
    page /x/c http://10.0.0.1/
    ends /f/both/c failed .error 'page 2: the host is not allowed'
}

# big PATH NEXT BYTES: a page of so long an item
big() {
    local text

    printf -v text "%0$3d" 0
    answer "$1" "\"headers\": {\"Content-Type\": \"application/json\",
        \"Link\": \"<$2>; rel=next\"},
        \"body\": \"{\\\"items\\\": [\\\"$text\\\"]}\""
}

@test "DsapiMaxBody is of each page, not of all of them" {
    big /x/a '?p=2' 700
    big '/x/a?p=2' '?p=3' 700
    big '/x/a?p=3' '?p=4' 1400
    ends /f/small/a failed .attempts 1 .result.pages 2 .result.stored 2
    [[ $(job error) == 'page 3: '* ]]
    [[ $(sql 'SELECT count(*) FROM kept') == 2 ]]
}

@test "a page takes its turn in the upstream's rate" {
    pages
    ends /f/slow/a succeeded .result.pages 3
    # a second apart; the stand-in's clock is ours
    [[ $(log '[.[1].time_us - .[0].time_us, .[2].time_us - .[1].time_us]
        | map(. >= 800000) | all') == true ]]
    # what waits for its turn is given back when httpd stops
    page /x/b '/x/c'
    page /x/c ''
    sql "UPDATE dsapi.upstream SET next_at = now()"
    req POST /f/slow/b
    expect 202
    wait_until 20 job_is 'pages' 1
    sql "UPDATE dsapi.upstream SET next_at = now()"
    httpd_stop
    [[ $(job "attempts - (state <> 'queued')::int") == 0 || \
        $(job state) == succeeded ]]
    httpd_start httpd
    wait_until 20 job_is 'state, pages' 'succeeded|2'
}

@test "a child that is killed between pages: the next one goes on" {
    page /x/a '?p=2'
    page /x/a?p=2 /y/3
    page /y/3 /y/4 '"hold": true'
    page /y/3 /y/4
    page /y/4 ''
    req POST /f/link/a
    expect 202
    wait_until 20 is_held
    kill_children
    wait_until 60 ended /f/link/a
    release
    expect 200 .state succeeded .result.pages 4 .result.stored 8
    all_stored '/x/a /x/a?p=2 /y/3 /y/4'
}

@test "a child that is killed while it stores a page: it is stored once" {
    local stores

    page /x/a '?p=2'
    page '/x/a?p=2' '' '"times": 0'
    page /x/a '?p=2'
    close_gate 2
    req POST /f/link/a
    expect 202
    wait_until 20 waits
    stores=$(sql "SELECT array_agg(DISTINCT pid) FROM pg_locks
                   WHERE NOT granted")
    kill_children
    wait_until 20 gone "$stores"
    open_gate
    wait_until 60 ended /f/link/a
    expect 200 .state succeeded .attempts 1 .result.pages 2
    all_stored '/x/a /x/a?p=2'
}

gone() {
    [[ $(sql "SELECT count(*) FROM pg_stat_activity
               WHERE pid = ANY ('$1')") == 0 ]]
}

@test "a page whose commit was not heard of is not stored again" {
    page /x/a '?p=2' '"hold": true'
    page /x/a?p=2 ''
    req POST /f/link/a
    expect 202
    wait_until 20 is_held
    sql "UPDATE dsapi.job SET pages = 1, next_page = '$UPSTREAM/x/a?p=2'"
    release
    wait_until 30 ended /f/link/a
    expect 200 .state succeeded .attempts 1 .result.pages 2
    all_stored '/x/a?p=2'
}

@test "PostgreSQL restarts between pages and while one is stored" {
    claim_log 'DSAPI0005: worker: no database: '
    page /x/a '?p=2' '"hold": true'
    page /x/a?p=2 /y/3
    page /y/3 ''
    req POST /f/link/a
    expect 202
    wait_until 20 is_held
    pg_stop
    release
    pg_start
    wait_until 60 ended /f/link/a
    expect 200 .state succeeded .attempts 1 .result.pages 3
    all_stored '/x/a /x/a?p=2 /y/3'
    page /x/b /x/c
    page /x/c ''
    close_gate 2
    req POST /f/link/b
    expect 202
    wait_until 20 waits
    pg_stop QUIT
    open_gate
    pg_start
    wait_until 60 ended /f/link/b
    expect 200 .state succeeded .attempts 1 .result.pages 2
    all_stored '/x/a /x/a?p=2 /y/3 /x/b /x/c'
}

@test "a graceful stop between pages gives the job back, uncounted" {
    page /x/a '?p=2'
    page /x/a?p=2 /y/3 '"hold": true'
    page /x/a?p=2 /y/3 '"hold": true' # for the other child, if it stops later
    req POST /f/link/a
    expect 202
    wait_until 20 is_held
    httpd_stop
    [[ $(job 'state, attempts, pages') == 'queued|0|1' ]]
    stub DELETE /_stub/answers >"$BATS_TEST_TMPDIR/stub"
    page /x/a?p=2 ''
    release
    httpd_start httpd
    wait_until 30 ended /f/link/a
    expect 200 .state succeeded .attempts 1 .result.pages 2
    all_stored '/x/a /x/a?p=2'
}

# ---- parameters that the database knows ----

good() {
    answer "$1" '"headers": {"Content-Type": "application/json"},
        "body": "[1]"'
}

@test "DsapiResolve: its columns are parameters, with their types" {
    good /x/7
    ends /f/place/lima succeeded
    [[ $(asked) == '/x/7?open=true&area=12.50' ]]
    [[ $(sql 'SELECT key, body::jsonb FROM kept') == \
        'lima|{"id": 8, "area": 12.50, "body": [1], "open": false}' ]]
    good /x/7
    ends /f/part/lima succeeded
    [[ $(log '.[-1].body') == '{"a": [12.50, true, "lima"]}' ]]
}

@test "DsapiResolve: what gives no clear answer fails the job for good" {
    ends /f/place/nowhere failed .attempts 1 \
        .error 'DsapiResolve has no row for these parameters'
    ends /f/place/twin failed .attempts 1 .error \
        'DsapiResolve is ambiguous: it has several rows for these parameters'
    ends /f/place/lost failed .attempts 1 .error "no value for 'isOpen'"
    ends /f/wrong/lima failed .attempts 1 \
        .error "DsapiResolve has no column 'ident'"
    [[ $(log length) == 0 ]]
    # where it does not stand in the URL, NULL is NULL
    good /x/8
    ends /f/part/lost succeeded
    [[ $(log '.[0].body | fromjson | tojson') == '{"a":[null,null,"lost"]}' ]]
    [[ $(sql 'SELECT key, body IS NULL FROM kept') == 'lost|t' ]]
}

@test "DsapiResolve: what it raises is the error; what may pass is tried again" {
    sql "CREATE SEQUENCE tries"
    sql "CREATE FUNCTION refuse(key text) RETURNS int LANGUAGE plpgsql AS \$\$
         BEGIN
             IF key = 'closed' THEN
                 RAISE EXCEPTION 'closed on Mondays';
             ELSIF key = 'bad' THEN
                 RETURN 1 / 0;
             ELSIF nextval('tries') < 5 THEN
                 RAISE EXCEPTION USING ERRCODE = '40P01';
             END IF;
             RETURN 9;
         END \$\$"
    ends /f/refused/closed failed .attempts 1 .error 'closed on Mondays'
    claim_log 'DSAPI0012: worker: job .*division by zero'
    ends /f/refused/bad failed .attempts 1
    [[ $(job error) == 'DsapiResolve failed: '*'(SQLSTATE 22012)' ]]
    good /x/9
    ends /f/refused/open succeeded .attempts 2 # three tries each
}

@test "DsapiResolve: leases are kept meanwhile, and a stop gives the job back" {
    local until

    close_gate 3
    req POST /f/held/a
    expect 202
    wait_until 20 waits
    until=$(job lease_until)
    wait_until 20 job_is "lease_until > '$until' AND state = 'running'" t
    httpd_stop
    [[ $(job 'state, attempts') == 'queued|0' ]]
    open_gate
    good /x/7
    httpd_start httpd
    wait_until 30 ended /f/held/a
    expect 200 .state succeeded .attempts 1
    # a connection that is lost begins it anew
    claim_log 'DSAPI0005: worker: no database: '
    close_gate 3
    req POST /f/held/b
    expect 202
    wait_until 20 waits
    sql_super "SELECT pg_terminate_backend(pid) FROM pg_locks
                WHERE NOT granted" >"$BATS_TEST_TMPDIR/killed"
    wait_until 20 waits
    good /x/7
    open_gate
    wait_until 30 ended /f/held/b
    expect 200 .state succeeded .attempts 1
}

@test "DsapiResolve: a child that is killed meanwhile; another resolves anew" {
    local stores

    good /x/7
    close_gate 3
    req POST /f/held/a
    expect 202
    wait_until 20 waits
    stores=$(sql "SELECT array_agg(DISTINCT pid) FROM pg_locks
                   WHERE NOT granted")
    kill_children
    wait_until 20 gone "$stores"
    open_gate
    wait_until 60 ended /f/held/a
    expect 200 .state succeeded .attempts 2
    [[ $(sql "SELECT count(*) FROM kept WHERE source = 'held'") == 1 ]]
}
