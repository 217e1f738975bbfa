//! Which keys values are under, whether they open, and moving them to the primary keys. `sql/rotation.sql` says what of
//! which table; here it is done as the table's owner.

use cordon_core::{KeyId, Purpose};
use pgrx::{
    iter::TableIterator,
    name, pg_extern,
    pg_sys::{self, Oid},
    spi::quote_identifier,
};

use crate::pg::{
    error::{Failure, or_raise},
    keys::{Root, with_keys},
    owner::OwnTable,
};

/// Seals those values of a column anew that are not under the primary keys, in `count` blocks of a table from block
/// `first` on, and returns how many. Rows that others have locked are left for another time: nobody waits for this while
/// this waits for them.
#[pg_extern(sql = false)]
fn reencrypt_batch(
    relation: Oid,
    column: &str,
    tenant_column: Option<&str>,
    has_equality: bool,
    first: i64,
    count: i64,
) -> i64 {
    let column = quote_identifier(column);
    let tenant = tenant_column.map_or("NULL".into(), quote_identifier);
    let is_outdated = or_raise(is_outdated(&column, has_equality));
    let table = or_raise(OwnTable::lock(relation, pg_sys::RowExclusiveLock));
    let (name, end) = (&table.name, first.saturating_add(count));
    let statement = format!(
        "UPDATE ONLY {name} SET {column} = cordon.reseal({column}, {tenant}::text) WHERE {is_outdated} AND ctid = ANY \
         (ARRAY(SELECT ctid FROM ONLY {name} WHERE ctid >= '({first},0)'::tid AND ctid < '({end},0)'::tid \
         AND {is_outdated} FOR UPDATE SKIP LOCKED))"
    );
    let rows = or_raise(table.act(|client| client.update(&statement, None, &[]).map(|done| done.len())));
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// How many values of a table's column are under which key.
#[pg_extern(sql = false)]
fn count_keys(
    relation: Oid,
    column: &str,
    has_equality: bool,
) -> TableIterator<
    'static,
    (name!(purpose, &'static str), name!(key_id, i64), name!(status, &'static str), name!(rows, i64)),
> {
    let column = quote_identifier(column);
    let table = or_raise(OwnTable::lock(relation, pg_sys::AccessShareLock));
    let mut counted = Vec::new();
    for (purpose, function) in [(Purpose::Encryption, "key_id"), (Purpose::Search, "search_key_id")] {
        if purpose == Purpose::Search && !has_equality {
            continue;
        }
        let query = format!(
            "SELECT cordon.{function}({column}), count(*) FROM ONLY {} WHERE {column} IS NOT NULL GROUP BY 1",
            table.name
        );
        counted.extend(or_raise(table.act(|client| {
            let rows = client.select(&query, None, &[])?;
            rows.map(|row| Ok((purpose, row.get::<i64>(1)?.unwrap_or(0), row.get::<i64>(2)?.unwrap_or(0))))
                .collect::<Result<Vec<_>, _>>()
        })));
    }
    let status = |id: i64| {
        let known = with_keys(|keys| {
            keys.keyring().map(|ring| {
                ring.keys()
                    .iter()
                    .find(|key| KeyId::try_from(id) == Ok(key.id))
                    .map_or("missing", |key| key.status.name())
            })
        });
        or_raise(known)
    };
    let rows: Vec<_> = counted.into_iter().map(|(purpose, id, rows)| (purpose.name(), id, status(id), rows)).collect();
    TableIterator::new(rows)
}

/// The values of a table's column that do not open, by the places of their rows.
#[pg_extern(sql = false)]
fn failing_values(
    relation: Oid,
    column: &str,
    tenant_column: Option<&str>,
) -> TableIterator<'static, (name!(row_id, String), name!(problem, String))> {
    let column = quote_identifier(column);
    let tenant = tenant_column.map_or("NULL".into(), quote_identifier);
    let table = or_raise(OwnTable::lock(relation, pg_sys::AccessShareLock));
    let query = format!(
        "SELECT place, problem FROM (SELECT ctid::text AS place, cordon.check_value({column}, {tenant}::text) AS problem \
         FROM ONLY {}) checked WHERE problem IS NOT NULL",
        table.name
    );
    let rows = or_raise(table.act(|client| {
        let rows = client.select(&query, None, &[])?;
        rows.map(|row| Ok((row.get(1)?.unwrap_or_default(), row.get(2)?.unwrap_or_default())))
            .collect::<Result<Vec<(String, String)>, _>>()
    }));
    TableIterator::new(rows)
}

/// The condition that a value is not under the primary keys.
fn is_outdated(column: &str, has_equality: bool) -> Result<String, Failure> {
    let primary = |purpose| with_keys(|keys| keys.root(Root::Primary(purpose)).map(|root| root.id));
    let encryption = primary(Purpose::Encryption)?;
    Ok(if has_equality {
        let search = primary(Purpose::Search)?;
        format!("(cordon.key_id({column}) <> {encryption} OR cordon.search_key_id({column}) <> {search})")
    } else {
        format!("cordon.key_id({column}) <> {encryption}")
    })
}
