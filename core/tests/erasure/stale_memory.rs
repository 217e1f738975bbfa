//! Looks at memory that nobody owns any more.

use core::{arch::asm, hint::black_box, mem::MaybeUninit, ptr};
use std::thread;

/// Bytes looked at under a frame. The deepest function under test takes 8 KiB, and erasing 64 KiB.
pub const DEPTH: usize = 96 << 10;

/// What the stack is filled with before, to tell what was used since.
pub const PAINT: u8 = 0xC5;

/// The stack pointer of the function that this is written in.
#[inline(always)]
fn stack_pointer() -> *mut u8 {
    let pointer: *mut u8;
    // SAFETY: copies a register.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags));
        #[cfg(target_arch = "aarch64")]
        asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}

/// Runs `work` on a new thread and returns what it left on the stack below its caller's frame, lowest address first.
///
/// Whatever `work` returns lies in that frame, so not in what is looked at.
pub fn left_on_the_stack<T: Send>(work: impl FnOnce() -> T + Send) -> (Vec<u8>, T) {
    if cfg!(debug_assertions) {
        panic!("without inlining, the loops below would paint over their own frames");
    }
    let mut seen = vec![0; DEPTH];
    let outcome = thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(16 * DEPTH);
        let thread = thread.spawn_scoped(scope, || run_and_look(work, &mut seen)).expect("a thread");
        thread.join().expect("the work does not panic")
    });
    (seen, outcome)
}

/// From the painting to the looking, nothing but `work` is called, so nothing else is seen.
#[inline(never)]
fn run_and_look<T>(work: impl FnOnce() -> T, seen: &mut [u8]) -> T {
    let lowest = stack_pointer().wrapping_sub(DEPTH);
    for at in 0..DEPTH {
        // SAFETY: below the stack pointer nothing is alive, and the thread's stack has sixteen times that room.
        unsafe { ptr::write_volatile(lowest.add(at), PAINT) };
    }
    let outcome = work();
    for (at, byte) in seen.iter_mut().enumerate() {
        // SAFETY: as above, and every byte has been written.
        *byte = unsafe { ptr::read_volatile(lowest.add(at)) };
    }
    outcome
}

/// Calls `work` in a frame of its own, which is then part of what is looked at.
#[inline(never)]
pub fn apart<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

/// The bytes of a place in memory, whether they are a value's, padding, or what a dropped value left.
pub fn bytes_of<T>(place: &MaybeUninit<T>) -> Vec<u8> {
    let first = black_box(place).as_ptr().cast::<u8>();
    // SAFETY: the place is readable for the size of `T`; a volatile read takes each byte as it is.
    (0..size_of::<T>()).map(|at| unsafe { ptr::read_volatile(first.add(at)) }).collect()
}

/// Memory for a value, filled so that padding is the same each time.
pub fn place<T>() -> Box<MaybeUninit<T>> {
    let mut place = Box::new(MaybeUninit::uninit());
    // SAFETY: the box has room for a `T`.
    unsafe { ptr::write_bytes(place.as_mut_ptr(), PAINT, 1) };
    black_box(place)
}
