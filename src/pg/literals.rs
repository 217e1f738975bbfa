//! The literal rule: a literal of a sealed type is sealed when the statement runs, not when it is parsed.
//!
//! PostgreSQL gives a quoted literal to the type's input function while it parses, and keeps the result in the plan. A
//! prepared statement or a view would go on to write one tenant's ciphertext into the rows of another. So each such
//! constant is turned back into its text and a cast, right after parsing: `'x'::text::encrypted_text`.

use core::{
    ffi::{CStr, c_int, c_void},
    ptr,
};
use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use pgrx::{
    PgBox, PgTupleDesc, pg_guard,
    pg_sys::{self, CoercionContext, CoercionForm, CoercionPathType, Const, Datum, NodeTag, Oid, Query},
};

#[cfg(feature = "pg15")]
use pg_sys::{expression_tree_mutator, query_tree_mutator};
#[cfg(not(feature = "pg15"))]
use pg_sys::{expression_tree_mutator_impl as expression_tree_mutator, query_tree_mutator_impl as query_tree_mutator};

use super::error::Failure;

/// An input function of a sealed type, by which the type is known: whatever its name, schema and oid.
pub type InputFunction = unsafe extern "C-unwind" fn(pg_sys::FunctionCallInfo) -> pg_sys::Datum;

type Mutator = unsafe extern "C-unwind" fn(*mut pg_sys::Node, *mut c_void) -> *mut pg_sys::Node;

static INPUT_FUNCTIONS: OnceLock<&'static [InputFunction]> = OnceLock::new();

/// Set by the input functions until the transaction ends. While it is not, no constant of a sealed type can have been
/// parsed, and statements pass without a look. A statement that has been looked at does not clear it, for it may be one
/// that ran while another was being parsed: in the CHECK of a domain, say.
static INPUT_WAS_CALLED: AtomicBool = AtomicBool::new(false);

static mut PREVIOUS_HOOK: pg_sys::post_parse_analyze_hook_type = None;

/// Installs the hook. Called once a process, with the input functions of the sealed types.
pub fn install_hook(input_functions: &'static [InputFunction]) {
    INPUT_FUNCTIONS.get_or_init(|| input_functions);
    // SAFETY: while the library loads nothing else runs.
    unsafe {
        PREVIOUS_HOOK = pg_sys::post_parse_analyze_hook;
        pg_sys::post_parse_analyze_hook = Some(post_parse_analyze);
    }
}

/// Notes that a value was read from text, perhaps from a literal.
pub fn note_input() {
    INPUT_WAS_CALLED.store(true, Ordering::Relaxed);
}

/// Called when a transaction ends.
pub fn forget_input() {
    INPUT_WAS_CALLED.store(false, Ordering::Relaxed);
}

/// # Safety
/// Called by PostgreSQL as a `post_parse_analyze_hook`.
unsafe extern "C-unwind" fn post_parse_analyze(
    state: *mut pg_sys::ParseState,
    query: *mut Query,
    jumble: *mut pg_sys::JumbleState,
) {
    // SAFETY: PostgreSQL passes the query it has just parsed. The next hook is called outside of the guard, which would
    // strip the context of its errors, and with nothing left to drop.
    unsafe {
        pg_sys::submodules::panic::pgrx_extern_c_guard(|| {
            if INPUT_WAS_CALLED.load(Ordering::Relaxed) || compares_with_array(query) {
                rewrite(query);
            }
            if let Err(failure) = check_assignments(query) {
                failure.raise();
            }
        });
        if let Some(next) = PREVIOUS_HOOK {
            next(state, query, jumble);
        }
    }
}

/// The query itself, or the one that a utility statement holds.
///
/// # Safety
/// `query` must be a parsed query.
unsafe fn held_query(query: *mut Query) -> *mut Query {
    // SAFETY: the tag of a node tells its type; a utility statement that holds a query holds it parsed.
    unsafe {
        if (*query).commandType != pg_sys::CmdType::CMD_UTILITY {
            return query;
        }
        let statement = (*query).utilityStmt;
        match (*statement).type_ {
            NodeTag::T_ExplainStmt => held_query((*statement.cast::<pg_sys::ExplainStmt>()).query.cast()),
            NodeTag::T_CreateTableAsStmt => held_query((*statement.cast::<pg_sys::CreateTableAsStmt>()).query.cast()),
            NodeTag::T_DeclareCursorStmt => held_query((*statement.cast::<pg_sys::DeclareCursorStmt>()).query.cast()),
            _ => ptr::null_mut(),
        }
    }
}

/// Whether `x = ANY (array)` with an operator of an extension occurs: perhaps one that [`unify_array_comparison`] is for.
///
/// # Safety
/// As [`rewrite`].
unsafe fn compares_with_array(query: *mut Query) -> bool {
    // SAFETY: by this function's contract.
    unsafe {
        let query = held_query(query);
        !query.is_null() && pg_sys::query_tree_walker(query, Some(is_array_comparison), ptr::null_mut(), 0)
    }
}

