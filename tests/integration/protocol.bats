#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2030,SC2031 # status, body: set by req
# HTTP itself: HTTP/2, strange but lawful HTTP/1, and what httpd refuses before
# a route is asked. Under a base all of it is a problem document with a request
# id, whatever the administrator says of other errors.

load ../lib/testing

TRACE=4bf92f3577b34da6a3ce929d0e0e4736

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "$(configuration)" "$(modules)"
    echo '<p>custom</p>' >"$DSAPI_DIR/httpd/custom.html"
    chmod 644 "$DSAPI_DIR/httpd/custom.html"
}

modules() {
    local name

    for name in http2 reqtimeout filter deflate brotli alias; do
        echo "LoadModule ${name}_module \${MODULES}/mod_$name.so"
    done
}

configuration() {
    cat <<'CONF'
ServerLimit 1
StartServers 1
MaxRequestWorkers 8
Protocols h2c http/1.1
TraceEnable On
LimitRequestLine 2000
LimitRequestFieldSize 2000
LimitRequestFields 50
RequestReadTimeout header=1 body=1
LogFormat "%r %>s %{dsapi-trace-id}n" trace
CustomLog ${HTTPD_DIR}/trace.log trace
ErrorDocument 400 /custom.html
ErrorDocument 404 /custom.html
ErrorDocument 413 "too much, says the administrator"
ErrorDocument 414 /custom.html
Alias "/custom.html" "${HTTPD_DIR}/custom.html"
<Directory "${HTTPD_DIR}">
    Require all granted
</Directory>
<Location "/p/packed">
    SetOutputFilter BROTLI_COMPRESS;DEFLATE
</Location>
<Location "/p/limited">
    LimitRequestBody 20
</Location>
<DsapiService p "/p">
    DsapiMaxBody 1K
    <DsapiRoute GET "/rows">
        DsapiParam n int default=3
        DsapiQuery "SELECT i, repeat('x', 100) AS x FROM generate_series(1, :n) AS i"
    </DsapiRoute>
    <DsapiRoute GET "/packed">
        DsapiParam who text in=header
        DsapiCache 60s
        DsapiQuery "SELECT i, (random() * 1e9)::bigint AS made, :who AS who FROM generate_series(1, 100) AS i"
    </DsapiRoute>
    <DsapiRoute POST "/said">
        DsapiParam say text required
        DsapiQuery "SELECT :say"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute POST "/limited">
        DsapiParam say text required
        DsapiQuery "SELECT :say"
        DsapiResult value
    </DsapiRoute>
</DsapiService>
CONF
}

# raw TEXT: send it as it is (printf's escapes), print all of the answer
raw() {
    local fd

    exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
    # shellcheck disable=SC2059 # escapes are meant
    printf "$1" >&"$fd"
    timeout 30 cat <&"$fd" || true
    exec {fd}>&-
}

# answered STATUS CODE RAW-ANSWER: a problem of HTTP/1
answered() {
    if [[ $3 != "HTTP/1.1 $1 "* || $3 != *'application/problem+json'* ||
        $3 != *"\"code\":\"$2\""* || $3 != *'X-Request-Id: '* ]]; then
        printf 'not %s %s:\n%s\n' "$1" "$2" "$3"
        return 1
    fi
}

h2() {
    req "$1" "$2" --http2-prior-knowledge "${@:3}"
    [[ $(head -c 7 "$RES/headers") == HTTP/2\  ]]
}

json_to() {
    h2 POST "$1" -H 'Content-Type: application/json' --data-binary "$2" \
        "${@:3}"
}

limited_by_httpd() {
    json_to /p/limited "$(printf '{"say": "%0200d"}' 1)"
    [[ $status == 413 && -n $body ]]
}

