-- TRUNCATE asks no policy: who may truncate a table removes the rows of every tenant.
CREATE TABLE note (id int, team_id bigint NOT NULL, body text, PRIMARY KEY (team_id, id));
CREATE TABLE event (team_id bigint PRIMARY KEY, id int) PARTITION BY HASH (team_id);
CREATE TABLE event_0 PARTITION OF event FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE event_1 PARTITION OF event FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE kind (id int PRIMARY KEY);
CREATE TABLE note_kind (team_id bigint PRIMARY KEY, kind_id int REFERENCES kind);
SELECT cordon.protect('note') \g /dev/null
SELECT cordon.protect('event') \g /dev/null
SELECT cordon.protect('note_kind') \g /dev/null
INSERT INTO note VALUES (1, 7, 'of seven'), (1, 8, 'of eight');
INSERT INTO event VALUES (7, 1), (8, 1);
INSERT INTO kind VALUES (1);
INSERT INTO note_kind VALUES (7, 1), (8, 1);
GRANT SELECT, INSERT, UPDATE, DELETE ON note, event, event_0, event_1, note_kind TO app;
GRANT SELECT, TRUNCATE ON kind TO app;

-- The four privileges that an application needs do not include it: not for a partition, not by CASCADE from a table
-- that may be truncated.
\connect - app
SET app.team_id = '7';
TRUNCATE note;
TRUNCATE event;
TRUNCATE event_0;
TRUNCATE kind CASCADE;
-- DELETE removes the tenant's own rows.
DELETE FROM note;
DELETE FROM event;
DELETE FROM note_kind;
\connect - postgres
SELECT 'note' AS relation, team_id FROM note UNION SELECT 'event', team_id FROM event
    UNION SELECT 'note_kind', team_id FROM note_kind ORDER BY 1;

-- THE HOLE: with the privilege, as GRANT ALL gives it, the other tenant's row is gone.
GRANT ALL ON note TO app;
\connect - app
SET app.team_id = '7';
TRUNCATE note;
\connect - postgres
SELECT count(*) AS left_of_eight FROM note WHERE team_id = 8;
-- Closed by taking it back.
INSERT INTO note VALUES (1, 8, 'of eight');
REVOKE TRUNCATE ON note FROM app;
\connect - app
SET app.team_id = '7';
TRUNCATE note;
