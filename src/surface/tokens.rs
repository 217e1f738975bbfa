//! Tokens and their hashes.

use cordon_core::{Error, KeyId, MAC_LEN, MacKey, Purpose, Scope, TokenHash, token};
use pgrx::pg_sys::Datum;

use crate::{
    c_functions,
    pg::{
        array,
        comparison::{self, Comparable},
        encoding,
        error::Failure,
        fmgr::Args,
        keys::{Root, with_keys},
        log, message, tenant,
        varlena::Output,
    },
};

c_functions! {
    token_hash_in => input;
    token_hash_out => output;
    token_hash_recv => receive;
    token_hash_send => send;
    token_hash_key_id => key_id;

    token_hash_eq => comparison::eq::<TokenHash>;
    token_hash_ne => comparison::ne::<TokenHash>;
    token_hash_lt => comparison::lt::<TokenHash>;
    token_hash_le => comparison::le::<TokenHash>;
    token_hash_gt => comparison::gt::<TokenHash>;
    token_hash_ge => comparison::ge::<TokenHash>;
    token_hash_cmp => comparison::cmp::<TokenHash>;
    token_hash_sort_support => comparison::sort_support::<TokenHash>;
    token_hash_hash => comparison::hash::<TokenHash>;
    token_hash_hash_extended => comparison::hash_extended::<TokenHash>;

    hash_token => hash;
    token_hashes => hashes;
    token_matches => matches;
    token_hash_from_sha256_hex => from_sha256_hex;
    token_hash_from_sha256_bytes => from_sha256_bytes;
    generate_token => generate;
    token_checksum_ok => checksum_ok;
    token_successor => successor;
    token_scope => scope;
}

/// Token hashes are made and looked up before anybody knows the tenant.
const SCOPE: Scope<'static> = Scope::Shared;

const PRIMARY: Root = Root::Primary(Purpose::Token);

impl Comparable for TokenHash {
    const PREFIX: usize = token::HASH_LEN;

    fn key(hash: &[u8]) -> [&[u8]; 2] {
        // The MAC first, because the header is that of most hashes.
        let (header, mac) = hash.split_at(hash.len().min(token::HASH_LEN - MAC_LEN));
        [mac, header]
    }
}

fn input(args: Args) -> Result<Datum, Failure> {
    // What is no hash is perhaps a token.
    log::note_secret();
    into_datum(&TokenHash::from_text(args.cstring(0))?)
}

fn output(args: Args) -> Result<Datum, Failure> {
    let text = argument(&args, 0)?.to_text();
    let mut output = Output::cstring(text.len())?;
    output.bytes().copy_from_slice(&text);
    Ok(output.into_datum())
}

fn receive(args: Args) -> Result<Datum, Failure> {
    log::note_secret();
    into_datum(&TokenHash::from_bytes(message::rest(args.message(0)))?)
}

fn send(args: Args) -> Result<Datum, Failure> {
    into_datum(&argument(&args, 0)?)
}

/// `cordon.key_id(token_hash)`
fn key_id(args: Args) -> Result<Datum, Failure> {
    Ok(Datum::from(i64::from(argument(&args, 0)?.key_id())))
}

/// `cordon.hash_token(token, purpose)`
fn hash(args: Args) -> Result<Datum, Failure> {
    let hash = with_token(&args, 0, 1, |token, purpose| {
        with_keys(|keys| Ok(TokenHash::of_token(keys.mac(PRIMARY, SCOPE)?, purpose, token)?))
    })?;
    into_datum(&hash)
}

/// `cordon.token_hashes(token, purpose)`: the hashes under which the token may have been stored.
fn hashes(args: Args) -> Result<Datum, Failure> {
    let mut hashes = Vec::new();
    with_token(&args, 0, 1, |token, purpose| {
        let digest = token::sha256(token);
        let mut push = |key: &MacKey| {
            hashes.push(into_datum(&TokenHash::of_token(key, purpose, token)?)?);
            hashes.push(into_datum(&TokenHash::of_sha256(key, purpose, &digest))?);
            Ok(())
        };
        with_keys(|keys| keys.each_mac(Purpose::Token, SCOPE, &mut push))
    })?;
    Ok(array::of_varlena(&mut hashes, args.element_of_result()))
}

/// `cordon.token_matches(token, hash, purpose)`. Never null, which `IF NOT` would take for a match.
fn matches(args: Args) -> Result<Datum, Failure> {
    let is_match = with_token(&args, 0, 2, |token, purpose| {
        if args.is_null(1) {
            return Ok(false);
        }
        let hash = argument(&args, 1)?;
        with_keys(|keys| match keys.mac(Root::Named(hash.key_id(), Purpose::Token), SCOPE) {
            // Whoever disables a key ends the tokens that were hashed with it.
            Err(Failure::Core(Error::DisabledKey(_))) => Ok(false),
            key => Ok(hash.matches(key?, purpose, token)?),
        })
    })?;
    Ok(Datum::from(is_match))
}

