//! Sealed values, format version 1:
//!
//! ```text
//! version u8 = 1 ‖ kind u8 ‖ key_id u32 BE ‖ tenant_check [4] ‖ nonce [24] ‖ ciphertext ‖ tag [16]
//! ```
//!
//! with XAES-256-GCM (<https://c2sp.org/XAES-256-GCM>) over the plaintext, and every byte before the nonce as
//! associated data. Keys are chosen by id, never by trial.

use xaes_256_gcm::aead::inout::InOutBuf;

use crate::{
    Error, KeyId, NONCE_LEN, Nonce, Subkey,
    subkey::{CHECK_LEN, TAG_LEN},
};

/// The format version that this library writes, and the only one it reads.
pub const VERSION: u8 = 1;

/// Bytes before the nonce.
const HEADER_LEN: usize = 2 + size_of::<KeyId>() + CHECK_LEN;

/// Bytes that a sealed value has beyond its plaintext.
pub const OVERHEAD: usize = HEADER_LEN + NONCE_LEN + TAG_LEN;

/// Longest plaintext, in bytes: 512 MiB. PostgreSQL allocates at most 1 GiB at once, and the stored form, a third
/// longer than the bytes, has to fit or the value could not be dumped.
pub const MAX_PLAINTEXT: usize = 512 << 20;

/// What a value is sealed as. The byte is bit 0: shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// For one tenant: `encrypted_text`.
    Tenant = 0,
    /// For the database: `shared_encrypted_text`.
    Shared = 1,
}

/// Length of the sealed value of a plaintext of `plaintext_len` bytes.
///
/// # Errors
/// [`Error::TooLong`] beyond [`MAX_PLAINTEXT`].
pub const fn sealed_len(plaintext_len: usize) -> Result<usize, Error> {
    if plaintext_len > MAX_PLAINTEXT {
        return Err(Error::TooLong);
    }
    Ok(plaintext_len + OVERHEAD)
}

/// Seals `plaintext` into `out`, which must be [`sealed_len`] bytes long. The nonce must be fresh from a
/// [`crate::NonceSource`].
///
/// # Errors
/// [`Error::TooLong`] when `out` has another length. Then `out` holds nothing of the plaintext.
pub fn seal(subkey: &Subkey, kind: Kind, nonce: &Nonce, plaintext: &[u8], out: &mut [u8]) -> Result<(), Error> {
    if sealed_len(plaintext.len())? != out.len() {
        return Err(Error::TooLong);
    }
    let (header, rest) = out.split_at_mut(HEADER_LEN);
    let (nonce_field, rest) = rest.split_at_mut(NONCE_LEN);
    let (ciphertext, tag_field) = rest.split_at_mut(plaintext.len());

    header[0] = VERSION;
    header[1] = kind as u8;
    header[2..6].copy_from_slice(&subkey.key_id().to_be_bytes());
    header[6..].copy_from_slice(subkey.check());
    nonce_field.copy_from_slice(nonce);
    let buffer = InOutBuf::new(plaintext, ciphertext).map_err(|_| Error::TooLong)?;
    let tag = subkey.encrypt(nonce, header, buffer)?;
    tag_field.copy_from_slice(&tag);
    Ok(())
}

/// A sealed value whose fields have been found. Its tag has not been checked: [`Envelope::open`] does.
#[derive(Clone, Copy)]
pub struct Envelope<'a> {
    header: &'a [u8; HEADER_LEN],
    nonce: &'a Nonce,
    ciphertext: &'a [u8],
    tag: &'a [u8; TAG_LEN],
    kind: Kind,
}

impl<'a> Envelope<'a> {
    /// Finds the fields of a sealed value.
    ///
    /// # Errors
    /// [`Error::UnknownVersion`], or [`Error::Corrupted`] when it is too short or too long, or its kind unknown.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        match bytes.first() {
            None => return Err(Error::Corrupted),
            Some(&VERSION) => {}
            Some(&version) => return Err(Error::UnknownVersion(version)),
        }
        let (header, rest) = bytes.split_first_chunk().ok_or(Error::Corrupted)?;
        let (nonce, rest) = rest.split_first_chunk().ok_or(Error::Corrupted)?;
        let (ciphertext, tag) = rest.split_last_chunk().ok_or(Error::Corrupted)?;
        if ciphertext.len() > MAX_PLAINTEXT {
            return Err(Error::Corrupted);
        }
        let kind = match header[1] {
            0 => Kind::Tenant,
            1 => Kind::Shared,
            _ => return Err(Error::Corrupted),
        };
        Ok(Self { header, nonce, ciphertext, tag, kind })
    }

    /// What the value was sealed as.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The root key it was sealed under.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        let [_, _, a, b, c, d, ..] = *self.header;
        KeyId::from_be_bytes([a, b, c, d])
    }

    /// Length of the plaintext in bytes.
    #[must_use]
    pub const fn plaintext_len(&self) -> usize {
        self.ciphertext.len()
    }

    /// Opens the value into `out`, which must be [`Self::plaintext_len`] bytes long. The caller has chosen the subkey
    /// by [`Self::key_id`] and the tenant.
    ///
    /// # Errors
    /// [`Error::OtherTenant`] when the subkey is of another scope, [`Error::Corrupted`] when a byte was altered. Then
    /// `out` is as it was.
    pub fn open(&self, subkey: &Subkey, out: &mut [u8]) -> Result<(), Error> {
        // Not secret, so compared as it is: it stands in the clear before the ciphertext.
        if self.header[6..] != *subkey.check() {
            return Err(Error::OtherTenant);
        }
        let buffer = InOutBuf::new(self.ciphertext, out).map_err(|_| Error::Corrupted)?;
        subkey.decrypt(self.nonce, self.header, buffer, self.tag)
    }
}
