-- One query in several tenants: cordon.across.
CREATE TABLE invoice (team_id bigint NOT NULL, id bigint PRIMARY KEY, name text, total numeric, note encrypted_text);
SELECT count(*) FROM cordon.protect('invoice');
CREATE TABLE written (who text);
CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO written VALUES (current_user); RETURN 1; END $$;
CREATE FUNCTION switches(tenant text) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT set_config('app.team_id', tenant, true) $$;
CREATE FUNCTION resets() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RESET app.team_id; RETURN 'reset'; END $$;
CREATE FUNCTION catches(statement text) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN EXECUTE statement; RETURN 'done'; EXCEPTION WHEN OTHERS THEN RETURN SQLERRM; END $$;
CREATE FUNCTION team() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN cordon.tenant_int8(); END $$;
GRANT ALL ON invoice, written TO app;
SET app.team_id = '7';
INSERT INTO invoice VALUES (7, 1, 'one', 5, 'secret of 7'), (7, 2, 'two', 50, NULL);
SET app.team_id = '8';
INSERT INTO invoice VALUES (8, 3, 'three', 500, 'secret of 8');
RESET app.team_id;

-- Whoever may use it reads any tenant, so nobody may who was not told to.
\connect - app
SELECT * FROM cordon.across('{7}', 'SELECT 1') AS t(tenant text, n int);
\connect - postgres
GRANT EXECUTE ON FUNCTION cordon.across(text[], text, text[]) TO app;
-- Superusers are not held by row security: each tenant would be given all rows.
SELECT * FROM cordon.across('{7,8}', 'SELECT id FROM invoice') AS t(tenant text, id bigint);
\connect - app

SELECT * FROM cordon.across('{7,8,9}', 'SELECT id, name FROM invoice ORDER BY id') AS t(tenant text, id bigint, name text);
SELECT * FROM cordon.across(ARRAY['8', '7', '8'], 'SELECT id, total FROM invoice WHERE total > $1::numeric', params => ARRAY['10'])
    AS t(tenant text, id bigint, total numeric) WHERE total > 40 ORDER BY total;
SELECT * FROM cordon.across('{7}', 'SELECT $1, $2, $3 IS NULL', params => ARRAY['a', '', NULL]) AS t(tenant text, a text, b text, c boolean);
SELECT * FROM cordon.across('{}', 'SELECT id FROM invoice') AS t(tenant text, id bigint);
SELECT * FROM cordon.across('{7,8}', 'SELECT note::text FROM invoice WHERE note IS NOT NULL') AS t(tenant text, note text);
SELECT tenant, count(*) FROM cordon.across('{7,8}', 'TABLE invoice_names') AS t(tenant text, name text) GROUP BY 1;
\connect - postgres
CREATE VIEW invoice_names WITH (security_invoker) AS SELECT name FROM invoice;
GRANT SELECT ON invoice_names TO app;
\connect - app
SELECT tenant, count(*) FROM cordon.across('{7,8}', 'TABLE invoice_names') AS t(tenant text, name text) GROUP BY 1 ORDER BY 1;
-- No tenant was set, and none is left behind.
SELECT cordon.current_tenant() IS NULL AS none;

-- What was set before comes back, also after an error and a savepoint.
BEGIN;
SELECT cordon.set_tenant('8');
SELECT count(*) FROM cordon.across('{7,8}', 'SELECT 1') AS t(tenant text, n int);
SELECT cordon.current_tenant();
SAVEPOINT s;
SELECT * FROM cordon.across('{8,7}', 'SELECT 1 / (total - 5) FROM invoice') AS t(tenant text, n numeric);
ROLLBACK TO s;
SELECT cordon.current_tenant(), string_agg(name, ',') FROM invoice;
INSERT INTO written VALUES ('afterwards');
SELECT cordon.set_tenant('7');
ROLLBACK;

-- With freeze_tenant as well.
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.freeze_tenant = on;
\connect - app
BEGIN;
SELECT cordon.set_tenant('8');
SELECT * FROM cordon.across('{7,8}', 'SELECT id, team() FROM invoice') AS t(tenant text, id bigint, team bigint);
SELECT string_agg(name, ',') FROM invoice;
SAVEPOINT s;
SELECT * FROM cordon.across('{8,7}', 'SELECT 1 / (total - 5) FROM invoice') AS t(tenant text, n numeric);
ROLLBACK TO s;
SELECT string_agg(name, ',') FROM invoice;
SELECT cordon.set_tenant('7');
ROLLBACK;
-- A transaction that has no tenant yet is not fixed by it.
BEGIN;
SELECT count(*) FROM cordon.across('{7}', 'SELECT 1') AS t(tenant text, n int);
SELECT cordon.set_tenant('8');
SELECT string_agg(name, ',') FROM invoice;
ROLLBACK;
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" RESET cordon.freeze_tenant;
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.tenant_scope = transaction;
\connect - app
SELECT * FROM cordon.across('{7,8}', 'SELECT id, team() FROM invoice') AS t(tenant text, id bigint, team bigint);
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" RESET cordon.tenant_scope;
\connect - app

