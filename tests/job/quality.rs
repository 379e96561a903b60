//! Quality checks of all edge-case companies, and the comparison of our figures with FMP's ratios
//! and metrics.

use std::{collections::BTreeMap, sync::OnceLock};

use chrono::Days;
use findata_domain::catalog::{CATALOG, Freshness};
use findata_fmp_simulator::Options;
use findata_pipeline::{run::Status, summary::Summary};
use findata_tests::{Home, Job, Replay, Simulator, today};
use serde_json::Value;

use super::{DAYS, SYMBOLS, first_run, job};

/// The first run, followed by a run that fetches FMP's own figures.
fn reconciled() -> &'static (Home, Summary) {
    static RECONCILED: OnceLock<(Home, Summary)> = OnceLock::new();
    RECONCILED.get_or_init(|| {
        let (server, home) = (Simulator::with_symbols(SYMBOLS), Home::copy_of(&first_run().home));
        let summary = job(&server).with(|o| o.reconcile = true).run_ok(&home);
        (home, summary)
    })
}

/// The results of a check: status, reason and number of rows.
fn statuses(home: &Home, symbol: &str, check: &str) -> Vec<String> {
    home.lines(&format!(
        "select status, reason, count(*) from ops.quality where symbol = '{symbol}' and check_name = '{check}' group by all order by all"
    ))
}

#[test]
fn every_reporting_company_satisfies_every_identity() {
    let home = &first_run().home;
    assert_eq!(
        home.count("select count(*) from ops.quality where status = 'flag' or check_name like 'fmp_%'"),
        0
    );
    let scores =
        "select count(*), min(ours), max(ours), min(theirs) > 20 from ops.quality where check_name = 'score'";
    // The fund has no statements, so it has no score.
    assert_eq!(home.lines(scores), [format!("{}|1.0|1.0|false", SYMBOLS - 1)]);
    let few = "select symbol from ops.quality where check_name = 'score' and theirs <= 20";
    assert_eq!(home.lines(few), ["IPOED"]);
    let key =
        "select count(*) - count(distinct (company_key, check_name, basis, fiscal_date)) from ops.quality";
    assert_eq!(home.count(key), 0);
    let quality = &first_run().summary.quality;
    assert_eq!((quality.companies, quality.flagged, quality.lowest.len()), (SYMBOLS as u64 - 1, 0, 0));
}

#[test]
fn unusual_fiscal_years_are_checked_where_possible() {
    let home = &first_run().home;
    assert!(statuses(home, "MISSQ", "cash_continuity").contains(&"not_checked|missing_quarter|1".into()));
    assert!(statuses(home, "MISSQ", "quarters_revenue").contains(&"not_checked|missing_quarter|1".into()));
    assert!(statuses(home, "FYCHG", "cash_continuity").iter().any(|s| s.contains("transition_period")));
    assert!(statuses(home, "CURCH", "cash_continuity").iter().any(|s| s.contains("currency_change")));
    for symbol in ["SEMIA", "TWELV", "WEEKS"] {
        let sums = statuses(home, symbol, "quarters_net_income");
        assert!(sums.iter().any(|s| s.starts_with("pass")), "{symbol}: {sums:?}");
        assert!(statuses(home, symbol, "ttm_revenue").iter().any(|s| s.starts_with("pass")), "{symbol}");
    }
}

#[test]
fn fetching_fmps_figures_recomputes_quality_and_no_prices() {
    let (home, summary) = reconciled();
    assert_eq!((summary.status, summary.calls), (Status::Complete, SYMBOLS as u64 * 2));
    for (table, counts) in summary.analytics.iter().filter(|(name, _)| *name != "quality") {
        assert_eq!((counts.written, counts.removed), (0, 0), "{table}");
    }
    assert!(summary.analytics["quality"].written > 2_000, "{:?}", summary.analytics["quality"]);
    assert_eq!(home.count("select count(*) from ops.changes"), 0);
    let server = Simulator::with_symbols(SYMBOLS);
    let (again, copy) = (job(&server).with(|o| o.reconcile = true), Home::copy_of(home));
    let second = again.run_ok(&copy);
    assert_eq!((second.calls, server.calls(), copy.content() == home.content()), (0, 0, true));
    assert_eq!(job(&server).run_ok(&copy).calls, 0, "a run without --reconcile");
}

