//! Options that choose what a run fetches and computes.

use findata_tests::{Home, Simulator, findata};
use serde_json::Value;

use super::run;

#[test]
fn options_choose_what_is_fetched_and_computed() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let loaded = run(&home, &server.url(), "AAPL").arg("--daily").arg("--skip-analytics").run();
    assert_eq!(loaded.code, Some(0), "{loaded:#?}");
    let id = loaded.json()["run_id"].as_str().unwrap().to_owned();
    assert!(id.ends_with("-00000000"), "the id of a scheduled run: {id}");
    let figures = |of: &Value| of["analytics"].as_object().map_or(0, serde_json::Map::len);
    assert_eq!(
        (figures(&loaded.json()), home.count("select count(*) from staging.prices") > 0),
        (0, true)
    );

    let plan = |day: &str, more: &[&str]| {
        let days = if more.contains(&"--from") { &[][..] } else { &["--days", "30"] };
        findata(&[&["plan", "--json", "--symbols", "AAPL", "--today", day], days, more].concat())
            .option("--home", home.path())
            .url(server.url())
            .run()
            .json()
    };
    let calls = |plan: &Value, dataset: &str| plan["datasets"][dataset]["calls"].as_u64();
    let (same_day, later) = ("2026-09-18", "2026-09-21");
    assert_eq!(calls(&plan(later, &[]), "profile"), Some(1));
    assert_eq!(calls(&plan(later, &["--ttl", "profile=7d"]), "profile"), Some(0));
    assert_eq!(calls(&plan(same_day, &[]), "profile"), Some(0));
    assert_eq!(calls(&plan(same_day, &["--full"]), "profile"), Some(1));
    let loaded_days = ["--from", "2026-09-01", "--to", "2026-09-10"];
    assert_eq!(calls(&plan(same_day, &loaded_days), "prices"), Some(0));
    let earlier_days = ["--from", "2026-08-03", "--to", "2026-08-14"];
    assert!(calls(&plan(same_day, &earlier_days), "prices") > Some(0));

    let earlier = findata(
        &[&["run", "--json", "--symbols", "AAPL", "--datasets", "prices"], &earlier_days[..]].concat(),
    )
    .home(&home)
    .url(server.url())
    .run();
    assert_eq!(earlier.code, Some(0), "{earlier:#?}");
    assert!(figures(&earlier.json()) > 0, "figures of what was loaded before: {earlier:#?}");
    assert_eq!(
        home.text("select min(price_date) from staging.prices where symbol = 'AAPL'"),
        "2026-08-03"
    );
}
