//! Processes that die, a keyring that breaks under load, values and connections in great number, and SQL that nobody
//! would write.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    env, fs,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use cordon_tests::{Cluster, Database, Load, Settings, assert_refused, sqlstate, whole_error};
use postgres::Client;

fn table(database: &Database<'_>, tenants: i64, rows: i32) {
    database
        .superuser()
        .batch_execute(&format!(
            "CREATE TABLE account (team_id bigint NOT NULL, id int, version int NOT NULL DEFAULT 0, token encrypted_text,
                 mail encrypted_text_eq, PRIMARY KEY (team_id, id), UNIQUE (team_id, mail));
             INSERT INTO account SELECT t, i, 0, cordon.encrypt('token ' || i || ' v0', t::text), cordon.encrypt_eq('mail ' || i, t::text)
                 FROM generate_series(1, {tenants}) t, generate_series(1, {rows}) i;
             SELECT cordon.protect('account'); GRANT ALL ON account TO app"
        ))
        .unwrap();
}

fn kill(pid: i32) {
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn acknowledged_writes_survive_a_backend_that_is_killed() {
    let cluster = Cluster::start(&Settings { configuration: "fsync = on", ..Settings::default() });
    let database = cluster.database("d");
    table(&database, 4, 1000);
    let load = Load { database: &database, tenants: 4, rows: 1000 };
    let written = load.during(|| {
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(400));
            let victim = "SELECT pid FROM pg_stat_activity WHERE usename = 'app' AND query LIKE 'UPDATE%' LIMIT 1";
            // The server throws everybody out after each, and recovers.
            let pid = loop {
                let rows = cluster.connect_with("postgres", "d", "").and_then(|mut client| client.query(victim, &[]));
                if let Some(row) = rows.ok().as_ref().and_then(|rows| rows.first()) {
                    break row.get(0);
                }
                thread::sleep(Duration::from_millis(20));
            };
            kill(pid);
        }
        thread::sleep(Duration::from_millis(400));
    });
    while cluster.connect_with("postgres", "d", "").is_err() {
        thread::sleep(Duration::from_millis(20));
    }
    load.check(&written, "token::text");
    let failing = "SELECT count(*) FROM cordon.verify_column('account', 'token')";
    assert_eq!(database.superuser().query_one(failing, &[]).unwrap().get::<_, i64>(0), 0);
}

/// Waits until so many more have been done.
fn wait_for_more(done: &AtomicU64, more: u64) {
    let (before, deadline) = (done.load(Ordering::Relaxed), Instant::now() + Duration::from_secs(60));
    while done.load(Ordering::Relaxed) < before + more {
        assert!(Instant::now() < deadline, "they do not go on");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn with_a_keyring_that_breaks_under_load_values_are_opened_and_none_are_sealed() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    table(&database, 8, 100);
    // From now on processes inherit the keyring that the server has read when it started.
    cluster.restart();
    let good = fs::read(cluster.keyring()).unwrap();
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for tenant in 1..=8 {
            let (database, stop, done) = (&database, &stop, &done);
            scope.spawn(move || {
                let mut client = database.tenant(&tenant.to_string());
                while !stop.load(Ordering::Relaxed) {
                    let update =
                        "UPDATE account SET token = 'token ' || id || ' v1', mail = 'new ' || mail::text WHERE id = $1";
                    for write in [update, "UPDATE account SET mail = 'mail 1' WHERE id = $1"] {
                        if let Err(error) = client.execute(write, &[&1]) {
                            assert_eq!(sqlstate(&error), "55000", "{}", whole_error(&error));
                        }
                    }
                    client.query_one("SELECT token::text, mail::text FROM account WHERE id = 1", &[]).unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Whatever fails in here must stop the others, or the scope would never end.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut dba = database.superuser();
            let truncated = &good[..good.len() / 2];
            for broken in [b"garbage".as_slice(), b"", truncated] {
                fs::write(cluster.keyring(), broken).unwrap();
                cluster.reload(&mut dba);
                wait_for_more(&done, 50);
                // Sessions that begin now have the keyring that the server read last.
                let mut fresh = database.tenant("1");
                fresh.query_one("SELECT token::text FROM account WHERE id = 2", &[]).unwrap();
            }
            fs::remove_file(cluster.keyring()).unwrap();
            cluster.reload(&mut dba);
            // All have seen that it is gone, and go on.
            wait_for_more(&done, 100);
        }));
        stop.store(true, Ordering::Relaxed);
        outcome.unwrap_or_else(|panic| resume_unwind(panic));
    });
    assert!(cluster.log().contains("values are opened with the keyring last read, and none are sealed"));
    // A server that starts without it opens nothing, and says why.
    cluster.restart();
    let mut client = database.tenant("1");
    assert_refused(client.query("SELECT token::text FROM account", &[]), "55000", &["token 2"]);
    assert_refused(client.execute("UPDATE account SET token = 'new secret'", &[]), "55000", &["new secret"]);
    fs::write(cluster.keyring(), &good).unwrap();
    let as_before = Command::new("sh")
        .args(["-c", "chmod 600 \"$1\" && chown --reference=\"$2\" \"$1\"", "sh"])
        .arg(cluster.keyring())
        .arg(cluster.data_directory())
        .status();
    assert!(as_before.unwrap().success());
    cluster.reload(&mut client);
    client.query("SELECT token::text FROM account", &[]).unwrap();
    for column in ["token", "mail"] {
        let failing = format!("SELECT count(*) FROM cordon.verify_column('account', '{column}')");
        assert_eq!(database.superuser().query_one(&failing, &[]).unwrap().get::<_, i64>(0), 0);
    }
}

