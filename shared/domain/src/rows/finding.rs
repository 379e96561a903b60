//! Findings: the fields of a row whose values are not used, with the reasons.

/// Maximum number of characters of a field's text that a finding keeps.
const MOST_TEXT: usize = 500;

/// A field whose value is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The column of the field. Its value is NULL or derived from other fields.
    pub column: &'static str,
    /// A code, a colon and a description of the problem.
    pub reason: String,
    /// The field's text as FMP sent it, cut to 500 characters.
    pub text: String,
}

impl Finding {
    pub(super) fn new(column: &'static str, reason: String, text: &str) -> Self {
        Finding { column, reason, text: text.chars().take(MOST_TEXT).collect() }
    }

    /// Returns column, reason and text as one line, separated by tabs. Replaces tabs, line breaks
    /// and other control characters in the reason and the text with spaces.
    pub fn line(&self) -> String {
        let clean =
            |text: &str| -> String { text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect() };
        format!("{}\t{}\t{}", self.column, clean(&self.reason), clean(&self.text))
    }
}
