//! Lists of index members that are too short, damaged or missing.

use chrono::NaiveDate;
use findata_domain::{Error, clock::DayClock};
use findata_fanout::universe::{self, Members};
use findata_pipeline::{
    ports::stage::{Stage, memory::MemoryStage},
    run::{Options, Request, Universe},
};
use findata_tests::{Replay, client, run_id, wait};

const KEY: &str = "state/universe/sp500.json";
const ENDPOINT: &str = "sp500-constituent";

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Returns FMP's response with this many members: S0, S1 and so on.
fn list(members: usize) -> String {
    let row = |i| format!(r#"{{"symbol":"S{i}","name":"Company {i}","sector":"Technology"}}"#);
    format!("[{}]", (0..members).map(row).collect::<Vec<_>>().join(","))
}

/// Resolves the S&P 500 on a day on which FMP responds with this status and body.
fn resolve(stage: &MemoryStage, today: &str, status: u16, body: &str) -> Members {
    try_resolve(Universe::Sp500, ENDPOINT, stage, today, status, body).unwrap()
}

fn try_resolve(
    universe: Universe,
    endpoint: &str,
    stage: &MemoryStage,
    today: &str,
    status: u16,
    body: &str,
) -> Result<Members, Error> {
    let server = Replay::new().override_endpoint(endpoint, status, body).start();
    let request = Request {
        run_id: run_id(),
        universe,
        options: Options::default(),
        retry_of: None,
        corrections: None,
        traceparent: None,
    };
    let fmp = client(server.url(), "key");
    wait(universe::resolve(&request, &fmp, stage, &DayClock(day(today))))
}

fn has_note(members: &Members, part: &str) -> bool {
    members.notes.iter().any(|note| note.contains(part))
}

#[test]
fn a_universe_that_shrinks_is_kept_until_a_second_day_confirms_it() {
    let stage = MemoryStage::default();
    assert_eq!(resolve(&stage, "2026-11-20", 200, &list(50)).symbols.len(), 50);
    // The list may lose a tenth of its members at once.
    assert_eq!(resolve(&stage, "2026-11-21", 200, &list(45)).symbols.len(), 45);
    for _ in 0..2 {
        let kept = resolve(&stage, "2026-11-22", 200, &list(40));
        assert_eq!((kept.symbols.len(), kept.landed.len()), (45, 0));
        assert!(has_note(&kept, "only 40 symbols; the 45 known ones are kept"), "{:?}", kept.notes);
        assert_eq!(kept.calls, 1);
    }
    let confirmed = resolve(&stage, "2026-11-23", 200, &list(40));
    assert_eq!((confirmed.symbols.len(), confirmed.notes.len()), (40, 0));
    // A complete list between two short lists resets the confirmation, so neither short list is
    // accepted.
    resolve(&stage, "2026-11-24", 200, &list(1));
    assert_eq!(resolve(&stage, "2026-11-24", 200, &list(41)).symbols.len(), 41);
    assert_eq!(resolve(&stage, "2026-11-25", 200, &list(1)).symbols.len(), 41);
}

#[test]
fn duplicates_count_once_and_malformed_members_are_noted() {
    let body =
        r#"[{"symbol":"AAPL"},{"symbol":"MSFT"},{"symbol":"AAPL"},{"symbol":"A B"},{"name":"No symbol"}]"#;
    let members = resolve(&MemoryStage::default(), "2026-11-20", 200, body);
    assert_eq!(members.symbols.iter().map(ToString::to_string).collect::<Vec<_>>(), ["AAPL", "MSFT"]);
    assert!(has_note(&members, "2 of 5 members are malformed"), "{:?}", members.notes);
}

#[test]
fn the_last_known_list_is_used_before_the_bundled_one() {
    let strings = r#"["AAPL","MSFT"]"#;
    for (status, body) in [(404, "[]"), (200, "[]"), (200, strings), (200, "[1, null]"), (402, "no")] {
        let stage = MemoryStage::default();
        let bundled = resolve(&stage, "2026-11-20", status, body);
        assert!(
            bundled.symbols.len() > 490 && has_note(&bundled, "bundled"),
            "{body}: {:?}",
            bundled.notes
        );
        resolve(&stage, "2026-11-20", 200, &list(50));
        let known = resolve(&stage, "2026-11-21", status, body);
        assert_eq!(known.symbols.len(), 50, "{body}");
        assert!(
            has_note(&known, "as fetched on 2026-11-20: 50 symbols, the last known list"),
            "{:?}",
            known.notes
        );
    }
}

#[test]
fn a_list_from_a_clock_that_was_ahead_is_fetched_again() {
    let stage = MemoryStage::default();
    resolve(&stage, "2099-01-04", 200, &list(50));
    assert_eq!(resolve(&stage, "2026-11-20", 200, &list(51)).symbols.len(), 51);
}

#[test]
fn a_damaged_list_counts_as_absent() {
    for damaged in ["", "{", "{}", "[]"] {
        let stage = MemoryStage::default();
        wait(stage.put_if_absent(KEY, damaged.as_bytes().to_vec().into())).unwrap();
        assert_eq!(resolve(&stage, "2026-11-20", 200, &list(50)).symbols.len(), 50, "{damaged:?}");
        assert_eq!(resolve(&stage, "2026-11-21", 500, "down").symbols.len(), 50, "{damaged:?} is replaced");
    }
}

#[test]
fn an_index_without_a_bundled_list_needs_one_answer() {
    for (universe, endpoint) in
        [(Universe::Nasdaq, "nasdaq-constituent"), (Universe::Dowjones, "dowjones-constituent")]
    {
        let stage = MemoryStage::default();
        let resolve = |today: &str, status: u16, body: &str| {
            try_resolve(universe.clone(), endpoint, &stage, today, status, body)
        };
        let refused = resolve("2026-11-20", 402, "Restricted Endpoint: no").unwrap_err();
        assert!(matches!(refused, Error::NotInPlan(_)), "{refused:?}");
        for (status, body) in [(200, "[]"), (200, "[{}]"), (500, "down")] {
            let error = resolve("2026-11-20", status, body).unwrap_err();
            assert!(error.can_pass(), "{status} {body}: {error:?}");
        }
        let first = resolve("2026-11-20", 200, &list(30)).unwrap();
        assert_eq!((first.symbols.len(), first.landed.len()), (30, 1));
        // The list of another index is not used.
        assert!(
            try_resolve(Universe::Nasdaq, "x", &MemoryStage::default(), "2026-11-20", 404, "[]").is_err()
        );
        let known = resolve("2026-11-21", 500, "down").unwrap();
        assert!(known.symbols.len() == 30 && has_note(&known, "the last known list"), "{:?}", known.notes);
        let kept = resolve("2026-11-22", 200, &list(20)).unwrap();
        assert!(kept.symbols.len() == 30 && has_note(&kept, "only 20 symbols"), "{:?}", kept.notes);
    }
}
