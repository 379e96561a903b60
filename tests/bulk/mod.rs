//! Runs that fetch FMP's bulk files: they fill the same tables with a fraction of the calls.

mod faults;
mod recorded;
mod stream;
mod too_many_rows;

use findata_fmp::{FmpPlan, SourceKind};
use findata_fmp_simulator::{Options as World, Plan};
use findata_pipeline::{
    ledger,
    run::{Options, Status},
    summary::Summary,
};
use findata_tests::{Home, Job, Simulator, today};

/// The number of companies, large enough to include all edge-case companies.
const SYMBOLS: usize = 60;
/// Companies whose simulated bulk rows differ from their per-symbol responses. The simulator
/// changes rows of these responses only: the second, the oldest, a duplicate of the newest, and
/// impossible bars.
const DIFFERENT_IN_BULK: [&str; 4] = ["NULLS", "TEXTS", "TWICE", "BADPX"];
/// Columns that are in no bulk file.
const ABSENT: [&str; 3] = ["vwap", "change_amount", "change_percent"];
/// Datasets with bulk files.
const DATASETS: [&str; 5] = ["profile", "prices", "income_statement", "balance_sheet", "cash_flow"];

fn by_bulk(options: &mut Options) {
    options.plan_limits = FmpPlan::Ultimate.plan_limits(SourceKind::Other);
}

fn only(options: &mut Options, datasets: &[&str]) {
    by_bulk(options);
    options.datasets = datasets.iter().map(ToString::to_string).collect();
    options.skip_analytics = true;
}

/// A run of the companies whose data is the same in bulk files and in per-symbol responses.
fn job(server: &Simulator) -> Job {
    let symbols = server.symbols();
    let symbols: Vec<&str> =
        symbols.iter().map(String::as_str).filter(|s| !DIFFERENT_IN_BULK.contains(s)).collect();
    Job::new(server.url(), &symbols)
}

/// The number of calls to bulk endpoints so far.
fn bulk_calls(server: &Simulator) -> u64 {
    server
        .calls_by_endpoint()
        .iter()
        .filter(|(endpoint, _)| endpoint.ends_with("-bulk"))
        .map(|(_, calls)| calls)
        .sum()
}

fn assert_counted(server: &Simulator, home: &Home, summary: &Summary) {
    assert_eq!(summary.calls, server.calls(), "{:?}", server.calls_by_endpoint());
    // The tasks do not include the calls made during planning.
    let plan = std::fs::read(home.stage().join(ledger::plan_key(&summary.run_id))).unwrap();
    let planning = serde_json::from_slice::<findata_pipeline::plan::Plan>(&plan).unwrap().planning_calls;
    assert_eq!(home.count("select sum(calls) from ops.tasks") as u64 + planning, summary.calls);
}

#[test]
fn a_first_load_from_bulk_files_gives_the_same_tables_as_per_symbol_calls() {
    let (server, each, bulk) = (Simulator::with_symbols(SYMBOLS), Home::new(), Home::new());
    let by_symbol = job(&server).run_ok(&each);
    let calls = server.calls();
    let by_bulk = job(&server).with(by_bulk).run_ok(&bulk);
    assert_eq!(
        (by_symbol.status, by_bulk.status),
        (Status::Complete, Status::Complete),
        "{:?}",
        by_bulk.failures
    );
    assert_eq!(by_bulk.calls, server.calls() - calls);
    let differences = bulk.differences_except(&each, &ABSENT);
    assert!(differences.is_empty(), "{differences:?}");
    let absent = "select count(*) from analytics.fact_daily_prices where coalesce(vwap, change_amount, change_percent) is not null and symbol <> '^GSPC'";
    assert_eq!(bulk.count(absent), 0);
    assert!(
        each.count(absent) > 0 && by_bulk.calls < by_symbol.calls / 2,
        "{} {}",
        by_bulk.calls,
        by_symbol.calls
    );
    // A second run makes no calls.
    let before = server.calls();
    let again = job(&server).with(self::by_bulk).run_ok(&bulk);
    assert_eq!((again.status, again.calls, server.calls()), (Status::Complete, 0, before));
}

#[test]
fn a_first_load_of_505_companies_takes_at_most_0_3_calls_per_company() {
    let (server, home) = (Simulator::with_symbols(505), Home::new());
    let summary = job(&server).with(|options| only(options, &DATASETS)).run_ok(&home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    assert_counted(&server, &home, &summary);
    let per_symbol = server.calls() as f64 / summary.symbols as f64;
    assert!(per_symbol <= 0.3, "{per_symbol} {:?}", server.calls_by_endpoint());
    // The other calls fetch the index, the share count of a company without market cap, and the
    // statements of companies with fewer reports than requested.
    assert!(server.calls() - bulk_calls(&server) < 30, "{:?}", server.calls_by_endpoint());
    assert_eq!(home.count("select count(distinct symbol) from staging.profile"), summary.symbols as i64);
}

#[test]
fn a_day_without_a_bulk_file_has_no_bars() {
    // The server is one day behind the run's clock.
    let yesterday = World {
        symbols: SYMBOLS,
        today: today() - chrono::Days::new(1),
        ..World::default()
    };
    let (server, home) = (Simulator::start(yesterday), Home::new());
    let mut job = job(&server).with(|options| only(options, &["prices"]));
    job.symbols.retain(|symbol| symbol != "DELIS");
    let summary = job.run_ok(&home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    assert_counted(&server, &home, &summary);
    assert_eq!(home.text("select max(price_date)::date::varchar from staging.prices"), "2026-09-17");
    // The next run fetches the missing bar, because FMP has it by then.
    let next = Simulator::with_symbols(SYMBOLS);
    let later = Job { url: next.url(), ..job }.on(today() + chrono::Days::new(1)).run_ok(&home);
    assert!(later.status == Status::Complete && next.calls() < 10, "{:?}", next.calls_by_endpoint());
    assert_eq!(home.text("select max(price_date)::date::varchar from staging.prices"), "2026-09-18");
}

#[test]
fn without_bulk_files_in_the_plan_runs_fetch_per_symbol_and_do_not_try_again() {
    let premium = World {
        symbols: SYMBOLS,
        today: today(),
        plan: Plan::Premium,
        ..World::default()
    };
    let (server, home, each) = (Simulator::start(premium), Home::new(), Home::new());
    let summary = job(&server).with(by_bulk).run_ok(&home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    assert_counted(&server, &home, &summary);
    assert_eq!(bulk_calls(&server), DATASETS.len() as u64);
    job(&server).run_ok(&each);
    let differences = home.differences(&each);
    assert!(differences.is_empty(), "{differences:?}");
    let again = job(&server).with(|options| (by_bulk(options), options.full = true).1).run_ok(&home);
    assert_eq!((again.status, bulk_calls(&server)), (Status::Complete, DATASETS.len() as u64));
}
