#!/usr/bin/env bats
# make run, start and stop (contract section 6), by packaging/run/stack.sh: in
# a BUILD of this file's own.
# status, body, output are set by req and stack; RES is req's
# shellcheck disable=SC2154,SC2034
load ../lib/testing

STACK=$BATS_TEST_DIRNAME/../../packaging/run/stack.sh
READS='/foodsecurity/v1/countries/COL/national/daily?from=2022-06-01&to=2023-06-01'

setup_file() {
    PLACE=$(srv_place)
    cp "$BUILD/mod_dsapi.so" "$PLACE/"
    cp -R "$BUILD/tools" "$PLACE/"
    BUILD=$PLACE
    # what teardown_file could not end is ended all the same
    DSAPI_DIR=$PLACE/run/servers
    mkdir -p "$DSAPI_DIR"
    chmod 711 "$PLACE/run" "$DSAPI_DIR"
    dsapi_reaper
    PORT=$(srv_free_port)
    BASE=http://127.0.0.1:$PORT
    export PLACE BUILD DSAPI_DIR PORT BASE
}

setup() {
    RES=$BATS_TEST_TMPDIR
}

teardown() {
    srv_pg_stop "$PLACE/run/servers/theirs"
    stack stop
    if [[ $status != 0 ]] || runs pg || runs httpd || runs upstream; then
        echo "stop: $status $output"
        return 1
    fi
}

teardown_file() {
    local pid

    "$STACK" stop
    if pid=$(srv_pid "$DSAPI_DIR/reaper"); then
        kill -s KILL -- "-$pid" 2>/dev/null || true
    fi
    rm -rf "$PLACE"
}

# stack MODE [NAME=VALUE...]: sets status and output
stack() {
    status=0
    output=$(env "${@:2}" "$STACK" "$1" 2>&1 3>&-) || status=$?
}

# says TEXT: so does the last output
says() {
    [[ $output == *"$1"* ]] || {
        printf 'not "%s", but (%s):\n%s\n' "$1" "$status" "$output"
        return 1
    }
}

runs() {
    srv_alive "$DSAPI_DIR/$1"
}

nothing_runs() {
    ! runs pg && ! runs httpd && ! runs upstream && ! srv_port_open 127.0.0.1 "$PORT"
}

began() {
    [[ $status == 0 ]] || says 'exit status 0'
}

@test "start: every service answers with its data when it returns" {
    stack start
    began
    says "curl '$BASE/foodsecurity/v1/countries'"
    says "curl '$BASE/countries/v1/'"
    says 'Countries: 250 of 250 are stored'
    says 'make stop ends it'
    req GET "$READS"
    expect 200 length 366
    req GET /foodsecurity/v1/countries
    expect 200 '[.[].iso3] | sort | join(" ")' 'BFA COL'
    req GET /countries/v1/countries
    expect 200 length 250
    for path in /visits/v1/properties /visits/v1/visits /catalog/v1/items; do
        req GET "$path?limit=1" -H 'Prefer: count=exact'
        [[ $(header Content-Range) =~ ^0-0/(6311|12000|32530)$ ]]
    done
    req POST /countries/v1/fetch/france%2F..%2Fspain
    expect_problem 400 invalid-parameter country
    # twice: the same is said, nothing is started
    pid=$(srv_pid "$DSAPI_DIR/httpd")
    stack start
    began
    says "It runs already at $BASE"
    [[ $(srv_pid "$DSAPI_DIR/httpd") == "$pid" ]]
    stack run
    [[ $status != 0 ]]
    says 'make stop'
    stack start PORT="$(srv_free_port)"
    [[ $status != 0 ]]
    says "it runs already at $BASE"
    [[ $(srv_pid "$DSAPI_DIR/httpd") == "$pid" ]]
    srv_psql "$DSAPI_DIR/pg" -c 'CREATE TABLE mine AS SELECT 7 AS n'
    stack stop
    [[ $status == 0 ]]
    says Stopped.
    nothing_runs
    stack stop
    [[ $status == 0 ]]
    says 'Nothing runs.'
}

