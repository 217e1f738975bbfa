//! The keyring's verbs, for superusers, and what its view shows.

use cordon_core::{Key, KeyId, Keyring, Purpose, Timestamp, keyring::ChangeFault};
use pgrx::{
    PgLogLevel, PgSqlErrorCode,
    pg_sys::{Datum, panic::ErrorReport},
};

use crate::{
    c_functions,
    pg::{
        error::Failure,
        fmgr::Args,
        keyring,
        keys::with_keys,
        role::is_superuser,
        rows_out::{Cell, RowsOut, text_datum},
    },
};

c_functions! {
    create_keyring_wrapper => create_keyring;
    rotate_key_wrapper => rotate_key;
    disable_key_wrapper => disable_key;
    enable_key_wrapper => enable_key;
    keyring_keys_wrapper => keyring_keys;
    cordon_printable_keys => printable_keys;
}

/// Writes a new keyring file and returns its path. Refuses to overwrite one.
fn create_keyring(args: Args) -> Result<Datum, Failure> {
    require_superuser("create a keyring")?;
    let path = keyring::create()?;
    if keyring::is_in_data_directory(&path) {
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_WARNING,
            "the keyring is in the data directory, so base backups and file-system snapshots hold its keys",
            "pg_cordon",
        )
        .set_hint("For production, move it elsewhere and name its place in cordon.keyring_file. Back it up separately.")
        .report(PgLogLevel::WARNING);
    }
    Ok(text_datum(&path.display().to_string()).unwrap_or_else(|| args.null()))
}

/// Makes a new primary key and returns its id. The former one stays enabled.
fn rotate_key(args: Args) -> Result<Datum, Failure> {
    require_superuser("rotate a key")?;
    let purpose = args.varlena(0);
    let purpose = core::str::from_utf8(purpose.as_bytes()).ok().and_then(Purpose::from_name);
    let purpose = purpose.ok_or(Failure::UnknownPurpose)?;
    let id = keyring::update(|ring| ring.rotate(purpose, Timestamp::now()))?;
    if purpose == Purpose::Search {
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_WARNING,
            "values sealed from now on are not equal to those sealed before",
            "pg_cordon",
        )
        .set_hint("Look-ups miss old values and unique indexes let them in twice until they are sealed anew: see docs/EQUALITY.md.")
        .report(PgLogLevel::WARNING);
    }
    Ok(Datum::from(i64::from(id)))
}

/// Stops the use of a key that is not primary.
fn disable_key(args: Args) -> Result<Datum, Failure> {
    change_status(args, "disable a key", Keyring::disable)
}

/// Takes a disabled key into use again, to open old values.
fn enable_key(args: Args) -> Result<Datum, Failure> {
    change_status(args, "enable a key", Keyring::enable)
}

/// The keys as the view shows them: all but their material.
fn keyring_keys(args: Args) -> Result<Datum, Failure> {
    let rows = RowsOut::begin(&args);
    let keys: Vec<Key> = with_keys(|keys| keys.keyring().map(|ring| ring.keys().to_vec()))?;
    for key in &keys {
        rows.push([
            Cell::int8(key.id.into()),
            Cell::text(key.purpose.name()),
            Cell::text(key.status.name()),
            Cell::text(key.created_at.as_str()),
            Cell::text(&key.fingerprint()),
        ]);
    }
    Ok(args.null())
}

/// The keys for sealing whose material is printable: none without a keyring.
fn printable_keys(args: Args) -> Result<Datum, Failure> {
    let rows = RowsOut::begin(&args);
    let keys = match with_keys(|keys| keys.keyring().map(|ring| ring.keys().to_vec())) {
        Err(Failure::NoKeyring(_)) => Vec::new(),
        keys => keys?,
    };
    let made_here = [Purpose::Encryption, Purpose::Search, Purpose::Token];
    for key in keys.iter().filter(|key| made_here.contains(&key.purpose) && key.is_printable()) {
        rows.push([Cell::int8(key.id.into()), Cell::text(key.purpose.name())]);
    }
    Ok(args.null())
}

fn change_status(
    args: Args,
    verb: &'static str,
    change: fn(&mut Keyring, KeyId) -> Result<(), ChangeFault>,
) -> Result<Datum, Failure> {
    require_superuser(verb)?;
    let id = KeyId::try_from(args.int8(0)).map_err(|_| Failure::NotAKeyId)?;
    keyring::update(|ring| change(ring, id))?;
    Ok(args.null())
}

/// The functions are revoked from PUBLIC, but a grant must not open them.
fn require_superuser(verb: &'static str) -> Result<(), Failure> {
    if is_superuser() { Ok(()) } else { Err(Failure::NotSuperuser(verb)) }
}
