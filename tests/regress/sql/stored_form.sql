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
SELECT * FROM protected;

-- A normal session does not take the stored form, so nobody plants a value there, or seals one twice.
SET row_security = on;
INSERT INTO secret (id, note) SELECT 4, stored_note FROM copy;
INSERT INTO secret (id, note) VALUES (4, 'cordon1:AQAA');
SET app.team_id = '8';
INSERT INTO secret (id, token) SELECT 4, stored FROM copy;
-- Not even through a plan that was made in a session of the other kind.
SET row_security = off;
PREPARE plant AS INSERT INTO secret (id, token) VALUES (5, 'cordon1:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA');
SET row_security = on;
EXECUTE plant;
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
\connect - postgres
ALTER ROLE analyst IN DATABASE :"DBNAME" RESET cordon.text_form;
