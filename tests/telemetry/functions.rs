//! The functions as on AWS, each with its own telemetry: their metrics equal the summary, and their spans
//! are one trace.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use findata_domain::{Error, Result, clock::DayClock};
use findata_duckdb::{DuckDb, MemoryLimit};
use findata_fanout::{command::Defaults, event::Invocation, watch::Watch};
use findata_fmp::{ClientSettings, Deadline, Fmp, FmpPlan};
use findata_local::{bus::LocalBus, queue::LocalQueue, stage::DirectoryStage};
use findata_pipeline::{
    ledger,
    plan::BatchMessage,
    ports::{
        bus::Event,
        queue::{Queue, Redelivery},
        stage,
    },
    run::{PlanLimits, RunId, Status},
    summary::Summary,
    telemetry::{METRICS, Telemetry, otlp, trace::Tracer},
};
use findata_tests::{Home, Simulator, collector::received, models, today, wait};
use secrecy::SecretString;
use serde_json::{Value, json};

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The queue of batches, as extract uses it.
#[derive(Default)]
struct Tasks(LocalQueue);

impl Queue for Tasks {
    async fn send(&self, messages: Vec<BatchMessage>) -> Result<()> {
        self.0.send(messages).await
    }
}

impl Redelivery for Tasks {
    async fn deliver_again(&self, _: &str, _: Duration) -> Result<()> {
        Err(Error::Stop("no message fails in this test".into()))
    }
}

