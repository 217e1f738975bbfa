//! Turning one column into another while both are in use. `sql/conversion.sql` adds and removes columns; here a trigger
//! keeps the two alike, and rows that were there before go through the same trigger.

use core::ffi::CStr;
use std::{
    ffi::CString,
    sync::atomic::{AtomicBool, Ordering},
};

use pgrx::{
    Spi,
    iter::TableIterator,
    name, pg_extern,
    pg_sys::{self, Datum, Oid},
    spi::{quote_identifier, quote_literal},
};

use crate::{
    c_functions,
    pg::{
        conversion::{self, Conversion, RowTenant, with_plaintext, write},
        error::{Failure, or_raise},
        fmgr::Args,
        log,
        owner::OwnTable,
        row_trigger::{Column, RowTrigger},
        rows::{self, Row},
    },
};

c_functions! {
    convert_on_write => follow_write;
}

/// Set while this session converts rows that were there before.
static IN_BATCH: AtomicBool = AtomicBool::new(false);

/// `cordon.convert_on_write()`, the trigger that keeps the columns of a conversion alike. Whoever writes the new column
/// knows of it, so that is the one to follow where both were written.
///
/// An application that knows the old column alone must be able to go on whatever happens: what cannot be converted leaves
/// the new column NULL, which the end of the conversion finds.
fn follow_write(args: Args) -> Result<Datum, Failure> {
    log::note_secret();
    let row = RowTrigger::of(&args)?;
    let arguments = row.arguments();
    let conversion = Conversion::parse(&arguments)?;
    let source = row.column(conversion.source)?;
    let target = row.column(conversion.target)?;
    let tenant = conversion.tenant.map(|name| row.column(name)).transpose()?;
    let tenant_of_row = || RowTenant::read(tenant.map(|column| (column, row.value(column))));
    let (is_source_changed, is_target_changed) = (row.is_changed(source), row.is_changed(target));
    let (from, to) = (row.value(source), row.value(target));

    let follows_target = match row.is_update() {
        true => is_target_changed && (to.is_some() || !is_source_changed),
        false => to.is_some(),
    };
    if follows_target {
        let value = match to {
            Some(value) if conversion.from.is_written() => {
                let tenant = tenant_of_row()?;
                let write = |plaintext: &[u8]| write(conversion.from, source, plaintext, &tenant);
                Some(with_plaintext(conversion.to, target, value, &tenant, write)?)
            }
            // Rather no value than an old one.
            _ => None,
        };
        return Ok(row.with(source, value));
    }
    let is_moved = row.is_update() && tenant.is_some_and(|column| row.is_changed(column));
    let is_due = is_source_changed || (from.is_some() && (is_moved || to.is_none()));
    if !is_due {
        return Ok(row.unchanged());
    }
    let is_batch = IN_BATCH.load(Ordering::Relaxed);
    let converted = match from {
        None => None,
        Some(value) => {
            let outcome = tenant_of_row().and_then(|tenant| {
                let write = |plaintext: &[u8]| write(conversion.to, target, plaintext, &tenant);
                with_plaintext(conversion.from, source, value, &tenant, write)
            });
            match outcome {
                Ok(value) => Some(value),
                Err(failure) if is_batch && !failure.concerns_one_value() => return Err(failure),
                Err(_) => None,
            }
        }
    };
    Ok(if is_batch && converted.is_none() { RowTrigger::skipped() } else { row.with(target, converted) })
}