#[test]
fn our_figures_equal_fmps_except_where_fmp_mixes_bases() {
    let (home, summary) = reconciled();
    // FMP treats half years as quarters in averages, converts with an exchange rate after a change
    // of currency, and divides a price after a split by share counts from before the split.
    let flagged = "select check_name from ops.quality where status = 'flag' and symbol ";
    assert_eq!(home.lines(&format!("{flagged} = 'CURCH'")), ["fmp_earnings_yield"]);
    assert_eq!(home.lines(&format!("{flagged} = 'SEMIA'")), ["fmp_roe"]);
    let by_share = ["per_share", "graham", "_pe_", "_pb_", "_p_to_", "earnings_yield"];
    let of_split = home.lines(&format!("{flagged} = 'SPLIT'"));
    assert!(
        of_split.iter().all(|check| by_share.iter().any(|part| check.contains(part))),
        "{of_split:?}"
    );
    assert_eq!(home.lines(&format!("{flagged} not in ('CURCH', 'SEMIA', 'SPLIT')")), Vec::<String>::new());
    let quality = &summary.quality;
    assert_eq!((quality.flagged, quality.flagged_companies), (of_split.len() as u64 + 2, 3));
    let lowest: Vec<&str> = quality.lowest.iter().map(|s| s.symbol.as_str()).collect();
    assert_eq!(lowest[0], "SPLIT", "{lowest:?}");
    let compared = "select count(distinct check_name), count(distinct symbol) from ops.quality where check_name like 'fmp_%' and status = 'pass'";
    let companies = home.count("select count(distinct symbol) from staging.ratios_ttm");
    assert_eq!(home.lines(compared), [format!("{}|{companies}", paired())]);
    for (symbol, check, reason) in [
        ("JPM", "fmp_current_ratio", "not_meaningful_for_sector"),
        ("NEGEQ", "fmp_debt_to_equity", "negative_equity"),
        ("ZEROR", "fmp_pe_ratio_ttm", "negative_earnings"),
        ("EURRP", "fmp_ps_ratio_ttm", "currency_mismatch"),
        ("STALE", "fmp_fcf_yield", "stale_fundamentals"),
    ] {
        assert_eq!(statuses(home, symbol, check), [format!("not_checked|{reason}|1")], "{symbol} {check}");
    }
}

/// The number of FMP figures that the catalog reads from the two responses. Each is compared with
/// one of ours.
fn paired() -> usize {
    let both = CATALOG.iter().filter(|d| matches!(d.freshness, Freshness::Rotating { .. }));
    both.map(|d| d.columns.len() - 1).sum()
}

/// FMP's two responses for a company as stored, with `change` applied to every figure.
fn changed(symbol: &str, change: impl Fn(&str, f64) -> Value) -> Replay {
    let mut replay = Replay::new();
    for (table, endpoint) in [("ratios_ttm", "ratios-ttm"), ("key_metrics_ttm", "key-metrics-ttm")] {
        let payload =
            reconciled().0.text(&format!("select payload from raw.{table} where symbol = '{symbol}'"));
        let mut row: BTreeMap<String, Value> = serde_json::from_str(&payload).unwrap();
        for (field, value) in &mut row {
            if let Some(figure) = value.as_f64() {
                *value = change(field, figure);
            }
        }
        replay = replay.answer(endpoint, symbol, "", serde_json::to_string(&vec![row]).unwrap());
    }
    replay
}

