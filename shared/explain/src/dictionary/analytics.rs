//! Describes the columns of the tables in `analytics`. A description is taken from the comment on
//! the column's line in the table's file, from the metric's entry in the registry, or from the
//! column's formula.

use findata_models::{Model, Models, TableColumn};

use super::metrics::declared;
use crate::units;

/// A column in the dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name of the column.
    pub name: String,
    /// SQL type of the column.
    pub kind: String,
    /// Unit, for a column with figures.
    pub unit: Option<String>,
    /// Description of the column.
    pub about: String,
}

/// Columns that have the same meaning in every table, with their descriptions.
const EVERYWHERE: [(&str, &str); 17] = [
    ("flags", "codes of what is doubtful in the row, as |code|code|; NULL if nothing is"),
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

/// Units that a column's comment can begin with, for columns whose unit cannot be derived from a
/// formula.
const UNITS: [&str; 5] = ["percent", "ratio", "money a share", "shares", "unit of the metric"];

/// Columns of the view `metric_nulls`: name, type and description.
const REASONS: [(&str, &str, &str); 7] = [
    ("company_key", "varchar", ""),
    ("symbol", "varchar", ""),
    ("subject_date", "date", "end of the period, or session"),
    ("subject_date_key", "bigint", "end of the period, or session, as yyyymmdd"),
    ("basis", "varchar", ""),
    ("metric", "varchar", "column that is NULL"),
    ("reason", "varchar", "why"),
];

/// Returns the description of a column that has the same meaning in every table.
pub fn everywhere(name: &str) -> Option<&'static str> {
    EVERYWHERE.iter().find(|(known, _)| *known == name).map(|(_, about)| *about)
}

/// Returns the tables and views of a schema that the models fill, in build order. Each has the
/// comment at the top of its file as description.
pub fn tables(models: &Models, schema: &str) -> Vec<(String, String)> {
    let one = |file: &Model| {
        let name = file.creates(schema)?;
        let comments = file.sql.lines().take_while(|line| line.starts_with("--"));
        let text = comments.map(|line| line.trim_start_matches('-').trim()).collect::<Vec<_>>().join(" ");
        Some((name.to_owned(), text))
    };
    models.tables.iter().filter_map(one).collect()
}

/// Returns the columns of a table or view that the models fill.
pub fn describe(models: &Models, table: &str) -> Vec<Entry> {
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
    // Views of current data do not have the column `known_to`.
    let is_view = models.tables.iter().any(|t| t.file == format!("views/{table}.sql"));
    let all = models.columns(fact).iter().filter(|c| !(is_view && c.name == "known_to"));
    all.map(|column| match column.kind.is_empty() {
        true => of_a_table(models, column),
        false => entry(models, fact, column),
    })
    .collect()
}

/// The tables from which views take columns. A name that two of them have means the same in both.
const SOURCES: [&str; 6] = [
    "dim_company",
    "fact_market_metrics",
    "fact_financials_ttm",
    "fact_financial_ratios",
    "fact_growth_rates",
    "fact_sector_ranks",
];

/// Returns the entry of a column that a view takes from a table.
fn of_a_table(models: &Models, column: &TableColumn) -> Entry {
    for table in SOURCES {
        if let Some(found) = models.columns(table).iter().find(|c| c.name == column.name) {
            return entry(models, table, found);
        }
    }
    Entry {
        name: column.name.clone(),
        kind: String::new(),
        unit: None,
        about: String::new(),
    }
}

