//! Companies computed in slices, and days on which most companies only have new prices: the same
//! tables as if everything were computed at once.

use std::collections::BTreeMap;

use chrono::Days;
use findata_domain::{Result, catalog::Column, clock::DayClock};
use findata_duckdb::DuckDb;
use findata_fmp_simulator::Options;
use findata_models::PUBLISHED;
use findata_pipeline::{landing::StagedFile, ports::warehouse::Warehouse, summary::Summary};
use findata_tests::{Home, Job, NoProgress, Simulator, client, host, request, today, wait, with_warehouse};

use super::SYMBOLS;

/// Two companies that revision 1 changes, one that it does not, a split, another currency, and a
/// fund without statements.
const COMPANIES: [&str; 6] = ["RESTA", "FRESH", "AAPL", "SPLIT", "EURRP", "SPY"];

/// A warehouse that computes three companies at a time.
struct Sliced {
    warehouse: DuckDb,
    slices: usize,
}

impl Warehouse for Sliced {
    async fn execute(&mut self, sql: &str) -> Result<u64> {
        self.slices += usize::from(sql.starts_with("create or replace temporary table company_slice"));
        self.warehouse.execute(sql).await
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        self.warehouse.query(sql).await
    }

    async fn append(&mut self, table: &str, rows: Vec<Vec<Option<String>>>) -> Result<()> {
        self.warehouse.append(table, rows).await
    }

    async fn damaged_files(&mut self, files: &[StagedFile]) -> Result<BTreeMap<String, String>> {
        self.warehouse.damaged_files(files).await
    }

    fn copies(&self, columns: &[Column], files: &[StagedFile]) -> Vec<String> {
        self.warehouse.copies(columns, files)
    }

    async fn release(&mut self, tables: &[&str]) -> Result<()> {
        self.warehouse.release(tables).await
    }

    fn rows_per_slice(&self) -> u64 {
        500
    }

    async fn close(&mut self) -> Result<()> {
        self.warehouse.close().await
    }
}

fn world(revision: u32, day: u64) -> Simulator {
    let today = today() + Days::new(day);
    Simulator::start(Options { symbols: SYMBOLS, today, revision, ..Options::default() })
}

/// A home after a run of revision 0 and a full run of revision 1.
fn restated_home() -> Home {
    let home = Home::new();
    Job::new(world(0, 0).url(), &COMPANIES).run_ok(&home);
    let summary = Job::new(world(1, 0).url(), &COMPANIES).with(|o| o.full = true).run_ok(&home);
    assert!(summary.rows["income_statement"].loaded > 0);
    home
}

fn change(home: &Home, statements: &str) {
    duckdb::Connection::open(home.warehouse()).unwrap().execute_batch(statements).unwrap();
}

/// Marks every company for recomputation of every day.
const EVERYTHING: &str = "insert into ops.changes (run_id, dataset, symbol, first_date) \
    select 'again', 'models', symbol, null from staging.prices group by symbol";

fn compute_in_slices(home: &Home) -> Summary {
    let server = world(1, 0);
    let options = Job::new(server.url(), &COMPANIES).options;
    wait(async {
        let whole = host(home, client(&server.url(), "test-key"), DayClock(today())).unwrap();
        let mut sliced = with_warehouse(whole, |warehouse| Sliced { warehouse, slices: 0 });
        let summary = sliced.run(&request(&COMPANIES, options), &NoProgress).await.unwrap();
        assert_eq!(sliced.warehouse.slices, COMPANIES.len().div_ceil(3), "slices of three companies");
        summary
    })
}

#[test]
fn slices_of_companies_give_the_same_tables_as_one() {
    let home = restated_home();
    let before = Home::copy_of(&home);
    let older = "select count(*) from analytics.fact_financial_ratios_history where known_to is not null";
    assert!(home.count(older) > 0, "there are past vintages");
    // From nothing: every row of every slice is new.
    let empty: String = PUBLISHED.iter().map(|table| format!("delete from {};", table.full_name())).collect();
    change(&home, &format!("{empty} {EVERYTHING}"));
    compute_in_slices(&home);
    let differences = home.differences(&before);
    assert!(differences.is_empty(), "{differences:?}");
    // Against what is published: only the rows that differ are written.
    let damage = "update analytics.fact_financial_ratios_history set roe = 0 where symbol in ('AAPL', 'SPLIT'); \
        update analytics.fact_market_metrics_history set beta_252d = 7 where symbol = 'RESTA' and known_to is not null; \
        delete from ops.quality where symbol = 'EURRP';";
    change(&home, &format!("{damage} {EVERYTHING}"));
    let summary = compute_in_slices(&home);
    let differences = home.differences(&before);
    assert!(differences.is_empty(), "{differences:?}");
    let written = |table: &str| summary.analytics[table].written;
    assert!(written("fact_financial_ratios") > 0 && written("quality") > 0);
    assert_eq!((written("fact_financials"), written("dim_date")), (0, written("dim_date")));
}

/// Days until the next session.
const LATER: u64 = 3;

#[test]
fn companies_with_only_new_prices_keep_their_fundamentals() {
    let home = Home::new();
    Job::new(world(0, 0).url(), &COMPANIES).run_ok(&home);
    // A mark that shows whether the company's ratios were computed again.
    let marked = "update analytics.fact_financial_ratios_history set roe = 42 where symbol = 'AAPL'";
    change(&home, marked);
    Job::new(world(1, LATER).url(), &COMPANIES).on(today() + Days::new(LATER)).run_ok(&home);
    let is_marked =
        "select min(roe) = 42 and max(roe) = 42 from analytics.fact_financial_ratios where symbol = 'AAPL'";
    assert_eq!(home.text(is_marked), "true", "statements, splits and profile of AAPL are unchanged");
    let days = "select count(distinct run_id) from analytics.fact_market_metrics where symbol = 'AAPL'";
    assert_eq!(home.count(days), 2, "AAPL has a new day");
    // Computing everything again changes the marked ratios and nothing else.
    change(&home, EVERYTHING);
    let again = Job::new(world(1, LATER).url(), &COMPANIES).on(today() + Days::new(LATER)).run_ok(&home);
    for (table, counts) in &again.analytics {
        let expected = if table == "fact_financial_ratios" {
            home.count("select count(*) from analytics.fact_financial_ratios where symbol = 'AAPL'")
        } else {
            0
        };
        assert_eq!(counts.written + counts.removed, expected as u64, "{table}");
    }
    assert_ne!(home.text(is_marked), "true");
}
