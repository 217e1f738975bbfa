-- cordon.prove: every attack on every protected table, as a role; attack.sql holds those on one table.

CREATE OR REPLACE FUNCTION cordon.tables_to_attack() RETURNS TABLE (relation oid, tenant_column name)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH RECURSIVE tenant AS MATERIALIZED (
        -- Those that nothing protects as well, unless somebody who may has said that this is as it should be.
        SELECT t.relation, t.tenant_column FROM cordon.tenant_tables() t
        WHERE t.is_registered OR NOT EXISTS (
            SELECT FROM cordon_internal.labels() l WHERE l.classid = 'pg_class'::regclass AND l.objid = t.relation AND l.objsubid = 0
                AND l.key IN ('shared', 'unprotected_table'))
    ), up AS (
        SELECT p.relation::oid AS relation, p.tenant_column FROM tenant p
        UNION
        -- Reading a parent asks for the policies of the parent only.
        SELECT i.inhparent, up.tenant_column FROM up JOIN pg_inherits i ON i.inhrelid = up.relation
    ), both_ways AS (
        SELECT up.relation, up.tenant_column FROM up
        UNION
        SELECT t.oid, p.tenant_column FROM tenant p, cordon.tree(p.relation) t (oid)
    )
    SELECT b.relation, min(b.tenant_column) FROM both_ways b JOIN pg_class c ON c.oid = b.relation GROUP BY b.relation
    $$;
COMMENT ON FUNCTION cordon.tables_to_attack() IS
    'the tables with a tenant, protected or not, with every table through which, or in which, their rows are stored';

-- Who reads the protected tables that a view leads to: its owner, or with security_invoker whoever reads the view.
-- A materialized view leads to copies, which nothing protects.
CREATE OR REPLACE FUNCTION cordon_internal.attack_view(
        target regclass, tenant_column name, app name, tenant_a text, exposes text, readers text, bases oid[])
    RETURNS TABLE (attack text, outcome text, detail text)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    try record;
    -- What an owner may see is known only if there was something to see.
    has_others CONSTANT boolean := EXISTS (
        SELECT FROM pg_attribute a
        WHERE a.attrelid = ANY (bases) AND a.attname = tenant_column AND NOT a.attisdropped
            AND cordon_internal.row_place(a.attrelid, format('format(''%%s'', %I) <> %L', a.attname, tenant_a)) IS NOT NULL);
BEGIN
    attack := 'read';
    PERFORM cordon.set_tenant(tenant_a);
    IF EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = target AND a.attname = tenant_column AND NOT a.attisdropped
                  AND has_column_privilege(app, target, a.attname, 'SELECT')) THEN
        try := cordon_internal.attempt((SELECT oid FROM pg_roles WHERE rolname = app),
            format('SELECT count(*) FROM (SELECT FROM %s WHERE %I::text IS DISTINCT FROM %L LIMIT 10000) r',
                   target, tenant_column, tenant_a), target);
        outcome := try.outcome;
        detail := coalesce(try.detail, format('rows of other tenants read: %s', try.reached));
        IF outcome = 'BREACH' AND exposes IS NOT NULL THEN
            detail := format('%s; %s', exposes, detail);
        END IF;
    END IF;
    IF exposes IS NOT NULL AND outcome IS DISTINCT FROM 'BREACH' THEN
        outcome := 'BREACH';
        detail := exposes;
    ELSIF outcome IS NULL OR (outcome = 'held' AND NOT has_others) THEN
        outcome := CASE WHEN readers IS NULL THEN 'held' ELSE 'not tested' END;
        detail := CASE WHEN readers IS NULL THEN 'by its definition: it reads as the role itself'
            ELSE 'it shows no tenant, or there is no row of another: prove as well the role that it reads as, ' || readers END;
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION cordon_internal.attack_view(regclass, name, name, text, text, text, oid[]) IS
    'the attack on one view; the last three arguments as cordon.views_of_protected has them. For cordon.prove';

