//! The statement lines that formulas can use, and the datasets with FMP's ratios.

use findata_domain::catalog::{self, Dataset, Kind};

/// Statement columns that are not lines: `fact_financials_ttm` has no column `ttm_<name>` or
/// `latest_<name>` for them.
const NOT_LINES: [&str; 6] = [
    "eps",
    "eps_diluted",
    "shares_outstanding",
    "shares_outstanding_diluted",
    "cash_at_beginning_of_period",
    "cash_at_end_of_period",
];

/// Returns the dataset of FMP's ratios and metrics that has this column.
pub fn fmp_dataset(column: &str) -> Option<&'static Dataset> {
    [catalog::RATIOS_TTM, catalog::KEY_METRICS_TTM]
        .into_iter()
        .find(|d| d.columns.iter().any(|c| c.name == column && c.kind == Kind::Double))
}

/// Returns whether a statement has a line of this name that formulas can use.
pub fn is_line(name: &str) -> bool {
    flows().chain(balances()).any(|line| line == name)
}

/// Returns the lines of the income and cash flow statements, which are amounts over a period.
pub fn flows() -> impl Iterator<Item = &'static str> {
    lines(catalog::INCOME_STATEMENT).chain(lines(catalog::CASH_FLOW))
}

/// Returns whether the balance sheet has a line of this name.
pub(crate) fn is_balance(name: &str) -> bool {
    balances().any(|line| line == name)
}

/// Returns the lines of the balance sheet, which are amounts at the end of a period.
pub fn balances() -> impl Iterator<Item = &'static str> {
    lines(catalog::BALANCE_SHEET)
}

fn lines(dataset: &'static Dataset) -> impl Iterator<Item = &'static str> {
    let amounts = dataset.columns.iter().filter(|c| c.kind == Kind::Decimal);
    amounts.map(|c| c.name).filter(|name| !NOT_LINES.contains(name))
}
