# One upstream request: whom it is sent to, over what, with what; and which
# answers are good.
# shellcheck disable=SC2030,SC2031,SC2154 # status, body: set by req
# shellcheck disable=SC2016 # the dollars of configuration and jq

bats_require_minimum_version 1.5.0
load ../lib/testing

JSON='"headers": {"Content-Type": "application/json"}'
PRIVATE='the host has no public address, and is not in DsapiAllowHost'

setup_file() {
    export TLS_PORT PROXY_PORT VIA_PORT SESAME=open-sesame
    export http_proxy=http://127.0.0.1:1 all_proxy=http://127.0.0.1:1
    export DSAPI_SERVICES=none
    TLS_PORT=$(srv_free_port)
    PROXY_PORT=$(srv_free_port)
    VIA_PORT=$(srv_free_port)
    claim_log AH01906 # the certificate is its own authority
    claim_log AH01873 # nor does it need a cache of sessions
    claim_log AH01882 # OpenSSL here is another one than mod_ssl was built with
    dsapi_up
    mkdir "$DSAPI_DIR/edge"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=edge \
        -keyout "$DSAPI_DIR/edge/key" -out "$DSAPI_DIR/edge/cert" \
        -addext 'subjectAltName=IP:127.0.0.1,DNS:edge.test' 2>"$DSAPI_DIR/edge/openssl.log"
    head -c 30000000 /dev/zero | tr '\0' ' ' >"$DSAPI_DIR/edge/blanks"
    httpd_up edge "$(edge)"
    sql 'CREATE TABLE kept (source text, key text, body json)'
    httpd_config httpd "$(services)"
    httpd_restart_graceful
}

