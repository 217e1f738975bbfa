//! Key material.

use core::fmt;

use zeroize::Zeroizing;

/// The bytes of a root key: 32, or as many as a passphrase has. Erased when dropped, and never printed.
///
/// They stay where they are on the heap, because a value that is moved leaves its bytes behind.
#[derive(Clone)]
pub struct RootKey(Zeroizing<Box<[u8]>>);

impl RootKey {
    /// Length in bytes of a root key that is no passphrase.
    pub const LEN: usize = 32;

    /// A root key of `len` bytes, which `fill` writes in place.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn fill_with<E>(len: usize, fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut material = Zeroizing::new(vec![0; len].into_boxed_slice());
        fill(&mut material)?;
        Ok(Self(material))
    }

    /// The bytes, for code that hands them to another library. What it copies, it erases.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(..)")
    }
}
