-- The encrypted types. The text form of a value is its plaintext, or what is stored where dumps and replication read:
-- section 4 of the design. No conversion is IMMUTABLE, because the text form depends on the session.

-- One template for each type, @type@.
DO $types$
DECLARE
    template CONSTANT text := $template$
CREATE TYPE @type@;

CREATE FUNCTION cordon.@type@_in(cstring) RETURNS @type@
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@type@_in';
CREATE FUNCTION cordon.@type@_out(@type@) RETURNS cstring
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@type@_out';
CREATE FUNCTION cordon.@type@_recv(internal) RETURNS @type@
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@type@_recv';
CREATE FUNCTION cordon.@type@_send(@type@) RETURNS bytea
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@type@_send';

-- External storage: ciphertext does not compress.
CREATE TYPE @type@ (
    INPUT = cordon.@type@_in, OUTPUT = cordon.@type@_out,
    RECEIVE = cordon.@type@_recv, SEND = cordon.@type@_send, @analyze@
    INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = external);

CREATE FUNCTION cordon.@type@(text) RETURNS @type@
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@type@_from_text';
COMMENT ON FUNCTION cordon.@type@(text) IS 'the cast from text';
CREATE FUNCTION cordon.to_text(@type@) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@type@_to_text';
COMMENT ON FUNCTION cordon.to_text(@type@) IS 'the cast to text';

-- To text only when asked. The casts to varchar and char are here because PostgreSQL would otherwise supply assignment
-- casts through the output function; for other types of the string category the library refuses those.
CREATE CAST (text AS @type@) WITH FUNCTION cordon.@type@(text) AS ASSIGNMENT;
CREATE CAST (varchar AS @type@) WITH FUNCTION cordon.@type@(text) AS ASSIGNMENT;
CREATE CAST (@type@ AS text) WITH FUNCTION cordon.to_text(@type@);
CREATE CAST (@type@ AS varchar) WITH FUNCTION cordon.to_text(@type@);
CREATE CAST (@type@ AS bpchar) WITH FUNCTION cordon.to_text(@type@);

CREATE FUNCTION cordon_internal.refuse_concatenation(@type@, text) RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cordon_refuse_concatenation';
CREATE FUNCTION cordon_internal.refuse_concatenation(text, @type@) RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cordon_refuse_concatenation';

CREATE FUNCTION cordon.key_id(@type@) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_value_key_id';
COMMENT ON FUNCTION cordon.key_id(@type@) IS 'id of the key that the value is sealed under; needs no key and no tenant';

-- PostgreSQL would open a value for || with text by itself.
CREATE OPERATOR @schema@.|| (LEFTARG = @type@, RIGHTARG = text, FUNCTION = cordon_internal.refuse_concatenation);
CREATE OPERATOR @schema@.|| (LEFTARG = text, RIGHTARG = @type@, FUNCTION = cordon_internal.refuse_concatenation);
$template$;
    type text;
BEGIN
    CREATE FUNCTION cordon.analyze_sealed(internal) RETURNS boolean
        LANGUAGE c VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_value_typanalyze';
    COMMENT ON FUNCTION cordon.analyze_sealed(internal) IS
        'has ANALYZE keep values of a type with equality as cordon.sealed_statistic';
    FOREACH type IN ARRAY ARRAY[
        'encrypted_text', 'shared_encrypted_text', 'encrypted_text_eq', 'shared_encrypted_text_eq']
    LOOP
        EXECUTE replace(replace(replace(template, '@schema@', '@extschema@'), '@type@', type),
                        '@analyze@', CASE WHEN type LIKE '%\_eq' THEN 'ANALYZE = cordon.analyze_sealed,' ELSE '' END);
    END LOOP;
END $types$;

COMMENT ON TYPE encrypted_text IS 'text sealed for one tenant';
COMMENT ON TYPE shared_encrypted_text IS 'text sealed for the database';
COMMENT ON TYPE encrypted_text_eq IS 'text sealed for one tenant, which can be compared for equality';
COMMENT ON TYPE shared_encrypted_text_eq IS 'text sealed for the database, which can be compared for equality';

