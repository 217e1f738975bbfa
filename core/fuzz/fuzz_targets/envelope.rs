//! Bytes that claim to be a sealed value: nothing panics, and what opens is what was sealed, byte for byte.

#![no_main]

use std::sync::LazyLock;

use cordon_core::{Envelope, Keyring, Kind, NONCE_LEN, Purpose, Scope, Subkey, TenantId, envelope};
use libfuzzer_sys::fuzz_target;

/// The keys of the seeds, which are vectors of `docs/FORMAT.md`: of tenant 7, and the shared one.
static SUBKEYS: LazyLock<[(Kind, Subkey); 2]> = LazyLock::new(|| {
    let ring = Keyring::parse(include_bytes!("../seeds/keyring_file/valid.json")).expect("valid");
    let root = ring.primary(Purpose::Encryption).expect("has one");
    let tenant = TenantId::parse(b"7").expect("canonical");
    [(Kind::Tenant, Subkey::derive(root, Scope::Tenant(&tenant))), (Kind::Shared, Subkey::derive(root, Scope::Shared))]
});

fuzz_target!(|data: &[u8]| {
    for (kind, subkey) in SUBKEYS.iter() {
        open(data, *kind, subkey);
        round_trip(data, *kind, subkey);
    }
});

fn open(data: &[u8], kind: Kind, subkey: &Subkey) {
    let Ok(parsed) = Envelope::parse(data) else { return };
    assert_eq!(envelope::sealed_len(Kind::Tenant, parsed.plaintext_len()), Ok(data.len()));
    let mut plaintext = vec![0xA5; parsed.plaintext_len()];
    if parsed.open(subkey, &mut plaintext).is_err() {
        assert!(plaintext.iter().all(|byte| *byte == 0xA5), "a refused value wrote into the caller's memory");
        return;
    }
    assert_eq!(parsed.kind(), kind);
    assert_eq!(parsed.key_id(), subkey.key_id());
    let nonce = data[10..34].try_into().expect("24 bytes");
    let mut sealed = vec![0; data.len()];
    envelope::seal(subkey, kind, None, &nonce, &plaintext, &mut sealed).expect("as long as it was");
    assert_eq!(sealed, data, "two sealed values open to one plaintext with one nonce");
}

/// Takes the data as a nonce and a plaintext.
fn round_trip(data: &[u8], kind: Kind, subkey: &Subkey) {
    let Some((nonce, plaintext)) = data.split_first_chunk::<NONCE_LEN>() else { return };
    let mut sealed = vec![0; envelope::sealed_len(Kind::Tenant, plaintext.len()).expect("short")];
    envelope::seal(subkey, kind, None, nonce, plaintext, &mut sealed).expect("the length is right");
    let mut opened = vec![0; plaintext.len()];
    Envelope::parse(&sealed).expect("just sealed").open(subkey, &mut opened).expect("just sealed");
    assert_eq!(opened, plaintext);

    let at = usize::from(nonce[0]) % sealed.len();
    sealed[at] ^= 1 << (nonce[1] % 8);
    let altered = Envelope::parse(&sealed).and_then(|parsed| parsed.open(subkey, &mut opened));
    assert!(altered.is_err(), "a flipped bit in byte {at} went unnoticed");
}
