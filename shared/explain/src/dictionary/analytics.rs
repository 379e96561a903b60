//! Descriptions of the columns of `analytics`. Each comes from the comment on the column's line in
//! the table's file, or from the column's formula.

use findata_domain::catalog::{CATALOG, Requests};

use findata_models::{Model, Models, TableColumn, metrics::Registry};

use crate::{columns, filled_tables};

use crate::formulas::{
    Formula, Lineage, Origin, growth_lines, label, market_formula, market_lines, market_rule,
    null_reason_rule, ratio_lines, ratio_rule, unit, words,
};

/// A column of the dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// The unit, if it is a figure.
    pub unit: Option<String>,
    /// Description.
    pub about: String,
}

/// Columns that mean the same in every table.
const EVERYWHERE: [(&str, &str); 16] = [
    ("company_key", "key of the company: a hash of its symbol"),
    ("symbol", "ticker in FMP's spelling"),
    ("fiscal_date", "end of the period"),
    ("fiscal_date_key", "end of the period as yyyymmdd"),
    ("price_date", "session"),
    ("price_date_key", "session as yyyymmdd"),
    ("metric_date", "session"),
    ("metric_date_key", "session as yyyymmdd"),
    ("period_type", "Q1 to Q4 or FY"),
    ("basis", "period or source of the figures: Q1 to Q4, FY, TTM or MARKET"),
    ("reported_currency", "currency of the amounts"),
    (
        "known_on",
        "first day whose close may reflect the figures; after an acceptance past 16:00 New York, the next day",
    ),
    ("known_from", "when this version became known, UTC"),
    ("known_to", "when a newer version replaced it, UTC; NULL for the current version"),
    ("run_id", "run that computed the row"),
    ("computed_at", "when it was computed, UTC"),
];

/// Units that a comment can start with, for columns whose unit does not follow from a formula.
const UNITS: [&str; 1] = ["percent"];

/// Columns of the view `metric_nulls`.
const REASONS: [(&str, &str, &str); 7] = [
    ("company_key", "varchar", ""),
    ("symbol", "varchar", ""),
    ("subject_date", "date", "end of the period, or session"),
    ("subject_date_key", "bigint", "end of the period, or session, as yyyymmdd"),
    ("basis", "varchar", ""),
    ("metric", "varchar", "column that is NULL"),
    ("reason", "varchar", "why"),
];

/// The description of a column that means the same in every table.
pub fn everywhere(name: &str) -> Option<&'static str> {
    EVERYWHERE.iter().find(|(known, _)| *known == name).map(|(_, about)| *about)
}

/// The tables and views of a schema that the models fill, in build order, each with the comment at
/// the top of its file.
pub fn tables(schema: &str) -> Vec<(String, String)> {
    let one = |file: &Model| {
        let create = file.sql.lines().find(|line| line.starts_with("create "))?;
        let (_, rest) = create.split_once(&format!(" {schema}."))?;
        let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
        let comments = file.sql.lines().take_while(|line| line.starts_with("--"));
        let text = comments.map(|line| line.trim_start_matches('-').trim()).collect::<Vec<_>>().join(" ");
        Some((name.to_owned(), text))
    };
    filled_tables().iter().filter_map(one).collect()
}

/// The columns of a table or view that the models fill.
pub fn describe(table: &str) -> Vec<Entry> {
    if table == "metric_nulls" {
        let one = |(name, kind, about): &(&str, &str, &str)| Entry {
            name: (*name).into(),
            kind: (*kind).into(),
            unit: None,
            about: everywhere(name).filter(|_| about.is_empty()).unwrap_or(about).into(),
        };
        return REASONS.iter().map(one).collect();
    }
    let fact = ["_history", "_as_known"]
        .iter()
        .find_map(|suffix| table.strip_suffix(suffix))
        .unwrap_or(table);
    // Views of current data have no `known_to`.
    let is_view = filled_tables().iter().any(|t| t.file == format!("views/{table}.sql"));
    let all = columns(fact).iter().filter(|c| !(is_view && c.name == "known_to"));
    all.map(|column| entry(fact, column)).collect()
}

fn entry(fact: &str, column: &TableColumn) -> Entry {
    let comment = column.about.as_deref();
    let parts = comment.and_then(|about| about.split_once("; ")).filter(|(unit, _)| UNITS.contains(unit));
    let (own_unit, comment) = match parts {
        Some((unit, about)) => (Some(unit), Some(about)),
        None => (None, comment),
    };
    let name = column.name.as_str();
    let computed = || match column.is_figure() {
        true => unit(fact, name).map(|unit| unit.to_string()),
        false => None,
    };
    let about = comment.or_else(|| everywhere(name)).map(str::to_owned);
    Entry {
        name: column.name.clone(),
        kind: column.kind.clone(),
        unit: own_unit.map(str::to_owned).or_else(computed),
        about: about.or_else(|| metric(fact, name)).or_else(|| formula(fact, name)).unwrap_or_default(),
    }
}

/// The description of a metric of the registry, with its formula.
fn metric(fact: &str, column: &str) -> Option<String> {
    let registry: &Registry = &Models::built_in().ok()?.registry;
    let about = match fact {
        "fact_financial_ratios" => &registry.ratio(column)?.about,
        "fact_growth_rates" => &registry.growth_rate(column)?.horizon.about,
        "fact_market_metrics" => match registry.market_metric(column) {
            Some(metric) => &metric.about,
            None => return registry.price_metric(column).map(|metric| metric.about.clone()),
        },
        _ => return None,
    };
    Some(match formula(fact, column) {
        Some(formula) => format!("{about} Formula: {formula}"),
        None => about.clone(),
    })
}

