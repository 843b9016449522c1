#!/usr/bin/env bats
# status is set by req; $ is httpd's
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
# Results larger than DsapiBuffer: complete, with flat memory, PostgreSQL
# waiting for a slow client and ending for one that is gone, others unharmed,
# and a broken answer never taken for a whole one.

load ../lib/testing

N=1000000

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "$(configuration 60s)"
    httpd_up strict "$(configuration 3s)"
}

# configuration TIMEOUT [MAX [STREAMS]]: one child, so that counts are exact
configuration() {
    echo "DsapiStreamTimeout $1
DBDKeep ${2:-4}
DBDMax ${2:-4}
${3-DsapiStreams 2}"
    cat <<'CONF'
StartServers 1
MaxRequestWorkers 8
LoadModule filter_module ${MODULES}/mod_filter.so
LoadModule deflate_module ${MODULES}/mod_deflate.so
LoadModule http2_module ${MODULES}/mod_http2.so
Protocols h2c http/1.1
KeepAlive On
LogFormat "%U %>s %X" ended
CustomLog ${HTTPD_DIR}/ended.log ended
DsapiBuffer 64K
DsapiDBTimeout 20s
<DsapiService s "/s">
    <DsapiRoute GET "/rows/{n}">
        DsapiParam n int
        DsapiQuery "SELECT i AS id, 'name ' || i AS name, i * 0.5 AS half FROM generate_series(1, :n) AS i"
    </DsapiRoute>
    <DsapiRoute GET "/endless">
        DsapiQuery "SELECT generate_series(1, 2000000000) AS n, repeat('endless', 20) AS filler"
    </DsapiRoute>
    <DsapiRoute GET "/small">
        DsapiQuery "SELECT 1 AS one"
    </DsapiRoute>
    <DsapiRoute GET "/zero/{at}">
        DsapiParam at int
        DsapiQuery "SELECT i, 1 / (i - :at) AS quotient FROM generate_series(1, 1000000) AS i"
    </DsapiRoute>
    <DsapiRoute GET "/slow">
        DsapiDBTimeout 1s
        DsapiQuery "SELECT i, repeat('slow', 250) AS filler FROM generate_series(1, 20000) AS i"
    </DsapiRoute>
    <DsapiRoute GET "/late">
        DsapiDBTimeout 1s
        DsapiQuery "SELECT count(*) AS late FROM generate_series(1, 2000000000)"
    </DsapiRoute>
    <DsapiRoute GET "/lasting">
        DsapiDBTimeout 120s
        DsapiQuery "SELECT pg_sleep(120) IS NULL AS lasting"
    </DsapiRoute>
    <DsapiRoute GET "/stuck">
        DsapiDBTimeout 1s
        DsapiQuery "SELECT i, repeat('stuck', 200) AS filler, CASE WHEN i = 500 THEN pg_sleep(300)::text END AS slept FROM generate_series(1, 1000) AS i"
    </DsapiRoute>
    <DsapiRoute GET "/page">
        DsapiPage 10000 max=20000
        DsapiQuery "SELECT i, repeat('x', 20) AS filler, 'v1' AS \"@etag\" FROM generate_series(1, 15000) AS i LIMIT :limit OFFSET :offset"
    </DsapiRoute>
    <DsapiRoute GET "/cached/{n}">
        DsapiParam n int
        DsapiCache 60s
        DsapiQuery "SELECT i, random() AS made FROM generate_series(1, :n) AS i"
    </DsapiRoute>
    <DsapiRoute POST "/write">
        DsapiQuery "INSERT INTO written SELECT generate_series(1, 20000) AS n RETURNING n, repeat('x', 20) AS filler"
    </DsapiRoute>
</DsapiService>
<Location "/s/">
    SetOutputFilter DEFLATE
</Location>
CONF
}

# The process that serves.
child() {
    pgrep -P "$(httpd_pid)" | head -n 1
}

# resident: kB, of the child
resident() {
    awk '/^VmRSS/ { print $2 }' "/proc/$(child)/status"
}

# running REGEX: how many statements like this there are
running() {
    sql_super "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ~ '$1' AND pid <> pg_backend_pid()"
}

none_running() {
    [[ $(running "$1") == 0 ]]
}

are_running() {
    [[ $(running "$1") == "$2" ]]
}