/// `cordon.token_hash_from_sha256(text, purpose)`
fn from_sha256_hex(args: Args) -> Result<Datum, Failure> {
    from_sha256(args, token::sha256_from_hex)
}

/// `cordon.token_hash_from_sha256(bytea, purpose)`
fn from_sha256_bytes(args: Args) -> Result<Datum, Failure> {
    from_sha256(args, |bytes| bytes.try_into().map_err(|_| Error::NotSha256))
}

fn from_sha256(args: Args, read: fn(&[u8]) -> Result<[u8; 32], Error>) -> Result<Datum, Failure> {
    log::note_secret();
    if args.is_null(0) {
        return Err(Failure::Null("sha256"));
    }
    let digest = read(args.varlena(0).as_bytes())?;
    let hash = with_purpose(&args, 1, |purpose| {
        with_keys(|keys| Ok(TokenHash::of_sha256(keys.mac(PRIMARY, SCOPE)?, purpose, &digest)))
    })?;
    into_datum(&hash)
}

/// `cordon.generate_token(prefix)`
fn generate(args: Args) -> Result<Datum, Failure> {
    log::note_secret();
    if args.is_null(0) {
        return Err(Failure::Null("prefix"));
    }
    let prefix = args.varlena(0);
    let mut output = Output::varlena(token::generated_len(prefix.as_bytes())?)?;
    token::generate(prefix.as_bytes(), output.bytes())?;
    Ok(output.into_datum())
}

/// `cordon.token_checksum_ok(token)`. Never null either.
fn checksum_ok(args: Args) -> Result<Datum, Failure> {
    log::note_secret();
    Ok(Datum::from(!args.is_null(0) && token::checksum_ok(args.varlena(0).as_bytes())))
}

/// `cordon.token_successor(token, purpose, key_id)`, for `cordon.rotate_token`.
fn successor(args: Args) -> Result<Datum, Failure> {
    let root = if args.is_null(2) {
        PRIMARY
    } else {
        Root::Named(KeyId::try_from(args.int8(2)).map_err(|_| Failure::NotAKeyId)?, Purpose::Token)
    };
    with_token(&args, 0, 1, |token, purpose| {
        let successor = with_keys(|keys| Ok::<_, Failure>(token::Successor::of(keys.root(root)?, purpose, token)?))?;
        let mut output = Output::varlena(successor.len())?;
        successor.write(output.bytes())?;
        Ok(output.into_datum())
    })
}

/// `cordon.token_scope()`: the current tenant, or `''` without one.
fn scope(_: Args) -> Result<Datum, Failure> {
    let tenant = tenant::read()?;
    let spelling = tenant.map_or(&[][..], |tenant| tenant.id.as_bytes());
    encoding::from_utf8(spelling.len(), Output::varlena, |out| {
        out.copy_from_slice(spelling);
        Ok(())
    })
    .map(Output::into_datum)
}

/// Calls `f` with the UTF-8 of a token and a purpose, which are the arguments `token` and `purpose`.
fn with_token<T>(
    args: &Args,
    token: usize,
    purpose: usize,
    f: impl FnOnce(&[u8], &[u8]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    log::note_secret();
    if args.is_null(token) {
        return Err(Failure::Null("token"));
    }
    let token = args.varlena(token);
    if token.as_bytes().is_empty() {
        return Err(Error::EmptyToken.into());
    }
    encoding::with_utf8(token.as_bytes(), |token| with_purpose(args, purpose, |purpose| f(token, purpose)))
}

fn with_purpose<T>(args: &Args, at: usize, f: impl FnOnce(&[u8]) -> Result<T, Failure>) -> Result<T, Failure> {
    if args.is_null(at) {
        return Err(Failure::Null("purpose"));
    }
    encoding::with_utf8(args.varlena(at).as_bytes(), f)
}

/// The argument at `at`, which SQL declares as token_hash.
fn argument(args: &Args, at: usize) -> Result<TokenHash, Failure> {
    // A stored value that is none has been damaged: the input functions let nothing else in.
    TokenHash::from_bytes(args.varlena(at).as_bytes()).map_err(|_| Failure::Core(Error::Corrupted))
}

fn into_datum(hash: &TokenHash) -> Result<Datum, Failure> {
    let mut output = Output::varlena(token::HASH_LEN)?;
    output.bytes().copy_from_slice(hash.as_bytes());
    Ok(output.into_datum())
}
