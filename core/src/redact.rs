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
    /// Whether the vertical tab is white space, as it is from PostgreSQL 16 on.
    pub vertical_tab_is_space: bool,
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

/// Replaces the literals in the statement of an entry of pgaudit, and its parameters, in place, and returns the new length, which
/// is never greater.
///
/// Behind the prefix `AUDIT: ` such an entry has comma-separated values, where a value with a comma or a quote in it stands in
/// quotes, and a quote in it twice: `SESSION,1,1,WRITE,INSERT,TABLE,public.t,STATEMENT,PARAMETERS` (`log_audit_event` in
/// pgaudit.c). Of what has fewer values nothing is left behind the prefix.
#[must_use]
pub fn mask_audit(entry: &mut [u8], rules: Rules) -> usize {
    const PREFIX: usize = b"AUDIT: ".len();
    let mut start = PREFIX;
    for _ in 0..7 {
        start += csv_value_len(entry.get(start..).unwrap_or_default()) + 1;
    }
    let Some(rest) = entry.get(start..).filter(|rest| !rest.is_empty()) else { return PREFIX.min(entry.len()) };
    let end = start + csv_value_len(rest);
    let value = &mut entry[start..end];
    let is_quoted = quoted_len(value, b'"', Quoting::Doubled) == Some(value.len());
    let masked_end = start
        + match value {
            [b'"', text @ .., b'"'] if is_quoted => {
                let len = undouble_quotes(text);
                let len = mask(&mut text[..len], rules);
                let len = 1 + double_quotes(text, len);
                value[len] = b'"';
                len + 1
            }
            // What pgaudit does not write.
            [b'"', ..] => {
                value[0] = MASK;
                1
            }
            text => mask(text, rules),
        };
    // With the number of rows, if that is logged.
    let tells_none = [&b",<none>"[..], b",<not logged>"].iter().any(|none| {
        let rows = entry[end..].strip_prefix(*none).and_then(|rest| rest.strip_prefix(b",").or(Some(rest)));
        rows.is_some_and(|rows| rows.iter().all(u8::is_ascii_digit))
    });
    if tells_none {
        entry.copy_within(end.., masked_end);
        masked_end + entry.len() - end
    } else if entry.len() > end + 1 {
        entry[masked_end..masked_end + 2].copy_from_slice(b",?");
        masked_end + 2
    } else {
        masked_end
    }
}

/// Length of the first of comma-separated values.
fn csv_value_len(rest: &[u8]) -> usize {
    let quoted =
        if rest.first() == Some(&b'"') { quoted_len(rest, b'"', Quoting::Doubled).unwrap_or(rest.len()) } else { 0 };
    let behind = rest.get(quoted..).unwrap_or_default();
    quoted + behind.iter().position(|byte| *byte == b',').unwrap_or(behind.len())
}

/// Makes one quote of two, and returns the new length.
fn undouble_quotes(text: &mut [u8]) -> usize {
    let (mut read, mut written) = (0, 0);
    while let Some(byte) = text.get(read).copied() {
        read += 1 + usize::from(byte == b'"' && text.get(read + 1) == Some(&b'"'));
        text[written] = byte;
        written += 1;
    }
    written
}

