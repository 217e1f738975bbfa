//! The current tenant.

use pgrx::pg_sys::{Datum, FunctionCallInfo};

use crate::{
    c_functions,
    pg::{
        across::across,
        encoding,
        error::Failure,
        fmgr::Args,
        settings,
        tenant::{self, Assigned},
        tenant_setting,
        varlena::Output,
    },
    unguarded_functions,
};

unguarded_functions! {
    cordon_across => across;
}

c_functions! {
    set_tenant_wrapper => set_tenant;
    current_tenant_wrapper => current_tenant;
    tenant_int4 => int4;
    tenant_int8 => int8;
    tenant_uuid => uuid;
    tenant_text => text;
}

/// `cordon.set_tenant(tenant text)`: until the end of the transaction; NULL and `''` unset it.
fn set_tenant(args: Args) -> Result<Datum, Failure> {
    let given = (!args.is_null(0)).then(|| args.varlena(0));
    tenant_setting::set_local(given.as_ref().map_or(&[][..], |tenant| tenant.as_bytes()))?;
    current_tenant(args)
}

/// `cordon.current_tenant()`: NULL when none is set.
fn current_tenant(args: Args) -> Result<Datum, Failure> {
    match tenant::read() {
        Err(Failure::StaleTenant) | Ok(None) => Ok(args.null()),
        Err(failure) => Err(failure),
        Ok(Some(tenant)) => spelling(tenant),
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
    policy_value(args, spelling)
}

/// A tenant as text in the database's encoding.
fn spelling(tenant: &Assigned) -> Result<Datum, Failure> {
    let spelling = tenant.id.as_bytes();
    encoding::from_utf8(spelling.len(), Output::varlena, |out| {
        out.copy_from_slice(spelling);
        Ok(())
    })
    .map(Output::into_datum)
}

/// What a policy compares the tenant column with. Without a tenant an error, or NULL, which no row equals.
fn policy_value(args: Args, value: impl FnOnce(&'static Assigned) -> Result<Datum, Failure>) -> Result<Datum, Failure> {
    match tenant::require() {
        Ok(tenant) => value(tenant),
        Err(Failure::NoTenant | Failure::StaleTenant) if settings::is_unset_tenant_empty() => Ok(args.null()),
        Err(failure) => Err(failure),
    }
}
