//! What is spared is not missed: the figures are those of a run that asks about every symbol.

use findata_local::fmp_server::Plan;
use findata_shared::{fmp::FmpPlan, run::Status};
use findata_tests::Home;

use super::{job, run, server};

/// The odd companies are among them.
const SYMBOLS: usize = 48;

/// Figures that do not hang on bars with VWAP, which no quote tells.
const PRICES: &str = "select symbol, price_date, open_price, high_price, low_price, close_price, adj_close, volume from analytics.fact_daily_prices order by all";
const METRICS: &str = "select symbol, metric_date, round(close_price, 6), round(market_cap / 1e6, 3), round(pe_ratio_ttm, 6), round(dividend_yield, 9), fundamentals_as_of \
     from analytics.fact_market_metrics order by all";
const TTM: &str =
    "select symbol, fiscal_date, ttm_revenue, ttm_net_income, status from analytics.fact_financials_ttm order by all";

#[test]
fn figures_are_the_same_as_without_a_limit() {
    // In the season of results; on two days nothing runs.
    let season = &["2026-08-03", "2026-08-04", "2026-08-06", "2026-08-10"][..];
    // Longer than the feed of filings looks back.
    let gap = &["2026-06-30", "2026-08-10"][..];
    for (offered, days) in [(Plan::Premium, season), (Plan::Ultimate, gap)] {
        let plan = FmpPlan::Premium;
        let (spared, asked) = (Home::new(), Home::new());
        let (mut few, mut many) = (0, 0);
        for today in days {
            let server = server(SYMBOLS, today, offered);
            let job = job(&server, days[0]).on(super::day(today));
            let (summary, calls) = run(&job, &server, &spared, plan);
            assert_ne!(summary.status, Status::Failed);
            few += calls;
            many += run(&job, &server, &asked, FmpPlan::Unlimited).1;
        }
        println!("{plan} on {offered:?}: {few} calls for {many}");
        // After the gap all is asked by its age.
        assert!(few * 2 < many || days == gap, "{few} calls for {many}");
        for query in [TTM, PRICES, METRICS] {
            let (spared, asked) = (spared.lines(query), asked.lines(query));
            let other: Vec<_> = spared.iter().filter(|line| !asked.contains(line)).take(10).collect();
            let missing: Vec<_> = asked.iter().filter(|line| !spared.contains(line)).take(10).collect();
            assert!(other.is_empty() && missing.is_empty(), "{offered:?} {query}\n{other:#?}\n{missing:#?}");
        }
    }
}
