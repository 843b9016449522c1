-- mod_dsapi: what the module itself keeps in PostgreSQL (15 or later).
-- Apply as the role that httpd connects with, before the services' schemas:
--     psql -1 -v ON_ERROR_STOP=1 -f core/schema.sql
-- Applying it again changes nothing and loses nothing.

SET client_min_messages = warning;

CREATE SCHEMA IF NOT EXISTS dsapi;

-- The durable queue: one row a job. A job is live while queued or running;
-- a running one belongs to whoever holds its lease_token until lease_until,
-- and every change by a worker is fenced with that token.
CREATE TABLE IF NOT EXISTS dsapi.job (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source       text        NOT NULL,           -- 'service/source'
    params       jsonb       NOT NULL,
    state        text        NOT NULL DEFAULT 'queued'
                 CHECK (state IN ('queued', 'running', 'succeeded', 'failed')),
    attempts     integer     NOT NULL DEFAULT 0, -- started, the present one too
    max_attempts integer     NOT NULL CHECK (max_attempts > 0),
    run_at       timestamptz NOT NULL DEFAULT now(),
    queued_at    timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,                    -- of the newest attempt
    finished_at  timestamptz,
    lease_until  timestamptz,
    lease_token  uuid,
    result       json,
    error        text,                           -- of the newest attempt
    trace        text,                           -- W3C traceparent of who asked
    CHECK ((state = 'running') = (lease_token IS NOT NULL)),
    CHECK ((state = 'running') = (lease_until IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_threshold = 200);

ALTER TABLE dsapi.job ADD COLUMN IF NOT EXISTS trace text;
-- of the last five attempts that failed: [{"attempt", "at", "error"}]
ALTER TABLE dsapi.job ADD COLUMN IF NOT EXISTS errors jsonb;
-- Of a paged upstream (DsapiFollow): how many pages are stored, the URL of the
-- next one (NULL: the first, or none), and hashes of those that were stored.
ALTER TABLE dsapi.job ADD COLUMN IF NOT EXISTS pages integer NOT NULL DEFAULT 0;
ALTER TABLE dsapi.job ADD COLUMN IF NOT EXISTS next_page text;
ALTER TABLE dsapi.job ADD COLUMN IF NOT EXISTS pages_seen bigint[];

-- One live job per source and parameters.
CREATE UNIQUE INDEX IF NOT EXISTS job_live
    ON dsapi.job (source, md5(params::text))
    WHERE state IN ('queued', 'running');
-- What a claim looks at, source by source: a source that is held back, or that
-- nobody here knows, is in nobody's way.
CREATE INDEX IF NOT EXISTS job_waiting
    ON dsapi.job (source, run_at, id) WHERE state = 'queued';
CREATE INDEX IF NOT EXISTS job_running
    ON dsapi.job (source) WHERE state = 'running';
DROP INDEX IF EXISTS dsapi.job_ready, dsapi.job_lease;
-- what purge goes along
CREATE INDEX IF NOT EXISTS job_finished
    ON dsapi.job (source, finished_at, id) WHERE finished_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS job_failed
    ON dsapi.job (id) WHERE state = 'failed';
CREATE INDEX IF NOT EXISTS job_newest
    ON dsapi.job (source, id DESC);
CREATE INDEX IF NOT EXISTS job_same
    ON dsapi.job (source, md5(params::text), id);
CREATE INDEX IF NOT EXISTS job_params
    ON dsapi.job USING gin (params jsonb_path_ops);

-- The next moment at which a source's upstream may be asked, where it has a
-- limit (DsapiUpstreamLimit). Whoever claims holds the row.
CREATE TABLE IF NOT EXISTS dsapi.upstream (
    source  text        PRIMARY KEY,
    next_at timestamptz NOT NULL DEFAULT 'epoch'
) WITH (fillfactor = 50);

-- How far purge has come along a source's finished jobs.
CREATE TABLE IF NOT EXISTS dsapi.purged (
    source      text        PRIMARY KEY,
    finished_at timestamptz NOT NULL DEFAULT '-infinity',
    id          bigint      NOT NULL DEFAULT 0
);

-- Schedules (DsapiSchedule), each under its own text: one that was changed is
-- another. A row goes when no httpd has had it for a while.
CREATE TABLE IF NOT EXISTS dsapi.schedule (
    name     text        PRIMARY KEY,
    rule     jsonb       NOT NULL,
    zone     text        NOT NULL,
    next_at  timestamptz NOT NULL,
    last_at  timestamptz,
    retry_at timestamptz NOT NULL DEFAULT '-infinity', -- after an error
    error    text,                          -- of the tick that is due
    seen_at  timestamptz NOT NULL DEFAULT now()
);
-- Keys are known by slots, of which there are 1024: a hash of their parts,
-- NULL another one than ''. The module computes it, too (route/version.c).
CREATE OR REPLACE FUNCTION dsapi.key_slot(p_key text[])
RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT (get_byte(h.hash, 0) * 256 + get_byte(h.hash, 1)) % 1024
      FROM sha256(convert_to(array_to_string(p_key, E'\x1f', E'\x1e'), 'UTF8'))
           AS h (hash)
$$;

-- Versions of stored data: what is under a name (and key) is what it was as
-- long as its version is the same. A change adds rows, so that changes of one
-- name never wait for each other, nor lock each other out; a version is the
-- exclusive or of its rows, which is the same in whatever order they come, and
-- when they are folded into one. A change of a key has a row for each of the
-- keys that it begins with, from the empty one on: so many parts, in that slot.
-- Thus there are, folded, no more rows than slots, however many keys there are.
CREATE TABLE IF NOT EXISTS dsapi.data_version (
    xid     xid8   NOT NULL DEFAULT pg_current_xact_id(),
    name    text   COLLATE "C" NOT NULL             -- 'service/series'
            CHECK (octet_length(name) BETWEEN 1 AND 1000),
    depth   int    NOT NULL DEFAULT 0,              -- parts
    slot    int    NOT NULL DEFAULT dsapi.key_slot('{}'),
    ends    bool   NOT NULL DEFAULT true,           -- the key has no more
    version bigint NOT NULL
            DEFAULT hashtextextended(gen_random_uuid()::text, 0),
    PRIMARY KEY (xid, name, depth, slot, ends)
) WITH (autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_threshold = 200);
CREATE INDEX IF NOT EXISTS data_version_name
    ON dsapi.data_version (name, depth);

-- Announce, in the transaction that changes them, that the data of a name
-- (and key) are others from its commit on. Whoever may write the data may say
-- so (SECURITY DEFINER); once for a transaction, however often it is said.
CREATE OR REPLACE FUNCTION dsapi.touch(p_name text,
                                       VARIADIC p_key text[] DEFAULT '{}')
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    -- a row of this xid is of this transaction, or of another server that
    -- this database was restored from: then the version must change, too
    INSERT INTO dsapi.data_version AS v (name, depth, slot, ends)
    SELECT p_name, n, dsapi.key_slot(p_key[1:n]), n = k.parts
      FROM coalesce(cardinality(p_key), 0) AS k (parts),
           generate_series(0, k.parts) AS n
    ON CONFLICT (xid, name, depth, slot, ends)
       DO UPDATE SET version = excluded.version
       WHERE v.xmin <> v.xid::xid;
    SELECT pg_notify('dsapi_version', p_name);
$$;

-- For tables that are also written by hand:
--     CREATE TRIGGER touch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
--         ON … FOR EACH STATEMENT EXECUTE FUNCTION dsapi.touch_name('…/…');
CREATE OR REPLACE FUNCTION dsapi.touch_name()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM dsapi.touch(TG_ARGV[0]);
    RETURN NULL;
END $$;

-- The versions of those of the names that have changed since an earlier
-- answer's "seen" ('0': of all that were ever touched); at least one row.
-- Transactions commit in any order: what that snapshot did not see has an xid
-- of its xmin or above. surplus: how many changes folding would make one.
CREATE OR REPLACE FUNCTION dsapi.versions(p_names text[], p_since xid8)
RETURNS TABLE (seen xid8, name text, version bigint, surplus bigint)
LANGUAGE sql STABLE AS $$
    SELECT pg_snapshot_xmin(pg_current_snapshot()), c.*
      FROM (VALUES (1)) AS one
      LEFT JOIN LATERAL (
           SELECT v.name, bit_xor(v.version),
                  count(*) - count(DISTINCT v.ends)
             FROM dsapi.data_version v
            WHERE v.depth = 0
              AND v.name IN (SELECT n.name FROM dsapi.data_version n
                              WHERE n.xid >= p_since
                                AND n.name = ANY (p_names))
            GROUP BY v.name) AS c ON true
$$;

-- The versions of slots that have changed, as dsapi.versions, of names whose
-- keys count as far as the first p_depths parts.
CREATE OR REPLACE FUNCTION dsapi.slot_versions(p_names text[],
                                               p_depths int[], p_since xid8)
RETURNS TABLE (name text, slot int, version bigint)
LANGUAGE sql STABLE AS $$
    SELECT v.name, v.slot, bit_xor(v.version)
      FROM unnest(p_names, p_depths) AS n (name, depth)
      JOIN dsapi.data_version v ON v.name = n.name
           AND (v.depth = n.depth OR v.depth < n.depth AND v.ends)
     WHERE v.name IN (SELECT c.name FROM dsapi.data_version c
                       WHERE c.xid >= p_since AND c.name = ANY (p_names))
     GROUP BY v.name, v.slot
    HAVING bool_or(v.xid >= p_since)
$$;

-- Make one row of several. Their versions stay, and nobody waits.
CREATE OR REPLACE FUNCTION dsapi.fold_versions(p_name text)
RETURNS void LANGUAGE sql AS $$
    WITH old AS MATERIALIZED (
        SELECT ctid FROM dsapi.data_version
         WHERE name = p_name
           AND (depth, slot, ends) IN
               (SELECT depth, slot, ends FROM dsapi.data_version
                 WHERE name = p_name
                 GROUP BY depth, slot, ends HAVING count(*) > 1)
           FOR UPDATE SKIP LOCKED),
    gone AS (
        DELETE FROM dsapi.data_version v USING old WHERE v.ctid = old.ctid
        RETURNING v.depth, v.slot, v.ends, v.version)
    INSERT INTO dsapi.data_version (name, depth, slot, ends, version)
    SELECT p_name, depth, slot, ends, bit_xor(version) FROM gone
     GROUP BY depth, slot, ends
$$;

-- Keys had rows of their own once: all names have changed.
DO $$ BEGIN
    IF to_regclass('dsapi.series_version') IS NOT NULL THEN
        PERFORM dsapi.touch(n.name)
           FROM (SELECT DISTINCT name FROM dsapi.series_version) AS n;
        DROP TABLE dsapi.series_version;
    END IF;
END $$;

-- Put a job in the queue; where a live one has the same source and
-- parameters, that one is the answer. Wakes the workers at commit.
DROP FUNCTION IF EXISTS dsapi.enqueue(text, jsonb, integer);
CREATE OR REPLACE FUNCTION dsapi.enqueue(p_source text, p_params jsonb,
                                         p_max_attempts integer,
                                         p_trace text DEFAULT NULL)
RETURNS SETOF dsapi.job LANGUAGE plpgsql AS $$
DECLARE
    found_job dsapi.job;
BEGIN
    LOOP
        INSERT INTO dsapi.job (source, params, max_attempts, trace)
        VALUES (p_source, p_params, p_max_attempts, p_trace)
        ON CONFLICT (source, md5(params::text))
           WHERE state IN ('queued', 'running') DO NOTHING
        RETURNING * INTO found_job;
        IF FOUND THEN
            PERFORM pg_notify('dsapi_job', '');
            RETURN NEXT found_job;
            RETURN;
        END IF;
        SELECT * INTO found_job FROM dsapi.job j
         WHERE j.source = p_source
           AND md5(j.params::text) = md5(p_params::text)
           AND j.state IN ('queued', 'running');
        IF FOUND THEN
            RETURN NEXT found_job;
            RETURN;
        END IF;
        -- it ended between the two: once more
    END LOOP;
END $$;

-- Put jobs in the queue, one for each of p_params, all or none. The answer is
-- them in that order; equal ones are one. Where the source has data younger
-- than p_fresh_for, that finished job is the answer; else a live one; else a
-- new one, unless p_queue_max jobs of the source wait already (which callers
-- at the same moment may exceed by what each of them adds; NULL: any number).
CREATE OR REPLACE FUNCTION dsapi.enqueue_all(p_source text, p_params jsonb[],
                                             p_max_attempts integer,
                                             p_trace text,
                                             p_queue_max integer,
                                             p_fresh_for interval)
RETURNS SETOF dsapi.job LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(p_params)]);
    given record;
    found_id bigint;
    room integer;
