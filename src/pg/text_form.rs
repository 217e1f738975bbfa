//! Whether this session exchanges sealed values as plaintext or as they are stored.

use std::sync::OnceLock;

use pgrx::pg_sys;

use super::settings;

/// Whether values go in and out in their stored form:
///
/// * with `row_security = off`, as pg_dump and the scripts it writes set it. It gives a user nothing: a query on a table
///   with row security then fails for whoever may not bypass it, and the stored form is ciphertext;
/// * in a WAL sender (base backups, logical decoding, initial copies) and in a logical replication worker;
/// * with `cordon.text_form = stored`.
///
/// Reads statics only.
pub fn is_stored() -> bool {
    // SAFETY: plain variables of this process, written by PostgreSQL between calls.
    unsafe { !pg_sys::row_security || pg_sys::am_walsender || settings::text_form_is_stored() || is_logical_worker() }
}

/// A process is a logical replication worker, or not, from its start.
fn is_logical_worker() -> bool {
    static IS_LOGICAL_WORKER: OnceLock<bool> = OnceLock::new();
    // SAFETY: looks at a variable of this process. Not called in the postmaster, whose answer its children would
    // inherit: it exchanges no values.
    *IS_LOGICAL_WORKER.get_or_init(|| unsafe { pg_sys::IsLogicalWorker() })
}
