#!/bin/bash
# The core (src/ but src/httpd/) knows nothing of httpd, and each foreign
# library is included by one file; jansson is the tests'.
# shellcheck disable=SC2317 # what none calls
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
include='#[[:space:]]*include[[:space:]]*[<"]'
rc=0

# none WHAT COMMAND...: it prints nothing
none() {
    local what=$1 lines

    shift
    lines=$("$@")
    [[ -n $lines ]] || return 0
    printf '%s:\n%s\n' "$what" "$lines"
    rc=1
}

# in_core REGEX: lines
in_core() {
    find src -name httpd -prune -o -name '*.[ch]' -print0 | sort -z |
        xargs -0 grep -nE "$1"
}

# including HEADER FILE...: the other files that include it
including() {
    local header=$1

    shift
    find src mod_dsapi.c -name '*.[ch]' -print0 |
        xargs -0 grep -lE "$include([^\">]*/)?$header" |
        grep -vxF "$(printf '%s\n' "$@")"
}

# what the linker would ask httpd for
undefined() {
    nm -A -u "$BUILD/libdsapi.a" | grep -E ' U ap_'
}

none 'headers of httpd in the core' in_core \
    "$include([^\">]*/)?(httpd|http_|ap_|mod_|util_|mpm_|scoreboard)[a-z_]*\.h"
none 'headers of the glue in the core' in_core "$include(\.\./)*httpd/"
none 'names of httpd in the core' in_core \
    '\<(ap_[a-z]|AP_[A-Z]|request_rec|server_rec|conn_rec)'
for row in 'jansson\.h -' 'libpq src/db/pq.h' \
    'curl/ src/source/client.c'; do
    none "files that include ${row%% *} besides ${row#* }" \
        including "${row%% *}" "${row#* }"
done
[[ $(including 'pcre2\.h' - | wc -l) -le 1 ]] ||
    none 'pcre2.h is included by more than one file' including 'pcre2\.h' -

make -s "$BUILD/libdsapi.a" || exit 1
none 'names of httpd that libdsapi.a needs' undefined
exit "$rc"
