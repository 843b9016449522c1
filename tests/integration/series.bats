#!/usr/bin/env bats
# Series in memory, and metrics over them: what they answer, how soon and how
# wholly they follow their data, and what is done where that can't be had.
# shellcheck disable=SC2030,SC2031,SC2154 # status and body: set by req

load ../lib/testing

setup_file() {
    local text

    export DSAPI_SERVICES=none
    text=$(configuration)
    dsapi_up "$text"
    sql "CREATE TABLE sale (shop text, day date, item text, price float8,
            qty int, at int);
        CREATE TRIGGER touch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
            ON sale FOR EACH STATEMENT
            EXECUTE FUNCTION dsapi.touch_name('s/sales');
        CREATE TABLE plain (day date, n int)"
    # with room for few
    httpd_up second "DsapiWorker Off
DsapiCacheSize 64K
$text"
    SECOND=http://127.0.0.1:$(<"$DSAPI_DIR/second/port")
    export SECOND
    # of one child, which knows of a change or does not
    httpd_up alone "DsapiWorker Off
ServerLimit 2
StartServers 1
MaxRequestWorkers 8
$text"
    ALONE=http://127.0.0.1:$(<"$DSAPI_DIR/alone/port")
    export ALONE
}

setup() {
    dsapi_test_begin
    sql 'TRUNCATE sale' >/dev/null
    sql "INSERT INTO sale VALUES
        ('a', '2026-01-30', 'nut', 0.5, 3), ('a', '2026-01-31', 'nut', 0.1, 1),
        ('a', '2026-02-01', 'nut', 0.2, 1), ('a', '2026-02-01', 'bolt', 4, 1),
        ('b', '2026-02-01', 'nut', 9, 1)" >/dev/null
    await_versions
}

