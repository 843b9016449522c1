# Countries, contract 5.2: fetched by name from the upstream stand-in, which has
# the real data of REST Countries, stored, searched. `make run` includes the same
# configuration.
# shellcheck disable=SC2030,SC2031,SC2154 # status, body: set by req
# shellcheck disable=SC2016 # the dollars of jq

load ../lib/testing

S=/countries/v1
DATA=$SRV_TOP/tests/data/restcountries

setup_file() {
    export DSAPI_SERVICES=countries
    dsapi_up '' 'Define RESTCOUNTRIES_RETRY "3 first=50ms max=100ms"'
    wait_until 30 names_known
    fetch_all
}

setup() {
    dsapi_test_begin
    stub DELETE /_stub/answers >"$BATS_TEST_TMPDIR/stub"
    stub DELETE /_stub/log >"$BATS_TEST_TMPDIR/stub"
    NEWEST=$(sql 'SELECT coalesce(max(id), 0) FROM dsapi.job')
}

names_known() {
    req GET "$S/names"
    [[ $(json length) == 250 ]]
}

# fetch_all: every country, in one request; and every child knows that they are
# there
fetch_all() {
    bulk "$(cases '[.canonical[].dash]')"
    expect 202 length 250
    wait_until 120 jobs_ended
    await_versions
}

# cases FILTER: jq over the list of names
cases() {
    jq -c "$@" "$DATA/name-cases.json"
}

# data FILTER: over the countries
data() {
    jq -rc "$@" "$DATA/countries-v3.1.json"
}

# bulk TEXT: POST /fetch with it
bulk() {
    printf '%s' "$1" >"$DSAPI_DIR/list"
    req POST "$S/fetch" -H 'Content-Type: application/json' \
        --data-binary "@$DSAPI_DIR/list"
}

jobs_ended() {
    [[ $(sql "SELECT count(*) FROM dsapi.job
               WHERE state IN ('queued', 'running')") == 0 ]]
}

# job NAME [FIELD]: of the newest job of a country, in this test; its state
job() {
    sql "SELECT ${2:-state} FROM dsapi.job
          WHERE source = 'countries/country' AND id > $NEWEST
            AND params ->> 'country' = '$1' ORDER BY id DESC LIMIT 1"
}

jobs() {
    sql "SELECT count(*) FROM dsapi.job WHERE id > $NEWEST"
}

# fetch NAME STATE: until its job has ended: as STATE
fetch() {
    req POST "$S/fetch/$1"
    expect 202
    await "$(header Location)" "$2"
}

await() {
    wait_until 60 job_ended "$1"
    expect 200 .state "$2"
}

job_ended() {
    req GET "$1"
    [[ $status == 200 && $(json .state) == @(succeeded|failed) ]]
}

# asked: what the stand-in was asked for
asked() {
    stub GET /_stub/log | jq -r '.[].target'
}

# answer PATH BODY [STATUS]: the stand-in's next answer there
answer() {
    stub POST /_stub/answers "$(jq -cn --arg path "/v3.1/$1" --arg body "$2" \
        --argjson status "${3:-200}" '{path: $path, status: $status,
            headers: {"Content-Type": "application/json"}, body: $body}')" \
        >/dev/null
}

# gets PATH...: ask for them all, in one run of curl; each body is a line
gets() {
    printf 'url = "%s"\n' "${@/#/$BASE$S}" |
        curl -sS --noproxy '*' -g --max-time 300 -w '\n' -K -
}

# ---- fetching ----

@test "POST /fetch answers 202, a Location and the job" {
    local members

    members='["country","state","attempts","queued_at","started_at"'
    members+=',"finished_at","next_attempt_at","result","error"]'
    req POST "$S/fetch/New-Zealand"
    expect 202 'keys_unsorted | tojson' "$members" .country new-zealand \
        .result null .error null
    [[ $(json .state) == @(queued|running) ]]
    [[ $(header Content-Type) == 'application/json; charset=utf-8' ]]
    [[ $(header Cache-Control) == no-store ]]
    [[ $(header Location) == "$S/status/new-zealand" ]]
    await "$(header Location)" succeeded
    expect 200 'keys_unsorted | tojson' "$members" .attempts 1 .error null \
        .result.cca3 NZL .result.name 'New Zealand' .next_attempt_at null \
        '.queued_at <= .started_at and .started_at <= .finished_at' true
    [[ $(asked) == /v3.1/alpha/NZ ]]
}

@test "GET /fetch: 200 and the finished job within a day; POST always fetches" {
    local queued

    fetch france succeeded
    queued=$(json .queued_at)
    req GET "$S/fetch/FRANCE"
    expect 200 .state succeeded .country france .queued_at "$queued"
    [[ $(jobs) == 1 && $(asked) == /v3.1/alpha/FR ]]
    # another name is another question
    req GET "$S/fetch/french-republic"
    expect 202
    await "$(header Location)" succeeded
    expect 200 .result.cca3 FRA
    sql "UPDATE dsapi.job SET finished_at = finished_at - interval '25 hours'
          WHERE params ->> 'country' = 'france'"
    req GET "$S/fetch/france"
    expect 202
    await "$(header Location)" succeeded
    fetch france succeeded
    [[ $(jobs) == 4 ]]
}

@test "all 250 names, as the upstream has them" {
    [[ $(sql "SELECT count(*) FROM countries.country") == 250 ]]
    sql "SELECT json_agg(document) FROM countries.country" |
        jq -S 'sort_by(.cca3)' >"$BATS_TEST_TMPDIR/stored"
    # what is empty is not served; numbers are compared by value
    data 'map(with_entries(select(.value | . != null and . != "" and . != []
        and . != {}))) | sort_by(.cca3)' | jq -S . >"$BATS_TEST_TMPDIR/data"
    diff "$BATS_TEST_TMPDIR/data" "$BATS_TEST_TMPDIR/stored"
    # under its name each is found
    mapfile -t paths < <(cases -r '.canonical[] | "/country/" + .dash')
    diff <(gets "${paths[@]}" | jq -r '.cca3') \
        <(cases -r '.canonical[].cca3')
    # as it came, byte for byte
    for name in dr-congo cote-d-ivoire curacao; do
        req GET "$S/country/$name"
        [[ "[$body]" == "$(curl -sS \
            "$UPSTREAM/v3.1/alpha/$(json .cca2)")" ]]
    done
}

