-- The token store. Tokens, hashes and times are never shown here: they differ from run to run.
\connect - app
-- Issuing tokens is a privilege, and so is everything else.
SELECT cordon.issue_token('refresh', 'user 1', '1 hour');
SELECT cordon.consume_token('refresh', 'x');
SELECT cordon.check_token('refresh', 'x');
SELECT cordon.rotate_token('refresh', 'x');
SELECT cordon.revoke_token('refresh', 'x');
SELECT cordon.revoke_tokens('user 1');
SELECT cordon.cleanup_token_batch(1, '0');
CALL cordon.cleanup_tokens();
SELECT cordon.token_scope();
SELECT cordon.revoke_families('{}');
SELECT cordon.lock_family_of_token('refresh', 'x');
SET app.team_id = '7';
SELECT count(*) FROM cordon.token;
\connect - postgres
GRANT EXECUTE ON FUNCTION cordon.issue_token, cordon.consume_token, cordon.check_token, cordon.rotate_token,
    cordon.revoke_token, cordon.revoke_tokens TO app;
\connect - app
-- With the functions, still not the table.
SET app.team_id = '7';
SELECT count(*) FROM cordon.token;
DELETE FROM cordon.token;
RESET app.team_id;

-- What is refused.
SELECT cordon.issue_token(NULL, 'user 1', '1 hour');
SELECT cordon.issue_token('', 'user 1', '1 hour');
SELECT cordon.issue_token('refresh', NULL, '1 hour');
SELECT cordon.issue_token('refresh', '', '1 hour');
SELECT cordon.issue_token('refresh', 'user 1', '0');
SELECT cordon.issue_token('refresh', 'user 1', '-1 hour');
SELECT cordon.issue_token('refresh', 'user 1', '1 hour', max_age => '0');
SELECT cordon.issue_token('refresh', 'user 1', '1 hour', 'a-b');
SELECT cordon.issue_token('refresh', 'user 1', '1 hour', NULL);
SELECT cordon.consume_token(NULL, 'x');
SELECT cordon.consume_token('', 'x');
SELECT cordon.consume_token('refresh', NULL);
SELECT cordon.consume_token('refresh', '');
SELECT cordon.check_token('refresh', NULL);
SELECT cordon.rotate_token('refresh', NULL);
SELECT cordon.rotate_token('refresh', 'x', NULL);
SELECT cordon.rotate_token('refresh', 'x', '-1 second');
SELECT cordon.revoke_token('', 'x');
SELECT cordon.revoke_tokens('');
SELECT cordon.revoke_tokens('user 1', '');

-- Single use.
SET app.team_id = '7';
SELECT cordon.issue_token('invitation', 'user 1', '1 hour', 'inv') AS t \gset
SELECT :'t' ~ '^inv_[0-9A-Za-z]{36}$' AS form, cordon.token_checksum_ok(:'t') AS checksum;
SELECT cordon.check_token('invitation', :'t'), cordon.check_token('invitation', :'t' || 'x') IS NULL AS unknown;
SELECT cordon.consume_token('invitation', :'t');
SELECT cordon.consume_token('invitation', :'t') IS NULL AS used, cordon.check_token('invitation', :'t') IS NULL AS unchecked;
SELECT cordon.rotate_token('invitation', :'t') IS NULL AS not_rotated, cordon.revoke_token('invitation', :'t') AS revoked;
-- What is undone has not been used.
SELECT cordon.issue_token('invitation', 'user 1', NULL) AS t \gset
BEGIN;
SELECT cordon.consume_token('invitation', :'t');
ROLLBACK;
SELECT cordon.consume_token('invitation', :'t');

-- A purpose is no other purpose.
SELECT cordon.issue_token('reset', 'user 1', '1 hour') AS t \gset
SELECT cordon.consume_token('invitation', :'t') IS NULL AS a, cordon.check_token('invitation', :'t') IS NULL AS b,
    cordon.rotate_token('invitation', :'t') IS NULL AS c, cordon.revoke_token('invitation', :'t') AS d;
SELECT cordon.check_token('reset', :'t');

-- A tenant is no other tenant, and no tenant is one by itself.
SET app.team_id = '8';
SELECT cordon.consume_token('reset', :'t') IS NULL AS a, cordon.check_token('reset', :'t') IS NULL AS b,
    cordon.rotate_token('reset', :'t') IS NULL AS c, cordon.revoke_token('reset', :'t') AS d, cordon.revoke_tokens('user 1') AS e;
