//! The pace of calls in one process.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use governor::{DefaultDirectRateLimiter, Quota};

use crate::Error;

/// What the key may do: calls a minute, by the plan's name or as a number (FMP's pricing page, July 2026).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FmpPlan {
    /// 250 calls a day.
    Free,
    /// 300 calls a minute.
    Starter,
    /// 750 calls a minute.
    Premium,
    /// 3,000 calls a minute.
    Ultimate,
    /// That many calls a minute.
    PerMinute(NonZeroU32),
    /// No limit: a server of one's own.
    Unlimited,
}

impl FmpPlan {
    /// Calls a minute.
    pub fn per_minute(self) -> Option<u32> {
        match self {
            // The free plan is limited by the day; spread so that a burst does not trip its unwritten limit.
            FmpPlan::Free | FmpPlan::Starter => Some(300),
            FmpPlan::Premium => Some(750),
            FmpPlan::Ultimate => Some(3_000),
            FmpPlan::PerMinute(calls) => Some(calls.get()),
            FmpPlan::Unlimited => None,
        }
    }

    /// Calls a UTC day.
    pub fn per_day(self) -> Option<u64> {
        (self == FmpPlan::Free).then_some(250)
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
                    "{text:?} is no FMP plan: use free, starter, premium, ultimate, unlimited or calls a minute"
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

/// Spaces calls so that no 60-second window holds more than the limit.
pub(super) struct Pace(Option<DefaultDirectRateLimiter>);

impl Pace {
    pub(super) fn new(per_minute: Option<u32>) -> Self {
        Pace(per_minute.and_then(|limit| {
            // A bucket lets `burst + rate` calls through in its fullest minute, so both must fit the limit.
            let burst = NonZeroU32::new((limit / 20).max(1))?;
            let rate = NonZeroU32::new(limit.saturating_sub(burst.get()).max(1))?;
            let quota = Quota::with_period(Duration::from_secs(60) / rate.get())?.allow_burst(burst);
            Some(DefaultDirectRateLimiter::direct(quota))
        }))
    }

    pub(super) async fn wait(&self) {
        if let Some(limiter) = &self.0 {
            limiter.until_ready().await;
        }
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
}
