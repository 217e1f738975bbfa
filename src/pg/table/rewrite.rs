//! Changing one column of rows where they lie: as an UPDATE does it (`ExecUpdate` in `executor/nodeModifyTable.c`), but
//! without a query, triggers or rules, and without waiting for others. Constraints, generated columns and expressions of
//! indexes are the owner's code; it runs as the owner, because [`OwnTable::act`] is around it.

use core::{ffi::c_int, ptr};

use pgrx::pg_sys::{self, Datum, submodules::ffi::pg_guard_ffi_boundary};

use super::{OwnTable, Row, column::Column};
use crate::pg::error::Failure;

/// Rewrites rows of one table.
pub struct Rewriter<'a> {
    table: &'a OwnTable,
    column: Column,
    estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    snapshot: pg_sys::Snapshot,
    /// The row as it is, locked.
    old: *mut pg_sys::TupleTableSlot,
    /// The row as it will be.
    new: *mut pg_sys::TupleTableSlot,
    is_unchecked_key: bool,
}

impl<'a> Rewriter<'a> {
    /// Begins, as the owner of the table. [`Self::end`] must follow, unless PostgreSQL raises an error.
    pub fn begin(table: &'a OwnTable, column: Column) -> Self {
        let relation = table.relation();
        // SAFETY: the relation is open and locked for writing; the nodes are in the memory of the call, which is there until
        // the state is freed. `ExecInitRangeTable` wants the table's entry, by which generated columns know what changes.
        unsafe {
            pg_sys::CheckCmdReplicaIdentity(relation, pg_sys::CmdType::CMD_UPDATE);
            let estate = pg_sys::CreateExecutorState();
            let former = pg_sys::MemoryContextSwitchTo((*estate).es_query_cxt);
            let mut entry = pgrx::PgBox::<pg_sys::RangeTblEntry>::alloc_node(pg_sys::NodeTag::T_RangeTblEntry);
            entry.rtekind = pg_sys::RTEKind::RTE_RELATION;
            entry.relid = table.oid();
            entry.relkind = (*(*relation).rd_rel).relkind;
            entry.rellockmode = pg_sys::RowExclusiveLock as c_int;
            let number = c_int::from(column.number) - pg_sys::FirstLowInvalidHeapAttributeNumber;
            let changed = pg_sys::bms_make_singleton(number);
            #[cfg(feature = "pg15")]
            {
                entry.updatedCols = changed;
                pg_sys::ExecInitRangeTable(estate, list_of(entry.into_pg().cast()));
            }
            #[cfg(not(feature = "pg15"))]
            {
                let mut rights =
                    pgrx::PgBox::<pg_sys::RTEPermissionInfo>::alloc_node(pg_sys::NodeTag::T_RTEPermissionInfo);
                rights.relid = table.oid();
                rights.updatedCols = changed;
                entry.perminfoindex = 1;
                let (entries, rights) = (list_of(entry.into_pg().cast()), list_of(rights.into_pg().cast()));
                #[cfg(not(feature = "pg18"))]
                pg_sys::ExecInitRangeTable(estate, entries, rights);
                #[cfg(feature = "pg18")]
                pg_sys::ExecInitRangeTable(estate, entries, rights, pg_sys::bms_make_singleton(1));
            }
            (*estate).es_output_cid = pg_sys::GetCurrentCommandId(true);
            let result = pgrx::PgBox::<pg_sys::ResultRelInfo>::alloc_node(pg_sys::NodeTag::T_ResultRelInfo).into_pg();
            pg_sys::InitResultRelInfo(result, relation, 1, ptr::null_mut(), 0);
            // Nobody's triggers. What they would see of a value has not changed.
            (*result).ri_TrigDesc = ptr::null_mut();
            (*result).ri_TrigFunctions = ptr::null_mut();
            pg_sys::ExecOpenIndices(result, false);
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            (*estate).es_snapshot = snapshot;
            let old = pg_sys::table_slot_create(relation, &raw mut (*estate).es_tupleTable);
            let new = pg_sys::ExecInitExtraTupleSlot(estate, table.columns(), &raw const pg_sys::TTSOpsVirtual);
            let is_unchecked_key = has_deferrable_key(result, column.number);
            pg_sys::MemoryContextSwitchTo(former);
            Self { table, column, estate, result, snapshot, old, new, is_unchecked_key }
        }
    }