BEGIN
    -- in the order of their keys, so that two callers never wait for each
    -- other
    FOR given IN
        SELECT params, md5(params::text) AS key, n::integer AS n
          FROM unnest(p_params) WITH ORDINALITY AS p (params, n) ORDER BY 2
    LOOP
        SELECT id INTO found_id FROM dsapi.job
         WHERE source = p_source AND md5(params::text) = given.key
           AND state = 'succeeded'
           AND finished_at > clock_timestamp() - p_fresh_for
         ORDER BY id DESC LIMIT 1;
        WHILE found_id IS NULL LOOP
            SELECT id INTO found_id FROM dsapi.job
             WHERE source = p_source AND md5(params::text) = given.key
               AND state IN ('queued', 'running');
            EXIT WHEN FOUND;
            IF room IS NULL AND p_queue_max IS NOT NULL THEN
                SELECT p_queue_max - count(*) INTO room
                  FROM (SELECT FROM dsapi.job
                         WHERE source = p_source AND state = 'queued'
                         LIMIT p_queue_max) AS waiting;
            END IF;
            IF room <= 0 THEN
                RAISE EXCEPTION 'the queue of % is full', p_source
                      USING ERRCODE = 'DS002';
            END IF;
            INSERT INTO dsapi.job (source, params, max_attempts, trace)
            VALUES (p_source, given.params, p_max_attempts, p_trace)
            ON CONFLICT (source, md5(params::text))
               WHERE state IN ('queued', 'running') DO NOTHING
            RETURNING id INTO found_id;
            IF FOUND THEN
                room := room - 1;
                PERFORM pg_notify('dsapi_job', '');
            END IF;
            -- else somebody was faster: look again
        END LOOP;
        ids[given.n] := found_id;
    END LOOP;
    RETURN QUERY
        SELECT j.* FROM unnest(ids) WITH ORDINALITY AS i (id, n)
          JOIN dsapi.job j ON j.id = i.id
         ORDER BY i.n;
