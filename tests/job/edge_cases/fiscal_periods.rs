//! Twelve-month windows over missing quarters, extra weeks, transition periods and half years.

use super::{home, windows};

#[test]
fn a_missing_quarter_leaves_windows_incomplete_until_it_drops_out() {
    assert_eq!(
        windows("MISSQ"),
        [
            "2024-06-30|incomplete|insufficient_history|1",
            "2024-09-30|incomplete|insufficient_history|2",
            "2024-12-31|incomplete|insufficient_history|3",
            "2025-03-31|ok|NULL|4",
            "2025-09-30|incomplete|missing_quarter|3",
            "2025-12-31|incomplete|missing_quarter|3",
            "2026-03-31|incomplete|missing_quarter|3",
            "2026-06-30|ok|NULL|4",
        ]
    );
    let filled = "select count(*) from analytics.fact_financials_ttm where status <> 'ok' and (ttm_revenue is not null or ttm_net_income is not null or ttm_eps_diluted is not null)";
    assert_eq!(home().count(filled), 0);
    let given = "select distinct reason from analytics.metric_nulls where symbol = 'MISSQ' and basis = 'TTM' and subject_date = '2025-12-31' and metric = 'net_margin'";
    assert_eq!(home().lines(given), ["missing_quarter"]);
}

#[test]
fn years_and_quarters_with_an_extra_week_are_complete() {
    for symbol in ["WEEKS", "TWELV"] {
        let windows = windows(symbol);
        let short = windows.iter().filter(|w| w.contains("insufficient_history")).count();
        assert!(short <= 3 && windows.len() == 8, "{windows:?}");
        assert!(windows.iter().skip(3).all(|w| w.ends_with("|ok|NULL|4")), "{windows:?}");
    }
}

#[test]
fn a_transition_period_is_never_treated_as_a_quarter() {
    // The periods that end on 31 December 2024 and 31 January 2025 are one month apart. That month
    // is not a quarter, so no window that contains it spans a year.
    let with_january = |w: &&String| ("2025-01-31".."2026-01-31").contains(&&w[..10]);
    let all = windows("FYCHG");
    let holding: Vec<_> = all.iter().filter(with_january).collect();
    assert!(holding.len() >= 4, "{all:?}");
    assert!(
        holding
            .iter()
            .all(|w| w.contains("|transition_period|") || w.contains("|insufficient_history|")),
        "{holding:?}"
    );
    assert!(
        all.iter().filter(|w| w.as_str() > "2026-01-31").all(|w| w.ends_with("|ok|NULL|4")),
        "{all:?}"
    );
}

#[test]
fn two_half_years_make_a_year_and_no_quarters_are_invented() {
    let windows = windows("SEMIA");
    assert!(
        windows.len() == 8 && windows.iter().skip(2).all(|w| w.ends_with("|ok|NULL|2")),
        "{windows:?}"
    );
    let labels = home().lines(
        "select distinct period_type from analytics.fact_financials where symbol = 'SEMIA' order by 1",
    );
    assert_eq!(labels, ["FY", "Q2", "Q4"]);
}

#[test]
fn twelve_months_up_to_a_year_end_equal_the_year() {
    let compared = "from analytics.fact_financials_ttm t join analytics.fact_financials f on f.symbol = t.symbol and f.fiscal_date = t.fiscal_date \
                    and f.period_type = 'FY' where t.status = 'ok'";
    assert!(home().count(&format!("select count(distinct t.symbol) {compared}")) > 35);
    for (ttm, year) in [
        ("ttm_revenue", "revenue"),
        ("ttm_net_income", "net_income"),
        ("ttm_operating_cash_flow", "operating_cash_flow"),
        ("latest_total_assets", "total_assets"),
    ] {
        // Amounts are equal to the last digit, also for the bank and for very large numbers.
        let off = home().lines(&format!(
            "select t.symbol, t.fiscal_date, t.{ttm}, f.{year} {compared} and t.{ttm} is distinct from f.{year} limit 5"
        ));
        assert!(off.is_empty(), "{ttm}: {off:?}");
    }
}
