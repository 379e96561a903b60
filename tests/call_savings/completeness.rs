//! Runs that save calls lose no data: their figures equal those of runs that query every symbol.

use findata_fmp::FmpPlan;
use findata_fmp_simulator::Plan;
use findata_pipeline::run::Status;
use findata_tests::Home;

use super::{job, run, server};

/// The number of companies, large enough to include the edge-case companies.
const SYMBOLS: usize = 48;

/// Price columns without VWAP, which quotes do not have.
const PRICES: &str = "select symbol, price_date, open_price, high_price, low_price, close_price, adj_close, volume from analytics.fact_daily_prices order by all";
const METRICS: &str = "select symbol, metric_date, round(close_price, 6), round(market_cap / 1e6, 3), round(pe_ratio_ttm, 6), round(dividend_yield, 9), fundamentals_as_of \
     from analytics.fact_market_metrics order by all";
const TTM: &str = "select symbol, fiscal_date, ttm_revenue, ttm_net_income, status from analytics.fact_financials_ttm order by all";

#[test]
#[ignore = "slow; ./dev test --long runs it"]
fn saving_calls_gives_the_same_figures_as_fetching_everything() {
    // Four days of the earnings season. The gaps between them contain trading days without a run.
    let season = &["2026-08-03", "2026-08-04", "2026-08-06", "2026-08-10"][..];
    // Two days that are further apart than the period that the filings feed covers.
    let gap = &["2026-06-30", "2026-08-10"][..];
    for (offered, days) in [(Plan::Premium, season), (Plan::Ultimate, gap)] {
        let plan = FmpPlan::Premium;
        let (saving, fetching_all) = (Home::new(), Home::new());
        let (mut few, mut many) = (0, 0);
        for today in days {
            let server = server(SYMBOLS, today, offered);
            let job = job(&server, days[0]).on(super::day(today));
            let (summary, calls) = run(&job, &server, &saving, plan);
            assert_ne!(summary.status, Status::Failed);
            few += calls;
            many += run(&job, &server, &fetching_all, FmpPlan::Unlimited).1;
        }
        println!("{plan} on {offered:?}: {few} calls instead of {many}");
        // After the long gap most datasets are stale and are refetched, so there is little to save.
        assert!(few * 2 < many || days == gap, "{few} calls instead of {many}");
        for query in [TTM, PRICES, METRICS] {
            let (saving, fetching_all) = (saving.lines(query), fetching_all.lines(query));
            let unexpected: Vec<_> =
                saving.iter().filter(|line| !fetching_all.contains(line)).take(10).collect();
            let missing: Vec<_> =
                fetching_all.iter().filter(|line| !saving.contains(line)).take(10).collect();
            assert!(
                unexpected.is_empty() && missing.is_empty(),
                "{offered:?} {query}\n{unexpected:#?}\n{missing:#?}"
            );
        }
    }
}
