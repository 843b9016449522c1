-- What `make bench` measures with; hungermap's tables are there already.
SET client_min_messages = warning;
SELECT setseed(0.5);

CREATE SCHEMA bench;

-- Documents of 3 kB, all of one length, so that a file can stand for any.
CREATE TABLE bench.doc (id integer PRIMARY KEY, doc json NOT NULL);
INSERT INTO bench.doc
SELECT n, format('{"id":%s,"name":"Document %s","days":[%s]}',
                 100000 + n, 100000 + n, days)::json
  FROM generate_series(1, 10000) AS n,
       LATERAL (SELECT string_agg(format(
                    '{"date":"%s","people":%s,"prevalence":0.%s}',
                    date '2022-01-01' + d,
                    100000 + (random() * 899999 + n - n)::int,
                    100000 + (random() * 899999)::int), ',') AS days
                  FROM generate_series(1, 50) AS d) AS a;

CREATE TABLE bench.note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                         name text NOT NULL, amount numeric NOT NULL);

CREATE TABLE bench.bulk (area bigint, day date, people double precision,
                         prevalence double precision,
                         PRIMARY KEY (area, day));

-- Rows of a resource, and an empty table for a file of them.
CREATE TABLE bench.item (id integer PRIMARY KEY, name text NOT NULL,
                         amount numeric NOT NULL, day date NOT NULL);
INSERT INTO bench.item
SELECT n, 'Item ' || n, n * 7 % 100000 / 100.0, date '2022-01-01' + n % 400
  FROM generate_series(1, 10000) AS n;
CREATE TABLE bench.import (LIKE bench.item INCLUDING INDEXES);

-- 30 countries; their areas and days are in observations.sql.
INSERT INTO hungermap.country (iso3, name)
SELECT iso3, iso3
  FROM unnest('{AFG,AGO,BDI,BEN,BFA,BGD,BOL,CAF,CIV,CMR,COD,COG,COL,DJI,ETH,GHA,GIN,GMB,GTM,HND,HTI,IRQ,KEN,LAO,LBR,LSO,MDG,MLI,MMR,MOZ}'::text[]) AS iso3;

ANALYZE bench.doc, bench.item;
