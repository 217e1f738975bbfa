-- A constant of a sealed type never outlives its statement: not in plans, and not in definitions.
CREATE EXTENSION citext;
\connect - app
CREATE TABLE t (id serial, team_id text DEFAULT current_setting('app.team_id'), token encrypted_text, mail encrypted_text_eq,
                note shared_encrypted_text_eq);

SET app.team_id = '7';
-- Plans: the planner puts the body of an SQL function in the place of a call, and parses it there.
CREATE FUNCTION na() RETURNS encrypted_text LANGUAGE sql AS $$ SELECT 'n/a'::encrypted_text $$;
CREATE FUNCTION na_of(int) RETURNS encrypted_text LANGUAGE sql AS $$ SELECT na() WHERE $1 > 0 $$;
CREATE FUNCTION is_na(encrypted_text_eq) RETURNS boolean LANGUAGE sql AS $$ SELECT $1 = 'n/a' $$;
CREATE OPERATOR !!! (RIGHTARG = encrypted_text_eq, FUNCTION = is_na);
CREATE FUNCTION na_list() RETURNS SETOF encrypted_text LANGUAGE sql STABLE AS $$ SELECT 'listed'::encrypted_text $$;
SET plan_cache_mode = force_generic_plan;
SET app.team_id = '7';
PREPARE add AS INSERT INTO t (token, mail) VALUES (na(), 'n/a'), (na_of(1), 'other');
PREPARE list AS INSERT INTO t (token) SELECT * FROM na_list();
PREPARE find AS SELECT count(*) FROM t WHERE team_id = current_setting('app.team_id') AND is_na(mail) AND !!! mail;
EXECUTE add; EXECUTE list; EXECUTE find;
SET app.team_id = '8';
EXECUTE add; EXECUTE list; EXECUTE find;
SELECT token FROM t WHERE team_id = '8' ORDER BY id;
SET app.team_id = '7';
SELECT token FROM t WHERE team_id = '7' ORDER BY id;
-- A function that has no such literal is put in as ever.
CREATE FUNCTION plus_one(int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT $1 + 1 $$;
EXPLAIN (COSTS OFF, VERBOSE) SELECT plus_one(id) FROM t;
-- One that is changed is looked at again.
CREATE OR REPLACE FUNCTION na() RETURNS encrypted_text LANGUAGE sql AS $$ SELECT 'changed'::text::encrypted_text $$;
INSERT INTO t (token) VALUES (na()) RETURNING token;
DELETE FROM t;

-- A quoted default becomes a cast at run time by itself, with no tenant set, as Django and Rails define columns.
RESET app.team_id;
CREATE TABLE defaults (id serial, team_id text DEFAULT current_setting('app.team_id'), token encrypted_text DEFAULT '' NOT NULL,
    note shared_encrypted_text_eq DEFAULT 'shared', list encrypted_text[] DEFAULT '{a,b}',
    cased encrypted_text DEFAULT 'cast'::encrypted_text, nested encrypted_text DEFAULT coalesce(NULL, 'nested'::encrypted_text));
ALTER TABLE defaults ADD COLUMN added encrypted_text DEFAULT 'added' NOT NULL;
ALTER TABLE defaults ALTER COLUMN token SET DEFAULT 'altered';
CREATE DOMAIN with_default AS encrypted_text DEFAULT 'of the domain';
ALTER TABLE defaults ADD COLUMN of_domain with_default;
CREATE TABLE of_domain (team_id text DEFAULT current_setting('app.team_id'), token with_default);
ALTER DOMAIN with_default SET DEFAULT 'of the domain, altered';
SELECT attname, pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
    WHERE adrelid = 'defaults'::regclass ORDER BY attnum;
SELECT count(*) > 0 FROM information_schema.columns WHERE column_default LIKE '%altered%';
SET app.team_id = '7'; INSERT INTO defaults DEFAULT VALUES;
SET app.team_id = '8'; INSERT INTO defaults DEFAULT VALUES;
SELECT token, note, list, cased, nested, added FROM defaults WHERE team_id = '8';
SET app.team_id = '7';
SELECT token, note, list, cased, nested, added FROM defaults WHERE team_id = '7';
INSERT INTO of_domain DEFAULT VALUES; SET app.team_id = '8'; INSERT INTO of_domain DEFAULT VALUES;
SELECT token FROM of_domain WHERE team_id = '8';
SET app.team_id = '7';
-- Where there are rows, a default would be one tenant's value for all of them.
ALTER TABLE defaults ADD COLUMN late encrypted_text DEFAULT 'x';
ALTER TABLE defaults ADD COLUMN late encrypted_text DEFAULT 'x' NOT NULL;
ALTER TABLE defaults ADD COLUMN late encrypted_text DEFAULT ('x'::text::encrypted_text);
ALTER TABLE defaults ADD COLUMN late with_default;
ALTER TABLE defaults ADD COLUMN late encrypted_text DEFAULT NULL, ADD COLUMN plain text DEFAULT 'x';
ALTER TABLE defaults ADD COLUMN IF NOT EXISTS late encrypted_text DEFAULT 'y';
SELECT late, plain FROM defaults WHERE team_id = '7';
-- Partitions and children, whose columns are named without a type.
CREATE TABLE parted (team_id int, token encrypted_text) PARTITION BY LIST (team_id);
CREATE TABLE parted_7 PARTITION OF parted (token DEFAULT 'of the partition') FOR VALUES IN (7);
CREATE TYPE row_type AS (team_id int, token encrypted_text);
CREATE TABLE typed OF row_type (token WITH OPTIONS DEFAULT 'typed');
INSERT INTO parted_7 (team_id) VALUES (7); INSERT INTO typed (team_id) VALUES (7);
SELECT token FROM parted UNION ALL SELECT token FROM typed;

-- Definitions that would keep one are refused.
CREATE FUNCTION default_argument(encrypted_text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION atomic() RETURNS encrypted_text LANGUAGE sql RETURN 'x'::encrypted_text;
CREATE FUNCTION atomic() RETURNS encrypted_text LANGUAGE sql BEGIN ATOMIC SELECT 'x'::encrypted_text; END;
ALTER TABLE t ADD CHECK (mail <> 'forbidden');
ALTER TABLE t ADD CHECK (note <> 'forbidden');
ALTER TABLE t ADD CHECK (mail <> 'forbidden'::text::encrypted_text_eq);
ALTER TABLE t ADD CHECK (length(token::text) > 3);
ALTER TABLE t ADD CHECK (mail = ANY ('{a,b}'));
CREATE DOMAIN checked AS encrypted_text_eq CHECK (VALUE <> 'x');
CREATE DOMAIN checked AS encrypted_text CHECK (VALUE::text <> '');
CREATE TABLE refused (mail encrypted_text_eq CHECK (mail <> ''));
CREATE TABLE refused (a encrypted_text_eq, b boolean GENERATED ALWAYS AS (a = 'x'::encrypted_text_eq) STORED);
CREATE TABLE refused (a encrypted_text GENERATED ALWAYS AS ('x'::encrypted_text) STORED);
CREATE POLICY p ON t USING (mail <> 'x');
CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO defaults (token) VALUES ('from a rule');
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.mail <> 'x') EXECUTE FUNCTION fires();
CREATE INDEX ON t (id) WHERE mail = 'x';
CREATE INDEX ON t (id) WHERE note = 'x';
CREATE INDEX ON t ((mail = 'x'));
CREATE TABLE refused (mail encrypted_text_eq) PARTITION BY LIST (mail);
CREATE TABLE refused (mail encrypted_text_eq) PARTITION BY RANGE (mail);
CREATE STATISTICS s ON (token::text) FROM t;
CREATE STATISTICS s ON (length(note::text)), id FROM t;
SELECT count(*) FROM cordon_internal.sealed_constants();
-- With the cast that the hint names, what may stand there.
CREATE FUNCTION atomic() RETURNS encrypted_text LANGUAGE sql RETURN 'x'::text::encrypted_text;
CREATE POLICY p ON t USING (mail <> 'x'::text);
CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO defaults (token) VALUES ('from a rule'::text);
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.mail <> 'x'::text) EXECUTE FUNCTION fires();
CREATE FUNCTION default_argument(encrypted_text DEFAULT 'x'::text::encrypted_text) RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER TABLE t ADD CHECK (token IS NOT NULL OR mail IS NOT NULL), ADD CHECK (cordon.key_id(token) > 0);
CREATE TABLE refused (mail encrypted_text_eq) PARTITION BY HASH ((coalesce(mail, 'none'::encrypted_text_eq)));
CREATE TABLE refused (mail shared_encrypted_text_eq) PARTITION BY LIST ((CASE WHEN mail = 'vip'::shared_encrypted_text_eq THEN 1 ELSE 0 END));
CREATE TABLE hashed (mail encrypted_text_eq) PARTITION BY HASH (mail);
CREATE INDEX ON t (mail) WHERE mail IS NOT NULL;
SET app.team_id = '8'; INSERT INTO t (mail) VALUES ('y');
SET app.team_id = '7'; INSERT INTO t (mail) VALUES ('y');
SELECT token FROM defaults WHERE id > 2 AND team_id = '7';
-- Constants of shared types, in what each use runs, stay: the audit warns, and the key they are under stays.
CREATE POLICY shared ON t USING (note <> 'x');
SELECT place, object, is_shared, key_id IS NOT NULL, search_key_id IS NOT NULL FROM cordon_internal.sealed_constants();
DROP POLICY shared ON t;

