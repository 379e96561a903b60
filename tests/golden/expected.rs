//! The company of [`super::all_metrics`], and its figures computed from the lines of its
//! statements.

use std::sync::OnceLock;

use super::{
    formulas::{self, Span},
    generated::{Aggregation, Company, Lines, aggregate, aggregation, columns, figure},
};

pub(super) const SYMBOL: &str = "EVERY";
/// The quarters that a ten-year growth rate of twelve-month figures needs.
const QUARTERS: usize = 44;
/// The number of trading sessions: more than two windows of 252.
pub(super) const SESSIONS: usize = 520;

pub(super) type Figures = Vec<(String, f64)>;

pub(super) fn company() -> &'static Company {
    static COMPANY: OnceLock<Company> = OnceLock::new();
    COMPANY.get_or_init(|| Company::new(SYMBOL, 1, QUARTERS, SESSIONS))
}

/// Combines the lines of `count` quarters. The newest of them ended `ago` quarters ago.
pub(super) fn quarters(ago: usize, count: usize) -> Lines {
    aggregate(&company().quarters[ago..ago + count].iter().map(|p| &p.lines).collect::<Vec<_>>())
}

/// The lines under FMP's field names, which the formulas use. Cash flow lines have the prefix
/// `cf.`.
pub(super) fn by_field(lines: &Lines) -> formulas::Lines {
    let mut found = formulas::Lines::new();
    for (statement, prefix) in [("income_statement", ""), ("balance_sheet", ""), ("cash_flow", "cf.")] {
        found.extend(columns(statement).map(|c| (format!("{prefix}{}", c.field), figure(lines[c.name]))));
    }
    found
}

/// The twelve months that ended `ago` quarters ago.
pub(super) fn twelve_months(ago: usize) -> Span {
    let end = |ago: usize| by_field(&quarters(ago, 1));
    let equity = (ago..ago + 4).map(|n| end(n)["totalStockholdersEquity"]).sum::<f64>() / 4.0;
    Span {
        flows: by_field(&quarters(ago, 4)),
        end: end(ago),
        before: Some(end(ago + 1)),
        year_before: Some(end(ago + 4)),
        equity,
        days: 365.0,
        year_ago: Some((by_field(&quarters(ago + 4, 4)), end(ago + 4))),
        two_years_ago: Some(end(ago + 8)),
    }
}

/// A single quarter or year `now`, with the previous one as `before`, and the ones a year and two years
/// earlier.
pub(super) fn single(now: &Lines, before: &Lines, [year_ago, two_years_ago]: [&Lines; 2], days: f64) -> Span {
    let (now, before) = (by_field(now), by_field(before));
    let year_ago = by_field(year_ago);
    let equity = now["totalStockholdersEquity"];
    Span {
        flows: now.clone(),
        end: now,
        before: Some(before.clone()),
        year_before: Some(before),
        equity,
        days,
        year_ago: Some((year_ago.clone(), year_ago)),
        two_years_ago: Some(by_field(two_years_ago)),
    }
}

/// The column that a statement line has in the twelve-month table.
pub(super) fn ttm_name(column: &str) -> String {
    match (column, aggregation(column)) {
        ("eps_diluted", _) => "ttm_eps_diluted_sum".into(),
        (_, Aggregation::Sum) => format!("ttm_{column}"),
        (_, Aggregation::Newest) => format!("latest_{column}"),
        (_, Aggregation::Oldest) => format!("oldest_{column}"),
    }
}

/// The averages in the twelve-month table, and diluted earnings per share, which divide twelve
/// months' income by average shares.
pub(super) fn means(ago: usize) -> Figures {
    let one = |ago: usize, column: &str| figure(quarters(ago, 1)[column]);
    let mean = |column: &str| (ago..ago + 4).map(|n| one(n, column)).sum::<f64>() / 4.0;
    let ends = |column: &str, back: usize| (one(ago, column) + one(ago + back, column)) / 2.0;
    let working = |ago| one(ago, "current_assets") - one(ago, "current_liabilities");
    let invested = |ago| {
        one(ago, "total_assets") - one(ago, "current_liabilities")
            + one(ago, "short_term_debt")
            + one(ago, "capital_lease_obligations_current")
    };
    let to_common = figure(quarters(ago, 4)["bottom_line_net_income"]);
    let mut found = vec![
        ("ttm_eps_diluted".to_owned(), to_common / mean("shares_outstanding_diluted")),
        ("average_shares_outstanding_diluted".to_owned(), mean("shares_outstanding_diluted")),
        ("average_stockholders_equity".to_owned(), mean("stockholders_equity")),
        ("average_working_capital_2q".to_owned(), (working(ago) + working(ago + 1)) / 2.0),
        ("average_invested_capital_year".to_owned(), (invested(ago) + invested(ago + 4)) / 2.0),
    ];
    for column in ["total_assets", "net_receivables", "accounts_payable", "inventory"] {
        found.push((format!("average_{column}_2q"), ends(column, 1)));
    }
    for column in [
        "total_assets",
        "stockholders_equity",
        "net_receivables",
        "inventory",
        "accounts_payable",
        "property_plant_equipment_net",
    ] {
        found.push((format!("average_{column}_year"), ends(column, 4)));
    }
    found
}
