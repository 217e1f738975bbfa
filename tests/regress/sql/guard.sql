-- The guard: after any DDL, protected tables still are protected, and new ones with the tenant column become so.
\set SHOW_CONTEXT never
\connect - app
SELECT cordon.enable_guard();
\connect - postgres
SELECT cordon.enable_guard();
SELECT cordon.enable_guard();
ALTER EVENT TRIGGER cordon_guard_ddl DISABLE;
SELECT cordon.enable_guard();
SELECT count(*) FROM pg_depend WHERE classid = 'pg_event_trigger'::regclass AND deptype = 'e';

-- What protect and unprotect do on their way is no hole.
\connect - app
CREATE TABLE account (id int PRIMARY KEY, team_id bigint NOT NULL, name text);
CREATE INDEX ON account (team_id);
SELECT count(*) FROM cordon.protect('account');
SELECT count(*) FROM cordon.unprotect('account');
SELECT count(*) FROM cordon.protect('account');

-- Each of these takes a part of the protection away; a warning says so, and protect mends it.
ALTER TABLE account DISABLE ROW LEVEL SECURITY;
SELECT cordon.protect('account');
DO $$ BEGIN EXECUTE 'ALTER TABLE account NO FORCE ROW LEVEL SECURITY'; END $$;
SELECT cordon.protect('account');
DROP POLICY cordon_floor ON account;
SELECT count(*) FROM cordon.protect('account');
ALTER POLICY cordon_floor ON account USING (true);
SELECT count(*) FROM cordon.protect('account');
ALTER POLICY cordon_tenant ON account RENAME TO mine;
DROP POLICY mine ON account;
SELECT count(*) FROM cordon.protect('account');
ALTER TABLE account ALTER team_id DROP NOT NULL;
ALTER TABLE account ALTER team_id SET NOT NULL;
-- These do not.
CREATE POLICY wide ON account USING (true);
ALTER TABLE account ADD COLUMN note text, ALTER team_id DROP DEFAULT;
ALTER TABLE account RENAME TO customer;
ALTER TABLE customer RENAME TO account;
SELECT cordon.protect('account');

-- Renamed, by whatever statement, the tenant column stays it; dropped, it leaves a hole.
ALTER TABLE account RENAME COLUMN team_id TO org_id;
SELECT * FROM cordon.protected_table;
ALTER VIEW account RENAME COLUMN org_id TO team_id;
SELECT * FROM cordon.protected_table;
CREATE TABLE short (team_id bigint PRIMARY KEY);
ALTER TABLE short DROP COLUMN team_id CASCADE;
DROP TABLE short;
CREATE DOMAIN tenant AS bigint;
CREATE TABLE short (team_id tenant PRIMARY KEY);
DROP DOMAIN tenant CASCADE;
DROP TABLE short;

-- A new table with the tenant column is protected, when it can be.
CREATE TABLE invoice (team_id bigint PRIMARY KEY);
SELECT cordon.protect('invoice');
CREATE TABLE invoice_copy (LIKE invoice INCLUDING ALL);
CREATE SCHEMA billing CREATE TABLE payment (team_id bigint PRIMARY KEY);
CREATE TABLE nullable (team_id bigint);
CREATE TABLE numbers (team_id numeric NOT NULL);
CREATE TABLE copied AS SELECT 7 AS team_id;
SELECT 7 AS team_id INTO copied_too;
CREATE TABLE IF NOT EXISTS copied (team_id bigint NOT NULL);
CREATE TABLE shared (id bigint PRIMARY KEY);
ALTER TABLE shared ADD COLUMN team_id bigint;
SELECT relation FROM cordon.protected_table ORDER BY relation::text;
-- Temporary tables are their session's own, also below a protected one.
CREATE TEMP TABLE mine (team_id bigint);
CREATE TEMP TABLE mine_too () INHERITS (invoice);
DROP TABLE mine_too;

