#!/bin/bash
# Run the checks; the last line is their sum: N passed, N failed.
#
#   check.sh all|unit|integration|guards|lint|asan|tsan
#   check.sh fuzz SECONDS               random input, about so long
#   check.sh cflags core|glue|unit      the compiler's flags, one a line
#
# all is guards, lint, unit, integration, asan. asan is unit and integration
# with everything built by SAN=1; tsan, which is not part of it, the unit tests
# of what threads share, built by TSAN=1. Logs are in $BUILD/check.
# Variables: BUILD (build), SAN=1 (BUILD was built so already), and for
# integration BATS_FILES (default: tests/integration/*.bats).
set -u
cd "$(dirname "$0")/../.." || exit 1

BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$PWD/$BUILD
export BUILD
# of the make that may have called us
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
# what make run would be told
unset PORT LISTEN HUNGERMAP_UPSTREAM RESTCOUNTRIES_UPSTREAM DATABASE_URL \
    EXTRA_CONF

passed=0
failed=0
logs=$BUILD/check

# count PART PASSED FAILED SECONDS: add to the sum, and say so
count() {
    printf '%-24s %4d passed, %d failed  (%d s)\n' "$1" "$2" "$3" "$4"
    passed=$((passed + $2))
    failed=$((failed + $3))
}

# one NAME COMMAND...: a command that is one test; shown where it fails
one() {
    local name=$1 log=$logs/${1//[ \/]/-}.log begin=$SECONDS

    shift
    if "$@" >"$log" 2>&1; then
        count "$name" 1 0 $((SECONDS - begin))
    else
        tail -n 500 "$log"
        count "$name" 0 1 $((SECONDS - begin))
    fi
}

# ---- flags ----

# The Makefile's include folders and defines, for what is not make.
cflags() {
    local apxs word
    local -a words=()

    words=(-Isrc)
    for word in $(apr-1-config --includes --cppflags) \
        $(apu-1-config --includes) \
        $(pkg-config --cflags jansson libcurl libpq libpcre2-8); do
        words+=("${word/#-I/-isystem}")
    done
    case $1 in
    core) ;;
    glue)
        apxs=$(command -v apxs2 || command -v apxs)
        words+=("-isystem$("$apxs" -q INCLUDEDIR)")
        ;;
    unit)
        words+=(-Itests "-I$BUILD")
        ;;
    *)
        echo "check.sh: no flags for $1" >&2
        return 2
        ;;
    esac
    printf '%s\n' -std=c11 -D_GNU_SOURCE "${words[@]}"
}

