//! What happens to a value that was altered where it is stored.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use cordon_tests::{assert_refused, shared_cluster, sqlstate, stored_bytes, stored_form};
use postgres::Client;

/// A table with one value of tenant 7, and the value's bytes.
fn sealed(client: &mut Client, table: &str) -> Vec<u8> {
    client
        .batch_execute(&format!(
            "CREATE TABLE {table} (token encrypted_text); SET app.team_id = '7';
             INSERT INTO {table} VALUES ('ghp_secret'); SET row_security = off"
        ))
        .unwrap();
    let form: String = client.query_one(&format!("SELECT token::text FROM {table}"), &[]).unwrap().get(0);
    client.batch_execute("SET row_security = on").unwrap();
    stored_bytes(&form)
}

/// Puts bytes into the table in place of its value, and opens them. Bytes that are no envelope are refused on the way in.
fn open_altered(client: &mut Client, table: &str, bytes: &[u8]) -> Result<String, postgres::Error> {
    client.batch_execute("SET row_security = off")?;
    let put = client.execute(&format!("UPDATE {table} SET token = $1::text"), &[&stored_form(bytes)]);
    client.batch_execute("SET row_security = on")?;
    put?;
    client.query_one(&format!("SELECT token::text FROM {table}"), &[]).map(|row| row.get(0))
}

#[test]
fn a_flipped_bit_anywhere_keeps_the_value_shut() {
    let database = shared_cluster().database("flipped");
    let mut client = database.superuser();
    let bytes = sealed(&mut client, "t");
    assert_eq!(open_altered(&mut client, "t", &bytes).unwrap(), "ghp_secret");
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        let expected: &[&str] = match at {
            0 => &["0A000"],          // version
            1 => &["42804", "22P02"], // kind
            2..=5 => &["42704"],      // key id
            6..=9 => &["42501"],      // tenant check
            _ => &["XX001"],          // nonce, ciphertext, tag
        };
        let error = open_altered(&mut client, "t", &altered).expect_err("an altered value opened");
        assert!(expected.contains(&sqlstate(&error).as_str()), "byte {at}: {}", sqlstate(&error));
        assert_refused::<()>(Err(error), &sqlstate_of_last(expected, &mut client, &altered), &["ghp", "secret"]);
    }
}

fn sqlstate_of_last(expected: &[&str], client: &mut Client, altered: &[u8]) -> String {
    match expected {
        [only] => (*only).to_owned(),
        _ => sqlstate(&open_altered(client, "t", altered).expect_err("an altered value opened")),
    }
}

#[test]
fn a_cut_or_lengthened_value_keeps_shut() {
    let database = shared_cluster().database("cut");
    let mut client = database.superuser();
    let bytes = sealed(&mut client, "t");
    for cut in 1..=bytes.len() - 50 {
        let outcome = open_altered(&mut client, "t", &bytes[..bytes.len() - cut]);
        assert_refused(outcome, "XX001", &["ghp", "secret"]);
    }
    assert_refused(open_altered(&mut client, "t", &bytes[..49]), "22P02", &[]);
    let mut longer = bytes.clone();
    longer.push(0);
    assert_refused(open_altered(&mut client, "t", &longer), "XX001", &["ghp", "secret"]);
}

/// The attack: swap the ciphertext of two values of one tenant, keeping each header.
#[test]
fn parts_of_two_values_do_not_make_a_third() {
    let database = shared_cluster().database("spliced");
    let mut client = database.superuser();
    let one = sealed(&mut client, "one");
    let other = sealed(&mut client, "other");
    for cut in [10, 34, one.len() - 16] {
        let spliced = [&one[..cut], &other[cut..]].concat();
        let outcome = open_altered(&mut client, "one", &spliced);
        if cut == 10 {
            // The headers are alike, so this is the other value, whole.
            assert_eq!(outcome.unwrap(), "ghp_secret");
        } else {
            assert_refused(outcome, "XX001", &["ghp", "secret"]);
        }
    }
}

/// The attack: whoever can write to the table's file turns a tenant's value into one that everybody opens.
#[test]
fn a_tenants_value_does_not_become_a_shared_one() {
    let database = shared_cluster().database("widened");
    let mut client = database.superuser();
    let mut bytes = sealed(&mut client, "t");
    bytes[1] = 1;
    client.batch_execute("CREATE TABLE shared (note shared_encrypted_text); SET row_security = off").unwrap();
    client.execute("INSERT INTO shared VALUES ($1::text)", &[&stored_form(&bytes)]).unwrap();
    client.batch_execute("SET row_security = on; RESET app.team_id").unwrap();
    assert_refused(client.query("SELECT note::text FROM shared", &[]), "42501", &["ghp", "secret"]);
}
