//! Columns that an application has encrypted by itself: with Fernet, by the Python library `cryptography`, and with
//! pgcrypto.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs,
    process::{Command, Stdio},
};

use base64ct::{Base64, Encoding};
use cordon_tests::{Cluster, Database, Settings, assert_refused};
use postgres::Client;

/// Prints a key a line, then `kind token` lines. The second key is the older one.
const PYTHON: &str = r"
import time
from cryptography.fernet import Fernet, MultiFernet
keys = [Fernet.generate_key() for _ in range(3)]
for key in keys: print(key.decode())
now, old, unknown = (Fernet(key) for key in keys)
many = MultiFernet([now, old])
print('now', now.encrypt('schlüssel now'.encode()).decode())
print('old', old.encrypt('schlüssel old'.encode()).decode())
print('rotated', many.rotate(old.encrypt('schlüssel rotated'.encode())).decode())
print('empty', now.encrypt(b'').decode())
print('long', now.encrypt(b'x' * 100000).decode())
print('aged', now.encrypt_at_time(b'schl aged', int(time.time()) - 100000).decode())
print('unknown', unknown.encrypt(b'schl unknown').decode())
print('binary', now.encrypt(bytes([255, 0, 1])).decode())
print('cut', now.encrypt(b'schl cut').decode()[:-8])
token = now.encrypt(b'schl altered').decode()
print('altered', token[:40] + ('A' if token[40] != 'A' else 'B') + token[41:])
";

/// Keys and tokens made by Python.
fn python() -> (Vec<String>, Vec<(String, String)>) {
    let output = Command::new("/usr/bin/python3").args(["-c", PYTHON]).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    let output = String::from_utf8(output.stdout).unwrap();
    let mut lines = output.lines().map(str::to_owned);
    let keys = lines.by_ref().take(3).collect();
    (keys, lines.map(|line| line.split_once(' ').map(|(kind, token)| (kind.into(), token.into())).unwrap()).collect())
}

/// Adds keys to the keyring file, as an operator does, and has the server read it.
fn import(cluster: &Cluster, client: &mut Client, keys: &[(u32, &str, &str, &str)]) {
    let file = fs::read_to_string(cluster.keyring()).unwrap();
    let entry = |(id, purpose, status, material): &(u32, &str, &str, &str)| {
        format!(
            r#"{{"id": {id}, "purpose": "{purpose}", "status": "{status}", "created_at": "2026-11-20T00:00:00Z", "material": "{material}"}},"#
        )
    };
    let entries: String = keys.iter().map(entry).collect();
    fs::write(cluster.keyring(), file.replacen("\"keys\": [", &format!("\"keys\": [{entries}"), 1)).unwrap();
    cluster.reload(client);
}

fn permitted(database: &Database<'_>) -> Client {
    let grant = "GRANT EXECUTE ON FUNCTION cordon.convert_on_write() TO app";
    database.superuser().batch_execute(grant).unwrap();
    database.app()
}

