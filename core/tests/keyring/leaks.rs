//! The attack: a keyring edited by hand, with a key in the wrong place. The server logs why it refused the file, the
//! log goes to people who must not see a key, and the libraries underneath like to quote what they did not understand.

use cordon_core::{
    Keyring,
    keyring_file::{self, FileFault},
};
use serde::Deserialize;

use crate::{Directory, ENABLED, ENTRY, Entry, file_of};

/// One key in the forms in which people have keys at hand.
const BASE64: &str = "DXXzNjmNVYZDdSbD4x2HuzywTnhU6sM2SjFjHEVo00Y=";
const BASE64_URL: &str = "DXXzNjmNVYZDdSbD4x2HuzywTnhU6sM2SjFjHEVo00Y";
const HEX: &str = "0d75f336398d5586437526c3e31d87bb3cb04e7854eac3364a31631c4568d346";
const DECIMAL: &str = "6088312405613297183360845281034427611939485076";
const ARRAY: &str = "[13,117,243,54,57,141,85,134,67,117,38,195,227,29,135,187,60,176,78,120,84,234,195,54]";
const FORMS: [&str; 5] = [BASE64, BASE64_URL, HEX, DECIMAL, ARRAY];

/// Fewest characters in a row that count as a part of a key: 24 bits of base64. Line and column numbers are shorter.
const PART: usize = 4;

