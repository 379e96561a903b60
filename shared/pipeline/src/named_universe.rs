//! The user's named lists of symbols on the stage, at `state/universes/<name>.json`. A schedule or a request
//! names such a list instead of its symbols.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use findata_domain::{Error, Result, Symbol};
use serde::{Deserialize, Serialize};

use crate::{
    ports::stage::{self, Stage},
    run::Universe,
};

const PREFIX: &str = "state/universes/";

/// Maximum number of symbols in a list: their plan fits into the 256 MB of the functions.
pub const MAX_SYMBOLS: usize = 50_000;

/// The name of a list of symbols.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UniverseName(String);

impl FromStr for UniverseName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if Universe::of_index(text).is_some() {
            Err(Error::Reject(format!("{text} is the name of an index: use another name")))
        } else if (1..=40).contains(&text.len()) && text.chars().all(allowed) {
            Ok(UniverseName(text.to_owned()))
        } else {
            Err(Error::Reject(format!(
                "{text:?} is not the name of a universe: use 1 to 40 lower-case letters, digits, - and _"
            )))
        }
    }
}

impl TryFrom<String> for UniverseName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<UniverseName> for String {
    fn from(name: UniverseName) -> String {
        name.0
    }
}

impl fmt::Display for UniverseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stored list of symbols.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedUniverse {
    /// The symbols, in the order of the file.
    pub symbols: Vec<Symbol>,
    /// When the list was stored, UTC.
    pub stored_at: DateTime<Utc>,
}

/// Stores a list, or replaces the one of this name. Runs that are already planned keep their symbols.
///
/// # Errors
/// `Retry` if another writer changes the list at the same time; the stage's errors.
pub async fn put(stage: &impl Stage, name: &UniverseName, list: &NamedUniverse) -> Result<()> {
    stage::replace_json(stage, &key(name), list).await
}

/// Reads a list.
///
/// # Errors
/// `Reject` if the stage has no list of this name; `Damaged` if it cannot be parsed; the stage's errors.
pub async fn read(stage: &impl Stage, name: &UniverseName) -> Result<NamedUniverse> {
    stage::read_json(stage, &key(name)).await?.ok_or_else(|| {
        Error::Reject(format!(
            "the stage has no universe {name}: store it with `findata universe put {name} FILE --stage ...`"
        ))
    })
}

/// Returns the names of all lists, in order.
///
/// # Errors
/// The stage's errors.
pub async fn names(stage: &impl Stage) -> Result<Vec<UniverseName>> {
    let keys = stage.list(PREFIX).await?;
    let name = |key: &String| key.strip_prefix(PREFIX)?.strip_suffix(".json")?.parse().ok();
    Ok(keys.iter().filter_map(name).collect())
}

fn key(name: &UniverseName) -> String {
    format!("{PREFIX}{name}.json")
}
