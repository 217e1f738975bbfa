//! The current role.

use pgrx::pg_sys;

/// Whether the current role is a superuser.
pub fn is_superuser() -> bool {
    // SAFETY: a lookup in the system catalogs, within the transaction of the statement that asks.
    unsafe { pg_sys::superuser() }
}
