//! Fernet tokens against the vectors of the specification, <https://github.com/fernet/spec>: `verify.json` and
//! `invalid.json`, with its descriptions. Tokens made by another implementation are read in `tests/`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use cordon_core::{
    Error, Keyring, Purpose,
    fernet::{self, Age},
};

/// The secret of every vector: a key as Fernet's libraries print it.
const SECRET: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const OTHER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// 1985-10-26T01:20:01-07:00
const NOW: u64 = 499_162_801;
const HELLO: &str =
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

fn open(token: &str, secrets: &[&str], age: Option<Age>) -> Result<Vec<u8>, Error> {
    let key = |(at, secret): (usize, &&str)| {
        format!(
            r#"{{"id": {}, "purpose": "fernet", "status": "enabled", "created_at": "2026-11-20T00:00:00Z", "material": "{secret}"}}"#,
            at + 1
        )
    };
    let keys: Vec<_> = secrets.iter().enumerate().map(key).collect();
    let ring = Keyring::parse(format!(r#"{{"version": 1, "keys": [{}]}}"#, keys.join(",")).as_bytes()).expect("valid");
    fernet::open(token.as_bytes(), ring.usable_for(Purpose::Fernet), age).map(|plaintext| plaintext.to_vec())
}

fn within_a_minute(now: u64) -> Option<Age> {
    Some(Age { max: 60, now })
}

#[test]
fn the_specifications_token_opens() {
    assert_eq!(open(HELLO, &[SECRET], within_a_minute(NOW)).as_deref(), Ok(b"hello".as_slice()));
    assert_eq!(open(HELLO, &[SECRET], None).as_deref(), Ok(b"hello".as_slice()), "of any age");
}

#[test]
fn the_specifications_invalid_tokens_do_not() {
    let no_key = Error::NoKeyOpens(Purpose::Fernet);
    for (description, token, now, expected) in [
        (
            "incorrect mac",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==",
            NOW,
            no_key,
        ),
        ("too short", "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==", NOW, Error::NotFernet),
        (
            "invalid base64",
            "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
            NOW,
            Error::NotFernet,
        ),
        (
            "payload size not multiple of block size",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm",
            NOW,
            Error::NotFernet,
        ),
        (
            "payload padding error",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==",
            NOW,
            Error::NotFernet,
        ),
        (
            "far-future TS",
            "gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==",
            NOW,
            Error::FromTheFuture,
        ),
        (
            "expired TTL",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==",
            NOW + 90,
            Error::Expired,
        ),
        (
            "incorrect IV",
            "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==",
            NOW,
            Error::NotFernet,
        ),
    ] {
        assert_eq!(open(token, &[SECRET], within_a_minute(now)), Err(expected), "{description}");
    }
}

#[test]
fn every_key_is_tried() {
    assert!(open(HELLO, &[OTHER, SECRET], None).is_ok());
    assert_eq!(open(HELLO, &[OTHER], None), Err(Error::NoKeyOpens(Purpose::Fernet)));
    assert_eq!(open(HELLO, &[], None), Err(Error::NoKeyOpens(Purpose::Fernet)));
}

#[test]
fn every_altered_byte_is_noticed() {
    for at in 0..HELLO.len() {
        for replacement in ['A', 'B', '-', '=', '\u{1}'] {
            let mut token: Vec<char> = HELLO.chars().collect();
            if token[at] == replacement {
                continue;
            }
            token[at] = replacement;
            let token: String = token.into_iter().collect();
            assert!(open(&token, &[SECRET], None).is_err(), "byte {at} altered to {replacement:?}");
        }
    }
    for len in 0..HELLO.len() {
        assert!(open(&HELLO[..len], &[SECRET], None).is_err(), "cut to {len}");
    }
}
