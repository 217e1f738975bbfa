//! What the server log is not told: `cordon.redact_log`.
//!
//! PostgreSQL passes each entry to `emit_log_hook` before it writes it (`EmitErrorReport` in `utils/error/elog.c`). Texts are
//! changed in place, in the memory of the entry, or left out: the hook may be called out of memory or in a failed
//! transaction, so it allocates nothing and raises nothing. What it changes, the client sees as well, if it sees the
//! entry at all; so of errors only what goes to the log alone is changed.

use core::{
    ffi::{CStr, c_char, c_int},
    ptr, slice,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
};
use std::hash::{DefaultHasher, Hasher};

use cordon_core::redact::{Rules, mask, mask_audit};
use pgrx::{
    PgLogLevel,
    pg_sys::{self, ErrorData, TimestampTz},
};

use super::{
    presence::may_be_present,
    sealed_types::{holds_sealed, is_token_hash},
    settings::{self, RedactLog},
};

/// When the statement began that was the last one to handle a secret. PostgreSQL takes the time anew for each message of
/// a client, so it tells whether that statement is still the present one. Never at first, which is not 0: that is the time
/// in processes that run no statements, and their entries are to be as they were.
static SECRET_SINCE: AtomicI64 = AtomicI64::new(TimestampTz::MIN);

/// The texts of statements that have handled secrets, by digest: those that came last for each place.
static TOUCHED: [AtomicU64; 512] = [const { AtomicU64::new(0) }; 512];

static mut NEXT_EMIT_LOG: pg_sys::emit_log_hook_type = None;

/// The statement of the present entry without its literals, as far as it fits, and the statement that it was made of.
static mut MASKED: [u8; 32 << 10] = [0; 32 << 10];
static mut MASKED_OF: *const c_char = ptr::null();

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
    let now = statement_start();
    if SECRET_SINCE.swap(now, Ordering::Relaxed) != now
        && let Some((slot, digest)) = digest_of_statement()
    {
        slot.store(digest, Ordering::Relaxed);
    }
}

/// Whether values of a type are secrets, or what is taken for one is perhaps a secret.
pub fn is_secret(type_oid: pg_sys::Oid) -> bool {
    holds_sealed(type_oid) || is_token_hash(type_oid)
}

/// Has the server log show a text as the detail of the error that is about to be raised, whose own detail tells less.
pub fn say_to_the_log(detail: &str) {
    // SAFETY: only this process's one thread writes the buffer, and the hook reads it.
    let buffer: *mut [u8; _] = &raw mut KEYRING_DETAIL;
    // SAFETY: as above.
    let buffer = unsafe { &mut *buffer };
    let len = detail.len().min(buffer.len() - 1);
    buffer[..len].copy_from_slice(&detail.as_bytes()[..len]);
    buffer[len] = 0;
}

/// What the log says of the keyring that clients are not told: where it is.
static mut KEYRING_DETAIL: [u8; 1 << 10] = [0; 1 << 10];

/// Whether the present statement has handled a secret, or one of the same text has lately: a prepared statement is parsed,
/// bound and executed by messages of the client that count as statements of their own, of which only some may see the
/// literal in its text.
fn has_secret() -> bool {
    // A worker has the text of its leader's statement, and knows nothing else of it.
    (is_parallel_worker() && may_be_present())
        || SECRET_SINCE.load(Ordering::Relaxed) == statement_start()
        || digest_of_statement().is_some_and(|(slot, digest)| slot.load(Ordering::Relaxed) == digest)
}

/// What stands for the text of the present statement, and where it is kept.
fn digest_of_statement() -> Option<(&'static AtomicU64, u64)> {
    // SAFETY: NULL or the statement that this process executes.
    let statement = unsafe { text(present_statement()) }?;
    let mut hasher = DefaultHasher::new();
    hasher.write(statement);
    let digest = hasher.finish();
    TOUCHED.get(digest as usize % TOUCHED.len()).map(|slot| (slot, digest))
}

