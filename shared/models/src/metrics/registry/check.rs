//! Checks the entries of the registry against each other and against the catalog.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Alias, Registry,
    check_entry::{Fault, name_faults},
    spelled,
};
use crate::metrics::{
    earlier::Earlier,
    entries::{Denominator, Horizon, Input},
    expression::{Expr, identifier},
    lines::{fmp_dataset, is_line},
    market::{DAY_METRICS, MarketMetric},
};

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
            faults.extend(self.ratio_faults(ratio).into_iter().map(Fault::text));
            if ratio.denominator.is_some() && ratio.formula.divisor().is_none() {
                faults.push(format!(
                    "{name}: `denominator` needs a formula whose last operation is a division"
                ));
            }
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
        faults.extend(self.market_metric_faults(metric).into_iter().map(Fault::text));
        if metric.checked().is_none() && metric.denominator.is_some() {
            faults.push(format!(
                "{name}: the formula uses no fundamentals, so remove `denominator`, or set `checked`"
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
        self.check_fmp(name, metric.fmp.as_deref(), faults);
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
                if !seen.insert(name) {
                    faults.push(format!("{name} is declared twice"));
                }
                faults.extend(name_faults(name));
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

    fn check_fmp(&self, name: &str, column: Option<&str>, faults: &mut Vec<String>) {
        if let Some(column) = column
            && fmp_dataset(column).is_none()
        {
            faults.push(format!("{name}: neither ratios_ttm nor key_metrics_ttm has a column {column}"));
        }
    }
}
