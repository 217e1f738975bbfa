//! Definitions hold no value that was sealed while they were made: it would be one tenant's, or under one key, for as long as
//! the definition is there. A quoted DEFAULT becomes a cast at run time by itself (`defaults`); the rest is refused.
//!
//! PostgreSQL says by `object_access_hook` which rows of the catalog it has made or changed. They are read again, and their
//! expressions looked through. Three things no hook sees are looked for when the statement is done: the value of a new column
//! for the rows that are there, the bounds of partitions, and the keys by which a table is partitioned.

use core::ffi::{c_char, c_int};

use pgrx::pg_sys::{self, Datum, Node, ObjectAccessType, Oid};

use super::{
    cell::ProcessCell,
    defaults,
    error::Failure,
    inspection::{Findings, inspect},
    literals, log, plans,
    presence::is_present,
    retyping,
    sealed_types::holds_sealed,
    table::{self, Blocks, OwnTable, column::Column},
    text_form,
    trees::guarded,
};

/// What a definition is, for what it may hold and for messages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Default,
    Check,
    Index,
    Statistics,
    Bound,
    /// Policies, rules, trigger conditions, functions and the defaults of their arguments and of domains: each run is one of
    /// the session that uses them, so constants of shared types are merely under an old key some day.
    Other(&'static str),
}

/// New relations, and new columns with their numbers, of the statements that are under way.
static NEW: ProcessCell<Vec<(Oid, c_int)>> = ProcessCell::new(Vec::new());

/// What holds of the innermost utility statement that is under way.
#[derive(Clone, Copy)]
pub struct Utility {
    /// How often values had been read from text when it began.
    inputs_before: u64,
    /// Whether it defines something for a session that restores a dump. Asked before it begins, because PostgreSQL makes indexes
    /// under restrictions that code of users has as well.
    is_restoring: bool,
}

static UTILITY: ProcessCell<Utility> = ProcessCell::new(Utility { inputs_before: 0, is_restoring: false });

/// What holds of the utility statement that is under way; for [`super::transaction`], which takes it back where an error was
/// caught.
pub fn under_way() -> Utility {
    *UTILITY.borrow_mut()
}

/// Takes it back.
pub fn restore(utility: Utility) {
    *UTILITY.borrow_mut() = utility;
}

static mut NEXT_OBJECT_ACCESS: pg_sys::object_access_hook_type = None;
static mut NEXT_UTILITY: pg_sys::ProcessUtility_hook_type = None;

/// Installs the hooks. Once a process.
pub fn install_hooks() {
    // SAFETY: while the library loads nothing else runs.
    unsafe {
        NEXT_OBJECT_ACCESS = pg_sys::object_access_hook;
        pg_sys::object_access_hook = Some(object_access);
        NEXT_UTILITY = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(utility);
    }
}

/// Called when a transaction ends.
pub fn forget() {
    if let (Ok(mut new), Ok(mut utility)) = (NEW.try_borrow_mut(), UTILITY.try_borrow_mut()) {
        new.clear();
        utility.is_restoring = false;
    }
}

/// Owns nothing: see [`super::trees`].
///
/// # Safety
/// Called by PostgreSQL as a `ProcessUtility_hook`.
unsafe extern "C-unwind" fn utility(
    statement: *mut pg_sys::PlannedStmt,
    text: *const c_char,
    is_read_only: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    receiver: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: PostgreSQL passes a utility statement; what is done before and after is guarded by itself.
    unsafe {
        let mut statement = statement;
        let mut is_read_only = is_read_only;
        let is_looked_at = is_definition((*statement).utilityStmt) && is_present();
        let before = under_way();
        let mut new_from = 0;
        let is_restoring = is_looked_at && guarded(text_form::is_restoring);
        restore(Utility { inputs_before: literals::inputs(), is_restoring });
        if is_looked_at {
            new_from = guarded(|| NEW.borrow_mut().len());
            guarded(|| note_copied_secrets((*statement).utilityStmt));
            guarded(|| retyping::refuse((*statement).utilityStmt));
            if !is_restoring {
                let rewritten = guarded(|| defaults::at_run_time(statement));
                is_read_only &= rewritten == statement;
                statement = rewritten;
            }
        }
        // A query that COPY writes out is planned as any other.
        let copies_in = is_looked_at
            && (*(*statement).utilityStmt).type_ == pg_sys::NodeTag::T_CopyStmt
            && (*(*statement).utilityStmt.cast::<pg_sys::CopyStmt>()).is_from;
        let kept_out = copies_in && plans::keep_out();
        match NEXT_UTILITY {
            Some(next) => next(statement, text, is_read_only, context, parameters, environment, receiver, completion),
            None => standard_ProcessUtility(
                statement,
                text,
                is_read_only,
                context,
                parameters,
                environment,
                receiver,
                completion,
            ),
        }
        restore(before);
        if copies_in {
            plans::restore_keeping_out(kept_out);
        }
        if is_looked_at {
            guarded(|| {
                let new: Vec<_> = NEW.borrow_mut().drain(new_from..).collect();
                if !is_restoring {
                    check_new(&new);
                }
            });
        }
    }
}

