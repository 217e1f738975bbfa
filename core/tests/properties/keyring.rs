//! Keyrings: what is written is what is read, and nothing makes reading panic.

use cordon_core::{Key, Keyring, Purpose, Status, Timestamp};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_assert_eq, proptest},
    prop_oneof,
    sample::Index,
};

use crate::{bytes, cases};

/// A keyring after that many rotations and status changes.
fn keyring() -> impl Strategy<Value = Keyring> {
    let purpose = prop_oneof![Just(Purpose::Encryption), Just(Purpose::Search), Just(Purpose::Token)];
    let change = (purpose, any::<Index>(), any::<bool>(), 0..u64::MAX);
    (vec(change, 0..6), any::<u32>()).prop_map(|(changes, created_at)| {
        let mut ring = Keyring::generate(Timestamp::from_unix(u64::from(created_at))).expect("randomness");
        for (purpose, which, disable, at) in changes {
            ring.rotate(purpose, Timestamp::from_unix(at)).expect("randomness");
            let id = which.get(ring.keys()).id;
            // Refused for a primary key, which then stays as it was.
            let _ = if disable { ring.disable(id) } else { ring.enable(id) };
        }
        ring
    })
}

type Fields = (u32, Purpose, Status, Timestamp, String);

/// All there is to see of a key. The fingerprint stands for the material, which is not to be seen.
fn fields(key: &Key) -> Fields {
    (key.id, key.purpose, key.status, key.created_at, key.fingerprint())
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_keyring_is_read_as_it_was_written(ring in keyring()) {
        let json = ring.to_json();
        let read = Keyring::parse(&json).expect("what is written is valid");
        let rewritten = read.to_json();
        let expected: Vec<_> = ring.keys().iter().map(fields).collect();
        prop_assert_eq!(read.keys().iter().map(fields).collect::<Vec<_>>(), expected);
        prop_assert_eq!(rewritten.as_slice(), json.as_slice());
    }

    #[test]
    fn each_purpose_has_one_primary_key_after_any_rotations(ring in keyring()) {
        for purpose in [Purpose::Encryption, Purpose::Search, Purpose::Token] {
            let is_primary = |key: &&Key| key.purpose == purpose && key.status == Status::Primary;
            prop_assert_eq!(ring.keys().iter().filter(is_primary).count(), 1);
            let newest = ring.keys().iter().rfind(|key| key.purpose == purpose).map(|key| key.id);
            prop_assert_eq!(ring.primary(purpose).map(|key| key.id).ok(), newest);
        }
    }
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn no_bytes_make_parsing_panic(bytes in bytes(300)) {
        let _ = Keyring::parse(&bytes);
    }

    #[test]
    fn no_damage_to_a_keyring_makes_parsing_panic(at: Index, new in bytes(8), cut in 0usize..8) {
        const VALID: &[u8] = br#"{"version": 1, "keys": [
            {"id": 2868203317, "purpose": "encryption", "status": "primary", "created_at": "2026-11-20T00:00:00Z",
             "material": "DXXzNjmNVYZDdSbD4x2HuzywTnhU6sM2SjFjHEVo00Y="}]}"#;
        assert!(Keyring::parse(VALID).is_ok());
        let from = at.index(VALID.len());
        let to = VALID.len().min(from + cut);
        let _ = Keyring::parse(&[&VALID[..from], &new, &VALID[to..]].concat());
    }
}
