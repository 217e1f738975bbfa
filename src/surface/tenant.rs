//! The current tenant.

use pgrx::{pg_extern, pg_sys::Datum};

use crate::{
    c_functions,
    pg::{
        encoding,
        error::{Failure, or_raise},
        fmgr::Args,
        settings,
        tenant::{self, Assigned},
        tenant_setting,
        varlena::Output,
    },
};

c_functions! {
    tenant_int4 => int4;
    tenant_int8 => int8;
    tenant_uuid => uuid;
    tenant_text => text;
}

/// Sets the tenant until the end of the transaction and returns it; NULL and `''` unset it.
#[pg_extern(sql = false)]
fn set_tenant(tenant: Option<&str>) -> Option<String> {
    or_raise(tenant_setting::set_local(tenant));
    current_tenant()
}

/// The current tenant, or NULL when none is set.
#[pg_extern(sql = false)]
fn current_tenant() -> Option<String> {
    match tenant::read() {
        Err(Failure::StaleTenant) => None,
        current => or_raise(current).map(|tenant| tenant.id.as_str().to_owned()),
    }
}

/// `cordon.tenant_int4()`
fn int4(args: Args) -> Result<Datum, Failure> {
    policy_value(args, |tenant| {
        let number = tenant.number.and_then(|number| i32::try_from(number).ok());
        number.map(Datum::from).ok_or(Failure::TenantNotA("an integer"))
    })
}

/// `cordon.tenant_int8()`
fn int8(args: Args) -> Result<Datum, Failure> {
    policy_value(args, |tenant| tenant.number.map(Datum::from).ok_or(Failure::TenantNotA("a bigint")))
}

/// `cordon.tenant_uuid()`
fn uuid(args: Args) -> Result<Datum, Failure> {
    policy_value(args, |tenant| {
        let uuid = tenant.uuid.ok_or(Failure::TenantNotA("a uuid"))?;
        let mut output = Output::fixed(uuid.len())?;
        output.bytes().copy_from_slice(&uuid);
        Ok(output.into_datum())
    })
}

/// `cordon.tenant_text()`
fn text(args: Args) -> Result<Datum, Failure> {
    policy_value(args, |tenant| {
        let spelling = tenant.id.as_bytes();
        encoding::from_utf8(spelling.len(), Output::varlena, |out| {
            out.copy_from_slice(spelling);
            Ok(())
        })
        .map(Output::into_datum)
    })
}

/// What a policy compares the tenant column with. Without a tenant an error, or NULL, which no row equals.
fn policy_value(args: Args, value: impl FnOnce(&'static Assigned) -> Result<Datum, Failure>) -> Result<Datum, Failure> {
    match tenant::require() {
        Ok(tenant) => value(tenant),
        Err(Failure::NoTenant | Failure::StaleTenant) if settings::is_unset_tenant_empty() => Ok(args.null()),
        Err(failure) => Err(failure),
    }
}
