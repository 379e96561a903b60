//! A symbol is either a valid ticker or rejected.

use findata_domain::Symbol;
use proptest::prelude::*;

use super::config;

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn every_accepted_symbol_is_safe_in_urls_paths_and_sql(text in ".{0,20}|[A-Za-z0-9.^=/ '-]{1,17}") {
        if let Ok(symbol) = text.parse::<Symbol>() {
            let name = symbol.as_str();
            prop_assert!((1..=15).contains(&name.len()));
            prop_assert!(name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b".-^=".contains(&b)));
            prop_assert!(name.bytes().any(|b| b.is_ascii_alphanumeric()), "not only dots");
            prop_assert_eq!(name, text.trim().to_ascii_uppercase());
            prop_assert_eq!(name.parse::<Symbol>(), Ok(symbol.clone()));
            let json = serde_json::to_string(&symbol).unwrap();
            prop_assert_eq!(serde_json::from_str::<Symbol>(&json).unwrap(), symbol);
        } else {
            prop_assert!(serde_json::from_value::<Symbol>(text.into()).is_err());
        }
    }

    #[test]
    fn every_ticker_is_accepted(ticker in "[A-Z0-9][A-Z0-9.^=-]{0,14}") {
        prop_assert_eq!(ticker.parse::<Symbol>().map(String::from), Ok(ticker));
    }
}
