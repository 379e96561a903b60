//! When FMP's list of symbol changes is read, and which of its rows concern a run.

use super::{Company, Home, Job, Status, TODAY, YESTERDAY, calls_of, day, server};

#[test]
fn a_symbol_in_use_is_not_renamed() {
    let home = Home::new();
    // A change that FMP has not made yet, an old one of a symbol that is in use again, one of the future, and
    // a symbol that one company left and another took.
    let list = [
        ("2026-09-15", "LATE", "SOON"),
        ("2015-03-02", "USED", "PEER"),
        ("2026-09-30", "PEER", "NEXT"),
        ("2018-03-01", "SWAP", "OTHER"),
        ("2019-03-01", "THIRD", "SWAP"),
    ];
    let symbols = ["LATE", "USED", "PEER", "SWAP"];
    for on in [YESTERDAY, TODAY] {
        let companies =
            symbols.map(|symbol| Company::new(symbol).cik(if symbol == "PEER" { "3" } else { "4" }));
        let server = server(companies, &list).start();
        let run = Job::new(server.url(), &symbols)
            .on(day(on))
            .with(|o| o.skip_analytics = true)
            .run_ok(&home);
        assert_eq!((run.status, run.symbols), (Status::Complete, 4), "{:?}", run.failures);
        assert!(!run.notes.iter().any(|note| note.contains(" became ")), "{:?}", run.notes);
    }
    assert_eq!(
        home.lines("select symbol from staging.profile order by 1"),
        ["LATE", "PEER", "SWAP", "USED"]
    );
    assert_eq!(home.count("select count(*) from ops.securities"), 0);
}

#[test]
fn a_chain_of_changes_leads_to_the_present_symbol() {
    let list = [
        ("2019-01-02", "FIRST", "MIDDLE"),
        ("2023-01-03", "MIDDLE", "LAST"),
        ("2017-01-03", "LAST", "FIRST"),
    ];
    let server = server([Company::new("LAST")], &list).start();
    let job = Job::new(server.url(), &["FIRST"]).on(day(TODAY)).with(|o| o.skip_analytics = true);
    let run = job.run_ok(&Home::new());
    assert_eq!(run.status, Status::Complete, "{:?}", run.failures);
    assert!(
        run.notes.iter().any(|note| note.starts_with("FIRST became LAST on 2019-01-02")),
        "{:?}",
        run.notes
    );
}

#[test]
fn the_list_is_not_read_for_single_datasets_or_outside_the_fmp_plan() {
    let company = || server([Company::new("OLD")], &[]);
    let (restricted, free) = (company().start(), company().start());
    let refusing = company().override_endpoint("symbol-change", 402, "Restricted Endpoint: x").start();
    let job = |url: &str| Job::new(url, &["OLD"]).on(day(TODAY)).with(|o| o.skip_analytics = true);
    job(restricted.url()).with(|o| o.datasets = vec!["prices".into()]).run_ok(&Home::new());
    job(free.url()).with(|o| o.plan_limits.symbol_changes = false).run_ok(&Home::new());
    let home = Home::new();
    for _ in 0..2 {
        let run = job(refusing.url()).with(|o| o.full = true).run_ok(&home);
        assert_eq!(run.status, Status::Complete, "{:?}", run.failures);
    }
    let of = |calls: Vec<String>| calls_of(&calls, "symbol-change");
    assert_eq!((of(restricted.calls()), of(free.calls()), of(refusing.calls())), (0, 0, 1));
}
