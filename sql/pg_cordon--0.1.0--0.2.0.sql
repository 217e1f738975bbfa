-- From 0.1.0 to 0.2.0: the audit knows of the minor versions of November 2026.
\echo Use "ALTER EXTENSION pg_cordon UPDATE TO '0.2.0'" to load this file. \quit

CREATE OR REPLACE FUNCTION cordon.audit_settings() RETURNS SETOF cordon.finding
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT 'error', 'persisted_tenant', concat_ws(' in ', r.rolname, d.datname),
           'A tenant is there before the application says anything.',
           CASE WHEN s.setrole = 0 THEN format('ALTER DATABASE %I RESET %s', d.datname, setting.name)
                WHEN s.setdatabase = 0 THEN format('ALTER ROLE %I RESET %s', r.rolname, setting.name)
                ELSE format('ALTER ROLE %I IN DATABASE %I RESET %s', r.rolname, d.datname, setting.name)
           END
    FROM (SELECT current_setting('cordon.tenant_setting') AS name) setting
    CROSS JOIN pg_db_role_setting s
    LEFT JOIN pg_roles r ON r.oid = s.setrole
    LEFT JOIN pg_database d ON d.oid = s.setdatabase
    WHERE EXISTS (SELECT FROM unnest(s.setconfig) c WHERE lower(split_part(c, '=', 1)) = lower(setting.name)
                  AND split_part(c, '=', 2) <> '')
    UNION ALL
    SELECT 'info', 'guard_not_enabled', current_database()::text,
           'Tables are protected, but DDL that would leave one open goes unnoticed until the next audit.',
           'SELECT cordon.enable_guard()'
    WHERE EXISTS (SELECT FROM cordon.protected_table)
        AND NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'cordon_guard_ddl' AND evtenabled IN ('O', 'A'))
    UNION ALL
    -- CVE-2023-2455, CVE-2023-39418, CVE-2024-10976, CVE-2025-8713: row security of an earlier plan or user, MERGE,
    -- statistics that show values of hidden rows. CVE-2026-116327: a leaky function goes first. The releases of
    -- 2026-11-12 also mend that a condition of ON CONFLICT DO UPDATE reads a row which row security then refuses (seen
    -- on 15.18, 17.11, 18.6, not on 15.20, whose change for CVE-2026-16237 is the one on ON CONFLICT). The numbers of 16
    -- and 18 are by the calendar.
    SELECT 'warning', 'server_version', 'PostgreSQL ' || current_setting('server_version'),
           format('This minor version has known faults in row security, mended in %s.%s.', v.major, v.minor),
           format('-- install PostgreSQL %s.%s or later', v.major, v.minor)
    FROM (VALUES (15, 20), (16, 16), (17, 12), (18, 7)) v (major, minor)
    WHERE current_setting('server_version_num')::int / 10000 = v.major
        AND current_setting('server_version_num')::int % 10000 < v.minor
    UNION ALL
    SELECT 'warning', 'statements_logged', s.name,
           CASE s.name WHEN 'log_statement' THEN 'Statements are logged before they run, with their plaintext: ' ELSE 'Statements that fail before they reach a secret are logged with it: ' END
               || s.name || ' = ' || s.setting || '. With cordon.redact_log = all they are logged without literals.',
           format('ALTER SYSTEM SET %I = %L', s.name, safe.value)
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
           'ALTER SYSTEM SET cordon.redact_log = ''touched'''
    WHERE current_setting('cordon.redact_log') = 'off'
    $$;
