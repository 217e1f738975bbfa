//! Which keys values are under, whether they open, and rewriting columns in batches.

use crate::{
    c_functions,
    pg::{rewriting, rotation},
};

c_functions! {
    cordon_key_usage => rotation::key_usage;
    cordon_table_keys => rotation::table_keys;
    cordon_wait_for_writers => rotation::wait_for_writers;
    cordon_verify_column => rotation::verify_column;
    cordon_rewrite => rewriting::rewrite;
}
