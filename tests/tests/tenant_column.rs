//! A table that belongs to tenants through another one gets a tenant column of its own while four writers write, who set no
//! tenant until it is protected, and while the server is killed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    env,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use cordon_tests::{Cluster, Database, Settings, assert_refused, call_with_crashes, shared_cluster, sqlstate};
use postgres::Client;

const TENANTS: i32 = 100;
const SITES: i32 = 10_000;
const WRITERS: i32 = 4;

/// A million rows, or what CORDON_ADOPTION_ROWS says.
fn rows() -> i32 {
    env::var("CORDON_ADOPTION_ROWS").map_or(1_000_000, |rows| rows.parse().expect("a number"))
}

fn count(client: &mut Client, query: &str) -> i64 {
    client.query_one(query, &[]).unwrap().get(0)
}

/// By id, the site that was acknowledged last; None for a row whose change was not answered.
type Written = HashMap<i64, Option<i32>>;

/// Inserts rows and moves them to other sites until it is told to stop. With a tenant, it writes to sites of that one.
fn write(database: &Database<'_>, number: i32, tenant: Option<i32>, first_id: i64, stop: &AtomicBool) -> Written {
    let options = tenant.map_or_else(String::new, |tenant| format!("-c app.team_id={tenant}"));
    let mut written = Written::new();
    let mut client = None;
    let mut random = u64::try_from(number + 1).unwrap();
    let mut next_id = first_id;
    while !stop.load(Ordering::Relaxed) {
        let Some(connection) = client.as_mut() else {
            client = database.cluster.connect_with("app", &database.name, &options).ok();
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let any = i32::try_from((random >> 33) % u64::try_from(SITES).unwrap()).unwrap();
        // Site s is of tenant s % TENANTS + 1.
        let site = tenant.map_or(any, |tenant| any / TENANTS * TENANTS + tenant - 1);
        let is_new = random % 3 != 0 || written.is_empty();
        let id = if is_new { next_id } else { next_id - 1 - i64::try_from(random % 7).unwrap() };
        let statement = match is_new {
            true => "INSERT INTO ping (id, site_id, body) VALUES ($1, $2, 'written')",
            false => "UPDATE ping SET site_id = $2 WHERE id = $1",
        };
        if !is_new && !written.contains_key(&id) {
            continue;
        }
        next_id += i64::from(is_new);
        match Client::execute(connection, statement, &[&id, &site]) {
            Ok(changed) => {
                assert!(changed == 1 || written.get(&id) == Some(&None), "row {id}");
                if changed == 1 {
                    written.insert(id, Some(site));
                }
            }
            Err(error) if error.is_closed() || error.code().is_none() || sqlstate(&error).starts_with("57P") => {
                written.insert(id, None);
                client = None;
            }
            Err(error) => panic!("a writer got {}: {error:?}", sqlstate(&error)),
        }
    }
    written
}

/// Calls `f` while the writers write; returns what they wrote.
fn during(database: &Database<'_>, has_tenant: bool, f: impl FnOnce()) -> Written {
    let first_id = count(&mut database.superuser(), "SELECT max(id) + 1 FROM ping");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let stop = &stop;
                let first_id = first_id + i64::from(number) * 10_000_000;
                scope.spawn(move || write(database, number, has_tenant.then_some(number + 1), first_id, stop))
            })
            .collect();
        // Whatever fails in here must stop the writers, or the scope would never end.
        let outcome = catch_unwind(AssertUnwindSafe(f));
        stop.store(true, Ordering::Relaxed);
        let written = writers.into_iter().flat_map(|writer| writer.join().expect("a writer")).collect();
        outcome.unwrap_or_else(|panic| resume_unwind(panic));
        written
    })
}

