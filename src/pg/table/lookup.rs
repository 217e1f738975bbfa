//! Finding a row by a unique key, through its index and without a query: no policy hides it, and nothing is planned. What
//! compares the key may be anybody's; it runs as the owner of the table, because [`OwnTable::act`] is around it.

use core::ffi::{CStr, c_int};
use std::ffi::CString;

use pgrx::{
    PgList,
    pg_sys::{self, Datum, Oid},
};

use super::{OwnTable, column::Column};
use crate::pg::error::Failure;

/// A column of a key, and how a value is compared with it.
#[derive(Clone)]
pub struct KeyColumn {
    /// Its name.
    pub name: CString,
    /// The operator, with the column on its left.
    pub equals: Oid,
    /// The type on its right.
    pub value_type: Oid,
}

/// A unique key of a table that is open, by one of its indexes.
pub struct UniqueKey<'a> {
    table: &'a OwnTable,
    index: Oid,
    /// In the order of the index.
    columns: Vec<IndexColumn>,
}

struct IndexColumn {
    /// Of the table.
    number: pg_sys::AttrNumber,
    /// Which of the values that are looked for it is compared with.
    value: usize,
    procedure: Oid,
    value_type: Oid,
    collation: Oid,
}

impl<'a> UniqueKey<'a> {
    /// The key of these columns; None without an index that is unique now, over all rows and by the operators.
    pub fn find(table: &'a OwnTable, key: &[KeyColumn]) -> Option<Self> {
        // An index of a partitioned table has no entries, and cannot be searched.
        if !table.has_rows() {
            return None;
        }
        // SAFETY: an open relation, and a list of the oids of its indexes.
        unsafe {
            let columns: Option<Vec<_>> =
                key.iter().map(|column| Column::find(table.columns(), &column.name).ok()).collect();
            let numbers: Vec<_> = columns?.iter().map(|column| column.number).collect();
            let indexes = PgList::<pg_sys::Oid>::from_pg(pg_sys::RelationGetIndexList(table.relation()));
            indexes.iter_oid().find_map(|index| {
                let columns = index_columns(index, key, &numbers)?;
                Some(Self { table, index, columns })
            })
        }
    }

    /// The key of one column, compared as its type is by default.
    pub fn of_column(table: &'a OwnTable, name: &CStr) -> Option<Self> {
        // SAFETY: an open relation; a lookup in the type cache, whose entries stay.
        let (equals, value_type) = unsafe {
            let column = Column::find(table.columns(), name).ok()?;
            let equals = (*pg_sys::lookup_type_cache(column.base_type, pg_sys::TYPECACHE_EQ_OPR as c_int)).eq_opr;
            let (mut left, mut right) = (Oid::INVALID, Oid::INVALID);
            pg_sys::op_input_types(equals, &raw mut left, &raw mut right);
            (equals, right)
        };
        Self::find(table, &[KeyColumn { name: name.to_owned(), equals, value_type }])
    }

