-- Tables that belong to tenants through another table, and the look-up of a tenant by a key: docs/GUIDE.md.

-- The tenant column of a table whose rows belong to the tenants of the rows that they refer to. Arguments: the column, that of
-- the table referred to, and the columns that refer to it. It looks rows up past row security, by the rights that the owner of
-- its table has on the table referred to.
CREATE OR REPLACE FUNCTION cordon.fill_tenant() RETURNS trigger
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'fill_tenant';
COMMENT ON FUNCTION cordon.fill_tenant() IS
    'the trigger that cordon.add_tenant_column makes: gives a row the tenant of the row that it refers to';

CREATE OR REPLACE FUNCTION cordon_internal.rows_without_tenant(target regclass, column_name name)
    RETURNS TABLE (relation regclass, row_id text, row_key text, problem text)
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'cordon_rows_without_tenant';
COMMENT ON FUNCTION cordon_internal.rows_without_tenant(regclass, name) IS
    'what cordon.tenant_problems finds; for the owner of the table';

CREATE OR REPLACE FUNCTION cordon.tenant_problems(target regclass, tenant_column name)
    RETURNS TABLE (relation regclass, row_id tid, row_key jsonb, problem text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT r.relation, r.row_id::tid, r.row_key::jsonb, r.problem FROM cordon_internal.rows_without_tenant(target, tenant_column) r
    $$;
COMMENT ON FUNCTION cordon.tenant_problems(regclass, name) IS
    'the rows of a table under cordon.add_tenant_column whose tenant is not that of the row that they refer to, by place and '
    'primary key, and why. For the owner of the table';

-- What cordon.add_tenant_column works with, from the catalog each time.
CREATE OR REPLACE FUNCTION cordon_internal.way_to_tenant(
        target regclass, through name, tenant_column name,
        OUT key oid, OUT columns name[], OUT parent regclass, OUT parent_column name, OUT column_name name, OUT column_type text,
        OUT has_column boolean, OUT has_trigger boolean)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    class record;
    keys oid[];
    existing record;
BEGIN
    SELECT c.relkind, c.relpersistence, c.relispartition, c.relowner INTO class FROM pg_class c WHERE c.oid = target;
    IF class.relkind IS NULL OR through IS NULL THEN
        RAISE null_value_not_allowed USING
            MESSAGE = 'no such table, or no foreign key named',
            HINT = 'CALL cordon.add_tenant_column(''a_table'', ''a_column_that_refers_to_a_protected_table'').';
    ELSIF class.relkind NOT IN ('r', 'p') OR class.relpersistence = 't' OR class.relispartition
       OR (class.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = target OR i.inhrelid = target)) THEN
        RAISE wrong_object_type USING
            MESSAGE = format('"%s" is not a table that a tenant column is added to', target),
            DETAIL = 'A tenant column is added to a table without parents or children, or to a partitioned table as a whole.',
            HINT = 'Name the partitioned table. Foreign keys do not reach the children of a table: give each its own.';
    ELSIF NOT pg_has_role(class.relowner, 'USAGE') THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('must be owner of table %s', target),
            HINT = 'Call it as the owner of the table or as a superuser.';
    END IF;
    -- By the name of the key, or of the one column that refers.
    keys := ARRAY(
        SELECT k.oid FROM pg_constraint k
        WHERE k.conrelid = target AND k.contype = 'f' AND (k.conname = through OR k.conkey = ARRAY(
            SELECT a.attnum FROM pg_attribute a WHERE a.attrelid = target AND a.attname = through AND a.attnum > 0))
        ORDER BY k.conname = through DESC, k.oid);
    IF cardinality(keys) > 1 AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.oid = keys[1] AND k.conname = through) THEN
        RAISE ambiguous_parameter USING
            MESSAGE = format('column "%s" of table "%s" has %s foreign keys', through, target, cardinality(keys)),
            HINT = 'Name the foreign key instead of the column.';
    ELSIF cardinality(keys) = 0 THEN
        RAISE undefined_object USING
            MESSAGE = format('table "%s" has no foreign key "%s", nor a column of that name with one', target, through),
            HINT = format('SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %L::regclass AND contype = ''f'';', target);
    END IF;
    key := keys[1];
    SELECT k.confrelid::regclass, array_agg(a.attname ORDER BY i), r.tenant_column,
           coalesce(way_to_tenant.tenant_column, r.tenant_column)
    INTO parent, columns, parent_column, column_name
    FROM pg_constraint k CROSS JOIN LATERAL generate_subscripts(k.conkey, 1) i
    JOIN pg_attribute a ON a.attrelid = target AND a.attnum = k.conkey[i]
    LEFT JOIN cordon_internal.registered() r ON r.relation = k.confrelid
    WHERE k.oid = key GROUP BY k.confrelid, r.tenant_column;
    IF parent_column IS NULL THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('table "%s", which "%s" refers to, is not protected', parent, target),
            HINT = format('First: SELECT cordon.protect(%L); or, if its rows belong to tenants through a third table, CALL cordon.add_tenant_column(%1$L, ...).', parent);
    END IF;
    -- The table of tenants itself: what refers to it is the tenant.
    SELECT a.attname INTO existing FROM pg_constraint k CROSS JOIN LATERAL generate_subscripts(k.conkey, 1) i
    JOIN pg_attribute a ON a.attrelid = target AND a.attnum = k.conkey[i]
    JOIN pg_attribute r ON r.attrelid = k.confrelid AND r.attnum = k.confkey[i]
    WHERE k.oid = key AND r.attname = parent_column;
    IF FOUND THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('column "%s" of table "%s" is the tenant', existing.attname, target),
            DETAIL = format('It refers to "%s" of "%s", which is protected by that column.', parent_column, parent),
            HINT = format('SELECT cordon.protect(%L, %L);', target, existing.attname);
    END IF;
    SELECT format_type(a.atttypid, a.atttypmod) INTO column_type FROM pg_attribute a
    WHERE a.attrelid = parent AND a.attname = parent_column;
    SELECT format_type(a.atttypid, a.atttypmod) AS type, a.attgenerated <> '' OR a.attidentity <> '' AS is_computed INTO existing
    FROM pg_attribute a WHERE a.attrelid = target AND a.attname = column_name AND a.attnum > 0;
    has_column := FOUND;
    IF has_column AND (existing.type <> column_type OR existing.is_computed OR column_name = ANY (columns)) THEN
        RAISE datatype_mismatch USING
            MESSAGE = format('column "%s" of table "%s" cannot hold the tenants of table "%s"', column_name, target, parent),
            DETAIL = format('They are of type %s, and stored.', column_type),
            HINT = 'Name another column: tenant_column => ''...''. It is added if it is not there.';
    END IF;
    has_trigger := EXISTS (
        SELECT FROM pg_trigger t, cordon.trigger_arguments(t.tgargs) a
        WHERE t.tgrelid = target AND t.tgfoid = 'cordon.fill_tenant()'::regprocedure
            AND a = ARRAY[column_name, parent_column]::text[] || columns::text[] AND t.tgenabled = 'A');