    /// Whether the column is in a key that is checked at the end of a transaction, which is not checked here: then equal
    /// values must stay equal.
    pub const fn is_in_deferrable_key(&self) -> bool {
        self.is_unchecked_key
    }

    /// Puts what `value` makes of a row into the column, and returns whether it did. A row that somebody else has locked or
    /// changed is left for another time; so is one of which `value` makes None.
    ///
    /// # Errors
    /// Those of `value`; [`Failure::AccessMethod`].
    pub fn rewrite(
        &mut self,
        place: pg_sys::ItemPointerData,
        value: impl FnOnce(&Row) -> Result<Option<Datum>, Failure>,
    ) -> Result<bool, Failure> {
        let relation = self.table.relation();
        let (old, new, estate, result, snapshot) = (self.old, self.new, self.estate, self.result, self.snapshot);
        // SAFETY: as in `begin`. The closures around the table's access method own nothing.
        unsafe {
            let method = &*(*relation).rd_tableam;
            let (Some(lock), Some(update)) = (method.tuple_lock, method.tuple_update) else {
                return Err(Failure::AccessMethod(self.table.name()));
            };
            let mut place = place;
            let mut failure = pg_sys::TM_FailureData::default();
            let (at, seen) = (&raw mut place, &raw mut failure);
            let mode = pg_sys::ExecUpdateLockMode(estate, result);
            let command = (*estate).es_output_cid;
            let skip = pg_sys::LockWaitPolicy::LockWaitSkip;
            let outcome = pg_guard_ffi_boundary(|| lock(relation, at, snapshot, old, command, mode, skip, 0, seen));
            if outcome != pg_sys::TM_Result::TM_Ok {
                return Ok(false);
            }
            let Some(value) = value(&Row::new(old))? else { return Ok(false) };

            pg_sys::slot_getallattrs(old);
            let count = usize::try_from((*table_columns(new)).natts).unwrap_or_default();
            if let Some(clear) = (*(*new).tts_ops).clear {
                pg_guard_ffi_boundary(|| clear(new));
            }
            ptr::copy_nonoverlapping((*old).tts_values, (*new).tts_values, count);
            ptr::copy_nonoverlapping((*old).tts_isnull, (*new).tts_isnull, count);
            let at_column = usize::try_from(self.column.number - 1).unwrap_or_default();
            *(*new).tts_values.add(at_column) = value;
            *(*new).tts_isnull.add(at_column) = false;
            pg_sys::ExecStoreVirtualTuple(new);
            (*new).tts_tableOid = self.table.oid();

            let rules = (*self.table.columns()).constr;
            if !rules.is_null() {
                if (*rules).has_generated_stored {
                    let update = pg_sys::CmdType::CMD_UPDATE;
                    pg_guard_ffi_boundary(|| ExecComputeStoredGenerated(result, estate, new, update));
                }
                pg_sys::ExecConstraints(result, new, estate);
            }
            if (*(*relation).rd_rel).relispartition {
                pg_sys::ExecPartitionCheck(result, new, estate, true);
            }

            let mut place = (*old).tts_tid;
            let at = &raw mut place;
            let mut lock_mode = mode;
            let mut indexes = Default::default();
            let (held, changed) = (&raw mut lock_mode, &raw mut indexes);
            // Waiting, for the row is locked: a mere key-share lock of somebody else's would else say "being changed".
            let outcome = pg_guard_ffi_boundary(|| {
                update(relation, at, new, command, snapshot, ptr::null_mut(), true, seen, held, changed)
            });
            if outcome != pg_sys::TM_Result::TM_Ok {
                return Ok(false);
            }
            self.insert_index_entries(indexes);
            let per_row = (*estate).es_per_tuple_exprcontext;
            if !per_row.is_null() {
                pg_sys::MemoryContextReset((*per_row).ecxt_per_tuple_memory);
            }
            Ok(true)
        }
    }

