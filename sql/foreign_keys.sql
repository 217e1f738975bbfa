-- Foreign keys that can cross tenants. PostgreSQL checks a foreign key past row security, so that a key which leaves the
-- tenant out can refer to another tenant's row, tells that it exists, and cascades to it or from it.

CREATE OR REPLACE FUNCTION cordon.free_name(wanted text, taken name[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT candidate FROM (
        SELECT n, left(wanted, 58) || CASE n WHEN 0 THEN '' ELSE '_' || n END AS candidate
        FROM generate_series(0, cardinality(taken)) n
    ) c WHERE candidate::name <> ALL (taken) ORDER BY n LIMIT 1
    $$;
COMMENT ON FUNCTION cordon.free_name(text, name[]) IS 'the name, with a number after it when it is taken';

CREATE OR REPLACE FUNCTION cordon_internal.unique_key_with(key oid, tenant name) RETURNS text[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH key AS (
        SELECT k.confrelid, k.confkey, t.relname, t.relnamespace, t.relkind,
               (SELECT a.attnum FROM pg_attribute a WHERE a.attrelid = k.confrelid AND a.attname = tenant) AS tenant_number,
               c.list, c.joined
        FROM pg_constraint k JOIN pg_class t ON t.oid = k.confrelid
        CROSS JOIN LATERAL (
            SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY i) AS list, string_agg(a.attname, '_' ORDER BY i) AS joined
            FROM generate_subscripts(k.confkey, 1) i JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = k.confkey[i]
        ) c
        WHERE k.oid = key
    ), named AS (
        SELECT key.*, cordon.free_name(
            left(relname, 24) || '_' || left(tenant, 12) || '_' || left(joined, 14) || '_key',
            ARRAY(SELECT c.relname FROM pg_class c WHERE c.relnamespace = key.relnamespace)
                || ARRAY(SELECT x.conname FROM pg_constraint x WHERE x.conrelid = key.confrelid)) AS name
        FROM key
    )
    SELECT CASE relkind
        WHEN 'p' THEN ARRAY[format('ALTER TABLE %s ADD CONSTRAINT %I UNIQUE (%I, %s)', confrelid::regclass, name, tenant, list)]
        ELSE ARRAY[
            format('CREATE UNIQUE INDEX CONCURRENTLY %I ON %s (%I, %s)', name, confrelid::regclass, tenant, list),
            format('ALTER TABLE %s ADD CONSTRAINT %I UNIQUE USING INDEX %2$I', confrelid::regclass, name)] END
    FROM named
    WHERE NOT EXISTS (
        SELECT FROM pg_index i
        WHERE i.indrelid = confrelid AND i.indisunique AND i.indimmediate AND i.indisvalid
            AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = cardinality(confkey) + 1
            AND (SELECT array_agg(n ORDER BY n) FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) n)
                = (SELECT array_agg(n ORDER BY n) FROM unnest(confkey || tenant_number) n))
    $$;
COMMENT ON FUNCTION cordon_internal.unique_key_with(oid, name) IS
    'the statements that make what a foreign key refers to, with the tenant, a key; NULL when it is one';

CREATE OR REPLACE FUNCTION cordon_internal.foreign_key_with(key oid, new_name name, source_tenant name, target_tenant name)
    RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT format('ALTER TABLE %s ADD CONSTRAINT %I FOREIGN KEY (%I, %s) REFERENCES %s (%I, %s)', k.conrelid::regclass,
               new_name, source_tenant, c.source_list, k.confrelid::regclass, target_tenant, c.target_list)
        -- MATCH FULL would ask of a key that may be null that the tenant be null as well.
        || CASE WHEN k.confmatchtype = 'f' AND c.are_not_null THEN ' MATCH FULL' ELSE '' END
        || CASE WHEN k.confupdtype IN ('r', 'c') THEN ' ON UPDATE ' || (actions ->> k.confupdtype::text) ELSE '' END
        || CASE WHEN k.confdeltype = 'a' THEN '' ELSE ' ON DELETE ' || (actions ->> k.confdeltype::text) END
        -- Without a list of columns the tenant would be set to null as well.
        || CASE WHEN k.confdeltype IN ('n', 'd') THEN format(' (%s)', coalesce(c.delete_list, c.source_list)) ELSE '' END
        || CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
        || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END
        || CASE s.relkind WHEN 'r' THEN ' NOT VALID' ELSE '' END
    FROM pg_constraint k JOIN pg_class s ON s.oid = k.conrelid
    CROSS JOIN (SELECT '{"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}'::jsonb) a (actions)
    CROSS JOIN LATERAL (
        SELECT string_agg(quote_ident(f.attname), ', ' ORDER BY i) AS source_list,
               string_agg(quote_ident(r.attname), ', ' ORDER BY i) AS target_list,
               bool_and(f.attnotnull) AS are_not_null,
               string_agg(quote_ident(f.attname), ', ' ORDER BY array_position(k.confdelsetcols, f.attnum))
                   FILTER (WHERE f.attnum = ANY (k.confdelsetcols)) AS delete_list
        FROM generate_subscripts(k.conkey, 1) i
        JOIN pg_attribute f ON f.attrelid = k.conrelid AND f.attnum = k.conkey[i]
        JOIN pg_attribute r ON r.attrelid = k.confrelid AND r.attnum = k.confkey[i]
    ) c
    WHERE k.oid = key
    $$;
COMMENT ON FUNCTION cordon_internal.foreign_key_with(oid, name, name, name) IS
    'the statement that adds a foreign key like another one, with the tenant in it';

CREATE OR REPLACE FUNCTION cordon_internal.key_with_tenant(key oid, tenant name, OUT name name, OUT is_valid boolean)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT k.conname, k.convalidated FROM pg_constraint old, pg_constraint k, pg_attribute a
    WHERE old.oid = key AND a.attrelid = old.conrelid AND a.attname = tenant
        AND k.conrelid = old.conrelid AND k.contype = 'f' AND k.confrelid = old.confrelid
        AND cardinality(k.conkey) = cardinality(old.conkey) + 1 AND k.conkey @> old.conkey AND k.conkey @> ARRAY[a.attnum]
    ORDER BY k.convalidated DESC, k.conname LIMIT 1
    $$;
COMMENT ON FUNCTION cordon_internal.key_with_tenant(oid, name) IS
    'the foreign key that is like another one with the tenant in it; NULL when there is none';

CREATE OR REPLACE FUNCTION cordon_internal.shown(relation regclass, column_name name, alias text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE WHEN cordon_internal.contains_sealed(a.atttypid) THEN '''(sealed)''::text' ELSE format('%s.%I', alias, column_name) END
    FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = column_name
    $$;
COMMENT ON FUNCTION cordon_internal.shown(regclass, name, text) IS
    'the expression by which a column is shown: of a sealed one that it is sealed';

CREATE OR REPLACE FUNCTION cordon_internal.orphans_of(key oid) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT format(
        'SELECT jsonb_agg(o) FROM (SELECT jsonb_build_object(''child'', jsonb_build_object(%s), ''parent'', jsonb_build_object(%s)) AS o '
        'FROM %s %s f LEFT JOIN %s %s r ON %s WHERE r.%I IS NULL AND (%s) LIMIT 100) orphans',
        coalesce(p.members, '''ctid'', f.ctid'), c.members,
        -- A key does not reach inheritance children, but every partition.
        CASE s.relkind WHEN 'r' THEN 'ONLY' ELSE '' END, k.conrelid::regclass,
        CASE t.relkind WHEN 'r' THEN 'ONLY' ELSE '' END, k.confrelid::regclass,
        c.joined, c.first_target, CASE k.confmatchtype WHEN 'f' THEN c.any_given ELSE c.all_given END)
    FROM pg_constraint k JOIN pg_class s ON s.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
    CROSS JOIN LATERAL (
        SELECT string_agg(format('%L, %s', r.attname, cordon_internal.shown(k.conrelid, f.attname, 'f')), ', ' ORDER BY i) AS members,
               string_agg(format('r.%I OPERATOR(%I.%s) f.%I', r.attname, n.nspname, o.oprname, f.attname), ' AND ' ORDER BY i) AS joined,
               string_agg(format('f.%I IS NOT NULL', f.attname), ' AND ' ORDER BY i) AS all_given,
               string_agg(format('f.%I IS NOT NULL', f.attname), ' OR ' ORDER BY i) AS any_given,
               (array_agg(r.attname ORDER BY i))[1] AS first_target
        FROM generate_subscripts(k.conkey, 1) i
        JOIN pg_attribute f ON f.attrelid = k.conrelid AND f.attnum = k.conkey[i]
        JOIN pg_attribute r ON r.attrelid = k.confrelid AND r.attnum = k.confkey[i]
        JOIN pg_operator o ON o.oid = k.conpfeqop[i]
        JOIN pg_namespace n ON n.oid = o.oprnamespace
    ) c
    CROSS JOIN LATERAL (
        SELECT string_agg(format('%L, %s', a.attname, cordon_internal.shown(k.conrelid, a.attname, 'f')), ', ' ORDER BY at) AS members
        FROM pg_index i, unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY u (attnum, at)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
        WHERE i.indrelid = k.conrelid AND i.indisprimary
    ) p
    WHERE k.oid = key
    $$;
COMMENT ON FUNCTION cordon_internal.orphans_of(oid) IS
    'the query for the rows of a foreign key that refer to no row, 100 at most, by their primary key and what they refer to';

CREATE OR REPLACE FUNCTION cordon.validate_foreign_key(target regclass, name name)
    RETURNS TABLE (child_key jsonb, parent_key jsonb)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    key record;
    orphans jsonb;
BEGIN
    SELECT k.oid, k.convalidated, s.relowner = t.relowner AS is_listable, k.confrelid::regclass AS parent INTO key
    FROM pg_constraint k JOIN pg_class s ON s.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
    WHERE k.conrelid = target AND k.conname = validate_foreign_key.name AND k.contype = 'f';
    IF target IS NULL THEN
        RAISE null_value_not_allowed USING
            MESSAGE = 'no such table', HINT = 'SELECT * FROM cordon.validate_foreign_key(''a_table'', ''its_foreign_key'').';
    ELSIF key.oid IS NULL THEN
        RAISE undefined_object USING
            MESSAGE = format('table "%s" has no foreign key "%s"', target, validate_foreign_key.name),
            HINT = format('SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %L::regclass AND contype = ''f'';', target);
    END IF;
    PERFORM cordon_internal.as_owner(target, 'SELECT 1'); -- or an error
    -- What PostgreSQL finds it does not list; a row that is corrected meanwhile is no orphan any more.
    FOR attempt IN 1..3 LOOP
        IF NOT key.convalidated THEN
            BEGIN
                PERFORM cordon_internal.as_owner(target,
                    format('ALTER TABLE %s VALIDATE CONSTRAINT %I', target, validate_foreign_key.name));
                RETURN;
            EXCEPTION WHEN foreign_key_violation THEN
                IF NOT key.is_listable OR attempt = 3 THEN
                    RAISE;
                END IF;
            END;
        ELSIF NOT key.is_listable THEN
            RAISE insufficient_privilege USING
                MESSAGE = format('the rows of "%s" cannot be compared with those of "%s"', target, key.parent),
                DETAIL = 'The two tables have different owners, and the key is marked valid already.',
                HINT = 'Give both tables one owner; or drop the key, add it NOT VALID and call this again: then PostgreSQL looks.';
        END IF;
        orphans := cordon_internal.as_owner(target, cordon_internal.orphans_of(key.oid))::jsonb;
        IF orphans IS NOT NULL OR key.convalidated THEN
            RETURN QUERY SELECT o -> 'child', o -> 'parent' FROM jsonb_array_elements(orphans) o;
            RETURN;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION cordon.validate_foreign_key(regclass, name) IS
    'checks every row of a foreign key, of all tenants, and returns those that refer to no row, 100 at most; when there are '
    'none, the key is marked valid. For the owner of the table';

CREATE OR REPLACE FUNCTION cordon.foreign_keys(count_rows boolean DEFAULT true) RETURNS TABLE (
        constraint_name name, from_table regclass, from_columns name[], to_table regclass, to_columns name[],
        crossing_rows bigint, migration text[], note text)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    key record;
    actions CONSTANT jsonb := '{"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}';
    unique_key text[];
    existing record;
    key_name text;
    check_name text;
    is_counted boolean;
    indexed text[] := '{}'; -- the unique keys that an earlier row of the list brings
    notes text[];
BEGIN
    FOR key IN
        SELECT k.oid, k.conname, k.conrelid::regclass AS source, k.confrelid::regclass AS target,
               k.conkey, k.confkey, k.confmatchtype, k.confupdtype,
               s.relkind AS source_kind, t.relkind AS target_kind,
               sa.attnum AS source_number, sa.attname AS source_tenant,
               ta.attnum AS target_number, ta.attname AS target_tenant,
               replace(cordon.tenant_function(sa.atttypid), '4', '8')
                   = replace(cordon.tenant_function(ta.atttypid), '4', '8') AS is_comparable,
               c.source_columns, c.target_columns, c.are_not_null, c.source_list, c.target_list, c.joined,
               -- As the owner of both: what one owner has planted at a table does not run with the rights of another.
               pg_has_role(s.relowner, 'USAGE') AND s.relowner = t.relowner AS is_countable
        FROM pg_constraint k
        JOIN cordon_internal.registered() p ON p.relation = k.conrelid
        LEFT JOIN cordon_internal.registered() q ON q.relation = k.confrelid
        JOIN pg_class s ON s.oid = k.conrelid
        JOIN pg_class t ON t.oid = k.confrelid
        JOIN pg_attribute sa ON sa.attrelid = s.oid AND sa.attname = p.tenant_column AND NOT sa.attisdropped
        JOIN pg_attribute ta ON ta.attrelid = t.oid AND ta.attname = coalesce(q.tenant_column, p.tenant_column)
            AND ta.attnum > 0 AND NOT ta.attisdropped
        CROSS JOIN LATERAL (
            SELECT array_agg(f.attname ORDER BY i) AS source_columns, array_agg(r.attname ORDER BY i) AS target_columns,
                   string_agg(quote_ident(f.attname), ', ' ORDER BY i) AS source_list,
                   string_agg(quote_ident(r.attname), ', ' ORDER BY i) AS target_list,
                   bool_and(f.attnotnull) AS are_not_null,
                   string_agg(format('r.%I OPERATOR(%I.%s) f.%I', r.attname, n.nspname, o.oprname, f.attname), ' AND '
                              ORDER BY i) AS joined
            FROM generate_subscripts(k.conkey, 1) i
            JOIN pg_attribute f ON f.attrelid = k.conrelid AND f.attnum = k.conkey[i]
            JOIN pg_attribute r ON r.attrelid = k.confrelid AND r.attnum = k.confkey[i]
            JOIN pg_operator o ON o.oid = k.conpfeqop[i]
            JOIN pg_namespace n ON n.oid = o.oprnamespace
        ) c
        -- A partition's copy goes with the key of its parent.
        WHERE k.contype = 'f' AND k.conparentid = 0
            AND NOT EXISTS (SELECT FROM generate_subscripts(k.conkey, 1) i
                            WHERE k.conkey[i] = sa.attnum AND k.confkey[i] = ta.attnum)
        ORDER BY k.conrelid::regclass::text COLLATE "C", k.conname COLLATE "C"
    LOOP
        constraint_name := key.conname;
        from_table := key.source;
        from_columns := key.source_columns;
        to_table := key.target;
        to_columns := key.target_columns;
        crossing_rows := NULL;
        migration := '{}';
        notes := '{}';
        IF count_rows AND key.is_countable THEN
            -- As the owner, whose code the operators, casts and expressions of indexes may be. What is counted is given up with
            -- its locks.
            is_counted := false;
            BEGIN
                -- Not by a cast to text, which may be a function that the owner of a type wrote.
                crossing_rows := cordon_internal.as_owner(key.source, format(
                    'SELECT count(*) FROM %s %s f JOIN %s %s r ON %s '
                    'WHERE format(''%%s'', f.%I) IS DISTINCT FROM format(''%%s'', r.%I)',
                    -- A key does not reach inheritance children, but every partition.
                    CASE key.source_kind WHEN 'r' THEN 'ONLY' ELSE '' END, key.source,
                    CASE key.target_kind WHEN 'r' THEN 'ONLY' ELSE '' END, key.target,
                    key.joined, key.source_tenant, key.target_tenant));
                is_counted := true;
                RAISE SQLSTATE 'CPRVE';
            EXCEPTION WHEN OTHERS THEN
                IF NOT is_counted THEN
                    notes := notes || format('The rows could not be counted: SQLSTATE %s.', SQLSTATE);
                END IF;
            END;
        END IF;

        IF key.is_comparable IS NOT TRUE THEN
            notes := notes || format(
                'The tenant columns of the two tables have different types: give %s.%I the type of %s.%I.',
                key.target, key.target_tenant, key.source, key.source_tenant);
        ELSIF key.source_number = ANY (key.conkey) OR key.target_number = ANY (key.confkey) THEN
            notes := notes || 'The key compares a tenant column with one that is not: drop it, and add one that compares '
                              'the two tenant columns.'::text;
        ELSE
            unique_key := cordon_internal.unique_key_with(key.oid, key.target_tenant);
            IF unique_key IS NOT NULL AND format('%s (%s)', key.target, key.target_list) <> ALL (indexed) THEN
                indexed := indexed || format('%s (%s)', key.target, key.target_list);
                migration := migration || unique_key;
            END IF;

            IF key.confmatchtype = 'f' AND NOT key.are_not_null AND cardinality(key.conkey) > 1 THEN
                check_name := cordon.free_name(left(key.conname, 40) || '_all_or_none',
                    ARRAY(SELECT conname FROM pg_constraint WHERE conrelid = key.source));
                migration := migration || ARRAY[
                    format('ALTER TABLE %s ADD CONSTRAINT %I CHECK (num_nonnulls(%s) IN (0, %s)) NOT VALID',
                           key.source, check_name, key.source_list, cardinality(key.conkey)),
                    format('ALTER TABLE %s VALIDATE CONSTRAINT %I', key.source, check_name)];
                notes := notes || 'MATCH FULL becomes a CHECK, since the tenant is never null.'::text;
            END IF;
            IF key.confupdtype IN ('n', 'd') THEN
                notes := notes || format('ON UPDATE %s would change the tenant too, so it becomes NO ACTION.',
                                         actions ->> key.confupdtype::text);
            END IF;
            SELECT * INTO existing FROM cordon_internal.key_with_tenant(key.oid, key.source_tenant);
            key_name := coalesce(existing.name::text, cordon.free_name(left(key.conname, 50) || '_tenant',
                ARRAY(SELECT conname FROM pg_constraint WHERE conrelid = key.source)));
            IF existing.name IS NULL THEN
                migration := migration || cordon_internal.foreign_key_with(key.oid, key_name, key.source_tenant, key.target_tenant);
            END IF;
            IF key.source_kind = 'r' AND existing.is_valid IS NOT TRUE THEN
                migration := migration || format('SELECT * FROM cordon.validate_foreign_key(%L, %L)', key.source, key_name);
            ELSIF key.source_kind <> 'r' AND existing.name IS NULL THEN
                notes := notes || 'A partitioned table cannot have a key that is NOT VALID: all rows are checked at once, '
                                  'while nobody can write.'::text;
            END IF;
            migration := migration || format('ALTER TABLE %s DROP CONSTRAINT %I', key.source, key.conname);
        END IF;
        IF crossing_rows > 0 THEN
            notes := notes || 'Correct the rows that cross before the new key is validated.'::text;
        END IF;
        note := nullif(array_to_string(notes, ' '), '');
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION cordon.foreign_keys(boolean) IS
    'the foreign keys of protected tables that can refer to another tenant''s row, how many rows do (null when they are '
    'not to be counted, and where the caller or the owner may not see them), and the statements, to be run one by one '
    'outside of a transaction, that put the tenant into the key';
