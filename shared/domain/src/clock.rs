//! The clock for planning, freshness and as-of queries. The entry points create it and pass it in.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

/// The current time for planning, freshness and as-of queries. Rate limits and timeouts use the
/// real clock.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> DateTime<Utc>;

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
            AnyClock::Day(clock) => clock.now(),
        }
    }
}