RESET app.team_id;
SELECT cordon.consume_token('reset', :'t') IS NULL AS a, cordon.check_token('reset', :'t') IS NULL AS b,
    cordon.rotate_token('reset', :'t') IS NULL AS c, cordon.revoke_token('reset', :'t') AS d, cordon.revoke_tokens('user 1') AS e;
SELECT cordon.issue_token('reset', 'user 1', '1 hour') AS without \gset
SELECT cordon.check_token('reset', :'without');
SET app.team_id = '7';
SELECT cordon.check_token('reset', :'without') IS NULL AS a, cordon.check_token('reset', :'t') AS b;

-- A stale tenant is neither a tenant nor none.
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" SET cordon.tenant_scope = transaction;
\connect - app
SET app.team_id = '7';
SELECT cordon.issue_token('reset', 'user 1', '1 hour');
SELECT cordon.check_token('reset', repeat('x', 40));
SELECT cordon.consume_token('reset', repeat('x', 40));
SELECT cordon.rotate_token('reset', repeat('x', 40));
SELECT cordon.revoke_tokens('user 1');
BEGIN;
SELECT cordon.set_tenant('7');
SELECT cordon.check_token('reset', :'t');
COMMIT;
\connect - postgres
ALTER ROLE app IN DATABASE :"DBNAME" RESET cordon.tenant_scope;
\connect - app
SET app.team_id = '7';

-- Expiry, also in a transaction that is older than that.
BEGIN;
SELECT cordon.issue_token('reset', 'user 1', '20 milliseconds') AS t \gset
SELECT pg_sleep(0.03);
SELECT cordon.check_token('reset', :'t') IS NULL AS a, cordon.consume_token('reset', :'t') IS NULL AS b,
    cordon.rotate_token('reset', :'t') IS NULL AS c, cordon.revoke_token('reset', :'t') AS d;
COMMIT;
-- And in a statement that is.
SELECT cordon.issue_token('reset', 'user 1', '20 milliseconds') AS t \gset
SELECT pg_sleep(0.03), cordon.consume_token('reset', :'t') IS NULL AS expired;

-- Rotation: the successor stands for the same subject and has the same prefix; the token that it replaces is no longer
-- valid, but within the grace period gives the same successor again.
SELECT cordon.issue_token('refresh', 'user 2', '1 hour', 'rt') AS t0 \gset
SELECT cordon.rotate_token('refresh', :'t0') AS t1 \gset
SELECT :'t1' ~ '^rt_[0-9A-Za-z]{36}$' AS form, :'t1' <> :'t0' AS differs, cordon.token_checksum_ok(:'t1') AS checksum;
SELECT cordon.check_token('refresh', :'t0') IS NULL AS a, cordon.consume_token('refresh', :'t0') IS NULL AS b,
    cordon.check_token('refresh', :'t1');
SELECT cordon.rotate_token('refresh', :'t0') = :'t1' AS same;
-- Somebody has gone on from the successor, so whoever has the first token now is somebody else. The family ends.
SELECT cordon.rotate_token('refresh', :'t1') AS t2 \gset
SELECT cordon.check_token('refresh', :'t2');
SELECT cordon.rotate_token('refresh', :'t0') IS NULL AS reuse;
SELECT cordon.check_token('refresh', :'t2') IS NULL AS a, cordon.rotate_token('refresh', :'t2') IS NULL AS b,
    cordon.rotate_token('refresh', :'t1') IS NULL AS c;