END $$;

-- How many jobs of a source may start now: one every p_every, but for what was
-- not used of the last tenth of a second, and p_concurrency at once (NULL: no
-- limit). Until the transaction's end nobody else is let in: they get 0.
CREATE OR REPLACE FUNCTION dsapi.upstream_free(p_source text, p_every interval,
                                               p_concurrency integer)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    free integer := 2147483647;
    slot timestamptz;
    unused interval;
BEGIN
    IF p_every IS NULL AND p_concurrency IS NULL THEN
        RETURN free;
    END IF;
    PERFORM FROM dsapi.upstream WHERE source = p_source;
    IF NOT FOUND THEN
        INSERT INTO dsapi.upstream (source) VALUES (p_source)
            ON CONFLICT DO NOTHING;
    END IF;
    SELECT next_at INTO slot FROM dsapi.upstream
     WHERE source = p_source FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    IF p_every IS NOT NULL THEN
        unused := least(clock_timestamp() - slot, interval '100 ms');
        free := CASE WHEN unused < interval '0' THEN 0
                     ELSE 1 + floor(extract(epoch FROM unused)
                                    / extract(epoch FROM p_every)) END;
    END IF;
    IF p_concurrency IS NOT NULL AND free > 0 THEN
        free := least(free, p_concurrency - (
            SELECT count(*) FROM dsapi.job
             WHERE source = p_source AND state = 'running'));
    END IF;
    RETURN free;
END $$;

-- Take up to p_limit jobs that are due, of sources with these limits. The
-- attempt counts from here on. Sources share what there is room for, the one
-- with the fewest running jobs first, and of those the one whose job has waited
-- longest: a source with a long queue holds up no other. (Shares that are not
-- used are there for the next claim.)
CREATE OR REPLACE FUNCTION dsapi.claim(p_sources text[], p_every interval[],
                                       p_concurrency integer[],
                                       p_limit integer, p_lease interval)
RETURNS SETOF dsapi.job LANGUAGE plpgsql AS $$
DECLARE
    one record;
    free integer;
    taken integer;
    room integer := p_limit;
    -- read once: an index is of no use for what may change with each row
    due_at timestamptz := clock_timestamp();
