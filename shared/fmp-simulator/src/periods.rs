//! Fiscal periods: when a company's quarters end, when the company files them, and which quarters
//! are published by today.

use super::calendar::weekend;
use super::company::Company;
use super::edge_cases::{EdgeCase, Fiscal};
use super::world::World;
use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime};

const FILING: u64 = 40;
const REVISION: u64 = 41;
/// In each revision, one in this many ordinary companies restates a quarter.
const RESTATES_ONE_IN: u64 = 40;

/// A fiscal quarter, or a half-year of a company that reports half-years.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quarter {
    pub fiscal_year: i32,
    /// Number of the quarter, 1 to 4. The half-years of a year have the numbers 2 and 4.
    pub number: u32,
    pub start: NaiveDate,
    pub end: NaiveDate,
    /// Whether the fiscal year ends with this quarter.
    pub last: bool,
}

/// Filing date and time of acceptance of a report, in US Eastern time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Filed {
    pub on: NaiveDate,
    pub accepted: NaiveDateTime,
}

fn month_end(year: i32, month: i64) -> NaiveDate {
    let months = i64::from(year) * 12 + month;
    let first = NaiveDate::from_ymd_opt(months.div_euclid(12) as i32, months.rem_euclid(12) as u32 + 1, 1);
    first.unwrap_or_default() - Duration::days(1)
}

/// The last day of a fiscal year.
fn year_end(fiscal: Fiscal, year: i32) -> NaiveDate {
    match fiscal {
        Fiscal::Month(month) | Fiscal::Halves(month) => month_end(year, i64::from(month)),
        Fiscal::Changed(last) if year <= last => month_end(year, 12),
        Fiscal::Changed(_) => month_end(year, 1),
        Fiscal::Weeks { month, nearest, back, .. } => {
            let end = month_end(year + back, i64::from(month));
            let days_since_saturday = i64::from((end.weekday().num_days_from_sunday() + 1) % 7);
            let saturday = end - Duration::days(days_since_saturday);
            if nearest && days_since_saturday > 3 {
                saturday + Duration::days(7)
            } else {
                saturday
            }
        }
    }
}

/// The quarters of a fiscal year, in order.
pub(super) fn quarters(fiscal: Fiscal, fiscal_year: i32) -> Vec<Quarter> {
    let end = year_end(fiscal, fiscal_year);
    let previous = year_end(fiscal, fiscal_year - 1);
    let ends: Vec<(u32, NaiveDate)> = match fiscal {
        Fiscal::Halves(_) => vec![(2, month_end(end.year(), i64::from(end.month()) - 6)), (4, end)],
        Fiscal::Changed(last) if fiscal_year == last + 1 => vec![(1, end)],
        Fiscal::Weeks { quarter, .. } => {
            let weeks = |n: i64| previous + Duration::weeks(n * quarter);
            vec![(1, weeks(1)), (2, weeks(2)), (3, weeks(3)), (4, end)]
        }
        _ => {
            let month = i64::from(end.month());
            (1..=4).map(|q| (q, month_end(end.year(), month - 3 * (4 - i64::from(q))))).collect()
        }
    };
    let mut start = previous + Duration::days(1);
    let mut out = Vec::with_capacity(4);
    for (number, quarter_end) in ends {
        out.push(Quarter {
            fiscal_year,
            number,
            start,
            end: quarter_end,
            last: quarter_end == end,
        });
        start = quarter_end + Duration::days(1);
    }
    out
}

