//! Statements in place of the owner of a table, and of a role that attacks; `sql/` calls them.

use pgrx::pg_sys::{Datum, FunctionCallInfo};

use crate::{
    pg::table::{act_as, as_owner},
    unguarded_functions,
};

unguarded_functions! {
    cordon_as_owner => as_owner;
    cordon_act_as => act_as;
}
