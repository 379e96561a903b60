//! The properties of a company: everything that depends on the seed and the symbol, but not on the
//! day of the request.

mod generate;

use super::edge_cases::{EdgeCase, FIXED, Fiscal, INDEX};
use super::rng::Draw;
use super::world::{World, ticker_number};
use chrono::{Datelike, NaiveDate};

/// A share split: `numerator` new shares replace `denominator` old shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    pub day: NaiveDate,
    pub numerator: i64,
    pub denominator: i64,
}

impl Split {
    /// How many new shares replace one old share.
    pub(super) fn ratio(&self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

/// A company. Amounts are in the reporting currency and prices in dollars. The reference day is
/// 2 January 2025.
#[derive(Debug, Clone)]
pub(super) struct Company {
    pub symbol: String,
    pub name: String,
    pub edge_case: EdgeCase,
    pub draw: Draw,
    pub sector: &'static str,
    pub industry: &'static str,
    pub exchange: (&'static str, &'static str),
    pub cik: u64,
    pub country: &'static str,
    pub reported: &'static str,
    pub fiscal: Fiscal,
    pub ipo: NaiveDate,
    pub delisted: Option<NaiveDate>,
    pub splits: Vec<Split>,
    /// Price on the reference day, after all splits.
    pub price: f64,
    /// Shares outstanding on the reference day, after all splits.
    pub shares: f64,
    /// Yearly growth rate of the share count, continuously compounded.
    pub dilution: f64,
    /// Yearly revenue at the rate of the reference day; yearly spending for a company without
    /// revenue.
    pub size: f64,
    /// Yearly growth rate of `size`, continuously compounded.
    pub growth: f64,
    /// Gross profit divided by revenue.
    pub gross_margin: f64,
    /// Net income divided by revenue.
    pub net_margin: f64,
    /// R&D as a share of operating expenses.
    pub research: f64,
    /// Inventory divided by yearly revenue.
    pub inventory: f64,
    /// Yearly dividends per share on the reference day, after all splits; 0 without dividends.
    pub dividend: f64,
    pub beta: f64,
    /// Standard deviation of the daily log return that the market does not explain.
    pub sigma: f64,
    /// Exchange rate: units of the reporting currency per dollar.
    pub rate: f64,
    /// Reported amounts are rounded to multiples of this unit.
    pub unit: i64,
}

impl World {
    /// The company with this symbol; `None` if the symbol is unknown. Companies with fixed symbols
    /// always exist, even if the universe is too small to include them.
    pub(super) fn company(&self, symbol: &str) -> Option<Company> {
        if symbol == INDEX.symbol {
            return Some(Company::fixed(self, &INDEX));
        }
        match FIXED.iter().find(|f| f.symbol == symbol) {
            Some(fixed) => Some(Company::fixed(self, fixed)),
            None => (ticker_number(symbol)? < self.drawn).then(|| Company::generated(self, symbol)),
        }
    }

    /// The companies of the universe, in order. Each company is generated when the iterator reaches
    /// it.
    pub(super) fn companies(&self) -> impl Iterator<Item = Company> {
        self.universe().filter_map(|s| self.company(&s))
    }
}

impl Company {
    /// Whether the company publishes financial statements. Funds and the index do not.
    pub(super) fn reports(&self) -> bool {
        !matches!(self.edge_case, EdgeCase::Etf | EdgeCase::Index)
    }

    /// Shares outstanding on a day, adjusted for all splits.
    pub(super) fn shares_on(&self, day: NaiveDate) -> f64 {
        (self.shares * (self.dilution * years(day)).exp()).round()
    }

    /// The factor that converts a price that is adjusted for all splits to a price as traded on
    /// `day`.
    pub(super) fn basis(&self, day: NaiveDate) -> f64 {
        self.splits.iter().filter(|s| s.day > day).map(Split::ratio).product()
    }

    /// The reporting currency in a fiscal year.
    pub(super) fn currency_in(&self, world: &World, fiscal_year: i32) -> &'static str {
        match self.edge_case {
            EdgeCase::CurrencyChange if fiscal_year >= world.anchor.year() - 1 => "USD",
            _ => self.reported,
        }
    }
}

/// Years from the reference day, 2 January 2025, to `day`.
pub(super) fn years(day: NaiveDate) -> f64 {
    const REFERENCE: i32 = 739_253;
    f64::from(day.num_days_from_ce() - REFERENCE) / 365.25
}
