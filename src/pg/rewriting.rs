//! `cordon_internal.rewrite`, the procedure behind cordon.reencrypt, encrypt_column, decrypt_column and add_tenant_column: table by table, in
//! batches that are committed, and again from where it was when it is broken off.

use core::ffi::{CStr, c_int, c_long};
use std::time::Instant;

use pgrx::{
    PgLogLevel, PgMemoryContexts, PgSqlErrorCode,
    pg_sys::{self, Datum, Oid, panic::ErrorReport},
};

use super::{
    convert::{convert_blocks, count_in_one},
    error::Failure,
    fmgr::Args,
    parent::{count_without_tenant, fill_blocks},
    rotation::{count_outdated, reencrypt_blocks},
    rows_out,
    table::{Access, Blocks, OwnTable, descendants},
};

/// What is to be done with a column.
struct Task<'a> {
    /// `reencrypt`, `encrypt`, `decrypt` or `tenant`, as cordon.rewriting shows it.
    name: &'a str,
    column: &'a CStr,
    tenant: Option<&'a CStr>,
    decides_partition: bool,
    batch_size: f64,
    /// In seconds.
    pause: f64,
}

/// `cordon_internal.rewrite(task text, target regclass, column_name name, tenant_column name, decides_partition boolean,
/// batch_size integer, pause interval)`
pub fn rewrite(args: Args) -> Result<Datum, Failure> {
    for (at, name) in
        [(0, "task"), (1, "target"), (2, "column_name"), (4, "decides_partition"), (5, "batch_size"), (6, "pause")]
    {
        if args.is_null(at) {
            return Err(Failure::Null(name));
        }
    }
    let task = args.varlena(0);
    // SAFETY: an interval by its declaration.
    let pause = unsafe { &*args.pointer(6).cast::<pg_sys::Interval>() };
    let task = Task {
        name: match task.as_bytes() {
            b"reencrypt" => "reencrypt",
            b"encrypt" => "encrypt",
            b"decrypt" => "decrypt",
            b"tenant" => "tenant",
            _ => return Err(Failure::NotConversion),
        },
        column: args.name(2),
        tenant: args.optional_name(3),
        decides_partition: args.bool(4),
        batch_size: args.int4(5).max(1).into(),
        pause: pause.time as f64 / 1e6 + f64::from(pause.day) * 86_400.0 + f64::from(pause.month) * 2_592_000.0,
    };
    let todo = descendants(args.oid(1), Access::Read)?;
    // SAFETY: PostgreSQL refuses to commit where the procedure was not called on its own; the connection is closed at the end
    // or by an error.
    unsafe {
        pg_sys::SPI_connect_ext(if is_atomic(&args) { 0 } else { pg_sys::SPI_OPT_NONATOMIC as c_int });
        for leaf in todo {
            rewrite_table(&task, leaf)?;
        }
        pg_sys::SPI_finish();
    }
    Ok(args.null())
}

/// Whether the procedure was called where it cannot commit, as in a transaction of the caller's: then the first commit is
/// refused.
fn is_atomic(args: &Args) -> bool {
    // SAFETY: the context of a call is NULL or a node; that of CALL says so.
    unsafe {
        let context = args.context();
        context.is_null()
            || (*context).type_ != pg_sys::NodeTag::T_CallContext
            || (*context.cast::<pg_sys::CallContext>()).atomic
    }
}

