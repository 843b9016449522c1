# shellcheck shell=bash
# Private servers for `make run` and the tests: PostgreSQL, the upstream
# stand-in, httpd. To be sourced (bash); nothing happens until srv_init.
#
# Every server has a folder of its own, which all functions take first:
#   PG     data/ sock/ log ident     PostgreSQL; unix socket only
#   STUB   log port ident            the upstream stand-in
#   HTTPD  httpd.conf error.log access.log startup.log ident
# ident holds pid, start time and boot of what was started: nothing else is
# ever signalled, whatever pid it got.
#
# As root, PostgreSQL and the stand-in run as $SRV_PG_USER, httpd's children
# as $SRV_WEB_USER; the folders must be where these can reach them
# (srv_place). Otherwise everything runs as oneself.
#
# Functions return 1 and say why on standard error.

srv_say() {
    printf 'dsapi: %s\n' "$*" >&2
}

# srv_paths: where the tree and the build are. Sets SRV_TOP and BUILD.
srv_paths() {
    local lib

    lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || return 1
    SRV_TOP=${lib%/tests/lib}
    BUILD=${BUILD:-build}
    [[ $BUILD == /* ]] || BUILD=$SRV_TOP/$BUILD
}

# srv_init: the paths, programs and users. Sets and exports SRV_*.
srv_init() {
    local apxs

    srv_paths || return 1
    [[ -z ${SRV_READY:-} ]] || return 0
    apxs=$(command -v apxs2 || command -v apxs) || {
        srv_say "no apxs here: install apache2-dev"
        return 1
    }
    SRV_HTTPD=$("$apxs" -q SBINDIR)/$("$apxs" -q progname)
    SRV_MODULES=$("$apxs" -q LIBEXECDIR)
    [[ -x $SRV_HTTPD ]] || {
        srv_say "no httpd at $SRV_HTTPD: install apache2-bin"
        return 1
    }
    SRV_BUILTIN=$("$SRV_HTTPD" -l | tr -s ' \n' ' ')
    srv_find_pg || return 1
    srv_find_users || return 1
    SRV_READY=yes
    export BUILD SRV_TOP SRV_HTTPD SRV_MODULES SRV_BUILTIN SRV_PGBIN \
        SRV_PG_USER SRV_WEB_USER SRV_WEB_GROUP SRV_READY
}

srv_find_pg() {
    local dir

    for dir in "$(pg_config --bindir 2>/dev/null)" \
        "$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)"; do
        if [[ -x $dir/initdb && -x $dir/postgres && -x $dir/psql ]]; then
            SRV_PGBIN=$dir
            return 0
        fi
    done
    srv_say "no PostgreSQL server programs here: install postgresql"
    return 1
}

srv_find_users() {
    SRV_PG_USER=$(id -un)
    SRV_WEB_USER=$SRV_PG_USER
    SRV_WEB_GROUP=$(id -gn)
    [[ $EUID == 0 ]] || return 0
    command -v setpriv >/dev/null || {
        srv_say "no setpriv here: install util-linux"
        return 1
    }
    SRV_PG_USER=nobody
    SRV_WEB_USER=nobody
    if id -u postgres >/dev/null 2>&1; then
        SRV_PG_USER=postgres
    fi
    if id -u www-data >/dev/null 2>&1; then
        SRV_WEB_USER=www-data
    fi
    SRV_WEB_GROUP=$(id -gn "$SRV_WEB_USER")
}

# srv_as USER COMMAND...: as root, run it as that user; else as oneself
srv_as() {
    local user=$1

    shift
    if [[ $EUID == 0 && $user != root ]]; then
        setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups \
            -- "$@"
    else
        "$@"
    fi
}

# srv_own USER[:GROUP] PATH...: give it to them; as root only
srv_own() {
    [[ $EUID != 0 ]] || chown "$@"
}

# srv_reachable FOLDER: can both users go into it?
srv_reachable() {
    srv_as "$SRV_PG_USER" test -x "$1" && srv_as "$SRV_WEB_USER" test -x "$1"
}

# srv_fits FOLDER: is its path short enough for a socket below it?
srv_fits() {
    [[ ${#1} -le 80 ]]
}

# srv_place: make a new private folder, short and reachable; print it
srv_place() {
    local base dir

    for base in "${TMPDIR:-}" /var/tmp /tmp; do
        [[ $base == /* && -d $base && -w $base ]] || continue
        [[ ${#base} -le 60 ]] || continue
        srv_reachable "$base" || continue
        dir=$(mktemp -d "${base%/}/dsapi-XXXXXX") || continue
        chmod 711 "$dir"
        echo "$dir"
        return 0
    done
    srv_say "neither TMPDIR nor /var/tmp nor /tmp is a folder that" \
        "$SRV_PG_USER and $SRV_WEB_USER can reach"
    return 1
}

# ---- processes ----

# srv_until SECONDS COMMAND...: try it every 0.1 s until it succeeds
srv_until() {
    local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))

    shift
    until "$@"; do
        [[ ${EPOCHREALTIME/[.,]/} -lt $end ]] || return 1
        sleep 0.1
    done
}

# srv_ident PID: print "pid start boot"; 1: no such process, or a zombie
srv_ident() {
    local stat
    local -a field

    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    read -ra field <<<"${stat##*) }"
    [[ ${field[0]} != [ZX] ]] || return 1
    echo "$1 ${field[19]} $(</proc/sys/kernel/random/boot_id)"
}

# srv_ident_pid FILE: print the pid in an ident file, if that process lives
srv_ident_pid() {
    local want pid

    [[ -s $1 ]] || return 1
    { want=$(<"$1"); } 2>/dev/null || return 1
    pid=${want%% *}
    [[ $(srv_ident "$pid") == "$want" ]] || return 1
    echo "$pid"
}

srv_pid() {
    srv_ident_pid "$1/ident"
}

srv_alive() {
    srv_pid "$1" >/dev/null
}

srv_dead() {
    ! srv_alive "$1"
}

# srv_spawn FOLDER USER COMMAND...: start it in a session of its own, with
# no descriptor or terminal of ours; standard output and error go to
# FOLDER/$SRV_LOG (default: log)
srv_spawn() {
    local folder=$1 user=$2 log=$1/${SRV_LOG:-log}
    local -a drop=()

    shift 2
    set +m
    if [[ $EUID == 0 && $user != root ]]; then
        drop=(setpriv --reuid "$user" --regid "$(id -g "$user")"
            --init-groups --)
    fi
    (
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            [[ $fd -le 2 || $fd == 255 ]] || eval "exec $fd>&-"
        done
        cd / || exit 1
        trap - INT TERM HUP
        export HOME=$folder LC_ALL=C.UTF-8
        srv_no_pg_env
        exec setsid "${drop[@]}" "$@" </dev/null >>"$log" 2>&1
    ) &
    srv_ident $! >"$folder/ident"
    disown 2>/dev/null || true      # its end is no news to the shell
}

# srv_end FOLDER SIGNAL SECONDS: end a server, by force when time is over
srv_end() {
    local pid

    if pid=$(srv_pid "$1"); then
        kill -s "$2" "$pid" 2>/dev/null || true
        if ! srv_until "$3" srv_dead "$1"; then
            srv_say "process $pid ($1) did not end within $3 s: killed"
            # its own session, so the group holds its children only
            kill -s KILL -- "-$pid" 2>/dev/null || true
            srv_until 10 srv_dead "$1" || return 1
        fi
    fi
    srv_end_orphans "$1"
    rm -f "$1/ident"
}

# httpd whose parent was killed leaves its children: the rest of the session
# in ident, as far as it was started for this folder
srv_end_orphans() {
    local leader pid

    [[ -s $1/ident ]] || return 0
    leader=$(cut -d " " -f 1 "$1/ident")
    for pid in $(ps -o pid= -s "$leader"); do
        if tr "\0" " " <"/proc/$pid/cmdline" | grep -qF " $1/"; then
            kill -s KILL "$pid" 2>/dev/null || true
        fi
    done 2>/dev/null
}

# srv_await FOLDER SECONDS WHAT COMMAND...: until the command succeeds; the
# end of the log is shown when the process dies or time is over
srv_await() {
    local folder=$1 seconds=$2 what=$3

    shift 3
    if srv_until "$seconds" srv_up_or_dead "$folder" "$@" &&
        srv_alive "$folder"; then
        return 0
    fi
    if srv_alive "$folder"; then
        srv_say "$what does not answer after $seconds s; its log ends:"
    else
        srv_say "$what ended at once; its log ends:"
    fi
    tail -qn 10 "$folder/log" "$folder/startup.log" >&2 2>/dev/null
    if [[ -e $folder/log.start ]]; then
        tail -c "+$(($(<"$folder/log.start") + 1))" "$folder/error.log" |
            tail -n 10 >&2
    fi
    return 1
}

srv_up_or_dead() {
    srv_dead "$1" || "${@:2}"
}

# ---- ports ----

# srv_port_open HOST PORT: does anything listen there?
srv_port_open() {
    (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}

# srv_free_port: print a free TCP port of 127.0.0.1, reserved until the
# calling shell ends. Below the range the kernel hands out to clients.
srv_free_port() {
    local dir=/tmp/dsapi-ports-$EUID port i

    mkdir -m 700 "$dir" 2>/dev/null || true
    [[ -d $dir && -O $dir && ! -L $dir ]] || {
        srv_say "$dir is not a folder of ours: remove it"
        return 1
    }
    (
        flock 9
        for ((i = 0; i < 500; i++)); do
            port=$((20000 + SRANDOM % 12000))
            if srv_ident_pid "$dir/$port" >/dev/null ||
                srv_port_open 127.0.0.1 "$port"; then
                continue
            fi
            srv_ident $$ >"$dir/$port"
            echo "$port"
            exit 0
        done
        srv_say "no free TCP port between 20000 and 31999"
        exit 1
    ) 9>"$dir/lock"
}

# srv_http_ok URL: a 2xx answer?
srv_http_ok() {
    curl -fsS --noproxy '*' --max-time 5 -o /dev/null "$1" 2>/dev/null
}

# srv_http_any URL: any HTTP answer?
srv_http_any() {
    curl -sS --noproxy '*' --max-time 5 -o /dev/null "$1" 2>/dev/null
}

# ---- PostgreSQL ----

# libpq and postgres read these; a private server wants none of them
srv_no_pg_env() {
    local name

    for name in "${!PG@}"; do
        unset "$name"
    done
}

# srv_pg_make PG on|off: a cluster, if there is none yet; fsync on or off
srv_pg_make() {
    local pg=$1 fsync=$2 have want
    local -a sync=()

    mkdir -p "$pg" && chmod 711 "$pg" || return 1
    if [[ -e $pg/made ]]; then
        have=$(<"$pg/data/PG_VERSION")
        want=$("$SRV_PGBIN/postgres" --version |
            sed -E 's/^[^0-9]*([0-9]+).*/\1/')
        if [[ $have != "$want" ]]; then
            srv_say "$pg/data was made by PostgreSQL $have, here is $want:" \
                "remove that folder and start again"
            return 1
        fi
    else
        [[ $fsync == on ]] || sync=(--no-sync)
        rm -rf "$pg/data" "$pg/sock"
        if ! srv_pg_init "$pg" "${sync[@]}" >"$pg/initdb.log" 2>&1; then
            srv_say "initdb failed:"
            tail -n 15 "$pg/initdb.log" >&2
            return 1
        fi
        touch "$pg/made"
    fi
    srv_pg_conf "$pg" "$fsync"
}

srv_pg_init() {
    local pg=$1

    shift
    mkdir -m 700 "$pg/data" || return 1
    srv_own "$SRV_PG_USER" "$pg/data" || return 1
    (
        srv_no_pg_env
        cd / || exit 1
        srv_as "$SRV_PG_USER" "$SRV_PGBIN/initdb" -D "$pg/data" \
            -U postgres -E UTF8 --locale=C.UTF-8 -A peer "$@"
    )
}

# The folder of the socket is what keeps others out: only PostgreSQL's and
# httpd's user enter it. Role dsapi is trusted there, and reaches its
# database; the superuser must be PostgreSQL's own user.
srv_pg_conf() {
    local pg=$1 fsync=$2

    mkdir -p "$pg/sock" && srv_own "$SRV_PG_USER:$SRV_WEB_GROUP" "$pg/sock"
    if [[ $EUID == 0 ]]; then
        chmod 2750 "$pg/sock"
    else
        chmod 700 "$pg/sock"
    fi
    cat >"$pg/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$pg/sock'
unix_socket_permissions = 0770
port = 5432
max_connections = 60
log_line_prefix = '%m [%p] %q%u@%d '
fsync = $fsync
full_page_writes = $fsync
synchronous_commit = $fsync
END
    cat >"$pg/data/pg_hba.conf" <<END
local all   postgres peer map=owner
local dsapi dsapi    trust
END
    echo "owner $SRV_PG_USER postgres" >"$pg/data/pg_ident.conf"
    chmod 644 "$pg/data/postgresql.conf" "$pg/data/pg_hba.conf" \
        "$pg/data/pg_ident.conf"
}

# A cluster whose server was killed, or whose ident was lost.
srv_pg_tidy() {
    local pg=$1 lock=$1/data/postmaster.pid pid

    [[ -e $lock ]] || return 0
    read -r pid <"$lock"
    if [[ $pid =~ ^[0-9]+$ && $(readlink "/proc/$pid/cwd") == "$pg/data" ]]
    then
        srv_ident "$pid" >"$pg/ident"
        srv_pg_stop "$pg" || return 1
    fi
    rm -f "$lock" "$pg"/sock/.s.PGSQL.5432*
}

# srv_pg_start PG: start, await, make role and database dsapi if missing
srv_pg_start() {
    local pg=$1

    srv_dead "$pg" || return 0
    srv_pg_tidy "$pg" || return 1
    srv_spawn "$pg" "$SRV_PG_USER" "$SRV_PGBIN/postgres" -D "$pg/data"
    srv_await "$pg" 60 PostgreSQL srv_pg_answers "$pg" || return 1
    if [[ -z $(srv_psql_super "$pg" -c \
        "SELECT 1 FROM pg_database WHERE datname = 'dsapi'") ]]; then
        srv_psql_super "$pg" -c 'SET client_min_messages = warning' \
            -c 'DROP ROLE IF EXISTS dsapi' -c 'CREATE ROLE dsapi LOGIN' \
            -c "CREATE DATABASE dsapi OWNER dsapi TEMPLATE template0
                ENCODING 'UTF8' LOCALE 'C.UTF-8'" || return 1
    fi
}

srv_pg_answers() {
    "$SRV_PGBIN/pg_isready" -q -h "$1/sock" -p 5432 -U dsapi -d dsapi
}

# srv_pg_stop PG [INT|QUIT]: fast (default), or without a checkpoint
srv_pg_stop() {
    srv_end "$1" "${2:-INT}" 60
}

srv_conninfo() {
    echo "host=$1/sock dbname=dsapi user=dsapi connect_timeout=3" \
        "application_name=dsapi"
}

# srv_psql PG ARGS...: as role dsapi in database dsapi
srv_psql() {
    local pg=$1

    shift
    (
        srv_no_pg_env
        export PGOPTIONS='-c client_min_messages=warning'
        exec "$SRV_PGBIN/psql" -XqAt -v ON_ERROR_STOP=1 -h "$pg/sock" \
            -p 5432 -U dsapi -d dsapi "$@"
    )
}

# srv_psql_super PG ARGS...: as the superuser, in database postgres unless
# a later -d says otherwise
srv_psql_super() {
    local pg=$1

    shift
    (
        srv_no_pg_env
        cd / || exit 1
        srv_as "$SRV_PG_USER" "$SRV_PGBIN/psql" -XqAt -v ON_ERROR_STOP=1 \
            -h "$pg/sock" -p 5432 -U postgres -d postgres "$@"
    )
}

# srv_schemas COMMAND...: apply conf/*/schema.sql, core first, each in one
# transaction. COMMAND is psql with its connection, or srv_psql PG.
srv_schemas() {
    local core=$SRV_TOP/conf/core/schema.sql file
    local -a files=("$core")

    for file in "$SRV_TOP"/conf/*/schema.sql; do
        [[ $file == "$core" ]] || files+=("$file")
    done
    for file in "${files[@]}"; do
        [[ -e $file ]] || continue
        # read here: the user COMMAND becomes need not reach the tree
        "$@" -v ON_ERROR_STOP=1 -q -1 -f - <"$file" >/dev/null || {
            srv_say "the schema ${file#"$SRV_TOP/"} could not be applied"
            return 1
        }
    done
}

# ---- the upstream stand-in ----

# srv_stub_start STUB PORT
srv_stub_start() {
    local stub=$1 port=$2 tool=$BUILD/tools/upstream
    local data=$SRV_TOP/tests/data

    srv_dead "$stub" || return 0
    [[ -x $tool ]] || {
        srv_say "$tool is missing: make build"
        return 1
    }
    mkdir -p "$stub" && chmod 755 "$stub" || return 1
    if ! srv_as "$SRV_PG_USER" test -x "$tool" -a \
        -x "$data/hungermap/fixtures"; then
        rm -rf "$stub/tool" "$stub/data"
        cp "$tool" "$stub/tool" && cp -R "$data" "$stub/data" &&
            chmod -R u=rwX,go=rX "$stub/data" && chmod 755 "$stub/tool" ||
            return 1
        tool=$stub/tool
        data=$stub/data
    fi
    : >"$stub/log"
    srv_san_env "$stub" "$SRV_PG_USER"
    srv_spawn "$stub" "$SRV_PG_USER" env "${SRV_SAN_ENV[@]}" "$tool" \
        --listen "127.0.0.1:$port" --data "$data"
    echo "$port" >"$stub/port"
    srv_await "$stub" 20 'the upstream stand-in' \
        srv_http_ok "http://127.0.0.1:$port/_stub/health"
}

srv_stub_stop() {
    srv_end "$1" TERM 5
}

# ---- sanitizers ----

# srv_san_env FOLDER USER: set SRV_SAN_ENV to NAME=VALUE words for a program
# built with SAN=1; reports go to FOLDER/san/
srv_san_env() {
    SRV_SAN_ENV=()
    [[ -n ${SAN:-} ]] || return 0
    mkdir -p "$1/san"
    srv_own "$2" "$1/san"
    SRV_SAN_ENV=(
        "ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:log_path=$1/san/asan"
        "UBSAN_OPTIONS=print_stacktrace=1:log_path=$1/san/ubsan")
}

# the same for httpd, which itself is built without
srv_san_httpd() {
    local -a lib

    srv_san_env "$1" "$SRV_WEB_USER"
    [[ -n ${SAN:-} ]] || return 0
    lib=("$(gcc -print-file-name=libasan.so)"
        "$(gcc -print-file-name=libubsan.so)")
    SRV_SAN_ENV+=("LD_PRELOAD=${lib[*]}")
}

# a clock of its own
srv_skew_httpd() {
    local lib

    [[ -e $1/skew ]] || return 0
    lib=$(dpkg-query -L libfaketime | grep '/libfaketimeMT\.so\.1$')
    SRV_SAN_ENV+=("LD_PRELOAD=$lib" "FAKETIME=$(<"$1/skew")"
        FAKETIME_DONT_FAKE_MONOTONIC=1)
}

# ---- httpd ----

# srv_quote TEXT: as one argument of a directive
srv_quote() {
    local text=${1//\\/\\\\}

    printf '"%s"' "${text//\"/\\\"}"
}

# srv_load NAME: its LoadModule line, unless it is compiled in
srv_load() {
    [[ $SRV_BUILTIN != *" mod_$1.c "* && $SRV_BUILTIN != *" $1.c "* ]] ||
        return 0
    echo "LoadModule ${1}_module $(srv_quote "$SRV_MODULES/mod_$1.so")"
}

# srv_httpd_conf HTTPD NAME=VALUE...: make its folder and configuration.
#   listen=127.0.0.1  port=  conninfo=
#   upstream=URL      the stand-in, which answers for every upstream but
#   hungermap=URL     restcountries=URL, where given
#   services="a b"    folders of conf/ (default: all)
#   extra=FILE        included last
#   before=FILE       included before the services
#   threads=32        per child; there are two
# ${MODULES}, ${UPSTREAM}, ${CONNINFO}, ${TOP} and ${HTTPD_DIR} can be used
# in the fragment.
srv_httpd_conf() {
    local httpd=$1 arg listen=127.0.0.1 port='' conninfo='' upstream=''
    local hungermap='' restcountries='' services=all extra='' before=''
    local threads=32

    for arg in "${@:2}"; do
        case $arg in
        listen=* | port=* | conninfo=* | upstream=* | hungermap=* | \
            restcountries=* | services=* | extra=* | before=* | threads=*)
            local "${arg?}"
            ;;
        *)
            srv_say "srv_httpd_conf: what is $arg?"
            return 1
            ;;
        esac
    done
    [[ $listen != *:* || $listen == \[* ]] || listen="[$listen]"
    mkdir -p "$httpd/htdocs" "$httpd/run" && chmod 711 "$httpd" || return 1
    (
        umask 077
        srv_httpd_conf_base >"$httpd/httpd.conf"
        srv_httpd_conf_services >>"$httpd/httpd.conf"
    )
}

# reads the variables of srv_httpd_conf
srv_httpd_conf_base() {
    local module

    cat <<END
# made by tests/lib/servers.sh: changes here are lost
ServerRoot $(srv_quote "$httpd")
ServerName 127.0.0.1
Listen $listen:$port
PidFile $(srv_quote "$httpd/httpd.pid")
DefaultRuntimeDir $(srv_quote "$httpd/run")
END
    for module in mpm_event watchdog unixd log_config version authn_core \
        authz_core authz_host dbd status; do
        srv_load "$module"
    done
    [[ $EUID != 0 ]] || printf 'User %s\nGroup %s\n' \
        "$SRV_WEB_USER" "$SRV_WEB_GROUP"
    cat <<END
StartServers 2
ServerLimit 8
ThreadLimit $threads
ThreadsPerChild $threads
MaxRequestWorkers $((threads * 2))
MinSpareThreads 2
MaxSpareThreads $((threads * 4))
MaxConnectionsPerChild 0

ErrorLog $(srv_quote "$httpd/error.log")
LogLevel notice
LogFormat "%h %t \"%r\" %>s %B %Dus %{X-Request-Id}o" dsapi
CustomLog $(srv_quote "$httpd/access.log") dsapi
ServerTokens Prod
TraceEnable Off

DocumentRoot $(srv_quote "$httpd/htdocs")
<Directory "/">
    Require all denied
</Directory>
<Location "/">
    Require all granted
</Location>
<Location "/server-status">
    SetHandler server-status
    Require local
</Location>
<Location "/dsapi/jobs">
    SetHandler dsapi-jobs
    Require local
</Location>

# about two connections per core, shared by two children
DBDriver pgsql
DBDParams $(srv_quote "$conninfo")
DBDMin 1
DBDKeep 2
DBDMax 2
DBDExptime 300
END
}

# srv_upstream NAME URL: the definitions of a service's upstream
srv_upstream() {
    local host=${2#*://}

    [[ $host == \[* ]] || host=${host%%:*}
    host=${host%%]*}
    cat <<END
Define ${1}_UPSTREAM $(srv_quote "$2")
Define ${1}_ALLOW $(srv_quote "${host#\[}")
END
}

srv_httpd_conf_services() {
    local file name

    cat <<END

Define MODULES $(srv_quote "$SRV_MODULES")
Define TOP $(srv_quote "$SRV_TOP")
Define HTTPD_DIR $(srv_quote "$httpd")
Define CONNINFO $(srv_quote "$conninfo")
Define UPSTREAM $(srv_quote "$upstream")
$(srv_upstream HUNGERMAP "${hungermap:-$upstream}")
$(srv_upstream RESTCOUNTRIES "${restcountries:-$upstream}")
LoadModule dsapi_module $(srv_quote "$BUILD/mod_dsapi.so")
LogLevel notice dsapi:info
END
    [[ -z $before ]] || echo "Include $(srv_quote "$before")"
    for file in "$SRV_TOP"/conf/dsapi.conf "$SRV_TOP"/conf/*/service.conf; do
        name=${file%/service.conf}
        if [[ -e $file ]] && [[ $file == */conf/dsapi.conf ||
            $services == all || " $services " == *" ${name##*/} "* ]]; then
            echo "Include $(srv_quote "$file")"
        fi
    done
    if [[ -n $extra ]]; then
        echo "Include $(srv_quote "$extra")"
    fi
}

# srv_httpd_test HTTPD: configtest; what it says goes to standard output
srv_httpd_test() {
    srv_san_httpd "$1"
    env "${SRV_SAN_ENV[@]}" "$SRV_HTTPD" -t -d "$1" -f "$1/httpd.conf" 2>&1
}

# srv_httpd_start HTTPD URL: start, await an answer at URL. Where HTTPD/skew
# holds a time such as +1h, its clock is so much ahead.
srv_httpd_start() {
    local httpd=$1

    srv_dead "$httpd" || return 0
    srv_end_orphans "$httpd"
    rm -f "$httpd/httpd.pid"
    : >"$httpd/startup.log"
    touch "$httpd/error.log"
    stat -c %s "$httpd/error.log" >"$httpd/log.start"
    srv_san_httpd "$httpd"
    srv_skew_httpd "$httpd"
    SRV_LOG=startup.log srv_spawn "$httpd" root \
        env "${SRV_SAN_ENV[@]}" "$SRV_HTTPD" -DFOREGROUND -d "$httpd" \
        -f "$httpd/httpd.conf"
    srv_await "$httpd" 60 httpd srv_http_any "$2"
}

srv_httpd_stop() {
    srv_end "$1" TERM 30
}

srv_httpd_resumed() {
    [[ $(grep -c 'resuming normal operations' "$1/error.log") -gt $2 ]]
}

# srv_httpd_graceful HTTPD: until the new configuration serves
srv_httpd_graceful() {
    local pid n old

    pid=$(srv_pid "$1") || {
        srv_say "httpd ($1) does not run"
        return 1
    }
    n=$(grep -c 'resuming normal operations' "$1/error.log" || true)
    old=$(pgrep -P "$pid") || true
    kill -s USR1 "$pid" || return 1
    # shellcheck disable=SC2086 # words
    if ! srv_until 60 srv_httpd_resumed "$1" "$n" ||
        ! srv_until 60 srv_none_listens $old; then
        srv_say "httpd ($1) did not restart; its log ends:"
        tail -n 15 "$1/error.log" >&2
        return 1
    fi
}

# srv_none_listens PID...: none of these takes connections (any more)
srv_none_listens() {
    local pid sockets

    sockets=$(awk '$4 == "0A" { print "socket:[" $10 "]" }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    for pid; do
        ! find "/proc/$pid/fd" -lname 'socket:*' -printf '%l\n' 2>/dev/null |
            grep -qxF "$sockets" || return 1
    done
}
