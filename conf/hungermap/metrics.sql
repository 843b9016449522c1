-- Metrics A and B of the countries asked for, once each in the order asked, in
-- the one document that existing consumers read. Months are keys without a
-- leading zero ("2022-6"), in order.
SELECT json_object_agg(
           c.iso3,
           json_build_object('metric_a', coalesce(a.areas, '[]'::json),
                             'metric_b', coalesce(b.days, '{}'::json))
           ORDER BY c.position)
  FROM (SELECT iso3, min(position) AS position
          FROM unnest(:countries) WITH ORDINALITY AS asked (iso3, position)
         GROUP BY iso3) AS c
 CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object(
               'region', (SELECT r
                            FROM (SELECT area.id, area.name,
                                         area.population) AS r),
               'average', m.average) ORDER BY area.id) AS areas
      FROM (SELECT area,
                   json_object_agg(
                       to_char(first_day, 'FMYYYY-FMMM'),
                       (SELECT r FROM (SELECT people, prevalence) AS r)
                       ORDER BY first_day) AS average
              FROM (SELECT area,
                           date_trunc('month', day::timestamp) AS first_day,
                           avg(people) AS people,
                           avg(prevalence) AS prevalence
                      FROM hungermap.observation
                     WHERE iso3 = c.iso3 AND metric = 'fcs'
                       AND day BETWEEN :from AND :to
                     GROUP BY area, date_trunc('month', day::timestamp)
                   ) AS by_month
             GROUP BY area) AS m
      JOIN hungermap.area area ON area.iso3 = c.iso3 AND area.id = m.area
 ) AS a
 CROSS JOIN LATERAL (
    SELECT json_object_agg(
               day,
               (SELECT r
                  FROM (SELECT people, prevalence,
                               (SELECT sum((p - prevalence) * (p - prevalence))
                                  FROM unnest(by_day.shares) AS p)
                               / areas AS variance) AS r)
               ORDER BY day) AS days
      FROM (SELECT day, sum(people) AS people,
                   sum(people * prevalence) / nullif(sum(people), 0)
                       AS prevalence,
                   array_agg(prevalence) AS shares, count(*) AS areas
              FROM hungermap.observation
             WHERE iso3 = c.iso3 AND metric = 'fcs'
               AND day BETWEEN :from AND :to
             GROUP BY day) AS by_day
 ) AS b
