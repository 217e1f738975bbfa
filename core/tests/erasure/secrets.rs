//! What must not be found: keys, and what the libraries make of them, each computed here a second time.

use std::collections::HashMap;

use cordon_core::{Nonce, Scope};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, block_api::compress256};
use xaes_256_gcm::{
    Xaes256Gcm,
    aes::{
        Aes256,
        cipher::{BlockCipherEncrypt, array::Array, consts::U32},
    },
    aes_gcm::Aes256Gcm,
};

use crate::stale_memory::{bytes_of, place};

/// Fewest bytes in a row that count as a find. Eight do not occur by chance.
const PART: usize = 8;

/// Secrets by each of their parts.
#[derive(Default)]
pub struct Secrets(HashMap<[u8; PART], &'static str>);

impl Secrets {
    /// What sealing or opening one message handles.
    pub fn of_message(subkey: &[u8; 32], nonce: &Nonce) -> Self {
        let key = message_key(subkey, nonce);
        let mut secrets = Self::of_subkey(subkey);
        secrets.add("message key", &key);
        secrets.add_expanded::<Aes256>("round keys of the message", &key);
        secrets.add_expanded::<Aes256Gcm>("round keys of the message or its GHASH key", &key);
        secrets
    }

    /// What a [`cordon_core::Subkey`] is made of.
    pub fn of_subkey(subkey: &[u8; 32]) -> Self {
        let mut secrets = Self::default();
        secrets.add("subkey", subkey);
        secrets.add_expanded::<Aes256>("round keys of the subkey", subkey);
        secrets.add_expanded::<Xaes256Gcm>("round keys of the subkey or K1", subkey);
        secrets
    }

    /// What deriving a subkey handles: the root key, the key that HKDF extracts from it, and that key as HMAC holds it.
    pub fn of_derivation(root: &[u8; 32], scope: Scope<'_>) -> Self {
        let extracted = hmac(&[0; 32], &[root]);
        let mut secrets = Self::of_subkey(&subkey(root, scope));
        secrets.add("root key", root);
        secrets.add("extracted key", &extracted);
        secrets.add_hmac(&extracted);
        secrets
    }

    /// What a [`cordon_core::MacKey`] is made of.
    pub fn of_mac(key: &[u8; 32]) -> Self {
        let mut secrets = Self::default();
        secrets.add("key", key);
        secrets.add_hmac(key);
        secrets
    }

    /// Both.
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// The secrets of which a part lies in `memory`, and the distance of the first find from its end.
    pub fn found_in(&self, memory: &[u8]) -> Vec<(&'static str, usize)> {
        let mut found: Vec<(&str, usize)> = Vec::new();
        for (at, part) in memory.windows(PART).enumerate() {
            if let Some(name) = part.try_into().ok().and_then(|part: [u8; PART]| self.0.get(&part))
                && !found.iter().any(|(other, _)| other == name)
            {
                found.push((name, memory.len() - at));
            }
        }
        found
    }

    /// Adds a secret as it is.
    pub fn add(&mut self, name: &'static str, secret: &[u8]) {
        let parts = secret.windows(PART).map(|part| part.try_into().expect("a window of that size"));
        self.0.extend(parts.filter(is_random).map(|part| (part, name)));
    }

    /// Adds a key as HMAC-SHA256 holds it.
    fn add_hmac(&mut self, key: &[u8; 32]) {
        for (pad, name) in [(0x36, "inner HMAC key"), (0x5C, "outer HMAC key")] {
            let mut block = [pad; 64];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            self.add(name, &block[..32]);
            let mut state = SHA256_INITIAL;
            compress256(&mut state, &[block]);
            self.add(name, &state.map(u32::to_ne_bytes).concat());
            // As the SHA extensions of x86 hold it: the words in reverse.
            state.reverse();
            self.add(name, &state.map(u32::to_ne_bytes).concat());
        }
    }

    /// Adds what a cipher keeps in memory of a key, however it keeps it: all that is not there for another key.
    fn add_expanded<C: KeyInit<KeySize = U32>>(&mut self, name: &'static str, key: &[u8; 32]) {
        let mut expanded = Self::default();
        expanded.add(name, &in_memory::<C>(key));
        for part in in_memory::<C>(&[0x11; 32]).windows(PART) {
            let part: [u8; PART] = part.try_into().expect("a window of that size");
            expanded.0.remove(&part);
        }
        assert!(expanded.0.len() > 200, "{name}: the cipher keeps less than a key schedule");
        self.0.extend(expanded.0);
    }
}

/// Whether bytes look like a part of a key, unlike numbers, pointers and padding.
fn is_random(part: &[u8; PART]) -> bool {
    (0..=u8::MAX).filter(|byte| part.contains(byte)).count() >= PART - 2
}

fn in_memory<C: KeyInit<KeySize = U32>>(key: &[u8; 32]) -> Vec<u8> {
    let mut memory = place::<C>();
    memory.write(C::new(&Array::from(*key)));
    bytes_of(&memory)
}

/// FIPS 180-4, section 5.3.3.
const SHA256_INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

fn hmac(key: &[u8; 32], message: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    message.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// `docs/FORMAT.md`, Derivation: the first block of HKDF's output.
pub fn subkey(root: &[u8; 32], scope: Scope<'_>) -> [u8; 32] {
    let (scope, tenant) = match scope {
        Scope::Tenant(tenant) => (0, tenant.as_bytes()),
        Scope::Shared => (1, [].as_slice()),
    };
    let len = u8::try_from(tenant.len()).expect("at most 128");
    hmac(&hmac(&[0; 32], &[root]), &[b"pg_cordon/v1", &[1, scope, 0, len], tenant, &[1]])
}

/// `docs/FORMAT.md`, Encryption: the key of one message.
pub fn message_key(subkey: &[u8; 32], nonce: &Nonce) -> [u8; 32] {
    let aes = Aes256::new(&Array::from(*subkey));
    let encrypt = |block: u128| {
        let mut block = Array::from(block.to_be_bytes());
        aes.encrypt_block(&mut block);
        u128::from_be_bytes(block.into())
    };
    let zero = encrypt(0);
    let k1 = (zero << 1) ^ if zero >> 127 == 1 { 0x87 } else { 0 };
    let half = |counter: u8| {
        let mut block = [0, counter, b'X', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        block[4..].copy_from_slice(&nonce[..12]);
        encrypt(u128::from_be_bytes(block) ^ k1).to_be_bytes()
    };
    let mut key = [0; 32];
    key[..16].copy_from_slice(&half(1));
    key[16..].copy_from_slice(&half(2));
    key
}
