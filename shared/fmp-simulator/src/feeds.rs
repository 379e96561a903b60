//! Responses that cover the whole universe: calendars, the filings feed and lists.

use super::accounts::Accounts;
use super::periods;
use super::statements;
use super::table::{Cell, Table, text};
use super::world::World;
use super::{events, fields, lines, market, mutations};
use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime};

/// Maximum number of rows on a page of a calendar. FMP drops the earliest rows beyond this number.
const CALENDAR_ROWS: usize = 4_000;
/// How many days before today `latest-financial-statements` covers.
const FEED_DAYS: i64 = 21;

/// A range of days: first and last day, both inclusive.
pub(super) type Days = (NaiveDate, NaiveDate);

/// A page of `earnings-calendar`, by day of filing, newest first. Reports that are not filed by
/// today have no actual figures.
pub(super) fn earnings(world: &World, days: Days, page: usize) -> String {
    // Day, symbol, EPS in hundredths, revenue.
    let mut rows: Vec<(NaiveDate, String, i64, i64)> = Vec::new();
    for company in world.companies().filter(super::company::Company::reports) {
        let accounts = Accounts::new(world, &company);
        for year in days.0.year() - 1..=days.1.year() + 1 {
            for quarter in periods::quarters(company.fiscal, year) {
                // A cheap check first: every report is filed within 60 days of its period's end.
                if quarter.end + Duration::days(60) < days.0 || quarter.end > days.1 {
                    continue;
                }
                let on = periods::filed(&company, &quarter).accepted.date();
                if on < days.0 || on > days.1 || (company.delisted.is_some_and(|d| quarter.end > d)) {
                    continue;
                }
                let report = statements::quarter_report(&accounts, quarter);
                let (eps, revenue) = (statements::eps(&accounts, &report).1, report.flow.revenue);
                rows.push((on, company.symbol.clone(), eps, revenue));
            }
        }
    }
    rows.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut table = Table::new(fields::EARNINGS);
    for (on, symbol, eps, revenue) in
        rows.into_iter().skip(page.saturating_mul(CALENDAR_ROWS)).take(CALENDAR_ROWS)
    {
        table.push([
            text(symbol),
            Cell::Date(on),
            if on <= world.today { Cell::Dec(eps, 2) } else { Cell::Null },
            Cell::Dec(eps - eps / 20, 2),
            if on <= world.today { Cell::Int(revenue) } else { Cell::Null },
            Cell::Null,
            Cell::Date(world.today.min(on)),
        ]);
    }
    table.json()
}

/// One filing in `latest-financial-statements`.
#[derive(Debug, Clone)]
pub(super) struct Filing {
    accepted: NaiveDateTime,
    symbol: String,
    fiscal_year: i32,
    period: &'static str,
    end: NaiveDate,
}

/// The filings of the last [`FEED_DAYS`] days, newest first.
pub(super) fn latest(world: &World) -> Vec<Filing> {
    let since = world.today - Duration::days(FEED_DAYS);
    let mut feed = Vec::new();
    for company in world.companies() {
        for (quarter, filed) in periods::published(world, &company).into_iter().rev().take(9) {
            if filed.accepted.date() < since {
                continue;
            }
            let filing = |period| Filing {
                accepted: filed.accepted,
                symbol: company.symbol.clone(),
                fiscal_year: quarter.fiscal_year,
                period,
                end: quarter.end,
            };
            feed.push(filing(statements::LABELS.get(quarter.number as usize).copied().unwrap_or("FY")));
            if quarter.last {
                feed.push(filing("FY"));
            }
        }
    }
    feed.sort_by(|a, b| b.accepted.cmp(&a.accepted).then_with(|| a.symbol.cmp(&b.symbol)));
    feed
}

