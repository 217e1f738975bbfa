//! The keyring's verbs, for superusers, and what its view shows.

use cordon_core::{Key, KeyId, Keyring, Purpose, Timestamp, keyring::ChangeFault};
use pgrx::{PgLogLevel, PgSqlErrorCode, iter::TableIterator, name, pg_extern, pg_sys::panic::ErrorReport};

use crate::pg::{
    error::{Failure, or_raise},
    keyring,
    keys::with_keys,
    role::is_superuser,
};

/// Writes a new keyring file and returns its path. Refuses to overwrite one.
#[pg_extern(sql = false)]
fn create_keyring() -> String {
    let path = or_raise(require_superuser("create a keyring").and_then(|()| keyring::create()));
    if keyring::is_in_data_directory(&path) {
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_WARNING,
            "the keyring is in the data directory, so base backups and file-system snapshots hold its keys",
            "pg_cordon",
        )
        .set_hint("For production, move it elsewhere and name its place in cordon.keyring_file. Back it up separately.")
        .report(PgLogLevel::WARNING);
    }
    path.display().to_string()
}

/// Makes a new primary key and returns its id. The former one stays enabled.
#[pg_extern(sql = false)]
fn rotate_key(purpose: &str) -> i64 {
    let (purpose, id) = or_raise(require_superuser("rotate a key").and_then(|()| {
        let purpose = Purpose::from_name(purpose).ok_or(Failure::UnknownPurpose)?;
        Ok((purpose, keyring::update(|ring| ring.rotate(purpose, Timestamp::now()))?))
    }));
    if purpose == Purpose::Search {
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_WARNING,
            "values sealed from now on are not equal to those sealed before",
            "pg_cordon",
        )
        .set_hint("Look-ups miss old values and unique indexes let them in twice until they are sealed anew: see docs/EQUALITY.md.")
        .report(PgLogLevel::WARNING);
    }
    i64::from(id)
}

/// Stops the use of a key that is not primary.
#[pg_extern(sql = false)]
fn disable_key(id: i64) {
    or_raise(change_status(id, "disable a key", Keyring::disable));
}

/// Takes a disabled key into use again, to open old values.
#[pg_extern(sql = false)]
fn enable_key(id: i64) {
    or_raise(change_status(id, "enable a key", Keyring::enable));
}

/// The keys as the view shows them: all but their material.
#[pg_extern(sql = false)]
fn keyring_keys() -> TableIterator<
    'static,
    (
        name!(id, i64),
        name!(purpose, &'static str),
        name!(status, &'static str),
        name!(created_at, String),
        name!(fingerprint, String),
    ),
> {
    let row = |key: &Key| {
        let created_at = key.created_at.as_str().to_owned();
        (i64::from(key.id), key.purpose.name(), key.status.name(), created_at, key.fingerprint())
    };
    let rows: Vec<_> = or_raise(with_keys(|keys| keys.keyring().map(|ring| ring.keys().iter().map(row).collect())));
    TableIterator::new(rows)
}

fn change_status(
    id: i64,
    verb: &'static str,
    change: fn(&mut Keyring, KeyId) -> Result<(), ChangeFault>,
) -> Result<(), Failure> {
    require_superuser(verb)?;
    let id = KeyId::try_from(id).map_err(|_| Failure::NotAKeyId)?;
    keyring::update(|ring| change(ring, id))
}

/// The functions are revoked from PUBLIC, but a grant must not open them.
fn require_superuser(verb: &'static str) -> Result<(), Failure> {
    if is_superuser() { Ok(()) } else { Err(Failure::NotSuperuser(verb)) }
}
