-- Row security by the tenant: section 3 of the design. What a table needs is worked out from the catalog each time, by
-- cordon.protection_statements; the functions that change something run what it returns.

CREATE TABLE cordon.protected_table (
    relation regclass PRIMARY KEY,
    tenant_column name NOT NULL
);
COMMENT ON TABLE cordon.protected_table IS 'the tables that cordon.protect has been called for, with their partitions and children';
COMMENT ON COLUMN cordon.protected_table.relation IS 'the table';
COMMENT ON COLUMN cordon.protected_table.tenant_column IS 'its column that holds the tenant';
-- A table that has been dropped, or whose column has, leaves its row behind, which must not break a restore.
SELECT pg_catalog.pg_extension_config_dump('cordon.protected_table',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid '
    'WHERE c.oid = relation AND a.attname = tenant_column)');

-- A registration is a claim: rows come by cordon.protect, and by the INSERT and COPY of dumps that owners restore. Whoever
-- reads them asks cordon_internal.registered, which looks again.
CREATE OR REPLACE FUNCTION cordon.check_registration() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    changed regclass := CASE WHEN TG_OP = 'DELETE' THEN OLD.relation ELSE NEW.relation END;
    class record;
    named name; -- the column that the row names, which must be there
BEGIN
    SELECT relowner, relkind, relpersistence INTO class FROM pg_class WHERE oid = changed;
    -- A table that is gone leaves a row that anybody may clear away, and nobody may add.
    IF NOT coalesce(pg_has_role(class.relowner, 'USAGE'), TG_OP = 'DELETE') THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('must be owner of table %s', changed),
            HINT = 'What is written down about a table is its owner''s: see cordon.protect, cordon.unprotect, cordon.reencrypt and cordon.encrypt_column.';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF class.relkind NOT IN ('r', 'p') OR class.relpersistence = 't' THEN
        RAISE wrong_object_type USING
            MESSAGE = format('"%s" is not a table that could be protected', changed),
            DETAIL = 'Only tables and partitioned tables that are not temporary are written down here.',
            HINT = 'Protect the tables of your application: SELECT cordon.protect(''a_table'').';
    END IF;
    named := CASE TG_TABLE_NAME WHEN 'protected_table' THEN to_jsonb(NEW) ->> 'tenant_column'
        WHEN 'resolvable_key' THEN to_jsonb(NEW) ->> 'key_column' END;
    IF named IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = changed AND attname = named AND attnum > 0 AND NOT attisdropped
    ) THEN
        RAISE undefined_column USING
            MESSAGE = format('table "%s" has no column "%s"', changed, named),
            HINT = 'Name a column that the table has.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION cordon.check_registration() IS
    'lets only the owner of a table change what cordon.protected_table, cordon.resolvable_key and cordon.rewriting hold about it';
CREATE TRIGGER check_registration BEFORE INSERT OR DELETE ON cordon.protected_table
    FOR EACH ROW EXECUTE FUNCTION cordon.check_registration();
ALTER TABLE cordon.protected_table ENABLE ALWAYS TRIGGER check_registration;
GRANT SELECT, INSERT, DELETE ON cordon.protected_table TO PUBLIC;

CREATE OR REPLACE FUNCTION cordon_internal.registered()
    RETURNS TABLE (relation regclass, tenant_column name)
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT p.relation, p.tenant_column
    FROM cordon.protected_table p
    JOIN pg_class c ON c.oid = p.relation AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = p.tenant_column AND a.attnum > 0 AND NOT a.attisdropped
    $$;
COMMENT ON FUNCTION cordon_internal.registered() IS
    'the rows of cordon.protected_table that are true now: tables that are not temporary, with the column that they name';

CREATE OR REPLACE FUNCTION cordon.tenant_function(column_type oid) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH RECURSIVE base AS (
        SELECT oid, typtype, typbasetype FROM pg_type WHERE oid = column_type
        UNION ALL
        SELECT t.oid, t.typtype, t.typbasetype FROM base JOIN pg_type t ON t.oid = base.typbasetype
        WHERE base.typtype = 'd'
    )
    SELECT CASE oid
        WHEN 'int2'::regtype THEN 'tenant_int4'
        WHEN 'int4'::regtype THEN 'tenant_int4'
        WHEN 'int8'::regtype THEN 'tenant_int8'
        WHEN 'uuid'::regtype THEN 'tenant_uuid'
        WHEN 'text'::regtype THEN 'tenant_text'
        WHEN 'varchar'::regtype THEN 'tenant_text'
    END
    FROM base WHERE typtype <> 'd'
    $$;
COMMENT ON FUNCTION cordon.tenant_function(oid) IS
    'the function in schema cordon that a tenant column of the type is compared with; NULL when the type cannot hold one';

