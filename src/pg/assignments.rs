//! Sealed values do not become plaintext in a column of another type unasked.

use pgrx::pg_sys::{self, CoercionForm, NodeTag, Query};

use super::{error::Failure, sealed_types::holds_sealed};

/// Refuses an assignment that turns a sealed value into text without an explicit cast. The casts to text and varchar are
/// explicit ones, but for every other type of the string category (citext) PostgreSQL supplies an assignment cast
/// through the output function.
///
/// # Safety
/// `query` must be a parsed query.
pub unsafe fn check(query: *mut Query) -> Result<(), Failure> {
    // SAFETY: by this function's contract; the lists hold the nodes that the fields' comments in parsenodes.h say.
    unsafe {
        match (*query).commandType {
            pg_sys::CmdType::CMD_UTILITY if (*(*query).utilityStmt).type_ == NodeTag::T_ExplainStmt => {
                return check((*(*query).utilityStmt.cast::<pg_sys::ExplainStmt>()).query.cast());
            }
            pg_sys::CmdType::CMD_INSERT | pg_sys::CmdType::CMD_UPDATE => check_targets((*query).targetList)?,
            _ => {}
        }
        if let Some(conflict) = (*query).onConflict.as_ref() {
            check_targets(conflict.onConflictSet)?;
        }
        for action in nodes::<pg_sys::MergeAction>((*query).mergeActionList) {
            check_targets((*action).targetList)?;
        }
        for cte in nodes::<pg_sys::CommonTableExpr>((*query).cteList) {
            check((*cte).ctequery.cast())?;
        }
    }
    Ok(())
}

/// # Safety
/// `targets` must be a list of `TargetEntry`, or null.
unsafe fn check_targets(targets: *mut pg_sys::List) -> Result<(), Failure> {
    // SAFETY: by this function's contract.
    unsafe {
        for target in nodes::<pg_sys::TargetEntry>(targets) {
            let mut expression = (*target).expr;
            if (*expression).type_ == NodeTag::T_CoerceToDomain {
                expression = (*expression.cast::<pg_sys::CoerceToDomain>()).arg;
            }
            if (*expression).type_ != NodeTag::T_CoerceViaIO {
                continue;
            }
            let cast = expression.cast::<pg_sys::CoerceViaIO>();
            if (*cast).coerceformat == CoercionForm::COERCE_IMPLICIT_CAST
                && holds_sealed(pg_sys::exprType((*cast).arg.cast()))
            {
                return Err(Failure::ImplicitPlaintext);
            }
        }
    }
    Ok(())
}

/// The elements of a list of nodes.
///
/// # Safety
/// `list` must be a list of pointers to `T`, or null for an empty one, and must not change while it is read.
unsafe fn nodes<T>(list: *mut pg_sys::List) -> impl Iterator<Item = *mut T> {
    // SAFETY: by this function's contract.
    let cells = unsafe {
        list.as_ref().map_or(&[][..], |list| {
            core::slice::from_raw_parts(list.elements, usize::try_from(list.length).unwrap_or_default())
        })
    };
    // SAFETY: a list of pointers, so each cell is one.
    cells.iter().map(|cell| unsafe { cell.ptr_value }.cast())
}
