#!/usr/bin/env bats
# status, body and output are set by req; $ is SQL's and httpd's
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
# What the table in conf/README.md ("The dialect") says of writing, of
# functions and of errors, as far as no other file has it.
load ../lib/testing

SCHEMA='
CREATE SCHEMA w;
CREATE TABLE w.owner (id int PRIMARY KEY, name text);
CREATE TABLE w.pet (id int PRIMARY KEY, name text DEFAULT $$nameless$$,
    legs int DEFAULT 4, owner int REFERENCES w.owner);
CREATE TABLE w.log (line text);
CREATE VIEW w.biped AS SELECT * FROM w.pet WHERE legs = 2
    WITH CHECK OPTION;
CREATE FUNCTION w.fail(state text, said text DEFAULT $$said$$) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = state, MESSAGE = said,
        DETAIL = $x$more$x$, HINT = $x$try$x$;
END $$;
CREATE FUNCTION w.pets() RETURNS SETOF w.pet LANGUAGE sql STABLE
    AS $$SELECT * FROM w.pet ORDER BY id$$;
CREATE FUNCTION w.add(ids int[]) RETURNS SETOF w.pet LANGUAGE sql
    AS $$INSERT INTO w.pet (id) SELECT unnest(ids) RETURNING *$$;
CREATE FUNCTION w.mode() RETURNS text LANGUAGE sql STABLE
    AS $$SELECT current_setting($x$transaction_read_only$x$)$$;
CREATE FUNCTION w.settings() RETURNS text LANGUAGE sql AS $$SELECT concat(
    set_config($x$response.status$x$, $x$418$x$, true),
    current_setting($x$request.method$x$, true))$$;'

ROWS="
TRUNCATE w.pet, w.owner;
INSERT INTO w.owner VALUES (1, 'Ann'), (2, 'Bob');
INSERT INTO w.pet VALUES (1, 'ant', 6, 1), (2, 'hen', 2, 2), (3, 'cat', 4, 1);"

CONF='<DsapiService w "/w">
    DsapiExpose schema w
    DsapiAllow  list read create update delete import rollback
</DsapiService>'

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "$CONF"
    sql "$SCHEMA"
}

setup() {
    dsapi_test_begin
    sql "$ROWS"
}

# send METHOD PATH BODY [CURL ARGUMENT...]; of the media type $type, if set
send() {
    local method=$1 path=$2 text=$3

    shift 3
    req "$method" "/w/$path" -H "Content-Type: ${type:-application/json}" \
        --data-binary "$text" "$@"
}

# pets: what the table has, by id
pets() {
    sql "SELECT string_agg(concat_ws(':', id, name, legs), ' ' ORDER BY id)
        FROM w.pet"
}

BEFORE='1:ant:6 2:hen:2 3:cat:4'
FULL=(-H 'Prefer: return=representation')

@test "without a filter every row is meant" {
    send PATCH pet '{"legs":3}'
    expect 204
    [[ $(pets) == '1:ant:3 2:hen:3 3:cat:3' ]]
    req DELETE /w/pet
    expect 204
    [[ -z $(pets) ]]
}

@test "a change is of all rows, whatever limit= says; order= is of what is shown" {
    send PATCH 'pet?legs=gt.1&select=id&order=id.desc&limit=2' '{"legs":3}' \
        "${FULL[@]}"
    expect 200
    is '[{"id":3},{"id":2},{"id":1}]'
    [[ $(pets) == '1:ant:3 2:hen:3 3:cat:3' ]]
    req DELETE '/w/pet?select=id&order=id&limit=1&offset=1' "${FULL[@]}"
    expect 200
    is '[{"id":1},{"id":2},{"id":3}]'
    [[ -z $(pets) ]]
}

@test "PATCH: columns=, missing=default, a form" {
    send PATCH 'pet?id=eq.1&columns=legs' '{"legs":8,"name":"x","more":1}' \
        "${FULL[@]}"
    expect 200 '.[0] | [.name, .legs] | tojson' '["ant",8]'
    send PATCH 'pet?id=eq.1&columns=legs,name' '{"name":"y"}' \
        -H 'Prefer: missing=default, return=representation'
    expect 200 '.[0] | [.name, .legs] | tojson' '["y",4]'
    has Preference-Applied 'missing=default, return=representation'
    type=application/x-www-form-urlencoded send PATCH 'pet?id=eq.2' 'name=a+b'
    expect 204
    send PATCH 'pet?id=eq.3&columns=nosuch' '{"legs":1}'
    expect_problem 400 PGRST204
    [[ $(pets) == '1:y:4 2:a b:2 3:cat:4' ]]
}

@test "what is changed is shown with what it belongs to" {
    local shown='select=id,owner(name)'

    send POST "pet?$shown" '{"id":9,"owner":2}' "${FULL[@]}"
    expect 201
    is '[{"id":9,"owner":{"name":"Bob"}}]'
    send PATCH "pet?id=eq.9&$shown" '{"owner":1}' "${FULL[@]}"
    expect 200
    is '[{"id":9,"owner":{"name":"Ann"}}]'
    send PUT "pet?id=eq.9&$shown" '{"id":9,"name":"z","legs":1,"owner":2}' \
        "${FULL[@]}"
    expect 200
    is '[{"id":9,"owner":{"name":"Bob"}}]'
    req DELETE "/w/pet?id=eq.9&$shown" "${FULL[@]}"
    expect 200
    is '[{"id":9,"owner":{"name":"Bob"}}]'
    send PATCH "owner?id=eq.1&select=name,pet(id)&pet.order=id" \
        '{"name":"Eve"}' "${FULL[@]}"
    expect 200 tojson '[{"name":"Eve","pet":[{"id":1},{"id":3}]}]'
}