-- Materialized views are refreshed by a copy of their query.
CREATE MATERIALIZED VIEW m AS SELECT 'in a view'::encrypted_text AS token, s FROM generate_series(1, 2) s WHERE 's'::encrypted_text_eq = 's';
SELECT token FROM m;
SET app.team_id = '8';
REFRESH MATERIALIZED VIEW m;
SELECT token FROM m;

-- A body that is put into an expression which is kept for the session.
CREATE FUNCTION lies(encrypted_text_eq) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1 <> 'forbidden'::encrypted_text_eq $$;
CREATE DOMAIN lying AS encrypted_text_eq CHECK (lies(VALUE));
SELECT 'allowed'::text::lying;

-- What was defined before is renamed, and goes with new partitions; what is added is looked at.
\connect - postgres
SET row_security = off;
CREATE TABLE old (team_id int, token encrypted_text, note shared_encrypted_text) PARTITION BY LIST (team_id);
DO $$ BEGIN
    EXECUTE format('ALTER TABLE old ALTER note SET DEFAULT %L, ADD CONSTRAINT c CHECK (note::text <> %L)', cordon.encrypt('x')::text, 'x');
END $$;
RESET row_security;
SET app.team_id = '7';
ALTER TABLE old RENAME TO older;
ALTER TABLE older RENAME CONSTRAINT c TO d;
ALTER TABLE older RENAME COLUMN note TO remark;
CREATE TABLE older_7 PARTITION OF older FOR VALUES IN (7);
SELECT place, object FROM cordon_internal.sealed_constants() ORDER BY 2;
SELECT severity, code, object, fix_sql FROM cordon.audit() WHERE code IN ('constant_default', 'sealed_constant') ORDER BY 3;
ALTER TABLE older ALTER token SET DEFAULT 'x';
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'older'::regclass AND adnum = 2;

