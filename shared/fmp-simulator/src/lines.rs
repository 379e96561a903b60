//! Converts a report to a row of a statement, with FMP's line items derived from the accounts.

use super::accounts::Accounts;
use super::company::Company;
use super::statements::{LABELS, Report, Statement, eps};
use super::table::{Cell, Table, text};
use super::world::World;
use chrono::NaiveDate;

/// An empty table for a statement.
pub(super) fn table<'a>(statement: Statement) -> Table<'a> {
    Table::new(match statement {
        Statement::Income => super::fields::INCOME,
        Statement::Balance => super::fields::BALANCE,
        Statement::Cash => super::fields::CASH,
    })
}

/// Adds a report as a row of a statement.
pub(super) fn push<'a>(
    table: &mut Table<'a>,
    world: &World,
    accounts: &Accounts<'a>,
    report: &Report,
    statement: Statement,
) {
    table.cells.extend(header(world, accounts.company, report));
    match statement {
        Statement::Income => income(table, accounts, report),
        Statement::Balance => balance(table, report),
        Statement::Cash => cash(table, accounts, report),
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

/// Formats a time as `YYYY-MM-DD HH:MM:SS`.
pub(super) fn stamp(day: NaiveDate, time: chrono::NaiveTime) -> String {
    format!("{day} {time}")
}

fn income(table: &mut Table<'_>, accounts: &Accounts<'_>, report: &Report) {
    let f = &report.flow;
    let bank = accounts.bank;
    let (basic, diluted) = eps(accounts, report);
    let (operating, before_tax, net) = (f.operating_income(), f.before_tax(bank), f.net_income(bank));
    let interest = if bank { 0 } else { f.interest_income - f.interest_expense };
    let ebit = before_tax - interest;
    let (general, marketing) = if accounts.one_overhead { (0, 0) } else { (f.general, f.marketing) };
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
    let stockholders = l.equity() - l.minority;
    // Reports a third of stockholders' equity as common stock and the rest as retained earnings.
    let common = (stockholders / 3).max(0);
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
            stockholders - common - l.other_income,
            0,
            l.other_income,
            0,
            stockholders,
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

fn cash(table: &mut Table<'_>, accounts: &Accounts<'_>, report: &Report) {
    let f = &report.flow;
    let operating = f.operating_cash(accounts.bank);
    let change = operating + f.investing_cash() + f.financing_cash() + f.forex;
    table.push(
        [
            f.net_income(accounts.bank),
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
