//! Checks one entry: its name and its formula.

use sqlparser::keywords::ALL_KEYWORDS;

use super::Registry;
use crate::metrics::{
    earlier::{Earlier, YEAR_HORIZON},
    entries::{Input, Ratio},
    expression::{Expr, identifier},
    lines::{fmp_dataset, is_balance, is_line},
    market::{DAY_INPUTS, MarketMetric, Source},
    unit::SHARES,
};

/// Maximum length of a formula's SQL in characters. Some functions repeat their arguments in SQL,
/// so nested calls multiply the text.
const MAX_SQL: usize = 20_000;

/// Names of other columns in the tables and models of metrics, which no metric may have, and names whose
/// derived columns, such as `sector_reason`, the models have.
const RESERVED: [&str; 40] = [
    "basis",
    "cadence",
    "close_price",
    "company_key",
    "computed_at",
    "first_known_from",
    "fiscal_date",
    "fiscal_date_key",
    "fundamentals_as_of",
    "fundamentals_known_on",
    "fy_count",
    "fy_currency",
    "is_lender",
    "is_suspect",
    "known_from",
    "known_to",
    "latest_count",
    "latest_currency",
    "metric_date",
    "metric_date_key",
    "null_reason",
    "null_reasons",
    "period_id",
    "price_date",
    "profile_reconstructed",
    "range_id",
    "reported_currency",
    "run_id",
    "sector",
    "sector_reason",
    "shares_source",
    "suspect",
    "suspect_reason",
    "symbol",
    "ttm",
    "ttm_count",
    "ttm_currency",
    "two_years_ago",
    "vintage_id",
    "year_ago",
];

/// Prefixes and suffixes with which the models derive column names from the names of metrics and
/// inputs.
const DERIVED: [(&str, &str); 6] = [
    ("prior_", ""),
    ("growth_", ""),
    ("year_ago_", ""),
    ("two_years_ago_", ""),
    ("", "_operand"),
    ("", "_reason"),
];

/// A fault of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The field to blame.
    pub field: &'static str,
    message: String,
}

impl Fault {
    pub fn new(field: &'static str, message: String) -> Self {
        Fault { field, message }
    }

    /// Returns the message.
    pub fn text(self) -> String {
        self.message
    }
}

/// Returns the faults of a name that becomes a column.
pub(super) fn name_faults(name: &str) -> Vec<String> {
    let mut faults: Vec<String> = identifier(name).err().into_iter().collect();
    if RESERVED.contains(&name) || fmp_dataset(name).is_some() {
        faults.push(format!("{name}: a column of this name exists already; choose another name"));
    }
    let derived = |(begin, end): &(&str, &str)| name.starts_with(begin) && name.ends_with(end);
    if DERIVED.iter().any(derived) {
        faults.push(format!("{name}: the models use such names for their own columns; choose another name"));
    }
    if is_keyword(name) && name != "days" {
        faults.push(format!("{name} is a word of SQL; choose another name"));
    }
    faults
}

/// Returns whether the word is an SQL keyword.
fn is_keyword(name: &str) -> bool {
    ALL_KEYWORDS.binary_search(&name.to_uppercase().as_str()).is_ok()
}

impl Registry {
    /// Returns the faults of a ratio's inputs, bases and formula.
    pub(super) fn ratio_faults(&self, ratio: &Ratio) -> Vec<Fault> {
        let name = &ratio.name;
        let mut faults = Vec::new();
        let formula = ratio.formula.inputs().into_iter().map(|input| ("formula", input));
        let conditions = ratio.requires.iter().map(|r| ("requires", r.above_zero.as_str()));
        for (field, input) in formula.chain(conditions) {
            if !self.has_of_period(input) {
                faults.push(Fault::new(field, format!("{name}: there is no input {input}")));
            }
        }
        if ratio.bases.as_ref().is_some_and(Vec::is_empty) {
            faults.push(Fault::new("bases", format!("{name}: `bases` is empty")));
        }
        if faults.is_empty() {
            self.check_formula(name, &ratio.formula, &mut faults);
        }
        faults
    }

