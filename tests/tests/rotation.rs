//! Values move to a new key while the table is in use, and whatever happens meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use cordon_tests::{Cluster, Database, Load, Settings, assert_refused, call_with_crashes, sqlstate};
use postgres::Client;

const TENANTS: i64 = 4;

/// A protected table of `app`'s with values of several tenants, plain and with equality, and a trigger that notes updates.
fn table(database: &Database<'_>, rows: i32) {
    let mut app = database.app();
    app.batch_execute(
        "CREATE TABLE account (team_id bigint NOT NULL, id int, version int NOT NULL DEFAULT 0, token encrypted_text,
             mail encrypted_text_eq, note shared_encrypted_text, updated_at int DEFAULT 0,
             PRIMARY KEY (team_id, id), UNIQUE (team_id, mail));
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN NEW.updated_at := OLD.updated_at + 1; RETURN NEW; END $$;
         CREATE TRIGGER touch BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION touch();
         SELECT cordon.protect('account')",
    )
    .unwrap();
    for tenant in 1..=TENANTS {
        database
            .tenant(&tenant.to_string())
            .execute(
                "INSERT INTO account (id, token, mail, note)
                 SELECT i, 'token ' || i || ' v0', 'mail' || i || '@x', 'note' FROM generate_series(1, $1) i",
                &[&rows],
            )
            .unwrap();
    }
}

fn rotate(database: &Database<'_>, purpose: &str) -> i64 {
    let mut dba = database.superuser();
    let old = format!("SELECT id FROM cordon.keyring WHERE purpose = '{purpose}' AND status = 'primary'");
    let old = dba.query_one(&old, &[]).unwrap().get(0);
    dba.query("SELECT cordon.rotate_key($1)", &[&purpose]).unwrap();
    old
}

/// Rows of a column that are not under primary keys.
fn outdated(client: &mut Client, column: &str) -> i64 {
    let query = "SELECT coalesce(sum(rows), 0)::bigint FROM cordon.key_usage('account', $1::text::name) WHERE status <> 'primary'";
    client.query_one(query, &[&column]).unwrap().get(0)
}

fn failing(client: &mut Client, column: &str) -> i64 {
    client.query_one("SELECT count(*) FROM cordon.verify_column('account', $1::text::name)", &[&column]).unwrap().get(0)
}

#[test]
fn every_column_moves_to_the_new_keys_and_the_old_one_can_be_disabled() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    table(&database, 500);
    let (old, old_search) = (rotate(&database, "encryption"), rotate(&database, "search"));
    let (mut app, mut dba) = (database.app(), database.superuser());
    cluster.reload(&mut app);
    cluster.reload(&mut dba);
    assert_eq!(outdated(&mut app, "token"), 500 * TENANTS);
    let refused = dba.execute("SELECT cordon.disable_key($1)", &[&old]);
    assert_refused(refused, "2BP01", &[]);
    assert_refused(dba.execute("SELECT cordon.disable_key($1)", &[&old_search]), "2BP01", &[]);
    for column in ["token", "mail", "note"] {
        app.batch_execute(&format!("CALL cordon.reencrypt('account', '{column}', batch_size => 100)")).unwrap();
        assert_eq!(outdated(&mut app, column), 0, "{column}");
        assert_eq!(failing(&mut app, column), 0, "{column}");
    }
    let touched: i64 = dba.query_one("SELECT count(*) FROM account WHERE updated_at > 0", &[]).unwrap().get(0);
    assert_eq!(touched, 0, "a trigger fired");
    for key in [old, old_search] {
        dba.execute("SELECT cordon.disable_key($1)", &[&key]).unwrap();
    }
    let mut tenant = database.tenant("3");
    let row = tenant.query_one("SELECT id, token::text FROM account WHERE mail = $1::text", &[&"mail7@x"]).unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, String>(1)), (7, "token 7 v0".into()));
    let twice = tenant.execute("INSERT INTO account (id, mail) VALUES (900, 'mail7@x')", &[]).unwrap_err();
    assert_eq!(sqlstate(&twice), "23505");
}

