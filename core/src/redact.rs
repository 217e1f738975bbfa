//! SQL without its literals, for the server log.
//!
//! The lexical rules are those of PostgreSQL (`src/backend/parser/scan.l`). Text that breaks them, as failed statements
//! do, is masked from where it does: rather too much than too little.

/// What stands in place of a literal or comment.
const MASK: u8 = b'?';

/// How a text is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The setting `standard_conforming_strings`: whether a backslash in `'...'` is an ordinary character.
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
            b'-' if rest.get(1) == Some(&b'-') => self.replace(Some(line_comment_len(rest))),
            b'/' if rest.get(1) == Some(&b'*') => self.replace(comment_len(rest)),
            b'$' => match dollar_tag_len(rest) {
                Some(tag_len) => self.replace(dollar_quoted_len(rest, tag_len)),
                None => {
                    let digits = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                    self.keep(1 + digits);
                }
            },
            b'0'..=b'9' => self.replace(Some(number_len(rest))),
            b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) => self.replace(Some(number_len(rest))),
            byte if is_identifier_start(byte) => {
                let len = rest.iter().take_while(|byte| is_identifier_part(**byte)).count();
                match (len, byte.to_ascii_lowercase(), &rest[len..]) {
                    // E'...' has escapes whatever the setting; bits and hexadecimal digits have none.
                    (1, b'e', [b'\'', ..]) => self.keep_and_replace(len, true),
                    (1, b'b' | b'x', [b'\'', ..]) => self.keep_and_replace(len, false),
                    // U&'...' has them by a character of its own, and is an error with the setting off.
                    (1, b'u', [b'&', b'\'', ..]) => self.keep_and_replace(len + 1, !rules.standard_conforming_strings),
                    _ => self.keep(len),
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

    /// Keeps what a string begins with, and replaces the string.
    fn keep_and_replace(&mut self, len: usize, has_escapes: bool) {
        self.keep(len);
        self.replace(string_len(&self.text[self.read..], has_escapes));
    }

    /// Replaces so many bytes, or all that are left.
    fn replace(&mut self, len: Option<usize>) {
        self.text[self.written] = MASK;
        self.written += 1;
        self.read = len.map_or(self.text.len(), |len| self.read + len);
    }
}

/// Length of the string that `rest` begins with, or None when it does not end. It goes on behind white space with a line's
/// end, by the same rules: `E'a'` and `'b\' c'` on the next line are one string.
fn string_len(rest: &[u8], has_escapes: bool) -> Option<usize> {
    let mut len = quoted_len(rest, b'\'', has_escapes)?;
    while let Some(gap) = continuation_len(&rest[len..]) {
        len += gap + quoted_len(&rest[len + gap..], b'\'', has_escapes)?;
    }
    Some(len)
}

/// Length of the white space between the parts of a string (`quotecontinue`), in which comments are white space too, but only
/// from the first line's end on.
fn continuation_len(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut has_newline = false;
    loop {
        match rest.get(at)? {
            b'\'' => return has_newline.then_some(at),
            b'\n' | b'\r' => {
                has_newline = true;
                at += 1;
            }
            byte if is_space(*byte) => at += 1,
            b'-' if rest.get(at + 1) == Some(&b'-') => at += line_comment_len(&rest[at..]),
            _ => return None,
        }
    }
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

/// To the end of the line, which is no part of it.
fn line_comment_len(rest: &[u8]) -> usize {
    rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len())
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
            && len > 0
            && matches!(rest[len - 1], b'e' | b'E')
            && rest.get(len + 1).is_some_and(u8::is_ascii_digit);
        if !(is_identifier_part(*byte) || *byte == b'.' || is_sign) {
            break;
        }
        len += 1;
    }
    len
}

/// `space` of scan.l. The vertical tab became one with PostgreSQL 16; where it is none the text is an error, or another token.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

const fn is_identifier_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

const fn is_identifier_part(byte: u8) -> bool {
    is_identifier_start(byte) || byte.is_ascii_digit() || byte == b'$'
}
