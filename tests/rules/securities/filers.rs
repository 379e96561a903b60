//! Companies that file under another CIK, and companies with several share classes.

use super::{Company, Home, Job, PRICE, TODAY, day, days, server};

#[test]
fn a_symbol_that_an_unrelated_company_takes_over_is_another_security() {
    let days = days();
    let note = "TAKEN is another company now (CIK 0000000033)";
    assert!(days.second.notes.iter().any(|n| n.starts_with(note)), "{:?}", days.second.notes);
    let (first, second) = (days.md5("TAKEN"), days.md5("TAKEN@2026-09-18"));
    assert_eq!(
        (days.keys("TAKEN"), days.keys("TAKEN^260918")),
        (vec![second.clone()], vec![first.clone()])
    );
    let revenue = |symbol| days.text("ttm_revenue::bigint", "fact_financials_ttm", symbol);
    assert_eq!(
        (revenue("TAKEN"), revenue("TAKEN^260918")),
        (vec!["2400000000".into()], vec!["800000000".into()])
    );
    // The statements of the new company are not restatements of the earlier one.
    assert_eq!(days.home.count("select count(*) from ops.restatements where symbol like 'TAKEN%'"), 0);
    let closes = |symbol| days.text("close_price::double", "fact_daily_prices", symbol);
    let close = |price: f64| vec![format!("{price:.1}")];
    assert_eq!((closes("TAKEN"), closes("TAKEN^260918")), (close(9.0 * PRICE), close(PRICE)));
    let multiples = |symbol| days.text("pe_ratio_ttm", "fact_market_metrics", symbol);
    assert_eq!((multiples("TAKEN"), multiples("TAKEN^260918")), (close(30.0), close(10.0)));
    let dimension = days.home.lines(
        "select symbol, company_key, cik, is_current, valid_from from analytics.dim_company where symbol like 'TAKEN%' \
         order by valid_from, symbol",
    );
    assert_eq!(
        dimension,
        [
            format!("TAKEN|{first}|0000000011|false|2026-09-16"),
            format!("TAKEN|{second}|0000000033|true|2026-09-18"),
            format!("TAKEN^260918|{first}|0000000011|true|2026-09-18"),
        ]
    );
}

#[test]
fn the_run_after_a_takeover_fetches_the_whole_history_of_the_new_company() {
    // Three symbols were taken over.
    assert_eq!(days().third.calls, 3 * 11);
    let first = "select min(price_date) from analytics.fact_daily_prices where symbol = 'TAKEN'";
    let other = first.replace("TAKEN", "PEER");
    assert_eq!(days().home.text(first), days().home.text(&other));
}

#[test]
fn a_new_filer_that_continues_prices_and_periods_is_the_same_security() {
    let days = days();
    // HOLDS repeats the statements of its predecessor, GROWS continues with the next quarter. JUMPS and FALLS
    // have other figures for the same periods, so they are unrelated whatever their price.
    let decisions = days.home.lines("select symbol, is_successor from ops.filer_changes order by symbol");
    assert_eq!(decisions, ["FALLS|false", "GROWS|true", "HOLDS|true", "JUMPS|false", "TAKEN|false"]);
    for (symbol, is_same) in [("HOLDS", true), ("GROWS", true), ("JUMPS", false), ("FALLS", false)] {
        assert_eq!(days.keys(symbol) == [days.md5(symbol)], is_same, "{symbol}");
    }
    assert_eq!(days.home.count("select count(*) from staging.profile where symbol like 'HOLDS^%'"), 0);
    let filers =
        "select cik, is_current from analytics.dim_company where symbol = 'HOLDS' order by valid_from";
    assert_eq!(days.home.lines(filers), ["0000000011|false", "0000000033|true"]);
}

#[test]
fn share_classes_of_one_company_have_one_filer() {
    let home = Home::new();
    let class = |symbol, cik| Company::new(symbol).cik(cik);
    let companies = [
        class("TWO-A", "0000000044"),
        class("TWO-B", "44"),
        class("ONE", "45"),
        Company::new("NOCIK"),
    ];
    let server = server(companies, &[]).start();
    Job::new(server.url(), &["TWO-A", "TWO-B", "ONE", "NOCIK"]).on(day(TODAY)).run_ok(&home);
    let keys = home.lines(
        "select symbol, count(*) over (partition by filer_key), filer_key is null from analytics.dim_company order by symbol",
    );
    assert_eq!(keys, ["NOCIK|1|true", "ONE|1|false", "TWO-A|2|false", "TWO-B|2|false"]);
    assert_eq!(home.count("select count(distinct company_key) from analytics.dim_company"), 4);
}
