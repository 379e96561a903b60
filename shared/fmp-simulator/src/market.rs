//! Rows of market data: profile, quotes, market cap, dividends, splits and shares float.

use super::company::Company;
use super::edge_cases::EdgeCase;
use super::prices::{self, Bar};
use super::table::{Cell, Table, dec, float, text};
use super::world::World;
use super::{events, periods};

const PROFILE: u64 = 60;

/// Shares outstanding as of the newest published quarter, adjusted for splits up to today.
pub(super) fn shares(world: &World, company: &Company) -> f64 {
    let known = periods::newest_end(world, company).unwrap_or(world.today);
    let fraction = if company.edge_case == EdgeCase::FractionalVolume {
        0.4
    } else {
        0.0
    };
    (company.shares_on(known) / company.basis(world.today)).round() + fraction
}

/// Shares outstanding on a day, as of the newest quarter published by then, adjusted for splits up
/// to today.
pub(super) fn shares_on(world: &World, company: &Company, day: chrono::NaiveDate) -> f64 {
    let newest = shares(world, company);
    match periods::newest_end(world, company) {
        Some(known) if day < known => newest * company.shares_on(day) / company.shares_on(known),
        _ => newest,
    }
}

/// A company's newest 252 bars and its market cap.
struct Snapshot {
    bars: Vec<Bar>,
    cap: f64,
}

impl Snapshot {
    fn of(world: &World, company: &Company) -> Self {
        let bars = prices::newest(world, company, 252);
        let close = bars.last().map_or(0.0, |b| b.close);
        Snapshot { cap: close * shares(world, company), bars }
    }
    fn last(&self) -> Option<&Bar> {
        self.bars.last()
    }
    fn close(&self) -> f64 {
        self.last().map_or(0.0, |b| b.close)
    }
    fn previous(&self) -> f64 {
        self.bars.iter().rev().nth(1).or(self.last()).map_or(0.0, |b| b.close)
    }
    fn high(&self) -> f64 {
        self.bars.iter().map(|b| b.high).fold(0.0, f64::max)
    }
    fn low(&self) -> f64 {
        self.bars.iter().map(|b| b.low).fold(f64::INFINITY, f64::min)
    }
    fn mean(&self, days: usize, of: fn(&Bar) -> f64) -> f64 {
        let count = days.min(self.bars.len()).max(1);
        self.bars.iter().rev().take(count).map(of).sum::<f64>() / count as f64
    }
}

/// A cell with a market cap.
pub(super) fn cap_cell<'a>(company: &Company, cap: f64) -> Cell<'a> {
    if company.edge_case == EdgeCase::FractionalVolume {
        dec(cap, 4)
    } else {
        Cell::Int(cap.round() as i64)
    }
}

/// A cell with a volume: an integer, or a decimal if the volume has a fraction.
pub(super) fn volume_cell<'a>(volume: f64) -> Cell<'a> {
    if volume.fract() == 0.0 {
        Cell::Int(volume as i64)
    } else {
        dec(volume, 5)
    }
}

/// A cell with a price. Prices below a dollar have four decimals, and other prices have two.
pub(super) fn price<'a>(value: f64) -> Cell<'a> {
    dec(value, prices::places(value))
}

/// Adds a company's row of `profile`. The index has none.
pub(super) fn profile<'a>(table: &mut Table<'a>, world: &World, c: &'a Company) {
    if c.edge_case == EdgeCase::Index {
        return;
    }
    let now = Snapshot::of(world, c);
    let d = c.draw.item(PROFILE);
    let (close, previous) = (now.close(), now.previous());
    let fund = c.edge_case == EdgeCase::Etf;
    let cusip = format!("{:08}{}", d.bits(0) % 100_000_000, d.whole(1, 0, 9));
    let slug: String = c.symbol.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    table.push([
        text(c.symbol.as_str()),
        price(close),
        cap_cell(c, now.cap),
        dec(c.beta, 3),
        dec(events::last_year(world, c), 4),
        text(format!("{}-{}", price(now.low()).plain(), price(now.high()).plain())),
        dec(close - previous, 4),
        dec((close / previous - 1.0) * 100.0, 5),
        volume_cell(now.last().map_or(0.0, |b| b.volume)),
        Cell::Int(now.mean(50, |b| b.volume).round() as i64),
        text(c.name.as_str()),
        text("USD"),
        text(format!("{:010}", c.cik)),
        text(format!("US{cusip}{}", d.whole(2, 0, 9))),
        text(cusip),
        text(c.exchange.1),
        text(c.exchange.0),
        text(c.industry),
        text(format!("https://www.{slug}.example")),
        text(format!("{} is a company of a synthetic world; no figure here is real.", c.name)),
        text(d.pick(
            3,
            &["Ms. Ada Byron", "Mr. Karl Gauss", "Dr. Emmy Noether", "Ms. Sofia Kowalewska"],
            "Ms. Ada Byron",
        )),
        text(c.sector),
        text(c.country),
        text(d.whole(4, 20, 90_000).to_string()),
        text(format!("{} 555 {:04}", d.whole(5, 201, 989), d.whole(6, 0, 9_999))),
        text(format!("{} Main Street", d.whole(7, 1, 9_999))),
        text(d.pick(8, &["Springfield", "Riverton", "Fairview", "Greenville"], "Springfield")),
        text(d.pick(9, &["CA", "NY", "TX", "OH", "WA"], "CA")),
        text(format!("{:05}", d.whole(10, 501, 99_950))),
        text(format!("https://images.financialmodelingprep.com/symbol/{}.png", c.symbol)),
        Cell::Date(c.ipo),
        Cell::Bool(d.chance(11, 0.2)),
        Cell::Bool(fund),
        Cell::Bool(!is_delisted(world, c)),
        Cell::Bool(c.country != "US"),
        Cell::Bool(false),
    ]);
}

