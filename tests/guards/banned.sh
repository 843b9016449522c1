#!/bin/bash
# Functions that are not used: no check of errors or sizes, or they make a
# request wait. Of strtol and its kin only with an end pointer, in src/base.
set -u
cd "$(dirname "$0")/../.." || exit 1

# file:line: text, without comments and what strings say
code() {
    awk '
        FNR == 1 { inside = 0 }
        {
            line = $0
            gsub(/\\\\/, "", line)
            gsub(/\\"/, "", line)
            out = ""
            while (line != "") {
                if (inside) {
                    i = index(line, "*/")
                    if (!i) break
                    line = substr(line, i + 2)
                    inside = 0
                } else if (match(line, /"[^"]*"|\/\*/)) {
                    out = out substr(line, 1, RSTART - 1)
                    if (substr(line, RSTART, 1) == "\"") out = out "\"\""
                    else inside = 1
                    line = substr(line, RSTART + RLENGTH)
                } else {
                    out = out line
                    break
                }
            }
            print FILENAME ":" FNR ":" out
        }' "$@"
}

mapfile -t list < <(find src mod_dsapi.c -name '*.[ch]' | sort)
word='(^|[^A-Za-z0-9_])'
bad=$(
    code "${list[@]}" | grep -E -e \
        "$word(atoi|atol|atoll|atof|v?sprintf|strcpy|strcat|strtok|v?sscanf|gets|u?sleep)[[:space:]]*\\("
    code "${list[@]}" | grep -E -e \
        "${word}strto(l|ll|ul|ull|d|f|imax|umax)[[:space:]]*\\([^,]*,[[:space:]]*(NULL|0)[[:space:]]*[,)]"
    code "${list[@]}" | grep -v '^src/base/' | grep -E -e \
        "${word}(apr_)?strto(l|ll|ul|ull|i64|imax|umax)[[:space:]]*\\("
)
[[ -z $bad ]] && exit 0
echo 'banned functions:'
sort -u <<<"$bad"
exit 1
