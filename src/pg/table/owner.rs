//! Acting as the owner of a table, as VACUUM and ANALYZE do (`vacuum_rel` in `commands/vacuum.c`): what its owner has
//! planted there, in index expressions, constraints, generated columns or types, runs with the owner's rights and not
//! with those of whoever maintains the table.

use core::ffi::{CStr, c_int};

use pgrx::pg_sys::{self, Oid};

use crate::pg::{error::Failure, local_settings::LocalSettings};

/// What is to be done with a relation, which says how it is locked and what it may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Its rows are read: of a table, partitioned table or materialized view.
    Read,
    /// Its rows are changed: of a table.
    Write,
}

impl Access {
    const fn lock_mode(self) -> pg_sys::LOCKMODE {
        let mode = match self {
            Self::Read => pg_sys::AccessShareLock,
            Self::Write => pg_sys::RowExclusiveLock,
        };
        mode as pg_sys::LOCKMODE
    }

    const fn takes(self, kind: u8) -> bool {
        match kind {
            pg_sys::RELKIND_RELATION => true,
            pg_sys::RELKIND_PARTITIONED_TABLE => !matches!(self, Self::Write),
            pg_sys::RELKIND_MATVIEW => matches!(self, Self::Read),
            _ => false,
        }
    }
}

/// A relation of a role whose rights the caller has: open, and locked by its oid until the transaction ends.
pub struct OwnTable {
    relation: pg_sys::Relation,
    owner: Oid,
}

impl OwnTable {
    /// Locks the relation and opens it.
    ///
    /// # Errors
    /// [`Failure::NoTable`]; [`Failure::NotOwner`], also for one that is no table or a temporary one, which only its own
    /// session may touch.
    pub fn open(oid: Oid, access: Access) -> Result<Self, Failure> {
        // SAFETY: a look at a variable of this process.
        Self::open_for(unsafe { pg_sys::GetUserId() }, oid, access)
    }

    /// As [`Self::open`], by the rights of a role that is not the current one: of the owner of a table whose trigger runs.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_for(role: Oid, oid: Oid, access: Access) -> Result<Self, Failure> {
        // Before the lock, so that nobody locks what is not theirs.
        if !has_rights(role, owner_of(oid)?) {
            return Err(Failure::NotOwner(name_of(oid)));
        }
        // SAFETY: a relation that has gone meanwhile is NULL. One that is open has its row of pg_class.
        let (relation, owner, kind, persistence) = unsafe {
            let relation = pg_sys::try_table_open(oid, access.lock_mode());
            if relation.is_null() {
                return Err(Failure::NoTable);
            }
            let class = &*(*relation).rd_rel;
            (relation, class.relowner, class.relkind as u8, class.relpersistence as u8)
        };
        let table = Self { relation, owner };
        if !has_rights(role, owner) || !access.takes(kind) || persistence == pg_sys::RELPERSISTENCE_TEMP {
            return Err(Failure::NotOwner(table.name()));
        }
        Ok(table)
    }

    /// A relation that the running statement changes, for which PostgreSQL has asked whether the role may. None for one that
    /// has no rows of its own.
    pub fn of_statement(oid: Oid) -> Option<Self> {
        // SAFETY: a relation that has gone meanwhile is NULL. One that is open has its row of pg_class.
        unsafe {
            let relation = pg_sys::try_table_open(oid, Access::Read.lock_mode());
            let class = &*relation.as_ref()?.rd_rel;
            let table = Self { relation, owner: class.relowner };
            (class.relkind as u8 == pg_sys::RELKIND_RELATION).then_some(table)
        }
    }

    /// The open relation.
    pub const fn relation(&self) -> pg_sys::Relation {
        self.relation
    }

    /// Its oid.
    pub fn oid(&self) -> Oid {
        // SAFETY: open as long as self lives.
        unsafe { (*self.relation).rd_id }
    }

    /// Its owner.
    pub const fn owner(&self) -> Oid {
        self.owner
    }

    /// Its columns, dropped ones as well.
    pub fn columns(&self) -> pg_sys::TupleDesc {
        // SAFETY: open as long as self lives.
        unsafe { (*self.relation).rd_att }
    }

    /// Its name, for messages.
    pub fn name(&self) -> String {
        name_of(self.oid())
    }

    /// Whether it has rows of its own: a partitioned table has not.
    pub fn has_rows(&self) -> bool {
        // SAFETY: an open relation has its row of pg_class.
        unsafe { (*(*self.relation).rd_rel).relkind as u8 != pg_sys::RELKIND_PARTITIONED_TABLE }
    }

    /// How many blocks its rows take.
    pub fn blocks(&self) -> u32 {
        // SAFETY: open, and of a kind that has storage; others have none.
        unsafe {
            if (*(*self.relation).rd_rel).relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE {
                return 0;
            }
            pg_sys::RelationGetNumberOfBlocksInFork(self.relation, pg_sys::ForkNumber::MAIN_FORKNUM)
        }
    }

    /// Calls `f` as the owner. Row security is as it is for the owner, whose code may run in there.
    ///
    /// # Errors
    /// Those of `f`. What PostgreSQL raises takes the role and the settings back by itself.
    pub fn act<T>(&self, f: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        // SAFETY: `end` is called with what `begin` gave, in the same transaction; an error that passes by both is one that
        // ends the transaction or subtransaction, which does the same.
        unsafe {
            let acting = Acting::begin(self.owner);
            let outcome = f();
            acting.end();
            outcome
        }
    }
}

