//! The example in docs/examples/django: every command of its README, in its order, prints what the README says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    env, fs,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
};

use cordon_tests::{Cluster, Settings, source};

/// The commands of a README's console blocks, each with the lines that follow it there.
fn commands(readme: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    let mut is_console = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if !is_console {
        } else if let Some(command) = line.strip_prefix("$ ") {
            commands.push((command.to_owned(), String::new()));
        } else {
            let (_, output) = commands.last_mut().expect("a block begins with a command");
            output.push_str(line);
            output.push('\n');
        }
    }
    commands
}

/// Debian's, with psycopg 2.
#[test]
fn every_command_of_the_django_example_prints_what_its_readme_says() {
    run_example("");
}

/// That of new projects, with psycopg 3.
#[test]
fn every_command_of_the_django_example_does_so_with_a_new_django() {
    let packages = env::var("CORDON_DJANGO").expect("run these tests with make test");
    let mut version = Command::new("/usr/bin/python3");
    version.args(["-c", "import django, psycopg; assert django.VERSION >= (5, 2)"]).env("PYTHONPATH", &packages);
    assert!(version.status().unwrap().success());
    run_example(&packages);
}

/// Runs the README's commands, with Python packages from another directory first.
fn run_example(python_path: &str) {
    const MARK: &str = "--- next ---";
    let cluster = Cluster::start(&Settings { keyring: false, ..Settings::default() });
    let example = source("../docs/examples/django");
    let directory = cluster.directory().join("example");
    assert!(Command::new("cp").arg("-r").args([&example, &directory]).status().unwrap().success());
    let readme = fs::read_to_string(directory.join("README.md")).unwrap();
    let commands = commands(&readme);
    assert!(commands.len() > 25, "{} commands", commands.len());

    // Another port than the README's, which somebody may be using.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let script: String =
        commands.iter().map(|(command, _)| format!("{}\necho '{MARK}'\n", command.replace("8000", &port))).collect();
    let script_file = directory.join("commands.sh");
    fs::write(&script_file, format!("trap 'kill %1 2>/dev/null' EXIT\n{script}")).unwrap();
    let path = env::join_paths(
        [PathBuf::from(env::var_os("CORDON_PG_BIN").unwrap()), "/usr/bin".into()]
            .into_iter()
            .chain(env::split_paths(&env::var_os("PATH").unwrap())),
    )
    .unwrap();
    let output = Command::new("bash")
        .arg(&script_file)
        .current_dir(&directory)
        .env("PATH", path)
        .env("PGHOST", cluster.directory())
        .env("PGUSER", "postgres")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONPATH", python_path)
        .env_remove("PGDATABASE")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let printed: Vec<_> = printed.split(&format!("{MARK}\n")).collect();
    assert_eq!(printed.len(), commands.len() + 1, "{printed:#?}{errors}");
    for ((command, expected), printed) in commands.iter().zip(printed) {
        // curl ends without a line feed.
        let is_equal = printed == expected || format!("{printed}\n") == *expected;
        assert!(is_equal, "$ {command}\n{printed}\nis not\n{expected}\n{errors}");
    }
}
