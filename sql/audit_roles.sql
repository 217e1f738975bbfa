-- What the audit finds on roles and on what is granted to them.

CREATE OR REPLACE FUNCTION cordon_internal.audit_roles(app oid[]) RETURNS SETOF cordon_internal.hit
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    -- The roles that somebody connects as, and those that the application is said to have. The bootstrap superuser is the DBA's own.
    WITH login AS (
        SELECT oid, rolname, rolsuper, rolbypassrls, rolreplication, rolcreaterole, oid = ANY (app) AS is_app,
               CASE WHEN oid = ANY (app) THEN 'error' ELSE 'warning' END AS severity
        FROM pg_roles WHERE rolcanlogin AND oid <> 10 OR oid = ANY (app)
    )
    SELECT severity, 'superuser', rolname::text, 'Row security does not apply to the role, and it may read the keyring.',
           format('ALTER ROLE %I NOSUPERUSER', rolname), 'pg_authid'::regclass::oid, oid, 0
    FROM login WHERE rolsuper
    UNION ALL
    SELECT severity, 'bypasses_row_security', rolname::text, 'Row security does not apply to the role.',
           format('ALTER ROLE %I NOBYPASSRLS', rolname), 'pg_authid'::regclass, oid, 0
    FROM login WHERE rolbypassrls AND NOT rolsuper
    UNION ALL
    SELECT l.severity, 'may_become_bypassing_role', l.rolname::text,
           format('The role may SET ROLE to "%s", to which row security does not apply.', b.rolname),
           format('REVOKE %I FROM %I', b.rolname, coalesce(via.rolname, l.rolname)), 'pg_authid'::regclass, l.oid, 0
    FROM login l
    JOIN pg_roles b ON (b.rolsuper OR b.rolbypassrls) AND b.oid <> l.oid AND pg_has_role(l.oid, b.oid, 'MEMBER')
    -- The membership to revoke: the last step of the way.
    LEFT JOIN LATERAL (
        SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
        WHERE m.roleid = b.oid AND pg_has_role(l.oid, m.member, 'MEMBER') LIMIT 1
    ) via ON true
    WHERE NOT l.rolsuper AND NOT l.rolbypassrls
    UNION ALL
    SELECT CASE WHEN l.is_app AND p.reads_files THEN 'error' ELSE 'warning' END, 'predefined_role', l.rolname::text,
           CASE WHEN p.reads_files THEN format('As a member of "%s" the role gets at files and programs of the server: the keyring, the tables'' own files.', b.rolname)
                ELSE format('As a member of "%s" the role gets at every table, also at those that row security does not keep apart.', b.rolname) END,
           format('REVOKE %I FROM %I', b.rolname, coalesce(via.rolname, l.rolname)), 'pg_authid'::regclass, l.oid, 0
    FROM login l
    CROSS JOIN (VALUES ('pg_read_server_files', true), ('pg_write_server_files', true), ('pg_execute_server_program', true),
                       ('pg_read_all_data', false), ('pg_write_all_data', false)) p (name, reads_files)
    JOIN pg_roles b ON b.rolname = p.name AND pg_has_role(l.oid, b.oid, 'MEMBER')
    LEFT JOIN LATERAL (
        SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
        WHERE m.roleid = b.oid AND pg_has_role(l.oid, m.member, 'MEMBER') LIMIT 1
    ) via ON true
    WHERE NOT l.rolsuper
    UNION ALL
    SELECT severity, 'replication', rolname::text,
           'The role may replicate: a logical slot shows it the rows of every tenant, a base backup all files.',
           format('ALTER ROLE %I NOREPLICATION', rolname), 'pg_authid'::regclass, oid, 0
    FROM login WHERE rolreplication AND NOT rolsuper
    UNION ALL
    -- Before 16 such a role gives itself any role that is no superuser.
    SELECT CASE WHEN is_app AND current_setting('server_version_num')::int < 160000 THEN 'error' ELSE 'warning' END,
           'creates_roles', rolname::text,
           CASE WHEN current_setting('server_version_num')::int < 160000
                THEN 'With CREATEROLE it may become every role that is no superuser, also those that own tables or bypass row security.'
                ELSE 'With CREATEROLE it may alter the roles that it administers.' END,
           format('ALTER ROLE %I NOCREATEROLE', rolname), 'pg_authid'::regclass, oid, 0
    FROM login WHERE rolcreaterole AND NOT rolsuper
    UNION ALL
    SELECT CASE WHEN l.is_app THEN 'error' ELSE 'info' END, 'owns_protected_table', l.rolname::text,
           format('The role owns "%s", and may switch its row security off.', p.relation),
           format('ALTER TABLE %s OWNER TO CURRENT_USER; GRANT SELECT, INSERT, UPDATE, DELETE ON %1$s TO %I', p.relation,
                  o.rolname), 'pg_authid'::regclass, l.oid, 0
    FROM login l
    JOIN pg_class c ON pg_has_role(l.oid, c.relowner, 'MEMBER')
    JOIN cordon_internal.registered() p ON p.relation = c.oid
    JOIN pg_roles o ON o.oid = c.relowner
    WHERE NOT l.rolsuper
    UNION ALL
    SELECT CASE WHEN l.is_app THEN 'warning' ELSE 'info' END, 'owns_database', l.rolname::text,
           'The role owns the database: it may set parameters for every session in it, and make schemas.',
           format('ALTER DATABASE %I OWNER TO CURRENT_USER', d.datname), 'pg_authid'::regclass, l.oid, 0
    FROM login l JOIN pg_database d ON d.datname = current_database() AND pg_has_role(l.oid, d.datdba, 'MEMBER')
    WHERE NOT l.rolsuper AND NOT l.rolbypassrls
    UNION ALL
    SELECT CASE WHEN l.is_app THEN 'warning' ELSE 'info' END, 'owns_schema', l.rolname::text,
           format('The role owns schema "%s" with protected tables: it may drop them and put others in their place.', n.nspname),
           format('ALTER SCHEMA %I OWNER TO CURRENT_USER; GRANT USAGE ON SCHEMA %1$I TO %I', n.nspname, l.rolname), 'pg_authid'::regclass, l.oid, 0
    FROM login l JOIN pg_namespace n ON pg_has_role(l.oid, n.nspowner, 'MEMBER')
    -- Who owns the database is a member of that by itself.
    WHERE NOT l.rolsuper AND NOT l.rolbypassrls AND n.nspowner <> 'pg_database_owner'::regrole
        AND EXISTS (SELECT FROM pg_class c JOIN cordon_internal.registered() p ON p.relation = c.oid WHERE c.relnamespace = n.oid)
    UNION ALL
    SELECT CASE WHEN cordon_internal.is_of(app, g.grantee) THEN 'error' ELSE 'warning' END, 'parameter_granted', g.who,
           format('%s may set "%s"%s: by it triggers, policies or keys are got round.', g.who, g.parname,
                  CASE g.privilege_type WHEN 'ALTER SYSTEM' THEN ' for the whole server' ELSE '' END),
           format('REVOKE %s ON PARAMETER %s FROM %s', g.privilege_type, g.parname, g.who),
           CASE g.grantee WHEN 0 THEN 'pg_database'::regclass ELSE 'pg_authid'::regclass END,
           CASE g.grantee WHEN 0 THEN (SELECT oid FROM pg_database WHERE datname = current_database()) ELSE g.grantee END, 0
    FROM (
        SELECT p.parname, a.privilege_type, a.grantee, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS who
        FROM pg_parameter_acl p CROSS JOIN LATERAL aclexplode(p.paracl) a
        WHERE (p.parname IN ('session_replication_role', 'session_preload_libraries', 'local_preload_libraries', 'dynamic_library_path')
               OR p.parname LIKE 'cordon.%')
            AND NOT coalesce(cordon.bypasses(a.grantee), false)
    ) g
    UNION ALL
    SELECT 'info', 'tenant_not_frozen', l.rolname::text,
           'A transaction of the role may change its tenant: with cordon.freeze_tenant an injected statement cannot.',
           format('ALTER ROLE %I SET cordon.freeze_tenant = on', l.rolname), 'pg_authid'::regclass, l.oid, 0
    FROM login l
    WHERE l.is_app AND NOT EXISTS (
        SELECT FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) c
        WHERE s.setrole IN (0, l.oid) AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
            AND c ~ '^cordon\.freeze_tenant=(on|true|yes|1)$')
        AND NOT EXISTS (SELECT FROM pg_settings WHERE name = 'cordon.freeze_tenant' AND reset_val = 'on' AND cordon_internal.is_servers(name, source))
    $$;
