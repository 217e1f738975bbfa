-- SET row_security = off is an error for whoever may not bypass it, never a way around.
\connect - app
CREATE TABLE project (id int PRIMARY KEY, team_id bigint NOT NULL, name text UNIQUE, token encrypted_text);
CREATE INDEX ON project (team_id);
SELECT cordon.protect('project') \g /dev/null
SET app.team_id = '8';
INSERT INTO project (id, name, token) VALUES (80, 'secret plan of eight', 'ghp_of_eight');
SET app.team_id = '7';
INSERT INTO project (id, name, token) VALUES (70, 'plan of seven', 'ghp_of_seven');
SET row_security = off;
SELECT id FROM project;
UPDATE project SET name = 'taken';
DELETE FROM project;
COPY project TO STDOUT;
SELECT set_config('row_security', 'off', false) FROM project;
SET row_security = on;
SELECT id, set_config('row_security', 'off', false) FROM project;
SELECT id FROM project;