BEGIN
    FOR one IN
        SELECT s.source, s.every, s.concurrency,
               row_number() OVER (ORDER BY busy.jobs DESC, head.run_at DESC,
                                           head.id DESC) AS sharers
          FROM unnest(p_sources, p_every, p_concurrency)
               AS s (source, every, concurrency)
         CROSS JOIN LATERAL (
               SELECT run_at, id FROM dsapi.job j
                WHERE j.state = 'queued' AND j.source = s.source
                ORDER BY run_at, id LIMIT 1) AS head
         CROSS JOIN LATERAL (
               SELECT count(*) AS jobs FROM dsapi.job j
                WHERE j.state = 'running' AND j.source = s.source) AS busy
         WHERE head.run_at <= due_at
         ORDER BY busy.jobs, head.run_at, head.id
    LOOP
        EXIT WHEN room <= 0;
        free := least(ceil(room::numeric / one.sharers), dsapi.upstream_free(one.source, one.every,
                                                one.concurrency));
        CONTINUE WHEN free <= 0;
        -- as a CTE it runs once: a join could ask a subquery, which locks more
        -- rows each time, again and again
        RETURN QUERY
            WITH due AS MATERIALIZED (
                SELECT id FROM dsapi.job
                 WHERE state = 'queued' AND source = one.source
                   AND run_at <= due_at
                 ORDER BY run_at, id
                 LIMIT free
                   FOR UPDATE SKIP LOCKED)
            UPDATE dsapi.job j
               SET state = 'running', attempts = j.attempts + 1,
                   started_at = clock_timestamp(), finished_at = NULL,
                   lease_token = gen_random_uuid(),
                   lease_until = clock_timestamp() + p_lease
              FROM due
             WHERE j.id = due.id
            RETURNING j.*;
        GET DIAGNOSTICS taken = ROW_COUNT;
        room := room - taken;
        IF one.every IS NOT NULL AND taken > 0 THEN
            UPDATE dsapi.upstream
               SET next_at = greatest(next_at, clock_timestamp()
                                               - interval '100 ms')
                             + taken * one.every
             WHERE source = one.source;
        END IF;
    END LOOP;
END $$;

-- as an older httpd calls it
CREATE OR REPLACE FUNCTION dsapi.claim(p_sources text[], p_limit integer,
                                       p_lease interval)
RETURNS SETOF dsapi.job LANGUAGE sql AS $$
    SELECT * FROM dsapi.claim(p_sources, NULL, NULL, p_limit, p_lease)
$$;

-- Microseconds until the next queued job of these sources is due; NULL: none
-- is queued.
CREATE OR REPLACE FUNCTION dsapi.due_in(p_sources text[])
RETURNS bigint LANGUAGE sql AS $$
    SELECT (extract(epoch FROM min(head.run_at) - clock_timestamp())
            * 1000000)::bigint
      FROM unnest(p_sources) AS s (source)
     CROSS JOIN LATERAL (
           SELECT run_at FROM dsapi.job j
            WHERE j.state = 'queued' AND j.source = s.source
            ORDER BY run_at LIMIT 1) AS head
     WHERE isfinite(head.run_at)
$$;

-- as an older httpd calls it
CREATE OR REPLACE FUNCTION dsapi.due_in() RETURNS bigint LANGUAGE sql AS $$
    SELECT (extract(epoch FROM min(run_at) - clock_timestamp())
            * 1000000)::bigint
      FROM dsapi.job WHERE state = 'queued' AND isfinite(run_at)
$$;

-- Extend leases; the answer is the ids that still belong to the caller.
CREATE OR REPLACE FUNCTION dsapi.heartbeat(p_ids bigint[], p_tokens uuid[],
                                           p_lease interval)
RETURNS SETOF bigint LANGUAGE sql AS $$
    UPDATE dsapi.job j
       SET lease_until = clock_timestamp() + p_lease
      FROM unnest(p_ids, p_tokens) AS mine (id, token)
     WHERE j.id = mine.id AND j.lease_token = mine.token
    RETURNING j.id
$$;

-- Hold a job for the rest of the transaction: its row is locked, so nobody
-- can take it over while its answer is being stored.
CREATE OR REPLACE FUNCTION dsapi.hold(p_id bigint, p_token uuid)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM dsapi.job
      WHERE id = p_id AND lease_token = p_token FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease of job % is lost', p_id
              USING ERRCODE = 'DS001';
    END IF;
END $$;

-- End a held job well, in the transaction that stored its data; that its
-- source's data has changed is announced with it.
CREATE OR REPLACE FUNCTION dsapi.finish(p_id bigint, p_token uuid,
                                        p_result json)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_source text;
BEGIN
    UPDATE dsapi.job
       SET state = 'succeeded', result = p_result, error = NULL,
           finished_at = clock_timestamp(),
           lease_token = NULL, lease_until = NULL
     WHERE id = p_id AND lease_token = p_token
    RETURNING source INTO v_source;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease of job % is lost', p_id
              USING ERRCODE = 'DS001';
    END IF;
    PERFORM dsapi.touch(v_source);
END $$;

-- As hold, where so many pages are stored; where there are more, this one has
-- been stored by a transaction whose end the caller has not heard of.
CREATE OR REPLACE FUNCTION dsapi.hold_page(p_id bigint, p_token uuid,
                                           p_pages integer)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM dsapi.hold(p_id, p_token);
    PERFORM FROM dsapi.job WHERE id = p_id AND pages = p_pages;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'page % of job % is stored', p_pages + 1, p_id
              USING ERRCODE = 'DS003';
    END IF;
END $$;

-- A page's result on top of those before: numbers are added up, of all else
-- the newest counts, and "pages" is how many they are.
CREATE OR REPLACE FUNCTION dsapi.add_result(p_before json, p_page json,
                                            p_pages integer)
RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT json_object_agg(key, value ORDER BY n)
      FROM (SELECT p.key, p.n,
                   CASE WHEN json_typeof(p.value) = 'number'
                         AND json_typeof(b.value) = 'number'
                        THEN to_json(p.value::text::numeric
                                     + b.value::text::numeric)
                        ELSE p.value END AS value
              FROM json_each(coalesce(p_page, p_before))
                   WITH ORDINALITY AS p (key, value, n)
              LEFT JOIN json_each(p_before) AS b
                     ON b.key = p.key AND p_page IS NOT NULL
             WHERE p.key <> 'pages'
             UNION ALL
            SELECT 'pages', 2147483647, to_json(p_pages)) AS members
$$;

-- A held job's page is stored, in the transaction that stored it; p_next is
-- the URL of the one after it (NULL: it was the last, and finish follows).
-- Attempts are counted anew from there. The answer is the job's result.
CREATE OR REPLACE FUNCTION dsapi.add_page(p_id bigint, p_token uuid,
                                          p_url text, p_next text,
                                          p_result json)
RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    v_job dsapi.job;
BEGIN
    UPDATE dsapi.job
       SET pages = pages + 1, next_page = p_next,
           pages_seen = CASE WHEN p_next IS NOT NULL
                             THEN pages_seen || hashtextextended(p_url, 0)
                        END,
           attempts = CASE WHEN p_next IS NULL THEN attempts ELSE 1 END,
           result = dsapi.add_result(result, p_result, pages + 1)
     WHERE id = p_id AND lease_token = p_token
    RETURNING * INTO v_job;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease of job % is lost', p_id
              USING ERRCODE = 'DS001';
    END IF;
    IF hashtextextended(p_next, 0) = ANY (v_job.pages_seen) THEN
        RAISE EXCEPTION 'the next page is one that was asked before';
    END IF;
    PERFORM dsapi.touch(v_job.source);
    RETURN v_job.result;
END $$;

-- Take the next request's place at an upstream with a rate. The answer is
-- microseconds until it comes.
CREATE OR REPLACE FUNCTION dsapi.take_slot(p_source text, p_every interval)
RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO dsapi.upstream AS u (source, next_at)
    VALUES (p_source, clock_timestamp() + p_every)
        ON CONFLICT (source) DO UPDATE
       SET next_at = greatest(u.next_at,
                              clock_timestamp() - interval '100 ms') + p_every
    RETURNING greatest(0, extract(epoch FROM u.next_at - p_every
                                             - clock_timestamp())
                          * 1000000)::bigint
$$;

-- A job's errors with one more; the last five are kept.
CREATE OR REPLACE FUNCTION dsapi.add_error(p_errors jsonb, p_attempt integer,
                                           p_error text)
RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_path_query_array(
               coalesce(p_errors, '[]') || jsonb_build_object(
                   'attempt', p_attempt, 'at', clock_timestamp(),
                   'error', p_error),
               '$[last - 4 to last]')
$$;

-- End an attempt badly: try again after p_retry_in, or (NULL) never. The
-- answer is the new state; no row: the lease is lost.
CREATE OR REPLACE FUNCTION dsapi.fail(p_id bigint, p_token uuid, p_error text,
                                      p_retry_in interval)
RETURNS SETOF text LANGUAGE sql AS $$
    UPDATE dsapi.job
       SET state = CASE WHEN p_retry_in IS NULL OR attempts >= max_attempts
                        THEN 'failed' ELSE 'queued' END,
           error = p_error,
           errors = dsapi.add_error(errors, attempts, p_error),
           run_at = clock_timestamp() + coalesce(p_retry_in, '0'),
           finished_at = CASE WHEN p_retry_in IS NULL
                                OR attempts >= max_attempts
                              THEN clock_timestamp() END,
           lease_token = NULL, lease_until = NULL
     WHERE id = p_id AND lease_token = p_token
    RETURNING state
$$;

-- Give jobs back unfinished, as if they had not been taken: a worker stops.
CREATE OR REPLACE FUNCTION dsapi.release(p_ids bigint[], p_tokens uuid[])
RETURNS SETOF bigint LANGUAGE sql AS $$
    WITH given AS (
        UPDATE dsapi.job j
           SET state = 'queued', attempts = j.attempts - 1,
               run_at = clock_timestamp(),
               lease_token = NULL, lease_until = NULL
          FROM unnest(p_ids, p_tokens) AS mine (id, token)
         WHERE j.id = mine.id AND j.lease_token = mine.token
        RETURNING j.id)
    SELECT id FROM given, (SELECT pg_notify('dsapi_job', '')) AS n
$$;

-- Microseconds until the next lease runs out, if nobody extends it; NULL: there
-- is none.
CREATE OR REPLACE FUNCTION dsapi.lost_in() RETURNS bigint LANGUAGE sql AS $$
    SELECT (extract(epoch FROM min(lease_until) - clock_timestamp())
            * 1000000)::bigint
      FROM dsapi.job WHERE state = 'running'
$$;

-- Jobs whose worker is gone: back into the queue, or failed where that was
-- the last attempt. The answer is how many. A job that is held is not lost.
CREATE OR REPLACE FUNCTION dsapi.reap() RETURNS integer LANGUAGE sql AS $$
    WITH lost AS (
        SELECT id FROM dsapi.job
         WHERE state = 'running' AND lease_until < clock_timestamp()
         ORDER BY lease_until LIMIT 100
           FOR UPDATE SKIP LOCKED),
    reaped AS (
        UPDATE dsapi.job j
           SET state = CASE WHEN j.attempts >= j.max_attempts
                            THEN 'failed' ELSE 'queued' END,
               error = 'the worker was lost during the attempt',
               errors = dsapi.add_error(
                   errors, attempts, 'the worker was lost during the attempt'),
               run_at = clock_timestamp(),
               finished_at = CASE WHEN j.attempts >= j.max_attempts
                                  THEN clock_timestamp() END,
               lease_token = NULL, lease_until = NULL
          FROM lost WHERE j.id = lost.id
        RETURNING j.state),
    counted AS (SELECT count(*)::integer AS n FROM reaped)
    SELECT n FROM counted
      LEFT JOIN LATERAL (SELECT pg_notify('dsapi_job', '') WHERE n > 0) told
             ON true
