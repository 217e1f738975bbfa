//! The parts of `pg_cordon` that need no PostgreSQL.
//!
//! A plaintext goes through this crate as follows: a [`Keyring`] chooses a [`RootKey`] by purpose or by id,
//! [`Subkey::derive`] turns it into the key of one [`Scope`], and [`envelope`] seals with it. A token becomes a
//! [`TokenHash`] under a [`MacKey`]. The bytes are described in `docs/FORMAT.md`.
//!
//! Types carry the rules: a [`TenantId`] is canonical, a [`Keyring`] has been validated, an [`Envelope`] has been
//! parsed, and a [`RootKey`] cannot be printed.

#![forbid(unsafe_code)]

mod cache;
pub mod envelope;
mod error;
pub mod fernet;
pub mod keyring;
pub mod keyring_file;
pub mod label;
mod mac;
mod nonce;
pub mod redact;
mod secret;
pub mod stored_form;
mod subkey;
pub mod tenant;
mod timestamp;
pub mod token;

pub use cache::{Derived, SubkeyCache};
pub use envelope::{Envelope, Kind, SearchTag};
pub use error::Error;
pub use keyring::{Key, KeyId, Keyring, Purpose, Status};
pub use mac::{MAC_LEN, MacKey};
pub use nonce::{NONCE_LEN, Nonce, NonceSource};
pub use secret::RootKey;
pub use subkey::{Scope, Subkey, erase_stack};
pub use tenant::TenantId;
pub use timestamp::Timestamp;
pub use token::TokenHash;
