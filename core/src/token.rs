//! Tokens (password resets, invitations, API keys) and the keyed hashes that a table holds in place of them.
//!
//! ```text
//! token hash = version u8 = 1 ‖ scheme u8 ‖ key_id u32 BE ‖ HMAC-SHA256 [32]
//! ```
//!
//! under the token key of the database, over `purpose ‖ 0 ‖ token` (scheme 1), or over `purpose ‖ 0 ‖ 0 ‖
//! SHA-256(token)` (scheme 2) where a table held the bare digest. Neither a purpose nor a token holds a zero byte, so no
//! two of these messages are the same.
//!
//! A hash is no secret: presented as a token it is hashed again, and matches nothing.

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::{Error, Key, KeyId, MacKey, Scope, mac::MAC_LEN};

/// The version that this library writes, and the only one it reads.
const VERSION: u8 = 1;

/// Bytes before the MAC.
const HEADER_LEN: usize = 2 + size_of::<KeyId>();

/// Length of a token hash in bytes.
pub const HASH_LEN: usize = HEADER_LEN + MAC_LEN;

/// What the text form of a token hash begins with; unpadded base64url (RFC 4648, section 5) of its bytes follows.
pub const TEXT_PREFIX: &[u8] = b"cordon_th1:";

/// Length of the text form in bytes.
pub const TEXT_LEN: usize = TEXT_PREFIX.len() + (HASH_LEN * 4).div_ceil(3);

/// What was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Scheme {
    /// The token.
    Token = 1,
    /// The SHA-256 of the token, which was all that was known of it.
    Sha256 = 2,
}

/// A token hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenHash([u8; HASH_LEN]);

impl TokenHash {
    /// The hash of a token for a purpose; both without zero bytes.
    ///
    /// # Errors
    /// [`Error::EmptyToken`].
    pub fn of_token(key: &MacKey, purpose: &[u8], token: &[u8]) -> Result<Self, Error> {
        if token.is_empty() {
            return Err(Error::EmptyToken);
        }
        Ok(Self::new(Scheme::Token, key, &token_message(purpose, token)))
    }

    /// The hash of a token of which only the SHA-256 is known.
    #[must_use]
    pub fn of_sha256(key: &MacKey, purpose: &[u8], digest: &[u8; MAC_LEN]) -> Self {
        Self::new(Scheme::Sha256, key, &digest_message(purpose, digest))
    }

    /// Reads a token hash.
    ///
    /// # Errors
    /// [`Error::NotTokenHash`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        match <[u8; HASH_LEN]>::try_from(bytes) {
            Ok(hash @ [VERSION, 1 | 2, ..]) => Ok(Self(hash)),
            _ => Err(Error::NotTokenHash),
        }
    }

    /// Reads the text form, of which a hash has one.
    ///
    /// # Errors
    /// [`Error::NotTokenHash`].
    pub fn from_text(text: &[u8]) -> Result<Self, Error> {
        let body = text.strip_prefix(TEXT_PREFIX).ok_or(Error::NotTokenHash)?;
        let mut bytes = [0; HASH_LEN];
        let decoded = Base64UrlUnpadded::decode(body, &mut bytes).map_err(|_| Error::NotTokenHash)?;
        Self::from_bytes(decoded)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_LEN] {
        &self.0
    }

    /// The text form.
    #[must_use]
    pub fn to_text(&self) -> [u8; TEXT_LEN] {
        let mut text = [0; TEXT_LEN];
        let (prefix, body) = text.split_at_mut(TEXT_PREFIX.len());
        prefix.copy_from_slice(TEXT_PREFIX);
        let Ok(_) = Base64UrlUnpadded::encode(&self.0, body) else {
            unreachable!("the body has the length of the form")
        };
        text
    }

    /// The root key it was made under.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        let [_, _, a, b, c, d, ..] = self.0;
        KeyId::from_be_bytes([a, b, c, d])
    }

    /// Whether it is that of a token. The caller has chosen the key by [`Self::key_id`]. Takes a time that depends on
    /// the lengths of what is presented, and on nothing that is stored.
    ///
    /// # Errors
    /// [`Error::EmptyToken`].
    pub fn matches(&self, key: &MacKey, purpose: &[u8], token: &[u8]) -> Result<bool, Error> {
        if token.is_empty() {
            return Err(Error::EmptyToken);
        }
        let Some(mac) = self.0.last_chunk() else { unreachable!("a hash ends with a MAC") };
        Ok(self.key_id() == key.key_id()
            && if self.0[1] == Scheme::Sha256 as u8 {
                key.verify(&digest_message(purpose, &sha256(token)), mac)
            } else {
                key.verify(&token_message(purpose, token), mac)
            })
    }

    fn new(scheme: Scheme, key: &MacKey, message: &[&[u8]]) -> Self {
        let mut bytes = [0; HASH_LEN];
        bytes[0] = VERSION;
        bytes[1] = scheme as u8;
        bytes[2..HEADER_LEN].copy_from_slice(&key.key_id().to_be_bytes());
        bytes[HEADER_LEN..].copy_from_slice(&key.mac(message));
        Self(bytes)
    }
}