@test "HTTP/2: rows, HEAD, OPTIONS, a body, problems" {
    local length

    h2 GET '/p/rows?n=2000'
    expect 200 length 2000
    length=$(header Content-Length)
    [[ $length == "$(stat -c %s "$RES/body")" ]]
    h2 HEAD '/p/rows?n=2000'
    [[ $status == 200 && $(header Content-Length) == "$length" ]]
    h2 OPTIONS /p/rows
    [[ $status == 204 && $(header allow) == 'GET, HEAD, OPTIONS' ]]
    h2 GET /p/rows -H 'Accept: text/csv'
    [[ $status == 200 && $body == i,x$'\r\n'1,x* ]]
    json_to /p/said '{"say": "ü"}'
    expect 200 . ü
    json_to /p/said "$(printf '{"say": "%02000d"}' 1)"
    expect_problem 413 body-too-large
    # httpd resets the stream of a body that it refuses itself, and a client
    # that is still sending may take that for the answer
    wait_until 20 limited_by_httpd
    expect_problem 413 body-too-large
    h2 GET /p/nothing -H 'X-Request-Id: h2-1'
    expect_problem 404 not-found
    [[ $(header x-request-id) == h2-1 ]]
    h2 DELETE /p/rows
    expect_problem 405 method-not-allowed
    [[ $(header allow) == 'GET, HEAD, OPTIONS' ]]
    h2 GET '/p/rows?n=x'
    expect_problem 400 invalid-parameter n
    h2 GET /elsewhere
    [[ $status == 404 && $body == '<p>custom</p>' ]]
}

@test "HTTP/2: validators, compression and traces" {
    local etag

    h2 GET /p/packed -H 'Accept-Encoding: gzip' \
        -H "traceparent: 00-$TRACE-00f067aa0ba902b7-01"
    [[ $status == 200 && $(header content-encoding) == gzip ]]
    etag=$(header etag)
    h2 GET /p/packed -H 'Accept-Encoding: gzip' -H "If-None-Match: $etag"
    [[ $status == 304 && -z $body ]]
    h2 HEAD /p/packed -H "If-None-Match: $etag"
    [[ $status == 304 ]]
    traced() {
        grep -E "^GET /p/packed HTTP/2.0 200 $TRACE\$" \
            "$DSAPI_DIR/httpd/trace.log"
    }
    wait_until 5 traced
}

@test "HTTP/2: eight clients at once each get their own answers" {
    local i

    # shellcheck disable=SC2016 # expanded by the inner shell
    seq 40 | TO=$BATS_TEST_TMPDIR xargs -P 8 -I N bash -c \
        'curl -sS --noproxy "*" --http2-prior-knowledge "$0/p/rows?n=N" \
            -o "$TO/N"' "$BASE"
    for i in {1..40}; do
        [[ $(jq length "$BATS_TEST_TMPDIR/$i") == "$i" ]]
    done
}

@test "HTTP/1.1 upgraded to h2c is answered" {
    req GET /p/rows --http2
    expect 200 length 3
}

