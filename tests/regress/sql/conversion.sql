-- A column becomes encrypted and plaintext again while the application goes on: what changes at which step, what is refused.
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.shape(t regclass) RETURNS TABLE (column_name name, type text, not_null boolean, "default" text)
    LANGUAGE sql AS $$
    SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    WHERE a.attrelid = t AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum $$;

SET ROLE app;
CREATE TABLE account (id int PRIMARY KEY, team_id bigint NOT NULL, email varchar(40) NOT NULL DEFAULT 'none', note jsonb,
    UNIQUE (team_id, email), CHECK (email <> ''));
COMMENT ON COLUMN account.email IS 'where to write to';
GRANT SELECT (id, team_id, email) ON account TO analyst;
SELECT count(*) > 0 FROM cordon.protect('account');
SET app.team_id = '1';
INSERT INTO account SELECT i, 1, 'm' || i, '{"a":1}' FROM generate_series(1, 100) i;
SET app.team_id = '2';
INSERT INTO account SELECT 1000 + i, 2, 'm' || i, NULL FROM generate_series(1, 100) i;
RESET app.team_id;

-- Not without the permission: it reads and writes for every tenant.
CALL cordon.encrypt_column('account', 'email', 'encrypted_text_eq');
CREATE TEMP TABLE oracle (a text, b encrypted_text, team_id bigint);
CREATE TRIGGER oracle BEFORE INSERT ON oracle FOR EACH ROW
    EXECUTE FUNCTION cordon.convert_on_write('a', 'plaintext', 'b', 'encrypted_text', 'team_id', '');
DROP TABLE oracle;
RESET ROLE;
GRANT EXECUTE ON FUNCTION cordon.convert_on_write() TO app;
GRANT CREATE ON DATABASE :"DBNAME" TO app;
SET ROLE app;

-- Expand and fill.
SET client_min_messages = warning;
CALL cordon.encrypt_column('account', 'email', 'encrypted_text_eq', pause => '1 ms');
SELECT * FROM cordon.conversions;
SELECT relation, column_name, task, percent, rows_done, finished_at IS NOT NULL AS is_finished FROM cordon.reencrypt_progress;
SELECT * FROM pg_temp.shape('account');
SELECT * FROM cordon.conversion_problems('account', 'email', thorough => true);
-- Again: nothing left to do. In another way: no.
CALL cordon.encrypt_column('account', 'email', 'encrypted_text_eq');
CALL cordon.encrypt_column('account', 'email', 'encrypted_text');
CALL cordon.encrypt_column('account', 'email_sealed', 'encrypted_text');
CALL cordon.reencrypt('account', 'email_sealed');

-- Applications that know the old column, the new one, or both.
SET app.team_id = '1';
INSERT INTO account (id, email) VALUES (201, 'by the old name');
INSERT INTO account (id, email_sealed) VALUES (202, 'by the new name');
INSERT INTO account (id, email, email_sealed) VALUES (203, 'old', 'new');
INSERT INTO account (id) VALUES (204);
UPDATE account SET email = 'old changed' WHERE id = 1;
UPDATE account SET email_sealed = 'new changed' WHERE id = 2;
UPDATE account SET email = 'old', email_sealed = 'both changed' WHERE id = 3;
UPDATE account SET note = '{}' WHERE id = 4;
INSERT INTO account (id, email) VALUES (5, 'conflict') ON CONFLICT (id) DO UPDATE SET email = excluded.email;
SELECT id, email, email_sealed FROM account WHERE id < 6 OR id > 200 ORDER BY id;
UPDATE account SET email_sealed = NULL WHERE id = 6;
-- Sealed for the tenant of the row, not for that of the session, of which there need be none.
RESET app.team_id;
RESET ROLE;
INSERT INTO account (id, team_id, email) VALUES (1300, 2, 'by nobody');
SET ROLE app;
SET app.team_id = '2';
SELECT id, email_sealed FROM account WHERE email_sealed = 'by nobody';
RESET app.team_id;
-- A row that moves to another tenant is sealed for that one.
RESET ROLE;
UPDATE account SET team_id = 3 WHERE id = 1300;
SET ROLE app;
SET app.team_id = '3';
SELECT id, email_sealed FROM account;
RESET app.team_id;
-- A sealed value that is not the row's own is refused.
RESET ROLE;
UPDATE account SET email_sealed = (SELECT email_sealed FROM account WHERE id = 1001) WHERE id = 7;
SET ROLE app;

