-- A query that forgets the WHERE, or has one that would tell, sees the rows of its own tenant only.
\connect - app
CREATE TABLE project (id int PRIMARY KEY, team_id bigint NOT NULL, name text UNIQUE, token encrypted_text);
CREATE INDEX ON project (team_id);
SELECT cordon.protect('project') \g /dev/null
SET app.team_id = '8';
INSERT INTO project (id, name, token) VALUES (80, 'secret plan of eight', 'ghp_of_eight');
SET app.team_id = '7';
INSERT INTO project (id, name, token) VALUES (70, 'plan of seven', 'ghp_of_seven');
SELECT id, name, token FROM project;
SELECT count(*) FROM project WHERE id = 80;
SELECT id FROM project WHERE name LIKE 'secret%';
SELECT p.id, q.id FROM project p, project q;
SELECT max(id), string_agg(name, ',') FROM project;
SELECT id FROM project FOR UPDATE;
SELECT id FROM project TABLESAMPLE SYSTEM (100);
COPY project (id, name) TO STDOUT;
-- A condition that is cheap, or fails, is not evaluated before the policy.
CREATE FUNCTION tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$;
SELECT id FROM project WHERE tell(name);
SELECT id FROM project WHERE 1 / (id - 80) <> 0;
-- Without a tenant there is no answer.
RESET app.team_id;
SELECT id FROM project;
SELECT count(*) FROM project;
