//! Programs in other languages, through the drivers that people use: tests/clients. Each does the same: two tenants on
//! one connection with prepared statements, look-ups by equality, many rows at once, no tenant, a value that is there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    env, fs, io,
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::Command,
    thread,
};

use cordon_tests::{Database, shared_cluster, source, sqlstate};
use postgres::Client;

fn database(name: &str) -> Database<'static> {
    let database = shared_cluster().database(name);
    database
        .superuser()
        .batch_execute(
            "CREATE TABLE account (id bigserial, team_id bigint NOT NULL, email encrypted_text_eq, token encrypted_text,
                 note shared_encrypted_text, PRIMARY KEY (id), UNIQUE (team_id, email));
             SELECT cordon.protect('account');
             CREATE TABLE loose (token encrypted_text);
             GRANT ALL ON account, loose, account_id_seq TO app",
        )
        .unwrap();
    // What is prepared is planned once for every tenant, which PostgreSQL by itself does when it thinks that it pays.
    let generic = format!("ALTER ROLE app IN DATABASE {name} SET plan_cache_mode = force_generic_plan");
    database.superuser().batch_execute(&generic).unwrap();
    database
}

fn programs() -> PathBuf {
    source("clients")
}

fn run(database: &Database<'_>, command: &mut Command) {
    let socket = database.cluster.directory();
    // What the stage sets for its own programs is not for these.
    let command = command.env_remove("LD_LIBRARY_PATH").env("PGHOST", socket);
    let output = command.env("PGUSER", "app").env("PGDATABASE", &database.name).output().expect("a program that runs");
    assert!(
        output.status.success(),
        "{command:?}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    // What was written is sealed for the tenant that wrote it.
    let mut dba = database.superuser();
    for table in ["account", "integration"] {
        let exists = dba.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).unwrap();
        if exists.get(0) {
            let bad = format!(
                "SELECT count(*), (SELECT count(*) FROM {table}) FROM cordon.verify_column('{table}', 'token')"
            );
            let row = dba.query_one(&bad, &[]).unwrap();
            assert_eq!(row.get::<_, i64>(0), 0, "{table}");
        }
    }
}

fn python(name: &str) {
    run(&database(name), Command::new("/usr/bin/python3").arg(programs().join(format!("{name}.py"))));
}

#[test]
fn psycopg3() {
    python("psycopg3");
}

#[test]
fn asyncpg() {
    python("asyncpg_client");
}

#[test]
fn sqlalchemy() {
    python("sqlalchemy_client");
}

#[test]
fn django() {
    let database = shared_cluster().database("django_client");
    run(&database, Command::new("/usr/bin/python3").arg(programs().join("django_client.py")));
}

#[test]
fn node() {
    // The module comes from the npm registry, into the directory that scripts/test names.
    let modules = env::var_os("CORDON_NODE_MODULES").expect("run these tests with make test");
    run(&database("node"), Command::new("node").arg(programs().join("node/client.js")).env("NODE_PATH", modules));
}

#[test]
fn jdbc() {
    let database = database("jdbc");
    // JDBC knows no Unix sockets: what comes in by TCP goes on to the server's.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = database.cluster.directory().join(".s.PGSQL.5432");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = UnixStream::connect(&socket).unwrap();
            let copy = |mut from: Box<dyn io::Read + Send>, mut to: Box<dyn io::Write + Send>| {
                thread::spawn(move || io::copy(&mut from, &mut to));
            };
            let clone = |stream: &TcpStream| stream.try_clone().unwrap();
            copy(Box::new(clone(&client)), Box::new(server.try_clone().unwrap()));
            copy(Box::new(server), Box::new(client));
        }
    });
    run(
        &database,
        Command::new("java")
            .args(["-cp", "/usr/share/java/postgresql.jar"])
            .arg(programs().join("java/Client.java"))
            .env("JDBC_URL", format!("jdbc:postgresql://127.0.0.1:{port}/jdbc?sslmode=disable")),
    );
}

#[test]
fn go_pq() {
    go("pq");
}

#[test]
fn go_pgx() {
    go("pgx");
}

fn go(name: &str) {
    let cache = env::temp_dir().join(format!("cordon-go-{name}-{}", std::process::id()));
    run(
        &database(name),
        Command::new("go")
            .arg("run")
            .arg(programs().join(format!("go/{name}.go")))
            // Debian's packages, and no network.
            .envs([("GO111MODULE", "off"), ("GOPATH", "/usr/share/gocode"), ("GOFLAGS", "")])
            .env("GOCACHE", &cache),
    );
    let _ = fs::remove_dir_all(cache);
}

#[test]
fn ruby_pg() {
    run(&database("ruby_pg"), Command::new("/usr/bin/ruby").arg(programs().join("ruby/pg_client.rb")));
}

#[test]
fn active_record() {
    run(&database("active_record"), Command::new("/usr/bin/ruby").arg(programs().join("ruby/active_record_client.rb")));
}

