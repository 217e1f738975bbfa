//! Row triggers (`commands/trigger.h`), fired before a row is inserted or updated.

use core::{
    ffi::{CStr, c_int},
    slice,
};
use std::sync::OnceLock;

use pgrx::pg_sys::{self, Datum, submodules::ffi::pg_guard_ffi_boundary};

use super::{
    error::Failure,
    fmgr::Args,
    table::{OwnTable, column::storage, name_of},
};

/// The row that a trigger was fired for.
pub struct RowTrigger {
    trigger: *mut pg_sys::Trigger,
    relation: pg_sys::Relation,
    columns: pg_sys::TupleDesc,
    new: pg_sys::HeapTuple,
    old: Option<pg_sys::HeapTuple>,
}

impl RowTrigger {
    /// # Errors
    /// [`Failure::NotTrigger`], when the function was called otherwise.
    pub fn of(args: &Args) -> Result<Self, Failure> {
        let context = args.context();
        // SAFETY: the context of a call is NULL or a node; the fields are those of a trigger's once its tag says so.
        unsafe {
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
                return Err(Failure::NotTrigger);
            }
            let data = &*context.cast::<pg_sys::TriggerData>();
            let event = data.tg_event;
            let operation = event & pg_sys::TRIGGER_EVENT_OPMASK;
            let is_update = operation == pg_sys::TRIGGER_EVENT_UPDATE;
            if event & pg_sys::TRIGGER_EVENT_ROW == 0
                || event & pg_sys::TRIGGER_EVENT_TIMINGMASK != pg_sys::TRIGGER_EVENT_BEFORE
                || !(is_update || operation == pg_sys::TRIGGER_EVENT_INSERT)
            {
                return Err(Failure::NotTrigger);
            }
            let (old, new) =
                if is_update { (Some(data.tg_trigtuple), data.tg_newtuple) } else { (None, data.tg_trigtuple) };
            let relation = data.tg_relation;
            Ok(Self { trigger: data.tg_trigger, relation, columns: (*relation).rd_att, new, old })
        }
    }

    /// The arguments of the trigger's definition.
    pub fn arguments(&self) -> Vec<&CStr> {
        // SAFETY: the trigger's definition, which lives as long as the call.
        unsafe { arguments(self.trigger) }
    }

    /// The trigger's table, which is open.
    pub const fn relation(&self) -> pg_sys::Relation {
        self.relation
    }

    /// The table's name, for messages.
    pub fn table_name(&self) -> String {
        // SAFETY: an open relation.
        name_of(unsafe { (*self.relation).rd_id })
    }

    /// The columns of the trigger's table.
    pub const fn columns(&self) -> pg_sys::TupleDesc {
        self.columns
    }

    /// Whether the row was there before.
    pub const fn is_update(&self) -> bool {
        self.old.is_some()
    }

    /// The row's value as it is to be stored, or None for NULL.
    pub fn value(&self, column: pg_sys::AttrNumber) -> Option<Datum> {
        // SAFETY: a row of the table.
        unsafe { value(self.new, self.columns, column) }
    }

    /// Whether an update has changed a value, byte for byte.
    pub fn is_changed(&self, column: pg_sys::AttrNumber) -> bool {
        let Some(old) = self.old else { return true };
        // SAFETY: both are rows of the table, so their values have the width that its column says. What
        // `datum_image_eq` compares it fetches first, which can fail: hence pgrx's guard.
        unsafe {
            match (value(old, self.columns, column), value(self.new, self.columns, column)) {
                (None, None) => false,
                (Some(old), Some(new)) => {
                    let (by_value, len) = storage(self.columns, column);
                    !pg_guard_ffi_boundary(|| datum_image_eq(old, new, by_value, len.into()))
                }
                _ => true,
            }
        }
    }

    /// The row as it is.
    pub fn unchanged(&self) -> Datum {
        Datum::from(self.new)
    }

    /// The row with another value in a column.
    ///
    /// # Safety
    /// `value` must be of the column's type.
    pub unsafe fn with(&self, column: pg_sys::AttrNumber, value: Option<Datum>) -> Datum {
        let (mut number, mut is_null) = (column.into(), value.is_none());
        let mut value = value.unwrap_or(Datum::null());
        // SAFETY: one column, and by this function's contract a value of its type.
        Datum::from(unsafe {
            pg_sys::heap_modify_tuple_by_cols(
                self.new,
                self.columns,
                1,
                &raw mut number,
                &raw mut value,
                &raw mut is_null,
            )
        })
    }
}

/// A function of ours that triggers call: known by its address, whatever it is called.
pub struct TriggerFunction(OnceLock<usize>);

impl TriggerFunction {
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Makes it known. Once a process.
    pub fn know(&self, function: unsafe extern "C-unwind" fn(pg_sys::FunctionCallInfo) -> Datum) {
        self.0.get_or_init(|| function as usize);
    }

    /// The arguments of each of its triggers on a table.
    pub fn definitions<'a>(&self, table: &'a OwnTable) -> impl Iterator<Item = Vec<&'a CStr>> {
        // SAFETY: an open relation has its triggers, which live as long.
        let triggers = unsafe {
            let all = (*table.relation()).trigdesc.as_ref();
            all.map_or(&[][..], |all| {
                slice::from_raw_parts(all.triggers, usize::try_from(all.numtriggers).unwrap_or_default())
            })
        };
        // SAFETY: triggers of the open relation.
        triggers.iter().filter(|trigger| self.is(trigger.tgfoid)).map(|trigger| unsafe { arguments(trigger) })
    }

    fn is(&self, function: pg_sys::Oid) -> bool {
        // SAFETY: fmgr_info fills the structure for a function that exists, as a trigger's does.
        let address = unsafe {
            let mut called = pg_sys::FmgrInfo::default();
            pg_sys::fmgr_info(function, &raw mut called);
            called.fn_addr.map(|address| address as usize)
        };
        address == self.0.get().copied()
    }
}

/// # Safety
/// `trigger` must live as long as the result.
unsafe fn arguments<'a>(trigger: *const pg_sys::Trigger) -> Vec<&'a CStr> {
    // SAFETY: by this function's contract; so many C strings.
    unsafe {
        let count = usize::try_from((*trigger).tgnargs).unwrap_or_default();
        (0..count).map(|at| CStr::from_ptr(*(*trigger).tgargs.add(at))).collect()
    }
}

/// # Safety
/// `row` must be of these columns.
unsafe fn value(row: pg_sys::HeapTuple, columns: pg_sys::TupleDesc, column: pg_sys::AttrNumber) -> Option<Datum> {
    let mut is_null = false;
    // SAFETY: by this function's contract.
    let value = unsafe { pg_sys::SPI_getbinval(row, columns, column.into(), &raw mut is_null) };
    (!is_null).then_some(value)
}

unsafe extern "C-unwind" {
    /// As in `utils/datum.h`.
    fn datum_image_eq(value1: Datum, value2: Datum, by_value: bool, len: c_int) -> bool;
}
