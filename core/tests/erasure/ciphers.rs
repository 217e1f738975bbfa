//! What is left on the stack by each function that handles a key.

use cordon_core::{
    Envelope, Error, Kind, MacKey, NONCE_LEN, Scope, Subkey, SubkeyCache, TenantId, envelope, erase_stack,
};
use xaes_256_gcm::{
    Xaes256Gcm,
    aead::{AeadInOut, KeyInit, inout::InOutBuf},
};

use crate::{
    common,
    secrets::{Secrets, subkey},
    stale_memory::{PAINT, apart, left_on_the_stack},
};

const NONCE: [u8; NONCE_LEN] = *b"a nonce of 24 bytes, odd";

/// Around a block, around the 8, 16 and 64 blocks that the ciphers take at once, and long.
const LENGTHS: [usize; 13] = [0, 1, 15, 16, 40, 127, 128, 129, 256, 300, 1024, 1025, 1 << 20];

fn tenant() -> TenantId {
    common::tenant("7")
}

fn secrets_of_message() -> Secrets {
    Secrets::of_message(&subkey(&common::material(1), Scope::Tenant(&tenant())), &NONCE)
}

fn secrets_of_derivation(spelling: &str) -> Secrets {
    Secrets::of_derivation(&common::material(1), Scope::Tenant(&common::tenant(spelling)))
}

/// Bytes that were used, and hold something other than the zeros of erasing.
fn not_erased(stack: &[u8]) -> usize {
    stack.iter().filter(|byte| ![0, PAINT].contains(byte)).count()
}

/// Room for the frames between the test and the function that erases: return addresses, pointers, the header and the
/// nonce. More than that is a part of a cipher's state, or of the plaintext.
const FRAMES: usize = 200;

/// Bytes under its caller that each call erases at least. See [`erase_stack`] on what lies deeper.
const ERASED_BY_EACH_CALL: usize = 2 << 10;

/// Checks what one call leaves before the stack is erased as a whole.
fn assert_erased_by_itself(what: &str, call: impl FnOnce() -> Result<(), Error> + Send) {
    let (stack, _) = left_on_the_stack(|| apart(call));
    assert_eq!(secrets_of_derivation("7").found_in(&stack), [], "{what}: the key of every message");
    let (_, near) = stack.split_at(stack.len() - ERASED_BY_EACH_CALL);
    assert_eq!(secrets_of_message().found_in(near), [], "{what}: the key of this message");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "the dev profile copies at each move; the release profile is what is shipped")]
fn sealing_and_opening_erase_the_keys_they_expand() {
    let subkey = Box::new(common::subkey_of("7"));
    for len in LENGTHS {
        let (plaintext, mut sealed) = (vec![b'g'; len], vec![0; len + Kind::Tenant.overhead()]);
        assert_erased_by_itself(&format!("sealing {len} bytes"), || {
            envelope::seal(&subkey, Kind::Tenant, None, &NONCE, &plaintext, &mut sealed)
        });
        let mut out = vec![0; len];
        assert_erased_by_itself(&format!("opening {len} bytes"), || Envelope::parse(&sealed)?.open(&subkey, &mut out));
        assert_eq!(out, plaintext);
        sealed[len + 40] ^= 1;
        assert_erased_by_itself(&format!("refusing {len} bytes"), || Envelope::parse(&sealed)?.open(&subkey, &mut out));
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "the dev profile copies at each move; the release profile is what is shipped")]
fn erasing_the_stack_leaves_nothing_of_a_batch_of_values() {
    let subkey = Box::new(common::subkey_of("7"));
    let plaintexts = LENGTHS.map(|len| vec![b'g'; len]);
    let mut sealed = LENGTHS.map(|len| vec![0; len + Kind::Tenant.overhead()]);
    let mut opened = LENGTHS.map(|len| vec![0; len]);
    let (stack, outcome) = left_on_the_stack(|| {
        apart(|| {
            for ((plaintext, sealed), opened) in plaintexts.iter().zip(&mut sealed).zip(&mut opened) {
                envelope::seal(&subkey, Kind::Tenant, None, &NONCE, plaintext, sealed)?;
                Envelope::parse(sealed)?.open(&subkey, opened)?;
            }
            erase_stack();
            Ok::<(), Error>(())
        })
    });
    assert_eq!(outcome, Ok(()));
    assert_eq!(opened, plaintexts);
    assert_eq!(secrets_of_message().found_in(&stack), []);
    assert!(not_erased(&stack) < FRAMES, "{} bytes are left", not_erased(&stack));
}

