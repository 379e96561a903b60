//! Money keeps every digit, from FMP's JSON to `staging` and the output of `findata sql --json`. The models sum it
//! exactly; published figures are the nearest doubles.

use findata_pipeline::run::Status;
use findata_tests::{Home, Job, Replay, findata};

/// Amounts at the limits of DECIMAL(38, 6) when four quarters are summed: 32 digits before the
/// decimal point, six digits after it, and both at once. A binary float has only sixteen digits.
const AMOUNTS: [(&str, &str); 4] = [
    ("revenue", "12345678901234567890123456789012"),
    ("costOfRevenue", "0.000001"),
    ("grossProfit", "12345678901234567890123456789012.345679"),
    ("netIncome", "-12345678901234567890123456789012.345679"),
];

/// Each amount as a column prints it, with six decimal places, and the sum of four such amounts.
const EXPECTED: [(&str, &str, &str); 4] = [
    (
        "revenue",
        "12345678901234567890123456789012.000000",
        "49382715604938271560493827156048.000000",
    ),
    ("cost_of_revenue", "0.000001", "0.000004"),
    (
        "gross_profit",
        "12345678901234567890123456789012.345679",
        "49382715604938271560493827156049.382716",
    ),
    (
        "net_income",
        "-12345678901234567890123456789012.345679",
        "-49382715604938271560493827156049.382716",
    ),
];