# which of them a file needs
kind_of() {
    case $1 in
    mod_dsapi.c | src/httpd/* | tests/bench/*) echo glue ;;
    tests/unit/*) echo unit ;;
    *) echo core ;;
    esac
}

# files NAME-PATTERN...: tracked or new, not ignored; without git, all
files() {
    local file pattern
    local -a tests=()

    if git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files -co --exclude-standard -- "$@"
    else
        for pattern in "$@"; do
            tests+=(-o -path "*/${pattern#\*}" -o -name "$pattern")
        done
        find . \( -name build -o -name .git \) -prune -o -type f \
            \( "${tests[@]:1}" \) -print | sed 's|^\./||'
    fi | sort -u | while read -r file; do
        [[ ! -f $file ]] || printf '%s\n' "$file"
    done
}

# ---- parts ----

guards() {
    local guard

    for guard in tests/guards/*.sh; do
        [[ ! -e $guard ]] || one "guard $(basename "$guard" .sh)" "$guard"
    done
}

lint() {
    one 'lint clang-format' lint_format
    one 'lint shellcheck' lint_shell
    one 'lint cppcheck' lint_cppcheck
    one 'lint clang-tidy' lint_tidy
}

lint_format() {
    local -a list

    mapfile -t list < <(files '*.c' '*.h')
    [[ ${#list[@]} -gt 0 ]] || return 1
    clang-format --dry-run -Werror "${list[@]}"
}

lint_shell() {
    local -a list

    mapfile -t list < <(files '*.sh' '*.bash' '*.bats' .ci/run)
    shellcheck -x "${list[@]}"
}

lint_cppcheck() {
    local -a list

    mapfile -t list < <(files '*.c')
    cppcheck -q -j 2 --std=c11 --inline-suppr --error-exitcode=1 \
        --enable=warning,style,performance,portability \
        --suppress=missingIncludeSystem -Isrc -Itests "${list[@]}"
}

lint_tidy() {
    make -s "$BUILD/suites.h" BUILD="$BUILD" || return 1
    files '*.c' | xargs -P 2 -n 1 "$0" tidy
}

# one file, its output in one piece
tidy() {
    local out rc=0
    local -a flags

    mapfile -t flags < <(cflags "$(kind_of "$1")")
    out=$(clang-tidy --quiet "$1" -- "${flags[@]}" 2>&1) || rc=$?
    [[ $rc == 0 ]] || printf '%s\n' "$out"
    return "$rc"
}

# unit [LABEL]: in two parts at the same time
unit() {
    local name=${1:-}unit part begin=$SECONDS passed_here=0 failed_here=0
    local log rc
    local -a running=()

    if [[ ! -x $BUILD/unit ]]; then
        echo "$BUILD/unit is missing: make build"
        count "$name" 0 1 0
        return
    fi
    log=$logs/${name// /-}
    for part in 0 1; do
        DSAPI_TOOLS=$BUILD/tools DSAPI_DATA=$PWD/tests/data \
            CK_VERBOSITY=normal ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} \
            UBSAN_OPTIONS=print_stacktrace=1 \
            tests/lib/unit.sh "$BUILD/unit" "$part" \
            >"$log-$part.log" 2>&1 </dev/null &
        running+=("$!")
    done
    for part in 0 1; do
        rc=0
        wait "${running[part]}" || rc=$?
        unit_sum "$log-$part.log" "$rc"
    done
    count "$name" "$passed_here" "$failed_here" $((SECONDS - begin))
}

# unit_sum LOG CODE: add what one part says; shown where something failed
unit_sum() {
    local log=$1 rc=$2 sum n=0 bad=1
    local line='^[0-9]+%: Checks: ([0-9]+), Failures: ([0-9]+)'
    line+=', Errors: ([0-9]+)'

    sum=$(grep -E "$line" "$log" | tail -n 1)
    if [[ $sum =~ $line ]]; then
        n=${BASH_REMATCH[1]}
        bad=$((BASH_REMATCH[2] + BASH_REMATCH[3]))
        [[ $rc == 0 || $bad != 0 ]] || bad=1
        n=$((n - bad))
    else
        echo "$log ended with $rc and without a summary"
    fi
    [[ $bad == 0 ]] || tail -n 400 "$log"
    passed_here=$((passed_here + n))
    failed_here=$((failed_here + bad))
}

# integration [LABEL]
integration() {
    local label=${1:-} file
    local -a list=()

    if [[ -n ${BATS_FILES:-} ]]; then
        read -ra list <<<"$BATS_FILES"
    else
        mapfile -t list < <(printf '%s\n' tests/integration/*.bats)
    fi
    for file in "${list[@]}"; do
        if [[ -e $file ]]; then
            bats_file "$label$(basename "$file")" "$file"
        else
            echo "no $file"
            count "$label$(basename "$file")" 0 1 0
        fi
    done
}

# What bats planned and did not run has failed, and so has a file whose
# setup_file or teardown_file did.
bats_file() {
    local name=$1 file=$2 log begin=$SECONDS rc=0 plan ok bad

    log=$logs/${name// /-}.log
    bats --formatter tap "$file" >"$log" 2>&1 </dev/null || rc=$?
    plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$log" | head -n 1)
    ok=$(grep -c '^ok ' "$log")
    bad=$((${plan:-0} - ok))
    ((bad >= 0)) || bad=0
    [[ $rc == 0 || $bad != 0 ]] || bad=1
    [[ $bad == 0 ]] || awk '
        /^(ok|1\.\.)/ { show = 0; next }
        /^not ok/ { show = 1 }
        show || !/^#/' "$log"
    count "$name" "$ok" "$bad" $((SECONDS - begin))
}

asan() {
    if [[ -z ${SAN:-} ]]; then
        one 'asan build' make build SAN=1 BUILD="$BUILD/asan"
        [[ -x $BUILD/asan/unit ]] || return
        BUILD=$BUILD/asan
    fi
    export SAN=1
    unit 'asan '
    integration 'asan '
}

# the suites with threads in them
tsan() {
    local suite

    one 'tsan build' make build TSAN=1 BUILD="$BUILD/tsan"
    for suite in route_cache route_version series_store series_threads; do
        one "tsan $suite" env CK_RUN_SUITE="$suite" \
            CK_TIMEOUT_MULTIPLIER=4 TSAN_OPTIONS=halt_on_error=1 \
            tests/lib/unit.sh "$BUILD/tsan/unit"
    done
}

# fuzz SECONDS: the suites of unit/fuzz.h, from another seed each time
fuzz() {
    local end suite seed

    one 'fuzz build' make build SAN=1 BUILD="$BUILD/asan"
    end=$((SECONDS + $1))
    while ((failed == 0 && SECONDS < end)); do
        for suite in csv_reader resource_build_fuzz resource_query_fuzz; do
            seed=$((RANDOM << 15 | RANDOM))
            one "fuzz $suite $seed" env CK_RUN_SUITE="$suite" \
                DSAPI_FUZZ_SEED="$seed" CK_TIMEOUT_MULTIPLIER=10 \
                tests/lib/unit.sh "$BUILD/asan/unit"
        done
    done
}

# ---- all ----

finish() {
    echo "$passed passed, $failed failed"
    ((failed == 0 && passed > 0)) || exit 1
    exit 0
}

mkdir -p "$logs" || exit 1
case ${1:-} in
all)
    guards
    lint
    unit
    integration
    asan
    finish
    ;;
unit | integration | guards | lint | asan | tsan)
    "$1"
    finish
    ;;
fuzz)
    fuzz "${2:-30}"
    finish
    ;;
cflags)
    cflags "${2:-}"
    ;;
tidy)
    tidy "$2"
    ;;
*)
    echo 'usage: check.sh all|unit|integration|guards|lint|asan|tsan|fuzz' >&2
    exit 2
    ;;
esac
