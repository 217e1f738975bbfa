//! The tenant of rows that refer to others, and of those that a key finds.

use crate::{
    c_functions,
    pg::{parent, resolver},
};

c_functions! {
    fill_tenant => parent::fill_on_write;
    cordon_rows_without_tenant => parent::rows_without_tenant;
    cordon_resolve => resolver::resolve;
}
