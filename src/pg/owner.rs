//! Acting as the owner of a table, as VACUUM and ANALYZE do: what its owner has planted there, in index expressions or
//! constraints, runs with the owner's rights and not with those of whoever maintains the table.

use core::ffi::{CStr, c_int};

use pgrx::{
    Spi,
    pg_sys::{self, Oid},
    spi::{SpiClient, SpiError, quote_qualified_identifier},
};

use super::error::Failure;

/// A table under maintenance: of the role that calls, or one that the role may act for.
pub struct OwnTable {
    /// Schema and name, quoted.
    pub name: String,
    owner: Oid,
}

impl OwnTable {
    /// Keeps the table from being dropped or changed in its definition, until the transaction ends.
    ///
    /// # Errors
    /// [`Failure::NotOwner`].
    pub fn lock(relation: Oid, mode: u32) -> Result<Self, Failure> {
        // SAFETY: a relation that is gone is an error here.
        let table = unsafe { pgrx::PgRelation::with_lock(relation, mode as pg_sys::LOCKMODE) };
        let name = quote_qualified_identifier(table.namespace(), table.name());
        // SAFETY: an open relation has its row of pg_class. Of the current role, whether it has the owner's rights.
        let (owner, kind, may) = unsafe {
            let class = &*(*table.as_ptr()).rd_rel;
            (class.relowner, class.relkind, pg_sys::has_privs_of_role(pg_sys::GetUserId(), class.relowner))
        };
        if !may || kind as u8 != pg_sys::RELKIND_RELATION {
            return Err(Failure::NotOwner(name));
        }
        Ok(Self { name, owner })
    }

    /// Calls `f` as the owner, from whom no row security hides rows, with triggers and foreign key checks off.
    ///
    /// # Errors
    /// Those of `f`. Those that PostgreSQL raises take the role and the settings back by themselves.
    pub fn act<T>(&self, f: impl FnOnce(&mut SpiClient<'_>) -> Result<T, SpiError>) -> Result<T, Failure> {
        const SETTINGS: [(&CStr, &CStr); 3] = [
            (c"search_path", c"pg_catalog, pg_temp"),
            (c"session_replication_role", c"replica"),
            (c"row_security", c"on"),
        ];
        let (mut role, mut context) = (Oid::INVALID, 0);
        // SAFETY: as PostgreSQL does in `vacuum_rel` and `RI_Initial_Check`; the strings are static.
        let nest_level = unsafe {
            pg_sys::GetUserIdAndSecContext(&raw mut role, &raw mut context);
            let as_owner = pg_sys::SECURITY_LOCAL_USERID_CHANGE
                | pg_sys::SECURITY_RESTRICTED_OPERATION
                | pg_sys::SECURITY_NOFORCE_RLS;
            pg_sys::SetUserIdAndSecContext(self.owner, context | as_owner as c_int);
            let nest_level = pg_sys::NewGUCNestLevel();
            for (setting, value) in SETTINGS {
                pg_sys::set_config_option(
                    setting.as_ptr(),
                    value.as_ptr(),
                    pg_sys::GucContext::PGC_SUSET,
                    pg_sys::GucSource::PGC_S_SESSION,
                    pg_sys::GucAction::GUC_ACTION_SAVE,
                    true,
                    0,
                    false,
                );
            }
            nest_level
        };
        let outcome = Spi::connect_mut(f);
        // SAFETY: as above.
        unsafe {
            pg_sys::AtEOXact_GUC(false, nest_level);
            pg_sys::SetUserIdAndSecContext(role, context);
        }
        outcome.map_err(|_| Failure::OutOfMemory)
    }
}
