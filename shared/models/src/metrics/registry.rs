//! The registry of metrics: parses the entries and checks them against each other.

mod check;
mod check_entry;
mod custom;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use findata_domain::{Error, Result};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    earlier::Earlier,
    entries::{Average, Growth, Horizon, Input, Ratio},
    expression::Expr,
    growth_rate::GrowthRate,
    industries::Industries,
    lines::is_line,
    market::{MarketMetric, Source},
    prices::PriceMetric,
    suspicions::Suspicion,
    unit::{MONEY, MONEY_PER_SHARE, RATIO, SHARES, Unit},
};

/// All metrics and their inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Registry {
    /// The inputs of formulas, except the lines of the statements.
    pub inputs: Vec<Input>,
    /// The ratios, in column order.
    pub ratios: Vec<Ratio>,
    /// The horizons of growth rates.
    pub horizons: Vec<Horizon>,
    /// The figures whose growth is measured, in column order.
    pub growth: Vec<Growth>,
    /// The market metrics with fundamentals, in column order.
    pub market: Vec<MarketMetric>,
    /// The market metrics that depend on prices only, in column order. Their columns follow those
    /// of `market`.
    pub prices: Vec<PriceMetric>,
    /// The industries of banks.
    pub industries: Industries,
    /// The suspicions, in the order of their codes in `suspect_reason`.
    pub suspicions: Vec<Suspicion>,
    /// The names of the metrics that are ranked within sectors and industries.
    pub ranks: Vec<String>,
    /// The user's metrics. None of the other lists contains them.
    pub custom: CustomMetrics,
}

/// The metrics of the user's file, which `analytics.fact_custom_metrics` has.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CustomMetrics {
    /// The ratios of periods, in the order of the file.
    pub ratios: Vec<Ratio>,
    /// The market metrics, in the order of the file.
    pub market: Vec<MarketMetric>,
}

impl CustomMetrics {
    /// Returns whether there are no metrics.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of metrics.
    pub fn len(&self) -> usize {
        self.ratios.len() + self.market.len()
    }

    /// Returns whether a metric has this name.
    pub fn has(&self, name: &str) -> bool {
        self.ratios.iter().any(|ratio| ratio.name == name) || self.market.iter().any(|m| m.name == name)
    }
}

/// A metric in the summary of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headline<'a> {
    /// Name of the metric's column.
    pub name: &'a str,
    /// Heading of the metric in the summary.
    pub heading: &'a str,
    /// Whether this is a market metric of the newest session. If not, it is a ratio of the trailing
    /// twelve months.
    pub of_session: bool,
    /// Whether the summary shows the metric in percent.
    pub percent: bool,
    /// Whether the metric is an amount of money.
    pub is_amount: bool,
}

/// An alias of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alias<'a> {
    /// The alias.
    pub alias: &'a str,
    /// The metric's column.
    pub metric: &'a str,
    /// The kind of the metric, because a ratio and a market metric may have the same name.
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

