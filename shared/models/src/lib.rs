//! The SQL of `infra/models`, compiled into the binary, and the definitions of all tables.
//!
//! - [`metrics`]: the registry of ratios, growth rates and market metrics.
//! - [`Models`]: the statements that build temporary tables and those that create the tables and
//!   views of `analytics`, rendered with a registry.
//! - [`PUBLISHED`]: how a run updates the tables of `analytics`.
//! - [`tables`] and [`ops`]: the tables of `raw`, `staging` and `ops`.
//! - [`hashes`]: detects figures that were computed with other versions of the SQL files.
//! - [`schema`]: the version of the tables, and what an older warehouse lacks.

mod columns;
pub mod comments;
pub mod hashes;
pub mod metrics;
mod model;
pub mod ops;
mod published;
mod render;
pub mod schema;
pub mod tables;
pub mod toml_file;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use findata_domain::{Error, Result};

pub use columns::TableColumn;
use columns::{columns_of, conversions};
use metrics::{CustomMetrics, Registry};
pub use model::Model;
pub use published::{CUSTOM_METRICS, Extent, PUBLISHED, PublishedTable, Versions};
use render::Renderer;

/// The models and tables, rendered with a registry of metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct Models {
    /// The registry of metrics.
    pub registry: Registry,
    /// Every model, in execution order.
    pub models: Vec<Model>,
    /// The statements that create the tables and views of `analytics`, and `ops.quality`.
    pub tables: Vec<Model>,
    /// The temporary tables of the models that run once per slice of companies.
    sliced: BTreeSet<String>,
    /// The temporary tables of the models that run once, after the last slice.
    cross_section: BTreeSet<String>,
    /// The columns of each table, by the table's name without schema.
    columns: BTreeMap<String, Vec<TableColumn>>,
}

