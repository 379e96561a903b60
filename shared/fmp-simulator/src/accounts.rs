//! A company's accounts: balances on a day and flows over a period, in whole units.
//!
//! A balance depends only on the day, and a cash flow is the difference of two balances. Therefore
//! the three statements agree exactly, cash at the end of a period equals cash at the beginning of
//! the next one, quarters add up to years, and every quarter can be generated independently. The
//! flow from issued and bought-back shares is the remainder that makes the accounts balance.

use super::company::{Company, years};
use super::edge_cases::EdgeCase;
use super::events;
use super::figures::{Flow, Level};
use super::periods::{self, Quarter};
use super::world::World;
use chrono::{Datelike, Duration, NaiveDate};

const MIX: u64 = 50;
const LEVEL: u64 = 51;
const FLOW: u64 = 52;

/// The proportions of a company's accounts. They are drawn once per response.
#[derive(Debug)]
pub(super) struct Accounts<'a> {
    world: &'a World,
    pub company: &'a Company,
    pub bank: bool,
    /// Whether general and marketing expenses are reported only as a sum, as in Apple's statements.
    pub one_overhead: bool,
    /// Whether interest is reported separately. Otherwise it is part of `non_operating`.
    reports_interest: bool,
    season: [f64; 4],
    /// Each balance divided by a year's revenue, in the order of [`Level`] up to
    /// `other_long_liabilities`.
    mix: [f64; 26],
    minority: f64,
    other_income: f64,
}

impl<'a> Accounts<'a> {
    pub fn new(world: &'a World, company: &'a Company) -> Self {
        let d = company.draw.item(MIX);
        let bank = company.edge_case == EdgeCase::Bank;
        let u = |i: i64, low: f64, high: f64| d.between(i, low, high);
        let mut mix = [
            u(0, 0.08, 0.30),
            if d.chance(40, 0.5) { u(1, 0.02, 0.2) } else { 0.0 },
            u(2, 0.07, 0.15),
            u(3, 0.0, 0.04),
            company.inventory * u(4, 0.8, 1.2),
            u(5, 0.005, 0.02),
            u(6, 0.01, 0.05),
            u(7, 0.2, 0.7),
            if d.chance(41, 0.7) { u(8, 0.05, 0.6) } else { 0.0 },
            0.0,
            if d.chance(42, 0.5) { u(9, 0.02, 0.2) } else { 0.0 },
            u(10, 0.0, 0.05),
            u(11, 0.03, 0.12),
            u(12, 0.05, 0.11),
            u(13, 0.005, 0.03),
            u(14, 0.02, 0.06),
            u(15, 0.01, 0.05),
            u(16, 0.005, 0.015),
            u(17, 0.002, 0.01),
            if d.chance(43, 0.6) { u(18, 0.01, 0.08) } else { 0.0 },
            u(19, 0.02, 0.06),
            u(20, 0.1, 0.5),
            u(21, 0.02, 0.06),
            u(22, 0.0, 0.02),
            u(23, 0.0, 0.04),
            u(24, 0.02, 0.08),
        ];
        mix[9] = mix[8] * 0.3;
        match company.edge_case {
            EdgeCase::Bank => {
                let deposits = 11.0;
                (mix[0], mix[1], mix[4], mix[10], mix[12]) = (1.5, 2.0, 0.0, 4.0, 8.0);
                (mix[15], mix[20], mix[21]) = (0.9, deposits, 2.0);
            }
            EdgeCase::ZeroRevenue => {
                (mix[0], mix[1], mix[2], mix[3], mix[4], mix[21]) = (1.2, 0.9, 0.0, 0.0, 0.0, 0.0);
            }
            _ => {}
        }
        let assets: f64 = mix[..13].iter().sum();
        let others: f64 = mix[13..].iter().sum::<f64>() - mix[21];
        // Limits long-term debt so that equity is at least 20 % of assets. With negative equity,
        // sets it above the assets.
        mix[21] = match company.edge_case {
            EdgeCase::NegativeEquity => assets - others + 0.25,
            _ => mix[21].min((0.8 * assets - others).max(0.0)),
        };
        let swing = u(44, 0.0, 0.08);
        Accounts {
            world,
            company,
            bank,
            one_overhead: d.chance(45, 0.3),
            reports_interest: bank || d.chance(46, 0.75),
            season: [1.0 - swing, 1.0 - swing / 3.0, 1.0, 1.0 + swing * 4.0 / 3.0],
            mix,
            minority: if d.chance(47, 0.15) { 0.01 } else { 0.0 },
            other_income: if d.chance(48, 0.4) { -0.02 } else { 0.0 },
        }
    }

