//! The keyed hash of one scope: what token hashes and search tags are made with.

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{optimization_barrier, zeroize_stack};

use crate::{
    Key, KeyId, RootKey, Scope,
    cache::Derived,
    subkey::{LABEL, STACK_TO_ERASE, material},
};

/// Length of a whole HMAC-SHA256 in bytes.
pub const MAC_LEN: usize = 32;

/// A key for HMAC-SHA256 (RFC 2104), with its two pads hashed already. Erased when dropped, and never printed.
pub struct MacKey {
    state: Hmac<Sha256>,
    key_id: KeyId,
}

impl MacKey {
    /// Derives the key of `scope` from a root key: the first 32 bytes of what [`crate::Subkey::derive`] describes.
    #[must_use]
    pub fn derive(root: &Key, scope: Scope<'_>) -> Self {
        Self::labelled(LABEL, root, scope)
    }

    /// A key for another use of the root key, told apart by what `info` begins with.
    pub(crate) fn labelled(label: &[u8], root: &Key, scope: Scope<'_>) -> Self {
        let key = expand(label, root, scope);
        zeroize_stack::<STACK_TO_ERASE>();
        key
    }

    /// The id of the root key.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// HMAC-SHA256 of the message, which is given in parts.
    #[must_use]
    pub fn mac(&self, message: &[&[u8]]) -> [u8; MAC_LEN] {
        let mac = compute(&self.state, message);
        zeroize_stack::<STACK_TO_ERASE>();
        mac
    }

    /// Whether `mac` is that of the message, in a time that does not depend on where they differ.
    #[must_use]
    pub fn verify(&self, message: &[&[u8]], mac: &[u8; MAC_LEN]) -> bool {
        let is_equal = verify(&self.state, message, mac);
        zeroize_stack::<STACK_TO_ERASE>();
        is_equal
    }
}

impl Derived for MacKey {
    fn derive(root: &Key, scope: Scope<'_>) -> Self {
        Self::derive(root, scope)
    }
}

impl Drop for MacKey {
    fn drop(&mut self) {
        self.state = keyed(&[0; RootKey::LEN]);
        optimization_barrier(&self.state);
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let Ok(state) = Hmac::new_from_slice(key) else { unreachable!("HMAC takes keys of every length") };
    state
}

// Frames of their own, which `zeroize_stack` needs: see its documentation.

#[inline(never)]
fn expand(label: &[u8], root: &Key, scope: Scope<'_>) -> MacKey {
    MacKey { state: keyed(&material(label, root, scope)[..RootKey::LEN]), key_id: root.id }
}

#[inline(never)]
fn compute(state: &Hmac<Sha256>, message: &[&[u8]]) -> [u8; MAC_LEN] {
    fed(state, message).finalize().into_bytes().into()
}

#[inline(never)]
fn verify(state: &Hmac<Sha256>, message: &[&[u8]], mac: &[u8; MAC_LEN]) -> bool {
    // Compares with `subtle`.
    fed(state, message).verify(mac.into()).is_ok()
}

fn fed(state: &Hmac<Sha256>, message: &[&[u8]]) -> Hmac<Sha256> {
    let mut state = state.clone();
    message.iter().for_each(|part| state.update(part));
    state
}
