//! Key material.

use core::fmt;

use zeroize::Zeroizing;

/// The 32 bytes of a root key. Erased when dropped, and never printed.
///
/// They stay where they are on the heap, because a value that is moved leaves its bytes behind.
#[derive(Clone)]
pub struct RootKey(Box<Zeroizing<[u8; Self::LEN]>>);

impl RootKey {
    /// Length of a root key in bytes.
    pub const LEN: usize = 32;

    /// A root key whose bytes `fill` writes in place.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn fill_with<E>(fill: impl FnOnce(&mut [u8; Self::LEN]) -> Result<(), E>) -> Result<Self, E> {
        let mut material = Box::new(Zeroizing::new([0; Self::LEN]));
        fill(&mut material)?;
        Ok(Self(material))
    }

    pub(crate) fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(..)")
    }
}
