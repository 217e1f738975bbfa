//! What a query holds that the library has to know of, found in one walk when it has been parsed.

use core::ffi::{CStr, c_void};

use pgrx::{
    pg_guard,
    pg_sys::{self, NodeTag, Oid, Query},
};

use super::sealed_types::holds_sealed;

/// What was found.
#[derive(Default)]
pub struct Findings {
    /// `x = ANY (array)` with an operator of an extension.
    pub has_array_comparison: bool,
    /// An expression that turns text into a sealed value or a hash, or the other way: the text of the query or its
    /// parameters may be secret.
    pub has_secret: bool,
}

/// Looks through a query and its subqueries.
///
/// # Safety
/// `query` must be a parsed query, or null.
pub unsafe fn inspect(query: *mut Query) -> Findings {
    let mut findings = Findings::default();
    if !query.is_null() {
        // SAFETY: by this function's contract; the context is what `visit` takes.
        unsafe { pg_sys::query_tree_walker(query, Some(visit), (&raw mut findings).cast(), 0) };
    }
    findings
}

/// # Safety
/// `node` must be null or an expression, a list of them, or a query; `context` a [`Findings`].
#[pg_guard]
unsafe extern "C-unwind" fn visit(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    // SAFETY: by this function's contract; the tag of a node tells its type.
    unsafe {
        let findings = &mut *context.cast::<Findings>();
        match (*node).type_ {
            NodeTag::T_Query => return pg_sys::query_tree_walker(node.cast(), Some(visit), context, 0),
            NodeTag::T_Const => findings.has_secret |= holds_sealed((*node.cast::<pg_sys::Const>()).consttype),
            NodeTag::T_Param => findings.has_secret |= holds_sealed((*node.cast::<pg_sys::Param>()).paramtype),
            NodeTag::T_CoerceViaIO => {
                findings.has_secret |= holds_sealed((*node.cast::<pg_sys::CoerceViaIO>()).resulttype);
            }
            NodeTag::T_FuncExpr => {
                let call = &*node.cast::<pg_sys::FuncExpr>();
                findings.has_secret |= is_of_an_extension(call.funcid)
                    && (holds_sealed(call.funcresulttype) || takes_a_secret(call.funcid));
            }
            NodeTag::T_OpExpr | NodeTag::T_DistinctExpr | NodeTag::T_NullIfExpr => {
                let operator = (*node.cast::<pg_sys::OpExpr>()).opno;
                findings.has_secret |= is_of_an_extension(operator) && compares_sealed(operator);
            }
            NodeTag::T_ScalarArrayOpExpr => {
                let operator = (*node.cast::<pg_sys::ScalarArrayOpExpr>()).opno;
                findings.has_array_comparison |= is_of_an_extension(operator);
                findings.has_secret |= is_of_an_extension(operator) && compares_sealed(operator);
            }
            _ => {}
        }
        pg_sys::expression_tree_walker(node, Some(visit), context)
    }
}

/// Not one of initdb's: most are.
fn is_of_an_extension(object: Oid) -> bool {
    object.to_u32() >= pg_sys::FirstNormalObjectId
}

/// Whether it is a function of this extension's that takes plaintext or a token as text.
fn takes_a_secret(function: Oid) -> bool {
    const NAMES: [&[u8]; 15] = [
        b"encrypt",
        b"encrypt_eq",
        b"decrypt",
        b"to_text",
        b"hash_token",
        b"token_matches",
        b"token_hashes",
        b"token_hash_from_sha256",
        b"token_checksum_ok",
        b"token_successor",
        b"issue_token",
        b"consume_token",
        b"check_token",
        b"rotate_token",
        b"revoke_token",
    ];
    // SAFETY: lookups in the system catalogs, of a function that a parsed query refers to.
    unsafe {
        let schema = pg_sys::get_namespace_name(pg_sys::get_func_namespace(function));
        if schema.is_null() || CStr::from_ptr(schema).to_bytes() != b"cordon" {
            return false;
        }
        let name = pg_sys::get_func_name(function);
        !name.is_null() && NAMES.contains(&CStr::from_ptr(name).to_bytes())
    }
}

/// Whether an operator has a sealed value on a side.
fn compares_sealed(operator: Oid) -> bool {
    let (mut left, mut right) = (Oid::INVALID, Oid::INVALID);
    // SAFETY: a lookup in the system catalogs.
    unsafe { pg_sys::op_input_types(operator, &raw mut left, &raw mut right) };
    holds_sealed(left) || holds_sealed(right)
}
