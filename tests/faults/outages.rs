//! A scheduled run meets an outage of FMP on AWS: the sweeper retries it twice.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use findata_domain::clock::DayClock;
use findata_duckdb::{DuckDb, MemoryLimit};
use findata_fanout::{
    command::Defaults,
    event::{self, Invocation},
    watch::Watch,
};
use findata_fmp::{ClientSettings, Deadline, Fmp};
use findata_local::{bus::LocalBus, queue::LocalQueue, stage::DirectoryStage};
use findata_pipeline::{
    ledger::{self, Outcome},
    ports::stage::{self, Stage},
    run::{PlanLimits, RunId, Status},
    summary::Summary,
    telemetry::Telemetry,
};
use findata_tests::{Home, Job, Simulator, client, models, today, wait};
use serde_json::{Value, json};

use super::SYMBOLS;

/// The functions of a stack, each called in this process, on a simulated clock.
struct Stack {
    home: Home,
    stage: DirectoryStage,
    queue: LocalQueue,
    bus: LocalBus,
    fmp: Fmp,
    started: DateTime<Utc>,
    /// How long planning and one delivery of a batch may take; `None` for any time.
    limit: Option<Duration>,
}

impl Stack {
    fn new(fmp: Fmp, limit: Option<Duration>) -> Self {
        let home = Home::new();
        Stack {
            stage: DirectoryStage::open(&home.stage()).unwrap(),
            home,
            queue: LocalQueue::default(),
            bus: LocalBus::default(),
            fmp,
            started: "2026-09-18T10:00:00Z".parse().unwrap(),
            limit,
        }
    }

    fn at(&self, minute: i64) -> DateTime<Utc> {
        self.started + TimeDelta::minutes(minute)
    }

    fn invoke(&self, input: Value, minute: i64) -> Value {
        let defaults = Defaults {
            index: findata_domain::Symbol::default_index(),
            plan_limits: PlanLimits::default(),
            ttl: Default::default(),
        };
        let invocation = Invocation {
            id: format!("at {minute}"),
            at: self.at(minute),
            deadline: self.limit.map(|limit| Instant::now() + limit),
        };
        let (clock, telemetry) = (DayClock(today()), Telemetry::default());
        let (stage, queue, bus) = (&self.stage, &self.queue, &self.bus);
        wait(event::handle(
            input,
            &invocation,
            &defaults,
            Ok(&self.fmp),
            stage,
            queue,
            bus,
            &clock,
            &telemetry,
            Watch::default(),
        ))
        .unwrap()
    }

    fn tick(&self) -> Value {
        let request = json!({
            "symbols": SYMBOLS, "days": 30, "quarters": 8, "years": 6, "scheduled": self.started,
        });
        self.invoke(request, 0)
    }

    fn sweep(&self, minute: i64) -> Value {
        self.invoke(json!({"sweep": true}), minute)
    }

    /// Delivers the waiting messages, and then the events that close the steps.
    fn work(&self, minute: i64) {
        self.fetch(minute);
        self.load_and_compute(minute);
    }

    fn fetch(&self, minute: i64) {
        let clock = DayClock(today());
        wait(async {
            while let Some(delivery) = self.queue.receive() {
                let limit = self.limit.map(|limit| Deadline::before(Instant::now() + limit, Instant::now()));
                let message = delivery.message.clone();
                let result =
                    findata_extract::handle(&message, &self.fmp, &self.stage, &clock, limit, None).await;
                if result.is_err() && !self.queue.put_back(delivery) {
                    let failure = Outcome::failed_for_now("the batch failed three times");
                    ledger::record_as_failed(&message, &failure, &self.stage, self.at(minute)).await.unwrap();
                }
            }
        });
    }

    fn load_and_compute(&self, minute: i64) {
        let clock = DayClock(today());
        wait(async {
            for run in self.runs_with("staged.json") {
                let stage = &self.stage;
                if stage.get(&ledger::summary_key(&run)).await.unwrap().is_some() {
                    continue;
                }
                let memory = MemoryLimit::of_machine();
                let mut warehouse =
                    DuckDb::open(&self.home.warehouse(), stage.root(), memory, models()).unwrap();
                findata_load::handle(&run, stage, &mut warehouse, &clock).await.unwrap();
                let (input, now, telemetry) = (json!({"run_id": run}), self.at(minute), Telemetry::default());
                let bus = &self.bus;
                findata_analytics::event::handle(
                    &input,
                    stage,
                    Ok(&mut warehouse),
                    models(),
                    bus,
                    &clock,
                    now,
                    0.25,
                    &telemetry,
                )
                .await
                .unwrap();
            }
        });
    }

    fn runs_with(&self, object: &str) -> Vec<RunId> {
        ledger::runs_with(object, &self.home.keys("runs/")).into_iter().collect()
    }