const fn token_message<'a>(purpose: &'a [u8], token: &'a [u8]) -> [&'a [u8]; 3] {
    [purpose, &[0], token]
}

const fn digest_message<'a>(purpose: &'a [u8], digest: &'a [u8; MAC_LEN]) -> [&'a [u8]; 3] {
    // No token begins with a zero byte, so this is the message of none.
    [purpose, &[0, 0], digest]
}

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; MAC_LEN] {
    Sha256::digest(bytes).into()
}

/// A SHA-256 digest from hexadecimal digits in either case.
///
/// # Errors
/// [`Error::NotSha256`].
pub fn sha256_from_hex(digits: &[u8]) -> Result<[u8; MAC_LEN], Error> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    let mut digest = [0; MAC_LEN];
    if digits.len() != 2 * digest.len() {
        return Err(Error::NotSha256);
    }
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let (Some(high), Some(low)) = (value(pair[0]), value(pair[1])) else { return Err(Error::NotSha256) };
        *byte = (high * 16 + low) as u8;
    }
    Ok(digest)
}

/// Digits of a generated token, in the order of their values.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random digits of a generated token: 178 bits.
const RANDOM_LEN: usize = 30;

/// Check digits of a generated token, which hold 32 bits.
const CHECK_LEN: usize = 6;

/// Most bytes of a prefix.
const MAX_PREFIX: usize = 32;

/// Length of a token with that prefix, which stands before an underscore, or is empty.
///
/// # Errors
/// [`Error::TokenPrefix`] when it is longer than 32 bytes, ends with an underscore, or holds anything but letters, digits
/// and underscores of ASCII.
pub fn generated_len(prefix: &[u8]) -> Result<usize, Error> {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if prefix.len() > MAX_PREFIX || prefix.last() == Some(&b'_') || !prefix.iter().all(is_allowed) {
        return Err(Error::TokenPrefix);
    }
    let separator = usize::from(!prefix.is_empty());
    Ok(prefix.len() + separator + RANDOM_LEN + CHECK_LEN)
}

/// Writes a new token into `out`, which must be [`generated_len`] bytes long: the prefix and an underscore, 30 random
/// digits to the base of 62, and 6 check digits: the CRC-32 of all before. The check lets a scanner of logs or source
/// code know a token of this kind, and a typing error be seen without the database.
///
/// # Errors
/// [`Error::NoRandomness`]; [`Error::TokenPrefix`] also when `out` has another length.
pub fn generate(prefix: &[u8], out: &mut [u8]) -> Result<(), Error> {
    write_token(prefix, out, |_, bytes| getrandom::fill(bytes).map_err(|_| Error::NoRandomness))
}

/// Whether a token is one that [`generate`] could have made. Needs no key; tells a typing error from an unknown token,
/// and nothing about whether the token is valid.
#[must_use]
pub fn checksum_ok(token: &[u8]) -> bool {
    let Some(prefix) = generated_prefix(token) else { return false };
    let Some((body, check)) = token.split_last_chunk() else { return false };
    let random = &body[body.len() - RANDOM_LEN..];
    generated_len(prefix) == Ok(token.len())
        && random.iter().all(u8::is_ascii_alphanumeric)
        && *check == check_digits(crc32fast::hash(body))
}

