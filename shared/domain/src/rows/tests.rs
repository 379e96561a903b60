use super::*;
use crate::catalog::dataset;

fn one(name: &str, symbol: &str, json: &str) -> (Option<String>, Vec<Option<String>>, String) {
    let (rows, _) =
        typed(dataset(name).unwrap(), Some(&symbol.parse().unwrap()), MAX_SERIES, json.as_bytes()).unwrap();
    let row = &rows[0];
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
        (bar("").replace("2026-11-20", "soon"), "retyped_field"),
        (bar("").replace("\"high\":2", "\"high\":0.5"), "high_below_low"),
        (bar("").replace("\"close\":1.5", "\"close\":0"), "price_not_positive"),
        (bar("").replace("\"close\":1.5", "\"close\":null"), "missing_field"),
        (bar("").replace("\"close\":1.5", "\"close\":\"abc\""), "retyped_field"),
        (bar(",\"volume\":{}"), "retyped_field"),
    ] {
        let (reject, ..) = one("prices", "AAPL", &json);
        assert!(reject.as_deref().is_some_and(|r| r.starts_with(reason)), "{json}: {reject:?}");
    }
    for (day, plausible) in [
        ("1899-12-31", false),
        ("1900-01-01", true),
        ("2200-12-31", true),
        ("2201-01-01", false),
        ("0001-01-01", false),
    ] {
        let (reject, ..) = one("prices", "AAPL", &bar("").replace("2026-11-20", day));
        let expected =
            (!plausible).then(|| format!("retyped_field: date: {day:?} is not a date from 1900 to 2200"));
        assert_eq!(reject, expected, "{day}");
    }
    let twice =
        r#"[{"symbol":"A","date":"2026-11-20","close":1},{"symbol":"A","date":"2026-11-20","close":2}]"#;
    let (rows, drift) =
        typed(dataset("prices").unwrap(), Some(&"A".parse().unwrap()), MAX_SERIES, twice.as_bytes()).unwrap();
    assert!(rows[0].reject.is_none() && rows[1].reject.is_some());
    assert!(drift.contains(&"open"));
}

#[test]
fn a_broken_body_is_an_error() {
    for body in ["", "{", "[{\"symbol\":\"A\"", "{\"Error Message\":\"x\"}", "[1]", "<html>"] {
        assert!(typed(dataset("prices").unwrap(), None, MAX_SERIES, body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn a_filing_after_the_close_counts_from_the_next_day() {
    let statement = |accepted: &str, filed: &str| {
        format!(
            r#"[{{"symbol":"A","date":"2026-06-30","period":"Q2","fiscalYear":"2026","filingDate":{filed},"acceptedDate":{accepted},"revenue":1,"netIncome":1}}]"#
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
        triple("2026-09-28 22:00:00", "estimated", "2026-09-29")
    );
    assert!(
        one("income_statement", "A", &statement("null", "null").replace("Q2", "H1"))
            .0
            .unwrap()
            .starts_with("unknown_period")
    );
}
