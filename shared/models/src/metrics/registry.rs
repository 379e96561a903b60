//! The registry: parsed entries, checked against each other.

use std::collections::{BTreeMap, BTreeSet};

use findata_domain::{
    Error, Result,
    catalog::{self, Dataset, Kind},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    entries::{Average, Growth, Horizon, Input, MarketMetric, PriceMetric, Ratio, Source},
    expression::{Expr, identifier},
    market::DAY_INPUTS,
    unit::{MONEY, MONEY_PER_SHARE, RATIO, SHARES, Unit},
};

/// Statement columns that no sum or newest value of `fact_financials_ttm` carries under the usual name.
const NOT_LINES: [&str; 6] = [
    "eps",
    "eps_diluted",
    "shares_outstanding",
    "shares_outstanding_diluted",
    "cash_at_beginning_of_period",
    "cash_at_end_of_period",
];

/// All metrics and their inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Registry {
    /// The inputs besides the lines of the statements.
    pub inputs: Vec<Input>,
    /// The ratios, in column order.
    pub ratios: Vec<Ratio>,
    /// The horizons of growth rates.
    pub horizons: Vec<Horizon>,
    /// The figures whose growth is measured, in column order.
    pub growth: Vec<Growth>,
    /// The market metrics with fundamentals, in column order.
    pub market: Vec<MarketMetric>,
    /// The market metrics of prices alone, in column order; they follow those with fundamentals.
    pub prices: Vec<PriceMetric>,
}

/// A growth rate: a figure over a horizon.
#[derive(Debug, Clone, Copy)]
pub struct GrowthRate<'a> {
    /// The figure.
    pub growth: &'a Growth,
    /// The horizon.
    pub horizon: &'a Horizon,
}

impl GrowthRate<'_> {
    /// Its column.
    pub fn name(&self) -> String {
        format!("{}_{}", self.growth.figure, self.horizon.name)
    }
}

/// A metric in the summary of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headline<'a> {
    /// Its column.
    pub name: &'a str,
    /// Its heading.
    pub heading: &'a str,
    /// Whether it is a market metric of the newest session; otherwise a ratio of the twelve months.
    pub of_session: bool,
    /// Whether people read it in percent.
    pub percent: bool,
    /// Whether it is an amount of money.
    pub is_amount: bool,
}

/// Another name of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alias<'a> {
    /// The other name.
    pub alias: &'a str,
    /// The metric's column.
    pub metric: &'a str,
    /// The table that has it: a ratio and a market metric may share a name.
    pub kind: MetricKind,
}

/// A kind of metric with aliases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// A ratio of a period.
    Ratio,
    /// A market metric of a session.
    Market,
}

/// The text of the registry's files.
#[derive(Debug, Clone)]
pub struct Files {
    /// `inputs.toml`
    pub inputs: String,
    /// `ratios.toml`
    pub ratios: String,
    /// `growth_rates.toml`
    pub growth_rates: String,
    /// `market_metrics.toml`
    pub market_metrics: String,
    /// `price_metrics.toml`
    pub price_metrics: String,
}

