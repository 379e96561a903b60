//! Lists of the members of indices, and of the changes of these lists.

use super::company::Company;
use super::fields;
use super::table::{Cell, Table, text};
use super::world::World;
use chrono::{Datelike, Duration, NaiveDate};

/// Number of members of an index, by the first word of its endpoints. The members are the first companies of the
/// universe.
fn size(index: &str) -> usize {
    match index {
        "sp500" => 503,
        "nasdaq" => 100,
        _ => 30,
    }
}

/// The day on which a member joined, if that was before today.
fn joined(world: &World, company: &Company) -> Option<NaiveDate> {
    let day = company.ipo + Duration::days(1_500);
    (day < world.today && !company.cik.is_multiple_of(9)).then_some(day)
}

/// `sp500-constituent` and the same endpoint of another index.
pub(super) fn constituents(world: &World, index: &str) -> String {
    let mut table = Table::new(fields::CONSTITUENT);
    for c in world.companies().take(size(index)) {
        let added = joined(world, &c).map_or(Cell::Null, Cell::Date);
        table.push([
            text(c.symbol),
            text(c.name),
            text(c.sector),
            text(c.industry),
            text("Springfield, CA"),
            added,
            text(format!("{:010}", c.cik)),
            text(c.ipo.year().to_string()),
        ]);
    }
    table.json()
}

/// `historical-sp500-constituent` and the same endpoint of another index, newest first: each member with a day of
/// joining replaced a former member, which nothing else in the universe mentions. As at FMP, `date` is the day before
/// the change, `dateAdded` is in words, with and without a leading zero, and either side of a change may be absent.
pub(super) fn changes(world: &World, index: &str) -> String {
    let mut joined: Vec<(NaiveDate, Company)> = world
        .companies()
        .take(size(index))
        .filter_map(|company| Some((joined(world, &company)?, company)))
        .collect();
    joined.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.symbol.cmp(&b.1.symbol)));
    let mut table = Table::new(fields::INDEX_CHANGE);
    for (number, (day, company)) in joined.into_iter().enumerate() {
        let words = if number.is_multiple_of(3) { "%B %d, %Y" } else { "%B %-d, %Y" };
        let is_replacement = !number.is_multiple_of(7);
        let removed = |name: String| if is_replacement { text(name) } else { text("") };
        table.push([
            text(day.format(words).to_string()),
            text(company.name),
            removed(format!("OUT{number}")),
            removed(format!("Former Member {number}")),
            Cell::Date(day - Duration::days(1)),
            text(company.symbol),
            if number.is_multiple_of(2) {
                text("Market capitalization change")
            } else {
                Cell::Null
            },
        ]);
    }
    table.json()
}
