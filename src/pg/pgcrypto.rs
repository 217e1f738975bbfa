//! Values that pgcrypto's `pgp_sym_encrypt` made, opened with pgcrypto's own library (`contrib/pgcrypto/pgp-pgsql.c`), so
//! that a passphrase never becomes a part of SQL. Not through the functions in the catalog: anybody may have made
//! others of the same name.

use core::{ffi::CStr, mem, ptr};

use cordon_core::{Error, Purpose};
use pgrx::{
    PgSqlErrorCode, PgTryBuilder,
    pg_sys::{self, Datum, Oid, PGFunction},
};

use super::{
    error::Failure,
    keys::with_keys,
    varlena::{Output, Plaintext, Varlena, erase},
};

/// Calls `f` with the text in a message of OpenPGP, which is armored when `is_text`. The passphrases of the keyring are
/// tried in order.
///
/// # Errors
/// [`Error::NotPgcrypto`], [`Error::NoKeyOpens`]; those of `f`.
pub fn with_text<T>(message: Datum, is_text: bool, f: impl FnOnce(&[u8]) -> Result<T, Failure>) -> Result<T, Failure> {
    let message =
        if is_text { attempt(c"pg_dearmor", [message, Datum::null()]).ok_or(Error::NotPgcrypto)? } else { message };
    let passphrases: Vec<_> = with_keys(|keys| {
        Ok::<_, Failure>(keys.keyring()?.usable_for(Purpose::Pgcrypto).map(|key| key.material.clone()).collect())
    })?;
    for passphrase in passphrases {
        let mut copy = Plaintext::new(Output::varlena(passphrase.expose().len())?);
        copy.bytes().copy_from_slice(passphrase.expose());
        let text = attempt(c"pgp_sym_decrypt_text", [message, copy.datum()]);
        drop(copy);
        if let Some(text) = text {
            // SAFETY: the function returns a text of its own, which lives until its memory context is reset.
            let text = Decrypted(unsafe { Varlena::detoast(text) });
            return f(text.0.as_bytes());
        }
    }
    Err(Error::NoKeyOpens(Purpose::Pgcrypto).into())
}

/// What pgcrypto made, which is erased when it is dropped.
struct Decrypted<'a>(Varlena<'a>);

impl Drop for Decrypted<'_> {
    fn drop(&mut self) {
        let text = self.0.as_bytes();
        // SAFETY: memory that pgcrypto allocated for this text, which nobody else refers to.
        unsafe { erase(text.as_ptr().cast_mut(), text.len()) };
    }
}

/// Whether the library can be loaded: an error of PostgreSQL's when not.
pub fn require() {
    function(c"pgp_sym_decrypt_text");
}

/// Calls a function of pgcrypto's in a subtransaction, which takes back what it leaves open when it fails. None when the
/// data is not to its liking.
fn attempt(name: &CStr, arguments: [Datum; 2]) -> Option<Datum> {
    let function = function(name);
    // SAFETY: a function of two arguments at most, varlenas both. The subtransaction is ended on both ways, in the memory
    // context and with the resource owner of before, as PL/pgSQL does for a block with an exception clause.
    unsafe {
        let (context, owner) = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let outcome = PgTryBuilder::new(|| {
            let result = pg_sys::DirectFunctionCall2Coll(function, Oid::INVALID, arguments[0], arguments[1]);
            pg_sys::ReleaseCurrentSubTransaction();
            Some(result)
        })
        .catch_when(PgSqlErrorCode::ERRCODE_EXTERNAL_ROUTINE_INVOCATION_EXCEPTION, |_| None)
        .catch_when(PgSqlErrorCode::ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, |_| None)
        .catch_when(PgSqlErrorCode::ERRCODE_UNTRANSLATABLE_CHARACTER, |_| None)
        .catch_when(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, |_| None)
        .execute();
        if outcome.is_none() {
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        outcome
    }
}

fn function(name: &CStr) -> PGFunction {
    // SAFETY: PostgreSQL looks the symbol up in its own library directory and raises an error when it is not there. It
    // is a function of the version-1 calling convention.
    unsafe {
        let found = pg_sys::load_external_function(c"$libdir/pgcrypto".as_ptr(), name.as_ptr(), true, ptr::null_mut());
        mem::transmute::<*mut core::ffi::c_void, PGFunction>(found)
    }
}
