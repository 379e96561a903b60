//! Removes the API key from responses before any other code reads them. A server may echo the key in an error message
//! or a row, and the key must not be stored or displayed.

use std::borrow::Cow;

/// The text that replaces the key. It needs no escaping in JSON, CSV or URLs.
pub(crate) const PLACEHOLDER: &str = "(FMP_API_KEY)";
/// Shortest key that is removed. Shorter keys, such as FMP's public key `demo`, are not secret and occur in ordinary
/// words. FMP's secret keys have 32 characters.
const SHORTEST_SECRET: usize = 8;
/// Length in bytes of the longest recognized escape of one character, such as `&#x00002b;`.
const LONGEST_UNIT: usize = 10;

/// Finds the key in a text and replaces it. The key is found even if its characters are escaped for URLs (`%2B`), JSON
/// (`\u002b`, `\/`), HTML (`&#43;`, `&amp;`) or CSV (`""`). Case is ignored, because host names and headers change it.
#[derive(Debug, Clone, Default)]
pub(super) struct Redactor {
    key: Vec<u8>,
    /// The end of the last chunk, if it may be the beginning of the key.
    held: Vec<u8>,
}

/// Result of comparing the beginning of a text with the key.
enum Match {
    /// The text begins with the key. The value is the number of bytes that the key takes in the text.
    Whole(usize),
    /// The text ends within the key. The value is the number of key characters found.
    Partial(usize),
    No,
}

/// Result of comparing the beginning of a text with one character of the key.
enum Unit {
    Equal(usize),
    Incomplete,
    Different,
}

impl Redactor {
    /// Creates a redactor that removes `key`, or nothing if the key is too short to be secret.
    pub(super) fn new(key: &[u8]) -> Self {
        let key = key.trim_ascii();
        let key = if key.len() < SHORTEST_SECRET { &[] } else { key };
        Redactor { key: key.to_ascii_lowercase(), held: Vec::new() }
    }

    /// Removes the key from a text.
    pub(super) fn text(&self, text: &str) -> String {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => text.to_owned(),
            Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// Whether a text contains the key.
    pub(super) fn finds(&self, text: &str) -> bool {
        matches!(self.bytes(text.as_bytes()), Cow::Owned(_))
    }

    /// Removes the key from a complete body.
    pub(super) fn bytes<'a>(&self, body: &'a [u8]) -> Cow<'a, [u8]> {
        let mut out = Vec::new();
        let copied = self.scan(body, true, &mut out);
        if copied == 0 {
            return Cow::Borrowed(body);
        }
        out.extend_from_slice(&body[copied..]);
        Cow::Owned(out)
    }

    /// Removes the key from the next chunk of a body. Keeps the end of the chunk for the next call if it may be the
    /// beginning of the key.
    pub(super) fn chunk<'a>(&mut self, chunk: &'a [u8]) -> Cow<'a, [u8]> {
        if self.key.is_empty() {
            return Cow::Borrowed(chunk);
        }
        let mut text = Cow::Borrowed(chunk);
        if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            text = Cow::Owned([held.as_slice(), chunk].concat());
        }
        let mut out = Vec::new();
        let copied = self.scan(&text, false, &mut out);
        let open = self.open_end(&text[copied..]);
        self.held = text[copied..][open..].to_vec();
        if copied == 0
            && let Cow::Borrowed(chunk) = text
        {
            return Cow::Borrowed(&chunk[..open]);
        }
        out.extend_from_slice(&text[copied..][..open]);
        Cow::Owned(out)
    }

    /// Returns the bytes that `chunk` held back, with the key removed. Call it after the last chunk of a body.
    pub(super) fn end(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        self.bytes(&held).into_owned()
    }

    /// Copies the text up to the end of the last occurrence of the key to `out`, with the key replaced. Returns how
    /// many bytes of the text were copied or replaced. If the text is complete, a truncated key at its end counts as an
    /// occurrence.
    fn scan(&self, text: &[u8], complete: bool, out: &mut Vec<u8>) -> usize {
        let (mut copied, mut from) = (0, 0);
        while let Some(at) = self.candidate(text, from) {
            let length = match self.matches(&text[at..]) {
                // The second backslash of an escaped backslash does not begin an escape. Replacing it would break
                // the pair.
                _ if text[at] == b'\\' && is_escaped(text, at) => None,
                Match::Whole(length) => Some(length),
                Match::Partial(found) if complete && found >= SHORTEST_SECRET => Some(text.len() - at),
                Match::Partial(_) | Match::No => None,
            };
            from = at + length.unwrap_or(1);
            if length.is_some() {
                out.extend_from_slice(&text[copied..at]);
                out.extend_from_slice(PLACEHOLDER.as_bytes());
                copied = from;
            }
        }
        copied
    }

    /// The position from which the rest of a text may be the beginning of the key; the text's length if there is none.
    fn open_end(&self, text: &[u8]) -> usize {
        // In the text, the key takes at most `LONGEST_UNIT` bytes per character.
        let mut from = text.len().saturating_sub(self.key.len() * LONGEST_UNIT);
        while let Some(at) = self.candidate(text, from) {
            if let Match::Partial(_) = self.matches(&text[at..]) {
                return at;
            }
            from = at + 1;
        }
        text.len()
    }

    /// The next position at which the key may begin.
    fn candidate(&self, text: &[u8], from: usize) -> Option<usize> {
        let first = *self.key.first()?;
        let begins = |byte: &u8| byte.eq_ignore_ascii_case(&first) || matches!(byte, b'%' | b'\\' | b'&');
        text.get(from..)?.iter().position(begins).map(|at| from + at)
    }

    fn matches(&self, text: &[u8]) -> Match {
        let mut at = 0;
        for (found, byte) in self.key.iter().enumerate() {
            match unit(&text[at..], *byte) {
                Unit::Equal(length) => at += length,
                Unit::Incomplete => return Match::Partial(found),
                Unit::Different => return Match::No,
            }
        }
        Match::Whole(at)
    }
}

