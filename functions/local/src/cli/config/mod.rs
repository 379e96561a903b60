//! The configuration: options, environment variables, `.env` and `findata.toml`, in this order of
//! precedence.
//!
//! The values of the lower layers become the default values of the command's options, so clap
//! validates them like values on the command line. The environment is read once, by [`Variables`].

mod dotenv;
mod setting;
mod toml_file;
mod variables;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use clap::{
    ArgMatches, Command,
    error::{ContextKind, ContextValue, ErrorKind as ClapError},
    parser::ValueSource,
};
use findata_domain::Error;

pub(crate) use setting::Source;
use setting::{Faults, Setting, applies_to};
pub(crate) use variables::Variables;

use super::{Failure, output};

/// Name of the file with options.
const FILE: &str = "findata.toml";
/// Name of the file with variables.
const DOTENV: &str = ".env";
/// Commands that never read the two files: a shell runs them in any folder.
const WITHOUT_FILES: [&str; 3] = ["completions", "man", "help"];

/// What the environment and the files set, and where the value of each option comes from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    /// The variables of the environment and of `.env`.
    pub variables: Variables,
    /// Everything that flags in the environment and the files set, for this and other commands.
    settings: Vec<Setting>,
    /// Where an option's value comes from, by the option's id. An option that has its default is missing.
    sources: BTreeMap<String, Source>,
}

/// Why the command line or the configuration is refused.
pub(crate) enum Refused {
    /// Wrong arguments, or a request for help.
    Arguments(clap::Error),
    /// A fault in the environment or a file.
    Configuration(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Refused::Configuration(failure)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Configuration(error.into())
    }
}

impl Config {
    /// Where the value of an option comes from.
    pub(crate) fn source(&self, id: &str) -> &Source {
        self.sources.get(id).unwrap_or(&Source::Default)
    }

    /// The name of an option in messages: as it was written on the command line, in the environment
    /// or in a file.
    pub(crate) fn name(&self, id: &str) -> String {
        self.source(id).name_of(id)
    }

    /// The options that `findata.toml` sets for single commands, as `[command] option = value`.
    pub(crate) fn command_settings(&self) -> impl Iterator<Item = (String, &Source)> {
        let of_command =
            self.settings.iter().filter_map(|setting| Some((setting.table.as_deref()?, setting)));
        of_command.map(|(table, s)| (format!("[{table}] {} = {}", s.option, s.values.join(",")), &s.source))
    }
}

/// Parses the command line. Options that are missing get their values from the environment, `.env`
/// and `findata.toml`.
pub(crate) fn parse(
    command: Command,
    arguments: &[OsString],
    mut variables: Variables,
) -> Result<(ArgMatches, Config), Refused> {
    // The first pass only finds the command and the options that are set; the second one reports errors.
    let lenient = command.clone().ignore_errors(true);
    let first = lenient.try_get_matches_from(arguments).map_err(Refused::Arguments)?;
    let called = first.subcommand_name().unwrap_or_default().to_owned();
    let explicit = Explicit(&first);
    let mut settings = Vec::new();
    let mut built = command.clone();
    built.build();
    let mut faults = Faults::default();
    settings.extend(variables.flags(&mut faults));
    if !WITHOUT_FILES.contains(&called.as_str()) {
        let given = explicit.source("config").and(first.get_one::<PathBuf>("config"));
        let folder = folder(given.map(PathBuf::as_path))?;
        let path = folder.join(DOTENV);
        if let Some(text) = read(&path, false)? {
            let entries = dotenv::parse(&text, &path, &mut faults);
            settings.extend(setting::from_variables(&built, &entries, &folder, &mut faults));
            variables.add_file(entries);
        }
        let path = given.map_or_else(|| folder.join(FILE), Clone::clone);
        if let Some(text) = read(&path, given.is_some())? {
            settings.extend(toml_file::parse(&text, &path, &built, &folder, &mut faults));
        }
    }
    if settings.iter().any(|setting| setting.id == "json" && setting.values == ["true"]) {
        output::set_json(true);
    }
    faults.into_result()?;
    let applied = applied(&settings, &called, &built, &explicit)?;
    let mut command = command;
    for setting in &applied {
        command = setting.apply(command, &called);
    }
    let matches = command
        .try_get_matches_from(arguments)
        .map_err(|error| refused(error, &applied, &built, &called))?;
    let mut sources: BTreeMap<String, Source> = explicit.sources(&built, &called).collect();
    sources.extend(applied.iter().map(|s| (s.id.clone(), s.source.clone())));
    Ok((matches, Config { variables, settings, sources }))
}

/// The options on the command line or in the environment.
struct Explicit<'a>(&'a ArgMatches);

