-- Sealed values as they are stored: who may exchange them, and that nobody can plant one.
CREATE TABLE secret (id int, token encrypted_text, note shared_encrypted_text);
CREATE TABLE protected (team_id text, token encrypted_text);
GRANT ALL ON secret, protected TO app;
GRANT SELECT ON secret TO analyst;
ALTER TABLE protected ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON protected USING (team_id = current_setting('app.team_id'));
\connect - app
SET app.team_id = '7';
INSERT INTO secret VALUES (1, 'ghp_secret', 'shared');
INSERT INTO protected VALUES ('7', 'protected secret');

-- A session with row_security = off reads and writes the stored form, with no tenant and no key.
RESET app.team_id;
SET row_security = off;
SELECT left(token::text, 8) AS prefix, length(token::text), left(note::text, 8) AS note_prefix FROM secret;
CREATE TABLE copy AS SELECT token::text AS stored, note::text AS stored_note FROM secret;
-- Going in it is for those who could read the data in other ways: an ordinary role that holds a dump would decrypt it here.
INSERT INTO secret (id, token) SELECT 2, stored::encrypted_text FROM copy;
INSERT INTO secret (id, note) VALUES (2, 'cordon1:AQAA');
\connect - postgres
SET row_security = off;
INSERT INTO secret (id, token) SELECT 2, stored::encrypted_text FROM copy;
SELECT count(DISTINCT token::text) AS distinct_values FROM secret;
-- Nothing else is accepted there: a plaintext would be stored as it is, or sealed for nobody.
INSERT INTO secret VALUES (3, 'ghp_secret');
INSERT INTO secret (id, token) SELECT 3, 'ghp_secret'::text;
INSERT INTO secret VALUES (3, 'cordon1:');
INSERT INTO secret VALUES (3, 'cordon1:AA');
INSERT INTO secret VALUES (3, 'cordon1:A');
INSERT INTO secret VALUES (3, 'cordon1:!!!!');
INSERT INTO secret VALUES (3, 'cordon1:AgAA');
INSERT INTO secret VALUES (3, 'CORDON1:AQAA');
-- The stored form of one type is not taken by another.
INSERT INTO secret (id, token) SELECT 3, stored_note::encrypted_text FROM copy;
INSERT INTO secret (id, note) SELECT 3, stored::shared_encrypted_text FROM copy;
-- It opens no protected table.
\connect - app
SET row_security = off;
SELECT * FROM protected;

-- A normal session does not take the stored form, so nobody plants a value there, or seals one twice.
SET row_security = on;
INSERT INTO secret (id, note) SELECT 4, stored_note FROM copy;
INSERT INTO secret (id, note) VALUES (4, 'cordon1:AQAA');
SET app.team_id = '8';
INSERT INTO secret (id, token) SELECT 4, stored FROM copy;
-- Not even through a plan that was made in a session of the other kind.
\connect - postgres
SET row_security = off;
PREPARE plant AS INSERT INTO secret (id, token) VALUES (5, 'cordon1:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA');
SET row_security = on;
EXECUTE plant;
\connect - app
SET app.team_id = '8';
-- What was copied as it is opens for its tenant only.
SELECT token FROM secret WHERE id = 2;
SET app.team_id = '7';
SELECT id, token FROM secret ORDER BY id;

-- The setting is for superusers to give to a role.
SET cordon.text_form = stored;
\connect - postgres
ALTER ROLE analyst IN DATABASE :"DBNAME" SET cordon.text_form = stored;
\connect - analyst
SELECT left(token::text, 8) AS prefix FROM secret;
SET app.team_id = '7';
SELECT left(token::text, 8) AS prefix FROM secret;
SET row_security = off;
CREATE TEMP TABLE planted AS SELECT token::text AS stored FROM secret;
INSERT INTO secret (id, token) SELECT 6, stored::encrypted_text FROM planted;
\connect - postgres
-- With restore in both directions: for owners who restore dumps and are no superusers.
GRANT INSERT ON secret TO analyst;
ALTER ROLE analyst IN DATABASE :"DBNAME" SET cordon.text_form = restore;
\connect - analyst
CREATE TEMP TABLE restored AS SELECT token::text AS stored FROM secret WHERE id = 1;
INSERT INTO secret (id, token) SELECT 7, stored::encrypted_text FROM restored;
-- What counts is who logged in: a function of a superuser's does not lend its rights.
\connect - postgres
ALTER ROLE analyst IN DATABASE :"DBNAME" RESET cordon.text_form;
CREATE FUNCTION lends(stored text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET row_security = off
    AS $$ BEGIN INSERT INTO secret (id, token) VALUES (8, stored::encrypted_text); END $$;
\connect - app
SELECT lends(stored) FROM copy;
\connect - postgres
SELECT id FROM secret ORDER BY id;
