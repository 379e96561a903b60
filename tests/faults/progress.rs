//! The sweeper looks at a run's progress before it sends batches again, and failed deliveries return after
//! a pause.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use findata_domain::{Error, Result, clock::DayClock};
use findata_extract::{BatchResult, event};
use findata_fanout::{sweep::sweep, watch::Watch};
use findata_fmp::Deadline;
use findata_fmp_simulator::Options as World;
use findata_local::{bus::LocalBus, queue::LocalQueue, stage::DirectoryStage};
use findata_pipeline::{
    plan::BatchMessage,
    ports::{
        queue::{Queue, Redelivery},
        stage::memory::MemoryStage,
    },
    run::{Options, RunId},
    telemetry::{Telemetry, trace::Tracer},
};
use findata_tests::{Home, Simulator, client, request, today, wait};
use serde_json::json;

#[test]
fn the_sweeper_sends_a_batch_again_only_without_progress_and_it_continues_from_its_checkpoint() {
    // 60 companies make two batches; 64 calls are in flight at once, so 20 ms suffice for some of them.
    let slow = World {
        symbols: 60,
        today: today(),
        latency: Duration::from_millis(150),
        ..World::default()
    };
    let (server, home, queue, bus, clock) = (
        Simulator::start(slow),
        Home::new(),
        LocalQueue::default(),
        LocalBus::default(),
        DayClock(today()),
    );
    wait(async {
        let started: DateTime<Utc> = "2026-09-18T10:00:00Z".parse().unwrap();
        let stage = DirectoryStage::open(&home.stage()).unwrap();
        let symbols = server.symbols();
        let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
        let datasets = ["profile", "dividends", "splits"].map(str::to_owned).to_vec();
        let mut request = request(&symbols, Options { datasets, index: None, ..Options::default() });
        request.run_id = RunId::new(started, 7);
        let fmp = client(&server.url(), "test-key");
        let plan = findata_fanout::handle(&request, &fmp, &stage, &queue, &clock).await.unwrap();
        let planning = server.calls();
        let swept = async |minute| {
            sweep(
                &stage,
                &queue,
                &bus,
                started + TimeDelta::minutes(minute),
                None,
                Watch::default(),
                &Telemetry::default(),
            )
            .await
            .unwrap()
            .sent
        };
        let [first, second] = [0, 1].map(|_| queue.receive().unwrap().message);
        assert_eq!(swept(55).await, 0);
        let begin = Instant::now() + Duration::from_millis(100);
        let limit = Some(Deadline { begin, wait: begin + Duration::from_secs(20) });
        let rest = findata_extract::handle(&first, &fmp, &stage, &clock, limit, None).await.unwrap();
        assert!(matches!(rest, BatchResult::Rest(_)), "{rest:?}");
        assert_eq!(swept(65).await, 0, "a checkpoint is progress");
        findata_extract::handle(&second, &fmp, &stage, &clock, None, None).await.unwrap();
        assert_eq!(swept(120).await, 0, "a finished batch is progress");
        assert_eq!(swept(179).await, 0);
        // The message with the rest was lost. The batch's first message continues from the checkpoint.
        assert_eq!(swept(180).await, 1);
        let resent = queue.receive().unwrap().message;
        assert_eq!(resent, first);
        let done = findata_extract::handle(&resent, &fmp, &stage, &clock, None, None).await.unwrap();
        assert_eq!(done, BatchResult::Done { closed: true });
        // Companies without a market cap need a call that is not in the plan.
        let follow_ups = server.calls_by_endpoint().get("shares-float").copied().unwrap_or_default();
        assert_eq!(server.calls() - planning, plan.calls() + follow_ups, "each task is fetched once");
    });
}

/// A queue that records the pauses of failed messages.
#[derive(Default)]
struct Pauses(Mutex<Vec<(String, u64)>>);

impl Queue for Pauses {
    async fn send(&self, messages: Vec<BatchMessage>) -> Result<()> {
        panic!("nothing is left to do of {messages:?}")
    }
}

impl Redelivery for Pauses {
    async fn deliver_again(&self, receipt: &str, pause: Duration) -> Result<()> {
        self.0.lock().unwrap().push((receipt.to_owned(), pause.as_secs()));
        Ok(())
    }
}

#[test]
fn a_failed_delivery_returns_after_a_pause_that_grows() {
    let message = json!({"run_id": "r", "batch": {"id": "b00001", "tasks": []}}).to_string();
    let record = |count: u32, queue: &str| {
        json!({"messageId": format!("m{count}"), "receiptHandle": format!("r{count}"), "body": message,
               "eventSourceARN": queue, "attributes": {"ApproximateReceiveCount": count.to_string()}})
    };
    let records = [record(1, "tasks"), record(2, "tasks"), record(3, "tasks"), record(4, "dead")];
    let event = serde_json::from_value(json!({"Records": records})).unwrap();
    let (stage, pauses, clock) = (MemoryStage::default(), Pauses::default(), DayClock(today()));
    let now = Instant::now();
    let (limit, pause) = (Deadline { begin: now, wait: now }, Duration::from_secs(60));
    let no_client = Err(Error::retry("the secret cannot be read at the moment"));
    let response = wait(event::handle(
        event,
        "dead",
        no_client,
        &stage,
        &pauses,
        &clock,
        limit,
        pause,
        &Tracer::default(),
    ));
    // The dead letter's batch is recorded, but its run has no plan yet.
    assert_eq!(response.batch_item_failures.len(), 4);
    let pauses = pauses.0.into_inner().unwrap();
    assert_eq!(pauses, [("r1".into(), 60), ("r2".into(), 300), ("r3".into(), 0)]);
}