/// A figure's formula in the models, in plain English.
fn formula(fact: &str, column: &str) -> Option<String> {
    match fact {
        "fact_financial_ratios" => {
            let line = ratio_lines().iter().find(|line| line.metric == column)?;
            let mut formula = with_input_formulas(&line.formula().ok()?, "period_inputs", 1);
            let rules = ratio_rule(&line.rule, &line.denominator).into_iter();
            let rules: Vec<String> =
                rules.chain(null_reason_rule(&line.null_reason).map(str::to_owned)).collect();
            if !rules.is_empty() {
                formula.push_str(&format!("; only when {}", rules.join(", and ")));
            }
            Some(formula)
        }
        "fact_growth_rates" => {
            let line = growth_lines().iter().find(|line| line.metric() == column)?;
            let before = match line.horizon.as_str() {
                "qoq" => "a quarter before".to_owned(),
                _ if line.years > 1.0 => format!("{} years before", line.years),
                _ => "a year before".to_owned(),
            };
            Some(format!("{}; before: {before}", words(&line.formula().ok()?)))
        }
        "fact_market_metrics" => {
            let mut text = with_input_formulas(&market_formula(column).ok()??, "valuation_inputs", 0);
            let line = market_lines().iter().find(|line| line.metric == column);
            if let Some(rule) = line.and_then(|line| market_rule(&line.rule, &line.tested)) {
                text.push_str(&format!("; only when {rule}"));
            }
            Some(text)
        }
        "fact_financials" => fmp_field(column).or_else(|| of_model(fact, column)),
        _ => of_model(fact, column),
    }
}

/// A formula, followed by the formulas of those inputs that are computed in `table`.
fn with_input_formulas(formula: &Formula, table: &str, branch: usize) -> String {
    let mut parts = vec![words(&formula.expr)];
    for (name, trace) in &formula.inputs {
        if matches!(&trace.origin, Origin::Stored { table: known, .. } if known == table)
            && let Ok(Some(inner)) = Lineage::get().formula_of(table, name, branch)
            && inner.expr.number().is_none()
        {
            parts.push(format!("{} = {}", label(name), words(&inner.expr)));
        }
    }
    parts.extend(formula.guards.iter().map(|guard| format!("only when {}", words(guard))));
    parts.join("; ")
}

/// The FMP field of a statement line.
fn fmp_field(column: &str) -> Option<String> {
    let statements = CATALOG.iter().filter(|d| d.requests == Requests::Statement);
    let mut fields = statements.flat_map(|d| d.columns.iter().map(move |c| (d.endpoint, c)));
    let (endpoint, found) = fields.find(|(_, c)| c.name == column && !c.field.is_empty())?;
    let own = format!("FMP's {} of {endpoint}", found.field);
    match Lineage::get().formula_of("new_fact_financials", column, 0) {
        Ok(Some(formula)) => Some(format!("{own}: {}", words(&formula.expr))),
        _ => Some(own),
    }
}

fn of_model(fact: &str, column: &str) -> Option<String> {
    let table = format!("new_{fact}");
    match Lineage::get().formula_of(&table, column, 0) {
        Ok(Some(formula)) => {
            let mut parts = vec![words(&formula.expr)];
            for (name, trace) in &formula.inputs {
                if let Origin::Computed(expr, place) = &trace.origin
                    && let Ok(inner) = Lineage::get().formula(expr, place)
                {
                    parts.push(format!("{} = {}", label(name), words(&inner.expr)));
                }
            }
            parts.extend(formula.guards.iter().map(|guard| format!("only when {}", words(guard))));
            Some(parts.join("; "))
        }
        Ok(None) => {
            let trace = Lineage::get().column(&table, column, 0)?;
            let Origin::Stored { column: carried, .. } = &trace.origin else {
                return None;
            };
            Some(format!("{} of the newest period", label(carried.trim_start_matches("split_adjusted_"))))
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_description_and_every_figure_a_unit() {
        let mut wrong = Vec::new();
        assert!(tables("analytics").len() > 12 && !tables("ops").is_empty());
        for (table, _) in tables("analytics").into_iter().chain(tables("ops")) {
            let entries = describe(&table);
            assert!(!entries.is_empty(), "{table}");
            for entry in entries {
                let figure = entry.kind == "double" || entry.kind.starts_with("decimal");
                let needs_unit = figure && table.starts_with("fact_");
                if entry.about.is_empty() || (needs_unit && entry.unit.is_none()) {
                    wrong.push(format!("{table}.{}: {entry:?}", entry.name));
                }
            }
        }
        assert!(wrong.is_empty(), "describe the column on its line in infra/models/tables: {wrong:#?}");
    }

    #[test]
    fn descriptions_come_from_the_models() {
        let about = |table: &str, column: &str| {
            let entry = describe(table).into_iter().find(|e| e.name == column).unwrap();
            (entry.unit.unwrap_or_default(), entry.about)
        };
        let pair = |unit: &str, about: &str| (unit.to_owned(), about.to_owned());
        assert_eq!(about("fact_financials", "revenue"), pair("money", "FMP's revenue of income-statement"));
        assert_eq!(
            about("fact_financial_ratios", "gross_margin"),
            pair("ratio", "gross profit ÷ revenue; only when revenue is above zero")
        );
        assert_eq!(
            about("fact_financials_ttm", "latest_inventory"),
            pair("money", "inventory of the newest period")
        );
        assert_eq!(about("fact_daily_prices", "change_percent").0, "percent");
        assert!(about("fact_market_metrics", "enterprise_value").1.contains("net claims = total debt + "));
    }
}
