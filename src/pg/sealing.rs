//! Sealing and opening with the keys of this process.

use cordon_core::{Envelope, Error, Kind, Purpose, Scope, envelope};

use super::{
    encoding,
    error::Failure,
    keys::{Root, with_keys},
    log,
    varlena::{MakeOutput, Output},
};

/// Seals a text in the database's encoding, as a varlena.
///
/// # Errors
/// Those of the keyring; [`Failure::NotText`]; [`Error::TooLong`].
pub fn seal(scope: Scope<'_>, text: &[u8]) -> Result<Output, Failure> {
    log::note_secret();
    encoding::with_utf8(text, |plaintext| {
        let mut output = Output::varlena(envelope::sealed_len(plaintext.len())?)?;
        with_keys(|keys| {
            let nonce = keys.nonce()?;
            let subkey = keys.subkey(Root::Primary(Purpose::Encryption), scope)?;
            Ok::<_, Failure>(envelope::seal(subkey, kind_of(scope), &nonce, plaintext, output.bytes())?)
        })?;
        Ok(output)
    })
}

/// Opens a sealed value as a text in the database's encoding; `make` is the constructor of the output.
///
/// # Errors
/// Those of the keyring; those of [`Envelope::open`]; [`Failure::NotRepresentable`].
pub fn open(scope: Scope<'_>, sealed: &[u8], make: MakeOutput) -> Result<Output, Failure> {
    log::note_secret();
    let envelope = Envelope::parse(sealed)?;
    if envelope.kind() != kind_of(scope) {
        return Err(Error::Corrupted.into());
    }
    let root = Root::Named(envelope.key_id(), Purpose::Encryption);
    encoding::from_utf8(envelope.plaintext_len(), make, |out| {
        with_keys(|keys| Ok(envelope.open(keys.subkey(root, scope)?, out)?))
    })
}

const fn kind_of(scope: Scope<'_>) -> Kind {
    match scope {
        Scope::Tenant(_) => Kind::Tenant,
        Scope::Shared => Kind::Shared,
    }
}
