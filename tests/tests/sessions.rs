//! Sessions: the tenant on pooled connections, prepared statements of drivers, and rotation under load.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use cordon_tests::{Cluster, Settings, assert_refused, shared_cluster, sqlstate, whole_error};

#[test]
fn a_prepared_statement_of_a_driver_serves_every_tenant() {
    let database = shared_cluster().database("prepared");
    let mut client = database.app();
    client.batch_execute("CREATE TABLE t (team_id text, token encrypted_text)").unwrap();
    // Parsed once, with the tenant that is set first; its literal is sealed at each execution.
    client.batch_execute("SET app.team_id = '1'").unwrap();
    let literal = client.prepare("INSERT INTO t VALUES ($1, 'a literal')").unwrap();
    let parameter = client.prepare("INSERT INTO t VALUES ($1, $2::text)").unwrap();
    let read = client.prepare("SELECT token::text FROM t WHERE team_id = $1").unwrap();
    for tenant in 1..=20 {
        let tenant = tenant.to_string();
        let mut transaction = client.transaction().unwrap();
        transaction.query("SELECT cordon.set_tenant($1)", &[&tenant]).unwrap();
        transaction.execute(&literal, &[&tenant]).unwrap();
        transaction.execute(&parameter, &[&tenant, &format!("secret of {tenant}")]).unwrap();
        transaction.commit().unwrap();
    }
    for tenant in 1..=20 {
        let tenant = tenant.to_string();
        let mut transaction = client.transaction().unwrap();
        transaction.query("SELECT cordon.set_tenant($1)", &[&tenant]).unwrap();
        let rows = transaction.query(&read, &[&tenant]).unwrap();
        let found: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(found, ["a literal", &format!("secret of {tenant}")]);
    }
    // After the transaction the connection has the tenant of the session again.
    assert_refused(client.query(&read, &[&"2"]), "42501", &["secret of"]);
}

#[test]
fn the_tenant_can_be_given_when_connecting() {
    let database = shared_cluster().database("connecting");
    for (options, tenant) in [("-c app.team_id=7", Some("7")), ("-c app.team_id=", None), ("", None)] {
        let mut client = database.cluster.connect_with("app", &database.name, options).unwrap();
        let row = client.query_one("SELECT cordon.current_tenant()", &[]).unwrap();
        assert_eq!(row.get::<_, Option<&str>>(0), tenant);
    }
    let refused = database.cluster.connect_with("app", &database.name, "-c app.team_id=007");
    assert_eq!(refused.map(|_| ()).map_err(|error| sqlstate(&error)), Err("22023".to_owned()));
}

#[test]
fn without_preload_a_tenant_set_before_the_library_is_loaded_counts() {
    let cluster = Cluster::start(&Settings { preload: false, ..Settings::default() });
    let database = cluster.database("d");
    database.tenant("7").batch_execute("CREATE TABLE t (token encrypted_text); INSERT INTO t VALUES ('x')").unwrap();
    let mut client = database.app();
    client.batch_execute("BEGIN; SET LOCAL app.team_id = '7'").unwrap();
    assert_eq!(client.query_one("SELECT token::text FROM t", &[]).unwrap().get::<_, &str>(0), "x");
    client.batch_execute("COMMIT").unwrap();
    assert_refused(client.query("SELECT token::text FROM t", &[]), "42501", &[]);
    // A spelling that is refused counts as none when the library finds it there.
    let mut client = database.app();
    client.batch_execute("SET app.team_id = '007'").unwrap();
    assert_refused(client.query("SELECT token::text FROM t", &[]), "42501", &[]);
    // The attack: an ordinary role takes a setting for superusers before there is anybody to refuse it.
    let mut client = database.app();
    client.batch_execute("SET cordon.text_form = 'stored'; SET app.team_id = '7'").unwrap();
    assert_eq!(client.query_one("SELECT token::text FROM t", &[]).unwrap().get::<_, &str>(0), "x");
    // The literal rule holds for the first statement of a session, too.
    let mut client = database.app();
    client.batch_execute("SET app.team_id = '8'; PREPARE p AS INSERT INTO t VALUES ('first')").unwrap();
    client.batch_execute("SET app.team_id = '9'; DELETE FROM t; EXECUTE p").unwrap();
    assert_eq!(client.query_one("SELECT token::text FROM t", &[]).unwrap().get::<_, &str>(0), "first");
}

