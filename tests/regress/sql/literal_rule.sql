-- A literal is sealed for the tenant that runs the statement, not for the one that parsed it.
\connect - app
CREATE TABLE secret (id serial, team_id text DEFAULT current_setting('app.team_id'), token encrypted_text);
CREATE TYPE pair AS (label text, token encrypted_text);
CREATE DOMAIN api_key AS encrypted_text CHECK (VALUE IS NOT NULL);
CREATE TABLE nested (team_id text DEFAULT current_setting('app.team_id'), list encrypted_text[], pair pair, pairs pair[],
                     key api_key);

-- Each tenant opens what it wrote: shown for both after each case.
CREATE FUNCTION check_both() RETURNS TABLE (tenant text, tokens text) LANGUAGE plpgsql AS $$
BEGIN
    FOR tenant IN SELECT DISTINCT team_id FROM secret ORDER BY 1 LOOP
        PERFORM set_config('app.team_id', tenant, true);
        SELECT string_agg(s.token::text, ',' ORDER BY s.id) INTO tokens FROM secret s WHERE s.team_id = tenant;
        RETURN NEXT;
    END LOOP;
    DELETE FROM secret;
END $$;

-- Prepared statements, with a generic plan and with custom plans.
SET app.team_id = '7';
PREPARE add AS INSERT INTO secret (token) VALUES ('one'), ('two');
EXECUTE add;
SET app.team_id = '8';
EXECUTE add;
SET plan_cache_mode = force_generic_plan;
EXECUTE add;
SET app.team_id = '7';
EXECUTE add;
RESET plan_cache_mode;
SELECT * FROM check_both();

PREPARE change AS UPDATE secret SET token = 'changed';
INSERT INTO secret (token) VALUES ('x');
SET app.team_id = '8';
EXECUTE change;
SELECT token FROM secret;
DELETE FROM secret;

-- Functions, whose plans are cached.
CREATE FUNCTION add_plpgsql() RETURNS void LANGUAGE plpgsql AS $$
DECLARE constant CONSTANT encrypted_text := 'from plpgsql';
        variable encrypted_text;
BEGIN
    variable := 'assigned';
    INSERT INTO secret (token) VALUES ('literal'), (constant), (variable);
END $$;
CREATE FUNCTION add_sql() RETURNS void LANGUAGE sql AS $$ INSERT INTO secret (token) VALUES ('from sql') $$;
CREATE PROCEDURE add_called(token encrypted_text) LANGUAGE sql AS $$ INSERT INTO secret (token) VALUES (token) $$;
CREATE FUNCTION call_it() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL add_called('from call'); END $$;
SET app.team_id = '7';
SELECT add_plpgsql(), add_sql(), call_it();
SET app.team_id = '8';
SELECT add_plpgsql(), add_sql(), call_it();
SET app.team_id = '7';
SELECT add_plpgsql(), add_sql(), call_it();
SELECT * FROM check_both();

-- Subqueries, CTEs, set operations, DEFAULT in VALUES, RETURNING, MERGE, ON CONFLICT.
CREATE UNIQUE INDEX ON secret (id, team_id);
PREPARE nested_query AS
    WITH w AS (SELECT 'in cte'::encrypted_text AS token)
    INSERT INTO secret (token)
    SELECT token FROM w
    UNION ALL SELECT (SELECT 'in sublink'::encrypted_text)
    UNION ALL SELECT token FROM (VALUES ('in values'::encrypted_text)) v (token)
    UNION ALL SELECT CASE WHEN true THEN 'in case'::encrypted_text END;
PREPARE conflict AS
    INSERT INTO secret (id, token) VALUES (0, 'inserted')
    ON CONFLICT (id, team_id) DO UPDATE SET token = 'updated' RETURNING token, 'returned'::encrypted_text;
PREPARE merging AS
    MERGE INTO secret s USING (SELECT 0 AS id) n ON s.id = n.id AND s.team_id = current_setting('app.team_id')
    WHEN MATCHED THEN UPDATE SET token = 'merged' WHEN NOT MATCHED THEN INSERT (token) VALUES ('new');
SET app.team_id = '7';
EXECUTE nested_query;
EXECUTE conflict;
EXECUTE conflict;
EXECUTE merging;
SET app.team_id = '8';
EXECUTE nested_query;
EXECUTE conflict;
EXECUTE conflict;
EXECUTE merging;
SELECT * FROM check_both();

-- Arrays, composites and domains.
PREPARE add_nested AS INSERT INTO nested (list, pair, pairs, key)
    VALUES ('{a,b}', '(label,c)', '{"(l,d)"}', 'e'), (ARRAY['f', 'g']::encrypted_text[], ROW('label', 'h'), NULL, 'i');
SET app.team_id = '7';
EXECUTE add_nested;
SET app.team_id = '8';
EXECUTE add_nested;
SELECT list, pair, pairs, key FROM nested WHERE team_id = '8';
SET app.team_id = '7';
SELECT list, pair, pairs, key FROM nested WHERE team_id = '7';

-- The attack: a statement that runs while another is being parsed, here in the CHECK of a domain, must not be taken for
-- the other, or the literals before it stay sealed for the tenant that parsed them.
CREATE FUNCTION runs_sql(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM 'x'::encrypted_text; RETURN true; END $$;
CREATE DOMAIN checked AS text CHECK (runs_sql(VALUE));
ALTER TABLE secret ADD COLUMN checks checked[];
SET app.team_id = '7';
PREPARE distracted AS INSERT INTO secret (token, checks) VALUES ('before', '{x}');
EXECUTE distracted;
SET app.team_id = '8';
EXECUTE distracted;
SELECT * FROM check_both();

-- Views, EXPLAIN, CREATE TABLE AS, cursors.
CREATE VIEW constant AS SELECT 'in view'::encrypted_text AS token, '{x}'::encrypted_text[] AS list;
SELECT pg_get_viewdef('constant');
SELECT * FROM constant;
SET app.team_id = '8';
SELECT * FROM constant;
EXPLAIN (COSTS OFF, VERBOSE) SELECT 'explained'::encrypted_text;
EXPLAIN (COSTS OFF, ANALYZE, TIMING OFF, SUMMARY OFF, BUFFERS OFF) CREATE TABLE explained AS SELECT 'made'::encrypted_text AS token;
SELECT * FROM explained;
PREPARE cta AS SELECT 'from execute'::encrypted_text AS token;
CREATE TABLE executed AS EXECUTE cta;
SELECT * FROM executed;
BEGIN;
DECLARE c CURSOR FOR SELECT 'in cursor'::encrypted_text;
FETCH c;
COMMIT;
COPY (SELECT 'copied'::encrypted_text) TO STDOUT;

-- Each row has a nonce of its own.
INSERT INTO secret (token) SELECT 'same' FROM generate_series(1, 3);
BEGIN;
SET LOCAL row_security = off;
SELECT count(DISTINCT token::text) AS distinct_values FROM secret;
COMMIT;
