//! Outages of FMP at the scheduled time, two runs at once, and failing deliveries, with the real functions. All waits
//! are divided by 60, so an outage of 30 minutes takes 30 seconds.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use findata_domain::clock::{Clock, SystemClock};
use findata_fmp_simulator::Options;
use findata_pipeline::{
    run::{self, RunId, Status},
    summary::Summary,
};
use findata_tests::{Bundle, Home, Job, Simulator, today};
use serde_json::{Value, json};

use super::{SYMBOLS, assert_same_tables, bundle};

/// The sweeper's schedule, which is every five minutes.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// The longest time from the scheduled time to a complete run.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A stack whose functions wait a 60th of the usual time, and a local warehouse that gets the same runs without
/// faults. Each scenario loads other symbols.
struct Stack {
    bundle: Bundle,
    server: Simulator,
    home: Home,
    symbols: Vec<String>,
}

/// The end of a scenario.
struct Outcome {
    /// The runs, the oldest first.
    runs: Vec<Summary>,
    /// Successful calls, and those of a run without faults.
    calls: (u64, u64),
}

impl Stack {
    fn start(scenarios: usize) -> Option<Self> {
        let server = Simulator::start(Options {
            symbols: scenarios * SYMBOLS,
            today: today(),
            ..Options::default()
        });
        let bundle = bundle(&server, &[("Universe", "mine")])?;
        for function in ["findata-fanout", "findata-extract"] {
            let name = json!({"FunctionName": function});
            let mut scaled = name.clone();
            scaled["Environment"] =
                bundle.call("lambda", "get_function_configuration", name)["Environment"].clone();
            scaled["Environment"]["Variables"]["FINDATA_TIME_SCALE"] = json!("60");
            bundle.call("lambda", "update_function_configuration", scaled);
        }
        bundle.set_visibility_timeout(30);
        let symbols = server.symbols();
        Some(Stack { bundle, server, home: Home::new(), symbols })
    }

    fn successes(&self) -> u64 {
        self.server.calls() - self.server.faults_injected()
    }

    /// Lets `begin` start runs of the next symbols, sweeps every scaled five minutes, and ends the faults after
    /// `outage`. Returns when `runs` runs are complete and none is open.
    fn scenario(&mut self, what: &str, outage: Duration, runs: usize, begin: impl Fn(&Self)) -> Outcome {
        let symbols: Vec<String> = self.symbols.drain(..SYMBOLS).collect();
        let before = self.successes();
        Job::new(self.server.url(), &symbols.iter().map(String::as_str).collect::<Vec<_>>())
            .with(|options| *options = run::Options::default())
            .run_ok(&self.home);
        let (fault_free, before) = (self.successes() - before, self.successes());
        let list = json!({"symbols": symbols, "stored_at": "2026-09-17T20:00:00Z"}).to_string();
        let key = "home/state/universes/mine.json";
        let object = json!({"Bucket": self.bundle.output("BucketName"), "Key": key, "Body": list});
        self.bundle.call("s3", "put_object", object);
        let earlier = self.runs();
        let begun = Instant::now();
        begin(self);
        let (mut swept, mut is_over) = (Instant::now(), false);
        let summaries = loop {
            thread::sleep(Duration::from_millis(200));
            assert!(begun.elapsed() < TIMEOUT, "{what}: {:?}", self.bundle.keys("runs/"));
            if !is_over && begun.elapsed() >= outage {
                self.server.set_faults(&[]);
                is_over = true;
            }
            if swept.elapsed() >= SWEEP_EVERY {
                self.bundle.invoke("fanout", &json!({"sweep": true}));
                swept = Instant::now();
            }
            let new: Vec<RunId> = self.runs().difference(&earlier).cloned().collect();
            let text = |run: &RunId| self.bundle.object(&format!("runs/{run}/summary.json"));
            let ended: Option<Vec<String>> = new.iter().map(text).collect();
            let ended: Vec<Summary> =
                ended.into_iter().flatten().map(|text| serde_json::from_str(&text).unwrap()).collect();
            if ended.iter().filter(|summary| summary.status == Status::Complete).count() >= runs {
                break ended;
            }
        };
        let calls = self.successes() - before;
        let statuses: Vec<_> = summaries.iter().map(|summary| (summary.status, summary.calls)).collect();
        println!(
            "{what}: {:.0} s, {calls} successful calls, {fault_free} without faults; runs: {statuses:?}",
            begun.elapsed().as_secs_f64()
        );
        assert_same_tables(&self.home, &self.bundle);
        Outcome { runs: summaries, calls: (calls, fault_free) }
    }

