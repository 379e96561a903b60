//! Receipts and share classes: the statements count other shares than the security.

use serde_json::{Value, json};

use super::{
    company::{Company, INCOME, PRICE, SHARES, TODAY},
    home, market, near, near_with_count, null, ratio, suspicions,
};

const EVER: (&str, &str) = ("2000-01-01", "2099-01-01");

/// A company whose statements count `factor` shares for each security, with EPS per share.
fn counted(symbol: &'static str, factor: f64) -> Company {
    let mut company = Company::new(symbol);
    for field in ["weightedAverageShsOut", "weightedAverageShsOutDil"] {
        company = company.set(INCOME, "", EVER, field, SHARES * factor);
    }
    for field in ["eps", "epsDiluted"] {
        company = company.set(INCOME, "Q", EVER, field, 1.5 / factor);
        company = company.set(INCOME, "FY", EVER, field, 6.0 / factor);
    }
    company
}

fn receipt(symbol: &'static str, factor: f64) -> Company {
    let mut company = counted(symbol, factor);
    (company.profile["isAdr"], company.profile["country"]) = (json!(true), json!("TW"));
    company
}

pub(super) fn companies() -> Vec<Company> {
    let mut per_receipt = receipt("ADREPS", 8.0);
    for field in ["eps", "epsDiluted"] {
        per_receipt = per_receipt.set(INCOME, "Q", EVER, field, 1.5);
        per_receipt = per_receipt.set(INCOME, "FY", EVER, field, 6.0);
    }
    let mut foreign = counted("FOREIGN", 2.0);
    foreign.profile["country"] = json!("CN");
    // The profile has no market cap, and the float data counts one class.
    let mut one_class = Company::new("ONECLASS");
    one_class.profile["marketCap"] = Value::Null;
    one_class.shares_float =
        vec![json!({"symbol": "ONECLASS", "date": "2026-09-18 21:00:00", "freeFloat": 90.0,
        "floatShares": SHARES * 0.4, "outstandingShares": SHARES * 0.44, "source": null})];
    vec![
        receipt("ADR", 5.0),
        receipt("ADRPART", 0.25),
        receipt("ADRONE", 1.0),
        per_receipt,
        foreign,
        counted("BRK-B", 1.0 / 1500.0),
        // the market cap is that of all classes, in both
        Company::new("GOOGL"),
        Company::new("GOOG"),
        one_class,
        counted("FIVEFOLD", 5.0),
    ]
}

#[test]
fn figures_per_receipt_use_the_ratio() {
    for (symbol, factor) in [("ADR", 5.0), ("ADRPART", 0.25), ("ADREPS", 8.0), ("FOREIGN", 2.0)] {
        for date in ["2025-12-15", "2026-09-17", TODAY] {
            near(market(symbol, date, "market_cap"), PRICE * SHARES);
            near(market(symbol, date, "pe_ratio_ttm"), 10.0);
            near(market(symbol, date, "pb_ratio"), PRICE / 15.0);
        }
        near(ratio(symbol, "TTM", "2026-06-30", "book_value_per_share"), 15.0);
        let stored = format!("select receipt_ratio from analytics.dim_company where symbol = '{symbol}'");
        assert_eq!(home().figure(&stored), Some(factor));
    }
}

#[test]
fn a_share_of_another_class_is_converted() {
    for date in ["2025-12-15", TODAY] {
        near_with_count(market("BRK-B", date, "market_cap"), PRICE * SHARES, SHARES / 1500.0);
        near(market("BRK-B", date, "pe_ratio_ttm"), 10.0);
    }
    let stored = "select class_ratio from analytics.dim_company where symbol = 'BRK-B'";
    assert_eq!(home().figure(stored), Some(1500.0));
}

#[test]
fn healthy_receipts_and_classes_are_not_suspect() {
    for symbol in ["ADR", "ADRPART", "ADRONE", "FOREIGN", "BRK-B", "GOOGL", "GOOG", "ONECLASS"] {
        assert_eq!(suspicions(symbol), Vec::<String>::new(), "{symbol}");
        near(market(symbol, TODAY, "market_cap"), PRICE * SHARES);
    }
    let stored = "select count(*) from analytics.dim_company where symbol in ('ADRONE', 'GOOGL', 'GOOG', 'ONECLASS') \
                  and (receipt_ratio is not null or class_ratio is not null)";
    assert_eq!(home().count(stored), 0);
}

#[test]
fn a_ratio_is_not_inferred_for_a_domestic_company() {
    for metric in ["market_cap", "pe_ratio_ttm"] {
        assert_eq!(market("FIVEFOLD", TODAY, metric), null("share_count_disputed"), "{metric}");
    }
}
