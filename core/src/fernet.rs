//! Fernet tokens, as the Python library `cryptography` and its kin make them: read, so that what an application encrypted
//! by itself can be sealed. Specification: <https://github.com/fernet/spec/blob/master/Spec.md>.
//!
//! ```text
//! base64url(0x80 ‖ time u64 BE ‖ IV [16] ‖ AES-128-CBC ciphertext with PKCS #7 padding ‖ HMAC-SHA256 of all before [32])
//! key [32] = signing key [16] ‖ encryption key [16]
//! ```

use aes::Aes128;
use base64ct::{Base64Url, Encoding};
use cbc::cipher::{BlockModeDecrypt, KeyIvInit, block_padding::Pkcs7};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroizing, zeroize_stack};

use crate::{Error, Key, Purpose, subkey::STACK_TO_ERASE};

const VERSION: u8 = 0x80;
const TIME: core::ops::Range<usize> = 1..9;
const IV_LEN: usize = 16;
const HEADER_LEN: usize = TIME.end + IV_LEN;
const BLOCK_LEN: usize = 16;
const MAC_LEN: usize = 32;

/// How many seconds a token's time may be ahead of ours, when its age is asked for.
const MAX_CLOCK_SKEW: u64 = 60;

/// How old a token may be.
#[derive(Clone, Copy, Debug)]
pub struct Age {
    /// The most, in seconds.
    pub max: u64,
    /// The present time, in seconds since 1970.
    pub now: u64,
}

/// Opens a token with the first of `keys` that it was made with (as `MultiFernet`), and returns the plaintext.
///
/// # Errors
/// [`Error::NotFernet`]; [`Error::NoKeyOpens`]; [`Error::Expired`] or [`Error::FromTheFuture`] when `age` is given.
pub fn open<'a>(
    token: &[u8],
    mut keys: impl Iterator<Item = &'a Key>,
    age: Option<Age>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    // Of a length that somebody else chose: there may be no memory for it, and that must not end the process.
    let mut bytes = Zeroizing::new(Vec::new());
    bytes.try_reserve_exact(token.len()).map_err(|_| Error::NoMemory)?;
    bytes.resize(token.len(), 0);
    let len = Base64Url::decode(token, &mut bytes).map_err(|_| Error::NotFernet)?.len();
    bytes.truncate(len);
    let ciphertext_len = len.checked_sub(HEADER_LEN + MAC_LEN).ok_or(Error::NotFernet)?;
    if bytes[0] != VERSION || ciphertext_len == 0 || !ciphertext_len.is_multiple_of(BLOCK_LEN) {
        return Err(Error::NotFernet);
    }
    let signed_len = HEADER_LEN + ciphertext_len;
    let key = keys.find(|key| is_signed(&bytes, signed_len, key)).ok_or(Error::NoKeyOpens(Purpose::Fernet))?;
    if let Some(age) = age {
        let mut time = [0; TIME.end - TIME.start];
        time.copy_from_slice(&bytes[TIME]);
        let time = u64::from_be_bytes(time);
        if time.saturating_add(age.max) < age.now {
            return Err(Error::Expired);
        }
        if time > age.now.saturating_add(MAX_CLOCK_SKEW) {
            return Err(Error::FromTheFuture);
        }
    }
    let opened = decrypt(&mut bytes[..signed_len], key);
    zeroize_stack::<STACK_TO_ERASE>();
    let len = opened?;
    bytes.copy_within(HEADER_LEN..HEADER_LEN + len, 0);
    bytes.truncate(len);
    Ok(bytes)
}

fn is_signed(bytes: &[u8], signed_len: usize, key: &Key) -> bool {
    let is_signed = verify(bytes, signed_len, key);
    zeroize_stack::<STACK_TO_ERASE>();
    is_signed
}

// Frames of their own, which `zeroize_stack` needs.

#[inline(never)]
fn verify(bytes: &[u8], signed_len: usize, key: &Key) -> bool {
    let (signed, mac) = bytes.split_at(signed_len);
    let signing_key = &key.material.expose()[..16];
    Hmac::<Sha256>::new_from_slice(signing_key).is_ok_and(|hmac| hmac.chain_update(signed).verify_slice(mac).is_ok())
}

/// Decrypts in place, behind the header, and returns the length of the plaintext. The authenticity is known, so that a wrong
/// padding tells an attacker nothing.
#[inline(never)]
fn decrypt(signed: &mut [u8], key: &Key) -> Result<usize, Error> {
    let (header, ciphertext) = signed.split_at_mut(HEADER_LEN);
    let cipher = cbc::Decryptor::<Aes128>::new_from_slices(&key.material.expose()[16..], &header[TIME.end..]);
    let cipher = cipher.map_err(|_| Error::NotFernet)?;
    Ok(cipher.decrypt_padded::<Pkcs7>(ciphertext).map_err(|_| Error::NotFernet)?.len())
}
