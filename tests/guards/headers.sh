#!/bin/bash
# Every header compiles alone, twice over, with the Makefile's warnings.
set -u
cd "$(dirname "$0")/../.." || exit 1
rc=0

make -s "${BUILD:-build}/suites.h" || exit 1
for kind in core glue unit; do
    mapfile -t flags < <(tests/lib/check.sh cflags "$kind")
    case $kind in
    core)
        list=$(find src -name httpd -prune -o -name '*.h' -print)
        ;;
    glue) list=$(find src/httpd -name '*.h' 2>/dev/null) ;;
    unit) list=$(find tests -name '*.h') ;;
    esac
    for header in $list; do
        # a prototype's types must be known, its include guard must work
        printf '#include "%s"\n' "$PWD/$header" "$PWD/$header" |
            gcc -fsyntax-only -x c -Wall -Wextra -Wstrict-prototypes \
                -Wundef -Wno-unused -Werror "${flags[@]}" - || {
            echo "$header does not compile alone"
            rc=1
        }
    done
done
exit "$rc"
