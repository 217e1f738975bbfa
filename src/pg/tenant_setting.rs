//! The setting that holds the current tenant: `app.team_id`, unless `cordon.tenant_setting` says otherwise. It is parsed
//! when it is set; [`super::tenant`] reads the result.

use core::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
};
use std::{ffi::CString, sync::OnceLock};

use cordon_core::{TenantId, tenant::TenantFault};
use pgrx::{
    PgSqlErrorCode, pg_guard,
    pg_sys::{self, GucContext, GucSource},
};

use super::{
    encoding,
    error::Failure,
    settings,
    tenant::{self, Assigned},
};

static mut SPELLING: *mut c_char = ptr::null_mut();

static NAME: OnceLock<CString> = OnceLock::new();

/// Defines the setting. Called once a process, after [`settings::define`].
pub fn define() {
    let name = NAME.get_or_init(|| settings::tenant_setting().to_owned());
    // SAFETY: the name is never freed; the variables are statics that only PostgreSQL and the hooks write.
    unsafe {
        pg_sys::DefineCustomStringVariable(
            name.as_ptr(),
            c"The current tenant.".as_ptr(),
            c"Rows of other tenants are out of reach and their sealed values do not open. Empty: no tenant.".as_ptr(),
            &raw mut SPELLING,
            ptr::null(),
            GucContext::PGC_USERSET,
            // So that poolers and drivers that track settings see it change.
            pg_sys::GUC_REPORT as c_int,
            Some(check),
            Some(assign),
            None,
        );
    }
}

/// The name of the setting.
pub fn name() -> &'static CStr {
    NAME.get().map_or(c"app.team_id", CString::as_c_str)
}

/// Sets the tenant until the transaction ends, as SET LOCAL does; an empty one unsets it. Refusals of the value are raised as
/// errors. In the database's encoding, as the setting is.
///
/// # Errors
/// [`Failure::NotText`] for a zero byte, [`Failure::Tenant`] for what is too long to be copied unseen.
pub fn set_local(spelling: &[u8]) -> Result<(), Failure> {
    if spelling.len() > TenantId::MAX_LEN {
        return Err(Failure::Tenant(TenantFault::TooLong));
    }
    let value = CString::new(spelling).map_err(|_| Failure::NotText)?;
    set(&value, pg_sys::GucAction::GUC_ACTION_LOCAL);
    Ok(())
}

/// Takes the session's tenant away.
pub fn unset() {
    set(c"", pg_sys::GucAction::GUC_ACTION_SET);
}

fn set(value: &CStr, action: pg_sys::GucAction::Type) {
    // SAFETY: both strings live through the call, which copies the value.
    unsafe {
        pg_sys::set_config_option(
            name().as_ptr(),
            value.as_ptr(),
            GucContext::PGC_USERSET,
            GucSource::PGC_S_SESSION,
            action,
            true,
            0,
            false,
        );
    }
}

/// Parses the value and hands the result over as `extra`.
///
/// # Safety
/// Called by PostgreSQL as a `GucStringCheckHook`.
#[pg_guard]
unsafe extern "C-unwind" fn check(
    new_value: *mut *mut c_char,
    extra: *mut *mut c_void,
    source: GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL passes the address of the value, which is null or a C string.
    let value = unsafe { *new_value };
    let spelling = if value.is_null() {
        &[]
    } else {
        // SAFETY: as above.
        unsafe { CStr::from_ptr(value) }.to_bytes()
    };
    let parsed = if spelling.is_empty() { Ok(None) } else { TenantId::parse(spelling).map(Some) };
    let new = match parsed {
        Ok(new) => new,
        Err(fault) => {
            refuse(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                INVALID,
                &fault.to_string(),
                "Keys are derived from the spelling of a tenant, so each tenant has only one.",
            );
            return false;
        }
    };
    if !spelling.is_ascii() && encoding::is_converted() {
        refuse(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            INVALID,
            "In a database whose encoding is neither UTF8 nor SQL_ASCII, a tenant is spelled in ASCII.",
            "The same bytes are other characters in UTF-8, and so another tenant.",
        );
        return false;
    }
    if source == GucSource::PGC_S_TEST {
        // ALTER ROLE ... SET, ALTER DATABASE ... SET and the SET clause of a function: a value that would be there before
        // the application says anything. SAFETY: within a transaction, where these statements are.
        if new.is_some() && unsafe { !pg_sys::superuser() } {
            refuse(
                PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
                INVALID,
                "Only a superuser may persist a tenant.",
                "The tenant is set per transaction, with SELECT cordon.set_tenant('...') or SET LOCAL.",
            );
            return false;
        }
    } else if !tenant::may_become(new.as_ref()) {
        let code = PgSqlErrorCode::ERRCODE_CANT_CHANGE_RUNTIME_PARAM;
        if tenant::is_across() {
            refuse(
                code,
                "the tenant of a query in cordon.across is fixed",
                "It was to be changed within the query, whose rows are returned as this tenant's.",
                "Name every tenant in the first argument of cordon.across.",
            );
        } else {
            refuse(
                code,
                "the tenant of this transaction is fixed",
                "With cordon.freeze_tenant, a transaction keeps the tenant that it first set or read.",
                "Set another tenant in another transaction.",
            );
        }
        return false;
    }
    let Some(new) = new else { return true };
    // SAFETY: the size of what is written. PostgreSQL frees `extra` with the value.
    unsafe {
        let memory = allocate(size_of::<Assigned>()).cast::<Assigned>();
        if memory.is_null() {
            return false;
        }
        memory.write(Assigned::now(new));
        *extra = memory.cast();
    }
    true
}

/// # Safety
/// Called by PostgreSQL as a `GucStringAssignHook`, with the `extra` that [`check`] made of the value, or null. Also when
/// a value returns: after RESET, a transaction, a savepoint or a function with a SET clause.
unsafe extern "C-unwind" fn assign(_value: *const c_char, extra: *mut c_void) {
    // SAFETY: PostgreSQL keeps `extra` until it has assigned another.
    unsafe { tenant::assign(extra.cast_const().cast()) };
}

/// Memory for a check hook's `extra`, or null.
///
/// # Safety
/// As malloc.
unsafe fn allocate(size: usize) -> *mut c_void {
    // SAFETY: by this function's contract.
    #[cfg(feature = "pg15")]
    unsafe {
        libc::malloc(size)
    }
    // SAFETY: by this function's contract. At LOG it returns null instead of raising an error.
    #[cfg(not(feature = "pg15"))]
    unsafe {
        pg_sys::guc_malloc(pg_sys::LOG as c_int, size)
    }
}

/// The message for a value that is not one of the setting.
const INVALID: &str = "";

/// Says why a value is refused. With a message of its own, PostgreSQL does not print the value.
fn refuse(code: PgSqlErrorCode, message: &str, detail: &str, hint: &str) {
    let message = match message {
        INVALID => format!("invalid value for parameter \"{}\"", name().to_string_lossy()),
        message => message.to_owned(),
    };
    // SAFETY: PostgreSQL reads these right after the hook returns, before anything resets the memory context.
    unsafe {
        pg_sys::GUC_check_errcode(code as c_int);
        pg_sys::GUC_check_errmsg_string = copy(&message);
        pg_sys::GUC_check_errdetail_string = copy(detail);
        pg_sys::GUC_check_errhint_string = copy(hint);
    }
}

/// A C string in the current memory context; empty when `text` holds a zero byte.
fn copy(text: &str) -> *mut c_char {
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: a C string.
    unsafe { pg_sys::pstrdup(text.as_ptr()) }
}
