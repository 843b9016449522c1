#!/bin/bash
# `make run`, `make start`, `make stop`: PostgreSQL, the upstream stand-in and
# httpd with the shipped services and real data, under $BUILD/run.
#
#   stack.sh run|start|stop|clean
#
# Variables: PORT (8080), LISTEN (127.0.0.1), HUNGERMAP_UPSTREAM and
# RESTCOUNTRIES_UPSTREAM (default: the stand-in), DATABASE_URL (default: a
# private PostgreSQL), EXTRA_CONF (an httpd fragment, included last), BUILD
# (build).
#
# $BUILD/run/place leads to the servers' folder: $BUILD/run/servers, or a
# private folder elsewhere when the servers' users cannot reach that one or
# its path is too long for a socket. It is kept by stop.
set -u
umask 022
cd "$(dirname "$0")/../.." || exit 1

# shellcheck source=tests/lib/servers.sh
source tests/lib/servers.sh

mode=${1:-}
PORT=${PORT:-8080}
LISTEN=${LISTEN:-127.0.0.1}
DATABASE_URL=${DATABASE_URL:-}
EXTRA_CONF=${EXTRA_CONF:-}
HUNGERMAP_UPSTREAM=${HUNGERMAP_UPSTREAM:-}
RESTCOUNTRIES_UPSTREAM=${RESTCOUNTRIES_UPSTREAM:-}

from=2022-06-01
to=2023-06-01
days=366
place=
tail=          # what shows the log in make run
started=

die() {
    srv_say "$*"
    [[ -z $started ]] || shut_down
    exit 1
}

say() {
    printf '%s\n' "$*"
}

# ---- what the user asked for ----

