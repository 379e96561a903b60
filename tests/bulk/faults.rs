//! Bulk files that FMP refuses, that end early, or that arrive after the deadline.

use std::time::{Duration, Instant};

use findata_domain::{Error, clock::DayClock};
use findata_extract::BatchResult;
use findata_fmp::Deadline;
use findata_fmp_simulator::Options as World;
use findata_local::queue::LocalQueue;
use findata_pipeline::{
    ledger::{self, Outcome},
    plan::{BatchMessage, FetchMode},
    ports::queue::Queue,
    run::{Options, Status},
};
use findata_tests::{Home, Simulator, client, host, request, today, wait};

use super::{SYMBOLS, assert_counted, bulk_calls, job, only};

#[test]
fn a_throttled_bulk_call_is_retried_after_a_pause() {
    let world = World {
        symbols: SYMBOLS,
        today: today(),
        bulk_pause: Duration::from_millis(300),
        ..World::default()
    };
    let (server, home) = (Simulator::start(world), Home::new());
    let summary = job(&server).with(|options| only(options, &["prices", "profile"])).run_ok(&home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    assert!(server.refused_bulk() > 0);
    assert_counted(&server, &home, &summary);
}

#[test]
fn permanently_refused_bulk_calls_fail_the_tasks_after_a_few_attempts() {
    let (server, home) = (Simulator::with_faults(SYMBOLS, &["error-object=eod-bulk"]), Home::new());
    let summary = job(&server).with(|options| only(options, &["prices", "profile"])).run_ok(&home);
    assert_eq!(summary.status, Status::Partial);
    assert_eq!(server.calls_by_endpoint()["eod-bulk"], 6);
    assert_eq!(summary.failures.len(), summary.symbols as usize);
    assert!(
        summary.failures.iter().all(|f| f.reason.contains("refuses bulk calls")),
        "{:?}",
        summary.failures[0]
    );
    assert_counted(&server, &home, &summary);
}

#[test]
fn a_truncated_file_is_read_again_without_duplicate_rows() {
    let faults = ["reset=x1,income-statement-bulk", "truncated=x1,profile-bulk", "server-error=x1,eod-bulk"];
    let (broken, good) = (Simulator::with_faults(SYMBOLS, &faults), Simulator::with_symbols(SYMBOLS));
    let (home, whole) = (Home::new(), Home::new());
    let options = |options: &mut Options| {
        only(options, &["profile", "prices", "income_statement"]);
        options.skip_analytics = false;
        options.quarters = 4;
        options.years = 2;
    };
    let summary = job(&broken).with(options).run_ok(&home);
    let undisturbed = job(&good).with(options).run_ok(&whole);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    assert_eq!(summary.rows, undisturbed.rows);
    assert_eq!(bulk_calls(&broken), 2 * bulk_calls(&good));
    assert_counted(&broken, &home, &summary);
    let differences = home.differences(&whole);
    assert!(differences.is_empty(), "{differences:?}");
}

#[test]
fn a_file_that_is_always_truncated_fails_its_tasks_and_the_next_run_recovers() {
    let (broken, good) = (
        Simulator::with_faults(SYMBOLS, &["truncated=balance-sheet-statement-bulk"]),
        Simulator::with_symbols(SYMBOLS),
    );
    let home = Home::new();
    let options = |options: &mut Options| only(options, &["balance_sheet", "cash_flow"]);
    let partial = job(&broken).with(options).run_ok(&home);
    assert_eq!((partial.status, partial.tasks.failed), (Status::Partial, 2 * partial.symbols));
    assert!(
        partial
            .failures
            .iter()
            .all(|f| f.dataset == "balance_sheet" && f.reason.contains("is truncated"))
    );
    assert_eq!(
        home.count("select count(*) from staging.balance_sheet"),
        0,
        "no rows of an incomplete file"
    );
    assert_counted(&broken, &home, &partial);
    let healed = job(&good).with(options).run_ok(&home);
    assert_eq!(healed.status, Status::Complete);
    assert_eq!(bulk_calls(&good), 0, "fetched files are fresh; failed tasks are fetched per symbol");
    assert!(home.count("select count(*) from staging.balance_sheet") > 0);
}

#[test]
fn a_delivery_that_runs_out_of_time_keeps_its_finished_files() {
    let slow = World {
        symbols: SYMBOLS,
        today: today(),
        latency: Duration::from_millis(40),
        ..World::default()
    };
    let (server, home) = (Simulator::start(slow), Home::new());
    let mut deliveries = 0;
    wait(async {
        let clock = DayClock(today());
        let host = host(&home, client(&server.url(), "test-key"), clock)?;
        let job = job(&server).with(|options| only(options, &["prices"]));
        let symbols: Vec<&str> = job.symbols.iter().map(String::as_str).collect();
        let options = Options { index: None, ..job.options };
        let (request, queue) = (request(&symbols, options), LocalQueue::default());
        let plan = findata_fanout::handle(&request, &host.fmp, &host.stage, &queue, &clock).await?;
        assert_eq!(plan.batches.iter().filter(|batch| batch.fetch_mode == FetchMode::BulkFile).count(), 1);
        while let Some(delivery) = queue.receive() {
            if delivery.message.batch.fetch_mode != FetchMode::BulkFile {
                findata_extract::handle(&delivery.message, &host.fmp, &host.stage, &clock, None, None)
                    .await?;
                continue;
            }
            assert!(delivery.message.batch.tasks.is_empty(), "the tasks are in the plan");
            let now = Instant::now();
            let past = Deadline { begin: now, wait: now };
            let late =
                findata_extract::handle(&delivery.message, &host.fmp, &host.stage, &clock, Some(past), None)
                    .await?;
            let waiting = BatchMessage { waits: 1, ..delivery.message.clone() };
            assert_eq!(late, BatchResult::Rest(Box::new(waiting)), "no call is made after the deadline");
            // A batch that only waits is not queued forever.
            let waited = BatchMessage {
                waits: findata_extract::MAX_WAITS,
                ..delivery.message.clone()
            };
            let stuck =
                findata_extract::handle(&waited, &host.fmp, &host.stage, &clock, Some(past), None).await;
            assert!(matches!(stuck, Err(Error::Retry { .. })), "{stuck:?}");
            let begin = now + Duration::from_millis(150);
            let limit = Some(Deadline { begin, wait: begin + Duration::from_secs(20) });
            // Every second delivery carries the original checkpoint number, like a batch that the
            // sweeper resends.
            let first = BatchMessage { checkpoints: 0, ..delivery.message.clone() };
            let message = if deliveries % 2 == 0 { &delivery.message } else { &first };
            let worked =
                findata_extract::handle(message, &host.fmp, &host.stage, &clock, limit, None).await?;
            deliveries += 1;
            match worked {
                BatchResult::Rest(rest) => {
                    assert_eq!((rest.checkpoints, rest.waits), (delivery.message.checkpoints + 1, 0));
                    queue.send(vec![*rest]).await?;
                }
                BatchResult::Done { .. } => {}
            }
        }
        let mut entries = ledger::entries(&host.stage, &request.run_id).await?;
        entries.retain(|entry| entry.batch.starts_with("bulk-"));
        let tasks: Vec<_> = entries.iter().flat_map(|entry| &entry.tasks).collect();
        assert_eq!(tasks.len(), symbols.len());
        let rows: u64 = tasks
            .iter()
            .map(|t| if let Outcome::Rows { rows, .. } = t.outcome { rows } else { 0 })
            .sum();
        assert_eq!(rows, entries.iter().flat_map(|entry| &entry.files).map(|file| file.rows).sum::<u64>());
        assert_eq!(u64::from(tasks.iter().map(|task| task.calls).sum::<u32>()), bulk_calls(&server));
        assert_eq!(entries[0].files.len() as u64, bulk_calls(&server), "no file is fetched twice");
        Ok::<_, Error>(())
    })
    .unwrap();
    assert!(deliveries > 2, "{deliveries}");
}

#[test]
fn the_call_limit_includes_bulk_files() {
    let (server, home) = (Simulator::with_symbols(SYMBOLS), Home::new());
    let limited = |options: &mut Options| {
        only(options, &["prices"]);
        options.max_calls = Some(7);
    };
    let summary = job(&server).with(limited).run_ok(&home);
    assert_eq!(
        (summary.status, summary.calls, server.calls()),
        (Status::Budget, 7, 7),
        "{:?}",
        summary.failures.first()
    );
    // The run loads the bars that it fetched before the limit. The next run fetches the rest.
    assert!(home.count("select count(*) from staging.prices") > 0);
    let more = job(&server).with(|options| only(options, &["prices", "profile"])).run_ok(&home);
    assert_eq!(more.status, Status::Complete, "{:?}", more.failures);
}

#[test]
fn giving_up_a_bulk_batch_records_all_its_tasks_as_failed() {
    let (server, home) = (Simulator::with_symbols(SYMBOLS), Home::new());
    wait(async {
        let clock = DayClock(today());
        let host = host(&home, client(&server.url(), "test-key"), clock)?;
        let job = job(&server).with(|options| only(options, &["profile"]));
        let symbols: Vec<&str> = job.symbols.iter().map(String::as_str).collect();
        let (request, queue) = (request(&symbols, job.options.clone()), LocalQueue::default());
        findata_fanout::handle(&request, &host.fmp, &host.stage, &queue, &clock).await?;
        let message = queue.receive().unwrap().message;
        assert!(
            ledger::record_as_failed(
                &message,
                &Outcome::failed("given up"),
                &host.stage,
                chrono::DateTime::default()
            )
            .await?
        );
        let entries = ledger::entries(&host.stage, &request.run_id).await?;
        assert_eq!(entries[0].tasks.len(), symbols.len());
        assert!(entries[0].tasks.iter().all(|task| matches!(task.outcome, Outcome::Failed { .. })));
        Ok::<_, Error>(())
    })
    .unwrap();
}

#[test]
fn a_file_that_takes_longer_than_a_delivery_falls_back_to_symbols() {
    let slow = World {
        symbols: SYMBOLS,
        today: today(),
        latency: Duration::from_millis(2_000),
        ..World::default()
    };
    let (server, home) = (Simulator::start(slow), Home::new());
    wait(async {
        let clock = DayClock(today());
        let host = host(&home, client(&server.url(), "test-key"), clock)?;
        let job = job(&server).with(|options| only(options, &["profile"]));
        let symbols: Vec<&str> = job.symbols.iter().map(String::as_str).collect();
        let (request, queue) = (request(&symbols, job.options.clone()), LocalQueue::default());
        findata_fanout::handle(&request, &host.fmp, &host.stage, &queue, &clock).await?;
        let message = queue.receive().unwrap().message;
        let now = Instant::now();
        let limit = Deadline {
            begin: now + Duration::from_millis(1_000),
            wait: now + Duration::from_millis(1_200),
        };
        let worked =
            findata_extract::handle(&message, &host.fmp, &host.stage, &clock, Some(limit), None).await?;
        let BatchResult::Rest(rest) = worked else { panic!("{worked:?}") };
        assert_eq!(
            (rest.checkpoints, bulk_calls(&server)),
            (1, 1),
            "the file was started and recorded as too slow"
        );
        let worked = findata_extract::handle(&rest, &host.fmp, &host.stage, &clock, None, None).await?;
        assert_eq!(
            (worked, bulk_calls(&server)),
            (BatchResult::Done { closed: true }, 1),
            "one call per symbol"
        );
        let entries = ledger::entries(&host.stage, &request.run_id).await?;
        let rows = entries[0].tasks.iter().filter(|task| matches!(task.outcome, Outcome::Rows { .. }));
        assert_eq!(rows.filter(|task| task.task.dataset.name == "profile").count(), symbols.len());
        assert!(
            findata_fmp::bulk::refused(&host.stage).await?.contains_key("profile-bulk"),
            "the next plan skips the file"
        );
        Ok::<_, Error>(())
    })
    .unwrap();
}
