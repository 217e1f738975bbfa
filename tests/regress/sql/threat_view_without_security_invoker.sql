-- A view reads its tables as its owner does. One that is owned by a role that row security does not apply to shows the
-- rows of every tenant.
CREATE ROLE threat_view_bypass BYPASSRLS;
CREATE ROLE threat_view_ordinary;
CREATE TABLE note (id int, team_id bigint NOT NULL, body text, PRIMARY KEY (team_id, id));
SELECT cordon.protect('note') \g /dev/null
INSERT INTO note VALUES (1, 7, 'of seven'), (1, 8, 'of eight');
GRANT SELECT, INSERT, UPDATE, DELETE ON note TO app, threat_view_bypass, threat_view_ordinary;
CREATE VIEW of_superuser AS SELECT * FROM note;
CREATE VIEW of_bypass AS SELECT * FROM note;
ALTER VIEW of_bypass OWNER TO threat_view_bypass;
CREATE VIEW of_ordinary AS SELECT * FROM note;
ALTER VIEW of_ordinary OWNER TO threat_view_ordinary;
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM note;
CREATE VIEW as_invoker WITH (security_invoker) AS SELECT * FROM note;
CREATE VIEW invoker_over_superuser WITH (security_invoker) AS SELECT * FROM of_superuser;
CREATE MATERIALIZED VIEW copied AS SELECT * FROM note;
GRANT ALL ON of_superuser, of_bypass, of_ordinary, barrier, as_invoker, invoker_over_superuser, copied TO app;

\connect - app
SET app.team_id = '7';
-- THE HOLE: both tenants' rows. A security barrier does not close it, nor an outer view that is right.
SELECT body FROM of_superuser ORDER BY 1;
SELECT body FROM of_bypass ORDER BY 1;
SELECT body FROM barrier ORDER BY 1;
SELECT body FROM invoker_over_superuser ORDER BY 1;
-- Also for writing, and with no tenant set.
BEGIN;
UPDATE of_bypass SET body = 'taken' WHERE team_id = 8 RETURNING team_id, body;
DELETE FROM of_superuser WHERE team_id = 8 RETURNING team_id;
INSERT INTO of_superuser VALUES (2, 8, 'planted') RETURNING team_id;
ROLLBACK;
RESET app.team_id;
SELECT count(*) FROM of_superuser;
SET app.team_id = '7';
-- A materialized view is a copy without policies.
SELECT body FROM copied ORDER BY 1;

-- Not open: the owner is under row security itself, or the view runs as who asks.
SELECT body FROM of_ordinary;
SELECT body FROM as_invoker;
UPDATE as_invoker SET body = 'taken' WHERE team_id = 8;
INSERT INTO as_invoker VALUES (2, 8, 'planted');
RESET app.team_id;
SELECT body FROM of_ordinary;
SELECT body FROM as_invoker;

-- Closed by security_invoker; a copy, by taking the privilege back.
\connect - postgres
ALTER VIEW of_superuser SET (security_invoker = true);
ALTER VIEW of_bypass SET (security_invoker = true);
ALTER VIEW barrier SET (security_invoker = true);
REVOKE ALL ON copied FROM app;
\connect - app
SET app.team_id = '7';
SELECT body FROM of_superuser;
SELECT body FROM of_bypass;
SELECT body FROM barrier;
SELECT body FROM invoker_over_superuser;
UPDATE of_bypass SET body = 'taken' WHERE team_id = 8;
DELETE FROM of_superuser WHERE team_id = 8;
INSERT INTO of_superuser VALUES (2, 8, 'planted');
SELECT body FROM copied;
-- An ordinary role's own view of the same gives it nothing that it had not.
CREATE VIEW mine AS SELECT * FROM note;
SELECT body FROM mine;
\connect - postgres
SELECT team_id, body FROM note ORDER BY 1;
DROP OWNED BY threat_view_bypass, threat_view_ordinary;
DROP ROLE threat_view_bypass, threat_view_ordinary;
