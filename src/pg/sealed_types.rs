//! Which types are sealed.

use std::sync::OnceLock;

use pgrx::{
    PgTupleDesc,
    pg_sys::{self, Oid},
};

/// An input function of a sealed type, by which the type is known: whatever its name, schema and oid.
pub type InputFunction = unsafe extern "C-unwind" fn(pg_sys::FunctionCallInfo) -> pg_sys::Datum;

static INPUT_FUNCTIONS: OnceLock<&'static [InputFunction]> = OnceLock::new();

/// Makes the input functions of the sealed types known. Once a process.
pub fn know(input_functions: &'static [InputFunction]) {
    INPUT_FUNCTIONS.get_or_init(|| input_functions);
}

/// Whether values of the type are sealed, or hold sealed ones: arrays, composites, ranges, and domains over them.
pub fn holds_sealed(type_oid: Oid) -> bool {
    // Types of initdb: most constants are of one.
    if type_oid.to_u32() < pg_sys::FirstNormalObjectId {
        return false;
    }
    // SAFETY: lookups in the system catalogs, of a type that a parsed query refers to.
    unsafe {
        let base = pg_sys::getBaseType(type_oid);
        let element = pg_sys::get_element_type(base);
        if element != Oid::INVALID {
            return holds_sealed(element);
        }
        match u8::try_from(pg_sys::get_typtype(base)).unwrap_or_default() {
            pg_sys::TYPTYPE_BASE => is_sealed(base),
            pg_sys::TYPTYPE_COMPOSITE => PgTupleDesc::for_composite_type_by_oid(base)
                .is_some_and(|columns| columns.iter().any(|column| holds_sealed(column.atttypid))),
            pg_sys::TYPTYPE_RANGE => holds_sealed(pg_sys::get_range_subtype(base)),
            pg_sys::TYPTYPE_MULTIRANGE => holds_sealed(pg_sys::get_multirange_range(base)),
            _ => false,
        }
    }
}

/// # Safety
/// `base` must be a base type.
unsafe fn is_sealed(base: Oid) -> bool {
    // SAFETY: fmgr_info fills the structure for a function that exists, as a type's input function does.
    let address = unsafe {
        let (mut input, mut parameter) = (Oid::INVALID, Oid::INVALID);
        pg_sys::getTypeInputInfo(base, &raw mut input, &raw mut parameter);
        let mut function = pg_sys::FmgrInfo::default();
        pg_sys::fmgr_info(input, &raw mut function);
        function.fn_addr.map(|address| address as usize)
    };
    INPUT_FUNCTIONS.get().is_some_and(|functions| functions.iter().any(|function| Some(*function as usize) == address))
}
