//! Reads the text of the query and splits it into statements.

use std::{
    fs,
    io::{self, IsTerminal, Read},
    path::Path,
};

use sqlparser::{
    dialect::PostgreSqlDialect,
    tokenizer::{Location, Token, Tokenizer},
};

use crate::cli::Failure;

/// Returns the text of the query, from the argument, the file or standard input.
pub(super) fn read(query: Option<&str>, file: Option<&Path>) -> Result<String, Failure> {
    match (query, file) {
        (Some(query), _) if query != "-" => Ok(query.to_owned()),
        (None, Some(path)) if path != Path::new("-") => fs::read_to_string(path)
            .map_err(|e| Failure::Usage(format!("cannot read the query from {}: {e}", path.display()))),
        (None, None) if io::stdin().is_terminal() => Err(Failure::Usage(
            "there is no query: write a SELECT statement as an argument, name a file with --file, or pipe it in"
                .into(),
        )),
        _ => {
            let mut text = String::new();
            io::stdin()
                .lock()
                .read_to_string(&mut text)
                .map_err(|e| Failure::Usage(format!("cannot read the query from standard input: {e}")))?;
            Ok(text)
        }
    }
}

/// Splits a text at the semicolons that end statements. Statements without code, such as a comment, are
/// left out.
///
/// DuckDB's own function for this cannot be called through the `duckdb` crate. Its lexical rules are those
/// of PostgreSQL. A text that is not well-formed is one statement, so that DuckDB reports the error.
pub(super) fn statements(text: &str) -> Vec<&str> {
    let dialect = PostgreSqlDialect {};
    let Ok(tokens) = Tokenizer::new(&dialect, text).tokenize_with_location() else {
        return vec![text.trim()];
    };
    let lines = line_starts(text);
    let (mut found, mut start, mut has_code) = (Vec::new(), 0, false);
    for token in &tokens {
        match token.token {
            Token::SemiColon => {
                let end = offset(text, &lines, token.span.start);
                if has_code {
                    found.extend(text.get(start..end));
                }
                (start, has_code) = (end + 1, false);
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ => has_code = true,
        }
    }
    if has_code {
        found.extend(text.get(start..));
    }
    found.into_iter().map(str::trim).collect()
}

fn line_starts(text: &str) -> Vec<usize> {
    [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

/// Returns the position in bytes of a location, whose columns are counted in characters.
fn offset(text: &str, lines: &[usize], location: Location) -> usize {
    let line = usize::try_from(location.line).unwrap_or(1).saturating_sub(1);
    let column = usize::try_from(location.column).unwrap_or(1).saturating_sub(1);
    let start = lines.get(line).copied().unwrap_or(text.len());
    let rest = text.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_outside_of_strings_and_comments() {
        for (text, expected) in [
            ("select 1", vec!["select 1"]),
            (" select 1 ;\n select 2;; ", vec!["select 1", "select 2"]),
            (
                "select 'a;''b' as \"x;y\"; select $$;$$, $t$;$t$",
                vec!["select 'a;''b' as \"x;y\"", "select $$;$$, $t$;$t$"],
            ),
            (
                "select 'é;' -- it's; not\n , 1;\r\nselect /* ; /* ; */ ; */ '日;本';é",
                vec!["select 'é;' -- it's; not\n , 1", "select /* ; /* ; */ ; */ '日;本'", "é"],
            ),
            ("-- nothing; here\n;/* or here */", vec![]),
            (
                "select e'\\';'; from t select a->>'$.x', b // 2, {'k': 1}, x[1:2]",
                vec!["select e'\\';'", "from t select a->>'$.x', b // 2, {'k': 1}, x[1:2]"],
            ),
            ("select 'open; select 2", vec!["select 'open; select 2"]),
        ] {
            assert_eq!(statements(text), expected, "{text}");
        }
    }
}
