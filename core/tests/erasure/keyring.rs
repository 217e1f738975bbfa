//! What is left of root keys by the functions that read, write and change a keyring.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
};

use base64ct::{Base64, Encoding};
use cordon_core::{Keyring, Purpose, Scope, Timestamp, keyring_file};

use crate::{
    common,
    freed_memory::finds_in_freed_memory,
    secrets::Secrets,
    stale_memory::{apart, left_on_the_stack},
};

/// More keys than a growing `Vec` makes room for at first.
const KEYS: u32 = 9;

/// A keyring file of [`KEYS`] keys of known material, the first one primary.
fn file() -> String {
    let keys: Vec<_> = (1..=KEYS)
        .map(|id| {
            let status = if id == 1 { "primary" } else { "enabled" };
            format!(
                r#"{{"id": {id}, "purpose": "encryption", "status": "{status}",
                    "created_at": "2026-11-20T00:00:00Z", "material": "{}"}}"#,
                Base64::encode_string(&common::material(id))
            )
        })
        .collect();
    format!(r#"{{"version": 1, "keys": [{}]}}"#, keys.join(","))
}

fn ring() -> Keyring {
    Keyring::parse(file().as_bytes()).expect("valid")
}

/// The root keys of [`file`], as bytes and in base64.
fn secrets() -> Secrets {
    (1..=KEYS).fold(Secrets::default(), |mut secrets, id| {
        secrets.add("root key in base64", Base64::encode_string(&common::material(id)).as_bytes());
        secrets.and(Secrets::of_derivation(&common::material(id), Scope::Shared))
    })
}

/// The first key's bytes and base64, one of which each test looks for in freed memory.
fn first_key() -> [Vec<u8>; 2] {
    let material = common::material(1);
    [material.to_vec(), Base64::encode_string(&material).into_bytes()]
}

/// The file, on disk until dropped.
struct OnDisk(PathBuf);

impl OnDisk {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cordon-erasure-{}-{name}.json", std::process::id()));
        fs::write(&path, file()).expect("the directory for temporary files can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our own file");
        Self(path)
    }

    fn owner(&self) -> u32 {
        fs::metadata(&self.0).expect("there").uid()
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Checks the stack after `work`. Its outcome may hold keys, in memory of its own.
fn assert_nothing_left<T: Send>(work: impl FnOnce() -> T + Send) {
    let secrets = secrets();
    let (stack, _outcome) = left_on_the_stack(|| apart(|| Box::new(work())));
    assert_eq!(secrets.found_in(&stack), []);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "the dev profile copies at each move; the release profile is what is shipped")]
fn reading_a_keyring_leaves_no_root_key_on_the_stack() {
    let (file, on_disk) = (file(), OnDisk::new("stack-read"));
    let owner = on_disk.owner();
    assert_nothing_left(|| Keyring::parse(file.as_bytes()));
    assert_nothing_left(|| keyring_file::read(&on_disk.0, owner));
    assert_nothing_left(|| keyring_file::read_stream(file.as_bytes()));
}

#[test]
#[cfg_attr(debug_assertions, ignore = "the dev profile copies at each move; the release profile is what is shipped")]
fn changing_a_keyring_leaves_no_root_key_on_the_stack() {
    let (mut ring, on_disk) = (ring(), OnDisk::new("stack-change"));
    let owner = on_disk.owner();
    assert_nothing_left(|| ring.rotate(Purpose::Encryption, Timestamp::from_unix(0)));
    assert_nothing_left(|| {
        keyring_file::update(&on_disk.0, owner, |ring| ring.rotate(Purpose::Encryption, Timestamp::from_unix(0)))
    });
}

