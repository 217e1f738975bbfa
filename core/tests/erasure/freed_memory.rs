//! Looks at blocks of the heap as they are given back.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    ptr,
};

/// Bytes in a row that count as a find.
const PART: usize = 8;

/// Longest secret looked for: 32 bytes in base64.
const LONGEST: usize = 44;

thread_local! {
    /// The secret that this thread's freed blocks are searched for, and its length.
    static SECRET: Cell<([u8; LONGEST], usize)> = const { Cell::new(([0; LONGEST], 0)) };
    static FINDS: Cell<usize> = const { Cell::new(0) };
}

/// Runs `work`, and counts the places in blocks that it freed where a part of `secret` still lay.
pub fn finds_in_freed_memory<T>(secret: &[u8], work: impl FnOnce() -> T) -> (usize, T) {
    let mut padded = [0; LONGEST];
    padded[..secret.len()].copy_from_slice(secret);
    FINDS.set(0);
    SECRET.set((padded, secret.len()));
    let outcome = work();
    SECRET.set(([0; LONGEST], 0));
    (FINDS.get(), outcome)
}

struct Searching;

// SAFETY: every call goes on to the system's allocator with the caller's arguments; searching allocates nothing.
unsafe impl GlobalAlloc for Searching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that what is found was written by this owner.
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is the caller's up to here, and `alloc` has initialized it.
        unsafe { search(block, layout.size()) };
        // SAFETY: the block is from `alloc` above, so from `System`, with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Searching = Searching;

/// # Safety
/// The block must be readable for `len` bytes.
unsafe fn search(block: *const u8, len: usize) {
    // Fails while a thread ends; nothing is searched for then.
    let Ok((secret, secret_len)) = SECRET.try_with(Cell::get) else { return };
    if secret_len == 0 || len < PART {
        return;
    }
    for at in 0..=len - PART {
        // SAFETY: within the block; a part has no alignment.
        let part: [u8; PART] = unsafe { ptr::read_volatile(block.add(at).cast()) };
        if secret[..secret_len].windows(PART).any(|window| window == part) {
            FINDS.set(FINDS.get() + 1);
        }
    }
}
