//! How the functions behave as Lambda functions, tested in this process: deadlines, the sweeper,
//! repeated invocations.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use findata_domain::{Error, clock::DayClock};
use findata_extract::BatchResult;
use findata_fanout::{
    command::Defaults,
    event::{self, Invocation},
    sweep::{Swept, sweep},
    watch::Watch,
};
use findata_fmp::Deadline;
use findata_fmp_simulator::Options as World;
use findata_local::{bus::LocalBus, queue::LocalQueue, stage::DirectoryStage};
use findata_pipeline::{
    ledger::{self, BatchEntry},
    plan::BatchMessage,
    ports::{
        bus::Event,
        stage::{self, Stage},
    },
    run::{Options, PlanLimits, RunId, Status},
    summary::Summary,
    telemetry::{Telemetry, trace::Tracer},
};
use findata_tests::{Home, Job, Simulator, analyze, client, host, request, today, wait};
use serde_json::{Value, json};

use super::SYMBOLS;

#[test]
fn a_delivery_that_runs_out_of_time_returns_the_rest_of_the_batch() {
    let undisturbed = Home::new();
    let fast = Simulator::with_symbols(12);
    let symbols = fast.symbols();
    Job::new(fast.url(), &symbols.iter().map(String::as_str).collect::<Vec<_>>()).run_ok(&undisturbed);
    let slow = World {
        symbols: 12,
        today: today(),
        latency: Duration::from_millis(150),
        ..World::default()
    };
    let (server, home) = (Simulator::start(slow), Home::new());
    wait(async {
        let clock = DayClock(today());
        let mut host = host(&home, client(&server.url(), "test-key"), clock)?;
        let days = Options {
            prices_from: Some(today() - chrono::Days::new(29)),
            quarters: 8,
            years: 6,
            ..Options::default()
        };
        let symbols = server.symbols();
        let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
        let (request, queue, bus) = (request(&symbols, days), LocalQueue::default(), LocalBus::default());
        findata_fanout::handle(&request, &host.fmp, &host.stage, &queue, &clock).await?;
        let mut parts = 0;
        while let Some(delivery) = queue.receive() {
            let message = delivery.message;
            let now = Instant::now();
            let late = findata_extract::handle(
                &message,
                &host.fmp,
                &host.stage,
                &clock,
                Some(Deadline { begin: now, wait: now }),
                None,
            )
            .await;
            assert!(matches!(late, Err(Error::Retry { .. })), "no task was finished: {late:?}");
            // This deadline leaves time for some of the calls, of which 64 are in flight at once.
            let begin = now + Duration::from_millis(100);
            let limit = Some(Deadline { begin, wait: begin + Duration::from_secs(20) });
            match findata_extract::handle(&message, &host.fmp, &host.stage, &clock, limit, None).await? {
                BatchResult::Rest(rest) => {
                    assert_eq!((rest.checkpoints, &rest.batch), (message.checkpoints + 1, &message.batch));
                    parts = parts.max(rest.checkpoints);
                    findata_pipeline::ports::queue::Queue::send(&queue, vec![*rest]).await?;
                }
                BatchResult::Done { closed } => assert!(closed, "the only batch"),
            }
        }
        assert!(parts > 0, "the deadline never struck");
        let run = &request.run_id;
        findata_load::handle(run, &host.stage, &mut host.warehouse, &clock).await?;
        let summary = analyze(run, &host.stage, &mut host.warehouse, &bus, &clock).await?;
        assert_eq!((summary.status, summary.tasks.done), (Status::Complete, summary.tasks.planned));
        Ok::<_, Error>(())
    })
    .unwrap();
    assert!(home.content() == undisturbed.content(), "{:?}", home.differences(&undisturbed));
}

/// Plans a run and enqueues its batches. Returns the stage, the run id and the start time.
async fn plan_run(
    home: &Home,
    server: &Simulator,
    queue: &LocalQueue,
) -> (DirectoryStage, RunId, DateTime<Utc>) {
    let started: DateTime<Utc> = "2026-09-18T10:00:00Z".parse().unwrap();
    let stage = DirectoryStage::open(&home.stage()).unwrap();
    let mut request = request(&SYMBOLS, Options { datasets: vec!["profile".into()], ..Options::default() });
    request.run_id = RunId::new(started, 7);
    let fmp = client(&server.url(), "test-key");
    findata_fanout::handle(&request, &fmp, &stage, queue, &DayClock(today())).await.unwrap();
    (stage, request.run_id, started)
}

