//! Checks the entries of the registry against each other and against the catalog.

use std::collections::{BTreeMap, BTreeSet};

use super::{Alias, Registry};
use crate::metrics::{
    entries::Input,
    expression::{Expr, identifier},
    lines::{fmp_dataset, is_line},
    market::{DAY_INPUTS, Source},
};

impl Registry {
    /// Everything that is wrong in the entries.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        self.check_names(&mut faults);
        self.check_inputs(&mut faults);
        self.check_reasons(&mut faults);
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

    /// Reasons are written into SQL as they are, so they must be names.
    fn check_reasons(&self, faults: &mut Vec<String>) {
        let ratios = self.ratios.iter().map(|r| (&r.name, &r.requires));
        let market = self.market.iter().map(|m| (&m.name, &m.requires));
        for (name, requires) in ratios.chain(market) {
            let wrong = requires.iter().filter_map(|r| identifier(&r.reason).err());
            faults.extend(wrong.map(|fault| format!("{name}: {fault}")));
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