/// The keyring with `form`, as it is, in the place of each value and of each name, and beside each.
fn misplaced(form: &str) -> Vec<String> {
    let valid = file_of(&[ENTRY, ENABLED]);
    let tokens = ["2868203317", "encryption", "primary", "2026-11-20T00:00:00Z", BASE64, "\"id\": 7", "\"version\": 1"];
    let names = ["\"version\"", "\"keys\"", "\"id\"", "\"purpose\"", "\"status\"", "\"created_at\"", "\"material\""];
    let mut files = Vec::new();
    for place in tokens.iter().chain(&names) {
        files.push(valid.replacen(place, form, 1));
        files.push(valid.replacen(place, &format!("\"{form}\""), 1));
        files.push(valid.replacen(place, &format!("{place}{form}"), 1));
        files.push(valid.replacen(place, &format!("{form}{place}"), 1));
    }
    for name in names {
        let quoted = format!("\"{form}\"");
        files.push(valid.replacen(name, &quoted, 1));
        files.push(valid.replacen(name, &format!("{quoted}: 1, {name}"), 1));
        files.push(valid.replacen(name, &format!("\"note\": {quoted}, {name}"), 1));
        files.push(valid.replacen(name, &format!("{name}: {quoted}, {name}"), 1));
        files.push(valid.replacen(name, &format!("{name}: {form}, {name}"), 1));
    }
    let strings = [
        form.to_owned(),
        format!("{form}{form}"),
        format!(" {form}"),
        format!("{form}\\n"),
        format!("{form}\n"),
        format!("{form}\\"),
        format!("{form}\\q"),
        format!("{form}\\u12"),
        format!("{}\\u003d", &form[..form.len() - 1]),
        format!("{form}\u{7}"),
        form[..form.len() - 1].to_owned(),
        form[1..].to_owned(),
    ];
    for quoted in strings.map(|string| format!("\"{string}\"")) {
        files.push(file_of(&[Entry { id: &quoted, ..ENTRY }]));
        files.push(file_of(&[Entry { purpose: &quoted, ..ENTRY }]));
        files.push(file_of(&[Entry { status: &quoted, ..ENTRY }]));
        files.push(file_of(&[Entry { created_at: &quoted, ..ENTRY }]));
        files.push(file_of(&[Entry { material: &quoted, status: "\"enabled\"", ..ENTRY }]));
        files.push(format!(r#"{{"version": {quoted}, "keys": []}}"#));
        files.push(format!(r#"{{"version": 1, "keys": {quoted}}}"#));
        files.push(format!(r#"{{"version": 1, "keys": [{quoted}]}}"#));
        files.push(format!(r#"{{"version": 1, {quoted}: []}}"#));
        files.push(format!(r#"{{"version": 2, "keys": {quoted}}}"#));
        files.push(format!("{valid}{quoted}"));
        files.push(quoted);
    }
    files.extend([
        form.to_owned(),
        format!("{form}\n{valid}"),
        format!("{valid}\n{form}"),
        format!("# {form}\n{valid}"),
        format!("{{\"version\": 1, \"keys\": [{{\"material\": \"{form}"),
        format!("{{\"version\": {form}"),
        file_of(&[ENTRY, Entry { material: ENTRY.material, ..ENABLED }]),
        file_of(&[ENTRY, Entry { id: ENTRY.id, ..ENABLED }]),
        file_of(&[ENTRY, Entry { status: ENTRY.status, ..ENABLED }]),
    ]);
    files
}

/// The part of a key that a text shows.
fn part_in(text: &str) -> Option<&'static str> {
    let parts = |form: &'static str| (0..=form.len() - PART).map(move |at| &form[at..at + PART]);
    let of_the_array = |at: usize| &ARRAY[at..at + 2 * PART]; // its numbers are shorter than a column's
    FORMS[..4]
        .iter()
        .flat_map(|form| parts(form))
        .chain((0..=ARRAY.len() - 2 * PART).map(of_the_array))
        .find(|part| text.contains(part))
}

/// Everything that can be printed of an error.
fn printed(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    for error in std::iter::successors(Some(error), |error| error.source()) {
        text += &format!("{error} {error:#} {error:?} {error:#?}\n");
    }
    text
}

#[test]
fn a_misplaced_key_never_reaches_an_error() {
    let mut refused = 0;
    for file in FORMS.iter().flat_map(|form| misplaced(form)) {
        let Err(fault) = Keyring::parse(file.as_bytes()) else { continue };
        refused += 1;
        let text = printed(&fault);
        assert_eq!(part_in(&text), None, "{text} of {file}");
        let through_the_file = printed(&FileFault::Content(fault));
        assert_eq!(part_in(&through_the_file), None, "{through_the_file} of {file}");
    }
    assert!(refused > 1000, "only {refused} files were at fault");
}

#[test]
fn a_misplaced_key_in_a_file_on_disk_never_reaches_an_error() {
    let directory = Directory::new();
    let path = directory.keyring();
    for file in misplaced(BASE64) {
        std::fs::write(&path, &file).expect("written");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("our own file");
        let user = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&path).expect("there"));
        for outcome in [
            keyring_file::read(&path, user).map(drop),
            keyring_file::read_stream(file.as_bytes()).map(drop),
            keyring_file::update(&path, user, |ring| ring.disable(8)).map(drop),
        ] {
            if let Err(fault) = outcome {
                assert_eq!(part_in(&printed(&fault)), None, "{fault:?} of {file}");
            }
        }
    }
}

#[test]
fn a_key_among_bytes_that_are_not_utf_8_never_reaches_an_error() {
    for bad in [b"\xff".as_slice(), b"\xc3", b"\xed\xa0\x80"] {
        for at in 0..BASE64.len() {
            let material = [b"\"", &BASE64.as_bytes()[..at], bad, &BASE64.as_bytes()[at..], b"\""].concat();
            let file = [br#"{"version": 1, "keys": [{"id": 1, "material": "#, material.as_slice(), b"}]}"].concat();
            let fault = Keyring::parse(&file).expect_err("not UTF-8");
            assert_eq!(part_in(&printed(&fault)), None, "{fault:?}");
        }
    }
}

#[test]
fn a_valid_keyring_prints_no_key() {
    let ring = Keyring::parse(file_of(&[ENTRY, ENABLED]).as_bytes()).expect("valid");
    let text = format!("{ring:?} {ring:#?} {:?}", ring.keys());
    assert!(text.contains("2868203317"), "nothing was printed");
    assert_eq!(part_in(&text), None, "{text}");
    // The bytes, as a derived Debug would show them.
    assert!(!text.contains("13, 117, 243") && !text.contains("0x0d"), "{text}");
}

/// Proves that the tests above would notice: this is what serde says by itself.
#[test]
fn the_library_underneath_would_have_shown_the_key() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Naive {}

    let naive = serde_json::from_str::<Naive>(&format!(r#"{{"{BASE64}": 1}}"#)).expect_err("an unknown field");
    assert_eq!(part_in(&printed(&naive)), Some(&BASE64[..PART]));
}
