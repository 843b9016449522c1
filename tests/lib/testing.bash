# shellcheck shell=bash
# shellcheck disable=SC2034 # status, body, output are for the tests
# For bats files: each has a PostgreSQL, an upstream stand-in and an httpd of
# its own. A file begins
#
#   load ../lib/testing
#   setup_file() { dsapi_up; }
#
# and gets setup, teardown and teardown_file from here; a file with its own
# calls dsapi_test_begin, dsapi_test_end, dsapi_down in them.
#
# A line of level warn or worse in httpd's error log fails the test it was
# written in, unless the test said claim_log 'extended regex' for it. A child
# that crashed, a report of a sanitizer, an httpd that is gone: always.
#
# DSAPI_KEEP=1 keeps the folder of a file in which a test failed.

DSAPI_LIB=${BASH_SOURCE[0]%/*}
# shellcheck source=tests/lib/servers.sh
source "$DSAPI_LIB/servers.sh"
srv_init

# Sanitized servers are slower.
DSAPI_SLOW=1
[[ -z ${SAN:-} ]] || DSAPI_SLOW=4

# ---- a file's servers ----

# dsapi_up [TEXT [BEFORE]]: start them; TEXT is a configuration fragment
# included last, BEFORE one that stands before the services
# (${UPSTREAM}, ${CONNINFO}, ${MODULES}, ${TOP}, ${HTTPD_DIR} are defined).
# DSAPI_SERVICES="hungermap …" or "none" limits the services of conf/.
# Exports DSAPI_DIR PORT BASE UPSTREAM CONNINFO.
dsapi_up() {
    DSAPI_DIR=$(srv_place)
    export DSAPI_DIR
    dsapi_reaper
    srv_pg_make "$DSAPI_DIR/pg" off
    srv_pg_start "$DSAPI_DIR/pg"
    srv_schemas srv_psql "$DSAPI_DIR/pg"
    UPSTREAM=http://127.0.0.1:$(srv_free_port)
    srv_stub_start "$DSAPI_DIR/upstream" "${UPSTREAM##*:}"
    CONNINFO=$(srv_conninfo "$DSAPI_DIR/pg")
    export UPSTREAM CONNINFO
    httpd_up httpd "${1:-}" "${2:-}"
    PORT=$(<"$DSAPI_DIR/httpd/port")
    BASE=http://127.0.0.1:$PORT
    export PORT BASE
}

# Ends everything when this file's shell is gone without dsapi_down.
dsapi_reaper() {
    mkdir "$DSAPI_DIR/reaper"
    # shellcheck disable=SC2016 # expanded by the inner shell
    srv_spawn "$DSAPI_DIR/reaper" root bash -c '
        source "$1/servers.sh" && srv_init
        tail --pid="$2" -f /dev/null
        for folder in "$3"/*/; do
            case $folder in
            */reaper/) ;;
            */pg/) srv_end "${folder%/}" QUIT 10 ;;
            *) srv_end "${folder%/}" TERM 10 ;;
            esac
        done
        [[ $3 != */dsapi-* ]] || rm -rf "$3"
    ' reaper "$(cd "$DSAPI_LIB" && pwd)" $$ "$DSAPI_DIR"
}

# httpd_up NAME [TEXT [BEFORE]]: one more httpd on the same database and
# stand-in (the first is called httpd). Its port is in $DSAPI_DIR/NAME/port.
httpd_up() {
    local dir=$DSAPI_DIR/$1 port

    port=$(srv_free_port)
    mkdir -p "$dir"
    echo "$port" >"$dir/port"
    httpd_config "$1" "${2:-}" "${3:-}"
    srv_httpd_start "$dir" "http://127.0.0.1:$port/"
}

# httpd_config NAME [TEXT [BEFORE]]: write its configuration anew; a restart reads it
httpd_config() {
    local dir=$DSAPI_DIR/$1

    mkdir -p "$dir"
    [[ -s $dir/port ]] || srv_free_port >"$dir/port"
    printf '%s\n' "${2:-}" >"$dir/extra.conf"
    printf '%s\n' "${3:-}" >"$dir/before.conf"
    srv_httpd_conf "$dir" port="$(<"$dir/port")" conninfo="$CONNINFO" \
        upstream="$UPSTREAM" extra="$dir/extra.conf" \
        before="$dir/before.conf" threads=8 \
        services="${DSAPI_SERVICES:-all}"
}

