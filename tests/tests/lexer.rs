//! Whether the log's mask reads SQL as PostgreSQL's own lexer (`core_yylex`) does: a string that ends elsewhere would turn
//! what is masked inside out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{env, path::PathBuf, process::Command};

use cordon_core::redact::{Rules, mask};
use cordon_tests::{Cluster, Settings, source};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngSeed, TestRunner},
};

/// What texts are put together from: whatever begins, ends or continues a literal or a comment, and what may stand beside.
const PARTS: &[&str] = &[
    "'",
    "'",
    "'",
    "''",
    "\\",
    "\\'",
    "\"",
    "\"\"",
    "$",
    "$$",
    "$$",
    "$a$",
    "$a$",
    "$b$",
    "$1",
    "a",
    "E",
    "e'",
    "U&",
    "u&'",
    "U&\"",
    "b'",
    "X'",
    "N'",
    "n",
    "_",
    "é",
    "0",
    "1",
    "12",
    ".",
    "..",
    "1.",
    ".5",
    "e",
    "e5",
    "e+5",
    "0x1f",
    "0b1",
    "0o7",
    "1_0",
    "-",
    "--",
    "--",
    "/",
    "/*",
    "/*",
    "*/",
    "*/",
    "*",
    "+",
    "@",
    "<",
    "=",
    ":",
    ";",
    ",",
    "(",
    "[",
    "?",
    " ",
    " ",
    "\t",
    "\n",
    "\n",
    "\r",
    "\u{b}",
    "\u{c}",
    "secret",
    " secret ",
    "UESCAPE '!'",
    "0041",
];

/// Codes of tokens that are literals: numeric with a point, strings, bits, hexadecimal digits and integers, in the order that
/// `parser/scanner.h` prescribes.
const LITERALS: [i32; 6] = [260, 261, 262, 263, 264, 266];

