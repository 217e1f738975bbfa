-- A database with everything in it that a release can leave behind for the next one. scripts/release runs it with that
-- release, as the superuser; tests/tests/upgrade.rs knows what is in it. It says only what all releases understand: what
-- is new in a release goes to the end.
CREATE TABLE account (team_id bigint NOT NULL, id int, email encrypted_text_eq, token encrypted_text, note shared_encrypted_text,
    country shared_encrypted_text_eq DEFAULT 'none', tags encrypted_text[], PRIMARY KEY (team_id, id));
CREATE UNIQUE INDEX account_email ON account (team_id, email);
CREATE INDEX account_country ON account USING hash (country);
ALTER TABLE account OWNER TO app;
SELECT cordon.protect('account');
INSERT INTO account SELECT t, i, cordon.encrypt_eq('mail' || i, t::text), cordon.encrypt('token ' || i || ' of ' || t, t::text),
    cordon.encrypt('note ' || i), CASE i % 2 WHEN 0 THEN cordon.encrypt_eq('CH') END, ARRAY[cordon.encrypt('tag', t::text), NULL]
    FROM generate_series(7, 8) t, generate_series(1, 20) i;

-- Tenants of the other types, and partitions.
CREATE TABLE document (org_id uuid NOT NULL, id int, body encrypted_text, PRIMARY KEY (org_id, id)) PARTITION BY HASH (org_id);
CREATE TABLE document_0 PARTITION OF document FOR VALUES WITH (MODULUS 1, REMAINDER 0);
SELECT cordon.protect('document', 'org_id');
INSERT INTO document SELECT '00000000-0000-4000-8000-000000000007', 1, cordon.encrypt('body', '00000000-0000-4000-8000-000000000007');
GRANT ALL ON document, document_0 TO app;

-- A table of the application's that is made of the types, with a policy of its own.
CREATE DOMAIN secret AS encrypted_text NOT NULL;
CREATE TABLE own (team_id int NOT NULL, id int PRIMARY KEY, value secret, shared shared_encrypted_text DEFAULT 'by default');
ALTER TABLE own ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON own USING (team_id = cordon.tenant_int4());
INSERT INTO own VALUES (7, 1, cordon.encrypt('own', '7'));
CREATE VIEW own_view WITH (security_invoker = true) AS SELECT id, value::text AS plain FROM own;
GRANT ALL ON own, own_view TO app;

-- Tokens, in a table of the application's and in the store.
CREATE TABLE api_key (hash token_hash PRIMARY KEY, name text);
INSERT INTO api_key VALUES (cordon.hash_token('tok_of_the_release'), 'released');
GRANT SELECT ON api_key TO app;
-- The store keeps a hash only; the token itself is kept here.
CREATE TABLE issued AS SELECT cordon.encrypt(cordon.issue_token('api', 'user 42', ttl => NULL), '7') AS token;

-- A conversion that is under way.
CREATE TABLE integration (team_id bigint NOT NULL, id int PRIMARY KEY, secret text);
SELECT cordon.protect('integration');
INSERT INTO integration SELECT 7, i, 'plain ' || i FROM generate_series(1, 5) i;
CALL cordon.encrypt_column('integration', 'secret');
GRANT ALL ON integration TO app;

-- Keys that are not primary any more.
SELECT cordon.rotate_key('encryption');
INSERT INTO own VALUES (7, 2, cordon.encrypt('of the second key', '7'));
SELECT cordon.enable_guard();