/// Sets a resource limit of a process of the server's, by its name in prlimit(1).
fn limit(cluster: &Cluster, pid: i32, resource: &str, bytes: &str) {
    let arguments = ["--pid", &pid.to_string(), &format!("--{resource}={bytes}:unlimited")];
    assert!(cluster.server_command("prlimit").args(arguments).status().unwrap().success());
}

/// A file system of 64 KiB, gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where mounting is not allowed, as in most containers.
    fn mount(cluster: &Cluster) -> Option<Self> {
        let directory = cluster.directory().join("small");
        fs::create_dir(&directory).unwrap();
        let options = "size=64k,mode=0777";
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&directory).output();
        status.is_ok_and(|output| output.status.success()).then(|| Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Asserts that no change of the keyring succeeds for now, that nothing is left behind, and that what was sealed opens.
fn assert_keyring_unwritable(database: &Database<'_>, dba: &mut Client, keyring: &Path, code: &str) {
    let before = fs::read(keyring).unwrap();
    let key: i64 = dba
        .query_one("SELECT id FROM cordon.keyring WHERE purpose = 'encryption' AND status = 'primary'", &[])
        .unwrap()
        .get(0);
    assert_refused(dba.execute("SELECT cordon.rotate_key('encryption')", &[]), code, &[]);
    assert_eq!(fs::read(keyring).unwrap(), before);
    let files: Vec<_> =
        fs::read_dir(keyring.parent().unwrap()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(files.iter().all(|name| !name.to_string_lossy().ends_with(".new")), "{files:?}");
    // In the session that failed, and in one that begins now.
    for mut client in [database.superuser(), database.tenant("1")] {
        client.batch_execute("SET app.team_id = '1'").unwrap();
        client.execute("UPDATE account SET token = 'another' WHERE team_id = 1 AND id = 1", &[]).unwrap();
        let sealed = "SELECT token::text, cordon.key_id(token) FROM account WHERE team_id = 1 AND id = 1";
        let row = client.query_one(sealed, &[]).unwrap();
        assert_eq!((row.get::<_, String>(0).as_str(), row.get::<_, i64>(1)), ("another", key));
    }
    assert_eq!(
        dba.query_one("SELECT count(*) FROM cordon.keyring WHERE purpose = 'encryption'", &[])
            .unwrap()
            .get::<_, i64>(0),
        1
    );
}

#[test]
fn a_keyring_whose_writing_breaks_off_in_the_middle_is_as_it_was() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    table(&database, 2, 10);
    let mut dba = database.superuser();
    let pid: i32 = dba.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    // A hundred bytes get to the disk, and no more.
    let limit = |bytes: &str| limit(&cluster, pid, "fsize", bytes);
    limit("100");
    assert_keyring_unwritable(&database, &mut dba, &cluster.keyring(), "58030");
    limit("unlimited");
    dba.execute("SELECT cordon.rotate_key('encryption')", &[]).unwrap();
    dba.query_one("SELECT cordon.decrypt(token, '1') FROM account WHERE id = 2 AND team_id = 1", &[]).unwrap();
}

#[test]
fn a_disk_that_is_full_while_the_keyring_is_written_costs_nothing_but_the_change() {
    let cluster = Cluster::start(&Settings { keyring: false, ..Settings::default() });
    let Some(disk) = SmallDisk::mount(&cluster) else {
        let _ = writeln!(io::stderr(), "left out: mounting is not allowed here");
        return;
    };
    let (keyring, filler) = (disk.0.join("keyring.json"), disk.0.join("filler"));
    cluster.configure(&format!("cordon.keyring_file = '{}'\n", keyring.display()));
    cluster.restart();
    let database = cluster.database("d");
    let mut dba = database.superuser();
    let fill = || {
        let mut bytes = vec![0; 64 * 1024];
        // Whatever goes in, to the last byte.
        while fs::write(&filler, &bytes).is_err() {
            bytes.truncate(bytes.len() - 1024);
        }
    };
    fill();
    assert_refused(dba.execute("SELECT cordon.create_keyring()", &[]), "53100", &[]);
    assert!(!keyring.exists(), "half a keyring is none");
    fs::remove_file(&filler).unwrap();
    dba.execute("SELECT cordon.create_keyring()", &[]).unwrap();
    table(&database, 2, 10);
    fill();
    assert_keyring_unwritable(&database, &mut dba, &keyring, "53100");
    fs::remove_file(&filler).unwrap();
    dba.execute("SELECT cordon.rotate_key('encryption')", &[]).unwrap();
    dba.query_one("SELECT cordon.decrypt(token, '1') FROM account WHERE id = 2 AND team_id = 1", &[]).unwrap();
}

#[test]
fn a_value_of_half_a_gibibyte_is_sealed_or_refused_and_the_session_goes_on() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    let mut dba = database.superuser();
    let sealed = "SELECT length(cordon.decrypt(cordon.encrypt(repeat('x', $1), '7'), '7'))";
    let mebibytes = |count: i32| count * 1024 * 1024;
    assert_eq!(dba.query_one(sealed, &[&mebibytes(500)]).unwrap().get::<_, i32>(0), mebibytes(500));
    assert_refused(dba.query_one(sealed, &[&mebibytes(600)]), "54000", &["xxxx"]);
    dba.batch_execute("SET app.team_id = '7'").unwrap();
    dba.query_one("SELECT 'still here'::encrypted_text", &[]).unwrap();
}

