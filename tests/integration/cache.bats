#!/usr/bin/env bats
# DsapiCache: validators, 304, one query for many equal requests, answers while
# the database is away, and never one user's answer for another.

load ../lib/testing

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "$(configuration)"
    printf 'ann:%s\nbob:%s\n' "$(openssl passwd -apr1 a)" \
        "$(openssl passwd -apr1 b)" >"$DSAPI_DIR/httpd/users"
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
DsapiDBTimeout 1s
<DsapiService p "/p">
    <DsapiRoute GET "/open">
        DsapiCache 60s
        DsapiQuery "SELECT (random() * 1e9)::bigint AS made"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/slow">
        DsapiDBTimeout 20s
        DsapiCache 60s
        DsapiQuery "SELECT (random() * 1e9)::bigint AS made, pg_sleep(2.5) IS NULL AS slept"
    </DsapiRoute>
    <DsapiRoute GET "/moved">
        DsapiCache 60s
        DsapiStatus 203
        DsapiQuery "SELECT (random() * 1e9)::bigint AS made, '/p/open' AS \"@location\""
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/named/{name}">
        DsapiParam name text
        DsapiQuery "SELECT :name AS made, '\"' || :name || '\"' AS \"@etag\""
        DsapiResult row
    </DsapiRoute>
</DsapiService>
<DsapiService c "/c">
    DsapiSession tenant="%{HTTP:X-Tenant}"
    <DsapiRoute GET "/n/{key}">
        DsapiParam key text
        DsapiParam wait number default=0
        DsapiCache 60s
        DsapiWrite Off
        DsapiDBTimeout 20s
        DsapiQuery "SELECT :key AS key, (random() * 1e9)::bigint AS made, current_setting('dsapi.tenant', true) AS tenant, pg_sleep(:wait) IS NULL AS slept"
    </DsapiRoute>
    <DsapiRoute GET "/short">
        DsapiCache 1s
        DsapiQuery "SELECT (random() * 1e9)::bigint AS made"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/who">
        DsapiCache 60s
        DsapiQuery "SELECT (random() * 1e9)::bigint AS made"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/all">
        DsapiCache 60s public
        DsapiQuery "SELECT (random() * 1e9)::bigint AS made"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/missing">
        DsapiCache 60s
        DsapiQuery "SELECT 1 AS one WHERE false"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/page">
        DsapiCache 60s
        DsapiPage 2
        DsapiQuery "SELECT i FROM generate_series(1, 5) AS i LIMIT :limit OFFSET :offset"
    </DsapiRoute>
</DsapiService>
<LocationMatch "^/c/(who|all)$">
    AuthType Basic
    AuthName c
    AuthUserFile ${HTTPD_DIR}/users
    Require valid-user
</LocationMatch>
<Location "/c/">
    SetOutputFilter DEFLATE
</Location>
CONF
}

made() {
    json 'if type == "array" then .[0].made else .made end'
}

