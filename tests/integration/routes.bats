#!/usr/bin/env bats
# Routes over HTTP (contract sections 2 and 3): parameters, bodies, results,
# errors, and what httpd adds to them.
load ../lib/testing

TYPES='text int bigint number bool date timestamp uuid iso2 iso3 slug tz json'

# params SUFFIX OPTIONS: a DsapiParam of each type, p_text text, ...
params() {
    local type

    for type in $TYPES; do
        echo "DsapiParam p_$type $type$1 $2"
    done
}

# columns: SELECT that gives them back
columns() {
    local type list=

    for type in $TYPES; do
        list+=", :p_$type AS p_$type"
    done
    echo "DsapiQuery \"SELECT ${list#, }\""
}

# echo_route METHOD PATH SUFFIX OPTIONS
echo_route() {
    printf '<DsapiRoute %s "%s">\n' "$1" "$2"
    params "$3" "$4"
    columns
    printf 'DsapiResult row\n</DsapiRoute>\n'
}

echo_routes() {
    local path=/path type

    for type in $TYPES; do
        path+="/{p_$type}"
    done
    echo '<DsapiService echo "/echo">'
    echo_route GET /query '' ''
    echo_route GET /list '[]' ''
    echo_route GET /header '' in=header
    echo_route GET /headers '[]' in=header
    echo_route GET "$path" '' ''
    echo_route POST /body '' ''
    echo_route POST /list '[]' ''
    echo_route DELETE /query '' ''
    echo_route PATCH /both '' in=query
    echo '</DsapiService>'
}

# What httpd needs before the services: modules, and places that httpd guards.
before_conf() {
    cat <<'END'
LoadModule auth_basic_module ${MODULES}/mod_auth_basic.so
LoadModule authn_file_module ${MODULES}/mod_authn_file.so
LoadModule authz_user_module ${MODULES}/mod_authz_user.so
LoadModule filter_module ${MODULES}/mod_filter.so
LoadModule deflate_module ${MODULES}/mod_deflate.so
AddOutputFilterByType DEFLATE application/json
<Location "/t/v1/closed">
    Require all denied
</Location>
<Location "/closed-elsewhere">
    Require all denied
</Location>
<Location "/t/v1/documented">
    ErrorDocument 403 "<html>custom</html>"
    ErrorDocument 404 /t/v1/rows
</Location>
<Location "/t/v1/documented/closed">
    Require all denied
</Location>
<Location "/t/v1/members">
    AuthType Basic
    AuthName members
    AuthBasicProvider file
    AuthUserFile ${HTTPD_DIR}/users
    Require valid-user
</Location>
<Location "/t/v1/limited">
    LimitRequestBody 30
</Location>
<Location "/t/v1/server-status">
    SetHandler server-status
    Require all granted
</Location>
END
}

routes_conf() {
    cat <<'END'
<DsapiService other "/t/v1/long">
    <DsapiRoute GET "/rows">
        DsapiQuery "SELECT 'other-service'"
        DsapiResult value
    </DsapiRoute>
</DsapiService>
<DsapiService t "/t/v1">
    DsapiTitle "Of the tests"
    <DsapiRoute GET "/">
        DsapiQuery "SELECT 'root'"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/longer">
        DsapiQuery "SELECT 'longer'"
        DsapiResult value
    </DsapiRoute>

    # parameters
    <DsapiRoute POST "/many/{id}">
        DsapiParam id int
        DsapiParam from date in=query
        DsapiParam limit int in=query min=1
        DsapiParam x_level int in=header
        DsapiParam name text required
        DsapiParam colour text enum=red,green
        DsapiParam price number required
        DsapiQuery "SELECT :id, :from, :limit, :x_level, :colour, :price"
        DsapiQuery "INSERT INTO note (name) VALUES (:name)"
        DsapiResult none
    </DsapiRoute>
    <DsapiRoute GET "/checked">
        DsapiParam n int min=1 max=10 default=5
        DsapiParam from date default=2024-01-01
        DsapiParam to date default=2024-12-31 min=:from
        DsapiParam unit text enum=kg,g default=kg
        DsapiParam code text pattern="^[A-Z]{2}[0-9]$" description="two letters, a digit"
        DsapiParam list int[] max=6
        DsapiQuery 'SELECT :n AS n, :from AS "from", :to AS "to", :unit AS unit, :code AS code, :list AS list'
        DsapiResult row
    </DsapiRoute>

    # paths
    <DsapiRoute GET "/show/{s}">
        DsapiParam s text
        DsapiQuery "SELECT :s"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/show/me">
        DsapiQuery "SELECT 'literal'"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/show/{other}/deep">
        DsapiParam other text
        DsapiQuery "SELECT :other"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/closed">
        DsapiQuery "SELECT 'never'"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/documented/closed">
        DsapiQuery "SELECT 'never'"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/members/{n}">
        DsapiParam n int
        DsapiQuery "SELECT 'joe' WHERE :n > 0"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute POST "/limited/x">
        DsapiParam s text
        DsapiQuery "SELECT :s"
        DsapiResult value
    </DsapiRoute>

    # bodies
    <DsapiRoute POST "/whole">
        DsapiParam doc json in=body body=whole required
        DsapiQuery "SELECT :doc"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute POST "/slugs">
        DsapiParam list slug[] in=body body=whole
        DsapiQuery "SELECT :list"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute POST "/small">
        DsapiMaxBody 1K
        DsapiParam name text
        DsapiQuery "SELECT :name"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute POST "/notes">
        DsapiParam name text required
        <DsapiSQL>
            INSERT INTO note (name) VALUES (:name)
            RETURNING id, name, '/t/v1/notes/' || id AS "@location", 'v1' AS "@etag"
        </DsapiSQL>
        DsapiResult row
        DsapiStatus 201
    </DsapiRoute>
    <DsapiRoute GET "/notes/{id}">
        DsapiParam id bigint
        DsapiQuery 'SELECT id, name, $$W/"weak"$$ AS "@etag" FROM note WHERE id = :id'
        DsapiResult row
    </DsapiRoute>

    # results
    <DsapiRoute GET "/rows">
        DsapiParam max int default=2
        DsapiQuery "SELECT id, name FROM thing WHERE id <= :max ORDER BY id"
    </DsapiRoute>
    <DsapiRoute GET "/things/{id}">
        DsapiParam id int
        DsapiQuery "SELECT id, name FROM thing WHERE id = :id"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute DELETE "/things/{id}">
        DsapiParam id int
        DsapiQuery "DELETE FROM note WHERE id = :id"
        DsapiResult none
    </DsapiRoute>
    <DsapiRoute GET "/value/{id}">
        DsapiParam id int
        DsapiQuery "SELECT name, id FROM thing WHERE id = :id UNION ALL SELECT NULL, -1 WHERE :id = -1"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute POST "/status">
        DsapiQuery "SELECT 'taken' AS state"
        DsapiResult row
        DsapiStatus 202
    </DsapiRoute>
    <DsapiRoute POST "/empty">
        DsapiQuery "SELECT 1"
        DsapiResult none
        DsapiStatus 201
    </DsapiRoute>
    <DsapiRoute GET "/nested">
        DsapiQuery 'SELECT 1 AS "region.id", NULL AS z, $$A"n$$ AS "region.name", true AS a, 2.50 AS "region.size.km"'
    </DsapiRoute>
    <DsapiRoute GET "/contradiction">
        DsapiQuery 'SELECT 1 AS "a.b", 2 AS a'
    </DsapiRoute>
    <DsapiRoute GET "/text">
        DsapiQuery "SELECT E'line 1\nü \"2\"'"
        DsapiResult value
        DsapiContentType "text/plain; charset=utf-8"
    </DsapiRoute>
    <DsapiRoute GET "/bytes">
        DsapiQuery "SELECT string_agg(set_byte('\x00', 0, i), '' ORDER BY i) FROM generate_series(0, 255) i"
        DsapiResult value
        DsapiContentType application/octet-stream
    </DsapiRoute>
    <DsapiRoute GET "/raw-json">
        DsapiQuery 'SELECT $${"b": 1,   "a": [1.0]}$$::json'
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/split">
        DsapiQuery "SELECT 1 AS n, E'/x\r\nX-Evil: 1/ü?a=%41&b=c' AS \"@location\", E'a\"\nb' AS \"@etag\""
        DsapiResult row
    </DsapiRoute>

    # transactions
    <DsapiRoute POST "/two">
        DsapiParam a text
        DsapiParam b text
        DsapiQuery "INSERT INTO note (name) VALUES (:a)"
        DsapiQuery "INSERT INTO note (name) VALUES (:b)"
        DsapiQuery "SELECT name FROM note ORDER BY name"
    </DsapiRoute>
    <DsapiRoute POST "/script">
        DsapiParam by int
        <DsapiSQL>
            INSERT INTO note (name) VALUES ('script; first');
            SELECT 10 / :by AS n;
        </DsapiSQL>
    </DsapiRoute>
    <DsapiRoute POST "/locked">
        <DsapiSQL>
            DO $$ BEGIN LOCK TABLE note IN EXCLUSIVE MODE; END $$;
            SELECT set_config('work_mem', '3MB', true);
            SET LOCAL DateStyle = 'SQL';
            SELECT count(*) AS locks, current_setting('work_mem') AS mem,
                   current_setting('DateStyle') LIKE 'SQL%' AS style
              FROM pg_locks
             WHERE relation = 'note'::regclass AND mode = 'ExclusiveLock';
        </DsapiSQL>
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/left">
        DsapiQuery "SELECT current_setting('work_mem') AS mem"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/write/no">
        DsapiQuery "INSERT INTO note (name) VALUES ('no')"
    </DsapiRoute>
    <DsapiRoute POST "/write/no">
        DsapiQuery "INSERT INTO note (name) VALUES ('no')"
        DsapiWrite Off
    </DsapiRoute>
    <DsapiRoute GET "/write/sly">
        DsapiQuery "SET TRANSACTION READ WRITE; INSERT INTO note (name) VALUES ('sly')"
    </DsapiRoute>
    <DsapiRoute GET "/write/yes">
        DsapiQuery "INSERT INTO note (name) VALUES ('yes') RETURNING name"
        DsapiWrite On
    </DsapiRoute>
    <DsapiRoute GET "/verbatim">
        DsapiParam n int
        <DsapiSQL>
-- a comment with a ' quote, a :name and a \
            SELECT '# no comment' AS hash,  /* :not /* nested */ :this */
                   6
# 3 AS xor
        </DsapiSQL>
        <DsapiSQL>
    SELECT '# no comment' AS hash, 'it''s "so"' AS quote, 'a\b\' AS back,
           $a$${X} :n $HOME$a$ AS dollar, '${TOP}' AS define, :n AS n,
           1
<> 2
           AND 1
<  2 AS less, (:n::int)::text AS "cast",
           '{"a":[1]}'::jsonb @> '{"a":[1]}' AS json,
           (ARRAY[1, 2, 3])[2 : 2] AS slice,
           length('LONG') AS long
        </DsapiSQL>
    </DsapiRoute>

    # errors
    <DsapiRoute GET "/raise">
        DsapiParam what text
        DsapiQuery "SELECT fail(:what)"
    </DsapiRoute>
    <DsapiRoute GET "/no-table">
        DsapiQuery "SELECT * FROM missing_table"
    </DsapiRoute>
    <DsapiRoute POST "/constraint">
        DsapiParam what text
        DsapiQuery "SELECT break_rule(:what)"
    </DsapiRoute>
    <DsapiRoute POST "/denied">
        DsapiQuery "INSERT INTO others_table VALUES (1)"
    </DsapiRoute>

    # values
    <DsapiRoute GET "/values/as-json">
        DsapiParam zone tz
        DsapiQuery "SELECT set_config('timezone', :zone, true)"
        DsapiQuery "SELECT to_json(v) FROM all_values v"
        DsapiResult value
    </DsapiRoute>
    <DsapiRoute GET "/values/as-columns">
        DsapiParam zone tz
        DsapiQuery "SELECT set_config('timezone', :zone, true)"
        DsapiQuery "SELECT * FROM all_values"
        DsapiResult row
    </DsapiRoute>
    <DsapiRoute GET "/big">
        DsapiParam rows int
        DsapiQuery "SELECT n, repeat('x', 90) AS filler, n * 1.5 AS m FROM generate_series(1, :rows) n"
        DsapiDBTimeout 30s
    </DsapiRoute>
</DsapiService>
END
}

