//! Physical replication, base backups and recovery to a point in time; and no plaintext in any of their bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use cordon_tests::{Cluster, Settings, assert_refused};
use postgres::Client;

/// In plaintexts that are sealed, and in one that is not, by which the search is known to find something.
const SECRET: &str = "PLAINTEXT-OF-A-SEALED-VALUE";
const PLAIN: &str = "PLAINTEXT-OF-A-PLAIN-COLUMN";

const TABLE: &str =
    "CREATE TABLE t (team_id bigint NOT NULL, id int PRIMARY KEY, token encrypted_text, mail encrypted_text_eq UNIQUE,
    note shared_encrypted_text, hash token_hash, plain text); SELECT cordon.protect('t'); GRANT ALL ON t TO app";

fn insert(client: &mut Client, id: i32) {
    let insert = "INSERT INTO t (id, token, mail, note, hash, plain)
        VALUES ($1, $2::text, $2::text, $2::text, cordon.hash_token($2::text), $3)";
    client.execute(insert, &[&id, &format!("{SECRET} {id}"), &format!("{PLAIN} {id}")]).unwrap();
}

fn token(client: &mut Client, id: i32) -> Option<String> {
    let rows = client.query("SELECT token::text FROM t WHERE id = $1", &[&id]).unwrap();
    rows.first().map(|row| row.get(0))
}

fn await_that(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..400 {
        if condition() {
            return;
        }
        thread::sleep(Duration::from_millis(25));
    }
    panic!("waited in vain: {what}");
}