# configtest [TEXT [BEFORE]]: what apachectl configtest says of the shipped services
# and this fragment (file: extra.conf): sets status and output
configtest() {
    local dir=$DSAPI_DIR/configtest

    httpd_config configtest "${1:-}" "${2:-}"
    status=0
    output=$(srv_httpd_test "$dir") || status=$?
}

# dsapi_down: end everything, remove the folder. Fails on log lines that
# came after the last test.
dsapi_down() {
    local rc=0 dir pid

    [[ -n ${DSAPI_DIR:-} && -d $DSAPI_DIR ]] || return 0
    for dir in "$DSAPI_DIR"/*/; do
        dir=${dir%/}
        [[ ! -e $dir/httpd.conf ]] || srv_httpd_stop "$dir" || rc=1
    done
    srv_stub_stop "$DSAPI_DIR/upstream" || rc=1
    dsapi_check_logs || rc=1
    srv_pg_stop "$DSAPI_DIR/pg" QUIT || rc=1
    if pid=$(srv_pid "$DSAPI_DIR/reaper"); then
        kill -s KILL -- "-$pid" 2>/dev/null || true
    fi
    if [[ $rc != 0 || -e $DSAPI_DIR/failed ]]; then
        dsapi_keep_logs
        [[ -z ${DSAPI_KEEP:-} ]] || {
            echo "# kept: $DSAPI_DIR" >&3
            return "$rc"
        }
    fi
    rm -rf "$DSAPI_DIR"
    return "$rc"
}

dsapi_keep_logs() {
    local name=${BATS_TEST_FILENAME##*/} log to

    to=$BUILD/logs/${name%.bats}
    rm -rf "$to"
    mkdir -p "$to"
    for log in "$DSAPI_DIR"/*/*log "$DSAPI_DIR"/*/extra.conf; do
        [[ ! -s $log ]] || cp "$log" \
            "$to/$(basename "${log%/*}")-${log##*/}" || true
    done
    echo "# logs of the failed tests: $to" >&3
}

# ---- a test ----

# dsapi_test_begin: what an earlier test stopped is started again
dsapi_test_begin() {
    rm -f "$DSAPI_DIR/claims"
    status='' body='' output=''
    pg_start
    srv_stub_start "$DSAPI_DIR/upstream" "${UPSTREAM##*:}"
    httpd_start httpd
}

dsapi_test_end() {
    local rc=0 dir

    [[ -n ${BATS_TEST_COMPLETED:-} ]] || touch "$DSAPI_DIR/failed"
    dsapi_check_logs || rc=1
    for dir in "$DSAPI_DIR"/*/; do
        if [[ -e $dir/httpd.conf && -e $dir/ident ]] &&
            srv_dead "${dir%/}"; then
            echo "httpd is gone: $dir"
            srv_end "${dir%/}" KILL 1
            rc=1
        fi
    done
    [[ $rc == 0 ]] || touch "$DSAPI_DIR/failed"
    return "$rc"
}

setup() {
    dsapi_test_begin
}

teardown() {
    dsapi_test_end
}

teardown_file() {
    dsapi_down
}

# claim_log REGEX: this test expects such lines. In setup_file, before
# dsapi_up: every test of the file does.
claim_log() {
    if [[ -n ${BATS_TEST_NUMBER:-} ]]; then
        printf '%s\n' "$1" >>"$DSAPI_DIR/claims"
    else
        export DSAPI_CLAIMS="${DSAPI_CLAIMS:-}$1"$'\n'
    fi
}

# dsapi_check_logs: what was logged since the last call, less the claims
dsapi_check_logs() {
    local rc=0 dir

    for dir in "$DSAPI_DIR"/*/; do
        dir=${dir%/}
        [[ ! -e $dir/error.log ]] || dsapi_check_log "$dir" || rc=1
        dsapi_check_san "$dir" || rc=1
    done
    return "$rc"
}