/// When a quarter is filed: 25 to 60 days after its end, on a weekday. About half of the companies
/// file before the market opens.
pub(super) fn filed(company: &Company, quarter: &Quarter) -> Filed {
    let draw = company.draw.item(FILING);
    let index = i64::from(quarter.end.num_days_from_ce());
    let usual_delay = draw.whole(0, 27, 37) + if quarter.last { 14 } else { 0 };
    let mut day = quarter.end + Duration::days((usual_delay + draw.whole(index, -2, 6)).clamp(27, 57));
    while weekend(day) {
        day += Duration::days(1);
    }
    let minute = draw.whole(index + 1_000_000, 0, 59) as u32;
    let second = draw.whole(index + 2_000_000, 0, 59) as u32;
    let late = draw.chance(index + 3_000_000, 0.05);
    let hour = match draw.whole(1, 0, 9) {
        _ if late => 18,
        0..=4 => draw.whole(index + 4_000_000, 6, 8) as u32,
        5 => 12,
        _ => 16 + u32::from(minute < 15),
    };
    let time = NaiveTime::from_hms_opt(hour, minute.max(1), second).unwrap_or_default();
    // Filings accepted after 17:30 get the next business day as their filing date.
    let mut on = if late { day + Duration::days(1) } else { day };
    while weekend(on) {
        on += Duration::days(1);
    }
    Filed { on, accepted: day.and_time(time) }
}

/// The day of revision `r` (1, 2, ...). The newest revision is dated today. Each earlier revision
/// is one day older.
fn revision_day(world: &World, r: u32) -> NaiveDate {
    world.today - Duration::days(i64::from(world.revision.saturating_sub(r)))
}

fn revised(world: &World, r: u32) -> Filed {
    let on = revision_day(world, r);
    Filed {
        on,
        accepted: on.and_time(NaiveTime::from_hms_opt(6, 45, 10).unwrap_or_default()),
    }
}

/// The newest filing that restated a quarter; `None` if the quarter was not restated.
///
/// Only the first quarter (or half-year) of the fiscal year before the anchor's is ever restated.
/// It is old, but still among the newest eight quarters, which findata requests.
pub(super) fn restated(world: &World, company: &Company, quarter: &Quarter) -> Option<Filed> {
    let first = quarter.fiscal_year == world.anchor.year() - 1 && quarter.number <= 2 && !quarter.last;
    if !first || (quarter.number == 2) != matches!(company.fiscal, Fiscal::Halves(_)) {
        return None;
    }
    let draw = company.draw.item(REVISION);
    (1..=world.revision)
        .rev()
        .find(|r| match company.edge_case {
            EdgeCase::Restates => *r == 1,
            EdgeCase::Ordinary => draw.bits(i64::from(*r)).is_multiple_of(RESTATES_ONE_IN),
            _ => false,
        })
        .map(|r| revised(world, r))
}

/// The published quarters of the current fiscal year and the ten years before it, oldest first.
/// Each has its latest filing.
pub(super) fn published(world: &World, company: &Company) -> Vec<(Quarter, Filed)> {
    if !company.reports() {
        return Vec::new();
    }
    let this_year = world.today.year();
    let first = (this_year - 10).max(company.ipo.year() - 2);
    let mut out = Vec::with_capacity(48);
    for year in first..=this_year + 1 {
        for quarter in quarters(company.fiscal, year) {
            let filing = filed(company, &quarter);
            if filing.accepted.date() <= world.today && exists(world, company, &quarter) {
                out.push((quarter, restated(world, company, &quarter).unwrap_or(filing)));
            }
        }
    }
    match company.edge_case {
        EdgeCase::FreshIpo => drop(out.drain(..out.len().saturating_sub(2))),
        EdgeCase::NewQuarter if world.revision == 0 => drop(out.pop()),
        EdgeCase::NewQuarter => {
            if let Some((_, filing)) = out.last_mut() {
                *filing = revised(world, 1);
            }
        }
        _ => {}
    }
    out
}

/// The end of the newest published quarter. This is cheaper than [`published`], which lists all
/// quarters.
pub(super) fn newest_end(world: &World, company: &Company) -> Option<NaiveDate> {
    let this_year = world.today.year();
    let known = |q: &Quarter| filed(company, q).accepted.date() <= world.today && exists(world, company, q);
    if !company.reports() {
        return None;
    }
    (this_year - 1..=this_year + 1)
        .rev()
        .flat_map(|y| quarters(company.fiscal, y).into_iter().rev())
        .find(known)
        .map(|q| q.end)
}

