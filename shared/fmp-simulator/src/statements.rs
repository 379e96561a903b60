//! The three statements of a company: selection of the requested rows, and the rows in FMP's fields.

use super::accounts::Accounts;
use super::figures::{Flow, Level};
use super::periods::{self, Filed, Quarter};
use super::world::World;
use chrono::Duration;

/// The kind of statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statement {
    Income,
    Balance,
    Cash,
}

/// The requested rows: FMP's parameter `period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cadence {
    Annual,
    Quarter,
    /// One quarter of every year.
    Only(u32),
}

impl Cadence {
    /// FMP treats unknown values as annual but rejects quarters that do not exist.
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
    /// The quarter; for a year or twelve months, its last quarter.
    pub quarter: Quarter,
    pub filed: Filed,
    pub annual: bool,
    pub flow: Flow,
    pub before: Level,
    pub after: Level,
    /// EPS times 100, basic and diluted, if it is a sum over quarters.
    pub eps: Option<(i64, i64)>,
}

/// FMP's period labels: index 0 for the year, 1 to 4 for quarters.
pub(super) const LABELS: [&str; 5] = ["FY", "Q1", "Q2", "Q3", "Q4"];

/// A quarter's figures as first filed, published or not.
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

fn year(world: &World, accounts: &Accounts<'_>, last: &Quarter, filed: Filed) -> Report {
    let quarters = periods::quarters(accounts.company.fiscal, last.fiscal_year);
    let start = quarters.first().map_or(last.start, |q| q.start);
    // A company that restates a quarter also restates its year.
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

/// The newest `limit` reports of a cadence, newest first.
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
            .map(|(q, f)| year(world, accounts, &q, f))
            .collect(),
    }
}

/// The reports of one fiscal year, newest first.
pub(super) fn reports_of(
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
        Cadence::Annual => {
            published.filter(|(q, _)| q.last).map(|(q, f)| year(world, accounts, &q, f)).collect()
        }
        Cadence::Quarter => published.map(|(q, f)| report(accounts, q, f)).collect(),
        Cadence::Only(n) => {
            published.filter(|(q, _)| q.number == n).map(|(q, f)| report(accounts, q, f)).collect()
        }
    }
}

/// Twelve months ending with each quarter that has all its predecessors, newest first.
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
        // Flows are summed; share counts are those of the newest quarter.
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

/// EPS times 100.
pub(super) fn eps(accounts: &Accounts<'_>, report: &Report) -> (i64, i64) {
    let flow = &report.flow;
    let earned = (flow.net_income(accounts.bank) - flow.deductions) as f64;
    let per = |shares: i64| (earned / shares.max(1) as f64 * 100.0).round() as i64;
    report.eps.unwrap_or_else(|| (per(flow.shares()), per(flow.diluted())))
}