#[test]
fn the_setting_can_have_another_name() {
    let configuration = "cordon.tenant_setting = 'myapp.current_org'";
    let cluster = Cluster::start(&Settings { configuration, ..Settings::default() });
    let database = cluster.database("d");
    let mut client = database.app();
    client.batch_execute("CREATE TABLE t (token encrypted_text); SET app.team_id = '7'").unwrap();
    let outcome = client.batch_execute("INSERT INTO t VALUES ('x')");
    assert!(whole_error(outcome.as_ref().unwrap_err()).contains("SET LOCAL myapp.current_org"));
    assert_refused(outcome, "42501", &[]);
    client.batch_execute("SET myapp.current_org = '7'; INSERT INTO t VALUES ('x')").unwrap();
    assert_refused(client.batch_execute("SET myapp.current_org = '07'"), "22023", &[]);
    let row = client.query_one("SELECT token::text, cordon.set_tenant('8') FROM t", &[]).unwrap();
    assert_eq!((row.get(0), row.get(1)), ("x", "8"));
}

#[test]
fn rotation_while_four_sessions_write_loses_nothing() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    database
        .superuser()
        .batch_execute("CREATE TABLE t (team_id text, n int, token encrypted_text); GRANT ALL ON t TO app")
        .unwrap();
    let stop = AtomicBool::new(false);
    let written: Vec<i32> = thread::scope(|scope| {
        let writers: Vec<_> = (1..=4)
            .map(|tenant| {
                let (database, stop) = (&database, &stop);
                scope.spawn(move || {
                    let tenant = tenant.to_string();
                    let mut client = database.tenant(&tenant);
                    let insert = client.prepare("INSERT INTO t VALUES ($1, $2, $3::text)").unwrap();
                    let mut n = 0;
                    while !stop.load(Ordering::Relaxed) {
                        n += 1;
                        client.execute(&insert, &[&tenant, &n, &format!("{tenant}/{n}")]).unwrap();
                        let read = "SELECT token::text FROM t WHERE team_id = $1 AND n = $2";
                        let row = client.query_one(read, &[&tenant, &(n / 2 + 1)]).unwrap();
                        assert_eq!(row.get::<_, String>(0), format!("{tenant}/{}", n / 2 + 1));
                    }
                    n
                })
            })
            .collect();
        let mut superuser = database.superuser();
        for _ in 0..10 {
            superuser.batch_execute("SELECT cordon.rotate_key('encryption'), pg_sleep(0.2)").unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let mut superuser = database.superuser();
    for (tenant, n) in (1..=4).zip(written) {
        superuser.execute("SELECT set_config('app.team_id', $1, false)", &[&tenant.to_string()]).unwrap();
        let opened = "SELECT count(*) FROM t WHERE team_id = $1 AND token::text = team_id || '/' || n";
        let count: i64 = superuser.query_one(opened, &[&tenant.to_string()]).unwrap().get(0);
        assert_eq!(count, i64::from(n), "tenant {tenant}");
    }
    let keys: i64 = superuser.query_one("SELECT count(DISTINCT cordon.key_id(token)) FROM t", &[]).unwrap().get(0);
    assert!(keys > 5, "values under {keys} of 11 keys");
    // A second rotation at the same moment is told to try again, and neither spoils the file.
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = database.superuser();
                for _ in 0..10 {
                    match client.batch_execute("SELECT cordon.rotate_key('token')") {
                        Ok(()) => {}
                        Err(error) => assert_eq!(sqlstate(&error), "55P03"),
                    }
                }
            });
        }
    });
    superuser.query("SELECT * FROM cordon.keyring", &[]).unwrap();
}

