//! Tenants: one tenant, one spelling.

use cordon_core::TenantId;
use proptest::{
    bool, collection,
    prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, proptest},
    prop_oneof, string,
};

use crate::{bytes, cases};

fn accepts(spelling: &str) -> bool {
    TenantId::parse(spelling.as_bytes()).is_ok()
}

/// `d3b07384-d113-4ec6-a1b0-7a3f1c9e0b52` for its 32 digits.
fn canonical_uuid(digits: &str) -> String {
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

fn integer() -> impl Strategy<Value = i128> {
    prop_oneof![any::<i64>().prop_map(i128::from), -1000..1000i128, any::<i128>(), Just(0)]
}

fn digits() -> impl Strategy<Value = String> {
    string::string_regex("[0-9a-f]{32}").expect("a regular expression")
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn an_integer_has_its_canonical_spelling_and_no_other(
        number in integer(),
        zeros in 1usize..20,
        sign in "[+-]?",
        spaces in "[ \t\n]{1,3}",
    ) {
        let canonical = number.to_string();
        prop_assert!(accepts(&canonical));
        let magnitude = canonical.trim_start_matches('-');
        let zeros = "0".repeat(zeros);
        let spellings = [
            format!("{sign}{magnitude}"),
            format!("{sign}{zeros}{magnitude}"),
            format!("-{zeros}{magnitude}"),
            format!("+{magnitude}"),
            format!("{spaces}{canonical}"),
            format!("{canonical}{spaces}"),
        ];
        for spelling in spellings {
            // The same number, as `int8in` of PostgreSQL reads it.
            let same = spelling.trim().parse() == Ok(number);
            prop_assert!(!same || spelling == canonical || !accepts(&spelling), "{spelling:?} is also {canonical}");
        }
    }

    #[test]
    fn a_uuid_has_its_canonical_spelling_and_no_other(
        digits in digits(),
        hyphens in collection::vec(bool::ANY, 7),
        capitals in collection::vec(bool::ANY, 32),
        braces: bool,
    ) {
        let canonical = canonical_uuid(&digits);
        prop_assert!(accepts(&canonical));
        // Every spelling that `uuid_in` takes: a hyphen may follow each fourth digit.
        let mut spelling = String::new();
        for (at, (digit, capital)) in digits.chars().zip(capitals).enumerate() {
            if at > 0 && at % 4 == 0 && hyphens[at / 4 - 1] {
                spelling.push('-');
            }
            spelling.push(if capital { digit.to_ascii_uppercase() } else { digit });
        }
        if braces {
            spelling = format!("{{{spelling}}}");
        }
        prop_assert!(spelling == canonical || !accepts(&spelling), "{spelling:?} is also {canonical}");
    }

    #[test]
    fn what_is_accepted_is_kept_byte_for_byte(spelling in "\\PC{1,60}") {
        if let Ok(tenant) = TenantId::parse(spelling.as_bytes()) {
            prop_assert_eq!(tenant.as_bytes(), spelling.as_bytes());
            prop_assert_eq!(spelling.trim(), spelling.as_str());
            prop_assert!(spelling.len() <= TenantId::MAX_LEN);
        }
    }

    #[test]
    fn different_spellings_are_different_tenants(one in "[a-z0-9]{1,3}", other in "[a-z0-9]{1,3}") {
        let (Ok(first), Ok(second)) = (TenantId::parse(one.as_bytes()), TenantId::parse(other.as_bytes())) else {
            return Ok(());
        };
        prop_assert_eq!(first == second, one == other);
    }

    #[test]
    fn no_bytes_make_parsing_panic(bytes in bytes(200)) {
        let _ = TenantId::parse(&bytes);
    }

    #[test]
    fn control_characters_are_refused_anywhere(
        before in "[a-z]{1,3}",
        control in prop_oneof![0u8..0x20, 0x7F..0xA0u8],
        after in "[a-z]{1,3}",
    ) {
        let spelling = format!("{before}{}{after}", char::from(control));
        prop_assert!(!accepts(&spelling));
    }
}
