//! Plans hold no value that was sealed while they were made.
//!
//! The planner puts the body of an SQL function in the place of a call (`inline_function` in `optimizer/util/clauses.c`), and
//! parses it without the hook by which [`super::literals`] turns constants into casts. So the input functions look whether
//! they are called from there; the function whose body it is is remembered, and not put in again, and the query is planned
//! once more.

use core::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use pgrx::pg_sys::{self, Datum, Node, NodeTag, Oid, PlannedStmt, Query};

use super::{
    cell::ProcessCell,
    error::Failure,
    inspection::inspect,
    presence::is_present,
    text_form,
    trees::{guarded, walk},
};

// Languages, as `catalog/pg_language.dat` numbers them.
const INTERNAL: Oid = Oid::from_u32(12);
const C: Oid = Oid::from_u32(13);
const SQL: Oid = Oid::from_u32(14);

/// Functions of SQL with literals of sealed types in their bodies. Forgotten when any function changes.
static WITH_LITERALS: ProcessCell<Vec<Oid>> = ProcessCell::new(Vec::new());

/// How many have been found in this process. A count only grows, so that it does not matter how an attempt to plan ended.
static FOUND: AtomicU64 = AtomicU64::new(0);

/// How many calls of the planner are under way: those that an error ended are taken off with their subtransaction.
static PLANNING: AtomicU32 = AtomicU32::new(0);

/// Whether no SQL function is put in, until the present plan is made.
static KEEPS_ALL_OUT: AtomicBool = AtomicBool::new(false);

/// The SQL function that was asked about last: the one that is put in, if any is.
static LAST_ASKED: AtomicU32 = AtomicU32::new(0);

static mut NEXT_PLANNER: pg_sys::planner_hook_type = None;
static mut NEXT_NEEDS_HOOK: pg_sys::needs_fmgr_hook_type = None;

/// Installs the hooks. Once a process.
pub fn install_hooks() {
    // SAFETY: while the library loads nothing else runs.
    unsafe {
        NEXT_PLANNER = pg_sys::planner_hook;
        pg_sys::planner_hook = Some(plan);
        NEXT_NEEDS_HOOK = pg_sys::needs_fmgr_hook;
        pg_sys::needs_fmgr_hook = Some(needs_hook);
        pg_sys::CacheRegisterSyscacheCallback(
            pg_sys::SysCacheIdentifier::PROCOID as c_int,
            Some(forget),
            Datum::null(),
        );
    }
}

/// Notes that an input function is running.
///
/// # Errors
/// [`Failure::LiteralInFunction`], where nobody will plan again: a body that is put into an expression which outlives its
/// statement.
pub fn note_input() -> Result<(), Failure> {
    // SAFETY: the current memory context always has a name.
    let is_inlining = unsafe { CStr::from_ptr((*pg_sys::CurrentMemoryContext).name) } == c"inline_function";
    let function = Oid::from(LAST_ASKED.load(Ordering::Relaxed));
    if !is_inlining || function == Oid::INVALID {
        return Ok(());
    }
    FOUND.fetch_add(1, Ordering::Relaxed);
    let mut known = WITH_LITERALS.borrow_mut();
    if known.contains(&function) {
        // That one is not put in, so it is another's body: parsing it has run queries of its own. Then none is put in.
        KEEPS_ALL_OUT.store(true, Ordering::Relaxed);
    } else {
        known.push(function);
    }
    if PLANNING.load(Ordering::Relaxed) == 0 { Err(Failure::LiteralInFunction) } else { Ok(()) }
}

/// Called when a transaction ends.
pub fn forget_planning() {
    restore_planning(0);
    KEEPS_ALL_OUT.store(false, Ordering::Relaxed);
}

/// Keeps the bodies of SQL functions out of expressions that are planned by themselves, as COPY does with defaults; returns
/// whether they were. Until the statement ends, by [`restore_keeping_out`].
pub fn keep_out() -> bool {
    KEEPS_ALL_OUT.swap(true, Ordering::Relaxed)
}

/// Takes it back.
pub fn restore_keeping_out(before: bool) {
    KEEPS_ALL_OUT.store(before, Ordering::Relaxed);
}

/// How many calls of the planner are under way; for [`super::transaction`], which takes it back where an error was caught.
pub fn planning() -> u32 {
    PLANNING.load(Ordering::Relaxed)
}

/// Takes it back.
pub fn restore_planning(count: u32) {
    PLANNING.store(count, Ordering::Relaxed);
}

/// Owns nothing: see [`super::trees`].
///
/// # Safety
/// Called by PostgreSQL as a `planner_hook`.
unsafe extern "C-unwind" fn plan(
    query: *mut Query,
    text: *const c_char,
    options: c_int,
    parameters: pg_sys::ParamListInfo,
) -> *mut PlannedStmt {
    // SAFETY: PostgreSQL passes a query that has been rewritten. Planning changes it, so that each attempt has a copy of its own.
    unsafe {
        if !is_present() {
            return next_planner(query, text, options, parameters);
        }
        refuse_implicit_plaintext(query);
        if !calls_sql(query.cast(), ptr::null_mut()) {
            return next_planner(query, text, options, parameters);
        }
        let mut query = query;
        loop {
            let again = copyObjectImpl(query.cast()).cast::<Query>();
            let before = FOUND.load(Ordering::Relaxed);
            PLANNING.fetch_add(1, Ordering::Relaxed);
            let planned = next_planner(query, text, options, parameters);
            let _ = PLANNING.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |depth| Some(depth.saturating_sub(1)));
            if FOUND.load(Ordering::Relaxed) == before {
                if PLANNING.load(Ordering::Relaxed) == 0 {
                    KEEPS_ALL_OUT.store(false, Ordering::Relaxed);
                }
                return planned;
            }
            query = again;
        }
    }
}

