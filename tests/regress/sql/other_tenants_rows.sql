-- As an ordinary role: the routes to another tenant's rows that an application, a script or injected SQL takes.
CREATE ROLE elevated LOGIN;
\connect - app
CREATE TABLE project (id int PRIMARY KEY, team_id bigint NOT NULL, name text UNIQUE, token encrypted_text);
CREATE TABLE task (id int PRIMARY KEY, team_id bigint NOT NULL, project_id int REFERENCES project ON DELETE CASCADE);
CREATE INDEX ON project (team_id);
CREATE INDEX ON task (team_id);
SELECT count(*) FROM cordon.protect('project') a, cordon.protect('task') b;
SET app.team_id = '8';
INSERT INTO project (id, name, token) VALUES (80, 'secret plan of eight', 'ghp_of_eight');
SET app.team_id = '7';
INSERT INTO project (id, name, token) VALUES (70, 'plan of seven', 'ghp_of_seven');

-- A forgotten WHERE; a condition that would be evaluated first and tell.
SELECT id, name, token FROM project;
SELECT count(*) FROM project WHERE id = 80;
CREATE FUNCTION tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$;
SELECT id FROM project WHERE tell(name);
SELECT id FROM project WHERE 1 / (id - 80) <> 0;
-- UPDATE and DELETE reach nothing of another tenant's; a row cannot be moved to it.
UPDATE project SET name = 'taken' WHERE id = 80;
DELETE FROM project WHERE id = 80;
UPDATE project SET team_id = 8 WHERE id = 70;
INSERT INTO project (id, team_id, name) VALUES (71, 8, 'planted');
INSERT INTO project (id, name) VALUES (80, 'x') ON CONFLICT (id) DO UPDATE SET name = 'taken';
INSERT INTO project (id, name) VALUES (80, 'x') ON CONFLICT DO NOTHING;
MERGE INTO project p USING (VALUES (80)) v (id) ON p.id = v.id
    WHEN MATCHED THEN UPDATE SET name = 'taken' WHEN NOT MATCHED THEN INSERT (id, team_id, name) VALUES (72, 8, 'planted');
COPY project (id, team_id, name) FROM STDIN;
73	8	planted
\.
COPY project (id, name) TO STDOUT;
-- The error of a unique key does not show the row that it meets.
INSERT INTO project (id, name) VALUES (81, 'secret plan of eight');
-- Rows under a lock, through a cursor, by TRUNCATE of somebody who is not the owner.
SELECT id FROM project FOR UPDATE;
-- Views run as their owner unless they are told not to; the owner is under row security as well.
CREATE VIEW all_projects AS SELECT id, name FROM project;
CREATE VIEW as_invoker WITH (security_invoker) AS SELECT id, name FROM project;
SELECT * FROM all_projects;
SELECT * FROM as_invoker;
CREATE FUNCTION as_definer() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT name FROM project';
SELECT as_definer();
-- Another permissive policy does not widen the floor; a dropped one does not open the table.
CREATE POLICY wide_open ON project USING (true) WITH CHECK (true);
SELECT id FROM project;
INSERT INTO project (id, team_id, name) VALUES (74, 8, 'planted');
DROP POLICY wide_open ON project;
BEGIN;
DROP POLICY cordon_tenant ON project;
SELECT id FROM project;
ROLLBACK;
BEGIN;
DROP POLICY cordon_floor ON project;
SELECT id FROM project;
ROLLBACK;
-- row_security = off is an error, not a way around.
SET row_security = off;
SELECT id FROM project;
SET row_security = on;
-- A plan cached for one tenant serves another with its own rows, generic or custom, also after SET ROLE.
PREPARE mine AS SELECT id FROM project;
EXECUTE mine;
SET plan_cache_mode = force_generic_plan;
EXECUTE mine;
SET app.team_id = '8';
EXECUTE mine;
RESET plan_cache_mode;
EXECUTE mine;
\connect - postgres
GRANT SELECT ON project TO elevated;
GRANT elevated TO app;
\connect - app
SET app.team_id = '7';
PREPARE mine AS SELECT id FROM project;
EXECUTE mine;
SET ROLE elevated;
EXECUTE mine;
RESET ROLE;
-- A foreign key of the database's own can refer to another tenant's row, and cascade: what cordon.prove and
-- cordon.foreign_keys report. The row itself stays out of sight.
INSERT INTO task (id, project_id) VALUES (700, 80);
SELECT t.id, p.name FROM task t LEFT JOIN project p ON p.id = t.project_id;
SET app.team_id = '8';
DELETE FROM project WHERE id = 80;
SET app.team_id = '7';
SELECT count(*) FROM task;
\connect - postgres
DROP OWNED BY elevated;
DROP ROLE elevated;