/// Wherever in sealing, opening, hashing, converting or comparing a large value memory runs out: an error that says so, and a
/// session and a server that go on.
#[test]
fn memory_that_runs_out_in_a_large_value_is_an_error() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    let mut dba = database.superuser();
    dba.batch_execute(
        "SET app.team_id = '7'; CREATE TABLE big (plain text, value encrypted_text, mail encrypted_text_eq);
         ALTER TABLE big ALTER plain SET STORAGE external, ALTER value SET STORAGE external, ALTER mail SET STORAGE external;
         INSERT INTO big VALUES (repeat('x', 40 << 20)); UPDATE big SET value = plain, mail = plain",
    )
    .unwrap();
    let pid: i32 = dba.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let limit = |bytes: &str| limit(&cluster, pid, "as", bytes);
    let pages = || -> u64 {
        let statistics = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
        statistics.split(' ').next().unwrap().parse().unwrap()
    };
    let (mut succeeded, mut failed) = (0, 0);
    for query in [
        "SELECT length(cordon.decrypt(cordon.encrypt(plain, '7'), '7')) FROM big",
        "SELECT length(value::text) + length(mail::text) FROM big",
        "SELECT value FROM big",
        "SELECT cordon.encrypt_eq(plain, '7') = mail FROM big",
        "SELECT cordon.hash_token(plain) FROM big",
        "SELECT length(array_agg(value)::text) FROM big",
        "UPDATE big SET value = plain",
        "DO $$ BEGIN EXECUTE format('SELECT %L::encrypted_text', (SELECT plain FROM big)); END $$",
    ] {
        // What it needs besides, libraries for one, it has already.
        dba.simple_query(query).unwrap();
        for mebibytes in (0..400).step_by(25) {
            limit(&(pages() * 4096 + (mebibytes << 20)).to_string());
            let outcome = dba.simple_query(query);
            limit("unlimited");
            match outcome {
                Ok(_) => succeeded += 1,
                Err(error) => {
                    assert_eq!(sqlstate(&error), "53200", "{query} with {mebibytes} MiB: {error:?}");
                    assert!(!format!("{error:?}").contains("xxxx"));
                    failed += 1;
                }
            }
        }
        // The session goes on.
        dba.query_one("SELECT 'still here'::encrypted_text::text", &[]).unwrap();
    }
    assert!(succeeded > 20 && failed > 20, "{succeeded} succeeded, {failed} failed");
}

/// Private memory of a backend, in KiB.
fn memory(client: &mut Client) -> i64 {
    let status = "SELECT pg_read_file('/proc/self/status')";
    let status: String = client.query_one(status, &[]).unwrap().get(0);
    let field = |name: &str| -> i64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    field("RssAnon:")
}

