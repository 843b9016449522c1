-- A library's books and loans. Applying it again changes nothing.
CREATE SCHEMA IF NOT EXISTS library;

CREATE TABLE IF NOT EXISTS library.book (
    isbn    text PRIMARY KEY,
    title   text NOT NULL,
    authors text[] NOT NULL,
    lang    text NOT NULL,
    year    int NOT NULL,
    price   numeric(8,2),
    added   timestamptz NOT NULL DEFAULT now(),
    blurb   text,
    facts   json
);

CREATE TABLE IF NOT EXISTS library.loan (
    id      uuid PRIMARY KEY,
    isbn    text NOT NULL REFERENCES library.book,
    reader  text NOT NULL
            DEFAULT nullif(current_setting('dsapi.reader', true), ''),
    branch  text NOT NULL,
    due     date NOT NULL,
    remark  json,
    version int NOT NULL DEFAULT 1
);

-- Readers see and change their own loans only.
ALTER TABLE library.loan ENABLE ROW LEVEL SECURITY;
ALTER TABLE library.loan FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS own ON library.loan;
CREATE POLICY own ON library.loan
    USING (reader = nullif(current_setting('dsapi.reader', true), ''));
