//! What a batch has so far: open landing files, task records, what must be said.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use findata_domain::{
    Error, Result, catalog,
    rows::{self, Row},
};
use findata_fmp::Answer;
use findata_pipeline::{
    landing::Landing,
    ledger::{Outcome, TaskRecord},
    plan::{FetchMode, Task, Window},
};

pub(crate) struct BatchWriter {
    fetched_at: DateTime<Utc>,
    pub(crate) landings: BTreeMap<&'static str, Landing>,
    pub(crate) records: Vec<TaskRecord>,
    pub(crate) stop: Option<String>,
    pub(crate) drift: BTreeMap<String, BTreeSet<String>>,
}

impl BatchWriter {
    pub(crate) fn new(fetched_at: DateTime<Utc>) -> Self {
        BatchWriter { fetched_at, landings: BTreeMap::new(), records: Vec::new(), stop: None, drift: BTreeMap::new() }
    }

    /// Takes one answer in: rows to their file, the outcome to the records. Returns the task that follows from it,
    /// if one does.
    pub(crate) fn take(&mut self, task: Task, answer: Answer) -> Result<Option<Task>> {
        let mut following = None;
        let outcome = match answer.body {
            Ok(None) if task.dataset.empty_if_unknown => Outcome::UnknownSymbol,
            Ok(None) => Outcome::Empty,
            Ok(Some(body)) => match rows::typed(task.dataset, task.symbol.as_ref(), &body) {
                // No requested range is this long, so the oldest days may be missing. A shorter answer is complete from
                // its first day on; whether it ends with the last session, the next plan checks against the calendar.
                Ok((rows, _)) if task.dataset.row_limit.is_some_and(|limit| rows.len() >= limit) => {
                    Outcome::failed(format!("the answer has {} rows, at which FMP cuts a series", rows.len()))
                }
                Ok((rows, drift)) => {
                    self.note_drift(task.dataset.name, &drift);
                    following = needs_share_count(&task, &rows);
                    self.land(&task, &rows)?
                }
                Err(error) => Outcome::failed(error.to_string()),
            },
            Err(Error::NotInPlan(reason)) => Outcome::NotInPlan { reason },
            Err(error) => {
                if error.ends_run() {
                    self.stop.get_or_insert_with(|| error.to_string());
                }
                Outcome::Failed { reason: error.to_string(), budget: matches!(error, Error::Budget(_)) }
            }
        };
        let (calls, bytes) = (answer.calls, answer.bytes);
        self.records.push(TaskRecord {
            task,
            outcome,
            calls,
            bytes,
            fetched_at: self.fetched_at,
            fetch_mode: FetchMode::PerSymbol,
        });
        Ok(following)
    }

    /// What comes from now on was fetched at this moment; open files keep theirs.
    pub(crate) fn renew(&mut self, now: DateTime<Utc>) {
        self.fetched_at = now;
    }

    /// Takes in what one of many tasks of a call came to; `took` is what the call took, or nothing where another task counts it.
    pub(crate) fn note(&mut self, task: Task, rows: &[Row<'_>], fetch_mode: FetchMode, took: (u32, u64)) -> Result<()> {
        let outcome = if rows.is_empty() { Outcome::Empty } else { self.land(&task, rows)? };
        let ((calls, bytes), fetched_at) = (took, self.fetched_at);
        self.records.push(TaskRecord { task, outcome, calls, bytes, fetched_at, fetch_mode });
        Ok(())
    }

    fn land(&mut self, task: &Task, rows: &[Row<'_>]) -> Result<Outcome> {
        let (dataset, at) = (task.dataset, self.fetched_at);
        self.landings.entry(dataset.name).or_insert_with(|| Landing::new(dataset, at)).add(rows)?;
        if rows.iter().all(|row| row.reject.is_some()) {
            let first = rows.first().and_then(|row| row.reject.as_deref()).unwrap_or_default();
            return Ok(Outcome::quarantined(first));
        }
        Ok(Outcome::Rows { rows: rows.len() as u64, newest: newest(task, rows) })
    }

    pub(crate) fn note_drift(&mut self, dataset: &str, missing: &[&str]) {
        if !missing.is_empty() {
            self.drift.entry(dataset.into()).or_default().extend(missing.iter().map(|field| field.to_string()));
        }
    }
}

/// The newest day among the good rows of statements or of a dataset by day.
pub(crate) fn newest(task: &Task, rows: &[Row<'_>]) -> Option<NaiveDate> {
    if task.window == Window::All {
        return None;
    }
    let column = task.dataset.date_column?;
    let days =
        rows.iter().filter(|row| row.reject.is_none()).filter_map(|row| row.get(task.dataset, column)?.parse().ok());
    days.max()
}

/// shares-float, where a profile has no market cap to divide by its price.
pub(crate) fn needs_share_count(task: &Task, rows: &[Row<'_>]) -> Option<Task> {
    let profile = rows.first().filter(|row| task.dataset == catalog::PROFILE && row.reject.is_none())?;
    share_count(task, profile.get(task.dataset, "market_cap"))
}

/// The task that tells a company's shares where FMP gives no market cap of it.
pub(crate) fn share_count(task: &Task, market_cap: Option<&str>) -> Option<Task> {
    let dataset = catalog::SHARES_FLOAT;
    let none = market_cap.is_none_or(|value| value == "0");
    none.then(|| Task { dataset, symbol: task.symbol.clone(), window: Window::All })
}
