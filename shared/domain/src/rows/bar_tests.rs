use super::*;
use crate::catalog::PRICES;

/// Returns the day and the reject code of each rejected bar in an answer.
fn rejected(symbol: &str, days: Option<(&str, &str)>, bars: &[&str]) -> Vec<String> {
    let day = |text: &str| text.parse().unwrap();
    let symbol = symbol.parse().unwrap();
    let asked = Asked {
        symbol: Some(&symbol),
        days: days.map(|(from, to)| (day(from), day(to))),
        received_on: day("2026-11-20"),
    };
    let bar = |bar: &&str| {
        let parts: Vec<&str> = bar.split(' ').collect();
        let [date, open, high, low, close, volume] = parts[..] else {
            panic!("{bar}")
        };
        format!(
            r#"{{"symbol":"{symbol}","date":"{date}","open":{open},"high":{high},"low":{low},"close":{close},"volume":{volume}}}"#
        )
    };
    let body = format!("[{}]", bars.iter().map(bar).collect::<Vec<_>>().join(","));
    let (rows, _) = typed(PRICES, &asked, MAX_SERIES, body.as_bytes()).unwrap();
    let reason = |row: &Row<'_>| {
        let code = row.reject.as_deref()?.split(':').next()?.to_owned();
        Some(format!("{} {code}", row.get(PRICES, "price_date")?))
    };
    rows.iter().filter_map(reason).collect()
}

#[test]
fn open_and_close_lie_within_low_and_high() {
    for healthy in [
        "2026-11-19 41.2 43.75 40.9 43.75 8800",
        "2026-11-19 40.9 40.9 40.9 40.9 0",
        "2026-11-19 41.2 null null 43.75 8800",
        // FMP rounds prices that it adjusts for splits to different lengths: here four digits and
        // two.
        "2026-11-19 0.1283 0.13 0.12 0.1234 8800",
        "2026-11-19 0.1199 0.13 0.12 0.1349 8800",
        "2026-11-19 41.2 43.75 40.9 43.77 8800",
    ] {
        assert_eq!(rejected("ORCH", None, &[healthy]), [""; 0], "{healthy}");
    }
    for wrong in [
        "2026-11-19 41.2 43.75 40.9 44.1 8800",
        "2026-11-19 41.2 43.75 40.9 40.2 8800",
        "2026-11-19 437.5 43.75 40.9 43.1 8800",
        "2026-11-19 0.11 0.13 0.12 0.125 8800",
        "2026-11-19 412 437.5 409 439 8800",
    ] {
        assert_eq!(rejected("ORCH", None, &[wrong]), ["2026-11-19 outside_range"], "{wrong}");
    }
}

#[test]
fn a_bar_outside_the_requested_days_is_rejected() {
    let bars = [
        "2026-11-16 5 6 5 6 1",
        "2026-11-17 5 6 5 6 1",
        "2026-11-18 5 6 5 6 1",
        "2026-11-19 5 6 5 6 1",
    ];
    let outside = rejected("ORCH", Some(("2026-11-17", "2026-11-18")), &bars);
    assert_eq!(outside, ["2026-11-16 outside_window", "2026-11-19 outside_window"]);
    assert_eq!(rejected("ORCH", None, &bars), [""; 0]);
}

#[test]
fn a_us_share_has_no_bar_on_a_day_without_a_session() {
    // A Saturday with volume, New Year's Day and Juneteenth have no session. The Friday after
    // Thanksgiving has one. The calendar does not cover 1997.
    let bars = [
        "2026-11-14 5 6 5 6 900",
        "2026-01-01 5 6 5 6 0",
        "2026-06-19 5 6 5 6 7",
        "2025-11-28 5 6 5 6 7",
        "1997-01-20 5 6 5 6 7",
    ];
    let closed = ["2026-11-14 no_session", "2026-01-01 no_session", "2026-06-19 no_session"];
    for symbol in ["ORCH", "BRK-B", "ABCDF", "X"] {
        assert_eq!(rejected(symbol, None, &bars), closed, "{symbol}");
    }
    // Coins, currencies, indices and shares listed abroad trade on other days.
    for symbol in ["BTCUSD", "GCUSD", "EURUSD=X", "^GSPC", "TEVA.TA", "2222.SR", "BTC-USD"] {
        assert_eq!(rejected(symbol, None, &bars), [""; 0], "{symbol}");
    }
}

#[test]
fn a_foreign_weekend_bar_is_rejected_if_it_repeats_the_close_before() {
    // Newest first, as FMP sends them. Sunday is a session in Tel Aviv.
    let bars = [
        "2026-11-16 7.1 7.3 7 7.2 410",
        "2026-11-15 7.2 7.2 7.2 7.2 0",
        "2026-11-14 7.2 7.2 7.2 7.2 0",
        "2026-11-13 7 7.3 7 7.2 380",
    ];
    let repeats = ["2026-11-15 no_session", "2026-11-14 no_session"];
    assert_eq!(rejected("VOW3.DE", None, &bars), repeats);
    let traded = [
        "2026-11-15 7.2 7.4 7.2 7.3 55",
        "2026-11-14 7.2 7.2 7.2 7.2 12",
        "2026-11-13 7 7.3 7 7.2 380",
    ];
    assert_eq!(rejected("TEVA.TA", None, &traded), [""; 0]);
    // A weekday without trades may repeat the close of the day before.
    let quiet = ["2026-11-17 7.2 7.2 7.2 7.2 0", "2026-11-16 7.2 7.2 7.2 7.2 0"];
    assert_eq!(rejected("VOW3.DE", None, &quiet), [""; 0]);
}
