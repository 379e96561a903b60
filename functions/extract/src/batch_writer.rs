//! Collects the results of a batch: open landing files, task records, and findings for the ledger.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, NaiveDate, Utc};
use findata_domain::{
    Error, Result,
    catalog::{self, Dataset, Requests},
    nyse_calendar,
    rows::{self, Asked, Row},
};
use findata_fmp::Answer;
use findata_pipeline::{
    landing::Landing,
    ledger::{Outcome, TaskRecord},
    plan::{FetchMode, Task, Window},
};

/// An answer may always have this many rows, even if fewer were requested. It is the number of
/// quarters in a century.
pub(crate) const MIN_ROWS: usize = 400;

/// Time after a close until profiles and quotes have the closing price.
const SETTLE: Duration = Duration::minutes(15);

pub(crate) struct BatchWriter {
    fetched_at: DateTime<Utc>,
    pub(crate) landings: BTreeMap<&'static str, Landing>,
    pub(crate) records: Vec<TaskRecord>,
    /// Why all further calls of the run would fail; `None` until an answer shows this.
    pub(crate) stop: Option<String>,
    /// Fields of the catalog that were missing from an answer, by dataset.
    pub(crate) drift: BTreeMap<String, BTreeSet<String>>,
    /// Number of bars that no quote could supply, by reason. Each of them needs its own call.
    pub(crate) bars_by_call: BTreeMap<String, u64>,
}

impl BatchWriter {
    pub(crate) fn new(fetched_at: DateTime<Utc>) -> Self {
        BatchWriter {
            fetched_at,
            landings: BTreeMap::new(),
            records: Vec::new(),
            stop: None,
            drift: BTreeMap::new(),
            bars_by_call: BTreeMap::new(),
        }
    }

    /// Writes an answer's rows to the dataset's file and records the outcome. Returns the follow-up
    /// task that the answer requires, if any.
    pub(crate) fn add_answer(&mut self, task: Task, answer: Answer) -> Result<Option<Task>> {
        let mut follow_up = None;
        let outcome = match answer.body {
            Ok(None) if task.dataset.empty_if_unknown => Outcome::UnknownSymbol,
            Ok(None) => Outcome::Empty,
            Ok(Some(body)) => match self.typed(&task, &body) {
                // FMP truncates longer series, so the oldest days may be missing; the planner
                // requests no range of this length. A shorter answer is complete from its first day
                // on; the next plan checks whether it reaches the last session.
                Ok((rows, _)) if task.dataset.row_limit.is_some_and(|limit| rows.len() >= limit) => {
                    Outcome::failed(format!(
                        "the answer has {} rows, the number at which FMP truncates a series",
                        rows.len()
                    ))
                }
                Ok((rows, drift)) => {
                    self.note_drift(task.dataset.name, &drift);
                    follow_up = needs_share_count(&task, &rows);
                    if task.dataset == catalog::PROFILE {
                        self.land_market_cap(task.dataset, rows.first(), None)?;
                    }
                    self.land(&task, &rows)?
                }
                Err(error) => Outcome::failed(error.to_string()),
            },
            Err(Error::NotInPlan(reason)) => Outcome::NotInPlan { reason },
            Err(error) => {
                if error.ends_run() {
                    self.stop.get_or_insert_with(|| error.to_string());
                }
                Outcome::of_error(&error, error.to_string())
            }
        };
        let (calls, bytes, fetched_at) = (answer.calls, answer.bytes, self.fetched_at);
        let fetch_mode = FetchMode::PerSymbol;
        self.records.push(TaskRecord { task, outcome, calls, bytes, fetched_at, fetch_mode });
        Ok(follow_up)
    }

