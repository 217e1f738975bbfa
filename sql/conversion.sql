-- A column that becomes encrypted, or plaintext again, while the application uses it: docs/ADOPTION.md. A column beside
-- it and a trigger that keeps both alike (expand), rows converted in batches, and the swap (contract). The trigger is
-- the only record of a conversion: its arguments say what becomes what, and pg_dump carries it with the table.

-- Arguments: column, form, new column, form, tenant column or '', greatest age in seconds or ''. Whoever may use this function
-- reads and writes values of every tenant with it: see its grants below.
CREATE OR REPLACE FUNCTION cordon.convert_on_write() RETURNS trigger
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'convert_on_write';
COMMENT ON FUNCTION cordon.convert_on_write() IS
    'the trigger that cordon.encrypt_column and decrypt_column make; EXECUTE on it is the permission to call them, and to '
    'read and write values of every tenant by them';
REVOKE ALL ON FUNCTION cordon.convert_on_write() FROM PUBLIC;

CREATE OR REPLACE FUNCTION cordon_internal.count_unconverted(
        target regclass, column_name name, is_backward boolean DEFAULT false)
    RETURNS bigint
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'cordon_count_unconverted';
COMMENT ON FUNCTION cordon_internal.count_unconverted(regclass, name, boolean) IS
    'how many values of a column under conversion are not converted, or are in the new column alone; for the owner of the table';
CREATE OR REPLACE FUNCTION cordon_internal.unconverted_rows(target regclass, column_name name, is_thorough boolean)
    RETURNS TABLE (relation regclass, row_id text, row_key text, problem text)
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'cordon_unconverted_rows';
COMMENT ON FUNCTION cordon_internal.unconverted_rows(regclass, name, boolean) IS
    'what cordon.conversion_problems finds; for the owner of the table';
CREATE OR REPLACE FUNCTION cordon_internal.require_source(name text) RETURNS void
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'cordon_require_source';
COMMENT ON FUNCTION cordon_internal.require_source(text) IS
    'an error when the keyring has no key to read values of a source with';

CREATE OR REPLACE FUNCTION cordon.trigger_arguments(arguments bytea) RETURNS text[]
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
    AS $$
    -- Each ends with a byte of zero.
    SELECT array_agg(convert_from(substring(arguments FROM start FOR stop - start), getdatabaseencoding()) ORDER BY stop)
    FROM (SELECT at AS stop, 1 + coalesce(lag(at) OVER (ORDER BY at), 0) AS start
          FROM generate_series(1, length(arguments)) at WHERE get_byte(arguments, at - 1) = 0) ends
    $$;
COMMENT ON FUNCTION cordon.trigger_arguments(bytea) IS 'pg_trigger.tgargs as an array';

CREATE OR REPLACE VIEW cordon.conversions AS
    SELECT t.tgrelid::pg_catalog.regclass AS relation, a[1]::pg_catalog.name AS column_name, a[2] AS from_form,
           a[3]::pg_catalog.name AS new_column, a[4] AS to_form, NULLIF(a[5], ''::pg_catalog.text)::pg_catalog.name AS tenant_column,
           pg_catalog.make_interval(secs => NULLIF(a[6], ''::pg_catalog.text)::pg_catalog.float8) AS max_age,
           t.tgname AS trigger_name
    FROM pg_catalog.pg_trigger t, LATERAL cordon.trigger_arguments(t.tgargs) a
    WHERE t.tgfoid OPERATOR(pg_catalog.=) 'cordon.convert_on_write()'::pg_catalog.regprocedure::pg_catalog.oid
        -- Those of partitions and children follow that of the table above.
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_trigger above
                            ON above.tgrelid OPERATOR(pg_catalog.=) i.inhparent
                        WHERE i.inhrelid OPERATOR(pg_catalog.=) t.tgrelid AND above.tgfoid OPERATOR(pg_catalog.=) t.tgfoid
                            AND above.tgargs OPERATOR(pg_catalog.=) t.tgargs);
COMMENT ON VIEW cordon.conversions IS
    'the columns that are being converted; CALL cordon.finish_conversion or cordon.cancel_conversion ends it';
GRANT SELECT ON cordon.conversions TO PUBLIC;

