//! The rate limiter that all processes with the same key and stage share. The tests use real
//! clients, a real directory and a server that counts calls.

mod processes;

use std::num::NonZeroU32;

use chrono::Utc;
use findata_domain::Error;
use findata_fmp::{CallContext, ClientSettings, Fmp, FmpPlan};
use findata_fmp_simulator::Options;
use findata_local::stage::DirectoryStage;
use findata_pipeline::{ports::stage::Stage, run::RunId};
use findata_tests::{Home, Simulator, findata, today, wait};
use secrecy::SecretString;

/// The API key of these tests. It must not be stored or printed.
const KEY: &str = "key-that-must-not-leak";

/// A client that makes at most `calls` calls per minute and shares its stage with other clients.
fn client(server: &Simulator, home: &Home, calls: u32) -> Fmp {
    client_at(&server.url(), DirectoryStage::open(&home.stage()).unwrap(), calls, None)
}

#[expect(clippy::disallowed_methods, reason = "the rate limiter uses the real clock")]
fn client_at(url: &str, stage: impl Stage + 'static, calls: u32, max_calls: Option<u64>) -> Fmp {
    let settings = ClientSettings {
        url: url.into(),
        key: SecretString::from(KEY),
        plan: FmpPlan::PerMinute(NonZeroU32::new(calls).unwrap()),
        bytes: None,
        burst: None,
        in_flight: 64,
        limit_pause: std::time::Duration::from_secs(1),
        bulk_pause: std::time::Duration::ZERO,
        time_scale: Default::default(),
    };
    let fmp = Fmp::new(&settings).unwrap().sharing(stage);
    fmp.begin(&CallContext { run: RunId::new(Utc::now(), 1), begun: Utc::now(), max_calls });
    fmp
}

async fn profile(fmp: &Fmp) -> Result<(), Error> {
    fmp.get("profile", &[("symbol", "AAPL".into())]).await.body.map(|_| ())
}

#[test]
fn a_key_refused_for_one_worker_stops_all_workers() {
    let (server, home) = (
        Simulator::start(Options { key: Some("another".into()), ..Options::default() }),
        Home::new(),
    );
    wait(async {
        let (one, other) = (client(&server, &home, 600), client(&server, &home, 600));
        assert!(matches!(profile(&one).await, Err(Error::Stop(_))));
        assert!(matches!(profile(&other).await, Err(Error::Stop(_))));
        assert_eq!(server.calls(), 1);
        // A new run tries the key again, because someone may have corrected it.
        assert!(matches!(profile(&client(&server, &home, 600)).await, Err(Error::Stop(_))));
        assert_eq!(server.calls(), 2);
    });
}

#[test]
fn exhausted_bandwidth_stops_every_run_of_the_day() {
    let (server, home) = (Simulator::with_faults(12, &["bandwidth"]), Home::new());
    wait(async {
        for _ in 0..3 {
            assert!(matches!(profile(&client(&server, &home, 600)).await, Err(Error::Budget(_))));
        }
        assert_eq!(server.calls(), 1);
    });
}

#[test]
fn the_call_limit_of_a_run_applies_to_all_its_workers_together() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let run = RunId::new(chrono::DateTime::default(), 5);
    wait(async {
        let work = CallContext {
            run: run.clone(),
            begun: chrono::DateTime::default(),
            max_calls: Some(25),
        };
        let calls = (0..4).map(|_| {
            let fmp = client(&server, &home, 6_000);
            fmp.begin(&work);
            async move {
                let calls = futures::future::join_all((0..10).map(|_| profile(&fmp))).await;
                fmp.finish().await;
                calls.into_iter().filter(Result::is_ok).count()
            }
        });
        let done: usize = futures::future::join_all(calls).await.into_iter().sum();
        assert_eq!((done, server.calls()), (25, 25));
    });
}

#[test]
fn a_run_respects_its_rate_limit_and_never_stores_the_key() {
    let limit = Options {
        symbols: 12,
        today: today(),
        calls_per_minute: Some(1_200),
        ..Options::default()
    };
    let (server, home) = (Simulator::start(limit), Home::new());
    let run = findata(&[
        "run",
        "--json",
        "--days",
        "30",
        "--fmp-plan",
        "1200",
        "--fmp-burst",
        "10",
        "--datasets",
        "profile,prices,splits",
    ])
    .home(&home)
    .url(server.url())
    .key(KEY)
    .option("--symbols", "AAPL,MSFT,KO,JNJ,XOM,WMT");
    let output = run.run();
    assert_eq!((output.code, server.refused()), (Some(0), 0), "{output:#?}");
    let budget = &output.json()["budget"];
    assert!(
        budget["waited_seconds"].as_f64() > Some(0.3) && budget["limit_per_minute"] == 1_200,
        "{budget}"
    );
    let objects = home.keys("state/budget/");
    assert_eq!(objects.len(), 1, "{objects:?}");
    let object = std::fs::read_to_string(home.stage().join(&objects[0])).unwrap();
    assert!(object.len() < 1_000 && !object.contains(KEY) && !objects[0].contains(KEY), "{object}");
}

#[test]
fn a_refused_burst_paces_the_calls_of_the_day_and_the_summary_says_so() {
    let home = Home::new();
    let run = |faults: &[&str]| {
        let server = Simulator::with_faults(12, faults);
        let run = findata(&[
            "run",
            "--json",
            "--full",
            "--days",
            "30",
            "--fmp-plan",
            "1200",
            "--datasets",
            "profile",
        ]);
        let output = run.home(&home).url(server.url()).option("--symbols", "AAPL,MSFT,KO,JNJ,XOM,WMT").run();
        assert_eq!(output.code, Some(0), "{output:#?}");
        output.json()["notes"].to_string()
    };
    let notes = run(&["rate-limit=x1,AAPL"]);
    assert!(!notes.contains("FMP refused calls"), "one refused call is not a burst: {notes}");
    let notes = run(&["rate-limit=x1"]);
    assert!(notes.contains("FMP refused calls that the plan allows"), "{notes}");
    // Another process reads the paced limit from the stage, although FMP refuses none of its own
    // calls.
    let full = findata(&["run", "--json", "--full", "--fmp-plan", "1200", "--datasets", "profile"]);
    let server = Simulator::with_symbols(12);
    let output = full.home(&home).url(server.url()).option("--symbols", "AAPL").run();
    let notes = output.json()["notes"].to_string();
    assert!(notes.contains("until 0:00 UTC"), "{notes}");
}
