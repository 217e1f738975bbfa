//! The rows of a query, one after the other, whatever their number.

use core::ffi::{CStr, c_long};
use std::ffi::CString;

use pgrx::{
    PgMemoryContexts,
    pg_sys::{self, Datum},
};

use super::{error::Failure, row_trigger::Column};

/// A row of a query's result.
pub struct Row {
    tuple: pg_sys::HeapTuple,
    columns: pg_sys::TupleDesc,
}

impl Row {
    /// The column of that name.
    ///
    /// # Errors
    /// [`Failure::NoColumn`].
    pub fn column(&self, name: &CStr) -> Result<Column, Failure> {
        // SAFETY: the columns of the query, which live as long as the row.
        unsafe { Column::find(self.columns, name) }
    }

    /// The value of a column, or None for NULL.
    pub fn value(&self, column: Column) -> Option<Datum> {
        let mut is_null = false;
        // SAFETY: a column of the row.
        let value = unsafe { pg_sys::SPI_getbinval(self.tuple, self.columns, column.number, &raw mut is_null) };
        (!is_null).then_some(value)
    }

    /// The text form of the value of the column that is `number`-th, counted from 1; empty for NULL.
    pub fn text(&self, number: i32) -> String {
        // SAFETY: a column of the row; NULL or a C string that the call made.
        unsafe {
            let text = pg_sys::SPI_getvalue(self.tuple, self.columns, number);
            if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
        }
    }
}

/// Calls `f` for each row of a query, with an SPI connection open. What `f` allocates is freed soon after.
///
/// # Errors
/// Those of `f`.
pub fn for_each(query: &str, mut f: impl FnMut(&Row) -> Result<(), Failure>) -> Result<(), Failure> {
    const AT_A_TIME: c_long = 1000;
    let Ok(query) = CString::new(query) else { return Err(Failure::NotText) };
    let mut context = PgMemoryContexts::new("pg_cordon rows");
    // SAFETY: a cursor without parameters, closed at the end; an error closes it with its transaction. The rows fetched
    // are SPI's until they are freed.
    unsafe {
        let cursor = pg_sys::SPI_cursor_open_with_args(
            core::ptr::null(),
            query.as_ptr(),
            0,
            core::ptr::null_mut(),
            core::ptr::null_mut(),
            core::ptr::null(),
            true,
            0,
        );
        loop {
            pg_sys::SPI_cursor_fetch(cursor, true, AT_A_TIME);
            let fetched = usize::try_from(pg_sys::SPI_processed).unwrap_or_default();
            let table = pg_sys::SPI_tuptable;
            let outcome = context.switch_to(|_| {
                (0..fetched).try_for_each(|at| f(&Row { tuple: *(*table).vals.add(at), columns: (*table).tupdesc }))
            });
            pg_sys::SPI_freetuptable(table);
            context.reset();
            outcome?;
            if fetched == 0 {
                break;
            }
        }
        pg_sys::SPI_cursor_close(cursor);
    }
    Ok(())
}
