//! Converts a JSON value of FMP to the canonical text of its column's type.

use chrono::{Datelike, NaiveDate, NaiveDateTime};

use crate::{catalog::Kind, decimal};

use super::text;

/// Returns the canonical text of a JSON value, or `None` if the value is empty: `null`, `""`,
/// `"NULL"`, `"None"`, the zero date of MySQL (`0000-00-00`), and in columns of other types than
/// text also `"n/a"` and `"-"`. In a text column of the key, `"NULL"` and `"None"` are values,
/// because `NULL` may be a ticker.
///
/// # Errors
/// The problem as text, if the value does not have the column's type.
pub fn canonical(kind: Kind, is_key: bool, json: &str) -> Result<Option<String>, String> {
    let text = match json.as_bytes().first() {
        Some(b'"') => {
            let text = text::decode(json)?;
            let words = if kind == Kind::Text {
                &["null", "none"][..]
            } else {
                &["null", "none", "n/a", "-"][..]
            };
            let trimmed = text.trim();
            let is_unknown = words.iter().any(|word| trimmed.eq_ignore_ascii_case(word));
            if trimmed.is_empty()
                || trimmed.starts_with("0000-00-00")
                || (is_unknown && !(is_key && kind == Kind::Text))
            {
                return Ok(None);
            }
            text
        }
        Some(b'n') => return Ok(None),
        Some(b'{' | b'[') => return Err(shown("an object or a list", json)),
        _ => json.to_owned(),
    };
    let value = match kind {
        Kind::Text => Some(text),
        Kind::Decimal => Some(
            decimal::canonical(&text)
                .ok_or_else(|| shown("not a decimal of at most 32 integer digits", &text))?,
        ),
        Kind::Double => Some(double(&text).ok_or_else(|| shown("not a finite number", &text))?),
        Kind::Integer => Some(integer(&text).ok_or_else(|| shown("not an integer", &text))?),
        Kind::Date => Some(date(&text).ok_or_else(|| shown("not a date from 1900 to 2200", &text))?),
        Kind::Instant => {
            Some(instant(&text).ok_or_else(|| shown("not a date and time from 1900 to 2200", &text))?)
        }
        Kind::Boolean => match text.as_str() {
            "true" | "false" => Some(text),
            _ => return Err(shown("neither true nor false", &text)),
        },
    };
    Ok(value)
}

/// Returns the problem with the first 40 characters of the value, to keep the ledger small.
fn shown(what: &str, value: &str) -> String {
    let head: String = value.chars().take(40).collect();
    format!("{head:?} is {what}")
}

fn double(text: &str) -> Option<String> {
    // Accept only characters of JSON numbers: Rust would also parse `inf` and `nan`, which are not
    // figures.
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    let value: f64 = plain.then(|| text.parse().ok())??;
    value.is_finite().then(|| value.to_string())
}

fn integer(text: &str) -> Option<String> {
    decimal::canonical(text)?.parse::<i64>().ok().map(|n| n.to_string())
}

fn date(text: &str) -> Option<String> {
    let day: NaiveDate = text.get(..10)?.parse().ok()?;
    let rest = &text[10..];
    let alone = rest.is_empty() || rest.starts_with([' ', 'T']);
    (alone && is_plausible(day)).then(|| day.to_string())
}

fn instant(text: &str) -> Option<String> {
    let text = text.trim();
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok();
    let day = || text.parse::<NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    let found = time.or_else(day)?;
    is_plausible(found.date()).then(|| found.to_string())
}

/// Returns whether a day is from 1900 to 2200. FMP has no data outside these years, and date
/// arithmetic with extreme days fails in chrono and in the warehouse.
pub fn is_plausible(day: NaiveDate) -> bool {
    (1900..=2200).contains(&day.year())
}