configuration() {
    cat <<'CONF'
LogLevel dsapi:debug
<DsapiService s "/s">
    <DsapiSeries sales>
        DsapiParam      shop text
        DsapiQuery      "SELECT * FROM sale WHERE shop = :shop"
        DsapiTimeColumn day
        DsapiDimension  item
        DsapiMeasure    price qty
    </DsapiSeries>
    <DsapiRoute GET "/{shop}/monthly">
        DsapiParam  shop text
        DsapiParam  from date
        DsapiParam  to date min=:from
        DsapiMetric sales range=:from,:to group=item,month nest=months total=sum(price) n=sum(qty)
    </DsapiRoute>
    <DsapiRoute GET "/{shop}/daily">
        DsapiParam  shop text
        DsapiCache  60s stale=0s
        DsapiMetric sales group=day mean=wavg(price,qty) week=sum(price,7d) before=prev(mean)
    </DsapiRoute>
    <DsapiRoute GET "/{shop}/whole">
        DsapiParam  shop text
        DsapiMetric sales n=count() low=min(qty) high=max(qty)
    </DsapiRoute>
    <DsapiSeries brief>
        DsapiQuery      "SELECT day, qty FROM sale"
        DsapiTimeColumn day
        DsapiMeasure    qty
        DsapiDependsOn  s/sales
        DsapiStaleFor   Off
        DsapiReload     wait
    </DsapiSeries>
    <DsapiRoute GET "/brief">
        DsapiMetric brief n=count()
    </DsapiRoute>
    # a load waits while somebody holds the lock
    <DsapiSeries gated>
        DsapiQuery      "SELECT day, qty FROM sale, (SELECT pg_advisory_xact_lock_shared(22)) AS gate"
        DsapiTimeColumn day
        DsapiMeasure    qty
        DsapiDependsOn  s/sales
        DsapiDBTimeout  60s
    </DsapiSeries>
    <DsapiRoute GET "/gated">
        DsapiMetric gated n=count()
    </DsapiRoute>
    <DsapiSeries patient>
        DsapiQuery      "SELECT day, qty FROM sale, (SELECT pg_advisory_xact_lock_shared(22)) AS gate"
        DsapiTimeColumn day
        DsapiMeasure    qty
        DsapiDependsOn  s/sales
        DsapiDBTimeout  60s
        DsapiReload     wait
    </DsapiSeries>
    <DsapiRoute GET "/patient">
        DsapiMetric patient n=count()
    </DsapiRoute>
    <DsapiSeries plain>
        DsapiQuery      "SELECT day, n FROM plain"
        DsapiTimeColumn day
        DsapiMeasure    n
    </DsapiSeries>
    <DsapiRoute GET "/plain">
        DsapiMetric plain n=count()
    </DsapiRoute>
    <DsapiSeries wrong>
        DsapiParam      what text
        DsapiQuery      "SELECT CASE :what WHEN 'null' THEN NULL ELSE date '2026-01-01' END AS day, 'secret' AS n, 1 AS m"
        DsapiTimeColumn day
        DsapiMeasure    m
    </DsapiSeries>
    <DsapiRoute GET "/wrong/{what}">
        DsapiParam  what text
        DsapiMetric wrong n=count()
    </DsapiRoute>
    <DsapiSeries text>
        DsapiQuery      "SELECT day, item FROM sale"
        DsapiTimeColumn day
        DsapiMeasure    item
    </DsapiSeries>
    <DsapiRoute GET "/text">
        DsapiMetric text n=count()
    </DsapiRoute>
    <DsapiSeries large>
        DsapiQuery      "SELECT date '2026-01-01' AS day, i AS n FROM generate_series(1, 2000) i"
        DsapiTimeColumn day
        DsapiMeasure    n
        DsapiDependsOn  s/sales
    </DsapiSeries>
    <DsapiRoute GET "/large">
        DsapiMetric large n=sum(n)
    </DsapiRoute>
    <DsapiSeries big>
        DsapiQuery      "SELECT date '2026-01-01' AS day, i AS n FROM generate_series(1, 60000) i"
        DsapiTimeColumn day
        DsapiMeasure    n
        DsapiDependsOn  s/sales
        DsapiReload     wait
    </DsapiSeries>
    <DsapiRoute GET "/big">
        DsapiMetric big n=count()
    </DsapiRoute>
    <DsapiSeries gated-big>
        DsapiQuery      "SELECT date '2026-01-01' AS day, i AS n FROM generate_series(1, 60000) i UNION ALL SELECT date '2026-01-02', 1 FROM (SELECT pg_advisory_xact_lock_shared(22)) AS gate"
        DsapiTimeColumn day
        DsapiMeasure    n
        DsapiDependsOn  s/sales
        DsapiReload     wait
        DsapiDBTimeout  60s
    </DsapiSeries>
    <DsapiRoute GET "/gated-big">
        DsapiMetric gated-big n=count()
    </DsapiRoute>
</DsapiService>
<DsapiService t "/t">
    DsapiSession tenant="%{HTTP:X-Tenant}"
    <DsapiSeries sales>
        DsapiParam      tenant text
        DsapiQuery      "SELECT day, qty FROM sale WHERE shop = current_setting('dsapi.tenant')"
        DsapiTimeColumn day
        DsapiMeasure    qty
        DsapiDependsOn  s/sales
    </DsapiSeries>
    <DsapiRoute GET "/whole">
        DsapiMetric sales n=count()
    </DsapiRoute>
</DsapiService>
CONF
}

# loads NAME [HTTPD]: how often it was loaded
loads() {
    grep -c "DSAPI0064: <DsapiSeries $1> loaded" \
        "$DSAPI_DIR/${2:-httpd}/error.log" || true
}

@test "a metric's rows, nested" {
    req GET /s/a/monthly
    expect 200
    [[ $body == '[{"item":"bolt","months":[{"month":"2026-02","total":4,"n":1}]},{"item":"nut","months":[{"month":"2026-01","total":0.6,"n":4},{"month":"2026-02","total":0.2,"n":1}]}]' ]]
    [[ $(header Content-Type) == application/json* ]]
    req GET '/s/a/monthly?from=2026-01-31&to=2026-01-31'
    [[ $body == '[{"item":"nut","months":[{"month":"2026-01","total":0.1,"n":1}]}]' ]]
    req GET '/s/nobody/monthly'
    [[ $status == 200 && $body == '[]' ]]
}

@test "means, windows, the period before" {
    req GET /s/a/daily
    expect 200
    [[ $body == '[{"date":"2026-01-30","mean":0.5,"week":0.5,"before":null},{"date":"2026-01-31","mean":0.1,"week":0.6,"before":0.5},{"date":"2026-02-01","mean":2.1,"week":4.8,"before":0.1}]' ]]
}

