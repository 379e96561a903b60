//! Decimals stay exact from FMP's text to DECIMAL(38, 6).

use duckdb::Connection;
use findata_domain::decimal::canonical;
use proptest::prelude::*;

use super::config;

/// A number with at most 32 digits before and 6 digits after the decimal point, as sign, whole part
/// and fraction.
fn number() -> impl Strategy<Value = (bool, String, String)> {
    (any::<bool>(), "0|[1-9][0-9]{0,31}", "[0-9]{0,6}")
}

fn plain((negative, whole, fraction): &(bool, String, String)) -> String {
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{whole}{point}{fraction}", if *negative { "-" } else { "" })
}

/// The number as the warehouse prints it: six decimal places and no negative zero.
fn with_six_decimals((negative, whole, fraction): &(bool, String, String)) -> String {
    let zero = whole == "0" && fraction.bytes().all(|b| b == b'0');
    format!("{}{whole}.{fraction:0<6}", if *negative && !zero { "-" } else { "" })
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn decimals_of_38_digits_survive_the_warehouse_exactly(numbers in prop::collection::vec(number(), 50)) {
        let connection = Connection::open_in_memory().unwrap();
        let texts: Vec<String> = numbers.iter().map(plain).collect();
        let canonical: Vec<String> = texts.iter().map(|t| canonical(t).unwrap_or_else(|| panic!("{t}"))).collect();
        let list = canonical.iter().map(|c| format!("'{c}'")).collect::<Vec<_>>().join(", ");
        let query = format!("select unnest([{list}])::decimal(38, 6)::varchar");
        let mut statement = connection.prepare(&query).unwrap();
        let stored: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let wanted: Vec<String> = numbers.iter().map(with_six_decimals).collect();
        prop_assert_eq!(stored, wanted);
    }
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn canonical_is_idempotent(number in number()) {
        let once = canonical(&plain(&number)).unwrap();
        prop_assert_eq!(canonical(&once), Some(once.clone()));
        prop_assert!(!once.ends_with('.') && once != "-0" && !(once.contains('.') && once.ends_with('0')), "{}", once);
    }

    #[test]
    fn an_exponent_gives_the_same_number(whole in 1_u64..1_000_000_000, exponent in 0_usize..20) {
        let zeros = format!("{whole}{}", "0".repeat(exponent));
        for text in [format!("{whole}e{exponent}"), format!("{whole}E+{exponent}"), format!("{whole}.0e{exponent}")] {
            prop_assert_eq!(canonical(&text), Some(zeros.clone()), "{}", text);
        }
    }

    #[test]
    fn digits_beyond_the_sixth_are_rounded_half_to_even(billionths in -9_000_000_000_000_000_i64..9_000_000_000_000_000) {
        // Rounds the number, given in units of 1e-9, to units of 1e-6.
        let text = format!("{}{}.{:09}", if billionths < 0 { "-" } else { "" }, billionths.unsigned_abs() / 1_000_000_000, billionths.unsigned_abs() % 1_000_000_000);
        let (mut units, rest) = (billionths.unsigned_abs() / 1_000, billionths.unsigned_abs() % 1_000);
        units += u64::from(rest > 500 || (rest == 500 && units % 2 == 1));
        let wanted = format!("{}{}.{:06}", if billionths < 0 && units > 0 { "-" } else { "" }, units / 1_000_000, units % 1_000_000);
        let wanted = wanted.trim_end_matches('0').trim_end_matches('.');
        prop_assert_eq!(canonical(&text), Some(wanted.to_owned()), "{}", text);
    }

    #[test]
    fn any_text_is_a_canonical_decimal_or_rejected(text in ".{0,40}|[0-9eE+.-]{0,40}|[+-]?[0-9]{0,40}[.]?[0-9]{0,9}([eE][+-]?[0-9]{1,4})?") {
        if let Some(found) = canonical(&text) {
            let digits = found.strip_prefix('-').unwrap_or(&found);
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
            prop_assert!((1..=32).contains(&whole.len()) && fraction.len() <= 6, "{} of {}", found, text);
            prop_assert!(digits.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
        }
    }
}