-- After the grace period.
SELECT cordon.issue_token('refresh', 'user 2', '1 hour') AS t0 \gset
SELECT cordon.rotate_token('refresh', :'t0') AS t1 \gset
SELECT pg_sleep(0.03);
SELECT cordon.rotate_token('refresh', :'t0', '20 milliseconds') IS NULL AS reuse;
SELECT cordon.check_token('refresh', :'t1') IS NULL AS revoked;
-- Without one.
SELECT cordon.issue_token('refresh', 'user 2', '1 hour') AS t0 \gset
SELECT cordon.rotate_token('refresh', :'t0', '0') AS t1 \gset
SELECT cordon.check_token('refresh', :'t1');
SELECT cordon.rotate_token('refresh', :'t0', '0') IS NULL AS reuse;
SELECT cordon.check_token('refresh', :'t1') IS NULL AS revoked;
-- A rollback undoes the revocation: hence NULL and not an error.
SELECT cordon.issue_token('refresh', 'user 2', '1 hour') AS t0 \gset
SELECT cordon.rotate_token('refresh', :'t0', '0') AS t1 \gset
BEGIN;
SELECT cordon.rotate_token('refresh', :'t0', '0') IS NULL AS reuse;
ROLLBACK;
SELECT cordon.check_token('refresh', :'t1');
-- A retry gets no successor that has been used or has expired; a superseded token that has expired still tells of theft.
SELECT cordon.consume_token('refresh', :'t1');
SELECT cordon.rotate_token('refresh', :'t0') IS NULL AS none;
SELECT cordon.issue_token('refresh', 'user 2', '1 hour') AS t0 \gset
SELECT cordon.rotate_token('refresh', :'t0') AS t1 \gset
\connect - postgres
UPDATE cordon.token SET expires_at = issued_at WHERE hash = cordon.hash_token(:'t0', 'refresh');
\connect - app
SET app.team_id = '7';
SELECT cordon.rotate_token('refresh', :'t0') IS NULL AS retry_of_expired;
SELECT cordon.check_token('refresh', :'t1') AS still_there;
SELECT cordon.rotate_token('refresh', :'t0', '0') IS NULL AS reuse;
SELECT cordon.check_token('refresh', :'t1') IS NULL AS revoked;

-- A token that does not expire can be rotated; max_age ends the whole family.
SELECT cordon.issue_token('refresh', 'user 2', NULL) AS t0 \gset
SELECT cordon.rotate_token('refresh', :'t0') AS t1 \gset
SELECT cordon.check_token('refresh', :'t1');
SELECT cordon.issue_token('refresh', 'user 3', '1 hour', max_age => '2 hours') AS t0 \gset
SELECT cordon.rotate_token('refresh', :'t0') AS t1 \gset
SELECT cordon.issue_token('refresh', 'user 4', NULL, max_age => '2 hours') AS t0 \gset
SELECT cordon.rotate_token('refresh', :'t0') AS t1 \gset
SELECT cordon.issue_token('refresh', 'user 5', '5 hours', max_age => '2 hours') AS t0 \gset
SELECT cordon.rotate_token('refresh', :'t0') AS t1 \gset
\connect - postgres
SELECT subject, family = hash AS is_root, round(extract(epoch FROM expires_at - issued_at) / 3600) AS hours,
    expires_at = family_expires_at AS ends_with_family, (SELECT count(DISTINCT family_expires_at) FROM cordon.token f WHERE f.family = t.family) AS ends
FROM cordon.token t WHERE subject IN ('user 3', 'user 4', 'user 5') ORDER BY subject, issued_at;
\connect - app
SET app.team_id = '7';
SELECT cordon.issue_token('refresh', 'user 2', '1 hour', max_age => '20 milliseconds') AS t0 \gset
SELECT pg_sleep(0.03);
SELECT cordon.rotate_token('refresh', :'t0') IS NULL AS over;

-- Signing out, with the current token or a superseded one.
SELECT cordon.issue_token('refresh', 'user 6', '1 hour') AS t0 \gset
SELECT cordon.rotate_token('refresh', :'t0') AS t1 \gset
SELECT cordon.issue_token('refresh', 'user 6', '1 hour') AS other \gset
SELECT cordon.revoke_token('refresh', :'t1'), cordon.revoke_token('refresh', :'t1') AS again;
SELECT cordon.rotate_token('refresh', :'t0') IS NULL AS a, cordon.rotate_token('refresh', :'t1') IS NULL AS b,
    cordon.check_token('refresh', :'other') AS other;
SELECT cordon.rotate_token('refresh', :'other') AS t1 \gset
SELECT cordon.revoke_token('refresh', :'other');
SELECT cordon.check_token('refresh', :'t1') IS NULL AS revoked;
-- Everywhere.
SELECT cordon.issue_token('refresh', 'user 6', '1 hour') AS a \gset
SELECT cordon.issue_token('refresh', 'user 6', '1 hour') AS b \gset
SELECT cordon.rotate_token('refresh', :'b') AS b \gset
SELECT cordon.issue_token('api', 'user 6', NULL) AS c \gset
SELECT cordon.revoke_tokens('user 6', 'refresh') AS refresh, cordon.revoke_tokens('user 6') AS others, cordon.revoke_tokens('user 6') AS again;
SELECT cordon.check_token('refresh', :'a') IS NULL AS a, cordon.check_token('refresh', :'b') IS NULL AS b, cordon.check_token('api', :'c') IS NULL AS c;