fn tables(database: &Database<'_>) {
    database
        .app()
        .batch_execute(&format!(
            "CREATE TABLE site (team_id bigint NOT NULL, id int PRIMARY KEY);
             INSERT INTO site SELECT i % {TENANTS} + 1, i FROM generate_series(0, {SITES} - 1) i;
             CREATE UNIQUE INDEX site_key ON site (team_id, id);
             CREATE TABLE ping (id bigint PRIMARY KEY, site_id int NOT NULL, body text, touched int NOT NULL DEFAULT 0);
             INSERT INTO ping SELECT i, i % {SITES}, 'ping ' || i FROM generate_series(1, {rows}) i;
             ALTER TABLE ping ADD FOREIGN KEY (site_id) REFERENCES site;
             CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.touched := OLD.touched + 1; RETURN NEW; END $$;
             CREATE TRIGGER touch BEFORE UPDATE ON ping FOR EACH ROW EXECUTE FUNCTION touch();
             SELECT cordon.protect('site')",
            rows = rows()
        ))
        .unwrap();
}

/// Asserts that what was acknowledged is there, each row with the tenant of its site.
fn check(database: &Database<'_>, written: &Written) {
    let mut dba = database.superuser();
    let wrong =
        "SELECT count(*) FROM ping p JOIN site s ON s.id = p.site_id WHERE p.team_id IS DISTINCT FROM s.team_id";
    assert_eq!(count(&mut dba, wrong), 0);
    let stored: HashMap<i64, i32> = dba
        .query("SELECT id, site_id FROM ping WHERE body = 'written'", &[])
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    for (id, site) in written {
        if let Some(site) = site {
            assert_eq!(stored.get(id), Some(site), "row {id}");
        }
    }
    assert!(written.len() > 100, "the writers wrote {} rows", written.len());
    assert_eq!(
        count(&mut dba, "SELECT count(*) FROM ping WHERE body <> 'written' AND touched > 0"),
        0,
        "nobody's trigger fired"
    );
    assert_eq!(count(&mut dba, "SELECT count(*) FROM ping WHERE body <> 'written'"), i64::from(rows()));
}

#[test]
fn a_million_rows_get_their_tenant_under_load_and_crashes() {
    let cluster = Cluster::start(&Settings {
        configuration: "fsync = on\nsynchronous_commit = on\nmax_wal_size = '4GB'\nshared_buffers = '256MB'",
        ..Settings::default()
    });
    let database = cluster.database("d");
    tables(&database);
    let add = "CALL cordon.add_tenant_column('ping', 'site_id')";
    let mut written = during(&database, false, || call_with_crashes(&database, add, 0));
    check(&database, &written);
    // From the beginning, and killed.
    database
        .app()
        .batch_execute("DROP TRIGGER zzz_cordon_fill_tenant ON ping; ALTER TABLE ping DROP COLUMN team_id")
        .unwrap();
    written.extend(during(&database, false, || call_with_crashes(&database, add, 3)));
    check(&database, &written);
    database.app().batch_execute("CREATE INDEX CONCURRENTLY ON ping (team_id, site_id)").unwrap();
    // The writers set a tenant by now, as they do to read the protected table.
    written.extend(during(&database, true, || {
        call_with_crashes(&database, "CALL cordon.add_tenant_column('ping', 'site_id', finish => true)", 2);
        thread::sleep(Duration::from_millis(200));
    }));
    check(&database, &written);
    let mut app = database.app();
    assert_refused(app.query("SELECT * FROM ping LIMIT 1", &[]), "42501", &[]);
    app.batch_execute("SET app.team_id = '7'").unwrap();
    let foreign = "SELECT count(*) FROM ping WHERE team_id <> 7 OR site_id % 100 <> 6";
    assert_eq!(count(&mut app, foreign), 0);
    assert!(count(&mut app, "SELECT count(*) FROM ping") > 0);
    let mut dba = database.superuser();
    let left = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'zzz%'";
    assert_eq!((count(&mut dba, left), count(&mut dba, "SELECT count(*) FROM cordon.rewriting")), (0, 0));
}

