//! Parses TOML files that users write.

use findata_domain::file_faults::{Fault, line_of};
use toml::{Spanned, de::DeTable};

/// Parses a file as far as it can be read. Adds each fault with its line.
pub fn parse<'a>(text: &'a str, faults: &mut Vec<Fault>) -> Spanned<DeTable<'a>> {
    let (document, broken) = DeTable::parse_recoverable(text);
    faults.extend(broken.into_iter().map(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        (line, error.message().to_owned())
    }));
    document
}