/// Fetches these responses for AAPL. Returns the names of its checks by reason, or by status if
/// there is no reason.
fn checks_against(replay: Replay) -> BTreeMap<String, Vec<String>> {
    let (server, home) = (replay.start(), Home::copy_of(&reconciled().0));
    let datasets = ["ratios_ttm", "key_metrics_ttm"].map(String::from).to_vec();
    let summary = Job::new(server.url(), &["AAPL"])
        .with(|o| (o.datasets, o.full) = (datasets, true))
        .run_ok(&home);
    assert_eq!(summary.calls, 2);
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in home.rows("select coalesce(reason, status), check_name from ops.quality where symbol = 'AAPL' and check_name like 'fmp_%' order by all") {
        if let [Some(status), Some(check)] = row.as_slice() {
            found.entry(status.clone()).or_default().push(check.clone());
        }
    }
    found
}

#[test]
fn every_pair_is_flagged_if_fmps_figure_differs() {
    // Every figure is off by one percent. Price to book changes in the opposite direction, so the
    // price implied by two of the figures stays the same.
    let off = checks_against(changed("AAPL", |field, figure| {
        (if field == "priceToBookRatioTTM" {
            figure / 1.01
        } else {
            figure * 1.01
        })
        .into()
    }));
    let comparable = "select count(*) from ops.quality where symbol = 'AAPL' and check_name like 'fmp_%' and status = 'pass' and theirs <> 0";
    let comparable = reconciled().0.count(comparable) as usize;
    assert!(comparable > 85, "{comparable}");
    assert_eq!(off["flag"].len(), comparable, "{off:?}");
    assert_eq!(off.values().map(Vec::len).sum::<usize>(), paired());
    // A difference of 0.4 % is not flagged.
    let near = checks_against(changed("AAPL", |field, figure| {
        (if field == "priceToBookRatioTTM" {
            figure / 1.004
        } else {
            figure * 1.004
        })
        .into()
    }));
    assert!(!near.contains_key("flag"), "{near:?}");
}

#[test]
fn fmps_figures_for_another_price_and_missing_ones_are_not_compared() {
    let other_price = checks_against(changed("AAPL", |field, figure| {
        (if field == "priceToBookRatioTTM" { figure * 1.02 } else { figure }).into()
    }));
    let priced = other_price["other_price"].clone();
    for check in [
        "fmp_market_cap",
        "fmp_pb_ratio",
        "fmp_fcf_yield",
        "fmp_ev_to_ebitda_fmp",
        "fmp_dividend_yield",
    ] {
        assert!(priced.contains(&check.to_owned()), "{check}: {priced:?}");
    }
    assert!(
        !priced.contains(&"fmp_gross_margin".into())
            && !priced.contains(&"fmp_dividends_per_share_ttm".into())
    );
    let absent = checks_against(changed("AAPL", |field, figure| match field {
        "grossProfitMarginTTM" => Value::Null,
        "netProfitMarginTTM" => 0.into(),
        _ => figure.into(),
    }));
    assert_eq!(absent["fmp_missing"], ["fmp_gross_margin"]);
    assert_eq!(absent["fmp_not_reported"], ["fmp_net_margin"]);
}

#[test]
fn fmps_figures_older_than_our_newest_statement_are_not_compared() {
    let home = Home::copy_of(&reconciled().0);
    let later = today() + Days::new(3);
    let server = Simulator::start(Options {
        symbols: SYMBOLS,
        today: later,
        revision: 1,
        ..Options::default()
    });
    let mut job = Job::new(server.url(), &["FRESH", "AAPL"]).days(DAYS).on(later);
    job.options.prices_from = Some(today());
    job.run_ok(&home);
    let older = "select distinct reason from ops.quality where symbol = 'FRESH' and check_name like 'fmp_%' and ours is not null";
    assert_eq!(home.lines(older), ["fmp_older_than_ours"]);
    // AAPL has no new statements. Its figures are compared as of the day of FMP's figures, with
    // that day's share count.
    assert_eq!(statuses(&home, "AAPL", "fmp_gross_margin"), ["pass|NULL|1"]);
    assert_eq!(statuses(&home, "AAPL", "fmp_pb_ratio"), ["pass|NULL|1"]);
    assert_eq!(statuses(&home, "AAPL", "fmp_market_cap"), ["pass|NULL|1"]);
    let day = "select distinct fiscal_date from ops.quality where symbol = 'AAPL' and basis = 'MARKET'";
    assert_eq!(home.text(day), today().to_string());
}
