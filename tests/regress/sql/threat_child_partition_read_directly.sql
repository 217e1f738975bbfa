-- A partition that is named in a query is asked for its own policies, not for its parent's.
CREATE TABLE event (team_id bigint NOT NULL, at date NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE event_old PARTITION OF event FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE event_new PARTITION OF event FOR VALUES FROM ('2026-01-01') TO (MAXVALUE) PARTITION BY HASH (team_id);
CREATE TABLE event_new_0 PARTITION OF event_new FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE parent (team_id bigint NOT NULL, what text);
CREATE TABLE child () INHERITS (parent);
SET client_min_messages = warning;
SELECT cordon.protect('event') \g /dev/null
SELECT cordon.protect('parent') \g /dev/null
INSERT INTO event VALUES (7, '2025-06-01', 'old of seven'), (8, '2025-06-01', 'old of eight'),
    (7, '2026-06-01', 'new of seven'), (8, '2026-06-01', 'new of eight');
INSERT INTO child VALUES (7, 'child of seven'), (8, 'child of eight');
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;

\connect - app
SET app.team_id = '7';
SELECT what FROM event ORDER BY 1;
SELECT what FROM event_old;
SELECT what FROM event_new;
SELECT what FROM event_new_0;
SELECT what FROM parent;
SELECT what FROM ONLY parent;
SELECT what FROM child;
INSERT INTO event_old VALUES (8, '2025-07-01', 'planted');
INSERT INTO event_new_0 VALUES (8, '2026-07-01', 'planted');
UPDATE event_old SET team_id = 8;
UPDATE child SET team_id = 8;
DELETE FROM event_new_0 WHERE team_id = 8;
DELETE FROM child WHERE team_id = 8;
COPY event_old TO STDOUT;
-- A row that an UPDATE moves to another partition stays its tenant's.
UPDATE event SET at = '2026-02-01', team_id = 8 WHERE at = '2025-06-01';
RESET app.team_id;
SELECT what FROM event_old;
SELECT what FROM child;

-- Partitions that come later: no policies of their own until protect is called again.
\connect - postgres
ALTER TABLE event DETACH PARTITION event_old;
CREATE TABLE event_older PARTITION OF event FOR VALUES FROM (MINVALUE) TO ('2025-01-01');
CREATE TABLE event_mid (LIKE event);
INSERT INTO event_mid VALUES (7, '2025-06-01', 'mid of seven'), (8, '2025-06-01', 'mid of eight');
ALTER TABLE event ATTACH PARTITION event_mid FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
\connect - app
SET app.team_id = '7';
-- Through the parent they are covered, and without a privilege of their own they cannot be named. One that has been
-- detached keeps its policies.
SELECT what FROM event ORDER BY 1;
SELECT what FROM event_mid;
SELECT what FROM event_older;
SELECT what FROM event_old;
-- THE HOLE: with a privilege, as GRANT … ON ALL TABLES gives it, both tenants' rows, to read and to write.
\connect - postgres
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;
\connect - app
SET app.team_id = '7';
SELECT what FROM event_mid ORDER BY 1;
UPDATE event_mid SET what = 'mid of eight, read by seven' WHERE team_id = 8 RETURNING what;
INSERT INTO event_older VALUES (8, '2024-06-01', 'planted');
-- Closed by protect.
\connect - postgres
SET client_min_messages = warning;
SELECT cordon.protect('event') \g /dev/null
SELECT tablename FROM pg_policies WHERE policyname = 'cordon_floor' ORDER BY 1;
\connect - app
SET app.team_id = '7';
SELECT what FROM event_mid;
UPDATE event_mid SET what = 'taken' WHERE team_id = 8;
INSERT INTO event_older VALUES (8, '2024-07-01', 'planted');
\connect - postgres
SELECT team_id, what FROM event UNION ALL SELECT team_id, what FROM event_old
    UNION ALL SELECT team_id, what FROM parent ORDER BY 1, 2;