#[test]
fn the_mask_reads_sql_as_postgresql_does() {
    let cluster = Cluster::start(&Settings { keyring: false, preload: false, ..Settings::default() });
    let mut client = cluster.connect("postgres", "postgres");
    let library = PathBuf::from(env::var_os("CORDON_STAGE").unwrap()).join("lexer.so");
    let compiled = Command::new("clang")
        .args(["-shared", "-fPIC", "-O2", "-w", "-I"])
        .arg(env::var_os("CORDON_PG_INCLUDE").expect("run these tests with make test"))
        .arg(source("lexer/lexer.c"))
        .arg("-o")
        .arg(&library)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    client
        .batch_execute(&format!(
            "CREATE FUNCTION tokens(text) RETURNS text LANGUAGE c VOLATILE STRICT AS '{}'; SET escape_string_warning = off",
            library.display()
        ))
        .unwrap();
    // The codes are what they are said to be.
    let sample = "1.5 'a' U&'a' B'1' X'1' 1 a \"a\" $1 +";
    let codes: Vec<i32> =
        tokens(&mut client, &[sample.to_owned()]).remove(0).tokens.iter().map(|token| token.0).collect();
    assert_eq!(codes, [260, 261, 262, 263, 264, 266, 258, 258, 267, i32::from(b'+')]);

    let version: i32 = client.query_one("SELECT current_setting('server_version_num')::int", &[]).unwrap().get(0);
    // More of them, by hand: CORDON_LEXER_SEED=7 make test FILTER=the_mask_reads.
    let seed = env::var("CORDON_LEXER_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut runner = TestRunner::new(Config { rng_seed: RngSeed::Fixed(seed), ..Config::default() });
    let parts = prop::collection::vec(prop::sample::select(PARTS), 1..16);
    let texts: Vec<String> = (0..40_000).map(|_| parts.new_tree(&mut runner).unwrap().current().concat()).collect();
    let (mut whole, mut with_literals) = (0, 0);
    for standard_conforming_strings in [true, false] {
        client.batch_execute(&format!("SET standard_conforming_strings = {standard_conforming_strings}")).unwrap();
        let rules = Rules { standard_conforming_strings, vertical_tab_is_space: version >= 160_000 };
        for texts in texts.chunks(5_000) {
            for (text, lexed) in texts.iter().zip(tokens(&mut client, texts)) {
                let mut bytes = text.clone().into_bytes();
                let len = mask(&mut bytes, rules);
                let (masked, expected) = (once(&bytes[..len]), once(&lexed.masked(text.as_bytes())));
                let agrees = if lexed.is_refused { masked.starts_with(&expected) } else { masked == expected };
                assert!(
                    agrees,
                    "{text:?} with standard_conforming_strings = {standard_conforming_strings} becomes {:?}; to PostgreSQL it is \
                     {:?}{}",
                    String::from_utf8_lossy(&masked),
                    String::from_utf8_lossy(&expected),
                    if lexed.is_refused { ", and then an error" } else { "" },
                );
                whole += usize::from(!lexed.is_refused);
                with_literals += usize::from(!lexed.is_refused && expected.contains(&b'?') && !text.contains('?'));
            }
        }
    }
    assert!(whole > 10_000 && with_literals > 5_000, "{whole} texts without an error, {with_literals} with literals");
}

/// What PostgreSQL's lexer makes of a text.
struct Lexed {
    /// Code, start and length.
    tokens: Vec<(i32, usize, usize)>,
    /// Whether the lexer refuses what follows.
    is_refused: bool,
}

fn tokens(client: &mut postgres::Client, texts: &[String]) -> Vec<Lexed> {
    let rows =
        client.query("SELECT tokens(t) FROM unnest($1::text[]) WITH ORDINALITY x(t, i) ORDER BY i", &[&texts]).unwrap();
    rows.iter()
        .map(|row| {
            let mut lexed = Lexed { tokens: Vec::new(), is_refused: false };
            for line in row.get::<_, &str>(0).lines() {
                let numbers: Vec<usize> = line.split(' ').flat_map(str::parse).collect();
                match numbers[..] {
                    [code, start, len] => lexed.tokens.push((code.try_into().unwrap(), start, len)),
                    _ => lexed.is_refused = true,
                }
            }
            lexed
        })
        .collect()
}

impl Lexed {
    /// The text with its literals and comments masked; as far as the lexer came, if it refuses the rest.
    fn masked(&self, text: &[u8]) -> Vec<u8> {
        let mut masked = Vec::new();
        let mut at = 0;
        for &(code, start, len) in &self.tokens {
            mask_between(&text[at..start], &mut masked);
            let token = &text[start..start + len];
            if LITERALS.contains(&code) {
                // What a string begins with: E, U&, B, X.
                let begins = |prefix: &&&[u8]| token.to_ascii_lowercase().starts_with(prefix);
                let prefix =
                    [&b"e'"[..], b"u&'", b"b'", b"x'"].iter().find(begins).map_or(0, |prefix| prefix.len() - 1);
                masked.extend(&token[..prefix]);
                masked.push(b'?');
            } else {
                masked.extend(token);
            }
            at = start + len;
        }
        if !self.is_refused {
            mask_between(&text[at..], &mut masked);
        }
        masked
    }
}

/// What stands between two tokens is white space and comments.
fn mask_between(mut text: &[u8], masked: &mut Vec<u8>) {
    while let [first, rest @ ..] = text {
        let comment = match text {
            [b'-', b'-', ..] => text.iter().take_while(|byte| !b"\r\n".contains(byte)).count(),
            [b'/', b'*', ..] => {
                let (mut depth, mut at) = (0, 0);
                loop {
                    match &text[at..at + 2] {
                        b"/*" => (depth, at) = (depth + 1, at + 2),
                        b"*/" => (depth, at) = (depth - 1, at + 2),
                        _ => at += 1,
                    }
                    if depth == 0 {
                        break at;
                    }
                }
            }
            _ => 0,
        };
        if comment > 0 {
            masked.push(b'?');
            text = &text[comment..];
        } else {
            assert!(first.is_ascii_whitespace() || *first == 0x0b, "{:?}", String::from_utf8_lossy(text));
            masked.push(*first);
            text = rest;
        }
    }
}

/// With one mask where several stand side by side: two literals may be masked as one.
fn once(masked: &[u8]) -> Vec<u8> {
    let mut once = masked.to_vec();
    once.dedup_by(|a, b| *a == b'?' && *b == b'?');
    once
}