CREATE OR REPLACE FUNCTION cordon.views_of_protected(app name)
    RETURNS TABLE (target regclass, tenant_column name, exposes text, readers text, bases oid[])
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH RECURSIVE edge AS (
        SELECT DISTINCT v.oid AS source, d.refobjid AS relation, v.relkind = 'm' AS is_copy,
               CASE WHEN v.relkind = 'v' AND coalesce((SELECT option_value::boolean FROM pg_options_to_table(v.reloptions)
                                                       WHERE option_name = 'security_invoker'), false)
                    THEN NULL ELSE v.relowner END AS owner
        FROM pg_class v JOIN pg_rewrite r ON r.ev_class = v.oid
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
        WHERE v.relkind IN ('v', 'm')
    ), reach AS (
        SELECT source AS target, relation, is_copy,
               coalesce(owner, (SELECT oid FROM pg_roles WHERE rolname = app)) AS reader
        FROM edge
        UNION
        SELECT reach.target, edge.relation, reach.is_copy OR edge.is_copy, coalesce(edge.owner, reach.reader)
        FROM reach JOIN edge ON edge.source = reach.relation
    )
    SELECT target, min(tenant_column), min(
        CASE
            WHEN is_copy
                THEN format('a materialized view holds copies of %s, which row security does not cover', relation::regclass)
            WHEN rolsuper OR rolbypassrls
                THEN format('it reads %s as %I, which bypasses row security', relation::regclass, rolname)
            WHEN NOT relrowsecurity THEN format('it reads %s, which has row security off', relation::regclass)
            WHEN pg_has_role(reader, relowner, 'USAGE') AND NOT relforcerowsecurity
                THEN format('it reads %s as its owner, and row security is not forced', relation::regclass)
        END),
        string_agg(DISTINCT quote_ident(rolname), ', ') FILTER (WHERE rolname <> app),
        array_agg(DISTINCT relation)
    FROM reach
    JOIN cordon.tables_to_attack() t USING (relation)
    JOIN pg_class c ON c.oid = relation
    JOIN pg_roles r ON r.oid = reader
    WHERE has_any_column_privilege(app, target, 'SELECT')
        AND has_schema_privilege(app, (SELECT relnamespace FROM pg_class WHERE oid = target), 'USAGE')
    GROUP BY target
    $$;
COMMENT ON FUNCTION cordon.views_of_protected(name) IS
    'the views that the role may read and that lead to protected tables: what is wrong with them by definition, which '
    'other roles they read the tables as, and the tables';

CREATE OR REPLACE FUNCTION cordon_internal.attack_role(app name) RETURNS TABLE (attack text, outcome text, detail text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    found text;
BEGIN
    attack := 'become a role that bypasses row security';
    SELECT string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname = app DESC, r.rolname COLLATE "C") INTO found
    FROM pg_roles r
    WHERE pg_has_role(app, r.oid, 'MEMBER')
        AND (r.rolsuper OR r.rolbypassrls
             -- A slot, or a copy of the server, shows every tenant's rows.
             OR r.rolreplication
             OR r.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')
             -- Until PostgreSQL 16, such a role may grant itself any role that is no superuser.
             OR (r.rolcreaterole AND current_setting('server_version_num')::integer < 160000));
    outcome := CASE WHEN found IS NULL THEN 'held' ELSE 'BREACH' END;
    detail := coalesce('superuser, BYPASSRLS, REPLICATION, CREATEROLE or access to the server''s files: ' || found,
                       'neither it nor a role that it is a member of does');
    RETURN NEXT;

    SELECT string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname COLLATE "C") INTO found
    FROM pg_roles r
    WHERE pg_has_role(app, r.oid, 'MEMBER') AND r.rolname <> app AND NOT starts_with(r.rolname, 'pg_')
        AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = app);
    IF found IS NOT NULL THEN
        attack := 'become another role';
        outcome := 'not tested';
        detail := 'prove these as well, which it is a member of: ' || found;
        RETURN NEXT;
    END IF;

    attack := 'start with a tenant';
    found := coalesce(
        cordon.session_default((SELECT oid FROM pg_roles WHERE rolname = app), current_setting('cordon.tenant_setting')),
        cordon.server_default(current_setting('cordon.tenant_setting')), '');
    outcome := CASE found WHEN '' THEN 'held' ELSE 'BREACH' END;
    detail := CASE found WHEN '' THEN 'its sessions begin without one'
        ELSE 'its sessions begin with a tenant: ALTER ROLE, ALTER DATABASE or postgresql.conf sets one' END;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION cordon_internal.attack_role(name) IS 'what the role could do without any table. For cordon.prove';

