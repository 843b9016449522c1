#!/usr/bin/env bats
# status, body and output are set by req; $ is SQL's and httpd's
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
# Resources: the finer points of PostgREST's dialect (conf/README.md, "The
# dialect"), of which resource.bats has the broad ones.
load ../lib/testing

SCHEMA='
CREATE SCHEMA lib;
CREATE TABLE lib.author (id int PRIMARY KEY, name text NOT NULL, born int);
CREATE TABLE lib.book (id int PRIMARY KEY, title text NOT NULL,
    author int CONSTRAINT book_author REFERENCES lib.author, pages int,
    data jsonb);
CREATE TABLE lib.tag (id int PRIMARY KEY, word text);
CREATE TABLE lib.book_tag (book int REFERENCES lib.book,
    tag int REFERENCES lib.tag, PRIMARY KEY (book, tag));
CREATE TYPE lib.word AS ENUM ($$x$$, $$y$$);
CREATE VIEW lib.long_book AS SELECT id AS no, title, author AS by
    FROM lib.book WHERE pages > 100;
CREATE TABLE lib.rating (book int REFERENCES lib.book, stars int,
    PRIMARY KEY (book, stars));
CREATE VIEW lib.rated AS SELECT r.stars, r.book, b.id AS no, b.title
    FROM lib.book b LEFT JOIN lib.rating r ON r.book = b.id;
CREATE FUNCTION lib.rate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO lib.book VALUES (NEW.no, NEW.title); RETURN NEW; END $$;
CREATE TRIGGER rate INSTEAD OF INSERT ON lib.rated FOR EACH ROW
    EXECUTE FUNCTION lib.rate();
GRANT USAGE ON SCHEMA lib TO clerk;
GRANT SELECT (id, title), INSERT, UPDATE, DELETE ON lib.book TO clerk;'

ROWS="
TRUNCATE lib.author, lib.book, lib.tag, lib.book_tag, lib.rating;
INSERT INTO lib.author VALUES (1, 'Ann', 1900), (2, 'Bob', NULL);
INSERT INTO lib.book VALUES (1, 'one', 1, 50, '{\"a\": null, \"b\": 1}'),
    (2, 'two', 1, 150, NULL), (3, 'three', 2, 250, NULL),
    (4, 'four', NULL, NULL, NULL);
INSERT INTO lib.tag VALUES (1, 'x'), (2, 'y');
INSERT INTO lib.book_tag VALUES (1, 1), (2, 1), (2, 2);"

CONF='<DsapiService lib "/lib/v1">
    <DsapiResource authors lib.author>
    </DsapiResource>
    <DsapiResource books lib.book>
        DsapiAllow list read create update delete
    </DsapiResource>
    <DsapiResource shadows lib.book>
        DsapiColumns no=id name=data
    </DsapiResource>
    <DsapiResource hidden lib.book>
        DsapiAllow create
    </DsapiResource>
    <DsapiResource tags lib.tag>
    </DsapiResource>
    <DsapiResource book_tags lib.book_tag>
    </DsapiResource>
    <DsapiResource long_books lib.long_book>
        DsapiAllow list read create
    </DsapiResource>
    <DsapiResource rated lib.rated>
        DsapiAllow list create
    </DsapiResource>
</DsapiService>
<DsapiService clerk "/clerk/v1">
    DsapiRole clerk
    <DsapiResource books lib.book>
        DsapiAllow list read create update delete
    </DsapiResource>
</DsapiService>'

setup_file() {
    export DSAPI_SERVICES=none
    dsapi_up "$CONF"
    sql_super 'CREATE ROLE clerk; GRANT clerk TO dsapi'
    sql "$SCHEMA"
}

setup() {
    dsapi_test_begin
    sql "$ROWS"
}

# get PATH [CURL ARGUMENT...]
get() {
    local path=$1

    shift
    req GET "/lib/v1/$path" "$@"
}

# send METHOD PATH JSON [CURL ARGUMENT...]
send() {
    local method=$1 path=$2 json=$3

    shift 3
    req "$method" "$path" -H 'Content-Type: application/json' \
        --data-binary "$json" "$@"
}

# gives PATH BODY: but for blanks
gives() {
    get "$1"
    expect 200
    body=$(jq -c . <<<"$body")
    is "$2"
}

