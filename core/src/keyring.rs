//! The keyring: root keys, each with an id, a purpose and a status.

mod file;

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

pub use file::{KeyringFault, Position};

use crate::{Error, RootKey, Timestamp};

/// Identifies a root key in the keyring and in every value sealed under it. Random, and never 0.
pub type KeyId = u32;

/// What a root key is for. One key serves one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// A passphrase, for reading values that pgcrypto's `pgp_sym_encrypt` made; never used to encrypt.
    Pgcrypto = 5,
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
    const ALL: [Self; 5] = [Self::Encryption, Self::Search, Self::Token, Self::Fernet, Self::Pgcrypto];

    /// Whether its keys come from elsewhere and only read what was made there.
    #[must_use]
    pub const fn is_import_only(self) -> bool {
        matches!(self, Self::Fernet | Self::Pgcrypto)
    }

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
            Self::Pgcrypto => "pgcrypto",
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
    /// Whether the material is all printable ASCII, as a password or hexadecimal digits are: random bytes of that length are not,
    /// so somebody has made the key up, or has written a key's digits where its bytes belong.
    #[must_use]
    pub fn is_printable(&self) -> bool {
        self.material.expose().iter().all(|byte| matches!(byte, b' '..=b'~'))
    }

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
            let material = RootKey::fill_with(RootKey::LEN, |bytes| {
                getrandom::fill(bytes).map_err(|_| ChangeFault::NoRandomness)
            })?;
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
        // How good the keys of others are is not ours to say: what they encrypted must be readable to be left behind.
        if self.purpose.is_import_only() {
            return Ok(());
        }
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

    /// The keys that values may be read with, the primary one first.
    pub fn usable_for(&self, purpose: Purpose) -> impl Iterator<Item = &Key> {
        let with = move |status| self.keys.iter().filter(move |key| key.purpose == purpose && key.status == status);
        with(Status::Primary).chain(with(Status::Enabled))
    }

    /// Adds a new primary key for `purpose`; the former one stays enabled. Returns the new id.
    ///
    /// # Errors
    /// [`ChangeFault::ImportOnly`] or [`ChangeFault::NoRandomness`]. Then nothing has changed.
    pub fn rotate(&mut self, purpose: Purpose, created_at: Timestamp) -> Result<KeyId, ChangeFault> {
        if purpose.is_import_only() {
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
        if key.status == Status::Primary && !key.purpose.is_import_only() {
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
                0 if !purpose.is_import_only() && of_purpose().next().is_some() => {
                    return Err(KeyringFault::NoPrimary(purpose));
                }
                0 | 1 => {}
                _ => return Err(KeyringFault::SecondPrimary(purpose)),
            }
        }
        Ok(())
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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

impl core::error::Error for ChangeFault {}
