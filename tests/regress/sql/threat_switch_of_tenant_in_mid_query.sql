-- A function in the SELECT list that switches the tenant: cordon.freeze_tenant refuses it. Without, the session may set
-- any tenant at any time, which is what the setting is there for.
\connect - app
CREATE TABLE project (id int PRIMARY KEY, team_id bigint NOT NULL, name text UNIQUE, token encrypted_text);
CREATE INDEX ON project (team_id);
SELECT cordon.protect('project') \g /dev/null
SET app.team_id = '8';
INSERT INTO project (id, name, token) VALUES (80, 'secret plan of eight', 'ghp_of_eight');
SET app.team_id = '7';
INSERT INTO project (id, name, token) VALUES (70, 'plan of seven', 'ghp_of_seven');
CREATE FUNCTION switch() RETURNS text LANGUAGE sql AS $$ SELECT set_config('app.team_id', '8', true) $$;
-- THE HOLE, without the freeze: the next row is read for the other tenant.
SELECT name, switch() FROM project UNION ALL SELECT name, NULL FROM project;
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.freeze_tenant = on;
\connect - app
SET app.team_id = '7';
SELECT name, switch() FROM project UNION ALL SELECT name, NULL FROM project;
SELECT name, token FROM project WHERE switch() IS NOT NULL OR true;
WITH s AS MATERIALIZED (SELECT set_config('app.team_id', '8', true)) SELECT name FROM s, project;
SELECT name FROM project;
