//! The parts of an explanation.

use findata_models::metrics::Expr;
use serde::{Serialize, Serializer};

/// A figure with its formula and the figures it was computed from.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figure {
    /// Its name in the expression of the figure above it.
    pub name: String,
    /// Its name in plain English.
    pub label: String,
    /// The table that stores it, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Its column in the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The end of the period, or the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Q1 to Q4, FY, TTM, MARKET or PRICE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// The value; `None` is NULL.
    pub value: Option<f64>,
    /// The unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Its formula in plain English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// Its formula over the names of its inputs.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub expression: Option<Expr>,
    /// Conditions without which it is NULL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_when: Vec<String>,
    /// Why it is NULL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Set if the inputs give another value than the stored one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<Mismatch>,
    /// When the statement was filed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filing_date: Option<String>,
    /// The first day whose close may use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_on: Option<String>,
    /// Further notes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The FMP row that contained it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The figures it was computed from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Figure>,
}

fn as_text<S: Serializer>(expression: &Option<Expr>, to: S) -> Result<S::Ok, S::Error> {
    match expression {
        Some(expression) => to.collect_str(expression),
        None => to.serialize_none(),
    }
}

/// A difference between a stored figure and its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mismatch {
    /// What the inputs give; `None` is NULL.
    pub recomputed: Option<f64>,
}

/// Why a figure is NULL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The reason code of `analytics.metric_nulls`.
    pub word: String,
    /// What it means.
    pub meaning: String,
}

/// The FMP row that contained a figure, and its path to the warehouse.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The dataset.
    pub dataset: String,
    /// FMP's endpoint.
    pub endpoint: String,
    /// FMP's field.
    pub field: String,
    /// The figure exactly as FMP sent it; `None` if the row has no such field.
    pub sent: Option<String>,
    /// The file on the stage.
    pub file: String,
    /// The row in it, from 1.
    pub row: Option<u64>,
    /// The hash of the row's content.
    pub row_hash: String,
    /// The hash of the file.
    pub sha256: Option<String>,
    /// The run that fetched it.
    pub run_id: String,
    /// When it was fetched, UTC.
    pub observed_at: String,
}

/// The explanation of one figure of one company.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The company.
    pub symbol: String,
    /// Its name.
    pub company: Option<String>,
    /// The metric.
    pub metric: String,
    /// The day as of which the tables were read; `None` for current data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// The figure.
    #[serde(flatten)]
    pub figure: Figure,
}

impl Figure {
    /// An empty figure with the given name.
    pub fn named(name: &str) -> Self {
        Figure {
            name: name.to_owned(),
            label: crate::words::label(name),
            ..Figure::default()
        }
    }

    /// The NULL figures without inputs of their own, in this figure and everything below it.
    pub fn absent(&self) -> Vec<&Figure> {
        let below: Vec<&Figure> = self.inputs.iter().flat_map(Figure::absent).collect();
        if below.is_empty() && self.value.is_none() && self.inputs.is_empty() {
            vec![self]
        } else {
            below
        }
    }

    /// Its basis and date, as in `Q3 2026-06-27`.
    pub fn when(&self) -> String {
        [self.basis.as_deref(), self.date.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    }
}
