//! Chooses the tasks to fetch with FMP's bulk files. Files are used if they save enough calls,
//! compared with one call per task, and do not take longer.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use findata_domain::{catalog::Dataset, clock::is_recent, nyse_calendar};
use findata_fmp::bulk::{self, File};
use findata_pipeline::{
    plan::{Batch, Cadence, FetchMode, Task, Window},
    run::PlanLimits,
};

use super::{Planned, estimated_rows};

/// Price ranges with more sessions than this are fetched symbol by symbol.
const MAX_SESSIONS: usize = 45;
/// A price range of at most this many days continues a known series and is fetched symbol by
/// symbol.
const MAX_CONTINUED_DAYS: i64 = 10;
/// Minimum number of calls that files must save. A file has tens of megabytes, and FMP allows one
/// file every half minute.
const MIN_CALLS_SAVED: u64 = 25;
/// How long an endpoint is not used after a refusal.
const REFUSED_FOR: Duration = Duration::days(1);

/// The tasks to fetch with bulk files.
#[derive(Debug, Default)]
pub struct BulkSelection {
    /// One batch per dataset.
    pub batches: Vec<Batch>,
    /// Notes about the selected files, for readers of the plan.
    pub notes: Vec<String>,
}

/// Moves tasks from single calls to bulk files, if the key's FMP plan includes bulk files and
/// limits calls. `refused` contains the time at which FMP refused each refused endpoint.
pub fn select(
    planned: &mut Planned,
    plan_limits: PlanLimits,
    refused: &BTreeMap<String, DateTime<Utc>>,
    now: DateTime<Utc>,
) -> BulkSelection {
    let mut selection = BulkSelection::default();
    if !(plan_limits.bulk && plan_limits.minimize_calls) {
        return selection;
    }
    let today = nyse_calendar::new_york_date(now);
    for (name, entry) in &mut planned.datasets {
        let Some(dataset) = findata_domain::catalog::dataset(name) else {
            continue;
        };
        let recently_refused =
            |endpoint| refused.get(endpoint).is_some_and(|at| is_recent(*at, REFUSED_FOR, now));
        if dataset.bulk.is_none_or(|bulk| recently_refused(bulk.endpoint)) {
            continue;
        }
        let by_files = TaskKind::ALL.into_iter().filter(|kind| {
            let tasks: Vec<&Task> = planned.tasks.iter().filter(|task| kind.matches(dataset, task)).collect();
            let files = bulk::calls(dataset, &bulk::files(dataset, &tasks, today));
            is_worth_it(plan_limits, files, tasks.len() as u64)
        });
        let by_files: Vec<TaskKind> = by_files.collect();
        let (taken, left) = std::mem::take(&mut planned.tasks)
            .into_iter()
            .partition::<Vec<Task>, _>(|task| by_files.iter().any(|kind| kind.matches(dataset, task)));
        planned.tasks = left;
        if taken.is_empty() {
            continue;
        }
        let files: Vec<File> = bulk::files(dataset, &taken.iter().collect::<Vec<_>>(), today);
        let (calls, saved) = (bulk::calls(dataset, &files), taken.len() as u64);
        let bytes: u64 = taken.iter().map(|task| dataset.row_bytes * estimated_rows(task)).sum();
        entry.files = calls;
        entry.calls = entry.calls.saturating_sub(saved) + calls;
        entry.bytes = entry.bytes.saturating_sub(bytes) + bulk::bytes(dataset, &files);
        selection
            .notes
            .push(format!("{name}: {calls} worldwide bulk files instead of {saved} calls"));
        selection.batches.push(Batch {
            id: format!("bulk-{name}"),
            fetch_mode: FetchMode::BulkFile,
            tasks: taken,
        });
    }
    selection
}

/// Whether `files` bulk files should replace `calls` calls: they save at least [`MIN_CALLS_SAVED`]
/// calls and take no longer.
fn is_worth_it(plan_limits: PlanLimits, files: u64, calls: u64) -> bool {
    let no_later = plan_limits
        .per_minute
        .is_none_or(|pace| files * plan_limits.bulk_pause * u64::from(pace) <= calls * 60);
    files + MIN_CALLS_SAVED <= calls && no_later
}

/// A kind of task. Tasks of the same dataset and kind can share bulk files.
#[derive(Debug, Clone, Copy)]
enum TaskKind {
    All,
    Statements(Cadence),
    FewSessions,
}

impl TaskKind {
    const ALL: [TaskKind; 4] = [
        TaskKind::All,
        TaskKind::Statements(Cadence::Annual),
        TaskKind::Statements(Cadence::Quarter),
        TaskKind::FewSessions,
    ];

    fn matches(self, dataset: &Dataset, task: &Task) -> bool {
        let is_kind = match (self, task.window) {
            (TaskKind::All, Window::All) => true,
            (TaskKind::Statements(wanted), Window::Newest { cadence, .. }) => wanted == cadence,
            // A short range continues a known series and overlaps its newest bars. These bars have
            // a VWAP, which bulk files lack, so such a range is fetched with a call.
            (TaskKind::FewSessions, Window::Days { from, to }) => {
                (to - from).num_days() > MAX_CONTINUED_DAYS && sessions(from, to) <= MAX_SESSIONS
            }
            _ => false,
        };
        // Bulk files sometimes lack rows that the endpoint for one symbol returns.
        let is_unconfirmed = task.prior.unconfirmed > 0;
        is_kind && !is_unconfirmed && task.dataset == dataset && bulk::has(task)
    }
}

