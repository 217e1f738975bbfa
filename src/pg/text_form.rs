//! Whether this session exchanges sealed values as plaintext or as they are stored.

use core::ffi::c_void;
use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

use pgrx::pg_sys::{self, Datum};

use super::{error::Failure, settings, subscriber};

/// Whether values go out in their stored form:
///
/// * with `row_security = off`, as pg_dump and the scripts it writes set it. It gives a user nothing: a query on a table
///   with row security then fails for whoever may not bypass it, and the stored form is ciphertext;
/// * in a WAL sender (base backups, logical decoding, initial copies) and in a logical replication worker;
/// * with `cordon.text_form = stored` or `restore`.
///
/// Reads statics only.
pub fn is_stored() -> bool {
    // SAFETY: plain variables of this process, written by PostgreSQL between calls.
    unsafe { !pg_sys::row_security || pg_sys::am_walsender || settings::text_form_is_stored() || is_logical_worker() }
}

/// How a value came to be read from text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// By an input function that no expression calls: in a COPY, from a client's parameter, by a replication worker; and for
    /// a literal that is being parsed.
    Direct,
    /// By an input function or a cast in an expression.
    Expression,
}

/// Whether a value in its stored form may be read here, where [`is_stored`] says that it is expected. Whoever could read one
/// in and out again in another form would decrypt what a leaked dump holds, so it is for those who could read the data in
/// other ways:
///
/// * a session whose *user* is superuser or has BYPASSRLS, as for pg_restore; or for which `cordon.text_form = restore` was
///   set. Not the current user: a SECURITY DEFINER function would lend its rights. And not in code that a user has planted in
///   a table, which runs by maintenance as its owner;
/// * a replication worker whose subscription's owner is one of these, which is its session's user, for what the publisher
///   sends: not in functions that triggers, defaults or constraints run there, and not where a default or a generated column
///   reads sealed values within an array or the like, by PostgreSQL's own functions.
///
/// # Errors
/// [`Failure::StoredFormRefused`].
pub fn may_read_stored(origin: Origin) -> Result<(), Failure> {
    // SAFETY: looks at variables of this process, and at the system catalogs.
    let may = unsafe {
        let session = pg_sys::GetSessionUserId();
        let is_privileged = settings::text_form_is_restore()
            || pg_sys::superuser_arg(session)
            || pg_sys::has_bypassrls_privilege(session);
        let is_ours = if is_logical_worker() {
            origin == Origin::Direct && FUNCTIONS.load(Ordering::Relaxed) == 0 && !subscriber::reads_sealed()
        } else {
            !pg_sys::InLocalUserIdChange() && !pg_sys::InSecurityRestrictedOperation()
        };
        is_privileged && is_ours
    };
    if may { Ok(()) } else { Err(Failure::StoredFormRefused) }
}

/// Whether this session restores a dump: it takes values as they are stored, and definitions as they were.
pub fn is_restoring() -> bool {
    is_stored() && may_read_stored(Origin::Direct).is_ok()
}

/// A process is a logical replication worker, or not, from its start.
fn is_logical_worker() -> bool {
    static IS_LOGICAL_WORKER: OnceLock<bool> = OnceLock::new();
    // SAFETY: looks at a variable of this process. Not called in the postmaster, whose answer its children would
    // inherit: it exchanges no values.
    *IS_LOGICAL_WORKER.get_or_init(|| unsafe { pg_sys::IsLogicalWorker() })
}

/// How many functions of users' are running, in a replication worker.
static FUNCTIONS: AtomicU32 = AtomicU32::new(0);

static mut NEXT_FUNCTION_HOOK: pg_sys::fmgr_hook_type = None;

/// Installs the hook that counts them. Once a process.
pub fn install_hook() {
    // SAFETY: while the library loads nothing else runs.
    unsafe {
        NEXT_FUNCTION_HOOK = pg_sys::fmgr_hook;
        pg_sys::fmgr_hook = Some(count_function);
    }
}

/// Whether functions are to be counted, so that the hook is called for each that is no part of PostgreSQL.
pub fn counts_functions() -> bool {
    is_logical_worker()
}

/// Called when a transaction ends.
pub fn forget_functions() {
    FUNCTIONS.store(0, Ordering::Relaxed);
}

/// # Safety
/// Called by PostgreSQL as an `fmgr_hook`.
unsafe extern "C-unwind" fn count_function(
    event: pg_sys::FmgrHookEventType::Type,
    function: *mut pg_sys::FmgrInfo,
    private: *mut Datum,
) {
    if counts_functions() {
        match event {
            pg_sys::FmgrHookEventType::FHET_START => {
                FUNCTIONS.fetch_add(1, Ordering::Relaxed);
            }
            _ => {
                let _ = FUNCTIONS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |running| running.checked_sub(1));
            }
        }
    }
    // SAFETY: PostgreSQL passes what the next hook expects.
    unsafe {
        if let Some(next) = NEXT_FUNCTION_HOOK {
            next(event, function, private);
        }
    }
}

/// How the function that is running was called.
///
/// # Safety
/// `call` must be that of the function that is running.
pub unsafe fn origin(call: pg_sys::FunctionCallInfo) -> Origin {
    // SAFETY: by this function's contract; NULL where nobody said which expression it is.
    let expression: *mut c_void = unsafe { (*(*call).flinfo).fn_expr.cast() };
    if expression.is_null() { Origin::Direct } else { Origin::Expression }
}
