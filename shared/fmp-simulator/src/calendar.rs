//! The trading days of the New York Stock Exchange from 2000 on, numbered from 0.

use chrono::{Datelike, Duration, NaiveDate, Weekday};
use findata_domain::nyse_calendar::is_trading_day;

/// First year of the calendar. The simulator has no older prices.
pub(super) const FIRST_YEAR: i32 = 2000;

/// The trading days up to a given day, numbered from 0. The number of a day does not depend on the
/// last day.
#[derive(Debug)]
pub(super) struct Calendar {
    days: Vec<NaiveDate>,
}

impl Calendar {
    /// All trading days from 2000 to `last` (inclusive).
    pub(super) fn until(last: NaiveDate) -> Self {
        let Some(mut day) = NaiveDate::from_ymd_opt(FIRST_YEAR, 1, 3) else {
            return Calendar { days: Vec::new() };
        };
        let mut days = Vec::with_capacity(8_000);
        while day <= last {
            if is_trading_day(day) {
                days.push(day);
            }
            day += Duration::days(1);
        }
        Calendar { days }
    }

    /// Number of the first trading day on or after `date`; `len()` if the calendar has no such day.
    pub(super) fn at_or_after(&self, date: NaiveDate) -> usize {
        self.days.partition_point(|d| *d < date)
    }

    /// Number of the last trading day on or before `date`; `None` if the calendar has no such day.
    pub(super) fn at_or_before(&self, date: NaiveDate) -> Option<usize> {
        self.days.partition_point(|d| *d <= date).checked_sub(1)
    }

    /// The trading day with this number.
    pub(super) fn day(&self, number: usize) -> Option<NaiveDate> {
        self.days.get(number).copied()
    }

    /// The number of trading days.
    pub(super) fn len(&self) -> usize {
        self.days.len()
    }
}

/// Whether `day` is a Saturday or a Sunday.
pub(super) fn weekend(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).expect("date")
    }

    #[test]
    fn trading_days_match_those_of_the_exchange() {
        let calendar = Calendar::until(date(2025, 12, 31));
        let in_year =
            |y| (0..calendar.len()).filter(|i| calendar.day(*i).is_some_and(|d| d.year() == y)).count();
        assert_eq!((in_year(2001), in_year(2012), in_year(2023)), (248, 250, 250));
        assert_eq!((in_year(2024), in_year(2025)), (252, 250));
        for closed in [
            date(2024, 3, 29),
            date(2021, 4, 2),
            date(2022, 6, 20),
            date(2021, 7, 5),
            date(2024, 11, 28),
        ] {
            assert_ne!(calendar.day(calendar.at_or_after(closed)), Some(closed));
        }
        assert_eq!(calendar.day(calendar.at_or_after(date(2021, 12, 31))), Some(date(2021, 12, 31)));
    }
}
