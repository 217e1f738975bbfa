-- Which keys values are under, whether they open, and sealing them anew, as the owner of a table that row security binds.
-- Keys are rotated in tests/rotation.rs: here every value is under the primary key.
\set SHOW_CONTEXT never
\connect - app
CREATE TABLE account (team_id bigint NOT NULL, id int, token encrypted_text, mail encrypted_text_eq, note shared_encrypted_text, plain text, PRIMARY KEY (team_id, id));
SELECT count(*) FROM cordon.protect('account');
SET app.team_id = '7'; INSERT INTO account (id, token, mail, note) SELECT i, 't' || i, 'm' || i, 'n' FROM generate_series(1, 10) i;
SET app.team_id = '8'; INSERT INTO account (id, token, mail, note) SELECT i, 't' || i, 'm' || i, NULL FROM generate_series(1, 5) i;
RESET app.team_id;
SELECT purpose, key_id > 0 AS has_id, status, rows FROM cordon.key_usage('account', 'token');
SELECT purpose, status, rows FROM cordon.key_usage('account', 'mail');
SELECT purpose, status, rows FROM cordon.key_usage('account', 'note');
SELECT * FROM cordon.verify_column('account', 'token');
SELECT * FROM cordon.verify_column('account', 'mail');
SELECT * FROM cordon.verify_column('account', 'note');
CALL cordon.reencrypt('account', 'token');
SELECT relation, column_name, pass, percent, rows_done, finished_at IS NOT NULL AS is_finished, is_running FROM cordon.reencrypt_progress;

-- A value in the row of another tenant does not open, and is reported without a word of it.
SET app.team_id = '7';
CREATE TABLE moved (team_id bigint, token encrypted_text, mail encrypted_text_eq);
INSERT INTO moved VALUES (7, 's3cret', 's3cret'), (8, 's3cret', NULL), (NULL, 's3cret', NULL);
RESET app.team_id;
SELECT * FROM cordon.verify_column('moved', 'token');
SELECT row_id, problem FROM cordon.verify_column('moved', 'token', tenant_column => 'team_id');

-- What is refused.
SELECT * FROM cordon.key_usage('account', 'plain');
SELECT * FROM cordon.key_usage('account', 'absent');
SELECT * FROM cordon.verify_column('account', 'token', 'absent');
CREATE TABLE untenanted (token encrypted_text, note shared_encrypted_text);
SELECT * FROM cordon.key_usage('untenanted', 'token');
SELECT * FROM cordon.verify_column('untenanted', 'token');
CALL cordon.reencrypt('untenanted', 'token');
CALL cordon.reencrypt('untenanted', 'note');
CALL cordon.reencrypt('account', 'token', batch_size => 0);
BEGIN; CALL cordon.reencrypt('account', 'token'); ROLLBACK;
-- For the owner only, however much is granted.
GRANT ALL ON account TO analyst;
\connect - analyst
SELECT * FROM cordon.key_usage('account', 'token');
SELECT * FROM cordon.verify_column('account', 'note');
CALL cordon.reencrypt('account', 'token');
CALL cordon_internal.rewrite('reencrypt', 'account', 'token', 'team_id', false, 10, '0');
SELECT * FROM cordon_internal.failing_values('account', 'token', 'team_id');
SELECT * FROM cordon_internal.table_keys('account'::regclass, 'token', 10);
SELECT cordon_internal.as_owner('account'::regclass, 'SELECT 1');
INSERT INTO cordon.rewriting VALUES ('account', 'token', 'reencrypt', 1, now(), now(), NULL, 1, 0, 0, 0);
DELETE FROM cordon.rewriting;
SELECT cordon.disable_key(1);
SELECT cordon.set_key_disabled(1);