/// # Safety
/// Called by PostgreSQL as an `emit_log_hook`.
unsafe extern "C-unwind" fn emit_log(entry: *mut ErrorData) {
    // SAFETY: PostgreSQL passes the entry that it is about to write.
    unsafe {
        redact(&mut *entry);
        if let Some(next) = NEXT_EMIT_LOG {
            next(entry);
        }
    }
}

/// # Safety
/// `entry` must be one that PostgreSQL is about to write.
unsafe fn redact(entry: &mut ErrorData) {
    let is_redacted = match settings::redact_log() {
        // SAFETY: as below.
        RedactLog::Off => return unsafe { tell_of_the_keyring(entry) },
        RedactLog::Touched => has_secret() || is_audited_with_secrets(entry),
        RedactLog::All => true,
    };
    // SAFETY: the entry's texts are C strings in its own memory.
    unsafe {
        tell_of_the_keyring(entry);
        redact_other_sessions(entry);
        if !is_redacted {
            return;
        }
        // The context shows statements of functions, parameters, the line that COPY reads.
        entry.hide_ctx = true;
        // Those of pgaudit and auto_explain are entries about a statement at whatever level these are told to log.
        let is_about_statement = entry.elevel < PgLogLevel::INFO as c_int
            || entry.elevel < PgLogLevel::ERROR as c_int && (is_plan(entry) || is_audit(entry));
        if is_about_statement {
            redact_statement(entry);
        } else {
            redact_error(entry);
        }
    }
}

/// # Safety
/// As [`redact`].
unsafe fn tell_of_the_keyring(entry: &mut ErrorData) {
    // SAFETY: by this function's contract; the buffer ends with a zero.
    unsafe {
        let Some(detail) = text(entry.detail) else { return };
        let is_ours = detail.starts_with(b"The keyring file: ") || *detail == *b"There is no keyring file.";
        let whole: *mut [u8; _] = &raw mut KEYRING_DETAIL;
        if is_ours && entry.elevel >= PgLogLevel::ERROR as c_int && (*whole)[0] != 0 {
            entry.detail_log = whole.cast();
        }
    }
}

/// An error, warning, notice or debug message, and the statement that is printed with it.
///
/// # Safety
/// As [`redact`].
unsafe fn redact_error(entry: &mut ErrorData) {
    // The text that failed may be no SQL, in which a secret is no literal. So it is masked only where it need not hold one.
    let is_touched = has_secret();
    if is_touched {
        entry.hide_stmt = true;
    }
    // The same in a function's dynamic SQL; the client does without it, too.
    entry.internalquery = ptr::null_mut();
    entry.internalpos = 0;
    // SAFETY: by this function's contract.
    unsafe {
        if !is_touched && !entry.hide_stmt {
            mask_statement();
        }
    }
    // An error's memory is not freed piece by piece, as that of lesser entries is.
    if entry.elevel >= PgLogLevel::ERROR as c_int {
        if tells_a_row(entry.sqlerrcode) {
            entry.detail_log = c"The row is left out, because it holds what is sealed.".as_ptr().cast_mut();
        } else if is_of_data(entry.sqlerrcode) && is_touched && !entry.detail.is_null() {
            entry.detail_log = c"The detail is left out, because it may hold a secret.".as_ptr().cast_mut();
        }
    }
}