#[test]
#[cfg_attr(debug_assertions, ignore = "the dev profile copies at each move; the release profile is what is shipped")]
fn deriving_leaves_no_key_on_the_stack() {
    let (secrets, root, tenant) = (secrets_of_derivation("7"), common::root(1), tenant());
    // The subkey itself is the caller's.
    let (stack, subkey) = left_on_the_stack(|| Subkey::derive(&root, Scope::Tenant(&tenant)));
    assert_eq!(subkey.check(), common::subkey_of("7").check());
    assert_eq!(secrets.found_in(&stack), []);
    assert!(not_erased(&stack) < FRAMES, "{} bytes are left", not_erased(&stack));
}

#[test]
#[cfg_attr(debug_assertions, ignore = "the dev profile copies at each move; the release profile is what is shipped")]
fn filling_the_cache_leaves_no_key_on_the_stack() {
    let (secrets, root, tenant) = (secrets_of_derivation("7"), common::root(1), tenant());
    let mut cache = SubkeyCache::<Subkey>::new();
    let (stack, check) = left_on_the_stack(|| apart(|| *cache.get(&root, Scope::Tenant(&tenant)).check()));
    assert_eq!(check, *common::subkey_of("7").check());
    assert_eq!(secrets.found_in(&stack), []);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "the dev profile copies at each move; the release profile is what is shipped")]
fn evicting_from_the_cache_leaves_neither_the_old_nor_the_new_key_on_the_stack() {
    let (secrets, root, tenant) =
        (secrets_of_derivation("7").and(secrets_of_derivation("1000")), common::root(1), tenant());
    let mut cache = SubkeyCache::<Subkey>::new();
    // The first victim is the key that came first.
    for number in (1000..).take(SubkeyCache::<Subkey>::CAPACITY) {
        cache.get(&root, Scope::Tenant(&common::tenant(&number.to_string())));
    }
    let (stack, check) = left_on_the_stack(|| apart(|| *cache.get(&root, Scope::Tenant(&tenant)).check()));
    assert_eq!(check, *common::subkey_of("7").check());
    assert_eq!(secrets.found_in(&stack), []);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "the dev profile copies at each move; the release profile is what is shipped")]
fn dropping_a_subkey_leaves_no_key_on_the_stack() {
    let (secrets, subkey) = (secrets_of_derivation("7"), Box::new(common::subkey_of("7")));
    let (stack, ()) = left_on_the_stack(|| apart(|| drop(subkey)));
    assert_eq!(secrets.found_in(&stack), []);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "the dev profile copies at each move; the release profile is what is shipped")]
fn hashing_a_token_leaves_no_key_on_the_stack() {
    let secrets =
        secrets_of_derivation("7").and(Secrets::of_mac(&subkey(&common::material(1), Scope::Tenant(&tenant()))));
    let (root, tenant) = (common::root(1), tenant());
    let (stack, key) = left_on_the_stack(|| Box::new(MacKey::derive(&root, Scope::Tenant(&tenant))));
    assert_eq!(secrets.found_in(&stack), [], "deriving");
    let mac = key.mac(&[b"a message"]);
    for (what, message) in [("short", vec![b'g'; 40]), ("long", vec![b'g'; 5000])] {
        let (stack, _) = left_on_the_stack(|| apart(|| key.mac(&[&message])));
        assert_eq!(secrets.found_in(&stack), [], "hashing, {what}");
        let (stack, _) = left_on_the_stack(|| apart(|| key.verify(&[&message], &mac)));
        assert_eq!(secrets.found_in(&stack), [], "checking, {what}");
    }
    let (stack, ()) = left_on_the_stack(|| apart(|| drop(key)));
    assert_eq!(secrets.found_in(&stack), [], "dropping");
}

/// Proves that the tests above would notice: the same cipher, used as it comes.
#[test]
#[cfg_attr(debug_assertions, ignore = "the dev profile copies at each move; the release profile is what is shipped")]
fn a_cipher_that_erases_nothing_is_caught() {
    let cipher = Xaes256Gcm::new(&subkey(&common::material(1), Scope::Tenant(&tenant())).into());
    let mut out = [0; 40];
    let (stack, sealed) = left_on_the_stack(|| {
        apart(|| {
            let buffer = InOutBuf::new(&[b'g'; 40], &mut out).expect("equal lengths");
            cipher.encrypt_inout_detached(&NONCE.into(), b"", buffer).is_ok()
        })
    });
    assert!(sealed);
    let found = secrets_of_message().found_in(&stack);
    assert!(found.iter().any(|(name, _)| name.starts_with("round keys of the message")), "{found:?}");
}
