//! The data dictionary: all tables of the warehouse with their columns, generated from the catalog
//! and the models.

mod analytics;
mod metrics;

use findata_domain::catalog::{CATALOG, Dataset, Kind, LINEAGE, Need, Requests};
use findata_models::{
    Models,
    comments::TableComments,
    metrics::{Expr, Input},
    ops::{OPS, OpsColumn, OpsTable, RAW, RAW_TICKS, STAGING},
};
use serde::Serialize;

use crate::{
    units,
    words::{label, words},
};

/// A table or view in the dictionary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Schema of the table.
    pub schema: &'static str,
    /// Name of the table.
    pub name: String,
    /// What one row of the table represents.
    pub about: String,
    /// Columns of the table, in order.
    pub columns: Vec<Column>,
}

/// A column in the dictionary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Name of the column.
    pub name: String,
    /// SQL type of the column.
    #[serde(rename = "type")]
    pub kind: String,
    /// Unit, for a column with figures.
    pub unit: Option<String>,
    /// Description of the column.
    pub about: String,
}

/// Returns all tables of the schemas `analytics`, `staging`, `raw` and `ops`.
pub fn tables(models: &Models) -> Vec<Table> {
    let mut all = filled_by_models(models, "analytics");
    // List tables of current data first, then their histories.
    all.sort_by_key(|table| {
        let versions = table.name.ends_with("_history") || table.name.ends_with("_as_known");
        (versions, table.name.clone())
    });
    for dataset in CATALOG {
        let (name, about) = (dataset.name.to_owned(), staging_about(dataset));
        all.push(Table {
            schema: "staging",
            name,
            about,
            columns: staging(models, dataset),
        });
    }
    all.extend(STAGING.iter().map(|table| declared("staging", table)));
    for dataset in CATALOG {
        let about = format!("rows of {} as received, each distinct content once", dataset.endpoint);
        all.push(Table {
            schema: "raw",
            name: dataset.name.to_owned(),
            about,
            columns: RAW.iter().map(own).collect(),
        });
    }
    all.push(declared("raw", &RAW_TICKS));
    all.extend(OPS.iter().map(|table| declared("ops", table)));
    all.extend(filled_by_models(models, "ops"));
    all
}

/// Returns the comments on the tables, views and columns of `analytics`.
pub fn comments(models: &Models) -> Vec<TableComments> {
    let column = |c: Column| match c.unit {
        Some(unit) => (c.name, format!("{unit}; {}", c.about)),
        None => (c.name, c.about),
    };
    let comments = |table: Table| TableComments {
        schema: table.schema,
        is_view: models.tables.iter().any(|file| file.file == format!("views/{}.sql", table.name)),
        name: table.name,
        about: table.about,
        columns: table.columns.into_iter().map(column).collect(),
    };
    filled_by_models(models, "analytics").into_iter().map(comments).collect()
}

/// Returns the inputs of formulas, except the lines of the statements.
pub fn inputs(models: &Models) -> Vec<Column> {
    let registry = &models.registry;
    let one = |input: &Input| Column {
        name: input.name.clone(),
        kind: "double".into(),
        unit: registry.unit(&input.name).map(|unit| unit.to_string()),
        about: about_input(input),
    };
    registry.inputs.iter().map(one).collect()
}

/// Returns the user's metrics: those of periods, then those of sessions.
pub fn custom_metrics(models: &Models) -> Vec<Column> {
    let registry = &models.registry;
    let one = |name: &String, formula: &Expr| Column {
        name: name.clone(),
        kind: "double".into(),
        unit: registry.unit_of(formula).map(|unit| unit.to_string()),
        about: metrics::custom(registry, name).unwrap_or_default(),
    };
    let ratios = registry.custom.ratios.iter().map(|ratio| one(&ratio.name, &ratio.formula));
    ratios.chain(registry.custom.market.iter().map(|m| one(&m.name, &m.formula))).collect()
}

fn about_input(input: &Input) -> String {
    let name = label(&input.name);
    let mut sentences = vec![metrics::sentence(match input.about.as_str() {
        "" => &name,
        about => about,
    })];
    sentences.extend(input.formula.as_ref().map(|formula| format!("Formula: {}.", words(formula))));
    let column = |text: &str, column: &Option<String>| {
        let column = column.as_ref().filter(|column| **column != input.name)?;
        Some(format!("{text}: {column}."))
    };
    sentences.extend(column("Of a single period", &input.period));
    sentences.extend(column("Of twelve months", &input.ttm));
    sentences.join(" ")
}

fn filled_by_models(models: &Models, schema: &'static str) -> Vec<Table> {
    let column = |e: analytics::Entry| Column { name: e.name, kind: e.kind, unit: e.unit, about: e.about };
    let table = |(name, about): (String, String)| {
        let columns = analytics::describe(models, &name).into_iter().map(column).collect();
        Table {
            schema,
            name,
            about: about.trim_start_matches("grain: ").to_owned(),
            columns,
        }
    };
    analytics::tables(models, schema).into_iter().map(table).collect()
}

fn declared(schema: &'static str, table: &OpsTable) -> Table {
    Table {
        schema,
        name: table.name.to_owned(),
        about: table.about.to_owned(),
        columns: table.columns.iter().map(own).collect(),
    }
}

fn own((name, kind, about): &OpsColumn) -> Column {
    Column {
        name: (*name).into(),
        kind: kind.sql().into(),
        unit: None,
        about: (*about).into(),
    }
}

fn staging_about(dataset: &Dataset) -> String {
    let key = dataset.key.join(" x ");
    let versions = match dataset.requests {
        Requests::Statement => " x version; staging.statement_versions says when each was in force",
        _ => "",
    };
    format!("{key}{versions}. {} FMP endpoint {}", dataset.about, dataset.endpoint)
}

fn staging(models: &Models, dataset: &Dataset) -> Vec<Column> {
    let derived = |name: &str| {
        let facts = analytics::describe(models, "fact_financials").into_iter().find(|e| e.name == name);
        facts
            .map(|e| e.about)
            .or_else(|| analytics::everywhere(name).map(str::to_owned))
            .unwrap_or_default()
    };
    let typed = dataset.columns.iter().map(|c| Column {
        name: c.name.to_owned(),
        kind: c.kind.sql().to_owned(),
        unit: units::unit(models, &format!("staging.{}", dataset.name), c.name)
            .filter(|_| c.kind == Kind::Decimal)
            .map(|unit| unit.to_string()),
        about: match c.derived() {
            true => derived(c.name),
            false => format!(
                "FMP's {}{}",
                c.field,
                match c.need {
                    Need::Optional => "",
                    Need::Field => "; a row without the field is quarantined",
                    Need::Value => "; a row without it is quarantined",
                }
            ),
        },
    });
    let lineage = LINEAGE.iter().map(|(name, kind)| {
        let about = RAW
            .iter()
            .find(|(known, ..)| known == name)
            .map(|(_, _, about)| *about)
            .unwrap_or_default();
        Column {
            name: (*name).to_owned(),
            kind: kind.sql().to_owned(),
            unit: None,
            about: about.to_owned(),
        }
    });
    typed.chain(lineage).collect()
}
