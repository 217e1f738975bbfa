//! Values are read as what the catalog says that they are, now: not as what a column was called, or a type is named.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use cordon_tests::{Cluster, Database, Settings, assert_refused, shared_cluster, sqlstate, whole_error};
use postgres::Client;

/// A table with a column under conversion, as the ordinary role has begun it.
fn converting<'a>(name: &str, source: &str) -> (Database<'a>, Client) {
    let database = shared_cluster().database(name);
    database
        .superuser()
        .batch_execute("CREATE EXTENSION pgcrypto; GRANT EXECUTE ON FUNCTION cordon.convert_on_write() TO app")
        .unwrap();
    let mut app = database.app();
    app.batch_execute(
        "CREATE TABLE t (team_id bigint NOT NULL, id int PRIMARY KEY, secret text, raw bytea);
         INSERT INTO t SELECT 7, i, 's' || i FROM generate_series(1, 20) i",
    )
    .unwrap();
    app.batch_execute(&format!("CALL cordon.encrypt_column('t', 'secret', tenant_column => 'team_id'{source})"))
        .unwrap();
    (database, app)
}

/// What may be asked of a conversion and its table, by its owner.
const QUESTIONS: &[&str] = &[
    "INSERT INTO t (team_id, id, secret) VALUES (7, 100, 'x') RETURNING *",
    "UPDATE t SET secret = 'changed' WHERE id = 1 RETURNING *",
    "UPDATE t SET secret_sealed = secret_sealed RETURNING *",
    "SELECT * FROM cordon.conversion_problems('t', 'secret', true)",
    "SELECT * FROM cordon_internal.unconverted_rows('t', 'secret', true)",
    "SELECT cordon_internal.count_unconverted('t', 'secret')",
    "CALL cordon.encrypt_column('t', 'secret', tenant_column => 'team_id')",
    "CALL cordon.finish_conversion('t', 'secret')",
    "CALL cordon.reencrypt('t', 'secret_sealed', tenant_column => 'team_id')",
    "SELECT * FROM cordon.verify_column('t', 'secret_sealed', 'team_id')",
    "SELECT * FROM cordon.key_usage('t', 'secret_sealed')",
];

/// Each is answered without reading a number as an address: with an error that has a remedy, or what is true.
fn ask(app: &mut Client, hole: &str) {
    for question in QUESTIONS {
        if let Err(error) = app.batch_execute(question) {
            assert!(!error.is_closed(), "{hole}: {question} ended the session");
            let state = sqlstate(&error);
            let expected =
                ["42804", "42809", "42703", "55000", "2BP01", "42P17", "22023", "42883", "22003", "22P02", "428C9"];
            assert!(expected.contains(&state.as_str()), "{hole}: {question}: {state} {}", whole_error(&error));
        }
    }
}

/// The attack: the sealed column is renamed away and a number takes its name. Read as a value that is passed by reference, a
/// number is an address: of the root keys, or of nothing.
#[test]
fn a_number_that_takes_the_name_of_a_sealed_column_is_no_address() {
    for (at, (hole, by)) in [
        ("bigint in place of the sealed column", "RENAME secret_sealed TO away; ALTER TABLE t ADD COLUMN secret_sealed bigint DEFAULT 1"),
        ("text in place of the sealed column", "DROP COLUMN secret_sealed; ALTER TABLE t ADD COLUMN secret_sealed text DEFAULT 'x'"),
        ("bigint in place of the plain column", "RENAME secret TO away; ALTER TABLE t ADD COLUMN secret bigint DEFAULT 140000000000000"),
        ("another sealed type in its place", "RENAME secret_sealed TO away; ALTER TABLE t ADD COLUMN secret_sealed shared_encrypted_text"),
        ("a composite in its place", "RENAME secret_sealed TO away; CREATE TYPE pair AS (a encrypted_text, b int); ALTER TABLE t ADD COLUMN secret_sealed pair"),
        ("an array in its place", "RENAME secret_sealed TO away; ALTER TABLE t ADD COLUMN secret_sealed encrypted_text[]"),
        ("a domain over a number in its place", "RENAME secret_sealed TO away; CREATE DOMAIN encrypted_text_like AS bigint; ALTER TABLE t ADD COLUMN secret_sealed encrypted_text_like DEFAULT 1"),
        ("a boolean as the tenant", "RENAME team_id TO away; ALTER TABLE t ADD COLUMN team_id boolean DEFAULT true"),
        ("a number of another width as the tenant", "RENAME team_id TO away; ALTER TABLE t ADD COLUMN team_id numeric DEFAULT 7"),
    ]
    .into_iter()
    .enumerate()
    {
        let (_database, mut app) = converting(&format!("retyped_{at}"), "");
        app.batch_execute(&format!("ALTER TABLE t {by}")).unwrap_or_else(|error| panic!("{hole}: {error:?}"));
        ask(&mut app, hole);
        // Writers are refused rather than one column going its own way.
        let write = app.batch_execute("INSERT INTO t (id, secret) VALUES (200, NULL)");
        if hole.contains("in place of") || hole.contains("in its place") {
            assert_refused(write, "42804", &[]);
        }
    }
}

