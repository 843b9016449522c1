-- Food security: what WFP's HungerMap answers, as it was given.
-- Running this file again changes nothing and loses nothing.

CREATE SCHEMA IF NOT EXISTS hungermap;

-- Keys compare by bytes (COLLATE "C"): faster, and the same on every machine.
CREATE TABLE IF NOT EXISTS hungermap.country (
    iso3        text COLLATE "C" PRIMARY KEY,
    iso2        text,
    name        text,
    upstream_id bigint,
    fetched_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS hungermap.area (
    iso3       text COLLATE "C" NOT NULL
               REFERENCES hungermap.country,
    id         bigint NOT NULL,
    name       text NOT NULL,
    population double precision CHECK (population >= 0),
    PRIMARY KEY (iso3, id)
);

-- The days of one country and metric are one range of the primary key.
-- No foreign key to area: hungermap.store writes both in one transaction, and
-- a check per row would take as long as the row itself.
CREATE TABLE IF NOT EXISTS hungermap.observation (
    iso3       text COLLATE "C" NOT NULL,
    metric     text COLLATE "C" NOT NULL,
    day        date NOT NULL,
    area       bigint NOT NULL,
    people     double precision NOT NULL CHECK (people >= 0),
    prevalence double precision NOT NULL CHECK (prevalence BETWEEN 0 AND 1),
    data_type  text,
    PRIMARY KEY (iso3, metric, day, area)
);

CREATE OR REPLACE VIEW hungermap.observation_area AS
    SELECT o.day, o.area AS region_id, a.name AS region_name, a.population,
           o.people, o.prevalence, o.iso3, o.metric
      FROM hungermap.observation o
      JOIN hungermap.area a ON a.iso3 = o.iso3 AND a.id = o.area;

-- The day that 'YYYY-MM-DD' names; NULL where there is none. Never an error.
CREATE OR REPLACE FUNCTION hungermap.day_of(p_text text) RETURNS date
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN p_text ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$'
         AND p_text >= '0001'
         AND extract(day FROM make_date(substr(p_text, 1, 4)::int,
                                        substr(p_text, 6, 2)::int, 1)
                              + (substr(p_text, 9)::int - 1))
             = substr(p_text, 9)::int
        THEN make_date(substr(p_text, 1, 4)::int, substr(p_text, 6, 2)::int,
                       substr(p_text, 9)::int)
    END
$$;

-- The whole number that a JSON number is as it is written; NULL for any other
-- JSON, and beyond 18 digits. Never an error.
CREATE OR REPLACE FUNCTION hungermap.whole_of(p_json text) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_json ~ '^-?[0-9]+$' AND length(p_json) <= 18
                THEN p_json::bigint END
$$;

-- A number with an exponent or of many digits, which may be beyond what a
-- double holds: NULL then.
CREATE OR REPLACE FUNCTION hungermap.wide_number(p_text text)
RETURNS double precision LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN p_text::double precision;
EXCEPTION
    WHEN numeric_value_out_of_range OR invalid_text_representation THEN
        RETURN NULL;
END
$$;

-- The double nearest to a JSON number as it is written; NULL for any other
-- JSON (numeric text too) and for what a double can't hold. Never an error.
CREATE OR REPLACE FUNCTION hungermap.number_of(p_json text)
RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN p_json ~ '^-?[0-9.]+$' AND length(p_json) <= 300
        THEN p_json::double precision
        WHEN p_json ~ '^-?[0-9]'
        THEN hungermap.wide_number(p_json)
    END
$$;

-- A JSON value, short enough for a message.
CREATE OR REPLACE FUNCTION hungermap.shown(p_value json) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE json_typeof(p_value)
        WHEN 'object' THEN 'an object'
        WHEN 'array' THEN 'an array'
        ELSE CASE WHEN length(p_value::text) > 60
                  THEN left(p_value::text, 60) || '...'
                  ELSE p_value::text END
    END
$$;

-- What is wrong with a number of the upstream; NULL: nothing, or it is not
-- there. Above 2^53 whole numbers are no longer exact.
CREATE OR REPLACE FUNCTION hungermap.number_complaint(p_what text,
                                                      p_value json,
                                                      p_max double precision)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN p_value IS NULL OR json_typeof(p_value) = 'null' THEN NULL
        WHEN json_typeof(p_value) <> 'number'
        THEN format('%s is %s, not a number', p_what,
                    hungermap.shown(p_value))
        WHEN hungermap.number_of(p_value::text) IS NULL
        THEN format('%s is %s, which is out of range', p_what,
                    hungermap.shown(p_value))
        WHEN hungermap.number_of(p_value::text) < 0
        THEN format('%s is %s, which is below zero', p_what,
                    hungermap.shown(p_value))
        WHEN hungermap.number_of(p_value::text) > p_max
        THEN format('%s is %s, which is above %s', p_what,
                    hungermap.shown(p_value), p_max::bigint)
    END
$$;

-- What is wrong with one record of an answer, in words; NULL: nothing.
CREATE OR REPLACE FUNCTION hungermap.complaint(p_record json, p_iso3 text)
RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_member  json;
    v_metric  record;
    v_problem text;
BEGIN
    IF json_typeof(p_record) <> 'object' THEN
        RETURN format('it is %s, not an object', hungermap.shown(p_record));
    END IF;

    v_member := p_record -> 'country';
    IF coalesce(json_typeof(v_member), 'null') = 'null' THEN
        RETURN 'the country is missing';
    ELSIF json_typeof(v_member -> 'iso3') IS DISTINCT FROM 'string' THEN
        RETURN 'the country has no iso3 code';
    ELSIF upper(v_member ->> 'iso3') <> p_iso3 THEN
        RETURN format('the country is %s, but %s was asked for',
                      hungermap.shown(v_member -> 'iso3'), p_iso3);
    END IF;

    v_member := p_record -> 'region';
    IF coalesce(json_typeof(v_member), 'null') = 'null' THEN
        RETURN 'the region is missing';
    ELSIF json_typeof(v_member) <> 'object' THEN
        RETURN format('the region is %s, not an object',
                      hungermap.shown(v_member));
    ELSIF hungermap.whole_of((v_member -> 'id')::text) IS NULL THEN
        RETURN format('the region''s id is %s, not a whole number',
                      coalesce(hungermap.shown(v_member -> 'id'), 'missing'));
    ELSIF json_typeof(v_member -> 'name') IS DISTINCT FROM 'string'
          OR btrim(v_member ->> 'name') = '' THEN
        RETURN format('the name of region %s is missing', v_member ->> 'id');
    END IF;
    v_problem := hungermap.number_complaint(
        'the population of region ' || (v_member ->> 'id'),
        v_member -> 'population', 9007199254740992);
    IF v_problem IS NOT NULL THEN
        RETURN v_problem;
    END IF;

    v_member := p_record -> 'date';
    IF coalesce(json_typeof(v_member), 'null') = 'null' THEN
        RETURN 'the date is missing';
    ELSIF json_typeof(v_member) <> 'string'
          OR hungermap.day_of(v_member #>> '{}') IS NULL THEN
        RETURN format('date %s is not a day', hungermap.shown(v_member));
    END IF;

    v_member := p_record -> 'metrics';
    IF coalesce(json_typeof(v_member), 'null') = 'null' THEN
        RETURN NULL;
    ELSIF json_typeof(v_member) <> 'object' THEN
        RETURN format('the metrics are %s, not an object',
                      hungermap.shown(v_member));
    END IF;
    FOR v_metric IN SELECT key, value FROM json_each(v_member) LOOP
        IF length(v_metric.key) > 100 THEN
            RETURN 'the name of a metric is longer than 100 characters';
        ELSIF json_typeof(v_metric.value) NOT IN ('object', 'null') THEN
            RETURN format('metric %s is %s, not an object', v_metric.key,
                          hungermap.shown(v_metric.value));
        END IF;
        v_problem := coalesce(
            hungermap.number_complaint(v_metric.key || '.people',
                                       v_metric.value -> 'people',
                                       9007199254740992),
            hungermap.number_complaint(v_metric.key || '.prevalence',
                                       v_metric.value -> 'prevalence', 1));
        IF v_problem IS NOT NULL THEN
            RETURN v_problem;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

-- Refuse an answer, naming its first bad record.
CREATE OR REPLACE FUNCTION hungermap.refuse(p_records json, p_iso3 text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_problem text;
    v_element record;
BEGIN
    FOR v_element IN
        SELECT value, ordinality
          FROM json_array_elements(p_records) WITH ORDINALITY
    LOOP
        v_problem := hungermap.complaint(v_element.value, p_iso3);
        IF v_problem IS NOT NULL THEN
            RAISE EXCEPTION 'record %: %', v_element.ordinality, v_problem;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'a record of the answer is malformed';
END
$$;

-- Store one answer of the upstream: all of it, or nothing and an exception
-- whose text is meant for people. p_body is the array of records, or an object
-- whose member body is that array.
--
-- The same area and day more than once: the last complete value of each metric
-- in document order wins. Values already stored are overwritten; what is equal
-- is not touched. A metric that is missing, null or half in an area-day is
-- skipped, and counted over the metrics seen in the answer and fcs.
CREATE OR REPLACE FUNCTION hungermap.store(p_iso3 text, p_body json)
RETURNS TABLE (records int, stored int, skipped int, metrics json)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_iso3   text := upper(p_iso3);
    v_list   json := p_body;
    v_ok     boolean;
    v_record int;       -- different area-days
    v_first  date;
    v_until  date;
    v_names  text[];    -- metrics seen
    v_last   json;      -- the country, as the last record has it
    v_area   bigint[];  -- areas, with name and population
    v_name   text[];
    v_pop    double precision[];
    v_metric text[];    -- values, in the order of the primary key
    v_day    date[];
    v_region bigint[];
    v_people double precision[];
    v_share  double precision[];
    v_type   text[];
BEGIN
    IF json_typeof(v_list) = 'object' AND v_list -> 'body' IS NOT NULL THEN
        v_list := v_list -> 'body';
        IF json_typeof(v_list) <> 'array' THEN
            RAISE EXCEPTION
                'the body of the answer is %, not an array of records',
                hungermap.shown(v_list);
        END IF;
    ELSIF coalesce(json_typeof(v_list), 'null') <> 'array' THEN
        RAISE EXCEPTION 'the answer is %, not an array of records',
            coalesce(hungermap.shown(v_list), 'null');
    END IF;

    IF EXISTS (SELECT FROM json_array_elements(v_list) e
                WHERE json_typeof(e) <> 'object') THEN
        PERFORM hungermap.refuse(v_list, v_iso3);
    END IF;

    -- One pass over the answer: check, and take apart into columns.
    WITH rec AS MATERIALIZED (
        SELECT ord, country, region, data_type, r.metrics,
               hungermap.whole_of((region -> 'id')::text) AS area,
               hungermap.day_of(day_text) AS day
          FROM ROWS FROM (json_to_recordset(v_list)
                          AS (country json, region json, date text,
                              "dataType" text, metrics json))
               WITH ORDINALITY
               AS r (country, region, day_text, data_type, metrics, ord)
    ), region AS MATERIALIZED (
        SELECT area, max(ord) AS ord, region::text::json AS region
          FROM rec
         GROUP BY area, region::text
    ), part AS MATERIALIZED (
        SELECT ord, area, day, data_type, m.key COLLATE "C" AS metric,
               json_typeof(m.value) AS kind,
               (m.value -> 'people')::text AS people_text,
               (m.value -> 'prevalence')::text AS share_text
          FROM rec
               CROSS JOIN json_each(CASE json_typeof(rec.metrics)
                                    WHEN 'object' THEN rec.metrics END) m
    ), val AS MATERIALIZED (
        SELECT ord, area, day, data_type, metric, kind,
               coalesce(people_text, 'null') AS people_text,
               coalesce(share_text, 'null') AS share_text,
               hungermap.number_of(people_text) AS people,
               hungermap.number_of(share_text) AS share
          FROM part
    ), kept AS (
        SELECT DISTINCT ON (metric, day, area)
               metric, day, area, people, share, data_type
          FROM val
         WHERE people IS NOT NULL AND share IS NOT NULL
         ORDER BY metric, day, area, ord DESC
    ), named AS (
        SELECT area,
               (array_agg(region ->> 'name' ORDER BY ord DESC))[1] AS name,
               (array_agg(hungermap.number_of((region -> 'population')::text)
                          ORDER BY ord DESC)
                FILTER (WHERE json_typeof(region -> 'population') = 'number')
               )[1] AS population
          FROM region
         GROUP BY area
    )
    SELECT NOT EXISTS (
               SELECT FROM rec
                WHERE area IS NULL OR day IS NULL
                   OR (upper(country ->> 'iso3') = v_iso3) IS NOT TRUE
                   OR json_typeof(rec.metrics) NOT IN ('object', 'null'))
           AND NOT EXISTS (
               SELECT FROM region
                WHERE json_typeof(region -> 'name') IS DISTINCT FROM 'string'
                   OR btrim(region ->> 'name') = ''
                   OR hungermap.number_complaint('', region -> 'population',
                                                 9007199254740992)
                      IS NOT NULL)
           AND NOT EXISTS (
               SELECT FROM val
                WHERE kind NOT IN ('object', 'null') OR length(metric) > 100
                   OR ((people BETWEEN 0 AND 9007199254740992) IS NOT TRUE
                       AND people_text <> 'null')
                   OR ((share BETWEEN 0 AND 1) IS NOT TRUE
                       AND share_text <> 'null')),
           (SELECT count(*) FROM (SELECT DISTINCT day, area FROM rec) d),
           (SELECT min(day) FROM rec), (SELECT max(day) FROM rec),
           (SELECT array_agg(DISTINCT metric) FROM val),
           (SELECT country FROM rec ORDER BY ord DESC LIMIT 1),
           a.area, a.name, a.population,
           k.metric, k.day, k.area, k.people, k.share, k.data_type
      INTO v_ok, v_record, v_first, v_until, v_names, v_last,
           v_area, v_name, v_pop,
           v_metric, v_day, v_region, v_people, v_share, v_type
      FROM (SELECT array_agg(area) AS area, array_agg(name) AS name,
                   array_agg(population) AS population
              FROM named) a,
           (SELECT array_agg(metric) AS metric, array_agg(day) AS day,
                   array_agg(area) AS area, array_agg(people) AS people,
                   array_agg(share) AS share, array_agg(data_type) AS data_type
              FROM kept) k;

    IF NOT v_ok THEN
        PERFORM hungermap.refuse(v_list, v_iso3);
    END IF;

    -- First the country: its row's lock makes two stores of one country wait
    -- for each other, so they can't deadlock. An empty answer adds none.
    IF v_last IS NULL THEN
        UPDATE hungermap.country SET fetched_at = now() WHERE iso3 = v_iso3;
    ELSE
        INSERT INTO hungermap.country AS c
               (iso3, iso2, name, upstream_id, fetched_at)
        VALUES (v_iso3, v_last ->> 'iso2', v_last ->> 'name',
                hungermap.whole_of((v_last -> 'id')::text), now())
        ON CONFLICT (iso3) DO UPDATE
           SET iso2 = coalesce(excluded.iso2, c.iso2),
               name = coalesce(excluded.name, c.name),
               upstream_id = coalesce(excluded.upstream_id, c.upstream_id),
               fetched_at = excluded.fetched_at;
    END IF;

    INSERT INTO hungermap.area AS a (iso3, id, name, population)
    SELECT v_iso3, u.id, u.name, u.population
      FROM unnest(v_area, v_name, v_pop) AS u (id, name, population)
    ON CONFLICT (iso3, id) DO UPDATE
       SET name = excluded.name,
           population = coalesce(excluded.population, a.population)
     WHERE (a.name, a.population) IS DISTINCT FROM
           (excluded.name, coalesce(excluded.population, a.population));

    -- What is stored already is left out beforehand: ON CONFLICT would lock,
    -- and so write, each of those rows.
    INSERT INTO hungermap.observation AS o
           (iso3, metric, day, area, people, prevalence, data_type)
    SELECT v_iso3, u.metric, u.day, u.area, u.people, u.share, u.data_type
      FROM unnest(v_metric, v_day, v_region, v_people, v_share, v_type)
           AS u (metric, day, area, people, share, data_type)
     WHERE NOT EXISTS (
               SELECT FROM hungermap.observation p
                WHERE p.iso3 = v_iso3 AND p.metric = u.metric
                  AND p.day = u.day AND p.area = u.area
                  AND p.metric = ANY (v_names)
                  AND p.day BETWEEN v_first AND v_until
                  AND p.people = u.people AND p.prevalence = u.share
                  AND p.data_type IS NOT DISTINCT FROM u.data_type)
    ON CONFLICT (iso3, metric, day, area) DO UPDATE
       SET people = excluded.people,
           prevalence = excluded.prevalence,
           data_type = excluded.data_type
     WHERE (o.people, o.prevalence, o.data_type) IS DISTINCT FROM
           (excluded.people, excluded.prevalence, excluded.data_type);

    RETURN QUERY
    WITH seen AS (
        SELECT unnest(v_names) COLLATE "C" AS name
         UNION
        SELECT 'fcs'
    ), had AS (
        SELECT name COLLATE "C" AS name, count(*)::int AS n
          FROM unnest(v_metric) AS name
         GROUP BY 1
    )
    SELECT v_record, sum(coalesce(n, 0))::int,
           sum(v_record - coalesce(n, 0))::int,
           json_object_agg(name, json_build_object(
               'stored', coalesce(n, 0),
               'skipped', v_record - coalesce(n, 0)) ORDER BY name)
      FROM seen LEFT JOIN had USING (name);
END
$$;

-- Cached answers are made of these tables and of this file, and the series of
-- area and observation: of these, each country is announced for itself.
CREATE OR REPLACE FUNCTION hungermap.touch_countries()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF TG_OP <> 'DELETE' THEN
        PERFORM dsapi.touch('foodsecurity/foodsecurity', c.iso3)
           FROM (SELECT DISTINCT iso3 FROM new_rows) AS c;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        PERFORM dsapi.touch('foodsecurity/foodsecurity', c.iso3)
           FROM (SELECT DISTINCT iso3 FROM old_rows) AS c;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER touch
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON hungermap.country
    FOR EACH STATEMENT EXECUTE FUNCTION dsapi.touch_name('foodsecurity/region');
CREATE OR REPLACE TRIGGER touch AFTER TRUNCATE ON hungermap.area
    FOR EACH STATEMENT
    EXECUTE FUNCTION dsapi.touch_name('foodsecurity/foodsecurity');
CREATE OR REPLACE TRIGGER touch_insert AFTER INSERT ON hungermap.area
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION hungermap.touch_countries();
CREATE OR REPLACE TRIGGER touch_update AFTER UPDATE ON hungermap.area
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION hungermap.touch_countries();
CREATE OR REPLACE TRIGGER touch_delete AFTER DELETE ON hungermap.area
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION hungermap.touch_countries();
CREATE OR REPLACE TRIGGER touch AFTER TRUNCATE ON hungermap.observation
    FOR EACH STATEMENT
    EXECUTE FUNCTION dsapi.touch_name('foodsecurity/foodsecurity');
CREATE OR REPLACE TRIGGER touch_insert AFTER INSERT ON hungermap.observation
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION hungermap.touch_countries();
CREATE OR REPLACE TRIGGER touch_update AFTER UPDATE ON hungermap.observation
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION hungermap.touch_countries();
CREATE OR REPLACE TRIGGER touch_delete AFTER DELETE ON hungermap.observation
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION hungermap.touch_countries();
DO $$ BEGIN
    PERFORM dsapi.touch('foodsecurity/region');
    PERFORM dsapi.touch('foodsecurity/foodsecurity');
END $$;

-- What is deleted, or would be stored otherwise by this file, is fetched again
-- though it may not have changed at the upstream.
CREATE OR REPLACE TRIGGER forget
    AFTER DELETE OR TRUNCATE ON hungermap.country
    FOR EACH STATEMENT
    EXECUTE FUNCTION dsapi.forget_answers('foodsecurity/region');
CREATE OR REPLACE TRIGGER forget
    AFTER DELETE OR TRUNCATE ON hungermap.area
    FOR EACH STATEMENT
    EXECUTE FUNCTION dsapi.forget_answers('foodsecurity/region');
CREATE OR REPLACE TRIGGER forget
    AFTER DELETE OR TRUNCATE ON hungermap.observation
    FOR EACH STATEMENT
    EXECUTE FUNCTION dsapi.forget_answers('foodsecurity/region');
DELETE FROM dsapi.validator WHERE source = 'foodsecurity/region';
