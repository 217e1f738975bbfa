//! Turning one column into another while both are in use. `sql/conversion.sql` adds and removes columns; here a trigger
//! keeps the two alike, and rows that were there before are converted as the trigger would.

use core::ffi::CStr;
use std::ffi::CString;

use pgrx::pg_sys::{self, Datum};

use super::{
    conversion::{self, Conversion, Definition},
    error::Failure,
    fmgr::Args,
    log,
    row_trigger::{RowTrigger, TriggerFunction},
    rows_out::{Cell, RowsOut},
    table::{Access, Blocks, OwnTable, Rewriter, Row, descendants, for_each_row, key_of, primary_key},
};

/// The function of the triggers.
pub static CONVERT_ON_WRITE: TriggerFunction = TriggerFunction::new();

/// `cordon.convert_on_write()`, the trigger that keeps the columns of a conversion alike. Whoever writes the new column
/// knows of it, so that is the one to follow where both were written.
///
/// An application that knows the old column alone must be able to go on whatever its values are: what cannot be converted
/// leaves the new column NULL, which the end of the conversion finds.
pub fn follow_write(args: Args) -> Result<Datum, Failure> {
    log::note_secret();
    let row = RowTrigger::of(&args)?;
    let arguments = row.arguments();
    // SAFETY: the columns of the trigger's table, which is open.
    let conversion = unsafe { Definition::parse(&arguments)?.bind(row.columns())? };
    let (source, target) = (conversion.source.column().number, conversion.target.column().number);
    // SAFETY: a value of this row.
    let tenant_of_row = || unsafe { conversion.tenant(|number| row.value(number)) };
    let (is_source_changed, is_target_changed) = (row.is_changed(source), row.is_changed(target));
    let (from, to) = (row.value(source), row.value(target));

    if let (false, Some(from), Some(to)) = (row.is_update(), from, to) {
        // A row that comes from another partition has both already: of a form that is not written the old value is the
        // only one there is.
        // SAFETY: values of these columns, of this row.
        let agree = tenant_of_row().and_then(|tenant| unsafe { conversion.agree(from, to, &tenant) });
        if agree.unwrap_or(false) {
            return Ok(row.unchanged());
        }
    }
    let follows_target = match row.is_update() {
        true => is_target_changed && (to.is_some() || !is_source_changed),
        false => to.is_some(),
    };
    if follows_target {
        // SAFETY: values of these columns. Of a form that is not written rather no value than an old one.
        return unsafe {
            let value = match to {
                Some(value) if conversion.source.form().is_written() => {
                    conversion.backward(value, &tenant_of_row()?)?
                }
                _ => None,
            };
            Ok(row.with(source, value))
        };
    }
    let is_moved = row.is_update() && conversion.tenant.is_some_and(|column| row.is_changed(column.number()));
    let is_due = is_source_changed || (from.is_some() && (is_moved || to.is_none()));
    if !is_due {
        return Ok(row.unchanged());
    }
    // SAFETY: values of these columns.
    unsafe {
        let converted =
            from.and_then(|value| tenant_of_row().and_then(|tenant| conversion.forward(value, &tenant)).ok());
        Ok(row.with(target, converted))
    }
}

/// The definition of the conversion of a column: the arguments of its trigger on the table. Only a role that may use the
/// trigger's function has made it, so it stands for the permission to read and write values of every tenant in this table.
fn definition<'a>(table: &'a OwnTable, column: &CStr) -> Result<Definition<'a>, Failure> {
    let mut definitions = CONVERT_ON_WRITE.definitions(table).map(|arguments| Definition::parse(&arguments));
    definitions
        .find(|definition| definition.as_ref().is_ok_and(|definition| definition.source == column))
        .unwrap_or(Err(Failure::NotConversion))
}

fn bind(table: &OwnTable, column: &CStr) -> Result<Conversion, Failure> {
    let definition = definition(table, column)?;
    // SAFETY: the columns of an open table.
    unsafe { definition.bind(table.columns()) }
}

/// Converts the values in some blocks of a table that are not converted yet, and returns how many. Rows that others have
/// locked are left for another time, and so are those that cannot be converted.
pub fn convert_blocks(table: &OwnTable, blocks: Blocks, column: &CStr) -> Result<i64, Failure> {
    log::note_secret();
    let conversion = bind(table, column)?;
    let (source, target) = (conversion.source.column(), conversion.target.column());
    table.act(|| {
        let mut rewriter = Rewriter::begin(table, target);
        let mut number = 0;
        for_each_row(table, blocks, |row| {
            let is_due = |row: &Row| row.value(&source).is_some() && row.value(&target).is_none();
            let convert = |row: &Row| {
                let Some(from) = row.value(&source).filter(|_| is_due(row)) else { return Ok(None) };
                // SAFETY: values of these columns, of this row.
                let converted = unsafe {
                    conversion
                        .tenant(|number| row.attribute(number))
                        .and_then(|tenant| conversion.forward(from, &tenant))
                };
                match converted {
                    Ok(converted) => Ok(Some(converted)),
                    Err(failure) if failure.concerns_one_value() => Ok(None),
                    Err(failure) => Err(failure),
                }
            };
            if is_due(row) && rewriter.rewrite(row.place(), convert)? {
                number += 1;
            }
            Ok(())
        })?;
        rewriter.end();
        Ok(number)
    })
}

