//! Decides which empty answers of FMP are accepted. FMP also answers `[]` during an outage, so an
//! empty answer counts as "no data" only if no other data contradicts it.
//!
//! An empty answer is not accepted if the task had rows before, or if related data of this run or
//! an earlier run shows that FMP knows the company. Such an answer counts as a failure, and the
//! next run requests the data again. If a task never had rows, its third consecutive empty answer
//! is accepted: a missing statement is then recorded as not offered and requested again after its
//! time to live.

use std::collections::BTreeSet;

use findata_domain::catalog::{self, Requests};

use super::{BatchEntry, Outcome, TaskRecord};
use crate::plan::{Cadence, FetchMode, Window};

/// Maximum number of consecutive empty answers that are not accepted. There is no limit for
/// profiles, statements and prices of which an earlier run received rows.
const MAX_UNCONFIRMED: u8 = 2;

/// Changes the outcome of empty answers: to `UnexpectedlyEmpty` if the answer is not accepted, or
/// to `NotOffered` if FMP does not offer the rows. `entries` are all entries of a run.
pub(super) fn judge(entries: &mut [BatchEntry]) {
    let evidence = Evidence::of(entries);
    for record in entries.iter_mut().flat_map(|entry| &mut entry.tasks) {
        if let Some(outcome) = evidence.judged(record) {
            record.outcome = outcome;
        }
    }
}

/// What the answers of a run show about its companies.
struct Evidence {
    /// Companies with rows in any dataset except quotes.
    known: BTreeSet<String>,
    /// Company and cadence of each received statement.
    reporting: BTreeSet<(String, Cadence)>,
    /// Whether an outage of FMP's prices is likely: the run requested prices of two or more
    /// symbols, no earlier run received prices of any of them, and all answers are empty.
    no_prices: bool,
}

impl Evidence {
    fn of(entries: &[BatchEntry]) -> Self {
        let records = || entries.iter().flat_map(|entry| &entry.tasks);
        let has_rows = |record: &&TaskRecord| matches!(record.outcome, Outcome::Rows { .. });
        let answered = || records().filter(has_rows);
        let symbol = |record: &TaskRecord| record.task.symbol.as_ref().map(ToString::to_string);
        let reporting = |record: &TaskRecord| match record.task.window {
            Window::Newest { cadence, .. } => Some((symbol(record)?, cadence)),
            Window::All | Window::Days { .. } => None,
        };
        let series: Vec<_> = records()
            .filter(|record| record.task.dataset == catalog::PRICES && record.task.has_sessions())
            .collect();
        let requested: BTreeSet<_> = series.iter().filter_map(|record| symbol(record)).collect();
        let is_new_and_empty =
            |r: &&TaskRecord| r.outcome == Outcome::Empty && !r.task.prior.rows && !r.task.prior.related;
        Evidence {
            known: answered()
                .filter(|record| record.task.dataset.requests != Requests::Symbols)
                .filter_map(symbol)
                .collect(),
            reporting: answered().filter_map(reporting).collect(),
            no_prices: requested.len() > 1 && series.iter().all(is_new_and_empty),
        }
    }

    fn knows(&self, record: &TaskRecord) -> bool {
        record.task.symbol.as_ref().is_some_and(|symbol| self.known.contains(symbol.as_str()))
    }

    /// Returns the outcome that replaces the record's outcome, or `None` if the record's outcome is
    /// right.
    fn judged(&self, record: &TaskRecord) -> Option<Outcome> {
        let (task, prior) = (&record.task, record.task.prior);
        let was_asked = record.calls > 0 || record.fetch_mode != FetchMode::PerSymbol;
        match record.outcome {
            Outcome::Empty if !task.dataset.follow_up => {}
            Outcome::UnknownSymbol if was_asked => {}
            _ => return None,
        }
        let may_be_wrong = prior.unconfirmed < MAX_UNCONFIRMED;
        match task.window {
            Window::Days { .. } if !record.task.has_sessions() => None,
            Window::Days { .. } | Window::Newest { .. } if prior.rows => Some(lost()),
            Window::Days { .. }
                if task.dataset == catalog::PRICES
                    && self.no_prices
                    && may_be_wrong
                    && !self.known.is_empty() =>
            {
                Some(unexpected("FMP's answer is empty for every symbol of the run"))
            }
            Window::Newest { cadence, .. } => {
                let has_sibling = || {
                    let symbol = task.symbol.as_ref().map(ToString::to_string);
                    symbol.is_some_and(|symbol| self.reporting.contains(&(symbol, cadence)))
                };
                if prior.not_offered || (!may_be_wrong && (prior.related || has_sibling())) {
                    Some(not_offered())
                } else if prior.related || has_sibling() {
                    Some(unexpected(
                        "FMP's answer is empty, although another statement of the company has rows",
                    ))
                } else {
                    None
                }
            }
            // A known company keeps its profile. Dividends and splits may become empty: the only
            // event may have been cancelled.
            Window::All if task.dataset == catalog::PROFILE && prior.rows => Some(lost()),
            Window::All if task.dataset == catalog::PROFILE && may_be_wrong && self.knows(record) => {
                Some(unexpected("FMP's answer is empty, although FMP has other data of the symbol"))
            }
            Window::All
                if task.dataset.requests == Requests::Symbol
                    && task.dataset != catalog::PROFILE
                    && prior.rows
                    && may_be_wrong =>
            {
                Some(lost())
            }
            Window::All | Window::Days { .. } => None,
        }
    }
}

fn lost() -> Outcome {
    unexpected("FMP's answer is empty, although an earlier answer had rows")
}

fn unexpected(why: &str) -> Outcome {
    Outcome::UnexpectedlyEmpty {
        reason: format!("{why}; stored rows stay unchanged, and the next run requests the data again"),
    }
}

fn not_offered() -> Outcome {
    Outcome::NotOffered {
        reason:
            "three or more answers in a row are empty, although another statement of the company has rows"
                .into(),
    }
}

#[cfg(test)]
mod tests;
