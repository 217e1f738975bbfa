-- cordon.encrypt and decrypt: for roles that are granted them, with the tenant as an argument.
\connect - app
SET app.team_id = '7';
SELECT cordon.encrypt('x', '7');
SELECT cordon.decrypt('x'::encrypted_text, '7');
SELECT cordon.encrypt('x');
SELECT cordon.decrypt('x'::shared_encrypted_text);
\connect - postgres
GRANT EXECUTE ON FUNCTION cordon.encrypt(text, text), cordon.decrypt(encrypted_text, text), cordon.encrypt(text),
    cordon.decrypt(shared_encrypted_text) TO app;
\connect - app
-- They need no tenant in the session, and work in the same way where the text form is the stored one.
SELECT cordon.decrypt(cordon.encrypt('secret', '7'), '7');
SELECT cordon.decrypt(cordon.encrypt('secret'));
SELECT cordon.decrypt(cordon.encrypt('secret', '7'), '8');
SET row_security = off;
SELECT cordon.decrypt(cordon.encrypt('secret', '7'), '7');
SET row_security = on;
-- NULL for the value is NULL; NULL for the tenant is an error, or a plaintext would be lost to a NULL.
SELECT cordon.encrypt(NULL, '7') IS NULL AS null_value, cordon.decrypt(NULL::encrypted_text, '7') IS NULL AS null_sealed;
SELECT cordon.encrypt('secret', NULL);
SELECT cordon.decrypt(cordon.encrypt('secret', '7'), NULL);
SELECT cordon.encrypt('secret', '');
SELECT cordon.encrypt('secret', '007');

-- An existing column, in one statement.
CREATE TABLE integration (team_id bigint, token text);
INSERT INTO integration VALUES (7, 'seven'), (8, 'eight'), (8, NULL), (7, '');
ALTER TABLE integration ALTER COLUMN token TYPE encrypted_text USING cordon.encrypt(token, team_id::text);
SET app.team_id = '8';
SELECT token FROM integration WHERE team_id = 8;
SELECT token FROM integration WHERE team_id = 7;
INSERT INTO integration (team_id) VALUES (NULL);
ALTER TABLE integration ALTER COLUMN token TYPE text USING cordon.decrypt(token, team_id::text);
SELECT * FROM integration ORDER BY team_id, token;
