#!/usr/bin/env bats
# What the documentation shows is what happens: its examples are executed.

load ../lib/testing

# The Nth block of a language in a file.
block() {
    awk -v lang="\`\`\`$2" -v want="$3" '
        $0 == "```" && on { exit }
        on
        $0 == lang && ++n == want { on = 1 }' "$TOP/$1"
}

setup_file() {
    local n

    TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    export TOP
    # both examples are parts of one service: the same name and base
    # shellcheck disable=SC2016 # httpd expands it
    dsapi_up "$(block README.md apache 1)
$(block conf/README.md apache 2)
$(block conf/README.md apache 4 |
        sed 's|/etc/apache2/readers|${HTTPD_DIR}/readers|')
$(block conf/README.md apache 5)
$(block conf/README.md apache 6)
$(block conf/README.md apache 7)
$(block conf/README.md apache 8)
$(block conf/README.md apache 9)
<DsapiService rates \"/rates\">
$(block conf/README.md apache 3 | sed "s|https://rates.example.org|\${UPSTREAM}|")
$(block conf/README.md apache 11)
</DsapiService>" 'LoadModule auth_basic_module ${MODULES}/mod_auth_basic.so
LoadModule authn_file_module ${MODULES}/mod_authn_file.so
LoadModule authz_user_module ${MODULES}/mod_authz_user.so'
    printf 'ann:%s\n' "$(openssl passwd -apr1 a)" >"$DSAPI_DIR/httpd/readers"
    chmod 644 "$DSAPI_DIR/httpd/readers"
    for n in 1 2 3; do
        sql "$(block conf/README.md sql "$n")" >/dev/null
    done
    sql 'CREATE TABLE rate (day date, code text, value numeric,
                            PRIMARY KEY (day, code))' >/dev/null
    req POST '/foodsecurity/v1/fetch/COL?from=2022-06-01&to=2022-06-02'
    wait_until 30 loaded
}

loaded() {
    req GET /foodsecurity/v1/status/COL
    [[ $(json .state) == succeeded ]]
}

