//! Reports the faults of a file that the user wrote, each with its line.

use crate::Error;

/// A fault of a file: its line and a message.
pub type Fault = (u64, String);

/// Returns the line of a byte, from 1.
pub fn line_of(text: &str, position: usize) -> u64 {
    let before = text.as_bytes().get(..position).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Returns a `Config` error with a message per fault, in the order of lines. `name` names the file.
pub fn error(name: &str, mut faults: Vec<Fault>) -> Error {
    faults.sort();
    faults.dedup();
    let lines: Vec<String> = faults.iter().map(|(line, fault)| format!("  line {line}: {fault}")).collect();
    let count = match faults.len() {
        1 => "a fault".to_owned(),
        n => format!("{n} faults"),
    };
    Error::Config(format!("{name} has {count}:\n{}", lines.join("\n")))
}
