//! A quoted DEFAULT of a sealed column, `DEFAULT 'x'`, as a cast at run time: `DEFAULT 'x'::text::encrypted_text`. As the
//! grammar leaves it, before PostgreSQL gives the literal to the type's input function: Django and Rails define columns so,
//! with no tenant set.
//!
//! ADD COLUMN … DEFAULT would evaluate the default once for all rows that are there. It is made two parts of one statement,
//! ADD COLUMN and SET DEFAULT, and refused where there are rows.

use core::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
};

use pgrx::{
    PgBox,
    pg_sys::{self, List, Node, NodeTag, Oid},
};

use super::{
    definitions,
    error::Failure,
    sealed_types::holds_sealed,
    table::{self, column},
    trees::walk_raw,
};

/// The statement with its defaults of sealed columns rewritten: a copy, or the statement itself when it has none.
///
/// # Safety
/// `statement` must hold a utility statement.
pub unsafe fn at_run_time(statement: *mut pg_sys::PlannedStmt) -> *mut pg_sys::PlannedStmt {
    // SAFETY: by this function's contract; the tag of a node tells its type.
    unsafe {
        let tag = (*(*statement).utilityStmt).type_;
        if !matches!(
            tag,
            NodeTag::T_CreateStmt
                | NodeTag::T_CreateForeignTableStmt
                | NodeTag::T_AlterTableStmt
                | NodeTag::T_CreateDomainStmt
                | NodeTag::T_AlterDomainStmt
        ) {
            return statement;
        }
        // The statement may be in a plan that is kept.
        let copy = pg_sys::copyObjectImpl(statement.cast()).cast::<pg_sys::PlannedStmt>();
        let node = (*copy).utilityStmt;
        let is_changed = match tag {
            NodeTag::T_CreateStmt => create_table(&*node.cast::<pg_sys::CreateStmt>()),
            NodeTag::T_CreateForeignTableStmt => create_table(&(*node.cast::<pg_sys::CreateForeignTableStmt>()).base),
            NodeTag::T_AlterTableStmt => alter_table(&mut *node.cast::<pg_sys::AlterTableStmt>()),
            NodeTag::T_CreateDomainStmt => {
                let domain = &*node.cast::<pg_sys::CreateDomainStmt>();
                constraints(domain.constraints, type_of(domain.typeName))
            }
            _ => alter_domain(&mut *node.cast::<pg_sys::AlterDomainStmt>()),
        };
        if is_changed { copy } else { statement }
    }
}

/// # Safety
/// `statement` must be as the grammar leaves it.
unsafe fn create_table(statement: &pg_sys::CreateStmt) -> bool {
    let mut is_changed = false;
    // SAFETY: by this function's contract.
    unsafe {
        for element in nodes(statement.tableElts) {
            if (*element).type_ != NodeTag::T_ColumnDef {
                continue;
            }
            let definition = &*element.cast::<pg_sys::ColumnDef>();
            let mut type_oid = type_of(definition.typeName);
            if definition.typeName.is_null() {
                // Of a table of a composite type, or of a partition.
                let rows = match nodes(statement.inhRelations).next() {
                    Some(parent) => relation_of(parent.cast()),
                    None => pg_sys::get_typ_typrelid(type_of(statement.ofTypename)),
                };
                type_oid = column_of(rows, definition.colname);
            }
            is_changed |= constraints(definition.constraints, type_oid);
        }
    }
    is_changed
}

/// # Safety
/// As [`create_table`].
unsafe fn alter_table(statement: &mut pg_sys::AlterTableStmt) -> bool {
    let mut is_changed = false;
    // SAFETY: by this function's contract.
    unsafe {
        let relation = relation_of(statement.relation);
        // Of another's table nothing is looked at: PostgreSQL refuses the statement.
        if relation == Oid::INVALID || table::check_owner(relation).is_err() {
            return false;
        }
        let mut defaults = ptr::null_mut();
        for part in nodes(statement.cmds) {
            let command = &mut *part.cast::<pg_sys::AlterTableCmd>();
            match command.subtype {
                pg_sys::AlterTableType::AT_ColumnDefault if !command.def.is_null() => {
                    let type_oid = column_of(relation, command.name);
                    is_changed |= holds_sealed(type_oid) && rewrite(&mut command.def, type_oid);
                }
                pg_sys::AlterTableType::AT_AddColumn => {
                    let definition = &mut *command.def.cast::<pg_sys::ColumnDef>();
                    let type_oid = type_of(definition.typeName);
                    if !holds_sealed(type_oid)
                        || (command.missing_ok && column_of(relation, definition.colname) != Oid::INVALID)
                    {
                        continue;
                    }
                    if let Some(default) = take_default(definition, type_oid) {
                        if definitions::has_rows(relation) {
                            Failure::DefaultForOldRows.raise();
                        }
                        definitions::require_empty(relation);
                        defaults = pg_sys::lappend(defaults, set_default(definition.colname, default).cast());
                        is_changed = true;
                    }
                }
                _ => {}
            }
        }
        statement.cmds = pg_sys::list_concat(statement.cmds, defaults);
    }
    is_changed
}