impl Models {
    /// Returns the models of the built-in registry, rendered once per process.
    ///
    /// # Errors
    /// The errors of [`Models::of`]; tests show that none occurs.
    pub fn built_in() -> Result<&'static Models> {
        static BUILT_IN: OnceLock<Result<Models>> = OnceLock::new();
        BUILT_IN.get_or_init(|| Models::of(Registry::built_in()?)).as_ref().map_err(Clone::clone)
    }

    /// Renders the models with a registry.
    ///
    /// # Errors
    /// `Reject` if an input names a column that does not exist; `Stop` if a template uses a value that
    /// does not exist.
    pub fn of(registry: Registry) -> Result<Models> {
        let mut renderer = Renderer::new(&registry, &[MODELS, CUSTOM_MODELS, TABLES].concat())?;
        let tables = rendered(TABLES, &renderer)?;
        let columns = tables.iter().filter_map(|table| {
            let (_, name) = table.file.strip_suffix(".sql")?.split_once('/')?;
            Some((name.to_owned(), columns_of(&table.sql))).filter(|(_, columns)| !columns.is_empty())
        });
        let columns: BTreeMap<String, Vec<TableColumn>> = columns.collect();
        renderer
            .set_conversions(columns.iter().map(|(table, columns)| (table.clone(), conversions(columns))));
        let mut models = rendered(MODELS, &renderer)?;
        for (file, after) in custom_models(&registry.custom) {
            let position = models.iter().position(|model| model.file == after);
            let position = position.map_or(models.len(), |position| position + 1);
            models.insert(position, Model { file, sql: renderer.render_custom(file)? });
        }
        let cross_section = readers(models.iter(), |word| {
            let table = word.strip_prefix(DIFFERENCES);
            table.is_some_and(|table| PUBLISHED.iter().any(|published| published.name == table))
        });
        let others = models.iter().filter(|model| !cross_section.contains(model.builds()));
        let sliced = readers(others, |word| word == SLICE);
        let models = Models { registry, models, tables, sliced, cross_section, columns };
        let faults: Vec<String> = models.missing_columns().collect();
        if faults.is_empty() {
            Ok(models)
        } else {
            Err(Error::Reject(faults.join("\n")))
        }
    }

    /// Returns a message for each column of an input that does not exist in `fact_financials` or
    /// `fact_financials_ttm`.
    fn missing_columns(&self) -> impl Iterator<Item = String> {
        let has = |table: &str, column: &str| self.columns(table).iter().any(|c| c.name == column);
        // `days` is computed, so no table has a column for it.
        let stored = self.registry.inputs.iter().filter(|input| input.name != "days");
        stored.flat_map(move |input| {
            let period = input.period.iter().filter(move |column| {
                !has("fact_financials", column) && !render::SPLIT_ADJUSTED.contains(&column.as_str())
            });
            let ttm = input.ttm.iter().filter(move |column| !has("fact_financials_ttm", column));
            let name = &input.name;
            let period = period.map(move |c| format!("input {name}: fact_financials has no column {c}"));
            period.chain(ttm.map(move |c| format!("input {name}: fact_financials_ttm has no column {c}")))
        })
    }

    /// Returns whether the model depends on the companies of a slice, so that it runs once per
    /// slice.
    pub fn is_sliced(&self, model: &Model) -> bool {
        self.sliced.contains(model.builds())
    }

    /// Returns whether the model compares companies with each other, so that it runs once, after the
    /// last slice. It reads the differences between computed and published rows. The models of
    /// neither kind run once, before the first slice.
    pub fn is_cross_section(&self, model: &Model) -> bool {
        self.cross_section.contains(model.builds())
    }

    /// Returns the temporary tables of a slice that can be dropped after a model to free memory, by
    /// the position of the model: the last one that reads them. Tables that publishing reads are
    /// not included.
    pub fn finished_tables(&self) -> BTreeMap<usize, Vec<&str>> {
        let kept = |table: &str| table.starts_with("new_") || NEEDED_TO_PUBLISH.contains(&table);
        let mut last_readers = BTreeMap::new();
        for (position, model) in self.models.iter().enumerate().filter(|(_, m)| self.is_sliced(m)) {
            let words = model.words();
            let read = self.sliced.iter().map(String::as_str).filter(|table| words.contains(table));
            last_readers.extend(read.filter(|table| !kept(table)).map(|table| (table, position)));
        }
        let mut finished: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for (table, position) in last_readers {
            finished.entry(position).or_default().push(table);
        }
        finished
    }

    /// Returns the names of the tables and views of a schema, in the order in which they are created.
    pub fn names(&self, schema: &str) -> impl Iterator<Item = &str> {
        self.tables.iter().filter_map(move |table| table.creates(schema))
    }

    /// Returns what follows `*` in a SELECT of the computed rows of a table, so that they have the types of the table.
    /// The models compute amounts with wider decimals than the table stores.
    pub fn conversions(&self, table: &PublishedTable) -> String {
        conversions(self.columns(table.name))
    }

    /// Returns the columns of a table of `analytics`, in order. For the view of a fact, returns the
    /// columns of the `_history` table. A view that lists its columns may leave the type of a column open: it is
    /// that of the table's column of the same name. For other views, returns no columns.
    pub fn columns(&self, table: &str) -> &[TableColumn] {
        let own = self.columns.get(table).or_else(|| self.columns.get(&format!("{table}_history")));
        own.map_or(&[], Vec::as_slice)
    }
}

/// Renders files in their order.
fn rendered(files: &[(&'static str, &'static str)], renderer: &Renderer) -> Result<Vec<Model>> {
    let one = |(file, _): &(&'static str, &'static str)| Ok(Model { file, sql: renderer.render(file)? });
    files.iter().map(one).collect()
}

/// Temporary tables of a slice that publishing reads in addition to the `new_` tables.
const NEEDED_TO_PUBLISH: [&str; 2] = ["companies", "vintages"];

/// The one-row table with the range of companies of the current slice.
const SLICE: &str = "company_slice";

/// The prefix of the temporary tables with the rows that publishing will add.
const DIFFERENCES: &str = "added_";

/// Returns the temporary tables of the models that read such a table, directly or through others.
fn readers<'a>(models: impl Iterator<Item = &'a Model>, is_such: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut tables = BTreeSet::new();
    for model in models {
        let words = model.words();
        if words.iter().any(|word| is_such(word))
            || tables.iter().any(|table: &String| words.contains(table.as_str()))
        {
            tables.insert(model.builds().to_owned());
        }
    }
    tables
}

