#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2030,SC2031 # status, body: set by req
# shellcheck disable=SC2016 # httpd expands it
# httpd's own authentication and authorization in front of routes: by URL and
# by method, in virtual hosts, with row-level security behind it, and no other
# spelling of a URL that gets around it.

load ../lib/testing

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "$(configuration)" "$(modules)"
    for user in ann bob eve; do
        echo "$user:$(openssl passwd -apr1 "${user:0:1}")"
    done >"$DSAPI_DIR/httpd/users"
    echo "hosted:$(openssl passwd -apr1 h)" >"$DSAPI_DIR/httpd/others"
    chmod 644 "$DSAPI_DIR/httpd/users" "$DSAPI_DIR/httpd/others"
    sql "CREATE TABLE doc (id int PRIMARY KEY, owner text NOT NULL
             DEFAULT nullif(current_setting('dsapi.user', true), ''),
             body text);
         INSERT INTO doc VALUES (1, 'ann', 'of ann'), (2, 'bob', 'of bob');
         ALTER TABLE doc ENABLE ROW LEVEL SECURITY;
         ALTER TABLE doc FORCE ROW LEVEL SECURITY;
         CREATE POLICY own ON doc USING (owner =
             nullif(current_setting('dsapi.user', true), ''))"
}

modules() {
    local name

    for name in auth_basic authn_file authz_user allowmethods alias rewrite; do
        echo "LoadModule ${name}_module \${MODULES}/mod_$name.so"
    done
}

basic() {
    printf 'AuthType Basic\nAuthName docs\nAuthUserFile ${HTTPD_DIR}/users\n'
}

configuration() {
    cat <<CONF
<DsapiService docs "/docs">
    DsapiSession user=%{REMOTE_USER}
    <DsapiRoute GET "/own">
        DsapiQuery "SELECT id, body FROM doc ORDER BY id"
    </DsapiRoute>
    <DsapiRoute GET "/own/{id}">
        DsapiParam  id int
        DsapiCache  60s
        DsapiQuery  "SELECT id, body, (random() * 1e9)::bigint AS made FROM doc WHERE id = :id"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute POST "/own">
        DsapiParam  id int required
        DsapiParam  owner text
        DsapiQuery  "INSERT INTO doc VALUES (:id, coalesce(:owner, nullif(current_setting('dsapi.user', true), '')), 'new')"
        DsapiResult none
    </DsapiRoute>
    <DsapiRoute GET "/mixed">
        DsapiQuery  "SELECT 'read'"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute PUT "/mixed">
        DsapiQuery  "SELECT 'written by ' || current_setting('dsapi.user', true)"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute DELETE "/mixed">
        DsapiQuery  "SELECT 'deleted'"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/limit">
        DsapiQuery  "SELECT 'read'"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute PUT "/limit">
        DsapiQuery  "SELECT 'written'"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/closed/{x}">
        DsapiParam  x text
        DsapiQuery  "SELECT :x"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/code/{c}">
        DsapiParam  c iso3
        DsapiQuery  "SELECT :c"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/and/both">
        DsapiQuery  "SELECT current_setting('dsapi.user', true)"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/replaced/both">
        DsapiQuery  "SELECT current_setting('dsapi.user', true)"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/few">
        DsapiQuery  "SELECT 1"
    </DsapiRoute>
</DsapiService>
<Location "/docs/own">
    $(basic)
    Require valid-user
</Location>
<Location "/docs/mixed">
    $(basic)
    <RequireAny>
        Require method GET HEAD OPTIONS
        <RequireAll>
            Require method PUT
            Require user ann
        </RequireAll>
    </RequireAny>
</Location>
<Location "/docs/limit">
    $(basic)
    <LimitExcept GET OPTIONS>
        Require valid-user
    </LimitExcept>
</Location>
<Location "/docs/closed">
    Require all denied
</Location>
<LocationMatch "(?i)^/docs/code/col\$">
    Require all denied
</LocationMatch>
<Location "/docs/and">
    $(basic)
    Require user ann bob
</Location>
<Location "/docs/and/both">
    AuthMerging And
    Require user bob eve
</Location>
<Location "/docs/replaced">
    $(basic)
    Require user ann
</Location>
<Location "/docs/replaced/both">
    Require user eve
</Location>
<Location "/docs/few">
    AllowMethods GET
</Location>
<VirtualHost *>
    ServerName first.test
</VirtualHost>
<VirtualHost *>
    ServerName hosted.test
    ServerAlias *.hosted.test
    <Location "/docs">
        AuthType Basic
        AuthName hosted
        AuthUserFile \${HTTPD_DIR}/others
        Require valid-user
    </Location>
</VirtualHost>
<VirtualHost *>
    ServerName slashes.test
    MergeSlashes Off
    AllowEncodedSlashes NoDecode
</VirtualHost>
<VirtualHost *>
    ServerName decoded.test
    AllowEncodedSlashes On
    RewriteEngine On
    RewriteRule "^/old/(.*)$" "/docs/closed/\$1" [PT]
</VirtualHost>
CONF
}

