//! Walking PostgreSQL's trees (`nodes/nodeFuncs.h`), for as many levels as PostgreSQL itself walks.
//!
//! The walkers are declared here once more, without the guard of pgrx's declarations, and callbacks have none either: two
//! guards a level, 1.5 KB of stack, would end at a tenth of the depth. So an error of PostgreSQL's, as that the stack is too
//! deep, passes over the frames of callbacks: they own nothing that must be dropped, and guard whatever they call for a node
//! by [`guarded`].

use core::ffi::{c_int, c_void};

use pgrx::pg_sys::{self, Node, NodeTag, Query};

/// A callback that sees each node, with its context; true ends the walk.
pub type Walker = unsafe extern "C-unwind" fn(*mut Node, *mut c_void) -> bool;

/// A callback that returns what is to stand in a node's place.
pub type Mutator = unsafe extern "C-unwind" fn(*mut Node, *mut c_void) -> *mut Node;

unsafe extern "C-unwind" {
    #[cfg_attr(not(feature = "pg15"), link_name = "expression_tree_walker_impl")]
    fn expression_tree_walker(node: *mut Node, walker: Walker, context: *mut c_void) -> bool;
    #[cfg_attr(not(feature = "pg15"), link_name = "query_tree_walker_impl")]
    fn query_tree_walker(query: *mut Query, walker: Walker, context: *mut c_void, flags: c_int) -> bool;
    #[cfg_attr(not(feature = "pg15"), link_name = "raw_expression_tree_walker_impl")]
    fn raw_expression_tree_walker(node: *mut Node, walker: Walker, context: *mut c_void) -> bool;
    #[cfg_attr(not(feature = "pg15"), link_name = "expression_tree_mutator_impl")]
    fn expression_tree_mutator(node: *mut Node, mutator: Mutator, context: *mut c_void) -> *mut Node;
    #[cfg_attr(not(feature = "pg15"), link_name = "query_tree_mutator_impl")]
    fn query_tree_mutator(query: *mut Query, mutator: Mutator, context: *mut c_void, flags: c_int) -> *mut Query;
}

/// Calls `walker` for the nodes under a node: of a query those in all of its parts.
///
/// # Safety
/// `node` must be an expression, a list of them, or a query, as the parser or the planner has them; `walker` must take
/// `context`.
pub unsafe fn walk(node: *mut Node, walker: Walker, context: *mut c_void) -> bool {
    // SAFETY: by this function's contract; the tag of a node tells its type.
    unsafe {
        if (*node).type_ == NodeTag::T_Query {
            query_tree_walker(node.cast(), walker, context, 0)
        } else {
            expression_tree_walker(node, walker, context)
        }
    }
}

/// As [`walk`], for an expression as the grammar leaves it.
///
/// # Safety
/// As [`walk`], of a raw expression.
pub unsafe fn walk_raw(node: *mut Node, walker: Walker, context: *mut c_void) -> bool {
    // SAFETY: by this function's contract.
    unsafe { raw_expression_tree_walker(node, walker, context) }
}

/// A copy of a node with what `mutator` makes of the nodes under it.
///
/// # Safety
/// As [`walk`].
pub unsafe fn mutate(node: *mut Node, mutator: Mutator, context: *mut c_void) -> *mut Node {
    // SAFETY: by this function's contract; the tag of a node tells its type.
    unsafe {
        if (*node).type_ == NodeTag::T_Query {
            query_tree_mutator(node.cast(), mutator, context, 0).cast()
        } else {
            expression_tree_mutator(node, mutator, context)
        }
    }
}

/// As [`mutate`], but changes the query itself, in which others refer to it.
///
/// # Safety
/// As [`walk`].
pub unsafe fn mutate_in_place(query: *mut Query, mutator: Mutator, context: *mut c_void) {
    // SAFETY: by this function's contract.
    unsafe { query_tree_mutator(query, mutator, context, pg_sys::QTW_DONT_COPY_QUERY as c_int) };
}

/// Calls what may have something to drop, or fail in Rust, from a frame over which errors pass.
#[inline(never)]
pub fn guarded<T>(f: impl FnOnce() -> T) -> T {
    // SAFETY: an error is raised when everything in `f` has been dropped; the frames above own nothing.
    unsafe { pg_sys::submodules::panic::pgrx_extern_c_guard(f) }
}
