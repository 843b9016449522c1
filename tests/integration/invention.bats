#!/usr/bin/env bats
# shellcheck disable=SC2154 # status, body: set by req
# A service of one's own (../data/library), written from conf/README.md alone:
# what it says is enough.

load ../lib/testing

B=/library/v1/books
L=/library/v1/loans
ONE=11111111-1111-4111-8111-111111111111

setup_file() {
    export DSAPI_SERVICES=none
    # shellcheck disable=SC2016 # httpd expands it
    dsapi_up 'Include "${TOP}/tests/data/library/service.conf"' \
        'LoadModule auth_basic_module ${MODULES}/mod_auth_basic.so
LoadModule authn_file_module ${MODULES}/mod_authn_file.so
LoadModule authz_user_module ${MODULES}/mod_authz_user.so'
    printf 'ann:%s\nbob:%s\n' "$(openssl passwd -apr1 a)" \
        "$(openssl passwd -apr1 b)" >"$DSAPI_DIR/httpd/readers"
    chmod 644 "$DSAPI_DIR/httpd/readers"
    for _ in 1 2; do
        srv_psql "$DSAPI_DIR/pg" -1 \
            -f "$SRV_TOP/tests/data/library/schema.sql"
    done
    sql "INSERT INTO library.book
             (isbn, title, authors, lang, year, price) VALUES
         ('9780000000001', 'Dunes', ARRAY['Ann Arbor', 'Bob \"B\" Bee'], 'GB', 1965, 9.50),
         ('9780000000002', 'Embers', '{Márai}', 'HU', 1942, NULL),
         ('9780000000003', 'Fog, and more', '{Ann Arbor}', 'US', 2001, 12)"
}

setup() {
    dsapi_test_begin
    sql 'TRUNCATE library.loan'
}

put() {
    req PUT "$B/$1" -H 'Content-Type: application/json' -d "$2"
}

# borrow USER ID JSON
borrow() {
    req POST "$L" -u "$1" -H "Loan-Id: $2" \
        -H 'Content-Type: application/json' -d "$3"
}

@test "lists: filters, lists of codes, bounds by another parameter" {
    req GET "$B"
    expect 200 'map(.title) | tojson' '["Dunes","Embers"]' \
        '.[0] | tojson' '{"isbn":"9780000000001","title":"Dunes","authors":["Ann Arbor","Bob \"B\" Bee"],"lang":"GB","year":1965,"price":{"amount":9.5,"currency":"EUR"}}' \
        '.[1].price.amount' null
    [[ $body == *'"amount":9.50,'* ]]
    req GET "$B?lang=gb,us&author=Ann%20Arbor"
    expect 200 'map(.year) | tojson' '[1965,2001]'
    req GET "$B?from=2002&to=2001&lang=zz&x=1"
    expect_problem 400 invalid-parameter to
    expect 400 '[.errors[].name] | sort | tojson' '["lang","to","x"]'
}

@test "pages link one another, and keep what was asked" {
    req GET "$B?from=1900"
    [[ $(header Link) == *"<$B?from=1900&limit=2&offset=2>; rel=\"next\""* ]]
    req GET "$B?from=1900&limit=2&offset=2"
    expect 200 'map(.title) | tojson' '["Fog, and more"]'
    [[ $(header Link) != *next* ]]
}

@test "CSV and lines, by Accept" {
    req GET "$B?limit=3&from=2001" -H 'Accept: text/csv'
    [[ $body == $'isbn,title,authors,lang,year,price.amount,price.currency\r\n9780000000003,"Fog, and more","[""Ann Arbor""]",US,2001,12.00,EUR\r' ]]
    req GET "$B?limit=3" -H 'Accept: application/x-ndjson'
    [[ $(jq -s length "$RES/body") == 3 ]]
}

@test "books are kept for a minute, and 304 for who has them" {
    req GET "$B?to=1950"
    [[ $(header Cache-Control) == 'public, max-age=60, stale-if-error=3600' ]]
    req GET "$B?to=1950" -H "If-None-Match: $(header ETag)"
    [[ $status == 304 && -z $body ]]
}

