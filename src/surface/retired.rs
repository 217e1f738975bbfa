//! Functions that the SQL of earlier releases declares and this one does not. PostgreSQL looks for them when such SQL is
//! loaded: by CREATE EXTENSION … VERSION, and by pg_upgrade. Between the new library and ALTER EXTENSION UPDATE they refuse.

use pgrx::pg_sys::Datum;

use crate::{
    c_functions,
    pg::{error::Failure, fmgr::Args},
};

c_functions! {
    reencrypt_batch_wrapper => retired;
    count_keys_wrapper => retired;
    failing_values_wrapper => retired;
    convert_batch_wrapper => retired;
    count_unconverted_wrapper => retired;
    unconverted_rows_wrapper => retired;
    require_source_wrapper => retired;
    encrypted_text_reseal => retired;
    encrypted_text_check => retired;
    shared_encrypted_text_reseal => retired;
    shared_encrypted_text_check => retired;
    encrypted_text_eq_reseal => retired;
    encrypted_text_eq_check => retired;
    shared_encrypted_text_eq_reseal => retired;
    shared_encrypted_text_eq_check => retired;
}

fn retired(_: Args) -> Result<Datum, Failure> {
    Err(Failure::Retired)
}
