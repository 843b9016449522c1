-- What the metrics are made of: 33 areas a country, 800 days.
SET client_min_messages = warning;
SELECT setseed(0.5);

INSERT INTO hungermap.area (iso3, id, name, population)
SELECT iso3, n, 'Area ' || n, 100000 + (random() * 5000000)::int
  FROM hungermap.country, generate_series(1, 33) AS n;
INSERT INTO hungermap.observation (iso3, metric, day, area, people, prevalence)
SELECT a.iso3, 'fcs', date '2021-05-01' + d, a.id, (population * share)::int,
       share
  FROM hungermap.area a, generate_series(0, 799) AS d,
       LATERAL (SELECT random() * 0.6 + 0 * (a.id + d) AS share) AS s
 ORDER BY a.iso3, d, a.id;

ANALYZE hungermap.country, hungermap.area, hungermap.observation;