dsapi_check_log() {
    local dir=$1 from=1 size bad crash
    local level='(emerg|alert|crit|error|warn)'
    local signal='(Segmentation|Abort|Bus|Illegal|Floating|Trace)'

    [[ ! -e $dir/log.seen ]] || from=$(<"$dir/log.seen")
    size=$(stat -c %s "$dir/error.log")
    echo $((size + 1)) >"$dir/log.seen"
    # whole bytes up to size; a line without httpd's form came from below it
    tail -c "+$from" "$dir/error.log" | head -c $((size + 1 - from)) \
        >"$dir/log.new"
    crash=$(grep -E "exit signal $signal" "$dir/log.new") || true
    bad=$(grep -aE -e "^\[[^]]*\] \[[^]:]*:$level\]" -e '^[^[]' \
        -e 'exit signal' "$dir/log.new" |
        dsapi_unclaimed) || true
    [[ -n $bad$crash ]] || return 0
    echo "in ${dir##*/}/error.log, and not claimed:"
    printf '%s\n' "$crash" "$bad" | sed '/^$/d' | sort -u
    return 1
}

dsapi_unclaimed() {
    local claims

    claims=${DSAPI_CLAIMS:-}
    [[ ! -e $DSAPI_DIR/claims ]] || claims+=$(<"$DSAPI_DIR/claims")
    claims=$(sed '/^$/d' <<<"$claims")
    if [[ -n $claims ]]; then
        grep -avE -e "$claims"
    else
        cat
    fi
}

dsapi_check_san() {
    local report rc=0

    for report in "$1"/san/*; do
        [[ -s $report ]] || continue
        echo "a sanitizer reported, ${1##*/}:"
        head -n 60 "$report"
        rm -f "$report"
        rc=1
    done
    return "$rc"
}

# ---- asking ----