@test "the same question gets the same answer, another one its own" {
    local first

    req GET /c/n/a
    expect 200
    first=$(made)
    [[ $(header Cache-Control) == 'private, max-age=60, stale-if-error=3600' ]]
    [[ $(header ETag) =~ ^\"[0-9a-f]{32}\"$ ]]
    req GET /c/n/a
    [[ $(made) == "$first" ]]
    req GET '/c/n/a?wait=0.0'
    [[ $(made) != "$first" ]]
    req GET /c/n/b
    [[ $(made) != "$first" ]]
}

@test "304 where the client has it, also with a compressed answer's validator" {
    local etag long

    req GET /c/n/etag
    etag=$(header ETag)
    req GET /c/n/etag -H "If-None-Match: $etag"
    [[ $status == 304 && ! -s $RES/body && $(header ETag) == "$etag" ]]
    [[ $(header Cache-Control) == 'private, max-age=60, stale-if-error=3600' ]]
    req GET /c/n/etag -H "If-None-Match: \"x\", W/$etag"
    [[ $status == 304 ]]
    req GET /c/n/etag -H "If-None-Match: \"x\""
    [[ $status == 200 ]]
    req HEAD /c/n/etag -H "If-None-Match: $etag"
    [[ $status == 304 ]]
    long=$(printf 'x%.0s' {1..500}) # mod_deflate leaves small ones alone
    req GET "/c/n/$long" -H 'Accept-Encoding: gzip'
    [[ $(header Content-Encoding) == gzip && $(header ETag) == *-gzip\" ]]
    req GET "/c/n/$long" -H "If-None-Match: $(header ETag)"
    [[ $status == 304 ]]
}

@test "a form, a page and a session's value each have their own answer" {
    local json

    req GET /c/n/form
    json=$(made)
    req GET /c/n/form -H 'Accept: text/csv'
    [[ $(header Content-Type) == text/csv* && $(<"$RES/body") != *"$json"* ]]
    req GET /c/n/form -H 'X-Tenant: t'
    expect 200 '.[0].tenant' t
    [[ $(made) != "$json" ]]
    req GET /c/page
    req GET /c/page
    [[ $(header Link) == *'offset=2>; rel="next"'* ]]
    req GET '/c/page?offset=4'
    expect 200 length 1
}

@test "never one user's answer for another, unless the route says public" {
    local ann

    req GET /c/who -u ann:a
    ann=$(made)
    [[ $(header Cache-Control) == 'private, max-age=60, stale-if-error=3600' ]]
    req GET /c/who -u bob:b
    [[ $(made) != "$ann" ]]
    req GET /c/who -u ann:a
    [[ $(made) == "$ann" ]]
    req GET /c/all -u ann:a
    ann=$(made)
    [[ $(header Cache-Control) == 'public, max-age=60, stale-if-error=3600' ]]
    req GET /c/all -u bob:b
    [[ $(made) == "$ann" ]]
    req GET /c/all
    expect_problem 401 unauthorized
}

@test "an answer to somebody's credentials is private, whoever checked them" {
    local open

    req GET /p/open
    [[ $(header Cache-Control) == 'public, max-age=60, stale-if-error=3600' ]]
    open=$(made)
    req GET /p/open -H 'Authorization: Bearer abc'
    [[ $(header Cache-Control) == 'private, max-age=60, stale-if-error=3600' ]]
    req GET /p/open
    [[ $(made) == "$open" ]]
}

@test "an answer from the cache has its Location" {
    local first

    req GET /p/moved
    [[ $status == 203 && $(header Location) == /p/open ]]
    first=$(made)
    req GET /p/moved
    [[ $status == 203 && $(header Location) == /p/open ]]
    [[ $(made) == "$first" ]]
}

@test "@etag without DsapiCache: 304 where the client has it" {
    req GET /p/named/a
    expect 200 .made a
    [[ $(header ETag) == '"a"' ]]
    req GET /p/named/a -H 'If-None-Match: "b", "a"'
    [[ $status == 304 && -z $body && $(header ETag) == '"a"' ]]
    req GET /p/named/b -H 'If-None-Match: "a"'
    expect 200 .made b
}

@test "who waits for a slow answer waits as long as its route may take" {
    local i

    for i in 1 2 3; do
        curl -s "$BASE/p/slow" -o "$BATS_TEST_TMPDIR/$i" &
    done
    wait
    [[ $(cat "$BATS_TEST_TMPDIR"/[123] | jq -r '.[0].made' | sort -u | wc -l) == 1 ]]
}

@test "a stampede of equal requests is one query" {
    local i

    for ((i = 0; i < 6; i++)); do
        curl -s "$BASE/c/n/stampede?wait=0.3" -o "$BATS_TEST_TMPDIR/$i" &
    done
    wait
    [[ $(cat "$BATS_TEST_TMPDIR"/* | jq -r '.[0].made' | sort -u | wc -l) == 1 ]]
}

@test "an answer lives for its time" {
    local first

    req GET /c/short
    first=$(made)
    renewed() {
        req GET /c/short
        [[ $status == 200 && $(made) != "$first" ]]
    }
    wait_until 10 renewed
}

@test "errors are not kept" {
    req GET /c/missing
    expect_problem 404 not-found
    [[ $(header Cache-Control) == no-store ]]
}

@test "while the database is away: what is fresh, and what was" {
    local first

    claim_log 'DSAPI0003: database-unavailable'
    claim_log '(AH00(629|632|633|636|639)|AH02655)'
    req GET /c/n/kept
    first=$(made)
    req GET /c/short
    pg_stop
    req GET /c/n/kept
    [[ $status == 200 && $(made) == "$first" ]]
    stale() {
        req GET /c/short
        [[ $status == 200 && $(header Cache-Status) == 'mod_dsapi; hit; ttl=-'* ]]
    }
    wait_until 10 stale
    [[ $(header Age) -ge 1 ]]
    req GET /c/n/unseen
    expect_problem 503 database-unavailable
    pg_start
    back() {
        req GET /c/short
        [[ $status == 200 && -z $(header Cache-Status) ]]
    }
    wait_until 15 back
}

@test "mistakes are found by configtest" {
    local line

    for line in 'DsapiCache 10' 'DsapiCache 10s shared' 'DsapiCache 500ms' \
        'DsapiCache'; do
        configtest "<DsapiService x \"/x\">
            <DsapiRoute GET \"/\">
            $line
            DsapiQuery \"SELECT 1\"
            </DsapiRoute>
            </DsapiService>"
        echo "$line: $output"
        [[ $status != 0 && $output == *DsapiCache:\ take* ]]
    done
    configtest '<DsapiService x "/x">
        <DsapiRoute POST "/">
        DsapiCache 10s
        DsapiQuery "SELECT 1"
        </DsapiRoute>
        </DsapiService>'
    [[ $status != 0 && $output == *'DsapiCache goes with GET'* ]]
    configtest 'DsapiCacheSize big'
    [[ $status != 0 && $output == *'DsapiCacheSize: takes a size'* ]]
}
