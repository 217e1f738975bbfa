-- What an earlier version accepted and this one refuses, with the statement for each: for the transaction in which a DBA tries
-- the update (docs/UPGRADING.md), and afterwards.

CREATE OR REPLACE FUNCTION cordon_internal.tree_converts(tree pg_node_tree) RETURNS boolean
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'cordon_tree_converts';
COMMENT ON FUNCTION cordon_internal.tree_converts(pg_node_tree) IS
    'whether an expression of the catalog seals, opens, or compares a sealed value with text';
CREATE OR REPLACE FUNCTION cordon_internal.tree_has_implicit_plaintext(tree pg_node_tree) RETURNS boolean
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'cordon_tree_has_implicit_plaintext';
COMMENT ON FUNCTION cordon_internal.tree_has_implicit_plaintext(pg_node_tree) IS
    'whether an expression of the catalog makes plaintext of a sealed value without a cast that says so';
REVOKE ALL ON FUNCTION cordon_internal.tree_converts(pg_node_tree), cordon_internal.tree_has_implicit_plaintext(pg_node_tree)
    FROM PUBLIC;

CREATE OR REPLACE FUNCTION cordon.upgrade_check() RETURNS SETOF cordon.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT f.*, NULL::text FROM (
    SELECT severity, code, object, detail, fix_sql FROM cordon_internal.constant_findings()
    UNION ALL
    SELECT DISTINCT 'error', 'comparison_in_definition', pg_describe_object(d.classid, d.objid, 0),
           'It compares a sealed value with plaintext, or reads it: for another tenant or without a keyring it fails, as when a '
           'dump is restored, and is refused now. A BEFORE trigger can check the plaintext.',
           CASE d.place
               WHEN 'check' THEN format('ALTER TABLE %s DROP CONSTRAINT %I', d.relation::regclass, k.conname)
               WHEN 'domain check' THEN format('ALTER DOMAIN %s DROP CONSTRAINT %I', k.contypid::regtype, k.conname)
               ELSE format('DROP STATISTICS %I.%I', n.nspname, s.stxname)
           END
    FROM cordon_internal.definitions() d
    LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
    LEFT JOIN pg_statistic_ext s ON d.classid = 'pg_statistic_ext'::regclass AND s.oid = d.objid
    LEFT JOIN pg_namespace n ON n.oid = s.stxnamespace
    WHERE d.place IN ('check', 'domain check', 'statistics') AND cordon_internal.tree_converts(d.tree)
    UNION ALL
    SELECT DISTINCT 'error', 'implicit_plaintext',
           CASE d.place WHEN 'rule' THEN format('%s (%s)', d.relation::regclass, pg_describe_object(d.classid, d.objid, 0))
                        ELSE pg_describe_object(d.classid, d.objid, 0) END,
           'A sealed value becomes plaintext there without a cast, as in token || ''...'': it is refused when it runs. Define it '
           'again with token::text.', NULL
    FROM cordon_internal.definitions() d
    WHERE cordon_internal.tree_has_implicit_plaintext(d.tree)
    UNION ALL
    SELECT 'error', 'partitioned_by_sealed', p.partrelid::regclass::text,
           'Its partitions are by lists or ranges of sealed values, which other tenants and other keys do not have: no partition '
           'can be added, and a dump does not restore. Partition by HASH, or by the tenant.', NULL
    FROM pg_partitioned_table p
    WHERE p.partstrat <> 'h' AND EXISTS (
        SELECT FROM unnest(p.partattrs::smallint[]) k (number)
        JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.number
        WHERE k.number > 0 AND cordon_internal.contains_sealed(a.atttypid))
    UNION ALL
    SELECT 'error', 'restoring_role', r.rolname::text,
           'cordon.text_form = stored is for reading. A role that loads dumps needs "restore", which a superuser grants.',
           CASE WHEN s.setdatabase = 0 THEN format('ALTER ROLE %I SET cordon.text_form = restore', r.rolname)
                ELSE format('ALTER ROLE %I IN DATABASE %I SET cordon.text_form = restore', r.rolname, d.datname) END
    FROM pg_db_role_setting s
    JOIN pg_roles r ON r.oid = s.setrole AND NOT cordon.bypasses(r.oid)
    LEFT JOIN pg_database d ON d.oid = s.setdatabase
    WHERE 'cordon.text_form=stored' = ANY (s.setconfig) AND (s.setdatabase = 0 OR d.datname = current_database())
    UNION ALL
    SELECT 'error', 'subscription_owner', b.subname::text,
           format('Its owner "%s" is neither superuser nor has BYPASSRLS: it may not write the stored form of sealed values, '
                  'which is what publishers send.', r.rolname),
           format('ALTER ROLE %I SET cordon.text_form = restore', r.rolname)
    FROM pg_subscription b JOIN pg_database d ON d.oid = b.subdbid AND d.datname = current_database()
    JOIN pg_roles r ON r.oid = b.subowner
    WHERE NOT cordon.bypasses(r.oid) AND NOT EXISTS (
        SELECT FROM pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase IN (0, d.oid)
            AND 'cordon.text_form=restore' = ANY (s.setconfig))
    UNION ALL
    SELECT 'warning', 'not_registered', p.relation::text,
           format('It is registered with the tenant column "%s", but is no table that has one, or a temporary one: nothing reads '
                  'the registration any more.', p.tenant_column),
           format('DELETE FROM cordon.protected_table WHERE relation = %s::pg_catalog.regclass', p.relation::oid)
    FROM cordon.protected_table p
    WHERE NOT EXISTS (SELECT FROM cordon_internal.registered() r WHERE r.relation = p.relation)
    UNION ALL
    SELECT 'warning', 'key_printable', format('%s key %s', k.purpose, k.id),
           'Its bytes are all printable: a password, or the digits of a key in place of its bytes. Such keys are guessed.',
           format('SELECT cordon.rotate_key(%L)', k.purpose)
    FROM cordon_internal.printable_keys() k
    UNION ALL
    SELECT 'warning', 'calls_removed_function', pg_describe_object('pg_proc'::regclass, p.oid, 0),
           format('It names %s, which was for the extension''s own use and is gone.', string_agg(DISTINCT m[1], ', ')), NULL
    FROM pg_proc p
    CROSS JOIN LATERAL regexp_matches(p.prosrc, '\mcordon\.(count_keys|failing_values|reencrypt_batch|convert_batch|'
        'count_unconverted|unconverted_rows|reseal|check_value|run_with_lock|row_place|row_values|attempt|rewrite|convert_column)\M',
        'g') m
    WHERE p.oid >= 16384 AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    GROUP BY p.oid
    ) f
    $$;
COMMENT ON FUNCTION cordon.upgrade_check() IS
    'what an earlier version accepted and this one refuses, with the statement for each; for superusers';
REVOKE ALL ON FUNCTION cordon.upgrade_check() FROM PUBLIC;
