//! Parsing never panics: whatever FMP sends gives rows, rejected rows or an error.

use chrono::NaiveDate;
use findata_domain::{
    Symbol,
    catalog::{CATALOG, Dataset, Need},
    rows::{self, Asked},
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::config;

/// Arbitrary JSON of limited depth.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?".prop_map(Value::from),
        "-?[0-9]{1,40}(\\.[0-9]{1,9})?(e[0-9]{1,3})?".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

/// Rows with the fields of a dataset and arbitrary values, some of which are valid.
fn rows_of(dataset: &'static Dataset) -> impl Strategy<Value = Value> {
    let fields: Vec<&'static str> =
        dataset.columns.iter().map(|c| c.field).filter(|f| !f.is_empty()).collect();
    let good = json!({"symbol": "AAPL", "date": "2026-06-30", "period": "Q2", "close": 1.5, "revenue": 1, "netIncome": 1, "totalAssets": 1,
        "totalStockholdersEquity": 1, "operatingCashFlow": 1, "dividend": 0.1, "numerator": 4, "denominator": 1});
    let row =
        prop::collection::vec((prop::sample::select(fields), any_json()), 0..6).prop_map(move |changes| {
            let mut row: Map<String, Value> = good.as_object().cloned().unwrap_or_default();
            row.extend(changes.into_iter().map(|(field, value)| (field.to_owned(), value)));
            Value::Object(row)
        });
    prop::collection::vec(row, 0..5).prop_map(Value::from)
}

/// A request for a symbol that matches rows of any day.
fn asked(symbol: Option<&Symbol>) -> Asked<'_> {
    Asked { symbol, days: None, received_on: NaiveDate::MAX }
}

fn check(dataset: &'static Dataset, body: &[u8], sent: Option<usize>) -> Result<(), TestCaseError> {
    let symbol: Symbol = "AAPL".parse().unwrap();
    for symbol in [None, Some(&symbol)] {
        let Ok((found, _)) = rows::typed(dataset, &asked(symbol), rows::MAX_SERIES, body) else {
            continue;
        };
        if let Some(sent) = sent {
            prop_assert_eq!(found.len(), sent, "every row sent is returned, either valid or rejected");
        }
        for row in &found {
            prop_assert_eq!(row.values.len(), dataset.columns.len());
            prop_assert!(serde_json::from_str::<Value>(row.payload).is_ok());
            prop_assert_eq!(row.hash.len(), 32);
            if row.reject.is_some() {
                prop_assert!(row.findings.len() <= 1, "a rejected row has at most one finding");
                continue;
            }
            for finding in &row.findings {
                let column = dataset.columns.iter().position(|c| c.name == finding.column);
                let is_replaced = finding.column == "accepted_at";
                prop_assert!(is_replaced || column.is_some_and(|i| row.values[i].is_none()), "{finding:?}");
                prop_assert_eq!(finding.line().matches(['\t', '\n', '\r']).count(), 2);
            }
            for (column, value) in dataset.columns.iter().zip(&row.values) {
                prop_assert!(value.is_some() || column.need != Need::Value, "{} of a valid row", column.name);
            }
            prop_assert!(symbol.is_none_or(|s| s.as_str() == row.symbol));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn rows_with_arbitrary_values_are_typed_or_rejected(body in prop::sample::select((0..CATALOG.len()).collect::<Vec<_>>()).prop_flat_map(|n| (Just(n), rows_of(&CATALOG[n])))) {
        let (n, rows) = body;
        let sent = rows.as_array().map(Vec::len);
        check(&CATALOG[n], rows.to_string().as_bytes(), sent)?;
    }

    #[test]
    fn arbitrary_json_gives_rows_or_an_error(value in any_json(), n in 0..CATALOG.len()) {
        check(&CATALOG[n], value.to_string().as_bytes(), None)?;
        check(&CATALOG[n], json!([value]).to_string().as_bytes(), None)?;
    }

    #[test]
    fn arbitrary_bytes_give_rows_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), n in 0..CATALOG.len()) {
        check(&CATALOG[n], &bytes, None)?;
    }

    #[test]
    fn a_truncated_body_is_an_error(cut in 1_usize..400) {
        let body = json!([{"symbol": "AAPL", "date": "2026-09-18", "open": 1, "high": 2, "low": 1, "close": 1.5, "volume": 10, "vwap": 1.2}, {"symbol": "AAPL", "date": "2026-09-17", "close": 1.4}]).to_string();
        let cut = cut % body.len();
        let dataset = findata_domain::catalog::dataset("prices").unwrap();
        prop_assert!(rows::typed(dataset, &asked(None), rows::MAX_SERIES, &body.as_bytes()[..cut]).is_err());
    }

    #[test]
    fn rows_have_equal_hashes_exactly_if_their_values_are_equal(a in 0_u32..50, b in 0_u32..50, zeros in 0_usize..4) {
        let dataset = findata_domain::catalog::dataset("prices").unwrap();
        let hash = |close: String| {
            let body = format!("[{{\"symbol\":\"AAPL\",\"date\":\"2026-09-18\",\"close\":{close}}}]");
            rows::typed(dataset, &asked(None), rows::MAX_SERIES, body.as_bytes()).unwrap().0[0].hash.clone()
        };
        let (one, other) = (hash(format!("{}.5", a + 1)), hash(format!("{}.5{}", b + 1, "0".repeat(zeros))));
        prop_assert_eq!(one == other, a == b);
    }
}