# stall PATH [BASE [VERSION]]: ask, and read nothing; its descriptor is in slow
stall() {
    local base=${2:-$BASE}

    exec {slow}<>"/dev/tcp/127.0.0.1/${base##*:}"
    printf 'GET %s HTTP/%s\r\nHost: x\r\n\r\n' "$1" "${3:-1.1}" >&"$slow"
}

hang_up() {
    local fd

    for fd in "$@"; do
        exec {fd}>&-
    done
}

# fetch PATH [CURL ARGUMENT...]: the body is in $RES/body; rc is curl's
fetch() {
    local path=$1

    shift
    RES=$BATS_TEST_TMPDIR
    rc=0
    curl -sS --noproxy '*' --max-time $((120 * DSAPI_SLOW)) \
        -D "$RES/headers" -o "$RES/body" "$@" "$BASE$path" || rc=$?
}

ended() {
    grep -q "$1" "$DSAPI_DIR/${2:-httpd}/ended.log"
}

strict() {
    echo "http://127.0.0.1:$(<"$DSAPI_DIR/strict/port")"
}

# The rows as psql gives them, one JSON object a line.
expected() {
    sql "COPY (SELECT '{\"id\":' || i || ',\"name\":\"name ' || i || '\",\"half\":' || i * 0.5 || '}' FROM generate_series(1, $1) AS i) TO STDOUT"
}

@test "a million rows arrive whole in every form, and leave memory flat" {
    local before after rc

    fetch /s/rows/50000 # pools and buffers are what they will be
    [[ $rc == 0 ]]
    before=$(resident)
    fetch /s/rows/$N -H 'Accept: application/x-ndjson'
    [[ $rc == 0 && $(header Content-Type) == application/x-ndjson ]]
    [[ $(header Transfer-Encoding) == chunked ]]
    expected $N | cmp - "$RES/body"
    fetch /s/rows/$N
    [[ $rc == 0 ]]
    {
        printf '['
        expected $N | paste -sd, | tr -d '\n'
        printf ']'
    } | cmp - "$RES/body"
    fetch /s/rows/$N -H 'Accept: text/csv'
    [[ $rc == 0 ]]
    sql "COPY (SELECT i AS id, 'name ' || i AS name, i * 0.5 AS half FROM generate_series(1, $N) AS i) TO STDOUT CSV HEADER" |
        sed 's/$/\r/' | cmp - "$RES/body"
    after=$(resident)
    echo "before $before kB, after $after kB"
    [[ -n ${SAN:-} ]] || ((after - before < 4096))
    ended "/s/rows/$N 200 [+-]"
}

@test "what fits into the buffer is sent whole, with its length" {
    req GET /s/rows/1000
    expect 200 length 1000
    [[ $(header Content-Length) == "$(stat -c %s "$RES/body")" ]]
    lacks Transfer-Encoding
    req GET /s/rows/10000
    expect 200 length 10000
    lacks Content-Length
}

@test "a connection serves on behind a stream" {
    local out

    out=$(curl -sS --noproxy '*' --max-time $((60 * DSAPI_SLOW)) \
        -w '%{http_code} %{num_connects} %{size_download}\n' \
        -o /dev/null "$BASE/s/rows/20000" -o /dev/null "$BASE/s/small")
    echo "$out"
    [[ $out =~ ^200\ 1\ [0-9]{6,}.200\ 0\ 11$ ]]
}

@test "a client that goes away ends the statement" {
    local slow

    stall /s/endless
    wait_until 20 are_running endless 1
    hang_up "$slow"
    wait_until 20 none_running endless
    wait_until 20 ended '/s/endless 200 X'
}

@test "a client that stops reading is cut, and its statement ended" {
    local slow bytes

    stall /s/endless "$(strict)"
    wait_until 20 are_running endless 1
    wait_until 30 none_running endless
    wait_until 20 ended '/s/endless 200 X' strict
    grep -q 'DSAPI0020: .*DsapiStreamTimeout' "$DSAPI_DIR/strict/error.log"
    # the connection is closed
    bytes=$(timeout $((30 * DSAPI_SLOW)) cat <&"$slow" | wc -c)
    ((bytes > 0))
    hang_up "$slow"
}

