# Every answer of tests/data/hungermap/fixtures/fixtures.json, and an upstream
# that is away: what is good is stored, exactly; what is not ends in a clear
# reason and changes nothing.
# shellcheck disable=SC2030,SC2031,SC2154 # status, body: set by req
# shellcheck disable=SC2016 # the dollars of jq

load ../lib/testing

S=/foodsecurity/v1
FIXTURES=$SRV_TOP/tests/data/hungermap/fixtures
UP=/v1/foodsecurity/country/COL/region
ATTEMPTS=2

setup_file() {
    export DSAPI_SERVICES=hungermap
    dsapi_up "
        $(service_of patient 'DsapiRetry 100 first=100ms max=300ms')
        $(service_of small 'DsapiMaxBody 1093
            DsapiRetry ${HUNGERMAP_RETRY}')
        $(service_of enough 'DsapiMaxBody 1094')" "
        Define HUNGERMAP_RETRY \"$ATTEMPTS first=100ms max=200ms\"
        Define HUNGERMAP_TIMEOUT 4s"
}

# service_of NAME DIRECTIVES: one more on the same upstream and tables
service_of() {
    cat <<END
<DsapiService $1 "/$1">
    <DsapiSource region>
        DsapiParam day date required
        DsapiFetch "\${UPSTREAM}$UP?date_start={day}&date_end={day}"
        DsapiStore "SELECT * FROM hungermap.store('COL', :body)"
        $2
    </DsapiSource>
    <DsapiRoute POST "/fetch/{day}">
        DsapiParam   day date
        DsapiEnqueue region
    </DsapiRoute>
    <DsapiRoute GET "/status/{day}">
        DsapiParam   day date
        DsapiJob     region
    </DsapiRoute>
</DsapiService>
END
}

setup() {
    dsapi_test_begin
    stub DELETE /_stub/answers >"$BATS_TEST_TMPDIR/stub"
    stub DELETE /_stub/log >"$BATS_TEST_TMPDIR/stub"
}

# ---- what is expected ----

# A line for each entry of fixtures.json, in its order:
#   its file ("-": it has none)
#   store N         it stores N records of fcs
#   retry | final   it fails: after all attempts, or at once; the rest is a
#                   regular expression for the whole error
TABLE='
ok-small.json                  store 3
http-500.json                  retry the upstream answered 500 Internal Server Error
http-502.html                  retry the upstream answered 502 Bad Gateway
http-503-retry-after-date.json retry the upstream answered 503 Service Unavailable
http-429.json                  retry the upstream answered 429 Too Many Requests
http-429-no-retry-after.json   retry the upstream answered 429 Too Many Requests
http-403.json                  final the upstream answered 403 Forbidden
http-404.json                  final the upstream answered 404 Not Found
truncated.json                 retry the upstream.s answer is not JSON: line 1, column 4095: premature end of input
truncated-in-escape.json       retry the upstream.s answer is not JSON: line 1, column [0-9]+: invalid escape
short-body.json                retry the connection broke before the answer was complete
html-200.html                  retry the upstream answered text/html, not JSON
html-as-json.html              retry the upstream.s answer is not JSON: line 1, column 1: invalid token
empty-array.json               store 0
empty-body.json                retry the upstream.s answer is empty
null.json                      final the answer is null, not an array of records
object.json                    final the answer is an object, not an array of records
duplicate-identical.json       store 3
duplicate-conflicting.json     store 3
null-metrics.json              store 2
missing-fcs.json               store 2
half-fcs.json                  store 1
region-without-population.json store 3
out-of-order.json              store 9
v2-envelope.json               store 3
v2-envelope-no-data.json       final the body of the answer is "No data found", not an array of records
v2-envelope-empty.json         store 0
numbers-as-text.json           final record 1: fcs.people is "1752566", not a number
nan.json                       retry the upstream.s answer is not JSON: line 1, column [0-9]+: invalid token
infinity.json                  retry the upstream.s answer is not JSON: line 1, column [0-9]+: real number overflow
negative.json                  final record 1: fcs.people is -5, which is below zero
prevalence-over-one.json       final record 1: fcs.prevalence is 28.147612, which is above 1
bad-date.json                  final record 1: date "2023-02-30" is not a day
missing-date.json              final record 1: the date is missing
missing-region.json            final record 1: the region is missing
wrong-country.json             final record 1: the country is "BFA", but COL was asked for
beyond-range.json              store 9
unknown-members.json           store 3
bad-utf8.json                  retry the upstream.s answer is not JSON: line 1, column [0-9]+: unable to decode byte 0xe1
utf8.json                      store 3
bom.json                       retry the upstream.s answer is not JSON: line 1, column 1: a byte order mark
nul-escape.json                retry the upstream.s answer is not JSON: line 1, column [0-9]+: .u0000 is not allowed
lone-surrogate.json            retry the upstream.s answer is not JSON: line 1, column [0-9]+: invalid Unicode .*
duplicate-member.json          retry the upstream.s answer is not JSON: line 1, column [0-9]+: duplicate object key
deep.json                      retry the upstream.s answer is not JSON: line 1, column [0-9]+: maximum parsing depth reached
gzip.json.gz                   store 3
-                              retry timed out
-                              retry timed out(: no (more )?data came)?
-                              store 3
-                              retry could not connect
'

# What a client may not see: where the upstream is, and what we do with it.
SECRETS='127\.0|localhost|:[0-9]|//|/v1|[Hh]unger|SELECT|SQL|\.c:'

# entries: of each, index, HTTP status, records of fcs that are usable and
# that are not ("-": it does not say), Retry-After ("-": none), and its line
entries() {
    jq -r '.[] | [.status, .usable_fcs_records // "-",
                  .records_without_fcs // "-",
                  .headers["Retry-After"] // "-", .file // "-"] | join(" ")' \
        "$FIXTURES/fixtures.json" >"$BATS_FILE_TMPDIR/entries"
    [[ $(wc -l <"$BATS_FILE_TMPDIR/entries") == \
        $(grep -c . <<<"$TABLE") ]] || {
        echo 'the table is not as long as fixtures.json' >&2
        return 1
    }
    grep . <<<"$TABLE" | paste -d ' ' "$BATS_FILE_TMPDIR/entries" - | awk '
        $5 != $6 {
            print "entry " NR - 1 " is " $5 ", not " $6 | "cat >&2"
            exit 1
        }
        { print NR - 1, $0 }'
}

# ---- the queue ----

# Each entry is asked for by a range of its own, to be told from the others.
target() {
    echo "$UP?date_start=2023-06-01&date_end=$((2023 + $1))-06-01"
}

# start INDEX: let the stand-in answer so, for ever, and ask for it
start() {
    stub POST /_stub/answers "{\"fixture\": $1, \"times\": 0,
        \"path\": \"$(target "$1")\"}" >"$BATS_TEST_TMPDIR/stub"
    ask "$1"
}

ask() {
    req POST "$S/fetch/COL?from=2023-06-01&to=$((2023 + $1))-06-01"
    expect 202
}

# await INDEX: the end of its job, which then is the last answer
await() {
    wait_until 30 job_ended \
        "$S/status/COL?from=2023-06-01&to=$((2023 + $1))-06-01"
}

job_ended() {
    req GET "$1"
    [[ $status == 200 && $body =~ '"state":"'(succeeded|failed)'"' ]]
}

# tried URL N: at least N attempts have failed
tried() {
    req GET "$1"
    [[ $status == 200 && $(json .attempts) -ge $2 && $(json .error) != null ]]
}

# ---- what is stored ----

empty() {
    sql 'TRUNCATE hungermap.observation, hungermap.area, hungermap.country'
}

# Two days that no entry has, and the one that most have.
know_state() {
    empty
    req POST "$S/fetch/COL?from=2023-05-29&to=2023-06-01"
    expect 202
    wait_until 30 job_ended "$(header Location)"
    expect 200 .state succeeded .result.metrics.fcs.stored 132
}

# checksum: of all that is stored, by row version
checksum() {
    sql "SELECT md5(string_agg(r, ' ' ORDER BY r)) FROM (
             SELECT concat_ws(',', xmin, ctid, o) AS r
               FROM hungermap.observation o
              UNION ALL
             SELECT concat_ws(',', xmin, ctid, a) FROM hungermap.area a
              UNION ALL
             SELECT concat_ws(',', xmin, ctid, c) FROM hungermap.country c
         ) AS r"
}

