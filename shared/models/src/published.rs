//! Declares the tables that a run publishes, those of `analytics` and `ops.quality`, and how it
//! updates them.

/// A table that each run updates.
#[derive(Debug, Clone, Copy)]
pub struct PublishedTable {
    /// Schema of the table.
    pub schema: &'static str,
    /// Name without schema. The model `new_{name}` builds the table's rows; `tables/{name}.sql`
    /// creates the table.
    pub name: &'static str,
    /// Natural key, without the column `known_from` of tables that keep versions.
    pub key: &'static [&'static str],
    /// Which rows of the table a run recomputes.
    pub extent: Extent,
    /// Whether and how the table keeps older versions of its rows. Each version has the time range
    /// in which it was the newest known version.
    pub versions: Versions,
}

/// How a table keeps older versions of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// The table keeps no versions: a new row replaces the old row.
    None,
    /// The table's model computes `known_from` and `known_to` of each version.
    OfStatements,
    /// The table's model computes every vintage: the rows as of each time at which data changed.
    /// Publishing keeps a row of a vintage if it differs from the same row of the next vintage.
    OfVintages,
    /// Every row has what was known at its `known_from`, and no newer version replaces it. The
    /// table's model computes `known_from`.
    AsKnown,
}

impl PublishedTable {
    /// Returns the columns of the table's model that only publishing uses. The table itself does
    /// not have them.
    pub fn helpers(&self) -> &'static [&'static str] {
        match self.versions {
            Versions::None | Versions::AsKnown => &[],
            Versions::OfStatements => &["version_id"],
            Versions::OfVintages => &["vintage_id", "first_known_from"],
        }
    }

    /// Returns the key, including `known_from` if the table keeps versions.
    pub fn full_key(&self) -> impl Iterator<Item = &'static str> {
        let version = (self.versions != Versions::None).then_some("known_from");
        self.key.iter().copied().chain(version)
    }

    /// Returns the name with the schema.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// Which rows of a table a run recomputes. Other rows stay unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All rows.
    Whole,
    /// The rows of the companies to recompute.
    Companies,
    /// The rows of the companies whose fundamentals are recomputed.
    Fundamentals,
    /// The rows of the companies to recompute, from the first changed day on. The named column
    /// contains the day of a row.
    Days(&'static str),
    /// The rows of the basis MARKET as for `Days`, and the others as for `Fundamentals`.
    DaysAndFundamentals(&'static str),
    /// The rows of the sessions in the temporary table `ranked_dates`, in runs that rank companies.
    RankedDates,
}

/// The table of the user's metrics. It is published only by a run that has such metrics.
pub const CUSTOM_METRICS: &str = "fact_custom_metrics";

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
    plain("fact_dividends", &["company_key", "ex_date", "dividend_type"], Extent::Companies),
    plain("fact_splits", &["company_key", "split_date"], Extent::Companies),
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
    versioned(
        CUSTOM_METRICS,
        &["company_key", "as_of_date", "basis", "metric"],
        Extent::DaysAndFundamentals("as_of_date"),
    ),
    PublishedTable {
        schema: "analytics",
        name: "fact_sector_ranks",
        key: &["company_key", "as_of_date", "group_type", "metric"],
        extent: Extent::RankedDates,
        versions: Versions::AsKnown,
    },
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
