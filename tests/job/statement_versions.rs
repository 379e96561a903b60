//! A company with hand-written filings: corrected period ends, derived quarters, late and restated
//! filings.

use chrono::{Days, NaiveDate};
use findata_explain::{Facts, answer, ask::Question, recomputed};
use findata_tests::{Home, Job, Replay};

/// A period as FMP returns it: end, label, acceptance time in New York, revenue (the costs are half
/// of it), diluted EPS.
#[derive(Clone, Copy)]
struct Filing(&'static str, &'static str, &'static str, i64, f64);

const YEAR: [Filing; 4] = [
    Filing("2024-12-31", "FY", "2025-02-14 16:30:00", 1_000, 4.0),
    Filing("2024-09-30", "Q3", "2024-11-05 16:30:00", 240, 1.0),
    Filing("2024-06-30", "Q2", "2024-08-05 16:30:00", 230, 0.9),
    Filing("2024-03-31", "Q1", "2024-05-06 16:30:00", 220, 0.8),
];

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// FMP's responses with all three statements of the filings. `change` is applied to each row.
fn replay(filings: &[Filing], change: impl Fn(&Filing, String) -> String) -> Replay {
    let header = |f: &Filing| {
        format!(
            r#""symbol":"ODDCO","date":"{}","period":"{}","fiscalYear":"{}","reportedCurrency":"USD","filingDate":"{}","acceptedDate":"{}""#,
            f.0,
            f.1,
            &f.0[..4],
            &f.2[..10],
            f.2
        )
    };
    let income = |f: &Filing| {
        let Filing(_, _, _, revenue, eps) = f;
        format!(
            r#"{{{},"revenue":{revenue},"costOfRevenue":{},"grossProfit":{},"netIncome":{},"bottomLineNetIncome":{},"eps":{eps},"epsDiluted":{eps},"weightedAverageShsOut":100,"weightedAverageShsOutDil":101}}"#,
            header(f),
            revenue / 2,
            revenue - revenue / 2,
            revenue / 10,
            revenue / 10
        )
    };
    let balance = |f: &Filing| {
        format!(r#"{{{},"totalAssets":{},"totalStockholdersEquity":500}}"#, header(f), 2_000 + f.3)
    };
    let cash = |f: &Filing| {
        format!(
            r#"{{{},"netIncome":{},"operatingCashFlow":{},"capitalExpenditure":-10,"freeCashFlow":{},"cashAtEndOfPeriod":{},"cashAtBeginningOfPeriod":7}}"#,
            header(f),
            f.3 / 10,
            f.3 / 5,
            f.3 / 5 - 10,
            f.3
        )
    };
    let bars: Vec<String> = ["2025-02-13", "2025-02-14", "2025-02-18", "2025-05-20"]
        .iter()
        .map(|d| {
            format!(r#"{{"symbol":"ODDCO","date":"{d}","open":50,"high":50,"low":50,"close":50,"volume":5}}"#)
        })
        .collect();
    let mut replay =
        Replay::new().answer("historical-price-eod/full", "ODDCO", "", format!("[{}]", bars.join(",")));
    for (period, annual) in [("annual", true), ("quarter", false)] {
        let of = |json: &dyn Fn(&Filing) -> String| {
            let rows: Vec<String> =
                filings.iter().filter(|f| (f.1 == "FY") == annual).map(|f| change(f, json(f))).collect();
            format!("[{}]", rows.join(","))
        };
        replay = replay
            .answer("income-statement", "ODDCO", period, of(&income))
            .answer("balance-sheet-statement", "ODDCO", period, of(&balance))
            .answer("cash-flow-statement", "ODDCO", period, of(&cash));
    }
    replay
}

/// Makes the run of a day on which FMP returns these filings.
fn run_on(home: &Home, on: &str, filings: &[Filing]) {
    run_on_with(home, on, filings, |_, row| row);
}

fn run_on_with(home: &Home, on: &str, filings: &[Filing], change: impl Fn(&Filing, String) -> String) {
    let server = replay(filings, change).start();
    let datasets = ["prices", "income_statement", "balance_sheet", "cash_flow"].map(String::from).to_vec();
    let job = Job::new(server.url(), &["ODDCO"]).on(day(on));
    job.with(|o| {
        (o.datasets, o.full, o.index, o.prices_from) = (datasets, true, None, Some(day("2025-02-01")))
    })
    .run_ok(home);
}

const TTM: &str = "select fiscal_date, ttm_revenue, ttm_eps_diluted_sum, latest_total_assets, quarters_derived, reason \
                   from analytics.fact_financials_ttm where fiscal_date = date '2024-12-31'";

#[test]
fn an_unreported_fourth_quarter_is_derived_from_the_year_and_marked() {
    let home = Home::new();
    run_on(&home, "2025-02-20", &YEAR);
    let derived = "select period_type, is_derived, revenue, eps_diluted, total_assets, shares_outstanding, cash_at_beginning_of_period, \
                   accepted_at from analytics.fact_financials where is_derived";
    // Revenue is 1000 - 240 - 230 - 220. The derived quarter has the year's balances, and its
    // opening cash is the cash at the end of the third quarter.
    assert_eq!(home.lines(derived), ["Q4|true|310.0|1.3|3000.0|100|240.0|2025-02-14 21:30:00"]);
    assert_eq!(home.lines(TTM), ["2024-12-31|1000.0|4.0|3000.0|1|NULL"]);
    assert_eq!(
        home.lines("select net_margin from analytics.fact_financial_ratios where basis = 'Q4'"),
        [format!("{}", (100.0 - 24.0 - 23.0 - 22.0) / 310.0)]
    );
}

#[test]
fn explain_shows_the_inputs_of_a_derived_quarter() {
    let home = Home::new();
    run_on(&home, "2025-02-20", &YEAR);
    let connection = home.open();
    let facts = Facts::read(&connection, &"ODDCO".parse().unwrap(), None, findata_tests::models()).unwrap();
    let explain = |metric: &str| {
        let basis = Some("Q4".parse().unwrap());
        let question = Question {
            symbol: "ODDCO".parse().unwrap(),
            metric: metric.into(),
            date: None,
            basis,
        };
        answer(&facts, &question).unwrap().figure
    };
    let mut explained = 0;
    for column in findata_tests::models().columns("fact_financials").iter().filter(|c| c.is_figure()) {
        let figure = explain(&column.name);
        if let Some(value) = figure.value {
            let again = recomputed(&figure).unwrap_or_else(|| panic!("{}: {figure:#?}", column.name));
            assert!((again - value).abs() <= 1e-9 * value.abs(), "{}: {again} {value}", column.name);
            assert!(figure.inputs.iter().all(|input| input.source.is_some()), "{}", column.name);
            explained += 1;
        }
    }
    assert!(explained > 12, "{explained}");
    let revenue = explain("revenue");
    let inputs: Vec<String> =
        revenue.inputs.iter().map(|i| format!("{} {}", i.when(), i.value.unwrap())).collect();
    assert_eq!(
        inputs,
        ["FY 2024-12-31 1000", "Q1 2024-03-31 220", "Q2 2024-06-30 230", "Q3 2024-09-30 240"]
    );
    assert!(revenue.notes[0].contains("never reported"), "{revenue:?}");
}

#[test]
fn a_reported_fourth_quarter_replaces_the_derived_one() {
    let home = Home::new();
    run_on(&home, "2025-02-20", &YEAR);
    let reported = [&[Filing("2024-12-31", "Q4", "2025-02-14 16:30:00", 311, 1.31)], &YEAR[..]].concat();
    run_on(&home, "2025-05-20", &reported);
    assert_eq!(home.count("select count(*) from analytics.fact_financials where is_derived"), 0);
    assert_eq!(home.lines(TTM), ["2024-12-31|1001.0|4.01|2311.0|0|NULL"]);
}

#[test]
fn a_quarter_restated_after_the_year_removes_the_derived_quarter() {
    let home = Home::new();
    run_on(&home, "2025-02-20", &YEAR);
    let mut restated = YEAR;
    restated[3].3 = 221;
    run_on(&home, "2025-05-20", &restated);
    let now = home
        .lines("select fiscal_date, reason, quarters_included from analytics.fact_financials_ttm order by 1");
    assert_eq!(now.last().map(String::as_str), Some("2024-09-30|insufficient_history|3"), "{now:?}");
    assert_eq!(home.lines_as_of(day("2025-05-19"), TTM), ["2024-12-31|1000.0|4.0|3000.0|1|NULL"]);
    // When the year is restated too, the year and its quarters are consistent again.
    restated[0].3 = 1_001;
    run_on(&home, "2025-05-21", &restated);
    assert_eq!(home.lines(TTM), ["2024-12-31|1001.0|4.0|3001.0|1|NULL"]);
}

#[test]
fn no_quarter_is_derived_from_a_year_in_another_currency() {
    let home = Home::new();
    run_on_with(
        &home,
        "2025-02-20",
        &YEAR,
        |f, row| {
            if f.1 == "FY" { row.replace("USD", "EUR") } else { row }
        },
    );
    assert_eq!(home.count("select count(*) from analytics.fact_financials where is_derived"), 0);
    assert_eq!(home.count("select count(*) from analytics.fact_financials"), 4);
}

#[test]
fn no_per_share_figure_is_derived_from_a_year_on_another_split_basis() {
    let home = Home::new();
    let split = |f: &Filing, row: String| match f.1 {
        "FY" => row.replace("ShsOut\":100", "ShsOut\":400").replace("ShsOutDil\":101", "ShsOutDil\":404"),
        _ => row,
    };
    run_on_with(&home, "2025-02-20", &YEAR, split);
    let derived = "select revenue, eps, eps_diluted, shares_outstanding from analytics.fact_financials where is_derived";
    assert_eq!(home.lines(derived), ["310.0|NULL|NULL|NULL"]);
    let why = "select reason from analytics.metric_nulls where basis = 'TTM' and metric = 'ttm_eps_diluted_sum' and subject_date = '2024-12-31'";
    assert_eq!(home.lines(why), ["missing_input"]);
}

#[test]
fn a_corrected_period_end_is_still_the_same_period() {
    let home = Home::new();
    run_on(&home, "2025-02-20", &YEAR);
    let mut corrected = YEAR;
    corrected[1].0 = "2024-09-28";
    run_on(&home, "2025-05-20", &corrected);
    let third = "select fiscal_date from analytics.fact_financials where period_type = 'Q3'";
    assert_eq!(home.lines(third), ["2024-09-28"]);
    assert_eq!(home.lines_as_of(day("2025-05-19"), third), ["2024-09-30"]);
    assert_eq!(
        home.lines("select distinct dataset, item, old_value, new_value from ops.restatements order by all"),
        [
            "balance_sheet|fiscal_date|2024-09-30|2024-09-28",
            "cash_flow|fiscal_date|2024-09-30|2024-09-28",
            "income_statement|fiscal_date|2024-09-30|2024-09-28"
        ]
    );
    let twice = "select count(*) from (select fiscal_date from analytics.fact_financials_ttm where fiscal_date between '2024-09-20' and '2024-10-05')";
    assert_eq!(home.count(twice), 1);
}

#[test]
fn a_late_filing_is_missing_until_it_arrives() {
    let home = Home::new();
    let late = Filing("2024-06-30", "Q2", "2025-04-01 09:00:00", 230, 0.9);
    let filings = [Filing("2024-12-31", "Q4", "2025-02-14 16:30:00", 310, 1.3), YEAR[1], late, YEAR[3]];
    run_on(&home, "2025-05-20", &filings);
    assert_eq!(home.lines(TTM), ["2024-12-31|1000.0|4.0|2310.0|0|NULL"]);
    assert_eq!(
        home.lines_as_of(day("2025-03-31"), TTM),
        ["2024-12-31|NULL|NULL|2310.0|0|missing_quarter"],
        "the newest period stays the newest; the window lacks the quarter that was not filed yet"
    );
}

#[test]
fn values_that_change_back_and_forth_are_separate_versions() {
    let home = Home::new();
    run_on(&home, "2025-02-20", &YEAR);
    for (n, revenue) in [(1, 245), (1, 246), (2, 240)] {
        let mut filings = YEAR;
        filings[1].3 = revenue;
        let on = day("2025-05-20") + Days::new(n);
        run_on(&home, &on.to_string(), &filings);
    }
    // Both versions of 21 May have the same timestamp on this clock, so only the later one is in
    // force. A return to an earlier value is a new version.
    let revenue = "select revenue, known_to is null from analytics.fact_financials_history where period_type = 'Q3' order by known_from";
    assert_eq!(home.lines(revenue), ["240.0|false", "246.0|false", "240.0|true"]);
    assert_eq!(home.count("select count(*) from staging.income_statement where period_type = 'Q3'"), 4);
    let now = "select revenue from analytics.fact_financials where period_type = 'Q3'";
    assert_eq!(home.lines_as_of(day("2025-05-20"), now), ["240.0"]);
    assert_eq!(home.lines_as_of(day("2025-05-21"), now), ["246.0"]);
    assert_eq!(home.lines_as_of(day("2025-05-22"), now), ["240.0"]);
    assert_eq!(home.lines_as_of(day("2024-11-04"), now), Vec::<String>::new());
}

#[test]
fn a_null_reason_belongs_to_its_version() {
    let home = Home::new();
    let without = |f: &Filing, row: String| match f.1 {
        "Q3" => row.replace("\"bottomLineNetIncome\":24", "\"bottomLineNetIncome\":null"),
        _ => row,
    };
    run_on_with(&home, "2025-02-20", &YEAR, without);
    run_on(&home, "2025-05-20", &YEAR);
    run_on_with(&home, "2025-05-22", &YEAR, without);
    let margin = "select r.bottom_line_margin, n.reason from analytics.fact_financial_ratios r left join analytics.metric_nulls n \
                  on n.symbol = r.symbol and n.subject_date = r.fiscal_date and n.basis = r.basis and n.metric = 'bottom_line_margin' \
                  where r.basis = 'Q3'";
    for (day_of, wanted) in [
        ("2024-11-06", "NULL|missing_input"),
        ("2025-05-19", "NULL|missing_input"),
        ("2025-05-20", "0.1|NULL"),
        ("2025-05-21", "0.1|NULL"),
        ("2025-05-22", "NULL|missing_input"),
    ] {
        assert_eq!(home.lines_as_of(day(day_of), margin), [wanted], "{day_of}");
    }
}
