//! The text form of sealed bytes, in which dumps and replication carry them: `cordon1:` and unpadded base64url
//! (RFC 4648, section 5).

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::{Envelope, Error, Kind};

/// What the stored form begins with. A plaintext that begins so is refused in a normal session, which is how a dump
/// restored there is noticed instead of being sealed a second time.
pub const PREFIX: &[u8] = b"cordon1:";

/// Length of the stored form of `len` bytes.
#[must_use]
pub const fn encoded_len(len: usize) -> usize {
    PREFIX.len() + len / 3 * 4 + [0, 2, 3][len % 3]
}

/// Writes the stored form of `bytes` into `out`, which must be [`encoded_len`] bytes long.
///
/// # Errors
/// [`Error::MalformedStoredForm`] when `out` has another length.
pub fn encode(bytes: &[u8], out: &mut [u8]) -> Result<(), Error> {
    if out.len() != encoded_len(bytes.len()) {
        return Err(Error::MalformedStoredForm);
    }
    let (prefix, body) = out.split_at_mut(PREFIX.len());
    prefix.copy_from_slice(PREFIX);
    Base64UrlUnpadded::encode(bytes, body).map_err(|_| Error::MalformedStoredForm)?;
    Ok(())
}

/// The part of `text` after the prefix, and the number of bytes it stands for.
///
/// # Errors
/// [`Error::NotStoredForm`] without the prefix, [`Error::MalformedStoredForm`] when no bytes have a form of that length.
pub fn body(text: &[u8]) -> Result<(&[u8], usize), Error> {
    let body = text.strip_prefix(PREFIX).ok_or(Error::NotStoredForm)?;
    let rest = match body.len() % 4 {
        0 => 0,
        2 => 1,
        3 => 2,
        _ => return Err(Error::MalformedStoredForm),
    };
    Ok((body, body.len() / 4 * 3 + rest))
}

/// Writes the bytes that a [`body`] stands for into `out`, and checks that they are an envelope of `kind`. Only the one
/// form that [`encode`] writes is understood.
///
/// # Errors
/// [`Error::MalformedStoredForm`] when it is not base64url or no envelope, [`Error::OtherKind`] when of another kind,
/// [`Error::UnknownVersion`].
pub fn decode(body: &[u8], kind: Kind, out: &mut [u8]) -> Result<(), Error> {
    let decoded = Base64UrlUnpadded::decode(body, out).map_err(|_| Error::MalformedStoredForm)?.len();
    if decoded != out.len() {
        return Err(Error::MalformedStoredForm);
    }
    let envelope = Envelope::parse(out).map_err(|error| match error {
        Error::Corrupted => Error::MalformedStoredForm,
        other => other,
    })?;
    if envelope.kind() != kind {
        return Err(Error::OtherKind);
    }
    Ok(())
}