END $$;
COMMENT ON FUNCTION cordon_internal.way_to_tenant(regclass, name, name) IS
    'the foreign key by which rows belong to a tenant, and the columns; an error that says why there is none';

CREATE OR REPLACE FUNCTION cordon_internal.tenant_column_steps(target regclass, through name, tenant_column name)
    RETURNS TABLE (step text, statement text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    way record;
    attribute record;
    key_name name;
    unique_key text[];
BEGIN
    SELECT * INTO way FROM cordon_internal.way_to_tenant(target, through, tenant_column);
    step := 'expand';
    IF NOT way.has_column THEN
        statement := format('ALTER TABLE %s ADD COLUMN %I %s', target, way.column_name, way.column_type);
        RETURN NEXT;
    END IF;
    IF NOT way.has_trigger THEN
        FOR attribute IN SELECT t.tgname FROM pg_trigger t
            WHERE t.tgrelid = target AND t.tgname = 'zzz_cordon_fill_tenant' AND NOT t.tgisinternal LOOP
            statement := format('DROP TRIGGER zzz_cordon_fill_tenant ON %s', target);
            RETURN NEXT;
        END LOOP;
        statement := format('CREATE TRIGGER zzz_cordon_fill_tenant BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION cordon.fill_tenant(%L, %L, %s)',
            target, way.column_name, way.parent_column, (SELECT string_agg(quote_literal(c), ', ') FROM unnest(way.columns) c));
        RETURN NEXT;
        -- Also where triggers are off: in sessions that restore data.
        statement := format('ALTER TABLE %s ENABLE ALWAYS TRIGGER zzz_cordon_fill_tenant', target);
        RETURN NEXT;
    END IF;

    step := 'index';
    unique_key := cordon_internal.unique_key_with(way.key, way.parent_column);
    IF unique_key IS NOT NULL THEN
        FOREACH statement IN ARRAY unique_key LOOP
            RETURN NEXT;
        END LOOP;
    END IF;
    IF cordon.lacks_tenant_index(target, way.column_name) THEN
        statement := format('CREATE INDEX CONCURRENTLY ON %s (%I, %s)', target, way.column_name,
            (SELECT string_agg(quote_ident(c), ', ') FROM unnest(way.columns) c));
        RETURN NEXT;
    END IF;

    SELECT a.attnum, a.attnotnull INTO attribute FROM pg_attribute a WHERE a.attrelid = target AND a.attname = way.column_name;
    IF attribute.attnotnull IS NOT TRUE THEN
        step := 'not null';
        statement := format('ALTER TABLE %s ADD CONSTRAINT cordon_has_tenant CHECK (%I IS NOT NULL) NOT VALID', target, way.column_name);
        IF NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = target AND c.conname = 'cordon_has_tenant') THEN
            RETURN NEXT;
        END IF;
        step := 'not null, valid';
        statement := format('ALTER TABLE %s VALIDATE CONSTRAINT cordon_has_tenant', target);
        RETURN NEXT;
    END IF;
    key_name := (cordon_internal.key_with_tenant(way.key, way.column_name)).name;
    IF key_name IS NULL THEN
        key_name := cordon.free_name((SELECT left(k.conname, 50) FROM pg_constraint k WHERE k.oid = way.key) || '_tenant',
            ARRAY(SELECT k.conname FROM pg_constraint k WHERE k.conrelid = target));
        step := 'key';
        statement := cordon_internal.foreign_key_with(way.key, key_name, way.column_name, way.parent_column);
        RETURN NEXT;
    END IF;
    step := 'key, valid';
    statement := format('SELECT * FROM cordon.validate_foreign_key(%L, %L)', target, key_name);
    RETURN NEXT;

    step := 'contract';
    IF attribute.attnotnull IS NOT TRUE THEN
        -- The constraint that has been validated spares it the scan.
        statement := format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', target, way.column_name);
        RETURN NEXT;
        statement := format('ALTER TABLE %s DROP CONSTRAINT cordon_has_tenant', target);
        RETURN NEXT;
    END IF;
    statement := format('SELECT cordon.protect(%L, %L)', target, way.column_name);
    RETURN NEXT;
    statement := format('DROP TRIGGER zzz_cordon_fill_tenant ON %s', target);
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION cordon_internal.tenant_column_steps(regclass, name, name) IS
    'the statements that cordon.add_tenant_column has still to run, in their order';

