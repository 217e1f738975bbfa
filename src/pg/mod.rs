//! What binds the core to a running PostgreSQL. The only module with unsafe code.
#![allow(unsafe_code, reason = "PostgreSQL's API is C")]

pub mod array;
mod array_comparison;
mod assignments;
pub mod cell;
pub mod comparison;
pub mod conversion;
pub mod encoding;
pub mod error;
pub mod fmgr;
mod inspection;
pub mod keyring;
pub mod keys;
pub mod literals;
pub mod log;
pub mod message;
pub mod owner;
pub mod pgcrypto;
pub mod role;
pub mod row_trigger;
pub mod rows;
pub mod sealed_types;
pub mod sealing;
pub mod settings;
pub mod statistics;
pub mod tenant;
pub mod tenant_setting;
pub mod text_form;
pub mod transaction;
pub mod varlena;
