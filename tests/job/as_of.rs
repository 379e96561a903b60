//! Point-in-time reads: a past day reads as it was known on that day.

use std::sync::OnceLock;

use chrono::{Days, NaiveDate};
use findata_fmp_simulator::Options;
use findata_tests::{Home, Job, Simulator};

/// Companies that restate or report on one of the days, and some edge cases.
const COMPANIES: [&str; 16] = [
    "AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "WMT", "XOM", "JNJ", "KO", "RESTA", "FRESH", "SEMIA",
    "FYCHG", "MISSQ", "JPM",
];
const SYMBOLS: usize = 41;
/// Versioned tables, and the columns that identify a row.
const VERSIONED: [(&str, &str); 5] = [
    ("fact_financials", "symbol, fiscal_date, period_type"),
    ("fact_financials_ttm", "symbol, fiscal_date"),
    ("fact_financial_ratios", "symbol, fiscal_date, basis"),
    ("fact_growth_rates", "symbol, fiscal_date, basis"),
    ("fact_market_metrics", "symbol, metric_date"),
];

fn day(n: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 9, 15).unwrap() + Days::new(n)
}

/// FMP on day `n`: every day some companies restate a quarter or report a new one.
fn world(n: u64) -> Simulator {
    let anchor = NaiveDate::from_ymd_opt(2026, 9, 1);
    let revision = u32::try_from(n).unwrap();
    Simulator::start(Options {
        symbols: SYMBOLS,
        today: day(n),
        anchor,
        revision,
        ..Options::default()
    })
}

fn job(n: u64, server: &Simulator) -> Job {
    Job::new(server.url(), &COMPANIES)
        .on(day(n))
        .with(|o| (o.prices_from, o.full) = (NaiveDate::from_ymd_opt(2026, 3, 2), true))
}

const LAST: u64 = 3;

struct DailyRuns {
    /// The home after each day.
    homes: Vec<Home>,
    /// A home that loaded the same responses every day, but computed figures only on the last day.
    computed_once: Home,
}

impl DailyRuns {
    fn last(&self) -> &Home {
        self.homes.last().unwrap()
    }
}

fn daily_runs() -> &'static DailyRuns {
    static DAILY_RUNS: OnceLock<DailyRuns> = OnceLock::new();
    DAILY_RUNS.get_or_init(|| {
        let (mut homes, computed_once) = (Vec::<Home>::new(), Home::new());
        for n in 0..=LAST {
            let server = world(n);
            let home = homes.last().map_or_else(Home::new, Home::copy_of);
            job(n, &server).run_ok(&home);
            homes.push(home);
            job(n, &server).with(|o| o.skip_analytics = n < LAST).run_ok(&computed_once);
        }
        DailyRuns { homes, computed_once }
    })
}

/// A query for all columns of a table except run metadata.
fn rows_of(table: &str, condition: &str) -> String {
    format!(
        "select columns(c -> c not in ('run_id', 'computed_at')) from analytics.{table} {condition} order by all"
    )
}

/// The first row that is only in `mine`, and the first that is only in `theirs`; `None` if both are
/// equal.
fn difference(mine: &[String], theirs: &[String]) -> Option<(String, String)> {
    let only =
        |a: &[String], b: &[String]| a.iter().find(|row| !b.contains(row)).cloned().unwrap_or_default();
    (mine != theirs).then(|| (only(mine, theirs), only(theirs, mine)))
}

#[test]
fn a_past_day_reads_as_it_was_then() {
    for n in 0..LAST {
        let then = &daily_runs().homes[usize::try_from(n).unwrap()];
        for (table, _) in VERSIONED {
            // The newest session is left out: its metrics use the profile's share count while it is
            // the newest, and the statements' count later.
            let condition = match table {
                "fact_market_metrics" => {
                    format!("where metric_date < date '{}' and symbol <> 'SPLIT'", day(n))
                }
                _ => String::new(),
            };
            let query = rows_of(table, &condition);
            let (now, was) = (daily_runs().last().lines_as_of(day(n), &query), then.lines(&query));
            assert!(!was.is_empty(), "{table}");
            let other = difference(&now, &was);
            assert!(other.is_none(), "{table} as of {}: {other:#?}", day(n));
        }
    }
}