/// Whether a statement defines something, or copies rows in. Others, as those that end a transaction, are not looked at.
///
/// # Safety
/// `statement` must be a utility statement.
unsafe fn is_definition(statement: *mut Node) -> bool {
    use pg_sys::NodeTag as Tag;
    // SAFETY: by this function's contract.
    let tag = unsafe { (*statement).type_ };
    matches!(
        tag,
        Tag::T_CreateStmt
            | Tag::T_CreateForeignTableStmt
            | Tag::T_AlterTableStmt
            | Tag::T_CreateTableAsStmt
            | Tag::T_CreateSchemaStmt
            | Tag::T_CreateDomainStmt
            | Tag::T_AlterDomainStmt
            | Tag::T_CreatePolicyStmt
            | Tag::T_AlterPolicyStmt
            | Tag::T_RuleStmt
            | Tag::T_ViewStmt
            | Tag::T_CreateTrigStmt
            | Tag::T_CreateFunctionStmt
            | Tag::T_IndexStmt
            | Tag::T_CreateStatsStmt
            | Tag::T_CreatePublicationStmt
            | Tag::T_AlterPublicationStmt
            | Tag::T_CopyStmt
    )
}

/// Owns nothing: see [`super::trees`].
///
/// # Safety
/// Called by PostgreSQL as an `object_access_hook`.
unsafe extern "C-unwind" fn object_access(
    access: ObjectAccessType::Type,
    class: Oid,
    object: Oid,
    sub_object: c_int,
    argument: *mut core::ffi::c_void,
) {
    // SAFETY: PostgreSQL passes what the next hook expects.
    unsafe {
        if let Some(next) = NEXT_OBJECT_ACCESS {
            next(access, class, object, sub_object, argument);
        }
    }
    let is_new = access == ObjectAccessType::OAT_POST_CREATE;
    if (is_new || access == ObjectAccessType::OAT_POST_ALTER) && is_present() {
        guarded(|| check(is_new, class, object, sub_object));
    }
}

/// Looks through what the catalog now has of an object.
fn check(is_new: bool, class: Oid, object: Oid, sub_object: c_int) {
    if is_new && class == CLASS {
        NEW.borrow_mut().push((object, sub_object));
    }
    // A definition of before that is copied or renamed has no literal that was read since the statement began.
    let utility = under_way();
    let has_literals = literals::inputs() != utility.inputs_before;
    let is_check = class == CONSTRAINT && is_new;
    let is_statistics = class == STATISTIC_EXT && is_new;
    if !(has_literals || is_check || is_statistics) || utility.is_restoring {
        return;
    }
    let (catalog, place) = match class {
        ATTRDEF => {
            // Whose hook names the table, and the column.
            let keys =
                [(2, pg_sys::F_OIDEQ, Datum::from(object)), (3, pg_sys::F_INT2EQ, Datum::from(sub_object as i16))];
            return check_rows(ATTRDEF, ATTRDEF_BY_COLUMN, &keys, Place::Default);
        }
        CONSTRAINT => (2667, Place::Check),
        POLICY => (3257, Place::Other("a policy")),
        REWRITE => (2692, Place::Other("a rule")),
        TRIGGER => (2702, Place::Other("a trigger condition")),
        TYPE => (2703, Place::Other("a domain default")),
        PROC => (2690, Place::Other("a function")),
        STATISTIC_EXT => (3380, Place::Statistics),
        PUBLICATION_REL => (6112, Place::Index),
        CLASS if sub_object == 0 => {
            check_rows(INDEX, INDEX_BY_OID, &[(1, pg_sys::F_OIDEQ, Datum::from(object))], Place::Index);
            (CLASS_BY_OID, Place::Bound)
        }
        _ => return,
    };
    check_rows(class, catalog, &[(1, pg_sys::F_OIDEQ, Datum::from(object))], place);
}

