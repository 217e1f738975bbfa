//! PgBouncer in transaction mode, 200 clients over 10 server connections, half of which misbehave: no row of a wrong
//! tenant. With prepared statements that live as long as the client, and with Debian 12's PgBouncer, which knows nothing of
//! them, so that clients prepare within their transactions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use cordon_tests::{Cluster, Database, Settings, sqlstate};
use postgres::{Client, GenericClient, NoTls, SimpleQueryMessage, SimpleQueryRow, Statement};

const CLIENTS: u64 = 200;
const TENANTS: u64 = 20;

/// What a PgBouncer keeps for a client from one transaction to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Keeps {
    Nothing,
    Statements,
}

impl Keeps {
    fn program(self) -> String {
        match self {
            Self::Nothing => "/usr/sbin/pgbouncer".to_owned(),
            Self::Statements => env::var("CORDON_PGBOUNCER").expect("run these tests with make test"),
        }
    }
}

/// A client's prepared statements.
#[derive(Clone)]
struct Queries {
    set_tenant: Statement,
    read: Statement,
    update: Statement,
}

impl Queries {
    fn prepare(client: &mut impl GenericClient, table: &str) -> Result<Self, postgres::Error> {
        Ok(Self {
            set_tenant: client.prepare("SELECT cordon.set_tenant($1)")?,
            read: client.prepare(&format!("SELECT team_id::text, owner::text FROM {table}"))?,
            update: client.prepare(&format!("UPDATE {table} SET hits = hits + 1"))?,
        })
    }
}

fn read(client: &mut impl GenericClient, statement: &Statement) -> Result<Vec<(String, String)>, postgres::Error> {
    Ok(client.query(statement, &[])?.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// The same in one message, so that it comes through a pooler that keeps nothing outside of a transaction too.
fn read_at_once(client: &mut Client, table: &str) -> Result<Vec<(String, String)>, postgres::Error> {
    let messages = client.simple_query(&format!("SELECT team_id, owner::text FROM {table}"))?;
    let text = |row: &SimpleQueryRow, column| row.get(column).unwrap_or_default().to_owned();
    Ok(messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((text(row, 0), text(row, 1))),
            _ => None,
        })
        .collect())
}

/// A client with what it has prepared, where the pooler keeps that.
struct Connection {
    client: Client,
    kept: Option<Queries>,
}

/// A PgBouncer before a database, with its socket in a directory of its own.
struct Pooler {
    process: Child,
    directory: PathBuf,
}

