#!/usr/bin/env bats
# status, body and output are set by req; $ is SQL's and httpd's
# shellcheck disable=SC2154,SC2016,SC2030,SC2031
# POST of CSV to a resource (contract 5.4): all records or none.
load ../lib/testing

SCHEMA='
CREATE SCHEMA shop;
CREATE TABLE shop.property (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL,
    address text, price numeric NOT NULL);
CREATE TABLE shop.visit (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    property_id uuid NOT NULL REFERENCES shop.property,
    visited_at timestamptz NOT NULL, place text);
CREATE TABLE shop.oui (
    "Registry" text NOT NULL, "Assignment" text PRIMARY KEY,
    "Organization Name" text NOT NULL, "Organization Address" text);
CREATE TABLE shop.item (id int PRIMARY KEY, word text DEFAULT $$w$$, who text
    DEFAULT current_setting($$dsapi.who$$, true), at timestamptz);
CREATE TABLE shop.growing (id int PRIMARY KEY);
CREATE VIEW shop.seen AS SELECT id, word FROM shop.item;'

# One child, so that there is one place for a stream.
CONF='ServerLimit 1
StartServers 1
MaxRequestWorkers 8
LoadModule filter_module ${MODULES}/mod_filter.so
LoadModule deflate_module ${MODULES}/mod_deflate.so
<Location "/shop/v1/growing">
    SetInputFilter DEFLATE
</Location>
DsapiBuffer 1M
DsapiStreams 1
<DsapiService shop "/shop/v1">
    DsapiSession who="%{HTTP:X-Who}"
    <DsapiResource property shop.property>
        DsapiAllow list read create update import
        DsapiNested visit property_id
    </DsapiResource>
    <DsapiResource visit shop.visit>
        DsapiAllow list create import
    </DsapiResource>
    <DsapiResource blocks shop.oui>
        DsapiAllow list read update import
        DsapiColumns registry="Registry" assignment="Assignment" \
            name="Organization Name" address="Organization Address"
    </DsapiResource>
    <DsapiResource items shop.item>
        DsapiAllow list read create update import rollback
        DsapiMaxBody 2K
    </DsapiResource>
    <DsapiResource growing shop.growing>
        DsapiAllow import
    </DsapiResource>
    <DsapiResource json shop.item>
        DsapiAllow create
    </DsapiResource>
    <DsapiResource seen shop.seen>
        DsapiAllow import
    </DsapiResource>
    <DsapiResource missing shop.missing>
        DsapiAllow import
    </DsapiResource>
    <DsapiResource slow shop.item>
        DsapiAllow import
        DsapiDBTimeout 1s
    </DsapiResource>
</DsapiService>'

setup_file() {
    export DSAPI_SERVICES=none
    claim_log 'DSAPI0076: .*<DsapiResource missing>'
    dsapi_up "$CONF"
    sql "$SCHEMA"
    DATA=$(cd "$BATS_TEST_DIRNAME/../data/csv" && pwd)
    export DATA
}

setup() {
    dsapi_test_begin
    sql 'TRUNCATE shop.property, shop.visit, shop.oui, shop.item,
        shop.growing, dsapi.idempotency' >/dev/null
}

# post PATH TEXT [CURL ARGUMENT...]: CSV, with \n for the ends of its lines
post() {
    local path=$1 text=$2

    shift 2
    printf '%b' "$text" >"$BATS_TEST_TMPDIR/text.csv"
    post_file "$path" "$BATS_TEST_TMPDIR/text.csv" "$@"
}

# post_file PATH FILE [CURL ARGUMENT...]; of the media type $type, if set
post_file() {
    local path=$1 file=$2

    shift 2
    req POST "/shop/v1/$path" -H "Content-Type: ${type:-text/csv}" \
        --data-binary "@$file" "$@"
}

# rows TABLE COUNT
rows() {
    [[ $(sql "SELECT count(*) FROM shop.$1") == "$2" ]]
}

