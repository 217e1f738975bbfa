-- Every hole that a DBA can have, each with the statement that closes it. One function a topic, and cordon.audit() for
-- all. An error lets a session reach another tenant's rows or values; a warning would, after one more mistake; an info
-- is worth knowing.

CREATE TYPE cordon.finding AS (severity text, code text, object text, detail text, fix_sql text);
COMMENT ON TYPE cordon.finding IS 'what cordon.audit reports: severity (error, warning, info), code, object, detail, and SQL that mends it';

CREATE OR REPLACE FUNCTION cordon.tenant_tables() RETURNS TABLE (relation oid, tenant_column name, is_registered boolean)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT c.oid, a.attname, p.relation IS NOT NULL
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN cordon_internal.registered() p ON p.relation = c.oid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND (a.attname = p.tenant_column
             OR p.relation IS NULL AND a.attname IN (SELECT tenant_column FROM cordon_internal.registered() UNION SELECT 'team_id'))
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'cordon')
    $$;
COMMENT ON FUNCTION cordon.tenant_tables() IS
    'the tables with a tenant column: the registered ones, and others with a column of the same name';

CREATE OR REPLACE FUNCTION cordon.audit_tables() RETURNS SETOF cordon.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH state AS MATERIALIZED (
        SELECT t.relation, t.relation::regclass::text AS name, t.tenant_column, t.is_registered,
               c.relrowsecurity, c.relforcerowsecurity, a.attnotnull, f.function,
               EXISTS (SELECT FROM pg_inherits i JOIN cordon_internal.registered() p ON p.relation = i.inhparent
                       WHERE i.inhrelid = t.relation) AS has_protected_parent,
               EXISTS (SELECT FROM pg_policy o WHERE o.polrelid = t.relation AND o.polname = 'cordon_floor'
                       AND NOT o.polpermissive AND o.polcmd = '*' AND o.polroles = '{0}'
                       AND cordon.is_tenant_predicate(o.polqual, o.polrelid, t.tenant_column, f.function)
                       AND cordon.is_tenant_predicate(o.polwithcheck, o.polrelid, t.tenant_column, f.function)) AS has_floor,
               EXISTS (SELECT FROM pg_policy o WHERE o.polrelid = t.relation AND o.polname = 'cordon_tenant'
                       AND NOT (o.polpermissive AND o.polcmd = '*' AND o.polroles = '{0}'
                       AND cordon.is_tenant_predicate(o.polqual, o.polrelid, t.tenant_column, f.function)
                       AND cordon.is_tenant_predicate(o.polwithcheck, o.polrelid, t.tenant_column, f.function))) AS is_altered,
               (SELECT string_agg(quote_ident(o.polname), ', ') FROM pg_policy o WHERE o.polrelid = t.relation
                AND o.polpermissive AND o.polroles <> '{0}') AS role_policies
        FROM cordon.tenant_tables() t
        JOIN pg_class c ON c.oid = t.relation
        JOIN pg_attribute a ON a.attrelid = t.relation AND a.attname = t.tenant_column
        LEFT JOIN (SELECT oid, cordon.tenant_function(oid) AS function FROM pg_type
                   WHERE oid IN (SELECT atttypid FROM cordon.tenant_tables() x
                                 JOIN pg_attribute y ON y.attrelid = x.relation AND y.attname = x.tenant_column)) f
            ON f.oid = a.atttypid
    ),
    mended AS MATERIALIZED (
        SELECT *, CASE WHEN function IS NULL THEN format('ALTER TABLE %s ALTER COLUMN %I TYPE text; ', name, tenant_column)
                       ELSE '' END
               || CASE WHEN NOT attnotnull THEN format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL; ', name, tenant_column)
                       ELSE '' END
               || format('SELECT cordon.protect(%L, %L)', name, tenant_column) AS fix
        FROM state
    )
    SELECT 'error', 'unprotected_table', name, format('The table has a column "%s" and no protection.', tenant_column), fix
    FROM mended WHERE NOT is_registered AND NOT has_floor AND NOT has_protected_parent
    UNION ALL
    SELECT 'error', 'unprotected_child', name, 'The parent is protected, but not this partition or child, which can be read directly.',
           fix
    FROM mended WHERE NOT is_registered AND NOT has_floor AND has_protected_parent
    UNION ALL
    SELECT 'error', 'registration_stale', p.relation::text,
           format('It is registered with the tenant column "%s", which it does not have: nothing here looks at it.', p.tenant_column),
           format('SELECT cordon.protect(%L, ''...'')', p.relation)
    FROM cordon.protected_table p JOIN pg_class c ON c.oid = p.relation
    WHERE p.relation NOT IN (SELECT relation FROM cordon_internal.registered())
    UNION ALL
    SELECT 'error', 'row_security_off', name, 'Row security is off: every session sees every row.', fix
    FROM mended WHERE (is_registered OR has_floor) AND NOT relrowsecurity
    UNION ALL
    SELECT 'error', 'row_security_not_forced', name, 'Row security is not forced: the owner sees every row.', fix
    FROM mended WHERE (is_registered OR has_floor) AND relrowsecurity AND NOT relforcerowsecurity
    UNION ALL
    SELECT 'error', 'policy_altered', name, 'A policy of pg_cordon is missing or is not what cordon.protect made it.', fix
    FROM mended WHERE is_registered AND (NOT has_floor OR is_altered)
    UNION ALL
    SELECT 'error', 'role_policy_without_floor', name, format('Policies for single roles (%s) permit what no floor limits.', role_policies),
           fix
    FROM mended WHERE role_policies IS NOT NULL AND NOT has_floor
    UNION ALL
    SELECT 'error', 'nullable_tenant', name, format('Column "%s" may be null.', tenant_column),
           format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', name, tenant_column)
    FROM mended WHERE is_registered AND NOT attnotnull
    UNION ALL
    SELECT 'warning', 'no_tenant_index', name, format('No valid btree index leads with "%s": each query reads the whole table.', tenant_column),
           format('CREATE INDEX CONCURRENTLY ON %s (%I)', name, tenant_column)
    FROM mended WHERE (is_registered OR has_floor) AND cordon.lacks_tenant_index(relation, tenant_column)
    $$;
