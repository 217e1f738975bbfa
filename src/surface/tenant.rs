//! The current tenant.

use pgrx::pg_extern;

use crate::pg::{error::or_raise, tenant_setting};

/// Sets the tenant until the end of the transaction and returns it; NULL and `''` unset it.
#[pg_extern(sql = false)]
fn set_tenant(tenant: Option<&str>) -> Option<String> {
    or_raise(tenant_setting::set_local(tenant));
    current_tenant()
}

/// The current tenant, or NULL when none is set.
#[pg_extern(sql = false)]
fn current_tenant() -> Option<String> {
    tenant_setting::current().map(|tenant| tenant.as_str().to_owned())
}
