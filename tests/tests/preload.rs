//! What a server pays for preloading the library: databases that use it, and those that do not, plan as deep a query as
//! without it, and the same plans.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use cordon_tests::{Cluster, Settings, sqlstate, whole_error};
use postgres::Client;

/// A kind of query, which is made of so many levels.
type Deep = (&'static str, fn(usize) -> String);

const DEEP: [Deep; 4] = [
    ("UNION ALL", |n| vec!["SELECT 1"; n].join(" UNION ALL ")),
    ("a sum", |n| format!("SELECT {}", vec!["1"; n].join(" + "))),
    ("a sum of columns", |n| format!("SELECT {} FROM t", vec!["a"; n].join(" + "))),
    ("subqueries", |n| format!("SELECT {}1{}", "(SELECT ".repeat(n), ")".repeat(n))),
];

/// Whether the server takes a query, and does so at once; a stack that is too deep is an error as any other.
fn takes(client: &mut Client, query: &str) -> bool {
    let start = Instant::now();
    let outcome = client.batch_execute(query);
    // Minutes, when it went wrong; the limit leaves room for a machine that does something else.
    assert!(start.elapsed() < Duration::from_secs(60), "{} bytes took {:?}", query.len(), start.elapsed());
    match outcome {
        Ok(()) => true,
        Err(error) => {
            let text = whole_error(&error);
            // The grammar has a limit of its own.
            assert!(sqlstate(&error) == "54001" || text.contains("memory exhausted"), "{text}");
            false
        }
    }
}

/// The most levels that a server takes, to a fiftieth.
fn depth(client: &mut Client, query: fn(usize) -> String) -> usize {
    // Of a quarter of the stack that there is: planning takes time by the square of the levels.
    let (mut least, mut most) = (50, 3_000);
    while most - least > least / 50 {
        let middle = usize::midpoint(least, most);
        if takes(client, &query(middle)) {
            least = middle;
        } else {
            most = middle;
        }
    }
    least
}

#[test]
fn queries_may_be_as_deep_and_plans_are_the_same() {
    let plain = Cluster::start(&Settings { preload: false, keyring: false, ..Settings::default() });
    let preloaded = Cluster::start(&Settings::default());
    let database = preloaded.database("uses_it");
    let mut servers = [
        ("without the library", plain.connect("postgres", "postgres")),
        ("in a database without the extension", preloaded.connect("postgres", "postgres")),
        ("in a database with the extension", database.superuser()),
    ];
    let mut depths = Vec::new();
    let mut plans: Vec<Vec<String>> = Vec::new();
    for (_, client) in &mut servers {
        client
            .batch_execute(
                "SET max_stack_depth = '500kB'; CREATE TABLE t (a bigint, b text); CREATE INDEX ON t (a); CREATE FUNCTION twice(bigint) RETURNS bigint
                 LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2'; CREATE FUNCTION rows_of(bigint) RETURNS SETOF t LANGUAGE sql STABLE
                 AS 'SELECT * FROM t WHERE a > $1'",
            )
            .unwrap();
        depths.push(DEEP.map(|(_, query)| depth(client, query)));
        plans.push(
            [
                "SELECT * FROM t WHERE a = ANY (ARRAY[1, 2]) AND twice(a) = 4",
                "SELECT rows_of.b || 'x' FROM rows_of(3) JOIN t USING (a)",
                "WITH x AS (SELECT a FROM t WHERE a < 10) SELECT count(*) FROM x, t WHERE x.a = t.a GROUP BY b ORDER BY 1",
                "UPDATE t SET b = upper(b) WHERE a IN (SELECT twice(a) FROM t) RETURNING *",
                "SELECT * FROM (SELECT 1 AS a UNION ALL SELECT a FROM t) u WHERE a = 5",
            ]
            .iter()
            .flat_map(|query| client.query(&format!("EXPLAIN (VERBOSE, COSTS OFF) {query}"), &[]).unwrap())
            .map(|row| row.get(0))
            .collect(),
        );
    }
    for (_, client) in &mut servers {
        client.batch_execute("RESET max_stack_depth").unwrap();
        for (_, query) in DEEP {
            takes(client, &query(5_000));
        }
    }
    assert!(plans[0] == plans[1] && plans[0] == plans[2], "{plans:#?}");
    for (at, (what, _)) in DEEP.iter().enumerate() {
        for (server, depth) in [(servers[1].0, &depths[1]), (servers[2].0, &depths[2])] {
            assert!(depth[at] >= depths[0][at] * 95 / 100, "{what} {server}: {}, and {}", depth[at], depths[0][at]);
        }
    }
}

/// The library asks the catalog whether the database has the extension: an error there is the statement's, and no more.
#[test]
fn a_catalog_that_is_locked_costs_a_statement_and_not_the_server() {
    let cluster = Cluster::start(&Settings { keyring: false, ..Settings::default() });
    let mut dba = cluster.connect("postgres", "postgres");
    let started: String = dba.query_one("SELECT pg_postmaster_start_time()::text", &[]).unwrap().get(0);
    for statement in [
        "SELECT 1 AS one",
        "CREATE TEMP TABLE t (n int)",
        "DO $$ BEGIN PERFORM 1; END $$",
        "SELECT count(*) FROM pg_class",
    ] {
        let mut client = cluster.connect("app", "postgres");
        client.batch_execute("SET lock_timeout = '50ms'").unwrap();
        // What it knew is forgotten, where another makes a schema.
        dba.batch_execute(
            "CREATE SCHEMA one; DROP SCHEMA one; BEGIN; LOCK TABLE pg_extension, pg_namespace IN ACCESS EXCLUSIVE MODE",
        )
        .unwrap();
        let error = client.batch_execute(statement).err();
        dba.batch_execute("ROLLBACK").unwrap();
        assert!(error.is_none_or(|error| sqlstate(&error) == "55P03"), "{statement}");
        client.batch_execute(statement).unwrap();
    }
    let still: String = dba.query_one("SELECT pg_postmaster_start_time()::text", &[]).unwrap().get(0);
    assert_eq!(still, started, "{}", cluster.log());
    assert!(!cluster.log().contains("terminated by signal"), "{}", cluster.log());
}
