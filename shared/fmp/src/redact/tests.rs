use super::*;

const KEY: &str = "a1B2/c3+D4\"e5&f6";

/// Redacts a text as a whole. Panics if redaction in chunks of some size gives another result.
fn redacted(key: &str, text: &str) -> String {
    let whole = Redactor::new(key.as_bytes()).text(text);
    for size in 1..=text.len().max(1) {
        let mut redactor = Redactor::new(key.as_bytes());
        let mut out = Vec::new();
        for chunk in text.as_bytes().chunks(size) {
            out.extend_from_slice(&redactor.chunk(chunk));
        }
        out.extend(redactor.end());
        assert_eq!(String::from_utf8(out).unwrap(), whole, "in chunks of {size}");
    }
    whole
}

#[test]
fn the_key_is_removed_in_every_form_and_in_chunks_of_any_size() {
    let json = serde_json::to_string(KEY).unwrap();
    let forms = [
        KEY.to_owned(),
        KEY.to_uppercase(),
        json.trim_matches('"').to_owned(),
        json.trim_matches('"').replace('/', "\\/"),
        KEY.chars().map(|c| format!("%{:02X}", c as u32)).collect(),
        KEY.replace('/', "%2f").replace('+', "%2B").replace('"', "%22").replace('&', "%26"),
        KEY.chars().map(|c| format!("\\u{:04x}", c as u32)).collect(),
        KEY.replace('&', "&amp;").replace('"', "&quot;"),
        KEY.chars().map(|c| format!("&#{};", c as u32)).collect(),
        KEY.chars().map(|c| format!("&#x{:x};", c as u32)).collect(),
        KEY.replace('"', "\"\""),
    ];
    for form in forms {
        for (before, after) in
            [("", ""), ("x", "y"), ("apikey=", "&a1"), ("%", "%"), ("a1B2/", "\\u00"), (&form, "")]
        {
            let text = format!("{before}{form}{after}");
            let clean = redacted(KEY, &text);
            assert!(!clean.contains(&form) && clean.contains(PLACEHOLDER), "{text}: {clean}");
        }
    }
}

#[test]
fn other_text_is_kept_unchanged() {
    for text in ["", "a1B2/c3", "100 % of \\ and & and a1B2 \\u00e9 %zz &nbsp; %", "[{\"symbol\":\"A\"}]"] {
        assert_eq!(redacted(KEY, text), text);
        assert!(matches!(Redactor::new(KEY.as_bytes()).bytes(text.as_bytes()), Cow::Borrowed(_)));
    }
    // FMP's public key is not secret and is part of an ordinary word.
    assert_eq!(redacted("demo", "a democracy"), "a democracy");
    assert_eq!(redacted("", "text"), "text");
}

#[test]
fn a_key_cut_off_at_the_end_of_a_body_is_removed() {
    assert_eq!(redacted("0123456789abcdef", "key 0123456789"), format!("key {PLACEHOLDER}"));
    assert_eq!(redacted("0123456789abcdef", "key 01234"), "key 01234");
    let twice = redacted("0123456789abcdef", "0123456789abcdef 0123456789ABCDEF, 0123456789abcde");
    assert_eq!(twice, format!("{PLACEHOLDER} {PLACEHOLDER}, {PLACEHOLDER}"));
}

#[test]
fn a_key_that_overlaps_itself_is_removed() {
    assert_eq!(redacted("aaaaaaaab", "aaaaaaaaab"), format!("a{PLACEHOLDER}"));
}

#[test]
fn json_stays_valid() {
    let key = "0123456789abcdef";
    let escaped: String = key.chars().map(|c| format!("\\u{:04x}", c as u32)).collect();
    // In JSON, this text's backslash is a pair, whose second half must not be taken for the beginning of an escape.
    let pair = format!("\\u0030{}", &key[1..]);
    for text in [pair, format!("C:\\{key}"), format!("\\{escaped}"), format!("\n{key}\""), key.to_owned()] {
        let json = serde_json::to_string(&text).unwrap();
        let clean = Redactor::new(key.as_bytes()).text(&json);
        let read: String = serde_json::from_str(&clean).unwrap();
        assert!(!read.contains(key), "{json}: {read}");
    }
    let raw = Redactor::new(key.as_bytes()).text(&format!("\"{escaped}\""));
    assert_eq!(raw, format!("\"{PLACEHOLDER}\""));
}