// Catalogs and their indexes by oid, as `catalog/pg_*.h` declare them; not all are among pgrx's bindings. The numbers of
// system catalogs never change.
const ATTRDEF: Oid = Oid::from_u32(2604);
const ATTRDEF_BY_COLUMN: u32 = 2656;
const CLASS: Oid = Oid::from_u32(1259);
const CLASS_BY_OID: u32 = 2662;
const CONSTRAINT: Oid = Oid::from_u32(2606);
const INDEX: Oid = Oid::from_u32(2610);
const INDEX_BY_OID: u32 = 2679;
const POLICY: Oid = Oid::from_u32(3256);
const PROC: Oid = Oid::from_u32(1255);
const PUBLICATION_REL: Oid = Oid::from_u32(6106);
const REWRITE: Oid = Oid::from_u32(2618);
const STATISTIC_EXT: Oid = Oid::from_u32(3381);
const TRIGGER: Oid = Oid::from_u32(2620);
const TYPE: Oid = Oid::from_u32(1247);

/// Raises an error for what the expressions in some rows of a catalog must not hold: of an index of its the columns, the
/// equality of their types, and the values.
fn check_rows(catalog: Oid, index: u32, keys: &[(i16, u32, Datum)], place: Place) {
    // SAFETY: a catalog, an index of its, and the first columns of that; the scan is ended, or an error ends it. Columns of type
    // pg_node_tree are texts of trees.
    unsafe {
        let relation = pg_sys::table_open(catalog, pg_sys::AccessShareLock as c_int);
        let mut scan_keys = [pg_sys::ScanKeyData::default(); 2];
        for (scan_key, (column, equal, value)) in scan_keys.iter_mut().zip(keys) {
            let strategy = pg_sys::BTEqualStrategyNumber as u16;
            pg_sys::ScanKeyInit(scan_key, *column, strategy, Oid::from(*equal), *value);
        }
        // What this statement has made.
        let own = (&raw const SnapshotSelfData).cast_mut();
        let count = keys.len() as c_int;
        let scan = pg_sys::systable_beginscan(relation, Oid::from(index), true, own, count, scan_keys.as_mut_ptr());
        loop {
            let row = pg_sys::systable_getnext(scan);
            if row.is_null() {
                break;
            }
            if catalog == CONSTRAINT && !is_own_check(row, (*relation).rd_att) {
                continue;
            }
            for (at, type_oid) in table::column::types((*relation).rd_att).into_iter().enumerate() {
                if type_oid == Some(pg_sys::PG_NODE_TREEOID)
                    && let Some(tree) = tree_in(row, at + 1, (*relation).rd_att)
                {
                    check_expression(&inspect(tree), place, catalog);
                }
            }
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as c_int);
    }
}

/// Whether a row of pg_constraint is a check that is not inherited: what a partition or child inherits was taken before.
///
/// # Safety
/// `row` must be one of pg_constraint, of these columns.
unsafe fn is_own_check(row: pg_sys::HeapTuple, columns: pg_sys::TupleDesc) -> bool {
    let value = |name| {
        // SAFETY: by this function's contract; neither column is ever null.
        unsafe {
            let column = Column::find(columns, name).ok()?;
            pg_sys::heap_getattr(row, column.number.into(), columns, &mut false).into()
        }
    };
    let (kind, parents): (Option<Datum>, Option<Datum>) = (value(c"contype"), value(c"coninhcount"));
    kind.is_some_and(|kind| kind.value() as u8 == b'c') && parents.is_some_and(|parents| parents.value() as i16 == 0)
}

