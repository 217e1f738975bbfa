//! Which keys values are under, whether they open, and moving them to the primary keys. `sql/rotation.sql` asks the
//! catalog which columns there are; what is read and written is read and written as the table's owner.

use core::ffi::CStr;
use std::collections::BTreeMap;

use cordon_core::{Envelope, Error, KeyId, Kind, Purpose, Scope, TenantId};
use pgrx::pg_sys::{self, Datum};

use super::{
    error::Failure,
    fmgr::Args,
    keys::{Root, with_keys},
    log,
    rows_out::{Cell, RowsOut},
    sealed_values::Shape,
    sealing,
    table::{
        Access, Blocks, OwnTable, Rewriter, Row,
        column::{Column, TenantColumn},
        descendants, for_each_row,
    },
    varlena::Output,
};

/// A column that holds sealed values, of a table that is open.
pub struct SealedColumn {
    column: Column,
    shape: Shape,
    tenant: Option<TenantColumn>,
}

impl SealedColumn {
    /// Finds the column by name, and what it is by its type.
    ///
    /// # Errors
    /// [`Failure::NotSealed`]; [`Failure::NoColumn`], [`Failure::NotTenantColumn`] of the tenant's.
    pub fn find(table: &OwnTable, name: &CStr, tenant: Option<&CStr>) -> Result<Self, Failure> {
        // SAFETY: the columns of an open table.
        let find = |name| unsafe { Column::find(table.columns(), name) };
        let none = || Failure::NotSealed { table: table.name(), column: name.to_string_lossy().into_owned() };
        let column = find(name).map_err(|_| none())?;
        let shape = Shape::of(column.declared_type).ok_or_else(none)?;
        Ok(Self { column, shape, tenant: tenant.map(|name| TenantColumn::new(find(name)?)).transpose()? })
    }

