#!/usr/bin/env bats
# status, body and output are set by req
# shellcheck disable=SC2154
# The services made of resources (contract 5.3 and 5.4), as they are shipped.
load ../lib/testing

setup_file() {
    export DSAPI_SERVICES='visits catalog'
    dsapi_up
    DATA=$(cd "$BATS_TEST_DIRNAME/../data/csv" && pwd)
    export DATA
}

setup() {
    dsapi_test_begin
    sql 'TRUNCATE visits.property, visits.visit, catalog.item' >/dev/null
}

# send METHOD PATH JSON [CURL ARGUMENT...]
send() {
    local method=$1 path=$2 json=$3

    shift 3
    req "$method" "$path" -H 'Content-Type: application/json' -d "$json" "$@"
}

# import PATH FILE [CURL ARGUMENT...]
import() {
    local path=$1 file=$2

    shift 2
    req POST "$path" -H 'Content-Type: text/csv' --data-binary "@$file" \
        -H 'Prefer: count=exact' "$@"
}

@test "visits: a property and its visits, from the first to the last" {
    local property visit

    send POST /visits/v1/properties '{"name":"Loft","price":100.5}'
    expect 201
    property=$(header Location)
    [[ $property =~ ^/visits/v1/properties/[0-9a-f-]{36}$ ]]
    req GET "$property"
    expect 200 .name Loft .price 100.5 .address null
    send PATCH "$property" '{"price":99}' -H 'Prefer: return=representation'
    expect 200 .price 99
    send POST "$property/visits" '{"visited_at":"2024-05-06T07:08:09+02:00"}'
    expect 201
    visit=$(header Location)
    [[ $visit =~ ^/visits/v1/visits/[0-9a-f-]{36}$ ]]
    send POST /visits/v1/visits \
        "{\"property_id\":\"${property##*/}\",\"visited_at\":\"2024-05-07\"}"
    expect 201
    req GET "$property/visits?order=visited_at"
    expect 200 length 2 '.[0].property_id' "${property##*/}"
    req GET '/visits/v1/properties?select=name,visits(count())'
    expect 200 '.[0].visits[0].count' 2
    req DELETE "$property"
    expect_problem 409 23503
    req DELETE "$visit"
    expect 204
    req GET "$visit"
    expect_problem 404 not-found
    req DELETE "/visits/v1/visits?property_id=eq.${property##*/}"
    expect_problem 405 method-not-allowed
    req GET "/visits/v1/visits?property_id=eq.${property##*/}"
    expect 200 length 1
    req DELETE "/visits/v1/visits/$(json '.[0].id')"
    expect 204
    req DELETE "$property"
    expect 204
    req GET "$property/visits"
    expect_problem 404 not-found
}

@test "visits: what each path takes" {
    local path methods id=00000000-0000-4000-8000-00000000000f

    while read -r path methods; do
        req OPTIONS "/visits/v1/$path"
        expect 200
        [[ $(header Allow) == "$methods" ]] || {
            echo "$path: $(header Allow)"
            return 1
        }
    done <<END
properties GET, HEAD, POST, OPTIONS
properties/$id GET, HEAD, PUT, PATCH, DELETE, OPTIONS
properties/$id/visits GET, HEAD, POST, OPTIONS
visits GET, HEAD, POST, OPTIONS
visits/$id GET, HEAD, DELETE, OPTIONS
END
}

@test "visits: what is wrong is refused" {
    local unknown=00000000-0000-4000-8000-00000000000f

    send POST /visits/v1/visits \
        "{\"property_id\":\"$unknown\",\"visited_at\":\"2024-05-07\"}"
    expect_problem 409 23503
    send POST "/visits/v1/properties/$unknown/visits" \
        '{"visited_at":"2024-05-07"}'
    expect_problem 409 23503
    send POST /visits/v1/properties '{"name":"a"}'
    expect_problem 400 23502
    req GET /visits/v1/properties/x
    expect_problem 404 not-found
    send PATCH "/visits/v1/visits/$unknown" '{"place":"a"}'
    expect_problem 405 method-not-allowed
    send POST /visits/v1/properties '{"name":"a","price":1}' \
        -H 'Idempotency-Key: once'
    expect 201
    send POST /visits/v1/properties '{"name":"a","price":1}' \
        -H 'Idempotency-Key: once'
    expect 201
    [[ $(sql 'SELECT count(*) FROM visits.property') == 1 ]]
}