macro_rules! files {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../../../infra/models/", $file)))),*]
    };
}

/// The file and template of every model, in execution order.
const MODELS: &[(&str, &str)] = files![
    "1_scope/1_companies_to_recompute.sql",
    "1_scope/2_newest_profiles.sql",
    "1_scope/3_companies.sql",
    "1_scope/4_split_events.sql",
    "1_scope/5_split_factors.sql",
    "1_scope/6_dividend_events.sql",
    "1_scope/7_profile_ranges.sql",
    "2_statements/1_company_statement_versions.sql",
    "2_statements/2_statement_ends.sql",
    "2_statements/3_period_versions.sql",
    "2_statements/4_corrected_values.sql",
    "2_statements/5_derived_quarters.sql",
    "2_statements/6_fiscal_versions.sql",
    "2_statements/7_vintages.sql",
    "2_statements/8_vintage_periods.sql",
    "2_statements/9_new_fact_financials_history.sql",
    "2_statements/10_share_checks.sql",
    "2_statements/11_split_adjusted_shares.sql",
    "2_statements/12_period_suspects.sql",
    "3_ttm/1_quarter_rows.sql",
    "3_ttm/2_ttm_windows.sql",
    "3_ttm/3_ttm_suspects.sql",
    "3_ttm/4_new_fact_financials_ttm_history.sql",
    "4_ratios/1_period_inputs.sql",
    "4_ratios/2_period_pairs.sql",
    "4_ratios/3_input_suspects.sql",
    "4_ratios/4_new_fact_financial_ratios_history.sql",
    "5_growth/1_growth_rates.sql",
    "5_growth/2_new_fact_growth_rates_history.sql",
    "6_prices/1_price_bars.sql",
    "6_prices/2_new_fact_daily_prices.sql",
    "6_prices/3_index_windows.sql",
    "6_prices/4_price_windows.sql",
    "6_prices/5_new_fact_dividends.sql",
    "6_prices/6_new_fact_splits.sql",
    "7_valuation/1_share_suspects.sql",
    "7_valuation/2_fundamentals_ranges.sql",
    "7_valuation/3_valuation_inputs.sql",
    "7_valuation/4_valuation_operands.sql",
    "7_valuation/6_dividend_ranges.sql",
    "7_valuation/7_vendor_counts.sql",
    "7_valuation/8_revised_ranges.sql",
    "7_valuation/9_valuation_days.sql",
    "7_valuation/10_new_fact_market_metrics_history.sql",
    "8_quality/1_quality_identities.sql",
    "8_quality/2_fmp_reconciliation.sql",
    "8_quality/3_reconciliation_pairs.sql",
    "8_quality/4_new_quality.sql",
    "9_dimensions/1_new_dim_company.sql",
    "9_dimensions/2_new_dim_date.sql",
    "10_ranks/1_ranked_dates.sql",
    "10_ranks/2_new_fact_sector_ranks.sql",
];

/// The models of the user's metrics. They run only if there are such metrics.
const CUSTOM_MODELS: &[(&str, &str)] = files![
    "4_ratios/5_custom_ratios.sql",
    "7_valuation/5_custom_operands.sql",
    "7_valuation/11_custom_market_metrics.sql",
    "7_valuation/12_new_fact_custom_metrics.sql",
];

/// Returns the models that the user's metrics need, each with the model after which it runs.
fn custom_models(custom: &CustomMetrics) -> Vec<(&'static str, &'static str)> {
    let [ratios, operands, market, all] = [0, 1, 2, 3].map(|n| CUSTOM_MODELS[n].0);
    let metrics = "7_valuation/10_new_fact_market_metrics_history.sql";
    let built_in_operands = "7_valuation/4_valuation_operands.sql";
    let mut files = Vec::new();
    if !custom.ratios.is_empty() {
        files.push((ratios, "4_ratios/4_new_fact_financial_ratios_history.sql"));
    }
    if !custom.market.is_empty() {
        // Before `revised_ranges`, which looks for days on which an operand has another value in a past
        // vintage.
        files.extend(render::has_operands(&custom.market).then_some((operands, built_in_operands)));
        files.push((market, metrics));
    }
    if !custom.is_empty() {
        files.push((all, if custom.market.is_empty() { metrics } else { market }));
    }
    files
}

