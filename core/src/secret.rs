//! Key material.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// The 32 bytes of a root key. Erased when dropped, and never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RootKey([u8; Self::LEN]);

impl RootKey {
    /// Length of a root key in bytes.
    pub const LEN: usize = 32;

    /// Takes the bytes of a root key.
    #[must_use]
    pub const fn new(material: [u8; Self::LEN]) -> Self {
        Self(material)
    }

    pub(crate) const fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(..)")
    }
}
