//! Parses the days that users write in options and requests.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{Error, Result};

/// Accepted years. There is no market data outside these years, and days near the end of chrono's
/// range (the year 262142) would overflow in date arithmetic.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2200;

/// Parses a day such as `2026-11-20`.
///
/// # Errors
/// `Reject` if the text is not a day, or not a day from 1900 to 2200.
pub fn parse(text: &str) -> Result<NaiveDate> {
    let day: NaiveDate = text
        .parse()
        .map_err(|_| Error::Reject(format!("{text:?} is not a date: write it as 2026-11-20")))?;
    if YEARS.contains(&day.year()) {
        Ok(day)
    } else {
        Err(Error::Reject(format!("{text:?} is out of range: use a date from 1900 to 2200")))
    }
}

/// Deserializes an optional day with the rules of [`parse`].
///
/// # Errors The deserializer's error if [`parse`] rejects the value.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NaiveDate>, D::Error> {
    let text: Option<String> = Option::deserialize(from)?;
    text.map(|text| parse(&text)).transpose().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_with_market_data_are_accepted() {
        for good in ["1900-01-01", "2026-11-20", "2200-12-31"] {
            assert_eq!(parse(good).unwrap().to_string(), good);
        }
        for bad in ["+262142-12-31", "-262143-01-01", "1899-12-31", "2201-01-01", "0000-01-01"] {
            assert!(parse(bad).unwrap_err().to_string().contains("1900"), "{bad}");
        }
        for bad in ["", "tomorrow", "2026-02-30", "20.11.2026"] {
            assert!(parse(bad).unwrap_err().to_string().contains("is not a date"), "{bad}");
        }
    }
}
