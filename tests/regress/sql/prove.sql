-- cordon.prove: every attack on every protected table, as the role of the application; a planted hole of each kind is found.
CREATE ROLE prove_bypass BYPASSRLS;
CREATE ROLE prove_owner;
CREATE SCHEMA hidden;
SET client_min_messages = warning;
SELECT * FROM cordon.prove('app', '7', '8');

-- Nothing to find: with rows of both tenants, and without any.
CREATE TABLE project (
    id serial PRIMARY KEY, team_id bigint NOT NULL, name varchar(20) NOT NULL, "at" date NOT NULL, note text,
    UNIQUE (team_id, id), UNIQUE (team_id, name));
CREATE TABLE task (
    id int PRIMARY KEY, team_id bigint NOT NULL, project_id int,
    FOREIGN KEY (team_id, project_id) REFERENCES project (team_id, id));
INSERT INTO project (team_id, name, at) VALUES (7, 'plan of seven', now()), (8, 'plan of eight', now());
INSERT INTO task VALUES (70, 7, 1), (80, 8, 2);
SELECT count(*) > 0 FROM unnest('{project,task}'::regclass[]) t, cordon.protect(t);
GRANT SELECT, INSERT, UPDATE, DELETE ON project, task TO app;
GRANT USAGE ON SEQUENCE project_id_seq TO app;
SELECT * FROM cordon.prove('app', '7', '8');
SELECT * FROM cordon.prove('app', '9', '10') WHERE outcome <> 'held';
-- Nothing has changed.
SELECT id, team_id, name FROM project ORDER BY id;
SELECT * FROM task ORDER BY id;
SELECT current_user, cordon.current_tenant(), current_setting('session_replication_role'),
    current_setting('lock_timeout'), to_regproc('pg_temp.cordon_attack');
-- Where there is no row to steal and none can be made, nothing is claimed.
CREATE TABLE checked (team_id bigint NOT NULL, n int NOT NULL CHECK (n < 0));
SELECT count(*) > 0 FROM cordon.protect('checked');
GRANT SELECT, INSERT, UPDATE, DELETE ON checked TO app;
SELECT * FROM cordon.prove('app', '7', '8') WHERE object = 'public.checked';
-- Nor of tenants that the column cannot hold.
SELECT * FROM cordon.prove('app', 'seven', 'eight') WHERE object = 'public.checked' AND attack LIKE 'every%';
DROP TABLE checked;
-- A freeze, and tables that answer with no rows instead of an error.
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.freeze_tenant = on;
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.on_unset_tenant = 'empty';
SELECT * FROM cordon.prove('app', '7', '8') WHERE attack IN ('switch tenant', 'no tenant');
-- Also for a caller who is frozen already; twice in a transaction, the second time for other tenants.
SET cordon.freeze_tenant = on;
BEGIN;
SELECT cordon.set_tenant('9');
SELECT * FROM cordon.prove('app', '7', '8') WHERE attack = 'switch tenant' OR outcome <> 'held';
SELECT * FROM cordon.prove('app', '8', '7') WHERE attack = 'switch tenant' OR outcome <> 'held';
SELECT cordon.current_tenant();
ROLLBACK;
RESET cordon.freeze_tenant;
ALTER ROLE app IN DATABASE :"DBNAME" RESET cordon.on_unset_tenant;

CREATE FUNCTION holes() RETURNS TABLE (object text, attack text, outcome text, detail text)
    LANGUAGE sql AS $$ SELECT * FROM cordon.prove('app', '7', '8') WHERE outcome <> 'held' $$;
