//! Selects the bulk files of FMP that contain the rows of given tasks. The planner estimates their
//! cost, and the extract function downloads them.

mod unavailable;

use chrono::{Datelike, Days, NaiveDate};

use findata_domain::{
    catalog::{Dataset, Requests},
    nyse_calendar,
};
use findata_pipeline::plan::{Cadence, Task, Window};

pub use unavailable::{note_refused, refused};

/// Estimated number of calls to download `profile-bulk`: one for each part (as of July 2026), and
/// one that finds that no further part exists.
const PROFILE_PARTS: u64 = 5;
/// At most this many numbered parts of a bulk endpoint, such as `profile-bulk`, are downloaded;
/// further parts are ignored.
const MAX_PARTS: u32 = 40;
/// Assumed number of rows of one file, for estimates. A file covers all exchanges.
const ROWS_PER_FILE: u64 = 50_000;
/// Longest time from the end of a period to its filing: the 120 days that Form 20-F allows.
const LATEST_FILING: Days = Days::new(120);

/// One file of a bulk endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// Path after `/stable/`.
    pub endpoint: &'static str,
    /// The query parameters.
    pub parameters: Vec<(&'static str, String)>,
    /// Which rows the file contains.
    pub part: Part,
}

/// The rows that a file contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The part with this number, from 0. The number of parts is not known in advance.
    Number(u32),
    /// The statements of a fiscal year and quarter (1 to 4), or of the whole year (`None`).
    Period(i32, Option<u32>),
    /// The price bars of one trading day.
    Day(NaiveDate),
}

/// Whether bulk files contain the rows of a task. Bulk files contain companies, but no indices.
pub fn has(task: &Task) -> bool {
    let company = task.symbol.as_ref().is_some_and(|symbol| !symbol.as_str().starts_with('^'));
    company && task.dataset.bulk.is_some()
}

/// The files that contain the rows of tasks of one dataset, newest first. For `profile`, returns
/// only the first part, because the number of parts is not known in advance.
pub fn files(dataset: &Dataset, tasks: &[&Task], on: NaiveDate) -> Vec<File> {
    let Some(endpoint) = dataset.bulk.map(|bulk| bulk.endpoint) else {
        return Vec::new();
    };
    match dataset.requests {
        Requests::Market | Requests::Symbols => Vec::new(),
        Requests::Symbol if tasks.is_empty() => Vec::new(),
        Requests::Symbol => vec![File::part(endpoint, 0)],
        Requests::Days => {
            let ranges: Vec<_> = tasks
                .iter()
                .filter_map(|task| {
                    if let Window::Days { from, to } = task.window {
                        Some((from, to))
                    } else {
                        None
                    }
                })
                .collect();
            let mut days = Vec::new();
            let (first, last) = (ranges.iter().map(|r| r.0).min(), ranges.iter().map(|r| r.1).max());
            let (Some(first), Some(mut day)) = (first, last) else {
                return Vec::new();
            };
            while day >= first {
                if nyse_calendar::is_trading_day(day)
                    && ranges.iter().any(|(from, to)| (*from..=*to).contains(&day))
                {
                    days.push(File::day(endpoint, day));
                }
                day = day - Days::new(1);
            }
            days
        }
        Requests::Statement => {
            let max_limit = |wanted: Cadence| {
                let limit = |task: &&Task| match task.window {
                    Window::Newest { cadence, limit } if cadence == wanted => Some(limit),
                    _ => None,
                };
                tasks.iter().filter_map(limit).max().unwrap_or(0)
            };
            let years = periods(Cadence::Annual, max_limit(Cadence::Annual), on);
            let quarters = periods(Cadence::Quarter, max_limit(Cadence::Quarter), on);
            years
                .chain(quarters)
                .map(|(year, quarter)| File::period(endpoint, year, quarter))
                .collect()
        }
    }
}

/// Estimates how many calls the download of the files takes.
pub fn calls(dataset: &Dataset, files: &[File]) -> u64 {
    match dataset.requests {
        Requests::Symbol if !files.is_empty() => PROFILE_PARTS,
        _ => files.len() as u64,
    }
}

/// Estimates the size of the files in bytes.
pub fn bytes(dataset: &Dataset, files: &[File]) -> u64 {
    calls(dataset, files) * ROWS_PER_FILE * dataset.row_bytes
}

