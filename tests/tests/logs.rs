//! What the files in the log directory show of statements with secrets, in every format.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use cordon_tests::{Cluster, Database, Settings, sqlstate};
use postgres::{Client, types::Type};

/// Begins every secret. Two letters in it are what a lexer would stumble over.
const SECRET: &str = "s3cr3t";

/// Everything that PostgreSQL can be told to log, but for what it logs before a statement runs.
const TALKATIVE: &str = "
shared_preload_libraries = 'auto_explain, pg_cordon'
logging_collector = on
log_directory = 'logs'
log_destination = 'stderr,csvlog,jsonlog'
log_min_messages = notice
log_min_error_statement = error
log_error_verbosity = verbose
log_min_duration_statement = 0
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
log_lock_waits = on
deadlock_timeout = '50ms'
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
auto_explain.log_verbose = on
auto_explain.log_analyze = on
";

fn cluster(more: &str) -> Cluster {
    Cluster::start(&Settings { configuration: &format!("{TALKATIVE}{more}\n"), ..Settings::default() })
}

/// The content of all log files, with all that was logged until now: the collector writes them when it gets to it, and in the
/// order in which the entries came, so an entry of our own is waited for.
fn logs(cluster: &Cluster) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mark = format!("{END_OF_LOG} {} of {}", COUNT.fetch_add(1, Ordering::Relaxed), std::process::id());
    let deadline = Instant::now() + Duration::from_secs(60);
    // A server that has crashed takes no connections for a while.
    while cluster
        .connect_with("postgres", "postgres", "")
        .and_then(|mut client| client.batch_execute(&format!("DO $$ BEGIN RAISE LOG '{mark}'; END $$")))
        .is_err()
    {
        assert!(Instant::now() < deadline, "no connection");
        std::thread::sleep(Duration::from_millis(20));
    }
    loop {
        let files = fs::read_dir(cluster.data_directory().join("logs")).unwrap();
        let contents: Vec<String> =
            files.map(|file| String::from_utf8_lossy(&fs::read(file.unwrap().path()).unwrap()).into_owned()).collect();
        // As the message itself, which comes after the entries of the statement that raises it.
        let is_whole = |content: &String| {
            content.contains(&format!(" {mark}\n"))
                || content.contains(&format!(",\"{mark}\","))
                || content.contains(&format!("\"message\":\"{mark}\""))
        };
        if contents.len() == 3 && contents.iter().all(is_whole) {
            return contents.concat();
        }
        assert!(Instant::now() < deadline, "no file in each format that holds what was logged last");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Begins the entry that shows how far the log was written.
const END_OF_LOG: &str = "end of the log";

fn set_up(database: &Database<'_>) {
    database
        .app()
        .batch_execute(
            "CREATE TABLE account (team_id bigint NOT NULL, id int PRIMARY KEY, token encrypted_text, mail encrypted_text_eq UNIQUE,
                 hash token_hash, size int, CHECK (size < 10));
             CREATE FUNCTION fails(x text) RETURNS void LANGUAGE plpgsql AS $$
                 BEGIN
                     INSERT INTO account (id, token) VALUES (900, x);
                     EXECUTE format('INSERT INTO account (id, token, size) VALUES (901, %L, 1/0)', x);
                 END $$;
             CREATE FUNCTION sealed(x text) RETURNS encrypted_text LANGUAGE sql AS 'SELECT x::encrypted_text';
             CREATE TABLE loose (id int, token encrypted_text, mail encrypted_text_eq, size int CHECK (size < 10));
             SELECT cordon.protect('account')",
        )
        .unwrap();
}

fn refused(client: &mut Client, statement: &str, expected: &str) {
    assert_eq!(sqlstate(&client.batch_execute(statement).unwrap_err()), expected, "{statement}");
}

