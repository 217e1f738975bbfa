//! The keyring of a running server: made, rotated, broken, mended.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
};

use cordon_tests::{Cluster, Settings, assert_refused, sqlstate};
use postgres::Client;

const OPEN: &str = "SELECT token::text FROM t WHERE id = (SELECT max(id) FROM t)";
const SEAL: &str = "INSERT INTO t (token) VALUES ('ghp_secret')";

fn with_table(client: &mut Client) {
    client.batch_execute("SET app.team_id = '7'; CREATE TABLE t (id serial, token encrypted_text)").unwrap();
}

fn opened(client: &mut Client) -> String {
    client.query_one(OPEN, &[]).unwrap().get(0)
}

fn primary(client: &mut Client) -> i64 {
    let query = "SELECT id FROM cordon.keyring WHERE purpose = 'encryption' AND status = 'primary'";
    client.query_one(query, &[]).unwrap().get(0)
}

fn material(cluster: &Cluster) -> Vec<String> {
    let file = fs::read_to_string(cluster.keyring()).unwrap();
    file.lines()
        .filter_map(|line| line.trim().strip_prefix("\"material\": \""))
        .map(|rest| rest.trim_end_matches(['"', ',']).to_owned())
        .collect()
}

#[test]
fn without_a_keyring_nothing_works_until_one_is_made() {
    for preload in [true, false] {
        let cluster = Cluster::start(&Settings { keyring: false, preload, ..Settings::default() });
        let database = cluster.database("d");
        let mut client = database.tenant("7");
        with_table(&mut client);
        assert_refused(client.execute(SEAL, &[]), "55000", &["ghp_secret"]);
        let mut superuser = database.superuser();
        assert_refused(superuser.query("SELECT * FROM cordon.keyring", &[]), "55000", &[]);
        let path: String = superuser.query_one("SELECT cordon.create_keyring()", &[]).unwrap().get(0);
        assert_eq!(fs::canonicalize(path).unwrap(), fs::canonicalize(cluster.keyring()).unwrap());
        assert_eq!(fs::metadata(cluster.keyring()).unwrap().permissions().mode() & 0o7777, 0o600);
        // Sessions from before find it, without a reload.
        client.execute(SEAL, &[]).unwrap();
        assert_eq!(opened(&mut client), "ghp_secret");
        let before = fs::read(cluster.keyring()).unwrap();
        assert_refused(superuser.query("SELECT cordon.create_keyring()", &[]), "58P02", &[]);
        assert_eq!(fs::read(cluster.keyring()).unwrap(), before);
        cluster.restart();
        assert_eq!(opened(&mut database.tenant("7")), "ghp_secret");
    }
}

