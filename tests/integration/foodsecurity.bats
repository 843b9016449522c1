# Food security, contract 5.1: fetched through the job queue from the upstream
# stand-in, stored, served as metrics. `make run` includes the same
# configuration.
# shellcheck disable=SC2030,SC2031,SC2154 # status, body: set by req
# shellcheck disable=SC2016 # the dollars of jq

load ../lib/testing

S=/foodsecurity/v1
YEAR='from=2022-06-01&to=2023-06-01'
DATA=$SRV_TOP/tests/data/hungermap

setup_file() {
    export DSAPI_SERVICES=hungermap
    dsapi_up
    fetch COL "$YEAR"
    fetch BFA "$YEAR"
}

setup() {
    dsapi_test_begin
    stub DELETE /_stub/answers >"$BATS_TEST_TMPDIR/stub"
    stub DELETE /_stub/log >"$BATS_TEST_TMPDIR/stub"
}

# ---- the queue ----

# fetch ISO3 QUERY: ask for it, await its end: it succeeded; and every child
# knows that the data has changed
fetch() {
    local job

    req POST "$S/fetch/$1?$2"
    expect 202
    job=$(header Location)
    await_job "$job" succeeded
    await_versions
    req GET "$job"
}

# await_job URL STATE: until the job has ended: as STATE
await_job() {
    wait_until 60 job_ended "$1"
    expect 200 .state "$2"
}

job_ended() {
    req GET "$1"
    [[ $status == 200 && $(json .state) == @(succeeded|failed) ]]
}

# upstream ISO3 [QUERY]: the requests that the stand-in got for a country
upstream() {
    stub GET /_stub/log | jq -r --arg what "/country/$1/region?${2:-}" \
        '.[].target | select(contains($what))'
}

is_held() {
    [[ $(stub GET /_stub/health | jq .held) == "$1" ]]
}

# answer ISO3 JSON: the stand-in's next answer for a country
answer() {
    stub POST /_stub/answers "$(jq -cn --arg iso3 "$1" --argjson a "$2" \
        '$a + {path: "/v1/foodsecurity/country/\($iso3)/"}')" >/dev/null
}

# records ISO3 AREA DAY PEOPLE PREVALENCE...: an answer with such records of fcs
records() {
    jq -cn --args '$ARGS.positional as $a
        | [range(1; $a | length; 4) | {
            country: {id: 1, name: "Testland", iso3: $a[0], iso2: $a[0][:2]},
            region: {id: ($a[.] | tonumber), name: "Area \($a[.])",
                     population: 1000},
            date: $a[. + 1], dataType: "SURVEY",
            metrics: {fcs: {people: ($a[. + 2] | tonumber),
                            prevalence: ($a[. + 3] | tonumber)}}}]
        | {headers: {"Content-Type": "application/json"}, body: tojson}' "$@"
}

# ---- comparing ----

# same WANT GOT [EXACT]: two files of JSON: the same leaves in the same order,
# numbers within 1e-13 relative, those whose path matches EXACT equal
same() {
    local out

    jq --stream -c 'select(length == 2)' "$1" >"$BATS_TEST_TMPDIR/want"
    jq --stream -c 'select(length == 2)' "$2" >"$BATS_TEST_TMPDIR/got"
    [[ -s $BATS_TEST_TMPDIR/want ]] || {
        echo "nothing is wanted"
        return 1
    }
    out=$(jq -nr --slurpfile want "$BATS_TEST_TMPDIR/want" \
        --slurpfile got "$BATS_TEST_TMPDIR/got" --arg exact "${3:-^$}" \
        -f "$DSAPI_LIB/compare.jq")
    [[ -z $out ]] || {
        printf '%s\n' "$out"
        return 1
    }
}

# from_records PROGRAM FILE...: run it over whole answers of the upstream
from_records() {
    local program=$1

    shift
    cat "$@" >"$BATS_TEST_TMPDIR/records"
    jq -n --slurpfile records "$BATS_TEST_TMPDIR/records" \
        --slurpfile golden "$DATA/golden-metrics.json" \
        "$(<"$DSAPI_LIB/hungermap.jq") $program"
}