    /// Calls `f` with each sealed value of a row.
    #[allow(clippy::type_complexity, reason = "one callback")]
    fn visit(&self, row: &Row, f: &mut dyn FnMut(Kind, &[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
        let Some(value) = row.value(&self.column) else { return Ok(()) };
        // SAFETY: a value of the column that the shape was made of.
        unsafe { self.shape.map(value, &mut |kind, sealed| f(kind, sealed).map(|()| None)) }.map(drop)
    }

    fn tenant(&self, row: &Row) -> Result<Option<TenantId>, Failure> {
        // SAFETY: a value of the tenant column, of this row.
        self.tenant.map(|column| unsafe { column.tenant(row.attribute(column.number())) }).transpose()
    }
}

/// Whom a value of a row is sealed for.
fn scope(kind: Kind, tenant: Option<&TenantId>) -> Result<Scope<'_>, Failure> {
    match kind {
        Kind::Shared | Kind::SharedEq => Ok(Scope::Shared),
        Kind::Tenant | Kind::TenantEq => tenant.map(Scope::Tenant).ok_or(Failure::Null("tenant")),
    }
}

type Counted = BTreeMap<(Purpose, KeyId), i64>;

fn count(counted: &mut Counted, sealed: &[u8]) -> Result<(), Failure> {
    let envelope = Envelope::parse(sealed)?;
    *counted.entry((Purpose::Encryption, envelope.key_id())).or_default() += 1;
    if let Some(id) = envelope.search_key_id() {
        *counted.entry((Purpose::Search, id)).or_default() += 1;
    }
    Ok(())
}

/// How many values of a column are under which key, in one table.
pub fn count_keys(table: &OwnTable, name: &CStr) -> Result<Counted, Failure> {
    let column = SealedColumn::find(table, name, None)?;
    let mut counted = Counted::new();
    table.act(|| {
        for_each_row(table, Blocks::ALL, |row| column.visit(row, &mut |_, sealed| count(&mut counted, sealed)))
    })?;
    Ok(counted)
}

/// `cordon.key_usage(target regclass, column_name name)`
pub fn key_usage(args: Args) -> Result<Datum, Failure> {
    let rows = RowsOut::begin(&args);
    let mut counted = Counted::new();
    for oid in descendants(args.oid(0), Access::Read)? {
        let table = OwnTable::open(oid, Access::Read)?;
        for (key, number) in count_keys(&table, args.name(1))? {
            *counted.entry(key).or_default() += number;
        }
    }
    let mut counted: Vec<_> = counted.into_iter().collect();
    counted.sort_by_key(|((purpose, id), number)| (purpose.name(), core::cmp::Reverse(*number), *id));
    for ((purpose, id), number) in counted {
        let status = with_keys(|keys| {
            keys.keyring()
                .map(|ring| ring.keys().iter().find(|key| key.id == id).map_or("missing", |key| key.status.name()))
        })?;
        rows.push([Cell::text(purpose.name()), Cell::int8(id.into()), Cell::text(status), Cell::int8(number)]);
    }
    Ok(args.null())
}

/// `cordon_internal.table_keys(relation oid, column_name name, most_rows integer)`: the keys that values are under in the
/// first rows of one table.
pub fn table_keys(args: Args) -> Result<Datum, Failure> {
    let rows = RowsOut::begin(&args);
    let table = OwnTable::open(args.oid(0), Access::Read)?;
    let column = SealedColumn::find(&table, args.name(1), None)?;
    let (mut counted, mut left) = (Counted::new(), args.int4(2));
    let visited = table.act(|| {
        for_each_row(&table, Blocks::ALL, |row| {
            left -= 1;
            if left < 0 {
                return Err(Failure::Enough);
            }
            column.visit(row, &mut |_, sealed| count(&mut counted, sealed))
        })
    });
    if let Err(failure) = visited
        && !matches!(failure, Failure::Enough)
    {
        return Err(failure);
    }
    for ((_, id), number) in counted {
        rows.push([Cell::int8(id.into()), Cell::int8(number)]);
    }
    Ok(args.null())
}

/// `cordon_internal.wait_for_writers(relation oid)`: waits until the transactions end that have written to a relation, as CREATE
/// INDEX CONCURRENTLY does; those that begin meanwhile are let through.
pub fn wait_for_writers(args: Args) -> Result<Datum, Failure> {
    // SAFETY: within a transaction; the tag is that of a relation of this database (`SET_LOCKTAG_RELATION` in `storage/lock.h`).
    unsafe {
        let tag = pg_sys::LOCKTAG {
            locktag_field1: pg_sys::MyDatabaseId.into(),
            locktag_field2: args.oid(0).into(),
            locktag_field3: 0,
            locktag_field4: 0,
            locktag_type: pg_sys::LockTagType::LOCKTAG_RELATION as u8,
            locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
        };
        pg_sys::WaitForLockers(tag, pg_sys::ShareLock as pg_sys::LOCKMODE, false);
    }
    Ok(args.null())
}

/// `cordon_internal.failing_values(target regclass, column_name name, tenant_column name)`: of each table the places of rows
/// whose values do not open, and why.
pub fn verify_column(args: Args) -> Result<Datum, Failure> {
    log::note_secret();
    let rows = RowsOut::begin(&args);
    for oid in descendants(args.oid(0), Access::Read)? {
        let table = OwnTable::open(oid, Access::Read)?;
        let column = SealedColumn::find(&table, args.name(1), args.optional_name(2))?;
        table.act(|| {
            for_each_row(&table, Blocks::ALL, |row| {
                let Err(failure) = verify(&column, row) else { return Ok(()) };
                if !failure.concerns_one_value() {
                    return Err(failure);
                }
                rows.push([Cell::regclass(oid), Cell::text(&row.place_text()), Cell::text(failure.report().message())]);
                Ok(())
            })
        })?;
    }
    Ok(args.null())
}

fn verify(column: &SealedColumn, row: &Row) -> Result<(), Failure> {
    let mut tenant = None;
    column.visit(row, &mut |kind, sealed| {
        if tenant.is_none() && !kind.is_shared() {
            tenant = column.tenant(row)?;
        }
        sealing::verify(kind, scope(kind, tenant.as_ref())?, sealed)
    })
}

/// The keys that new values are sealed under.
struct Primary {
    encryption: KeyId,
    search: Option<KeyId>,
}

impl Primary {
    fn now() -> Result<Self, Failure> {
        let primary = |purpose| with_keys(|keys| keys.root(Root::Primary(purpose)).map(|root| root.id));
        let encryption = primary(Purpose::Encryption)?;
        match primary(Purpose::Search) {
            Ok(search) => Ok(Self { encryption, search: Some(search) }),
            // Which only values with equality need.
            Err(Failure::Core(Error::NoPrimaryKey(_))) => Ok(Self { encryption, search: None }),
            Err(failure) => Err(failure),
        }
    }