fn entry(models: &Models, fact: &str, column: &TableColumn) -> Entry {
    let comment = column.about.as_deref();
    let parts = comment.and_then(|about| about.split_once("; ")).filter(|(unit, _)| UNITS.contains(unit));
    let (own_unit, comment) = match parts {
        Some((unit, about)) => (Some(unit), Some(about)),
        None => (None, comment),
    };
    let name = column.name.as_str();
    let derived = || match column.is_figure() {
        true => units::unit(models, fact, name).map(|unit| unit.to_string()),
        false => None,
    };
    let about = comment.or_else(|| everywhere(name)).map(str::to_owned);
    Entry {
        name: column.name.clone(),
        kind: column.kind.clone(),
        unit: own_unit.map(str::to_owned).or_else(derived),
        about: about.or_else(|| declared(&models.registry, fact, name)).unwrap_or_default()
            + &suspicions(models, fact, name),
    }
}

/// Returns what follows the description of a column that has the codes of suspicions: the codes or,
/// for the names of checks, their meanings too.
fn suspicions(models: &Models, fact: &str, column: &str) -> String {
    let all = models.registry.suspicions.iter();
    match (fact, column) {
        (_, "suspect_reason") => {
            format!("; {}", all.map(|s| s.code.as_str()).collect::<Vec<_>>().join(", "))
        }
        ("quality", "check_name") => {
            let meanings: Vec<String> = all.map(|s| format!("{}: {}", s.code, s.about)).collect();
            format!(". {}", meanings.join(" "))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use findata_models::CUSTOM_METRICS;

    use super::*;

    #[test]
    fn every_column_has_a_description_and_every_figure_a_unit() {
        let models = Models::built_in().unwrap();
        let mut wrong = Vec::new();
        assert!(tables(models, "analytics").len() > 12 && !tables(models, "ops").is_empty());
        for (table, _) in tables(models, "analytics").into_iter().chain(tables(models, "ops")) {
            let entries = describe(models, &table);
            assert!(!entries.is_empty(), "{table}");
            for entry in entries {
                let figure = entry.kind == "double" || entry.kind.starts_with("decimal");
                // The unit of one of the user's metrics follows from its own formula.
                let needs_unit = figure && table.starts_with("fact_") && table != CUSTOM_METRICS;
                if entry.about.is_empty() || (needs_unit && entry.unit.is_none()) {
                    wrong.push(format!("{table}.{}: {entry:?}", entry.name));
                }
            }
        }
        assert!(
            wrong.is_empty(),
            "describe the column in its metric's entry, or on its line in infra/models/tables: {wrong:#?}"
        );
    }

    #[test]
    fn descriptions_come_from_the_declarations() {
        let models = Models::built_in().unwrap();
        let about = |table: &str, column: &str| {
            let entry = describe(models, table).into_iter().find(|e| e.name == column).unwrap();
            (entry.unit.unwrap_or_default(), entry.about)
        };
        let pair = |unit: &str, about: &str| (unit.to_owned(), about.to_owned());
        assert_eq!(about("fact_financials", "revenue"), pair("money", "FMP's revenue of income-statement"));
        assert_eq!(
            about("fact_financial_ratios", "gross_margin"),
            pair(
                "ratio",
                "Share of revenue left after the direct cost of what was sold. Formula: gross profit ÷ revenue; only \
                 when revenue is above zero, and the company is not a bank or insurer. FMP's own: \
                 ratios_ttm.gross_profit_margin_ttm. Aliases: gross profit margin."
            )
        );
        assert_eq!(
            about("fact_financials_ttm", "latest_inventory"),
            pair("money", "inventory of the newest period")
        );
        assert_eq!(
            about("fact_market_metrics", "return_21d").1,
            "Change of the close over 21 sessions, about a month. Formula: close price ÷ close 21 sessions before − 1; \
             only when 22 sessions are available. Aliases: monthly return."
        );
        assert_eq!(
            about("fact_growth_rates", "revenue_cagr_3y").1,
            "Annual rate over three years. Formula: (revenue ÷ revenue before) ^ (1 ÷ 3) − 1; only when revenue is above \
             zero at both ends."
        );
        assert_eq!(about("fact_daily_prices", "change_percent").0, "percent");
        assert!(about("fact_financials", "ebitda").1.contains("operating income + "));
    }
}
