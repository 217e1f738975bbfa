//! What is left of a statement in the log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use cordon_core::redact::{Rules, mask, mask_audit};
use proptest::{prelude::*, test_runner::Config};

fn masked_by(text: &str, standard_conforming_strings: bool) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let len = mask(&mut bytes, Rules { standard_conforming_strings, vertical_tab_is_space: true });
    String::from_utf8(bytes[..len].to_vec()).expect("UTF-8 stays UTF-8")
}

fn masked(text: &str) -> String {
    masked_by(text, true)
}

#[test]
fn every_kind_of_literal_is_masked_and_the_rest_is_kept() {
    for (text, expected) in [
        ("INSERT INTO t VALUES (1, 'secret', NULL)", "INSERT INTO t VALUES (?, ?, NULL)"),
        ("SELECT 'it''s secret' FROM \"odd \"\"name 1\" WHERE a = $1", "SELECT ? FROM \"odd \"\"name 1\" WHERE a = $1"),
        (r"SELECT E'a\'secret', e'\\', a", "SELECT E?, e?, a"),
        (r"SELECT 'a\', b, 'secret'", "SELECT ?, b, ?"),
        ("SELECT U&'secret', B'101', X'1f', n'secret'", "SELECT U&?, B?, X?, n?"),
        ("SELECT $$secret$$, $t$se$$cret$t$, $1, a$b$c", "SELECT ?, ?, $1, a$b$c"),
        ("SELECT 1.5e-7, 0xff, 1_000, .5, t1.c2, -3", "SELECT ?, ?, ?, ?, t1.c2, -?"),
        ("SELECT 1 -- secret\nFROM t /* secret /* nested */ secret */ WHERE a=-1", "SELECT ? ?\nFROM t ? WHERE a=-?"),
        ("SELECT 1$$ secret$$, 1$a$ secret$a$, 1..2, t.1.5.", "SELECT ??, ??, ?..?, t??."),
        ("SELECT B'1''secret', X'1f''secret'", "SELECT B??, X??"),
        ("SELECT a->>'k', b#>'{x}', c[2], d::varchar(10)", "SELECT a->>?, b#>?, c[?], d::varchar(?)"),
        ("parameters: $1 = 'it''s', $2 = NULL, $3 = 'cut off...'", "parameters: $1 = ?, $2 = NULL, $3 = ?"),
        ("", ""),
    ] {
        assert_eq!(masked(text), expected);
    }
}

#[test]
fn what_does_not_end_is_masked_to_the_end() {
    for text in
        ["SELECT 'secret", "SELECT \"secret 'x'", "SELECT $a$secret$b$", "SELECT /* secret", "SELECT E'secret\\'"]
    {
        let masked = masked(text);
        assert!(masked.starts_with("SELECT ") && !masked.contains("secret"), "{masked}");
    }
}

#[test]
fn a_backslash_is_read_as_the_server_does() {
    let text = r"SELECT 'a\', b, 'secret', c, '";
    assert_eq!(masked_by(text, true), "SELECT ?, b, ?, c, ?");
    assert_eq!(masked_by(r"SELECT 'it\'s secret', b", false), "SELECT ?, b");
}

fn masked_audit(entry: &str) -> String {
    let mut bytes = entry.as_bytes().to_vec();
    let len = mask_audit(&mut bytes, Rules { standard_conforming_strings: true, vertical_tab_is_space: true });
    String::from_utf8(bytes[..len].to_vec()).expect("UTF-8 stays UTF-8")
}