/// The file and template of every table and view.
const TABLES: &[(&str, &str)] = files![
    "tables/dim_company.sql",
    "tables/dim_date.sql",
    "tables/fact_custom_metrics.sql",
    "tables/fact_daily_prices.sql",
    "tables/fact_dividends.sql",
    "tables/fact_financial_ratios_history.sql",
    "tables/fact_financials_history.sql",
    "tables/fact_financials_ttm_history.sql",
    "tables/fact_growth_rates_history.sql",
    "tables/fact_intraday_prices.sql",
    "tables/fact_market_metrics_history.sql",
    "tables/fact_sector_ranks.sql",
    "tables/fact_splits.sql",
    "tables/quality.sql",
    "views/statement_versions.sql",
    "views/fact_financials.sql",
    "views/fact_financials_ttm.sql",
    "views/fact_financial_ratios.sql",
    "views/fact_growth_rates.sql",
    "views/fact_market_metrics.sql",
    "views/fact_market_metrics_as_known.sql",
    "views/metric_nulls.sql",
    "views/dim_index_membership.sql",
    "views/latest.sql",
    "views/monthly_pe.sql",
    "views/sector_medians.sql",
    "views/v_market_metrics_live.sql",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_builds_a_table_and_every_published_one_is_built() {
        let models = Models::built_in().unwrap();
        for model in &models.models {
            let (_, name) = model.file.split_once('/').unwrap();
            let (_, table) = name.trim_end_matches(".sql").split_once('_').unwrap();
            assert_eq!(model.builds(), table, "{}", model.file);
        }
        for table in PUBLISHED {
            assert!(
                table.name == CUSTOM_METRICS
                    || models.models.iter().any(|m| m.builds() == format!("new_{}", table.name)),
                "{}",
                table.name
            );
            let created = format!("create table if not exists {} (", table.full_name());
            assert!(models.tables.iter().any(|t| t.sql.contains(&created)), "{created}");
        }
    }

    #[test]
    fn only_what_does_not_depend_on_the_companies_runs_once() {
        let all = Models::built_in().unwrap();
        let once: Vec<_> = all.models.iter().filter(|m| !all.is_sliced(m)).map(Model::builds).collect();
        let after = ["ranked_dates", "new_fact_sector_ranks"];
        assert_eq!(once[..3], ["companies_to_recompute", "newest_profiles", "new_dim_date"]);
        assert_eq!(once[3..], after);
        let cross_section = all.models.iter().filter(|m| all.is_cross_section(m)).map(Model::builds);
        assert_eq!(cross_section.collect::<Vec<_>>(), after);
    }

    #[test]
    fn a_slice_reads_the_rows_of_its_companies_only() {
        // DuckDB materializes a CTE that is used more than once. The rows of a whole table would then be
        // copied for every slice.
        let all = Models::built_in().unwrap();
        for model in all.models.iter().filter(|m| all.is_sliced(m)) {
            for (before, _) in model.sql.match_indices(" as (select * from staging.") {
                let name = model.sql[..before].split_whitespace().next_back().unwrap();
                let reads = [format!("from {name} "), format!("join {name} ")];
                let reads: usize = reads.iter().map(|read| model.sql.matches(read.as_str()).count()).sum();
                assert!(
                    reads <= 1,
                    "{} reads {name} {reads} times: select the rows of `companies`",
                    model.file
                );
            }
        }
    }

    #[test]
    fn a_temporary_table_is_dropped_after_its_last_reader() {
        let all = Models::built_in().unwrap();
        let dropped: Vec<_> = all
            .finished_tables()
            .into_iter()
            .flat_map(|(i, tables)| tables.into_iter().map(move |t| (i, t)))
            .collect();
        for (position, table) in &dropped {
            assert!(all.models[position + 1..].iter().all(|m| !m.words().contains(table)), "{table}");
        }
        let kept = |table: &str| table.starts_with("new_") || NEEDED_TO_PUBLISH.contains(&table);
        let temporary = all.models.iter().filter(|m| all.is_sliced(m) && !kept(m.builds()));
        assert_eq!(dropped.len(), temporary.count());
    }
}
