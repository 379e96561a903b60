//! `diff` says why figures changed between two runs: a correction, a new classification, a withdrawn statement.

use std::fs;

use findata_pipeline::corrections::STAGE_KEY;
use findata_tests::{Home, Job, Replay, findata};
use serde_json::Value;

use super::company::{Company, TODAY, day};

const BEFORE: &str = "2026-09-10";
const PERIOD: &str = "2026-06-30";
const SYMBOLS: [&str; 4] = ["CORRECT", "MOVES", "GONE", "SAME"];

const CORRECTION: &str = "[[correction]]
symbol = 'CORRECT'
kind = 'value'
period = 'Q2'
date = 2026-06-30
column = 'revenue'
value = 210_000_000
reason = 'as filed'
decided_on = 2026-09-17
";

fn load(home: &Home, on: &str, companies: [Company; 4]) {
    let answers = companies
        .into_iter()
        .fold(Replay::new(), |replay, company| company.answer_until(on, replay));
    let server = answers.start();
    let job = Job::new(server.url(), &SYMBOLS).on(day(on)).with(|o| {
        (o.quarters, o.prices_from, o.full) = (12, Some(day("2026-08-03")), true);
    });
    job.run_ok(home);
}

#[test]
fn corrections_classifications_and_withdrawals_are_reasons() {
    let home = Home::new();
    load(&home, BEFORE, SYMBOLS.map(Company::new));
    let path = home.stage().join(STAGE_KEY);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, CORRECTION).unwrap();
    let [correct, moves, gone, same] = SYMBOLS.map(Company::new);
    let moves = moves.industry(Some("Financial Services"), Some("Insurance - Life"));
    load(&home, TODAY, [correct, moves, gone.without("", (PERIOD, PERIOD)), same]);
    let diff = findata(&["diff", "--json", "--limit", "100000"]).home(&home).no_key().run().json();
    let changes = diff["changes"].as_array().unwrap();
    let reasons = |symbol: &str, table: &str, is_of: &dyn Fn(&Value) -> bool| {
        let of = changes.iter().filter(|c| c["symbol"] == symbol && c["table"] == table && is_of(c));
        let mut reasons: Vec<_> = of.map(|change| change["reason"].as_str().unwrap()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        reasons
    };
    let any = |_: &Value| true;
    let of_period = |change: &Value| change["date"] == PERIOD;
    assert_eq!(reasons("CORRECT", "fact_financials", &any), ["correction"]);
    assert_eq!(reasons("CORRECT", "fact_financials_ttm", &any), ["correction"]);
    let sales = |change: &Value| change["metric"] == "ps_ratio_ttm";
    assert_eq!(reasons("CORRECT", "fact_market_metrics", &sales), ["correction"]);
    let revenue = changes.iter().find(|c| c["symbol"] == "CORRECT" && c["metric"] == "revenue").unwrap();
    assert_eq!((revenue["old"].as_f64(), revenue["new"].as_f64()), (Some(2e8), Some(2.1e8)));
    // Figures that mean nothing for an insurer end.
    assert_eq!(reasons("MOVES", "fact_financial_ratios", &any), ["new classification"]);
    let ebitda = |change: &Value| change["metric"] == "ev_to_ebitda";
    assert_eq!(reasons("MOVES", "fact_market_metrics", &ebitda), ["new classification"]);
    assert_eq!(reasons("GONE", "fact_financials", &of_period), ["withdrawn"]);
    assert_eq!(reasons("GONE", "fact_financial_ratios", &of_period), ["withdrawn"]);
    assert!(reasons("SAME", "fact_financials", &any).is_empty());
    let summary = diff["summary"].as_array().unwrap();
    for reason in ["correction", "new classification", "withdrawn"] {
        let count = summary.iter().find(|count| count["reason"] == reason).unwrap();
        assert_eq!(count["companies"], 1, "{count}");
    }
}