/// Counts the sessions of a range. Stops counting at one more than [`MAX_SESSIONS`].
fn sessions(from: NaiveDate, to: NaiveDate) -> usize {
    from.iter_days()
        .take_while(|day| *day <= to)
        .filter(|day| nyse_calendar::is_trading_day(*day))
        .take(MAX_SESSIONS + 1)
        .count()
}

#[cfg(test)]
mod tests {
    use findata_domain::Symbol;
    use findata_fmp::{FmpPlan, SourceKind};
    use findata_pipeline::{freshness::FetchLog, run::Options};

    use super::*;
    use crate::market::Market;

    const NOW: &str = "2026-11-20T22:00:00Z";

    fn plan(symbols: usize, change: impl Fn(&mut Options)) -> (Planned, BulkSelection) {
        let symbols: Vec<Symbol> = (0..symbols).map(|i| format!("S{i}").parse().unwrap()).collect();
        let mut options = Options {
            plan_limits: PlanLimits { bulk: true, minimize_calls: true, ..PlanLimits::default() },
            quarters: 8,
            years: 6,
            ..Options::default()
        };
        change(&mut options);
        let now = NOW.parse().unwrap();
        let mut planned =
            super::super::plan(&symbols, &options, &FetchLog::default(), &Market::default(), now).unwrap();
        let chosen = select(&mut planned, options.plan_limits, &BTreeMap::new(), now);
        (planned, chosen)
    }

    fn calls(planned: &Planned) -> u64 {
        planned.datasets.iter().map(|(_, dataset)| dataset.calls).sum()
    }

    fn few_days(options: &mut Options) {
        options.prices_from = "2026-10-22".parse().ok();
        options.datasets = ["profile", "prices", "income_statement", "balance_sheet", "cash_flow"]
            .map(String::from)
            .to_vec();
    }

    #[test]
    fn bulk_files_reduce_the_calls_of_a_first_load_of_many_symbols() {
        let (planned, chosen) = plan(505, few_days);
        assert_eq!(chosen.batches.len(), 5);
        assert!(calls(&planned) <= 505 * 3 / 10, "{}", calls(&planned));
        let default = Options::default();
        let (more_history, _) = plan(505, |options| {
            few_days(options);
            (options.quarters, options.years) = (default.quarters, default.years);
        });
        assert!(calls(&more_history) <= 505 * 4 / 10, "{}", calls(&more_history));
        // Bulk files do not contain the index.
        assert_eq!(
            planned.tasks.iter().map(|task| task.symbol.clone()).collect::<Vec<_>>(),
            [Symbol::default_index()]
        );
        let (planned, chosen) = plan(505, |options| {
            few_days(options);
            options.prices_from = None;
        });
        assert!(!chosen.batches.iter().any(|batch| batch.id.contains("prices")));
        assert!(calls(&planned) <= 505 * 13 / 10, "{}", calls(&planned));
        assert_eq!(planned.tasks.len(), 506);
    }

    #[test]
    fn a_few_symbols_are_fetched_one_by_one() {
        let (planned, chosen) = plan(4, |_| {});
        assert!(chosen.batches.is_empty() && chosen.notes.is_empty());
        assert_eq!(calls(&planned), planned.tasks.len() as u64);
        // With 36 symbols, the nine annual files save enough calls, but the sixteen quarterly files
        // do not.
        let (planned, chosen) = plan(36, |options| options.datasets = vec!["cash_flow".into()]);
        assert_eq!(chosen.batches[0].tasks.len(), 36);
        assert!(planned.tasks.len() == 36 && calls(&planned) < 72);
    }

    #[test]
    fn files_are_used_only_if_they_take_no_longer() {
        // On FMP's own host a file takes 31 s, in which 1,550 calls of the ultimate plan are made.
        let ultimate = |symbols| {
            plan(symbols, |options| {
                options.plan_limits = FmpPlan::Ultimate.plan_limits(SourceKind::Fmp);
                options.datasets = vec!["cash_flow".into()];
            })
        };
        assert!(ultimate(505).1.batches.is_empty());
        let (planned, chosen) = ultimate(30_000);
        assert_eq!(chosen.batches.len(), 1);
        assert!(planned.tasks.is_empty() && calls(&planned) < 30);
    }

    #[test]
    fn events_and_plans_without_bulk_files_are_unaffected() {
        let (planned, chosen) =
            plan(505, |options| options.datasets = vec!["dividends".into(), "splits".into()]);
        assert!(chosen.batches.is_empty() && planned.tasks.len() == 1_010);
        assert!(plan(505, |options| options.plan_limits.bulk = false).1.batches.is_empty());
        assert!(plan(505, |options| options.plan_limits.minimize_calls = false).1.batches.is_empty());
    }

    #[test]
    fn a_refused_endpoint_is_not_used_for_a_day() {
        let (planned, chosen) = plan(50, |options| options.datasets = vec!["profile".into()]);
        assert_eq!((planned.tasks.len(), chosen.batches.len()), (0, 1));
        let now: DateTime<Utc> = NOW.parse().unwrap();
        let refused = |at| BTreeMap::from([("profile-bulk".to_owned(), at)]);
        let plan_limits = PlanLimits { bulk: true, minimize_calls: true, ..PlanLimits::default() };
        let batches = |at| {
            let mut planned = Planned {
                tasks: chosen.batches[0].tasks.clone(),
                datasets: planned.datasets.clone(),
                ..Planned::default()
            };
            select(&mut planned, plan_limits, &refused(at), now).batches.len()
        };
        assert_eq!((batches(now - Duration::hours(23)), batches(now - Duration::hours(25))), (0, 1));
        assert_eq!(batches(now + Duration::days(2)), 1, "refused while a clock was ahead");
    }
}