#[test]
fn a_crash_in_the_middle_of_writing_leaves_whole_values() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    database.app().batch_execute("CREATE TABLE t (n int, token encrypted_text)").unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = database.tenant("7");
            for n in 0i32.. {
                if client.execute("INSERT INTO t VALUES ($1, $2::text)", &[&n, &format!("token {n}")]).is_err() {
                    break;
                }
            }
        });
        let mut reader = database.superuser();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while reader.query_one("SELECT count(*) FROM t", &[]).unwrap().get::<_, i64>(0) < 100 {
            assert!(std::time::Instant::now() < deadline, "nothing is written");
            thread::sleep(std::time::Duration::from_millis(5));
        }
        cluster.crash_and_restart();
    });
    let mut client = database.tenant("7");
    let row =
        client.query_one("SELECT count(*), count(*) FILTER (WHERE token::text = 'token ' || n) FROM t", &[]).unwrap();
    let (rows, opened): (i64, i64) = (row.get(0), row.get(1));
    assert!(rows > 0);
    assert_eq!(rows, opened);
}

/// A literal in an SQL function that another's body calls, or a default of an argument or of a column: the first time in a session
/// as the second.
#[test]
fn functions_with_literals_run_the_first_time_wherever_they_are_called() {
    let database = shared_cluster().database("first_time");
    database
        .tenant("7")
        .batch_execute(
            "CREATE FUNCTION g() RETURNS encrypted_text LANGUAGE sql STABLE AS $$ SELECT 'literal'::encrypted_text $$;
             CREATE FUNCTION outer_g() RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT g()::text; END;
             CREATE FUNCTION f(x text DEFAULT g()::text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN x; END $$;
             CREATE TABLE d (id int, token encrypted_text DEFAULT g())",
        )
        .unwrap();
    for query in ["SELECT outer_g()", "SELECT f()", "SELECT g()::text"] {
        for tenant in ["7", "8"] {
            let mut client = database.tenant(tenant);
            for _ in 0..3 {
                assert_eq!(client.query_one(query, &[]).unwrap().get::<_, &str>(0), "literal", "{query}");
            }
        }
    }
    for tenant in ["7", "8"] {
        let mut client = database.tenant(tenant);
        for _ in 0..2 {
            let mut copy = client.copy_in("COPY d (id) FROM STDIN").unwrap();
            std::io::Write::write_all(&mut copy, b"1\n2\n").unwrap();
            copy.finish().unwrap();
        }
        let mut rows = client.query("SELECT token::text FROM d", &[]).unwrap();
        assert_eq!(rows.len(), 4);
        assert!(rows.drain(..).all(|row| row.get::<_, &str>(0) == "literal"));
        client.batch_execute("DELETE FROM d").unwrap();
    }
    // A query that COPY writes out is planned as it is without COPY: the function is put in, and the index used.
    let mut client = database.tenant("7");
    client
        .batch_execute(
            "CREATE TABLE many (id int PRIMARY KEY); INSERT INTO many SELECT generate_series(1, 1000);
             CREATE FUNCTION few() RETURNS SETOF many LANGUAGE sql STABLE AS 'SELECT * FROM many'; ANALYZE many",
        )
        .unwrap();
    let scans = "SELECT pg_stat_get_xact_numscans('many_pkey'::regclass)";
    client.batch_execute("BEGIN").unwrap();
    let before: i64 = client.query_one(scans, &[]).unwrap().get(0);
    let mut out = String::new();
    let mut copy = client.copy_out("COPY (SELECT * FROM few() WHERE id = 7) TO STDOUT").unwrap();
    std::io::Read::read_to_string(&mut copy, &mut out).unwrap();
    drop(copy);
    assert_eq!(out, "7\n");
    assert_eq!(client.query_one(scans, &[]).unwrap().get::<_, i64>(0), before + 1);
}
