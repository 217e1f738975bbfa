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

CREATE OR REPLACE FUNCTION cordon.foreign_keys(count_rows boolean DEFAULT true) RETURNS TABLE (
        constraint_name name, from_table regclass, from_columns name[], to_table regclass, to_columns name[],
        crossing_rows bigint, migration text[], note text)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    key record;
    actions CONSTANT jsonb := '{"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}';
    index_name text;
    key_name text;
    check_name text;
    is_counted boolean;
    is_indexed boolean;
    keeps_match boolean;
    indexed text[] := '{}'; -- the unique keys that an earlier row of the list brings
    notes text[];
BEGIN
    FOR key IN
        SELECT k.oid, k.conname, k.conrelid::regclass AS source, k.confrelid::regclass AS target,
               k.conkey, k.confkey, k.confmatchtype, k.confupdtype, k.confdeltype, k.condeferrable, k.condeferred,
               s.relkind AS source_kind, t.relkind AS target_kind, t.relname AS target_name, t.relnamespace,
               sa.attnum AS source_number, sa.attname AS source_tenant,
               ta.attnum AS target_number, ta.attname AS target_tenant,
               replace(cordon.tenant_function(sa.atttypid), '4', '8')
                   = replace(cordon.tenant_function(ta.atttypid), '4', '8') AS is_comparable,
               c.source_columns, c.target_columns, c.are_not_null, c.source_list, c.target_list, c.joined,
               coalesce(ARRAY(SELECT quote_ident(a.attname) FROM unnest(k.confdelsetcols) WITH ORDINALITY d (attnum, at)
                              JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = d.attnum ORDER BY d.at), '{}')
                   AS delete_columns,
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
            is_indexed := EXISTS (
                SELECT FROM pg_index i
                WHERE i.indrelid = key.target AND i.indisunique AND i.indimmediate AND i.indisvalid
                    AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = cardinality(key.confkey) + 1
                    AND (SELECT array_agg(n ORDER BY n) FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) n)
                        = (SELECT array_agg(n ORDER BY n) FROM unnest(key.confkey || key.target_number) n));
            IF NOT is_indexed AND format('%s (%s)', key.target, key.target_list) <> ALL (indexed) THEN
                indexed := indexed || format('%s (%s)', key.target, key.target_list);
                index_name := cordon.free_name(
                    left(key.target_name, 24) || '_' || left(key.target_tenant, 12) || '_'
                        || left(array_to_string(key.target_columns, '_'), 14) || '_key',
                    ARRAY(SELECT relname FROM pg_class WHERE relnamespace = key.relnamespace)
                        || ARRAY(SELECT conname FROM pg_constraint WHERE conrelid = key.target));
                migration := migration || CASE key.target_kind
                    WHEN 'p' THEN ARRAY[
                        format('ALTER TABLE %s ADD CONSTRAINT %I UNIQUE (%I, %s)',
                               key.target, index_name, key.target_tenant, key.target_list)]
                    ELSE ARRAY[
                        format('CREATE UNIQUE INDEX CONCURRENTLY %I ON %s (%I, %s)',
                               index_name, key.target, key.target_tenant, key.target_list),
                        format('ALTER TABLE %s ADD CONSTRAINT %I UNIQUE USING INDEX %2$I', key.target, index_name)]
                END;
            END IF;

            -- MATCH FULL would now ask that the tenant be null as well.
            keeps_match := key.confmatchtype = 'f' AND key.are_not_null;
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
            key_name := cordon.free_name(left(key.conname, 50) || '_tenant',
                ARRAY(SELECT conname FROM pg_constraint WHERE conrelid = key.source));
            migration := migration || (
                format('ALTER TABLE %s ADD CONSTRAINT %I FOREIGN KEY (%I, %s) REFERENCES %s (%I, %s)', key.source,
                       key_name, key.source_tenant, key.source_list, key.target, key.target_tenant, key.target_list)
                || CASE WHEN keeps_match THEN ' MATCH FULL' ELSE '' END
                || CASE WHEN key.confupdtype IN ('r', 'c') THEN ' ON UPDATE ' || (actions ->> key.confupdtype::text)
                        ELSE '' END
                || CASE WHEN key.confdeltype = 'a' THEN ''
                        ELSE ' ON DELETE ' || (actions ->> key.confdeltype::text) END
                -- Without a list of columns the tenant would be set to null as well.
                || CASE WHEN key.confdeltype IN ('n', 'd') THEN format(' (%s)', CASE key.delete_columns
                        WHEN '{}' THEN key.source_list ELSE array_to_string(key.delete_columns, ', ') END) ELSE '' END
                || CASE WHEN key.condeferrable THEN ' DEFERRABLE' ELSE '' END
                || CASE WHEN key.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END
                || CASE key.source_kind WHEN 'r' THEN ' NOT VALID' ELSE '' END);
            IF key.source_kind = 'r' THEN
                migration := migration || format('ALTER TABLE %s VALIDATE CONSTRAINT %I', key.source, key_name);
            ELSE
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
