#!/usr/bin/env bats
# Rows as JSON, CSV and NDJSON by Accept, and page by page.

load ../lib/testing

setup_file() {
    export DSAPI_SERVICES=none
    # shellcheck disable=SC2016 # $q$ is SQL
    dsapi_up '<DsapiService t "/t">
        <DsapiRoute GET "/values">
            <DsapiSQL>
                SELECT 1 AS "area.id", $q$a,b "c"$q$ AS "area.name", NULL AS gone,
                       $q$$q$ AS empty, true AS yes, 1.50 AS n,
                       timestamptz $q$2024-03-31 01:00:00+00$q$ AS at,
                       ARRAY[1,2] AS list, json $q${"k":"v"}$q$ AS doc,
                       $q$x$q$ AS "@etag"
                 UNION ALL
                SELECT 2, $q$two
lines$q$, NULL, $q$ blank $q$, false, 2, timestamptz $q$infinity$q$, NULL, json $q$"s"$q$, NULL
            </DsapiSQL>
        </DsapiRoute>
        <DsapiRoute GET "/none">
            DsapiQuery "SELECT 1 AS a, 2 AS b WHERE false"
        </DsapiRoute>
        <DsapiRoute GET "/one">
            DsapiQuery "SELECT 1 AS a"
            DsapiResult row
        </DsapiRoute>
        <DsapiRoute GET "/page">
            DsapiParam odd bool default=false
            DsapiParam q text
            DsapiPage 10 max=20
            DsapiQuery "SELECT i FROM generate_series(1, 25) AS i WHERE :q::text IS NULL OR :odd ORDER BY i LIMIT :limit OFFSET :offset"
        </DsapiRoute>
    </DsapiService>'
}

@test "CSV by Accept: RFC 4180, one line a row, names with dots" {
    req GET /t/values -H 'Accept: text/csv'
    [[ $status == 200 ]]
    [[ $(header Content-Type) == 'text/csv; charset=utf-8; header=present' ]]
    [[ $(header Vary) == *Accept* ]]
    printf '%s\r\n' \
        'area.id,area.name,gone,empty,yes,n,at,list,doc' \
        '1,"a,b ""c""",,"",true,1.50,2024-03-31T01:00:00+00:00,"[1,2]","{""k"":""v""}"' \
        $'2,"two\nlines",," blank ",false,2,infinity,,"""s"""' \
        >"$BATS_TEST_TMPDIR/want"
    sed -i 's/+00:00/ZONE/' "$BATS_TEST_TMPDIR/want"
    sed -E 's/T0[0-9]:00:00[+-][0-9:]+/T01:00:00ZONE/' "$RES/body" \
        >"$BATS_TEST_TMPDIR/got"
    diff "$BATS_TEST_TMPDIR/want" "$BATS_TEST_TMPDIR/got"
}

@test "NDJSON by Accept: one object a line" {
    req GET /t/values -H 'Accept: application/x-ndjson'
    [[ $status == 200 && $(header Content-Type) == application/x-ndjson ]]
    [[ $(wc -l <"$RES/body") == 2 ]]
    jq -s -e 'map(.area.id) == [1, 2] and .[0].list == [1, 2]' "$RES/body"
}

@test "without rows: a header line, nothing, an empty array" {
    req GET /t/none -H 'Accept: text/csv'
    [[ $(<"$RES/body") == $'a,b\r' ]]
    req GET /t/none -H 'Accept: application/x-ndjson'
    [[ $status == 200 && ! -s $RES/body ]]
    req GET /t/none
    expect 200 . '[]'
}

@test "JSON unless something else is wanted more; what is not to be had is 406" {
    local accept

    for accept in '*/*' application/json 'text/html, */*;q=0.1' \
        'text/csv, application/json'; do
        req GET /t/values -H "Accept: $accept"
        expect 200 length 2
    done
    req GET /t/values -H 'Accept: application/json;q=0.5, text/csv'
    [[ $(header Content-Type) == text/csv* ]]
    req GET /t/values -H 'Accept: text/html'
    expect_problem 406 not-acceptable
    req GET /t/one -H 'Accept: text/html'
    expect 200 .a 1
}

@test "HEAD has the type and length of the form that is asked for" {
    local length

    req GET /t/values -H 'Accept: text/csv'
    length=$(header Content-Length)
    req HEAD /t/values -H 'Accept: text/csv'
    [[ $status == 200 && $(header Content-Length) == "$length" ]]
    [[ $(header Content-Type) == text/csv* ]]
}

# The target of a link relation in $RES/headers.
link_of() {
    header Link | tr ',' '\n' | sed -nE "s/^ *<([^>]*)>; rel=\"$1\"\$/\1/p"
}

@test "pages follow their links from the first to the last and back" {
    local url='/t/page?q=a%20b%26c&odd=true' i=0
    local -a sizes=() firsts=()

    while [[ -n $url ]]; do
        req GET "$url"
        expect 200
        sizes+=("$(json length)")
        firsts+=("$(json '.[0].i')")
        url=$(link_of next)
        ((++i < 9))
    done
    [[ ${sizes[*]} == '10 10 5' && ${firsts[*]} == '1 11 21' ]]
    [[ $(link_of first) == '/t/page?q=a%20b%26c&odd=true&limit=10&offset=0' ]]
    req GET "$(link_of prev)"
    [[ $(json '.[0].i') == 11 ]]
    req GET "$(link_of prev)"
    [[ $(json '.[0].i') == 1 && -z $(link_of prev) ]]
}

@test "a last page that is full has no next" {
    req GET '/t/page?limit=5&offset=20'
    expect 200 length 5
    [[ -z $(link_of next) && -n $(link_of prev) ]]
    req GET '/t/page?limit=5&offset=19'
    expect 200 length 5
    [[ $(link_of next) == '/t/page?limit=5&offset=24' ]]
    req GET '/t/page?limit=20&offset=100'
    expect 200 length 0
}

@test "limit and offset are checked" {
    req GET '/t/page?limit=21'
    expect_problem 400 invalid-parameter limit
    req GET '/t/page?limit=0'
    expect_problem 400 invalid-parameter limit
    req GET '/t/page?offset=-1'
    expect_problem 400 invalid-parameter offset
}

@test "mistakes are found by configtest" {
    local line

    while IFS='|' read -r line want; do
        configtest "<DsapiService x \"/x\">
            <DsapiRoute GET \"/\">
            $line
            DsapiQuery \"SELECT 1\"
            </DsapiRoute>
            </DsapiService>"
        echo "$line: $output"
        [[ $status != 0 && $output == *"$want"* ]]
    done <<'CASES'
DsapiPage x|takes the size of a page
DsapiPage 0|takes the size of a page
DsapiPage 50 max=10|takes the size of a page
DsapiPage 50 500|takes the size of a page
CASES
    configtest '<DsapiService x "/x">
        <DsapiRoute GET "/">
        DsapiParam limit int
        DsapiPage 50
        DsapiQuery "SELECT 1"
        </DsapiRoute>
        </DsapiService>'
    [[ $status != 0 && $output == *"DsapiPage declares 'limit'"* ]]
    configtest '<DsapiService x "/x">
        <DsapiRoute GET "/">
        DsapiPage 50
        DsapiResult row
        DsapiQuery "SELECT 1"
        </DsapiRoute>
        </DsapiService>'
    [[ $status != 0 && $output == *'goes with GET and DsapiResult rows'* ]]
}