COMMENT ON FUNCTION cordon.audit_tables() IS 'findings on tables with a tenant column: protection and indexes';

CREATE OR REPLACE FUNCTION cordon.audit_keys() RETURNS SETOF cordon.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    -- A unique key without the tenant tells that another tenant has the value. Primary keys are left alone: they are
    -- surrogates, as a rule, that tell nothing.
    SELECT 'info', 'unique_without_tenant', i.indexrelid::regclass::text,
           format('Unique on "%s" without "%s": an insert that fails tells that another tenant has the value.',
                  i.indrelid::regclass, t.tenant_column),
           CASE WHEN k.oid IS NULL
                THEN format('CREATE UNIQUE INDEX ON %s (%I, %s); DROP INDEX %s', i.indrelid::regclass, t.tenant_column, cols.list,
                            i.indexrelid::regclass)
                WHEN k.contype = 'x'
                THEN format('ALTER TABLE %s DROP CONSTRAINT %I, ADD %s', i.indrelid::regclass, k.conname,
                            regexp_replace(pg_get_constraintdef(k.oid), '^(EXCLUDE USING \w+ \()', format('\1%I WITH =, ', t.tenant_column)))
                ELSE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD UNIQUE (%I, %s)', i.indrelid::regclass, k.conname,
                            t.tenant_column, cols.list)
           END
    FROM cordon.tenant_tables() t
    JOIN pg_index i ON i.indrelid = t.relation AND (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary
    JOIN pg_attribute a ON a.attrelid = t.relation AND a.attname = t.tenant_column
    LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('u', 'x') AND k.conparentid = 0
    CROSS JOIN LATERAL (
        SELECT string_agg(pg_get_indexdef(i.indexrelid, n, true), ', ' ORDER BY n) AS list
        FROM generate_series(1, i.indnkeyatts) n
    ) cols
    WHERE t.is_registered AND a.attnum <> ALL (i.indkey::int2[])
        AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = i.indexrelid)
    UNION ALL
    SELECT 'warning', 'foreign_key_crosses_tenants', format('%s on %s', k.constraint_name, k.from_table),
           concat_ws(' ', format('It refers to %s without the tenant: a row may refer to another tenant''s, which tells that it exists.',
                                 k.to_table), k.note),
           -- As one statement, for a table that nobody uses meanwhile; the list itself has the ones for a busy one.
           nullif(replace(array_to_string(k.migration, '; '), ' CONCURRENTLY', ''), '')
    FROM cordon.foreign_keys(count_rows => false) k
    UNION ALL
    -- Row security lets only leakproof conditions go before its own, so an index that serves others serves nobody here,
    -- unless it leads with the tenant.
    SELECT 'info', 'index_not_leakproof', i.indexrelid::regclass::text,
           format('Its conditions are not leakproof, so that under row security on "%s" it is not used, unless "%s" leads it.',
                  i.indrelid::regclass, t.tenant_column),
           format('CREATE INDEX ON %s (%I, %s); DROP INDEX %s', i.indrelid::regclass, t.tenant_column, cols.list,
                  i.indexrelid::regclass)
    FROM cordon.tenant_tables() t
    JOIN pg_index i ON i.indrelid = t.relation AND NOT i.indisunique AND NOT i.indisexclusion
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree'
    JOIN pg_opclass o ON o.oid = i.indclass[0]
    CROSS JOIN LATERAL (
        SELECT string_agg(pg_get_indexdef(i.indexrelid, n, true), ', ' ORDER BY n) AS list
        FROM generate_series(1, i.indnkeyatts) n
    ) cols
    WHERE t.is_registered AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = i.indexrelid)
        AND (i.indkey[0] = 0 AND EXISTS (
                 SELECT FROM pg_depend d JOIN pg_proc p ON p.oid = d.refobjid
                 WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refclassid = 'pg_proc'::regclass
                     AND NOT p.proleakproof
                 UNION ALL
                 -- Functions of initdb have no dependencies recorded; the tree names them.
                 SELECT FROM regexp_matches(i.indexprs::text, ':funcid (\d+)', 'g') f
                 JOIN pg_proc p ON p.oid = f[1]::oid WHERE NOT p.proleakproof)
             OR EXISTS (
                 SELECT FROM pg_amop e JOIN pg_operator q ON q.oid = e.amopopr JOIN pg_proc p ON p.oid = q.oprcode
                 WHERE e.amopfamily = o.opcfamily AND e.amopstrategy = 3 AND e.amoplefttype = o.opcintype
                     AND e.amoprighttype = o.opcintype AND NOT p.proleakproof))
    $$;