impl Explicit<'_> {
    /// Where an option is set: on the command line, or in the environment.
    fn source(&self, id: &str) -> Option<ValueSource> {
        let sub = self.0.subcommand().map(|(_, matches)| matches);
        let source = |matches: &ArgMatches| {
            let known = matches.try_contains_id(id).is_ok();
            known.then(|| matches.value_source(id)).flatten()
        };
        let found = [Some(self.0), sub].into_iter().flatten().filter_map(source);
        found.filter(|source| *source != ValueSource::DefaultValue).max()
    }

    fn sources<'b>(
        &'b self,
        built: &'b Command,
        called: &str,
    ) -> impl Iterator<Item = (String, Source)> + 'b {
        let arguments = built.find_subcommand(called).unwrap_or(built).get_arguments();
        arguments.filter_map(|argument| {
            let source = match self.source(argument.get_id().as_str())? {
                ValueSource::EnvVariable => {
                    Source::Environment(argument.get_env()?.to_string_lossy().into_owned())
                }
                _ => Source::Option,
            };
            Some((argument.get_id().to_string(), source))
        })
    }
}

/// Returns the settings that take effect: those of this command that nothing of higher precedence
/// sets or excludes.
fn applied(
    settings: &[Setting],
    called: &str,
    built: &Command,
    explicit: &Explicit<'_>,
) -> Result<Vec<Setting>, Failure> {
    let excludes = |one: &str, other: &str| {
        let command = built.find_subcommand(called).unwrap_or(built);
        let conflicts = |id: &str| {
            let argument = command.get_arguments().find(|argument| argument.get_id() == id);
            argument.map(|argument| command.get_arg_conflicts_with(argument)).unwrap_or_default()
        };
        conflicts(one).iter().any(|argument| argument.get_id() == other)
            || conflicts(other).iter().any(|argument| argument.get_id() == one)
    };
    let set: Vec<&str> = match built.find_subcommand(called) {
        Some(command) => command.get_arguments().map(|argument| argument.get_id().as_str()).collect(),
        None => Vec::new(),
    };
    let set: Vec<&str> = set.into_iter().filter(|id| explicit.source(id).is_some()).collect();
    let mut applied: Vec<Setting> = Vec::new();
    for setting in settings.iter().filter(|setting| applies_to(setting, called, built)) {
        let id = setting.id.as_str();
        if set.contains(&id)
            || set.iter().any(|other| excludes(id, other))
            || applied.iter().any(|other| other.id == id)
        {
            continue;
        }
        if let Some(other) = applied.iter().find(|other| excludes(id, &other.id)) {
            return Err(Error::Config(format!(
                "{} excludes {}: remove one of them",
                setting.source.name_of(id),
                other.source.name_of(&other.id)
            ))
            .into());
        }
        applied.push(setting.clone());
    }
    Ok(applied)
}

/// Names the file and line if a file set the value that clap rejects.
fn refused(error: clap::Error, applied: &[Setting], built: &Command, called: &str) -> Refused {
    if !matches!(
        error.kind(),
        ClapError::ValueValidation | ClapError::InvalidValue | ClapError::TooManyValues
    ) {
        return Refused::Arguments(error);
    }
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
        return Refused::Arguments(error);
    };
    let command = built.find_subcommand(called).unwrap_or(built);
    let id = command
        .get_arguments()
        .find(|known| known.to_string() == *argument)
        .map(|known| known.get_id());
    let setting = applied.iter().find(|setting| id.is_some_and(|id| *id == setting.id));
    match setting {
        None => Refused::Arguments(error),
        Some(setting) => {
            let text = message(&error);
            let text = text.split("\n\n").next().unwrap_or_default();
            Error::Config(format!("{}: {text}", setting.source.name_of(&setting.id))).into()
        }
    }
}

/// The message of an error of clap, without the usage.
pub(crate) fn message(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let end = ["\n\nUsage", "\n\nFor more information"].iter().filter_map(|end| text.find(end)).min();
    text[..end.unwrap_or(text.len())].trim_start_matches("error: ").trim().to_owned()
}

/// The folder of the configuration: that of the file in `--config`, otherwise the current folder.
fn folder(config: Option<&Path>) -> Result<PathBuf, Failure> {
    let Some(path) = config else { return Ok(PathBuf::new()) };
    if path.as_os_str().is_empty() {
        return Err(Failure::Usage(format!("--config: name a file, such as {FILE}")));
    }
    Ok(path.parent().unwrap_or(Path::new("")).to_owned())
}

/// Reads a file; `None` if it is missing and may be.
fn read(path: &Path, required: bool) -> Result<Option<String>, Error> {
    match std::fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.trim_start_matches('\u{feff}').to_owned())),
            Err(_) => Err(Error::Config(format!("{} is not UTF-8 text: save it as UTF-8", path.display()))),
        },
        // A folder named .env is a virtual environment of Python.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) && !required => {
            Ok(None)
        }
        Err(error) => Err(Error::Config(format!("cannot read {}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests;
