-- What the audit finds on tables: whether they are protected, and whether those are that should be.

CREATE OR REPLACE FUNCTION cordon_internal.audit_tables(app oid[]) RETURNS SETOF cordon_internal.hit
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
    SELECT 'error', 'unprotected_table', name, format('The table has a column "%s" and no protection.', tenant_column), fix, 'pg_class'::regclass::oid, relation, 0
    FROM mended WHERE NOT is_registered AND NOT has_floor AND NOT has_protected_parent
    UNION ALL
    SELECT 'error', 'unprotected_child', name, 'The parent is protected, but not this partition or child, which can be read directly.',
           fix, 'pg_class'::regclass::oid, relation, 0
    FROM mended WHERE NOT is_registered AND NOT has_floor AND has_protected_parent
    UNION ALL
    SELECT 'error', 'registration_stale', p.relation::text,
           format('It is registered with the tenant column "%s", which it does not have: nothing here looks at it.', p.tenant_column),
           NULL, 'pg_class'::regclass, p.relation, 0
    FROM cordon.protected_table p JOIN pg_class c ON c.oid = p.relation
    WHERE p.relation NOT IN (SELECT relation FROM cordon_internal.registered())
    UNION ALL
    SELECT 'error', 'row_security_off', name, 'Row security is off: every session sees every row.', fix, 'pg_class'::regclass::oid, relation, 0
    FROM mended WHERE (is_registered OR has_floor) AND NOT relrowsecurity
    UNION ALL
    SELECT 'error', 'row_security_not_forced', name, 'Row security is not forced: the owner sees every row.', fix, 'pg_class'::regclass::oid, relation, 0
    FROM mended WHERE (is_registered OR has_floor) AND relrowsecurity AND NOT relforcerowsecurity
    UNION ALL
    SELECT 'error', 'policy_altered', name, 'A policy of pg_cordon is missing or is not what cordon.protect made it.', fix, 'pg_class'::regclass::oid, relation, 0
    FROM mended WHERE is_registered AND (NOT has_floor OR is_altered)
    UNION ALL
    SELECT 'error', 'role_policy_without_floor', name, format('Policies for single roles (%s) permit what no floor limits.', role_policies),
           fix, 'pg_class'::regclass::oid, relation, 0
    FROM mended WHERE role_policies IS NOT NULL AND NOT has_floor
    UNION ALL
    SELECT 'error', 'nullable_tenant', name, format('Column "%s" may be null.', tenant_column),
           format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', name, tenant_column), 'pg_class'::regclass::oid, relation, 0
    FROM mended WHERE is_registered AND NOT attnotnull
    UNION ALL
    SELECT 'warning', 'no_tenant_index', name, format('No valid btree index leads with "%s": each query reads the whole table.', tenant_column),
           format('CREATE INDEX CONCURRENTLY ON %s (%I)', name, tenant_column), 'pg_class'::regclass::oid, relation, 0
    FROM mended WHERE (is_registered OR has_floor) AND cordon.lacks_tenant_index(relation, tenant_column)
    UNION ALL
    -- Whoever reads the parent reads the rows of its children, under the parent's policies.
    SELECT 'error', 'unprotected_parent', i.inhparent::regclass::text,
           format('Its child %s is protected, and who reads the parent reads the child''s rows past that.', i.inhrelid::regclass),
           format('SELECT cordon.protect(%L, %L)', i.inhparent::regclass, r.tenant_column), 'pg_class'::regclass, i.inhparent, 0
    FROM cordon_internal.registered() r JOIN pg_inherits i ON i.inhrelid = r.relation
    WHERE i.inhparent NOT IN (SELECT relation FROM cordon_internal.registered())
    UNION ALL
    SELECT * FROM cordon_internal.audit_other_tables(app)
    $$;
COMMENT ON FUNCTION cordon_internal.audit_tables(oid[]) IS 'findings on tables: protection and indexes';

