//! The keys of this process: the keyring, and what has been derived from it.

use std::{
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use cordon_core::{Error, Key, KeyId, Keyring, MacKey, Nonce, NonceSource, Purpose, Scope, Subkey, SubkeyCache};
use pgrx::pg_sys;

use super::{cell::ProcessCell, error::Failure, keyring::Loaded};

static KEYS: ProcessCell<Keys> = ProcessCell::new(Keys {
    keyring: Loaded::none(),
    derived: Derived { subkeys: None, macs: None },
    nonces: NonceSource::new(),
});

static KEYS_WERE_USED: AtomicBool = AtomicBool::new(false);

/// The keys of this process.
pub struct Keys {
    keyring: Loaded,
    derived: Derived,
    nonces: NonceSource,
}

/// What was derived from the keyring, and is erased when another takes its place. None before the first use.
struct Derived {
    subkeys: Option<SubkeyCache<Subkey>>,
    macs: Option<SubkeyCache<MacKey>>,
}

impl Derived {
    fn erase(&mut self) {
        *self = Self { subkeys: None, macs: None };
    }
}

/// Calls `f` with the keys. It must not call anything that could run other SQL.
pub fn with_keys<T>(f: impl FnOnce(&mut Keys) -> T) -> T {
    f(&mut KEYS.borrow_mut())
}

/// Takes a keyring that was read while the server started.
pub fn set_keyring(loaded: Loaded) {
    KEYS.borrow_mut().keyring = loaded;
}

/// Takes a keyring that this session has written.
pub fn replace_keyring(ring: Keyring) {
    let mut keys = KEYS.borrow_mut();
    keys.keyring.replace(ring);
    keys.derived.erase();
}

/// Erases what keys have left on the stack, if any were used since this was called last. To be called from close to the
/// bottom of the stack, as the end of a transaction is.
pub fn erase_stack() {
    if KEYS_WERE_USED.swap(false, Ordering::Relaxed) {
        cordon_core::erase_stack();
    }
}

/// Which root key to derive from.
#[derive(Clone, Copy)]
pub enum Root {
    /// The one that new values are made with.
    Primary(Purpose),
    /// The one that a value names, which may have been made since the keyring was read.
    Named(KeyId, Purpose),
}

impl Keys {
    /// The keyring.
    ///
    /// # Errors
    /// [`Failure::NoKeyring`].
    pub fn keyring(&mut self) -> Result<&Keyring, Failure> {
        let Self { keyring, derived, .. } = self;
        keyring.current(|| derived.erase())
    }

    /// A root key.
    ///
    /// # Errors
    /// Those of [`Self::keyring`], [`Keyring::primary`] and [`Keyring::usable`].
    pub fn root(&mut self, root: Root) -> Result<&Key, Failure> {
        let Self { keyring, derived, .. } = self;
        find(keyring, derived, root)
    }

    /// The key that values are sealed with.
    ///
    /// # Errors
    /// As [`Self::root`].
    pub fn subkey(&mut self, root: Root, scope: Scope<'_>) -> Result<&Subkey, Failure> {
        let Self { keyring, derived, .. } = self;
        let root = find(keyring, derived, root)?;
        Ok(derived.subkeys.get_or_insert_default().get(root, scope))
    }

    /// The key that values and tokens are hashed with.
    ///
    /// # Errors
    /// As [`Self::root`].
    pub fn mac(&mut self, root: Root, scope: Scope<'_>) -> Result<&MacKey, Failure> {
        let Self { keyring, derived, .. } = self;
        let root = find(keyring, derived, root)?;
        Ok(derived.macs.get_or_insert_default().get(root, scope))
    }

    /// Calls `f` with the key of every root that values may be read with, the primary one first.
    ///
    /// # Errors
    /// Those of [`Self::keyring`] and of `f`.
    pub fn each_mac(
        &mut self,
        purpose: Purpose,
        scope: Scope<'_>,
        mut f: impl FnMut(&MacKey) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Self { keyring, derived, .. } = self;
        KEYS_WERE_USED.store(true, Ordering::Relaxed);
        let ring = keyring.current(|| derived.erase())?;
        ring.usable_for(purpose).try_for_each(|root| f(derived.macs.get_or_insert_default().get(root, scope)))
    }

    /// A fresh nonce.
    ///
    /// # Errors
    /// [`Error::NoRandomness`].
    pub fn nonce(&mut self) -> Result<Nonce, Error> {
        self.nonces.next(process_id())
    }
}

fn find<'a>(keyring: &'a mut Loaded, derived: &mut Derived, root: Root) -> Result<&'a Key, Failure> {
    KEYS_WERE_USED.store(true, Ordering::Relaxed);
    match root {
        Root::Primary(purpose) => Ok(keyring.newest(|| derived.erase())?.primary(purpose)?),
        Root::Named(id, purpose) => {
            let usable = keyring.current(|| derived.erase())?.usable(id, purpose);
            if usable.err() == Some(Error::UnknownKey(id)) {
                keyring.read_again(|| derived.erase())?;
            }
            Ok(keyring.current(|| derived.erase())?.usable(id, purpose)?)
        }
    }
}

/// This process, read from a variable: asking the operating system costs as much as a key.
fn process_id() -> u32 {
    // SAFETY: a plain variable, which each process sets right after it is forked.
    u32::try_from(unsafe { pg_sys::MyProcPid }).unwrap_or_else(|_| process::id())
}
