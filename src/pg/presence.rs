//! Whether the database has the extension. A server that preloads the library serves others as well, and they pay for a look
//! at a variable.

use core::ffi::c_int;
use std::sync::atomic::{AtomicU8, Ordering};

use pgrx::pg_sys::{self, Datum, Oid, SysCacheIdentifier};

use super::trees::guarded;

const UNKNOWN: u8 = 0;
const ABSENT: u8 = 1;
const PRESENT: u8 = 2;

static PRESENCE: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Asks to be told when a schema is made or dropped, as those of the extension are with it. Once a process.
pub fn install_callback() {
    // SAFETY: while the library loads nothing else runs.
    unsafe {
        pg_sys::CacheRegisterSyscacheCallback(SysCacheIdentifier::NAMESPACENAME as c_int, Some(forget), Datum::null());
    }
}

/// Whether this database has the extension: without it, no value and no type of ours. To be called in a transaction, also from
/// frames over which errors pass: those of the look, as that of a lock that is not to be had, are PostgreSQL's by then.
#[inline]
pub fn is_present() -> bool {
    match PRESENCE.load(Ordering::Relaxed) {
        PRESENT => true,
        ABSENT => false,
        _ => guarded(look),
    }
}

/// Whether it may have the extension, for those who may not look: it has unless it is known that it has not.
pub fn may_be_present() -> bool {
    PRESENCE.load(Ordering::Relaxed) != ABSENT
}

#[cold]
fn look() -> bool {
    // SAFETY: a lookup in the system catalogs, where there is a transaction.
    let is_present = unsafe {
        if !pg_sys::IsTransactionState() {
            return false;
        }
        pg_sys::get_extension_oid(c"pg_cordon".as_ptr(), true) != Oid::INVALID
    };
    PRESENCE.store(if is_present { PRESENT } else { ABSENT }, Ordering::Relaxed);
    is_present
}

/// # Safety
/// Called by PostgreSQL.
unsafe extern "C-unwind" fn forget(_: Datum, _: c_int, _: u32) {
    PRESENCE.store(UNKNOWN, Ordering::Relaxed);
}