$$;

-- Remove what finished longer than p_keep ago, but the newest job of each
-- parameters, and the newest that succeeded. It goes along the finished jobs of
-- each source once, p_batch in all: whichever has become that old takes those
-- before it away. One caller at a time; the answer is whether there is
-- more.
CREATE OR REPLACE FUNCTION dsapi.purge(p_sources text[], p_keep interval[],
                                       p_batch integer)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    one record;
    from_at timestamptz;
    from_id bigint;
    ids bigint[];
    room integer := p_batch;
    upto timestamptz;
BEGIN
    FOR one IN SELECT * FROM unnest(p_sources, p_keep) AS s (source, keep)
    LOOP
        PERFORM FROM dsapi.purged WHERE source = one.source;
        IF NOT FOUND THEN
            INSERT INTO dsapi.purged (source) VALUES (one.source)
                ON CONFLICT DO NOTHING;
        END IF;
        upto := clock_timestamp() - one.keep;
        SELECT finished_at, id INTO from_at, from_id FROM dsapi.purged
         WHERE source = one.source FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        ids := ARRAY(SELECT id FROM dsapi.job
                      WHERE source = one.source
                        AND (finished_at, id) > (from_at, from_id)
                        AND finished_at <= upto
                      ORDER BY finished_at, id LIMIT room);
        CONTINUE WHEN cardinality(ids) = 0;
        UPDATE dsapi.purged p
           SET finished_at = j.finished_at, id = j.id
          FROM dsapi.job j
         WHERE p.source = one.source AND j.id = ids[cardinality(ids)];
        WITH old AS MATERIALIZED (
            SELECT md5(params::text) AS key, max(id) AS newest,
                   max(id) FILTER (WHERE state = 'succeeded') AS newest_good
              FROM dsapi.job WHERE id = ANY (ids) GROUP BY 1)
        DELETE FROM dsapi.job j USING old
         WHERE j.source = one.source AND md5(j.params::text) = old.key
           AND j.id < old.newest AND j.state IN ('succeeded', 'failed')
           AND j.finished_at <= upto
           AND (j.state = 'failed' OR j.id < old.newest_good);
        room := room - cardinality(ids);
        EXIT WHEN room = 0;
    END LOOP;
    RETURN room = 0;
END $$;

-- The first tick of a rule after a moment; p_last is the one before, of which
-- "every" counts. A time of day that the clock skips (summer time begins)
-- comes as much later as it skips; one that it shows twice is the second, and
-- where each hour has its ticks it is both.
CREATE OR REPLACE FUNCTION dsapi.next_tick(p_rule jsonb, p_zone text,
                                           p_last timestamptz,
                                           p_after timestamptz)
RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    every interval := (p_rule->>'every')::bigint * interval '1 microsecond';
    day date := (p_after AT TIME ZONE p_zone)::date;
    by_day boolean;
    by_weekday boolean;
    -- by how much clocks are set back
    folds interval[] := CASE WHEN jsonb_array_length(p_rule->'hour') = 24
                             THEN '{30 min,1 h,2 h}'::interval[] END;
    found timestamptz;
BEGIN
    IF every IS NOT NULL THEN
        RETURN p_last + every * greatest(
            1, floor(extract(epoch FROM p_after - p_last)
                     / extract(epoch FROM every)) + 1);
    END IF;
    FOR i IN 0 .. 366 * 9 LOOP -- there are eight years from 1896 to 1904
        by_day := p_rule->'day' @> to_jsonb(extract(day FROM day)::integer);
        by_weekday :=
            p_rule->'weekday' @> to_jsonb(extract(dow FROM day)::integer);
        IF p_rule->'month' @> to_jsonb(extract(month FROM day)::integer)
           AND (CASE WHEN (p_rule->>'either')::boolean
                     THEN by_day OR by_weekday
                     ELSE by_day AND by_weekday END)
        THEN
            SELECT min(t) INTO found
              FROM jsonb_array_elements_text(p_rule->'hour') AS h
             CROSS JOIN jsonb_array_elements_text(p_rule->'minute') AS m
             CROSS JOIN LATERAL (
                   SELECT (day + make_time(h::integer, m::integer, 0))
                          AT TIME ZONE p_zone AS last) AS at
             CROSS JOIN LATERAL (
                   SELECT last AS t
                    UNION ALL
                   SELECT last - fold
                     FROM unnest(folds) AS fold
                    WHERE (last - fold) AT TIME ZONE p_zone
                          = last AT TIME ZONE p_zone) AS instant
             WHERE t > p_after;
            IF found IS NOT NULL THEN
                RETURN found;
            END IF;
        END IF;
        day := day + 1;
    END LOOP;
    RETURN 'infinity';
END $$;

-- Make these schedules known, forget those that nobody has any more. A new
-- one with "every" begins at once. The answer is microseconds until the next
-- of them is due; NULL: there is none.
CREATE OR REPLACE FUNCTION dsapi.plan(p_names text[], p_rules jsonb[],
                                      p_zones text[])
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    due_at timestamptz;
    at timestamptz := clock_timestamp();