#[test]
fn php_pdo() {
    run(&database("php"), Command::new("php").arg(programs().join("php/client.php")));
}

/// The driver of these tests, which is tokio-postgres underneath: values of the types are text to it once the statement
/// says so, or once the parameter's type does.
#[test]
fn rust_postgres() {
    let database = database("rust");
    let mut client = database.app();
    let as_tenant =
        |client: &mut Client, tenant: &str, query: &str, parameters: &[&(dyn postgres::types::ToSql + Sync)]| {
            let mut transaction = client.transaction()?;
            transaction.execute("SELECT cordon.set_tenant($1)", &[&tenant])?;
            let rows = transaction.query(query, parameters)?;
            transaction.commit()?;
            Ok::<_, postgres::Error>(rows.iter().map(|row| row.get(0)).collect::<Vec<String>>())
        };
    let insert = "INSERT INTO account (email, token) VALUES ($1::text, $2::text) RETURNING email::text";
    let find = "SELECT token::text FROM account WHERE email = $1::text";
    for tenant in ["1", "2"] {
        as_tenant(&mut client, tenant, insert, &[&"anna@example.org", &format!("token of {tenant}")]).unwrap();
    }
    for tenant in ["1", "2"].repeat(10) {
        let found = as_tenant(&mut client, tenant, find, &[&"anna@example.org"]).unwrap();
        assert_eq!(found, [format!("token of {tenant}")]);
    }
    let many: Vec<String> = (0..500).map(|i| format!("bulk{i}@example.org")).collect();
    let insert_many =
        "INSERT INTO account (email, token) SELECT e, 'bulk' FROM unnest($1::text[]) e RETURNING email::text";
    assert_eq!(as_tenant(&mut client, "1", insert_many, &[&many]).unwrap().len(), 500);
    let find_many = "SELECT email::text FROM account WHERE email = ANY ($1::text[])";
    assert_eq!(as_tenant(&mut client, "1", find_many, &[&many]).unwrap().len(), 500);
    assert_eq!(sqlstate(&client.query(find, &[&"anna@example.org"]).unwrap_err()), "42501");
    let again = as_tenant(&mut client, "1", insert, &[&"anna@example.org", &"again"]);
    assert_eq!(sqlstate(&again.unwrap_err()), "23505");
}

/// sqlx asks the server for the types of parameters and refuses those that it does not know: parameters are cast to text,
/// as above, and results, too, or read unchecked.
#[test]
fn rust_sqlx() {
    use sqlx::{Connection, PgConnection, Row, postgres::PgConnectOptions};

    let database = database("sqlx");
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let options =
            PgConnectOptions::new().socket(database.cluster.directory()).username("app").database(&database.name);
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        for tenant in ["1", "2"].repeat(5) {
            let mut transaction = connection.begin().await.unwrap();
            sqlx::query("SELECT cordon.set_tenant($1)").bind(tenant).execute(&mut *transaction).await.unwrap();
            sqlx::query("INSERT INTO account (email, token) VALUES ($1::text, $2::text) ON CONFLICT DO NOTHING")
                .bind("anna@example.org")
                .bind(format!("token of {tenant}"))
                .execute(&mut *transaction)
                .await
                .unwrap();
            let find = sqlx::query("SELECT token, token::text AS text FROM account WHERE email = $1::text");
            let row = find.bind("anna@example.org").fetch_one(&mut *transaction).await.unwrap();
            assert_eq!(row.get_unchecked::<String, _>("token"), format!("token of {tenant}"));
            assert_eq!(row.get::<&str, _>("text"), format!("token of {tenant}"));
            transaction.commit().await.unwrap();
        }
        let mut transaction = connection.begin().await.unwrap();
        sqlx::query("SELECT cordon.set_tenant('1')").execute(&mut *transaction).await.unwrap();
        let many: Vec<String> = (0..500).map(|i| format!("bulk{i}@example.org")).collect();
        let insert = sqlx::query("INSERT INTO account (email) SELECT e FROM unnest($1::text[]) e");
        assert_eq!(insert.bind(&many).execute(&mut *transaction).await.unwrap().rows_affected(), 500);
        transaction.commit().await.unwrap();
        let error = sqlx::query("SELECT token FROM account").fetch_all(&mut connection).await.unwrap_err();
        let error = error.as_database_error().unwrap();
        assert_eq!(error.code().as_deref(), Some("42501"));
        assert!(!error.message().contains("token of"));
        let mut transaction = connection.begin().await.unwrap();
        sqlx::query("SELECT cordon.set_tenant('1')").execute(&mut *transaction).await.unwrap();
        let again = sqlx::query("INSERT INTO account (email) VALUES ($1::text)").bind("anna@example.org");
        let error = again.execute(&mut *transaction).await.unwrap_err();
        let error = error.as_database_error().unwrap();
        assert_eq!(error.code().as_deref(), Some("23505"));
        assert!(!format!("{error:?}").contains("anna"));
    });
}