impl Drop for OwnTable {
    fn drop(&mut self) {
        // The end of the transaction closes what an error leaves open.
        if !std::thread::panicking() {
            // SAFETY: open until here. The lock stays.
            unsafe { pg_sys::table_close(self.relation, pg_sys::NoLock as pg_sys::LOCKMODE) };
        }
    }
}

/// A role that acts in place of another, in a context in which it cannot become that other one (`miscadmin.h`): no SET ROLE,
/// no temporary tables, no prepared statements or cursors that outlive it.
pub struct Acting {
    role: Oid,
    context: c_int,
    settings: LocalSettings,
}

impl Acting {
    /// Owns nothing, so that errors may pass over it.
    ///
    /// # Safety
    /// [`Self::end`] must be called in the same transaction, unless an error ends that.
    pub unsafe fn begin(role: Oid) -> Self {
        // SAFETY: as PostgreSQL does in `vacuum_rel` and `RI_Initial_Check`. None of these raises an error: the settings are
        // USERSET and their values valid; running out of memory ends the transaction.
        unsafe {
            let (mut former, mut context) = (Oid::INVALID, 0);
            GetUserIdAndSecContext(&raw mut former, &raw mut context);
            let restricted = pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
            SetUserIdAndSecContext(role, (context | restricted as c_int) & !(pg_sys::SECURITY_NOFORCE_RLS as c_int));
            let settings = LocalSettings::begin();
            settings.set(c"search_path", c"pg_catalog, pg_temp".as_ptr());
            settings.set(c"row_security", c"on".as_ptr());
            Self { role: former, context, settings }
        }
    }

    /// Whether row security that is forced on the owner's tables holds. While it does not, it holds on no table of any
    /// owner whose code runs meanwhile: so none may.
    ///
    /// # Safety
    /// Between [`Self::begin`] and [`Self::end`].
    pub unsafe fn force_row_security(is_forced: bool) {
        let lifted = pg_sys::SECURITY_NOFORCE_RLS as c_int;
        // SAFETY: by this function's contract.
        unsafe {
            let (mut role, mut context) = (Oid::INVALID, 0);
            GetUserIdAndSecContext(&raw mut role, &raw mut context);
            SetUserIdAndSecContext(role, if is_forced { context & !lifted } else { context | lifted });
        }
    }

    /// Takes back the role, and the settings that anybody has changed since.
    ///
    /// # Safety
    /// As [`Self::begin`].
    pub unsafe fn end(self) {
        // SAFETY: by this function's contract.
        unsafe {
            self.settings.end();
            SetUserIdAndSecContext(self.role, self.context);
        }
    }
}

