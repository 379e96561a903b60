//! The client waits as long as FMP's `Retry-After` header says, and the retry budget limits the
//! number of retries.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, http::StatusCode, response::IntoResponse};
use chrono::DateTime;
use findata_fmp::CallContext;
use findata_fmp_simulator::Fault;
use findata_pipeline::run::RunId;
use findata_tests::{Simulator, client, wait};

/// Returns the times of the calls to a server whose first response has this status and a
/// `Retry-After` header.
async fn calls_after(status: StatusCode, seconds: u64) -> Vec<Instant> {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let answer = move || {
        seen.lock().unwrap().push(Instant::now());
        let first = seen.lock().unwrap().len() == 1;
        async move {
            if first {
                (status, [("retry-after", seconds.to_string())], "Limit Reach").into_response()
            } else {
                "[]".into_response()
            }
        }
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/stable", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    let answer = client(&url, "test-key").get("splits", &[]).await;
    server.abort();
    assert_eq!((answer.body, answer.calls), (Ok(None), 2), "{status}");
    calls.lock().unwrap().clone()
}

#[test]
fn a_retry_waits_for_the_retry_after_time() {
    wait(async {
        // Without the header, the client would wait a few milliseconds after 429 and less than half
        // a second after 503.
        let both =
            [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].map(|s| calls_after(s, 2));
        for calls in futures::future::join_all(both).await {
            let pause = calls[1] - calls[0];
            assert!(pause >= Duration::from_millis(1_990) && pause < Duration::from_secs(10), "{pause:?}");
        }
    });
}

/// Every endpoint of the simulator.
fn endpoints() -> Vec<String> {
    let Err(text) = "empty=nowhere".parse::<Fault>() else {
        return Vec::new();
    };
    text.split_once("statements, ")
        .unwrap_or_default()
        .1
        .split(", ")
        .map(str::to_owned)
        .collect()
}

#[test]
fn retries_are_capped_at_a_share_of_the_calls() {
    let server = Simulator::with_faults(12, &["server-error"]);
    let endpoints = endpoints();
    assert!(endpoints.len() > 30, "{endpoints:?}");
    let fmp = client(&server.url(), "test-key");
    let work = CallContext {
        run: RunId::new(DateTime::default(), 9),
        begun: DateTime::default(),
        max_calls: None,
    };
    fmp.begin(&work);
    wait(async {
        // Two calls to an endpoint fail ten times before the endpoint's breaker opens, so only the
        // retry budget limits the retries.
        let calls = endpoints.iter().chain(&endpoints).map(|endpoint| fmp.get(endpoint, &[]));
        let answers = futures::future::join_all(calls).await;
        assert!(answers.iter().all(|answer| answer.body.is_err()));
        let (first, all) = (answers.len() as u64, server.calls());
        let retries = all - first;
        // Without the retry budget, each call would make four retries.
        assert!(
            (first..=50 + all / 2).contains(&retries) && retries < 3 * first,
            "{retries} of {all} calls"
        );
        // Another unit of work has a retry budget of its own. The endpoint with the fewest failures
        // is used, because its breaker is the furthest from opening.
        let tries = |at: usize| answers[at].calls + answers[at + endpoints.len()].calls;
        let least_tried = (0..endpoints.len()).min_by_key(|at| tries(*at)).unwrap();
        assert!(tries(least_tried) < 2 * 4, "{}", tries(least_tried));
        fmp.begin(&work);
        assert!(fmp.get(&endpoints[least_tried], &[]).await.calls > 2);
    });
}