CREATE OR REPLACE FUNCTION cordon_internal.audit_other_tables(app oid[]) RETURNS SETOF cordon_internal.hit
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH RECURSIVE tenant AS MATERIALIZED (SELECT * FROM cordon.tenant_tables()),
    -- Tables of users' that nothing here protects: neither partitions and children, which go with their parents, nor the tables of
    -- tenants, which are registered by their key or not at all.
    other AS MATERIALIZED (
        SELECT c.oid, c.oid::regclass::text AS name, c.relkind
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
            AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'cordon', 'cordon_internal') AND n.nspname !~ '^pg_toast'
            AND NOT cordon_internal.is_own('pg_class'::regclass, c.oid)
            AND NOT EXISTS (SELECT FROM tenant t WHERE t.relation = c.oid)
    ),
    child AS (
        SELECT o.oid, k.confrelid AS parent
        FROM cordon_internal.registered() r
        JOIN pg_constraint k ON k.confrelid = r.relation AND k.contype = 'f' AND k.conparentid = 0
        JOIN other o ON o.oid = k.conrelid
        UNION
        SELECT o.oid, k.confrelid FROM child
        JOIN pg_constraint k ON k.confrelid = child.oid AND k.contype = 'f' AND k.conparentid = 0
        JOIN other o ON o.oid = k.conrelid
    )
    SELECT CASE WHEN cordon_internal.reaches(app, o.oid) THEN 'error' ELSE 'warning' END, 'child_without_tenant', o.name,
           format('Its rows belong to tenants through %s, and it has no column "%s" of its own: who may read it reads every tenant''s.',
                  string_agg(DISTINCT c.parent::regclass::text, ', '), cordon_internal.setting_column()),
           -- The tables above it first.
           (SELECT format('CALL cordon.add_tenant_column(%L, %L)', o.name, min(k.conname))
            FROM pg_constraint k JOIN cordon_internal.registered() r ON r.relation = k.confrelid
            WHERE k.conrelid = o.oid AND k.contype = 'f'),
           'pg_class'::regclass::oid, o.oid, 0
    FROM child c JOIN other o ON o.oid = c.oid
    WHERE cordon_internal.reaches(app, o.oid) OR cordon_internal.is_granted(o.oid)
    GROUP BY o.oid, o.name
    UNION ALL
    SELECT CASE WHEN o.relkind = 'f' AND EXISTS (SELECT FROM pg_inherits i JOIN tenant t ON t.relation = i.inhparent WHERE i.inhrelid = o.oid)
                     AND cordon_internal.reaches(app, o.oid) THEN 'error' ELSE 'warning' END,
           CASE o.relkind WHEN 'f' THEN 'foreign_table' ELSE 'no_tenant' END, o.name,
           CASE o.relkind WHEN 'f' THEN 'Row security does not apply to a foreign table: who may read it reads what the other server shows it.'
                ELSE 'It has no tenant column, and the application may read it.' END
               || format(' If it is the same for all tenants, say so: SECURITY LABEL FOR pg_cordon ON %sTABLE %s IS ''shared: ...''.',
                         CASE o.relkind WHEN 'f' THEN 'FOREIGN ' ELSE '' END, o.name),
           NULL, 'pg_class'::regclass, o.oid, 0
    FROM other o
    WHERE o.oid NOT IN (SELECT oid FROM child)
        AND (o.relkind = 'f' OR NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = o.oid))
        AND EXISTS (SELECT FROM cordon_internal.registered())
        AND (cordon_internal.reaches(app, o.oid) OR cordon_internal.is_granted(o.oid))
    UNION ALL
    SELECT 'error', 'nothing_protected', current_database()::text,
           'There are tables, and none is protected: cordon.protect was never called here, or a restore has lost what it wrote down.',
           NULL, 'pg_database'::regclass, (SELECT oid FROM pg_database WHERE datname = current_database()), 0
    WHERE NOT EXISTS (SELECT FROM cordon.protected_table) AND EXISTS (
        SELECT FROM other o WHERE cordon_internal.reaches(app, o.oid) OR cordon_internal.is_granted(o.oid))
    UNION ALL
    -- Else a new table with the tenants' column is one of "other".
    SELECT 'error', 'tenant_setting', current_setting('cordon.tenant_setting'),
           format('By the setting''s name the tenant column is "%s", and no protected table has it: a table that is not protected is not found by it.',
                  cordon_internal.setting_column()),
           NULL, 'pg_database'::regclass, (SELECT oid FROM pg_database WHERE datname = current_database()), 0
    FROM (SELECT count(*) AS tables, count(*) FILTER (WHERE r.tenant_column = cordon_internal.setting_column()) AS named
          FROM cordon_internal.registered() r JOIN pg_attribute a ON a.attrelid = r.relation AND a.attname = r.tenant_column
          WHERE NOT cordon_internal.is_key(r.relation, a.attnum)) n
    WHERE n.tables > 0 AND n.named = 0
    $$;
COMMENT ON FUNCTION cordon_internal.audit_other_tables(oid[]) IS 'findings on tables without a tenant column of their own';

