# Countries, contract 5.2: what is stored is read and searched. The data is put
# in by hand here; how it is fetched is in countries.bats.
# shellcheck disable=SC2030,SC2031,SC2154 # status, body: set by req
# shellcheck disable=SC2016 # the dollars of jq

load ../lib/testing

S=/countries/v1
DATA=$SRV_TOP/tests/data/restcountries

setup_file() {
    export DSAPI_SERVICES=countries
    dsapi_up 'DsapiWorker Off'
    data '.[]' >"$DSAPI_DIR/documents"
    load_documents
}

# the file has empty members, which the upstream does not serve
load_documents() {
    sql 'SELECT 1' -c "CREATE TEMP TABLE d (document json)" \
        -c "\\copy d FROM $DSAPI_DIR/documents CSV DELIMITER E'\\x01' QUOTE E'\\x02'" \
        -c 'INSERT INTO countries.country (document) SELECT * FROM d' \
        -c 'SELECT countries.learn_all(json_agg(document)) FROM d' >/dev/null
    await_versions
}

# data FILTER: over the countries
data() {
    jq -c "$@" "$DATA/countries-v3.1.json"
}

# gets PATH...: ask for them all, in one run of curl; each body is a line
gets() {
    printf 'url = "%s"\n' "${@/#/$BASE$S}" |
        curl -sS --noproxy '*' -g --max-time 300 -w '\n' -K -
}

# finds QUERY [JQ CONDITION]: the search gives all the countries for which that
# holds, and there are some
finds() {
    local got want

    req GET "$S/countries?$1"
    expect 200
    got=$(json '[.[].cca3] | sort | join(" ")')
    want=$(data -r "map(select($2).cca3) | sort | join(\" \")")
    if [[ -z $want || $got != "$want" ]]; then
        printf '%s finds\n%s\nand not\n%s\n' "$1" "$got" "$want"
        return 1
    fi
}

# finds_only QUERY CODES: just these, in this order
finds_only() {
    req GET "$S/countries?$1"
    expect 200 'map(.cca3) | join(" ")' "$2"
}

# ---- GET /country/{country} ----

@test "a country is its document; headers, HEAD, 304" {
    local etag

    req GET "$S/country/New-Zealand"
    expect 200 .cca3 NZL .name.common 'New Zealand' .capital[0] Wellington
    [[ $(header Content-Type) == 'application/json; charset=utf-8' ]]
    [[ $(header Cache-Control) == 'public, max-age=60, stale-if-error=3600' ]]
    etag=$(header ETag)
    [[ -n $etag ]]
    [[ $body == "$(sql "SELECT document FROM countries.country
                         WHERE cca3 = 'NZL'")" ]]
    req GET "$S/country/new-zealand" -H "If-None-Match: $etag"
    [[ $status == 304 && -z $body && $(header ETag) == "$etag" ]]
    req HEAD "$S/country/new-zealand"
    [[ $status == 200 && -z $body && $(header ETag) == "$etag" ]]
}

@test "what is not stored: 404 says how to fetch it" {
    sql "DELETE FROM countries.country WHERE cca3 = 'FRA'"
    await_versions
    req GET "$S/country/France"
    expect_problem 404 not-found
    expect 404 .detail \
        'france is not stored: POST /countries/v1/fetch/france fetches it' \
        .instance "$S/country/France"
    req GET "$S/country/atlantis"
    expect 404 .detail \
        'atlantis is not stored: POST /countries/v1/fetch/atlantis fetches it'
    req GET "$S/country/guinea-bissauu"
    expect 404 .detail 'guinea-bissauu is not stored: POST /countries/v1/fetch/guinea-bissauu fetches it; is guinea or guinea-bissau meant?'
    req GET "$S/countries/FRA"
    expect_problem 404 not-found
    req GET "$S/names"
    expect 200 'map(select(.fetched_at | not).country) | join(" ")' france
    sql 'TRUNCATE countries.country'
    load_documents
    req GET "$S/country/France"
    expect 200 .cca3 FRA
}

