#!/usr/bin/env bats
# status and body are set by req; $ is SQL's and httpd's
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
# Resources (contract, "In a resource"): what is hidden, odd or too much.
load ../lib/testing

SCHEMA='
CREATE SCHEMA odd;
CREATE TABLE odd.pa (id int PRIMARY KEY, t0 text, b text, seen timestamptz);
CREATE TABLE odd.ch (id int PRIMARY KEY, pa int REFERENCES odd.pa, list text);
CREATE TABLE odd.hidden (id int PRIMARY KEY, name text NOT NULL,
    secret text DEFAULT $$s3cret$$);
CREATE TABLE odd.versioned (id int PRIMARY KEY, name text, version text);
CREATE TABLE odd.stamped (id int PRIMARY KEY, name text,
    "@etag" timestamptz DEFAULT $$2024-01-02 03:04:05+00$$);
CREATE TABLE odd.raising (id int PRIMARY KEY);
CREATE FUNCTION odd.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE SQLSTATE $x$PT402$x$ USING MESSAGE = $x$pay$x$,
        DETAIL = $x$more$x$, HINT = $x$cash$x$;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON odd.raising
    FOR EACH ROW EXECUTE FUNCTION odd.refuse();'

ROWS="
TRUNCATE odd.pa, odd.ch, odd.hidden, odd.versioned, odd.stamped;
INSERT INTO odd.pa VALUES (1, 't', 'b', '2024-01-02 03:04:05+00');
INSERT INTO odd.ch VALUES (1, 1, 'l');
INSERT INTO odd.hidden VALUES (1, 'a');
INSERT INTO odd.versioned VALUES (1, 'a', 'v 1');
INSERT INTO odd.stamped VALUES (1, 'a');"

CONF='<DsapiService odd "/odd/v1">
    <DsapiResource pas odd.pa>
        DsapiAllow list read create update delete import
        DsapiNested chs pa
    </DsapiResource>
    <DsapiResource chs odd.ch>
    </DsapiResource>
    <DsapiResource hidden odd.hidden>
        DsapiAllow list read create update
        DsapiColumns id name
    </DsapiResource>
    <DsapiResource unread odd.hidden>
        DsapiAllow create update
    </DsapiResource>
    <DsapiResource versioned odd.versioned>
        DsapiAllow list read create update delete
        DsapiColumns id name @etag=version
    </DsapiResource>
    <DsapiResource stamped odd.stamped>
        DsapiAllow list read create update
    </DsapiResource>
    <DsapiResource raising odd.raising>
        DsapiAllow create
    </DsapiResource>
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

get() {
    local path=$1

    shift
    req GET "/odd/v1/$path" "$@"
}

# send METHOD PATH JSON [CURL ARGUMENT...]
send() {
    local method=$1 path=$2 json=$3

    shift 3
    req "$method" "/odd/v1/$path" -H 'Content-Type: application/json' \
        --data-binary "$json" "$@"
}

FULL=(-H 'Prefer: return=representation')

@test "a column that is called as SQL calls the table" {
    local etag

    get pas/1
    etag=$(header ETag)
    send PATCH pas/1 '{"b":"c"}' -H "If-Match: $etag"
    expect 204
    send PATCH pas/1 '{"b":"d"}' -H "If-Match: $etag"
    expect_problem 412 precondition-failed
    get 'pas?select=id,...chs(list)'
    expect 200 '.[0].list[0]' l
}

@test "casts" {
    get 'pas?select=id::int4%20$$,a::text%20$$'
    expect_problem 400 42704
    get 'pas?select=t0::regclass'
    expect_problem 400 42704
    get 'pas?select=t0::pa'
    expect_problem 400 42704
    get 'pas?select=id::text'
    expect 200 '.[0].id' 1
}

@test "what DsapiColumns hides is in no error" {
    local path

    for path in hidden unread; do
        send PATCH "$path?id=eq.1" '{"name":null}'
        expect_problem 400 23502
        expect 400 '.details | tostring' null
        send POST "$path" '{"id":2,"name":null}'
        expect_problem 400 23502
        expect 400 '.details | tostring' null
    done
    send POST pas '{"id":null}'
    expect_problem 400 23502
    expect 400 '.details | tostring' \
        'Failing row contains (null, null, null, null).'
}

@test "what a row embeds has a size" {
    sql "INSERT INTO odd.ch SELECT n, 1, repeat('x', 20000)
         FROM generate_series(2, 990) n"
    get pas/1?select='id,chs(id,list)'
    expect_problem 413 result-too-large
    get pas/1?select='id,chs(id,list)' --get -d 'chs.limit=9'
    expect 200 '.chs | length' 9
}

@test "PATCH of nothing" {
    local etag

    get pas/1
    etag=$(header ETag)
    send PATCH pas/1 '{}' -H 'If-Match: "0"'
    expect_problem 412 precondition-failed
    send PATCH pas/1 '{}' -H 'If-Match: "0"' "${FULL[@]}"
    expect_problem 412 precondition-failed
    send PATCH pas/9 '{}' -H "If-Match: $etag"
    expect_problem 404 not-found
    send PATCH pas/1 '{}' -H "If-Match: $etag"
    expect 204
    has Content-Range '*/*'
    send PATCH pas/1 '{}' -H "If-Match: $etag" -H 'Prefer: count=exact'
    expect 204
    has Content-Range '*/0'
    send PATCH pas/1 '{}' -H 'If-Match: *' "${FULL[@]}"
    expect 200 .id 1
}

