//! The tenant of a row that has none of its own yet: that of the row it refers to. `sql/tenant_column.sql` adds the column;
//! here a trigger fills it for whoever writes a row, and rows that were there before are filled as the trigger would.

use core::ffi::{CStr, c_int};

use cordon_core::TenantId;
use pgrx::pg_sys::{self, Datum, Oid, submodules::ffi::pg_guard_ffi_boundary};

use super::{
    error::Failure,
    fmgr::Args,
    row_trigger::{RowTrigger, TriggerFunction},
    rows_out::{Cell, RowsOut},
    table::{
        Access, Blocks, ForeignKey, OwnTable, Rewriter, Row, UniqueKey,
        column::{self, Column, TenantColumn},
        descendants, everything_under, for_each_row, foreign_key, key_of, primary_key,
    },
};

/// The function of the triggers.
pub static FILL_TENANT: TriggerFunction = TriggerFunction::new();

/// What the arguments of a trigger say: the tenant column, that of the table referred to, and the columns that refer to it.
struct Definition<'a> {
    tenant: &'a CStr,
    parent_tenant: &'a CStr,
    columns: Vec<&'a CStr>,
}

impl<'a> Definition<'a> {
    fn parse(arguments: &[&'a CStr]) -> Result<Self, Failure> {
        match arguments {
            [tenant, parent_tenant, columns @ ..] if !columns.is_empty() => {
                Ok(Self { tenant, parent_tenant, columns: columns.to_vec() })
            }
            _ => Err(Failure::NotConversion),
        }
    }

    /// Finds the columns and the foreign key as they are now.
    ///
    /// # Safety
    /// `relation` must be open.
    unsafe fn bind(&self, relation: pg_sys::Relation) -> Result<Child, Failure> {
        // SAFETY: by this function's contract.
        unsafe {
            let column = Column::find((*relation).rd_att, self.tenant)?;
            Ok(Child { column, tenant: TenantColumn::new(column)?, key: foreign_key(relation, &self.columns)? })
        }
    }
}

/// A table that refers to one with tenants.
struct Child {
    column: Column,
    tenant: TenantColumn,
    key: ForeignKey,
}

impl Child {
    /// The values that refer, in the order of the key; None when one is NULL, which refers to nothing.
    fn reference(&self, value: impl Fn(pg_sys::AttrNumber) -> Option<Datum>) -> Option<Vec<Datum>> {
        self.key.columns.iter().map(|number| value(*number)).collect()
    }
}

/// A table that is referred to, as its parts that have rows.
struct Parents {
    parts: Vec<Parent>,
    /// The parts belong to the role that acts when rows are looked for, so that it need not become it each time.
    is_own: bool,
}

struct Parent {
    table: OwnTable,
    tenant: Column,
}

impl Parents {
    /// Opens the table, by the rights of the owner of the one that refers to it.
    ///
    /// # Errors
    /// [`Failure::NotOwner`], [`Failure::NoColumn`]; [`Failure::OtherType`] for a tenant of another type than the child's.
    fn open(child: &Child, child_owner: Oid, tenant: &CStr, acting: Oid) -> Result<Self, Failure> {
        let mut parts = Vec::new();
        for oid in everything_under(child.key.parent) {
            let table = OwnTable::open_for(child_owner, oid, Access::Read)?;
            if !table.has_rows() {
                continue;
            }
            // SAFETY: the columns of an open table.
            let tenant = unsafe { Column::find(table.columns(), tenant)? };
            TenantColumn::new(tenant)?;
            if tenant.base_type != child.column.base_type {
                return Err(Failure::OtherType(table.name()));
            }
            parts.push(Parent { table, tenant });
            // A foreign key does not reach inheritance children, but every partition.
            if !is_partitioned(child.key.parent) {
                break;
            }
        }
        let is_own = parts.iter().all(|part| part.table.owner() == acting);
        Ok(Self { parts, is_own })
    }

