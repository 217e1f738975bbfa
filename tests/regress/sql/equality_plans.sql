-- Under row security one index serves the tenant and the value, whatever the form of the query.
\connect - app
CREATE TABLE customer (team_id bigint NOT NULL, id int NOT NULL, email encrypted_text_eq, PRIMARY KEY (team_id, id));
CREATE UNIQUE INDEX customer_email ON customer (team_id, email);
CREATE TABLE account (id int PRIMARY KEY, email shared_encrypted_text_eq UNIQUE);
SELECT count(*) AS statements FROM cordon.protect('customer');
SET app.team_id = '7';
INSERT INTO customer (id, email) SELECT i, ('user' || i || '@x')::text FROM generate_series(1, 3000) i;
INSERT INTO account SELECT i, ('user' || i || '@x')::text FROM generate_series(1, 3000) i;
SET app.team_id = '8';
INSERT INTO customer (id, email) SELECT i + 10000, ('user' || i || '@x')::text FROM generate_series(1, 3000) i;
SET app.team_id = '7';
ANALYZE customer; ANALYZE account;

EXPLAIN (COSTS OFF) SELECT id FROM customer WHERE email = 'user5@x';
SELECT id FROM customer WHERE email = 'user5@x';
PREPARE by_text (text) AS SELECT id FROM customer WHERE email = $1;
PREPARE by_varchar (varchar) AS SELECT id FROM customer WHERE email = $1;
PREPARE by_array (text[]) AS SELECT id FROM customer WHERE email = ANY ($1) ORDER BY id;
SET enable_bitmapscan = off;
SET plan_cache_mode = force_custom_plan;
EXPLAIN (COSTS OFF) EXECUTE by_text('user5@x');
EXPLAIN (COSTS OFF) EXECUTE by_varchar('user5@x');
EXPLAIN (COSTS OFF) EXECUTE by_array('{user5@x,user6@x}');
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE by_text('user5@x');
EXPLAIN (COSTS OFF) EXECUTE by_varchar('user5@x');
EXPLAIN (COSTS OFF) EXECUTE by_array('{user5@x,user6@x}');
EXECUTE by_text('user5@x'); EXECUTE by_varchar('user5@x'); EXECUTE by_array('{user5@x,user6@x}');
-- The generic plan, made for tenant 7, serves tenant 8.
SET app.team_id = '8';
EXECUTE by_text('user5@x'); EXECUTE by_varchar('user5@x'); EXECUTE by_array('{user5@x,user6@x}');
EXPLAIN (COSTS OFF) SELECT id FROM customer WHERE email IN ('user5@x', 'user6@x');
SELECT id FROM customer WHERE email IN ('user5@x', 'user6@x') ORDER BY id;
EXPLAIN (COSTS OFF) UPDATE customer SET id = id WHERE email = 'user7@x';
EXPLAIN (COSTS OFF) DELETE FROM customer WHERE 'user7@x'::text = email;

-- Signing in, before any tenant is known.
RESET app.team_id;
PREPARE sign_in (text) AS SELECT id FROM account WHERE email = $1;
EXPLAIN (COSTS OFF) EXECUTE sign_in('user5@x');
EXECUTE sign_in('user5@x');
EXECUTE by_text('user5@x');
