//! What is done when a transaction ends.

use core::{ffi::c_void, ptr};

use pgrx::pg_sys;

use super::{literals, sealing};

/// Asks to be called. Once a process.
pub fn install_callback() {
    // SAFETY: while the library loads nothing else runs.
    unsafe { pg_sys::RegisterXactCallback(Some(at_end), ptr::null_mut()) };
}

/// # Safety
/// Called by PostgreSQL. It is also called before the end, which does no harm: both are for speed or for cleanliness.
unsafe extern "C-unwind" fn at_end(_event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    literals::forget_input();
    sealing::erase_stack();
}
