-- Which keys values are under, and moving them to the primary ones: docs/ROTATION.md, section 6 of the design.

CREATE FUNCTION cordon.sealed_columns()
    RETURNS TABLE (relation regclass, column_name name, sealed_type name, has_equality boolean, is_shared boolean,
                   tenant_column name)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    -- The types are known by their input functions, whatever schema they are in; a domain by the type under it.
    SELECT c.oid, a.attname, t.typname, t.typname LIKE '%\_eq', t.typname LIKE 'shared\_%',
           (SELECT x.tenant_column FROM cordon.tenant_tables() x WHERE x.relation = c.oid LIMIT 1)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type d ON d.oid = a.atttypid
    JOIN pg_type t ON t.oid = CASE d.typtype WHEN 'd' THEN d.typbasetype ELSE d.oid END
    JOIN pg_proc p ON p.oid = t.typinput AND p.pronamespace = 'cordon'::regnamespace AND p.proname = t.typname || '_in'
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND t.typname LIKE '%encrypted\_text%'
    $$;
COMMENT ON FUNCTION cordon.sealed_columns() IS 'the columns of encrypted types in this database';

CREATE FUNCTION cordon.leaves(root regclass) RETURNS SETOF regclass
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
    AS $$ SELECT t FROM cordon.tree(root) t JOIN pg_class c ON c.oid = t WHERE c.relkind = 'r' $$;
COMMENT ON FUNCTION cordon.leaves(regclass) IS 'the tables that hold the rows of a table: itself, its partitions and its children';

CREATE FUNCTION cordon.sealed_column(
        target regclass, column_name name, tenant_column name DEFAULT NULL, OUT has_equality boolean, OUT is_shared boolean,
        OUT tenant name)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    SELECT s.has_equality, s.is_shared, coalesce(sealed_column.tenant_column, s.tenant_column)
    INTO has_equality, is_shared, tenant
    FROM cordon.sealed_columns() s WHERE s.relation = target AND s.column_name = sealed_column.column_name;
    IF has_equality IS NULL THEN
        RAISE wrong_object_type USING
            MESSAGE = format('"%s" has no encrypted column "%s"', target, column_name),
            HINT = 'SELECT * FROM cordon.sealed_columns() shows them.';
    END IF;
    IF tenant IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = target AND a.attname = tenant AND a.attnum > 0 AND NOT a.attisdropped
    ) THEN
        RAISE undefined_column USING
            MESSAGE = format('table "%s" has no column "%s"', target, tenant),
            HINT = 'Name the column that holds the tenant of each row: tenant_column => ''…''.';
    END IF;
END $$;
COMMENT ON FUNCTION cordon.sealed_column(regclass, name, name) IS
    'what has to be known of an encrypted column to work on it; an error when it is none';

CREATE FUNCTION cordon.require_tenant_column(target regclass, is_shared boolean, tenant name) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF tenant IS NULL AND NOT is_shared THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('the tenant of each row of "%s" is not known', target),
            HINT = 'Name the column that holds it: tenant_column => ''…''.';
    END IF;
END $$;
COMMENT ON FUNCTION cordon.require_tenant_column(regclass, boolean, name) IS
    'refuses a column of a tenant-bound type in a table without a tenant column';

-- The functions of the library work as the owner of the table, whom they let nobody else be; so what an owner has planted
-- in a table runs with the owner's rights, also when a superuser calls.

CREATE FUNCTION cordon.count_keys(
        relation oid, column_name text, has_equality boolean,
        OUT purpose text, OUT key_id bigint, OUT status text, OUT rows bigint)
    RETURNS SETOF record
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'count_keys_wrapper';
COMMENT ON FUNCTION cordon.count_keys(oid, text, boolean) IS 'what cordon.key_usage counts in one table';

CREATE FUNCTION cordon.failing_values(
        relation oid, column_name text, tenant_column text, OUT row_id text, OUT problem text)
    RETURNS SETOF record
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'failing_values_wrapper';
COMMENT ON FUNCTION cordon.failing_values(oid, text, text) IS 'what cordon.verify_column finds in one table';

CREATE FUNCTION cordon.reencrypt_batch(
        relation oid, column_name text, tenant_column text, has_equality boolean, first bigint, count bigint)
    RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'reencrypt_batch_wrapper';