-- Values in the statistics of columns with equality: the same bytes, shown in the stored form by everybody to everybody.

CREATE TYPE cordon.sealed_statistic;
CREATE FUNCTION cordon.sealed_statistic_in(cstring) RETURNS cordon.sealed_statistic
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'sealed_statistic_in';
CREATE FUNCTION cordon.sealed_statistic_out(cordon.sealed_statistic) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'sealed_statistic_out';
CREATE FUNCTION cordon.sealed_statistic_send(cordon.sealed_statistic) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'sealed_statistic_send';
CREATE TYPE cordon.sealed_statistic (
    INPUT = cordon.sealed_statistic_in, OUTPUT = cordon.sealed_statistic_out, SEND = cordon.sealed_statistic_send,
    INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = external);
COMMENT ON TYPE cordon.sealed_statistic IS
    'a value of a type with equality in the statistics of a column; shown as it is stored, not for columns of tables';

-- Comparison, by the search tags.

DO $comparison$
DECLARE
    with_text CONSTANT text := $template$
CREATE FUNCTION cordon.search_key_id(@type@) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_value_search_key_id';
COMMENT ON FUNCTION cordon.search_key_id(@type@) IS
    'id of the search key that the value is compared by; needs no key and no tenant';

-- For = ANY ($1) with an array of text: see the library's literals.rs.
CREATE FUNCTION cordon.@name@(text[]) RETURNS @type@[]
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@name@_from_text_array';
COMMENT ON FUNCTION cordon.@name@(text[]) IS 'the cast from an array of text';
CREATE CAST (text[] AS @type@[]) WITH FUNCTION cordon.@name@(text[]) AS ASSIGNMENT;

