-- With cordon.tenant_scope = transaction, a tenant that an earlier transaction left on the connection counts as unset.
CREATE TABLE note (team_id bigint, body text, token encrypted_text);
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON note USING (team_id = cordon.tenant_int8());
GRANT ALL ON note TO app;
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.tenant_scope = transaction;
\connect - app
SET cordon.tenant_scope = session;
BEGIN;
SELECT cordon.set_tenant('7');
INSERT INTO note VALUES (7, 'of seven', 'sealed');
COMMIT;

-- A session SET by another client of the pool.
SET app.team_id = '7';
SELECT body FROM note;
SELECT 'x'::encrypted_text;
SELECT cordon.current_tenant() IS NULL AS unset;
BEGIN;
SELECT body FROM note;
ROLLBACK;
-- Within its transaction a session SET counts, also in a subtransaction.
BEGIN;
SET app.team_id = '7';
SELECT body, token FROM note;
SAVEPOINT s;
SELECT body FROM note;
SAVEPOINT t;
SET app.team_id = '8';
ROLLBACK TO t;
SELECT body FROM note;
COMMIT;
SELECT body FROM note;
-- A savepoint that brings the earlier transaction's value back does not make it this transaction's.
BEGIN;
SAVEPOINT s;
SELECT cordon.set_tenant('8');
ROLLBACK TO s;
SELECT body FROM note;
ROLLBACK;
-- With on_unset_tenant = empty there are no rows, and sealed values fail all the same.
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.on_unset_tenant = empty;
\connect - app
SET app.team_id = '7';
SELECT body FROM note;
SELECT 'x'::encrypted_text;
RESET app.team_id;
SELECT body FROM note;
BEGIN;
SELECT cordon.set_tenant('7');
SELECT body FROM note;
COMMIT;
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" RESET cordon.on_unset_tenant;
-- Parallel workers are given no tenant that their leader may not read.
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
SELECT count(*) FROM big;
BEGIN;
SELECT cordon.set_tenant('7');
EXPLAIN (COSTS OFF) SELECT count(*) FROM big;
SELECT count(*), min(team_id), max(team_id) FROM big;
-- Also with a plan that was made before, so that the leader's planner does not notice first.
SET plan_cache_mode = force_generic_plan;
PREPARE counted AS SELECT count(*), min(team_id), max(team_id) FROM big;
EXECUTE counted;
COMMIT;
SET app.team_id = '7';
EXECUTE counted;
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" RESET cordon.tenant_scope;