    /// The indexes by which rows are found.
    ///
    /// # Errors
    /// [`Failure::NoUniqueKey`].
    fn keys(&self, key: &ForeignKey) -> Result<Vec<(UniqueKey<'_>, &Parent)>, Failure> {
        self.parts
            .iter()
            .map(|part| {
                let found = UniqueKey::find(&part.table, &key.parent_columns);
                Ok((found.ok_or_else(|| Failure::NoUniqueKey(part.table.name()))?, part))
            })
            .collect()
    }
}

/// What a reference leads to.
enum Found {
    /// The value of the tenant column and what it means.
    Tenant(Datum, TenantId),
    /// A row without a tenant.
    NoTenant,
    /// No row.
    Nothing,
}

/// # Safety
/// The values must be of the foreign key's columns.
unsafe fn find(keys: &[(UniqueKey<'_>, &Parent)], is_own: bool, values: &[Datum]) -> Result<Found, Failure> {
    for (key, parent) in keys {
        // SAFETY: by this function's contract; the column is the parent's. The value is copied before its row goes.
        let look = || unsafe {
            key.look_up(values, parent.tenant.number, |value| {
                let Some(value) = value else { return Ok(Found::NoTenant) };
                let tenant = TenantColumn::new(parent.tenant)?.tenant(Some(value))?;
                let (by_value, len) = column::storage(parent.table.columns(), parent.tenant.number);
                let copy = pg_guard_ffi_boundary(|| datumCopy(value, by_value, len.into()));
                Ok(Found::Tenant(copy, tenant))
            })
        };
        if let Some(found) = if is_own { look()? } else { parent.table.act(look)? } {
            return Ok(found);
        }
    }
    Ok(Found::Nothing)
}

/// `cordon.fill_tenant()`, the trigger that `cordon.add_tenant_column` makes: gives a row the tenant of the row that it refers
/// to, and refuses another one. A row that refers to nothing, or to a row that is not there, is stored as it is: the
/// application must be able to go on.
pub fn fill_on_write(args: Args) -> Result<Datum, Failure> {
    let row = RowTrigger::of(&args)?;
    let arguments = row.arguments();
    let definition = Definition::parse(&arguments)?;
    // SAFETY: the trigger's table, which is open.
    let (child, child_owner) = unsafe { (definition.bind(row.relation())?, (*(*row.relation()).rd_rel).relowner) };
    let is_moved = child.key.columns.iter().any(|number| row.is_changed(*number));
    let is_given = row.is_changed(child.column.number);
    let given = row.value(child.column.number);
    if !is_moved && !is_given && given.is_some() {
        return Ok(row.unchanged());
    }
    let found = match child.reference(|number| row.value(number)) {
        None => Found::Nothing,
        // SAFETY: values of the columns of the key; a look at a variable of this process.
        Some(values) => unsafe {
            let parents = Parents::open(&child, child_owner, definition.parent_tenant, pg_sys::GetUserId())?;
            find(&parents.keys(&child.key)?, parents.is_own, &values)?
        },
    };
    // A row that came from elsewhere does not keep the tenant that it had there.
    let came_along = row.is_update() && is_moved && !is_given;
    // SAFETY: values of the tenant column, or of one of its type.
    unsafe {
        match found {
            Found::Tenant(value, tenant) => match given {
                Some(given) if child.tenant.tenant(Some(given))? == tenant => Ok(row.unchanged()),
                Some(_) if !came_along => Err(Failure::TenantOfOther(row.table_name())),
                _ => Ok(row.with(child.column.number, Some(value))),
            },
            _ if came_along => Ok(row.with(child.column.number, None)),
            _ => Ok(row.unchanged()),
        }
    }
}

/// The definition of the trigger that fills the column, of an open table.
fn definition<'a>(table: &'a OwnTable, column: &CStr) -> Result<Definition<'a>, Failure> {
    let mut definitions = FILL_TENANT.definitions(table).map(|arguments| Definition::parse(&arguments));
    definitions
        .find(|definition| definition.as_ref().is_ok_and(|definition| definition.tenant == column))
        .unwrap_or(Err(Failure::NotConversion))
}

/// Gives the rows in some blocks of a table the tenants of the rows that they refer to, and returns how many had another one
/// or none. Rows that others have locked are left for another time, and so are those that refer to nothing.
pub fn fill_blocks(table: &OwnTable, blocks: Blocks, column: &CStr) -> Result<i64, Failure> {
    with_parents(table, column, |child, find| {
        let mut rewriter = Rewriter::begin(table, child.column);
        let mut number = 0;
        for_each_row(table, blocks, |row| {
            let due = |row: &Row| match find(row)? {
                Found::Tenant(value, tenant) if !has_tenant(child, row, &tenant)? => Ok(Some(value)),
                _ => Ok(None),
            };
            if due(row)?.is_some() && rewriter.rewrite(row.place(), due)? {
                number += 1;
            }
            Ok(())
        })?;
        rewriter.end();
        Ok(number)
    })
}

/// How many rows of one table have no tenant.
pub fn count_without_tenant(table: &OwnTable, column: &CStr) -> Result<i64, Failure> {
    // SAFETY: the columns of an open table.
    let column = unsafe { Column::find(table.columns(), column)? };
    let mut number = 0;
    table.act(|| {
        for_each_row(table, Blocks::ALL, |row| {
            number += i64::from(row.value(&column).is_none());
            Ok(())
        })
    })?;
    Ok(number)
}

/// `cordon_internal.rows_without_tenant(target regclass, column_name name)`: the rows whose tenant is not that of the row that
/// they refer to, by place and primary key, and why.
pub fn rows_without_tenant(args: Args) -> Result<Datum, Failure> {
    let rows = RowsOut::begin(&args);
    for oid in descendants(args.oid(0), Access::Read)? {
        let table = OwnTable::open(oid, Access::Read)?;
        let key = primary_key(&table);
        with_parents(&table, args.name(1), |child, find| {
            for_each_row(&table, Blocks::ALL, |row| {
                let problem = match find(row)? {
                    Found::Tenant(_, tenant) if has_tenant(child, row, &tenant)? => return Ok(()),
                    Found::Tenant(..) if row.value(&child.column).is_none() => "not filled in yet",
                    Found::Tenant(..) => "the row that it refers to is of another tenant",
                    Found::NoTenant => "the row that it refers to has no tenant",
                    Found::Nothing if child.reference(|number| row.attribute(number)).is_none() => {
                        if row.value(&child.column).is_some() {
                            return Ok(());
                        }
                        "it refers to no row"
                    }
                    Found::Nothing => "the row that it refers to is missing",
                };
                rows.push([
                    Cell::regclass(oid),
                    Cell::text(&row.place_text()),
                    Cell::text(&key_of(row, &key)),
                    Cell::text(problem),
                ]);
                Ok(())
            })
        })?;
    }
    Ok(args.null())
}

/// Calls `f` as the owner of a table, with what finds the tenant of the row that one of its rows refers to.
fn with_parents<T>(
    table: &OwnTable,
    column: &CStr,
    f: impl FnOnce(&Child, &dyn Fn(&Row) -> Result<Found, Failure>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let definition = definition(table, column)?;
    // SAFETY: an open table.
    let child = unsafe { definition.bind(table.relation())? };
    let parents = Parents::open(&child, table.owner(), definition.parent_tenant, table.owner())?;
    let keys = parents.keys(&child.key)?;
    table.act(|| {
        f(&child, &|row| match child.reference(|number| row.attribute(number)) {
            // SAFETY: values of the columns of the key.
            Some(values) => unsafe { find(&keys, parents.is_own, &values) },
            None => Ok(Found::Nothing),
        })
    })
}

fn has_tenant(child: &Child, row: &Row, tenant: &TenantId) -> Result<bool, Failure> {
    let Some(given) = row.value(&child.column) else { return Ok(false) };
    // SAFETY: a value of the tenant column, of a row of its table.
    Ok(unsafe { child.tenant.tenant(Some(given))? } == *tenant)
}

fn is_partitioned(relation: Oid) -> bool {
    // SAFETY: a lookup in the system catalogs.
    unsafe { pg_sys::get_rel_relkind(relation) as u8 == pg_sys::RELKIND_PARTITIONED_TABLE }
}

unsafe extern "C-unwind" {
    /// As in `utils/datum.h`.
    fn datumCopy(value: Datum, by_value: bool, len: c_int) -> Datum;
}
