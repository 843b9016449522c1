#!/bin/bash
# Every unit test stands in its file's UNIT_SUITE, every core file has its
# tests, every .bats file a test.
set -u
cd "$(dirname "$0")/../.." || exit 1
rc=0

# Core files without tests of their own, each with its reason:
exceptions=()

wrong() {
    echo "$*"
    rc=1
}

for file in tests/unit/test_*.c; do
    [[ -e $file ]] || continue
    # START_TEST(name) … UNIT_SUITE(file, name, …) and its end
    tests=$(sed -nE 's/^START_TEST\(([A-Za-z0-9_]+)\).*/\1/p' "$file")
    suite=$(sed -n '/^UNIT_SUITE(/,/)/p' "$file" | tr -s ' ,()\t\n' '\n')
    [[ -n $tests ]] || wrong "$file has no test"
    name=$(basename "$file" .c)
    [[ $(sed -n 2p <<<"$suite") == "${name#test_}" ]] ||
        wrong "$file: no UNIT_SUITE(${name#test_}, …)"
    for test in $tests; do
        grep -qx "$test" <<<"$suite" ||
            wrong "$file: $test is not in UNIT_SUITE"
    done
    sort <<<"$tests" | uniq -d | while read -r test; do
        echo "$file: $test stands there twice"
    done | grep . && rc=1
    n=$(sed 1,2d <<<"$suite" | grep -c .)
    [[ $n == $(wc -w <<<"$tests") ]] ||
        wrong "$file: $(wc -w <<<"$tests") tests, but $n in UNIT_SUITE"
done

for dir in base json csv sql db route resource series source time limit docs; do
    for file in "src/$dir"/*.c; do
        [[ -e $file && " ${exceptions[*]} " != *" $file "* ]] || continue
        [[ -e tests/unit/test_${dir}_$(basename "$file") ]] ||
            wrong "$file: no tests/unit/test_${dir}_$(basename "$file")"
    done
done

for file in tests/integration/*.bats; do
    [[ -e $file ]] || continue
    grep -qE '^@test ' "$file" || wrong "$file has no test"
done
exit "$rc"