    fn round(&self, amount: f64) -> i64 {
        (amount / self.company.unit as f64).round() as i64 * self.company.unit
    }

    /// Yearly revenue at the rate of a given day, or yearly spending if the company has no revenue.
    fn size(&self, day: NaiveDate) -> f64 {
        self.company.size * (self.company.growth * years(day)).exp()
    }

    /// The balances at the end of a day.
    pub fn level(&self, day: NaiveDate) -> Level {
        let draw = self.company.draw.item(LEVEL);
        let size = self.size(day);
        let base = i64::from(day.num_days_from_ce()) * 32;
        let at = |i: usize, noise: f64| {
            let share = self.mix.get(i).copied().unwrap_or(0.0);
            self.round(size * share * (1.0 + noise * draw.normal(base + i as i64)))
        };
        // Goodwill and intangibles increase every third year and never decrease, because companies
        // in this world buy others and never sell them.
        let step = 1.0 + 0.15 * f64::from((day.year() - 2000 + draw.whole(0, 0, 2) as i32) / 3);
        let stepped =
            |i: usize| self.round(self.company.size * self.mix.get(i).copied().unwrap_or(0.0) * step / 2.2);
        Level {
            cash: at(0, 0.04),
            short_investments: at(1, 0.03),
            accounts_receivable: at(2, 0.03),
            other_receivables: at(3, 0.03),
            inventory: at(4, 0.03),
            prepaids: at(5, 0.03),
            other_current: at(6, 0.03),
            // Low noise, so that capital expenditure never becomes an inflow.
            property: at(7, 0.0012),
            goodwill: stepped(8),
            intangibles: stepped(9),
            long_investments: at(10, 0.02),
            tax_assets: at(11, 0.01),
            other_non_current: at(12, 0.01),
            accounts_payable: at(13, 0.03),
            other_payables: at(14, 0.03),
            accrued: at(15, 0.03),
            short_debt: at(16, 0.05),
            lease_current: at(17, 0.01),
            tax_payables: at(18, 0.03),
            deferred_revenue: at(19, 0.02),
            other_current_liabilities: at(20, 0.01),
            long_debt: at(21, 0.01),
            lease: at(22, 0.01),
            deferred_revenue_long: at(23, 0.02),
            deferred_tax: at(24, 0.01),
            other_long_liabilities: at(25, 0.01),
            minority: self.round(size * self.minority),
            other_income: self.round(size * self.other_income * (1.0 + 0.1 * draw.normal(base + 30))),
        }
    }

    /// The flows of a quarter or half-year.
    pub fn flow(&self, quarter: &Quarter) -> Flow {
        self.flow_between(quarter, &self.level(quarter.start - Duration::days(1)), &self.level(quarter.end))
    }

