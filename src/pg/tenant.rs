//! The current tenant, and whether it may be read or changed at present.
//!
//! Two settings for superusers restrict what [`super::tenant_setting`] alone would allow:
//!
//! * `cordon.freeze_tenant`: the tenant is fixed when it is first set or read in a transaction. Another value is refused
//!   when it is set, and where PostgreSQL asks nobody (RESET, a savepoint rolled back, the end of a function with a SET
//!   clause) when it is read;
//! * `cordon.tenant_scope = transaction`: a value that an earlier transaction left counts as unset.

use core::{
    ptr,
    sync::atomic::{AtomicBool, Ordering},
};

use cordon_core::TenantId;
use pgrx::pg_sys::{self, LocalTransactionId};

use super::{cell::ProcessCell, error::Failure, presence::is_present, settings, tenant_setting};

/// A tenant as it was set, with what readers need of it, so that they need not parse it.
pub struct Assigned {
    /// The tenant.
    pub id: TenantId,
    /// As a whole number.
    pub number: Option<i64>,
    /// As a UUID.
    pub uuid: Option<[u8; 16]>,
    /// The transaction in which it was set; 0 outside of any, as at the start of a session.
    set_in: LocalTransactionId,
}

impl Assigned {
    /// A tenant that is being set in the present transaction.
    pub fn now(id: TenantId) -> Self {
        Self { id, number: id.number(), uuid: id.uuid(), set_in: transaction() }
    }
}

/// What the check hook made of the value that is set; null while none is.
static mut CURRENT: *const Assigned = ptr::null();

/// Whether the present transaction has fixed its tenant, and to which.
static IS_FROZEN: AtomicBool = AtomicBool::new(false);
static FROZEN: ProcessCell<Option<TenantId>> = ProcessCell::new(None);

/// Whether a query of `cordon.across` runs, and in which tenant, whatever the transaction has fixed.
static IS_ACROSS: AtomicBool = AtomicBool::new(false);
static ACROSS: ProcessCell<Option<TenantId>> = ProcessCell::new(None);

static mut NEXT_EXECUTOR_START: pg_sys::ExecutorStart_hook_type = None;

/// The current tenant, or `None` when none is set. Reading it fixes it, if `cordon.freeze_tenant` is on.
///
/// # Errors
/// [`Failure::StaleTenant`], [`Failure::TenantChanged`], [`Failure::TenantChangedAcross`].
pub fn read() -> Result<Option<&'static Assigned>, Failure> {
    // SAFETY: null, or the `extra` of the value that is set, which PostgreSQL frees only after it has assigned another.
    // Callers do not keep it over anything that could set a tenant.
    let current = unsafe { CURRENT.as_ref() };
    if is_across() {
        let is_its = may_become(current.map(|assigned| &assigned.id));
        return if is_its { Ok(current) } else { Err(Failure::TenantChangedAcross) };
    }
    if settings::is_tenant_frozen() {
        if !matches_frozen(current.map(|assigned| &assigned.id)) {
            return Err(Failure::TenantChanged);
        }
        if let Some(assigned) = current
            && !is_stale(assigned)
        {
            freeze(assigned);
        }
    }
    match current {
        Some(assigned) if is_stale(assigned) => Err(Failure::StaleTenant),
        current => Ok(current),
    }
}

/// The current tenant.
///
/// # Errors
/// [`Failure::NoTenant`], and those of [`read`].
pub fn require() -> Result<&'static Assigned, Failure> {
    read()?.ok_or(Failure::NoTenant)
}

/// Whether the setting may be given that value.
pub fn may_become(new: Option<&TenantId>) -> bool {
    if is_across() {
        return ACROSS.borrow_mut().as_ref() == new;
    }
    !settings::is_tenant_frozen() || matches_frozen(new)
}

/// Whether a query of `cordon.across` runs.
pub fn is_across() -> bool {
    IS_ACROSS.load(Ordering::Relaxed)
}

/// Begins a query of `cordon.across` in a tenant: until [`end_across`] the setting can be given no other.
pub fn begin_across(tenant: TenantId) {
    *ACROSS.borrow_mut() = Some(tenant);
    IS_ACROSS.store(true, Ordering::Relaxed);
}

/// Ends what [`begin_across`] began, also when a transaction or subtransaction ends with an error.
pub fn end_across() {
    IS_ACROSS.store(false, Ordering::Relaxed);
}

