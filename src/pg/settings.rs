//! The library's settings, except the tenant.

use core::{
    ffi::{CStr, c_char, c_int},
    ptr,
};

use pgrx::pg_sys::{self, GucContext};

/// Values of the settings that are one of two words.
const PLAIN: c_int = 0;
const STORED: c_int = 1;
const RESTORE: c_int = 2;
const SESSION: c_int = 0;
const TRANSACTION: c_int = 1;
const ERROR: c_int = 0;
const EMPTY: c_int = 1;
const WARN: c_int = 1;
const OFF: c_int = 0;
const TOUCHED: c_int = 1;

static mut TEXT_FORM: c_int = PLAIN;
static mut TENANT_SCOPE: c_int = SESSION;
static mut ON_UNSET_TENANT: c_int = ERROR;
static mut GUARD_LEVEL: c_int = WARN;
static mut REDACT_LOG: c_int = TOUCHED;
static mut FREEZE_TENANT: bool = false;
static mut TENANT_SETTING: *mut c_char = ptr::null_mut();
static mut KEYRING_FILE: *mut c_char = ptr::null_mut();
static mut KEYRING_COMMAND: *mut c_char = ptr::null_mut();
static mut SECRET_NAMES: *mut c_char = ptr::null_mut();

/// The names of a setting's values, of which there are at most three, ended by an entry without a name.
struct Words([pg_sys::config_enum_entry; 4]);

// SAFETY: never written.
unsafe impl Sync for Words {}

impl Words {
    /// The first name stands for 0, the next for 1 and so on.
    const fn new(names: &[&'static CStr]) -> Self {
        let mut entries = [pg_sys::config_enum_entry { name: ptr::null(), val: 0, hidden: false }; 4];
        let mut at = 0;
        while at < names.len() {
            entries[at] = pg_sys::config_enum_entry { name: names[at].as_ptr(), val: at as c_int, hidden: false };
            at += 1;
        }
        Self(entries)
    }
}

static TEXT_FORMS: Words = Words::new(&[c"plain", c"stored", c"restore"]);
static TENANT_SCOPES: Words = Words::new(&[c"session", c"transaction"]);
static ON_UNSET: Words = Words::new(&[c"error", c"empty"]);
static GUARD: Words = Words::new(&[c"off", c"warn", c"error"]);
static REDACTION: Words = Words::new(&[c"off", c"touched", c"all"]);

/// Defines the settings. Called once a process.
pub fn define() {
    // SAFETY: the variables are statics, which only PostgreSQL writes from now on; the strings are static.
    unsafe {
        // The name of the tenant setting, for applications that have one already. Settings cannot be renamed later, so
        // a change counts from the next load of the library.
        define_string(
            c"cordon.tenant_setting",
            c"Name of the setting that holds the current tenant.",
            &raw mut TENANT_SETTING,
            c"app.team_id",
            GucContext::PGC_SIGHUP,
            0,
        );
        // Where the root keys are. Not for users to see: a path tells where to look.
        define_string(
            c"cordon.keyring_file",
            c"File that holds the root keys.",
            &raw mut KEYRING_FILE,
            c"pg_cordon_keyring.json",
            GucContext::PGC_SIGHUP,
            pg_sys::GUC_SUPERUSER_ONLY,
        );
        // For servers whose keys come from a KMS and must not lie on a disk. Run by the postmaster, before there are
        // backends that could be kept waiting; so it cannot change later.
        let fixed_at_start = if is_preload() { GucContext::PGC_POSTMASTER } else { GucContext::PGC_SIGHUP };
        define_string(
            c"cordon.keyring_command",
            c"Command that prints the root keys, run when the server starts.",
            &raw mut KEYRING_COMMAND,
            c"",
            fixed_at_start,
            pg_sys::GUC_SUPERUSER_ONLY,
        );
        // Read with current_setting(), by the audit.
        define_string(
            c"cordon.secret_names",
            c"Regular expression for names of columns that the audit takes for secrets when they hold plain text.",
            &raw mut SECRET_NAMES,
            c"token|secret|passw(or)?d|passphrase|credential|(api|access|private|signing|encryption)_?key|(^|_)(jwt|otp|totp|pwd|ssn|iban|cvv)(_|$)",
            GucContext::PGC_SUSET,
            0,
        );
        // For roles that copy sealed values about without reading them (ALTER ROLE analyst SET …); with restore also back, for
        // owners who restore dumps and are no superusers.
        define_words(
            c"cordon.text_form",
            c"How sealed values are exchanged as text: as plaintext, as they are stored, or so in both directions.",
            &raw mut TEXT_FORM,
            &TEXT_FORMS,
        );
        // Against injected SQL that switches to another tenant in the middle of a transaction.
        pg_sys::DefineCustomBoolVariable(
            c"cordon.freeze_tenant".as_ptr(),
            c"Whether a transaction keeps the tenant that it first set or read.".as_ptr(),
            ptr::null(),
            &raw mut FREEZE_TENANT,
            false,
            GucContext::PGC_SUSET,
            0,
            None,
            None,
            None,
        );
        // Against a tenant that another client left on a pooled connection.
        define_words(
            c"cordon.tenant_scope",
            c"How long a tenant counts: for the session, or for the transaction that set it.",
            &raw mut TENANT_SCOPE,
            &TENANT_SCOPES,
        );
        // For applications that expect an empty result where nobody is signed in.
        define_words(
            c"cordon.on_unset_tenant",
            c"What policies do without a tenant: raise an error, or show no rows.",
            &raw mut ON_UNSET_TENANT,
            &ON_UNSET,
        );
        // What the event triggers of cordon.enable_guard do, which read it with current_setting().
        define_words(
            c"cordon.guard",
            c"What happens to DDL that leaves a protected table open: nothing, a warning, or an error.",
            &raw mut GUARD_LEVEL,
            &GUARD,
        );
        // Secrets are literals and parameters of statements, which PostgreSQL logs as it is told to.
        define_words(
            c"cordon.redact_log",
            c"Which statements the server log shows without literals: none, those that handle secrets, or all.",
            &raw mut REDACT_LOG,
            &REDACTION,
        );
        // A misspelt cordon.* is an error from now on.
        pg_sys::MarkGUCPrefixReserved(c"cordon".as_ptr());
    }
}

/// Whether the library is being loaded by the postmaster.
pub fn is_preload() -> bool {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// What `cordon.redact_log` says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RedactLog {
    /// The log shows everything.
    Off,
    /// Statements that handle secrets are redacted.
    Touched,
    /// Every statement is.
    All,
}

/// The value of `cordon.redact_log`.
pub fn redact_log() -> RedactLog {
    // SAFETY: PostgreSQL writes it between calls.
    match unsafe { REDACT_LOG } {
        OFF => RedactLog::Off,
        TOUCHED => RedactLog::Touched,
        _ => RedactLog::All,
    }
}

/// Whether `cordon.text_form` is `stored` or `restore`.
pub fn text_form_is_stored() -> bool {
    // SAFETY: PostgreSQL writes it between calls.
    unsafe { TEXT_FORM == STORED || TEXT_FORM == RESTORE }
}

/// Whether `cordon.text_form` is `restore`.
pub fn text_form_is_restore() -> bool {
    // SAFETY: PostgreSQL writes it between calls.
    unsafe { TEXT_FORM == RESTORE }
}

/// `cordon.freeze_tenant`.
pub fn is_tenant_frozen() -> bool {
    // SAFETY: PostgreSQL writes it between calls.
    unsafe { FREEZE_TENANT }
}

/// Whether `cordon.tenant_scope` is `transaction`.
pub fn is_tenant_scope_transaction() -> bool {
    // SAFETY: PostgreSQL writes it between calls.
    unsafe { TENANT_SCOPE == TRANSACTION }
}

/// Whether `cordon.on_unset_tenant` is `empty`.
pub fn is_unset_tenant_empty() -> bool {
    // SAFETY: PostgreSQL writes it between calls.
    unsafe { ON_UNSET_TENANT == EMPTY }
}

/// `cordon.tenant_setting`.
pub fn tenant_setting() -> &'static CStr {
    // SAFETY: see `string`; used once, while the library loads.
    unsafe { string(TENANT_SETTING) }
}

