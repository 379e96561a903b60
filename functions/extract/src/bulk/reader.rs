//! One bulk file for the tasks that it serves: their rows are typed and compressed while the file is read.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use findata_domain::{
    Result,
    catalog::Dataset,
    rows::{self, OneByOne},
};
use findata_fmp::{Record, Records};
use findata_pipeline::{
    bulk_progress::TaskProgress,
    landing::Landing,
    plan::{Task, Window},
};

use crate::batch_writer::{needs_share_count, newest};

/// Takes a file's records in. What one try told is forgotten when the next begins.
pub(super) struct Reader<'a> {
    dataset: &'static Dataset,
    observed_at: DateTime<Utc>,
    tasks: &'a [Task],
    /// The served tasks of a symbol.
    wanted: HashMap<&'a str, Vec<usize>>,
    /// What the files before told.
    before: &'a [TaskProgress],
    json: String,
    read: Read,
}

/// What a file told.
pub(super) struct Read {
    /// By task.
    pub told: BTreeMap<usize, TaskProgress>,
    /// Its rows.
    pub landing: Landing,
    /// Tasks that follow from its rows.
    pub following: Vec<Task>,
    rows: OneByOne,
}

impl Read {
    fn new(dataset: &'static Dataset, observed_at: DateTime<Utc>) -> Self {
        Read {
            told: BTreeMap::new(),
            landing: Landing::new(dataset, observed_at),
            following: Vec::new(),
            rows: OneByOne::new(dataset),
        }
    }

    /// Fields that no row had and that such a file should have.
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
    ) -> Self {
        let mut wanted: HashMap<&str, Vec<usize>> = HashMap::new();
        for i in served {
            if let Some(symbol) = &tasks[*i].symbol {
                wanted.entry(symbol.as_str()).or_default().push(*i);
            }
        }
        let read = Read::new(dataset, observed_at);
        Reader { dataset, observed_at, tasks, wanted, before, json: String::new(), read }
    }

    /// What the file told, once it is whole.
    pub(super) fn finish(self) -> Read {
        self.read
    }

    /// Whether a task wants a further row: of statements as many as it asks for, and the newest files come first.
    fn wants(&self, task: usize) -> bool {
        let Window::Newest { limit, .. } = self.tasks[task].window else { return true };
        let so_far = |told: Option<&TaskProgress>| told.map_or(0, |told| told.rows);
        so_far(self.before.get(task)) + so_far(self.read.told.get(&task)) < u64::from(limit)
    }
}

impl Records for Reader<'_> {
    fn begin(&mut self) {
        self.read = Read::new(self.dataset, self.observed_at);
    }

    fn record(&mut self, record: Record<'_>) -> Result<()> {
        let Some(tasks) = record.get("symbol").and_then(|symbol| self.wanted.get(symbol)) else { return Ok(()) };
        let tasks: Vec<usize> = tasks.iter().copied().filter(|task| self.wants(*task)).collect();
        let Some(task) = tasks.first().map(|first| &self.tasks[*first]) else { return Ok(()) };
        rows::record::json(self.dataset, record.cells(), &mut self.json);
        let row = self.read.rows.row(task.symbol.as_ref(), &self.json)?;
        let good = u64::from(row.reject.is_none());
        let row = std::slice::from_ref(&row);
        self.read.landing.add(row)?;
        self.read.following.extend(needs_share_count(task, row));
        for i in tasks {
            let rejected = row[0].reject.clone();
            let one = TaskProgress {
                rows: 1,
                good,
                newest: newest(&self.tasks[i], row),
                rejected,
                ..TaskProgress::default()
            };
            self.read.told.entry(i).or_default().add(one);
        }
        Ok(())
    }
}