BEGIN
    IF EXISTS (SELECT FROM unnest(p_names) AS s (name)
                WHERE NOT EXISTS (SELECT FROM dsapi.schedule k
                                   WHERE k.name = s.name))
    THEN
        -- one at a time: a conflict with a row that is new, and run by
        -- somebody at once, would be waited for until that run ends
        PERFORM pg_advisory_xact_lock(hashtextextended('dsapi.plan', 0));
        INSERT INTO dsapi.schedule (name, rule, zone, next_at)
        SELECT s.name, s.rule, s.zone,
               CASE WHEN s.rule ? 'every' THEN at
                    ELSE dsapi.next_tick(s.rule, s.zone, NULL, at) END
          FROM unnest(p_names, p_rules, p_zones) AS s (name, rule, zone)
         WHERE NOT EXISTS (SELECT FROM dsapi.schedule k WHERE k.name = s.name)
            ON CONFLICT DO NOTHING; -- of a list that names one twice
    END IF;
    -- whoever runs one holds its row, and must not be waited for
    UPDATE dsapi.schedule k SET seen_at = at
      FROM (SELECT name FROM dsapi.schedule
             WHERE name = ANY (p_names) AND seen_at < at - interval '1 min'
               FOR UPDATE SKIP LOCKED) AS mine
     WHERE k.name = mine.name;
    DELETE FROM dsapi.schedule k
     USING (SELECT name FROM dsapi.schedule
             WHERE seen_at < at - interval '10 min'
               AND name <> ALL (p_names)
               FOR UPDATE SKIP LOCKED) AS gone
     WHERE k.name = gone.name;
    SELECT min(greatest(next_at, retry_at)) INTO due_at
      FROM dsapi.schedule WHERE name = ANY (p_names);
    IF NOT isfinite(due_at) THEN
        RETURN NULL;
    END IF;
    RETURN extract(epoch FROM due_at - clock_timestamp()) * 1000000;
END $$;

-- Take a tick that is due: no other gets it, if this transaction commits. What
-- was missed is one tick. The answer is whose it is, and what day it is there.
CREATE OR REPLACE FUNCTION dsapi.tick(p_names text[])
RETURNS TABLE (name text, today date) LANGUAGE sql AS $$
    WITH due AS MATERIALIZED (
        SELECT k.name FROM dsapi.schedule k
         WHERE k.name = ANY (p_names)
           AND greatest(k.next_at, k.retry_at) <= clock_timestamp()
         ORDER BY k.next_at
         LIMIT 1
           FOR UPDATE SKIP LOCKED)
    UPDATE dsapi.schedule k
       SET last_at = k.next_at, error = NULL, seen_at = clock_timestamp(),
           next_at = dsapi.next_tick(k.rule, k.zone, k.next_at,
                                     clock_timestamp())
      FROM due
     WHERE k.name = due.name
    RETURNING k.name, (clock_timestamp() AT TIME ZONE k.zone)::date
$$;

-- A tick could not be run, and its transaction was rolled back: once more in
-- a minute. The answer is whether that is new.
CREATE OR REPLACE FUNCTION dsapi.tick_failed(p_name text, p_error text)
RETURNS SETOF boolean LANGUAGE sql AS $$
    UPDATE dsapi.schedule k
       SET error = p_error, retry_at = clock_timestamp() + interval '1 min'
      FROM (SELECT name, error FROM dsapi.schedule
             WHERE name = p_name FOR UPDATE) AS old
     WHERE k.name = old.name
    RETURNING old.error IS NULL
$$;

-- What people do to jobs (SetHandler dsapi-jobs). A refusal's SQLSTATE is its
-- HTTP status, and its message is for them.

-- Try a failed job once more, from its first attempt.
CREATE OR REPLACE FUNCTION dsapi.retry(p_id bigint)
RETURNS SETOF dsapi.job LANGUAGE plpgsql AS $$
DECLARE
    now_state text;
BEGIN
    SELECT state INTO now_state FROM dsapi.job WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no job %', p_id USING ERRCODE = 'PT404';
    ELSIF now_state <> 'failed' THEN
        RAISE EXCEPTION 'the job is %, not failed', now_state
              USING ERRCODE = 'PT409';
    END IF;
    RETURN QUERY
        UPDATE dsapi.job
           SET state = 'queued', attempts = 0, run_at = clock_timestamp(),
               queued_at = clock_timestamp(), finished_at = NULL
         WHERE id = p_id
        RETURNING *;
    PERFORM pg_notify('dsapi_job', '');
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'an equal job is queued or running'
          USING ERRCODE = 'PT409';
END $$;

-- Try the failed jobs of a source once more, as far as no newer job has the
-- same parameters; a thousand at most. The answer is how many.
CREATE OR REPLACE FUNCTION dsapi.retry_all(p_source text)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    failed_id bigint;
    n integer := 0;
BEGIN
    FOR failed_id IN
        SELECT id FROM dsapi.job j
         WHERE state = 'failed' AND source = p_source
           AND NOT EXISTS (SELECT FROM dsapi.job newer
                            WHERE newer.source = j.source
                              AND md5(newer.params::text) = md5(j.params::text)
                              AND newer.id > j.id)
         ORDER BY md5(params::text) LIMIT 1000
    LOOP
        BEGIN
            PERFORM dsapi.retry(failed_id);
            n := n + 1;
        EXCEPTION WHEN SQLSTATE 'PT404' OR SQLSTATE 'PT409' THEN
            NULL; -- somebody was faster
        END;
    END LOOP;
    RETURN n;
END $$;

