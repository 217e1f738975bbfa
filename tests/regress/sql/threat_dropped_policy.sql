-- The table stays closed when either policy is dropped: without the permissive one nobody sees anything.
\connect - app
CREATE TABLE project (id int PRIMARY KEY, team_id bigint NOT NULL, name text UNIQUE, token encrypted_text);
CREATE INDEX ON project (team_id);
SELECT cordon.protect('project') \g /dev/null
SET app.team_id = '8';
INSERT INTO project (id, name, token) VALUES (80, 'secret plan of eight', 'ghp_of_eight');
SET app.team_id = '7';
INSERT INTO project (id, name, token) VALUES (70, 'plan of seven', 'ghp_of_seven');
BEGIN;
DROP POLICY cordon_tenant ON project;
SELECT id FROM project;
INSERT INTO project (id, name) VALUES (71, 'x');
ROLLBACK;
BEGIN;
DROP POLICY cordon_floor ON project;
SELECT id FROM project;
INSERT INTO project (id, team_id, name) VALUES (71, 8, 'planted');
ROLLBACK;
BEGIN;
DROP POLICY cordon_floor ON project;
DROP POLICY cordon_tenant ON project;
SELECT id FROM project;
ROLLBACK;
