//! Sealing and opening with the keys of this process.

use std::{
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use cordon_core::{Envelope, Error, KeyId, Keyring, Kind, NonceSource, Purpose, Scope, SubkeyCache, envelope};
use pgrx::pg_sys;

use super::{
    cell::ProcessCell,
    encoding,
    error::Failure,
    keyring::Loaded,
    varlena::{MakeOutput, Output},
};

static KEYS: ProcessCell<Keys> =
    ProcessCell::new(Keys { keyring: Loaded::none(), subkeys: None, nonces: NonceSource::new() });

static KEYS_WERE_USED: AtomicBool = AtomicBool::new(false);

struct Keys {
    keyring: Loaded,
    /// None before the first use.
    subkeys: Option<SubkeyCache>,
    nonces: NonceSource,
}

/// Seals a text in the database's encoding, as a varlena.
///
/// # Errors
/// Those of the keyring; [`Failure::NotText`]; [`Error::TooLong`].
pub fn seal(scope: Scope<'_>, text: &[u8]) -> Result<Output, Failure> {
    encoding::with_utf8(text, |plaintext| {
        let mut output = Output::varlena(envelope::sealed_len(plaintext.len())?)?;
        KEYS.borrow_mut().seal(scope, plaintext, output.bytes())?;
        Ok(output)
    })
}

/// Opens a sealed value as a text in the database's encoding; `make` is the constructor of the output.
///
/// # Errors
/// Those of the keyring; those of [`Envelope::open`]; [`Failure::NotRepresentable`].
pub fn open(scope: Scope<'_>, sealed: &[u8], make: MakeOutput) -> Result<Output, Failure> {
    let envelope = Envelope::parse(sealed)?;
    if envelope.kind() != kind_of(scope) {
        return Err(Error::Corrupted.into());
    }
    encoding::from_utf8(envelope.plaintext_len(), make, |out| KEYS.borrow_mut().open(scope, &envelope, out))
}

/// Calls `f` with the keyring.
///
/// # Errors
/// [`Failure::NoKeyring`].
pub fn with_keyring<T>(f: impl FnOnce(&Keyring) -> T) -> Result<T, Failure> {
    let mut keys = KEYS.borrow_mut();
    let Keys { keyring, subkeys, .. } = &mut *keys;
    keyring.current(|| *subkeys = None).map(f)
}

/// Takes a keyring that was read while the server started.
pub fn set_keyring(loaded: Loaded) {
    KEYS.borrow_mut().keyring = loaded;
}

/// Takes a keyring that this session has written.
pub fn replace_keyring(ring: Keyring) {
    let mut keys = KEYS.borrow_mut();
    keys.keyring.replace(ring);
    keys.subkeys = None;
}

/// Erases what keys have left on the stack, if any were used since this was called last. To be called from close to the
/// bottom of the stack, as the end of a transaction is.
pub fn erase_stack() {
    if KEYS_WERE_USED.swap(false, Ordering::Relaxed) {
        cordon_core::erase_stack();
    }
}

const fn kind_of(scope: Scope<'_>) -> Kind {
    match scope {
        Scope::Tenant(_) => Kind::Tenant,
        Scope::Shared => Kind::Shared,
    }
}

impl Keys {
    fn seal(&mut self, scope: Scope<'_>, plaintext: &[u8], out: &mut [u8]) -> Result<(), Failure> {
        let Self { keyring, subkeys, nonces } = self;
        let key = keyring.current(|| *subkeys = None)?.primary(Purpose::Encryption)?;
        KEYS_WERE_USED.store(true, Ordering::Relaxed);
        let nonce = nonces.next(process_id())?;
        let subkey = subkeys.get_or_insert_default().get(key, scope);
        envelope::seal(subkey, kind_of(scope), &nonce, plaintext, out)?;
        Ok(())
    }

    fn open(&mut self, scope: Scope<'_>, envelope: &Envelope<'_>, out: &mut [u8]) -> Result<(), Failure> {
        let Self { keyring, subkeys, .. } = self;
        let id: KeyId = envelope.key_id();
        let usable = keyring.current(|| *subkeys = None)?.usable(id, Purpose::Encryption);
        if usable.err() == Some(Error::UnknownKey(id)) {
            keyring.read_again(|| *subkeys = None)?;
        }
        let key = keyring.current(|| *subkeys = None)?.usable(id, Purpose::Encryption)?;
        KEYS_WERE_USED.store(true, Ordering::Relaxed);
        envelope.open(subkeys.get_or_insert_default().get(key, scope), out)?;
        Ok(())
    }
}

/// This process, read from a variable: asking the operating system costs as much as a key.
fn process_id() -> u32 {
    // SAFETY: a plain variable, which each process sets right after it is forked.
    u32::try_from(unsafe { pg_sys::MyProcPid }).unwrap_or_else(|_| process::id())
}