/// `cordon.keyring_file`, for use before the next setting is changed.
pub fn keyring_file() -> &'static CStr {
    // SAFETY: see `string`; each caller copies the path.
    unsafe { string(KEYRING_FILE) }
}

/// `cordon.keyring_command`, empty when there is none, for use before the next setting is changed.
pub fn keyring_command() -> &'static CStr {
    // SAFETY: see `string`; each caller copies the command or looks at it once.
    unsafe { string(KEYRING_COMMAND) }
}

/// # Safety
/// `value` must be the variable of a string setting, and the result must not be kept until the setting changes.
const unsafe fn string(value: *mut c_char) -> &'static CStr {
    if value.is_null() {
        return c"";
    }
    // SAFETY: PostgreSQL keeps a C string there.
    unsafe { CStr::from_ptr(value) }
}

/// # Safety
/// `variable` must be a static that nothing else writes.
unsafe fn define_string(
    name: &'static CStr,
    description: &'static CStr,
    variable: *mut *mut c_char,
    boot_value: &'static CStr,
    context: GucContext::Type,
    flags: u32,
) {
    // SAFETY: by this function's contract, and the strings are static.
    unsafe {
        pg_sys::DefineCustomStringVariable(
            name.as_ptr(),
            description.as_ptr(),
            ptr::null(),
            variable,
            boot_value.as_ptr(),
            context,
            flags as c_int,
            None,
            None,
            None,
        );
    }
}

/// A setting for superusers that is one of some words. Its default is what the variable holds.
///
/// # Safety
/// As [`define_string`].
unsafe fn define_words(name: &'static CStr, description: &'static CStr, variable: *mut c_int, words: &'static Words) {
    // SAFETY: by this function's contract, and the strings are static.
    unsafe {
        pg_sys::DefineCustomEnumVariable(
            name.as_ptr(),
            description.as_ptr(),
            ptr::null(),
            variable,
            *variable,
            words.0.as_ptr(),
            GucContext::PGC_SUSET,
            0,
            None,
            None,
            None,
        );
    }
}