    fn summaries(&self) -> Vec<Summary> {
        let summary = |run: &RunId| {
            let summary: Option<Summary> =
                wait(stage::read_json(&self.stage, &ledger::summary_key(run))).unwrap();
            summary.unwrap()
        };
        self.runs_with("summary.json").iter().map(summary).collect()
    }

    fn statuses(&self) -> Vec<Status> {
        self.summaries().iter().map(|summary| summary.status).collect()
    }

    /// Of each run, whether its failure raises no alarm because a retry follows.
    fn retried(&self) -> Vec<bool> {
        self.summaries().iter().map(Summary::is_retried).collect()
    }
}

/// The home of the same run on a laptop without a fault, and its number of calls.
fn on_a_laptop() -> (Home, u64) {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    Job::new(server.url(), &SYMBOLS).run_ok(&home);
    (home, server.calls())
}

/// A scheduled run during an outage of this many minutes. The outage begins with the run, or, if
/// `is_planned`, after the run is planned.
fn outage(fault: &str, minutes: i64, limit: Option<Duration>, is_planned: bool) {
    let (laptop, calls) = on_a_laptop();
    let server = Simulator::with_symbols(12);
    let mut stack = Stack::new(client(&server.url(), "test-key"), limit);
    if !is_planned {
        server.set_faults(&[fault]);
    }
    stack.tick();
    server.set_faults(&[fault]);
    stack.work(1);
    assert_eq!((stack.statuses(), stack.retried()), (vec![Status::Failed], vec![true]));
    for minute in (5..=60).step_by(5) {
        if minute >= minutes {
            server.set_faults(&[]);
        }
        // The breakers of the last attempt are outdated after five minutes.
        stack.fmp = client(&server.url(), "test-key");
        stack.sweep(minute);
        stack.work(minute + 1);
    }
    let statuses = stack.statuses();
    assert_eq!(statuses.last(), Some(&Status::Complete), "{statuses:?}");
    assert!((2..=3).contains(&statuses.len()), "{statuses:?}");
    let runs = stack.runs_with("summary.json");
    assert!(
        runs[1].started().unwrap() >= stack.at(5) && runs[1].started().unwrap() <= stack.at(10),
        "{runs:?}"
    );
    if let Some(second) = runs.get(2) {
        assert!(second.started().unwrap() >= stack.at(35), "{runs:?}");
    }
    assert!(runs.iter().all(RunId::is_scheduled), "retries leave on-demand runs their precedence");
    let answered = server.calls() - server.faults_injected();
    // The list of symbol changes is read by each attempt that plans.
    assert!((calls..=calls + 3).contains(&answered), "{answered} calls instead of {calls}");
    if stack.home.content() != laptop.content() {
        panic!("{:?}", stack.home.differences(&laptop));
    }
    let calls = server.calls();
    stack.sweep(70);
    stack.work(71);
    assert_eq!(
        (server.calls(), stack.runs_with("summary.json").len()),
        (calls, runs.len()),
        "nothing is left to do"
    );
}

const SECOND: Option<Duration> = Some(Duration::from_secs(1));

#[test]
fn a_run_that_meets_a_silent_fmp_for_seven_minutes_is_retried() {
    outage("stall=600s", 7, SECOND, false);
}

#[test]
fn a_run_that_meets_a_silent_fmp_for_half_an_hour_is_retried() {
    outage("stall=600s", 30, SECOND, false);
}

#[test]
fn a_run_whose_fmp_falls_silent_after_planning_is_retried() {
    outage("stall=600s", 30, SECOND, true);
}

#[test]
fn a_run_that_meets_server_errors_for_seven_minutes_is_retried() {
    outage("unavailable", 7, None, false);
}

#[test]
fn a_run_that_meets_server_errors_for_half_an_hour_is_retried() {
    outage("unavailable", 30, None, false);
}

#[test]
fn a_run_is_retried_twice_at_most_and_only_for_reasons_that_can_pass() {
    let server = Simulator::with_symbols(12);
    let stack = Stack::new(client(&server.url(), "test-key"), SECOND);
    server.set_faults(&["stall=600s"]);
    stack.tick();
    for minute in (5..=120).step_by(5) {
        stack.sweep(minute);
    }
    assert_eq!(stack.statuses(), [Status::Failed; 3]);
    assert_eq!(stack.retried(), [true, true, false], "only the last failure raises an alarm");

    let stack = Stack::new(client(&server.url(), "test-key"), None);
    server.set_faults(&["unauthorized"]);
    stack.tick();
    stack.work(1);
    assert_eq!(stack.sweep(60)["started"], json!([]), "a person must fix the key");
    assert_eq!((stack.statuses(), stack.retried()), (vec![Status::Failed], vec![false]));
    // A duplicate of the schedule's event does not start the run again.
    server.set_faults(&[]);
    assert_eq!(stack.tick()["status"], "ended");
}

