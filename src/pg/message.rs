//! Text in the messages of the client protocol's binary format: in the client's encoding.

use core::{ffi::c_int, slice};

use pgrx::pg_sys;

use super::{encoding, error::Failure, varlena::Output};

/// Calls `f` with the rest of the message, in the database's encoding.
///
/// # Errors
/// [`Failure::NotText`]; those of `f`.
pub fn with_text<T>(message: pg_sys::StringInfo, f: impl FnOnce(&[u8]) -> Result<T, Failure>) -> Result<T, Failure> {
    // SAFETY: PostgreSQL passes a receive function a message whose cursor is within its data.
    unsafe {
        let (len, cursor) = ((*message).len, (*message).cursor);
        let rest = usize::try_from(len - cursor).unwrap_or_default();
        let bytes = slice::from_raw_parts((*message).data.offset(cursor as isize).cast::<u8>(), rest);
        if encoding::check_utf8_from_client(bytes)? {
            (*message).cursor = len;
            return f(bytes);
        }
        let mut converted_len: c_int = 0;
        let converted = pg_sys::pq_getmsgtext(message, len - cursor, &raw mut converted_len);
        f(slice::from_raw_parts(converted.cast::<u8>(), usize::try_from(converted_len).unwrap_or_default()))
    }
}

/// A varlena of text in the database's encoding, as a bytea in the client's.
///
/// # Errors
/// [`Failure::OutOfMemory`].
pub fn to_client(mut text: Output) -> Result<Output, Failure> {
    let bytes = text.bytes();
    let Ok(len) = c_int::try_from(bytes.len()) else { return Ok(text) };
    let start = bytes.as_ptr().cast();
    // SAFETY: `start` and `len` are those of a slice. The conversion returns its argument or a new C string.
    unsafe {
        let converted = pg_sys::pg_server_to_client(start, len);
        if converted.cast_const() == start {
            return Ok(text);
        }
        let converted = core::ffi::CStr::from_ptr(converted).to_bytes();
        let mut output = Output::varlena(converted.len())?;
        output.bytes().copy_from_slice(converted);
        Ok(output)
    }
}