/// How many values of one table are in one column and not in the other: of the old one that are not converted, yet or at all,
/// or of the new one alone.
pub fn count_in_one(table: &OwnTable, column: &CStr, is_backward: bool) -> Result<i64, Failure> {
    let conversion = bind(table, column)?;
    let (mut full, mut empty) = (conversion.source.column(), conversion.target.column());
    if is_backward {
        core::mem::swap(&mut full, &mut empty);
    }
    let mut number = 0;
    table.act(|| {
        for_each_row(table, Blocks::ALL, |row| {
            number += i64::from(row.value(&full).is_some() && row.value(&empty).is_none());
            Ok(())
        })
    })?;
    Ok(number)
}

/// `cordon_internal.count_unconverted(target regclass, column_name name, is_backward boolean)`, of all tables under it.
pub fn count_unconverted(args: Args) -> Result<Datum, Failure> {
    let mut number = 0;
    for oid in descendants(args.oid(0), Access::Read)? {
        number += count_in_one(&OwnTable::open(oid, Access::Read)?, args.name(1), args.bool(2))?;
    }
    Ok(Datum::from(number))
}

/// `cordon_internal.unconverted_rows(target regclass, column_name name, is_thorough boolean)`: the rows that are not
/// converted, by place and primary key, and why; with `is_thorough` also those whose two columns do not say the same.
pub fn unconverted_rows(args: Args) -> Result<Datum, Failure> {
    log::note_secret();
    let rows = RowsOut::begin(&args);
    let (column, is_thorough) = (args.name(1), args.bool(2));
    for oid in descendants(args.oid(0), Access::Read)? {
        let table = OwnTable::open(oid, Access::Read)?;
        let conversion = bind(&table, column)?;
        let key = primary_key(&table);
        table.act(|| {
            for_each_row(&table, Blocks::ALL, |row| {
                if let Some(problem) = problem_of(&conversion, row, is_thorough)? {
                    rows.push([
                        Cell::regclass(oid),
                        Cell::text(&row.place_text()),
                        Cell::text(&key_of(row, &key)),
                        Cell::text(&problem),
                    ]);
                }
                Ok(())
            })
        })?;
    }
    Ok(args.null())
}

/// `cordon_internal.require_source(name text)`: an error when the values of a source cannot be read here for want of keys.
pub fn require_source(args: Args) -> Result<Datum, Failure> {
    let bytes = args.varlena(0);
    // Copied by Rust, which ends the process when there is no memory. No name is longer than one of PostgreSQL's.
    let name = bytes.as_bytes().get(..pg_sys::NAMEDATALEN as usize).unwrap_or(bytes.as_bytes());
    conversion::require_source(&CString::new(name).map_err(|_| Failure::NotText)?)?;
    Ok(args.null())
}

/// Why a row is not converted or not rightly, or None.
fn problem_of(conversion: &Conversion, row: &Row, is_thorough: bool) -> Result<Option<String>, Failure> {
    let (from, to) = (row.value(&conversion.source.column()), row.value(&conversion.target.column()));
    if from.is_none() && to.is_none() || to.is_some() && !is_thorough {
        return Ok(None);
    }
    // SAFETY: values of these columns, of this row.
    let outcome = unsafe {
        conversion.tenant(|number| row.attribute(number)).and_then(|tenant| match (from, to) {
            (Some(from), None) => conversion.forward(from, &tenant).map(|_| Some("not converted yet")),
            (None, Some(to)) => {
                conversion.target.with_plaintext(to, &tenant, |_| Ok(()))?;
                Ok(conversion.source.form().is_written().then_some(DIFFERS))
            }
            (Some(from), Some(to)) => conversion.agree(from, to, &tenant).map(|agree| (!agree).then_some(DIFFERS)),
            (None, None) => Ok(None),
        })
    };
    match outcome {
        Ok(problem) => Ok(problem.map(str::to_owned)),
        Err(failure) if failure.concerns_one_value() => Ok(Some(failure.report().message().to_owned())),
        Err(failure) => Err(failure),
    }
}

const DIFFERS: &str = "the two columns differ";
