//! A warehouse that is older than its stage, damaged or missing is filled from the landing files,
//! without a call to FMP.

use std::fs;

use chrono::Days;
use findata_fmp_simulator::Options;
use findata_tests::{Home, Job, Output, Simulator, findata, today};

const SYMBOLS: [&str; 2] = ["AAPL", "NOCAP"];

/// Makes runs on three days, each with the answers of its own day. Returns the server of the last
/// day, the home, and the content of the warehouse file after the first day.
fn three_days() -> (Simulator, Home, Vec<u8>) {
    let home = Home::new();
    let run = |back: u64, symbols: &[&str]| {
        let day = today() - Days::new(back);
        let server = Simulator::start(Options { symbols: 12, today: day, ..Options::default() });
        Job::new(server.url(), symbols).on(day).run_ok(&home);
        server
    };
    run(2, &SYMBOLS[..1]);
    let first = fs::read(home.warehouse()).unwrap();
    run(1, &SYMBOLS);
    (run(0, &SYMBOLS), home, first)
}

fn command(home: &Home, arguments: &[&str]) -> Output {
    findata(arguments).arg("--json").home(home).run()
}

#[test]
fn a_warehouse_older_than_its_stage_is_filled_from_the_stage() {
    let (server, home, first) = three_days();
    let stale = Home::copy_of(&home);
    fs::write(stale.warehouse(), first).unwrap();
    let calls = server.calls();
    let summary = Job::new(server.url(), &SYMBOLS).run_ok(&stale);
    assert_eq!((server.calls() - calls, summary.calls), (0, 0));
    assert_eq!(stale.content(), home.content());
    assert_eq!(stale.count("select count(*) from ops.runs"), 4);
}

#[test]
fn a_damaged_ledger_does_not_keep_an_older_warehouse_from_being_filled() {
    let (server, home, first) = three_days();
    let runs = home.lines("select run_id from ops.runs order by started_at, run_id");
    let key = |object: &str| format!("runs/{}/{object}", runs[1]);
    // FMP no longer serves the profile of an earlier day. The figures of that day then use a later one.
    let lost = ["profile_reconstructed"];
    let entry = home.keys(&key("batches/")).remove(0);
    let (staged, plan) = (key("staged.json"), key("plan.json"));
    for damaged in [vec![&entry], vec![&entry, &staged], vec![&staged, &plan]] {
        let stale = Home::copy_of(&home);
        fs::write(stale.warehouse(), &first).unwrap();
        for object in &damaged {
            fs::write(stale.stage().join(object), "").unwrap();
        }
        Job::new(server.url(), &SYMBOLS).run_ok(&stale);
        let differences = stale.differences_except(&home, &lost);
        assert!(differences.is_empty(), "{damaged:?}: {differences:?}");
    }
    let stale = Home::copy_of(&home);
    fs::write(stale.warehouse(), &first).unwrap();
    fs::remove_file(stale.stage().join(&plan)).unwrap();
    Job::new(server.url(), &SYMBOLS).run_ok(&stale);
    assert_eq!(stale.content(), home.content(), "without a plan");
}

#[test]
fn a_damaged_or_missing_warehouse_is_rebuilt_from_the_stage() {
    let (server, home, _) = three_days();
    let whole = fs::read(home.warehouse()).unwrap();
    let mut overwritten = whole.clone();
    overwritten[20_000..30_000].fill(7);
    for (what, content) in [
        ("truncated", Some(whole[..whole.len() / 2].to_vec())),
        ("empty", Some(Vec::new())),
        ("overwritten", Some(overwritten)),
        ("not DuckDB", Some(b"hello".repeat(5_000))),
        ("missing", None),
    ] {
        let home_again = Home::copy_of(&home);
        match &content {
            Some(content) => fs::write(home_again.warehouse(), content).unwrap(),
            None => fs::remove_file(home_again.warehouse()).unwrap(),
        }
        let calls = server.calls();
        let replayed = command(&home_again, &["replay"]);
        assert_eq!(replayed.code, Some(0), "{what}: {replayed:#?}");
        assert_eq!(server.calls(), calls, "{what}");
        assert_eq!(home_again.content(), home.content(), "{what}");
        let kept = fs::read_dir(home_again.path())
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("findata.duckdb.replaced-"));
        assert_eq!(kept.count(), usize::from(content.is_some()), "{what}: nothing is deleted");
    }
}

#[test]
fn replay_rebuilds_the_warehouse_on_request() {
    let (server, home, _) = three_days();
    let rebuilt = Home::copy_of(&home);
    let calls = server.calls();
    let replayed = command(&rebuilt, &["replay", "--rebuild"]);
    assert_eq!(replayed.code, Some(0), "{replayed:#?}");
    assert_eq!(server.calls(), calls);
    assert_eq!(rebuilt.content(), home.content());
    // A second replay has nothing to load.
    let again = command(&rebuilt, &["replay"]).json();
    assert_eq!(again["rows"].as_object().map(|rows| rows.len()), Some(0));
    assert_eq!(rebuilt.content(), home.content());
}

#[test]
fn replay_without_a_stage_or_with_a_foreign_file_is_refused_with_a_reason() {
    let home = Home::new();
    assert!(command(&home, &["replay"]).failed(5).contains("--home"));
    fs::create_dir_all(home.stage()).unwrap();
    fs::write(home.warehouse(), "a letter to my bank").unwrap();
    let refused = command(&home, &["replay"]);
    assert!(refused.failed(5).contains("not a DuckDB file"), "{refused:#?}");
    assert_eq!(fs::read(home.warehouse()).unwrap(), b"a letter to my bank");
    let folder = Home::new();
    fs::create_dir_all(folder.warehouse()).unwrap();
    fs::create_dir_all(folder.stage()).unwrap();
    assert!(command(&folder, &["replay"]).failed(5).contains("is a folder"));
}

#[test]
fn a_pruned_stage_still_rebuilds_the_warehouse() {
    let (server, home, _) = three_days();
    // This run refetches everything and gets no new rows.
    Job::new(server.url(), &SYMBOLS).with(|options| options.full = true).run_ok(&home);
    let content = home.content();
    let landing = home.keys("landing/").len();
    // The test clock puts the start of these runs in 1970, so all of them are old enough to prune.
    let pruned = command(&home, &["prune"]).json();
    assert!(pruned["objects"].as_u64().is_some_and(|n| n > 0), "{pruned}");
    assert!(home.keys("landing/").len() < landing);
    assert_eq!(command(&home, &["prune"]).json()["objects"], 0);
    let rebuilt = command(&home, &["replay", "--rebuild"]);
    assert_eq!(rebuilt.code, Some(0), "{rebuilt:#?}");
    assert_eq!(home.content(), content);
    // What was pruned is not taken for lost, so nothing is fetched again.
    assert!(!rebuilt.stderr.contains("missing"), "{rebuilt:#?}");
    let calls = server.calls();
    Job::new(server.url(), &SYMBOLS).run_ok(&home);
    assert_eq!(server.calls(), calls);
    assert!(command(&home, &["prune", "--keep-days", "0"]).failed(2).contains("keeps everything"));
    assert!(command(&Home::new(), &["prune"]).failed(5).contains("there is no stage"));
}
