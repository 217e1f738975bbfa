//! The relations of users. Everything that reads or writes one goes through here, so that nothing of a user's runs with
//! more than its owner's rights, and so that a value is read as bytes only after the catalog said what it is.

pub mod column;
mod lookup;
mod owner;
mod rewrite;
mod row_key;
mod scan;
mod statement;

pub use lookup::{ForeignKey, UniqueKey, foreign_key, registration};
pub use owner::{Access, OwnTable, check_owner, descendants, everything_under, name_of};
pub use rewrite::Rewriter;
pub use row_key::{key_of, primary_key};
pub use scan::{Blocks, Row, for_each_row};
pub use statement::{act_as, as_owner, forget_lifted, lift_row_security, show_rows_to_check};
