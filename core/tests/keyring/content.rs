//! What the bytes of a keyring must be: one test for each [`KeyringFault`].

use base64ct::{Base64, Encoding};
use cordon_core::{Error, Keyring, Purpose, Timestamp, keyring::KeyringFault};

use crate::{ENABLED, ENTRY, Entry, file_of};

fn fault(file: &str) -> KeyringFault {
    match Keyring::parse(file.as_bytes()) {
        Err(fault) => fault,
        Ok(_) => panic!("accepted: {file}"),
    }
}

fn fault_of(entry: Entry<'_>) -> KeyringFault {
    fault(&file_of(&[entry]))
}

#[test]
fn a_valid_keyring_is_read() {
    let ring = Keyring::parse(file_of(&[ENTRY, ENABLED]).as_bytes()).expect("valid");
    assert_eq!(ring.keys().len(), 2);
    assert_eq!(ring.primary(Purpose::Encryption).map(|key| key.id), Ok(2_868_203_317));
}

#[test]
fn anything_but_json_is_refused() {
    let valid = file_of(&[ENTRY]);
    for file in [
        "",
        "[",
        "keyring",
        &valid[..valid.len() - 1],
        &format!("{valid}}}"),
        &format!("\u{feff}{valid}"),
        &valid.replace("}]", "},]"),
        &valid.replace("\"version\"", "version"),
        &format!("{valid} // the keyring"),
    ] {
        assert!(matches!(fault(file), KeyringFault::NotJson(_)), "{file}: {}", fault(file));
    }
    assert!(matches!(Keyring::parse(b"\xff"), Err(KeyringFault::NotJson(_))));
}