#[test]
fn a_forced_disable_is_a_decision() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    table(&database, 5);
    let old = rotate(&database, "encryption");
    let mut dba = database.superuser();
    dba.execute("SELECT cordon.disable_key($1, force => true)", &[&old]).unwrap();
    let mut tenant = database.tenant("1");
    assert_refused(tenant.query("SELECT token::text FROM account", &[]), "55000", &["token"]);
    assert_eq!(failing(&mut dba, "token"), 5 * TENANTS);
    assert_refused(dba.batch_execute("CALL cordon.reencrypt('account', 'token')"), "55000", &["token"]);
}

#[test]
fn partitions_and_tables_without_a_primary_key_are_rewritten() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    let mut app = database.app();
    app.batch_execute(
        "CREATE TABLE account (team_id bigint NOT NULL, token encrypted_text) PARTITION BY HASH (team_id);
         CREATE TABLE account_0 PARTITION OF account FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE account_1 PARTITION OF account FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         SELECT cordon.protect('account')",
    )
    .unwrap();
    for tenant in ["1", "2", "3"] {
        database
            .tenant(tenant)
            .execute("INSERT INTO account (token) SELECT 'x' FROM generate_series(1, 100)", &[])
            .unwrap();
    }
    rotate(&database, "encryption");
    cluster.reload(&mut app);
    app.batch_execute("CALL cordon.reencrypt('account', 'token')").unwrap();
    assert_eq!((outdated(&mut app, "token"), failing(&mut app, "token")), (0, 0));
}

#[test]
fn what_an_owner_planted_in_a_table_does_not_run_with_a_superusers_rights() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    table(&database, 5);
    let mut app = database.app();
    app.batch_execute(
        "CREATE TABLE spoils (who name, is_superuser boolean);
         CREATE FUNCTION plant(encrypted_text) RETURNS int LANGUAGE plpgsql AS $$
             BEGIN INSERT INTO public.spoils SELECT current_user, usesuper FROM pg_user WHERE usename = current_user; RETURN 1; END $$;
         ALTER TABLE account ADD CHECK (plant(token) = 1); TRUNCATE spoils",
    )
    .unwrap();
    rotate(&database, "encryption");
    let mut dba = database.superuser();
    dba.batch_execute("CALL cordon.reencrypt('account', 'token')").unwrap();
    let row = dba.query_one("SELECT count(*), bool_or(is_superuser), min(who::text) FROM spoils", &[]).unwrap();
    assert!(row.get::<_, i64>(0) > 0, "the planted code runs");
    assert_eq!((row.get::<_, bool>(1), row.get::<_, &str>(2)), (false, "app"));
}

/// Eight writers beside a rewrite, during which the server is killed so many times.
fn rewrite_under_load(crashes: u32) {
    let settings = Settings { configuration: "fsync = on\nsynchronous_commit = on", ..Settings::default() };
    let cluster = Cluster::start(&settings);
    let database = cluster.database("d");
    table(&database, 10_000);
    rotate(&database, "encryption");
    let load = Load { database: &database, tenants: TENANTS, rows: 10_000 };
    let written = load.during(|| {
        let call = "CALL cordon.reencrypt('account', 'token', batch_size => 500, pause => '5 ms')";
        call_with_crashes(&database, call, crashes);
        let mut app = database.app();
        while outdated(&mut app, "token") > 0 {
            app.batch_execute("CALL cordon.reencrypt('account', 'token')").unwrap();
        }
    });
    load.check(&written, "token::text");
    let mut app = database.app();
    assert_eq!((outdated(&mut app, "token"), failing(&mut app, "token")), (0, 0));
}

#[test]
fn no_acknowledged_write_is_lost_beside_a_rewrite() {
    rewrite_under_load(0);
}

#[test]
fn no_acknowledged_write_is_lost_when_the_server_is_killed_three_times() {
    rewrite_under_load(3);
}