FULL=(-H 'Prefer: return=representation')

@test "media types of PostgREST's, with +json and without" {
    get 'books?id=eq.4&select=id' -H 'Accept: application/vnd.pgrst.object'
    is '{"id":4}'
    has Content-Type 'application/vnd.pgrst.object+json; charset=utf-8'
    get 'books?id=eq.4&select=id' -H 'Accept: application/vnd.pgrst.array'
    is '[{"id":4}]'
    has Content-Type 'application/json; charset=utf-8'
}

@test "nulls that are left out" {
    local array='Accept: application/vnd.pgrst.array+json;nulls=stripped'
    local object='Accept: application/vnd.pgrst.object+json;nulls=stripped'

    get 'books?select=id,author,authors(name,born)&id=gt.2' -H "$array"
    is '[{"id":3,"author":2,"authors":{"name":"Bob"}},{"id":4}]'
    has Content-Type \
        'application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8'
    get 'authors?select=born,books(id,pages)&id=eq.2' -H "$object"
    is '{"books":[{"id":3,"pages":250}]}'
    has Content-Type \
        'application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8'
    send PATCH '/lib/v1/books?id=eq.3&select=id,author,pages' \
        '{"author":null}' -H "$array" "${FULL[@]}"
    is '[{"id":3,"pages":250}]'
}

@test "a role that may see some columns is shown those" {
    send POST '/clerk/v1/books?select=id,title' '{"id":9,"title":"nine"}' \
        "${FULL[@]}"
    expect 201
    is '[{"id":9,"title":"nine"}]'
    req DELETE '/clerk/v1/books?id=eq.9&select=title' "${FULL[@]}"
    expect 200
    is '[{"title":"nine"}]'
    send PATCH '/clerk/v1/books?id=eq.1' '{"pages":1}' "${FULL[@]}"
    expect_problem 403 42501
}

@test "POST of nothing makes nothing" {
    send POST /lib/v1/books '[]' "${FULL[@]}"
    expect 201
    is '[]'
    send POST /lib/v1/books '[]' \
        -H 'Prefer: return=representation, resolution=merge-duplicates'
    expect 200
    is '[]'
}

@test "tx=rollback means nothing where it is not allowed" {
    send POST /lib/v1/books '{"id":9,"title":"nine"}' \
        -H 'Prefer: tx=rollback, handling=strict'
    expect 201
    has Preference-Applied handling=strict
    gives 'books?select=title&id=eq.9' '[{"title":"nine"}]'
}

@test "views are embedded by the keys they show" {
    gives 'long_books?select=no,authors(name),tags(word)&order=no' \
        '[{"no":2,"authors":{"name":"Ann"},"tags":[{"word":"x"},{"word":"y"}]},{"no":3,"authors":{"name":"Bob"},"tags":[]}]'
    gives 'authors?select=id,long_books(title)&order=id' \
        '[{"id":1,"long_books":[{"title":"two"}]},{"id":2,"long_books":[{"title":"three"}]}]'
    gives 'tags?select=id,long_books!inner(no)&long_books.no=eq.2&order=id' \
        '[{"id":1,"long_books":[{"no":2}]},{"id":2,"long_books":[{"no":2}]}]'
    gives 'book_tags?select=books(id),long_books(no)&order=book,tag&limit=2' \
        '[{"books":{"id":1},"long_books":null},{"books":{"id":2},"long_books":{"no":2}}]'
    gives 'books?select=author(name)&id=eq.1' '[{"author":{"name":"Ann"}}]'
}

@test "Location of what is made through a view" {
    send POST /lib/v1/long_books '{"no":9,"title":"nine"}' \
        -H 'Prefer: return=headers-only'
    expect 201
    has Location '/lib/v1/long_books?no=eq.9'
    send POST /lib/v1/rated '{"title":"ten","no":10}' \
        -H 'Prefer: return=headers-only'
    expect 201
    has Location '/lib/v1/rated?stars=is.null&book=is.null&no=eq.10'
}