#[test]
fn the_place_of_a_json_error_is_told() {
    let damaged = file_of(&[ENTRY, ENABLED]).replace(r#""id": 7"#, r#""id" 7"#);
    assert_eq!(fault(&damaged).to_string(), "not JSON at line 2, column 7");
}

#[test]
fn a_value_of_another_type_is_refused() {
    for entry in [
        Entry { id: r#""2868203317""#, ..ENTRY },
        Entry { id: "-1", ..ENTRY },
        Entry { id: "4294967296", ..ENTRY },
        Entry { id: "1.5", ..ENTRY },
        Entry { id: "null", ..ENTRY },
        Entry { purpose: r#""Encryption""#, ..ENTRY },
        Entry { purpose: r#""signing""#, ..ENTRY },
        Entry { status: r#""active""#, ..ENTRY },
        Entry { created_at: "1795132800", ..ENTRY },
        Entry { material: "null", ..ENTRY },
        Entry { material: "[13, 117, 243]", ..ENTRY },
    ] {
        assert!(matches!(fault_of(entry), KeyringFault::UnknownValue(_)), "{}: {}", entry.json(), fault_of(entry));
    }
    for file in [r#"{"version": "1", "keys": []}"#, r#"{"version": 1, "keys": {}}"#, "[]", "null", "1"] {
        let found = fault(file);
        assert!(matches!(found, KeyringFault::UnknownValue(_) | KeyringFault::MissingField(_)), "{file}: {found}");
    }
}

#[test]
fn an_escape_in_a_string_is_refused() {
    let escaped = Entry { material: r#""DXXzNjmNVYZDdSbD4x2HuzywTnhU6sM2SjFjHEVo00Y\u003d""#, ..ENTRY };
    assert!(matches!(fault_of(escaped), KeyringFault::UnknownValue(_)));
}

#[test]
fn an_unknown_field_is_refused() {
    let valid = file_of(&[ENTRY]);
    for file in [valid.replace("\"id\"", "\"note\": 1, \"id\""), valid.replace("\"keys\"", "\"note\": 1, \"keys\"")] {
        assert!(matches!(fault(&file), KeyringFault::UnknownField(_)), "{file}: {}", fault(&file));
    }
}

#[test]
fn a_field_twice_is_refused() {
    let valid = file_of(&[ENTRY]);
    for field in ["id", "purpose", "status", "created_at", "material"] {
        let twice = valid.replace(&format!("\"{field}\""), &format!("\"{field}\": {}, \"{field}\"", value_of(field)));
        assert!(matches!(fault(&twice), KeyringFault::DuplicateField(_)), "{twice}: {}", fault(&twice));
    }
    for twice in [r#"{"version": 1, "version": 1, "keys": []}"#, r#"{"version": 1, "keys": [], "keys": []}"#] {
        assert!(matches!(fault(twice), KeyringFault::DuplicateField(_)), "{twice}: {}", fault(twice));
    }
}

#[test]
fn a_missing_field_is_refused() {
    let valid = file_of(&[ENTRY]);
    for field in ["id", "purpose", "status", "created_at", "material"] {
        let without = valid.replace(&format!("\"{field}\": {}", value_of(field)), "").replace("{, ", "{");
        let without = without.replace(", , ", ", ").replace(", }", "}");
        assert!(matches!(fault(&without), KeyringFault::MissingField(_)), "{without}: {}", fault(&without));
    }
    for file in ["{}", r#"{"keys": []}"#, r#"{"version": 1}"#] {
        assert!(matches!(fault(file), KeyringFault::MissingField(_)), "{file}: {}", fault(file));
    }
}

fn value_of(field: &str) -> &'static str {
    match field {
        "id" => ENTRY.id,
        "purpose" => ENTRY.purpose,
        "status" => ENTRY.status,
        "created_at" => ENTRY.created_at,
        _ => ENTRY.material,
    }
}

#[test]
fn another_version_is_called_so_whatever_its_fields_are() {
    let later = file_of(&[ENTRY]).replace("\"version\": 1", "\"version\": 2");
    assert_eq!(fault(&later), KeyringFault::UnknownVersion);
    assert_eq!(fault(&later.replace("\"keys\"", "\"vault\"")), KeyringFault::UnknownVersion);
    assert_eq!(fault(r#"{"version": 0, "keys": []}"#), KeyringFault::UnknownVersion);
}

#[test]
fn the_id_zero_is_refused() {
    assert_eq!(fault_of(Entry { id: "0", ..ENTRY }), KeyringFault::ZeroId);
}

#[test]
fn two_keys_of_one_id_are_refused() {
    let ring = [ENTRY, Entry { id: ENTRY.id, ..ENABLED }];
    assert_eq!(fault(&file_of(&ring)), KeyringFault::DuplicateId(2_868_203_317));
    let other_purpose = [ENTRY, Entry { id: ENTRY.id, purpose: r#""search""#, status: ENTRY.status, ..ENABLED }];
    assert_eq!(fault(&file_of(&other_purpose)), KeyringFault::DuplicateId(2_868_203_317));
}

#[test]
fn a_creation_time_in_another_form_is_refused() {
    for created_at in [r#""""#, r#""2026-11-20""#, r#""2026-11-20T00:00:00+00:00""#, r#""2026-02-30T00:00:00Z""#] {
        assert_eq!(fault_of(Entry { created_at, ..ENTRY }), KeyringFault::CreatedAt(2_868_203_317), "{created_at}");
    }
}

#[test]
fn material_that_is_not_standard_base64_is_refused() {
    for material in [
        r#""DXXzNjmNVYZDdSbD4x2HuzywTnhU6sM2SjFjHEVo00Y""#,   // no padding
        r#""DXXzNjmNVYZDdSbD4x2HuzywTnhU6sM2SjFjHEVo00Z=""#,  // bits after the last byte
        r#""DXXzNjmNVYZDdSbD4x2HuzywTnhU6sM2SjFjHEVo0-Y=""#,  // base64url
        r#"" DXXzNjmNVYZDdSbD4x2HuzywTnhU6sM2SjFjHEVo00Y=""#, // white space
        r#""DXXzNjmN VYZDdSbD4x2HuzywTnhU6sM2SjFjHEVo00Y=""#,
        r#""a password with a length of forty-four char=""#,
    ] {
        assert_eq!(fault_of(Entry { material, ..ENTRY }), KeyringFault::NotBase64(2_868_203_317), "{material}");
    }
}

#[test]
fn material_of_another_length_is_refused() {
    for material in [
        r#""""#,
        r#""DXXzNjmNVYZDdSbD4x2Huw==""#,
        r#""DXXzNjmNVYZDdSbD4x2HuzywTnhU6sM2SjFjHEVo0w==""#,
        r#""DXXzNjmNVYZDdSbD4x2HuzywTnhU6sM2SjFjHEVo00ZG""#,
        // 32 bytes in hexadecimal are base64 of 48.
        r#""0d75f336398d5586437526c3e31d87bb3cb04e7854eac3364a31631c4568d346""#,
    ] {
        assert_eq!(fault_of(Entry { material, ..ENTRY }), KeyringFault::MaterialLength(2_868_203_317), "{material}");
    }
}

#[test]
fn material_of_zeros_is_refused() {
    let material = r#""AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=""#;
    assert_eq!(fault_of(Entry { material, ..ENTRY }), KeyringFault::ZeroMaterial(2_868_203_317));
}

#[test]
fn material_of_fewer_than_sixteen_distinct_bytes_is_refused() {
    for material in [
        r#""AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=""#, // 1
        r#""AQIDBAUGBwgJCgsMDQ4PAQIDBAUGBwgJCgsMDQ4PAQI=""#, // 1 to 15
    ] {
        assert_eq!(fault_of(Entry { material, ..ENTRY }), KeyringFault::WeakMaterial(2_868_203_317), "{material}");
    }
    let sixteen = Entry { material: r#""AQIDBAUGBwgJCgsMDQ4PEAECAwQFBgcICQoLDA0ODxA=""#, ..ENTRY };
    assert!(Keyring::parse(file_of(&[sixteen]).as_bytes()).is_ok());
}

#[test]
fn the_material_of_another_key_is_refused() {
    let same_purpose = [ENTRY, Entry { material: ENTRY.material, ..ENABLED }];
    assert_eq!(fault(&file_of(&same_purpose)), KeyringFault::RepeatedMaterial(7));
    let other_purpose = [ENTRY, Entry { id: "7", purpose: r#""token""#, ..ENTRY }];
    assert_eq!(fault(&file_of(&other_purpose)), KeyringFault::RepeatedMaterial(7));
}

#[test]
fn two_primary_keys_for_a_purpose_are_refused() {
    let ring = [ENTRY, Entry { status: ENTRY.status, ..ENABLED }];
    assert_eq!(fault(&file_of(&ring)), KeyringFault::SecondPrimary(Purpose::Encryption));
    let fernet = ring.map(|entry| Entry { purpose: r#""fernet""#, ..entry });
    assert_eq!(fault(&file_of(&fernet)), KeyringFault::SecondPrimary(Purpose::Fernet));
}

#[test]
fn a_purpose_without_a_primary_key_is_refused() {
    assert_eq!(fault_of(ENABLED), KeyringFault::NoPrimary(Purpose::Encryption));
    let disabled = Entry { status: r#""disabled""#, purpose: r#""token""#, ..ENABLED };
    assert_eq!(fault(&file_of(&[ENTRY, disabled])), KeyringFault::NoPrimary(Purpose::Token));
}

#[test]
fn fernet_keys_need_no_primary_key() {
    let fernet = Entry { purpose: r#""fernet""#, ..ENABLED };
    assert!(Keyring::parse(file_of(&[ENTRY, fernet]).as_bytes()).is_ok());
}

#[test]
fn fernet_keys_are_taken_as_fernet_prints_them() {
    for material in [
        r#""cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=""#,
        r#""cw/0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4=""#,
        // What an application used is not for us to judge: a key of one letter.
        r#""YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=""#,
    ] {
        let fernet = Entry { purpose: r#""fernet""#, material, ..ENABLED };
        assert!(Keyring::parse(file_of(&[ENTRY, fernet]).as_bytes()).is_ok(), "{material}");
        let other = Entry { material, ..ENABLED };
        let is_standard_and_strong = material.contains('+');
        assert_eq!(Keyring::parse(file_of(&[ENTRY, other]).as_bytes()).is_ok(), is_standard_and_strong, "{material}");
    }
    let mixed =
        Entry { purpose: r#""fernet""#, material: r#""cw_0x689RpI+jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=""#, ..ENABLED };
    assert_eq!(fault(&file_of(&[ENTRY, mixed])), KeyringFault::NotBase64(7));
}

#[test]
fn a_passphrase_of_any_length_is_kept_through_a_change() {
    for len in [1, 31, 32, 33, 1024] {
        let material = format!("\"{}\"", Base64::encode_string(&vec![b'p'; len]));
        let passphrase = Entry { purpose: r#""pgcrypto""#, material: &material, ..ENABLED };
        let mut ring = Keyring::parse(file_of(&[ENTRY, passphrase]).as_bytes()).expect("valid");
        ring.rotate(Purpose::Encryption, Timestamp::from_unix(0)).expect("a new key");
        let again = Keyring::parse(&ring.to_json()).expect("valid");
        let material = again.keys().iter().find(|key| key.id == 7).expect("the passphrase").material.expose().to_vec();
        assert_eq!(material, vec![b'p'; len]);
    }
    for material in [String::new(), Base64::encode_string(&[b'p'; 1025])] {
        let passphrase = Entry { purpose: r#""pgcrypto""#, material: &format!("\"{material}\""), ..ENABLED };
        assert_eq!(fault(&file_of(&[ENTRY, passphrase])), KeyringFault::PassphraseLength(7));
    }
}

#[test]
fn keys_that_only_import_are_disabled_in_any_state() {
    let fernet = Entry { purpose: r#""fernet""#, status: r#""primary""#, ..ENABLED };
    let mut ring = Keyring::parse(file_of(&[ENTRY, fernet]).as_bytes()).expect("valid");
    assert!(ring.disable(7).is_ok());
    assert!(ring.usable_for(Purpose::Fernet).next().is_none());
    assert!(ring.rotate(Purpose::Pgcrypto, Timestamp::from_unix(0)).is_err());
}

#[test]
fn an_empty_keyring_holds_no_key_to_seal_with() {
    let ring = Keyring::parse(file_of(&[]).as_bytes()).expect("valid");
    let primary = ring.primary(Purpose::Encryption).map(|key| key.id);
    assert_eq!(primary, Err(Error::NoPrimaryKey(Purpose::Encryption)));
}