SELECT * FROM holes();
-- A permissive policy that somebody added: stopped by the floor.
BEGIN;
CREATE POLICY wide_open ON project USING (true) WITH CHECK (true);
SELECT * FROM holes();
-- Until the floor goes.
DROP POLICY cordon_floor ON project;
SELECT * FROM holes();
ROLLBACK;
-- A floor for reading only: an UPDATE that reads nothing goes past it.
BEGIN;
DROP POLICY cordon_floor ON project;
DROP POLICY cordon_tenant ON project;
CREATE POLICY reading ON project FOR SELECT USING (team_id = cordon.tenant_int8());
CREATE POLICY writing ON project FOR UPDATE USING (true);
CREATE POLICY deleting ON project FOR DELETE USING (true);
SELECT * FROM holes();
ROLLBACK;
-- Without a check of what is written.
BEGIN;
DROP POLICY cordon_floor ON project;
ALTER POLICY cordon_tenant ON project WITH CHECK (true);
SELECT * FROM holes();
ROLLBACK;
-- Row security off; another role's own policy; a policy that takes an unset tenant for all of them.
BEGIN;
ALTER TABLE project DISABLE ROW LEVEL SECURITY;
SELECT * FROM holes();
ROLLBACK;
BEGIN;
ALTER POLICY cordon_tenant ON project TO prove_owner;
ALTER POLICY cordon_floor ON project TO prove_owner;
CREATE POLICY for_app ON project TO app USING (cordon.current_tenant() IS NULL OR team_id = cordon.tenant_int8());
SELECT * FROM holes();
ROLLBACK;
-- The role: bypasses row security, or can become one that does, or the owner; may truncate; begins with a tenant.
BEGIN;
GRANT ALL ON project TO prove_bypass;
SELECT * FROM cordon.prove('prove_bypass', '7', '8') WHERE object <> 'public.task';
ROLLBACK;
BEGIN;
GRANT prove_bypass, pg_read_server_files TO app;
ALTER TABLE task OWNER TO prove_owner;
GRANT prove_owner TO app;
GRANT TRUNCATE, TRIGGER, REFERENCES (id) ON project TO app;
ALTER DATABASE :"DBNAME" SET app.team_id = '7';
SELECT * FROM holes();
ROLLBACK;
-- Partitions that came later; all of one tenant's; a parent that is not protected, with the tenant column and without.
BEGIN;
CREATE TABLE event (id int, team_id bigint NOT NULL) PARTITION BY RANGE (id);
SELECT count(*) > 0 FROM cordon.protect('event');
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
GRANT SELECT, INSERT ON event, event_1 TO app;
SELECT * FROM holes();
ROLLBACK;
BEGIN;
CREATE TABLE event (id int, team_id bigint NOT NULL) PARTITION BY LIST (team_id);
CREATE TABLE of_seven PARTITION OF event FOR VALUES IN (7);
CREATE TABLE of_eight PARTITION OF event FOR VALUES IN (8);
SELECT count(*) > 0 FROM cordon.protect('event');
ALTER TABLE of_eight DISABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE ON event, of_seven, of_eight TO app;
SELECT * FROM holes();
ROLLBACK;
BEGIN;
CREATE TABLE parent (id int);
CREATE TABLE with_tenant (team_id bigint NOT NULL) INHERITS (parent);
CREATE TABLE protected_child () INHERITS (with_tenant);
SELECT count(*) > 0 FROM cordon.protect('protected_child');
GRANT SELECT ON parent, with_tenant, protected_child TO app;
INSERT INTO protected_child VALUES (1, 8);
SELECT * FROM holes();
ROLLBACK;
-- A rule, a role to become.
BEGIN;
CREATE RULE quiet AS ON UPDATE TO task DO INSTEAD NOTHING;
GRANT prove_owner TO app;
SELECT * FROM holes();
ROLLBACK;
-- Foreign keys without the tenant.
BEGIN;
ALTER TABLE task ADD CONSTRAINT crossing FOREIGN KEY (project_id) REFERENCES project (id) DEFERRABLE INITIALLY DEFERRED;
SELECT * FROM holes();
ALTER TABLE task DROP CONSTRAINT task_team_id_project_id_fkey;
SELECT * FROM holes();
ROLLBACK;
-- An upsert by a key that leaves the tenant out, past a policy that lets it.
BEGIN;
DROP POLICY cordon_floor ON task;
DROP POLICY cordon_tenant ON task;
CREATE POLICY a ON task FOR INSERT WITH CHECK (team_id = cordon.tenant_int8());
CREATE POLICY b ON task FOR SELECT USING (true);
CREATE POLICY c ON task FOR UPDATE USING (true) WITH CHECK (true);
SELECT * FROM holes();
ROLLBACK;
-- Views: of an owner who bypasses row security, also behind another; of one who does not; as the reader; copies. Some do
-- not show the tenant.
BEGIN;
CREATE VIEW all_projects AS SELECT * FROM project;
CREATE VIEW names AS SELECT name AS n FROM project;
CREATE VIEW as_reader WITH (security_invoker = on) AS SELECT * FROM project;
CREATE VIEW behind WITH (security_invoker = on) AS SELECT * FROM all_projects;
CREATE VIEW of_owner AS SELECT * FROM project;
ALTER VIEW of_owner OWNER TO prove_owner;
GRANT SELECT ON project TO prove_owner;
CREATE VIEW names_of_owner AS SELECT name AS n FROM project;
ALTER VIEW names_of_owner OWNER TO prove_owner;
CREATE VIEW names_as_reader WITH (security_invoker) AS SELECT name AS n FROM project;
CREATE MATERIALIZED VIEW copied AS SELECT name FROM project;
CREATE VIEW hidden.unreachable AS SELECT * FROM project;
CREATE VIEW not_granted AS SELECT * FROM project;
GRANT SELECT ON all_projects, names, as_reader, behind, of_owner, names_of_owner, names_as_reader, copied,
    hidden.unreachable TO app;
