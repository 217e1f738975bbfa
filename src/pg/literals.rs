//! The literal rule: a literal of a sealed type is sealed when the statement runs, not when it is parsed.
//!
//! PostgreSQL gives a quoted literal to the type's input function while it parses, and keeps the result in the plan. A
//! prepared statement or a view would go on to write one tenant's ciphertext into the rows of another. So each such
//! constant is turned back into its text and a cast, right after parsing: `'x'::text::encrypted_text`.

use core::{
    ffi::{CStr, c_void},
    ptr,
};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pgrx::{
    PgBox,
    pg_sys::{self, CoercionContext, CoercionForm, CoercionPathType, Const, Datum, NodeTag, Oid, Query},
};

use super::{
    array_comparison,
    error::Failure,
    inspection::inspect,
    log, plans,
    presence::is_present,
    sealed_types::holds_sealed,
    table, text_form,
    trees::{self, guarded},
};

/// Set by the input functions until the transaction ends. While it is not, no constant of a sealed type can have been
/// parsed, and statements pass without a look. A statement that has been looked at does not clear it, for it may be one
/// that ran while another was being parsed: in the CHECK of a domain, say.
static INPUT_WAS_CALLED: AtomicBool = AtomicBool::new(false);

static mut PREVIOUS_HOOK: pg_sys::post_parse_analyze_hook_type = None;

/// Installs the hook. Called once a process.
pub fn install_hook() {
    // SAFETY: while the library loads nothing else runs.
    unsafe {
        PREVIOUS_HOOK = pg_sys::post_parse_analyze_hook;
        pg_sys::post_parse_analyze_hook = Some(post_parse_analyze);
    }
}

/// How often the input functions were called in this process.
static INPUTS: AtomicU64 = AtomicU64::new(0);

/// Notes that a value was read from text, perhaps from a literal.
///
/// # Errors
/// Those of [`plans::note_input`].
pub fn note_input() -> Result<(), Failure> {
    INPUT_WAS_CALLED.store(true, Ordering::Relaxed);
    INPUTS.fetch_add(1, Ordering::Relaxed);
    plans::note_input()
}

/// How often values were read from text in this process: more than before a statement, and it has perhaps a literal.
pub fn inputs() -> u64 {
    INPUTS.load(Ordering::Relaxed)
}

/// Called when a transaction ends.
pub fn forget_input() {
    INPUT_WAS_CALLED.store(false, Ordering::Relaxed);
}

/// Owns nothing: see [`super::trees`].
///
/// # Safety
/// Called by PostgreSQL as a `post_parse_analyze_hook`.
unsafe extern "C-unwind" fn post_parse_analyze(
    state: *mut pg_sys::ParseState,
    query: *mut Query,
    jumble: *mut pg_sys::JumbleState,
) {
    // SAFETY: PostgreSQL passes the query it has just parsed. A utility statement without a query in it passes without a look
    // at the catalog, for it may end a transaction that has failed.
    unsafe {
        let held = Held::of(query);
        if !held.is_empty() && is_present() {
            look(&held);
        }
        if let Some(next) = PREVIOUS_HOOK {
            next(state, query, jumble);
        }
        table::lift_row_security((*state).p_sourcetext);
        table::show_rows_to_check(query);
    }
}

/// # Safety
/// The nodes must have just been parsed.
unsafe fn look(held: &Held) {
    // SAFETY: by this function's contract.
    unsafe {
        for node in held.nodes() {
            let found = inspect(node);
            if found.has_secret {
                guarded(log::note_secret);
            }
            // A dump's view that does so is restored, and fails when it is used: see `plans`.
            if found.has_implicit_plaintext && !guarded(text_form::is_restoring) {
                guarded(|| Failure::ImplicitPlaintext.raise());
            }
            if (INPUT_WAS_CALLED.load(Ordering::Relaxed) || found.has_array_comparison)
                && (*node).type_ == NodeTag::T_Query
            {
                trees::mutate_in_place(node.cast(), mutate, ptr::null_mut());
            }
        }
        if let Some(call) = held.call.as_mut()
            && INPUT_WAS_CALLED.load(Ordering::Relaxed)
        {
            call.funcexpr = mutate(call.funcexpr.cast(), ptr::null_mut()).cast();
            call.outargs = mutate(call.outargs.cast(), ptr::null_mut()).cast();
        }
    }
}

/// What a statement holds that is planned: the query itself, or that of a utility statement.
struct Held {
    query: *mut pg_sys::Node,
    /// The copy of its query that a materialized view is refreshed by, which the parser makes before anybody sees it.
    view_query: *mut pg_sys::Node,
    call: *mut pg_sys::CallStmt,
}

impl Held {
    const NOTHING: Self = Self { query: ptr::null_mut(), view_query: ptr::null_mut(), call: ptr::null_mut() };

    /// # Safety
    /// `query` must be a parsed query.
    unsafe fn of(query: *mut Query) -> Self {
        // SAFETY: the tag of a node tells its type; a utility statement that holds a query holds it parsed.
        unsafe {
            if (*query).commandType != pg_sys::CmdType::CMD_UTILITY {
                return Self { query: query.cast(), ..Self::NOTHING };
            }
            let statement = (*query).utilityStmt;
            match (*statement).type_ {
                NodeTag::T_ExplainStmt => Self::of((*statement.cast::<pg_sys::ExplainStmt>()).query.cast()),
                NodeTag::T_CreateTableAsStmt => {
                    let statement = &*statement.cast::<pg_sys::CreateTableAsStmt>();
                    let view_query = (*statement.into).viewQuery.cast::<pg_sys::Node>();
                    Self { view_query, ..Self::of(statement.query.cast()) }
                }
                NodeTag::T_DeclareCursorStmt => Self::of((*statement.cast::<pg_sys::DeclareCursorStmt>()).query.cast()),
                NodeTag::T_CallStmt => Self { call: statement.cast(), ..Self::NOTHING },
                _ => Self::NOTHING,
            }
        }
    }

    const fn is_empty(&self) -> bool {
        self.query.is_null() && self.call.is_null()
    }

    /// The expressions and queries.
    ///
    /// # Safety
    /// The statement must still be there.
    unsafe fn nodes(&self) -> impl Iterator<Item = *mut pg_sys::Node> {
        // SAFETY: by this function's contract.
        let arguments = unsafe { self.call.as_ref() }.map_or(ptr::null_mut(), |call| call.funcexpr.cast());
        [self.query, self.view_query, arguments].into_iter().filter(|node: &*mut pg_sys::Node| !node.is_null())
    }
}

/// A copy of an expression with its constants rewritten. Owns nothing: see [`super::trees`].
///
/// # Safety
/// `node` must be null or an expression, a list of them, or a query.
unsafe extern "C-unwind" fn mutate(node: *mut pg_sys::Node, context: *mut c_void) -> *mut pg_sys::Node {
    if node.is_null() {
        return node;
    }
    // SAFETY: by this function's contract.
    unsafe {
        match (*node).type_ {
            NodeTag::T_Const if (*node.cast::<Const>()).consttype.to_u32() >= pg_sys::FirstNormalObjectId => {
                guarded(|| if is_sealed_constant(node.cast()) { run_time_cast(node.cast()) } else { node })
            }
            NodeTag::T_ScalarArrayOpExpr => {
                let copy = trees::mutate(node, mutate, context);
                guarded(|| array_comparison::unify(copy.cast()));
                copy
            }
            _ => trees::mutate(node, mutate, context),
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
