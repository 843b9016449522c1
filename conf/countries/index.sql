SELECT 'Countries' AS name, '1.0' AS version,
       'Countries of the world, from REST Countries v3.1: fetched by name, '
       'stored, searched' AS description,
       (SELECT count(*) FROM countries.country) AS stored,
       (SELECT max(fetched_at) FROM countries.country) AS last_fetched,
       (SELECT json_agg(e) FROM (VALUES
           ('GET', '/countries/v1/countries',
            'search by name, code, capital, region, subregion, continent, '
            'currency, language, population_min, population_max; sort, limit, '
            'offset',
            '/countries/v1/countries?region=europe&language=french'
            '&sort=-population', NULL::json),
           ('GET', '/countries/v1/countries/{code}',
            'a country by alpha-2, alpha-3 or numeric code',
            '/countries/v1/countries/NZL', NULL),
           ('GET', '/countries/v1/country/{country}',
            'a country by any of its names, in dash form',
            '/countries/v1/country/new-zealand', NULL),
           ('POST', '/countries/v1/fetch/{country}',
            'fetch a country from the upstream',
            '/countries/v1/fetch/new-zealand', NULL),
           ('GET', '/countries/v1/fetch/{country}',
            'the same, unless it was done within a day',
            '/countries/v1/fetch/cote-d-ivoire', NULL),
           ('POST', '/countries/v1/fetch', 'fetch many countries',
            '/countries/v1/fetch', '["france","guinea-bissau"]'),
           ('GET', '/countries/v1/status/{country}', 'how a fetch stands',
            '/countries/v1/status/new-zealand', NULL),
           ('GET', '/countries/v1/names',
            'the countries that can be fetched', '/countries/v1/names', NULL),
           ('POST', '/countries/v1/names',
            'fetch these names, which is done once a day anyway',
            '/countries/v1/names', NULL),
           ('GET', '/countries/v1/names/status', 'how that stands',
            '/countries/v1/names/status', NULL))
           AS e (method, path, description, example, body)) AS endpoints
