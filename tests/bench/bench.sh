#!/bin/bash
# `make bench`: this module beside other ways to the same bytes, in one run.
#
#   bench.sh
#
# Variables: ROUNDS (3), DURATION (3: seconds of one measurement), ONLY (an
# extended regex: the groups to run), STRICT=1 (exit 1 below a floor), BUILD.
#
# The contenders of a group take turns, ROUNDS times. A ratio is the median of
# the rounds' ratios, so that what slows the machine down for a while slows
# both sides down; a figure that is no ratio is the median of the rounds.
# Prints a table; $BUILD/bench/report.json has the same.
set -u
cd "$(dirname "$0")/../.." || exit 1

# shellcheck source=tests/lib/servers.sh
source tests/lib/servers.sh
# shellcheck source=tests/bench/measures.sh
source tests/bench/measures.sh
# shellcheck source=tests/bench/series.sh
source tests/bench/series.sh
# shellcheck source=tests/bench/resource.sh
source tests/bench/resource.sh

ROUNDS=${ROUNDS:-3}
DURATION=${DURATION:-3}
ONLY=${ONLY:-.}
STRICT=${STRICT:-}

# group | work | ours | contender | floor | aim
#
# ours and contender are functions of measures.sh (measure_…) with arguments.
# With a contender the figure is ours / contender, and more is better; with a
# unit in its place it is ours, and less is better. A line without floor is
# there to be seen.
lines() {
    cat <<'END'
time   | time, no database             | http time        | http bare-time      | 0.9  | 0.95
key    | key lookup, uncached          | http doc         | http static-doc     | 0.5  | 0.65
key    | key lookup, uncached          | http doc         | http bare-doc       |      |
key    | key lookup, uncached          | http doc         | pgbench -c4 doc     | 0.3  | 0.45
key    | key lookup, uncached          | http doc         | pgbench -c16 doc    |      |
key    | p99 of it, 2 x 2 connections  | p99 doc          | ms                  | 20   | 10
key    | p99 of the minimal handler    | p99 bare-doc     | ms                  |      |
kept   | key lookup, cached            | http kept-doc    | http static-doc     | 1.2  | 1.45
kept   | key lookup, cached            | http kept-doc    | http bare-doc       |      |
kept   | key lookup, cached, 1000 keys | http kept-docs   | http static-doc     |      |
metric | metric A, raw SQL             | http metric-a    | pgbench -c4 metric-a | 0.9 | 0.95
metric | metric B, raw SQL             | http metric-b    | pgbench -c4 metric-b | 0.9 | 0.95
again  | metric A, same URL again      | http kept-a      | http static-a       | 1.3  | 1.6
again  | metric B, same URL again      | http kept-b      | http static-b       | 1.3  | 1.6
series | metric A, series, any range   | http series-a    | http static-a       | 0.4  | 0.7
series | metric A, series, any range   | http series-a    | http metric-a       | 25   | 40
series | metric A, series, any range   | http series-a    | http bare-a         |      |
series | metric B, series, any range   | http series-b    | http static-b       | 0.4  | 0.7
series | metric B, series, any range   | http series-b    | http metric-b       | 25   | 40
series | metric B, series, any range   | http series-b    | http bare-b         |      |
series | 10 x the rows                 | http rows-10     | http rows-1         |      |
series | 100 x the rows                | http rows-100    | http rows-1         |      |
insert | insert, 201                   | http insert      | pgbench -c4 insert  | 0.5  | 0.65
insert | insert, 201                   | http insert      | pgbench -c16 insert |      |
rest   | resource, list of 100 rows   | http item-list   | pgbench -c4 item-list | 0.3 | 0.45
rest   | resource, list of 100 rows   | http item-list   | pgbench -c16 item-list |    |
rest   | resource, key lookup         | http item        | pgbench -c4 item    | 0.3  | 0.45
rest   | resource, key lookup         | http item        | http doc            |      |
rest   | resource, insert             | http entry       | pgbench -c4 entry   | 0.5  | 0.65
rest   | resource, insert             | http entry       | http insert         |      |
import | CSV import, 500000 rows      | import http      | import copy         | 0.6  | 0.9
bulk   | bulk store, 100000 rows       | bulk job         | bulk sql            | 0.8  | 0.95
stream | 1000000 rows as CSV           | stream           | copy out            | 0.6  | 0.8
stream | growth of a child meanwhile   | grown            | MB                  | 4    | 2
wait   | enqueue to running, p50       | wait             | ms                  | 150  | 30
wait   | enqueue to running, p99       | wait_p99         | ms                  | 1000 | 100
wait   | queries of an idle child      | idle             | per_second          | 1    | 1
queue  | claim, 1.1 million jobs       | claim 1000000 100000 | claim 0 0       | 0.5  | 0.9
queue  | claims for 1000 pages touched | claims_by_page 1000000 100000 | claims_by_page 0 0 | 0.5 | 0.6
memory | 2 children, no series         | memory           | MB                  | 40   | 30
failed | reads, backends killed        | failed_kill      | failed              | 0    | 0
failed | reads, restart while idle     | failed_idle      | failed              | 0    | 0
failed | reads, restart under load     | failed_load      | failed              | 0    | 0
END
}

