//! Sealed text is UTF-8, whatever the database's encoding: a dump restored into a database of another encoding opens.

use core::{ffi::c_int, slice};
use std::sync::OnceLock;

use pgrx::{
    PgSqlErrorCode, PgTryBuilder,
    pg_sys::{self, pg_enc},
};

use super::{
    error::Failure,
    varlena::{MakeOutput, Output, Plaintext, erase},
};

/// The database's encoding, of which a process has one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DatabaseEncoding {
    Utf8,
    /// Bytes without a meaning: only UTF-8 is sealed, and given back as it is.
    SqlAscii,
    Other,
}

fn database_encoding() -> DatabaseEncoding {
    static ENCODING: OnceLock<DatabaseEncoding> = OnceLock::new();
    // SAFETY: looks at a variable of this process, which is connected to its database when it exchanges values.
    *ENCODING.get_or_init(|| match unsafe { pg_sys::GetDatabaseEncoding() } {
        encoding if encoding == pg_enc::PG_UTF8 as c_int => DatabaseEncoding::Utf8,
        encoding if encoding == pg_enc::PG_SQL_ASCII as c_int => DatabaseEncoding::SqlAscii,
        _ => DatabaseEncoding::Other,
    })
}

/// Whether the database's encoding is one that text is converted from and to. Not remembered, for a setting may be checked
/// before the process is connected to its database.
pub fn is_converted() -> bool {
    // SAFETY: looks at a variable of this process.
    let encoding = unsafe { pg_sys::GetDatabaseEncoding() };
    encoding != pg_enc::PG_UTF8 as c_int && encoding != pg_enc::PG_SQL_ASCII as c_int
}

/// Calls `f` with the UTF-8 of a text in the database's encoding.
///
/// # Errors
/// [`Failure::NotText`] when it is none; those of `f`.
pub fn with_utf8<T>(text: &[u8], f: impl FnOnce(&[u8]) -> Result<T, Failure>) -> Result<T, Failure> {
    match database_encoding() {
        // PostgreSQL has checked it.
        DatabaseEncoding::Utf8 => f(text),
        DatabaseEncoding::SqlAscii => match core::str::from_utf8(text) {
            Ok(_) => f(text),
            Err(_) => Err(Failure::NotText),
        },
        DatabaseEncoding::Other => {
            let converted = convert(text, pg_sys::pg_server_to_any, Failure::NotText)?;
            f(converted.bytes_of(text))
        }
    }
}

/// Writes UTF-8 in the database's encoding: `fill` writes the UTF-8, `utf8_len` bytes of it, and `make` makes a result
/// of a given length.
///
/// # Errors
/// [`Failure::NotRepresentable`] when the encoding lacks a character; those of `fill`.
pub fn from_utf8(
    utf8_len: usize,
    make: MakeOutput,
    fill: impl FnOnce(&mut [u8]) -> Result<(), Failure>,
) -> Result<Output, Failure> {
    if database_encoding() != DatabaseEncoding::Other {
        let mut output = make(utf8_len)?;
        fill(output.bytes())?;
        return Ok(output);
    }
    // A C string, for the conversion reads one.
    let mut utf8 = Plaintext::new(Output::cstring(utf8_len)?);
    fill(utf8.bytes())?;
    let text = &*utf8.bytes();
    let converted = convert(text, pg_sys::pg_any_to_server, Failure::NotRepresentable)?;
    let bytes = converted.bytes_of(text);
    let mut output = make(bytes.len())?;
    output.bytes().copy_from_slice(bytes);
    Ok(output)
}

/// Checks text that a client sent in UTF-8 to a database in UTF-8, where PostgreSQL's own check would print the bytes it
/// refuses. False when either has another encoding.
///
/// # Errors
/// [`Failure::NotText`].
pub fn check_utf8_from_client(bytes: &[u8]) -> Result<bool, Failure> {
    // SAFETY: looks at a variable of this process.
    let client = unsafe { pg_sys::pg_get_client_encoding() };
    if database_encoding() != DatabaseEncoding::Utf8 || client != pg_enc::PG_UTF8 as c_int {
        return Ok(false);
    }
    match core::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(true),
        _ => Err(Failure::NotText),
    }
}

/// The outcome of a conversion: a text, so it is erased when it is dropped.
enum Converted {
    /// There was nothing to do.
    Same,
    /// In memory that PostgreSQL allocated for it, which lives until its memory context is reset, after the call.
    New { start: *mut u8, len: usize },
}

impl Converted {
    const fn bytes_of<'a>(&'a self, original: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Same => original,
            // SAFETY: so many bytes, which only self refers to.
            Self::New { start, len } => unsafe { slice::from_raw_parts(*start, *len) },
        }
    }
}

impl Drop for Converted {
    fn drop(&mut self) {
        if let Self::New { start, len } = self {
            // SAFETY: as above.
            unsafe { erase(*start, *len) };
        }
    }
}

/// Converts between UTF-8 and the database's encoding. PostgreSQL's error would quote the plaintext, so `failure` takes
/// its place.
fn convert(
    text: &[u8],
    conversion: unsafe fn(*const core::ffi::c_char, c_int, c_int) -> *mut core::ffi::c_char,
    failure: Failure,
) -> Result<Converted, Failure> {
    let Ok(len) = c_int::try_from(text.len()) else { return Err(Failure::Core(cordon_core::Error::TooLong)) };
    let start = text.as_ptr().cast();
    // SAFETY: `start` and `len` are those of a slice. The conversion returns its argument or a new C string.
    // What else goes wrong, as cancellation or memory that runs out, says so itself.
    let converted = PgTryBuilder::new(|| Some(unsafe { conversion(start, len, pg_enc::PG_UTF8 as c_int) }))
        .catch_when(PgSqlErrorCode::ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, |_| None)
        .catch_when(PgSqlErrorCode::ERRCODE_UNTRANSLATABLE_CHARACTER, |_| None)
        .execute();
    match converted {
        None => Err(failure),
        Some(same) if same.cast_const() == start => Ok(Converted::Same),
        Some(new) => {
            // SAFETY: a new C string.
            let len = unsafe { core::ffi::CStr::from_ptr(new) }.count_bytes();
            Ok(Converted::New { start: new.cast(), len })
        }
    }
}