@test "the same row twice in one body" {
    local twice='[{"id":5,"b":"x"},{"id":5,"b":"y"}]'

    send POST pas "$twice" -H 'Prefer: resolution=merge-duplicates'
    expect_problem 400 21000
    expect 400 .message \
        'ON CONFLICT DO UPDATE command cannot affect row a second time'
    send PUT 'pas?id=eq.5' "$twice"
    expect_problem 400 21000
}

@test "a key that is no value of its column" {
    local key

    for key in nope 99999999999999999999 nope/chs; do
        get "pas/$key"
        expect_problem 404 not-found
    done
    send PATCH pas/nope '{"b":"x"}'
    expect_problem 404 not-found
    req DELETE /odd/v1/pas/nope
    expect_problem 404 not-found
    get 'pas/1?id=eq.nope'
    expect_problem 400 22P02
}

@test "a time zone that is none" {
    local prefer none='Prefer: timezone=Nope'

    for prefer in "$none" "$none, handling=strict" "$none, handling=lenient"; do
        get 'pas?select=seen' -H "$prefer"
        expect_problem 400 22023
        expect 400 .message \
            'invalid value for parameter "TimeZone": "Nope"' .details null
        lacks Preference-Applied
    done
    get pas -H 'Prefer: timezone=05:30:15'
    expect_problem 400 22023
    expect 400 .message 'time zone "05:30:15" appears to use leap seconds' \
        .details 'PostgreSQL does not support leap seconds.'
    get pas/9 -H 'Prefer: timezone=Europe/Madrid'
    expect_problem 404 not-found
    lacks Preference-Applied
    send PATCH pas/1 '{"b":"x"}' -H "$none"
    expect_problem 400 22023
    [[ $(sql 'SELECT b FROM odd.pa') == b ]]
}

@test "a time zone that is an offset" {
    get 'pas?select=seen' -H 'Prefer: timezone=-4'
    expect 200 '.[0].seen' 2024-01-01T23:04:05-04:00
    has Preference-Applied timezone=-4
    get 'pas?select=seen' -H 'Prefer: timezone=+05:30'
    expect 200 '.[0].seen' 2024-01-01T21:34:05-05:30
    has Preference-Applied timezone=+05:30
}

@test "a validator depends on no time zone" {
    local etag

    get pas/1
    etag=$(header ETag)
    get pas/1 -H 'Prefer: timezone=Europe/Madrid'
    expect 200 .seen 2024-01-02T04:04:05+01:00
    has ETag "$etag"
    get stamped/1
    expect 200 '. | keys | join(",")' id,name
    etag=$(header ETag)
    send PATCH stamped/1 '{"name":"b"}' -H "If-Match: $etag" \
        -H 'Prefer: timezone=Europe/Madrid'
    expect 204
}

@test "@etag" {
    get versioned/1
    expect 200 '. | keys | join(",")' id,name
    has ETag '"v%201"'
    get versioned/1 -H 'If-None-Match: "v%201-gzip"'
    expect 304
    get 'versioned?%22@etag%22=eq.x'
    expect_problem 400 42703
    send PATCH versioned/1 '{"@etag":"x"}'
    expect_problem 400 PGRST204
    send PATCH versioned/1 '{"name":"b"}' -H 'If-Match: "v"'
    expect_problem 412 precondition-failed
    send PATCH versioned/1 '{}' -H 'If-Match: "v"'
    expect_problem 412 precondition-failed
    send PATCH versioned/1 '{"name":"b"}' -H 'If-Match: "v%201"' "${FULL[@]}"
    expect 200 '. | keys | join(",")' id,name
    sql 'UPDATE odd.versioned SET version = $$"quoted"$$'
    get versioned/1
    has ETag '"quoted"'
    req DELETE /odd/v1/versioned/1 -H 'If-Match: "quoted-br"'
    expect 204
}

@test "what a trigger raises for clients" {
    send POST raising '{"id":1}'
    expect_problem 402 PT402
    expect 402 .message pay .details more .hint cash
}

@test "media types of PostgREST" {
    get 'pas?select=id' -H 'Accept: application/vnd.pgrst.object'
    expect 200 .id 1
    get 'pas?select=id' -H 'Accept: application/vnd.pgrst.array'
    expect 200 '.[0].id' 1
    get 'pas?select=id' -H 'Accept: application/vnd.pgrst.object;nulls=stripped'
    expect 200 .id 1
    [[ $(header Content-Type) == *'nulls=stripped'* ]]
    # those of another type are none of this one
    get 'pas?select=id' -H \
        'Accept: application/vnd.pgrst.array+json, text/html;nulls=stripped;q=0.1'
    expect 200 '.[0].id' 1
    [[ $(header Content-Type) != *stripped* ]]
    get 'pas?select=id' -H \
        'Accept: application/vnd.pgrst.array+json;nulls=stripped, */*;q=0.5'
    expect 200 '.[0].id' 1
}

@test "a body that is no row" {
    local method

    for method in POST PATCH; do
        send "$method" pas 5
        expect_problem 400 PGRST102
    done
    [[ $(sql 'SELECT count(*) FROM odd.pa') == 1 ]]
}

@test "CSV that only changes rows" {
    req POST /odd/v1/pas -H 'Content-Type: text/csv' \
        -H 'Prefer: resolution=merge-duplicates' --data-binary $'id,b\n1,z\n'
    expect 200
    req POST /odd/v1/pas -H 'Content-Type: text/csv' \
        -H 'Prefer: resolution=merge-duplicates' \
        --data-binary $'id,b\n1,z\n2,y\n'
    expect 201
}
