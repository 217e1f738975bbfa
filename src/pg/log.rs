//! What the server log is not told.

use core::{
    ffi::c_int,
    ptr,
    sync::atomic::{AtomicI64, Ordering},
};

use pgrx::{
    PgLogLevel,
    pg_sys::{self, ErrorData, TimestampTz},
};

/// When the statement began that was the last one to handle a secret. PostgreSQL takes the time anew for each message of
/// a client, so it tells whether that statement is still the present one. Never at first, which is not 0: that is the time
/// in processes that run no statements, and their entries are to be as they were.
static SECRET_SINCE: AtomicI64 = AtomicI64::new(TimestampTz::MIN);

static mut NEXT_EMIT_LOG: pg_sys::emit_log_hook_type = None;

/// Installs the hook. Once a process.
pub fn install_hook() {
    // SAFETY: while the library loads nothing else runs.
    unsafe {
        NEXT_EMIT_LOG = pg_sys::emit_log_hook;
        pg_sys::emit_log_hook = Some(emit_log);
    }
}

/// Notes that the present statement handles plaintext or a token.
pub fn note_secret() {
    SECRET_SINCE.store(statement_start(), Ordering::Relaxed);
}

/// Leaves the text of a statement that has handled a secret out of the log: a literal in it may be the secret. So may one
/// in the context, which shows the statements of functions, and the row that a violated constraint shows is opened.
///
/// # Safety
/// Called by PostgreSQL as an `emit_log_hook`, perhaps out of memory or in a failed transaction: allocates nothing,
/// raises nothing.
unsafe extern "C-unwind" fn emit_log(entry: *mut ErrorData) {
    // SAFETY: PostgreSQL passes the entry that it is about to write.
    unsafe {
        if SECRET_SINCE.load(Ordering::Relaxed) == statement_start() {
            (*entry).hide_stmt = true;
            (*entry).hide_ctx = true;
            // The same in a function's dynamic SQL; the client does without it, too.
            (*entry).internalquery = ptr::null_mut();
            (*entry).internalpos = 0;
            // An error's memory is not freed piece by piece, as that of lesser entries is.
            if (*entry).elevel >= PgLogLevel::ERROR as c_int && tells_a_row((*entry).sqlerrcode) {
                (*entry).detail_log = c"The row is left out, because it holds what is sealed.".as_ptr().cast_mut();
            }
        }
        if let Some(next) = NEXT_EMIT_LOG {
            next(entry);
        }
    }
}

/// Whether the detail of errors of that class shows the row at fault: of violated constraints (23) and of views with
/// check options (44). The class is the first two characters, six bits each (`utils/elog.h`).
const fn tells_a_row(sqlstate: c_int) -> bool {
    matches!(sqlstate & 0xfff, 0o0302 | 0o0404)
}

fn statement_start() -> TimestampTz {
    // SAFETY: reads a variable of this process.
    unsafe { GetCurrentStatementStartTimestamp() }
}

unsafe extern "C" {
    /// As in `access/xact.h`. pgrx's own declaration guards against errors, which this cannot raise.
    fn GetCurrentStatementStartTimestamp() -> TimestampTz;
}
