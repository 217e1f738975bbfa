-- Tables that belong to tenants through another table: cordon.add_tenant_column.
CREATE ROLE owner_of_pings; CREATE ROLE writer_of_pings;
GRANT CREATE ON SCHEMA public TO owner_of_pings;
SET ROLE owner_of_pings;
SET client_min_messages = warning;
CREATE TABLE site (team_id bigint NOT NULL, id int PRIMARY KEY, name text);
CREATE TABLE ping (id int PRIMARY KEY, site_id int REFERENCES site ON DELETE SET NULL, body text);
CREATE TABLE note (ping_id int NOT NULL REFERENCES ping ON DELETE CASCADE, body text);
INSERT INTO site VALUES (7, 1, 'a'), (7, 2, 'b'), (8, 3, 'c');
INSERT INTO ping VALUES (10, 1, 'x'), (20, 2, 'y'), (30, 3, 'z'), (40, NULL, 'of nothing');
INSERT INTO note VALUES (10, 'n'), (30, 'm');
GRANT ALL ON site, ping, note TO writer_of_pings;
SELECT count(*) FROM cordon.protect('site');

-- What is refused before anything is done.
CALL cordon.add_tenant_column('note', 'ping_id');
CALL cordon.add_tenant_column('ping', 'body');
CALL cordon.add_tenant_column('ping', 'site_id', 'id');
CALL cordon.add_tenant_column('ping', NULL);
CALL cordon.add_tenant_column('ping', 'site_id', batch_size => 0);
CREATE VIEW pings AS SELECT * FROM ping;
CALL cordon.add_tenant_column('pings', 'site_id');
DROP VIEW pings;
CREATE TABLE team (id bigint PRIMARY KEY);
SELECT count(*) FROM cordon.protect('team', 'id');
CREATE TABLE member (team bigint REFERENCES team, name text);
CALL cordon.add_tenant_column('member', 'team');
SET ROLE writer_of_pings;
CALL cordon.add_tenant_column('ping', 'site_id');
SET ROLE owner_of_pings;

-- What would be done.
SET client_min_messages = notice;
CALL cordon.add_tenant_column('ping', 'site_id', dry_run => true);
SELECT count(*) FROM pg_attribute WHERE attrelid = 'ping'::regclass AND attname = 'team_id';
SET client_min_messages = warning;

-- The rows that are there, and those that are written meanwhile by writers that set no tenant.
CALL cordon.add_tenant_column('ping', 'ping_site_id_fkey');
SELECT * FROM ping ORDER BY id;
SELECT relation, row_key, problem FROM cordon.tenant_problems('ping', 'team_id');
SET ROLE writer_of_pings;
INSERT INTO ping VALUES (50, 3, 'new') RETURNING *;
INSERT INTO ping VALUES (60, 3, 'of its own', 8) RETURNING *;
INSERT INTO ping VALUES (70, NULL, 'of nothing');
INSERT INTO ping VALUES (80, 3, 'of another', 7);
UPDATE ping SET team_id = 7 WHERE id = 50;
-- A row that moves goes to the tenant of where it goes to, or to none.
UPDATE ping SET site_id = 1 WHERE id = 50 RETURNING *;
UPDATE ping SET site_id = NULL WHERE id = 50 RETURNING *;
UPDATE ping SET site_id = 3 WHERE id = 50 RETURNING *;
UPDATE ping SET site_id = 1, team_id = 7 WHERE id = 50 RETURNING *;
UPDATE ping SET body = 'other' WHERE id = 50 RETURNING *;
WITH s AS (INSERT INTO site VALUES (9, 4, 'd') RETURNING id) SELECT count(*) FROM s;
SET app.team_id = '9';
INSERT INTO site VALUES (9, 4, 'd');
RESET app.team_id;
INSERT INTO ping VALUES (90, 4, 'of a site that is new') RETURNING *;
SET ROLE owner_of_pings;

