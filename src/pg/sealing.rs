//! Sealing and opening with the keys of this process.

use cordon_core::{Envelope, Error, Kind, Purpose, Scope, SearchTag, envelope};

use super::{
    encoding,
    error::Failure,
    keys::{Root, with_keys},
    varlena::{MakeOutput, Output, Plaintext},
};

/// Seals a text in the database's encoding, as a varlena.
///
/// # Errors
/// Those of the keyring; [`Failure::NotText`]; [`Error::TooLong`].
pub fn seal(kind: Kind, scope: Scope<'_>, text: &[u8]) -> Result<Output, Failure> {
    encoding::with_utf8(text, |plaintext| {
        let mut output = Output::varlena(envelope::sealed_len(kind, plaintext.len())?)?;
        with_keys(|keys| {
            let search_tag = match kind.has_equality() {
                true => Some(SearchTag::of(keys.mac(Root::Primary(Purpose::Search), scope)?, plaintext)),
                false => None,
            };
            let nonce = keys.nonce()?;
            let subkey = keys.subkey(Root::Primary(Purpose::Encryption), scope)?;
            Ok::<_, Failure>(envelope::seal(subkey, kind, search_tag.as_ref(), &nonce, plaintext, output.bytes())?)
        })?;
        Ok(output)
    })
}

/// Opens a sealed value as a text in the database's encoding; `make` is the constructor of the output.
///
/// # Errors
/// Those of the keyring; those of [`Envelope::open`]; [`Failure::NotRepresentable`].
pub fn open(kind: Kind, scope: Scope<'_>, sealed: &[u8], make: MakeOutput) -> Result<Output, Failure> {
    let envelope = Envelope::parse(sealed)?;
    if envelope.kind() != kind {
        return Err(Error::Corrupted.into());
    }
    let root = Root::Named(envelope.key_id(), Purpose::Encryption);
    encoding::from_utf8(envelope.plaintext_len(), make, |out| {
        with_keys(|keys| Ok(envelope.open(keys.subkey(root, scope)?, out)?))
    })
}

/// Opens a sealed value without giving its plaintext away, and checks that its search tag is that of the plaintext.
///
/// # Errors
/// As [`open`].
pub fn verify(kind: Kind, scope: Scope<'_>, sealed: &[u8]) -> Result<(), Failure> {
    let envelope = Envelope::parse(sealed)?;
    if envelope.kind() != kind {
        return Err(Error::Corrupted.into());
    }
    let mut plaintext = Plaintext::new(Output::varlena(envelope.plaintext_len())?);
    with_keys(|keys| {
        envelope.open(keys.subkey(Root::Named(envelope.key_id(), Purpose::Encryption), scope)?, plaintext.bytes())?;
        if let Some(search_tag) = envelope.search_tag() {
            let key = keys.mac(Root::Named(search_tag.key_id(), Purpose::Search), scope)?;
            if SearchTag::of(key, plaintext.bytes()) != search_tag {
                return Err(Error::Corrupted.into());
            }
        }
        Ok(())
    })
}

/// Opens a sealed value for a moment.
///
/// # Errors
/// As [`open`].
pub fn plaintext(kind: Kind, scope: Scope<'_>, sealed: &[u8]) -> Result<Plaintext, Failure> {
    open(kind, scope, sealed, Output::varlena).map(Plaintext::new)
}