# agrees PROGRAM FILE...: the last answer is what the program makes of them
agrees() {
    expect 200
    from_records "$@" >"$BATS_TEST_TMPDIR/wanted"
    same "$BATS_TEST_TMPDIR/wanted" "$RES/body" "${EXACT:-^$}"
}

# stored: a checksum of all that is stored, by row version; of observations
# a lock changes it, too
stored() {
    sql "SELECT md5(coalesce(string_agg(r, ' ' ORDER BY r), '')) FROM (
             SELECT concat_ws(',', xmin, xmax, ctid, o) AS r
               FROM hungermap.observation o
              UNION ALL
             SELECT concat_ws(',', xmin, ctid, a) FROM hungermap.area a
         ) AS r"
}

jobs() {
    sql 'SELECT count(*) FROM dsapi.job'
}

# ---- fetching ----

@test "POST /fetch answers 202, a Location and the job" {
    local members first last

    members='["iso3","from","to","state","attempts","queued_at"'
    members+=',"started_at","finished_at","next_attempt_at","result","error"]'
    answer COL '{"real": true, "hold": true}'
    req POST "$S/fetch/col?from=2023-06-01&to=2023-06-01"
    expect 202 'keys_unsorted | tojson' "$members" .iso3 COL \
        .from 2023-06-01 .to 2023-06-01 .result null .error null
    [[ $(json .state) == @(queued|running) ]]
    [[ $(header Content-Type) == 'application/json; charset=utf-8' ]]
    [[ $(header Cache-Control) == no-store ]]
    [[ $(header Location) == \
        "$S/status/COL?from=2023-06-01&to=2023-06-01" ]]
    first=$(json .queued_at)

    wait_until 10 is_held 1
    req GET "$S/status/COL"
    expect 200 'keys_unsorted | tojson' "$members" .state running .attempts 1 \
        .finished_at null .next_attempt_at null .result null .error null
    last=$(json .started_at)
    stub POST /_stub/release >/dev/null

    await_job "$S/status/COL?from=2023-06-01&to=2023-06-01" succeeded
    expect 200 'keys_unsorted | tojson' "$members" .attempts 1 .error null \
        .queued_at "$first" .started_at "$last" .next_attempt_at null \
        '.queued_at <= .started_at and .started_at <= .finished_at' true \
        '.result | keys_unsorted | tojson' \
        '["records","stored","skipped","metrics"]' \
        .result.records 33 .result.stored 99 .result.skipped 0 \
        '.result.metrics | tojson' "$(jq -cn '
            ["fcs", "marketAccess", "rcsi"]
            | map({key: ., value: {stored: 33, skipped: 0}})
            | from_entries')"
    expect 200 'all(.queued_at, .started_at, .finished_at;
        test("^20..-..-..T..:..:..[.0-9]*[+-]..:..$"))' true
    [[ $(header Cache-Control) == no-store ]]
}

@test "GET /fetch does the same" {
    req GET "$S/fetch/BFA?from=2023-05-31&to=2023-06-01"
    expect 202 .iso3 BFA .from 2023-05-31 .to 2023-06-01
    [[ $(header Location) == \
        "$S/status/BFA?from=2023-05-31&to=2023-06-01" ]]
    await_job "$(header Location)" succeeded
    expect 200 .attempts 1 .result.records 26 .result.stored 130
    [[ $(upstream BFA) == \
        */country/BFA/region\?date_start=2023-05-31\&date_end=2023-06-01 ]]
}

@test "a fetch without dates asks for the default range" {
    req POST "$S/fetch/BFA"
    expect 202 .from 2022-06-01 .to 2023-07-01
    await_job "$(header Location)" succeeded
    [[ $(upstream BFA) == *'?date_start=2022-06-01&date_end=2023-07-01' ]]
}