impl Files {
    /// The files compiled into the binary.
    pub fn built_in() -> Self {
        Files {
            inputs: include_str!("../../../../infra/models/metrics/inputs.toml").into(),
            ratios: include_str!("../../../../infra/models/metrics/ratios.toml").into(),
            growth_rates: include_str!("../../../../infra/models/metrics/growth_rates.toml").into(),
            market_metrics: include_str!("../../../../infra/models/metrics/market_metrics.toml").into(),
            price_metrics: include_str!("../../../../infra/models/metrics/price_metrics.toml").into(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inputs {
    input: Vec<Input>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ratios {
    ratio: Vec<Ratio>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrowthRates {
    horizon: Vec<Horizon>,
    growth: Vec<Growth>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metrics<T> {
    metric: Vec<T>,
}

fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| Error::Reject(format!("{file}: {}", e.to_string().trim_end())))
}

impl Registry {
    /// The built-in metrics.
    ///
    /// # Errors
    /// As for [`Registry::parse`]; a test shows that there is none.
    pub fn built_in() -> Result<Self> {
        Registry::parse(&Files::built_in())
    }

    /// Parses and checks the files.
    ///
    /// # Errors
    /// `Reject` with the file and line of a syntax error, or with everything that is wrong in the entries.
    pub fn parse(files: &Files) -> Result<Self> {
        let rates: GrowthRates = read("growth_rates.toml", &files.growth_rates)?;
        let registry = Registry {
            inputs: read::<Inputs>("inputs.toml", &files.inputs)?.input,
            ratios: read::<Ratios>("ratios.toml", &files.ratios)?.ratio,
            horizons: rates.horizon,
            growth: rates.growth,
            market: read::<Metrics<_>>("market_metrics.toml", &files.market_metrics)?.metric,
            prices: read::<Metrics<_>>("price_metrics.toml", &files.price_metrics)?.metric,
        };
        let faults = registry.faults();
        if faults.is_empty() {
            Ok(registry)
        } else {
            Err(Error::Reject(faults.join("\n")))
        }
    }

    /// An input by its name; `None` for a line of a statement.
    pub fn input(&self, name: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// A ratio by its name.
    pub fn ratio(&self, name: &str) -> Option<&Ratio> {
        self.ratios.iter().find(|ratio| ratio.name == name)
    }

    /// A market metric with fundamentals by its name.
    pub fn market_metric(&self, name: &str) -> Option<&MarketMetric> {
        self.market.iter().find(|metric| metric.name == name)
    }

    /// A market metric of prices alone by its name.
    pub fn price_metric(&self, name: &str) -> Option<&PriceMetric> {
        self.prices.iter().find(|metric| metric.name == name)
    }

    /// Every growth rate, in column order.
    pub fn growth_rates(&self) -> impl Iterator<Item = GrowthRate<'_>> {
        self.growth.iter().flat_map(move |growth| {
            let named = |name: &String| self.horizons.iter().find(|h| h.name == *name);
            growth.over.iter().filter_map(named).map(move |horizon| GrowthRate { growth, horizon })
        })
    }

    /// A growth rate by its column.
    pub fn growth_rate(&self, name: &str) -> Option<GrowthRate<'_>> {
        self.growth_rates().find(|rate| rate.name() == name)
    }

    /// The metrics in the summary of a run: those of a session, then ratios.
    pub fn headlines(&self) -> impl Iterator<Item = Headline<'_>> {
        let market = self.market.iter().filter_map(|m| {
            let heading = m.heading.as_deref()?;
            Some(self.headline(&m.name, heading, &m.formula, true, m.percent))
        });
        let ratios = self.ratios.iter().filter_map(|r| {
            let heading = r.heading.as_deref()?;
            Some(self.headline(&r.name, heading, &r.formula, false, r.percent))
        });
        market.chain(ratios)
    }

    fn headline<'a>(
        &self,
        name: &'a str,
        heading: &'a str,
        formula: &Expr,
        of_session: bool,
        percent: bool,
    ) -> Headline<'a> {
        Headline {
            name,
            heading,
            of_session,
            percent,
            is_amount: self.unit_of(formula) == Some(MONEY),
        }
    }

    /// Every alias of every metric.
    pub fn aliases(&self) -> impl Iterator<Item = Alias<'_>> {
        let ratios = self.ratios.iter().map(|m| (MetricKind::Ratio, &m.name, &m.aliases));
        let market = self.market.iter().map(|m| (MetricKind::Market, &m.name, &m.aliases));
        let prices = self.prices.iter().map(|m| (MetricKind::Market, &m.name, &m.aliases));
        let all = ratios.chain(market).chain(prices);
        all.flat_map(|(kind, metric, aliases)| aliases.iter().map(move |alias| Alias { alias, metric, kind }))
    }

    /// What a formula over a period needs besides the period itself.
    pub fn history(&self, formula: &Expr) -> BTreeSet<Average> {
        formula.inputs().iter().filter_map(|name| self.input(name)?.over).collect()
    }

    /// The formula with formulas in place of the inputs that have one.
    pub fn expanded(&self, formula: &Expr) -> Expr {
        formula.replace(&|part| match part {
            Expr::Input(name) => self.input(name)?.formula.as_ref().map(|inner| self.expanded(inner)),
            _ => None,
        })
    }

    /// The unit of an input of a period.
    pub fn unit(&self, name: &str) -> Option<Unit> {
        match self.input(name) {
            Some(Input { unit: Some(unit), .. }) => Some(*unit),
            Some(Input { formula: Some(formula), .. }) => self.unit_of(formula),
            Some(Input { average_of: Some(of), .. }) => self.unit(of),
            Some(_) => None,
            None => is_line(name).then_some(MONEY),
        }
    }