COMMENT ON FUNCTION cordon.audit_keys() IS 'findings on the unique keys and indexes of protected tables';

CREATE OR REPLACE FUNCTION cordon.bypasses(role oid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE oid = role $$;
COMMENT ON FUNCTION cordon.bypasses(oid) IS 'whether row security does not apply to a role';

-- The roles that somebody connects as. The bootstrap superuser is the DBA's own.
CREATE OR REPLACE FUNCTION cordon.audit_roles(app_role oid DEFAULT NULL) RETURNS SETOF cordon.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH login AS (
        SELECT oid, rolname, rolsuper, rolbypassrls, CASE WHEN oid = app_role THEN 'error' ELSE 'warning' END AS severity
        FROM pg_roles
        WHERE CASE WHEN app_role IS NULL THEN rolcanlogin AND oid <> 10 ELSE oid = app_role END
    )
    SELECT severity, 'superuser', rolname::text, 'Row security does not apply to the role, and it may read the keyring.',
           format('ALTER ROLE %I NOSUPERUSER', rolname)
    FROM login WHERE rolsuper
    UNION ALL
    SELECT severity, 'bypasses_row_security', rolname::text, 'Row security does not apply to the role.',
           format('ALTER ROLE %I NOBYPASSRLS', rolname)
    FROM login WHERE rolbypassrls AND NOT rolsuper
    UNION ALL
    SELECT severity, 'may_become_bypassing_role', l.rolname::text,
           format('The role may SET ROLE to "%s", to which row security does not apply.', b.rolname),
           format('REVOKE %I FROM %I', b.rolname, coalesce(via.rolname, l.rolname))
    FROM login l
    JOIN pg_roles b ON (b.rolsuper OR b.rolbypassrls) AND b.oid <> l.oid AND pg_has_role(l.oid, b.oid, 'MEMBER')
    -- The membership to revoke: the last step of the way.
    LEFT JOIN LATERAL (
        SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
        WHERE m.roleid = b.oid AND pg_has_role(l.oid, m.member, 'MEMBER') LIMIT 1
    ) via ON true
    WHERE NOT l.rolsuper AND NOT l.rolbypassrls
    UNION ALL
    SELECT CASE WHEN app_role IS NULL THEN 'info' ELSE 'error' END, 'owns_protected_table', l.rolname::text,
           format('The role owns "%s", and may switch its row security off.', p.relation),
           format('ALTER TABLE %s OWNER TO CURRENT_USER; GRANT SELECT, INSERT, UPDATE, DELETE ON %1$s TO %I', p.relation,
                  o.rolname)
    FROM login l
    JOIN pg_class c ON pg_has_role(l.oid, c.relowner, 'MEMBER')
    JOIN cordon_internal.registered() p ON p.relation = c.oid
    JOIN pg_roles o ON o.oid = c.relowner
    WHERE NOT l.rolsuper
    $$;
COMMENT ON FUNCTION cordon.audit_roles(oid) IS
    'findings on the roles that may log in, or on one: whether row security applies to them, and whether they may change that';

CREATE OR REPLACE FUNCTION cordon.audit_privileges() RETURNS SETOF cordon.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE g.privilege_type WHEN 'TRUNCATE' THEN 'error' ELSE 'warning' END,
           lower(g.privilege_type) || '_granted', p.relation::regclass::text,
           CASE g.privilege_type
               WHEN 'TRUNCATE' THEN format('%s may empty the table for every tenant: row security does not apply to TRUNCATE.', g.who)
               WHEN 'REFERENCES' THEN format('%s may find out by a foreign key which keys other tenants have.', g.who)
               ELSE format('%s may attach a trigger that runs as whoever writes, of every tenant.', g.who)
           END,
           format('REVOKE %s ON %s FROM %s', g.privilege_type, p.relation::regclass, g.who)
    FROM cordon_internal.registered() p
    JOIN pg_class c ON c.oid = p.relation
    CROSS JOIN LATERAL (
        SELECT a.privilege_type, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS who
        FROM aclexplode(c.relacl) a
        WHERE a.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER') AND a.grantee <> c.relowner
            AND NOT coalesce(cordon.bypasses(a.grantee), false)
    ) g
    $$;
COMMENT ON FUNCTION cordon.audit_privileges() IS 'findings on privileges that row security does not limit';

CREATE OR REPLACE FUNCTION cordon.audit_views() RETURNS SETOF cordon.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    -- Views and materialized views over protected tables, at any depth.
    WITH RECURSIVE over AS (
        SELECT relation::oid AS oid FROM cordon_internal.registered()
        UNION
        SELECT r.ev_class FROM over
        JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = over.oid AND d.classid = 'pg_rewrite'::regclass
        JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> over.oid
    ),
    view AS (
        SELECT c.oid, c.oid::regclass::text AS name, c.relkind, c.relowner, c.relacl, c.reloptions
        FROM over JOIN pg_class c ON c.oid = over.oid AND c.relkind IN ('v', 'm')
    )
    SELECT CASE WHEN cordon.bypasses(relowner) THEN 'error' ELSE 'warning' END, 'view_without_security_invoker', name,
           CASE WHEN cordon.bypasses(relowner)
                THEN 'It reads as its owner, to whom row security does not apply: it shows the rows of every tenant.'
                ELSE 'It reads as its owner: it would show the rows of every tenant if that role were one that bypasses row security.'
           END,
           format('ALTER VIEW %s SET (security_invoker = true)', name)
    FROM view
    WHERE relkind = 'v' AND NOT coalesce(reloptions && ARRAY['security_invoker=true', 'security_invoker=on',
                                                            'security_invoker=1', 'security_invoker=yes'], false)
    UNION ALL
    SELECT 'error', 'materialized_view', name, format('It holds rows of every tenant that its owner saw, and %s may read it.', g.who),
           format('REVOKE ALL ON %s FROM %s', name, g.who)
    FROM view CROSS JOIN LATERAL (
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS who
        FROM aclexplode(view.relacl) a WHERE a.grantee <> view.relowner AND NOT coalesce(cordon.bypasses(a.grantee), false)
    ) g
    WHERE relkind = 'm'
    $$;
COMMENT ON FUNCTION cordon.audit_views() IS 'findings on views and materialized views over protected tables';

CREATE OR REPLACE FUNCTION cordon.audit_functions() RETURNS SETOF cordon.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH definer AS (
        SELECT p.oid, p.oid::regprocedure::text AS name, p.prokind, n.nspname, p.proconfig, cordon.bypasses(p.proowner) AS bypasses,
               CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS kind
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'cordon')
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    )
    SELECT 'warning', 'definer_bypasses', name, 'SECURITY DEFINER as a role to which row security does not apply: it sees every tenant''s rows.',
           format('ALTER %s %s SECURITY INVOKER', kind, name)
    FROM definer WHERE bypasses
    UNION ALL
    SELECT CASE WHEN bypasses THEN 'error' ELSE 'warning' END, 'definer_without_search_path', name,
           'SECURITY DEFINER with the caller''s search_path: the caller may put objects of its own in the way.',
           format('ALTER %s %s SET search_path = pg_catalog, %I, pg_temp', kind, name, nspname)
    FROM definer WHERE NOT coalesce(proconfig::text, '') ~ 'search_path='
    $$;