/// # Safety
/// Connected to SPI.
unsafe fn rewrite_table(task: &Task<'_>, leaf: Oid) -> Result<(), Failure> {
    let started = Instant::now();
    let began = now();
    let (name, has_rows, step) = {
        let table = OwnTable::open(leaf, Access::Read)?;
        // SAFETY: an open relation has its row of pg_class.
        let (kind, pages, rows) = unsafe {
            let class = &*(*table.relation()).rd_rel;
            (class.relkind as u8, f64::from(class.relpages), f64::from(class.reltuples))
        };
        // Blocks of about as many rows as a batch is to have.
        let rows_per_block = if pages > 0.0 && rows > 0.0 { rows / pages } else { 50.0 };
        let step = (task.batch_size / rows_per_block.max(1.0)).clamp(1.0, f64::from(u32::MAX / 2)) as u32;
        (table.name(), kind == pg_sys::RELKIND_RELATION, step)
    };
    if !has_rows {
        return Ok(());
    }
    let (mut rows_done, mut pass, mut before, mut told) = (0, 0, None, Instant::now());
    // SAFETY: by this function's contract.
    unsafe {
        let (remaining, blocks) = loop {
            pass += 1;
            // What others insert or update from now on needs no work.
            let blocks = OwnTable::open(leaf, Access::Read)?.blocks();
            // Where a call that was broken off got to; the next pass looks at all that is before.
            let mut first = if pass == 1 { blocks_done(task, leaf).min(blocks) } else { 0 };
            while first < blocks {
                pgrx::check_for_interrupts!();
                let end = first.saturating_add(step).min(blocks);
                // What a batch allocates goes with it, however many there are.
                let batch = PgMemoryContexts::new("pg_cordon batch").switch_to(|_| {
                    let batch = run_batch(task, leaf, Blocks { first, end })?;
                    note(task, leaf, began, [pass, end.into(), blocks.into(), rows_done + batch], false);
                    Ok::<_, Failure>(batch)
                })?;
                first = end;
                rows_done += batch;
                pg_sys::SPI_commit();
                if batch > 0 && task.pause > 0.0 {
                    sleep(task.pause);
                }
                if told.elapsed().as_secs() >= 5 {
                    told = Instant::now();
                    let rate = rows_done as f64 / started.elapsed().as_secs_f64();
                    let left = started.elapsed().mul_f64(f64::from(blocks - first) / f64::from(first.max(1)));
                    notice(format!(
                        "{name}: {first} of {blocks} blocks, {rows_done} rows, {rate:.0} rows/s, about {} s left",
                        left.as_secs()
                    ));
                }
            }
            let remaining = {
                let table = OwnTable::open(leaf, Access::Read)?;
                match task.name {
                    "reencrypt" => count_outdated(&table, task.column)?,
                    "tenant" => count_without_tenant(&table, task.column)?,
                    _ => count_in_one(&table, task.column, false)?,
                }
            };
            // Rows that others had locked. Once more, unless nothing moves.
            if remaining == 0 || (pass > 1 && before == Some(remaining)) {
                break (remaining, blocks);
            }
            before = Some(remaining);
            pg_sys::SPI_commit();
            sleep(0.5);
        };
        if remaining > 0 && task.name == "reencrypt" {
            ErrorReport::new(
                PgSqlErrorCode::ERRCODE_WARNING,
                format!("{remaining} values of \"{name}\" are still under other keys"),
                "pg_cordon",
            )
            .set_detail("Their rows were locked by other transactions at each pass.")
            .set_hint("When those have ended, call it again.")
            .report(PgLogLevel::WARNING);
        }
        note(task, leaf, began, [pass, blocks.into(), blocks.into(), rows_done], remaining == 0);
        let done = match task.name {
            "reencrypt" => "sealed anew",
            "tenant" => "given their tenant",
            _ => "converted",
        };
        notice(format!("{name}: {rows_done} rows {done} in {:.1} s", started.elapsed().as_secs_f64()));
        pg_sys::SPI_commit();
    }
    Ok(())
}

fn run_batch(task: &Task<'_>, leaf: Oid, blocks: Blocks) -> Result<i64, Failure> {
    let table = OwnTable::open(leaf, Access::Write)?;
    match task.name {
        "reencrypt" => reencrypt_blocks(&table, blocks, task.column, task.tenant, task.decides_partition),
        "tenant" => fill_blocks(&table, blocks, task.column),
        _ => convert_blocks(&table, blocks, task.column),
    }
}

/// Where a call that was broken off got to. The table is the owner's to write: what it says is a claim, which the count at
/// the end of each pass corrects.
///
/// # Safety
/// Connected to SPI.
unsafe fn blocks_done(task: &Task<'_>, leaf: Oid) -> u32 {
    const QUERY: &CStr =
        c"SELECT r.blocks_done FROM cordon.rewriting r WHERE r.relation OPERATOR(pg_catalog.=) $1 AND \
        r.column_name OPERATOR(pg_catalog.=) $2 AND r.task OPERATOR(pg_catalog.=) $3 AND r.finished_at IS NULL";
    // SAFETY: by this function's contract; the column is a bigint.
    unsafe {
        execute(
            QUERY,
            [
                (pg_sys::OIDOID, Datum::from(leaf)),
                (pg_sys::NAMEOID, name_datum(task.column)),
                (pg_sys::TEXTOID, text_datum(task.name)),
            ],
        );
        let (mut is_null, rows) = (true, pg_sys::SPI_tuptable.as_ref());
        let Some(rows) = rows.filter(|_| pg_sys::SPI_processed > 0) else { return 0 };
        let value = pg_sys::SPI_getbinval(*rows.vals, rows.tupdesc, 1, &raw mut is_null);
        if is_null { 0 } else { u32::try_from(value.value() as i64).unwrap_or_default() }
    }
}

