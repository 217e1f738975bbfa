//! The identity of a tenant.

use core::fmt;

/// A tenant in its one canonical spelling.
///
/// Keys are derived from the spelling, so two spellings of one tenant would be two tenants: `42` could not open what
/// `042` sealed, although a `bigint` column holds them as one. Hence the rules of [`TenantId::parse`].
#[derive(Clone, Copy)]
pub struct TenantId {
    len: u8,
    bytes: [u8; Self::MAX_LEN],
}

/// The rule that a spelling breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TenantFault {
    /// Nothing to parse. (The setting takes the empty string as *unset*.)
    Empty,
    /// More than [`TenantId::MAX_LEN`] bytes.
    TooLong,
    /// Not UTF-8.
    NotUtf8,
    /// White space at the beginning or the end.
    SurroundingSpace,
    /// A control character.
    ControlCharacter,
    /// A whole number that is not in canonical decimal.
    Number,
    /// A UUID that is not in lower-case 8-4-4-4-12.
    Uuid,
}

impl TenantId {
    /// Longest tenant, in bytes of UTF-8.
    pub const MAX_LEN: usize = 128;

    /// Takes a tenant in its canonical spelling.
    ///
    /// # Errors
    /// The first [`TenantFault`] that applies.
    pub fn parse(spelling: &[u8]) -> Result<Self, TenantFault> {
        let Ok(text) = core::str::from_utf8(spelling) else {
            return Err(TenantFault::NotUtf8);
        };
        if text.is_empty() {
            return Err(TenantFault::Empty);
        }
        if text.trim().len() != text.len() {
            return Err(TenantFault::SurroundingSpace);
        }
        if text.chars().any(char::is_control) {
            return Err(TenantFault::ControlCharacter);
        }
        let mut bytes = [0; Self::MAX_LEN];
        let (Some(taken), Ok(len)) = (bytes.get_mut(..text.len()), u8::try_from(text.len())) else {
            return Err(TenantFault::TooLong);
        };
        if is_whole_number(text) && !is_canonical_number(text) {
            return Err(TenantFault::Number);
        }
        if is_uuid(text) && !is_canonical_uuid(text) {
            return Err(TenantFault::Uuid);
        }
        taken.copy_from_slice(text.as_bytes());
        Ok(Self { len, bytes })
    }

    /// The spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // `parse` let only UTF-8 in.
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The tenant as a whole number, if it is one that fits.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        is_whole_number(self.as_str()).then(|| self.as_str().parse().ok())?
    }

    /// The tenant as the bytes of a UUID, if it is one.
    #[must_use]
    pub fn uuid(&self) -> Option<[u8; 16]> {
        if !is_canonical_uuid(self.as_str()) {
            return None;
        }
        let digits: u128 = self
            .as_bytes()
            .iter()
            .filter_map(|byte| char::from(*byte).to_digit(16))
            .fold(0, |sum, digit| sum << 4 | u128::from(digit));
        Some(digits.to_be_bytes())
    }

    /// The spelling, in UTF-8.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl PartialEq for TenantId {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for TenantId {}

impl core::hash::Hash for TenantId {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A tenant's name may be a customer's name; logs do not need it.
        f.write_str("TenantId(..)")
    }
}

impl fmt::Display for TenantFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "It is empty.",
            Self::TooLong => "It is longer than 128 bytes.",
            Self::NotUtf8 => "It is not valid UTF-8.",
            Self::SurroundingSpace => "It begins or ends with white space.",
            Self::ControlCharacter => "It contains a control character.",
            Self::Number => "It is a number, but not in canonical decimal: write 42, not 042 or +42.",
            Self::Uuid => "It is a UUID, but not in lower case with hyphens in the 8-4-4-4-12 form.",
        })
    }
}

fn is_whole_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_canonical_number(text: &str) -> bool {
    match text.strip_prefix('-').unwrap_or(text).as_bytes() {
        [b'0'] => text == "0",
        [first, ..] => matches!(first, b'1'..=b'9'),
        [] => false,
    }
}