/// Takes the value that the setting now has.
///
/// # Safety
/// `assigned` must be null or live until this is called again.
pub unsafe fn assign(assigned: *const Assigned) {
    // SAFETY: a plain store; nothing reads at the same time.
    unsafe { CURRENT = assigned };
    // A value that returns from an earlier transaction is not one that is set.
    // SAFETY: by this function's contract.
    if let Some(assigned) = unsafe { assigned.as_ref() }
        && settings::is_tenant_frozen()
        && !is_across()
        && assigned.set_in == transaction()
        && transaction() != 0
    {
        freeze(assigned);
    }
}

/// Lets the next transaction have another tenant. For the end of a transaction.
pub fn thaw() {
    end_across();
    IS_FROZEN.store(false, Ordering::Relaxed);
}

/// Installs the hook for parallel plans. Once a process.
pub fn install_hook() {
    // SAFETY: while the library loads nothing else runs.
    unsafe {
        NEXT_EXECUTOR_START = pg_sys::ExecutorStart_hook;
        pg_sys::ExecutorStart_hook = Some(executor_start);
    }
}

fn freeze(assigned: &Assigned) {
    if !IS_FROZEN.load(Ordering::Relaxed) {
        *FROZEN.borrow_mut() = Some(assigned.id);
        IS_FROZEN.store(true, Ordering::Relaxed);
    }
}

fn matches_frozen(tenant: Option<&TenantId>) -> bool {
    !IS_FROZEN.load(Ordering::Relaxed) || FROZEN.borrow_mut().as_ref() == tenant
}

/// Whether an earlier transaction left the tenant here, and that matters.
fn is_stale(assigned: &Assigned) -> bool {
    settings::is_tenant_scope_transaction() && assigned.set_in != transaction() && !is_parallel_worker()
}

/// A worker is given the values that its leader has; [`executor_start`] sees to it that they may be read.
fn is_parallel_worker() -> bool {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::ParallelWorkerNumber >= 0 }
}

/// The present transaction's number in this process, or 0 outside of transactions.
pub fn transaction() -> LocalTransactionId {
    // SAFETY: null in processes without an entry in the process array, else this process's own entry.
    unsafe {
        #[cfg(any(feature = "pg15", feature = "pg16"))]
        let number = pg_sys::MyProc.as_ref().map_or(0, |process| process.lxid);
        #[cfg(not(any(feature = "pg15", feature = "pg16")))]
        let number = pg_sys::MyProc.as_ref().map_or(0, |process| process.vxid.lxid);
        number
    }
}

/// Takes a tenant away that this process may not read, before workers are started that could not tell.
///
/// # Safety
/// Called by PostgreSQL as an `ExecutorStart_hook`.
unsafe extern "C-unwind" fn executor_start(query: *mut pg_sys::QueryDesc, flags: core::ffi::c_int) {
    // SAFETY: PostgreSQL passes a query with its plan. The next function is called outside of the guard, which would
    // strip the context of its errors, and with nothing left to drop.
    unsafe {
        if is_parallel_worker() {
            // For the log, which may not look.
            is_present();
        } else if (*(*query).plannedstmt).parallelModeNeeded {
            pg_sys::submodules::panic::pgrx_extern_c_guard(withdraw_unreadable);
        }
        match NEXT_EXECUTOR_START {
            Some(next) => next(query, flags),
            None => standard_ExecutorStart(query, flags),
        }
    }
}

fn withdraw_unreadable() {
    // SAFETY: as in `read`.
    let Some(assigned) = (unsafe { CURRENT.as_ref() }) else { return };
    if !may_become(Some(&assigned.id)) || is_stale(assigned) {
        // The check hook must let this through; the leader itself goes on to refuse, also when setting it fails.
        let _frozen_again = Thawed(IS_FROZEN.swap(false, Ordering::Relaxed));
        tenant_setting::unset();
    }
}

/// Restores whether the tenant is frozen, when dropped: an error must not leave the transaction free to change it.
struct Thawed(bool);

impl Drop for Thawed {
    fn drop(&mut self) {
        IS_FROZEN.store(self.0, Ordering::Relaxed);
    }
}

unsafe extern "C-unwind" {
    /// As in `executor/executor.h`: pgrx's own declaration guards it, which would strip the context of errors.
    fn standard_ExecutorStart(query: *mut pg_sys::QueryDesc, flags: core::ffi::c_int);
}
