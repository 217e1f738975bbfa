-- What depends on a column under conversion, and what takes its place. An index is known by its definition: that of the old
-- column's with the new column in it is that of the index which replaces it.

CREATE OR REPLACE FUNCTION cordon_internal.is_used_in(expression text, number int2) RETURNS boolean
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT coalesce(expression ~ format(':varattno %s :vartype', number), false) $$;
COMMENT ON FUNCTION cordon_internal.is_used_in(text, int2) IS 'whether an expression, as pg_node_tree prints it, has the column of that number';

-- A condition can be the new column's when it asks of the old one no more than whether it is null.
CREATE OR REPLACE FUNCTION cordon_internal.condition_with(old_index oid, number int2, new_column name) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE
        WHEN new_column IS NULL OR NOT cordon_internal.is_used_in(i.indpred::text, number) THEN pg_get_expr(i.indpred, i.indrelid)
        WHEN (SELECT count(*) FROM regexp_matches(i.indpred::text, format(':varattno %s :vartype', number), 'g'))
             = (SELECT count(*) FROM regexp_matches(i.indpred::text, format('NULLTEST :arg \{VAR :varno 1 :varattno %s :vartype', number), 'g'))
            THEN regexp_replace(pg_get_expr(i.indpred, i.indrelid),
                '(^|[ (])' || regexp_replace(quote_ident(a.attname), '([^[:alnum:]_])', '\\\1', 'g') || ' IS ((NOT )?NULL)',
                '\1' || replace(quote_ident(new_column), '\', '\\') || ' IS \2', 'g')
        END
    FROM pg_index i LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = number WHERE i.indexrelid = old_index
    $$;
COMMENT ON FUNCTION cordon_internal.condition_with(oid, int2, name) IS
    'the condition of a partial index with another column in the place of one; NULL when it has none or the other cannot take its place';

CREATE OR REPLACE FUNCTION cordon_internal.index_definition(index oid, number int2 DEFAULT NULL, new_column name DEFAULT NULL)
    RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT concat(m.amname, ' (', k.keys, ')', ' INCLUDE (' || k.included || ')', CASE WHEN i.indnullsnotdistinct THEN ' NULLS NOT DISTINCT' END,
                  ' WITH (' || array_to_string(x.reloptions, ', ') || ')', ' TABLESPACE ' || quote_ident(s.spcname),
                  ' WHERE ' || cordon_internal.condition_with(index, number, new_column))
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
    LEFT JOIN pg_tablespace s ON s.oid = x.reltablespace
    CROSS JOIN LATERAL (
        SELECT string_agg(part, ', ' ORDER BY at) FILTER (WHERE at < i.indnkeyatts) AS keys,
               string_agg(part, ', ' ORDER BY at) FILTER (WHERE at >= i.indnkeyatts) AS included
        FROM (
            SELECT at, concat(CASE WHEN i.indkey[at] = number THEN quote_ident(new_column) ELSE pg_get_indexdef(index, at + 1, true) END,
                -- Of the column that is replaced the type decides, of others what the index says.
                CASE WHEN at < i.indnkeyatts AND i.indkey[at] IS DISTINCT FROM number THEN concat(
                    (SELECT format(' COLLATE %I.%I', n.nspname, c.collname) FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
                     WHERE c.oid = i.indcollation[at] AND c.oid <> coalesce((SELECT a.attcollation FROM pg_attribute a
                         WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[at] AND a.attnum <> 0), 'pg_catalog."default"'::regcollation)),
                    (SELECT format(' %I.%I', n.nspname, o.opcname) FROM pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace
                     WHERE o.oid = i.indclass[at] AND NOT o.opcdefault)) END,
                CASE WHEN at < i.indnkeyatts THEN CASE i.indoption[at] WHEN 1 THEN ' DESC NULLS LAST' WHEN 2 THEN ' NULLS FIRST' WHEN 3 THEN ' DESC' END END) AS part
            FROM generate_series(0, i.indnatts - 1) at
        ) parts
    ) k
    WHERE i.indexrelid = index
    $$;
COMMENT ON FUNCTION cordon_internal.index_definition(oid, int2, name) IS
    'what an index is, from its access method on: with another column in the place of one, in the default order of that one''s type';

-- Why an index cannot be had on the new column; NULL when it can.
CREATE OR REPLACE FUNCTION cordon_internal.no_counterpart(old_index oid, number int2, new_type oid) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE
        WHEN cordon_internal.is_used_in(i.indexprs::text, number) THEN 'it is of an expression of the column'
        WHEN cordon_internal.is_used_in(i.indpred::text, number) AND cordon_internal.condition_with(old_index, number, 'x') IS NULL
            THEN 'its condition looks into the column'
        WHEN i.indisexclusion THEN 'it is an exclusion constraint'
        WHEN EXISTS (SELECT FROM generate_series(0, i.indnkeyatts - 1) at JOIN pg_opclass o ON o.oid = i.indclass[at]
                     WHERE i.indkey[at] = number AND NOT o.opcdefault) THEN 'its operator class is none that the new type has'
        WHEN number = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) AND NOT EXISTS (
            SELECT FROM pg_opclass o WHERE o.opcmethod = x.relam AND o.opcintype = new_type AND o.opcdefault)
            THEN 'the new type has no order and no equality'
        END
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indexrelid = old_index
    $$;
COMMENT ON FUNCTION cordon_internal.no_counterpart(oid, int2, oid) IS
    'why there can be no index like an old one with a column of a new type in it; NULL when there can';

CREATE OR REPLACE FUNCTION cordon_internal.index_pairs(relation regclass, old_number int2, new_number int2)
    RETURNS TABLE (old_index regclass, replacement regclass)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH old AS (
        SELECT i.indexrelid, i.indisunique, d.definition, row_number() OVER (PARTITION BY i.indisunique, d.definition ORDER BY i.indexrelid) AS nth
        FROM pg_index i CROSS JOIN LATERAL (
            SELECT cordon_internal.index_definition(i.indexrelid, old_number, n.attname) AS definition, n.atttypid
            FROM pg_attribute n WHERE n.attrelid = relation AND n.attnum = new_number) d
        WHERE i.indrelid = relation AND old_number = ANY (i.indkey::int2[])
            AND cordon_internal.no_counterpart(i.indexrelid, old_number, d.atttypid) IS NULL
    ), new AS (
        -- Each takes the place of one.
        SELECT i.indexrelid, i.indisunique, d.definition, row_number() OVER (PARTITION BY i.indisunique, d.definition ORDER BY i.indexrelid) AS nth
        FROM pg_index i CROSS JOIN LATERAL (SELECT cordon_internal.index_definition(i.indexrelid) AS definition) d
        WHERE i.indrelid = relation AND new_number = ANY (i.indkey::int2[]) AND i.indisvalid AND i.indisready
    )
    SELECT old.indexrelid::regclass, new.indexrelid::regclass FROM old JOIN new USING (indisunique, definition, nth)
    $$;
COMMENT ON FUNCTION cordon_internal.index_pairs(regclass, int2, int2) IS
    'the indexes of an old column, each with the one of the new column that takes its place';

CREATE OR REPLACE FUNCTION cordon_internal.index_like(old_index oid, old_number int2, new_column name) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE WHEN c.relkind = 'p' AND k.oid IS NOT NULL
        -- A constraint of a partitioned table cannot be made of an index.
        THEN format('ALTER TABLE %s ADD %s', i.indrelid::regclass,
            regexp_replace(concat('UNIQUE ', CASE WHEN i.indnullsnotdistinct THEN 'NULLS NOT DISTINCT ' END,
                replace(regexp_replace(cordon_internal.index_definition(old_index, old_number, new_column), '^\S+ ', ''), ' NULLS NOT DISTINCT', ''),
                CASE WHEN k.condeferrable THEN ' DEFERRABLE' END, CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' END), ' +', ' ', 'g'))
        ELSE format('CREATE %sINDEX %sON %s USING %s', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END,
            CASE c.relkind WHEN 'r' THEN 'CONCURRENTLY ' ELSE '' END, i.indrelid::regclass,
            cordon_internal.index_definition(old_index, old_number, new_column)) END
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype = 'u'
    WHERE i.indexrelid = old_index
    $$;
COMMENT ON FUNCTION cordon_internal.index_like(oid, int2, name) IS
    'the statement that makes an index on a new column in the place of an old one';

-- What uses a column. loss says what is lost when it goes with the column: 'unique' for a key, 'other'; NULL when it cannot go.
CREATE OR REPLACE FUNCTION cordon_internal.conversion_obstacles(target regclass, column_name name, new_column name, new_type oid)
    RETURNS TABLE (object text, remedy text, is_final boolean, loss text, why text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH col AS (
        SELECT r AS relation, a.attnum AS number,
               (SELECT n.attnum FROM pg_attribute n WHERE n.attrelid = r AND n.attname = new_column) AS new_number
        FROM cordon.tree(target) r JOIN pg_attribute a ON a.attrelid = r AND a.attname = conversion_obstacles.column_name
    ), used AS (
        SELECT DISTINCT col.*, d.classid, d.objid, d.objsubid FROM col JOIN pg_depend d
            ON d.refclassid = 'pg_class'::regclass AND d.refobjid = col.relation AND d.refobjsubid = col.number
        WHERE (d.classid, d.objid, d.objsubid) <> ('pg_class'::regclass, col.relation, col.number)
    ), found AS (
        SELECT u.*, c.contype, c.conname, c.conparentid, i.indexrelid, i.indisunique, i.indisreplident,
               pg_describe_object(u.classid, u.objid, u.objsubid) AS description,
               cordon_internal.no_counterpart(i.indexrelid, u.number, new_type) AS why
        FROM used u LEFT JOIN pg_constraint c ON u.classid = 'pg_constraint'::regclass AND c.oid = u.objid
        LEFT JOIN pg_index i ON i.indexrelid = CASE WHEN c.contype IN ('u', 'x') THEN c.conindid
            WHEN u.classid = 'pg_class'::regclass THEN u.objid END AND i.indrelid = u.relation
    )
    SELECT format('the partition key of table %s', relation),
           'Rows are put into partitions by the column. Make a table that is partitioned in another way.', true, NULL, NULL
    FROM col JOIN pg_partitioned_table p ON p.partrelid = col.relation
    WHERE number = ANY (p.partattrs::int2[]) OR cordon_internal.is_used_in(p.partexprs::text, number)
    UNION ALL
    SELECT description,
           CASE WHEN contype IN ('p', 'f') THEN 'A column of a primary or foreign key cannot be converted. Drop the constraint first.'
                WHEN indexrelid IS NOT NULL AND why IS NULL THEN
                    format('Make one like it: %s; or drop it, or finish with %s => true.', cordon_internal.index_like(indexrelid, number, new_column),
                           CASE WHEN indisunique THEN 'drop_unique' ELSE 'drop_dependents' END)
                WHEN indexrelid IS NOT NULL THEN
                    format('There can be none on the new column: %s. Drop it, or finish with %s => true.%s', why,
                           CASE WHEN indisunique OR contype = 'x' THEN 'drop_unique' ELSE 'drop_dependents' END,
                           CASE WHEN why LIKE 'the new type%' THEN ' A type that ends with _eq can have one.' ELSE '' END)
                WHEN contype = 'c' THEN 'What it checks cannot be seen of a sealed value: drop it, or finish with drop_dependents => true.'
                ELSE 'Drop it before the conversion is finished, and make it again afterwards.' END
           || CASE WHEN indisreplident THEN format(' It is the replica identity: ALTER TABLE %s REPLICA IDENTITY DEFAULT, or FULL, first.', relation) ELSE '' END,
           coalesce(contype IN ('p', 'f'), false),
           CASE WHEN contype IN ('p', 'f') OR indisreplident THEN NULL
                WHEN indisunique OR contype = 'x' THEN 'unique'
                WHEN indexrelid IS NOT NULL OR contype = 'c' THEN 'other' END,
           why
    FROM found
    WHERE classid <> 'pg_statistic_ext'::regclass
        -- The default is the new column's, too; an expression of another column is not.
        AND NOT (classid = 'pg_attrdef'::regclass
                 AND EXISTS (SELECT FROM pg_attrdef x WHERE x.oid = objid AND x.adrelid = relation AND x.adnum = number))
        AND coalesce(contype, ' ') <> 'n' AND coalesce(conparentid, 0) = 0
        AND coalesce(conname, ' ') NOT LIKE 'cordon\_converted\_%'
        -- Those of a partition belong to that of the table above.
        AND NOT EXISTS (SELECT FROM pg_inherits p WHERE p.inhrelid = found.indexrelid)
        AND (indexrelid IS NULL OR new_number IS NULL
             OR NOT EXISTS (SELECT FROM cordon_internal.index_pairs(found.relation, found.number, found.new_number) p WHERE p.old_index = found.indexrelid))
    ORDER BY 1
    $$;
COMMENT ON FUNCTION cordon_internal.conversion_obstacles(regclass, name, name, oid) IS
    'what uses a column that is to be converted to a type, what to do about it, and what is lost when it goes with the column';