check_arguments() {
    local host name v6='[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*'

    [[ $PORT =~ ^[0-9]{1,5}$ && $((10#$PORT)) -ge 1 &&
        $((10#$PORT)) -le 65535 ]] ||
        die "PORT=$PORT is not a TCP port: 1 to 65535 (make $mode PORT=8080)"
    PORT=$((10#$PORT))
    [[ $LISTEN =~ ^([A-Za-z0-9.*-]+|$v6|\[$v6\])$ ]] ||
        die "LISTEN=$LISTEN is not an address: for instance 127.0.0.1 or" \
            "[::1], without a port (make $mode PORT=8080)"
    if [[ -n $EXTRA_CONF ]]; then
        [[ -f $EXTRA_CONF && -r $EXTRA_CONF ]] ||
            die "EXTRA_CONF=$EXTRA_CONF is not a file that can be read"
        EXTRA_CONF=$(realpath "$EXTRA_CONF")
    fi
    for name in HUNGERMAP_UPSTREAM RESTCOUNTRIES_UPSTREAM; do
        [[ -z ${!name} || ${!name} =~ ^https?://[^/]+$ ]] ||
            die "$name=${!name} is not http://host:port"
    done
    [[ -z $DATABASE_URL || $DATABASE_URL =~ ^postgres(ql)?:// ]] ||
        die "DATABASE_URL is not postgresql://user@host:port/database"

    # where a client on this machine finds it
    host=${LISTEN#\[}
    host=${host%\]}
    case $host in
    0.0.0.0 | \*) host=127.0.0.1 ;;
    ::) host=::1 ;;
    esac
    connect_host=$host
    [[ $host != *:* ]] || host="[$host]"
    url=http://$host:$PORT
}

# ---- the folder ----

# Sets place, if there is one.
find_place() {
    place=$(readlink "$run/place" 2>/dev/null) || place=
    [[ -n $place && -d $place && -O $place ]] || place=
}

make_place() {
    mkdir -p "$run" || die "cannot make $run"
    find_place
    if [[ -n $place ]] && srv_reachable "$place"; then
        return 0
    fi
    place=$run/servers
    mkdir -p "$place" || die "cannot make $place"
    if ! srv_reachable "$place" || ! srv_fits "$place"; then
        rmdir "$place" 2>/dev/null
        place=$(srv_place) || die "no folder for the servers"
        echo "$run" >"$place/tree"
    fi
    chmod 711 "$place"
    ln -sfn "$place" "$run/place"
}

# Places of this tree that its $BUILD/run has forgotten (make clean).
drop_lost_places() {
    local file

    for file in "${TMPDIR:-/var/tmp}"/dsapi-*/tree /var/tmp/dsapi-*/tree \
        /tmp/dsapi-*/tree; do
        if [[ -O $file && ! -L ${file%/tree} && $(<"$file") == "$run" ]]; then
            place=${file%/tree}
            shut_down
            rm -rf "$place"
            place=
        fi
    done
}

# ---- running already? ----

# What runs is ours: this stack's httpd, and the address it was started with.
running_url() {
    [[ -n $place ]] && srv_alive "$place/httpd" && cat "$place/url"
}

refuse_second() {
    local other

    find_place
    other=$(running_url) || return 0
    if [[ $mode == start && $other == "$url" ]]; then
        if ! srv_http_any "$url/"; then
            die "it runs already at $url, but does not answer:" \
                "make stop, then start again"
        fi
        say "It runs already at $url"
        load_data
        check_services
        print_services
        exit 0
    fi
    die "it runs already at $other (make stop ends it)"
}

refuse_taken_port() {
    ! srv_port_open "$connect_host" "$PORT" ||
        die "port $PORT of $connect_host is taken by another program:" \
            "choose one that is free, as in make $mode PORT=$((PORT + 1))"
}

# ---- start and stop ----

# Also what is left of a stack that was killed.
shut_down() {
    local rc=0

    trap '' INT TERM HUP
    started=
    [[ -n $place ]] || return 0
    srv_httpd_stop "$place/httpd" || rc=1
    srv_stub_stop "$place/upstream" || rc=1
    srv_pg_stop "$place/pg" || rc=1
    rm -f "$place/url" "$place/stack/ident"
    [[ -z $tail ]] || kill "$tail" 2>/dev/null
    return "$rc"
}

interrupted() {
    say
    say 'Stopping.'
    shut_down
    [[ $1 != TERM || $mode != run ]] || exit 0
    exit 130
}

start_all() {
    local conninfo upstream='' port

    started=yes
    mkdir -p "$place/stack"
    srv_ident $$ >"$place/stack/ident"
    if [[ -n $DATABASE_URL ]]; then
        say 'Applying the schemas to DATABASE_URL'
        url_psql -c 'SELECT 1' >/dev/null ||
            die 'is DATABASE_URL right? It must say all: httpd reads' \
                'neither PG variables nor a .pgpass'
        srv_schemas url_psql || die 'it is not a database for them'
        conninfo=$(url_conninfo)
    else
        say 'Starting PostgreSQL'
        srv_pg_make "$place/pg" on || die 'there is no PostgreSQL'
        srv_pg_start "$place/pg" || die 'there is no PostgreSQL'
        srv_schemas srv_psql "$place/pg" || die 'there is no schema'
        conninfo=$(srv_conninfo "$place/pg")
    fi
    if [[ -z $HUNGERMAP_UPSTREAM || -z $RESTCOUNTRIES_UPSTREAM ]]; then
        say 'Starting the upstream stand-in'
        port=$(srv_free_port) || die 'there is no port for it'
        srv_stub_start "$place/upstream" "$port" ||
            die 'there is no stand-in'
        upstream=http://127.0.0.1:$port
    fi
    start_httpd "$conninfo" "$upstream"
}

start_httpd() {
    local out

    say "Starting httpd at $url"
    # an encoded slash is part of a name, which is wrong, 400: no other path
    echo 'AllowEncodedSlashes NoDecode' >"$place/paths.conf"
    srv_httpd_conf "$place/httpd" listen="$LISTEN" port="$PORT" \
        conninfo="$1" upstream="$2" hungermap="$HUNGERMAP_UPSTREAM" \
        restcountries="$RESTCOUNTRIES_UPSTREAM" \
        before="$place/paths.conf" extra="$EXTRA_CONF" ||
        die 'there is no configuration'
    out=$(srv_httpd_test "$place/httpd") || {
        printf '%s\n' "$out" >&2
        die 'the configuration has a mistake'
    }
    echo "$url" >"$place/url"
    srv_httpd_start "$place/httpd" "$url/" || {
        if grep -q 'could not bind' "$place/httpd/startup.log"; then
            die "httpd may not listen on $LISTEN:$PORT:" \
                "choose another, as in make $mode PORT=8081"
        fi
        die "httpd did not start"
    }
}

# With no more than httpd will have: its user, no variables, no home of one's
# own, nobody who could be asked.
url_psql() {
    (
        srv_no_pg_env
        cd / || exit 1
        srv_as "$SRV_WEB_USER" env HOME="$place" PGCONNECT_TIMEOUT=10 \
            PGOPTIONS='-c client_min_messages=warning' \
            "$SRV_PGBIN/psql" -XqAtw -d "$DATABASE_URL" "$@"
    )
}

# The same server for httpd; a $ would begin a variable in its configuration.
url_conninfo() {
    local uri=${DATABASE_URL//\$/%24} sep='?' item

    for item in connect_timeout=3 application_name=dsapi; do
        [[ $uri != *\?* ]] || sep='&'
        [[ $uri == *[?\&]"${item%%=*}="* ]] || uri+=$sep$item
    done
    printf '%s\n' "$uri"
}

# ---- data ----

get() {
    curl -sS --noproxy '*' --max-time 60 "$@"
}

has_data() {
    local path=/foodsecurity/v1/countries/$1/national/daily

    [[ $(get "$url$path?from=$from&to=$to" 2>/dev/null |
        jq -r length 2>/dev/null) == "$days" ]]
}

load_data() {
    [[ ! -e conf/hungermap/service.conf ]] || load_foodsecurity
    [[ ! -e conf/countries/service.conf ]] || load_countries
    [[ ! -e conf/visits/service.conf ]] || {
        load_csv Properties /visits/v1/properties properties.csv
        load_csv Visits /visits/v1/visits visits.csv
    }
    [[ ! -e conf/catalog/service.conf ]] ||
        load_csv Catalogue /catalog/v1/items ieee-oui.csv.gz
}

# load_csv NAME PATH FILE: of tests/data/csv, where there is nothing yet
load_csv() {
    local file=tests/data/csv/$3 answer read='cat'

    if [[ $(get "$url$2?limit=1" | jq length) != 0 ]]; then
        say "$1: stored already"
        return
    fi
    say "$1: importing $3"
    [[ $file != *.gz ]] || read='zcat'
    answer=$("$read" "$file" | get -X POST "$url$2" --data-binary @- \
        -H 'Content-Type: text/csv' -w '\n%{http_code}') ||
        die "no answer from $url$2"
    [[ ${answer##*$'\n'} == 201 ]] || {
        printf '%s\n' "$answer" >&2
        die "$url$2 did not take $3"
    }
}

load_foodsecurity() {
    local iso3 path

    for iso3 in COL BFA; do
        if has_data "$iso3"; then
            say "Food security, $iso3: $days days are stored already"
            continue
        fi
        path="$iso3?from=$from&to=$to"
        run_job "Food security, $iso3, $from to $to" \
            "/foodsecurity/v1/fetch/$path" "/foodsecurity/v1/status/$path"
        # a series is served as it was for up to a second
        srv_until 10 has_data "$iso3" ||
            die "$iso3: fewer than $days days were stored"
    done
}

# All that the upstream has: first their names, then these in one request.
load_countries() {
    local base=$url/countries/v1 begin=$SECONDS last='' answer since
    local total stored

    count_countries
    if [[ $total == 0 ]]; then
        run_job 'Countries, names' /countries/v1/names \
            /countries/v1/names/status
        # kept answers are a second behind
        srv_until 10 count_countries || die "there is nothing at $base/names"
    fi
    if [[ $stored == "$total" ]]; then
        say "Countries: $total are stored already"
        return
    fi
    answer=$(get "$base/names" |
        jq -c 'map(select(.fetched_at == null).country)' |
        ask "$base/fetch" -H 'Content-Type: application/json' -d @-) || exit 1
    since=$(jq -r 'map(.queued_at) | min' <<<"$answer")
    while [[ $stored != "$total" ]]; do
        await_more "$begin" 'what there is of countries'
        refuse_failed "$since"
        count_countries
        progress "Countries: $stored of $total are stored" "$begin"
    done
    [[ ! -t 1 ]] || say
}

# Sets total and stored; 1: nothing is known yet.
count_countries() {
    read -r total stored < <(get "$url/countries/v1/names" | jq -r \
        '"\(length) \(map(select(.fetched_at)) | length)"' 2>/dev/null)
    [[ ${total:=0} -gt 0 ]]
}

# refuse_failed TIME: a country whose job, queued since, has failed
refuse_failed() {
    local error

    error=$(get "$url/dsapi/jobs?source=countries/country&state=failed" |
        jq -r --arg since "$1" 'first(.[] | select(.queued_at >= $since))
            | "\(.params.country): \(.error)"')
    [[ -z $error ]] || die "a country could not be loaded: $error"
}

# ask URL [CURL ARGUMENT...]: POST; print the answer, which must be 202
ask() {
    local answer

    answer=$(get -X POST "$@" -w '\n%{http_code}') ||
        die "no answer from $1"
    [[ ${answer##*$'\n'} == 202 ]] || {
        printf '%s\n' "$answer" >&2
        die "$1 did not take the job;" \
            "make stop, then make start, begins anew"
    }
    printf '%s\n' "${answer%$'\n'*}"
}

# await_more BEGIN WHAT: a while; not for ever, and not without httpd
await_more() {
    srv_alive "$place/httpd" || {
        tail -n 10 "$place/httpd/error.log" >&2
        die "httpd ended while $2 was loaded"
    }
    ((SECONDS - $1 < 900)) || die "$2 is not loaded after 15 minutes"
    sleep 0.3
}

# run_job WHAT FETCH STATUS: through the API, as a user would: source, job,
# store
run_job() {
    local answer state='' last='' begin=$SECONDS

    ask "$url$2" >/dev/null
    while [[ $state != succeeded ]]; do
        await_more "$begin" "$1"
        answer=$(get "$url$3") || die "no answer from $url$3"
        state=$(jq -r '.state // "unknown"' <<<"$answer" 2>/dev/null)
        if [[ $state == failed ]]; then
            jq . <<<"$answer" >&2
            die "$1: it could not be loaded: $(jq -r .error <<<"$answer")"
        fi
        progress "$1: $state" "$begin"
    done
    [[ ! -t 1 ]] || say
}

# On a terminal one line that counts the seconds, else a line per change.
progress() {
    if [[ -t 1 ]]; then
        printf '\r%s (%d s)   ' "$1" $((SECONDS - $2))
    elif [[ $last != "$1" ]]; then
        say "$1"
        last=$1
    fi
}

# ---- services ----

# service folder, then URLs that must answer; the first is the example
services() {
    cat <<END
hungermap /foodsecurity/v1/countries
hungermap /foodsecurity/v1/countries/COL/adm1/monthly?from=$from&to=2022-08-31
hungermap /foodsecurity/v1/countries/BFA/national/daily?from=$from&to=2022-06-07
hungermap /foodsecurity/v1/metrics?countries=COL,BFA&from=$from&to=$to
hungermap /foodsecurity/v1/status/COL
countries /countries/v1/
countries /countries/v1/country/cote-d-ivoire
countries /countries/v1/countries?region=africa&language=french&sort=-population
countries /countries/v1/countries/NZL
countries /countries/v1/status/new-zealand
visits /visits/v1/properties?select=name,price,visits(visited_at,place)&limit=3
visits /visits/v1/visits?order=visited_at.desc&limit=10
catalog /catalog/v1/items?organization_name=ilike.*fuel*
time /time/v1/time?tz=Asia/Kathmandu
time /time/v1/zones
END
}

check_services() {
    local folder path

    while read -r folder path; do
        [[ -e conf/$folder/service.conf ]] || continue
        srv_http_ok "$url$path" || {
            get -i "$url$path" >&2
            tail -n 10 "$place/httpd/error.log" >&2
            die "$url$path does not answer"
        }
    done < <(services)
}

print_services() {
    local folder path

    say
    say "Everything answers at $url:"
    while read -r folder path; do
        [[ ! -e conf/$folder/service.conf ]] || say "  curl '$url$path'"
    done < <(services)
    say "  curl '$url/dsapi/jobs?state=failed'"
    say "  curl '$url/server-status?auto'"
    say "Logs: $place/httpd/error.log, access.log"
    say
}

# ---- run, start, stop ----

# One of them at a time; the lock is given back once all is up.
lock() {
    exec 9>"$run/lock" || exit 1
    flock -n 9 ||
        die 'another make run or start is starting it just now'
}

unlock() {
    exec 9>&-
}

bring_up() {
    check_arguments
    srv_init || exit 1
    run=$BUILD/run
    mkdir -p "$run" || exit 1
    lock
    refuse_second
    [[ -n $place ]] || drop_lost_places
    shut_down || die 'what was left of an earlier run could not be ended'
    trap 'interrupted INT' INT
    trap 'interrupted TERM' TERM
    trap 'interrupted HUP' HUP
    refuse_taken_port
    make_place
    start_all
    load_data
    check_services
    unlock
    print_services
}

stay() {
    local name

    say 'Ctrl-C stops it. What httpd logs:'
    tail -F "$place/httpd/error.log" 2>/dev/null \
        -c "+$(($(<"$place/httpd/log.start") + 1))" &
    tail=$!
    while srv_alive "$place/stack"; do
        for name in httpd pg upstream; do
            if [[ -e $place/$name/ident ]] && srv_dead "$place/$name"; then
                say
                tail -qn 10 "$place/$name/log" "$place/$name/startup.log" \
                    >&2 2>/dev/null
                die "$name ended by itself; all is stopped"
            fi
        done
        sleep 1 &
        wait $!
    done
    shut_down
    say 'It was stopped.'
    exit 0
}

stop() {
    local pid

    srv_paths || exit 1
    run=$BUILD/run
    find_place
    [[ -n $place ]] || drop_lost_places
    if [[ -z $place ]]; then
        say 'Nothing runs.'
        return 0
    fi
    # a make run, or a make start that is still loading, ends its own
    if pid=$(srv_pid "$place/stack"); then
        kill -s TERM "$pid" 2>/dev/null
        srv_until 60 srv_dead "$place/stack" ||
            die "process $pid ($mode) did not end"
    elif ! srv_alive "$place/httpd" && ! srv_alive "$place/pg" &&
        ! srv_alive "$place/upstream"; then
        say 'Nothing runs.'
        shut_down
        return
    fi
    shut_down || exit 1
    say 'Stopped.'
}

case $mode in
run)
    bring_up
    stay
    ;;
start)
    bring_up
    rm -f "$place/stack/ident"
    say 'make stop ends it.'
    ;;
stop)
    stop
    ;;
clean)
    stop
    find_place
    # a place of its own, outside the build folder
    [[ -z $place || ! -f $place/tree ]] || rm -rf "$place"
    ;;
*)
    echo 'usage: stack.sh run|start|stop|clean' >&2
    exit 2
    ;;
esac