CREATE OR REPLACE FUNCTION cordon_internal.index_led_by(index oid, column_name name) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    -- As PostgreSQL writes it, which has the name, the table, and the access method in front of the columns, and what follows
    -- them: INCLUDE, NULLS NOT DISTINCT, WITH, WHERE. The tablespace stands before WHERE, and it does not write that.
    SELECT concat(CASE WHEN i.indisunique THEN 'CREATE UNIQUE INDEX ON ' ELSE 'CREATE INDEX ON ' END, d.place,
                  quote_ident(index_led_by.column_name), ', ',
                  left(d.rest, length(d.rest) - length(d.condition)), ' TABLESPACE ' || quote_ident(s.spcname), d.condition)
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_class t ON t.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    JOIN pg_am m ON m.oid = c.relam
    LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
    CROSS JOIN LATERAL (
        SELECT p.place, coalesce(' WHERE ' || pg_get_expr(i.indpred, i.indrelid), '') AS condition,
               substr(pg_get_indexdef(index), 1 + length(format('CREATE %sINDEX %I ON ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, c.relname))
                      + length(p.place)) AS rest
        FROM (SELECT format('%s%I.%I USING %s (', CASE t.relkind WHEN 'p' THEN 'ONLY ' ELSE '' END, n.nspname, t.relname, m.amname) AS place) p
    ) d
    WHERE i.indexrelid = index
    $$;
COMMENT ON FUNCTION cordon_internal.index_led_by(oid, name) IS
    'the statement that makes an index like one that is there, but led by a column, and with a name of PostgreSQL''s choice';

CREATE OR REPLACE FUNCTION cordon_internal.audit_keys() RETURNS SETOF cordon_internal.hit
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    -- A unique key without the tenant tells that another tenant has the value. Primary keys are left alone: they are
    -- surrogates, as a rule, that tell nothing.
    SELECT 'info', 'unique_without_tenant', i.indexrelid::regclass::text,
           format('Unique on "%s" without "%s": an insert that fails tells that another tenant has the value.',
                  i.indrelid::regclass, t.tenant_column),
           CASE WHEN k.oid IS NULL
                THEN format('%s; DROP INDEX %s', cordon_internal.index_led_by(i.indexrelid, t.tenant_column), i.indexrelid::regclass)
                WHEN k.contype = 'x'
                THEN format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %s', i.indrelid::regclass, k.conname,
                            regexp_replace(pg_get_constraintdef(k.oid), '^(EXCLUDE USING \w+ \()', format('\1%I WITH =, ', t.tenant_column)))
                ELSE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %s', i.indrelid::regclass, k.conname,
                            regexp_replace(pg_get_constraintdef(k.oid), '^(UNIQUE (NULLS NOT DISTINCT )?\()',
                                           format('\1%s, ', replace(quote_ident(t.tenant_column), '\', '\\'))))
           END, 'pg_class'::regclass::oid, t.relation, 0
    FROM cordon.tenant_tables() t
    JOIN pg_index i ON i.indrelid = t.relation AND (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary
    JOIN pg_attribute a ON a.attrelid = t.relation AND a.attname = t.tenant_column
    LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('u', 'x') AND k.conparentid = 0
    WHERE t.is_registered AND a.attnum <> ALL (i.indkey::int2[])
        AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = i.indexrelid)
    UNION ALL
    SELECT 'warning', 'foreign_key_crosses_tenants', format('%s on %s', k.constraint_name, k.from_table),
           concat_ws(' ', format('It refers to %s without the tenant: a row may refer to another tenant''s, which tells that it exists.',
                                 k.to_table), k.note),
           -- As one statement, for a table that nobody uses meanwhile; the list itself has the ones for a busy one.
           nullif(replace(array_to_string(k.migration, '; '), ' CONCURRENTLY', ''), ''), 'pg_class'::regclass, k.from_table, 0
    FROM cordon.foreign_keys(count_rows => false) k
    UNION ALL
    -- Row security lets only leakproof conditions go before its own, so an index that serves others serves nobody here,
    -- unless it leads with the tenant.
    SELECT 'info', 'index_not_leakproof', i.indexrelid::regclass::text,
           format('Its conditions are not leakproof, so that under row security on "%s" it is not used, unless "%s" leads it.',
                  i.indrelid::regclass, t.tenant_column),
           format('%s; DROP INDEX %s', cordon_internal.index_led_by(i.indexrelid, t.tenant_column), i.indexrelid::regclass), 'pg_class'::regclass, t.relation, 0
    FROM cordon.tenant_tables() t
    JOIN pg_index i ON i.indrelid = t.relation AND NOT i.indisunique AND NOT i.indisexclusion
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree'
    JOIN pg_opclass o ON o.oid = i.indclass[0]
    WHERE t.is_registered AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = i.indexrelid)
        AND (i.indkey[0] = 0 AND EXISTS (
                 SELECT FROM pg_depend d JOIN pg_proc p ON p.oid = d.refobjid
                 WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refclassid = 'pg_proc'::regclass
                     AND NOT p.proleakproof
                 UNION ALL
                 -- Functions of initdb have no dependencies recorded; the tree names them.
                 SELECT FROM regexp_matches(i.indexprs::text, ':funcid (\d+)', 'g') f
                 JOIN pg_proc p ON p.oid = f[1]::oid WHERE NOT p.proleakproof
                 UNION ALL
                 SELECT FROM regexp_matches(i.indexprs::text, ':opno (\d+)', 'g') f
                 JOIN pg_operator q ON q.oid = f[1]::oid JOIN pg_proc p ON p.oid = q.oprcode WHERE NOT p.proleakproof)
             OR EXISTS (
                 SELECT FROM pg_amop e JOIN pg_operator q ON q.oid = e.amopopr JOIN pg_proc p ON p.oid = q.oprcode
                 WHERE e.amopfamily = o.opcfamily AND e.amopstrategy = 3 AND e.amoplefttype = o.opcintype
                     AND e.amoprighttype = o.opcintype AND NOT p.proleakproof))
    $$;
COMMENT ON FUNCTION cordon_internal.audit_keys() IS 'findings on the unique keys and indexes of protected tables';
