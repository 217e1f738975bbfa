//! What a query or a definition holds that the library has to know of, found in one walk.

use core::{
    ffi::{CStr, c_void},
    ptr,
};

use pgrx::{
    PgList,
    pg_sys::{self, CoercionForm, Node, NodeTag, Oid},
};

use super::{
    fmgr::Args,
    sealed_types::{holds_sealed, sealed_kind},
    trees::{guarded, walk},
};

/// `text || anynonarray` and the other way, as `catalog/pg_operator.dat` numbers them: any value becomes text by them. Those of
/// ours stand in their way for sealed types, but not in views of before, nor for rows.
const CONCATENATIONS: [Oid; 2] = [Oid::from_u32(2779), Oid::from_u32(2780)];

/// What was found.
#[derive(Default)]
pub struct Findings {
    /// `x = ANY (array)` with an operator of an extension.
    pub has_array_comparison: bool,
    /// An expression that turns text into a sealed value or a hash, or the other way: the text of the query or its
    /// parameters may be secret.
    pub has_secret: bool,
    /// An expression that seals, opens, or compares a sealed value with text.
    pub has_conversion: bool,
    /// A value that was sealed for a tenant when it was parsed.
    pub has_tenant_constant: bool,
    /// A value that was sealed for the database when it was parsed.
    pub has_shared_constant: bool,
    /// A sealed value that becomes one of another type by its text form, without a cast that says so.
    pub has_implicit_plaintext: bool,
}

impl Findings {
    /// Whether there is a constant of a sealed type.
    pub const fn has_constant(&self) -> bool {
        self.has_tenant_constant || self.has_shared_constant
    }
}

/// Looks through an expression, a list of them, or a query with its subqueries.
///
/// # Safety
/// `node` must be one, or null.
pub unsafe fn inspect(node: *mut Node) -> Findings {
    let mut findings = Findings::default();
    if !node.is_null() {
        // SAFETY: by this function's contract; the context is what `visit` takes.
        unsafe { visit(node, (&raw mut findings).cast()) };
    }
    findings
}

/// Whether an expression makes an array, a composite or a range of sealed values, or reads them out of JSON: PostgreSQL's own
/// functions call the input function of a sealed type then, and it cannot see that an expression has it called.
///
/// # Safety
/// As [`inspect`].
pub unsafe fn reads_sealed_within(node: *mut Node) -> bool {
    // SAFETY: by this function's contract.
    unsafe { visit_for_reading(node, ptr::null_mut()) }
}

/// Owns nothing: see [`super::trees`].
///
/// # Safety
/// As [`visit`], without a context.
unsafe extern "C-unwind" fn visit_for_reading(node: *mut Node, context: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    // SAFETY: by this function's contract; the tag of a node tells its type, and those that are named are expressions.
    unsafe {
        let reads = match (*node).type_ {
            NodeTag::T_FuncExpr | NodeTag::T_OpExpr | NodeTag::T_CoerceViaIO => guarded(|| {
                let type_oid = pg_sys::exprType(node);
                holds_sealed(type_oid) && sealed_kind(type_oid).is_none()
            }),
            #[cfg(any(feature = "pg17", feature = "pg18"))]
            NodeTag::T_JsonExpr => guarded(|| holds_sealed(pg_sys::exprType(node))),
            _ => false,
        };
        reads || walk(node, visit_for_reading, context)
    }
}

/// Looks through the argument at `at`, which SQL declares as pg_node_tree.
pub fn inspect_argument(args: &Args, at: usize) -> Findings {
    // SAFETY: values of the type come from the catalog: its input functions refuse every text, and it has no cast from one.
    // They are texts of trees.
    unsafe {
        let text = pg_sys::text_to_cstring(args.pointer(at).cast());
        inspect(pg_sys::stringToNode(text).cast())
    }
}

/// Owns nothing: see [`super::trees`].
///
/// # Safety
/// `node` must be null or an expression, a list of them, or a query; `context` a [`Findings`].
unsafe extern "C-unwind" fn visit(node: *mut Node, context: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    // SAFETY: by this function's contract; the tag of a node tells its type.
    unsafe {
        let object = match (*node).type_ {
            NodeTag::T_Const => (*node.cast::<pg_sys::Const>()).consttype,
            NodeTag::T_Param => (*node.cast::<pg_sys::Param>()).paramtype,
            NodeTag::T_FuncExpr => (*node.cast::<pg_sys::FuncExpr>()).funcid,
            NodeTag::T_OpExpr | NodeTag::T_DistinctExpr | NodeTag::T_NullIfExpr => {
                match (*node.cast::<pg_sys::OpExpr>()).opno {
                    // Of these a look is worth it, though they are PostgreSQL's own.
                    concatenation if CONCATENATIONS.contains(&concatenation) => Oid::from(u32::MAX),
                    operator => operator,
                }
            }
            NodeTag::T_ScalarArrayOpExpr => (*node.cast::<pg_sys::ScalarArrayOpExpr>()).opno,
            // From or to a type of ours; which of the two, and whether it is one, the look says.
            NodeTag::T_CoerceViaIO => Oid::from(u32::MAX),
            _ => Oid::INVALID,
        };
        // Most are PostgreSQL's own.
        if object.to_u32() >= pg_sys::FirstNormalObjectId {
            guarded(|| look(node, &mut *context.cast::<Findings>()));
        }
        // PostgreSQL's walkers know expressions, not the bounds of partitions that hold some.
        match (*node).type_ {
            NodeTag::T_PartitionBoundSpec => {
                let bound = &*node.cast::<pg_sys::PartitionBoundSpec>();
                [bound.listdatums, bound.lowerdatums, bound.upperdatums]
                    .into_iter()
                    .any(|list| visit(list.cast(), context))
            }
            NodeTag::T_PartitionRangeDatum => visit((*node.cast::<pg_sys::PartitionRangeDatum>()).value, context),
            _ => walk(node, visit, context),
        }
    }
}

