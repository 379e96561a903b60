//! Finds out from the fetch log what earlier runs received for a task.

use findata_domain::catalog::{CATALOG, Dataset, Requests};

use super::{Entry, FetchLog};
use crate::{
    plan::{Prior, Task, Window},
    run::RunId,
};

/// Maximum number of runs in `unconfirmed_in`. A higher count has no effect: after two such runs,
/// the next empty answer is accepted.
const MAX_UNCONFIRMED: usize = 3;

impl Entry {
    /// Records that a run's empty answer was not accepted.
    pub(super) fn note_unconfirmed(&mut self, run: &RunId) {
        if self.unconfirmed_in.len() < MAX_UNCONFIRMED {
            self.unconfirmed_in.insert(run.clone());
        }
    }
}

impl FetchLog {
    /// Returns what earlier runs received for a task.
    pub fn prior(&self, task: &Task) -> Prior {
        let known = self.entry(task.dataset, &task.subject());
        let (rows, related) = match task.window {
            Window::All => {
                (known.is_some_and(|entry| !entry.empty && !entry.refused && !entry.unknown), false)
            }
            Window::Newest { .. } => (known.is_some_and(has_statement), self.has_sibling(task)),
            Window::Days { from, to } => {
                let days = known.and_then(|entry| entry.days);
                let newest = days.and_then(|days| Some(days.newest?.min(days.last_own())));
                let in_window = newest.is_some_and(|newest| (from..=to).contains(&newest));
                (in_window, newest.is_some() && !in_window)
            }
        };
        Prior {
            rows,
            related,
            unconfirmed: known.map_or(0, |entry| entry.unconfirmed_in.len() as u8),
            not_offered: known.is_some_and(|entry| entry.not_offered),
        }
    }

    /// Returns whether another statement of the company has rows in the same cadence.
    fn has_sibling(&self, task: &Task) -> bool {
        let is_sibling =
            |dataset: &&Dataset| dataset.requests == Requests::Statement && dataset.name != task.dataset.name;
        CATALOG
            .iter()
            .filter(is_sibling)
            .any(|dataset| self.entry(dataset, &task.subject()).is_some_and(has_statement))
    }
}

fn has_statement(entry: &Entry) -> bool {
    entry.newest.is_some()
}
