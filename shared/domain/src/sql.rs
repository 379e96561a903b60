//! Helpers for SQL text.

/// Quotes text as an SQL literal. Identifiers are not quoted, because they are values of validated
/// types.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A table with one row, for a query that has a condition but reads no table. Snowflake's documentation shows no WHERE
/// without FROM.
pub const ONE_ROW: &str = "(select 1 as n) as one_row";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_in_a_literal_are_escaped() {
        assert_eq!(literal("x'; drop table y; --"), "'x''; drop table y; --'");
    }
}
