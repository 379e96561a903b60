//! What a run would fetch, now and within a day.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use findata_domain::{
    Result, Symbol,
    clock::{AnyClock, Clock},
};
use findata_fmp::{Demand, Limits};
use findata_pipeline::{
    plan::{Plan, PlanOutline},
    ports::stage::Stage,
    run::{Options, Request, RunId, Universe},
};
use serde::Serialize;

/// How far ahead the second plan looks.
const AHEAD: TimeDelta = TimeDelta::days(1);

/// What a run of the companies of the last runs would fetch.
#[derive(Debug, Serialize)]
pub struct Due {
    /// Number of companies.
    pub companies: usize,
    /// Calls of a run now, and of a run a day from now if none runs before.
    pub calls: u64,
    #[allow(missing_docs)]
    pub calls_in_a_day: u64,
    /// Minutes that the calls of a run now take at the limits of the FMP plan; `None` without a limit.
    pub minutes: Option<f64>,
    /// The datasets that are due now or within a day, in the catalog's order.
    pub datasets: Vec<DueDataset>,
}

/// A dataset that is due.
#[derive(Debug, Serialize)]
pub struct DueDataset {
    /// Its name.
    pub name: String,
    /// Number of companies whose data is due now, and a day from now.
    pub companies: usize,
    #[allow(missing_docs)]
    pub companies_in_a_day: usize,
    /// Calls that a run now needs.
    pub calls: u64,
    /// Why it is due now: number of tasks by reason.
    pub reasons: BTreeMap<String, u64>,
}

/// A clock that is ahead of another one.
struct Ahead(AnyClock, TimeDelta);

impl Clock for Ahead {
    fn now(&self) -> DateTime<Utc> {
        self.0.now() + self.1
    }

    fn latest(&self) -> DateTime<Utc> {
        self.0.latest() + self.1
    }
}

/// Plans a run of all companies of these plans, with the options of the newest one.
pub(super) async fn read(
    stage: &impl Stage,
    plans: &[PlanOutline],
    clock: AnyClock,
    limits: &Limits,
) -> Result<Option<Due>> {
    let symbols: BTreeSet<&Symbol> = plans.iter().flat_map(|plan| &plan.symbols).collect();
    let Some(newest) = plans.iter().find(|plan| !plan.symbols.is_empty()) else {
        return Ok(None);
    };
    let (companies, options) = (symbols.len(), options(&newest.options));
    let request = Request {
        run_id: RunId::new(clock.now(), 0),
        universe: Universe::Symbols(symbols.into_iter().cloned().collect()),
        options,
        retry_of: None,
        corrections: Some(Vec::new()),
        traceparent: None,
    };
    let now = findata_fanout::preview(&request, stage, &Ahead(clock, TimeDelta::zero())).await?;
    let later = findata_fanout::preview(&request, stage, &Ahead(clock, AHEAD)).await?;
    let demand = Demand {
        calls: now.calls(),
        files: now.datasets.iter().map(|(_, dataset)| dataset.files).sum(),
        bytes: now.datasets.iter().map(|(_, dataset)| dataset.bytes).sum(),
    };
    let pause = Duration::from_secs(request.options.plan_limits.bulk_pause);
    Ok(Some(Due {
        companies,
        calls: demand.calls,
        calls_in_a_day: later.calls(),
        minutes: limits.estimate(&demand, pause).time.map(|time| (time.as_secs_f64() / 6.0).ceil() / 10.0),
        datasets: datasets(&now, &later),
    }))
}

/// Keeps the options that say how much data a run fetches. The others applied to one run.
fn options(of: &Options) -> Options {
    Options {
        quarters: of.quarters,
        years: of.years,
        ttl: of.ttl.clone(),
        index: of.index.clone(),
        plan_limits: of.plan_limits,
        ..Options::default()
    }
}

fn datasets(now: &Plan, later: &Plan) -> Vec<DueDataset> {
    let (companies, companies_later) = (companies(now), companies(later));
    let of = |counts: &BTreeMap<&str, usize>, name: &str| counts.get(name).copied().unwrap_or_default();
    let mut names: Vec<&String> = now.datasets.iter().map(|(name, _)| name).collect();
    names.extend(later.datasets.iter().map(|(name, _)| name));
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    let due = names.into_iter().map(|name| {
        let planned = now.datasets.iter().find(|(known, _)| known == name).map(|(_, dataset)| dataset);
        DueDataset {
            name: name.clone(),
            companies: of(&companies, name),
            companies_in_a_day: of(&companies_later, name),
            calls: planned.map_or(0, |dataset| dataset.calls),
            reasons: planned.map(|dataset| dataset.due.clone()).unwrap_or_default(),
        }
    });
    due.filter(|dataset| dataset.companies + dataset.companies_in_a_day > 0 || dataset.calls > 0)
        .collect()
}

/// Counts the symbols of the tasks by dataset.
fn companies(plan: &Plan) -> BTreeMap<&str, usize> {
    let mut symbols: BTreeMap<&str, BTreeSet<Option<&Symbol>>> = BTreeMap::new();
    for task in plan.batches.iter().flat_map(|batch| &batch.tasks) {
        symbols.entry(task.dataset.name).or_default().insert(task.symbol.as_ref());
    }
    symbols.into_iter().map(|(dataset, symbols)| (dataset, symbols.len())).collect()
}
