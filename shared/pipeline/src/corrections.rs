//! The user's corrections of FMP's data: the entries of `corrections.toml`.
//!
//! The file is in the home of the command line, or on the stage. fanout checks it as a whole before a
//! run calls FMP. The plan of the run contains the entries, load writes them to `staging.corrections`,
//! and the models apply them.

use chrono::{DateTime, NaiveDate, Utc};
use findata_domain::Symbol;
use serde::{Deserialize, Serialize};

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