#[test]
fn as_of_today_equals_the_current_tables() {
    for (table, _) in VERSIONED {
        let query = rows_of(table, "");
        let other = difference(
            &daily_runs().last().lines_as_of(day(LAST), &query),
            &daily_runs().last().lines(&query),
        );
        assert!(other.is_none(), "{table}: {other:#?}");
    }
}

#[test]
fn computing_once_gives_the_same_versions_as_computing_daily() {
    let DailyRuns { computed_once, .. } = daily_runs();
    let differences = daily_runs().last().differences(computed_once);
    assert!(differences.is_empty(), "{differences:?}");
    for (table, _) in VERSIONED {
        let query = rows_of(&format!("{table}_history"), "");
        let other = difference(&daily_runs().last().lines(&query), &computed_once.lines(&query));
        assert!(other.is_none(), "{table}: {other:#?}");
    }
}

#[test]
fn versions_of_a_row_have_no_gaps_and_exactly_one_is_current() {
    for (table, key) in VERSIONED {
        let broken = format!(
            "select * from (select {key}, known_from, known_to, lead(known_from) over w as next_from, count(*) over (partition by {key}) as n \
             from analytics.{table}_history window w as (partition by {key} order by known_from)) \
             where known_from is null or known_to <= known_from or (next_from is not null and known_to is distinct from next_from) \
             or (next_from is null and known_to is not null)"
        );
        assert_eq!(daily_runs().last().lines(&broken), Vec::<String>::new(), "{table}");
        let several = format!("select count(*) from analytics.{table}_history where known_to is not null");
        assert!(daily_runs().last().count(&several) > 0, "no row of {table} has an older version");
    }
}

#[test]
fn a_restated_quarter_changes_only_figures_that_contain_it() {
    let home = daily_runs().last();
    let versions = "select fiscal_date, period_type from analytics.fact_financials_history where symbol = 'RESTA' and known_to is not null order by all";
    let restated = home.lines(versions);
    assert_eq!(restated.len(), 2, "the quarter and its year: {restated:?}");
    let quarter = restated[0].split('|').next().unwrap();
    let newest = home.text("select max(fiscal_date) from analytics.fact_financials where symbol = 'RESTA'");
    assert!(newest.as_str() > quarter, "{newest} {quarter}");
    let touched = |table: &str| {
        home.lines(&format!(
            "select distinct fiscal_date from analytics.{table}_history where symbol = 'RESTA' and known_to is not null order by all"
        ))
    };
    // At most four twelve-month windows contain the quarter. No earlier window changes.
    let windows = touched("fact_financials_ttm");
    assert!(windows.len() == 4 && windows[0] == quarter, "{windows:?} {quarter}");
    assert!(touched("fact_financial_ratios").iter().all(|d| d.as_str() >= quarter));
    assert!(touched("fact_growth_rates").iter().all(|d| d.as_str() >= quarter));
    // The restated period does not become the newest known period.
    let latest = "select max(fundamentals_as_of) from analytics.fact_market_metrics where symbol = 'RESTA' and metric_date >= date '2026-09-10'";
    assert!(home.text(latest).as_str() > quarter);
}

#[test]
fn new_statements_change_no_past_day_and_restatements_add_versions() {
    let (first, last) = (&daily_runs().homes[0], daily_runs().last());
    // FRESH reported a new quarter on the second day and restated nothing.
    let past = "select columns(c -> c not in ('run_id', 'computed_at')) from analytics.fact_market_metrics_history \
                where symbol = 'FRESH' and metric_date < date '2026-09-15' order by all";
    assert_eq!(first.lines(past), last.lines(past));
    let kept = "select count(*) from analytics.fact_market_metrics_history where symbol = 'RESTA' and known_to is not null";
    assert!(last.count(kept) > 0);
    let older = "select metric_date, pe_ratio_ttm, ev_to_revenue_ttm from analytics.fact_market_metrics_history where symbol = 'RESTA' \
                 and known_to is not null and metric_date < date '2026-09-15' order by all";
    let before = "select metric_date, pe_ratio_ttm, ev_to_revenue_ttm from analytics.fact_market_metrics_history where symbol = 'RESTA' \
                  order by all";
    let before = first.lines(before);
    assert!(
        last.lines(older).iter().all(|row| before.contains(row)),
        "an older version equals the former row"
    );
}

