-- Which keys values are under, and moving them to the primary ones: docs/ROTATION.md, section 6 of the design.

CREATE OR REPLACE FUNCTION cordon.sealed_columns()
    RETURNS TABLE (relation regclass, column_name name, sealed_type name, has_equality boolean, is_shared boolean,
                   tenant_column name)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    -- The type of an array, composite or range is shown as it is; whether all that it holds is shared nobody can say.
    SELECT c.oid, a.attname, coalesce(k.typname, t.typname), coalesce(cordon_internal.has_equality(k.oid), true),
           coalesce(cordon_internal.is_shared_type(k.oid), false),
           (SELECT x.tenant_column FROM cordon.tenant_tables() x WHERE x.relation = c.oid LIMIT 1)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_type k ON k.oid = cordon_internal.sealed_kind(a.atttypid)
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
        -- Not asked of the types of nobody's columns, which may be as entangled as somebody liked.
        AND CASE WHEN c.relkind IN ('r', 'p') THEN cordon_internal.contains_sealed(a.atttypid) END
    $$;
COMMENT ON FUNCTION cordon.sealed_columns() IS
    'the columns of encrypted types in this database, and of arrays, composites and ranges of them';

CREATE OR REPLACE FUNCTION cordon_internal.stored_columns() RETURNS TABLE (relation regclass, column_name name)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT c.oid, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
        AND CASE WHEN c.relkind IN ('r', 'm') THEN cordon_internal.contains_sealed(a.atttypid) END
    $$;
COMMENT ON FUNCTION cordon_internal.stored_columns() IS
    'the columns that hold values of encrypted types: of tables, partitions and materialized views';

CREATE OR REPLACE FUNCTION cordon.leaves(root regclass) RETURNS SETOF regclass
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
    AS $$ SELECT t FROM cordon.tree(root) t JOIN pg_class c ON c.oid = t WHERE c.relkind = 'r' $$;
COMMENT ON FUNCTION cordon.leaves(regclass) IS 'the tables that hold the rows of a table: itself, its partitions and its children';

