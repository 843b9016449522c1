SELECT 'Countries' AS name, '1.0' AS version,
       'Countries of the world, from REST Countries v3.1: fetched by name, '
       'stored, searched' AS description,
       (SELECT count(*) FROM countries.country) AS stored,
       (SELECT max(fetched_at) FROM countries.country) AS last_fetched,
       (SELECT json_agg(e) FROM (VALUES
           ('GET', '/countries/v1/countries',
            'search by name, code, capital, region, subregion, continent, '
            'currency, language, population_min, population_max; sort, limit, '
            'offset'),
           ('GET', '/countries/v1/countries/{code}',
            'a country by alpha-2, alpha-3 or numeric code'),
           ('GET', '/countries/v1/country/{country}',
            'a country by any of its names, in dash form'),
           ('POST', '/countries/v1/fetch/{country}',
            'fetch a country from the upstream'),
           ('GET', '/countries/v1/fetch/{country}',
            'the same, unless it was done within a day'),
           ('POST', '/countries/v1/fetch',
            'fetch many countries: a JSON array of names'),
           ('GET', '/countries/v1/status/{country}', 'how a fetch stands'),
           ('GET', '/countries/v1/names', 'the countries that can be fetched'),
           ('POST', '/countries/v1/names',
            'fetch these names, which is done once a day anyway'),
           ('GET', '/countries/v1/names/status', 'how that stands'))
           AS e (method, path, description)) AS endpoints,
       '[{"method": "POST", "url": "/countries/v1/fetch/new-zealand"},
         {"method": "POST", "url": "/countries/v1/fetch",
          "body": ["france", "guinea-bissau"]},
         {"method": "GET", "url": "/countries/v1/status/new-zealand"},
         {"method": "GET", "url": "/countries/v1/country/cote-d-ivoire"},
         {"method": "GET", "url": "/countries/v1/countries/NZL"},
         {"method": "GET", "url":
          "/countries/v1/countries?region=europe&language=french&sort=-population"}]'
           ::json AS examples
