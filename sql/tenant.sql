-- The current tenant: docs/TENANTS.md, section 2 of the design.

CREATE FUNCTION cordon.set_tenant(tenant text) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'set_tenant_wrapper';
COMMENT ON FUNCTION cordon.set_tenant(text) IS
    'sets the tenant until the transaction ends, and returns it; NULL or an empty string unsets it';

CREATE FUNCTION cordon.current_tenant() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'current_tenant_wrapper';
COMMENT ON FUNCTION cordon.current_tenant() IS 'the current tenant, or NULL when none is set';
