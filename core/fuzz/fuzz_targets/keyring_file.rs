//! Bytes that claim to be a keyring: nothing panics, what is read is written and read the same, and an error says
//! nothing that was in the file.

#![no_main]

use cordon_core::{Keyring, keyring::KeyringFault};
use libfuzzer_sys::fuzz_target;

/// Shortest run of base64 that counts as a part of a key: longer than any word of an error message.
const PART: usize = 16;

fuzz_target!(|data: &[u8]| {
    match Keyring::parse(data) {
        Ok(ring) => {
            let json = ring.to_json();
            let again = Keyring::parse(&json).expect("what is written is valid");
            assert_eq!(again.to_json(), json);
        }
        Err(fault) => says_nothing_of(data, &fault),
    }
});

fn says_nothing_of(data: &[u8], fault: &KeyringFault) {
    let text = format!("{fault} {fault:?}");
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
    let parts = data.windows(PART).filter(|part| part.iter().all(is_base64));
    for part in parts {
        let shown = text.as_bytes().windows(PART).any(|window| window == part);
        assert!(!shown, "the error shows what was in the file: {text}");
    }
}
