//! Keys are gone from memory when they are no longer needed: from a dropped subkey, from the stack on which the ciphers
//! worked, from the heap that a keyring gave back. A core dump, or a bug that reads stale memory, has nothing to show.
//!
//! In the dev profile every move of a value is a copy in another frame, which no library can erase: what is shipped is
//! the release profile, and the tests of the stack are for it. How deep the ciphers go depends on the processor: with
//! AVX-512 it is 8 KiB.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "reads memory that functions have left behind")]

#[path = "../common/mod.rs"]
mod common;

mod ciphers;
mod dropped;
mod freed_memory;
mod keyring;
mod secrets;
mod stale_memory;
