#!/usr/bin/env bats
# The time service (contract 5.5) and DsapiTime.
# status, body and output are set by req and configtest
# shellcheck disable=SC2154
load ../lib/testing

ZONEINFO=/usr/share/zoneinfo

setup_file() {
    export DSAPI_SERVICES=time TZ=Europe/Madrid
    dsapi_up '<DsapiService t "/t">
    <DsapiRoute GET "/bogota/{when}">
        DsapiParam when timestamp
        DsapiParam zone tz default=america/bogota
        DsapiTime  tz=:zone at=:when
    </DsapiRoute>
    <DsapiRoute GET "/now">
        DsapiTime
    </DsapiRoute>
    <DsapiRoute GET "/header">
        DsapiParam tz tz in=header
        DsapiTime
    </DsapiRoute>
</DsapiService>'
}

# answer TIME ZONE ABBREVIATION OFFSET EPOCH DST: the body
answer() {
    printf '{"time":"%s%s","timezone":"%s","abbreviation":"%s",' \
        "$1" "$4" "$2" "$3"
    printf '"offset":"%s","epoch":%s,"dst":%s}' "$4" "$5" "$6"
}

# ---- GET /time ----

@test "the time is the server's, in its zone, with microseconds" {
    local before after

    before=$EPOCHREALTIME
    req GET /time/v1/time
    after=$EPOCHREALTIME
    expect 200 .timezone Europe/Madrid
    [[ $body =~ ^\{\"time\":\"[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}\.[0-9]{6}[+]0[12]:00\",\"timezone\":\"Europe/Madrid\",\"abbreviation\":\"CES?T\",\"offset\":\"[+]0[12]:00\",\"epoch\":([0-9]{10}\.[0-9]{6}),\"dst\":(true|false)\}$ ]]
    [[ ${BASH_REMATCH[3]/./} -ge ${before/./} &&
        ${BASH_REMATCH[3]/./} -le ${after/./} ]]
    [[ $(date -d "$(json .time)" +%s.%6N) == "${BASH_REMATCH[3]}" ]]
    [[ $(header Content-Type) == 'application/json; charset=utf-8' ]]
    [[ $(header Cache-Control) == no-store ]]
    # not a cached one
    before=$body
    req GET /time/v1/time
    [[ $body != "$before" ]]
    req GET /t/now
    expect 200 .timezone Europe/Madrid
}

@test "instants and zones with known answers" {
    local tz at rest cases=0

    # zone instant | what answer() takes
    while read -r tz at rest; do
        [[ -n $tz ]] || continue
        req GET "/time/v1/time?tz=$tz&at=$at"
        # shellcheck disable=SC2086 # words
        if [[ $status != 200 || $body != "$(answer $rest)" ]]; then
            printf '%s %s:\n%s\n%s\n' "$tz" "$at" "$body" "$(answer $rest)"
            return 1
        fi
        cases=$((cases + 1))
    done <<'END'
Europe/Madrid 2026-11-20T11:00:00.123456Z 2026-11-20T12:00:00.123456 Europe/Madrid CET +01:00 1795172400.123456 false
Europe/Madrid 2024-03-31T00:59:59.999999Z 2024-03-31T01:59:59.999999 Europe/Madrid CET +01:00 1711846799.999999 false
Europe/Madrid 2024-03-31T01:00:00Z 2024-03-31T03:00:00.000000 Europe/Madrid CEST +02:00 1711846800.000000 true
Europe/Madrid 2024-10-27T00:30:00Z 2024-10-27T02:30:00.000000 Europe/Madrid CEST +02:00 1729989000.000000 true
Europe/Madrid 2024-10-27T01:30:00Z 2024-10-27T02:30:00.000000 Europe/Madrid CET +01:00 1729992600.000000 false
Europe/Madrid 1900-01-01T00:00:00Z 1899-12-31T23:45:16.000000 Europe/Madrid LMT -00:14:44 -2208988800.000000 false
Europe/Madrid 2100-07-01T00:00:00Z 2100-07-01T02:00:00.000000 Europe/Madrid CEST +02:00 4118083200.000000 true
Asia/Kathmandu 2024-01-01T00:00:00Z 2024-01-01T05:45:00.000000 Asia/Kathmandu +0545 +05:45 1704067200.000000 false
Asia/Katmandu 1985-12-31T18:29:59Z 1985-12-31T23:59:59.000000 Asia/Katmandu +0530 +05:30 504901799.000000 false
Asia/Katmandu 1985-12-31T18:30:00Z 1986-01-01T00:15:00.000000 Asia/Katmandu +0545 +05:45 504901800.000000 false
Europe/Dublin 2024-01-15T12:00:00Z 2024-01-15T12:00:00.000000 Europe/Dublin GMT +00:00 1705320000.000000 true
Europe/Dublin 2024-07-15T12:00:00Z 2024-07-15T13:00:00.000000 Europe/Dublin IST +01:00 1721044800.000000 false
Europe/Dublin 2060-01-15T12:00:00Z 2060-01-15T12:00:00.000000 Europe/Dublin GMT +00:00 2841393600.000000 true
Europe/Paris 1910-01-01T00:00:00Z 1910-01-01T00:09:21.000000 Europe/Paris PMT +00:09:21 -1893456000.000000 false
Africa/Monrovia 1960-01-01T00:00:00Z 1959-12-31T23:15:30.000000 Africa/Monrovia MMT -00:44:30 -315619200.000000 false
Australia/Lord_Howe 2024-01-01T00:00:00Z 2024-01-01T11:00:00.000000 Australia/Lord_Howe +11 +11:00 1704067200.000000 true
Australia/Lord_Howe 2070-06-01T00:00:00Z 2070-06-01T10:30:00.000000 Australia/Lord_Howe +1030 +10:30 3168806400.000000 false
America/St_Johns 2050-07-01T12:00:00Z 2050-07-01T09:30:00.000000 America/St_Johns NDT -02:30 2540289600.000000 true
America/Nuuk 2024-03-31T01:00:00Z 2024-03-31T00:00:00.000000 America/Nuuk -01 -01:00 1711846800.000000 true
America/Caracas 2016-05-01T06:59:59Z 2016-05-01T02:29:59.000000 America/Caracas -0430 -04:30 1462085999.000000 false
Pacific/Apia 2011-12-30T09:59:59Z 2011-12-29T23:59:59.000000 Pacific/Apia -10 -10:00 1325239199.000000 true
Pacific/Apia 2011-12-30T10:00:00Z 2011-12-31T00:00:00.000000 Pacific/Apia +14 +14:00 1325239200.000000 true
Pacific/Kiritimati 2100-12-31T23:59:59.999999Z 2101-01-01T13:59:59.999999 Pacific/Kiritimati +14 +14:00 4133980799.999999 false
Etc/GMT+5 2024-01-01T00:00:00Z 2023-12-31T19:00:00.000000 Etc/GMT+5 -05 -05:00 1704067200.000000 false
Etc/GMT%2B5 2024-01-01T00:00:00Z 2023-12-31T19:00:00.000000 Etc/GMT+5 -05 -05:00 1704067200.000000 false
Etc/GMT-14 2024-01-01T00:00:00Z 2024-01-01T14:00:00.000000 Etc/GMT-14 +14 +14:00 1704067200.000000 false
UTC 1969-12-31T23:59:59.999999Z 1969-12-31T23:59:59.999999 UTC UTC +00:00 -0.000001 false
Zulu 1970-01-01T00:00:00Z 1970-01-01T00:00:00.000000 Zulu UTC +00:00 0.000000 false
EST5EDT 2007-03-11T07:00:00Z 2007-03-11T03:00:00.000000 EST5EDT EDT -04:00 1173596400.000000 true
europe/MADRID 2024-03-31T02:30:00+01:00 2024-03-31T03:30:00.000000 Europe/Madrid CEST +02:00 1711848600.000000 true
Europe/Madrid 2024-03-31T02:30:00%2B01:00 2024-03-31T03:30:00.000000 Europe/Madrid CEST +02:00 1711848600.000000 true
Europe/Madrid 2024-03-30T20:30:00.5-05:00 2024-03-31T03:30:00.500000 Europe/Madrid CEST +02:00 1711848600.500000 true
Europe/Madrid 2024-03-31T01:30:00 2024-03-31T03:30:00.000000 Europe/Madrid CEST +02:00 1711848600.000000 true
END
    [[ $cases -ge 30 ]]
}

# all_zones EPOCH: what GET /time says of every zone then
all_zones() {
    local at

    at=$(date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ)
    json '.[]' | sed "s|+|%2B|; s|.*|url = \"$BASE/time/v1/time?tz=&\&at=$at\"|" |
        curl -sS --noproxy '*' --fail -w '\n' -K - |
        jq -r '[.timezone, .time, .abbreviation] | @tsv'
}

# by_date EPOCH: the same of date(1)
by_date() {
    local zone

    while read -r zone; do
        TZ=$ZONEINFO/$zone date -d "@$1" \
            "+$zone%t%Y-%m-%dT%H:%M:%S.000000%::z%t%Z"
    done < <(json '.[]') | sed -E 's/([+-][0-9:]{5}):00\t/\1\t/; s/-00:00\t/+00:00\t/'
}

@test "every zone, as date(1) has it" {
    local epoch

    req GET /time/v1/zones
    expect 200
    for epoch in -2208988800 -1693706400 -900000000 300000000 1711848600 \
        2147483648 4118083200 4133980799; do
        diff <(all_zones "$epoch") <(by_date "$epoch")
        [[ $(all_zones "$epoch" | wc -l) -gt 500 ]]
    done
}

@test "requests at once do not see one another's zones" {
    local i

    req GET /time/v1/zones
    all_zones 1711848600 >"$BATS_TEST_TMPDIR/want"
    for i in 1 2 3 4; do
        all_zones 1711848600 >"$BATS_TEST_TMPDIR/got.$i" &
    done
    wait
    for i in 1 2 3 4; do
        cmp "$BATS_TEST_TMPDIR/want" "$BATS_TEST_TMPDIR/got.$i"
    done
}

@test "an unknown zone is 400, and a near one is told" {
    local tz

    for tz in Mars/Olympus Europe Europe/ Europe/Madrid/ /Europe/Madrid \
        '../../../etc/passwd' '..%2F..%2Fetc%2Fpasswd' 'Europe/../UTC' \
        '%2Fetc%2Flocaltime' 'posix/UTC' 'right/UTC' localtime posixrules \
        tzdata.zi zone.tab leapseconds ':UTC' 'UTC%00' 'UTC%0A' '' \
        'CET-1CEST,M3.5.0,M10.5.0' '%2B01:00' 'M%C3%A1laga' \
        "$(printf '%0100d' 0)" "$(printf 'A/%.0s' {1..2000})"; do
        req GET "/time/v1/time?tz=$tz"
        expect_problem 400 invalid-parameter tz
    done
    req GET '/time/v1/time?tz=%FF'
    expect_problem 400 invalid-parameter
    req GET '/time/v1/time?tz=Europe/Madird'
    expect 400 '.errors[0].in' query '.errors[0].message' \
        'must be a zone of the time-zone database; is Europe/Madrid meant?'
    req GET '/time/v1/time?tz=kathmandu'
    expect 400 '.errors[0].message' \
        'must be a zone of the time-zone database; is Asia/Kathmandu meant?'
    req GET '/time/v1/time?tz=Mars/Olympus'
    expect 400 '.errors[0].message' 'must be a zone of the time-zone database'
}

@test "a wrong instant is 400" {
    local at

    for at in '' now 1711848600 2024-03-31 2024-13-01T00:00:00Z \
        2024-02-30T00:00:00Z 2024-03-31T24:00:00Z 2024-03-31T01:30:60Z \
        2024-03-31T01:30Z 2024-03-31T01:30:00.Z 2024-03-31T01:30:00%2B1 \
        1899-12-31T23:59:59.999999Z 2101-01-01T00:00:00Z \
        1900-01-01T00:00:00%2B00:01 2100-12-31T23:59:59-00:01 \
        0000-01-01T00:00:00Z 99999-01-01T00:00:00Z; do
        req GET "/time/v1/time?at=$at"
        expect_problem 400 invalid-parameter at
    done
    req GET '/time/v1/time?at=1800-01-01T00:00:00Z&tz=Mars'
    expect_problem 400 invalid-parameter at
}

@test "what else is wrong with a request" {
    req GET '/time/v1/time?timezone=UTC'
    expect_problem 400 invalid-parameter timezone
    req GET '/time/v1/time?tz=UTC&tz=CET'
    expect_problem 400 invalid-parameter tz
    req GET '/time/v1/zones?tz=UTC'
    expect_problem 400 invalid-parameter tz
    req POST /time/v1/time
    expect_problem 405 method-not-allowed
    [[ $(header Allow) == 'GET, HEAD, OPTIONS' ]]
    req GET /time/v1/nowhere
    expect_problem 404 not-found
    req OPTIONS /time/v1/zones
    [[ $status == 204 && $(header Allow) == 'GET, HEAD, OPTIONS' ]]
}

@test "HEAD" {
    req GET '/time/v1/time?at=2024-03-31T01:30:00Z'
    size=$(header Content-Length)
    req HEAD '/time/v1/time?at=2024-03-31T01:30:00Z'
    [[ $status == 200 && $(header Content-Length) == "$size" && -z $body ]]
    req HEAD '/time/v1/time?tz=Mars'
    [[ $status == 400 ]]
}

# ---- GET /zones ----

@test "the zones are the names of the database" {
    req GET /time/v1/zones
    expect 200 type array 'all(type == "string")' true '. == (. | sort)' true
    [[ $(header Cache-Control) == max-age=3600 ]]
    diff <(json '.[]' | LC_ALL=C sort) <(awk '$1 == "Z" { print $2 }
        $1 == "L" { print $3 }' "$ZONEINFO/tzdata.zi" | LC_ALL=C sort)
}

# ---- DsapiTime in other routes ----

@test "parameters are mapped, and a default is a zone" {
    req GET /t/bogota/2024-03-31T01:30:00Z
    expect 200 .time 2024-03-30T20:30:00.000000-05:00 .timezone America/Bogota
    req GET '/t/bogota/2024-03-31T01:30:00Z?zone=UTC'
    expect 200 .time 2024-03-31T01:30:00.000000+00:00
    req GET '/t/bogota/2024-03-31T01:30:00Z?zone=UTX'
    expect_problem 400 invalid-parameter zone
    req GET /t/header -H 'tz: Asia/Tokyo'
    expect 200 .timezone Asia/Tokyo
    [[ $(header Vary) == *tz* ]]
    req GET /t/header -H 'tz: Tokyoo'
    expect 400 '.errors[0].in' header
}

@test "years that RFC 3339 has no room for" {
    req GET '/t/bogota/9999-12-31T23:59:59Z?zone=Asia/Tokyo'
    expect 200 .time 10000-01-01T08:59:59.000000+09:00
}

# ---- without a database ----

@test "neither a database nor mod_dbd is needed" {
    local dir=$DSAPI_DIR/plain

    pg_stop
    req GET /time/v1/time
    expect 200
    httpd_config plain
    sed -i -E '/^LoadModule (dbd|watchdog)_module/d; /^DBD/d' \
        "$dir/httpd.conf"
    httpd_start plain
    req GET "http://127.0.0.1:$(<"$dir/port")/time/v1/time"
    expect 200 .timezone Europe/Madrid
    httpd_stop plain
}

# ---- the database of zones ----

# A small one, in $zones.
make_zones() {
    zones=$DSAPI_DIR/zones
    rm -rf "$zones"
    mkdir -p "$zones/Asia"
    chmod 755 "$zones" "$zones/Asia"
    cp "$ZONEINFO/UTC" "$zones/UTC"
    cp "$ZONEINFO/Asia/Tokyo" "$zones/Asia/Tokyo"
}

@test "a graceful restart brings in new zone files" {
    local url

    make_zones
    TZ=Asia/Tokyo TZDIR=$zones httpd_up zones
    url=http://127.0.0.1:$(<"$DSAPI_DIR/zones/port")/time/v1
    req GET "$url/zones"
    [[ $status == 200 && $body == '["Asia/Tokyo","UTC"]' ]]
    req GET "$url/time"
    expect 200 .timezone Asia/Tokyo .offset +09:00
    # other data under the same name, and one more name
    cp "$ZONEINFO/Europe/Madrid" "$zones/Asia/.new"
    mv "$zones/Asia/.new" "$zones/Asia/Tokyo"
    cp "$ZONEINFO/Asia/Seoul" "$zones/Asia/Seoul"
    req GET "$url/time?at=2024-01-01T00:00:00Z"
    expect 200 .offset +09:00
    req GET "$url/time?tz=Asia/Seoul"
    expect_problem 400 invalid-parameter tz
    httpd_restart_graceful zones
    req GET "$url/time?at=2024-01-01T00:00:00Z"
    expect 200 .timezone Asia/Tokyo .offset +01:00
    req GET "$url/time?tz=Asia/Seoul"
    expect 200 .timezone Asia/Seoul
    httpd_stop zones
}

@test "configtest on zone files and the server's zone" {
    make_zones
    export TZDIR=$zones TZ=Asia/Tokyo
    configtest
    [[ $status == 0 && $output != *DSAPI* ]]
    echo TZif2 >"$zones/Asia/Bad"
    configtest
    [[ $status == 0 && $output == *DSAPI0044*"$zones"*Asia/Bad* ]]
    rm "$zones/Asia/Bad"
    TZ=Europe/Madrid
    configtest
    [[ $status == 0 && $output == *'DSAPI0045: DsapiTime: the server'*'by TZ'*UTC* ]]
    rm "$zones/UTC"
    configtest
    [[ $status == 1 && $output == *"DsapiTime: there are no zone files in $zones: install tzdata, or set TZDIR"* ]]
    TZDIR=$zones/none
    configtest
    [[ $status == 1 && $output == *"DsapiTime: cannot read the zone files in $zones/none"* ]]
}
