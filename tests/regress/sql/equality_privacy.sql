-- Comparing needs no tenant, and neither statistics nor maintenance show plaintext or fail for want of one.
CREATE EXTENSION amcheck;
\connect - app
CREATE TABLE c (team_id bigint, kind int, email encrypted_text_eq, login shared_encrypted_text_eq);
CREATE INDEX c_email ON c (email); CREATE UNIQUE INDEX c_login ON c (team_id, login, email); CREATE INDEX c_hash ON c USING hash (email);
SET app.team_id = '7';
-- Half of the rows are one value, so that it is the most common one.
INSERT INTO c SELECT 7, i % 2, CASE WHEN i % 2 = 0 THEN 's3cret-common' ELSE 's3cret-' || i END, 's3cret-' || i FROM generate_series(1, 2000) i;
SET app.team_id = '8';
INSERT INTO c SELECT 8, i % 2, ('s3cret-' || i)::text, 's3cret-' || i FROM generate_series(1, 2000) i;
RESET app.team_id;
ANALYZE c;
CREATE STATISTICS c_all ON kind, email, login FROM c;
CREATE STATISTICS c_mcv (mcv) ON kind, email FROM c;
ANALYZE c;

\connect - postgres
SELECT attname, n_distinct < 0 AS distinct_is_known, array_length(most_common_freqs, 1) AS common,
       round(most_common_freqs[1]::numeric, 1) AS share, histogram_bounds IS NOT NULL AS has_histogram, correlation IS NOT NULL AS has_correlation
FROM pg_stats WHERE tablename = 'c' AND attname IN ('email', 'login') ORDER BY attname;
SELECT count(*) AS plaintext FROM pg_stats WHERE tablename = 'c' AND pg_stats::text ~ 's3cret';
SELECT bool_and(v ~ '^cordon1:') FROM pg_stats, unnest(histogram_bounds::text::text[]) v WHERE tablename = 'c' AND attname IN ('email', 'login');
SELECT statistics_name, kinds, pg_stats_ext::text ~ 's3cret' AS plaintext, most_common_vals::text ~ 'cordon1:' AS shown_as_stored
FROM pg_stats_ext WHERE tablename = 'c' ORDER BY 1;
SELECT pg_typeof(most_common_vals) FROM pg_stats WHERE tablename = 'c' AND attname = 'email';
SELECT bt_index_check('c_email', heapallindexed => true), bt_index_parent_check('c_login', true, true);
REINDEX TABLE c; CLUSTER c USING c_email; VACUUM (FULL, ANALYZE) c;
SELECT bt_index_check('c_email', heapallindexed => true), bt_index_parent_check('c_login', true, true);
SELECT count(*) FROM c a JOIN c b USING (team_id, login);
SELECT count(*) AS groups, max(rows) FROM (SELECT count(*) AS rows FROM c GROUP BY email) g;
SELECT count(*) FROM (SELECT email FROM c ORDER BY email) o;

-- The planner uses the statistics: half of the rows, and one.
\connect - app
SET app.team_id = '7';
CREATE FUNCTION estimate(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE line text; BEGIN
    EXECUTE 'EXPLAIN ' || query INTO line; RETURN substring(line FROM 'rows=(\d+)')::int;
END $$;
SELECT estimate($$SELECT FROM c WHERE email = 's3cret-common'$$) BETWEEN 800 AND 1200 AS common,
       estimate($$SELECT FROM c WHERE email = 's3cret-1'$$) < 50 AS rare,
       estimate($$SELECT FROM c WHERE kind = 0 AND email = 's3cret-common'$$) BETWEEN 700 AND 1300 AS together;
-- As an ordinary role: a function that is no operator of ours learns nothing of rows it may not see.
SELECT count(*) FROM c WHERE team_id = 7 AND email = 's3cret-common';
SELECT count(*) FROM c WHERE team_id = 8 AND email = 's3cret-1';
-- Damaged and foreign bytes are compared without an error; only opening them is one.
SET ROLE app;
RESET app.team_id;
SELECT count(DISTINCT email) FROM c;
SELECT email FROM c LIMIT 1;
\connect - postgres
SET cordon.text_form = stored;
SELECT cordon.search_key_id(email) = cordon.search_key_id(login), cordon.key_id(email) > 0 FROM c LIMIT 1;
SELECT 'cordon1:AQ'::encrypted_text_eq;
SELECT (SELECT email::text FROM c LIMIT 1)::shared_encrypted_text_eq;
SELECT (SELECT email::text FROM c LIMIT 1)::encrypted_text;
SELECT 'plain'::cordon.sealed_statistic;
