//! Checks the names and aliases of the user's metrics.

use std::collections::BTreeMap;

use findata_domain::{
    catalog::{BALANCE_SHEET, CASH_FLOW, INCOME_STATEMENT, PRICES},
    file_faults::Fault,
};

use super::{Entries, Registry, name_faults, spelled};
use crate::metrics::{entries::Input, lines::is_line};

impl Registry {
    /// Checks the names and aliases of the metrics against each other and against the built-in names.
    pub(super) fn check_custom_names(&self, entries: &Entries, faults: &mut Vec<Fault>) {
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        let rates: Vec<String> = self.growth_rates().map(|rate| rate.name()).collect();
        let names = self.ratios.iter().map(|m| &m.name).chain(self.market.iter().map(|m| &m.name));
        for name in names.chain(self.prices.iter().map(|m| &m.name)).chain(&rates) {
            known.insert(name.clone(), format!("a built-in metric has the name {name}"));
        }
        for alias in self.aliases() {
            let taken = format!("{:?} is an alias of the built-in metric {}", alias.alias, alias.metric);
            known.insert(spelled(alias.alias), taken);
        }
        for (name, line) in entries.names() {
            faults.extend(name_faults(name).into_iter().map(|fault| (line, fault)));
            if name.ends_with("_suspect") {
                faults.push((
                    line,
                    format!("{name}: the models use such names for their own columns; choose another name"),
                ));
            }
            if self.is_figure(name) {
                faults.push((
                    line,
                    format!("{name}: statements or prices have a figure of this name; choose another name"),
                ));
            }
            if let Some(taken) = known.get(name) {
                faults.push((line, format!("{name}: {taken}; choose another name")));
            }
            known.insert(name.to_owned(), format!("the metric in line {line} has the name {name}"));
        }
        for (name, line, aliases) in entries.aliases() {
            for alias in aliases {
                let spelled = spelled(alias);
                if spelled.is_empty() {
                    faults.push((line, format!("{name}: an alias is empty")));
                } else if self.is_figure(&spelled) {
                    faults.push((
                        line,
                        format!("{name}: statements or prices have a figure {alias:?}; choose another alias"),
                    ));
                } else if let Some(taken) = known.insert(spelled, format!("{alias:?} is an alias of {name}"))
                {
                    faults.push((line, format!("{name}: the alias {alias:?} is taken, because {taken}")));
                }
            }
        }
    }

    /// Returns whether a table other than those of metrics has a figure of this name.
    fn is_figure(&self, name: &str) -> bool {
        let line = name.strip_prefix("ttm_").or_else(|| name.strip_prefix("latest_")).unwrap_or(name);
        let statements = [INCOME_STATEMENT, BALANCE_SHEET, CASH_FLOW, PRICES];
        let is_column = |line: &str| {
            statements.iter().any(|dataset| dataset.columns.iter().any(|column| column.name == line))
        };
        let columns = |input: &Input| [input.period.clone(), input.ttm.clone()];
        is_line(line)
            || is_column(line)
            || self.inputs.iter().flat_map(columns).flatten().any(|column| column == name)
    }
}

impl Entries {
    /// Returns the names of the metrics with their lines.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, u64)> {
        let ratios = self.ratios.iter().map(|ratio| (ratio.name.as_str(), ratio.line("name")));
        ratios.chain(self.market.iter().map(|metric| (metric.name.as_str(), metric.line("name"))))
    }

    /// Returns the aliases of each metric with its name and their line.
    fn aliases(&self) -> impl Iterator<Item = (&str, u64, &[String])> {
        let ratios = self.ratios.iter();
        let ratios = ratios.map(|r| (r.name.as_str(), r.line("aliases"), r.value.aliases.as_slice()));
        let market = self.market.iter();
        ratios.chain(market.map(|m| (m.name.as_str(), m.line("aliases"), m.value.aliases.as_slice())))
    }
}
