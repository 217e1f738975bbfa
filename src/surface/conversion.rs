//! Turning one column into another while both are in use.

use crate::{c_functions, pg::convert};

c_functions! {
    convert_on_write => convert::follow_write;
    cordon_unconverted_rows => convert::unconverted_rows;
    cordon_count_unconverted => convert::count_unconverted;
    cordon_require_source => convert::require_source;
}
