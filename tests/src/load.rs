//! Writers that go on whatever is done to their table, and remember what was acknowledged.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use postgres::Client;

use crate::{Database, sqlstate};

/// Two writers for each tenant of the table `account (team_id, id, version, token)`, whose rows 1 to `rows` are there.
#[derive(Clone, Copy)]
pub struct Load<'a> {
    /// Where the table is.
    pub database: &'a Database<'a>,
    /// Tenants 1 to that.
    pub tenants: i64,
    /// Rows of each tenant; an even number.
    pub rows: i32,
}

/// By tenant and id, the version that was acknowledged last.
pub type Written = Vec<(i64, HashMap<i32, i32>)>;

impl Load<'_> {
    /// Calls `f` while the writers write: `UPDATE account SET version = …, token = 'token <id> v<version>'`. Returns what
    /// they wrote.
    ///
    /// # Panics
    /// When a writer gets an error other than a lost connection, or `f` panics.
    pub fn during(&self, f: impl FnOnce()) -> Written {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let writers: Vec<_> = (0..self.tenants * 2)
                .map(|number| {
                    let (tenant, parity) = (number / 2 + 1, i32::try_from(number % 2).unwrap());
                    (
                        tenant,
                        scope.spawn({
                            let stop = &stop;
                            move || self.write(tenant, parity, stop)
                        }),
                    )
                })
                .collect();
            // Whatever fails in here must stop the writers, or the scope would never end.
            let outcome = catch_unwind(AssertUnwindSafe(f));
            stop.store(true, Ordering::Relaxed);
            let written =
                writers.into_iter().map(|(tenant, writer)| (tenant, writer.join().expect("a writer"))).collect();
            outcome.unwrap_or_else(|panic| resume_unwind(panic));
            written
        })
    }

    /// Asserts that every acknowledged write is there, in the column or expression `token`.
    ///
    /// # Panics
    /// When one is not.
    pub fn check(&self, written: &Written, token: &str) {
        let mut total = 0;
        for (tenant, rows) in written {
            let mut client = self.database.tenant(&tenant.to_string());
            let stored: HashMap<i32, (i32, String)> = client
                .query(&format!("SELECT id, version, {token} FROM account"), &[])
                .unwrap()
                .iter()
                .map(|row| (row.get(0), (row.get(1), row.get(2))))
                .collect();
            for (id, version) in rows {
                let (found, token) = &stored[id];
                // A crash may lose the answer to a write that was made.
                assert!(
                    *found == *version || *found == version + 1,
                    "row {id} of tenant {tenant}: {found}, acknowledged was {version}"
                );
                assert_eq!(*token, format!("token {id} v{found}"), "row {id} of tenant {tenant}");
                total += 1;
            }
        }
        assert!(total > 100, "the writers wrote {total} rows");
    }

    /// Each writer has rows of its own, so that it knows their versions: those of its parity.
    fn write(&self, tenant: i64, parity: i32, stop: &AtomicBool) -> HashMap<i32, i32> {
        let mut acknowledged = HashMap::new();
        let mut random = u64::try_from(tenant * 2).unwrap() + u64::try_from(parity).unwrap();
        let options = format!("-c app.team_id={tenant}");
        let connect = || self.database.cluster.connect_with("app", &self.database.name, &options);
        let mut client = None;
        while !stop.load(Ordering::Relaxed) {
            let Some(connection) = client.as_mut() else {
                client = connect().ok();
                thread::sleep(Duration::from_millis(10));
                continue;
            };
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id = i32::try_from((random >> 33) % u64::try_from(self.rows / 2).unwrap()).unwrap() * 2 + parity + 1;
            let version = acknowledged.get(&id).unwrap_or(&0) + 1;
            let outcome = Client::execute(
                connection,
                "UPDATE account SET version = $2, token = 'token ' || id || ' v' || $2::int WHERE id = $1",
                &[&id, &version],
            );
            match outcome {
                Ok(changed) => {
                    assert_eq!(changed, 1, "row {id} of tenant {tenant}");
                    acknowledged.insert(id, version);
                }
                Err(error) if is_lost_connection(&error) => client = None,
                Err(error) => panic!("a writer got {}: {error}", sqlstate(&error)),
            }
        }
        acknowledged
    }
}

/// Runs a statement as the ordinary role, again and again until it succeeds; the first `crashes` times the server is
/// killed meanwhile.
///
/// # Panics
/// When it fails for another reason, or does not end.
pub fn call_with_crashes(database: &Database<'_>, call: &str, crashes: u32) {
    let deadline = Instant::now() + Duration::from_secs(300);
    for attempt in 0.. {
        assert!(Instant::now() < deadline, "it does not end: {call}");
        let outcome = thread::scope(|scope| {
            let call = scope.spawn(|| {
                let mut app = database.cluster.connect_with("app", &database.name, "")?;
                app.batch_execute(call)
            });
            if attempt < crashes {
                thread::sleep(Duration::from_millis(150 + 400 * u64::from(attempt)));
                database.cluster.crash_and_restart();
            }
            call.join().expect("no panic")
        });
        match outcome {
            Ok(()) => return,
            Err(error) if is_lost_connection(&error) => {}
            Err(error) => panic!("{}: {error}", sqlstate(&error)),
        }
    }
}

fn is_lost_connection(error: &postgres::Error) -> bool {
    error.is_closed() || error.code().is_none() || sqlstate(error).starts_with("57P")
}
