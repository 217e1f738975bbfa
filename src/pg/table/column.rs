//! Columns, by their numbers and the types that the catalog gives them now. A value is read as the bytes of a type only
//! through a column that was found to be of it.

use core::ffi::CStr;
use std::ffi::CString;

use cordon_core::TenantId;
use pgrx::pg_sys::{self, Datum, Oid};

use crate::pg::{encoding, error::Failure, varlena::Varlena};

/// A column of a table that is open, or of the row that a trigger was fired for.
#[derive(Clone, Copy)]
pub struct Column {
    /// Counted from 1.
    pub number: pg_sys::AttrNumber,
    /// Its declared type.
    pub declared_type: Oid,
    /// Of a domain, the type under all of its domains.
    pub base_type: Oid,
    /// The modifier of that type, as the length of a varchar.
    pub modifier: i32,
}

impl Column {
    /// The column of that name.
    ///
    /// # Errors
    /// [`Failure::NoColumn`].
    ///
    /// # Safety
    /// `columns` must be those of an open relation.
    pub unsafe fn find(columns: pg_sys::TupleDesc, name: &CStr) -> Result<Self, Failure> {
        // SAFETY: by this function's contract. The attributes follow the descriptor.
        unsafe {
            let count = usize::try_from((*columns).natts).unwrap_or_default();
            for at in 0..count {
                let attribute = &*attribute(columns, at);
                if !attribute.attisdropped && CStr::from_ptr(attribute.attname.data.as_ptr()) == name {
                    let mut modifier = attribute.atttypmod;
                    return Ok(Self {
                        number: attribute.attnum,
                        declared_type: attribute.atttypid,
                        base_type: pg_sys::getBaseTypeAndTypmod(attribute.atttypid, &raw mut modifier),
                        modifier,
                    });
                }
            }
        }
        Err(Failure::NoColumn(name.to_string_lossy().into_owned()))
    }
}

/// Whether values of a column are passed by value, and how many bytes they have (`typlen`).
///
/// # Safety
/// `number` must be that of a column of these.
pub unsafe fn storage(columns: pg_sys::TupleDesc, number: pg_sys::AttrNumber) -> (bool, i16) {
    // SAFETY: by this function's contract.
    let attribute = unsafe { &*attribute(columns, usize::try_from(number - 1).unwrap_or_default()) };
    (attribute.attbyval, attribute.attlen)
}

/// Columns that were not dropped: their names, numbers and types.
///
/// # Safety
/// `columns` must be those of an open relation.
pub unsafe fn named(columns: pg_sys::TupleDesc) -> Vec<(CString, pg_sys::AttrNumber, Oid)> {
    // SAFETY: by this function's contract.
    unsafe {
        let count = usize::try_from((*columns).natts).unwrap_or_default();
        (0..count)
            .map(|at| &*attribute(columns, at))
            .filter(|attribute| !attribute.attisdropped)
            .map(|attribute| {
                let name = CStr::from_ptr(attribute.attname.data.as_ptr()).to_owned();
                (name, attribute.attnum, attribute.atttypid)
            })
            .collect()
    }
}

/// The types of columns, in their order; None for one that was dropped.
///
/// # Safety
/// `columns` must be a row's.
pub unsafe fn types(columns: pg_sys::TupleDesc) -> Vec<Option<Oid>> {
    // SAFETY: by this function's contract.
    unsafe {
        let count = usize::try_from((*columns).natts).unwrap_or_default();
        (0..count)
            .map(|at| {
                let attribute = &*attribute(columns, at);
                (!attribute.attisdropped).then_some(attribute.atttypid)
            })
            .collect()
    }
}

/// # Safety
/// `columns` must be a row's, of more than `at` columns.
unsafe fn attribute(columns: pg_sys::TupleDesc, at: usize) -> *mut pg_sys::FormData_pg_attribute {
    // SAFETY: by this function's contract.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        let attribute = (*columns).attrs.as_mut_ptr().add(at);
        #[cfg(feature = "pg18")]
        let attribute = pg_sys::TupleDescAttr(columns, at as core::ffi::c_int);
        attribute
    }
}

/// A column that holds a tenant: smallint, integer, bigint, uuid, text or varchar, or a domain over one.
#[derive(Clone, Copy)]
pub struct TenantColumn(Column);

impl TenantColumn {
    /// # Errors
    /// [`Failure::NotTenantColumn`].
    pub fn new(column: Column) -> Result<Self, Failure> {
        const TYPES: [Oid; 6] =
            [pg_sys::INT2OID, pg_sys::INT4OID, pg_sys::INT8OID, pg_sys::UUIDOID, pg_sys::TEXTOID, pg_sys::VARCHAROID];
        if TYPES.contains(&column.base_type) { Ok(Self(column)) } else { Err(Failure::NotTenantColumn) }
    }

    /// Its number, counted from 1.
    pub const fn number(&self) -> pg_sys::AttrNumber {
        self.0.number
    }

    /// The tenant in a value of the column.
    ///
    /// # Errors
    /// [`Failure::Null`]; [`Failure::Tenant`].
    ///
    /// # Safety
    /// `value` must be this column's, of a row of its table.
    pub unsafe fn tenant(&self, value: Option<Datum>) -> Result<TenantId, Failure> {
        let value = value.ok_or(Failure::Null("tenant"))?;
        let parse = |spelling: &[u8]| TenantId::parse(spelling).map_err(Failure::Tenant);
        match self.0.base_type {
            pg_sys::INT2OID => parse((value.value() as i16).to_string().as_bytes()),
            pg_sys::INT4OID => parse((value.value() as i32).to_string().as_bytes()),
            pg_sys::INT8OID => parse((value.value() as i64).to_string().as_bytes()),
            // SAFETY: by this function's contract; values of these types are varlenas.
            pg_sys::TEXTOID | pg_sys::VARCHAROID => unsafe {
                encoding::with_utf8(Varlena::detoast(value).as_bytes(), parse)
            },
            // SAFETY: by this function's contract a uuid, whose output function prints it.
            _ => unsafe {
                let text = pg_sys::OidOutputFunctionCall(Oid::from(pg_sys::F_UUID_OUT), value);
                parse(CStr::from_ptr(text).to_bytes())
            },
        }
    }
}
