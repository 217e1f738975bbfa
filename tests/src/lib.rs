//! Throw-away servers for tests, and what tests ask of them.
//!
//! `make test` puts a copy of PostgreSQL with the extension into a directory of its own and names it in the environment;
//! it also stops the servers and removes the directory at the end, however the tests end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{env, path::PathBuf};

mod cluster;
mod load;
mod stored;

pub use cluster::{Cluster, Database, Settings, shared_cluster};
pub use load::{Load, Written, call_with_crashes};
pub use stored::{stored_bytes, stored_form};

/// A file of the checkout, by its path relative to `tests/`. Of the one that the tests are run in: builds may be shared with
/// others, so the directory is not compiled in.
///
/// # Panics
/// Without the environment that cargo sets.
#[must_use]
pub fn source(path: &str) -> PathBuf {
    PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("run these tests with make test")).join(path)
}

/// The SQLSTATE of an error.
#[must_use]
pub fn sqlstate(error: &postgres::Error) -> String {
    error.code().map_or_else(|| format!("no SQLSTATE: {error:?}"), |code| code.code().to_owned())
}

/// Everything that an error tells the client.
#[must_use]
pub fn whole_error(error: &postgres::Error) -> String {
    let error = error.as_db_error().expect("an error of the server");
    let mut text = error.message().to_owned();
    for part in [error.detail(), error.hint(), error.where_(), error.column(), error.constraint()].into_iter().flatten()
    {
        text.push('\n');
        text.push_str(part);
    }
    text
}

/// Asserts that a statement fails with an SQLSTATE and a hint, and that the error tells none of `secrets`.
///
/// # Panics
/// If it does not.
pub fn assert_refused<T>(outcome: Result<T, postgres::Error>, expected: &str, secrets: &[&str]) {
    let Err(error) = outcome else { panic!("expected {expected}, but it succeeded") };
    let text = whole_error(&error);
    assert_eq!(sqlstate(&error), expected, "{text}");
    assert!(error.as_db_error().and_then(postgres::error::DbError::hint).is_some(), "no hint: {text}");
    for secret in secrets {
        assert!(!text.contains(secret), "the error tells a secret: {text}");
    }
}