/// Writes down how far the rewriting of a table is: pass, blocks done, blocks, rows done.
///
/// # Safety
/// Connected to SPI.
unsafe fn note(task: &Task<'_>, leaf: Oid, began: pg_sys::TimestampTz, progress: [i64; 4], is_finished: bool) {
    const DELETE: &CStr = c"DELETE FROM cordon.rewriting r WHERE r.relation OPERATOR(pg_catalog.=) $1 AND \
        r.column_name OPERATOR(pg_catalog.=) $2 AND r.task OPERATOR(pg_catalog.=) $3";
    const INSERT: &CStr = c"INSERT INTO cordon.rewriting (relation, column_name, task, pid, started_at, updated_at, \
        finished_at, pass, blocks_done, blocks, rows_done) VALUES ($1, $2, $3, pg_catalog.pg_backend_pid(), $4, \
        pg_catalog.clock_timestamp(), CASE WHEN $5 THEN pg_catalog.clock_timestamp() END, $6, $7, $8, $9)";
    // SAFETY: by this function's contract; values of the types that they are said to be.
    unsafe {
        let which = [
            (pg_sys::REGCLASSOID, Datum::from(leaf)),
            (pg_sys::NAMEOID, name_datum(task.column)),
            (pg_sys::TEXTOID, text_datum(task.name)),
        ];
        execute(DELETE, which);
        let [relation, column, name] = which;
        let [pass, blocks_done, blocks, rows_done] = progress;
        execute(
            INSERT,
            [
                relation,
                column,
                name,
                (pg_sys::TIMESTAMPTZOID, Datum::from(began)),
                (pg_sys::BOOLOID, Datum::from(is_finished)),
                (pg_sys::INT4OID, Datum::from(pass as i32)),
                (pg_sys::INT8OID, Datum::from(blocks_done)),
                (pg_sys::INT8OID, Datum::from(blocks)),
                (pg_sys::INT8OID, Datum::from(rows_done)),
            ],
        );
    }
}

/// # Safety
/// Connected to SPI; the values must be of the types.
unsafe fn execute<const N: usize>(statement: &CStr, arguments: [(Oid, Datum); N]) {
    let mut types = arguments.map(|(type_oid, _)| type_oid);
    let mut values = arguments.map(|(_, value)| value);
    // SAFETY: by this function's contract.
    unsafe {
        pg_sys::SPI_execute_with_args(
            statement.as_ptr(),
            N as c_int,
            types.as_mut_ptr(),
            values.as_mut_ptr(),
            core::ptr::null(),
            false,
            0 as c_long,
        );
    }
}

fn text_datum(value: &str) -> Datum {
    rows_out::text_datum(value).unwrap_or(Datum::null())
}

/// A name as PostgreSQL has it: in a buffer of its full width.
fn name_datum(name: &CStr) -> Datum {
    // SAFETY: as much memory as a name has, zeroed; a name is shorter than that.
    unsafe {
        let copy = pg_sys::palloc0(size_of::<pg_sys::NameData>()).cast::<u8>();
        let bytes = name.to_bytes();
        core::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len().min(size_of::<pg_sys::NameData>() - 1));
        Datum::from(copy)
    }
}

fn now() -> pg_sys::TimestampTz {
    // SAFETY: asks the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

fn sleep(seconds: f64) {
    // SAFETY: a function of one argument, which is interrupted as it is when SQL calls it.
    unsafe { pgrx::direct_function_call::<()>(pg_sys::pg_sleep, &[Some(Datum::from(seconds.to_bits()))]) };
}

fn notice(message: String) {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, message, "pg_cordon").report(PgLogLevel::NOTICE);
}
