//! Apple, NVIDIA and Alphabet as they filed with the SEC, through the whole job: a source that FMP has no part in. The answers are
//! made of single quarters, and the figures they must lead to are taken from years and years to date, so that the two
//! sides share no number but the balances.

mod answers;
mod facts;

use std::{collections::BTreeMap, sync::OnceLock};

use chrono::NaiveDate;
use findata_shared::run::Status;
use findata_tests::{Home, Job};

use self::{
    answers::{Company, FourthQuarter, replay},
    facts::{Facts, Item, Span},
};

const APPLE: Company = Company {
    symbol: "AAPL",
    file: "companyfacts_AAPL_0000320193.json",
    splits: &[("2014-06-09", 7), ("2020-08-31", 4)],
};
const NVIDIA: Company = Company {
    symbol: "NVDA",
    file: "companyfacts_NVDA_0001045810.json",
    splits: &[("2021-07-20", 4), ("2024-06-10", 10)],
};
const ALPHABET: Company =
    Company { symbol: "GOOGL", file: "companyfacts_GOOGL_0001652044.json", splits: &[("2022-07-18", 20)] };

/// The columns that are compared, of twelve months and of a fiscal year.
const FLOWS: [(&str, &str, Item); 3] = [
    ("ttm_revenue", "revenue", Item::Revenue),
    ("ttm_net_income", "net_income", Item::NetIncome),
    ("ttm_operating_cash_flow", "operating_cash_flow", Item::OperatingCash),
];
const BALANCES: [(&str, &str, Item); 2] = [
    ("latest_total_assets", "total_assets", Item::Assets),
    ("latest_stockholders_equity", "stockholders_equity", Item::Equity),
];

/// The most by which years to date as filed may differ from their quarters as filed: each is rounded to a million by itself.
const ROUNDING: i64 = 2_000_000;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

struct Ran {
    facts: Facts,
    home: Home,
}

fn run(company: &Company, fourth: FourthQuarter) -> Option<Ran> {
    let facts = Facts::read(company.file)?;
    let (server, home) = (replay(company, &facts, fourth).start(), Home::new());
    let summary = Job::new(server.url(), &[company.symbol])
        .on(day("2026-06-01"))
        .with(|o| (o.quarters, o.years, o.prices_from) = (80, 20, NaiveDate::from_ymd_opt(2026, 5, 25)))
        .run_ok(&home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    assert!(summary.rows.values().all(|rows| rows.quarantined == 0), "{:?}", summary.rows);
    Some(Ran { facts, home })
}

/// The companies with computed fourth quarters, run once; nothing where their facts are absent.
fn ran() -> Option<&'static [(Company, Ran)]> {
    static RAN: OnceLock<Option<Vec<(Company, Ran)>>> = OnceLock::new();
    let all = || {
        let companies = [APPLE, NVIDIA, ALPHABET].into_iter();
        companies.map(|company| run(&company, FourthQuarter::Computed).map(|ran| (company, ran))).collect()
    };
    RAN.get_or_init(all).as_deref()
}

/// A flow of the twelve months up to a day, without a single quarter in it: the fiscal year, or the last one with the year to date in
/// place of the same months a year before.
fn twelve_months(facts: &Facts, item: Item, end: NaiveDate) -> Option<i64> {
    if let Some(year) = facts.amount(item, Span::Year, end) {
        return Some(year);
    }
    let year_end = facts.year_end_before(end)?;
    let to_date = |end: NaiveDate, since: NaiveDate| {
        let number = ((end - since).num_days() as f64 / 91.25).round() as u32;
        facts.amount(item, Span::to_date(number), end)
    };
    let (before, since) = (year_before(facts, end)?, facts.year_end_before(year_end)?);
    Some(facts.amount(item, Span::Year, year_end)? + to_date(end, year_end)? - to_date(before, since)?)
}

/// The period end a year before.
fn year_before(facts: &Facts, end: NaiveDate) -> Option<NaiveDate> {
    facts.ends(Item::NetIncome, Span::Quarter).find(|e| (350..=380).contains(&(end - *e).num_days()))
}