/// Converts a name to the spelling of columns: lower case, with underscores in place of spaces and
/// dashes. Names with the same result count as the same name.
pub fn spelled(name: &str) -> String {
    let words = name
        .split(|c: char| c.is_whitespace() || c == '-' || c == '_')
        .filter(|part| !part.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}

/// The text of the registry's files.
#[derive(Debug, Clone)]
pub struct Files {
    /// Content of `inputs.toml`.
    pub inputs: String,
    /// Content of `ratios.toml`.
    pub ratios: String,
    /// Content of `growth_rates.toml`.
    pub growth_rates: String,
    /// Content of `market_metrics.toml`.
    pub market_metrics: String,
    /// Content of `price_metrics.toml`.
    pub price_metrics: String,
    /// `industries.toml`
    pub industries: String,
    /// Content of `suspicions.toml`.
    pub suspicions: String,
    /// Content of `ranks.toml`.
    pub ranks: String,
}

impl Files {
    /// Returns the files that are compiled into the binary.
    pub fn built_in() -> Self {
        Files {
            inputs: include_str!("../../../../infra/models/metrics/inputs.toml").into(),
            ratios: include_str!("../../../../infra/models/metrics/ratios.toml").into(),
            growth_rates: include_str!("../../../../infra/models/metrics/growth_rates.toml").into(),
            market_metrics: include_str!("../../../../infra/models/metrics/market_metrics.toml").into(),
            price_metrics: include_str!("../../../../infra/models/metrics/price_metrics.toml").into(),
            industries: include_str!("../../../../infra/models/metrics/industries.toml").into(),
            suspicions: include_str!("../../../../infra/models/metrics/suspicions.toml").into(),
            ranks: include_str!("../../../../infra/models/metrics/ranks.toml").into(),
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suspicions {
    suspicion: Vec<Suspicion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ranks {
    metrics: Vec<String>,
}

fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| Error::Reject(format!("{file}: {}", e.to_string().trim_end())))
}

impl Registry {
    /// Returns the built-in registry.
    ///
    /// # Errors
    /// The errors of [`Registry::parse`]; a test shows that none occurs.
    pub fn built_in() -> Result<Self> {
        Registry::parse(&Files::built_in())
    }

    /// Parses and checks the files.
    ///
    /// # Errors
    /// `Reject` with the file and line of a syntax error. Without a syntax error, `Reject` with all
    /// faults of the inputs or, if the inputs are correct, with all faults of the other entries.
    pub fn parse(files: &Files) -> Result<Self> {
        let rates: GrowthRates = read("growth_rates.toml", &files.growth_rates)?;
        let registry = Registry {
            inputs: read::<Inputs>("inputs.toml", &files.inputs)?.input,
            ratios: read::<Ratios>("ratios.toml", &files.ratios)?.ratio,
            horizons: rates.horizon,
            growth: rates.growth,
            market: read::<Metrics<_>>("market_metrics.toml", &files.market_metrics)?.metric,
            prices: read::<Metrics<_>>("price_metrics.toml", &files.price_metrics)?.metric,
            industries: read("industries.toml", &files.industries)?,
            suspicions: read::<Suspicions>("suspicions.toml", &files.suspicions)?.suspicion,
            custom: CustomMetrics::default(),
            ranks: read::<Ranks>("ranks.toml", &files.ranks)?.metrics,
        };
        let faults = registry.faults();
        if faults.is_empty() {
            Ok(registry)
        } else {
            Err(Error::Reject(faults.join("\n")))
        }
    }

    /// Finds an input by name. Returns `None` for a line of a statement, which has no entry.
    pub fn input(&self, name: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// Finds a ratio by name, also one of the user's.
    pub fn ratio(&self, name: &str) -> Option<&Ratio> {
        self.ratios.iter().chain(&self.custom.ratios).find(|ratio| ratio.name == name)
    }

    /// Finds by name a market metric with fundamentals, also one of the user's.
    pub fn market_metric(&self, name: &str) -> Option<&MarketMetric> {
        self.market.iter().chain(&self.custom.market).find(|metric| metric.name == name)
    }

    /// Finds a suspicion by its code.
    pub fn suspicion(&self, code: &str) -> Option<&Suspicion> {
        self.suspicions.iter().find(|suspicion| suspicion.code == code)
    }

    /// Finds by name a market metric that depends on prices only.
    pub fn price_metric(&self, name: &str) -> Option<&PriceMetric> {
        self.prices.iter().find(|metric| metric.name == name)
    }

    /// Returns all growth rates in column order.
    pub fn growth_rates(&self) -> impl Iterator<Item = GrowthRate<'_>> {
        self.growth.iter().flat_map(move |growth| {
            let named = |name: &String| self.horizons.iter().find(|h| h.name == *name);
            growth.over.iter().filter_map(named).map(move |horizon| GrowthRate { growth, horizon })
        })
    }

    /// Finds a growth rate by the name of its column.
    pub fn growth_rate(&self, name: &str) -> Option<GrowthRate<'_>> {
        self.growth_rates().find(|rate| rate.name() == name)
    }

    /// Returns the metrics in the summary of a run: first market metrics, then ratios.
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

    /// Returns all aliases of all metrics.
    pub fn aliases(&self) -> impl Iterator<Item = Alias<'_>> {
        let ratios = self.ratios.iter().chain(&self.custom.ratios);
        let ratios = ratios.map(|m| (MetricKind::Ratio, &m.name, &m.aliases));
        let market = self.market.iter().chain(&self.custom.market);
        let market = market.map(|m| (MetricKind::Market, &m.name, &m.aliases));
        let prices = self.prices.iter().map(|m| (MetricKind::Market, &m.name, &m.aliases));
        let all = ratios.chain(market).chain(prices);
        all.flat_map(|(kind, metric, aliases)| aliases.iter().map(move |alias| Alias { alias, metric, kind }))
    }

    /// Returns at which period ends the inputs of a formula are averaged. Empty if no input is a
    /// mean.
    pub fn history(&self, formula: &Expr) -> BTreeSet<Average> {
        self.inlined(formula).inputs().iter().filter_map(|name| self.input(name)?.over).collect()
    }

    /// Returns the earlier periods from which a formula uses inputs.
    pub fn earlier(&self, formula: &Expr) -> BTreeSet<Earlier> {
        let inlined = self.inlined(formula);
        inlined
            .inputs()
            .into_iter()
            .filter_map(Earlier::split)
            .map(|(earlier, _)| earlier)
            .collect()
    }

    /// Returns the inputs whose formula uses a mean, the days of the period, or an earlier period.
    /// Only ratios can use such an input.
    pub fn ratio_inputs(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for input in &self.inputs {
            let is_such = |name: &str| {
                name == "days"
                    || Earlier::split(name).is_some()
                    || found.contains(name)
                    || self.input(name).is_some_and(|other| other.average_of.is_some())
            };
            if input.formula.iter().any(|formula| formula.inputs().into_iter().any(is_such)) {
                found.insert(input.name.as_str());
            }
        }
        found
    }

    /// Replaces each input that only ratios can use with its formula.
    pub fn inlined(&self, formula: &Expr) -> Expr {
        let only = self.ratio_inputs();
        self.replaced(formula, &|name| only.contains(name))
    }

    /// Replaces each input that has a formula with its formula.
    pub fn expanded(&self, formula: &Expr) -> Expr {
        self.replaced(formula, &|_| true)
    }

    fn replaced(&self, formula: &Expr, is_replaced: &impl Fn(&str) -> bool) -> Expr {
        formula.replace(&|part| match part {
            Expr::Input(name) if is_replaced(name) => {
                self.input(name)?.formula.as_ref().map(|inner| self.replaced(inner, is_replaced))
            }
            _ => None,
        })
    }

    /// Returns the unit of an input of a period.
    pub fn unit(&self, name: &str) -> Option<Unit> {
        let name = Earlier::name(name);
        match self.input(name) {
            Some(Input { unit: Some(unit), .. }) => Some(*unit),
            Some(Input { formula: Some(formula), .. }) => self.unit_of(formula),
            Some(Input { average_of: Some(of), .. }) => self.unit(of),
            Some(_) => None,
            None => is_line(name).then_some(MONEY),
        }
    }

    /// Returns the unit of a formula. The formula uses inputs of a period, or inputs of a session
    /// and its fundamentals.
    pub fn unit_of(&self, formula: &Expr) -> Option<Unit> {
        Unit::of(formula, &|name| match (Source::split(name), name) {
            (Some((Source::Growth, _)), _) => Some(RATIO),
            (Some((_, name)), _) => self.unit(name),
            (None, "close_price" | "dividends_per_share") => Some(MONEY_PER_SHARE),
            (None, "market_cap" | "enterprise_value" | "enterprise_value_fmp") => Some(MONEY),
            (None, "shares") => Some(SHARES),
            (None, name) => self.unit(name),
        })
    }
}