    fn outdates(&self, envelope: &Envelope<'_>) -> bool {
        envelope.key_id() != self.encryption || self.outdates_tag(envelope)
    }

    fn outdates_tag(&self, envelope: &Envelope<'_>) -> bool {
        envelope.search_key_id().is_some_and(|id| Some(id) != self.search)
    }
}

/// How many values of a column are not under the primary keys, in one table.
pub fn count_outdated(table: &OwnTable, name: &CStr) -> Result<i64, Failure> {
    let column = SealedColumn::find(table, name, None)?;
    let primary = Primary::now()?;
    let mut number = 0;
    table.act(|| {
        for_each_row(table, Blocks::ALL, |row| {
            column.visit(row, &mut |_, sealed| {
                number += i64::from(primary.outdates(&Envelope::parse(sealed)?));
                Ok(())
            })
        })
    })?;
    Ok(number)
}

/// Seals those values of a column anew that are not under the primary keys, in some blocks of one table, and returns how many
/// rows had any. Rows that others have locked are left for another time: nobody waits for this while this waits for them.
pub fn reencrypt_blocks(
    table: &OwnTable,
    blocks: Blocks,
    name: &CStr,
    tenant: Option<&CStr>,
    decides_partition: bool,
) -> Result<i64, Failure> {
    log::note_secret();
    let column = SealedColumn::find(table, name, tenant)?;
    let primary = Primary::now()?;
    table.act(|| {
        let mut rewriter = Rewriter::begin(table, column.column);
        let is_key = decides_partition || rewriter.is_in_deferrable_key();
        let mut number = 0;
        for_each_row(table, blocks, |row| {
            let mut is_due = false;
            column.visit(row, &mut |_, sealed| {
                let envelope = Envelope::parse(sealed)?;
                is_due |= primary.outdates(&envelope);
                // The row would belong elsewhere, or to no key at all.
                if is_key && primary.outdates_tag(&envelope) {
                    return Err(Failure::KeyOfSearchTags(name.to_string_lossy().into_owned()));
                }
                Ok(())
            })?;
            if is_due && rewriter.rewrite(row.place(), |row| reseal(&column, row, &primary))? {
                number += 1;
            }
            Ok(())
        })?;
        rewriter.end();
        Ok(number)
    })
}

fn reseal(column: &SealedColumn, row: &Row, primary: &Primary) -> Result<Option<Datum>, Failure> {
    let Some(value) = row.value(&column.column) else { return Ok(None) };
    let mut tenant = None;
    let mut reseal = |kind: Kind, sealed: &[u8]| -> Result<Option<Output>, Failure> {
        if !primary.outdates(&Envelope::parse(sealed)?) {
            return Ok(None);
        }
        if tenant.is_none() && !kind.is_shared() {
            tenant = column.tenant(row)?;
        }
        let scope = scope(kind, tenant.as_ref())?;
        let mut plaintext = sealing::plaintext(kind, scope, sealed)?;
        sealing::seal(kind, scope, plaintext.bytes()).map(Some)
    };
    // SAFETY: a value of the column that the shape was made of.
    unsafe { column.shape.map(value, &mut reseal) }
}
