//! Types with equality where there is no key, across rotations, in dumps, and as drivers send parameters.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, io::Write};

use cordon_tests::{Cluster, Settings, assert_refused, shared_cluster, sqlstate};
use postgres::{
    Client,
    types::{ToSql, Type},
};

const TABLE: &str = "CREATE TABLE customer (id int, team_id bigint NOT NULL DEFAULT cordon.tenant_int8(),
    email encrypted_text_eq, login shared_encrypted_text_eq UNIQUE, UNIQUE (team_id, email))";

fn insert(client: &mut Client, id: i32, email: &str) -> Result<u64, postgres::Error> {
    client.execute("INSERT INTO customer (id, email, login) VALUES ($1, $2::text, $2::text)", &[&id, &email])
}

fn ids(client: &mut Client, query: &str, parameters: &[&(dyn ToSql + Sync)]) -> Vec<i32> {
    client.query(query, parameters).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn parameters_of_every_type_find_the_row() {
    let database = shared_cluster().database("eq_parameters");
    let mut client = database.tenant("7");
    client.batch_execute(TABLE).unwrap();
    for id in 0..50 {
        insert(&mut client, id, &format!("user{id}@x")).unwrap();
    }
    for column in ["email", "login"] {
        for kind in [Type::TEXT, Type::VARCHAR] {
            for query in [format!("{column} = $1"), format!("$1 = {column}")] {
                let query = format!("SELECT id FROM customer WHERE {query}");
                let statement = client.prepare_typed(&query, std::slice::from_ref(&kind)).unwrap();
                let rows = client.query(&statement, &[&"user7@x"]).unwrap();
                assert_eq!(rows.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [7], "{query} {kind}");
            }
        }
        for kind in [Type::TEXT_ARRAY, Type::VARCHAR_ARRAY] {
            let query = format!("SELECT id FROM customer WHERE {column} = ANY ($1) ORDER BY id");
            let statement = client.prepare_typed(&query, std::slice::from_ref(&kind)).unwrap();
            let rows = client.query(&statement, &[&vec!["user7@x", "user9@x"]]).unwrap();
            assert_eq!(rows.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [7, 9], "{query} {kind}");
        }
    }
    let error = insert(&mut client, 99, "user7@x").unwrap_err();
    assert_eq!(sqlstate(&error), "23505");
}

#[test]
fn comparing_needs_no_keyring() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("eq_no_keys");
    for tenant in ["7", "8"] {
        let mut client = database.tenant(tenant);
        if tenant == "7" {
            client.batch_execute(TABLE).unwrap();
        }
        for id in 0..200 {
            insert(&mut client, id, &format!("user{id}@{tenant}")).unwrap();
        }
    }
    let stored = database.run("postgres", "-c row_security=off", "psql", &["-Atc", "COPY customer TO STDOUT"]);
    fs::remove_file(cluster.keyring()).unwrap();
    cluster.restart();
    let mut dba = database.superuser();
    dba.batch_execute(
        "CREATE EXTENSION amcheck; ANALYZE customer; CLUSTER customer USING customer_team_id_email_key;
         REINDEX TABLE customer;
         CREATE INDEX by_hash ON customer USING hash (email);
         SELECT bt_index_check(indexrelid, true) FROM pg_index JOIN pg_class c ON c.oid = indexrelid
         JOIN pg_am m ON m.oid = relam WHERE indrelid = 'customer'::regclass AND amname = 'btree';
         SELECT * FROM pg_stats WHERE tablename = 'customer'",
    )
    .unwrap();
    dba.batch_execute("VACUUM (FULL, ANALYZE) customer").unwrap();
    let query = "SELECT count(DISTINCT a.email)::int FROM customer a JOIN customer b ON a.email = b.email";
    assert_eq!(ids(&mut dba, query, &[]), [400]);
    // The stored form goes in where it went out, and is found to be there already.
    dba.batch_execute("SET row_security = off").unwrap();
    let mut copy = dba.copy_in("COPY customer FROM STDIN").unwrap();
    copy.write_all(&stored).unwrap();
    assert_eq!(sqlstate(&copy.finish().unwrap_err()), "23505");
    dba.batch_execute("TRUNCATE customer").unwrap();
    let mut copy = dba.copy_in("COPY customer FROM STDIN").unwrap();
    copy.write_all(&stored).unwrap();
    assert_eq!(copy.finish().unwrap(), 400);
    // Looking for a text needs the key.
    let mut client = database.tenant("7");
    assert_refused(client.query("SELECT id FROM customer WHERE email = $1::text", &[&"user7@7"]), "55000", &["user7"]);
}

