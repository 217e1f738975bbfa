-- The token store: tokens with an owner, an end and a family, of which only hashes are stored. docs/TOKENS.md.
--
-- A family is what comes of one issued token by rotation. Its first row, the root, is its lock: whoever adds a row to a
-- family or revokes it holds the root FOR UPDATE, and reads the family only then, so that a revocation cannot miss a
-- successor which is being added. Locks on several roots are taken in the order of the hashes.
--
-- The functions run as the owner of the extension, whom row security does not stop: each of them says by itself that
-- tenant = cordon.token_scope().

-- There is no foreign key on family or successor: a dump as INSERTs writes rows in the order in which they lie in the
-- table, where a root that was updated comes after its family.
CREATE TABLE cordon.token (
    hash @extschema@.token_hash PRIMARY KEY,
    family @extschema@.token_hash NOT NULL,
    purpose text NOT NULL,
    subject text NOT NULL,
    tenant text NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ttl interval,
    family_expires_at timestamptz NOT NULL,
    used_at timestamptz,
    revoked_at timestamptz,
    superseded_at timestamptz,
    successor @extschema@.token_hash
) WITH (fillfactor = 80); -- superseded_at and successor are in no index: a rotation updates its row in place
COMMENT ON TABLE cordon.token IS 'tokens issued by cordon.issue_token: their hashes, never the tokens';
COMMENT ON COLUMN cordon.token.hash IS 'hash of the token for its purpose';
COMMENT ON COLUMN cordon.token.family IS 'hash of the token that was issued, from which this one came by rotation; its own hash if it is that one';
COMMENT ON COLUMN cordon.token.purpose IS 'what the token is for; for another purpose it is not found';
COMMENT ON COLUMN cordon.token.subject IS 'whom the token stands for, as the application named him';
COMMENT ON COLUMN cordon.token.tenant IS 'tenant of the session that issued the token; empty when none was set';
COMMENT ON COLUMN cordon.token.issued_at IS 'when the token was made';
COMMENT ON COLUMN cordon.token.expires_at IS 'when it ends; infinity when it does not';
COMMENT ON COLUMN cordon.token.ttl IS 'how long each token of the family lives; NULL for as long as the family';
COMMENT ON COLUMN cordon.token.family_expires_at IS 'when every token of the family ends at the latest; infinity without a max_age';
COMMENT ON COLUMN cordon.token.used_at IS 'when cordon.consume_token took it';
COMMENT ON COLUMN cordon.token.revoked_at IS 'when its family was revoked';
COMMENT ON COLUMN cordon.token.superseded_at IS 'when cordon.rotate_token gave its successor';
COMMENT ON COLUMN cordon.token.successor IS 'hash of that successor';

CREATE INDEX token_family ON cordon.token (family);
COMMENT ON INDEX cordon.token_family IS 'for revoking a family';
CREATE INDEX token_tenant_subject ON cordon.token (tenant, subject);
COMMENT ON INDEX cordon.token_tenant_subject IS 'for cordon.revoke_tokens, and for row security';
CREATE INDEX token_end ON cordon.token (least(expires_at, used_at, revoked_at));
COMMENT ON INDEX cordon.token_end IS 'for cordon.cleanup_tokens';

SELECT pg_catalog.pg_extension_config_dump('cordon.token', '');

-- What cordon.protect makes, for roles that are granted SELECT. The table is not in cordon.protected_table, which is the
-- list of the application's tables.
ALTER TABLE cordon.token ENABLE ROW LEVEL SECURITY;
ALTER TABLE cordon.token FORCE ROW LEVEL SECURITY;
CREATE POLICY cordon_tenant ON cordon.token AS PERMISSIVE FOR ALL TO PUBLIC
    USING (tenant = cordon.tenant_text()) WITH CHECK (tenant = cordon.tenant_text());
COMMENT ON POLICY cordon_tenant ON cordon.token IS 'rows of the current tenant';
CREATE POLICY cordon_floor ON cordon.token AS RESTRICTIVE FOR ALL TO PUBLIC
    USING (tenant = cordon.tenant_text()) WITH CHECK (tenant = cordon.tenant_text());
COMMENT ON POLICY cordon_floor ON cordon.token IS 'no rows but those of the current tenant, whatever other policies permit';

