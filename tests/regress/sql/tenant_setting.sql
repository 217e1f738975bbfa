-- One tenant, one spelling; unset is '' or NULL; other app.* settings stay free.
\connect - app
SHOW app.team_id;
SELECT cordon.current_tenant() IS NULL AS unset;
SET app.team_id = '42';
SELECT cordon.current_tenant();
SET app.team_id = 'd3b07384-d113-4ec6-a1b0-7a3f1c9e0b52';
SET app.team_id = 'acme & sons';
SELECT cordon.current_tenant();

-- Refused, and the former value stays. The refused one is not printed.
SET app.team_id = '042';
SET app.team_id = '+42';
SET app.team_id = ' 42';
SET app.team_id = E'42\n';
SET app.team_id = E'4\t2';
SET app.team_id = 'D3B07384-D113-4EC6-A1B0-7A3F1C9E0B52';
SET app.team_id = 'd3b07384d1134ec6a1b07a3f1c9e0b52';
SELECT set_config('app.team_id', repeat('x', 129), false);
SELECT cordon.set_tenant('042');
SELECT cordon.current_tenant();

RESET app.team_id;
SELECT cordon.current_tenant() IS NULL AS unset;

-- set_tenant lasts until the transaction ends, and a savepoint takes it back.
BEGIN;
SELECT cordon.set_tenant('7');
SAVEPOINT s;
SELECT cordon.set_tenant('8');
SELECT cordon.current_tenant();
ROLLBACK TO s;
SELECT cordon.current_tenant();
SELECT cordon.set_tenant(NULL) IS NULL AS unset_by_null;
SELECT cordon.current_tenant() IS NULL AS unset;
SELECT cordon.set_tenant('7');
SELECT cordon.set_tenant('') IS NULL AS unset_by_empty;
COMMIT;
BEGIN;
SET LOCAL app.team_id = '7';
COMMIT;
SELECT cordon.current_tenant() IS NULL AS unset_after_commit;

-- A role cannot give itself a tenant that is there before the application says anything.
ALTER ROLE app SET app.team_id = '7';
CREATE FUNCTION fixed() RETURNS text LANGUAGE sql SET app.team_id = '7' AS 'SELECT cordon.current_tenant()';
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" SET app.team_id = '7';
\connect - app
SELECT cordon.current_tenant();
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" RESET app.team_id;
\connect - app

SET app.other = 'free';
SHOW app.other;
-- A misspelt setting of ours is noticed.
SET cordon.keyring_fiel = 'x';
