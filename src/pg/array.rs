//! Arrays.

use core::{
    ffi::{c_char, c_int},
    ptr, slice,
};

use pgrx::pg_sys::{self, Datum, Oid};

use super::{
    error::Failure,
    varlena::{Output, Varlena},
};

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

/// An array of the shape of `texts` with what `f` makes of each text, of type `element`. NULL stays NULL.
///
/// # Errors
/// Those of `f`.
pub fn map_text(
    texts: *mut pg_sys::ArrayType,
    element: Oid,
    f: impl Fn(&[u8]) -> Result<Output, Failure>,
) -> Result<Datum, Failure> {
    let (mut elements, mut nulls, mut len) = (ptr::null_mut(), ptr::null_mut(), 0);
    // SAFETY: SQL declares the argument as text[]; both kinds of element are varlenas aligned to four bytes. Dimensions
    // and lower bounds follow the header of an array (`utils/array.h`).
    unsafe {
        let align = pg_sys::TYPALIGN_INT as c_char;
        let (values, are_null) = (&raw mut elements, &raw mut nulls);
        pg_sys::deconstruct_array(texts, pg_sys::TEXTOID, -1, false, align, values, are_null, &raw mut len);
        let len = usize::try_from(len).unwrap_or_default();
        if len == 0 {
            return Ok(Datum::from(pg_sys::construct_empty_array(element)));
        }
        let elements = slice::from_raw_parts_mut(elements, len);
        for (value, is_null) in elements.iter_mut().zip(slice::from_raw_parts(nulls, len)) {
            if !is_null {
                *value = f(Varlena::detoast(*value).as_bytes())?.into_datum();
            }
        }
        let dimensions = (*texts).ndim;
        let lengths = texts.add(1).cast::<c_int>();
        let lower_bounds = lengths.offset(dimensions as isize);
        Ok(Datum::from(pg_sys::construct_md_array(
            elements.as_mut_ptr(),
            nulls,
            dimensions,
            lengths,
            lower_bounds,
            element,
            -1,
            false,
            align,
        )))
    }
}