COMMENT ON FUNCTION cordon.audit_functions() IS 'findings on SECURITY DEFINER functions';

CREATE OR REPLACE FUNCTION cordon.audit_settings() RETURNS SETOF cordon.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT 'error', 'persisted_tenant', concat_ws(' in ', r.rolname, d.datname),
           'A tenant is there before the application says anything.',
           CASE WHEN s.setrole = 0 THEN format('ALTER DATABASE %I RESET %s', d.datname, setting.name)
                WHEN s.setdatabase = 0 THEN format('ALTER ROLE %I RESET %s', r.rolname, setting.name)
                ELSE format('ALTER ROLE %I IN DATABASE %I RESET %s', r.rolname, d.datname, setting.name)
           END
    FROM (SELECT current_setting('cordon.tenant_setting') AS name) setting
    CROSS JOIN pg_db_role_setting s
    LEFT JOIN pg_roles r ON r.oid = s.setrole
    LEFT JOIN pg_database d ON d.oid = s.setdatabase
    WHERE EXISTS (SELECT FROM unnest(s.setconfig) c WHERE lower(split_part(c, '=', 1)) = lower(setting.name)
                  AND split_part(c, '=', 2) <> '')
    UNION ALL
    SELECT 'info', 'guard_not_enabled', current_database()::text,
           'Tables are protected, but DDL that would leave one open goes unnoticed until the next audit.',
           'SELECT cordon.enable_guard()'
    WHERE EXISTS (SELECT FROM cordon_internal.registered())
        AND NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'cordon_guard_ddl' AND evtenabled IN ('O', 'A'))
    UNION ALL
    -- CVE-2023-2455, CVE-2023-39418, CVE-2024-10976, CVE-2025-8713: row security of an earlier plan or user, MERGE,
    -- statistics that show values of hidden rows. CVE-2026-116327: a leaky function goes first. The releases of
    -- 2026-11-12 also mend that a condition of ON CONFLICT DO UPDATE reads a row which row security then refuses (seen
    -- on 15.18, 17.11, 18.6, not on 15.20, whose change for CVE-2026-16237 is the one on ON CONFLICT). The numbers of 16
    -- and 18 are by the calendar.
    SELECT 'warning', 'server_version', 'PostgreSQL ' || current_setting('server_version'),
           format('This minor version has known faults in row security: install PostgreSQL %s.%s or later.', v.major, v.minor),
           NULL
    FROM (VALUES (15, 20), (16, 16), (17, 12), (18, 7)) v (major, minor)
    WHERE current_setting('server_version_num')::int / 10000 = v.major
        AND current_setting('server_version_num')::int % 10000 < v.minor
    UNION ALL
    SELECT 'warning', 'statements_logged', s.name,
           CASE s.name WHEN 'log_statement' THEN 'Statements are logged before they run, with their plaintext: ' ELSE 'Statements that fail before they reach a secret are logged with it: ' END
               || s.name || ' = ' || s.setting || '. With cordon.redact_log = all they are logged without literals.',
           format('ALTER SYSTEM SET %I = %L', s.name, safe.value)
    FROM (VALUES ('log_statement', 'none'), ('log_min_duration_statement', '-1'), ('log_min_duration_sample', '-1'),
                 ('log_transaction_sample_rate', '0'), ('log_min_error_statement', 'panic'),
                 ('log_parameter_max_length_on_error', '0'), ('auto_explain.log_min_duration', '-1')) safe (name, value)
    JOIN pg_settings s ON s.name = safe.name AND s.setting <> safe.value
    WHERE current_setting('cordon.redact_log') <> 'all'
        -- What is logged after it has run is redacted by default.
        AND (s.name = 'log_statement' OR current_setting('cordon.redact_log') = 'off'
             OR s.name IN ('log_min_error_statement', 'log_parameter_max_length_on_error'))
    UNION ALL
    SELECT 'warning', 'log_not_redacted', 'cordon.redact_log',
           'The server log shows the literals and parameters of statements that handle secrets.',
           'ALTER SYSTEM SET cordon.redact_log = ''touched'''
    WHERE current_setting('cordon.redact_log') = 'off'
    $$;
