-- The guard: event triggers that look, after each DDL statement, whether protected tables still are protected. They
-- judge by the catalog and never by the statement, so it does not matter which statement, function or DO block made a
-- hole. They run as whoever runs the DDL, and do nothing that the owner of the table could not do.

-- cordon.protect and cordon.unprotect pass through states that are holes. This setting tells the guard that they are at
-- work; a function's SET clause is undone however the function ends. The owner of a table can set it too, and gains
-- nothing that cordon.unprotect does not give him.
ALTER FUNCTION cordon.protect(regclass, name, boolean, boolean) SET cordon_guard.pause = 'on';
ALTER FUNCTION cordon.unprotect(regclass) SET cordon_guard.pause = 'on';

CREATE OR REPLACE FUNCTION cordon.inherited_tenant_column(relation regclass) RETURNS name
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH RECURSIVE above AS (
        SELECT relation::oid AS oid, 0 AS height
        UNION
        SELECT inhparent, height + 1 FROM above JOIN pg_inherits ON inhrelid = above.oid
    )
    SELECT p.tenant_column FROM above JOIN cordon_internal.registered() p ON p.relation = above.oid ORDER BY height LIMIT 1
    $$;
COMMENT ON FUNCTION cordon.inherited_tenant_column(regclass) IS
    'the tenant column of a protected table, or of the nearest protected table that it is a partition or child of';

CREATE OR REPLACE FUNCTION cordon.likely_tenant_column(relation regclass, OUT tenant_column name, OUT is_certain boolean)
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    SELECT a.attname, true INTO tenant_column, is_certain
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.oid = likely_tenant_column.relation AND c.relkind IN ('r', 'p')
        AND a.attname IN ('team_id', regexp_replace(current_setting('cordon.tenant_setting'), '.*\.', ''))
        AND EXISTS (SELECT FROM cordon_internal.registered() p WHERE p.tenant_column = a.attname)
    LIMIT 1;
    IF tenant_column IS NULL THEN
        -- Of other names: the table of tenants is protected by its primary key "id", which says nothing about the "id"
        -- of other tables; and nobody decides by a table of his own what happens to tables that he has no say over.
        SELECT a.attname, bool_or(pg_has_role(r.relowner, c.relowner, 'USAGE')) INTO tenant_column, is_certain
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN cordon_internal.registered() p ON p.tenant_column = a.attname
        JOIN pg_class r ON r.oid = p.relation
        WHERE c.oid = likely_tenant_column.relation AND c.relkind IN ('r', 'p') AND NOT EXISTS (
            SELECT FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = i.indkey[0]
            WHERE i.indrelid = r.oid AND i.indisunique AND i.indnkeyatts = 1 AND k.attname = p.tenant_column)
        GROUP BY a.attname ORDER BY 2 DESC, count(*) DESC, 1 LIMIT 1;
    END IF;
END $$;
COMMENT ON FUNCTION cordon.likely_tenant_column(regclass) IS
    'the column of an unprotected table that is named like the tenant column of protected ones, and whether it '
    'surely is one: a usual name, or tables of a role that may act for the owner of this one';