/// Converts the values in `count` blocks of a table from block `first` on that are not converted yet, and returns how
/// many. Rows that others have locked are left for another time.
#[pg_extern(sql = false)]
fn convert_batch(relation: Oid, column: &str, first: i64, count: i64) -> i64 {
    let arguments = or_raise(arguments(relation, column));
    let conversion = or_raise(parse(&arguments));
    let (source, target) = (quoted(conversion.source), quoted(conversion.target));
    let table = or_raise(OwnTable::lock(relation, pg_sys::RowExclusiveLock));
    let (name, end) = (&table.name, first.saturating_add(count));
    let is_due = format!("{source} IS NOT NULL AND {target} IS NULL");
    // The trigger puts the value in, or leaves the row out.
    let statement = format!(
        "UPDATE ONLY {name} SET {target} = NULL WHERE {is_due} AND ctid = ANY \
         (ARRAY(SELECT ctid FROM ONLY {name} WHERE ctid >= '({first},0)'::tid AND ctid < '({end},0)'::tid \
         AND {is_due} FOR UPDATE SKIP LOCKED))"
    );
    let _batch = Batch::begin();
    let rows = or_raise(table.act(|client| client.update(&statement, None, &[]).map(|done| done.len())));
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// How many values of a table are not converted, yet or at all; with `is_backward`, how many are in the new column alone.
#[pg_extern(sql = false)]
fn count_unconverted(relation: Oid, column: &str, is_backward: bool) -> i64 {
    let arguments = or_raise(arguments(relation, column));
    let conversion = or_raise(parse(&arguments));
    let table = or_raise(OwnTable::lock(relation, pg_sys::AccessShareLock));
    let (mut full, mut empty) = (quoted(conversion.source), quoted(conversion.target));
    if is_backward {
        core::mem::swap(&mut full, &mut empty);
    }
    let query = format!("SELECT count(*) FROM ONLY {} WHERE {full} IS NOT NULL AND {empty} IS NULL", table.name);
    or_raise(table.act(|client| client.select(&query, None, &[])?.first().get_one::<i64>())).unwrap_or(0)
}

/// The rows of a table that are not converted, and why; with `is_thorough` every row is looked at, and those are returned
/// as well whose two columns do not say the same. `key` names the columns that identify a row.
#[pg_extern(sql = false)]
fn unconverted_rows(
    relation: Oid,
    column: &str,
    key: Vec<String>,
    is_thorough: bool,
) -> TableIterator<'static, (name!(row_id, String), name!(row_key, String), name!(problem, String))> {
    let arguments = or_raise(arguments(relation, column));
    let conversion = or_raise(parse(&arguments));
    log::note_secret();
    let table = or_raise(OwnTable::lock(relation, pg_sys::AccessShareLock));
    let (source, target) = (quoted(conversion.source), quoted(conversion.target));
    let key: Vec<_> =
        key.iter().map(|column| format!("{}, {}", quote_literal(column), quote_identifier(column))).collect();
    let tenant = conversion.tenant.map_or(String::new(), |tenant| format!(", {}", quoted(tenant)));
    let condition = if is_thorough { "true".to_owned() } else { format!("{source} IS NOT NULL AND {target} IS NULL") };
    let query = format!(
        "SELECT ctid::text AS \"ctid::text\", jsonb_build_object({})::text AS \"key::text\", {source}, {target}{tenant} \
         FROM ONLY {} WHERE {condition}",
        key.join(", "),
        table.name
    );
    let mut found = Vec::new();
    let visited = table.act(|_| {
        Ok(rows::for_each(&query, |row| {
            if let Some(problem) = problem_of(&conversion, row)? {
                found.push((row.text(1), row.text(2), problem));
            }
            Ok(())
        }))
    });
    or_raise(or_raise(visited));
    TableIterator::new(found)
}

/// Raises an error when the values of a source cannot be read here for want of keys.
#[pg_extern(sql = false)]
fn require_source(name: &str) {
    let name = or_raise(CString::new(name).map_err(|_| Failure::NotText));
    or_raise(conversion::require_source(&name));
}