@test "data outlives stop; a service of one's own through EXTRA_CONF" {
    local conf=$BATS_TEST_TMPDIR/mine.conf

    cat >"$conf" <<'END'
<DsapiService mine "/mine">
    <DsapiRoute GET "/n">
        DsapiQuery "SELECT n FROM mine"
        DsapiResult value
    </DsapiRoute>
</DsapiService>
END
    stack start EXTRA_CONF="$conf"
    began
    says 'COL: 366 days are stored already'
    says 'Countries: 250 are stored already'
    req GET /mine/n
    expect 200 . 7
    req GET "$READS"
    expect 200 length 366
}

@test "a taken port, wrong variables: what to do is said, nothing is left" {
    srv_stub_start "$BATS_TEST_TMPDIR/other" "$PORT"
    stack start
    srv_stub_stop "$BATS_TEST_TMPDIR/other"
    [[ $status != 0 ]]
    says "port $PORT of 127.0.0.1 is taken"
    says 'make start PORT='
    nothing_runs
    while read -r variable text; do
        stack start "$variable"
        [[ $status != 0 ]]
        says "$text"
        nothing_runs
    done <<'END'
PORT=http PORT=http is not a TCP port
PORT=0 PORT=0 is not a TCP port
PORT=70000 make start PORT=8080
LISTEN=a/b is not an address
LISTEN=127.0.0.1:8080 LISTEN=127.0.0.1:8080 is not an address
LISTEN=[::1]:8080 [::1], without a port (make start PORT=8080)
LISTEN=[::1 LISTEN=[::1 is not an address
EXTRA_CONF=/nowhere/x.conf is not a file that can be read
HUNGERMAP_UPSTREAM=127.0.0.1:80 is not http://host:port
RESTCOUNTRIES_UPSTREAM=ftp://127.0.0.1 is not http://host:port
DATABASE_URL=mysql://x is not postgresql://
END
    stack begin
    [[ $status == 2 ]]
    says 'usage: stack.sh run|start|stop'
}

@test "a mistake in EXTRA_CONF is shown, and nothing is left" {
    printf '<DsapiService mine "/mine">\nDsapiTitel x\n</DsapiService>\n' \
        >"$BATS_TEST_TMPDIR/mine.conf"
    stack start EXTRA_CONF="$BATS_TEST_TMPDIR/mine.conf"
    [[ $status != 0 ]]
    says "line 2 of $BATS_TEST_TMPDIR/mine.conf"
    says DsapiTitel
    nothing_runs
}

@test "a server that does not start: its log is shown, and nothing is left" {
    local port

    port=$(srv_free_port)
    srv_stub_start "$BATS_TEST_TMPDIR/other" "$port"
    echo "Listen 127.0.0.1:$port" >"$BATS_TEST_TMPDIR/mine.conf"
    stack start EXTRA_CONF="$BATS_TEST_TMPDIR/mine.conf"
    srv_stub_stop "$BATS_TEST_TMPDIR/other"
    [[ $status != 0 ]]
    says "could not bind to address 127.0.0.1:$port"
    nothing_runs
    echo 'work_mem = nonsense' >>"$DSAPI_DIR/pg/data/postgresql.auto.conf"
    stack start
    sed -i '$d' "$DSAPI_DIR/pg/data/postgresql.auto.conf"
    [[ $status != 0 ]]
    says 'PostgreSQL ended at once'
    says work_mem
    nothing_runs
}

@test "other upstreams: they are asked, and no stand-in starts" {
    local port country=/countries/v1/fetch/france

    port=$(srv_free_port)
    srv_stub_start "$BATS_TEST_TMPDIR/other" "$port"
    # a name that stands for a private address: whoever gives it means it
    stack start HUNGERMAP_UPSTREAM="http://localhost:$port" \
        RESTCOUNTRIES_UPSTREAM="http://localhost:$port"
    began
    [[ ! -e $DSAPI_DIR/upstream/ident ]]
    req POST '/foodsecurity/v1/fetch/COD?from=2023-05-01&to=2023-05-02'
    expect 202
    req POST "$country"
    expect 202
    asked() {
        curl -sS "http://127.0.0.1:$port/_stub/log" | grep -q "$1"
    }
    wait_until 20 asked country/COD
    wait_until 20 asked v3.1/alpha/FR
    stack stop
    # one of them alone: the stand-in is the other
    stack start RESTCOUNTRIES_UPSTREAM="http://localhost:$port"
    began
    srv_alive "$DSAPI_DIR/upstream"
    curl -sS -X DELETE "http://127.0.0.1:$port/_stub/log"
    req POST "$country"
    expect 202
    wait_until 20 asked v3.1/alpha/FR
    stack stop
    [[ $status == 0 ]]
    srv_alive "$BATS_TEST_TMPDIR/other"     # it is not stop's to end
    srv_stub_stop "$BATS_TEST_TMPDIR/other"
}

@test "DATABASE_URL: another server's database, which stop leaves alone" {
    local pg=$PLACE/run/servers/theirs

    srv_pg_make "$pg" off
    srv_pg_start "$pg"
    stack start DATABASE_URL="postgresql://dsapi@/dsapi?host=${pg//\//%2F}%2Fsock"
    began
    srv_dead "$DSAPI_DIR/pg"
    req GET "$READS"
    expect 200 length 366
    [[ $(srv_psql "$pg" -c 'SELECT count(*) FROM hungermap.country') == 2 ]]
    stack stop
    [[ $status == 0 ]]
    srv_alive "$pg"
    srv_pg_stop "$pg"
}

@test "DATABASE_URL over TCP with a password; LISTEN is an IPv6 address" {
    local pg=$PLACE/run/servers/theirs port server
    local secret="a@ö/:%41 \$x\"\`\\#?&+='"

    port=$(srv_free_port)
    server=127.0.0.1:$port/dsapi
    srv_pg_make "$pg" off
    srv_pg_start "$pg"
    srv_psql_super "$pg" -v secret="$secret" \
        <<<"ALTER ROLE dsapi PASSWORD :'secret'"
    srv_pg_stop "$pg"
    echo 'host dsapi dsapi 127.0.0.1/32 scram-sha-256' \
        >>"$pg/data/pg_hba.conf"
    srv_spawn "$pg" "$SRV_PG_USER" "$SRV_PGBIN/postgres" -D "$pg/data" \
        -h 127.0.0.1 -p "$port"
    srv_await "$pg" 60 PostgreSQL \
        "$SRV_PGBIN/pg_isready" -q -h 127.0.0.1 -p "$port"
    # what httpd has not is not taken for the schemas, either
    stack start PGPASSWORD="$secret" \
        DATABASE_URL="postgresql://dsapi@$server"
    [[ $status != 0 ]]
    says 'no password supplied'
    says 'is DATABASE_URL right?'
    nothing_runs
    stack start LISTEN='[::1]' DATABASE_URL="postgresql://dsapi:$(
        jq -rn --arg secret "$secret" '$secret | @uri')@$server"
    began
    says "curl 'http://[::1]:$PORT/time/v1/zones'"
    req GET "http://[::1]:$PORT$READS"
    expect 200 length 366
}

@test "stop ends what it started, and never another process of that number" {
    local other boot

    sleep 600 3>&- &
    other=$!
    boot=$(</proc/sys/kernel/random/boot_id)
    mkdir -p "$DSAPI_DIR/upstream"
    # a process that has since got the number of the stand-in
    echo "$other 1 $boot" >"$DSAPI_DIR/upstream/ident"
    stack stop
    kill -0 "$other"
    stack start
    began
    # what httpd's parent left when it was killed is ended, too
    kill -s KILL "$(srv_pid "$DSAPI_DIR/httpd")"
    stack stop
    [[ $status == 0 ]]
    nothing_runs
    [[ -z $(pgrep -f "$DSAPI_DIR/httpd/httpd.conf") ]]
    kill -0 "$other"
    kill "$other"
}

@test "a start after a crash of all of it" {
    stack start
    began
    for name in httpd pg upstream; do
        kill -s KILL -- "-$(srv_pid "$DSAPI_DIR/$name")"
    done
    stack start
    began
    says 'COL: 366 days are stored already'
    req GET "$READS"
    expect 200 length 366
}

# foreground: make run, in the background of this test; its pid is in running
foreground() {
    "$STACK" run >"$BATS_TEST_TMPDIR/run.out" 2>&1 3>&- &
    running=$!
    wait_until 60 grep -q 'Ctrl-C stops it' "$BATS_TEST_TMPDIR/run.out"
}

# ended: the exit status of make run
ended() {
    local rc=0

    wait "$running" || rc=$?
    output=$(<"$BATS_TEST_TMPDIR/run.out")
    status=$rc
}

@test "run stays in the foreground, and ends all of it when it is ended" {
    foreground
    req GET "$READS"
    expect 200 length 366
    kill -s TERM "$running"
    ended
    [[ $status == 0 ]]
    says Stopping.
    nothing_runs
    foreground
    stack stop
    [[ $status == 0 ]]
    ended
    nothing_runs
}

@test "run: a server that dies ends the rest, and its log is shown" {
    foreground
    kill -s KILL -- "-$(srv_pid "$DSAPI_DIR/pg")"
    ended
    [[ $status != 0 ]]
    says 'pg ended by itself; all is stopped'
    nothing_runs
}

# packages: packages.sh run as an ordinary user, where none is installed before
# apt-get was told to, or where FOLDER/never is; sudo only writes down, in
# FOLDER/log, what it was to do, and fails where FOLDER/refuses has it. Sets
# status and output.
packages() {
    local bin=$BATS_TEST_TMPDIR

    : >"$bin/log"
    cat >"$bin/dpkg-query" <<END
#!/bin/sh
[ ! -e "$bin/never" ] && grep -q 'apt-get install' "$bin/log" && echo installed
END
    printf '#!/bin/sh\necho 1000\n' >"$bin/id"
    cat >"$bin/sudo" <<END
#!/bin/sh
echo "\$*" >>"$bin/log"
[ "\$1" != tee ] || cat >/dev/null
! echo "\$*" | grep -qf "$bin/refuses"
END
    chmod 755 "$bin/dpkg-query" "$bin/id" "$bin/sudo"
    status=0
    output=$(PATH=$bin:$PATH "${STACK%/*}/packages.sh" run 2>&1) || status=$?
}

@test "packages: sudo installs them, and what it made for that is removed" {
    local log=$BATS_TEST_TMPDIR/log

    : >"$BATS_TEST_TMPDIR/refuses"
    packages
    began
    says 'installing make gcc'
    grep 'apt-get install -y .* apache2-dev ' "$log"
    grep 'tee .*/createcluster.d/' "$log"
    diff <(sed -n 's/^tee //p' "$log" | sort) \
        <(sed -n 's/^rm -f //p' "$log" | sort)
    # apt-get that is interrupted says that all went well
    touch "$BATS_TEST_TMPDIR/never"
    packages
    [[ $status == 1 ]]
    says 'interrupted; these packages are missing: make gcc'
}

@test "packages: it is said which are missing where they cannot be installed" {
    echo true >"$BATS_TEST_TMPDIR/refuses"
    packages
    [[ $status == 1 ]]
    says 'these packages are missing: make gcc'
    says 'packages.sh run), or let sudo allow it'
    [[ $(<"$BATS_TEST_TMPDIR/log") == true ]]
    echo apt-get >"$BATS_TEST_TMPDIR/refuses"
    packages
    [[ $status == 1 ]]
    says 'is a package mirror in reach?'
    grep 'rm -f .*/createcluster.d/' "$BATS_TEST_TMPDIR/log"
}
