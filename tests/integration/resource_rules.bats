#!/usr/bin/env bats
# status, body and output are set by req; $ is SQL's and httpd's
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
# Resources: what belongs to whom, and what is an administrator's.
load ../lib/testing

SCHEMA="
CREATE SCHEMA rules;
CREATE TABLE rules.one (id int PRIMARY KEY, name text);
CREATE TABLE rules.two (id int PRIMARY KEY, name text);
CREATE TABLE rules.late (id int PRIMARY KEY, late bool);
CREATE FUNCTION rules.be_late() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
    IF NEW.late THEN PERFORM pg_sleep(60); END IF;
    RETURN NULL;
END \$\$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON rules.late
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION rules.be_late();
CREATE FUNCTION rules.be_told() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
    IF NEW.name = 'who' THEN RAISE EXCEPTION '%', current_user; END IF;
    RETURN NULL;
END \$\$;
CREATE CONSTRAINT TRIGGER told AFTER INSERT ON rules.one
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION rules.be_told();
CREATE SEQUENCE rules.runs;
CREATE TABLE rules.crowded (id int PRIMARY KEY);
CREATE FUNCTION rules.be_crowded() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
    IF nextval('rules.runs') % 2 = 1 THEN
        RAISE SQLSTATE '40001';
    END IF;
    RETURN NULL;
END \$\$;
CREATE CONSTRAINT TRIGGER crowded AFTER INSERT ON rules.crowded
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION rules.be_crowded();
CREATE TABLE rules.growing (id int, code text UNIQUE NOT NULL, n int,
    state text DEFAULT 'old', CONSTRAINT growing_pk PRIMARY KEY (id));
CREATE TABLE rules.locked (id int PRIMARY KEY DEFAULT random() * 10);
CREATE SCHEMA closed;
CREATE TABLE closed.secret (id int PRIMARY KEY);
CREATE SCHEMA \"Odd.One\";
CREATE TABLE \"Odd.One\".\"a\"\"B\" (id int PRIMARY KEY);
CREATE TABLE public.bare (id int PRIMARY KEY);"

CONF='<DsapiService rules "/rules/v1">
    <DsapiResource ones rules.one>
        DsapiAllow list read create update delete keyed
    </DsapiResource>
    <DsapiResource bulk rules.two>
        DsapiAllow list read create update delete
    </DsapiResource>
    <DsapiResource late rules.late>
        DsapiAllow list create
        DsapiDBTimeout 3s
    </DsapiResource>
    <DsapiResource crowded rules.crowded>
        DsapiAllow list create import
    </DsapiResource>
    <DsapiResource growing rules.growing>
        DsapiAllow list read create update
    </DsapiResource>
</DsapiService>
<DsapiService locked "/locked/v1">
    <DsapiResource locked rules.locked>
    </DsapiResource>
    <DsapiResource growing rules.growing>
        DsapiDBTimeout 60s
    </DsapiResource>
</DsapiService>
<DsapiService roled "/roled/v1">
    DsapiRole lowly
    <DsapiResource ones Rules.ONE>
        DsapiAllow list create import
    </DsapiResource>
    <DsapiResource secrets closed.secret>
    </DsapiResource>
    <DsapiResource odd "\"Odd.One\".\"a\"\"B\"">
    </DsapiResource>
    <DsapiResource bare bare>
    </DsapiResource>
</DsapiService>
<DsapiService strange "/strange/v1">
    DsapiRole stranger
    <DsapiResource ones rules.one>
    </DsapiResource>
</DsapiService>
<DsapiService nobody "/nobody/v1">
    DsapiRole nobody_at_all
    <DsapiResource ones rules.one>
    </DsapiResource>
</DsapiService>
<DsapiService session "/session/v1">
    DsapiSession tenant=%{HTTP:X-Tenant}
    <DsapiResource ones rules.one>
    </DsapiResource>
</DsapiService>
<DsapiService import "/import/v1">
    DsapiMaxBody 1K
    <DsapiResource ones rules.one>
        DsapiAllow list create import
        DsapiMaxBody 64K
    </DsapiResource>
</DsapiService>
<VirtualHost *>
    ServerName first.test
</VirtualHost>
<VirtualHost *>
    ServerName second.test
    <DsapiService rules "/rules/v1">
        <DsapiResource ones rules.two>
            DsapiAllow list create
        </DsapiResource>
    </DsapiService>
</VirtualHost>'

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "$CONF"
    sql "$SCHEMA"
    sql_super 'CREATE ROLE lowly; GRANT lowly TO dsapi; CREATE ROLE stranger;
        GRANT USAGE ON SCHEMA rules, "Odd.One" TO lowly;
        GRANT SELECT, INSERT ON rules.one TO lowly;
        GRANT SELECT ON "Odd.One"."a""B", public.bare TO lowly'
}

