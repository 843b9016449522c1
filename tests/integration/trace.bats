#!/usr/bin/env bats
# W3C Trace Context: continued or begun; in both logs and on upstream requests.

load ../lib/testing

TRACE=4bf92f3577b34da6a3ce929d0e0e4736
SPAN=00f067aa0ba902b7

setup_file() {
    export DSAPI_SERVICES=hungermap
    # shellcheck disable=SC2016 # httpd expands it
    dsapi_up 'LogFormat "%U %{dsapi-trace-id}n" trace
CustomLog ${HTTPD_DIR}/trace.log trace'
}

traced() {
    grep -E "^$1 $2\$" "$DSAPI_DIR/httpd/trace.log"
}

@test "a caller's trace goes into both logs" {
    req GET /foodsecurity/v1/nothing -H "traceparent: 00-$TRACE-$SPAN-01"
    expect_problem 404 not-found
    wait_until 5 traced /foodsecurity/v1/nothing "$TRACE"
    grep -E "DSAPI0003: not-found: .*00-$TRACE-[0-9a-f]{16}-01\]" \
        "$DSAPI_DIR/httpd/error.log"
    ! grep "$SPAN" "$DSAPI_DIR/httpd/error.log" || false
}

@test "without one, or with a bad one, a trace begins" {
    req GET /foodsecurity/v1/countries
    wait_until 5 traced /foodsecurity/v1/countries '[0-9a-f]{32}'
    req GET /foodsecurity/v1/status/FRA -H "traceparent: 00-$TRACE-$SPAN-0"
    wait_until 5 traced /foodsecurity/v1/status/FRA '[0-9a-f]{32}'
    ! traced /foodsecurity/v1/status/FRA "$TRACE" || false
}

@test "a job's upstream request belongs to the trace of who asked" {
    req POST '/foodsecurity/v1/fetch/COL?from=2023-06-01&to=2023-06-01' \
        -H "traceparent: 00-$TRACE-$SPAN-01"
    [[ $status == 202 ]]
    ended() {
        req GET /foodsecurity/v1/status/COL
        [[ $(json .state) == succeeded ]]
    }
    wait_until 20 ended
    stub GET /_stub/log | jq -e --arg trace "$TRACE" --arg span "$SPAN" '
        .[-1].headers.traceparent
        | test("^00-" + $trace + "-[0-9a-f]{16}-01$")
          and (contains($span) | not)'
}
