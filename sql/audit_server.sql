-- What the audit finds on the server: settings, connections, replication.

-- Who may not read the files is told by the value that RESET would give, where neither role nor database sets it.
CREATE OR REPLACE FUNCTION cordon_internal.is_servers(setting text, source text) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT source <> 'client' AND NOT EXISTS (
        SELECT FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) c
        WHERE s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))
            AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
            AND lower(split_part(c, '=', 1)) = setting)
    $$;
COMMENT ON FUNCTION cordon_internal.is_servers(text, text) IS
    'whether the value that RESET gives a setting in this session is that of the server''s configuration';

CREATE OR REPLACE FUNCTION cordon_internal.audit_settings() RETURNS SETOF cordon_internal.hit
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT 'error', 'persisted_tenant', concat_ws(' in ', r.rolname, d.datname),
           'A tenant is there before the application says anything.',
           CASE WHEN s.setrole = 0 THEN format('ALTER DATABASE %I RESET %s', d.datname, setting.name)
                WHEN s.setdatabase = 0 THEN format('ALTER ROLE %I RESET %s', r.rolname, setting.name)
                ELSE format('ALTER ROLE %I IN DATABASE %I RESET %s', r.rolname, d.datname, setting.name)
           END,
           CASE WHEN s.setrole = 0 THEN 'pg_database'::regclass::oid ELSE 'pg_authid'::regclass::oid END,
           CASE WHEN s.setrole = 0 THEN s.setdatabase ELSE s.setrole END, 0
    FROM (SELECT current_setting('cordon.tenant_setting') AS name) setting
    CROSS JOIN pg_db_role_setting s
    LEFT JOIN pg_roles r ON r.oid = s.setrole
    LEFT JOIN pg_database d ON d.oid = s.setdatabase
    WHERE EXISTS (SELECT FROM unnest(s.setconfig) c WHERE lower(split_part(c, '=', 1)) = lower(setting.name)
                  AND split_part(c, '=', 2) <> '')
    UNION ALL
    SELECT 'error', 'persisted_tenant', 'postgresql.conf', 'A tenant is there before the application says anything.',
           format('ALTER SYSTEM RESET %s', s.name), 'pg_database'::regclass, (SELECT oid FROM pg_database WHERE datname = current_database()), 0
    FROM pg_settings s
    WHERE s.name = lower(current_setting('cordon.tenant_setting')) AND s.reset_val <> '' AND cordon_internal.is_servers(s.name, s.source)
    UNION ALL
    SELECT 'warning', 'guard_switched_off', concat_ws(' in ', r.rolname, d.datname),
           'Sessions begin with cordon.guard = off: DDL that leaves a table open is not noticed in them.',
           CASE WHEN s.setrole = 0 THEN format('ALTER DATABASE %I RESET cordon.guard', d.datname)
                WHEN s.setdatabase = 0 THEN format('ALTER ROLE %I RESET cordon.guard', r.rolname)
                ELSE format('ALTER ROLE %I IN DATABASE %I RESET cordon.guard', r.rolname, d.datname) END,
           CASE WHEN s.setrole = 0 THEN 'pg_database'::regclass::oid ELSE 'pg_authid'::regclass::oid END,
           CASE WHEN s.setrole = 0 THEN s.setdatabase ELSE s.setrole END, 0
    FROM pg_db_role_setting s
    LEFT JOIN pg_roles r ON r.oid = s.setrole
    LEFT JOIN pg_database d ON d.oid = s.setdatabase
    WHERE 'cordon.guard=off' = ANY (s.setconfig) AND (s.setdatabase = 0 OR d.datname = current_database())
    UNION ALL
    SELECT 'warning', 'guard_switched_off', 'postgresql.conf', 'Sessions begin with cordon.guard = off: DDL that leaves a table open is not noticed.',
           'ALTER SYSTEM RESET cordon.guard', 'pg_database'::regclass, (SELECT oid FROM pg_database WHERE datname = current_database()), 0
    FROM pg_settings s WHERE s.name = 'cordon.guard' AND s.reset_val = 'off' AND cordon_internal.is_servers(s.name, s.source)
    UNION ALL
    SELECT 'info', 'guard_not_enabled', current_database()::text,
           'Tables are protected, but DDL that would leave one open goes unnoticed until the next audit.',
           'SELECT cordon.enable_guard()', 'pg_database'::regclass, (SELECT oid FROM pg_database WHERE datname = current_database()), 0
    WHERE EXISTS (SELECT FROM cordon_internal.registered())
        AND NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'cordon_guard_ddl' AND evtenabled IN ('O', 'A'))
    UNION ALL
    -- CVE-2023-2455, CVE-2023-39418, CVE-2024-10976, CVE-2025-8713: row security of an earlier plan or user, MERGE,
    -- statistics that show values of hidden rows. CVE-2026-116327: a leaky function goes first. The releases of
    -- 2026-11-12 also mend that a condition of ON CONFLICT DO UPDATE reads a row which row security then refuses (seen
    -- on 15.18, 17.11, 18.6, not on 15.20, whose change for CVE-2026-16237 is the one on ON CONFLICT). The numbers of 16
    -- and 18 are by the calendar.
    SELECT 'warning', 'server_version', 'PostgreSQL ' || current_setting('server_version'),
           format('This minor version has known faults in row security: install PostgreSQL %s.%s or later.', v.major, v.minor),
           NULL, 'pg_database'::regclass, (SELECT oid FROM pg_database WHERE datname = current_database()), 0
    FROM (VALUES (15, 20), (16, 16), (17, 12), (18, 7)) v (major, minor)
    WHERE current_setting('server_version_num')::int / 10000 = v.major
        AND current_setting('server_version_num')::int % 10000 < v.minor
    UNION ALL
    SELECT 'warning', 'statements_logged', s.name,
           CASE s.name WHEN 'log_statement' THEN 'Statements are logged before they run, with their plaintext: ' ELSE 'Statements that fail before they reach a secret are logged with it: ' END
               || s.name || ' = ' || s.setting || '. With cordon.redact_log = all they are logged without literals.',
           format('ALTER SYSTEM SET %I = %L', s.name, safe.value), 'pg_database'::regclass, (SELECT oid FROM pg_database WHERE datname = current_database()), 0
    FROM (VALUES ('log_statement', 'none'), ('log_min_duration_statement', '-1'), ('log_min_duration_sample', '-1'),
                 ('log_transaction_sample_rate', '0'), ('log_min_error_statement', 'panic'),
                 ('log_parameter_max_length_on_error', '0'), ('auto_explain.log_min_duration', '-1')) safe (name, value)
    JOIN pg_settings s ON s.name = safe.name AND s.setting <> safe.value
    WHERE current_setting('cordon.redact_log') <> 'all'
        -- What is logged after it has run is redacted by default.
        AND (s.name = 'log_statement' OR current_setting('cordon.redact_log') = 'off'
             OR s.name IN ('log_min_error_statement', 'log_parameter_max_length_on_error'))
    UNION ALL
    SELECT 'warning', 'log_not_redacted', 'cordon.redact_log',
           'The server log shows the literals and parameters of statements that handle secrets.',
           'ALTER SYSTEM SET cordon.redact_log = ''touched''', 'pg_database'::regclass, (SELECT oid FROM pg_database WHERE datname = current_database()), 0
    WHERE current_setting('cordon.redact_log') = 'off'
    $$;
