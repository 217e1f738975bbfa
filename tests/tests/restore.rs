//! docs/RESTORE.md: who may load a dump, and how.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{path::Path, thread, time::Duration};

use cordon_tests::{Cluster, Database, Settings, sqlstate};

const SECRETS: [&str; 3] = ["ghp_secret_of_seven", "ghp_secret_of_eight", "a shared secret"];

/// A database whose tables belong to `app`, one of them protected, with values of two tenants and of all.
fn filled(cluster: &Cluster) -> Database<'_> {
    let source = cluster.database("source");
    source
        .app()
        .batch_execute(
            "CREATE TABLE integration (team_id bigint NOT NULL, id int, token encrypted_text, mail encrypted_text_eq,
                 note shared_encrypted_text, PRIMARY KEY (team_id, id));
             CREATE INDEX ON integration (mail)",
        )
        .unwrap();
    for (tenant, secret) in [("7", SECRETS[0]), ("8", SECRETS[1])] {
        source
            .tenant(tenant)
            .execute(
                "INSERT INTO integration SELECT $1::text::bigint, i, $2::text, $2 || i % 3, $3::text FROM generate_series(1, 30) i",
                &[&tenant, &secret, &SECRETS[2]],
            )
            .unwrap();
    }
    let mut dba = source.superuser();
    // Statistics of sealed columns, with common values.
    dba.batch_execute("SELECT cordon.protect('integration'); ANALYZE integration").unwrap();
    source
}

/// What is stored, with the registration, the policy's presence and the owner.
fn content(database: &Database<'_>) -> Vec<String> {
    let mut client = database.superuser();
    client.batch_execute("SET row_security = off").unwrap();
    let rows = client
        .query(
            "SELECT i::text FROM integration i
             UNION ALL SELECT p::text FROM cordon.protected_table p
             UNION ALL SELECT concat_ws(' ', relname, relowner::regrole, relrowsecurity, relforcerowsecurity) FROM pg_class
                 WHERE relname = 'integration'
             UNION ALL SELECT polname || pg_get_expr(polqual, polrelid) FROM pg_policy ORDER BY 1",
            &[],
        )
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// A database of `owner`'s, where a superuser has made what no other may.
fn empty<'a>(cluster: &'a Cluster, name: &str) -> Database<'a> {
    let target = cluster.database(name);
    // As docs/RESTORE.md says: the extension is there, and the role that restores may write what it registers.
    target.superuser().batch_execute("GRANT ALL ON SCHEMA public TO app, loader").unwrap();
    target
}

/// Runs a client program and says whether it succeeded, and what it wrote of errors.
fn run(target: &Database<'_>, role: &str, options: &str, program: &str, arguments: &[&str]) -> (bool, String) {
    let output = target
        .cluster
        .client_program(program)
        .env("PGDATABASE", &target.name)
        .env("PGUSER", role)
        .env("PGOPTIONS", options)
        .args(arguments)
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn dump(source: &Database<'_>, name: &str, arguments: &[&str]) -> String {
    let path = source.cluster.directory().join(name).display().to_string();
    let _ = source.run("postgres", "", "pg_dump", &[arguments, &["--file", &path, "--compress=0"]].concat());
    let bytes = std::fs::read(Path::new(&path)).unwrap();
    for secret in SECRETS {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "the dump holds {secret}");
    }
    path
}

const REFUSED: &str = "permission denied to store a sealed value as it is";

#[test]
fn an_owner_who_is_no_superuser_restores_with_the_setting_and_not_without() {
    let cluster = Cluster::start(&Settings::default());
    let mut dba = cluster.connect("postgres", "postgres");
    dba.batch_execute("CREATE ROLE loader LOGIN IN ROLE app; CREATE ROLE lender LOGIN IN ROLE app").unwrap();
    let source = filled(&cluster);
    let whole = content(&source);
    assert!(whole.len() > 60);
    let dumped = ["--format=custom", "--exclude-table-data=cordon.token"];
    let path = dump(&source, "custom", &dumped);
    let restore = |target: &Database<'_>, role: &str, options: &str, more: &[&str]| {
        let arguments = ["--exit-on-error", "--no-owner", "--no-comments", "--dbname", &target.name];
        run(target, role, options, "pg_restore", &[&arguments[..], more, &[&path]].concat())
    };

    let target = empty(&cluster, "refused");
    let (succeeds, said) = restore(&target, "loader", "", &["--role=app"]);
    assert!(!succeeds && said.contains(REFUSED) && said.contains("cordon.text_form = restore"), "{said}");
    for secret in SECRETS {
        assert!(!said.contains(secret), "{said}");
    }
    // A role cannot give itself the right.
    let (succeeds, said) = restore(&target, "loader", "-c cordon.text_form=restore", &["--role=app"]);
    assert!(!succeeds && said.contains("permission denied to set parameter"), "{said}");
    assert_eq!(
        sqlstate(
            &cluster
                .connect("loader", "refused")
                .batch_execute("ALTER ROLE loader SET cordon.text_form = restore")
                .unwrap_err()
        ),
        "42501"
    );

    dba.batch_execute("ALTER ROLE loader SET cordon.text_form = restore").unwrap();
    let target = empty(&cluster, "by_role");
    let (succeeds, said) = restore(&target, "loader", "", &["--role=app"]);
    assert!(succeeds, "{said}");
    assert_eq!(content(&target), whole);
    assert_eq!(
        target
            .tenant("7")
            .query_one("SELECT count(*) FROM integration WHERE token::text = $1", &[&SECRETS[0]])
            .unwrap()
            .get::<_, i64>(0),
        30
    );

    dba.batch_execute("GRANT SET ON PARAMETER cordon.text_form TO lender").unwrap();
    let target = empty(&cluster, "by_parameter");
    let (succeeds, said) = restore(&target, "lender", "-c cordon.text_form=restore", &["--role=app"]);
    assert!(succeeds, "{said}");
    assert_eq!(content(&target), whole);
}

