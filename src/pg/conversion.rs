//! A column that is being converted into another: which columns, and what their values mean.

use core::ffi::{CStr, c_char};

use cordon_core::{
    Kind, Purpose, Scope, TenantId,
    fernet::{self, Age},
};
use pgrx::pg_sys::{self, Datum, Oid};

use super::{
    encoding,
    error::Failure,
    keys::with_keys,
    pgcrypto,
    row_trigger::Column,
    sealing,
    varlena::{Output, Varlena},
};

/// What the values of a column mean.
#[derive(Clone, Copy)]
pub enum Form {
    /// The text itself.
    Plain,
    /// Sealed values of one of the encrypted types.
    Sealed(Kind),
    /// Fernet tokens, no older than so many seconds.
    Fernet(Option<u64>),
    /// What pgcrypto's `pgp_sym_encrypt` made: bytea, or armored text.
    Pgcrypto,
}

/// The columns of a conversion by their names, as the arguments of its trigger hold them.
pub struct Conversion<'a> {
    /// The column that the application knows.
    pub source: &'a CStr,
    /// What it holds.
    pub from: Form,
    /// The column that is to take its place.
    pub target: &'a CStr,
    /// What that holds.
    pub to: Form,
    /// The column with the tenant of the row, if the values are bound to one.
    pub tenant: Option<&'a CStr>,
}

impl<'a> Conversion<'a> {
    /// Takes the arguments of a trigger: source, form, target, form, tenant, oldest age.
    ///
    /// # Errors
    /// [`Failure::NotConversion`].
    pub fn parse(arguments: &[&'a CStr]) -> Result<Self, Failure> {
        let &[source, from, target, to, tenant, max_age] = arguments else { return Err(Failure::NotConversion) };
        let max_age = match max_age.to_bytes() {
            [] => None,
            digits => Some(
                core::str::from_utf8(digits)
                    .ok()
                    .and_then(|digits| digits.parse().ok())
                    .ok_or(Failure::NotConversion)?,
            ),
        };
        let tenant = (!tenant.is_empty()).then_some(tenant);
        Ok(Self { source, from: Form::parse(from, max_age)?, target, to: Form::parse(to, None)?, tenant })
    }
}

impl Form {
    fn parse(name: &CStr, max_age: Option<u64>) -> Result<Self, Failure> {
        Ok(match name.to_bytes() {
            b"plaintext" => Self::Plain,
            b"encrypted_text" => Self::Sealed(Kind::Tenant),
            b"shared_encrypted_text" => Self::Sealed(Kind::Shared),
            b"encrypted_text_eq" => Self::Sealed(Kind::TenantEq),
            b"shared_encrypted_text_eq" => Self::Sealed(Kind::SharedEq),
            b"fernet" => Self::Fernet(max_age),
            b"pgcrypto" => Self::Pgcrypto,
            _ => return Err(Failure::NotConversion),
        })
    }

    /// Whether values are also made in this form.
    pub const fn is_written(self) -> bool {
        matches!(self, Self::Plain | Self::Sealed(_))
    }
}

/// The tenant of a row.
pub struct RowTenant(Option<TenantId>);

impl RowTenant {
    /// From the value of the tenant column; None when the conversion has none.
    ///
    /// # Errors
    /// [`Failure::Null`]; [`Failure::Tenant`].
    pub fn read(column: Option<(Column, Option<Datum>)>) -> Result<Self, Failure> {
        let Some((column, value)) = column else { return Ok(Self(None)) };
        let value = value.ok_or(Failure::Null("tenant"))?;
        let parse = |spelling: &[u8]| TenantId::parse(spelling).map_err(Failure::Tenant);
        with_printed(column, value, |text| encoding::with_utf8(text, parse)).map(|tenant| Self(Some(tenant)))
    }

    fn scope(&self, kind: Kind) -> Result<Scope<'_>, Failure> {
        match (kind, &self.0) {
            (Kind::Shared | Kind::SharedEq, _) => Ok(Scope::Shared),
            (_, Some(tenant)) => Ok(Scope::Tenant(tenant)),
            (_, None) => Err(Failure::Null("tenant")),
        }
    }
}

