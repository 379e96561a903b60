//! What is wrong with a field.

/// Most characters of a field's text that are kept.
const MOST_TEXT: usize = 500;

/// A field whose value is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The column that is NULL, or replaced, because of it.
    pub column: &'static str,
    /// A code, a colon and what is wrong.
    pub reason: String,
    /// The field's text as FMP sent it, cut to 500 characters.
    pub text: String,
}

impl Finding {
    pub(super) fn new(column: &'static str, reason: String, text: &str) -> Self {
        Finding { column, reason, text: text.chars().take(MOST_TEXT).collect() }
    }

    /// Column, reason and text as one line with tabs between them. Tabs, line breaks and other control characters in the
    /// reason and the text become spaces.
    pub fn line(&self) -> String {
        let clean =
            |text: &str| -> String { text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect() };
        format!("{}\t{}\t{}", self.column, clean(&self.reason), clean(&self.text))
    }
}
