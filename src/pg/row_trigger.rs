//! Row triggers (`commands/trigger.h`), fired before a row is inserted or updated.

use core::ffi::{CStr, c_int};

use pgrx::pg_sys::{self, Datum, Oid};

use super::{error::Failure, fmgr::Args};

/// A column of the trigger's table.
#[derive(Clone, Copy)]
pub struct Column {
    /// Counted from 1.
    pub number: c_int,
    /// Its type; of a domain, the type under it.
    pub base_type: Oid,
    /// The modifier of that type, as the length of a varchar.
    pub modifier: i32,
    by_value: bool,
    len: i16,
}

/// The row that a trigger was fired for.
pub struct RowTrigger {
    trigger: *mut pg_sys::Trigger,
    table: Oid,
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
            let table = &*data.tg_relation;
            Ok(Self { trigger: data.tg_trigger, table: table.rd_id, columns: table.rd_att, new, old })
        }
    }

    /// The arguments of the trigger's definition.
    pub fn arguments(&self) -> Vec<&CStr> {
        // SAFETY: the trigger's definition, which lives as long as the call.
        unsafe {
            let count = usize::try_from((*self.trigger).tgnargs).unwrap_or_default();
            (0..count).map(|at| CStr::from_ptr(*(*self.trigger).tgargs.add(at))).collect()
        }
    }

    /// The column of that name.
    ///
    /// # Errors
    /// [`Failure::NoColumn`].
    pub fn column(&self, name: &CStr) -> Result<Column, Failure> {
        // SAFETY: the table's columns, which live as long as the call; a lookup in the system catalogs.
        unsafe {
            let mut column = Column::find(self.columns, name)?;
            if column.modifier == -1 {
                let (mut declared, mut collation) = (Oid::INVALID, Oid::INVALID);
                let number = column.number as pg_sys::AttrNumber;
                let modifier = &raw mut column.modifier;
                pg_sys::get_atttypetypmodcoll(self.table, number, &raw mut declared, modifier, &raw mut collation);
            }
            Ok(column)
        }
    }

    /// Whether the row was there before.
    pub const fn is_update(&self) -> bool {
        self.old.is_some()
    }

    /// The row's value as it is to be stored, or None for NULL.
    pub fn value(&self, column: Column) -> Option<Datum> {
        // SAFETY: a column of the row.
        unsafe { value(self.new, self.columns, column) }
    }

    /// Whether an update has changed a value, byte for byte.
    pub fn is_changed(&self, column: Column) -> bool {
        let Some(old) = self.old else { return true };
        // SAFETY: a column of both rows, of one type.
        unsafe {
            match (value(old, self.columns, column), value(self.new, self.columns, column)) {
                (None, None) => false,
                (Some(old), Some(new)) => !datum_image_eq(old, new, column.by_value, c_int::from(column.len)),
                _ => true,
            }
        }
    }

    /// The row as it is.
    pub fn unchanged(&self) -> Datum {
        Datum::from(self.new)
    }

    /// No row: neither inserted nor updated.
    pub const fn skipped() -> Datum {
        Datum::null()
    }

    /// The row with another value in a column.
    pub fn with(&self, column: Column, value: Option<Datum>) -> Datum {
        let (mut number, mut is_null) = (column.number, value.is_none());
        let mut value = value.unwrap_or(Datum::null());
        // SAFETY: one column, and a value of its type.
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

impl Column {
    /// # Safety
    /// `columns` must be a table's or a query's.
    pub unsafe fn find(columns: pg_sys::TupleDesc, name: &CStr) -> Result<Self, Failure> {
        // SAFETY: by this function's contract; of a column that is not there the number is not positive.
        unsafe {
            let number = pg_sys::SPI_fnumber(columns, name.as_ptr());
            if number <= 0 {
                return Err(Failure::NoColumn(name.to_string_lossy().into_owned()));
            }
            let mut modifier = -1;
            let attribute = pg_sys::SPI_gettypeid(columns, number);
            let base_type = pg_sys::getBaseTypeAndTypmod(attribute, &raw mut modifier);
            let (mut len, mut by_value) = (0, false);
            pg_sys::get_typlenbyval(base_type, &raw mut len, &raw mut by_value);
            Ok(Self { number, base_type, modifier, by_value, len })
        }
    }
}

/// # Safety
/// The column must be one of the row's.
unsafe fn value(row: pg_sys::HeapTuple, columns: pg_sys::TupleDesc, column: Column) -> Option<Datum> {
    let mut is_null = false;
    // SAFETY: by this function's contract.
    let value = unsafe { pg_sys::SPI_getbinval(row, columns, column.number, &raw mut is_null) };
    (!is_null).then_some(value)
}

unsafe extern "C-unwind" {
    /// As in `utils/datum.h`.
    fn datum_image_eq(value1: Datum, value2: Datum, by_value: bool, len: c_int) -> bool;
}