setup() {
    dsapi_test_begin
    claim_log 'AH01630: client denied by server configuration'
}

# as USER METHOD PATH [CURL ARGUMENT...]
as() {
    req "$2" "$3" -u "$1:${1:0:1}" "${@:4}"
}

# challenged REALM: 401, a problem, and told how
challenged() {
    expect_problem 401 unauthorized
    [[ $(header WWW-Authenticate) == "Basic realm=\"$1\"" ]]
    [[ -n $(header X-Request-Id) && $(header Cache-Control) == no-store ]]
}

@test "401 is a problem with its challenge, for every method" {
    local method

    claim_log 'AH01617: user ann|AH01618: user nobody'
    req GET /docs/own
    challenged docs
    expect 401 .instance /docs/own
    as ann GET /docs/own -u ann:wrong
    challenged docs
    req GET /docs/own -u nobody:n
    challenged docs
    for method in POST PUT DELETE OPTIONS; do
        req $method /docs/own
        challenged docs
    done
    req HEAD /docs/own
    [[ $status == 401 && -n $(header WWW-Authenticate) ]]
    [[ $(header Content-Type) == application/problem+json ]]
    # a path that is not there is not told to strangers, either
    req GET /docs/own/x/y
    challenged docs
    as ann GET /docs/own/x/y
    expect_problem 404 not-found
}

@test "403 is a problem, and has no challenge" {
    req GET /docs/closed/x
    expect_problem 403 forbidden
    [[ -z $(header WWW-Authenticate) ]]
    as ann GET /docs/closed/x
    expect_problem 403 forbidden
    req HEAD /docs/closed/x
    [[ $status == 403 && $(header Content-Type) == application/problem+json ]]
}

@test "row-level security by the authenticated user, reading and writing" {
    claim_log 'DSAPI0003: denied: SQLSTATE 42501'
    as ann GET /docs/own
    expect 200 'map(.body) | tojson' '["of ann"]'
    as bob GET /docs/own
    expect 200 'map(.body) | tojson' '["of bob"]'
    as eve GET /docs/own
    expect 200 tojson '[]'
    as eve POST /docs/own -d 'id=3'
    [[ $status == 204 ]]
    as eve GET /docs/own
    expect 200 'map(.id) | tojson' '[3]'
    as eve POST /docs/own -d 'id=4&owner=ann'
    expect_problem 403 denied
    [[ $(sql_super 'SELECT count(*) FROM dsapi.doc WHERE id = 4') == 0 ]]
    sql_super 'DELETE FROM dsapi.doc WHERE id = 3'
}

@test "a cached answer is its user's, and nobody's without a password" {
    local made method etag

    as ann GET /docs/own/1
    expect 200 .body 'of ann'
    made=$(json .made)
    etag=$(header ETag)
    [[ $(header Cache-Control) == 'private, max-age=60, stale-if-error=3600' ]]
    for _ in {1..6}; do     # both children
        as bob GET /docs/own/1 -H "If-None-Match: $etag"
        expect_problem 404 not-found
        req GET /docs/own/1 -H "If-None-Match: $etag"
        challenged docs
        ! grep -F -e "$made" -e 'of ann' "$RES/body" || false
    done
    for method in GET HEAD; do
        as ann $method /docs/own/1
        [[ $status == 200 && $(header Cache-Control) == private* ]]
    done
}

@test "Require method and user, together" {
    claim_log 'AH01631: user bob'
    req GET /docs/mixed
    expect 200 . read
    req HEAD /docs/mixed
    expect 200
    req OPTIONS /docs/mixed
    expect 204
    [[ $(header Allow) == 'GET, HEAD, PUT, DELETE, OPTIONS' ]]
    req PUT /docs/mixed
    challenged docs
    as ann PUT /docs/mixed
    expect 200 . 'written by ann'
    as bob PUT /docs/mixed
    challenged docs
    as ann DELETE /docs/mixed
    expect_problem 403 forbidden
    # a method that a header names is not the request's
    req DELETE /docs/mixed -H 'X-HTTP-Method-Override: GET'
    expect_problem 403 forbidden
}