/// An entry about a statement: `log_statement`, `log_min_duration_statement`, auto_explain.
///
/// # Safety
/// As [`redact`].
unsafe fn redact_statement(entry: &mut ErrorData) {
    // SAFETY: by this function's contract.
    unsafe {
        if is_audit(entry) {
            if let Some(message) = text(entry.message) {
                let len = mask_audit(message, rules());
                end_at(message, len);
            }
        } else if let Some(message) = text(entry.message) {
            if let Some(plan) = find(message, b"plan:\n").filter(|_| is_plan(entry)) {
                let plan = &mut message[plan + b"plan:\n".len()..];
                // In its other formats quotes mean other things; and in parameters, which 16 adds, than in a statement where a
                // backslash escapes.
                let is_sql = rules().standard_conforming_strings || find(plan, b"\nQuery Parameters: ").is_none();
                if is_sql && plan.starts_with(b"Query Text: ") && !plan.starts_with(b"Query Text: \"") {
                    mask_in_place(plan, rules());
                } else {
                    leave_out(plan);
                }
            } else if let Some(statement) = statement_in(message) {
                mask_in_place(statement, rules());
            } else if let Some(start) = quoted_statement_in(message) {
                // In the middle, as CSV, with parameters behind it: what is secret in there nobody can tell.
                leave_out(&mut message[start..]);
            }
        }
        // Parameters, in which a quote is doubled and a backslash is one, whatever the setting; the statement that EXECUTE
        // refers to; the trees of debug_print_parse, which are no SQL.
        if let Some(detail) = text(entry.detail) {
            if text(entry.message_id.cast_mut()).is_some_and(|id| *id == *b"%s:") {
                leave_out(detail);
            } else if find(detail, b"$1 = ").is_some() {
                mask_in_place(detail, Rules { standard_conforming_strings: true, ..rules() });
            } else {
                mask_in_place(detail, rules());
            }
        }
        if let Some(detail) = text(entry.detail_log) {
            mask_in_place(detail, rules());
        }
        if !entry.hide_stmt {
            mask_statement();
        }
    }
}

/// What other sessions ran, whose secrets nobody knows of here: a deadlock shows the statements of all that took part, and
/// the postmaster the one that a process died of.
///
/// # Safety
/// As [`redact`].
unsafe fn redact_other_sessions(entry: &mut ErrorData) {
    const CRASH: &[u8] = b"Failed process was running: ";
    // SAFETY: by this function's contract. What is left of a deadlock is the detail that the client gets.
    unsafe {
        if entry.sqlerrcode == DEADLOCK_DETECTED && entry.elevel >= PgLogLevel::ERROR as c_int {
            entry.detail_log = ptr::null_mut();
        }
        if let Some(detail) = text(entry.detail)
            && entry.elevel < PgLogLevel::WARNING as c_int
            && (detail.starts_with(CRASH) || is_postmaster())
        {
            mask_in_place(detail, rules());
        }
    }
}

/// Whether it is auto_explain's entry, by its format, which is not translated.
fn is_plan(entry: &ErrorData) -> bool {
    // SAFETY: NULL or a C string.
    unsafe { text(entry.message_id.cast_mut()) }.is_some_and(|id| find(id, b"plan:\n").is_some())
}

/// The statement at the end of a message, whatever language the rest is in.
fn statement_in(message: &mut [u8]) -> Option<&mut [u8]> {
    // SAFETY: NULL or the statement that this process executes.
    let statement = unsafe { text(present_statement()) }?;
    let start = message.len().checked_sub(statement.len())?;
    let is_it = !statement.is_empty() && message[start..] == *statement;
    is_it.then(|| &mut message[start..])
}

/// Where the present statement begins in the middle of another extension's message, in which a quote may be doubled.
fn quoted_statement_in(message: &[u8]) -> Option<usize> {
    // SAFETY: NULL or the statement that this process executes.
    let statement = unsafe { text(present_statement()) }?;
    let begins = |at: usize| {
        let mut rest = message[at..].iter().peekable();
        statement.iter().take(SAME).all(|byte| {
            let is_same = rest.next() == Some(byte);
            if *byte == b'"' {
                rest.next_if_eq(&&b'"');
            }
            is_same
        })
    };
    (!statement.is_empty()).then(|| (0..message.len()).find(|at| begins(*at)))?
}

/// Whether it is pgaudit's entry.
fn is_audit(entry: &ErrorData) -> bool {
    // SAFETY: NULL or a C string.
    unsafe { text(entry.message) }.is_some_and(|message| message.starts_with(AUDIT))
}

/// Whether it is an entry of pgaudit where secrets may be: it comes before the statement runs, so whether that handles one is
/// not known.
fn is_audited_with_secrets(entry: &ErrorData) -> bool {
    is_audit(entry) && entry.elevel < PgLogLevel::ERROR as c_int && may_be_present()
}

/// What entries of pgaudit begin with.
const AUDIT: &[u8] = b"AUDIT: ";

/// So many bytes of a statement are not there by chance.
const SAME: usize = 24;