# req METHOD PATH-OR-URL [CURL ARGUMENT...]: sets status (000: no answer) and
# body. The body is in $RES/body too, the headers in $RES/headers.
req() {
    local method=$1 url=$2 how

    shift 2
    [[ $url == http*://* ]] || url=$BASE$url
    how=(-X "$method")
    [[ $method != HEAD ]] || how=(--head)
    RES=${BATS_TEST_TMPDIR:-$DSAPI_DIR}
    : >"$RES/headers"
    : >"$RES/body"
    status=$(curl -sS -g --path-as-is --noproxy '*' \
        --max-time $((30 * DSAPI_SLOW)) -D "$RES/headers" -o "$RES/body" \
        -w '%{http_code}' "${how[@]}" "$@" "$url") || true
    [[ $method != HEAD ]] || : >"$RES/body"
    { body=$(<"$RES/body"); } 2>/dev/null
}

# header NAME: its value in the last answer; 1: it has none
header() {
    tr -d '\r' <"$RES/headers" | awk -v name="$1" '
        BEGIN { name = tolower(name) ":" }
        /^HTTP\// { n = 0 }
        tolower(substr($0, 1, length(name))) == name {
            value = substr($0, length(name) + 1)
            sub(/^[ \t]+/, "", value)
            found[n++] = value
        }
        END {
            for (i = 0; i < n; i++) print found[i]
            exit n == 0
        }'
}

# json FILTER [JQ ARGUMENT...]: jq -r over the last body
json() {
    local filter=$1

    shift
    jq -r "$@" "$filter" "$RES/body"
}

# expect STATUS [FILTER VALUE]...: of the last answer, or show it and fail
expect() {
    local want=$1 got

    shift
    if [[ $status != "$want" ]]; then
        echo "status $status, not $want; the answer:"
        head -c 2000 "$RES/headers" "$RES/body"
        return 1
    fi
    while [[ $# -ge 2 ]]; do
        got=$(json "$1")
        if [[ $got != "$2" ]]; then
            printf '%s is %s, not %s; the answer:\n' "$1" "$got" "$2"
            head -c 2000 "$RES/body"
            return 1
        fi
        shift 2
    done
}

# expect_problem STATUS CODE [FIELD]: the last answer is that problem
# document, and one of its errors is about FIELD
expect_problem() {
    expect "$1" .status "$1" .code "$2" \
        'all(.type, .title, .detail; type == "string")' true
    if [[ $(header Content-Type) != application/problem+json* ]]; then
        echo "Content-Type: $(header Content-Type)"
        return 1
    fi
    if [[ -n ${3:-} ]]; then
        expect "$1" "any(.errors[]?; .name == \"$3\")" true
    fi
}

# is BODY: the last answer's, byte for byte
is() {
    [[ $body == "$1" ]] || {
        printf 'the body is %s\nand not %s\n' "$body" "$1"
        return 1
    }
}

# has NAME VALUE: a header of the last answer
has() {
    [[ $(header "$1") == "$2" ]] || {
        printf '%s is %s, not %s\n' "$1" "$(header "$1")" "$2"
        return 1
    }
}

# lacks NAME: the last answer has no such header
lacks() {
    if header "$1"; then
        return 1
    fi
}

# wait_until SECONDS COMMAND...: poll; fails when the time is over
wait_until() {
    local seconds=$1

    shift
    srv_until $((seconds * DSAPI_SLOW)) "$@" || {
        echo "not within $((seconds * DSAPI_SLOW)) s: $*"
        return 1
    }
}

# sql STATEMENT [PSQL ARGUMENT...]: as role dsapi; unaligned, tuples only
sql() {
    local statement=$1

    shift
    srv_psql "$DSAPI_DIR/pg" "$@" -c "$statement"
}

# sql_super STATEMENT [PSQL ARGUMENT...]: as superuser in database dsapi
sql_super() {
    local statement=$1

    shift
    srv_psql_super "$DSAPI_DIR/pg" -d dsapi "$@" -c "$statement"
}

# everywhere PATH FILTER VALUE: that is what every child of both httpds ($BASE,
# $SECOND) answers, as far as a dozen connections to each can tell
everywhere() {
    local i at

    for at in "$BASE" "$SECOND"; do
        for ((i = 0; i < 12; i++)); do
            req GET "$at$1"
            [[ $status == 200 && $(json "$2") == "$3" ]] || {
                echo "$at$1: $status $body, not $3"
                return 1
            }
        done
    done
}

# await_versions: until every child that watches data versions knows what has
# been committed by now: it has asked since, and asked again after the answer
await_versions() {
    local round since

    for round in 1 2; do
        since=$(sql 'SELECT clock_timestamp()')
        wait_until 20 versions_read "$since" || {
            echo "round $round"
            return 1
        }
    done
}

versions_read() {
    [[ $(sql "SELECT bool_and(query_start > '$1') FROM pg_stat_activity
        WHERE query LIKE '%FROM dsapi.versions(%'
          AND pid <> pg_backend_pid()") == t ]]
}

# stub METHOD /_stub/… [JSON]: ask the stand-in; prints its answer
stub() {
    local -a data=()

    [[ $# -lt 3 ]] || data=(-H 'Content-Type: application/json'
        --data-binary "$3")
    curl -sS --fail-with-body --noproxy '*' --max-time 10 -X "$1" \
        "${data[@]}" "$UPSTREAM$2"
}

# ---- servers during a test; NAME is httpd unless given ----

httpd_restart_graceful() {
    srv_httpd_graceful "$DSAPI_DIR/${1:-httpd}"
}

httpd_stop() {
    srv_httpd_stop "$DSAPI_DIR/${1:-httpd}"
}

httpd_start() {
    local dir=$DSAPI_DIR/${1:-httpd}

    srv_httpd_start "$dir" "http://127.0.0.1:$(<"$dir/port")/"
}

httpd_pid() {
    srv_pid "$DSAPI_DIR/${1:-httpd}"
}

# pg_stop [INT|QUIT]: fast, or as in a crash
pg_stop() {
    srv_pg_stop "$DSAPI_DIR/pg" "${1:-INT}"
}

pg_start() {
    srv_pg_start "$DSAPI_DIR/pg"
}

stub_stop() {
    srv_stub_stop "$DSAPI_DIR/upstream"
}

stub_start() {
    srv_stub_start "$DSAPI_DIR/upstream" "${UPSTREAM##*:}"
}
