-- Property visits. Running this file again changes nothing and loses nothing.

CREATE SCHEMA IF NOT EXISTS visits;

CREATE TABLE IF NOT EXISTS visits.property (
    id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name    text NOT NULL,
    address text,
    price   numeric NOT NULL
);

CREATE TABLE IF NOT EXISTS visits.visit (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    property_id uuid NOT NULL REFERENCES visits.property,
    visited_at  timestamptz NOT NULL,
    place       text
);
CREATE INDEX IF NOT EXISTS visit_of_property
    ON visits.visit (property_id, visited_at);

COMMENT ON TABLE visits.property IS 'A property that can be visited';
COMMENT ON TABLE visits.visit IS 'A visit to a property';
