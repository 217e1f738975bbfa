-- Constants of sealed types in definitions, where they outlive their statement: as they were sealed when somebody wrote the
-- definition, for that session's tenant and under the key of that time. The library refuses new ones; these are of before, or
-- came with a dump.

CREATE OR REPLACE FUNCTION cordon_internal.definitions()
    RETURNS TABLE (classid regclass, objid oid, objsubid integer, relation oid, place text, tree pg_node_tree)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT 'pg_class'::regclass, adrelid, adnum::integer, adrelid,
           CASE (SELECT attgenerated FROM pg_attribute WHERE attrelid = adrelid AND attnum = adnum)
               WHEN '' THEN 'default' ELSE 'generated column' END, adbin FROM pg_attrdef
    UNION ALL SELECT 'pg_constraint', oid, 0, conrelid, CASE WHEN contypid = 0 THEN 'check' ELSE 'domain check' END, conbin
        FROM pg_constraint WHERE conbin IS NOT NULL
    UNION ALL SELECT 'pg_policy', oid, 0, polrelid, 'policy', tree
        FROM pg_policy CROSS JOIN LATERAL (VALUES (polqual), (polwithcheck)) v (tree) WHERE tree IS NOT NULL
    UNION ALL SELECT 'pg_rewrite', oid, 0, ev_class, 'rule', tree
        FROM pg_rewrite CROSS JOIN LATERAL (VALUES (ev_qual), (ev_action)) v (tree) WHERE oid >= 16384 AND tree::text <> '<>'
    UNION ALL SELECT 'pg_trigger', oid, 0, tgrelid, 'trigger', tgqual FROM pg_trigger WHERE tgqual IS NOT NULL
    UNION ALL SELECT 'pg_type', oid, 0, 0, 'domain default', typdefaultbin FROM pg_type WHERE typdefaultbin IS NOT NULL
    UNION ALL SELECT 'pg_proc', oid, 0, 0, 'function', tree
        FROM pg_proc CROSS JOIN LATERAL (VALUES (proargdefaults), (prosqlbody)) v (tree) WHERE oid >= 16384 AND tree IS NOT NULL
    UNION ALL SELECT 'pg_class', indexrelid, 0, indrelid, 'index', tree
        FROM pg_index CROSS JOIN LATERAL (VALUES (indexprs), (indpred)) v (tree) WHERE tree IS NOT NULL
    UNION ALL SELECT 'pg_statistic_ext', oid, 0, stxrelid, 'statistics', stxexprs FROM pg_statistic_ext
        WHERE stxexprs IS NOT NULL
    UNION ALL SELECT 'pg_class', oid, 0, oid, 'partition bound', relpartbound FROM pg_class WHERE relpartbound IS NOT NULL
    UNION ALL SELECT 'pg_class', partrelid, 0, partrelid, 'partition key', partexprs FROM pg_partitioned_table WHERE partexprs IS NOT NULL
    UNION ALL SELECT 'pg_publication_rel', oid, 0, prrelid, 'publication', prqual FROM pg_publication_rel
        WHERE prqual IS NOT NULL
    $$;
COMMENT ON FUNCTION cordon_internal.definitions() IS 'every expression that the catalog keeps, as its tree';

