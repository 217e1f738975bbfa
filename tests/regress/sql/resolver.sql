-- The tenant by a key that an application has before it knows the tenant: cordon.resolver.
CREATE TABLE badge (team_id bigint NOT NULL, id int, code uuid NOT NULL UNIQUE, slug varchar(20) NOT NULL, mail text, hash token_hash,
    PRIMARY KEY (team_id, id));
CREATE UNIQUE INDEX ON badge (slug);
CREATE UNIQUE INDEX ON badge (hash);
CREATE UNIQUE INDEX ON badge (mail) WHERE mail <> '';
INSERT INTO badge VALUES
    (7, 1, '00000000-0000-0000-0000-000000000007', 'seven', 'a', cordon.hash_token('tok_7')),
    (8, 2, '00000000-0000-0000-0000-000000000008', 'eight', 'b', cordon.hash_token('tok_8'));
ALTER TABLE badge OWNER TO app;
SELECT cordon.resolver('badge', 'code');
SELECT count(*) FROM cordon.protect('badge');
\connect - app
SELECT cordon.resolver('badge', 'code');
SELECT cordon.resolver('badge', 'slug', 'team_of_slug');
SELECT cordon.resolver('badge', 'slug', 'team_of_slug');
\connect - postgres
ALTER TABLE badge ALTER hash SET NOT NULL;
SELECT cordon.resolver('badge', 'hash');
SELECT proname, pg_get_userbyid(proowner) AS owner, prosecdef, proacl FROM pg_proc WHERE proname ~ 'tenant_by|team_of' ORDER BY 1;
SELECT * FROM cordon.resolvable_key ORDER BY 2;
CREATE ROLE web_of_resolver LOGIN;
\connect - web_of_resolver
SELECT badge_tenant_by_code('00000000-0000-0000-0000-000000000007');
SELECT cordon_internal.resolve('badge', 'code', '00000000-0000-0000-0000-000000000007'::uuid);
\connect - postgres
GRANT EXECUTE ON FUNCTION badge_tenant_by_code(uuid), team_of_slug(varchar), badge_tenant_by_hash(token_hash) TO web_of_resolver;
\connect - web_of_resolver
-- No tenant is set, and no right on the table: the tenant or NULL, and nothing else.
SELECT badge_tenant_by_code('00000000-0000-0000-0000-000000000007') AS seven, team_of_slug('eight') AS eight,
    team_of_slug('nine') IS NULL AS unknown, badge_tenant_by_code(NULL) IS NULL AS of_null,
    badge_tenant_by_hash(cordon.hash_token('tok_8')) AS by_token;
SELECT * FROM badge;
SELECT code FROM generate_series(7, 9) n, LATERAL (SELECT badge_tenant_by_code(('00000000-0000-0000-0000-00000000000' || n)::uuid)) c (code);
-- Also within the transaction of a tenant that is frozen, without changing it.
\connect - postgres
ALTER ROLE web_of_resolver SET cordon.freeze_tenant = on;
\connect - web_of_resolver
BEGIN;
SELECT team_of_slug('eight');
SELECT cordon.set_tenant('7');
SELECT team_of_slug('eight'), cordon.current_tenant();
ROLLBACK;

-- What is not registered, or is no key any more, is not looked up; not even for the owner.
\connect - app
SELECT cordon_internal.resolve('badge', 'mail', 'a'::text);
SELECT cordon_internal.resolve('badge', 'code', 'seven'::text);
SELECT cordon_internal.resolve('badge', 'nothing', 'seven'::text);
ALTER TABLE badge DROP CONSTRAINT badge_code_key;
SELECT badge_tenant_by_code('00000000-0000-0000-0000-000000000007');
ALTER TABLE badge ADD UNIQUE (code) DEFERRABLE;
SELECT badge_tenant_by_code('00000000-0000-0000-0000-000000000007');
ALTER TABLE badge RENAME slug TO name;
SELECT team_of_slug('eight');
ALTER TABLE badge RENAME name TO slug;
ALTER TABLE badge RENAME TO plate;
SELECT team_of_slug('eight');
DELETE FROM cordon.resolvable_key WHERE key_column = 'slug';
SELECT team_of_slug('eight');
ALTER TABLE plate RENAME TO badge;

-- What cannot be a key, and who may not make one.
SELECT cordon.resolver('badge', 'mail');
SELECT cordon.resolver('badge', 'nothing');
SELECT cordon.resolver('badge', NULL);
SELECT cordon.resolver(NULL, 'code');
CREATE TABLE parted (team_id bigint NOT NULL, code int NOT NULL UNIQUE) PARTITION BY HASH (code);
SELECT count(*) FROM cordon.protect('parted');
SELECT cordon.resolver('parted', 'code');
-- Nor by a claim.
INSERT INTO cordon.resolvable_key VALUES ('parted', 'code');
SELECT cordon_internal.resolve('parted', 'code', 1);
DELETE FROM cordon.resolvable_key WHERE relation = 'parted'::regclass;
CREATE TABLE sealed (team_id bigint NOT NULL, mail encrypted_text_eq NOT NULL UNIQUE);
SELECT count(*) FROM cordon.protect('sealed');
SELECT cordon.resolver('sealed', 'mail');
\connect - web_of_resolver
SELECT cordon.resolver('badge', 'slug', 'mine');
INSERT INTO cordon.resolvable_key VALUES ('badge', 'slug');
\connect - app
INSERT INTO cordon.resolvable_key VALUES ('badge', 'nothing');
\connect - postgres
DROP TABLE badge CASCADE;
DROP ROLE web_of_resolver;
