//! The sealed values in a column: its values themselves, or those in its arrays, composites and ranges.

use core::{
    ffi::{c_char, c_int, c_void},
    ptr, slice,
};

use cordon_core::Kind;
use pgrx::pg_sys::{self, Datum, HeapTupleHeader, Oid, submodules::ffi::pg_guard_ffi_boundary};

use super::{
    error::Failure,
    sealed_types::{holds_sealed, sealed_kind},
    table::column::types,
    varlena::{Output, Varlena},
};

/// How a type holds sealed values.
pub enum Shape {
    /// Each value is sealed.
    Value(Kind),
    /// The elements of each array have a shape.
    Array { element: Oid, shape: Box<Shape> },
    /// Some columns of each composite have shapes.
    Composite,
    /// The bounds of each range have a shape.
    Range { range: Oid, shape: Box<Shape> },
    /// The ranges in each multirange have a shape.
    Multirange { range: Oid, shape: Box<Shape> },
}

/// What is done with each value: None to leave it as it is.
pub type Change<'a> = dyn FnMut(Kind, &[u8]) -> Result<Option<Output>, Failure> + 'a;

impl Shape {
    /// The shape of a type that holds sealed values, or None.
    pub fn of(type_oid: Oid) -> Option<Self> {
        if !holds_sealed(type_oid) {
            return None;
        }
        if let Some((kind, _)) = sealed_kind(type_oid) {
            return Some(Self::Value(kind));
        }
        // SAFETY: lookups in the system catalogs. Types are as deep as somebody made them.
        unsafe {
            pg_sys::check_stack_depth();
            let base = pg_sys::getBaseType(type_oid);
            let element = pg_sys::get_element_type(base);
            if element != Oid::INVALID {
                return Some(Self::Array { element, shape: Box::new(Self::of(element)?) });
            }
            match u8::try_from(pg_sys::get_typtype(base)).unwrap_or_default() {
                pg_sys::TYPTYPE_RANGE => {
                    let shape = Box::new(Self::of(pg_sys::get_range_subtype(base))?);
                    Some(Self::Range { range: base, shape })
                }
                pg_sys::TYPTYPE_MULTIRANGE => {
                    let range = pg_sys::get_multirange_range(base);
                    Some(Self::Multirange { range, shape: Box::new(Self::of(range)?) })
                }
                _ => Some(Self::Composite),
            }
        }
    }

    /// Calls `f` with each sealed value in a value of the type, and returns the value with what `f` made of them, or None
    /// when it made nothing.
    ///
    /// # Errors
    /// Those of `f`; [`Failure::InRange`] when a value in a range would change, whose order it decides.
    ///
    /// # Safety
    /// `value` must be of the type that the shape was made of.
    pub unsafe fn map(&self, value: Datum, f: &mut Change<'_>) -> Result<Option<Datum>, Failure> {
        // SAFETY: by this function's contract.
        unsafe {
            pg_sys::check_stack_depth();
            match self {
                Self::Value(kind) => {
                    let sealed = Varlena::detoast(value);
                    Ok(f(*kind, sealed.as_bytes())?.map(Output::into_datum))
                }
                Self::Array { element, shape } => map_array(value, *element, shape, f),
                Self::Composite => map_composite(value, f),
                Self::Range { range, shape } => visit_range(value, *range, shape, f).map(|()| None),
                Self::Multirange { range, shape } => visit_multirange(value, *range, shape, f).map(|()| None),
            }
        }
    }
}

