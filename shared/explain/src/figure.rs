//! The data types of an explanation.

use findata_models::metrics::Expr;
use serde::{Serialize, Serializer};

/// A figure with its formula and the figures from which it is computed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figure {
    /// The name by which the parent figure's expression refers to this figure.
    pub name: String,
    /// The figure's name in plain English.
    pub label: String,
    /// The table that stores the figure, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The figure's column in the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The end of the figure's period, or its session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The basis: Q1 to Q4, FY, TTM, MARKET or PRICE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// The value; `None` for NULL.
    pub value: Option<f64>,
    /// The unit of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The formula in plain English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// The formula with the names of the inputs.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub expression: Option<Expr>,
    /// Conditions that must hold; otherwise the figure is NULL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_when: Vec<String>,
    /// Why the figure is NULL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The mismatch, if the value computed from the inputs differs from the stored value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<Mismatch>,
    /// The values that contradict each other, in the data from which the figure is computed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<Contradiction>,
    /// The day on which the figure's statement was filed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filing_date: Option<String>,
    /// The first day whose closing price may be combined with the figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_on: Option<String>,
    /// Further notes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The FMP row that contained the figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The figures from which the figure is computed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Figure>,
}

fn as_text<S: Serializer>(expression: &Option<Expr>, to: S) -> Result<S::Ok, S::Error> {
    match expression {
        Some(expression) => to.collect_str(expression),
        None => to.serialize_none(),
    }
}

/// A difference between a stored figure and the value computed from its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mismatch {
    /// The value computed from the inputs; `None` for NULL.
    pub recomputed: Option<f64>,
}

/// Two values that contradict each other, which make figures suspect.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contradiction {
    /// The code in `suspect_reason`.
    pub code: String,
    /// The meaning of the code.
    pub meaning: String,
    /// The period of the values; `None` if they do not belong to a period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// What the contradicted value is.
    pub ours: String,
    /// The contradicted value.
    pub our_value: Option<f64>,
    /// What the value is that contradicts it.
    pub theirs: String,
    /// The value that contradicts it.
    pub their_value: Option<f64>,
}

/// Why a figure is NULL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The reason code, as in `analytics.metric_nulls`.
    pub word: String,
    /// The meaning of the reason code.
    pub meaning: String,
}

/// The FMP row that contained a figure, and how the row got into the warehouse.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The dataset.
    pub dataset: String,
    /// FMP's endpoint.
    pub endpoint: String,
    /// FMP's field.
    pub field: String,
    /// The value exactly as FMP sent it; `None` if the row does not have the field.
    pub sent: Option<String>,
    /// The landing file on the stage.
    pub file: String,
    /// The number of the row in the file, from 1.
    pub row: Option<u64>,
    /// The hash of the row's content.
    pub row_hash: String,
    /// The hash of the file.
    pub sha256: Option<String>,
    /// The run that fetched the row.
    pub run_id: String,
    /// When the row was fetched, UTC.
    pub observed_at: String,
}

/// The explanation of one figure of one company.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The company.
    pub symbol: String,
    /// The name of the company.
    pub company: Option<String>,
    /// The metric.
    pub metric: String,
    /// The past day as of which the tables were read; `None` for current data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// The figure.
    #[serde(flatten)]
    pub figure: Figure,
}

impl Figure {
    /// Creates a figure with a name and no other content.
    pub fn named(name: &str) -> Self {
        Figure {
            name: name.to_owned(),
            label: crate::words::label(name),
            ..Figure::default()
        }
    }

    /// Returns the figures that are NULL and have no inputs. Searches this figure and all its
    /// direct and indirect inputs.
    pub fn absent(&self) -> Vec<&Figure> {
        let below: Vec<&Figure> = self.inputs.iter().flat_map(Figure::absent).collect();
        if below.is_empty() && self.value.is_none() && self.inputs.is_empty() {
            vec![self]
        } else {
            below
        }
    }

    /// Returns the basis and the date as text, such as `Q3 2026-06-27`.
    pub fn when(&self) -> String {
        [self.basis.as_deref(), self.date.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    }
}
