-- The encrypted types. The text form of a value is its plaintext, or what is stored where dumps and replication read:
-- section 4 of the design. Nothing here is IMMUTABLE, because the text form depends on the session.

-- encrypted_text

CREATE TYPE encrypted_text;

CREATE FUNCTION cordon.encrypted_text_in(cstring) RETURNS encrypted_text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_text_in';
CREATE FUNCTION cordon.encrypted_text_out(encrypted_text) RETURNS cstring
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_text_out';
CREATE FUNCTION cordon.encrypted_text_recv(internal) RETURNS encrypted_text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_text_recv';
CREATE FUNCTION cordon.encrypted_text_send(encrypted_text) RETURNS bytea
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_text_send';

-- External storage: ciphertext does not compress.
CREATE TYPE encrypted_text (
    INPUT = cordon.encrypted_text_in, OUTPUT = cordon.encrypted_text_out,
    RECEIVE = cordon.encrypted_text_recv, SEND = cordon.encrypted_text_send,
    INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = external);
COMMENT ON TYPE encrypted_text IS 'text sealed for one tenant';

CREATE FUNCTION cordon.encrypted_text(text) RETURNS encrypted_text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_text_from_text';
COMMENT ON FUNCTION cordon.encrypted_text(text) IS 'the cast from text';
CREATE FUNCTION cordon.to_text(encrypted_text) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_text_to_text';
COMMENT ON FUNCTION cordon.to_text(encrypted_text) IS 'the cast to text';

-- To text only when asked. The casts to varchar and char are here because PostgreSQL would otherwise supply assignment
-- casts through the output function; for other types of the string category the library refuses those.
CREATE CAST (text AS encrypted_text) WITH FUNCTION cordon.encrypted_text(text) AS ASSIGNMENT;
CREATE CAST (varchar AS encrypted_text) WITH FUNCTION cordon.encrypted_text(text) AS ASSIGNMENT;
CREATE CAST (encrypted_text AS text) WITH FUNCTION cordon.to_text(encrypted_text);
CREATE CAST (encrypted_text AS varchar) WITH FUNCTION cordon.to_text(encrypted_text);
CREATE CAST (encrypted_text AS bpchar) WITH FUNCTION cordon.to_text(encrypted_text);

CREATE FUNCTION cordon.key_id(encrypted_text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_value_key_id';
COMMENT ON FUNCTION cordon.key_id(encrypted_text) IS 'id of the key that the value is sealed under; needs no key and no tenant';

-- shared_encrypted_text

CREATE TYPE shared_encrypted_text;

CREATE FUNCTION cordon.shared_encrypted_text_in(cstring) RETURNS shared_encrypted_text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'shared_encrypted_text_in';
CREATE FUNCTION cordon.shared_encrypted_text_out(shared_encrypted_text) RETURNS cstring
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'shared_encrypted_text_out';
CREATE FUNCTION cordon.shared_encrypted_text_recv(internal) RETURNS shared_encrypted_text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'shared_encrypted_text_recv';
CREATE FUNCTION cordon.shared_encrypted_text_send(shared_encrypted_text) RETURNS bytea
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'shared_encrypted_text_send';

-- External storage: ciphertext does not compress.
CREATE TYPE shared_encrypted_text (
    INPUT = cordon.shared_encrypted_text_in, OUTPUT = cordon.shared_encrypted_text_out,
    RECEIVE = cordon.shared_encrypted_text_recv, SEND = cordon.shared_encrypted_text_send,
    INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = external);
COMMENT ON TYPE shared_encrypted_text IS 'text sealed for the database';

CREATE FUNCTION cordon.shared_encrypted_text(text) RETURNS shared_encrypted_text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'shared_encrypted_text_from_text';
COMMENT ON FUNCTION cordon.shared_encrypted_text(text) IS 'the cast from text';
CREATE FUNCTION cordon.to_text(shared_encrypted_text) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'shared_encrypted_text_to_text';
COMMENT ON FUNCTION cordon.to_text(shared_encrypted_text) IS 'the cast to text';

-- To text only when asked. The casts to varchar and char are here because PostgreSQL would otherwise supply assignment
-- casts through the output function; for other types of the string category the library refuses those.
CREATE CAST (text AS shared_encrypted_text) WITH FUNCTION cordon.shared_encrypted_text(text) AS ASSIGNMENT;
CREATE CAST (varchar AS shared_encrypted_text) WITH FUNCTION cordon.shared_encrypted_text(text) AS ASSIGNMENT;
CREATE CAST (shared_encrypted_text AS text) WITH FUNCTION cordon.to_text(shared_encrypted_text);
CREATE CAST (shared_encrypted_text AS varchar) WITH FUNCTION cordon.to_text(shared_encrypted_text);
CREATE CAST (shared_encrypted_text AS bpchar) WITH FUNCTION cordon.to_text(shared_encrypted_text);

CREATE FUNCTION cordon.key_id(shared_encrypted_text) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_value_key_id';
COMMENT ON FUNCTION cordon.key_id(shared_encrypted_text) IS 'id of the key that the value is sealed under; needs no key and no tenant';

-- Explicit sealing, whatever the session's tenant and text form: for migrations, by roles that are granted it.

-- Those with a tenant are not STRICT: NULL for a tenant is an error, or ALTER TABLE … USING would lose plaintext.
CREATE FUNCTION cordon.encrypt(plaintext text, tenant text) RETURNS encrypted_text
    LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_text_encrypt';
COMMENT ON FUNCTION cordon.encrypt(text, text) IS 'seals a text for the given tenant';
CREATE FUNCTION cordon.decrypt(sealed encrypted_text, tenant text) RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'encrypted_text_decrypt';
COMMENT ON FUNCTION cordon.decrypt(encrypted_text, text) IS 'opens a value that is sealed for the given tenant';
CREATE FUNCTION cordon.encrypt(plaintext text) RETURNS shared_encrypted_text
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'shared_encrypted_text_encrypt';
COMMENT ON FUNCTION cordon.encrypt(text) IS 'seals a text for the database';
CREATE FUNCTION cordon.decrypt(sealed shared_encrypted_text) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'shared_encrypted_text_decrypt';
COMMENT ON FUNCTION cordon.decrypt(shared_encrypted_text) IS 'opens a value that is sealed for the database';

REVOKE ALL ON FUNCTION
    cordon.encrypt(text, text), cordon.decrypt(encrypted_text, text),
    cordon.encrypt(text), cordon.decrypt(shared_encrypted_text)
    FROM PUBLIC;