COMMENT ON FUNCTION cordon.audit_settings() IS 'findings on persisted tenants, the version of the server, and logging';

-- By their text, for nothing else tells: text, JSON or hstore made of a row opens its sealed columns without a cast.
CREATE OR REPLACE FUNCTION cordon_internal.serialising_code() RETURNS SETOF cordon.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH sealed AS MATERIALIZED (
        SELECT s.relation, c.relname, string_agg(quote_ident(s.column_name), ', ') AS columns,
               string_agg(regexp_replace(s.column_name, '(\W)', '\\\1', 'g'), '|') AS pattern
        FROM cordon.sealed_columns() s JOIN pg_class c ON c.oid = s.relation GROUP BY s.relation, c.relname
    ),
    code AS MATERIALIZED (
        SELECT p.oid, p.oid::regprocedure::text AS name, coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) AS body,
               p.prorettype = 'trigger'::regtype AS is_trigger
        FROM pg_proc p
        WHERE EXISTS (SELECT FROM sealed) AND p.prokind IN ('f', 'p')
            AND p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    )
    SELECT 'warning', 'trigger_serialises_row', format('trigger %I on %s', t.tgname, s.relation),
           format('By its text %s makes text or JSON of the row, with what is in %s: where that is written, plaintext stands.', p.name,
                  s.columns), NULL
    FROM sealed s JOIN pg_trigger t ON t.tgrelid = s.relation AND NOT t.tgisinternal JOIN code p ON p.oid = t.tgfoid
    WHERE p.body ~* ('\m(to_jsonb?|row_to_json|jsonb?_build_(object|array)|jsonb?_agg|hstore|concat|concat_ws|format|xmlforest|xmlelement)'
                     '\s*\([^;]*\m(new|old)\M(\s*\.\s*(\*|"?(' || s.pattern || ')(?!\w))|(?!\s*\.))')
        OR p.body ~* '\m(new|old)\M\s*(\.\s*\*\s*)?\)?\s*::'
    UNION ALL
    SELECT 'info', 'function_serialises_row', p.name,
           format('By its text it makes JSON or text of rows, and it names %s, where %s is sealed: what it makes is plaintext.',
                  s.relation, s.columns), NULL
    FROM sealed s JOIN code p ON NOT p.is_trigger
    WHERE p.body ~* '\m(to_jsonb?|row_to_json|jsonb?_agg|array_to_json|hstore|(query|table|cursor)_to_xml)\s*\('
        AND p.body ~* ('\m' || regexp_replace(s.relname, '(\W)', '\\\1', 'g') || '\M')
    $$;
