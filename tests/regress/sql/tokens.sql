-- Hashes of tokens, their type and the functions around them. Tokens and hashes differ each time, so results are yes or no.
SELECT typname, typlen, typalign, typstorage FROM pg_type WHERE typname = 'token_hash';
SELECT p.oid::regprocedure, provolatile, proparallel, proleakproof, proisstrict
FROM pg_proc p WHERE pronamespace = 'cordon'::regnamespace AND p.oid::regprocedure::text ~ 'token_hash_|hash_token|token_matches|generate_token|checksum'
ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT opcname, amname, opcdefault FROM pg_opclass JOIN pg_am m ON m.oid = opcmethod WHERE opcname = 'token_hash_ops' ORDER BY amname;
SELECT opcname, amvalidate FROM (SELECT opcname, amvalidate(o.oid) FROM pg_opclass o WHERE opcname = 'token_hash_ops') v ORDER BY 1;

\connect - app
CREATE TABLE account (id int PRIMARY KEY, reset token_hash, invite token_hash);
INSERT INTO account SELECT i, cordon.hash_token('reset ' || i, 'reset'), cordon.hash_token('invite ' || i, 'invite') FROM generate_series(1, 2000) i;
INSERT INTO account VALUES (0, NULL, NULL);

-- Purposes are separate, and NULL is never a match.
SELECT id, cordon.token_matches('reset 5', reset, 'reset') AS reset, cordon.token_matches('reset 5', reset, 'invite') AS purpose,
       cordon.token_matches('reset 5', reset) AS none, cordon.token_matches('Reset 5', reset, 'reset') AS other
FROM account WHERE id IN (0, 5, 6) ORDER BY id;
SELECT cordon.hash_token('same') = cordon.hash_token('same', ''), cordon.hash_token('same') = cordon.hash_token('same', 'x');
SELECT id FROM account WHERE reset = cordon.hash_token('reset 77', 'reset');
SELECT id FROM account WHERE reset = ANY (cordon.token_hashes('reset 77', 'reset'));
SELECT id FROM account WHERE reset = ANY (cordon.token_hashes('reset 77', 'invite'));
-- A stolen hash is no token.
SELECT count(*), count(*) FILTER (WHERE cordon.token_matches(reset::text, reset, 'reset')) AS matches FROM account WHERE reset IS NOT NULL;

-- Indexes, joins, grouping; statistics.
CREATE UNIQUE INDEX ON account (reset);
CREATE INDEX ON account USING hash (invite);
ANALYZE account;
PREPARE find AS SELECT id FROM account WHERE reset = ANY (cordon.token_hashes($1, 'reset'));
EXPLAIN (COSTS OFF) EXECUTE find('reset 78');
EXECUTE find('reset 78');
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE find('reset 79');
EXECUTE find('reset 79');
EXPLAIN (COSTS OFF) SELECT id FROM account WHERE invite = cordon.hash_token('invite 3', 'invite');
SELECT id FROM account WHERE invite = cordon.hash_token('invite 3', 'invite');
INSERT INTO account VALUES (5000, cordon.hash_token('reset 1', 'reset')) ON CONFLICT (reset) DO NOTHING;
SET enable_hashjoin = off; SET enable_nestloop = off;
SELECT count(*), count(DISTINCT a.reset) FROM account a JOIN account b ON a.reset = b.reset;
RESET enable_hashjoin; SET enable_mergejoin = off;
SELECT count(*) FROM account a JOIN account b ON a.invite = b.invite;
SELECT count(*) FROM (SELECT reset FROM account GROUP BY reset) g;
SELECT bool_and(lower <= upper) AS sorted FROM (SELECT reset AS lower, lead(reset) OVER (ORDER BY reset) AS upper FROM account WHERE reset IS NOT NULL) s WHERE upper IS NOT NULL;
SELECT attname, n_distinct < 0 AS counted, histogram_bounds IS NOT NULL AS has_histogram FROM pg_stats WHERE tablename = 'account' AND attname = 'reset';
SELECT count(*) FROM account WHERE reset::text ~ '^cordon_th1:[A-Za-z0-9_-]{51}$' AND reset::text::token_hash = reset AND cordon.key_id(reset) > 0;

-- A column that is filled by mistake. Nothing of what was given is in the error.
INSERT INTO account VALUES (3000, $$s3cret-literal$$);
INSERT INTO account SELECT 3000, 's3cret-' || 'text';
UPDATE account SET reset = ('s3cret-' || 'cast')::token_hash WHERE id = 1;
COPY account FROM STDIN;
3000	s3cret-copied	\N
\.
SELECT 'cordon_th1:'::token_hash;
SELECT 'cordon_th1:AQEa1EF-UoqbLcZyO-YFzPNcEb45YEWwIi4U9CNntorDmobLZq'::token_hash;

-- What is refused: NULL and empty tokens, NULL purposes.
SELECT cordon.hash_token(NULL);
SELECT cordon.hash_token('');
SELECT cordon.hash_token('x', NULL);
SELECT cordon.token_hashes(NULL);
SELECT cordon.token_hashes('');
SELECT cordon.token_matches(NULL, reset) FROM account WHERE id = 1;
SELECT cordon.token_matches('', reset) FROM account WHERE id = 1;
SELECT cordon.token_matches('x', reset, NULL) FROM account WHERE id = 1;

-- Generated tokens.
SELECT cordon.generate_token() ~ '^[A-Za-z0-9]{36}$', cordon.generate_token('sk_live') ~ '^sk_live_[A-Za-z0-9]{36}$';
SELECT count(DISTINCT t), bool_and(cordon.token_checksum_ok(t)) FROM (SELECT cordon.generate_token('x') FROM generate_series(1, 1000)) g (t);
SELECT cordon.token_checksum_ok(NULL), cordon.token_checksum_ok(''), cordon.token_checksum_ok('x_' || repeat('a', 36));
SELECT cordon.generate_token('not this');
SELECT cordon.generate_token('under_');
SELECT cordon.generate_token(repeat('x', 33));
SELECT cordon.generate_token(NULL);

-- Bare SHA-256, taken over in hexadecimal and in bytes: the token itself is then found and matches.
CREATE TABLE legacy (id int, h token_hash);
INSERT INTO legacy SELECT 1, cordon.token_hash_from_sha256(encode(sha256('old token'), 'hex'), 'api');
INSERT INTO legacy SELECT 2, cordon.token_hash_from_sha256(upper(encode(sha256('old token'), 'hex')), 'api');
INSERT INTO legacy SELECT 3, cordon.token_hash_from_sha256(sha256('old token'), 'api');
SELECT id, cordon.token_matches('old token', h, 'api'), cordon.token_matches('old token', h), h = cordon.hash_token('old token', 'api') AS same
FROM legacy WHERE h = ANY (cordon.token_hashes('old token', 'api')) ORDER BY id;
-- The digest, which whoever read the old table has, is no token.
SELECT count(*) FROM legacy WHERE h = ANY (cordon.token_hashes(encode(sha256('old token'), 'hex'), 'api'));
SELECT cordon.token_hash_from_sha256('s3cret');
SELECT cordon.token_hash_from_sha256('\x7365'::bytea);
SELECT cordon.token_hash_from_sha256(repeat('g', 64));
SELECT cordon.token_hash_from_sha256(NULL::text);

-- Not for everybody.
SELECT cordon.token_successor('x', 'y', NULL);
SELECT cordon.token_scope();