setup() {
    dsapi_test_begin
    sql "TRUNCATE rules.one, rules.two, rules.late, rules.growing,
        rules.crowded, dsapi.idempotency;
        INSERT INTO rules.one VALUES (1, 'a'), (2, 'b');
        INSERT INTO rules.two VALUES (1, 'a'), (2, 'b')"
}

# send METHOD PATH JSON [CURL ARGUMENT...]
send() {
    local method=$1 path=$2 json=$3

    shift 3
    req "$method" "$path" -H 'Content-Type: application/json' \
        --data-binary "$json" "$@"
}

# csv PATH TEXT [CURL ARGUMENT...]
csv() {
    local path=$1 text=$2

    shift 2
    req POST "$path" -H 'Content-Type: text/csv' --data-binary "$text" "$@"
}

# count TABLE ID: rows of a table
count() {
    sql "SELECT count(*) FROM rules.$1 WHERE id = $2"
}

@test "an Idempotency-Key belongs to host, service, role and table" {
    local key='Idempotency-Key: k'

    send POST /rules/v1/ones '{"id":7}' -H "$key" -H 'Host: first.test'
    expect 201
    send POST /rules/v1/ones '{"id":7}' -H "$key" -H 'Host: second.test'
    expect 201
    [[ -z $(header Idempotent-Replayed) ]]
    [[ $(count one 7) == 1 && $(count two 7) == 1 ]]
    send POST /rules/v1/ones '{"id":7}' -H "$key" -H 'Host: second.test'
    expect 201
    [[ $(header Idempotent-Replayed) == true ]]
    # the URL may be longer than an index entry of PostgreSQL's
    send POST "/rules/v1/bulk?select=$(printf 'id,%.0s' {1..1500})id" \
        '{"id":8}' -H "$key"
    expect 201
}

@test "a role that may not use dsapi.idempotency imports with a key" {
    local key='Idempotency-Key: r'

    csv /roled/v1/ones $'id,name\n7,x\n' -H "$key"
    expect 201
    csv /roled/v1/ones $'id,name\n7,x\n' -H "$key"
    expect 201
    [[ $(header Idempotent-Replayed) == true && $(count one 7) == 1 ]]
    # deferred constraints are the role's, and name the record
    csv /roled/v1/ones $'id,name\n8,x\n9,who\n' -H 'Idempotency-Key: w'
    expect 422 '.rows | map([.line, .reason]) | tojson' '[[3,"lowly"]]'
    [[ $(count one 8) == 0 ]]
}

@test "a table that may not be used is no matter of the others" {
    req GET /roled/v1/ones
    expect 200 length 2
    req GET /roled/v1/odd
    expect 200 length 0
    req GET /roled/v1/bare
    expect 200 length 0
    req GET /roled/v1/secrets
    expect_problem 403 42501
}

@test "lists are changed unless DsapiAllow says keyed" {
    send PATCH /rules/v1/ones '{"name":"x"}'
    expect_problem 405 method-not-allowed
    [[ $(header Allow) == 'GET, HEAD, POST, OPTIONS' ]]
    send PATCH '/rules/v1/ones?id=eq.1' '{"name":"x"}'
    expect_problem 405 method-not-allowed
    req DELETE /rules/v1/ones
    expect_problem 405 method-not-allowed
    send PUT '/rules/v1/ones?id=eq.1' '{"id":1,"name":"x"}'
    expect_problem 405 method-not-allowed
    send PATCH /rules/v1/ones/1 '{"name":"x"}'
    expect 204
    req DELETE /rules/v1/ones/2
    expect 204
    send PATCH '/rules/v1/bulk?id=gt.0' '{"name":"x"}'
    expect 204
    send PUT '/rules/v1/bulk?id=eq.1' '{"id":1,"name":"y"}'
    expect 204
    req DELETE '/rules/v1/bulk?name=eq.x'
    expect 204
    [[ $(sql "SELECT string_agg(id || name, ' ') FROM rules.two") == 1y ]]
}

@test "what was asked for by somebody is for nobody else" {
    req GET /rules/v1/ones
    expect 200
    [[ -z $(header Cache-Control) ]]
    for path in /rules/v1/ones /rules/v1/ones/1; do
        req GET "$path" -H 'Authorization: Bearer x'
        expect 200
        [[ $(header Cache-Control) == private ]]
    done
    req GET /session/v1/ones/1 -H 'X-Tenant: x'
    expect 200
    [[ $(header Cache-Control) == private ]]
    req GET /session/v1/ones/3
    expect_problem 404 not-found
    [[ $(header Cache-Control) == no-store ]]
}

