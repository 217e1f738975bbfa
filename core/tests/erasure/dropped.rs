//! What is left where a subkey has been.

use core::ptr;

use cordon_core::{MacKey, Scope, Subkey, SubkeyCache};

use crate::{
    common,
    freed_memory::finds_in_freed_memory,
    secrets::{Secrets, subkey},
    stale_memory::{bytes_of, place},
};

/// The memory of a tenant's subkey before and after it was dropped.
fn before_and_after(spelling: &str) -> (Vec<u8>, Vec<u8>) {
    let mut place = place::<Subkey>();
    place.write(common::subkey_of(spelling));
    let before = bytes_of(&place);
    // SAFETY: just written, and not used again.
    unsafe { ptr::drop_in_place(place.as_mut_ptr()) };
    (before, bytes_of(&place))
}

#[test]
fn a_dropped_subkey_leaves_none_of_its_key_schedule() {
    let secrets = Secrets::of_subkey(&subkey(&common::material(1), Scope::Tenant(&common::tenant("7"))));
    let (before, after) = before_and_after("7");
    assert_ne!(secrets.found_in(&before), [], "the test does not know what a key schedule looks like");
    assert_eq!(secrets.found_in(&after), []);
}

#[test]
fn a_dropped_mac_key_leaves_none_of_its_pads() {
    let tenant = common::tenant("7");
    let secrets = Secrets::of_mac(&subkey(&common::material(1), Scope::Tenant(&tenant)));
    let mut place = place::<MacKey>();
    place.write(MacKey::derive(&common::root(1), Scope::Tenant(&tenant)));
    assert_ne!(secrets.found_in(&bytes_of(&place)), [], "the test does not know what the pads look like");
    // SAFETY: just written, and not used again.
    unsafe { ptr::drop_in_place(place.as_mut_ptr()) };
    assert_eq!(secrets.found_in(&bytes_of(&place)), []);
}

#[test]
fn two_dropped_subkeys_differ_in_their_public_check_alone() {
    let ((before_one, one), (before_other, other)) = (before_and_after("7"), before_and_after("8"));
    let differences = |one: &[u8], other: &[u8]| one.iter().zip(other).filter(|(one, other)| one != other).count();
    assert!(differences(&before_one, &before_other) > 200, "they hold different keys");
    let public = common::subkey_of("7").check().len();
    assert!(differences(&one, &other) <= public, "{} bytes still depend on the key", differences(&one, &other));
}

#[test]
fn a_boxed_subkey_and_a_cleared_cache_free_no_memory_that_holds_a_key() {
    let (root, tenant) = (common::root(1), common::tenant("7"));
    // The first two round keys are the key itself.
    let key = subkey(&common::material(1), Scope::Tenant(&tenant));
    let boxed = Box::new(common::subkey_of("7"));
    assert_eq!(finds_in_freed_memory(&key, || drop(boxed)).0, 0, "box");

    let mut cache = SubkeyCache::<Subkey>::new();
    for number in (0..=SubkeyCache::<Subkey>::CAPACITY).rev() {
        cache.get(&root, Scope::Tenant(&common::tenant(&number.to_string())));
    }
    let (finds, check) = finds_in_freed_memory(&key, || *cache.get(&root, Scope::Tenant(&tenant)).check());
    assert_eq!((finds, check), (0, *common::subkey_of("7").check()), "cache in use");
    assert_eq!(finds_in_freed_memory(&key, || cache.clear()).0, 0, "cleared cache");
}