    /// The flows of a quarter, computed from balances that the caller already has.
    pub fn flow_between(&self, quarter: &Quarter, before: &Level, after: &Level) -> Flow {
        let c = self.company;
        let draw = c.draw.item(FLOW);
        let base = i64::from(quarter.end.num_days_from_ce()) * 32;
        let noise = |i: i64, amount: f64| 1.0 + amount * draw.normal(base + i);
        let days = (quarter.end - quarter.start).num_days() + 1;
        let share = days as f64 / 365.25;
        let season = self.season.get(quarter.number as usize - 1).copied().unwrap_or(1.0);
        let pace = self.size(quarter.start + Duration::days(days / 2)) * share * season;
        let restated = periods::restated(self.world, c, quarter).is_some();
        let mut f = Flow { days, ..Flow::default() };

        let no_revenue = c.edge_case == EdgeCase::ZeroRevenue;
        let volume = pace * noise(0, 0.02);
        if !no_revenue {
            f.revenue = self.round(volume * if restated { 0.97 } else { 1.0 });
            f.cost = self.round(volume * (1.0 - c.gross_margin) * noise(1, 0.01));
        }
        let operating = if no_revenue { 1.0 } else { c.gross_margin - c.net_margin / 0.78 };
        let overhead = operating * (1.0 - c.research);
        f.research = self.round(pace * operating * c.research * noise(2, 0.02));
        f.general = self.round(pace * overhead * 0.4 * noise(3, 0.02));
        f.marketing = self.round(pace * overhead * 0.55 * noise(4, 0.02));
        f.other_operating = self.round(pace * overhead * 0.05 * noise(5, 0.1));
        let interest = (before.long_debt + before.short_debt) as f64 * 0.042 * share;
        let interest_earned = (before.cash + before.short_investments) as f64 * 0.025 * share;
        if self.bank {
            f.interest_income = self.round(f.revenue as f64 * 0.9);
            f.interest_expense = self.round(f.cost as f64 * 0.9);
        } else if self.reports_interest {
            f.interest_income = self.round(interest_earned);
            f.interest_expense = self.round(interest);
        } else {
            f.non_operating = self.round(interest_earned - interest);
        }
        f.non_operating += self.round(pace * 0.004 * draw.normal(base + 6)) * i64::from(!self.bank);
        f.depreciation = self.round(before.property as f64 * 0.10 * share);
        f.tax = self.round((f.before_tax(self.bank) as f64 * draw.between(base + 7, 0.16, 0.25)).max(0.0));
        f.taxes_paid = self.round(f.tax as f64 * 0.95);
        if self.minority > 0.0 {
            f.deductions = self.round(f.net_income(self.bank) as f64 * 0.01);
        }

        let change = |of: fn(&Level) -> i64| of(after) - of(before);
        f.stock_compensation = self.round(pace * 0.015);
        f.deferred_tax = change(|l| l.deferred_tax - l.tax_assets);
        f.receivables = -change(Level::receivables);
        f.inventory = -change(|l| l.inventory);
        f.payables = change(|l| l.accounts_payable);
        f.other_working_capital = change(|l| {
            l.other_payables
                + l.accrued
                + l.tax_payables
                + l.deferred_revenue
                + l.other_current_liabilities
                + l.deferred_revenue_long
                - l.prepaids
                - l.other_current
        });
        f.other_non_cash = change(|l| l.other_long_liabilities - l.other_non_current);
        f.capex = -(change(|l| l.property) + f.depreciation);
        f.acquisitions = -change(|l| l.goodwill + l.intangibles);
        let net_purchases = change(|l| l.short_investments + l.long_investments);
        let turnover = self.round((before.short_investments + before.long_investments) as f64 * 0.3 * share)
            + net_purchases.abs();
        f.purchases = -(turnover + net_purchases.max(0));
        f.sales = -net_purchases - f.purchases;
        f.long_debt = change(|l| l.long_debt);
        f.short_debt = change(|l| l.short_debt);
        f.other_financing = change(|l| l.lease + l.lease_current);
        f.forex = change(|l| l.other_income);
        let shares = (c.shares_on(quarter.start) + c.shares_on(quarter.end)) / 2.0;
        f.dividends = -self.round(events::paid(self.world, c, quarter.start, quarter.end) * shares * c.rate);
        f.stock =
            change(Level::equity) - f.net_income(self.bank) - f.dividends - f.stock_compensation - f.forex;
        // Share counts are reported on the split basis of the filing day.
        let basis = c.basis(periods::filed(c, quarter).accepted.date());
        f.shares_by_days = (shares / basis).round() as i64 * days;
        f.diluted_by_days = (shares / basis * 1.008).round() as i64 * days;
        f
    }
}
