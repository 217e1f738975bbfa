-- The keyring. Its verbs are for superusers: the functions check that themselves, and nobody else may call them.

CREATE OR REPLACE FUNCTION cordon.create_keyring() RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'create_keyring_wrapper';
COMMENT ON FUNCTION cordon.create_keyring() IS
    'writes a new keyring to the file that cordon.keyring_file names, and returns its path; never overwrites one';

CREATE OR REPLACE FUNCTION cordon.rotate_key(purpose text) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'rotate_key_wrapper';
COMMENT ON FUNCTION cordon.rotate_key(text) IS
    'makes a new primary key for a purpose (encryption, search, token) and returns its id; the former one stays enabled';

-- For cordon.disable_key, which looks first whether values need the key.
CREATE OR REPLACE FUNCTION cordon.set_key_disabled(id bigint) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'disable_key_wrapper';
COMMENT ON FUNCTION cordon.set_key_disabled(bigint) IS 'does what cordon.disable_key does, without looking';

CREATE OR REPLACE FUNCTION cordon.enable_key(id bigint) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'enable_key_wrapper';
COMMENT ON FUNCTION cordon.enable_key(bigint) IS 'takes a disabled key into use again, to open old values';

CREATE OR REPLACE FUNCTION cordon.keyring_keys(
        OUT id bigint, OUT purpose text, OUT status text, OUT created_at text, OUT fingerprint text)
    RETURNS SETOF record
    LANGUAGE c STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'keyring_keys_wrapper';
COMMENT ON FUNCTION cordon.keyring_keys() IS 'the keys of the keyring without their material: see the view cordon.keyring';

CREATE OR REPLACE VIEW cordon.keyring AS
    SELECT id, purpose, status, created_at::timestamptz AS created_at,
           pg_catalog.now() OPERATOR(pg_catalog.-) created_at::timestamptz AS age, fingerprint
    FROM cordon.keyring_keys();
COMMENT ON VIEW cordon.keyring IS 'the keys of the keyring, without their material';
COMMENT ON COLUMN cordon.keyring.id IS 'id of the key, which every value sealed under it carries';
COMMENT ON COLUMN cordon.keyring.purpose IS 'encryption, search, token, fernet or pgcrypto';
COMMENT ON COLUMN cordon.keyring.status IS 'primary: makes new values; enabled: reads old ones; disabled: not used';
COMMENT ON COLUMN cordon.keyring.created_at IS 'when the key was made';
COMMENT ON COLUMN cordon.keyring.age IS 'how long ago that was';
COMMENT ON COLUMN cordon.keyring.fingerprint IS 'equal on two servers that hold the same key';

REVOKE ALL ON FUNCTION
    cordon.create_keyring(), cordon.rotate_key(text), cordon.set_key_disabled(bigint), cordon.enable_key(bigint),
    cordon.keyring_keys()
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION cordon.keyring_keys() TO pg_monitor;
GRANT SELECT ON cordon.keyring TO pg_monitor;
