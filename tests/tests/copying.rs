//! COPY, in text and in binary, in the plain and in the stored form.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{Read, Write};

use cordon_tests::{assert_refused, shared_cluster};
use postgres::Client;

const TABLE: &str = "(id int, token encrypted_text, note shared_encrypted_text, list encrypted_text[])";
const ROWS: &str = "VALUES (1, 'ghp_secret', E'tab\\tnewline\\n\\\\', '{a,NULL}'), (2, NULL, '', NULL)";

fn copy_out(client: &mut Client, statement: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    client.copy_out(statement).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

fn copy_in(client: &mut Client, statement: &str, bytes: &[u8]) -> Result<u64, postgres::Error> {
    let mut writer = client.copy_in(statement)?;
    writer.write_all(bytes).unwrap();
    writer.finish()
}

#[test]
fn each_format_brings_back_what_it_took_out() {
    let database = shared_cluster().database("copy_formats");
    let mut client = database.superuser();
    client.batch_execute("SET app.team_id = '7'").unwrap();
    client.batch_execute(&format!("CREATE TABLE a {TABLE}; CREATE TABLE b {TABLE}; INSERT INTO a {ROWS}")).unwrap();
    for row_security in ["on", "off"] {
        client.batch_execute(&format!("SET row_security = {row_security}")).unwrap();
        for format in ["text", "csv", "binary"] {
            let bytes = copy_out(&mut client, &format!("COPY a TO STDOUT (FORMAT {format})"));
            let shows_plaintext = bytes.windows(10).any(|window| window == b"ghp_secret");
            assert_eq!(shows_plaintext, row_security == "on", "{format}");
            client.batch_execute("TRUNCATE b").unwrap();
            copy_in(&mut client, &format!("COPY b FROM STDIN (FORMAT {format})"), &bytes).unwrap();
            let copied = copy_out(&mut client, &format!("COPY b TO STDOUT (FORMAT {format})"));
            assert_eq!(copied, bytes, "{format}, row_security {row_security}");
        }
    }
}

#[test]
fn the_stored_form_needs_no_tenant_and_is_copied_byte_for_byte() {
    let database = shared_cluster().database("copy_stored");
    database.tenant("7").batch_execute(&format!("CREATE TABLE a {TABLE}; INSERT INTO a {ROWS}")).unwrap();
    let mut client = database.superuser();
    client.batch_execute("SET row_security = off; CREATE TABLE b (LIKE a)").unwrap();
    let bytes = copy_out(&mut client, "COPY a TO STDOUT (FORMAT binary)");
    copy_in(&mut client, "COPY b FROM STDIN (FORMAT binary)", &bytes).unwrap();
    assert_eq!(copy_out(&mut client, "COPY b TO STDOUT"), copy_out(&mut client, "COPY a TO STDOUT"));
}

#[test]
fn a_stored_value_copied_into_a_normal_session_is_refused() {
    let database = shared_cluster().database("copy_refused");
    let mut client = database.tenant("7");
    client.batch_execute(&format!("CREATE TABLE a {TABLE}; INSERT INTO a {ROWS}; SET row_security = off")).unwrap();
    let stored = copy_out(&mut client, "COPY a TO STDOUT");
    let stored_binary = copy_out(&mut client, "COPY a TO STDOUT (FORMAT binary)");
    client.batch_execute("SET row_security = on").unwrap();
    assert_refused(copy_in(&mut client, "COPY a FROM STDIN", &stored), "22P02", &[]);
    assert_refused(copy_in(&mut client, "COPY a FROM STDIN (FORMAT binary)", &stored_binary), "22P02", &[]);
    let plain = copy_out(&mut client, "COPY a TO STDOUT");
    client.batch_execute("SET row_security = off").unwrap();
    assert_refused(copy_in(&mut client, "COPY a FROM STDIN", &plain), "22P02", &[]);
    // As it is stored, an ordinary role brings nothing in: what it holds may be a dump's.
    assert_refused(copy_in(&mut client, "COPY a FROM STDIN", &stored), "42501", &[]);
    assert_refused(copy_in(&mut client, "COPY a FROM STDIN (FORMAT binary)", &stored_binary), "42501", &[]);
}
