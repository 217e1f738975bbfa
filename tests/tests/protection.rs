//! cordon.protect on tables that are in use, and on many.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use cordon_tests::{shared_cluster, sqlstate};

#[test]
fn a_table_in_use_is_not_waited_for_without_end() {
    let database = shared_cluster().database("in_use");
    let mut reader = database.app();
    reader.batch_execute("CREATE TABLE t (team_id bigint PRIMARY KEY)").unwrap();
    reader.batch_execute("BEGIN; SELECT * FROM t").unwrap();
    let mut client = database.app();
    client.batch_execute("SET lock_timeout = '200ms'").unwrap();
    let begin = Instant::now();
    let error = client.query("SELECT cordon.protect('t')", &[]).unwrap_err();
    assert_eq!(sqlstate(&error), "55P03");
    assert!(begin.elapsed() < Duration::from_secs(5));
    // Without a limit of the session's own there is one all the same, and it is gone afterwards.
    client.batch_execute("RESET lock_timeout; CREATE TABLE free (team_id bigint PRIMARY KEY)").unwrap();
    let row = client.query("SELECT cordon.protect('free'), current_setting('lock_timeout')", &[]).unwrap();
    assert_eq!(row.len(), 6);
    let limit: String = client.query_one("SHOW lock_timeout", &[]).unwrap().get(0);
    assert_eq!(limit, "0");
    let error = client.query("SELECT cordon.protect('t')", &[]).unwrap_err();
    assert_eq!(sqlstate(&error), "55P03");
    reader.batch_execute("COMMIT").unwrap();
    assert_eq!(client.query("SELECT cordon.protect('t')", &[]).unwrap().len(), 6);
}

#[test]
fn five_hundred_tables_are_protected_in_one_transaction() {
    let database = shared_cluster().database("many");
    let mut client = database.app();
    client
        .batch_execute(
            "DO $$ BEGIN FOR i IN 1..500 LOOP
                 EXECUTE format('CREATE TABLE t_%s (team_id bigint PRIMARY KEY, body text)', i);
             END LOOP; END $$",
        )
        .unwrap();
    let begin = Instant::now();
    let statements: i64 = client.query_one("SELECT count(*) FROM cordon.protect_schema('public')", &[]).unwrap().get(0);
    let elapsed = begin.elapsed();
    assert_eq!(statements, 3000);
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
}
