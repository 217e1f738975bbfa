//! The functions that SQL calls: a few lines each. `sql/` declares them.

mod conversion;
pub mod encrypted_types;
mod keyring;
mod rotation;
mod tenant;
mod tokens;
