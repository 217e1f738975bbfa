//! Sealed values, format version 1:
//!
//! ```text
//! version u8 = 1 ‖ kind u8 ‖ key_id u32 BE ‖ tenant_check [4]
//!     ‖ (kinds with equality only: search_key_id u32 BE ‖ search_tag [16]) ‖ nonce [24] ‖ ciphertext ‖ tag [16]
//! ```
//!
//! with XAES-256-GCM (<https://c2sp.org/XAES-256-GCM>) over the plaintext, and every byte before the nonce as
//! associated data. Keys are chosen by id, never by trial.

use xaes_256_gcm::aead::inout::InOutBuf;

use crate::{
    Error, KeyId, MacKey, NONCE_LEN, Nonce, Subkey,
    subkey::{CHECK_LEN, TAG_LEN},
};

/// The format version that this library writes, and the only one it reads.
pub const VERSION: u8 = 1;

/// Bytes before the nonce, or before the search tag where there is one.
const HEADER_LEN: usize = 2 + size_of::<KeyId>() + CHECK_LEN;

/// Bytes of a search tag's key id and the tag.
const SEARCH_LEN: usize = size_of::<KeyId>() + SEARCH_TAG_LEN;

/// Bytes of a search tag: half of an HMAC-SHA256, enough that no two texts that anybody finds have the same.
pub const SEARCH_TAG_LEN: usize = 16;

/// Bytes at the start of a value that [`comparison_key`] looks at.
pub const COMPARED_LEN: usize = HEADER_LEN + SEARCH_LEN;

/// Longest plaintext, in bytes: 512 MiB. PostgreSQL allocates at most 1 GiB at once, and the stored form, a third
/// longer than the bytes, has to fit or the value could not be dumped.
pub const MAX_PLAINTEXT: usize = 512 << 20;

/// What a value is sealed as. The byte has bit 0 for shared and bit 1 for equality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// For one tenant: `encrypted_text`.
    Tenant = 0,
    /// For the database: `shared_encrypted_text`.
    Shared = 1,
    /// For one tenant, to be compared: `encrypted_text_eq`.
    TenantEq = 2,
    /// For the database, to be compared: `shared_encrypted_text_eq`.
    SharedEq = 3,
}

impl Kind {
    /// Whether values carry a search tag, by which they are compared.
    #[must_use]
    pub const fn has_equality(self) -> bool {
        matches!(self, Self::TenantEq | Self::SharedEq)
    }

    /// Whether values are sealed for the database, and not for one tenant.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Shared | Self::SharedEq)
    }

    /// Bytes that a sealed value has beyond its plaintext.
    #[must_use]
    pub const fn overhead(self) -> usize {
        self.header_len() + NONCE_LEN + TAG_LEN
    }

    const fn header_len(self) -> usize {
        if self.has_equality() { HEADER_LEN + SEARCH_LEN } else { HEADER_LEN }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Tenant),
            1 => Some(Self::Shared),
            2 => Some(Self::TenantEq),
            3 => Some(Self::SharedEq),
            _ => None,
        }
    }
}

/// By which equal plaintexts of one scope are known: the first 16 bytes of HMAC-SHA256(search key, plaintext), and the id
/// of the search key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchTag {
    key_id: KeyId,
    tag: [u8; SEARCH_TAG_LEN],
}

impl SearchTag {
    /// The tag of a plaintext.
    #[must_use]
    pub fn of(key: &MacKey, plaintext: &[u8]) -> Self {
        let mut tag = [0; SEARCH_TAG_LEN];
        tag.copy_from_slice(&key.mac(&[plaintext])[..SEARCH_TAG_LEN]);
        Self { key_id: key.key_id(), tag }
    }

    /// The id of the search key.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }
}

/// The bytes by which a value with equality is compared, given at least its first [`COMPARED_LEN`]: its search tag. Of
/// anything else it is all that there is, so that damaged values are equal to themselves alone and cause no error.
#[must_use]
pub fn comparison_key(start: &[u8]) -> &[u8] {
    match (start, start.get(HEADER_LEN + size_of::<KeyId>()..COMPARED_LEN)) {
        ([VERSION, 2 | 3, ..], Some(tag)) => tag,
        _ => start,
    }
}

