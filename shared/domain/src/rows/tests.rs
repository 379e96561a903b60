use super::*;
use crate::catalog::dataset;

/// Returns the typed rows of an answer for a symbol, received on 20 November 2026.
fn rows<'a>(name: &str, symbol: &str, json: &'a str) -> Vec<Row<'a>> {
    let symbol = symbol.parse().unwrap();
    let received_on = "2026-11-20".parse().unwrap();
    let asked = Asked { symbol: Some(&symbol), days: None, received_on };
    typed(dataset(name).unwrap(), &asked, MAX_SERIES, json.as_bytes()).unwrap().0
}

fn one(name: &str, symbol: &str, json: &str) -> (Option<String>, Vec<Option<String>>, String) {
    let row = &rows(name, symbol, json)[0];
    (row.reject.clone(), row.values.clone(), row.hash.clone())
}

#[test]
fn a_bar_keeps_its_digits_and_hashes_its_values() {
    let bar = r#"[{"symbol":"AAPL","date":"2026-11-20","open":1.10,"high":2e0,"low":1,"close":1.5,"volume":"10.5","extra":1}]"#;
    let (reject, values, hash) = one("prices", "AAPL", bar);
    assert_eq!(reject, None);
    assert_eq!(values[2].as_deref(), Some("1.1"));
    assert_eq!(values[3].as_deref(), Some("2"));
    assert_eq!(values[6].as_deref(), Some("10.5"));
    let same = bar.replace("1.10", "1.1").replace(r#","extra":1"#, "");
    assert_eq!(one("prices", "AAPL", &same).2, hash);
    assert_ne!(one("prices", "AAPL", &bar.replace("1.10", "1.11")).2, hash);
}

#[test]
fn implausible_rows_are_rejected_with_a_reason() {
    let bar = |fields: &str| {
        format!(r#"[{{"symbol":"AAPL","date":"2026-11-20","open":1,"high":2,"low":1,"close":1.5{fields}}}]"#)
    };
    for (json, reason) in [
        (bar("").replace("\"AAPL\"", "\"MSFT\""), "other_symbol"),
        (bar("").replace("2026-11-20", "soon"), "unreadable_field"),
        (bar("").replace("\"high\":2", "\"high\":0.5"), "high_below_low"),
        (bar("").replace("\"close\":1.5", "\"close\":0"), "price_not_positive"),
        (bar("").replace("\"close\":1.5", "\"close\":null"), "missing_field"),
        (bar("").replace("\"close\":1.5", "\"close\":\"abc\""), "unreadable_field"),
        (bar(",\"volume\":-1"), "negative_volume"),
        (bar("").replace("\"close\":1.5", "\"close\":2.01"), "outside_range"),
        (bar("").replace("\"open\":1,", "\"open\":0.98,"), "outside_range"),
        (bar("").replace("2026-11-20", "2026-11-21"), "no_session"),
        (bar("").replace("2026-11-20", "2025-12-25"), "no_session"),
    ] {
        let (reject, ..) = one("prices", "AAPL", &json);
        assert!(reject.as_deref().is_some_and(|r| r.starts_with(reason)), "{json}: {reject:?}");
    }
    for (day, plausible) in [
        ("1899-12-31", false),
        ("1900-01-02", true),
        ("2200-12-30", true),
        ("2201-01-01", false),
        ("0001-01-01", false),
    ] {
        let (reject, ..) = one("prices", "AAPL", &bar("").replace("2026-11-20", day));
        let expected =
            (!plausible).then(|| format!("unreadable_field: date: {day:?} is not a date from 1900 to 2200"));
        assert_eq!(reject, expected, "{day}");
    }
    let twice =
        r#"[{"symbol":"A","date":"2026-11-20","close":1},{"symbol":"A","date":"2026-11-20","close":2}]"#;
    let (rows, drift) = typed(dataset("prices").unwrap(), &any(), MAX_SERIES, twice.as_bytes()).unwrap();
    assert!(rows[0].reject.is_none() && rows[1].reject.is_some());
    assert!(drift.contains(&"open"));
}

#[test]
fn a_broken_body_is_an_error() {
    for body in ["", "{", "[{\"symbol\":\"A\"", "{\"Error Message\":\"x\"}", "[1]", "<html>"] {
        assert!(typed(dataset("prices").unwrap(), &any(), MAX_SERIES, body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn a_filing_after_the_close_counts_from_the_next_day() {
    let statement = |accepted: &str, filed: &str| {
        format!(
            r#"[{{"symbol":"A","date":"2026-06-30","period":"Q2","fiscalYear":"2026","cik":"0000000001","filingDate":{filed},"acceptedDate":{accepted},"revenue":1,"netIncome":1}}]"#
        )
    };
    let known = |json: &str| {
        let (reject, values, _) = one("income_statement", "A", json);
        assert_eq!(reject, None);
        (values[7].clone().unwrap(), values[8].clone().unwrap(), values[9].clone().unwrap())
    };
    let triple = |a: &str, b: &str, c: &str| (a.to_string(), b.to_string(), c.to_string());
    assert_eq!(
        known(&statement("\"2026-08-01 06:00:42\"", "\"2026-08-01\"")),
        triple("2026-08-01 10:00:42", "accepted", "2026-08-01")
    );
    assert_eq!(
        known(&statement("\"2026-08-01 16:00:01\"", "\"2026-08-01\"")),
        triple("2026-08-01 20:00:01", "accepted", "2026-08-02")
    );
    assert_eq!(
        known(&statement("\"2026-12-01 16:00:01\"", "\"2026-12-01\"")),
        triple("2026-12-01 21:00:01", "accepted", "2026-12-02")
    );
    assert_eq!(
        known(&statement("null", "\"2026-08-01\"")),
        triple("2026-08-01 22:00:00", "filing", "2026-08-02")
    );
    assert_eq!(
        known(&statement("null", "null")),
        triple("2026-08-29 22:00:00", "estimated", "2026-08-30")
    );
    assert!(
        one("income_statement", "A", &statement("null", "null").replace("Q2", "H1"))
            .0
            .unwrap()
            .starts_with("unknown_period")
    );
}

/// A request that matches rows of any symbol and any day.
fn any() -> Asked<'static> {
    Asked { symbol: None, days: None, received_on: NaiveDate::MAX }
}

/// An answer with one quarterly income statement, in which `from` is replaced with `to`.
fn quarter(from: &str, to: &str) -> String {
    let row = r#"[{"symbol":"KWR","date":"2026-08-31","period":"Q3","fiscalYear":"2026","cik":"0000054681","reportedCurrency":"USD",
        "filingDate":"2026-10-07","acceptedDate":"2026-10-07 06:42:11","revenue":712000000,"netIncome":-3100000,"eps":-0.07,
        "weightedAverageShsOut":44285714}]"#;
    assert!(row.contains(from), "{from}");
    row.replacen(from, to, 1)
}

/// Returns the value of a column, the reject reason and the findings (column and text) of the only
/// row.
fn found(json: &str, column: &str) -> (Option<String>, Option<String>, Vec<(&'static str, String)>) {
    let rows = rows("income_statement", "KWR", json);
    let value = rows[0].get(dataset("income_statement").unwrap(), column).map(str::to_owned);
    let findings = rows[0].findings.iter().map(|f| (f.column, f.text.clone())).collect();
    (value, rows[0].reject.clone(), findings)
}

#[test]
fn an_unreadable_field_becomes_null_and_the_row_is_accepted() {
    let text = |text: &str| text.to_owned();
    for (from, to, column, shown) in [
        ("-0.07", "\"n.m.\"", "eps", "n.m."),
        ("-0.07", "{\"raw\":-0.07}", "eps", "{\"raw\":-0.07}"),
        ("712000000", "\"712m\"", "revenue", "712m"),
        ("712000000", "9e40", "revenue", "9e40"),
        ("44285714", "4428571400000000000000", "shares_outstanding", "4428571400000000000000"),
        ("\"2026\"", "\"FY26\"", "fiscal_year", "FY26"),
        ("\"2026-10-07\"", "\"07.10.26\"", "filing_date", "07.10.26"),
        ("\"2026-10-07 06:42:11\"", "true", "accepted_at", "true"),
    ] {
        let (value, reject, findings) = found(&quarter(from, to), column);
        assert_eq!(reject, None, "{to}");
        assert_eq!(findings, [(column, text(shown))], "{to}");
        assert!(value.is_none() || column == "accepted_at", "{to}: {value:?}");
    }
    // Two rows that differ in an unreadable text are two versions.
    let hash = |to: &str| one("income_statement", "KWR", &quarter("-0.07", to)).2;
    assert_ne!(hash("\"n.m.\""), hash("\"x\""));
    assert_ne!(hash("\"n.m.\""), hash("null"));
}

#[test]
fn an_unknown_value_is_null_without_a_finding() {
    for (from, to, column) in [
        ("-0.07", "null", "eps"),
        ("-0.07", "\"None\"", "eps"),
        ("-0.07", "\" \"", "eps"),
        ("712000000", "\"NULL\"", "revenue"),
        ("\"0000054681\"", "\"None\"", "cik"),
        ("\"USD\"", "\"NULL\"", "reported_currency"),
        ("\"2026-10-07\"", "\"0000-00-00\"", "filing_date"),
    ] {
        assert_eq!(found(&quarter(from, to), column), (None, None, Vec::new()), "{to}");
    }
    let zero = quarter("2026-10-07 06:42:11", "0000-00-00 00:00:00").replace("2026-10-07", "0000-00-00");
    assert_eq!(found(&zero, "accepted_at_source"), (Some("estimated".into()), None, Vec::new()));
    assert_eq!(found(&zero, FLAGS).0, None, "an unknown date gets no flag");
    // In a key, NULL is a ticker.
    let share = r#"[{"symbol":"NULL","price":2.5,"companyName":"None"}]"#;
    let row = &rows("profile", "NULL", share)[0];
    assert_eq!((row.reject.as_deref(), row.symbol.as_str()), (None, "NULL"));
}

#[test]
fn only_a_bad_key_or_a_missing_field_rejects_a_statement() {
    for (from, to, reason) in [
        ("\"2026-08-31\"", "\"0000-00-00\"", "missing_field: date"),
        ("\"2026-08-31\"", "\"31/08/2026\"", "unreadable_field: date"),
        ("\"Q3\"", "null", "missing_field: period"),
        ("\"Q3\"", "[3]", "unreadable_field: period"),
        ("\"revenue\"", "\"sales\"", "missing_field: revenue"),
    ] {
        let reject = found(&quarter(from, to), "eps").1;
        assert!(reject.as_deref().is_some_and(|r| r.starts_with(reason)), "{to}: {reject:?}");
    }
    let (_, _, findings) = found(&quarter("\"2026-08-31\"", "\"31/08/2026\""), "eps");
    assert_eq!(
        findings,
        [("fiscal_date", "31/08/2026".to_owned())],
        "the finding is the field that caused the rejection"
    );
}

#[test]
fn a_needed_field_that_is_unreadable_in_a_whole_answer_rejects_it() {
    let answer = |count: usize, good: usize| {
        let row = |i: usize| {
            let revenue = if i < good { "5" } else { "{\"value\":5}" };
            format!(
                r#"{{"symbol":"KWR","date":"20{:02}-12-31","period":"FY","revenue":{revenue},"netIncome":1}}"#,
                10 + i
            )
        };
        let json = format!("[{}]", (0..count).map(row).collect::<Vec<_>>().join(","));
        let rows = rows("income_statement", "KWR", &json);
        rows.iter().filter(|row| row.reject.is_some()).count()
    };
    assert_eq!((answer(4, 0), answer(9, 0)), (4, 9));
    assert_eq!((answer(3, 0), answer(9, 1)), (0, 0));
}

#[test]
fn a_date_at_or_before_the_period_end_is_replaced_and_flagged() {
    let dates = |json: &str| {
        let value = |column| found(json, column).0.unwrap_or_default();
        (value("accepted_at_source"), value("known_on"), value(FLAGS))
    };
    let triple = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    let healthy = quarter("KWR", "KWR");
    assert_eq!(dates(&healthy), triple("accepted", "2026-10-07", ""));
    // An acceptance on the day after the period's end is early, but possible.
    let early = quarter("2026-10-07 06:42:11", "2026-09-01 18:00:00");
    assert_eq!(dates(&early), triple("accepted", "2026-09-02", ""));
    let same_day = quarter("2026-10-07 06:42:11", "2026-08-31 23:59:59");
    assert_eq!(dates(&same_day), triple("filing", "2026-10-08", "|impossible_date|"));
    assert_eq!(
        found(&same_day, "eps").2,
        [("accepted_at", "2026-08-31 23:59:59".to_owned())],
        "the text is kept"
    );
    let neither = same_day.replace("\"2026-10-07\"", "\"2026-08-31\"");
    assert_eq!(dates(&neither), triple("estimated", "2026-10-31", "|impossible_date|"));
    let only_filing = quarter("\"2026-10-07\"", "\"2026-08-30\"");
    assert_eq!(dates(&only_filing), triple("accepted", "2026-10-07", ""));
    assert_eq!(found(&only_filing, "filing_date").0, None);
    // A US filer has 60 days for a quarter, and 90 for a fourth quarter or a year. Other companies
    // have 90 and 120.
    for (from, to, known_on) in [
        ("Q3", "Q4", "2026-11-30"),
        ("Q3", "FY", "2026-11-30"),
        ("\"USD\"", "\"JPY\"", "2026-11-30"),
        ("\"0000054681\"", "null", "2026-11-30"),
        ("\"USD\"", "null", "2026-10-31"),
    ] {
        assert_eq!(dates(&neither.replace(from, to)).1, known_on, "{to}");
    }
    let abroad = neither.replace("USD", "CHF").replace("Q3", "FY");
    assert_eq!(dates(&abroad).1, "2026-12-30");
}

#[test]
fn a_period_that_ends_after_its_receipt_is_rejected() {
    let ends = |day: &str| found(&quarter("\"2026-08-31\"", &format!("{day:?}")), "eps").1;
    assert!(ends("2026-11-21").is_some_and(|reason| reason.starts_with("period_not_over")));
    assert!(ends("2062-08-31").is_some_and(|reason| reason.starts_with("period_not_over")));
    assert_eq!(ends("2026-11-20"), None);
}

#[test]
fn a_statement_without_figures_is_rejected_as_not_reported() {
    let reject = |name: &str, json: &str| rows(name, "SHEL1", json)[0].reject.clone();
    let head = r#""symbol":"SHEL1","date":"2026-06-30","period":"Q2""#;
    for (name, fields, is_blank) in [
        ("income_statement", r#""revenue":0,"netIncome":0,"weightedAverageShsOut":5100000"#, true),
        ("income_statement", r#""revenue":0,"netIncome":null,"eps":"0.00""#, true),
        // A biotech company without sales, and one whose result is exactly zero.
        ("income_statement", r#""revenue":0,"netIncome":-2400000"#, false),
        ("income_statement", r#""revenue":88000,"netIncome":0"#, false),
        ("balance_sheet", r#""totalAssets":0,"totalStockholdersEquity":0"#, true),
        ("balance_sheet", r#""totalAssets":12,"totalStockholdersEquity":0"#, false),
        ("cash_flow", r#""operatingCashFlow":0,"netIncome":0,"cashAtEndOfPeriod":950000"#, true),
        ("cash_flow", r#""operatingCashFlow":-1,"netIncome":0,"cashAtEndOfPeriod":0"#, false),
    ] {
        let rejected = reject(name, &format!("[{{{head},{fields}}}]"));
        assert_eq!(rejected.is_some_and(|r| r.starts_with("not_reported")), is_blank, "{name} {fields}");
    }
}

#[test]
fn versions_of_a_period_and_repeated_rows_are_accepted() {
    let first = quarter("KWR", "KWR");
    let row = |json: &str| json.trim_matches(['[', ']']).to_owned();
    let newer = quarter("712000000", "715500000").replace("2026-10-07 06", "2026-11-02 06");
    let answer = format!("[{},{},{}]", row(&first), row(&newer), row(&first));
    let rejects: Vec<_> = rows("income_statement", "KWR", &answer).iter().map(|r| r.reject.clone()).collect();
    assert_eq!(rejects, [None, None, None]);
}
