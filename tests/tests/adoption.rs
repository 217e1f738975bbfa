//! A table of a million rows (CORDON_ADOPTION_ROWS) becomes encrypted, changes its keys and goes back, while eight writers write and the server
//! is killed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::env;

use cordon_tests::{Cluster, Database, Load, Settings, call_with_crashes};
use postgres::Client;

const TENANTS: i64 = 4;

/// A million rows in all, or what CORDON_ADOPTION_ROWS says.
fn rows_of_a_tenant() -> i32 {
    let rows: i64 = env::var("CORDON_ADOPTION_ROWS").map_or(1_000_000, |rows| rows.parse().expect("a number"));
    i32::try_from(rows / TENANTS).unwrap()
}

fn table(database: &Database<'_>, rows_of_a_tenant: i32) {
    let mut app = database.app();
    app.batch_execute(
        "CREATE TABLE account (team_id bigint NOT NULL, id int, version int NOT NULL DEFAULT 0, token text NOT NULL,
             updated_at int NOT NULL DEFAULT 0, PRIMARY KEY (team_id, id));
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN NEW.updated_at := NEW.version; RETURN NEW; END $$",
    )
    .unwrap();
    app.execute(
        "INSERT INTO account SELECT t, i, 0, 'token ' || i || ' v0', 0 FROM generate_series(1, $1) t, generate_series(1, $2) i",
        &[&i32::try_from(TENANTS).unwrap(), &rows_of_a_tenant],
    )
    .unwrap();
    app.batch_execute(
        "CREATE TRIGGER touch BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION touch();
         SELECT cordon.protect('account')",
    )
    .unwrap();
    let grant = "GRANT EXECUTE ON FUNCTION cordon.convert_on_write() TO app";
    database.superuser().batch_execute(grant).unwrap();
}

fn count(client: &mut Client, query: &str) -> i64 {
    client.query_one(query, &[]).unwrap().get(0)
}

#[test]
fn a_million_rows_are_adopted_rotated_and_given_back_under_load_and_crashes() {
    let cluster = Cluster::start(&Settings {
        configuration: "fsync = on\nsynchronous_commit = on\nmax_wal_size = '4GB'\nshared_buffers = '256MB'",
        ..Settings::default()
    });
    let database = cluster.database("d");
    table(&database, rows_of_a_tenant());
    let load = Load { database: &database, tenants: TENANTS, rows: rows_of_a_tenant() };
    let rotate = || {
        let mut dba = database.superuser();
        let old = count(&mut dba, "SELECT id FROM cordon.keyring WHERE purpose = 'encryption' AND status = 'primary'");
        dba.batch_execute("SELECT cordon.rotate_key('encryption')").unwrap();
        old
    };
    let written = load.during(|| {
        // Plaintext to sealed, undisturbed; the swap happens beneath the writers.
        let adopt = "CALL cordon.encrypt_column('account', 'token', pause => '1 ms')";
        let finish = "CALL cordon.finish_conversion('account', 'token')";
        call_with_crashes(&database, adopt, 0);
        call_with_crashes(&database, finish, 0);
        let old = rotate();
        call_with_crashes(&database, "CALL cordon.reencrypt('account', 'token', pause => '1 ms')", 0);
        let older = rotate();
        call_with_crashes(&database, "CALL cordon.reencrypt('account', 'token', pause => '1 ms')", 3);
        // And the way back and forth again, with crashes.
        call_with_crashes(&database, "CALL cordon.decrypt_column('account', 'token', pause => '1 ms')", 3);
        call_with_crashes(&database, finish, 0);
        call_with_crashes(&database, adopt, 3);
        call_with_crashes(&database, finish, 0);
        let mut dba = database.superuser();
        for key in [old, older] {
            dba.execute("SELECT cordon.disable_key($1)", &[&key]).unwrap();
        }
    });
    load.check(&written, "token::text");
    let mut app = database.app();
    let all = TENANTS * i64::from(rows_of_a_tenant());
    let usage = app.query("SELECT status, rows FROM cordon.key_usage('account', 'token')", &[]).unwrap();
    let usage: Vec<(String, i64)> = usage.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(usage, [("primary".to_owned(), all)]);
    assert_eq!(count(&mut app, "SELECT count(*) FROM cordon.verify_column('account', 'token')"), 0);
    // The trigger of the application fired for its own writes and for nothing else.
    let untouched = "SELECT count(*) FROM account WHERE updated_at <> version";
    assert_eq!(count(&mut database.superuser(), untouched), 0);
}

#[test]
fn a_column_with_three_indexes_and_a_key_is_converted_under_load() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    // Enough to be under way for a while.
    let rows = rows_of_a_tenant().min(50_000);
    table(&database, rows);
    let mut app = database.app();
    app.batch_execute(
        "CREATE INDEX account_token ON account (token); CREATE INDEX account_token_like ON account (token text_pattern_ops);
         CREATE INDEX account_latest ON account (updated_at DESC, token) WHERE token IS NOT NULL;
         ALTER TABLE account ADD CONSTRAINT account_token_key UNIQUE (team_id, token)",
    )
    .unwrap();
    let load = Load { database: &database, tenants: TENANTS, rows };
    let written = load.during(|| {
        call_with_crashes(&database, "CALL cordon.encrypt_column('account', 'token', 'encrypted_text_eq')", 0);
        let wanted = "SELECT substring(remedy FROM '^Make one like it: (.*); or drop it') FROM cordon_internal.conversion_obstacles(
            'account', 'token', 'token_sealed', cordon.sealed_type('encrypted_text_eq')) WHERE why IS NULL";
        let statements: Vec<String> = app.query(wanted, &[]).unwrap().iter().map(|row| row.get(0)).collect();
        assert_eq!(statements.len(), 3, "{statements:?}");
        for statement in statements {
            app.batch_execute(&statement).unwrap();
        }
        call_with_crashes(&database, "CALL cordon.finish_conversion('account', 'token', drop_dependents => true)", 0);
    });
    load.check(&written, "token::text");
    assert_eq!(count(&mut app, "SELECT count(*) FROM cordon.verify_column('account', 'token')"), 0);
    let names =
        "SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = 'account'::regclass AND i.indisvalid";
    let names: String = app.query_one(names, &[]).unwrap().get(0);
    assert_eq!(names, "account_latest account_pkey account_token account_token_key");
    let keys = "SELECT count(*) FROM pg_constraint WHERE conname = 'account_token_key' AND contype = 'u'";
    assert_eq!(count(&mut app, keys), 1);
}