    fn typed<'a>(&self, task: &Task, body: &'a [u8]) -> Result<(Vec<Row<'a>>, rows::Drift)> {
        let asked = task.asked(self.fetched_at.date_naive());
        rows::typed(task.dataset, &asked, max_rows(task), body)
    }

    /// Returns the day of receipt (UTC) of answers that are added now.
    pub(crate) fn received_on(&self) -> NaiveDate {
        self.fetched_at.date_naive()
    }

    /// Sets the fetch time of answers that are added from now on. Open landing files keep their
    /// time.
    pub(crate) fn set_fetched_at(&mut self, now: DateTime<Utc>) {
        self.fetched_at = now;
    }

    /// Adds the rows of one of several tasks that share a call. `usage` contains the numbers of
    /// calls and bytes. It is zero for all but one of these tasks, so the call is counted once.
    pub(crate) fn add_rows(
        &mut self,
        task: Task,
        rows: &[Row<'_>],
        fetch_mode: FetchMode,
        usage: (u32, u64),
    ) -> Result<()> {
        let outcome = if rows.is_empty() { Outcome::Empty } else { self.land(&task, rows)? };
        let ((calls, bytes), fetched_at) = (usage, self.fetched_at);
        self.records.push(TaskRecord { task, outcome, calls, bytes, fetched_at, fetch_mode });
        Ok(())
    }

    fn land(&mut self, task: &Task, rows: &[Row<'_>]) -> Result<Outcome> {
        let (dataset, fetched_at) = (task.dataset, self.fetched_at);
        self.landings
            .entry(dataset.name)
            .or_insert_with(|| Landing::new(dataset, fetched_at))
            .add(rows)?;
        if rows.iter().all(|row| row.reject.is_some()) {
            let first = rows.first().and_then(|row| row.reject.as_deref()).unwrap_or_default();
            return Ok(Outcome::quarantined(first));
        }
        Ok(Outcome::Rows { rows: rows.len() as u64, newest: newest(task, rows) })
    }

    /// Writes the market cap of a profile or quote as that of the newest closed session. Writes
    /// nothing unless it was fetched between the session's close and the next opening, because
    /// the market cap belongs to another price then. `quoted_at` is the time of a quote.
    pub(crate) fn land_market_cap(
        &mut self,
        dataset: &Dataset,
        row: Option<&Row<'_>>,
        quoted_at: Option<DateTime<Utc>>,
    ) -> Result<()> {
        let session = nyse_calendar::last_closed_session(self.fetched_at);
        let is_final = self.fetched_at >= nyse_calendar::close_of(session) + SETTLE
            && self.fetched_at < nyse_calendar::next_opening(session)
            && quoted_at.is_none_or(|at| nyse_calendar::new_york_date(at) == session);
        let Some(row) = row.filter(|row| row.reject.is_none() && is_final) else {
            return Ok(());
        };
        let Some(cap) = row.get(dataset, "market_cap").filter(|cap| *cap != "0") else {
            return Ok(());
        };
        let json =
            format!("[{}]", serde_json::json!({"symbol": row.symbol, "date": session, "marketCap": cap}));
        let asked = Asked { symbol: None, days: None, received_on: self.received_on() };
        let (rows, _) = rows::typed(catalog::MARKET_CAPS, &asked, 1, json.as_bytes())?;
        let fetched_at = self.fetched_at;
        self.landings
            .entry(catalog::MARKET_CAPS.name)
            .or_insert_with(|| Landing::new(catalog::MARKET_CAPS, fetched_at))
            .add(&rows)
    }

    /// Adds `bars` to the number of bars that no quote could supply for this reason.
    pub(crate) fn note_bars_by_call(&mut self, reason: &str, bars: usize) {
        if bars > 0 {
            *self.bars_by_call.entry(reason.to_owned()).or_default() += bars as u64;
        }
    }

    pub(crate) fn note_drift(&mut self, dataset: &str, missing: &[&str]) {
        if !missing.is_empty() {
            self.drift
                .entry(dataset.into())
                .or_default()
                .extend(missing.iter().map(|field| field.to_string()));
        }
    }
}

/// Returns the maximum number of rows of an answer to a task. An answer with more rows cannot be
/// the requested one, and parsing it would only fill memory.
fn max_rows(task: &Task) -> usize {
    match (task.window, task.dataset.requests) {
        (Window::Newest { limit, .. }, _) => (10 * limit as usize).max(MIN_ROWS),
        (_, Requests::Market | Requests::Symbols) => rows::MAX_LIST,
        (_, Requests::Symbol | Requests::Statement | Requests::Days) => rows::MAX_SERIES,
    }
}

/// Returns the newest day among the accepted rows. `None` for tasks without a range of days or
/// periods.
pub(crate) fn newest(task: &Task, rows: &[Row<'_>]) -> Option<NaiveDate> {
    if task.window == Window::All {
        return None;
    }
    let column = task.dataset.date_column?;
    let accepted = rows.iter().filter(|row| row.reject.is_none());
    accepted.filter_map(|row| row.get(task.dataset, column)?.parse().ok()).max()
}

/// Returns the `shares-float` task that a profile without a market cap requires.
pub(crate) fn needs_share_count(task: &Task, rows: &[Row<'_>]) -> Option<Task> {
    let profile = rows.first().filter(|row| task.dataset == catalog::PROFILE && row.reject.is_none())?;
    share_count(task, profile.get(task.dataset, "market_cap"))
}

/// Returns the `shares-float` task of a company if FMP sent no market cap from which to derive the
/// share count.
pub(crate) fn share_count(task: &Task, market_cap: Option<&str>) -> Option<Task> {
    let is_missing = market_cap.is_none_or(|value| value == "0");
    is_missing.then(|| Task::new(catalog::SHARES_FLOAT, task.symbol.clone(), Window::All))
}

#[cfg(test)]
mod tests {
    use super::*;
    use findata_pipeline::plan::Cadence;

    /// Returns the outcome of an answer that has `rows` rows.
    fn outcome(dataset: &str, window: Window, rows: usize) -> Outcome {
        let body = format!("[{}]", vec![r#"{"symbol":"A"}"#; rows].join(","));
        let task = Task::new(catalog::dataset(dataset).unwrap(), "A".parse().ok(), window);
        let mut writer = BatchWriter::new(DateTime::default());
        let answer = Answer { body: Ok(Some(body.into())), calls: 1, bytes: 1 };
        writer.add_answer(task, answer).unwrap();
        writer.records.pop().unwrap().outcome
    }

    #[test]
    fn an_answer_with_far_more_rows_than_requested_is_refused_before_its_rows_are_typed() {
        let newest = |limit| Window::Newest { cadence: Cadence::Quarter, limit };
        let day = "2026-11-20".parse().unwrap();
        for (dataset, window, most) in [
            ("income_statement", newest(8), MIN_ROWS),
            ("cash_flow", newest(60), 600),
            ("dividends", Window::All, 20_000),
            ("prices", Window::Days { from: day, to: day }, 20_000),
        ] {
            let refused = |rows| {
                let outcome = outcome(dataset, window, rows);
                outcome
                    .failure_reason()
                    .unwrap_or_default()
                    .contains(&format!("at most {most} are accepted"))
            };
            assert!(refused(most + 1) && !refused(most), "{dataset}");
        }
    }
}
