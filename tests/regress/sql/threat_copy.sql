-- COPY in both directions: out, only the tenant's rows; in, not at all, for it would not ask the policies.
CREATE TABLE note (id int, team_id bigint NOT NULL, body text, PRIMARY KEY (team_id, id));
CREATE TABLE event (team_id bigint NOT NULL, what text) PARTITION BY HASH (team_id);
CREATE TABLE event_0 PARTITION OF event FOR VALUES WITH (MODULUS 1, REMAINDER 0);
SET client_min_messages = warning;
SELECT cordon.protect('note') \g /dev/null
SELECT cordon.protect('event') \g /dev/null
INSERT INTO note VALUES (1, 7, 'of seven'), (1, 8, 'of eight');
INSERT INTO event VALUES (7, 'of seven'), (8, 'of eight');
CREATE VIEW note_view WITH (security_invoker) AS SELECT * FROM note;
GRANT SELECT, INSERT, UPDATE, DELETE ON note, event, event_0, note_view TO app;

\connect - app
SET app.team_id = '7';
COPY note TO STDOUT;
COPY note (body) TO STDOUT (FORMAT csv, HEADER);
COPY (SELECT * FROM note) TO STDOUT;
COPY (SELECT * FROM note_view) TO STDOUT;
COPY (SELECT * FROM event) TO STDOUT;
COPY event_0 TO STDOUT;
COPY (UPDATE note SET body = 'taken' WHERE team_id = 8 RETURNING *) TO STDOUT;
COPY (DELETE FROM note WHERE team_id = 8 RETURNING *) TO STDOUT;
\copy note to stdout
-- As pg_dump reads: an error, not every row.
SET row_security = off;
COPY note TO STDOUT;
RESET row_security;
RESET app.team_id;
COPY note TO STDOUT;
COPY (SELECT * FROM note) TO STDOUT;

SET app.team_id = '7';
COPY note FROM STDIN;
2	8	planted
\.
COPY note (id, body) FROM STDIN;
2	mine
\.
COPY event FROM STDIN;
8	planted
\.
COPY event_0 FROM STDIN;
8	planted
\.
-- The way in: a table of one's own, and INSERT, which asks.
CREATE TEMP TABLE staged (id int, team_id bigint, body text);
COPY staged FROM STDIN;
2	7	mine
3	8	planted
\.
INSERT INTO note SELECT * FROM staged;
INSERT INTO note SELECT * FROM staged WHERE team_id = 7;
INSERT INTO note (id, body) SELECT id + 1, body FROM staged WHERE team_id = 8;
COPY note TO STDOUT;
-- The server's files and programs are not for ordinary roles (in words that differ from version to version).
\set VERBOSITY sqlstate
COPY note TO '/tmp/threat_copy';
COPY note TO PROGRAM 'cat';
COPY staged FROM PROGRAM 'cat';
\connect - postgres
SELECT team_id, id, body FROM note ORDER BY 1, 2;
