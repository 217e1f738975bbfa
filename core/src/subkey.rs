//! The key of one scope: what values are sealed with.

use core::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use xaes_256_gcm::{
    Tag, Xaes256Gcm,
    aead::{AeadInOut, KeyInit, inout::InOutBuf},
};
use zeroize::{Zeroizing, optimization_barrier, zeroize_stack};

use crate::{Error, Key, KeyId, Nonce, RootKey, TenantId, cache::Derived};

/// Whom a value is sealed for.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// One tenant.
    Tenant(&'a TenantId),
    /// Everyone who may read the database.
    Shared,
}

impl Scope<'_> {
    const fn byte(self) -> u8 {
        match self {
            Self::Tenant(_) => 0,
            Self::Shared => 1,
        }
    }

    fn tenant(&self) -> &[u8] {
        match self {
            Self::Tenant(tenant) => tenant.as_bytes(),
            Self::Shared => &[],
        }
    }
}

/// Length of [`Subkey::check`] in bytes.
pub const CHECK_LEN: usize = 4;

/// Length of an authentication tag in bytes.
pub(crate) const TAG_LEN: usize = 16;

/// An expanded key of one scope, ready to seal and open. Erased when dropped, and never printed.
pub struct Subkey {
    cipher: Xaes256Gcm,
    key_id: KeyId,
    check: [u8; CHECK_LEN],
}

impl Subkey {
    /// Derives the key of `scope` from a root key:
    ///
    /// ```text
    /// HKDF-SHA256(salt = none, ikm = root,
    ///             info = "pg_cordon/v1" ‖ purpose u8 ‖ scope u8 ‖ length of tenant u16 BE ‖ tenant, L = 36)
    ///   = XAES-256-GCM key [32] ‖ tenant check [4]
    /// ```
    ///
    /// Every field before the tenant has a fixed length, so no two scopes have the same `info` (RFC 5869, section 3.2).
    #[must_use]
    pub fn derive(root: &Key, scope: Scope<'_>) -> Self {
        let subkey = expand(root, scope);
        zeroize_stack::<STACK_TO_ERASE>();
        subkey
    }

    /// The id of the root key.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Four bytes that tell another tenant's value from an altered one. They are stored in the clear and say nothing
    /// about the key.
    #[must_use]
    pub const fn check(&self) -> &[u8; CHECK_LEN] {
        &self.check
    }

    /// Encrypts `buffer` and returns the tag. The nonce must not have been used with this key.
    pub(crate) fn encrypt(&self, nonce: &Nonce, aad: &[u8], buffer: InOutBuf<'_, '_, u8>) -> Result<Tag, Error> {
        let tag = encrypt(&self.cipher, nonce, aad, buffer);
        zeroize_stack::<STACK_TO_ERASE>();
        tag
    }

    /// Decrypts `buffer`, or leaves it untouched when the tag is not that of `nonce`, `aad` and the ciphertext.
    pub(crate) fn decrypt(
        &self,
        nonce: &Nonce,
        aad: &[u8],
        buffer: InOutBuf<'_, '_, u8>,
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Error> {
        let opened = decrypt(&self.cipher, nonce, aad, buffer, tag);
        zeroize_stack::<STACK_TO_ERASE>();
        opened
    }
}

impl Derived for Subkey {
    fn derive(root: &Key, scope: Scope<'_>) -> Self {
        Self::derive(root, scope)
    }
}

impl Drop for Subkey {
    fn drop(&mut self) {
        self.cipher = Xaes256Gcm::new(&[0; RootKey::LEN].into());
        optimization_barrier(&self.cipher);
    }
}

impl fmt::Debug for Subkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subkey(..)")
    }
}

/// Erases what sealing and opening may have left on the stack below the caller's frame.
///
/// Each call erases the keys it has expanded. What it does not reach are copies of one message's round keys that the
/// widest vector instructions spread out some 8 KiB further down: to erase as much for each value would cost a
/// seventh of sealing it, and the next value's copies take their place anyway. So call this when a batch of values is done, from no
/// deeper than the calls that sealed and opened.
pub fn erase_stack() {
    zeroize_stack::<{ 64 << 10 }>();
}

/// What the functions below use of the stack under their caller's frame for the keys that they expand, in bytes, with
/// room to spare. `tests/erasure` looks for what is left.
pub(crate) const STACK_TO_ERASE: usize = 2560;

// Frames of their own, which `zeroize_stack` needs: see its documentation.

#[inline(never)]
fn expand(root: &Key, scope: Scope<'_>) -> Subkey {
    let material = material(LABEL, root, scope);
    let (key, check) = material.split_at(RootKey::LEN);
    let Ok(key) = key.try_into() else { unreachable!("split at the length of a key") };
    let mut tenant_check = [0; CHECK_LEN];
    tenant_check.copy_from_slice(check);
    Subkey { cipher: Xaes256Gcm::new(key), key_id: root.id, check: tenant_check }
}

/// What `info` begins with.
pub(crate) const LABEL: &[u8] = b"pg_cordon/v1";

/// What a root key gives for a scope: see [`Subkey::derive`]. `label` is [`LABEL`] or that of another use of the root.
/// Callers erase the stack.
pub(crate) fn material(label: &[u8], root: &Key, scope: Scope<'_>) -> Zeroizing<[u8; RootKey::LEN + CHECK_LEN]> {
    let tenant = scope.tenant();
    // At most TenantId::MAX_LEN, so the conversion keeps every bit.
    let [high, low] = (tenant.len() as u16).to_be_bytes();
    let info = [label, &[root.purpose.byte(), scope.byte(), high, low], tenant];
    let mut material = Zeroizing::new([0; RootKey::LEN + CHECK_LEN]);
    let Ok(()) = Hkdf::<Sha256>::new(None, root.material.expose()).expand_multi_info(&info, material.as_mut_slice())
    else {
        unreachable!("36 bytes are fewer than the 8,160 that HKDF-SHA256 can give");
    };
    material
}

#[inline(never)]
fn encrypt(cipher: &Xaes256Gcm, nonce: &Nonce, aad: &[u8], buffer: InOutBuf<'_, '_, u8>) -> Result<Tag, Error> {
    cipher.encrypt_inout_detached(nonce.into(), aad, buffer).map_err(|_| Error::TooLong)
}

#[inline(never)]
fn decrypt(
    cipher: &Xaes256Gcm,
    nonce: &Nonce,
    aad: &[u8],
    buffer: InOutBuf<'_, '_, u8>,
    tag: &[u8; TAG_LEN],
) -> Result<(), Error> {
    cipher.decrypt_inout_detached(nonce.into(), aad, buffer, tag.into()).map_err(|_| Error::Corrupted)
}