fn problems(client: &mut Client, column: &str) -> Vec<(String, String)> {
    let query = "SELECT row_key->>'kind', problem FROM cordon.conversion_problems('t', $1::text::name) ORDER BY 1";
    client.query(query, &[&column]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn column(client: &mut Client, column: &str) -> Vec<(String, Option<String>)> {
    let query = format!("SELECT kind, left({column}::text, 30) FROM t ORDER BY kind");
    client.query(&query, &[]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[test]
fn fernet_tokens_made_by_python_become_sealed_and_none_is_lost() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    let mut app = permitted(&database);
    app.batch_execute(
        "CREATE TABLE t (team_id bigint NOT NULL, kind text PRIMARY KEY, token text, raw bytea);
         SELECT cordon.protect('t')",
    )
    .unwrap();
    let (keys, tokens) = python();
    for (kind, token) in &tokens {
        let insert = "INSERT INTO t (kind, token, raw) VALUES ($1, $2, convert_to($2, 'UTF8'))";
        database.tenant("7").execute(insert, &[kind, token]).unwrap();
    }
    let adopt = "CALL cordon.encrypt_column('t', 'token', source => 'fernet', max_age => '1 day')";
    assert_refused(app.batch_execute(adopt), "55000", &[]);
    import(&cluster, &mut app, &[(1, "fernet", "primary", &keys[0]), (2, "fernet", "enabled", &keys[1])]);
    app.batch_execute(adopt).unwrap();
    let expected = [
        ("aged", "the Fernet token has expired"),
        ("altered", "no fernet key of the keyring opens it, or it was altered"),
        ("binary", "not valid text"),
        ("cut", "not a Fernet token"),
        ("unknown", "no fernet key of the keyring opens it, or it was altered"),
    ];
    let found = problems(&mut app, "token");
    assert_eq!(found.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), expected.map(|(kind, _)| kind));
    for ((_, problem), (kind, expected)) in found.iter().zip(expected) {
        assert!(problem.contains(expected) || kind == "binary", "{kind}: {problem}");
        assert!(!problem.contains("schl"), "{problem}");
    }
    let finish = "CALL cordon.finish_conversion('t', 'token')";
    assert_refused(app.batch_execute(finish), "55000", &["schl"]);

    // The old application goes on with Fernet, the new one with the new column.
    let mut tenant = database.tenant("7");
    let now = &tokens.iter().find(|(kind, _)| kind == "now").unwrap().1;
    tenant.execute("UPDATE t SET token = $1 WHERE kind = 'altered'", &[now]).unwrap();
    tenant.execute("INSERT INTO t (kind, token) VALUES ('written', $1)", &[now]).unwrap();
    tenant.execute("UPDATE t SET token_sealed = 'by the new application' WHERE kind = 'old'", &[]).unwrap();
    let old: Option<String> = tenant.query_one("SELECT token FROM t WHERE kind = 'old'", &[]).unwrap().get(0);
    assert_eq!(old, None, "no old value in the place of the new one");
    assert_refused(app.batch_execute("CALL cordon.cancel_conversion('t', 'token')"), "55000", &[]);

    // An operator adds the missing key, accepts the age, and gives up what nobody can read.
    import(&cluster, &mut app, &[(3, "fernet", "enabled", &keys[2])]);
    tenant.execute("UPDATE t SET token = NULL WHERE kind IN ('binary', 'cut', 'aged')", &[]).unwrap();
    app.batch_execute(adopt).unwrap();
    assert_eq!(problems(&mut app, "token"), []);
    app.batch_execute(finish).unwrap();
    let mut tenant = database.tenant("7");
    let text = |text: &str| Some(text.to_owned());
    let expected = [
        ("aged", None),
        ("altered", text("schlüssel now")),
        ("binary", None),
        ("cut", None),
        ("empty", text("")),
        ("long", text(&"x".repeat(30))),
        ("now", text("schlüssel now")),
        ("old", text("by the new application")),
        ("rotated", text("schlüssel rotated")),
        ("unknown", text("schl unknown")),
        ("written", text("schlüssel now")),
    ];
    assert_eq!(column(&mut tenant, "token"), expected.map(|(kind, token)| (kind.to_owned(), token)));

    // Tokens as bytes, of any age; into a shared column.
    app.batch_execute("CALL cordon.encrypt_column('t', 'raw', 'shared_encrypted_text_eq', source => 'fernet')")
        .unwrap();
    let kinds: Vec<_> = problems(&mut app, "raw").into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["altered", "binary", "cut"]);
    let aged: String = tenant.query_one("SELECT raw_sealed::text FROM t WHERE kind = 'aged'", &[]).unwrap().get(0);
    assert_eq!(aged, "schl aged");
    // Keys that only import may go when they are done with.
    app.batch_execute("CALL cordon.cancel_conversion('t', 'raw')").unwrap();
    database.superuser().batch_execute("SELECT cordon.disable_key(1); SELECT cordon.disable_key(2)").unwrap();
}

#[test]
fn values_of_pgcrypto_become_sealed_and_the_passphrase_stays_out_of_sql() {
    let cluster = Cluster::start(&Settings { configuration: "log_statement = all", ..Settings::default() });
    let database = cluster.database("d");
    database.superuser().batch_execute("CREATE EXTENSION pgcrypto").unwrap();
    let mut app = permitted(&database);
    app.batch_execute(
        "CREATE TABLE t (team_id bigint NOT NULL, kind text PRIMARY KEY, token bytea, armored text);
         SELECT cordon.protect('t')",
    )
    .unwrap();
    let mut tenant = database.tenant("7");
    let mut insert = |kind: &str, plaintext: &str, passphrase: &str| {
        let insert = "INSERT INTO t (kind, token, armored)
            VALUES ($1, pgp_sym_encrypt($2, $3, 'cipher-algo=aes256'), armor(pgp_sym_encrypt($2, $3)))";
        tenant.execute(insert, &[&kind, &plaintext, &passphrase]).unwrap();
    };
    insert("now", "geheim now ü", "correct horse");
    insert("old", "geheim old", "battery staple");
    insert("unknown", "geheim unknown", "who knows");
    tenant.execute("INSERT INTO t (kind, token, armored) VALUES ('garbage', '\\x00ff', 'garbage')", &[]).unwrap();
    let bytes = "INSERT INTO t (kind, token) VALUES ('bytes', pgp_sym_encrypt_bytea('\\xff00', 'correct horse'))";
    tenant.execute(bytes, &[]).unwrap();
    let (now, old) = (Base64::encode_string(b"correct horse"), Base64::encode_string(b"battery staple"));
    import(&cluster, &mut app, &[(1, "pgcrypto", "primary", &now), (2, "pgcrypto", "enabled", &old)]);
    app.batch_execute("CALL cordon.encrypt_column('t', 'token', source => 'pgcrypto')").unwrap();
    app.batch_execute("CALL cordon.encrypt_column('t', 'armored', 'encrypted_text_eq', source => 'pgcrypto')").unwrap();
    let kinds = |client: &mut Client, column: &str| -> Vec<String> {
        problems(client, column).into_iter().map(|(kind, _)| kind).collect()
    };
    assert_eq!(kinds(&mut app, "token"), ["bytes", "garbage", "unknown"]);
    assert_eq!(kinds(&mut app, "armored"), ["garbage", "unknown"]);
    assert_refused(app.batch_execute("CALL cordon.finish_conversion('t', 'token')"), "55000", &["geheim", "horse"]);
    // A write by the application goes through the same way, and a failing one harms nothing.
    let rewrite = "UPDATE t SET token = pgp_sym_encrypt('geheim again', $1) WHERE kind = 'unknown'";
    tenant.execute(rewrite, &[&"correct horse"]).unwrap();
    tenant.execute(rewrite, &[&"who knows"]).unwrap();
    assert_eq!(kinds(&mut app, "token"), ["bytes", "garbage", "unknown"]);
    tenant.execute("UPDATE t SET token = NULL, armored = NULL WHERE kind NOT IN ('now', 'old')", &[]).unwrap();
    for column in ["token", "armored"] {
        app.batch_execute(&format!("CALL cordon.finish_conversion('t', '{column}')")).unwrap();
    }
    let text = |text: &str| Some(text.to_owned());
    for name in ["token", "armored"] {
        let values: Vec<_> = column(&mut tenant, name).into_iter().filter(|(_, value)| value.is_some()).collect();
        assert_eq!(values, [("now".to_owned(), text("geheim now ü")), ("old".to_owned(), text("geheim old"))]);
    }
    let log = cluster.log();
    let calls: String = log.lines().filter(|line| line.contains("cordon.")).collect();
    assert!(
        calls.contains("encrypt_column") && !calls.contains("horse") && !log.contains("WARNING:  stolen"),
        "{calls}"
    );
}
