#!/usr/bin/env bats
# Values of every type, byte for byte as PostgreSQL's to_json writes them.
# shellcheck disable=SC2153,SC2154 # BASE, status, body: set by dsapi_up and req

load ../lib/testing

# Samples of every built-in scalar type, and tables of them: scalars (a column
# a type, a row a sample) and lists (their arrays).
built_in_tables() {
    cat <<'SQL'
CREATE TABLE sample (type text, text text);
INSERT INTO sample VALUES
    ('aclitem', 'dsapi=arw/dsapi'),
    ('bit', '1'),
    ('bool', 't'), ('bool', 'f'),
    ('box', '(1,1),(0,0)'), ('box', '(3.5,1e+20),(-1,0)'),
    ('bpchar', 'a  '), ('bpchar', ''), ('bpchar', ' "'),
    ('bytea', '\x00ff'), ('bytea', ''), ('bytea', '\x5c22275c'),
    ('char', 'x'), ('char', '"'), ('char', ''), ('char', '\377'),
    ('cid', '7'), ('cidr', '10.0.0.0/8'), ('cidr', '::/0'),
    ('circle', '<(1,2),3>'),
    ('date', '2024-02-29'), ('date', '0044-03-15 BC'), ('date', 'infinity'),
    ('date', '-infinity'), ('date', '12345-01-01'),
    ('datemultirange', '{[2024-01-01,2024-02-01),[2025-01-01,)}'),
    ('daterange', '[2024-01-01,2024-02-01)'), ('daterange', 'empty'),
    ('float4', '1.5'), ('float4', 'NaN'), ('float4', '-Infinity'),
    ('float4', '1e-30'), ('float4', '-0'),
    ('float8', '0.1'), ('float8', '1e300'), ('float8', '-0'),
    ('float8', 'NaN'), ('float8', 'Infinity'), ('float8', '-Infinity'),
    ('float8', '5e-324'), ('float8', '123456789012345680000'),
    ('gtsvector', NULL),
    ('inet', '192.168.0.1/24'), ('inet', '::1'),
    ('int2', '-32768'), ('int2vector', '1 2 -3'), ('int2vector', ''),
    ('int4', '2147483647'), ('int4multirange', '{[1,3),[5,)}'),
    ('int4multirange', '{}'), ('int4range', '[1,5)'), ('int4range', '(,)'),
    ('int8', '-9223372036854775808'), ('int8multirange', '{[1,3)}'),
    ('int8range', '[1,5)'),
    ('interval', '1 year 2 mons -3 days 04:05:06.7'), ('interval', '0'),
    ('json', '{"a" : [1, "x\n"],  "b":null }'), ('json', ' null '),
    ('json', '"s"'), ('json', E'[1,\n 2]'), ('json', '1.50'),
    ('jsonb', '{"a" : [1, "x\n"],  "b":null }'), ('jsonb', 'null'),
    ('jsonb', '"s"'), ('jsonb', '1.50'),
    ('jsonpath', '$."a"[*] ? (@ > 1)'),
    ('line', '{1,2,3}'), ('lseg', '[(0,0),(1,1)]'),
    ('macaddr', '08:00:2b:01:02:03'), ('macaddr8', '08:00:2b:01:02:03:04:05'),
    ('money', '1234.5'), ('money', '-1'),
    ('name', 'n'), ('name', 'a "b"\c'),
    ('nummultirange', '{[1.5,2.5)}'), ('numrange', '[1.50,)'),
    ('numeric', '12345678901234567890.1234500'), ('numeric', 'NaN'),
    ('numeric', 'Infinity'), ('numeric', '-Infinity'), ('numeric', '0.000'),
    ('oid', '4294967295'), ('oidvector', '1 2'), ('oidvector', ''),
    ('path', '((0,0),(1,1))'), ('path', '[(0,0),(1,1)]'),
    ('pg_lsn', '16/B374D848'), ('pg_snapshot', '10:20:10,14,15'),
    ('point', '(1,-2.5)'), ('polygon', '((0,0),(1,1),(2,0))'),
    ('refcursor', 'c "1"'), ('regclass', 'pg_class'),
    ('regcollation', '"C"'), ('regconfig', 'english'),
    ('regdictionary', 'simple'), ('regnamespace', 'pg_catalog'),
    ('regoper', '||/'), ('regoperator', '+(integer,integer)'),
    ('regproc', 'pg_sleep'), ('regprocedure', 'sum(integer)'),
    ('regrole', 'dsapi'), ('regtype', 'timestamp with time zone'),
    ('text', ''), ('text', 'NULL'), ('text', 'q"b\s/'),
    ('text', E'\b\f\n\r\t\x01\x1f\x7f'), ('text', 'é 😀 �  '),
    ('text', '{a,"b"}'), ('text', '(1,2)'), ('text', ' '),
    ('tid', '(1,2)'), ('time', '10:11:12.5'), ('time', '24:00'),
    ('timestamp', '2024-02-29 10:11:12'),
    ('timestamp', '2024-02-29 10:11:12.123456'),
    ('timestamp', '0044-03-15 10:11:12 BC'), ('timestamp', 'infinity'),
    ('timestamp', '-infinity'), ('timestamp', '12345-01-01'),
    ('timestamptz', '2024-02-29 10:11:12+00'),
    ('timestamptz', '2024-07-29 10:11:12.5+00'),
    ('timestamptz', '0044-03-15 10:11:12+00 BC'),
    ('timestamptz', 'infinity'), ('timestamptz', '-infinity'),
    ('timetz', '10:11:12+05:30'), ('timetz', '10:11:12.5-15:59:59'),
    ('tsmultirange', '{["2024-01-01 00:00:00",infinity]}'),
    ('tsquery', '''a'' & !''b'''),
    ('tsrange', '["2024-01-01 00:00:00","2024-01-02 00:00:00")'),
    ('tstzmultirange', '{["2024-01-01 00:00:00+00",)}'),
    ('tstzrange', '["2024-01-01 00:00:00+00",)'),
    ('tsvector', '''a'':1A ''b c'':2'),
    ('txid_snapshot', '10:20:10,14,15'),
    ('uuid', 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'),
    ('varbit', '101'), ('varbit', ''), ('varchar', 'v "'),
    ('xid', '42'), ('xid8', '18446744073709551615'),
    ('xml', E'<a b="c">\n</a>');

DO $$
DECLARE
    /* nothing can be put into a column of these */
    closed text[] := ARRAY['gtsvector', 'pg_node_tree', 'pg_ndistinct',
        'pg_dependencies', 'pg_mcv_list', 'pg_brin_bloom_summary',
        'pg_brin_minmax_multi_summary'];
    longest int := (SELECT max(n) FROM (SELECT count(*) AS n FROM sample
                    GROUP BY type) AS s);
    t record;
    list text;
BEGIN
    EXECUTE format('CREATE TABLE scalars AS SELECT i FROM generate_series(1,
        %s) AS i', longest + 1);
    CREATE TABLE lists AS SELECT i FROM generate_series(1, 5) AS i;
    FOR t IN SELECT y.typname, y.oid, y.typdelim,
                    format('pg_catalog.%I', y.typname) AS name,
                    (SELECT array_agg(text) FROM sample
                      WHERE type = y.typname) AS texts
               FROM pg_type AS y
              WHERE y.oid < 10000 AND y.typtype IN ('b', 'r', 'm', 'e', 'd')
                AND NOT (y.typcategory = 'A' AND y.typname LIKE '\_%')
                AND y.typname <> ALL (closed)
              ORDER BY y.typname LOOP
        IF t.texts IS NULL THEN
            RAISE EXCEPTION 'the type % has no sample', t.typname;
        END IF;
        EXECUTE format('ALTER TABLE scalars ADD %I %s', t.typname, t.name);
        FOR i IN 1 .. cardinality(t.texts) LOOP
            EXECUTE format('UPDATE scalars SET %I = %L::%s WHERE i = %s',
                           t.typname, t.texts[i], t.name, i);
        END LOOP;
        EXECUTE format('ALTER TABLE lists ADD %I %s[]', t.typname, t.name);
        list := (SELECT string_agg(format('%L::%s', x, t.name), ',')
                   FROM unnest(t.texts) AS x);
        EXECUTE format('UPDATE lists SET %1$I = CASE i
            WHEN 1 THEN ARRAY[%2$s, NULL]
            WHEN 2 THEN ARRAY[]::%3$s[]
            WHEN 3 THEN ARRAY[[%2$s], [%2$s]]
            WHEN 4 THEN (%4$L || ARRAY[%2$s]::text)::%3$s[] END',
            t.typname, list, t.name,
            format('[-1:%s]=', cardinality(t.texts) - 2));
    END LOOP;
END $$;
SQL
}

# What to_json knows and nobody else.
user_tables() {
    cat <<'SQL'
CREATE TYPE mood AS ENUM ('ok', 'a "b"\,c', 'é', '');
CREATE DOMAIN d_int AS int CHECK (value > 0);
CREATE DOMAIN d_text AS text;
CREATE DOMAIN d_json AS json;
CREATE DOMAIN d_time AS timestamptz;
CREATE DOMAIN d_list AS int[];
CREATE DOMAIN d_mood AS mood;
CREATE TYPE pair AS (n int, t text, j json, at timestamptz, f float8, m mood,
    list text[], dom d_int, gone int, b bool, "a ""b" numeric);
ALTER TYPE pair DROP ATTRIBUTE gone;
CREATE TYPE nest AS (p pair, ps pair[], inner_mood d_mood, r daterange);
CREATE DOMAIN d_pair AS pair;
CREATE TYPE floats AS RANGE (subtype = float8,
    multirange_type_name = floatmultirange);
CREATE TYPE money_of AS (currency text, cents int);
CREATE FUNCTION money_json(money_of) RETURNS json LANGUAGE sql
    RETURN to_json('no'::text);
CREATE CAST (money_of AS json) WITH FUNCTION money_json(money_of);
CREATE TYPE shout AS ENUM ('hey', 'ho');
CREATE FUNCTION shout_json(shout) RETURNS json LANGUAGE sql
    RETURN json_build_object('shout', upper($1::text));
CREATE CAST (shout AS json) WITH FUNCTION shout_json(shout);
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
CREATE TABLE users (i int, mood mood, moods mood[], d_int d_int, d_ints d_int[],
    d_text d_text, d_texts d_text[], d_json d_json, d_jsons d_json[],
    d_time d_time, d_times d_time[], d_list d_list, d_lists d_list[],
    d_mood d_mood, d_moods d_mood[], pair pair, pairs pair[], nest nest,
    nests nest[], d_pair d_pair, d_pairs d_pair[], floats floats,
    float_list floats[], multi floatmultirange, multis floatmultirange[],
    money money_of, moneys money_of[], shout shout, shouts shout[],
    h hstore, hs hstore[], c citext, cs citext[]);
INSERT INTO users (i) VALUES (3);
INSERT INTO users
SELECT i, m, ARRAY[m, NULL, 'ok'], i, ARRAY[i, 7], t, ARRAY[t, NULL],
       '{"k" : 1}', ARRAY['null', '"s"']::d_json[], '2024-07-01 10:00+00',
       ARRAY['infinity', '2024-07-01 10:00+00']::d_time[], '[0:1]={1,2}',
       ARRAY['{1}', '{2,3}']::d_list[], m, ARRAY[m]::d_mood[],
       p, ARRAY[[p, NULL], [p, p]], n, ARRAY[n], p, ARRAY[p]::d_pair[],
       '[1.5,2.5)', ARRAY['empty', '(,)']::floats[], '{[1,2)}',
       ARRAY['{}']::floatmultirange[], ('EUR', 5)::money_of,
       ARRAY[('EUR', 5)::money_of],
       'hey', ARRAY['hey', 'ho']::shout[], hstore(ARRAY['a', t, 'b', NULL]),
       ARRAY['', 'a=>1']::hstore[], t, ARRAY[t]::citext[]
  FROM (VALUES (1, E'q"b\\s,\n()é ', 'a "b"\,c'::mood), (2, '', ''))
           AS v (i, t, m),
       LATERAL (SELECT ROW(i, t, '{"x": [1, "y"]}', '2024-01-01 10:00+00',
           'NaN', m, ARRAY[t, NULL, 'NULL'], 3, NULL, 1.50)::pair AS p) AS p,
       LATERAL (SELECT ROW(p, ARRAY[p, NULL], m, '[2024-01-01,)')::nest
                    AS n) AS n;
SQL
}

# Statements whose columns have no table: one a line.
records() {
    cat <<'SQL'
SELECT ROW(1, 'a', NULL, timestamptz '2024-01-01 00:00+00') AS r
SELECT q AS r, ARRAY[q, q] AS rs FROM (SELECT 1 AS a, 'x'::text AS "B c") AS q
SELECT array_agg(q ORDER BY q.i DESC) AS rs FROM (SELECT i, ok FROM users, LATERAL (SELECT mood) AS m (ok)) AS q
SELECT c.x AS r FROM (SELECT pg_language AS x FROM pg_language WHERE lanname = 'sql') AS c
SELECT most_common_vals AS v, histogram_bounds AS h FROM pg_stats WHERE tablename = 'users' AND attname = 'i'
SELECT * FROM information_schema.schemata WHERE schema_name = 'pg_catalog'
SELECT users AS u FROM users ORDER BY i
SELECT DISTINCT ON (i) pair FROM users ORDER BY i DESC LIMIT 2
VALUES ('ok'::mood), ('a "b"\,c')
TABLE users
(SELECT mood FROM users WHERE i = 1) UNION ALL SELECT 'ok' -- the end
WITH w AS (SELECT pair FROM users) SELECT (pair).m, pair FROM w ORDER BY (pair).n
WITH RECURSIVE t(n, m) AS (SELECT 1, 'ok'::mood UNION ALL SELECT n + 1, m FROM t WHERE n < 3) SEARCH DEPTH FIRST BY n SET path CYCLE n SET hit TO true DEFAULT false USING way SELECT * FROM t ORDER BY n
SELECT i, each(hstore '"a"=>"1","b"=>NULL') AS e FROM users ORDER BY i, e
SELECT random() < 2 AS volatile, mood FROM users ORDER BY i DESC LIMIT 2
SQL
}

# A route each for the tables and the records; and others.
routes() {
    local i=0 line

    for line in scalars lists users; do
        cat <<CONF
<DsapiRoute GET "/$line">
    DsapiParam zone tz default=UTC
    DsapiParam style text default=hex
    DsapiQuery "SELECT set_config('TimeZone', :zone, true), set_config('bytea_output', :style, true); SELECT * FROM $line ORDER BY i"
</DsapiRoute>
CONF
    done
    while read -r line; do
        i=$((i + 1))
        cat <<CONF
<DsapiRoute GET "/record/$i">
    <DsapiSQL>
        $line
    </DsapiSQL>
</DsapiRoute>
CONF
    done < <(records)
    cat <<'CONF'
<DsapiRoute GET "/mood">
    DsapiQuery "SELECT mood AS \"@etag\", mood FROM users WHERE i = 1"
    DsapiResult value
</DsapiRoute>
<DsapiRoute GET "/mood.txt">
    DsapiQuery "SELECT mood FROM users WHERE i = 1"
    DsapiResult value
    DsapiContentType text/plain
</DsapiRoute>
<DsapiRoute GET "/pair">
    DsapiQuery "SELECT pair AS \"a.pair\", mood AS \"a.mood\" FROM users WHERE i = 1"
    DsapiResult row
</DsapiRoute>
<DsapiRoute GET "/none">
    DsapiQuery "SELECT pair FROM users WHERE false"
</DsapiRoute>
<DsapiRoute GET "/few">
    DsapiQuery "SELECT i, mood, pair, pairs, h, c, moods FROM users ORDER BY i"
</DsapiRoute>
<DsapiRoute POST "/log">
    DsapiQuery "INSERT INTO log SELECT i, mood, pair FROM users WHERE i < 3 RETURNING pair, mood, i"
</DsapiRoute>
<DsapiRoute PATCH "/log">
    DsapiQuery "WITH old AS (DELETE FROM log WHERE i = 1 RETURNING *), new AS (INSERT INTO log SELECT i + 9, mood, pair FROM old RETURNING *) UPDATE log SET i = 5 FROM new WHERE log.i = 2 RETURNING new.pair, new.i"
</DsapiRoute>
<DsapiRoute POST "/lock">
    DsapiQuery "SELECT i, pair FROM users ORDER BY i DESC LIMIT 2 FOR UPDATE SKIP LOCKED"
</DsapiRoute>
<DsapiRoute GET "/call">
    DsapiQuery "CALL give(NULL)"
    DsapiResult row
    DsapiWrite On
</DsapiRoute>
<DsapiRoute GET "/changing">
    DsapiQuery "SELECT * FROM changing"
</DsapiRoute>
CONF
}

setup_file() {
    local service

    service="<DsapiService v \"/v\">
$(routes)
</DsapiService>"
    export DSAPI_SERVICES=none
    dsapi_up "$service"
    sql_super 'GRANT CREATE ON DATABASE dsapi TO dsapi;
        GRANT CREATE ON SCHEMA public TO dsapi' >/dev/null
    { built_in_tables && user_tables; } | srv_psql "$DSAPI_DIR/pg" -f -
    sql 'ANALYZE users'
    httpd_up unnamed "DsapiDBPrepare Off
$service"
    OFF=http://127.0.0.1:$(<"$DSAPI_DIR/unnamed/port")
    export OFF
}

# same PATH QUERY [SETTINGS]: both servers answer, twice, what to_json says of
# the query's rows
same() {
    local base want=$BATS_TEST_TMPDIR/want

    printf %s "$(sql "${3:-} SELECT '[' || coalesce(string_agg(
        to_json(t)::text, ','), '') || ']' FROM (
            $2
        ) AS t")" >"$want"
    [[ $(<"$want") == *'"'* ]]
    for base in "$BASE" "$BASE" "$OFF" "$OFF"; do
        req GET "$base/v/$1"
        expect 200
        cmp "$want" "$RES/body" || {
            diff <(sed 's/,"/\n"/g' "$want") <(sed 's/,"/\n"/g' "$RES/body") |
                head -20
            return 1
        }
    done
}

@test "every built-in scalar type" {
    same scalars 'SELECT * FROM scalars ORDER BY i'
    [[ $(json '.[0] | length') -gt 70 ]]
}

@test "arrays of every built-in type" {
    same lists 'SELECT * FROM lists ORDER BY i'
    [[ $(json '.[0] | length') -gt 70 ]]
}

@test "enums, domains, rows, ranges, extensions, casts to json, and their arrays" {
    same users 'SELECT * FROM users ORDER BY i'
}

@test "in another time zone, and with another bytea_output" {
    local table

    for table in scalars lists users; do
        same "$table?zone=America/St_Johns&style=escape" \
            "SELECT * FROM $table ORDER BY i" \
            "SET TimeZone = 'America/St_Johns'; SET bytea_output = escape;"
    done
}

@test "records without a name, rows of catalogues, and all kinds of queries" {
    local i
    local -a lines

    mapfile -t lines < <(records)
    [[ ${#lines[@]} -gt 10 ]]
    for i in "${!lines[@]}"; do
        echo "${lines[i]}"
        same "record/$((i + 1))" "${lines[i]}"
    done
}

@test "one value, one row, no row" {
    local base

    for base in "$BASE" "$OFF"; do
        req GET "$base/v/mood"
        expect 200 . 'a "b"\,c'
        [[ $(header ETag) == '"a%20%22b%22\,c"' ]]
        req GET "$base/v/mood.txt"
        [[ $status == 200 && $body == 'a "b"\,c' ]]
        req GET "$base/v/pair"
        expect 200 '.a.pair.n' 1 '.a.pair.m' 'a "b"\,c' '.a.mood' 'a "b"\,c'
        req GET "$base/v/none"
        expect 200 . '[]'
    done
}

@test "CSV shows a row as JSON and a string as its text; NDJSON stays in its line" {
    local base want

    want=$(sql "SELECT string_agg(concat_ws(',', i,
            '\"' || replace(to_json(mood)#>>'{}', '\"', '\"\"') || '\"',
            '\"' || replace(to_json(pair)::text, '\"', '\"\"') || '\"',
            '\"' || replace(to_json(pairs)::text, '\"', '\"\"') || '\"',
            '\"' || replace(to_json(h)::text, '\"', '\"\"') || '\"',
            '\"' || replace(to_json(c)#>>'{}', '\"', '\"\"') || '\"',
            '\"' || replace(to_json(moods)::text, '\"', '\"\"') || '\"'),
            E'\r\n' ORDER BY i) FROM users WHERE i < 3")
    for base in "$BASE" "$OFF"; do
        req GET "$base/v/few" -H 'Accept: text/csv'
        expect 200
        diff - "$RES/body" <<<"i,mood,pair,pairs,h,c,moods"$'\r\n'"$want"$'\r\n'"3,,,,,,"$'\r'
        req GET "$base/v/scalars" -H 'Accept: application/x-ndjson'
        [[ $(wc -l <"$RES/body") == $(sql 'SELECT count(*) FROM scalars') ]]
        diff <(sql 'SELECT json_agg(json ORDER BY i) FROM scalars' | jq .) \
            <(jq -s 'map(.json)' "$RES/body")
    done
}

@test "what changes data gives its rows, and does it once" {
    local base

    for base in "$BASE" "$BASE" "$OFF" "$OFF"; do
        sql 'DROP TABLE IF EXISTS log; CREATE TABLE log (i int, mood mood, pair pair)'
        req POST "$base/v/log" -d ''
        expect 200 'map(.i) | tojson' '[1,2]' '.[0].pair.n' 1 \
            '.[0].mood' 'a "b"\,c'
        [[ $(sql 'SELECT count(*) FROM log') == 2 ]]
        req PATCH "$base/v/log" -d ''
        expect 200 length 1 '.[0].pair.n' 1 '.[0].i' 10
        req POST "$base/v/lock" -d ''
        expect 200 'map(.i) | tojson' '[3,2]' '.[1].pair.n' 2
        [[ $(sql 'SELECT string_agg(i::text, $$ $$ ORDER BY i) FROM log') == \
            '5 10' ]]
    done
}

@test "what cannot be asked for JSON gives the text" {
    local base

    sql "CREATE PROCEDURE give(INOUT p pair) LANGUAGE sql
         AS \$\$ SELECT pair FROM users WHERE i = 1 \$\$"
    for base in "$BASE" "$OFF" "$BASE" "$OFF"; do
        req GET "$base/v/call"
        expect 200 '.p | startswith("(1,\"q\"\"b")' true
    done
}

# changed BASE SQL WANT: after it the table changing looks so
changed() {
    sql "$2"
    req GET "$1/v/changing"
    expect 200 tojson "$3"
}

@test "a table whose columns change gives what it has" {
    sql "CREATE TABLE changing (a int); INSERT INTO changing VALUES (1)"
    req GET /v/changing
    expect 200 tojson '[{"a":1}]'
    changed "$BASE" "ALTER TABLE changing ADD b mood DEFAULT 'ok'" \
        '[{"a":1,"b":"ok"}]'
    changed "$BASE" "ALTER TABLE changing ADD c int DEFAULT 3" \
        '[{"a":1,"b":"ok","c":3}]'
    changed "$BASE" "ALTER TABLE changing ADD d shout DEFAULT 'hey'" \
        '[{"a":1,"b":"ok","c":3,"d":{"shout":"HEY"}}]'
    changed "$BASE" "ALTER TABLE changing DROP a" \
        '[{"b":"ok","c":3,"d":{"shout":"HEY"}}]'
    changed "$BASE" "ALTER TABLE changing RENAME b TO e" \
        '[{"e":"ok","c":3,"d":{"shout":"HEY"}}]'
    changed "$BASE" "ALTER TABLE changing DROP d, DROP e" '[{"c":3}]'
    sql 'ALTER TYPE money_of ADD ATTRIBUTE more text'
    changed "$BASE" "ALTER TABLE changing ADD c2 money_of DEFAULT ('x', 1, 'y')" \
        '[{"c":3,"c2":{"currency":"x","cents":1,"more":"y"}}]'
    changed "$BASE" 'ALTER TYPE money_of DROP ATTRIBUTE cents' \
        '[{"c":3,"c2":{"currency":"x","more":"y"}}]'
}