#[test]
fn a_table_without_a_right_to_the_other_ones_owner_learns_no_tenant() {
    let database = shared_cluster().database("rights_on_parent");
    let mut dba = database.superuser();
    dba.batch_execute(
        "CREATE ROLE owner_of_site; CREATE ROLE owner_of_ping LOGIN; GRANT CREATE ON SCHEMA public TO owner_of_ping;
         CREATE TABLE site (team_id bigint NOT NULL, id int PRIMARY KEY);
         INSERT INTO site VALUES (7, 1), (8, 2);
         SELECT cordon.protect('site');
         ALTER TABLE site OWNER TO owner_of_site;
         GRANT REFERENCES ON site TO owner_of_ping",
    )
    .unwrap();
    let mut owner = database.cluster.connect("owner_of_ping", &database.name);
    // The key is enough to refer to a row; to learn whose it is would be more.
    owner
        .batch_execute(
            "CREATE TABLE ping (id int, site_id int REFERENCES site, team_id bigint);
             INSERT INTO ping VALUES (1, 1)",
        )
        .unwrap();
    assert_refused(owner.batch_execute("CALL cordon.add_tenant_column('ping', 'site_id')"), "42501", &[]);
    // By hand as well, for the owner and for whoever else writes, also a superuser.
    owner
        .batch_execute(
            "DROP TRIGGER IF EXISTS zzz_cordon_fill_tenant ON ping;
             CREATE TRIGGER by_hand BEFORE INSERT OR UPDATE ON ping FOR EACH ROW
                 EXECUTE FUNCTION cordon.fill_tenant('team_id', 'team_id', 'site_id')",
        )
        .unwrap();
    for client in [&mut owner, &mut dba] {
        assert_refused(client.batch_execute("INSERT INTO ping VALUES (2, 2)"), "42501", &[]);
        assert_refused(client.query("SELECT * FROM cordon.tenant_problems('ping', 'team_id')", &[]), "42501", &[]);
    }
    // Nor a column that is none of a tenant, nor through a trigger that is called by hand.
    owner
        .batch_execute(
            "DROP TRIGGER by_hand ON ping; CREATE TABLE own (team_id bigint NOT NULL, id int PRIMARY KEY, at date);
             ALTER TABLE ping DROP CONSTRAINT ping_site_id_fkey, ADD FOREIGN KEY (site_id) REFERENCES own NOT VALID",
        )
        .unwrap();
    for (arguments, expected) in [
        ("'id', 'at', 'site_id'", "42804"),
        ("'team_id', 'at', 'site_id'", "42804"),
        ("'id', 'team_id', 'site_id'", "42804"),
        ("'team_id', 'team_id', 'id'", "42704"),
        ("'team_id', 'team_id', 'nothing'", "42703"),
        ("'team_id', 'nothing', 'site_id'", "42703"),
        ("'team_id', 'team_id'", "55000"),
        ("", "55000"),
    ] {
        owner
            .batch_execute(&format!(
                "CREATE TRIGGER by_hand BEFORE INSERT ON ping FOR EACH ROW EXECUTE FUNCTION cordon.fill_tenant({arguments})"
            ))
            .unwrap();
        let outcome = owner.batch_execute("INSERT INTO ping VALUES (2, 2)");
        let found = outcome.as_ref().err().map(sqlstate);
        assert_eq!(found.as_deref(), Some(expected), "{arguments}: {outcome:?}");
        owner.batch_execute("DROP TRIGGER by_hand ON ping").unwrap();
    }
    for events in [
        "AFTER INSERT ON ping FOR EACH ROW",
        "BEFORE INSERT ON ping FOR EACH STATEMENT",
        "BEFORE DELETE ON ping FOR EACH ROW",
    ] {
        owner
            .batch_execute(&format!(
                "ALTER TABLE own ADD COLUMN IF NOT EXISTS x int; INSERT INTO own VALUES (7, 2) ON CONFLICT DO NOTHING;
                 CREATE TRIGGER by_hand {events} EXECUTE FUNCTION cordon.fill_tenant('team_id', 'team_id', 'site_id')"
            ))
            .unwrap();
        let outcome = owner.batch_execute("INSERT INTO ping VALUES (2, 2); DELETE FROM ping");
        assert_refused(outcome, "39P01", &[]);
        owner.batch_execute("DROP TRIGGER by_hand ON ping").unwrap();
    }
    assert_refused(owner.batch_execute("SELECT cordon.fill_tenant()"), "39P01", &[]);
}
