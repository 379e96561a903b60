//! The pace of calls in one process.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    num::NonZeroU32,
    str::FromStr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use governor::{DefaultDirectRateLimiter, Quota};

use crate::{Error, run::Reach};

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

    /// Which statements it gives.
    pub fn reach(self) -> Reach {
        match self {
            FmpPlan::Free => Reach { most_statements: Some(5), quarterly: false },
            FmpPlan::Starter => Reach { most_statements: None, quarterly: false },
            _ => Reach::default(),
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

/// Shut for everybody while FMP says that the limit of calls is reached.
pub(super) struct Gate {
    first: Duration,
    shut: Mutex<Shut>,
}

#[derive(Default)]
struct Shut {
    until: Option<Instant>,
    /// Times in a row that it was shut.
    streak: u32,
}

impl Gate {
    pub(super) fn new(first: Duration) -> Self {
        Gate { first, shut: Mutex::default() }
    }

    /// Waits until it is open, and a moment of its own so that not all go at once.
    pub(super) async fn wait(&self) {
        loop {
            let shut = self.shut().until.filter(|until| *until > Instant::now());
            let Some(until) = shut else { return };
            let moment = self.first.mul_f64((RandomState::new().hash_one(until) % 400) as f64 / 1e3);
            tokio::time::sleep_until((until + moment).into()).await;
        }
    }

    /// Shuts it: for as long as FMP says, or twice as long as the time before.
    pub(super) fn close(&self, after: Option<Duration>) {
        let mut shut = self.shut();
        let now = Instant::now();
        // Calls that were under way when it was shut say nothing new.
        if shut.until.is_some_and(|until| until > now) {
            return;
        }
        let pause = after.unwrap_or_else(|| self.first * 2u32.saturating_pow(shut.streak.min(6)).min(30));
        shut.until = Some(now + pause);
        shut.streak += 1;
    }

    /// A call got through.
    pub(super) fn open(&self) {
        self.shut().streak = 0;
    }

    fn shut(&self) -> MutexGuard<'_, Shut> {
        self.shut.lock().unwrap_or_else(PoisonError::into_inner)
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
