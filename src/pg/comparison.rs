//! Comparing values by bytes that they hold: no key, no tenant, no error, whatever the value. So what is here is
//! immutable and leakproof in truth, and works in autovacuum and amcheck.

use core::{cmp::Ordering, ffi::c_int};

use pgrx::pg_sys::{Datum, SortSupport, submodules::panic::pgrx_extern_c_guard};

use super::{error::Failure, fmgr::Args, varlena::Varlena};

/// A type whose values can be compared.
pub trait Comparable {
    /// How many bytes at the start of a value are looked at, so that no more of a long one is fetched.
    const PREFIX: usize;

    /// What decides, in this order: values are equal when it is. The first should tell most values apart within eight
    /// bytes. Of a damaged value it may be anything, but always the same.
    fn key(prefix: &[u8]) -> [&[u8]; 2];
}

/// `=`
pub fn eq<T: Comparable>(args: Args) -> Result<Datum, Failure> {
    compare::<T, _>(args, |left, right| left == right)
}

/// `<>`
pub fn ne<T: Comparable>(args: Args) -> Result<Datum, Failure> {
    compare::<T, _>(args, |left, right| left != right)
}

/// `<`
pub fn lt<T: Comparable>(args: Args) -> Result<Datum, Failure> {
    compare::<T, _>(args, |left, right| left < right)
}

/// `<=`
pub fn le<T: Comparable>(args: Args) -> Result<Datum, Failure> {
    compare::<T, _>(args, |left, right| left <= right)
}

/// `>`
pub fn gt<T: Comparable>(args: Args) -> Result<Datum, Failure> {
    compare::<T, _>(args, |left, right| left > right)
}

/// `>=`
pub fn ge<T: Comparable>(args: Args) -> Result<Datum, Failure> {
    compare::<T, _>(args, |left, right| left >= right)
}

/// Support function 1 of btree.
pub fn cmp<T: Comparable>(args: Args) -> Result<Datum, Failure> {
    compare::<T, _>(args, |left, right| c_ordering(left.cmp(&right)))
}

/// Support function 2 of btree: sorting without a call through SQL for each comparison.
pub fn sort_support<T: Comparable>(args: Args) -> Result<Datum, Failure> {
    // SAFETY: PostgreSQL passes such a function its structure, and calls what is put into it with values of the type.
    unsafe {
        let sort = args.sort_support(0);
        if (*sort).abbreviate {
            (*sort).comparator = Some(ssup_datum_unsigned_cmp);
            (*sort).abbrev_converter = Some(abbreviate::<T>);
            (*sort).abbrev_abort = Some(keep_abbreviating);
            (*sort).abbrev_full_comparator = Some(compare_values::<T>);
        } else {
            (*sort).comparator = Some(compare_values::<T>);
        }
    }
    Ok(Datum::null())
}

/// Support function 1 of hash indexes, joins and aggregates.
pub fn hash<T: Comparable>(args: Args) -> Result<Datum, Failure> {
    let value = args.varlena_prefix(0, T::PREFIX);
    let [bytes, _] = T::key(value.as_bytes());
    // SAFETY: a slice. Equal values have equal bytes.
    Ok(Datum::from(unsafe { hash_bytes(bytes.as_ptr(), bytes.len() as c_int) }))
}

/// Support function 2: with a seed.
pub fn hash_extended<T: Comparable>(args: Args) -> Result<Datum, Failure> {
    let value = args.varlena_prefix(0, T::PREFIX);
    let [bytes, _] = T::key(value.as_bytes());
    // SAFETY: as above.
    Ok(Datum::from(unsafe { hash_bytes_extended(bytes.as_ptr(), bytes.len() as c_int, args.int8(1).cast_unsigned()) }))
}

fn compare<T: Comparable, R: Into<Datum>>(
    args: Args,
    f: impl FnOnce([&[u8]; 2], [&[u8]; 2]) -> R,
) -> Result<Datum, Failure> {
    let (left, right) = (args.varlena_prefix(0, T::PREFIX), args.varlena_prefix(1, T::PREFIX));
    Ok(f(T::key(left.as_bytes()), T::key(right.as_bytes())).into())
}

/// # Safety
/// `left` and `right` must be values of the type.
unsafe extern "C-unwind" fn compare_values<T: Comparable>(left: Datum, right: Datum, _: SortSupport) -> c_int {
    // SAFETY: by this function's contract. Fetching a long value can fail, hence the guard.
    unsafe {
        pgrx_extern_c_guard(|| {
            let (left, right) = (Varlena::prefix(left, T::PREFIX), Varlena::prefix(right, T::PREFIX));
            c_ordering(T::key(left.as_bytes()).cmp(&T::key(right.as_bytes())))
        })
    }
}

/// The first eight bytes that decide, as a number: most comparisons end there.
///
/// # Safety
/// `value` must be a value of the type.
unsafe extern "C-unwind" fn abbreviate<T: Comparable>(value: Datum, _: SortSupport) -> Datum {
    // SAFETY: as above.
    unsafe {
        pgrx_extern_c_guard(|| {
            let value = Varlena::prefix(value, T::PREFIX);
            let [bytes, _] = T::key(value.as_bytes());
            let mut first = [0; size_of::<u64>()];
            for (to, from) in first.iter_mut().zip(bytes) {
                *to = *from;
            }
            Datum::from(u64::from_be_bytes(first))
        })
    }
}

unsafe extern "C-unwind" fn keep_abbreviating(_: c_int, _: SortSupport) -> bool {
    false
}

const fn c_ordering(ordering: Ordering) -> c_int {
    ordering as c_int
}

unsafe extern "C-unwind" {
    /// As in `utils/sortsupport.h`: by its address PostgreSQL knows that it may sort the numbers by itself.
    fn ssup_datum_unsigned_cmp(left: Datum, right: Datum, sort: SortSupport) -> c_int;
}

unsafe extern "C" {
    /// As in `common/hashfn.h`. pgrx's own declarations guard against errors, which these cannot raise.
    fn hash_bytes(bytes: *const u8, len: c_int) -> u32;
    fn hash_bytes_extended(bytes: *const u8, len: c_int, seed: u64) -> u64;
}
