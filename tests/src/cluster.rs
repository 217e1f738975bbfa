//! Servers and databases.

use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use postgres::{Client, NoTls};

/// How a cluster differs from the usual one, which preloads the library and has a keyring.
#[derive(Clone)]
pub struct Settings<'a> {
    /// Whether the library is in `shared_preload_libraries`.
    pub preload: bool,
    /// Whether a keyring is created.
    pub keyring: bool,
    /// More lines of postgresql.conf.
    pub configuration: &'a str,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self { preload: true, keyring: true, configuration: "" }
    }
}

/// A server with a data directory and a Unix socket of its own. Has the superuser `postgres` and the ordinary role `app`.
pub struct Cluster {
    directory: PathBuf,
}

/// A database with the extension, in which `app` may create tables.
pub struct Database<'a> {
    /// Its server.
    pub cluster: &'a Cluster,
    /// Its name.
    pub name: String,
}

/// The server that the tests of one program share; each makes a database of its own.
pub fn shared_cluster() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::start(&Settings::default()))
}

impl Cluster {
    /// Makes and starts a cluster.
    ///
    /// # Panics
    /// If that fails, or without the environment that `make test` sets.
    #[must_use]
    pub fn start(settings: &Settings<'_>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let stage = PathBuf::from(env::var_os("CORDON_STAGE").expect("run these tests with make test"));
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = stage.join("clusters").join(format!("{}-{number}", std::process::id()));
        let cluster = Self { directory };
        run(as_server("mkdir").arg(&cluster.directory));
        run(cluster
            .server_program("initdb")
            .args(["--auth=trust", "--username=postgres", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C", "--pgdata"])
            .arg(cluster.data_directory()));
        let preload = if settings.preload { "pg_cordon" } else { "" };
        cluster.configure(&format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nfsync = off\nmax_connections = 50\n\
             shared_preload_libraries = '{preload}'\nlog_min_messages = warning\n{}\n",
            cluster.directory.display(),
            settings.configuration
        ));
        cluster.start_server();
        let mut client = cluster.connect("postgres", "postgres");
        client.batch_execute("CREATE ROLE app LOGIN; CREATE ROLE analyst LOGIN").expect("roles");
        if settings.keyring {
            client.batch_execute("CREATE EXTENSION pg_cordon; SELECT cordon.create_keyring()").expect("keyring");
        }
        cluster
    }

    /// A new database.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn database(&self, name: &str) -> Database<'_> {
        self.database_with(name, "")
    }