@test "preferences of writing" {
    send POST pet '{"id":9}' -H 'Prefer: return=minimal, tx=commit'
    expect 201
    is ''
    has Preference-Applied 'return=minimal, tx=commit'
    send POST 'pet?columns=id,legs' '{"id":10}' -H 'Prefer: missing=null'
    expect 201
    send POST 'pet' '{"id":9,"legs":1}' \
        -H 'Prefer: resolution=ignore-duplicates, count=exact'
    expect 201
    has Content-Range '*/0'
    req DELETE /w/pet -H 'Prefer: max-affected=1'
    expect 204
    lacks Preference-Applied
    [[ -z $(pets) ]]
}

@test "a table without a key" {
    local prefer

    for prefer in return=minimal return=headers-only return=representation \
        return=representation,resolution=merge-duplicates; do
        send POST log '{"line":"x"}' -H "Prefer: $prefer"
        expect 201
        lacks Location
    done
    send PUT 'log?line=eq.x' '{"line":"x"}'
    expect_problem 405 PGRST105
    req GET /w/log/x
    expect_problem 404 not-found
}

@test "a member that is there twice" {
    send POST pet '{"id":9,"id":10}'
    expect_problem 400 PGRST102
    send PATCH 'pet?id=eq.1' '{"legs":1,"legs":2}'
    expect_problem 400 PGRST102
    [[ $(pets) == "$BEFORE" ]]
}

@test "CSV: NULL is a word, and no object is returned" {
    type=text/csv send POST 'pet?select=id,name,legs' \
        $'id,name,legs\n8,NULL,\n' "${FULL[@]}"
    expect 201
    is '[{"id":8,"name":"NULL","legs":null}]'
    type=text/csv send POST 'pet?select=id' $'id\n9\n' "${FULL[@]}" \
        -H 'Accept: application/vnd.pgrst.object+json'
    expect 201
    is ''
    lacks Preference-Applied
    [[ $(pets) == "$BEFORE 8:NULL 9:nameless:4" ]]
    type=text/csv send POST rpc/add $'ids\n{1}\n'
    expect_problem 415 unsupported-type
    for method in PATCH PUT; do
        type=text/csv send "$method" 'pet?id=eq.1' $'id,legs\n1,2\n'
        expect_problem 415 unsupported-type
    done
}

@test "a view's check" {
    send POST biped '{"id":9,"legs":5}'
    expect_problem 400 44000
    expect 400 .message \
        'new row violates check option for view "biped"' \
        .details 'Failing row contains (9, nameless, 5, null).'
}

@test "SQLSTATEs" {
    local state http

    claim_log 'DSAPI[0-9]{4}: [0-9A-Z]{5}: '
    while read -r state http; do
        echo "$state"
        req GET "/w/rpc/fail?state=$state"
        expect_problem "$http" "$state"
        case $http in
        5*) expect "$http" .details null .hint null \
            '.message | contains("said")' false ;;
        *) expect "$http" .message said .details more .hint try ;;
        esac
    done <<'END'
09000 500
0L000 403
0P000 403
21000 500
22012 400
23503 409
23505 409
23514 400
25001 500
25006 405
2D000 500
38000 500
39000 500
3B000 500
40001 503
40P01 503
42501 403
42883 404
42P01 404
42P17 500
42703 400
53400 500
53100 503
54000 500
55000 500
55P03 503
57000 500
57014 504
58000 500
F0000 500
HV000 500
P0001 400
P0002 500
PT418 418
XX000 500
END
    req GET "/w/rpc/fail?state=21000&said=UPDATE+requires+a+WHERE+clause"
    expect_problem 400 21000
    req GET '/w/rpc/fail?state=PGRST'
    expect_problem 400 PGRST
}

@test "OPTIONS of what is exposed" {
    req OPTIONS /w/pet
    expect 200
    has Allow 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'
    req OPTIONS /w/rpc/pets
    expect 200
    has Allow 'GET, HEAD, POST, OPTIONS'
}

@test "functions: what is embedded, totals, columns=, transactions" {
    req GET '/w/rpc/pets?select=id,owner(name)&legs=gt.3&order=id.desc&limit=1'
    expect 200
    is '[{"id":3,"owner":{"name":"Ann"}}]'
    send POST 'rpc/pets?offset=9' '{}' -H 'Prefer: count=exact'
    expect 200
    has Content-Range '*/*'
    req GET /w/rpc/mode
    is '"on"'
    send POST rpc/mode '{}'
    is '"off"'
    req GET '/w/rpc/add?ids={7}'
    expect_problem 405 25006
    send POST 'rpc/add?columns=ids' '{"ids":[7],"more":1}'
    expect 200 '.[0].id' 7
}

@test "settings of PostgREST are none here" {
    send POST rpc/settings '{}'
    expect 200
    is '"418"'
}