CREATE OR REPLACE FUNCTION cordon.tree(root regclass) RETURNS SETOF regclass
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH RECURSIVE tree AS (
        SELECT root::oid AS oid, 0 AS depth
        UNION
        SELECT inhrelid, depth + 1 FROM tree JOIN pg_inherits ON inhparent = tree.oid
    )
    SELECT tree.oid::regclass FROM tree JOIN pg_class c ON c.oid = tree.oid
    WHERE tree.oid = root OR c.relpersistence <> 't'
    GROUP BY tree.oid ORDER BY min(depth), tree.oid
    $$;
COMMENT ON FUNCTION cordon.tree(regclass) IS
    'a table with all of its partitions and inheritance children, parents first; without temporary children';

CREATE OR REPLACE FUNCTION cordon.refuse_unprotectable(relation regclass, tenant_column name) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    class record;
    col record;
BEGIN
    SELECT c.relkind, c.relpersistence, n.nspname INTO class
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation;
    IF class IS NULL OR tenant_column IS NULL THEN
        RAISE null_value_not_allowed USING
            MESSAGE = 'no such table, or no column named',
            HINT = 'SELECT cordon.protect(''a_table'', ''its_tenant_column'').';
    END IF;
    IF class.relkind NOT IN ('r', 'p') THEN
        RAISE wrong_object_type USING
            MESSAGE = format('"%s" is not a table', relation),
            DETAIL = 'Row security is for tables, not for views, foreign tables or indexes.',
            HINT = CASE class.relkind
                WHEN 'v' THEN format('ALTER VIEW %s SET (security_invoker = true); and protect the tables it reads.', relation)
                WHEN 'm' THEN format('REVOKE ALL ON %s FROM PUBLIC; and from the roles that serve tenants.', relation)
                ELSE 'Protect it where its rows are stored.'
            END;
    END IF;
    IF class.relpersistence = 't' THEN
        RAISE wrong_object_type USING
            MESSAGE = format('"%s" is a temporary table', relation),
            HINT = 'Only its own session sees it.';
    END IF;
    IF class.nspname IN ('pg_catalog', 'information_schema', 'pg_toast', 'cordon') THEN
        RAISE wrong_object_type USING
            MESSAGE = format('"%s" is a system table', relation),
            HINT = 'Protect the tables of your application.';
    END IF;

    SELECT a.attname, a.attnotnull, a.atttypid, a.atttypmod, coalesce(k.collisdeterministic, true) AS is_deterministic
    INTO col
    FROM pg_attribute a LEFT JOIN pg_collation k ON k.oid = a.attcollation
    WHERE a.attrelid = relation AND a.attname = tenant_column AND a.attnum > 0 AND NOT a.attisdropped;
    IF col IS NULL THEN
        RAISE not_null_violation USING
            MESSAGE = format('table "%s" has no column "%s"', relation, tenant_column),
            HINT = format('ALTER TABLE %s ADD COLUMN %I bigint; fill it; ALTER TABLE %1$s ALTER COLUMN %2$I SET NOT NULL;',
                          relation, tenant_column);
    END IF;
    IF cordon.tenant_function(col.atttypid) IS NULL THEN
        RAISE datatype_mismatch USING
            MESSAGE = format('column "%s" of table "%s" has type %s', tenant_column, relation,
                             format_type(col.atttypid, col.atttypmod)),
            DETAIL = 'A tenant column is smallint, integer, bigint, uuid, text or varchar, or a domain over one: types in '
                     'which one tenant is one value.',
            HINT = format('ALTER TABLE %s ALTER COLUMN %I TYPE text;', relation, tenant_column);
    END IF;
    IF NOT col.is_deterministic THEN
        RAISE datatype_mismatch USING
            MESSAGE = format('column "%s" of table "%s" has a nondeterministic collation', tenant_column, relation),
            DETAIL = 'Two spellings would be one tenant to the policy and two to sealed values.',
            HINT = format('ALTER TABLE %s ALTER COLUMN %I TYPE text COLLATE "C";', relation, tenant_column);
    END IF;
    IF NOT col.attnotnull THEN
        RAISE not_null_violation USING
            MESSAGE = format('column "%s" of table "%s" may be null', tenant_column, relation),
            DETAIL = 'A row without a tenant would be out of everybody''s reach.',
            HINT = format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL;', relation, tenant_column);
    END IF;
END $$;
COMMENT ON FUNCTION cordon.refuse_unprotectable(regclass, name) IS
    'raises an error that says why a table cannot be protected, with the SQL that would help; else does nothing';

