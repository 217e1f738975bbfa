//! Runs each file of `regress/sql` with psql in a database of its own, and compares what it prints with
//! `regress/expected`. Errors show their SQLSTATE. With `CORDON_REGRESS_ACCEPT=1` what is printed becomes what is
//! expected; read the difference before you commit it. Where a version of PostgreSQL differs from 15, a file with its number
//! in the name stands beside the other: `name_17.out`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use cordon_tests::{shared_cluster, source};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let directory = source("regress");
    let mut files: Vec<PathBuf> = fs::read_dir(directory.join("sql"))
        .expect("the regress files")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    let trials = files
        .into_iter()
        .map(|sql| {
            let name = sql.file_stem().expect("a name").to_string_lossy().into_owned();
            let expected = directory.join("expected").join(&name).with_extension("out");
            Trial::test(name.clone(), move || compare(&name, &sql, &expected))
        })
        .collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    // The server is a static, which is not dropped: `make test` stops it.
    conclusion.exit();
}

fn compare(name: &str, sql: &Path, expected: &Path) -> Result<(), Failed> {
    let database = shared_cluster().database(&format!("regress_{name}"));
    let mut psql = database.cluster.client_program("psql");
    psql.env("PGDATABASE", &database.name).env("PGUSER", "postgres");
    psql.args(["--no-psqlrc", "--echo-all", "--quiet", "--set=VERBOSITY=verbose", "--file"]).arg(sql);
    let (reader, writer) = std::io::pipe()?;
    psql.stdout(writer.try_clone()?).stderr(writer);
    let mut child = psql.spawn()?;
    drop(psql);
    let printed = std::io::read_to_string(reader)?;
    child.wait()?;
    // Places in source files, of PostgreSQL and of ours, change from version to version.
    let actual: String = printed
        .lines()
        .filter(|line| !line.starts_with("LOCATION:"))
        .map(|line| {
            let line = line.split_once(".sql:").map_or(line, |(file, rest)| without_place(line, file, rest));
            without_duration(line) + "\n"
        })
        .collect();
    let version: String = database.superuser().query_one("SHOW server_version_num", &[])?.get(0);
    let own = expected.with_file_name(format!("{name}_{}.out", &version[..2]));
    if env::var_os("CORDON_REGRESS_ACCEPT").is_some() {
        if version.starts_with("15") {
            fs::write(expected, &actual)?;
        } else if fs::read_to_string(expected)? == actual {
            let _ = fs::remove_file(own);
        } else {
            fs::write(own, &actual)?;
        }
        return Ok(());
    }
    let expected = if own.exists() { own.as_path() } else { expected };
    let wanted = fs::read_to_string(expected).unwrap_or_default();
    if actual == wanted {
        return Ok(());
    }
    let found = expected.with_extension("found");
    fs::write(&found, &actual)?;
    let difference = std::process::Command::new("diff").arg("-u").arg(expected).arg(&found).output()?;
    fs::remove_file(&found)?;
    Err(String::from_utf8_lossy(&difference.stdout).into_owned().into())
}

/// A notice tells how long something took: `(12 ms)`, or `in 0.1 s` at its end.
fn without_duration(line: &str) -> String {
    if !line.starts_with("NOTICE:") {
        return line.to_owned();
    }
    if let Some((before, _)) = line.rsplit_once(" in ").filter(|(_, rest)| rest.ends_with(" s")) {
        return format!("{before} in some time");
    }
    match line.split_once(" ms)") {
        Some((before, after)) => {
            format!("{}(some ms){after}", before.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('('))
        }
        None => line.to_owned(),
    }
}

/// psql begins messages with `psql:path:line: `.
fn without_place<'a>(line: &'a str, file: &str, rest: &'a str) -> &'a str {
    match rest.split_once(": ") {
        Some((number, message)) if file.starts_with("psql:") && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            message
        }
        _ => line,
    }
}