COMMENT ON FUNCTION cordon_internal.audit_settings() IS 'findings on persisted tenants, the guard, the version of the server, and logging';

CREATE OR REPLACE FUNCTION cordon_internal.audit_server(app oid[]) RETURNS SETOF cordon_internal.hit
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    here CONSTANT oid := (SELECT oid FROM pg_database WHERE datname = current_database());
BEGIN
    RETURN QUERY
    SELECT 'warning', 'ssl_off', 'ssl', 'The server listens on the network, and passwords and rows pass it in plain text.',
           'ALTER SYSTEM SET ssl = on', 'pg_database'::regclass::oid, here, 0
    WHERE current_setting('ssl') = 'off'
        AND EXISTS (SELECT FROM regexp_split_to_table(current_setting('listen_addresses'), '\s*,\s*') a
                    WHERE a NOT IN ('', 'localhost', '127.0.0.1', '::1'));
    -- Which files and lines, only some may see.
    IF has_table_privilege('pg_hba_file_rules', 'SELECT') AND has_function_privilege('pg_hba_file_rules()', 'EXECUTE') THEN
        RETURN QUERY
        SELECT 'warning', CASE h.auth_method WHEN 'trust' THEN 'hba_trust' ELSE 'hba_without_tls' END, format('line %s of pg_hba.conf', h.line_number),
               CASE h.auth_method WHEN 'trust' THEN format('From %s anybody may connect as any role, without a password.', coalesce(h.address, 'everywhere'))
                    ELSE format('From %s roles may connect without TLS: what they read and write can be read on the way.', coalesce(h.address, 'everywhere')) END,
               NULL, 'pg_database'::regclass::oid, here, 0
        FROM pg_hba_file_rules h
        WHERE h.error IS NULL AND h.auth_method <> 'reject' AND h.type IN ('host', 'hostnossl', 'hostssl')
            AND coalesce(h.address, '') NOT IN ('127.0.0.1', '::1', 'localhost', 'samehost')
            AND (h.auth_method = 'trust' OR h.type <> 'hostssl');
    ELSE
        RETURN NEXT ('info', 'not_checked', 'pg_hba.conf', 'Only superusers may look who may connect from where, and how.', NULL,
                     'pg_database'::regclass, here, 0)::cordon_internal.hit;
    END IF;
    RETURN QUERY
    SELECT 'warning', 'publication', p.pubname::text,
           format('It sends the rows of every tenant in %s to whoever subscribes.', string_agg(DISTINCT t.relation::regclass::text, ', ')),
           NULL, 'pg_publication'::regclass::oid, p.oid, 0
    FROM pg_publication p
    JOIN pg_publication_tables x ON x.pubname = p.pubname AND x.rowfilter IS NULL
    JOIN cordon_internal.registered() t ON t.relation = format('%I.%I', x.schemaname, x.tablename)::regclass
    GROUP BY p.oid, p.pubname;
    RETURN QUERY
    SELECT 'info', 'subscription', s.subname::text, 'Its worker writes the rows of every tenant that the publisher sends, past row security.',
           NULL, 'pg_subscription'::regclass::oid, s.oid, 0
    FROM pg_subscription s WHERE s.subdbid = here;
    RETURN QUERY
    SELECT 'warning', 'replication_slot', r.slot_name::text,
           'Nobody reads the slot, which keeps what is written, for every tenant, until somebody with REPLICATION does.',
           format('SELECT pg_drop_replication_slot(%L)', r.slot_name), 'pg_database'::regclass::oid, here, 0
    FROM pg_replication_slots r WHERE r.database = current_database() AND NOT r.active;
    RETURN QUERY
    SELECT CASE WHEN current_setting('lo_compat_privileges') = 'on' OR bool_or(EXISTS (SELECT FROM aclexplode(m.lomacl) a WHERE a.grantee = 0)) THEN 'warning' ELSE 'info' END,
           'large_objects', count(*)::text, 'Large objects have privileges, and no row security: who may read one of a role reads those of every tenant.',
           NULL, 'pg_database'::regclass::oid, here, 0
    FROM pg_largeobject_metadata m HAVING count(*) > 0;
END $$;
COMMENT ON FUNCTION cordon_internal.audit_server(oid[]) IS 'findings on connections, replication and large objects';