-- Partitions and children, at every level.
CREATE TABLE event (team_id bigint NOT NULL, at date) PARTITION BY HASH (team_id);
CREATE TABLE event_0 PARTITION OF event FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY RANGE (at);
CREATE TABLE event_0_old PARTITION OF event_0 DEFAULT;
CREATE TABLE event_1 (at date, team_id bigint);
ALTER TABLE event_1 ALTER team_id SET NOT NULL;
ALTER TABLE event ATTACH PARTITION event_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE child (extra text) INHERITS (account);
SELECT count(*) FROM cordon.protect('event');
SELECT count(*) FROM cordon.protect('account');
ALTER TABLE event_0_old NO FORCE ROW LEVEL SECURITY;
ALTER TABLE event ADD COLUMN extra text;
SELECT cordon.protect('event');
ALTER TABLE event DETACH PARTITION event_1;
SELECT count(*) FROM cordon.protected_table WHERE relation = 'event_1'::regclass;

-- The table of tenants has another name for the column, which says nothing about other tables.
CREATE TABLE team (id bigint PRIMARY KEY);
SELECT count(*) FROM cordon.protect('team', 'id');
CREATE TABLE country (id bigint PRIMARY KEY);
-- Nor does a table of a role that has no say over the new one.
\connect - postgres
CREATE ROLE guard_stranger;
CREATE SCHEMA elsewhere AUTHORIZATION guard_stranger;
SET ROLE guard_stranger;
CREATE TABLE elsewhere.trap (name text NOT NULL);
SELECT count(*) FROM cordon.protect('elsewhere.trap', 'name');
CREATE TABLE elsewhere.own (name text NOT NULL);
\connect - app
CREATE TABLE person (name text NOT NULL);

-- Dropped tables leave the registry, whoever drops them.
\connect - postgres
CREATE SCHEMA theirs AUTHORIZATION guard_stranger;
CREATE TABLE theirs.leftover (team_id bigint PRIMARY KEY);
SELECT relation FROM cordon.protected_table JOIN pg_class c ON c.oid = relation
    WHERE relowner <> 'app'::regrole ORDER BY relation::text;
SET ROLE guard_stranger;
DROP SCHEMA theirs CASCADE;
RESET ROLE;
DROP OWNED BY guard_stranger;
DROP ROLE guard_stranger;
\connect - app
DROP SCHEMA billing CASCADE;
DROP TABLE event, event_1, invoice_copy;
SELECT relation FROM cordon.protected_table ORDER BY relation::text;

-- Refused.
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.guard = error;
\connect - app
SET cordon.guard = off;
ALTER TABLE account DISABLE ROW LEVEL SECURITY;
DROP POLICY cordon_floor ON account;
ALTER POLICY cordon_floor ON account TO CURRENT_USER;
ALTER TABLE account ALTER team_id DROP NOT NULL;
ALTER TABLE account DROP COLUMN team_id CASCADE;
CREATE TABLE refused (team_id bigint);
CREATE TABLE refused AS SELECT 7 AS team_id;
CREATE FUNCTION make() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE refused (team_id numeric NOT NULL); END $$;
SELECT make();
SELECT to_regclass('refused');
SELECT cordon.protect('account');
-- At once, not at the end of the transaction: there is no looking in between.
BEGIN;
ALTER TABLE account DISABLE ROW LEVEL SECURITY;
SELECT * FROM account;
ROLLBACK;
-- Not refused: tables that were open before, sound ones, and what says that protection ends.
ALTER TABLE nullable ADD COLUMN extra text;
CREATE TABLE sound (team_id bigint PRIMARY KEY);
SELECT count(*) FROM cordon.protect('sound');
SELECT count(*) FROM cordon.unprotect('account');
ALTER TABLE account ALTER team_id DROP NOT NULL;
-- As pg_restore does it: the table, then its rows, then its policies.
SET row_security = off;
CREATE TABLE restored (team_id bigint NOT NULL);
ALTER TABLE restored ADD PRIMARY KEY (team_id);
RESET row_security;
SELECT count(*) FROM cordon.protect('restored');

-- An owner whom row security does not bind.
\connect - postgres
ALTER TABLE sound OWNER TO postgres;

-- Off, and gone.
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.guard = off;
\connect - app
ALTER TABLE invoice DISABLE ROW LEVEL SECURITY;
CREATE TABLE unseen (team_id bigint PRIMARY KEY);
DROP TABLE invoice;
SELECT relation FROM cordon.protected_table ORDER BY relation::text;
SELECT cordon.disable_guard();
\connect - postgres
SELECT cordon.disable_guard();
SELECT cordon.disable_guard();
