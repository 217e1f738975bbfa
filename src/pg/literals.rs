//! The literal rule: a literal of a sealed type is sealed when the statement runs, not when it is parsed.
//!
//! PostgreSQL gives a quoted literal to the type's input function while it parses, and keeps the result in the plan. A
//! prepared statement or a view would go on to write one tenant's ciphertext into the rows of another. So each such
//! constant is turned back into its text and a cast, right after parsing: `'x'::text::encrypted_text`.

use core::{
    ffi::{CStr, c_int, c_void},
    ptr,
};
use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::{
    PgBox, pg_guard,
    pg_sys::{self, CoercionContext, CoercionForm, CoercionPathType, Const, Datum, NodeTag, Oid, Query},
};

#[cfg(feature = "pg15")]
use pg_sys::{expression_tree_mutator, query_tree_mutator};
#[cfg(not(feature = "pg15"))]
use pg_sys::{expression_tree_mutator_impl as expression_tree_mutator, query_tree_mutator_impl as query_tree_mutator};

use super::{
    array_comparison, assignments, inspection, log,
    sealed_types::{self, InputFunction, holds_sealed},
};

type Mutator = unsafe extern "C-unwind" fn(*mut pg_sys::Node, *mut c_void) -> *mut pg_sys::Node;

/// Set by the input functions until the transaction ends. While it is not, no constant of a sealed type can have been
/// parsed, and statements pass without a look. A statement that has been looked at does not clear it, for it may be one
/// that ran while another was being parsed: in the CHECK of a domain, say.
static INPUT_WAS_CALLED: AtomicBool = AtomicBool::new(false);

static mut PREVIOUS_HOOK: pg_sys::post_parse_analyze_hook_type = None;

/// Installs the hook. Called once a process, with the input functions of the sealed types.
pub fn install_hook(input_functions: &'static [InputFunction]) {
    sealed_types::know(input_functions);
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
            let found = inspection::inspect(held_query(query));
            if found.has_secret {
                log::note_secret();
            }
            if INPUT_WAS_CALLED.load(Ordering::Relaxed) || found.has_array_comparison {
                rewrite(query);
            }
            if let Err(failure) = assignments::check(query) {
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
                array_comparison::unify(copy.cast());
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