#[test]
fn each_fault_of_the_file_is_named_without_showing_a_key() {
    let cluster = Cluster::start(&Settings { preload: false, ..Settings::default() });
    let database = cluster.database("d");
    with_table(&mut database.tenant("7"));
    database.tenant("7").execute(SEAL, &[]).unwrap();
    let path = cluster.keyring();
    let good = fs::read_to_string(&path).unwrap();
    let owner = fs::metadata(&path).map(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata)).unwrap();
    let keys = material(&cluster);
    let first = good.find("\"id\": ").unwrap() + 6;
    let id: String = good[first..].chars().take_while(char::is_ascii_digit).collect();
    let zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let weak = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";

    let contents: Vec<(String, &str)> = vec![
        ("garbage".into(), "not JSON"),
        (String::new(), "not JSON"),
        (good.replace("\"version\": 1", "\"version\": 2"), "unknown version"),
        (good.replace("\"version\": 1", "\"version\": 1, \"more\": 1"), "unknown field"),
        (good.replacen("\"id\"", "\"extra\": true, \"id\"", 1), "unknown field"),
        (good.replacen("\"purpose\": \"encryption\",", "", 1), "missing field"),
        (good.replace("\"encryption\"", "\"decryption\""), "unknown value"),
        (good.replace("\"search\",\n", "\"encryption\",\n"), "more than one primary"),
        (good.replacen("\"primary\"", "\"enabled\"", 1), "no primary"),
        (good.replacen(&id, "0", 1), "key id 0"),
        (good.replacen(&keys[0], zero, 1), "all zero"),
        (good.replacen(&keys[0], weak, 1), "fewer than 16 distinct bytes"),
        (good.replacen(&keys[0], &keys[1], 1), "that of another key"),
        (good.replacen(&keys[0], &keys[0][4..], 1), "not 32 bytes"),
        (good.replacen(&keys[0], &format!("!{}", &keys[0][1..]), 1), "not base64"),
        (good.replacen(&format!("\"id\": {id}"), &format!("\"id\": \"{}\"", keys[0]), 1), "unknown value"),
    ];
    let secrets: Vec<&str> = keys.iter().map(String::as_str).chain(["ghp_secret"]).collect();
    let check = |expected: &str| {
        // A new session, which has no keyring from before.
        let outcome = database.tenant("7").query(OPEN, &[]);
        let text = outcome.as_ref().err().map(cordon_tests::whole_error).unwrap_or_default();
        assert!(text.contains(expected), "expected {expected}: {text}");
        // Where it is, is for the log, and for those who may read the setting.
        let place = path.to_str().unwrap();
        assert!(!text.contains("pg_cordon_keyring"), "{text}");
        let log = cluster.log();
        let detail = log.lines().rev().find(|line| line.contains("DETAIL:")).unwrap_or_default();
        assert!(detail.contains(place), "the log names the file: {detail}");
        let mut dba = database.superuser();
        dba.batch_execute("SET app.team_id = '7'").unwrap();
        let text = dba.query(OPEN, &[]).as_ref().err().map(cordon_tests::whole_error).unwrap_or_default();
        assert!(text.contains(place), "{text}");
        assert_refused(outcome, "55000", &secrets);
        let verb = database.superuser().query("SELECT cordon.rotate_key('encryption')", &[]);
        let state = verb.as_ref().err().map(sqlstate).unwrap_or_default();
        assert_refused(verb, &state, &secrets);
    };
    for (content, expected) in contents {
        assert_ne!(content, good, "{expected}");
        fs::write(&path, content).unwrap();
        check(expected);
    }
    fs::write(&path, &good).unwrap();
    for mode in [0o640, 0o604, 0o660, 0o700] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        check("must be 0600");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    if owner != 0 && chown(&path, Some(0), None).is_ok() {
        check("not owned by the user");
        chown(&path, Some(owner), None).unwrap();
    }
    let elsewhere = cluster.directory().join("elsewhere.json");
    fs::rename(&path, &elsewhere).unwrap();
    check("no keyring file");
    symlink(&elsewhere, &path).unwrap();
    check("not a regular file");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    check("not a regular file");
    fs::remove_dir(&path).unwrap();
    fs::rename(&elsewhere, &path).unwrap();
    assert_eq!(opened(&mut database.tenant("7")), "ghp_secret");
    let log = cluster.log();
    assert!(keys.iter().all(|key| !log.contains(key.as_str())), "a key in the server log");
}

/// Puts a keyring file back, as the server's user has it.
fn restore_keyring(cluster: &Cluster, content: &[u8]) {
    fs::write(cluster.keyring(), content).unwrap();
    let owner = fs::metadata(cluster.data_directory()).unwrap();
    let _ = chown(cluster.keyring(), Some(std::os::unix::fs::MetadataExt::uid(&owner)), None);
    fs::set_permissions(cluster.keyring(), fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn with_a_broken_file_values_are_opened_and_none_are_sealed() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    let mut client = database.tenant("7");
    with_table(&mut client);
    client.execute(SEAL, &[]).unwrap();
    // For the server to read the keyring when it starts, which new sessions then share.
    cluster.restart();
    let mut client = database.tenant("7");
    assert_eq!(opened(&mut client), "ghp_secret");
    let good = fs::read(cluster.keyring()).unwrap();
    for fault in ["garbage", ""] {
        fs::write(cluster.keyring(), fault).unwrap();
        cluster.reload(&mut client);
        assert_eq!(opened(&mut client), "ghp_secret");
        assert_refused(client.execute(SEAL, &[]), "55000", &["ghp_secret"]);
        // A session that begins now has the keyring that the server read when it started.
        let mut fresh = database.tenant("7");
        assert_eq!(opened(&mut fresh), "ghp_secret");
        assert_refused(fresh.execute(SEAL, &[]), "55000", &["ghp_secret"]);
        assert_refused(fresh.query("SELECT cordon.hash_token('tok')", &[]), "55000", &["tok"]);
    }
    fs::remove_file(cluster.keyring()).unwrap();
    cluster.reload(&mut client);
    assert_eq!(opened(&mut client), "ghp_secret");
    assert_refused(client.execute(SEAL, &[]), "55000", &["ghp_secret"]);
    let log = cluster.log();
    assert!(
        log.contains("not JSON at line 1, column 1; values are opened with the keyring last read, and none are sealed"),
        "{log}"
    );
    // No reload is needed: the next statement finds it.
    restore_keyring(&cluster, &good);
    client.execute(SEAL, &[]).unwrap();
    assert_eq!(opened(&mut client), "ghp_secret");
}

/// The attack: a key that leaked is rotated away and disabled; then the file becomes unreadable. Sessions that begin inherit
/// what the server read when it started, and would go on sealing under the key that leaked.
#[test]
fn nothing_is_sealed_under_a_key_that_was_rotated_away_before_the_file_broke() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    with_table(&mut database.tenant("7"));
    cluster.restart();
    let mut dba = database.superuser();
    let old = primary(&mut dba);
    dba.batch_execute("SELECT cordon.rotate_key('encryption')").unwrap();
    dba.query("SELECT cordon.disable_key($1)", &[&old]).unwrap();
    let good = fs::read(cluster.keyring()).unwrap();
    fs::set_permissions(cluster.keyring(), fs::Permissions::from_mode(0o644)).unwrap();
    let mut fresh = database.tenant("7");
    assert_refused(fresh.execute(SEAL, &[]), "55000", &["ghp_secret"]);
    assert_refused(fresh.query("SELECT cordon.hash_token('tok')", &[]), "55000", &["tok"]);
    restore_keyring(&cluster, &good);
    fresh.execute(SEAL, &[]).unwrap();
    let under: i64 = fresh.query_one("SELECT cordon.key_id(token) FROM t", &[]).unwrap().get(0);
    assert_ne!(under, old);
}