/// A function's telemetry.
struct Probe {
    name: &'static str,
    telemetry: Telemetry,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Probe {
    fn new(name: &'static str) -> Self {
        let (telemetry, lines) = Telemetry::in_memory("findata", Tracer::on());
        Probe { name, telemetry, lines }
    }

    fn lines(&self) -> Vec<Value> {
        std::mem::take(&mut self.lines.lock().unwrap())
    }

    fn export(&self) -> Value {
        otlp::body(self.name, None, &self.telemetry.tracer.take())
    }
}

/// A client whose calls wait for the rate limit.
fn slow_client(url: &str) -> Fmp {
    let settings = ClientSettings {
        url: url.into(),
        key: SecretString::from("test-key"),
        plan: "3000".parse::<FmpPlan>().unwrap(),
        bytes: None,
        burst: std::num::NonZeroU32::new(10),
        in_flight: 64,
        limit_pause: Duration::from_millis(2),
        bulk_pause: Duration::ZERO,
        time_scale: Default::default(),
    };
    Fmp::new(&settings).unwrap()
}

#[test]
fn metrics_equal_the_summary_and_spans_are_one_trace() {
    let (server, home) = (Simulator::with_symbols(60), Home::new());
    let stage = DirectoryStage::open(&home.stage()).unwrap();
    let (tasks, bus, clock) = (Tasks::default(), LocalBus::default(), DayClock(today()));
    let (planner, fetcher) = (slow_client(&server.url()), slow_client(&server.url()));
    let probes = ["fanout", "extract", "load", "analytics"].map(Probe::new);
    let [fanout, extract, load, analytics] = &probes;
    let started: DateTime<Utc> = "2026-09-18T10:00:00Z".parse().unwrap();
    let run: RunId = "20260918T100000000Z-0000000a".parse().unwrap();
    let plan_limits = PlanLimits { per_minute: Some(3_000), ..PlanLimits::default() };
    let defaults = Defaults { index: None, plan_limits, ttl: Default::default() };
    let symbols = server.symbols();
    let datasets = ["profile", "income_statement", "prices"];

    let execute = |run: &RunId, caller: Option<&str>| -> Summary {
        let mut input = json!({"run_id": run, "symbols": symbols, "days": 20, "quarters": 8, "years": 6, "datasets": datasets});
        if let Some(caller) = caller {
            input["traceparent"] = caller.into();
        }
        let invocation = Invocation { id: run.to_string(), at: started, deadline: None };
        let telemetry = &fanout.telemetry;
        let watch = Watch::default();
        let response = findata_fanout::event::handle(
            input,
            &invocation,
            &defaults,
            Ok(&planner),
            &stage,
            &tasks,
            &bus,
            &clock,
            telemetry,
            watch,
        );
        assert_eq!(wait(response).unwrap()["status"], "begun");
        let plan = wait(ledger::plan(&stage, run)).unwrap();
        if plan.batches.len() > 1 {
            // The sweeper sends batches with the context of the plan.
            assert!(plan.traceparent.is_some());
        }
        while let Some(delivery) = tasks.0.receive() {
            let body = serde_json::to_string(&delivery.message).unwrap();
            assert!(body.contains("\"traceparent\":\"00-"), "{body:.300}");
            let record = json!({"messageId": "m", "receiptHandle": "r", "body": body, "eventSourceARN": "tasks",
                                "attributes": {"ApproximateReceiveCount": "1"}});
            let event = serde_json::from_value(json!({"Records": [record]})).unwrap();
            let limit = Deadline::before(Instant::now() + Duration::from_secs(300), Instant::now());
            let pause = Duration::from_secs(60);
            let tracer = &extract.telemetry.tracer;
            let response = findata_extract::event::handle(
                event,
                "dead",
                Ok(&fetcher),
                &stage,
                &tasks,
                &clock,
                limit,
                pause,
                tracer,
            );
            assert!(wait(response).batch_item_failures.is_empty());
        }
        let open =
            || DuckDb::open(&home.warehouse(), stage.root(), MemoryLimit::of_machine(), models()).unwrap();
        let event = |key: &str| json!({"detail": {"object": {"key": format!("home/runs/{run}/{key}")}}});
        let mut warehouse = open();
        let (input, telemetry) = (event("staged.json"), &load.telemetry);
        let response =
            findata_load::event::handle(&input, &stage, Ok(&mut warehouse), &bus, &clock, started, telemetry);
        assert_eq!(wait(response).unwrap()["status"], "loaded");
        let (input, telemetry) = (event("loaded.json"), &analytics.telemetry);
        // S3 may announce an object twice.
        for _ in 0..2 {
            let response = findata_analytics::event::handle(
                &input,
                &stage,
                Ok(&mut warehouse),
                models(),
                &bus,
                &clock,
                started,
                0.25,
                telemetry,
            );
            assert_eq!(wait(response).unwrap()["status"], "complete");
        }
        wait(stage::read_json(&stage, &ledger::summary_key(run))).unwrap().unwrap()
    };

    let summary = execute(&run, Some(CALLER));
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    assert!(
        summary.connections.opened > 0 && summary.connections.peak > 1,
        "{:?}",
        summary.connections
    );
    assert!(summary.budget.waited_seconds > 0.1, "{:?}", summary.budget);
    assert!(summary.budget.longest_call_seconds > 0.0 && summary.budget.max_call_seconds > 0.0);
    assert_eq!(summary.budget.limit_per_minute, Some(3_000));
    let lines = analytics.lines();
    assert_eq!(lines.len(), 1, "a repeated event must not count a run twice");
    let rows: u64 = summary.rows.values().map(|rows| rows.staged).sum();
    let expected = [
        ("RunsCompleted", 1.0),
        ("RunSeconds", summary.seconds),
        ("Calls", summary.calls as f64),
        ("Rows", rows as f64),
        ("RowsPerSecond", summary.rows_per_second),
        ("CallsPerSymbol", summary.calls_per_symbol),
        ("CacheHitRate", 0.0),
        ("Connections", summary.connections.opened as f64),
        ("ConcurrentCalls", summary.connections.peak as f64),
        ("BudgetWaitSeconds", summary.budget.waited_seconds),
        ("Suspicions", summary.quality.suspicions as f64),
        ("SuspectCompanies", summary.quality.suspect_companies as f64),
    ];
    let directive = &lines[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"];
    let units = directive.as_array().unwrap().iter().map(|m| (m["Name"].as_str().unwrap(), &m["Unit"]));
    let units: std::collections::BTreeMap<_, _> = units.collect();
    assert_eq!(units.len(), expected.len(), "{units:?}");
    for (name, value) in expected {
        assert_eq!(lines[0][name].as_f64(), Some(value), "{name}: {}", lines[0]);
        let (_, unit, by) = METRICS.iter().find(|(metric, ..)| *metric == name).unwrap();
        assert!(units[name] == unit && by.contains("analytics"), "{name} is documented otherwise");
    }
    for (name, value) in
        expected.iter().filter(|(name, _)| !name.starts_with("Susp") && *name != "CacheHitRate")
    {
        assert!(*value > 0.0, "{name} is empty");
    }
    assert!(
        [fanout, extract, load].iter().all(|probe| probe.lines().is_empty()),
        "another function counts the run"
    );

    let mut spans: Vec<_> = probes.iter().flat_map(|probe| received(&probe.export())).collect();
    // The second analytics found the run finished.
    let repeated = spans.iter().rposition(|span| span.name == "analytics").unwrap();
    spans.remove(repeated);
    let by_name = super::assert_one_trace(&spans, 2);
    assert!(CALLER.contains(&spans[0].trace) && CALLER.contains(&by_name["request"][0].parent));
    for (name, service) in
        [("request", "fanout"), ("batch", "extract"), ("load", "load"), ("analytics", "analytics")]
    {
        assert_eq!(by_name[name][0].service, service);
    }
    let (load_span, analytics_span) = (by_name["load"][0], by_name["analytics"][0]);
    assert_eq!(load_span.attributes["rows"], rows.to_string());
    let calls: u64 =
        by_name["batch"].iter().map(|span| span.attributes["calls"].parse::<u64>().unwrap()).sum();
    let planned: ledger::Staged = wait(stage::read_json(&stage, &ledger::staged_key(&run))).unwrap().unwrap();
    assert_eq!(planned.batches.len(), 2);
    assert!(calls > 0 && calls <= summary.calls, "{calls} of {}", summary.calls);
    let completed = bus.events().into_iter().find_map(|event| match event {
        Event::RunCompleted { details, .. } => details.traceparent,
        _ => None,
    });
    assert_eq!(completed, Some(format!("00-{}-{}-01", analytics_span.trace, analytics_span.id)));

    // A run that finds everything fresh: its trace is its own, its hit rate is full, and it has no rows.
    let again: RunId = "20260918T110000000Z-0000000b".parse().unwrap();
    let summary = execute(&again, None);
    assert_eq!((summary.calls, summary.cache_hit_rate), (0, 1.0));
    let lines = analytics.lines();
    assert_eq!((lines.len(), lines[0]["CacheHitRate"].as_f64()), (1, Some(100.0)));
    assert!(lines[0].get("RowsPerSecond").is_none(), "{}", lines[0]);
    let spans: Vec<_> = probes.iter().flat_map(|probe| received(&probe.export())).collect();
    assert!(
        spans.iter().all(|span| span.trace == spans[0].trace && !CALLER.contains(&span.trace)),
        "{spans:#?}"
    );
    let load_span = spans.iter().find(|span| span.name == "load").unwrap();
    let plan_span = spans.iter().find(|span| span.name == "plan").unwrap();
    assert_eq!(load_span.parent, plan_span.id, "without batches, fanout closes the fetch step");
}
