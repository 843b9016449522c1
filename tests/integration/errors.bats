#!/usr/bin/env bats
# Errors that others make under a base, and what of a request is never told.

load ../lib/testing

setup_file() {
    export DSAPI_SERVICES=none
    # shellcheck disable=SC2016 # httpd expands it
    dsapi_up '<DsapiService e "/e">
        <DsapiRoute GET "/cast">
            DsapiParam t text
            DsapiQuery "SELECT :t::int AS i"
        </DsapiRoute>
        <DsapiRoute GET "/range">
            DsapiParam from date
            DsapiParam to date min=:from
            DsapiQuery "SELECT :from::date AS a, :to::date AS b"
        </DsapiRoute>
        <DsapiRoute POST "/bare/{id}">
            DsapiParam id int
            DsapiQuery "SELECT :id AS id"
        </DsapiRoute>
        <DsapiRoute GET "/closed">
            DsapiQuery "SELECT 1"
        </DsapiRoute>
    </DsapiService>
    ErrorDocument 403 /error.html
    Alias "/error.html" "${HTTPD_DIR}/error.html"
    <Directory "${HTTPD_DIR}">
        Require all granted
    </Directory>
    <Location "/e/closed">
        Require all denied
    </Location>
    <Location "/outside">
        Require all denied
    </Location>' 'LoadModule alias_module ${MODULES}/mod_alias.so'
    echo '<p>custom</p>' >"$DSAPI_DIR/httpd/error.html"
    chmod 644 "$DSAPI_DIR/httpd/error.html"
}

@test "an ErrorDocument elsewhere leaves a service's errors problems" {
    claim_log 'AH01630: client denied by server configuration'
    req GET /e/closed
    expect_problem 403 forbidden
    expect 403 .instance /e/closed
    [[ -n $(header X-Request-Id) ]]
    req GET /outside
    [[ $status == 403 && $(<"$RES/body") == '<p>custom</p>' ]]
}

@test "what httpd refuses before it knows the URL carries a request id, too" {
    req GET '/e/cast/%00/x'
    expect_problem 400 bad-request
    expect 400 .detail 'the path holds a NUL (%00)'
    [[ -n $(header X-Request-Id) ]]
    req GET '/e/cast%2Fx'
    expect_problem 404 not-found
    [[ -n $(header X-Request-Id) ]]
    req GET '/e/cast%2Fx?%00'
    expect_problem 404 not-found
    req GET '/outside%00'
    [[ $status == 404 ]]
}

@test "no value of a request is in the error log" {
    req GET '/e/cast?t=SECRET-42'
    expect_problem 400 invalid-value
    grep -E 'DSAPI0003: invalid-value: SQLSTATE 22P02: .*"\.\.\."' \
        "$DSAPI_DIR/httpd/error.log"
    req GET '/e/range?from=2023-06-02&to=2023-06-01'
    expect_problem 400 invalid-parameter to
    grep "DSAPI0003: invalid-parameter: query 'to'" \
        "$DSAPI_DIR/httpd/error.log"
    req GET /e/bare/SECRET-42
    expect_problem 405 method-not-allowed
    grep -E 'DSAPI0003: invalid-value: .* \[GET /e/cast\] \[[0-9a-f]{8}-' \
        "$DSAPI_DIR/httpd/error.log" # the route, and the request's id
    grep -F ' [GET /e] ' "$DSAPI_DIR/httpd/error.log" # of no route, the service
    ! grep -E 'SECRET-42|2023-06-0' "$DSAPI_DIR/httpd/error.log" || false
}

@test "a route without body parameters does not parse large bodies" {
    req POST /e/bare/1 -H 'Content-Type: application/json' -d '{}'
    expect 200 '.[0].id' 1
    req POST /e/bare/1 -H 'Content-Type: application/json' -d '{"a":1}'
    expect_problem 400 invalid-parameter a
    head -c 2000 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/large"
    req POST /e/bare/1 -H 'Content-Type: application/json' \
        --data-binary "@$BATS_TEST_TMPDIR/large"
    expect_problem 413 body-too-large
}