die() {
    srv_say "$*"
    exit 1
}


# rows GROUP: its lines, with single '|' between the fields
rows() {
    lines | sed -E 's/ *\| */|/g; s/ +$//' | grep "^$1|"
}

groups() {
    lines | cut -d '|' -f 1 | tr -d ' ' | uniq | grep -E "$ONLY"
}

# contenders GROUP: what is measured for it, in the order of the lines (p99
# tells of the run before it)
contenders() {
    rows "$1" | awk -F '|' '
        !seen[$3]++ { print $3 }
        $4 ~ / / && !seen[$4]++ { print $4 }'
}

# measure WORDS: one figure
measure() {
    local -a words

    read -ra words <<<"$1"
    "measure_${words[0]}" "${words[@]:1}"
}

# A group's rounds: results holds lines of round|contender|figure
run_group() {
    local group=$1 round what figure
    local -a list

    mapfile -t list < <(contenders "$group")
    for what in "${list[@]}"; do
        warm_up "$what" || die "$what does not work"
    done
    for ((round = 1; round <= ROUNDS; round++)); do
        for what in "${list[@]}"; do
            figure=$(measure "$what") || die "$what gave no figure"
            printf '%s|%s|%s|%s\n' "$group" "$round" "$what" "$figure" \
                >>"$results"
            [[ ! -t 2 ]] || printf '\r\033[K%s, round %d: %s: %s' \
                "$group" "$round" "$what" "$figure" >&2
        done
    done
    [[ ! -t 2 ]] || printf '\r\033[K' >&2
}

# What the rounds of a group came to, as one JSON object a line
judge() {
    rows "$1" | jq -Rc --rawfile results "$results" '
        def median: sort | if length % 2 == 1 then .[length / 2 | floor]
            else (.[length / 2 - 1] + .[length / 2]) / 2 end;
        def number: if . == "" then null else tonumber end;
        split("|") as [$group, $work, $ours, $than, $floor, $aim]
        | [$results | split("\n")[] | select(. != "") | split("|")
           | select(.[0] == $group)
           | {round: .[1], what: .[2], figure: (.[3] | tonumber)}] as $all
        | def figures($what): [$all[] | select(.what == $what) | .figure];
        ($than | contains(" ")) as $is_ratio
        | figures($ours) as $a | figures($than) as $b
        | {group: $group, work: $work, ours: ($a | median),
           contender: $than,
           theirs: (if $is_ratio then $b | median else null end),
           ratio: (if $is_ratio
                   then [range($a | length) | $a[.] / $b[.]] | median
                   else null end),
           floor: ($floor | number), aim: ($aim | number)}
        | (.ratio // .ours) as $figure
        | (if $is_ratio then 1 else -1 end) as $sign
        | .verdict = (if .floor == null then ""
            elif ($figure - .floor) * $sign < 0 then "below floor"
            elif ($figure - .aim) * $sign < 0 then "reached floor"
            else "reached" end)'
}

report() {
    jq -rs '
        def shown: if . == null then "" elif . >= 100 or . == floor
            then round | tostring else . * 100 | round / 100 | tostring end;
        ["WORK", "MODULE", "CONTENDER", "", "RATIO", "FLOOR", "AIM", "VERDICT"],
        (.[] | [.work, (.ours | shown), .contender, (.theirs | shown),
                (.ratio | shown), (.floor | shown), (.aim | shown), .verdict])
        | join("|")' "$1" |
        awk -F '|' '{ printf "%-30s %9s  %-20s %8s %6s %6s %6s  %s\n",
                      $1, $2, $3, $4, $5, $6, $7, $8 }'
}

main() {
    local group verdicts

    [[ $ROUNDS =~ ^[1-9][0-9]*$ && $DURATION =~ ^[1-9][0-9]*$ ]] ||
        die "ROUNDS=$ROUNDS DURATION=$DURATION: whole numbers, please"
    [[ -n $(groups) ]] || die "ONLY=$ONLY names no group"
    srv_init || exit 1
    out=$BUILD/bench
    mkdir -p "$out" || exit 1
    results=$out/results.txt
    verdicts=$out/verdicts.jsonl
    : >"$results"
    : >"$verdicts"
    trap stop_servers EXIT
    trap 'exit 130' INT TERM HUP
    start_servers || die 'the servers did not start'
    for group in $(groups); do
        run_group "$group"
        judge "$group" >>"$verdicts" || exit 1
    done
    jq -s --arg rounds "$ROUNDS" --arg seconds "$DURATION" \
        '{rounds: ($rounds | tonumber), seconds: ($seconds | tonumber),
          lines: .}' "$verdicts" >"$out/report.json" || exit 1
    rm -f "$verdicts"
    report <(jq -c '.lines[]' "$out/report.json")
    [[ -z $STRICT ]] ||
        jq -e 'all(.lines[]; .verdict != "below floor")' \
            "$out/report.json" >/dev/null
}

main