@test "LimitExcept: HEAD goes with GET" {
    req GET /docs/limit
    expect 200 . read
    req HEAD /docs/limit
    expect 200
    req OPTIONS /docs/limit
    expect 204
    req PUT /docs/limit
    challenged docs
    as bob PUT /docs/limit
    expect 200 . written
    req PROPFIND /docs/limit
    challenged docs
}

@test "AllowMethods' 405 is a problem, too" {
    claim_log 'AH01623: client method denied'
    req GET /docs/few
    expect 200
    req POST /docs/few
    expect_problem 405 method-not-allowed
}

@test "AuthMerging And: both; without it the inner one alone" {
    claim_log 'AH01631: user (ann|eve)'
    as bob GET /docs/and/both
    expect 200 . bob
    for user in ann eve; do
        as $user GET /docs/and/both
        challenged docs
    done
    as eve GET /docs/replaced/both
    expect 200 . eve
    as ann GET /docs/replaced/both
    challenged docs
}

@test "no spelling of a URL gets around its <Location>" {
    local path

    for path in /docs/closed/x /docs//closed/x //docs/closed/x \
        /docs/./closed/x /docs/own/../closed/x /docs/%63losed/x \
        /docs/%2e/closed/x /docs/x/%2E%2e/closed/x /%64ocs/closed/x \
        /docs/closed//x '/docs/closed/%78' '/docs/closed/x?y=/docs/mixed' \
        "$BASE/docs/closed/x" /docs///closed///x; do
        req GET "$path"
        expect_problem 403 forbidden || {
            echo "$path"
            return 1
        }
    done
    # other resources: never the closed one
    for path in /docs/Closed/x /docs/closed%2Fx /docs/closed%252Fx \
        '/docs/closed;a=b/x' /docs%2Fclosed/x '/docs/closed\x' \
        /docs/closed%00/x /DOCS/closed/x /docs/closed./x; do
        req GET "$path"
        [[ $status == 404 || $status == 400 ]] || {
            echo "$status $path"
            return 1
        }
    done
    claim_log 'AH10244: invalid URI path'
    req GET /docs/../../docs/closed/x
    [[ $status == 400 || $status == 403 ]]
    # a full URL in the request line, and one of another host
    out=$(raw 'GET http://x/docs/%%63losed/x HTTP/1.1\r\nHost: hosted.test\r\nConnection: close\r\n\r\n')
    [[ $out == 'HTTP/1.1 403 '* ]]
    # a value in another case is the same value
    for path in COL col Col %63OL; do
        req GET "/docs/code/$path"
        expect_problem 403 forbidden
    done
    req GET /docs/code/fra
    expect 200 . FRA
}

raw() {
    local fd

    exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
    # shellcheck disable=SC2059 # escapes are meant
    printf "$1" >&"$fd"
    timeout 20 cat <&"$fd" || true
    exec {fd}>&-
}

@test "slashes that are not merged, or encoded, or rewritten" {
    for path in /docs//closed/x /docs/closed//x /docs/closed%2Fx; do
        req GET "$path" -H 'Host: slashes.test'
        [[ $status == 403 || $status == 404 ]]
        expect_problem "$status" "$(json .code)"
    done
    req GET //docs/closed/x -H 'Host: slashes.test'
    [[ $status == 403 || $status == 404 ]]
    req GET /docs%2Fclosed/x -H 'Host: slashes.test'
    expect 404
    for path in /docs/closed%2Fx /docs%2Fclosed%2Fx /docs/own%2F..%2Fclosed/x \
        /old/x; do
        req GET "$path" -H 'Host: decoded.test'
        expect_problem 403 forbidden || {
            echo "$path"
            return 1
        }
    done
}

@test "a virtual host has passwords of its own for an inherited service" {
    local host

    claim_log 'AH01618: user (ann|hosted)'
    for host in hosted.test a.hosted.test; do
        req GET /docs/few -H "Host: $host"
        challenged hosted
        req GET /docs/few -H "Host: $host" -u hosted:h
        expect 200
        as ann GET /docs/few -H "Host: $host"
        challenged hosted
    done
    req GET /docs/few -H 'Host: first.test'
    expect 200
    req GET /docs/own -u hosted:h
    challenged docs
    # what one host keeps in memory is not another's
    as ann GET /docs/own/1
    expect 200
    req GET /docs/own/1 -H 'Host: hosted.test' -u hosted:h
    expect_problem 404 not-found
}
