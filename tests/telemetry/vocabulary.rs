//! Log lines and spans use only the names of the vocabulary, and the README describes them.

use std::{fs, path::Path};

use findata_pipeline::telemetry::vocabulary::{FIELDS, is_known};

const MACROS: [&str; 5] = ["trace!(", "debug!(", "info!(", "warn!(", "error!("];

/// The names of the fields of a logging macro's arguments, such as `run_id = %run, rows, "loaded"`.
fn fields(arguments: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut depth, mut is_text, mut is_escaped) = (0, false, false);
    for c in arguments.chars() {
        match c {
            '"' if !is_escaped => is_text = !is_text,
            '(' | '[' | '{' if !is_text => depth += 1,
            ')' | ']' | '}' if !is_text => depth -= 1,
            ',' if !is_text && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        is_escaped = is_text && c == '\\' && !is_escaped;
        parts.last_mut().unwrap().push(c);
    }
    let name = |part: &String| {
        let part = part.trim();
        let name = part.split_once('=').map_or(part, |(name, _)| name).trim();
        name.trim_start_matches(['%', '?']).to_owned()
    };
    parts
        .iter()
        .filter(|part| !part.trim().is_empty() && !part.trim().starts_with('"'))
        .map(name)
        .collect()
}

/// The arguments of the logging macros in a source text.
fn arguments(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for start in MACROS.iter().flat_map(|name| {
        text.match_indices(&format!("tracing::{name}"))
            .map(move |(at, _)| at + 9 + name.len())
            .collect::<Vec<_>>()
    }) {
        let (mut depth, mut is_text, mut is_escaped) = (1, false, false);
        let end = text[start..].char_indices().find(|(_, c)| {
            match c {
                '"' if !is_escaped => is_text = !is_text,
                '(' if !is_text => depth += 1,
                ')' if !is_text => depth -= 1,
                _ => {}
            }
            is_escaped = is_text && *c == '\\' && !is_escaped;
            depth == 0
        });
        found.push(&text[start..start + end.unwrap().0]);
    }
    found
}

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_field_of_a_log_line_is_in_the_vocabulary() {
    assert_eq!(
        fields("run_id = %self.run, rows, %error, \"{} f, ailed\", f(a, b)")[..3],
        ["run_id", "rows", "error"]
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut texts = Vec::new();
    for folder in ["functions", "shared"] {
        sources(&root.join(folder), &mut texts);
    }
    let (mut lines, mut used, mut unknown) = (0, std::collections::BTreeSet::new(), Vec::new());
    for (path, text) in &texts {
        for arguments in arguments(text) {
            lines += 1;
            // What follows the message are values of its format.
            let end = arguments.find("\"").map_or(arguments, |at| &arguments[..at]);
            for field in fields(if arguments.trim_start().starts_with('"') { "" } else { end }) {
                if !is_known(&field) {
                    unknown.push(format!("{path}: {field}"));
                }
                used.insert(field);
            }
        }
    }
    assert!(unknown.is_empty(), "not in the vocabulary: {unknown:#?}");
    assert!(
        lines > 50 && used.contains("run_id") && used.contains("attempt"),
        "{lines} lines, {used:?}"
    );
    // Attributes of spans are checked when they are set.
    let attributes = texts.iter().map(|(_, text)| text.as_str()).collect::<String>();
    let written_by_the_logger = ["timestamp", "level", "message", "function", "request_id"];
    let is_unused = |name: &&str| {
        let name = *name;
        !(used.contains(name)
            || written_by_the_logger.contains(&name)
            || attributes.contains(&format!(".set(\"{name}\"")))
    };
    let unused: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).filter(is_unused).collect();
    assert!(unused.is_empty(), "nothing writes the fields {unused:?}");
}

#[test]
fn the_readme_describes_the_vocabulary() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = fs::read_to_string(root.join("infra/README.md")).unwrap();
    let table: Vec<&str> = readme
        .lines()
        .skip_while(|line| *line != "| field | meaning |")
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    let expected: Vec<String> =
        FIELDS.iter().map(|(name, meaning)| format!("| `{name}` | {meaning} |")).collect();
    assert_eq!(table, expected);
}
