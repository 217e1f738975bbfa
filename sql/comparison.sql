-- How types are compared by bytes that they hold: no key, no tenant, no error. So it is IMMUTABLE and LEAKPROOF in truth,
-- and indexes are used under row security. The order means nothing; btree needs one.

-- For this script alone, which drops it when each type has been declared.
CREATE FUNCTION cordon.declare_comparison(type text, name text, c_name text, schema text, is_image boolean) RETURNS void
    LANGUAGE plpgsql
    AS $function$
DECLARE
    template CONSTANT text := $template$
CREATE FUNCTION cordon.@name@_eq(@type@, @type@) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', '@c_name@_eq';
CREATE FUNCTION cordon.@name@_ne(@type@, @type@) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', '@c_name@_ne';
CREATE FUNCTION cordon.@name@_lt(@type@, @type@) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', '@c_name@_lt';
CREATE FUNCTION cordon.@name@_le(@type@, @type@) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', '@c_name@_le';
CREATE FUNCTION cordon.@name@_gt(@type@, @type@) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', '@c_name@_gt';
CREATE FUNCTION cordon.@name@_ge(@type@, @type@) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', '@c_name@_ge';
CREATE FUNCTION cordon.@name@_cmp(@type@, @type@) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', '@c_name@_cmp';

CREATE OPERATOR @schema@.= (
    LEFTARG = @type@, RIGHTARG = @type@, FUNCTION = cordon.@name@_eq, COMMUTATOR = OPERATOR(@schema@.=),
    NEGATOR = OPERATOR(@schema@.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR @schema@.<> (
    LEFTARG = @type@, RIGHTARG = @type@, FUNCTION = cordon.@name@_ne, COMMUTATOR = OPERATOR(@schema@.<>),
    NEGATOR = OPERATOR(@schema@.=), RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR @schema@.< (
    LEFTARG = @type@, RIGHTARG = @type@, FUNCTION = cordon.@name@_lt, COMMUTATOR = OPERATOR(@schema@.>),
    NEGATOR = OPERATOR(@schema@.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR @schema@.<= (
    LEFTARG = @type@, RIGHTARG = @type@, FUNCTION = cordon.@name@_le, COMMUTATOR = OPERATOR(@schema@.>=),
    NEGATOR = OPERATOR(@schema@.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR @schema@.> (
    LEFTARG = @type@, RIGHTARG = @type@, FUNCTION = cordon.@name@_gt, COMMUTATOR = OPERATOR(@schema@.<),
    NEGATOR = OPERATOR(@schema@.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR @schema@.>= (
    LEFTARG = @type@, RIGHTARG = @type@, FUNCTION = cordon.@name@_ge, COMMUTATOR = OPERATOR(@schema@.<=),
    NEGATOR = OPERATOR(@schema@.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);

CREATE FUNCTION cordon.@name@_sort_support(internal) RETURNS void
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '@c_name@_sort_support';
CREATE OPERATOR CLASS @schema@.@name@_ops DEFAULT FOR TYPE @type@ USING btree AS
    OPERATOR 1 @schema@.<, OPERATOR 2 @schema@.<=, OPERATOR 3 @schema@.=, OPERATOR 4 @schema@.>=,
    OPERATOR 5 @schema@.>,
    FUNCTION 1 cordon.@name@_cmp(@type@, @type@),
    FUNCTION 2 cordon.@name@_sort_support(internal)@image@;

CREATE FUNCTION cordon.@name@_hash(@type@) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', '@c_name@_hash';
CREATE FUNCTION cordon.@name@_hash_extended(@type@, bigint) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', '@c_name@_hash_extended';
CREATE OPERATOR CLASS @schema@.@name@_ops DEFAULT FOR TYPE @type@ USING hash AS
    OPERATOR 1 @schema@.=,
    FUNCTION 1 cordon.@name@_hash(@type@),
    FUNCTION 2 cordon.@name@_hash_extended(@type@, bigint);
$template$;
BEGIN
    EXECUTE replace(replace(replace(replace(replace(template, '@schema@', schema), '@type@', type), '@name@', name),
        '@c_name@', c_name),
        -- Of some types equal values have equal bytes, so that duplicates may share an index entry.
        '@image@', CASE WHEN is_image THEN ', FUNCTION 4 pg_catalog.btequalimage(oid)' ELSE '' END);
END $function$;
