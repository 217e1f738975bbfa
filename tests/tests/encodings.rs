//! Databases that are not in UTF-8: what is sealed there is UTF-8 all the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use cordon_tests::{Database, assert_refused, shared_cluster};

fn table(database: &Database<'_>) {
    database.app().batch_execute("CREATE TABLE t (id int, token encrypted_text)").unwrap();
}

fn stored(database: &Database<'_>, id: i32) -> String {
    let mut client = database.superuser();
    client.batch_execute("SET row_security = off").unwrap();
    client.query_one("SELECT token::text FROM t WHERE id = $1", &[&id]).unwrap().get(0)
}

fn put_stored(database: &Database<'_>, id: i32, form: &str) {
    let mut client = database.superuser();
    client.batch_execute("SET row_security = off").unwrap();
    client.execute("INSERT INTO t VALUES ($1, $2::text)", &[&id, &form]).unwrap();
}

fn read(database: &Database<'_>, id: i32) -> Result<String, postgres::Error> {
    let rows = database.tenant("7").query("SELECT token::text FROM t WHERE id = $1", &[&id])?;
    Ok(rows[0].get(0))
}

#[test]
fn values_open_after_a_move_to_a_database_of_another_encoding() {
    let utf8 = shared_cluster().database("encoding_utf8");
    let latin1 = shared_cluster().database_with("encoding_latin1", "ENCODING 'LATIN1' LOCALE 'C'");
    table(&utf8);
    table(&latin1);
    latin1.tenant("7").execute("INSERT INTO t VALUES (1, $1::text)", &[&"café"]).unwrap();
    assert_eq!(read(&latin1, 1).unwrap(), "café");
    put_stored(&utf8, 1, &stored(&latin1, 1));
    assert_eq!(read(&utf8, 1).unwrap(), "café");

    utf8.tenant("7").execute("INSERT INTO t VALUES (2, $1::text), (3, $2::text)", &[&"naïve", &"secret €"]).unwrap();
    put_stored(&latin1, 2, &stored(&utf8, 2));
    assert_eq!(read(&latin1, 2).unwrap(), "naïve");
    // Latin-1 has no euro sign. PostgreSQL's own message would quote it.
    put_stored(&latin1, 3, &stored(&utf8, 3));
    assert_refused(read(&latin1, 3), "22P05", &["secret", "€", "0x"]);
}

#[test]
fn a_database_without_an_encoding_seals_utf8_only() {
    let ascii = shared_cluster().database_with("encoding_ascii", "ENCODING 'SQL_ASCII' LOCALE 'C'");
    table(&ascii);
    ascii.tenant("7").execute("INSERT INTO t VALUES (1, $1::text)", &[&"café"]).unwrap();
    assert_eq!(read(&ascii, 1).unwrap(), "café");
    let outcome = ascii.tenant("7").batch_execute("INSERT INTO t VALUES (2, E'secret \\xff')");
    assert_refused(outcome, "22021", &["0xff", "secret \u{fffd}"]);
}

/// The attack: a tenant whose bytes in Latin-1 are another tenant's in UTF-8.
#[test]
fn the_same_bytes_in_another_encoding_are_no_other_tenant() {
    let latin1 = shared_cluster().database_with("encoding_tenant", "ENCODING 'LATIN1' LOCALE 'C'");
    let mut client = latin1.app();
    // The bytes C3 A9, which are é in UTF-8.
    assert_refused(client.execute("SELECT set_config('app.team_id', $1, false)", &[&"\u{c3}\u{a9}"]), "22023", &[]);
    client.execute("SELECT set_config('app.team_id', 'acme', false)", &[]).unwrap();
    let utf8 = shared_cluster().database("encoding_tenant_utf8");
    utf8.app().execute("SELECT set_config('app.team_id', $1, false)", &[&"é"]).unwrap();
}