/// As above, with a source that is read as a varlena without being printed.
#[test]
fn a_number_in_place_of_a_fernet_or_pgcrypto_column_is_no_address() {
    let database = shared_cluster().database("retyped_source");
    let mut dba = database.superuser();
    dba.batch_execute("CREATE EXTENSION pgcrypto; GRANT EXECUTE ON FUNCTION cordon.convert_on_write() TO app").unwrap();
    let mut app = database.app();
    for (form, table) in [("fernet", "f"), ("pgcrypto", "p")] {
        // The trigger by hand, as its owner may make it, over a number.
        app.batch_execute(&format!(
            "CREATE TABLE {table} (team_id bigint, secret bigint, target encrypted_text);
             CREATE TRIGGER zzz_cordon_convert_2 BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW
                 EXECUTE FUNCTION cordon.convert_on_write('secret', '{form}', 'target', 'encrypted_text', 'team_id', '')"
        ))
        .unwrap();
        assert_refused(
            app.batch_execute(&format!("INSERT INTO {table} VALUES (7, 1), (7, 140000000000000)")),
            "42804",
            &[],
        );
        let problems = format!("SELECT * FROM cordon_internal.unconverted_rows('{table}', 'secret', true)");
        assert_refused(app.query(&problems, &[]), "42804", &[]);
    }
}

