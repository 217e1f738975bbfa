-- Every hole that a DBA can have, each with the statement that closes it. An error lets the application's role reach another
-- tenant's rows or values, or a key; a warning would, after one more mistake or through another role; an info is worth knowing.
-- The topics are functions of cordon_internal, in files of their own; what they find has an address, by which a security label
-- acknowledges it.

CREATE TYPE cordon.finding AS (severity text, code text, object text, detail text, fix_sql text, acknowledged text);
COMMENT ON TYPE cordon.finding IS
    'what cordon.audit reports: severity (error, warning, info), code, object, detail, SQL that mends it, and the reason of who '
    'has looked at it';

CREATE TYPE cordon_internal.hit AS (
    severity text, code text, object text, detail text, fix_sql text, classid oid, objid oid, objsubid integer);
COMMENT ON TYPE cordon_internal.hit IS 'a finding with the object where it is acknowledged: the table of a policy, constraint, trigger, rule or index';

CREATE OR REPLACE FUNCTION cordon_internal.label_lines(label text) RETURNS TABLE (key text, reason text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT split_part(line, ': ', 1), coalesce(nullif(substr(line, length(split_part(line, ': ', 1)) + 3), ''), '')
    FROM regexp_split_to_table(label, E'\n') line
    $$;
COMMENT ON FUNCTION cordon_internal.label_lines(text) IS 'the lines of a security label: keys and reasons';

CREATE OR REPLACE FUNCTION cordon.acknowledge(label text) RETURNS TABLE (key text, reason text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT * FROM cordon_internal.label_lines(label) $$;
COMMENT ON FUNCTION cordon.acknowledge(text) IS
    'what a security label says, a line each; roles with EXECUTE may write labels that acknowledge findings, and take "secret" back';
REVOKE ALL ON FUNCTION cordon.acknowledge(text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION cordon_internal.labels() RETURNS TABLE (classid oid, objid oid, objsubid integer, key text, reason text)
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT l.classoid, l.objoid, l.objsubid, e.key, e.reason
    FROM (SELECT classoid, objoid, objsubid, label FROM pg_seclabel WHERE provider = 'pg_cordon'
          UNION ALL SELECT classoid, objoid, 0, label FROM pg_shseclabel WHERE provider = 'pg_cordon') l
    CROSS JOIN cordon_internal.label_lines(l.label) e
    $$;
COMMENT ON FUNCTION cordon_internal.labels() IS 'the security labels of pg_cordon, a line each';

-- Which column is a table's tenant: the registered one; else the one that is named as the setting that holds the tenant, unless
-- it is by itself the key: then the table is that of the tenants.
CREATE OR REPLACE FUNCTION cordon.tenant_tables() RETURNS TABLE (relation oid, tenant_column name, is_registered boolean)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT c.oid, a.attname, p.relation IS NOT NULL
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN cordon_internal.registered() p ON p.relation = c.oid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND a.attname = coalesce(p.tenant_column, cordon_internal.setting_column())
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'cordon', 'cordon_internal')
        AND (p.relation IS NOT NULL OR NOT cordon_internal.is_key(c.oid, a.attnum))
    $$;
COMMENT ON FUNCTION cordon.tenant_tables() IS
    'the tables with a tenant column: the registered ones, and others with a column that is named as the setting that holds the tenant';

CREATE OR REPLACE FUNCTION cordon_internal.setting_column() RETURNS name
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT (regexp_match(coalesce(current_setting('cordon.tenant_setting', true), 'app.team_id'), '[^.]*$'))[1]::name $$;
COMMENT ON FUNCTION cordon_internal.setting_column() IS 'the name of the tenant column, by the setting that holds the tenant: app.team_id, team_id';

CREATE OR REPLACE FUNCTION cordon_internal.is_key(relation oid, number smallint) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = relation AND i.indisunique AND i.indnkeyatts = 1
                   AND i.indkey[0] = number AND i.indpred IS NULL AND i.indisvalid)
    $$;
COMMENT ON FUNCTION cordon_internal.is_key(oid, smallint) IS 'whether a column is by itself a key of its table';

-- The application is PUBLIC, and the roles that it has: 0 stands for PUBLIC.
CREATE OR REPLACE FUNCTION cordon_internal.reaches(app oid[], relation oid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT coalesce(bool_or(has_table_privilege(r, relation, 'SELECT, INSERT, UPDATE, DELETE')
                            OR has_any_column_privilege(r, relation, 'SELECT, INSERT, UPDATE')), false)
    FROM unnest(app) r
    $$;
COMMENT ON FUNCTION cordon_internal.reaches(oid[], oid) IS 'whether one of some roles, where 0 is PUBLIC, may read or write a relation';

CREATE OR REPLACE FUNCTION cordon_internal.is_of(app oid[], grantee oid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    -- pg_has_role knows of no role 0.
    SELECT coalesce(bool_or(CASE WHEN r = 0 OR grantee = 0 THEN r = grantee ELSE pg_has_role(r, grantee, 'MEMBER') END), false)
    FROM unnest(app) r
    $$;
COMMENT ON FUNCTION cordon_internal.is_of(oid[], oid) IS 'whether what a role was granted is there for one of some roles, where 0 is PUBLIC';

CREATE OR REPLACE FUNCTION cordon_internal.is_granted(relation oid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT EXISTS (SELECT FROM pg_roles r WHERE r.oid = c.relowner AND r.rolcanlogin AND NOT cordon.bypasses(r.oid))
        OR EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
                   AND NOT coalesce(cordon.bypasses(a.grantee), false))
    FROM pg_class c WHERE c.oid = relation
    $$;
COMMENT ON FUNCTION cordon_internal.is_granted(oid) IS 'whether somebody to whom row security applies may read or write a relation';

CREATE OR REPLACE FUNCTION cordon.bypasses(role oid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE oid = role $$;
COMMENT ON FUNCTION cordon.bypasses(oid) IS 'whether row security does not apply to a role';

CREATE OR REPLACE FUNCTION cordon_internal.is_own(class oid, object oid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT EXISTS (SELECT FROM pg_depend d WHERE d.classid = class AND d.objid = object AND d.deptype = 'e') $$;
COMMENT ON FUNCTION cordon_internal.is_own(oid, oid) IS 'whether an object belongs to an extension';

-- All that is found, with what has been acknowledged: by the code, or by what the object is said to be.
CREATE OR REPLACE FUNCTION cordon_internal.findings(app oid[]) RETURNS SETOF cordon.finding
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
    AS $$
BEGIN
    -- Loads the library, if nothing has yet, which defines the settings that are looked at.
    PERFORM cordon.current_tenant();
    RETURN QUERY
        SELECT f.severity, f.code, f.object, f.detail, f.fix_sql,
               (SELECT string_agg(l.key || coalesce(': ' || nullif(l.reason, ''), ''), E'\n' ORDER BY l.key)
                FROM cordon_internal.labels() l
                WHERE l.classid = f.classid AND l.objid = f.objid
                    AND (l.objsubid = f.objsubid OR l.objsubid = 0)
                    AND (l.key = f.code
                         OR l.key = 'reviewed' AND l.objsubid = f.objsubid AND f.severity <> 'error'
                         OR l.key = 'shared' AND f.code IN ('no_tenant', 'child_without_tenant', 'unprotected_table', 'foreign_table')
                         OR l.key = 'plain' AND f.code = 'plaintext_secret'))
        FROM (
            SELECT * FROM cordon_internal.audit_tables(app)
            UNION ALL SELECT * FROM cordon_internal.audit_keys()
            UNION ALL SELECT * FROM cordon_internal.audit_roles(app)
            UNION ALL SELECT * FROM cordon_internal.audit_privileges(app)
            UNION ALL SELECT * FROM cordon_internal.audit_code(app)
            UNION ALL SELECT * FROM cordon_internal.audit_settings()
            UNION ALL SELECT * FROM cordon_internal.audit_server(app)
            UNION ALL SELECT * FROM cordon_internal.audit_secrets()
            UNION ALL SELECT * FROM cordon_internal.audit_token_store()
            UNION ALL SELECT * FROM cordon_internal.audit_keyring()
        ) f
        ORDER BY array_position(ARRAY['error', 'warning', 'info'], f.severity), f.code, f.object, f.detail;
END $$;
COMMENT ON FUNCTION cordon_internal.findings(oid[]) IS 'what cordon.audit finds for an application that has some roles, where 0 is PUBLIC';

CREATE OR REPLACE FUNCTION cordon.audit(include_acknowledged boolean DEFAULT false) RETURNS SETOF cordon.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT * FROM cordon_internal.findings(ARRAY[0::oid]) f WHERE include_acknowledged OR f.acknowledged IS NULL $$;
COMMENT ON FUNCTION cordon.audit(boolean) IS
    'every hole in the isolation of tenants that the catalog shows, worst first, each with SQL that closes it; on request also what a '
    'security label acknowledges';

CREATE OR REPLACE FUNCTION cordon.audit_json(include_acknowledged boolean DEFAULT false) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT jsonb_build_object(
        'database', current_database(),
        'server_version', current_setting('server_version'),
        'extension_version', (SELECT extversion FROM pg_extension WHERE extname = 'pg_cordon'),
        'audited_at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'errors', count(*) FILTER (WHERE f.severity = 'error' AND f.acknowledged IS NULL),
        'warnings', count(*) FILTER (WHERE f.severity = 'warning' AND f.acknowledged IS NULL),
        'findings', coalesce(jsonb_agg(to_jsonb(f)), '[]'))
    FROM cordon.audit(include_acknowledged) f
    $$;
COMMENT ON FUNCTION cordon.audit_json(boolean) IS 'what cordon.audit finds, for machines: docs/AUDIT.md describes its fields';

CREATE OR REPLACE FUNCTION cordon.assert_isolated(VARIADIC app_roles name[]) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    missing name := (SELECT r FROM unnest(app_roles) r WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) LIMIT 1);
    app oid[];
    found text;
    fixes text;
    number bigint;
BEGIN
    IF missing IS NOT NULL OR app_roles IS NULL THEN
        RAISE undefined_object USING
            MESSAGE = format('role "%s" does not exist', missing),
            HINT = 'Name the roles that the application connects as.';
    END IF;
    app := ARRAY(SELECT oid FROM pg_roles WHERE rolname = ANY (app_roles));
    SELECT count(*), string_agg(format('%s: %s. %s', f.code, f.object, f.detail), E'\n'), string_agg(f.fix_sql || ';', E'\n')
    INTO number, found, fixes
    -- Who may not look cannot say that all is well.
    FROM cordon_internal.findings(0::oid || app) f
    WHERE (f.severity = 'error' OR f.code = 'not_checked') AND f.acknowledged IS NULL;
    IF number > 0 THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('tenants are not isolated from each other: %s errors', number), DETAIL = found,
            HINT = coalesce(fixes, 'docs/AUDIT.md says of each finding what to do.');
    END IF;
END $$;
COMMENT ON FUNCTION cordon.assert_isolated(name[]) IS
    'raises an error when the audit finds one for the roles that the application has; for CI and for the start of an application';