#[test]
fn rotated_keys_open_old_values_and_seal_new_ones() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    let mut superuser = database.superuser();
    with_table(&mut superuser);
    let old = primary(&mut superuser);
    superuser.execute(SEAL, &[]).unwrap();
    let new: i64 = superuser.query_one("SELECT cordon.rotate_key('encryption')", &[]).unwrap().get(0);
    assert_eq!(primary(&mut superuser), new);
    superuser.execute(SEAL, &[]).unwrap();
    let rows = superuser.query("SELECT cordon.key_id(token), token::text FROM t ORDER BY id", &[]).unwrap();
    let found: Vec<(i64, &str)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(found, [(old, "ghp_secret"), (new, "ghp_secret")]);

    // The old key, disabled, opens nothing; enabled again, it does.
    assert_refused(superuser.query("SELECT cordon.disable_key($1)", &[&new]), "55000", &[]);
    superuser.query("SELECT cordon.disable_key($1, force => true)", &[&old]).unwrap();
    assert_refused(superuser.query("SELECT token::text FROM t WHERE id = 1", &[]), "55000", &["ghp_secret"]);
    assert_eq!(opened(&mut superuser), "ghp_secret");
    cluster.restart();
    let mut superuser = database.superuser();
    superuser.batch_execute("SET app.team_id = '7'").unwrap();
    assert_refused(superuser.query("SELECT token::text FROM t WHERE id = 1", &[]), "55000", &["ghp_secret"]);
    superuser.query("SELECT cordon.enable_key($1)", &[&old]).unwrap();
    superuser.query_one("SELECT token::text FROM t WHERE id = 1", &[]).unwrap();
}

#[test]
fn a_key_made_by_another_server_is_found_without_a_reload() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    let mut client = database.tenant("7");
    with_table(&mut client);
    client.execute(SEAL, &[]).unwrap();
    assert_eq!(opened(&mut client), "ghp_secret");
    // The other server with the same keyring file and, by replication, the same rows.
    let other = Cluster::start(&Settings { keyring: false, ..Settings::default() });
    fs::copy(cluster.keyring(), other.keyring()).unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(other.data_directory()).unwrap());
    let _ = chown(other.keyring(), Some(owner), None);
    let elsewhere = other.database("d");
    let mut remote = elsewhere.superuser();
    with_table(&mut remote);
    remote.batch_execute("SELECT cordon.rotate_key('encryption')").unwrap();
    remote.execute("INSERT INTO t (token) VALUES ('sealed elsewhere')", &[]).unwrap();
    remote.batch_execute("SET row_security = off").unwrap();
    let form: String = remote.query_one(OPEN, &[]).unwrap().get(0);
    let mut dba = database.superuser();
    dba.batch_execute("SET row_security = off").unwrap();
    dba.execute("INSERT INTO t (token) VALUES ($1::text)", &[&form]).unwrap();

    assert_refused(client.query(OPEN, &[]), "42704", &["sealed elsewhere"]);
    // In place, so that owner and mode stay.
    fs::write(cluster.keyring(), fs::read(other.keyring()).unwrap()).unwrap();
    assert_eq!(opened(&mut client), "sealed elsewhere");
}

