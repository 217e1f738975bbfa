//! Settings that are other ones for a while (`AtEOXact_GUC` in `utils/misc/guc.c`), as those of a function with a SET clause.
//!
//! pgrx's own declarations guard against errors: with destructors to run and object names to lose, where there is nothing to
//! destroy.

use core::ffi::{CStr, c_char, c_int};

use pgrx::pg_sys;

/// A level of settings: what is set after it began is taken back when it ends, by whomever. Owns nothing, so that errors may
/// pass over it; they end the transaction or subtransaction, which takes everything back as well.
#[derive(Clone, Copy)]
pub struct LocalSettings(c_int);

impl LocalSettings {
    /// # Safety
    /// [`Self::end`] must be called in the same transaction, unless an error ends that.
    pub unsafe fn begin() -> Self {
        // SAFETY: counts one up.
        Self(unsafe { NewGUCNestLevel() })
    }

    /// Gives a setting a value, as its user may.
    ///
    /// # Safety
    /// `value` must be a C string. Refusals pass as errors over the caller's frames.
    pub unsafe fn set(self, setting: &CStr, value: *const c_char) {
        // SAFETY: by this function's contract.
        unsafe { self.set_by(pg_sys::GucAction::GUC_ACTION_SAVE, setting, value) };
    }

    /// As [`Self::set`], for a setting that is the transaction's and no function's, from PostgreSQL 16 on.
    ///
    /// # Safety
    /// As [`Self::set`].
    pub unsafe fn set_of_transaction(self, setting: &CStr, value: *const c_char) {
        // SAFETY: by this function's contract.
        unsafe { self.set_by(pg_sys::GucAction::GUC_ACTION_LOCAL, setting, value) };
    }

    /// # Safety
    /// As [`Self::set`].
    unsafe fn set_by(self, action: pg_sys::GucAction::Type, setting: &CStr, value: *const c_char) {
        // SAFETY: by this function's contract.
        unsafe {
            set_config_option(
                setting.as_ptr(),
                value,
                pg_sys::GucContext::PGC_USERSET as c_int,
                pg_sys::GucSource::PGC_S_SESSION as c_int,
                action as c_int,
                true,
                0,
                false,
            );
        }
    }

    /// Takes back every setting that was changed.
    ///
    /// # Safety
    /// As [`Self::begin`].
    pub unsafe fn end(self) {
        // SAFETY: by this function's contract.
        unsafe { AtEOXact_GUC(false, self.0) };
    }
}

// As in `utils/guc.h`.
unsafe extern "C-unwind" {
    fn NewGUCNestLevel() -> c_int;
    fn AtEOXact_GUC(is_commit: bool, nest_level: c_int);
    fn set_config_option(
        name: *const c_char,
        value: *const c_char,
        context: c_int,
        source: c_int,
        action: c_int,
        changes: bool,
        level: c_int,
        is_reload: bool,
    ) -> c_int;
}