/// A page of `latest-financial-statements`.
pub(super) fn latest_page(feed: &[Filing], page: usize, limit: usize) -> String {
    let mut table = Table::new(fields::LATEST);
    for f in feed.iter().skip(page.saturating_mul(limit)).take(limit) {
        table.push([
            text(f.symbol.as_str()),
            Cell::Int(i64::from(f.fiscal_year)),
            text(f.period),
            text(format!("{} 00:00:00", f.end)),
            text(lines::stamp(f.accepted.date(), f.accepted.time())),
        ]);
    }
    table.json()
}

/// `dividends-calendar`, by ex-date, newest first.
pub(super) fn dividends(world: &World, days: Days) -> String {
    let mut rows: Vec<(NaiveDate, String)> = Vec::new();
    for company in world.companies() {
        for event in events::dividends(world, &company, days.0, days.1) {
            if event.declaration <= world.today {
                let mut table = Table::new(fields::DIVIDENDS);
                market::dividends(&mut table, world, &company, &[event]);
                mutations::other(company.edge_case, &mut table);
                rows.push((event.ex, without_brackets(&table)));
            }
        }
    }
    join_newest_first(rows)
}

/// `splits-calendar`, newest first. It contains only the newest split of a company.
pub(super) fn splits(world: &World, days: Days) -> String {
    let mut rows: Vec<(NaiveDate, String)> = Vec::new();
    for company in world.companies() {
        let Some(day) = events::splits(world, &company).first().map(|s| s.day) else {
            continue;
        };
        if (days.0..=days.1).contains(&day) {
            let mut table = Table::new(fields::SPLITS);
            market::splits(&mut table, world, &company);
            table.truncate(1);
            rows.push((day, without_brackets(&table)));
        }
    }
    join_newest_first(rows)
}

/// A table as JSON without the enclosing brackets.
fn without_brackets(table: &Table<'_>) -> String {
    let json = table.json();
    json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

fn join_newest_first(mut rows: Vec<(NaiveDate, String)>) -> String {
    rows.sort_by_key(|r| std::cmp::Reverse(r.0));
    rows.truncate(CALENDAR_ROWS);
    let rows: Vec<String> = rows.into_iter().map(|r| r.1).collect();
    format!("[{}]", rows.join(","))
}

/// `stock-list`: symbol and name of each company in the universe.
pub(super) fn stock_list(world: &World) -> String {
    let mut table = Table::new(fields::STOCK_LIST);
    for company in world.companies() {
        table.push([text(company.symbol), text(company.name)]);
    }
    table.json()
}

/// A page of `shares-float-all`, which lacks the field `source`.
pub(super) fn shares_float_all(world: &World, page: usize, limit: usize) -> String {
    let mut table = Table::new(fields::SHARES_FLOAT);
    table.fields = table.fields.iter().copied().filter(|f| *f != "source").collect();
    let companies: Vec<_> = world.companies().skip(page.saturating_mul(limit)).take(limit).collect();
    for company in &companies {
        market::shares_float(&mut table, world, company);
    }
    table.json()
}

/// `symbol-change`. One company changed its ticker 400 days before the anchor day.
pub(super) fn symbol_change(world: &World) -> String {
    let mut table = Table::new(fields::SYMBOL_CHANGE);
    if let Some(fresh) = world.company("FRESH") {
        let day = world.anchor - Duration::days(400);
        table.push([Cell::Date(day), text(fresh.name), text("OLDNM"), text(fresh.symbol)]);
    }
    table.json()
}

/// `delisted-companies`, newest first. Like FMP's, the list includes an upcoming delisting.
pub(super) fn delisted(world: &World, page: usize) -> String {
    let mut table = Table::new(fields::DELISTED);
    let upcoming = [world.company("STALE").map(|c| (c, world.today + Duration::days(9)))];
    let delisted = world.company("DELIS").and_then(|c| c.delisted.map(|d| (c, d)));
    for (c, day) in upcoming.into_iter().flatten().chain(delisted) {
        let row = [text(c.symbol), text(c.name), text(c.exchange.0), Cell::Date(c.ipo), Cell::Date(day)];
        table.push(row);
    }
    if page > 0 { "[]".to_owned() } else { table.json() }
}
