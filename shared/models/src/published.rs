//! The tables of `analytics` and `ops.quality`, and how a run updates them.

/// A table that each run updates.
#[derive(Debug, Clone, Copy)]
pub struct PublishedTable {
    /// Its schema.
    pub schema: &'static str,
    /// Name without schema. The model `new_{name}` builds its rows; `tables/{name}.sql` creates it.
    pub name: &'static str,
    /// Natural key, without the `known_from` of a table that keeps versions.
    pub key: &'static [&'static str],
    /// Which of its rows a run recomputes.
    pub extent: Extent,
    /// Whether and how it keeps older versions of a row, each with the time range in which it was
    /// the known version.
    pub versions: Versions,
}

/// How a table keeps older versions of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// It keeps no versions: a new row replaces the old one.
    None,
    /// Its model computes `known_from` and `known_to`.
    OfStatements,
    /// Its model computes every vintage; publishing keeps each row that differs from the same row
    /// of the next vintage.
    OfVintages,
}

impl PublishedTable {
    /// Columns of its model that only publishing reads; the table lacks them.
    pub fn helpers(&self) -> &'static [&'static str] {
        match self.versions {
            Versions::None => &[],
            Versions::OfStatements => &["version_id"],
            Versions::OfVintages => &["vintage_id", "first_known_from"],
        }
    }

    /// The key, including `known_from` if the table keeps versions.
    pub fn full_key(&self) -> impl Iterator<Item = &'static str> {
        let version = (self.versions != Versions::None).then_some("known_from");
        self.key.iter().copied().chain(version)
    }

    /// Name with schema.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// Which rows of a table a run recomputes; the others stay unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All rows.
    Whole,
    /// The rows of the companies to recompute.
    Companies,
    /// The rows of the companies whose fundamentals are recomputed.
    Fundamentals,
    /// The rows of the companies to recompute from the first changed day on; the given column holds
    /// the day.
    Days(&'static str),
}

/// The published tables, in publishing order.
pub const PUBLISHED: &[PublishedTable] = &[
    plain("dim_date", &["date_key"], Extent::Whole),
    plain("dim_company", &["company_key", "valid_from"], Extent::Companies),
    plain("fact_daily_prices", &["company_key", "price_date"], Extent::Days("price_date")),
    PublishedTable {
        schema: "analytics",
        name: "fact_financials_history",
        key: &["company_key", "fiscal_date", "period_type"],
        extent: Extent::Fundamentals,
        versions: Versions::OfStatements,
    },
    versioned("fact_financials_ttm_history", &["company_key", "fiscal_date"], Extent::Fundamentals),
    versioned(
        "fact_financial_ratios_history",
        &["company_key", "fiscal_date", "basis"],
        Extent::Fundamentals,
    ),
    versioned(
        "fact_growth_rates_history",
        &["company_key", "fiscal_date", "basis"],
        Extent::Fundamentals,
    ),
    versioned(
        "fact_market_metrics_history",
        &["company_key", "metric_date"],
        Extent::Days("metric_date"),
    ),
    PublishedTable {
        schema: "ops",
        name: "quality",
        key: &["company_key", "check_name", "basis", "fiscal_date"],
        extent: Extent::Fundamentals,
        versions: Versions::None,
    },
];

const fn plain(name: &'static str, key: &'static [&'static str], extent: Extent) -> PublishedTable {
    PublishedTable {
        schema: "analytics",
        name,
        key,
        extent,
        versions: Versions::None,
    }
}

const fn versioned(name: &'static str, key: &'static [&'static str], extent: Extent) -> PublishedTable {
    PublishedTable {
        schema: "analytics",
        name,
        key,
        extent,
        versions: Versions::OfVintages,
    }
}
