//! The New York Stock Exchange's full trading days, by rule from 2000 on. Early closes are trading days.

use chrono::{Datelike, Duration, NaiveDate, Weekday};

/// First day of the calendar: no price of this world is older.
pub(super) const FIRST_YEAR: i32 = 2000;

/// The trading days up to a day, numbered; day numbers never change when the last day moves.
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
        let mut holidays = holidays(day.year());
        while day <= last {
            if !weekend(day) && !holidays.contains(&day) && !closed_once(day) {
                days.push(day);
            }
            let next = day + Duration::days(1);
            if next.year() != day.year() {
                holidays = self::holidays(next.year());
            }
            day = next;
        }
        Calendar { days }
    }

    /// Number of the first trading day on or after `date`; `len()` if there is none.
    pub(super) fn at_or_after(&self, date: NaiveDate) -> usize {
        self.days.partition_point(|d| *d < date)
    }

    /// Number of the last trading day on or before `date`.
    pub(super) fn at_or_before(&self, date: NaiveDate) -> Option<usize> {
        self.days.partition_point(|d| *d <= date).checked_sub(1)
    }

    /// The day with this number.
    pub(super) fn day(&self, number: usize) -> Option<NaiveDate> {
        self.days.get(number).copied()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.days.len()
    }
}

/// Whether it is a Saturday or a Sunday.
pub(super) fn weekend(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

/// Days on which the exchange was closed for no yearly reason: September 2001, funerals, hurricane Sandy.
fn closed_once(day: NaiveDate) -> bool {
    const DAYS: [(i32, u32, u32); 10] = [
        (2001, 9, 11),
        (2001, 9, 12),
        (2001, 9, 13),
        (2001, 9, 14),
        (2004, 6, 11),
        (2007, 1, 2),
        (2012, 10, 29),
        (2012, 10, 30),
        (2018, 12, 5),
        (2025, 1, 9),
    ];
    DAYS.contains(&(day.year(), day.month(), day.day()))
}

/// The yearly full-day holidays of a year, as observed.
fn holidays(year: i32) -> Vec<NaiveDate> {
    let mut days = Vec::with_capacity(10);
    let fixed = |month, day| NaiveDate::from_ymd_opt(year, month, day);
    // New Year's Day on a Saturday is not made up for: the Friday before ends the old year.
    days.extend(fixed(1, 1).filter(|d| d.weekday() != Weekday::Sat).map(observed));
    days.extend(NaiveDate::from_weekday_of_month_opt(year, 1, Weekday::Mon, 3));
    days.extend(NaiveDate::from_weekday_of_month_opt(year, 2, Weekday::Mon, 3));
    days.extend(easter(year).map(|d| d - Duration::days(2)));
    days.extend(fixed(5, 31).map(|d| d - Duration::days(i64::from(d.weekday().num_days_from_monday()))));
    if year >= 2022 {
        days.extend(fixed(6, 19).map(observed));
    }
    days.extend(fixed(7, 4).map(observed));
    days.extend(NaiveDate::from_weekday_of_month_opt(year, 9, Weekday::Mon, 1));
    days.extend(NaiveDate::from_weekday_of_month_opt(year, 11, Weekday::Thu, 4));
    days.extend(fixed(12, 25).map(observed));
    days
}

fn observed(day: NaiveDate) -> NaiveDate {
    match day.weekday() {
        Weekday::Sat => day - Duration::days(1),
        Weekday::Sun => day + Duration::days(1),
        _ => day,
    }
}

/// Easter Sunday (Gregorian; the anonymous algorithm of 1876).
fn easter(year: i32) -> Option<NaiveDate> {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - b / 4 - g + 15) % 30;
    let m = (a + 11 * h) / 319;
    let l = (2 * (b % 4) + 2 * (c / 4) - c % 4 - h + m + 32) % 7;
    let month = (h - m + l + 90) / 25;
    let day = (h - m + l + month + 19) % 32;
    NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).expect("date")
    }

    #[test]
    fn a_year_of_trading_days_is_what_the_exchange_had() {
        let calendar = Calendar::until(date(2025, 12, 31));
        let in_year = |y| (0..calendar.len()).filter(|i| calendar.day(*i).is_some_and(|d| d.year() == y)).count();
        assert_eq!((in_year(2001), in_year(2012), in_year(2023)), (248, 250, 250));
        assert_eq!((in_year(2024), in_year(2025)), (252, 250));
        for closed in [date(2024, 3, 29), date(2021, 4, 2), date(2022, 6, 20), date(2021, 7, 5), date(2024, 11, 28)] {
            assert_ne!(calendar.day(calendar.at_or_after(closed)), Some(closed));
        }
        assert_eq!(calendar.day(calendar.at_or_after(date(2021, 12, 31))), Some(date(2021, 12, 31)));
    }
}
