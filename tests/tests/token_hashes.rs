//! Token hashes across changes of the keyring, and what an error about a token tells.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Write;

use cordon_tests::{Cluster, Settings, assert_refused, sqlstate, whole_error};
use postgres::{Client, types::Type};

const FIND: &str = "SELECT id FROM api_key WHERE hash = ANY (cordon.token_hashes($1, 'api'))";

fn found(client: &mut Client, token: &str) -> Vec<i32> {
    client.query(FIND, &[&token]).unwrap().iter().map(|row| row.get(0)).collect()
}

fn matches(client: &mut Client, token: &str, id: i32) -> bool {
    let query = "SELECT cordon.token_matches($1, hash, 'api') FROM api_key WHERE id = $2";
    client.query_one(query, &[&token, &id]).unwrap().get(0)
}

#[test]
fn tokens_outlive_a_rotation_of_the_key_until_the_old_one_is_disabled() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("rotation");
    let (mut app, mut admin) = (database.app(), database.superuser());
    app.batch_execute(
        "CREATE TABLE api_key (id int, hash token_hash PRIMARY KEY);
         INSERT INTO api_key SELECT i, cordon.hash_token('token ' || i, 'api') FROM generate_series(1, 5000) i;
         INSERT INTO api_key SELECT 9000, cordon.token_hash_from_sha256(sha256('old one'), 'api');
         ANALYZE api_key",
    )
    .unwrap();
    let old: i64 = app.query_one("SELECT DISTINCT cordon.key_id(hash) FROM api_key", &[]).unwrap().get(0);
    let count = |client: &mut Client| -> i32 {
        client.query_one("SELECT cardinality(cordon.token_hashes('x'))", &[]).unwrap().get(0)
    };
    assert_eq!(count(&mut app), 2);

    let new: i64 = admin.query_one("SELECT cordon.rotate_key('token')", &[]).unwrap().get(0);
    cluster.reload(&mut app);
    assert_ne!(old, new);
    assert_eq!(count(&mut app), 4);
    app.execute("INSERT INTO api_key VALUES (6000, cordon.hash_token('newer', 'api'))", &[]).unwrap();
    let id: i64 = app.query_one("SELECT cordon.key_id(hash) FROM api_key WHERE id = 6000", &[]).unwrap().get(0);
    assert_eq!(id, new, "new hashes are made under the new key");
    for (token, id) in [("token 17", 17), ("old one", 9000), ("newer", 6000)] {
        assert_eq!(found(&mut app, token), [id]);
        assert!(matches(&mut app, token, id));
    }
    let plan: Vec<String> = app
        .query(&format!("EXPLAIN (COSTS OFF) {}", FIND.replace("$1", "'token 17'")), &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(plan.iter().any(|line| line.contains("Index Cond: (hash = ANY (cordon.token_hashes(")), "{plan:?}");

    admin.execute("SELECT cordon.disable_key($1)", &[&old]).unwrap();
    cluster.reload(&mut app);
    for (token, id) in [("token 17", 17), ("old one", 9000)] {
        assert_eq!(found(&mut app, token), [0; 0]);
        assert!(!matches(&mut app, token, id), "a token under a disabled key is a wrong one, not an error");
    }
    assert!(matches(&mut app, "newer", 6000));

    // Comparing, sorting and looking at hashes needs no key.
    admin.execute("SELECT cordon.enable_key($1)", &[&old]).unwrap();
    cluster.reload(&mut app);
    assert_eq!(found(&mut app, "token 17"), [17]);
    std::fs::remove_file(cluster.keyring()).unwrap();
    cluster.restart();
    let mut app = database.app();
    let rows: i64 = app.query_one("SELECT count(DISTINCT hash::text) FROM api_key", &[]).unwrap().get(0);
    assert_eq!(rows, 5002);
    app.batch_execute("ANALYZE api_key; REINDEX TABLE api_key").unwrap();
    assert_refused(app.query(FIND, &[&"token 17"]), "55000", &["token 17"]);
}

#[test]
fn a_hash_under_a_key_that_is_not_in_the_keyring_is_an_error() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("unknown_key");
    let mut app = database.app();
    app.batch_execute("CREATE TABLE api_key (id int, hash token_hash)").unwrap();
    // Version 1, scheme 1, key 1.
    let foreign = "cordon_th1:AQEAAAAB".to_owned() + &"A".repeat(43);
    app.execute("INSERT INTO api_key VALUES (1, $1::text::token_hash)", &[&foreign]).unwrap();
    let check = "SELECT cordon.token_matches($1, hash, 'api') FROM api_key";
    assert_refused(app.query(check, &[&"s3cret"]), "42704", &["s3cret"]);
}

