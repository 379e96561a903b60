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

/// Writes a value as one line of JSON to standard output.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string(value).map_err(|e| Error::Stop(format!("cannot write JSON: {e}")))?;
    print_json_text(&format!("{json}\n")).map(|_| ())
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

/// Writes a line to standard error. Ignores a failure, because it cannot be reported anywhere else.
pub(crate) fn error(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", escape::lines(line));
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
