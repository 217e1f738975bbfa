//! The functions that SQL calls: a few lines each. `sql/` declares them.

pub mod conversion;
pub mod encrypted_types;
mod keyring;
mod owner;
mod retired;
mod rotation;
mod tenant;
pub mod tenant_column;
pub mod tokens;
