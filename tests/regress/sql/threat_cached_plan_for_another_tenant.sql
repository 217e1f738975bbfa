-- A plan cached for one tenant serves another with its own rows: generic or custom, in functions, after SET ROLE.
\connect - app
CREATE TABLE project (id int PRIMARY KEY, team_id bigint NOT NULL, name text UNIQUE, token encrypted_text);
CREATE INDEX ON project (team_id);
SELECT cordon.protect('project') \g /dev/null
SET app.team_id = '8';
INSERT INTO project (id, name, token) VALUES (80, 'secret plan of eight', 'ghp_of_eight');
SET app.team_id = '7';
INSERT INTO project (id, name, token) VALUES (70, 'plan of seven', 'ghp_of_seven');
PREPARE mine AS SELECT id, token FROM project;
EXECUTE mine;
SET app.team_id = '8';
EXECUTE mine;
SET plan_cache_mode = force_generic_plan;
EXECUTE mine;
SET app.team_id = '7';
EXECUTE mine;
SET plan_cache_mode = force_custom_plan;
EXECUTE mine;
RESET plan_cache_mode;
RESET app.team_id;
EXECUTE mine;
CREATE FUNCTION ids() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT string_agg(id::text, ',') FROM project); END $$;
SET app.team_id = '7';
SELECT ids() FROM generate_series(1, 7) GROUP BY 1;
SET app.team_id = '8';
SELECT ids();
-- A role for which row security does not apply makes the plan, one for which it does executes it, and the other way round.
\connect - postgres
CREATE ROLE cached_plan_bypass BYPASSRLS;
CREATE ROLE cached_plan_user LOGIN IN ROLE cached_plan_bypass;
GRANT SELECT ON project TO cached_plan_bypass, cached_plan_user;
\connect - cached_plan_user
SET app.team_id = '7';
SET ROLE cached_plan_bypass;
PREPARE everything AS SELECT count(*) FROM project;
EXECUTE everything;
RESET ROLE;
EXECUTE everything;
SET ROLE cached_plan_bypass;
EXECUTE everything;
RESET ROLE;
\connect - postgres
DROP OWNED BY cached_plan_bypass, cached_plan_user;
DROP ROLE cached_plan_bypass, cached_plan_user;