COMMENT ON FUNCTION cordon_internal.serialising_code() IS 'findings on triggers and functions that make text of rows with sealed columns';

CREATE OR REPLACE FUNCTION cordon.audit_secrets() RETURNS SETOF cordon.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT f.* FROM cordon_internal.constant_findings() f
    UNION ALL
    SELECT f.* FROM cordon_internal.serialising_code() f
    UNION ALL
    SELECT 'warning', 'plaintext_secret', format('%s.%I', a.attrelid::regclass, a.attname),
           'By its name the column holds secrets, and it holds them in plain text.',
           format('CALL cordon.encrypt_column(%L, %L, finish => true)', a.attrelid::regclass, a.attname)
    FROM cordon_internal.registered() p
    JOIN pg_attribute a ON a.attrelid = p.relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attinhcount = 0
    WHERE a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)
        AND a.attname ~* '(token|secret|password|passwd|api_?key)' AND a.attname <> p.tenant_column
        AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = a.attrelid)
        AND NOT EXISTS (SELECT FROM cordon.conversions c
                        WHERE c.relation = a.attrelid AND a.attname IN (c.column_name, c.new_column))
    UNION ALL
    SELECT 'info', 'conversion_unfinished', format('%s.%I', c.relation, c.column_name),
           format('The column and %I are kept alike: the old values are still there.', c.new_column),
           format('CALL cordon.finish_conversion(%L, %L)', c.relation, c.column_name)
    FROM cordon.conversions c
    $$;
