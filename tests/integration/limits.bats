#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2030,SC2031 # status, body: set by req
# shellcheck disable=SC2016 # httpd expands it
# Rate limits: who is counted, by what, before and after authentication, and
# what a client is told. Limits are of days, so that nothing comes back while
# a test runs; each test has clients of its own.

load ../lib/testing

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "$(configuration)" "$(modules)"
    for user in ann bob; do
        echo "$user:$(openssl passwd -apr1 "${user:0:1}")"
    done >"$DSAPI_DIR/httpd/users"
    chmod 644 "$DSAPI_DIR/httpd/users"
}

modules() {
    local name

    for name in auth_basic authn_file authz_user remoteip rewrite http2; do
        echo "LoadModule ${name}_module \${MODULES}/mod_$name.so"
    done
}

# route METHOD PATH [DIRECTIVES]
route() {
    printf '<DsapiRoute %s "%s">\nDsapiQuery "SELECT 1"\n%s\n</DsapiRoute>\n' "$@"
}

configuration() {
    cat <<CONF
Protocols h2c http/1.1
RemoteIPHeader X-Client
RemoteIPInternalProxy 127.0.0.1
LogFormat "%a %U %>s %P %<{dsapi-limit}n" limits
CustomLog \${HTTPD_DIR}/limits.log limits
ErrorDocument 404 /some/error
<DsapiService few "/few">
    DsapiRateLimit 3/d
    $(route GET /x 'DsapiCache 60s')
    $(route GET /own 'DsapiRateLimit 2/h burst=4 cost=2
DsapiRateLimit 10/d')
    $(route POST /own)
</DsapiService>
<DsapiService many "/many">
    DsapiRateLimit 1000/d
    $(route GET /x)
</DsapiService>
<DsapiService some "/some">
    DsapiRateLimit 20/d name=whole
    $(route GET /x)
    $(route GET /error)
    $(route GET /tight 'DsapiRateLimit 2/d name=tight')
    $(route POST /tight 'DsapiRateLimit 2/d name=tight')
</DsapiService>
<DsapiService who "/who">
    DsapiRateLimit 5/d name=address
    DsapiRateLimit 2/d by=user
    $(route GET /open)
    $(route GET /closed)
</DsapiService>
<Location "/who/closed">
    AuthType Basic
    AuthName who
    AuthUserFile \${HTTPD_DIR}/users
    Require valid-user
</Location>
<DsapiService tenants "/tenants">
    DsapiRateLimit 2/d by="expr:%{HTTP:X-Tenant}"
    DsapiRateExempt 203.0.113.77 203.0.113.128/25
    DsapiRateExempt 2001:db8:77::/48
    $(route GET /x)
    $(route GET /all 'DsapiRateLimit 3/d by=expr:all name=all')
</DsapiService>
<DsapiService shadow "/shadow">
    DsapiRateLimit 2/d shadow
    DsapiRateLimit 4/d
    $(route GET /x)
</DsapiService>
<DsapiService plain "/plain">
    $(route GET /x)
    $(route GET /limited 'DsapiRateLimit 1/d')
</DsapiService>
<Location "/shadow">
    ErrorDocument 429 /plain/x
</Location>
<Location "/few/status">
    SetHandler server-status
</Location>
<Location "/few/again">
    RewriteEngine On
    RewriteRule ^ /few/x [L]
</Location>
<VirtualHost *>
    ServerName first.test
</VirtualHost>
<VirtualHost *>
    ServerName other.test
</VirtualHost>
CONF
}

# from CLIENT METHOD PATH [CURL ARGUMENT...]
from() {
    req "$2" "$3" -H "X-Client: $1" "${@:4}"
}

# left TEXT: what RateLimit says, but for the times
left() {
    [[ $(header RateLimit | sed 's/;t=[0-9]*//g') == "$1" ]] || {
        printf 'RateLimit: %s, not %s\n' "$(header RateLimit)" "$1"
        return 1
    }
}

# refused NAME: by the limit of that name
refused() {
    expect_problem 429 quota-exceeded
    [[ $(json .detail) == "the limit \"$1\" is used up; try again in $(header Retry-After) s" ]]
    [[ $(header RateLimit) == "\"$1\";r=0;t="* ]]
    [[ $(header Cache-Control) == no-store && -n $(header X-Request-Id) ]]
}

@test "a client has its number, and then 429" {
    local n

    from 192.0.2.1 GET /few/x
    expect 200
    [[ $(header RateLimit-Policy) == '"3/d";q=3;w=86400' ]]
    [[ $(header RateLimit) == '"3/d";r=2;t=28800' ]]
    [[ -z $(header Retry-After) ]]
    for n in 1 0; do
        from 192.0.2.1 GET /few/x
        expect 200
        left "\"3/d\";r=$n"
    done
    for n in 1 2 3; do
        from 192.0.2.1 GET /few/x
        refused 3/d
        [[ $(header RateLimit-Policy) == '"3/d";q=3;w=86400' ]]
        [[ $(header Retry-After) -gt 28000 && $(header Retry-After) -le 28800 ]]
        [[ $(header RateLimit) == "\"3/d\";r=0;t=$(header Retry-After)" ]]
        expect 429 .title 'Too Many Requests' .instance /few/x .type about:blank
    done
    from 192.0.2.2 GET /few/x
    expect 200
    left '"3/d";r=2'
    # elsewhere nobody is counted
    from 192.0.2.1 GET /plain/x
    expect 200
    [[ -z $(header RateLimit) && -z $(header RateLimit-Policy) ]]
}

@test "an IPv6 client is its first 64 bits" {
    from 2001:db8:1:2::1 GET /few/x
    from 2001:db8:1:2:ffff::9 GET /few/x
    left '"3/d";r=1'
    from 2001:db8:1:3::1 GET /few/x
    left '"3/d";r=2'
    from ::ffff:192.0.2.3 GET /few/x
    from 192.0.2.3 GET /few/x
    left '"3/d";r=1'
}

@test "all under the base counts, errors too; a route's method is its own" {
    from 192.0.2.10 GET /few/nothing
    expect_problem 404 not-found
    left '"3/d";r=2'
    from 192.0.2.10 PUT /few/x
    expect_problem 405 method-not-allowed
    left '"3/d";r=1'
    from 192.0.2.10 GET '/few/x?y=1'
    expect_problem 400 invalid-parameter
    left '"3/d";r=0'
    from 192.0.2.10 POST /few/own
    refused 3/d
    # HEAD is a GET; OPTIONS has no route's limits
    from 192.0.2.11 HEAD /few/own
    [[ $status == 200 ]]
    left '"2/h";r=2, "3/d";r=2, "10/d";r=9'
    [[ $(header RateLimit-Policy) == '"3/d";q=3;w=86400, "10/d";q=10;w=86400, "2/h";q=4;w=7200' ]]
    from 192.0.2.11 OPTIONS /few/own
    expect 204
    left '"3/d";r=1'
    from 192.0.2.11 OPTIONS /few/own
    from 192.0.2.11 OPTIONS /few/own
    expect 429
    [[ $(header RateLimit) == '"3/d";r=0;'* ]]
    from 192.0.2.11 HEAD /few/x
    [[ $status == 429 && -n $(header Retry-After) ]]
}

@test "a preflight is not counted, unless it tells who asks" {
    local -a preflight=(-H 'Origin: https://example.org'
        -H 'Access-Control-Request-Method: GET')
    local n

    for n in 1 2 3 4 5; do
        from 192.0.2.12 OPTIONS /few/x "${preflight[@]}"
        expect 204
        [[ -z $(header RateLimit) ]]
    done
    from 192.0.2.12 OPTIONS /few/x "${preflight[@]}" -u ann:a
    left '"3/d";r=2'
    from 192.0.2.12 OPTIONS /few/x "${preflight[@]}" -H 'Cookie: session=1'
    left '"3/d";r=1'
    from 192.0.2.12 OPTIONS /few/x -H 'Origin: https://example.org'
    left '"3/d";r=0'
}

@test "cost, burst, and a time that begins with what is used" {
    local n

    # 4 units, 2 each; they come back one in half an hour
    for n in 1 2; do
        from 192.0.2.13 GET /few/own
        expect 200
    done
    from 192.0.2.13 GET /few/own
    refused 2/h
    [[ $(header Retry-After) -gt 3500 && $(header Retry-After) -le 3600 ]]
    # what the others had counted they have given back
    left '"2/h";r=0, "3/d";r=1, "10/d";r=8'
    from 192.0.2.13 POST /few/own
    left '"3/d";r=0'
}

@test "limits of one name are one; a refusal costs nothing" {
    local n

    from 192.0.2.20 GET /some/tight
    left '"tight";r=1, "whole";r=19'
    from 192.0.2.20 POST /some/tight
    left '"tight";r=0, "whole";r=18'
    for n in 1 2 3 4 5; do
        from 192.0.2.20 GET /some/tight
        refused tight
        from 192.0.2.20 POST /some/tight
        refused tight
    done
    from 192.0.2.20 GET /some/x
    expect 200
    left '"whole";r=17'
}

@test "children share what is counted, and so do virtual hosts" {
    local n=0 pids

    both() {
        from 192.0.2.30 GET /many/x -H "Host: $((n % 2 ? 1 : 0)).test"
        expect 200 || return 1
        n=$((n + 1))
        pids=$(awk '$1 == "192.0.2.30" { print $4 }' \
            "$DSAPI_DIR/httpd/limits.log" | sort -u | wc -l)
        [[ $pids -ge 2 && $n -gt 20 ]]
    }
    wait_until 60 both
    from 192.0.2.30 GET /many/x -H 'Host: other.test'
    left "\"1000/d\";r=$((1000 - n - 1))"
}

@test "requests at once get no more than there is" {
    curl -sS --noproxy '*' -Z --parallel-max 12 -o /dev/null \
        -H 'X-Client: 192.0.2.31' -w '%{http_code}\n' \
        "$BASE/some/x?[1-60]" >"$BATS_TEST_TMPDIR/codes"
    sort "$BATS_TEST_TMPDIR/codes" | uniq -c
    [[ $(grep -c '^400$' "$BATS_TEST_TMPDIR/codes") == 20 ]]
    [[ $(grep -c '^429$' "$BATS_TEST_TMPDIR/codes") == 40 ]]
}

@test "wrong passwords are limited by client, before anybody looks at them" {
    local n

    claim_log 'AH01617: user ann'
    for n in 1 2 3 4 5; do
        from 192.0.2.40 GET /who/closed -u ann:wrong
        expect_problem 401 unauthorized
        left "\"address\";r=$((5 - n))"
        [[ $(header RateLimit-Policy) == '"address";q=5;w=86400, "2/d by user";q=2;w=86400' ]]
    done
    from 192.0.2.40 GET /who/closed -u ann:wrong
    refused address
    [[ -z $(header WWW-Authenticate) ]]
    # also the right one, from there
    from 192.0.2.40 GET /who/closed -u ann:a
    refused address
    [[ $(grep -c 'AH01617: user ann' "$DSAPI_DIR/httpd/error.log") == 5 ]]
}

@test "by user, wherever from; without one by client" {
    local n

    from 192.0.2.50 GET /who/closed -u bob:b
    expect 200
    left '"2/d by user";r=1, "address";r=4'
    from 192.0.2.51 GET /who/closed -u bob:b
    left '"2/d by user";r=0, "address";r=4'
    for n in 1 2 3 4 5 6 7; do
        from 192.0.2.52 GET /who/closed -u bob:b
        refused '2/d by user'
        left '"2/d by user";r=0, "address";r=5' # given back
    done
    for n in 1 0; do
        from 192.0.2.53 GET /who/open
        expect 200
        left "\"2/d by user\";r=$n, \"address\";r=$((3 + n))"
    done
    from 192.0.2.53 GET /who/open
    refused '2/d by user'
    from 192.0.2.54 GET /who/open
    expect 200
}

@test "by an expression; a constant is one for all; an empty one, too" {
    from 192.0.2.60 GET /tenants/x -H 'X-Tenant: red'
    left '"2/d by expr";r=1'
    from 192.0.2.61 GET /tenants/x -H 'X-Tenant: red'
    left '"2/d by expr";r=0'
    from 192.0.2.62 GET /tenants/x -H 'X-Tenant: red'
    refused '2/d by expr'
    [[ -z $(header Vary) ]]
    from 192.0.2.62 GET /tenants/x -H 'X-Tenant: blue'
    expect 200
    from 192.0.2.60 GET /tenants/x
    from 192.0.2.61 GET /tenants/x
    expect 200
    from 192.0.2.62 GET /tenants/x
    refused '2/d by expr'
    for n in 1 2 3; do
        from "192.0.2.6$n" GET /tenants/all -H "X-Tenant: $n"
        expect 200
    done
    from 192.0.2.64 GET /tenants/all -H 'X-Tenant: 4'
    refused all
}

@test "exempt clients are not counted" {
    local client n

    for client in 203.0.113.77 203.0.113.200 2001:db8:77:1::1; do
        for n in 1 2 3 4; do
            from "$client" GET /tenants/x -H 'X-Tenant: green'
            expect 200
            [[ -z $(header RateLimit) && -z $(header RateLimit-Policy) ]]
        done
    done
    from 203.0.113.78 GET /tenants/x -H 'X-Tenant: green'
    left '"2/d by expr";r=1'
}

@test "a shadow refuses nobody, and is seen in the logs only" {
    local n

    for n in 3 2 1 0; do
        from 192.0.2.70 GET /shadow/x
        expect 200
        left "\"4/d\";r=$n"
        [[ $(header RateLimit-Policy) == '"4/d";q=4;w=86400' ]]
    done
    from 192.0.2.70 GET /shadow/x
    refused 4/d
    logged() {
        [[ $(awk '$1 == "192.0.2.70" { print $3, $5 }' \
            "$DSAPI_DIR/httpd/limits.log" | tr '\n' ' ') == \
            '200 - 200 - 200 2/d 200 2/d 429 4/d ' ]]
    }
    wait_until 10 logged
    [[ $(grep -c 'DSAPI0052: the limit "2/d" would refuse, were it no shadow' \
        "$DSAPI_DIR/httpd/error.log") == 3 ]]
    [[ $(grep -c 'DSAPI0052: the limit "4/d" refuses' \
        "$DSAPI_DIR/httpd/error.log") == 1 ]]
}

@test "a limit of a route alone" {
    from 192.0.2.80 GET /plain/limited
    expect 200
    left '"1/d";r=0'
    from 192.0.2.80 GET /plain/limited
    refused 1/d
    from 192.0.2.80 GET /plain/x
    expect 200
    [[ -z $(header RateLimit-Policy) ]]
}

@test "redirects within httpd and error documents do not count again" {
    from 192.0.2.90 GET /few/again/x
    expect 200
    left '"3/d";r=2'
    # the ErrorDocument is a limited route
    from 192.0.2.90 GET /some/nothing
    expect_problem 404 not-found
    left '"whole";r=19'
    from 192.0.2.90 GET /elsewhere
    [[ $status == 404 && -z $(header RateLimit) ]]
    from 192.0.2.90 GET /some/x
    left '"whole";r=18'
    # where a SetHandler takes over, the service has no say
    from 192.0.2.90 GET /few/status
    expect 200
    [[ $body == *'Apache'* && -z $(header RateLimit) ]]
    from 192.0.2.90 GET /few/x
    left '"3/d";r=1'
}

@test "what is kept counts, and 304" {
    local etag

    from 192.0.2.95 GET /few/x
    etag=$(header ETag)
    from 192.0.2.95 GET /few/x
    expect 200
    left '"3/d";r=1'
    from 192.0.2.95 GET /few/x -H "If-None-Match: $etag"
    [[ $status == 304 ]]
    left '"3/d";r=0'
    from 192.0.2.95 GET /few/x -H "If-None-Match: $etag"
    refused 3/d
}

@test "HTTP/2" {
    local n

    for n in 2 1 0; do
        from 192.0.2.96 GET /few/x --http2-prior-knowledge
        expect 200
        [[ $(head -c 7 "$RES/headers") == HTTP/2\  ]]
        left "\"3/d\";r=$n"
    done
    from 192.0.2.96 POST /few/own --http2-prior-knowledge -d "$(printf '%099999d' 1)"
    refused 3/d
    from 192.0.2.96 GET /few/x
    refused 3/d
}

@test "a body that is not read does not break the connection" {
    local n

    for n in 1 2 3; do
        from 192.0.2.97 GET /few/x
    done
    curl -sS --noproxy '*' -H 'X-Client: 192.0.2.97' -o /dev/null \
        -w '%{http_code} %{num_connects}\n' --data "$(printf '%09999d' 1)" \
        "$BASE/few/own" --next -sS --noproxy '*' -o /dev/null \
        -w '%{http_code} %{num_connects}\n' "$BASE/plain/x" \
        >"$BATS_TEST_TMPDIR/two"
    [[ $(<"$BATS_TEST_TMPDIR/two") == $'429 1\n200 0' ]]
}

@test "a graceful restart keeps what was counted, another size does not" {
    from 192.0.2.100 GET /few/x
    from 192.0.2.100 GET /some/tight
    left '"tight";r=1, "whole";r=19'
    httpd_restart_graceful
    from 192.0.2.100 GET /few/x
    left '"3/d";r=1'
    # another quota of the same name goes on with what is used
    httpd_config httpd "$(configuration | sed '
        s/2\/d name=tight/2\/d burst=3 name=tight/')" "$(modules)"
    httpd_restart_graceful
    from 192.0.2.100 GET /some/tight
    left '"tight";r=1, "whole";r=18'
    httpd_config httpd "DsapiRateStore shm:1M
$(configuration)" "$(modules)"
    httpd_restart_graceful
    from 192.0.2.100 GET /few/x
    left '"3/d";r=2'
    # and from nothing to something, and back
    httpd_config httpd '' "$(modules)"
    httpd_restart_graceful
    from 192.0.2.100 GET /few/x
    [[ $status == 404 ]]
    httpd_config httpd "DsapiRateStore shm:1M
$(configuration)" "$(modules)"
    httpd_restart_graceful
    from 192.0.2.100 GET /few/x
    left '"3/d";r=1'
    httpd_config httpd "$(configuration)" "$(modules)"
    httpd_restart_graceful
}

@test "the shipped fetch routes share a limit" {
    local BASE

    DSAPI_SERVICES=hungermap httpd_up shipped '' 'Define HUNGERMAP_LIMIT 3/d'
    BASE=http://127.0.0.1:$(<"$DSAPI_DIR/shipped/port")
    req POST '/foodsecurity/v1/fetch/COL'
    expect 202
    left '"fetch";r=2'
    req GET '/foodsecurity/v1/fetch/BFA'
    expect 202
    left '"fetch";r=1'
    [[ $(header Cache-Control) == no-store ]]
    req POST '/foodsecurity/v1/fetch/nowhere'
    expect_problem 400 invalid-parameter
    req GET '/foodsecurity/v1/fetch/BFA'
    refused fetch
    [[ $(sql 'SELECT count(*) FROM dsapi.job') == 2 ]]
    req GET /foodsecurity/v1/status/BFA
    expect 200 .iso3 BFA
    [[ -z $(header RateLimit) ]]
    httpd_stop shipped
    rm -r "$DSAPI_DIR/shipped"
}

@test "more clients than places: nobody who is refused gets free" {
    local BASE

    claim_log 'DSAPI0053'
    httpd_up small "DsapiRateStore shm:64K
<DsapiService s \"/s\">
    DsapiRateLimit 20/d by=expr:%{QUERY_STRING}
    $(route GET /x)
</DsapiService>"
    BASE=http://127.0.0.1:$(<"$DSAPI_DIR/small/port")
    for _ in {1..20}; do
        req GET '/s/x?heavy'
        expect 400
    done
    req GET '/s/x?heavy'
    refused '20/d by expr'
    # 4,096 places
    curl -sS --noproxy '*' -o /dev/null -w '%{http_code}\n' \
        "$BASE/s/x?[1-12000]" >"$BATS_TEST_TMPDIR/codes"
    [[ $(sort "$BATS_TEST_TMPDIR/codes" | uniq -c | tr -s ' ') == ' 12000 400' ]]
    req GET '/s/x?heavy'
    refused '20/d by expr'
    grep -E 'DSAPI0053: .* have forgotten [1-9][0-9]* who' \
        "$DSAPI_DIR/small/error.log"
    httpd_stop small
    rm -r "$DSAPI_DIR/small"
}
