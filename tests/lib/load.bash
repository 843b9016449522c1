# shellcheck shell=bash
# Requests by many at once, while something is done to the servers. To be
# loaded after testing; a teardown calls load_end. BASE is where they go.

# load_begin URL CLIENTS: so many ask for it (curl's [1-20] is meant) for as
# long as load_end lets them; statuses are collected in $LOAD.N, one a line
load_begin() {
    local n

    LOAD=$BATS_TEST_TMPDIR/load
    rm -f "$LOAD".*
    touch "$LOAD.go"
    for ((n = 0; n < $2; n++)); do
        # shellcheck disable=SC2094 # only its name
        while [[ -e $LOAD.go ]]; do
            curl -sS --noproxy '*' --max-time 60 -o /dev/null \
                -w '%{http_code}\n' "$BASE$1" || true
        done >"$LOAD.$n" 2>&1 3>&- &
        loads+=($!)
    done
}

load_end() {
    rm -f "$BATS_TEST_TMPDIR/load.go"
    [[ ${#loads[@]} == 0 ]] || wait "${loads[@]}"
    loads=()
}

load_count() {
    cat "$LOAD".[0-9]* | wc -l
}

# so many more answers than there were: load_more COUNT N
load_more() {
    [[ $(load_count) -ge $(($1 + $2)) ]]
}

# write_begin CLIENTS: so many write numbers of their own for as long as
# load_end lets them; "number status" is collected in $WRITES.N, one a line
write_begin() {
    local n i

    WRITES=$BATS_TEST_TMPDIR/writes
    touch "$BATS_TEST_TMPDIR/load.go"
    for ((n = 1; n <= $1; n++)); do
        for ((i = 1; ; i++)); do
            [[ -e $BATS_TEST_TMPDIR/load.go ]] || break
            curl -sS --noproxy '*' --max-time 60 -o /dev/null \
                -w "$((n * 1000000 + i)) %{http_code}\n" \
                -d "n=$((n * 1000000 + i))" "$BASE/d/write" || true
        done >"$WRITES.$n" 2>&1 3>&- &
        loads+=($!)
    done
}

# so many more writes than there were: write_more COUNT N
write_more() {
    [[ $(cat "$WRITES".* | wc -l) -ge $(($1 + $2)) ]]
}

# writes_exact LOST COMMAND...: each write that was answered with 204 is there
# once; no more than LOST were not, with 503, and these are there once or not
# at all. The command runs SQL where they are
writes_exact() {
    local lost

    grep -hE ' 204$' "$WRITES".* | cut -d ' ' -f 1 | sort >"$WRITES-good"
    "${@:2}" 'SELECT n FROM written' | sort >"$WRITES-there"
    lost=$(grep -hvE ' 204$' "$WRITES".*) || true
    echo "good and there: $(wc -l <"$WRITES-good"); others: $lost"
    [[ -z $(uniq -d "$WRITES-there") ]]
    [[ -z $(comm -23 "$WRITES-good" "$WRITES-there") ]]
    ! comm -13 "$WRITES-good" "$WRITES-there" |
        grep -vxF "$(cut -d ' ' -f 1 <<<"$lost")" || return 1
    [[ $(grep -c . <<<"$lost") -le $1 ]]
    ! grep -v ' 503$' <<<"${lost:-0 503}" || return 1
}

# only 200 were answered, and many
load_all_good() {
    [[ $(cat "$LOAD".[0-9]* | sort -u) == 200 && $(load_count) -gt 50 ]] || {
        cat "$LOAD".[0-9]* | sort | uniq -c
        return 1
    }
}