/// Whoever holds a row back in an open transaction must not find it locked away.
#[test]
fn a_key_is_disabled_when_those_have_ended_who_wrote_under_it() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    let mut dba = database.superuser();
    dba.batch_execute("CREATE TABLE t (team_id bigint, token encrypted_text); GRANT ALL ON t TO app").unwrap();
    let mut writer = database.tenant("7");
    writer.batch_execute("BEGIN; INSERT INTO t VALUES (7, 'in flight')").unwrap();
    let old: i64 = dba.query_one("SELECT id FROM cordon.keyring WHERE purpose = 'encryption'", &[]).unwrap().get(0);
    dba.batch_execute("SELECT cordon.rotate_key('encryption')").unwrap();
    let pid: i32 = dba.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let disabling = std::thread::spawn(move || dba.query("SELECT cordon.disable_key($1)", &[&old]).map(|_| ()));
    let mut watcher = database.superuser();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let waits = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $1";
    while watcher.query_one(waits, &[&pid]).unwrap().get::<_, Option<bool>>(0) != Some(true) {
        assert!(std::time::Instant::now() < deadline && !disabling.is_finished(), "it does not wait");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // Others write meanwhile, under the new key.
    database.tenant("7").batch_execute("INSERT INTO t VALUES (7, 'later')").unwrap();
    writer.batch_execute("COMMIT").unwrap();
    assert_eq!(sqlstate(&disabling.join().unwrap().unwrap_err()), "2BP01");
    assert_eq!(writer.query_one("SELECT count(token::text) FROM t", &[]).unwrap().get::<_, i64>(0), 2);
}

/// A statement that runs for hours is told of the first reload of the server, and of no other.
#[test]
fn a_long_statement_seals_under_the_newest_of_several_keys() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    let mut dba = database.superuser();
    dba.batch_execute("CREATE TABLE newest (step int, key bigint); CREATE TABLE sealed (key bigint)").unwrap();
    let mut writer = database.superuser();
    let writing = std::thread::spawn(move || {
        writer.batch_execute(
            "DO $$ DECLARE v shared_encrypted_text := 's'::text::shared_encrypted_text; BEGIN
                 FOR step_number IN 1..2 LOOP
                     FOR i IN 1..20000 LOOP
                         v := 's'::text::shared_encrypted_text;
                         EXIT WHEN cordon.key_id(v) = (SELECT n.key FROM newest n WHERE n.step = step_number);
                         PERFORM pg_sleep(0.001);
                     END LOOP;
                     PERFORM pg_advisory_lock(4711 + step_number);
                 END LOOP;
                 INSERT INTO sealed VALUES (cordon.key_id(v));
             END $$",
        )
    });
    let mut newest = 0;
    for step in [1, 2] {
        newest = dba.query_one("SELECT cordon.rotate_key('encryption')", &[]).unwrap().get::<_, i64>(0);
        dba.execute("INSERT INTO newest VALUES ($1, $2)", &[&step, &newest]).unwrap();
        let has_noticed = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 + $1::int)";
        while !writing.is_finished() && !dba.query_one(has_noticed, &[&step]).unwrap().get::<_, bool>(0) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    writing.join().unwrap().unwrap();
    assert_eq!(dba.query_one("SELECT key FROM sealed", &[]).unwrap().get::<_, i64>(0), newest);
}

/// Equal values must stay equal on both sides of a foreign key.
#[test]
fn a_column_of_a_foreign_key_is_not_sealed_under_another_search_key() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    let mut dba = database.superuser();
    dba.batch_execute(
        "CREATE TABLE par (k shared_encrypted_text_eq PRIMARY KEY); CREATE TABLE chi (k shared_encrypted_text_eq REFERENCES par);
         INSERT INTO par VALUES ('a'::text::shared_encrypted_text_eq); INSERT INTO chi VALUES ('a'::text::shared_encrypted_text_eq)",
    )
    .unwrap();
    // Under another encryption key alone they may be.
    dba.batch_execute("SELECT cordon.rotate_key('encryption')").unwrap();
    for table in ["par", "chi"] {
        dba.batch_execute(&format!("CALL cordon.reencrypt('{table}', 'k')")).unwrap();
    }
    dba.batch_execute("SELECT cordon.rotate_key('search')").unwrap();
    for table in ["par", "chi"] {
        assert_refused(dba.batch_execute(&format!("CALL cordon.reencrypt('{table}', 'k')")), "55000", &[]);
    }
    assert_eq!(sqlstate(&dba.batch_execute("DELETE FROM par").unwrap_err()), "23503");
    for step in [
        "ALTER TABLE chi DROP CONSTRAINT chi_k_fkey",
        "CALL cordon.reencrypt('par', 'k')",
        "CALL cordon.reencrypt('chi', 'k')",
        "ALTER TABLE chi ADD FOREIGN KEY (k) REFERENCES par",
    ] {
        dba.batch_execute(step).unwrap();
    }
}
