//! Dividends of the last twelve months.

use serde_json::Value;

use super::{
    company::{Company, PRICE, TODAY, dividend},
    home, market, near,
};

const QUARTERLY: &str = "Quarterly";

/// Ex-dates that move by up to nine days from year to year.
const MOVING: [&str; 9] = [
    "2024-08-09",
    "2024-11-08",
    "2025-02-14",
    "2025-05-09",
    "2025-08-15",
    "2025-11-07",
    "2026-02-13",
    "2026-05-08",
    "2026-08-14",
];

fn each(dates: &[&str], amount: f64, frequency: &str) -> Vec<Value> {
    dates.iter().map(|date| dividend(date, amount, frequency)).collect()
}

pub(super) fn companies() -> Vec<Company> {
    let monthly: Vec<String> = (1..=12).map(|month| format!("2025-{month:02}-10")).collect();
    let monthly: Vec<&str> = monthly.iter().map(String::as_str).collect();
    let mut with_special = each(&MOVING[4..], 0.2, QUARTERLY);
    // The special dividend has the day and the amount of a regular one.
    with_special.insert(3, dividend("2026-02-13", 0.2, "Special"));
    with_special.insert(4, dividend("2026-02-13", 3.0, "Special"));
    let mut to_quarterly = each(&monthly, 0.1, "Monthly");
    to_quarterly.extend(each(&["2026-01-12", "2026-04-13", "2026-07-13"], 0.3, QUARTERLY));
    let mut half_yearly = each(&["2024-10-11", "2025-10-10"], 0.9, "");
    half_yearly.extend(each(&["2025-04-11", "2026-04-24"], 1.4, ""));
    half_yearly.push(dividend("2026-01-09", 9.0, ""));
    half_yearly.sort_by_key(|row| row["date"].as_str().unwrap().to_owned());
    vec![
        Company::new("MOVES").paying(each(&MOVING, 0.42, QUARTERLY)),
        Company::new("SPECIAL").paying(with_special),
        Company::new("SLOWER").paying(to_quarterly),
        Company::new("UNSAID").paying(half_yearly),
        Company::new("STOPPED").paying(each(&MOVING[1..5], 0.5, QUARTERLY)),
        Company::new("FIRST").paying(each(&MOVING[7..], 0.5, QUARTERLY)),
    ]
}

fn trailing(symbol: &str, date: &str) -> Result<f64, String> {
    market(symbol, date, "dividends_per_share_ttm")
}

#[test]
fn a_year_has_four_quarterly_payments_on_every_day() {
    let other = home().lines(
        "select metric_date, dividends_per_share_ttm from analytics.fact_market_metrics \
         where symbol = 'MOVES' and metric_date >= '2025-05-09' and abs(dividends_per_share_ttm - 1.68) > 1e-9",
    );
    assert!(other.is_empty(), "{other:?}");
    near(market("MOVES", TODAY, "dividend_yield"), 1.68 / PRICE);
}

#[test]
fn payments_on_one_day_all_count_and_special_ones_for_365_days() {
    // The payment of August 2025 left the year in August 2026; the special ones stay until February 2027.
    near(trailing("SPECIAL", "2026-02-12"), 0.4);
    near(trailing("SPECIAL", "2026-02-13"), 0.6 + 3.2);
    near(trailing("SPECIAL", TODAY), 0.8 + 3.2);
    let close = |date: &str| {
        let of = format!("symbol = 'SPECIAL' and price_date = '{date}'");
        home()
            .figure(&format!("select adj_close from analytics.fact_daily_prices where {of}"))
            .unwrap()
    };
    let factor = close("2026-02-12") / close("2026-02-13");
    assert!((factor - (1.0 - 3.4 / PRICE)).abs() < 1e-6, "{factor}");
}

#[test]
fn each_payment_covers_the_time_of_its_own_frequency() {
    // Twelve months of 0.1; then the newest quarterly payments and as many monthly ones as are left.
    near(trailing("SLOWER", "2026-01-09"), 1.2);
    near(trailing("SLOWER", "2026-01-12"), 0.3 + 0.9);
    near(trailing("SLOWER", "2026-04-13"), 0.6 + 0.6);
    near(trailing("SLOWER", TODAY), 0.9 + 0.3);
}

#[test]
fn a_frequency_that_fmp_does_not_send_follows_from_the_distances() {
    // From April 2025 to April 2026 there are 378 days, more than a window of 365 days.
    near(trailing("UNSAID", "2026-01-08"), 0.9 + 1.4);
    near(trailing("UNSAID", "2026-04-20"), 0.9 + 1.4 + 9.0);
    near(trailing("UNSAID", TODAY), 0.9 + 1.4 + 9.0);
}

#[test]
fn a_payer_that_stopped_has_the_dividends_of_the_last_365_days() {
    // The payment after August 2025 is overdue by half a quarter on 30 December.
    near(trailing("STOPPED", "2025-12-29"), 2.0);
    near(trailing("STOPPED", "2025-12-30"), 1.5);
    near(trailing("STOPPED", "2026-08-14"), 0.5);
    near(trailing("STOPPED", "2026-08-17"), 0.0);
}

#[test]
fn the_payments_of_a_new_payer_are_not_scaled_to_a_year() {
    near(trailing("FIRST", "2026-05-07"), 0.0);
    near(trailing("FIRST", TODAY), 1.0);
}
