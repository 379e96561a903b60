//! Writes to standard output and standard error. No other module writes there (clippy denies
//! `println!` and similar macros). This ensures that foreign text never reaches a terminal
//! unescaped, and that a closed pipe never causes a panic.

use std::{
    io::{ErrorKind, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use findata_domain::Error;
use serde::Serialize;

use super::Failure;
use crate::render::escape;

/// Whether somebody still reads standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The text was written.
    Present,
    /// The reader has closed the pipe, as `head` does. No more text is needed, and this is not a
    /// failure.
    Gone,
}

/// Writes text to standard output.
pub(crate) fn print(text: &str) -> Result<Reader, Failure> {
    write(&escape::lines(text))
}

/// Writes data, such as CSV, to standard output: unchanged, except on a terminal.
pub(crate) fn print_data(text: &str) -> Result<Reader, Failure> {
    if super::terminal::is_terminal() { print(text) } else { write(text) }
}

/// The version of the JSON that commands print. Raise it when a key is renamed, removed or gets another
/// meaning; a new key is not such a change.
const JSON_VERSION: u32 = 1;

/// Writes a value as one line of JSON to standard output. An object begins with the version of the JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string(value).map_err(|e| Error::Stop(format!("cannot write JSON: {e}")))?;
    print_json_text(&format!("{}\n", with_version(&json))).map(|_| ())
}

fn with_version(json: &str) -> String {
    match json.strip_prefix('{') {
        Some("}") => format!("{{\"schema_version\":{JSON_VERSION}}}"),
        Some(keys) => format!("{{\"schema_version\":{JSON_VERSION},{keys}"),
        None => json.to_owned(),
    }
}

/// Writes a JSON text, or a part of a longer one, to standard output.
pub(crate) fn print_json_text(json: &str) -> Result<Reader, Failure> {
    write(&escape::json(json))
}

fn write(text: &str) -> Result<Reader, Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(Reader::Present),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(e) => Err(Error::Resource(format!("cannot write to standard output: {e}")).into()),
    }
}

/// Whether [`note`] is silent.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Silences [`note`].
pub(crate) fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Writes a line about progress, or a hint, to standard error, unless `--quiet` is given.
pub(crate) fn note(line: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        error(line);
    }
}

/// Whether failures are written as JSON.
static JSON: AtomicBool = AtomicBool::new(false);

/// Writes failures as JSON, or as text.
pub(crate) fn set_json(json: bool) {
    JSON.store(json, Ordering::Relaxed);
}

/// Whether failures are written as JSON.
pub(crate) fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// Why a command failed, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// The class of the failure.
    pub kind: &'static str,
    /// What happened, to what, and how to fix it.
    pub message: &'a str,
    /// What the caller can do about a failure of this kind.
    pub hint: &'static str,
    pub exit_code: u8,
}

/// Reports a failure on standard error: with `--json` as one line of JSON, otherwise as text.
pub(crate) fn failure(report: &Report<'_>) {
    #[derive(Serialize)]
    struct Document<'a> {
        error: &'a Report<'a>,
    }
    let json = is_json().then(|| serde_json::to_string(&Document { error: report }));
    match json {
        Some(Ok(json)) => write_error(&escape::json(&with_version(&json))),
        _ => error(&format!("findata: {}", report.message)),
    }
}

/// Writes a line to standard error. Ignores a failure, because it cannot be reported anywhere else.
pub(crate) fn error(line: &str) {
    write_error(&escape::lines(line));
}

fn write_error(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Writes log events to standard error. Like [`error`], escapes text and ignores failures.
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // `tracing` writes each event with one call, so no UTF-8 character is split.
        let text = String::from_utf8_lossy(bytes);
        let _ = std::io::stderr().lock().write_all(escape::lines(&text).as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::with_version;

    #[test]
    fn objects_get_the_version_and_other_values_do_not() {
        for (json, expected) in [
            ("{}", "{\"schema_version\":1}"),
            ("{\"a\":{}}", "{\"schema_version\":1,\"a\":{}}"),
            ("[{\"a\":1}]", "[{\"a\":1}]"),
            ("\"{\"", "\"{\""),
        ] {
            assert_eq!(with_version(json), expected);
        }
    }
}