CREATE OR REPLACE PROCEDURE cordon.add_tenant_column(
        target regclass, through name, tenant_column name DEFAULT NULL, batch_size integer DEFAULT 5000,
        pause interval DEFAULT '0', finish boolean DEFAULT false, dry_run boolean DEFAULT false)
    LANGUAGE plpgsql
    AS $$
DECLARE
    way record;
    todo record;
    statements pg_catalog.text[];
    problems pg_catalog.text;
    remaining bigint;
    began pg_catalog.timestamptz;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    PERFORM cordon.require_pace(batch_size, pause);
    SELECT * INTO way FROM cordon_internal.way_to_tenant(target, through, tenant_column);
    IF dry_run THEN
        FOR todo IN SELECT s.statement FROM cordon_internal.tenant_column_steps(target, through, tenant_column) s LOOP
            RAISE NOTICE '%;', todo.statement;
        END LOOP;
        RETURN;
    END IF;

    statements := ARRAY(SELECT s.statement FROM cordon_internal.tenant_column_steps(target, through, tenant_column) s WHERE s.step = 'expand');
    IF statements <> '{}' THEN
        CALL cordon_internal.run_with_lock(target, statements);
        RAISE NOTICE '%: column % is filled in for rows that are written, with the tenant of their row of %', target, way.column_name, way.parent;
    END IF;
    CALL cordon_internal.rewrite('tenant', target, way.column_name, NULL, false, batch_size, pause);
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    SELECT count(*), string_agg(DISTINCT p.problem, ', ') INTO remaining, problems FROM cordon.tenant_problems(target, way.column_name) p;
    IF remaining > 0 AND NOT finish THEN
        RAISE WARNING USING
            MESSAGE = format('rows of "%s" that lack their tenant: %s', target, remaining),
            DETAIL = format('Reasons: %s.', problems),
            HINT = format('SELECT * FROM cordon.tenant_problems(%L, %L) shows them. Correct or delete them, then call this again.', target, way.column_name);
    END IF;
    statements := ARRAY(SELECT s.statement FROM cordon_internal.tenant_column_steps(target, through, tenant_column) s WHERE s.step = 'index');
    IF statements <> '{}' THEN
        RAISE NOTICE USING
            MESSAGE = format('%s: run these one by one, outside of a transaction: %s;', target, array_to_string(statements, '; ')),
            HINT = 'CREATE INDEX CONCURRENTLY does not run within a procedure.';
    END IF;
    IF NOT finish THEN
        RAISE NOTICE USING
            MESSAGE = format('%s: then CALL cordon.add_tenant_column(%L, %L%s, finish => true), which protects the table', target, target, through,
                CASE WHEN tenant_column IS NULL THEN '' ELSE format(', %L', tenant_column) END),
            HINT = 'From then on whoever writes rows sets the tenant.';
        RETURN;
    END IF;

    IF remaining > 0 OR statements <> '{}' THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('table "%s" cannot be finished', target),
            DETAIL = CASE WHEN remaining > 0 THEN format('Rows that lack their tenant: %s; reasons: %s.', remaining, problems)
                ELSE format('Indexes are missing: %s.', array_to_string(statements, '; ')) END,
            HINT = CASE WHEN remaining > 0 THEN format('SELECT * FROM cordon.tenant_problems(%L, %L) shows them. Correct or delete them, then call this again.', target, way.column_name)
                ELSE 'Run these statements one by one, outside of a transaction, then call this again.' END;
    END IF;
    statements := ARRAY(SELECT s.statement FROM cordon_internal.tenant_column_steps(target, through, tenant_column) s WHERE s.step IN ('not null', 'key'));
    IF statements <> '{}' THEN
        CALL cordon_internal.run_with_lock(target, statements);
    END IF;
    FOR todo IN SELECT s.* FROM cordon_internal.tenant_column_steps(target, through, tenant_column) s WHERE s.step IN ('not null, valid', 'key, valid') LOOP
        IF todo.step = 'not null, valid' THEN
            PERFORM cordon_internal.as_owner(target, todo.statement);
        ELSE
            remaining := (SELECT count(*) FROM cordon.validate_foreign_key(target, (cordon_internal.key_with_tenant(way.key, way.column_name)).name));
            IF remaining > 0 THEN
                RAISE foreign_key_violation USING
                    MESSAGE = format('rows of "%s" refer to rows of other tenants or to none', target),
                    HINT = format('%s; shows them. Correct or delete them, then call this again.', todo.statement);
            END IF;
        END IF;
        COMMIT;
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    END LOOP;
    began := clock_timestamp();
    statements := ARRAY(SELECT s.statement FROM cordon_internal.tenant_column_steps(target, through, tenant_column) s WHERE s.step = 'contract');
    CALL cordon_internal.run_with_lock(target, statements);
    DELETE FROM cordon.rewriting r WHERE r.relation IN (SELECT cordon.tree(target)) AND r.task = 'tenant';
    RAISE NOTICE USING
        MESSAGE = format('%s: it is protected by column %s now (%s ms)', target, way.column_name, round(1000 * extract(epoch FROM clock_timestamp() - began))),
        HINT = format('The key without the tenant tells whether a row of another tenant exists. When nobody needs its name: ALTER TABLE %s DROP CONSTRAINT %I;',
            target, (SELECT k.conname FROM pg_constraint k WHERE k.oid = way.key));
