//! An option's value from a variable or a file, and the faults of files.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use clap::{Arg, Command, ValueHint};
use findata_domain::Error;
use findata_pipeline::run::Universe;

use super::dotenv::Entry;
use crate::cli::nearest::nearest;

/// Variables of options without a value. clap reads the variables of the other options.
pub(super) const FLAGS: [(&str, &str); 2] = [("FINDATA_JSON", "json"), ("FINDATA_QUIET", "quiet")];

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The command line.
    Option,
    /// The environment variable with this name.
    Environment(String),
    /// A line of a file, and the variable's or option's name there.
    File { path: String, line: u64, name: String },
    /// findata's default.
    Default,
}

impl Source {
    /// The name of an option in messages about its value.
    pub(crate) fn name_of(&self, id: &str) -> String {
        match self {
            Source::Option | Source::Default => format!("--{}", id.replace('_', "-")),
            Source::Environment(name) => name.clone(),
            Source::File { path, line, name } => format!("{path} line {line}: {name}"),
        }
    }

    /// Whether a user who corrects the value must change the command line.
    pub(crate) fn is_option(&self) -> bool {
        matches!(self, Source::Option | Source::Default)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Option => f.write_str("command line"),
            Source::Environment(name) => write!(f, "{name} in the environment"),
            Source::File { path, line, .. } => write!(f, "{path} line {line}"),
            Source::Default => f.write_str("default"),
        }
    }
}

/// A value for an option.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// The command whose option it is; `None` for an option of all commands.
    pub table: Option<String>,
    /// clap's id of the option.
    pub id: String,
    /// The option's name, without hyphens in front.
    pub option: String,
    /// The values, as they would be written on the command line.
    pub values: Vec<String>,
    pub source: Source,
}

impl Setting {
    /// Makes the values the option's default.
    pub(super) fn apply(&self, command: Command, called: &str) -> Command {
        let default = |command: Command| {
            command.mut_arg(&self.id, |argument| argument.default_values(self.values.iter()))
        };
        match self.table {
            None => default(command),
            Some(_) => command.mut_subcommand(called, default),
        }
    }
}

/// Whether a command uses a setting. `plan` uses the settings of `run`, because it shows what `run`
/// would fetch.
pub(super) fn applies_to(setting: &Setting, called: &str, built: &Command) -> bool {
    let table = if called == "plan" { "run" } else { called };
    let has_option = || {
        let command = built.find_subcommand(called);
        command
            .is_some_and(|command| command.get_arguments().any(|argument| *argument.get_id() == setting.id))
    };
    setting.table.as_ref().is_none_or(|of| of == table) && has_option()
}

/// Returns the options that the variables of `.env` set.
pub(super) fn from_variables(
    built: &Command,
    entries: &[Entry],
    folder: &Path,
    faults: &mut Faults,
) -> Vec<Setting> {
    let mut known: Vec<(String, Option<String>, Option<&Arg>)> =
        FLAGS.iter().map(|(name, _)| (name.to_string(), None, None)).collect();
    let tables = built.get_subcommands().map(|command| (Some(command.get_name().to_owned()), command));
    for (table, command) in [(None, built)].into_iter().chain(tables) {
        for argument in
            command.get_arguments().filter(|argument| table.is_none() || !argument.is_global_set())
        {
            if let Some(name) = argument.get_env() {
                known.push((name.to_string_lossy().into_owned(), table.clone(), Some(argument)));
            }
        }
    }
    let mut found = Vec::new();
    for entry in entries.iter().rev().filter(|entry| !entry.value.trim().is_empty()) {
        let Some((_, table, argument)) = known.iter().find(|(name, ..)| *name == entry.name) else {
            if let Some(fault) = unknown_variable(&entry.name, known.iter().map(|(name, ..)| name.as_str())) {
                faults.add(&entry.path, entry.line, fault);
            }
            continue;
        };
        let (id, value) = match argument {
            Some(argument) => (argument.get_id().to_string(), rebased(argument, &entry.value, folder)),
            None => {
                let id = FLAGS.iter().find(|(name, _)| *name == entry.name).map_or("", |(_, id)| id);
                let Some(value) = boolean(&entry.value) else {
                    let fault = format!("{}: {:?} is neither true nor false", entry.name, entry.value);
                    faults.add(&entry.path, entry.line, fault);
                    continue;
                };
                (id.to_owned(), value.to_string())
            }
        };
        if id == "config" {
            let fault =
                "FINDATA_CONFIG names the folder of .env, so it works only in the environment; use --config";
            faults.add(&entry.path, entry.line, fault.to_owned());
            continue;
        }
        found.push(Setting {
            table: table.clone(),
            option: id.replace('_', "-"),
            id,
            values: vec![value],
            source: entry.source(),
        });
    }
    found
}

/// Describes a variable that looks like one of findata's but is none. Variables of other programs are
/// allowed.
fn unknown_variable<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    const OTHERS: [&str; 1] = ["FMP_API_KEY"];
    let ours = name.starts_with("FINDATA_") || name.starts_with("FMP_");
    if !ours || OTHERS.contains(&name) {
        return None;
    }
    let hint = match nearest(name, known.chain(OTHERS)) {
        Some(similar) => format!("did you mean {similar}?"),
        None => "findata has no such variable".to_owned(),
    };
    Some(format!("unknown variable {name}: {hint}"))
}

/// Parses a boolean variable.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "" | "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Resolves a relative path in a file against the file's folder.
pub(super) fn rebased(argument: &Arg, value: &str, folder: &Path) -> String {
    let join = |path: &str| match folder.as_os_str().is_empty() {
        true => path.to_owned(),
        false => folder.join(PathBuf::from(path)).to_string_lossy().into_owned(),
    };
    let is_path =
        matches!(argument.get_value_hint(), ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath);
    match (argument.get_id().as_str(), value.strip_prefix("duckdb:")) {
        ("warehouse", Some(file)) => format!("duckdb:{}", join(file)),
        ("universe", _) if Universe::of_index(&value.to_ascii_lowercase()).is_some() => value.to_owned(),
        _ if is_path && !value.contains("://") => join(value),
        _ => value.to_owned(),
    }
}

/// The faults of the configuration, by file.
#[derive(Debug, Default)]
pub(super) struct Faults {
    variables: Vec<String>,
    files: Vec<(String, Vec<(u64, String)>)>,
}

impl Faults {
    pub(super) fn add(&mut self, path: &str, line: u64, fault: String) {
        match self.files.iter_mut().find(|(known, _)| known == path) {
            Some((_, faults)) => faults.push((line, fault)),
            None => self.files.push((path.to_owned(), vec![(line, fault)])),
        }
    }

    pub(super) fn add_variable(&mut self, name: &str, fault: String) {
        self.variables.push(format!("{name}: {fault}"));
    }

    /// # Errors
    /// `Config` with every fault and its line.
    pub(super) fn into_result(self) -> Result<(), Error> {
        let mut messages = self.variables;
        for (path, mut faults) in self.files {
            faults.sort();
            messages.push(match faults.as_slice() {
                [(line, fault)] => format!("{path} line {line}: {fault}"),
                many => {
                    let lines = many.iter().map(|(line, fault)| format!("  line {line}: {fault}"));
                    format!("{path} has {} faults:\n{}", many.len(), lines.collect::<Vec<_>>().join("\n"))
                }
            });
        }
        match messages.is_empty() {
            true => Ok(()),
            false => Err(Error::Config(messages.join("\n"))),
        }
    }
}
