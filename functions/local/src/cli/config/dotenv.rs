//! Reads `.env`: lines such as `NAME=value`.
//!
//! This is the subset on which shells and other readers of such files agree: comments, `export`,
//! single and double quotes. Nothing is substituted: `$` is an ordinary character. A message
//! never repeats a value, because it may be a secret.

use std::{iter::Peekable, path::Path, str::Chars};

use super::setting::{Faults, Source};

/// A variable in the file.
#[derive(Clone)]
pub(super) struct Entry {
    pub name: String,
    pub value: String,
    pub path: String,
    pub line: u64,
}

impl Entry {
    pub(super) fn source(&self) -> Source {
        Source::File {
            path: self.path.clone(),
            line: self.line,
            name: self.name.clone(),
        }
    }
}

/// Parses the text of a file.
pub(super) fn parse(text: &str, path: &Path, faults: &mut Faults) -> Vec<Entry> {
    let path = path.display().to_string();
    let mut reader = Reader { rest: text.chars().peekable(), line: 1 };
    let mut entries = Vec::new();
    while reader.rest.peek().is_some() {
        let line = reader.line;
        match reader.assignment() {
            Ok(Some((name, value))) => entries.push(Entry { name, value, path: path.clone(), line }),
            Ok(None) => {}
            Err(fault) => {
                faults.add(&path, line, fault.to_owned());
                reader.skip_line();
            }
        }
    }
    entries
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: u64,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += u64::from(next == Some('\n'));
        next
    }

    fn skip_line(&mut self) {
        while self.rest.peek().is_some_and(|c| *c != '\n') {
            self.next();
        }
        self.next();
    }

    fn skip_blanks(&mut self) {
        while self.rest.peek().is_some_and(|c| c.is_whitespace() && *c != '\n') {
            self.next();
        }
    }

    /// Reads one line, or more if a quoted value spans several; `None` for an empty line or a comment.
    fn assignment(&mut self) -> Result<Option<(String, String)>, &'static str> {
        self.skip_blanks();
        if matches!(self.rest.peek(), None | Some('#' | '\n')) {
            self.skip_line();
            return Ok(None);
        }
        let mut name = String::new();
        while let Some(c) = self.rest.peek().copied().filter(|c| !matches!(c, '=' | '\n')) {
            name.push(c);
            self.next();
        }
        if self.rest.peek() != Some(&'=') {
            return Err("a line is NAME=value, or a comment that begins with #");
        }
        self.next();
        let name = name.trim();
        let name = name.strip_prefix("export ").unwrap_or(name).trim().to_owned();
        let is_name = |name: &str| {
            let mut characters = name.chars();
            characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if !is_name(&name) {
            return Err("the name before = consists of letters, digits and _");
        }
        self.skip_blanks();
        let value = match self.rest.peek() {
            Some(quote @ ('"' | '\'')) => {
                let quote = *quote;
                self.quoted(quote)?
            }
            _ => self.plain(),
        };
        Ok(Some((name, value)))
    }

    /// Reads to the end of the line, or to a `#` after a blank.
    fn plain(&mut self) -> String {
        let mut value = String::new();
        while let Some(c) = self.rest.peek().copied().filter(|c| *c != '\n') {
            if c == '#' && value.chars().last().is_none_or(char::is_whitespace) {
                break;
            }
            value.push(c);
            self.next();
        }
        self.skip_line();
        value.trim().to_owned()
    }

    fn quoted(&mut self, quote: char) -> Result<String, &'static str> {
        self.next();
        let mut value = String::new();
        loop {
            match self.next() {
                None => return Err("the value has no closing quote"),
                Some(c) if c == quote => break,
                Some('\\') if quote == '"' => match self.next() {
                    Some('n') => value.push('\n'),
                    Some('r') => value.push('\r'),
                    Some('t') => value.push('\t'),
                    Some(c @ ('"' | '\\' | '$' | '`')) => value.push(c),
                    Some(c) => value.extend(['\\', c]),
                    None => return Err("the value has no closing quote"),
                },
                Some(c) => value.push(c),
            }
        }
        self.skip_blanks();
        if !matches!(self.rest.peek(), None | Some('#' | '\n')) {
            return Err("there is text after the closing quote");
        }
        self.skip_line();
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String, u64)> {
        let mut faults = Faults::default();
        let entries = parse(text, Path::new(".env"), &mut faults);
        faults.into_result().unwrap();
        entries.into_iter().map(|entry| (entry.name, entry.value, entry.line)).collect()
    }

    #[test]
    fn comments_quotes_and_export_are_read() {
        let text = "# a comment\r\n\r\nexport A=1 # one\r\nB = 'x # $y' # two\nC=\"a\\nb \\\"c\\\" \\d\"\nD=a#b\nE=\n F=\"1\n2\"\nG=^GSPC";
        let expected = [
            ("A", "1", 3),
            ("B", "x # $y", 4),
            ("C", "a\nb \"c\" \\d", 5),
            ("D", "a#b", 6),
            ("E", "", 7),
            ("F", "1\n2", 8),
            ("G", "^GSPC", 10),
        ];
        assert_eq!(values(text), expected.map(|(name, value, line)| (name.into(), value.into(), line)));
    }

    #[test]
    fn faults_have_a_line_and_never_the_value() {
        let mut faults = Faults::default();
        let text = "FMP_API_KEY sekret\nA-B=sekret\nC='sekret' sekret\nD=\"sekret";
        assert!(parse(text, Path::new(".env"), &mut faults).is_empty());
        let message = faults.into_result().unwrap_err().to_string();
        for line in
            ["line 1: a line is", "line 2: the name", "line 3: there is text", "line 4: the value has"]
        {
            assert!(message.contains(line), "{line} is missing in {message}");
        }
        assert!(!message.contains("sekret"), "{message}");
    }
}
