SELECT day AS "date", people, prevalence,
       (SELECT sum((p - prevalence) * (p - prevalence))
          FROM unnest(shares) AS p) / areas AS variance,
       areas
  FROM (SELECT day, sum(people) AS people,
               sum(people * prevalence) / nullif(sum(people), 0) AS prevalence,
               array_agg(prevalence) AS shares, count(*) AS areas
          FROM hungermap.observation
         WHERE iso3 = :iso3 AND metric = 'fcs'
           AND day BETWEEN :from AND :to
         GROUP BY day) AS by_day
 ORDER BY day
