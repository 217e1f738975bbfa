//! `cordon_internal.resolve`, behind the functions that `cordon.resolver` makes: the tenant of the row that a key finds.

use core::ffi::CStr;

use pgrx::pg_sys::Datum;

use super::{
    encoding,
    error::Failure,
    fmgr::Args,
    table::{
        Access, OwnTable, UniqueKey,
        column::{Column, TenantColumn},
        registration,
    },
    varlena::Output,
};

/// `cordon_internal.resolve(relation regclass, key_column name, key anynonarray)`: the tenant of the row with that key, as text,
/// or NULL. For the owner of the table, by columns that were registered.
pub fn resolve(args: Args) -> Result<Datum, Failure> {
    let table = OwnTable::open(args.oid(0), Access::Read)?;
    let name = args.name(1);
    let tenant = tenant_column(&table, name)?
        .ok_or_else(|| Failure::NotResolvable { table: table.name(), column: name.to_string_lossy().into_owned() })?;
    // SAFETY: the columns of an open table.
    let column = unsafe { Column::find(table.columns(), name)? };
    if args.base_type(2) != column.base_type {
        return Err(Failure::OtherType(name.to_string_lossy().into_owned()));
    }
    let key = UniqueKey::of_column(&table, name).ok_or_else(|| Failure::NoUniqueKey(table.name()))?;
    let found = table.act(|| {
        // SAFETY: a value of the type of the column, as was seen; the tenant column is one of the table's.
        unsafe {
            key.look_up(&[args.value(2)], tenant.number(), |value| {
                value.map(|value| tenant.tenant(Some(value))).transpose()
            })
        }
    })?;
    let Some(tenant) = found.flatten() else { return Ok(args.null()) };
    let spelling = tenant.as_bytes();
    encoding::from_utf8(spelling.len(), Output::varlena, |out| {
        out.copy_from_slice(spelling);
        Ok(())
    })
    .map(Output::into_datum)
}

/// The tenant column of a table whose tenants are looked up by a column, as the registrations have it: claims of the owner, whose
/// table it is.
fn tenant_column(table: &OwnTable, key: &CStr) -> Result<Option<TenantColumn>, Failure> {
    if registration(c"resolvable_key", table.oid(), Some(key), c"key_column", |_| Ok(()))?.is_none() {
        return Ok(None);
    }
    registration(c"protected_table", table.oid(), None, c"tenant_column", |name| {
        // SAFETY: the columns of an open table.
        TenantColumn::new(unsafe { Column::find(table.columns(), name)? })
    })
}
