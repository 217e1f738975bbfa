-- cordon.validate_foreign_key looks at the rows of all tenants; PostgreSQL's own VALIDATE at those that the owner's policies show.
CREATE ROLE owner_of_keys; CREATE ROLE other_owner;
GRANT CREATE ON SCHEMA public TO owner_of_keys, other_owner;
SET ROLE owner_of_keys;
CREATE TABLE account (team_id bigint NOT NULL, id int, PRIMARY KEY (team_id, id));
CREATE TABLE invoice (team_id bigint NOT NULL, id int, account_id int, PRIMARY KEY (team_id, id));
INSERT INTO account VALUES (7, 1), (8, 2);
INSERT INTO invoice VALUES (7, 1, 1), (7, 2, NULL), (8, 3, 2), (8, 4, 99), (9, 5, 1);
SELECT cordon.protect('account'); SELECT cordon.protect('invoice');
ALTER TABLE invoice ADD CONSTRAINT to_account FOREIGN KEY (team_id, account_id) REFERENCES account NOT VALID;

-- What PostgreSQL does by itself: an error without a tenant, and with one it looks at that tenant's rows alone.
ALTER TABLE invoice VALIDATE CONSTRAINT to_account;
BEGIN;
SET LOCAL app.team_id = '7';
ALTER TABLE invoice VALIDATE CONSTRAINT to_account;
SELECT convalidated FROM pg_constraint WHERE conname = 'to_account';
ROLLBACK;

-- What is returned is for the owner, a member of the owner and a superuser, with and without a tenant.
SELECT * FROM cordon.validate_foreign_key('invoice', 'to_account') ORDER BY child_key;
SET app.team_id = '7';
SELECT * FROM cordon.validate_foreign_key('invoice', 'to_account') ORDER BY child_key;
RESET app.team_id;
SELECT convalidated FROM pg_constraint WHERE conname = 'to_account';
RESET ROLE;
SELECT * FROM cordon.validate_foreign_key('invoice', 'to_account') ORDER BY child_key;
-- A key that was marked valid all the same.
BEGIN;
SET LOCAL ROLE owner_of_keys;
SET LOCAL app.team_id = '7';
ALTER TABLE invoice VALIDATE CONSTRAINT to_account;
SELECT * FROM cordon.validate_foreign_key('invoice', 'to_account') ORDER BY child_key;
ROLLBACK;
DELETE FROM invoice WHERE id IN (4, 5);
SELECT * FROM cordon.validate_foreign_key('invoice', 'to_account');
SELECT convalidated FROM pg_constraint WHERE conname = 'to_account';
SELECT * FROM cordon.validate_foreign_key('invoice', 'to_account');

-- A table that is protected and one that is not, either way; a key of a table to itself; MATCH FULL; no primary key.
SET ROLE owner_of_keys;
CREATE TABLE plain (id int UNIQUE, account_team bigint, account_id int);
INSERT INTO plain VALUES (1, 8, 2), (2, 8, 1), (3, NULL, 1);
ALTER TABLE plain ADD CONSTRAINT plain_account FOREIGN KEY (account_team, account_id) REFERENCES account MATCH FULL NOT VALID;
SELECT child_key ? 'ctid' AS by_place, parent_key FROM cordon.validate_foreign_key('plain', 'plain_account') ORDER BY 2;
DELETE FROM plain WHERE id > 1;
SELECT * FROM cordon.validate_foreign_key('plain', 'plain_account');
ALTER TABLE invoice ADD COLUMN plain_id int;
SET app.team_id = '7';
UPDATE invoice SET plain_id = 5;
SET app.team_id = '8';
UPDATE invoice SET plain_id = 5 WHERE id = 3;
RESET app.team_id;
ALTER TABLE invoice ADD CONSTRAINT to_plain FOREIGN KEY (plain_id) REFERENCES plain (id) NOT VALID;
SELECT * FROM cordon.validate_foreign_key('invoice', 'to_plain');
INSERT INTO plain VALUES (5, NULL, NULL);
SELECT * FROM cordon.validate_foreign_key('invoice', 'to_plain');
ALTER TABLE account ADD COLUMN above int;
SET app.team_id = '8';
UPDATE account SET above = 3;
RESET app.team_id;
ALTER TABLE account ADD CONSTRAINT to_above FOREIGN KEY (team_id, above) REFERENCES account NOT VALID;
SELECT * FROM cordon.validate_foreign_key('account', 'to_above');
SET app.team_id = '8';
UPDATE account SET above = 2;
RESET app.team_id;
SELECT * FROM cordon.validate_foreign_key('account', 'to_above');
SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY conname;

-- A parent of another owner: PostgreSQL looks row by row, also rightly. The list would take the rights of both.
RESET ROLE;
ALTER TABLE invoice DROP CONSTRAINT to_account;
ALTER TABLE plain DROP CONSTRAINT plain_account;
ALTER TABLE account OWNER TO other_owner;
GRANT REFERENCES, SELECT ON account TO owner_of_keys;
INSERT INTO invoice VALUES (8, 6, 99); -- as a superuser
ALTER TABLE invoice ADD CONSTRAINT to_account FOREIGN KEY (team_id, account_id) REFERENCES account NOT VALID;
SET ROLE owner_of_keys;
SELECT * FROM cordon.validate_foreign_key('invoice', 'to_account');
SET app.team_id = '8';
DELETE FROM invoice WHERE id = 6;
RESET app.team_id;
SELECT * FROM cordon.validate_foreign_key('invoice', 'to_account');
SELECT * FROM cordon.validate_foreign_key('invoice', 'to_account');
SELECT convalidated FROM pg_constraint WHERE conname = 'to_account';

-- Who may not, and what is not there.
SET ROLE other_owner;
SELECT * FROM cordon.validate_foreign_key('invoice', 'to_account');
SELECT * FROM cordon.validate_foreign_key('invoice', 'to_plain');
SELECT * FROM cordon.validate_foreign_key('invoice', 'nothing');
SELECT * FROM cordon.validate_foreign_key(NULL, 'nothing');
RESET ROLE;

-- A sealed column is not shown.
CREATE TABLE sealed_parent (mail shared_encrypted_text_eq PRIMARY KEY);
CREATE TABLE sealed_child (id int PRIMARY KEY, mail shared_encrypted_text_eq);
INSERT INTO sealed_child VALUES (1, 'ann@example.com');
ALTER TABLE sealed_child ADD CONSTRAINT to_mail FOREIGN KEY (mail) REFERENCES sealed_parent NOT VALID;
SELECT * FROM cordon.validate_foreign_key('sealed_child', 'to_mail');
DROP TABLE invoice, plain, account, sealed_child, sealed_parent;
DROP OWNED BY owner_of_keys, other_owner; DROP ROLE owner_of_keys, other_owner;
