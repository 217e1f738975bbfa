-- What the audit finds on code: views, functions, triggers and rules.

CREATE OR REPLACE FUNCTION cordon_internal.audit_code(app oid[]) RETURNS SETOF cordon_internal.hit
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT * FROM cordon_internal.audit_views()
    UNION ALL SELECT * FROM cordon_internal.audit_functions(app)
    UNION ALL SELECT * FROM cordon_internal.serialising_code()
    UNION ALL
    SELECT 'warning', 'rule_on_protected', format('rule %I on %s', w.rulename, w.ev_class::regclass),
           'It does more than the statement says, with the rights of the table''s owner.',
           format('DROP RULE %I ON %s', w.rulename, w.ev_class::regclass), 'pg_class'::regclass::oid, w.ev_class, 0
    FROM cordon_internal.registered() r JOIN pg_rewrite w ON w.ev_class = r.relation
    $$;
COMMENT ON FUNCTION cordon_internal.audit_code(oid[]) IS 'findings on views, functions, triggers and rules';

CREATE OR REPLACE FUNCTION cordon_internal.audit_views() RETURNS SETOF cordon_internal.hit
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
        SELECT c.oid, c.oid::regclass::text AS name, c.relkind, c.relowner, c.relacl, c.reloptions,
               -- As PostgreSQL reads a boolean, in every spelling.
               coalesce((SELECT o.option_value::boolean FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = 'security_invoker'),
                        false) AS is_invoker
        FROM over JOIN pg_class c ON c.oid = over.oid AND c.relkind IN ('v', 'm')
    )
    SELECT CASE WHEN cordon.bypasses(relowner) THEN 'error' ELSE 'warning' END, 'view_without_security_invoker', name,
           CASE WHEN cordon.bypasses(relowner)
                THEN 'It reads as its owner, to whom row security does not apply: it shows the rows of every tenant.'
                ELSE 'It reads as its owner: it would show the rows of every tenant if that role were one that bypasses row security.'
           END,
           format('ALTER VIEW %s SET (security_invoker = true)', name), 'pg_class'::regclass::oid, oid, 0
    FROM view
    WHERE relkind = 'v' AND NOT is_invoker
    UNION ALL
    SELECT 'error', 'materialized_view', name, format('It holds rows of every tenant that its owner saw, and %s may read it.', g.who),
           format('REVOKE ALL ON %s FROM %s', name, g.who), 'pg_class'::regclass, oid, 0
    FROM view CROSS JOIN LATERAL (
        SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS who
        FROM aclexplode(view.relacl) a WHERE a.grantee <> view.relowner AND NOT coalesce(cordon.bypasses(a.grantee), false)
    ) g
    WHERE relkind = 'm'
    UNION ALL
    SELECT 'error', 'column_granted', format('%s.%I', view.name, g.attname),
           format('The materialized view holds rows of every tenant that its owner saw, and %s may read the column.', g.who),
           format('REVOKE ALL (%I) ON %s FROM %s', g.attname, view.name, g.who), 'pg_class'::regclass, view.oid, 0
    FROM view CROSS JOIN LATERAL (
        SELECT DISTINCT t.attname, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS who
        FROM pg_attribute t CROSS JOIN LATERAL aclexplode(t.attacl) a
        WHERE t.attrelid = view.oid AND NOT t.attisdropped AND a.grantee <> view.relowner AND NOT coalesce(cordon.bypasses(a.grantee), false)
    ) g
    WHERE view.relkind = 'm'
    $$;
COMMENT ON FUNCTION cordon_internal.audit_views() IS 'findings on views and materialized views over protected tables';