@test "a book comes, changes, and has a label" {
    put 9790000000009 '{"title": "Ü", "authors": ["x"], "year": 2020,
        "added": "2026-01-31T10:00:00+02:00", "facts": {"a": [1.50]}}'
    expect 201 .isbn 9790000000009 '.added | startswith("2026-01-31T08:00:00")' true
    req GET "$(header Location)"
    expect 200 .lang GB .price null
    [[ $body == *'"facts":{"a": [1.50]}'* ]]
    req GET "$B/9790000000009/label"
    [[ $status == 200 && $body == $'Ü\nx' ]]
    [[ $(header Content-Type) == 'text/plain; charset=utf-8' ]]
    put 123 '{"title": 5, "year": 1000, "lang": "Q", "price": -1, "more": 1}'
    expect_problem 400 invalid-parameter
    expect 400 '[.errors[] | .in + ":" + .name] | sort | join(" ")' \
        'body:authors body:lang body:more body:price body:title body:year path:isbn'
    put 9790000000009 "{\"title\": \"$(printf 'x%.0s' {1..17000})\"}"
    expect_problem 413 body-too-large
    req PUT "$B/9790000000009" -d 'title=form&authors=a,b&year=2021'
    expect 201
    req GET "$B/9790000000009"
    expect 200 .title form '.authors | tojson' '["a","b"]'
}

@test "loans: a header, a body, a session and whose they are" {
    claim_log 'AH01617: user ann'
    req GET "$L"
    expect_problem 401 unauthorized
    req GET "$L" -u ann:b
    expect_problem 401 unauthorized
    borrow ann:a "$ONE" '{"isbn": "9780000000001", "branch": "Old-Town",
        "days": 30}'
    expect 201 .due 2026-01-31
    [[ $(header Location) == "$L/$ONE" && $(header ETag) == '"v1"' ]]
    borrow ann:a "$ONE" '{"isbn": "9780000000001", "branch": "old-town"}'
    expect 201 .due 2026-01-31
    req GET "$L/$ONE" -u ann:a
    expect 200 .reader ann .branch old-town .remark null
    req GET "$L/$ONE" -u bob:b
    expect_problem 404 not-found
    req GET "$L" -u ann:a
    expect 200 '.[0].book.title' Dunes
    [[ $(header Cache-Control) == 'private, max-age=30, stale-if-error=3600' ]]
    req GET "$L" -u bob:b
    expect 200 length 0
    req POST "$L" -u bob:b -H 'Loan-Id: 7' -d 'days=61'
    expect_problem 400 invalid-parameter loan_id
    expect 400 '.errors | length' 4
    borrow bob:b "${ONE//1/2}" '{"isbn": "9780000000000", "branch": "a"}'
    expect_problem 409 conflict
}

@test "a remark is any JSON; who may not see a loan cannot change it" {
    borrow ann:a "$ONE" '{"isbn": "9780000000001", "branch": "a"}'
    for user in bob:b ann:a; do
        req PATCH "$L/$ONE" -u $user -d '[1, {"a": null}]' \
            -H 'Content-Type: application/json'
        [[ $user != bob:b ]] || expect_problem 404 not-found
    done
    expect 200 '.remark | tojson' '[1,{"a":null}]'
    [[ $(header ETag) == '"v2"' ]]
    req DELETE "$L/$ONE" -u bob:b
    [[ $status == 204 ]]
    req GET "$L/$ONE" -u ann:a
    expect 200
    req DELETE "$L/$ONE" -u ann:a
    [[ $status == 204 ]]
    req GET "$L/$ONE" -u ann:a
    expect_problem 404 not-found
}

@test "the blurb is fetched by a job, which says how it stands" {
    local job=$B/9780000000002/blurb

    ended() {
        req GET "$job"
        [[ $(json .state) == succeeded ]]
    }
    req GET "$job"
    expect_problem 404 no-job
    stub POST /_stub/answers '{"path": "/blurbs/9780000000002?lang=en",
        "status": 503}' >"$BATS_TEST_TMPDIR/stub"
    stub POST /_stub/answers '{"path": "/blurbs/9780000000002?lang=en",
        "headers": {"Content-Type": "application/json"},
        "body": "{\"text\": \"A castle.\"}"}' >"$BATS_TEST_TMPDIR/stub"
    req POST "$job"
    expect 202 .state queued .isbn 9780000000002
    [[ $(header Location) == "$job" ]]
    wait_until 30 ended
    expect 200 .attempts 2 .result.characters 9
    req GET "$B/9780000000002"
    expect 200 .blurb 'A castle.'
    stub GET /_stub/log | jq -e '.[-1].headers["Accept-Language"] == "en"'
}

@test "a desk, by its header; HEAD and OPTIONS come of themselves" {
    req GET /library/v1/desk -H 'X-Desk: 4'
    expect 200 .desk 4
    req GET /library/v1/desk
    expect 200 .desk null
    req HEAD "$B"
    [[ $status == 200 && -n $(header Content-Length) ]]
    req OPTIONS "$B/9780000000001"
    [[ $status == 204 && $(header Allow) == 'GET, HEAD, PUT, OPTIONS' ]]
    req POST "$B"
    expect_problem 405 method-not-allowed
}