@test "brotli and gzip: one entry; its validator holds with any suffix" {
    local etag made name packed

    req GET /p/packed
    made=$(json '.[0].made')
    etag=$(header ETag)
    [[ $etag =~ ^\"[0-9a-f]{32}\"$ ]]
    for name in br gzip; do
        req GET /p/packed -H "Accept-Encoding: $name" --compressed
        expect 200 '.[0].made' "$made"
        packed=$(header ETag)
        [[ $(header Content-Encoding) == "$name" && $packed != "$etag" ]]
        [[ $(header Vary) == *Accept-Encoding* ]]
        for made_of in "$etag" "$packed"; do
            req GET /p/packed -H "If-None-Match: $made_of" \
                -H "Accept-Encoding: $name"
            [[ $status == 304 && ! -s $RES/body ]]
        done
        req HEAD /p/packed -H "Accept-Encoding: $name"
        [[ $status == 200 && ! -s $RES/body ]]
    done
}

@test "an answer varies by the headers that its parameters are in" {
    req GET /p/packed
    expect 200 '.[0].who' null
    [[ $(header Vary) == *who* && $(header Vary) == *Accept* ]]
    req GET /p/packed -H 'Who: me'
    expect 200 '.[0].who' me
    req GET /p/packed -H 'Who: me' -H "If-None-Match: $(header ETag)"
    [[ $status == 304 && $(header Vary) == *who* ]]
    req GET /p/rows
    [[ $(header Vary) == Accept ]]
}

# ---- refused by httpd ----

@test "TRACE is 405, also where the server has it on" {
    req TRACE /p/rows
    expect_problem 405 method-not-allowed
    [[ $(header Allow) == 'GET, HEAD, OPTIONS' ]]
}

@test "a URL that is too long is 414" {
    req GET "/p/rows?n=$(printf '%03000d' 1)"
    expect_problem 414 uri-too-long
    expect 414 .instance /p/rows
    [[ -n $(header X-Request-Id) ]]
    req GET "/elsewhere?n=$(printf '%03000d' 1)"
    [[ $status == 414 && $body == '<p>custom</p>' ]]
    h2 GET "/p/rows?n=$(printf '%03000d' 1)"
    [[ $status == 414 ]]     # mod_http2 has dropped the URL
}

@test "headers that are too large, or too many" {
    req GET /p/rows -H "X-Large: $(printf '%03000d' 1)"
    [[ $status == 400 || $status == 431 ]]
    expect_problem "$status" "$(json .code)"
    out=$(raw "GET /p/rows HTTP/1.1\r\nHost: x\r\n$(printf 'X: %d\\r\\n' {1..60})\r\n")
    answered 400 bad-request "$out"
    out=$(raw 'GET /p/rows HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n')
    answered 400 bad-request "$out"
    out=$(raw 'GET /p/rows HTTP/1.1\r\n\r\n')     # no Host
    answered 400 bad-request "$out"
}

@test "bodies: a bad length, two lengths, bad chunks, unknown codings" {
    local head='POST /p/said HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'

    out=$(raw "${head}Content-Length: x\r\n\r\n")
    answered 400 bad-request "$out"
    out=$(raw "${head}Content-Length: -1\r\n\r\n")
    answered 400 bad-request "$out"
    out=$(raw "${head}Transfer-Encoding: chunked\r\n\r\n5\r\n{\"say\r\nQQ\r\n")
    [[ $out == 'HTTP/1.1 400 '*'"code":"body-incomplete"'* ]]
    out=$(raw "${head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{\r\n")
    [[ $out == 'HTTP/1.1 4'*'application/problem+json'* ]]
    out=$(raw "${head}Transfer-Encoding: wat\r\n\r\n{}")
    [[ $out =~ ^'HTTP/1.1 '(400|501)' ' ]]
    [[ $out == *application/problem+json* ]]
    # the length is of no account beside chunks, and nothing is smuggled
    out=$(raw "${head}Transfer-Encoding: chunked\r\nContent-Length: 3\r\nConnection: close\r\n\r\nb\r\n{\"say\":\"a\"}\r\n0\r\n\r\n")
    [[ $out =~ ^'HTTP/1.1 '(200|400)' ' ]]
    [[ $(grep -c '^HTTP/1.1' <<<"$out") == 1 ]]
}

@test "Expect: 100-continue goes on, others are 417" {
    req POST /p/said -H 'Expect: 100-continue' \
        -H 'Content-Type: application/json' -d '{"say": "on"}'
    expect 200 . on
    grep '100 Continue' "$RES/headers"
    out=$(raw 'POST /p/said HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}')
    answered 417 expectation-failed "$out"
}

@test "a body that does not come is 408" {
    out=$(raw 'POST /p/said HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"say"')
    answered 408 request-timeout "$out"
}

@test "LimitRequestBody: the administrator's page elsewhere, a problem here" {
    claim_log 'AH10244: invalid URI path'
    req POST /p/limited -H 'Content-Type: application/json' \
        -d '{"say": "more than twenty bytes"}'
    expect_problem 413 body-too-large
    req GET /p/%zz
    expect_problem 400 bad-request
    req GET /nothing
    [[ $status == 404 && $body == '<p>custom</p>' ]]
}

# ---- lawful ----

@test "absolute-form, another case of headers, folded blanks, HTTP/1.0" {
    out=$(raw 'GET http://any.test/p/rows?n=1 HTTP/1.1\r\nhOsT:x\r\nCONNECTION:close\r\naccept:   text/csv  \r\n\r\n')
    [[ $out == 'HTTP/1.1 200 '*$'\r\n\r\n''i,x'* ]]
    out=$(raw 'GET /p/rows?n=1 HTTP/1.0\r\n\r\n')
    [[ $out == 'HTTP/1.1 200 '*'[{"i":1'* && $out == *Content-Length* ]]
    out=$(raw 'HEAD /p/nothing HTTP/1.0\r\n\r\n')
    [[ $out == 'HTTP/1.1 404 '*$'\r' && $out != *'{'* ]]
    out=$(raw 'POST /p/said HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"say":"0"}')
    [[ $out == *'"0"' ]]
}

@test "pipelined: good, bad and missing ones in their order" {
    out=$(raw 'GET /p/rows?n=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /p/nothing HTTP/1.1\r\nHost: x\r\n\r\nPOST /p/said HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"say":"3"}OPTIONS /p/rows HTTP/1.1\r\nHost: x\r\n\r\nGET /p/rows?n=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    [[ $(grep -aoE 'HTTP/1.1 [0-9]+' <<<"$out" | cut -d ' ' -f 2 |
        tr '\n' ' ') == '200 404 200 204 400 ' ]]
}
