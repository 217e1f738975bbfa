-- cordon.foreign_keys: keys that can refer to another tenant's row, and the migration that stops it.
CREATE TABLE country (code text PRIMARY KEY);
CREATE TABLE team (id bigint PRIMARY KEY);
CREATE TABLE project (
    id int PRIMARY KEY, team_id bigint NOT NULL REFERENCES team, country text REFERENCES country,
    parent int REFERENCES project ON DELETE SET NULL);
CREATE TABLE task (
    id int PRIMARY KEY, team_id int NOT NULL,
    project_id int REFERENCES project ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    other_id int REFERENCES project ON UPDATE SET NULL ON DELETE SET DEFAULT,
    UNIQUE (id, team_id));
CREATE TABLE label (
    "Id" int, part int, "Team" bigint NOT NULL, task_id int NOT NULL REFERENCES task MATCH FULL,
    PRIMARY KEY ("Id", part));
CREATE TABLE "Odd ""one" (
    "Team" bigint NOT NULL, a int, b int, CONSTRAINT full_key FOREIGN KEY (a, b) REFERENCES label MATCH FULL,
    CONSTRAINT some_null FOREIGN KEY (a, b) REFERENCES label ON DELETE SET NULL (b));
CREATE TABLE event (team_id bigint, id int, project_id int REFERENCES project, PRIMARY KEY (team_id, id))
    PARTITION BY HASH (team_id);
CREATE TABLE event_0 PARTITION OF event FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE event_1 PARTITION OF event FOR VALUES WITH (MODULUS 2, REMAINDER 1);
-- Rightly keyed already.
CREATE TABLE seen (team_id bigint NOT NULL, event_id int, FOREIGN KEY (team_id, event_id) REFERENCES event);
-- Cannot be mended by a statement.
CREATE TABLE texts (team_id text NOT NULL, id int UNIQUE);
CREATE TABLE of_text (team_id bigint NOT NULL, text_id int REFERENCES texts (id));
CREATE TABLE swapped (team_id bigint NOT NULL UNIQUE, project_id int, id int UNIQUE, FOREIGN KEY (team_id) REFERENCES project (id));
-- Not protected, but it has the tenant column.
CREATE TABLE unprotected (id int PRIMARY KEY, team_id bigint NOT NULL);
CREATE TABLE of_unprotected (team_id bigint NOT NULL, unprotected_id int REFERENCES unprotected);
SET client_min_messages = warning;
SELECT count(*) > 0 FROM unnest('{project,task,event,seen,of_text,swapped,of_unprotected}'::regclass[]) t, cordon.protect(t);
SELECT count(*) > 0 FROM unnest(ARRAY['label', '"Odd ""one"']::regclass[]) t, cordon.protect(t, 'Team');
-- Its name is taken.
CREATE TABLE project_team_id_id_key ();

RESET client_min_messages;
INSERT INTO team VALUES (7), (8);
INSERT INTO project (id, team_id) VALUES (70, 7), (80, 8);
INSERT INTO task (id, team_id, project_id) VALUES (700, 7, 70), (701, 7, 80), (702, 7, NULL);
INSERT INTO event (team_id, id, project_id) VALUES (7, 1, 80), (8, 1, 80), (7, 2, 70);
SELECT constraint_name, from_table, from_columns, to_table, to_columns, crossing_rows, note FROM cordon.foreign_keys();
-- Who does not see every row is not told a number.
\connect - analyst
SELECT count(*), count(crossing_rows) FROM cordon.foreign_keys();

-- The migration, statement by statement as it is printed, with the rows that cross corrected.
\connect - postgres
UPDATE task SET project_id = 70 WHERE id = 701;
UPDATE event SET project_id = 70 WHERE (team_id, id) = (7, 1);
SET client_min_messages = warning;
SELECT m FROM cordon.foreign_keys(), unnest(migration) m;
\gexec
RESET client_min_messages;
SELECT constraint_name, from_table, migration, note FROM cordon.foreign_keys();
SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint
    WHERE conparentid = 0 AND (conname LIKE '%\_tenant' OR conname LIKE '%all_or_none') ORDER BY 1::text, 2;
-- What it is for: nobody refers to another tenant's row any more, and what happens on deletion keeps the tenant.
INSERT INTO task (id, team_id, project_id) VALUES (703, 7, 80);
INSERT INTO project (id, team_id, parent) VALUES (71, 7, 70), (72, 7, NULL);
INSERT INTO project (id, team_id, parent) VALUES (73, 7, 80);
INSERT INTO event (team_id, id, project_id) VALUES (7, 3, 80);
DELETE FROM event;
DELETE FROM project WHERE id = 70;
SELECT id, team_id, parent FROM project ORDER BY id;
SELECT count(*) FROM task;
