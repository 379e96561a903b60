//! The environment variables, read once.

use std::{collections::BTreeMap, env, ffi::OsString, fmt};

use findata_domain::Error;
use secrecy::SecretString;

use super::{
    dotenv::Entry,
    setting::{FLAGS, Faults, Setting, Source, boolean},
};
use crate::cli::Failure;

/// The variable with the API key.
pub(crate) const KEY: &str = "FMP_API_KEY";

/// The variables of the process, and those of `.env` that the process does not have.
#[derive(Clone, Default)]
pub(crate) struct Variables {
    process: BTreeMap<OsString, OsString>,
    file: Vec<Entry>,
}

/// Shows no values, because some are secret.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Variables({} of the process, {} of .env)", self.process.len(), self.file.len())
    }
}

impl Variables {
    /// Reads the environment of the process.
    pub(crate) fn of_process() -> Self {
        Variables { process: env::vars_os().collect(), file: Vec::new() }
    }

    pub(super) fn add_file(&mut self, entries: Vec<Entry>) {
        self.file = entries;
    }

    /// Returns a variable and where it is set. An empty variable counts as missing, and one that is
    /// not UTF-8 too; only [`Variables::key`] tells them apart.
    pub(crate) fn get(&self, name: &str) -> Option<(&str, Source)> {
        let process = self.process.get(&OsString::from(name)).and_then(|value| value.to_str());
        let process = process.map(|value| (value, Source::Environment(name.to_owned())));
        let file = || {
            let entry = self.file.iter().rev().find(|entry| entry.name == name)?;
            Some((entry.value.as_str(), entry.source()))
        };
        process
            .map(|(value, source)| (value.trim(), source))
            .filter(|(value, _)| !value.is_empty())
            .or_else(file)
            .map(|(value, source)| (value.trim(), source))
            .filter(|(value, _)| !value.is_empty())
    }

    /// Returns the text of a variable; `None` if it is missing or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(|(text, _)| text)
    }

    /// Returns the API key.
    pub(crate) fn key(&self) -> Result<SecretString, Failure> {
        let is_text = |value: &OsString| value.to_str().is_some();
        if self.process.get(&OsString::from(KEY)).is_some_and(|value| !is_text(value)) {
            return Err(Error::Config(format!(
                "{KEY} is not UTF-8 text: copy the key again, it consists of letters and digits"
            ))
            .into());
        }
        self.text(KEY).map(SecretString::from).ok_or_else(|| {
            Error::Config(format!(
                "no FMP API key: set {KEY} in the environment or in the file .env (get a key at \
                 financialmodelingprep.com; `findata demo` needs none)"
            ))
            .into()
        })
    }

    /// Returns the options without a value that the process's environment sets, such as `FINDATA_JSON=true`.
    pub(super) fn flags(&self, faults: &mut Faults) -> Vec<Setting> {
        let mut found = Vec::new();
        for (name, id) in FLAGS {
            if let Some((text, source)) = self.get(name) {
                match boolean(text) {
                    Some(value) => found.push(Setting {
                        table: None,
                        id: id.to_owned(),
                        option: id.to_owned(),
                        values: vec![value.to_string()],
                        source,
                    }),
                    None => faults.add_variable(name, format!("{text:?} is neither true nor false")),
                }
            }
        }
        found
    }
}