SELECT * FROM cordon.prove('app', '7', '8') WHERE object !~ 'project$|task|role';
-- A policy for the owner of a view; no rows that could show whether there is one.
SET LOCAL session_replication_role = replica;
DELETE FROM project WHERE team_id = 8;
SET LOCAL session_replication_role = origin;
SELECT * FROM cordon.prove('app', '7', '8') WHERE object ~ 'owner$|reader$';
INSERT INTO project (team_id, name, at) VALUES (8, 'another', now());
DROP POLICY cordon_floor ON project;
CREATE POLICY for_owner ON project TO prove_owner USING (true);
SELECT * FROM cordon.prove('app', '7', '8') WHERE object ~ 'owner$|reader$';
ROLLBACK;
-- Privileges on single columns.
BEGIN;
REVOKE ALL ON project FROM app;
GRANT SELECT (name), UPDATE (note), INSERT (name) ON project TO app;
SELECT * FROM cordon.prove('app', '7', '8') WHERE object = 'public.project';
ALTER TABLE project DISABLE ROW LEVEL SECURITY;
SELECT * FROM cordon.prove('app', '7', '8') WHERE object = 'public.project';
ROLLBACK;

-- Code of the attacking role does not become the superuser who proves.
GRANT CREATE ON SCHEMA public TO app;
\connect - app
CREATE FUNCTION climb() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('role', 'none', false);
    RAISE EXCEPTION USING ERRCODE = 'CPRVE', MESSAGE = 'climbed';
END $$;
CREATE TABLE trap (id int PRIMARY KEY DEFAULT 1, team_id bigint NOT NULL);
SELECT count(*) > 0 FROM cordon.protect('trap');
CREATE POLICY before_the_floor ON trap AS RESTRICTIVE USING (climb()) WITH CHECK (climb());
\connect - postgres
INSERT INTO trap VALUES (7, 7), (8, 8);
SELECT * FROM cordon.prove('app', '7', '8') WHERE object = 'public.trap';
DROP TABLE trap;

