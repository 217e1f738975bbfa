//! Which types are sealed. One list, by which everything else knows them: types by identity, never by name.

use core::ffi::c_int;
use std::{collections::HashSet, sync::OnceLock};

use cordon_core::Kind;
use pgrx::{
    PgTupleDesc,
    pg_sys::{self, Oid},
};

/// An input function of a sealed type, by which the type is known: whatever its name, schema and oid.
pub type InputFunction = unsafe extern "C-unwind" fn(pg_sys::FunctionCallInfo) -> pg_sys::Datum;

/// A sealed type: its input function, and what its values are sealed as.
pub type SealedType = (InputFunction, Kind);

static SEALED_TYPES: OnceLock<&'static [SealedType]> = OnceLock::new();
static TOKEN_HASH: OnceLock<InputFunction> = OnceLock::new();

/// Makes the sealed types known, and that of token hashes. Once a process.
pub fn know(types: &'static [SealedType], token_hash: InputFunction) {
    SEALED_TYPES.get_or_init(|| types);
    TOKEN_HASH.get_or_init(|| token_hash);
}

/// Whether a type is that of token hashes.
pub fn is_token_hash(type_oid: Oid) -> bool {
    // SAFETY: a base type, which exists.
    type_oid.to_u32() >= pg_sys::FirstNormalObjectId
        && exists(type_oid)
        && unsafe {
            let base = pg_sys::getBaseType(type_oid);
            let is_base = u8::try_from(pg_sys::get_typtype(base)).unwrap_or_default() == pg_sys::TYPTYPE_BASE;
            is_base && TOKEN_HASH.get().is_some_and(|input| input_of(base) == Some(*input as usize))
        }
}

/// Whether values of the type are sealed, or hold sealed ones: arrays, composites, ranges, and domains over them.
///
/// Anybody makes types, as deep and as entangled as they like: each is looked at once, without recursion, and a statement that
/// has enough of it can be cancelled.
pub fn holds_sealed(type_oid: Oid) -> bool {
    // Types of initdb: most constants are of one.
    if type_oid.to_u32() < pg_sys::FirstNormalObjectId {
        return false;
    }
    let mut seen = HashSet::from([type_oid]);
    let mut open = vec![type_oid];
    while let Some(next) = open.pop() {
        pgrx::check_for_interrupts!();
        match parts(next) {
            Parts::Sealed => return true,
            Parts::Types(types) => {
                let is_new = |oid: &Oid| oid.to_u32() >= pg_sys::FirstNormalObjectId && seen.insert(*oid);
                open.extend(types.into_iter().filter(is_new));
            }
        }
    }
    false
}

/// What values of a type are made of.
enum Parts {
    /// Values of a sealed type.
    Sealed,
    /// Values of other types, or of none.
    Types(Vec<Oid>),
}

fn parts(type_oid: Oid) -> Parts {
    // SAFETY: lookups in the system catalogs.
    unsafe {
        if !exists(type_oid) {
            return Parts::Types(Vec::new());
        }
        let base = pg_sys::getBaseType(type_oid);
        let element = pg_sys::get_element_type(base);
        if element != Oid::INVALID {
            return Parts::Types(vec![element]);
        }
        Parts::Types(match u8::try_from(pg_sys::get_typtype(base)).unwrap_or_default() {
            pg_sys::TYPTYPE_BASE if kind_of_base(base).is_some() => return Parts::Sealed,
            pg_sys::TYPTYPE_COMPOSITE => PgTupleDesc::for_composite_type_by_oid(base)
                .map_or_else(Vec::new, |columns| {
                    columns.iter().filter(|column| !column.attisdropped).map(|column| column.atttypid).collect()
                }),
            pg_sys::TYPTYPE_RANGE => vec![pg_sys::get_range_subtype(base)],
            pg_sys::TYPTYPE_MULTIRANGE => vec![pg_sys::get_multirange_range(base)],
            _ => Vec::new(),
        })
    }
}

/// What values of a type are sealed as, and the type itself: of a domain that under all of its domains. None for a type that
/// is not sealed, also when it holds sealed values.
pub fn sealed_kind(type_oid: Oid) -> Option<(Kind, Oid)> {
    if type_oid.to_u32() < pg_sys::FirstNormalObjectId {
        return None;
    }
    // SAFETY: lookups in the system catalogs.
    unsafe {
        if !exists(type_oid) {
            return None;
        }
        let base = pg_sys::getBaseType(type_oid);
        let is_base = u8::try_from(pg_sys::get_typtype(base)).unwrap_or_default() == pg_sys::TYPTYPE_BASE;
        if is_base { kind_of_base(base).map(|kind| (kind, base)) } else { None }
    }
}

/// An oid may be anybody's guess.
fn exists(type_oid: Oid) -> bool {
    // SAFETY: a lookup in the system catalogs.
    unsafe {
        pg_sys::SearchSysCacheExists(
            pg_sys::SysCacheIdentifier::TYPEOID as c_int,
            pg_sys::Datum::from(type_oid),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
        )
    }
}

/// # Safety
/// `base` must be a base type.
unsafe fn kind_of_base(base: Oid) -> Option<Kind> {
    // SAFETY: by this function's contract.
    let address = unsafe { input_of(base) };
    let types = SEALED_TYPES.get()?;
    types.iter().find(|(function, _)| Some(*function as usize) == address).map(|(_, kind)| *kind)
}

/// The address of a type's input function.
///
/// # Safety
/// `base` must be a base type.
unsafe fn input_of(base: Oid) -> Option<usize> {
    // SAFETY: fmgr_info fills the structure for a function that exists, as a type's input function does.
    unsafe {
        let (mut input, mut parameter) = (Oid::INVALID, Oid::INVALID);
        pg_sys::getTypeInputInfo(base, &raw mut input, &raw mut parameter);
        let mut function = pg_sys::FmgrInfo::default();
        pg_sys::fmgr_info(input, &raw mut function);
        function.fn_addr.map(|address| address as usize)
    }
}