CREATE OR REPLACE FUNCTION cordon.require_token_argument(name text, value text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF value IS NULL THEN
        RAISE null_value_not_allowed USING
            MESSAGE = format('%s must not be null', name),
            HINT = 'The purpose says what tokens are for, such as ''refresh''; the subject whom one stands for, such as a user''s id.';
    ELSIF value = '' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('%s must not be empty', name),
            HINT = 'The purpose says what tokens are for, such as ''refresh''; the subject whom one stands for, such as a user''s id.';
    END IF;
END $$;
COMMENT ON FUNCTION cordon.require_token_argument(text, text) IS 'refuses NULL and an empty string as purpose or subject of a token';

CREATE OR REPLACE FUNCTION cordon.issue_token(
        purpose text, subject text, ttl interval, prefix text DEFAULT '', max_age interval DEFAULT NULL)
    RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Not now() nor statement_timestamp(), which stand still in a long transaction and in a procedure that never ends.
    now CONSTANT timestamptz := clock_timestamp();
    family_end CONSTANT timestamptz := coalesce(now + max_age, 'infinity');
    scope CONSTANT text := cordon.token_scope();
    new_token text;
    new_hash @extschema@.token_hash;
BEGIN
    PERFORM cordon.require_token_argument('purpose', purpose);
    PERFORM cordon.require_token_argument('subject', subject);
    -- By the clock, because '1 month -30 days' is more than nothing in some months only.
    IF now + ttl <= now OR family_end <= now THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('%s must be positive', CASE WHEN now + ttl <= now THEN 'ttl' ELSE 'max_age' END),
            HINT = 'Give an interval such as ''1 hour'', or NULL for no limit.';
    END IF;
    new_token := cordon.generate_token(prefix);
    new_hash := cordon.hash_token(new_token, purpose);
    INSERT INTO cordon.token
        (hash, family, purpose, subject, tenant, issued_at, expires_at, ttl, family_expires_at)
    VALUES
        (new_hash, new_hash, issue_token.purpose, issue_token.subject, scope, now,
         least(now + issue_token.ttl, family_end), issue_token.ttl, family_end);
    RETURN new_token;
END $$;
COMMENT ON FUNCTION cordon.issue_token(text, text, interval, text, interval) IS
    'makes a token that stands for a subject, in the scope of the current tenant or of none, and returns it: the only '
    'time that anybody sees it. ttl NULL: it does not expire; max_age: its successors end then at the latest';

CREATE OR REPLACE FUNCTION cordon.consume_token(purpose text, token text) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    now CONSTANT timestamptz := clock_timestamp();
    scope CONSTANT text := cordon.token_scope();
    hashes CONSTANT @extschema@.token_hash[] := cordon.token_hashes(token, purpose);
    found text;
BEGIN
    PERFORM cordon.require_token_argument('purpose', purpose);
    -- One statement: of sessions that race, the second waits for the first, and then finds used_at set.
    UPDATE cordon.token t SET used_at = now
    WHERE t.hash OPERATOR(@extschema@.=) ANY (hashes) AND t.tenant = scope
        AND t.purpose = consume_token.purpose
        AND t.used_at IS NULL AND t.revoked_at IS NULL AND t.superseded_at IS NULL AND t.expires_at > now
    RETURNING t.subject INTO found;
    RETURN found;
END $$;
COMMENT ON FUNCTION cordon.consume_token(text, text) IS
    'uses a token up, and returns its subject; NULL when it is unknown in this scope, expired, used, revoked or superseded';

CREATE OR REPLACE FUNCTION cordon.check_token(purpose text, token text) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    now CONSTANT timestamptz := clock_timestamp();
    scope CONSTANT text := cordon.token_scope();
    hashes CONSTANT @extschema@.token_hash[] := cordon.token_hashes(token, purpose);
BEGIN
    PERFORM cordon.require_token_argument('purpose', purpose);
    RETURN (
        SELECT t.subject FROM cordon.token t
        WHERE t.hash OPERATOR(@extschema@.=) ANY (hashes) AND t.tenant = scope
            AND t.purpose = check_token.purpose
            AND t.used_at IS NULL AND t.revoked_at IS NULL AND t.superseded_at IS NULL AND t.expires_at > now
    );
END $$;
COMMENT ON FUNCTION cordon.check_token(text, text) IS
    'subject of a token, which goes on being valid; NULL when it is unknown in this scope, expired, used, revoked or superseded';

CREATE OR REPLACE FUNCTION cordon.lock_family_of_token(purpose text, token text, OUT root @extschema@.token_hash)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    scope CONSTANT text := cordon.token_scope();
    hashes CONSTANT @extschema@.token_hash[] := cordon.token_hashes(token, purpose);
BEGIN
    SELECT r.hash INTO root FROM cordon.token r
    WHERE r.hash OPERATOR(@extschema@.=) (
            SELECT t.family FROM cordon.token t
            WHERE t.hash OPERATOR(@extschema@.=) ANY (hashes) AND t.tenant = scope
                AND t.purpose = lock_family_of_token.purpose)
        AND r.tenant = scope
    FOR UPDATE OF r;
END $$;
COMMENT ON FUNCTION cordon.lock_family_of_token(text, text) IS
    'locks the family of a token, whatever its state, and returns the hash that names it; NULL when the token is unknown in this scope';

-- Rows that have ended are marked as well, so that the root says whether its family has been revoked.
CREATE OR REPLACE FUNCTION cordon.revoke_families(roots @extschema@.token_hash[]) RETURNS bigint
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
    WITH revoked AS (
        UPDATE cordon.token t SET revoked_at = clock_timestamp()
        WHERE t.family OPERATOR(@extschema@.=) ANY (roots) AND t.used_at IS NULL AND t.revoked_at IS NULL
        RETURNING t.superseded_at IS NULL AND t.expires_at > t.revoked_at AS was_live
    )
    SELECT count(*) FROM revoked WHERE was_live
    $$;
COMMENT ON FUNCTION cordon.revoke_families(@extschema@.token_hash[]) IS
    'revokes all tokens of families that the caller has locked, and returns how many were live';

-- That this function returns NULL where others raise an error is for the sake of the revocation, which an error would
-- undo.
CREATE OR REPLACE FUNCTION cordon.rotate_token(purpose text, token text, grace interval DEFAULT '10 seconds') RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Before any wait for a lock: whether a call is a retry is a matter of when it was made.
    asked_at CONSTANT timestamptz := clock_timestamp();
    now timestamptz;
    hashes CONSTANT @extschema@.token_hash[] := cordon.token_hashes(token, purpose);
    root @extschema@.token_hash;
    old cordon.token;
    next cordon.token;
    new_token text;
    new_hash @extschema@.token_hash;
BEGIN
    PERFORM cordon.require_token_argument('purpose', purpose);
    IF grace IS NULL OR grace < interval '0' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'grace must not be null or negative',
            HINT = 'Give an interval such as ''10 seconds'', or ''0'' to take every second use of a token for theft.';
    END IF;
    root := cordon.lock_family_of_token(purpose, token);
    IF root IS NULL THEN
        RETURN NULL;
    END IF;
    -- In READ COMMITTED these see what others did until the lock was ours. In REPEATABLE READ they see what was before,
    -- and fail with 40001 on a row that was changed: each rotation changes the row of the token that it replaces.
    SELECT t.* INTO old FROM cordon.token t
    WHERE t.hash OPERATOR(@extschema@.=) ANY (hashes) AND t.family OPERATOR(@extschema@.=) root FOR UPDATE;
    now := clock_timestamp();
    IF old.hash IS NULL OR old.used_at IS NOT NULL OR old.revoked_at IS NOT NULL THEN
        RETURN NULL;
    END IF;

    IF old.superseded_at IS NULL THEN
        IF old.expires_at <= now THEN
            RETURN NULL;
        END IF;
        new_token := cordon.token_successor(token, purpose, NULL);
        new_hash := cordon.hash_token(new_token, purpose);
        INSERT INTO cordon.token
            (hash, family, purpose, subject, tenant, issued_at, expires_at, ttl, family_expires_at)
        VALUES
            (new_hash, old.family, old.purpose, old.subject, old.tenant, now,
             least(now + old.ttl, old.family_expires_at), old.ttl, old.family_expires_at);
        UPDATE cordon.token t SET superseded_at = now, successor = new_hash
        WHERE t.hash OPERATOR(@extschema@.=) old.hash;
        RETURN new_token;
    END IF;

    -- Superseded. Whoever did not get the answer asks again, and is given the same successor, as long as nobody has
    -- gone on from it. Everything else is a token in two hands.
    SELECT t.* INTO next FROM cordon.token t WHERE t.hash OPERATOR(@extschema@.=) old.successor;
    IF grace > interval '0' AND asked_at <= old.superseded_at + grace
       AND next.used_at IS NULL AND next.revoked_at IS NULL AND next.superseded_at IS NULL THEN
        IF old.expires_at <= now OR next.expires_at <= now OR next.hash IS NULL THEN
            RETURN NULL;
        END IF;
        new_token := cordon.token_successor(token, purpose, cordon.key_id(next.hash));
        -- It is another one only if the primary key changed between deriving and hashing it.
        RETURN CASE WHEN cordon.token_matches(new_token, next.hash, purpose) THEN new_token END;
    END IF;
    PERFORM cordon.revoke_families(ARRAY[root]);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION cordon.rotate_token(text, text, interval) IS
    'replaces a token by a successor, and returns that; within the grace period the same one again. A superseded token '
    'that comes back later revokes its family. NULL when there is no successor to be had: commit all the same';

CREATE OR REPLACE FUNCTION cordon.revoke_token(purpose text, token text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    root @extschema@.token_hash;
BEGIN
    PERFORM cordon.require_token_argument('purpose', purpose);
    root := cordon.lock_family_of_token(purpose, token);
    RETURN root IS NOT NULL AND cordon.revoke_families(ARRAY[root]) > 0;
END $$;
COMMENT ON FUNCTION cordon.revoke_token(text, text) IS
    'revokes a token with its family, also by a superseded token of it; whether any was live';

CREATE OR REPLACE FUNCTION cordon.revoke_tokens(subject text, purpose text DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    scope CONSTANT text := cordon.token_scope();
    roots @extschema@.token_hash[];
BEGIN
    PERFORM cordon.require_token_argument('subject', subject);
    PERFORM cordon.require_token_argument('purpose', coalesce(purpose, 'any'));
    -- Roots that have expired are among them: a successor of one may be about to be added. Families that begin after
    -- this statement are left alone, or they would be changed without their lock.
    roots := ARRAY(
        SELECT r.hash FROM cordon.token r
        WHERE r.tenant = scope AND r.subject = revoke_tokens.subject
            AND (revoke_tokens.purpose IS NULL OR r.purpose = revoke_tokens.purpose)
            AND r.hash OPERATOR(@extschema@.=) r.family AND r.used_at IS NULL AND r.revoked_at IS NULL
        ORDER BY r.hash FOR UPDATE);
    RETURN cordon.revoke_families(roots);
END $$;
COMMENT ON FUNCTION cordon.revoke_tokens(text, text) IS
    'revokes all tokens of a subject in this scope, for one purpose or for all; returns how many were live';

CREATE OR REPLACE FUNCTION cordon.cleanup_token_batch(batch_size integer, keep interval) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    cutoff CONSTANT timestamptz := clock_timestamp() - keep;
    doomed @extschema@.token_hash[];
    deleted bigint;
BEGIN
    IF batch_size IS NULL OR batch_size < 1 OR keep IS NULL OR keep < interval '0' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'batch_size must be positive, and keep must not be null or negative',
            HINT = 'CALL cordon.cleanup_tokens(batch_size => 1000, keep => ''7 days'')';
    END IF;
    -- Waits for nobody, so that it cannot deadlock. Roots go last, because they are the locks of their families.
    doomed := ARRAY(
        SELECT t.hash FROM cordon.token t
        WHERE least(t.expires_at, t.used_at, t.revoked_at) < cutoff
            AND (t.hash OPERATOR(@extschema@.<>) t.family OR NOT EXISTS (
                SELECT FROM cordon.token m
                WHERE m.family OPERATOR(@extschema@.=) t.hash AND m.hash OPERATOR(@extschema@.<>) t.hash))
        ORDER BY least(t.expires_at, t.used_at, t.revoked_at) LIMIT batch_size
        FOR UPDATE OF t SKIP LOCKED);
    -- Looked at again now that they are locked: a successor may have been added to a family in between.
    DELETE FROM cordon.token t
    WHERE t.hash OPERATOR(@extschema@.=) ANY (doomed)
        AND (t.hash OPERATOR(@extschema@.<>) t.family OR NOT EXISTS (
            SELECT FROM cordon.token m
            WHERE m.family OPERATOR(@extschema@.=) t.hash AND m.hash OPERATOR(@extschema@.<>) t.hash));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END $$;
COMMENT ON FUNCTION cordon.cleanup_token_batch(integer, interval) IS
    'deletes up to batch_size tokens, of all tenants, that ended longer ago than keep, and returns how many; the first of a '
    'family only after the others';

-- With a SET clause, or as SECURITY DEFINER, it could not commit. So each name in it is qualified.
CREATE OR REPLACE PROCEDURE cordon.cleanup_tokens(batch_size integer DEFAULT 1000, keep interval DEFAULT '7 days')
    LANGUAGE plpgsql
    AS $$
DECLARE
    deleted pg_catalog.int8;
    total pg_catalog.int8 := 0;
BEGIN
    LOOP
        deleted := cordon.cleanup_token_batch(batch_size, keep);
        EXIT WHEN deleted OPERATOR(pg_catalog.=) 0;
        COMMIT;
        total := total OPERATOR(pg_catalog.+) deleted;
        RAISE NOTICE '% ended tokens deleted', total;
    END LOOP;
END $$;
COMMENT ON PROCEDURE cordon.cleanup_tokens(integer, interval) IS
    'deletes the tokens, of all tenants, that ended longer ago than keep; commits each batch';

REVOKE ALL ON FUNCTION
    cordon.require_token_argument(text, text), cordon.lock_family_of_token(text, text),
    cordon.revoke_families(@extschema@.token_hash[]),
    cordon.issue_token(text, text, interval, text, interval), cordon.consume_token(text, text),
    cordon.check_token(text, text), cordon.rotate_token(text, text, interval), cordon.revoke_token(text, text),
    cordon.revoke_tokens(text, text), cordon.cleanup_token_batch(integer, interval)
    FROM PUBLIC;
REVOKE ALL ON PROCEDURE cordon.cleanup_tokens(integer, interval) FROM PUBLIC;