    /// What `f` makes of the value of a column in the row that has these values in the columns of the key, in their order;
    /// None when there is none in what is committed or was done before.
    ///
    /// # Errors
    /// Those of `f`.
    ///
    /// # Safety
    /// The values must be of the key's value types; the table's owner must act.
    pub unsafe fn look_up<T>(
        &self,
        values: &[Datum],
        column: pg_sys::AttrNumber,
        f: impl FnOnce(Option<Datum>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let mut keys: Vec<_> = self.columns.iter().map(|_| pg_sys::ScanKeyData::default()).collect();
        // SAFETY: by this function's contract. An error leaves scan and snapshot to the end of the transaction or
        // subtransaction. The row lives until the scan ends.
        unsafe {
            for (key, column) in keys.iter_mut().zip(&self.columns) {
                pg_sys::ScanKeyEntryInitialize(
                    key,
                    0,
                    column.number,
                    pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
                    column.value_type,
                    column.collation,
                    column.procedure,
                    values.get(column.value).copied().ok_or(Failure::Internal)?,
                );
            }
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            pg_sys::PushActiveSnapshot(snapshot);
            let relation = self.table.relation();
            let scan = pg_sys::systable_beginscan(
                relation,
                self.index,
                true,
                snapshot,
                keys.len() as c_int,
                keys.as_mut_ptr(),
            );
            let row = pg_sys::systable_getnext(scan);
            let outcome = if row.is_null() {
                Ok(None)
            } else {
                let mut is_null = false;
                let value = pg_sys::SPI_getbinval(row, (*relation).rd_att, column.into(), &raw mut is_null);
                f((!is_null).then_some(value)).map(Some)
            };
            pg_sys::systable_endscan(scan);
            pg_sys::PopActiveSnapshot();
            pg_sys::UnregisterSnapshot(snapshot);
            outcome
        }
    }
}

/// The columns of an index that is unique over all rows by exactly the columns of that key, compared by its operators.
///
/// # Safety
/// `index` must be an index of the table whose columns have these numbers.
unsafe fn index_columns(index: Oid, key: &[KeyColumn], numbers: &[pg_sys::AttrNumber]) -> Option<Vec<IndexColumn>> {
    // SAFETY: by this function's contract; an open index has its row of pg_index, which begins with the columns of its key,
    // and an operator family and a collation for each.
    unsafe {
        let relation = pg_sys::index_open(index, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        let row = &*(*relation).rd_index;
        let len = usize::try_from(row.indnkeyatts).unwrap_or_default();
        let is_unique = row.indisunique
            && row.indimmediate
            && row.indisvalid
            && (*(*relation).rd_rel).relam == pg_sys::BTREE_AM_OID
            && pg_sys::RelationGetIndexPredicate(relation).is_null()
            && len == key.len();
        let columns = || {
            (0..len)
                .map(|at| {
                    let number = *row.indkey.values.as_ptr().add(at);
                    let value = numbers.iter().position(|found| *found == number)?;
                    let column = key.get(value)?;
                    let family = *(*relation).rd_opfamily.add(at);
                    let strategy = pg_sys::get_op_opfamily_strategy(column.equals, family);
                    (strategy == pg_sys::BTEqualStrategyNumber as c_int).then(|| IndexColumn {
                        number,
                        value,
                        procedure: pg_sys::get_opcode(column.equals),
                        value_type: column.value_type,
                        collation: *(*relation).rd_indcollation.add(at),
                    })
                })
                .collect::<Option<Vec<_>>>()
        };
        let found = if is_unique { columns() } else { None };
        pg_sys::index_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
        found
    }
}

/// A column of type name in the row of one of the extension's registrations, `cordon.<table>`, that its primary key finds: a
/// relation, and a name if the key has one. Names go to `f`.
///
/// # Errors
/// Those of `f`.
pub fn registration<T>(
    table: &CStr,
    relation: Oid,
    name: Option<&CStr>,
    column: &CStr,
    f: impl FnOnce(&CStr) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    // SAFETY: lookups in the system catalogs; the columns of the key are of types oid and name, of which the second is a C string
    // of at most their width. An error leaves scan and snapshot to the end of the transaction or subtransaction.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"cordon".as_ptr(), false);
        let oid = pg_sys::get_relname_relid(table.as_ptr(), schema);
        let registrations = pg_sys::table_open(oid, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        let wanted = Column::find((*registrations).rd_att, column)?;
        let mut keys = [pg_sys::ScanKeyData::default(); 2];
        let equal = pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber;
        let [by_relation, by_name] = &mut keys;
        pg_sys::ScanKeyInit(by_relation, 1, equal, pg_sys::F_OIDEQ.into(), Datum::from(relation));
        if let Some(name) = name {
            pg_sys::ScanKeyInit(by_name, 2, equal, pg_sys::F_NAMEEQ.into(), Datum::from(name.as_ptr()));
        }
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        #[cfg(not(feature = "pg18"))]
        let index = pg_sys::RelationGetPrimaryKeyIndex(registrations);
        #[cfg(feature = "pg18")]
        let index = pg_sys::RelationGetPrimaryKeyIndex(registrations, false);
        let count = if name.is_some() { 2 } else { 1 };
        let scan = pg_sys::systable_beginscan(registrations, index, true, snapshot, count, keys.as_mut_ptr());
        let row = pg_sys::systable_getnext(scan);
        let mut outcome = Ok(None);
        if !row.is_null() {
            let mut is_null = false;
            let value = pg_sys::SPI_getbinval(row, (*registrations).rd_att, wanted.number.into(), &raw mut is_null);
            outcome = f(CStr::from_ptr(value.cast_mut_ptr())).map(Some);
        }
        pg_sys::systable_endscan(scan);
        pg_sys::UnregisterSnapshot(snapshot);
        pg_sys::table_close(registrations, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        outcome
    }
}

/// A foreign key of a table: the columns of its own, and the table that they refer to with its columns.
pub struct ForeignKey {
    /// The columns that refer, by number.
    pub columns: Vec<pg_sys::AttrNumber>,
    /// The table referred to.
    pub parent: Oid,
    /// Its columns, each compared with the column at the same place.
    pub parent_columns: Vec<KeyColumn>,
}

/// The foreign key of a table's columns of these names, in whatever order.
///
/// # Errors
/// [`Failure::NoColumn`]; [`Failure::NoForeignKey`].
///
/// # Safety
/// `relation` must be open.
pub unsafe fn foreign_key(relation: pg_sys::Relation, names: &[&CStr]) -> Result<ForeignKey, Failure> {
    // SAFETY: by this function's contract. The list is the relation's own, and copied before anything else is looked up.
    unsafe {
        let columns = (*relation).rd_att;
        let wanted = names
            .iter()
            .map(|name| Column::find(columns, name).map(|column| column.number))
            .collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<_> = PgList::<pg_sys::ForeignKeyCacheInfo>::from_pg(pg_sys::RelationGetFKeyList(relation))
            .iter_ptr()
            .map(|key| *key)
            .collect();
        for key in keys {
            let len = usize::try_from(key.nkeys).unwrap_or_default();
            let own = key.conkey.get(..len).unwrap_or_default();
            if len != wanted.len() || !wanted.iter().all(|number| own.contains(number)) {
                continue;
            }
            let parent_columns = (0..len)
                .map(|at| {
                    let name = pg_sys::get_attname(key.confrelid, key.confkey[at], false);
                    let (mut left, mut right) = (Oid::INVALID, Oid::INVALID);
                    pg_sys::op_input_types(key.conpfeqop[at], &raw mut left, &raw mut right);
                    // PostgreSQL itself casts where it must; here a value is compared as it lies there.
                    let given = pg_sys::get_atttype((*relation).rd_id, own[at]);
                    if !pg_sys::IsBinaryCoercible(given, right) {
                        return Err(Failure::OtherType(CStr::from_ptr(name).to_string_lossy().into_owned()));
                    }
                    Ok(KeyColumn {
                        name: CStr::from_ptr(name).to_owned(),
                        equals: key.conpfeqop[at],
                        value_type: right,
                    })
                })
                .collect::<Result<Vec<_>, _>>()?;
            return Ok(ForeignKey { columns: own.to_vec(), parent: key.confrelid, parent_columns });
        }
        let names: Vec<_> = names.iter().map(|name| name.to_string_lossy()).collect();
        Err(Failure::NoForeignKey(names.join(", ")))
    }
}
