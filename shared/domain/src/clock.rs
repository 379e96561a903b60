//! The clock of planning, freshness and as-of, read at the edge and passed in.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

/// Says what time it is for planning, freshness and as-of. Budgets and time-outs use the real clock.
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

/// A clock that stands still at 23:00 UTC of one day, after New York's close in summer and winter.
#[derive(Debug, Clone, Copy)]
pub struct DayClock(pub NaiveDate);

impl Clock for DayClock {
    fn now(&self) -> DateTime<Utc> {
        let evening = NaiveTime::from_hms_opt(23, 0, 0).unwrap_or_default();
        self.0.and_time(evening).and_utc()
    }
}

/// The clock of a day that was named, or the machine's.
#[derive(Debug, Clone, Copy)]
pub enum AnyClock {
    /// The machine's.
    System(SystemClock),
    /// That of one day.
    Day(DayClock),
}

impl AnyClock {
    /// That of a day, or the machine's where none is named.
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