-- The tenant cannot be changed within a query, whichever way.
SELECT * FROM cordon.across('{7}', $$SELECT set_config('app.team_id', '8', true), name FROM invoice$$) AS t(tenant text, set text, name text);
SELECT * FROM cordon.across('{7}', 'SELECT cordon.set_tenant($1)', '{8}') AS t(tenant text, set text);
SELECT * FROM cordon.across('{7}', $$SELECT i.name FROM (SELECT switches('8')) s, invoice i$$) AS t(tenant text, name text);
SELECT * FROM cordon.across('{7}', 'SELECT i.name FROM (SELECT resets() OFFSET 0) s, invoice i') AS t(tenant text, name text);
SELECT * FROM cordon.across('{7}', $$SELECT catches('SET app.team_id = ''8'''), team()$$) AS t(tenant text, a text, b bigint);
SELECT * FROM cordon.across('{7}', $$SELECT catches('SELECT 1/0'), switches('8')$$) AS t(tenant text, a text, b text);
SELECT * FROM cordon.across('{7}', $$SELECT tenant FROM cordon.across('{8}', 'SELECT 1') AS t(tenant text, n int)$$) AS t(tenant text, b text);
SELECT cordon.current_tenant() IS NULL AS none;

-- Nor can anything be written.
SELECT * FROM cordon.across('{7}', 'SELECT writes()') AS t(tenant text, n int);
SELECT * FROM cordon.across('{7}', $$SELECT catches('SET transaction_read_only = off')$$) AS t(tenant text, n text);
SELECT * FROM cordon.across('{7}', $$WITH w AS (INSERT INTO written VALUES ('w') RETURNING 1) SELECT * FROM w$$) AS t(tenant text, n int);
SELECT * FROM cordon.across('{7}', 'SELECT name FROM invoice FOR UPDATE') AS t(tenant text, n text);
SELECT * FROM cordon.across('{7}', $$INSERT INTO written VALUES ('i') RETURNING who$$) AS t(tenant text, n text);
SELECT * FROM cordon.across('{7}', 'DELETE FROM written') AS t(tenant text);
SELECT * FROM cordon.across('{7}', 'SELECT 1; SELECT 2') AS t(tenant text, n int);
SELECT * FROM cordon.across('{7}', '') AS t(tenant text, n int);
SELECT * FROM cordon.across('{7}', 'SHOW app.team_id') AS t(tenant text, n text);
SELECT * FROM cordon.across('{7}', 'SELECT 1 AS n INTO TEMP copy') AS t(tenant text, n int);
SELECT * FROM cordon.across('{7}', 'COPY invoice TO STDOUT') AS t(tenant text, n int);
SELECT count(*) FROM written;
-- What a query sets ends with it.
SELECT * FROM cordon.across('{7}', $$SELECT set_config('work_mem', '99MB', false)$$) AS t(tenant text, n text);
SELECT current_setting('work_mem') = '99MB' AS stays, current_setting('transaction_read_only') AS read_only;

-- What is declared must be what the query returns; a sealed value would be opened when its tenant is no longer set.
SELECT * FROM cordon.across('{7}', 'SELECT id, name FROM invoice') AS t(tenant text, id bigint);
SELECT * FROM cordon.across('{7}', 'SELECT id FROM invoice') AS t(tenant text, id int);
SELECT * FROM cordon.across('{7}', 'SELECT id FROM invoice') AS t(tenant bigint, id bigint);
SELECT * FROM cordon.across('{7}', 'SELECT note FROM invoice') AS t(tenant text, note encrypted_text);
SELECT * FROM cordon.across('{7}', 'SELECT ARRAY[note] FROM invoice') AS t(tenant text, note encrypted_text[]);
SELECT * FROM cordon.across('{7}', 'SELECT i FROM invoice i') AS t(tenant text, i invoice);
-- Tenants that are none, and arguments that are not there.
SELECT * FROM cordon.across(ARRAY['7', NULL], 'SELECT 1') AS t(tenant text, n int);
SELECT * FROM cordon.across(ARRAY['7', ''], 'SELECT 1') AS t(tenant text, n int);
SELECT * FROM cordon.across(ARRAY['07'], 'SELECT 1') AS t(tenant text, n int);
SELECT * FROM cordon.across(NULL, 'SELECT 1') AS t(tenant text, n int);
SELECT * FROM cordon.across('{7}', NULL) AS t(tenant text, n int);
SELECT * FROM cordon.across('{7}', 'SELECT $2', '{1}') AS t(tenant text, n text);
SELECT * FROM cordon.across('{7}', 'SELECT * FROM nowhere') AS t(tenant text, n text);
