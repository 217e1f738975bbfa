-- Run once by a superuser, in template1: every database that is made on this server from then on has it, those of the
-- tests too. On a server with other databases, run it in the application's database instead.
CREATE EXTENSION pg_cordon;
SELECT cordon.create_keyring();

-- Two roles: one that owns the tables and runs migrations, and one that the application connects as, which owns nothing.
CREATE ROLE shop_owner LOGIN CREATEDB;      -- CREATEDB for the databases of tests; not needed in production
CREATE ROLE shop_app LOGIN;
GRANT CREATE ON SCHEMA public TO shop_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO shop_app;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner GRANT USAGE ON SEQUENCES TO shop_app;

-- The tenant that one transaction sets does not count in the next, as behind a pooler.
ALTER ROLE shop_app SET cordon.tenant_scope = 'transaction';
-- And a transaction keeps the one that it has set, whatever SQL is slipped in.
ALTER ROLE shop_app SET cordon.freeze_tenant = on;
-- API keys are in the extension's token store, as hashes.
GRANT EXECUTE ON FUNCTION cordon.issue_token, cordon.check_token TO shop_app;
-- For the migration that seals columns: it reads and writes the rows of every tenant in shop_owner's own tables.
GRANT EXECUTE ON FUNCTION cordon.convert_on_write() TO shop_owner;
-- Migrations that would leave a protected table open give a warning.
SELECT cordon.enable_guard();
