//! pg_dump and pg_restore: dumps carry ciphertext, and bring back the same bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, path::PathBuf};

use cordon_tests::{Database, shared_cluster, sqlstate};

const SECRETS: [&str; 3] = ["ghp_secret_of_seven", "ghp_secret_of_eight", "a shared secret"];

fn fill(database: &Database<'_>) {
    database
        .superuser()
        .batch_execute(
            "CREATE TABLE integration (id serial PRIMARY KEY, team_id bigint NOT NULL, token encrypted_text,
                                       note shared_encrypted_text, list encrypted_text[]);
             ALTER TABLE integration OWNER TO app;
             ALTER TABLE integration ENABLE ROW LEVEL SECURITY;
             ALTER TABLE integration FORCE ROW LEVEL SECURITY;
             CREATE POLICY tenant ON integration USING (team_id = current_setting('app.team_id')::bigint)",
        )
        .unwrap();
    for (tenant, secret) in [("7", SECRETS[0]), ("8", SECRETS[1])] {
        database
            .tenant(tenant)
            .execute(
                "INSERT INTO integration (team_id, token, note, list)
                 VALUES ($1::text::bigint, $2::text, $3::text, ARRAY[$2::text::encrypted_text, NULL]), ($1::text::bigint, '', '', '{}')",
                &[&tenant, &secret, &SECRETS[2]],
            )
            .unwrap();
    }
}

fn stored(database: &Database<'_>) -> Vec<(i32, String, String, String)> {
    let mut client = database.superuser();
    client.batch_execute("SET row_security = off").unwrap();
    client
        .query("SELECT id, token::text, note::text, list::text FROM integration ORDER BY id", &[])
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
        .collect()
}

fn file(database: &Database<'_>, name: &str) -> PathBuf {
    database.cluster.directory().join(format!("{}.{name}", database.name))
}

fn assert_no_plaintext(bytes: &[u8]) {
    for secret in SECRETS {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "the dump holds {secret}");
    }
}

/// An empty database, without even the extension, for a dump to fill.
fn empty(name: &str) -> Database<'static> {
    let database = shared_cluster().database(name);
    database.superuser().batch_execute("DROP EXTENSION pg_cordon").unwrap();
    database
}

fn round_trip(name: &str, arguments: &[&str], is_script: bool) {
    let source = shared_cluster().database(name);
    fill(&source);
    let path = file(&source, "dump");
    let path = path.to_str().unwrap();
    let _ = source.run("postgres", "", "pg_dump", &[arguments, &["--compress=0", "--file", path]].concat());
    let bytes = fs::read(path).unwrap();
    assert_no_plaintext(&bytes);
    assert!(bytes.windows(8).any(|window| window == b"cordon1:"));

    let target = empty(&format!("{name}_restored"));
    if is_script {
        let _ = target.run("postgres", "", "psql", &["-X", "--set=ON_ERROR_STOP=1", "--file", path]);
    } else {
        let _ = target.run("postgres", "", "pg_restore", &["--exit-on-error", "--dbname", &target.name, path]);
    }
    assert_eq!(stored(&target), stored(&source));
    let row = target
        .tenant("8")
        .query_one("SELECT token::text FROM integration WHERE team_id = 8 AND token::text <> ''", &[]);
    assert_eq!(row.unwrap().get::<_, &str>(0), SECRETS[1]);
}

#[test]
fn a_plain_dump_restores_the_same_bytes() {
    round_trip("dump_plain", &["--format=plain"], true);
}

#[test]
fn a_custom_dump_restores_the_same_bytes() {
    round_trip("dump_custom", &["--format=custom"], false);
}

#[test]
fn a_dump_of_inserts_restores_the_same_bytes() {
    round_trip("dump_inserts", &["--inserts"], true);
}

#[test]
fn a_dump_of_rows_in_inserts_restores_the_same_bytes() {
    round_trip("dump_column_inserts", &["--column-inserts", "--rows-per-insert=2"], true);
}

