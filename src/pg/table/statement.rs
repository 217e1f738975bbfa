//! A statement in place of its owner, or of a role that attacks: for catalog questions and definitions, which are SQL.
//!
//! Row security that is forced on the owner's tables is lifted for a query of its tables, and for nobody's code: while the
//! query is rewritten, which is when PostgreSQL decides it. Literals are read before, and plans made after.
//!
//! A definition that checks a foreign key asks by a query of its own (`RI_Initial_Check` in `utils/adt/ri_triggers.c`), which
//! would pass over the rows that are hidden: there it is lifted in the query itself, for the owner's tables.
//!
//! No guard is between PostgreSQL and the frames here, which own nothing: an error keeps its context, and the names of the
//! constraint and the column at fault.

use core::{
    ffi::{c_char, c_int, c_long, c_void},
    ptr,
    sync::atomic::{AtomicPtr, AtomicU32, Ordering},
};

use pgrx::{
    PgList,
    pg_sys::{self, Datum, FunctionCallInfo, Node, NodeTag, Oid},
};

use super::owner::{Access, Acting, OwnTable, check_owned_by, check_owner, everything_under};
use crate::pg::{
    error::{Failure, or_raise},
    fmgr::Args,
    trees::{guarded, walk},
};

/// `cordon_internal.as_owner(relation oid, statement text)`: runs a statement as the owner of a relation that the caller has
/// the rights of, from whom no row security hides rows, and returns the first column of its first row as text.
///
/// # Safety
/// To be called by PostgreSQL, for a function declared STRICT with these arguments.
pub unsafe fn as_owner(call: FunctionCallInfo) -> Datum {
    // SAFETY: by this function's contract.
    unsafe {
        let (owner, statement) = pg_sys::submodules::panic::pgrx_extern_c_guard(|| {
            let args = Args::new(call);
            let relation = args.oid(0);
            or_raise(check_owner(relation));
            // Closed again, for definitions of a table that is open are refused; the lock stays.
            let table = or_raise(OwnTable::open(relation, Access::Read));
            let statement = pg_sys::text_to_cstring(args.pointer(1).cast());
            // Of several the second would be parsed while row security is lifted for the first.
            let parsed = pg_sys::pg_parse_query(statement);
            if parsed.as_ref().is_none_or(|parsed| parsed.length != 1) {
                Failure::NotAStatement.raise();
            }
            (table.owner(), statement)
        });
        run(call, owner, statement, Rows::OfTheOwner(Args::new(call).oid(0)), true)
    }
}

/// `cordon_internal.act_as(role oid, statement text, fires_after boolean)`: runs a statement as a role, for `cordon.prove`,
/// which superusers call; returns the first column of its first row as text, of a statement without rows their number.
/// Without `fires_after`, triggers that fire after it, as those of foreign keys do, do not: whoever calls takes back what it
/// did, by ending the subtransaction that it was called in with an error.
///
/// # Safety
/// As [`as_owner`].
pub unsafe fn act_as(call: FunctionCallInfo) -> Datum {
    // SAFETY: by this function's contract.
    unsafe {
        let (role, statement, fires_after) = pg_sys::submodules::panic::pgrx_extern_c_guard(|| {
            let args = Args::new(call);
            if !pg_sys::superuser() {
                Failure::NotSuperuser("act as another role").raise();
            }
            // Raises 42704 for a role that does not exist.
            pg_sys::GetUserNameFromId(args.oid(0), false);
            if pg_sys::superuser_arg(args.oid(0)) {
                Failure::SuperuserRole.raise();
            }
            (args.oid(0), pg_sys::text_to_cstring(args.pointer(1).cast()), args.bool(2))
        });
        run(call, role, statement, Rows::OfPolicies, fires_after)
    }
}

/// Which rows a statement reaches.
#[derive(Clone, Copy)]
enum Rows {
    /// Those that row security leaves to the role.
    OfPolicies,
    /// All of the role's own tables, as that one; and it reads no others.
    OfTheOwner(Oid),
}

/// The statement that row security is to be lifted for when it is rewritten.
static LIFTED: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

/// Called when a statement has been parsed and before it is rewritten, with its text.
pub fn lift_row_security(text: *const c_char) {
    let lifted = LIFTED.compare_exchange(text.cast_mut(), ptr::null_mut(), Ordering::Relaxed, Ordering::Relaxed);
    if !text.is_null() && lifted.is_ok() {
        // SAFETY: `run` takes it back, or an error does.
        unsafe { Acting::force_row_security(false) };
    }
}

/// The owner of the table whose foreign keys a definition checks at present.
static CHECKING: AtomicU32 = AtomicU32::new(0);

