#!/usr/bin/env bash
# What the queue's statements cost in a large table:
#
#   tests/bench/queue.sh [FINISHED [WAITING]]     (1000000 100000)
#
# Fills a PostgreSQL of its own, and prints EXPLAIN (ANALYZE, BUFFERS) of
# claim, due_in, reap, purge, the status of a job and a list; those in PL/pgSQL
# with the plans of their statements; and how many claims there are a second,
# in DURATION (3) seconds. A third of what waits belongs to a source that is
# held back, a third to one that nobody here knows, a third can be claimed; in
# any table a claim takes 4 jobs of one source and 12 of another.
set -eu
# shellcheck source=tests/lib/servers.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/servers.sh"
srv_init

finished=${1:-1000000}
waiting=${2:-100000}
place=$(srv_place)
pg=$place/pg
trap 'srv_pg_stop "$pg" QUIT; rm -rf "$place"' EXIT

srv_pg_make "$pg" off
srv_pg_start "$pg"
srv_schemas srv_psql "$pg"

echo "filling: $finished finished, $waiting waiting"
srv_psql "$pg" <<END
INSERT INTO dsapi.job (source, params, max_attempts, state, attempts,
                       started_at, finished_at)
SELECT 'b/s' || n % 5, jsonb_build_object('n', n % ($finished / 4)), 5,
       CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'succeeded' END, 1, t, t
  FROM (SELECT n, now() - interval '14 days' * (1 - n / $finished.0) AS t
          FROM generate_series(1, $finished) AS n) AS made;
INSERT INTO dsapi.job (source, params, max_attempts, run_at)
SELECT ('{b/held,b/foreign,b/s0}'::text[])[1 + n % 3],
       jsonb_build_object('n', n), 5, now() - interval '1 day'
  FROM generate_series(1, $waiting) AS n;
INSERT INTO dsapi.job (source, params, max_attempts, run_at)
SELECT source, jsonb_build_object('w', n), 5, at
  FROM (VALUES ('b/s1', now() - interval '2 days'), ('b/s0', now()))
       AS made (source, at), generate_series(1, 100) AS n;
INSERT INTO dsapi.upstream VALUES ('b/held', now() + interval '1 day');
END
srv_psql "$pg" -c 'VACUUM ANALYZE dsapi.job'

# explain TITLE STATEMENT: run in a transaction that is rolled back; of a
# function also what is in it, from the server's log. It has run before, or
# else what is read of the catalog is counted.
explain() {
    printf '\n== %s\n%s\n' "$1" "$2"
    srv_psql_super "$pg" -d dsapi <<END
BEGIN;
EXPLAIN (ANALYZE) $2 \g /dev/null
ROLLBACK;
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_analyze = on;
SET auto_explain.log_buffers = on;
SET auto_explain.log_nested_statements = on;
SET client_min_messages = log;
BEGIN;
EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) $2;
ROLLBACK;
END
} 2>&1

limits="'{b/held,b/s0,b/s1}', '{10s,NULL,NULL}', '{NULL,NULL,4}'"
explain claim "SELECT * FROM dsapi.claim($limits, 16, '10s')"
explain due_in "SELECT dsapi.due_in('{b/held,b/s0,b/s1}')"
explain reap 'SELECT dsapi.reap()'
explain purge "SELECT dsapi.purge('{b/s0}', '{7d}', 1000)"
explain 'DsapiJob, all parameters' "SELECT * FROM dsapi.job
  WHERE source = 'b/s1' AND params @> '{\"n\": 6}' ORDER BY id DESC LIMIT 1"
explain 'DsapiJob, none' "SELECT * FROM dsapi.job
  WHERE source = 'b/s1' AND params @> '{}' ORDER BY id DESC LIMIT 1"
explain 'enqueue, with what waits counted' "SELECT * FROM dsapi.enqueue_all(
  'b/s1', ARRAY['{\"n\": -1}'::jsonb], 5, NULL, 1000, '1d')"
explain 'a list of failed jobs' "SELECT id FROM dsapi.job
  WHERE state = 'failed' AND source = 'b/s0' ORDER BY id DESC LIMIT 51"

cat >"$place/claim.sql" <<END
BEGIN;
SELECT * FROM dsapi.claim($limits, 16, '10s');
ROLLBACK;
END
(
    srv_no_pg_env
    "$SRV_PGBIN/pgbench" -n -M prepared -T "${DURATION:-3}" -h "$pg/sock" \
        -U dsapi -f "$place/claim.sql" dsapi
) | sed -n 's/^tps = \([0-9.]*\).*/\nclaims a second: \1/p'
