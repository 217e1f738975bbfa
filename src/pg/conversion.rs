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
    sealed_types::sealed_kind,
    sealing,
    table::column::{Column, TenantColumn},
    varlena::{Output, Plaintext, Varlena},
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
pub struct Definition<'a> {
    /// The column that the application knows.
    pub source: &'a CStr,
    from: Form,
    target: &'a CStr,
    to: Form,
    tenant: Option<&'a CStr>,
}

impl<'a> Definition<'a> {
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

    /// Finds the columns, and sees that each is of a type that its form can be in: a name may be another column's by now.
    ///
    /// # Errors
    /// [`Failure::NoColumn`], [`Failure::OtherType`], [`Failure::NotTenantColumn`].
    ///
    /// # Safety
    /// `columns` must be those of an open relation.
    pub unsafe fn bind(&self, columns: pg_sys::TupleDesc) -> Result<Conversion, Failure> {
        // SAFETY: by this function's contract.
        let find = |name| unsafe { Column::find(columns, name) };
        Ok(Conversion {
            source: FormedColumn::new(find(self.source)?, self.from, self.source)?,
            target: FormedColumn::new(find(self.target)?, self.to, self.target)?,
            tenant: self.tenant.map(|name| TenantColumn::new(find(name)?)).transpose()?,
        })
    }
}

/// A conversion whose columns have been found, and are of the types that they ought to be.
pub struct Conversion {
    /// The column that the application knows.
    pub source: FormedColumn,
    /// The column that is to take its place.
    pub target: FormedColumn,
    /// The column with the tenant of the row, if the values are bound to one.
    pub tenant: Option<TenantColumn>,
}

impl Conversion {
    /// The tenant of a row, if the values are bound to one.
    ///
    /// # Errors
    /// Those of [`TenantColumn::tenant`].
    ///
    /// # Safety
    /// `value` must give the value of a column of the row.
    pub unsafe fn tenant(&self, value: impl FnOnce(i16) -> Option<Datum>) -> Result<RowTenant, Failure> {
        // SAFETY: by this function's contract.
        let tenant = self.tenant.map(|column| unsafe { column.tenant(value(column.number())) }).transpose()?;
        Ok(RowTenant(tenant))
    }

    /// The value of the target for a value of the source.
    ///
    /// # Errors
    /// When the value cannot be read or not be written.
    ///
    /// # Safety
    /// `value` must be of the source's column.
    pub unsafe fn forward(&self, value: Datum, tenant: &RowTenant) -> Result<Datum, Failure> {
        // SAFETY: by this function's contract.
        unsafe { self.source.with_plaintext(value, tenant, |plaintext| self.target.write(plaintext, tenant)) }
    }

    /// The value of the source for a value of the target; None where the source's form cannot be written.
    ///
    /// # Errors
    /// As [`Self::forward`].
    ///
    /// # Safety
    /// `value` must be of the target's column.
    pub unsafe fn backward(&self, value: Datum, tenant: &RowTenant) -> Result<Option<Datum>, Failure> {
        if !self.source.form.is_written() {
            return Ok(None);
        }
        // SAFETY: by this function's contract.
        unsafe { self.target.with_plaintext(value, tenant, |plaintext| self.source.write(plaintext, tenant)).map(Some) }
    }

    /// Whether the columns say the same.
    ///
    /// # Errors
    /// As [`Self::forward`].
    ///
    /// # Safety
    /// The values must be of the columns of one row.
    pub unsafe fn agree(&self, from: Datum, to: Datum, tenant: &RowTenant) -> Result<bool, Failure> {
        // SAFETY: by this function's contract.
        unsafe {
            self.target.with_plaintext(to, tenant, |new| {
                if self.source.with_plaintext(from, tenant, |old| Ok(old == new))? {
                    return Ok(true);
                }
                if !self.source.form.is_written() {
                    return Ok(false);
                }
                // A value of json or varchar(n) may be spelled in another way than it was written.
                let again = self.source.write(new, tenant)?;
                self.source.with_plaintext(again, tenant, |again| {
                    self.source.with_plaintext(from, tenant, |old| Ok(old == again))
                })
            })
        }
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

    fn fits(self, base_type: Oid) -> bool {
        const PLAIN: [Oid; 5] =
            [pg_sys::TEXTOID, pg_sys::VARCHAROID, pg_sys::JSONOID, pg_sys::JSONBOID, pg_sys::UUIDOID];
        match self {
            Self::Plain => PLAIN.contains(&base_type),
            Self::Sealed(kind) => sealed_kind(base_type).is_some_and(|(found, _)| found == kind),
            Self::Fernet(_) | Self::Pgcrypto => {
                [pg_sys::TEXTOID, pg_sys::VARCHAROID, pg_sys::BYTEAOID].contains(&base_type)
            }
        }
    }
}

/// The tenant of a row.
pub struct RowTenant(Option<TenantId>);

impl RowTenant {
    fn scope(&self, kind: Kind) -> Result<Scope<'_>, Failure> {
        match (kind, &self.0) {
            (Kind::Shared | Kind::SharedEq, _) => Ok(Scope::Shared),
            (_, Some(tenant)) => Ok(Scope::Tenant(tenant)),
            (_, None) => Err(Failure::Null("tenant")),
        }
    }
}

