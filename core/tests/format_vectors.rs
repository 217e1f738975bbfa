//! The test vectors of `docs/FORMAT.md`, whose bytes come from another implementation: `format_vectors.py`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::HashMap;

use cordon_core::{
    Envelope, Error, KeyId, Keyring, Kind, MacKey, Purpose, Scope, SearchTag, Subkey, TenantId, TokenHash, envelope,
    stored_form, token,
};
use serde::Deserialize;

const DOCUMENT: &str = include_str!("../../docs/FORMAT.md");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    keyring: serde_json::Value,
    fingerprints: HashMap<KeyId, String>,
    values: Vec<Value>,
    refused_values: Vec<RefusedValue>,
    refused_texts: Vec<RefusedText>,
    tokens: Vec<Token>,
    check_digits: Vec<CheckDigits>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    name: String,
    key_id: KeyId,
    purpose: String,
    token: String,
    #[serde(with = "hex")]
    hash: Vec<u8>,
    text: String,
    sha256: String,
    #[serde(with = "hex")]
    hash_of_sha256: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckDigits {
    token: String,
    ok: bool,
}

/// `info` and `subkey` never leave the crate; the script checks them, and `message_key`.
#[derive(Deserialize)]
struct Value {
    name: String,
    key_id: KeyId,
    tenant: Option<String>,
    #[serde(with = "hex")]
    nonce: cordon_core::Nonce,
    plaintext: String,
    search_key_id: Option<KeyId>,
    #[serde(with = "hex")]
    check: [u8; 4],
    #[serde(with = "hex")]
    sealed: Vec<u8>,
    stored: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusedValue {
    name: String,
    tenant: Option<String>,
    #[serde(with = "hex")]
    sealed: Vec<u8>,
    error: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusedText {
    name: String,
    text: String,
    error: String,
}

fn vectors() -> Vectors {
    let (_, block) = DOCUMENT.split_once("\n```json\n").expect("the document has a block of vectors");
    let (json, rest) = block.split_once("\n```\n").expect("the block ends");
    assert!(!rest.contains("```json"), "the document has one block of vectors");
    serde_json::from_str(json).expect("the block is JSON")
}

fn keyring(vectors: &Vectors) -> Keyring {
    Keyring::parse(vectors.keyring.to_string().as_bytes()).expect("the vectors' keyring is valid")
}

/// Calls `with` with the scope of a tenant, or the shared one.
fn in_scope<T>(tenant: Option<&str>, with: impl FnOnce(Scope<'_>) -> T) -> T {
    match tenant {
        Some(spelling) => with(Scope::Tenant(&common::tenant(spelling))),
        None => with(Scope::Shared),
    }
}

fn kind(tenant: Option<&str>, has_equality: bool) -> Kind {
    match (tenant, has_equality) {
        (Some(_), false) => Kind::Tenant,
        (None, false) => Kind::Shared,
        (Some(_), true) => Kind::TenantEq,
        (None, true) => Kind::SharedEq,
    }
}

impl Value {
    fn kind(&self) -> Kind {
        kind(self.tenant.as_deref(), self.search_key_id.is_some())
    }
}

/// The steps that the document prescribes to a reader.
fn read(sealed: &[u8], ring: &Keyring, tenant: Option<&str>, kind: Kind) -> Result<Vec<u8>, Error> {
    in_scope(tenant, |scope| {
        let envelope = Envelope::parse(sealed)?;
        if envelope.kind() != kind {
            return Err(Error::Corrupted);
        }
        let root = ring.usable(envelope.key_id(), Purpose::Encryption)?;
        common::open(sealed, &Subkey::derive(root, scope))
    })
}

fn decode_stored(text: &str, kind: Kind) -> Result<Vec<u8>, Error> {
    let (body, len) = stored_form::body(text.as_bytes())?;
    let mut bytes = vec![0; len];
    stored_form::decode(body, kind, &mut bytes).map(|()| bytes)
}

/// The document's name of an error.
fn name(error: Error) -> &'static str {
    match error {
        Error::Corrupted => "altered",
        Error::UnknownVersion(_) => "unknown version",
        Error::OtherTenant => "other tenant",
        Error::UnknownKey(_) => "unknown key",
        Error::OtherPurpose(_) => "other purpose",
        Error::DisabledKey(_) => "disabled key",
        Error::NotStoredForm => "not stored form",
        Error::MalformedStoredForm => "malformed stored form",
        other => panic!("{other:?} is no error of reading"),
    }
}

#[test]
fn values_are_sealed_to_the_documented_bytes() {
    let vectors = vectors();
    let ring = keyring(&vectors);
    for vector in &vectors.values {
        let root = ring.usable(vector.key_id, Purpose::Encryption).expect("a key of the vectors");
        in_scope(vector.tenant.as_deref(), |scope| {
            let subkey = Subkey::derive(root, scope);
            assert_eq!(*subkey.check(), vector.check, "{}", vector.name);
            let (kind, plaintext) = (vector.kind(), vector.plaintext.as_bytes());
            let tag = vector.search_key_id.map(|id| {
                let root = ring.usable(id, Purpose::Search).expect("a key of the vectors");
                SearchTag::of(&MacKey::derive(root, scope), plaintext)
            });
            let mut sealed = vec![0; envelope::sealed_len(kind, plaintext.len()).expect("short")];
            envelope::seal(&subkey, kind, tag.as_ref(), &vector.nonce, plaintext, &mut sealed).expect("sealed");
            assert_eq!(Envelope::parse(&sealed).expect("a value").search_key_id(), vector.search_key_id);
            assert_eq!(hex::encode(sealed), hex::encode(&vector.sealed), "{}", vector.name);
        });
    }
}

#[test]
fn documented_values_open() {
    let vectors = vectors();
    let ring = keyring(&vectors);
    for vector in &vectors.values {
        let opened = read(&vector.sealed, &ring, vector.tenant.as_deref(), vector.kind());
        assert_eq!(opened.as_deref(), Ok(vector.plaintext.as_bytes()), "{}", vector.name);
    }
}

#[test]
fn values_have_the_documented_stored_form() {
    for vector in &vectors().values {
        let mut text = vec![0; stored_form::encoded_len(vector.sealed.len())];
        stored_form::encode(&vector.sealed, &mut text).expect("the length is right");
        assert_eq!(text, vector.stored.as_bytes(), "{}", vector.name);
        assert_eq!(decode_stored(&vector.stored, vector.kind()).as_ref(), Ok(&vector.sealed), "{}", vector.name);
    }
}

#[test]
fn altered_values_are_refused_with_the_documented_error() {
    let vectors = vectors();
    let ring = keyring(&vectors);
    for vector in &vectors.refused_values {
        let refused =
            read(&vector.sealed, &ring, vector.tenant.as_deref(), kind(vector.tenant.as_deref(), false)).map_err(name);
        assert_eq!(refused, Err(vector.error.as_str()), "{}", vector.name);
    }
}

#[test]
fn other_texts_are_refused_with_the_documented_error() {
    for vector in &vectors().refused_texts {
        let refused = decode_stored(&vector.text, Kind::Tenant).map_err(name);
        assert_eq!(refused, Err(vector.error.as_str()), "{}", vector.name);
    }
}

#[test]
fn keys_have_the_documented_fingerprints() {
    let vectors = vectors();
    let ring = keyring(&vectors);
    assert_eq!(ring.keys().len(), vectors.fingerprints.len());
    for key in ring.keys() {
        assert_eq!(key.fingerprint(), vectors.fingerprints[&key.id], "key {}", key.id);
    }
}

#[test]
fn the_vectors_cover_every_shape_of_tenant_and_every_error() {
    let vectors = vectors();
    let tenants = || vectors.values.iter().map(|vector| vector.tenant.as_deref());
    assert!(tenants().any(|tenant| tenant.is_none()));
    assert!(tenants().flatten().any(|tenant| tenant.len() == TenantId::MAX_LEN));
    assert!(tenants().flatten().any(|tenant| !tenant.is_ascii()));
    for error in ["altered", "unknown version", "other tenant", "unknown key", "other purpose", "disabled key"] {
        assert!(vectors.refused_values.iter().any(|vector| vector.error == error), "{error}");
    }
}

#[test]
fn tokens_have_the_documented_hashes() {
    let vectors = vectors();
    let ring = keyring(&vectors);
    for vector in &vectors.tokens {
        let root = ring.usable(vector.key_id, Purpose::Token).expect("a key of the vectors");
        let key = MacKey::derive(root, Scope::Shared);
        let (purpose, presented) = (vector.purpose.as_bytes(), vector.token.as_bytes());
        let hash = TokenHash::of_token(&key, purpose, presented).expect("not empty");
        assert_eq!(hash.as_bytes().as_slice(), vector.hash, "{}", vector.name);
        assert_eq!(hash.to_text(), vector.text.as_bytes(), "{}", vector.name);
        assert_eq!(TokenHash::from_text(vector.text.as_bytes()), Ok(hash), "{}", vector.name);
        let digest = token::sha256_from_hex(vector.sha256.as_bytes()).expect("hexadecimal");
        assert_eq!(digest, token::sha256(presented), "{}", vector.name);
        let imported = TokenHash::of_sha256(&key, purpose, &digest);
        assert_eq!(imported.as_bytes().as_slice(), vector.hash_of_sha256, "{}", vector.name);
        for hash in [hash, imported] {
            assert_eq!(hash.matches(&key, purpose, presented), Ok(true), "{}", vector.name);
        }
    }
}

#[test]
fn tokens_have_the_documented_check_digits() {
    for vector in &vectors().check_digits {
        assert_eq!(token::checksum_ok(vector.token.as_bytes()), vector.ok, "{}", vector.token);
    }
}