/// The tree in a column of type pg_node_tree.
///
/// # Safety
/// The row must be of these columns, of which that is one.
unsafe fn tree_in(row: pg_sys::HeapTuple, number: usize, columns: pg_sys::TupleDesc) -> Option<*mut Node> {
    let mut is_null = false;
    // SAFETY: by this function's contract.
    unsafe {
        let value = pg_sys::heap_getattr(row, number as c_int, columns, &mut is_null);
        if is_null {
            return None;
        }
        let text = pg_sys::text_to_cstring(value.cast_mut_ptr());
        Some(pg_sys::stringToNode(text).cast())
    }
}

fn check_expression(found: &Findings, place: Place, class: Oid) {
    let refused = match place {
        Place::Default => found.has_constant(),
        Place::Check => found.has_constant() || found.has_conversion,
        Place::Statistics => found.has_constant() || found.has_conversion,
        Place::Index | Place::Bound => found.has_constant(),
        Place::Other(_) => found.has_tenant_constant,
    };
    if refused {
        let what = match place {
            Place::Default => "a default or generated column",
            Place::Check => "a check",
            Place::Statistics => "a statistics object",
            Place::Index if class == PUBLICATION_REL => "the row filter of a publication",
            Place::Index => "an index",
            Place::Bound => "a partition bound",
            Place::Other(what) => what,
        };
        let failure = match place {
            Place::Check => Failure::CheckOnSealed,
            Place::Statistics => Failure::StatisticsOnSealed,
            _ => Failure::ConstantInDefinition(what),
        };
        failure.raise();
    }
}

/// Looks for what only the finished statement shows.
fn check_new(new: &[(Oid, c_int)]) {
    if new.is_empty() {
        return;
    }
    // SAFETY: makes what the statement has done visible, as PostgreSQL does between the parts of one. The rest are lookups in
    // the system catalogs of relations that this statement has made or changed, which it has locked.
    unsafe {
        pg_sys::CommandCounterIncrement();
        for (relation, number) in new {
            if *number == NO_ROWS {
                if has_rows(*relation) {
                    Failure::DefaultForOldRows.raise();
                }
                continue;
            }
            if *number > 0 {
                if has_value_for_old_rows(*relation, *number)
                    || has_default_of_domain(*relation, *number) && has_rows(*relation)
                {
                    Failure::DefaultForOldRows.raise();
                }
                continue;
            }
            if let Some(place) = sealed_in_partition_key(*relation) {
                Failure::ConstantInDefinition(place).raise();
            }
            check_rows(CLASS, CLASS_BY_OID, &[(1, pg_sys::F_OIDEQ, Datum::from(*relation))], Place::Bound);
        }
    }
}

/// Whether the catalog keeps a value of a sealed type for the rows that were there before a column (`attmissingval`), which is
/// that of the tenant who added it.
///
/// # Safety
/// In a transaction.
unsafe fn has_value_for_old_rows(relation: Oid, number: c_int) -> bool {
    // SAFETY: a lookup in the system catalogs; the row is released when it has been looked at.
    unsafe {
        let id = pg_sys::SysCacheIdentifier::ATTNUM as c_int;
        let row = pg_sys::SearchSysCache2(id, Datum::from(relation), Datum::from(number as i16));
        if row.is_null() {
            return false;
        }
        let attribute = &*pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_attribute>();
        let (has_value, type_oid) = (attribute.atthasmissing, attribute.atttypid);
        pg_sys::ReleaseSysCache(row);
        has_value && holds_sealed(type_oid)
    }
}

/// Whether a sealed column is of a domain with a default, which PostgreSQL has evaluated once for each of the rows that were
/// there, or for all of them.
///
/// # Safety
/// In a transaction.
unsafe fn has_default_of_domain(relation: Oid, number: c_int) -> bool {
    // SAFETY: lookups in the system catalogs.
    unsafe {
        let type_oid = pg_sys::get_atttype(relation, number as i16);
        type_oid != Oid::INVALID && holds_sealed(type_oid) && !pg_sys::get_typdefault(type_oid).is_null()
    }
}

