//! The fact tables with figures, and the bases of their rows.

use findata_domain::Result;

/// The basis of a figure: the kind of period or source from which it is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the bases")]
pub enum Basis {
    Q,
    Q1,
    Q2,
    Q3,
    Q4,
    Fy,
    Ttm,
    Market,
    Price,
}

const BASES: [(&str, Basis); 9] = [
    ("Q1", Basis::Q1),
    ("Q2", Basis::Q2),
    ("Q3", Basis::Q3),
    ("Q4", Basis::Q4),
    ("Q", Basis::Q),
    ("FY", Basis::Fy),
    ("TTM", Basis::Ttm),
    ("MARKET", Basis::Market),
    ("PRICE", Basis::Price),
];

impl std::str::FromStr for Basis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = BASES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        found
            .map(|(_, basis)| *basis)
            .ok_or_else(|| "use Q1, Q2, Q3, Q4, Q, FY, TTM, MARKET or PRICE".to_owned())
    }
}

impl Basis {
    /// Returns the basis as written in the tables.
    pub fn name(self) -> &'static str {
        BASES.iter().find(|(_, basis)| *basis == self).map_or("", |(name, _)| name)
    }

    /// Returns whether a basis in a table is this basis or, for `Q`, any quarter.
    pub fn matches(self, basis: &str) -> bool {
        basis == self.name() || (self == Basis::Q && basis.starts_with('Q'))
    }

    pub(crate) fn is_period(self) -> bool {
        !matches!(self, Basis::Market | Basis::Price)
    }
}

/// The fact tables that a question can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is one fact table")]
pub enum Fact {
    Ratios,
    Growth,
    Financials,
    Ttm,
    Prices,
    Market,
}

/// The fact tables, in the order in which the name of a metric is looked up.
pub const FACTS: [(Fact, &str); 6] = [
    (Fact::Ratios, "fact_financial_ratios"),
    (Fact::Growth, "fact_growth_rates"),
    (Fact::Financials, "fact_financials"),
    (Fact::Ttm, "fact_financials_ttm"),
    (Fact::Prices, "fact_daily_prices"),
    (Fact::Market, "fact_market_metrics"),
];
