//! Which of the due tasks come by FMP's bulk files: those that take more calls, and more time, than the files that have them.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use findata_domain::{catalog::Dataset, nyse_calendar};
use findata_fmp::bulk::{self, File};
use findata_pipeline::{
    plan::{Batch, Cadence, FetchMode, Task, Window},
    run::PlanLimits,
};

use super::{Planned, rows};

/// Sessions of a range of prices beyond which each symbol is asked for by itself.
const MOST_SESSIONS: usize = 45;
/// Days that a part at the end of a known series may have.
const OVERLAPPED: i64 = 10;
/// Calls that files must spare: one has tens of megabytes and comes half a minute after the one before.
const WORTH: u64 = 25;
/// How long a refused endpoint is done without.
const REFUSED: Duration = Duration::days(1);

/// What comes by bulk files.
#[derive(Debug, Default)]
pub struct Chosen {
    /// One batch a dataset.
    pub batches: Vec<Batch>,
    /// What was chosen, for who reads the plan.
    pub notes: Vec<String>,
}

/// Takes out of a plan what comes by bulk files, where the key has them and calls are to be spared. `refused` says when
/// an endpoint was refused.
pub fn choose(
    planned: &mut Planned,
    plan_limits: PlanLimits,
    refused: &BTreeMap<String, DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Chosen {
    let mut chosen = Chosen::default();
    if !(plan_limits.bulk && plan_limits.minimize_calls) {
        return chosen;
    }
    let today = nyse_calendar::new_york_date(now);
    for (name, account) in &mut planned.datasets {
        let Some(dataset) = findata_domain::catalog::dataset(name) else { continue };
        let recently = |endpoint| refused.get(endpoint).is_some_and(|at| now - *at < REFUSED);
        if dataset.bulk.is_none_or(|bulk| recently(bulk.endpoint)) {
            continue;
        }
        let fewer = Kind::ALL.into_iter().filter(|kind| {
            let tasks: Vec<&Task> = planned.tasks.iter().filter(|task| kind.has(dataset, task)).collect();
            is_worth_it(plan_limits, bulk::calls(dataset, &bulk::files(dataset, &tasks, today)), tasks.len() as u64)
        });
        let fewer: Vec<Kind> = fewer.collect();
        let (taken, left) = std::mem::take(&mut planned.tasks)
            .into_iter()
            .partition::<Vec<Task>, _>(|task| fewer.iter().any(|kind| kind.has(dataset, task)));
        planned.tasks = left;
        if taken.is_empty() {
            continue;
        }
        let files: Vec<File> = bulk::files(dataset, &taken.iter().collect::<Vec<_>>(), today);
        let (calls, spared) = (bulk::calls(dataset, &files), taken.len() as u64);
        let bytes: u64 = taken.iter().map(|task| dataset.row_bytes * rows(task)).sum();
        account.files = calls;
        account.calls = account.calls.saturating_sub(spared) + calls;
        account.bytes = account.bytes.saturating_sub(bytes) + bulk::bytes(dataset, &files);
        chosen.notes.push(format!("{name}: {calls} bulk files of the whole world instead of {spared} calls"));
        chosen.batches.push(Batch { id: format!("bulk-{name}"), fetch_mode: FetchMode::BulkFile, tasks: taken });
    }
    chosen
}

/// Whether so many files are better than so many calls: enough fewer, and there no later.
fn is_worth_it(plan_limits: PlanLimits, files: u64, calls: u64) -> bool {
    let sooner =
        plan_limits.per_minute.is_none_or(|pace| files * plan_limits.bulk_pause * u64::from(pace) <= calls * 60);
    files + WORTH <= calls && sooner
}

/// Tasks of a dataset that the same files serve.
#[derive(Debug, Clone, Copy)]
enum Kind {
    All,
    Statements(Cadence),
    FewSessions,
}

impl Kind {
    const ALL: [Kind; 4] =
        [Kind::All, Kind::Statements(Cadence::Annual), Kind::Statements(Cadence::Quarter), Kind::FewSessions];

    fn has(self, dataset: &Dataset, task: &Task) -> bool {
        let same = match (self, task.window) {
            (Kind::All, Window::All) => true,
            (Kind::Statements(wanted), Window::Newest { cadence, .. }) => wanted == cadence,
            // The end of a known series is asked for with its overlap: files would take the VWAP of days that have one.
            (Kind::FewSessions, Window::Days { from, to }) => {
                (to - from).num_days() > OVERLAPPED && sessions(from, to) <= MOST_SESSIONS
            }
            _ => false,
        };
        same && task.dataset == dataset && bulk::has(task)
    }
}

/// Sessions of a range, counted as far as it matters.
fn sessions(from: NaiveDate, to: NaiveDate) -> usize {
    from.iter_days()
        .take_while(|day| *day <= to)
        .filter(|day| nyse_calendar::is_trading_day(*day))
        .take(MOST_SESSIONS + 1)
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

    fn plan(symbols: usize, change: impl Fn(&mut Options)) -> (Planned, Chosen) {
        let symbols: Vec<Symbol> = (0..symbols).map(|i| format!("S{i}").parse().unwrap()).collect();
        let mut options = Options {
            plan_limits: PlanLimits { bulk: true, minimize_calls: true, ..PlanLimits::default() },
            ..Options::default()
        };
        change(&mut options);
        let now = NOW.parse().unwrap();
        let mut planned =
            super::super::plan(&symbols, &options, &FetchLog::default(), &Market::default(), now).unwrap();
        let chosen = choose(&mut planned, options.plan_limits, &BTreeMap::new(), now);
        (planned, chosen)
    }

    fn calls(planned: &Planned) -> u64 {
        planned.datasets.iter().map(|(_, dataset)| dataset.calls).sum()
    }

    fn few_days(options: &mut Options) {
        options.prices_from = "2026-10-22".parse().ok();
        options.datasets =
            ["profile", "prices", "income_statement", "balance_sheet", "cash_flow"].map(String::from).to_vec();
    }

    #[test]
    fn a_first_load_of_many_takes_fewer_calls_than_symbols() {
        let (planned, chosen) = plan(505, few_days);
        assert_eq!(chosen.batches.len(), 5);
        assert!(calls(&planned) <= 505 * 3 / 10, "{}", calls(&planned));
        // The index is no company.
        assert_eq!(planned.tasks.iter().map(|task| task.symbol.clone()).collect::<Vec<_>>(), [Symbol::default_index()]);
        let (planned, chosen) = plan(505, |options| {
            few_days(options);
            options.prices_from = None;
        });
        assert!(!chosen.batches.iter().any(|batch| batch.id.contains("prices")));
        assert!(calls(&planned) <= 505 * 13 / 10, "{}", calls(&planned));
        assert_eq!(planned.tasks.len(), 506);
    }

    #[test]
    fn a_few_symbols_are_asked_for_each() {
        let (planned, chosen) = plan(4, |_| {});
        assert!(chosen.batches.is_empty() && chosen.notes.is_empty());
        assert_eq!(calls(&planned), planned.tasks.len() as u64);
        // So many symbols: nine files of years spare enough calls, sixteen of quarters do not.
        let (planned, chosen) = plan(36, |options| options.datasets = vec!["cash_flow".into()]);
        assert_eq!(chosen.batches[0].tasks.len(), 36);
        assert!(planned.tasks.len() == 36 && calls(&planned) < 72);
    }

    #[test]
    fn files_are_taken_where_they_are_there_no_later() {
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
    fn events_and_a_plan_without_bulk_files_stay_as_they_are() {
        let (planned, chosen) = plan(505, |options| options.datasets = vec!["dividends".into(), "splits".into()]);
        assert!(chosen.batches.is_empty() && planned.tasks.len() == 1_010);
        assert!(plan(505, |options| options.plan_limits.bulk = false).1.batches.is_empty());
        assert!(plan(505, |options| options.plan_limits.minimize_calls = false).1.batches.is_empty());
    }

    #[test]
    fn a_refused_endpoint_is_done_without_for_a_day() {
        let (planned, chosen) = plan(50, |options| options.datasets = vec!["profile".into()]);
        assert_eq!((planned.tasks.len(), chosen.batches.len()), (0, 1));
        let now: DateTime<Utc> = NOW.parse().unwrap();
        let refused = |at| BTreeMap::from([("profile-bulk".to_owned(), at)]);
        let plan_limits = PlanLimits { bulk: true, minimize_calls: true, ..PlanLimits::default() };
        let again = |at| {
            let mut planned = Planned {
                tasks: chosen.batches[0].tasks.clone(),
                datasets: planned.datasets.clone(),
                ..Planned::default()
            };
            choose(&mut planned, plan_limits, &refused(at), now).batches.len()
        };
        assert_eq!((again(now - Duration::hours(23)), again(now - Duration::hours(25))), (0, 1));
    }
}