CREATE OR REPLACE FUNCTION cordon_internal.attack_parameters(app name) RETURNS TABLE (attack text, outcome text, detail text)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    role CONSTANT oid := (SELECT oid FROM pg_roles WHERE rolname = app);
    parameter text;
    changed text[] := '{}';
    altered text[] := '{}';
    is_done boolean := false;
BEGIN
    FOR parameter IN
        SELECT s.name FROM pg_settings s
        WHERE s.context = 'superuser' AND (s.name LIKE 'cordon.%' OR s.name = 'session_replication_role') ORDER BY s.name
    LOOP
        BEGIN
            -- The value that it has: what is asked is whether the role may say so.
            PERFORM cordon_internal.act_as(role, format('SELECT length(set_config(%L, current_setting(%1$L), true))', parameter), false);
            is_done := true;
            RAISE SQLSTATE 'CPRVE';
        EXCEPTION WHEN OTHERS THEN
            IF is_done THEN
                changed := changed || parameter;
            END IF;
            is_done := false;
        END;
    END LOOP;
    SELECT coalesce(array_agg(s.name ORDER BY s.name), '{}') INTO altered FROM pg_settings s
    WHERE (s.name LIKE 'cordon.%' OR s.name IN ('session_replication_role', current_setting('cordon.tenant_setting')))
        AND has_parameter_privilege(app, s.name, 'ALTER SYSTEM');
    attack := 'change a parameter';
    outcome := CASE WHEN changed || altered = '{}' THEN 'held' ELSE 'BREACH' END;
    detail := CASE WHEN changed <> '{}' THEN 'the role set ' || array_to_string(changed, ', ')
        WHEN altered <> '{}' THEN 'the role may ALTER SYSTEM SET ' || array_to_string(altered, ', ')
        ELSE 'session_replication_role and those of the extension are refused' END;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION cordon_internal.attack_parameters(name) IS
    'the settings that would weaken the role''s sessions, which it tries to set. For cordon.prove';

