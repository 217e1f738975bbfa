//! The encrypted types. One implementation, and a declaration for each.

use cordon_core::{Envelope, Error, Kind, Scope, TenantId, stored_form};
use pgrx::pg_sys::Datum;

use crate::{
    c_functions,
    pg::{
        encoding,
        error::Failure,
        fmgr::Args,
        literals::{self, InputFunction},
        log, message, sealing, tenant, text_form,
        varlena::{MakeOutput, Output},
    },
};

c_functions! {
    encrypted_text_in => input::<TenantBound>;
    encrypted_text_out => output::<TenantBound>;
    encrypted_text_recv => receive::<TenantBound>;
    encrypted_text_send => send::<TenantBound>;
    encrypted_text_from_text => from_text::<TenantBound>;
    encrypted_text_to_text => to_text::<TenantBound>;
    encrypted_text_encrypt => encrypt_for_tenant;
    encrypted_text_decrypt => decrypt_for_tenant;

    shared_encrypted_text_in => input::<Shared>;
    shared_encrypted_text_out => output::<Shared>;
    shared_encrypted_text_recv => receive::<Shared>;
    shared_encrypted_text_send => send::<Shared>;
    shared_encrypted_text_from_text => from_text::<Shared>;
    shared_encrypted_text_to_text => to_text::<Shared>;
    shared_encrypted_text_encrypt => encrypt_shared;
    shared_encrypted_text_decrypt => decrypt_shared;

    encrypted_value_key_id => key_id;
}

/// By these the literal rule knows the types.
pub static INPUT_FUNCTIONS: &[InputFunction] = &[encrypted_text_in, shared_encrypted_text_in];

/// What distinguishes one encrypted type from another.
trait EncryptedType {
    /// What its values are sealed as.
    const KIND: Kind;

    /// Whom its values are sealed for in this session.
    fn scope() -> Result<Scope<'static>, Failure>;
}

/// `encrypted_text`.
struct TenantBound;

/// `shared_encrypted_text`.
struct Shared;

impl EncryptedType for TenantBound {
    const KIND: Kind = Kind::Tenant;

    fn scope() -> Result<Scope<'static>, Failure> {
        tenant::require().map(|tenant| Scope::Tenant(&tenant.id))
    }
}

impl EncryptedType for Shared {
    const KIND: Kind = Kind::Shared;

    fn scope() -> Result<Scope<'static>, Failure> {
        Ok(Scope::Shared)
    }
}

fn input<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    literals::note_input();
    parse::<T>(args.cstring(0)).map(Output::into_datum)
}

fn output<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    print::<T>(args.varlena(0).as_bytes(), Output::cstring).map(Output::into_datum)
}

fn receive<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    message::with_text(args.message(0), parse::<T>).map(Output::into_datum)
}

fn send<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    print::<T>(args.varlena(0).as_bytes(), Output::varlena).and_then(message::to_client).map(Output::into_datum)
}

fn from_text<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    parse::<T>(args.varlena(0).as_bytes()).map(Output::into_datum)
}

fn to_text<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    print::<T>(args.varlena(0).as_bytes(), Output::varlena).map(Output::into_datum)
}

/// `cordon.encrypt(text, tenant text)`. Not STRICT: a row without a tenant must not lose its plaintext to a NULL.
fn encrypt_for_tenant(args: Args) -> Result<Datum, Failure> {
    if args.is_null(0) {
        return Ok(args.null());
    }
    let tenant = explicit_tenant(&args)?;
    sealing::seal(Scope::Tenant(&tenant), args.varlena(0).as_bytes()).map(Output::into_datum)
}

/// `cordon.decrypt(encrypted_text, tenant text)`. Not STRICT either.
fn decrypt_for_tenant(args: Args) -> Result<Datum, Failure> {
    if args.is_null(0) {
        return Ok(args.null());
    }
    let tenant = explicit_tenant(&args)?;
    sealing::open(Scope::Tenant(&tenant), args.varlena(0).as_bytes(), Output::varlena).map(Output::into_datum)
}

/// `cordon.encrypt(text)`
fn encrypt_shared(args: Args) -> Result<Datum, Failure> {
    sealing::seal(Scope::Shared, args.varlena(0).as_bytes()).map(Output::into_datum)
}

/// `cordon.decrypt(shared_encrypted_text)`
fn decrypt_shared(args: Args) -> Result<Datum, Failure> {
    sealing::open(Scope::Shared, args.varlena(0).as_bytes(), Output::varlena).map(Output::into_datum)
}

/// `cordon.key_id(encrypted_text)` and its overloads. Needs neither key nor tenant.
fn key_id(args: Args) -> Result<Datum, Failure> {
    let id = Envelope::parse(args.varlena(0).as_bytes())?.key_id();
    Ok(Datum::from(i64::from(id)))
}

/// A value from its text form in this session.
fn parse<T: EncryptedType>(text: &[u8]) -> Result<Output, Failure> {
    log::note_secret();
    if text_form::is_stored() {
        let (body, len) = stored_form::body(text)?;
        let mut output = Output::varlena(len)?;
        stored_form::decode(body, T::KIND, output.bytes())?;
        return Ok(output);
    }
    if text.starts_with(stored_form::PREFIX) {
        return Err(Error::UnexpectedStoredForm.into());
    }
    sealing::seal(T::scope()?, text)
}

/// The text form of a value in this session.
fn print<T: EncryptedType>(sealed: &[u8], make: MakeOutput) -> Result<Output, Failure> {
    if text_form::is_stored() {
        let mut output = make(stored_form::encoded_len(sealed.len()))?;
        stored_form::encode(sealed, output.bytes())?;
        return Ok(output);
    }
    sealing::open(T::scope()?, sealed, make)
}

/// The second argument, in UTF-8 whatever the database's encoding, as the setting is.
fn explicit_tenant(args: &Args) -> Result<TenantId, Failure> {
    if args.is_null(1) {
        return Err(Failure::Null("tenant"));
    }
    encoding::with_utf8(args.varlena(1).as_bytes(), |spelling| TenantId::parse(spelling).map_err(Failure::Tenant))
}