/// Called for a query that has been parsed and is not rewritten yet. One that compares two tables, as the check of a foreign key
/// does, while the owner of these checks one: it sees all of their rows. Whoever asks such a query then is the owner, who
/// may lift row security from them anyway.
///
/// # Safety
/// `query` must be a query as the parser makes it.
pub unsafe fn show_rows_to_check(query: *mut pg_sys::Query) {
    let owner = CHECKING.load(Ordering::Relaxed);
    // SAFETY: by this function's contract; the tag of a node tells its type.
    unsafe {
        if owner == 0 || pg_sys::GetUserId().to_u32() != owner || (*query).commandType != pg_sys::CmdType::CMD_SELECT {
            return;
        }
        guarded(|| {
            let entries = PgList::<pg_sys::RangeTblEntry>::from_pg((*query).rtable);
            let is_table = |entry: &*mut pg_sys::RangeTblEntry| {
                let kind = (**entry).relkind as u8;
                (**entry).rtekind == pg_sys::RTEKind::RTE_RELATION
                    && (kind == pg_sys::RELKIND_RELATION || kind == pg_sys::RELKIND_PARTITIONED_TABLE)
            };
            let is_join = |entry: &*mut pg_sys::RangeTblEntry| (**entry).rtekind == pg_sys::RTEKind::RTE_JOIN;
            if entries.len() != 3
                || entries.iter_ptr().filter(is_table).count() != 2
                || entries.iter_ptr().filter(is_join).count() != 1
                || (*query).hasSubLinks
            {
                return;
            }
            for entry in entries.iter_ptr().filter(is_table) {
                if check_owned_by((*entry).relid, Oid::from_u32(owner)).is_ok() {
                    read_as_superuser(query, entry);
                }
            }
        });
    }
}

/// # Safety
/// `entry` must be a table in the query.
unsafe fn read_as_superuser(query: *mut pg_sys::Query, entry: *mut pg_sys::RangeTblEntry) {
    let superuser = Oid::from_u32(pg_sys::BOOTSTRAP_SUPERUSERID);
    // SAFETY: by this function's contract.
    unsafe {
        #[cfg(feature = "pg15")]
        {
            let _ = query;
            (*entry).checkAsUser = superuser;
        }
        #[cfg(not(feature = "pg15"))]
        {
            (*pg_sys::getRTEPermissionInfo((*query).rteperminfos, entry)).checkAsUser = superuser;
        }
    }
}

/// Called when a transaction or subtransaction ends: the statement has failed to parse, or to check.
pub fn forget_lifted() {
    LIFTED.store(ptr::null_mut(), Ordering::Relaxed);
    CHECKING.store(0, Ordering::Relaxed);
}

/// Refuses what would reach over the role's own tables, with which the rows of others would be under no row security, or
/// their owners' code would run with the role's rights; and what leaves something behind that goes on with them. Returns
/// whether it may check a foreign key.
///
/// # Safety
/// `plan` must be a plan of SPI's.
unsafe fn check(plan: *mut c_void, role: Oid, relation: Oid) -> bool {
    let mut checks_keys = false;
    // SAFETY: by this function's contract: a list of sources of plans, each with a list of queries.
    unsafe {
        let sources = PgList::<pg_sys::CachedPlanSource>::from_pg(pg_sys::SPI_plan_get_plan_sources(plan.cast()));
        for source in sources.iter_ptr() {
            for query in PgList::<Node>::from_pg((*source).query_list).iter_ptr() {
                let utility = (*query.cast::<pg_sys::Query>()).utilityStmt;
                if !utility.is_null() {
                    checks_keys |= check_utility(utility, role, relation);
                }
                refuse_others(query, (&raw const role).cast_mut().cast());
            }
        }
    }
    checks_keys
}

/// Returns whether it may check a foreign key.
///
/// # Safety
/// `statement` must be a utility statement.
unsafe fn check_utility(statement: *mut Node, role: Oid, relation: Oid) -> bool {
    use pg_sys::AlterTableType::{
        AT_AddConstraint, AT_DisableRowSecurity, AT_EnableRowSecurity, AT_ForceRowSecurity, AT_NoForceRowSecurity,
        AT_ValidateConstraint,
    };
    let mut checks_keys = false;
    // SAFETY: by this function's contract; the tag of a node tells its type.
    unsafe {
        guarded(|| match (*statement).type_ {
            NodeTag::T_DeclareCursorStmt => Failure::NotAStatement.raise(),
            NodeTag::T_AlterTableStmt => {
                // The rest goes on to partitions and children, whose constraints it evaluates.
                let stays = [AT_EnableRowSecurity, AT_DisableRowSecurity, AT_ForceRowSecurity, AT_NoForceRowSecurity];
                let commands = (*statement.cast::<pg_sys::AlterTableStmt>()).cmds;
                let kinds: Vec<_> = PgList::<pg_sys::AlterTableCmd>::from_pg(commands)
                    .iter_ptr()
                    .map(|command| (*command).subtype)
                    .collect();
                checks_keys = kinds.iter().any(|kind| [AT_AddConstraint, AT_ValidateConstraint].contains(kind));
                if kinds.iter().any(|kind| !stays.contains(kind)) {
                    for part in everything_under(relation) {
                        or_raise(check_owned_by(part, role));
                    }
                }
            }
            _ => {}
        });
    }
    checks_keys
}