/// The successor of a generated token under a root key of the purpose token: with the same prefix, and digits that are a
/// keyed function of the purpose and the token. Whoever presents the token again is given the same successor, though
/// nothing but hashes is stored; without the key nobody can tell it.
pub struct Successor<'a> {
    key: MacKey,
    purpose: &'a [u8],
    token: &'a [u8],
    prefix: &'a [u8],
}

impl<'a> Successor<'a> {
    /// What `info` begins with when the key of successors is derived from a token key.
    const LABEL: &'static [u8] = b"pg_cordon/v1/successor";

    /// The successor of `token`.
    ///
    /// # Errors
    /// [`Error::NotGenerated`].
    pub fn of(root: &Key, purpose: &'a [u8], token: &'a [u8]) -> Result<Self, Error> {
        if !checksum_ok(token) {
            return Err(Error::NotGenerated);
        }
        let prefix = generated_prefix(token).ok_or(Error::NotGenerated)?;
        Ok(Self { key: MacKey::labelled(Self::LABEL, root, Scope::Shared), purpose, token, prefix })
    }

    /// Length of the successor in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.token.len()
    }

    /// Never.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Writes it into `out`, which must be [`Self::len`] bytes long. Its digits are taken from
    ///
    /// ```text
    /// HMAC-SHA256(successor key, counter u8 ‖ purpose ‖ 0 ‖ token), counter = 0, 1, …
    /// ```
    ///
    /// # Errors
    /// [`Error::TokenPrefix`] when `out` has another length.
    pub fn write(&self, out: &mut [u8]) -> Result<(), Error> {
        write_token(self.prefix, out, |counter, bytes| {
            let mut mac = self.key.mac(&[&[counter], self.purpose, &[0], self.token]);
            bytes.copy_from_slice(&mac);
            mac.zeroize();
            Ok(())
        })
    }
}

/// Writes a token whose digits come from `fill`, which is called with 0, 1, … until there are enough.
fn write_token(
    prefix: &[u8],
    out: &mut [u8],
    mut fill: impl FnMut(u8, &mut [u8; MAC_LEN]) -> Result<(), Error>,
) -> Result<(), Error> {
    if generated_len(prefix)? != out.len() {
        return Err(Error::TokenPrefix);
    }
    let (body, check) = out.split_at_mut(out.len() - CHECK_LEN);
    let (head, random) = body.split_at_mut(body.len() - RANDOM_LEN);
    head[..prefix.len()].copy_from_slice(prefix);
    head[prefix.len()..].fill(b'_');

    let mut bytes = Zeroizing::new([0; MAC_LEN]);
    let mut written = 0;
    for counter in 0..=u8::MAX {
        fill(counter, &mut bytes)?;
        // Bytes from 248 on would make the first digits likelier than the last.
        let digits = bytes.iter().filter(|byte| **byte < 248).map(|byte| BASE62[usize::from(byte % 62)]);
        for (digit, place) in digits.zip(&mut random[written..]) {
            *place = digit;
            written += 1;
        }
        if written == RANDOM_LEN {
            check.copy_from_slice(&check_digits(crc32fast::hash(body)));
            return Ok(());
        }
    }
    // 30 digits out of 8,192 bytes: a generator that does not give them is broken.
    Err(Error::NoRandomness)
}

/// What stands before the underscore of a token of the length of a generated one; empty without an underscore.
fn generated_prefix(token: &[u8]) -> Option<&[u8]> {
    let head = token.get(..token.len().checked_sub(RANDOM_LEN + CHECK_LEN)?)?;
    match head {
        [] => Some(head),
        [prefix @ .., b'_'] if !prefix.is_empty() => Some(prefix),
        _ => None,
    }
}

fn check_digits(mut checksum: u32) -> [u8; CHECK_LEN] {
    let mut digits = [0; CHECK_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(checksum % 62) as usize];
        checksum /= 62;
    }
    digits
}
