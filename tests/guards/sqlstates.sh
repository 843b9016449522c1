#!/bin/bash
# The table "SQLSTATE | status" of conf/README.md says what src/db/sqlstate.c
# does: the same states, each with its status.
set -u
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C.UTF-8

# DSAPI_EBUSY 503, one a line
statuses() {
    grep -oE '\{DSAPI_E[A-Z]+, [0-9]{3},' src/base/error.c | tr -d '{,'
}

# 53… 503, one a line; what the code decides by itself is named here
built() {
    echo 'PTnnn nnn'
    echo 'P0001 400'
    echo '25006 503'
    awk '
        NR == FNR { http[$1] = $2; next }
        /state_row_t rows\[\]/ { inside = 1 }
        /^};/ { inside = 0 }
        inside { text = text $0 }
        END {
            while (match(text, /\{"[0-9A-Z]+",[^}]*\}/)) {
                row = substr(text, RSTART, RLENGTH)
                text = substr(text, RSTART + RLENGTH)
                split(row, part, "\"")
                match(row, /DSAPI_E[A-Z]+/)
                print part[2] (length(part[2]) < 5 ? "…" : ""), \
                    http[substr(row, RSTART, RLENGTH)]
            }
        }' <(statuses) src/db/sqlstate.c
}

written() {
    sed -n '/^| SQLSTATE | status/,/^$/p' conf/README.md |
        awk -F'|' '{
            gsub(/ /, "", $3)
            n = split($2, part, "`")
            for (i = 2; i <= n; i += 2)
                if (part[i] ~ /^([0-9A-Z]+|PTnnn|[0-9A-Z]+…)$/ && part[i] != "RAISE")
                    print part[i], $3
        }'
}

[[ $(built | wc -l) -ge 15 ]] || {
    echo 'the table of src/db/sqlstate.c is not found'
    exit 1
}
diff --label src/db/sqlstate.c --label conf/README.md -U0 \
    <(built | sort) <(written | sort)
