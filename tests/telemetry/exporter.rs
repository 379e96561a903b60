//! The export of traces: one run is one trace, and a collector that is slow or down costs nothing.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use findata_aws::otlp::{ENDPOINT, Exporter, HEADERS};
use findata_pipeline::telemetry::trace::Tracer;
use findata_tests::{
    Home, Simulator,
    collector::{Behaviour, Collector},
    findata, wait,
};

/// Longer than the exporter's time limit of one second, and much shorter than any other limit.
const SOON: Duration = Duration::from_secs(5);

fn exporter(url: &str) -> Exporter {
    let variable = |name: &str| (name == ENDPOINT).then(|| url.to_owned());
    Exporter::from_variables(variable, "findata-load", Some("prod".into())).unwrap().unwrap()
}

fn record_span(tracer: &Tracer) {
    tracer.finish(tracer.request(&"r1".parse().unwrap(), None));
}

#[test]
fn a_collector_that_fails_or_hangs_delays_an_export_once() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (failing, hanging) = (Collector::start(Behaviour::Fail), Collector::start(Behaviour::Hang));
    for (url, collector) in [
        (format!("http://{closed}"), None),
        (failing.url().to_owned(), Some(&failing)),
        (hanging.url().to_owned(), Some(&hanging)),
    ] {
        let (exporter, tracer) = (exporter(&url), Tracer::on());
        let begun = Instant::now();
        for _ in 0..20 {
            record_span(&tracer);
            wait(exporter.export(&tracer));
            assert!(tracer.take().is_empty(), "spans must not pile up");
        }
        assert!(begun.elapsed() < SOON, "{url}: {:?}", begun.elapsed());
        let requests = collector.map_or(1, |collector| collector.requests().len());
        assert_eq!(requests, 1, "{url}: further exports must wait for a minute");
    }
}

#[test]
fn a_run_of_the_command_is_one_trace() {
    let (server, collector, home) =
        (Simulator::with_symbols(60), Collector::start(Behaviour::Accept), Home::new());
    let symbols = server.symbols().join(",");
    let run = |home: &Home, endpoint: &str| {
        findata(&["run", "--symbols", &symbols, "--datasets", "profile", "--skip-analytics", "--json"])
            .home(home)
            .url(server.url())
            .variable(ENDPOINT, endpoint)
            .variable(HEADERS, "api-key=secret")
            .run()
    };
    let output = run(&home, collector.url());
    assert_eq!(output.code, Some(0), "{output:#?}");
    let requests = collector.requests();
    assert_eq!((requests.len(), requests[0].0.as_str()), (1, "/v1/traces"));
    let spans = collector.spans();
    let by_name = super::assert_one_trace(&spans, 2);
    let summary = output.json();
    assert!(spans.iter().all(|span| span.attributes["run_id"] == summary["run_id"]), "{spans:#?}");
    assert_eq!(by_name["batch"][0].service, "findata");

    // A collector that never answers, and an endpoint of another protocol, do not fail a run.
    let hanging = Collector::start(Behaviour::Hang);
    let output = run(&Home::new(), hanging.url());
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_eq!(hanging.requests().len(), 1);
    let output = run(&Home::new(), "localhost:4317");
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert!(output.stderr.contains("is not an HTTP address"), "{}", output.stderr);
    assert!(!output.stderr.contains("secret"), "{}", output.stderr);
}
