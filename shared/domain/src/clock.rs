//! The clock for planning, freshness and as-of queries. The entry points create it and pass it in.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// How far the clocks of two machines may differ.
const MAX_SKEW: TimeDelta = TimeDelta::minutes(5);

/// Whether a stored moment lies ahead of `now`, so that it was written while a clock was ahead: by a
/// machine whose clock was wrong, or by a run that was planned for a later day.
pub fn is_ahead(stored: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    stored > now + MAX_SKEW
}

/// Whether a stored moment is less than `limit` ago. A moment ahead of `now` is not.
pub fn is_recent(stored: DateTime<Utc>, limit: TimeDelta, now: DateTime<Utc>) -> bool {
    !is_ahead(stored, now) && now - stored < limit
}

/// The current time for planning, freshness and as-of queries. Rate limits and timeouts use the
/// real clock.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> DateTime<Utc>;

    /// The newest moment at which data can have been received. It is later than [`Clock::now`] if a
    /// run is planned for an earlier day while FMP answers as of the real one.
    fn latest(&self) -> DateTime<Utc> {
        self.now()
    }

    /// Today's date in UTC.
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

/// A clock fixed at 23:00 UTC of one day, which is after New York's close in summer and winter.
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
    /// The clock of a fixed day.
    Day(DayClock),
    /// The clock of a fixed day for planning, while data is received by the machine's clock.
    PlannedDay(DayClock),
}

impl AnyClock {
    /// The clock of `day`, or the machine's for `None`.
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
    fn a_moment_ahead_of_the_clock_is_never_recent() {
        let now: DateTime<Utc> = "2026-11-20T23:00:00Z".parse().unwrap();
        let recent = |stored: TimeDelta| is_recent(now + stored, TimeDelta::days(1), now);
        assert!(recent(TimeDelta::zero()) && recent(-TimeDelta::hours(23)));
        assert!(!recent(-TimeDelta::days(1)) && !recent(TimeDelta::hours(1)));
        assert!(recent(TimeDelta::minutes(2)), "two machines' clocks differ a little");
    }

    #[test]
    fn data_of_a_planned_day_may_have_been_received_since() {
        let day = DayClock("2000-01-03".parse().unwrap());
        assert_eq!(AnyClock::Day(day).latest(), day.now());
        assert!(AnyClock::PlannedDay(day).latest() > day.now());
    }
}
