//! The width of the output.

use std::{env, io::IsTerminal};

use terminal_size::{Width, terminal_size_of};

/// Width of text that is not written to a terminal.
const WIDTH: usize = 200;
/// Width of a terminal that does not tell its width.
const TERMINAL_WIDTH: usize = 80;
/// Smallest width that text is fitted to.
const MIN_WIDTH: usize = 20;

/// Whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Returns the number of characters in a line of standard output: the width of the terminal, else the
/// variable `COLUMNS`, else 80 on a terminal and 200 elsewhere.
pub(crate) fn width() -> usize {
    let terminal = terminal_size_of(std::io::stdout()).map(|(Width(width), _)| usize::from(width));
    let default = if is_terminal() { TERMINAL_WIDTH } else { WIDTH };
    terminal.filter(|width| *width > 0).or_else(columns).unwrap_or(default).max(MIN_WIDTH)
}

/// Reads the variable `COLUMNS`.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
fn columns() -> Option<usize> {
    env::var("COLUMNS").ok()?.trim().parse().ok().filter(|width| *width > 0)
}
