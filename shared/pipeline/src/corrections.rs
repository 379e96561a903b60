//! The user's corrections of FMP's data: the entries of `corrections.toml`.
//!
//! The file is in the home of the command line, or on the stage. It is checked as a whole before a run
//! calls FMP. The plan of the run contains the entries, load writes them to `staging.corrections`, and
//! the models apply them.

mod entry;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use findata_domain::{Error, Result, Symbol};
use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue};

use crate::ports::stage::Stage;

/// Name of the file in the home.
pub const FILE: &str = "corrections.toml";
/// Key of the file on the stage.
pub const STAGE_KEY: &str = "state/corrections.toml";

/// The corrections that a run applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrections {
    /// When the run read them. New entries count as known from this time on, and entries that are no
    /// longer in the file end at this time.
    pub read_at: DateTime<Utc>,
    /// The entries of the file.
    pub entries: Vec<Correction>,
}

/// What a correction decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A value of a statement, or the sector, industry or currency of the profile.
    Value,
    /// The label of a quarter.
    PeriodLabel,
    /// The shares outstanding from a day on.
    ShareCount,
    /// The number of shares of the statements that one traded share or receipt stands for.
    ShareRatio,
    /// Whether an event is a split or a spin-off.
    Split,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 5] =
        [Kind::Value, Kind::PeriodLabel, Kind::ShareCount, Kind::ShareRatio, Kind::Split];

    /// Returns the name in the file and in `staging.corrections`.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Value => "value",
            Kind::PeriodLabel => "period_label",
            Kind::ShareCount => "share_count",
            Kind::ShareRatio => "share_ratio",
            Kind::Split => "split",
        }
    }
}

/// A decision of the user about FMP's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// The company.
    pub symbol: Symbol,
    /// What it decides.
    pub kind: Kind,
    /// End of the period, day of the split, or first day of a share count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<NaiveDate>,
    /// Q1 to Q4 or FY, for a value of a statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// Column of a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The right value, label, number of shares, ratio or judgement.
    pub value: String,
    /// Right fiscal year of a period label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fiscal_year: Option<String>,
    /// Why, in the user's words.
    pub reason: String,
    /// Day of the decision.
    pub decided_on: NaiveDate,
    /// Line of the entry in the file.
    pub line: u64,
}

impl Correction {
    /// Returns what two entries must not both decide.
    fn subject(&self) -> (&Symbol, Kind, Option<NaiveDate>, Option<&str>, Option<&str>) {
        (&self.symbol, self.kind, self.date, self.period.as_deref(), self.column.as_deref())
    }
}

/// A fault of the file: its line and a message.
type Fault = (u64, String);

/// Reads the corrections on the stage; none if there is no such object.
///
/// # Errors
/// `Config` with all faults of the object; the stage's errors.
pub async fn read(stage: &impl Stage) -> Result<Vec<Correction>> {
    let Some(object) = stage.get(STAGE_KEY).await? else {
        return Ok(Vec::new());
    };
    let text = std::str::from_utf8(&object.body)
        .map_err(|_| Error::Config(format!("{STAGE_KEY} on the stage is not UTF-8 text")))?;
    parse(text, &format!("{STAGE_KEY} on the stage"))
}

/// Parses the text of a file. `name` names the file in error messages.
///
/// # Errors
/// `Config` with a message per fault, in the order of lines.
pub fn parse(text: &str, name: &str) -> Result<Vec<Correction>> {
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    let (document, broken) = DeTable::parse_recoverable(text);
    for error in broken {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        faults.push((line, error.message().to_owned()));
    }
    for (key, value) in document.get_ref() {
        let line = line_of(text, key.span().start);
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("correction", DeValue::Array(array)) => {
                for one in array.iter() {
                    let line = line_of(text, one.span().start);
                    match one.get_ref() {
                        DeValue::Table(table) => entries.extend(entry::read(text, line, table, &mut faults)),
                        _ => faults.push((line, "an entry begins with [[correction]]".into())),
                    }
                }
            }
            (key, _) => {
                faults.push((line, format!("unknown key {key}: an entry begins with [[correction]]")))
            }
        }
    }
    faults.extend(repeated(&entries));
    if faults.is_empty() {
        return Ok(entries);
    }
    faults.sort();
    faults.dedup();
    let lines: Vec<String> = faults.iter().map(|(line, fault)| format!("  line {line}: {fault}")).collect();
    let count = match faults.len() {
        1 => "a fault".to_owned(),
        n => format!("{n} faults"),
    };
    Err(Error::Config(format!("{name} has {count}:\n{}", lines.join("\n"))))
}

/// Returns a fault for each entry whose subject an earlier entry has.
fn repeated(entries: &[Correction]) -> Vec<Fault> {
    let mut first = BTreeMap::new();
    let mut found = Vec::new();
    for entry in entries {
        let line = *first.entry(entry.subject()).or_insert(entry.line);
        if line != entry.line {
            found.push((entry.line, format!("repeats the entry in line {line}: keep one of them")));
        }
    }
    found
}

/// Returns the line of a byte, from 1.
fn line_of(text: &str, position: usize) -> u64 {
    let before = text.as_bytes().get(..position).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count() as u64
}