-- Take a job out of the queue, or forget one that has ended.
CREATE OR REPLACE FUNCTION dsapi.remove(p_id bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM dsapi.job WHERE id = p_id AND state <> 'running';
    IF FOUND THEN
        RETURN;
    END IF;
    PERFORM FROM dsapi.job WHERE id = p_id;
    IF FOUND THEN
        RAISE EXCEPTION 'the job is running' USING ERRCODE = 'PT409';
    END IF;
    RAISE EXCEPTION 'there is no job %', p_id USING ERRCODE = 'PT404';
END $$;

-- The last answer that an attempt failed with, for whoever looks into it: how
-- it begins, up to 64 kB. The API does not show it.
ALTER TABLE dsapi.job ADD COLUMN IF NOT EXISTS response_status integer;
ALTER TABLE dsapi.job ADD COLUMN IF NOT EXISTS response_type text;
ALTER TABLE dsapi.job ADD COLUMN IF NOT EXISTS response_body bytea;

-- What an upstream knows the answer by that was stored last: the next request
-- with the same parameters asks whether it is still the same, if the source's
-- definition is. Whoever takes stored data away takes its rows here, too
-- (dsapi.forget_answers).
CREATE TABLE IF NOT EXISTS dsapi.validator (
    source        text  NOT NULL,
    params        jsonb NOT NULL,
    definition    text  NOT NULL,
    etag          text,
    last_modified text,
    stored_at     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS validator_params
    ON dsapi.validator (source, md5(params::text));

-- For tables from which data is also taken away by hand: what a source has
-- stored is asked for anew, whether or not it has changed at the upstream.
--     CREATE TRIGGER forget AFTER DELETE OR TRUNCATE
--         ON … FOR EACH STATEMENT EXECUTE FUNCTION dsapi.forget_answers('…/…');
CREATE OR REPLACE FUNCTION dsapi.forget_answers()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    DELETE FROM dsapi.validator WHERE source = TG_ARGV[0];
    RETURN NULL;
END $$;

-- Keep a failed attempt's answer, before dsapi.fail gives the lease up.
CREATE OR REPLACE FUNCTION dsapi.keep_answer(p_id bigint, p_token uuid,
                                      p_status integer, p_type text,
                                      p_body bytea)
RETURNS void LANGUAGE sql AS $$
    UPDATE dsapi.job
       SET response_status = p_status, response_type = p_type,
           response_body = p_body
     WHERE id = p_id AND lease_token = p_token
$$;

-- In the transaction that stores a job's answer: note what the upstream knows
-- it by, and forget what failed attempts have left.
CREATE OR REPLACE FUNCTION dsapi.remember(p_id bigint, p_definition text,
                                          p_etag text, p_last_modified text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_definition IS NULL OR coalesce(p_etag, p_last_modified) IS NULL THEN
        DELETE FROM dsapi.validator u USING dsapi.job j
         WHERE j.id = p_id AND u.source = j.source
           AND md5(u.params::text) = md5(j.params::text);
    ELSE
        INSERT INTO dsapi.validator
               (source, params, definition, etag, last_modified)
        SELECT source, params, p_definition, p_etag, p_last_modified
          FROM dsapi.job WHERE id = p_id
        ON CONFLICT (source, md5(params::text)) DO UPDATE
           SET params = excluded.params, definition = excluded.definition,
               etag = excluded.etag, last_modified = excluded.last_modified,
               stored_at = excluded.stored_at;
    END IF;
    UPDATE dsapi.job
       SET response_status = NULL, response_type = NULL, response_body = NULL
     WHERE id = p_id AND response_status IS NOT NULL;
END $$;

-- What was answered to requests with an Idempotency-Key: written in the
-- transaction of the change, kept for a day.
CREATE TABLE IF NOT EXISTS dsapi.idempotency (
    scope         text        NOT NULL, -- who asks for what
    key           text        NOT NULL,
    fingerprint   text        NOT NULL, -- of the request
    status        integer     NOT NULL,
    type          text,
    location      text,
    content_range text,
    applied       text,
    body          text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
);
CREATE INDEX IF NOT EXISTS idempotency_created
    ON dsapi.idempotency (created_at);

-- state: new, done (and the answer), other (another request's key), busy (its
-- transaction has not ended).
CREATE OR REPLACE FUNCTION dsapi.once_begin(
    p_scope text, p_key text, p_fingerprint text,
    OUT state text, OUT status integer, OUT type text, OUT location text,
    OUT content_range text, OUT applied text, OUT body text)
LANGUAGE plpgsql AS $$
DECLARE
    kept dsapi.idempotency;
BEGIN
    IF NOT pg_try_advisory_xact_lock(
               hashtextextended(p_scope || E'\n' || p_key, 7003)) THEN
        state := 'busy';
        RETURN;
    END IF;
    SELECT * INTO kept FROM dsapi.idempotency i
     WHERE i.scope = p_scope AND i.key = p_key
       AND i.created_at > now() - interval '1 day';
    IF NOT FOUND THEN
        state := 'new';
    ELSIF kept.fingerprint <> p_fingerprint THEN
        state := 'other';
    ELSE
        state := 'done';
        status := kept.status;
        type := kept.type;
        location := kept.location;
        content_range := kept.content_range;
        applied := kept.applied;
        body := kept.body;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION dsapi.once_end(
    p_scope text, p_key text, p_fingerprint text, p_status integer,
    p_type text, p_location text, p_range text, p_applied text, p_body text)
RETURNS void LANGUAGE sql AS $$
    DELETE FROM dsapi.idempotency
     WHERE ctid = ANY (ARRAY(
               SELECT ctid FROM dsapi.idempotency
                WHERE created_at < now() - interval '1 day'
                ORDER BY created_at LIMIT 20 FOR UPDATE SKIP LOCKED));
    INSERT INTO dsapi.idempotency (scope, key, fingerprint, status, type,
                                   location, content_range, applied, body)
    VALUES (p_scope, p_key, p_fingerprint, p_status, p_type, p_location,
            p_range, p_applied, p_body)
    ON CONFLICT (scope, key) DO UPDATE
       SET fingerprint = excluded.fingerprint, status = excluded.status,
           type = excluded.type, location = excluded.location,
           content_range = excluded.content_range, applied = excluded.applied,
           body = excluded.body, created_at = now()
$$;
