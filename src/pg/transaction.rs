//! What is done when a transaction ends.

use core::{ffi::c_void, ptr};

use pgrx::pg_sys;

use super::{definitions, keys, literals, plans, tenant, text_form};

/// Asks to be called. Once a process.
pub fn install_callback() {
    // SAFETY: while the library loads nothing else runs.
    unsafe { pg_sys::RegisterXactCallback(Some(at_end), ptr::null_mut()) };
}

/// # Safety
/// Called by PostgreSQL.
unsafe extern "C-unwind" fn at_end(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_PARALLEL_PRE_COMMIT, XACT_EVENT_PRE_COMMIT, XACT_EVENT_PRE_PREPARE};
    if [XACT_EVENT_PRE_COMMIT, XACT_EVENT_PARALLEL_PRE_COMMIT, XACT_EVENT_PRE_PREPARE].contains(&event) {
        return;
    }
    literals::forget_input();
    plans::forget_planning();
    definitions::forget_new();
    text_form::forget_functions();
    tenant::thaw();
    keys::erase_stack();
}