@test "the status is that of the newest job that agrees" {
    fetch COL 'from=2023-05-01&to=2023-05-01'
    fetch COL 'from=2023-05-02&to=2023-05-02'
    req GET "$S/status/COL"
    expect 200 .from 2023-05-02
    req GET "$S/status/COL?from=2023-05-01"
    expect 200 .from 2023-05-01 .to 2023-05-01 .state succeeded
    req GET "$S/status/COL?to=2023-05-02"
    expect 200 .from 2023-05-02
    req GET "$S/status/COL?from=2023-05-01&to=2023-05-02"
    expect_problem 404 no-job
}

@test "no status before any job" {
    req GET "$S/status/FRA"
    expect_problem 404 no-job
    expect 404 .instance "$S/status/FRA"
    [[ $(upstream FRA) == '' ]]
}

@test "while a job lives, asking again gives that one, fetched once" {
    local i jobs where queued

    jobs=$(jobs)
    answer COL '{"real": true, "hold": true}'
    req POST "$S/fetch/COL?from=2023-04-01&to=2023-04-02"
    expect 202
    where=$(header Location)
    queued=$(json .queued_at)
    wait_until 10 is_held 1
    for i in POST GET POST; do
        req "$i" "$S/fetch/COL?from=2023-04-01&to=2023-04-02"
        expect 202 .state running .attempts 1 .queued_at "$queued"
        [[ $(header Location) == "$where" ]]
    done
    stub POST /_stub/release >/dev/null
    await_job "$where" succeeded
    expect 200 .attempts 1
    [[ $(jobs) == $((jobs + 1)) ]]
    [[ $(upstream COL | wc -l) == 1 ]]

    # after its end it is a new one
    fetch COL 'from=2023-04-01&to=2023-04-02'
    [[ $(jobs) == $((jobs + 2)) ]]
    [[ $(upstream COL | wc -l) == 2 ]]
}

# ---- what is stored ----

@test "/countries lists what is stored" {
    local last

    req GET "$S/countries"
    expect 200 \
        '.[] | select(.iso3 == "BFA") | del(.last_fetched) | tojson' \
        "$(jq -cn '{iso3: "BFA", name: "Burkina Faso", areas: 13,
            first_day: "2022-06-01", last_day: "2023-06-01",
            records: 4758}')" \
        '.[] | select(.iso3 == "COL") | del(.last_fetched) | tojson' \
        "$(jq -cn '{iso3: "COL", name: "Colombia", areas: 33,
            first_day: "2022-06-01", last_day: "2023-06-01",
            records: 12078}')" \
        '[.[] | keys_unsorted] | unique | tojson' "$(jq -cn '[["iso3",
            "name", "areas", "first_day", "last_day", "records",
            "last_fetched"]]')" \
        '[.[].iso3] == ([.[].iso3] | sort | unique)' true
    fetch BFA 'from=2023-06-01&to=2023-06-01'
    last=$(json .queued_at)
    req GET "$S/countries"
    expect 200 ".[] | select(.iso3 == \"BFA\") | .last_fetched >= \"$last\"" \
        true
}

@test "the same answer again changes no row" {
    local before

    fetch COL 'from=2023-03-01&to=2023-03-31'
    before=$(stored)
    fetch COL 'from=2023-03-01&to=2023-03-31'
    expect 200 .result.records 1023 .result.stored 3069
    [[ $(stored) == "$before" ]]
}

