-- Encrypted types with equality: every way to compare, by the type itself and by text on either side.
SELECT opcname, amname, opcintype::regtype, amvalidate(o.oid) FROM pg_opclass o JOIN pg_am m ON m.oid = opcmethod
WHERE opcintype::regtype::text ~ '_eq$|statistic' ORDER BY opcintype::regtype::text COLLATE "C", amname;
SELECT oprname, oprleft::regtype, oprright::regtype, provolatile, proleakproof, oprcom <> 0 AS has_commutator, oprnegate <> 0 AS has_negator
FROM pg_operator JOIN pg_proc p ON p.oid = oprcode WHERE oprleft::regtype::text = 'encrypted_text_eq' OR oprright::regtype::text = 'encrypted_text_eq'
ORDER BY oprname COLLATE "C", oprleft::regtype::text COLLATE "C", oprright::regtype::text COLLATE "C";

\connect - app
SET app.team_id = '7';
CREATE TABLE customer (id int PRIMARY KEY, team_id bigint DEFAULT cordon.tenant_int8(), email encrypted_text_eq, login shared_encrypted_text_eq);
INSERT INTO customer (id, email, login) VALUES (1, 'ada@x', 'ada'), (2, 'bob@x', 'bob'), (3, NULL, NULL), (4, '', ''), (5, 'ada@x', 'eve');

-- Literals, parameters of each type, on each side.
SELECT id FROM customer WHERE email = 'ada@x' ORDER BY id;
SELECT id FROM customer WHERE 'ada@x' = email ORDER BY id;
SELECT id FROM customer WHERE email <> 'ada@x' ORDER BY id;
SELECT id FROM customer WHERE email = '';
SELECT id FROM customer WHERE email = 'Ada@x';
SELECT id FROM customer WHERE login = 'bob';
PREPARE by_unknown AS SELECT id FROM customer WHERE email = $1 ORDER BY id;
PREPARE by_text (text) AS SELECT id FROM customer WHERE email = $1 ORDER BY id;
PREPARE by_varchar (varchar) AS SELECT id FROM customer WHERE email = $1 ORDER BY id;
PREPARE by_type (encrypted_text_eq) AS SELECT id FROM customer WHERE email = $1 ORDER BY id;
PREPARE text_left (text) AS SELECT id FROM customer WHERE $1 = email ORDER BY id;
PREPARE not_text (text) AS SELECT id FROM customer WHERE email <> $1 ORDER BY id;
PREPARE shared_text (text) AS SELECT id FROM customer WHERE login = $1;
EXECUTE by_unknown('ada@x'); EXECUTE by_text('ada@x'); EXECUTE by_varchar('ada@x'); EXECUTE by_type('ada@x');
EXECUTE text_left('ada@x'); EXECUTE not_text('ada@x'); EXECUTE shared_text('bob'); EXECUTE by_text(NULL);

-- Lists and arrays.
SELECT id FROM customer WHERE email IN ('ada@x', 'bob@x') ORDER BY id;
SELECT id FROM customer WHERE email NOT IN ('ada@x', '') ORDER BY id;
PREPARE in_list (text, varchar) AS SELECT id FROM customer WHERE email IN ($1, $2) ORDER BY id;
PREPARE any_text (text[]) AS SELECT id FROM customer WHERE email = ANY ($1) ORDER BY id;
PREPARE any_varchar (varchar[]) AS SELECT id FROM customer WHERE email = ANY ($1) ORDER BY id;
PREPARE any_unknown AS SELECT id FROM customer WHERE email = ANY ($1) ORDER BY id;
PREPARE all_text (text[]) AS SELECT id FROM customer WHERE email <> ALL ($1) ORDER BY id;
PREPARE text_in_array (text) AS SELECT id FROM (SELECT id, ARRAY[email] AS emails FROM customer) c WHERE $1 = ANY (emails) ORDER BY id;
EXECUTE in_list('ada@x', 'bob@x'); EXECUTE any_text('{ada@x,bob@x,NULL}'); EXECUTE any_varchar('{bob@x}'); EXECUTE any_unknown('{bob@x}');
EXECUTE all_text('{ada@x}'); EXECUTE text_in_array('bob@x'); EXECUTE any_text('{}');
EXPLAIN (COSTS OFF, VERBOSE) EXECUTE all_text('{ada@x}');
PREPARE in_rows (text, int) AS SELECT id FROM customer WHERE (email, id) IN (($1, $2), ('bob@x', 2)) ORDER BY id;
EXECUTE in_rows('ada@x', 5);
SELECT id FROM customer WHERE ('ada@x'::text, 5) = (email, id) OR (email, login) <> ('ada@x'::text, 'ada'::text) ORDER BY id;
SELECT id FROM customer WHERE email = ANY (SELECT 'ada@x'::text) ORDER BY id;
SELECT id FROM customer WHERE (email, id) < ('ada@x'::text, 5);
SELECT '[0:1][1:2]={{a,b},{NULL,c}}'::text[]::encrypted_text_eq[], '{}'::text[]::encrypted_text_eq[];
CREATE VIEW listed AS SELECT id FROM customer WHERE email = ANY (string_to_array('ada@x bob@x', ' '));
SELECT id FROM listed ORDER BY id;
DECLARE c CURSOR WITH HOLD FOR SELECT id FROM customer WHERE email = ANY ('{bob@x}'::text[]);
FETCH c; CLOSE c;