impl Pooler {
    fn start(database: &Database<'_>, keeps: Keeps) -> Self {
        let cluster = database.cluster;
        let directory = cluster.directory().join(format!("pooler_{}", database.name));
        let run = |program: &str, argument: &Path| {
            assert!(cluster.server_command(program).arg(argument).status().unwrap().success(), "{program}");
        };
        run("mkdir", &directory);
        let configuration = directory.join("pgbouncer.ini");
        fs::write(
            &configuration,
            format!(
                "[databases]\nd = host={} dbname={} user=app\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n\
                 unix_socket_dir = {}\nauth_type = any\npool_mode = transaction\nmax_client_conn = 400\n\
                 default_pool_size = 10\nlogfile = {}\nlog_connections = 0\nlog_disconnections = 0\n\
                 ignore_startup_parameters = options\nserver_login_retry = 1\n{}",
                cluster.directory().display(),
                database.name,
                directory.display(),
                directory.join("log").display(),
                if keeps == Keeps::Statements { "max_prepared_statements = 100\n" } else { "" }
            ),
        )
        .unwrap();
        let process = cluster
            .server_command(&keeps.program())
            .args(["--quiet".as_ref(), configuration.as_os_str()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a PgBouncer");
        let pooler = Self { process, directory };
        for _ in 0..200 {
            if pooler.connect().is_ok() {
                return pooler;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("no pooler: {}", fs::read_to_string(pooler.directory.join("log")).unwrap_or_default());
    }

    fn connect(&self) -> Result<Client, postgres::Error> {
        let mut config = postgres::Config::new();
        config.host_path(&self.directory).port(6432).user("app").dbname("d");
        config.connect(NoTls)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the clients saw.
#[derive(Default)]
struct Seen {
    transactions: AtomicU64,
    misbehaved: AtomicU64,
    refused: AtomicU64,
    rows: AtomicU64,
    wrong: AtomicU64,
}

impl Seen {
    /// Notes the rows that were read as `tenant`, or as nobody, who is to see nothing.
    fn note(
        &self,
        rows: Result<Vec<(String, String)>, postgres::Error>,
        tenant: Option<u64>,
    ) -> Result<(), postgres::Error> {
        let rows = rows.inspect_err(|error| {
            if !error.is_closed() && sqlstate(error) == "42501" {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        })?;
        for (team, owner) in rows {
            let is_own = tenant.is_some_and(|tenant| team == tenant.to_string() && owner == format!("tenant {tenant}"));
            self.rows.fetch_add(1, Ordering::Relaxed);
            if !is_own {
                self.wrong.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// One transaction as it should be.
    fn behave(&self, connection: &mut Connection, table: &str, tenant: u64) -> Result<(), postgres::Error> {
        let mut transaction = connection.client.transaction()?;
        let queries = match &connection.kept {
            Some(queries) => queries.clone(),
            None => Queries::prepare(&mut transaction, table)?,
        };
        transaction.query_one(&queries.set_tenant, &[&tenant.to_string()])?;
        if let Err(error) = self.note(read(&mut transaction, &queries.read), Some(tenant)) {
            // PgBouncer may hand a cancellation on when the connection is somebody else's already.
            let is_excused = error.code().is_none() || ["57014", "57P01"].contains(&sqlstate(&error).as_str());
            assert!(is_excused, "a well-behaved client is refused: {error}");
            return Err(error);
        }
        transaction.execute(&queries.update, &[])?;
        self.transactions.fetch_add(1, Ordering::Relaxed);
        transaction.commit()
    }

    /// What pooled applications do wrong. True when the connection is not to be used again.
    fn misbehave(&self, connection: &mut Connection, table: &str, tenant: u64, how: u64) -> bool {
        self.misbehaved.fetch_add(1, Ordering::Relaxed);
        let (client, kept) = (&mut connection.client, connection.kept.as_ref());
        // Another connection of the pool at each statement, perhaps; with the tenant of another client.
        let read = |client: &mut Client, tenant| {
            let rows = match kept {
                Some(queries) => read(client, &queries.read),
                None => read_at_once(client, table),
            };
            self.note(rows, tenant)
        };
        match how % 5 {
            // A tenant for the session, which the connection keeps when it is given to somebody else.
            0 => {
                let _ = client.batch_execute(&format!("SET app.team_id = '{tenant}'"));
                true
            }
            1 => {
                let _ = client.batch_execute(&format!("SET app.team_id = '{tenant}'"));
                let _ = read(client, Some(tenant));
                false
            }
            // No tenant at all.
            2 => {
                let _ = read(client, None);
                false
            }
            // Cancelled in the middle, and gone without an end to the transaction.
            3 => {
                let cancel = client.cancel_token();
                let canceller = thread::spawn(move || {
                    thread::sleep(Duration::from_millis(5));
                    let _ = cancel.cancel_query(NoTls);
                });
                let sleep = format!(
                    "BEGIN; SELECT cordon.set_tenant('{tenant}'); SELECT pg_sleep(0.02), count(*) FROM {table}"
                );
                let _ = client.batch_execute(&sleep);
                canceller.join().unwrap();
                true
            }
            // An error in a transaction, and gone.
            _ => {
                let fail =
                    format!("BEGIN; SET LOCAL app.team_id = '{tenant}'; SET app.team_id = '{tenant}'; SELECT 1 / 0");
                client.batch_execute(&fail).is_err()
            }
        }
    }
}

/// The load, and what was seen of the table: for so many seconds, and on a busy machine up to a minute longer until it
/// `is_enough`.
fn load(database: &Database<'_>, keeps: Keeps, table: &str, seconds: u64, is_enough: impl Fn(&Seen) -> bool) -> Seen {
    // One load at a time: two leave each other little of the machine.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let pooler = Pooler::start(database, keeps);
    let (seen, stop) = (Seen::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (pooler, seen, stop) = (&pooler, &seen, &stop);
            scope.spawn(move || {
                let connect = || {
                    let mut client = pooler.connect()?;
                    let kept =
                        if keeps == Keeps::Statements { Some(Queries::prepare(&mut client, table)?) } else { None };
                    Ok::<_, postgres::Error>(Connection { client, kept })
                };
                let (mut client, mut round) = (None, number);
                while !stop.load(Ordering::Relaxed) {
                    round += 1;
                    let Some(connection) = client.as_mut() else {
                        client = connect().ok();
                        continue;
                    };
                    let tenant = (number * 7 + round) % TENANTS + 1;
                    let is_spent = if number % 2 == 0 {
                        seen.behave(connection, table, tenant).is_err()
                    } else {
                        seen.misbehave(connection, table, tenant, round / 2)
                    };
                    if is_spent {
                        client = None;
                    }
                }
            });
        }
        let start = Instant::now();
        let is_over = |seconds| start.elapsed() >= Duration::from_secs(seconds);
        while !is_over(seconds) || !is_over(seconds + 60) && !is_enough(&seen) {
            thread::sleep(Duration::from_millis(100));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let _ = writeln!(std::io::stderr(), "{} {keeps:?} {:?}", report(&seen), database.name);
    seen
}

fn cluster() -> Cluster {
    Cluster::start(&Settings { configuration: "max_connections = 40", ..Settings::default() })
}

fn set_up<'a>(cluster: &'a Cluster, name: &str, freeze: bool) -> Database<'a> {
    let database = cluster.database(name);
    let mut dba = database.superuser();
    dba.batch_execute(&format!(
        "ALTER DATABASE {name} SET cordon.tenant_scope = transaction; ALTER DATABASE {name} SET cordon.freeze_tenant = {freeze};
         CREATE TABLE account (team_id bigint NOT NULL, id int, owner encrypted_text, hits int DEFAULT 0, PRIMARY KEY (team_id, id));
         INSERT INTO account SELECT t, i, cordon.encrypt('tenant ' || t, t::text) FROM generate_series(1, {TENANTS}) t, generate_series(1, 3) i;
         SELECT cordon.protect('account');
         CREATE TABLE by_hand AS SELECT team_id, id, 'tenant ' || team_id AS owner, hits FROM account;
         ALTER TABLE by_hand ENABLE ROW LEVEL SECURITY;
         CREATE POLICY by_hand ON by_hand USING (team_id = nullif(current_setting('app.team_id', true), '')::bigint);
         GRANT ALL ON account, by_hand TO app"
    ))
    .unwrap();
    database
}

fn seconds() -> u64 {
    env::var("CORDON_POOLER_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(60)
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Whether well-behaved clients were served and the others did what they do.
fn is_busy(seen: &Seen, seconds: u64) -> bool {
    count(&seen.transactions) > 10 * seconds
        && count(&seen.misbehaved) > 10 * seconds
        && count(&seen.refused) > seconds / 10
}

fn report(seen: &Seen) -> String {
    format!(
        "{} transactions, {} misdeeds, {} refused, {} rows, {} of a wrong tenant",
        count(&seen.transactions),
        count(&seen.misbehaved),
        count(&seen.refused),
        count(&seen.rows),
        count(&seen.wrong)
    )
}

fn assert_held(seen: &Seen, seconds: u64) {
    let report = report(seen);
    assert_eq!(count(&seen.wrong), 0, "{report}");
    assert!(is_busy(seen, seconds), "{report}");
    assert!(count(&seen.rows) >= 3 * count(&seen.transactions), "{report}");
}

#[test]
fn no_row_of_a_wrong_tenant_comes_through_a_pooler() {
    let cluster = cluster();
    let quarter = seconds().div_ceil(4);
    for (name, keeps, freeze, seconds) in [
        ("prepared", Keeps::Statements, false, seconds()),
        ("unprepared", Keeps::Nothing, false, quarter),
        ("frozen", Keeps::Statements, true, quarter),
    ] {
        let seen = load(&set_up(&cluster, name, freeze), keeps, "account", seconds, |seen| is_busy(seen, seconds));
        assert_held(&seen, seconds);
    }
}

#[test]
fn policies_by_hand_and_a_session_set_leak_through_a_pooler() {
    let cluster = cluster();
    let is_wrong = |seen: &Seen| count(&seen.wrong) > 0;
    for (name, keeps) in [("prepared", Keeps::Statements), ("unprepared", Keeps::Nothing)] {
        let seen = load(&set_up(&cluster, name, false), keeps, "by_hand", 0, is_wrong);
        assert!(is_wrong(&seen), "the test above proves nothing: {}", report(&seen));
    }
}
