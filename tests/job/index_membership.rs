//! When the changes of an index are fetched, and the memberships that follow from them.

use chrono::NaiveDate;
use findata_domain::clock::DayClock;
use findata_local::queue::LocalQueue;
use findata_pipeline::{
    plan::Plan,
    ports::stage::memory::MemoryStage,
    run::{Options, Request, Universe},
};
use findata_tests::{Home, NoProgress, Replay, ReplayServer, client, host, request, run_id, wait};
use serde_json::json;

const CHANGES: &str = "historical-sp500-constituent";

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn members(symbols: &[&str]) -> String {
    let row = |symbol: &&str| json!({"symbol": symbol, "name": format!("{symbol} Inc."), "dateFirstAdded": "2001-02-03"});
    json!(symbols.iter().map(row).collect::<Vec<_>>()).to_string()
}

/// A change as FMP sends it.
fn change(words: &str, date: &str, added: &str, removed: &str) -> serde_json::Value {
    json!({"dateAdded": words, "date": date, "symbol": added, "addedSecurity": format!("{added} Inc."),
        "removedTicker": removed, "removedSecurity": format!("{removed} Inc."), "reason": null})
}

fn changes(count: usize) -> String {
    let one = |n: usize| change("July 9, 2025", "2025-07-08", &format!("IN{n}"), &format!("OUT{n}"));
    json!((0..count).map(one).collect::<Vec<_>>()).to_string()
}

fn of_index(options: Options) -> Request {
    Request { universe: Universe::Sp500, ..request(&[], options) }
}

/// Plans a run of the index. Returns the plan, the calls of the changes, and all calls.
fn plan(stage: &MemoryStage, server: &ReplayServer, today: &str, request: &Request) -> (Plan, usize) {
    let before = server.calls().len();
    let (fmp, clock) = (client(server.url(), "key"), DayClock(day(today)));
    let request = Request { run_id: run_id(), ..request.clone() };
    let queue = LocalQueue::default();
    let plan = wait(findata_fanout::handle(&request, &fmp, stage, &queue, &clock)).unwrap();
    let calls = server.calls().split_off(before);
    (plan, calls.iter().filter(|call| call.contains("historical-")).count())
}

fn serving(symbols: &[&str], body: &str) -> ReplayServer {
    Replay::new()
        .answer("sp500-constituent", "", "", members(symbols))
        .answer(CHANGES, "", "", body)
        .start()
}

#[test]
fn changes_are_fetched_once_a_week_and_when_the_members_change() {
    let stage = MemoryStage::default();
    let all = of_index(Options::default());
    let server = serving(&["AAPL", "MSFT"], &changes(20));
    let calls =
        |server: &ReplayServer, today: &str, request: &Request| plan(&stage, server, today, request).1;
    let (first, made) = plan(&stage, &server, "2026-09-10", &all);
    assert_eq!((made, first.landed.contains(&"indexes".to_owned())), (1, true));
    assert_eq!(calls(&server, "2026-09-10", &all), 0);
    assert_eq!(calls(&server, "2026-09-16", &all), 0);
    assert_eq!(calls(&server, "2026-09-17", &all), 1, "after a week");
    let joined = serving(&["AAPL", "MSFT", "NVDA"], &changes(21));
    assert_eq!(calls(&joined, "2026-09-18", &all), 1, "another member");
    assert_eq!(calls(&joined, "2026-09-19", &all), 0);
    // Runs that do not need them make no call.
    let prices = of_index(Options { datasets: vec!["prices".into()], ..Options::default() });
    assert_eq!(calls(&joined, "2026-12-18", &prices), 0);
    let symbols = request(&["AAPL"], Options::default());
    let before = joined.calls().len();
    assert_eq!(calls(&joined, "2026-12-18", &symbols), 0);
    assert!(joined.calls()[before..].iter().all(|call| !call.contains("constituent")));
    let other = request(
        &["AAPL"],
        Options {
            datasets: vec!["nasdaq-changes".into()],
            ..Options::default()
        },
    );
    assert_eq!(calls(&joined, "2026-12-18", &other), 1, "requested by name");
    assert!(joined.calls().iter().any(|call| call.contains("/nasdaq-constituent")));
}

#[test]
fn a_plan_without_the_endpoint_is_asked_again_after_a_week() {
    let stage = MemoryStage::default();
    let all = of_index(Options::default());
    let server = Replay::new()
        .answer("sp500-constituent", "", "", members(&["AAPL"]))
        .override_endpoint(CHANGES, 402, "Restricted Endpoint: no")
        .start();
    for (today, wanted) in [("2026-09-10", 1), ("2026-09-11", 0), ("2026-09-16", 0), ("2026-09-17", 1)] {
        let (plan, calls) = plan(&stage, &server, today, &all);
        assert_eq!((calls, plan.landed.contains(&"indexes".to_owned())), (wanted, false), "{today}");
        assert_eq!(plan.symbols.len(), 1);
    }
}

