//! Derived keys, kept for the next value.

use std::collections::HashMap;

use zeroize::zeroize_stack;

use crate::{Key, KeyId, Scope, TenantId, subkey::STACK_TO_ERASE};

/// A key of one scope, derived from a root key. Erases itself when dropped.
pub trait Derived {
    /// Derives the key.
    fn derive(root: &Key, scope: Scope<'_>) -> Self;
}

/// A bounded cache of derived keys. Evicted ones are erased.
///
/// Victims are chosen by the clock algorithm, as PostgreSQL does for its buffers: an entry used since the hand last
/// passed is spared once. A bound on entries is a bound on memory, because an entry has one size.
pub struct SubkeyCache<K> {
    slots: Vec<Slot<K>>,
    index: HashMap<CacheKey, usize>,
    /// The slot used last: most statements stay with one tenant, and find it without hashing.
    last: usize,
    hand: usize,
}

struct Slot<K> {
    key: CacheKey,
    subkey: K,
    used: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct CacheKey {
    key_id: KeyId,
    tenant: Option<TenantId>,
}

impl CacheKey {
    fn is(&self, key_id: KeyId, scope: Scope<'_>) -> bool {
        self.key_id == key_id
            && match (&self.tenant, scope) {
                (Some(cached), Scope::Tenant(tenant)) => cached == tenant,
                (None, Scope::Shared) => true,
                _ => false,
            }
    }
}

impl<K: Derived> SubkeyCache<K> {
    /// Most keys held: of [`crate::Subkey`] 1.9 MiB when full and 2.2 MiB while the index last grows, which
    /// `tests/cache.rs` bounds.
    pub const CAPACITY: usize = 2048;

    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self { slots: Vec::new(), index: HashMap::new(), last: 0, hand: 0 }
    }

    /// The key of `scope` under `root`, derived when it is not in the cache.
    pub fn get(&mut self, root: &Key, scope: Scope<'_>) -> &K {
        if !self.slots.get(self.last).is_some_and(|slot| slot.key.is(root.id, scope)) {
            self.last = self.find(root, scope);
            zeroize_stack::<STACK_TO_ERASE>();
        }
        &self.slots[self.last].subkey
    }

    /// Erases every key: after the keyring changed.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Number of keys held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// A frame of its own, because a subkey on its way into the cache leaves copies of itself there.
    #[inline(never)]
    fn find(&mut self, root: &Key, scope: Scope<'_>) -> usize {
        let tenant = match scope {
            Scope::Tenant(tenant) => Some(*tenant),
            Scope::Shared => None,
        };
        let key = CacheKey { key_id: root.id, tenant };
        if let Some(&at) = self.index.get(&key) {
            self.slots[at].used = true;
            return at;
        }
        let slot = Slot { subkey: K::derive(root, scope), key: key.clone(), used: true };
        let at = if self.slots.len() < Self::CAPACITY {
            // All at once: growing would move the keys and leave the old memory as it was. The operating system gives
            // the pages as they are first used.
            self.slots.reserve_exact(Self::CAPACITY - self.slots.len());
            self.slots.push(slot);
            self.slots.len() - 1
        } else {
            let at = self.victim();
            self.index.remove(&self.slots[at].key);
            self.slots[at] = slot;
            at
        };
        self.index.insert(key, at);
        at
    }

    fn victim(&mut self) -> usize {
        loop {
            let at = self.hand;
            self.hand = (self.hand + 1) % self.slots.len();
            if !core::mem::take(&mut self.slots[at].used) {
                return at;
            }
        }
    }
}

impl<K: Derived> Default for SubkeyCache<K> {
    fn default() -> Self {
        Self::new()
    }
}