#[test]
fn neither_an_error_nor_the_log_tells_a_refused_token_or_plaintext() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("echo");
    let mut app = database.app();
    app.batch_execute("CREATE TABLE t (hash token_hash, sealed encrypted_text)").unwrap();
    let secret = "s3cret-token";
    let check = |error: postgres::Error, expected: &str| {
        assert_eq!(sqlstate(&error), expected);
        assert!(!whole_error(&error).contains(secret), "{}", whole_error(&error));
    };
    // As a literal, in a simple and in a prepared statement.
    let literal = format!("INSERT INTO t (hash) VALUES ('{secret}')");
    check(app.batch_execute(&literal).unwrap_err(), "22P02");
    check(app.execute(&literal, &[]).unwrap_err(), "22P02");
    // As a parameter, typed text and typed token_hash.
    check(app.execute("INSERT INTO t (hash) VALUES ($1::text::token_hash)", &[&secret]).unwrap_err(), "22P02");
    let typed = app.prepare_typed("SELECT $1::text", &[Type::TEXT]).unwrap();
    app.query(&typed, &[&secret]).unwrap();
    // In the middle of a function.
    let function =
        format!("DO $$ BEGIN EXECUTE 'INSERT INTO t (hash) VALUES ($1::token_hash)' USING '{secret}'; END $$");
    check(app.batch_execute(&function).unwrap_err(), "22P02");
    // Here PostgreSQL shows the client its own code as context; the log is not told.
    let function = format!("DO $$ BEGIN EXECUTE format('INSERT INTO t (hash) VALUES (%L)', '{secret}'); END $$");
    assert_eq!(sqlstate(&app.batch_execute(&function).unwrap_err()), "22P02");
    // Through functions that refuse it.
    check(app.query("SELECT cordon.token_hash_from_sha256($1::text)", &[&secret]).unwrap_err(), "22023");
    check(app.batch_execute(&format!("SELECT cordon.generate_token('{secret}')")).unwrap_err(), "22023");
    check(app.batch_execute(&format!("SELECT cordon.hash_token('{secret}', NULL)")).unwrap_err(), "22004");
    // With COPY, which tells the value in the context of its errors; for a sealed column, too, when no tenant is set.
    for (column, state) in [("hash", "22P02"), ("sealed", "42501")] {
        for format in ["text", "csv"] {
            let mut copy = app.copy_in(&format!("COPY t ({column}) FROM STDIN (FORMAT {format})")).unwrap();
            copy.write_all(format!("{secret}\n").as_bytes()).unwrap();
            check(copy.finish().unwrap_err(), state);
        }
    }
    check(app.batch_execute(&format!("INSERT INTO t (sealed) VALUES ('{secret}')")).unwrap_err(), "42501");
    let log = cluster.log();
    assert!(log.contains("not a token hash"), "the errors are in the log");
    let line = log.lines().find(|line| line.contains(secret));
    assert_eq!(line, None);
    // Statements that touch no secret are logged as ever.
    app.batch_execute("SELECT 'harmless literal' FROM no_such_table").unwrap_err();
    assert!(cluster.log().contains("STATEMENT:  SELECT 'harmless literal' FROM no_such_table"));
}

#[test]
fn the_log_of_a_violated_constraint_does_not_tell_the_opened_row() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("constraints");
    let mut app = database.tenant("7");
    app.batch_execute(
        "CREATE TABLE t (id int NOT NULL, email encrypted_text_eq UNIQUE, CHECK (id <> 3));
         CREATE VIEW v AS SELECT * FROM t WHERE id < 10 WITH CHECK OPTION;
         CREATE TABLE plain (id int UNIQUE, note text);
         INSERT INTO t VALUES (1, 's3cret@example.com')",
    )
    .unwrap();
    let insert = |client: &mut Client, id: Option<i32>, table: &str, email: &str| {
        sqlstate(&client.execute(&format!("INSERT INTO {table} VALUES ($1, $2::text)"), &[&id, &email]).unwrap_err())
    };
    assert_eq!(insert(&mut app, Some(2), "t", "s3cret@example.com"), "23505");
    assert_eq!(insert(&mut app, Some(3), "t", "s3"), "23514");
    assert_eq!(insert(&mut app, None, "t", "s3cret-2"), "23502");
    assert_eq!(insert(&mut app, Some(11), "v", "s3cret-3"), "44000");
    let log = cluster.log();
    assert_eq!(log.matches("The row is left out").count(), 4, "{log}");
    assert_eq!(log.lines().find(|line| line.contains("s3")), None);
    // The client is told as ever, and so is the log of what is not sealed.
    let error = app.execute("INSERT INTO t VALUES (2, 's3cret@example.com')", &[]).unwrap_err();
    assert!(whole_error(&error).contains("(email)=(s3cret@example.com)"));
    app.batch_execute("INSERT INTO plain VALUES (1, 'x')").unwrap();
    app.batch_execute("INSERT INTO plain VALUES (1, 'x')").unwrap_err();
    assert!(cluster.log().contains("Key (id)=(1) already exists"));
}
