//! The words and signs that SQL is made of.

/// A word, a number, a text or a sign; words in lower case.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Number(String),
    Text(String),
    Sign(&'static str),
}

const SIGNS: [&str; 17] = ["::", "<>", "<=", ">=", "||", "(", ")", ",", ".", "*", "/", "+", "-", "=", "<", ">", ";"];

/// The tokens of a text without its comments; `None` where something is none.
pub(super) fn tokens(sql: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            found.push(Token::Name(rest[..end].to_ascii_lowercase()));
            end
        } else if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            found.push(Token::Number(rest[..end].to_owned()));
            end
        } else if first == '\'' {
            let end = rest[1..].find('\'')? + 1;
            found.push(Token::Text(rest[1..end].to_owned()));
            end + 1
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign))?;
            found.push(Token::Sign(sign));
            sign.len()
        };
        rest = &rest[length..];
    }
    Some(found)
}
