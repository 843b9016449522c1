# shellcheck shell=bash
# shellcheck disable=SC2154 # bench, url: of measures.sh
# What `make bench` needs for resources.

# rows of the file that is imported
IMPORTED=500000

# make_resource_lists: requests, and the file
make_resource_lists() {
    seq -f 'GET /bench/items?id=gte.%.0f&limit=100' 1 9900 \
        >"$bench/lists/item-list"
    seq -f 'GET /bench/items/%.0f' 1 10000 >"$bench/lists/item"
    seq -f 'POST /bench/entries {"name":"Bolt","amount":%.0f}' 1 1000 \
        >"$bench/lists/entry"
    psql_bench -c "COPY (SELECT n AS id, 'Item ' || n AS name,
        n * 7 % 100000 / 100.0 AS amount, date '2022-01-01' + n % 400 AS day
        FROM generate_series(1, $IMPORTED) AS n) TO STDOUT CSV HEADER" \
        >"$bench/items.csv"
}

# make_resource_scripts: the SQL that a resource makes of those
make_resource_scripts() {
    printf '%s\n' '\set id random(1, 9900)' \
        'SELECT t0.* FROM "bench"."item" AS t0 WHERE (t0."id" >= :id)' \
        'ORDER BY t0."id" LIMIT 101;' >"$bench/scripts/item-list"
    printf '%s\n' '\set id random(1, 10000)' \
        'SELECT t0.*, pg_catalog.md5(t0::text) AS "@dsapi.etag"' \
        'FROM "bench"."item" AS t0 WHERE (t0."id" = :id)' \
        'ORDER BY t0."id" LIMIT 2;' >"$bench/scripts/item"
    printf '%s\n' '\set amount random(1, 1000)' \
        'WITH src AS (INSERT INTO "bench"."note" AS t0 ("name", "amount")' \
        'SELECT b."name", b."amount" FROM json_to_record(' \
        "('{\"name\":\"Bolt\",\"amount\":' || :amount || '}')::json)" \
        'AS b("name" text, "amount" numeric) RETURNING 1, t0."id")' \
        'SELECT count(*) AS "@dsapi.rows", min(t0."id"::text)' \
        'AS "@dsapi.pk0" FROM src AS t0;' >"$bench/scripts/entry"
}

# measure_import http|copy: rows a second of a file of CSV
measure_import() {
    local begin us

    psql_bench -c 'TRUNCATE bench.import' || return 1
    begin=${EPOCHREALTIME/[.,]/}
    if [[ $1 == copy ]]; then
        psql_bench -c "\\copy bench.import FROM '$bench/items.csv' CSV HEADER" \
            >/dev/null || return 1
    else
        curl -fsS --noproxy '*' -H 'Content-Type: text/csv' -H 'Expect:' \
            --data-binary "@$bench/items.csv" "$url/bench/imports" || return 1
    fi
    us=$((${EPOCHREALTIME/[.,]/} - begin))
    [[ $(psql_bench -c 'SELECT count(*) FROM bench.import') == "$IMPORTED" ]] &&
        awk -v us="$us" -v n="$IMPORTED" 'BEGIN { print n * 1e6 / us }'
}
