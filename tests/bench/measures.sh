# shellcheck shell=bash
# shellcheck disable=SC2154 # ROUNDS, DURATION, out: of bench.sh
# The servers of `make bench`, and its measurements. Each measure_… prints one
# figure; warm_up readies what one needs.

# wrk's connections
CLIENTS=16

bench=
url=

start_servers() {
    local conninfo port

    bench=$(srv_place) || return 1
    srv_pg_make "$bench/pg" on && srv_pg_start "$bench/pg" &&
        srv_schemas srv_psql "$bench/pg" || return 1
    psql_bench -q -1 -f "$SRV_TOP/tests/bench/schema.sql" >/dev/null ||
        return 1
    if groups | grep -qE 'metric|again|series'; then
        psql_bench -q -1 -f "$SRV_TOP/tests/bench/observations.sql" \
            >/dev/null || return 1
    fi
    psql_super -c 'CHECKPOINT' || return 1
    conninfo=$(srv_conninfo "$bench/pg")
    port=$(srv_free_port) || return 1
    url=http://127.0.0.1:$port
    make_files || return 1
    {
        echo "Define BENCH_MODULE $(srv_quote "$BUILD/bench/mod_bench.so")"
        echo "Define BENCH_SQL $(srv_quote "$SRV_TOP/tests/bench")"
        echo "Define SELF $url"
        echo "Include $(srv_quote "$SRV_TOP/tests/bench/bench.conf")"
        echo "Include $(srv_quote "$SRV_TOP/tests/bench/series.conf")"
        echo "Include $(srv_quote "$SRV_TOP/tests/bench/resource.conf")"
    } >"$bench/extra.conf"
    srv_httpd_conf "$bench/httpd" port="$port" conninfo="$conninfo" \
        upstream="$url" services=time extra="$bench/extra.conf" || return 1
    srv_httpd_test "$bench/httpd" >"$bench/test.log" || {
        cat "$bench/test.log" >&2
        return 1
    }
    srv_httpd_start "$bench/httpd" "$url/" || return 1
    fetch_files || return 1
    ! groups | grep -q series || with_series_files
}

stop_servers() {
    [[ -n $bench ]] || return 0
    srv_httpd_stop "$bench/httpd"
    srv_pg_stop "$bench/pg" QUIT
    cp "$bench/httpd/error.log" "$bench"/queue-*.txt "$out/" 2>/dev/null
    rm -rf "$bench"
}

psql_bench() {
    srv_psql "$bench/pg" "$@"
}

psql_super() {
    srv_psql_super "$bench/pg" -d dsapi "$@"
}

# ---- what is asked for ----

# The files of static and bare, the lists of requests, pgbench's scripts
make_files() {
    local htdocs=$bench/httpd/htdocs metric
    local range='from=2022-01-01&to=2023-01-30'

    mkdir -p "$htdocs" "$bench/lists" "$bench/scripts" || return 1
    chmod 711 "$bench/httpd"
    psql_bench -c 'SELECT doc FROM bench.doc WHERE id = 1' |
        tr -d '\n' >"$htdocs/doc.json"
    psql_bench -c "SELECT json_agg(json_build_object('area', n / 400,
        'day', date '2022-01-01' + n % 400, 'people', n * 7 % 100000,
        'prevalence', (n % 1000) / 1000.0))
        FROM generate_series(1, 100000) AS n" >"$htdocs/bulk.json"
    echo >"$htdocs/time.json" # until there is one: fetch_files
    cd "$bench/lists" || return 1
    seq -f 'GET /bench/docs/%.0f' 1 10000 >doc
    seq -f 'GET /bench/kept/%.0f' 1 1000 >kept-docs
    head -n 1 kept-docs >kept-doc
    echo 'GET /doc.json' >static-doc
    echo 'GET /bare/doc.json' >bare-doc
    echo 'GET /time/v1/time' >./time
    echo 'GET /bare/time.json' >bare-time
    echo 'GET /a.json' >static-a
    echo 'GET /b.json' >static-b
    echo "GET /bench/metric-a/COL/kept?$range" >kept-a
    echo "GET /bench/metric-b/COL/kept?$range" >kept-b
    for metric in a b; do
        psql_bench -c "SELECT format('GET %s/%s?from=%s&to=%s',
            '/bench/metric-$metric', iso3, date '2021-05-01' + d,
            date '2021-05-01' + d + 394)
            FROM hungermap.country, generate_series(0, 405) AS d" \
            >"metric-$metric"
    done
    seq -f 'POST /bench/notes {"name":"Bolt","amount":%.0f}' 1 1000 >insert
    cd "$SRV_TOP" || return 1
    make_series_lists
    make_resource_lists
    make_scripts
    make_resource_scripts
}