-- Parsing a body runs queries of its own, whose functions are not to be taken for the one that is put in.
\connect - app
SET app.team_id = '7';
CREATE FUNCTION inner_one(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT $1 + 1';
CREATE FUNCTION runs_a_query(text) RETURNS boolean LANGUAGE plpgsql STABLE AS
    $$ DECLARE r int; BEGIN EXECUTE 'SELECT inner_one(1) FROM pg_database LIMIT 1' INTO r; RETURN true; END $$;
CREATE DOMAIN checked AS text CHECK (runs_a_query(VALUE));
CREATE TYPE composite AS (a checked);
CREATE FUNCTION hidden() RETURNS encrypted_text LANGUAGE sql STABLE AS
    $$ SELECT CASE WHEN '(x)'::composite IS NOT NULL THEN 'secret'::encrypted_text END $$;
CREATE TABLE o (team_id text, v encrypted_text);
PREPARE hide AS INSERT INTO o SELECT current_setting('app.team_id'), hidden();
SET plan_cache_mode = force_generic_plan;
EXECUTE hide;
SET app.team_id = '8';
EXECUTE hide;
SELECT v FROM o WHERE team_id = '8';
SET app.team_id = '7';
SELECT v FROM o WHERE team_id = '7';
-- A planning error that was caught leaves nothing behind, nor does a definition that failed within another.
CREATE FUNCTION is_abc(encrypted_text_eq) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT $1 = 'abc'::encrypted_text_eq $$;
CREATE DOMAIN only_abc AS encrypted_text_eq CHECK (is_abc(VALUE));
BEGIN;
DO $$ BEGIN PERFORM hidden(), 1/0 FROM pg_database WHERE 1/0 = 1; EXCEPTION WHEN division_by_zero THEN NULL; END $$;
SELECT 'abc'::text::encrypted_text_eq::only_abc;
ROLLBACK;
CREATE FUNCTION fails_to_define(text) RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN BEGIN EXECUTE 'CREATE TABLE o (x int)'; EXCEPTION WHEN OTHERS THEN NULL; END; RETURN true; END $$;
CREATE DOMAIN defining AS text CHECK (fails_to_define(VALUE));
CREATE TYPE defines AS (a defining);
CREATE TABLE ib (id int, team_id text, e encrypted_text_eq);
CREATE POLICY p1 ON ib USING (e = 'secret'::encrypted_text_eq AND '(x)'::defines IS NOT NULL);
CREATE INDEX ON ib (id) WHERE e = 'secret'::encrypted_text_eq AND '(x)'::defines IS NOT NULL;
-- A domain with a default and a check makes PostgreSQL write the table anew, with the value of one tenant.
CREATE TABLE multi (id int, team_id bigint NOT NULL);
INSERT INTO multi VALUES (1, 7), (2, 8);
CREATE DOMAIN dd AS encrypted_text DEFAULT 'x'::text::encrypted_text CHECK (VALUE IS NOT NULL);
ALTER TABLE multi ADD COLUMN c dd;
