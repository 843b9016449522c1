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

-- One live job per source and parameters.
CREATE UNIQUE INDEX IF NOT EXISTS job_live
    ON dsapi.job (source, md5(params::text))
    WHERE state IN ('queued', 'running');
CREATE INDEX IF NOT EXISTS job_ready
    ON dsapi.job (run_at, id) WHERE state = 'queued';
CREATE INDEX IF NOT EXISTS job_lease
    ON dsapi.job (lease_until) WHERE state = 'running';
CREATE INDEX IF NOT EXISTS job_newest
    ON dsapi.job (source, id DESC);
CREATE INDEX IF NOT EXISTS job_params
    ON dsapi.job USING gin (params jsonb_path_ops);

-- Versions of stored data: what is under a name (and key) is what it was as
-- long as its version is the same. A change adds a row, so that changes of one
-- name never wait for each other, nor lock each other out; a version is the
-- exclusive or of its rows, which is the same in whatever order they come, and
-- when they are folded into one.
CREATE TABLE IF NOT EXISTS dsapi.series_version (
    xid     xid8   NOT NULL DEFAULT pg_current_xact_id(),
    name    text   COLLATE "C" NOT NULL             -- 'service/series'
            CHECK (octet_length(name) BETWEEN 1 AND 1000),
    key     text[] COLLATE "C" NOT NULL DEFAULT '{}',   -- '{}': all of it
    version bigint NOT NULL
            DEFAULT hashtextextended(gen_random_uuid()::text, 0),
    PRIMARY KEY (xid, name, key)
) WITH (autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_threshold = 200);
CREATE INDEX IF NOT EXISTS series_version_name
    ON dsapi.series_version (name, key);

-- Announce, in the transaction that changes them, that the data of a name
-- (and key) are others from its commit on. Whoever may write the data may say
-- so (SECURITY DEFINER); once for a transaction, however often it is said.
CREATE OR REPLACE FUNCTION dsapi.touch(p_name text,
                                       VARIADIC p_key text[] DEFAULT '{}')
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    -- a row of this xid is of this transaction, or of another server that
    -- this database was restored from: then the version must change, too
    INSERT INTO dsapi.series_version (name, key) VALUES (p_name, p_key)
    ON CONFLICT (xid, name, key) DO UPDATE SET version = excluded.version;
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
-- of its xmin or above. surplus: how many rows folding would save.
CREATE OR REPLACE FUNCTION dsapi.versions(p_names text[], p_since xid8)
RETURNS TABLE (seen xid8, name text, version bigint, surplus bigint)
LANGUAGE sql STABLE AS $$
    SELECT pg_snapshot_xmin(pg_current_snapshot()), c.*
      FROM (VALUES (1)) AS one
      LEFT JOIN LATERAL (
           SELECT v.name, bit_xor(v.version),
                  count(*) - count(DISTINCT v.key)
             FROM dsapi.series_version v
            WHERE v.name IN (SELECT n.name FROM dsapi.series_version n
                              WHERE n.xid >= p_since
                                AND n.name = ANY (p_names))
            GROUP BY v.name) AS c ON true
$$;

-- Make one row of several. Their versions stay, and nobody waits.
CREATE OR REPLACE FUNCTION dsapi.fold_versions(p_name text)
RETURNS void LANGUAGE sql AS $$
    WITH old AS MATERIALIZED (
        SELECT ctid FROM dsapi.series_version
         WHERE name = p_name
           AND key IN (SELECT key FROM dsapi.series_version
                        WHERE name = p_name
                        GROUP BY key HAVING count(*) > 1)
           FOR UPDATE SKIP LOCKED),
    gone AS (
        DELETE FROM dsapi.series_version v USING old WHERE v.ctid = old.ctid
        RETURNING v.key, v.version)
    INSERT INTO dsapi.series_version (name, key, version)
    SELECT p_name, key, bit_xor(version) FROM gone GROUP BY key
$$;

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

-- Take up to p_limit jobs that are due. The attempt counts from here on.
CREATE OR REPLACE FUNCTION dsapi.claim(p_sources text[], p_limit integer,
                                       p_lease interval)
RETURNS SETOF dsapi.job LANGUAGE sql AS $$
    -- as a CTE it runs once: a join could ask a subquery, which locks more
    -- rows each time, again and again
    WITH due AS MATERIALIZED (
        SELECT id FROM dsapi.job
         WHERE state = 'queued' AND run_at <= clock_timestamp()
           AND source = ANY (p_sources)
         ORDER BY run_at, id
         LIMIT p_limit
           FOR UPDATE SKIP LOCKED)
    UPDATE dsapi.job j
       SET state = 'running', attempts = j.attempts + 1,
           started_at = clock_timestamp(), finished_at = NULL,
           lease_token = gen_random_uuid(),
           lease_until = clock_timestamp() + p_lease
      FROM due
     WHERE j.id = due.id
    RETURNING j.*
$$;

-- Microseconds until the next queued job is due; NULL: none is queued.
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

-- End an attempt badly: try again after p_retry_in, or (NULL) never. The
-- answer is the new state; no row: the lease is lost.
CREATE OR REPLACE FUNCTION dsapi.fail(p_id bigint, p_token uuid, p_error text,
                                      p_retry_in interval)
RETURNS SETOF text LANGUAGE sql AS $$
    UPDATE dsapi.job
       SET state = CASE WHEN p_retry_in IS NULL OR attempts >= max_attempts
                        THEN 'failed' ELSE 'queued' END,
           error = p_error,
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