/// Calls `f` with the plaintext of a value, in the database's encoding.
///
/// # Errors
/// When the value cannot be read; those of `f`.
pub fn with_plaintext<T>(
    form: Form,
    column: Column,
    value: Datum,
    tenant: &RowTenant,
    f: impl FnOnce(&[u8]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match form {
        Form::Plain => with_printed(column, value, f),
        Form::Sealed(kind) => {
            // SAFETY: a value of an encrypted type.
            let sealed = unsafe { Varlena::detoast(value) };
            let mut text = sealing::open(kind, tenant.scope(kind)?, sealed.as_bytes(), Output::varlena)?;
            let outcome = f(text.bytes());
            text.bytes().fill(0);
            outcome
        }
        Form::Fernet(max_age) => {
            let plaintext = with_printed(column, value, |token| {
                let age = max_age.map(|max| Age { max, now: now() });
                with_keys(|keys| Ok(fernet::open(token, keys.keyring()?.usable_for(Purpose::Fernet), age)?))
            })?;
            match core::str::from_utf8(&plaintext) {
                Ok(text) if !text.contains('\0') => {}
                _ => return Err(Failure::NotText),
            }
            let copy = |out: &mut [u8]| {
                out.copy_from_slice(&plaintext);
                Ok(())
            };
            let mut text = encoding::from_utf8(plaintext.len(), Output::varlena, copy)?;
            let outcome = f(text.bytes());
            text.bytes().fill(0);
            outcome
        }
        Form::Pgcrypto => pgcrypto::with_text(value, column.base_type != pg_sys::BYTEAOID, f),
    }
}

/// A value of a column from plaintext in the database's encoding.
///
/// # Errors
/// When the value cannot be made; PostgreSQL's own when it does not fit the column's type.
pub fn write(form: Form, column: Column, plaintext: &[u8], tenant: &RowTenant) -> Result<Datum, Failure> {
    match form {
        Form::Sealed(kind) => sealing::seal(kind, tenant.scope(kind)?, plaintext).map(Output::into_datum),
        Form::Plain if column.base_type == pg_sys::TEXTOID => {
            let mut text = Output::varlena(plaintext.len())?;
            text.bytes().copy_from_slice(plaintext);
            Ok(text.into_datum())
        }
        Form::Plain => {
            let mut text = Output::cstring(plaintext.len())?;
            text.bytes().copy_from_slice(plaintext);
            let (mut function, mut parameter) = (Oid::INVALID, Oid::INVALID);
            // SAFETY: the input function of the column's type reads a C string.
            unsafe {
                pg_sys::getTypeInputInfo(column.base_type, &raw mut function, &raw mut parameter);
                let text = text.datum().cast_mut_ptr::<c_char>();
                Ok(pg_sys::OidInputFunctionCall(function, text, parameter, column.modifier))
            }
        }
        Form::Fernet(_) | Form::Pgcrypto => Err(Failure::NotConversion),
    }
}

/// Whether there is a key to read the form's values with.
///
/// # Errors
/// [`Failure::NoImportKey`]; those of the keyring; PostgreSQL's own when pgcrypto is not installed.
pub fn require_source(name: &CStr) -> Result<(), Failure> {
    let purpose = match Form::parse(name, None)? {
        Form::Plain | Form::Sealed(_) => return Ok(()),
        Form::Fernet(_) => Purpose::Fernet,
        Form::Pgcrypto => {
            pgcrypto::require();
            Purpose::Pgcrypto
        }
    };
    match with_keys(|keys| Ok::<_, Failure>(keys.keyring()?.usable_for(purpose).next().is_some()))? {
        true => Ok(()),
        false => Err(Failure::NoImportKey(purpose)),
    }
}

/// Calls `f` with the text form of a value; of bytea, with the bytes.
fn with_printed<T>(column: Column, value: Datum, f: impl FnOnce(&[u8]) -> Result<T, Failure>) -> Result<T, Failure> {
    if [pg_sys::TEXTOID, pg_sys::VARCHAROID, pg_sys::BYTEAOID].contains(&column.base_type) {
        // SAFETY: values of these types are varlenas.
        return f(unsafe { Varlena::detoast(value) }.as_bytes());
    }
    let (mut function, mut is_varlena) = (Oid::INVALID, false);
    // SAFETY: the output function of the value's type returns a C string.
    let text = unsafe {
        pg_sys::getTypeOutputInfo(column.base_type, &raw mut function, &raw mut is_varlena);
        CStr::from_ptr(pg_sys::OidOutputFunctionCall(function, value))
    };
    f(text.to_bytes())
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}