#[test]
fn memory_stays_flat_over_two_million_values_and_two_hundred_thousand_errors() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    table(&database, 2, 1000);
    let mut dba = database.superuser();
    dba.batch_execute("SET app.team_id = '1'; SET jit = off").unwrap();
    let open =
        "SELECT count(token::text), count(mail = 'mail 7') FROM account, generate_series(1, 200) WHERE team_id = 1";
    // Of another tenant, so that each raises an error, which the block takes back.
    let fail = "DO $$ DECLARE foreign_value encrypted_text := (SELECT token FROM account WHERE team_id = 2 LIMIT 1); BEGIN
        FOR i IN 1..20000 LOOP BEGIN PERFORM foreign_value::text; RAISE 'it opened'; EXCEPTION WHEN insufficient_privilege THEN NULL; END; END LOOP; END $$";
    let mut work = || {
        dba.query_one(open, &[]).unwrap();
        dba.batch_execute(fail).unwrap();
        memory(&mut dba)
    };
    let warm = work();
    // CORDON_LEAK_SECONDS=3600 looks for an hour.
    let seconds = env::var("CORDON_LEAK_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    let (start, mut rounds, mut growth) = (Instant::now(), 0, 0);
    while rounds < 9 || start.elapsed() < Duration::from_secs(seconds) {
        growth = work() - warm;
        rounds += 1;
        assert!(growth < 2048, "{growth} KiB more after {rounds} rounds of 200,000 values and 20,000 errors");
    }
    let _ = writeln!(io::stderr(), "{growth} KiB more after {rounds} rounds of 200,000 values and 20,000 errors");
}

#[test]
fn a_thousand_connections_open_sealed_values() {
    let cluster = Cluster::start(&Settings {
        configuration: "max_connections = 1100\nshared_buffers = '32MB'",
        ..Settings::default()
    });
    let database = cluster.database("d");
    table(&database, 8, 100);
    let script = cluster.directory().join("read.sql");
    let transaction = "\\set tenant random(1, 8)\nBEGIN;\nSELECT cordon.set_tenant(':tenant');\n\
        SELECT 1 / (count(*) = 100 AND bool_and(token::text LIKE 'token %'))::int FROM account;\nCOMMIT;\n";
    fs::write(&script, transaction).unwrap();
    let pgbench = cluster.client_program("pgbench").get_program().to_owned();
    let output = Command::new("sh")
        .args([
            "-c",
            "ulimit -n 4096 && exec \"$0\" --no-vacuum --client=1000 --jobs=2 --transactions=3 --file=\"$1\" d",
        ])
        .arg(pgbench)
        .arg(&script)
        .env("PGHOST", cluster.directory())
        .env("PGUSER", "app")
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && report.contains("3000/3000"), "{report}");
}

#[test]
fn ten_thousand_statements_of_sqlsmith_crash_nothing() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    table(&database, 2, 20);
    let mut dba = database.superuser();
    dba.batch_execute(
        "CREATE TABLE token (id int PRIMARY KEY, hash token_hash, note shared_encrypted_text, other shared_encrypted_text_eq);
         INSERT INTO token SELECT i, cordon.hash_token('t' || i), 'n', 'o' FROM generate_series(1, 20) i;
         GRANT ALL ON token TO app; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cordon TO app;
         ALTER ROLE app IN DATABASE d SET statement_timeout = '500ms'; ALTER ROLE app IN DATABASE d SET app.team_id = '1'",
    )
    .unwrap();
    let target = format!("host={} dbname=d user=app", cluster.directory().display());
    let output = Command::new("timeout")
        .args(["240", "sqlsmith", "--max-queries=10000", "--seed=20261121", "--target", &target])
        .output()
        .expect("sqlsmith: Debian's package of that name");
    let log = cluster.log();
    for sign in ["terminated by signal", "TRAP:", "PANIC", "server process"] {
        assert!(!log.contains(sign), "{sign}: {}", log.lines().filter(|line| line.contains(sign)).collect::<String>());
    }
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{report}");
    dba.query("SELECT count(*) FROM token", &[]).unwrap();
}

#[test]
fn a_session_whose_tenant_is_dropped_in_mid_statement_fails_closed() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    table(&database, 2, 10);
    let mut client = database.tenant("1");
    let error =
        client.batch_execute("SELECT set_config('app.team_id', '', false), token::text FROM account").unwrap_err();
    assert_eq!(sqlstate(&error), "42501");
}