/// Statements that handle secrets, in the simple and the extended protocol.
fn work(database: &Database<'_>) {
    let mut client = database.tenant("7");
    let mut number = 0;
    let mut secret = || {
        number += 1;
        format!("{SECRET}' $$ \" /* -- {number}")
    };
    let quoted = |secret: &str| format!("'{}'", secret.replace('\'', "''"));
    let same = secret();
    client.batch_execute(&format!("INSERT INTO account VALUES (7, 1, {0}, {0})", quoted(&same))).unwrap();
    client.batch_execute(&format!("UPDATE account SET token = E'{SECRET}\\'' /* {SECRET} */ -- {SECRET}")).unwrap();
    client.batch_execute(&format!("SELECT * FROM account WHERE mail = {}", quoted(&same))).unwrap();
    client.batch_execute(&format!("DO $$ BEGIN UPDATE account SET token = '{SECRET} in a block'; END $$")).unwrap();
    client
        .batch_execute(&format!("SELECT sealed({}), cordon.hash_token({})", quoted(&secret()), quoted(&secret())))
        .unwrap();
    // The extended protocol: a literal, a parameter, each typed by the server or by the driver; a plan that becomes generic.
    client.execute(&format!("INSERT INTO account (id, token) VALUES (2, {})", quoted(&secret())), &[]).unwrap();
    client.execute(&format!("UPDATE account SET token = {} WHERE id = -1", quoted(&secret())), &[]).unwrap();
    let typed = client
        .prepare_typed("UPDATE account SET token = $1, mail = $2 WHERE id = $3", &[Type::TEXT, Type::TEXT])
        .unwrap();
    for _ in 0..8 {
        client.execute(&typed, &[&secret(), &secret(), &1]).unwrap();
        client
            .execute("UPDATE account SET hash = cordon.hash_token($1) WHERE mail = $2::text", &[&secret(), &secret()])
            .unwrap();
    }
    client
        .batch_execute(&format!("PREPARE p (text) AS UPDATE account SET token = $1; EXECUTE p ({})", quoted(&secret())))
        .unwrap();
    let rows = client.query("SELECT token::text FROM account WHERE id = 1", &[]).unwrap();
    assert!(rows[0].get::<_, &str>(0).starts_with(SECRET));
    let mut copy = client.copy_in("COPY loose (id, token) FROM STDIN").unwrap();
    std::io::Write::write_all(&mut copy, format!("10\t{SECRET}\n").as_bytes()).unwrap();
    copy.finish().unwrap();
    // Errors, after the secret was handled.
    client.execute("UPDATE account SET mail = $1::text WHERE id = 1", &[&same]).unwrap();
    refused(&mut client, &format!("INSERT INTO account VALUES (7, 3, {0}, {0})", quoted(&same)), "23505");
    refused(&mut client, &format!("INSERT INTO account VALUES (7, 3, {}, NULL, NULL, 11)", quoted(&same)), "23514");
    refused(&mut client, &format!("INSERT INTO account VALUES (7, NULL, {})", quoted(&same)), "23502");
    refused(&mut client, &format!("SELECT fails({})", quoted(&secret())), "22012");
    refused(&mut client, &format!("DO $$ BEGIN PERFORM fails('{SECRET}'); END $$"), "22012");
    refused(&mut client, &format!("SELECT cordon.hash_token({}, 'p') = 'x'", quoted(&secret())), "22P02");
    let failed = client.execute("INSERT INTO account (id, token, size) VALUES ($1, $2::text, 11)", &[&20, &secret()]);
    assert_eq!(sqlstate(&failed.unwrap_err()), "23514");
    let mut copy = client.copy_in("COPY loose FROM STDIN").unwrap();
    std::io::Write::write_all(&mut copy, format!("21\t{SECRET}\t{SECRET}\t11\n").as_bytes()).unwrap();
    assert_eq!(sqlstate(&copy.finish().unwrap_err()), "23514");
}

#[test]
fn what_handled_a_secret_is_logged_without_it() {
    let cluster = cluster("log_statement = none");
    let database = cluster.database("d");
    set_up(&database);
    work(&database);
    let logs = logs(&cluster);
    let leaks: Vec<_> = logs.lines().filter(|line| line.contains(SECRET)).collect();
    assert!(leaks.is_empty(), "{} lines, the first: {}", leaks.len(), leaks[0]);
    // There they are, all the same.
    for part in
        ["INSERT INTO account VALUES (?, ?, ?, ?)", "arameters: $1 = ?, $2 = ?, $3 = ?", "plan:", "The row is left out"]
    {
        assert!(logs.contains(part), "no {part} in:\n{logs}");
    }
}

#[test]
fn without_redaction_the_log_shows_it() {
    let cluster = cluster("cordon.redact_log = off");
    let database = cluster.database("d");
    set_up(&database);
    work(&database);
    let logs = logs(&cluster);
    for part in ["statement: ", "parameters: ", "Query Text: ", "Failing row contains", "STATEMENT: ", "CONTEXT: "] {
        let shows = |line: &str| line.contains(part) && line.contains(SECRET);
        assert!(logs.lines().any(shows), "{part} shows no secret, so the other tests prove nothing of it");
    }
}

