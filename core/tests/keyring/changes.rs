//! What may be done with a keyring in memory, and which key serves for what.

use cordon_core::{Error, Keyring, Purpose, Status, Timestamp, keyring::ChangeFault};

use crate::{ENABLED, ENTRY, Entry, file_of};

const NOW: u64 = 1_795_132_800;

fn ring() -> Keyring {
    let search = Entry {
        id: "9",
        purpose: r#""search""#,
        material: r#""nGvf28kHI9GjqAIxbcRylMAz6HuODwuwkmbK0owlnTs=""#,
        ..ENTRY
    };
    Keyring::parse(file_of(&[ENTRY, ENABLED, search]).as_bytes()).expect("valid")
}

#[test]
fn a_new_keyring_has_a_primary_key_for_each_purpose_that_makes_new_values() {
    let ring = Keyring::generate(Timestamp::from_unix(NOW)).expect("randomness");
    for purpose in [Purpose::Encryption, Purpose::Search, Purpose::Token] {
        assert!(ring.primary(purpose).is_ok(), "{purpose}");
    }
    assert_eq!(ring.primary(Purpose::Fernet).map(|key| key.id), Err(Error::NoPrimaryKey(Purpose::Fernet)));
    assert!(ring.keys().iter().all(|key| key.created_at == Timestamp::from_unix(NOW)));
}

#[test]
fn two_new_keyrings_share_neither_ids_nor_material() {
    let fingerprints = || {
        let ring = Keyring::generate(Timestamp::from_unix(NOW)).expect("randomness");
        ring.keys().iter().map(|key| (key.id, key.fingerprint())).collect::<Vec<_>>()
    };
    let (one, other) = (fingerprints(), fingerprints());
    assert!(one.iter().all(|(id, print)| other.iter().all(|(other_id, other)| id != other_id && print != other)));
}

#[test]
fn after_a_rotation_new_values_take_the_new_key_and_old_ones_still_open() {
    let mut ring = ring();
    let id = ring.rotate(Purpose::Encryption, Timestamp::from_unix(NOW)).expect("randomness");
    assert_eq!(ring.primary(Purpose::Encryption).map(|key| key.id), Ok(id));
    let former = ring.usable(2_868_203_317, Purpose::Encryption).map(|key| key.status);
    assert_eq!(former, Ok(Status::Enabled));
    assert_eq!(ring.primary(Purpose::Search).map(|key| key.id), Ok(9), "the other purposes keep theirs");
}

#[test]
fn fernet_keys_are_not_generated() {
    let mut ring = ring();
    let rotated = ring.rotate(Purpose::Fernet, Timestamp::from_unix(NOW));
    assert_eq!(rotated, Err(ChangeFault::ImportOnly(Purpose::Fernet)));
    assert_eq!(ring.keys().len(), 3);
}

#[test]
fn the_primary_key_cannot_be_disabled_or_demoted() {
    let mut ring = ring();
    assert_eq!(ring.disable(2_868_203_317), Err(ChangeFault::Primary(2_868_203_317)));
    assert_eq!(ring.enable(2_868_203_317), Err(ChangeFault::Primary(2_868_203_317)));
    assert_eq!(ring.primary(Purpose::Encryption).map(|key| key.id), Ok(2_868_203_317));
}

#[test]
fn a_key_that_is_not_there_cannot_be_changed() {
    let mut ring = ring();
    assert_eq!(ring.disable(8), Err(ChangeFault::UnknownKey(8)));
    assert_eq!(ring.enable(8), Err(ChangeFault::UnknownKey(8)));
}

#[test]
fn a_disabled_key_opens_nothing_until_it_is_enabled_again() {
    let mut ring = ring();
    assert_eq!(ring.disable(7), Ok(()));
    assert_eq!(ring.usable(7, Purpose::Encryption).map(|key| key.id), Err(Error::DisabledKey(7)));
    assert_eq!(ring.enable(7), Ok(()));
    assert_eq!(ring.usable(7, Purpose::Encryption).map(|key| key.id), Ok(7));
}

#[test]
fn a_key_serves_its_own_purpose_only() {
    assert_eq!(ring().usable(9, Purpose::Encryption).map(|key| key.id), Err(Error::OtherPurpose(9)));
    assert_eq!(ring().usable(7, Purpose::Search).map(|key| key.id), Err(Error::OtherPurpose(7)));
}

#[test]
fn a_key_of_another_server_is_unknown() {
    assert_eq!(ring().usable(8, Purpose::Encryption).map(|key| key.id), Err(Error::UnknownKey(8)));
}

#[test]
fn purposes_have_the_names_of_the_file() {
    for (name, purpose) in [
        ("encryption", Purpose::Encryption),
        ("search", Purpose::Search),
        ("token", Purpose::Token),
        ("fernet", Purpose::Fernet),
        ("pgcrypto", Purpose::Pgcrypto),
    ] {
        assert_eq!(Purpose::from_name(name), Some(purpose));
        assert_eq!(purpose.to_string(), name);
    }
    assert_eq!(Purpose::from_name("Encryption"), None);
}
