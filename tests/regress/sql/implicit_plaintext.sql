-- Plaintext never slips into a column of another type unasked.
CREATE EXTENSION citext;
\connect - app
CREATE DOMAIN label AS citext;
CREATE TABLE sealed (token encrypted_text, note shared_encrypted_text, list encrypted_text[]);
CREATE TABLE plain (a text, b varchar, c char(10), d citext, e name, f json, g text[], h label, i bytea);
SET app.team_id = '7';
INSERT INTO sealed VALUES ('ghp_secret', 'shared secret', '{one,two}');
INSERT INTO plain (a) SELECT token FROM sealed;
INSERT INTO plain (b) SELECT token FROM sealed;
INSERT INTO plain (c) SELECT token FROM sealed;
INSERT INTO plain (d) SELECT token FROM sealed;
INSERT INTO plain (e) SELECT token FROM sealed;
INSERT INTO plain (f) SELECT token FROM sealed;
INSERT INTO plain (g) SELECT list FROM sealed;
INSERT INTO plain (h) SELECT token FROM sealed;
INSERT INTO plain (i) SELECT token FROM sealed;
INSERT INTO plain (a) SELECT list FROM sealed;
INSERT INTO plain (a) SELECT sealed FROM sealed;
INSERT INTO plain (a) SELECT note FROM sealed;
INSERT INTO plain (d) SELECT note FROM sealed;
INSERT INTO plain (a) VALUES ('x');
UPDATE plain SET a = (SELECT token FROM sealed);
UPDATE plain SET d = (SELECT token FROM sealed);
-- Nor behind EXPLAIN, in a CTE, on a conflict or by MERGE.
EXPLAIN (ANALYZE) INSERT INTO plain (d) SELECT token FROM sealed;
WITH x AS (INSERT INTO plain (d) SELECT token FROM sealed RETURNING 1) SELECT * FROM x;
CREATE UNIQUE INDEX ON plain (a);
INSERT INTO plain (a) VALUES ('x') ON CONFLICT (a) DO UPDATE SET d = (SELECT token FROM sealed);
MERGE INTO plain USING sealed ON true WHEN MATCHED THEN UPDATE SET d = token;
MERGE INTO plain USING sealed ON false WHEN NOT MATCHED THEN INSERT (d) VALUES (token);
-- Nor from one type to the other.
UPDATE sealed SET note = token;
UPDATE sealed SET token = note;
SELECT * FROM plain;
-- When asked, it does.
UPDATE plain SET a = token::text, b = token::varchar, d = token::text::citext, g = list::text[] FROM sealed;
SELECT a, b, d, g FROM plain;
-- Into an encrypted column plaintext goes by itself, as text, varchar or a literal.
INSERT INTO sealed (token) SELECT a FROM plain;
INSERT INTO sealed (token) SELECT b FROM plain;
INSERT INTO sealed (token) VALUES ('literal');
SELECT token FROM sealed;
-- What the types have no operator for, PostgreSQL refuses.
SELECT * FROM sealed WHERE token = 'ghp_secret';
SELECT DISTINCT token FROM sealed;
SELECT token FROM sealed ORDER BY token;
SELECT max(token) FROM sealed;
CREATE INDEX ON sealed (token);
SELECT token || 'x' FROM sealed LIMIT 1;
SELECT 'x' || token FROM sealed;
SELECT note || 'x'::varchar FROM sealed;
SELECT token || token FROM sealed;
SELECT token || NULL::text FROM sealed LIMIT 1;
-- Nor in lists of VALUES, elements of arrays, fields of composites, unions, or whole rows.
CREATE TYPE fields AS (label citext, id int);
CREATE TABLE composed (one fields, many citext[], own citext);
INSERT INTO plain (d) VALUES ((SELECT token FROM sealed LIMIT 1)), ('x');
INSERT INTO composed (many) SELECT ARRAY[token, token] FROM sealed;
INSERT INTO composed (many[1]) SELECT token FROM sealed;
INSERT INTO composed (one.label) SELECT token FROM sealed;
INSERT INTO composed (one) VALUES (ROW((SELECT token FROM sealed LIMIT 1), 1));
INSERT INTO composed (own) SELECT token FROM sealed UNION ALL SELECT token FROM sealed;
UPDATE composed SET many[1] = (SELECT token FROM sealed LIMIT 1);
UPDATE composed SET one.label = (SELECT token FROM sealed LIMIT 1);
SELECT count(*) FROM composed;
-- A view of before, as a dump brings it, is restored, and fails when it is used.
\connect - postgres
SET row_security = off;
CREATE TABLE target (d citext);
CREATE VIEW old_view AS SELECT token || 'x' AS joined FROM sealed;
CREATE FUNCTION old_function() RETURNS SETOF citext LANGUAGE sql AS $$ SELECT token FROM sealed $$;
RESET row_security;
SET app.team_id = '7';
SELECT * FROM old_view;
SELECT * FROM old_function();
CREATE RULE into_target AS ON INSERT TO sealed DO ALSO INSERT INTO target SELECT NEW.token;
INSERT INTO sealed (token) VALUES ('rule');
SELECT * FROM target;
