//! The functions read the user's metrics from the stage.

use std::fs;

use chrono::DateTime;
use findata_domain::clock::DayClock;
use findata_fanout::{
    command::Defaults,
    event::{self, Invocation},
    watch::Watch,
};
use findata_local::{bus::LocalBus, queue::LocalQueue, stage::DirectoryStage};
use findata_pipeline::{
    ledger, metrics_file::STAGE_KEY, ports::bus::Event, run::PlanLimits, telemetry::Telemetry,
};
use findata_tests::{Home, Job, Simulator, client, host, models, today, wait};
use serde_json::json;

/// Writes the file to the stage.
fn put(home: &Home, text: &str) {
    let path = home.stage().join(STAGE_KEY);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

const SOUND: &str = "[[ratio]]
name = 'own_margin'
about = 'Net margin.'
formula = 'net_income / revenue'
denominator = 'positive'
";

const FAULTY: &str = "[[ratio]]
name = 'own_margin'
about = 'Net margin.'
formula = 'net_income / turnover'
[[ratio]]
name = 'own_margin'
about = 'Again.'
formula = 'net_income'
";

const FAULTS: &str = "state/metrics.toml on the stage has 3 faults:
  line 4: own_margin: the formula divides by turnover: add `denominator` with the rule for it, such as \"positive\", or require it to be above zero
  line 4: own_margin: there is no input turnover
  line 6: own_margin: the metric in line 2 has the name own_margin; choose another name";

#[test]
fn a_faulty_file_ends_the_run_before_a_call() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    put(&home, FAULTY);
    let (stage, queue, bus) =
        (DirectoryStage::open(&home.stage()).unwrap(), LocalQueue::default(), LocalBus::default());
    let fmp = client(&server.url(), "test-key");
    let defaults = Defaults {
        index: None,
        plan_limits: PlanLimits::default(),
        ttl: Default::default(),
    };
    let invocation = Invocation {
        id: "call-1".into(),
        at: "2026-09-18T10:00:00Z".parse().unwrap(),
        deadline: None,
    };
    let (clock, telemetry) = (DayClock(today()), Telemetry::default());
    let ask = |id: &str| {
        let invocation = Invocation { id: id.into(), ..invocation.clone() };
        let input = json!({"symbols": ["AAPL"], "datasets": ["profile"]});
        wait(event::handle(
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
        ))
        .unwrap()
    };
    let answer = ask("call-1");
    assert_eq!((answer["status"].as_str(), answer["reason"].as_str()), (Some("failed"), Some(FAULTS)));
    assert!(matches!(&bus.events()[..], [Event::RunFailed { reason, .. }] if reason == FAULTS));
    assert_eq!(server.calls(), 0);
    // The run has ended. The next one starts if the file is right now.
    put(&home, SOUND);
    assert_eq!(ask("call-1")["status"], "ended");
    assert_eq!(ask("call-2")["status"], "begun");
}

#[test]
fn analytics_computes_the_metrics_of_the_stage() {
    let (server, home) = (Simulator::with_symbols(5), Home::new());
    let run = Job::new(server.url(), &["AAPL", "MSFT"]).run_ok(&home).run_id;
    let repeat = || {
        let summary = home.stage().join(ledger::summary_key(&run));
        let kept = fs::read(&summary).unwrap();
        fs::remove_file(&summary).unwrap();
        let clock = DayClock(today());
        let mut host = host(&home, client(&server.url(), "test-key"), clock).unwrap();
        let (bus, telemetry, now) = (LocalBus::default(), Telemetry::default(), DateTime::default());
        let input = json!({"run_id": run});
        let warehouse = Ok(&mut host.warehouse);
        let answer = wait(findata_analytics::event::handle(
            &input,
            &host.stage,
            warehouse,
            models(),
            &bus,
            &clock,
            now,
            1.0,
            &telemetry,
        ));
        if !summary.exists() {
            fs::write(&summary, kept).unwrap();
        }
        (answer, bus.events())
    };
    put(&home, SOUND);
    assert_eq!(repeat().0.unwrap()["status"], "complete");
    let count = "select count(value) from analytics.fact_custom_metrics where metric = 'own_margin'";
    assert!(home.count(count) > 10);

    // A fault stops the step and changes nothing.
    put(&home, FAULTY);
    let (answer, events) = repeat();
    let told = format!("{answer:?} {events:?}");
    assert!(told.contains("line 4: own_margin: there is no input turnover"), "{told}");
    assert!(home.count(count) > 10);

    fs::remove_file(home.stage().join(STAGE_KEY)).unwrap();
    assert_eq!(repeat().0.unwrap()["status"], "complete");
    assert_eq!(home.count("select count(*) from analytics.fact_custom_metrics"), 0);
}
