//! Apple, NVIDIA and Alphabet as filed with the SEC, through a whole run without FMP's data. The
//! responses are built from single quarters, and the expected figures are computed from full years
//! and year-to-date periods. So the two sides share no numbers except the balances.

mod answers;
mod facts;

use std::{collections::BTreeMap, sync::OnceLock};

use chrono::NaiveDate;
use findata_pipeline::run::Status;
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
const ALPHABET: Company = Company {
    symbol: "GOOGL",
    file: "companyfacts_GOOGL_0001652044.json",
    splits: &[("2022-07-18", 20)],
};

/// The compared columns: in the twelve-month table, and in the table of fiscal years.
const FLOWS: [(&str, &str, Item); 3] = [
    ("ttm_revenue", "revenue", Item::Revenue),
    ("ttm_net_income", "net_income", Item::NetIncome),
    ("ttm_operating_cash_flow", "operating_cash_flow", Item::OperatingCash),
];
const BALANCES: [(&str, &str, Item); 2] = [
    ("latest_total_assets", "total_assets", Item::Assets),
    ("latest_stockholders_equity", "stockholders_equity", Item::Equity),
];

/// The largest difference between a filed year-to-date amount and the sum of the filed quarters, in
/// dollars. Filers round each amount to a million.
const ROUNDING: i64 = 2_000_000;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

struct CompanyRun {
    facts: Facts,
    home: Home,
}

fn run(company: &Company, fourth: FourthQuarter) -> Option<CompanyRun> {
    let facts = Facts::read(company.file)?;
    let (server, home) = (replay(company, &facts, fourth).start(), Home::new());
    let summary = Job::new(server.url(), &[company.symbol])
        .on(day("2026-06-01"))
        .with(|o| (o.quarters, o.years, o.prices_from) = (80, 20, NaiveDate::from_ymd_opt(2026, 5, 25)))
        .run_ok(&home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    assert!(summary.rows.values().all(|rows| rows.quarantined == 0), "{:?}", summary.rows);
    Some(CompanyRun { facts, home })
}

/// Runs of the three companies with computed fourth quarters, made once; `None` if the SEC facts
/// are not available.
fn runs() -> Option<&'static [(Company, CompanyRun)]> {
    static RUNS: OnceLock<Option<Vec<(Company, CompanyRun)>>> = OnceLock::new();
    let all = || {
        let companies = [APPLE, NVIDIA, ALPHABET].into_iter();
        companies
            .map(|company| run(&company, FourthQuarter::Computed).map(|runs| (company, runs)))
            .collect()
    };
    RUNS.get_or_init(all).as_deref()
}

/// A flow of the twelve months up to a day, computed without single quarters. At a year end it is
/// the fiscal year. On other days it is the last fiscal year plus the year to date, minus the same
/// months a year earlier.
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

/// The quarter end that is a year earlier.
fn year_before(facts: &Facts, end: NaiveDate) -> Option<NaiveDate> {
    facts
        .ends(Item::NetIncome, Span::Quarter)
        .find(|e| (350..=380).contains(&(end - *e).num_days()))
}

/// The sum of the quarters of a year to date, minus the filed year-to-date amount. The difference
/// comes from the filer's rounding.
fn quarters_excess(facts: &Facts, item: Item, end: NaiveDate) -> Option<i64> {
    let newest = facts.quarters.iter().find(|q| q.end == end)?;
    let amount = |n: u32| {
        let quarter = facts.quarters.iter().find(|q| (q.year, q.number) == (newest.year, n))?;
        facts.amount(item, Span::Quarter, quarter.end)
    };
    let sum: Option<i64> = (1..=newest.number).map(amount).sum();
    Some(sum? - facts.amount(item, Span::to_date(newest.number), end)?)
}

/// The sum of four quarters minus the twelve months. The difference comes from the filer's
/// rounding.
fn rounding(facts: &Facts, item: Item, end: NaiveDate) -> Option<i64> {
    Some(quarters_excess(facts, item, end)? - quarters_excess(facts, item, year_before(facts, end)?)?)
}

/// Returns the rows of a query by their first column, which is a date.
fn by_day(home: &Home, query: &str) -> BTreeMap<NaiveDate, Vec<Option<String>>> {
    home.rows(query).into_iter().map(|mut row| (day(&row.remove(0).unwrap()), row)).collect()
}