#[test]
fn a_protected_database_is_protected_after_a_restore() {
    let source = shared_cluster().database("dump_protected");
    source
        .app()
        .batch_execute(
            "CREATE TABLE item (team_id bigint NOT NULL, id int, PRIMARY KEY (team_id, id)) PARTITION BY HASH (team_id);
             CREATE TABLE item_0 PARTITION OF item FOR VALUES WITH (MODULUS 1, REMAINDER 0);
             CREATE TABLE dropped (team_id bigint PRIMARY KEY);
             SELECT cordon.protect('item'), cordon.protect('dropped');
             DROP TABLE dropped;
             SET app.team_id = '7'; INSERT INTO item (id) VALUES (1); SET app.team_id = '8'; INSERT INTO item (id) VALUES (2);
             CREATE TABLE badge (team_id bigint NOT NULL, code text PRIMARY KEY);
             SELECT cordon.protect('badge'); SELECT cordon.resolver('badge', 'code');
             INSERT INTO badge VALUES (8, 'eight');
             CREATE TABLE scan (badge text REFERENCES badge);
             INSERT INTO scan VALUES ('eight');
             RESET app.team_id",
        )
        .unwrap();
    // In the midst of it.
    source.app().batch_execute("CALL cordon.add_tenant_column('scan', 'badge')").unwrap();
    let path = file(&source, "dump");
    let path = path.to_str().unwrap();
    let _ = source.run("postgres", "", "pg_dump", &["--format=custom", "--file", path]);
    let target = empty("dump_protected_restored");
    let _ = target.run("postgres", "", "pg_restore", &["--exit-on-error", "--dbname", &target.name, path]);

    let mut client = target.app();
    let protected: i64 = client.query_one("SELECT count(*) FROM cordon.protected_table", &[]).unwrap().get(0);
    assert_eq!(protected, 3, "the registry, without the table that was dropped");
    assert!(client.query("SELECT cordon.protect('item')", &[]).unwrap().is_empty(), "nothing is left to do");
    let found = "SELECT badge_tenant_by_code('eight'), badge_tenant_by_code('nine')";
    let found = client.query_one(found, &[]).unwrap();
    assert_eq!((found.get(0), found.get(1)), (Some("8"), None::<&str>));
    client
        .batch_execute(
            "INSERT INTO scan VALUES ('eight'); CREATE UNIQUE INDEX ON badge (team_id, code); CREATE INDEX ON scan (team_id, badge)",
        )
        .unwrap();
    client.batch_execute("CALL cordon.add_tenant_column('scan', 'badge', finish => true)").unwrap();
    assert_eq!(sqlstate(&client.query("SELECT * FROM item", &[]).unwrap_err()), "42501");
    client.batch_execute("SET app.team_id = '8'").unwrap();
    for table in ["item", "item_0"] {
        let rows = client.query(&format!("SELECT id FROM {table}"), &[]).unwrap();
        assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>(), [2], "{table}");
    }
}

#[test]
fn a_dump_needs_no_keyring() {
    let cluster = cordon_tests::Cluster::start(&cordon_tests::Settings::default());
    let database = cluster.database("source");
    fill(&database);
    fs::remove_file(cluster.keyring()).unwrap();
    cluster.restart();
    let bytes = database.run("postgres", "", "pg_dump", &[]);
    assert_no_plaintext(&bytes);
    let error = database.tenant("7").query("SELECT token::text FROM integration WHERE team_id = 7", &[]).unwrap_err();
    assert_eq!(sqlstate(&error), "55000");
}

#[test]
fn row_security_and_a_tenant_make_a_plaintext_export_of_that_tenant() {
    let source = shared_cluster().database("export");
    fill(&source);
    let path = file(&source, "sql");
    let path = path.to_str().unwrap();
    let arguments = ["--enable-row-security", "--table=integration", "--file", path];
    let _ = source.run("app", "-c app.team_id=7", "pg_dump", &arguments);
    let dump = fs::read_to_string(path).unwrap();
    assert!(dump.contains(SECRETS[0]) && dump.contains(SECRETS[2]));
    assert!(!dump.contains(SECRETS[1]) && !dump.contains("cordon1:"), "another tenant's row, or a stored form");

    // It restores as a new tenant's data, sealed anew.
    let target = shared_cluster().database("export_restored");
    let _ = target.run("postgres", "-c app.team_id=7", "psql", &["-X", "--set=ON_ERROR_STOP=1", "--file", path]);
    let row =
        target.tenant("7").query_one("SELECT token::text, note::text FROM integration WHERE id = 1", &[]).unwrap();
    assert_eq!((row.get(0), row.get(1)), (SECRETS[0], SECRETS[2]));
    assert_ne!(stored(&target)[0].1, stored(&source)[0].1);
}

#[test]
fn nothing_on_disk_holds_the_plaintext() {
    let cluster = cordon_tests::Cluster::start(&cordon_tests::Settings::default());
    let database = cluster.database("disk");
    fill(&database);
    database.superuser().batch_execute("CHECKPOINT").unwrap();
    let mut files = vec![cluster.data_directory()];
    let mut searched = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            assert_no_plaintext(&fs::read(&path).unwrap_or_default());
            searched += 1;
        }
    }
    assert!(searched > 500, "the data directory with its WAL");
}
