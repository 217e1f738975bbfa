//! Arrays.

use core::ffi::{c_char, c_int};

use pgrx::pg_sys::{self, Datum, Oid};

/// A one-dimensional array of values of a variable-length type, `element`.
pub fn of_varlena(values: &mut [Datum], element: Oid) -> Datum {
    // SAFETY: as many values as are said, each a varlena of this process; the array copies them. All types of variable
    // length of ours are aligned to four bytes.
    unsafe {
        Datum::from(pg_sys::construct_array(
            values.as_mut_ptr(),
            values.len() as c_int,
            element,
            -1,
            false,
            pg_sys::TYPALIGN_INT as c_char,
        ))
    }
}
