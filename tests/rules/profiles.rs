//! Sector, industry and currency are those known on each day.

use findata_tests::{Home, Job, Replay};

use super::company::{Company, TODAY, day};

const CHANGE: &str = "2026-09-15";
const BEFORE: &str = "2026-09-10";
const BROKER: &str = "Insurance - Brokers";
const INSURER: &str = "Insurance - Life";

/// Loads a company with this industry and currency as of a day.
fn load(home: &Home, on: &str, industry: &str, currency: &str, datasets: &[&str]) {
    let mut company = Company::new("CHANGES").industry(Some("Financial Services"), Some(industry));
    company.profile["currency"] = currency.into();
    let server = company.answer_until(on, Replay::new()).start();
    let job = Job::new(server.url(), &["CHANGES"]).on(day(on)).with(|o| {
        (o.quarters, o.prices_from) = (12, Some(day("2026-08-03")));
        (o.datasets, o.full) = (datasets.iter().map(ToString::to_string).collect(), true);
    });
    job.run_ok(home);
}

/// Every table of figures, without the columns of the run.
fn figures(home: &Home) -> Vec<Vec<String>> {
    let tables = [
        "fact_financials_history",
        "fact_financials_ttm_history",
        "fact_financial_ratios_history",
        "fact_growth_rates_history",
        "fact_market_metrics_history",
    ];
    let rows = |table: &str| {
        home.lines(&format!(
            "select columns(c -> c not in ('run_id', 'computed_at')) from analytics.{table} order by all"
        ))
    };
    tables.into_iter().map(rows).collect()
}

fn range(home: &Home, condition: &str) -> String {
    home.text(&format!(
        "select min(metric_date) || ' ' || max(metric_date) from analytics.fact_market_metrics where {condition}"
    ))
}

#[test]
fn a_company_that_becomes_a_bank_loses_figures_from_that_day_on_only() {
    let home = Home::new();
    load(&home, BEFORE, BROKER, "USD", &[]);
    let current = "select current_ratio from analytics.fact_financial_ratios where basis = 'TTM' and fiscal_date = '2026-06-30'";
    assert_eq!(home.text(current), "2.0");
    let before = home.lines(
        "select * exclude (run_id, computed_at) from analytics.fact_market_metrics order by metric_date",
    );
    load(&home, CHANGE, INSURER, "USD", &["profile", "prices"]);
    load(&home, TODAY, INSURER, "USD", &["profile", "prices"]);
    assert_eq!(range(&home, "ev_to_ebitda is not null"), "2026-08-03 2026-09-14");
    assert_eq!(
        range(&home, "null_reasons like '%|ev_to_ebitda=not_meaningful_for_sector|%'"),
        format!("{CHANGE} {TODAY}")
    );
    // The day of the first run used the share count of the profile, the days after it do not.
    let unchanged = home.lines(&format!(
        "select * exclude (run_id, computed_at) from analytics.fact_market_metrics where metric_date < '{BEFORE}' order by metric_date"
    ));
    assert_eq!(unchanged, before[..before.len() - 1]);
    // A ratio of a period is that of the newest profile. Earlier reads find the earlier version.
    assert_eq!(home.text(current), "NULL");
    assert_eq!(home.lines_as_of(day("2026-09-14"), current), ["2.0"]);
    assert_eq!(home.lines_as_of(day(CHANGE), current), ["NULL"]);
    let versions = "select current_ratio, known_from < '2026-09-15', known_to from analytics.fact_financial_ratios_history \
                    where basis = 'TTM' and fiscal_date = '2026-06-30' order by known_from";
    assert_eq!(home.lines(versions), ["2.0|true|2026-09-15 23:00:00", "NULL|false|NULL"]);
    // Recomputing everything changes nothing, whether day by day or at once.
    let daily = figures(&home);
    load(&home, TODAY, INSURER, "USD", &["profile", "dividends", "splits"]);
    assert_eq!(figures(&home), daily);
    let forget = "delete from ops.models";
    duckdb::Connection::open(home.warehouse()).unwrap().execute_batch(forget).unwrap();
    load(&home, TODAY, INSURER, "USD", &["profile"]);
    assert_eq!(figures(&home), daily);
}

#[test]
fn another_currency_ends_multiples_from_that_day_on_only() {
    let home = Home::new();
    load(&home, BEFORE, BROKER, "USD", &[]);
    load(&home, CHANGE, BROKER, "GBp", &["profile", "prices"]);
    load(&home, TODAY, BROKER, "USD", &["profile", "prices"]);
    assert_eq!(
        range(&home, "null_reasons like '%|pe_ratio_ttm=currency_mismatch|%'"),
        format!("{CHANGE} 2026-09-17")
    );
    assert_eq!(
        home.text("select pe_ratio_ttm from analytics.fact_market_metrics where metric_date = '2026-09-18'"),
        "10.0"
    );
    // Days before the first profile use it, and say so.
    assert_eq!(range(&home, "profile_reconstructed"), "2026-08-03 2026-09-09");
    assert_eq!(range(&home, "not profile_reconstructed"), format!("{BEFORE} {TODAY}"));
    let known = "select currency, changed_at::date from staging.profile_changes order by changed_at";
    assert_eq!(home.lines(known), ["USD|2026-09-15", "GBp|2026-09-18"]);
}
