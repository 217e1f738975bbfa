-- UPDATE and DELETE reach no other tenant's row, and move none to another tenant.
\connect - app
CREATE TABLE project (id int PRIMARY KEY, team_id bigint NOT NULL, name text UNIQUE, token encrypted_text);
CREATE INDEX ON project (team_id);
SELECT cordon.protect('project') \g /dev/null
SET app.team_id = '8';
INSERT INTO project (id, name, token) VALUES (80, 'secret plan of eight', 'ghp_of_eight');
SET app.team_id = '7';
INSERT INTO project (id, name, token) VALUES (70, 'plan of seven', 'ghp_of_seven');
UPDATE project SET name = 'taken' WHERE id = 80;
UPDATE project SET name = 'taken';
DELETE FROM project WHERE id = 80;
UPDATE project SET team_id = 8 WHERE id = 70;
UPDATE project SET team_id = DEFAULT WHERE id = 70;
SELECT id, team_id, name FROM project;
SET app.team_id = '8';
SELECT id, team_id, name FROM project;