/// The fiscal years and quarters, newest first, that can contain the newest `limit` reports of a
/// company that files on time.
///
/// Companies name fiscal years differently. FMP's fiscal year Y ends between January of Y and June
/// of the next year, because Japanese fiscal years are named after the year in which they begin. So
/// a period of a given name may end within a range of one and a half years. The period's file is
/// needed if this range overlaps the range in which the newest `limit` reports end.
fn periods(cadence: Cadence, limit: u32, on: NaiveDate) -> impl Iterator<Item = (i32, Option<u32>)> {
    let length = if cadence == Cadence::Annual { 366 } else { 92 };
    let oldest = on - LATEST_FILING - Days::new(length * u64::from(limit));
    let needed = move |year: i32, quarter: Option<u32>| {
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
        .filter(move |(year, quarter)| needed(*year, *quarter))
}

impl File {
    /// The part with this number of a file that FMP splits into parts.
    pub fn part(endpoint: &'static str, number: u32) -> Self {
        File {
            endpoint,
            parameters: vec![("part", number.to_string())],
            part: Part::Number(number),
        }
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
        File {
            endpoint,
            parameters: vec![("date", day.to_string())],
            part: Part::Day(day),
        }
    }

    /// The next part; `None` if FMP does not split the file into parts, or after the last part that
    /// is downloaded.
    pub fn next(&self) -> Option<File> {
        match self.part {
            Part::Number(number) if number + 1 < MAX_PARTS => Some(File::part(self.endpoint, number + 1)),
            _ => None,
        }
    }

    /// The file's name within its endpoint, such as `2026-Q1`, `2026-11-20` or `0`. The name can be
    /// part of an object key.
    pub fn name(&self) -> String {
        self.parameters.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("-")
    }

    /// Whether the file contains rows of a task. The task must be of the file's dataset.
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
        let task = |window: &Window| Task::new(dataset, "AAPL".parse().ok(), *window);
        let tasks: Vec<Task> = windows.iter().map(task).collect();
        let files = files(dataset, &tasks.iter().collect::<Vec<_>>(), day(on));
        assert!(files.iter().all(|file| tasks.iter().any(|task| file.serves(task))), "{files:?}");
        files.iter().map(File::name).collect()
    }

    #[test]
    fn statement_files_cover_all_names_of_fiscal_years() {
        let newest = |cadence, limit| Window::Newest { cadence, limit };
        assert_eq!(
            names("cash_flow", &[newest(Cadence::Annual, 2), newest(Cadence::Quarter, 4)], "2026-09-18"),
            [
                "2026-FY", "2025-FY", "2024-FY", "2023-FY", "2027-Q2", "2027-Q1", "2026-Q4", "2026-Q3",
                "2026-Q2", "2026-Q1", "2025-Q4", "2025-Q3", "2025-Q2", "2025-Q1", "2024-Q4",
            ]
        );
        let first_load =
            names("balance_sheet", &[newest(Cadence::Annual, 6), newest(Cadence::Quarter, 8)], "2026-09-18");
        assert!(first_load.len() <= 24, "{first_load:?}");
        assert!(names("cash_flow", &[], "2026-09-18").is_empty());
    }

    #[test]
    fn prices_need_one_file_per_session() {
        let days = |from, to| Window::Days { from: day(from), to: day(to) };
        let windows = [
            days("2026-09-03", "2026-09-08"),
            days("2026-09-08", "2026-09-08"),
            days("2026-08-28", "2026-08-28"),
        ];
        // A weekend and Labor Day are skipped.
        assert_eq!(
            names("prices", &windows, "2026-09-18"),
            ["2026-09-08", "2026-09-04", "2026-09-03", "2026-08-28"]
        );
    }

    #[test]
    fn bulk_files_serve_companies_only() {
        let task =
            |name: &str, symbol: &str| Task::new(dataset(name).unwrap(), symbol.parse().ok(), Window::All);
        assert!(has(&task("profile", "BRK-B")));
        assert!(
            !has(&task("prices", "^GSPC"))
                && !has(&task("dividends", "AAPL"))
                && !has(&task("sp500_constituents", ""))
        );
    }
}