values_sql() {
    cat <<'SQL'
CREATE TYPE mood AS ENUM ('sad', 'ok "so"');
CREATE DOMAIN positive AS integer CHECK (value > 0);
CREATE VIEW all_values AS SELECT
    NULL::int AS nothing, NULL::text AS no_text, NULL::int[] AS no_list,
    true AS yes, false AS no, ARRAY[true, NULL, false] AS bools,
    (-32768)::int2 AS i2, (-2147483648)::int4 AS i4,
    9223372036854775807 AS i8, ARRAY[1, NULL, -3] AS i4_list,
    '{{1,2},{3,4}}'::int8[] AS i8_grid, '{}'::int[] AS empty_list,
    '[0:1]={5,6}'::int2[] AS i2_from_0, '{{{1}}}'::int[] AS cube,
    4294967295::oid AS an_oid, '1 2 3'::int2vector AS i2v,
    '1 2'::oidvector AS ov, ''::int2vector AS i2v_empty,
    1.50 AS num, 'NaN'::numeric AS num_nan,
    'Infinity'::numeric AS num_inf, '-Infinity'::numeric AS num_minf,
    123456789012345678901234567890.123456789 AS num_long,
    1e-20::numeric AS num_small, 1e30::numeric AS num_large,
    '{1.0,NaN,NULL,-Infinity}'::numeric[] AS num_list,
    0.1::float4 AS f4, 0.1::float8 AS f8, 1e300::float8 AS f8_large,
    1e-300::float8 AS f8_small, 'NaN'::float8 AS f8_nan,
    'Infinity'::float4 AS f4_inf, '-Infinity'::float8 AS f8_minf,
    '-0'::float8 AS f8_zero, 1e15::float8 AS f8_15, 1e16::float8 AS f8_16,
    1.7976931348623157e308 ::float8 AS f8_max,
    '{1.5,NaN,Infinity,NULL}'::float8[] AS f8_list,
    ''::text AS t_empty, 'plain' AS t_plain, 'üñ€😀' AS t_utf8,
    E'q" b\\ s/ t\t n\n r\r b\b f\f v\x0b e\x1b d\x7f' AS t_control,
    'null' AS t_null, '<script>&' AS t_html,
    'ab'::char(5) AS bpchar, 'v'::varchar(3) AS vc, 'n'::name AS nm,
    'c'::"char" AS ch,
    ARRAY['a', '', NULL, 'NULL', 'a,b', '{x}', E'\\', '"', ' ', 'ü'] AS t_list,
    '{{a,b},{c,"d e"}}'::text[] AS t_grid,
    ARRAY['a ', 'b']::char(3)[] AS bp_list, '{x,y}'::varchar[] AS vc_list,
    '\x00ff41'::bytea AS bin, ''::bytea AS bin_empty,
    ARRAY['\x00'::bytea, NULL] AS bin_list,
    '2024-02-29'::date AS d, 'infinity'::date AS d_inf,
    '-infinity'::date AS d_minf, '0044-03-15 BC'::date AS d_bc,
    '10000-01-01'::date AS d_far, '{2024-01-01,NULL}'::date[] AS d_list,
    '12:34:56.789'::time AS tm, '24:00'::time AS tm_24,
    '12:34:56+05:45'::timetz AS ttz, ARRAY['12:00'::time] AS tm_list,
    '2024-05-31 10:30:00'::timestamp AS ts,
    '2024-05-31 10:30:00.123456'::timestamp AS ts_us,
    '2024-05-31 10:30:00.1'::timestamp AS ts_tenth,
    'infinity'::timestamp AS ts_inf, '0044-03-15 12:00 BC'::timestamp AS ts_bc,
    ARRAY['2024-05-31 10:30'::timestamp, NULL, 'infinity'] AS ts_list,
    '2024-05-31 10:30:00+02'::timestamptz AS tstz,
    '2024-12-31 23:59:59.999999Z'::timestamptz AS tstz_us,
    '1890-01-01 00:00Z'::timestamptz AS tstz_lmt,
    '0044-03-15 12:00Z BC'::timestamptz AS tstz_bc,
    '-infinity'::timestamptz AS tstz_minf,
    '12024-05-31 00:00Z'::timestamptz AS tstz_far,
    ARRAY['2024-01-01Z'::timestamptz, NULL, 'infinity'] AS tstz_list,
    '1 year 2 mons -3 days 04:05:06.7'::interval AS iv,
    ARRAY['1 day'::interval] AS iv_list,
    'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'::uuid AS u,
    ARRAY['f81d4fae-7dec-11d0-a765-00a0c91e6bf6'::uuid, NULL] AS u_list,
    '{"b": 1,  "a": [1.0, "x"]}'::json AS js, 'null'::json AS js_null,
    '"s"'::json AS js_text, E'{\n"a":\t1}'::json AS js_lines,
    '{"b": 1,  "a": [1.0, "x"]}'::jsonb AS jb, 'null'::jsonb AS jb_null,
    '12'::jsonb AS jb_number,
    ARRAY['{"a": "q\""}'::json, '[1, 2]', NULL, 'null'] AS js_list,
    ARRAY['{"a": "}"}'::jsonb, '"x,y"'] AS jb_list,
    '10.0.0.1/8'::inet AS ip, '10.0.0.0/8'::cidr AS net,
    '08:00:2b:01:02:03'::macaddr AS mac,
    ARRAY['::1'::inet, '10.0.0.1'] AS ip_list,
    B'1010' AS bits, B'101'::varbit AS vbits, 12.34::money AS cash,
    '(1,2)'::point AS pt, '((1,1),(0,0))'::box AS bx,
    ARRAY['((1,1),(0,0))'::box, '((3,3),(2,2))'] AS bx_list,
    ARRAY['(1,2)'::point] AS pt_list, '{1,2,3}'::line AS ln,
    '<(0,0),1>'::circle AS circ,
    'a:1 b:2'::tsvector AS tsv, 'a & b'::tsquery AS tsq,
    '[1,5)'::int4range AS ir, '[2024-01-01,2024-02-01)'::daterange AS dr,
    ARRAY['[1,2)'::int4range, 'empty'] AS ir_list,
    '{[1,2),[5,6)}'::int4multirange AS mr,
    '[2024-01-01 00:00Z,)'::tstzrange AS tr,
    'pg_class'::regclass AS rc, '0/16B3748'::pg_lsn AS lsn,
    'ok "so"'::mood AS an_enum, 5::positive AS a_domain,
    '(0,1)'::tid AS a_tid, 'pg_catalog.sum(int4)'::regprocedure AS rp,
    ARRAY['$.a'::jsonpath] AS jp_list, '12'::xid AS an_xid;
SQL
}

