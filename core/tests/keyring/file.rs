//! What the file system may hold where the keyring is expected: one test for each [`FileFault`], with real files. Pipes
//! are in `keyring_pipe.rs`.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    thread,
};

use cordon_core::{
    Keyring, Purpose, Timestamp,
    keyring::{ChangeFault, KeyringFault},
    keyring_file::{self, FileFault},
};

use crate::{Directory, ENABLED, ENTRY, file_of};

/// The user whose files these are.
fn user(directory: &Directory) -> u32 {
    fs::metadata(directory.path()).expect("the directory is there").uid()
}

/// Writes a valid keyring with these permission bits.
fn write(path: &Path, mode: u32) {
    fs::write(path, file_of(&[ENTRY, ENABLED])).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own file");
}

fn a_keyring() -> (Directory, PathBuf, u32) {
    let directory = Directory::new();
    let path = directory.keyring();
    write(&path, 0o600);
    let user = user(&directory);
    (directory, path, user)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("the file is there").mode() & 0o7777
}

fn rotate(ring: &mut Keyring) -> Result<u32, ChangeFault> {
    ring.rotate(Purpose::Encryption, Timestamp::from_unix(0))
}

fn fault<T>(outcome: Result<T, FileFault>) -> FileFault {
    match outcome {
        Err(fault) => fault,
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn a_private_file_of_the_servers_user_is_read() {
    let (_directory, path, user) = a_keyring();
    assert_eq!(keyring_file::read(&path, user).map(|ring| ring.keys().len()).ok(), Some(2));
    write(&path, 0o400);
    assert_eq!(keyring_file::read(&path, user).map(|ring| ring.keys().len()).ok(), Some(2), "mode 0400");
}

#[test]
fn no_file_is_missing() {
    let directory = Directory::new();
    assert!(matches!(keyring_file::read(&directory.keyring(), user(&directory)), Err(FileFault::Missing)));
    let updated = keyring_file::update(&directory.keyring(), user(&directory), rotate);
    assert!(matches!(updated, Err(FileFault::Missing)));
    assert!(!directory.keyring().exists(), "an update made a keyring");
}

#[test]
fn a_file_of_another_user_is_refused() {
    let (_directory, path, user) = a_keyring();
    assert!(matches!(keyring_file::read(&path, user + 1), Err(FileFault::Owner)));
    assert!(matches!(keyring_file::update(&path, user + 1, rotate), Err(FileFault::Owner)));
}

#[test]
fn a_file_that_others_may_use_is_refused() {
    let (_directory, path, user) = a_keyring();
    for bits in [0o640, 0o644, 0o604, 0o620, 0o660, 0o700, 0o1600, 0o4600] {
        write(&path, bits);
        assert!(matches!(keyring_file::read(&path, user), Err(FileFault::Mode(found)) if found == bits), "{bits:o}");
        assert!(matches!(keyring_file::update(&path, user, rotate), Err(FileFault::Mode(_))), "{bits:o}");
    }
    assert_eq!(FileFault::Mode(0o640).to_string(), "mode 0640 lets others in: it must be 0600 or less");
}

#[test]
fn a_symbolic_link_is_refused_even_to_a_good_keyring() {
    let (directory, path, user) = a_keyring();
    let link = directory.path().join("link.json");
    symlink(&path, &link).expect("linked");
    assert!(matches!(keyring_file::read(&link, user), Err(FileFault::NotRegular)));
    assert!(matches!(keyring_file::update(&link, user, rotate), Err(FileFault::NotRegular)));
    assert!(matches!(keyring_file::create(&link), Err(FileFault::Exists)));
}

#[test]
fn a_dangling_link_is_not_a_place_for_a_new_keyring() {
    let directory = Directory::new();
    let elsewhere = directory.path().join("elsewhere.json");
    symlink(&elsewhere, directory.keyring()).expect("linked");
    assert!(matches!(keyring_file::create(&directory.keyring()), Err(FileFault::Exists)));
    assert!(!elsewhere.exists(), "the keyring was written where the link points");
}

#[test]
fn a_directory_is_refused() {
    let directory = Directory::new();
    fs::create_dir(directory.keyring()).expect("made");
    assert!(matches!(keyring_file::read(&directory.keyring(), user(&directory)), Err(FileFault::NotRegular)));
    assert!(matches!(keyring_file::create(&directory.keyring()), Err(FileFault::Exists)));
}

#[test]
fn a_file_of_more_than_a_mebibyte_is_refused() {
    let (_directory, path, user) = a_keyring();
    let padded = |len: usize| format!("{}{}", file_of(&[ENTRY]), " ".repeat(len - file_of(&[ENTRY]).len()));
    fs::write(&path, padded((1 << 20) + 1)).expect("written");
    assert!(matches!(keyring_file::read(&path, user), Err(FileFault::TooLarge)));
    fs::write(&path, padded(1 << 20)).expect("written");
    assert!(keyring_file::read(&path, user).is_ok(), "a mebibyte exactly");
}

#[test]
fn content_at_fault_is_refused_and_not_changed() {
    let (_directory, path, user) = a_keyring();
    fs::write(&path, r#"{"version": 2}"#).expect("written");
    let is_unknown_version = |fault: FileFault| matches!(fault, FileFault::Content(KeyringFault::UnknownVersion));
    assert!(is_unknown_version(fault(keyring_file::read(&path, user))));
    assert!(is_unknown_version(fault(keyring_file::update(&path, user, rotate))));
    assert_eq!(fs::read_to_string(&path).expect("still there"), r#"{"version": 2}"#);
}

#[test]
fn an_error_of_the_operating_system_is_passed_on() {
    let (_directory, path, user) = a_keyring();
    let below_a_file = path.join("keyring.json");
    let is_not_a_directory = |fault: FileFault| matches!(fault, FileFault::Io(io::ErrorKind::NotADirectory));
    assert!(is_not_a_directory(fault(keyring_file::read(&below_a_file, user))));
    assert!(is_not_a_directory(fault(keyring_file::create(&below_a_file))));
}

#[test]
fn a_change_that_cannot_be_made_leaves_the_file_as_it_was() {
    let (_directory, path, user) = a_keyring();
    let before = (fs::read(&path).expect("there"), fs::metadata(&path).expect("there").ino());
    let updated = keyring_file::update(&path, user, |ring| {
        rotate(ring)?;
        ring.disable(8)
    });
    assert!(matches!(updated, Err(FileFault::Change(ChangeFault::UnknownKey(8)))));
    assert_eq!((fs::read(&path).expect("there"), fs::metadata(&path).expect("there").ino()), before);
}

#[test]
fn a_change_replaces_the_file_by_a_private_one() {
    let (directory, path, user) = a_keyring();
    let before = fs::metadata(&path).expect("there").ino();
    let (ring, id) = keyring_file::update(&path, user, rotate).expect("updated");
    assert_eq!(ring.primary(Purpose::Encryption).map(|key| key.id), Ok(id));
    let read = keyring_file::read(&path, user).expect("valid");
    assert_eq!(read.to_json(), ring.to_json());
    assert_eq!(mode(&path), 0o600);
    assert_ne!(fs::metadata(&path).expect("there").ino(), before, "the old file was written over");
    assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 1, "a file was left behind");
}

#[test]
fn a_new_keyring_is_private_and_reads_back() {
    let directory = Directory::new();
    let ring = keyring_file::create(&directory.keyring()).expect("created");
    assert_eq!(mode(&directory.keyring()), 0o600);
    let read = keyring_file::read(&directory.keyring(), user(&directory)).expect("valid");
    assert_eq!(read.to_json(), ring.to_json());
    assert_eq!(fs::read_dir(directory.path()).expect("listed").count(), 1, "a file was left behind");
}

#[test]
fn an_existing_keyring_is_not_overwritten() {
    let (_directory, path, _) = a_keyring();
    let before = fs::read(&path).expect("there");
    assert!(matches!(keyring_file::create(&path), Err(FileFault::Exists)));
    assert_eq!(fs::read(&path).expect("there"), before);
}

#[test]
fn what_a_crash_left_behind_is_replaced() {
    let (directory, path, user) = a_keyring();
    let stale = directory.path().join("keyring.json.new");
    write(&stale, 0o644);
    let (ring, _) = keyring_file::update(&path, user, rotate).expect("updated");
    assert_eq!(keyring_file::read(&path, user).expect("valid and private").to_json(), ring.to_json());
    assert!(!stale.exists());
}

#[test]
fn a_link_planted_for_the_new_file_is_not_followed() {
    let (directory, path, user) = a_keyring();
    let victim = directory.path().join("victim");
    fs::write(&victim, "untouched").expect("written");
    symlink(&victim, directory.path().join("keyring.json.new")).expect("linked");
    keyring_file::update(&path, user, rotate).expect("updated");
    assert_eq!(fs::read_to_string(&victim).expect("there"), "untouched");
    assert!(fs::symlink_metadata(&path).expect("there").is_file());
}

#[test]
fn when_the_new_file_cannot_be_written_the_old_one_stays() {
    let (directory, path, user) = a_keyring();
    let before = fs::read(&path).expect("there");
    fs::create_dir(directory.path().join("keyring.json.new")).expect("made");
    assert!(matches!(keyring_file::update(&path, user, rotate), Err(FileFault::Io(_))));
    assert_eq!(fs::read(&path).expect("there"), before);
}

#[test]
fn of_two_changes_at_once_the_second_is_told_to_wait() {
    let (_directory, path, user) = a_keyring();
    let outcome = keyring_file::update(&path, user, |ring| {
        assert!(matches!(keyring_file::update(&path, user, rotate), Err(FileFault::Busy)));
        assert!(matches!(keyring_file::create(&path), Err(FileFault::Busy)));
        assert!(keyring_file::read(&path, user).is_ok(), "reading needs no lock");
        rotate(ring)
    });
    assert!(outcome.is_ok());
    assert!(keyring_file::update(&path, user, rotate).is_ok(), "the lock ends with the change");
}

#[test]
fn a_keyring_can_be_read_at_any_moment_of_its_rotations() {
    let (_directory, path, user) = a_keyring();
    let keys = |fewest: usize| {
        let ring = keyring_file::read(&path, user).expect("either the old keyring or the new one");
        assert!(ring.keys().len() >= fewest, "an older keyring came back");
        ring.keys().len()
    };
    thread::scope(|scope| {
        let rotations = scope.spawn(|| (0..20).try_for_each(|_| keyring_file::update(&path, user, rotate).map(drop)));
        let mut seen = 2;
        while !rotations.is_finished() {
            seen = keys(seen);
        }
        rotations.join().expect("no panic").expect("nobody else writes");
    });
    assert_eq!(keys(2), 22);
}

#[test]
fn a_command_that_prints_a_keyring_is_read() {
    let printed = file_of(&[ENTRY, ENABLED]);
    assert_eq!(keyring_file::read_stream(printed.as_bytes()).map(|ring| ring.keys().len()).ok(), Some(2));
    let garbage = fault(keyring_file::read_stream(&b"vault: permission denied"[..]));
    assert!(matches!(garbage, FileFault::Content(KeyringFault::NotJson(_))));
}

#[test]
fn a_command_that_never_stops_printing_is_cut_off() {
    assert!(matches!(keyring_file::read_stream(io::repeat(b' ')), Err(FileFault::TooLarge)));
}

#[test]
fn a_command_whose_pipe_breaks_is_an_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let broken = fault(keyring_file::read_stream(Broken));
    assert!(matches!(broken, FileFault::Io(io::ErrorKind::BrokenPipe)));
}
