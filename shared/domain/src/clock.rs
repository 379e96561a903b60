//! The clock for planning, freshness and as-of queries. Each program's entry point creates the
//! clock and passes it to its functions.

use std::{num::NonZeroU16, str::FromStr, time::Duration};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// Accepted difference between the clocks of two machines.
const MAX_SKEW: TimeDelta = TimeDelta::minutes(5);

/// Returns whether a stored time is later than `now`. Such a time was written by a machine whose
/// clock was ahead, or by a run that was planned for a later day.
pub fn is_ahead(stored: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    stored > now + MAX_SKEW
}

/// Returns whether a stored time is less than `limit` before `now`. Returns false for a time later
/// than `now`.
pub fn is_recent(stored: DateTime<Utc>, limit: TimeDelta, now: DateTime<Utc>) -> bool {
    !is_ahead(stored, now) && now - stored < limit
}

/// A divisor of timeouts, pauses and delays. It is 1 except in tests of long outages, which set it with
/// `FINDATA_TIME_SCALE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeScale(NonZeroU16);

impl TimeScale {
    /// Returns the part of a time that the program waits.
    pub fn wait(self, time: Duration) -> Duration {
        time / u32::from(self.0.get())
    }

    /// Like [`TimeScale::wait`], for a difference between two points in time.
    pub fn delay(self, time: TimeDelta) -> TimeDelta {
        time / i32::from(self.0.get())
    }
}

impl Default for TimeScale {
    fn default() -> Self {
        TimeScale(NonZeroU16::MIN)
    }
}

impl FromStr for TimeScale {
    type Err = <NonZeroU16 as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(TimeScale)
    }
}

/// Tells the current time for planning, freshness and as-of queries. Rate limits and timeouts
/// always use the system clock.
pub trait Clock: Send + Sync {
    /// Returns the current time in UTC.
    fn now(&self) -> DateTime<Utc>;

    /// Returns the latest time at which data can have been received. If a run is planned for a past
    /// day, this time is later than [`Clock::now`]: the data is received today.
    fn latest(&self) -> DateTime<Utc> {
        self.now()
    }

    /// Returns today's date in UTC.
    fn today(&self) -> NaiveDate {
        self.now().date_naive()
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that always shows 23:00 UTC of one day. This is after the New York close, in summer and
/// in winter.
#[derive(Debug, Clone, Copy)]
pub struct DayClock(pub NaiveDate);

impl Clock for DayClock {
    fn now(&self) -> DateTime<Utc> {
        let evening = NaiveTime::from_hms_opt(23, 0, 0).unwrap_or_default();
        self.0.and_time(evening).and_utc()
    }
}

/// The system clock, or a clock fixed to one day.
#[derive(Debug, Clone, Copy)]
pub enum AnyClock {
    /// The machine's clock.
    System(SystemClock),
    /// A clock fixed to one day.
    Day(DayClock),
    /// A clock fixed to one day for planning. The machine's clock gives the time at which data is
    /// received.
    PlannedDay(DayClock),
}

impl AnyClock {
    /// Returns a clock fixed to `day`, or the machine's clock for `None`.
    pub fn of(day: Option<NaiveDate>) -> Self {
        day.map_or(AnyClock::System(SystemClock), |day| AnyClock::Day(DayClock(day)))
    }
}

impl Clock for AnyClock {
    fn now(&self) -> DateTime<Utc> {
        match self {
            AnyClock::System(clock) => clock.now(),
            AnyClock::Day(clock) | AnyClock::PlannedDay(clock) => clock.now(),
        }
    }

    fn latest(&self) -> DateTime<Utc> {
        match self {
            AnyClock::PlannedDay(clock) => clock.now().max(SystemClock.now()),
            AnyClock::System(_) | AnyClock::Day(_) => self.now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_after_now_is_never_recent() {
        let now: DateTime<Utc> = "2026-11-20T23:00:00Z".parse().unwrap();
        let recent = |stored: TimeDelta| is_recent(now + stored, TimeDelta::days(1), now);
        assert!(recent(TimeDelta::zero()) && recent(-TimeDelta::hours(23)));
        assert!(!recent(-TimeDelta::days(1)) && !recent(TimeDelta::hours(1)));
        assert!(recent(TimeDelta::minutes(2)), "the clocks of two machines may differ by minutes");
    }

    #[test]
    fn data_may_have_been_received_after_the_planned_day() {
        let day = DayClock("2000-01-03".parse().unwrap());
        assert_eq!(AnyClock::Day(day).latest(), day.now());
        assert!(AnyClock::PlannedDay(day).latest() > day.now());
    }
}
