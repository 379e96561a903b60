//! Rules that read the text line by line.

use super::FileKind;

/// The problems that are visible in the text, without parsing it.
pub(super) fn lint(kind: FileKind, sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    let first = sql.lines().next().unwrap_or_default();
    if kind != FileKind::Setup && first.strip_prefix("-- grain: ").is_none_or(|grain| grain.len() <= 5) {
        found.push("the first line does not state the grain".into());
    }
    for marker in ["{{", "{%", "${", "__", ";"] {
        // Comments may contain a semicolon, but no template marker.
        let anywhere = sql.contains(marker) && marker != ";";
        if anywhere || (marker == ";" && code(sql).contains(';')) {
            found.push(format!("contains {marker}: a file must be a single plain statement"));
        }
    }
    if sql.contains("/*") {
        found.push("a block comment".into());
    }
    found.extend(
        sql.lines()
            .filter(|line| !has_safe_divisions(line))
            .map(|line| format!("a / is followed by neither NULLIF( nor a number: {}", line.trim())),
    );
    found
}

/// The text without its line comments.
fn code(sql: &str) -> String {
    sql.lines().map(uncommented).collect::<Vec<_>>().join("\n")
}

fn uncommented(line: &str) -> &str {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '-' if !quoted && line[at..].starts_with("--") => return &line[..at],
            _ => {}
        }
    }
    line
}

/// Whether every `/` of a line is followed, on the same line, by `nullif(` or a number.
fn has_safe_divisions(line: &str) -> bool {
    uncommented(line).split('/').skip(1).all(|rest| {
        let rest = rest.trim_start().to_lowercase();
        rest.starts_with("nullif(") || rest.starts_with(|c: char| c.is_ascii_digit())
    })
}