@test "a client that reads slowly gets everything, longer than DsapiDBTimeout" {
    local rc

    # of 20 MB the sockets hold a part
    BASE=$(strict) fetch /s/slow --limit-rate 5M
    [[ $rc == 0 ]]
    jq -e 'length == 20000' "$RES/body"
}

@test "stalled clients leave everybody else unharmed" {
    local -a fds=()
    local slow

    for _ in 1 2 3 4; do
        stall /s/endless
        fds+=("$slow")
    done
    wait_until 20 are_running endless 2
    for _ in {1..20}; do
        req GET /s/small
        expect 200
        req GET /s/rows/100
        expect 200 length 100
        req GET /server-status
        expect 200
    done
    are_running endless 2
    claim_log 'DSAPI0003: database-busy'
    req GET /s/endless
    expect_problem 503 database-busy
    [[ $(header Retry-After) == 1 ]]
    lacks ETag
    hang_up "${fds[@]}"
    wait_until 20 none_running endless
    req GET /s/rows/20000
    expect 200 length 20000
}

@test "an error in mid-stream is a broken body" {
    local rc

    claim_log 'DSAPI0019: .* after (499999|49999) rows: [a-z-]+: SQLSTATE 22012'
    fetch /s/zero/500000
    echo "rc $rc"
    [[ $rc == 18 && $(stat -c %s "$RES/body") -gt 5000000 ]]
    if jq -e . "$RES/body" >/dev/null 2>&1; then
        false
    fi
    wait_until 20 ended '/s/zero/500000 200 X'
    fetch /s/zero/50000 -H 'Accept: text/csv'
    [[ $rc == 18 ]]
    # each line of NDJSON is whole, so that only the transfer can tell
    fetch /s/zero/500000 -H 'Accept: application/x-ndjson'
    [[ $rc == 18 && $(stat -c %s "$RES/body") -gt 5000000 ]]
    jq -se 'all(has("quotient"))' < <(head -n 1000 "$RES/body")
    # HTTP/1.0 knows no chunks: the connection is reset
    fetch /s/zero/500000 --http1.0
    echo "HTTP/1.0: rc $rc"
    [[ $rc == 56 ]]
    # compressed
    fetch /s/zero/500000 -H 'Accept-Encoding: gzip'
    [[ $rc == 18 && $(header Content-Encoding) == gzip ]]
    # HTTP/2 resets the stream
    fetch /s/zero/500000 --http2-prior-knowledge
    echo "HTTP/2: rc $rc"
    [[ $rc == 92 ]]
    fetch /s/rows/20000 --http2-prior-knowledge
    [[ $rc == 0 ]]
    jq -e 'length == 20000' "$RES/body"
    # before anything was sent it is a problem
    req GET /s/zero/100
    expect 400 .status 400
    req GET /s/small
    expect 200
}

@test "a backend that is killed in mid-stream is a broken body" {
    local slow

    claim_log 'DSAPI0019: .* rows: database-unavailable'
    stall /s/endless
    wait_until 20 are_running endless 1
    sql_super "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'endless' AND pid <> pg_backend_pid()"
    timeout $((60 * DSAPI_SLOW)) cat <&"$slow" >"$BATS_TEST_TMPDIR/raw"
    hang_up "$slow"
    [[ $(tail -c 5 "$BATS_TEST_TMPDIR/raw") != $'0\r\n\r' ]]
    req GET /s/small
    expect 200
}

@test "DsapiDBTimeout counts the database's time, and ends its statement" {
    local rc

    claim_log 'DSAPI0003: database-timeout'
    claim_log 'DSAPI0019: .* rows: database-timeout'
    req GET /s/late
    expect_problem 504 database-timeout
    wait_until 10 none_running late
    fetch /s/stuck
    [[ $rc == 18 ]]
    wait_until 10 none_running stuck
}

@test "a child that is killed leaves no statement behind" {
    local slow

    claim_log 'AH0005[12]|signal Killed'
    stall /s/lasting    # for two minutes, if nobody ends it
    wait_until 20 are_running lasting 1
    kill -KILL "$(child)"
    wait_until 10 none_running lasting
    hang_up "$slow"
    stall /s/endless
    wait_until 20 are_running endless 1
    kill -KILL "$(child)"
    wait_until 10 none_running endless
    hang_up "$slow"
}