/// # Safety
/// As [`create_table`].
unsafe fn alter_domain(statement: &mut pg_sys::AlterDomainStmt) -> bool {
    // SAFETY: by this function's contract.
    unsafe {
        if statement.subtype as u8 != b'T' || statement.def.is_null() {
            return false;
        }
        let type_oid = type_of(pg_sys::makeTypeNameFromNameList(statement.typeName));
        holds_sealed(type_oid) && rewrite(&mut statement.def, type_oid)
    }
}

/// Rewrites the defaults among the constraints of a column or domain.
///
/// # Safety
/// `list` must be a list of constraints as the grammar leaves it.
unsafe fn constraints(list: *mut List, type_oid: Oid) -> bool {
    // SAFETY: by this function's contract.
    unsafe {
        let mut is_changed = false;
        if holds_sealed(type_oid) {
            for constraint in nodes(list) {
                if is_default(constraint) {
                    is_changed |= rewrite(&mut (*constraint.cast::<pg_sys::Constraint>()).raw_expr, type_oid);
                }
            }
        }
        is_changed
    }
}

/// # Safety
/// `node` must be a node.
unsafe fn is_default(node: *mut Node) -> bool {
    // SAFETY: by this function's contract; the tag of a node tells its type.
    unsafe {
        (*node).type_ == NodeTag::T_Constraint && {
            let constraint = &*node.cast::<pg_sys::Constraint>();
            constraint.contype == pg_sys::ConstrType::CONSTR_DEFAULT && !constraint.raw_expr.is_null()
        }
    }
}

/// Takes the default out of a column's definition, if it has one that is not NULL.
///
/// # Safety
/// As [`constraints`].
unsafe fn take_default(definition: &mut pg_sys::ColumnDef, type_oid: Oid) -> Option<*mut Node> {
    // SAFETY: by this function's contract.
    unsafe {
        let constraint = nodes(definition.constraints).find(|node| is_default(*node))?;
        let mut default = (*constraint.cast::<pg_sys::Constraint>()).raw_expr;
        if (*default).type_ == NodeTag::T_A_Const && (*default.cast::<pg_sys::A_Const>()).isnull {
            return None;
        }
        definition.constraints = pg_sys::list_delete_ptr(definition.constraints, constraint.cast());
        rewrite(&mut default, type_oid);
        Some(default)
    }
}

/// `ALTER COLUMN name SET DEFAULT expression`
///
/// # Safety
/// `name` must be a C string.
unsafe fn set_default(name: *mut c_char, expression: *mut Node) -> *mut pg_sys::AlterTableCmd {
    // SAFETY: a node of its own.
    let mut command = unsafe { PgBox::<pg_sys::AlterTableCmd>::alloc_node(NodeTag::T_AlterTableCmd) };
    command.subtype = pg_sys::AlterTableType::AT_ColumnDefault;
    command.name = name;
    command.def = expression;
    command.into_pg()
}

/// Makes the literals in an expression casts at run time: that which is the expression, of the type given, and those that are
/// cast to a type that holds sealed values.
///
/// # Safety
/// `expression` must be as the grammar leaves it.
unsafe fn rewrite(expression: &mut *mut Node, type_oid: Oid) -> bool {
    // SAFETY: by this function's contract.
    unsafe {
        if is_literal(*expression) {
            *expression = cast(cast(*expression, text_name()), pg_sys::makeTypeNameFromOid(type_oid, -1));
            return true;
        }
        let mut is_changed = false;
        visit(*expression, (&raw mut is_changed).cast());
        is_changed
    }
}