#[test]
fn a_command_supplies_the_keyring_when_the_server_starts() {
    let source = Cluster::start(&Settings::default());
    let copy = source.directory().join("from_kms.json");
    fs::copy(source.keyring(), &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o644)).unwrap();
    let command = format!("cordon.keyring_command = 'cat {}'", copy.display());
    let cluster = Cluster::start(&Settings { keyring: false, configuration: &command, ..Settings::default() });
    let database = cluster.database("d");
    let mut client = database.tenant("7");
    with_table(&mut client);
    client.execute(SEAL, &[]).unwrap();
    assert!(!cluster.keyring().exists());
    cluster.reload(&mut client);
    assert_eq!(opened(&mut client), "ghp_secret");
    for verb in ["create_keyring()", "rotate_key('encryption')", "disable_key(1)"] {
        assert_refused(database.superuser().query(&format!("SELECT cordon.{verb}"), &[]), "55000", &[]);
    }
    // A command that fails leaves a server that runs, and refuses.
    fs::remove_file(&copy).unwrap();
    cluster.restart();
    assert_refused(database.tenant("7").query(OPEN, &[]), "55000", &["ghp_secret"]);
    assert!(cluster.log().contains("cordon.keyring_command printed no keyring: it ended with exit status: 1"));
    // Without preload there is nobody to run it.
    cluster.configure("shared_preload_libraries = ''\n");
    cluster.restart();
    assert_refused(database.tenant("7").query(OPEN, &[]), "55000", &["ghp_secret"]);
}

#[test]
fn the_keyring_may_lie_outside_of_the_data_directory() {
    let cluster = Cluster::start(&Settings { keyring: false, ..Settings::default() });
    let path = cluster.directory().join("keys.json");
    cluster.configure(&format!("cordon.keyring_file = '{}'\n", path.display()));
    let database = cluster.database("d");
    let mut superuser = database.superuser();
    cluster.reload(&mut superuser);
    with_table(&mut superuser);
    superuser.batch_execute("SELECT cordon.create_keyring()").unwrap();
    superuser.execute(SEAL, &[]).unwrap();
    assert_eq!(opened(&mut superuser), "ghp_secret");
    assert!(path.exists() && !cluster.keyring().exists());
    cluster.configure("cordon.keyring_file = '/nonexistent/keys.json'\n");
    cluster.reload(&mut superuser);
    assert_refused(superuser.query("SELECT cordon.rotate_key('encryption')", &[]), "58P01", &[]);
    assert_refused(superuser.query("SELECT cordon.create_keyring()", &[]), "58P01", &[]);
}

#[test]
fn a_standby_does_not_change_the_keyring() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    database.tenant("7").batch_execute("CREATE TABLE t (id serial, token encrypted_text)").unwrap();
    database.tenant("7").execute(SEAL, &[]).unwrap();
    fs::write(cluster.data_directory().join("standby.signal"), "").unwrap();
    cluster.restart();
    let mut superuser = database.superuser();
    superuser.batch_execute("SET app.team_id = '7'").unwrap();
    assert_eq!(opened(&mut superuser), "ghp_secret");
    assert_refused(superuser.query("SELECT cordon.rotate_key('encryption')", &[]), "25006", &[]);
}

/// A call that commits is one message of the client, in which PostgreSQL reloads nothing.
#[test]
fn a_call_that_commits_seals_under_the_keys_of_now() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    let mut dba = database.superuser();
    dba.batch_execute("CREATE TABLE st (v shared_encrypted_text); GRANT ALL ON st TO app").unwrap();
    let mut app = database.app();
    let mut holder = database.superuser();
    holder.batch_execute("SELECT pg_advisory_lock(1)").unwrap();
    let call = std::thread::spawn(move || {
        app.batch_execute(
            "DO $$ BEGIN PERFORM 'a'::text::shared_encrypted_text; COMMIT; PERFORM pg_advisory_lock(1);
             PERFORM pg_advisory_unlock(1); COMMIT;
             FOR i IN 1..2000 LOOP
                 DELETE FROM st; INSERT INTO st VALUES ('b'::text::shared_encrypted_text); COMMIT;
                 -- The signal that the file has changed comes when it comes.
                 EXIT WHEN (SELECT cordon.key_id(v) FROM st) = current_setting('app.expected', true)::bigint;
             END LOOP; END $$",
        )
    });
    let waits =
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'advisory')";
    while !dba.query_one(waits, &[]).unwrap().get::<_, bool>(0) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    dba.batch_execute("SELECT cordon.rotate_key('encryption')").unwrap();
    let new = primary(&mut dba);
    dba.batch_execute(
        "SELECT cordon.disable_key(id) FROM cordon.keyring WHERE purpose = 'encryption' AND status <> 'primary'",
    )
    .unwrap();
    holder.batch_execute("SELECT pg_advisory_unlock(1)").unwrap();
    call.join().unwrap().unwrap();
    let sealed_under: i64 = dba.query_one("SELECT cordon.key_id(v) FROM st", &[]).unwrap().get(0);
    assert_eq!(sealed_under, new);
}