CREATE OR REPLACE FUNCTION cordon.conversion(target regclass, column_name name) RETURNS cordon.conversions
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    found cordon.conversions;
BEGIN
    SELECT * INTO found FROM cordon.conversions c WHERE c.relation = target AND c.column_name = conversion.column_name;
    IF found.relation IS NULL THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('column "%s" of table "%s" is not being converted', column_name, target),
            HINT = 'SELECT * FROM cordon.conversions shows the columns that are.';
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION cordon.conversion(regclass, name) IS 'the conversion of a column; an error when there is none';

CREATE OR REPLACE FUNCTION cordon.refuse_conversion(target regclass, column_name name) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF EXISTS (SELECT FROM cordon.conversions c
               WHERE c.relation IN (SELECT cordon.tree(target)) AND refuse_conversion.column_name IN (c.column_name, c.new_column)) THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('column "%s" of table "%s" is being converted', column_name, target),
            HINT = 'CALL cordon.finish_conversion or cordon.cancel_conversion first.';
    END IF;
END $$;
COMMENT ON FUNCTION cordon.refuse_conversion(regclass, name) IS 'an error when a column is being converted';

CREATE OR REPLACE FUNCTION cordon.conversion_problems(target regclass, column_name name, thorough boolean DEFAULT false)
    RETURNS TABLE (relation regclass, row_id tid, row_key jsonb, problem text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM cordon.conversion(target, column_name);
    RETURN QUERY SELECT u.relation, u.row_id::tid, u.row_key::jsonb, u.problem
        FROM cordon_internal.unconverted_rows(target, column_name, thorough) u;
END $$;
COMMENT ON FUNCTION cordon.conversion_problems(regclass, name, boolean) IS
    'the rows of a column under conversion that are not converted, by place and primary key, and why, with nothing of the '
    'value; thorough: every row is read, and those are returned whose columns differ. For the owner of the table';

CREATE OR REPLACE FUNCTION cordon.sealed_type(type_name text) RETURNS regtype
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
    AS $$ SELECT oid::regtype FROM pg_type WHERE typname = type_name AND cordon_internal.sealed_kind(oid) = oid $$;
COMMENT ON FUNCTION cordon.sealed_type(text) IS 'the encrypted type of that name, whatever schema it is in';

-- Statements on a busy table: those that wait for its lock hold up everybody behind them, so they wait a second at most, and
-- try again later. They run as the owner of the table: PostgreSQL evaluates checks and expressions of indexes while it changes
-- a table. Only a trigger is made as the caller, who has the right to use its function; that evaluates nothing. It commits.
CREATE OR REPLACE PROCEDURE cordon_internal.run_with_lock(target regclass, statements text[])
    LANGUAGE plpgsql
    AS $$
DECLARE
    attempts CONSTANT integer := 60;
    is_done boolean := false;
    statement pg_catalog.text;
BEGIN
    FOR attempt IN 1..attempts LOOP
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true),
                pg_catalog.set_config('lock_timeout', '1s', true);
        BEGIN
            FOREACH statement IN ARRAY statements LOOP
                IF starts_with(statement, 'CREATE TRIGGER ') THEN
                    EXECUTE statement;
                ELSE
                    PERFORM cordon_internal.as_owner(target, statement);
                END IF;
            END LOOP;
            is_done := true;
        EXCEPTION WHEN lock_not_available THEN
            is_done := false;
        END;
        COMMIT;
        EXIT WHEN is_done;
        RAISE NOTICE '%: somebody uses the table; attempt % of %', target, attempt, attempts;
        PERFORM pg_catalog.pg_sleep(0.5);
    END LOOP;
    IF NOT is_done THEN
        RAISE lock_not_available USING
            MESSAGE = pg_catalog.format('table "%s" was in use for a minute', target),
            DETAIL = 'A transaction that has used the table is still open.',
            HINT = 'pg_stat_activity shows open transactions by xact_start. When the longest have ended, call it again.';
    END IF;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
END $$;
COMMENT ON PROCEDURE cordon_internal.run_with_lock(regclass, text[]) IS
    'runs statements on a table as its owner in one transaction, waiting a second at most for its lock, and again';