# The same statements for pgbench
make_scripts() {
    local metric

    printf '%s\n' '\set id random(1, 10000)' \
        'SELECT doc FROM bench.doc WHERE id = :id;' >"$bench/scripts/doc"
    printf '%s\n' '\set amount random(1, 1000)' \
        "INSERT INTO bench.note (name, amount) VALUES ('Bolt', :amount)" \
        'RETURNING id, name;' >"$bench/scripts/insert"
    for metric in metric-a metric-b; do
        {
            cat "$SRV_TOP/tests/bench/$metric.sql"
            echo ';'
        } >"$bench/scripts/$metric"
    done
}

# The bytes of an answer, as a file; the minimal handler reads it at the start
fetch_files() {
    local metric answer

    curl -fsS --noproxy '*' -o "$bench/httpd/htdocs/time.json" \
        "$url/time/v1/time" || return 1
    for metric in a b; do
        answer=$(cut -d ' ' -f 2 "$bench/lists/kept-$metric")
        curl -fsS --noproxy '*' -o "$bench/httpd/htdocs/$metric.json" \
            "$url$answer" || return 1
    done
    srv_httpd_stop "$bench/httpd" && srv_httpd_start "$bench/httpd" "$url/"
}

# ---- measurements ----

# warm_up WORDS: plans, caches, files
warm_up() {
    case $1 in
    http\ *) run_wrk "${1#* }" 1 >/dev/null ;;
    esac
}

# run_wrk LIST SECONDS: wrk.lua's line: rate, p99 in µs, failed
run_wrk() {
    wrk -t 2 -c "$CLIENTS" -d "${2}s" --timeout 12s \
        -s "$SRV_TOP/tests/bench/wrk.lua" "$url" -- "$bench/lists/$1" \
        >"$bench/wrk.log" 2>&1 &&
        sed -n 's/^bench //p' "$bench/wrk.log" | tee "$bench/wrk.$1"
}

# measure_http LIST: answers a second
measure_http() {
    local rate failed

    read -r rate _ failed < <(run_wrk "$1" "$DURATION")
    [[ ${failed:-1} == 0 ]] || {
        srv_say "$1: failed: ${failed:-all}"
        tail -n 5 "$bench/httpd/error.log" >&2
        return 1
    }
    echo "$rate"
}

# measure_p99 LIST: milliseconds, of the last measure_http
measure_p99() {
    awk '{ print $2 / 1000 }' "$bench/wrk.$1"
}

# measure_pgbench -cN SCRIPT: transactions a second over N connections, with
# prepared statements. -c4: as many as the module's pool, so the same share of
# the database; this is what is judged. -c16: as many as wrk's, which no gate
# keeps from being committed together, sixteen at a time.
# It has random numbers but no random text: the metrics are of one country.
measure_pgbench() {
    (
        srv_no_pg_env
        "$SRV_PGBIN/pgbench" -n -M prepared "$1" -j 2 -T "$DURATION" \
            -D iso3=COL -D from=2022-01-01 -D to=2023-01-30 \
            -h "$bench/pg/sock" -U dsapi -f "$bench/scripts/$2" dsapi
    ) 2>"$bench/pgbench.log" | awk '/^tps = / { print $3; exit }' | grep .
}

