//! What is done when a transaction or a subtransaction ends.

use core::{ffi::c_void, ptr};

use pgrx::pg_sys;

use super::{cell::ProcessCell, definitions, keys, literals, plans, table, tenant, text_form};

/// Asks to be called. Once a process.
pub fn install_callback() {
    // SAFETY: while the library loads nothing else runs.
    unsafe {
        pg_sys::RegisterXactCallback(Some(at_end), ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(at_subtransaction), ptr::null_mut());
    }
}

/// What was under way when a subtransaction began. An error passes over the frames that would count it off.
struct UnderWay {
    /// Calls of the planner.
    planning: u32,
    /// The statement that defines something.
    utility: definitions::Utility,
    /// A query of `cordon.across`.
    is_across: bool,
}

/// For each of the present subtransactions.
static BEFORE: ProcessCell<Vec<UnderWay>> = ProcessCell::new(Vec::new());

/// # Safety
/// Called by PostgreSQL.
unsafe extern "C-unwind" fn at_subtransaction(
    event: pg_sys::SubXactEvent::Type,
    _own: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    use pg_sys::SubXactEvent::{SUBXACT_EVENT_ABORT_SUB, SUBXACT_EVENT_COMMIT_SUB, SUBXACT_EVENT_START_SUB};
    match event {
        SUBXACT_EVENT_START_SUB => BEFORE.borrow_mut().push(UnderWay {
            planning: plans::planning(),
            utility: definitions::under_way(),
            is_across: tenant::is_across(),
        }),
        SUBXACT_EVENT_COMMIT_SUB => drop(BEFORE.borrow_mut().pop()),
        SUBXACT_EVENT_ABORT_SUB => {
            if let Some(before) = BEFORE.borrow_mut().pop() {
                table::forget_lifted();
                plans::restore_planning(before.planning);
                definitions::restore(before.utility);
                if !before.is_across {
                    tenant::end_across();
                }
            }
        }
        _ => {}
    }
}

/// # Safety
/// Called by PostgreSQL.
unsafe extern "C-unwind" fn at_end(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_PARALLEL_PRE_COMMIT, XACT_EVENT_PRE_COMMIT, XACT_EVENT_PRE_PREPARE};
    if [XACT_EVENT_PRE_COMMIT, XACT_EVENT_PARALLEL_PRE_COMMIT, XACT_EVENT_PRE_PREPARE].contains(&event) {
        return;
    }
    BEFORE.borrow_mut().clear();
    table::forget_lifted();
    literals::forget_input();
    plans::forget_planning();
    definitions::forget();
    text_form::forget_functions();
    tenant::thaw();
    keys::erase_stack();
}
