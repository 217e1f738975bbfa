//! A pipe where the keyring is expected. In a test process of its own, because it starts a program: until that runs, it
//! holds a copy of every lock that other tests would take and give back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, os::unix::fs::MetadataExt, process::Command, sync::mpsc, thread, time::Duration};

use cordon_core::keyring_file::{self, FileFault};

#[test]
fn a_pipe_without_a_writer_is_refused_and_does_not_hang() {
    let path = std::env::temp_dir().join(format!("cordon-keyring-pipe-{}", std::process::id()));
    let made = Command::new("mkfifo").args(["-m", "600"]).arg(&path).status().expect("mkfifo of coreutils");
    assert!(made.success());
    let user = fs::symlink_metadata(&path).expect("just made").uid();

    let (outcome, received) = mpsc::channel();
    let pipe = path.clone();
    // Detached: a thread that hangs must not keep the test from failing.
    thread::spawn(move || outcome.send(keyring_file::read(&pipe, user).map(drop)));
    let read = received.recv_timeout(Duration::from_secs(10));
    fs::remove_file(&path).expect("our own");

    let read = read.expect("reading waits for somebody to write");
    assert!(matches!(read, Err(FileFault::NotRegular)));
}
