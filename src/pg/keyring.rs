//! The keyring of this process: where it comes from, and when it is read again.

use core::ffi::CStr;
use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use cordon_core::{
    Keyring,
    keyring::ChangeFault,
    keyring_file::{self, FileFault},
};
use pgrx::{
    PgLogLevel, PgSqlErrorCode,
    pg_sys::{self, TimestampTz, panic::ErrorReport},
};

use super::{
    error::{Failure, NoKeyring},
    keys, settings,
};

/// Whether the postmaster loaded the library, and so ran the command if there is one. Inherited by its children.
static PRELOADED: AtomicBool = AtomicBool::new(false);

/// The keyring last read.
pub struct Loaded {
    ring: Option<Keyring>,
    /// The reload of the server's configuration after which it was read.
    as_of: TimestampTz,
    from_command: bool,
    /// When the last attempt failed to read a newer one, by the statement; None when it did not. What was rotated away or
    /// disabled meanwhile is not known then.
    failed_at: Option<TimestampTz>,
    /// The file that was read ahead of a reload that PostgreSQL has been told of and has not done.
    ahead: Option<FileVersion>,
}

/// What tells one state of the keyring file from another: each is a file of its own, put in place of the last.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileVersion {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    len: u64,
}

impl FileVersion {
    fn of(path: &Path) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        Some(Self {
            device: file.dev(),
            inode: file.ino(),
            modified: (file.mtime(), file.mtime_nsec()),
            len: file.len(),
        })
    }
}

impl Loaded {
    pub const fn none() -> Self {
        Self { ring: None, as_of: 0, from_command: false, failed_at: None, ahead: None }
    }

    fn of(ring: Keyring, as_of: TimestampTz) -> Self {
        Self { ring: Some(ring), as_of, from_command: false, failed_at: None, ahead: None }
    }

    /// As [`Self::current`], for keys that new values are made with: never by a ring that may be outdated. Once a statement
    /// it is tried again whether the file can be read.
    ///
    /// # Errors
    /// [`Failure::NoKeyring`], [`Failure::StaleKeyring`].
    pub fn newest(&mut self, changed: impl FnMut()) -> Result<&Keyring, Failure> {
        let mut changed = changed;
        self.current(&mut changed)?;
        // PostgreSQL reloads between messages of the client, and one may take hours; meanwhile it does not tell of a second
        // reload. The file does.
        // SAFETY: a plain variable of this process, which a signal handler sets.
        if unsafe { pg_sys::ConfigReloadPending } != 0 && !self.from_command {
            let version = FileVersion::of(&path());
            if self.ahead.is_none() || self.ahead != version {
                self.read(self.as_of, &mut changed)?;
                self.ahead = version;
            }
        }
        if self.failed_at.is_some_and(|failed_at| failed_at != statement_start()) {
            self.read(self.as_of, &mut changed)?;
        }
        match (&self.ring, self.failed_at) {
            (Some(ring), None) => Ok(ring),
            _ => Err(Failure::StaleKeyring),
        }
    }

    /// The keyring, read at the first use and again after each reload of the server's configuration. `changed` is called
    /// when it is another than before.
    ///
    /// # Errors
    /// [`Failure::NoKeyring`]; not when there is one from before, which is then kept.
    pub fn current(&mut self, changed: impl FnOnce()) -> Result<&Keyring, Failure> {
        // SAFETY: a plain variable of this process, written by PostgreSQL between calls.
        let reload = unsafe { pg_sys::PgReloadTime };
        if self.ring.is_none() || self.as_of != reload {
            self.read(reload, changed)?;
        }
        match &self.ring {
            Some(ring) => Ok(ring),
            None => unreachable!("reading fails when it leaves no keyring"),
        }
    }

    /// Reads the keyring at once, because a key was not in it: another session may have made the key since.
    ///
    /// # Errors
    /// As [`Self::current`].
    pub fn read_again(&mut self, changed: impl FnOnce()) -> Result<(), Failure> {
        self.read(self.as_of, changed)
    }

    /// Takes a keyring that this session has just written.
    pub fn replace(&mut self, ring: Keyring) {
        // SAFETY: as in `current`.
        *self = Self::of(ring, unsafe { pg_sys::PgReloadTime });
    }

    fn read(&mut self, reload: TimestampTz, changed: impl FnOnce()) -> Result<(), Failure> {
        if self.from_command {
            self.as_of = reload;
            return Ok(());
        }
        let failure = match read_source() {
            Ok(ring) => {
                *self = Self::of(ring, reload);
                changed();
                return Ok(());
            }
            Err(failure) => failure,
        };
        if self.ring.is_none() {
            return Err(Failure::NoKeyring(failure));
        }
        // Until the next reload: not again for every value.
        self.as_of = reload;
        if self.failed_at.is_none() {
            Failure::NoKeyring(failure).log("values are opened with the keyring last read, and none are sealed");
        }
        self.failed_at = Some(statement_start());
        Ok(())
    }
}