-- What holds the finish up: rows without a tenant, indexes that a procedure cannot make.
CALL cordon.add_tenant_column('ping', 'site_id', finish => true);
SELECT relation, row_key, problem FROM cordon.tenant_problems('ping', 'team_id');
DELETE FROM ping WHERE site_id IS NULL;
CALL cordon.add_tenant_column('ping', 'site_id', finish => true);
CREATE UNIQUE INDEX CONCURRENTLY site_team_id_id_key ON site (team_id, id);
ALTER TABLE site ADD CONSTRAINT site_team_id_id_key UNIQUE USING INDEX site_team_id_id_key;
CREATE INDEX CONCURRENTLY ON ping (team_id, site_id);
-- A tenant that is another than the parent's got in past the trigger.
RESET ROLE;
BEGIN;
ALTER TABLE ping DISABLE TRIGGER zzz_cordon_fill_tenant;
UPDATE ping SET team_id = 9 WHERE id = 10;
COMMIT;
SELECT relation, row_key, problem FROM cordon.tenant_problems('ping', 'team_id');
SET ROLE owner_of_pings;
CALL cordon.add_tenant_column('ping', 'site_id', finish => true);
\d ping
SELECT * FROM ping;
SET app.team_id = '8';
SELECT * FROM ping ORDER BY id;
INSERT INTO ping VALUES (100, 3, 'later') RETURNING *;
INSERT INTO ping VALUES (110, 1, 'of a site of another tenant');
DELETE FROM site WHERE id = 3;
SELECT * FROM ping ORDER BY id;
RESET app.team_id;

-- The next table in the row, and one with a column that is there already.
ALTER TABLE note ADD COLUMN team_id bigint;
CALL cordon.add_tenant_column('note', 'ping_id');
SELECT * FROM note ORDER BY 1;
CREATE UNIQUE INDEX CONCURRENTLY ping_team_id_id_key ON ping (team_id, id);
CREATE INDEX CONCURRENTLY ON note (team_id, ping_id);
CALL cordon.add_tenant_column('note', 'ping_id', finish => true);
SET app.team_id = '7';
SELECT * FROM note;
RESET app.team_id;
SELECT from_table, constraint_name, migration FROM cordon.foreign_keys(false);

-- A partitioned parent and a partitioned child, of a uuid; a key of two columns.
CREATE TABLE region (org uuid NOT NULL, country char(2) NOT NULL, code int NOT NULL, PRIMARY KEY (country, code)) PARTITION BY LIST (country);
CREATE TABLE region_de PARTITION OF region FOR VALUES IN ('de');
CREATE TABLE region_fr (code int NOT NULL, org uuid NOT NULL, country char(2) NOT NULL, PRIMARY KEY (country, code));
ALTER TABLE region ATTACH PARTITION region_fr FOR VALUES IN ('fr');
INSERT INTO region VALUES ('00000000-0000-0000-0000-000000000007', 'de', 1), ('00000000-0000-0000-0000-000000000008', 'fr', 1);
SELECT count(*) FROM cordon.protect('region', 'org');
CREATE TABLE shop (id int, c int, n char(2), FOREIGN KEY (c, n) REFERENCES region (code, country)) PARTITION BY RANGE (id);
CREATE TABLE shop_1 PARTITION OF shop FOR VALUES FROM (0) TO (100);
CREATE TABLE shop_2 (n char(2), c int, id int);
SET app.team_id = '00000000-0000-0000-0000-000000000008'; -- PostgreSQL looks whether the key holds
ALTER TABLE shop ATTACH PARTITION shop_2 FOR VALUES FROM (100) TO (200);
RESET app.team_id;
INSERT INTO shop VALUES (1, 1, 'de'), (2, 1, 'fr'), (101, 1, 'fr'), (102, NULL, 'fr');
CALL cordon.add_tenant_column('shop', 'shop_c_n_fkey');
INSERT INTO shop VALUES (103, 1, 'de');
SELECT tableoid::regclass, id, org FROM shop ORDER BY id;
SELECT relation, row_key, problem FROM cordon.tenant_problems('shop', 'org');
UPDATE shop SET c = 1 WHERE id = 102;
ALTER TABLE region ADD CONSTRAINT region_org_code_country_key UNIQUE (org, code, country);
CALL cordon.add_tenant_column('shop', 'shop_c_n_fkey', finish => true);
SET app.team_id = '00000000-0000-0000-0000-000000000008';
SELECT tableoid::regclass, id FROM shop ORDER BY id;
RESET app.team_id;
RESET ROLE;
DROP TABLE note, ping, site, member, team, shop, region;
DROP OWNED BY owner_of_pings, writer_of_pings; DROP ROLE owner_of_pings, writer_of_pings;
