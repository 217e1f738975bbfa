//! The encrypted types. One implementation, and a declaration for each.

use cordon_core::{Envelope, Error, Kind, Scope, TenantId, envelope, stored_form};
use pgrx::pg_sys::Datum;

use crate::{
    c_functions,
    pg::{
        array,
        comparison::{self, Comparable},
        encoding,
        error::Failure,
        fmgr::Args,
        inspection, literals, log, message,
        sealed_types::{SealedType, holds_sealed, sealed_kind},
        sealing, statistics, tenant,
        text_form::{self, Origin},
        varlena::{MakeOutput, Output},
    },
};

/// The functions of a type: their names begin with the type's.
macro_rules! type_functions {
    ($type:ty: $in:ident $out:ident $recv:ident $send:ident $from_text:ident $to_text:ident) => {
        c_functions! {
            $in => input::<$type>;
            $out => output::<$type>;
            $recv => receive::<$type>;
            $send => send::<$type>;
            $from_text => from_text::<$type>;
            $to_text => to_text::<$type>;
        }
    };
}

type_functions! { TenantBound: encrypted_text_in encrypted_text_out encrypted_text_recv
encrypted_text_send encrypted_text_from_text encrypted_text_to_text }
type_functions! { Shared: shared_encrypted_text_in shared_encrypted_text_out shared_encrypted_text_recv
shared_encrypted_text_send shared_encrypted_text_from_text shared_encrypted_text_to_text }
type_functions! { TenantBoundEq: encrypted_text_eq_in encrypted_text_eq_out encrypted_text_eq_recv
encrypted_text_eq_send encrypted_text_eq_from_text encrypted_text_eq_to_text }
type_functions! { SharedEq: shared_encrypted_text_eq_in shared_encrypted_text_eq_out shared_encrypted_text_eq_recv
shared_encrypted_text_eq_send shared_encrypted_text_eq_from_text shared_encrypted_text_eq_to_text }

c_functions! {
    encrypted_text_encrypt => encrypt_for_tenant::<TenantBound>;
    encrypted_text_decrypt => decrypt_for_tenant::<TenantBound>;
    encrypted_text_eq_encrypt => encrypt_for_tenant::<TenantBoundEq>;
    encrypted_text_eq_decrypt => decrypt_for_tenant::<TenantBoundEq>;
    shared_encrypted_text_encrypt => encrypt_shared::<Shared>;
    shared_encrypted_text_decrypt => decrypt_shared::<Shared>;
    shared_encrypted_text_eq_encrypt => encrypt_shared::<SharedEq>;
    shared_encrypted_text_eq_decrypt => decrypt_shared::<SharedEq>;

    encrypted_text_to_eq => convert::<TenantBound, TenantBoundEq>;
    encrypted_text_eq_to_plain => convert::<TenantBoundEq, TenantBound>;
    shared_encrypted_text_to_eq => convert::<Shared, SharedEq>;
    shared_encrypted_text_eq_to_plain => convert::<SharedEq, Shared>;

    encrypted_text_eq_from_text_array => from_text_array::<TenantBoundEq>;
    shared_encrypted_text_eq_from_text_array => from_text_array::<SharedEq>;

    encrypted_value_key_id => key_id;
    encrypted_value_search_key_id => search_key_id;
    encrypted_value_eq => comparison::eq::<Compared>;
    encrypted_value_ne => comparison::ne::<Compared>;
    encrypted_value_lt => comparison::lt::<Compared>;
    encrypted_value_le => comparison::le::<Compared>;
    encrypted_value_gt => comparison::gt::<Compared>;
    encrypted_value_ge => comparison::ge::<Compared>;
    encrypted_value_cmp => comparison::cmp::<Compared>;
    encrypted_value_sort_support => comparison::sort_support::<Compared>;
    encrypted_value_hash => comparison::hash::<Compared>;
    encrypted_value_hash_extended => comparison::hash_extended::<Compared>;

    encrypted_value_typanalyze => analyze;
    sealed_statistic_in => read_statistic;
    sealed_statistic_out => print_statistic;
    sealed_statistic_send => send_statistic;

    cordon_sealed_kind => sealed_base;
    cordon_contains_sealed => contains_sealed;
    cordon_is_shared_type => is_shared_type;
    cordon_has_equality => has_equality;

    cordon_refuse_concatenation => refuse_concatenation;
    cordon_tree_converts => tree_converts;
    cordon_tree_has_implicit_plaintext => tree_has_implicit_plaintext;
}

/// By these everything knows the types.
pub static SEALED_TYPES: &[SealedType] = &[
    (encrypted_text_in, Kind::Tenant),
    (shared_encrypted_text_in, Kind::Shared),
    (encrypted_text_eq_in, Kind::TenantEq),
    (shared_encrypted_text_eq_in, Kind::SharedEq),
];

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