/// Makes two quotes of one in the first `len` bytes, for which there must be room, and returns the new length.
fn double_quotes(text: &mut [u8], len: usize) -> usize {
    let quotes = text[..len].iter().filter(|byte| **byte == b'"').count();
    let mut written = len + quotes;
    for read in (0..len).rev() {
        let byte = text[read];
        for _ in 0..=usize::from(byte == b'"') {
            written -= 1;
            text[written] = byte;
        }
    }
    len + quotes
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
            b'\'' => self.replace(string_len(rest, Quoting::of_strings(rules), rules)),
            b'"' => match quoted_len(rest, b'"', Quoting::Doubled) {
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
            b'.' if rest.get(1) == Some(&b'.') => self.keep(2),
            b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) => self.replace(Some(number_len(rest))),
            byte if is_identifier_start(byte) => {
                let len = rest.iter().take_while(|byte| is_identifier_part(**byte)).count();
                match (len, byte.to_ascii_lowercase(), &rest[len..]) {
                    // Whatever the setting.
                    (1, b'e', [b'\'', ..]) => self.keep_and_replace(len, Quoting::Escaped, rules),
                    (1, b'b' | b'x', [b'\'', ..]) => self.keep_and_replace(len, Quoting::Bare, rules),
                    // U&'...' has them by a character of its own, and is an error with the setting off.
                    (1, b'u', [b'&', b'\'', ..]) => self.keep_and_replace(len + 1, Quoting::of_strings(rules), rules),
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
    fn keep_and_replace(&mut self, len: usize, quoting: Quoting, rules: Rules) {
        self.keep(len);
        self.replace(string_len(&self.text[self.read..], quoting, rules));
    }

    /// Replaces so many bytes, or all that are left.
    fn replace(&mut self, len: Option<usize>) {
        self.text[self.written] = MASK;
        self.written += 1;
        self.read = len.map_or(self.text.len(), |len| self.read + len);
    }
}

/// How a quote stands in a quoted text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    /// Twice.
    Doubled,
    /// Twice, or behind a backslash.
    Escaped,
    /// Not at all: in bits and hexadecimal digits.
    Bare,
}

impl Quoting {
    const fn of_strings(rules: Rules) -> Self {
        if rules.standard_conforming_strings { Self::Doubled } else { Self::Escaped }
    }
}

/// Length of the string that `rest` begins with, or None when it does not end. It goes on behind white space with a line's
/// end, by the same rules: `E'a'` and `'b\' c'` on the next line are one string.
fn string_len(rest: &[u8], quoting: Quoting, rules: Rules) -> Option<usize> {
    let mut len = quoted_len(rest, b'\'', quoting)?;
    while let Some(gap) = continuation_len(&rest[len..], rules) {
        len += gap + quoted_len(&rest[len + gap..], b'\'', quoting)?;
    }
    Some(len)
}

/// Length of the white space between the parts of a string (`quotecontinue`), in which comments to the line's end are white
/// space too.
fn continuation_len(rest: &[u8], rules: Rules) -> Option<usize> {
    let mut at = 0;
    let mut has_newline = false;
    loop {
        match rest.get(at)? {
            b'\'' => return has_newline.then_some(at),
            b'\n' | b'\r' => {
                has_newline = true;
                at += 1;
            }
            b' ' | b'\t' | 0x0c => at += 1,
            0x0b if rules.vertical_tab_is_space => at += 1,
            b'-' if rest.get(at + 1) == Some(&b'-') => at += line_comment_len(&rest[at..]),
            _ => return None,
        }
    }
}

fn quoted_len(rest: &[u8], quote: u8, quoting: Quoting) -> Option<usize> {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        if quoting == Quoting::Escaped && *byte == b'\\' {
            at += 2;
        } else if *byte != quote {
            at += 1;
        } else if quoting != Quoting::Bare && rest.get(at + 1) == Some(&quote) {
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

/// With the letters that follow: `0xff`, `1_000`, `1e+5`, and what is none, as `1abc`. Not with a `$`, which may begin a
/// string behind a number.
fn number_len(rest: &[u8]) -> usize {
    let is_integer = matches!(rest, [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', ..]);
    let mut may_have_point = !is_integer;
    let mut len = 0;
    while let Some(byte) = rest.get(len) {
        let goes_on = match byte {
            b'$' => false,
            // Two are an operator.
            b'.' => may_have_point && rest.get(len + 1) != Some(&b'.'),
            b'+' | b'-' => {
                let follows_exponent = len > 0 && matches!(rest[len - 1], b'e' | b'E');
                !is_integer && follows_exponent && rest.get(len + 1).is_some_and(u8::is_ascii_digit)
            }
            byte => is_identifier_part(*byte),
        };
        if !goes_on {
            break;
        }
        may_have_point &= !matches!(byte, b'.' | b'e' | b'E');
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
