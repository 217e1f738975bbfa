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

/// Waits until both have the same rows, byte for byte, and so many.
fn assert_arrives(source: &Database<'_>, target: &Database<'_>, rows: usize) {
    let mut replicated = Vec::new();
    for _ in 0..600 {
        replicated = stored(target);
        if replicated == stored(source) {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(replicated, stored(source), "{}", target.cluster.log());
    assert_eq!(replicated.len(), rows);
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
    // Defaults of the subscriber's own, as frameworks write them, are no matter.
    target
        .superuser()
        .batch_execute(&format!(
            "{TABLE}; ALTER TABLE t ALTER token SET DEFAULT '', ALTER note SET DEFAULT 'none'::text::shared_encrypted_text, ADD extra timestamptz DEFAULT now()"
        ))
        .unwrap();
    let mut client = source.tenant("7");
    client.batch_execute("INSERT INTO t VALUES (1, 'copied secret', 'copied note')").unwrap();
    let connection = format!("host={} dbname=d user=postgres", publisher.directory().display());
    target
        .superuser()
        .batch_execute(&format!("CREATE SUBSCRIPTION s CONNECTION '{connection}' PUBLICATION p WITH ({option})"))
        .unwrap();
    // Streamed while and after the table is copied.
    client.batch_execute("INSERT INTO t VALUES (2, 'streamed secret', 'streamed note'); UPDATE t SET token = 'new secret' WHERE id = 1").unwrap();
    assert_arrives(&source, &target, 2);
    // Without the keyring the subscriber holds values that nobody opens; with it they open.
    let read = "SELECT token::text FROM t WHERE id = 1";
    assert_eq!(sqlstate(&target.tenant("7").query(read, &[]).unwrap_err()), "42501", "no grant yet");
    target.superuser().batch_execute("GRANT ALL ON t TO app").unwrap();
    assert_eq!(sqlstate(&target.tenant("7").query(read, &[]).unwrap_err()), "55000");
    fs::copy(publisher.keyring(), subscriber.keyring()).unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(subscriber.data_directory()).unwrap());
    let _ = std::os::unix::fs::chown(subscriber.keyring(), Some(owner), None);
    assert_eq!(target.tenant("7").query_one(read, &[]).unwrap().get::<_, &str>(0), "new secret");
    // A publisher that has lost its keyring passes on what is stored all the same; here what a restore brings.
    fs::remove_file(publisher.keyring()).unwrap();
    publisher.restart();
    assert_eq!(sqlstate(&source.tenant("7").query(read, &[]).unwrap_err()), "55000");
    let (_, token, note) = stored(&source).remove(0);
    let restored = format!("SET cordon.text_form = stored; INSERT INTO t VALUES (3, '{token}', '{note}')");
    source.superuser().batch_execute(&restored).unwrap();
    assert_arrives(&source, &target, 3);
    let third = "SELECT token::text FROM t WHERE id = 3";
    assert_eq!(target.tenant("7").query_one(third, &[]).unwrap().get::<_, &str>(0), "new secret");
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

#[test]
fn a_table_without_a_key_is_replicated_when_its_encrypted_columns_have_equality() {
    let logical = Settings { configuration: "wal_level = logical", ..Settings::default() };
    let publisher = Cluster::start(&logical);
    let subscriber = Cluster::start(&Settings { keyring: false, ..logical });
    let (source, target) = (publisher.database("d"), subscriber.database("d"));
    let table = "CREATE TABLE t (id int, token encrypted_text_eq, note shared_encrypted_text_eq);
        ALTER TABLE t REPLICA IDENTITY FULL; GRANT ALL ON t TO app";
    source.superuser().batch_execute(&format!("{table}; CREATE PUBLICATION p FOR TABLE t")).unwrap();
    target.superuser().batch_execute(table).unwrap();
    let mut client = source.tenant("7");
    client.batch_execute("INSERT INTO t SELECT i, 'token ' || i, 'note' FROM generate_series(1, 5) i").unwrap();
    let connection = format!("host={} dbname=d user=postgres", publisher.directory().display());
    target
        .superuser()
        .batch_execute(&format!("CREATE SUBSCRIPTION s CONNECTION '{connection}' PUBLICATION p"))
        .unwrap();
    assert_arrives(&source, &target, 5);
    // The subscriber finds the row by comparing all of its columns, without a key.
    client.batch_execute("UPDATE t SET token = 'another' WHERE token = 'token 2'; DELETE FROM t WHERE id = 3").unwrap();
    assert_arrives(&source, &target, 4);
    // As docs/KEYRING.md says: not so without equality. Nothing is lost, the subscription waits.
    for database in [&source, &target] {
        database.superuser().batch_execute("ALTER TABLE t ADD plain encrypted_text").unwrap();
    }
    client
        .batch_execute("UPDATE t SET plain = 'a secret' WHERE id = 1; UPDATE t SET note = 'another' WHERE id = 1")
        .unwrap();
    let refusal = "could not identify an equality operator for type public.encrypted_text";
    for _ in 0..200 {
        if subscriber.log().contains(refusal) {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert!(subscriber.log().contains(refusal), "{}", subscriber.log());
    assert!(!subscriber.log().contains("a secret"));
    target.superuser().batch_execute("DROP SUBSCRIPTION s").unwrap();
}

/// A worker takes the stored form from the publisher, and from nothing else that runs in it: else the finder of a dump would let
/// a trigger of a table that is replicated read it in.
#[test]
fn what_triggers_and_defaults_plant_in_a_worker_is_refused() {
    let logical = Settings { configuration: "wal_level = logical", ..Settings::default() };
    let (publisher, subscriber) = (Cluster::start(&logical), Cluster::start(&logical));
    let (source, target) = (publisher.database("d"), subscriber.database("d"));
    source.superuser().batch_execute(&format!("{TABLE}; CREATE PUBLICATION p FOR TABLE t")).unwrap();
    let mut dba = target.superuser();
    dba.batch_execute(
        "CREATE TABLE found_in (v shared_encrypted_text);
         INSERT INTO found_in VALUES ('what the dump holds'::text::shared_encrypted_text); SET row_security = off",
    )
    .unwrap();
    let found: String = dba.query_one("SELECT v::text FROM found_in", &[]).unwrap().get(0);
    let mut app = target.app();
    let connection = format!("host={} dbname=d user=postgres", publisher.directory().display());
    for (at, planted) in [
        format!("CREATE FUNCTION plant() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.loot VALUES ('{found}'); RETURN NEW; END $$;
                 CREATE TRIGGER z BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION plant(); ALTER TABLE t ENABLE ALWAYS TRIGGER z"),
        format!("CREATE FUNCTION plant() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := ('{found}'::text)::public.shared_encrypted_text; RETURN NEW; END $$;
                 CREATE TRIGGER z BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION plant(); ALTER TABLE t ENABLE ALWAYS TRIGGER z"),
        format!("ALTER TABLE t ADD COLUMN extra shared_encrypted_text DEFAULT ('{found}'::text)::public.shared_encrypted_text"),
        format!("CREATE FUNCTION reads() RETURNS shared_encrypted_text LANGUAGE sql AS $$ SELECT '{found}'::text::public.shared_encrypted_text $$;
                 ALTER TABLE t ADD COLUMN extra shared_encrypted_text DEFAULT reads()"),
        // By functions of PostgreSQL's own, whose input functions nobody sees called.
        format!("ALTER TABLE t ADD COLUMN extra shared_encrypted_text DEFAULT ('{{{found}}}'::text::public.shared_encrypted_text[])[1]"),
        format!("CREATE TYPE held AS (v public.shared_encrypted_text);
                 ALTER TABLE t ADD COLUMN extra shared_encrypted_text
                     DEFAULT (json_populate_record(NULL::held, '{{\"v\":\"{found}\"}}'::json)).v"),
    ]
    .into_iter()
    .enumerate()
    {
        app.batch_execute(&format!("{TABLE}; CREATE TABLE loot (v shared_encrypted_text); {planted}")).unwrap();
        let before = subscriber.log().len();
        dba.batch_execute(&format!(
            "CREATE SUBSCRIPTION s{at} CONNECTION '{connection}' PUBLICATION p WITH (copy_data = false)"
        ))
        .unwrap();
        let mut writer = source.superuser();
        writer.batch_execute(&format!("SET app.team_id = '7'; INSERT INTO t VALUES ({at}, 'secret', 'note')")).unwrap();
        let mut refused = false;
        for _ in 0..1200 {
            refused = subscriber.log()[before..].contains("permission denied to store a sealed value as it is");
            if refused {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        assert!(refused, "{at}: {}", &subscriber.log()[before..]);
        dba.batch_execute(&format!("DROP SUBSCRIPTION s{at}")).unwrap();
        let rows: i64 = dba.query_one("SELECT (SELECT count(*) FROM t) + (SELECT count(*) FROM loot)", &[]).unwrap().get(0);
        assert_eq!(rows, 0, "{at}");
        app.batch_execute("DROP TABLE t, loot; DROP FUNCTION IF EXISTS plant, reads; DROP TYPE IF EXISTS held").unwrap();
    }
}
