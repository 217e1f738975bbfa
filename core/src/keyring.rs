//! The keyring: root keys, each with an id, a purpose and a status.
//!
//! ```json
//! {"version": 1, "keys": [{"id": 2868203317, "purpose": "encryption", "status": "primary",
//!   "created_at": "2026-11-20T00:00:00Z", "material": "<standard base64 with padding, 32 bytes>"}]}
//! ```

use core::fmt;

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{Error, RootKey, Timestamp};

/// Identifies a root key in the keyring and in every value sealed under it. Random, and never 0.
pub type KeyId = u32;

/// What a root key is for. One key serves one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Purpose {
    /// Sealing values.
    Encryption = 1,
    /// Search tags of values that can be compared.
    Search = 2,
    /// Hashing tokens.
    Token = 3,
    /// Reading values that an application encrypted with Fernet; never used to encrypt.
    Fernet = 4,
}

/// What a root key may be used for at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// New values are made with it, and old ones read.
    Primary,
    /// Old values are read with it.
    Enabled,
    /// Not used.
    Disabled,
}

/// A root key with what the keyring says about it.
#[derive(Clone, Debug)]
pub struct Key {
    /// Unique in the keyring.
    pub id: KeyId,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether it is in use.
    pub status: Status,
    /// When it was made.
    pub created_at: Timestamp,
    /// The secret.
    pub material: RootKey,
}

/// A validated set of root keys.
#[derive(Clone, Debug)]
pub struct Keyring {
    keys: Vec<Key>,
}

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

/// Why the keyring was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeFault {
    /// No key of that id.
    UnknownKey(KeyId),
    /// New values are made with it, so it cannot be disabled.
    Primary(KeyId),
    /// Keys for that purpose are only imported.
    ImportOnly(Purpose),
    /// The operating system gave no random bytes.
    NoRandomness,
}

impl Purpose {
    /// The purposes for which a new keyring gets a key.
    const GENERATED: [Self; 3] = [Self::Encryption, Self::Search, Self::Token];

    /// Every purpose.
    const ALL: [Self; 4] = [Self::Encryption, Self::Search, Self::Token, Self::Fernet];

    /// The byte that stands for the purpose in key derivation.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self as u8
    }

    /// The purpose of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }

    /// The name, as in the keyring file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Encryption => "encryption",
            Self::Search => "search",
            Self::Token => "token",
            Self::Fernet => "fernet",
        }
    }
}

impl Status {
    /// The name, as in the keyring file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }
}

