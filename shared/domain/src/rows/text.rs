//! Decodes JSON strings, including strings that were cut in the middle of a character.

/// Returns the text of a JSON string. Replaces a lone surrogate, which is half a character, with
/// U+FFFD. Removes NUL, which C programs and some warehouses do not accept in text.
///
/// # Errors
/// The problem as text, if the JSON string is not valid.
pub(super) fn decode(json: &str) -> Result<String, String> {
    let text: String = match serde_json::from_str(json) {
        Ok(text) => text,
        Err(_) => serde_json::from_str(&without_lone_surrogates(json)).map_err(|e| e.to_string())?,
    };
    Ok(if text.contains('\0') { text.replace('\0', "") } else { text })
}

/// Returns the JSON string with `\ufffd` in place of each escaped surrogate that is not part of a
/// pair.
fn without_lone_surrogates(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find('\\') {
        out.push_str(&rest[..start]);
        let escape = &rest[start..];
        let length = match (surrogate(escape), escape.get(6..).and_then(surrogate)) {
            (Some(Half::High), Some(Half::Low)) => 12,
            (Some(_), _) => {
                out.push_str("\\ufffd");
                rest = &escape[6..];
                continue;
            }
            // Copies the backslash and the character that it escapes.
            (None, _) => 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
        };
        out.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    out.push_str(rest);
    out
}

enum Half {
    High,
    Low,
}

/// Returns the kind of surrogate, if the text begins with a surrogate escaped as `\uXXXX`.
fn surrogate(text: &str) -> Option<Half> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_characters_are_replaced_and_nul_is_removed() {
        for (json, wanted) in [
            (r#""Acme\ud83d Corp""#, "Acme\u{fffd} Corp"),
            (r#""\ude00""#, "\u{fffd}"),
            (r#""\ud83d\ud83d\ude00!""#, "\u{fffd}😀!"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            (r#""\ud83d\n\\ud83d""#, "\u{fffd}\n\\ud83d"),
            (r#""株\\\ud83d式""#, "株\\\u{fffd}式"),
            (r#""Ac\u0000me\u0000""#, "Acme"),
            (r#""plain \u00e9 😀 \ud83d\ude00""#, "plain é 😀 😀"),
        ] {
            assert_eq!(decode(json).as_deref(), Ok(wanted), "{json}");
        }
        for broken in [r#""\x""#, r#""\u12""#, r#""\ud83d\q""#, r#""\"#] {
            assert!(decode(broken).is_err(), "{broken}");
        }
    }
}