/// A type is sealed by what it is: not one that is named so, and one that is under two domains, in an array or a composite.
#[test]
fn types_are_known_by_what_they_are() {
    let database = shared_cluster().database("known_types");
    let mut app = database.tenant("7");
    app.batch_execute(
        "CREATE SCHEMA named; CREATE DOMAIN named.encrypted_text AS bigint; CREATE TYPE named.shared_encrypted_text_eq AS ENUM ('a');
         CREATE DOMAIN one AS encrypted_text; CREATE DOMAIN two AS one; CREATE DOMAIN many AS two[];
         CREATE TYPE pair AS (label text, token two); CREATE DOMAIN pairs AS pair[];
         CREATE TYPE spans AS RANGE (subtype = encrypted_text_eq);
         CREATE TABLE t (team_id bigint NOT NULL, id int, plain named.encrypted_text, kind named.shared_encrypted_text_eq, a two, b many, c pair,
             d pair[], e spans, f one[]);
         INSERT INTO t SELECT 7, i, 1, 'a', 'a' || i, ARRAY['b', NULL]::text[]::encrypted_text[], ROW('l', 'c'::text::encrypted_text)::pair,
             ARRAY[ROW('l', 'd'::text::encrypted_text)::pair, NULL],
             spans('x'::text::encrypted_text_eq, 'x'::text::encrypted_text_eq, '[]'), ARRAY['f']::text[]::encrypted_text[]::one[]
         FROM generate_series(1, 3) i",
    )
    .unwrap();
    let sealed: Vec<String> = app
        .query("SELECT column_name::text FROM cordon.sealed_columns() WHERE relation = 't'::regclass ORDER BY 1", &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(sealed, ["a", "b", "c", "d", "e", "f"]);
    for column in ["plain", "kind"] {
        assert_refused(app.query("SELECT * FROM cordon.key_usage('t', $1::text::name)", &[&column]), "42809", &[]);
        let verify = "SELECT * FROM cordon_internal.failing_values('t', $1::text::name, 'team_id')";
        assert_refused(app.query(verify, &[&column]), "42809", &[]);
    }
    // The key of each counts, wherever the value is; and is moved to the new one.
    let mut dba = database.superuser();
    let count = |dba: &mut Client, column: &str, status: &str| -> i64 {
        let query =
            "SELECT coalesce(sum(rows), 0)::bigint FROM cordon.key_usage('t', $1::text::name) WHERE status = $2";
        dba.query_one(query, &[&column, &status]).unwrap().get(0)
    };
    dba.batch_execute("SELECT cordon.rotate_key('encryption')").unwrap();
    let old: i64 = dba.query_one("SELECT DISTINCT key_id FROM cordon.key_usage('t', 'a')", &[]).unwrap().get(0);
    for column in ["a", "b", "c", "d", "f"] {
        assert_eq!(count(&mut dba, column, "enabled"), 3, "{column}");
        let error = dba.query("SELECT cordon.disable_key($1)", &[&old]).expect_err("values need the key");
        assert_eq!(sqlstate(&error), "2BP01", "{}", whole_error(&error));
        assert!(whole_error(&error).contains(&format!("t.{column}")), "{}", whole_error(&error));
        app.batch_execute(&format!("CALL cordon.reencrypt('t', '{column}', tenant_column => 'team_id')")).unwrap();
        assert_eq!(count(&mut dba, column, "enabled"), 0, "{column}");
        let failing = format!("SELECT count(*) FROM cordon.verify_column('t', '{column}', 'team_id')");
        assert_eq!(app.query_one(&failing, &[]).unwrap().get::<_, i64>(0), 0, "{column}");
    }
    // In a range the order of the bounds would change: said, and the key stays.
    assert_eq!(count(&mut dba, "e", "enabled"), 6);
    assert_refused(app.batch_execute("CALL cordon.reencrypt('t', 'e', tenant_column => 'team_id')"), "0A000", &[]);
    assert_eq!(sqlstate(&dba.query("SELECT cordon.disable_key($1)", &[&old]).unwrap_err()), "2BP01");
    let values: String = app
        .query_one("SELECT concat_ws(',', a::text, (b::encrypted_text[])[1]::text, (c).token::text, (d[1]).token::text, f[1]::text) FROM t WHERE id = 2", &[])
        .unwrap()
        .get(0);
    assert_eq!(values, "a2,b,c,d,f");
}

/// Keys of partitions and of deferrable constraints are search tags: under another search key a row would belong elsewhere.
#[test]
fn a_column_that_keeps_rows_apart_is_not_sealed_under_another_search_key() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    let mut app = database.tenant("7");
    app.batch_execute(
        "CREATE TABLE parted (team_id bigint NOT NULL, mail encrypted_text_eq, note encrypted_text) PARTITION BY HASH (mail);
         CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         CREATE TABLE deferred (team_id bigint NOT NULL, mail encrypted_text_eq UNIQUE DEFERRABLE);
         CREATE TABLE plain (team_id bigint NOT NULL, mail encrypted_text_eq UNIQUE);
         INSERT INTO parted SELECT 7, 'm' || i, 'n' FROM generate_series(1, 50) i;
         INSERT INTO deferred SELECT 7, mail FROM parted; INSERT INTO plain SELECT 7, mail FROM parted",
    )
    .unwrap();
    let mut dba = database.superuser();
    dba.batch_execute("SELECT cordon.rotate_key('encryption')").unwrap();
    for table in ["parted", "deferred", "plain"] {
        // The other key does not matter.
        app.batch_execute(&format!("CALL cordon.reencrypt('{table}', 'mail', tenant_column => 'team_id')")).unwrap();
    }
    dba.batch_execute("SELECT cordon.rotate_key('search')").unwrap();
    app.batch_execute("CALL cordon.reencrypt('parted', 'note', tenant_column => 'team_id')").unwrap();
    app.batch_execute("CALL cordon.reencrypt('plain', 'mail', tenant_column => 'team_id')").unwrap();
    for table in ["parted", "deferred"] {
        let outcome =
            app.batch_execute(&format!("CALL cordon.reencrypt('{table}', 'mail', tenant_column => 'team_id')"));
        assert_refused(outcome, "55000", &[]);
        let old: i64 = app
            .query_one(&format!("SELECT sum(rows)::bigint FROM cordon.key_usage('{table}', 'mail') WHERE purpose = 'search' AND status = 'enabled'"), &[])
            .unwrap()
            .get(0);
        assert_eq!(old, 50, "{table}: nothing was done by halves");
    }
}

