//! What holds for every value, text, tenant and keyring, tried on generated ones.
//!
//! Sized for the dev profile as well, in which AES runs a hundred times slower than in release.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod keyring;
mod sealed_value;
mod stored_form;
mod tenant;
mod token;

use proptest::{
    collection::vec,
    prelude::{ProptestConfig, Strategy, any},
};

/// Cases of one property. A failure prints its input, so none is kept in a file.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Bytes of any sort, up to `max_len` of them.
fn bytes(max_len: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=max_len)
}
