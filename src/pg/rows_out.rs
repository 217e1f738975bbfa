//! Functions that return rows, all at once (`funcapi.h`, "materialize mode").

use pgrx::pg_sys::{self, Datum, Oid};

use super::{fmgr::Args, table::column::types, varlena::Output};

/// The rows that a function returns.
pub struct RowsOut {
    result: *mut pg_sys::ReturnSetInfo,
}

impl RowsOut {
    /// Begins the result of a function that SQL declares with RETURNS TABLE or SETOF.
    pub fn begin(args: &Args) -> Self {
        // SAFETY: PostgreSQL passes a call and, to a function that returns a set, how it wants the set; else this is an
        // error.
        unsafe {
            pg_sys::InitMaterializedSRF(args.call(), 0);
            Self { result: (*args.call()).resultinfo.cast() }
        }
    }

    /// Adds a row, when it is of the types that SQL declares for the columns; else a panic, which the first test shows.
    pub fn push<const N: usize>(&self, row: [Cell; N]) {
        let mut nulls = row.map(|cell| cell.value.is_none());
        let mut values = row.map(|cell| cell.value.unwrap_or(Datum::null()));
        // SAFETY: `begin` made the store and the columns; each value is of the type of its column.
        unsafe {
            let result = &*self.result;
            let declared = types(result.setDesc);
            let given = row.map(|cell| Some(cell.type_oid));
            assert!(declared == given, "SQL declares other columns for this function");
            pg_sys::tuplestore_putvalues(result.setResult, result.setDesc, values.as_mut_ptr(), nulls.as_mut_ptr());
        }
    }
}

/// A value of a row, and its type.
#[derive(Clone, Copy)]
pub struct Cell {
    value: Option<Datum>,
    type_oid: Oid,
}

impl Cell {
    /// Of type text.
    pub fn text(text: &str) -> Self {
        Self { value: text_datum(text), type_oid: pg_sys::TEXTOID }
    }

    /// Of type bigint.
    pub fn int8(number: i64) -> Self {
        Self { value: Some(Datum::from(number)), type_oid: pg_sys::INT8OID }
    }

    /// Of type regclass.
    pub fn regclass(relation: Oid) -> Self {
        Self { value: Some(Datum::from(relation)), type_oid: pg_sys::REGCLASSOID }
    }
}

/// A value of type text, in the current memory context; None when there is no memory for it.
pub fn text_datum(text: &str) -> Option<Datum> {
    let mut output = Output::varlena(text.len()).ok()?;
    output.bytes().copy_from_slice(text.as_bytes());
    Some(output.into_datum())
}
