//! What ANALYZE keeps of a column.

use core::ffi::CStr;

use pgrx::pg_sys::{self, Datum, Oid};

use super::fmgr::Args;

/// Has ANALYZE compute the usual statistics, as if the column were of the type `name` in the schema of the function that
/// is running: a type with the same bytes and the same order. Extended statistics go by it, too.
pub fn analyze_as(args: &Args, name: &CStr) -> bool {
    let stats = args.statistics(0);
    // SAFETY: lookups in the system catalogs; PostgreSQL passes an ANALYZE function its structure, in which the type may
    // be changed (`commands/vacuum.h`).
    unsafe {
        let schema = pg_sys::get_func_namespace(args.function());
        let stored_as = pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::TYPENAMENSP as i32,
            pg_sys::Anum_pg_type_oid as pg_sys::AttrNumber,
            Datum::from(name.as_ptr()),
            Datum::from(schema),
            Datum::null(),
            Datum::null(),
        );
        if stored_as == Oid::INVALID {
            // No statistics rather than some that cannot be read.
            return false;
        }
        (*stats).attrtypid = stored_as;
        (*stats).statypid = [stored_as; 5];
        pg_sys::std_typanalyze(stats)
    }
}
