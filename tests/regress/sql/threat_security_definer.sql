-- A SECURITY DEFINER function runs as its owner. One that is owned by a role that row security does not apply to reads
-- the rows of every tenant, whatever the caller's tenant.
CREATE ROLE threat_definer_bypass BYPASSRLS;
CREATE ROLE threat_definer_ordinary;
CREATE TABLE note (id int, team_id bigint NOT NULL, body text, PRIMARY KEY (team_id, id));
SELECT cordon.protect('note') \g /dev/null
INSERT INTO note VALUES (1, 7, 'of seven'), (1, 8, 'of eight');
GRANT SELECT, INSERT, UPDATE, DELETE ON note TO app, threat_definer_bypass, threat_definer_ordinary;
CREATE FUNCTION of_bypass() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT body FROM note ORDER BY 1';
ALTER FUNCTION of_bypass() OWNER TO threat_definer_bypass;
CREATE FUNCTION of_ordinary() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT body FROM note ORDER BY 1';
ALTER FUNCTION of_ordinary() OWNER TO threat_definer_ordinary;
CREATE FUNCTION of_ordinary_without_row_security() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER
    SET search_path = public, pg_temp SET row_security = off AS 'SELECT body FROM note ORDER BY 1';
ALTER FUNCTION of_ordinary_without_row_security() OWNER TO threat_definer_ordinary;
CREATE FUNCTION own_length() RETURNS SETOF int LANGUAGE sql SECURITY DEFINER
    AS 'SELECT length(body) FROM note WHERE team_id = cordon.tenant_int8()';
ALTER FUNCTION own_length() OWNER TO threat_definer_bypass;

\connect - app
SET app.team_id = '7';
-- THE HOLE: both tenants' rows.
SELECT of_bypass();
-- Not open: the owner is under row security, which it cannot turn off.
SELECT of_ordinary();
SELECT of_ordinary_without_row_security();
RESET app.team_id;
SELECT of_ordinary();
SET app.team_id = '7';

-- A condition on the tenant in the function's own text does what a policy does.
SELECT own_length();
-- THE HOLE, without search_path: the caller's own function takes the place of PostgreSQL's, runs as the owner, and
-- tells both tenants' rows.
CREATE SCHEMA app_schema;
GRANT USAGE ON SCHEMA app_schema TO PUBLIC;
CREATE FUNCTION app_schema.length(text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '% reads %', current_user, (SELECT string_agg(body, ', ' ORDER BY body) FROM public.note);
    RETURN 0;
END $$;
SET search_path = app_schema, public, pg_catalog;
SELECT own_length();
RESET search_path;

-- An ordinary role's function cannot bring another tenant: neither of its own nor for who calls it.
CREATE FUNCTION as_eight() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET app.team_id = '8'
    AS 'SELECT body FROM note';

-- Closed by an owner that is under row security; by a search_path of the function's own.
\connect - postgres
ALTER FUNCTION of_bypass() OWNER TO threat_definer_ordinary;
ALTER FUNCTION own_length() SET search_path = pg_catalog, public, pg_temp;
\connect - app
SET app.team_id = '7';
SELECT of_bypass();
SET search_path = app_schema, public, pg_catalog;
SELECT public.own_length();
\connect - postgres
DROP FUNCTION app_schema.length(text);
DROP OWNED BY threat_definer_bypass, threat_definer_ordinary;
DROP ROLE threat_definer_bypass, threat_definer_ordinary;
