//! `sealed = ANY (array of text)`: as drivers send lists, and as ORMs write them.

use core::{
    ffi::{CStr, c_int},
    ptr,
};

use pgrx::pg_sys::{self, CoercionContext, CoercionForm, Oid};

use super::sealed_types::holds_sealed;

/// `sealed = ANY (array of text)`, in which PostgreSQL does not inline the operator's function as it does elsewhere:
/// brought to `sealed = ANY (array of sealed)`, for which there are indexes. Likewise with `<>`, `ALL`, and the sides
/// exchanged. `comparison` is changed in place.
///
/// # Safety
/// `comparison` must be a `ScalarArrayOpExpr` that nobody else refers to.
pub unsafe fn unify(comparison: *mut pg_sys::ScalarArrayOpExpr) {
    // SAFETY: by this function's contract; the comparison has two arguments, of which the second is an array. The rest
    // are lookups in the system catalogs.
    unsafe {
        let (mut left, mut right) = (Oid::INVALID, Oid::INVALID);
        pg_sys::op_input_types((*comparison).opno, &raw mut left, &raw mut right);
        let sealed = match (left, right) {
            (pg_sys::TEXTOID, sealed) | (sealed, pg_sys::TEXTOID) if holds_sealed(sealed) => sealed,
            _ => return,
        };
        let same_type = (*pg_sys::lookup_type_cache(sealed, pg_sys::TYPECACHE_EQ_OPR as c_int)).eq_opr;
        let name = pg_sys::get_opname((*comparison).opno);
        let operator = match CStr::from_ptr(name).to_bytes() {
            b"=" => same_type,
            b"<>" => pg_sys::get_negator(same_type),
            _ => return,
        };
        let cells = (*(*comparison).args).elements;
        let (cell, to) =
            if left == pg_sys::TEXTOID { (cells, sealed) } else { (cells.add(1), pg_sys::get_array_type(sealed)) };
        let argument = (*cell).ptr_value.cast::<pg_sys::Node>();
        let cast = pg_sys::coerce_to_target_type(
            ptr::null_mut(),
            argument,
            pg_sys::exprType(argument),
            to,
            -1,
            CoercionContext::COERCION_EXPLICIT,
            CoercionForm::COERCE_EXPLICIT_CAST,
            -1,
        );
        if cast.is_null() || operator == Oid::INVALID {
            return;
        }
        (*cell).ptr_value = cast.cast();
        (*comparison).opno = operator;
        (*comparison).opfuncid = pg_sys::get_opcode(operator);
        (*comparison).hashfuncid = Oid::INVALID;
        (*comparison).negfuncid = Oid::INVALID;
    }
}