-- A role with SELECT sees its tenant's rows, which hold no token.
\connect - postgres
GRANT SELECT ON cordon.token TO app;
\connect - app
SELECT count(*) FROM cordon.token;
SET app.team_id = '7';
SELECT DISTINCT tenant FROM cordon.token;
SET app.team_id = '8';
SELECT count(*) FROM cordon.token;
SELECT cordon.issue_token('api', 'user 8', NULL) AS c \gset
SELECT subject, purpose, hash = family AS is_root, hash = ANY (cordon.token_hashes(:'c', 'api')) AS found, t::text LIKE '%' || :'c' || '%' AS plain
FROM cordon.token t;
-- A hash that was stolen is not a token.
SELECT cordon.check_token('api', hash::text) IS NULL AS refused FROM cordon.token;
\connect - postgres
GRANT INSERT, UPDATE, DELETE ON cordon.token TO app;
\connect - app
SET app.team_id = '8';
UPDATE cordon.token SET tenant = '7';
UPDATE cordon.token SET tenant = '';
DELETE FROM cordon.token WHERE tenant <> '8';
SELECT count(*) FROM cordon.token;
\connect - postgres
REVOKE ALL ON cordon.token FROM app;

-- Cleanup: what ended long enough ago, of every tenant; the first of a family after the others.
TRUNCATE cordon.token;
\connect - app
SET app.team_id = '7';
SELECT count(cordon.issue_token('single', 'user ' || i, '1 hour')) FROM generate_series(1, 5) i;
SET app.team_id = '8';
SELECT cordon.issue_token('refresh', 'of live family', '1 hour') AS a0 \gset
SELECT cordon.rotate_token('refresh', :'a0') AS a1 \gset
SELECT cordon.rotate_token('refresh', :'a1') AS a2 \gset
SELECT cordon.issue_token('refresh', 'of ended family', '1 hour') AS b0 \gset
SELECT cordon.rotate_token('refresh', :'b0') AS b1 \gset
SELECT cordon.rotate_token('refresh', :'b1') AS b2 \gset
SELECT cordon.issue_token('api', 'without end', NULL) AS c \gset
SELECT cordon.issue_token('api', 'revoked', NULL) AS d \gset
SELECT cordon.revoke_token('api', :'d');
\connect - postgres
CALL cordon.cleanup_tokens();
UPDATE cordon.token SET revoked_at = revoked_at - interval '8 days';
UPDATE cordon.token SET expires_at = expires_at - interval '8 days'
    WHERE purpose = 'single' OR subject = 'of ended family' OR hash IN (cordon.hash_token(:'a0', 'refresh'), cordon.hash_token(:'a1', 'refresh'));
CALL cordon.cleanup_tokens(batch_size => 3, keep => '9 days');
CALL cordon.cleanup_tokens(batch_size => 3);
SELECT subject, hash = family AS is_root FROM cordon.token ORDER BY issued_at;
CALL cordon.cleanup_tokens();
CALL cordon.cleanup_tokens(0);
CALL cordon.cleanup_tokens(NULL);
CALL cordon.cleanup_tokens(keep => '-1 day');
CALL cordon.cleanup_tokens(keep => NULL);
-- It commits, so it cannot run in a transaction.
UPDATE cordon.token SET expires_at = '-infinity' WHERE subject = 'without end';
BEGIN;
CALL cordon.cleanup_tokens();
ROLLBACK;
SELECT count(*) FROM cordon.token;
-- What is left of a family is still one: its last token rotates and is revoked.
\connect - app
SET app.team_id = '8';
SELECT cordon.rotate_token('refresh', :'a2') AS a3 \gset
SELECT cordon.check_token('refresh', :'a3');
SELECT cordon.rotate_token('refresh', :'a1') IS NULL AS forgotten, cordon.revoke_tokens('of live family');
\connect - postgres
-- An ordinary role may clean up when it is given both.
GRANT EXECUTE ON PROCEDURE cordon.cleanup_tokens TO app;
GRANT EXECUTE ON FUNCTION cordon.cleanup_token_batch TO app;
\connect - app
CALL cordon.cleanup_tokens(keep => '0');
\connect - postgres
SELECT count(*) FROM cordon.token;
SELECT severity, code, object FROM cordon.audit() WHERE object LIKE '%cordon.token%';