-- Who may, and with what.
SELECT * FROM cordon.prove('nobody_at_all', '7', '8');
SELECT * FROM cordon.prove('app', '7', '7');
SELECT * FROM cordon.prove('app', '7', NULL);
\connect - app
SELECT * FROM cordon.prove('app', '7', '8');
SELECT cordon_internal.attempt('app'::regrole, 'SELECT 1', 'project');
SELECT cordon_internal.act_as('postgres'::regrole, 'SELECT 1', true);
\connect - postgres
SELECT cordon_internal.act_as('postgres'::regrole, 'SELECT 1', true);
SELECT * FROM cordon.prove('postgres', '7', '8');
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" RESET cordon.freeze_tenant;
DROP ROLE prove_bypass, prove_owner;

-- Tables that belong to tenants through others, tables that nothing protects, functions that run as others, parameters.
CREATE ROLE prove_wide LOGIN;
CREATE TABLE site (team_id bigint NOT NULL, id int PRIMARY KEY);
INSERT INTO site VALUES (7, 1), (8, 2);
SELECT count(*) FROM cordon.protect('site');
CREATE TABLE ping (id int PRIMARY KEY, site_id int REFERENCES site, body text);
INSERT INTO ping VALUES (1, 1, 'x'), (2, 2, 'y');
CREATE TABLE note (ping_id int REFERENCES ping);
CREATE TABLE unregistered (team_id bigint NOT NULL, n int);
INSERT INTO unregistered VALUES (7, 1), (8, 2);
CREATE FUNCTION all_sites() RETURNS SETOF site LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS 'SELECT * FROM public.site';
CREATE FUNCTION some_sites(int) RETURNS SETOF site LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS 'SELECT * FROM public.site';
CREATE FUNCTION own_sites() RETURNS SETOF site LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT * FROM public.site WHERE team_id = cordon.tenant_int8()';
GRANT SELECT, INSERT, UPDATE, DELETE ON site, ping, note, unregistered TO prove_wide;
SELECT * FROM cordon.prove('prove_wide', '7', '8') WHERE object IN ('public.ping', 'public.note', 'public.unregistered') OR object LIKE 'function%';
-- What the role may not reach, or was said to be as it should, is none.
REVOKE ALL ON note, unregistered FROM prove_wide;
SECURITY LABEL FOR pg_cordon ON TABLE ping IS 'shared: the same for all';
SECURITY LABEL FOR pg_cordon ON FUNCTION some_sites(int) IS 'definer_bypasses: reviewed';
REVOKE EXECUTE ON FUNCTION all_sites() FROM PUBLIC;
SELECT * FROM cordon.prove('prove_wide', '7', '8') WHERE object IN ('public.ping', 'public.note') OR object LIKE 'function%';
SELECT count(*), bool_and(outcome = 'held') FROM cordon.prove('prove_wide', '7', '8') WHERE object = 'public.unregistered' AND attack IN ('read', 'insert', 'update', 'delete');
SELECT * FROM cordon.prove('prove_wide', '7', '8') WHERE object = 'role prove_wide';
GRANT SET ON PARAMETER session_replication_role, cordon.freeze_tenant TO prove_wide;
ALTER ROLE prove_wide REPLICATION;
SELECT * FROM cordon.prove('prove_wide', '7', '8') WHERE object = 'role prove_wide';
REVOKE SET ON PARAMETER session_replication_role, cordon.freeze_tenant FROM prove_wide;
GRANT ALTER SYSTEM ON PARAMETER app.team_id TO prove_wide;
SELECT * FROM cordon.prove('prove_wide', '7', '8') WHERE attack = 'change a parameter';
-- A look-up that cordon.resolver made gives a tenant and nothing else, also where a superuser owns the table.
CREATE UNIQUE INDEX ON site (team_id, id);
SELECT cordon.resolver('site', 'id');
GRANT EXECUTE ON FUNCTION site_tenant_by_id(int) TO prove_wide;
SELECT code, object FROM cordon.audit() WHERE object LIKE '%site_tenant_by_id%';
DROP FUNCTION all_sites(), some_sites(int), own_sites(), site_tenant_by_id(int);
DROP TABLE note, ping, site, unregistered;
DROP OWNED BY prove_wide; DROP ROLE prove_wide;