#[test]
fn with_redaction_of_all_statements_no_literal_is_logged() {
    let cluster = cluster("cordon.redact_log = all\nlog_statement = all\ndebug_print_parse = on");
    let database = cluster.database("d");
    set_up(&database);
    work(&database);
    // Before a secret is known to be one: a statement that fails at once, a parse message, a function of nobody's.
    let mut client = database.tenant("7");
    refused(&mut client, &format!("SELECT '{SECRET}' FROM nowhere"), "42P01");
    refused(&mut client, &format!("SELECT '{SECRET}' syntax error"), "42601");
    refused(
        &mut client,
        &format!("INSERT INTO account (team_id, id, size) VALUES (7, 77, 11 /* {SECRET} */)"),
        "23514",
    );
    client.query(&format!("SELECT cordon.hash_token('{SECRET}'), 4711"), &[]).unwrap();
    client.query("SELECT $1::text", &[&SECRET]).unwrap();
    client.batch_execute(&format!("PREPARE q AS SELECT '{SECRET}'; EXECUTE q; DEALLOCATE q")).unwrap();
    // Before the statement is parsed, at a level that is for those who look for faults.
    database.superuser().batch_execute("ALTER ROLE app SET log_min_messages = debug2").unwrap();
    database.tenant("7").query(&format!("SELECT '{SECRET}' AS at_debug"), &[]).unwrap();
    let failed = client.query("SELECT $1::text, 1 / $2::int", &[&SECRET, &0]);
    assert_eq!(sqlstate(&failed.unwrap_err()), "22012");
    let logs = logs(&cluster);
    let leaks: Vec<_> = logs.lines().filter(|line| line.contains(SECRET) || line.contains("4711")).collect();
    assert!(leaks.is_empty(), "{} lines, the first: {}", leaks.len(), leaks[0]);
    for part in [
        ": SELECT ? AS at_debug",
        "SELECT cordon.hash_token(?), ?",
        "SELECT ? FROM nowhere",
        "SELECT ? syntax error",
        "arameters: $1 = ?",
    ] {
        assert!(logs.contains(part), "no {part} in:\n{logs}");
    }
}