/// Length of the sealed value of a plaintext of `plaintext_len` bytes.
///
/// # Errors
/// [`Error::TooLong`] beyond [`MAX_PLAINTEXT`].
pub const fn sealed_len(kind: Kind, plaintext_len: usize) -> Result<usize, Error> {
    if plaintext_len > MAX_PLAINTEXT {
        return Err(Error::TooLong);
    }
    Ok(plaintext_len + kind.overhead())
}

/// Seals `plaintext` into `out`, which must be [`sealed_len`] bytes long. The nonce must be fresh from a
/// [`crate::NonceSource`]; `search_tag` must be that of the plaintext, for a kind with equality.
///
/// # Errors
/// [`Error::TooLong`] when `out` has another length, [`Error::OtherKind`] when the kind and the tag do not go together.
/// Then `out` holds nothing of the plaintext.
pub fn seal(
    subkey: &Subkey,
    kind: Kind,
    search_tag: Option<&SearchTag>,
    nonce: &Nonce,
    plaintext: &[u8],
    out: &mut [u8],
) -> Result<(), Error> {
    if sealed_len(kind, plaintext.len())? != out.len() {
        return Err(Error::TooLong);
    }
    if kind.has_equality() != search_tag.is_some() {
        return Err(Error::OtherKind);
    }
    let (header, rest) = out.split_at_mut(kind.header_len());
    let (nonce_field, rest) = rest.split_at_mut(NONCE_LEN);
    let (ciphertext, tag_field) = rest.split_at_mut(plaintext.len());

    header[0] = VERSION;
    header[1] = kind as u8;
    header[2..6].copy_from_slice(&subkey.key_id().to_be_bytes());
    header[6..HEADER_LEN].copy_from_slice(subkey.check());
    if let Some(search) = search_tag {
        let (key_id, tag) = header[HEADER_LEN..].split_at_mut(size_of::<KeyId>());
        key_id.copy_from_slice(&search.key_id.to_be_bytes());
        tag.copy_from_slice(&search.tag);
    }
    nonce_field.copy_from_slice(nonce);
    let buffer = InOutBuf::new(plaintext, ciphertext).map_err(|_| Error::TooLong)?;
    let tag = subkey.encrypt(nonce, header, buffer)?;
    tag_field.copy_from_slice(&tag);
    Ok(())
}

/// A sealed value whose fields have been found. Its tag has not been checked: [`Envelope::open`] does.
#[derive(Clone, Copy)]
pub struct Envelope<'a> {
    header: &'a [u8],
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
        let kind = bytes.get(1).and_then(|byte| Kind::from_byte(*byte)).ok_or(Error::Corrupted)?;
        let (header, rest) = bytes.split_at_checked(kind.header_len()).ok_or(Error::Corrupted)?;
        let (nonce, rest) = rest.split_first_chunk().ok_or(Error::Corrupted)?;
        let (ciphertext, tag) = rest.split_last_chunk().ok_or(Error::Corrupted)?;
        if ciphertext.len() > MAX_PLAINTEXT {
            return Err(Error::Corrupted);
        }
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
        let [_, _, a, b, c, d, ..] = *self.header else { unreachable!() };
        KeyId::from_be_bytes([a, b, c, d])
    }

    /// The search key that its tag was made with; `None` for a kind without equality.
    #[must_use]
    pub const fn search_key_id(&self) -> Option<KeyId> {
        let [_, _, _, _, _, _, _, _, _, _, a, b, c, d, ..] = *self.header else { return None };
        Some(KeyId::from_be_bytes([a, b, c, d]))
    }

    /// The search tag; `None` for a kind without equality.
    #[must_use]
    pub fn search_tag(&self) -> Option<SearchTag> {
        let tag = self.header.get(HEADER_LEN + size_of::<KeyId>()..)?.try_into().ok()?;
        Some(SearchTag { key_id: self.search_key_id()?, tag })
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
        if self.header[6..HEADER_LEN] != *subkey.check() {
            return Err(Error::OtherTenant);
        }
        let buffer = InOutBuf::new(self.ciphertext, out).map_err(|_| Error::Corrupted)?;
        subkey.decrypt(self.nonce, self.header, buffer, self.tag)
    }
}
