SELECT a.id AS "region.id", a.name AS "region.name",
       a.population AS "region.population", m.months
  FROM (SELECT area,
               json_agg((SELECT r
                           FROM (SELECT to_char(first_day, 'YYYY-MM') AS month,
                                        people, prevalence, days) AS r)
                        ORDER BY first_day) AS months
          FROM (SELECT area, date_trunc('month', day::timestamp) AS first_day,
                       avg(people) AS people, avg(prevalence) AS prevalence,
                       count(*) AS days
                  FROM hungermap.observation
                 WHERE iso3 = :iso3 AND metric = 'fcs'
                   AND day BETWEEN :from AND :to
                 GROUP BY area, date_trunc('month', day::timestamp)) AS by_month
         GROUP BY area) AS m
  JOIN hungermap.area a ON a.iso3 = :iso3 AND a.id = m.area
 ORDER BY a.id
