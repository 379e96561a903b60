//! Late runs and stale data are announced once, with what a person needs.

use chrono::{DateTime, Days, Duration, Utc};
use findata_domain::clock::DayClock;
use findata_fanout::{sweep::sweep, watch::Watch};
use findata_local::{bus::LocalBus, queue::LocalQueue};
use findata_pipeline::{
    ledger::{self, BatchEntry},
    ports::{
        bus::Event,
        stage::{self, Stage, memory::MemoryStage},
    },
    run::{Options, RunId, Status},
    summary::Summary,
    telemetry::Telemetry,
};
use findata_tests::{Simulator, client, request, today, wait};

#[test]
fn a_late_run_is_announced_once_with_the_companies_that_are_missing() {
    let (server, stage) = (Simulator::with_symbols(60), MemoryStage::default());
    let (queue, bus) = (LocalQueue::default(), LocalBus::default());
    let started: DateTime<Utc> = "2026-09-18T10:00:00Z".parse().unwrap();
    let run = RunId::new(started, 7);
    let symbols = server.symbols();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let mut request = request(&symbols, Options { datasets: vec!["profile".into()], ..Options::default() });
    request.run_id = run.clone();
    let fmp = client(&server.url(), "test-key");
    let plan = wait(findata_fanout::handle(&request, &fmp, &stage, &queue, &DayClock(today()))).unwrap();
    let (arrived, missing) = (&plan.batches[0], &plan.batches[1]);
    let entry = BatchEntry::new(&arrived.id);
    wait(stage::write_json_once(&stage, &ledger::batch_key(&run, &arrived.id), &entry)).unwrap();
    let watch = Watch { late_after: Some(Duration::minutes(30)), ..Watch::default() };
    for minute in [25, 30, 35] {
        wait(sweep(
            &stage,
            &queue,
            &bus,
            started + Duration::minutes(minute),
            None,
            watch,
            &Telemetry::default(),
        ))
        .unwrap();
        assert_eq!(bus.events().len(), usize::from(minute >= 30), "minute {minute}");
    }
    let events = bus.events();
    let notice = events[0].notice("prod", "s3://bucket/home").unwrap();
    assert!(notice.what.contains(run.as_str()) && notice.what.contains("not finished the step fetch"));
    let mut companies: Vec<String> = missing
        .tasks
        .iter()
        .filter_map(|task| task.symbol.as_ref())
        .map(ToString::to_string)
        .collect();
    companies.sort();
    let (count, first) = (companies.len(), companies[..5].join(", "));
    let scope =
        format!("Companies without data: {count} of 60 ({first}, ...); tasks without data: profile {count}");
    assert_eq!(notice.scope, scope);
    assert_eq!(notice.since, "Since 2026-09-18 10:00 UTC");
    assert!(notice.next.contains(&format!("s3://bucket/home/runs/{run}/batches/")), "{}", notice.next);

    // Load cannot continue: the announcement names every company, and its repetition counts once.
    let error = findata_domain::Error::Config("the role lacks a grant".into());
    for first in [true, false] {
        let recorded = ledger::record_blocker(&run, "load", &error, &stage, &bus, started, None);
        assert_eq!(wait(recorded).unwrap(), first);
    }
    let events = bus.events();
    assert_eq!(events.len(), 2);
    let notice = events[1].notice("prod", "s3://bucket/home").unwrap();
    assert!(
        notice.what.ends_with("failed in the step load: load: the role lacks a grant"),
        "{}",
        notice.what
    );
    assert!(notice.scope.starts_with("Companies without data: 60 of 60 ("), "{}", notice.scope);
}

#[test]
fn stale_data_is_announced_once_a_day() {
    let (stage, queue, bus) = (MemoryStage::default(), LocalQueue::default(), LocalBus::default());
    let started: DateTime<Utc> = "2026-09-18T10:00:00Z".parse().unwrap();
    let watch = Watch { stale_after: Some(Days::new(4)), ..Watch::default() };
    let announced = |hours: i64| {
        let before = bus.events().len();
        wait(sweep(
            &stage,
            &queue,
            &bus,
            started + Duration::hours(hours),
            None,
            watch,
            &Telemetry::default(),
        ))
        .unwrap();
        bus.events().len() - before
    };
    assert_eq!(announced(0), 0, "nothing is stale before the first run");
    let close = |run: &RunId, status: Status, is_loaded: bool| {
        let summary = Summary { status, ..Summary::failed(run, started, "") };
        wait(stage::write_json_once(&stage, &ledger::summary_key(run), &summary)).unwrap();
        if is_loaded {
            wait(stage.put_if_absent(&ledger::loaded_key(run), "{}".into())).unwrap();
        }
    };
    let run = RunId::new(started, 0);
    close(&run, Status::Complete, true);
    // Runs that published nothing do not count: one without data, and one that failed after its data was loaded.
    close(&RunId::new(started + Duration::hours(72), 0), Status::Failed, false);
    close(&RunId::new(started + Duration::hours(80), 0), Status::Failed, true);
    assert_eq!([1, 95].map(announced), [0, 0]);
    assert_eq!([97, 98, 109].map(announced), [1, 0, 0]);
    assert_eq!([121, 122].map(announced), [1, 0]);
    let events = bus.events();
    assert!(matches!(&events[0], Event::DataStale { run_id, .. } if run_id == run.as_str()));
    let notice = events[0].notice("prod", "s3://bucket/home").unwrap();
    assert_eq!(notice.since, "Since 2026-09-18 10:00 UTC");
    assert!(notice.next.contains("aws scheduler get-schedule --name prod-daily"), "{}", notice.next);
}
