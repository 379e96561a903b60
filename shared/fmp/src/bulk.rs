//! Which of FMP's bulk files serve which tasks. The planner counts them, extract asks for them.

mod unavailable;

use chrono::{Datelike, Days, NaiveDate};

use findata_domain::{
    catalog::{Dataset, Requests},
    nyse_calendar,
};
use findata_pipeline::plan::{Cadence, Task, Window};

pub use unavailable::{note_refused, refused};

/// Parts that `profile-bulk` has, with the call that finds its end, where nothing is known better (July 2026).
const PROFILE_PARTS: u64 = 5;
/// Parts after which no further one is asked for, whatever FMP says.
const MOST_PARTS: u32 = 40;
/// Rows of one file, of all exchanges, for the estimate of bytes.
const WORLD: u64 = 50_000;
/// Latest that a period's newest report comes after its end: a year's 20-F.
const FILED: Days = Days::new(120);

/// A file of `*-bulk`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// Path after `/stable/`.
    pub endpoint: &'static str,
    /// The query's parameters.
    pub parameters: Vec<(&'static str, String)>,
    /// What of it a task wants.
    pub part: Part,
}

/// Which rows are in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// One of several that nobody knows the number of, from 0.
    Number(u32),
    /// The statements of a fiscal year and quarter (1 to 4), or of the year (none).
    Period(i32, Option<u32>),
    /// A session's bars.
    Day(NaiveDate),
}

/// Whether a bulk file has what a task asks for: no index is among the companies of the world.
pub fn has(task: &Task) -> bool {
    let company = task.symbol.as_ref().is_some_and(|symbol| !symbol.as_str().starts_with('^'));
    company && task.dataset.bulk.is_some()
}

/// The files that serve tasks of one dataset, newest first; of `profile` the first part, which tells whether there are more.
pub fn files(dataset: &Dataset, tasks: &[&Task], on: NaiveDate) -> Vec<File> {
    let Some(endpoint) = dataset.bulk.map(|bulk| bulk.endpoint) else { return Vec::new() };
    match dataset.requests {
        Requests::Market | Requests::Symbols => Vec::new(),
        Requests::Symbol if tasks.is_empty() => Vec::new(),
        Requests::Symbol => vec![File::part(endpoint, 0)],
        Requests::Days => {
            let ranges: Vec<_> = tasks
                .iter()
                .filter_map(|task| if let Window::Days { from, to } = task.window { Some((from, to)) } else { None })
                .collect();
            let mut days = Vec::new();
            let (first, last) = (ranges.iter().map(|r| r.0).min(), ranges.iter().map(|r| r.1).max());
            let (Some(first), Some(mut day)) = (first, last) else { return Vec::new() };
            while day >= first {
                if nyse_calendar::is_trading_day(day) && ranges.iter().any(|(from, to)| (*from..=*to).contains(&day)) {
                    days.push(File::day(endpoint, day));
                }
                day = day - Days::new(1);
            }
            days
        }
        Requests::Statement => {
            let most = |wanted: Cadence| {
                let limit = |task: &&Task| match task.window {
                    Window::Newest { cadence, limit } if cadence == wanted => Some(limit),
                    _ => None,
                };
                tasks.iter().filter_map(limit).max().unwrap_or(0)
            };
            let years = periods(Cadence::Annual, most(Cadence::Annual), on);
            let quarters = periods(Cadence::Quarter, most(Cadence::Quarter), on);
            years.chain(quarters).map(|(year, quarter)| File::period(endpoint, year, quarter)).collect()
        }
    }
}

/// Calls that the files take.
pub fn calls(dataset: &Dataset, files: &[File]) -> u64 {
    match dataset.requests {
        Requests::Symbol if !files.is_empty() => PROFILE_PARTS,
        _ => files.len() as u64,
    }
}

/// Bytes that they bring, estimated.
pub fn bytes(dataset: &Dataset, files: &[File]) -> u64 {
    calls(dataset, files) * WORLD * dataset.row_bytes
}

/// Fiscal years and quarters, newest first, in which the newest `limit` reports of a company are that reports in time.
///
/// Fiscal years are named in more than one way: FMP's year Y ends between January of Y and June of the year after (a Japanese
/// year is named by its beginning). So a period's end lies within a range of a year and a half, and a file is
/// needed when this range meets that of the ends of the reports wanted.
fn periods(cadence: Cadence, limit: u32, on: NaiveDate) -> impl Iterator<Item = (i32, Option<u32>)> {
    let length = if cadence == Cadence::Annual { 366 } else { 92 };
    let oldest = on - FILED - Days::new(length * u64::from(limit));
    let wanted = move |year: i32, quarter: Option<u32>| {
        let before = Days::new(quarter.map_or(0, |quarter| u64::from(4 - quarter) * 92));
        let first = NaiveDate::from_ymd_opt(year, 1, 1).map(|day| day - before);
        let last = NaiveDate::from_ymd_opt(year + 1, 6, 30).map(|day| day - before);
        first.is_some_and(|first| first <= on) && last.is_some_and(|last| last >= oldest)
    };
    let years = (oldest.year() - 2..=on.year() + 1).rev().filter(move |_| limit > 0);
    years
        .flat_map(move |year| {
            let quarters: &[Option<u32>] = match cadence {
                Cadence::Annual => &[None],
                Cadence::Quarter => &[Some(4), Some(3), Some(2), Some(1)],
            };
            quarters.iter().map(move |quarter| (year, *quarter))
        })
        .filter(move |(year, quarter)| wanted(*year, *quarter))
}