impl Key {
    /// Sixteen hexadecimal digits by which two servers can be seen to hold the same key: the first eight bytes of
    /// HMAC-SHA256(material, "pg_cordon/v1 fingerprint"). The material cannot be found from it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.material.expose()) else {
            unreachable!("HMAC takes keys of every length");
        };
        mac.update(b"pg_cordon/v1 fingerprint");
        mac.finalize().into_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    fn generate(purpose: Purpose, taken: &[Self], created_at: Timestamp) -> Result<Self, ChangeFault> {
        let mut id = [0; size_of::<KeyId>()];
        loop {
            getrandom::fill(&mut id).map_err(|_| ChangeFault::NoRandomness)?;
            let material = RootKey::fill_with(|bytes| getrandom::fill(bytes).map_err(|_| ChangeFault::NoRandomness))?;
            let id = KeyId::from_ne_bytes(id);
            let key = Self { id, purpose, status: Status::Primary, created_at, material };
            // One in four thousand million; and the file would be refused when it is next read.
            let fit = key.id != 0 && key.check_material().is_ok() && taken.iter().all(|other| other.id != key.id);
            if fit {
                return Ok(key);
            }
        }
    }

    fn check_material(&self) -> Result<(), KeyringFault> {
        let material = self.material.expose();
        if material.iter().all(|byte| *byte == 0) {
            return Err(KeyringFault::ZeroMaterial(self.id));
        }
        let distinct = (0..=u8::MAX).filter(|byte| material.contains(byte)).count();
        if distinct < 16 {
            return Err(KeyringFault::WeakMaterial(self.id));
        }
        Ok(())
    }
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

    /// A new keyring with a primary key for each purpose that is generated.
    ///
    /// # Errors
    /// [`ChangeFault::NoRandomness`].
    pub fn generate(created_at: Timestamp) -> Result<Self, ChangeFault> {
        let mut ring = Self { keys: Vec::with_capacity(Purpose::GENERATED.len()) };
        for purpose in Purpose::GENERATED {
            ring.rotate(purpose, created_at)?;
        }
        Ok(ring)
    }

    /// The keyring as a file, for people to read.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        const BYTES_PER_KEY: usize = 512; // about 200 are used: growing would leave copies behind
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

    /// Every key, in the order of the file.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The key that new values are made with.
    ///
    /// # Errors
    /// [`Error::NoPrimaryKey`].
    pub fn primary(&self, purpose: Purpose) -> Result<&Key, Error> {
        self.keys
            .iter()
            .find(|key| key.purpose == purpose && key.status == Status::Primary)
            .ok_or(Error::NoPrimaryKey(purpose))
    }

    /// The key of that id, when values may be read with it.
    ///
    /// # Errors
    /// [`Error::UnknownKey`], [`Error::OtherPurpose`] or [`Error::DisabledKey`].
    pub fn usable(&self, id: KeyId, purpose: Purpose) -> Result<&Key, Error> {
        let key = self.keys.iter().find(|key| key.id == id).ok_or(Error::UnknownKey(id))?;
        if key.purpose != purpose {
            return Err(Error::OtherPurpose(id));
        }
        if key.status == Status::Disabled {
            return Err(Error::DisabledKey(id));
        }
        Ok(key)
    }

    /// Adds a new primary key for `purpose`; the former one stays enabled. Returns the new id.
    ///
    /// # Errors
    /// [`ChangeFault::ImportOnly`] or [`ChangeFault::NoRandomness`]. Then nothing has changed.
    pub fn rotate(&mut self, purpose: Purpose, created_at: Timestamp) -> Result<KeyId, ChangeFault> {
        if purpose == Purpose::Fernet {
            return Err(ChangeFault::ImportOnly(purpose));
        }
        let key = Key::generate(purpose, &self.keys, created_at)?;
        let id = key.id;
        for former in self.keys.iter_mut().filter(|key| key.purpose == purpose && key.status == Status::Primary) {
            former.status = Status::Enabled;
        }
        self.keys.push(key);
        Ok(id)
    }

    /// Stops the use of a key that is not primary.
    ///
    /// # Errors
    /// [`ChangeFault::UnknownKey`] or [`ChangeFault::Primary`].
    pub fn disable(&mut self, id: KeyId) -> Result<(), ChangeFault> {
        self.set_status(id, Status::Disabled)
    }

    /// Takes a disabled key into use again, to read old values.
    ///
    /// # Errors
    /// [`ChangeFault::UnknownKey`] or [`ChangeFault::Primary`].
    pub fn enable(&mut self, id: KeyId) -> Result<(), ChangeFault> {
        self.set_status(id, Status::Enabled)
    }

    fn set_status(&mut self, id: KeyId, status: Status) -> Result<(), ChangeFault> {
        let key = self.keys.iter_mut().find(|key| key.id == id).ok_or(ChangeFault::UnknownKey(id))?;
        if key.status == Status::Primary {
            return Err(ChangeFault::Primary(id));
        }
        key.status = status;
        Ok(())
    }

    fn validate(&self) -> Result<(), KeyringFault> {
        for (at, key) in self.keys.iter().enumerate() {
            if key.id == 0 {
                return Err(KeyringFault::ZeroId);
            }
            key.check_material()?;
            for earlier in &self.keys[..at] {
                if earlier.id == key.id {
                    return Err(KeyringFault::DuplicateId(key.id));
                }
                if earlier.material.expose() == key.material.expose() {
                    return Err(KeyringFault::RepeatedMaterial(key.id));
                }
            }
        }
        for purpose in Purpose::ALL {
            let of_purpose = || self.keys.iter().filter(|key| key.purpose == purpose);
            match of_purpose().filter(|key| key.status == Status::Primary).count() {
                0 if purpose != Purpose::Fernet && of_purpose().next().is_some() => {
                    return Err(KeyringFault::NoPrimary(purpose));
                }
                0 | 1 => {}
                _ => return Err(KeyringFault::SecondPrimary(purpose)),
            }
        }
        Ok(())
    }
}

const FILE_VERSION: u64 = 1;

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
        let material = RootKey::fill_with(|bytes| match Base64::decode(file.material, bytes) {
            Ok(decoded) if decoded.len() == RootKey::LEN => Ok(()),
            Ok(_) | Err(base64ct::Error::InvalidLength) => Err(KeyringFault::MaterialLength(file.id)),
            Err(base64ct::Error::InvalidEncoding) => Err(KeyringFault::NotBase64(file.id)),
        })?;
        Ok(Self { id: file.id, purpose: file.purpose, status: file.status, created_at, material })
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

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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
            Self::ZeroMaterial(id) => write!(f, "material of key {id} is all zero"),
            Self::WeakMaterial(id) => write!(f, "material of key {id} has fewer than 16 distinct bytes"),
            Self::RepeatedMaterial(id) => write!(f, "material of key {id} is that of another key"),
            Self::SecondPrimary(purpose) => write!(f, "more than one primary {purpose} key"),
            Self::NoPrimary(purpose) => write!(f, "no primary {purpose} key"),
        }
    }
}

impl fmt::Display for ChangeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey(id) => write!(f, "key {id} is not in the keyring"),
            Self::Primary(id) => write!(f, "key {id} is the primary key of its purpose"),
            Self::ImportOnly(purpose) => write!(f, "{purpose} keys are imported, not generated"),
            Self::NoRandomness => write!(f, "{}", Error::NoRandomness),
        }
    }
}

impl core::error::Error for KeyringFault {}
impl core::error::Error for ChangeFault {}
