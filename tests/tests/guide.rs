//! docs/GUIDE.md, statement by statement: each block of SQL runs as the role that its first line names, and prints what the page
//! says that it prints.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{env, fs};

use cordon_tests::{Cluster, Settings, source};

/// A block of SQL, and what follows it as its answer.
struct Step {
    role: String,
    sql: String,
    answer: Option<String>,
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut parts = page.split("\n```").skip(1);
    // Between fences the language and the block, and the text between blocks, take turns.
    while let Some(block) = parts.next() {
        let (language, body) = block.split_once('\n').unwrap_or((block, ""));
        match language {
            "sql" => {
                let (role, sql) = body.split_once('\n').unwrap();
                let role = role.strip_prefix("-- as ").expect("a role").to_owned();
                steps.push(Step { role, sql: sql.to_owned(), answer: None });
            }
            "text" => steps.last_mut().unwrap().answer = Some(body.to_owned()),
            other => panic!("a block of {other}"),
        }
        parts.next();
    }
    steps
}

#[test]
fn the_guide_says_what_happens() {
    let page = fs::read_to_string(source("../docs/GUIDE.md")).unwrap();
    let steps = steps(&page);
    assert!(steps.len() > 15, "{} steps", steps.len());
    let cluster =
        Cluster::start(&Settings { configuration: "cordon.tenant_setting = 'app.project_id'", ..Settings::default() });
    let database = cluster.database("guide");
    database
        .superuser()
        .batch_execute(
            "CREATE ROLE owner LOGIN; CREATE ROLE web LOGIN; CREATE ROLE worker LOGIN; CREATE ROLE dba LOGIN SUPERUSER;
             GRANT CREATE ON SCHEMA public TO owner; GRANT EXECUTE ON FUNCTION cordon.convert_on_write() TO owner",
        )
        .unwrap();
    let mut answers = Vec::new();
    let is_accepting = env::var_os("CORDON_REGRESS_ACCEPT").is_some();
    for Step { role, sql, answer } in steps {
        let mut psql = cluster.client_program("psql");
        psql.env("PGDATABASE", &database.name).env("PGUSER", &role).env("PGOPTIONS", "-c client_min_messages=warning");
        let (reader, writer) = std::io::pipe().unwrap();
        psql.args(["--no-psqlrc", "--quiet", "--command", "\\set VERBOSITY default"]).args(commands(&sql));
        psql.stdout(writer.try_clone().unwrap()).stderr(writer);
        let mut child = psql.spawn().unwrap();
        drop(psql);
        let printed = std::io::read_to_string(reader).unwrap();
        child.wait().unwrap();
        let printed = printed.trim_end();
        assert_eq!(!printed.is_empty(), answer.is_some(), "as {role}: {sql}{printed}");
        let answer = answer.unwrap_or_default();
        assert!(is_accepting || printed == answer.trim_end(), "as {role}: {sql}{printed}");
        answers.extend((!printed.is_empty()).then(|| printed.to_owned()));
    }
    if is_accepting {
        let mut answers = answers.into_iter();
        let parts: Vec<_> = page
            .split("\n```")
            .map(|part| {
                if part.starts_with("text\n") { format!("text\n{}", answers.next().unwrap()) } else { part.to_owned() }
            })
            .collect();
        fs::write(source("../docs/GUIDE.md"), parts.join("\n```")).unwrap();
    }
}

/// One `--command` for each statement, so that none shares a transaction with the next.
fn commands(sql: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    let mut is_in_body = false;
    for line in sql.lines() {
        is_in_body ^= line.matches("$$").count() % 2 == 1;
        let statement = statements.last_mut().unwrap();
        statement.push_str(line);
        statement.push('\n');
        if !is_in_body && line.ends_with(';') {
            statements.push(String::new());
        }
    }
    statements
        .iter()
        .filter(|statement| !statement.trim().is_empty())
        .flat_map(|sql| ["--command".to_owned(), sql.clone()])
        .collect()
}
