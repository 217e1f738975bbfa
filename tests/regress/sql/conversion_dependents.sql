-- What depends on a column is carried over by the conversion, or named before it goes.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
GRANT EXECUTE ON FUNCTION cordon.convert_on_write() TO app;
CREATE ROLE reader_of_dependents;
GRANT CREATE ON SCHEMA public TO app;
SET ROLE app;
CREATE FUNCTION pg_temp.shape(t regclass) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT pg_get_indexdef(indexrelid) || CASE WHEN indisreplident THEN ' -- replica identity' ELSE '' END FROM pg_index WHERE indrelid = t
    UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = t AND contype IN ('u', 'c')
    UNION ALL SELECT format('%I %s%s%s %s', attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END,
                            ' DEFAULT ' || pg_get_expr(adbin, adrelid), attacl)
              FROM pg_attribute LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum) WHERE attrelid = t AND attnum > 0 AND NOT attisdropped
    ORDER BY 1 $$;

-- Django's CharField(db_index=True, unique=True): two indexes of one column, one of which can have no counterpart.
CREATE TABLE login (id int PRIMARY KEY, team_id bigint NOT NULL, mail varchar(80) NOT NULL, slug varchar(20));
ALTER TABLE login ADD CONSTRAINT login_mail_uniq UNIQUE (team_id, mail);
CREATE INDEX login_mail_like ON login (mail varchar_pattern_ops);
CREATE INDEX login_slug ON login (slug);
CREATE INDEX login_slug_like ON login (slug varchar_pattern_ops);
INSERT INTO login SELECT i, i % 3, 'm' || i, 's' || i FROM generate_series(1, 30) i;
SELECT count(*) > 0 FROM cordon.protect('login');
SET client_min_messages = notice;
CALL cordon.encrypt_column('login', 'mail', 'encrypted_text_eq');
SET client_min_messages = warning;
CALL cordon.finish_conversion('login', 'mail');
CALL cordon.finish_conversion('login', 'mail', drop_dependents => true);
CREATE UNIQUE INDEX CONCURRENTLY mail_key ON login USING btree (team_id, mail_sealed);
CALL cordon.finish_conversion('login', 'mail');
SET client_min_messages = notice;
CALL cordon.finish_conversion('login', 'mail', drop_dependents => true);
SET client_min_messages = warning;
CALL cordon.encrypt_column('login', 'slug', 'encrypted_text_eq');
CREATE INDEX slug_key ON login (slug_sealed);
CALL cordon.finish_conversion('login', 'slug', drop_dependents => true);
SELECT * FROM pg_temp.shape('login');
DROP TABLE login;

-- A key goes by a switch of its own, and is named.
CREATE TABLE key (id int PRIMARY KEY, code text UNIQUE, other text);
CREATE UNIQUE INDEX ON key (other);
CALL cordon.encrypt_column('key', 'code', 'shared_encrypted_text');
CALL cordon.finish_conversion('key', 'code', drop_dependents => true);
SET client_min_messages = notice;
CALL cordon.finish_conversion('key', 'code', drop_unique => true);
SET client_min_messages = warning;
DROP TABLE key;

