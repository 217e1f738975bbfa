//! Functions of PostgreSQL's version-1 calling convention, without the conversions of `#[pg_extern]`: the types' own
//! functions are called for every value.

use core::{
    any::Any,
    ffi::{CStr, c_char, c_void},
};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use pgrx::pg_sys::{self, Datum, FunctionCallInfo, Oid};

use super::{
    error::{Failure, or_raise},
    text_form::{self, Origin},
    varlena::Varlena,
};

/// The arguments of a call. Functions that SQL does not declare STRICT ask before they take one that may be null.
#[derive(Clone, Copy)]
pub struct Args(FunctionCallInfo);

impl Args {
    /// # Safety
    /// `fcinfo` must be what PostgreSQL passed to the function that is running.
    pub const unsafe fn new(fcinfo: FunctionCallInfo) -> Self {
        Self(fcinfo)
    }

    /// The argument at `at`, which SQL declares as text or as one of our types.
    pub fn varlena(&self, at: usize) -> Varlena<'_> {
        // SAFETY: such an argument is a pointer to a varlena that lives as long as the call.
        unsafe { Varlena::detoast(self.datum(at)) }
    }

    /// At least the first `len` bytes of such an argument, when it has as many.
    pub fn varlena_prefix(&self, at: usize, len: usize) -> Varlena<'_> {
        // SAFETY: as above.
        unsafe { Varlena::prefix(self.datum(at), len) }
    }

    /// The argument at `at`, which SQL declares as an array.
    pub fn array(&self, at: usize) -> *mut pg_sys::ArrayType {
        // SAFETY: such an argument is a pointer to a varlena that lives as long as the call.
        unsafe { pg_sys::pg_detoast_datum(self.datum(at).cast_mut_ptr()).cast() }
    }

    /// The argument at `at`, which SQL declares as oid or regclass.
    pub fn oid(&self, at: usize) -> Oid {
        Oid::from(self.datum(at).value() as u32)
    }

    /// The argument at `at`, which SQL declares as name, as a C string.
    pub fn name(&self, at: usize) -> &CStr {
        // SAFETY: such an argument is a pointer to a name, which is a C string and lives as long as the call.
        unsafe { CStr::from_ptr(self.datum(at).cast_mut_ptr::<c_char>()) }
    }

    /// The argument at `at`, which SQL declares as name, or None for NULL.
    pub fn optional_name(&self, at: usize) -> Option<&CStr> {
        (!self.is_null(at)).then(|| self.name(at))
    }

    /// The argument at `at`, which SQL declares as boolean.
    pub fn bool(&self, at: usize) -> bool {
        self.datum(at).value() as u8 != 0
    }

    /// The argument at `at`, which SQL declares as integer.
    pub fn int4(&self, at: usize) -> i32 {
        self.datum(at).value() as i32
    }

    /// The argument at `at`, which SQL declares as a type that is passed by reference.
    pub fn pointer(&self, at: usize) -> *mut c_void {
        self.datum(at).cast_mut_ptr()
    }

    /// How the function was called.
    pub fn origin(&self) -> Origin {
        // SAFETY: `new` was given a valid call.
        unsafe { text_form::origin(self.0) }
    }

    /// What the function's rows are returned through; for [`super::rows_of`].
    pub const fn call(&self) -> FunctionCallInfo {
        self.0
    }

    /// The argument at `at`, which SQL declares as bigint.
    pub fn int8(&self, at: usize) -> i64 {
        self.datum(at).value() as i64
    }

    /// The argument at `at` of a btree's sort support function, which SQL declares as internal.
    pub fn sort_support(&self, at: usize) -> pg_sys::SortSupport {
        self.datum(at).cast_mut_ptr()
    }

    /// The argument at `at` of an ANALYZE function, which SQL declares as internal.
    pub fn statistics(&self, at: usize) -> *mut pg_sys::VacAttrStats {
        self.datum(at).cast_mut_ptr()
    }

    /// What the function was called for: of a trigger, its data.
    pub fn context(&self) -> *mut pg_sys::Node {
        // SAFETY: `new` was given a valid call.
        unsafe { (*self.0).context }
    }

    /// The function that is running, as the catalog knows it.
    pub fn function(&self) -> Oid {
        // SAFETY: `new` was given a valid call.
        unsafe { (*(*self.0).flinfo).fn_oid }
    }

    /// The type of the elements of the array that SQL declares as the result.
    pub fn element_of_result(&self) -> Oid {
        // SAFETY: lookups in the system catalogs.
        unsafe { pg_sys::get_element_type(pg_sys::get_func_rettype(self.function())) }
    }

    /// The type of the argument at `at`, of a domain that under it: as the call has it, where SQL declares any type.
    pub fn base_type(&self, at: usize) -> Oid {
        // SAFETY: `new` was given a valid call; lookups in the system catalogs.
        unsafe {
            let given = pg_sys::get_fn_expr_argtype((*self.0).flinfo, at as core::ffi::c_int);
            if given == Oid::INVALID { given } else { pg_sys::getBaseType(given) }
        }
    }

    /// The argument at `at`, whatever type it is of.
    pub fn value(&self, at: usize) -> Datum {
        self.datum(at)
    }

    /// The argument at `at`, which SQL declares as cstring.
    pub fn cstring(&self, at: usize) -> &[u8] {
        // SAFETY: such an argument is a pointer to a C string that lives as long as the call.
        unsafe { CStr::from_ptr(self.datum(at).cast_mut_ptr::<c_char>()) }.to_bytes()
    }

    /// The argument at `at` of a receive function, which SQL declares as internal.
    pub fn message(&self, at: usize) -> pg_sys::StringInfo {
        self.datum(at).cast_mut_ptr()
    }

    /// Whether the argument at `at` is null.
    pub fn is_null(&self, at: usize) -> bool {
        self.argument(at).isnull
    }

    /// The result null.
    pub fn null(&self) -> Datum {
        // SAFETY: `new` was given a valid call.
        unsafe { (*self.0).isnull = true };
        Datum::null()
    }

    /// The value of an argument. Of one that is null there is none: an error, whatever SQL declares.
    fn datum(&self, at: usize) -> Datum {
        let argument = self.argument(at);
        if argument.isnull {
            Failure::Null("an argument").raise();
        }
        argument.value
    }

    fn argument(&self, at: usize) -> pg_sys::NullableDatum {
        // SAFETY: `new` was given a valid call; SQL declares at least `at` + 1 arguments.
        unsafe { (&raw const (*self.0).args).cast::<pg_sys::NullableDatum>().add(at).read() }
    }
}

