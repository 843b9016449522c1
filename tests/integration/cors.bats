#!/usr/bin/env bats
# status, body: set by req; $ is httpd's
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
# DsapiCORS: preflights before authentication, and headers on every answer:
# errors, 304, kept ones, streams; of exactly the origins that are listed.

load ../lib/testing

APP=https://app.example.org

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "$(configuration)"
    echo "ann:$(openssl passwd -apr1 a)" >"$DSAPI_DIR/httpd/users"
    chmod 644 "$DSAPI_DIR/httpd/users"
}

# One child, so that there is one cache.
configuration() {
    cat <<'CONF'
ServerLimit 1
StartServers 1
MaxRequestWorkers 8
LoadModule auth_basic_module ${MODULES}/mod_auth_basic.so
LoadModule authn_file_module ${MODULES}/mod_authn_file.so
LoadModule authz_user_module ${MODULES}/mod_authz_user.so
LoadModule filter_module ${MODULES}/mod_filter.so
LoadModule deflate_module ${MODULES}/mod_deflate.so
LoadModule headers_module ${MODULES}/mod_headers.so
LoadModule http2_module ${MODULES}/mod_http2.so
Protocols h2c http/1.1
Header always set X-Site everywhere
DsapiBuffer 4K
<DsapiService listed "/l">
    DsapiCORS https://app.example.org http://localhost:3000 headers=X-Tenant,X-Client-Info
    <DsapiRoute GET "/one/{key}">
        DsapiParam key text
        DsapiParam if_match text in=header
        DsapiCache 60s
        DsapiQuery "SELECT :key AS key, (random() * 1e9)::bigint AS made, :if_match AS seen"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute PUT "/one/{key}">
        DsapiParam key text
        DsapiParam x_reason text in=header
        DsapiQuery "SELECT :key AS key, :x_reason AS reason"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/many">
        DsapiQuery "SELECT i, 'filler' AS filler FROM generate_series(1, 5000) AS i"
    </DsapiRoute>
    <DsapiRoute GET "/bad">
        DsapiQuery "SELECT 1 / 0 AS n"
    </DsapiRoute>
    <DsapiRoute GET "/own">
        DsapiQuery "SELECT 1 AS n"
    </DsapiRoute>
    <DsapiRoute GET "/closed">
        DsapiQuery "SELECT 1 AS n"
    </DsapiRoute>
    <DsapiRoute GET "/jobs">
        DsapiQuery "SELECT 1 AS n"
    </DsapiRoute>
</DsapiService>
<DsapiService open "/o">
    DsapiCORS *
    <DsapiRoute GET "/n">
        DsapiQuery "SELECT 1 AS n"
        DsapiResult row
    </DsapiRoute>
</DsapiService>
<DsapiService off "/x">
    DsapiCORS Off
    <DsapiRoute GET "/n">
        DsapiQuery "SELECT 1 AS n"
    </DsapiRoute>
</DsapiService>
<LocationMatch "^/(l|x)/own$">
    AuthType Basic
    AuthName own
    AuthUserFile ${HTTPD_DIR}/users
    Require valid-user
</LocationMatch>
<Location "/l/closed">
    Require all denied
</Location>
<Location "/l/jobs">
    SetHandler dsapi-jobs
</Location>
<Location "/l/one">
    SetHandler none
    SetOutputFilter DEFLATE
</Location>
CONF
}

# from ORIGIN METHOD PATH [CURL ARGUMENT...]
from() {
    req "$2" "$3" -H "Origin: $1" "${@:4}"
}

# preflight ORIGIN METHOD PATH [CURL ARGUMENT...]
preflight() {
    from "$1" OPTIONS "$3" -H "Access-Control-Request-Method: $2" "${@:4}"
}

# lacks NAME...: the last answer has no such headers
lacks() {
    local name

    for name; do
        ! header "$name" || {
            echo "there is $name"
            return 1
        }
    done
}

CORS=(Access-Control-Allow-Origin Access-Control-Allow-Credentials
    Access-Control-Expose-Headers Access-Control-Allow-Methods
    Access-Control-Allow-Headers Access-Control-Max-Age)

