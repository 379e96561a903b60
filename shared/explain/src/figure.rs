//! What an explanation is made of.

use serde::Serialize;

/// A figure with its formula and the figures it was computed from.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figure {
    /// Its name in the expression of the figure above it.
    pub name: String,
    /// What it is, in words.
    pub label: String,
    /// The table it stands in, where it stands in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Its column there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The period's end, or the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Q1 to Q4, FY, TTM, MARKET or PRICE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// The value; none is NULL.
    pub value: Option<f64>,
    /// What it is measured in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Its formula, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// Its formula over the names of its inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// Without these it is NULL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_when: Vec<String>,
    /// Why it is NULL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// When the statement was filed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filing_date: Option<String>,
    /// The first day whose close may use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_on: Option<String>,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The row it came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What it was computed from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Figure>,
}

/// Why a figure is NULL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The word of `analytics.metric_nulls`.
    pub word: String,
    /// What it means.
    pub meaning: String,
}

/// The row a figure came in, and its way here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The dataset.
    pub dataset: String,
    /// FMP's endpoint.
    pub endpoint: String,
    /// FMP's field.
    pub field: String,
    /// The figure exactly as FMP sent it; none when the field was not there.
    pub sent: Option<String>,
    /// The file on the stage.
    pub file: String,
    /// The row in it, from 1.
    pub row: Option<u64>,
    /// The hash of the row's content.
    pub row_hash: String,
    /// The file's.
    pub sha256: Option<String>,
    /// The run that brought it.
    pub run_id: String,
    /// When it was fetched, UTC.
    pub observed_at: String,
}

/// A whole explanation: one figure of one company.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The company.
    pub symbol: String,
    /// Its name.
    pub company: Option<String>,
    /// The metric.
    pub metric: String,
    /// As of which day the tables were read, unless now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// The figure.
    #[serde(flatten)]
    pub figure: Figure,
}

impl Figure {
    /// A figure of that name.
    pub fn named(name: &str) -> Self {
        Figure { name: name.to_owned(), label: crate::formulas::label(name), ..Figure::default() }
    }

    /// Figures without inputs that are NULL.
    pub fn absent(&self) -> Vec<&Figure> {
        let below: Vec<&Figure> = self.inputs.iter().flat_map(Figure::absent).collect();
        if below.is_empty() && self.value.is_none() && self.inputs.is_empty() { vec![self] } else { below }
    }

    /// Its basis and date as one text.
    pub fn when(&self) -> String {
        [self.basis.as_deref(), self.date.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}
