//! The model files of `infra/models`, built into the function.

/// A model: one statement that builds one temporary table.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// Its file's name.
    pub file: &'static str,
    /// Its statement.
    pub sql: &'static str,
}

impl Model {
    /// The temporary table it builds: the word after `temporary table`.
    pub fn builds(&self) -> &'static str {
        let after = self.sql.split_once("temporary table ").map_or("", |(_, rest)| rest);
        after.split_whitespace().next().unwrap_or_default()
    }

    fn reads(&self, table: &str) -> bool {
        self.sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == table)
    }
}

/// The tables that no model after the `position`th reads and that are not published: they can go, and with them the
/// memory they take.
pub fn finished_after(position: usize) -> impl Iterator<Item = &'static str> {
    let last_read = |table: &str| MODELS.iter().rposition(|m| m.reads(table));
    let kept = |table: &str| table.starts_with("new_") || table == "scope";
    MODELS.iter().map(Model::builds).filter(move |table| !kept(table) && last_read(table) == Some(position))
}

macro_rules! models {
    ($($file:literal),* $(,)?) => {
        &[$(Model { file: $file, sql: include_str!(concat!("../../../infra/models/", $file)) }),*]
    };
}

/// Every model, in the order in which they run.
pub const MODELS: &[Model] = models![
    "00_scope.sql",
    "01_companies.sql",
    "02_split_bases.sql",
    "03_dividend_events.sql",
    "05_latest_income.sql",
    "06_latest_balance.sql",
    "07_latest_cash_flow.sql",
    "10_new_fact_financials.sql",
    "11_share_bases.sql",
    "12_quarter_rows.sql",
    "20_ttm_windows.sql",
    "21_new_fact_financials_ttm.sql",
    "30_ratio_base.sql",
    "31_ratio_values.sql",
    "32_new_fact_financial_ratios.sql",
    "40_growth_pairs.sql",
    "41_growth_values.sql",
    "42_new_fact_growth_rates.sql",
    "43_new_period_nulls.sql",
    "50_price_bars.sql",
    "51_new_fact_daily_prices.sql",
    "52_index_windows.sql",
    "53_price_windows.sql",
    "60_known_ranges.sql",
    "61_range_base.sql",
    "62_range_values.sql",
    "63_range_operands.sql",
    "64_dividend_ranges.sql",
    "65_newest_shares.sql",
    "66_market_days.sql",
    "67_new_fact_market_metrics.sql",
    "80_new_dim_company.sql",
    "81_new_dim_date.sql",
];

/// The statements that create the tables and views of `analytics`.
pub const TABLES: &[Model] = models![
    "tables/dim_company.sql",
    "tables/dim_date.sql",
    "tables/fact_daily_prices.sql",
    "tables/fact_financial_ratios.sql",
    "tables/fact_financials.sql",
    "tables/fact_financials_ttm.sql",
    "tables/fact_growth_rates.sql",
    "tables/fact_market_metrics.sql",
    "tables/period_nulls.sql",
    "views/metric_nulls.sql",
];

/// A column as the file of its table has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: &'static str,
    /// What the comment on its line says: a unit, a semicolon and what it is; either part may be missing.
    pub about: Option<&'static str>,
}

impl Column {
    /// Whether it is a figure: an amount, a count, a ratio.
    pub fn is_figure(&self) -> bool {
        self.kind == "double" || self.kind.starts_with("decimal")
    }
}

/// The columns of a table of `analytics`, in order; none for a view.
pub fn columns(table: &str) -> Vec<Column> {
    let file = TABLES.iter().find(|t| t.file == format!("tables/{table}.sql"));
    let lines = file.map_or("", |t| t.sql).lines();
    let inside =
        lines.skip_while(|line| !line.starts_with("create ")).skip(1).take_while(|line| !line.starts_with(')'));
    inside.filter_map(column).collect()
}

fn column(line: &'static str) -> Option<Column> {
    let (code, about) = match line.split_once("--") {
        Some((code, about)) => (code, Some(about.trim())),
        None => (line, None),
    };
    let (name, kind) = code.trim().trim_end_matches(',').split_once(' ')?;
    Some(Column { name, kind: kind.trim(), about })
}

/// A published table.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name in `analytics`; its model is `new_` and this.
    pub name: &'static str,
    /// Its natural key.
    pub key: &'static [&'static str],
    /// Which of its rows a run answers for.
    pub extent: Extent,
}

/// Which rows of a table a run computes anew; all others stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All.
    Whole,
    /// Those of the companies in scope.
    Companies,
    /// Those of the companies in scope from their first day on; the column is the day's.
    Days(&'static str),
}

/// The published tables.
pub const PUBLISHED: &[Table] = &[
    Table { name: "dim_date", key: &["date_key"], extent: Extent::Whole },
    Table { name: "dim_company", key: &["company_key", "valid_from"], extent: Extent::Companies },
    Table { name: "fact_daily_prices", key: &["company_key", "price_date"], extent: Extent::Days("price_date") },
    Table { name: "fact_financials", key: &["company_key", "fiscal_date", "period_type"], extent: Extent::Companies },
    Table { name: "fact_financials_ttm", key: &["company_key", "fiscal_date"], extent: Extent::Companies },
    Table { name: "fact_financial_ratios", key: &["company_key", "fiscal_date", "basis"], extent: Extent::Companies },
    Table { name: "fact_growth_rates", key: &["company_key", "fiscal_date", "basis"], extent: Extent::Companies },
    Table { name: "fact_market_metrics", key: &["company_key", "metric_date"], extent: Extent::Days("metric_date") },
    Table { name: "period_nulls", key: &["company_key", "fiscal_date", "basis", "metric"], extent: Extent::Companies },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_builds_a_table_and_every_published_one_is_built() {
        for model in MODELS {
            let number_and_name = model.file.trim_end_matches(".sql").split_once('_').unwrap();
            assert_eq!(model.builds(), number_and_name.1, "{}", model.file);
        }
        for table in PUBLISHED {
            assert!(MODELS.iter().any(|m| m.builds() == format!("new_{}", table.name)), "{}", table.name);
        }
    }

    #[test]
    fn a_table_goes_after_its_last_reader_and_not_before() {
        let gone: Vec<_> = (0..MODELS.len()).flat_map(|i| finished_after(i).map(move |t| (i, t))).collect();
        for (position, table) in &gone {
            assert!(MODELS[position + 1..].iter().all(|m| !m.reads(table)), "{table}");
        }
        let temporary = MODELS.iter().filter(|m| !m.builds().starts_with("new_") && m.builds() != "scope");
        assert_eq!(gone.len(), temporary.count());
    }
}