@test "a role that cannot be taken is an administrator's mistake" {
    claim_log 'DSAPI0003: 42501: .*permission denied to set role "stranger"'
    claim_log 'DSAPI0003: 22023: .*role "\.\.\." does not exist'
    req GET /strange/v1/ones
    expect_problem 500 42501
    [[ $body != *stranger* ]]
    req GET /nobody/v1/ones
    expect_problem 500 22023
    [[ $body != *nobody_at_all* ]]
}

@test "documentation of tables that cannot be looked at has no columns" {
    claim_log 'DSAPI0061: the documentation has no columns.*set role "stranger"'
    req GET /strange/v1/openapi.json
    expect 200 '.components.schemas["row.ones"] | tojson' '{"type":"object"}' \
        '.paths["/ones"].get.parameters[0].name' select
}

@test "deferred constraints run as DsapiRole" {
    send POST /roled/v1/ones '{"id":9,"name":"who"}' -H 'Idempotency-Key: w'
    expect_problem 400 P0001
    expect 400 .message lowly
    [[ $(count one 9) == 0 ]]
}

@test "what is run again before it is committed is answered once" {
    local key

    for key in json csv; do
        if [[ $key == json ]]; then
            send POST /rules/v1/crowded '{"id":1}' -H "Idempotency-Key: $key" \
                -H 'Prefer: return=representation'
        else
            csv /rules/v1/crowded $'id\n2\n' -H "Idempotency-Key: $key" \
                -H 'Prefer: return=representation'
        fi
        expect 201 length 1
        [[ $(sql "SELECT body FROM dsapi.idempotency WHERE key = '$key'") \
            == "$body" ]]
    done
}

@test "deferred constraints have DsapiDBTimeout" {
    claim_log 'DSAPI0003: 57014: SQLSTATE 57014: canceling statement'
    send POST /rules/v1/late '{"id":1,"late":false}' \
        -H 'Idempotency-Key: a'
    expect 201
    send POST /rules/v1/late '{"id":2,"late":true}' -H 'Idempotency-Key: b'
    expect_problem 504 57014
    [[ $(count late 1) == 1 && $(count late 2) == 0 ]]
}

@test "JSON has the service's DsapiMaxBody where CSV may be imported" {
    printf 'id,name\n3,%02000d\n' 0 >"$BATS_TEST_TMPDIR/large.csv"
    req POST /import/v1/ones -H 'Content-Type: text/csv' \
        --data-binary "@$BATS_TEST_TMPDIR/large.csv"
    expect 201
    send POST /import/v1/ones "{\"id\":4,\"name\":\"$(printf %02000d 0)\"}"
    expect_problem 413 body-too-large
    send POST /import/v1/ones '{"id":5}'
    expect 201
}

@test "a table that changes in a way that no error tells" {
    send POST '/rules/v1/growing?columns=id,code,state' '{"id":1,"code":"a"}' \
        -H 'Prefer: missing=default'
    expect 201
    sql "ALTER TABLE rules.growing ALTER state SET DEFAULT 'new'"
    ID=1
    wait_until 60 new_default
    req GET /rules/v1/growing/1
    expect 200 .state old
    sql 'ALTER TABLE rules.growing DROP CONSTRAINT growing_pk,
        ADD PRIMARY KEY (code)'
    wait_until 60 new_key
}

new_default() {
    ID=$((ID + 1))
    send POST '/rules/v1/growing?columns=id,code,state' \
        "{\"id\":$ID,\"code\":\"c$ID\"}" \
        -H 'Prefer: missing=default, return=representation'
    [[ $(json '.[0].state') == new ]]
}

new_key() {
    req GET /rules/v1/growing/a
    [[ $status == 200 && $(json .id) == 1 ]]
}

given_up() {
    req GET "$ONE" --max-time 20
    expect 200
    [[ $(grep -c 'due to lock timeout' "$DSAPI_DIR/pg/log") -ge 3 ]]
}

# What a default says PostgreSQL tells only behind the table's lock.
@test "a table that somebody has locked holds up no requests for others" {
    local lock

    # of one child, which has read it
    httpd_up one "$CONF
ServerLimit 1
StartServers 1
MaxRequestWorkers 8
MinSpareThreads 1
MaxSpareThreads 8"
    ONE=http://127.0.0.1:$(<"$DSAPI_DIR/one/port")/locked/v1/growing
    req GET "$ONE"
    expect 200
    mkfifo "$BATS_TEST_TMPDIR/lock"
    srv_psql "$DSAPI_DIR/pg" <"$BATS_TEST_TMPDIR/lock" \
        >"$BATS_TEST_TMPDIR/locked" 2>&1 3>&- &
    exec {lock}>"$BATS_TEST_TMPDIR/lock"
    echo 'BEGIN; LOCK rules.locked; SELECT 1;' >&"$lock"
    wait_until 20 grep -q 1 "$BATS_TEST_TMPDIR/locked"
    wait_until 60 given_up
    exec {lock}>&-
    wait
    httpd_stop one
}
