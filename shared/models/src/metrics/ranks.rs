//! The metrics that are ranked within sectors and industries, declared in `ranks.toml`.

use std::collections::BTreeSet;

use super::Registry;

/// The kind of a ranked metric, which determines the table with its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RankedKind {
    /// A market metric with fundamentals.
    Market,
    /// A market metric that depends on prices only.
    Price,
    /// A ratio of the trailing twelve months.
    Ratio,
    /// A growth rate of the trailing twelve months.
    Growth,
}

impl Registry {
    /// Returns the kinds of metric with this name. In a registry without faults, a ranked metric has
    /// one kind.
    fn kinds(&self, name: &str) -> impl Iterator<Item = RankedKind> {
        let found = [
            (RankedKind::Market, self.market_metric(name).is_some()),
            (RankedKind::Price, self.price_metric(name).is_some()),
            (RankedKind::Ratio, self.ratio(name).is_some()),
            (RankedKind::Growth, self.growth_rate(name).is_some()),
        ];
        found.into_iter().filter(|(_, exists)| *exists).map(|(kind, _)| kind)
    }

    /// Returns the ranked metrics in the order of the file.
    pub fn ranked(&self) -> impl Iterator<Item = (&str, RankedKind)> {
        self.ranks.iter().filter_map(|name| Some((name.as_str(), self.kinds(name).next()?)))
    }

    /// Adds what is wrong in the list of ranked metrics.
    pub(super) fn check_ranks(&self, faults: &mut Vec<String>) {
        let mut seen = BTreeSet::new();
        for name in &self.ranks {
            match self.kinds(name).count() {
                0 => faults.push(format!("ranks: there is no metric {name}")),
                1 => {}
                _ => faults.push(format!("ranks: {name} is the name of more than one metric")),
            }
            if !seen.insert(name) {
                faults.push(format!("ranks: {name} is listed twice"));
            }
        }
        if self.ranks.is_empty() {
            faults.push("ranks: the list of metrics is empty".into());
        }
    }
}
