//! The cache of subkeys: right after evictions, bounded in entries and in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "an allocator that counts")]

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use cordon_core::{Key, Scope, Subkey, SubkeyCache};

/// More tenants than the cache holds, and than a server's process is likely to meet.
const TENANTS: u32 = 10_000;

/// What the cache may take, even for a moment, from a process that has a few MiB of its own.
const MOST_BYTES: isize = 4 << 20;

/// What a full cache takes, rounded up: [`SubkeyCache::CAPACITY`] tells the figure to its readers.
const FULL_BYTES: isize = 2 << 20;

/// Counts the bytes that each thread holds, so that tests that run beside do not matter.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST_HELD: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // Fails while a thread ends; nothing is measured then.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        MOST_HELD.with(|most| most.set(most.get().max(held.get())));
    });
}

// SAFETY: every call goes on to the system's allocator with the caller's arguments; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the block is from `alloc` above, so from `System`, with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The bytes that the heap holds more after `work` than before, and the most that it held meanwhile.
fn heap_growth<T>(work: impl FnOnce() -> T) -> (T, isize, isize) {
    let before = HELD.get();
    MOST_HELD.set(before);
    let outcome = work();
    (outcome, HELD.get() - before, MOST_HELD.get() - before)
}

/// Uses the subkey of each tenant, and checks that it is that tenant's.
fn use_each_tenant(cache: &mut SubkeyCache<Subkey>, root: &Key) {
    for number in 0..TENANTS {
        let tenant = common::tenant(&number.to_string());
        let scope = Scope::Tenant(&tenant);
        let expected = *Subkey::derive(root, scope).check();
        assert_eq!(*cache.get(root, scope).check(), expected, "tenant {number}, derived or found");
        assert_eq!(*cache.get(root, scope).check(), expected, "tenant {number}, used last");
    }
}

#[test]
fn ten_thousand_tenants_stay_within_the_bounds() {
    let root = common::root(1);
    let (mut cache, held, most) = heap_growth(|| {
        let mut cache = SubkeyCache::<Subkey>::new();
        for _ in 0..2 {
            use_each_tenant(&mut cache, &root);
            assert_eq!(cache.len(), SubkeyCache::<Subkey>::CAPACITY);
        }
        cache
    });
    assert!(held <= FULL_BYTES, "a full cache holds {held} bytes");
    assert!(most <= MOST_BYTES, "the cache held {most} bytes when its index grew");

    let ((), released, _) = heap_growth(|| cache.clear());
    assert!(cache.is_empty());
    assert_eq!(released, -held, "clearing keeps memory");
}

#[test]
fn the_memory_does_not_depend_on_how_the_cache_was_filled() {
    let root = common::root(1);
    let fill = |tenants: u32| {
        heap_growth(|| {
            let mut cache = SubkeyCache::<Subkey>::new();
            for number in 0..tenants {
                cache.get(&root, Scope::Tenant(&common::tenant(&number.to_string())));
            }
            cache
        })
    };
    let capacity = u32::try_from(SubkeyCache::<Subkey>::CAPACITY).expect("a small number");
    let (_full, at_capacity, _) = fill(capacity);
    let (_turned_over, after_turnover, _) = fill(capacity * 3);
    assert_eq!(at_capacity, after_turnover, "evictions take memory");
}

#[test]
fn an_empty_cache_holds_no_memory() {
    let (cache, held, _) = heap_growth(SubkeyCache::<Subkey>::new);
    assert_eq!((cache.len(), held), (0, 0));
}

#[test]
fn root_keys_and_scopes_are_kept_apart() {
    let (one, other, tenant, neighbour) = (common::root(1), common::root(2), common::tenant("7"), common::tenant("8"));
    let scopes = [Scope::Tenant(&tenant), Scope::Tenant(&neighbour), Scope::Shared];
    let uses: Vec<_> = [&one, &other].into_iter().flat_map(|root| scopes.map(|scope| (root, scope))).collect();
    let mut cache = SubkeyCache::<Subkey>::new();
    let mut check = |(root, scope): (&Key, Scope<'_>)| {
        let found = cache.get(root, scope);
        assert_eq!(found.key_id(), root.id);
        assert_eq!(found.check(), Subkey::derive(root, scope).check());
    };
    // Each after each: the one used last is found in another way than the rest.
    for before in &uses {
        for after in &uses {
            check(*before);
            check(*after);
        }
    }
    assert_eq!(cache.len(), uses.len());
}

#[test]
fn a_subkey_is_derived_once() {
    let root = common::root(1);
    let mut cache = SubkeyCache::<Subkey>::new();
    let tenants = ["7", "8", "acme"].map(common::tenant);
    for tenant in tenants.iter().cycle().take(300) {
        cache.get(&root, Scope::Tenant(tenant));
    }
    assert_eq!(cache.len(), tenants.len());
}

#[test]
fn after_clear_a_replaced_key_of_the_same_id_is_used() {
    let mut replaced = common::root(2);
    replaced.id = 1;
    let mut cache = SubkeyCache::<Subkey>::new();
    let old = *cache.get(&common::root(1), Scope::Shared).check();
    cache.clear();
    assert_eq!(cache.len(), 0);
    let new = *cache.get(&replaced, Scope::Shared).check();
    assert_ne!(new, old);
    assert_eq!(new, *Subkey::derive(&replaced, Scope::Shared).check());
}
