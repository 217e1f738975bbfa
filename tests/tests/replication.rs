//! Logical replication carries the stored form: no keyring and no tenant on the way, the same bytes at the end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, thread, time::Duration};

use cordon_tests::{Cluster, Database, Settings, sqlstate};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, token encrypted_text, note shared_encrypted_text)";

fn stored(database: &Database<'_>) -> Vec<(i32, String, String)> {
    let mut client = database.superuser();
    client.batch_execute("SET row_security = off").unwrap();
    let rows = client.query("SELECT id, token::text, note::text FROM t ORDER BY id", &[]).unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

fn replicates(option: &str) {
    let logical = Settings { configuration: "wal_level = logical", ..Settings::default() };
    let publisher = Cluster::start(&logical);
    let subscriber = Cluster::start(&Settings { keyring: false, ..logical });
    let (source, target) = (publisher.database("d"), subscriber.database("d"));
    source
        .superuser()
        .batch_execute(&format!("{TABLE}; CREATE PUBLICATION p FOR TABLE t; GRANT ALL ON t TO app"))
        .unwrap();
    target.superuser().batch_execute(TABLE).unwrap();
    let mut client = source.tenant("7");
    client.batch_execute("INSERT INTO t VALUES (1, 'copied secret', 'copied note')").unwrap();
    let connection = format!("host={} dbname=d user=postgres", publisher.directory().display());
    target
        .superuser()
        .batch_execute(&format!("CREATE SUBSCRIPTION s CONNECTION '{connection}' PUBLICATION p WITH ({option})"))
        .unwrap();
    // Streamed while and after the table is copied.
    client.batch_execute("INSERT INTO t VALUES (2, 'streamed secret', 'streamed note'); UPDATE t SET token = 'new secret' WHERE id = 1").unwrap();
    let mut replicated = Vec::new();
    for _ in 0..600 {
        replicated = stored(&target);
        if replicated == stored(&source) {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(replicated, stored(&source), "{}", subscriber.log());
    assert_eq!(replicated.len(), 2);
    // Without the keyring the subscriber holds values that nobody opens; with it they open.
    let read = "SELECT token::text FROM t WHERE id = 1";
    assert_eq!(sqlstate(&target.tenant("7").query(read, &[]).unwrap_err()), "42501", "no grant yet");
    target.superuser().batch_execute("GRANT ALL ON t TO app").unwrap();
    assert_eq!(sqlstate(&target.tenant("7").query(read, &[]).unwrap_err()), "55000");
    fs::copy(publisher.keyring(), subscriber.keyring()).unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(subscriber.data_directory()).unwrap());
    let _ = std::os::unix::fs::chown(subscriber.keyring(), Some(owner), None);
    assert_eq!(target.tenant("7").query_one(read, &[]).unwrap().get::<_, &str>(0), "new secret");
    target.superuser().batch_execute("DROP SUBSCRIPTION s").unwrap();
}

#[test]
fn logical_replication_in_text_carries_stored_values() {
    replicates("binary = false");
}

#[test]
fn logical_replication_in_binary_carries_stored_values() {
    replicates("binary = true");
}