COMMENT ON FUNCTION cordon_internal.audit_roles(oid[]) IS
    'findings on the roles that may log in or that the application has: whether row security applies to them, and whether they may change that';

CREATE OR REPLACE FUNCTION cordon_internal.audit_privileges(app oid[]) RETURNS SETOF cordon_internal.hit
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE g.privilege_type WHEN 'TRUNCATE' THEN 'error' ELSE 'warning' END,
           lower(g.privilege_type) || '_granted', p.relation::regclass::text,
           CASE g.privilege_type
               WHEN 'TRUNCATE' THEN format('%s may empty the table for every tenant: row security does not apply to TRUNCATE.', g.who)
               WHEN 'REFERENCES' THEN format('%s may find out by a foreign key which keys other tenants have.', g.who)
               WHEN 'MAINTAIN' THEN format('%s may lock the table, and rewrite it for every tenant.', g.who)
               ELSE format('%s may attach a trigger that runs as whoever writes, of every tenant.', g.who)
           END,
           format('REVOKE %s ON %s FROM %s', g.privilege_type, p.relation::regclass, g.who), 'pg_class'::regclass::oid, c.oid, 0
    FROM cordon_internal.registered() p
    JOIN pg_class c ON c.oid = p.relation
    CROSS JOIN LATERAL (
        SELECT a.privilege_type, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS who
        FROM (SELECT * FROM aclexplode(c.relacl)
              -- REFERENCES is also one of columns, and REVOKE takes it from those, too.
              UNION SELECT x.* FROM pg_attribute t CROSS JOIN LATERAL aclexplode(t.attacl) x
                  WHERE t.attrelid = c.oid AND NOT t.attisdropped) a
        WHERE a.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN') AND a.grantee <> c.relowner
            AND NOT coalesce(cordon.bypasses(a.grantee), false)
    ) g
    UNION ALL
    SELECT 'warning', 'default_privileges', g.owner,
           format('Tables that it makes%s let %s use %s, which row security does not limit.', ' in schema ' || nullif(g.schema, ''), g.who,
                  string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type)),
           format('ALTER DEFAULT PRIVILEGES FOR ROLE %s %sREVOKE %s ON TABLES FROM %s', g.owner, 'IN SCHEMA ' || nullif(g.schema, '') || ' ',
                  string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type), g.who), 'pg_authid'::regclass, g.role, 0
    FROM (
        SELECT d.defaclrole AS role, quote_ident(pg_get_userbyid(d.defaclrole)) AS owner,
               coalesce((SELECT quote_ident(nspname) FROM pg_namespace n WHERE n.oid = d.defaclnamespace), '') AS schema,
               a.privilege_type, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS who
        FROM pg_default_acl d CROSS JOIN LATERAL aclexplode(d.defaclacl) a
        WHERE d.defaclobjtype = 'r' AND a.grantee <> d.defaclrole AND a.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN')
            AND NOT coalesce(cordon.bypasses(a.grantee), false)
    ) g
    GROUP BY g.role, g.owner, g.schema, g.who
    UNION ALL
    SELECT 'warning', 'create_on_schema', n.nspname::text,
           'Every role may make objects in the schema: functions and operators that other sessions find first.',
           format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', n.nspname), 'pg_namespace'::regclass, n.oid, 0
    FROM pg_namespace n
    WHERE n.nspname !~ '^pg_' AND EXISTS (SELECT FROM aclexplode(n.nspacl) a WHERE a.grantee = 0 AND a.privilege_type = 'CREATE')
    UNION ALL
    -- What serves files, other servers or other tenants' values was taken from PUBLIC when it came.
    SELECT CASE WHEN cordon_internal.is_of(app, g.grantee) THEN 'error' ELSE 'warning' END, 'function_granted', g.function::regprocedure::text,
           format('%s may execute it, which nobody but superusers may when it comes: it reads past row security.', g.who),
           format('REVOKE EXECUTE ON ROUTINE %s FROM %s', g.function::regprocedure, g.who), 'pg_proc'::regclass, g.function, 0
    FROM (
        SELECT p.oid AS function, a.grantee, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS who
        FROM pg_proc p
        JOIN pg_init_privs i ON i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid AND i.objsubid = 0
        CROSS JOIN LATERAL aclexplode(p.proacl) a
        WHERE (p.proname ~ '^(pg_(read_|ls_|stat_file|file_|logical_slot_|replication_slot|create_.*replication_slot|hba_file|config$)|lo_(import|export)$|dblink_connect_u$|postgres_fdw_)'
               -- But for what an application does with tokens.
               OR p.proname !~ '^((issue|consume|check|rotate|revoke)_tokens?|cleanup_token(s|_batch)|keyring_keys)$'
                  AND EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_cordon'
                          WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'))
            AND a.privilege_type = 'EXECUTE' AND a.grantee <> p.proowner AND NOT coalesce(cordon.bypasses(a.grantee), false)
            AND NOT EXISTS (SELECT FROM aclexplode(i.initprivs) b WHERE b.grantee = a.grantee AND b.privilege_type = 'EXECUTE')
    ) g
    UNION ALL
    SELECT CASE WHEN cordon_internal.is_of(app, g.grantee) THEN 'error' ELSE 'warning' END, 'user_mapping', g.srvname::text,
           format('%s may use the other server by a stored password: what that shows is not kept apart by row security here.', g.who),
           format('DROP USER MAPPING FOR %s SERVER %I', g.who, g.srvname), 'pg_foreign_server'::regclass, g.srvid, 0
    FROM (SELECT u.srvname, u.srvid, u.umuser AS grantee, CASE u.umuser WHEN 0 THEN 'PUBLIC' ELSE quote_ident(u.usename) END AS who
          FROM pg_user_mappings u WHERE NOT coalesce(cordon.bypasses(u.umuser), false)) g
    $$;
COMMENT ON FUNCTION cordon_internal.audit_privileges(oid[]) IS 'findings on privileges that row security does not limit';