#[test]
fn a_backtest_sees_every_day_as_known_at_its_close() {
    let home = daily_runs().last();
    // The view has one row per day, which equals the row of a read as of that day.
    let figures = |view: &str, of: &str| {
        format!(
            "select columns(c -> c not in ('run_id', 'computed_at')) from analytics.{view} where metric_date = date '{of}' and symbol <> 'SPLIT' order by all"
        )
    };
    for of in ["2026-09-14", "2026-07-15", "2026-05-20"] {
        let then = home.lines_as_of(of.parse().unwrap(), &figures("fact_market_metrics", of));
        assert!(then.len() > 10, "{}", then.len());
        let other = difference(&home.lines(&figures("fact_market_metrics_as_known", of)), &then);
        assert!(other.is_none(), "{of}: {other:#?}");
    }
    let (first, all) = ("analytics.fact_market_metrics_as_known", "analytics.fact_market_metrics");
    assert_eq!(
        home.count(&format!("select count(*) from {first}")),
        home.count(&format!("select count(*) from {all}"))
    );
}

#[test]
fn restatements_record_old_and_new_values() {
    let home = daily_runs().last();
    let revenue = home.lines(
        "select r.period_type, r.fiscal_date, r.old_value, r.new_value from ops.restatements r \
         where r.symbol = 'RESTA' and r.item = 'revenue' order by all",
    );
    assert_eq!(revenue.len(), 2, "{revenue:?}");
    for row in revenue {
        let cells: Vec<&str> = row.split('|').collect();
        let versions = home.lines(&format!(
            "select revenue::decimal(38, 6) from analytics.fact_financials_history where symbol = 'RESTA' and period_type = '{}' and fiscal_date = '{}' \
             order by known_from",
            cells[0], cells[1]
        ));
        assert_eq!(versions, [cells[2], cells[3]]);
        assert_ne!(cells[2], cells[3]);
    }
    let seen = "select distinct observed_at::date from ops.restatements where symbol = 'RESTA'";
    assert_eq!(home.lines(seen), [day(1).to_string()]);
    assert_eq!(
        home.count("select count(*) from ops.restatements where old_value is not distinct from new_value"),
        0
    );
    // A new quarter is not a restatement.
    assert_eq!(
        home.count("select count(*) from ops.restatements where symbol = 'FRESH' and item = 'revenue'"),
        0
    );
    assert_eq!(daily_runs().homes[0].count("select count(*) from ops.restatements"), 0);
}

#[test]
fn a_first_version_is_known_since_its_filing_and_later_ones_since_they_were_observed() {
    let home = daily_runs().last();
    let wrong = home.lines(
        "select symbol, dataset, fiscal_date, version_no from staging.statement_versions where known_from <> \
         case when version_no = 1 then accepted_at else greatest(accepted_at, observed_at) end",
    );
    assert_eq!(wrong, Vec::<String>::new());
    // A period that existed before the first fetch may have been restated unnoticed, so it is
    // marked as reconstructed. A later period is not.
    let of = |reconstructed: bool, symbol: &str| {
        home.count(&format!(
            "select count(*) from analytics.fact_financials_history where symbol = '{symbol}' and known_reconstructed = {reconstructed}"
        ))
    };
    assert_eq!((of(false, "JPM"), of(false, "FRESH")), (0, 2 - i64::from(of(false, "FRESH") == 1)));
    assert!(of(true, "JPM") > 0 && of(false, "RESTA") == 2);
}
