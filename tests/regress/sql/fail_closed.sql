-- Whatever is missing or wrong, there is an error: never NULL, an empty string, garbage or plaintext.
CREATE TABLE integration (id int, access_token encrypted_text, note shared_encrypted_text);
GRANT ALL ON integration TO app;
\connect - app

-- Without a tenant nothing is sealed, and nothing is opened.
INSERT INTO integration VALUES (1, 'ghp_secret');
SET app.team_id = '7';
INSERT INTO integration VALUES (1, 'ghp_secret', 'shared secret'), (2, NULL, NULL), (3, '', '');
RESET app.team_id;
SELECT access_token FROM integration WHERE id = 1;
SET app.team_id = '';
SELECT access_token FROM integration WHERE id = 1;
-- A NULL holds nothing that would need a key; an empty text does.
SELECT access_token FROM integration WHERE id = 2;
SELECT access_token FROM integration WHERE id = 3;
-- Shared values need no tenant.
SELECT note FROM integration ORDER BY id;

-- Another tenant's value does not open, whichever way it is read.
SET app.team_id = '8';
SELECT access_token FROM integration WHERE id = 1;
SELECT access_token::text FROM integration WHERE id = 1;
SELECT row_to_json(integration) FROM integration WHERE id = 1;
SELECT integration::text FROM integration WHERE id = 1;
SELECT format('%s', access_token) FROM integration WHERE id = 1;
COPY integration TO STDOUT;
SELECT count(*) FROM integration WHERE access_token::text = 'ghp_secret';
-- What needs no plaintext works.
SELECT count(access_token), count(*) FILTER (WHERE access_token IS NULL) AS missing FROM integration;
SELECT count(DISTINCT cordon.key_id(access_token)) FROM integration;

-- Its own tenant reads it.
SET app.team_id = '7';
SELECT * FROM integration ORDER BY id;
SELECT row_to_json(integration) FROM integration WHERE id = 1;
