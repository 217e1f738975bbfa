-- INSERT for another tenant is refused, in whichever form.
\connect - app
CREATE TABLE project (id int PRIMARY KEY, team_id bigint NOT NULL, name text UNIQUE, token encrypted_text);
CREATE INDEX ON project (team_id);
SELECT cordon.protect('project') \g /dev/null
SET app.team_id = '8';
INSERT INTO project (id, name, token) VALUES (80, 'secret plan of eight', 'ghp_of_eight');
SET app.team_id = '7';
INSERT INTO project (id, name, token) VALUES (70, 'plan of seven', 'ghp_of_seven');
INSERT INTO project (id, team_id, name) VALUES (71, 8, 'planted');
INSERT INTO project (id, team_id, name) SELECT 72, 8, 'planted';
WITH planted AS (INSERT INTO project (id, team_id, name) VALUES (73, 8, 'planted') RETURNING id) SELECT * FROM planted;
INSERT INTO project (id, team_id, name) VALUES (74, NULL, 'nobody''s');
INSERT INTO project (id, name) VALUES (75, 'my own') RETURNING team_id;
RESET app.team_id;
INSERT INTO project (id, team_id, name) VALUES (76, 8, 'planted');
INSERT INTO project (id, name) VALUES (77, 'planted');
SET app.team_id = '8';
SELECT id FROM project;
