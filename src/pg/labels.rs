//! Security labels of the provider `pg_cordon`: what a DBA has looked at, which the audit then takes as acknowledged.
//!
//! PostgreSQL lets an owner label what is his, so what silences the audit needs more: an owner must not acknowledge what it says
//! about himself.

use core::ffi::{CStr, c_char};

use cordon_core::label::{self, Key};
use pgrx::{
    pg_guard,
    pg_sys::{self, AclResult, Datum, ObjectAddress, Oid, SysCacheIdentifier},
};

use super::{error::Failure, role::is_superuser};

const PROVIDER: &CStr = c"pg_cordon";

/// Has PostgreSQL ask before a label is stored. Once a process.
pub fn register() {
    // SAFETY: the name lives as long as the process.
    unsafe { pg_sys::register_label_provider(PROVIDER.as_ptr(), Some(check)) }
}

/// # Safety
/// Called by PostgreSQL, as a `check_object_relabel_type` (`commands/seclabel.h`), for the object that is labelled.
#[pg_guard]
unsafe extern "C-unwind" fn check(object: *const ObjectAddress, label: *const c_char) {
    // SAFETY: PostgreSQL passes an object that it has locked, and NULL or a C string; the present label is a copy.
    let (object, label, before) =
        unsafe { (*object, text(label), text(pg_sys::GetSecurityLabel(&raw const *object, PROVIDER.as_ptr()))) };
    let before = before.as_deref().map_or_else(Vec::new, |before| label::keys(before).unwrap_or_default());
    let keys = match label.as_deref().map(label::keys) {
        None => Vec::new(),
        Some(Ok(keys)) => keys,
        Some(Err(fault)) => Failure::Label(fault).raise(),
    };
    let is_relation = object.classId == pg_sys::RelationRelationId;
    for key in &keys {
        let fits = match key {
            Key::Plain | Key::Secret => is_relation && object.objectSubId > 0,
            Key::Shared => is_relation && object.objectSubId == 0,
            Key::Reviewed | Key::Code(_) => true,
        };
        if !fits {
            Failure::LabelOnOther(if *key == Key::Shared { "tables" } else { "columns" }).raise();
        }
    }
    let acknowledges = keys.iter().any(|key| *key != Key::Secret);
    let forgets_secret = before.contains(&Key::Secret) && !keys.contains(&Key::Secret);
    if (acknowledges || forgets_secret) && !is_superuser() && !may_acknowledge() {
        Failure::MayNotAcknowledge.raise();
    }
}

/// A label, as far as any is taken for one: what follows makes it one that is refused.
///
/// # Safety
/// `start` must be NULL or a C string.
unsafe fn text(start: *const c_char) -> Option<String> {
    // Copied by Rust, which ends the process when there is no memory.
    const LONGEST: usize = 64 << 10;
    if start.is_null() {
        return None;
    }
    // SAFETY: by this function's contract.
    let bytes = unsafe { CStr::from_ptr(start) }.to_bytes();
    let mut text = String::from_utf8_lossy(bytes.get(..LONGEST).unwrap_or(bytes)).into_owned();
    if bytes.len() > LONGEST {
        text.push('\n');
    }
    Some(text)
}

/// Whether the current role may execute `cordon.acknowledge(text)`.
fn may_acknowledge() -> bool {
    // SAFETY: lookups in the system catalogs, within the transaction of the statement; the vector lives until they are done.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"cordon".as_ptr(), true);
        let argument = pg_sys::TEXTOID;
        let arguments = pg_sys::buildoidvector(&raw const argument, 1);
        let function = pg_sys::GetSysCacheOid(
            SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            pg_sys::Anum_pg_proc_oid as pg_sys::AttrNumber,
            Datum::from(c"acknowledge".as_ptr()),
            Datum::from(arguments),
            Datum::from(schema),
            Datum::null(),
        );
        function != Oid::INVALID && may_execute(function)
    }
}

/// # Safety
/// Within a transaction.
unsafe fn may_execute(function: Oid) -> bool {
    // SAFETY: by this function's contract.
    unsafe {
        let role = pg_sys::GetUserId();
        let mode = pg_sys::AclMode::from(pg_sys::ACL_EXECUTE);
        #[cfg(feature = "pg15")]
        let result = pg_sys::pg_proc_aclcheck(function, role, mode);
        #[cfg(not(feature = "pg15"))]
        let result = pg_sys::object_aclcheck(pg_sys::ProcedureRelationId, function, role, mode);
        result == AclResult::ACLCHECK_OK
    }
}
