//! A bulk file with far more rows than companies.

use std::net::Ipv4Addr;

use axum::Router;
use chrono::DateTime;
use findata_domain::{catalog, clock::DayClock};
use findata_pipeline::{
    ledger::{self, BatchEntry, Outcome},
    plan::{Batch, BatchMessage, FetchMode, Task, Window},
    ports::stage::{self, memory::MemoryStage},
    run::RunId,
};
use findata_tests::{client, today, wait};
use tokio::net::TcpListener;

/// Returns the outcome of a profile task whose company has `rows` rows in the bulk file.
async fn outcome(rows: usize) -> Outcome {
    let file = format!("symbol,companyName,price,marketCap\n{}", "AAPL,Apple,1,2\n".repeat(rows));
    let answer = move |uri: axum::http::Uri| {
        let first = uri.query().is_some_and(|query| query.contains("part=0"));
        let body = if first { file.clone() } else { String::new() };
        async { body }
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/stable", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    let task = Task::new(catalog::PROFILE, "AAPL".parse().ok(), Window::All);
    let batch = Batch {
        id: "bulk-profile".into(),
        fetch_mode: FetchMode::BulkFile,
        tasks: vec![task],
    };
    let run = RunId::new(DateTime::default(), 1);
    let (message, stage) = (BatchMessage::new(run.clone(), batch), MemoryStage::default());
    let fmp = client(&url, "test-key");
    // The run has no plan, so the attempt to close it fails. The test reads only the batch's ledger
    // entry.
    let _ = findata_extract::handle(&message, &fmp, &stage, &DayClock(today()), None, None).await;
    server.abort();
    let key = ledger::batch_key(&run, "bulk-profile");
    let entry: BatchEntry = stage::read_json(&stage, &key).await.unwrap().unwrap();
    entry.tasks[0].outcome.clone()
}

#[test]
fn a_file_with_far_more_rows_than_companies_is_refused() {
    wait(async {
        for (rows, is_refused) in [(400, false), (401, true)] {
            let outcome = outcome(rows).await;
            let reason = outcome.failure_reason().unwrap_or_default();
            assert_eq!(reason.contains("more than 400 rows for 1 symbol"), is_refused, "{rows}: {outcome:?}");
        }
    });
}
