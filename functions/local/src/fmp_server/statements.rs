//! The three statements of a company: which rows are asked for, and the rows in FMP's fields.

use super::books::{Books, Flow, Level};
use super::company::Company;
use super::periods::{self, Filed, Quarter};
use super::table::{Cell, Table, text};
use super::world::World;
use chrono::{Duration, NaiveDate};

/// Which of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statement {
    Income,
    Balance,
    Cash,
}

/// Which rows: FMP's `period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cadence {
    Annual,
    Quarter,
    /// One quarter of every year.
    Only(u32),
}

impl Cadence {
    /// FMP takes anything for annual, but refuses quarters that do not exist.
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
    /// The quarter; of a year or twelve months, the last one.
    pub quarter: Quarter,
    pub filed: Filed,
    pub annual: bool,
    pub flow: Flow,
    pub before: Level,
    pub after: Level,
    /// EPS times 100, basic and diluted, where it is a sum over quarters.
    pub eps: Option<(i64, i64)>,
}

/// FMP's labels of quarters 1 to 4; 0 is the year's.
pub(super) const LABELS: [&str; 5] = ["FY", "Q1", "Q2", "Q3", "Q4"];

/// A quarter's figures as first filed, published or not.
pub(super) fn quarter_report(books: &Books<'_>, quarter: Quarter) -> Report {
    report(books, quarter, periods::filed(books.company, &quarter))
}

fn report(books: &Books<'_>, quarter: Quarter, filed: Filed) -> Report {
    let before = books.level(quarter.start - Duration::days(1));
    let after = books.level(quarter.end);
    let flow = books.flow_between(&quarter, &before, &after);
    Report { quarter, filed, annual: false, flow, before, after, eps: None }
}

fn year(world: &World, books: &Books<'_>, last: &Quarter, filed: Filed) -> Report {
    let quarters = periods::quarters(books.company.fiscal, last.fiscal_year);
    let start = quarters.first().map_or(last.start, |q| q.start);
    // Whoever restates a quarter restates its year.
    let filed = quarters.iter().filter_map(|q| periods::restated(world, books.company, q)).next().unwrap_or(filed);
    Report {
        quarter: *last,
        filed,
        annual: true,
        flow: quarters.iter().map(|q| books.flow(q)).fold(Flow::default(), |a, b| a + b),
        before: books.level(start - Duration::days(1)),
        after: books.level(last.end),
        eps: None,
    }
}

/// The newest `limit` reports of a cadence, newest first.
pub(super) fn reports(world: &World, books: &Books<'_>, cadence: Cadence, limit: usize) -> Vec<Report> {
    let published = periods::published(world, books.company).into_iter().rev();
    match cadence {
        Cadence::Quarter => published.take(limit).map(|(q, f)| report(books, q, f)).collect(),
        Cadence::Only(n) => {
            published.filter(|(q, _)| q.number == n).take(limit).map(|(q, f)| report(books, q, f)).collect()
        }
        Cadence::Annual => {
            published.filter(|(q, _)| q.last).take(limit).map(|(q, f)| year(world, books, &q, f)).collect()
        }
    }
}

/// The reports of one fiscal year, newest first.
pub(super) fn reports_of(world: &World, books: &Books<'_>, cadence: Cadence, fiscal_year: i32) -> Vec<Report> {
    let published = periods::published(world, books.company).into_iter().rev().filter(|(q, _)| q.fiscal_year == fiscal_year);
    match cadence {
        Cadence::Annual => published.filter(|(q, _)| q.last).map(|(q, f)| year(world, books, &q, f)).collect(),
        Cadence::Quarter => published.map(|(q, f)| report(books, q, f)).collect(),
        Cadence::Only(n) => published.filter(|(q, _)| q.number == n).map(|(q, f)| report(books, q, f)).collect(),
    }
}

/// Twelve months ending with each quarter that has all its predecessors, newest first.
pub(super) fn trailing(world: &World, books: &Books<'_>, limit: usize) -> Vec<Report> {
    let halves = matches!(books.company.fiscal, super::odd::Fiscal::Halves(_));
    let needed = if halves { 2 } else { 4 };
    let quarters = reports(world, books, Cadence::Quarter, limit.saturating_add(needed - 1));
    let mut out = Vec::new();
    for window in quarters.windows(needed) {
        let (Some(newest), Some(oldest)) = (window.first(), window.last()) else { continue };
        let days = (newest.quarter.end - oldest.quarter.start).num_days();
        if !(350..=380).contains(&days) {
            continue;
        }
        let flow = window.iter().fold(Flow::default(), |sum, r| sum + r.flow);
        let eps = window.iter().map(|r| eps(books, r)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        // Flows are sums, shares the newest quarter's.
        let days = newest.flow.days;
        let flow = Flow {
            days,
            shares_by_days: newest.flow.shares() * days,
            diluted_by_days: newest.flow.diluted() * days,
            ..flow
        };
        out.push(Report { flow, before: oldest.before, eps: Some(eps), ..newest.clone() });
    }
    out
}

/// EPS times 100.
pub(super) fn eps(books: &Books<'_>, report: &Report) -> (i64, i64) {
    let flow = &report.flow;
    let earned = (flow.net_income(books.bank) - flow.deductions) as f64;
    let per = |shares: i64| (earned / shares.max(1) as f64 * 100.0).round() as i64;
    report.eps.unwrap_or_else(|| (per(flow.shares()), per(flow.diluted())))
}

/// An empty table for a statement.
pub(super) fn table<'a>(statement: Statement) -> Table<'a> {
    Table::new(match statement {
        Statement::Income => super::fields::INCOME,
        Statement::Balance => super::fields::BALANCE,
        Statement::Cash => super::fields::CASH,
    })
}

/// Adds a report as a row of a statement.
pub(super) fn push<'a>(table: &mut Table<'a>, world: &World, books: &Books<'a>, report: &Report, statement: Statement) {
    table.cells.extend(header(world, books.company, report));
    match statement {
        Statement::Income => income(table, books, report),
        Statement::Balance => balance(table, report),
        Statement::Cash => cash(table, books, report),
    }
}