/// Compares every twelve-month window and fiscal year after a day exactly. Returns the numbers of
/// windows, of years, and of sums that the filer's rounding changes.
fn compare(
    company: &Company,
    CompanyRun { facts, home }: &CompanyRun,
    from: NaiveDate,
) -> (usize, usize, usize) {
    let columns = |names: &[&str]| names.join(", ");
    let (ttm, year): (Vec<&str>, Vec<&str>) =
        FLOWS.iter().chain(&BALANCES).map(|(ttm, year, _)| (*ttm, *year)).unzip();
    let twelve = by_day(
        home,
        &format!(
            "select fiscal_date, {} from analytics.fact_financials_ttm where status = 'ok' \
             and latest_total_assets is not null and fiscal_date > '{from}'",
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
        "{}: one twelve-month window per balance sheet",
        company.symbol
    );
    let (mut wrong, mut rounded) = (Vec::new(), 0);
    let mut check = |column: &str, end: NaiveDate, ours: Option<&String>, filed: i64| {
        let wanted = format!("{filed}.0");
        if ours != Some(&wanted) {
            wrong.push(format!("{} {end} {column}: {ours:?} instead of {wanted}", company.symbol));
        }
    };
    for end in &ends {
        for (n, (column, _, item)) in FLOWS.iter().enumerate() {
            let filed =
                twelve_months(facts, *item, *end).unwrap_or_else(|| panic!("{column} {end} was not filed"));
            // There is no rounding in the sum of a fiscal year, because its fourth quarter is
            // computed from the year. There is none in cash flows either, because their quarters
            // are computed from year-to-date amounts.
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
fn twelve_months_and_years_of_three_companies_equal_their_filings() {
    let Some(runs) = runs() else { return };
    // Compares the years since fiscal 2015.
    let all = |(company, runs): &(Company, CompanyRun)| {
        (company.symbol, compare(company, runs, runs.facts.year_end(2014)))
    };
    let compared: Vec<_> = runs.iter().map(all).collect();
    assert_eq!(compared, [("AAPL", (45, 11, 0)), ("NVDA", (49, 12, 15)), ("GOOGL", (43, 11, 1))]);
}

#[test]
fn a_computed_fourth_quarter_equals_the_filed_one() {
    let Some(runs) = runs() else { return };
    // Alphabet never filed a fourth quarter.
    for ((company, CompanyRun { facts, home }), wanted) in runs.iter().zip([(12, 0), (9, 3), (0, 0)]) {
        let ours = by_day(
            home,
            "select fiscal_date, revenue, net_income from analytics.fact_financials where period_type = 'Q4' and fiscal_date > '2014-12-31'",
        );
        let (mut equal, mut rounded) = (0, 0);
        for (end, row) in &ours {
            for (item, ours) in [Item::Revenue, Item::NetIncome].into_iter().zip(row) {
                let Some(filed) = facts.amount(item, Span::Quarter, *end) else {
                    continue;
                };
                let above =
                    ours.as_ref().unwrap().strip_suffix(".0").unwrap().parse::<i64>().unwrap() - filed;
                assert!(
                    above.abs() <= ROUNDING,
                    "{} {end} {item:?}: {ours:?} instead of {filed}",
                    company.symbol
                );
                *if above == 0 { &mut equal } else { &mut rounded } += 1;
            }
        }
        assert_eq!((equal, rounded), wanted, "{}", company.symbol);
    }
}

#[test]
fn an_unreported_fourth_quarter_is_derived_and_gives_the_same_figures() {
    for (company, derived) in [(APPLE, 11), (NVIDIA, 12), (ALPHABET, 11)] {
        let Some(left_out) = run(&company, FourthQuarter::LeftOut) else {
            return;
        };
        // Alphabet did not file the first quarters of 2014 separately, so windows that reach into
        // that year are left out.
        let since = left_out.facts.year_end(2014).max(if company.symbol == "GOOGL" {
            day("2015-09-30")
        } else {
            day("2014-01-01")
        });
        let (ends, ..) = compare(&company, &left_out, since);
        assert!(ends > 40, "{}: {ends}", company.symbol);
        let marked = "select count(*) from analytics.fact_financials where is_derived and period_type = 'Q4' and fiscal_date >";
        assert_eq!(left_out.home.count(&format!("{marked} '{since}'")), derived, "{}", company.symbol);
        let unmarked = "select count(*) from analytics.fact_financials_ttm where status = 'ok' and quarters_derived <> 1 and fiscal_date >";
        assert_eq!(
            left_out.home.count(&format!("{unmarked} '{since}'")),
            0,
            "every window has exactly one derived quarter"
        );
    }
}

/// A 10-Q states a share count on the split basis of its time. A year later, another 10-Q states
/// the same count on the new basis, so the filings give the expected result of the conversion.
#[test]
fn share_counts_before_a_split_match_the_counts_filed_after_it() {
    let Some(runs) = runs() else { return };
    // Alphabet files counts per share class, so it has none to compare.
    for ((company, CompanyRun { facts, home }), wanted) in runs.iter().zip([3, 6, 0]) {
        let ours = by_day(
            home,
            "select fiscal_date, latest_shares_outstanding_diluted from analytics.fact_financials_ttm where fiscal_date > '2014-12-31'",
        );
        let later = |filed: NaiveDate| -> i64 {
            company.splits.iter().filter(|(on, _)| day(on) > filed).map(|(_, new)| *new).product()
        };
        let mut restated = 0;
        for (end, row) in &ours {
            let Some((first, last)) = facts.days(Item::SharesDiluted, Span::Quarter, *end) else {
                continue;
            };
            let filed = facts.amount(Item::SharesDiluted, Span::Quarter, *end).unwrap() * later(last);
            let ours: f64 = row[0].as_ref().unwrap().parse().unwrap();
            // The tolerance is 0.5 %, because NVIDIA reports counts in millions and restated two
            // quarters for other reasons than the split.
            assert!(
                (ours / filed as f64 - 1.0).abs() < 5e-3,
                "{} {end}: {ours} instead of {filed}",
                company.symbol
            );
            restated += usize::from(later(first) != later(last));
        }
        assert_eq!(restated, wanted, "{}", company.symbol);
    }
}