@test "a later answer overwrites, and what it lacks stays" {
    answer PER "$(records PER 1 2023-01-01 10 0.1 2 2023-01-01 20 0.2 \
        1 2023-01-02 30 0.3)"
    fetch PER 'from=2023-01-01&to=2023-01-02'
    expect 200 .result.stored 3
    answer PER "$(records PER 2 2023-01-01 25 0.25 3 2023-01-03 5 0.5)"
    fetch PER 'from=2023-01-01&to=2023-01-02'
    expect 200 .result.stored 2
    [[ $(sql "SELECT string_agg(concat_ws(' ', day, area, people, prevalence),
                                ', ' ORDER BY day, area)
                FROM hungermap.observation WHERE iso3 = 'PER'") == \
        '2023-01-01 1 10 0.1, 2023-01-01 2 25 0.25, '\
'2023-01-02 1 30 0.3, 2023-01-03 3 5 0.5' ]]
}

@test "what was taken away is fetched again, also where it has not changed" {
    local given table

    given=$(records PER 1 2024-01-01 10 0.1)
    answer PER "$(jq -c '.headers.ETag = "\"v1\""' <<<"$given")"
    fetch PER 'from=2024-01-01&to=2024-01-01'
    [[ $(known foodsecurity/region) == 1 ]]
    sql "DELETE FROM hungermap.observation WHERE day = '2024-01-01'"
    [[ $(known foodsecurity/region) == 0 ]]
    answer PER "$given"
    fetch PER 'from=2024-01-01&to=2024-01-01'
    expect 200 .result.stored 1
    [[ $(stub GET /_stub/log |
        jq '.[-1].headers | has("If-None-Match")') == false ]]
    for table in observation area country; do
        [[ $(known_after "TRUNCATE hungermap.$table CASCADE") == 0 ]]
    done
    [[ $(known_after "SELECT") == 1 ]]
    # other functions may store something else
    [[ $(known_after "\\i $SRV_TOP/conf/hungermap/schema.sql
    ") == 0 ]]
}

# known SOURCE: for how many parameters the upstream would be asked for changes
known() {
    sql "SELECT count(*) FROM dsapi.validator WHERE source = '$1'"
}

# known_after SQL: of one, which is not for good
known_after() {
    srv_psql "$DSAPI_DIR/pg" <<END | tail -n 1
BEGIN;
DELETE FROM dsapi.validator;
INSERT INTO dsapi.validator (source, params, definition, etag)
VALUES ('foodsecurity/region', '{}', 'x', 'x');
$1;
SELECT count(*) FROM dsapi.validator;
ROLLBACK;
END
}

# ---- metric A and B ----

@test "metric A is the published one: every area and month" {
    local iso3

    for iso3 in COL BFA; do
        req GET "$S/countries/$iso3/adm1/monthly?$YEAR"
        [[ $(header Content-Type) == 'application/json; charset=utf-8' ]]
        agrees 'golden_monthly($golden[0].'$iso3'; "fcs"; "2022-06-01";
            "2023-06-01")' "$DATA/$iso3.json"
        expect 200 'map(.months | length) | unique | tojson' '[13]' \
            '.[0].months | map(.days) | tojson' \
            '[30,31,31,30,31,30,31,31,28,31,30,31,1]'
    done
}

@test "metric B is the published one: every day, people exactly" {
    local iso3

    for iso3 in COL BFA; do
        req GET "$S/countries/$iso3/national/daily?$YEAR"
        EXACT='/(people|areas)$' agrees 'golden_daily($golden[0].'$iso3';
            "fcs"; "2022-06-01"; "2023-06-01")' "$DATA/$iso3.json"
        expect 200 length 366
        req GET "$S/countries/$iso3/national/daily?$YEAR&weight=people"
        EXACT='/(people|areas)$' agrees 'golden_daily($golden[0].'$iso3';
            "fcs"; "2022-06-01"; "2023-06-01")' "$DATA/$iso3.json"
    done
}

@test "the combined document is the published one, member by member" {
    req GET "$S/metrics?countries=COL,BFA&$YEAR"
    expect 200
    [[ $(header Content-Type) == 'application/json; charset=utf-8' ]]
    same "$DATA/golden-metrics.json" "$RES/body" '/metric_b/[^/]*/people$'
    grep -q '"2022-6"' "$RES/body"

    req GET "$S/metrics?countries=bfa,COL&$YEAR"
    expect 200 'keys_unsorted | tojson' '["BFA","COL"]'
    jq '{BFA, COL}' "$DATA/golden-metrics.json" >"$BATS_TEST_TMPDIR/turned"
    same "$BATS_TEST_TMPDIR/turned" "$RES/body" '/metric_b/[^/]*/people$'
}

@test "weight=population: the mean over all people" {
    local iso3

    for iso3 in COL BFA; do
        req GET "$S/countries/$iso3/national/daily?$YEAR&weight=population"
        EXACT='/(people|areas)$' agrees 'daily("fcs"; "2022-06-01";
            "2023-06-01"; "population")' "$DATA/$iso3.json"
    done
}

@test "other metrics" {
    req GET "$S/countries/COL/adm1/monthly?$YEAR&metric=rcsi"
    agrees 'monthly("rcsi"; "2022-06-01"; "2023-06-01")' "$DATA/COL.json"
    req GET "$S/countries/BFA/national/daily?$YEAR&metric=livelihoodCoping"
    EXACT='/(people|areas)$' agrees 'daily("livelihoodCoping"; "2022-06-01";
        "2023-06-01"; "people")' "$DATA/BFA.json"
    # Colombia has none of these
    req GET "$S/countries/COL/adm1/monthly?$YEAR&metric=livelihoodCoping"
    expect 200 'tojson' '[]'
    req GET "$S/countries/COL/national/daily?$YEAR&metric=FCS"
    expect 200 'tojson' '[]'
}

