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
        if encoding::check_utf8_from_client(unread(message))? {
            return f(rest(message));
        }
        let mut converted_len: c_int = 0;
        let converted = pg_sys::pq_getmsgtext(message, len - cursor, &raw mut converted_len);
        f(slice::from_raw_parts(converted.cast::<u8>(), usize::try_from(converted_len).unwrap_or_default()))
    }
}

/// The rest of the message, which counts as read then.
pub fn rest<'a>(message: pg_sys::StringInfo) -> &'a [u8] {
    let bytes = unread(message);
    // SAFETY: as above.
    unsafe { (*message).cursor = (*message).len };
    bytes
}

fn unread<'a>(message: pg_sys::StringInfo) -> &'a [u8] {
    // SAFETY: as above; the message lives as long as the call.
    unsafe {
        let len = usize::try_from((*message).len - (*message).cursor).unwrap_or_default();
        slice::from_raw_parts((*message).data.offset((*message).cursor as isize).cast::<u8>(), len)
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
