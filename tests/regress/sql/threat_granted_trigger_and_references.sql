-- GRANT ALL gives two more privileges than an application needs, and policies limit neither: TRIGGER lets it run code
-- as whoever changes the table, REFERENCES lets its own tables ask which keys exist.
CREATE ROLE threat_trigger_operator BYPASSRLS;
CREATE TABLE note (id int, team_id bigint NOT NULL, body text, PRIMARY KEY (team_id, id));
SELECT cordon.protect('note') \g /dev/null
INSERT INTO note VALUES (1, 7, 'of seven'), (1, 8, 'of eight');
GRANT SELECT, INSERT, UPDATE, DELETE ON note TO app, threat_trigger_operator;

-- Refused without the privileges.
\connect - app
CREATE TABLE seen (who text, body text);
GRANT INSERT ON seen TO PUBLIC;
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO public.seen VALUES (current_user, OLD.body); RETURN NEW; END $$;
CREATE TRIGGER see BEFORE UPDATE ON note FOR EACH ROW EXECUTE FUNCTION see();
CREATE TABLE probe (team_id bigint, id int, FOREIGN KEY (team_id, id) REFERENCES note);

\connect - postgres
GRANT ALL ON note TO app;
\connect - app
-- THE HOLE: when an operator updates every tenant's rows, the application's trigger sees them.
CREATE TRIGGER see BEFORE UPDATE ON note FOR EACH ROW EXECUTE FUNCTION see();
\connect - postgres
SET ROLE threat_trigger_operator;
UPDATE note SET body = body || ', seen';
\connect - app
SELECT who, body FROM seen ORDER BY body;
-- THE HOLE: tenant 8 has a row 1 and no row 2; and cannot delete the one that is referred to.
CREATE TABLE probe (team_id bigint, id int, FOREIGN KEY (team_id, id) REFERENCES note);
SET app.team_id = '7';
INSERT INTO probe VALUES (8, 1);
INSERT INTO probe VALUES (8, 2);
SET app.team_id = '8';
DELETE FROM note;

-- Closed by taking the privileges back, which does not undo what was made with them.
\connect - postgres
REVOKE TRIGGER, REFERENCES ON note FROM app;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'note'::regclass AND NOT tgisinternal;
DROP TRIGGER see ON note;
ALTER TABLE probe DROP CONSTRAINT probe_team_id_id_fkey;
\connect - app
CREATE TRIGGER see BEFORE UPDATE ON note FOR EACH ROW EXECUTE FUNCTION see();
ALTER TABLE probe ADD FOREIGN KEY (team_id, id) REFERENCES note;
SET app.team_id = '8';
DELETE FROM note;
\connect - postgres
DROP OWNED BY threat_trigger_operator;
DROP ROLE threat_trigger_operator;