/// Reads the keyring in the postmaster, for its children to inherit. A keyring that cannot be read does not keep the
/// server from starting: what needs it fails, and says why.
pub fn load_at_preload() {
    if !settings::is_preload() {
        return;
    }
    PRELOADED.store(true, Ordering::Relaxed);
    let command = settings::keyring_command();
    let loaded = if command.is_empty() {
        match read_source() {
            Ok(ring) => Loaded::of(ring, 0),
            // Before create_keyring, as on every new server.
            Err(NoKeyring::File { fault: FileFault::Missing, .. }) => return,
            Err(failure) => {
                return Failure::NoKeyring(failure).log("values cannot be sealed or opened until it is corrected");
            }
        }
    } else {
        match run(command) {
            Ok(ring) => Loaded { from_command: true, ..Loaded::of(ring, 0) },
            Err(reason) => {
                return ErrorReport::new(
                    PgSqlErrorCode::ERRCODE_CONFIG_FILE_ERROR,
                    format!("cordon.keyring_command printed no keyring: {reason}"),
                    "pg_cordon",
                )
                .set_hint("Values cannot be sealed or opened until the server is restarted with a command that works.")
                .report(PgLogLevel::LOG);
            }
        }
    };
    keys::set_keyring(loaded);
}

/// Writes a new keyring file, and returns its path.
///
/// # Errors
/// [`Failure::Keyring`], [`Failure::KeyringFromCommand`], [`Failure::Standby`].
pub fn create() -> Result<PathBuf, Failure> {
    let path = writable_path()?;
    match keyring_file::create(&path) {
        Ok(ring) => {
            publish(ring);
            Ok(path)
        }
        Err(fault) => Err(Failure::Keyring { path: path.display().to_string(), fault }),
    }
}

/// Changes the keyring file.
///
/// # Errors
/// As [`create`].
pub fn update<T>(change: impl FnOnce(&mut Keyring) -> Result<T, ChangeFault>) -> Result<T, Failure> {
    let path = writable_path()?;
    match keyring_file::update(&path, server_user(), change) {
        Ok((ring, outcome)) => {
            publish(ring);
            Ok(outcome)
        }
        Err(fault) => Err(Failure::Keyring { path: path.display().to_string(), fault }),
    }
}

/// Whether a file lies in the data directory, and so in every base backup.
pub fn is_in_data_directory(path: &Path) -> bool {
    match (path.canonicalize(), data_directory().canonicalize()) {
        (Ok(path), Ok(directory)) => path.starts_with(directory),
        _ => false,
    }
}

/// The data directory.
fn data_directory() -> &'static Path {
    // SAFETY: set before extensions are loaded, and never changed.
    Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(pg_sys::DataDir) }.to_bytes()))
}

/// Uses the keyring here, and makes the server's other processes read it.
fn publish(ring: Keyring) {
    keys::replace_keyring(ring);
    // What pg_reload_conf() does. SAFETY: the postmaster is this process's parent. Should the signal fail, the others
    // read the file at the next reload or when they meet the new key.
    unsafe { libc::kill(pg_sys::PostmasterPid, libc::SIGHUP) };
}

fn writable_path() -> Result<PathBuf, Failure> {
    if !settings::keyring_command().is_empty() {
        return Err(Failure::KeyringFromCommand);
    }
    // SAFETY: looks at shared memory.
    if unsafe { pg_sys::RecoveryInProgress() } {
        return Err(Failure::Standby);
    }
    Ok(path())
}

fn path() -> PathBuf {
    // An absolute path replaces the data directory.
    data_directory().join(OsStr::from_bytes(settings::keyring_file().to_bytes()))
}

fn read_source() -> Result<Keyring, NoKeyring> {
    if !settings::keyring_command().is_empty() {
        let preloaded = PRELOADED.load(Ordering::Relaxed);
        return Err(if preloaded { NoKeyring::Command } else { NoKeyring::NotPreloaded });
    }
    let path = path();
    keyring_file::read(&path, server_user())
        .map_err(|fault| NoKeyring::File { path: path.display().to_string(), fault })
}

/// Runs the command with the shell. What it prints to its standard error goes to the server log.
fn run(command: &CStr) -> Result<Keyring, String> {
    let mut child = Command::new("/bin/sh")
        .arg("-c")
        .arg(OsStr::from_bytes(command.to_bytes()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("it could not be started ({})", error.kind()))?;
    let ring = child.stdout.take().map(keyring_file::read_stream);
    let status = child.wait().map_err(|error| format!("its end was not seen ({})", error.kind()))?;
    if !status.success() {
        return Err(format!("it ended with {status}"));
    }
    match ring {
        Some(Ok(ring)) => Ok(ring),
        Some(Err(fault)) => Err(fault.to_string()),
        None => Err("its output could not be read".into()),
    }
}

fn statement_start() -> TimestampTz {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::GetCurrentStatementStartTimestamp() }
}

fn server_user() -> u32 {
    // SAFETY: always succeeds.
    unsafe { libc::geteuid() }
}
