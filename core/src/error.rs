//! What can go wrong, in words that a DBA can act on and that hold no secret.

use core::fmt;

use crate::keyring::{KeyId, Purpose};

/// Why a value was not sealed, opened or hashed.
///
/// No variant holds plaintext, a token, key material or a tenant: whatever is in here may be logged and sent to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not an envelope of the expected type, or were altered since they were sealed.
    Corrupted,
    /// The envelope is of a format version that this library does not know.
    UnknownVersion(u8),
    /// The value was sealed for a tenant other than the one it is opened for.
    OtherTenant,
    /// No key of that id is in the keyring.
    UnknownKey(KeyId),
    /// The key of that id is in the keyring for another purpose.
    OtherPurpose(KeyId),
    /// The key of that id is disabled.
    DisabledKey(KeyId),
    /// The keyring has no primary key for that purpose.
    NoPrimaryKey(Purpose),
    /// The plaintext is longer than [`crate::envelope::MAX_PLAINTEXT`].
    TooLong,
    /// Text in place of the stored form does not begin with [`crate::stored_form::PREFIX`].
    NotStoredForm,
    /// Text in the stored form, given where plaintext is expected.
    UnexpectedStoredForm,
    /// The stored form of a value of another kind: shared for tenant-bound, or the other way round.
    OtherKind,
    /// Text with the prefix of the stored form does not go on as unpadded base64url of an envelope.
    MalformedStoredForm,
    /// The operating system gave no random bytes.
    NoRandomness,
    /// There is no memory for a copy of the value.
    NoMemory,
    /// Not a token hash, in text or in binary form.
    NotTokenHash,
    /// A token without a single byte.
    EmptyToken,
    /// Not the prefix that a token may have.
    TokenPrefix,
    /// A token that [`crate::token::generate`] did not make.
    NotGenerated,
    /// Not a SHA-256 digest, in hexadecimal or in bytes.
    NotSha256,
    /// Not a Fernet token.
    NotFernet,
    /// Not a message of pgcrypto's.
    NotPgcrypto,
    /// No key of that purpose in the keyring opens it: made with another key, or altered since.
    NoKeyOpens(Purpose),
    /// A Fernet token older than was asked for.
    Expired,
    /// A Fernet token of a time to come.
    FromTheFuture,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupted => f.write_str("the sealed value has been altered or damaged"),
            Self::UnknownVersion(version) => {
                write!(f, "the sealed value has format version {version}, which is not known here")
            }
            Self::OtherTenant => f.write_str("the value is sealed for another tenant"),
            Self::UnknownKey(id) => write!(f, "key {id} is not in the keyring"),
            Self::OtherPurpose(id) => write!(f, "key {id} is in the keyring for another purpose"),
            Self::DisabledKey(id) => write!(f, "key {id} is disabled"),
            Self::NoPrimaryKey(purpose) => write!(f, "the keyring has no primary {purpose} key"),
            Self::TooLong => f.write_str("the text is too long to be sealed"),
            Self::NotStoredForm => f.write_str("expected the stored form of a sealed value"),
            Self::UnexpectedStoredForm => f.write_str("the stored form of a sealed value is not accepted here"),
            Self::OtherKind => f.write_str("the stored form is that of another encrypted type"),
            Self::MalformedStoredForm => f.write_str("malformed stored form of a sealed value"),
            Self::NoMemory => f.write_str("there is no memory for the value"),
            Self::NoRandomness => f.write_str("the operating system gave no random bytes"),
            Self::NotTokenHash => f.write_str("not a token hash"),
            Self::EmptyToken => f.write_str("the token is empty"),
            Self::TokenPrefix => f.write_str("not a token prefix"),
            Self::NotGenerated => f.write_str("not a token that cordon.generate_token made"),
            Self::NotSha256 => f.write_str("not a SHA-256 digest"),
            Self::NotFernet => f.write_str("not a Fernet token"),
            Self::NotPgcrypto => f.write_str("not a text that pgp_sym_encrypt made"),
            Self::NoKeyOpens(purpose) => {
                write!(f, "no {purpose} key of the keyring opens it, or it was altered")
            }
            Self::Expired => f.write_str("the Fernet token has expired"),
            Self::FromTheFuture => f.write_str("the Fernet token bears a time to come"),
        }
    }
}

impl core::error::Error for Error {}
