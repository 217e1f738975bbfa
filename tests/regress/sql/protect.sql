-- cordon.protect: one call puts a table under row security, a second changes nothing.
CREATE SCHEMA crm AUTHORIZATION app;
\connect - app
CREATE TABLE account (id serial PRIMARY KEY, team_id bigint NOT NULL, name text);
CREATE INDEX ON account (team_id);
SELECT cordon.protect('account', dry_run => true);
SELECT relrowsecurity FROM pg_class WHERE oid = 'account'::regclass;
SELECT cordon.protect('account');
SELECT cordon.protect('account');
SELECT * FROM cordon.protected_table;
SET app.team_id = '7';
INSERT INTO account (name) VALUES ('of seven');
SET app.team_id = '8';
INSERT INTO account (name) VALUES ('of eight');
SELECT * FROM account;
RESET app.team_id;
SELECT * FROM account;

-- Damage is mended: each of these leaves the table closed, and protect puts it right.
DROP POLICY cordon_tenant ON account;
SELECT cordon.protect('account');
ALTER POLICY cordon_floor ON account TO app;
SELECT cordon.protect('account');
ALTER POLICY cordon_floor ON account USING (true);
SELECT cordon.protect('account');
ALTER TABLE account NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY, ALTER team_id DROP DEFAULT;
SELECT cordon.protect('account');
SELECT cordon.protect('account', set_default => false);

-- Every type that can hold a tenant, domains over them, odd names.
CREATE DOMAIN tenant AS varchar(40) CHECK (VALUE <> '');
CREATE DOMAIN inner_tenant AS bigint;
CREATE DOMAIN outer_tenant AS inner_tenant;
CREATE TABLE "Odd ""Name" ("Team Id" uuid NOT NULL);
CREATE TABLE t_int2 (team_id smallint PRIMARY KEY);
CREATE TABLE t_int4 (team_id integer PRIMARY KEY);
CREATE TABLE t_text (team_id text PRIMARY KEY);
CREATE TABLE t_varchar (team_id varchar(20) PRIMARY KEY);
CREATE TABLE t_domain (team_id tenant PRIMARY KEY);
CREATE TABLE t_domains (team_id outer_tenant PRIMARY KEY);
SELECT cordon.protect('"Odd ""Name"', 'Team Id');
SELECT count(*) FROM unnest('{t_int2,t_int4,t_text,t_varchar,t_domain,t_domains}'::regclass[]) t, cordon.protect(t);
SELECT t, cordon.protect(t) FROM unnest('{t_int2,t_int4,t_text,t_varchar,t_domain,t_domains}'::regclass[]) t;
SELECT polrelid::regclass, pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polname = 'cordon_floor' ORDER BY polrelid::regclass::text COLLATE "C";
SET app.team_id = '42';
INSERT INTO t_int2 DEFAULT VALUES; INSERT INTO t_int4 DEFAULT VALUES; INSERT INTO t_text DEFAULT VALUES;
INSERT INTO t_varchar DEFAULT VALUES; INSERT INTO t_domain DEFAULT VALUES; INSERT INTO t_domains DEFAULT VALUES;
SELECT * FROM t_int2, t_int4, t_text, t_varchar, t_domain, t_domains;
RESET app.team_id;

-- Partitions and inheritance children, at every level, each also when it is read directly.
CREATE TABLE event (team_id bigint NOT NULL, at date NOT NULL) PARTITION BY HASH (team_id);
CREATE TABLE event_0 PARTITION OF event FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY RANGE (at);
CREATE TABLE event_0_old PARTITION OF event_0 FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
SELECT cordon.protect('event');
CREATE TABLE event_1 PARTITION OF event FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT cordon.protect('event');
CREATE TABLE parent (team_id int NOT NULL);
CREATE TABLE child (extra int) INHERITS (parent);
SELECT cordon.protect('parent');

-- Policies of its own stay; the floor limits them.
CREATE TABLE own (team_id bigint NOT NULL, public boolean);
CREATE POLICY published ON own FOR SELECT USING (public);
SELECT cordon.protect('own');
SELECT cordon.unprotect('own');
SELECT relrowsecurity, (SELECT count(*) FROM pg_policy WHERE polrelid = 'own'::regclass) FROM pg_class WHERE oid = 'own'::regclass;

-- Refused, with the SQL that would help.
CREATE TABLE missing (id int);
CREATE TABLE nullable (team_id bigint);
CREATE TABLE numbers (team_id numeric NOT NULL);
CREATE TABLE fixed (team_id char(4) NOT NULL);
CREATE TYPE colour AS ENUM ('red');
CREATE TABLE enums (team_id colour NOT NULL);
CREATE VIEW a_view AS SELECT * FROM account;
CREATE MATERIALIZED VIEW a_copy AS SELECT 1 AS team_id;
CREATE TEMP TABLE temporary (team_id bigint NOT NULL);
SELECT cordon.protect('missing');
SELECT cordon.protect('nullable');
SELECT cordon.protect('numbers');
SELECT cordon.protect('fixed');
SELECT cordon.protect('enums');
SELECT cordon.protect('a_view');
SELECT cordon.protect('a_copy');
SELECT cordon.protect('temporary');
SELECT cordon.protect('pg_catalog.pg_class', 'relname');
SELECT cordon.protect(NULL);
SELECT cordon.protect('account', NULL);
SELECT cordon.protect('account_id_seq');

-- Only the owner protects, unprotects and registers.
\connect - analyst
SELECT cordon.protect('t_int4', 'team_id', set_default => false);
SELECT cordon.unprotect('account');
DELETE FROM cordon.protected_table;
INSERT INTO cordon.protected_table VALUES ('nullable', 'team_id');
INSERT INTO cordon.protected_table VALUES (4000000000, 'team_id');
UPDATE cordon.protected_table SET tenant_column = 'x';
\connect - app
SELECT cordon.unprotect('account');
SELECT cordon.unprotect('account');
SELECT cordon.unprotect('event');

-- A whole schema: all tables or none.
CREATE TABLE crm.a (team_id bigint PRIMARY KEY);
CREATE TABLE crm.b (team_id bigint PRIMARY KEY);
CREATE TABLE crm.shared (id int);
CREATE TABLE crm.c (team_id bigint);
SELECT cordon.protect_schema('crm');
SELECT count(*) FROM cordon.protected_table WHERE relation = 'crm.a'::regclass;
ALTER TABLE crm.c ALTER team_id SET NOT NULL;
SELECT count(*) FROM cordon.protect_schema('crm', dry_run => true);
SELECT cordon.protect_schema('crm');
SELECT cordon.protect_schema('crm');
SELECT cordon.protect_schema('nowhere');
-- A dropped table leaves the registry readable.
DROP TABLE crm.c;
SELECT count(*) FROM cordon.protected_table p WHERE EXISTS (SELECT FROM pg_class WHERE oid = p.relation);