-- Every property of an index and a constraint: order, NULLS, INCLUDE, WITH, partial, deferrable, replica identity, two alike.
CREATE TABLE props (id int NOT NULL, team_id bigint NOT NULL, a text NOT NULL, b text, n text COLLATE "C");
INSERT INTO props SELECT i, 1, 'a' || i, 'b' || i, 'n' FROM generate_series(1, 10) i;
CREATE INDEX props_order ON props (id DESC, a DESC NULLS LAST, lower(n) text_pattern_ops, n COLLATE "POSIX") INCLUDE (b) WITH (fillfactor = 70) WHERE a IS NOT NULL AND id > 0;
CREATE INDEX props_one ON props (a); CREATE INDEX props_two ON props (a);
CREATE INDEX props_hash ON props USING hash (a);
CREATE INDEX props_lower ON props (lower(a));
CREATE INDEX props_looks ON props (id) WHERE a > 'x';
CREATE INDEX props_included ON props (id) INCLUDE (a);
ALTER TABLE props ADD CONSTRAINT props_nulls UNIQUE NULLS NOT DISTINCT (team_id, a);
ALTER TABLE props ADD CONSTRAINT props_late UNIQUE (a, team_id, id) DEFERRABLE INITIALLY DEFERRED;
CREATE UNIQUE INDEX props_identity ON props (a, id);
ALTER TABLE props REPLICA IDENTITY USING INDEX props_identity;
SET client_min_messages = notice;
CALL cordon.encrypt_column('props', 'a', 'encrypted_text_eq', tenant_column => 'team_id');
SET client_min_messages = warning;
SELECT object, remedy, is_final, loss FROM cordon_internal.conversion_obstacles('props', 'a', 'a_sealed', cordon.sealed_type('encrypted_text_eq'));
-- The statements that are named make what is asked for.
SELECT replace((regexp_match(remedy, '^Make one like it: (.*); or drop it'))[1], ' CONCURRENTLY', '')
FROM cordon_internal.conversion_obstacles('props', 'a', 'a_sealed', cordon.sealed_type('encrypted_text_eq')) WHERE remedy LIKE 'Make%' \gexec
SELECT object, loss FROM cordon_internal.conversion_obstacles('props', 'a', 'a_sealed', cordon.sealed_type('encrypted_text_eq'));
CALL cordon.finish_conversion('props', 'a', drop_dependents => true);
SELECT * FROM pg_temp.shape('props');
-- A replica identity that would be lost is none to lose by a switch.
ALTER TABLE props ADD COLUMN c text NOT NULL DEFAULT 'c';
CREATE UNIQUE INDEX props_c ON props (c, id);
ALTER TABLE props REPLICA IDENTITY USING INDEX props_c;
CALL cordon.encrypt_column('props', 'c', tenant_column => 'team_id');
CALL cordon.finish_conversion('props', 'c', drop_dependents => true, drop_unique => true);
ALTER TABLE props REPLICA IDENTITY DEFAULT;
CALL cordon.finish_conversion('props', 'c', drop_unique => true);
DROP TABLE props;

-- Partitions and children with defaults, NOT NULL and grants of their own; a constraint of a partitioned table.
CREATE TABLE event (team_id bigint NOT NULL, at int NOT NULL, body text DEFAULT 'of all', CONSTRAINT event_key UNIQUE (team_id, at, body)) PARTITION BY RANGE (at);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (0) TO (10);
CREATE TABLE event_2 PARTITION OF event (body DEFAULT 'of two' NOT NULL) FOR VALUES FROM (10) TO (20);
GRANT SELECT (body) ON event_2 TO reader_of_dependents;
COMMENT ON COLUMN event_2.body IS 'of two';
INSERT INTO event VALUES (1, 1, 'a'), (1, 11, 'b');
CALL cordon.encrypt_column('event', 'body', 'encrypted_text_eq', tenant_column => 'team_id');
SELECT remedy FROM cordon_internal.conversion_obstacles('event', 'body', 'body_sealed', cordon.sealed_type('encrypted_text_eq'));
SELECT (regexp_match(remedy, '^Make one like it: (.*); or drop it'))[1]
FROM cordon_internal.conversion_obstacles('event', 'body', 'body_sealed', cordon.sealed_type('encrypted_text_eq')) \gexec
CALL cordon.finish_conversion('event', 'body');
SELECT r, shape FROM unnest('{event,event_1,event_2}'::regclass[]) r, pg_temp.shape(r) ORDER BY 1, 2;
SELECT col_description('event_2'::regclass, attnum) FROM pg_attribute WHERE attrelid = 'event_2'::regclass AND attname = 'body';
CALL cordon.encrypt_column('event', 'at');
ALTER TABLE event ADD COLUMN kind text;
CREATE TABLE by_text (team_id bigint NOT NULL, body text, kind text) PARTITION BY LIST (lower(body));
CALL cordon.encrypt_column('by_text', 'body', tenant_column => 'team_id');
DROP TABLE event, by_text;

-- A row that moves to another partition keeps its value, also of a form that is read and never written.
RESET ROLE;
SET client_min_messages = error;
SELECT count(*) FROM cordon.keyring WHERE purpose = 'fernet';
SET client_min_messages = warning;
SET ROLE app;
CREATE TABLE mover (team_id bigint NOT NULL, at int NOT NULL, body text) PARTITION BY RANGE (at);
CREATE TABLE mover_1 PARTITION OF mover FOR VALUES FROM (0) TO (10);
CREATE TABLE mover_2 PARTITION OF mover FOR VALUES FROM (10) TO (20);
INSERT INTO mover VALUES (1, 1, 'moves');
CALL cordon.encrypt_column('mover', 'body', tenant_column => 'team_id');
SET app.team_id = '1';
UPDATE mover SET at = 15 RETURNING tableoid::regclass, body, body_sealed;
INSERT INTO mover (team_id, at, body, body_sealed) VALUES (1, 2, 'old', 'new') RETURNING body, body_sealed;
RESET app.team_id;
DROP TABLE mover;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM app;
DROP ROLE reader_of_dependents;