    /// The unit of a formula over a period, or over a session and fundamentals.
    pub fn unit_of(&self, formula: &Expr) -> Option<Unit> {
        Unit::of(formula, &|name| match (Source::split(name), name) {
            (Some((Source::Growth, _)), _) => Some(RATIO),
            (Some((_, name)), _) => self.unit(name),
            (None, "close_price" | "dividends_per_share") => Some(MONEY_PER_SHARE),
            (None, "market_cap" | "enterprise_value" | "enterprise_value_fmp") => Some(MONEY),
            (None, "shares") if !self.inputs.iter().any(|i| i.name == "shares") => Some(SHARES),
            (None, name) => self.unit(name),
        })
    }

    /// Everything that is wrong in the entries.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        self.check_names(&mut faults);
        self.check_inputs(&mut faults);
        let known = |name: &str| self.input(name).is_some() || is_line(name);
        for ratio in &self.ratios {
            let conditions = ratio.requires.iter().map(|r| r.above_zero.as_str());
            for name in ratio.formula.inputs().into_iter().chain(conditions).filter(|name| !known(name)) {
                faults.push(format!("{}: there is no input {name}", ratio.name));
            }
            self.check_unit(&ratio.name, &ratio.formula, &mut faults);
            self.check_fmp(&ratio.name, ratio.fmp.as_deref(), &mut faults);
        }
        for growth in &self.growth {
            if !known(&growth.figure) {
                faults.push(format!("growth: there is no input {}", growth.figure));
            }
            for name in growth.over.iter().filter(|name| !self.horizons.iter().any(|h| h.name == **name)) {
                faults.push(format!("growth of {}: there is no horizon {name}", growth.figure));
            }
        }
        for metric in &self.market {
            let checked = metric.checked.as_ref().map(Expr::inputs).unwrap_or_default();
            let conditions = metric.requires.iter().map(|r| r.above_zero.as_str());
            for name in metric.formula.inputs().into_iter().chain(checked).chain(conditions) {
                let exists = match Source::split(name) {
                    Some((Source::Growth, name)) => self.growth_rate(name).is_some(),
                    Some((_, name)) => known(name),
                    None => DAY_INPUTS.contains(&name),
                };
                if !exists {
                    faults.push(format!("{}: there is no input {name}", metric.name));
                }
            }
            self.check_unit(&metric.name, &metric.formula, &mut faults);
            self.check_fmp(&metric.name, metric.fmp.as_deref(), &mut faults);
        }
        faults
    }

    fn check_names(&self, faults: &mut Vec<String>) {
        let rates: Vec<String> = self.growth_rates().map(|rate| rate.name()).collect();
        let market = self.market.iter().map(|m| &m.name).chain(self.prices.iter().map(|m| &m.name));
        let tables: [Vec<&String>; 5] = [
            self.inputs.iter().map(|i| &i.name).collect(),
            self.ratios.iter().map(|r| &r.name).collect(),
            rates.iter().collect(),
            market.collect(),
            self.horizons.iter().map(|h| &h.name).collect(),
        ];
        for names in tables {
            let mut seen = BTreeSet::new();
            for name in names {
                if let Err(e) = identifier(name) {
                    faults.push(e);
                }
                if !seen.insert(name) {
                    faults.push(format!("{name} is declared twice"));
                }
            }
        }
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for Alias { alias, metric, .. } in self.aliases() {
            if let Some(other) = seen.insert(alias.to_lowercase(), metric) {
                faults.push(format!("the alias {alias:?} stands for {other} and for {metric}"));
            }
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
                    // A formula comes before its users, so there is no cycle.
                    Some(Input { formula: Some(_), .. }) => self.position(other) < self.position(name),
                    Some(Input { average_of, .. }) => average_of.is_none(),
                    None => is_line(other),
                };
                if !is_sound {
                    faults.push(format!(
                        "input {name}: {other} is not a line, nor an input declared above it, nor may it be an average"
                    ));
                }
            }
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|input| input.name == name)
    }

    fn check_unit(&self, name: &str, formula: &Expr, faults: &mut Vec<String>) {
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

/// The dataset of FMP's own figures that has this column.
pub fn fmp_dataset(column: &str) -> Option<&'static Dataset> {
    [catalog::RATIOS_TTM, catalog::KEY_METRICS_TTM]
        .into_iter()
        .find(|d| d.columns.iter().any(|c| c.name == column && c.kind == Kind::Double))
}

/// Whether a statement has a line of this name that formulas can use.
pub fn is_line(name: &str) -> bool {
    flows().chain(balances()).any(|line| line == name)
}

/// The lines of the income and cash flow statements: amounts of a period.
pub fn flows() -> impl Iterator<Item = &'static str> {
    lines(catalog::INCOME_STATEMENT).chain(lines(catalog::CASH_FLOW))
}

