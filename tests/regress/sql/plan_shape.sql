-- What the planner makes of the policies: one index condition, pruned partitions, parallel scans, right estimates.
\connect - app
SET jit = off;
CREATE TABLE message (id int, team_id bigint NOT NULL, body text);
-- Team 1 has half of the rows, each of the others ten.
INSERT INTO message SELECT i, CASE WHEN i % 2 = 0 THEN 1 ELSE 2 + i / 20 END, repeat('x', 50)
FROM generate_series(1, 100000) i;
ALTER TABLE message ADD PRIMARY KEY (team_id, id);
SELECT count(*) FROM cordon.protect('message');
VACUUM ANALYZE message;
SET app.team_id = '7';
-- The two policies are one condition, and nothing is filtered again.
EXPLAIN (COSTS OFF) SELECT * FROM message;
EXPLAIN (COSTS OFF) SELECT * FROM message WHERE id = 1001;
EXPLAIN (COSTS OFF) SELECT * FROM message ORDER BY id LIMIT 10;
PREPARE one AS SELECT * FROM message WHERE id = $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE one (1001);
RESET plan_cache_mode;

-- Estimates within a factor of three of the truth, for tenants of every size.
CREATE FUNCTION estimate_is_right(tenant text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE plan json; truth int;
BEGIN
    PERFORM set_config('app.team_id', tenant, true);
    EXECUTE 'EXPLAIN (FORMAT json) SELECT * FROM message' INTO plan;
    SELECT count(*) INTO truth FROM message;
    RETURN (plan -> 0 -> 'Plan' ->> 'Plan Rows')::float / truth BETWEEN 1 / 3.0 AND 3;
END $$;
SELECT tenant, estimate_is_right(tenant::text) FROM unnest('{1,2,7,4000}'::int[]) tenant;

-- Partitioned by the tenant: all but one partition are removed when the plan starts.
CREATE TABLE part (team_id bigint NOT NULL, id int, PRIMARY KEY (team_id, id)) PARTITION BY HASH (team_id);
CREATE TABLE part_0 PARTITION OF part FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE part_2 PARTITION OF part FOR VALUES WITH (MODULUS 3, REMAINDER 2);
SELECT count(*) FROM cordon.protect('part');
EXPLAIN (COSTS OFF, ANALYZE, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT * FROM part;

-- Parallel plans stay parallel.
CREATE TABLE wide (team_id bigint NOT NULL, body text);
INSERT INTO wide SELECT 7 + i % 2, repeat('x', 100) FROM generate_series(1, 20000) i;
SELECT count(*) FROM cordon.protect('wide');
ANALYZE wide;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT count(*) FROM wide;
SELECT count(*) FROM wide;
