-- A permissive policy that somebody adds later does not widen what a session sees or writes.
\connect - app
CREATE TABLE project (id int PRIMARY KEY, team_id bigint NOT NULL, name text UNIQUE, token encrypted_text);
CREATE INDEX ON project (team_id);
SELECT cordon.protect('project') \g /dev/null
SET app.team_id = '8';
INSERT INTO project (id, name, token) VALUES (80, 'secret plan of eight', 'ghp_of_eight');
SET app.team_id = '7';
INSERT INTO project (id, name, token) VALUES (70, 'plan of seven', 'ghp_of_seven');
CREATE POLICY wide_open ON project USING (true) WITH CHECK (true);
CREATE POLICY for_app ON project TO app USING (true) WITH CHECK (true);
SELECT id FROM project;
UPDATE project SET name = 'taken' WHERE id = 80;
DELETE FROM project WHERE id = 80;
INSERT INTO project (id, team_id, name) VALUES (74, 8, 'planted');
UPDATE project SET team_id = 8;
RESET app.team_id;
SELECT id FROM project;