/// The files under a directory that hold a text.
fn holding(directory: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes())) {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_standby_reads_sealed_values_and_takes_keys_by_file() {
    let primary = Cluster::start(&Settings::default());
    let database = primary.database("d");
    database.superuser().batch_execute(TABLE).unwrap();
    let mut writer = database.tenant("7");
    insert(&mut writer, 1);
    let connection = format!("primary_conninfo = 'host={} user=postgres'", primary.directory().display());
    let standby = primary.base_backup("standby", "standby.signal", &format!("{connection}\nhot_standby = on"));
    standby.start_server();
    let mut reader = standby.connect_with("app", "d", "-c app.team_id=7").unwrap();
    insert(&mut writer, 2);
    await_that("replication", || token(&mut reader, 2).is_some());
    assert_eq!(token(&mut reader, 1).unwrap(), format!("{SECRET} 1"));
    let found = reader.query("SELECT id FROM t WHERE mail = $1::text", &[&format!("{SECRET} 2")]).unwrap();
    assert_eq!(found[0].get::<_, i32>(0), 2);
    let mut other = standby.connect_with("app", "d", "-c app.team_id=8").unwrap();
    assert_eq!(token(&mut other, 1), None);
    assert_refused(standby.connect("app", "d").query("SELECT * FROM t", &[]), "42501", &[SECRET]);
    // A new key: the standby does not have it, refuses to make one, and is given the file.
    let key: i64 = database.superuser().query_one("SELECT cordon.rotate_key('encryption')", &[]).unwrap().get(0);
    let used = "SELECT cordon.key_id('x'::text::encrypted_text)";
    await_that("the reload", || writer.query_one(used, &[]).unwrap().get::<_, i64>(0) == key);
    insert(&mut writer, 3);
    await_that("replication", || {
        let count = "SELECT count(*) FROM t WHERE id = 3";
        reader.query_one(count, &[]).unwrap().get::<_, i64>(0) == 1
    });
    assert_refused(reader.query("SELECT token::text FROM t WHERE id = 3", &[]), "42704", &[SECRET]);
    let rotate = "SELECT cordon.rotate_key('encryption')";
    assert_refused(standby.connect("postgres", "d").batch_execute(rotate), "25006", &[]);
    fs::copy(primary.keyring(), standby.keyring()).unwrap();
    assert_eq!(token(&mut reader, 3).unwrap(), format!("{SECRET} 3"));
    drop((reader, other));
    // Promoted, it goes on by itself.
    standby.connect("postgres", "postgres").query("SELECT pg_promote()", &[]).unwrap();
    let mut writer = standby.connect_with("app", "d", "-c app.team_id=7").unwrap();
    await_that("promotion", || !writer.query_one("SELECT pg_is_in_recovery()", &[]).unwrap().get::<_, bool>(0));
    insert(&mut writer, 4);
    assert_eq!(token(&mut writer, 4).unwrap(), format!("{SECRET} 4"));
}

#[test]
fn recovery_to_a_point_in_time_and_no_plaintext_in_wal_backups_and_data() {
    let archive = tempfile_directory();
    let configuration =
        format!("wal_level = logical\narchive_mode = on\narchive_command = 'cp %p {}/%f'", archive.display());
    let primary = Cluster::start(&Settings { configuration: &configuration, ..Settings::default() });
    let database = primary.database("d");
    let mut dba = database.superuser();
    dba.batch_execute(TABLE).unwrap();
    dba.batch_execute("CREATE PUBLICATION p FOR TABLE t").unwrap();
    dba.batch_execute("SELECT pg_create_logical_replication_slot('s', 'pgoutput')").unwrap();
    let mut writer = database.tenant("7");
    insert(&mut writer, 1);
    let restored = primary.base_backup(
        "restored",
        "recovery.signal",
        &format!(
            "archive_mode = off\nrestore_command = 'cp {}/%f %p'\nrecovery_target_name = 'between'\nrecovery_target_action = promote",
            archive.display()
        ),
    );
    insert(&mut writer, 2);
    dba.batch_execute("SELECT pg_create_restore_point('between')").unwrap();
    insert(&mut writer, 3);
    dba.batch_execute("CREATE TABLE copied AS SELECT * FROM t; UPDATE copied SET id = id + 10; ANALYZE").unwrap();
    dba.batch_execute("SELECT pg_switch_wal()").unwrap();
    dba.batch_execute("CHECKPOINT").unwrap();
    let last = "SELECT coalesce(last_archived_wal, '') >= pg_walfile_name(pg_current_wal_lsn() - 20000000) FROM pg_stat_archiver";
    await_that("the archive", || dba.query_one(last, &[]).unwrap().get(0));
    restored.start_server();
    let mut reader = restored.connect_with("app", "d", "-c app.team_id=7").unwrap();
    await_that("recovery", || !reader.query_one("SELECT pg_is_in_recovery()", &[]).unwrap().get::<_, bool>(0));
    assert_eq!(token(&mut reader, 1).unwrap(), format!("{SECRET} 1"));
    assert_eq!(token(&mut reader, 2).unwrap(), format!("{SECRET} 2"));
    assert_eq!(token(&mut reader, 3), None, "after the point");
    let matches = "SELECT cordon.token_matches($1, hash) FROM t WHERE id = 2";
    assert!(reader.query_one(matches, &[&format!("{SECRET} 2")]).unwrap().get::<_, bool>(0));
    insert(&mut reader, 4);
    restored.connect("postgres", "d").batch_execute("CHECKPOINT").unwrap();

    // What a logical subscriber is sent.
    let wire = archive.join("wire");
    let end: String = dba.query_one("SELECT pg_current_wal_lsn()::text", &[]).unwrap().get(0);
    let mut receiver = primary.client_program("pg_recvlogical");
    receiver.args(["--username=postgres", "--dbname=d", "--slot=s", "--start", "--no-loop", "--endpos", &end]);
    receiver.args(["--option=proto_version=1", "--option=publication_names=p", "--file"]).arg(&wire);
    let output = receiver.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(holding(&archive, "cordon1:").contains(&wire), "values were sent");

    for directory in [primary.data_directory(), restored.data_directory(), archive.clone()] {
        assert_eq!(holding(&directory, SECRET), Vec::<PathBuf>::new(), "in {}", directory.display());
        assert!(!holding(&directory, PLAIN).is_empty(), "the search finds nothing in {}", directory.display());
    }
    fs::remove_dir_all(archive).unwrap();
}

/// A directory that the server may write to.
fn tempfile_directory() -> PathBuf {
    let path = PathBuf::from(std::env::var_os("CORDON_STAGE").unwrap()).join(format!("archive-{}", std::process::id()));
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    path
}