/// Compares the beginning of a text with one character of the key.
fn unit(text: &[u8], byte: u8) -> Unit {
    let equal = |found: u8, length| {
        if found.eq_ignore_ascii_case(&byte) {
            Unit::Equal(length)
        } else {
            Unit::Different
        }
    };
    let escape = match text {
        [] => return Unit::Incomplete,
        [b'%', rest @ ..] => number(rest, 16, 2, 2).map(|found| (found, 3)),
        [b'\\', b'u', rest @ ..] => number(rest, 16, 4, 4).map(|found| (found, 6)),
        [b'\\'] => Found::Open,
        [b'\\', next @ (b'/' | b'"' | b'\\'), ..] => Found::Is((*next, 2)),
        [b'&', rest @ ..] => entity(rest),
        _ => Found::No,
    };
    // A percent sign, backslash or ampersand may also be a character of the key.
    match (escape, text[0].eq_ignore_ascii_case(&byte)) {
        (Found::Is((found, length)), _) if found.eq_ignore_ascii_case(&byte) => Unit::Equal(length),
        (Found::Open, _) => Unit::Incomplete,
        // In CSV, a quote is doubled.
        (_, true) if byte == b'"' && text.get(1) == Some(&b'"') => Unit::Equal(2),
        _ => equal(text[0], 1),
    }
}

/// Whether an odd number of backslashes precedes this position.
fn is_escaped(text: &[u8], at: usize) -> bool {
    text[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// Result of parsing an escape.
enum Found<T> {
    Is(T),
    /// The text ends within the escape.
    Open,
    No,
}

impl<T> Found<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Found::Is(found) => Found::Is(change(found)),
            Found::Open => Found::Open,
            Found::No => Found::No,
        }
    }
}

/// Parses a number of `min` to `max` digits whose value fits in one byte.
fn number(text: &[u8], radix: u32, min: usize, max: usize) -> Found<u8> {
    let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
    let digits = text.iter().take(max).take_while(is_digit).count();
    if digits < min {
        return if digits == text.len() { Found::Open } else { Found::No };
    }
    let parsed = std::str::from_utf8(&text[..digits]).ok();
    match parsed.and_then(|digits| u32::from_str_radix(digits, radix).ok()).map(u8::try_from) {
        Some(Ok(byte)) => Found::Is(byte),
        _ => Found::No,
    }
}

/// Parses an HTML entity after its ampersand. Returns the character, and the entity's length including the ampersand.
fn entity(text: &[u8]) -> Found<(u8, usize)> {
    let Some(end) = text.iter().take(LONGEST_UNIT - 1).position(|byte| *byte == b';') else {
        let plausible = text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'#');
        return if text.len() < LONGEST_UNIT - 1 && plausible {
            Found::Open
        } else {
            Found::No
        };
    };
    let length = end + 2;
    let found = match &text[..end] {
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16, digits.len().max(1), 7),
        [b'#', digits @ ..] => number(digits, 10, digits.len().max(1), 7),
        b"amp" => Found::Is(b'&'),
        b"lt" => Found::Is(b'<'),
        b"gt" => Found::Is(b'>'),
        b"quot" => Found::Is(b'"'),
        b"apos" => Found::Is(b'\''),
        _ => Found::No,
    };
    match found {
        Found::Is(byte) => Found::Is((byte, length)),
        _ => Found::No,
    }
}

#[cfg(test)]
mod tests;