/// # Safety
/// As [`mutate`].
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
unsafe fn unify_array_comparison(comparison: *mut pg_sys::ScalarArrayOpExpr) {
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

/// Rewrites the constants and array comparisons of a query in place.
///
/// # Safety
/// `query` must be a parsed query that has not been rewritten or planned.
unsafe fn rewrite(query: *mut Query) {
    // SAFETY: by this function's contract.
    unsafe {
        let held = held_query(query);
        if !held.is_null() {
            query_tree_mutator(held, as_callback(mutate), ptr::null_mut(), pg_sys::QTW_DONT_COPY_QUERY as c_int);
        } else if (*(*query).utilityStmt).type_ == NodeTag::T_CallStmt {
            let call = (*query).utilityStmt.cast::<pg_sys::CallStmt>();
            (*call).funcexpr = mutate((*call).funcexpr.cast(), ptr::null_mut()).cast();
            (*call).outargs = mutate((*call).outargs.cast(), ptr::null_mut()).cast();
        }
    }
}

/// A copy of an expression with its constants rewritten.
///
/// # Safety
/// `node` must be null or an expression, a list of them, or a query.
#[pg_guard]
unsafe extern "C-unwind" fn mutate(node: *mut pg_sys::Node, context: *mut c_void) -> *mut pg_sys::Node {
    if node.is_null() {
        return node;
    }
    // SAFETY: by this function's contract.
    unsafe {
        match (*node).type_ {
            NodeTag::T_Const if is_sealed_constant(node.cast()) => run_time_cast(node.cast()),
            NodeTag::T_Query => query_tree_mutator(node.cast(), as_callback(mutate), context, 0).cast(),
            NodeTag::T_ScalarArrayOpExpr => {
                let copy = expression_tree_mutator(node, as_callback(mutate), context);
                unify_array_comparison(copy.cast());
                copy
            }
            _ => expression_tree_mutator(node, as_callback(mutate), context),
        }
    }
}

/// # Safety
/// `constant` must be a `Const`.
unsafe fn is_sealed_constant(constant: *mut Const) -> bool {
    // SAFETY: by this function's contract.
    unsafe { !(*constant).constisnull && holds_sealed((*constant).consttype) }
}

/// The text of a constant, cast to its type at run time.
///
/// # Safety
/// `constant` must be a `Const` that is not null.
unsafe fn run_time_cast(constant: *mut Const) -> *mut pg_sys::Node {
    // SAFETY: by this function's contract. The output function gives the text of this session's form, plaintext or
    // stored, and the cast takes the same.
    unsafe {
        let (value, value_type) = ((*constant).constvalue, (*constant).consttype);
        let mut output = Oid::INVALID;
        let mut is_varlena = false;
        pg_sys::getTypeOutputInfo(value_type, &raw mut output, &raw mut is_varlena);
        let text = CStr::from_ptr(pg_sys::OidOutputFunctionCall(output, value));
        let argument = pg_sys::makeConst(
            pg_sys::TEXTOID,
            -1,
            pg_sys::DEFAULT_COLLATION_OID,
            -1,
            Datum::from(pg_sys::cstring_to_text(text.as_ptr())),
            false,
            false,
        );
        (*argument).location = (*constant).location;

        let mut function = Oid::INVALID;
        let path = pg_sys::find_coercion_pathway(
            value_type,
            pg_sys::TEXTOID,
            CoercionContext::COERCION_EXPLICIT,
            &raw mut function,
        );
        if path == CoercionPathType::COERCION_PATH_FUNC {
            let cast = pg_sys::makeFuncExpr(
                function,
                value_type,
                pg_sys::lappend(ptr::null_mut(), argument.cast()),
                Oid::INVALID,
                Oid::INVALID,
                CoercionForm::COERCE_EXPLICIT_CAST,
            );
            (*cast).location = (*constant).location;
            return cast.cast();
        }
        // An array, a composite or a range has no cast function, but an input function that reads its text.
        let mut cast = PgBox::<pg_sys::CoerceViaIO>::alloc_node(NodeTag::T_CoerceViaIO);
        cast.arg = argument.cast();
        cast.resulttype = value_type;
        cast.resultcollid = pg_sys::get_typcollation(value_type);
        cast.coerceformat = CoercionForm::COERCE_EXPLICIT_CAST;
        cast.location = (*constant).location;
        cast.into_pg().cast()
    }
}

/// Refuses an assignment that turns a sealed value into text without an explicit cast. The casts to text and varchar are
/// explicit ones, but for every other type of the string category (citext) PostgreSQL supplies an assignment cast
/// through the output function.
///
/// # Safety
/// As [`rewrite`].
unsafe fn check_assignments(query: *mut Query) -> Result<(), Failure> {
    // SAFETY: by this function's contract; the lists hold the nodes that the fields' comments in parsenodes.h say.
    unsafe {
        match (*query).commandType {
            pg_sys::CmdType::CMD_UTILITY if (*(*query).utilityStmt).type_ == NodeTag::T_ExplainStmt => {
                return check_assignments((*(*query).utilityStmt.cast::<pg_sys::ExplainStmt>()).query.cast());
            }
            pg_sys::CmdType::CMD_INSERT | pg_sys::CmdType::CMD_UPDATE => check_targets((*query).targetList)?,
            _ => {}
        }
        if let Some(conflict) = (*query).onConflict.as_ref() {
            check_targets(conflict.onConflictSet)?;
        }
        for action in nodes::<pg_sys::MergeAction>((*query).mergeActionList) {
            check_targets((*action).targetList)?;
        }
        for cte in nodes::<pg_sys::CommonTableExpr>((*query).cteList) {
            check_assignments((*cte).ctequery.cast())?;
        }
    }
    Ok(())
}

/// # Safety
/// `targets` must be a list of `TargetEntry`, or null.
unsafe fn check_targets(targets: *mut pg_sys::List) -> Result<(), Failure> {
    // SAFETY: by this function's contract.
    unsafe {
        for target in nodes::<pg_sys::TargetEntry>(targets) {
            let mut expression = (*target).expr;
            if (*expression).type_ == NodeTag::T_CoerceToDomain {
                expression = (*expression.cast::<pg_sys::CoerceToDomain>()).arg;
            }
            if (*expression).type_ != NodeTag::T_CoerceViaIO {
                continue;
            }
            let cast = expression.cast::<pg_sys::CoerceViaIO>();
            if (*cast).coerceformat == CoercionForm::COERCE_IMPLICIT_CAST
                && holds_sealed(pg_sys::exprType((*cast).arg.cast()))
            {
                return Err(Failure::ImplicitPlaintext);
            }
        }
    }
    Ok(())
}

/// The elements of a list of nodes.
///
/// # Safety
/// `list` must be a list of pointers to `T`, or null for an empty one, and must not change while it is read.
unsafe fn nodes<T>(list: *mut pg_sys::List) -> impl Iterator<Item = *mut T> {
    // SAFETY: by this function's contract.
    let cells = unsafe {
        list.as_ref().map_or(&[][..], |list| {
            core::slice::from_raw_parts(list.elements, usize::try_from(list.length).unwrap_or_default())
        })
    };
    // SAFETY: a list of pointers, so each cell is one.
    cells.iter().map(|cell| unsafe { cell.ptr_value }.cast())
}

/// Whether values of the type are sealed, or hold sealed ones: arrays, composites, ranges, and domains over them.
fn holds_sealed(type_oid: Oid) -> bool {
    // Types of initdb: most constants are of one.
    if type_oid.to_u32() < pg_sys::FirstNormalObjectId {
        return false;
    }
    // SAFETY: lookups in the system catalogs, of a type that a parsed query refers to.
    unsafe {
        let base = pg_sys::getBaseType(type_oid);
        let element = pg_sys::get_element_type(base);
        if element != Oid::INVALID {
            return holds_sealed(element);
        }
        match u8::try_from(pg_sys::get_typtype(base)).unwrap_or_default() {
            pg_sys::TYPTYPE_BASE => is_sealed(base),
            pg_sys::TYPTYPE_COMPOSITE => PgTupleDesc::for_composite_type_by_oid(base)
                .is_some_and(|columns| columns.iter().any(|column| holds_sealed(column.atttypid))),
            pg_sys::TYPTYPE_RANGE => holds_sealed(pg_sys::get_range_subtype(base)),
            pg_sys::TYPTYPE_MULTIRANGE => holds_sealed(pg_sys::get_multirange_range(base)),
            _ => false,
        }
    }
}

/// # Safety
/// `base` must be a base type.
unsafe fn is_sealed(base: Oid) -> bool {
    // SAFETY: fmgr_info fills the structure for a function that exists, as a type's input function does.
    let address = unsafe {
        let (mut input, mut parameter) = (Oid::INVALID, Oid::INVALID);
        pg_sys::getTypeInputInfo(base, &raw mut input, &raw mut parameter);
        let mut function = pg_sys::FmgrInfo::default();
        pg_sys::fmgr_info(input, &raw mut function);
        function.fn_addr.map(|address| address as usize)
    };
    INPUT_FUNCTIONS.get().is_some_and(|functions| functions.iter().any(|function| Some(*function as usize) == address))
}

/// PostgreSQL 15 declares the callback without its arguments.
#[cfg(feature = "pg15")]
fn as_callback(mutator: Mutator) -> Option<unsafe extern "C-unwind" fn() -> *mut pg_sys::Node> {
    // SAFETY: a function pointer; PostgreSQL calls it with the two arguments that it takes.
    Some(unsafe { core::mem::transmute::<Mutator, unsafe extern "C-unwind" fn() -> *mut pg_sys::Node>(mutator) })
}

#[cfg(not(feature = "pg15"))]
fn as_callback(mutator: Mutator) -> Option<Mutator> {
    Some(mutator)
}