/// The statement that this process executes, as the client sent it, or NULL.
fn present_statement() -> *mut c_char {
    // SAFETY: plain variables of this process.
    unsafe {
        let statement = pg_sys::debug_query_string;
        let is_masked = statement == (&raw const MASKED).cast();
        if is_masked { MASKED_OF } else { statement }.cast_mut()
    }
}

/// Has PostgreSQL print the present statement without its literals, from here until the next statement.
///
/// # Safety
/// To be called from the hook.
unsafe fn mask_statement() {
    // SAFETY: `debug_query_string` is NULL or a C string, and set anew for each message of the client; only this function
    // writes the buffer.
    unsafe {
        let statement = pg_sys::debug_query_string;
        let masked: *mut [u8; _] = &raw mut MASKED;
        let masked = &mut *masked;
        if statement == masked.as_ptr().cast() {
            return;
        }
        let Some(whole) = text(statement.cast_mut()) else { return };
        let copied = whole.len().min(masked.len() - 1);
        masked[..copied].copy_from_slice(&whole[..copied]);
        let len = mask(&mut masked[..copied], rules());
        masked[len] = 0;
        MASKED_OF = statement;
        pg_sys::debug_query_string = masked.as_ptr().cast();
    }
}

/// Masks a text and ends it where it ends then.
fn mask_in_place(text: &mut [u8], rules: Rules) {
    let len = mask(text, rules);
    end_at(text, len);
}

/// Ends a text, if it is longer than so.
fn end_at(text: &mut [u8], len: usize) {
    if let Some(end) = text.get_mut(len) {
        *end = 0;
    }
}

/// Puts a note in place of a text, as far as it fits.
fn leave_out(text: &mut [u8]) {
    const NOTE: &[u8] = b"(left out)";
    let len = NOTE.len().min(text.len());
    text[..len].copy_from_slice(&NOTE[..len]);
    end_at(text, len);
}

fn rules() -> Rules {
    // SAFETY: a plain variable of this process.
    let standard_conforming_strings = unsafe { pg_sys::standard_conforming_strings };
    Rules { standard_conforming_strings, vertical_tab_is_space: cfg!(not(feature = "pg15")) }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// # Safety
/// `start` must be NULL or a C string, which nothing else refers to while the result lives.
unsafe fn text<'a>(start: *mut c_char) -> Option<&'a mut [u8]> {
    // SAFETY: by this function's contract.
    unsafe {
        let len = CStr::from_ptr(start.as_ref()?).count_bytes();
        Some(slice::from_raw_parts_mut(start.cast(), len))
    }
}

/// `ERRCODE_T_R_DEADLOCK_DETECTED`, 40P01, six bits a character (`utils/elog.h`).
const DEADLOCK_DETECTED: c_int = {
    const fn six_bits(byte: u8) -> c_int {
        (byte as c_int - b'0' as c_int) & 0x3f
    }
    six_bits(b'4') | six_bits(b'0') << 6 | six_bits(b'P') << 12 | six_bits(b'0') << 18 | six_bits(b'1') << 24
};

/// Whether the detail of errors of that class shows the row at fault: of violated constraints (23) and of views with
/// check options (44). The class is the first two characters, six bits each.
const fn tells_a_row(sqlstate: c_int) -> bool {
    matches!(sqlstate & 0xfff, 0o0302 | 0o0404)
}

/// Whether an error is one of a value (class 22), whose detail may quote it.
const fn is_of_data(sqlstate: c_int) -> bool {
    sqlstate & 0xfff == 0o0202
}

fn is_parallel_worker() -> bool {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::ParallelWorkerNumber >= 0 }
}

fn is_postmaster() -> bool {
    // SAFETY: plain variables of this process.
    unsafe { pg_sys::MyProcPid == pg_sys::PostmasterPid }
}

fn statement_start() -> TimestampTz {
    // SAFETY: reads a variable of this process.
    unsafe { GetCurrentStatementStartTimestamp() }
}

unsafe extern "C" {
    /// As in `access/xact.h`. pgrx's own declaration guards against errors, which this cannot raise.
    fn GetCurrentStatementStartTimestamp() -> TimestampTz;
}
