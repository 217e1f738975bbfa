//! The stored form: one text for each value, one value for each text.

use cordon_core::{Error, Kind, stored_form};
use proptest::{
    prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, proptest},
    prop_oneof,
    sample::Index,
};

use crate::{bytes, cases};

/// Bytes that parse as a value.
fn value(kind: Kind) -> impl Strategy<Value = Vec<u8>> {
    bytes(200).prop_map(move |mut rest| {
        rest.resize(rest.len().max(48), 0x5A);
        [vec![1, kind as u8], rest].concat()
    })
}

fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut text = vec![0; stored_form::encoded_len(bytes.len())];
    stored_form::encode(bytes, &mut text).expect("the length is right");
    text
}

fn decode(text: &[u8], kind: Kind) -> Result<Vec<u8>, Error> {
    let (body, len) = stored_form::body(text)?;
    let mut bytes = vec![0; len];
    stored_form::decode(body, kind, &mut bytes).map(|()| bytes)
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn decoding_gives_back_what_was_encoded(value in value(Kind::Tenant)) {
        let text = encode(&value);
        prop_assert!(text.starts_with(b"cordon1:") && text.is_ascii());
        prop_assert_eq!(decode(&text, Kind::Tenant), Ok(value));
    }

    #[test]
    fn no_other_text_stands_for_the_same_value(value in value(Kind::Shared), at: Index, byte: u8, insert: bool) {
        let text = encode(&value);
        let at = at.index(text.len());
        let mut other = text.clone();
        if insert {
            other.insert(at, byte);
        } else {
            other[at] = byte;
        }
        match decode(&other, Kind::Shared) {
            Ok(decoded) => prop_assert_eq!(encode(&decoded), other),
            Err(error) => prop_assert!(matches!(
                error,
                Error::NotStoredForm | Error::MalformedStoredForm | Error::UnknownVersion(_) | Error::OtherKind
            )),
        }
    }

    #[test]
    fn white_space_and_padding_are_refused(value in value(Kind::Tenant), at: Index, foreign in prop_oneof![
        Just(b' '), Just(b'\t'), Just(b'\n'), Just(b'\r'), Just(b'='), Just(b'+'), Just(b'/'), Just(b'.'), Just(0)
    ]) {
        let mut text = encode(&value);
        let at = stored_form::PREFIX.len() + at.index(text.len() - stored_form::PREFIX.len() + 1);
        text.insert(at, foreign);
        prop_assert_eq!(decode(&text, Kind::Tenant), Err(Error::MalformedStoredForm));
    }

    #[test]
    fn bits_after_the_last_byte_are_refused(mut value in value(Kind::Tenant)) {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        if value.len() % 3 == 0 {
            value.push(0x5A);
        }
        let text = encode(&value);
        let (last, beginning) = text.split_last().expect("the prefix at least");
        let canonical = ALPHABET.iter().position(|letter| letter == last).expect("of the alphabet");
        let unused_bits: u8 = if value.len() % 3 == 1 { 4 } else { 2 };
        for bits in 1..1 << unused_bits {
            let other = [beginning, &[ALPHABET[canonical | bits]]].concat();
            prop_assert_eq!(decode(&other, Kind::Tenant), Err(Error::MalformedStoredForm));
        }
    }

    #[test]
    fn a_value_of_another_kind_is_told_apart(value in value(Kind::Shared)) {
        prop_assert_eq!(decode(&encode(&value), Kind::Tenant), Err(Error::OtherKind));
    }

    #[test]
    fn a_value_of_a_later_version_is_told_apart(mut value in value(Kind::Tenant), version in 2u8..) {
        value[0] = version;
        prop_assert_eq!(decode(&encode(&value), Kind::Tenant), Err(Error::UnknownVersion(version)));
    }

    #[test]
    fn decoding_never_panics(text in bytes(200), out_len in 0usize..300) {
        let _ = decode(&text, Kind::Tenant);
        let _ = decode(&[stored_form::PREFIX, text.as_slice()].concat(), Kind::Tenant);
        let mut out = vec![0; out_len];
        let _ = stored_form::decode(&text, Kind::Tenant, &mut out);
    }

    #[test]
    fn memory_of_another_length_is_refused(value in value(Kind::Tenant), len in any::<Index>()) {
        let text = encode(&value);
        let (body, right) = stored_form::body(&text).expect("just encoded");
        let wrong = (right + 1 + len.index(right)) % (2 * right);
        prop_assert!(wrong != right);
        prop_assert_eq!(
            stored_form::decode(body, Kind::Tenant, &mut vec![0; wrong]),
            Err(Error::MalformedStoredForm)
        );
        let text_len = stored_form::encoded_len(value.len());
        for wrong in [0, text_len - 1, text_len + 1] {
            prop_assert_eq!(stored_form::encode(&value, &mut vec![0; wrong]), Err(Error::MalformedStoredForm));
        }
    }
}

#[test]
fn the_standard_alphabet_is_refused() {
    let mut value = vec![0xFF; 51];
    (value[0], value[1]) = (1, 0);
    let text = String::from_utf8(encode(&value)).expect("ASCII");
    assert!(text.contains('_'), "the sample does not show the difference");
    assert_eq!(decode(text.replace('_', "/").as_bytes(), Kind::Tenant), Err(Error::MalformedStoredForm));
    assert_eq!(decode(text.as_bytes(), Kind::Tenant), Ok(value));
}

#[test]
fn text_that_is_no_value_is_malformed() {
    for len in 0..50 {
        let short = [1].into_iter().chain(std::iter::repeat_n(0, 49)).take(len).collect::<Vec<_>>();
        assert_eq!(decode(&encode(&short), Kind::Tenant), Err(Error::MalformedStoredForm), "{len} bytes");
    }
}

#[test]
fn plaintext_and_a_changed_prefix_are_not_the_stored_form() {
    for text in ["", "ghp_x", "cordon1", "cordon2:AQ", "CORDON1:AQ", " cordon1:AQ", "\u{feff}cordon1:AQ"] {
        assert_eq!(decode(text.as_bytes(), Kind::Tenant), Err(Error::NotStoredForm), "{text:?}");
    }
}