    /// Returns the faults of a market metric's inputs and formula.
    pub(super) fn market_metric_faults(&self, metric: &MarketMetric) -> Vec<Fault> {
        let name = &metric.name;
        let mut faults = Vec::new();
        let checked = metric.checked.iter().flat_map(Expr::inputs).map(|input| ("checked", input));
        let conditions = metric.requires.iter().map(|r| ("requires", r.above_zero.as_str()));
        let fundamentals: Vec<_> = checked.chain(conditions).collect();
        for (field, input) in fundamentals.iter().filter(|(_, input)| Source::split(input).is_none()) {
            let message = format!("{name}: {input} is not an input of fundamentals, such as ttm.revenue");
            faults.push(Fault::new(field, message));
        }
        let formula = metric.formula.inputs().into_iter().map(|input| ("formula", input));
        for (field, input) in formula.chain(fundamentals) {
            let is_sound = match Source::split(input) {
                Some((Source::Growth, rate)) => self.growth_rate(rate).is_some(),
                Some((source, input)) => self.has(source, input),
                None => DAY_INPUTS.contains(&input) && !self.is_circular(name, input),
            };
            if !is_sound {
                let message = format!("{name}: there is no input {input} that this metric can use");
                faults.push(Fault::new(field, message));
            }
        }
        if metric.checked().is_none() && (!metric.banks || !metric.requires.is_empty()) {
            faults.push(Fault::new(
                "formula",
                format!(
                    "{name}: the formula uses no fundamentals, so remove `banks` and `requires`, or set `checked`"
                ),
            ));
        }
        if faults.is_empty() {
            self.check_formula(name, &metric.formula, &mut faults);
        }
        faults
    }

    /// Checks the length and the unit of a formula.
    pub(super) fn check_formula(&self, name: &str, formula: &Expr, faults: &mut Vec<Fault>) {
        if self.expanded(formula).sql(&|input| input.replace('.', "_")).len() > MAX_SQL {
            let message = format!("{name}: the formula is too long as SQL ({MAX_SQL} characters at most)");
            faults.push(Fault::new("formula", message));
        }
        match self.unit_of(formula) {
            Some(unit) if unit.to_string() != "mixed" => {}
            _ => faults.push(Fault::new(
                "formula",
                format!("{name}: the inputs of {formula} give no unit: check the formula"),
            )),
        }
    }

    /// Returns whether a ratio can use an input. An input of an earlier period must have a column in
    /// the model `period_inputs`.
    pub(super) fn has_of_period(&self, input: &str) -> bool {
        match Earlier::split(input) {
            Some((_, inner)) => {
                let has_column = inner != "days" && !self.ratio_inputs().contains(inner);
                has_column
                    && self.has_of_period(inner)
                    && self.horizons.iter().any(|h| h.name == YEAR_HORIZON)
            }
            None => self.input(input).is_some() || is_line(input),
        }
    }

    /// Returns whether a market metric can use an input from this source. Averages and `days` are
    /// only for ratios. The newest statement has only balances and share counts.
    fn has(&self, source: Source, input: &str) -> bool {
        let known = match self.input(input) {
            Some(Input { average_of, formula, .. }) => {
                average_of.is_none()
                    && input != "days"
                    && formula.iter().all(|f| f.inputs().into_iter().all(|inner| self.has(source, inner)))
            }
            None => is_line(input),
        };
        known && (source != Source::Latest || self.is_balance(input))
    }

    fn is_balance(&self, input: &str) -> bool {
        match self.input(input) {
            Some(Input { formula: Some(formula), .. }) => {
                formula.inputs().into_iter().all(|inner| self.is_balance(inner))
            }
            Some(Input { unit, .. }) => *unit == Some(SHARES),
            None => is_balance(input),
        }
    }

    /// Returns whether the metric cannot use this input of the session, because the input is
    /// computed from the metric or after it.
    fn is_circular(&self, metric: &str, input: &str) -> bool {
        match metric {
            "market_cap" => matches!(input, "market_cap" | "enterprise_value" | "enterprise_value_fmp"),
            "enterprise_value" | "enterprise_value_fmp" => {
                matches!(input, "enterprise_value" | "enterprise_value_fmp")
            }
            _ => false,
        }
    }
}
