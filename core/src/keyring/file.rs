//! The keyring as a file: how it is read and written.
//!
//! ```json
//! {"version": 1, "keys": [{"id": 2868203317, "purpose": "encryption", "status": "primary",
//!   "created_at": "2026-11-20T00:00:00Z", "material": "<standard base64 with padding, 32 bytes>"}]}
//! ```

use core::fmt;

use base64ct::{Base64, Base64Url, Encoding};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Key, KeyId, Keyring, Purpose, Status};
use crate::{RootKey, Timestamp};

const FILE_VERSION: u64 = 1;

/// What is wrong with the bytes of a keyring. Holds no part of them: a misplaced key must not reach a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyringFault {
    /// Not JSON at that line and column.
    NotJson(Position),
    /// A value of the wrong type, or a purpose or status that is not known.
    UnknownValue(Position),
    /// A field that is not known.
    UnknownField(Position),
    /// A field twice in one object.
    DuplicateField(Position),
    /// An object without one of its fields.
    MissingField(Position),
    /// A version other than 1.
    UnknownVersion,
    /// The id 0.
    ZeroId,
    /// Two keys of that id.
    DuplicateId(KeyId),
    /// A creation time that is not of the form `YYYY-MM-DDTHH:MM:SSZ`.
    CreatedAt(KeyId),
    /// Material that is not base64.
    NotBase64(KeyId),
    /// Material that is not 32 bytes long.
    MaterialLength(KeyId),
    /// A passphrase that is empty or longer than 1,024 bytes.
    PassphraseLength(KeyId),
    /// Material that is all zero.
    ZeroMaterial(KeyId),
    /// Material of fewer than 16 distinct bytes, so not from a random generator.
    WeakMaterial(KeyId),
    /// The same material as another key.
    RepeatedMaterial(KeyId),
    /// More than one primary key for a purpose.
    SecondPrimary(Purpose),
    /// Keys for a purpose, but none primary.
    NoPrimary(Purpose),
}

/// Line and column, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    line: usize,
    column: usize,
}

impl Keyring {
    /// Reads a keyring file.
    ///
    /// # Errors
    /// The first [`KeyringFault`] found.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyringFault> {
        // The version alone at first, so that a later format is called by its name and not by its first new field.
        let header: FileVersion = serde_json::from_slice(bytes).map_err(|error| KeyringFault::from_json(&error))?;
        if header.version != FILE_VERSION {
            return Err(KeyringFault::UnknownVersion);
        }
        let file: File<'_> = serde_json::from_slice(bytes).map_err(|error| KeyringFault::from_json(&error))?;
        let keys = file.keys.iter().map(Key::try_from).collect::<Result<Vec<_>, _>>()?;
        let ring = Self { keys };
        ring.validate()?;
        Ok(ring)
    }

    /// The keyring as a file, for people to read.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        // About 200 are used, and 1,600 by the longest passphrase: growing would leave copies behind.
        const BYTES_PER_KEY: usize = 2048;
        let texts: Vec<Zeroizing<String>> =
            self.keys.iter().map(|key| Zeroizing::new(Base64::encode_string(key.material.expose()))).collect();
        let keys = self
            .keys
            .iter()
            .zip(&texts)
            .map(|(key, material)| FileKey {
                id: key.id,
                purpose: key.purpose,
                status: key.status,
                created_at: key.created_at.as_str(),
                material,
            })
            .collect();
        let mut json = Zeroizing::new(Vec::with_capacity(BYTES_PER_KEY * (self.keys.len() + 1)));
        let Ok(()) = serde_json::to_writer_pretty(&mut *json, &File { version: FILE_VERSION, keys }) else {
            unreachable!("numbers and strings always have a JSON form, and a Vec takes every write");
        };
        json.push(b'\n');
        json
    }
}

#[derive(Deserialize)]
struct FileVersion {
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    version: u64,
    #[serde(borrow)]
    keys: Vec<FileKey<'a>>,
}

/// Strings are borrowed from the file's bytes, which are erased, and so cannot hold JSON escapes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileKey<'a> {
    id: KeyId,
    purpose: Purpose,
    status: Status,
    created_at: &'a str,
    material: &'a str,
}

