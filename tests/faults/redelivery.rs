//! Duplicate messages, repeated steps, and a batch that always fails.

use std::fs;

use findata_domain::{Error, Result, clock::DayClock};
use findata_extract::BatchResult;
use findata_local::{bus::LocalBus, queue::LocalQueue};
use findata_pipeline::{
    ledger::{self, Loaded},
    plan::BatchMessage,
    ports::{bus::Event, stage::Stage},
    run::{Options, Status},
    summary::Summary,
};
use findata_tests::{Home, Job, Simulator, analyze, client, host, request, today, wait};

use super::{SYMBOLS, assert_fault_free_tables, fault_free};

/// Calls the handlers of all functions in order, each more than once.
fn every_step_twice(home: &Home, server: &Simulator) -> Result<(Summary, Vec<Event>, Vec<BatchResult>)> {
    wait(async {
        let clock = DayClock(today());
        let mut host = host(home, client(&server.url(), "test-key"), clock)?;
        let days = Options {
            prices_from: Some(today() - chrono::Days::new(29)),
            quarters: 8,
            years: 6,
            ..Options::default()
        };
        let (request, queue, bus) = (request(&SYMBOLS, days), LocalQueue::default(), LocalBus::default());
        let plan = findata_fanout::handle(&request, &host.fmp, &host.stage, &queue, &clock).await?;
        // A second invocation of fanout enqueues the same batches again.
        let again = findata_fanout::handle(&request, &host.fmp, &host.stage, &queue, &clock).await?;
        assert_eq!(plan, again);
        let mut messages: Vec<BatchMessage> = Vec::new();
        while let Some(delivery) = queue.receive() {
            messages.push(delivery.message);
        }
        assert_eq!(messages.len(), 2 * plan.batches.len());
        // Processes all deliveries in parallel, and then the first one once more.
        messages.push(messages[0].clone());
        let (last, first) = messages.split_last().unwrap();
        let work = first
            .iter()
            .map(|message| findata_extract::handle(message, &host.fmp, &host.stage, &clock, None, None));
        let mut closed = futures::future::try_join_all(work).await?;
        closed.push(findata_extract::handle(last, &host.fmp, &host.stage, &clock, None, None).await?);
        let run = &request.run_id;
        let loaded = findata_load::handle(run, &host.stage, &mut host.warehouse, &clock).await?;
        let again = findata_load::handle(run, &host.stage, &mut host.warehouse, &clock).await?;
        // `seconds` may differ in its last digit after it is read from JSON.
        assert_eq!(Loaded { seconds: loaded.seconds, ..again }, loaded);
        // Restores the state after a crash between the commit and the write that closes the step.
        fs::remove_file(home.stage().join(ledger::loaded_key(run))).unwrap();
        assert_eq!(
            findata_load::handle(run, &host.stage, &mut host.warehouse, &clock).await?.rows,
            loaded.rows
        );
        let summary = analyze(run, &host.stage, &mut host.warehouse, &bus, &clock).await?;
        let repeated = analyze(run, &host.stage, &mut host.warehouse, &bus, &clock).await?;
        assert_eq!(
            (repeated.run_id, repeated.status, repeated.rows, repeated.analytics),
            (summary.run_id, summary.status, summary.rows, summary.analytics)
        );
        fs::remove_file(home.stage().join(ledger::summary_key(run))).unwrap();
        let computed = analyze(run, &host.stage, &mut host.warehouse, &bus, &clock).await?;
        assert!(
            computed.analytics.values().all(|t| t.written + t.removed == 0),
            "{:?}",
            computed.analytics
        );
        Ok((computed, bus.events(), closed))
    })
}

#[test]
fn repeating_every_message_and_step_gives_the_same_tables() {
    fault_free();
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let (summary, events, closed) = every_step_twice(&home, &server).unwrap();
    assert_eq!(
        closed.iter().filter(|worked| **worked == BatchResult::Done { closed: true }).count(),
        1,
        "exactly one delivery closes the fetch step: {closed:?}"
    );
    assert_eq!(home.keys("runs/").iter().filter(|key| key.ends_with("staged.json")).count(), 1);
    assert_eq!(summary.status, Status::Complete);
    let completed = |event: &Event| matches!(event, Event::RunCompleted { status: Status::Complete, .. });
    assert!(!events.is_empty() && events.iter().all(completed), "{events:?}");
    assert_fault_free_tables(&home, "everything twice");
    // Both deliveries of a batch may have written landing files. Only the files in the ledger entry
    // that was written first are loaded.
    let loaded = home.count("select count(*) from ops.files");
    let rows: u64 = summary.rows.values().map(|r| r.staged).sum();
    assert_eq!(home.count("select sum(staged) from ops.files"), rows as i64);
    assert_eq!(loaded as usize, summary.rows.len());
    assert_eq!(home.count("select count(*) from ops.runs"), 1);
}