COMMENT ON FUNCTION cordon.audit_secrets() IS
    'findings on sealed columns with constant defaults, on secrets in plain text, code that opens them, and conversions that were not ended';

CREATE OR REPLACE FUNCTION cordon.audit_keyring() RETURNS SETOF cordon.finding
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    sample CONSTANT int := 10000;
    col record;
    used bigint[];
    old bigint;
BEGIN
    -- For those who may see it.
    IF NOT has_table_privilege('cordon.keyring', 'SELECT')
       OR NOT has_function_privilege('cordon.keyring_keys()', 'EXECUTE') THEN
        RETURN;
    END IF;
    IF pg_has_role('pg_read_all_settings', 'USAGE') AND current_setting('cordon.keyring_command') = ''
       AND (current_setting('cordon.keyring_file') !~ '^/'
            OR starts_with(current_setting('cordon.keyring_file'), current_setting('data_directory') || '/')) THEN
        RETURN NEXT ('warning', 'keyring_in_data_directory', current_setting('cordon.keyring_file'),
            'Base backups and snapshots of the data directory hold the keys together with what they lock. Move the file, '
            'name its new place, and reload the server.',
            'ALTER SYSTEM SET cordon.keyring_file = ''/etc/pg_cordon/keyring.json''')::cordon.finding;
    END IF;
    RETURN QUERY
        SELECT 'warning', 'key_age', format('%s key %s', k.purpose, k.id),
               format('The primary key is %s days old; 90 are a common limit.', extract(day FROM k.age)),
               format('SELECT cordon.rotate_key(%L)', k.purpose)
        FROM cordon.keyring k WHERE k.status = 'primary' AND k.age > interval '90 days';

    -- Old keys that values still need, by a look at the first rows of each sealed column: counting all of them is not for
    -- an audit. For superusers, who may look into the tables of everybody.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
       OR NOT EXISTS (SELECT FROM cordon.keyring k WHERE k.purpose IN ('encryption', 'search') AND k.status = 'enabled') THEN
        RETURN;
    END IF;
    FOR col IN
        SELECT s.relation, s.column_name, c.relkind, t.is_shared, t.tenant_column
        FROM cordon_internal.stored_columns() s JOIN pg_class c ON c.oid = s.relation
        LEFT JOIN cordon.sealed_columns() t USING (relation, column_name)
    LOOP
        -- The lock on a table is given up before the next is looked at.
        BEGIN
            used := ARRAY(SELECT k.key_id FROM cordon_internal.table_keys(col.relation, col.column_name, sample) k);
            RAISE SQLSTATE 'CPRVE';
        EXCEPTION WHEN SQLSTATE 'CPRVE' THEN
            NULL;
        END;
        FOR old IN
            SELECT k.id FROM cordon.keyring k WHERE k.status = 'enabled' AND k.id = ANY (used) ORDER BY 1
        LOOP
            RETURN NEXT ('info', 'old_key_in_use', format('%s.%I', col.relation, col.column_name),
                format('Values need key %s, which is not primary any more.', old),
                format(CASE WHEN col.relkind = 'm' THEN 'REFRESH MATERIALIZED VIEW %1$s'
                            WHEN col.is_shared OR col.tenant_column IS NOT NULL THEN 'CALL cordon.reencrypt(%L, %L)'
                            ELSE 'CALL cordon.reencrypt(%L, %L, tenant_column => ''...'')' END,
                       col.relation, col.column_name))::cordon.finding;
        END LOOP;
    END LOOP;
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    RETURN NEXT ('error', 'no_keyring', 'cordon.keyring', SQLERRM, 'SELECT cordon.create_keyring()')::cordon.finding;
END $$;
COMMENT ON FUNCTION cordon.audit_keyring() IS 'findings on the keyring and the use of its keys, for those who may see it';

