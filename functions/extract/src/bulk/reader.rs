//! Reads one bulk file and keeps the rows of the tasks that the file serves. The rows are parsed
//! and compressed while the file arrives.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use findata_domain::{
    Error, Result,
    catalog::Dataset,
    rows::{self, Asked, OneByOne},
};
use findata_fmp::{Record, Records};
use findata_pipeline::{
    bulk_progress::TaskProgress,
    landing::Landing,
    plan::{Task, Window},
};

use crate::batch_writer::{MIN_ROWS, needs_share_count, newest};

/// Receives the records of a file. A retry discards the records of the previous attempt.
pub(super) struct Reader<'a> {
    dataset: &'static Dataset,
    observed_at: DateTime<Utc>,
    tasks: &'a [Task],
    /// Indices of the served tasks, by symbol.
    by_symbol: HashMap<&'a str, Vec<usize>>,
    /// For a file with daily bars: the session of the bars.
    day: Option<NaiveDate>,
    /// The progress that each task has made with earlier files.
    before: &'a [TaskProgress],
    json: String,
    contents: Contents,
}

/// What one file contributes to the batch: rows, progress of the tasks, and follow-up tasks.
pub(super) struct Contents {
    /// Progress of the tasks, by their index in the batch.
    pub tasks: BTreeMap<usize, TaskProgress>,
    /// The rows of the served tasks.
    pub landing: Landing,
    /// Follow-up tasks that the rows require.
    pub follow_ups: Vec<Task>,
    rows: OneByOne,
}

impl Contents {
    fn new(dataset: &'static Dataset, observed_at: DateTime<Utc>) -> Self {
        Contents {
            tasks: BTreeMap::new(),
            landing: Landing::new(dataset, observed_at),
            follow_ups: Vec::new(),
            rows: OneByOne::new(dataset),
        }
    }

    /// Returns the fields that are missing from every row, although bulk files of this dataset
    /// should contain them.
    pub fn drift(&self, dataset: &Dataset) -> rows::Drift {
        let absent = dataset.bulk.map_or(&[][..], |bulk| bulk.absent);
        self.rows.drift().into_iter().filter(|field| !absent.contains(field)).collect()
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        dataset: &'static Dataset,
        tasks: &'a [Task],
        served: &[usize],
        before: &'a [TaskProgress],
        observed_at: DateTime<Utc>,
        day: Option<NaiveDate>,
    ) -> Self {
        let mut by_symbol: HashMap<&str, Vec<usize>> = HashMap::new();
        for i in served {
            if let Some(symbol) = &tasks[*i].symbol {
                by_symbol.entry(symbol.as_str()).or_default().push(*i);
            }
        }
        let contents = Contents::new(dataset, observed_at);
        Reader {
            dataset,
            observed_at,
            day,
            tasks,
            by_symbol,
            before,
            json: String::new(),
            contents,
        }
    }

    /// Returns the contents, which are valid only if the file was read completely.
    pub(super) fn finish(self) -> Contents {
        self.contents
    }

    /// Whether a task needs another row. A task for statements stops at its limit, since the newest
    /// files are read first.
    fn needs_row(&self, task: usize) -> bool {
        let Window::Newest { limit, .. } = self.tasks[task].window else {
            return true;
        };
        let rows = |progress: Option<&TaskProgress>| progress.map_or(0, |progress| progress.rows);
        rows(self.before.get(task)) + rows(self.contents.tasks.get(&task)) < u64::from(limit)
    }
}

impl Records for Reader<'_> {
    fn begin(&mut self) {
        self.contents = Contents::new(self.dataset, self.observed_at);
    }

    fn record(&mut self, record: Record<'_>) -> Result<()> {
        let Some(tasks) = record.get("symbol").and_then(|symbol| self.by_symbol.get(symbol)) else {
            return Ok(());
        };
        let tasks: Vec<usize> = tasks.iter().copied().filter(|task| self.needs_row(*task)).collect();
        let Some(task) = tasks.first().map(|first| &self.tasks[*first]) else {
            return Ok(());
        };
        rows::record::json(self.dataset, record.cells(), &mut self.json);
        let asked = task.asked(self.observed_at.date_naive());
        let asked = Asked { days: self.day.map(|day| (day, day)).or(asked.days), ..asked };
        let row = self.contents.rows.row(&asked, &self.json)?;
        let max_rows = (10 * self.by_symbol.len()).max(MIN_ROWS);
        if self.contents.rows.count() > max_rows as u64 {
            return Err(Error::Reject(format!(
                "the file has more than {max_rows} rows for {} symbol(s), so it cannot be the requested file",
                self.by_symbol.len()
            )));
        }
        let good = u64::from(row.reject.is_none());
        let row = std::slice::from_ref(&row);
        self.contents.landing.add(row)?;
        self.contents.follow_ups.extend(needs_share_count(task, row));
        for i in tasks {
            let rejected = row[0].reject.clone();
            let newest = newest(&self.tasks[i], row);
            let progress = TaskProgress { rows: 1, good, newest, rejected, ..TaskProgress::default() };
            self.contents.tasks.entry(i).or_default().add(progress);
        }
        Ok(())
    }
}