/// The lines of the log that `f` causes, without what differs from run to run.
fn entries(cluster: &Cluster, database: &Database<'_>, level: &str) -> String {
    let mut dba = database.superuser();
    dba.batch_execute(&format!("ALTER ROLE app SET cordon.redact_log = '{level}'")).unwrap();
    let before = logs(cluster).len();
    let mut client = database.tenant("7");
    client.batch_execute("SELECT 'plain', 42 -- and a comment").unwrap();
    refused(&mut client, "SELECT 'plain', 1 / 0 -- and a comment", "22012");
    refused(&mut client, "INSERT INTO plain VALUES ('a row')", "23514");
    refused(&mut client, "SELECT plain('a literal')", "P0001");
    client.execute("SELECT $1::text, upper('plain')", &[&"a parameter"]).unwrap();
    let logs = logs(cluster);
    assert!(logs.len() > before);
    let path = fs::read_dir(cluster.data_directory().join("logs")).unwrap().map(|file| file.unwrap().path());
    let path = path.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "log")).unwrap();
    let text = fs::read_to_string(path).unwrap();
    let start = text.rfind("SELECT 'plain', 42").expect("logged as it is");
    let message = |line: &str| line.split_once("] ").map_or(line, |(_, message)| message).to_owned();
    let without_names = |line: String| match line.split_once(": SELECT $1") {
        Some((head, tail)) => format!("{}: SELECT $1{tail}", head.trim_end_matches(|c: char| c.is_ascii_digit())),
        None => line,
    };
    let without_times = |line: String| match line.split_once("duration: ") {
        Some((head, tail)) => {
            format!("{head}duration: {}", tail.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.'))
        }
        None => line,
    };
    text[start..]
        .lines()
        .take_while(|line| !line.contains(END_OF_LOG))
        .map(message)
        .map(without_times)
        .map(without_names)
        .filter(|line| !line.contains("actual time"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn entries_of_statements_without_secrets_are_unchanged() {
    let cluster = cluster("log_statement = all\nauto_explain.log_timing = off\nauto_explain.log_analyze = off");
    let database = cluster.database("d");
    database
        .app()
        .batch_execute(
            "CREATE TABLE plain (a text CHECK (a <> 'a row'));
             CREATE FUNCTION plain(a text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'failed with %', a; END $$",
        )
        .unwrap();
    let (off, touched) = (entries(&cluster, &database, "off"), entries(&cluster, &database, "touched"));
    assert!(off.contains("Failing row contains") && off.contains("a parameter") && off.contains("CONTEXT"), "{off}");
    for (off, touched) in off.lines().zip(touched.lines()) {
        assert_eq!(off, touched);
    }
    assert_eq!(off, touched);
}

/// Waits until a query about a process is true.
fn wait_for(client: &mut Client, query: &str, pid: i32) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !client.query_one(query, &[&pid]).unwrap().get::<_, bool>(0) {
        assert!(Instant::now() < deadline, "never: {query}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_deadlock_and_a_crash_do_not_show_the_statements_of_others() {
    let cluster = cluster("log_min_duration_statement = -1\nauto_explain.log_min_duration = -1");
    let database = cluster.database("d");
    set_up(&database);
    work(&database);
    let (mut one, mut two) = (database.tenant("7"), database.tenant("7"));
    one.batch_execute("BEGIN; UPDATE account SET size = 1 WHERE id = 1").unwrap();
    two.batch_execute("BEGIN; UPDATE account SET size = 1 WHERE id = 2").unwrap();
    let one_pid: i32 = one.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let waiting = std::thread::spawn(move || {
        let outcome = one.batch_execute(&format!("UPDATE account SET token = '{SECRET} one' WHERE id = 2"));
        (outcome.is_err(), one)
    });
    let mut dba = database.superuser();
    wait_for(&mut dba, "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)", one_pid);
    let failed = two.batch_execute(&format!("UPDATE account SET token = '{SECRET} two' WHERE id = 1")).is_err();
    let (other_failed, _one) = waiting.join().unwrap();
    assert!(failed != other_failed, "one of them is the victim");
    assert!(logs(&cluster).contains("deadlock detected"));
    // A backend that is killed while it sleeps over a secret; the postmaster says what it ran.
    let mut three = database.tenant("7");
    let pid: i32 = three.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let sleeping = std::thread::spawn(move || {
        let sleep = format!("SELECT pg_sleep(100), '{SECRET} three'::text::encrypted_text");
        three.batch_execute(&sleep).is_err()
    });
    wait_for(&mut dba, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep')", pid);
    std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
    assert!(sleeping.join().unwrap());
    let deadline = Instant::now() + Duration::from_secs(60);
    while !logs(&cluster).contains("Failed process was running") {
        assert!(Instant::now() < deadline, "the postmaster says nothing of the crash");
        std::thread::sleep(Duration::from_millis(20));
    }
    let logs = logs(&cluster);
    assert!(logs.contains("Failed process was running: SELECT pg_sleep(?), ?::text::encrypted_text"));
    let leaks: Vec<_> = logs.lines().filter(|line| line.contains(SECRET)).collect();
    assert!(leaks.is_empty(), "{} lines, the first: {}", leaks.len(), leaks[0]);
}

/// Ways past the mask that were found: a worker that fails, strings that go on in the next line, a line of COPY that is refused
/// before a value in it is read, parameters where a backslash escapes, entries of other extensions at other levels.
#[test]
fn the_ways_past_the_mask_are_closed() {
    let cluster = cluster(
        "auto_explain.log_level = notice\nlog_temp_files = 0\nmax_parallel_workers_per_gather = 2\nstandard_conforming_strings = on",
    );
    let database = cluster.database("d");
    set_up(&database);
    let mut client = database.tenant("7");
    client
        .batch_execute(
            "CREATE TABLE big AS SELECT g AS id, repeat('x' || g, 20) AS v FROM generate_series(1, 60000) g;
             ALTER TABLE big SET (parallel_workers = 2); ANALYZE big;
             CREATE FUNCTION audited(statement text) RETURNS void LANGUAGE plpgsql AS $$
                 BEGIN RAISE NOTICE 'AUDIT: SESSION,1,1,WRITE,INSERT,,,%,<none>', statement; END $$;
             CREATE FUNCTION repeats(x encrypted_text) RETURNS void LANGUAGE plpgsql AS $$
                 BEGIN PERFORM public.audited(current_query()); END $$",
        )
        .unwrap();
    client
        .batch_execute(
            "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
             SET parallel_leader_participation = off; SET work_mem = '64kB'",
        )
        .unwrap();
    let workers = format!(
        "SELECT count(*) FROM big WHERE 1 / (id - id) > -5 AND ('{SECRET} worker'::text::encrypted_text)::text <> v"
    );
    refused(&mut client, &workers, "22012");
    client
        .batch_execute(&format!(
            "SELECT count(*) FROM (SELECT v FROM big WHERE v <> ('{SECRET} sort'::text::encrypted_text)::text ORDER BY v OFFSET 0) x"
        ))
        .unwrap();
    client.batch_execute(&format!("SELECT E'a'\n'b\\' {SECRET} ', '{SECRET}'::encrypted_text")).unwrap();
    client.batch_execute(&format!("SELECT U&'a'\n'{SECRET}', '{SECRET}'::encrypted_text")).unwrap();
    client.batch_execute(&format!("SELECT repeats('{SECRET} \" in the middle')")).unwrap();
    for line in [format!("30\t{SECRET}\tx\t1\ttoo many\n"), format!("x{SECRET}\t{SECRET}\n")] {
        let mut copy = client.copy_in("COPY loose FROM STDIN").unwrap();
        std::io::Write::write_all(&mut copy, line.as_bytes()).unwrap();
        assert!(["22P04", "22P02"].contains(&sqlstate(&copy.finish().unwrap_err()).as_str()));
    }
    client.batch_execute("SET standard_conforming_strings = off").unwrap();
    for parameters in [["ends in a backslash \\", SECRET], [SECRET, "\\"], ["\\'", SECRET]] {
        client.query("SELECT $1::text, ($2::text::encrypted_text)::text", &[&parameters[0], &parameters[1]]).unwrap();
    }
    refused(&mut client, &format!("SELECT ('{SECRET}'::text::encrypted_text)::text::json"), "22P02");
    let logs = logs(&cluster);
    let leaks: Vec<_> = logs.lines().filter(|line| line.contains(SECRET)).collect();
    // The message of an error may quote what it refuses: SECURITY.md.
    let leaks: Vec<_> = leaks.into_iter().filter(|line| !line.contains("invalid input syntax for type")).collect();
    assert!(leaks.is_empty(), "{} lines, the first: {}", leaks.len(), leaks[0]);
    for part in ["parallel worker", "temporary file", "AUDIT: SESSION,1,1,WRITE,INSERT,,,SELECT repeats(?),<none>"] {
        assert!(logs.contains(part), "no {part}, so this proves nothing of it");
    }
}

/// pgaudit repeats each statement and its parameters in the middle of an entry of its own, for the log alone or for clients too.
#[test]
fn what_pgaudit_logs_is_without_secrets() {
    // There is none for a PostgreSQL that is built here.
    if std::env::var_os("CORDON_PGAUDIT").is_none() {
        return;
    }
    let audited = |more: &str| {
        let cluster = cluster(&format!(
            "shared_preload_libraries = 'pgaudit, pg_cordon'\npgaudit.log = all\npgaudit.log_parameter = on\n{more}"
        ));
        let database = cluster.database("d");
        set_up(&database);
        work(&database);
        let logs = logs(&cluster);
        let (entries, others): (Vec<_>, Vec<_>) =
            logs.lines().map(str::to_owned).partition(|line| line.contains("AUDIT: SESSION,"));
        assert!(!entries.is_empty());
        (entries, others)
    };
    let leaks = |lines: &[String]| lines.iter().filter(|line| line.contains(SECRET)).count();
    assert!(leaks(&audited("cordon.redact_log = off").0) > 50, "they show none, so the rest proves nothing");
    for client in ["pgaudit.log_client = off", "pgaudit.log_client = on\npgaudit.log_level = notice"] {
        let (entries, others) = audited(client);
        let shown: Vec<_> = entries.iter().filter(|line| line.contains(SECRET)).collect();
        assert_eq!((leaks(&entries), leaks(&others)), (0, 0), "{client}: {shown:#?}");
        assert!(
            entries
                .iter()
                .any(|line| line.contains("WRITE,INSERT,,,\"INSERT INTO account VALUES (?, ?, ?, ?)\",<none>")),
            "{client}"
        );
    }
}
