//! Reads `findata.toml`: options of all commands at the top, and a table for each command.

use std::path::Path;

use clap::{Arg, ArgAction, Command};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::setting::{Faults, Setting, Source, rebased};
use crate::cli::nearest::nearest;

/// Options that a file cannot set.
const NOT_IN_A_FILE: [&str; 3] = ["config", "help", "version"];

/// A file, and its faults so far.
struct File<'a> {
    text: &'a str,
    path: String,
    folder: &'a Path,
    built: &'a Command,
    faults: &'a mut Faults,
}

/// Parses the text of a file.
pub(super) fn parse(
    text: &str,
    path: &Path,
    built: &Command,
    folder: &Path,
    faults: &mut Faults,
) -> Vec<Setting> {
    let (document, broken) = DeTable::parse_recoverable(text);
    let mut file = File {
        text,
        path: path.display().to_string(),
        folder,
        built,
        faults,
    };
    if !broken.is_empty() {
        for error in broken {
            file.fault(error.span().map_or(0, |span| span.start), error.message().to_owned());
        }
        return Vec::new();
    }
    file.table(None, built, document.get_ref())
}

impl File<'_> {
    fn line(&self, position: usize) -> u64 {
        let before = self.text.as_bytes().get(..position).unwrap_or(self.text.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count() as u64
    }

    fn fault(&mut self, position: usize, message: String) {
        let line = self.line(position);
        self.faults.add(&self.path, line, message);
    }

    /// Reads the options of one command, or of all commands and then the tables.
    fn table(&mut self, name: Option<&str>, command: &Command, table: &DeTable<'_>) -> Vec<Setting> {
        let mut found: Vec<Setting> = Vec::new();
        for (key, value) in table {
            let at = key.span().start;
            let option = key.get_ref().replace('_', "-");
            let built = self.built;
            if let (None, DeValue::Table(options)) = (name, value.get_ref()) {
                match built.find_subcommand(&option) {
                    Some(_) if option == "plan" => {
                        self.fault(
                            at,
                            "plan uses the options in [run], because it shows what run would do".into(),
                        );
                    }
                    Some(command) => found.extend(self.table(Some(&option), command, options)),
                    None => {
                        self.unknown(at, "command", &option, built.get_subcommands().map(Command::get_name))
                    }
                }
                continue;
            }
            let known = |argument: &&Arg| {
                argument.get_long().is_some_and(|long| !NOT_IN_A_FILE.contains(&long))
                    && argument.is_global_set() == name.is_none()
            };
            let Some(argument) =
                command.get_arguments().filter(known).find(|a| a.get_long() == Some(option.as_str()))
            else {
                match self.misplaced(name, &option) {
                    Some(message) => self.fault(at, message),
                    None => {
                        let names = command.get_arguments().filter(known).filter_map(Arg::get_long);
                        self.unknown(at, "option", &option, names);
                    }
                }
                continue;
            };
            if found.iter().any(|other| other.option == option && other.table.as_deref() == name) {
                self.fault(at, format!("{option} is set twice"));
                continue;
            }
            match values(argument, value) {
                Ok(values) => found.push(Setting {
                    table: name.map(str::to_owned),
                    id: argument.get_id().to_string(),
                    values: values.iter().map(|value| rebased(argument, value, self.folder)).collect(),
                    source: Source::File {
                        path: self.path.clone(),
                        line: self.line(at),
                        name: option.clone(),
                    },
                    option,
                }),
                Err(expected) => self.fault(value.span().start, format!("{option} must be {expected}")),
            }
        }
        found
    }

    fn unknown<'b>(&mut self, at: usize, what: &str, name: &str, known: impl Iterator<Item = &'b str>) {
        let hint = match nearest(name, known) {
            Some(similar) => format!("did you mean {similar}?"),
            None if what == "command" => "a table has the name of a command, such as [run]".to_owned(),
            None => "the names are those of the options, such as home or fmp-plan".to_owned(),
        };
        self.fault(at, format!("unknown {what} {name}: {hint}"));
    }

    /// Explains where to put a secret, or an option that stands in the wrong place.
    fn misplaced(&self, table: Option<&str>, option: &str) -> Option<String> {
        let variable = option.replace('-', "_").to_uppercase();
        if option.starts_with("snowflake-") {
            return Some(format!("{option} is a variable: put {variable}=... into .env or the environment"));
        }
        if matches!(option, "fmp-api-key" | "fmp-key" | "api-key" | "apikey" | "key") {
            return Some(format!(
                "{option}: secrets do not belong into this file: put FMP_API_KEY=... into .env or the environment"
            ));
        }
        let has = |command: &Command| {
            command.get_arguments().any(|argument| {
                argument.get_long() == Some(option)
                    && argument.is_global_set() == table.is_some()
                    && !NOT_IN_A_FILE.contains(&option)
            })
        };
        match table {
            Some(_) => has(self.built)
                .then(|| format!("{option} belongs above the first table: it is an option of all commands")),
            None => {
                let command = self
                    .built
                    .get_subcommands()
                    .filter(|command| command.get_name() != "plan")
                    .find(|c| has(c))?;
                let name = command.get_name();
                Some(format!(
                    "{option} is an option of single commands: put it into a table such as [{name}]"
                ))
            }
        }
    }
}

/// Returns the values of an option as text. The error says which type is expected.
fn values(argument: &Arg, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, &'static str> {
    let value = value.get_ref();
    let name = argument
        .get_value_names()
        .and_then(|names| names.first())
        .map_or("", |name| name.as_str());
    let text = |value: &DeValue<'_>| value.as_str().map(str::to_owned);
    let integer = |value: &DeValue<'_>| {
        let DeValue::Integer(integer) = value else { return None };
        i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|n| n.to_string())
    };
    let one = |value: Option<String>| value.map(|value| vec![value]);
    let (found, expected) = match argument.get_action() {
        ArgAction::SetTrue => (one(value.as_bool().map(|flag| flag.to_string())), "true or false"),
        ArgAction::Count => (one(integer(value)), "a whole number"),
        ArgAction::Append => (
            match value {
                DeValue::Array(array) if !array.is_empty() => array
                    .iter()
                    .map(|item| text(item.get_ref()).or_else(|| integer(item.get_ref())))
                    .collect(),
                DeValue::Array(_) => None,
                one_value => one(text(one_value)),
            },
            "a list such as [\"A\", \"B\"]",
        ),
        _ => match name {
            "N" | "MS" => (one(integer(value)), "a whole number without quotes"),
            "PLAN" => (one(text(value).or_else(|| integer(value))), "a text in quotes or a whole number"),
            "DATE" => {
                let date = match value {
                    DeValue::Datetime(date) => Some(date.to_string()),
                    other => text(other),
                };
                (one(date), "a date such as 2026-11-20")
            }
            _ => (one(text(value)), "a text in quotes"),
        },
    };
    found.ok_or(expected)
}
