//! The keyring: what is refused, what a change does, what the file system may hold, and what an error may say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod changes;
mod content;
mod file;
mod leaks;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// One key of a keyring file. The fields are JSON, so that a test can write anything.
#[derive(Clone, Copy)]
struct Entry<'a> {
    id: &'a str,
    purpose: &'a str,
    status: &'a str,
    created_at: &'a str,
    material: &'a str,
}

/// A valid primary encryption key.
const ENTRY: Entry<'static> = Entry {
    id: "2868203317",
    purpose: r#""encryption""#,
    status: r#""primary""#,
    created_at: r#""2026-11-20T00:00:00Z""#,
    material: r#""DXXzNjmNVYZDdSbD4x2HuzywTnhU6sM2SjFjHEVo00Y=""#,
};

/// A second key, valid beside [`ENTRY`].
const ENABLED: Entry<'static> =
    Entry { id: "7", status: r#""enabled""#, material: r#""FUQnnh6yPRAjOxxvomK+cTUMwmTuJnTZeQr3a7csHxU=""#, ..ENTRY };

impl Entry<'_> {
    fn json(&self) -> String {
        let Entry { id, purpose, status, created_at, material } = self;
        let head = format!(r#""id": {id}, "purpose": {purpose}, "status": {status}"#);
        format!(r#"{{{head}, "created_at": {created_at}, "material": {material}}}"#)
    }
}

/// A keyring file of these keys.
fn file_of(entries: &[Entry<'_>]) -> String {
    let entries: Vec<_> = entries.iter().map(Entry::json).collect();
    format!(r#"{{"version": 1, "keys": [{}]}}"#, entries.join(",\n"))
}

/// A directory of the test's own, removed when dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("cordon-keyring-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("the directory for temporary files can be written");
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn keyring(&self) -> PathBuf {
        self.0.join("keyring.json")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