#[test]
#[cfg_attr(debug_assertions, ignore = "the dev profile copies at each move; the release profile is what is shipped")]
fn making_a_keyring_leaves_no_root_key_on_the_stack() {
    let (stack, ring) = left_on_the_stack(|| apart(|| Box::new(Keyring::generate(Timestamp::from_unix(0)))));
    let json = ring.expect("randomness").to_json();
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let mut secrets = Secrets::default();
    for key in json["keys"].as_array().expect("keys") {
        let text = key["material"].as_str().expect("a string");
        secrets.add("root key in base64", text.as_bytes());
        secrets.add("root key", &Base64::decode_vec(text).expect("base64"));
    }
    assert_eq!(secrets.found_in(&stack), []);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "the dev profile copies at each move; the release profile is what is shipped")]
fn writing_copying_and_showing_a_keyring_leaves_no_root_key_on_the_stack() {
    let ring = ring();
    assert_nothing_left(|| ring.to_json());
    assert_nothing_left(|| ring.clone());
    assert_nothing_left(|| ring.keys()[0].fingerprint());
    assert_nothing_left(|| format!("{ring:?}"));
    assert_nothing_left(move || drop(ring));
}

#[test]
fn reading_a_keyring_frees_no_memory_that_holds_a_root_key() {
    let on_disk = OnDisk::new("heap-read");
    let file = file();
    for secret in first_key() {
        let (finds, _) = finds_in_freed_memory(&secret, || drop(Keyring::parse(file.as_bytes())));
        assert_eq!(finds, 0, "parse");
        let (finds, _) = finds_in_freed_memory(&secret, || drop(keyring_file::read(&on_disk.0, on_disk.owner())));
        assert_eq!(finds, 0, "read");
        let (finds, _) = finds_in_freed_memory(&secret, || drop(keyring_file::read_stream(file.as_bytes())));
        assert_eq!(finds, 0, "read_stream");
    }
}

#[test]
fn refusing_a_keyring_frees_no_memory_that_holds_a_root_key() {
    let repeated = file().replacen("\"id\": 9", "\"id\": 1", 1);
    for secret in first_key() {
        let (finds, parsed) = finds_in_freed_memory(&secret, || Keyring::parse(repeated.as_bytes()).map(drop));
        assert!(parsed.is_err());
        assert_eq!(finds, 0);
    }
}

#[test]
fn changing_a_keyring_frees_no_memory_that_holds_a_root_key() {
    let on_disk = OnDisk::new("heap-change");
    for secret in first_key() {
        let mut ring = ring();
        let (finds, ()) = finds_in_freed_memory(&secret, || {
            for _ in 0..KEYS {
                ring.rotate(Purpose::Encryption, Timestamp::from_unix(0)).expect("randomness");
            }
            drop(ring);
        });
        assert_eq!(finds, 0, "rotate");
        let (finds, updated) = finds_in_freed_memory(&secret, || {
            keyring_file::update(&on_disk.0, on_disk.owner(), |ring| {
                ring.rotate(Purpose::Encryption, Timestamp::from_unix(0))
            })
            .map(drop)
        });
        assert!(updated.is_ok());
        assert_eq!(finds, 0, "update");
    }
}

#[test]
fn writing_and_copying_a_keyring_frees_no_memory_that_holds_a_root_key() {
    for secret in first_key() {
        let ring = ring();
        assert_eq!(finds_in_freed_memory(&secret, || drop(ring.to_json())).0, 0, "to_json");
        assert_eq!(finds_in_freed_memory(&secret, || drop(ring.clone())).0, 0, "clone");
        assert_eq!(finds_in_freed_memory(&secret, || drop(ring)).0, 0, "drop");
    }
}

/// Proves that the tests above would notice.
#[test]
fn a_copy_on_the_heap_that_is_not_erased_is_caught() {
    let [material, _] = first_key();
    assert!(finds_in_freed_memory(&material, || drop(material.clone())).0 > 0);
    let mut growing = Vec::with_capacity(32);
    growing.extend_from_slice(&material);
    assert!(finds_in_freed_memory(&material, || growing.reserve_exact(100)).0 > 0);
}
