-- The current tenant: docs/TENANTS.md, section 2 of the design.

CREATE OR REPLACE FUNCTION cordon.set_tenant(tenant text) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'set_tenant_wrapper';
COMMENT ON FUNCTION cordon.set_tenant(text) IS
    'sets the tenant until the transaction ends, and returns it; NULL or an empty string unsets it';

CREATE OR REPLACE FUNCTION cordon.current_tenant() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'current_tenant_wrapper';
COMMENT ON FUNCTION cordon.current_tenant() IS 'the current tenant, or NULL when none is set';

-- What policies compare a tenant column with, one for each type: see docs of cordon.protect. They raise an error without
-- a tenant (cordon.on_unset_tenant), so they must not be LEAKPROOF, and are not needed to be.

CREATE OR REPLACE FUNCTION cordon.tenant_int4() RETURNS integer
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'tenant_int4';
COMMENT ON FUNCTION cordon.tenant_int4() IS 'the current tenant as integer, for policies; an error when none is set';

CREATE OR REPLACE FUNCTION cordon.tenant_int8() RETURNS bigint
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'tenant_int8';
COMMENT ON FUNCTION cordon.tenant_int8() IS 'the current tenant as bigint, for policies; an error when none is set';

CREATE OR REPLACE FUNCTION cordon.tenant_uuid() RETURNS uuid
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'tenant_uuid';
COMMENT ON FUNCTION cordon.tenant_uuid() IS 'the current tenant as uuid, for policies; an error when none is set';

CREATE OR REPLACE FUNCTION cordon.tenant_text() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'tenant_text';
COMMENT ON FUNCTION cordon.tenant_text() IS 'the current tenant as text, for policies; an error when none is set';

-- Several tenants in one statement: docs/TENANTS.md. Whoever may use it reads any tenant, also where cordon.freeze_tenant holds
-- each transaction to one.
CREATE OR REPLACE FUNCTION cordon.across(tenants text[], query text, params text[] DEFAULT NULL) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000
    AS 'MODULE_PATHNAME', 'cordon_across';
COMMENT ON FUNCTION cordon.across(text[], text, text[]) IS
    'the rows of a query in each of the tenants, with the tenant before them: as the caller, who may read and not write, '
    'with parameters $1, $2, ... of type text';
REVOKE ALL ON FUNCTION cordon.across(text[], text, text[]) FROM PUBLIC;