-- Contract: everything that uses the column must have been seen to.
CALL cordon.finish_conversion('account', 'email');
CREATE VIEW addresses WITH (security_invoker) AS SELECT email FROM account;
CALL cordon.finish_conversion('account', 'email', drop_dependents => true);
DROP VIEW addresses;
CREATE UNIQUE INDEX replacement ON account (team_id, email_sealed);
ALTER TABLE account DROP CONSTRAINT account_email_check;
CALL cordon.finish_conversion('account', 'email');
SELECT * FROM pg_temp.shape('account');
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'account'::regclass AND contype IN ('u', 'c') ORDER BY 1;
SELECT col_description('account'::regclass, attnum), attacl FROM pg_attribute WHERE attrelid = 'account'::regclass AND attname = 'email';
SELECT * FROM cordon.conversions;
SELECT count(*) FROM cordon.verify_column('account', 'email');
SET app.team_id = '1';
INSERT INTO account (id) VALUES (205);
INSERT INTO account (id, email) VALUES (206, 'afterwards');
SELECT id, email FROM account WHERE email IN ('none', 'old changed', 'both changed', 'afterwards') ORDER BY id;
RESET app.team_id;

-- And back.
CALL cordon.decrypt_column('account', 'email');
SET app.team_id = '1';
UPDATE account SET email = 'while it goes back' WHERE id = 8;
SELECT email, email_plain FROM account WHERE id = 8;
RESET app.team_id;
CALL cordon.cancel_conversion('account', 'email');
SELECT * FROM pg_temp.shape('account');
CALL cordon.decrypt_column('account', 'email', new_column => 'address');
CALL cordon.finish_conversion('account', 'email', drop_unique => true, keep_name => true);
SELECT * FROM pg_temp.shape('account');
CALL cordon.decrypt_column('account', 'address');

-- One call, where no code has to change and nothing depends on the column.
CALL cordon.encrypt_column('account', 'note', 'shared_encrypted_text', finish => true);
SET app.team_id = '1';
SELECT note, count(*) FROM (SELECT note::text FROM account) n GROUP BY 1 ORDER BY 1;
RESET app.team_id;
-- From one encrypted type to another.
CALL cordon.encrypt_column('account', 'note', 'encrypted_text', finish => true);
SELECT * FROM pg_temp.shape('account');
SELECT count(*) FROM cordon.verify_column('account', 'note');

-- A row that cannot be converted is listed by its key, stops nobody, and holds up the end.
CREATE TABLE loose (id int, part int, owner text, secret text, PRIMARY KEY (part, id));
INSERT INTO loose VALUES (1, 1, 'a', 'top secret 1'), (2, 1, NULL, 'top secret 2'), (3, 2, ' b', 'top secret 3'), (4, 2, 'c', NULL);
CALL cordon.encrypt_column('loose', 'secret', tenant_column => 'owner');
SELECT row_key, problem FROM cordon.conversion_problems('loose', 'secret');
INSERT INTO loose VALUES (5, 2, NULL, 'top secret 5');
CALL cordon.finish_conversion('loose', 'secret');
UPDATE loose SET owner = 'd' WHERE owner IS NULL;
UPDATE loose SET owner = 'b' WHERE owner = ' b';
SELECT row_key, problem FROM cordon.conversion_problems('loose', 'secret');
-- What somebody puts into the new column around the trigger is seen.
ALTER TABLE loose DISABLE TRIGGER zzz_cordon_convert_4;
UPDATE loose SET secret = 'changed' WHERE id = 1;
ALTER TABLE loose ENABLE ALWAYS TRIGGER zzz_cordon_convert_4;
SELECT row_key, problem FROM cordon.conversion_problems('loose', 'secret', thorough => true);
CALL cordon.finish_conversion('loose', 'secret');
UPDATE loose SET secret = 'changed again' WHERE id = 1;
CALL cordon.finish_conversion('loose', 'secret');
SELECT * FROM pg_temp.shape('loose');

-- Partitions, one of them with other column numbers, one made meanwhile; children in the old way.
CREATE TABLE event (team_id bigint NOT NULL, id int, body text NOT NULL, PRIMARY KEY (team_id, id)) PARTITION BY LIST (team_id);
CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1);
CREATE TABLE event_2 (gone int, body text NOT NULL, team_id bigint NOT NULL, id int NOT NULL);
ALTER TABLE event_2 DROP COLUMN gone;
ALTER TABLE event ATTACH PARTITION event_2 FOR VALUES IN (2);
CREATE INDEX event_body ON event (body);
INSERT INTO event SELECT 1 + i % 2, i, 'b' || i FROM generate_series(1, 20) i;
CALL cordon.encrypt_column('event', 'body', 'encrypted_text_eq', tenant_column => 'team_id');
CREATE TABLE event_3 PARTITION OF event FOR VALUES IN (3);
INSERT INTO event VALUES (3, 1, 'b1');
SELECT tgrelid::regclass, tgenabled FROM pg_trigger WHERE tgname LIKE 'zzz%' ORDER BY 1;
CALL cordon.finish_conversion('event', 'body');
CREATE INDEX ON event (body_sealed);
CALL cordon.finish_conversion('event', 'body');
SELECT * FROM pg_temp.shape('event_2');
SELECT indexdef FROM pg_indexes WHERE tablename = 'event' ORDER BY 1;
SELECT count(*) FROM cordon.verify_column('event', 'body', 'team_id');
CREATE TABLE parent (team_id bigint NOT NULL, body text);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES (1, 'of the parent');
INSERT INTO child VALUES (2, 'of the child');
CALL cordon.encrypt_column('parent', 'body', tenant_column => 'team_id');
INSERT INTO child VALUES (1, 'of the child');
CALL cordon.finish_conversion('parent', 'body');
SELECT * FROM pg_temp.shape('child');
SELECT count(*) FROM cordon.verify_column('parent', 'body', 'team_id');

