-- Tokens and the keyed hashes of them that a table holds: docs/TOKENS.md, section 7 of the design.

CREATE TYPE token_hash;

-- A hash is no secret, so its text form is the same in every session: what it is never changes.
CREATE FUNCTION cordon.token_hash_in(cstring) RETURNS token_hash
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'token_hash_in';
CREATE FUNCTION cordon.token_hash_out(token_hash) RETURNS cstring
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'token_hash_out';
CREATE FUNCTION cordon.token_hash_recv(internal) RETURNS token_hash
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'token_hash_recv';
CREATE FUNCTION cordon.token_hash_send(token_hash) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'token_hash_send';

-- There is no cast from text: a token that is taken for a hash is an error, not a conversion.
CREATE TYPE token_hash (
    INPUT = cordon.token_hash_in, OUTPUT = cordon.token_hash_out,
    RECEIVE = cordon.token_hash_recv, SEND = cordon.token_hash_send,
    INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = external);
COMMENT ON TYPE token_hash IS 'keyed hash of a token, made by cordon.hash_token';

CREATE FUNCTION cordon.key_id(token_hash) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'token_hash_key_id';
COMMENT ON FUNCTION cordon.key_id(token_hash) IS 'id of the key that the token was hashed with';

-- Comparison, by the bytes.
SELECT cordon.declare_comparison('token_hash', 'token_hash', 'token_hash', '@extschema@', true);
DROP FUNCTION cordon.declare_comparison;

-- Hashing and checking. STABLE, because the keys may change. Not STRICT: a NULL that comes back from a check, or a hash
-- that is NULL, is too easily taken for something else.

CREATE FUNCTION cordon.hash_token(token text, purpose text DEFAULT '') RETURNS token_hash
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'hash_token';
COMMENT ON FUNCTION cordon.hash_token(text, text) IS
    'hash of a token for a purpose, under the primary token key; hashes for different purposes do not match';

CREATE FUNCTION cordon.token_hashes(token text, purpose text DEFAULT '') RETURNS token_hash[]
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'token_hashes';
COMMENT ON FUNCTION cordon.token_hashes(text, text) IS
    'every hash under which a token may be stored, for WHERE h = ANY(cordon.token_hashes($1)): one for each token key '
    'that is not disabled, and as many for tokens taken over by cordon.token_hash_from_sha256';

CREATE FUNCTION cordon.token_matches(token text, hash token_hash, purpose text DEFAULT '') RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'token_matches';
COMMENT ON FUNCTION cordon.token_matches(text, token_hash, text) IS
    'whether a hash is that of a token for a purpose, in constant time; false for no hash and for one under a disabled key';

CREATE FUNCTION cordon.token_hash_from_sha256(sha256 text, purpose text DEFAULT '') RETURNS token_hash
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'token_hash_from_sha256_hex';
COMMENT ON FUNCTION cordon.token_hash_from_sha256(text, text) IS
    'hash of a token of which only the SHA-256 is known, in hexadecimal; the token itself then matches';
CREATE FUNCTION cordon.token_hash_from_sha256(sha256 bytea, purpose text DEFAULT '') RETURNS token_hash
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'token_hash_from_sha256_bytes';
COMMENT ON FUNCTION cordon.token_hash_from_sha256(bytea, text) IS
    'hash of a token of which only the SHA-256 is known, in 32 bytes; the token itself then matches';

CREATE FUNCTION cordon.generate_token(prefix text DEFAULT '') RETURNS text
    LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'generate_token';
COMMENT ON FUNCTION cordon.generate_token(text) IS
    'a new random token of 178 bits: prefix, underscore, 30 random digits to the base of 62, 6 check digits';

CREATE FUNCTION cordon.token_checksum_ok(token text) RETURNS boolean
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'token_checksum_ok';
COMMENT ON FUNCTION cordon.token_checksum_ok(text) IS
    'whether cordon.generate_token could have made the token: tells a typing error from an unknown token, and no more';

-- For the token store.

CREATE FUNCTION cordon.token_successor(token text, purpose text, key_id bigint) RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'token_successor';
COMMENT ON FUNCTION cordon.token_successor(text, text, bigint) IS
    'the token that takes the place of a generated one: the same each time, under the key with that id or the primary one';
CREATE FUNCTION cordon.token_scope() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'token_scope';
COMMENT ON FUNCTION cordon.token_scope() IS 'the current tenant, or an empty string when none is set';

REVOKE ALL ON FUNCTION cordon.token_successor(text, text, bigint), cordon.token_scope() FROM PUBLIC;