@test "no status before any fetch" {
    req GET "$S/status/france"
    expect_problem 404 no-job
    expect 404 .instance "$S/status/france"
    req GET "$S/status/france-"
    expect_problem 400 invalid-parameter country
}

# ---- GET /countries/{code} ----

@test "every country by each of its codes, in any case" {
    local kind

    for kind in '.cca2 | ascii_downcase' .cca3; do
        mapfile -t paths < <(data -r ".[] | \"/countries/\" + ($kind)")
        diff <(gets "${paths[@]}" | jq -r .cca3) <(data -r '.[].cca3')
    done
    mapfile -t paths < <(data -r '.[] | select(.ccn3 != "")
        | "/countries/" + .ccn3')
    diff <(gets "${paths[@]}" | jq -r .cca3) \
        <(data -r '.[] | select(.ccn3 != "").cca3')
    [[ ${#paths[@]} == 249 ]]
    req GET "$S/countries/4"
    expect 200 .cca3 AFG
    req GET "$S/countries/fra"
    [[ $(header ETag) == W/* ]]
    req GET "$S/countries/fra" -H "If-None-Match: $(header ETag)"
    [[ $status == 304 ]]
}

@test "a code that is none, or nobody's" {
    local code

    for code in ZZ ZZZ 000 999 xx; do
        req GET "$S/countries/$code"
        expect_problem 404 not-found
    done
    for code in F FRAN F1 12A 1234 F- %20 f%C3%A9 "'"; do
        req GET "$S/countries/$code"
        expect_problem 400 invalid-parameter code
    done
}

# ---- GET /countries ----

@test "the search without filters: all, by name" {
    req GET "$S/countries"
    expect 200 length 250 '.[0] | keys_unsorted | join(" ")' \
        'country name cca2 cca3 ccn3 capital region subregion continents currencies languages population area flag fetched_at' \
        '.[0].name | tojson' \
        '{"common":"Afghanistan","official":"Islamic Republic of Afghanistan"}' \
        '.[1].name.common' 'Åland Islands' 'map(.country) | unique | length' 250
    # every member is what the document says
    diff <(jq -S 'sort_by(.cca3) | map(del(.country, .fetched_at))' \
        "$RES/body") <(data 'sort_by(.cca3) | map({name: {common:
            .name.common, official: .name.official}, cca2, cca3, ccn3:
            (.ccn3 | select(. != "") // null), capital, region, subregion:
            .subregion, continents, currencies, languages, population, area,
            flag})' | jq -S .)
    diff <(json '.[].country' | sort) <(jq -r '.canonical[].dash' \
        "$DATA/name-cases.json" | sort)
}

@test "by name: common, official, alternative; partial, accents, case" {
    finds name=guinea 'any(.name.common, .name.official, .altSpellings[];
        test("guinea"; "i"))'
    finds_only name=GUINEA-B GNB
    finds_only name=cote%20d CIV
    finds_only name=C%C3%94TE CIV
    finds_only name=ivory CIV
    finds_only name=curacao CUW
    finds_only "name=cura%C3%87ao" CUW
    finds_only name=aland%20i ALA
    finds_only name=turkiye TUR
    finds_only name=holland NLD
    finds_only name=federative%20republic BRA
    finds_only name=%D1%84%D0%B5%D0%B4%D0%B5%D1%80 RUS
    # as it is written in JSON or by hand, also over several lines
    finds_only name=new%0Azealand NZL
    # one letter, and none
    finds name=z 'any(.name.common, .name.official, .altSpellings[];
        test("[zžźẓ]"; "i"))'
    finds name= true
    finds_only name=atlantis ''
    # two names are not one
    finds_only name=france%20french ''
    finds_only name=france%0Afrench ''
}

@test "signs that SQL or patterns would mean something by" {
    local sign

    for sign in %25 _ %5C '%5C%25' '%27%20OR%201=1' '%3B' '.*' '%28' '%5B'; do
        req GET "$S/countries?name=zz$sign"
        expect 200 length 0
    done
    finds_only name=people%27s%20democratic%20republic%20of%20a DZA
    finds_only name=cocos%20%28k CCK
}

@test "by code" {
    finds_only code=fr FRA
    finds_only code=FRA FRA
    finds_only code=250 FRA
    finds_only code=8 ALB
    finds_only code=xk UNK
    finds_only code=zz ''
}

@test "by capital, region, subregion, continent" {
    finds capital=san 'any(.capital[]?; test("san"; "i"))'
    finds_only capital=sao STP
    finds_only capital=reykjavik ISL
    finds_only capital=cape ZAF
    finds region=EUROPE '.region == "Europe"'
    finds region=america '.region == "Americas"'
    finds subregion=south 'any(.subregion // ""; test("south"; "i"))'
    finds subregion=South%20America '.subregion == "South America"'
    finds continent=america 'any(.continents[]; test("america"; "i"))'
    finds continent=asia 'any(.continents[]; . == "Asia")'
}

@test "by currency and language: code and name" {
    finds currency=EUR '.currencies | has("EUR")'
    finds currency=euro 'any(.currencies[].name; test("euro"; "i"))'
    finds currency=dollar 'any(.currencies[].name; test("dollar"; "i"))'
    finds_only currency=colon CRI
    finds language=fra '.languages | any(keys[], .[]; test("fra"; "i"))'
    finds language=FRENCH 'any(.languages[]; . == "French")'
    finds_only language=guarani 'ARG BOL PRY'
}

@test "by population; both bounds count" {
    finds population_min=100000000 '.population >= 100000000'
    finds population_max=1000 '.population <= 1000'
    finds 'population_min=0&population_max=0' '.population == 0'
    max=$(data 'map(.population) | max')
    finds "population_min=$max" ".population == $max"
}

@test "several filters: all of them hold" {
    finds 'region=americas&language=spanish&population_min=10000000' \
        '.region == "Americas" and any(.languages[]; . == "Spanish")
         and .population >= 10000000'
    finds 'name=island&currency=dollar&continent=oceania' \
        'any(.name.common, .name.official, .altSpellings[];
             test("island"; "i")) and (.continents | index("Oceania"))
         and any(.currencies[].name; test("dollar"; "i"))'
    finds_only 'region=europe&name=guinea' ''
}

@test "sort" {
    local key

    for key in population area; do
        req GET "$S/countries?sort=$key"
        expect 200 "map(.$key) | . == sort" true length 250
        req GET "$S/countries?sort=-$key"
        expect 200 "map(.$key) | . == (sort | reverse)" true length 250
    done
    req GET "$S/countries?sort=code"
    expect 200 'map(.cca3) | . == sort' true
    req GET "$S/countries?sort=-code"
    expect 200 'map(.cca3) | . == (sort | reverse)' true
    req GET "$S/countries?sort=-name"
    expect 200 '.[0].country' zimbabwe '.[-1].country' afghanistan
    finds_only 'name=congo&sort=name' 'COD COG'
    finds_only 'sort=-population&limit=2' 'IND CHN'
    # what is not known comes last, either way
    sql "UPDATE countries.country SET document = jsonb_set(document::jsonb,
             '{population}', 'null')::json WHERE cca3 = 'VAT'"
    await_versions
    for key in population -population; do
        req GET "$S/countries?sort=$key"
        expect 200 '.[-1].cca3' VAT
    done
    sql 'TRUNCATE countries.country'
    load_documents
}

@test "limit and offset, with links; each country on one page" {
    local url="$S/countries?sort=-population&limit=100" seen=''

    while [[ -n $url ]]; do
        req GET "$url"
        expect 200
        seen+=$(json '.[].cca3')$'\n'
        url=$(header Link | tr ',' '\n' |
            sed -n 's/.*<\(.*\)>; rel="next".*/\1/p')
    done
    diff <(sed '/^$/d' <<<"$seen") \
        <(gets '/countries?sort=-population' | jq -r '.[].cca3')
    req GET "$S/countries?limit=300"
    expect 200 length 250
    req GET "$S/countries?limit=3&offset=249"
    expect 200 length 1
    req GET "$S/countries?offset=250"
    expect 200 length 0
}

@test "a search that cannot be: 400 names the parameter" {
    local query name

    while read -r query name; do
        req GET "$S/countries?$query"
        expect_problem 400 invalid-parameter "$name"
    done <<'END'
limit=301 limit
limit=-1 limit
limit=ten limit
offset=-1 offset
sort=size sort
sort=-fetched_at sort
sort= sort
code=FRAN code
code= code
population_min=-1 population_min
population_min=1e3 population_min
population_min=99999999999999999999 population_min
population_max=many population_max
population_min=5&population_max=4 population_max
named=france named
name=a&name=b name
END
    req GET "$S/countries?name=%FF"
    expect_problem 400 invalid-parameter
}

@test "CSV and NDJSON" {
    req GET "$S/countries?code=GNB" -H 'Accept: text/csv'
    [[ $status == 200 && $body == country,name.common,name.official,cca2,* ]]
    [[ $body == *$'\n'guinea-bissau,Guinea-Bissau,* ]]
    req GET "$S/countries?region=oceania" -H 'Accept: application/x-ndjson'
    [[ $(jq -s length "$RES/body") == 27 ]]
}

# ---- kept answers ----

@test "answers are kept until the data changes, also by hand" {
    local path="$S/countries?name=france" etag change

    for change in "DELETE FROM countries.country WHERE cca3 = 'FRA'" \
        'TRUNCATE countries.country'; do
        req GET "$path"
        expect 200 '.[0].cca3' FRA
        etag=$(header ETag)
        [[ $(header Cache-Control) == 'public, max-age=60, stale-if-error=3600' ]]
        # known to be right without asking: bytes and validator are the same
        req GET "$path" -H "If-None-Match: $etag"
        [[ $status == 304 ]]
        sql "$change"
        await_versions
        req GET "$path" -H "If-None-Match: $etag"
        expect 200 '.[0].cca3' null
        req GET "$S/country/france"
        expect_problem 404 not-found
        sql 'TRUNCATE countries.country'
        load_documents
    done
    req GET "$path"
    etag=$(header ETag)
    # a name
    req GET "$S/country/bretagne"
    expect_problem 404 not-found
    sql "INSERT INTO countries.name VALUES ('bretagne', 'FRA', 'FR', 3)"
    await_versions
    req GET "$S/country/bretagne"
    expect 200 .cca3 FRA
    sql "DELETE FROM countries.name WHERE name = 'bretagne'"
    await_versions
    # applied again, the schema changes nothing but that answers are made anew
    srv_psql "$DSAPI_DIR/pg" -1 -f "$SRV_TOP/conf/countries/schema.sql"
    await_versions
    req GET "$S/countries"
    expect 200 length 250
}

# ---- the plan ----

@test "with many countries, what is searched is found by an index" {
    local plan call

    # a plan is made for each call: auto_explain shows it
    for call in "search('zealand'" "search(NULL, 'NZL'" \
        "search(NULL, NULL, 'wellington'" \
        "search(NULL, NULL, NULL, NULL, 'melanes'" \
        "search(NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'hiri motu'"; do
        while [[ $(tr -cd ',' <<<"$call" | wc -c) -lt 9 ]]; do
            call+=', NULL'
        done
        plan=$(sql_super ROLLBACK -c "LOAD 'auto_explain'" \
            -c 'SET auto_explain.log_min_duration = 0' \
            -c 'SET auto_explain.log_nested_statements = on' \
            -c 'BEGIN' -c "INSERT INTO countries.country (document)
                SELECT json_build_object('cca2', 'X' || n, 'cca3', 'XX' || n,
                    'name', json_build_object('common', md5(n::text),
                                              'official', md5('o' || n)))
                  FROM generate_series(1, 5000) AS n" \
            -c 'ANALYZE countries.country' \
            -c 'SET client_min_messages = log' \
            -c "SELECT cca3 FROM countries.$call, 'name', 300, 0)" 2>&1)
        if [[ $plan != *'Bitmap Index Scan on country_'* ||
            $plan == *'Seq Scan'* ]]; then
            printf '%s\n%s\n' "$call" "$plan"
            return 1
        fi
    done
}

# ---- the index ----

@test "the index: what is here, and its examples work" {
    local method url list n=0

    req GET "$S/"
    expect 200 .name Countries .version 1.0 .stored 250 \
        '.description | length > 20' true \
        'all(.endpoints[]; .method and .path and .description)' true
    cp "$RES/body" "$BATS_TEST_TMPDIR/index"
    req GET "$S"
    expect 200 .name Countries
    # each route is told
    diff <(jq -r '.endpoints[] | "\(.method) \(.path)"' \
        "$BATS_TEST_TMPDIR/index" | sort) \
        <(sed -nE 's|.*<DsapiRoute (.*) "(/.+)">|\1 '"$S"'\2|p' \
            "$SRV_TOP/conf/countries/service.conf" | sort)
    while IFS=$'\t' read -r method url list; do
        req "$method" "$url" -H 'Content-Type: application/json' -d "$list"
        [[ $status == $([[ $method == GET ]] && echo 200 || echo 202) ]] || {
            printf '%s %s: %s %s\n' "$method" "$url" "$status" "$body"
            return 1
        }
        n=$((n + 1))
    done < <(jq -r '.examples[]
        | [.method, .url, (.body // {} | tojson)] | @tsv' \
        "$BATS_TEST_TMPDIR/index")
    [[ $n == 6 ]]
}

# allows METHODS: of the last answer, in the alphabet's order
allows() {
    [[ $(header Allow | tr -d ' ' | tr ',' '\n' | sort | xargs) == "$1" ]]
}

@test "a wrong method is 405 with Allow, an unknown path 404" {
    local method path

    for path in / /countries /countries/FRA /country/france /status/france \
        /names/status; do
        for method in POST PUT PATCH DELETE; do
            req "$method" "$S$path"
            expect_problem 405 method-not-allowed
            allows 'GET HEAD OPTIONS'
        done
    done
    for method in PUT PATCH DELETE; do
        for path in /fetch/france /names; do
            req "$method" "$S$path"
            expect_problem 405 method-not-allowed
            allows 'GET HEAD OPTIONS POST'
        done
    done
    req GET "$S/fetch"
    expect_problem 405 method-not-allowed
    allows 'OPTIONS POST'
    for path in /nothing /countries/ /country /country/ /countries/FRA/x \
        /fetch/ /Countries; do
        req GET "$S$path"
        expect_problem 404 not-found
    done
    req GET "$S/country/france?name=x"
    expect_problem 400 invalid-parameter name
}

# the last of this file: the client has used up its minute
@test "more than 1200 requests a minute are refused" {
    local refused

    req GET "$S/countries/FRA"
    expect 200
    [[ $(header RateLimit-Policy) == '"1200/min";q=1200;w=60' ]]
    # again where so many take so long that there are more meanwhile
    for _ in 1 2 3 4; do
        refused=$(curl -sS --noproxy '*' -o /dev/null \
            -w '%{http_code} %header{retry-after}\n' \
            "$BASE$S/countries/FRA?#[1-1500]" | grep -c '^429 1$') || true
        [[ $refused == 0 ]] || break
    done
    [[ $refused -gt 0 && $refused -lt 1500 ]]
}
