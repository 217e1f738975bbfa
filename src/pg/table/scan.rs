//! Reading the rows of a table as they lie there: no query, so nothing of the owner's is planned or run.

use core::{mem::offset_of, ptr};

use pgrx::{
    PgMemoryContexts,
    pg_sys::{self, Datum, submodules::ffi::pg_guard_ffi_boundary},
};

use super::{OwnTable, column::Column};
use crate::pg::error::Failure;

/// Some blocks of a table.
#[derive(Clone, Copy)]
pub struct Blocks {
    /// The first of them.
    pub first: u32,
    /// The first after them.
    pub end: u32,
}

impl Blocks {
    /// All blocks there are.
    pub const ALL: Self = Self { first: 0, end: u32::MAX };
}

/// A row of an open table.
pub struct Row {
    slot: *mut pg_sys::TupleTableSlot,
}

impl Row {
    /// # Safety
    /// `slot` must hold a row as long as the result lives.
    pub(super) const unsafe fn new(slot: *mut pg_sys::TupleTableSlot) -> Self {
        Self { slot }
    }

    /// The value of a column of the table, or None for NULL.
    pub fn value(&self, column: &Column) -> Option<Datum> {
        self.attribute(column.number)
    }

    /// The value of the column of that number, counted from 1.
    pub fn attribute(&self, number: pg_sys::AttrNumber) -> Option<Datum> {
        let mut is_null = false;
        // SAFETY: a slot with a row of the table.
        let value = unsafe { pg_sys::slot_getattr(self.slot, number.into(), &raw mut is_null) };
        (!is_null).then_some(value)
    }

    /// Where the row lies.
    pub fn place(&self) -> pg_sys::ItemPointerData {
        // SAFETY: a slot with a row of a table.
        unsafe { (*self.slot).tts_tid }
    }

    /// The same as text: `(block,offset)`.
    pub fn place_text(&self) -> String {
        let place = self.place();
        let block = u32::from(place.ip_blkid.bi_hi) << 16 | u32::from(place.ip_blkid.bi_lo);
        format!("({block},{})", place.ip_posid)
    }
}

/// Calls `f` for each row in some blocks of a table, of what is committed now. What `f` allocates is freed after each.
///
/// # Errors
/// Those of `f`; [`Failure::AccessMethod`].
pub fn for_each_row(
    table: &OwnTable,
    blocks: Blocks,
    mut f: impl FnMut(&Row) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // SAFETY: the relation is open. An error of PostgreSQL's leaves the scan, the slot and the snapshot to the end of the
    // transaction or subtransaction; the closures own nothing.
    unsafe {
        let relation = table.relation();
        if (*(*relation).rd_rel).relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE {
            return Ok(());
        }
        let method = &*(*relation).rd_tableam;
        let (Some(begin), Some(set_range), Some(next), Some(end)) =
            (method.scan_begin, method.scan_set_tidrange, method.scan_getnextslot_tidrange, method.scan_end)
        else {
            return Err(Failure::AccessMethod(table.name()));
        };
        let (mut first, mut last) = (place(blocks.first, 0), place(blocks.end.saturating_sub(1), u16::MAX));
        if blocks.end == u32::MAX {
            last = place(u32::MAX - 1, u16::MAX);
        }
        if blocks.first >= blocks.end {
            return Ok(());
        }
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        // To fetch what is out of line, a snapshot must be active.
        pg_sys::PushActiveSnapshot(snapshot);
        let flags = pg_sys::ScanOptions::SO_TYPE_TIDRANGESCAN | pg_sys::ScanOptions::SO_ALLOW_PAGEMODE;
        let slot = pg_sys::table_slot_create(relation, ptr::null_mut());
        let scan = pg_guard_ffi_boundary(|| begin(relation, snapshot, 0, ptr::null_mut(), ptr::null_mut(), flags));
        let (lowest, highest) = (&raw mut first, &raw mut last);
        pg_guard_ffi_boundary(|| set_range(scan, lowest, highest));
        let mut context = PgMemoryContexts::new("pg_cordon row");
        let row = Row::new(slot);
        let mut outcome = Ok(());
        while outcome.is_ok() && pg_guard_ffi_boundary(|| next(scan, pg_sys::ScanDirection::ForwardScanDirection, slot))
        {
            outcome = context.switch_to(|_| f(&row));
            context.reset();
        }
        pg_guard_ffi_boundary(|| end(scan));
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        pg_sys::PopActiveSnapshot();
        pg_sys::UnregisterSnapshot(snapshot);
        outcome
    }
}

const fn place(block: u32, offset: u16) -> pg_sys::ItemPointerData {
    const { assert!(offset_of!(pg_sys::ItemPointerData, ip_posid) == 4) };
    pg_sys::ItemPointerData {
        ip_blkid: pg_sys::BlockIdData { bi_hi: (block >> 16) as u16, bi_lo: block as u16 },
        ip_posid: offset,
    }
}
