//! The keyring on disk.
//!
//! A file is trusted only when nobody but the server's user can have written or read it. Changes are made under a lock
//! on the directory, to a new file that replaces the old one, so a crash or a full disk leaves the old one whole.

use core::fmt;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{
    Keyring, Timestamp,
    keyring::{ChangeFault, KeyringFault},
};

/// Largest file read, in bytes: some 5,000 keys.
const MAX_LEN: u64 = 1 << 20;

/// Why a keyring file was not read or not written.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileFault {
    /// There is none.
    Missing,
    /// One is there already.
    Exists,
    /// A symbolic link, a directory, a pipe.
    NotRegular,
    /// It belongs to another user.
    Owner,
    /// Others than its owner may use it, or it may be executed. The permission bits.
    Mode(u32),
    /// Larger than 1 MiB.
    TooLarge,
    /// Its content is at fault.
    Content(KeyringFault),
    /// The change cannot be made.
    Change(ChangeFault),
    /// Another session is changing it.
    Busy,
    /// The operating system's error.
    Io(io::ErrorKind),
}

/// Reads the keyring at `path`, which must belong to the user of id `owner`.
///
/// # Errors
/// The first [`FileFault`] found.
pub fn read(path: &Path, owner: u32) -> Result<Keyring, FileFault> {
    let (file, len) = open(path, owner)?;
    let bytes = read_to_end(file, len)?;
    Keyring::parse(&bytes).map_err(FileFault::Content)
}

/// Opens a file that nobody but `owner` can have written or read, and returns its length.
fn open(path: &Path, owner: u32) -> Result<(File, u64), FileFault> {
    const ATTEMPTS: usize = 10;
    for _ in 0..ATTEMPTS {
        // Looked at before it is opened: opening a pipe would wait for its writer, and a file of another user may not
        // open at all.
        let found = fs::symlink_metadata(path)?;
        if !found.is_file() {
            return Err(FileFault::NotRegular);
        }
        if found.uid() != owner {
            return Err(FileFault::Owner);
        }
        let mode = found.mode() & 0o7777;
        if mode & !0o600 != 0 {
            return Err(FileFault::Mode(mode));
        }
        if found.len() > MAX_LEN {
            return Err(FileFault::TooLarge);
        }
        let file = File::open(path)?;
        let opened = file.metadata()?;
        // Else it was replaced between the two looks: by a rotation, or to slip in a link. Owner and mode are compared
        // too, because a file made in the meantime may have been given the number of one that was removed.
        let identity = |file: &fs::Metadata| (file.dev(), file.ino(), file.uid(), file.mode());
        if identity(&opened) == identity(&found) {
            return Ok((file, opened.len()));
        }
    }
    Err(FileFault::Busy)
}

/// Writes a new keyring to `path`, where there must be none.
///
/// # Errors
/// [`FileFault::Exists`], [`FileFault::Busy`] or [`FileFault::Io`].
pub fn create(path: &Path) -> Result<Keyring, FileFault> {
    let directory = lock_directory(path)?;
    match fs::symlink_metadata(path) {
        Ok(_) => return Err(FileFault::Exists),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let ring = Keyring::generate(Timestamp::now()).map_err(FileFault::Change)?;
    replace(path, &directory, &ring)?;
    Ok(ring)
}

/// Applies `change` to the keyring at `path`, and returns the new keyring with what `change` returned.
///
/// # Errors
/// Those of [`read`] and of `change`, [`FileFault::Busy`] or [`FileFault::Io`]. Then the file is as it was.
pub fn update<T>(
    path: &Path,
    owner: u32,
    change: impl FnOnce(&mut Keyring) -> Result<T, ChangeFault>,
) -> Result<(Keyring, T), FileFault> {
    let directory = lock_directory(path)?;
    let mut ring = read(path, owner)?;
    let outcome = change(&mut ring).map_err(FileFault::Change)?;
    replace(path, &directory, &ring)?;
    Ok((ring, outcome))
}

/// Reads what another program printed as a keyring.
///
/// # Errors
/// [`FileFault::TooLarge`], [`FileFault::Content`] or [`FileFault::Io`].
pub fn read_stream(stream: impl Read) -> Result<Keyring, FileFault> {
    let bytes = read_to_end(stream, MAX_LEN)?;
    Keyring::parse(&bytes).map_err(FileFault::Content)
}

/// The bytes, in memory that did not have to grow and is erased.
fn read_to_end(stream: impl Read, expected: u64) -> Result<Zeroizing<Vec<u8>>, FileFault> {
    let capacity = usize::try_from(expected.min(MAX_LEN)).unwrap_or_default() + 64;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    stream.take(MAX_LEN + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_LEN {
        return Err(FileFault::TooLarge);
    }
    Ok(bytes)
}

/// The directory of `path`, locked against other writers until dropped (`flock(2)`).
fn lock_directory(path: &Path) -> Result<File, FileFault> {
    let directory = File::open(parent(path))?;
    match directory.try_lock() {
        Ok(()) => Ok(directory),
        Err(TryLockError::WouldBlock) => Err(FileFault::Busy),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn replace(path: &Path, directory: &File, ring: &Keyring) -> Result<(), FileFault> {
    let new_path = new_path(path)?;
    // A crash may have left one; under the lock it is nobody's.
    match fs::remove_file(&new_path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let written = write(&new_path, ring).and_then(|()| fs::rename(&new_path, path));
    if let Err(error) = written {
        // Half a keyring is of no use; when it cannot be removed either, the first error says more.
        let _ = fs::remove_file(&new_path);
        return Err(error.into());
    }
    directory.sync_all()?;
    Ok(())
}

fn write(path: &Path, ring: &Keyring) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&ring.to_json())?;
    file.sync_all()
}

/// The new file's name while it is written: in the same directory, or it could not replace the old one in one step.
fn new_path(path: &Path) -> Result<PathBuf, FileFault> {
    let mut name = path.file_name().ok_or(FileFault::NotRegular)?.to_os_string();
    name.push(".new");
    Ok(path.with_file_name(name))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

impl From<io::Error> for FileFault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            kind => Self::Io(kind),
        }
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no such file"),
            Self::Exists => f.write_str("the file exists"),
            Self::NotRegular => f.write_str("not a regular file"),
            Self::Owner => f.write_str("not owned by the user that the server runs as"),
            Self::Mode(mode) => write!(f, "mode {mode:04o} lets others in: it must be 0600 or less"),
            Self::TooLarge => f.write_str("larger than 1 MiB"),
            Self::Content(fault) => fault.fmt(f),
            Self::Change(fault) => fault.fmt(f),
            Self::Busy => f.write_str("another session is changing it"),
            Self::Io(kind) => kind.fmt(f),
        }
    }
}

impl core::error::Error for FileFault {}
