//! What the tests share: keys with known bytes, and sealing into memory of its own.

#![allow(dead_code, reason = "each test binary uses its part")]

use base64ct::{Base64, Encoding};
use cordon_core::{
    Envelope, Error, Key, KeyId, Keyring, Kind, MacKey, Nonce, Purpose, RootKey, Scope, SearchTag, Subkey, TenantId,
    envelope,
};

/// 32 distinct bytes, others for each `id` up to 255.
pub fn material(id: KeyId) -> [u8; RootKey::LEN] {
    let mut material = [0; RootKey::LEN];
    for (byte, at) in material.iter_mut().zip(1u8..) {
        *byte = at.wrapping_mul(7).wrapping_add(id.to_le_bytes()[0]);
    }
    material
}

/// A primary encryption key of that [`material`].
pub fn root(id: KeyId) -> Key {
    let file = format!(
        r#"{{"version": 1, "keys": [{{"id": {id}, "purpose": "encryption", "status": "primary",
            "created_at": "2026-11-20T00:00:00Z", "material": "{}"}}]}}"#,
        Base64::encode_string(&material(id))
    );
    let ring = Keyring::parse(file.as_bytes()).expect("a valid keyring");
    ring.primary(Purpose::Encryption).expect("the key").clone()
}

pub fn tenant(spelling: &str) -> TenantId {
    TenantId::parse(spelling.as_bytes()).expect("the tests spell tenants canonically")
}

pub fn subkey_of(spelling: &str) -> Subkey {
    Subkey::derive(&root(1), Scope::Tenant(&tenant(spelling)))
}

/// A key for search tags.
pub fn search_key() -> MacKey {
    MacKey::derive(&root(2), Scope::Shared)
}

/// What [`envelope::seal`] makes of a plaintext, in memory of the right length.
pub fn seal(subkey: &Subkey, kind: Kind, nonce: &Nonce, plaintext: &[u8]) -> Vec<u8> {
    let tag = kind.has_equality().then(|| SearchTag::of(&search_key(), plaintext));
    let mut sealed = vec![0; envelope::sealed_len(kind, plaintext.len()).expect("the tests stay below MAX_PLAINTEXT")];
    envelope::seal(subkey, kind, tag.as_ref(), nonce, plaintext, &mut sealed).expect("the length is right");
    sealed
}

/// What [`Envelope::open`] makes of bytes. Checks as well that a refusal writes nothing.
pub fn open(sealed: &[u8], subkey: &Subkey) -> Result<Vec<u8>, Error> {
    const UNTOUCHED: u8 = 0xA5;
    let envelope = Envelope::parse(sealed)?;
    let mut out = vec![UNTOUCHED; envelope.plaintext_len()];
    let opened = envelope.open(subkey, &mut out);
    if opened.is_err() {
        assert!(out.iter().all(|byte| *byte == UNTOUCHED), "a refused value wrote into the caller's memory");
    }
    opened.map(|()| out)
}