    /// A new database with options of CREATE DATABASE.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn database_with(&self, name: &str, options: &str) -> Database<'_> {
        let create = format!("CREATE DATABASE {name} OWNER app TEMPLATE template0 {options}");
        self.connect("postgres", "postgres").batch_execute(&create).expect("a new database");
        let database = Database { cluster: self, name: name.to_owned() };
        database
            .superuser()
            .batch_execute("CREATE EXTENSION pg_cordon; GRANT ALL ON SCHEMA public TO app")
            .expect("it");
        database
    }

    /// A connection.
    ///
    /// # Panics
    /// If there is none to be had.
    #[must_use]
    pub fn connect(&self, role: &str, database: &str) -> Client {
        self.connect_with(role, database, "").expect("a connection")
    }

    /// A connection with start-up options, as in PGOPTIONS.
    ///
    /// # Errors
    /// As the server refuses.
    pub fn connect_with(&self, role: &str, database: &str, options: &str) -> Result<Client, postgres::Error> {
        let mut config = postgres::Config::new();
        config.host_path(&self.directory).user(role).dbname(database).options(options);
        config.connect(NoTls)
    }

    /// Adds lines to postgresql.conf.
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn configure(&self, lines: &str) {
        let path = self.data_directory().join("postgresql.conf");
        let configuration = fs::read_to_string(&path).expect("postgresql.conf");
        fs::write(&path, configuration + lines).expect("postgresql.conf written");
    }

    /// Makes the server read its configuration, and waits until `client`'s process has.
    ///
    /// # Panics
    /// If it does not.
    pub fn reload(&self, client: &mut Client) {
        let loaded = "SELECT pg_conf_load_time()::text";
        let before: String = client.query_one(loaded, &[]).expect("a time").get(0);
        client
            .batch_execute("SELECT pg_reload_conf()")
            .or_else(|_| self.connect("postgres", "postgres").batch_execute("SELECT pg_reload_conf()"))
            .expect("a reload");
        for _ in 0..1000 {
            if client.query_one(loaded, &[]).expect("a time").get::<_, String>(0) != before {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("the server did not reload");
    }

    /// Stops the server at once, as a crash does, and starts it again.
    pub fn crash_and_restart(&self) {
        self.pg_ctl(&["--mode=immediate", "stop"]);
        self.start_server();
    }

    /// Restarts the server.
    pub fn restart(&self) {
        self.pg_ctl(&["--mode=fast", "stop"]);
        self.start_server();
    }

    /// The data directory.
    #[must_use]
    pub fn data_directory(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// The cluster's own directory, which the server may write to.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The keyring file's usual place.
    #[must_use]
    pub fn keyring(&self) -> PathBuf {
        self.data_directory().join("pg_cordon_keyring.json")
    }

    /// Everything that the server has logged.
    ///
    /// # Panics
    /// If it cannot be read.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.directory.join("log")).expect("a log")).into_owned()
    }

    /// A client program, to be run on this server.
    #[must_use]
    pub fn client_program(&self, name: &str) -> Command {
        let mut command = Command::new(bin().join(name));
        for variable in ["PGOPTIONS", "PGPORT", "PGPASSWORD", "PGSERVICE"] {
            command.env_remove(variable);
        }
        command.env("PGHOST", &self.directory).stdin(Stdio::null());
        command
    }

    /// A cluster made of a base backup of this one, with more lines of configuration and an empty file of that name
    /// (`standby.signal`, `recovery.signal`). Not started yet.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn base_backup(&self, name: &str, signal: &str, configuration: &str) -> Self {
        let backup = Self { directory: self.directory.with_file_name(format!("{name}-{}", std::process::id())) };
        run(as_server("mkdir").arg(&backup.directory));
        run(self
            .server_program("pg_basebackup")
            .args(["--username=postgres", "--checkpoint=fast", "--wal-method=stream", "--host"])
            .arg(&self.directory)
            .arg("--pgdata")
            .arg(backup.data_directory()));
        backup.configure(&format!("unix_socket_directories = '{}'\n{configuration}\n", backup.directory.display()));
        run(as_server("touch").arg(backup.data_directory().join(signal)));
        backup
    }

    /// A program of the operating system's, to be run as the user that the server runs as.
    #[must_use]
    pub fn server_command(&self, program: &str) -> Command {
        let mut command = as_server(program);
        command.current_dir(&self.directory).stdin(Stdio::null());
        command
    }

    /// Starts the server.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_server(&self) {
        self.pg_ctl(&["--wait", "--silent", "--log", &self.directory.join("log").display().to_string(), "start"]);
    }

    fn pg_ctl(&self, arguments: &[&str]) {
        // Its output must not be a pipe, which the server would hold open.
        let mut command = self.server_program("pg_ctl");
        command.arg("--pgdata").arg(self.data_directory()).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().expect("pg_ctl");
        assert!(status.success(), "pg_ctl {arguments:?} failed: {}", self.log());
    }

    fn server_program(&self, name: &str) -> Command {
        let mut command = as_server(bin().join(name));
        // With which pgrx would add a backtrace to the detail of errors: nothing of it must reach a client.
        command.current_dir(&self.directory).stdin(Stdio::null()).env("RUST_BACKTRACE", "full");
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = self.server_program("pg_ctl");
        let _ = stop.arg("--pgdata").arg(self.data_directory()).args(["--mode=immediate", "stop"]).output();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Database<'_> {
    /// A connection as the ordinary role.
    #[must_use]
    pub fn app(&self) -> Client {
        self.cluster.connect("app", &self.name)
    }

    /// A connection as the ordinary role, with a tenant for the session.
    ///
    /// # Panics
    /// If it cannot be set.
    #[must_use]
    pub fn tenant(&self, tenant: &str) -> Client {
        let mut client = self.app();
        client.execute("SELECT set_config('app.team_id', $1, false)", &[&tenant]).expect("a tenant");
        client
    }

    /// A connection as a superuser.
    #[must_use]
    pub fn superuser(&self) -> Client {
        self.cluster.connect("postgres", &self.name)
    }

    /// Runs a client program on this database, and returns what it prints.
    ///
    /// # Panics
    /// If it fails.
    #[must_use]
    pub fn run(&self, role: &str, options: &str, program: &str, arguments: &[&str]) -> Vec<u8> {
        let mut command = self.cluster.client_program(program);
        command.env("PGDATABASE", &self.name).env("PGUSER", role).env("PGOPTIONS", options).args(arguments);
        run(&mut command).stdout
    }
}

fn bin() -> PathBuf {
    PathBuf::from(env::var_os("CORDON_PG_BIN").expect("run these tests with make test"))
}

/// A command as the user that servers run as: PostgreSQL's programs refuse to run as root.
fn as_server(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    let user = env::var("CORDON_SERVER_USER").expect("run these tests with make test");
    let id = |kind: &str| -> u32 {
        let output = Command::new("id").args([kind, &user]).output().expect("id");
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("an id")
    };
    let own = Command::new("id").arg("-u").output().expect("id");
    if String::from_utf8_lossy(&own.stdout).trim() == "0" {
        command.gid(id("-g")).uid(id("-u"));
    }
    command
}

fn run(command: &mut Command) -> Output {
    let output = command.output().expect("a program that runs");
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