/// As pgaudit writes a value.
fn csv(value: &str) -> String {
    if value.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

#[test]
fn of_what_pgaudit_logs_the_shape_is_left() {
    let head = "AUDIT: SESSION,1,1,WRITE,INSERT,TABLE,public.t,";
    for (rest, expected) in [
        ("SELECT f('secret'),<none>", "SELECT f(?),<none>"),
        ("SELECT f('secret'),<not logged>,12", "SELECT f(?),<not logged>,12"),
        ("SELECT f($1),secret", "SELECT f($1),?"),
        ("SELECT f($1),<none>secret", "SELECT f($1),?"),
        ("SELECT f($1),\"<none>,secret\"", "SELECT f($1),?"),
        ("SELECT f($1),", "SELECT f($1)"),
        ("\"SELECT \"\"it's\"\", 'secret \"\" secret'\",<none>", "\"SELECT \"\"it's\"\", ?\",<none>"),
        ("\"SELECT 'secret, secret", "?"),
        ("\"SELECT 'secret'\"secret,secret", "?,?"),
        ("<previously logged>,<previously logged>", "<previously logged>,?"),
    ] {
        assert_eq!(masked_audit(&format!("{head}{rest}")), format!("{head}{expected}"), "{rest}");
    }
    let odd = "AUDIT: OBJECT,1,1,READ,SELECT,TABLE,\"\"\"a,b\"\".c\",";
    assert_eq!(masked_audit(&format!("{odd}SELECT 'secret',<none>")), format!("{odd}SELECT ?,<none>"));
    for short in ["AUDIT: ", "AUDIT: secret", "AUDIT: SESSION,1,1,WRITE,INSERT,TABLE,secret", "AUDIT: a,b,c,d,e,f,g,"] {
        assert_eq!(masked_audit(short), "AUDIT: ");
    }
}

proptest! {
    #![proptest_config(Config { cases: 2000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn nothing_of_a_quoted_text_is_left(before in "[a-z ,()=]{0,20}", secret in ".{0,20}", after in "[a-z ,()=]{0,20}") {
        let quoted = secret.replace('\'', "''");
        let text = format!("{before} '{quoted}' {after}");
        prop_assert_eq!(masked(&text), format!("{before} ? {after}"));
        let escaped = secret.replace('\\', "\\\\").replace('\'', "\\'");
        prop_assert_eq!(masked(&format!("{before} E'{escaped}' {after}")), format!("{before} E? {after}"));
        prop_assume!(!secret.contains("$q$") && !secret.ends_with("$q") && !secret.ends_with('$'));
        prop_assert_eq!(masked(&format!("{before} $q${secret}$q$ {after}")), format!("{before} ? {after}"));
    }

    #[test]
    fn a_statement_that_pgaudit_logs_is_masked_as_it_is_elsewhere(
        name in "[a-z\",]{0,10}",
        parts in prop::collection::vec(prop::sample::select(&["'", "\"", "'secret'", ",", " ", "a", "$$", "--", "\n", "1", "é"][..]), 1..12),
    ) {
        let statement = parts.concat();
        let head = format!("AUDIT: SESSION,1,1,WRITE,INSERT,TABLE,{},", csv(&name));
        let expected = masked(&statement);
        let expected = if csv(&statement) == statement { expected } else { format!("\"{}\"", expected.replace('"', "\"\"")) };
        prop_assert_eq!(masked_audit(&format!("{head}{},<none>", csv(&statement))), format!("{head}{expected},<none>"));
        prop_assert_eq!(masked_audit(&format!("{head}{},secret", csv(&statement))), format!("{head}{expected},?"));
    }

    #[test]
    fn any_bytes_are_masked_without_growing_and_no_quote_is_left(bytes in prop::collection::vec(any::<u8>(), 0..200), standard_conforming_strings: bool) {
        let mut text = bytes.clone();
        let len = mask(&mut text, Rules { standard_conforming_strings, vertical_tab_is_space: true });
        prop_assert!(len <= bytes.len());
        let mut again = text[..len].to_vec();
        let len_again = mask(&mut again, Rules { standard_conforming_strings, vertical_tab_is_space: true });
        prop_assert_eq!(&again[..len_again], &text[..len], "masking twice changes nothing");
        let mut entry = [b"AUDIT: ", &bytes[..]].concat();
        let len = mask_audit(&mut entry, Rules { standard_conforming_strings, vertical_tab_is_space: true });
        prop_assert!(len <= entry.len());
    }
}
