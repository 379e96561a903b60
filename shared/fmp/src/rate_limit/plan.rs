//! FMP's plans and their limits.

use std::{fmt, num::NonZeroU32, str::FromStr};

use crate::SourceKind;
use findata_domain::Error;
use findata_pipeline::run::PlanLimits;

/// The FMP plan of a key: a named plan of FMP's pricing page (July 2026) or a number of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FmpPlan {
    /// 250 calls per day.
    Free,
    /// 300 calls per minute.
    Starter,
    /// 750 calls per minute.
    Premium,
    /// 3,000 calls per minute.
    Ultimate,
    /// A plan with this many calls per minute.
    PerMinute(NonZeroU32),
    /// No limit, for a server other than FMP.
    Unlimited,
}

impl FmpPlan {
    /// Calls per minute; `None` without a limit.
    pub fn per_minute(self) -> Option<u32> {
        match self {
            // FMP does not document a limit per minute for the free plan. 300 is the lowest
            // documented one.
            FmpPlan::Free | FmpPlan::Starter => Some(300),
            FmpPlan::Premium => Some(750),
            FmpPlan::Ultimate => Some(3_000),
            FmpPlan::PerMinute(calls) => Some(calls.get()),
            FmpPlan::Unlimited => None,
        }
    }

    /// The limits that the planner respects for this plan and kind of server.
    pub fn plan_limits(self, source: SourceKind) -> PlanLimits {
        let all = PlanLimits {
            minimize_calls: self != FmpPlan::Unlimited,
            bulk: self == FmpPlan::Ultimate,
            bulk_pause: source.bulk_pause().as_secs(),
            // FMP does not say which plans include it: the smaller plans are limited to a few calls or years.
            market_cap_history: !matches!(self, FmpPlan::Free | FmpPlan::Starter),
            per_minute: self.per_minute(),
            ..PlanLimits::default()
        };
        match self {
            FmpPlan::Free => PlanLimits {
                most_statements: Some(5),
                quarterly: false,
                symbol_changes: false,
                ..all
            },
            FmpPlan::Starter => PlanLimits { quarterly: false, ..all },
            _ => all,
        }
    }

    /// The limits that the rate limiter enforces. FMP's pricing page (July 2026) lists a bandwidth
    /// for Starter only.
    pub fn limits(self) -> Limits {
        Limits {
            per_minute: self.per_minute(),
            burst: None,
            per_day: (self == FmpPlan::Free).then_some(250),
            bytes: (self == FmpPlan::Starter).then_some(20_000_000_000),
        }
    }
}

impl FromStr for FmpPlan {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.trim().to_ascii_lowercase().as_str() {
            "free" | "basic" => Ok(FmpPlan::Free),
            "starter" => Ok(FmpPlan::Starter),
            "premium" => Ok(FmpPlan::Premium),
            "ultimate" => Ok(FmpPlan::Ultimate),
            "unlimited" => Ok(FmpPlan::Unlimited),
            number => number.parse().map(FmpPlan::PerMinute).map_err(|_| {
                Error::Config(format!(
                    "{text:?} is not an FMP plan: use free, starter, premium, ultimate, unlimited, \
                     or a number of calls per minute"
                ))
            }),
        }
    }
}

impl fmt::Display for FmpPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FmpPlan::Free => f.write_str("free"),
            FmpPlan::Starter => f.write_str("starter"),
            FmpPlan::Premium => f.write_str("premium"),
            FmpPlan::Ultimate => f.write_str("ultimate"),
            FmpPlan::PerMinute(calls) => write!(f, "{calls} a minute"),
            FmpPlan::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// The limits of one key. All clients with the key share them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of calls in any 60 seconds.
    pub per_minute: Option<u32>,
    /// Maximum number of calls made at once, if lower than `per_minute`.
    pub burst: Option<u32>,
    /// Maximum number of calls in a UTC day.
    pub per_day: Option<u64>,
    /// Maximum number of bytes in 30 days.
    pub bytes: Option<u64>,
}

impl Limits {
    /// Sets the limit on calls made at once, and replaces the bandwidth limit if `bytes` is set.
    #[must_use]
    pub fn with(self, bytes: Option<u64>, burst: Option<NonZeroU32>) -> Self {
        Limits {
            bytes: bytes.or(self.bytes),
            burst: burst.map(NonZeroU32::get),
            ..self
        }
    }

    /// Whether the key has any limit.
    pub fn any(&self) -> bool {
        *self != Limits::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_read_by_name_or_number() {
        assert_eq!("premium".parse(), Ok(FmpPlan::Premium));
        assert_eq!("90".parse::<FmpPlan>().map(FmpPlan::per_minute), Ok(Some(90)));
        assert!("0".parse::<FmpPlan>().is_err() && "fast".parse::<FmpPlan>().is_err());
    }

    #[test]
    fn only_an_unlimited_plan_has_no_limit() {
        assert!(!FmpPlan::Unlimited.limits().any());
        assert_eq!(FmpPlan::Free.limits().per_day, Some(250));
        assert_eq!(FmpPlan::Starter.limits().bytes, Some(20_000_000_000));
    }
}