impl File {
    /// A part of a file in parts.
    pub fn part(endpoint: &'static str, number: u32) -> Self {
        File { endpoint, parameters: vec![("part", number.to_string())], part: Part::Number(number) }
    }

    fn period(endpoint: &'static str, year: i32, quarter: Option<u32>) -> Self {
        let period = quarter.map_or("FY".to_owned(), |quarter| format!("Q{quarter}"));
        File {
            endpoint,
            parameters: vec![("year", year.to_string()), ("period", period)],
            part: Part::Period(year, quarter),
        }
    }

    fn day(endpoint: &'static str, day: NaiveDate) -> Self {
        File { endpoint, parameters: vec![("date", day.to_string())], part: Part::Day(day) }
    }

    /// The part after it, of a file in parts.
    pub fn next(&self) -> Option<File> {
        match self.part {
            Part::Number(number) if number + 1 < MOST_PARTS => Some(File::part(self.endpoint, number + 1)),
            _ => None,
        }
    }

    /// Its name within its endpoint, safe in a key: `2026-Q1`, `2026-11-20`, `0`.
    pub fn name(&self) -> String {
        self.parameters.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("-")
    }

    /// Whether a task of its dataset wants rows of it.
    pub fn serves(&self, task: &Task) -> bool {
        match (self.part, task.window) {
            (Part::Number(_), Window::All) => true,
            (Part::Period(_, quarter), Window::Newest { cadence, .. }) => {
                quarter.is_some() == (cadence == Cadence::Quarter)
            }
            (Part::Day(day), Window::Days { from, to }) => (from..=to).contains(&day),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use findata_domain::catalog::dataset;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn names(of: &str, windows: &[Window], on: &str) -> Vec<String> {
        let dataset = dataset(of).unwrap();
        let task = |window: &Window| Task { dataset, symbol: "AAPL".parse().ok(), window: *window };
        let tasks: Vec<Task> = windows.iter().map(task).collect();
        let files = files(dataset, &tasks.iter().collect::<Vec<_>>(), day(on));
        assert!(files.iter().all(|file| tasks.iter().any(|task| file.serves(task))), "{files:?}");
        files.iter().map(File::name).collect()
    }

    #[test]
    fn statements_come_in_the_files_that_any_fiscal_year_may_need() {
        let newest = |cadence, limit| Window::Newest { cadence, limit };
        assert_eq!(
            names("cash_flow", &[newest(Cadence::Annual, 2), newest(Cadence::Quarter, 4)], "2026-09-18"),
            [
                "2026-FY", "2025-FY", "2024-FY", "2023-FY", "2027-Q2", "2027-Q1", "2026-Q4", "2026-Q3", "2026-Q2",
                "2026-Q1", "2025-Q4", "2025-Q3", "2025-Q2", "2025-Q1", "2024-Q4",
            ]
        );
        let first_load =
            names("balance_sheet", &[newest(Cadence::Annual, 6), newest(Cadence::Quarter, 8)], "2026-09-18");
        assert!(first_load.len() <= 24, "{first_load:?}");
        assert!(names("cash_flow", &[], "2026-09-18").is_empty());
    }

    #[test]
    fn prices_come_in_one_file_a_session() {
        let days = |from, to| Window::Days { from: day(from), to: day(to) };
        let windows =
            [days("2026-09-03", "2026-09-08"), days("2026-09-08", "2026-09-08"), days("2026-08-28", "2026-08-28")];
        // A weekend and Labor Day between.
        assert_eq!(names("prices", &windows, "2026-09-18"), ["2026-09-08", "2026-09-04", "2026-09-03", "2026-08-28"]);
    }

    #[test]
    fn what_is_no_company_is_in_no_file() {
        let task = |name: &str, symbol: &str| Task {
            dataset: dataset(name).unwrap(),
            symbol: symbol.parse().ok(),
            window: Window::All,
        };
        assert!(has(&task("profile", "BRK-B")));
        assert!(
            !has(&task("prices", "^GSPC")) && !has(&task("dividends", "AAPL")) && !has(&task("sp500_constituents", ""))
        );
    }
}