/// What would hold a sealed value of a table that is partitioned: the bounds, where a sealed column is in a key of lists or ranges;
/// or an expression of the key.
///
/// # Safety
/// In a transaction.
unsafe fn sealed_in_partition_key(relation: Oid) -> Option<&'static str> {
    const STRATEGY: i16 = 2;
    const COLUMNS: i16 = 5;
    const EXPRESSIONS: i16 = 8;
    // SAFETY: a lookup in the system catalogs; the row is released when it has been looked at. The columns of
    // pg_partitioned_table are never null; of the key the numbers are an int2vector.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::PARTRELID as c_int;
        let row = pg_sys::SearchSysCache1(cache, Datum::from(relation));
        if row.is_null() {
            return None;
        }
        let mut is_null = false;
        let strategy = pg_sys::SysCacheGetAttr(cache, row, STRATEGY, &raw mut is_null).value() as u8;
        let key = pg_sys::SysCacheGetAttr(cache, row, COLUMNS, &raw mut is_null).cast_mut_ptr::<pg_sys::int2vector>();
        let count = usize::try_from((*key).dim1).unwrap_or_default();
        let columns = (&raw const (*key).values).cast::<i16>();
        let is_sealed = strategy != b'h'
            && (0..count)
                .map(|at| *columns.add(at))
                .any(|number| number > 0 && holds_sealed(pg_sys::get_atttype(relation, number)));
        let expressions = pg_sys::SysCacheGetAttr(cache, row, EXPRESSIONS, &raw mut is_null);
        let found = if is_null {
            Findings::default()
        } else {
            inspect(pg_sys::stringToNode(pg_sys::text_to_cstring(expressions.cast_mut_ptr())).cast())
        };
        pg_sys::ReleaseSysCache(row);
        if found.has_constant() || found.has_conversion {
            Some("the key of a partitioned table")
        } else {
            is_sealed.then_some("a partition bound")
        }
    }
}

/// A COPY whose line is refused before a value in it is read quotes the whole line in the log.
///
/// # Safety
/// `statement` must be a utility statement.
unsafe fn note_copied_secrets(statement: *mut Node) {
    // SAFETY: by this function's contract; the tag of a node tells its type. The lookups lock nothing.
    unsafe {
        if (*statement).type_ != pg_sys::NodeTag::T_CopyStmt {
            return;
        }
        let copy = &*statement.cast::<pg_sys::CopyStmt>();
        if !copy.is_from || copy.relation.is_null() {
            return;
        }
        let relation = defaults::relation_of(copy.relation);
        if relation != Oid::INVALID
            && defaults::columns_of(relation).iter().any(|(_, type_oid)| log::is_secret(*type_oid))
        {
            log::note_secret();
        }
    }
}

/// Whether a table or one under it has a row.
pub fn has_rows(relation: Oid) -> bool {
    table::everything_under(relation).into_iter().any(|oid| {
        let Some(table) = OwnTable::of_statement(oid) else { return false };
        table::for_each_row(&table, Blocks::ALL, |_| Err(Failure::Enough)).is_err()
    })
}

/// Has the end of the statement look that a table has no rows, once more: now it is not locked.
pub fn require_empty(relation: Oid) {
    NEW.borrow_mut().push((relation, NO_ROWS));
}

/// In place of a column's number: the table must be empty.
const NO_ROWS: c_int = -1;

unsafe extern "C-unwind" {
    /// As in `tcop/utility.h`, without the guard of pgrx's declaration.
    fn standard_ProcessUtility(
        statement: *mut pg_sys::PlannedStmt,
        text: *const c_char,
        is_read_only: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        parameters: pg_sys::ParamListInfo,
        environment: *mut pg_sys::QueryEnvironment,
        receiver: *mut pg_sys::DestReceiver,
        completion: *mut pg_sys::QueryCompletion,
    );
    /// As in `utils/snapmgr.h`, which pgrx does not bind.
    static SnapshotSelfData: pg_sys::SnapshotData;
}