CREATE OR REPLACE FUNCTION cordon.expansion(
        target regclass, column_name name, from_form text, new_column name, to_form text, tenant name, max_age interval)
    RETURNS text[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    new_type text := CASE to_form WHEN 'plaintext' THEN 'text' ELSE format('%s', cordon.sealed_type(to_form)) END;
    column_number int2 := (SELECT attnum FROM pg_attribute WHERE attrelid = target AND attname = column_name);
    trigger_name name := format('zzz_cordon_convert_%s', column_number);
    statements text[];
    relation regclass;
BEGIN
    statements := ARRAY[format('ALTER TABLE %s ADD COLUMN %I %s', target, new_column, new_type)];
    -- Partitions get their triggers from the table above; children in the old way of inheritance do not.
    FOR relation IN
        SELECT t FROM cordon.tree(target) t JOIN pg_class c ON c.oid = t WHERE NOT c.relispartition OR t = target
    LOOP
        statements := statements || format(
            'CREATE TRIGGER %I BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION cordon.convert_on_write(%L, %L, %L, %L, %L, %L)',
            trigger_name, relation, column_name, from_form, new_column, to_form, coalesce(tenant, ''),
            coalesce(extract(epoch FROM max_age)::bigint::text, ''));
    END LOOP;
    RETURN statements;
END $$;
COMMENT ON FUNCTION cordon.expansion(regclass, name, text, name, text, name, interval) IS
    'the statements that begin a conversion';

CREATE OR REPLACE FUNCTION cordon.always_firing(target regclass, column_name name) RETURNS text[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    -- Also where triggers are off: in sessions that restore data, and in the batches of the conversion itself.
    SELECT array_agg(format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', t.tgrelid::regclass, t.tgname))
    FROM cordon.tree(target) r JOIN pg_trigger t ON t.tgrelid = r
    WHERE t.tgfoid = 'cordon.convert_on_write()'::regprocedure AND t.tgenabled <> 'A'
        AND (cordon.trigger_arguments(t.tgargs))[1] = column_name
    $$;
COMMENT ON FUNCTION cordon.always_firing(regclass, name) IS 'the statements that make the triggers of a conversion fire always';

CREATE OR REPLACE PROCEDURE cordon_internal.convert_column(
        task text, target regclass, column_name name, from_form text, to_form text, batch_size integer, pause interval,
        tenant_column name, new_column name, max_age interval)
    LANGUAGE plpgsql
    AS $$
DECLARE
    existing cordon.conversions;
    tenant pg_catalog.name;
    needs_tenant boolean;
    statements pg_catalog.text[];
    remaining bigint;
    new_type pg_catalog.oid;
    obstacle record;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    tenant := coalesce(tenant_column, (SELECT t.tenant_column FROM cordon.tenant_tables() t WHERE t.relation = target LIMIT 1));
    IF NOT has_function_privilege('cordon.convert_on_write()', 'EXECUTE') THEN
        RAISE insufficient_privilege USING
            MESSAGE = 'permission denied to convert columns',
            DETAIL = 'Who converts columns reads and writes values of every tenant in them.',
            HINT = format('As a superuser, GRANT EXECUTE ON FUNCTION cordon.convert_on_write() TO %I;', current_user);
    END IF;
    IF NOT pg_has_role((SELECT relowner FROM pg_class WHERE oid = target), 'USAGE') THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('must be owner of table %s', target),
            HINT = 'Call it as the owner of the table or as a superuser.';
    END IF;
    PERFORM cordon.require_pace(batch_size, pause);
    SELECT * INTO existing FROM cordon.conversions c WHERE c.relation = target AND c.column_name = convert_column.column_name;
    IF existing.relation IS NULL THEN
        PERFORM cordon.refuse_conversion(target, column_name), cordon_internal.require_source(from_form);
        needs_tenant := coalesce(NOT cordon_internal.is_shared_type(cordon.sealed_type(from_form)), false)
            OR coalesce(NOT cordon_internal.is_shared_type(cordon.sealed_type(to_form)), false);
        IF NOT needs_tenant THEN
            tenant := NULL;
        END IF;
        PERFORM cordon.require_tenant_column(target, NOT needs_tenant, tenant);
        IF tenant IS NOT NULL AND cordon.tenant_function((SELECT atttypid FROM pg_attribute WHERE attrelid = target
            AND attname = tenant AND attnum > 0 AND NOT attisdropped)) IS NULL THEN
            RAISE invalid_parameter_value USING
                MESSAGE = format('"%s" of table "%s" is not a column that holds tenants', tenant, target),
                HINT = 'Name a column of type bigint, integer, uuid or text.';
        END IF;
        new_column := coalesce(new_column, left(column_name, 55) || CASE task WHEN 'encrypt' THEN '_sealed' ELSE '_plain' END);
        new_type := coalesce(cordon.sealed_type(to_form), 'text'::regtype);
        SELECT * INTO obstacle FROM cordon_internal.conversion_obstacles(target, column_name, NULL, new_type) o WHERE o.is_final LIMIT 1;
        IF obstacle.object IS NOT NULL THEN
            RAISE feature_not_supported USING
                MESSAGE = format('column "%s" of table "%s" cannot be converted', column_name, target),
                DETAIL = format('It is used by %s.', obstacle.object),
                HINT = obstacle.remedy;
        END IF;
        -- What nobody would know before the end.
        FOR obstacle IN SELECT * FROM cordon_internal.conversion_obstacles(target, column_name, NULL, new_type) o WHERE o.why IS NOT NULL LOOP
            RAISE NOTICE USING
                MESSAGE = format('%s: %s will have no counterpart: %s', target, obstacle.object, obstacle.why),
                HINT = format('To let go of it, finish with %s => true.', CASE obstacle.loss WHEN 'unique' THEN 'drop_unique' ELSE 'drop_dependents' END);
        END LOOP;
        IF from_form = 'plaintext' AND (SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
                                        WHERE a.attrelid = target AND a.attname = convert_column.column_name) <> 'text' THEN
            RAISE NOTICE '%: what type % checked of %, as its length or that it is JSON, the encrypted column does not check: see docs/ADOPTION.md',
                target, (SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
                         WHERE a.attrelid = target AND a.attname = convert_column.column_name), column_name;
        END IF;
        CALL cordon_internal.run_with_lock(target, cordon.expansion(target, column_name, from_form, new_column, to_form, tenant, max_age));
        RAISE NOTICE '%: added column % and a trigger that keeps it like %', target, new_column, column_name;
    ELSIF (existing.from_form, existing.to_form) <> (from_form, to_form)
        OR new_column <> existing.new_column OR tenant_column <> existing.tenant_column
        OR max_age <> existing.max_age THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('column "%s" of table "%s" is being converted in another way', column_name, target),
            DETAIL = format('From %s to %s, in column "%s".', existing.from_form, existing.to_form, existing.new_column),
            HINT = 'Call it as it was called first, or CALL cordon.cancel_conversion first.';
    END IF;
    statements := cordon.always_firing(target, column_name);
    IF statements IS NOT NULL THEN
        CALL cordon_internal.run_with_lock(target, statements);
    END IF;
    CALL cordon_internal.rewrite(task, target, column_name, NULL, false, batch_size, pause);
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    remaining := cordon_internal.count_unconverted(target, column_name);
    IF remaining > 0 THEN
        RAISE WARNING USING
            MESSAGE = format('%s rows of "%s" are not converted', remaining, target),
            DETAIL = 'They are as they were, and still in use.',
            HINT = format('SELECT * FROM cordon.conversion_problems(%L, %L) shows them and why.', target, column_name);
    ELSE
        RAISE NOTICE '%: every row is converted. CALL cordon.finish_conversion(%, %) makes the new column take the place of the old.',
            target, quote_literal(target), quote_literal(column_name);
    END IF;
END $$;
COMMENT ON PROCEDURE cordon_internal.convert_column(text, regclass, name, text, text, integer, interval, name, name, interval) IS
    'what cordon.encrypt_column and decrypt_column do';

CREATE OR REPLACE FUNCTION cordon.form_of(target regclass, column_name name) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    form text;
BEGIN
    WITH RECURSIVE base AS (
        SELECT t.* FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = target AND a.attname = column_name AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        UNION ALL
        SELECT t.* FROM base JOIN pg_type t ON t.oid = base.typbasetype WHERE base.typtype = 'd'
    )
    SELECT CASE WHEN oid = cordon_internal.sealed_kind(oid) THEN typname::text
                WHEN oid = 'bytea'::regtype THEN 'bytea'
                WHEN oid IN ('text'::regtype, 'varchar'::regtype) THEN 'text'
                WHEN oid IN ('json'::regtype, 'jsonb'::regtype, 'uuid'::regtype) THEN 'other' END
    INTO form FROM base WHERE typtype <> 'd';
    IF form IS NULL THEN
        RAISE wrong_object_type USING
            MESSAGE = format('"%s" has no column "%s" that can be converted', target, column_name),
            DETAIL = 'Columns of text, varchar, json, jsonb, uuid and of the encrypted types can be, and bytea with values of pgcrypto or Fernet; generated ones cannot.',
            HINT = 'Bring a column of another type to text first: ALTER TABLE ... ALTER COLUMN ... TYPE text.';
    END IF;
    RETURN form;
END $$;
COMMENT ON FUNCTION cordon.form_of(regclass, name) IS
    'what a column can be converted from: text, bytea, other, or the name of an encrypted type';

CREATE OR REPLACE PROCEDURE cordon.encrypt_column(
        target regclass, column_name name, sealed_type text DEFAULT 'encrypted_text', source text DEFAULT 'plaintext',
        batch_size integer DEFAULT 5000, pause interval DEFAULT '0', tenant_column name DEFAULT NULL,
        new_column name DEFAULT NULL, max_age interval DEFAULT NULL, finish boolean DEFAULT false)
    LANGUAGE plpgsql
    AS $$
DECLARE
    form pg_catalog.text;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    form := cordon.form_of(target, column_name);
    IF cordon.sealed_type(sealed_type) IS NULL THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('"%s" is not an encrypted type', sealed_type),
            HINT = 'encrypted_text, encrypted_text_eq, shared_encrypted_text or shared_encrypted_text_eq.';
    END IF;
    IF source NOT IN ('plaintext', 'fernet', 'pgcrypto')
       OR (source = 'plaintext' AND form = 'bytea') OR (source = 'fernet' AND form NOT IN ('text', 'bytea'))
       OR (source = 'pgcrypto' AND form NOT IN ('text', 'bytea')) OR (source IS NULL) THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('source "%s" does not fit column "%s"', source, column_name),
            HINT = 'plaintext, of columns of text, json or uuid; fernet or pgcrypto, of columns of text or bytea.';
    END IF;
    IF max_age IS NOT NULL AND (source <> 'fernet' OR max_age < interval '0') THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'max_age is for source => ''fernet'', and not negative',
            HINT = 'Leave it out to take tokens of any age.';
    END IF;
    IF form = sealed_type THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('column "%s" of table "%s" is of type %s', column_name, target, form),
            HINT = 'To seal its values anew under the primary keys, CALL cordon.reencrypt(...).';
    END IF;
    IF cordon.sealed_type(form) IS NOT NULL THEN
        source := form;
    END IF;
    CALL cordon_internal.convert_column('encrypt', target, column_name, source, sealed_type, batch_size, pause, tenant_column, new_column, max_age);
    IF finish THEN
        CALL cordon.finish_conversion(target, column_name);
    END IF;
END $$;
COMMENT ON PROCEDURE cordon.encrypt_column(regclass, name, text, text, integer, interval, name, name, interval, boolean) IS
    'turns a column of plaintext, Fernet tokens, pgcrypto messages or of another encrypted type into an encrypted column while it '
    'is in use: adds the column, keeps both alike, converts the rows; cordon.finish_conversion ends it';

CREATE OR REPLACE PROCEDURE cordon.decrypt_column(
        target regclass, column_name name, batch_size integer DEFAULT 5000, pause interval DEFAULT '0',
        tenant_column name DEFAULT NULL, new_column name DEFAULT NULL, finish boolean DEFAULT false)
    LANGUAGE plpgsql
    AS $$
DECLARE
    form pg_catalog.text;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    form := cordon.form_of(target, column_name);
    IF cordon.sealed_type(form) IS NULL THEN
        RAISE wrong_object_type USING
            MESSAGE = format('column "%s" of table "%s" is not encrypted', column_name, target),
            HINT = 'SELECT * FROM cordon.sealed_columns() shows the encrypted columns.';
    END IF;
    CALL cordon_internal.convert_column('decrypt', target, column_name, form, 'plaintext', batch_size, pause, tenant_column, new_column, NULL);
    IF finish THEN
        CALL cordon.finish_conversion(target, column_name);
    END IF;
END $$;
COMMENT ON PROCEDURE cordon.decrypt_column(regclass, name, integer, interval, name, name, boolean) IS
    'turns an encrypted column back into plaintext while it is in use, as cordon.encrypt_column does the other way';

-- The statements of the swap, in order.
CREATE OR REPLACE FUNCTION cordon.contraction(target regclass, column_name name, keep_name boolean) RETURNS text[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c cordon.conversions := cordon.conversion(target, column_name);
    part record;
    found record;
    old_number CONSTANT int2 := (SELECT attnum FROM pg_attribute WHERE attrelid = target AND attname = c.column_name);
    final CONSTANT name := CASE WHEN keep_name THEN c.new_column ELSE c.column_name END;
    statements text[] := '{}';
    afterwards text[] := '{}';
    new_default text;
BEGIN
    FOR found IN SELECT t.tgrelid::regclass AS relation, t.tgname FROM cordon.tree(target) r JOIN pg_trigger t ON t.tgrelid = r
        WHERE t.tgname = c.trigger_name AND t.tgparentid = 0 LOOP
        statements := statements || format('DROP TRIGGER %I ON %s', found.tgname, found.relation);
    END LOOP;
    -- Each table of the tree has what its own column had, which may be other than in the table above.
    FOR part IN
        SELECT r AS relation, r = target AS is_root, o.attnum AS old_number, n.attnum AS new_number, o.attnotnull, o.attacl,
               pg_get_expr(d.adbin, d.adrelid) AS default_value, col_description(r, o.attnum) AS about, t.relkind = 'r' AS has_rows,
               (SELECT p.attnotnull FROM pg_attribute p WHERE p.attrelid = target AND p.attname = c.column_name) AS root_is_not_null
        FROM cordon.tree(target) r JOIN pg_class t ON t.oid = r
        JOIN pg_attribute o ON o.attrelid = r AND o.attname = c.column_name
        JOIN pg_attribute n ON n.attrelid = r AND n.attname = c.new_column
        LEFT JOIN pg_attrdef d ON d.adrelid = r AND d.adnum = o.attnum
    LOOP
        IF part.attnotnull AND (part.is_root OR NOT part.root_is_not_null) THEN
            -- The constraint that has been validated spares it the scan.
            statements := statements || format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', part.relation, c.new_column);
        END IF;
        -- Who may use the old column by itself may use the new one.
        FOR found IN SELECT a.* FROM aclexplode(part.attacl) a LOOP
            statements := statements || format('GRANT %s (%I) ON %s TO %s%s', found.privilege_type, c.new_column, part.relation,
                CASE found.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(found.grantee)) END,
                CASE WHEN found.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
        END LOOP;
        IF part.default_value IS NOT NULL THEN
            -- By way of text, so that each row is sealed when it is inserted; a constant of the type would be sealed once.
            new_default := format('(%s)::text', regexp_replace(part.default_value, '(::text)?::[^:()'']*encrypted_text(_eq)?$', ''));
            afterwards := afterwards || format('ALTER TABLE ONLY %s ALTER COLUMN %I SET DEFAULT %s%s', part.relation, final, new_default,
                CASE c.to_form WHEN 'plaintext' THEN '' ELSE format('::%s', cordon.sealed_type(c.to_form)) END);
        END IF;
        IF part.about IS NOT NULL THEN
            afterwards := afterwards || format('COMMENT ON COLUMN %s.%I IS %L', part.relation, final, part.about);
        END IF;
        -- An index that takes the place of another takes its name, and is a constraint when that was one.
        FOR found IN
            SELECT k.relname, x.conname, x.condeferrable, x.condeferred, i.indisreplident, p.replacement,
                   (SELECT relname FROM pg_class WHERE oid = p.replacement) AS replacement_name,
                   (SELECT y.conname FROM pg_constraint y WHERE y.conindid = p.replacement AND y.conrelid = part.relation AND y.contype = 'u') AS new_constraint
            FROM cordon_internal.index_pairs(part.relation, part.old_number, part.new_number) p
            JOIN pg_index i ON i.indexrelid = p.old_index JOIN pg_class k ON k.oid = i.indexrelid
            LEFT JOIN pg_constraint x ON x.conindid = i.indexrelid AND x.conrelid = part.relation AND x.contype = 'u'
            WHERE NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid) -- those of a partition go with that above
            ORDER BY k.relname
        LOOP
            IF found.new_constraint IS NOT NULL THEN
                afterwards := afterwards || format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', part.relation, found.new_constraint, found.relname);
            ELSIF found.conname IS NOT NULL AND part.has_rows THEN
                afterwards := afterwards || format('ALTER TABLE %s ADD CONSTRAINT %I UNIQUE USING INDEX %I%s%s', part.relation, found.conname, found.replacement_name,
                    CASE WHEN found.condeferrable THEN ' DEFERRABLE' ELSE '' END, CASE WHEN found.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END);
            ELSE
                afterwards := afterwards || format('ALTER INDEX %s RENAME TO %I', found.replacement, found.relname);
            END IF;
            IF found.indisreplident THEN
                afterwards := afterwards || format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', part.relation, found.relname);
            END IF;
        END LOOP;
    END LOOP;
    statements := statements || format('ALTER TABLE %s DROP CONSTRAINT %I', target, format('cordon_converted_%s', old_number));
    statements := statements || format('ALTER TABLE %s DROP COLUMN %I', target, c.column_name);
    IF final <> c.new_column THEN
        statements := statements || format('ALTER TABLE %s RENAME COLUMN %I TO %I', target, c.new_column, final);
    END IF;
    RETURN statements || afterwards;
END $$;
COMMENT ON FUNCTION cordon.contraction(regclass, name, boolean) IS 'the statements that end a conversion';

CREATE OR REPLACE PROCEDURE cordon.finish_conversion(
        target regclass, column_name name, drop_dependents boolean DEFAULT false, keep_name boolean DEFAULT false,
        verify boolean DEFAULT true, drop_unique boolean DEFAULT false)
    LANGUAGE plpgsql
    AS $$
DECLARE
    c cordon.conversions;
    old pg_catalog.pg_attribute;
    check_name pg_catalog.name;
    condition pg_catalog.text;
    obstacles pg_catalog.text;
    remedies pg_catalog.text;
    failing bigint;
    new_type pg_catalog.oid;
    began pg_catalog.timestamptz;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    c := cordon.conversion(target, column_name);
    SELECT * INTO old FROM pg_attribute WHERE attrelid = target AND attname = c.column_name;
    new_type := (SELECT atttypid FROM pg_attribute WHERE attrelid = target AND attname = c.new_column);
    SELECT string_agg(o.object, ', ' ORDER BY o.object), string_agg(DISTINCT o.remedy, ' ') INTO obstacles, remedies
    FROM cordon_internal.conversion_obstacles(target, column_name, c.new_column, new_type) o
    WHERE coalesce(NOT CASE o.loss WHEN 'unique' THEN drop_unique WHEN 'other' THEN drop_dependents END, true);
    IF obstacles IS NOT NULL THEN
        RAISE dependent_objects_still_exist USING
            MESSAGE = format('column "%s" of table "%s" is still used', column_name, target),
            DETAIL = format('By %s.', obstacles), HINT = remedies;
    END IF;
    failing := (SELECT count(*) FROM cordon.conversion_problems(target, column_name, verify));
    IF failing > 0 THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('%s rows of "%s" are not converted', failing, target),
            DETAIL = 'Nothing was changed.',
            HINT = format('SELECT * FROM cordon.conversion_problems(%L, %L, thorough => true) shows them and why.', target, column_name);
    END IF;
    -- From here on a row that is not converted cannot be written, so that none is left at the swap. The proof is made
    -- while the table is in use; the swap itself reads no row.
    check_name := format('cordon_converted_%s', old.attnum);
    condition := format(CASE WHEN old.attnotnull THEN '%I IS NOT NULL' ELSE '%I IS NOT NULL OR %I IS NULL' END, c.new_column, c.column_name);
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = target AND conname = check_name) THEN
        CALL cordon_internal.run_with_lock(target, ARRAY[format('ALTER TABLE %s ADD CONSTRAINT %I CHECK (%s) NOT VALID', target, check_name, condition)]);
    END IF;
    BEGIN
        PERFORM cordon_internal.as_owner(target, format('ALTER TABLE %s VALIDATE CONSTRAINT %I', target, check_name));
        failing := 0;
    EXCEPTION WHEN check_violation THEN
        failing := 1;
    END;
    COMMIT;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    IF failing > 0 THEN
        CALL cordon_internal.run_with_lock(target, ARRAY[format('ALTER TABLE %s DROP CONSTRAINT %I', target, check_name)]);
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('rows of "%s" that cannot be converted were written meanwhile', target),
            HINT = format('SELECT * FROM cordon.conversion_problems(%L, %L) shows them and why.', target, column_name);
    END IF;
    SELECT string_agg(o.object, ', ' ORDER BY o.object) INTO obstacles
    FROM cordon_internal.conversion_obstacles(target, column_name, c.new_column, new_type) o;
    began := clock_timestamp();
    CALL cordon_internal.run_with_lock(target, format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', target)
        || cordon.contraction(target, column_name, keep_name));
    DELETE FROM cordon.rewriting r WHERE r.relation IN (SELECT cordon.tree(target)) AND r.column_name = finish_conversion.column_name
        AND r.task <> 'reencrypt';
    IF obstacles IS NOT NULL THEN
        RAISE NOTICE '%: dropped with the old column: %', target, obstacles;
    END IF;
    RAISE NOTICE '%: % is of type % now (% ms). Old values stay in the table''s files until VACUUM FULL, and in WAL and backups.',
        target, CASE WHEN keep_name THEN c.new_column ELSE column_name END,
        CASE c.to_form WHEN 'plaintext' THEN 'text' ELSE c.to_form END,
        round(1000 * extract(epoch FROM clock_timestamp() - began));
END $$;
COMMENT ON PROCEDURE cordon.finish_conversion(regclass, name, boolean, boolean, boolean, boolean) IS
    'makes the new column of a conversion take the place of the old one, which is dropped; refuses while a row is not '
    'converted or something uses the old column';

CREATE OR REPLACE FUNCTION cordon.refuse_loss(target regclass, column_name name) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c cordon.conversions := cordon.conversion(target, column_name);
    only_new bigint := cordon_internal.count_unconverted(target, column_name, true);
BEGIN
    IF only_new > 0 THEN
        RAISE object_not_in_prerequisite_state USING
            MESSAGE = format('%s values were written to column "%s" alone', only_new, c.new_column),
            DETAIL = format('They are not turned back into %s values, and would be lost.', c.from_form),
            HINT = format('Write them to column "%s" as the application encrypts them, or finish the conversion.', column_name);
    END IF;
END $$;
COMMENT ON FUNCTION cordon.refuse_loss(regclass, name) IS
    'an error when values of a conversion are in the new column alone, as an application that knows it may have written';

CREATE OR REPLACE PROCEDURE cordon.cancel_conversion(target regclass, column_name name)
    LANGUAGE plpgsql
    AS $$
DECLARE
    c cordon.conversions;
    statements pg_catalog.text[];
    check_name pg_catalog.name;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    c := cordon.conversion(target, column_name);
    statements := ARRAY(SELECT format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
        FROM cordon.tree(target) r JOIN pg_trigger t ON t.tgrelid = r WHERE t.tgname = c.trigger_name AND t.tgparentid = 0);
    check_name := (SELECT conname FROM pg_constraint WHERE conrelid = target AND conname = 'cordon_converted_'
        || (SELECT attnum FROM pg_attribute WHERE attrelid = target AND attname = c.column_name)::text);
    IF check_name IS NOT NULL THEN
        statements := statements || format('ALTER TABLE %s DROP CONSTRAINT %I', target, check_name);
    END IF;
    CALL cordon_internal.run_with_lock(target, ARRAY[format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', target),
        format('SELECT cordon.refuse_loss(%L, %L)', target, column_name)] || statements
        || format('ALTER TABLE %s DROP COLUMN %I', target, c.new_column));
    DELETE FROM cordon.rewriting r WHERE r.relation IN (SELECT cordon.tree(target)) AND r.column_name = cancel_conversion.column_name
        AND r.task <> 'reencrypt';
    RAISE NOTICE '%: column % is as it was', target, column_name;
END $$;
COMMENT ON PROCEDURE cordon.cancel_conversion(regclass, name) IS
    'drops the new column of a conversion and its trigger; the old column has been kept up all the while';