/// Whether a relation is one of PostgreSQL's own or of this extension's.
fn is_catalog(relation: Oid) -> bool {
    const CLASS: Oid = Oid::from_u32(1259);
    // SAFETY: lookups in the system catalogs.
    unsafe {
        relation.to_u32() < pg_sys::FirstNormalObjectId || {
            let extension = pg_sys::getExtensionOfObject(CLASS, relation);
            extension != Oid::INVALID && extension == pg_sys::get_extension_oid(c"pg_cordon".as_ptr(), true)
        }
    }
}

/// # Safety
/// `node` must be null or a part of a query that has been rewritten; `context` the oid of a role.
unsafe extern "C-unwind" fn refuse_others(node: *mut Node, context: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    // SAFETY: by this function's contract; the tag of a node tells its type.
    unsafe {
        if (*node).type_ == NodeTag::T_Query {
            let query = &*node.cast::<pg_sys::Query>();
            let role = *context.cast::<Oid>();
            guarded(|| {
                for entry in PgList::<pg_sys::RangeTblEntry>::from_pg(query.rtable).iter_ptr() {
                    let is_relation = (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION;
                    // PostgreSQL's own catalogs, and the extension's registrations, in which protect writes.
                    if !is_relation || is_catalog((*entry).relid) {
                        continue;
                    }
                    let all = if (*entry).inh { everything_under((*entry).relid) } else { vec![(*entry).relid] };
                    for relation in all {
                        or_raise(check_owned_by(relation, role));
                    }
                }
            });
        }
        walk(node, refuse_others, context)
    }
}

/// # Safety
/// As [`as_owner`]; `statement` must be a C string.
unsafe fn run(call: FunctionCallInfo, role: Oid, statement: *const c_char, rows: Rows, fires_after: bool) -> Datum {
    // SAFETY: by this function's contract. An error ends the transaction or subtransaction, and with it the role, the settings
    // and the connection.
    unsafe {
        let caller = pg_sys::CurrentMemoryContext;
        let acting = Acting::begin(role);
        SPI_connect();
        let none = ptr::null_mut();
        if !fires_after {
            // A list of triggers to fire that nobody ends but the end of the subtransaction.
            AfterTriggerBeginQuery();
        }
        if matches!(rows, Rows::OfTheOwner(_)) {
            LIFTED.store(statement.cast_mut(), Ordering::Relaxed);
        }
        let plan = SPI_prepare(statement, 0, none);
        forget_lifted();
        Acting::force_row_security(true);
        let checking = CHECKING.load(Ordering::Relaxed);
        if let Rows::OfTheOwner(relation) = rows
            && !plan.is_null()
            && check(plan, role, relation)
        {
            CHECKING.store(role.to_u32(), Ordering::Relaxed);
        }
        if plan.is_null()
            || SPI_execute_snapshot(plan, none.cast(), ptr::null(), none.cast(), none.cast(), false, fires_after, 0) < 0
        {
            pg_sys::submodules::panic::pgrx_extern_c_guard::<_, ()>(|| Failure::NotAStatement.raise());
        }
        let mut result = ptr::null_mut::<pg_sys::varlena>();
        if pg_sys::SPI_tuptable.is_null() {
            result = copy_text(psprintf(c"%llu".as_ptr(), pg_sys::SPI_processed), caller);
        } else if pg_sys::SPI_processed > 0 {
            let rows = &*pg_sys::SPI_tuptable;
            let value = SPI_getvalue(*rows.vals, rows.tupdesc, 1);
            if !value.is_null() {
                result = copy_text(value, caller);
            }
        }
        SPI_finish();
        // That of a call that this one runs within.
        CHECKING.store(checking, Ordering::Relaxed);
        acting.end();
        if result.is_null() {
            (*call).isnull = true;
        }
        Datum::from(result)
    }
}

/// # Safety
/// `text` must be a C string.
unsafe fn copy_text(text: *const c_char, context: pg_sys::MemoryContext) -> *mut pg_sys::varlena {
    // SAFETY: by this function's contract.
    unsafe {
        let former = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = context;
        let copy = cstring_to_text(text);
        pg_sys::CurrentMemoryContext = former;
        copy
    }
}

// As in `executor/spi.h`, `commands/trigger.h` and `utils/builtins.h`, without the guard of pgrx's declarations.
unsafe extern "C-unwind" {
    fn SPI_connect() -> c_int;
    fn SPI_prepare(statement: *const c_char, count: c_int, types: *mut Oid) -> *mut c_void;
    fn SPI_execute_snapshot(
        plan: *mut c_void,
        values: *mut Datum,
        nulls: *const c_char,
        snapshot: pg_sys::Snapshot,
        crosscheck: pg_sys::Snapshot,
        read_only: bool,
        fire_triggers: bool,
        count: c_long,
    ) -> c_int;
    fn AfterTriggerBeginQuery();
    fn SPI_finish() -> c_int;
    fn SPI_getvalue(row: pg_sys::HeapTuple, columns: pg_sys::TupleDesc, number: c_int) -> *mut c_char;
    fn psprintf(format: *const c_char, ...) -> *mut c_char;
    fn cstring_to_text(text: *const c_char) -> *mut pg_sys::varlena;
}
