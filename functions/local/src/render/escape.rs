//! Escapes foreign text before it is shown. A company's name or an error of a server may contain characters that
//! control the terminal or reorder a line.

use std::{borrow::Cow, fmt::Write};

/// Whether a character is invisible but affects the terminal or the text around it: control
/// characters, line and paragraph separators, and Unicode's invisible format characters
/// (bidirectional, zero-width, tags).
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Formats a text as one line: active characters, including line breaks and tabs, become `\u{...}`.
pub fn one_line(text: &str) -> Cow<'_, str> {
    replace(text, is_active, |c, out| out.extend(c.escape_unicode()))
}

/// Escapes a text of several lines like [`one_line`], but keeps line feeds and tabs.
pub fn lines(text: &str) -> Cow<'_, str> {
    replace(text, is_active_in_lines, |c, out| out.extend(c.escape_unicode()))
}

/// Escapes the active characters of JSON text as `\u` and four hex digits. They occur only inside
/// strings, so the JSON value stays the same.
pub fn json(text: &str) -> Cow<'_, str> {
    replace(text, is_active_in_lines, |c, out| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn is_active_in_lines(c: char) -> bool {
    is_active(c) && !matches!(c, '\n' | '\t')
}

fn replace(text: &str, is_replaced: fn(char) -> bool, write: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(is_replaced) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_replaced(c) { write(c, &mut out) } else { out.push(c) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_characters_are_shown_and_all_others_stay() {
        let text = "Ärzte 株式 😀\u{1b}[2J\u{7}\u{9b}\r\u{202e}\u{200b}\u{e0041}\u{7f}\n\tend";
        assert_eq!(
            lines(text),
            "Ärzte 株式 😀\\u{1b}[2J\\u{7}\\u{9b}\\u{d}\\u{202e}\\u{200b}\\u{e0041}\\u{7f}\n\tend"
        );
        assert_eq!(one_line("a\nb\t\u{2028}"), "a\\u{a}b\\u{9}\\u{2028}");
        assert!(matches!(one_line("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn escaped_json_has_the_same_value() {
        let value = serde_json::json!({"name": "a\u{1b}\u{7f}\u{9b}\u{202e}\u{e0041}\"\n😀"});
        let escaped = json(&value.to_string()).into_owned();
        assert!(!escaped.contains(is_active), "{escaped:?}");
        assert!(escaped.contains("\\u202e") && escaped.contains("\\udb40\\udc41"), "{escaped}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
    }
}