CREATE OR REPLACE FUNCTION cordon.is_tenant_predicate(expression pg_node_tree, relation oid, tenant_column name, function text)
    RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    -- As the catalog shows it: as it was written, or with the cast that PostgreSQL adds to a varchar or a domain.
    SELECT coalesce(regexp_replace(pg_get_expr(expression, relation), '\)::(smallint|integer|bigint|uuid|text) = ', ') = ')
        IN (format('(%I = cordon.%I())', tenant_column, function), format('((%I) = cordon.%I())', tenant_column, function)),
        false)
    $$;
COMMENT ON FUNCTION cordon.is_tenant_predicate(pg_node_tree, oid, name, text) IS
    'whether an expression of a policy compares the tenant column with the current tenant, and does nothing else';

-- The two policies have one predicate, which the planner folds into one condition: the restrictive one cannot be widened
-- by a permissive policy that somebody adds, and neither opens the table when the other is dropped. A bare comparison
-- with a bare call: nothing that an index, partition pruning or a distributed planner could not use.
CREATE OR REPLACE FUNCTION cordon.protection_statements(relation regclass, tenant_column name, set_default boolean DEFAULT true)
    RETURNS SETOF text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    class record;
    col record;
    wanted record;
    found record;
    predicate text;
BEGIN
    SELECT relrowsecurity, relforcerowsecurity INTO class FROM pg_class WHERE oid = relation;
    SELECT a.attnum, cordon.tenant_function(a.atttypid) AS function, a.attidentity, a.attgenerated,
           pg_get_expr(d.adbin, d.adrelid) AS current_default
    INTO col
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = relation AND a.attname = tenant_column;
    predicate := format('%I = cordon.%I()', tenant_column, col.function);

    IF NOT class.relrowsecurity THEN
        RETURN NEXT format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
    END IF;
    IF NOT class.relforcerowsecurity THEN
        RETURN NEXT format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation);
    END IF;
    FOR wanted IN SELECT * FROM (VALUES ('cordon_tenant', true), ('cordon_floor', false)) v (name, is_permissive) LOOP
        SELECT polpermissive = wanted.is_permissive AND polcmd = '*' AND polroles = '{0}'
               AND cordon.is_tenant_predicate(polqual, polrelid, tenant_column, col.function)
               AND cordon.is_tenant_predicate(polwithcheck, polrelid, tenant_column, col.function) AS is_right
        INTO found FROM pg_policy WHERE polrelid = relation AND polname = wanted.name;
        IF found.is_right THEN
            CONTINUE;
        END IF;
        IF found.is_right IS NOT NULL THEN
            RETURN NEXT format('DROP POLICY %I ON %s', wanted.name, relation);
        ELSIF wanted.is_permissive AND EXISTS (
            SELECT FROM pg_policy WHERE polrelid = relation AND polpermissive AND polname <> wanted.name
        ) THEN
            CONTINUE; -- the table's own policies say what is permitted; the floor limits them
        END IF;
        RETURN NEXT format('CREATE POLICY %I ON %s AS %s FOR ALL TO PUBLIC USING (%s) WITH CHECK (%4$s)', wanted.name,
            relation, CASE WHEN wanted.is_permissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END, predicate);
    END LOOP;
    IF set_default AND col.attidentity = '' AND col.attgenerated = ''
       AND col.current_default IS DISTINCT FROM format('cordon.%I()', col.function)
       AND col.current_default IS DISTINCT FROM format('(cordon.%I())::smallint', col.function) THEN
        RETURN NEXT format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT cordon.%I()', relation, tenant_column, col.function);
    END IF;
    IF NOT EXISTS (
        SELECT FROM cordon.protected_table p
        WHERE p.relation = protection_statements.relation AND p.tenant_column = protection_statements.tenant_column
    ) THEN
        IF EXISTS (SELECT FROM cordon.protected_table p WHERE p.relation = protection_statements.relation) THEN
            RETURN NEXT format('DELETE FROM cordon.protected_table WHERE relation = %L::regclass', relation);
        END IF;
        RETURN NEXT format('INSERT INTO cordon.protected_table (relation, tenant_column) VALUES (%L, %L)',
                           relation, tenant_column);
    END IF;
END $$;
COMMENT ON FUNCTION cordon.protection_statements(regclass, name, boolean) IS
    'the statements that a table lacks to be protected; none when it is';

CREATE OR REPLACE FUNCTION cordon.lacks_tenant_index(relation regclass, tenant_column name) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT c.relkind = 'r' AND NOT EXISTS (
        SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = c.oid AND m.amname = 'btree' AND i.indisvalid AND i.indpred IS NULL
            AND a.attname = tenant_column)
    FROM pg_class c WHERE c.oid = relation
    $$;
COMMENT ON FUNCTION cordon.lacks_tenant_index(regclass, name) IS
    'whether a table has rows of its own but no valid btree index that leads with the tenant column';