/// A column of a type that its form can be in.
pub struct FormedColumn {
    column: Column,
    form: Form,
}

impl FormedColumn {
    fn new(column: Column, form: Form, name: &CStr) -> Result<Self, Failure> {
        if form.fits(column.base_type) {
            Ok(Self { column, form })
        } else {
            Err(Failure::OtherType(name.to_string_lossy().into_owned()))
        }
    }

    /// The column.
    pub const fn column(&self) -> Column {
        self.column
    }

    /// What its values mean.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Calls `f` with the plaintext of a value, in the database's encoding.
    ///
    /// # Errors
    /// When the value cannot be read; those of `f`.
    ///
    /// # Safety
    /// `value` must be this column's.
    pub unsafe fn with_plaintext<T>(
        &self,
        value: Datum,
        tenant: &RowTenant,
        f: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match self.form {
            // SAFETY: by this function's contract.
            Form::Plain => unsafe { self.with_printed(value, f) },
            Form::Sealed(kind) => {
                // SAFETY: by this function's contract, and by `new` of the encrypted type.
                let sealed = unsafe { Varlena::detoast(value) };
                f(sealing::plaintext(kind, tenant.scope(kind)?, sealed.as_bytes())?.bytes())
            }
            Form::Fernet(max_age) => {
                // SAFETY: by this function's contract.
                let plaintext = unsafe {
                    self.with_printed(value, |token| {
                        let age = max_age.map(|max| Age { max, now: now() });
                        with_keys(|keys| Ok(fernet::open(token, keys.keyring()?.usable_for(Purpose::Fernet), age)?))
                    })?
                };
                match core::str::from_utf8(&plaintext) {
                    Ok(text) if !text.contains('\0') => {}
                    _ => return Err(Failure::NotText),
                }
                let copy = |out: &mut [u8]| {
                    out.copy_from_slice(&plaintext);
                    Ok(())
                };
                let mut text = Plaintext::new(encoding::from_utf8(plaintext.len(), Output::varlena, copy)?);
                f(text.bytes())
            }
            Form::Pgcrypto => pgcrypto::with_text(value, self.column.base_type != pg_sys::BYTEAOID, f),
        }
    }

    /// A value of the column from plaintext in the database's encoding.
    ///
    /// # Errors
    /// When the value cannot be made; PostgreSQL's own when it does not fit the column's type.
    pub fn write(&self, plaintext: &[u8], tenant: &RowTenant) -> Result<Datum, Failure> {
        match self.form {
            Form::Sealed(kind) => sealing::seal(kind, tenant.scope(kind)?, plaintext).map(Output::into_datum),
            Form::Plain if self.column.base_type == pg_sys::TEXTOID => {
                let mut text = Output::varlena(plaintext.len())?;
                text.bytes().copy_from_slice(plaintext);
                Ok(text.into_datum())
            }
            Form::Plain => {
                let mut text = Plaintext::new(Output::cstring(plaintext.len())?);
                text.bytes().copy_from_slice(plaintext);
                let (mut function, mut parameter) = (Oid::INVALID, Oid::INVALID);
                // SAFETY: the input function of the column's type, one of PostgreSQL's own, reads a C string.
                unsafe {
                    pg_sys::getTypeInputInfo(self.column.base_type, &raw mut function, &raw mut parameter);
                    let text = text.datum().cast_mut_ptr::<c_char>();
                    Ok(pg_sys::OidInputFunctionCall(function, text, parameter, self.column.modifier))
                }
            }
            Form::Fernet(_) | Form::Pgcrypto => Err(Failure::NotConversion),
        }
    }

    /// Calls `f` with the text form of a value; of bytea, with the bytes.
    ///
    /// # Safety
    /// `value` must be this column's, and not sealed.
    unsafe fn with_printed<T>(&self, value: Datum, f: impl FnOnce(&[u8]) -> Result<T, Failure>) -> Result<T, Failure> {
        if [pg_sys::TEXTOID, pg_sys::VARCHAROID, pg_sys::BYTEAOID].contains(&self.column.base_type) {
            // SAFETY: by this function's contract; values of these types are varlenas.
            return f(unsafe { Varlena::detoast(value) }.as_bytes());
        }
        let (mut function, mut is_varlena) = (Oid::INVALID, false);
        // SAFETY: the output function of the value's type, one of PostgreSQL's own, returns a C string.
        let text = unsafe {
            pg_sys::getTypeOutputInfo(self.column.base_type, &raw mut function, &raw mut is_varlena);
            CStr::from_ptr(pg_sys::OidOutputFunctionCall(function, value))
        };
        f(text.to_bytes())
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

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}