/// The home of a company whose four quarters all have these amounts.
fn home() -> Home {
    let rows = |fields: &str| {
        let quarters =
            [("2026-06-30", "Q2"), ("2026-03-31", "Q1"), ("2025-12-31", "Q4"), ("2025-09-30", "Q3")];
        let row = |(end, label): (&str, &str)| {
            format!(
                r#"{{"symbol":"EXACT","date":"{end}","period":"{label}","fiscalYear":"{}","reportedCurrency":"USD","acceptedDate":"2026-08-05 07:00:00",{fields}}}"#,
                &end[..4]
            )
        };
        format!("[{}]", quarters.map(row).join(","))
    };
    let income: Vec<String> = AMOUNTS.iter().map(|(field, amount)| format!("\"{field}\":{amount}")).collect();
    let balance = r#""totalAssets":1,"totalStockholdersEquity":1"#;
    let profile =
        r#"[{"symbol":"EXACT","companyName":"Exact","currency":"USD","price":1,"marketCap":0.000003}]"#;
    let bar = r#"[{"symbol":"EXACT","date":"2026-09-17","open":0.000001,"high":3,"low":0.000001,"close":0.100003,"volume":1}]"#;
    let server = Replay::new()
        .answer("profile", "EXACT", "", profile)
        .answer("historical-price-eod/full", "EXACT", "", bar)
        .answer("income-statement", "EXACT", "quarter", rows(&income.join(",")))
        .answer("balance-sheet-statement", "EXACT", "quarter", rows(balance))
        .answer("cash-flow-statement", "EXACT", "quarter", rows(r#""operatingCashFlow":1"#))
        .start();
    let home = Home::new();
    let summary = Job::new(server.url(), &["EXACT"]).run_ok(&home);
    assert_eq!(summary.status, Status::Complete, "{:?}", summary.failures);
    assert!(summary.rows.values().all(|rows| rows.quarantined == 0), "{:?}", summary.rows);
    home
}

#[test]
fn an_amount_of_38_digits_is_exact_in_staging_and_in_sql_output() {
    let home = home();
    let columns = EXPECTED.map(|(column, ..)| column);
    let of_a_quarter = EXPECTED.map(|(_, shown, _)| shown).join("|");
    let sent = format!("select {} from staging.income_statement", columns.join(", "));
    assert_eq!(home.lines(&sent), vec![of_a_quarter; 4]);
    let is_nearest = |cell: &str, exact: &str| {
        let (double, exact): (f64, f64) = (cell.parse().unwrap(), exact.parse().unwrap());
        (double - exact).abs() <= exact.abs() * 2.0 * f64::EPSILON
    };
    let published =
        home.text(&format!("select distinct {} from analytics.fact_financials", columns.join(", ")));
    let sums = columns.map(|column| format!("ttm_{column}")).join(", ");
    let twelve = home.text(&format!("select {sums} from analytics.fact_financials_ttm where status = 'ok'"));
    for (n, (column, one, four)) in EXPECTED.into_iter().enumerate() {
        for (row, exact) in [(&published, one), (&twelve, four)] {
            let cell = row.split('|').nth(n).unwrap();
            assert!(is_nearest(cell, exact), "{column}: {cell} and {exact}");
        }
    }
    assert_eq!(
        home.text("select close_price, low_price from analytics.fact_daily_prices"),
        "0.100003|0.000001"
    );
    // The output is compared as text, because a JSON parser would turn the amounts into floats.
    let output = findata(&["sql", "--json", &sent]).home(&home).run();
    assert_eq!(output.code, Some(0), "{output:#?}");
    let table = findata(&["sql", &sent]).home(&home).variable("COLUMNS", "2000").run();
    for (column, one, _) in EXPECTED {
        assert!(output.stdout.contains(&format!("\"{column}\":{one}")), "{column}: {}", output.stdout);
        assert!(table.stdout.contains(one), "{column}: {}", table.stdout);
    }
}

#[test]
fn an_amount_too_large_to_sum_is_quarantined_and_stops_no_other_company() {
    let statement = |symbol: &str, revenue: &str, shares: &str| {
        let quarters =
            [("2026-06-30", "Q2"), ("2026-03-31", "Q1"), ("2025-12-31", "Q4"), ("2025-09-30", "Q3")];
        let row = |(end, label): (&str, &str)| {
            format!(
                r#"{{"symbol":"{symbol}","date":"{end}","period":"{label}","fiscalYear":"{}","reportedCurrency":"USD","acceptedDate":"2026-08-05 07:00:00","revenue":{revenue},"netIncome":1,"totalAssets":{revenue},"totalStockholdersEquity":1,"operatingCashFlow":1,"weightedAverageShsOut":{shares}}}"#,
                &end[..4]
            )
        };
        format!("[{}]", quarters.map(row).join(","))
    };
    let profile = |symbol: &str, price: &str, cap: &str| {
        format!(
            r#"[{{"symbol":"{symbol}","companyName":"Name","currency":"USD","price":{price},"marketCap":{cap}}}]"#
        )
    };
    let bar = |symbol: &str, close: &str| {
        format!(
            r#"[{{"symbol":"{symbol}","date":"2026-09-17","open":1,"high":{close},"low":1,"close":{close},"volume":1}}]"#
        )
    };
    let nines = "9".repeat(32);
    let mut replay = Replay::new();
    for (symbol, revenue, shares, price, cap, close) in [
        ("GOOD", "100", "10", "2", "20", "2"),
        ("SUMS", nines.as_str(), "10", "2", "20", "2"),
        ("SHARES", "100", nines.as_str(), "0.000001", nines.as_str(), "2"),
        ("PRICE", "100", "10", "2", "20", nines.as_str()),
    ] {
        replay = replay.answer("profile", symbol, "", profile(symbol, price, cap)).answer(
            "historical-price-eod/full",
            symbol,
            "",
            bar(symbol, close),
        );
        for endpoint in ["income-statement", "balance-sheet-statement", "cash-flow-statement"] {
            replay = replay.answer(endpoint, symbol, "quarter", statement(symbol, revenue, shares));
        }
    }
    let (server, home) = (replay.start(), Home::new());
    let summary = Job::new(server.url(), &["GOOD", "SUMS", "SHARES", "PRICE"]).run_ok(&home);
    // All rows of the responses for SUMS and PRICE are quarantined, so their tasks failed. Of
    // SHARES, only the share counts are quarantined. The other tasks are complete.
    assert_eq!(summary.status, Status::Partial, "{:?}", summary.failures);
    let aside = "select distinct symbol || ' ' || dataset || ' ' || split_part(reason, ' ', 2) || ' ' || status from ops.quarantine order by all";
    assert_eq!(
        home.lines(aside),
        [
            "PRICE prices close rejected",
            "SHARES income_statement weightedAverageShsOut field",
            "SUMS balance_sheet totalAssets rejected",
            "SUMS income_statement revenue rejected"
        ]
    );
    let caps = home.lines("select symbol, market_cap from analytics.fact_market_metrics order by 1");
    assert_eq!(caps, ["GOOD|20.0", "SHARES|NULL", "SUMS|20.0"]);
    assert_eq!(
        home.count(
            "select count(*) from analytics.fact_financials_ttm where symbol = 'GOOD' and ttm_revenue = 400"
        ),
        1
    );
}