CREATE OR REPLACE FUNCTION cordon.audit_token_store() RETURNS SETOF cordon.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    -- Not in the registry, whose rows a dump would bring a second time. What is altered here is not in a dump, either.
    SELECT 'error', 'token_store_open', 'cordon.token',
           'The policies of the token store are not what CREATE EXTENSION made: roles with SELECT may see other tenants'' rows.',
           concat_ws('; ',
               (SELECT string_agg(format('DROP POLICY %I ON cordon.token', polname), '; ' ORDER BY polname)
                FROM pg_policy WHERE polrelid = c.oid),
               'ALTER TABLE cordon.token ENABLE ROW LEVEL SECURITY', 'ALTER TABLE cordon.token FORCE ROW LEVEL SECURITY',
               'CREATE POLICY cordon_tenant ON cordon.token USING (tenant = cordon.tenant_text()) WITH CHECK (tenant = cordon.tenant_text())',
               'CREATE POLICY cordon_floor ON cordon.token AS RESTRICTIVE USING (tenant = cordon.tenant_text()) WITH CHECK (tenant = cordon.tenant_text())')
    FROM pg_class c
    WHERE c.oid = 'cordon.token'::regclass
        AND (NOT c.relrowsecurity OR NOT c.relforcerowsecurity OR 2 <> (
            SELECT count(*) FROM pg_policy
            WHERE polrelid = c.oid AND polname = CASE WHEN polpermissive THEN 'cordon_tenant' ELSE 'cordon_floor' END
                AND polcmd = '*' AND polroles = '{0}'
                AND cordon.is_tenant_predicate(polqual, polrelid, 'tenant', 'tenant_text')
                AND cordon.is_tenant_predicate(polwithcheck, polrelid, 'tenant', 'tenant_text')))
    UNION ALL
    SELECT 'warning', 'token_store_writable', 'cordon.token',
           format('%s may change tokens by hand, past the functions: a revoked one can be made valid again.', g.who),
           format('REVOKE %s ON cordon.token FROM %s', g.privileges, g.who)
    FROM (
        SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS who,
               string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) AS privileges
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
        WHERE c.oid = 'cordon.token'::regclass AND a.grantee <> c.relowner AND a.privilege_type <> 'SELECT'
            AND NOT coalesce(cordon.bypasses(a.grantee), false)
        GROUP BY 1
    ) g
    $$;
COMMENT ON FUNCTION cordon.audit_token_store() IS 'findings on the table of the token store: its row security and who may write to it';

CREATE OR REPLACE FUNCTION cordon.audit() RETURNS SETOF cordon.finding
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
    AS $$
BEGIN
    -- Loads the library, if nothing has yet, which defines the settings that are looked at.
    PERFORM cordon.current_tenant();
    RETURN QUERY
        SELECT f.* FROM (
            SELECT * FROM cordon.audit_tables()
            UNION ALL SELECT * FROM cordon.audit_keys()
            UNION ALL SELECT * FROM cordon.audit_roles()
            UNION ALL SELECT * FROM cordon.audit_privileges()
            UNION ALL SELECT * FROM cordon.audit_views()
            UNION ALL SELECT * FROM cordon.audit_functions()
            UNION ALL SELECT * FROM cordon.audit_settings()
            UNION ALL SELECT * FROM cordon.audit_secrets()
            UNION ALL SELECT * FROM cordon.audit_token_store()
            UNION ALL SELECT * FROM cordon.audit_keyring()
        ) f
        ORDER BY array_position(ARRAY['error', 'warning', 'info'], f.severity), f.code, f.object, f.detail;
END $$;
COMMENT ON FUNCTION cordon.audit() IS
    'every hole in the isolation of tenants that the catalog shows, worst first, each with SQL that closes it';

CREATE OR REPLACE FUNCTION cordon.assert_isolated(app_role name) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    role oid := (SELECT oid FROM pg_roles WHERE rolname = app_role);
    found text;
    fixes text;
    number bigint;
BEGIN
    IF role IS NULL THEN
        RAISE undefined_object USING
            MESSAGE = format('role "%s" does not exist', app_role),
            HINT = 'Name the role that the application connects as.';
    END IF;
    SELECT count(*), string_agg(format('%s: %s. %s', f.code, f.object, f.detail), E'\n'), string_agg(f.fix_sql || ';', E'\n')
    INTO number, found, fixes
    FROM (
        SELECT * FROM cordon.audit() WHERE severity = 'error'
        UNION ALL SELECT * FROM cordon.audit_roles(role) WHERE severity = 'error'
    ) f;
    IF number > 0 THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('tenants are not isolated from each other: %s errors', number), DETAIL = found, HINT = fixes;
    END IF;
END $$;
COMMENT ON FUNCTION cordon.assert_isolated(name) IS
    'raises an error when the audit finds one, or when row security does not apply to the application''s role; for CI and '
    'for the start of an application';

