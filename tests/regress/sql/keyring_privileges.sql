-- The keyring's verbs are for superusers, even when they are granted; nobody sees key material.
\connect - app
SELECT cordon.create_keyring();
SELECT cordon.rotate_key('encryption');
SELECT * FROM cordon.keyring;
SHOW cordon.keyring_file;
SHOW cordon.keyring_command;
\connect - postgres
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cordon TO app;
GRANT SELECT ON cordon.keyring TO app;
\connect - app
SELECT cordon.create_keyring();
SELECT cordon.rotate_key('encryption');
SELECT cordon.disable_key(1);
SELECT cordon.enable_key(1);
\connect - postgres
SELECT column_name FROM information_schema.columns WHERE table_name = 'keyring' ORDER BY ordinal_position;
SELECT cordon.rotate_key('fernet');
SELECT cordon.rotate_key('nonsense');
SELECT cordon.disable_key(0);
SELECT cordon.disable_key(-1);
SELECT cordon.disable_key(4294967296);
