//! The library's settings, except the tenant.

use core::{
    ffi::{CStr, c_char, c_int},
    ptr,
};

use pgrx::pg_sys::{self, GucContext};

const PLAIN: c_int = 0;
const STORED: c_int = 1;

static mut TEXT_FORM: c_int = PLAIN;
static mut TENANT_SETTING: *mut c_char = ptr::null_mut();
static mut KEYRING_FILE: *mut c_char = ptr::null_mut();
static mut KEYRING_COMMAND: *mut c_char = ptr::null_mut();

/// The names of the values of `cordon.text_form`, ended by an entry without a name.
struct TextForms([pg_sys::config_enum_entry; 3]);

// SAFETY: never written.
unsafe impl Sync for TextForms {}

static TEXT_FORMS: TextForms = TextForms([
    pg_sys::config_enum_entry { name: c"plain".as_ptr(), val: PLAIN, hidden: false },
    pg_sys::config_enum_entry { name: c"stored".as_ptr(), val: STORED, hidden: false },
    pg_sys::config_enum_entry { name: ptr::null(), val: 0, hidden: false },
]);

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
        // For roles that copy sealed values about without reading them (ALTER ROLE analyst SET …).
        pg_sys::DefineCustomEnumVariable(
            c"cordon.text_form".as_ptr(),
            c"How sealed values are exchanged as text: as plaintext, or as they are stored.".as_ptr(),
            ptr::null(),
            &raw mut TEXT_FORM,
            PLAIN,
            TEXT_FORMS.0.as_ptr(),
            GucContext::PGC_SUSET,
            0,
            None,
            None,
            None,
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

/// Whether `cordon.text_form` is `stored`.
pub fn text_form_is_stored() -> bool {
    // SAFETY: PostgreSQL writes it between calls.
    unsafe { TEXT_FORM == STORED }
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
