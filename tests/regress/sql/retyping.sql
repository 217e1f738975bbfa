-- ALTER TABLE ... TYPE of a column whose values are sealed for tenants, in a table with rows.
CREATE TABLE note (team_id bigint NOT NULL, body text, other varchar(20), list text[]);
-- Nothing to seal: as an application's migration of a new table.
ALTER TABLE note ALTER COLUMN body TYPE encrypted_text USING body::encrypted_text;
ALTER TABLE note ALTER COLUMN body TYPE text USING body::text;
INSERT INTO note VALUES (7, 'of seven', 'o7', '{a}'), (8, 'of eight', 'o8', '{b}');
SET app.team_id = '7';
-- Django's AlterField, and what it is short for.
ALTER TABLE "note" ALTER COLUMN "body" TYPE encrypted_text USING "body"::encrypted_text;
ALTER TABLE note ALTER body TYPE encrypted_text;
ALTER TABLE note ALTER body SET DATA TYPE encrypted_text_eq USING upper(body)::encrypted_text_eq;
ALTER TABLE note ALTER list TYPE encrypted_text[] USING list::encrypted_text[];
ALTER TABLE note ADD COLUMN n int, ALTER other TYPE encrypted_text;
CREATE DOMAIN sealed AS encrypted_text;
ALTER TABLE note ALTER body TYPE sealed;
-- A function that is merely called so.
CREATE FUNCTION encrypt(text, text) RETURNS encrypted_text LANGUAGE sql AS $$ SELECT $1::encrypted_text $$;
ALTER TABLE note ALTER body TYPE encrypted_text USING encrypt(body, team_id::text);
ALTER TABLE note ALTER body TYPE encrypted_text USING public.encrypt(body, team_id::text);
SELECT body, other FROM note ORDER BY 1;
-- Who names the tenant gets what was asked for.
BEGIN;
ALTER TABLE note ALTER body TYPE encrypted_text USING cordon.encrypt(body, cordon.current_tenant());
SELECT team_id, body FROM note ORDER BY 1;
ROLLBACK;
ALTER TABLE note ALTER body TYPE encrypted_text USING cordon.encrypt(body, team_id::text), ALTER other TYPE encrypted_text_eq USING cordon.encrypt_eq(other, team_id::text);
SELECT body, other FROM note WHERE team_id = 7;
-- The way back likewise; between the types that are sealed for tenants as well.
ALTER TABLE note ALTER body TYPE text;
ALTER TABLE note ALTER body TYPE text USING body::text;
ALTER TABLE note ALTER body TYPE bytea USING body::text::bytea;
ALTER TABLE note ALTER body TYPE shared_encrypted_text;
ALTER TABLE note ALTER body TYPE encrypted_text_eq;
ALTER TABLE note ALTER body TYPE text USING cordon.decrypt(body, team_id::text);
SELECT team_id, body FROM note ORDER BY 1;
-- Partitions and children have the rows.
CREATE TABLE parent (team_id bigint, body text) PARTITION BY LIST (team_id);
CREATE TABLE child PARTITION OF parent FOR VALUES IN (7);
INSERT INTO parent VALUES (7, 'x');
ALTER TABLE parent ALTER body TYPE encrypted_text;
DELETE FROM parent;
ALTER TABLE parent ALTER body TYPE encrypted_text;
-- What has no rows of its own.
CREATE TYPE pair AS (a text);
ALTER TYPE pair ALTER ATTRIBUTE a TYPE encrypted_text;
CREATE VIEW notes AS SELECT body FROM note;
ALTER TABLE notes ALTER body TYPE encrypted_text;
DROP TYPE pair; DROP VIEW notes;
-- Shared values are nobody's in particular.
ALTER TABLE note ALTER body TYPE shared_encrypted_text;
ALTER TABLE note ALTER body TYPE text;
-- What else is wrong is PostgreSQL's to say, and nobody locks a table of somebody else's.
ALTER TABLE nowhere ALTER body TYPE encrypted_text;
ALTER TABLE IF EXISTS nowhere ALTER body TYPE encrypted_text;
ALTER TABLE note ALTER nothing TYPE encrypted_text;
SET ROLE app;
ALTER TABLE note ALTER body TYPE encrypted_text;
RESET ROLE;
DROP TABLE note, parent;
DROP FUNCTION encrypt(text, text); DROP DOMAIN sealed;