@test "ranges count their first and last day" {
    local range='from=2022-06-15&to=2022-08-01'

    req GET "$S/countries/COL/adm1/monthly?$range"
    agrees 'monthly("fcs"; "2022-06-15"; "2022-08-01")' "$DATA/COL.json"
    expect 200 '.[32].months | map([.month, .days]) | tojson' \
        '[["2022-06",16],["2022-07",31],["2022-08",1]]'
    req GET "$S/countries/COL/national/daily?$range"
    agrees 'daily("fcs"; "2022-06-15"; "2022-08-01"; "people")' \
        "$DATA/COL.json"
    expect 200 '[.[0, -1].date] | tojson' '["2022-06-15","2022-08-01"]'
    req GET "$S/metrics?countries=COL&$range"
    expect 200 '.COL.metric_a[0].average | keys_unsorted | tojson' \
        '["2022-6","2022-7","2022-8"]' '.COL.metric_b | length' 48 \
        '.COL.metric_b | keys_unsorted | [.[0, -1]] | tojson' \
        '["2022-06-15","2022-08-01"]'
    req GET "$S/countries/COL/national/daily?from=2022-06-15&to=2022-06-15"
    expect 200 'map(.date) | tojson' '["2022-06-15"]'
}

@test "without from, to, metric, weight: 2022-06-01, 2023-07-01, fcs, people" {
    answer ECU "$(records ECU 7 2022-05-31 1 0.1 7 2022-06-01 2 0.25 \
        8 2022-06-01 6 0.5 7 2023-07-01 3 0.3 7 2023-07-02 4 0.4)"
    fetch ECU "$YEAR"
    req GET "$S/countries/ECU/adm1/monthly"
    expect 200 'map([.region.id, (.months[] | .month, .people, .days)])
        | tojson' '[[7,"2022-06",2,1,"2023-07",3,1],[8,"2022-06",6,1]]'
    req GET "$S/countries/ECU/national/daily"
    expect 200 'map([.date, .people, .areas]) | tojson' \
        '[["2022-06-01",8,2],["2023-07-01",3,1]]' '.[0].prevalence' 0.4375
    req GET "$S/metrics?countries=ECU"
    expect 200 '.ECU.metric_b | keys_unsorted | tojson' \
        '["2022-06-01","2023-07-01"]' \
        '.ECU.metric_a[0].average | keys_unsorted | tojson' \
        '["2022-6","2023-7"]'
    # each end by itself
    req GET "$S/countries/ECU/national/daily?from=2022-05-31"
    expect 200 'map(.date) | tojson' \
        '["2022-05-31","2022-06-01","2023-07-01"]'
    req GET "$S/countries/ECU/national/daily?to=2023-07-02"
    expect 200 'map(.date) | tojson' \
        '["2022-06-01","2023-07-01","2023-07-02"]'
}

@test "a day without people has no prevalence" {
    answer CHL "$(records CHL 1 2023-01-01 0 0.1 2 2023-01-01 0 0.3)"
    fetch CHL 'from=2023-01-01&to=2023-01-01'
    req GET "$S/countries/CHL/national/daily"
    expect 200 tojson '[{"date":"2023-01-01","people":0,"prevalence":null,'\
'"variance":null,"areas":2}]'
    req GET "$S/countries/CHL/national/daily?weight=population"
    expect 200 '.[0].prevalence' 0.2
    req GET "$S/metrics?countries=CHL"
    expect 200 '.CHL.metric_b | tojson' '{"2023-01-01":{"people":0,'\
'"prevalence":null,"variance":null}}'
}