-- With text on either side, as a parameter that a driver types: the planner puts in the body, sees the operator above,
-- and uses the index. The bodies are parsed here, so that no search path changes what they mean.
CREATE FUNCTION cordon.@name@_eq_text(@type@, text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE RETURN $1 OPERATOR(@schema@.=) cordon.@name@($2);
CREATE FUNCTION cordon.@name@_ne_text(@type@, text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE RETURN $1 OPERATOR(@schema@.<>) cordon.@name@($2);
CREATE FUNCTION cordon.text_eq_@name@(text, @type@) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE RETURN cordon.@name@($1) OPERATOR(@schema@.=) $2;
CREATE FUNCTION cordon.text_ne_@name@(text, @type@) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE RETURN cordon.@name@($1) OPERATOR(@schema@.<>) $2;
CREATE OPERATOR @schema@.= (
    LEFTARG = @type@, RIGHTARG = text, FUNCTION = cordon.@name@_eq_text, COMMUTATOR = OPERATOR(@schema@.=),
    NEGATOR = OPERATOR(@schema@.<>), RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE OPERATOR @schema@.<> (
    LEFTARG = @type@, RIGHTARG = text, FUNCTION = cordon.@name@_ne_text, COMMUTATOR = OPERATOR(@schema@.<>),
    NEGATOR = OPERATOR(@schema@.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR @schema@.= (
    LEFTARG = text, RIGHTARG = @type@, FUNCTION = cordon.text_eq_@name@, COMMUTATOR = OPERATOR(@schema@.=),
    NEGATOR = OPERATOR(@schema@.<>), RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE OPERATOR @schema@.<> (
    LEFTARG = text, RIGHTARG = @type@, FUNCTION = cordon.text_ne_@name@, COMMUTATOR = OPERATOR(@schema@.<>),
    NEGATOR = OPERATOR(@schema@.=), RESTRICT = neqsel, JOIN = neqjoinsel);

-- For rows, (email, id) = ($1, $2), PostgreSQL wants equality to be in some btree family. Not in that of the indexes: it
-- has no way to compare with text that is not inlined.
CREATE OPERATOR FAMILY @schema@.@name@_text_ops USING btree;
ALTER OPERATOR FAMILY @schema@.@name@_text_ops USING btree ADD
    OPERATOR 3 @schema@.= (@type@, text), OPERATOR 3 @schema@.= (text, @type@);
$template$;
    -- The types with equality, and their siblings without.
    casts CONSTANT text := $template$
CREATE FUNCTION cordon.@name@(@plain@) RETURNS @type@
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@plain@_to_eq';
COMMENT ON FUNCTION cordon.@name@(@plain@) IS 'the cast that adds equality: opens and seals anew';
CREATE FUNCTION cordon.@plain@(@type@) RETURNS @plain@
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@name@_to_plain';
COMMENT ON FUNCTION cordon.@plain@(@type@) IS 'the cast that drops equality: opens and seals anew';
CREATE CAST (@plain@ AS @type@) WITH FUNCTION cordon.@name@(@plain@) AS ASSIGNMENT;
CREATE CAST (@type@ AS @plain@) WITH FUNCTION cordon.@plain@(@type@) AS ASSIGNMENT;
$template$;
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['encrypted_text_eq', 'shared_encrypted_text_eq'] LOOP
        PERFORM cordon.declare_comparison(name, name, 'encrypted_value', '@extschema@', false);
        EXECUTE replace(replace(replace(replace(with_text || casts, '@schema@', '@extschema@'),
            '@plain@', regexp_replace(name, '_eq$', '')), '@type@', name), '@name@', name);
    END LOOP;
    PERFORM cordon.declare_comparison('cordon.sealed_statistic', 'sealed_statistic', 'encrypted_value', 'cordon', false);
END $comparison$;

-- Explicit sealing, whatever the session's tenant and text form: for migrations, by roles that are granted it.

-- Those with a tenant are not STRICT: NULL for a tenant is an error, or ALTER TABLE ... USING would lose plaintext.
CREATE FUNCTION cordon.encrypt(plaintext text, tenant text) RETURNS encrypted_text
    LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_text_encrypt';
COMMENT ON FUNCTION cordon.encrypt(text, text) IS 'seals a text for the given tenant';
CREATE FUNCTION cordon.encrypt_eq(plaintext text, tenant text) RETURNS encrypted_text_eq
    LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_text_eq_encrypt';
COMMENT ON FUNCTION cordon.encrypt_eq(text, text) IS 'seals a text for the given tenant, with equality';
CREATE FUNCTION cordon.decrypt(sealed encrypted_text, tenant text) RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_text_decrypt';
COMMENT ON FUNCTION cordon.decrypt(encrypted_text, text) IS 'opens a value that is sealed for the given tenant';
CREATE FUNCTION cordon.decrypt(sealed encrypted_text_eq, tenant text) RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_text_eq_decrypt';
COMMENT ON FUNCTION cordon.decrypt(encrypted_text_eq, text) IS 'opens a value that is sealed for the given tenant';
CREATE FUNCTION cordon.encrypt(plaintext text) RETURNS shared_encrypted_text
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'shared_encrypted_text_encrypt';
COMMENT ON FUNCTION cordon.encrypt(text) IS 'seals a text for the database';
CREATE FUNCTION cordon.encrypt_eq(plaintext text) RETURNS shared_encrypted_text_eq
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'shared_encrypted_text_eq_encrypt';
COMMENT ON FUNCTION cordon.encrypt_eq(text) IS 'seals a text for the database, with equality';
CREATE FUNCTION cordon.decrypt(sealed shared_encrypted_text) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'shared_encrypted_text_decrypt';
COMMENT ON FUNCTION cordon.decrypt(shared_encrypted_text) IS 'opens a value that is sealed for the database';
CREATE FUNCTION cordon.decrypt(sealed shared_encrypted_text_eq) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'shared_encrypted_text_eq_decrypt';
COMMENT ON FUNCTION cordon.decrypt(shared_encrypted_text_eq) IS 'opens a value that is sealed for the database';

REVOKE ALL ON FUNCTION
    cordon.encrypt(text, text), cordon.encrypt_eq(text, text), cordon.encrypt(text), cordon.encrypt_eq(text),
    cordon.decrypt(encrypted_text, text), cordon.decrypt(encrypted_text_eq, text),
    cordon.decrypt(shared_encrypted_text), cordon.decrypt(shared_encrypted_text_eq)
    FROM PUBLIC;
