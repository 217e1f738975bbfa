-- EXPLAIN tells of rows that policies remove: how many an index has found, and how many the planner expects from
-- statistics of the whole table. Halving a range until it holds few rows tells a value.
CREATE TABLE salary (team_id bigint NOT NULL, id int, amount int, PRIMARY KEY (team_id, id));
CREATE INDEX by_amount ON salary (amount);
SELECT cordon.protect('salary') \g /dev/null
INSERT INTO salary SELECT 7, i, i FROM generate_series(1, 1000) i;
INSERT INTO salary SELECT 8, i, 81234 FROM generate_series(1, 1000) i;
ANALYZE salary;
GRANT SELECT, INSERT, UPDATE, DELETE ON salary TO app;

\connect - app
SET app.team_id = '7';
CREATE FUNCTION removed(query text) RETURNS int LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off
    AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
    RETURN coalesce((plan -> 0 -> 'Plan' ->> 'Rows Removed by Filter')::int, 0);
END $$;
CREATE FUNCTION expects_many(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN (plan -> 0 -> 'Plan' ->> 'Plan Rows')::int > 100;
END $$;

-- THE HOLE: rows of tenant 8 have the amount 81234, and no other of these.
SELECT amount, removed(format('SELECT FROM salary WHERE amount = %s', amount))
FROM generate_series(81233, 81235) amount;
SELECT removed('SELECT FROM salary WHERE amount BETWEEN 80000 AND 82000');
-- Closed by indexes that begin with the tenant: other tenants' rows are not met.
\connect - postgres
DROP INDEX by_amount;
CREATE INDEX by_amount ON salary (team_id, amount);
\connect - app
SET app.team_id = '7';
SELECT amount, removed(format('SELECT FROM salary WHERE amount = %s', amount))
FROM generate_series(81233, 81235) amount;
SELECT removed('SELECT FROM salary WHERE amount BETWEEN 80000 AND 82000');

-- THE HOLE that stays: what the planner expects, of values that are frequent in the whole table. The statistics
-- themselves are hidden.
SELECT amount, expects_many(format('SELECT FROM salary WHERE amount = %s', amount))
FROM generate_series(81233, 81235) amount;
SELECT count(*) FROM pg_stats WHERE tablename = 'salary';
-- Sealed values cannot be compared, so nothing can be asked of them.
\connect - postgres
ALTER TABLE salary ADD sealed encrypted_text;
\connect - app
SET app.team_id = '7';
EXPLAIN SELECT FROM salary WHERE sealed = '81234';
