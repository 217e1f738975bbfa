//! `sealed = ANY (array of text)`: as drivers send lists, and as ORMs write them.

use core::{
    ffi::{CStr, c_int, c_void},
    ptr,
};

use pgrx::{
    pg_guard,
    pg_sys::{self, CoercionContext, CoercionForm, NodeTag, Oid, Query},
};

use super::sealed_types::holds_sealed;

/// Whether `x = ANY (array)` with an operator of an extension occurs: perhaps one that [`unify`] is for.
///
/// # Safety
/// `query` must be a parsed query, or null.
pub unsafe fn occurs_in(query: *mut Query) -> bool {
    // SAFETY: by this function's contract.
    unsafe { !query.is_null() && pg_sys::query_tree_walker(query, Some(is_array_comparison), ptr::null_mut(), 0) }
}

/// # Safety
/// `node` must be null or an expression, a list of them, or a query.
#[pg_guard]
unsafe extern "C-unwind" fn is_array_comparison(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    // SAFETY: by this function's contract.
    unsafe {
        match (*node).type_ {
            NodeTag::T_ScalarArrayOpExpr
                if (*node.cast::<pg_sys::ScalarArrayOpExpr>()).opno.to_u32() >= pg_sys::FirstNormalObjectId =>
            {
                true
            }
            NodeTag::T_Query => pg_sys::query_tree_walker(node.cast(), Some(is_array_comparison), context, 0),
            _ => pg_sys::expression_tree_walker(node, Some(is_array_comparison), context),
        }
    }
}

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
