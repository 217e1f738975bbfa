//! SQL without its literals, for the server log.
//!
//! The lexical rules are those of PostgreSQL (`src/backend/parser/scan.l`). Text that breaks them, as failed statements
//! do, is masked from where it does: rather too much than too little.

/// What stands in place of a literal or comment.
const MASK: u8 = b'?';

/// How a text is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The setting `standard_conforming_strings`: whether a backslash in `'…'` is an ordinary character.
    pub standard_conforming_strings: bool,
}

/// Replaces each literal (string, number, dollar-quoted text) and each comment by `?`, in place, and returns the new
/// length, which is never greater. Identifiers, key words, operators and `$1` stay.
#[must_use]
pub fn mask(text: &mut [u8], rules: Rules) -> usize {
    let mut masking = Masking { text, read: 0, written: 0 };
    while masking.read < masking.text.len() {
        masking.token(rules);
    }
    masking.written
}

struct Masking<'a> {
    text: &'a mut [u8],
    read: usize,
    written: usize,
}

impl Masking<'_> {
    fn token(&mut self, rules: Rules) {
        let rest = &self.text[self.read..];
        match rest[0] {
            b'\'' => self.replace(string_len(rest, !rules.standard_conforming_strings)),
            b'"' => match quoted_len(rest, b'"', false) {
                Some(len) => self.keep(len),
                None => self.replace(None),
            },
            b'-' if rest.get(1) == Some(&b'-') => {
                self.replace(Some(rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())));
            }
            b'/' if rest.get(1) == Some(&b'*') => self.replace(comment_len(rest)),
            b'$' => match dollar_tag_len(rest) {
                Some(tag_len) => self.replace(dollar_quoted_len(rest, tag_len)),
                None => {
                    let digits = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                    self.keep(1 + digits);
                }
            },
            b'0'..=b'9' => self.replace(Some(number_len(rest))),
            byte if is_identifier_start(byte) => {
                let len = rest.iter().take_while(|byte| is_identifier_part(**byte)).count();
                let has_escapes = len == 1 && byte.eq_ignore_ascii_case(&b'e') && rest.get(1) == Some(&b'\'');
                self.keep(len);
                if has_escapes {
                    let rest = &self.text[self.read..];
                    self.replace(string_len(rest, true));
                }
            }
            _ => self.keep(1),
        }
    }

    fn keep(&mut self, len: usize) {
        self.text.copy_within(self.read..self.read + len, self.written);
        self.read += len;
        self.written += len;
    }

    /// Replaces so many bytes, or all that are left.
    fn replace(&mut self, len: Option<usize>) {
        self.text[self.written] = MASK;
        self.written += 1;
        self.read = len.map_or(self.text.len(), |len| self.read + len);
    }
}

/// Length of the string that `rest` begins with, or None when it does not end.
fn string_len(rest: &[u8], has_escapes: bool) -> Option<usize> {
    quoted_len(rest, b'\'', has_escapes)
}

fn quoted_len(rest: &[u8], quote: u8, has_escapes: bool) -> Option<usize> {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        if has_escapes && *byte == b'\\' {
            at += 2;
        } else if *byte != quote {
            at += 1;
        } else if rest.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return Some(at + 1);
        }
    }
    None
}

/// Comments may be nested.
fn comment_len(rest: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (1, 2);
    while depth > 0 {
        match rest.get(at..at + 2)? {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    Some(at)
}

/// Length of `$tag$`, if `rest` begins with one.
fn dollar_tag_len(rest: &[u8]) -> Option<usize> {
    let tag = rest[1..].iter().take_while(|byte| is_identifier_part(**byte) && **byte != b'$').count();
    let is_tag = tag == 0 || is_identifier_start(rest[1]);
    (is_tag && rest.get(1 + tag) == Some(&b'$')).then_some(tag + 2)
}

fn dollar_quoted_len(rest: &[u8], tag_len: usize) -> Option<usize> {
    let (tag, body) = rest.split_at(tag_len);
    body.windows(tag_len).position(|window| window == tag).map(|at| tag_len + at + tag_len)
}

/// With the letters that follow: `0xff`, `1_000`, `1e+5`, and what is none, as `1abc`.
fn number_len(rest: &[u8]) -> usize {
    let mut len = 0;
    while let Some(byte) = rest.get(len) {
        let is_sign = matches!(byte, b'+' | b'-')
            && matches!(rest[len - 1], b'e' | b'E')
            && rest.get(len + 1).is_some_and(u8::is_ascii_digit);
        if !(is_identifier_part(*byte) || *byte == b'.' || is_sign) {
            break;
        }
        len += 1;
    }
    len
}

const fn is_identifier_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

const fn is_identifier_part(byte: u8) -> bool {
    is_identifier_start(byte) || byte.is_ascii_digit() || byte == b'$'
}
