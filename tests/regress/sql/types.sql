-- What the types are, as the catalog says it, and what works with them in ordinary use.
SELECT typname, typlen, typalign, typstorage, typcategory FROM pg_type WHERE typname IN ('encrypted_text', 'shared_encrypted_text') ORDER BY 1;
-- Nothing that depends on the session is immutable; everything is parallel safe.
SELECT p.oid::regprocedure, provolatile, proparallel, proleakproof, proisstrict
FROM pg_proc p WHERE pronamespace = 'cordon'::regnamespace AND p.oid::regprocedure::text ~ 'encrypt|decrypt|key_id'
ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT castsource::regtype, casttarget::regtype, castcontext FROM pg_cast
WHERE castsource::regtype::text ~ 'encrypted' OR casttarget::regtype::text ~ 'encrypted' ORDER BY castsource::regtype::text COLLATE "C", casttarget::regtype::text COLLATE "C";
-- Every object a user sees has a comment.
SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'cordon'::regnamespace
    AND obj_description(p.oid, 'pg_proc') IS NULL AND p.proname !~ '_(in|out|recv|send|eq|ne|lt|le|gt|ge|cmp|sort_support|hash|hash_extended|eq_text|ne_text)$';
-- No function has a search path of its caller's to fall for: none is written in SQL or PL/pgSQL without its own.
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = prolang
WHERE pronamespace = 'cordon'::regnamespace AND lanname IN ('sql', 'plpgsql') AND prokind <> 'p' -- which could not commit
    AND prosqlbody IS NULL -- whose names are those of its definition
    AND NOT coalesce(proconfig::text, '') ~ 'search_path';

\connect - app
SET app.team_id = '7';
CREATE TABLE t (id int PRIMARY KEY, token encrypted_text, note shared_encrypted_text NOT NULL, tokens encrypted_text[]);
INSERT INTO t VALUES (1, 'a', 'n', '{x,NULL,"with space"}'), (2, NULL, 'n', NULL), (3, '', '', '{}');
SELECT * FROM t ORDER BY id;
SELECT id, array_agg(u::text) FROM t, unnest(tokens) u GROUP BY id ORDER BY id;
SELECT to_jsonb(t) FROM t ORDER BY id;
SELECT array_agg(token ORDER BY id) FROM t;
SELECT string_agg(token::text, ',' ORDER BY id) FROM t;
SELECT coalesce(token, 'none') FROM t ORDER BY id;
UPDATE t SET token = upper(token::text) WHERE id = 1;
SELECT token, length(token::text), token::text LIKE 'A%' AS matches FROM t WHERE id = 1;
ALTER TABLE t ADD CHECK (length(token::text) < 5);
ALTER TABLE t ADD CHECK (token IS NOT NULL OR id > 1);
ANALYZE t;
SELECT attname, null_frac, n_distinct, most_common_vals FROM pg_stats WHERE tablename = 't' AND attname IN ('token', 'note') ORDER BY 1;
SELECT pg_column_size(token) FROM t WHERE id = 3;
CREATE TABLE other (LIKE t INCLUDING ALL);
INSERT INTO other SELECT * FROM t;
SELECT count(*) FROM other WHERE token IS NOT DISTINCT FROM NULL;
-- The extension goes to the schema that is asked for, with its functions in cordon.
\connect - postgres
DROP EXTENSION pg_cordon CASCADE;
CREATE SCHEMA elsewhere;
CREATE EXTENSION pg_cordon SCHEMA elsewhere;
SELECT 'x'::elsewhere.shared_encrypted_text, cordon.current_tenant();