    /// # Safety
    /// `self.new` must have just been stored.
    #[cfg(feature = "pg15")]
    unsafe fn insert_index_entries(&self, is_due: bool) {
        // SAFETY: by this function's contract.
        unsafe {
            if (*self.result).ri_NumIndices > 0 && is_due {
                pg_sys::ExecInsertIndexTuples(
                    self.result,
                    self.new,
                    self.estate,
                    true,
                    false,
                    ptr::null_mut(),
                    ptr::null_mut(),
                );
            }
        }
    }

    /// # Safety
    /// As above.
    #[cfg(not(feature = "pg15"))]
    unsafe fn insert_index_entries(&self, due: pg_sys::TU_UpdateIndexes::Type) {
        // SAFETY: by this function's contract.
        unsafe {
            if (*self.result).ri_NumIndices > 0 && due != pg_sys::TU_UpdateIndexes::TU_None {
                pg_sys::ExecInsertIndexTuples(
                    self.result,
                    self.new,
                    self.estate,
                    true,
                    false,
                    ptr::null_mut(),
                    ptr::null_mut(),
                    due == pg_sys::TU_UpdateIndexes::TU_Summarizing,
                );
            }
        }
    }

    /// Ends what [`Self::begin`] began.
    pub fn end(self) {
        // SAFETY: as in `begin`.
        unsafe {
            pg_sys::ExecCloseIndices(self.result);
            pg_sys::ExecResetTupleTable((*self.estate).es_tupleTable, false);
            pg_sys::UnregisterSnapshot(self.snapshot);
            pg_sys::FreeExecutorState(self.estate);
        }
    }
}

/// # Safety
/// `slot` must be one.
const unsafe fn table_columns(slot: *mut pg_sys::TupleTableSlot) -> pg_sys::TupleDesc {
    // SAFETY: by this function's contract.
    unsafe { (*slot).tts_tupleDescriptor }
}

/// # Safety
/// `result` must have its indexes open.
unsafe fn has_deferrable_key(result: *mut pg_sys::ResultRelInfo, column: pg_sys::AttrNumber) -> bool {
    // SAFETY: by this function's contract; an open index has its row of pg_index, which begins with the columns of its key.
    unsafe {
        let count = usize::try_from((*result).ri_NumIndices).unwrap_or_default();
        (0..count).any(|at| {
            let index = &*(*(*(*result).ri_IndexRelationDescs.add(at))).rd_index;
            let keys = (*(*result).ri_IndexRelationInfo.add(at)).as_ref();
            index.indisunique
                && !index.indimmediate
                && keys.is_some_and(|keys| {
                    let len = usize::try_from(keys.ii_NumIndexKeyAttrs).unwrap_or_default();
                    keys.ii_IndexAttrNumbers.iter().take(len).any(|number| *number == column)
                })
        })
    }
}

/// # Safety
/// `node` must be a node.
unsafe fn list_of(node: *mut core::ffi::c_void) -> *mut pg_sys::List {
    // SAFETY: by this function's contract.
    unsafe { pg_sys::lappend(ptr::null_mut(), node) }
}

unsafe extern "C-unwind" {
    /// As in `executor/nodeModifyTable.h`, which pgrx does not bind.
    fn ExecComputeStoredGenerated(
        result: *mut pg_sys::ResultRelInfo,
        estate: *mut pg_sys::EState,
        slot: *mut pg_sys::TupleTableSlot,
        command: pg_sys::CmdType::Type,
    );
}