@test "CSV and NDJSON" {
    req GET /s/a/monthly -H 'Accept: text/csv'
    [[ $(header Content-Type) == text/csv* && $(header Vary) == *Accept* ]]
    diff <(printf '%s\r\n' item,months.month,months.total,months.n \
        bolt,2026-02,4,1 nut,2026-01,0.6,4 nut,2026-02,0.2,1) "$RES/body"
    req GET /s/a/daily -H 'Accept: application/x-ndjson'
    [[ $(header Content-Type) == application/x-ndjson* ]]
    [[ $(head -n 1 "$RES/body") == '{"date":"2026-01-30","mean":0.5,"week":0.5,"before":null}' ]]
    [[ $(wc -l <"$RES/body") == 3 ]]
    req GET /s/a/daily -H 'Accept: image/png'
    expect_problem 406 not-acceptable
    req HEAD /s/a/monthly
    [[ $status == 200 && $(header Content-Length) == 166 ]]
}

@test "the documentation knows a metric's answers" {
    req GET /s/openapi.json
    expect 200 '.paths["/{shop}/monthly"].get.responses
        | [(.["200"].content | keys[]), keys[]] | join(" ")' \
        'application/json application/x-ndjson text/csv 200 304 400 default'
}

@test "bad input is a problem" {
    req GET '/s/a/monthly?from=2026-02-30'
    expect_problem 400 invalid-parameter from
    req GET '/s/a/monthly?from=2026-02-02&to=2026-02-01'
    expect_problem 400 invalid-parameter to
    req GET '/s/a/monthly?group=day'
    expect_problem 400 invalid-parameter group
    req POST /s/a/monthly
    expect 405
}

@test "a change by hand is seen in every child of every httpd" {
    everywhere /s/a/whole '.[0].n' 4
    everywhere /s/a/daily 'length' 3
    sql "INSERT INTO sale VALUES ('a', '2026-02-02', 'nut', 1, 1)" >/dev/null
    wait_until 20 everywhere /s/a/whole '.[0].n' 5
    wait_until 20 everywhere /s/a/daily 'length' 4
    sql 'TRUNCATE sale' >/dev/null
    wait_until 20 everywhere /s/a/whole . '[]'
}

# tagged SHOP N: so many rows, in the child that is alone; and their validator
tagged() {
    req GET "$ALONE/s/$1/whole"
    [[ $status == 200 && $(json '.[0].n') == "$2" && -n $(header ETag) ]]
}

@test "a change of one key leaves the other series alone" {
    local a b n

    wait_until 20 tagged a 4
    a=$(header ETag)
    wait_until 20 tagged b 1
    b=$(header ETag)
    sql "ALTER TABLE sale DISABLE TRIGGER touch;
        INSERT INTO sale VALUES ('b', '2026-02-02', 'nut', 1, 1);
        SELECT dsapi.touch('s/sales', 'b');
        ALTER TABLE sale ENABLE TRIGGER touch" >/dev/null
    wait_until 20 everywhere /s/b/whole '.[0].n' 2
    wait_until 20 tagged b 2
    [[ $(header ETag) != "$b" ]]
    n=$(loads s/sales alone)
    ((n > 0))
    wait_until 20 tagged a 4
    [[ $(header ETag) == "$a" && $(loads s/sales alone) == "$n" ]]
    # what depends on the name as a whole has changed
    wait_until 20 everywhere /s/brief '.[0].n' 6
    sql 'DELETE FROM sale' >/dev/null
    wait_until 20 everywhere /s/a/whole . '[]'
}

@test "an upload is seen wholly or not at all" {
    local i

    sql "INSERT INTO sale SELECT 'u', date '2026-01-01' + i, 'x', 1, 0
        FROM generate_series(1, 500) i" >/dev/null
    await_versions
    (for i in {1..25}; do
        echo "BEGIN; DELETE FROM sale WHERE shop = 'u' AND day < '2026-06-01';
            INSERT INTO sale SELECT 'u', date '2026-01-01' + i, 'x', 1, $i
              FROM generate_series(1, 150) i;
            UPDATE sale SET qty = $i WHERE shop = 'u'; COMMIT;"
    done) >"$DSAPI_DIR/uploads.sql"
    srv_psql "$DSAPI_DIR/pg" -q -f "$DSAPI_DIR/uploads.sql" >/dev/null &
    while kill -0 $! 2>/dev/null; do
        req GET /s/u/whole
        expect 200 '.[0].n' 500 '.[0].low == .[0].high' true
    done
    wait $!
    wait_until 20 everywhere /s/u/whole '.[0].high' 25
}