@test "no data: an empty array, and in the document nothing" {
    req GET "$S/countries/FRA/adm1/monthly"
    expect 200 tojson '[]'
    req GET "$S/countries/FRA/national/daily"
    expect 200 tojson '[]'
    req GET "$S/countries/COL/adm1/monthly?from=2001-01-01&to=2001-12-31"
    expect 200 tojson '[]'
    req GET "$S/metrics?countries=FRA"
    expect 200 tojson '{"FRA":{"metric_a":[],"metric_b":{}}}'
    req GET "$S/metrics?countries=FRA,BFA,DEU,BFA&from=2023-06-01"
    expect 200 'map_values([.[] | length]) | tojson' \
        '{"FRA":[0,0],"BFA":[13,1],"DEU":[0,0]}'
}

@test "real answers for a third country: all five metrics" {
    local metric range='from=2023-07-05&to=2023-11-20' cod

    cod=("$DATA"/real/cod-region-*.json)
    fetch COD "$range"
    expect 200 .result.records 3614 .result.stored 18070 .result.skipped 0 \
        '.result.metrics | length' 5
    for metric in fcs rcsi healthAccess marketAccess livelihoodCoping; do
        req GET "$S/countries/COD/adm1/monthly?$range&metric=$metric"
        agrees 'monthly("'$metric'"; "2023-07-05"; "2023-11-20")' "${cod[@]}"
        expect 200 length 26
        req GET "$S/countries/COD/national/daily?$range&metric=$metric"
        EXACT='/(people|areas)$' agrees 'daily("'$metric'"; "2023-07-05";
            "2023-11-20"; "people")' "${cod[@]}"
        expect 200 length 139
        req GET "$S/countries/COD/national/daily?$range&metric=$metric&\
weight=population"
        EXACT='/(people|areas)$' agrees 'daily("'$metric'"; "2023-07-05";
            "2023-11-20"; "population")' "${cod[@]}"
    done
    req GET "$S/countries"
    expect 200 '.[] | select(.iso3 == "COD") | del(.last_fetched) | tojson' \
        "$(jq -cn '{iso3: "COD", name: "Democratic Republic of the Congo",
            areas: 26, first_day: "2023-07-05", last_day: "2023-11-20",
            records: 3614}')"
}

# ---- bad input ----

# bad METHOD PATH STATUS CODE [IN NAME]...: such a problem, about just these
bad() {
    local method=$1 path=$2 http=$3 code=$4

    shift 4
    echo "$method $path"
    req "$method" "$S$path"
    expect "$http" '[.status, .code, .instance,
        ([.errors[]? | .in, .name] | join(" ")),
        all(.type, .title, .detail, .errors[]?.message; length > 5)] | tojson' \
        "$(printf '[%s,"%s","%s","%s",true]' "$http" "$code" \
            "$S${path%%\?*}" "$*")"
    grep -q '^Content-Type: application/problem+json' "$RES/headers"
}

# allows METHODS: of the last answer, in the alphabet's order
allows() {
    [[ $(header Allow | tr -d ' ' | tr ',' '\n' | sort | xargs) == "$1" ]] || {
        echo "Allow: $(header Allow)"
        return 1
    }
}