#[test]
fn the_sweeper_restarts_a_step_a_few_times_and_then_closes_the_run() {
    let (server, home, queue, bus) =
        (Simulator::with_symbols(12), Home::new(), LocalQueue::default(), LocalBus::default());
    wait(async {
        let (stage, run, started) = plan_run(&home, &server, &queue).await;
        while queue.receive().is_some() {}
        let (telemetry, lines) = Telemetry::in_memory("findata", Tracer::default());
        let swept = |minutes: i64| {
            let now = started + chrono::Duration::minutes(minutes);
            sweep(&stage, &queue, &bus, now, None, Watch::default(), &telemetry)
        };
        let nothing = |minutes: f64| Swept { open: 1, oldest_minutes: minutes, ..Swept::default() };
        assert_eq!(swept(59).await.unwrap(), nothing(59.0), "a step has an hour before the sweeper acts");
        let mut minutes = 0;
        for restart in 0..5 {
            minutes += 60 << restart;
            assert_eq!(swept(minutes).await.unwrap().sent, 1, "help {restart}");
            let batch = plan_of(&stage, &run).await;
            let message = BatchMessage { batches: Some(1), ..BatchMessage::new(run.clone(), batch) };
            assert_eq!(queue.receive().unwrap().message, message);
            assert_eq!(swept(minutes + 15).await.unwrap().sent, 0, "not on every sweep");
        }
        minutes += 60 << 5;
        let given_up = swept(minutes).await.unwrap();
        assert_eq!((given_up.closed, given_up.failed), (1, 0), "the run continues without the batch");
        let staged: ledger::Staged =
            stage::read_json(&stage, &ledger::staged_key(&run)).await.unwrap().unwrap();
        assert_eq!((staged.batches.len(), staged.files.len()), (1, 0));

        // If load never finishes either, the sweeper rewrites `staged.json`, whose S3 event invokes
        // load again. After five attempts it closes the run.
        swept(minutes + 1).await.unwrap();
        let before = stage.get(&ledger::staged_key(&run)).await.unwrap().unwrap();
        let trouble = Error::Config("there is no grant".into());
        ledger::record_blocker(&run, "load", &trouble, &stage, &bus, started, None).await.unwrap();
        ledger::record_blocker(&run, "load", &trouble, &stage, &bus, started, None).await.unwrap();
        minutes += 1;
        for restart in 0..5 {
            minutes += 20 << restart;
            assert_eq!(swept(minutes).await.unwrap().announced, 1, "help {restart}");
        }
        assert_eq!(stage.get(&ledger::staged_key(&run)).await.unwrap().unwrap().body, before.body);
        minutes += 20 << 5;
        let given_up = swept(minutes).await.unwrap();
        assert_eq!((given_up.closed, given_up.failed), (1, 1));
        let summary: Summary = stage::read_json(&stage, &ledger::summary_key(&run)).await.unwrap().unwrap();
        assert_eq!(summary.status, Status::Failed);
        assert!(summary.notes[0].contains("load: there is no grant"), "{:?}", summary.notes);
        assert_eq!(swept(minutes + 20).await.unwrap(), Swept::default(), "nothing is open");
        let lines = lines.lock().unwrap();
        assert_eq!((lines.len(), lines[0]["RunSeconds"].as_f64()), (1, Some(minutes as f64 * 60.0)));
        assert!(lines[0].get("RunsFailed").is_none(), "the blocker was counted when it was recorded");
    });
    let failed_events =
        bus.events().into_iter().filter(|event| matches!(event, Event::RunFailed { .. })).count();
    assert_eq!(failed_events, 2, "once when the error occurred, once when the run was closed");
}

async fn plan_of(stage: &DirectoryStage, run: &RunId) -> findata_pipeline::plan::Batch {
    ledger::plan(stage, run).await.unwrap().batches.remove(0)
}

#[test]
fn the_sweeper_closes_the_fetch_step_if_the_last_batch_did_not() {
    let (server, home, queue, bus) =
        (Simulator::with_symbols(12), Home::new(), LocalQueue::default(), LocalBus::default());
    wait(async {
        let (stage, run, started) = plan_run(&home, &server, &queue).await;
        let message = queue.receive().unwrap().message;
        findata_extract::handle(
            &message,
            &client(&server.url(), "test-key"),
            &stage,
            &DayClock(today()),
            None,
            None,
        )
        .await
        .unwrap();
        // Restores the state after a crash between the batch's ledger entry and the write that
        // closes the step.
        std::fs::remove_file(home.stage().join(ledger::staged_key(&run))).unwrap();
        let swept = sweep(
            &stage,
            &queue,
            &bus,
            started + chrono::Duration::minutes(15),
            None,
            Watch::default(),
            &Telemetry::default(),
        )
        .await
        .unwrap();
        assert_eq!((swept.announced, swept.sent), (1, 0));
        assert!(stage.get(&ledger::staged_key(&run)).await.unwrap().is_some());
    });
}

