//! Dividends and splits of a company.

use super::company::{Company, Split};
use super::edge_cases::EdgeCase;
use super::world::World;
use chrono::{Datelike, Duration, NaiveDate};

const DIVIDENDS: u64 = 30;

/// One declared dividend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dividend {
    pub ex: NaiveDate,
    pub record: NaiveDate,
    pub payment: NaiveDate,
    pub declaration: NaiveDate,
    /// Dollars per share as declared, not adjusted for later splits.
    pub amount: f64,
}

/// The dividend of one calendar quarter (1 to 4), even if it is not declared yet. `None` if the
/// company pays no dividend in the quarter.
fn dividend(world: &World, company: &Company, year: i32, quarter: u32) -> Option<Dividend> {
    if company.dividend == 0.0 {
        return None;
    }
    let draw = company.draw.item(DIVIDENDS);
    let month = (quarter - 1) * 3 + 1 + draw.whole(0, 0, 2) as u32;
    let number =
        world
            .calendar
            .at_or_after(NaiveDate::from_ymd_opt(year, month, draw.whole(1, 4, 24) as u32)?);
    let ex = world.calendar.day(number)?;
    // Trades settled in two days until 27 May 2024 and settle in one day since then. So the record
    // date is the ex-date now, and was the next trading day before.
    let t1 = ex >= NaiveDate::from_ymd_opt(2024, 5, 28)?;
    let record = if t1 { ex } else { world.calendar.day(number + 1)? };
    let listed = ex > company.ipo + Duration::days(365) && company.delisted.is_none_or(|d| ex < d);
    let final_basis = company.dividend / 4.0 * 1.05f64.powi(year - 2025);
    let amount = (final_basis * company.basis(ex) * 1_000.0).round() / 1_000.0;
    (listed && amount > 0.0).then(|| Dividend {
        ex,
        record,
        payment: ex + Duration::days(draw.whole(2, 10, 28)),
        declaration: ex - Duration::days(draw.whole(3, 20, 40)),
        amount,
    })
}

/// Dividends with an ex-date in `from..=to`, oldest first. Includes dividends that are not declared
/// yet.
pub(super) fn dividends(world: &World, company: &Company, from: NaiveDate, to: NaiveDate) -> Vec<Dividend> {
    let quarters = (from.year()..=to.year()).flat_map(|y| (1..=4).map(move |q| (y, q)));
    quarters
        .filter_map(|(y, q)| dividend(world, company, y, q))
        .filter(|d| (from..=to).contains(&d.ex))
        .collect()
}

/// Dividends paid in `from..=to`, in dollars per share, adjusted for all splits.
pub(super) fn paid(world: &World, company: &Company, from: NaiveDate, to: NaiveDate) -> f64 {
    dividends(world, company, from - Duration::days(40), to)
        .iter()
        .filter(|d| (from..=to).contains(&d.payment))
        .map(|d| d.amount / company.basis(d.ex))
        .sum()
}

/// Dividends that are declared by today, newest first: those of the last 15 years and upcoming
/// dividends.
pub(super) fn declared(world: &World, company: &Company) -> Vec<Dividend> {
    let from = world.today - Duration::days(15 * 365);
    let mut known = dividends(world, company, from, world.today + Duration::days(60));
    known.retain(|d| d.declaration <= world.today);
    known.reverse();
    known
}

/// The amount of a dividend in dollars per share, adjusted for splits up to today.
pub(super) fn adjusted(world: &World, company: &Company, dividend: &Dividend) -> f64 {
    dividend.amount * company.basis(world.today) / company.basis(dividend.ex)
}

/// Sum of the newest four dividends in dollars per share, adjusted for splits up to today. If the
/// company stopped paying, sum of those with an ex-date in the last 365 days.
pub(super) fn last_year(world: &World, company: &Company) -> f64 {
    let paid = dividends(world, company, world.today - Duration::days(550), world.today);
    let from = match paid.last() {
        Some(newest) if world.today - newest.ex < Duration::days(137) => world.today - Duration::days(550),
        _ => world.today - Duration::days(364),
    };
    let of_year = paid.iter().rev().take(4).filter(|d| d.ex >= from);
    of_year.map(|d| adjusted(world, company, d)).sum()
}

/// Splits up to today, newest first.
pub(super) fn splits(world: &World, company: &Company) -> Vec<Split> {
    let mut known: Vec<Split> = company.splits.iter().copied().filter(|s| s.day <= world.today).collect();
    known.sort_by_key(|s| std::cmp::Reverse(s.day));
    known
}

/// The `frequency` field of a dividend.
pub(super) fn frequency(company: &Company) -> &'static str {
    if company.edge_case == EdgeCase::Nulls { "" } else { "Quarterly" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dividends_are_quarterly_and_follow_splits() {
        let today = NaiveDate::from_ymd_opt(2026, 9, 18).expect("date");
        let world = World::new(7, 503, today, None, 0);
        let company = world.company("SPLIT").expect("company");
        let known = declared(&world, &company);
        assert!((55..=62).contains(&known.len()), "{}", known.len());
        assert!(known.windows(2).all(|w| w[0].ex > w[1].ex));
        let old = known.last().expect("one");
        assert!((old.amount / adjusted(&world, &company, old) - 4.0).abs() < 1e-9);
        assert_eq!(splits(&world, &company).len(), 1);
    }
}
