-- A foreign key without the tenant refers to another tenant's row and cascades: PostgreSQL checks keys past row
-- security. cordon.foreign_keys lists it, and the composite key closes it.
\connect - app
CREATE TABLE project (id int PRIMARY KEY, team_id bigint NOT NULL, name text UNIQUE, token encrypted_text);
CREATE INDEX ON project (team_id);
SELECT cordon.protect('project') \g /dev/null
SET app.team_id = '8';
INSERT INTO project (id, name, token) VALUES (80, 'secret plan of eight', 'ghp_of_eight');
SET app.team_id = '7';
INSERT INTO project (id, name, token) VALUES (70, 'plan of seven', 'ghp_of_seven');
CREATE TABLE task (id int PRIMARY KEY, team_id bigint NOT NULL, project_id int REFERENCES project ON DELETE CASCADE);
CREATE INDEX ON task (team_id);
SELECT cordon.protect('task') \g /dev/null
-- THE HOLE: it tells that 80 exists and 81 does not, and ties a row of seven's to a row of eight's.
INSERT INTO task (id, project_id) VALUES (700, 81);
INSERT INTO task (id, project_id) VALUES (700, 80);
SELECT t.id, p.name FROM task t LEFT JOIN project p ON p.id = t.project_id;
SET app.team_id = '8';
DELETE FROM project WHERE id = 80;
INSERT INTO project (id, name) VALUES (80, 'again');
SET app.team_id = '7';
SELECT count(*) FROM task;
-- What closes it.
SELECT constraint_name, from_table, to_table, unnest(migration) FROM cordon.foreign_keys();
SELECT unnest(migration) FROM cordon.foreign_keys() \gexec
INSERT INTO task (id, project_id) VALUES (700, 80);
INSERT INTO task (id, project_id) VALUES (700, 70);
SELECT count(*) FROM cordon.foreign_keys();
