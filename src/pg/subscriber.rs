//! What the tables of a subscriber make of themselves, beside what the publisher sends.

use core::{ffi::c_int, ptr};
use std::sync::atomic::{AtomicU8, Ordering};

use pgrx::pg_sys::{self, Datum, Oid, SysCacheIdentifier};

use super::{inspection, table::column::Column};

const UNKNOWN: u8 = 0;
const NO: u8 = 1;
const YES: u8 = 2;

static READS_SEALED: AtomicU8 = AtomicU8::new(UNKNOWN);

/// `pg_subscription_rel` (`catalog/pg_subscription_rel.h`).
const SUBSCRIPTION_REL: Oid = Oid::from_u32(6102);

/// Asks to be told when tables or subscriptions change. Once a process.
pub fn install_callback() {
    // SAFETY: while the library loads nothing else runs.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(forget), Datum::null());
        pg_sys::CacheRegisterSyscacheCallback(
            SysCacheIdentifier::SUBSCRIPTIONRELMAP as c_int,
            Some(forget_subscription),
            Datum::null(),
        );
    }
}

/// Whether a table that a subscription of this database writes to has a default or a generated column that reads sealed values
/// within an array, a composite, a range or JSON. A worker evaluates these, and nobody can tell there a text of theirs from one of
/// the publisher's. A default that is a cast to a sealed type, as a quoted one becomes, is known for what it is, and no matter.
pub fn reads_sealed() -> bool {
    match READS_SEALED.load(Ordering::Relaxed) {
        NO => false,
        YES => true,
        _ => {
            let reads_sealed = look();
            READS_SEALED.store(if reads_sealed { YES } else { NO }, Ordering::Relaxed);
            reads_sealed
        }
    }
}

fn look() -> bool {
    // SAFETY: the scan of a catalog, in a transaction; what is opened is closed, or an error releases it. The column is an oid.
    unsafe {
        let catalog = pg_sys::table_open(SUBSCRIPTION_REL, pg_sys::AccessShareLock as c_int);
        let scan = pg_sys::systable_beginscan(catalog, Oid::INVALID, false, ptr::null_mut(), 0, ptr::null_mut());
        let mut reads_sealed = false;
        loop {
            let row = pg_sys::systable_getnext(scan);
            if row.is_null() || reads_sealed {
                break;
            }
            let Ok(column) = Column::find((*catalog).rd_att, c"srrelid") else { break };
            let relation = pg_sys::heap_getattr(row, column.number.into(), (*catalog).rd_att, &mut false);
            reads_sealed = table_reads_sealed(Oid::from(relation.value() as u32));
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(catalog, pg_sys::AccessShareLock as c_int);
        reads_sealed
    }
}

/// # Safety
/// In a transaction.
unsafe fn table_reads_sealed(relation: Oid) -> bool {
    // SAFETY: by this function's contract; the relation is locked while its cached definition is read, whose defaults are texts of
    // trees.
    unsafe {
        let relation = pg_sys::try_relation_open(relation, pg_sys::AccessShareLock as c_int);
        if relation.is_null() {
            return false;
        }
        let definition = (*(*relation).rd_att).constr;
        let mut reads_sealed = false;
        if !definition.is_null() {
            for at in 0..usize::from((*definition).num_defval) {
                let text = (*(*definition).defval.add(at)).adbin;
                reads_sealed |= inspection::reads_sealed_within(pg_sys::stringToNode(text).cast());
            }
        }
        pg_sys::relation_close(relation, pg_sys::AccessShareLock as c_int);
        reads_sealed
    }
}

/// # Safety
/// Called by PostgreSQL.
unsafe extern "C-unwind" fn forget(_: Datum, _: Oid) {
    READS_SEALED.store(UNKNOWN, Ordering::Relaxed);
}

/// # Safety
/// Called by PostgreSQL.
unsafe extern "C-unwind" fn forget_subscription(_: Datum, _: c_int, _: u32) {
    READS_SEALED.store(UNKNOWN, Ordering::Relaxed);
}