CREATE OR REPLACE FUNCTION cordon.report_hole(message text, detail text, hint text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF current_setting('cordon.guard') = 'error' THEN
        RAISE insufficient_privilege USING MESSAGE = message, DETAIL = detail, HINT = hint;
    ELSIF current_setting('cordon.guard') = 'warn' THEN
        RAISE WARNING USING MESSAGE = message, DETAIL = detail, HINT = hint;
    END IF;
END $$;
COMMENT ON FUNCTION cordon.report_hole(text, text, text) IS 'an error, a warning or nothing, as cordon.guard says';

CREATE OR REPLACE FUNCTION cordon.warn_unprotected(relation regclass, tenant_column name) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE WARNING USING
        MESSAGE = format('table "%s" is not protected, and its column "%s" is the tenant column of others',
                         relation, tenant_column),
        HINT = format('SELECT cordon.protect(%L, %L);', relation, tenant_column);
END $$;
COMMENT ON FUNCTION cordon.warn_unprotected(regclass, name) IS
    'a warning that names a table and the call that protects it';

CREATE OR REPLACE FUNCTION cordon.guard_new_table(relation regclass, tenant_column name, set_default boolean, tag text)
    RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    state text;
    problem text;
    remedy text;
BEGIN
    -- pg_restore and the scripts of pg_dump create a table, fill it, and protect it at the end.
    IF current_setting('row_security') = 'off' THEN
        PERFORM cordon.warn_unprotected(relation, tenant_column);
        RETURN;
    END IF;
    -- Whatever keeps it from being protected, it is cordon.guard that decides whether the DDL fails.
    BEGIN
        PERFORM cordon.protect(relation, tenant_column, set_default);
        RAISE NOTICE USING
            MESSAGE = format('table "%s" has been protected: its column "%s" holds the tenant', relation,
                             tenant_column),
            HINT = format('SELECT cordon.unprotect(%L); if its rows do not belong to tenants.', relation);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS
            state = RETURNED_SQLSTATE, problem = MESSAGE_TEXT, remedy = PG_EXCEPTION_HINT;
    END;
    IF problem IS NOT NULL THEN
        IF state <> '42809' THEN -- else it is none that could be protected
            remedy := CASE WHEN tag <> 'ALTER TABLE' AND current_setting('cordon.guard') = 'error'
                THEN format('Create it with "%s" NOT NULL and of a type that holds a tenant, then fill it.',
                            tenant_column)
                ELSE concat_ws(' ', nullif(remedy, ''),
                               format('SELECT cordon.protect(%L, %L);', relation, tenant_column))
            END;
        END IF;
        PERFORM cordon.report_hole(format('%s leaves table "%s" open to every tenant', tag, relation),
                                   format('It cannot be protected: %s.', problem), remedy);
    END IF;
END $$;
COMMENT ON FUNCTION cordon.guard_new_table(regclass, name, boolean, text) IS
    'protects a table that is new, or new as a partition or child of a protected one; reports one that it cannot';

CREATE OR REPLACE FUNCTION cordon.guard_protected_table(relation regclass, tenant_column name, tag text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    new_name name;
    missing text[];
    problem text;
    remedy text;
    message CONSTANT text := format('%s leaves the protection of table "%s" incomplete', tag, relation);
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND attname = tenant_column AND attnum > 0) THEN
        -- The policies follow a column that is renamed; so does the registry, if nothing else has changed.
        SELECT a.attname INTO new_name
        FROM pg_policy p
        JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid = relation AND d.refobjsubid > 0
        JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = d.refobjsubid
        WHERE p.polrelid = relation AND p.polname IN ('cordon_floor', 'cordon_tenant')
        ORDER BY p.polname LIMIT 1;
    END IF;
    BEGIN
        PERFORM cordon.refuse_unprotectable(relation, coalesce(new_name, tenant_column));
        missing := ARRAY(
            SELECT s FROM cordon.protection_statements(relation, coalesce(new_name, tenant_column), false) s
            WHERE s NOT LIKE ALL ('{DELETE FROM cordon.protected%,INSERT INTO cordon.protected%}'));
        IF missing = '{}' AND new_name IS NOT NULL THEN
            PERFORM cordon.protect(relation, new_name, false);
            RAISE NOTICE USING
                MESSAGE = format('the tenant column of table "%s" is now "%s"', relation, new_name);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT, remedy = PG_EXCEPTION_HINT;
    END;
    IF problem IS NOT NULL THEN
        PERFORM cordon.report_hole(message, format('%s.', problem), concat_ws(' ',
            nullif(remedy, ''), format('Or, to end its protection first: SELECT cordon.unprotect(%L);', relation)));
    ELSIF missing <> '{}' THEN
        PERFORM cordon.report_hole(message, format('It then lacks: %s.', array_to_string(missing, '; ')),
            format('SELECT cordon.protect(%L, %L); Or, to end its protection first: SELECT cordon.unprotect(%1$L);',
                   relation, coalesce(new_name, tenant_column)));
    END IF;
END $$;
COMMENT ON FUNCTION cordon.guard_protected_table(regclass, name, text) IS
    'reports what a table in cordon.protected_table lacks to be protected; follows its tenant column through a rename';

CREATE OR REPLACE FUNCTION cordon.guard_tree(touched regclass, is_new boolean, tag text) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    member record;
    likely record;
BEGIN
    FOR member IN
        SELECT t AS relation, coalesce(p.tenant_column, cordon.inherited_tenant_column(t)) AS tenant_column,
               p.relation IS NOT NULL AS is_registered
        FROM cordon.tree(touched) t JOIN pg_class c ON c.oid = t
        LEFT JOIN cordon.protected_table p ON p.relation = t
        WHERE c.relpersistence <> 't' -- which only its own session can read
    LOOP
        IF member.is_registered THEN
            PERFORM cordon.guard_protected_table(member.relation, member.tenant_column, tag);
        ELSIF member.tenant_column IS NOT NULL THEN
            PERFORM cordon.guard_new_table(member.relation, member.tenant_column, EXISTS (
                SELECT FROM pg_inherits i
                JOIN pg_attribute a ON a.attrelid = i.inhparent AND a.attname = member.tenant_column
                JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                WHERE i.inhrelid = member.relation
                    AND pg_get_expr(d.adbin, d.adrelid) ~ '^\(?cordon\.tenant_[a-z0-9]+\(\)'
            ), tag);
        END IF;
    END LOOP;

    IF tag = 'ALTER TABLE' AND EXISTS (
        SELECT FROM cordon.protected_table p JOIN pg_class c ON c.oid = p.relation JOIN pg_roles r ON r.oid = c.relowner
        WHERE p.relation = touched AND (r.rolsuper OR r.rolbypassrls)
    ) THEN
        -- A warning always: DBAs who own the tables could alter none of them otherwise.
        RAISE WARNING USING
            MESSAGE = format('the owner of table "%s" is not subject to row security', touched),
            DETAIL = 'Views and SECURITY DEFINER functions of that owner show every tenant''s rows.',
            HINT = format('ALTER TABLE %s OWNER TO a role that is neither superuser nor BYPASSRLS.', touched);
    END IF;

    IF cordon.inherited_tenant_column(touched) IS NULL THEN
        SELECT * INTO likely FROM cordon.likely_tenant_column(touched);
        IF is_new AND likely.is_certain THEN
            PERFORM cordon.guard_new_table(touched, likely.tenant_column, true, tag);
        ELSIF likely.tenant_column IS NOT NULL
              AND (is_new OR (tag = 'ALTER TABLE' AND current_setting('row_security') = 'on')) THEN
            -- It was open before: no reason to refuse what is done to it.
            PERFORM cordon.warn_unprotected(touched, likely.tenant_column);
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION cordon.guard_tree(regclass, boolean, text) IS
    'looks after a table that DDL has touched, with its partitions and children';

CREATE OR REPLACE FUNCTION cordon.guard_ddl() RETURNS event_trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    touched record;
BEGIN
    IF current_setting('cordon.guard') = 'off' OR current_setting('cordon_guard.pause', true) = 'on' THEN
        RETURN;
    END IF;
    FOR touched IN
        SELECT c.oid AS relation, bool_or(d.is_new) AS is_new
        FROM (
            SELECT coalesce(p.polrelid, e.objid) AS relation,
                   e.command_tag IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO') AS is_new
            FROM pg_event_trigger_ddl_commands() e
            LEFT JOIN pg_policy p ON e.classid = 'pg_policy'::regclass AND p.oid = e.objid
            WHERE NOT e.in_extension AND e.classid IN ('pg_class'::regclass, 'pg_policy'::regclass)
        ) d
        JOIN pg_class c ON c.oid = d.relation
        WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
        GROUP BY c.oid ORDER BY c.oid
    LOOP
        PERFORM cordon.guard_tree(touched.relation, touched.is_new, tg_tag);
    END LOOP;
END $$;
COMMENT ON FUNCTION cordon.guard_ddl() IS 'the event trigger cordon_guard_ddl: see cordon.enable_guard';

CREATE OR REPLACE FUNCTION cordon.guard_drop() RETURNS event_trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    touched regclass;
BEGIN
    DELETE FROM cordon.protected_table WHERE relation IN (
        SELECT objid FROM pg_event_trigger_dropped_objects() WHERE classid = 'pg_class'::regclass AND objsubid = 0);
    IF current_setting('cordon.guard') = 'off' OR current_setting('cordon_guard.pause', true) = 'on'
       OR tg_tag = 'ALTER TABLE' THEN -- the other trigger looks at what that has left
        RETURN;
    END IF;
    FOR touched IN
        SELECT DISTINCT to_regclass(format('%I.%I', address_names[1], address_names[2]))
        FROM pg_event_trigger_dropped_objects() WHERE object_type IN ('policy', 'table column')
    LOOP
        CONTINUE WHEN touched IS NULL; -- dropped as well
        PERFORM cordon.guard_tree(touched, false, tg_tag);
    END LOOP;
END $$;
COMMENT ON FUNCTION cordon.guard_drop() IS 'the event trigger cordon_guard_drop: see cordon.enable_guard';

-- Not in the extension's script: event triggers that are members of an extension are there before the tables when a
-- dump is restored, others come last.
CREATE OR REPLACE FUNCTION cordon.enable_guard() RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    wanted record;
    enabled "char";
    statement text;
BEGIN
    FOR wanted IN SELECT * FROM (VALUES
        ('cordon_guard_ddl', 'ddl_command_end', 'guard_ddl', 'looks whether protected tables still are'),
        ('cordon_guard_drop', 'sql_drop', 'guard_drop', 'takes dropped tables out of cordon.protected_table')
    ) v (name, event, function, comment) LOOP
        SELECT evtenabled INTO enabled FROM pg_event_trigger WHERE evtname = wanted.name;
        FOR statement IN
            SELECT s FROM unnest(CASE
                WHEN enabled IS NULL THEN ARRAY[
                    format('CREATE EVENT TRIGGER %I ON %s EXECUTE FUNCTION cordon.%I()', wanted.name, wanted.event,
                           wanted.function),
                    format('COMMENT ON EVENT TRIGGER %I IS %L', wanted.name, wanted.comment)]
                WHEN enabled NOT IN ('O', 'A') THEN ARRAY[format('ALTER EVENT TRIGGER %I ENABLE', wanted.name)]
            END) s
        LOOP
            EXECUTE statement;
            RETURN NEXT statement;
        END LOOP;
    END LOOP;
END $$;
COMMENT ON FUNCTION cordon.enable_guard() IS
    'creates the event triggers that keep protected tables protected, and returns the statements that it ran; what '
    'they do about a hole is cordon.guard. For a superuser';

CREATE OR REPLACE FUNCTION cordon.disable_guard() RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('DROP EVENT TRIGGER %I', evtname) FROM pg_event_trigger
        WHERE evtname IN ('cordon_guard_ddl', 'cordon_guard_drop') ORDER BY evtname
    LOOP
        EXECUTE statement;
        RETURN NEXT statement;
    END LOOP;
END $$;
COMMENT ON FUNCTION cordon.disable_guard() IS
    'drops the event triggers of cordon.enable_guard, and returns the statements that it ran. For a superuser';
