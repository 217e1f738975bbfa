-- What all topics ask of the catalog. The schema cordon_internal is for the extension's own use; users call cordon.

CREATE SCHEMA cordon_internal;
COMMENT ON SCHEMA cordon_internal IS 'pg_cordon: for its own use';
GRANT USAGE ON SCHEMA cordon_internal TO PUBLIC;

-- Types by identity: the library has the one list of sealed types, and knows them by their input functions. A name says
-- nothing, for anybody may give it to a type of theirs.

CREATE OR REPLACE FUNCTION cordon_internal.sealed_kind(type oid) RETURNS regtype
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cordon_sealed_kind';
COMMENT ON FUNCTION cordon_internal.sealed_kind(oid) IS
    'the sealed type that a type is, or that is under its domains; NULL when it is none';

CREATE OR REPLACE FUNCTION cordon_internal.contains_sealed(type oid) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cordon_contains_sealed';
COMMENT ON FUNCTION cordon_internal.contains_sealed(oid) IS
    'whether values of a type are sealed, or hold sealed ones: arrays, composites, ranges, and domains over them';

CREATE OR REPLACE FUNCTION cordon_internal.is_shared_type(type oid) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cordon_is_shared_type';
COMMENT ON FUNCTION cordon_internal.is_shared_type(oid) IS
    'whether values of a sealed type are sealed for the database; NULL when it is none';

CREATE OR REPLACE FUNCTION cordon_internal.has_equality(type oid) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cordon_has_equality';
COMMENT ON FUNCTION cordon_internal.has_equality(oid) IS
    'whether values of a sealed type can be compared; NULL when it is none';

-- What touches a user's relation is done by these, with the rights of its owner and no more: what the owner has planted
-- there, in index expressions, checks, casts or operators, is run by the planner already. A caller gets nothing by them
-- that the rights of the owner do not give.

CREATE OR REPLACE FUNCTION cordon_internal.as_owner(relation oid, statement text) RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cordon_as_owner';
COMMENT ON FUNCTION cordon_internal.as_owner(oid, text) IS
    'runs a statement as the owner of a relation, whose rights the caller must have: without row security on the owner''s '
    'tables, and unable to become anybody else; returns the first value, or the number of rows';

CREATE OR REPLACE FUNCTION cordon_internal.act_as(role oid, statement text, fires_after boolean) RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'cordon_act_as';
COMMENT ON FUNCTION cordon_internal.act_as(oid, text, boolean) IS
    'runs a statement as a role, under row security and unable to become anybody else; returns the first value, or the '
    'number of rows. Without fires_after, triggers that fire after it, as those of foreign keys, do not, and the caller '
    'ends the subtransaction with an error. For cordon.prove, which superusers call';
REVOKE ALL ON FUNCTION cordon_internal.act_as(oid, text, boolean) FROM PUBLIC;
