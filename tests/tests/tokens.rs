//! The token store under races, in dumps and in the log; and docs/TOKENS.md, which is run as it stands.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::HashSet,
    fs,
    sync::{Barrier, Mutex},
    thread,
    time::{Duration, Instant},
};

use cordon_tests::{Cluster, Database, Settings, assert_refused, shared_cluster, source};
use postgres::Client;

const GRANT: &str = "GRANT EXECUTE ON FUNCTION cordon.issue_token, cordon.consume_token, cordon.check_token,
    cordon.rotate_token, cordon.revoke_token, cordon.revoke_tokens TO app";
const ISSUE: &str = "SELECT cordon.issue_token('refresh', $1, '1 hour')";
const CONSUME: &str = "SELECT cordon.consume_token('refresh', $1)";
const CHECK: &str = "SELECT cordon.check_token('refresh', $1)";
const ROTATE: &str = "SELECT cordon.rotate_token('refresh', $1)";

/// A database in which `app` may use the store.
fn with_store<'a>(cluster: &'a Cluster, name: &str) -> Database<'a> {
    let database = cluster.database(name);
    database.superuser().batch_execute(GRANT).unwrap();
    database
}

/// What a function of the store returns for a token, or for a subject.
fn ask(client: &mut Client, query: &str, argument: &str) -> Option<String> {
    client.query_one(query, &[&argument]).unwrap().get(0)
}

fn issue(client: &mut Client, subject: &str) -> String {
    ask(client, ISSUE, subject).expect("a token")
}

fn count(client: &mut Client, condition: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM cordon.token t WHERE {condition}"), &[]).unwrap().get(0)
}

const LIVE: &str =
    "used_at IS NULL AND revoked_at IS NULL AND superseded_at IS NULL AND expires_at > clock_timestamp()";