END $$;
COMMENT ON PROCEDURE cordon.add_tenant_column(regclass, name, name, integer, interval, boolean, boolean) IS
    'gives a table that refers to a protected one a tenant column while it is in use: adds it, keeps it filled in, fills the rows '
    'that are there; with finish, makes it NOT NULL and part of the foreign key, and protects the table';

-- The tenant by a key that an application has before it knows the tenant.
CREATE TABLE cordon.resolvable_key (
    relation regclass, key_column name,
    PRIMARY KEY (relation, key_column)
);
COMMENT ON TABLE cordon.resolvable_key IS 'the columns by which cordon.resolver makes functions look up tenants';
SELECT pg_catalog.pg_extension_config_dump('cordon.resolvable_key',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid '
    'WHERE c.oid = relation AND a.attname = key_column)');
CREATE TRIGGER check_registration BEFORE INSERT OR DELETE ON cordon.resolvable_key
    FOR EACH ROW EXECUTE FUNCTION cordon.check_registration();
ALTER TABLE cordon.resolvable_key ENABLE ALWAYS TRIGGER check_registration;
GRANT SELECT, INSERT, DELETE ON cordon.resolvable_key TO PUBLIC;

CREATE OR REPLACE FUNCTION cordon_internal.resolve(relation regclass, key_column name, key anynonarray) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'cordon_resolve';
COMMENT ON FUNCTION cordon_internal.resolve(regclass, name, anynonarray) IS
    'the tenant of the row with a key, of a column that is in cordon.resolvable_key; for the owner of the table';