/// `encrypted_text_eq`.
struct TenantBoundEq;

/// `shared_encrypted_text_eq`.
struct SharedEq;

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

impl EncryptedType for TenantBoundEq {
    const KIND: Kind = Kind::TenantEq;

    fn scope() -> Result<Scope<'static>, Failure> {
        TenantBound::scope()
    }
}

impl EncryptedType for SharedEq {
    const KIND: Kind = Kind::SharedEq;

    fn scope() -> Result<Scope<'static>, Failure> {
        Shared::scope()
    }
}

/// Both types with equality, which are compared by their search tags.
struct Compared;

impl Comparable for Compared {
    const PREFIX: usize = envelope::COMPARED_LEN;

    fn key(value: &[u8]) -> [&[u8]; 2] {
        [envelope::comparison_key(value), &[]]
    }
}

fn input<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    literals::note_input()?;
    parse::<T>(args.cstring(0), args.origin()).map(Output::into_datum)
}

fn output<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    print::<T>(args.varlena(0).as_bytes(), Output::cstring).map(Output::into_datum)
}

fn receive<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    message::with_text(args.message(0), |text| parse::<T>(text, args.origin())).map(Output::into_datum)
}

fn send<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    print::<T>(args.varlena(0).as_bytes(), Output::varlena).and_then(message::to_client).map(Output::into_datum)
}

fn from_text<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    parse::<T>(args.varlena(0).as_bytes(), Origin::Expression).map(Output::into_datum)
}

/// The cast from text[]. PostgreSQL could do without it, by the cast of each element; but that it takes for leaky, and
/// uses no index under row security.
fn from_text_array<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    array::map_text(args.array(0), args.element_of_result(), |text| parse::<T>(text, Origin::Expression))
}

fn to_text<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    print::<T>(args.varlena(0).as_bytes(), Output::varlena).map(Output::into_datum)
}

/// The cast between a type and its sibling with or without equality. The search tag is authenticated with the value, so
/// it is sealed anew.
fn convert<From: EncryptedType, To: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    log::note_secret();
    let scope = From::scope()?;
    let mut text = sealing::plaintext(From::KIND, scope, args.varlena(0).as_bytes())?;
    sealing::seal(To::KIND, scope, text.bytes()).map(Output::into_datum)
}

/// `cordon.encrypt(text, tenant text)`. Not STRICT: a row without a tenant must not lose its plaintext to a NULL.
fn encrypt_for_tenant<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    log::note_secret();
    if args.is_null(0) {
        return Ok(args.null());
    }
    let tenant = explicit_tenant(&args)?;
    sealing::seal(T::KIND, Scope::Tenant(&tenant), args.varlena(0).as_bytes()).map(Output::into_datum)
}

/// `cordon.decrypt(encrypted_text, tenant text)`. Not STRICT either.
fn decrypt_for_tenant<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    log::note_secret();
    if args.is_null(0) {
        return Ok(args.null());
    }
    let tenant = explicit_tenant(&args)?;
    sealing::open(T::KIND, Scope::Tenant(&tenant), args.varlena(0).as_bytes(), Output::varlena).map(Output::into_datum)
}

/// `cordon.encrypt(text)`
fn encrypt_shared<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    log::note_secret();
    sealing::seal(T::KIND, Scope::Shared, args.varlena(0).as_bytes()).map(Output::into_datum)
}

/// `cordon.decrypt(shared_encrypted_text)`
fn decrypt_shared<T: EncryptedType>(args: Args) -> Result<Datum, Failure> {
    log::note_secret();
    sealing::open(T::KIND, Scope::Shared, args.varlena(0).as_bytes(), Output::varlena).map(Output::into_datum)
}

/// `cordon_internal.sealed_kind(type oid)`: the sealed type that a type is, also as a domain; else NULL.
fn sealed_base(args: Args) -> Result<Datum, Failure> {
    Ok(sealed_kind(args.oid(0)).map_or_else(|| args.null(), |(_, base)| Datum::from(base)))
}

/// `cordon_internal.contains_sealed(type oid)`: whether values of the type are sealed or hold sealed ones.
fn contains_sealed(args: Args) -> Result<Datum, Failure> {
    Ok(Datum::from(holds_sealed(args.oid(0))))
}

/// `cordon_internal.is_shared_type(type oid)`: whether values of a sealed type are sealed for the database; else NULL.
fn is_shared_type(args: Args) -> Result<Datum, Failure> {
    Ok(sealed_kind(args.oid(0)).map_or_else(|| args.null(), |(kind, _)| Datum::from(kind.is_shared())))
}