@test "all 250 names and the aliases, before any name is known" {
    sql 'TRUNCATE countries.name, countries.country'
    bulk "$(cases '[.canonical[].dash, .aliases[].dash]')"
    expect 202 length 279
    wait_until 120 jobs_ended
    diff <(cases -r '.canonical[], .aliases[]
            | "\(.dash) \(.cca3 // .found_in_names_or_alternative_spellings_of[0])"' | sort) \
        <(sql "SELECT concat_ws(' ', params ->> 'country', result ->> 'cca3')
                 FROM dsapi.job WHERE id > $NEWEST" | sort)
    [[ $(asked | grep -c /v3.1/name/) -gt 0 ]]
    # one request each
    [[ $(asked | wc -l) == 279 ]]
    req POST "$S/names"
    expect 202
    wait_until 30 jobs_ended
    await_versions
    req GET "$S/names"
    expect 200 length 250 'all(.fetched_at)' true
}

@test "other names: official ones, and alternative spellings" {
    bulk "$(cases '[.aliases[].dash]')"
    expect 202 length 29
    wait_until 60 jobs_ended
    diff <(cases -r '.aliases[] | "\(.dash) \(
            .found_in_names_or_alternative_spellings_of[0])"' | sort) \
        <(sql "SELECT concat_ws(' ', params ->> 'country', result ->> 'cca3')
                 FROM dsapi.job WHERE id > $NEWEST" | sort)
    # and under these each is found
    mapfile -t paths < <(cases -r '.aliases[] | "/country/" + .dash')
    diff <(gets "${paths[@]}" | jq -r '.cca3') <(cases -r '.aliases[]
        .found_in_names_or_alternative_spellings_of[0]')
}

# What is asked for, and what it has to be: a country, or no answer. Where the
# upstream knows no whole name that is so, only a name in another spelling may.
right_answers() {
    sql "SELECT DISTINCT concat(d, ' ', coalesce(
                    nullif(q ->> 'full_text', '404'), names ->> d))
           FROM json_array_elements(\$j\$$(cases .queries)\$j\$) AS q,
                (SELECT \$j\$$(cases '[.canonical[] | {(.dash): .cca3}]
                    + [.aliases[] | {(.dash):
                       .found_in_names_or_alternative_spellings_of[0]}]
                    | add')\$j\$::json AS names) AS n,
                countries.dashed(q ->> 'query') AS d
          ORDER BY 1"
}

@test "an ambiguous name is never the wrong country" {
    local round

    right_answers >"$BATS_TEST_TMPDIR/right"
    grep -qx 'guinea GIN' "$BATS_TEST_TMPDIR/right"
    grep -qx 'congo ' "$BATS_TEST_TMPDIR/right"
    for round in known unknown; do
        [[ $round == known ]] ||
            sql 'TRUNCATE countries.name, countries.country'
        NEWEST=$(sql 'SELECT max(id) FROM dsapi.job')
        bulk "$(cut -d ' ' -f 1 "$BATS_TEST_TMPDIR/right" |
            jq -Rcn '[inputs]')"
        expect 202
        wait_until 120 jobs_ended
        diff "$BATS_TEST_TMPDIR/right" <(sql "SELECT (params ->> 'country')
                || ' ' || coalesce(result ->> 'cca3', '')
                FROM dsapi.job WHERE id > $NEWEST
                AND source = 'countries/country' ORDER BY 1")
    done
    [[ $(job congo error) == \
        'congo may stand for dr-congo or republic-of-the-congo: ask for one of these' ]]
    [[ $(job congo attempts) == 1 ]]
    req POST "$S/names"
    fetch_all
    req GET "$S/country/congo"
    expect_problem 404 not-found
    expect 404 .detail \
        'congo may stand for dr-congo or republic-of-the-congo: ask for one of these'
}

@test "a name that does not exist: the job fails, with the reason" {
    local name

    bulk "$(cases .unknown)"
    expect 202 length 8
    wait_until 60 jobs_ended
    for name in $(cases -r '.unknown[]'); do
        req GET "$S/status/$name"
        expect 200 .country "$name" .state failed .attempts 1 .result null
        [[ $(json .error) == "$name is no country that the upstream knows"* ]]
        req GET "$S/country/$name"
        expect_problem 404 not-found
    done
    # asked for once each; what is near is told
    [[ $(asked | wc -l) == 8 ]]
    [[ $(job guinea-bissauu error) == *'; is guinea or guinea-bissau meant?' ]]
    [[ $(job korea error) == *'; is north-korea or south-korea meant?' ]]
    [[ $(sql 'SELECT count(*) FROM countries.country') == 250 ]]
}

# url_of NAME: as a segment of a path
url_of() {
    jq -rn --arg name "$1" '$name | @uri'
}

@test "an impossible name is 400, in a list too, and nothing happens" {
    local i name

    for ((i = 0; i < $(cases '.impossible | length'); i++)); do
        # a segment of a path can neither be empty nor hold a slash or a NUL:
        # below
        if [[ $(cases --argjson i "$i" \
            '.impossible[$i] | . == "" or test("/|\u0000")') == false ]]; then
            name=$(cases -r --argjson i "$i" '.impossible[$i] | @uri')
            for path in fetch status country; do
                req GET "$S/$path/$name"
                expect_problem 400 invalid-parameter country
            done
            req POST "$S/fetch/$name"
            expect_problem 400 invalid-parameter country
        fi
        bulk "$(cases --argjson i "$i" '["france", .impossible[$i]]')"
        [[ $status == 400 && $(json .code) == invalid-* ]]
    done
    for path in fetch status country; do
        req GET "$S/$path/"
        expect_problem 404 not-found
        for name in ..%2Fetc%2Fpasswd france%2F..%2Fspain; do
            req GET "$S/$path/$name"
            expect_problem 404 not-found
        done
        req GET "$S/$path/france%00"
        expect_problem 400 bad-request
    done
    req POST "$S/fetch/france%00"
    expect_problem 400 bad-request
    req POST "$S/fetch/fr%C3%A1nce"
    expect_problem 400 invalid-parameter country
    req POST "$S/fetch/%FF%FE"
    expect_problem 400 invalid-parameter
    [[ $(jobs) == 0 && -z $(asked) ]]
}

# ---- bulk ----

@test "POST /fetch: a job for each, in the order given, equal ones once" {
    bulk '["Spain", "wakanda", "new-zealand", "spain"]'
    expect 202 'map(.country) | join(" ")' 'spain wakanda new-zealand' \
        'all(.state == "queued" or .state == "running")' true
    run header Location
    [[ $output == '' ]]
    wait_until 60 jobs_ended
    [[ $(jobs) == 3 ]]
    [[ $(job spain) == succeeded && $(job wakanda) == failed ]]
    [[ $(job new-zealand) == succeeded ]]
}

@test "POST /fetch: what is no list of names" {
    local text

    for text in '"france"' '{"countries": ["france"]}' null '[["france"]]' \
        '[1]' '[null]' '["france", ""]' '["france", "congo republic"]' \
        '[{"country": "france"}]' \
        "$(jq -cn '[range(1001) | "france"]')"; do
        bulk "$text"
        expect_problem 400 invalid-parameter
    done
    bulk '["france"'
    expect_problem 400 invalid-json
    bulk ''
    [[ $status == 400 ]]
    req POST "$S/fetch" -H 'Content-Type: text/csv' -d france
    expect_problem 415 unsupported-type
    req POST "$S/fetch" -d '["france"]'
    expect_problem 415 unsupported-type
    bulk "$(printf '%11000000s' ' ')"
    expect_problem 413 body-too-large
    [[ $(jobs) == 0 && -z $(asked) ]]
}

# ---- an upstream that is not as it should be ----

@test "an answer about another country is not stored" {
    local before

    before=$(sql "SELECT md5(string_agg(document::text, '' ORDER BY cca3))
                    FROM countries.country")
    answer alpha/FR "$(curl -sS "$UPSTREAM/v3.1/alpha/DE")"
    fetch france failed
    expect 200 .error 'the answer is about other countries than france'
    answer alpha/FR '[]'
    fetch france failed
    [[ $(json .error) == 'the answer is about other countries than france' ]]
    answer alpha/FR "$(curl -sS "$UPSTREAM/v3.1/alpha/FR" |
        jq -c '.[0].name.common = "Gaul" | .[0].altSpellings = []')"
    fetch france failed
    [[ $(json .error) == 'france is no country that the upstream knows'* ]]
    [[ $(sql "SELECT md5(string_agg(document::text, '' ORDER BY cca3))
                FROM countries.country") == "$before" ]]
    [[ $(sql "SELECT countries.meant('france')") == '{FRA}' ]]
}

@test "answers that are malformed: the job says what is wrong" {
    local text error

    while read -r text error; do
        answer alpha/FR "$text"
        fetch france failed
        expect 200 .error "$error" .attempts 1
    done <<'END'
{"countries":[]} the answer is not an array of countries
null the answer is not an array of countries
["France"] a country is string, not an object
[{"name":{"common":"France"}}] a country has no name
[{"name":"France"}] a country has no name
[{"name":{"common":"France","official":"F"},"cca3":"FRA"}] cca2 of France is missing
[{"name":{"common":"France","official":"F"},"cca2":"fr","cca3":"FRA"}] cca2 of France is "fr"
[{"name":{"common":"France","official":"F"},"cca2":"FR","cca3":["FRA"]}] cca3 of France is array
[{"name":{"common":"France","official":"F"},"cca2":"FR","cca3":"FRA","capital":"Paris"}] capital of France is "Paris"
[{"name":{"common":"France","official":"F"},"cca2":"FR","cca3":"FRA","population":-1}] population of France is -1
[{"name":{"common":"France","official":"F"},"cca2":"FR","cca3":"FRA","area":"big"}] area of France is "big"
END
    # only names and two codes must be there; null is nothing; as Java prints it
    answer alpha/FR '[{"name":{"common":"France","official":"F"},"cca2":"FR","cca3":"FRA","capital":null,"currencies":null,"ccn3":"","area":1.7098242E7}]'
    fetch france succeeded
    await_versions
    req GET "$S/countries?code=fra"
    expect 200 '.[0] | [.capital, .currencies, .ccn3, .population, .area]
        | tojson' '[null,null,null,null,17098242]'
    fetch france succeeded
}

@test "what may pass is tried again; another 404 is a failure, too" {
    answer alpha/FR '{"message":"Internal Server Error","status":500}' 500
    answer alpha/FR oops
    fetch france succeeded
    expect 200 .attempts 3
    answer alpha/FR '{"status":404,"error":"Not Found"}' 404
    fetch france failed
    expect 200 .error 'the answer is not an array of countries'
    answer alpha/FR '{"message":"Bad Request","status":400}' 400
    fetch france failed
    [[ $(json .error) == *400* ]]
}

@test "names: those of all countries, known before they are stored" {
    req GET "$S/names"
    expect 200 length 250 '.[0] | del(.fetched_at) | tojson' \
        '{"country":"afghanistan","cca2":"AF","cca3":"AFG"}' \
        'map(.country) | . == sort' true
    req POST "$S/names"
    expect 202
    [[ $(header Location) == "$S/names/status" ]]
    await "$S/names/status" succeeded
    expect 200 .result.countries 250
    [[ $(asked) == '/v3.1/all?fields=name,altSpellings,cca2,cca3' ]]
    # what has got another name, or is gone, is not known by the old one
    answer 'all' "$(data 'map(select(.cca3 != "NRU")
            | {name: {common: .name.common, official: .name.official}, cca2,
               cca3, altSpellings})
        | (.[] | select(.cca3 == "FRA").name.common) = "Gallia"')"
    sql "DELETE FROM countries.country WHERE cca3 = 'NRU'"
    req POST "$S/names"
    await "$S/names/status" succeeded
    expect 200 .result.countries 249
    [[ $(sql "SELECT countries.meant('france'), countries.meant('gallia'),
                     countries.meant('nauru')") == '{}|{FRA}|{}' ]]
    # names that are taken away are asked for anew, whatever is known of them
    sql "INSERT INTO dsapi.validator (source, params, definition, etag)
         VALUES ('countries/names', '{}', 'x', 'x')"
    sql "DELETE FROM countries.name WHERE cca3 = 'DEU'"
    [[ $(sql "SELECT count(*) FROM dsapi.validator
               WHERE source = 'countries/names'") == 0 ]]
    answer 'all' '{}'
    req POST "$S/names"
    await "$S/names/status" failed
    req POST "$S/names"
    await "$S/names/status" succeeded
    fetch nauru succeeded
    await_versions
    req GET "$S/names"
    expect 200 length 250
}