CREATE OR REPLACE FUNCTION cordon.protect(
        target regclass, tenant_column name DEFAULT 'team_id', set_default boolean DEFAULT true,
        dry_run boolean DEFAULT false)
    RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    member regclass;
    statement text;
    has_limit CONSTANT boolean := current_setting('lock_timeout') <> '0';
BEGIN
    -- A table in use is not waited for without end: everybody else would wait behind.
    IF NOT has_limit THEN
        PERFORM set_config('lock_timeout', '10s', true);
    END IF;
    PERFORM cordon.refuse_unprotectable(target, tenant_column);
    IF NOT dry_run THEN
        -- Partitions and children that others are adding are waited for, or the list of them would miss some.
        FOR member IN SELECT cordon.tree(target) LOOP
            PERFORM cordon_internal.as_owner(member, format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', member));
        END LOOP;
    END IF;
    FOR member IN SELECT cordon.tree(target) LOOP
        PERFORM cordon.refuse_unprotectable(member, tenant_column);
        FOR statement IN SELECT cordon.protection_statements(member, tenant_column, set_default) LOOP
            IF NOT dry_run THEN
                PERFORM cordon_internal.as_owner(member, statement);
            END IF;
            RETURN NEXT statement;
        END LOOP;
        IF cordon.lacks_tenant_index(member, tenant_column) THEN
            RAISE NOTICE USING
                MESSAGE = format('table "%s" has no index that leads with "%s"', member, tenant_column),
                HINT = format('CREATE INDEX CONCURRENTLY ON %s (%I);', member, tenant_column);
        END IF;
    END LOOP;
    IF NOT has_limit THEN
        PERFORM set_config('lock_timeout', '0', true);
    END IF;
END $$;
COMMENT ON FUNCTION cordon.protect(regclass, name, boolean, boolean) IS
    'puts a table with its partitions and children under row security by the tenant, and returns the statements that it '
    'ran, or would run; a second call runs none. For the owner of the table';

CREATE OR REPLACE FUNCTION cordon.unprotect(target regclass) RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    member regclass;
    statements text[];
    statement text;
BEGIN
    IF target IS NULL THEN
        RAISE null_value_not_allowed USING MESSAGE = 'no such table', HINT = 'SELECT cordon.unprotect(''a_table'').';
    END IF;
    FOR member IN SELECT cordon.tree(target) LOOP
        statements := ARRAY(
            SELECT format('DROP POLICY %I ON %s', polname, member) FROM pg_policy
            WHERE polrelid = member AND polname IN ('cordon_tenant', 'cordon_floor') ORDER BY polname DESC);
        -- The table's own policies go on; without them row security would hide every row.
        IF statements <> '{}' AND NOT EXISTS (
            SELECT FROM pg_policy WHERE polrelid = member AND polname NOT IN ('cordon_tenant', 'cordon_floor')
        ) THEN
            statements := statements || ARRAY[
                format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', member),
                format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', member)];
        END IF;
        statements := statements || ARRAY(
            SELECT format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', member, a.attname)
            FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
            WHERE d.adrelid = member AND pg_get_expr(d.adbin, d.adrelid) ~ '^\(?cordon\.tenant_[a-z0-9]+\(\)');
        statements := statements || ARRAY(
            SELECT format('DELETE FROM cordon.protected_table WHERE relation = %L::regclass', member)
            FROM cordon.protected_table p WHERE p.relation = member);
        FOREACH statement IN ARRAY statements LOOP
            PERFORM cordon_internal.as_owner(member, statement);
            RETURN NEXT statement;
        END LOOP;
    END LOOP;
END $$;
COMMENT ON FUNCTION cordon.unprotect(regclass) IS
    'takes back what cordon.protect did to a table with its partitions and children, and returns the statements that it ran';

CREATE OR REPLACE FUNCTION cordon.protect_schema(
        schema name, tenant_column name DEFAULT 'team_id', dry_run boolean DEFAULT false)
    RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    target regclass;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = schema) THEN
        RAISE invalid_schema_name USING
            MESSAGE = format('schema "%s" does not exist', schema),
            HINT = 'SELECT nspname FROM pg_namespace shows the schemas.';
    END IF;
    FOR target IN
        SELECT c.oid FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = tenant_column AND NOT a.attisdropped
        WHERE n.nspname = schema AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
            AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid) -- its parent brings it
        ORDER BY c.relname
    LOOP
        RETURN QUERY SELECT cordon.protect(target, tenant_column, dry_run => protect_schema.dry_run);
    END LOOP;
END $$;
COMMENT ON FUNCTION cordon.protect_schema(name, name, boolean) IS
    'protects every table of a schema that has the tenant column; all of them or, with an error, none';
