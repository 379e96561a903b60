//! A company's reports: selects the periods that a request covers and adds up their figures.

use super::accounts::Accounts;
use super::figures::{Flow, Level};
use super::periods::{self, Filed, Quarter};
use super::world::World;
use chrono::Duration;

/// One of the three financial statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statement {
    Income,
    Balance,
    Cash,
}

/// The rows that a request selects: FMP's `period` parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cadence {
    Annual,
    Quarter,
    /// One quarter, 1 to 4, of every year.
    Only(u32),
}

impl Cadence {
    /// Parses the parameter `period`. Returns `None` for a quarter that does not exist. Treats any
    /// other unknown value as annual, like FMP.
    pub(super) fn parse(period: Option<&str>) -> Option<Self> {
        match period.unwrap_or("annual") {
            "quarter" => Some(Cadence::Quarter),
            p => match p.strip_prefix('Q').map(str::parse::<u32>) {
                Some(Ok(q)) => (1..=4).contains(&q).then_some(Cadence::Only(q)),
                _ => Some(Cadence::Annual),
            },
        }
    }
}

/// A published period with its figures.
#[derive(Debug, Clone)]
pub(super) struct Report {
    /// The reported quarter, or the last quarter of the reported year or twelve months.
    pub quarter: Quarter,
    pub filed: Filed,
    pub annual: bool,
    pub flow: Flow,
    /// Balances on the day before the period.
    pub before: Level,
    /// Balances at the end of the period.
    pub after: Level,
    /// Basic and diluted earnings per share in hundredths, summed over quarters. `None` if they are
    /// computed from the report's own figures.
    pub eps: Option<(i64, i64)>,
}

/// FMP's period labels: the fiscal year at index 0, the quarters at 1 to 4.
pub(super) const LABELS: [&str; 5] = ["FY", "Q1", "Q2", "Q3", "Q4"];

/// A quarter's report with its original filing, even if it is not published yet.
pub(super) fn quarter_report(accounts: &Accounts<'_>, quarter: Quarter) -> Report {
    report(accounts, quarter, periods::filed(accounts.company, &quarter))
}

fn report(accounts: &Accounts<'_>, quarter: Quarter, filed: Filed) -> Report {
    let before = accounts.level(quarter.start - Duration::days(1));
    let after = accounts.level(quarter.end);
    let flow = accounts.flow_between(&quarter, &before, &after);
    Report {
        quarter,
        filed,
        annual: false,
        flow,
        before,
        after,
        eps: None,
    }
}

fn year_report(world: &World, accounts: &Accounts<'_>, last: &Quarter, filed: Filed) -> Report {
    let quarters = periods::quarters(accounts.company.fiscal, last.fiscal_year);
    let start = quarters.first().map_or(last.start, |q| q.start);
    // A restatement of a quarter also restates its year.
    let filed = quarters
        .iter()
        .filter_map(|q| periods::restated(world, accounts.company, q))
        .next()
        .unwrap_or(filed);
    Report {
        quarter: *last,
        filed,
        annual: true,
        flow: quarters.iter().map(|q| accounts.flow(q)).fold(Flow::default(), |a, b| a + b),
        before: accounts.level(start - Duration::days(1)),
        after: accounts.level(last.end),
        eps: None,
    }
}

/// The newest `limit` reports that `cadence` selects, newest first.
pub(super) fn reports(world: &World, accounts: &Accounts<'_>, cadence: Cadence, limit: usize) -> Vec<Report> {
    let published = periods::published(world, accounts.company).into_iter().rev();
    match cadence {
        Cadence::Quarter => published.take(limit).map(|(q, f)| report(accounts, q, f)).collect(),
        Cadence::Only(n) => published
            .filter(|(q, _)| q.number == n)
            .take(limit)
            .map(|(q, f)| report(accounts, q, f))
            .collect(),
        Cadence::Annual => published
            .filter(|(q, _)| q.last)
            .take(limit)
            .map(|(q, f)| year_report(world, accounts, &q, f))
            .collect(),
    }
}

/// The reports of one fiscal year that `cadence` selects, newest first.
pub(super) fn reports_in_year(
    world: &World,
    accounts: &Accounts<'_>,
    cadence: Cadence,
    fiscal_year: i32,
) -> Vec<Report> {
    let published = periods::published(world, accounts.company)
        .into_iter()
        .rev()
        .filter(|(q, _)| q.fiscal_year == fiscal_year);
    match cadence {
        Cadence::Annual => published
            .filter(|(q, _)| q.last)
            .map(|(q, f)| year_report(world, accounts, &q, f))
            .collect(),
        Cadence::Quarter => published.map(|(q, f)| report(accounts, q, f)).collect(),
        Cadence::Only(n) => {
            published.filter(|(q, _)| q.number == n).map(|(q, f)| report(accounts, q, f)).collect()
        }
    }
}

/// Reports of trailing twelve months, newest first. Each ends with a published quarter. A quarter
/// without the three quarters before it is skipped.
pub(super) fn trailing(world: &World, accounts: &Accounts<'_>, limit: usize) -> Vec<Report> {
    let halves = matches!(accounts.company.fiscal, super::edge_cases::Fiscal::Halves(_));
    let needed = if halves { 2 } else { 4 };
    let quarters = reports(world, accounts, Cadence::Quarter, limit.saturating_add(needed - 1));
    let mut out = Vec::new();
    for window in quarters.windows(needed) {
        let (Some(newest), Some(oldest)) = (window.first(), window.last()) else {
            continue;
        };
        let days = (newest.quarter.end - oldest.quarter.start).num_days();
        if !(350..=380).contains(&days) {
            continue;
        }
        let flow = window.iter().fold(Flow::default(), |sum, r| sum + r.flow);
        let eps = window.iter().map(|r| eps(accounts, r)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        // The flows are sums, but the share counts are those of the newest quarter.
        let days = newest.flow.days;
        let flow = Flow {
            days,
            shares_by_days: newest.flow.shares() * days,
            diluted_by_days: newest.flow.diluted() * days,
            ..flow
        };
        out.push(Report {
            flow,
            before: oldest.before,
            eps: Some(eps),
            ..newest.clone()
        });
    }
    out
}

/// Basic and diluted earnings per share in hundredths.
pub(super) fn eps(accounts: &Accounts<'_>, report: &Report) -> (i64, i64) {
    let flow = &report.flow;
    let earnings = (flow.net_income(accounts.bank) - flow.deductions) as f64;
    let per_share = |shares: i64| (earnings / shares.max(1) as f64 * 100.0).round() as i64;
    report.eps.unwrap_or_else(|| (per_share(flow.shares()), per_share(flow.diluted())))
}