fn header<'a>(world: &World, company: &'a Company, report: &Report) -> [Cell<'a>; 8] {
    let quarter = &report.quarter;
    let label = if report.annual { 0 } else { quarter.number as usize };
    let period = LABELS.get(label).copied().unwrap_or("FY");
    [
        Cell::Date(quarter.end),
        text(company.symbol.as_str()),
        text(company.currency_in(world, quarter.fiscal_year)),
        text(format!("{:010}", company.cik)),
        Cell::Date(report.filed.on),
        text(stamp(report.filed.accepted.date(), report.filed.accepted.time())),
        text(quarter.fiscal_year.to_string()),
        text(period),
    ]
}

/// `YYYY-MM-DD HH:MM:SS`.
pub(super) fn stamp(day: NaiveDate, time: chrono::NaiveTime) -> String {
    format!("{day} {time}")
}

fn income(table: &mut Table<'_>, books: &Books<'_>, report: &Report) {
    let f = &report.flow;
    let bank = books.bank;
    let (basic, diluted) = eps(books, report);
    let (operating, before_tax, net) = (f.operating_income(), f.before_tax(bank), f.net_income(bank));
    let interest = if bank { 0 } else { f.interest_income - f.interest_expense };
    let ebit = before_tax - interest;
    let (general, marketing) = if books.one_overhead { (0, 0) } else { (f.general, f.marketing) };
    let ints = [
        f.revenue,
        f.cost,
        f.revenue - f.cost,
        f.research,
        general,
        marketing,
        f.general + f.marketing,
        f.other_operating,
        f.operating_expenses(),
        f.cost + f.operating_expenses(),
        f.interest_income - f.interest_expense,
        f.interest_income,
        f.interest_expense,
        f.depreciation,
        ebit + f.depreciation,
        ebit,
        operating - ebit,
        operating,
        before_tax - operating,
        before_tax,
        f.tax,
        net,
        0,
        0,
        net,
        f.deductions,
        net - f.deductions,
    ];
    table.cells.extend(ints.map(Cell::Int));
    table.push([Cell::Dec(basic, 2), Cell::Dec(diluted, 2), Cell::Int(f.shares()), Cell::Int(f.diluted())]);
}

fn balance(table: &mut Table<'_>, report: &Report) {
    let l = &report.after;
    let leases = l.lease_current + l.lease;
    let owners = l.equity() - l.minority;
    // A third of the owners' part was paid in; the rest was earned.
    let common = (owners / 3).max(0);
    table.push(
        [
            l.cash,
            l.short_investments,
            l.cash + l.short_investments,
            l.receivables(),
            l.accounts_receivable,
            l.other_receivables,
            l.inventory,
            l.prepaids,
            l.other_current,
            l.current_assets(),
            l.property,
            l.goodwill,
            l.intangibles,
            l.goodwill + l.intangibles,
            l.long_investments,
            l.tax_assets,
            l.other_non_current,
            l.non_current_assets(),
            0,
            l.assets(),
            l.payables(),
            l.accounts_payable,
            l.other_payables,
            l.accrued,
            l.short_debt,
            l.lease_current,
            l.tax_payables,
            l.deferred_revenue,
            l.other_current_liabilities,
            l.current_liabilities(),
            l.long_debt,
            l.lease,
            l.deferred_revenue_long,
            l.deferred_tax,
            l.other_long_liabilities,
            l.non_current_liabilities(),
            0,
            leases,
            l.liabilities(),
            0,
            0,
            common,
            owners - common - l.other_income,
            0,
            l.other_income,
            0,
            owners,
            l.equity(),
            l.minority,
            l.liabilities() + l.equity(),
            l.short_investments + l.long_investments,
            l.debt(),
            l.debt() - l.cash,
        ]
        .map(Cell::Int),
    );
}

fn cash(table: &mut Table<'_>, books: &Books<'_>, report: &Report) {
    let f = &report.flow;
    let operating = f.operating_cash(books.bank);
    let change = operating + f.investing_cash() + f.financing_cash() + f.forex;
    table.push(
        [
            f.net_income(books.bank),
            f.depreciation,
            f.deferred_tax,
            f.stock_compensation,
            f.working_capital(),
            f.receivables,
            f.inventory,
            f.payables,
            f.other_working_capital,
            f.other_non_cash,
            operating,
            f.capex,
            f.acquisitions,
            f.purchases,
            f.sales,
            0,
            f.investing_cash(),
            f.long_debt + f.short_debt,
            f.long_debt,
            f.short_debt,
            f.stock,
            f.stock,
            f.stock.max(0),
            f.stock.min(0),
            0,
            f.dividends,
            f.dividends,
            0,
            f.other_financing,
            f.financing_cash(),
            f.forex,
            change,
            report.before.cash + change,
            report.before.cash,
            operating,
            f.capex,
            operating + f.capex,
            f.taxes_paid,
            f.interest_expense,
        ]
        .map(Cell::Int),
    );
}
