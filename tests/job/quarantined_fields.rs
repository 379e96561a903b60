//! Unreadable and impossible fields are quarantined, and the figures are computed without them.

use chrono::{Days, NaiveDate};
use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Replay, today};
use serde_json::{Value, json};

const SYMBOL: &str = "FIELD";
const ENDPOINTS: [&str; 3] = ["income-statement", "balance-sheet-statement", "cash-flow-statement"];

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A row of an endpoint: a quarter with a revenue of 250 and a net income of 30.
fn quarter(endpoint: &str, end: &str, label: &str, accepted: &str) -> Value {
    let mut row = json!({"symbol": SYMBOL, "date": end, "period": label, "fiscalYear": &end[..4], "cik": "0000777001",
        "reportedCurrency": "USD", "filingDate": &accepted[..10], "acceptedDate": accepted});
    let fields = match endpoint {
        "income-statement" => {
            json!({"revenue": 250, "netIncome": 30, "eps": 0.6, "epsDiluted": 0.6, "weightedAverageShsOut": 50,
            "weightedAverageShsOutDil": 50})
        }
        "balance-sheet-statement" => {
            json!({"totalAssets": 900, "totalStockholdersEquity": 400, "totalEquity": 400})
        }
        _ => json!({"operatingCashFlow": 45, "netIncome": 30, "capitalExpenditure": -5}),
    };
    row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    row
}

/// The rows of an endpoint, newest first.
fn quarters(endpoint: &str) -> Vec<Value> {
    [
        ("2026-06-30", "Q2", "2026-08-05 07:00:00"),
        ("2026-03-31", "Q1", "2026-05-06 07:00:00"),
        ("2025-12-31", "Q4", "2026-02-11 07:00:00"),
        ("2025-09-30", "Q3", "2025-11-05 07:00:00"),
        ("2025-06-30", "Q2", "2025-08-06 07:00:00"),
    ]
    .map(|(end, label, accepted)| quarter(endpoint, end, label, accepted))
    .to_vec()
}

fn bar(date: &str, close: f64) -> Value {
    json!({"symbol": SYMBOL, "date": date, "open": close, "high": close + 0.5, "low": close - 0.5, "close": close, "volume": 9000})
}

/// FMP's answers for one company. `change` modifies the rows of each endpoint.
fn answers(today: NaiveDate, change: impl Fn(&str, &mut Vec<Value>)) -> Replay {
    let profile = vec![
        json!({"symbol": SYMBOL, "companyName": "Field Corp.", "currency": "USD", "sector": "Industrials",
        "industry": "Machinery", "price": 12, "marketCap": 600}),
    ];
    let bars = ["2026-09-21", "2026-09-18", "2026-09-17", "2026-09-16", "2026-09-15", "2026-09-14"];
    let bars = bars.iter().filter(|date| day(date) <= today).map(|date| bar(date, 12.0)).collect();
    let mut replay = Replay::new();
    let changed = |endpoint: &str, mut rows: Vec<Value>| {
        change(endpoint, &mut rows);
        Value::Array(rows).to_string()
    };
    for (endpoint, rows) in [("profile", profile), ("historical-price-eod/full", bars)] {
        replay = replay.answer(endpoint, SYMBOL, "", changed(endpoint, rows));
    }
    for endpoint in ENDPOINTS {
        replay = replay.answer(endpoint, SYMBOL, "quarter", changed(endpoint, quarters(endpoint)));
    }
    replay
}

fn job(url: &str) -> Job {
    Job::new(url, &[SYMBOL]).with(|options| {
        options.prices_from = Some(day("2026-09-14"));
        options.years = 0;
    })
}

/// Makes single fields of some rows unreadable or impossible.
fn spoil(endpoint: &str, rows: &mut [Value]) {
    match endpoint {
        "profile" => {
            rows[0]["ipoDate"] = json!("spring 1998");
            rows[0]["companyName"] = json!("Field\0 Corp.");
        }
        "historical-price-eod/full" => rows[1]["vwap"] = json!([12]),
        "income-statement" => {
            rows[0]["eps"] = json!("0.6 USD");
            rows[1]["filingDate"] = json!("0000-00-00");
            rows[1]["acceptedDate"] = json!("0000-00-00 00:00:00");
            rows[2]["acceptedDate"] = json!("2025-12-30 19:00:00");
        }
        _ => {}
    }
}

const TTM: &str = "select fiscal_date, ttm_revenue, ttm_eps_diluted_sum from analytics.fact_financials_ttm where status = 'ok' order by 1";