-- DISTINCT, grouping, set operations, joins of each kind, IS DISTINCT FROM, NULLIF, CASE.
SELECT count(DISTINCT email), count(DISTINCT login) FROM customer;
SELECT count(*) AS rows, bool_or(email = 'ada@x') AS is_ada FROM customer GROUP BY email ORDER BY 1, 2;
SELECT count(*) FROM (SELECT email FROM customer UNION SELECT email FROM customer) u;
SELECT email FROM customer WHERE id = 1 INTERSECT SELECT email FROM customer WHERE id = 5;
SELECT count(*) FROM (SELECT email FROM customer EXCEPT SELECT email FROM customer WHERE id = 1) e;
SET enable_mergejoin = off; SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT a.id, b.id FROM customer a JOIN customer b ON a.email = b.email;
SELECT a.id, b.id FROM customer a JOIN customer b ON a.email = b.email ORDER BY 1, 2;
RESET enable_mergejoin; SET enable_hashjoin = off;
EXPLAIN (COSTS OFF) SELECT a.id, b.id FROM customer a JOIN customer b ON a.email = b.email;
SELECT a.id, b.id FROM customer a JOIN customer b ON a.email = b.email ORDER BY 1, 2;
RESET enable_hashjoin; RESET enable_nestloop;
CREATE TABLE staged (email text);
INSERT INTO staged VALUES ('ada@x'), ('nobody@x');
SELECT s.email, id FROM staged s LEFT JOIN customer c ON s.email = c.email ORDER BY 1, 2;
SELECT id FROM customer WHERE email IS NOT DISTINCT FROM 'bob@x' OR NULLIF(email, 'ada@x') IS NULL ORDER BY id;
SELECT id, CASE email WHEN 'ada@x' THEN 'A' WHEN 'bob@x' THEN 'B' END FROM customer ORDER BY id;

-- UNIQUE, ON CONFLICT, MERGE, foreign keys.
CREATE TABLE account (email shared_encrypted_text_eq PRIMARY KEY, name text);
INSERT INTO account VALUES ('ada@x', 'Ada');
INSERT INTO account VALUES ('ada@x', 'Eve');
INSERT INTO account VALUES ('ada@x', 'Eve') ON CONFLICT DO NOTHING;
INSERT INTO account VALUES ('ada@x', 'Ada L.') ON CONFLICT (email) DO UPDATE SET name = excluded.name;
MERGE INTO account a USING (VALUES ('ada@x', 'merged'), ('new@x', 'N')) v (email, name) ON a.email = v.email
    WHEN MATCHED THEN UPDATE SET name = v.name WHEN NOT MATCHED THEN INSERT VALUES (v.email, v.name);
SELECT * FROM account ORDER BY name;
CREATE TABLE session (email shared_encrypted_text_eq REFERENCES account ON DELETE CASCADE);
INSERT INTO session VALUES ('ada@x');
INSERT INTO session VALUES ('nobody@x');
DELETE FROM account WHERE email = 'ada@x';
SELECT count(*) FROM session;
UPDATE customer SET email = 'changed@x' WHERE email = 'bob@x';
SELECT email FROM customer WHERE id = 2;

-- Tenants: equal texts of two are not equal; a prepared statement finds each one's own.
CREATE UNIQUE INDEX ON customer (team_id, email, id);
SET app.team_id = '8';
INSERT INTO customer (id, email, login) VALUES (81, 'ada@x', 'ada');
EXECUTE by_unknown('ada@x'); EXECUTE by_text('ada@x'); EXECUTE any_text('{ada@x}');
SELECT id FROM customer WHERE email = 'ada@x';
SELECT count(*) FROM customer a JOIN customer b ON a.email = b.email WHERE a.id = 1 AND b.id = 81;
SELECT count(*) FROM customer a JOIN customer b ON a.login = b.login WHERE a.id = 1 AND b.id = 81;
CREATE FUNCTION find(text) RETURNS SETOF int LANGUAGE sql STABLE AS $$ SELECT id FROM customer WHERE email = $1 ORDER BY id $$;
CREATE FUNCTION find_ada() RETURNS SETOF int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN QUERY SELECT id FROM customer WHERE email = 'ada@x' ORDER BY id; END $$;
SELECT find('ada@x'), find_ada();
SET app.team_id = '7';
SELECT find('ada@x'); SELECT find_ada();
EXECUTE by_text('ada@x');

-- Casts between the types with and without equality.
CREATE TABLE plain (id int, token encrypted_text, note shared_encrypted_text);
INSERT INTO plain VALUES (1, 'ada@x', 'n');
INSERT INTO plain SELECT id, email, login FROM customer WHERE id = 2;
SELECT id, token, note FROM plain ORDER BY id;
ALTER TABLE plain ALTER token TYPE encrypted_text_eq, ALTER note TYPE shared_encrypted_text_eq;
CREATE INDEX ON plain (token);
SELECT id FROM plain WHERE token = 'changed@x' AND note = 'bob';
DROP INDEX plain_token_idx;
ALTER TABLE plain ALTER token TYPE encrypted_text USING token::encrypted_text;
SELECT token FROM plain ORDER BY id;
SELECT id FROM plain WHERE token = 'ada@x';

-- What is not offered.
SELECT id FROM customer WHERE email LIKE 'ada%';
SELECT id FROM customer WHERE email < 'b'::text;
SELECT email || 'x' FROM customer;
SELECT id FROM customer WHERE email = login;
INSERT INTO staged SELECT email FROM customer;
\connect - app
SELECT id FROM customer WHERE email = 'ada@x';
SELECT id FROM customer WHERE login = 'ada' ORDER BY id;