/// # Safety
/// `value` must be an array of `element`, which has the shape.
unsafe fn map_array(value: Datum, element: Oid, shape: &Shape, f: &mut Change<'_>) -> Result<Option<Datum>, Failure> {
    let (mut elements, mut nulls, mut len) = (ptr::null_mut(), ptr::null_mut(), 0);
    let (mut width, mut by_value, mut align) = (0_i16, false, 0 as c_char);
    // SAFETY: by this function's contract. Dimensions and lower bounds follow the header of an array (`utils/array.h`).
    unsafe {
        let array = pg_sys::pg_detoast_datum(value.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        pg_sys::get_typlenbyvalalign(element, &raw mut width, &raw mut by_value, &raw mut align);
        let (values, are_null) = (&raw mut elements, &raw mut nulls);
        pg_sys::deconstruct_array(array, element, width.into(), by_value, align, values, are_null, &raw mut len);
        let count = usize::try_from(len).unwrap_or_default();
        let mut is_changed = false;
        for at in 0..count {
            if !*nulls.add(at)
                && let Some(changed) = shape.map(*elements.add(at), f)?
            {
                *elements.add(at) = changed;
                is_changed = true;
            }
        }
        if !is_changed {
            return Ok(None);
        }
        let dimensions = (*array).ndim;
        let lengths = array.add(1).cast::<c_int>();
        let lower_bounds = lengths.offset(dimensions as isize);
        Ok(Some(Datum::from(pg_sys::construct_md_array(
            elements,
            nulls,
            dimensions,
            lengths,
            lower_bounds,
            element,
            width.into(),
            by_value,
            align,
        ))))
    }
}

/// # Safety
/// `value` must be a composite.
unsafe fn map_composite(value: Datum, f: &mut Change<'_>) -> Result<Option<Datum>, Failure> {
    // SAFETY: by this function's contract: its header names its type, of which the columns are looked up and released.
    unsafe {
        let header =
            pg_sys::pg_detoast_datum(value.cast_mut_ptr()).cast::<pg_sys::HeapTupleHeaderData>() as HeapTupleHeader;
        let datum = &(*header).t_choice.t_datum;
        let columns = pg_sys::lookup_rowtype_tupdesc_copy(datum.datum_typeid, datum.datum_typmod);
        let count = usize::try_from((*columns).natts).unwrap_or_default();
        let mut row = pg_sys::HeapTupleData {
            t_len: u32::try_from(pgrx::varlena::varsize_any(header.cast())).unwrap_or(u32::MAX),
            t_data: header,
            ..Default::default()
        };
        let (mut values, mut nulls) = (vec![Datum::null(); count], vec![true; count]);
        pg_sys::heap_deform_tuple(&raw mut row, columns, values.as_mut_ptr(), nulls.as_mut_ptr());
        let mut is_changed = false;
        for (at, type_oid) in types(columns).into_iter().enumerate() {
            if !nulls[at]
                && let Some(shape) = type_oid.and_then(Shape::of)
                && let Some(changed) = shape.map(values[at], f)?
            {
                values[at] = changed;
                is_changed = true;
            }
        }
        if !is_changed {
            return Ok(None);
        }
        let changed = pg_sys::heap_form_tuple(columns, values.as_mut_ptr(), nulls.as_mut_ptr());
        Ok(Some(pg_sys::heap_copy_tuple_as_datum(changed, columns)))
    }
}

/// # Safety
/// `value` must be a range of the type `range`, whose bounds have the shape.
unsafe fn visit_range(value: Datum, range: Oid, shape: &Shape, f: &mut Change<'_>) -> Result<(), Failure> {
    // SAFETY: by this function's contract.
    unsafe {
        let cache = pg_sys::lookup_type_cache(range, pg_sys::TYPECACHE_RANGE_INFO as c_int);
        let value = pg_sys::pg_detoast_datum(value.cast_mut_ptr()).cast::<pg_sys::RangeType>();
        let (mut lower, mut upper) = (pg_sys::RangeBound::default(), pg_sys::RangeBound::default());
        let mut is_empty = false;
        pg_sys::range_deserialize(cache, value, &raw mut lower, &raw mut upper, &raw mut is_empty);
        for bound in [lower, upper] {
            if !is_empty && !bound.infinite && shape.map(bound.val, f)?.is_some() {
                return Err(Failure::InRange);
            }
        }
        Ok(())
    }
}

/// # Safety
/// `value` must be a multirange of the type `range`, which has the shape.
unsafe fn visit_multirange(value: Datum, range: Oid, shape: &Shape, f: &mut Change<'_>) -> Result<(), Failure> {
    // SAFETY: by this function's contract.
    unsafe {
        let cache = pg_sys::lookup_type_cache(range, pg_sys::TYPECACHE_RANGE_INFO as c_int);
        let value = pg_sys::pg_detoast_datum(value.cast_mut_ptr()).cast::<c_void>();
        let (mut count, mut ranges) = (0, ptr::null_mut());
        let (len, found) = (&raw mut count, &raw mut ranges);
        pg_guard_ffi_boundary(|| multirange_deserialize(cache, value, len, found));
        let count = usize::try_from(count).unwrap_or_default();
        let ranges = if count == 0 { &[][..] } else { slice::from_raw_parts(ranges, count) };
        for range in ranges {
            if shape.map(Datum::from(*range), f)?.is_some() {
                return Err(Failure::InRange);
            }
        }
        Ok(())
    }
}

unsafe extern "C-unwind" {
    /// As in `utils/multirangetypes.h`, which pgrx does not bind.
    fn multirange_deserialize(
        range: *mut pg_sys::TypeCacheEntry,
        multirange: *const c_void,
        count: *mut i32,
        ranges: *mut *mut *mut pg_sys::RangeType,
    );
}
