-- Attacks that prove isolation. A verdict is 'held' only when row security, or a missing privilege, has refused or
-- hidden something that was there to be had. What went wrong for another reason proves nothing, and is 'not tested'.
--
-- The attacks run by cordon_internal.act_as, as the attacking role and unable to become anybody else: code of that role, or of
-- the owners of tables, which they meet in policies, defaults, views and triggers could otherwise take a superuser's session
-- back. What judges them reads as the owner of the table, by cordon_internal.as_owner. Foreign keys are not in the way: they
-- are checked after a statement, and each is judged and taken back before. No setting that weakens the session is on.

CREATE OR REPLACE FUNCTION cordon.session_default(role oid, setting text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT substr(entry, length(setting) + 2)
    FROM pg_db_role_setting s, unnest(s.setconfig) entry
    WHERE s.setrole IN (role, 0) AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        AND starts_with(entry, session_default.setting || '=')
    ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1
    $$;
COMMENT ON FUNCTION cordon.session_default(oid, text) IS
    'what ALTER ROLE and ALTER DATABASE set for sessions of the role in this database; NULL when they do not';

CREATE OR REPLACE FUNCTION cordon.server_default(setting text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT coalesce(
        (SELECT reset_val FROM pg_settings WHERE name = server_default.setting AND source = 'command line'),
        (SELECT f.setting FROM pg_file_settings f WHERE f.name = server_default.setting AND f.error IS NULL
         ORDER BY seqno DESC LIMIT 1),
        (SELECT boot_val FROM pg_settings WHERE name = server_default.setting))
    $$;
COMMENT ON FUNCTION cordon.server_default(text) IS 'the setting of a session for which no role or database says otherwise';

CREATE OR REPLACE FUNCTION cordon.sample_value(type oid, modifier integer) RETURNS text
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE
        WHEN t.oid IN ('int4'::regtype, 'int8'::regtype) THEN (random() * 1000000000)::integer::text
        WHEN t.typcategory = 'N' THEN (random() * 9)::integer::text
        WHEN t.typcategory = 'B' THEN 'false'
        WHEN t.typcategory = 'D' THEN 'now'
        WHEN t.typcategory = 'T' THEN '0'
        WHEN t.typcategory = 'A' THEN '{}'
        WHEN t.typcategory = 'I' THEN '127.0.0.1'
        WHEN t.typcategory = 'E' THEN
            (SELECT enumlabel FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder LIMIT 1)
        WHEN t.typcategory = 'S' THEN left(gen_random_uuid()::text, CASE WHEN modifier > 4 THEN modifier - 4 ELSE 36 END)
        WHEN t.oid = 'uuid'::regtype THEN gen_random_uuid()::text
        WHEN t.oid IN ('json'::regtype, 'jsonb'::regtype) THEN '{}'
        ELSE 'x'
    END
    FROM pg_type t WHERE t.oid = type
    $$;
COMMENT ON FUNCTION cordon.sample_value(oid, integer) IS 'some value of the type, for a row that cordon.prove makes up';

CREATE OR REPLACE FUNCTION cordon.sample_insert(relation regclass, given jsonb, others text) RETURNS text
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE VALUES (%s)', relation,
        string_agg(quote_ident(attname), ', ' ORDER BY attnum),
        string_agg(format('%L::%s', value, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum))
    FROM (
        SELECT a.*, CASE WHEN given ? a.attname THEN given ->> a.attname
                         ELSE cordon.sample_value(a.atttypid, a.atttypmod) END AS value
        FROM pg_attribute a
        WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
            AND (given ? a.attname
                 OR (others = 'all' AND a.attgenerated = '' AND a.attidentity <> 'a')
                 OR (others = 'required' AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''))
    ) c
    $$;
COMMENT ON FUNCTION cordon.sample_insert(regclass, jsonb, text) IS
    'an INSERT of a row with the values given and some for other columns: none, those required, or all';

-- Messages are compared in English: prove sets lc_messages.
CREATE OR REPLACE FUNCTION cordon_internal.attempt(
        app oid, statement text, relation regclass, judge text DEFAULT NULL, least_rows bigint DEFAULT 0,
        fires_after boolean DEFAULT false,
        OUT outcome text, OUT detail text, OUT reached bigint)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    is_done boolean := false;
    is_breach boolean;
    state text;
    message text;
    constrained text;
    table_at text;
    schema_at text;
    column_at text;
BEGIN
    BEGIN
        reached := cordon_internal.act_as(app, statement, fires_after);
        is_breach := CASE WHEN judge IS NULL THEN reached > least_rows
                          ELSE cordon_internal.as_owner(relation, 'SELECT ' || judge)::boolean END;
        is_done := true;
        RAISE SQLSTATE 'CPRVE';
    EXCEPTION WHEN OTHERS OR assert_failure THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, constrained = CONSTRAINT_NAME,
            table_at = TABLE_NAME, schema_at = SCHEMA_NAME, column_at = COLUMN_NAME;
    END;
    IF is_done THEN
        outcome := CASE WHEN is_breach THEN 'BREACH' ELSE 'held' END;
        RETURN;
    END IF;
    reached := NULL;
    IF state = '42501' AND message LIKE '%violates row-level security policy%' THEN
        outcome := 'held';
        detail := 'row security refuses';
    ELSIF state = '42501' AND message = 'no tenant is set' THEN
        outcome := 'held';
        detail := 'no tenant is set';
    ELSIF state IN ('23502', '23503', '23505', '23514', '23P01') AND (constrained <> '' OR column_at <> '')
          AND to_regclass(format('%I.%I', schema_at, table_at)) IN (SELECT cordon.tree(relation)) THEN
        outcome := 'BREACH';
        detail := format('row security lets it pass; only a constraint stops it (%s)',
                         CASE constrained WHEN '' THEN 'NOT NULL ' || column_at ELSE constrained END);
    ELSE
        outcome := 'not tested';
        detail := format('stopped by an error of another kind, SQLSTATE %s', state);
    END IF;
END $$;
COMMENT ON FUNCTION cordon_internal.attempt(oid, text, regclass, text, bigint, boolean) IS
    'runs a statement as the attacking role and takes it back; isolation is broken when the condition judge is true, or '
    'without one when more rows were reached than least_rows. For cordon.prove';

CREATE OR REPLACE FUNCTION cordon_internal.row_place(relation regclass, condition text) RETURNS text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Of what is no table, as a foreign one, nobody looks at the rows in place of its owner.
    IF (SELECT relkind NOT IN ('r', 'p', 'm') FROM pg_class WHERE oid = relation) THEN
        RETURN NULL;
    END IF;
    RETURN cordon_internal.as_owner(relation, format(
        'SELECT format(''tableoid = %%s AND ctid = %%L'', tableoid::oid, ctid) FROM %s WHERE %s LIMIT 1', relation, condition));
END $$;
COMMENT ON FUNCTION cordon_internal.row_place(regclass, text) IS
    'a condition that only one of the rows fulfils, or NULL when there are none. For cordon.prove';

CREATE OR REPLACE FUNCTION cordon_internal.may_show_values(constraint_oid oid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT s.relowner = t.relowner AND NOT EXISTS (
        SELECT FROM pg_attribute a
        WHERE a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey) AND cordon_internal.contains_sealed(a.atttypid))
    FROM pg_constraint k JOIN pg_class s ON s.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
    WHERE k.oid = constraint_oid
    $$;
COMMENT ON FUNCTION cordon_internal.may_show_values(oid) IS
    'whether rows that a foreign key refers to may be named in rows that refer to them: what the owner of those has planted sees '
    'it, so both tables must be his, and nothing of it sealed. For cordon.prove';

CREATE OR REPLACE FUNCTION cordon_internal.sample_references(relation regclass, tenant_column name, tenant text) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    key record;
    given jsonb := '{}';
BEGIN
    FOR key IN
        SELECT k.confrelid::regclass AS target, q.tenant_column AS target_tenant,
               (SELECT string_agg(format('%L, format(''%%s'', %I)', f.attname, r.attname), ', ')
                FROM generate_subscripts(k.conkey, 1) i
                JOIN pg_attribute f ON f.attrelid = k.conrelid AND f.attnum = k.conkey[i]
                JOIN pg_attribute r ON r.attrelid = k.confrelid AND r.attnum = k.confkey[i]
                WHERE f.attname <> sample_references.tenant_column) AS pairs
        FROM pg_constraint k LEFT JOIN cordon_internal.registered() q ON q.relation = k.confrelid
        WHERE k.contype = 'f' AND k.conrelid = sample_references.relation AND cordon_internal.may_show_values(k.oid)
    LOOP
        CONTINUE WHEN key.pairs IS NULL;
        given := given || coalesce(cordon_internal.as_owner(key.target,
            format('SELECT jsonb_build_object(%s) FROM %s%s LIMIT 1', key.pairs, key.target,
                   CASE WHEN key.target_tenant IS NULL THEN ''
                        ELSE format(' WHERE format(''%%s'', %I) = %L', key.target_tenant, tenant) END))::jsonb, '{}');
    END LOOP;
    RETURN given;
END $$;
COMMENT ON FUNCTION cordon_internal.sample_references(regclass, name, text) IS
    'values for the foreign keys of a row that cordon.prove makes up: those of rows that are there';

CREATE OR REPLACE FUNCTION cordon_internal.row_place_or_new(
        app oid, relation regclass, condition text, tenant_column name, tenant text)
    RETURNS text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    place text := cordon_internal.row_place(relation, condition);
    others text;
BEGIN
    PERFORM cordon.set_tenant(tenant);
    FOREACH others IN ARRAY ARRAY['required', 'all'] LOOP
        EXIT WHEN place IS NOT NULL;
        BEGIN
            PERFORM cordon_internal.act_as(app, cordon.sample_insert(relation,
                cordon_internal.sample_references(relation, tenant_column, tenant) || jsonb_build_object(tenant_column, tenant),
                others), true);
            place := cordon_internal.row_place(relation, condition);
        EXCEPTION WHEN OTHERS OR assert_failure THEN
            place := NULL;
        END;
    END LOOP;
    RETURN place;
END $$;
COMMENT ON FUNCTION cordon_internal.row_place_or_new(oid, regclass, text, name, text) IS
    'as cordon_internal.row_place, of a row that the role makes as that tenant when there is none. For cordon.prove';

CREATE OR REPLACE FUNCTION cordon_internal.row_values(relation regclass, place text, columns name[]) RETURNS text[]
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT cordon_internal.as_owner(relation, format('SELECT ARRAY[%s] FROM %s WHERE %s',
        (SELECT string_agg(format('CASE WHEN %I IS NOT NULL THEN format(''%%s'', %1$I) END', c), ', ' ORDER BY i)
         FROM unnest(columns) WITH ORDINALITY u (c, i)),
        relation, place))::text[]
    $$;
COMMENT ON FUNCTION cordon_internal.row_values(regclass, text, name[]) IS 'what a row holds in the columns. For cordon.prove';

CREATE OR REPLACE FUNCTION cordon.worst(outcomes text[], details text[], OUT outcome text, OUT detail text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE
            WHEN 'BREACH' = ANY (outcomes) THEN 'BREACH'
            WHEN outcomes = '{}' OR 'not tested' = ANY (outcomes) THEN 'not tested'
            ELSE 'held'
        END,
        CASE
            WHEN outcomes = '{}' THEN 'the privileges of the role leave no way that could be tried'
            WHEN 'BREACH' = ANY (outcomes) THEN details[array_position(outcomes, 'BREACH')]
            WHEN 'not tested' = ANY (outcomes) THEN
                CASE WHEN 'held' = ANY (outcomes) THEN 'one way held, another was ' ELSE '' END
                || details[array_position(outcomes, 'not tested')]
            ELSE details[1]
        END
    $$;
COMMENT ON FUNCTION cordon.worst(text[], text[]) IS 'one verdict of those on the ways of an attack. For cordon.prove';

CREATE OR REPLACE FUNCTION cordon_internal.attack_table(relation regclass, tenant_column name, app name, tenant_a text, tenant_b text)
    RETURNS TABLE (attack text, outcome text, detail text)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    most CONSTANT integer := 10000; -- rows that an attack without WHERE may write
    role CONSTANT oid := (SELECT oid FROM pg_roles WHERE rolname = app);
    half_tried CONSTANT text := 'held with WHERE; not tried without, for the table is large, and its policies are not '
                                'those of cordon.protect';
    is_half_tried boolean;
    class record;
    col record;
    key record;
    try record;
    tried text[]; -- outcomes of the ways of one attack
    details text[];
    mine text;
    theirs text;
    my_place text;
    their_place text;
    other_place text;
    untouched text;
    writable name;
    has_rows boolean;
    is_small boolean;
    reads_all boolean;
    reads_tenant boolean;
    writes_tenant boolean;
    statement text;
    statements text[];
    readable name;
    others text;
    held_values text[];
BEGIN
    SELECT c.relkind, c.relowner, c.relnamespace INTO class FROM pg_class c WHERE c.oid = relation;
    SELECT CASE cordon.tenant_function(a.atttypid) WHEN 'tenant_int4' THEN 'integer' WHEN 'tenant_int8' THEN 'bigint'
               WHEN 'tenant_uuid' THEN 'uuid' WHEN 'tenant_text' THEN 'text' END AS type
    INTO col FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = tenant_column AND NOT a.attisdropped;

    attack := 'switch row security off';
    IF pg_has_role(app, class.relowner, 'MEMBER') THEN
        outcome := 'BREACH';
        detail := 'the role owns the table, or can become its owner, and may alter it';
    ELSE
        outcome := 'held';
        detail := 'the role is not its owner';
    END IF;
    RETURN NEXT;
    -- A trigger sees what other tenants write; a reference tells which keys there are, and keeps them from going.
    attack := 'use privileges that row security does not limit';
    SELECT string_agg(privilege, ', ' ORDER BY privilege) INTO statement
    FROM unnest(ARRAY['REFERENCES', 'TRIGGER', 'TRUNCATE']) privilege
    WHERE has_table_privilege(app, relation, privilege)
        OR (privilege = 'REFERENCES' AND has_any_column_privilege(app, relation, privilege));
    IF statement IS NULL THEN
        outcome := 'held';
        detail := 'the role has none of REFERENCES, TRIGGER, TRUNCATE';
    ELSE
        outcome := 'BREACH';
        detail := format('the role has %s', statement);
    END IF;
    RETURN NEXT;
    IF EXISTS (SELECT FROM pg_rewrite WHERE ev_class = relation) THEN
        attack := 'write through a rule';
        outcome := 'not tested';
        detail := 'the table has rules, which act as its owner';
        RETURN NEXT;
    END IF;

    attack := 'every other';
    IF NOT has_schema_privilege(app, class.relnamespace, 'USAGE') THEN
        outcome := 'held';
        detail := 'the role may not use the schema';
        RETURN NEXT;
        RETURN;
    END IF;
    IF col.type IS NULL THEN
        -- A parent that lacks the column shows the rows of its protected children.
        attack := 'read';
        IF NOT has_any_column_privilege(app, relation, 'SELECT') THEN
            outcome := 'held';
            detail := 'the role has no privilege for it';
        ELSE
            outcome := 'BREACH';
            detail := format('no column %I that row security could go by, and rows of protected children are read here',
                             tenant_column);
        END IF;
        RETURN NEXT;
        RETURN;
    END IF;
    outcome := NULL;
    BEGIN
        EXECUTE format('SELECT %L::%s, %L::%2$s', tenant_a, col.type, tenant_b);
    EXCEPTION WHEN data_exception THEN
        outcome := 'not tested';
        detail := format('the tenants given are not of type %s', col.type);
    END;
    IF outcome = 'not tested' THEN
        RETURN NEXT;
        RETURN;
    END IF;

    mine := format('%I = %L::%s', tenant_column, tenant_a, col.type);
    theirs := format('%I = %L::%s', tenant_column, tenant_b, col.type);
    reads_all := has_table_privilege(app, relation, 'SELECT');
    reads_tenant := has_column_privilege(app, relation, tenant_column, 'SELECT');
    writes_tenant := has_column_privilege(app, relation, tenant_column, 'UPDATE');
    IF class.relkind = 'f' THEN
        their_place := NULL;
    ELSE
        their_place := cordon_internal.row_place_or_new(role, relation, theirs, tenant_column, tenant_b);
        my_place := cordon_internal.row_place_or_new(role, relation, mine, tenant_column, tenant_a);
    END IF;
    has_rows := cordon_internal.row_place(relation, 'true') IS NOT NULL;
    is_small := class.relkind <> 'f' AND cordon_internal.as_owner(relation,
        format('SELECT count(*) <= %s FROM (SELECT FROM %s LIMIT %1$s + 1) r', most, relation))::boolean;
    untouched := format('NOT EXISTS (SELECT FROM %s WHERE %s AND %s)', relation, their_place, theirs);
    SELECT a.attname INTO writable FROM pg_attribute a
    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a'
        AND has_column_privilege(app, relation, a.attname, 'UPDATE')
        AND has_column_privilege(app, relation, a.attname, 'SELECT')
    ORDER BY a.attname = tenant_column, a.attnum LIMIT 1;

    attack := 'read';
    PERFORM cordon.set_tenant(tenant_a);
    IF NOT has_any_column_privilege(app, relation, 'SELECT') THEN
        outcome := 'held';
        detail := 'the role has no privilege for it';
    ELSIF reads_tenant THEN
        try := cordon_internal.attempt(role,
            format('SELECT count(*) FROM (SELECT FROM %s WHERE %I IS DISTINCT FROM %L::%s LIMIT %s) r', relation,
                   tenant_column, tenant_a, col.type, most), relation);
        outcome := try.outcome;
        detail := coalesce(try.detail, format('rows of other tenants read: %s%s', try.reached,
                                              CASE WHEN try.reached = most THEN ' or more' ELSE '' END));
        IF outcome = 'held' AND cordon_internal.row_place(relation, format('NOT (%s)', mine)) IS NULL THEN
            outcome := 'not tested';
            detail := 'the table holds no row of another tenant, and none could be made';
        END IF;
    ELSIF their_place IS NULL OR NOT is_small THEN
        outcome := 'not tested';
        detail := 'the role may not read the tenant column, and the table is large or holds no row of the other tenant';
    ELSE
        SELECT a.attname INTO STRICT readable FROM pg_attribute a
        WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
            AND has_column_privilege(app, relation, a.attname, 'SELECT') ORDER BY a.attnum LIMIT 1;
        try := cordon_internal.attempt(role, format('SELECT count(*) FROM (SELECT %I FROM %s) r', readable, relation), relation,
            least_rows => cordon_internal.as_owner(relation, format('SELECT count(*) FROM %s WHERE %s', relation, mine))::bigint);
        outcome := try.outcome;
        detail := coalesce(try.detail, CASE try.outcome WHEN 'held' THEN 'rows of other tenants read: 0'
            ELSE format('more rows read than the first tenant has: %s', try.reached) END);
    END IF;
    RETURN NEXT;

    attack := 'no tenant';
    PERFORM cordon.set_tenant(NULL);
    statements := '{}';
    IF has_any_column_privilege(app, relation, 'SELECT') THEN
        SELECT statements || format('SELECT count(*) FROM (SELECT %I FROM %s LIMIT %s) r', a.attname, relation, most)
        INTO statements FROM pg_attribute a
        WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
            AND has_column_privilege(app, relation, a.attname, 'SELECT') ORDER BY a.attnum LIMIT 1;
    END IF;
    IF has_column_privilege(app, relation, tenant_column, 'INSERT') AND class.relkind <> 'f' THEN
        statements := statements || cordon.sample_insert(relation, jsonb_build_object(tenant_column, tenant_b), 'none');
    END IF;
    tried := '{}';
    details := '{}';
    FOREACH statement IN ARRAY statements LOOP
        try := cordon_internal.attempt(role, statement, relation);
        IF try.outcome = 'not tested' AND statement LIKE 'INSERT %' THEN
            try := cordon_internal.attempt(role,
                cordon.sample_insert(relation, jsonb_build_object(tenant_column, tenant_b), 'all'), relation);
        END IF;
        IF try.reached = 0 AND NOT has_rows THEN
            tried := tried || 'not tested'::text;
            details := details || 'the table is empty, and no row could be made'::text;
        ELSE
            tried := tried || try.outcome;
            details := details || coalesce(try.detail, format('rows reached: %s', try.reached));
        END IF;
    END LOOP;
    SELECT w.outcome, w.detail INTO outcome, detail FROM cordon.worst(tried, details) w;
    RETURN NEXT;

    IF class.relkind = 'f' THEN
        attack := 'write';
        outcome := 'not tested';
        detail := 'a foreign table: its rows are written elsewhere';
        RETURN NEXT;
        RETURN;
    END IF;

    attack := 'insert';
    PERFORM cordon.set_tenant(tenant_a);
    IF NOT has_column_privilege(app, relation, tenant_column, 'INSERT') THEN
        outcome := 'held';
        detail := 'the role has no privilege for it';
    ELSE
        -- Row security comes before constraints, but after the choice of a partition.
        FOREACH others IN ARRAY ARRAY['none', 'all'] LOOP
            try := cordon_internal.attempt(role,
                cordon.sample_insert(relation, jsonb_build_object(tenant_column, tenant_b), others), relation);
            outcome := CASE WHEN try.reached = 0 THEN 'not tested' ELSE try.outcome END;
            detail := coalesce(try.detail, format('rows inserted for the other tenant: %s', try.reached));
            EXIT WHEN outcome <> 'not tested';
        END LOOP;
    END IF;
    RETURN NEXT;

    -- Each writing attack in two ways: of one row, which reads, so that policies for SELECT count too; and without
    -- WHERE, where only those for the command itself do. A large table is not written as a whole: only with the policies
    -- of cordon.protect is that way known to be closed too.
    is_half_tried := NOT is_small
        AND EXISTS (SELECT FROM cordon.protection_statements(relation, tenant_column, false));
    attack := 'move a row';
    statements := '{}';
    IF NOT writes_tenant THEN
        outcome := 'held';
        detail := 'the role has no privilege for it';
    ELSIF my_place IS NULL THEN
        outcome := 'not tested';
        detail := 'the table holds no row of the first tenant, and none could be made';
    ELSE
        statement := format('UPDATE %s SET %I = %L::%s', relation, tenant_column, tenant_b, col.type);
        statements := CASE WHEN reads_all THEN ARRAY[format('%s WHERE %s', statement, my_place)] ELSE '{}' END
            || CASE WHEN is_small THEN ARRAY[statement] ELSE '{}' END;
        tried := '{}';
        details := '{}';
        FOREACH statement IN ARRAY statements LOOP
            try := cordon_internal.attempt(role, statement, relation);
            tried := tried || CASE WHEN try.reached = 0 THEN 'not tested' ELSE try.outcome END;
            details := details || coalesce(try.detail, CASE try.reached WHEN 0 THEN 'the role sees no row of its own'
                                                       ELSE format('rows moved: %s', try.reached) END);
        END LOOP;
        SELECT w.outcome, w.detail INTO outcome, detail FROM cordon.worst(tried, details) w;
        IF outcome = 'held' AND is_half_tried THEN
            outcome := 'not tested';
            detail := half_tried;
        END IF;
    END IF;
    RETURN NEXT;

    FOREACH attack IN ARRAY ARRAY['update', 'delete'] LOOP
        IF attack = 'update' AND NOT has_any_column_privilege(app, relation, 'UPDATE')
           OR attack = 'delete' AND NOT has_table_privilege(app, relation, 'DELETE') THEN
            outcome := 'held';
            detail := 'the role has no privilege for it';
        ELSIF their_place IS NULL THEN
            outcome := 'not tested';
            detail := 'the table holds no row of the other tenant, and none could be made';
        ELSE
            statements := '{}';
            IF attack = 'delete' THEN
                IF reads_all THEN
                    statements := statements || format('DELETE FROM %s WHERE %s', relation, their_place);
                END IF;
                IF is_small THEN
                    statements := statements || format('DELETE FROM %s', relation);
                END IF;
            ELSE
                IF reads_all AND writable IS NOT NULL THEN
                    statements := statements
                        || format('UPDATE %s SET %I = %2$I WHERE %s', relation, writable, their_place);
                END IF;
                IF is_small AND writes_tenant THEN
                    statements := statements
                        || format('UPDATE %s SET %I = %L::%s', relation, tenant_column, tenant_a, col.type);
                END IF;
            END IF;
            tried := '{}';
            details := '{}';
            FOREACH statement IN ARRAY statements LOOP
                try := cordon_internal.attempt(role, statement, relation, untouched);
                tried := tried || try.outcome;
                details := details || coalesce(try.detail, CASE try.outcome WHEN 'held'
                    THEN 'the row of the other tenant is out of reach' ELSE 'a row of the other tenant was reached' END);
            END LOOP;
            SELECT w.outcome, w.detail INTO outcome, detail FROM cordon.worst(tried, details) w;
        END IF;
        IF outcome = 'held' AND is_half_tried AND their_place IS NOT NULL THEN
            outcome := 'not tested';
            detail := half_tried;
        END IF;
        RETURN NEXT;
    END LOOP;

    attack := 'upsert';
    tried := '{}';
    details := '{}';
    IF NOT (has_any_column_privilege(app, relation, 'INSERT') AND has_any_column_privilege(app, relation, 'UPDATE')) THEN
        tried := tried || 'held'::text;
        details := details || 'the role has no privilege for it'::text;
    ELSIF NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = relation AND i.indisunique AND i.indimmediate) THEN
        tried := tried || 'held'::text;
        details := details || 'the table has no unique key, and so no upsert'::text;
    ELSIF their_place IS NULL THEN
        tried := tried || 'not tested'::text;
        details := details || 'the table holds no row of the other tenant, and none could be made'::text;
    ELSE
        -- Not by a key of sealed values: those of two tenants are never equal, and what is in them stays there.
        FOR key IN
            SELECT k.names FROM pg_index i
            CROSS JOIN LATERAL (
                SELECT array_agg(a.attname ORDER BY a.attnum) AS names FROM pg_attribute a
                WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])) k
            WHERE i.indrelid = relation AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
                AND i.indexprs IS NULL
                AND NOT EXISTS (
                    SELECT FROM pg_attribute a 
                    WHERE a.attrelid = i.indrelid AND a.attname = ANY (k.names)
                        AND cordon_internal.contains_sealed(a.atttypid))
            ORDER BY tenant_column = ANY (k.names), i.indexrelid
        LOOP
            PERFORM cordon.set_tenant(tenant_b);
            held_values := cordon_internal.row_values(relation, their_place, key.names);
            CONTINUE WHEN array_position(held_values, NULL) IS NOT NULL OR writable IS NULL;
            PERFORM cordon.set_tenant(tenant_a);
            try := cordon_internal.attempt(role,
                cordon.sample_insert(relation, jsonb_build_object(tenant_column, tenant_a)
                                     || jsonb_object(key.names::text[], held_values), 'required')
                || format(' ON CONFLICT (%s) DO UPDATE SET %I = excluded.%2$I',
                          (SELECT string_agg(quote_ident(n), ', ') FROM unnest(key.names) n), writable),
                relation, untouched);
            tried := tried || try.outcome;
            details := details || coalesce(try.detail, CASE try.outcome WHEN 'held'
                THEN 'the row of the other tenant is out of reach' ELSE 'a row of the other tenant was reached' END);
        END LOOP;
        IF tried = '{}' THEN
            tried := tried || 'not tested'::text;
            details := details || 'the table has no unique key that an upsert of the role could use'::text;
        END IF;
    END IF;
    SELECT w.outcome, w.detail INTO outcome, detail FROM cordon.worst(tried, details) w;
    RETURN NEXT;

    -- By its definition, since foreign keys are checked past row security; and shown by a row, where one can be made.
    FOR key IN
        SELECT k.oid, k.conname, k.confrelid, ta.attname AS target_tenant, ta.atttypid,
               ARRAY(SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY u (n, i)
                     JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY i) AS source_columns,
               ARRAY(SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY u (n, i)
                     JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY i) AS target_columns,
               EXISTS (SELECT FROM generate_subscripts(k.conkey, 1) i
                       WHERE k.conkey[i] = sa.attnum AND k.confkey[i] = ta.attnum) AS has_tenant
        FROM pg_constraint k
        LEFT JOIN cordon_internal.registered() q ON q.relation = k.confrelid
        JOIN pg_attribute sa ON sa.attrelid = k.conrelid AND sa.attname = attack_table.tenant_column AND NOT sa.attisdropped
        JOIN pg_attribute ta ON ta.attrelid = k.confrelid AND ta.attname = coalesce(q.tenant_column, sa.attname)
            AND ta.attnum > 0 AND NOT ta.attisdropped
        WHERE k.contype = 'f' AND k.conrelid = attack_table.relation AND k.conparentid = 0
        ORDER BY k.conname COLLATE "C"
    LOOP
        attack := format('foreign key %I', key.conname);
        IF key.has_tenant THEN
            outcome := 'held';
            detail := 'the tenant is part of the key';
            RETURN NEXT;
            CONTINUE;
        END IF;
        outcome := 'BREACH';
        detail := 'the key leaves the tenant out, so a row can refer to one of another tenant';
        other_place := CASE WHEN cordon_internal.may_show_values(key.oid) THEN
            cordon_internal.row_place(key.confrelid, format('format(''%%s'', %I) = %L', key.target_tenant, tenant_b)) END;
        IF other_place IS NOT NULL THEN
            PERFORM cordon.set_tenant(tenant_b);
            held_values := cordon_internal.row_values(key.confrelid, other_place, key.target_columns);
            PERFORM cordon.set_tenant(tenant_a);
            try := cordon_internal.attempt(role,
                cordon.sample_insert(relation, jsonb_object(key.source_columns::text[], held_values)
                                     || jsonb_build_object(tenant_column, tenant_a), 'required'), relation,
                fires_after => true);
            IF try.outcome = 'BREACH' AND try.detail IS NULL THEN
                detail := detail || ', as one did';
            END IF;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION cordon_internal.attack_table(regclass, name, name, text, text) IS
    'the attacks on one table. Changes it: cordon.prove takes that back';
