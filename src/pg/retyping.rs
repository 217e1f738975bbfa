//! `ALTER TABLE ... TYPE encrypted_text` in a table with rows: PostgreSQL would seal each of them for the current tenant, whatever
//! tenant it is of, as Django's AlterField asks for. Refused, unless the statement names the tenant of each value, by calling
//! `cordon.encrypt` in USING. The way back likewise.

use core::ffi::{CStr, c_void};

use cordon_core::Kind;
use pgrx::{
    PgList,
    pg_sys::{self, Node, NodeTag, Oid},
};

use super::{defaults::type_of, definitions::has_rows, error::Failure, sealed_types::sealed_kind, trees::walk_raw};

/// Called before the statement runs.
///
/// # Safety
/// `statement` must be a utility statement.
pub unsafe fn refuse(statement: *mut Node) {
    // SAFETY: by this function's contract; the tag of a node tells its type. The table is locked as the statement itself locks
    // it, by who may alter it.
    unsafe {
        if (*statement).type_ != NodeTag::T_AlterTableStmt {
            return;
        }
        let statement = &*statement.cast::<pg_sys::AlterTableStmt>();
        let commands = PgList::<pg_sys::AlterTableCmd>::from_pg(statement.cmds);
        for command in commands.iter_ptr() {
            let command = &*command;
            if command.subtype != pg_sys::AlterTableType::AT_AlterColumnType || command.def.is_null() {
                continue;
            }
            let definition = &*command.def.cast::<pg_sys::ColumnDef>();
            let relation = pg_sys::RangeVarGetRelidExtended(
                statement.relation,
                pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE,
                pg_sys::RVROption::RVR_MISSING_OK,
                Some(RangeVarCallbackOwnsRelation),
                core::ptr::null_mut(),
            );
            // Composite types have no rows, and those of foreign tables are elsewhere.
            let kind = pg_sys::get_rel_relkind(relation) as u8;
            if kind != pg_sys::RELKIND_RELATION && kind != pg_sys::RELKIND_PARTITIONED_TABLE {
                return;
            }
            let number = pg_sys::get_attnum(relation, command.name);
            if number <= 0 {
                return;
            }
            let before = of_tenant(pg_sys::get_atttype(relation, number));
            let after = of_tenant(type_of(definition.typeName));
            let is_named = match (before, after) {
                (None, Some(_)) => calls(definition.raw_default, &[c"encrypt", c"encrypt_eq"]),
                (Some(_), None) => calls(definition.raw_default, &[c"decrypt"]),
                // From one type to its sibling: a value of another tenant does not open, which is an error.
                _ => continue,
            };
            if !is_named && has_rows(relation) {
                Failure::RetypedRows {
                    column: CStr::from_ptr(command.name).to_string_lossy().into_owned(),
                    is_sealed: after.is_some(),
                }
                .raise();
            }
        }
    }
}

/// The type under a type's domains, or that of an array's elements, when its values are sealed for a tenant.
fn of_tenant(type_oid: Oid) -> Option<Oid> {
    // SAFETY: lookups in the system catalogs.
    let element = unsafe { pg_sys::get_base_element_type(type_oid) };
    let found = sealed_kind(if element == Oid::INVALID { type_oid } else { element });
    found.filter(|(kind, _)| matches!(kind, Kind::Tenant | Kind::TenantEq)).map(|(_, base)| base)
}

/// Whether an expression calls one of these functions of the extension's schema, by its full name.
///
/// # Safety
/// `expression` must be null or as the grammar leaves it.
unsafe fn calls(expression: *mut Node, names: &[&CStr]) -> bool {
    let mut names = names;
    // SAFETY: by this function's contract.
    unsafe { is_call(expression, (&raw mut names).cast()) }
}

/// # Safety
/// `node` must be null or an expression as the grammar leaves it; `context` a slice of names.
unsafe extern "C-unwind" fn is_call(node: *mut Node, context: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    // SAFETY: by this function's contract; the tag of a node tells its type. The parts of a name are strings.
    unsafe {
        if (*node).type_ == NodeTag::T_FuncCall {
            let list = (*node.cast::<pg_sys::FuncCall>()).funcname;
            if (*list).length == 2 {
                let part =
                    |at: usize| CStr::from_ptr((*(*(*list).elements.add(at)).ptr_value.cast::<pg_sys::String>()).sval);
                let names = *context.cast::<&[&CStr]>();
                if part(0) == c"cordon" && names.contains(&part(1)) {
                    return true;
                }
            }
        }
        walk_raw(node, is_call, context)
    }
}

unsafe extern "C-unwind" {
    /// As in `commands/tablecmds.h`: called by PostgreSQL, so without the guard of pgrx's declaration.
    fn RangeVarCallbackOwnsRelation(name: *const pg_sys::RangeVar, relation: Oid, before: Oid, argument: *mut c_void);
}