#[test]
fn a_step_invoked_too_early_returns_a_retryable_error() {
    let home = Home::new();
    let server = Simulator::with_symbols(12);
    let results = wait(async {
        let clock = DayClock(today());
        let mut host = host(&home, client(&server.url(), "test-key"), clock)?;
        let run = findata_tests::run_id();
        let load = findata_load::handle(&run, &host.stage, &mut host.warehouse, &clock).await;
        let analytics = analyze(&run, &host.stage, &mut host.warehouse, &LocalBus::default(), &clock).await;
        let close = ledger::close_fetching(&host.stage, &run).await;
        assert!(host.stage.list("runs/").await?.is_empty());
        Ok::<_, Error>((load.map(|_| ()), analytics.map(|_| ()), close.map(|_| ())))
    });
    let (load, analytics, close) = results.unwrap();
    for step in [load, analytics, close] {
        assert!(matches!(step, Err(Error::Retry { .. })), "{step:?}");
    }
}

/// The number of symbols of the first batch; the second batch has four. The first batch includes
/// NOCAP, whose share count is fetched too.
const BATCH: usize = 50;

#[test]
fn a_batch_that_cannot_be_landed_fails_alone_and_the_run_still_closes() {
    let symbols = findata_fmp_simulator::symbols(BATCH + 4);
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    assert!(symbols[..BATCH].contains(&"NOCAP"));
    let (server, home) = (Simulator::with_symbols(BATCH + 4), Home::new());
    // A file takes the place of the folder of the share counts, so the first batch can never write
    // its landing files.
    let blocker = home.stage().join("landing/shares_float");
    fs::create_dir_all(blocker.parent().unwrap()).unwrap();
    fs::write(&blocker, "in the way").unwrap();
    let job = Job::new(server.url(), &symbols)
        .with(|o| (o.datasets, o.skip_analytics) = (vec!["profile".into()], true));
    let summary = job.run_ok(&home);
    assert_eq!(summary.status, Status::Partial);
    assert_eq!((summary.tasks.failed, summary.tasks.done), (BATCH as u64, 4));
    assert!(
        summary
            .failures
            .iter()
            .all(|f| f.reason.contains("the batch failed 3 times") && f.reason.contains("shares_float")),
        "{:?}",
        summary.failures[0]
    );
    // Three deliveries of fifty profiles and a share count, and one delivery of four profiles.
    assert_eq!(server.calls(), 3 * (BATCH as u64 + 1) + 4);
    assert_eq!(home.count("select count(*) from staging.profile"), 4);
    fs::remove_file(&blocker).unwrap();
    let healed = job.run_ok(&home);
    assert_eq!((healed.status, healed.tasks.done), (Status::Complete, BATCH as u64 + 1));
    assert_eq!(home.count("select count(*) from staging.profile"), BATCH as i64 + 4);
}

#[test]
fn two_concurrent_runs_on_one_stage_lose_nothing() {
    fault_free();
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    // Both processes open the same warehouse file. If one finds it locked, it reports that and
    // changes nothing.
    let command = |symbol: &str| {
        findata_tests::findata(&["run", "--json", "--days", "30", "--quarters", "8", "--years", "6"])
            .home(&home)
            .url(server.url())
            .option("--symbols", symbol)
    };
    let (a, b) = (command("AAPL").start(), command("NOCAP").start());
    let codes = [a.wait(), b.wait()];
    let good = codes.iter().filter(|e| e.code == Some(0)).count();
    assert!(good >= 1, "{codes:#?}");
    for results in codes.iter().filter(|e| e.code != Some(0)) {
        assert!(results.failed(1).contains("another process holds the file"), "{results:#?}");
    }
    assert_eq!(command("AAPL,NOCAP").run().code, Some(0));
    assert_fault_free_tables(&home, "two at once");
}
