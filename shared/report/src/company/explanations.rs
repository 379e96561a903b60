//! The explanations of a company's figures. Figures share many inputs, so each is stored once.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use findata_domain::{Error, Result};
use findata_explain::{
    Contradiction, Facts, Figure, Mismatch, Reason, Source, answer,
    ask::{Basis, Question},
};
use serde::Serialize;

/// Explained figures with their inputs, each once.
#[derive(Debug, Default, Serialize)]
pub struct Explanations {
    nodes: Vec<Node>,
    files: Vec<File>,
    /// Positions of nodes by their JSON.
    #[serde(skip)]
    known: BTreeMap<String, usize>,
    /// Positions of explanations by question.
    #[serde(skip)]
    asked: BTreeMap<(String, &'static str, Option<NaiveDate>), Option<usize>>,
}

/// A file on the stage.
#[derive(Debug, PartialEq, Serialize)]
struct File {
    file: String,
    sha256: Option<String>,
    run_id: String,
    observed_at: String,
}

/// A figure whose inputs are positions of other nodes.
#[derive(Debug, Serialize)]
struct Node {
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    basis: Option<String>,
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    formula: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    only_when: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mismatch: Option<Mismatch>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contradictions: Vec<Contradiction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filing_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    known_on: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceRow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<usize>,
}

/// The FMP row of a figure.
#[derive(Debug, Serialize)]
struct SourceRow {
    endpoint: String,
    field: String,
    sent: Option<String>,
    row: Option<u64>,
    row_hash: String,
    /// Position of the file.
    file: usize,
}

impl Explanations {
    /// Explains a figure and returns the position of its node. Returns `None` if the company has no
    /// period or session with the figure.
    pub fn add(
        &mut self,
        facts: &Facts<'_>,
        metric: &str,
        basis: Basis,
        date: Option<NaiveDate>,
    ) -> Result<Option<usize>> {
        let key = (metric.to_owned(), basis.name(), date);
        if let Some(known) = self.asked.get(&key) {
            return Ok(*known);
        }
        let question = Question {
            symbol: facts.symbol.clone(),
            metric: metric.to_owned(),
            date,
            basis: Some(basis),
        };
        let found = match answer(facts, &question) {
            Ok(explanation) => Some(self.node(&explanation.figure)?),
            Err(Error::Reject(_)) => None,
            Err(error) => return Err(error),
        };
        self.asked.insert(key, found);
        Ok(found)
    }

    /// Returns the period end or the session of a figure.
    pub fn date(&self, at: usize) -> Option<&str> {
        self.nodes.get(at)?.date.as_deref()
    }

    fn node(&mut self, figure: &Figure) -> Result<usize> {
        let inputs = figure.inputs.iter().map(|input| self.node(input)).collect::<Result<Vec<_>>>()?;
        let place = match (&figure.table, &figure.column) {
            (Some(table), Some(column)) => Some(format!("{table}.{column}")),
            _ => None,
        };
        let node = Node {
            label: figure.label.clone(),
            place,
            date: figure.date.clone(),
            basis: figure.basis.clone(),
            value: figure.value,
            unit: figure.unit.clone(),
            formula: figure.formula.clone(),
            only_when: figure.only_when.clone(),
            reason: figure.reason.clone(),
            mismatch: figure.mismatch,
            contradictions: figure.contradictions.clone(),
            filing_date: figure.filing_date.clone(),
            known_on: figure.known_on.clone(),
            notes: figure.notes.clone(),
            source: figure.source.as_ref().map(|source| self.source(source)),
            inputs,
        };
        let json =
            serde_json::to_string(&node).map_err(|e| Error::Stop(format!("cannot write JSON: {e}")))?;
        let next = self.nodes.len();
        let at = *self.known.entry(json).or_insert(next);
        if at == next {
            self.nodes.push(node);
        }
        Ok(at)
    }

    fn source(&mut self, source: &Source) -> SourceRow {
        let file = File {
            file: source.file.clone(),
            sha256: source.sha256.clone(),
            run_id: source.run_id.clone(),
            observed_at: source.observed_at.clone(),
        };
        let at = self.files.iter().position(|known| *known == file).unwrap_or_else(|| {
            self.files.push(file);
            self.files.len() - 1
        });
        SourceRow {
            endpoint: source.endpoint.clone(),
            field: source.field.clone(),
            sent: source.sent.clone(),
            row: source.row,
            row_hash: source.row_hash.clone(),
            file: at,
        }
    }
}