/// By how much more the quarters of a year to date come to than the year to date itself, as filed.
fn quarters_above(facts: &Facts, item: Item, end: NaiveDate) -> Option<i64> {
    let newest = facts.quarters.iter().find(|q| q.end == end)?;
    let amount = |n: u32| {
        let quarter = facts.quarters.iter().find(|q| (q.year, q.number) == (newest.year, n))?;
        facts.amount(item, Span::Quarter, quarter.end)
    };
    let sum: Option<i64> = (1..=newest.number).map(amount).sum();
    Some(sum? - facts.amount(item, Span::to_date(newest.number), end)?)
}

/// By how much four quarters are above the twelve months, for the filer's rounding alone.
fn rounding(facts: &Facts, item: Item, end: NaiveDate) -> Option<i64> {
    Some(quarters_above(facts, item, end)? - quarters_above(facts, item, year_before(facts, end)?)?)
}

/// Rows of a query by their first column, an ISO date.
fn by_day(home: &Home, query: &str) -> BTreeMap<NaiveDate, Vec<Option<String>>> {
    home.rows(query).into_iter().map(|mut row| (day(&row.remove(0).unwrap()), row)).collect()
}

/// Compares every quarter and year after a day to the last digit; says how many of each, and how many sums the filer's own
/// rounding moves.
fn compare(company: &Company, Ran { facts, home }: &Ran, from: NaiveDate) -> (usize, usize, usize) {
    let columns = |names: &[&str]| names.join(", ");
    let (ttm, year): (Vec<&str>, Vec<&str>) = FLOWS.iter().chain(&BALANCES).map(|(ttm, year, _)| (*ttm, *year)).unzip();
    let twelve = by_day(
        home,
        &format!(
            "select fiscal_date, {} from analytics.fact_financials_ttm where status = 'ok' and fiscal_date > '{from}'",
            columns(&ttm)
        ),
    );
    let years = by_day(
        home,
        &format!(
            "select fiscal_date, {} from analytics.fact_financials where period_type = 'FY' and fiscal_date > '{from}'",
            columns(&year)
        ),
    );
    let ends: Vec<NaiveDate> = facts.ends(Item::Assets, Span::Instant).filter(|end| *end > from).collect();
    assert_eq!(
        twelve.keys().copied().collect::<Vec<_>>(),
        ends,
        "{}: a window for every balance sheet",
        company.symbol
    );
    let (mut wrong, mut rounded) = (Vec::new(), 0);
    let mut check = |column: &str, end: NaiveDate, ours: Option<&String>, filed: i64| {
        let wanted = format!("{filed}.000000");
        if ours != Some(&wanted) {
            wrong.push(format!("{} {end} {column}: {ours:?} instead of {wanted}", company.symbol));
        }
    };
    for end in &ends {
        for (n, (column, _, item)) in FLOWS.iter().enumerate() {
            let filed = twelve_months(facts, *item, *end).unwrap_or_else(|| panic!("{column} {end} was not filed"));
            // A year is the sum of its quarters by the making of the fourth, and a year to date of cash flows is where they are from.
            let above = match facts.amount(*item, Span::Year, *end) {
                None if *item != Item::OperatingCash => rounding(facts, *item, *end).unwrap_or_default(),
                _ => 0,
            };
            assert!(above.abs() <= ROUNDING, "{} {end} {column}: {above}", company.symbol);
            rounded += usize::from(above != 0);
            check(column, *end, twelve[end][n].as_ref(), filed + above);
        }
        for (n, (column, _, item)) in BALANCES.iter().enumerate() {
            check(
                column,
                *end,
                twelve[end][FLOWS.len() + n].as_ref(),
                facts.amount(*item, Span::Instant, *end).unwrap(),
            );
        }
    }
    for (end, row) in &years {
        for (n, (_, column, item)) in FLOWS.iter().chain(&BALANCES).enumerate() {
            let span = if n < FLOWS.len() { Span::Year } else { Span::Instant };
            check(column, *end, row[n].as_ref(), facts.amount(*item, span, *end).unwrap());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    (ends.len(), years.len(), rounded)
}

#[test]
fn twelve_months_and_years_of_three_companies_are_what_they_filed() {
    let Some(ran) = ran() else { return };
    // Since fiscal 2015.
    let all = |(company, ran): &(Company, Ran)| (company.symbol, compare(company, ran, ran.facts.year_end(2014)));
    let compared: Vec<_> = ran.iter().map(all).collect();
    assert_eq!(compared, [("AAPL", (45, 11, 0)), ("NVDA", (49, 12, 15)), ("GOOGL", (43, 11, 1))]);
}

#[test]
fn a_fourth_quarter_is_the_one_that_was_filed_where_it_was_filed() {
    let Some(ran) = ran() else { return };
    // Alphabet never filed one.
    for ((company, Ran { facts, home }), wanted) in ran.iter().zip([(12, 0), (9, 3), (0, 0)]) {
        let ours = by_day(
            home,
            "select fiscal_date, revenue, net_income from analytics.fact_financials where period_type = 'Q4' and fiscal_date > '2014-12-31'",
        );
        let (mut equal, mut rounded) = (0, 0);
        for (end, row) in &ours {
            for (item, ours) in [Item::Revenue, Item::NetIncome].into_iter().zip(row) {
                let Some(filed) = facts.amount(item, Span::Quarter, *end) else { continue };
                let above = ours.as_ref().unwrap().strip_suffix(".000000").unwrap().parse::<i64>().unwrap() - filed;
                assert!(above.abs() <= ROUNDING, "{} {end} {item:?}: {ours:?} instead of {filed}", company.symbol);
                *if above == 0 { &mut equal } else { &mut rounded } += 1;
            }
        }
        assert_eq!((equal, rounded), wanted, "{}", company.symbol);
    }
}

#[test]
fn a_fourth_quarter_that_nobody_reports_is_derived_and_leads_to_the_same_figures() {
    for (company, derived) in [(APPLE, 11), (NVIDIA, 12), (ALPHABET, 11)] {
        let Some(left_out) = run(&company, FourthQuarter::LeftOut) else { return };
        // Alphabet's first quarters of 2014 were not filed as such, so a window that reaches into that year is not to be had.
        let since = left_out.facts.year_end(2014).max(if company.symbol == "GOOGL" {
            day("2015-09-30")
        } else {
            day("2014-01-01")
        });
        let (ends, ..) = compare(&company, &left_out, since);
        assert!(ends > 40, "{}: {ends}", company.symbol);
        let marked =
            "select count(*) from analytics.fact_financials where is_derived and period_type = 'Q4' and fiscal_date >";
        assert_eq!(left_out.home.count(&format!("{marked} '{since}'")), derived, "{}", company.symbol);
        let unmarked = "select count(*) from analytics.fact_financials_ttm where status = 'ok' and quarters_derived <> 1 and fiscal_date >";
        assert_eq!(left_out.home.count(&format!("{unmarked} '{since}'")), 0, "every window has one fourth quarter");
    }
}

/// A share count before a split is in the 10-Q of its time on the old basis, and a year later, as a comparative, on the new one: the
/// company itself says what it must become.
#[test]
fn share_counts_before_a_split_become_what_was_filed_after_it() {
    let Some(ran) = ran() else { return };
    // Alphabet files counts by class of share.
    for ((company, Ran { facts, home }), wanted) in ran.iter().zip([3, 6, 0]) {
        let ours = by_day(
            home,
            "select fiscal_date, latest_shares_outstanding_diluted from analytics.fact_financials_ttm where fiscal_date > '2014-12-31'",
        );
        let later = |filed: NaiveDate| -> i64 {
            company.splits.iter().filter(|(on, _)| day(on) > filed).map(|(_, new)| *new).product()
        };
        let mut restated = 0;
        for (end, row) in &ours {
            let Some((first, last)) = facts.days(Item::SharesDiluted, Span::Quarter, *end) else { continue };
            let filed = facts.amount(Item::SharesDiluted, Span::Quarter, *end).unwrap() * later(last);
            let ours: f64 = row[0].as_ref().unwrap().parse().unwrap();
            // NVIDIA counts in millions, and restated two quarters for more than the split.
            assert!((ours / filed as f64 - 1.0).abs() < 5e-3, "{} {end}: {ours} instead of {filed}", company.symbol);
            restated += usize::from(later(first) != later(last));
        }
        assert_eq!(restated, wanted, "{}", company.symbol);
    }
}