CREATE OR REPLACE FUNCTION cordon_internal.sealed_constants()
    RETURNS TABLE (classid regclass, objid oid, objsubid integer, relation oid, place text, object text, is_shared boolean,
                   key_id bigint, search_key_id bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    -- The bytes of a constant stand in the tree as signed numbers, behind four of PostgreSQL's own: version, kind, key id,
    -- tenant check, and with equality the search key's id. Of those in arrays and composites the keys are not looked for.
    WITH found AS (
        SELECT d.*, m[1]::oid AS type, string_to_array(trim(m[2]), ' ')::integer[] AS bytes
        FROM cordon_internal.definitions() d,
             regexp_matches(d.tree::text, '\{CONST :consttype (\d+) [^{}]*?:constisnull false [^{}]*?:constvalue \d+ \[ ([-\d ]+)\]', 'g') m
        WHERE m[1]::oid >= 16384 AND cordon_internal.contains_sealed(m[1]::oid)
    )
    SELECT f.classid, f.objid, f.objsubid, f.relation, f.place, pg_describe_object(f.classid, f.objid, f.objsubid),
           coalesce(cordon_internal.is_shared_type(f.type), false),
           CASE WHEN cordon_internal.sealed_kind(f.type) IS NOT NULL THEN cordon_internal.read_u32(f.bytes, 7) END,
           CASE WHEN cordon_internal.has_equality(f.type) THEN cordon_internal.read_u32(f.bytes, 15) END
    FROM found f
    $$;
COMMENT ON FUNCTION cordon_internal.sealed_constants() IS
    'the constants of sealed types in definitions, and the keys that they are under';

CREATE OR REPLACE FUNCTION cordon_internal.read_u32(bytes integer[], at integer) RETURNS bigint
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT ((bytes[at] + 256) % 256)::bigint * 16777216 + ((bytes[at + 1] + 256) % 256) * 65536
        + ((bytes[at + 2] + 256) % 256) * 256 + (bytes[at + 3] + 256) % 256
    $$;
COMMENT ON FUNCTION cordon_internal.read_u32(integer[], integer) IS 'four signed bytes as a number, the first the highest';

CREATE OR REPLACE FUNCTION cordon_internal.constant_findings() RETURNS SETOF cordon_internal.hit
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT DISTINCT CASE WHEN c.is_shared THEN 'warning' ELSE 'error' END,
           CASE c.place WHEN 'default' THEN 'constant_default' ELSE 'sealed_constant' END,
           CASE c.place WHEN 'default' THEN format('%s.%I', c.relation::regclass, a.attname) ELSE c.object END,
           CASE WHEN c.is_shared
               THEN 'It holds a value as it was sealed when it was defined: under the key of that time, which must stay enabled.'
               ELSE 'It holds a value sealed for the tenant of the session that defined it: other tenants cannot open it.'
           END || CASE WHEN f.fix IS NULL THEN ' Define it again with a cast at run time: ''...''::text::the_type.' ELSE '' END,
           f.fix,
           CASE WHEN c.relation <> 0 THEN 'pg_class'::regclass::oid ELSE c.classid END,
           CASE WHEN c.relation <> 0 THEN c.relation ELSE c.objid END,
           CASE c.place WHEN 'default' THEN c.objsubid ELSE 0 END
    FROM cordon_internal.sealed_constants() c
    LEFT JOIN pg_attribute a ON c.place = 'default' AND a.attrelid = c.relation AND a.attnum = c.objsubid
    LEFT JOIN pg_constraint k ON c.classid = 'pg_constraint'::regclass AND k.oid = c.objid
    LEFT JOIN pg_statistic_ext s ON c.classid = 'pg_statistic_ext'::regclass AND s.oid = c.objid
    CROSS JOIN LATERAL (SELECT CASE c.place
        WHEN 'default' THEN format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', c.relation::regclass, a.attname)
        WHEN 'check' THEN format('ALTER TABLE %s DROP CONSTRAINT %I', c.relation::regclass, k.conname)
        WHEN 'domain check' THEN format('ALTER DOMAIN %s DROP CONSTRAINT %I', k.contypid::regtype, k.conname)
        WHEN 'domain default' THEN format('ALTER DOMAIN %s DROP DEFAULT', c.objid::regtype)
        WHEN 'index' THEN format('DROP INDEX %s', c.objid::regclass)
        WHEN 'statistics' THEN format('DROP STATISTICS %I.%I',
            (SELECT nspname FROM pg_namespace WHERE oid = s.stxnamespace), s.stxname)
        END AS fix) f
    $$;
COMMENT ON FUNCTION cordon_internal.constant_findings() IS 'findings on constants of sealed types in definitions';
