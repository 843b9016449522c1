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

-- End a held job well, in the transaction that stored its data.
CREATE OR REPLACE FUNCTION dsapi.finish(p_id bigint, p_token uuid,
                                        p_result json)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE dsapi.job
       SET state = 'succeeded', result = p_result, error = NULL,
           finished_at = clock_timestamp(),
           lease_token = NULL, lease_until = NULL
     WHERE id = p_id AND lease_token = p_token;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease of job % is lost', p_id
              USING ERRCODE = 'DS001';
    END IF;
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

-- The last answer that an attempt failed with, for whoever looks into it: how
-- it begins, up to 64 kB. The API does not show it.
ALTER TABLE dsapi.job ADD COLUMN IF NOT EXISTS response_status integer;
ALTER TABLE dsapi.job ADD COLUMN IF NOT EXISTS response_type text;
ALTER TABLE dsapi.job ADD COLUMN IF NOT EXISTS response_body bytea;

-- What an upstream knows the answer by that was stored last: the next request
-- with the same parameters asks whether it is still the same, if the source's
-- definition is. Whoever takes stored data away takes its rows here, too.
CREATE TABLE IF NOT EXISTS dsapi.upstream (
    source        text  NOT NULL,
    params        jsonb NOT NULL,
    definition    text  NOT NULL,
    etag          text,
    last_modified text,
    stored_at     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS upstream_params
    ON dsapi.upstream (source, md5(params::text));

-- Keep a failed attempt's answer, before dsapi.fail gives the lease up.
CREATE OR REPLACE FUNCTION dsapi.keep(p_id bigint, p_token uuid,
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
        DELETE FROM dsapi.upstream u USING dsapi.job j
         WHERE j.id = p_id AND u.source = j.source
           AND md5(u.params::text) = md5(j.params::text);
    ELSE
        INSERT INTO dsapi.upstream
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