/// Whether the company publishes this quarter, now or later.
fn exists(world: &World, company: &Company, quarter: &Quarter) -> bool {
    match company.edge_case {
        EdgeCase::MissingQuarter => !missing(world, quarter),
        EdgeCase::Delisted => company.delisted.is_none_or(|d| quarter.end < d - Duration::days(60)),
        EdgeCase::Stale => quarter.end < world.anchor - Duration::days(300),
        _ => true,
    }
}

/// The quarter that [`EdgeCase::MissingQuarter`] never published.
pub(super) fn missing(world: &World, quarter: &Quarter) -> bool {
    quarter.fiscal_year == world.anchor.year() - 1 && quarter.number == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).expect("date")
    }

    fn ends(fiscal: Fiscal, year: i32) -> Vec<NaiveDate> {
        quarters(fiscal, year).iter().map(|q| q.end).collect()
    }

    #[test]
    fn fiscal_years_end_on_the_same_days_as_real_ones() {
        let apple = Fiscal::Weeks { month: 9, nearest: false, back: 0, quarter: 13 };
        assert_eq!(
            ends(apple, 2025),
            [date(2024, 12, 28), date(2025, 3, 29), date(2025, 6, 28), date(2025, 9, 27)]
        );
        assert_eq!(ends(apple, 2023)[3], date(2023, 9, 30));
        let retail = Fiscal::Weeks { month: 1, nearest: true, back: 1, quarter: 13 };
        assert_eq!(ends(retail, 2023)[3], date(2024, 2, 3));
        assert_eq!(quarters(retail, 2023).iter().map(|q| (q.end - q.start).num_days() + 1).sum::<i64>(), 371);
        assert_eq!(
            ends(Fiscal::Month(6), 2024),
            [date(2023, 9, 30), date(2023, 12, 31), date(2024, 3, 31), date(2024, 6, 30)]
        );
        assert_eq!(ends(Fiscal::Month(1), 2025)[0], date(2024, 4, 30));
        assert_eq!(ends(Fiscal::Halves(6), 2025), [date(2024, 12, 31), date(2025, 6, 30)]);
        let changed = Fiscal::Changed(2024);
        assert_eq!(ends(changed, 2025), [date(2025, 1, 31)]);
        assert_eq!(ends(changed, 2026)[0], date(2025, 4, 30));
        assert_eq!(quarters(changed, 2026)[0].start, date(2025, 2, 1));
    }

    #[test]
    fn quarters_are_contiguous_and_filed_within_60_days() {
        let world = World::new(3, 200, date(2026, 9, 18), None, 0);
        for company in world.companies() {
            let all: Vec<Quarter> = (2015..2027).flat_map(|y| quarters(company.fiscal, y)).collect();
            assert!(all.windows(2).all(|w| w[0].end + Duration::days(1) == w[1].start), "{}", company.symbol);
            for quarter in &all {
                let days = (filed(&company, quarter).accepted.date() - quarter.end).num_days();
                assert!((25..=60).contains(&days), "{} {days}", company.symbol);
            }
            for (_, filing) in published(&world, &company) {
                assert!(filing.accepted.date() <= world.today);
            }
        }
    }

    #[test]
    fn a_revision_restates_some_quarters_and_publishes_a_new_one() {
        let at = |revision| World::new(3, 500, date(2026, 9, 18), None, revision);
        let (base, next) = (at(0), at(1));
        let fresh = |w: &World| published(w, &w.company("FRESH").expect("company"));
        assert_eq!(fresh(&base).len() + 1, fresh(&next).len());
        let changed = base
            .companies()
            .filter(|c| published(&base, c) != published(&next, &next.company(&c.symbol).expect("company")))
            .count();
        assert!((5..40).contains(&changed), "{changed}");
    }
}
