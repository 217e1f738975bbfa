//! The guard in a database that is dumped and restored: nothing fails or warns, and it is at work afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Output;

use cordon_tests::{Database, assert_refused, shared_cluster, sqlstate};

/// A guarded database with protected tables of every kind, rows of two tenants, and a table that was dropped.
fn guarded(name: &str) -> Database<'static> {
    let database = shared_cluster().database(name);
    database.superuser().batch_execute("SELECT cordon.enable_guard()").unwrap();
    database
        .app()
        .batch_execute(
            "CREATE TABLE item (team_id bigint NOT NULL, id int, PRIMARY KEY (team_id, id)) PARTITION BY HASH (team_id);
             SELECT cordon.protect('item');
             CREATE TABLE item_0 PARTITION OF item FOR VALUES WITH (MODULUS 1, REMAINDER 0);
             CREATE TABLE parent (team_id bigint PRIMARY KEY);
             CREATE TABLE child (extra text) INHERITS (parent);
             CREATE TABLE dropped (team_id bigint PRIMARY KEY);
             DROP TABLE dropped;
             CREATE TABLE ended (team_id bigint PRIMARY KEY);
             SELECT cordon.unprotect('ended');
             SET app.team_id = '7'; INSERT INTO item (id) VALUES (1);
             SET app.team_id = '8'; INSERT INTO item (id) VALUES (2)",
        )
        .unwrap();
    database
}

/// An empty database, without even the extension, in which a hole is an error.
fn empty(name: &str) -> Database<'static> {
    let database = shared_cluster().database(name);
    database
        .superuser()
        .batch_execute(&format!("DROP EXTENSION pg_cordon; ALTER DATABASE {name} SET cordon.guard = error"))
        .unwrap();
    database
}

/// Runs a client program as a superuser on a database, and expects neither errors nor warnings.
fn run_silently(database: &Database<'_>, program: &str, arguments: &[&str]) {
    let mut command = database.cluster.client_program(program);
    command.env("PGDATABASE", &database.name).env("PGUSER", "postgres").args(arguments);
    let Output { status, stderr, .. } = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success() && stderr.is_empty(), "{program} {arguments:?}: {stderr}");
}

fn relations(database: &Database<'_>) -> Vec<String> {
    let mut client = database.superuser();
    let rows = client.query("SELECT relation::text FROM cordon.protected_table ORDER BY 1", &[]).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn assert_guarded(database: &Database<'_>) {
    assert_eq!(relations(database), ["child", "item", "item_0", "parent"]);
    let mut client = database.app();
    for table in ["item", "parent"] {
        let left = client.query(&format!("SELECT cordon.protect('{table}')"), &[]).unwrap();
        assert!(left.is_empty(), "{table} is not protected as it was");
    }
    for statement in [
        "ALTER TABLE item NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY cordon_floor ON item_0",
        "CREATE TABLE copy AS SELECT 7 AS team_id",
    ] {
        assert_refused(client.batch_execute(statement), "42501", &[]);
    }
    client.batch_execute("CREATE TABLE made_later (team_id bigint PRIMARY KEY); DROP TABLE parent CASCADE").unwrap();
    assert_eq!(relations(database), ["item", "item_0", "made_later"]);
    let error = client.query("SELECT * FROM item", &[]).unwrap_err();
    assert_eq!(sqlstate(&error), "42501", "no tenant");
    client.batch_execute("SET app.team_id = '8'").unwrap();
    let rows = client.query("SELECT id FROM item", &[]).unwrap();
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>(), [2]);
}

fn round_trip(name: &str, dump: &[&str], restore: Option<&[&str]>) {
    let source = guarded(name);
    let path = source.cluster.directory().join(format!("{name}.dump"));
    let path = path.to_str().unwrap();
    run_silently(&source, "pg_dump", &[dump, &["--file", path]].concat());
    let target = empty(&format!("{name}_restored"));
    match restore {
        None => run_silently(&target, "psql", &["-X", "--set=ON_ERROR_STOP=1", "--file", path]),
        Some(options) => {
            let always = ["--exit-on-error", "--dbname", &target.name, path];
            run_silently(&target, "pg_restore", &[options, &always].concat());
        }
    }
    assert_guarded(&target);
}

#[test]
fn a_plain_dump_brings_the_guard_back() {
    round_trip("guard_plain", &["--format=plain"], None);
}

#[test]
fn a_dump_of_inserts_brings_the_guard_back() {
    round_trip("guard_inserts", &["--inserts"], None);
}

#[test]
fn a_custom_dump_brings_the_guard_back() {
    round_trip("guard_custom", &["--format=custom"], Some(&[]));
}

#[test]
fn a_tar_dump_brings_the_guard_back() {
    round_trip("guard_tar", &["--format=tar"], Some(&["--single-transaction"]));
}

#[test]
fn a_directory_dump_restored_in_parallel_brings_the_guard_back() {
    round_trip("guard_directory", &["--format=directory"], Some(&["--jobs=3"]));
}

#[test]
fn a_table_restored_into_a_guarded_database_is_protected_by_one_call() {
    let database = guarded("guard_one_table");
    let path = database.cluster.directory().join("guard_one_table.dump");
    let path = path.to_str().unwrap();
    run_silently(&database, "pg_dump", &["--format=custom", "--table=parent", "--table=child", "--file", path]);
    database.superuser().batch_execute("ALTER DATABASE guard_one_table SET cordon.guard = error").unwrap();
    database.app().batch_execute("DROP TABLE parent CASCADE").unwrap();
    // The guard warns that they are not in the registry yet; it must not protect them before their policies come.
    let _ = database.run("postgres", "", "pg_restore", &["--exit-on-error", "--dbname", &database.name, path]);
    assert_eq!(relations(&database), ["item", "item_0"]);
    let ran = database.app().query("SELECT cordon.protect('parent')", &[]).unwrap();
    assert_eq!(ran.len(), 2, "the policies came with the dump, the two rows of the registry did not");
}

#[test]
fn the_extension_goes_with_the_guard_only_when_asked_to() {
    let database = guarded("guard_dropped");
    let mut client = database.superuser();
    let outcome = client.batch_execute("DROP EXTENSION pg_cordon");
    assert_eq!(sqlstate(&outcome.unwrap_err()), "2BP01", "dependent objects still exist");
    client.batch_execute("DROP EXTENSION pg_cordon CASCADE; CREATE TABLE after (team_id bigint)").unwrap();
    let triggers: i64 = client.query_one("SELECT count(*) FROM pg_event_trigger", &[]).unwrap().get(0);
    assert_eq!(triggers, 0);
}