# values: of every metric, as the database has them
values() {
    sql "SELECT coalesce(json_agg(json_build_array(metric, day, area, people,
                                                   prevalence)
                                  ORDER BY metric, day, area), '[]')
           FROM hungermap.observation"
}

# wanted FILE: the same from an entry's own file
wanted() {
    { if [[ $1 == *.gz ]]; then zcat; else cat; fi; } <"$FIXTURES/$1" | jq -c '
        (if type == "object" then .body else . end)
        | reduce (.[] | . as $r | .metrics // {} | to_entries[]
                  | select(.value.people? != null
                           and .value.prevalence? != null)
                  | [.key, $r.date, $r.region.id, .value.people,
                     .value.prevalence]) as $v
            ({}; .[$v[:3] | tojson] = $v)
        | [.[]] | sort_by(.[:3])'
}

# ---- the whole list ----

# stores INDEX USABLE WITHOUT FILE N: it stores so much, and nothing else
stores() {
    local file=$4 usable=$2 without=$3

    [[ $file != - ]] || file=ok-small.json
    [[ $usable != - ]] || usable=$5 without=0
    [[ $usable == "$5" ]]
    empty
    start "$1"
    await "$1"
    values >"$BATS_TEST_TMPDIR/values"
    wanted "$file" >"$BATS_TEST_TMPDIR/wanted"
    expect 200 "
        [.state, .error, .attempts, .result.records,
         (.result.metrics.fcs | .stored, .skipped),
         .result.stored, ([.result.metrics[].stored] | add)] | tojson" \
        "$(jq -c --argjson n "$5" --argjson without "$without" '
            ["succeeded", null, 1, $n + $without, $n, $without,
             length, length]' "$BATS_TEST_TMPDIR/wanted")"
    jq -nr --slurpfile got "$BATS_TEST_TMPDIR/values" \
        --slurpfile want "$BATS_TEST_TMPDIR/wanted" \
        'if $got == $want then "same" else $want[0] - $got[0] end' \
        >"$BATS_TEST_TMPDIR/lacking"
    [[ $(<"$BATS_TEST_TMPDIR/lacking") == same ]] || {
        echo "not stored: $(<"$BATS_TEST_TMPDIR/lacking")"
        return 1
    }
    [[ $(jq --argjson n "$5" 'map(select(.[0] == "fcs")) | length == $n' \
        "$BATS_TEST_TMPDIR/values") == true ]]
}

# fails INDEX STATUS RETRY-AFTER HOW REGEX: its job has failed so. What the
# stand-in was asked is in $BATS_TEST_TMPDIR/log.
fails() {
    local attempts=1 error

    [[ $4 != retry ]] || attempts=$ATTEMPTS
    expect 200 '[.state, .attempts, .result, .next_attempt_at,
                 (.finished_at | type)] | tojson' \
        "[\"failed\",$attempts,null,null,\"string\"]"
    error=$(json .error)
    [[ $error =~ ^$5$ && ! $error =~ $SECRETS ]] || {
        echo "the error is: $error"
        return 1
    }
    # A date has whole seconds.
    [[ $(jq -r --arg target "$(target "$1")" --arg after "$3" '
        map(select(.target == $target) | .time_us / 1000000)
        | length, (if $after == "-" or length < 2 then "no matter"
                   elif $after == "2" then .[1] - .[0] >= 2
                   else .[1] >= (.[0] + 2 | floor) end)' \
        "$BATS_TEST_TMPDIR/log" | xargs) == \
        "$([[ $2 == 0 ]] && echo 0 || echo "$attempts") $([[ $3 == - ]] &&
            echo no matter || echo true)" ]] || {
        echo 'the stand-in was asked too often, too rarely or too early'
        return 1
    }
}

# Prints an entry before it is looked at: the last one is the one that failed.
@test "all fixtures" {
    local i http usable without after file how want before line
    local -a failing=() good=()

    mapfile -t failing < <(entries | awk '$8 != "store"')
    mapfile -t good < <(entries | awk '$8 == "store"')
    [[ $((${#failing[@]} + ${#good[@]})) == 50 ]]

    # Those that fail, all at once: stored data is untouched.
    know_state
    before=$(checksum)
    for line in "${failing[@]}"; do
        read -r i http _ <<<"$line"
        [[ $http == 0 ]] || start "$i"
    done
    for line in "${failing[@]}"; do
        read -r i http _ <<<"$line"
        [[ $http == 0 ]] || await "$i"
    done
    stub GET /_stub/log >"$BATS_TEST_TMPDIR/log"
    for line in "${failing[@]}"; do
        read -r i http usable without after file _ how want <<<"$line"
        echo "entry $i: $file"
        if [[ $http == 0 ]]; then
            stub_stop
            ask "$i"
        fi
        await "$i"
        fails "$i" "$http" "$after" "$how" "$want"
    done
    echo "an entry that failed has changed what is stored"
    [[ $(checksum) == "$before" ]]
    stub_start

    # Those that are good, one by one.
    for line in "${good[@]}"; do
        read -r i http usable without after file _ how want <<<"$line"
        echo "entry $i: $file"
        stores "$i" "$usable" "$without" "$file" "$want"
    done
}

@test "until the next attempt, the status tells of the last one and of that" {
    local asked

    stub POST /_stub/answers '{"fixture": "http-429.json",
        "headers": {"Retry-After": "3"}, "body": "[]"}' >/dev/null
    req POST "$S/fetch/COL?from=2023-01-01&to=2023-01-01"
    expect 202
    wait_until 10 tried "$S/status/COL?from=2023-01-01&to=2023-01-01" 1
    asked=$(stub GET /_stub/log | jq '.[0].time_us / 1000000')
    expect 200 .attempts 1 .finished_at null .result null \
        .error 'the upstream answered 429 Too Many Requests' \
        "(.next_attempt_at | sub(\"[.].*\"; \"Z\") | fromdate) as \$at
         | \$at >= ($asked + 3 | floor) and \$at <= $asked + 13" true
    # asking now changes nothing: the upstream said when
    req POST "$S/fetch/COL?from=2023-01-01&to=2023-01-01"
    expect 202 .attempts 1 .state queued
    wait_until 20 job_ended "$S/status/COL?from=2023-01-01&to=2023-01-01"
    expect 200 .state succeeded .attempts 2 .error null .next_attempt_at null
    [[ $(stub GET /_stub/log | jq 'map(.time_us) | .[1] - .[0] >= 3000000') \
        == true ]]
}

@test "an upstream that is down, and up again" {
    local attempts

    know_state
    stub_stop
    req POST /patient/fetch/2023-06-01
    expect 202
    wait_until 20 tried /patient/status/2023-06-01 2
    expect 200 .error 'could not connect' .result null
    attempts=$(json .attempts)
    stub_start
    wait_until 20 job_ended /patient/status/2023-06-01
    expect 200 .state succeeded .error null .result.metrics.fcs.stored 33 \
        ".attempts > $attempts and .attempts <= 100" true
    [[ $(stub GET /_stub/log | jq 'map(.target) | tojson' -r) == \
        "[\"$UP?date_start=2023-06-01&date_end=2023-06-01\"]" ]]
}

@test "an answer over DsapiMaxBody is refused, inflated or not" {
    local before fixture day=1

    know_state
    before=$(checksum)
    for fixture in ok-small.json gzip.json.gz; do
        stub POST /_stub/answers "{\"fixture\": \"$fixture\", \"times\": 0,
            \"path\": \"$UP?date_start=2023-01-0$day\"}" >/dev/null
        echo "$fixture, 1093 bytes at most"
        req POST "/small/fetch/2023-01-0$day"
        expect 202
        wait_until 20 job_ended "/small/status/2023-01-0$day"
        expect 200 .state failed .result null \
            .error 'the answer is larger than 1093 bytes' .attempts 1
        [[ $(checksum) == "$before" ]]
        day=$((day + 1))
    done
    day=1
    for fixture in ok-small.json gzip.json.gz; do
        echo "$fixture, 1094 bytes at most"
        req POST "/enough/fetch/2023-01-0$day"
        wait_until 20 job_ended "/enough/status/2023-01-0$day"
        expect 200 .state succeeded .result.metrics.fcs.stored 3
        day=$((day + 1))
    done
}