# Runs the Nth curl of README.md against this file's httpd.
curl_of() {
    local line

    line=$(grep -E '^curl ' "$TOP/README.md" | sed -n "$1p")
    line=${line//http:\/\/127.0.0.1:8080/$BASE}
    bash -c "curl -s ${line#curl }"
}

@test "README: the first curl and its answer" {
    diff <(curl_of 1) <(block README.md json 1 | tr -d '\n')
}

@test "README: an API of one's own and its answer" {
    diff <(curl_of 2) <(block README.md json 2 | tr -d '\n')
    req GET /parts/v1/areas/x
    expect_problem 400 invalid-parameter id
}

# What any httpd.conf has; nothing of ours, nor of mod_dbd's.
any_httpd_conf() {
    local module

    echo "ServerRoot $(srv_quote "$1")
ServerName 127.0.0.1
Listen 127.0.0.1:$2
PidFile httpd.pid
DefaultRuntimeDir run
ErrorLog error.log"
    for module in mpm_event unixd authz_core; do
        srv_load "$module"
    done
    [[ $EUID != 0 ]] || printf 'User %s\nGroup %s\n' \
        "$SRV_WEB_USER" "$SRV_WEB_GROUP"
    echo '<Directory "/">
    Require all denied
</Directory>'
}

# shellcheck disable=SC2154 # body is set by req
@test "conf/README: the least that httpd needs" {
    local dir=$DSAPI_DIR/least fragment url

    fragment=$(block conf/README.md apache 1)
    [[ $fragment == *'"host=/run/postgresql dbname=app '* ]]
    fragment=$(sed -E "s|^(DBDParams *)\".*|\1@conninfo@|
        s|modules/mod_dsapi.so|@dsapi@|; s|modules/|$SRV_MODULES/|" \
        <<<"$fragment")
    fragment=${fragment/@conninfo@/"$(srv_quote "$CONNINFO")"}
    fragment=${fragment/@dsapi@/"$(srv_quote "$BUILD/mod_dsapi.so")"}
    mkdir -p "$dir/run"
    chmod 711 "$dir"
    srv_free_port >"$dir/port"
    {
        any_httpd_conf "$dir" "$(<"$dir/port")"
        echo "$fragment"
    } >"$dir/httpd.conf"
    # shellcheck disable=SC2016 # the backquotes are text
    url=$(grep -oE '`GET /hello/[^`]*`' "$TOP/conf/README.md" |
        tr -d '`' | cut -d ' ' -f 2)
    srv_httpd_start "$dir" "http://127.0.0.1:$(<"$dir/port")$url"
    req GET "http://127.0.0.1:$(<"$dir/port")$url"
    [[ $status == 200 ]]
    grep -F "\`GET $url\` answers \`$body\`" "$TOP/conf/README.md"
}

@test "conf/README: an API of one's own" {
    req GET /parts/v1/parts/7
    grep -F "$(<"$RES/body")" "$TOP/conf/README.md"
    req GET /parts/v1/parts/x
    expect_problem 400 invalid-parameter id
    req POST /parts/v1/parts -H 'Content-Type: application/json' \
        -d '{"name": "Nut"}'
    expect_problem 400 invalid-parameter price
    req POST /parts/v1/parts -H 'Content-Type: application/json' \
        -d '{"name": "Nut", "price": 0.05}'
    expect 201 .name Nut
    req GET "$(header Location)"
    expect 200 .price.amount 0.05
}

@test "conf/README: an upstream in ten lines" {
    ended() {
        [[ $(sql "SELECT state FROM dsapi.job
                   WHERE source = 'rates/rates'") == succeeded ]]
    }
    stub POST /_stub/answers '{"path": "/daily?date=2026-01-31",
        "headers": {"Content-Type": "application/json"},
        "body": "[{\"code\": \"USD\", \"value\": 1.25}]"}' >/dev/null
    req POST /rates/fetch/2026-01-31
    [[ $status == 202 ]]
    wait_until 20 ended
    [[ $(sql 'SELECT * FROM rate') == '2026-01-31|USD|1.25' ]]
}

# shellcheck disable=SC2154 # body is set by req
@test "conf/README: row-level security" {
    req GET /loans/v1/titles
    expect_problem 401 unauthorized
    req GET /loans/v1/titles -u ann:a
    grep -F "\`GET /loans/v1/titles\` answers \`$body\` to ann" \
        "$TOP/conf/README.md"
    req POST /loans/v1/loans -u ann:a -H 'Content-Type: application/json' \
        -d '{"title": "Fog"}'
    expect 201
    req GET "$(header Location)" -u ann:a
    expect 200 .title Fog .reader ann
}

# shellcheck disable=SC2154 # body is set by req
@test "conf/README: a series and a metric in six lines" {
    req GET /sales/v1/monthly
    [[ $body == '[{"shop":"Delft"'* ]]
    grep -F "\`$body\`" "$TOP/conf/README.md"
    sql "INSERT INTO sale VALUES ('2026-02-02', 'Delft', 3)" >/dev/null
    grown() {
        req GET /sales/v1/monthly
        [[ $(json '.[0].months[0].total') == 7 ]]
    }
    wait_until 20 grown
}

@test "conf/README: a resource, and what is below its rows" {
    local zeros=00000000-0000-4000-8000-00000000000

    sql "INSERT INTO visits.property (id, name, price)
            VALUES ('${zeros}1', 'a', 200), ('${zeros}2', 'b', 50);
        INSERT INTO visits.visit (property_id, visited_at)
            VALUES ('${zeros}1', now()), ('${zeros}1', now())" >/dev/null
    req GET '/homes/v1/properties?select=name,visits(*)&price=gt.100&order=name'
    expect 200 '.[].visits | length' 2 'map(.name) | join(",")' a
    req GET "/homes/v1/properties/${zeros}2"
    expect 200 .name b
    req GET "/homes/v1/properties/${zeros}1/visits"
    expect 200 length 2
}

@test "conf/README: rate limits" {
    req GET /exports/v1/rates
    expect 200
    diff <(block conf/README.md http 1) <(
        echo "RateLimit-Policy: $(header RateLimit-Policy)"
        echo "RateLimit: $(header RateLimit)"
    )
}

# shellcheck disable=SC2154,SC2016 # body is set by req; the backquotes are text
@test "conf/README: the time" {
    local url n=0

    while read -r url; do
        req GET "$url"
        if [[ $url == */zones ]]; then
            [[ $body == '["Africa/Abidjan","Africa/Accra",'* ]]
        else
            grep -F "\`GET $url\` answers \`$body\`" "$TOP/conf/README.md"
        fi
        n=$((n + 1))
    done < <(grep -oE '`GET /(clocks|time)/[^`]*`' "$TOP/conf/README.md" |
        tr -d '\`' | cut -d ' ' -f 2)
    [[ $n == 3 ]]
}

# shellcheck disable=SC2016 # the backquotes are text
@test "conf/README: the countries" {
    local url n=0

    fetched() {
        req GET /countries/v1/status/cote-d-ivoire
        [[ $(json .state) == succeeded ]]
    }
    req POST /countries/v1/fetch/cote-d-ivoire
    wait_until 30 fetched
    await_versions
    while read -r url; do
        req GET "$url"
        case $url in
        */) expect 200 .stored 1 ;;
        *\?*)
            sed -i -E 's/("fetched_at":")[^"]*/\1…/' "$RES/body"
            grep -F "\`GET $url\` answers \`$(<"$RES/body")\`" \
                "$TOP/conf/README.md"
            ;;
        *) expect 200 .cca3 CIV ;;
        esac
        n=$((n + 1))
    done < <(grep -oE '`GET /countries/[^`]*`' "$TOP/conf/README.md" |
        tr -d '\`' | cut -d ' ' -f 2)
    [[ $n == 4 ]]
}
