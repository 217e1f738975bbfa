-- Look-ups that open every value of the tenant, and what has no counterpart at all: docs/EQUALITY.md.
CREATE TABLE account (team_id bigint NOT NULL, id int PRIMARY KEY, mail encrypted_text_eq, note encrypted_text);
CREATE INDEX ON account (team_id, mail);
SELECT count(*) FROM cordon.protect('account');
GRANT SELECT ON account TO app;
INSERT INTO account SELECT t, t * 1000 + i, cordon.encrypt_eq('m' || i || '@x', t::text), cordon.encrypt('Note ' || i % 3, t::text)
    FROM generate_series(7, 8) t, generate_series(1, 300) i;
ANALYZE account;
\connect - app
SET app.team_id = '7';
-- Django's startswith, icontains and iexact, as it writes them: of the tenant's rows every value is opened.
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM account WHERE mail::text LIKE 'm29%';
SELECT count(*) FROM account WHERE mail::text LIKE 'm29%';
SELECT count(*) FROM account WHERE UPPER(note::text) LIKE UPPER('%note 1%');
SELECT id FROM account WHERE UPPER(mail::text) = UPPER('M5@X');
EXPLAIN (COSTS OFF) SELECT id FROM account WHERE mail = 'm5@x';
-- DISTINCT compares every column: without equality there is none, with it equal texts of a tenant are equal.
SELECT DISTINCT note FROM account;
SELECT DISTINCT * FROM account;
SELECT count(*) FROM (SELECT DISTINCT mail FROM account) d;
SELECT count(*) FROM (SELECT DISTINCT note::text FROM account) d;
SELECT count(*) FROM (SELECT DISTINCT ON (id) note FROM account) d;
SELECT note FROM account ORDER BY note LIMIT 1;
SELECT note FROM account ORDER BY note::text LIMIT 1;
\connect - postgres
DROP TABLE account;