/// Why a row is not converted or not rightly, or None.
fn problem_of(conversion: &Conversion<'_>, row: &Row) -> Result<Option<String>, Failure> {
    let (source, target) = (row.column(conversion.source)?, row.column(conversion.target)?);
    let outcome = match (row.value(source), row.value(target)) {
        (None, None) => return Ok(None),
        (Some(from), None) => tenant_of(conversion, row).and_then(|tenant| {
            let write = |plaintext: &[u8]| write(conversion.to, target, plaintext, &tenant).map(drop);
            with_plaintext(conversion.from, source, from, &tenant, write)?;
            Ok(Some("not converted yet"))
        }),
        (None, Some(to)) => tenant_of(conversion, row).and_then(|tenant| {
            with_plaintext(conversion.to, target, to, &tenant, |_| Ok(()))?;
            Ok(conversion.from.is_written().then_some(DIFFERS))
        }),
        (Some(from), Some(to)) => tenant_of(conversion, row).and_then(|tenant| {
            with_plaintext(conversion.to, target, to, &tenant, |new| {
                let old = |old: &[u8]| Ok(old == new);
                let mut is_same = with_plaintext(conversion.from, source, from, &tenant, old)?;
                if !is_same && conversion.from.is_written() {
                    // A value of json or varchar(n) may be spelled in another way than it was written.
                    let again = write(conversion.from, source, new, &tenant)?;
                    is_same = with_plaintext(conversion.from, source, again, &tenant, |again| {
                        with_plaintext(conversion.from, source, from, &tenant, |old| Ok(old == again))
                    })?;
                }
                Ok((!is_same).then_some(DIFFERS))
            })
        }),
    };
    match outcome {
        Ok(problem) => Ok(problem.map(str::to_owned)),
        Err(failure) if failure.concerns_one_value() => Ok(Some(failure.report().message().to_owned())),
        Err(failure) => Err(failure),
    }
}

const DIFFERS: &str = "the two columns differ";

fn tenant_of(conversion: &Conversion<'_>, row: &Row) -> Result<RowTenant, Failure> {
    let column: Option<Column> = conversion.tenant.map(|name| row.column(name)).transpose()?;
    RowTenant::read(column.map(|column| (column, row.value(column))))
}

/// The arguments of the trigger by which a column of a table is being converted. Only a role that may use the trigger's
/// function has made it, so it stands for the permission to read and write values of every tenant in this table.
fn arguments(relation: Oid, column: &str) -> Result<Vec<CString>, Failure> {
    const QUERY: &str = "SELECT tgargs FROM pg_catalog.pg_trigger WHERE tgrelid OPERATOR(pg_catalog.=) $1 \
                         AND tgfoid OPERATOR(pg_catalog.=) 'cordon.convert_on_write()'::pg_catalog.regprocedure";
    let all = Spi::connect(|client| {
        let rows = client.select(QUERY, None, &[relation.into()])?;
        rows.map(|row| row.get::<Vec<u8>>(1).map(Option::unwrap_or_default)).collect::<Result<Vec<_>, _>>()
    });
    let split = |bytes: Vec<u8>| -> Vec<CString> {
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
        bytes.split(|byte| *byte == 0).filter_map(|argument| CString::new(argument).ok()).collect()
    };
    let mut all = all.map_err(|_| Failure::NotConversion)?.into_iter().map(split);
    let is_it = |arguments: &Vec<CString>| arguments.first().is_some_and(|name| name.as_bytes() == column.as_bytes());
    all.find(is_it).ok_or(Failure::NotConversion)
}

fn parse(arguments: &[CString]) -> Result<Conversion<'_>, Failure> {
    let arguments: Vec<&CStr> = arguments.iter().map(CString::as_c_str).collect();
    Conversion::parse(&arguments)
}

fn quoted(name: &CStr) -> String {
    quote_identifier(name.to_string_lossy().as_ref())
}

/// As long as it lives, the trigger leaves rows out that it cannot convert.
struct Batch;

impl Batch {
    fn begin() -> Self {
        IN_BATCH.store(true, Ordering::Relaxed);
        Self
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        IN_BATCH.store(false, Ordering::Relaxed);
    }
}
