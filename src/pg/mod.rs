//! What binds the core to a running PostgreSQL. The only module with unsafe code.
#![allow(unsafe_code, reason = "PostgreSQL's API is C")]

pub mod cell;
pub mod encoding;
pub mod error;
pub mod fmgr;
pub mod keyring;
pub mod literals;
pub mod message;
pub mod role;
pub mod sealing;
pub mod settings;
pub mod tenant;
pub mod tenant_setting;
pub mod text_form;
pub mod transaction;
pub mod varlena;