/// Whether the company was delisted by today.
pub(super) fn is_delisted(world: &World, company: &Company) -> bool {
    company.delisted.is_some_and(|d| d <= world.today)
}

/// Adds a company's row of `quote`.
pub(super) fn quote<'a>(table: &mut Table<'a>, world: &World, c: &'a Company) {
    let now = Snapshot::of(world, c);
    let Some(bar) = now.last() else { return };
    let previous = now.previous();
    let closed_at = findata_domain::nyse_calendar::close_of(bar.day).timestamp() + 1;
    let cap = if c.edge_case == EdgeCase::Index {
        Cell::Null
    } else {
        cap_cell(c, now.cap)
    };
    table.push([
        text(c.symbol.as_str()),
        text(c.name.as_str()),
        price(bar.close),
        dec((bar.close / previous - 1.0) * 100.0, 5),
        dec(bar.close - previous, 4),
        volume_cell(bar.volume),
        price(bar.low),
        price(bar.high),
        price(now.high()),
        price(now.low()),
        cap,
        dec(now.mean(50, |b| b.close), 4),
        dec(now.mean(200, |b| b.close), 5),
        text(if c.edge_case == EdgeCase::Index { "INDEX" } else { c.exchange.0 }),
        price(bar.open),
        price(previous),
        Cell::Int(closed_at),
    ]);
}

/// Adds a company's row of `batch-quote-short`.
pub(super) fn quote_short<'a>(table: &mut Table<'a>, world: &World, c: &'a Company) {
    if let [before, bar] = prices::newest(world, c, 2)[..] {
        let change = dec(bar.close - before.close, 4);
        table.push([text(c.symbol.as_str()), price(bar.close), change, volume_cell(bar.volume)]);
    }
}

/// Adds a company's row of `market-capitalization-batch`, unless it has no market cap.
pub(super) fn market_cap<'a>(table: &mut Table<'a>, world: &World, c: &'a Company) {
    if matches!(c.edge_case, EdgeCase::NoMarketCap | EdgeCase::Index) {
        return;
    }
    if let Some(bar) = prices::newest(world, c, 1).first() {
        table.push([text(c.symbol.as_str()), Cell::Date(bar.day), cap_cell(c, bar.close * shares(world, c))]);
    }
}

/// Adds a `dividends` row for each event, in order. The field `yield` is four times the dividend in
/// percent of the close on the ex-date.
pub(super) fn dividends<'a>(
    table: &mut Table<'a>,
    world: &World,
    c: &'a Company,
    events: &[events::Dividend],
) {
    for d in events {
        let amount = events::adjusted(world, c, d);
        let close = prices::close_on(world, c, d.ex.min(world.today));
        table.push([
            text(c.symbol.as_str()),
            Cell::Date(d.ex),
            Cell::Date(d.record),
            Cell::Date(d.payment),
            Cell::Date(d.declaration),
            dec(amount, 6),
            dec(d.amount, 6),
            float(if close > 0.0 { amount * 400.0 / close } else { 0.0 }),
            text(events::frequency(c)),
        ]);
    }
}

/// Adds a `splits` row for each split up to today, newest first.
pub(super) fn splits<'a>(table: &mut Table<'a>, world: &World, c: &'a Company) {
    for split in events::splits(world, c) {
        table.push([
            text(c.symbol.as_str()),
            Cell::Date(split.day),
            Cell::Int(split.numerator),
            Cell::Int(split.denominator),
            text("stock-split"),
        ]);
    }
}

/// Adds a company's row of `shares-float`. The numbers of a fund are 0.
pub(super) fn shares_float<'a>(table: &mut Table<'a>, world: &World, c: &'a Company) {
    let outstanding = if c.edge_case == EdgeCase::Etf { 0.0 } else { shares(world, c) };
    let free = if c.edge_case == EdgeCase::Etf {
        0.0
    } else {
        c.draw.item(PROFILE).between(20, 60.0, 99.9)
    };
    let all = [
        text(c.symbol.as_str()),
        text(format!("{} 21:13:45", world.today)),
        float(free),
        dec(outstanding * free / 100.0, if c.edge_case == EdgeCase::FractionalVolume { 5 } else { 0 }),
        dec(outstanding, 1),
        text(format!("https://www.sec.gov/Archives/edgar/data/{}/", c.cik)),
    ];
    let width = table.fields.len();
    table.push(all.into_iter().take(width));
}