#[test]
fn a_bad_field_is_quarantined_and_the_figures_are_computed() {
    let (server, home) = (answers(today(), |endpoint, rows| spoil(endpoint, rows)).start(), Home::new());
    let summary = job(server.url()).run_ok(&home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    assert!(summary.rows.values().all(|rows| rows.quarantined == 0), "{:?}", summary.rows);
    let fields = "select dataset, status, column_name, column_text, split_part(reason, ':', 1) from ops.quarantine order by all";
    assert_eq!(
        home.lines(fields),
        [
            "income_statement|field|accepted_at|2025-12-30 19:00:00|impossible_date",
            "income_statement|field|eps|0.6 USD|unreadable_field",
            "prices|field|vwap|[12]|unreadable_field",
            "profile|field|ipo_date|spring 1998|unreadable_field",
        ]
    );
    assert_eq!(home.lines(TTM), ["2026-03-31|1000.0|2.4", "2026-06-30|1000.0|2.4"]);
    assert_eq!(home.text("select company_name from analytics.dim_company"), "Field Corp.");
    // The filing date replaces the impossible date, and only that quarter is flagged. Its figures
    // are not known before the filing.
    let flags = "select basis, fiscal_date, reason from ops.quality where status = 'flag' and check_name = 'impossible_date'";
    assert_eq!(home.lines(flags), ["Q4|2025-12-31|impossible_date"]);
    let known = "select fiscal_date, accepted_at_source, known_on from analytics.fact_financials where fiscal_date >= '2025-12-31' order by 1";
    assert_eq!(
        home.lines(known),
        [
            "2025-12-31|filing|2026-02-12",
            "2026-03-31|estimated|2026-05-31",
            "2026-06-30|accepted|2026-08-05"
        ]
    );
    // A second load of the same answers adds nothing.
    let before = home.count("select count(*) from ops.quarantine");
    job(server.url()).with(|options| options.full = true).run_ok(&home);
    assert_eq!(home.count("select count(*) from ops.quarantine"), before);
    assert_eq!(home.count("select count(*) from raw.income_statement"), 5);
}

#[test]
fn rows_that_an_earlier_build_quarantined_for_a_field_are_loaded() {
    let (server, home) = (answers(today(), |endpoint, rows| spoil(endpoint, rows)).start(), Home::new());
    job(server.url()).run_ok(&home);
    let expected = (home.lines(TTM), home.lines("select company_name, sector from analytics.dim_company"));
    let counts =
        "select dataset, sum(staged), sum(loaded), sum(quarantined) from ops.files group by all order by 1";
    let files = home.lines(counts);
    let as_left_by_earlier_build = "
        create table q as select * from ops.quarantine where column_name <> 'accepted_at';
        delete from ops.quarantine;
        insert into ops.quarantine by name select * exclude (status, column_name, column_text) from q;
        delete from staging.income_statement where eps is null; delete from raw.income_statement where payload like '%0.6 USD%';
        delete from staging.profile; delete from raw.profile; delete from staging.prices where vwap is null and price_date = '2026-09-17';
        delete from raw.prices where payload like '%\"vwap\":[12]%';
        update ops.files set loaded = loaded - 1, quarantined = 1 where source_file in (select source_file from q);
        drop table q; drop view staging.statement_versions;
        alter table ops.quarantine drop column status; alter table ops.quarantine drop column column_name;
        alter table ops.quarantine drop column column_text; alter table staging.income_statement drop column flags;
        alter table staging.balance_sheet drop column flags; alter table staging.cash_flow drop column flags;
        update ops.models set sha256 = 'other'";
    duckdb::Connection::open(home.warehouse())
        .unwrap()
        .execute_batch(as_left_by_earlier_build)
        .unwrap();
    assert_eq!(home.count("select count(*) from staging.income_statement"), 4);

    // The run makes no calls, because no task is due. It loads the rows from the quarantine.
    let summary = job(server.url()).run_ok(&home);
    assert_eq!((summary.status, summary.calls), (Status::Complete, 0), "{summary:#?}");
    assert_eq!(
        (home.lines(TTM), home.lines("select company_name, sector from analytics.dim_company")),
        expected
    );
    assert_eq!(home.lines(counts), files);
    let left = "select dataset, status, column_name, column_text from ops.quarantine order by all";
    assert_eq!(
        home.lines(left),
        [
            "income_statement|field|eps|0.6 USD",
            "prices|field|vwap|[12]",
            "profile|field|ipo_date|spring 1998"
        ]
    );
}

#[test]
fn the_later_accepted_of_two_versions_in_one_answer_is_current() {
    for newer_is_first in [true, false] {
        let replay = answers(today(), |endpoint, rows| {
            if endpoint == "income-statement" {
                let mut amended = rows[1].clone();
                amended["acceptedDate"] = json!("2026-07-01 09:30:00");
                amended["revenue"] = json!(265);
                let position = if newer_is_first { 1 } else { 2 };
                rows.insert(position, amended);
                // A row that the answer contains twice is loaded once.
                rows.push(rows[0].clone());
            }
        });
        let (server, home) = (replay.start(), Home::new());
        let summary = job(server.url()).run_ok(&home);
        let income = &summary.rows["income_statement"];
        assert_eq!((income.staged, income.loaded, income.unchanged, income.quarantined), (7, 6, 1, 0));
        let versions = "select revenue::int, known_from, known_to from analytics.fact_financials_history where fiscal_date = '2026-03-31' order by known_from";
        let expected = ["250|2026-05-06 11:00:00|2026-07-01 13:30:00", "265|2026-07-01 13:30:00|NULL"];
        assert_eq!(home.lines(versions), expected);
        assert_eq!(
            home.lines("select item, old_value::double, new_value::double from ops.restatements where item = 'revenue'"),
            ["revenue|250.0|265.0"]
        );
        // A second load of the same answer is not a restatement.
        let again = job(server.url()).with(|options| options.full = true).run_ok(&home);
        assert_eq!(again.rows["income_statement"].loaded, 0);
        assert_eq!(home.lines(versions), expected);
    }
}

#[test]
fn a_quarter_of_zeros_is_missing_until_it_is_reported() {
    let zeros = |_: &str, rows: &mut Vec<Value>| {
        for (_, value) in rows[0].as_object_mut().unwrap().iter_mut().filter(|(_, v)| v.is_number()) {
            *value = json!(0);
        }
    };
    let statements = |endpoint: &str, rows: &mut Vec<Value>| {
        if ENDPOINTS.contains(&endpoint) {
            zeros(endpoint, rows);
        }
    };
    let (server, home) = (answers(today(), statements).start(), Home::new());
    let summary = job(server.url()).run_ok(&home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    let reasons = "select dataset, status, split_part(reason, ':', 1) from ops.quarantine order by 1";
    assert_eq!(
        home.lines(reasons),
        [
            "balance_sheet|rejected|not_reported",
            "cash_flow|rejected|not_reported",
            "income_statement|rejected|not_reported"
        ]
    );
    assert_eq!(home.lines(TTM), ["2026-03-31|1000.0|2.4"]);
    let server = answers(today(), |_, _| {}).start();
    job(server.url()).with(|options| options.full = true).run_ok(&home);
    assert_eq!(home.lines(TTM).len(), 2);
}

#[test]
fn a_quarantined_bar_is_requested_once_more() {
    let wrong = |endpoint: &str, rows: &mut Vec<Value>| {
        if endpoint == "historical-price-eod/full" {
            for row in rows.iter_mut().filter(|row| row["date"] == "2026-09-16") {
                row["close"] = json!(15.6);
            }
        }
    };
    // Runs findata on a day, and returns the first requested day of each call for prices.
    let requested = |home: &Home, on: NaiveDate, is_wrong: bool| {
        let replay = match is_wrong {
            true => answers(on, wrong),
            false => answers(on, |_, _| {}),
        };
        let server = replay.start();
        let job = Job::new(server.url(), &[SYMBOL]).on(on).with(|options| {
            options.years = 0;
            options.prices_from = (on == today()).then(|| day("2026-09-14"));
        });
        job.run_ok(home);
        let from = |call: &String| {
            Some(call.split_once("historical-price-eod")?.1.split_once("from=")?.1[..10].to_owned())
        };
        let calls = server.calls();
        calls.iter().filter(|call| call.contains(SYMBOL)).filter_map(from).collect::<Vec<_>>()
    };
    let bars = "select price_date, close_price::double from staging.prices where price_date = '2026-09-16'";
    let home = Home::new();
    assert_eq!(requested(&home, today(), true), ["2026-09-14"]);
    assert_eq!(home.lines(bars), [""; 0]);
    let reason = home.text("select distinct reason from ops.quarantine");
    assert_eq!(reason, "outside_range: close 15.6 is above the high 12.5");
    // The run of the next session requests the whole history again. FMP has corrected the bar.
    let (corrected, next) = (Home::copy_of(&home), day("2026-09-21"));
    assert_eq!(requested(&corrected, next, false), ["2026-09-14"]);
    assert_eq!(corrected.lines(bars), ["2026-09-16|12.0"]);
    // If FMP has not corrected the bar, the run of the session after that requests only the newest
    // sessions.
    assert_eq!(requested(&home, next, true), ["2026-09-14"]);
    assert_eq!(requested(&home, next + Days::new(1), true), ["2026-09-17"]);
}