/// Calls a function of ours for PostgreSQL: its errors, PostgreSQL's own, and the fault of a panic are raised when everything
/// has been dropped. As pgrx's guard does it, but that the text of a panic, which names what is inside, goes to the log alone.
///
/// # Safety
/// `call` must be what PostgreSQL passed.
#[inline]
pub unsafe fn call(call: FunctionCallInfo, function: impl FnOnce(Args) -> Result<Datum, Failure>) -> Datum {
    // SAFETY: by this function's contract.
    let args = unsafe { Args::new(call) };
    match catch_unwind(AssertUnwindSafe(|| or_raise(function(args)))) {
        Ok(result) => result,
        Err(panic) => raise_panic(panic),
    }
}

#[cold]
fn raise_panic(panic: Box<dyn Any + Send>) -> ! {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    // SAFETY: nothing is alive but what the closure takes along.
    unsafe {
        pg_sys::submodules::panic::pgrx_extern_c_guard::<_, ()>(move || match text {
            Some(text) => {
                Failure::Internal.log_text(&text);
                Failure::Internal.raise()
            }
            None => resume_unwind(panic),
        });
    }
    unreachable!("an error was raised")
}

/// Declares C functions for SQL: `name => function`, where `function` takes [`Args`] and returns a
/// `Result<Datum, Failure>`.
#[macro_export]
macro_rules! c_functions {
    ($($name:ident => $function:expr;)*) => { $(
        #[allow(unsafe_code, missing_docs, reason = "an entry point of the library")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(fcinfo: ::pgrx::pg_sys::FunctionCallInfo) -> ::pgrx::pg_sys::Datum {
            // SAFETY: PostgreSQL calls this with the call's own information.
            unsafe { $crate::pg::fmgr::call(fcinfo, $function) }
        }

        $crate::function_info!($name);
    )* };
}

/// What `PG_FUNCTION_INFO_V1` does in C.
#[macro_export]
macro_rules! function_info {
    ($name:ident) => {
        const _: () = {
            #[allow(unsafe_code, reason = "an entry point of the library")]
            #[unsafe(export_name = concat!("pg_finfo_", stringify!($name)))]
            extern "C" fn finfo() -> &'static ::pgrx::pg_sys::Pg_finfo_record {
                &::pgrx::pg_sys::Pg_finfo_record { api_version: 1 }
            }
        };
    };
}

/// Declares C functions for SQL without a guard around them: `name => function`, where `function` takes the call. Errors of
/// PostgreSQL's pass over them with all that they say, so nothing that must be dropped may be alive when one is raised.
#[macro_export]
macro_rules! unguarded_functions {
    ($($name:ident => $function:expr;)*) => { $(
        #[allow(unsafe_code, missing_docs, reason = "an entry point of the library")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(call: FunctionCallInfo) -> Datum {
            // SAFETY: PostgreSQL calls this with the call's own information.
            unsafe { $function(call) }
        }

        $crate::function_info!($name);
    )* };
}