@test "collections are not changed as a whole" {
    local path

    for path in visits properties; do
        req DELETE "/visits/v1/$path"
        expect_problem 405 method-not-allowed
        [[ $(header Allow) == 'GET, HEAD, POST, OPTIONS' ]]
    done
    send PATCH /catalog/v1/items '{"registry":"x"}'
    expect_problem 405 method-not-allowed
    req DELETE /catalog/v1/items
    expect_problem 405 method-not-allowed
}

@test "catalog: files may be larger than JSON" {
    head -c 11000000 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/large"
    send POST /catalog/v1/items "@$BATS_TEST_TMPDIR/large"
    expect_problem 413 body-too-large
}

@test "visits: CSV of both" {
    import /visits/v1/properties "$DATA/properties.csv"
    expect 201
    [[ $(header Content-Range) == '*/6311' ]]
    import /visits/v1/visits "$DATA/visits.csv"
    expect 201
    [[ $(header Content-Range) == '*/12000' ]]
}

@test "catalog: the registry goes in, is changed, and comes out" {
    zcat "$DATA/ieee-oui.csv.gz" >"$BATS_TEST_TMPDIR/oui.csv"
    import /catalog/v1/items "$BATS_TEST_TMPDIR/oui.csv"
    expect 201
    [[ $(header Content-Range) == '*/32530' ]]
    req GET '/catalog/v1/items?assignment=eq.080030&order=id&select=organization_name'
    expect 200 length 3
    req GET '/catalog/v1/items?organization_name=ilike.*micro-fuel*'
    expect 200 length 1 '.[0].assignment' 002272
    send PATCH "/catalog/v1/items/$(json '.[0].id')" \
        '{"organization_address":"elsewhere"}' -H 'Prefer: return=representation'
    expect 200 .organization_address elsewhere
    req DELETE "/catalog/v1/items/$(json .id)"
    expect 204
    send POST /catalog/v1/items '{"registry":"MA-L","assignment":"x","organization_name":"a"}'
    expect_problem 400 23514
    printf '%s\n' \
        'Registry,Assignment,Organization Name,Organization Address' \
        MA-L,00AA00,a,b MA-L,zz,c,d >"$BATS_TEST_TMPDIR/bad.csv"
    import /catalog/v1/items "$BATS_TEST_TMPDIR/bad.csv"
    expect_problem 422 records-refused
    expect 422 '.rows | length' 1 '.rows[0].record' 2 '.rows[0].line' 3
    req GET '/catalog/v1/items?limit=1000' -H 'Accept: text/csv'
    expect 200
    [[ $(head -1 "$RES/body") == \
        id,registry,assignment,organization_name,organization_address$'\r' ]]
}

@test "catalog: what comes out as CSV goes in again" {
    local columns=registry,assignment,organization_name,organization_address
    local all="/catalog/v1/items?select=$columns&limit=100000"

    zcat "$DATA/ieee-oui.csv.gz" >"$BATS_TEST_TMPDIR/oui.csv"
    import /catalog/v1/items "$BATS_TEST_TMPDIR/oui.csv"
    expect 201
    req GET "$all" -H 'Accept: text/csv'
    expect 200
    cp "$RES/body" "$BATS_TEST_TMPDIR/first.csv"
    sql 'TRUNCATE catalog.item' >/dev/null
    import /catalog/v1/items "$BATS_TEST_TMPDIR/first.csv"
    expect 201
    [[ $(header Content-Range) == '*/32530' ]]
    req GET "$all" -H 'Accept: text/csv'
    expect 200
    cmp "$RES/body" "$BATS_TEST_TMPDIR/first.csv"
}

@test "both are documented" {
    for base in /visits/v1 /catalog/v1; do
        req GET "$base/openapi.json"
        expect 200 .openapi 3.1.1
        req GET "$base/docs"
        expect 200
    done
    expect 200
    req GET /catalog/v1/openapi.json
    expect 200 '.paths | keys | join(" ")' '/items /items/{key}' \
        '.paths["/items"].post.responses | has("201")' true \
        '.paths["/items/{key}"].get.parameters[0].in' path
}