# source_of NAME DIRECTIVES: a source of one parameter, key, and its routes
source_of() {
    cat <<END
    <DsapiSource $1>
        DsapiParam key text required
        DsapiStore "INSERT INTO kept VALUES ('$1', :key, :body)"
        DsapiRetry 2 first=50ms max=50ms
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
    local tls=https://127.0.0.1:$TLS_PORT
    local by_name=http://localhost:${UPSTREAM##*:}

    cat <<END
ServerAdmin ops@example.org
<DsapiService up "/up">
    $(source_of plain 'DsapiFetch "${UPSTREAM}/x/{key}"
        DsapiHeader "Authorization: Bearer %{SESAME}"')
    $(source_of name "DsapiFetch \"$by_name/x/{key}\"")
    $(source_of listed "DsapiFetch \"$by_name/x/{key}\"
        DsapiAllowHost LOCALHOST")
    $(source_of both 'DsapiFetch "${UPSTREAM}/x/{key}"
        DsapiHeader "Authorization: Bearer %{SESAME}"
        DsapiAllowHost localhost')
    $(source_of post 'DsapiFetch POST "${UPSTREAM}/x"')
    $(source_of graph 'DsapiFetch POST "${UPSTREAM}/x"
        DsapiFetchBody '\''{"query": "q", "variables": {"k": ":key"}}'\')
    $(source_of envelope 'DsapiFetch "${UPSTREAM}/x/{key}"
        DsapiExpect status=200,404 type=text/*,application/json
        DsapiExpect pointer=/body pointer=""')
    $(source_of strict 'DsapiFetch "${UPSTREAM}/x/{key}"
        DsapiExpect pointer=/body')
    $(source_of stall 'DsapiFetch "${UPSTREAM}/x/{key}"
        DsapiTimeout 10min stall=200ms')
    $(source_of bomb "DsapiFetch \"$tls/blanks?{key}\"
        DsapiUpstreamCA $DSAPI_DIR/edge/cert
        DsapiMaxBody 1M")
    $(source_of strange "DsapiFetch \"$tls/x/{key}\"")
    $(source_of trusted "DsapiFetch \"$tls/x/{key}\"
        DsapiUpstreamCA $DSAPI_DIR/edge/cert")
</DsapiService>
Listen 127.0.0.1:$VIA_PORT
<VirtualHost *:$VIA_PORT>
    DsapiProxy http://127.0.0.1:$PROXY_PORT
    <DsapiService via "/via">
        $(source_of plain "DsapiFetch \"$by_name/x/{key}\"")
        $(source_of tls "DsapiFetch \"$tls/x/{key}\"
            DsapiUpstreamCA $DSAPI_DIR/edge/cert")
        $(source_of refused 'DsapiFetch "https://127.0.0.1:1/x/{key}"')
    </DsapiService>
</VirtualHost>
END
}

# edge: TLS in front of the stand-in, and a forward proxy
edge() {
    local module

    for module in ssl http2 proxy proxy_http proxy_connect deflate filter \
        alias; do
        srv_load "$module"
    done
    cat <<END
DsapiWorker Off
LogFormat "%H %m %U" edge
Listen 127.0.0.1:$TLS_PORT
<VirtualHost *:$TLS_PORT>
    ServerName edge.test
    SSLEngine On
    SSLCertificateFile $DSAPI_DIR/edge/cert
    SSLCertificateKeyFile $DSAPI_DIR/edge/key
    Protocols h2 http/1.1
    CustomLog $DSAPI_DIR/edge/tls.log edge
    Alias /blanks $DSAPI_DIR/edge/blanks
    <Location /blanks>
        ForceType application/json
        SetOutputFilter DEFLATE
    </Location>
    ProxyPass /blanks !
    ProxyPass / \${UPSTREAM}/
</VirtualHost>
Listen 127.0.0.1:$PROXY_PORT
<VirtualHost *:$PROXY_PORT>
    ProxyRequests On
    AllowCONNECT $TLS_PORT
    CustomLog $DSAPI_DIR/edge/proxy.log "%r"
</VirtualHost>
END
}

setup() {
    dsapi_test_begin
    stub DELETE /_stub/answers >"$BATS_TEST_TMPDIR/stub"
    stub DELETE /_stub/log >"$BATS_TEST_TMPDIR/stub"
    # one lock at a time: workers have some, too
    sql 'TRUNCATE dsapi.validator'
    sql 'TRUNCATE dsapi.job, kept'
}

# answer MEMBERS: the stand-in's next answer has them
answer() {
    stub POST /_stub/answers "{$1}" >"$BATS_TEST_TMPDIR/stub"
}

# good [BODY]: it is this JSON
good() {
    answer "$JSON, \"body\": $(jq -n --arg body "${1:-[1]}" '$body')"
}

# ends URL STATE [FILTER VALUE]...: the job that is asked for there
ends() {
    local url=$1 state=$2

    shift 2
    req POST "$url"
    expect 202
    wait_until 20 ended "$url"
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

# ---- whom it is sent to ----

@test "a name that stands for a private address is refused, unless listed" {
    ends /up/name/a failed .attempts 1 .error "$PRIVATE"
    [[ $(log length) == 0 ]]
    good
    ends /up/listed/a succeeded
    [[ $(log length) == 1 ]]
}

@test "redirects lead to listed hosts only, and secrets to none of them" {
    local there=http://localhost:${UPSTREAM##*:}/there

    answer "\"status\": 302, \"headers\": {\"Location\": \"$there\"}"
    ends /up/plain/a failed .attempts 1 \
        .error 'redirected, but the host is not allowed'
    [[ $(log length) == 1 ]]
    answer "\"status\": 302, \"headers\": {\"Location\": \"$there\"}"
    good
    ends /up/both/a succeeded
    [[ $(log '.[-2:] | map(.target) | join(" ")') == '/x/a /there' ]]
    [[ $(log '.[-2].headers.Authorization') == 'Bearer open-sesame' ]]
    [[ $(log '.[-1].headers | has("Authorization")') == false ]]
}

@test "an upstream is told whom to write to" {
    good
    ends /up/plain/a succeeded
    [[ $(log '.[0].headers["User-Agent"]') == \
        'mod_dsapi (Apache httpd; ops@example.org)' ]]
    [[ $(log '.[0].headers["Accept-Encoding"]') == *gzip*br* ]]
}

# ---- over what ----

@test "a certificate that is not trusted is refused; with its authority not" {
    ends /up/strange/a failed .attempts 2 \
        .error 'TLS failed: the certificate is not trusted'
    [[ $(log length) == 0 ]]
    good
    ends /up/trusted/a succeeded
    # written when all has been sent
    wait_until 10 grep -q '^HTTP/2.0 GET /x/a' "$DSAPI_DIR/edge/tls.log"
}

@test "a redirect from https to http is not followed" {
    answer "\"status\": 302,
        \"headers\": {\"Location\": \"$UPSTREAM/there\"}"
    ends /up/trusted/a failed .attempts 1 \
        .error 'redirected, but from https to http'
    [[ $(log length) == 1 ]]
}

@test "a proxy is used where it is set, and the environment's is not" {
    local via=http://127.0.0.1:$VIA_PORT/via

    claim_log 'AH00898: Connect to remote machine blocked'
    good '[2]'
    ends "$via/plain/a" succeeded
    wait_until 10 grep -q '^GET http://localhost:[0-9]*/x/a ' \
        "$DSAPI_DIR/edge/proxy.log"
    good '[3]'
    ends "$via/tls/b" succeeded
    [[ $(sql 'SELECT key, body FROM kept ORDER BY key' | xargs) == \
        'a|[2] b|[3]' ]]
    ends "$via/refused/a" failed .attempts 2 \
        .error 'the proxy refused the connection'
    # only the virtual host's
    good
    ends /up/plain/c succeeded
    run ! grep /x/c "$DSAPI_DIR/edge/proxy.log"
    # a tunnel is logged when it ends
    httpd_restart_graceful
    wait_until 20 grep -q "^CONNECT 127.0.0.1:$TLS_PORT " \
        "$DSAPI_DIR/edge/proxy.log"
}

@test "an upstream that falls silent is left, long before the time is over" {
    answer "$JSON, \"body\": \"[1, 2, 3]\", \"stall_after_bytes\": 3,
        \"times\": 0"
    ends /up/stall/a failed .attempts 2 .error 'timed out: no data came'
}

@test "what inflates beyond the limit is cut" {
    ends /up/bomb/a failed .attempts 1 \
        .error 'the answer is larger than 1048576 bytes'
    [[ $(sql 'SELECT count(*) FROM kept') == 0 ]]
}

# ---- with what ----

@test "POST sends the parameters, or the body that is configured" {
    good
    ends /up/post/a%22b succeeded
    [[ $(log '.[0].method') == POST ]]
    [[ $(log '.[0].body | fromjson | tojson') == '{"key":"a\"b"}' ]]
    [[ $(log '.[0].headers["Content-Type"]') == application/json ]]
    good
    ends /up/graph/a%22b succeeded
    [[ $(log '.[1].body | fromjson | tojson') == \
        '{"query":"q","variables":{"k":"a\"b"}}' ]]
}

@test "what has not changed is not stored again" {
    local known='"headers": {"Content-Type": "application/json",
        "ETag": "\"v1\"", "Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT"}'

    answer "$known, \"body\": \"[1]\""
    ends /up/plain/a succeeded .result null
    answer '"status": 304'
    req POST /up/plain/a
    expect 202
    wait_until 20 unchanged
    expect 200 .state succeeded .error null
    [[ $(log '.[1].headers["If-None-Match"]') == '"v1"' ]]
    [[ $(log '.[1].headers["If-Modified-Since"]') == \
        'Sat, 21 Nov 2026 10:00:00 GMT' ]]
    [[ $(sql 'SELECT count(*) FROM kept') == 1 ]]
    # the source is another one now: what it would store may be, too
    httpd_config httpd "$(services | sed 's/VALUES (/VALUES  (/')"
    httpd_restart_graceful
    good '[2]'
    ends /up/plain/a succeeded .result null
    [[ $(log '.[2].headers | has("If-None-Match")') == false ]]
    [[ $(sql 'SELECT count(*) FROM kept') == 2 ]]
    httpd_config httpd "$(services)"
    httpd_restart_graceful
}

unchanged() {
    req GET /up/plain/a
    [[ $status == 200 && $body == *'"result":{"unchanged":true}'* ]]
}

# ---- which answers are good ----

@test "DsapiExpect: status, type, and the part that is stored" {
    answer '"status": 404, "headers": {"Content-Type": "text/plain"},
        "body": "{\"body\": [7]}"'
    ends /up/envelope/a succeeded
    good '[8]'
    ends /up/envelope/b succeeded
    [[ $(sql 'SELECT key, body FROM kept ORDER BY key' | xargs) == \
        'a|[7] b|[8]' ]]
    answer '"status": 201, "body": "[9]"'
    ends /up/envelope/c failed .attempts 1 .error 'the upstream answered 201'
    answer '"headers": {"Content-Type": "image/png"}, "times": 2'
    ends /up/envelope/d failed .attempts 2 \
        .error 'the upstream answered image/png, not text/*,application/json'
    good '{"body": [7]}'
    ends /up/strict/a succeeded
    good '{"error": "busy"}'
    good '{"error": "busy"}'
    ends /up/strict/b failed .attempts 2 \
        .error "the upstream's answer has no /body"
}

@test "the last answer that failed is kept, for psql alone and without secrets" {
    answer '"status": 403, "headers": {"Content-Type": "text/plain"},
        "body": "Bearer open-sesame is not known"'
    ends /up/plain/a failed .error 'the upstream answered 403 Forbidden' \
        'keys | map(select(startswith("response"))) | length' 0
    [[ $body != *sesame* ]]
    [[ $(sql "SELECT response_status, response_type,
                     convert_from(response_body, 'UTF8') FROM dsapi.job") == \
        '403|text/plain|Bearer *********** is not known' ]]
    run ! grep -rq open-sesame "$DSAPI_DIR/httpd/error.log"
}
