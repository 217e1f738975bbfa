//! Sealed values as they are stored.

use base64ct::{Base64UrlUnpadded, Encoding};

/// The bytes that a stored form stands for.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn stored_bytes(form: &str) -> Vec<u8> {
    let body = form.strip_prefix("cordon1:").unwrap_or_else(|| panic!("not a stored form: {form}"));
    Base64UrlUnpadded::decode_vec(body).expect("base64url")
}

/// The stored form of bytes.
#[must_use]
pub fn stored_form(bytes: &[u8]) -> String {
    format!("cordon1:{}", Base64UrlUnpadded::encode_string(bytes))
}
