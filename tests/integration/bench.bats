#!/usr/bin/env bats
# make bench: that it measures, not what. It has servers of its own.
# status and output are set by run
# shellcheck disable=SC2154
load ../lib/testing

# Neither this file's servers nor an httpd's log are looked at.
setup() { :; }
teardown() { :; }

setup_file() {
    PLACE=$(srv_place)
    mkdir "$PLACE/bench"
    cp "$BUILD/mod_dsapi.so" "$PLACE/"
    make -s -C "$SRV_TOP" "$PLACE/bench/mod_bench.so" BUILD="$PLACE"
    BUILD=$PLACE
    export PLACE BUILD
}

teardown_file() {
    rm -rf "$PLACE"
}

@test "every line of a group has its figures and a verdict" {
    local key='.group == "key"'

    ROUNDS=1 DURATION=1 ONLY='^key$' run "$SRV_TOP/tests/bench/bench.sh"
    echo "$output"
    [[ $status == 0 ]]
    [[ $output == *'key lookup, uncached'*'pgbench -c4 doc'* ]]
    jq -e ".lines | length > 3 and all(.[]; $key and .ours > 0)" \
        "$PLACE/bench/report.json"
    jq -e '.lines | all(.[]; if .contender | contains(" ")
        then .theirs > 0 and .ratio > 0 else .ratio == null end)' \
        "$PLACE/bench/report.json"
    jq -e '.lines | all(.[]; .verdict as $v | .floor == null or
        any("reached", "reached floor", "below floor"; . == $v))' \
        "$PLACE/bench/report.json"
}

@test "a group that does not exist, and a time that is none, are refused" {
    ONLY=nothing run "$SRV_TOP/tests/bench/bench.sh"
    [[ $status == 1 && $output == *'ONLY=nothing names no group'* ]]
    DURATION=x run "$SRV_TOP/tests/bench/bench.sh"
    [[ $status == 1 && $output == *'DURATION=x'* ]]
}
