//! Price histories, in the four forms that FMP offers.

use super::calendar::FIRST_YEAR;
use super::company::Company;
use super::edge_cases::EdgeCase;
use super::market::{self, price, volume_cell};
use super::table::{Cell, Table, dec, text};
use super::world::World;
use super::{events, fields, mutations, prices};
use chrono::{Datelike, Duration, NaiveDate};

/// Maximum number of rows in a response. FMP drops older rows without notice.
const MAX_ROWS: usize = 5_000;

/// The form of a price history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum History {
    Full,
    Light,
    /// Adjusted for splits and dividends.
    Dividends,
    /// As traded: not adjusted for splits.
    Traded,
}

/// A price history from `from` to `to` (both inclusive), newest first. By default `to` is today and
/// `from` is five years before `to`.
pub(super) fn history<'a>(
    world: &World,
    c: &'a Company,
    form: History,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
) -> Table<'a> {
    let mut table = Table::new(match form {
        History::Full => fields::PRICES,
        History::Light => fields::PRICES_LIGHT,
        History::Dividends | History::Traded => fields::ADJUSTED,
    });
    // Limits the dates to the calendar's range. Extreme dates in a URL would overflow the date
    // arithmetic below.
    let earliest = NaiveDate::from_ymd_opt(FIRST_YEAR, 1, 1).unwrap_or_default();
    let to = to.unwrap_or(world.today).max(earliest);
    let from = from.unwrap_or_else(|| to.with_year(to.year() - 5).unwrap_or(to - Duration::days(1_826)));
    let from = from.max(earliest);
    let (Some(last), first) = (world.calendar.at_or_before(to), world.calendar.at_or_after(from)) else {
        return table;
    };
    let last = last.min(world.last);
    let first = first.max((last + 1).saturating_sub(MAX_ROWS));
    if first > last {
        return table;
    }
    let bars = prices::bars(world, c, first, last);
    table.cells.reserve(bars.len() * table.fields.len());
    // The ex-date and factor of each dividend in the window, oldest first, so that `pop_if` takes
    // the newest one.
    let mut factors = if form == History::Dividends {
        dividend_factors(world, c, from)
    } else {
        Vec::new()
    };
    factors.reverse();
    let mut factor = 1.0;
    let anchor_session = world.calendar.at_or_before(world.anchor).unwrap_or(0);
    for bar in bars.iter().rev() {
        while let Some((_, by)) = factors.pop_if(|(ex, _)| *ex > bar.day) {
            factor *= by;
        }
        let symbol = text(c.symbol.as_str());
        let date = Cell::Date(bar.day);
        match form {
            History::Full => {
                let change = bar.close - bar.open;
                table.push([
                    symbol,
                    date,
                    price(bar.open),
                    price(bar.high),
                    price(bar.low),
                    price(bar.close),
                    volume_cell(bar.volume),
                    dec(change, 4),
                    dec(change / bar.open * 100.0, 6),
                    dec((bar.open + bar.high + bar.low + bar.close) / 4.0, 4),
                ]);
                if c.edge_case == EdgeCase::BadBars {
                    corrupt_last_row(&mut table, anchor_session.saturating_sub(bar.number));
                }
            }
            History::Light => table.push([symbol, date, price(bar.close), volume_cell(bar.volume)]),
            History::Dividends | History::Traded => {
                let by = if form == History::Traded {
                    c.basis(bar.day) / c.basis(world.today)
                } else {
                    factor
                };
                let volume = if form == History::Traded {
                    (bar.volume / by).round()
                } else {
                    bar.volume
                };
                let [open, high, low, close] =
                    [bar.open, bar.high, bar.low, bar.close].map(|p| price(p * by));
                table.push([symbol, date, open, high, low, close, volume_cell(volume)]);
            }
        }
    }
    mutations::prices(c.edge_case, &mut table);
    table
}

/// The market caps from `from` to `to` (both inclusive), newest first. By default `to` is today and
/// `from` is three months before `to`.
pub(super) fn market_caps<'a>(
    world: &World,
    c: &'a Company,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
) -> Table<'a> {
    let mut table = Table::new(fields::MARKET_CAP);
    let to = to.unwrap_or(world.today);
    let from = from.unwrap_or(to - Duration::days(91));
    let earliest = NaiveDate::from_ymd_opt(FIRST_YEAR, 1, 1).unwrap_or_default();
    let (Some(last), first) = (
        world.calendar.at_or_before(to.max(earliest)),
        world.calendar.at_or_after(from.max(earliest)),
    ) else {
        return table;
    };
    let last = last.min(world.last);
    let first = first.max((last + 1).saturating_sub(MAX_ROWS));
    if first > last || matches!(c.edge_case, EdgeCase::NoMarketCap | EdgeCase::Index) {
        return table;
    }
    for bar in prices::bars(world, c, first, last).iter().rev() {
        table.push([
            text(c.symbol.as_str()),
            Cell::Date(bar.day),
            market::cap_cell(c, bar.close * market::shares_on(world, c, bar.day)),
        ]);
    }
    table
}

/// Corrupts the last row if it is one of the invalid bars of `EdgeCase::BadBars`. `before` is the
/// number of sessions between the row's day and the anchor day.
fn corrupt_last_row(table: &mut Table<'_>, before: usize) {
    let row = table.len().saturating_sub(1);
    let (field, value) = match before {
        3 => ("high", dec(table.number(row, "low") * 0.9, 2)),
        5 => ("date", text("2026-13-45")),
        7 => ("close", Cell::Int(0)),
        9 => ("symbol", text("OTHER")),
        11 => ("low", dec(-1.25, 2)),
        _ => return,
    };
    if let Some(cell) = table.cell(row, field) {
        *cell = value;
    }
}

/// The ex-dates of dividends from `from` on, newest first. Each has the factor that adjusts earlier
/// prices for the dividend.
fn dividend_factors(world: &World, c: &Company, from: NaiveDate) -> Vec<(NaiveDate, f64)> {
    events::dividends(world, c, from, world.today)
        .iter()
        .rev()
        .map(|d| {
            let before = prices::close_on(world, c, d.ex - Duration::days(1));
            (
                d.ex,
                if before > 0.0 {
                    1.0 - events::adjusted(world, c, d) / before
                } else {
                    1.0
                },
            )
        })
        .collect()
}

/// The factor that adjusts a price of `day` for all later dividends.
pub(super) fn dividend_factor(world: &World, c: &Company, day: NaiveDate) -> f64 {
    dividend_factors(world, c, day)
        .iter()
        .filter(|(ex, _)| *ex > day)
        .map(|(_, by)| by)
        .product()
}