@test "of many at once, one loads" {
    local i n
    local -a urls=()

    n=$(loads s/sales)
    for ((i = 0; i < 40; i++)); do
        urls+=(-o /dev/null "$BASE/s/a/monthly?from=2026-01-01&to=2026-02-$((10 + i % 18))")
    done
    curl -sS --fail --noproxy '*' -Z --parallel-max 12 "${urls[@]}"
    # one a child
    ((n = $(loads s/sales) - n))
    ((n >= 1 && n <= 2)) || {
        echo "$n loads"
        return 1
    }
}

# clients PATH: four, which ask until the file stop is there, and note what
# they were told: whether a load was waiting by then, and how many rows
clients() {
    local i

    for i in 1 2 3 4; do
        while [[ ! -e $GATED/stop ]]; do
            echo "$([[ ! -e $GATED/loading ]] || echo loading) $(curl -sS \
                --noproxy '*' "$ALONE$1" | jq '.[0].n')"
        done >"$GATED/$i" 3>&- 7>&- &
    done
}

alone() {
    req GET "$ALONE$1"
    [[ $status == 200 && $(json '.[0].n') == "$2" ]]
}

load_waits() {
    [[ $(sql "SELECT count(*) FROM pg_locks
        WHERE locktype = 'advisory' AND NOT granted") -gt 0 ]]
}

# hold_gate: loads of what is gated wait, until open_gate
hold_gate() {
    GATED=$(mktemp -d "$BATS_TEST_TMPDIR/gated.XXXXXX")
    mkfifo "$GATED/gate"
    srv_psql "$DSAPI_DIR/pg" <"$GATED/gate" >"$GATED/locked" 3>&- &
    exec 7>"$GATED/gate"
    echo "SELECT 'held' FROM pg_advisory_lock(22);" >&7
    wait_until 20 grep -q held "$GATED/locked"
}

open_gate() {
    exec 7>&-
    wait
}

# change_gated PATH: change the data while loads are held up, as long as
# the clients may be served meanwhile; served: how many of the four were
change_gated() {
    local n

    n=$(sql 'SELECT count(*) FROM sale')
    wait_until 20 alone "$1" "$n"
    hold_gate
    clients "$1"
    sql "INSERT INTO sale VALUES ('g', '2026-03-01', 'nut', 1, 1)" >/dev/null
    wait_until 20 load_waits
    touch "$GATED/loading"
    all_served() {
        served=$(grep -lx "loading $n" "$GATED"/[1-4] | wc -l)
        ((served == 4))
    }
    srv_until 2 all_served || true
    touch "$GATED/stop"
    open_gate
    wait_until 20 alone "$1" $((n + 1))
}

@test "while a changed series is loaded, all get it as it was" {
    # within a second, which a slow machine may miss
    was_served() {
        change_gated /s/gated
        ((served == 4))
    }
    wait_until 60 was_served
}

@test "DsapiReload wait: while a changed series is loaded, all wait" {
    change_gated /s/patient
    ((served == 0))
}

asked() {
    req GET "$ALONE/s/gated" --max-time 1
    [[ $status != 200 ]] || load_waits
}

# load_behind: the data change, and a load of them is held up which is nobody's
# request; within the second, too
load_behind() {
    local n

    n=$(sql 'SELECT count(*) FROM sale')
    wait_until 20 alone /s/gated "$n"
    hold_gate
    sql "INSERT INTO sale VALUES ('g', '2026-03-01', 'nut', 1, 1)" >/dev/null
    wait_until 20 asked
    [[ $status == 200 && $(json '.[0].n') == "$n" ]] || {
        open_gate
        return 1
    }
}

# loads_of PID: how often that child has loaded what is gated
loads_of() {
    grep -c "\[pid $1:.*DSAPI0064: <DsapiSeries s/gated> loaded" \
        "$DSAPI_DIR/alone/error.log" || true
}

@test "a child that is to end waits for what it loads behind requests" {
    local child n

    gone() { ! kill -0 "$child" 2>/dev/null; }
    wait_until 60 load_behind
    child=$(pgrep -P "$(httpd_pid alone)")
    n=$(loads_of "$child")
    httpd_restart_graceful alone
    load_waits
    kill -0 "$child"
    open_gate
    wait_until 20 gone
    [[ $(loads_of "$child") == $((n + 1)) ]]
    wait_until 20 alone /s/gated "$(sql 'SELECT count(*) FROM sale')"
}

@test "the database goes away under a load behind requests" {
    local n=0

    claim_log 'DSAPI0065: behind a request: database-unavailable: <DsapiSeries s/gated>'
    claim_log 'DSAPI00(05|36)'
    claim_log '(AH00(629|632|633|636|639)|AH02655)'
    wait_until 60 load_behind
    n=$(json '.[0].n')
    # a crash of all at once: asked to end one by one, who holds the gate might
    # let the load through it before the load is told
    sql_super CHECKPOINT
    pg_stop QUIT
    open_gate
    wait_until 30 grep -q DSAPI0065 "$DSAPI_DIR/alone/error.log"
    req GET "$ALONE/s/gated"
    expect 200 '.[0].n' "$n"
    [[ $(header Cache-Status) == 'mod_dsapi; hit; ttl='* ]]
    pg_start
    wait_until 30 alone /s/gated $((n + 1))
    await_versions
}

@test "304 asks nobody, in a child that has not loaded it either" {
    local etag n i

    req GET /s/a/monthly
    etag=$(header ETag)
    [[ $etag == W/* && -z $(header Cache-Status) ]]
    n=$(loads s/sales second)
    for ((i = 0; i < 12; i++)); do
        req GET "$SECOND/s/a/monthly" -H "If-None-Match: $etag"
        [[ $status == 304 && -z $body && $(header ETag) == "$etag" ]]
    done
    [[ $(loads s/sales second) == "$n" ]]
    # another answer has another one
    req GET '/s/a/monthly?from=2026-02-01' -H "If-None-Match: $etag"
    [[ $status == 200 && $(header ETag) != "$etag" ]]
    req GET /s/b/monthly -H "If-None-Match: $etag"
    expect 200
    req GET /s/a/monthly -H "If-None-Match: $etag" -H 'Accept: text/csv'
    expect 200
    # and so have other data
    sql "INSERT INTO sale VALUES ('a', '2026-02-02', 'nut', 1, 1)" >/dev/null
    await_versions
    req GET /s/a/monthly -H "If-None-Match: $etag"
    [[ $status == 200 && $(header ETag) != "$etag" ]]
}

@test "an answer of DsapiCache lives until the data change" {
    local etag

    req GET /s/a/daily
    etag=$(header ETag)
    [[ $etag == W/* && $(header Cache-Control) == 'public, max-age=60' ]]
    req GET /s/a/daily -H "If-None-Match: $etag"
    expect 304
    sql "UPDATE sale SET price = 7 WHERE shop = 'a'" >/dev/null
    await_versions
    wait_until 20 everywhere /s/a/daily '.[0].mean' 7
    [[ $(header ETag) != "$etag" ]]
}

@test "what nobody announces says that it can't be told" {
    sql "INSERT INTO plain VALUES ('2026-01-01', 1)" >/dev/null
    req GET /s/plain
    expect 200 '.[0].n' 1
    [[ $(header Age) =~ ^[0-9]+$ ]]
    [[ $(header Cache-Status) == 'mod_dsapi; hit; ttl='* && -z $(header ETag) ]]
}

@test "the session's values are part of the key" {
    req GET /t/whole -H 'X-Tenant: a'
    expect 200 '.[0].n' 4
    [[ $(header Cache-Control) == private* ]]
    req GET /t/whole -H 'X-Tenant: b'
    expect 200 '.[0].n' 1
    req GET /t/whole
    [[ $status == 200 && $body == '[]' ]]
    req GET '/t/whole?tenant=a' -H 'X-Tenant: b'
    expect_problem 400 invalid-parameter tenant
}

@test "what is wrong with the rows is told to the log alone" {
    claim_log "DSAPI0003: internal: <DsapiSeries s/wrong>: .*'day' is null"
    claim_log "DSAPI0003: internal: <DsapiSeries s/text>: .*'item' is no number"
    req GET /s/wrong/null
    expect_problem 500 internal
    [[ $body != *day* ]]
    req GET /s/text
    expect_problem 500 internal
    [[ $body != *item* ]]
    req GET /s/wrong/nothing
    expect 200 '.[0].n' 1
}

@test "there is room for as many as DsapiCacheSize holds" {
    local i n

    sql "INSERT INTO sale SELECT 'k' || k, date '2026-01-01' + i, 'x', 1, k
        FROM generate_series(1, 12) k, generate_series(1, 400) i" >/dev/null
    await_versions
    n=$(loads s/sales second)
    for i in {1..12} {1..12}; do
        req GET "$SECOND/s/k$i/whole"
        expect 200 '.[0].n' 400 '.[0].high' "$i"
    done
    # they do not all fit, so that some were loaded again
    ((n = $(loads s/sales second) - n))
    ((n > 12))
}

@test "one that is too large is refused, and the log says why" {
    claim_log 'DSAPI0003: internal: <DsapiSeries s/large>: .* DsapiCacheSize'

    req GET "$SECOND/s/large"
    expect_problem 500 internal
    req GET /s/large
    expect 200 '.[0].n' 2001000
}

# logged TEXT: in the log of the one with one child
logged() {
    grep -q "$1" "$DSAPI_DIR/alone/error.log"
}

# asks PATH: in the background; the answer is in the folder of the gate
asks() {
    curl -sS --fail --noproxy '*' -o "$GATED/$1" "$ALONE/s/$1" 3>&- 7>&- &
}

@test "large series are loaded one after the other" {
    hold_gate
    asks gated-big
    wait_until 20 logged 'DSAPI0067: <DsapiSeries s/gated-big>'
    asks big
    wait_until 20 logged 'DSAPI0066: <DsapiSeries s/big>'
    # what is small need not wait
    alone /s/a/whole 4
    open_gate
    [[ $(jq '.[0].n' "$GATED/gated-big" "$GATED/big" | xargs) == '60001 60000' ]]
    grep -o 'DSAPI006[47]: <DsapiSeries s/[a-z-]*big> [a-z]*' \
        "$DSAPI_DIR/alone/error.log" >"$GATED/order"
    diff "$GATED/order" - <<'ORDER'
DSAPI0067: <DsapiSeries s/gated-big> has
DSAPI0064: <DsapiSeries s/gated-big> loaded
DSAPI0067: <DsapiSeries s/big> has
DSAPI0064: <DsapiSeries s/big> loaded
ORDER
}

@test "the database is away: loaded series are served, and say how old" {
    claim_log 'DSAPI0003: database-unavailable'
    claim_log 'DSAPI00(05|36)'
    claim_log '(AH00(629|632|633|636|639)|AH02655)'
    everywhere /s/a/whole '.[0].n' 4
    everywhere /s/a/daily 'length' 3
    everywhere /s/brief '.[0].n' 5
    pg_stop
    aged() {
        req GET /s/a/whole
        [[ $status == 200 && $(json '.[0].n') == 4 &&
            $(header Age) =~ ^[0-9]+$ &&
            $(header Cache-Status) == 'mod_dsapi; hit; ttl='* ]]
    }
    wait_until 20 aged
    # a range that nobody has asked for
    new_range() {
        req GET '/s/a/monthly?from=2026-02-01&to=2026-02-20'
        [[ $status == 200 && $(json '.[1].months[0].total') == 0.2 &&
            $(header Cache-Status) == 'mod_dsapi; hit; ttl='* ]]
    }
    wait_until 20 new_range
    daily() { # those before may all have gone to one child
        req GET /s/a/daily
        [[ $status == 200 && $(json length) == 3 ]]
    }
    wait_until 20 daily
    req GET /s/never-loaded/whole
    expect_problem 503 database-unavailable
    [[ -n $(header Retry-After) ]]
    pg_start
    sql "INSERT INTO sale VALUES ('a', '2026-02-02', 'nut', 1, 1)" >/dev/null
    wait_until 30 everywhere /s/a/whole '.[0].n' 5
    await_versions
    req GET /s/a/whole
    [[ -z $(header Cache-Status) ]]
}

@test "another configuration is another series" {
    local etag

    req GET /s/brief
    expect 200 '.[0].n' 5
    etag=$(header ETag)
    httpd_config httpd "$(configuration | sed 's/SELECT day, qty FROM sale"/SELECT day, qty FROM sale WHERE qty > 1"/')"
    httpd_restart_graceful
    changed() {
        req GET /s/brief -H "If-None-Match: $etag"
        [[ $status == 200 && $(json '.[0].n') == 1 ]]
    }
    wait_until 20 changed
    httpd_config httpd "$(configuration)"
    httpd_restart_graceful
}