#[test]
fn a_repeated_invocation_starts_one_run() {
    let (server, home, queue, bus) =
        (Simulator::with_symbols(12), Home::new(), LocalQueue::default(), LocalBus::default());
    let stage = DirectoryStage::open(&home.stage()).unwrap();
    let fmp = client(&server.url(), "test-key");
    let defaults = Defaults {
        index: None,
        plan_limits: PlanLimits::default(),
        ttl: Default::default(),
    };
    let ask = |input: Value, id: &str, at: &str| {
        let invocation = Invocation { id: id.into(), at: at.parse().unwrap(), deadline: None };
        let clock = DayClock(today());
        wait(async {
            let telemetry = Telemetry::default();
            event::handle(
                input,
                &invocation,
                &defaults,
                Ok(&fmp),
                &stage,
                &queue,
                &bus,
                &clock,
                &telemetry,
                Watch::default(),
            )
            .await
        })
        .unwrap()
    };
    let direct = json!({"symbols": ["AAPL"], "datasets": ["profile"]});
    let first = ask(direct.clone(), "call-1", "2026-09-18T10:00:00Z");
    assert_eq!(first["status"], "begun", "{first}");
    // Lambda retries an invocation minutes later with the same request id.
    assert_eq!(ask(direct.clone(), "call-1", "2026-09-18T10:02:00Z"), first);
    assert_ne!(ask(direct.clone(), "call-2", "2026-09-18T10:02:00Z")["run_id"], first["run_id"]);
    let event = json!({
        "id": "event-1", "time": "2026-09-18T10:03:00Z", "detail-type": "RunRequested", "source": "findata", "detail": direct,
    });
    let first = ask(event.clone(), "call-3", "2026-09-18T10:03:05Z");
    assert_eq!(ask(event, "call-4", "2026-09-18T10:04:00Z"), first);
    let refused = ask(json!({"symbols": ["A'B"]}), "call-5", "2026-09-18T10:05:00Z");
    assert_eq!(refused["status"], "rejected");
    assert!(
        matches!(bus.events().last(), Some(Event::RequestRejected { run_id: None, reason }) if reason.contains("A'B"))
    );
    // Nobody but the operator can correct a schedule.
    let tick = json!({"universe": "all", "scheduled": "2026-09-18T10:05:00Z"});
    assert_eq!(ask(tick, "tick-1", "2026-09-18T10:05:00Z")["status"], "failed");
    assert!(matches!(bus.events().last(), Some(Event::RunFailed { .. })));
    let none = ask(json!({"retry": "no-such-run"}), "call-6", "2026-09-18T10:06:00Z");
    assert!(none["reason"].as_str().unwrap().contains("run no-such-run is not on the stage"), "{none}");
    assert_eq!(bus.events().len(), 3);
}

#[test]
fn a_ledger_entry_that_is_not_in_the_plan_does_not_close_a_step() {
    // There are two batches. An interrupted attempt of fanout left an entry for a third batch,
    // which is not in the plan.
    let (server, home, queue, clock) =
        (Simulator::with_symbols(60), Home::new(), LocalQueue::default(), DayClock(today()));
    wait(async {
        let stage = DirectoryStage::open(&home.stage()).unwrap();
        let symbols = server.symbols();
        let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
        let request = request(&symbols, Options { datasets: vec!["profile".into()], ..Options::default() });
        let fmp = client(&server.url(), "test-key");
        findata_fanout::handle(&request, &fmp, &stage, &queue, &clock).await.unwrap();
        let stray = ledger::batch_key(&request.run_id, "unknown");
        stage::write_json_once(&stage, &stray, &BatchEntry::new("unknown")).await.unwrap();
        let mut closed = Vec::new();
        while let Some(delivery) = queue.receive() {
            closed.push(
                findata_extract::handle(&delivery.message, &fmp, &stage, &clock, None, None)
                    .await
                    .unwrap(),
            );
        }
        assert_eq!(closed, [false, true].map(|closed| BatchResult::Done { closed }));
        let staged: ledger::Staged =
            stage::read_json(&stage, &ledger::staged_key(&request.run_id)).await.unwrap().unwrap();
        assert_eq!(staged.batches, ["b00001", "b00002"]);
    });
}
