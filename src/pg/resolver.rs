//! `cordon_internal.resolve`, behind the functions that `cordon.resolver` makes: the tenant of the row that a key finds.

use core::ffi::{CStr, c_int};

use pgrx::pg_sys::{self, Datum};

use super::{
    encoding,
    error::Failure,
    fmgr::Args,
    table::{
        Access, OwnTable, UniqueKey,
        column::{Column, TenantColumn},
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

/// The tenant column of a table whose tenants are looked up by a column, as `cordon.resolvable_key` has it.
fn tenant_column(table: &OwnTable, key: &CStr) -> Result<Option<TenantColumn>, Failure> {
    const QUERY: &CStr = c"SELECT r.tenant_column FROM cordon.resolvable_key k JOIN cordon_internal.registered() r \
        ON r.relation OPERATOR(pg_catalog.=) k.relation \
        WHERE k.relation OPERATOR(pg_catalog.=) $1 AND k.key_column OPERATOR(pg_catalog.=) $2";
    // SAFETY: the first column of its rows is a name; the connection is closed by an error as well.
    unsafe {
        pg_sys::SPI_connect();
        let mut types = [pg_sys::REGCLASSOID, pg_sys::NAMEOID];
        let mut values = [Datum::from(table.oid()), Datum::from(key.as_ptr())];
        pg_sys::SPI_execute_with_args(
            QUERY.as_ptr(),
            values.len() as c_int,
            types.as_mut_ptr(),
            values.as_mut_ptr(),
            core::ptr::null(),
            true,
            1,
        );
        let mut tenant = None;
        if let Some(rows) = pg_sys::SPI_tuptable.as_ref().filter(|_| pg_sys::SPI_processed > 0) {
            let name = pg_sys::SPI_getvalue(*rows.vals, rows.tupdesc, 1);
            tenant = Some(TenantColumn::new(Column::find(table.columns(), CStr::from_ptr(name))?)?);
        }
        pg_sys::SPI_finish();
        Ok(tenant)
    }
}
