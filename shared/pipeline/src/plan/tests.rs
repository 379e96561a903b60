use findata_domain::catalog;

use super::*;

#[test]
fn a_task_is_unchanged_after_the_queue() {
    let task = Task {
        dataset: catalog::dataset("cash_flow").unwrap(),
        symbol: Some("BRK-B".parse().unwrap()),
        window: Window::Newest { cadence: Cadence::Quarter, limit: 8 },
        prior: Prior { rows: true, unconfirmed: 1, ..Prior::default() },
    };
    let json = serde_json::to_string(&task).unwrap();
    assert_eq!(serde_json::from_str::<Task>(&json).unwrap(), task);
    assert_eq!(task.subject(), "BRK-B:quarter");
    assert_eq!(task.parameters().len(), 3);
    assert!(serde_json::from_str::<Task>(&json.replace("BRK-B", "B/K")).is_err());
    assert!(serde_json::from_str::<Task>(&json.replace("cash_flow", "nothing")).is_err());
}

#[test]
fn the_message_of_a_bulk_batch_is_small_however_many_tasks_it_has() {
    let task =
        |i: usize| Task::new(catalog::dataset("prices").unwrap(), format!("S{i}").parse().ok(), Window::All);
    let tasks: Vec<Task> = (0..3_000).map(task).collect();
    let batch = |id: &str, fetch_mode| Batch { id: id.into(), fetch_mode, tasks: tasks.clone() };
    let plan = Plan {
        run_id: "r".parse().unwrap(),
        options: Options::default(),
        symbols: Vec::new(),
        known: BTreeSet::new(),
        renamed: Vec::new(),
        notes: Vec::new(),
        batches: vec![batch("bulk-prices", FetchMode::BulkFile), batch("b00001", FetchMode::PerSymbol)],
        landed: Vec::new(),
        datasets: Vec::new(),
        planning_calls: 0,
        planning_bytes: 0,
        planning_client: ClientUsage::default(),
        corrections: None,
        traceparent: None,
    };
    let messages = BatchMessage::of_plan(&plan, &plan.batches);
    assert!(serde_json::to_string(&messages[0]).unwrap().len() < 200);
    assert_eq!(
        (messages[0].batch.id.as_str(), messages[0].batch.fetch_mode),
        ("bulk-prices", FetchMode::BulkFile)
    );
    assert_eq!(messages[1].batch, plan.batches[1]);
}

#[test]
fn a_plan_of_the_previous_build_is_read() {
    let plan: Plan = serde_json::from_str(
        r#"{"run_id": "r", "options": {"quarters": 8, "years": 6, "prices_from": null, "prices_to": null,
            "full": false, "datasets": [], "reconcile": true, "skip_analytics": false, "max_calls": null,
            "lifetimes": "profile=7d", "index": "^GSPC", "reach": {"most_statements": 5, "quarterly": true,
            "sparing": true, "bulk": false, "bulk_pause": 30, "per_minute": 750}}, "symbols": ["AAPL"],
            "known": [], "notes": [], "batches": [{"id": "bulk-profile", "way": "bulk", "tasks": [
            {"dataset": "profile", "symbol": "AAPL", "window": "all"}]}], "landed": [], "datasets": [],
            "planning_calls": 0, "planning_bytes": 0}"#,
    )
    .unwrap();
    assert_eq!(plan.batches[0].fetch_mode, FetchMode::BulkFile);
    assert_eq!(plan.options.ttl.to_string(), "profile=10080m");
    let limits = plan.options.plan_limits;
    assert_eq!((limits.most_statements, limits.minimize_calls), (Some(5), true));
}

#[test]
fn a_message_of_the_previous_build_is_read() {
    let message: BatchMessage = serde_json::from_str(
        r#"{"run_id": "r", "batch": {"id": "q00001", "way": "quotes", "tasks": []}, "parts": 2}"#,
    )
    .unwrap();
    assert_eq!((message.batch.fetch_mode, message.checkpoints), (FetchMode::BatchQuote, 2));
    let record = r#"{"dataset": "prices", "symbol": "AAPL", "window": "all", "outcome": "empty", "calls": 1,
        "bytes": 2, "fetched_at": "2026-11-20T23:00:00Z", "way": "bulk"}"#;
    let record: crate::ledger::TaskRecord = serde_json::from_str(record).unwrap();
    assert_eq!(record.fetch_mode, FetchMode::BulkFile);
}
