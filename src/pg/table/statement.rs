//! A statement in place of its owner, or of a role that attacks: for catalog questions and definitions, which are SQL.
//!
//! No guard is between PostgreSQL and the frames here, which own nothing: an error keeps its context, and the names of the
//! constraint and the column at fault.

use core::{
    ffi::{c_char, c_int, c_long, c_void},
    ptr,
};

use pgrx::pg_sys::{self, Datum, FunctionCallInfo, Oid};

use super::owner::{Access, Acting, OwnTable, check_owner};
use crate::pg::{
    error::{Failure, or_raise},
    fmgr::Args,
};

/// `cordon_internal.as_owner(relation oid, statement text)`: runs a statement as the owner of a relation that the caller has
/// the rights of, from whom no row security hides rows, and returns the first column of its first row as text.
///
/// # Safety
/// To be called by PostgreSQL, for a function declared STRICT with these arguments.
pub unsafe fn as_owner(call: FunctionCallInfo) -> Datum {
    // SAFETY: by this function's contract.
    unsafe {
        let (owner, statement) = pg_sys::submodules::panic::pgrx_extern_c_guard(|| {
            let args = Args::new(call);
            let relation = args.oid(0);
            or_raise(check_owner(relation));
            // Closed again, for definitions of a table that is open are refused; the lock stays.
            let table = or_raise(OwnTable::open(relation, Access::Read));
            (table.owner(), pg_sys::text_to_cstring(args.pointer(1).cast()))
        });
        run(call, owner, statement, pg_sys::SECURITY_NOFORCE_RLS as c_int, true)
    }
}

/// `cordon_internal.act_as(role oid, statement text, fires_after boolean)`: runs a statement as a role, for `cordon.prove`,
/// which superusers call; returns the first column of its first row as text, of a statement without rows their number.
/// Without `fires_after`, triggers that fire after it, as those of foreign keys do, do not: whoever calls takes back what it
/// did, by ending the subtransaction that it was called in with an error.
///
/// # Safety
/// As [`as_owner`].
pub unsafe fn act_as(call: FunctionCallInfo) -> Datum {
    // SAFETY: by this function's contract.
    unsafe {
        let (role, statement, fires_after) = pg_sys::submodules::panic::pgrx_extern_c_guard(|| {
            let args = Args::new(call);
            if !pg_sys::superuser() {
                Failure::NotSuperuser("act as another role").raise();
            }
            // Raises 42704 for a role that does not exist.
            pg_sys::GetUserNameFromId(args.oid(0), false);
            if pg_sys::superuser_arg(args.oid(0)) {
                Failure::SuperuserRole.raise();
            }
            (args.oid(0), pg_sys::text_to_cstring(args.pointer(1).cast()), args.bool(2))
        });
        run(call, role, statement, 0, fires_after)
    }
}

/// # Safety
/// As [`as_owner`]; `statement` must be a C string.
unsafe fn run(call: FunctionCallInfo, role: Oid, statement: *const c_char, more: c_int, fires_after: bool) -> Datum {
    // SAFETY: by this function's contract. An error ends the transaction or subtransaction, and with it the role, the settings
    // and the connection.
    unsafe {
        let caller = pg_sys::CurrentMemoryContext;
        let acting = Acting::begin(role, more);
        SPI_connect();
        let none = ptr::null_mut();
        if !fires_after {
            // A list of triggers to fire that nobody ends but the end of the subtransaction.
            AfterTriggerBeginQuery();
        }
        let plan = SPI_prepare(statement, 0, none);
        if plan.is_null()
            || SPI_execute_snapshot(plan, none.cast(), ptr::null(), none.cast(), none.cast(), false, fires_after, 0) < 0
        {
            pg_sys::submodules::panic::pgrx_extern_c_guard::<_, ()>(|| Failure::NotAStatement.raise());
        }
        let mut result = ptr::null_mut::<pg_sys::varlena>();
        if pg_sys::SPI_tuptable.is_null() {
            result = copy_text(psprintf(c"%llu".as_ptr(), pg_sys::SPI_processed), caller);
        } else if pg_sys::SPI_processed > 0 {
            let rows = &*pg_sys::SPI_tuptable;
            let value = SPI_getvalue(*rows.vals, rows.tupdesc, 1);
            if !value.is_null() {
                result = copy_text(value, caller);
            }
        }
        SPI_finish();
        acting.end();
        if result.is_null() {
            (*call).isnull = true;
        }
        Datum::from(result)
    }
}

/// # Safety
/// `text` must be a C string.
unsafe fn copy_text(text: *const c_char, context: pg_sys::MemoryContext) -> *mut pg_sys::varlena {
    // SAFETY: by this function's contract.
    unsafe {
        let former = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = context;
        let copy = cstring_to_text(text);
        pg_sys::CurrentMemoryContext = former;
        copy
    }
}

// As in `executor/spi.h`, `commands/trigger.h` and `utils/builtins.h`, without the guard of pgrx's declarations.
unsafe extern "C-unwind" {
    fn SPI_connect() -> c_int;
    fn SPI_prepare(statement: *const c_char, count: c_int, types: *mut Oid) -> *mut c_void;
    fn SPI_execute_snapshot(
        plan: *mut c_void,
        values: *mut Datum,
        nulls: *const c_char,
        snapshot: pg_sys::Snapshot,
        crosscheck: pg_sys::Snapshot,
        read_only: bool,
        fire_triggers: bool,
        count: c_long,
    ) -> c_int;
    fn AfterTriggerBeginQuery();
    fn SPI_finish() -> c_int;
    fn SPI_getvalue(row: pg_sys::HeapTuple, columns: pg_sys::TupleDesc, number: c_int) -> *mut c_char;
    fn psprintf(format: *const c_char, ...) -> *mut c_char;
    fn cstring_to_text(text: *const c_char) -> *mut pg_sys::varlena;
}