COMMENT ON FUNCTION cordon.reencrypt_batch(oid, text, text, boolean, bigint, bigint) IS
    'seals the values in some blocks of a table anew that are not under the primary keys, and returns how many';

CREATE FUNCTION cordon.key_usage(target regclass, column_name name)
    RETURNS TABLE (purpose text, key_id bigint, status text, rows bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT u.purpose, u.key_id, u.status, sum(u.rows)::bigint
    FROM cordon.sealed_column(target, column_name) s, cordon.leaves(target) l,
         LATERAL cordon.count_keys(l, column_name, s.has_equality) u
    GROUP BY 1, 2, 3 ORDER BY 1, 4 DESC, 2
    $$;
COMMENT ON FUNCTION cordon.key_usage(regclass, name) IS
    'how many values of an encrypted column are under which key, of all tenants; for the owner of the table';

CREATE FUNCTION cordon.verify_column(target regclass, column_name name, tenant_column name DEFAULT NULL)
    RETURNS TABLE (relation regclass, row_id tid, problem text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    col record;
BEGIN
    SELECT * INTO col FROM cordon.sealed_column(target, column_name, tenant_column);
    PERFORM cordon.require_tenant_column(target, col.is_shared, col.tenant);
    RETURN QUERY SELECT l, f.row_id::tid, f.problem
        FROM cordon.leaves(target) l, LATERAL cordon.failing_values(l, column_name, col.tenant) f;
END $$;
COMMENT ON FUNCTION cordon.verify_column(regclass, name, name) IS
    'opens every value of an encrypted column, of all tenants, and returns the rows whose value does not open, and why; no '
    'row is a good sign. For the owner of the table';

-- Rewriting a table in batches. Progress: the rows are deleted and inserted, never updated, so that the trigger knows
-- whose table it is.
CREATE TABLE cordon.rewriting (
    relation regclass, column_name name, task text NOT NULL, pid integer NOT NULL, started_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL, finished_at timestamptz, pass integer NOT NULL, blocks_done bigint NOT NULL,
    blocks bigint NOT NULL, rows_done bigint NOT NULL,
    PRIMARY KEY (relation, column_name, task)
);
COMMENT ON TABLE cordon.rewriting IS
    'the state of each table that cordon.reencrypt, encrypt_column or decrypt_column works on or has worked on';
CREATE TRIGGER check_registration BEFORE INSERT OR DELETE ON cordon.rewriting
    FOR EACH ROW EXECUTE FUNCTION cordon.check_registration();
GRANT SELECT, INSERT, DELETE ON cordon.rewriting TO PUBLIC;

CREATE VIEW cordon.reencrypt_progress AS
    SELECT relation, column_name, task, pass, blocks_done, blocks,
           CASE WHEN blocks > 0 THEN round(100.0 * blocks_done / blocks, 1) ELSE 100 END AS percent, rows_done,
           round(rows_done / greatest(extract(epoch FROM updated_at - started_at), 0.001)) AS rows_per_second,
           started_at, updated_at, finished_at,
           finished_at IS NULL AND EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.pid = r.pid) AS is_running
    FROM cordon.rewriting r;
COMMENT ON VIEW cordon.reencrypt_progress IS
    'how far cordon.reencrypt, encrypt_column and decrypt_column are, table by table';
GRANT SELECT ON cordon.reencrypt_progress TO PUBLIC;

CREATE FUNCTION cordon.note_rewriting(
        table_now regclass, col name, kind text, started timestamptz, pass integer, blocks_done bigint, blocks bigint,
        rows_done bigint, is_finished boolean)
    RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
    DELETE FROM cordon.rewriting WHERE relation = table_now AND column_name = col AND task = kind;
    INSERT INTO cordon.rewriting VALUES (table_now, col, kind, pg_backend_pid(), started, clock_timestamp(),
        CASE WHEN is_finished THEN clock_timestamp() END, pass, blocks_done, blocks, rows_done)
    $$;
COMMENT ON FUNCTION cordon.note_rewriting(regclass, name, text, timestamptz, integer, bigint, bigint, bigint, boolean) IS
    'writes down how far the rewriting of a table is';

CREATE FUNCTION cordon.refuse_firing_triggers(target regclass) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    found record;
BEGIN
    SELECT t.tgrelid::regclass AS relation, t.tgname AS name INTO found
    FROM cordon.leaves(target) l JOIN pg_trigger t ON t.tgrelid = l
    WHERE NOT t.tgisinternal AND t.tgenabled IN ('A', 'R')
        -- That of a conversion is to fire.
        AND (SELECT (pronamespace, proname) <> ('cordon'::regnamespace, 'convert_on_write') FROM pg_proc WHERE oid = t.tgfoid)
    LIMIT 1;
    IF found IS NOT NULL THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('trigger "%s" of table "%s" would fire for each row', found.name, found.relation),
            DETAIL = 'It is enabled ALWAYS or as REPLICA.',
            HINT = format('ALTER TABLE %s DISABLE TRIGGER %I; for the time being.', found.relation, found.name);
    END IF;
END $$;
COMMENT ON FUNCTION cordon.refuse_firing_triggers(regclass) IS
    'an error when a rewrite of the table would fire a trigger of its owner''s';

CREATE FUNCTION cordon.require_pace(batch_size integer, pause interval) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF batch_size IS NULL OR batch_size < 1 OR pause IS NULL OR pause < interval '0' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'batch_size must be positive, and pause not negative',
            HINT = 'For example batch_size => 5000, pause => ''20 ms''.';
    END IF;
END $$;
COMMENT ON FUNCTION cordon.require_pace(integer, interval) IS 'refuses a batch size or pause that makes no sense';

-- It commits each batch, so it can have no SET clause: the search path is set in each transaction instead.
CREATE PROCEDURE cordon.rewrite(
        task text, target regclass, column_name name, tenant name, has_equality boolean, batch_size integer, pause interval)
    LANGUAGE plpgsql
    AS $$
DECLARE
    leaf regclass; todo regclass[];
    started timestamptz; told timestamptz;
    pass integer; first bigint; blocks bigint; step bigint;
    batch bigint; rows_done bigint; remaining bigint; before bigint;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    PERFORM cordon.refuse_firing_triggers(target);
    todo := ARRAY(SELECT cordon.leaves(target));
    FOREACH leaf IN ARRAY todo LOOP
        started := clock_timestamp(); told := started; rows_done := 0; pass := 0; before := NULL;
        -- Blocks of about as many rows as a batch is to have.
        step := (SELECT greatest(1, (batch_size / greatest(1, CASE WHEN relpages > 0 AND reltuples > 0
                     THEN reltuples / relpages ELSE 50 END))::bigint) FROM pg_class WHERE oid = leaf);
        LOOP
            pass := pass + 1;
            first := 0;
            -- What others insert or update from now on needs no work.
            blocks := pg_relation_size(leaf) / current_setting('block_size')::bigint;
            -- Where a call that was broken off got to; the next pass looks at all that is before.
            IF pass = 1 THEN
                first := coalesce((SELECT r.blocks_done FROM cordon.rewriting r WHERE r.relation = leaf
                    AND r.column_name = rewrite.column_name AND r.task = rewrite.task AND r.finished_at IS NULL), 0);
            END IF;
            WHILE first < blocks LOOP
                IF task = 'reencrypt' THEN
                    batch := cordon.reencrypt_batch(leaf, column_name, tenant, has_equality, first, step);
                ELSE
                    batch := cordon.convert_batch(leaf, column_name, first, step);
                END IF;
                first := least(first + step, blocks);
                rows_done := rows_done + batch;
                PERFORM cordon.note_rewriting(leaf, column_name, task, started, pass, first, blocks, rows_done, false);
                COMMIT;
                PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
                IF batch > 0 AND pause > interval '0' THEN
                    PERFORM pg_sleep_for(pause);
                END IF;
                IF clock_timestamp() - told > interval '5 seconds' THEN
                    told := clock_timestamp();
                    RAISE NOTICE '%: % of % blocks, % rows, % rows/s, about % left', leaf, first, blocks, rows_done,
                        round(rows_done / extract(epoch FROM told - started)),
                        date_trunc('second', (told - started) * ((blocks - first)::float8 / greatest(first, 1)));
                END IF;
            END LOOP;
            IF task = 'reencrypt' THEN
                remaining := (SELECT coalesce(sum(u.rows), 0) FROM cordon.count_keys(leaf, column_name, has_equality) u
                              WHERE u.status <> 'primary');
            ELSE
                remaining := cordon.count_unconverted(leaf, column_name);
            END IF;
            EXIT WHEN remaining = 0;
            -- Rows that others had locked. Once more, unless nothing moves.
            IF pass > 1 AND remaining = before THEN
                IF task = 'reencrypt' THEN
                    RAISE WARNING USING
                        MESSAGE = format('%s values of "%s" are still under other keys', remaining, leaf),
                        DETAIL = 'Their rows were locked by other transactions at each pass.',
                        HINT = 'When those have ended, call it again.';
                END IF;
                EXIT;
            END IF;
            before := remaining;
            PERFORM pg_sleep(0.5);
        END LOOP;
        PERFORM cordon.note_rewriting(leaf, column_name, task, started, pass, blocks, blocks, rows_done, remaining = 0);
        RAISE NOTICE '%: % rows % in % s', leaf, rows_done,
            CASE task WHEN 'reencrypt' THEN 'sealed anew' ELSE 'converted' END,
            round(extract(epoch FROM clock_timestamp() - started)::numeric, 1);
        COMMIT;
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    END LOOP;
END $$;
COMMENT ON PROCEDURE cordon.rewrite(text, regclass, name, name, boolean, integer, interval) IS
    'what cordon.reencrypt, encrypt_column and decrypt_column do batch by batch';

CREATE PROCEDURE cordon.reencrypt(
        target regclass, column_name name, batch_size integer DEFAULT 5000, pause interval DEFAULT '0',
        tenant_column name DEFAULT NULL)
    LANGUAGE plpgsql
    AS $$
DECLARE
    col record;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    SELECT * INTO col FROM cordon.sealed_column(target, column_name, tenant_column);
    PERFORM cordon.require_tenant_column(target, col.is_shared, col.tenant),
            cordon.refuse_conversion(target, column_name), cordon.require_pace(batch_size, pause);
    CALL cordon.rewrite('reencrypt', target, column_name, CASE WHEN col.is_shared THEN NULL ELSE col.tenant END,
                        col.has_equality, batch_size, pause);
END $$;
COMMENT ON PROCEDURE cordon.reencrypt(regclass, name, integer, interval, name) IS
    'seals the values of an encrypted column anew that are not under the primary keys: online, in batches that are '
    'committed, and again from where it was when it is broken off. For the owner of the table';

-- The verb of the keyring, which looks first whether the key is needed.
CREATE FUNCTION cordon.disable_key(id bigint, force boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql VOLATILE STRICT SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    used text;
BEGIN
    -- Whoever is no superuser, and a primary key, are refused below.
    IF NOT force AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
       AND EXISTS (SELECT FROM cordon.keyring_keys() k WHERE k.id = disable_key.id AND k.status = 'enabled') THEN
        SELECT string_agg(format('%s.%I (%s)', s.relation, s.column_name, u.rows), ', ' ORDER BY s.relation::text, s.column_name)
        INTO used
        FROM cordon.sealed_columns() s JOIN pg_class c ON c.oid = s.relation AND c.relkind = 'r',
             LATERAL cordon.count_keys(s.relation, s.column_name, s.has_equality) u
        WHERE u.key_id = disable_key.id;
        IF used IS NOT NULL THEN
            RAISE dependent_objects_still_exist USING
                MESSAGE = format('values in this database need key %s', id),
                DETAIL = format('Columns, and values in them: %s.', used),
                HINT = 'CALL cordon.reencrypt(…) for each of them first, or disable it all the same with force => true.';
        END IF;
    END IF;
    PERFORM cordon.set_key_disabled(id);
END $$;
COMMENT ON FUNCTION cordon.disable_key(bigint, boolean) IS
    'stops the use of a key that is not primary: what was sealed under it no longer opens. Refuses while values in this '
    'database need it, unless forced; looks into no other database';
REVOKE ALL ON FUNCTION cordon.disable_key(bigint, boolean) FROM PUBLIC;
