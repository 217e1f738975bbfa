//! Values as a driver writes and reads them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use cordon_tests::{assert_refused, shared_cluster};
use postgres::types::{IsNull, ToSql, Type};

#[test]
fn every_character_of_unicode_comes_back() {
    let database = shared_cluster().database("unicode");
    let mut client = database.tenant("7");
    client.batch_execute("CREATE TABLE t (id int, token encrypted_text)").unwrap();
    let characters: Vec<char> = ('\u{1}'..=char::MAX).collect();
    let mut inserted = 0;
    for (id, chunk) in characters.chunks(100_000).enumerate() {
        let text: String = chunk.iter().collect();
        let id = i32::try_from(id).unwrap();
        client.execute("INSERT INTO t VALUES ($1, $2::text)", &[&id, &text]).unwrap();
        let row = client.query_one("SELECT token::text FROM t WHERE id = $1", &[&id]).unwrap();
        assert_eq!(row.get::<_, String>(0), text, "chunk {id}");
        inserted += chunk.len();
    }
    assert_eq!(inserted, 0x11_0000 - 0x800 - 1);
}

#[test]
fn sizes_from_nothing_to_a_mebibyte_come_back() {
    let database = shared_cluster().database("sizes");
    let mut client = database.tenant("7");
    client.batch_execute("CREATE TABLE t (size int, token encrypted_text, note shared_encrypted_text)").unwrap();
    // Around the lengths at which headers, blocks, batches of blocks and TOAST begin.
    let sizes = [0, 1, 15, 16, 17, 63, 64, 75, 76, 77, 126, 127, 1023, 1024, 1025, 1950, 2000, 2048, 65_535, 1 << 20];
    for size in sizes {
        let text = "é".repeat(size / 2) + &"x".repeat(size % 2);
        let size = i32::try_from(size).unwrap();
        client.execute("INSERT INTO t VALUES ($1, $2::text, $2::text)", &[&size, &text]).unwrap();
        let row = client.query_one("SELECT token::text, note::text FROM t WHERE size = $1", &[&size]).unwrap();
        assert!(row.get::<_, &str>(0) == text && row.get::<_, &str>(1) == text, "{size} bytes");
    }
    // After a rewrite of the table, too: values move to and from TOAST as they are.
    client.batch_execute("ALTER TABLE t ADD COLUMN filler text DEFAULT repeat('x', 1000)").unwrap();
    client.batch_execute("VACUUM FULL t").unwrap();
    let wrong: i64 = client
        .query_one("SELECT count(*) FROM t WHERE octet_length(token::text) <> size OR token::text <> note::text", &[])
        .unwrap()
        .get(0);
    assert_eq!(wrong, 0);
}

#[test]
fn null_is_null_and_the_empty_text_is_sealed() {
    let database = shared_cluster().database("nothing");
    let mut client = database.tenant("7");
    client.batch_execute("CREATE TABLE t (token encrypted_text)").unwrap();
    client.execute("INSERT INTO t VALUES ($1::text), ($2::text)", &[&None::<&str>, &Some("")]).unwrap();
    let rows = client.query("SELECT token::text, pg_column_size(token) FROM t ORDER BY token IS NULL", &[]).unwrap();
    assert_eq!(rows[0].get::<_, Option<&str>>(0), Some(""));
    assert!(rows[0].get::<_, i32>(1) >= 50, "an empty text takes the room of a sealed value");
    assert_eq!(rows[1].get::<_, Option<&str>>(0), None);
}

/// A parameter of an encrypted type, in the binary format: what drivers that know the type send to its receive function.
#[derive(Debug)]
struct Binary<'a>(&'a [u8]);

impl ToSql for Binary<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut postgres::types::private::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    postgres::types::to_sql_checked!();
}

#[test]
fn the_binary_format_is_the_text() {
    let database = shared_cluster().database("binary_format");
    let mut client = database.tenant("7");
    client.batch_execute("CREATE TABLE t (token encrypted_text)").unwrap();
    client.execute("INSERT INTO t VALUES ($1)", &[&Binary("sëcret".as_bytes())]).unwrap();
    let row = client.query_one("SELECT token::text FROM t", &[]).unwrap();
    assert_eq!(row.get::<_, &str>(0), "sëcret");
    client.execute("INSERT INTO t VALUES ($1)", &[&Binary(b"")]).unwrap();
}

#[test]
fn text_with_a_zero_byte_or_broken_utf8_is_refused_without_echoing_it() {
    let database = shared_cluster().database("not_text");
    let mut client = database.tenant("7");
    client.batch_execute("CREATE TABLE t (token encrypted_text, note shared_encrypted_text)").unwrap();
    for bytes in
        [&b"zero\0byte"[..], b"\0", b"broken\xff", b"surrogate\xed\xa0\x80", b"overlong\xc0\xaf", b"cut\xe2\x82"]
    {
        for statement in ["INSERT INTO t (token) VALUES ($1)", "INSERT INTO t (note) VALUES ($1)"] {
            assert_refused(
                client.execute(statement, &[&Binary(bytes)]),
                "22021",
                &["zero\0", "zerobyte", "broken", "0x", "cut"],
            );
        }
    }
}

#[test]
fn text_is_sealed_as_utf8_whatever_the_clients_encoding() {
    let database = shared_cluster().database("client_encoding");
    let mut client = database.tenant("7");
    client.batch_execute("CREATE TABLE t (token encrypted_text); SET client_encoding = latin1").unwrap();
    client.execute("INSERT INTO t VALUES ($1)", &[&Binary(b"caf\xe9")]).unwrap();
    client.batch_execute("SET client_encoding = utf8").unwrap();
    assert_eq!(client.query_one("SELECT token::text FROM t", &[]).unwrap().get::<_, &str>(0), "café");
    let sent = database.run(
        "app",
        "-c app.team_id=7 -c client_encoding=latin1",
        "psql",
        &["-XAtc", "COPY t TO STDOUT (FORMAT binary)"],
    );
    assert!(sent.windows(4).any(|window| window == b"caf\xe9"));
}

#[test]
fn a_parallel_scan_over_a_large_table_opens_every_value() {
    let database = shared_cluster().database("parallel");
    let mut client = database.tenant("7");
    client
        .batch_execute(
            "CREATE TABLE t AS SELECT i, ('token ' || i)::encrypted_text AS token FROM generate_series(1, 200000) i;
             ANALYZE t;
             SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0",
        )
        .unwrap();
    let count = "SELECT count(*) FROM t WHERE token::text = 'token ' || i";
    let plan: Vec<String> = client
        .query(&format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {count}"), &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    let plan = plan.join("\n");
    assert!(plan.contains("Parallel Seq Scan") && plan.contains("Workers Launched: 2"), "{plan}");
    assert_eq!(client.query_one(count, &[]).unwrap().get::<_, i64>(0), 200_000);
    // Another tenant's session fails in its workers as it does in itself.
    assert_refused(
        database.tenant("8").query("SELECT count(*) FROM t WHERE token::text = 'x'", &[]),
        "42501",
        &["token"],
    );
}

#[test]
fn a_value_too_long_to_be_dumped_is_refused() {
    let database = shared_cluster().database("too_long");
    let mut client = database.tenant("7");
    let outcome = client.batch_execute("SELECT repeat('x', 536870913)::encrypted_text IS NULL");
    assert_refused(outcome, "54000", &["xxxx"]);
    client.batch_execute("SELECT 'usable'::encrypted_text").unwrap();
}