@test "a country's change leaves the metrics of the others alone" {
    local col bfa

    req GET "$S/countries/COL/adm1/monthly?$YEAR"
    col=$(header ETag)
    req GET "$S/countries/BFA/adm1/monthly?$YEAR"
    bfa=$(header ETag)
    [[ $col == W/* && $bfa == W/* ]]
    sql "BEGIN;
        UPDATE hungermap.observation SET people = people + 1
         WHERE iso3 = 'BFA' AND day = '2022-06-01';
        UPDATE hungermap.observation SET people = people - 1
         WHERE iso3 = 'BFA' AND day = '2022-06-01';
        COMMIT" >/dev/null
    await_versions
    req GET "$S/countries/BFA/adm1/monthly?$YEAR" -H "If-None-Match: $bfa"
    expect 200
    req GET "$S/countries/COL/adm1/monthly?$YEAR" -H "If-None-Match: $col"
    expect 304
    # an area's name is part of the answers, too
    sql "UPDATE hungermap.area SET name = name WHERE iso3 = 'COL'" >/dev/null
    await_versions
    req GET "$S/countries/COL/adm1/monthly?$YEAR" -H "If-None-Match: $col"
    expect 200
}

@test "bad input is a problem that names the field, and nothing happens" {
    local before path

    before="$(stored) $(jobs)"
    for path in /countries/ZZZ/adm1/monthly /countries/ZZZ/national/daily \
        /status/ZZZ /fetch/ZZZ /fetch/CO /fetch/COLO /fetch/C%c3%96L; do
        bad GET "$path" 400 invalid-parameter path iso3
    done
    bad POST /fetch/ZZZ 400 invalid-parameter path iso3
    bad GET '/metrics?countries=COL,ZZZ' 400 invalid-parameter query countries
    bad GET '/metrics?countries=COL,' 400 invalid-parameter query countries
    bad GET '/metrics?countries=' 400 invalid-parameter query countries
    bad GET /metrics 400 invalid-parameter query countries

    for path in /countries/COL/adm1/monthly /countries/COL/national/daily \
        /fetch/COL /status/COL; do
        bad GET "$path?from=2023-02-30" 400 invalid-parameter query from
        bad GET "$path?from=2023-6-1" 400 invalid-parameter query from
        bad GET "$path?to=tomorrow" 400 invalid-parameter query to
        bad GET "$path?to=" 400 invalid-parameter query to
        bad GET "$path?form=2023-06-01" 400 invalid-parameter query form
        bad GET "$path?from=2023-02-01&from=2023-02-02" 400 \
            invalid-parameter query from
    done
    bad POST '/fetch/COL?from=2023-02-30' 400 invalid-parameter query from
    bad POST '/fetch/COL?form=2023-02-03' 400 invalid-parameter query form
    for path in /countries/COL/adm1/monthly? /countries/COL/national/daily? \
        /fetch/COL? '/metrics?countries=COL&'; do
        bad GET "${path}from=2023-06-02&to=2023-06-01" 400 \
            invalid-parameter query to
        bad GET "${path}from=2023-07-02" 400 invalid-parameter query to
    done
    bad POST '/fetch/COL?from=2023-06-02&to=2023-06-01' 400 \
        invalid-parameter query to
    bad GET '/countries/COL/national/daily?weight=area' 400 \
        invalid-parameter query weight
    bad GET '/countries/COL/adm1/monthly?weight=people' 400 \
        invalid-parameter query weight
    bad GET '/countries?iso3=COL' 400 invalid-parameter query iso3

    # all at once
    bad POST '/fetch/XYZ?from=2023-02-30&to=x&form=1' 400 invalid-parameter \
        path iso3 query from query to query form

    [[ "$(stored) $(jobs)" == "$before" ]]
    [[ $(stub GET /_stub/log) == '[]' ]]
}

@test "a wrong method is 405 with Allow, an unknown path 404" {
    local before method path

    before="$(stored) $(jobs)"
    for path in /countries /metrics?countries=COL /status/COL \
        /countries/COL/adm1/monthly /countries/COL/national/daily; do
        for method in POST PUT PATCH DELETE; do
            bad "$method" "$path" 405 method-not-allowed
            allows 'GET HEAD OPTIONS'
        done
    done
    for method in PUT PATCH DELETE; do
        bad "$method" /fetch/COL 405 method-not-allowed
        allows 'GET HEAD OPTIONS POST'
    done
    for path in '' / /nothing /countries/ /countries/COL /fetch \
        /fetch/COL/2023 /countries/COL/adm1/weekly /Countries; do
        bad GET "$path" 404 not-found
    done
    [[ "$(stored) $(jobs)" == "$before" ]]
    [[ $(stub GET /_stub/log) == '[]' ]]
}