# measure_bulk job|sql: rows a second
measure_bulk() {
    local begin us

    # or else the second answer is 304
    psql_bench -c 'TRUNCATE bench.bulk' -c 'TRUNCATE dsapi.validator' ||
        return 1
    if [[ $1 == sql ]]; then
        begin=${EPOCHREALTIME/[.,]/}
        psql_super -c "INSERT INTO bench.bulk SELECT * FROM json_to_recordset(
            pg_read_file('$bench/httpd/htdocs/bulk.json')::json) AS r (
            area bigint, day date, people double precision,
            prevalence double precision)" || return 1
    else
        begin=${EPOCHREALTIME/[.,]/}
        curl -fsS --noproxy '*' -o "$bench/job.json" -X POST "$url/bench/bulk"
        await_jobs || return 1
    fi
    us=$((${EPOCHREALTIME/[.,]/} - begin))
    [[ $(psql_bench -c 'SELECT count(*) FROM bench.bulk') == 100000 ]] &&
        awk -v us="$us" 'BEGIN { print 1e11 / us }'
}

# Until no job is left; asks every 2 ms, for 60 s at most.
await_jobs() {
    psql_bench -c "DO \$\$
        BEGIN
            FOR i IN 1 .. 30000 LOOP
                EXIT WHEN NOT EXISTS (SELECT FROM dsapi.job
                    WHERE state IN ('queued', 'running'));
                PERFORM pg_sleep(0.002);
            END LOOP;
        END \$\$"
}

# rows_a_second COMMAND...: it prints a line for each of a million, and a title
rows_a_second() {
    local begin=${EPOCHREALTIME/[.,]/} n us

    n=$("$@" | wc -l)
    us=$((${EPOCHREALTIME/[.,]/} - begin))
    [[ $n == 1000001 ]] && awk -v us="$us" 'BEGIN { print 1e12 / us }'
}

# measure_stream: rows a second, of a million
measure_stream() {
    rows_a_second curl -fsS --noproxy '*' -H 'Accept: text/csv' \
        "$url/bench/rows/1000000"
}

# measure_copy out: the same rows by COPY … TO STDOUT
measure_copy() {
    rows_a_second psql_bench -c "COPY (SELECT i AS id, 'name ' || i AS name,
        i * 0.5 AS half FROM generate_series(1, 1000000) AS i)
        TO STDOUT CSV HEADER"
}