-- Names that need quoting, in every statement.
CREATE SCHEMA "o'dd";
CREATE TABLE "o'dd"."ta""ble %s" ("tenant's \ id" text NOT NULL, "it's \ ""ü""" varchar NOT NULL DEFAULT 'it''s', UNIQUE ("tenant's \ id", "it's \ ""ü"""));
INSERT INTO "o'dd"."ta""ble %s" VALUES ('a', 'x');
CALL cordon.encrypt_column('"o''dd"."ta""ble %s"', 'it''s \ "ü"', 'encrypted_text_eq', tenant_column => 'tenant''s \ id');
SELECT column_name, new_column, tenant_column FROM cordon.conversions;
CALL cordon.finish_conversion('"o''dd"."ta""ble %s"', 'it''s \ "ü"');
CREATE UNIQUE INDEX ON "o'dd"."ta""ble %s" ("tenant's \ id", "it's \ ""ü""_sealed");
CALL cordon.finish_conversion('"o''dd"."ta""ble %s"', 'it''s \ "ü"');
SELECT * FROM pg_temp.shape('"o''dd"."ta""ble %s"');
CALL cordon.decrypt_column('"o''dd"."ta""ble %s"', 'it''s \ "ü"', tenant_column => 'tenant''s \ id');
CALL cordon.cancel_conversion('"o''dd"."ta""ble %s"', 'it''s \ "ü"');
SELECT count(*) FROM cordon.verify_column('"o''dd"."ta""ble %s"', 'it''s \ "ü"', 'tenant''s \ id');

-- What is refused.
CREATE TABLE odd (a text PRIMARY KEY, b int, c text, d text GENERATED ALWAYS AS (c) STORED);
CALL cordon.encrypt_column('odd', 'a', 'shared_encrypted_text');
CALL cordon.encrypt_column('odd', 'b', 'shared_encrypted_text');
CALL cordon.encrypt_column('odd', 'd', 'shared_encrypted_text');
CALL cordon.encrypt_column('odd', 'c');
CALL cordon.encrypt_column('odd', 'c', tenant_column => 'd2');
CALL cordon.encrypt_column('odd', 'c', 'secret_text');
CALL cordon.encrypt_column('odd', 'c', 'shared_encrypted_text', source => 'rot13');
CALL cordon.encrypt_column('odd', 'c', 'shared_encrypted_text', source => 'fernet');
CALL cordon.encrypt_column('odd', 'c', 'shared_encrypted_text', source => 'plaintext', max_age => '1 day');
CALL cordon.encrypt_column('odd', 'c', 'shared_encrypted_text', new_column => 'b');
CALL cordon.encrypt_column('odd', 'c', 'shared_encrypted_text', batch_size => 0);
CALL cordon.decrypt_column('odd', 'c');
CALL cordon.finish_conversion('odd', 'c');
SELECT * FROM cordon.conversion_problems('odd', 'c');
CALL cordon.encrypt_column('odd', 'c', 'shared_encrypted_text', finish => true);
CALL cordon.cancel_conversion('odd', 'c');
SELECT * FROM pg_temp.shape('odd');
RESET ROLE;
CREATE TABLE of_somebody_else (a text);
SET ROLE app;
CALL cordon.encrypt_column('of_somebody_else', 'a', 'shared_encrypted_text');
RESET ROLE;
SELECT cordon.convert_on_write();
CREATE TABLE by_hand (a text);
CREATE TRIGGER t AFTER INSERT ON by_hand FOR EACH ROW EXECUTE FUNCTION cordon.convert_on_write('a', 'plaintext', 'b', 'encrypted_text', '', '');
INSERT INTO by_hand VALUES ('x');
DROP TRIGGER t ON by_hand;
CREATE TRIGGER t BEFORE INSERT ON by_hand FOR EACH ROW EXECUTE FUNCTION cordon.convert_on_write('a', 'plaintext', 'b', 'encrypted_text', '', '');
INSERT INTO by_hand VALUES ('x');
DROP TRIGGER t ON by_hand;
CREATE TRIGGER t BEFORE INSERT ON by_hand FOR EACH ROW EXECUTE FUNCTION cordon.convert_on_write('a');
INSERT INTO by_hand VALUES ('x');