impl TryFrom<&FileKey<'_>> for Key {
    type Error = KeyringFault;

    fn try_from(file: &FileKey<'_>) -> Result<Self, KeyringFault> {
        let created_at = Timestamp::parse(file.created_at).ok_or(KeyringFault::CreatedAt(file.id))?;
        let material = match file.purpose {
            Purpose::Pgcrypto => passphrase(file)?,
            // As Fernet's own libraries print keys.
            Purpose::Fernet if file.material.contains(['-', '_']) => root_key::<Base64Url>(file)?,
            _ => root_key::<Base64>(file)?,
        };
        Ok(Self { id: file.id, purpose: file.purpose, status: file.status, created_at, material })
    }
}

fn root_key<E: Encoding>(file: &FileKey<'_>) -> Result<RootKey, KeyringFault> {
    RootKey::fill_with(RootKey::LEN, |bytes| match E::decode(file.material, bytes) {
        Ok(decoded) if decoded.len() == RootKey::LEN => Ok(()),
        Ok(_) | Err(base64ct::Error::InvalidLength) => Err(KeyringFault::MaterialLength(file.id)),
        Err(base64ct::Error::InvalidEncoding) => Err(KeyringFault::NotBase64(file.id)),
    })
}

fn passphrase(file: &FileKey<'_>) -> Result<RootKey, KeyringFault> {
    const MAX_LEN: usize = 1024;
    let mut buffer = Zeroizing::new([0; MAX_LEN]);
    match Base64::decode(file.material, buffer.as_mut_slice()) {
        Ok([]) | Err(base64ct::Error::InvalidLength) => Err(KeyringFault::PassphraseLength(file.id)),
        Ok(decoded) => RootKey::fill_with(decoded.len(), |bytes| {
            bytes.copy_from_slice(decoded);
            Ok(())
        }),
        Err(base64ct::Error::InvalidEncoding) => Err(KeyringFault::NotBase64(file.id)),
    }
}

impl KeyringFault {
    /// Keeps the place and the sort of a JSON error. Its message quotes the file, so it goes no further than here.
    fn from_json(error: &serde_json::Error) -> Self {
        let position = Position { line: error.line(), column: error.column() };
        if !error.is_data() {
            return Self::NotJson(position);
        }
        let message = Zeroizing::new(error.to_string());
        // serde::de::Error::unknown_field, missing_field, duplicate_field.
        if message.starts_with("unknown field") {
            Self::UnknownField(position)
        } else if message.starts_with("missing field") {
            Self::MissingField(position)
        } else if message.starts_with("duplicate field") {
            Self::DuplicateField(position)
        } else {
            Self::UnknownValue(position)
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl fmt::Display for KeyringFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(at) => write!(f, "not JSON at {at}"),
            Self::UnknownValue(at) => write!(f, "unknown value or value of the wrong type before {at}"),
            Self::UnknownField(at) => write!(f, "unknown field before {at}"),
            Self::DuplicateField(at) => write!(f, "duplicate field before {at}"),
            Self::MissingField(at) => write!(f, "missing field before {at}"),
            Self::UnknownVersion => f.write_str("unknown version"),
            Self::ZeroId => f.write_str("key id 0"),
            Self::DuplicateId(id) => write!(f, "duplicate key id {id}"),
            Self::CreatedAt(id) => write!(f, "created_at of key {id} is not of the form YYYY-MM-DDTHH:MM:SSZ"),
            Self::NotBase64(id) => write!(f, "material of key {id} is not base64"),
            Self::MaterialLength(id) => write!(f, "material of key {id} is not 32 bytes long"),
            Self::PassphraseLength(id) => write!(f, "material of key {id} is not of 1 to 1,024 bytes"),
            Self::ZeroMaterial(id) => write!(f, "material of key {id} is all zero"),
            Self::WeakMaterial(id) => write!(f, "material of key {id} has fewer than 16 distinct bytes"),
            Self::RepeatedMaterial(id) => write!(f, "material of key {id} is that of another key"),
            Self::SecondPrimary(purpose) => write!(f, "more than one primary {purpose} key"),
            Self::NoPrimary(purpose) => write!(f, "no primary {purpose} key"),
        }
    }
}

impl core::error::Error for KeyringFault {}
