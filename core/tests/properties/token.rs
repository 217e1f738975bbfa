//! Tokens and their hashes.

use cordon_core::{Error, MacKey, Scope, TokenHash, token};
use proptest::prelude::*;

use crate::{cases, common};

const PURPOSE: &[u8] = b"reset";

fn key(id: u32) -> MacKey {
    MacKey::derive(&common::root(id), Scope::Shared)
}

/// Text as SQL has it: not empty, without a zero byte.
fn text() -> impl Strategy<Value = Vec<u8>> {
    "[^\0]{1,80}".prop_map(String::into_bytes)
}

fn prefix() -> impl Strategy<Value = Vec<u8>> {
    "([A-Za-z0-9_]{0,31}[A-Za-z0-9])?".prop_map(String::into_bytes)
}

fn generated(prefix: &[u8]) -> Vec<u8> {
    let mut token = vec![0; token::generated_len(prefix).expect("a prefix")];
    token::generate(prefix, &mut token).expect("random bytes");
    token
}

fn successor(id: u32, purpose: &[u8], of: &[u8]) -> Vec<u8> {
    let root = common::root(id);
    let successor = token::Successor::of(&root, purpose, of).expect("a generated token");
    let mut token = vec![0; successor.len()];
    successor.write(&mut token).expect("the length is right");
    token
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_hash_matches_its_token_and_purpose_under_its_key_alone(token in text(), other in text(), purpose in text()) {
        let (key, other_key) = (key(1), key(2));
        let by_token = TokenHash::of_token(&key, &purpose, &token)?;
        let by_digest = TokenHash::of_sha256(&key, &purpose, &token::sha256(&token));
        prop_assert!(by_token != by_digest);
        for hash in [by_token, by_digest] {
            prop_assert_eq!(hash.matches(&key, &purpose, &token), Ok(true));
            prop_assert_eq!(hash.matches(&key, &purpose, &other), Ok(other == token));
            prop_assert_eq!(hash.matches(&key, &other, &token), Ok(other == purpose));
            prop_assert_eq!(hash.matches(&key, b"", &token), Ok(false));
            prop_assert_eq!(hash.matches(&other_key, &purpose, &token), Ok(false));
            prop_assert_eq!(hash.matches(&key, &purpose, b""), Err(Error::EmptyToken));
        }
    }

    #[test]
    fn where_the_purpose_ends_matters(head in text(), middle in text(), tail in text()) {
        let one = TokenHash::of_token(&key(1), &head, &[&*middle, &*tail].concat())?;
        let other = TokenHash::of_token(&key(1), &[&*head, &*middle].concat(), &tail)?;
        prop_assert!(one != other);
    }

    #[test]
    fn a_stolen_hash_presented_as_a_token_matches_nothing(token in text()) {
        let key = key(1);
        let hash = TokenHash::of_token(&key, PURPOSE, &token)?;
        let imported = TokenHash::of_sha256(&key, PURPOSE, &token::sha256(&token));
        for stolen in [hash, imported] {
            for presented in [stolen.to_text().to_vec(), stolen.as_bytes()[6..].to_vec(), token::sha256(&token).to_vec()] {
                prop_assert_eq!(hash.matches(&key, PURPOSE, &presented), Ok(false));
                prop_assert_eq!(imported.matches(&key, PURPOSE, &presented), Ok(false));
            }
        }
    }

    #[test]
    fn a_hash_has_one_text_form(token in text(), at: prop::sample::Index, byte: u8) {
        let hash = TokenHash::of_token(&key(1), PURPOSE, &token)?;
        let mut text = hash.to_text();
        prop_assert_eq!(TokenHash::from_text(&text), Ok(hash));
        prop_assert_eq!(TokenHash::from_bytes(hash.as_bytes()), Ok(hash));
        let at = at.index(text.len());
        let before = text[at];
        text[at] = byte;
        prop_assert!(byte == before || TokenHash::from_text(&text) != Ok(hash));
        prop_assert_eq!(TokenHash::from_text(&text[1..]), Err(Error::NotTokenHash));
        prop_assert_eq!(TokenHash::from_text(&text[..text.len() - 1]), Err(Error::NotTokenHash));
    }

    #[test]
    fn other_texts_and_bytes_are_no_hashes(text in crate::bytes(80), head: [u8; 2]) {
        prop_assert_eq!(TokenHash::from_text(&text), Err(Error::NotTokenHash));
        let bytes: Vec<u8> = head.into_iter().chain([7; 36]).collect();
        prop_assert_eq!(TokenHash::from_bytes(&bytes).is_ok(), head == [1, 1] || head == [1, 2]);
        prop_assert_eq!(TokenHash::from_bytes(&[&*bytes, &[0]].concat()), Err(Error::NotTokenHash));
    }

    #[test]
    fn a_generated_token_has_its_shape(prefix in prefix()) {
        let (one, other) = (generated(&prefix), generated(&prefix));
        prop_assert!(one != other);
        prop_assert!(token::checksum_ok(&one));
        let head = if prefix.is_empty() { vec![] } else { [&*prefix, b"_"].concat() };
        prop_assert!(one.starts_with(&head));
        prop_assert_eq!(one.len(), head.len() + 36);
        prop_assert!(one[head.len()..].iter().all(u8::is_ascii_alphanumeric));
    }

    #[test]
    fn a_typing_error_in_a_generated_token_is_seen(prefix in prefix(), at: prop::sample::Index, byte: u8) {
        let token = generated(&prefix);
        let at = at.index(token.len());
        let mut typed = token.clone();
        typed[at] = byte;
        prop_assert_eq!(token::checksum_ok(&typed), typed == token);
        let mut swapped = token.clone();
        swapped.swap(at, (at + 1) % token.len());
        prop_assert_eq!(token::checksum_ok(&swapped), swapped == token);
        prop_assert!(!token::checksum_ok(&token[1..]) && !token::checksum_ok(&token[..token.len() - 1]));
    }

    #[test]
    fn a_successor_is_the_same_each_time_and_depends_on_key_purpose_and_token(prefix in prefix()) {
        let token = generated(&prefix);
        let next = successor(1, PURPOSE, &token);
        prop_assert!(token::checksum_ok(&next));
        prop_assert_eq!(next.len(), token.len());
        prop_assert_eq!(&next[..next.len() - 36], &token[..token.len() - 36]);
        prop_assert_eq!(&next, &successor(1, PURPOSE, &token));
        for other in [
            successor(2, PURPOSE, &token), successor(1, b"other", &token), successor(1, PURPOSE, &next), token.clone(),
        ] {
            prop_assert!(next != other);
        }
    }

    #[test]
    fn other_prefixes_are_refused(prefix in crate::bytes(40)) {
        let fine = prefix.len() <= 32
            && !prefix.ends_with(b"_")
            && prefix.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        prop_assert_eq!(token::generated_len(&prefix).is_ok(), fine);
    }

    #[test]
    fn a_digest_is_64_hexadecimal_digits(digest: [u8; 32], at: prop::sample::Index, byte: u8) {
        let mut digits = hex::encode(digest).into_bytes();
        prop_assert_eq!(token::sha256_from_hex(&digits), Ok(digest));
        prop_assert_eq!(token::sha256_from_hex(&digits.to_ascii_uppercase()), Ok(digest));
        prop_assert_eq!(token::sha256_from_hex(&digits[1..]), Err(Error::NotSha256));
        digits[at.index(64)] = byte;
        prop_assert_eq!(token::sha256_from_hex(&digits).is_ok(), byte.is_ascii_hexdigit());
    }
}

#[test]
fn every_digit_is_equally_likely() {
    let mut counts = [0u32; 128];
    for _ in 0..4000 {
        generated(b"")[..30].iter().for_each(|digit| counts[usize::from(*digit)] += 1);
    }
    // 1,935 expected of each; twelve standard deviations, so that it fails for bias and not by chance.
    for digit in (b'0'..=b'9').chain(b'A'..=b'Z').chain(b'a'..=b'z') {
        let count = counts[usize::from(digit)];
        assert!((1400..2500).contains(&count), "{}: {count}", char::from(digit));
    }
}

#[test]
fn only_generated_tokens_have_successors() {
    let root = common::root(1);
    for token in [&b""[..], b"x", b"a token from elsewhere that is long enough to be one"] {
        assert_eq!(token::Successor::of(&root, PURPOSE, token).err(), Some(Error::NotGenerated));
    }
}
