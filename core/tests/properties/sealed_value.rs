//! Sealed values: what is opened is what was sealed, or nothing.

use cordon_core::{Envelope, Error, Key, Kind, NONCE_LEN, Nonce, Scope, SearchTag, Subkey, envelope};
use proptest::{
    prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_assume, proptest},
    prop_oneof,
    sample::Index,
};

use crate::{bytes, cases, common};

/// Lengths around the blocks of the cipher, and up to 1 MiB.
fn plaintext_len() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..=600usize, 1 => 0..=(1usize << 20), 1 => Just(0), 1 => Just(1 << 20)]
}

/// Generating a mebibyte byte by byte takes longer than sealing it, so this is Knuth's MMIX generator.
fn plaintext_of(len: usize, mut seed: u64) -> Vec<u8> {
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn nonce() -> impl Strategy<Value = Nonce> {
    any::<[u8; NONCE_LEN]>()
}

fn tenant_spelling() -> impl Strategy<Value = String> {
    prop_oneof![any::<i64>().prop_map(|number| number.to_string()), "[a-z][a-z0-9 _-]{0,60}[a-z]"]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Tenant), Just(Kind::Shared), Just(Kind::TenantEq), Just(Kind::SharedEq)]
}

/// The one sample that the exhaustive tests below alter: an API token of 40 bytes.
fn sample() -> (Subkey, Vec<u8>) {
    let subkey = common::subkey_of("7");
    let sealed = common::seal(&subkey, Kind::Tenant, &[0x42; NONCE_LEN], &[b'g'; 40]);
    (subkey, sealed)
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn what_was_sealed_opens(
        len in plaintext_len(),
        seed: u64,
        nonce in nonce(),
        spelling in tenant_spelling(),
        kind in kind(),
    ) {
        let tenant = common::tenant(&spelling);
        let scope = match kind {
            Kind::Tenant | Kind::TenantEq => Scope::Tenant(&tenant),
            Kind::Shared | Kind::SharedEq => Scope::Shared,
        };
        let subkey = Subkey::derive(&common::root(9), scope);
        let plaintext = plaintext_of(len, seed);
        let sealed = common::seal(&subkey, kind, &nonce, &plaintext);
        prop_assert_eq!(Ok(sealed.len()), envelope::sealed_len(kind, len));
        let parsed = Envelope::parse(&sealed);
        prop_assert_eq!(parsed.map(|value| (value.kind(), value.key_id(), value.plaintext_len())), Ok((kind, 9, len)));
        prop_assert!(common::open(&sealed, &subkey) == Ok(plaintext));
    }
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn equal_texts_have_equal_comparison_keys_and_others_have_not(one in bytes(80), other in bytes(80), nonces: [[u8; 12]; 2]) {
        let subkey = common::subkey_of("7");
        let seal = |text: &[u8], nonce: [u8; 12]| {
            let mut whole = [0; NONCE_LEN];
            whole[..12].copy_from_slice(&nonce);
            common::seal(&subkey, Kind::TenantEq, &whole, text)
        };
        let (a, b, c) = (seal(&one, nonces[0]), seal(&one, nonces[1]), seal(&other, nonces[0]));
        prop_assert_eq!(envelope::comparison_key(&a), envelope::comparison_key(&b));
        prop_assert_eq!(envelope::comparison_key(&a).len(), envelope::SEARCH_TAG_LEN);
        prop_assert_eq!(envelope::comparison_key(&a) == envelope::comparison_key(&c), one == other);
        prop_assert_eq!(envelope::comparison_key(&a[..envelope::COMPARED_LEN]), envelope::comparison_key(&a));
    }

    #[test]
    fn comparing_takes_any_bytes(value in bytes(100)) {
        prop_assert!(envelope::comparison_key(&value).len() <= value.len());
    }

    #[test]
    fn a_value_with_another_search_tag_does_not_open(plaintext in bytes(80), at in 10usize..30, bit in 0u8..8) {
        let subkey = common::subkey_of("7");
        let mut sealed = common::seal(&subkey, Kind::TenantEq, &[7; NONCE_LEN], &plaintext);
        sealed[at] ^= 1 << bit;
        prop_assert_eq!(common::open(&sealed, &subkey), Err(Error::Corrupted));
    }

    #[test]
    fn a_kind_and_a_search_tag_go_together(plaintext in bytes(80)) {
        let (subkey, tag) = (common::subkey_of("7"), SearchTag::of(&common::search_key(), &plaintext));
        for (kind, tag) in [(Kind::Tenant, Some(&tag)), (Kind::TenantEq, None)] {
            let mut out = vec![0; envelope::sealed_len(kind, plaintext.len())?];
            let sealed = envelope::seal(&subkey, kind, tag, &[7; NONCE_LEN], &plaintext, &mut out);
            prop_assert_eq!(sealed, Err(Error::OtherKind));
            prop_assert!(out.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn a_value_with_a_flipped_bit_does_not_open(plaintext in bytes(300), nonce in nonce(), at: Index, bit in 0u8..8) {
        let subkey = common::subkey_of("7");
        let mut sealed = common::seal(&subkey, Kind::Tenant, &nonce, &plaintext);
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert!(common::open(&sealed, &subkey).is_err());
    }

    #[test]
    fn a_value_with_bytes_replaced_does_not_open(
        plaintext in bytes(300),
        nonce in nonce(),
        at: Index,
        new in bytes(40),
    ) {
        let subkey = common::subkey_of("7");
        let sealed = common::seal(&subkey, Kind::Tenant, &nonce, &plaintext);
        let from = at.index(sealed.len());
        let to = sealed.len().min(from + new.len());
        let replaced = [&sealed[..from], &new[..to - from], &sealed[to..]].concat();
        prop_assume!(replaced != sealed);
        prop_assert!(common::open(&replaced, &subkey).is_err());
    }

    #[test]
    fn a_value_cut_anywhere_does_not_open(plaintext in bytes(300), nonce in nonce(), from: Index, to: Index) {
        let subkey = common::subkey_of("7");
        let sealed = common::seal(&subkey, Kind::Tenant, &nonce, &plaintext);
        let (from, to) = (from.index(sealed.len() + 1), to.index(sealed.len() + 1));
        let without = [&sealed[..from.min(to)], &sealed[from.max(to)..]].concat();
        prop_assume!(without.len() < sealed.len());
        prop_assert!(common::open(&without, &subkey).is_err());
    }

    #[test]
    fn a_value_with_bytes_added_does_not_open(
        plaintext in bytes(300),
        nonce in nonce(),
        at: Index,
        added in bytes(40),
    ) {
        let subkey = common::subkey_of("7");
        let sealed = common::seal(&subkey, Kind::Tenant, &nonce, &plaintext);
        let at = at.index(sealed.len() + 1);
        let longer = [&sealed[..at], &added, &sealed[at..]].concat();
        prop_assume!(longer.len() > sealed.len());
        prop_assert!(common::open(&longer, &subkey).is_err());
    }

    #[test]
    fn sealed_for_another_tenant_does_not_open(
        plaintext in bytes(300),
        nonce in nonce(),
        mine in tenant_spelling(),
        theirs in tenant_spelling(),
    ) {
        prop_assume!(mine != theirs);
        let sealed = common::seal(&common::subkey_of(&theirs), Kind::Tenant, &nonce, &plaintext);
        prop_assert_eq!(common::open(&sealed, &common::subkey_of(&mine)), Err(Error::OtherTenant));
    }

    #[test]
    fn sealed_under_other_material_of_the_same_id_does_not_open(
        plaintext in bytes(300),
        nonce in nonce(),
        (id, other) in (1u32..=255, 1u32..=255),
    ) {
        prop_assume!(id != other);
        let tenant = common::tenant("7");
        let impostor = Key { id, ..common::root(other) };
        let sealed = common::seal(&Subkey::derive(&impostor, Scope::Tenant(&tenant)), Kind::Tenant, &nonce, &plaintext);
        let opened = common::open(&sealed, &Subkey::derive(&common::root(id), Scope::Tenant(&tenant)));
        prop_assert_eq!(opened, Err(Error::OtherTenant));
    }

    #[test]
    fn parsing_never_panics(bytes in bytes(200), version in 0u8..3, kind in 0u8..4) {
        let _ = Envelope::parse(&bytes);
        let subkey = common::subkey_of("7");
        let like_a_value = [&[version, kind], bytes.as_slice()].concat();
        prop_assert!(common::open(&like_a_value, &subkey).is_err());
    }
}

#[test]
fn each_flipped_bit_of_a_token_is_noticed() {
    let (subkey, sealed) = sample();
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut altered = sealed.clone();
            altered[at] ^= 1 << bit;
            assert!(common::open(&altered, &subkey).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn each_shorter_beginning_and_end_of_a_token_is_refused() {
    let (subkey, sealed) = sample();
    for len in 0..sealed.len() {
        assert!(common::open(&sealed[..len], &subkey).is_err(), "the first {len} bytes");
        assert!(common::open(&sealed[sealed.len() - len..], &subkey).is_err(), "the last {len} bytes");
    }
}

#[test]
fn a_forged_tenant_check_does_not_open() {
    let (_, mut sealed) = sample();
    let thief = common::subkey_of("8");
    sealed[6..10].copy_from_slice(thief.check());
    assert_eq!(common::open(&sealed, &thief), Err(Error::Corrupted));
}

#[test]
fn another_version_or_kind_is_refused_before_a_key_is_needed() {
    let (_, sealed) = sample();
    for byte in 0..=u8::MAX {
        let mut altered = sealed.clone();
        altered[0] = byte;
        let version = Envelope::parse(&altered).map(|value| value.kind());
        assert_eq!(version, if byte == 1 { Ok(Kind::Tenant) } else { Err(Error::UnknownVersion(byte)) });
        altered[0] = 1;
        altered[1] = byte;
        let kind = Envelope::parse(&altered).map(|value| value.kind());
        let known = [Kind::Tenant, Kind::Shared, Kind::TenantEq, Kind::SharedEq].get(usize::from(byte));
        assert_eq!(kind, known.copied().ok_or(Error::Corrupted));
    }
}

#[test]
fn a_tenant_bound_value_relabelled_as_shared_does_not_open() {
    let (subkey, mut sealed) = sample();
    sealed[1] = Kind::Shared as u8;
    assert_eq!(common::open(&sealed, &subkey), Err(Error::Corrupted));
    let shared = Subkey::derive(&common::root(1), Scope::Shared);
    assert_eq!(common::open(&sealed, &shared), Err(Error::OtherTenant));
    sealed[6..10].copy_from_slice(shared.check());
    assert_eq!(common::open(&sealed, &shared), Err(Error::Corrupted));
}

#[test]
fn halves_of_two_values_do_not_open() {
    let subkey = common::subkey_of("7");
    let one = common::seal(&subkey, Kind::Tenant, &[1; NONCE_LEN], &[b'1'; 40]);
    let two = common::seal(&subkey, Kind::Tenant, &[2; NONCE_LEN], &[b'2'; 40]);
    for at in 11..one.len() {
        let spliced = [&one[..at], &two[at..]].concat();
        assert_eq!(common::open(&spliced, &subkey), Err(Error::Corrupted), "joined at {at}");
    }
}

#[test]
fn memory_of_another_length_is_refused_and_left_alone() {
    let (subkey, sealed) = sample();
    for len in [0, 39, 41] {
        let mut out = vec![0xA5; len];
        let opened = Envelope::parse(&sealed).and_then(|value| value.open(&subkey, &mut out));
        assert_eq!(opened, Err(Error::Corrupted), "opened into {len} bytes");
        assert!(out.iter().all(|byte| *byte == 0xA5));
    }
    for len in [0, sealed.len() - 1, sealed.len() + 1] {
        let mut out = vec![0xA5; len];
        let sealed = envelope::seal(&subkey, Kind::Tenant, None, &[0; NONCE_LEN], &[b'g'; 40], &mut out);
        assert_eq!(sealed, Err(Error::TooLong), "sealed into {len} bytes");
        assert!(out.iter().all(|byte| *byte == 0xA5));
    }
}

#[test]
fn lengths_past_the_longest_plaintext_are_refused() {
    assert_eq!(
        envelope::sealed_len(Kind::Tenant, envelope::MAX_PLAINTEXT),
        Ok(envelope::MAX_PLAINTEXT + Kind::Tenant.overhead())
    );
    assert_eq!(envelope::sealed_len(Kind::Tenant, envelope::MAX_PLAINTEXT + 1), Err(Error::TooLong));
    assert_eq!(envelope::sealed_len(Kind::Tenant, usize::MAX), Err(Error::TooLong));
}