#[test]
fn faulty_answers_do_not_end_the_run_and_are_fetched_again() {
    let all = of_index(Options::default());
    for (status, body) in [
        (500, "down"),
        (200, "[]"),
        (200, "[1, null]"),
        (200, "{"),
        (200, r#"{"Error Message":"x"}"#),
    ] {
        let stage = MemoryStage::default();
        let faulty = Replay::new()
            .answer("sp500-constituent", "", "", members(&["AAPL"]))
            .override_endpoint(CHANGES, status, body)
            .start();
        let (planned, _) = plan(&stage, &faulty, "2026-09-10", &all);
        assert_eq!(
            (planned.symbols.len(), planned.landed.contains(&"indexes".to_owned())),
            (1, false),
            "{body}"
        );
        let sound = serving(&["AAPL"], &changes(20));
        let (planned, calls) = plan(&stage, &sound, "2026-09-10", &all);
        assert_eq!((calls, planned.landed.contains(&"indexes".to_owned())), (1, true), "{body}");
    }
}

#[test]
fn a_much_shorter_answer_must_come_on_a_second_day() {
    let stage = MemoryStage::default();
    let all = of_index(Options { full: true, ..Options::default() });
    plan(&stage, &serving(&["AAPL"], &changes(20)), "2026-09-10", &all);
    let short = serving(&["AAPL"], &changes(10));
    for _ in 0..2 {
        let (kept, calls) = plan(&stage, &short, "2026-09-11", &all);
        assert_eq!((calls, kept.landed.contains(&"indexes".to_owned())), (1, false));
        let note = "sp500_changes: FMP's answer has only 10 rows; the 20 known ones are kept";
        assert!(kept.notes.iter().any(|found| found.contains(note)), "{:?}", kept.notes);
    }
    let (confirmed, _) = plan(&stage, &short, "2026-09-12", &all);
    assert!(confirmed.landed.contains(&"indexes".to_owned()), "{:?}", confirmed.notes);
}

/// Runs the index on a day.
fn run(home: &Home, list: &[&str], changes: &[serde_json::Value], today: &str) {
    let profile = |symbol: &str, ipo: &str| {
        json!([{"symbol": symbol, "companyName": symbol, "currency": "USD", "price": 10, "marketCap": 1e9, "ipoDate": ipo}])
            .to_string()
    };
    let server = Replay::new()
        .answer("sp500-constituent", "", "", members(list))
        .answer(CHANGES, "", "", json!(changes).to_string())
        .answer("profile", "AAPL", "", profile("AAPL", "1980-12-12"))
        .answer("profile", "Q", "", profile("Q", "2025-11-01"))
        .start();
    let datasets = vec!["profile".into(), "sp500_changes".into()];
    let request = of_index(Options { datasets, full: true, ..Options::default() });
    wait(async {
        let mut host = host(home, client(server.url(), "key"), DayClock(day(today)))?;
        host.run(&request, &NoProgress).await
    })
    .unwrap();
}

#[test]
fn memberships_follow_from_the_lists_and_end_when_a_company_leaves() {
    let home = Home::new();
    let mut log = vec![
        change("July 9, 2025", "2025-07-08", "DDOG", "JNPR"),
        // Some days have a leading zero, and some texts are unusable.
        change("August 05, 2024", "2024-08-04", "BACK", "GONE"),
        change("soon", "2011-03-02", "GONE", "BACK"),
        // Only an addition, and only a removal.
        change("December 23, 2013", "2013-12-22", "FB", ""),
        change("April 4, 2011", "2011-04-03", "", "Q"),
        // Without a date, a change says nothing.
        change("April 4, 2011", "", "X", "Y"),
    ];
    run(&home, &["AAPL", "BACK", "DDOG", "META", "Q"], &log, "2026-09-17");
    let memberships = |index: &str| {
        home.lines(&format!(
            "select symbol, member_from, member_to, is_member, source, company_key is not null \
             from analytics.dim_index_membership where index_name = '{index}' order by symbol, member_to nulls last"
        ))
    };
    let wanted = [
        "AAPL|2001-02-03|NULL|true|list|true",
        "BACK|NULL|2011-03-02|true|changes|false",
        "BACK|2024-08-05|NULL|true|changes|false",
        "DDOG|2025-07-09|NULL|true|changes|false",
        // Its symbol was changed to META.
        "FB|2013-12-23|NULL|false|unconfirmed|false",
        "GONE|2011-03-02|2024-08-05|false|changes|false",
        "JNPR|NULL|2025-07-09|false|changes|false",
        "META|2001-02-03|NULL|true|list|false",
        // The company that uses the symbol now went public after the other one had left.
        "Q|NULL|2011-04-04|true|changes|false",
        "Q|2011-04-04|NULL|true|unconfirmed|true",
    ];
    assert_eq!(memberships("sp500"), wanted);
    assert_eq!(
        home.text("select reason from ops.quarantine where dataset = 'sp500_changes'"),
        "missing_field: date"
    );
    // A change that FMP corrects replaces the wrong one, and no figure is computed again for it.
    log[0] = change("July 10, 2025", "2025-07-09", "DDOG", "JNPR");
    run(&home, &["AAPL", "BACK", "DDOG", "META", "Q"], &log, "2026-09-18");
    let of_ddog = memberships("sp500").into_iter().filter(|line| line.starts_with("DDOG"));
    assert_eq!(of_ddog.collect::<Vec<_>>(), ["DDOG|2025-07-10|NULL|true|changes|false"]);
    assert_eq!(home.count("select count(*) from raw.sp500_changes where symbol = 'DDOG'"), 2);
    assert_eq!(home.count("select count(*) from ops.changes"), 0);
    assert!(memberships("nasdaq100").is_empty());
}
