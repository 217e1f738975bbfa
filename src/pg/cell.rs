//! State of one server process.

use std::cell::{BorrowMutError, RefCell, RefMut};

/// A static that is written at run time.
pub struct ProcessCell<T>(RefCell<T>);

// SAFETY: a PostgreSQL process runs extensions on one thread, its main one, and pgrx refuses calls into PostgreSQL from
// any other. This library starts no threads.
unsafe impl<T> Sync for ProcessCell<T> {}

impl<T> ProcessCell<T> {
    pub const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// Borrows the value, unless it is borrowed already.
    pub fn try_borrow_mut(&self) -> Result<RefMut<'_, T>, BorrowMutError> {
        self.0.try_borrow_mut()
    }

    /// Borrows the value. The borrow must not be held over a call that can run other SQL.
    pub fn borrow_mut(&self) -> RefMut<'_, T> {
        self.0.borrow_mut()
    }
}