/// # Safety
/// As [`plan`].
unsafe fn next_planner(
    query: *mut Query,
    text: *const c_char,
    options: c_int,
    parameters: pg_sys::ParamListInfo,
) -> *mut PlannedStmt {
    // SAFETY: by this function's contract.
    unsafe {
        match NEXT_PLANNER {
            Some(next) => next(query, text, options, parameters),
            None => standard_planner(query, text, options, parameters),
        }
    }
}

/// A view, a rule or a function of before the library refused it, in which a sealed value becomes plaintext unasked.
///
/// # Safety
/// `query` must be a query.
unsafe fn refuse_implicit_plaintext(query: *mut Query) {
    // SAFETY: by this function's contract.
    unsafe {
        if inspect(query.cast()).has_implicit_plaintext && !guarded(text_form::is_restoring) {
            guarded(|| Failure::ImplicitPlaintext.raise());
        }
    }
}

/// Whether a call in the query may put the body of a function of SQL that is text in its place: of one itself; of one whose body
/// was parsed when it was made, and may call others; of any for which defaults of arguments are put in. Owns nothing: see
/// [`super::trees`].
///
/// # Safety
/// `node` must be null or a part of a query.
unsafe extern "C-unwind" fn calls_sql(node: *mut Node, context: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    // SAFETY: by this function's contract; the tag of a node tells its type.
    unsafe {
        let function = match (*node).type_ {
            NodeTag::T_FuncExpr => (*node.cast::<pg_sys::FuncExpr>()).funcid,
            NodeTag::T_OpExpr | NodeTag::T_DistinctExpr | NodeTag::T_NullIfExpr => {
                let operator = (*node.cast::<pg_sys::OpExpr>()).opno;
                if operator.to_u32() < pg_sys::FirstNormalObjectId {
                    Oid::INVALID
                } else {
                    guarded(|| pg_sys::get_opcode(operator))
                }
            }
            _ => Oid::INVALID,
        };
        (function.to_u32() >= pg_sys::FirstNormalObjectId && guarded(|| may_call_sql(function)))
            || walk(node, calls_sql, context)
    }
}

fn may_call_sql(function: Oid) -> bool {
    of_function(function, |_, form| form.prolang == SQL || form.pronargdefaults > 0)
}

fn is_of_language(function: Oid, languages: &[Oid]) -> bool {
    of_function(function, |_, form| languages.contains(&form.prolang))
}

fn of_function(function: Oid, f: impl FnOnce(pg_sys::HeapTuple, &pg_sys::FormData_pg_proc) -> bool) -> bool {
    // SAFETY: a lookup in the system catalogs; the row is released when it has been looked at.
    unsafe {
        let row = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::PROCOID as c_int, Datum::from(function));
        if row.is_null() {
            return false;
        }
        let answer = f(row, &*pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_proc>());
        pg_sys::ReleaseSysCache(row);
        answer
    }
}

/// # Safety
/// Called by PostgreSQL as a `needs_fmgr_hook`: of an SQL function, before its body is put in a call's place.
unsafe extern "C-unwind" fn needs_hook(function: Oid) -> bool {
    // SAFETY: PostgreSQL passes a function that exists.
    unsafe {
        if function.to_u32() >= pg_sys::FirstNormalObjectId && is_present() && guarded(|| is_kept_out(function)) {
            return true;
        }
        NEXT_NEEDS_HOOK.is_some_and(|next| next(function))
    }
}

fn is_kept_out(function: Oid) -> bool {
    if text_form::counts_functions() && !is_of_language(function, &[INTERNAL, C]) {
        return true;
    }
    if !is_of_language(function, &[SQL]) {
        return false;
    }
    LAST_ASKED.store(function.to_u32(), Ordering::Relaxed);
    KEEPS_ALL_OUT.load(Ordering::Relaxed) || WITH_LITERALS.borrow_mut().contains(&function)
}

/// # Safety
/// Called by PostgreSQL.
unsafe extern "C-unwind" fn forget(_: Datum, _: c_int, _: u32) {
    // Not while somebody looks at it: then it is only the longer.
    if let Ok(mut known) = WITH_LITERALS.try_borrow_mut() {
        known.clear();
    }
}

unsafe extern "C-unwind" {
    /// As in `optimizer/planner.h` and `nodes/nodes.h`, without the guard of pgrx's declarations.
    fn standard_planner(
        query: *mut Query,
        text: *const c_char,
        options: c_int,
        parameters: pg_sys::ParamListInfo,
    ) -> *mut PlannedStmt;
    fn copyObjectImpl(from: *const c_void) -> *mut c_void;
}
