//! When to use colors and progress bars.

use std::{ffi::OsString, io::IsTerminal};

use clap::{ColorChoice, ValueEnum};

use super::config::Variables;

/// The value of `--color`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum Color {
    /// On a terminal.
    #[default]
    Auto,
    Always,
    Never,
}

/// What standard error can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Display {
    /// Progress bars, which move the cursor. Otherwise, progress is one line per stage.
    pub bars: bool,
    pub colors: bool,
}

impl Color {
    /// Returns the value for clap's own texts, which are printed before the arguments are parsed.
    pub(crate) fn for_help(arguments: &[OsString], variables: &Variables) -> ColorChoice {
        let arguments = arguments.iter().map(|argument| argument.to_string_lossy());
        let arguments: Vec<_> = arguments.take_while(|argument| argument != "--").collect();
        let joined = arguments.iter().find_map(|argument| argument.strip_prefix("--color="));
        let separate =
            || arguments.iter().skip_while(|argument| *argument != "--color").nth(1).map(AsRef::as_ref);
        let value = joined.or_else(separate).or(variables.text("FINDATA_COLOR"));
        match value.and_then(|value| Color::from_str(value, false).ok()).unwrap_or_default() {
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
            Color::Auto if plain(variables) => ColorChoice::Never,
            Color::Auto => ColorChoice::Auto,
        }
    }

    /// Decides what standard error shows.
    pub(crate) fn display(self, quiet: bool, variables: &Variables) -> Display {
        let terminal = std::io::stderr().is_terminal() && variables.text("TERM") != Some("dumb");
        Display {
            bars: terminal && !quiet,
            colors: match self {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => terminal && !plain(variables),
            },
        }
    }
}

/// Whether the environment asks for no colors; see <https://no-color.org>.
fn plain(variables: &Variables) -> bool {
    variables.text("NO_COLOR").is_some() || variables.text("TERM") == Some("dumb")
}
