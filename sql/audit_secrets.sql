-- What the audit finds on secrets: constants, plaintext, keys, and the store of tokens.

CREATE OR REPLACE FUNCTION cordon_internal.audit_secrets() RETURNS SETOF cordon_internal.hit
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT f.* FROM cordon_internal.constant_findings() f
    UNION ALL
    -- By its name, unless a label says that it is none; or because a label says so.
    SELECT CASE WHEN is_secret THEN 'error' ELSE 'warning' END, 'plaintext_secret', format('%s.%I', c.relation::regclass, c.attname),
           CASE WHEN is_secret THEN 'A label says that the column holds secrets, and it holds them in plain text.'
                ELSE 'By its name the column holds secrets, and it holds them in plain text.' END,
           CASE WHEN c.is_text AND c.is_tenants THEN format('CALL cordon.encrypt_column(%L, %L, finish => true)', c.relation::regclass, c.attname) END,
           'pg_class'::regclass, c.relation, c.attnum::int
    FROM (
        SELECT a.attrelid AS relation, a.attname, a.attnum, a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype) AS is_text,
               p.relation IS NOT NULL AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = a.attrelid) AS is_tenants,
               EXISTS (SELECT FROM cordon_internal.labels() l WHERE l.classid = 'pg_class'::regclass AND l.objid = a.attrelid
                       AND l.objsubid = a.attnum AND l.key = 'secret') AS is_secret
        FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
        JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'cordon', 'cordon_internal')
        LEFT JOIN cordon_internal.registered() p ON p.relation = a.attrelid
        WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attinhcount = 0 AND a.attname IS DISTINCT FROM p.tenant_column
            AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'bytea'::regtype, 'json'::regtype, 'jsonb'::regtype)
            AND NOT cordon_internal.is_own('pg_class'::regclass, a.attrelid)
            AND NOT EXISTS (SELECT FROM cordon.conversions v WHERE v.relation = a.attrelid AND a.attname IN (v.column_name, v.new_column))
    ) c
    WHERE c.is_secret OR c.attname ~* current_setting('cordon.secret_names')
    UNION ALL
    SELECT 'info', 'conversion_unfinished', format('%s.%I', c.relation, c.column_name),
           format('The column and %I are kept alike: the old values are still there.', c.new_column),
           format('CALL cordon.finish_conversion(%L, %L)', c.relation, c.column_name),
           'pg_class'::regclass, c.relation, (SELECT attnum FROM pg_attribute WHERE attrelid = c.relation AND attname = c.column_name)::int
    FROM cordon.conversions c
    $$;
COMMENT ON FUNCTION cordon_internal.audit_secrets() IS
    'findings on constants in definitions, on secrets in plain text, and on conversions that were not ended';

CREATE OR REPLACE FUNCTION cordon_internal.printable_keys(OUT id bigint, OUT purpose text) RETURNS SETOF record
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'cordon_printable_keys';
COMMENT ON FUNCTION cordon_internal.printable_keys() IS 'the keys for sealing whose bytes are all printable text';
REVOKE ALL ON FUNCTION cordon_internal.printable_keys() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cordon_internal.printable_keys() TO pg_monitor;

CREATE OR REPLACE FUNCTION cordon_internal.audit_keyring() RETURNS SETOF cordon_internal.hit
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
            'ALTER SYSTEM SET cordon.keyring_file = ''/etc/pg_cordon/keyring.json''', 'pg_database'::regclass, (SELECT oid FROM pg_database WHERE datname = current_database()), 0)::cordon_internal.hit;
    END IF;
    RETURN QUERY
        SELECT 'warning', 'key_printable', format('%s key %s', k.purpose, k.id),
               'Its bytes are all printable: a password, or the digits of a key in place of its bytes. Such keys are guessed.',
               format('SELECT cordon.rotate_key(%L)', k.purpose), 'pg_database'::regclass::oid, (SELECT oid FROM pg_database WHERE datname = current_database()), 0
        FROM cordon_internal.printable_keys() k JOIN cordon.keyring r USING (id) WHERE r.status = 'primary';
    RETURN QUERY
        SELECT 'warning', 'key_age', format('%s key %s', k.purpose, k.id),
               format('The primary key is %s days old; 90 are a common limit.', extract(day FROM k.age)),
               format('SELECT cordon.rotate_key(%L)', k.purpose), 'pg_database'::regclass::oid, (SELECT oid FROM pg_database WHERE datname = current_database()), 0
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
                       col.relation, col.column_name),
                'pg_class'::regclass, col.relation::oid, (SELECT attnum FROM pg_attribute WHERE attrelid = col.relation AND attname = col.column_name)::int)::cordon_internal.hit;
        END LOOP;
    END LOOP;
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    RETURN NEXT ('error', 'no_keyring', 'cordon.keyring', SQLERRM, 'SELECT cordon.create_keyring()', 'pg_database'::regclass, (SELECT oid FROM pg_database WHERE datname = current_database()), 0)::cordon_internal.hit;
END $$;
COMMENT ON FUNCTION cordon_internal.audit_keyring() IS 'findings on the keyring and the use of its keys, for those who may see it';

CREATE OR REPLACE FUNCTION cordon_internal.audit_token_store() RETURNS SETOF cordon_internal.hit
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
               'CREATE POLICY cordon_floor ON cordon.token AS RESTRICTIVE USING (tenant = cordon.tenant_text()) WITH CHECK (tenant = cordon.tenant_text())'), 'pg_class'::regclass::oid, c.oid, 0
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
           format('REVOKE %s ON cordon.token FROM %s', g.privileges, g.who), 'pg_class'::regclass, 'cordon.token'::regclass, 0
    FROM (
        SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS who,
               string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) AS privileges
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
        WHERE c.oid = 'cordon.token'::regclass AND a.grantee <> c.relowner AND a.privilege_type <> 'SELECT'
            AND NOT coalesce(cordon.bypasses(a.grantee), false)
        GROUP BY 1
    ) g
    $$;
COMMENT ON FUNCTION cordon_internal.audit_token_store() IS 'findings on the table of the token store: its row security and who may write to it';