/// Whether PostgreSQL's `uuid_in` would take the text: hexadecimal digits, a hyphen allowed after each fourth, braces
/// allowed around it all.
fn is_uuid(text: &str) -> bool {
    let bare = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
    let mut digits = 0;
    let mut after_hyphen = true; // none at the beginning
    for byte in bare.bytes() {
        match byte {
            b'-' if !after_hyphen && digits % 4 == 0 && digits < 32 => after_hyphen = true,
            _ if byte.is_ascii_hexdigit() => {
                digits += 1;
                after_hyphen = false;
            }
            _ => return false,
        }
    }
    digits == 32
}

fn is_canonical_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_spellings_are_kept() {
        for spelling in [
            "7",
            "0",
            "-1",
            "9223372036854775807",
            "acme",
            "Acme & Söhne",
            "4.2",
            "1e5",
            "0x2a",
            "a b",
            "d3b07384-d113-4ec6-a1b0-7a3f1c9e0b52",
            "deadbeef",
            &"x".repeat(128),
        ] {
            let tenant = TenantId::parse(spelling.as_bytes());
            assert_eq!(tenant.as_ref().map(TenantId::as_bytes), Ok(spelling.as_bytes()), "{spelling}");
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for (spelling, fault) in [
            ("", TenantFault::Empty),
            (" 7", TenantFault::SurroundingSpace),
            ("7 ", TenantFault::SurroundingSpace),
            ("7\n", TenantFault::SurroundingSpace),
            ("\u{a0}7", TenantFault::SurroundingSpace),
            ("7\u{2003}", TenantFault::SurroundingSpace),
            ("a\u{7}b", TenantFault::ControlCharacter),
            ("a\u{85}b", TenantFault::ControlCharacter),
            ("042", TenantFault::Number),
            ("+42", TenantFault::Number),
            ("-0", TenantFault::Number),
            ("00", TenantFault::Number),
            ("-042", TenantFault::Number),
            ("D3B07384-D113-4EC6-A1B0-7A3F1C9E0B52", TenantFault::Uuid),
            ("{d3b07384-d113-4ec6-a1b0-7a3f1c9e0b52}", TenantFault::Uuid),
            ("d3b07384d1134ec6a1b07a3f1c9e0b52", TenantFault::Uuid),
            ("d3b0-7384-d113-4ec6-a1b0-7a3f-1c9e-0b52", TenantFault::Uuid),
            ("12345678901234567890123456789012", TenantFault::Uuid),
            (&"x".repeat(129), TenantFault::TooLong),
        ] {
            assert_eq!(TenantId::parse(spelling.as_bytes()), Err(fault), "{spelling:?}");
        }
        assert_eq!(TenantId::parse(&[0xff]), Err(TenantFault::NotUtf8));
    }

    #[test]
    fn numbers_and_uuids_are_read_from_the_one_spelling() {
        let number = |spelling: &[u8]| TenantId::parse(spelling).ok().and_then(|tenant| tenant.number());
        assert_eq!(number(b"42"), Some(42));
        assert_eq!(number(b"-7"), Some(-7));
        assert_eq!(number(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(number(b"9223372036854775807"), Some(i64::MAX));
        // Other spellings of 42 that PostgreSQL 16 and later read as it are other tenants, and no numbers.
        for spelling in [&b"9223372036854775808"[..], b"0x2a", b"4_2", b"0b101010", b"0o52", b"4.2", b"acme", b"-"] {
            assert_eq!(number(spelling), None);
        }
        let uuid = TenantId::parse(b"d3b07384-d113-4ec6-a1b0-7a3f1c9e0b52").ok().and_then(|tenant| tenant.uuid());
        assert_eq!(uuid, Some(0xd3b0_7384_d113_4ec6_a1b0_7a3f_1c9e_0b52_u128.to_be_bytes()));
        assert_eq!(TenantId::parse(b"42").map(|tenant| tenant.uuid()), Ok(None));
    }

    #[test]
    fn debug_output_does_not_name_the_tenant() {
        let tenant = TenantId::parse(b"acme").map(|tenant| format!("{tenant:?}"));
        assert_eq!(tenant.as_deref(), Ok("TenantId(..)"));
    }
}