// As in `miscadmin.h`. pgrx's own declarations guard against errors: with destructors to run and object
// names to lose, where there is nothing to destroy.
unsafe extern "C-unwind" {
    fn GetUserIdAndSecContext(role: *mut Oid, context: *mut c_int);
    fn SetUserIdAndSecContext(role: Oid, context: c_int);
}

/// # Errors
/// [`Failure::NoTable`], [`Failure::NotOwner`].
pub fn check_owner(relation: Oid) -> Result<(), Failure> {
    if has_rights_of(owner_of(relation)?) { Ok(()) } else { Err(Failure::NotOwner(name_of(relation))) }
}

/// # Errors
/// [`Failure::NoTable`], [`Failure::OtherOwner`].
pub fn check_owned_by(relation: Oid, role: Oid) -> Result<(), Failure> {
    if owner_of(relation)? == role { Ok(()) } else { Err(Failure::OtherOwner(name_of(relation))) }
}

fn owner_of(relation: Oid) -> Result<Oid, Failure> {
    // SAFETY: a lookup in the system catalogs; the row is released before its copy of the owner is used.
    unsafe {
        let class = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::RELOID as c_int, pg_sys::Datum::from(relation));
        if class.is_null() {
            return Err(Failure::NoTable);
        }
        let owner = (*pg_sys::GETSTRUCT(class).cast::<pg_sys::FormData_pg_class>()).relowner;
        pg_sys::ReleaseSysCache(class);
        Ok(owner)
    }
}

/// The schema and name of a relation, quoted where SQL asks for it; of a name in another encoding than UTF-8 what can be shown.
pub fn name_of(relation: Oid) -> String {
    // SAFETY: lookups in the system catalogs: NULL, or C strings in memory that lives as long as the call.
    unsafe {
        let name = pg_sys::get_rel_name(relation);
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation));
        if name.is_null() || schema.is_null() {
            return String::from("?");
        }
        CStr::from_ptr(pg_sys::quote_qualified_identifier(schema, name)).to_string_lossy().into_owned()
    }
}

/// Whether the current role has the rights of another.
fn has_rights_of(role: Oid) -> bool {
    // SAFETY: a look at a variable of this process.
    has_rights(unsafe { pg_sys::GetUserId() }, role)
}

fn has_rights(member: Oid, role: Oid) -> bool {
    // SAFETY: lookups in the system catalogs.
    unsafe { pg_sys::has_privs_of_role(member, role) }
}

/// A table with its partitions and children, itself first; temporary children, which belong to sessions, are left out.
/// Each is locked until the transaction ends.
///
/// # Errors
/// [`Failure::NoTable`], [`Failure::NotOwner`].
pub fn descendants(root: Oid, access: Access) -> Result<Vec<Oid>, Failure> {
    check_owner(root)?;
    // SAFETY: lookups in the system catalogs.
    let is_temporary = |oid: Oid| unsafe { pg_sys::get_rel_persistence(oid) as u8 } == pg_sys::RELPERSISTENCE_TEMP;
    Ok(inheritors(root, access.lock_mode()).into_iter().filter(|oid| *oid == root || !is_temporary(*oid)).collect())
}

/// A table with everything under it.
pub fn everything_under(root: Oid) -> Vec<Oid> {
    inheritors(root, Access::Read.lock_mode())
}

fn inheritors(root: Oid, mode: pg_sys::LOCKMODE) -> Vec<Oid> {
    // SAFETY: a list of oids in memory that PostgreSQL frees with the call.
    unsafe {
        let list =
            pg_sys::submodules::ffi::pg_guard_ffi_boundary(|| find_all_inheritors(root, mode, core::ptr::null_mut()));
        let len = list.as_ref().map_or(0, |list| usize::try_from(list.length).unwrap_or_default());
        (0..len).map(|at| (*(*list).elements.add(at)).oid_value).collect()
    }
}

unsafe extern "C-unwind" {
    /// As in `catalog/pg_inherits.h`.
    fn find_all_inheritors(parent: Oid, mode: pg_sys::LOCKMODE, parents: *mut *mut pg_sys::List) -> *mut pg_sys::List;
}