#[test]
fn a_script_that_becomes_another_user_needs_the_setting_of_the_session() {
    let cluster = Cluster::start(&Settings::default());
    let source = filled(&cluster);
    let path = dump(&source, "script", &["--use-set-session-authorization"]);
    let arguments = ["--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1", "--file", &path];
    let drop = |target: &Database<'_>| {
        target.superuser().batch_execute("DROP EXTENSION pg_cordon; REVOKE ALL ON SCHEMA public FROM loader").unwrap()
    };
    cluster.connect("postgres", "postgres").batch_execute("CREATE ROLE loader").unwrap();
    let target = empty(&cluster, "refused");
    drop(&target);
    let (succeeds, said) = run(&target, "postgres", "", "psql", &arguments);
    assert!(!succeeds && said.contains(REFUSED), "{said}");
    let target = empty(&cluster, "restored");
    drop(&target);
    let (succeeds, said) = run(&target, "postgres", "-c cordon.text_form=restore", "psql", &arguments);
    assert!(succeeds, "{said}");
    assert_eq!(content(&target), content(&source));
}

/// From PostgreSQL 18 on a dump may hold statistics, which hold common values of columns.
#[test]
fn statistics_of_sealed_columns_are_dumped_sealed() {
    let cluster = Cluster::start(&Settings::default());
    let source = filled(&cluster);
    let mut dba = source.superuser();
    let version: i32 = dba.query_one("SELECT current_setting('server_version_num')::int", &[]).unwrap().get(0);
    if version < 180_000 {
        return;
    }
    let statistics = |database: &Database<'_>| -> Vec<String> {
        let mut client = database.superuser();
        client.batch_execute("SET row_security = off").unwrap();
        let columns = "attname || coalesce(most_common_vals::text, '-') || coalesce(most_common_freqs::text, '-') || null_frac || n_distinct";
        let rows = client
            .query(&format!("SELECT {columns} FROM pg_stats WHERE tablename = 'integration' ORDER BY 1"), &[])
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    let before = statistics(&source);
    assert!(before.iter().any(|line| line.starts_with("mail{cordon1:")), "{before:#?}");
    let path = dump(&source, "statistics", &["--statistics"]);
    let target = cluster.database("restored");
    target.superuser().batch_execute("DROP EXTENSION pg_cordon").unwrap();
    let arguments = ["--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1", "--file", &path];
    let (succeeds, said) = run(&target, "postgres", "", "psql", &arguments);
    assert!(succeeds && !said.contains("WARNING"), "{said}");
    assert_eq!(statistics(&target), before);
}

/// A subscription's owner who may not read the stored form in does not by the subscription; and may when it is given.
#[test]
fn a_subscription_needs_an_owner_who_may_restore() {
    let logical = Settings { configuration: "wal_level = logical", ..Settings::default() };
    let (publisher, subscriber) = (Cluster::start(&logical), Cluster::start(&logical));
    let (source, target) = (publisher.database("d"), subscriber.database("d"));
    let table = "CREATE TABLE t (id int PRIMARY KEY, note shared_encrypted_text)";
    source.superuser().batch_execute(&format!("{table}; CREATE PUBLICATION p FOR TABLE t")).unwrap();
    let mut dba = target.superuser();
    dba.batch_execute(&format!(
        "CREATE ROLE r LOGIN SUPERUSER; GRANT ALL ON SCHEMA public TO r; {table}; ALTER TABLE t OWNER TO r"
    ))
    .unwrap();
    let connection = format!("host={} dbname=d user=postgres", publisher.directory().display());
    let mut owner = subscriber.connect("r", "d");
    let version: i32 = dba.query_one("SELECT current_setting('server_version_num')::int", &[]).unwrap().get(0);
    let password = if version < 160_000 { "" } else { ", password_required = false" };
    owner
        .batch_execute(&format!(
            "CREATE SUBSCRIPTION s CONNECTION '{connection}' PUBLICATION p WITH (copy_data = false, enabled = false{password})"
        ))
        .unwrap();
    dba.batch_execute("ALTER ROLE r NOSUPERUSER; ALTER SUBSCRIPTION s ENABLE").unwrap();
    source
        .superuser()
        .batch_execute("INSERT INTO t VALUES (1, 'a shared secret'::text::shared_encrypted_text)")
        .unwrap();
    let until = |what: &str, holds: &mut dyn FnMut() -> bool| {
        for _ in 0..1200 {
            if holds() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{what}: {}", subscriber.log());
    };
    until("it is refused", &mut || subscriber.log().contains(REFUSED));
    let rows =
        |client: &mut postgres::Client| -> i64 { client.query_one("SELECT count(*) FROM t", &[]).unwrap().get(0) };
    assert_eq!(rows(&mut dba), 0);
    dba.batch_execute("ALTER ROLE r SET cordon.text_form = restore").unwrap();
    until("it arrives", &mut || rows(&mut dba) == 1);
    assert!(!subscriber.log().contains(SECRETS[2]));
    dba.batch_execute("DROP SUBSCRIPTION s").unwrap();
}