    fn runs(&self) -> BTreeSet<RunId> {
        let run = |key: String| key.split('/').nth(1)?.parse().ok();
        self.bundle.keys("runs/").into_iter().filter_map(run).collect()
    }

    fn tick(&self) {
        // AWS names the minute. Two scenarios may begin within one minute.
        let now = SystemClock.now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        self.bundle.control("/_tick", &[("schedule", "findata-daily"), ("at", &now)]);
    }

    fn logged(&self, metric: &str) -> usize {
        let functions = ["fanout", "analytics"].iter().flat_map(|function| self.bundle.log(function));
        functions.filter(|line| line.contains(&format!("\"{metric}\":1.0"))).count()
    }
}

impl Outcome {
    /// At most one batch is fetched twice. All symbols of a scenario are one batch.
    fn assert_calls(&self) {
        let (calls, fault_free) = self.calls;
        assert!(calls >= fault_free && calls <= 2 * fault_free, "{calls}, {fault_free}");
    }
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn a_scheduled_run_survives_outages_of_fmp() {
    let outages = [("unavailable", 7), ("unavailable", 30), ("stall=600s", 7), ("stall=600s", 30)];
    let Some(mut stack) = Stack::start(outages.len()) else {
        return;
    };
    for (fault, minutes) in outages {
        let outcome = stack.scenario(
            &format!("{fault} for {minutes} minutes"),
            Duration::from_secs(minutes),
            1,
            |stack| {
                stack.server.set_faults(&[fault]);
                stack.tick();
            },
        );
        // A call that plans an attempt may succeed when the outage ends, before another one fails.
        let (calls, fault_free) = outcome.calls;
        assert!((fault_free..=fault_free + 3).contains(&calls), "{calls} calls instead of {fault_free}");
        let attempts = outcome.runs.len();
        assert!(
            (2..=3).contains(&attempts) && outcome.runs.iter().all(|summary| summary.run_id.is_scheduled())
        );
        if minutes == 7 && fault == "unavailable" {
            let logged = ["RunsToRetry", "RunsFailed", "RunsCompleted"].map(|metric| stack.logged(metric));
            assert_eq!(logged, [1, 0, 1], "a failure that is retried raises no alarm");
        }
    }
}

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn runs_at_the_same_time_and_failing_deliveries_lose_nothing() {
    let Some(mut stack) = Stack::start(2) else {
        return;
    };
    let together = stack.scenario("a run on demand at the scheduled time", Duration::ZERO, 2, |stack| {
        let request: Value = json!({"universe": "mine"});
        stack.bundle.put_event("RunRequested", &request);
        stack.bundle.wait_for("a plan", || {
            stack.bundle.keys("runs/").into_iter().find(|key| key.ends_with("/plan.json"))
        });
        stack.tick();
    });
    together.assert_calls();
    let failing = stack.scenario("failing deliveries", Duration::ZERO, 1, |stack| {
        for (action, times) in [("sqs:SendMessage", "2"), ("events:PutEvents", "2")] {
            stack.bundle.control("/_fail", &[("action", action), ("times", times)]);
        }
        for rule in ["LoadStaged", "AnalyticsLoaded"] {
            stack.bundle.control("/_deliver", &[("rule", rule), ("copies", "0"), ("times", "1")]);
        }
        stack.tick();
    });
    failing.assert_calls();
}
