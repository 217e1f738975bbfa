//! Functions of PostgreSQL's version-1 calling convention, without the conversions of `#[pg_extern]`: the types' own
//! functions are called for every value.

use core::ffi::{CStr, c_char};

use pgrx::pg_sys::{self, Datum, FunctionCallInfo, Oid};

use super::varlena::Varlena;

/// The arguments of a call. Those of a function that SQL declares STRICT are not null; other functions must ask before
/// they take one.
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

    fn datum(&self, at: usize) -> Datum {
        self.argument(at).value
    }

    fn argument(&self, at: usize) -> pg_sys::NullableDatum {
        // SAFETY: `new` was given a valid call; SQL declares at least `at` + 1 arguments.
        unsafe { (&raw const (*self.0).args).cast::<pg_sys::NullableDatum>().add(at).read() }
    }
}

/// Declares C functions for SQL: `name => function`, where `function` takes [`Args`] and returns a
/// `Result<Datum, Failure>`.
#[macro_export]
macro_rules! c_functions {
    ($($name:ident => $function:expr;)*) => { $(
        #[allow(unsafe_code, missing_docs, reason = "an entry point of the library")]
        #[unsafe(no_mangle)]
        #[::pgrx::pg_guard]
        pub unsafe extern "C-unwind" fn $name(fcinfo: ::pgrx::pg_sys::FunctionCallInfo) -> ::pgrx::pg_sys::Datum {
            // SAFETY: PostgreSQL calls this with the call's own information.
            let args = unsafe { $crate::pg::fmgr::Args::new(fcinfo) };
            $crate::pg::error::or_raise($function(args))
        }

        const _: () = {
            #[allow(unsafe_code, reason = "what PG_FUNCTION_INFO_V1 does in C")]
            #[unsafe(export_name = concat!("pg_finfo_", stringify!($name)))]
            extern "C" fn finfo() -> &'static ::pgrx::pg_sys::Pg_finfo_record {
                &::pgrx::pg_sys::Pg_finfo_record { api_version: 1 }
            }
        };
    )* };
}
