-- With cordon.freeze_tenant, a transaction keeps the tenant that it first set or read, whichever way somebody tries.
CREATE TABLE note (team_id bigint, body text);
INSERT INTO note VALUES (7, 'of seven'), (8, 'of eight');
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON note USING (team_id = cordon.tenant_int8());
CREATE FUNCTION as_eight() RETURNS text LANGUAGE sql SET app.team_id = '8' AS 'SELECT string_agg(body, '','') FROM note';
CREATE FUNCTION switch() RETURNS text LANGUAGE sql AS $$ SELECT set_config('app.team_id', '8', true) $$;
GRANT ALL ON note TO app;
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.freeze_tenant = on;
\connect - app
SET cordon.freeze_tenant = off;

-- Frozen when set; the same value may be set again.
BEGIN;
SELECT cordon.set_tenant('7');
SELECT cordon.set_tenant('7');
SELECT body FROM note;
SAVEPOINT s;
SET LOCAL app.team_id = '8';
ROLLBACK TO s;
SET SESSION app.team_id = '8';
ROLLBACK TO s;
SELECT set_config('app.team_id', '8', false);
ROLLBACK TO s;
SELECT cordon.set_tenant('8');
ROLLBACK TO s;
SELECT cordon.set_tenant(NULL);
ROLLBACK TO s;
SELECT as_eight();
ROLLBACK TO s;
-- In the middle of a query, through a function in the SELECT list.
SELECT body, switch() FROM note;
ROLLBACK TO s;
SELECT body FROM note;
-- RESET asks nobody, so the next read fails.
RESET app.team_id;
SELECT body FROM note;
ROLLBACK TO s;
RESET ALL;
SELECT cordon.current_tenant();
ROLLBACK TO s;
-- Setting it back is not another tenant.
RESET app.team_id;
SET LOCAL app.team_id = '7';
SELECT body FROM note;
COMMIT;
-- The next transaction is free.
BEGIN;
SELECT cordon.set_tenant('8');
SELECT body FROM note;
COMMIT;

-- Frozen when read.
SET app.team_id = '7';
BEGIN;
SELECT body FROM note;
SELECT cordon.set_tenant('8');
ROLLBACK;
BEGIN;
SELECT 'x'::encrypted_text;
SELECT cordon.set_tenant('8');
ROLLBACK;
-- Not before: the session's tenant gives way to the transaction's.
BEGIN;
SELECT cordon.set_tenant('8');
SELECT body FROM note;
ROLLBACK;

-- A savepoint that takes the value back does not take the freeze back.
RESET app.team_id;
BEGIN;
SAVEPOINT s;
SELECT cordon.set_tenant('7');
ROLLBACK TO s;
SELECT body FROM note;
ROLLBACK TO s;
SELECT cordon.set_tenant('8');
ROLLBACK TO s;
SELECT cordon.set_tenant('7');
SELECT body FROM note;
COMMIT;

-- A function that brings its own tenant fixes it; what comes back afterwards is another.
SET app.team_id = '7';
BEGIN;
SELECT as_eight();
SELECT body FROM note;
ROLLBACK;
SELECT body FROM note;

-- A procedure that commits has a tenant for each of its transactions; a cursor held open has its rows already.
CREATE PROCEDURE pg_temp.both() LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
    FOR tenant IN 7..8 LOOP
        PERFORM cordon.set_tenant(tenant::text);
        SELECT string_agg(body, ',') INTO found FROM note;
        RAISE NOTICE '%', found;
        COMMIT;
    END LOOP;
END $$;
RESET app.team_id;
CALL pg_temp.both();
BEGIN;
SELECT cordon.set_tenant('7');
DECLARE held CURSOR WITH HOLD FOR SELECT body FROM note;
COMMIT;
BEGIN;
SELECT cordon.set_tenant('8');
FETCH ALL FROM held;
SELECT body FROM note;
COMMIT;
DISCARD ALL;
SELECT cordon.current_tenant() IS NULL AS discarded;

-- Parallel workers refuse what their leader refuses.
\connect - postgres
CREATE TABLE big AS SELECT 7 + i % 2 AS team_id, i FROM generate_series(1, 20000) i;
ALTER TABLE big ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON big USING (team_id = cordon.tenant_int8());
GRANT ALL ON big TO app;
ANALYZE big;
\connect - app
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SET app.team_id = '7';
EXPLAIN (COSTS OFF) SELECT count(*), min(team_id), max(team_id) FROM big;
SELECT count(*), min(team_id), max(team_id) FROM big;
-- Also with a plan that was made before, so that the leader's planner does not notice first.
SET plan_cache_mode = force_generic_plan;
PREPARE counted AS SELECT count(*), min(team_id), max(team_id) FROM big;
EXECUTE counted;
BEGIN;
SELECT as_eight();
EXECUTE counted;
ROLLBACK;
SELECT count(*), min(team_id), max(team_id) FROM big;
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" RESET cordon.freeze_tenant;