/// # Safety
/// `node` must be a node of an expression.
unsafe fn look(node: *mut Node, findings: &mut Findings) {
    // SAFETY: by this function's contract; the tag of a node tells its type.
    unsafe {
        match (*node).type_ {
            NodeTag::T_Const => {
                let constant = &*node.cast::<pg_sys::Const>();
                if holds_sealed(constant.consttype) {
                    findings.has_secret = true;
                    let is_shared = sealed_kind(constant.consttype).is_some_and(|(kind, _)| kind.is_shared());
                    findings.has_shared_constant |= !constant.constisnull && is_shared;
                    findings.has_tenant_constant |= !constant.constisnull && !is_shared;
                }
            }
            NodeTag::T_Param => findings.has_secret |= holds_sealed((*node.cast::<pg_sys::Param>()).paramtype),
            NodeTag::T_CoerceViaIO => {
                let cast = &*node.cast::<pg_sys::CoerceViaIO>();
                let opens = holds_sealed(pg_sys::exprType(cast.arg.cast()));
                let seals = holds_sealed(cast.resulttype);
                findings.has_secret |= seals;
                findings.has_conversion |= opens || seals;
                findings.has_implicit_plaintext |= opens && cast.coerceformat == CoercionForm::COERCE_IMPLICIT_CAST;
            }
            NodeTag::T_FuncExpr => {
                let call = &*node.cast::<pg_sys::FuncExpr>();
                findings.has_secret |= holds_sealed(call.funcresulttype) || takes_a_secret(call.funcid);
                findings.has_conversion |= converts(call.funcid);
            }
            NodeTag::T_ScalarArrayOpExpr => {
                let operator = (*node.cast::<pg_sys::ScalarArrayOpExpr>()).opno;
                findings.has_array_comparison = true;
                findings.has_secret |= compares_sealed(operator);
                findings.has_conversion |= converts(pg_sys::get_opcode(operator));
            }
            _ if CONCATENATIONS.contains(&(*node.cast::<pg_sys::OpExpr>()).opno) => {
                let sides = (*node.cast::<pg_sys::OpExpr>()).args;
                findings.has_implicit_plaintext |=
                    PgList::<Node>::from_pg(sides).iter_ptr().any(|side| holds_sealed(pg_sys::exprType(side)));
                findings.has_conversion |= findings.has_implicit_plaintext;
            }
            _ => {
                let operator = (*node.cast::<pg_sys::OpExpr>()).opno;
                findings.has_secret |= compares_sealed(operator);
                findings.has_conversion |= converts(pg_sys::get_opcode(operator));
            }
        }
    }
}

/// The name of a function of this extension's, or None for another's.
fn name_of_ours<'a>(function: Oid) -> Option<&'a [u8]> {
    // SAFETY: lookups in the system catalogs, of a function that a parsed query refers to; NULL or C strings in memory that
    // lives as long as the statement.
    unsafe {
        let schema = pg_sys::get_namespace_name(pg_sys::get_func_namespace(function));
        if schema.is_null() || ![&b"cordon"[..], b"cordon_internal"].contains(&CStr::from_ptr(schema).to_bytes()) {
            return None;
        }
        let name = pg_sys::get_func_name(function);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_bytes())
    }
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
    name_of_ours(function).is_some_and(|name| NAMES.contains(&name))
}

/// Whether a function of this extension's makes a sealed value, opens one, or compares one with text.
fn converts(function: Oid) -> bool {
    if function.to_u32() < pg_sys::FirstNormalObjectId || name_of_ours(function).is_none() {
        return false;
    }
    let (mut arguments, mut count) = (core::ptr::null_mut(), 0);
    // SAFETY: a lookup in the system catalogs, which makes a copy of so many types.
    let (result, arguments) = unsafe {
        let result = pg_sys::get_func_signature(function, &raw mut arguments, &raw mut count);
        let count = usize::try_from(count).unwrap_or_default();
        let arguments = if count == 0 { &[][..] } else { core::slice::from_raw_parts(arguments, count) };
        (result, arguments)
    };
    let (takes_sealed, takes_text) =
        (arguments.iter().any(|oid| holds_sealed(*oid)), arguments.contains(&pg_sys::TEXTOID));
    holds_sealed(result)
        || takes_sealed && (takes_text || [pg_sys::TEXTOID, pg_sys::BYTEAOID, pg_sys::CSTRINGOID].contains(&result))
}

/// Whether an operator has a sealed value on a side.
fn compares_sealed(operator: Oid) -> bool {
    let (mut left, mut right) = (Oid::INVALID, Oid::INVALID);
    // SAFETY: a lookup in the system catalogs.
    unsafe { pg_sys::op_input_types(operator, &raw mut left, &raw mut right) };
    holds_sealed(left) || holds_sealed(right)
}
