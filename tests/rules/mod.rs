//! What figures mean in situations that are easy to get wrong: invented companies that are healthy except in one respect,
//! and healthy ones that look unusual.

mod banks;
mod company;
mod dividends;
mod explained;
mod fundamentals;
mod growth;
mod profiles;
mod questions;
mod ranks;
mod reasons;
mod receipts;
mod securities;
mod shares;
mod splits;

use std::sync::OnceLock;

use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Replay};

use company::{Company, TODAY, day};

/// One run of all companies; tests only read it.
fn home() -> &'static Home {
    static HOME: OnceLock<Home> = OnceLock::new();
    HOME.get_or_init(|| {
        let companies: Vec<Company> = [
            banks::companies(),
            dividends::companies(),
            fundamentals::companies(),
            growth::companies(),
            receipts::companies(),
            shares::companies(),
            splits::companies(),
        ]
        .into_iter()
        .flatten()
        .collect();
        let symbols: Vec<&str> = companies.iter().map(|c| c.symbol).collect();
        let replay = companies.into_iter().fold(Replay::new(), |replay, company| company.answer(replay));
        let (server, home) = (replay.start(), Home::new());
        let summary = Job::new(server.url(), &symbols)
            .on(day(TODAY))
            .with(|o| {
                (o.quarters, o.years, o.prices_from, o.reconcile) = (16, 5, Some(day("2024-06-03")), true);
            })
            .run_ok(&home);
        assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
        home
    })
}

/// A market metric of a session, or the reason why it is NULL.
fn market(symbol: &str, date: &str, metric: &str) -> Result<f64, String> {
    let of = format!("symbol = '{symbol}' and metric_date = '{date}'");
    let value = home().figure(&format!("select {metric} from analytics.fact_market_metrics where {of}"));
    value.ok_or_else(|| reason(symbol, "MARKET", date, metric))
}

/// The suspicions of a company: code and subject.
fn suspicions(symbol: &str) -> Vec<String> {
    home().lines(&format!(
        "select check_name, basis from ops.quality where symbol = '{symbol}' and status = 'flag' and reason = check_name \
         order by all"
    ))
}

/// Why the market metrics of a session are suspect; empty if they are not.
fn suspect(symbol: &str, date: &str) -> String {
    home().text(&format!(
        "select coalesce(suspect_reason, '') from analytics.fact_market_metrics where symbol = '{symbol}' \
         and metric_date = '{date}'"
    ))
}

/// The source of the share count of a session.
fn shares_source(symbol: &str, date: &str) -> String {
    home().text(&format!(
        "select shares_source from analytics.fact_market_metrics where symbol = '{symbol}' and metric_date = '{date}'"
    ))
}

/// A ratio of a period, or the reason why it is NULL.
fn ratio(symbol: &str, basis: &str, date: &str, metric: &str) -> Result<f64, String> {
    period("fact_financial_ratios", symbol, basis, date, metric)
}

/// A growth rate of a period, or the reason why it is NULL.
fn growth_rate(symbol: &str, basis: &str, date: &str, metric: &str) -> Result<f64, String> {
    period("fact_growth_rates", symbol, basis, date, metric)
}

fn period(table: &str, symbol: &str, basis: &str, date: &str, metric: &str) -> Result<f64, String> {
    let of = format!("symbol = '{symbol}' and basis = '{basis}' and fiscal_date = '{date}'");
    let value = home().figure(&format!("select {metric} from analytics.{table} where {of}"));
    value.ok_or_else(|| reason(symbol, basis, date, metric))
}

fn reason(symbol: &str, basis: &str, date: &str, metric: &str) -> String {
    let reasons = home().lines(&format!(
        "select reason from analytics.metric_nulls where symbol = '{symbol}' and basis = '{basis}' \
         and subject_date = '{date}' and metric = '{metric}'"
    ));
    reasons.join(",")
}

fn null(reason: &str) -> Result<f64, String> {
    Err(reason.to_owned())
}

#[track_caller]
fn near(found: Result<f64, String>, wanted: f64) {
    near_within(found, wanted, 1e-9);
}

/// As [`near`], for a figure from a share count of `shares`: counts are rounded to whole shares.
#[track_caller]
fn near_with_count(found: Result<f64, String>, wanted: f64, shares: f64) {
    near_within(found, wanted, 0.5 / shares);
}

#[track_caller]
fn near_within(found: Result<f64, String>, wanted: f64, tolerance: f64) {
    let value = found.unwrap_or_else(|reason| panic!("NULL ({reason}) instead of {wanted}"));
    assert!((value - wanted).abs() <= tolerance * wanted.abs().max(1.0), "{value} instead of {wanted}");
}