CREATE OR REPLACE FUNCTION cordon_internal.audit_functions(app oid[]) RETURNS SETOF cordon_internal.hit
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH code AS MATERIALIZED (
        SELECT p.oid, p.oid::regprocedure::text AS name, n.nspname, p.proconfig, p.prosecdef, p.proleakproof, cordon.bypasses(p.proowner) AS bypasses,
               CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS kind,
               (SELECT bool_or(has_function_privilege(r, p.oid, 'EXECUTE')) FROM unnest(app) r) AS is_reached
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.prokind <> 'a' AND (p.prosecdef OR p.proleakproof OR p.proconfig IS NOT NULL)
            AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'cordon', 'cordon_internal')
            AND NOT cordon_internal.is_own('pg_proc'::regclass, p.oid)
    ),
    definer AS (
        SELECT c.*, (SELECT regexp_split_to_array(substr(o, 13), '\s*,\s*') FROM unnest(c.proconfig) o WHERE o LIKE 'search\_path=%') AS path
        FROM code c
        WHERE c.prosecdef
            -- What cordon.resolver makes gives a tenant, and nothing else.
            AND coalesce(pg_get_function_sqlbody(c.oid) !~ '^RETURN cordon_internal\.resolve\(''([^'']|'''')+''::regclass, ''([^'']|'''')+''::name, key\)$', true)
    )
    SELECT CASE WHEN is_reached THEN 'error' ELSE 'warning' END, 'definer_bypasses', name,
           'SECURITY DEFINER as a role to which row security does not apply: it sees every tenant''s rows.',
           format('ALTER %s %s SECURITY INVOKER', kind, name), 'pg_proc'::regclass::oid, oid, 0
    FROM definer WHERE bypasses
    UNION ALL
    SELECT CASE WHEN bypasses AND is_reached THEN 'error' ELSE 'warning' END, 'definer_search_path', name,
           CASE WHEN path IS NULL THEN 'SECURITY DEFINER with the caller''s search_path: the caller may put objects of its own in the way.'
                WHEN NOT 'pg_temp' = ANY (path) THEN 'SECURITY DEFINER with a search_path that does not end with pg_temp: temporary tables of the caller come first.'
                ELSE 'SECURITY DEFINER with a search_path where the caller may put objects of its own in the way.' END,
           format('ALTER %s %s SET search_path = pg_catalog, %spg_temp', kind, name,
                  CASE WHEN has_schema_privilege(0, nspname, 'CREATE') THEN '' ELSE quote_ident(nspname) || ', ' END), 'pg_proc'::regclass, oid, 0
    FROM definer
    WHERE path IS NULL OR path[cardinality(path)] <> 'pg_temp' OR path[1:cardinality(path) - 1] && ARRAY['pg_temp', '"$user"']
        OR EXISTS (SELECT FROM pg_namespace s WHERE quote_ident(s.nspname) = ANY (path) AND has_schema_privilege(0, s.oid, 'CREATE'))
    UNION ALL
    SELECT 'warning', 'leakproof_function', name,
           'LEAKPROOF, so that it is called with the rows of every tenant before row security has chosen: what it prints or raises tells of them.',
           format('ALTER %s %s NOT LEAKPROOF', kind, name), 'pg_proc'::regclass, oid, 0
    FROM code WHERE proleakproof
    UNION ALL
    SELECT CASE WHEN is_reached THEN 'error' ELSE 'warning' END, 'function_sets_tenant', name,
           'It sets the tenant by itself, for whoever calls it.',
           format('ALTER %s %s RESET %s', kind, name, current_setting('cordon.tenant_setting')), 'pg_proc'::regclass, oid, 0
    FROM code WHERE EXISTS (SELECT FROM unnest(proconfig) o WHERE lower(split_part(o, '=', 1)) = lower(current_setting('cordon.tenant_setting')))
    $$;
COMMENT ON FUNCTION cordon_internal.audit_functions(oid[]) IS 'findings on functions that run as others, leak, or set the tenant';

-- By their text, for nothing else tells: text, JSON or hstore made of a row opens its sealed columns without a cast.
CREATE OR REPLACE FUNCTION cordon_internal.serialising_code() RETURNS SETOF cordon_internal.hit
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
            AND NOT cordon_internal.is_own('pg_proc'::regclass, p.oid)
    )
    SELECT 'warning', 'trigger_serialises_row', format('trigger %I on %s', t.tgname, s.relation),
           format('By its text %s makes text or JSON of the row, with what is in %s: where that is written, plaintext stands.', p.name,
                  s.columns), NULL, 'pg_class'::regclass::oid, s.relation::oid, 0
    FROM sealed s JOIN pg_trigger t ON t.tgrelid = s.relation AND NOT t.tgisinternal JOIN code p ON p.oid = t.tgfoid
    WHERE p.body ~* ('\m(to_jsonb?|row_to_json|jsonb?_build_(object|array)|jsonb?_agg|hstore|concat|concat_ws|format|xmlforest|xmlelement)'
                     '\s*\([^;]*\m(new|old)\M(\s*\.\s*(\*|"?(' || s.pattern || ')(?!\w))|(?!\s*\.))')
        OR p.body ~* '\m(new|old)\M\s*(\.\s*\*\s*)?\)?\s*::'
        OR p.body ~* '\mcast\s*\(\s*(new|old)\M\s*(\.\s*\*\s*)?as\M'
        OR p.body ~* '\mraise\M[^;]*,\s*(new|old)\M\s*[,;]'
        -- The row under another name.
        OR p.body ~* '(:=|=)\s*(new|old)\s*;' AND p.body ~* '\m(to_jsonb?|row_to_json|hstore)\s*\('
        -- Rows of the statement, by the names that the trigger gives them.
        OR coalesce(t.tgnewtable, t.tgoldtable) IS NOT NULL
            AND p.body ~* '\m(to_jsonb?|row_to_json|jsonb?_agg|array_to_json|hstore)\s*\('
    UNION ALL
    SELECT 'info', 'function_serialises_row', p.name,
           format('By its text it makes JSON or text of rows, and it names %s, where %s is sealed: what it makes is plaintext.',
                  s.relation, s.columns), NULL, 'pg_proc'::regclass, p.oid, 0
    FROM sealed s JOIN code p ON NOT p.is_trigger
    WHERE p.body ~* '\m(to_jsonb?|row_to_json|jsonb?_agg|array_to_json|hstore|(query|table|cursor)_to_xml)\s*\('
        AND p.body ~* ('\m' || regexp_replace(s.relname, '(\W)', '\\\1', 'g') || '\M')
    $$;
COMMENT ON FUNCTION cordon_internal.serialising_code() IS 'findings on triggers and functions that make text of rows with sealed columns';
