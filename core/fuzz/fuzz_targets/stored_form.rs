//! Text that claims to be the stored form: nothing panics, and each value has one text.

#![no_main]

use cordon_core::{Envelope, Kind, stored_form};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for kind in [Kind::Tenant, Kind::Shared] {
        decode(data, kind);
        decode(&[stored_form::PREFIX, data].concat(), kind);
        encode(data, kind);
    }
});

fn decode(text: &[u8], kind: Kind) {
    let Ok((body, len)) = stored_form::body(text) else { return };
    let mut bytes = vec![0; len];
    if stored_form::decode(body, kind, &mut bytes).is_err() {
        return;
    }
    assert_eq!(Envelope::parse(&bytes).map(|envelope| envelope.kind()), Ok(kind));
    assert_eq!(encoded(&bytes), text, "two texts stand for one value");
}

/// Takes the data as the bytes of a value.
fn encode(bytes: &[u8], kind: Kind) {
    let text = encoded(bytes);
    let (body, len) = stored_form::body(&text).expect("just encoded");
    assert_eq!(len, bytes.len());
    let mut decoded = vec![0; len];
    let is_a_value = Envelope::parse(bytes).is_ok_and(|envelope| envelope.kind() == kind);
    assert_eq!(stored_form::decode(body, kind, &mut decoded).is_ok(), is_a_value);
    assert!(!is_a_value || decoded == bytes);
}

fn encoded(bytes: &[u8]) -> Vec<u8> {
    let mut text = vec![0; stored_form::encoded_len(bytes.len())];
    stored_form::encode(bytes, &mut text).expect("the length is right");
    text
}