/// `cordon_internal.has_equality(type oid)`: whether values of a sealed type can be compared; else NULL.
fn has_equality(args: Args) -> Result<Datum, Failure> {
    Ok(sealed_kind(args.oid(0)).map_or_else(|| args.null(), |(kind, _)| Datum::from(kind.has_equality())))
}

/// `cordon_internal.tree_converts(pg_node_tree)`: whether it seals, opens, or compares a sealed value with text.
fn tree_converts(args: Args) -> Result<Datum, Failure> {
    Ok(Datum::from(inspection::inspect_argument(&args, 0).has_conversion))
}

/// `cordon_internal.tree_has_implicit_plaintext(pg_node_tree)`: whether a sealed value becomes plaintext unasked.
fn tree_has_implicit_plaintext(args: Args) -> Result<Datum, Failure> {
    Ok(Datum::from(inspection::inspect_argument(&args, 0).has_implicit_plaintext))
}

/// The operators `||`, in which PostgreSQL would otherwise open the value unasked. Views of before are restored, and fail when
/// they are used.
fn refuse_concatenation(_: Args) -> Result<Datum, Failure> {
    Err(Failure::ImplicitPlaintext)
}

/// `cordon.key_id(encrypted_text)` and its overloads. Needs neither key nor tenant.
fn key_id(args: Args) -> Result<Datum, Failure> {
    let id = Envelope::parse(args.varlena(0).as_bytes())?.key_id();
    Ok(Datum::from(i64::from(id)))
}

/// `cordon.search_key_id(encrypted_text_eq)` and its overload.
fn search_key_id(args: Args) -> Result<Datum, Failure> {
    let id = Envelope::parse(args.varlena(0).as_bytes())?.search_key_id().ok_or(Error::Corrupted)?;
    Ok(Datum::from(i64::from(id)))
}

/// The types' ANALYZE function. Statistics hold values of the column; they are kept as values of
/// `cordon.sealed_statistic`, the same bytes in a type that shows the stored form alone, so that whoever reads pg_stats
/// needs no tenant and sees no plaintext.
fn analyze(args: Args) -> Result<Datum, Failure> {
    Ok(Datum::from(statistics::analyze_as(&args, c"sealed_statistic")))
}

/// `cordon.sealed_statistic` from the stored form, which is all that it is written in.
fn read_statistic(args: Args) -> Result<Datum, Failure> {
    let (body, len) = stored_form::body(args.cstring(0))?;
    let mut output = Output::varlena(len)?;
    let decode = |kind, out: &mut [u8]| stored_form::decode(body, kind, out);
    decode(Kind::TenantEq, output.bytes()).or_else(|_| decode(Kind::SharedEq, output.bytes()))?;
    Ok(output.into_datum())
}

fn print_statistic(args: Args) -> Result<Datum, Failure> {
    print_stored(args.varlena(0).as_bytes(), Output::cstring).map(Output::into_datum)
}

fn send_statistic(args: Args) -> Result<Datum, Failure> {
    print_stored(args.varlena(0).as_bytes(), Output::varlena).map(Output::into_datum)
}

/// A value from its text form in this session.
fn parse<T: EncryptedType>(text: &[u8], origin: Origin) -> Result<Output, Failure> {
    log::note_secret();
    if text_form::is_stored() {
        let (body, len) = stored_form::body(text)?;
        text_form::may_read_stored(origin)?;
        let mut output = Output::varlena(len)?;
        stored_form::decode(body, T::KIND, output.bytes())?;
        return Ok(output);
    }
    if text.starts_with(stored_form::PREFIX) {
        return Err(Error::UnexpectedStoredForm.into());
    }
    sealing::seal(T::KIND, T::scope()?, text)
}

/// The text form of a value in this session.
fn print<T: EncryptedType>(sealed: &[u8], make: MakeOutput) -> Result<Output, Failure> {
    if text_form::is_stored() {
        return print_stored(sealed, make);
    }
    log::note_secret();
    sealing::open(T::KIND, T::scope()?, sealed, make)
}

fn print_stored(sealed: &[u8], make: MakeOutput) -> Result<Output, Failure> {
    let mut output = make(stored_form::encoded_len(sealed.len()))?;
    stored_form::encode(sealed, output.bytes())?;
    Ok(output)
}

/// The second argument, in UTF-8 whatever the database's encoding, as the setting is.
fn explicit_tenant(args: &Args) -> Result<TenantId, Failure> {
    if args.is_null(1) {
        return Err(Failure::Null("tenant"));
    }
    encoding::with_utf8(args.varlena(1).as_bytes(), |spelling| TenantId::parse(spelling).map_err(Failure::Tenant))
}