/// The lines of the balance sheet: amounts at the period's end.
pub fn balances() -> impl Iterator<Item = &'static str> {
    lines(catalog::BALANCE_SHEET)
}

fn lines(dataset: &'static Dataset) -> impl Iterator<Item = &'static str> {
    let amounts = dataset.columns.iter().filter(|c| c.kind == Kind::Decimal);
    amounts.map(|c| c.name).filter(|name| !NOT_LINES.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_registry_is_sound() {
        let registry = Registry::built_in().unwrap();
        assert!(registry.ratios.len() > 80 && registry.market.len() > 25 && registry.prices.len() > 15);
        assert_eq!(registry.growth_rates().count(), 28);
        let average = registry.ratio("roa_average").unwrap();
        assert_eq!(registry.history(&average.formula), BTreeSet::from([Average::Year]));
    }

    #[test]
    fn units_follow_from_formulas() {
        let registry = Registry::built_in().unwrap();
        let ratio =
            |name: &str| registry.unit_of(&registry.ratio(name).unwrap().formula).unwrap().to_string();
        let market = |name: &str| {
            registry.unit_of(&registry.market_metric(name).unwrap().formula).unwrap().to_string()
        };
        assert_eq!(ratio("gross_margin"), "ratio");
        assert_eq!(ratio("cash_conversion_cycle"), "days");
        assert_eq!(ratio("graham_number"), "money a share");
        assert_eq!(ratio("working_capital"), "money");
        assert_eq!(market("market_cap"), "money");
        assert_eq!(market("enterprise_value"), "money");
        assert_eq!(market("pb_ratio"), "ratio");
        assert_eq!(market("dividends_per_share_ttm"), "money a share");
        assert_eq!(market("shares_outstanding_used"), "shares");
    }

    #[test]
    fn a_market_formula_is_split_into_fundamentals_and_the_day() {
        let registry = Registry::built_in().unwrap();
        let split = |name: &str| {
            let metric = registry.market_metric(name).unwrap();
            let operands: Vec<String> = metric.operands().iter().map(|o| o.expr.to_string()).collect();
            (
                operands.join("; "),
                metric.day_formula().to_string(),
                metric.checked().unwrap().to_string(),
            )
        };
        let of = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(
            split("pb_ratio"),
            of(
                "latest.stockholders_equity / latest.shares",
                "close_price / pb_ratio_operand",
                "latest.stockholders_equity"
            )
        );
        assert_eq!(
            split("earnings_yield"),
            of(
                "ttm.net_income / ttm.shares",
                "earnings_yield_operand / close_price",
                "ttm.net_income / ttm.shares"
            )
        );
        assert_eq!(
            split("dividend_yield"),
            of(
                "ttm.dividends",
                "coalesce(dividends_per_share / close_price, if(dividend_yield_operand = 0, 0, dividend_yield_operand / market_cap))",
                "ttm.dividends"
            )
        );
        assert_eq!(
            split("payout_ratio"),
            of("ttm.dividends / ttm.net_income", "payout_ratio_operand", "ttm.net_income")
        );
        let ev = registry.market_metric("ev_to_ebitda").unwrap();
        assert_eq!(ev.sources(), BTreeSet::from([Source::Ttm]));
        assert_eq!(ev.currency_sources(), BTreeSet::from([Source::Ttm, Source::Latest]));
        assert!(registry.market_metric("payout_ratio").unwrap().currency_sources().is_empty());
    }

    #[test]
    fn faulty_entries_are_rejected_together() {
        let mut files = Files::built_in();
        files.ratios.push_str(
            "\n[[ratio]]\nname = \"roe\"\nabout = \"x\"\nformula = \"nothing / revenue\"\nfmp = \"no_such_column\"\n\
             [[ratio]]\nname = \"odd\"\nabout = \"x\"\nformula = \"revenue * revenue\"\naliases = [\"P/E\"]\n",
        );
        let text = Registry::parse(&files).unwrap_err().to_string();
        for part in [
            "roe is declared twice",
            "there is no input nothing",
            "no_such_column",
            "revenue * revenue give no unit",
            "\"p/e\" stands for",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        files = Files::built_in();
        files
            .market_metrics
            .push_str("\n[[metric]]\nname = \"x\"\nabout = \"x\"\nformula = \"1 +\"\n");
        let text = Registry::parse(&files).unwrap_err().to_string();
        assert!(text.contains("market_metrics.toml") && text.contains("line"), "{text}");
    }
}
