-- Countries: what REST Countries v3.1 answers, as it was given, and all names
-- that a country is known by. Running this file again changes nothing and
-- loses nothing.
--
-- Both extensions are trusted: the owner of a database may create them.

CREATE SCHEMA IF NOT EXISTS countries;
CREATE EXTENSION IF NOT EXISTS unaccent;
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- A text as it is searched: without accents and case, on one line. a to z are
-- the same in every locale, Turkish ones too; the rest is as the database has it.
CREATE OR REPLACE FUNCTION countries.fold(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lower(lower(unaccent(regexp_replace(p_text, '\s+', ' ', 'g'))
                   COLLATE "C") COLLATE "default");

-- The dash form of a name: 'Côte d''Ivoire' is cote-d-ivoire.
CREATE OR REPLACE FUNCTION countries.dashed(p_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN btrim(regexp_replace(countries.fold(p_name), '[^a-z0-9]+', '-', 'g'),
             '-');

-- A folded text as a LIKE pattern that finds it anywhere.
CREATE OR REPLACE FUNCTION countries.part(p_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '%' || regexp_replace(countries.fold(p_text), '([\\%_])', '\\\1', 'g')
       || '%';

-- The texts of an array, folded, one a line.
CREATE OR REPLACE FUNCTION countries.texts(p_list json) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT string_agg(countries.fold(t), E'\n')
      FROM json_array_elements_text(CASE json_typeof(p_list)
                                        WHEN 'array' THEN p_list END) AS t;
END;

-- The keys of an object and what they stand for, folded, one a line:
-- {"fra": "French"}, or {"EUR": {"name": "Euro", "symbol": "€"}}.
CREATE OR REPLACE FUNCTION countries.coded(p_object json) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT string_agg(countries.fold(key) || coalesce(E'\n' || countries.fold(
                          CASE json_typeof(value)
                              WHEN 'object' THEN value ->> 'name'
                              ELSE value #>> '{}' END), ''), E'\n')
      FROM json_each(CASE json_typeof(p_object) WHEN 'object' THEN p_object END);
END;

-- All that is stored of a country is its document; the rest is made of that.
CREATE TABLE IF NOT EXISTS countries.country (
    document   json NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now(),
    cca3       text COLLATE "C" PRIMARY KEY
               GENERATED ALWAYS AS (document ->> 'cca3') STORED,
    cca2       text COLLATE "C" NOT NULL UNIQUE
               GENERATED ALWAYS AS (document ->> 'cca2') STORED,
    ccn3       text COLLATE "C" UNIQUE
               GENERATED ALWAYS AS (nullif(document ->> 'ccn3', '')) STORED,
    -- what it is called in URLs
    country    text COLLATE "C" NOT NULL UNIQUE GENERATED ALWAYS AS
               (countries.dashed(document #>> '{name,common}')) STORED,
    population bigint
               GENERATED ALWAYS AS ((document ->> 'population')::bigint) STORED,
    area       double precision GENERATED ALWAYS AS
               ((document ->> 'area')::double precision) STORED,
    -- folded, for the search
    names      text COLLATE "C" NOT NULL GENERATED ALWAYS AS
               (countries.fold(document #>> '{name,common}') || E'\n'
                || countries.fold(document #>> '{name,official}')
                || coalesce(E'\n' || countries.texts(document -> 'altSpellings'),
                            '')) STORED,
    capitals   text COLLATE "C" GENERATED ALWAYS AS
               (countries.texts(document -> 'capital')) STORED,
    region     text COLLATE "C" GENERATED ALWAYS AS
               (countries.fold(document ->> 'region')) STORED,
    subregion  text COLLATE "C" GENERATED ALWAYS AS
               (countries.fold(document ->> 'subregion')) STORED,
    continents text COLLATE "C" GENERATED ALWAYS AS
               (countries.texts(document -> 'continents')) STORED,
    currencies text COLLATE "C" GENERATED ALWAYS AS
               (countries.coded(document -> 'currencies')) STORED,
    languages  text COLLATE "C" GENERATED ALWAYS AS
               (countries.coded(document -> 'languages')) STORED
);

-- One index for every part of a text that is searched, alone or together. It is
-- read far more often than written: nothing waits in a list that is searched
-- one by one.
CREATE INDEX IF NOT EXISTS country_texts ON countries.country USING gin
    (names gin_trgm_ops, capitals gin_trgm_ops, region gin_trgm_ops,
     subregion gin_trgm_ops, continents gin_trgm_ops, currencies gin_trgm_ops,
     languages gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX IF NOT EXISTS country_population ON countries.country (population);

-- The dash forms of all names of all countries that the upstream knows,
-- whether they are stored or not. Rank 1 is the common name, 2 the official
-- one, 3 an alternative spelling.
CREATE TABLE IF NOT EXISTS countries.name (
    name text COLLATE "C" NOT NULL,
    cca3 text COLLATE "C" NOT NULL,
    cca2 text COLLATE "C" NOT NULL,
    rank smallint NOT NULL,
    PRIMARY KEY (name, cca3)
);
CREATE INDEX IF NOT EXISTS name_cca3 ON countries.name (cca3, rank, name);

-- What is wrong with a document, in words; NULL: nothing. Only name, cca2 and
-- cca3 need be there.
CREATE OR REPLACE FUNCTION countries.complaint(p_document json) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_problem text;
BEGIN
    IF json_typeof(p_document) <> 'object' THEN
        RETURN format('a country is %s, not an object',
                      json_typeof(p_document));
    END IF;
    IF coalesce(countries.dashed(p_document #>> '{name,common}'), '') = ''
       OR coalesce(p_document #>> '{name,official}', '') = '' THEN
        RETURN 'a country has no name';
    END IF;
    SELECT format('%s of %s is %s', member, p_document #>> '{name,common}',
                  CASE WHEN p_document -> member IS NULL THEN 'missing'
                       WHEN json_typeof(p_document -> member) IN
                            ('array', 'object')
                       THEN json_typeof(p_document -> member)
                       ELSE left((p_document -> member)::text, 60) END)
      INTO v_problem
      FROM (VALUES ('cca2', '^"[A-Z]{2}"$', false),
                   ('cca3', '^"[A-Z]{3}"$', false),
                   ('ccn3', '^"([0-9]{3})?"$', true),
                   ('region', '^"', true),
                   ('subregion', '^"', true),
                   ('flag', '^"', true),
                   ('altSpellings', '^\[', true),
                   ('capital', '^\[', true),
                   ('continents', '^\[', true),
                   ('currencies', '^\{', true),
                   ('languages', '^\{', true),
                   ('population', '^[0-9]{1,15}$', true),
                   ('area', '^-?[0-9.]{1,20}([eE]\+?[0-9]{1,2})?$', true))
           AS good (member, pattern, optional)
     WHERE CASE WHEN coalesce(json_typeof(p_document -> member), 'null')
                     = 'null'
                THEN NOT optional
                ELSE (p_document -> member)::text !~ pattern END
     LIMIT 1;
    RETURN v_problem;
END
$$;

-- The dash forms of the names in documents. The code that is among the
-- alternative spellings is no name.
CREATE OR REPLACE FUNCTION countries.names_of(p_documents json)
RETURNS SETOF countries.name LANGUAGE sql STABLE AS $$
    SELECT DISTINCT ON (1, 2) n.name, d ->> 'cca3', d ->> 'cca2', n.rank
      FROM json_array_elements(p_documents) AS d
     CROSS JOIN LATERAL
           (SELECT countries.dashed(d #>> '{name,common}'), 1::smallint
             UNION ALL
            SELECT countries.dashed(d #>> '{name,official}'), 2::smallint
             UNION ALL
            SELECT countries.dashed(t), 3::smallint
              FROM json_array_elements_text(
                       CASE json_typeof(d -> 'altSpellings')
                           WHEN 'array' THEN d -> 'altSpellings' END) AS t
             WHERE t <> d ->> 'cca2')
           AS n (name, rank)
     WHERE n.name ~ '^[a-z][a-z-]*[a-z]$'
     ORDER BY 1, 2, n.rank
$$;

-- Learn the names of countries; those that they had before are forgotten. What
-- is known already is not written. Another answer than an array of countries
-- is refused, in words.
CREATE OR REPLACE FUNCTION countries.learn(p_documents json) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_problem text;
    v_names   countries.name[];
    v_old     countries.name[];
    v_new     countries.name[];
BEGIN
    IF coalesce(json_typeof(p_documents), 'null') <> 'array' THEN
        RAISE EXCEPTION 'the answer is not an array of countries';
    END IF;
    SELECT problem INTO v_problem
      FROM json_array_elements(p_documents) AS d
     CROSS JOIN LATERAL countries.complaint(d) AS problem
     WHERE problem IS NOT NULL
     LIMIT 1;
    IF v_problem IS NOT NULL THEN
        RAISE EXCEPTION '%', v_problem;
    END IF;

    v_names := ARRAY(SELECT n FROM countries.names_of(p_documents) AS n);
    v_new := ARRAY(SELECT n FROM unnest(v_names) AS n
                   EXCEPT SELECT n FROM countries.name AS n);
    v_old := ARRAY(SELECT n FROM countries.name AS n
                    WHERE n.cca3 IN (SELECT u.cca3 FROM unnest(v_names) AS u)
                   EXCEPT SELECT n FROM unnest(v_names) AS n);
    IF cardinality(v_new) = 0 AND cardinality(v_old) = 0 THEN
        RETURN;
    END IF;
    -- one at a time: who learns the same names meanwhile can't deadlock with us
    LOCK TABLE countries.name IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM countries.name n USING unnest(v_old) AS o
     WHERE n.name = o.name AND n.cca3 = o.cca3;
    INSERT INTO countries.name SELECT * FROM unnest(v_new)
        ON CONFLICT (name, cca3)
        DO UPDATE SET cca2 = excluded.cca2, rank = excluded.rank;
END
$$;

-- Learn the names of all countries that there are.
CREATE OR REPLACE FUNCTION countries.learn_all(p_documents json)
RETURNS TABLE (countries bigint, names bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM countries.learn(p_documents);
    DELETE FROM countries.name n
     WHERE NOT EXISTS (SELECT FROM json_array_elements(p_documents) AS d
                        WHERE d ->> 'cca3' = n.cca3)
       AND NOT EXISTS (SELECT FROM countries.country c
                        WHERE c.cca3 = n.cca3);
    RETURN QUERY SELECT count(DISTINCT n.cca3), count(*)
                   FROM countries.name n;
END
$$;

-- The countries (cca3) that a name in dash form may stand for: none, one, or
-- several. A common name goes before an official one, and that before an
-- alternative spelling, which is not clear where it is part of another country's
-- name, too: congo.
CREATE OR REPLACE FUNCTION countries.meant(p_name text) RETURNS text[]
LANGUAGE sql STABLE AS $$
    WITH best AS (
        SELECT cca3, rank
          FROM countries.name
         WHERE name = p_name
           AND rank = (SELECT min(rank) FROM countries.name
                        WHERE name = p_name)
    )
    SELECT ARRAY(SELECT cca3 FROM best
                  UNION
                 SELECT cca3 FROM countries.name
                  WHERE rank < 3 AND EXISTS (SELECT FROM best WHERE rank = 3)
                    AND '-' || name || '-' LIKE '%-' || p_name || '-%'
                  ORDER BY 1)
$$;

-- What such countries are called in URLs: 'dr-congo or republic-of-the-congo'.
CREATE OR REPLACE FUNCTION countries.called(p_cca3 text[]) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT string_agg(name, ' or ' ORDER BY name)
      FROM countries.name
     WHERE cca3 = ANY (p_cca3) AND rank = 1
$$;

-- ', is guinea-bissau meant?', or nothing where no name is near.
CREATE OR REPLACE FUNCTION countries.guess(p_name text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT '; is ' || string_agg(name, ' or ' ORDER BY name) || ' meant?'
           FROM (SELECT name FROM countries.name
                  WHERE rank = 1 AND similarity(name, p_name) > 0.3
                  ORDER BY similarity(name, p_name) DESC, name
                  LIMIT 3) AS near), '')
$$;

-- Where the upstream is to be asked for a country: alpha/{code} where its name
-- is known, else name/{word}, which answers all that have that word in a name.
-- The word is one of those between the dashes, since nobody knows what other
-- letters a dash stands for; a long one that few names have.
CREATE OR REPLACE FUNCTION countries.resolve(p_country text)
RETURNS TABLE (kind text, item text) LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_cca3 text[] := countries.meant(p_country);
BEGIN
    IF cardinality(v_cca3) > 1 THEN
        RAISE EXCEPTION '% may stand for %: ask for one of these', p_country,
            countries.called(v_cca3);
    ELSIF cardinality(v_cca3) = 1 THEN
        RETURN QUERY SELECT 'alpha', n.cca2 FROM countries.name n
                      WHERE n.cca3 = v_cca3[1] LIMIT 1;
    ELSE
        RETURN QUERY
        SELECT 'name', word
          FROM string_to_table(p_country, '-') AS word
         ORDER BY word IN ('republic', 'democratic', 'kingdom', 'states',
                           'united', 'people', 'island', 'islands', 'saint',
                           'and', 'of', 'the'),
                  length(word) DESC, word
         LIMIT 1;
    END IF;
END
$$;

-- Store the one country of an answer that a name in dash form stands for; or
-- nothing, and an exception whose text is meant for people. p_body is an array
-- of countries, or what comes with a 404.
CREATE OR REPLACE FUNCTION countries.store(p_country text, p_body json)
RETURNS TABLE (cca3 text, name text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_cca3     text[];
    v_document json;
BEGIN
    IF json_typeof(p_body) = 'object'
       AND p_body ->> 'message' = 'Not Found' THEN
        RAISE EXCEPTION '% is no country that the upstream knows%', p_country,
            countries.guess(p_country);
    END IF;
    PERFORM countries.learn(p_body);
    v_cca3 := countries.meant(p_country);
    IF cardinality(v_cca3) = 0 THEN
        RAISE EXCEPTION '% is no country that the upstream knows%', p_country,
            countries.guess(p_country);
    ELSIF cardinality(v_cca3) > 1 THEN
        RAISE EXCEPTION '% may stand for %: ask for one of these', p_country,
            countries.called(v_cca3);
    END IF;
    SELECT d INTO v_document FROM json_array_elements(p_body) AS d
     WHERE d ->> 'cca3' = v_cca3[1];
    IF v_document IS NULL THEN
        RAISE EXCEPTION 'the answer is about other countries than %',
            p_country;
    END IF;
    RETURN QUERY
    INSERT INTO countries.country AS c (document) VALUES (v_document)
        ON CONFLICT (cca3)
        DO UPDATE SET document = excluded.document, fetched_at = now()
    RETURNING c.cca3, c.document #>> '{name,common}';
END
$$;

-- The stored document of a country; 404 with how to get it where there is none,
-- and what may be meant where nobody is known to be called so.
-- p_fetch is the URL that names are fetched at, with its last slash.
CREATE OR REPLACE FUNCTION countries.named(p_country text, p_fetch text)
RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_cca3     text[] := countries.meant(p_country);
    v_document json;
BEGIN
    IF cardinality(v_cca3) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'PT404', MESSAGE = format(
            '%s may stand for %s: ask for one of these', p_country,
            countries.called(v_cca3));
    END IF;
    SELECT document INTO v_document
      FROM countries.country WHERE cca3 = v_cca3[1];
    IF v_document IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'PT404', MESSAGE = format(
            '%s is not stored: POST %s%1$s fetches it%3$s', p_country, p_fetch,
            CASE WHEN cardinality(v_cca3) = 0
                 THEN countries.guess(p_country) END);
    END IF;
    RETURN v_document;
END
$$;

-- Is one of the country's ISO 3166 codes this one, alpha-2, alpha-3 or numeric?
CREATE OR REPLACE FUNCTION countries.has_code(p_country countries.country,
                                              p_code text)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT p_country.cca2 = upper(p_code) OR p_country.cca3 = upper(p_code)
           OR p_country.ccn3 = lpad(p_code, 3, '0')
$$;

-- Search what is stored; what is NULL does not count.
CREATE OR REPLACE FUNCTION countries.search(
    p_name text, p_code text, p_capital text, p_region text,
    p_subregion text, p_continent text, p_currency text, p_language text,
    p_population_min bigint, p_population_max bigint, p_sort text,
    p_limit bigint, p_offset bigint)
RETURNS SETOF countries.country LANGUAGE plpgsql STABLE
-- planned for the filters that are there: only so can an index be used
SET plan_cache_mode = force_custom_plan AS $$
BEGIN
    RETURN QUERY
    SELECT *
      FROM countries.country c
     WHERE (p_name IS NULL OR c.names LIKE countries.part(p_name))
       AND (p_code IS NULL OR countries.has_code(c, p_code))
       AND (p_capital IS NULL OR c.capitals LIKE countries.part(p_capital))
       AND (p_region IS NULL OR c.region LIKE countries.part(p_region))
       AND (p_subregion IS NULL
            OR c.subregion LIKE countries.part(p_subregion))
       AND (p_continent IS NULL
            OR c.continents LIKE countries.part(p_continent))
       AND (p_currency IS NULL
            OR c.currencies LIKE countries.part(p_currency))
       AND (p_language IS NULL OR c.languages LIKE countries.part(p_language))
       AND (p_population_min IS NULL OR c.population >= p_population_min)
       AND (p_population_max IS NULL OR c.population <= p_population_max)
     ORDER BY CASE p_sort WHEN 'population' THEN c.population
                          WHEN '-population' THEN -c.population
                          WHEN 'area' THEN c.area
                          WHEN '-area' THEN -c.area END,
              CASE p_sort WHEN 'code' THEN c.cca3 END,
              CASE p_sort WHEN '-code' THEN c.cca3 END DESC,
              CASE p_sort WHEN '-name' THEN c.names END DESC,
              c.names
     LIMIT p_limit OFFSET p_offset;
END
$$;

-- Cached answers are made of these tables and of this file.
CREATE OR REPLACE TRIGGER touch
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON countries.country
    FOR EACH STATEMENT EXECUTE FUNCTION dsapi.touch_name('countries/country');
CREATE OR REPLACE TRIGGER touch
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON countries.name
    FOR EACH STATEMENT EXECUTE FUNCTION dsapi.touch_name('countries/country');
DO $$ BEGIN PERFORM dsapi.touch('countries/country'); END $$;

-- What is deleted, or would be stored otherwise by this file, is fetched again
-- though it may not have changed at the upstream.
CREATE OR REPLACE TRIGGER forget
    AFTER DELETE OR TRUNCATE ON countries.name
    FOR EACH STATEMENT
    EXECUTE FUNCTION dsapi.forget_answers('countries/names');
DELETE FROM dsapi.validator WHERE source = 'countries/names';
