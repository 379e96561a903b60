//! What is tried again: not before FMP says, and not without end.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, http::StatusCode, response::IntoResponse};
use chrono::DateTime;
use findata_local::fmp_server::Fault;
use findata_shared::{fmp::Work, run::RunId};
use findata_tests::{Simulator, client, wait};

/// Asks a server whose first answer is this status with a `Retry-After`; when its calls came.
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
fn nothing_is_tried_again_before_the_time_that_fmp_names() {
    wait(async {
        // Alone the client would wait a few milliseconds for the limit, and less than half a second for a server.
        let both = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].map(|s| calls_after(s, 2));
        for calls in futures::future::join_all(both).await {
            let pause = calls[1] - calls[0];
            assert!(pause >= Duration::from_millis(1_990) && pause < Duration::from_secs(10), "{pause:?}");
        }
    });
}

/// Every endpoint that the server knows.
fn endpoints() -> Vec<String> {
    let Err(text) = "empty=nowhere".parse::<Fault>() else { return Vec::new() };
    text.split_once("statements, ").unwrap_or_default().1.split(", ").map(str::to_owned).collect()
}

#[test]
fn above_a_share_of_the_calls_nothing_is_tried_again() {
    let server = Simulator::with_faults(12, &["server-error"]);
    let endpoints = endpoints();
    assert!(endpoints.len() > 30, "{endpoints:?}");
    let fmp = client(&server.url(), "test-key");
    let work = Work { run: RunId::new(DateTime::default(), 9), begun: DateTime::default(), max_calls: None };
    fmp.begin(&work);
    wait(async {
        // Two calls of each endpoint fail ten times before its breaker opens, so that nothing but the cap holds them.
        let calls = endpoints.iter().chain(&endpoints).map(|endpoint| fmp.get(endpoint, &[]));
        let answers = futures::future::join_all(calls).await;
        assert!(answers.iter().all(|answer| answer.body.is_err()));
        let (first, all) = (answers.len() as u64, server.calls());
        let retries = all - first;
        // Without it: four of each.
        assert!((first..=50 + all / 2).contains(&retries) && retries < 3 * first, "{retries} of {all} calls");
        // Another piece of work has its own: asked of the endpoint that is the furthest from its breaker.
        let tries = |at: usize| answers[at].calls + answers[at + endpoints.len()].calls;
        let spared = (0..endpoints.len()).min_by_key(|at| tries(*at)).unwrap();
        assert!(tries(spared) < 2 * 4, "{}", tries(spared));
        fmp.begin(&work);
        assert!(fmp.get(&endpoints[spared], &[]).await.calls > 2);
    });
}