/// What each of `number` sessions gets that ask at the same moment.
fn race(database: &Database<'_>, number: usize, query: &str, token: &str) -> Vec<Option<String>> {
    let mut clients: Vec<Client> = (0..number).map(|_| database.app()).collect();
    let start = Barrier::new(number);
    thread::scope(|scope| {
        let threads: Vec<_> = clients
            .iter_mut()
            .map(|client| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    ask(client, query, token)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn of_fifty_sessions_that_consume_a_token_one_gets_it() {
    let cluster = Cluster::start(&Settings { configuration: "max_connections = 70", ..Settings::default() });
    let database = with_store(&cluster, "d");
    for round in 0..5 {
        let subject = format!("user {round}");
        let token = issue(&mut database.app(), &subject);
        let won: Vec<String> = race(&database, 50, CONSUME, &token).into_iter().flatten().collect();
        assert_eq!(won, [subject]);
    }
}

#[test]
fn sessions_that_rotate_a_token_at_once_get_the_same_successor() {
    let database = with_store(shared_cluster(), "tokens_rotate");
    let mut client = database.app();
    let mut token = issue(&mut client, "user");
    for _ in 0..20 {
        let successors: HashSet<Option<String>> = race(&database, 8, ROTATE, &token).into_iter().collect();
        assert_eq!(successors.len(), 1);
        token = successors.into_iter().next().flatten().expect("a successor");
        assert_eq!(ask(&mut client, CHECK, &token).as_deref(), Some("user"));
    }
    assert_eq!(count(&mut database.superuser(), "true"), 21, "one row for each rotation");
    // Without a grace period one of them gets a successor, and the others end the family.
    let strict = "SELECT cordon.rotate_token('refresh', $1, '0')";
    let successors: Vec<String> = race(&database, 8, strict, &token).into_iter().flatten().collect();
    assert_eq!(successors.len(), 1);
    assert_eq!(ask(&mut client, CHECK, &successors[0]), None);
}

#[test]
fn a_retry_gets_the_same_successor_after_the_key_was_rotated() {
    let cluster = Cluster::start(&Settings::default());
    let database = with_store(&cluster, "d");
    let mut client = database.app();
    let token = issue(&mut client, "user");
    let successor = ask(&mut client, ROTATE, &token).expect("a successor");
    database.superuser().batch_execute("SELECT cordon.rotate_key('token')").unwrap();
    assert_eq!(ask(&mut database.app(), ROTATE, &token).as_ref(), Some(&successor));
    let next = ask(&mut database.app(), ROTATE, &successor).expect("a successor");
    assert_eq!(ask(&mut database.app(), CHECK, &next).as_deref(), Some("user"));
}

#[test]
fn a_revocation_misses_no_successor_that_is_being_made() {
    let database = with_store(shared_cluster(), "tokens_revoke");
    let mut client = database.app();
    let tokens: Vec<(String, String)> = (0..200)
        .map(|n| {
            let subject = format!("user {n}");
            let token = issue(&mut client, &subject);
            (subject, token)
        })
        .collect();
    let start = Barrier::new(2);
    // Nobody panics before the last wait: the other would wait for ever.
    let (rotated, failed) = thread::scope(|scope| {
        let rotator = scope.spawn(|| {
            let mut client = database.app();
            let (mut rotated, mut failed) = (0, Vec::new());
            for (_, token) in &tokens {
                start.wait();
                let mut token = token.clone();
                for _ in 0..4 {
                    match client.query_one(ROTATE, &[&token]).map(|row| row.get::<_, Option<String>>(0)) {
                        Ok(Some(successor)) => (rotated, token) = (rotated + 1, successor),
                        Ok(None) => break,
                        Err(error) => failed.push(error.to_string()),
                    }
                }
            }
            (rotated, failed)
        });
        let revoker = scope.spawn(|| {
            let mut client = database.app();
            let mut failed = Vec::new();
            for (n, (subject, token)) in tokens.iter().enumerate() {
                start.wait();
                thread::sleep(Duration::from_micros(100 * (n as u64 % 16)));
                let outcome = if n % 2 == 0 {
                    client.query_one("SELECT cordon.revoke_token('refresh', $1)", &[token])
                } else {
                    client.query_one("SELECT cordon.revoke_tokens($1)", &[subject])
                };
                failed.extend(outcome.err().map(|error| error.to_string()));
            }
            failed
        });
        let (rotated, mut failed) = rotator.join().unwrap();
        failed.extend(revoker.join().unwrap());
        (rotated, failed)
    });
    assert!(failed.is_empty(), "{failed:?}");
    assert!(rotated > 0, "the rotations came first at least once");
    let mut superuser = database.superuser();
    assert_eq!(count(&mut superuser, "revoked_at IS NOT NULL AND hash = family"), 200);
    assert_eq!(count(&mut superuser, LIVE), 0);
}

#[test]
fn mixed_load_neither_deadlocks_nor_leaves_a_family_half_revoked() {
    let database = with_store(shared_cluster(), "tokens_load");
    let mut client = database.app();
    let tokens: Vec<Mutex<String>> =
        (0..12).map(|n| Mutex::new(issue(&mut client, &format!("user {}", n % 3)))).collect();
    let end = Instant::now() + Duration::from_secs(3);
    let failed: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..8_usize)
            .map(|worker| {
                let (tokens, database) = (&tokens, &database);
                scope.spawn(move || {
                    let mut client = database.app();
                    let mut failed = Vec::new();
                    let mut step = worker;
                    while Instant::now() < end {
                        step = step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        let (slot, action) = ((step >> 33) % tokens.len(), (step >> 45) % 20);
                        let subject = format!("user {}", slot % 3);
                        let token = tokens[slot].lock().unwrap().clone();
                        let outcome = match action {
                            0 => client.query_one("SELECT cordon.revoke_tokens($1)::text", &[&subject]),
                            1 => client.query_one("SELECT cordon.revoke_token('refresh', $1)::text", &[&token]),
                            2 => client.query_one(CONSUME, &[&token]),
                            3..=6 => client.query_one(ISSUE, &[&subject]),
                            _ => client
                                .query_one("SELECT cordon.rotate_token('refresh', $1, '50 milliseconds')", &[&token]),
                        };
                        match outcome.map(|row| row.get::<_, Option<String>>(0)) {
                            Ok(Some(token)) if action > 2 => *tokens[slot].lock().unwrap() = token,
                            Ok(_) => {}
                            Err(error) => failed.push(error.to_string()),
                        }
                    }
                    failed
                })
            })
            .collect();
        let cleaner = scope.spawn(|| {
            let mut superuser = database.superuser();
            let mut failed = Vec::new();
            while Instant::now() < end {
                let cleanup = superuser.batch_execute("CALL cordon.cleanup_tokens(batch_size => 5, keep => '0')");
                failed.extend(cleanup.err().map(|error| error.to_string()));
            }
            failed
        });
        workers.into_iter().chain([cleaner]).flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "{failed:?}");
    let mut superuser = database.superuser();
    let half = format!(
        "{LIVE} AND EXISTS (SELECT FROM cordon.token m WHERE m.family = t.family AND m.revoked_at IS NOT NULL)"
    );
    assert_eq!(count(&mut superuser, &half), 0, "live tokens of revoked families");
    let orphan = "NOT EXISTS (SELECT FROM cordon.token r WHERE r.hash = t.family)";
    assert_eq!(count(&mut superuser, orphan), 0, "tokens of a family without its first row");
}

#[test]
fn in_repeatable_read_a_revocation_fails_rather_than_miss_a_successor() {
    let database = with_store(shared_cluster(), "tokens_snapshot");
    let mut client = database.app();
    let first = issue(&mut client, "user");
    let second = ask(&mut client, ROTATE, &first).unwrap();
    let mut revoker = database.app();
    // The snapshot is from before the second rotation, which leaves the first row of the family as it was.
    revoker.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").unwrap();
    let third = ask(&mut client, ROTATE, &second).unwrap();
    let error = revoker.query_one("SELECT cordon.revoke_tokens('user')", &[]).unwrap_err();
    assert_eq!(cordon_tests::sqlstate(&error), "40001");
    revoker.batch_execute("ROLLBACK").unwrap();
    assert_eq!(ask(&mut client, CHECK, &third).as_deref(), Some("user"));
}

fn survives_a_dump(name: &str, arguments: &[&str], is_script: bool) {
    let source = with_store(shared_cluster(), name);
    let mut client = source.tenant("7");
    let used = issue(&mut client, "user");
    assert!(ask(&mut client, CONSUME, &used).is_some());
    let first = issue(&mut client, "user");
    let second = ask(&mut client, ROTATE, &first).unwrap();
    let third = ask(&mut client, ROTATE, &second).unwrap();
    let shared = issue(&mut source.app(), "nobody's user");
    // The first row of the family then lies behind the others.
    source.superuser().batch_execute("UPDATE cordon.token SET subject = subject WHERE hash = family").unwrap();

    let path = source.cluster.directory().join(format!("{name}.dump"));
    let path = path.to_str().unwrap();
    let _ = source.run("postgres", "", "pg_dump", &[arguments, &["--compress=0", "--file", path]].concat());
    let dump = fs::read(path).unwrap();
    for token in [&used, &first, &second, &third, &shared] {
        assert!(!dump.windows(token.len()).any(|window| window == token.as_bytes()), "the dump holds a token");
    }
    let target = shared_cluster().database(&format!("{name}_restored"));
    target.superuser().batch_execute("DROP EXTENSION pg_cordon").unwrap();
    if is_script {
        let _ = target.run("postgres", "", "psql", &["-X", "--set=ON_ERROR_STOP=1", "--file", path]);
    } else {
        let _ = target.run("postgres", "", "pg_restore", &["--exit-on-error", "--dbname", &target.name, path]);
    }

    let mut client = target.tenant("7");
    assert_eq!(ask(&mut client, CONSUME, &used), None);
    assert_eq!(ask(&mut client, CHECK, &third).as_deref(), Some("user"));
    assert_eq!(ask(&mut client, ROTATE, &second).as_ref(), Some(&third), "a retry on the restored database");
    assert!(ask(&mut client, ROTATE, &third).is_some());
    assert_eq!(ask(&mut client, CHECK, &shared), None);
    assert_eq!(ask(&mut target.app(), CHECK, &shared).as_deref(), Some("nobody's user"));
    // Row security is there as well.
    target.superuser().batch_execute("GRANT SELECT ON cordon.token TO app").unwrap();
    assert_refused(target.app().query("SELECT FROM cordon.token", &[]), "42501", &[]);
    assert_eq!(count(&mut target.tenant("8"), "true"), 0);
}

#[test]
fn tokens_survive_a_custom_dump() {
    survives_a_dump("tokens_dump", &["--format=custom"], false);
}

#[test]
fn tokens_survive_a_dump_of_inserts() {
    survives_a_dump("tokens_dump_inserts", &["--inserts"], true);
}

#[test]
fn no_token_reaches_the_log_by_an_error() {
    let cluster = Cluster::start(&Settings::default());
    let database = with_store(&cluster, "d");
    let mut client = database.app();
    let token = issue(&mut client, "user");
    for (query, state) in [
        ("SELECT cordon.check_token('', $1)", "22023"),
        ("SELECT cordon.consume_token(NULL, $1)", "22004"),
        ("SELECT cordon.revoke_token('', $1)", "22023"),
        ("SELECT cordon.rotate_token('refresh', $1, '-1 second')", "22023"),
        ("SELECT cordon.issue_token('', $1, '1 hour')", "22023"),
        ("SELECT cordon.hash_token($1, NULL)", "22004"),
    ] {
        let error = client.query(query, &[&token]).unwrap_err();
        assert_eq!(cordon_tests::sqlstate(&error), state, "{query}");
        assert!(!cordon_tests::whole_error(&error).contains(&token), "{query}");
    }
    let error = client
        .query("SELECT 1 / (CASE WHEN cordon.consume_token('refresh', $1) IS NULL THEN 1 ELSE 0 END)", &[&token])
        .unwrap_err();
    assert_eq!(cordon_tests::sqlstate(&error), "22012");
    let log = cluster.log();
    assert!(log.contains("division by zero"), "the errors are in the log");
    assert!(!log.contains(&token));
}

/// The SQL blocks of docs/TOKENS.md, each with the role that runs it.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    text.split("```sql\n")
        .skip(1)
        .map(|rest| {
            let block = rest.split_once("```").expect("the end of a block").0;
            let role = match block.lines().next() {
                Some("-- as app") => "app",
                Some("-- as superuser") => "postgres",
                line => panic!("a block of docs/TOKENS.md begins with {line:?} and names no role"),
            };
            (role, block)
        })
        .collect()
}

#[test]
fn the_documentation_runs_as_it_stands() {
    let text = fs::read_to_string(source("../docs/TOKENS.md")).unwrap();
    // A server of its own: the token key is rotated.
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    let path = cluster.directory().join("block.sql");
    let mut client = database.app();
    let plain: Vec<String> = (0..2500).map(|n| format!("plain token {n}")).collect();
    for (role, block) in blocks(&text) {
        fs::write(&path, block).unwrap();
        let _ = database.run(role, "", "psql", &["-X", "--set=ON_ERROR_STOP=1", "--file", path.to_str().unwrap()]);
        if block.contains("CREATE TABLE api_key") {
            let insert =
                "INSERT INTO api_key (user_id, token) SELECT n, t FROM unnest($1::text[]) WITH ORDINALITY u (t, n)";
            client.execute(insert, &[&plain]).unwrap();
        } else if block.contains("CREATE TRIGGER hash_token") {
            // The application goes on writing plain tokens for a while.
            client.execute("INSERT INTO api_key (user_id, token) VALUES (9001, 'written meanwhile')", &[]).unwrap();
        } else if block.contains("CREATE TABLE session") {
            let insert = "INSERT INTO session (user_id, token_sha256) SELECT 7, encode(sha256('of a session'), 'hex')";
            client.execute(insert, &[]).unwrap();
        }
    }

    let find = "SELECT user_id FROM api_key WHERE token_hash = ANY (cordon.token_hashes($1, 'api'))";
    for (token, user) in [(plain[0].as_str(), 1_i64), (&plain[2499], 2500), ("written meanwhile", 9001)] {
        let rows = client.query(find, &[&token]).unwrap();
        assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>(), [user]);
    }
    assert!(client.query(find, &[&"another token"]).unwrap().is_empty());
    let columns = "SELECT attname::text FROM pg_attribute
        WHERE attrelid = 'api_key'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let columns: Vec<String> = client.query(columns, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(columns, ["id", "user_id", "token_hash"]);
    let find = "SELECT user_id FROM session WHERE token_hash = ANY (cordon.token_hashes($1, 'session'))";
    assert_eq!(client.query_one(find, &[&"of a session"]).unwrap().get::<_, i64>(0), 7);
    // The index serves the look-up.
    client.batch_execute("ANALYZE api_key").unwrap();
    let explain = "EXPLAIN (COSTS OFF) SELECT FROM api_key WHERE token_hash = ANY (cordon.token_hashes('x', 'api'))";
    let plan: Vec<String> = client.query(explain, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert!(plan.join("\n").contains("Index"), "{plan:?}");
}