@test "HEAD of what is streamed has the headers, and ends the statement" {
    req HEAD /s/endless
    [[ $status == 200 && $(header Content-Type) == application/json* ]]
    lacks Content-Length
    wait_until 20 none_running endless
    req HEAD /s/small
    [[ $status == 200 && $(header Content-Length) == 11 ]]
}

@test "a streamed page names the next, a whole one knows" {
    req GET '/s/page?limit=10000'
    expect 200 length 10000 '.[-1].i' 10000
    [[ $(header Link) == *'offset=10000>; rel="next"'* ]]
    [[ $(header ETag) == '"v1"' ]]
    req GET '/s/page?limit=10000&offset=10000'
    expect 200 length 5000 '.[-1].i' 15000
    [[ $(header Link) == *'rel="prev"'* ]]
    req GET '/s/page?limit=10&offset=14990'
    expect 200 length 10
    [[ $(header Link) != *next* ]]
}

@test "a cached route streams uncached what is too large to be held" {
    local first

    req GET /s/cached/10
    first=$body
    req GET /s/cached/10
    [[ $body == "$first" ]]
    req GET /s/cached/20000
    expect 200 length 20000
    [[ $(header Cache-Control) == 'public, max-age=60, stale-if-error=3600' ]]
    lacks ETag
    lacks Content-Length
    first=$(sha1sum <"$RES/body")
    req GET /s/cached/20000
    expect 200 length 20000
    [[ $(sha1sum <"$RES/body") != "$first" ]]
}

@test "equal large requests do not wait for one of them" {
    local slow

    stall /s/cached/2000000
    wait_until 20 are_running made 1
    req GET /s/cached/2000000 -o /dev/null
    [[ $status == 200 ]]
    are_running made 1
    hang_up "$slow"
    wait_until 20 none_running made
}

@test "compressed" {
    local rc

    fetch /s/rows/50000 --compressed -H 'Accept: application/x-ndjson'
    [[ $rc == 0 && $(header Content-Encoding) == gzip ]]
    expected 50000 | cmp - "$RES/body"
}

@test "what writes is held whole: its rows are sent when they are committed" {
    sql 'CREATE TABLE written (n integer)'
    req POST /s/write
    expect 200 length 20000
    [[ $(header Content-Length) == "$(stat -c %s "$RES/body")" ]]
    [[ $(sql 'SELECT count(*) FROM written') == 20000 ]]
}

@test "a graceful restart lets a stream end" {
    local pid rc old

    old=$(child)
    curl -sS --noproxy '*' --limit-rate 4M --max-time $((120 * DSAPI_SLOW)) \
        -o "$BATS_TEST_TMPDIR/rows" "$BASE/s/rows/300000" \
        -H 'Accept: application/x-ndjson' 3>&- &
    pid=$!
    wait_until 20 are_running 'name ' 1
    httpd_restart_graceful
    req GET /s/small
    expect 200
    rc=0
    wait "$pid" || rc=$?
    [[ $rc == 0 ]]
    expected 300000 | cmp - "$BATS_TEST_TMPDIR/rows"
    wait_until 20 test ! -e "/proc/$old"
}

# pool MAX STREAMS: an httpd with so small a pool
pool() {
    httpd_config pool "$(configuration 60s "$1" "$2")"
    httpd_start pool
    BASE=http://127.0.0.1:$(<"$DSAPI_DIR/pool/port")
}

@test "pools of one and of two connections stream" {
    local slow max

    claim_log 'DSAPI0003: database-busy'
    for max in 2 1; do
        pool "$max" ''
        req GET /s/rows/20000
        expect 200 length 20000
        stall /s/endless
        wait_until 20 are_running endless 1
        req GET /s/small
        [[ $max == 1 && $status == 503 || $max == 2 && $status == 200 ]]
        hang_up "$slow"
        wait_until 20 none_running endless
        req GET /s/small
        expect 200
        httpd_stop pool
    done
}

@test "DsapiStreams 0: what is larger than the buffer is refused" {
    claim_log 'DSAPI0003: result-too-large: .*DsapiBuffer.*DsapiStreams'
    pool 2 'DsapiStreams 0'
    req GET /s/rows/20000
    expect_problem 500 result-too-large
    req GET /s/rows/100
    expect 200 length 100
    httpd_stop pool
}