@test "aggregates of what is spread, and order by names of the answer" {
    gives 'books?select=pages.sum(),...authors(who:name,n:count())&order=authors(who)' \
        '[{"sum":200,"who":"Ann","n":2},{"sum":250,"who":"Bob","n":1},{"sum":null,"who":null,"n":0}]'
    get 'authors?select=id,...books(count())'
    expect_problem 400 PGRST127
    gives 'books?select=id,a:authors(n:name)&order=a(n).desc.nullslast,id&limit=1' \
        '[{"id":3,"a":{"n":"Bob"}}]'
}

@test "a filter on a column that what is embedded is called like" {
    gives 'books?select=id,author:authors(name)&author=eq.2' \
        '[{"id":3,"author":{"name":"Bob"}}]'
    gives 'books?select=id,author:authors(name)&author=is.null' \
        '[{"id":4,"author":null}]'
}

# refused PATH CODE
refused() {
    get "$1"
    expect_problem 400 "$2"
}

@test "casts to types of the schema, also to those that come later" {
    gives 'tags?select=w:word::word,a:id::name&order=id' \
        '[{"w":"x","a":"1"},{"w":"y","a":"2"}]'
    gives 'books?select=n:pages::int8.sum()::text&id=lt.3' '[{"n":"200"}]'
    gives 'books?select=tags(word::word)&id=eq.1' '[{"tags":[{"word":"x"}]}]'
    get 'tags?select=id::word'
    expect_problem 400 42846
    get 'books?select=title::word&id=eq.1'
    expect_problem 400 22P02
    get 'tags?select=id::later'
    expect_problem 400 42704
    expect 400 .message 'type "later" does not exist'
    get 'tags?select=id::int%5B%5D'
    expect_problem 400 PGRST100
    sql 'CREATE DOMAIN lib.later AS int CHECK (VALUE < 2)'
    wait_until 20 gives 'tags?select=id::later&id=eq.1' '[{"id":1}]'
    wait_until 20 refused 'tags?select=id::later' 23514
    sql 'DROP DOMAIN lib.later'
}

# hints STATUS CODE HINT: the last answer's; null: none
hints() {
    expect_problem "$1" "$2"
    expect "$1" '.hint | tostring' "$3"
}

@test "names that are nearly right" {
    get boks
    hints 404 PGRST205 "Perhaps you meant the table 'books'"
    get bxks
    hints 404 PGRST205 null
    get books/1/2
    hints 404 PGRST125 null
    get 'books?select=author_(name)'
    hints 400 PGRST200 "Perhaps you meant 'authors' instead of 'author_'."
    get 'books?titel=eq.1'
    hints 400 42703 'Perhaps you meant to reference the column "books.title".'
    get 'shadows?select=title'
    hints 400 42703 null
    get 'shadows?select=i'
    hints 400 42703 null
    get shadow
    hints 404 PGRST205 "Perhaps you meant the table 'shadows'"
    get hiddens
    hints 404 PGRST205 null
}

@test "headers that say what was asked for, and why it is refused" {
    get 'books?select=id,title&id=gt.1&id=lt.3'
    has Content-Location \
        '/lib/v1/books?id=gt.1&id=lt.3&select=id%2Ctitle'
    lacks Proxy-Status
    req HEAD /lib/v1/books
    has Content-Location /lib/v1/books
    get books/1
    has Content-Location /lib/v1/books/1
    get 'books?select=nosuch'
    expect_problem 400 42703
    has Proxy-Status 'mod_dsapi; error=42703'
    lacks Content-Location
    get 'books?select=title::int'
    expect_problem 400 22P02
    lacks Content-Location
    lacks Preference-Applied
    req HEAD '/lib/v1/books?nosuch=eq.1'
    [[ $status == 400 ]]
    has Proxy-Status 'mod_dsapi; error=42703'
    get nosuch
    has Proxy-Status 'mod_dsapi; error=PGRST205'
    send PATCH '/lib/v1/books?id=eq.1' '{"pages":1}'
    lacks Content-Location
}

@test "OPTIONS" {
    req OPTIONS /lib/v1/books
    expect 200
    is ''
    has Content-Length 0
    has Allow 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'
    req OPTIONS /lib/v1/authors
    has Allow 'GET, HEAD, OPTIONS'
    req OPTIONS /lib/v1/nosuch
    expect_problem 404 PGRST205
}