CREATE OR REPLACE FUNCTION cordon.sealed_column(
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
            HINT = 'Name the column that holds the tenant of each row: tenant_column => ''...''.';
    END IF;
END $$;
COMMENT ON FUNCTION cordon.sealed_column(regclass, name, name) IS
    'what has to be known of an encrypted column to work on it; an error when it is none';

CREATE OR REPLACE FUNCTION cordon.require_tenant_column(target regclass, is_shared boolean, tenant name) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF tenant IS NULL AND NOT is_shared THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('the tenant of each row of "%s" is not known', target),
            HINT = 'Name the column that holds it: tenant_column => ''...''.';
    END IF;
END $$;
COMMENT ON FUNCTION cordon.require_tenant_column(regclass, boolean, name) IS
    'refuses a column of a tenant-bound type in a table without a tenant column';

-- The functions of the library read and write as the owner of the table, and find columns by their types: so what an owner
-- has planted in a table runs with the owner's rights, also when a superuser calls, and nothing is read as what it is not.

CREATE OR REPLACE FUNCTION cordon.key_usage(target regclass, column_name name)
    RETURNS TABLE (purpose text, key_id bigint, status text, rows bigint)
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'cordon_key_usage';
COMMENT ON FUNCTION cordon.key_usage(regclass, name) IS
    'how many values of an encrypted column are under which key, of all tenants; for the owner of the table';

CREATE OR REPLACE FUNCTION cordon_internal.table_keys(relation oid, column_name name, most_rows integer)
    RETURNS TABLE (key_id bigint, "values" bigint)
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'cordon_table_keys';
COMMENT ON FUNCTION cordon_internal.table_keys(oid, name, integer) IS
    'the keys that values of a column are under, in the first rows of one table; for the owner of the table';
REVOKE ALL ON FUNCTION cordon_internal.table_keys(oid, name, integer) FROM PUBLIC;

CREATE OR REPLACE FUNCTION cordon_internal.failing_values(target regclass, column_name name, tenant_column name)
    RETURNS TABLE (relation regclass, row_id text, problem text)
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'cordon_verify_column';
COMMENT ON FUNCTION cordon_internal.failing_values(regclass, name, name) IS
    'what cordon.verify_column finds; for the owner of the table';

CREATE OR REPLACE FUNCTION cordon.verify_column(target regclass, column_name name, tenant_column name DEFAULT NULL)
    RETURNS TABLE (relation regclass, row_id tid, problem text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    col record;
BEGIN
    SELECT * INTO col FROM cordon.sealed_column(target, column_name, tenant_column);
    PERFORM cordon.require_tenant_column(target, col.is_shared, col.tenant);
    RETURN QUERY SELECT f.relation, f.row_id::tid, f.problem
        FROM cordon_internal.failing_values(target, column_name, col.tenant) f;
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
    'the state of each table that cordon.reencrypt, encrypt_column, decrypt_column or add_tenant_column works on or has worked on';
CREATE TRIGGER check_registration BEFORE INSERT OR DELETE ON cordon.rewriting
    FOR EACH ROW EXECUTE FUNCTION cordon.check_registration();
ALTER TABLE cordon.rewriting ENABLE ALWAYS TRIGGER check_registration;
GRANT SELECT, INSERT, DELETE ON cordon.rewriting TO PUBLIC;

CREATE OR REPLACE VIEW cordon.reencrypt_progress AS
    SELECT r.relation, r.column_name, r.task, r.pass, r.blocks_done, r.blocks,
           CASE WHEN r.blocks OPERATOR(pg_catalog.>) 0::bigint
                THEN pg_catalog.round((100.0::numeric OPERATOR(pg_catalog.*) r.blocks_done::numeric)
                                      OPERATOR(pg_catalog./) r.blocks::numeric, 1)
                ELSE 100::numeric END AS percent,
           r.rows_done,
           -- Anybody writes rows of their own tables there.
           CASE WHEN pg_catalog.isfinite(r.updated_at) AND pg_catalog.isfinite(r.started_at)
                THEN pg_catalog.round(r.rows_done::numeric OPERATOR(pg_catalog./) GREATEST(
                    EXTRACT(epoch FROM r.updated_at OPERATOR(pg_catalog.-) r.started_at), 0.001::numeric)) END AS rows_per_second,
           r.started_at, r.updated_at, r.finished_at,
           r.finished_at IS NULL AND EXISTS (
               SELECT FROM pg_catalog.pg_stat_activity a WHERE a.pid OPERATOR(pg_catalog.=) r.pid) AS is_running
    FROM cordon.rewriting r;
COMMENT ON VIEW cordon.reencrypt_progress IS
    'how far cordon.reencrypt, encrypt_column, decrypt_column and add_tenant_column are, table by table';
GRANT SELECT ON cordon.reencrypt_progress TO PUBLIC;

CREATE OR REPLACE FUNCTION cordon.require_pace(batch_size integer, pause interval) RETURNS void
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

CREATE OR REPLACE PROCEDURE cordon_internal.rewrite(
        task text, target regclass, column_name name, tenant_column name, decides_partition boolean, batch_size integer,
        pause interval)
    LANGUAGE c AS 'MODULE_PATHNAME', 'cordon_rewrite';
COMMENT ON PROCEDURE cordon_internal.rewrite(text, regclass, name, name, boolean, integer, interval) IS
    'what cordon.reencrypt, encrypt_column and decrypt_column do batch by batch, committing each; for the owner of the table';

CREATE OR REPLACE FUNCTION cordon_internal.decides_partition(target regclass, column_name name) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT EXISTS (
        SELECT FROM cordon.tree(target) t JOIN pg_partitioned_table p ON p.partrelid = t
        JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attname = decides_partition.column_name
        -- The columns of a partition key, also those in its expressions, depend on their table.
        JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = p.partrelid AND d.objsubid = a.attnum
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.partrelid AND d.refobjsubid = 0 AND d.deptype = 'i')
    $$;
COMMENT ON FUNCTION cordon_internal.decides_partition(regclass, name) IS
    'whether a column is part of the key by which a table or one of its partitions is partitioned';

CREATE OR REPLACE FUNCTION cordon_internal.is_in_foreign_key(target regclass, column_name name) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT EXISTS (
        SELECT FROM cordon.tree(target) t
        JOIN pg_attribute a ON a.attrelid = t AND a.attname = is_in_foreign_key.column_name
        JOIN pg_constraint k ON k.contype = 'f'
            AND (k.conrelid = t AND a.attnum = ANY (k.conkey) OR k.confrelid = t AND a.attnum = ANY (k.confkey)))
    $$;
COMMENT ON FUNCTION cordon_internal.is_in_foreign_key(regclass, name) IS 'whether a column refers to another, or is referred to';

-- A procedure that commits can have no SET clause: it sets the search path before it does anything else, and again after
-- each COMMIT.
CREATE OR REPLACE PROCEDURE cordon.reencrypt(
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
    CALL cordon_internal.rewrite('reencrypt', target, column_name, CASE WHEN col.is_shared THEN NULL ELSE col.tenant END,
                                 cordon_internal.decides_partition(target, column_name)
                                 OR cordon_internal.is_in_foreign_key(target, column_name), batch_size, pause);
END $$;
COMMENT ON PROCEDURE cordon.reencrypt(regclass, name, integer, interval, name) IS
    'seals the values of an encrypted column anew that are not under the primary keys: online, in batches that are '
    'committed, and again from where it was when it is broken off. For the owner of the table';

CREATE OR REPLACE FUNCTION cordon_internal.wait_for_writers(relation oid) RETURNS void
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'cordon_wait_for_writers';
COMMENT ON FUNCTION cordon_internal.wait_for_writers(oid) IS
    'waits until the transactions that have written to a relation have ended, and lets others through meanwhile';
REVOKE ALL ON FUNCTION cordon_internal.wait_for_writers(oid) FROM PUBLIC;

-- The verb of the keyring, which looks first whether the key is needed.
CREATE OR REPLACE FUNCTION cordon.disable_key(id bigint, force boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql VOLATILE STRICT SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    used text[] := '{}';
    col record;
BEGIN
    -- Whoever is no superuser, and a primary key, are refused below.
    IF NOT force AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
       AND EXISTS (SELECT FROM cordon.keyring_keys() k WHERE k.id = disable_key.id AND k.status = 'enabled') THEN
        FOR col IN
            SELECT s.relation, s.column_name FROM cordon_internal.stored_columns() s ORDER BY s.relation::text, s.column_name
        LOOP
            -- What a transaction has written under the key, before it was rotated, is seen when that has ended.
            PERFORM cordon_internal.wait_for_writers(col.relation);
            used := used || ARRAY(SELECT format('%s.%I (%s)', col.relation, col.column_name, k."values")
                FROM cordon_internal.table_keys(col.relation, col.column_name, 2147483647) k WHERE k.key_id = disable_key.id);
        END LOOP;
        used := used || ARRAY(
            SELECT DISTINCT format('a constant in %s', c.object) FROM cordon_internal.sealed_constants() c
            WHERE disable_key.id IN (c.key_id, c.search_key_id) ORDER BY 1);
        IF used <> '{}' THEN
            RAISE dependent_objects_still_exist USING
                MESSAGE = format('values in this database need key %s', id),
                DETAIL = format('Columns, and values in them: %s.', array_to_string(used, ', ')),
                HINT = 'CALL cordon.reencrypt(...) for each of them first, and REFRESH MATERIALIZED VIEW, or disable it all the same with force => true.';
        END IF;
    END IF;
    PERFORM cordon.set_key_disabled(id);
END $$;
COMMENT ON FUNCTION cordon.disable_key(bigint, boolean) IS
    'stops the use of a key that is not primary: what was sealed under it no longer opens. Refuses while values in this '
    'database need it, unless forced; looks into no other database';
REVOKE ALL ON FUNCTION cordon.disable_key(bigint, boolean) FROM PUBLIC;