/// # Safety
/// `node` must be null or an expression as the grammar leaves it; `context` a `bool`.
unsafe extern "C-unwind" fn visit(node: *mut Node, context: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    // SAFETY: by this function's contract; the tag of a node tells its type.
    unsafe {
        if (*node).type_ == NodeTag::T_TypeCast {
            let cast_node = &mut *node.cast::<pg_sys::TypeCast>();
            if is_literal(cast_node.arg) && super::trees::guarded(|| holds_sealed(type_of(cast_node.typeName))) {
                cast_node.arg = super::trees::guarded(|| cast(cast_node.arg, text_name()));
                *context.cast::<bool>() = true;
            }
        }
        walk_raw(node, visit, context)
    }
}

/// # Safety
/// `node` must be a node.
unsafe fn is_literal(node: *mut Node) -> bool {
    // SAFETY: by this function's contract; the tag of a node tells its type.
    unsafe {
        (*node).type_ == NodeTag::T_A_Const && {
            let constant = &*node.cast::<pg_sys::A_Const>();
            !constant.isnull && constant.val.node.type_ == NodeTag::T_String
        }
    }
}

/// # Safety
/// `argument` and `name` must be nodes as the grammar makes them.
unsafe fn cast(argument: *mut Node, name: *mut pg_sys::TypeName) -> *mut Node {
    // SAFETY: a node of its own.
    let mut cast = unsafe { PgBox::<pg_sys::TypeCast>::alloc_node(NodeTag::T_TypeCast) };
    cast.arg = argument;
    cast.typeName = name;
    cast.location = -1;
    cast.into_pg().cast()
}

fn text_name() -> *mut pg_sys::TypeName {
    // SAFETY: a type of PostgreSQL's own.
    unsafe { pg_sys::makeTypeNameFromOid(pg_sys::TEXTOID, -1) }
}

/// The type of that name, or none.
///
/// # Safety
/// `name` must be NULL or as the grammar leaves it.
pub unsafe fn type_of(name: *mut pg_sys::TypeName) -> Oid {
    // SAFETY: by this function's contract. What is unknown here is unknown to the statement.
    unsafe {
        // `serial` and %TYPE are for the statement to resolve.
        if name.is_null() || (*name).pct_type {
            return Oid::INVALID;
        }
        pg_sys::LookupTypeNameOid(ptr::null_mut(), name, true)
    }
}

/// The relation that a statement names, or none; not locked.
///
/// # Safety
/// `name` must be as the grammar leaves it.
pub unsafe fn relation_of(name: *mut pg_sys::RangeVar) -> Oid {
    // SAFETY: by this function's contract.
    unsafe {
        let missing_ok = pg_sys::RVROption::RVR_MISSING_OK;
        pg_sys::RangeVarGetRelidExtended(name, pg_sys::NoLock as c_int, missing_ok, None, ptr::null_mut())
    }
}

/// The columns of a relation: their names and types.
pub fn columns_of(relation: Oid) -> Vec<(std::ffi::CString, Oid)> {
    // SAFETY: a relation that has gone is NULL; else it is open until its columns have been copied.
    unsafe {
        let open = pg_sys::try_relation_open(relation, pg_sys::AccessShareLock as c_int);
        if open.is_null() {
            return Vec::new();
        }
        let columns = column::named((*open).rd_att).into_iter().map(|(name, _, type_oid)| (name, type_oid)).collect();
        pg_sys::relation_close(open, pg_sys::AccessShareLock as c_int);
        columns
    }
}

/// The type of a column, or none.
///
/// # Safety
/// `name` must be a C string.
unsafe fn column_of(relation: Oid, name: *const c_char) -> Oid {
    if relation == Oid::INVALID {
        return Oid::INVALID;
    }
    // SAFETY: by this function's contract; a lookup in the system catalogs.
    unsafe {
        let number = pg_sys::get_attnum(relation, CStr::from_ptr(name).as_ptr());
        if number == 0 { Oid::INVALID } else { pg_sys::get_atttype(relation, number) }
    }
}

/// # Safety
/// `list` must be a list of nodes, or null, and not change while it is read.
unsafe fn nodes(list: *mut List) -> impl Iterator<Item = *mut Node> {
    // SAFETY: by this function's contract.
    let cells = unsafe {
        list.as_ref().map_or(&[][..], |list| {
            core::slice::from_raw_parts(list.elements, usize::try_from(list.length).unwrap_or_default())
        })
    };
    // SAFETY: a list of pointers, so each cell is one.
    cells.iter().map(|cell| unsafe { cell.ptr_value }.cast())
}