@test "records are stored, with their columns in any order and their defaults" {
    post items 'word,id\r\n"a ""b"",\nc",1\r\n,2\r\n"",3\r\n'
    expect 201
    [[ -z $body && $(header Content-Range) == '*/*' ]]
    lacks Location
    lacks Content-Type
    [[ $(sql 'SELECT string_agg(concat(id, word), $$;$$ ORDER BY id)
        FROM shop.item') == $'1a "b",\nc;2;3' ]]
    post items 'id\n4\n5\n' -H 'Prefer: count=exact' -H 'X-Who: me'
    expect 201
    [[ $(header Content-Range) == '*/2' ]]
    [[ $(header Preference-Applied) == count=exact ]]
    [[ $(sql 'SELECT DISTINCT word || who FROM shop.item WHERE id > 3') == wme ]]
    post 'items?columns=word,id' 'id\n6\n'
    expect 201
    post 'items?columns=word,id' 'id\n7\n' -H 'Prefer: missing=default'
    expect 201
    [[ $(sql 'SELECT string_agg(coalesce(word, $$-$$), $$$$ ORDER BY id)
        FROM shop.item WHERE id > 5') == -w ]]
    post items 'id\n'
    expect 201
}

@test "what is refused is told by record, line, column, value and reason" {
    post items 'id,word\n1,"a\nb"\nx,c\n2,d\n2,e\n3,f,g\n'
    expect_problem 422 records-refused
    expect 422 .more false '.rows | length' 3 \
        '.rows[0] | [.record, .line, .column, .value] | tojson' \
        '[2,4,"id","x"]' \
        '.rows[0].reason' 'invalid input syntax for type integer: "x"' \
        '.rows[1] | [.record, .line, .column, .value] | tojson' \
        '[4,6,"id","2"]' \
        '.rows[2] | [.record, .line, .column, .value] | tojson' \
        '[5,7,null,null]'
    rows item 0
    lacks Content-Range
    post_file property "$DATA/cases/many-bad-in-1000.csv"
    expect 422 .more true '.rows | length' 100
    rows property 0
}

@test "a header that does not fit is told before a connection is asked for" {
    post items 'id,,what,id\n1,2,3,4\n'
    expect_problem 400 invalid-header what
    expect 400 '.errors | length' 3
    post property 'name\na\n'
    expect_problem 400 invalid-header price
    post items ''
    expect_problem 400 invalid-header
    post 'items?columns=id' 'id,word\n1,a\n'
    expect_problem 400 invalid-header word
    post 'items?columns=nothing' 'id,word\n1,a\n'
    expect_problem 400 PGRST204
    post missing 'id\n1\n'
    expect_problem 404 PGRST205
    rows item 0
}

@test "a column that is new is found" {
    post growing 'id\n1\n'
    expect 201
    sql 'ALTER TABLE shop.growing ADD more int' >/dev/null
    grown() {
        post growing 'id,more\n2,3\n'
        [[ $status == 201 ]]
    }
    wait_until 10 grown
    rows growing 2
}

# told_of INDEX: the records that the case expects to be refused, and no others
told_of() {
    jq -e --slurpfile got "$RES/body" ".cases[$1].refused as \$want |
        \$want == null or (\$got[0].rows as \$rows |
        (\$want | length) == (\$rows | length) and
        ([\$want, \$rows] | transpose | all(.[1] as \$row | .[0] |
            to_entries | all(\$row[.key] == .value))))" \
        "$DATA/cases.json" >/dev/null
}

# holds INDEX TABLE: the values that the case expects
holds() {
    local values record column want

    values=$(jq -r ".cases[$1].values // [] | .[] | [.record, .column,
        (.value | if type == \"number\" then tostring else . end |
        tojson)] | join(\"\t\")" "$DATA/cases.json") || return 1
    while IFS=$'\t' read -r record column want; do
        [[ -z $record || $(sql "SELECT
            coalesce(to_json($column::text)::text, 'null')
            FROM shop.$2 ORDER BY ctid OFFSET $record - 1 LIMIT 1" |
            jq -c .) == "$want" ]] || return 1
    done <<<"$values"
}

# case_of INDEX: one of the 65. It is refused or it is stored, as is expected;
# where both would do, as the reader's own tests say.
case_of() {
    local file delimiter outcome stored target what said before=0 type='' query=''
    local -a prefer=()

    IFS=$'\x01' read -r -d '' file target said delimiter outcome stored what < <(
        jq -j ".cases[$1] | [.file, .target, .content_type,
            (.query.delimiter // \"\" | @uri), .outcome, (.stored // 0), .what] |
            join(\"\u0001\") + \"\u0000\"" "$DATA/cases.json")
    sql 'TRUNCATE shop.property, shop.visit' >/dev/null
    if [[ $what == *'after simple.csv'* ]]; then
        post_file property "$DATA/cases/simple.csv"
    fi
    before=$(sql "SELECT count(*) FROM shop.$target")
    [[ -z $delimiter ]] || query="?delimiter=$delimiter"
    [[ $what != *upsert* ]] ||
        prefer=(-H 'Prefer: resolution=merge-duplicates, count=exact')
    type=$said
    post_file "$target$query" "$DATA/cases/$file" "${prefer[@]}"
    case $file in
    blank-line-inside.csv | uuid-forms.csv | huge-field.csv | \
        quote-inside-unquoted.csv) outcome=accept stored=2 ;;
    esac
    if [[ $what == *upsert* ]]; then
        [[ $status == 201 && $(header Content-Range) == "*/$stored" ]]
    elif [[ $outcome == accept ]]; then
        [[ $status == 201 ]] && rows "$target" $((before + stored)) &&
            holds "$1" "$target"
    else
        [[ $status == 4?? ]] && rows "$target" "$before" && told_of "$1"
    fi || {
        echo "$file: $status, $before rows before, $what"
        head -c 500 "$RES/body"
        return 1
    }
}

@test "the 65 cases" {
    local n

    n=$(jq '.cases | length' "$DATA/cases.json")
    [[ $n == 65 ]]
    for ((i = 0; i < n; i++)); do
        case_of "$i"
    done
}

@test "a registry with duplicate keys, from its own header" {
    zcat "$DATA/ieee-oui.csv.gz" >"$BATS_TEST_TMPDIR/oui.csv"
    post_file blocks "$BATS_TEST_TMPDIR/oui.csv"
    expect 422 '.rows | length' 3 .more false \
        'any(.rows[]; .column == "assignment" and .value == "080030")' true
    rows oui 0
    post_file blocks "$BATS_TEST_TMPDIR/oui.csv" \
        -H 'Prefer: resolution=ignore-duplicates, count=exact'
    expect 201
    [[ $(header Content-Range) == '*/32527' ]]
    [[ $(header Preference-Applied) == \
        'resolution=ignore-duplicates, count=exact' ]]
    post_file 'blocks?on_conflict=assignment' "$BATS_TEST_TMPDIR/oui.csv" \
        -H 'Prefer: resolution=merge-duplicates, return=minimal'
    expect 200
    rows oui 32527
    req GET '/shop/v1/blocks?assignment=eq.002272&select=name'
    expect 200 '.[0].name' 'American Micro-Fuel Device Corp.'
}

@test "properties and visits to them" {
    post_file property "$DATA/properties.csv" -H 'Prefer: count=exact'
    expect 201
    [[ $(header Content-Range) == '*/6311' ]]
    post_file visit "$DATA/visits.csv" -H 'Prefer: count=exact'
    expect 201
    [[ $(header Content-Range) == '*/12000' ]]
    rows property 6311
    rows visit 12000
    post_file visit "$DATA/cases/visits-unknown-property.csv"
    expect_problem 422 records-refused
    rows visit 12000
}

@test "what is there is changed where that is allowed" {
    post items 'id,word\n1,a\n2,b\n'
    expect 201
    post items 'id,word\n2,c\n3,d\n3,e\n' -H 'Prefer: resolution=merge-duplicates'
    expect 201
    [[ $(sql 'SELECT string_agg(word, $$$$ ORDER BY id) FROM shop.item') == ace ]]
    post items 'id,word\n2,f\n4,g\n' -H 'Prefer: resolution=ignore-duplicates'
    expect 201
    [[ $(sql 'SELECT string_agg(word, $$$$ ORDER BY id) FROM shop.item') == aceg ]]
    post seen 'id,word\n9,x\n' -H 'Prefer: resolution=merge-duplicates'
    expect_problem 403 not-allowed
    req POST /shop/v1/json -d '{"id":1}' -H 'Content-Type: application/json' \
        -H 'Prefer: resolution=merge-duplicates'
    expect_problem 403 not-allowed
    post 'items?on_conflict=nothing' 'id\n1\n' \
        -H 'Prefer: resolution=merge-duplicates'
    expect_problem 400 PGRST204
    post seen 'id,word\n9,x\n'
    expect 201
    rows item 5
}

@test "the rows are returned where that is asked for" {
    local many full=(-H 'Prefer: return=representation, count=exact')

    post 'items?select=id,word,upper:word' 'id,word\n2,b\n1,\n' "${full[@]}"
    expect 201 'tojson' '[{"id":2,"word":"b","upper":"b"},{"id":1,"word":null,"upper":null}]'
    [[ $(header Preference-Applied) == 'return=representation, count=exact' ]]
    [[ $(header Content-Range) == '*/2' ]]
    post 'items?select=id,word&order=id' 'id\n4\n3\n' "${full[@]}" \
        -H 'Accept: text/csv'
    expect 201
    [[ $(tr '\r\n' ' :' <"$RES/body") == 'id,word :3,w :4,w :' ]]
    post 'property?select=price,visits:visit(place)' 'name,price\na,15\n' \
        "${full[@]}"
    expect 201 'tojson' '[{"price":15,"visits":[]}]'
    post 'items?select=id' 'id,word\n1,x\n5,y\n' -H \
        'Prefer: return=representation, resolution=merge-duplicates'
    expect 201 'tojson' '[{"id":1},{"id":5}]'
    post 'items?select=id' 'id\n8\n' \
        -H 'Prefer: return=representation, tx=rollback'
    expect 201 'tojson' '[{"id":8}]'
    rows item 5
    # who may not read has not
    post 'seen' 'id,word\n9,x\n' "${full[@]}"
    expect 201 'tojson' '[{"id":9,"word":"x"}]'
    # refused records are told as ever, and so is what cannot be shown
    post items 'id,word\n6,a\nx,b\n1,c\n' "${full[@]}"
    expect 422 '.rows | map([.line, .column]) | tojson' '[[3,"id"],[4,"id"]]'
    lacks Preference-Applied
    post 'items?select=word::int' 'id,word\n6,a\n' "${full[@]}"
    expect_problem 400 22P02
    post 'items?select=id::nosuch' 'id,word\n6,a\n' "${full[@]}"
    expect_problem 400 42704
    rows item 6
    # a large file's are not
    many=$BATS_TEST_TMPDIR/many.csv
    { echo id && seq 100000000 100130000; } >"$many"
    post_file growing "$many" "${full[@]}"
    expect 201
    [[ -z $body && $(header Preference-Applied) == count=exact ]]
    rows growing 130001
}

@test "what httpd uncompresses is taken" {
    printf 'id\n1\n2\n' | gzip >"$BATS_TEST_TMPDIR/ids.csv.gz"
    post_file growing "$BATS_TEST_TMPDIR/ids.csv.gz" -H 'Content-Encoding: gzip'
    expect 201
    rows growing 2
}

@test "a time zone" {
    post items 'id,at\n1,2024-01-02 03:04:05\n' -H 'Prefer: timezone=Asia/Tokyo'
    expect 201
    [[ $(header Preference-Applied) == timezone=Asia/Tokyo ]]
    [[ $(sql "SELECT at = '2024-01-01 18:04:05+00' FROM shop.item") == t ]]
    post items 'id\n2\n' -H 'Prefer: timezone=Nope'
    expect_problem 400 22023
    rows item 1
}

@test "nothing is kept with tx=rollback" {
    post items 'id\n1\n2\n' -H 'Prefer: tx=rollback, count=exact'
    expect 201
    [[ $(header Preference-Applied) == 'count=exact, tx=rollback' ]]
    [[ $(header Content-Range) == '*/2' ]]
    rows item 0
}

@test "what says that it is something else is refused" {
    type='text/csv; charset=iso-8859-1' post items 'id\n1\n'
    expect_problem 415 unsupported-type
    type='text/csv; header=absent' post items 'id\n1\n'
    expect_problem 415 unsupported-type
    post json 'id\n1\n'
    expect_problem 415 unsupported-type
    req POST /shop/v1/growing -d '{"id":1}' -H 'Content-Type: application/json'
    expect_problem 415 unsupported-type
    [[ $(json .detail) == 'the body must be text/csv'* ]]
    post property/d1bdd1fb-cf2a-4c9c-8517-78cba2f366c4/visit 'place\na\n'
    expect_problem 415 unsupported-type
    post items 'id\n1\n' -H 'Content-Encoding: gzip'
    expect_problem 415 unsupported-encoding
    [[ $(header Accept-Encoding) == identity ]]
    req POST /shop/v1/items -d '{"id":1}' -H 'Content-Type: application/json' \
        -H 'Content-Encoding: gzip'
    expect_problem 415 unsupported-encoding
    post items 'id\n1\n' -H 'If-Match: "a"'
    expect_problem 412 precondition-failed
    post 'items?delimiter=ab' 'id\n1\n'
    expect_problem 400 invalid-parameter delimiter
    rows item 0
    type='text/csv; charset="UTF-8"; header=present' post 'items?delimiter=%3B' \
        'id;word\n1;a,b\n' -H 'Content-Encoding: identity'
    expect 201
    rows item 1
}

@test "a body that is too large, or cut off, changes nothing" {
    local many

    many="id\n$(seq -s '\n' 1000)\n"
    post items "$many"
    expect_problem 413 body-too-large
    post items "$many" -H 'Transfer-Encoding: chunked'
    expect_problem 413 body-too-large
    exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
    printf '%b' 'POST /shop/v1/items HTTP/1.1\r\nHost: a\r\n' \
        'Content-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n' \
        '5\r\nid\n1\n\r\nx\r\n' >&"$fd"
    output=$(timeout 30 cat <&"$fd" || true)
    exec {fd}>&-
    [[ $output == 'HTTP/1.1 400 '*'application/problem+json'* ]]
    rows item 0
}

@test "a file with an Idempotency-Key is stored once" {
    local again many=$BATS_TEST_TMPDIR/many.csv key='Idempotency-Key: "a"'
    local rows='Prefer: return=representation, count=exact'

    post 'items?select=id,word' 'id,word\n1,\n2,b\n' -H "$key" -H "$rows"
    expect 201 tojson '[{"id":1,"word":null},{"id":2,"word":"b"}]'
    lacks Idempotent-Replayed
    sql 'DELETE FROM shop.item WHERE id = 2' >/dev/null
    post 'items?select=id,word' 'id,word\n1,\n2,b\n' -H "$key" -H "$rows"
    expect 201 tojson '[{"id":1,"word":null},{"id":2,"word":"b"}]'
    [[ $(header Idempotent-Replayed) == true ]]
    [[ $(header Content-Range) == '*/2' ]]
    [[ $(header Preference-Applied) == 'return=representation, count=exact' ]]
    [[ $(header Content-Type) == 'application/json; charset=utf-8' ]]
    rows item 1
    # another file and JSON are something else, and so is what is said of it
    post 'items?select=id,word' 'id,word\n1,\n2,c\n' -H "$key" -H "$rows"
    expect_problem 422 idempotency-mismatch
    req POST '/shop/v1/items?select=id,word' -d '[{"id":3}]' -H "$key" \
        -H "$rows" -H 'Content-Type: application/json'
    expect_problem 422 idempotency-mismatch
    rows item 1
    # without a body, and with another status
    post items 'id,word\n1,z\n' -H "$key" \
        -H 'Prefer: resolution=merge-duplicates'
    expect_problem 422 idempotency-mismatch
    for again in '' true; do
        post items 'id,word\n1,z\n' -H 'Idempotency-Key: b' \
            -H 'Prefer: resolution=merge-duplicates'
        expect 200
        [[ -z $body && $(header Idempotent-Replayed) == "$again" ]]
    done
    # one that is read in pieces, and a stream
    { echo id && seq 100000000 100130000; } >"$many"
    for again in '' true; do
        post_file growing "$many" -H "$key"
        expect 201
        [[ $(header Idempotent-Replayed) == "$again" ]]
    done
    rows growing 130001
    echo 7 >>"$many"
    post_file growing "$many" -H "$key"
    expect_problem 422 idempotency-mismatch
    post 'growing?delimiter=%3B' 'id\n5\n' -H 'Idempotency-Key: c'
    expect 201
    post 'growing?delimiter=%09' 'id\n5\n' -H 'Idempotency-Key: c'
    expect_problem 422 idempotency-mismatch
    post items 'id\n5\n' -H 'Idempotency-Key: ""'
    expect_problem 400 invalid-parameter Idempotency-Key
}

@test "with an Idempotency-Key nothing is kept of what has failed" {
    post items 'id\n1\nx\n' -H 'Idempotency-Key: a'
    expect 422 '.rows | map([.line, .column]) | tojson' '[[3,"id"]]'
    post items 'id\n1\n' -H 'Idempotency-Key: a' -H 'Prefer: tx=rollback'
    expect 201
    post items 'id\n1\n' -H 'Idempotency-Key: a'
    expect 201
    lacks Idempotent-Replayed
    post seen 'id,word\n2,b\n' -H 'Idempotency-Key: a'
    expect 201
    post seen 'id,word\n2,b\n' -H 'Idempotency-Key: a'
    [[ $(header Idempotent-Replayed) == true ]]
    rows item 2
}

is_locked() {
    [[ $(sql "SELECT count(*) FROM pg_locks WHERE
        relation = 'shop.growing'::regclass AND granted") == 1 ]]
}

waits() {
    [[ $(sql "SELECT count(*) FROM pg_locks WHERE NOT granted") == 1 ]]
}

@test "a large file takes the place of a stream" {
    local file=$BATS_TEST_TMPDIR/large.csv

    { echo id && seq 100000000 100130000; } >"$file"
    coproc other { srv_psql "$DSAPI_DIR/pg" 2>&1; }
    echo 'BEGIN; LOCK shop.growing;' >&"${other[1]}"
    wait_until 10 is_locked
    curl -s -o /dev/null -w '%{http_code}' --noproxy '*' --data-binary "@$file" \
        -H 'Content-Type: text/csv' "$BASE/shop/v1/growing" \
        >"$BATS_TEST_TMPDIR/first" 3>&- &
    wait_until 30 waits
    claim_log 'DSAPI0003: database-busy'
    post_file growing "$file"
    expect_problem 503 database-busy
    post items 'id\n1\n'
    expect 201
    printf 'ROLLBACK;\n\\q\n' >&"${other[1]}"
    wait
    [[ $(<"$BATS_TEST_TMPDIR/first") == 201 ]]
    rows growing 130001
}

@test "a file with an Idempotency-Key while it is being stored" {
    local key='Idempotency-Key: slow'

    coproc other { srv_psql "$DSAPI_DIR/pg" 2>&1; }
    echo 'BEGIN; LOCK shop.growing IN SHARE MODE;' >&"${other[1]}"
    wait_until 60 is_locked
    printf 'id\n1\n' >"$BATS_TEST_TMPDIR/one.csv"
    curl -s -o /dev/null -w '%{http_code}' --noproxy '*' -H "$key" \
        --data-binary "@$BATS_TEST_TMPDIR/one.csv" -H 'Content-Type: text/csv' \
        "$BASE/shop/v1/growing" >"$BATS_TEST_TMPDIR/first" 3>&- &
    wait_until 60 waits
    post growing 'id\n1\n' -H "$key"
    expect_problem 409 idempotency-conflict
    printf 'ROLLBACK;\n\\q\n' >&"${other[1]}"
    wait
    [[ $(<"$BATS_TEST_TMPDIR/first") == 201 ]]
    post growing 'id\n1\n' -H "$key"
    expect 201
    [[ $(header Idempotent-Replayed) == true ]]
    rows growing 1
}

@test "a file that takes too long is broken off" {
    sql_super 'CREATE FUNCTION shop.wait() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN PERFORM pg_sleep(60); RETURN NEW; END$$;
        CREATE TRIGGER wait BEFORE INSERT ON shop.item FOR EACH ROW
        WHEN (NEW.id = 77) EXECUTE FUNCTION shop.wait()' >/dev/null
    claim_log 'DSAPI0003: 57014'
    post slow 'id\n1\n77\n'
    expect_problem 504 57014
    rows item 0
    post slow 'id\n1\n'
    expect 201
}

# spools N: the children have so many files without a name
spools() {
    local pid n=0 file

    for pid in $(ps -o pid= --ppid "$(httpd_pid)"); do
        for file in "/proc/$pid/fd"/*; do
            [[ $(readlink "$file") != */dsapi.*' (deleted)' ]] || n=$((n + 1))
        done
    done
    [[ $n == "$1" ]]
}

@test "a client that hangs up leaves nothing" {
    exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
    printf '%b' 'POST /shop/v1/items HTTP/1.1\r\nHost: a\r\n' \
        'Content-Type: text/csv\r\nContent-Length: 100\r\n\r\nid\n1\n' >&"$fd"
    wait_until 30 spools 1
    exec {fd}>&-
    wait_until 30 spools 0
    rows item 0
}

@test "no file is left, and none has a name while it is there" {
    post items 'id\n1\nx\n'
    expect 422
    if compgen -G "${TMPDIR:-/tmp}/dsapi.??????"; then
        return 1
    fi
}
