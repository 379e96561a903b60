//! What a run has to compute, and the slices of companies in which it does.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
};

use findata_domain::{Error, Result, sql::ONE_ROW};
use findata_models::{CUSTOM_METRICS, Extent, Model, PUBLISHED, PublishedTable};
use findata_pipeline::ports::warehouse::Warehouse;

/// Rows of prices that take as much memory as one statement period: the wide tables of statements,
/// TTM figures, ratios and growth rates have about 10 KB per period, those of a session 1.3 KB.
const SESSIONS_PER_PERIOD: u64 = 8;
/// Rows of the user's metrics that take as much memory as one session's row of market metrics.
const CUSTOM_ROWS_PER_SESSION: u64 = 8;

/// The size of the work. `sessions` includes the 400 days before the first day to recompute, which
/// the windows read.
const SIZES: &str = "select 'companies', count(*)::varchar from companies_to_recompute \
     union all select 'pending', count(*)::varchar from pending \
     union all select 'changed_companies', count(distinct p.symbol)::varchar from pending p \
         join companies_to_recompute s on s.symbol = p.symbol \
     union all select 'active_companies', count(distinct p.symbol)::varchar from staging.prices p \
         join run_params r on p.price_date >= r.as_of - 40 \
     union all select 'changed_models', count(*)::varchar from pending where dataset = 'models' \
     union all select 'replaced_keys', count(*)::varchar from ops.securities where replaced_key is not null \
     union all select 'sessions', count(*)::varchar from staging.prices p \
         join companies_to_recompute s on s.symbol = p.symbol and p.price_date >= s.prices_from - 400 \
     union all select 'periods', count(*)::varchar from staging.income_statement i \
         join companies_to_recompute s on s.symbol = i.symbol";

/// What a run has to compute.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// Companies to recompute.
    companies: u64,
    /// Rows to process, in rows of prices.
    rows: u64,
    has_changes: bool,
    has_changed_models: bool,
    /// Number of the user's metrics.
    custom_metrics: u64,
    /// Whether the run ranks companies within their sectors and industries.
    pub has_ranks: bool,
    /// Whether figures are published under a key that another key has replaced.
    pub has_replaced_keys: bool,
    /// The published tables that have rows.
    pub non_empty: BTreeSet<String>,
}

/// Companies that are computed together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// `company_no` of the first company.
    pub first: u64,
    /// `company_no` of the last company.
    pub last: u64,
    /// Rows to process, in rows of prices.
    pub rows: u64,
}

impl Scope {
    /// Reads it from `companies_to_recompute`, `pending` and the tables. `custom_metrics` is the number of
    /// the user's metrics.
    pub async fn read(custom_metrics: usize, warehouse: &mut impl Warehouse) -> Result<Self> {
        let custom_metrics = custom_metrics as u64;
        let non_empty = |table: &PublishedTable| {
            format!(
                "select '{}', '1' from {ONE_ROW} where exists (select 1 from {})",
                table.name,
                table.full_name()
            )
        };
        let queries = iter::once(SIZES.to_owned()).chain(PUBLISHED.iter().map(non_empty));
        let rows = warehouse.query(&queries.collect::<Vec<_>>().join(" union all ")).await?;
        let mut found: BTreeMap<String, u64> = rows
            .into_iter()
            .filter_map(|row| match row.as_slice() {
                [Some(name), Some(value)] => Some((name.clone(), value.parse().ok()?)),
                _ => None,
            })
            .collect();
        let mut size = |name: &str| {
            let missing = || Error::Stop(format!("the warehouse did not return the number of {name}"));
            found.remove(name).ok_or_else(missing)
        };
        Ok(Scope {
            companies: size("companies")?,
            rows: (size("sessions")? + size("periods")? * SESSIONS_PER_PERIOD)
                * (CUSTOM_ROWS_PER_SESSION + custom_metrics)
                / CUSTOM_ROWS_PER_SESSION,
            custom_metrics,
            has_ranks: has_ranks(size("changed_companies")?, size("active_companies")?),
            has_changes: size("pending")? > 0,
            has_replaced_keys: size("replaced_keys")? > 0,
            has_changed_models: size("changed_models")? > 0,
            non_empty: found.into_keys().collect(),
        })
    }