-- Tables without a tenant whose rows belong to tenants through others: whoever reads them reads every tenant's.
CREATE OR REPLACE FUNCTION cordon_internal.children_of_protected()
    RETURNS TABLE (relation regclass, parents text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH RECURSIVE tenant AS MATERIALIZED (SELECT t.relation, t.is_registered FROM cordon.tenant_tables() t), child AS (
        SELECT k.conrelid AS relation, k.confrelid AS parent FROM tenant t
        JOIN pg_constraint k ON k.confrelid = t.relation AND k.contype = 'f' AND k.conparentid = 0
        WHERE t.is_registered AND k.conrelid NOT IN (SELECT tenant.relation FROM tenant)
        UNION
        SELECT k.conrelid, k.confrelid FROM child
        JOIN pg_constraint k ON k.confrelid = child.relation AND k.contype = 'f' AND k.conparentid = 0
        WHERE k.conrelid NOT IN (SELECT tenant.relation FROM tenant)
    )
    SELECT c.relation::regclass, string_agg(DISTINCT c.parent::regclass::text, ', ') FROM child c
    -- What is the same for all tenants was said by those who may say so.
    WHERE NOT EXISTS (SELECT FROM cordon_internal.labels() l WHERE l.classid = 'pg_class'::regclass AND l.objid = c.relation
                          AND l.objsubid = 0 AND l.key IN ('shared', 'child_without_tenant'))
    GROUP BY c.relation
    $$;
COMMENT ON FUNCTION cordon_internal.children_of_protected() IS
    'the tables without a tenant that refer to protected ones, at any depth, but for those that are acknowledged';

CREATE OR REPLACE FUNCTION cordon_internal.attack_child(target regclass, parents text, app name, tenant_a text)
    RETURNS TABLE (attack text, outcome text, detail text)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    role CONSTANT oid := (SELECT oid FROM pg_roles WHERE rolname = app);
    key record;
    foreign_row text;
    readable name;
    try record;
BEGIN
    attack := 'read';
    PERFORM cordon.set_tenant(tenant_a);
    SELECT a.attname INTO readable FROM pg_attribute a
    WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(app, target, a.attname, 'SELECT')
    ORDER BY a.attnum LIMIT 1;
    IF readable IS NULL OR NOT has_schema_privilege(app, (SELECT c.relnamespace FROM pg_class c WHERE c.oid = target), 'USAGE') THEN
        outcome := 'held';
        detail := 'the role has no privilege for it';
    ELSE
        -- A row that surely is another tenant's, where the table that it refers to is protected and of the same owner.
        FOR key IN
            SELECT k.confrelid::regclass AS parent, r.tenant_column,
                   (SELECT string_agg(format('p.%I = %s.%I', b.attname, target, a.attname), ' AND ')
                    FROM generate_subscripts(k.conkey, 1) i
                    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[i]
                    JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = k.confkey[i]) AS joined
            FROM pg_constraint k JOIN cordon_internal.registered() r ON r.relation = k.confrelid
            WHERE k.conrelid = target AND k.contype = 'f' AND cordon_internal.may_show_values(k.oid) ORDER BY k.conname
        LOOP
            EXIT WHEN foreign_row IS NOT NULL;
            foreign_row := cordon_internal.row_place(target, format(
                'EXISTS (SELECT FROM %s p WHERE %s AND format(''%%s'', p.%I) <> %L)', key.parent, key.joined, key.tenant_column, tenant_a));
        END LOOP;
        try := cordon_internal.attempt(role, format('SELECT count(*) FROM (SELECT %I FROM %s%s LIMIT 10000) r', readable, target,
            CASE WHEN foreign_row IS NULL OR NOT has_table_privilege(app, target, 'SELECT') THEN '' ELSE ' WHERE ' || foreign_row END), target);
        outcome := CASE WHEN try.outcome = 'held' AND foreign_row IS NULL THEN 'not tested' ELSE try.outcome END;
        detail := coalesce(try.detail, CASE try.outcome
            WHEN 'BREACH' THEN format('its rows belong to tenants through %s, and the role reads them whatever tenant is set', parents)
            WHEN 'held' THEN CASE WHEN foreign_row IS NULL THEN 'the table is empty' ELSE 'a row of another tenant is out of reach' END END);
    END IF;
    RETURN NEXT;
    attack := 'write';
    IF has_table_privilege(app, target, 'DELETE') OR has_any_column_privilege(app, target, 'INSERT, UPDATE') THEN
        outcome := CASE WHEN (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = target) THEN 'not tested' ELSE 'BREACH' END;
        detail := CASE outcome WHEN 'BREACH' THEN 'the role may write its rows, and nothing asks which tenant they are of'
            ELSE 'it has policies of its own' END;
    ELSE
        outcome := 'held';
        detail := 'the role has no privilege for it';
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION cordon_internal.attack_child(regclass, text, name, text) IS
    'the attacks on a table without a tenant that refers to protected ones. For cordon.prove';

-- Functions that run as a role to which row security does not apply. Those that say that they change nothing and that take no
-- argument are called; of others the owner is known, and what they do is not.
CREATE OR REPLACE FUNCTION cordon_internal.attack_definers(app name, tenant_a text)
    RETURNS TABLE (object text, attack text, outcome text, detail text)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    role CONSTANT oid := (SELECT oid FROM pg_roles WHERE rolname = app);
    found record;
    reached bigint;
    is_done boolean := false;
BEGIN
    FOR found IN
        SELECT f.object, p.oid, p.proretset AND p.pronargs = 0 AND p.provolatile <> 'v' AS is_callable,
               (SELECT s.tenant_column FROM (
                    SELECT a.attname AS tenant_column FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0
                    WHERE t.oid = p.prorettype
                    UNION ALL
                    SELECT n::name FROM unnest(p.proargnames, p.proargmodes) o (n, m) WHERE m IN ('t', 'o')) s
                WHERE s.tenant_column IN (SELECT t.tenant_column FROM cordon.tenant_tables() t) LIMIT 1) AS tenant_column
        FROM cordon_internal.audit_functions(ARRAY[role]) f JOIN pg_proc p ON p.oid = f.objid
        WHERE f.code = 'definer_bypasses' AND f.severity = 'error'
            AND NOT EXISTS (SELECT FROM cordon_internal.labels() l WHERE l.classid = f.classid AND l.objid = f.objid AND l.key = f.code)
        ORDER BY f.object COLLATE "C"
    LOOP
        object := format('function %s', found.object);
        attack := 'call';
        outcome := 'BREACH';
        detail := 'it runs as a role to which row security does not apply, and was not called: read it, and acknowledge it by a label';
        IF found.is_callable AND found.tenant_column IS NOT NULL THEN
            PERFORM cordon.set_tenant(tenant_a);
            BEGIN
                reached := cordon_internal.act_as(role, format('SELECT count(*) FROM (SELECT FROM %s WHERE format(''%%s'', %I) <> %L LIMIT 10000) r',
                    found.oid::regprocedure, found.tenant_column, tenant_a), false);
                is_done := true;
                RAISE SQLSTATE 'CPRVE';
            EXCEPTION WHEN OTHERS OR assert_failure THEN
                IF is_done AND reached > 0 THEN
                    detail := format('it runs as a role to which row security does not apply: rows of other tenants read: %s', reached);
                ELSIF is_done THEN
                    outcome := 'held';
                    detail := 'it showed no row of another tenant';
                END IF;
                is_done := false;
            END;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION cordon_internal.attack_definers(name, text) IS
    'the SECURITY DEFINER functions that the role may call and to which row security does not apply. For cordon.prove';

-- The last of the attacks: what it fixes stays fixed until the transaction ends.
CREATE OR REPLACE FUNCTION cordon_internal.attack_freeze(app name, tenant_a text, tenant_b text)
    RETURNS TABLE (attack text, outcome text, detail text)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    setting CONSTANT text := current_setting('cordon.tenant_setting');
BEGIN
    attack := 'switch tenant';
    IF coalesce(
        cordon.session_default((SELECT oid FROM pg_roles WHERE rolname = app), 'cordon.freeze_tenant'),
        cordon.server_default('cordon.freeze_tenant'))::boolean IS NOT TRUE
    THEN
        outcome := 'open by setting';
        detail := format('a session of the role may set another tenant at any time: ALTER ROLE %I SET cordon.freeze_tenant '
                         '= on keeps it from doing so within a transaction', app);
        RETURN NEXT;
        RETURN;
    END IF;
    BEGIN
        PERFORM cordon.set_tenant(tenant_a);
        PERFORM set_config('cordon.freeze_tenant', 'on', true);
        PERFORM cordon.set_tenant(tenant_a);
        outcome := 'BREACH';
    EXCEPTION WHEN cant_change_runtime_param THEN
        outcome := 'not tested';
        detail := 'the transaction has fixed another tenant: prove it in a transaction of its own';
    END;
    IF outcome = 'BREACH' THEN
        BEGIN
            PERFORM cordon_internal.act_as((SELECT oid FROM pg_roles WHERE rolname = app),
                format('SELECT length(set_config(%L, %L, true))', setting, tenant_b), true);
            detail := 'cordon.freeze_tenant is on, and yet another tenant could be set';
        EXCEPTION WHEN cant_change_runtime_param THEN
            outcome := 'held';
            detail := 'cordon.freeze_tenant refuses';
        END;
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION cordon_internal.attack_freeze(name, text, text) IS 'another tenant in mid-transaction. For cordon.prove';

CREATE OR REPLACE FUNCTION cordon.prove(app_role name, tenant_a text, tenant_b text)
    RETURNS TABLE (object text, attack text, outcome text, detail text)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    app CONSTANT oid := (SELECT oid FROM pg_roles WHERE rolname = app_role);
    target record;
    is_done boolean := false;
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RAISE insufficient_privilege USING
            MESSAGE = 'must be superuser to prove isolation',
            DETAIL = 'The attacks switch tenants, and their outcome is judged by rows that the role must not see.',
            HINT = 'SELECT * FROM cordon.prove(''app'', ''7'', ''8'') as superuser.';
    END IF;
    IF app IS NULL THEN
        RAISE undefined_object USING
            MESSAGE = format('role "%s" does not exist', app_role),
            HINT = 'Name the role that the application logs in as.';
    END IF;
    IF (SELECT rolsuper FROM pg_roles WHERE oid = app) THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('role "%s" is a superuser', app_role),
            DETAIL = 'Neither row security nor any privilege applies to it, so there is nothing to prove.',
            HINT = 'Let the application log in as a role that is neither superuser nor BYPASSRLS.';
    END IF;
    IF coalesce(tenant_a, '') = '' OR coalesce(tenant_b, '') = '' OR tenant_a = tenant_b THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'two tenants are needed',
            HINT = 'SELECT * FROM cordon.prove(''app'', ''7'', ''8''), best with tenants that have rows.';
    END IF;

    BEGIN
        PERFORM set_config('cordon.guard', 'off', true);
        PERFORM set_config('cordon.freeze_tenant', 'off', true);
        PERFORM set_config('cordon.on_unset_tenant', coalesce(
            cordon.session_default(app, 'cordon.on_unset_tenant'), cordon.server_default('cordon.on_unset_tenant')), true);
        PERFORM set_config('row_security', 'on', true);
        PERFORM set_config('lc_messages', 'C', true);
        IF current_setting('lock_timeout') = '0' THEN
            PERFORM set_config('lock_timeout', '2s', true);
        END IF;
        PERFORM cordon.set_tenant(tenant_b);
        PERFORM cordon.set_tenant(tenant_a);
        -- What is checked later than at the end of a statement would be refused where nobody can become another role.
        SET CONSTRAINTS ALL IMMEDIATE;

        object := format('role %I', app_role);
        FOR attack, outcome, detail IN
            SELECT * FROM cordon_internal.attack_role(app_role) UNION ALL SELECT * FROM cordon_internal.attack_parameters(app_role)
        LOOP
            RETURN NEXT;
        END LOOP;
        IF NOT EXISTS (SELECT FROM cordon_internal.registered()) THEN
            object := 'database';
            attack := 'every';
            outcome := 'not tested';
            detail := 'no table is protected';
            RETURN NEXT;
        END IF;
        FOR target IN
            SELECT t.relation::regclass AS relation, t.tenant_column FROM cordon.tables_to_attack() t
            ORDER BY t.relation::regclass::text COLLATE "C"
        LOOP
            object := target.relation;
            -- The rows that one table's attacks need are gone before the next.
            BEGIN
                FOR attack, outcome, detail IN
                    SELECT * FROM cordon_internal.attack_table(target.relation, target.tenant_column, app_role, tenant_a, tenant_b)
                LOOP
                    RETURN NEXT;
                END LOOP;
                is_done := true;
                RAISE SQLSTATE 'CPRVE';
            EXCEPTION WHEN OTHERS OR assert_failure THEN
                IF NOT is_done THEN
                    attack := 'every';
                    outcome := 'not tested';
                    detail := format('stopped by SQLSTATE %s', SQLSTATE);
                    RETURN NEXT;
                END IF;
                is_done := false;
            END;
        END LOOP;
        FOR target IN SELECT * FROM cordon_internal.children_of_protected() c ORDER BY c.relation::text COLLATE "C" LOOP
            object := target.relation;
            BEGIN
                FOR attack, outcome, detail IN
                    SELECT * FROM cordon_internal.attack_child(target.relation, target.parents, app_role, tenant_a)
                LOOP
                    RETURN NEXT;
                END LOOP;
                is_done := true;
                RAISE SQLSTATE 'CPRVE';
            EXCEPTION WHEN OTHERS OR assert_failure THEN
                IF NOT is_done THEN
                    attack := 'every';
                    outcome := 'not tested';
                    detail := format('stopped by SQLSTATE %s', SQLSTATE);
                    RETURN NEXT;
                END IF;
                is_done := false;
            END;
        END LOOP;
        FOR object, attack, outcome, detail IN SELECT * FROM cordon_internal.attack_definers(app_role, tenant_a) LOOP
            RETURN NEXT;
        END LOOP;
        FOR target IN
            SELECT * FROM cordon.views_of_protected(app_role) v ORDER BY v.target::text COLLATE "C"
        LOOP
            object := target.target;
            FOR attack, outcome, detail IN
                SELECT * FROM cordon_internal.attack_view(target.target, target.tenant_column, app_role, tenant_a, target.exposes,
                                                 target.readers, target.bases)
            LOOP
                RETURN NEXT;
            END LOOP;
        END LOOP;
        object := format('role %I', app_role);
        FOR attack, outcome, detail IN SELECT * FROM cordon_internal.attack_freeze(app_role, tenant_a, tenant_b) LOOP
            RETURN NEXT;
        END LOOP;
        is_done := true;
        RAISE SQLSTATE 'CPRVE';
    EXCEPTION WHEN SQLSTATE 'CPRVE' THEN
        IF NOT is_done THEN
            RAISE;
        END IF;
    END;
END $$;
COMMENT ON FUNCTION cordon.prove(name, text, text) IS
    'attacks every protected table as the role that an application logs in as, with one tenant set and the rows of '
    'another as its aim, and reports each outcome: held, BREACH, not tested, open by setting. What it changes it takes '
    'back, but for sequences. It writes as that role does: code that owners have planted in their tables runs with the '
    'role''s rights; so do the application''s SECURITY DEFINER functions that say that they change nothing, with their owner''s. For superusers, in a transaction of its own, in a quiet hour: it locks rows for a moment';
REVOKE EXECUTE ON FUNCTION cordon_internal.attempt(oid, text, regclass, text, bigint, boolean), cordon_internal.row_place(regclass, text),
    cordon_internal.row_place_or_new(oid, regclass, text, name, text), cordon_internal.row_values(regclass, text, name[]),
    cordon_internal.sample_references(regclass, name, text), cordon_internal.may_show_values(oid),
    cordon_internal.attack_table(regclass, name, name, text, text),
    cordon_internal.attack_view(regclass, name, name, text, text, text, oid[]),
    cordon_internal.attack_role(name), cordon_internal.attack_parameters(name), cordon_internal.attack_child(regclass, text, name, text),
    cordon_internal.attack_definers(name, text), cordon_internal.attack_freeze(name, text, text) FROM PUBLIC;