#[test]
fn waiting_for_the_shared_call_budget_is_not_a_failure() {
    let server = Simulator::with_symbols(12);
    let settings = ClientSettings { plan: "1".parse().unwrap(), ..settings(&server) };
    let used_up = Fmp::new(&settings).unwrap();
    assert_eq!(wait(used_up.get("splits", &[("symbol", "AAPL".into())])).calls, 1);
    let mut stack = Stack::new(used_up, Some(Duration::from_millis(500)));
    let waiting = stack.tick();
    assert_eq!(waiting["status"], "waiting", "{waiting}");
    assert!(stack.statuses().is_empty());
    assert_eq!(stack.sweep(15)["started"], json!([]), "Lambda may still be trying");
    assert_eq!(stack.sweep(20)["started"][0]["status"], "waiting");
    assert_eq!(stack.sweep(25)["started"], json!([]));

    (stack.fmp, stack.limit) = (client(&server.url(), "test-key"), None);
    assert_eq!(stack.sweep(40)["started"][0]["status"], "begun");
    // The batch waits, too. Its deliveries do not count as failed.
    let mut message = stack.queue.receive().unwrap().message;
    let slow = Fmp::new(&settings).unwrap();
    wait(async {
        for wait in 0..3 {
            let deadline = Instant::now() + Duration::from_millis(400);
            let limit = Some(Deadline { begin: deadline, wait: deadline });
            let clock = DayClock(today());
            let result = findata_extract::handle(&message, &slow, &stack.stage, &clock, limit, None).await;
            let Ok(findata_extract::BatchResult::Rest(rest)) = result else {
                panic!("{result:?}");
            };
            // The first delivery makes the only call of this minute.
            assert_eq!((rest.checkpoints, rest.waits), (1, wait));
            message = *rest;
        }
        stack.queue.resume(message);
    });
    let waits = stack.home.keys("runs/").iter().filter(|key| key.contains("-wait-")).count();
    assert_eq!(waits, 2, "the sweeper sees that the batch waits");
    stack.work(41);
    assert_eq!(stack.statuses(), [Status::Complete]);
    assert!(stack.home.content() == on_a_laptop().0.content());
}

#[test]
fn a_scheduled_run_waits_while_another_run_fetches_the_same_data() {
    // More than one batch.
    let server = Simulator::with_symbols(60);
    let stack = Stack::new(client(&server.url(), "test-key"), None);
    let on_demand = json!({"symbols": server.symbols(), "days": 30, "quarters": 8, "years": 6});
    let mut scheduled = on_demand.clone();
    scheduled["scheduled"] = json!(stack.at(1));
    assert_eq!(stack.invoke(on_demand.clone(), 0)["batches"], 2);
    let waiting = stack.invoke(scheduled.clone(), 1);
    assert_eq!(waiting["status"], "waiting", "{waiting}");
    assert_eq!(stack.sweep(5)["started"][0]["status"], "waiting");
    stack.fetch(6);
    let calls = server.calls();
    assert_eq!(stack.sweep(8)["started"][0]["status"], "waiting", "load adds to the fetch log");
    stack.load_and_compute(9);
    assert_eq!(stack.sweep(10)["started"][0]["status"], "begun");
    stack.work(11);
    assert_eq!(stack.statuses(), [Status::Complete; 2]);
    assert_eq!(server.calls(), calls, "all data is fresh");
    assert_eq!(stack.sweep(15)["started"], json!([]));

    // It waits for half an hour at most, and never for a single batch.
    let one = json!({"symbols": ["AAPL"], "days": 30, "full": true});
    assert_eq!(stack.invoke(one, 60)["batches"], 1);
    scheduled["scheduled"] = json!(stack.at(61));
    assert_eq!(stack.invoke(scheduled.clone(), 61)["status"], "begun");
    stack.work(62);
    let full = json!({"symbols": server.symbols(), "days": 30, "full": true});
    assert_eq!(stack.invoke(full, 70)["batches"], 2);
    scheduled["scheduled"] = json!(stack.at(71));
    assert_eq!(stack.invoke(scheduled, 71)["status"], "waiting");
    assert_eq!(stack.sweep(100)["started"][0]["status"], "waiting");
    assert_eq!(stack.sweep(101)["started"][0]["status"], "begun");
}

fn settings(server: &Simulator) -> ClientSettings {
    ClientSettings {
        url: server.url(),
        key: secrecy::SecretString::from("test-key"),
        plan: findata_fmp::FmpPlan::Unlimited,
        bytes: None,
        burst: None,
        in_flight: 64,
        limit_pause: Duration::from_millis(2),
        bulk_pause: Duration::ZERO,
        time_scale: Default::default(),
    }
}