CREATE OR REPLACE FUNCTION cordon.resolver(target regclass, key_column name, function_name name DEFAULT NULL)
    RETURNS regprocedure
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    class record;
    col record;
    new_name name;
    key_type text;
    signature text;
BEGIN
    SELECT c.relname, c.relkind, n.nspname, r.tenant_column,
           EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = target OR i.inhrelid = target) AS is_in_tree
    INTO class FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN cordon_internal.registered() r ON r.relation = c.oid WHERE c.oid = target;
    IF class.relname IS NULL OR key_column IS NULL THEN
        RAISE null_value_not_allowed USING
            MESSAGE = 'no such table, or no column named',
            HINT = 'SELECT cordon.resolver(''a_table'', ''its_key_column'').';
    ELSIF class.tenant_column IS NULL THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('table "%s" is not protected', target),
            HINT = format('SELECT cordon.protect(%L);', target);
    ELSIF class.relkind <> 'r' OR class.is_in_tree THEN
        RAISE wrong_object_type USING
            MESSAGE = format('"%s" is not a table by itself', target),
            DETAIL = 'What is unique in a partition or child need not be unique in all of them.',
            HINT = 'Keep the keys in a table of their own, with the tenant.';
    END IF;
    SELECT a.attnum, a.attnotnull, a.atttypid,
           EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
                   WHERE i.indrelid = target AND m.amname = 'btree' AND i.indisunique AND i.indimmediate AND i.indisvalid
                       AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum) AS is_unique
    INTO col FROM pg_attribute a WHERE a.attrelid = target AND a.attname = resolver.key_column AND a.attnum > 0 AND NOT a.attisdropped;
    IF col.attnum IS NULL THEN
        RAISE undefined_column USING
            MESSAGE = format('table "%s" has no column "%s"', target, key_column),
            HINT = 'Name a column that is unique and NOT NULL.';
    ELSIF NOT (col.is_unique AND col.attnotnull) THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('column "%s" of table "%s" is not a key', key_column, target),
            DETAIL = 'It must be NOT NULL, and unique by itself over all tenants: by an index that is neither partial nor deferrable.',
            HINT = format('CREATE UNIQUE INDEX CONCURRENTLY ON %s (%I); ALTER TABLE %1$s ALTER COLUMN %2$I SET NOT NULL;', target, key_column);
    ELSIF coalesce(NOT cordon_internal.is_shared_type(cordon_internal.sealed_kind(col.atttypid)), false) THEN
        RAISE wrong_object_type USING
            MESSAGE = format('column "%s" of table "%s" is sealed for its tenant', key_column, target),
            DETAIL = 'Before the tenant is known such a value cannot be looked for.',
            HINT = 'Keep a hash of it: a column of type token_hash.';
    END IF;

    WITH RECURSIVE base AS (
        SELECT t.oid, t.typtype, t.typbasetype FROM pg_type t WHERE t.oid = col.atttypid
        UNION ALL
        SELECT t.oid, t.typtype, t.typbasetype FROM base JOIN pg_type t ON t.oid = base.typbasetype WHERE base.typtype = 'd'
    )
    SELECT format_type(base.oid, NULL) INTO key_type FROM base WHERE base.typtype <> 'd';
    new_name := coalesce(function_name, left(class.relname, 30) || '_tenant_by_' || left(key_column, 20));
    signature := format('%I.%I(%s)', class.nspname, new_name, key_type);
    -- As the owner, whose rights the function has: it reads the tenant of one row, and nothing else.
    PERFORM cordon_internal.as_owner(target, format(
        'CREATE FUNCTION %I.%I(key %s) RETURNS text LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp '
        'RETURN cordon_internal.resolve(%L::regclass, %L::name, key)', class.nspname, new_name, key_type, target, key_column));
    PERFORM cordon_internal.as_owner(target, format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', signature));
    PERFORM cordon_internal.as_owner(target, format('COMMENT ON FUNCTION %s IS %L', signature,
        format('the tenant of the row of %s with that %s, or NULL: made by cordon.resolver', target, key_column)));
    INSERT INTO cordon.resolvable_key (relation, key_column) VALUES (target, key_column) ON CONFLICT DO NOTHING;
    RETURN signature::regprocedure;
END $$;
COMMENT ON FUNCTION cordon.resolver(regclass, name, name) IS
    'makes a function that gives the tenant of the row with a key, or NULL, and nothing else: for an application that has the key '
    'and not the tenant yet. GRANT EXECUTE on it to the application. For the owner of the table';
