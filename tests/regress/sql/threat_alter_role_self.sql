-- Every role may change its own defaults. They must not bring a tenant, nor take away what a superuser has set.
CREATE TABLE note (id int, team_id bigint NOT NULL, body text, PRIMARY KEY (team_id, id));
SELECT cordon.protect('note') \g /dev/null
INSERT INTO note VALUES (1, 7, 'of seven'), (1, 8, 'of eight');
GRANT SELECT, INSERT, UPDATE, DELETE ON note TO app;
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.freeze_tenant = on;
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.tenant_scope = transaction;

\connect - app
-- A tenant that would be there before the application says anything.
ALTER ROLE app SET app.team_id = '8';
ALTER ROLE app IN DATABASE :"DBNAME" SET app.team_id = '8';
ALTER ROLE CURRENT_USER IN DATABASE :"DBNAME" SET app.team_id = '8';
BEGIN;
SELECT cordon.set_tenant('8');
ALTER ROLE app IN DATABASE :"DBNAME" SET app.team_id FROM CURRENT;
ROLLBACK;
-- The database is this role's, too.
ALTER DATABASE :"DBNAME" SET app.team_id = '8';
-- Names are compared without case.
ALTER ROLE app IN DATABASE :"DBNAME" SET "App.Team_Id" = '8';
-- None is no tenant.
ALTER ROLE app IN DATABASE :"DBNAME" SET app.team_id = '';
ALTER ROLE app IN DATABASE :"DBNAME" RESET app.team_id;

-- What a superuser has set stays, and no role gives itself privileges.
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.freeze_tenant = off;
ALTER ROLE app IN DATABASE :"DBNAME" RESET cordon.freeze_tenant;
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.tenant_scope = session;
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.on_unset_tenant = empty;
ALTER ROLE app IN DATABASE :"DBNAME" SET session_preload_libraries = 'mine';
ALTER DATABASE :"DBNAME" SET cordon.freeze_tenant = off;
\set VERBOSITY sqlstate
ALTER ROLE app BYPASSRLS;
ALTER ROLE app SUPERUSER;
\set VERBOSITY verbose
-- This leaves alone what only a superuser may set.
ALTER ROLE app IN DATABASE :"DBNAME" RESET ALL;
\connect - app
SHOW cordon.freeze_tenant;
SHOW cordon.tenant_scope;
SHOW cordon.on_unset_tenant;
SELECT current_setting('app.team_id', true) = '' AS no_tenant;
SELECT body FROM note;

-- row_security = off may be persisted: it makes queries fail.
ALTER ROLE app IN DATABASE :"DBNAME" SET row_security = off;
\connect - app
BEGIN;
SELECT cordon.set_tenant('7');
SELECT body FROM note;
ROLLBACK;
ALTER ROLE app IN DATABASE :"DBNAME" RESET row_security;
\connect - app
BEGIN;
SELECT cordon.set_tenant('7');
SELECT body FROM note;
COMMIT;

-- A superuser may persist a tenant, for a role that serves only one.
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" RESET cordon.tenant_scope;
ALTER ROLE app IN DATABASE :"DBNAME" SET app.team_id = '7';
\connect - app
SELECT body FROM note;
ALTER ROLE app IN DATABASE :"DBNAME" SET app.team_id = '8';
-- The role may take it away, which leaves it without a tenant.
ALTER ROLE app IN DATABASE :"DBNAME" RESET app.team_id;
\connect - app
SELECT body FROM note;
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" RESET ALL;