#[test]
fn values_stay_equal_across_a_rotation_of_the_encryption_key() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("eq_rotation");
    let mut client = database.tenant("7");
    client.batch_execute(TABLE).unwrap();
    insert(&mut client, 1, "ada@x").unwrap();
    database.superuser().batch_execute("SELECT cordon.rotate_key('encryption')").unwrap();
    cluster.reload(&mut client);
    insert(&mut client, 2, "bob@x").unwrap();
    let keys = "SELECT count(DISTINCT cordon.key_id(email))::int FROM customer";
    assert_eq!(ids(&mut client, keys, &[]), [2]);
    assert_eq!(sqlstate(&insert(&mut client, 3, "ada@x").unwrap_err()), "23505");
    let upsert =
        "INSERT INTO customer (id, email) VALUES (4, $1::text) ON CONFLICT (team_id, email) DO UPDATE SET id = 4";
    client.execute(upsert, &[&"ada@x"]).unwrap();
    assert_eq!(ids(&mut client, "SELECT id FROM customer WHERE email = $1::text", &[&"ada@x"]), [4]);
    // Sealing anew changes the key and neither equality nor uniqueness.
    client.batch_execute("UPDATE customer SET email = email::text, login = login::text").unwrap();
    assert_eq!(ids(&mut client, keys, &[]), [1]);
    assert_eq!(ids(&mut client, "SELECT id FROM customer WHERE email = $1::text", &[&"bob@x"]), [2]);
    assert_eq!(sqlstate(&insert(&mut client, 3, "bob@x").unwrap_err()), "23505");
}

#[test]
fn a_rotation_of_the_search_key_parts_old_values_from_new_until_they_are_sealed_anew() {
    let cluster = Cluster::start(&Settings::default());
    let database = cluster.database("eq_search_rotation");
    let mut client = database.tenant("7");
    client.batch_execute(TABLE).unwrap();
    insert(&mut client, 1, "ada@x").unwrap();
    let warning = cluster
        .client_program("psql")
        .env("PGDATABASE", "eq_search_rotation")
        .env("PGUSER", "postgres")
        .args(["-c", "SELECT cordon.rotate_key('search')"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&warning.stderr).contains("are not equal to those sealed before"));
    cluster.reload(&mut client);
    let find = "SELECT id FROM customer WHERE email = $1::text";
    assert_eq!(ids(&mut client, find, &[&"ada@x"]), [0; 0]);
    client.batch_execute("UPDATE customer SET email = email::text, login = login::text").unwrap();
    assert_eq!(ids(&mut client, find, &[&"ada@x"]), [1]);
    assert_eq!(sqlstate(&insert(&mut client, 2, "ada@x").unwrap_err()), "23505");
}

#[test]
fn a_dump_keeps_uniqueness_and_look_ups() {
    let cluster = shared_cluster();
    let source = cluster.database("eq_dumped");
    let mut client = source.tenant("7");
    client.batch_execute(TABLE).unwrap();
    for id in 0..20 {
        insert(&mut client, id, &format!("s3cret{id}@x")).unwrap();
    }
    let dump = source.run("postgres", "", "pg_dump", &["--no-owner"]);
    assert!(!String::from_utf8_lossy(&dump).contains("s3cret"));
    let file = cluster.directory().join("eq.sql");
    fs::write(&file, &dump).unwrap();
    cluster.connect("postgres", "postgres").batch_execute("CREATE DATABASE eq_restored TEMPLATE template0").unwrap();
    let arguments = ["-q", "-v", "ON_ERROR_STOP=1", "-d", "eq_restored", "-f", file.to_str().unwrap()];
    let _ = source.run("postgres", "", "psql", &arguments);
    let mut restored = cluster.connect("postgres", "eq_restored");
    restored.batch_execute("SET app.team_id = '7'").unwrap();
    assert_eq!(ids(&mut restored, "SELECT id FROM customer WHERE email = $1::text", &[&"s3cret7@x"]), [7]);
    assert_eq!(ids(&mut restored, "SELECT id FROM customer WHERE login = $1::text", &[&"s3cret8@x"]), [8]);
    assert_eq!(sqlstate(&insert(&mut restored, 99, "s3cret7@x").unwrap_err()), "23505");
}

#[test]
fn a_long_value_is_stored_and_found_by_a_hash_index() {
    let database = shared_cluster().database("eq_long");
    let mut client = database.tenant("7");
    client
        .batch_execute("CREATE TABLE t (id int, body encrypted_text_eq); CREATE INDEX ON t USING hash (body)")
        .unwrap();
    for size in [10, 2000, 3000, 100_000] {
        let text = "x".repeat(usize::try_from(size).unwrap());
        client.execute("INSERT INTO t VALUES ($1, $2::text)", &[&size, &text]).unwrap();
        client.batch_execute("SET enable_seqscan = off").unwrap();
        assert_eq!(ids(&mut client, "SELECT id FROM t WHERE body = $1::text", &[&text]), [size]);
    }
    assert_eq!(ids(&mut client, "SELECT count(DISTINCT body)::int FROM t", &[]), [4]);
    let error = client.batch_execute("CREATE INDEX ON t (body)").unwrap_err();
    assert_eq!(sqlstate(&error), "54000", "a btree entry has at most 2,704 bytes");
}

#[test]
fn the_documents_sql_runs_and_finds_what_it_looks_for() {
    let database = shared_cluster().database("eq_document");
    let text = include_str!("../../docs/EQUALITY.md");
    let mut blocks = 0;
    for block in text.split("```sql\n").skip(1).map(|rest| rest.split_once("```").expect("the end of a block").0) {
        let mut client = match block.lines().next() {
            Some("-- as app") => database.app(),
            Some("-- as app, tenant 7") => database.tenant("7"),
            line => panic!("a block that names no role: {line:?}"),
        };
        let (statements, look_up) = block.trim_end().rsplit_once('\n').expect("more than one line");
        client.batch_execute(statements).unwrap();
        assert_eq!(client.query(look_up, &[]).unwrap().len(), 1, "{look_up}");
        blocks += 1;
    }
    assert_eq!(blocks, 3);
}