# readable STATUS: the last answer may be read by APP's pages, and only theirs
readable() {
    [[ $status == "$1" ]] || {
        echo "status $status, not $1"
        return 1
    }
    [[ $(header Access-Control-Allow-Origin) == "$APP" ]]
    [[ $(header Access-Control-Allow-Credentials) == true ]]
    [[ $(header Vary) =~ (^|, )Origin(,|$) ]]
    exposed
    lacks "${CORS[@]:3}"
}

exposed() {
    local name

    for name in Link Location ETag X-Request-Id Retry-After RateLimit \
        RateLimit-Policy Content-Range; do
        [[ ", $(header Access-Control-Expose-Headers), " == *", $name, "* ]] ||
            return 1
    done
}

@test "a listed origin may read answers, with credentials" {
    from $APP GET /l/one/a
    readable 200
    from http://localhost:3000 GET /l/one/a
    [[ $status == 200 ]]
    [[ $(header Access-Control-Allow-Origin) == http://localhost:3000 ]]
    from $APP HEAD /l/one/a
    readable 200
    from $APP PUT /l/one/a
    readable 200
    from $APP OPTIONS /l/one/a
    readable 204
    [[ $(header Allow) == 'GET, HEAD, PUT, OPTIONS' ]]
}

@test "others may not, however like they look, and caches are told" {
    local origin

    for origin in null https://app.example.org. https://app.example.org:443 \
        http://app.example.org https://App.example.org \
        https://app.example.org.evil.test https://evil.test \
        "$APP, http://localhost:3000" "$APP/"; do
        from "$origin" GET /l/one/a
        [[ $status == 200 && $(header Vary) =~ (^|, )Origin(,|$) ]]
        lacks "${CORS[@]}" || {
            echo "$origin"
            return 1
        }
    done
    req GET /l/one/a
    [[ $status == 200 && $(header Vary) =~ (^|, )Origin(,|$) ]]
    lacks "${CORS[@]}"
}

@test "errors are readable, whoever makes them" {
    claim_log 'AH01630: client denied'
    from $APP GET /l/nothing
    readable 404
    from $APP DELETE /l/one/a
    readable 405
    from $APP GET '/l/one/a?b=c'
    readable 400
    from $APP GET /l/bad
    readable 400
    from $APP GET /l/own
    readable 401
    from $APP GET /l/closed
    readable 403
    from $APP GET /l/one/a%2Fb # before a URL is anybody's
    readable 404
    expect_problem 404 not-found
    from $APP GET "/o/$(printf 'x%.0s' {1..9000})" # no header is read
    expect 414
    [[ $(header Access-Control-Allow-Origin) == '*' ]]
    from https://evil.test GET /l/one/a%2Fb
    lacks "${CORS[@]}"
}

@test "304 is readable, and a kept answer is no other origin's" {
    local made etag

    from $APP GET /l/one/kept
    readable 200
    made=$(json .made)
    etag=$(header ETag)
    from http://localhost:3000 GET /l/one/kept
    expect 200 .made "$made"
    [[ $(header Access-Control-Allow-Origin) == http://localhost:3000 ]]
    from https://evil.test GET /l/one/kept
    expect 200 .made "$made"
    lacks "${CORS[@]}"
    req GET /l/one/kept
    lacks "${CORS[@]}"
    from $APP GET /l/one/kept
    readable 200
    from $APP GET /l/one/kept -H "If-None-Match: $etag"
    readable 304
    [[ $(header ETag) == "$etag" ]]
    [[ $(header Vary) == *if-match* ]]
}

@test "streams, compressed answers and HTTP/2" {
    from $APP GET /l/many
    readable 200
    [[ $(header Transfer-Encoding) == chunked ]]
    expect 200 length 5000
    from $APP GET "/l/one/$(printf 'x%.0s' {1..600})" -H 'Accept-Encoding: gzip'
    readable 200
    [[ $(header Content-Encoding) == gzip ]]
    [[ $(header Vary) == *Accept-Encoding* ]]
    from $APP GET /l/one/h2 --http2-prior-knowledge
    readable 200
    preflight $APP PUT /l/one/h2 --http2-prior-knowledge
    [[ $status == 204 && $(header Access-Control-Allow-Origin) == "$APP" ]]
}

@test "a preflight is answered before authentication, for the URL" {
    local name

    for name in own closed; do
        preflight $APP GET "/l/$name" \
            -H 'Access-Control-Request-Headers: authorization'
        [[ $status == 204 && ! -s $RES/body ]]
        [[ $(header Access-Control-Allow-Methods) == 'GET, HEAD, OPTIONS' ]]
        lacks Content-Type WWW-Authenticate
    done
    preflight $APP PUT /l/one/x
    [[ $status == 204 && $(header Access-Control-Allow-Origin) == "$APP" ]]
    [[ $(header Access-Control-Allow-Credentials) == true ]]
    [[ $(header Access-Control-Allow-Methods) == 'GET, HEAD, PUT, OPTIONS' ]]
    [[ $(header Access-Control-Max-Age) == 86400 ]]
    [[ $(header Vary) == Origin && -n $(header X-Request-Id) ]]
    [[ $(header X-Site) == everywhere ]]
    lacks Access-Control-Expose-Headers
    for name in Authorization Content-Type If-Match Idempotency-Key Prefer \
        traceparent X-Tenant X-Client-Info x-reason; do
        [[ ", $(header Access-Control-Allow-Headers)," == *", $name,"* ]]
    done
    [[ $(header Access-Control-Allow-Headers) != *Forwarded* ]]
    # the header of another method's parameter
    preflight $APP GET /l/one/x
    [[ $(header Access-Control-Allow-Headers) == *if-match* ]]
    [[ $(header Access-Control-Allow-Headers) != *x-reason* ]]
    # a method that the URL has not got: the browser compares
    preflight $APP DELETE /l/one/x
    [[ $status == 204 ]]
    [[ $(header Access-Control-Allow-Methods) == 'GET, HEAD, PUT, OPTIONS' ]]
}

@test "a preflight from elsewhere, or of no URL, gets no leave" {
    local origin

    for origin in https://evil.test null; do
        preflight $origin PUT /l/one/x
        [[ $status == 204 && $(header Vary) == Origin ]]
        lacks "${CORS[@]}"
        preflight $origin GET /l/own
        [[ $status == 204 ]]
        lacks "${CORS[@]}"
    done
    preflight $APP GET /l/nothing
    readable 404
    # OPTIONS that is no preflight is a request like others
    from $APP OPTIONS /l/own
    readable 401
    req OPTIONS /l/own -H 'Access-Control-Request-Method: GET'
    expect_problem 401 unauthorized
}

@test "a body that comes with a preflight is not the next request" {
    local out fd

    exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
    printf '%s\r\n' 'OPTIONS /l/one/x HTTP/1.1' 'Host: x' "Origin: $APP" \
        'Access-Control-Request-Method: GET' 'Content-Length: 23' '' >&"$fd"
    printf 'GET /l/bad HTTP/1.1\r\n\r\n' >&"$fd"
    printf '%s\r\n' 'GET /o/n HTTP/1.1' 'Host: x' 'Connection: close' '' >&"$fd"
    out=$(timeout 20 cat <&"$fd")
    exec {fd}>&-
    [[ $(grep -c '^HTTP/1.1 ' <<<"$out") == 2 ]]
    [[ $out == 'HTTP/1.1 204 '*'HTTP/1.1 200 '*'{"n":1}' ]]
}

@test "a star is for all, without credentials and without Vary" {
    local origin

    for origin in $APP null https://evil.test; do
        from "$origin" GET /o/n
        expect 200
        [[ $(header Access-Control-Allow-Origin) == '*' ]]
        exposed
        lacks Access-Control-Allow-Credentials Vary
        preflight "$origin" GET /o/n
        [[ $status == 204 && $(header Access-Control-Allow-Origin) == '*' ]]
        lacks Access-Control-Allow-Credentials Vary
    done
    req GET /o/n # what caches give to others has it, too
    [[ $(header Access-Control-Allow-Origin) == '*' ]]
    from $APP GET /o/nothing
    expect_problem 404 not-found
    [[ $(header Access-Control-Allow-Origin) == '*' ]]
}

@test "Off, and what a SetHandler takes from the service, have none" {
    from $APP GET /x/n
    expect 200
    [[ $(header Vary) == Accept ]]
    lacks "${CORS[@]}"
    preflight $APP GET /x/n
    [[ $status == 204 && $(header Allow) == 'GET, HEAD, OPTIONS' ]]
    lacks "${CORS[@]}"
    from $APP GET /l/jobs
    [[ $status == 200 ]]
    lacks "${CORS[@]}"
    preflight $APP GET /l/jobs
    [[ $status == 204 ]]
    lacks "${CORS[@]}"
}