/// Names beyond ASCII in a database of another encoding, where they are no UTF-8.
#[test]
fn names_in_another_encoding_stop_nothing() {
    let database = shared_cluster().database_with("latin_names", "ENCODING 'LATIN1'");
    database.superuser().batch_execute("GRANT EXECUTE ON FUNCTION cordon.convert_on_write() TO app").unwrap();
    let mut app = database.tenant("7");
    app.batch_execute(
        "CREATE SCHEMA \"schön\";
         CREATE TABLE \"schön\".\"größe\" (team_id bigint NOT NULL, \"schlüssel\" text PRIMARY KEY, \"geheimnis\" text, \"währung\" encrypted_text);
         INSERT INTO \"schön\".\"größe\" SELECT 7, 'ö' || i, 'geheim ü' || i, 'ß' || i FROM generate_series(1, 10) i",
    )
    .unwrap();
    let name = "'\"schön\".\"größe\"'";
    for statement in [
        format!("SELECT cordon.protect({name})"),
        format!("SELECT * FROM cordon.key_usage({name}, 'währung')"),
        format!("SELECT * FROM cordon.verify_column({name}, 'währung')"),
        format!("CALL cordon.reencrypt({name}, 'währung')"),
        format!("CALL cordon.encrypt_column({name}, 'geheimnis')"),
        format!("SELECT * FROM cordon.conversion_problems({name}, 'geheimnis', true)"),
        format!("CALL cordon.finish_conversion({name}, 'geheimnis')"),
        "SELECT * FROM cordon.audit()".into(),
    ] {
        app.batch_execute(&statement).unwrap_or_else(|error| panic!("{statement}: {}", whole_error(&error)));
    }
    let opened: String = app
        .query_one("SELECT \"geheimnis\"::text FROM \"schön\".\"größe\" WHERE \"schlüssel\" = 'ö3'", &[])
        .unwrap()
        .get(0);
    assert_eq!(opened, "geheim ü3");
    let mut analyst = database.cluster.connect("analyst", &database.name);
    let refused = analyst.query(
        "SELECT * FROM cordon.key_usage($1::oid::regclass, 'x')",
        &[&app.query_one("SELECT 'schön.größe'::regclass::oid", &[]).unwrap().get::<_, u32>(0)],
    );
    assert_eq!(sqlstate(&refused.unwrap_err()), "42501");
    assert_refused(app.query("SELECT cordon.set_tenant('größe')", &[]), "22023", &[]);
}

/// A materialized view keeps what was stored when it was refreshed, and no count of its table's values tells of it.
#[test]
fn a_key_that_only_a_materialized_view_needs_is_not_disabled() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("d");
    let mut app = database.tenant("7");
    app.batch_execute(
        "CREATE TABLE t (team_id bigint, token encrypted_text); INSERT INTO t VALUES (7, 'secret'), (7, NULL);
         CREATE MATERIALIZED VIEW copies AS SELECT token FROM t",
    )
    .unwrap();
    let mut dba = database.superuser();
    let old: i64 = dba.query_one("SELECT key_id FROM cordon.key_usage('t', 'token')", &[]).unwrap().get(0);
    dba.batch_execute("SELECT cordon.rotate_key('encryption')").unwrap();
    app.batch_execute("CALL cordon.reencrypt('t', 'token', tenant_column => 'team_id')").unwrap();
    let error = dba.query("SELECT cordon.disable_key($1)", &[&old]).expect_err("the copies need the key");
    assert_eq!(sqlstate(&error), "2BP01");
    assert!(whole_error(&error).contains("copies.token"), "{}", whole_error(&error));
    let fix = "SELECT fix_sql FROM cordon.audit() WHERE code = 'old_key_in_use' AND object ~ 'copies'";
    let fix: String = dba.query_one(fix, &[]).unwrap().get(0);
    dba.batch_execute(&fix).unwrap();
    dba.query("SELECT cordon.disable_key($1)", &[&old]).unwrap();
    assert_eq!(app.query_one("SELECT count(token::text) FROM copies", &[]).unwrap().get::<_, i64>(0), 1);
}
