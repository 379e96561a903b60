//! Times to live that the user sets for datasets. They replace the defaults of the catalog.

use std::{collections::BTreeMap, fmt, str::FromStr};

use chrono::Duration;
use serde::{Deserialize, Serialize};

use findata_domain::{
    Error,
    catalog::{self, CATALOG, Dataset, Freshness},
};

/// Times to live by dataset. The text form is `profile=7d,income_statement=12h`, with minutes (m),
/// hours (h) or days (d).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TtlOverrides(BTreeMap<&'static str, u32>);

impl TtlOverrides {
    /// Returns the time to live of a dataset, if the user set one.
    pub fn of(&self, dataset: &Dataset) -> Option<Duration> {
        self.0.get(dataset.name).map(|minutes| Duration::minutes((*minutes).into()))
    }

    /// Returns whether the user set no time to live.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for TtlOverrides {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |part: &str, why: &str| {
            Error::Config(format!(
                "{part:?}: {why}; write DATASET=TIME with a unit m, h or d, such as profile=7d,income_statement=12h"
            ))
        };
        let mut found = BTreeMap::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, time) = part.split_once('=').ok_or_else(|| wrong(part, "= is missing"))?;
            // A follow-up dataset has no time to live: its age never triggers a request.
            let has_ttl = |d: &&Dataset| !matches!(d.freshness, Freshness::UntilNextClose) && !d.follow_up;
            let names = || CATALOG.iter().filter(has_ttl).map(|d| d.name).collect::<Vec<_>>().join(", ");
            let dataset = catalog::dataset(name).filter(has_ttl);
            let dataset = dataset.ok_or_else(|| {
                wrong(part, &format!("only these datasets have a time to live: {}", names()))
            })?;
            let time = time.trim();
            let minutes = match time.split_at_checked(time.len().saturating_sub(1)) {
                Some((number, "m")) => number.parse().ok(),
                Some((number, "h")) => number.parse().ok().and_then(|hours: u32| hours.checked_mul(60)),
                Some((number, "d")) => number.parse().ok().and_then(|days: u32| days.checked_mul(24 * 60)),
                _ => None,
            };
            found.insert(dataset.name, minutes.ok_or_else(|| wrong(part, "the time is invalid"))?);
        }
        Ok(TtlOverrides(found))
    }
}

impl fmt::Display for TtlOverrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (dataset, minutes)) in self.0.iter().enumerate() {
            write!(f, "{}{dataset}={minutes}m", if i > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl TryFrom<String> for TtlOverrides {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<TtlOverrides> for String {
    fn from(overrides: TtlOverrides) -> String {
        overrides.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_live_are_parsed_by_dataset() {
        let read: TtlOverrides = "profile=7d, income-statement=12h,dividends=30m".parse().unwrap();
        let of = |name| read.of(catalog::dataset(name).unwrap());
        assert_eq!(
            (of("profile"), of("income_statement")),
            (Some(Duration::days(7)), Some(Duration::hours(12)))
        );
        assert_eq!((of("dividends"), of("splits")), (Some(Duration::minutes(30)), None));
        assert_eq!(read.to_string().parse::<TtlOverrides>().unwrap(), read);
        for wrong in [
            "profile",
            "profile=7",
            "profile=d",
            "nothing=1d",
            "prices=1d",
            "shares_float=1d",
            "profile=-1d",
            "profile=9999999d",
        ] {
            assert!(matches!(wrong.parse::<TtlOverrides>(), Err(Error::Config(_))), "{wrong}");
        }
    }
}