# peaks [new]: the most kB that each child has held, of late: since "peaks new"
peaks() {
    local pid

    for pid in $(ps -o pid= --ppid "$(srv_pid "$bench/httpd")"); do
        [[ $# == 0 ]] || echo 5 >"/proc/$pid/clear_refs" || return 1
        awk '$1 == "VmHWM:" { print $2 }' "/proc/$pid/status"
    done
}

# measure_grown: MB that a child of httpd grows by, at any time, while a
# million rows are streamed; each has streamed before
measure_grown() {
    local before i

    for ((i = 0; i < 8; i++)); do
        curl -fsS --noproxy '*' -o "$bench/rows.json" \
            "$url/bench/rows/50000" || return 1
    done
    before=$(peaks new) && measure_stream >/dev/null || return 1
    paste <(echo "$before") <(peaks) | awk '
        { kb = $2 - $1; if (kb > most) most = kb }
        END { print most / 1024 }'
}

# measure_wait: milliseconds from being enqueued over HTTP to running, the
# median; one job after another, at random times, each over before the next
measure_wait() {
    local i

    psql_bench -c 'TRUNCATE dsapi.job' || return 1
    for ((i = 0; i < DURATION * 35; i++)); do
        curl -fsS --noproxy '*' -o "$bench/job.json" -X POST \
            "$url/bench/small/$i" && await_jobs || return 1
        sleep "0.0$((RANDOM % 90 + 10))"
    done
    waited 0.5
}

# measure_wait_p99: of the last measure_wait
measure_wait_p99() {
    waited 0.99
}

# waited SHARE: so many have waited for no longer than so many milliseconds
waited() {
    psql_bench -c "SELECT percentile_cont($1) WITHIN GROUP (ORDER BY
        extract(epoch FROM started_at - queued_at) * 1000) FROM dsapi.job"
}

# measure_idle: queries a second of each of two idle children, as PostgreSQL
# logs them; the timeout that is set in front of each is not counted
measure_idle() {
    local seconds=$((DURATION * 4)) begin end

    log_statements all || return 1
    begin=$(wc -l <"$bench/pg/log")
    sleep "$seconds"
    end=$(wc -l <"$bench/pg/log")
    log_statements none || return 1
    sed -n "$((begin + 1)),${end}p" "$bench/pg/log" | awk -v s="$seconds" '
        / dsapi@dsapi LOG:  (statement|execute)/ && !/set_config/ { n++ }
        END { print n / s / 2 }'
}

# log_statements all|none: in PostgreSQL's log
log_statements() {
    psql_super -c "ALTER SYSTEM SET log_statement = '$1'" \
        -c 'SELECT pg_reload_conf()' >/dev/null && sleep 0.5
}

# queue FINISHED WAITING: print the file with the costs of the queue's
# statements among so many rows; measured once, in a PostgreSQL of its own
queue() {
    local file=$bench/queue-$1-$2.txt

    if [[ ! -e $file ]]; then
        "$SRV_TOP/tests/bench/queue.sh" "$1" "$2" >"$bench/queue.new" &&
            mv "$bench/queue.new" "$file" || return 1
    fi
    echo "$file"
}

# measure_claim FINISHED WAITING: claims a second
measure_claim() {
    local file

    file=$(queue "$1" "$2") &&
        sed -n 's/^claims a second: //p' "$file" | grep .
}

# measure_claims_by_page FINISHED WAITING: claims for each 1000 pages that
# they touch, by EXPLAIN (ANALYZE, BUFFERS) of one
measure_claims_by_page() {
    local file

    file=$(queue "$1" "$2") && awk '
        /^== / { here = $2 == "claim" }
        here && /^Function Scan on claim \(actual/ { top = 1 }
        top && / Buffers: shared/ {
            gsub(/[a-z]+=/, "& ")
            for (i = 1; i < NF; i++) {
                if ($i == "hit=" || $i == "read=") {
                    pages += $(i + 1)
                }
            }
            print 1000 / pages
            exit
        }' "$file" | grep .
}

# measure_memory: MB of both children, of an httpd that has served for a while
measure_memory() {
    local pid

    srv_httpd_stop "$bench/httpd" &&
        srv_httpd_start "$bench/httpd" "$url/" &&
        run_wrk doc "$DURATION" >/dev/null || return 1
    pid=$(srv_pid "$bench/httpd") || return 1
    ps -o rss= --ppid "$pid" | awk '{ kb += $1 } END { print kb / 1024 }'
}

# failed_under LIST COMMAND...: failed requests while the command runs
failed_under() {
    local list=$1 load

    shift
    run_wrk "$list" $((DURATION + 2)) >/dev/null &
    load=$!
    sleep 1
    "$@"
    wait "$load"
    cut -d ' ' -f 3 "$bench/wrk.$list"
}

# measure_failed_kill: every backend is killed, again and again
measure_failed_kill() {
    failed_under doc kill_backends
}

kill_backends() {
    local i

    for ((i = 0; i < DURATION * 2; i++)); do
        psql_super -c "SELECT pg_terminate_backend(pid)
            FROM pg_stat_activity WHERE usename = 'dsapi'" >/dev/null
        sleep 0.3
    done
}

restart_pg() {
    srv_pg_stop "$bench/pg" && srv_pg_start "$bench/pg"
}

# measure_failed_load: PostgreSQL is restarted under load
measure_failed_load() {
    failed_under doc restart_pg
}

# measure_failed_idle: PostgreSQL is restarted, then asked
measure_failed_idle() {
    run_wrk doc 1 >/dev/null && restart_pg &&
        run_wrk doc 1 | cut -d ' ' -f 3
}
