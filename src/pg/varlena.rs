//! Values of variable length (`postgres.h`, "Variable-length datatypes").

use core::{
    ffi::{c_int, c_void},
    marker::PhantomData,
    ptr, slice,
};

use cordon_core::Error;
use pgrx::pg_sys::{self, Datum};

use super::error::Failure;

/// Bytes of the four-byte header.
const HEADER_LEN: usize = 4;

/// A value that is in memory and not compressed.
pub struct Varlena<'a> {
    value: *mut pg_sys::varlena,
    /// A copy that detoasting made, to be freed.
    copied: bool,
    lifetime: PhantomData<&'a [u8]>,
}

impl Varlena<'_> {
    /// Fetches and decompresses the value if it has to be; a short header is left as it is.
    ///
    /// # Safety
    /// `datum` must point to a varlena that lives for the lifetime chosen.
    pub unsafe fn detoast(datum: Datum) -> Self {
        // SAFETY: by this function's contract.
        unsafe { Self::fetch(datum, |value| pg_sys::pg_detoast_datum_packed(value)) }
    }

    /// At least the first `len` bytes of the value: all of it when it is in memory, else no more than is needed.
    ///
    /// # Safety
    /// As [`Self::detoast`].
    pub unsafe fn prefix(datum: Datum, len: usize) -> Self {
        let len = i32::try_from(len).unwrap_or(i32::MAX);
        // SAFETY: by this function's contract.
        unsafe { Self::fetch(datum, |value| pg_sys::pg_detoast_datum_slice(value, 0, len)) }
    }

    /// # Safety
    /// As [`Self::detoast`]; `detoast` must return its argument or a copy of it or of its beginning.
    unsafe fn fetch(datum: Datum, detoast: impl FnOnce(*mut pg_sys::varlena) -> *mut pg_sys::varlena) -> Self {
        let original = datum.cast_mut_ptr::<pg_sys::varlena>();
        // SAFETY: a varlena by this function's contract, so its first byte tells its form.
        let in_place = unsafe {
            pgrx::varlena::varatt_is_4b_u(original)
                || (pgrx::varlena::varatt_is_1b(original) && !pgrx::varlena::varatt_is_1b_e(original))
        };
        let value = if in_place { original } else { detoast(original) };
        Self { value, copied: value != original, lifetime: PhantomData }
    }

    /// The value's bytes. They may have any alignment.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: detoasted, so the header tells where the bytes are and how many.
        unsafe {
            slice::from_raw_parts(
                pgrx::varlena::vardata_any(self.value).cast::<u8>(),
                pgrx::varlena::varsize_any_exhdr(self.value),
            )
        }
    }
}

impl Drop for Varlena<'_> {
    fn drop(&mut self) {
        // On an error the memory context is reset anyway, and freeing while unwinding gains nothing.
        if self.copied && !std::thread::panicking() {
            // SAFETY: detoasting allocated it for us alone, and no borrow outlives self.
            unsafe { pg_sys::pfree(self.value.cast()) };
        }
    }
}

/// A constructor of [`Output`], which takes the length of the text.
pub type MakeOutput = fn(usize) -> Result<Output, Failure>;

/// A result being written: one allocation in the current memory context.
pub struct Output {
    start: *mut u8,
    header: usize,
    len: usize,
}

impl Output {
    /// A varlena (text, bytea or one of our types) of `len` bytes, all zero.
    ///
    /// # Errors
    /// [`Failure::OutOfMemory`]; [`Error::TooLong`].
    pub fn varlena(len: usize) -> Result<Self, Failure> {
        let output = Self::allocate(HEADER_LEN, len, 0)?;
        let size = i32::try_from(HEADER_LEN + len).unwrap_or(i32::MAX);
        // SAFETY: allocated with room for the header, and aligned for it, by palloc.
        unsafe { pgrx::varlena::set_varsize_4b(output.start.cast(), size) };
        Ok(output)
    }

    /// A value of a type of fixed length that is passed by reference, `len` bytes, all zero.
    ///
    /// # Errors
    /// As [`Self::varlena`].
    pub fn fixed(len: usize) -> Result<Self, Failure> {
        Self::allocate(0, len, 0)
    }

    /// A C string of `len` bytes, all zero, and its terminator.
    ///
    /// # Errors
    /// As [`Self::varlena`].
    pub fn cstring(len: usize) -> Result<Self, Failure> {
        Self::allocate(0, len, 1)
    }

    /// The bytes to write.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: within the allocation, which is initialized and which only self refers to.
        unsafe { slice::from_raw_parts_mut(self.start.add(self.header), self.len) }
    }

    /// The value as an argument to a call.
    pub fn datum(&self) -> Datum {
        Datum::from(self.start)
    }

    /// The result, for PostgreSQL to own.
    pub fn into_datum(self) -> Datum {
        Datum::from(self.start)
    }

    fn allocate(header: usize, len: usize, trailer: usize) -> Result<Self, Failure> {
        let size = header + len + trailer;
        if size > MAX_ALLOC_SIZE {
            return Err(Failure::Core(Error::TooLong));
        }
        // SAFETY: with this flag and a size within the limit palloc raises no error, so it needs no guard around it. The
        // memory is written at once, so that no reference to uninitialized memory is ever made.
        let start = unsafe {
            let start = palloc_extended(size, pg_sys::MCXT_ALLOC_NO_OOM as c_int).cast::<u8>();
            if start.is_null() {
                return Err(Failure::OutOfMemory);
            }
            ptr::write_bytes(start, 0, size);
            start
        };
        Ok(Self { start, header, len })
    }
}

/// Plaintext on its way from one place to another, which is erased when it is dropped, also by an error.
pub struct Plaintext(Output);

impl Plaintext {
    /// Takes a text that nobody else refers to.
    pub const fn new(text: Output) -> Self {
        Self(text)
    }

    /// The text.
    pub fn bytes(&mut self) -> &mut [u8] {
        self.0.bytes()
    }

    /// The value as an argument to a call.
    pub fn datum(&self) -> Datum {
        self.0.datum()
    }
}

impl Drop for Plaintext {
    fn drop(&mut self) {
        let bytes = self.0.bytes();
        // SAFETY: a slice. Memory contexts are reset only after destructors have run.
        unsafe { erase(bytes.as_mut_ptr(), bytes.len()) };
    }
}

/// Writes zeros that the compiler does not leave out.
///
/// # Safety
/// So many bytes from `start` on must be there to be written.
pub unsafe fn erase(start: *mut u8, len: usize) {
    // SAFETY: by this function's contract.
    unsafe { ptr::write_bytes(start, 0, len) };
    // So that the zeros count as read.
    core::hint::black_box(start);
}

/// `MaxAllocSize` of `utils/memutils.h`.
const MAX_ALLOC_SIZE: usize = 0x3fff_ffff;

unsafe extern "C" {
    /// As in `utils/palloc.h`. pgrx's own declaration guards against errors, for as much time as the call takes.
    fn palloc_extended(size: usize, flags: c_int) -> *mut c_void;
}
