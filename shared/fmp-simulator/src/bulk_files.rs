//! The bulk files: CSV with rows of all companies, generated chunk by chunk.

use super::accounts::Accounts;
use super::statements::{self, Cadence, Statement};
use super::table::{Cell, Table, dec, text};
use super::world::World;
use super::{fields, history, lines, market, mutations, prices};
use chrono::NaiveDate;
use std::sync::Arc;

/// Companies per part of `profile-bulk`.
const COMPANIES_PER_PART: usize = 10_000;
/// Companies per chunk of a streamed file.
const COMPANIES_PER_CHUNK: usize = 100;

/// The chunks of a CSV file, with a hundred companies each. The first chunk starts with the header.
pub(super) type Chunks = Box<dyn Iterator<Item = String> + Send>;

fn chunks(
    world: Arc<World>,
    header: Table<'static>,
    skip: usize,
    take: usize,
    row: impl Fn(&World, &super::company::Company) -> String + Send + 'static,
) -> Chunks {
    let mut symbols = world.universe().skip(skip).take(take).peekable();
    let mut header_line = Some(header.csv(true));
    Box::new(std::iter::from_fn(move || {
        symbols.peek()?;
        let mut out = header_line.take().unwrap_or_default();
        for symbol in symbols.by_ref().take(COMPANIES_PER_CHUNK) {
            if let Some(company) = world.company(&symbol) {
                out.push_str(&row(&world, &company));
            }
        }
        Some(out)
    }))
}

/// A part of `profile-bulk`; `None` after the last part.
pub(super) fn profile_bulk(world: Arc<World>, part: usize) -> Option<Chunks> {
    if part.saturating_mul(COMPANIES_PER_PART) >= world.symbols {
        return None;
    }
    Some(chunks(
        world,
        Table::new(fields::PROFILE),
        part * COMPANIES_PER_PART,
        COMPANIES_PER_PART,
        |world, company| {
            let mut table = Table::new(fields::PROFILE);
            market::profile(&mut table, world, company);
            mutations::other(company.edge_case, &mut table);
            table.csv(false)
        },
    ))
}

/// `eod-bulk` of a day. The body is empty if the day is not a trading day.
pub(super) fn eod_bulk(world: Arc<World>, day: NaiveDate) -> Chunks {
    let number = world.calendar.at_or_after(day);
    if world.calendar.day(number) != Some(day) || number > world.last {
        return Box::new(std::iter::empty());
    }
    chunks(world, Table::new(fields::EOD_BULK), 0, usize::MAX, move |world, c| {
        let mut table = Table::new(fields::EOD_BULK);
        if let Some(bar) = prices::bars(world, c, number, number).first() {
            let close = |v: f64| dec(v, prices::places(v));
            table.push([
                text(c.symbol.as_str()),
                Cell::Date(bar.day),
                close(bar.open),
                close(bar.low),
                close(bar.high),
                close(bar.close),
                close(bar.close * history::dividend_factor(world, c, bar.day)),
                dec(bar.volume, 5),
            ]);
        }
        table.csv(false)
    })
}

/// A bulk file with one statement of all companies, for one fiscal year and period.
pub(super) fn statement_bulk(world: Arc<World>, statement: Statement, year: i32, cadence: Cadence) -> Chunks {
    chunks(world, lines::table(statement), 0, usize::MAX, move |world, company| {
        let accounts = Accounts::new(world, company);
        let mut table = lines::table(statement);
        // Only ten fiscal years and the current one are published, so older years are empty.
        for report in statements::reports_in_year(world, &accounts, cadence, year) {
            lines::push(&mut table, world, &accounts, &report, statement);
        }
        mutations::statement(company.edge_case, &mut table);
        table.csv(false)
    })
}