    /// Whether there is nothing to compute.
    pub fn is_empty(&self) -> bool {
        self.companies == 0 && !self.has_changes
    }

    /// The tables to publish. A table that does not depend on data (`dim_date`) is written once, and
    /// again when a model has changed. The table of the user's metrics is not written if there are none.
    pub fn tables(&self) -> impl Iterator<Item = &'static PublishedTable> {
        PUBLISHED.iter().filter(|table| match (table.name, table.extent) {
            (CUSTOM_METRICS, _) => self.custom_metrics > 0,
            (name, Extent::Whole) => self.has_changed_models || !self.non_empty.contains(name),
            (_, Extent::RankedDates) => self.has_ranks,
            (
                _,
                Extent::Companies | Extent::Fundamentals | Extent::Days(_) | Extent::DaysAndFundamentals(_),
            ) => true,
        })
    }

    /// Whether there are rows of metrics that the user has removed, and no other metrics.
    pub fn has_removed_metrics(&self) -> bool {
        self.custom_metrics == 0 && self.non_empty.contains(CUSTOM_METRICS)
    }

    /// Whether the model builds a table that need not be published again.
    pub fn is_published(&self, model: &Model) -> bool {
        let Some(name) = model.builds().strip_prefix("new_") else {
            return false;
        };
        self.tables().all(|table| table.name != name)
    }

    /// The slices. They have the same number of companies; without companies there is one empty
    /// slice. The companies up to the number `after` are already computed.
    pub fn slices(&self, rows_per_slice: u64, after: u64) -> impl Iterator<Item = Slice> {
        let companies = self.companies.max(1);
        let slices = self.rows.div_ceil(rows_per_slice.max(1)).max(1);
        let (size, rows) = (companies.div_ceil(slices), self.rows / slices);
        let first = iter::successors(Some(after + 1), move |first| Some(first + size));
        first.take_while(move |first| *first <= companies).map(move |first| Slice {
            first,
            last: first + size - 1,
            rows,
        })
    }
}

/// Returns whether a run ranks companies: it brings new data for at least half of the companies
/// with a bar in the last 40 days, and for five, the smallest group with ranks. A run of a few
/// symbols changes no ranks; the next run of the universe considers the figures that it published.
fn has_ranks(changed: u64, active: u64) -> bool {
    changed >= 5 && changed * 2 >= active
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(companies: u64, rows: u64, rows_per_slice: u64) -> Vec<(u64, u64)> {
        let scope = Scope { companies, rows, ..Scope::default() };
        scope.slices(rows_per_slice, 0).map(|slice| (slice.first, slice.last)).collect()
    }

    #[test]
    fn slices_cover_every_company_once() {
        assert_eq!(slices(0, 0, 100), [(1, 1)]);
        assert_eq!(slices(505, 100, 100), [(1, 505)]);
        assert_eq!(slices(7, 101, 100), [(1, 4), (5, 8)]);
        assert_eq!(slices(3, 1_000, 1), [(1, 1), (2, 2), (3, 3)]);
        assert_eq!(slices(10, 900, u64::MAX), [(1, 10)]);
        let scope = Scope { companies: 10, rows: 900, ..Scope::default() };
        let after =
            |company| scope.slices(300, company).map(|slice| (slice.first, slice.last)).collect::<Vec<_>>();
        assert_eq!(after(4), [(5, 8), (9, 12)]);
        assert_eq!((after(10), after(12)), (vec![], vec![]));
    }

    #[test]
    fn only_a_run_of_half_of_the_companies_ranks_them() {
        let cases = [(505, 505, true), (1, 505, false), (252, 505, false), (253, 505, true), (505, 0, true)];
        for (changed, active, expected) in cases {
            assert_eq!(has_ranks(changed, active), expected, "{changed} of {active}");
        }
        assert!(!has_ranks(4, 4), "no group can have five members");
    }

    #[test]
    fn the_calendar_is_published_once_and_after_a_change_of_models() {
        let calendar = |scope: &Scope| scope.tables().any(|table| table.name == "dim_date");
        let mut scope = Scope::default();
        assert!(calendar(&scope));
        scope.non_empty = PUBLISHED.iter().map(|table| table.name.to_owned()).collect();
        assert!(!calendar(&scope));
        scope.has_changed_models = true;
        assert!(calendar(&scope));
    }
}
