-- From 0.2.0 to 0.3.0.
\echo Use "ALTER EXTENSION pg_cordon UPDATE TO '0.3.0'" to load this file. \quit

CREATE SCHEMA cordon_internal;

-- What read and wrote as anybody who called it, by names.
DROP FUNCTION cordon.count_keys(oid, text, boolean), cordon.failing_values(oid, text, text),
    cordon.reencrypt_batch(oid, text, text, boolean, bigint, bigint), cordon.convert_batch(oid, text, bigint, bigint),
    cordon.count_unconverted(oid, text, boolean), cordon.unconverted_rows(oid, text, text[], boolean),
    cordon.require_source(text), cordon.refuse_firing_triggers(regclass),
    cordon.note_rewriting(regclass, name, text, timestamptz, integer, bigint, bigint, bigint, boolean),
    cordon.attempt(text, regclass, text, boolean), cordon.row_place(regclass, text),
    cordon.row_place_or_new(regclass, text, name, text), cordon.row_values(regclass, text, name[]),
    cordon.attack_table(regclass, name, name, text, text), cordon.attack_view(regclass, name, name, text, text, text, oid[]),
    cordon.attack_role(name), cordon.attack_freeze(name, text, text);
DROP PROCEDURE cordon.rewrite(text, regclass, name, name, boolean, integer, interval), cordon.run_with_lock(regclass, text[]),
    cordon.convert_column(text, regclass, name, text, text, integer, interval, name, name, interval),
    cordon.finish_conversion(regclass, name, boolean, boolean, boolean);
DROP FUNCTION cordon.conversion_obstacles(regclass, name, name), cordon.index_like(regclass, int2, name),
    cordon.index_replacement(regclass, int2, int2);

-- The audit has an argument now, and its topics findings with an address.
DROP FUNCTION cordon.audit(), cordon.audit_tables(), cordon.audit_keys(), cordon.audit_roles(oid), cordon.audit_privileges(),
    cordon.audit_views(), cordon.audit_functions(), cordon.audit_settings(), cordon.audit_secrets(), cordon.audit_token_store(),
    cordon.audit_keyring(), cordon.assert_isolated(name);
ALTER TYPE cordon.finding ADD ATTRIBUTE acknowledged text;
CREATE TYPE cordon_internal.hit AS (
    severity text, code text, object text, detail text, fix_sql text, classid oid, objid oid, objsubid integer);

DO $types$
DECLARE
    type text;
BEGIN
    FOREACH type IN ARRAY ARRAY[
        'encrypted_text', 'shared_encrypted_text', 'encrypted_text_eq', 'shared_encrypted_text_eq']
    LOOP
        EXECUTE replace(replace($template$
DROP FUNCTION cordon.reseal(@type@, text), cordon.check_value(@type@, text);
CREATE FUNCTION cordon_internal.refuse_concatenation(@type@, text) RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cordon_refuse_concatenation';
CREATE FUNCTION cordon_internal.refuse_concatenation(text, @type@) RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cordon_refuse_concatenation';
CREATE OPERATOR @schema@.|| (LEFTARG = @type@, RIGHTARG = text, FUNCTION = cordon_internal.refuse_concatenation);
CREATE OPERATOR @schema@.|| (LEFTARG = text, RIGHTARG = @type@, FUNCTION = cordon_internal.refuse_concatenation);
$template$, '@schema@', '@extschema@'), '@type@', type);
    END LOOP;
END $types$;

ALTER TABLE cordon.protected_table ENABLE ALWAYS TRIGGER check_registration;
ALTER TABLE cordon.rewriting ENABLE ALWAYS TRIGGER check_registration;
SELECT pg_catalog.pg_extension_config_dump('cordon.protected_table',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid '
    'WHERE c.oid = relation AND a.attname = tenant_column)');

-- The keys by which tenants are looked up.
CREATE TABLE cordon.resolvable_key (
    relation regclass, key_column name,
    PRIMARY KEY (relation, key_column)
);
SELECT pg_catalog.pg_extension_config_dump('cordon.resolvable_key',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid '
    'WHERE c.oid = relation AND a.attname = key_column)');
CREATE TRIGGER check_registration BEFORE INSERT OR DELETE ON cordon.resolvable_key
    FOR EACH ROW EXECUTE FUNCTION cordon.check_registration();
ALTER TABLE cordon.resolvable_key ENABLE ALWAYS TRIGGER check_registration;
