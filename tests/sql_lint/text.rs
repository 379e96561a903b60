//! Rules that read lines.

use super::Place;

/// What is wrong with the text as such.
pub(super) fn lint(place: Place, sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    let first = sql.lines().next().unwrap_or_default();
    if place != Place::Setup && first.strip_prefix("-- grain: ").is_none_or(|grain| grain.len() <= 5) {
        found.push("the first line does not say the grain".into());
    }
    for marker in ["{{", "{%", "${", "__", ";"] {
        // Comments may say what they like, but for the template markers.
        let anywhere = sql.contains(marker) && marker != ";";
        if anywhere || (marker == ";" && code(sql).contains(';')) {
            found.push(format!("{marker} in it: a file is one statement as it stands"));
        }
    }
    if sql.contains("/*") {
        found.push("a block comment".into());
    }
    found.extend(
        sql.lines()
            .filter(|line| !divides_well(line))
            .map(|line| format!("after / comes neither NULLIF( nor a number: {}", line.trim())),
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

/// Whether every `/` of a line is followed, on that line, by `nullif(` or a number.
fn divides_well(line: &str) -> bool {
    uncommented(line).split('/').skip(1).all(|rest| {
        let rest = rest.trim_start().to_lowercase();
        rest.starts_with("nullif(") || rest.starts_with(|c: char| c.is_ascii_digit())
    })
}