tables_sql() {
    cat <<'SQL'
CREATE TABLE thing (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO thing VALUES (1, 'one'), (2, 'two');
CREATE TABLE note (id bigserial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE strict (
    id int PRIMARY KEY, thing_id int NOT NULL REFERENCES thing,
    n int CHECK (n > 0), short varchar(3),
    span int4range, EXCLUDE USING gist (span WITH &&)
);
INSERT INTO strict VALUES (1, 1, 1, 'a', '[1,5)');
CREATE FUNCTION fail(what text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'no more "of" this: ü' USING
        ERRCODE = what, DETAIL = 'SELECT detail', HINT = 'pg_hint';
END $$;
CREATE FUNCTION break_rule(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CASE what
    WHEN 'unique' THEN INSERT INTO strict VALUES (1, 1);
    WHEN 'foreign' THEN INSERT INTO strict VALUES (2, 99);
    WHEN 'check' THEN INSERT INTO strict VALUES (2, 1, -1);
    WHEN 'null' THEN INSERT INTO strict VALUES (2, NULL);
    WHEN 'exclude' THEN INSERT INTO strict VALUES (2, 1, 1, 'a', '[4,6)');
    WHEN 'number' THEN INSERT INTO strict VALUES ('x'::text::int, 1);
    WHEN 'long' THEN INSERT INTO strict VALUES (2, 1, 1, 'abcd');
    END CASE;
END $$;
SQL
}

hosts_conf() {
    cat <<'END'
<DsapiService main "/main">
    <DsapiRoute GET "/who">
        DsapiQuery "SELECT 'main'"
        DsapiResult value
    </DsapiRoute>
</DsapiService>
<DsapiService v "/v">
    <DsapiRoute GET "/who">
        DsapiQuery "SELECT 'main'"
        DsapiResult value
    </DsapiRoute>
</DsapiService>
<VirtualHost *>
    ServerName inherits.test
</VirtualHost>
<VirtualHost *>
    ServerName one.test
    <DsapiService v "/v">
        <DsapiRoute GET "/who">
            DsapiQuery "SELECT 'one'"
            DsapiResult value
        </DsapiRoute>
        <DsapiRoute GET "/sleep">
            DsapiQuery "SELECT pg_sleep(0.5)"
        </DsapiRoute>
    </DsapiService>
</VirtualHost>
<VirtualHost *>
    ServerName two.test
    DsapiDBTimeout 100ms
    <DsapiService another "/v">
        <DsapiRoute GET "/who">
            DsapiQuery "SELECT 'two'"
            DsapiResult value
        </DsapiRoute>
        <DsapiRoute GET "/sleep">
            DsapiQuery "SELECT pg_sleep(0.5)"
        </DsapiRoute>
    </DsapiService>
    <DsapiService only "/only">
        <DsapiRoute GET "/who">
            DsapiQuery "SELECT 'only'"
            DsapiResult value
        </DsapiRoute>
    </DsapiService>
</VirtualHost>
END
}

setup_file() {
    mkdir "$BATS_FILE_TMPDIR/more"
    # with a byte order mark
    echo $'\xef\xbb\xbf'"SELECT 'from a file', :n /* and ; a comment */ AS n -- 'end" \
        >"$BATS_FILE_TMPDIR/more/query.sql"
    cat >"$BATS_FILE_TMPDIR/more/again.conf" <<'END'
<DsapiService t "/t/v1">
    <DsapiRoute GET "/file/{n}">
        DsapiParam n int
        DsapiQueryFile query.sql
    </DsapiRoute>
</DsapiService>
END
    # httpd's children read none of it
    DSAPI_SERVICES=none dsapi_up "$(
        echo_routes
        long=$(head -c 5000 /dev/zero | tr '\0' x)
        routes_conf | sed "s/LONG/$long/"
        echo "Include \"$BATS_FILE_TMPDIR/more/again.conf\""
    )" "$(before_conf)"
    sql_super 'CREATE TABLE others_table (n int)' \
        -c 'GRANT USAGE, CREATE ON SCHEMA public TO dsapi'
    tables_sql | srv_psql "$DSAPI_DIR/pg" -f -
    values_sql | srv_psql "$DSAPI_DIR/pg" -f -
    echo 'joe:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=' >"$DSAPI_DIR/httpd/users"
    chmod 644 "$DSAPI_DIR/httpd/users"
}

# Statements that fail are logged with their SQLSTATE.
claim_sql() {
    claim_log "DSAPI0003: [a-z-]+: SQLSTATE $1"
}

post() {
    req POST "$1" -H 'Content-Type: application/json' --data-binary "$2" \
        "${@:3}"
}

# raw TEXT: send it as it is (printf's escapes), print all of the answer
raw() {
    local fd

    exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
    # shellcheck disable=SC2059 # escapes are meant
    printf "$1" >&"$fd"
    timeout 20 cat <&"$fd" || true
    exec {fd}>&-
}

# lacks GREP-ARGUMENT...: no line is like that
lacks() {
    ! grep "$@"
}

# nothing of SQL, files or hosts may be in an answer
no_leak() {
    ! grep -iE 'select|insert|sqlstate|relation|pg_|\.sql|\.c:|/tmp|sock|host=|dbname' \
        "$RES/body"
}

# ---- parameters ----

@test "every type in a query, a path, headers, a JSON body and a form" {
    local -a query=(-G)
    local one path='' name value
    local want='{"p_text":"a b+ü%","p_int":-2147483648,"p_bigint":9223372036854775807,"p_number":12.50,"p_bool":true,"p_date":"2024-02-29","p_timestamp":"2024-05-31T10:30:00.123456+00:00","p_uuid":"f81d4fae-7dec-11d0-a765-00a0c91e6bf6","p_iso2":"DE","p_iso3":"COL","p_slug":"guinea-bissau","p_tz":"Europe/Madrid","p_json":{"a": [1, null]}}'
    local -a values=(
        'p_text=a b+ü%' p_int=-2147483648 p_bigint=9223372036854775807
        p_number=12.50 p_bool=1 p_date=2024-02-29
        p_timestamp=2024-05-31T12:30:00.123456+02:00
        p_uuid=F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6 p_iso2=de p_iso3=col
        p_slug=Guinea-Bissau p_tz=Europe/Madrid 'p_json={"a": [1, null]}')
    local -a headers=() form=()

    for one in "${values[@]}"; do
        query+=(--data-urlencode "$one")
        form+=(--data-urlencode "$one")
        name=${one%%=*}
        headers+=(-H "${name/_/-}: ${one#*=}")
        value=$(jq -rn --arg v "${one#*=}" '$v | @uri')
        path+=/${value/Europe%2F/}      # no slash within a segment
    done
    req GET /echo/query "${query[@]}"
    expect 200
    [[ $body == "$want" ]]
    [[ $(header Content-Type) == 'application/json; charset=utf-8' ]]
    req GET /echo/header "${headers[@]}"
    expect 200
    [[ $body == "$want" ]]
    req GET "/echo/path$path"
    expect 200
    [[ $body == "${want/Europe\//}" ]]
    req POST /echo/body "${form[@]}"
    expect 200
    [[ $body == "$want" ]]
    post /echo/body "${want/2024-05-31T10:30:00.123456+00:00/2024-05-31T12:30:00.123456+02:00}"
    expect 200
    [[ $body == "$want" ]]
    req PATCH /echo/both "${query[@]}"
    expect 200
    [[ $body == "$want" ]]
    req DELETE /echo/query "${query[@]}"
    expect 200
    [[ $body == "$want" ]]
}

@test "what is absent is null, and so is a JSON null, but for json itself" {
    local nulls

    nulls=$(jq -cn --arg t "$TYPES" '[$t | split(" ")[] | {("p_" + .): null}] | add')
    req GET /echo/query
    expect 200
    [[ $body == "$nulls" ]]
    post /echo/body "$nulls"
    expect 200
    [[ $body == "$nulls" ]]
    post /echo/body '{}'
    expect 200
    [[ $body == "$nulls" ]]
    post /echo/body '{"p_json":null}'
    expect 200 '.p_json == null' true
}

@test "an empty text is a text, not NULL" {
    req GET '/echo/query?p_text='
    expect 200 .p_text ''
    [[ $(json '.p_text | type') == string ]]
    req GET '/echo/query?p_text'
    [[ $(json '.p_text | type') == string ]]
    req GET '/echo/header' -H 'p-text;'
    [[ $(json '.p_text | type') == string ]]
}

@test "lists: commas in a URL, arrays in a body" {
    local want='{"p_text":["a b","ü"],"p_int":[1,-2],"p_bigint":[9007199254740993],"p_number":[1.50,1e3],"p_bool":[true,false],"p_date":["2024-01-01"],"p_timestamp":["2024-01-01T00:00:00+00:00"],"p_uuid":["f81d4fae-7dec-11d0-a765-00a0c91e6bf6"],"p_iso2":["DE","FR"],"p_iso3":["DEU"],"p_slug":["x"],"p_tz":["UTC"],"p_json":[1,{"a": "b"}]}'

    req GET '/echo/list?p_text=a+b,%C3%BC&p_int=1,-2&p_bigint=9007199254740993&p_number=1.50,1000&p_bool=true,0&p_date=2024-01-01&p_timestamp=2024-01-01T00:00:00Z&p_uuid=f81d4fae-7dec-11d0-a765-00a0c91e6bf6&p_iso2=de,FR&p_iso3=deu&p_slug=X&p_tz=UTC&p_json=1,%7B%22a%22:%20%22b%22%7D'
    expect 200
    [[ $body == "${want/1e3/1000}" ]]
    post /echo/list "$want"
    expect 200
    [[ $body == "${want/1e3/1000}" ]]
    # headers of one name are one list, whoever joins them
    req GET /echo/headers -H 'p-text: a  b' -H 'p-text: c,d' -H 'p-int: 1 , 2'
    expect 200 '.p_text | tojson' '["a  b","c","d"]' '.p_int | tojson' '[1,2]'
    post /echo/list '{"p_text":["a,b","{\"}","\\","NULL",""],"p_int":[]}'
    expect 200 '.p_text | tojson' '["a,b","{\"}","\\","NULL",""]' \
        '.p_int | tojson' '[]'
    for one in 'p_int=1,,2' 'p_int=' 'p_int=,1' 'p_text=a,'; do
        req GET "/echo/list?$one"
        expect_problem 400 invalid-parameter "${one%%=*}"
    done
    post /echo/list '{"p_int":[1,"2"],"p_bool":true,"p_date":["2024-01-01",null]}'
    expect_problem 400 invalid-parameter p_int
    expect 400 '[.errors[].name] | sort | tojson' '["p_bool","p_date","p_int"]'
}

@test "values that are wrong for their type are named, whatever the place" {
    local one
    local -a wrong=(
        p_int=1.0 p_int=2147483648 p_int=-2147483649 p_int=0x10 p_int=+1
        'p_int=%201' p_int=1e3 p_int= p_bigint=9223372036854775808
        p_bigint=-9223372036854775809 p_number=NaN p_number=Infinity
        p_number=1. p_number=.5 p_number=01 p_number=1e9999 p_number=1_000
        p_bool=yes p_bool=TRUE p_bool=2 p_date=2023-02-29 p_date=2023-2-1
        p_date=2023-13-01 p_date=infinity p_date=now p_date=20230101
        p_date=2023-01-01T00:00:00Z p_timestamp=2024-05-31
        p_timestamp=2024-05-31T24:00:00Z p_timestamp=2024-05-31T12:61:00Z
        p_timestamp=2024-05-31T12:30:00+25:00 p_timestamp=now
        p_uuid=f81d4fae7dec11d0a76500a0c91e6bf6 p_uuid=x p_iso2=XX
        p_iso2=DEU p_iso3=DE p_iso3=XXX p_slug=a--b p_slug=-a p_slug=a_b
        p_slug=%C3%A4 p_tz=../etc p_tz=Europe//Madrid p_json=%7B p_json=
        p_json=nan p_json=1e9999 p_json=%22%5Cu0000%22
        'p_json=%7B%22a%22:1,%22a%22:2%7D' p_text=%FF p_text=%ED%A0%80 p_text=%C0%80 p_text=a%00b
        p_text=%4 p_text=%zz)

    for one in "${wrong[@]}"; do
        req GET "/echo/query?$one"
        [[ $status == 400 ]] && jq -e --arg name "${one%%=*}" '
            .code == "invalid-parameter" and (.errors | length) == 1 and
            .errors[0].in == "query" and .errors[0].name == $name and
            (.errors[0].message | length) > 5' "$RES/body" >/dev/null || {
            echo "$one: $status $body"
            return 1
        }
    done
}

@test "JSON values of another kind are refused, and say what is wanted" {
    local one

    for one in '"p_text":1' '"p_int":"1"' '"p_int":1.5' '"p_int":1e2' \
        '"p_bigint":1.0' '"p_number":"1"' '"p_bool":"true"' '"p_bool":1' \
        '"p_date":20240101' '"p_uuid":{}' '"p_iso3":["COL"]' \
        '"p_text":"\u0000"'; do
        post /echo/body "{$one}"
        expect 400 .status 400 '.detail | length > 10' true || {
            echo "$one"
            return 1
        }
    done
    post /echo/body '{"p_int":"1"}'
    expect_problem 400 invalid-parameter p_int
    expect 400 '.errors[0].message' 'must be a number, not a string' \
        '.errors[0].in' body
}

@test "all mistakes of a request come together" {
    req POST '/t/v1/many/x?from=2024-02-30&unknown=1&from=2024-01-01&limit=0' \
        -H 'X-Level: high' -H 'Content-Type: application/json' \
        --data-binary '{"name":5,"colour":"mauve","other":1}'
    expect_problem 400 invalid-parameter
    [[ $(json '[.errors[] | .in + ":" + .name] | sort | join(" ")') == \
        'body:colour body:name body:other body:price header:x_level path:id query:from query:from query:limit query:unknown' ]]
    expect 400 'all(.errors[]; .message | length > 5)' true
    # what cannot be decoded hides nothing, in a query and in a form
    req POST '/t/v1/many/%ff?from=%ff&limit=0&%=1&unknown=%zz' \
        -H $'X-Level: \xff' \
        --data-binary 'name=%C3&colour=mauve&other=1&price=%00'
    expect_problem 400 invalid-parameter
    [[ $(json '[.errors[] | .in + ":" + .name] | sort | join(" ")') == \
        'body:colour body:name body:other body:price header:x_level path:id query: query:from query:limit query:unknown' ]]
    # a body that is no JSON has no members to be looked at
    req POST '/t/v1/many/x?limit=0' -H 'Content-Type: application/json' \
        --data-binary '{"name":'
    expect_problem 400 invalid-json
    [[ $(sql "SELECT count(*) FROM note") == 0 ]]
}

@test "defaults, bounds, bounds by another parameter, enum, pattern" {
    req GET /t/v1/checked
    expect 200 tojson '{"n":5,"from":"2024-01-01","to":"2024-12-31","unit":"kg","code":null,"list":null}'
    req GET '/t/v1/checked?n=1&from=2024-06-01&to=2024-06-01&unit=g&code=AB1&list=1,2'
    expect 200 tojson '{"n":1,"from":"2024-06-01","to":"2024-06-01","unit":"g","code":"AB1","list":[1,2]}'
    req GET '/t/v1/checked?n=0'
    expect_problem 400 invalid-parameter n
    req GET '/t/v1/checked?n=11'
    expect_problem 400 invalid-parameter n
    req GET '/t/v1/checked?from=2024-06-02&to=2024-06-01'
    expect_problem 400 invalid-parameter to
    expect 400 '.errors[0].message | test("from")' true
    req GET '/t/v1/checked?from=2025-01-01'
    expect_problem 400 invalid-parameter to
    req GET '/t/v1/checked?unit=lb'
    expect_problem 400 invalid-parameter unit
    expect 400 '.errors[0].message | test("kg, g")' true
    for one in AB1x AB1%0A; do
        req GET "/t/v1/checked?code=$one"
        expect_problem 400 invalid-parameter code
    done
    req GET '/t/v1/checked?list=1,7'
    expect_problem 400 invalid-parameter list
}

@test "an unknown or repeated query parameter is a mistake" {
    req GET '/echo/query?p_txt=1'
    expect_problem 400 invalid-parameter p_txt
    req GET '/echo/query?p_int=1&p_int=1'
    expect_problem 400 invalid-parameter p_int
    req GET '/echo/query?&&p_int=1&'
    expect 200 .p_int 1
    req POST '/echo/body?x=1'
    expect_problem 400 invalid-parameter x
    req DELETE '/echo/query?x=1'
    expect_problem 400 invalid-parameter x
    req GET '/t/v1/rows?%FF=1'
    expect_problem 400 invalid-parameter
}

# ---- URLs ----

@test "a path is decoded once, as UTF-8; a plus is a plus" {
    req GET /t/v1/show/a+b
    expect 200 . a+b
    req GET /t/v1/show/%C3%BC%20%22%27%3B--
    expect 200 . "ü \"';--"
    req GET /t/v1/show/%2541
    expect 200 . %41
    req GET /t/v1/show/x%3Fy%23z
    expect 200 . 'x?y#z'
    req GET /t/v1/show/ü
    expect 200 . ü
    req GET /t/v1/show/%FF%FE
    expect_problem 400 invalid-parameter s
    iconv -f UTF-8 -t UTF-8 "$RES/body"
    req GET /t/v1/no/%FF
    expect_problem 404 not-found
    expect 404 .instance /t/v1/no/%ff
    iconv -f UTF-8 -t UTF-8 "$RES/body"
    req GET '/t/v1/show/a%00b'
    expect_problem 400 bad-request
    claim_log 'AH10244: invalid URI path \(/t/v1/show/%zz\)'
    req GET '/t/v1/show/%zz'
    [[ $status == 404 || $status == 400 ]]
    expect_problem "$status" "$(json .code)"
    req GET '/t/v1/show/a%2Fb'
    expect_problem 404 not-found
    req GET /t/v1/show/../show/./x
    expect 200 . x
}

@test "literals beat parameters, slashes and case count, unknown is 404" {
    req GET /t/v1/show/me
    expect 200 . literal
    req GET /t/v1/show/me2
    expect 200 . me2
    req GET /t/v1/show/x/deep
    expect 200 . x
    req GET /t/v1/show/me/deep
    expect 200 . me
    for one in /t/v1/show /t/v1/show/ /t/v1/show/me/ /t/v1/Show/me \
        /t/v1/nothing /t/v1/show/x/y /t/v1/rows/; do
        req GET "$one"
        expect_problem 404 not-found
        expect 404 .instance "$one"
    done
    for one in /t /t/v2 /t/v11 /T/v1/rows; do       # not under a base
        req GET "$one"
        expect 404
        [[ $(header Content-Type) == text/html* ]]
    done
}

@test "the base itself, and the longest base" {
    req GET /t/v1
    expect 200 . root
    req GET /t/v1/
    expect 200 . root
    req GET /t/v1/long/rows
    expect 200 . other-service
    req GET /t/v1/long
    expect_problem 404 not-found
    req GET /t/v1/longer
    expect 200 . longer
}

@test "a service goes on in another file; DsapiQueryFile is relative to it" {
    req GET /t/v1/file/7
    expect 200 tojson '[{"?column?":"from a file","n":7}]'
}

@test "HEAD is GET without its body" {
    local length

    req GET /t/v1/rows
    length=$(header Content-Length)
    [[ $length == "${#body}" ]]
    req HEAD /t/v1/rows
    expect 200
    [[ $(header Content-Length) == "$length" ]]
    [[ $(header Content-Type) == 'application/json; charset=utf-8' ]]
    req GET /t/v1/nothing
    length=$(header Content-Length)
    req HEAD /t/v1/nothing
    expect 404
    [[ $(header Content-Length) == "$length" ]]
    req HEAD /t/v1/status
    expect 405
    # no byte of a body is on the line
    out=$(raw "HEAD /t/v1/rows HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" | od -An -c | tr -d ' \n')
    [[ $out == *'\r\n\r\n' ]]
}

@test "OPTIONS and a wrong method name what is allowed" {
    req OPTIONS /t/v1/things/1
    expect 204
    [[ $(header Allow) == 'GET, HEAD, DELETE, OPTIONS' ]]
    [[ -z $body ]]
    for one in POST PUT PATCH TRACE PROPFIND FOO; do
        req "$one" /t/v1/things/1
        expect_problem 405 method-not-allowed || {
            echo "$one"
            return 1
        }
        [[ $(header Allow) == 'GET, HEAD, DELETE, OPTIONS' ]]
    done
    req OPTIONS /t/v1/nothing
    expect_problem 404 not-found
    req OPTIONS /t/v1/status
    [[ $(header Allow) == 'POST, OPTIONS' ]]
}

# ---- bodies ----

@test "an empty body is no body, whatever its type says" {
    for one in application/json text/csv 'nonsense' application/x-www-form-urlencoded; do
        req POST /echo/body -H "Content-Type: $one" -H 'Content-Length: 0'
        expect 200 .p_int null
        req POST /echo/body -H "Content-Type: $one" \
            -H 'Transfer-Encoding: chunked' -d ''
        expect 200 .p_int null
    done
    req POST /t/v1/whole -H 'Content-Type: application/json'
    expect_problem 400 invalid-parameter doc
}

@test "bodies that are no JSON, or not an object, change nothing" {
    local one

    for one in '{' '{"name":1}x' "{'name':1}" '{"name":"a","name":"b"}' \
        '{"name":"a",}' '[' 'nul' '{"name":NaN}' '{"name":"\ud800"}' \
        $'{"name":"\x01"}' ' ' '{"name":1e9999}'; do
        post /t/v1/notes "$one"
        expect_problem 400 invalid-json || {
            echo "$one"
            return 1
        }
    done
    printf '{"name":"\xff"}' >"$BATS_TEST_TMPDIR/bad"
    post /t/v1/notes "@$BATS_TEST_TMPDIR/bad"
    expect_problem 400 invalid-json
    printf '\xef\xbb\xbf{"name":"bom"}' >"$BATS_TEST_TMPDIR/bad"
    post /t/v1/notes "@$BATS_TEST_TMPDIR/bad"
    expect_problem 400 invalid-json
    for one in '[]' '"x"' 1 null true; do
        post /t/v1/notes "$one"
        expect_problem 400 invalid-parameter
    done
    post /t/v1/notes "$(printf '[%.0s' {1..5000})"
    expect_problem 400 invalid-json
    [[ $(sql 'SELECT count(*) FROM note') == 0 ]]
}

@test "types of bodies: JSON, +json, forms; else 415" {
    local one

    for one in application/json 'APPLICATION/JSON; charset=UTF-8' \
        application/merge-patch+json; do
        req POST /echo/body -H "Content-Type: $one" -d '{"p_int":1}'
        expect 200 .p_int 1
    done
    req POST /echo/body -d 'p_text=a+b%2B%C3%BC&p_int=1'
    expect 200 .p_text 'a b+ü' .p_int 1
    req POST /echo/body -H 'Content-Type: application/x-www-form-urlencoded; charset=utf-8' -d p_int=1
    expect 200 .p_int 1
    for one in text/plain application/jsonp text/csv multipart/form-data \
        application/json5 ''; do
        req POST /echo/body -H "Content-Type: $one" -d '{"p_int":1}'
        expect_problem 415 unsupported-type
    done
    req POST /echo/body -d 'p_text=%FF'
    expect_problem 400 invalid-parameter p_text
    req POST /echo/body -d 'p_text=a%00b'
    expect_problem 400 invalid-parameter p_text
    req POST /echo/body -d 'p_int=1&p_int=2&x=1'
    expect_problem 400 invalid-parameter p_int
    expect 400 '[.errors[].name] | tojson' '["p_int","x"]'
}

@test "the whole body as one parameter" {
    post /t/v1/whole '{"a": 1.50, "b": [true, null]}'
    expect 200
    [[ $body == '{"a": 1.50, "b": [true, null]}' ]]
    post /t/v1/whole '[1, 2]'
    [[ $body == '[1, 2]' ]]
    post /t/v1/whole 'null'
    expect 200
    [[ $body == null ]]
    post /t/v1/slugs '["A-b","c"]'
    expect 200 tojson '["a-b","c"]'
    post /t/v1/slugs '["A b"]'
    expect_problem 400 invalid-parameter
    post /t/v1/slugs '{}'
    expect_problem 400 invalid-parameter
    req POST /t/v1/slugs -d '["a"]'
    expect_problem 415 unsupported-type
    expect 415 .detail \
        'the body must be application/json, said so in Content-Type'
}

@test "bodies over the bound: 413, said before and said as they come" {
    local big=$BATS_TEST_TMPDIR/big

    head -c 2000 /dev/zero | tr '\0' ' ' >"$big"
    printf '{"name":"x"}' >>"$big"
    post /t/v1/small "@$big"
    expect_problem 413 body-too-large
    post /t/v1/small "@$big" -H 'Transfer-Encoding: chunked'
    expect_problem 413 body-too-large
    post /t/v1/small "@$big" -H 'Expect: 100-continue'
    expect_problem 413 body-too-large
    head -c 1012 "$big" >"$big.fits"
    printf '{"name":"x"}' >>"$big.fits"
    post /t/v1/small "@$big.fits"
    expect 200 . x
    post /t/v1/small "@$big.fits" -H 'Transfer-Encoding: chunked'
    expect 200 . x
    head -c 11000000 /dev/zero | tr '\0' ' ' >"$big"
    post /t/v1/notes "@$big"
    expect_problem 413 body-too-large
    post /t/v1/notes "@$big" -H 'Transfer-Encoding: chunked'
    expect_problem 413 body-too-large
    req GET /t/v1/rows
    expect 200
}

@test "a body that stops in the middle changes nothing" {
    local fd

    exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
    printf 'POST /t/v1/notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n{"name":"half"}' >&"$fd"
    exec {fd}>&-
    out=$(raw 'POST /t/v1/notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{"name":"chunk"}\r\n0\r\n\r\n')
    [[ $out == 'HTTP/1.1 400 '* && $out == *application/problem+json* ]]
    req GET /t/v1/rows
    expect 200
    [[ $(sql 'SELECT count(*) FROM note') == 0 ]]
}

@test "a GET with a body is answered, the connection goes on" {
    out=$(raw 'GET /t/v1/show/one HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /t/v1/show/two HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    [[ $(grep -o 'HTTP/1.1 200' <<<"$out" | wc -l) == 2 ]]
    [[ $out == *'"one"'*'"two"'* ]]
}

# ---- results ----

@test "shapes: rows, row, value, none, and what is not there" {
    req GET /t/v1/rows
    expect 200
    [[ $body == '[{"id":1,"name":"one"},{"id":2,"name":"two"}]' ]]
    req GET /t/v1/rows?max=0
    expect 200
    [[ $body == '[]' ]]
    req GET /t/v1/things/2
    expect 200
    [[ $body == '{"id":2,"name":"two"}' ]]
    req GET /t/v1/things/3
    expect_problem 404 not-found
    req GET /t/v1/value/2
    expect 200
    [[ $body == '"two"' ]]
    req GET /t/v1/value/3
    expect_problem 404 not-found
    req GET /t/v1/value/-1           # a row whose value is NULL
    expect_problem 404 not-found
    req DELETE /t/v1/things/77
    expect 204
    [[ -z $body && $(header Content-Type || echo none) == none ]]
    req POST /t/v1/status
    expect 202
    [[ $body == '{"state":"taken"}' ]]
    req POST /t/v1/empty
    expect 201
    [[ -z $body ]]
}

@test "aliases with dots nest, and keep their order" {
    req GET /t/v1/nested
    expect 200
    [[ $body == '[{"region":{"id":1,"name":"A\"n","size":{"km":2.50}},"z":null,"a":true}]' ]]
    claim_log 'DSAPI0003: result-shape'
    req GET /t/v1/contradiction
    expect_problem 500 result-shape
    no_leak
}

@test "text and bytea as they are, with a type of their own" {
    req GET /t/v1/text
    expect 200
    [[ $(header Content-Type) == 'text/plain; charset=utf-8' ]]
    [[ $body == $'line 1\nü "2"' ]]
    req GET /t/v1/bytes
    expect 200
    [[ $(header Content-Type) == application/octet-stream ]]
    [[ $(header Content-Length) == 256 ]]
    [[ $(od -An -v -tx1 "$RES/body" | tr -d ' \n') == \
        $(printf '%02x' {0..255}) ]]
    req GET /t/v1/raw-json
    expect 200
    [[ $body == '{"b": 1,   "a": [1.0]}' ]]
}

@test "columns that are headers: @location and @etag" {
    post /t/v1/notes '{"name":"first"}'
    expect 201 .name first
    [[ $(header Location) == /t/v1/notes/* ]]
    [[ $(header ETag) == '"v1"' ]]
    [[ $(json 'keys | join(",")') == id,name ]]
    req GET "$(header Location)"
    expect 200 .name first
    [[ $(header ETag) == 'W/"weak"' ]]
    sql 'DELETE FROM note'
}

@test "a column cannot add a header of its own" {
    req GET /t/v1/split
    expect 200
    lacks -i '^x-evil' "$RES/headers"
    [[ $(header Location) == '/x%0D%0AX-Evil:%201/%C3%BC?a=%41&b=c' ]]
    [[ $(header ETag) == '"a%22%0Ab"' ]]
}

# ---- transactions ----

@test "several queries are one transaction, the last gives the result" {
    claim_sql 23505
    post /t/v1/two '{"a":"p","b":"q"}'
    expect 200
    [[ $body == '[{"name":"p"},{"name":"q"}]' ]]
    post /t/v1/two '{"a":"r","b":"p"}'
    expect_problem 409 conflict
    no_leak
    [[ $(sql "SELECT string_agg(name, ',' ORDER BY name) FROM note") == p,q ]]
    sql 'DELETE FROM note'
}

@test "a failed last statement of a script undoes the script" {
    claim_sql 22012
    post /t/v1/script '{"by":0}'
    expect_problem 400 invalid-value
    [[ $(sql 'SELECT count(*) FROM note') == 0 ]]
    post /t/v1/script '{"by":2}'
    expect 200 '.[0].n' 5
    [[ $(sql 'SELECT count(*) FROM note') == 1 ]]
    sql 'DELETE FROM note'
}

@test "a lock and settings last as long as the transaction" {
    for _ in 1 2; do
        post /t/v1/locked '{}'
        expect 200 tojson '{"locks":1,"mem":"3MB","style":true}'
        [[ $(sql "SELECT count(*) FROM pg_locks WHERE relation = 'note'::regclass AND mode = 'ExclusiveLock'") == 0 ]]
    done
    req GET "/t/v1/left"
    expect 200 .mem 4MB
}

@test "a GET cannot write, unless it says so; a POST can be kept from it" {
    claim_sql 25001
    claim_sql 25006
    req GET /t/v1/write/no
    expect_problem 500 internal
    no_leak
    req POST /t/v1/write/no
    expect_problem 500 internal
    req GET /t/v1/write/sly
    expect_problem 500 internal
    req HEAD /t/v1/write/no
    expect 500
    [[ $(sql 'SELECT count(*) FROM note') == 0 ]]
    req GET /t/v1/write/yes
    expect 200
    [[ $(sql 'SELECT count(*) FROM note') == 1 ]]
    sql 'DELETE FROM note'
    req GET /t/v1/rows      # the connection writes nothing afterwards
    expect 200
}

@test "verbatim SQL: quotes, '#', backslashes, '<', \${X}, comments" {
    req GET '/t/v1/verbatim?n=3'
    expect 200
    jq -e '. == [{
        "hash": "# no comment", "quote": "it'"'"'s \"so\"", "back": "a\\b\\",
        "dollar": "${X} :n $HOME", "define": "${TOP}", "n": 3, "less": true,
        "cast": "3", "json": true, "slice": [2], "long": 5000
    }]' "$RES/body"
}

# ---- errors ----

@test "RAISE reaches the client, other messages do not" {
    claim_sql P0001
    claim_sql PT
    claim_sql 42P01
    claim_sql 42883
    req GET '/t/v1/raise?what=P0001'
    expect_problem 400 refused
    expect 400 .detail 'no more "of" this: ü'
    req GET '/t/v1/raise?what=PT418'
    expect_problem 418 refused
    expect 418 .detail 'no more "of" this: ü'
    req GET '/t/v1/raise?what=PT409'
    expect_problem 409 conflict
    req GET '/t/v1/raise?what=PT404'
    expect_problem 404 not-found
    expect 404 .detail 'no more "of" this: ü'
    req GET '/t/v1/raise?what=PT503'
    expect_problem 503 refused
    [[ -n $(header Retry-After) ]]
    req GET '/t/v1/raise?what=PT429'
    expect_problem 429 refused
    [[ -n $(header Retry-After) ]]
    req GET '/t/v1/raise?what=P0002'
    expect_problem 404 not-found
    lacks 'no more' "$RES/body"
    req GET '/t/v1/raise?what=42883'
    expect_problem 500 internal
    lacks 'no more' "$RES/body"
    req GET /t/v1/no-table
    expect_problem 500 internal
    no_leak
    lacks -i missing "$RES/body"
}

@test "constraints: 409 and 400, without names of tables" {
    local one

    claim_sql 23
    claim_sql 22
    for one in 409:conflict:unique 409:conflict:foreign 400:invalid-value:check \
        400:invalid-value:null 409:conflict:exclude 400:invalid-value:number \
        400:invalid-value:long; do
        IFS=: read -r want code what <<<"$one"
        post /t/v1/constraint "{\"what\":\"$what\"}"
        expect_problem "$want" "$code" || {
            echo "$one"
            return 1
        }
        no_leak
        lacks -E 'strict|note|_key|_fkey|_check' "$RES/body"
    done
    req POST /t/v1/denied
    expect_problem 403 denied
    no_leak
    [[ $(sql 'SELECT count(*) FROM strict') == 1 ]]
}

@test "problem documents have every member, and their own type" {
    req GET '/t/v1/things/x?y=1'
    expect 400 .type about:blank .title 'Bad Request' .status 400 \
        .instance /t/v1/things/x .code invalid-parameter \
        'keys | join(",")' code,detail,errors,instance,status,title,type
    [[ $(header Content-Type) == application/problem+json ]]
    [[ $(header Cache-Control) == no-store ]]
    [[ -n $(header X-Request-Id) ]]
    req GET /t/v1/no%20such%20thing/%C3%BC
    expect 404
    # a URI reference (RFC 9457)
    json .instance | grep -xE '[A-Za-z0-9/._~%-]+'
}

# ---- X-Request-Id ----

in_log() {
    grep -Eq "DSAPI0003.*\[$1 00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\]" \
        "$DSAPI_DIR/httpd/error.log"
}

@test "X-Request-Id: kept, made where there is none, replaced where it is bad" {
    local one made
    local uuid='^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'

    req GET /t/v1/rows -H 'X-Request-Id: My-id_1.2:3+4/5='
    [[ $(header X-Request-Id) == My-id_1.2:3+4/5= ]]
    req GET /t/v1/nothing -H 'X-Request-Id: seen-in-log-1'
    [[ $(header X-Request-Id) == seen-in-log-1 ]]
    wait_until 5 in_log seen-in-log-1
    req GET /t/v1/nothing
    made=$(header X-Request-Id)
    [[ $made =~ $uuid ]]
    wait_until 5 in_log "$made"
    for one in 'a b' 'a"b' '<x>' 'ü' "$(printf 'x%.0s' {1..129})" 'a,b'; do
        req GET /t/v1/rows -H "X-Request-Id: $one"
        expect 200
        [[ $(header X-Request-Id) =~ $uuid ]] || {
            echo "$one: $(header X-Request-Id)"
            return 1
        }
    done
    req GET /t/v1/rows -H "X-Request-Id: $(printf 'x%.0s' {1..128})"
    [[ ${#made} == 36 && $(header X-Request-Id) == xxx* ]]
    claim_log 'AH01630: client denied by server configuration'
    req GET /t/v1/closed -H 'X-Request-Id: kept-in-403'
    expect 403
    [[ $(header X-Request-Id) == kept-in-403 ]]
    [[ $(header X-Request-Id | wc -l) == 1 ]]
}

# ---- what httpd says itself ----

@test "httpd's own errors under a base are problems" {
    claim_log 'AH01630: client denied by server configuration'
    claim_log 'AH0161[78]: user|AH01797'
    req GET /t/v1/closed
    expect_problem 403 forbidden
    req HEAD /t/v1/closed
    expect 403
    [[ $(header Content-Type) == application/problem+json* ]]
    req GET /t/v1/members/1
    expect_problem 401 unauthorized
    [[ $(header WWW-Authenticate) == 'Basic realm="members"' ]]
    req GET /t/v1/members/1 -u joe:wrong
    expect_problem 401 unauthorized
    [[ $(header WWW-Authenticate) == 'Basic realm="members"' ]]
    req GET /t/v1/members/1 -u joe:secret
    expect 200 . joe
    post /t/v1/limited/x '{"s":"0123456789012345678901234567890123456789"}'
    expect_problem 413 body-too-large
    post /t/v1/limited/x '{"s":"0123456789012345678901234567890123456789"}' \
        -H 'Transfer-Encoding: chunked'
    expect_problem 413 body-too-large
    post /t/v1/limited/x '{"s":"0"}'
    expect 200 . 0
    req GET /closed-elsewhere
    expect 403
    [[ $(header Content-Type) == text/html* ]]
}

@test "ErrorDocument does not come between" {
    claim_log 'AH01630: client denied by server configuration'
    req GET /t/v1/documented/closed
    expect_problem 403 forbidden
    req GET /t/v1/documented/nothing
    expect_problem 404 not-found
}

@test "a SetHandler under a base keeps working" {
    req GET /t/v1/server-status?auto
    expect 200
    [[ $body == *ServerVersion* ]]
}

@test "compressed answers are the same" {
    curl -sS --noproxy '*' --compressed -D "$BATS_TEST_TMPDIR/h" \
        "$BASE/t/v1/big?rows=1000" >"$BATS_TEST_TMPDIR/z"
    grep -i '^content-encoding: gzip' "$BATS_TEST_TMPDIR/h"
    req GET /t/v1/big?rows=1000
    cmp "$BATS_TEST_TMPDIR/z" "$RES/body"
}

# ---- values ----

@test "values are what to_json writes, in every time zone" {
    local zone

    for zone in UTC Europe/Madrid Asia/Kathmandu America/St_Johns \
        Pacific/Apia; do
        req GET "/t/v1/values/as-json?zone=$zone"
        expect 200
        cp "$RES/body" "$BATS_TEST_TMPDIR/want"
        req GET "/t/v1/values/as-columns?zone=$zone"
        expect 200
        cmp "$BATS_TEST_TMPDIR/want" "$RES/body" || {
            diff <(jq . "$BATS_TEST_TMPDIR/want") <(jq . "$RES/body")
            return 1
        }
        [[ $(json length) -gt 90 ]]
    done
}

# ---- clients ----

@test "a connection lives on after errors" {
    # httpd itself ends a connection after 400, 413, 500 and 503
    out=$(raw "GET /t/v1/nothing HTTP/1.1\r\nHost: x\r\n\r\nPUT /t/v1/rows HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcPOST /echo/body HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabcGET /t/v1/show/one HTTP/1.1\r\nHost: x\r\n\r\nGET /t/v1/things/x HTTP/1.1\r\nHost: x\r\n\r\n")
    [[ $(grep -oE 'HTTP/1.1 [0-9]+' <<<"$out" | cut -d ' ' -f 2 | tr '\n' ' ') == \
        '404 405 415 200 400 ' ]]
    [[ $out == *'"one"'* && $out == *'"invalid-parameter"'* ]]
}

@test "one connection, many requests" {
    [[ $(curl -sS --noproxy '*' "$BASE/t/v1/show/[1-50]" \
        -w '%{num_connects}\n' -o /dev/null | sort | uniq -c |
        tr -s ' \n' ' ') == ' 49 0 1 1 ' ]]
}

@test "pipelined requests are answered in their order" {
    local text='' i

    for i in {1..30}; do
        text+="GET /t/v1/show/n$i HTTP/1.1\r\nHost: x\r\n\r\n"
    done
    text+='GET /t/v1/show/end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    [[ $(raw "$text" | grep -aoE '"(n[0-9]+|end)"' | tr -d '"' | tr '\n' ' ') == \
        "$(printf 'n%s ' {1..30})end " ]]
}

@test "a client that speaks slowly is heard, and holds up nobody" {
    local fd i text='POST /t/v1/notes HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"name":"slow"}'

    # pieces: nine, with another's requests between
    exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
    text=$(printf '%b_' "$text")
    text=${text%_}
    for ((i = 0; i < ${#text}; i += 16)); do
        printf '%s' "${text:i:16}" >&"$fd"
        req GET /t/v1/show/meanwhile
        expect 200
    done
    out=$(timeout 20 cat <&"$fd")
    exec {fd}>&-
    [[ $out == 'HTTP/1.1 201 '* && $out == *'"name":"slow"'* ]]
    sql 'DELETE FROM note'
}

@test "HTTP/1.0 without keep-alive" {
    out=$(raw 'GET /t/v1/rows HTTP/1.0\r\n\r\n')
    [[ $out == 'HTTP/1.1 200 '* && $out == *'"name":"two"}]' ]]
}

@test "1,000 requests, eight at once, and every answer is right" {
    export TO=$BATS_TEST_TMPDIR/out
    # shellcheck disable=SC2016 # expanded by the inner shell
    seq 1000 | xargs -P 8 -n 125 bash -c '
        printf "url=%s/t/v1/show/n%s\n" $(for i; do echo "$0" "$i"; done) |
            curl -sS --noproxy "*" -K - -w "\n" >"$TO.$$"' "$BASE"
    [[ $(cat "$TO".* | sort -u | grep -cxE '"n[0-9]+"') == 1000 ]]
    [[ $(cat "$TO".* | wc -l) == 1000 ]]
}

@test "10 MB arrive whole" {
    req GET /t/v1/big?rows=100000
    expect 200
    [[ $(header Transfer-Encoding) == chunked ]] # more than DsapiBuffer
    [[ $(stat -c %s "$RES/body") -gt 10000000 ]]
    jq -e 'length == 100000 and .[99999].n == 100000' "$RES/body"
}

@test "a client that goes away in the middle harms nobody" {
    local i fd

    for i in {1..8}; do
        exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
        printf 'GET /t/v1/big?rows=100000 HTTP/1.1\r\nHost: x\r\n\r\n' >&"$fd"
        head -c 100000 <&"$fd" >/dev/null
        exec {fd}>&-
        req GET /t/v1/show/still
        expect 200
    done
    for i in {1..8}; do                # before the answer is there
        exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
        printf 'GET /t/v1/big?rows=1000 HTTP/1.1\r\nHost: x\r\n\r\n' >&"$fd"
        exec {fd}>&-
    done
    req GET /t/v1/show/still
    expect 200
}

# ---- virtual hosts ----

@test "virtual hosts inherit services, or have their own" {
    httpd_up hosts "$(hosts_conf)"
    BASE=http://127.0.0.1:$(<"$DSAPI_DIR/hosts/port")
    ask() {
        req GET "$2" -H "Host: $1"
    }
    ask inherits.test /v/who
    expect 200 . main
    ask inherits.test /only/who
    expect 404
    ask one.test /v/who
    expect 200 . one
    ask two.test /v/who
    expect 200 . two
    ask two.test /v/x
    expect_problem 404 not-found
    ask two.test /main/who
    expect 404
    [[ $(header Content-Type) == text/html* ]]
    ask inherits.test /main/who
    expect 200 . main
    claim_log 'DSAPI0003: database-timeout'
    ask two.test /v/sleep           # its own DsapiDBTimeout
    expect_problem 504 database-timeout
    ask one.test /v/sleep
    expect 200
    httpd_stop hosts
}
