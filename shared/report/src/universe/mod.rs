//! The data of the report about all companies: runs, companies with their figures, coverage and
//! quality.

mod companies;
mod coverage;
mod inputs;
mod quality;
mod series;
mod tables;

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use duckdb::Connection;
use findata_domain::{Error, Result};
use findata_models::Models;
use findata_pipeline::summary::Summary;
use serde::Serialize;

use crate::figures::{Chosen, Format, chosen};

/// The data of the page.
#[derive(Debug, Serialize)]
pub struct Universe {
    kind: &'static str,
    generated: String,
    /// Summaries of the runs, oldest first.
    runs: Vec<Summary>,
    figures: Vec<FigureDefinition>,
    inputs: Vec<inputs::InputDefinition>,
    companies: Vec<companies::Company>,
    /// The weeks of the series of all companies, each as the Monday of the week.
    weeks: Vec<String>,
    coverage: coverage::Coverage,
    quality: quality::Quality,
    /// The meanings of the reasons for NULL.
    reasons: BTreeMap<String, String>,
    /// The meanings of the suspicions.
    suspicions: BTreeMap<String, String>,
}

/// The definition of a figure.
#[derive(Debug, Serialize)]
struct FigureDefinition {
    name: &'static str,
    title: &'static str,
    label: &'static str,
    group: &'static str,
    format: Format,
    about: String,
    formula: Option<String>,
    only_when: Vec<String>,
    /// Positions of the inputs of the formula.
    inputs: Vec<usize>,
}

/// Reads the data of all companies.
///
/// # Errors
/// `Reject` if the warehouse has no companies; `Stop` if it cannot be read.
pub fn read(
    connection: &Connection,
    models: &Models,
    runs: &[Summary],
    now: DateTime<Utc>,
) -> Result<Universe> {
    let figures = chosen(models);
    let specs = inputs::Inputs::of(models, &figures);
    let series = series::read(connection)?;
    let companies = companies::read(connection, models, &figures, &specs, &series)?;
    if companies.is_empty() {
        return Err(Error::Reject(
            "the warehouse has no companies yet: load some with `findata run --symbols AAPL,MSFT`".into(),
        ));
    }
    let reasons = companies.iter().flat_map(|company| company.reasons());
    let reasons = reasons.map(|code| (code.to_owned(), findata_explain::meaning(code).to_owned())).collect();
    let quality = quality::read(connection)?;
    let declared = models.registry.suspicions.iter();
    Ok(Universe {
        kind: "universe",
        generated: now.to_rfc3339_opts(SecondsFormat::Secs, true),
        runs: runs.iter().map(|run| Summary { highlights: Vec::new(), ..run.clone() }).collect(),
        figures: define(&figures, &specs),
        inputs: specs.definitions(models),
        companies,
        weeks: series.weeks,
        coverage: coverage::read(connection, now)?,
        quality,
        reasons,
        suspicions: declared.map(|suspicion| (suspicion.code.clone(), suspicion.about.clone())).collect(),
    })
}

fn define(figures: &[Chosen], specs: &inputs::Inputs) -> Vec<FigureDefinition> {
    let one = |(position, figure): (usize, &Chosen)| FigureDefinition {
        name: figure.column,
        title: figure.title,
        label: figure.name,
        group: figure.group,
        format: Format::of(&figure.definition),
        about: figure.definition.about.clone(),
        formula: figure.definition.formula.clone(),
        only_when: figure.definition.only_when.clone(),
        inputs: specs.of_figure(position).to_vec(),
    };
    figures.iter().enumerate().map(one).collect()
}
