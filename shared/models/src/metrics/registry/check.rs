//! Checks the entries of the registry against each other and against the catalog.

use std::collections::{BTreeMap, BTreeSet};

use sqlparser::keywords::ALL_KEYWORDS;

use super::{Alias, Registry, spelled};
use crate::metrics::{
    earlier::{Earlier, YEAR_HORIZON},
    entries::{Denominator, Horizon, Input},
    expression::{Expr, identifier},
    lines::{fmp_dataset, is_balance, is_line},
    market::{DAY_INPUTS, DAY_METRICS, MarketMetric, Source},
    unit::SHARES,
};

/// Maximum length of a formula's SQL in characters. Some functions repeat their arguments in SQL,
/// so nested calls multiply the text.
const MAX_SQL: usize = 20_000;

/// Names of other columns in the tables and models of metrics, which no metric may have.
const RESERVED: [&str; 28] = [
    "basis",
    "cadence",
    "close_price",
    "company_key",
    "computed_at",
    "fiscal_date",
    "fiscal_date_key",
    "fundamentals_as_of",
    "fundamentals_known_on",
    "is_lender",
    "is_suspect",
    "known_from",
    "known_to",
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
    "sector_reason",
    "shares_source",
    "suspect_reason",
    "symbol",
    "vintage_id",
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

impl Registry {
    /// Returns all faults of the entries.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        self.check_inputs(&mut faults);
        faults.extend(self.industries.faults());
        // The other checks follow the formulas of inputs, so they run only if all inputs are
        // correct.
        if faults.is_empty() {
            self.check_names(&mut faults);
            self.check_aliases(&mut faults);
            self.check_reasons(&mut faults);
            self.check_ratios(&mut faults);
            self.check_growth(&mut faults);
            self.check_ranks(&mut faults);
            self.market.iter().for_each(|metric| self.check_market_metric(metric, &mut faults));
            let computed = DAY_METRICS.iter().filter(|name| self.market_metric(name).is_none());
            faults.extend(
                computed
                    .map(|name| format!("the market metric {name} is missing; others use it as an input")),
            );
        }
        faults
    }

    fn check_ratios(&self, faults: &mut Vec<String>) {
        for ratio in &self.ratios {
            let name = &ratio.name;
            let conditions = ratio.requires.iter().map(|r| r.above_zero.as_str());
            for input in ratio.formula.inputs().into_iter().chain(conditions) {
                if !self.has_of_period(input) {
                    faults.push(format!("{name}: there is no input {input}"));
                }
            }
            if ratio.bases.as_ref().is_some_and(Vec::is_empty) {
                faults.push(format!("{name}: `bases` is empty"));
            }
            if ratio.denominator.is_some() && ratio.formula.divisor().is_none() {
                faults.push(format!(
                    "{name}: `denominator` needs a formula whose last operation is a division"
                ));
            }
            self.check_formula(name, &ratio.formula, faults);
            self.check_fmp(name, ratio.fmp.as_deref(), faults);
        }
    }

    fn check_growth(&self, faults: &mut Vec<String>) {
        for growth in &self.growth {
            let figure = &growth.figure;
            if self.input(figure).is_none() && !is_line(figure) {
                faults.push(format!("growth: there is no input {figure}"));
            }
            if self.ratio_inputs().contains(figure.as_str()) {
                faults.push(format!("growth: only ratios can use the input {figure}"));
            }
            for name in growth.over.iter().filter(|name| !self.horizons.iter().any(|h| h.name == **name)) {
                faults.push(format!("growth of {figure}: there is no horizon {name}"));
            }
        }
        let mut seen = BTreeSet::new();
        for growth in self.growth.iter().filter(|growth| !seen.insert(&growth.figure)) {
            faults.push(format!("growth of {} is declared twice", growth.figure));
        }
        for (n, horizon) in self.horizons.iter().enumerate() {
            let days = horizon.days;
            if !(days.from..=days.to).contains(&days.target) {
                faults.push(format!("horizon {}: `target` is not within the range of `days`", horizon.name));
            }
            let overlaps = |other: &&Horizon| other.days.from <= days.to && days.from <= other.days.to;
            if let Some(other) = self.horizons[..n].iter().find(overlaps) {
                faults.push(format!("the days of the horizons {} and {} overlap", other.name, horizon.name));
            }
        }
    }

    fn check_market_metric(&self, metric: &MarketMetric, faults: &mut Vec<String>) {
        let name = &metric.name;
        let fundamentals = metric.checked.iter().flat_map(Expr::inputs);
        let fundamentals = fundamentals.chain(metric.requires.iter().map(|r| r.above_zero.as_str()));
        for input in fundamentals.filter(|input| Source::split(input).is_none()) {
            faults.push(format!("{name}: {input} is not an input of fundamentals, such as ttm.revenue"));
        }
        let inputs = metric.formula.inputs().into_iter().chain(metric.checked.iter().flat_map(Expr::inputs));
        for input in inputs.chain(metric.requires.iter().map(|r| r.above_zero.as_str())) {
            let is_sound = match Source::split(input) {
                Some((Source::Growth, rate)) => self.growth_rate(rate).is_some(),
                Some((source, input)) => self.has(source, input),
                None => DAY_INPUTS.contains(&input) && !self.is_circular(name, input),
            };
            if !is_sound {
                faults.push(format!("{name}: there is no input {input} that this metric can use"));
            }
        }
        if metric.checked().is_none()
            && (!metric.banks || !metric.requires.is_empty() || metric.denominator.is_some())
        {
            faults.push(format!(
                "{name}: the formula uses no fundamentals, so remove `banks`, `requires` and `denominator`, or set `checked`"
            ));
        }
        let has_figure = metric.checked.is_some() || metric.formula.divisor().is_some();
        if metric.denominator.is_some_and(|rule| rule != Denominator::Any) && !has_figure {
            faults.push(format!(
                "{name}: `denominator` needs `checked`, or a formula that ends with a division"
            ));
        }
        if metric.fmp.is_some() && self.ratio(name).is_some_and(|ratio| ratio.fmp.is_some()) {
            faults.push(format!("{name}: the ratio of the same name already declares `fmp`"));
        }
        self.check_formula(name, &metric.formula, faults);
        self.check_fmp(name, metric.fmp.as_deref(), faults);
    }

    /// Returns whether a ratio can use an input. An input of an earlier period must have a column in
    /// the model `period_inputs`.
    fn has_of_period(&self, input: &str) -> bool {
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

    fn check_names(&self, faults: &mut Vec<String>) {
        let rates: Vec<String> = self.growth_rates().map(|rate| rate.name()).collect();
        let ratios = self.ratios.iter().map(|r| &r.name).chain(&rates);
        let market = self.market.iter().map(|m| &m.name).chain(self.prices.iter().map(|m| &m.name));
        let tables: [Vec<&String>; 4] = [
            self.inputs.iter().map(|i| &i.name).collect(),
            ratios.collect(),
            market.collect(),
            self.horizons.iter().map(|h| &h.name).collect(),
        ];
        for names in tables {
            let mut seen = BTreeSet::new();
            for name in names {
                faults.extend(identifier(name).err());
                if !seen.insert(name) {
                    faults.push(format!("{name} is declared twice"));
                }
                if RESERVED.contains(&name.as_str()) || fmp_dataset(name).is_some() {
                    faults.push(format!("{name}: a column of this name exists already; choose another name"));
                }
                let derived = |(begin, end): &(&str, &str)| name.starts_with(begin) && name.ends_with(end);
                if DERIVED.iter().any(derived) {
                    faults.push(format!(
                        "{name}: the models use such names for their own columns; choose another name"
                    ));
                }
                if is_keyword(name) && name != "days" {
                    faults.push(format!("{name} is a word of SQL; choose another name"));
                }
            }
        }
    }

    fn check_aliases(&self, faults: &mut Vec<String>) {
        let ratios = self.ratios.iter().map(|m| &m.name);
        let market = self.market.iter().map(|m| &m.name).chain(self.prices.iter().map(|m| &m.name));
        let names = ratios.chain(market).map(|name| (name.clone(), name.as_str()));
        let mut seen: BTreeMap<String, &str> = names.collect();
        for Alias { alias, metric, .. } in self.aliases() {
            if let Some(other) = seen.insert(spelled(alias), metric) {
                faults.push(format!("the alias {alias:?} stands for {other} and for {metric}"));
            }
        }
    }

    /// Checks that reasons for NULL are names, because they are copied into SQL unchanged.
    fn check_reasons(&self, faults: &mut Vec<String>) {
        let ratios = self.ratios.iter().map(|r| (&r.name, &r.requires));
        let market = self.market.iter().map(|m| (&m.name, &m.requires));
        for (name, requires) in ratios.chain(market) {
            let wrong = requires.iter().filter_map(|r| identifier(&r.reason).err());
            faults.extend(wrong.map(|fault| format!("{name}: {fault}")));
        }
        for ratio in &self.ratios {
            let wrong = ratio.missing.as_deref().and_then(|reason| identifier(reason).err());
            faults.extend(wrong.map(|fault| format!("{}: {fault}", ratio.name)));
        }
    }

    fn check_inputs(&self, faults: &mut Vec<String>) {
        for input in &self.inputs {
            let name = &input.name;
            let complete = matches!(
                (&input.formula, &input.average_of, &input.over, &input.period, &input.ttm, &input.unit),
                (Some(_), None, None, None, None, None)
                    | (None, Some(_), Some(_), None, Some(_), None)
                    | (None, None, None, Some(_), Some(_), Some(_))
            );
            if !complete {
                faults.push(format!(
                    "input {name}: declare a formula; or average_of, over and ttm; or period, ttm and unit"
                ));
            }
            if is_line(name) {
                faults.push(format!("input {name}: a statement has a line of this name"));
            }
            for column in [&input.period, &input.ttm].into_iter().flatten() {
                if let Err(e) = identifier(column) {
                    faults.push(format!("input {name}: {e}"));
                }
            }
            let of = input.average_of.as_deref();
            let used = input.formula.as_ref().map(Expr::inputs).unwrap_or_default();
            for other in used.into_iter().chain(of) {
                let is_sound = match self.input(other) {
                    // A formula may use only inputs declared above it, so there are no cycles.
                    Some(Input { formula: Some(_), .. }) => self.position(other) < self.position(name),
                    Some(Input { average_of, .. }) => {
                        of.is_none() || (average_of.is_none() && other != "days")
                    }
                    None => {
                        is_line(other) || Earlier::split(other).is_some_and(|_| self.has_of_period(other))
                    }
                };
                if !is_sound || of.is_some_and(|of| self.ratio_inputs().contains(of)) {
                    faults.push(format!(
                        "input {name}: {other} is neither a line of a statement nor an input declared above it \
                         that can be used here"
                    ));
                }
            }
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|input| input.name == name)
    }

    fn check_formula(&self, name: &str, formula: &Expr, faults: &mut Vec<String>) {
        if self.expanded(formula).sql(&|input| input.replace('.', "_")).len() > MAX_SQL {
            faults.push(format!("{name}: the formula is too long as SQL ({MAX_SQL} characters at most)"));
        }
        match self.unit_of(formula) {
            Some(unit) if unit.to_string() != "mixed" => {}
            _ => faults.push(format!("{name}: the inputs of {formula} give no unit: check the formula")),
        }
    }

    fn check_fmp(&self, name: &str, column: Option<&str>, faults: &mut Vec<String>) {
        if let Some(column) = column
            && fmp_dataset(column).is_none()
        {
            faults.push(format!("{name}: neither ratios_ttm nor key_metrics_ttm has a column {column}"));
        }
    }
}

/// Returns whether the word is an SQL keyword.
fn is_keyword(name: &str) -> bool {
    ALL_KEYWORDS.binary_search(&name.to_uppercase().as_str()).is_ok()
}
