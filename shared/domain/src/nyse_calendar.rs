//! Trading days of the New York Stock Exchange, from its full-day holidays and its regular opening
//! and closing times.
//!
//! The holidays are those of NYSE Rule 7.2. Unscheduled closures are listed by date.

use chrono::{
    DateTime, Datelike, Days, Duration, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc,
    Weekday,
};
use chrono_tz::America::New_York;

/// Days since 2001 on which the exchange was closed, although its calendar had a session.
const UNSCHEDULED: &[(i32, u32, u32)] = &[
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

/// Returns whether the exchange has a session on this day.
pub fn is_trading_day(day: NaiveDate) -> bool {
    !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
        && !is_holiday(day)
        && !UNSCHEDULED.contains(&(day.year(), day.month(), day.day()))
}

/// Returns the last session that had closed by `now`. Assumes the regular close at 16:00 New York
/// time.
pub fn last_closed_session(now: DateTime<Utc>) -> NaiveDate {
    let local = now.with_timezone(&New_York);
    let today = local.date_naive();
    if is_trading_day(today) && local.time() >= close() {
        return today;
    }
    let mut day = today - Days::new(1);
    while !is_trading_day(day) {
        day = day - Days::new(1);
    }
    day
}

/// Returns the date in New York at an instant. Dividends and splits take effect on New York dates.
pub fn new_york_date(now: DateTime<Utc>) -> NaiveDate {
    now.with_timezone(&New_York).date_naive()
}

/// Converts a New York time to UTC, because FMP writes New York times without an offset. An
/// ambiguous time, in the hour that is repeated in autumn, is read as the earlier instant. A time
/// in the hour that is skipped in spring is read as standard time.
pub fn from_new_york(local: NaiveDateTime) -> NaiveDateTime {
    match New_York.from_local_datetime(&local) {
        LocalResult::Single(t) | LocalResult::Ambiguous(t, _) => t.with_timezone(&Utc).naive_utc(),
        LocalResult::None => local + Duration::hours(5),
    }
}

/// Returns the regular close of a session in UTC.
pub fn close_of(day: NaiveDate) -> DateTime<Utc> {
    from_new_york(day.and_time(close())).and_utc()
}

/// Returns the regular opening of the first session after a day, in UTC.
pub fn next_opening(day: NaiveDate) -> DateTime<Utc> {
    let mut next = day + Days::new(1);
    while !is_trading_day(next) {
        next = next + Days::new(1);
    }
    from_new_york(next.and_time(NaiveTime::from_hms_opt(9, 30, 0).unwrap_or_default())).and_utc()
}

/// Returns the number of sessions later than `after`, up to and including `to`.
pub fn sessions(after: NaiveDate, to: NaiveDate) -> usize {
    after
        .iter_days()
        .skip(1)
        .take_while(|day| *day <= to)
        .filter(|day| is_trading_day(*day))
        .count()
}

fn close() -> NaiveTime {
    NaiveTime::from_hms_opt(16, 0, 0).unwrap_or_default()
}

fn is_holiday(day: NaiveDate) -> bool {
    let year = day.year();
    let fixed = |month, date| NaiveDate::from_ymd_opt(year, month, date);
    // A holiday on a Saturday is observed on Friday, and a holiday on a Sunday on Monday. The
    // exception is New Year's Day on a Saturday, which is not observed.
    let observed = |holiday: Option<NaiveDate>, on_friday_too: bool| {
        holiday.is_some_and(|h| match h.weekday() {
            Weekday::Sat => on_friday_too && day == h - Days::new(1),
            Weekday::Sun => day == h + Days::new(1),
            _ => day == h,
        })
    };
    let nth = |month, weekday, n| NaiveDate::from_weekday_of_month_opt(year, month, weekday, n) == Some(day);
    let last_monday_of_may = day.month() == 5 && day.weekday() == Weekday::Mon && day.day() > 24;
    observed(fixed(1, 1), false)
        || (year >= 1998 && nth(1, Weekday::Mon, 3))
        || nth(2, Weekday::Mon, 3)
        || day == easter_sunday(year) - Days::new(2)
        || last_monday_of_may
        || (year >= 2022 && observed(fixed(6, 19), true))
        || observed(fixed(7, 4), true)
        || nth(9, Weekday::Mon, 1)
        || nth(11, Weekday::Thu, 4)
        || observed(fixed(12, 25), true)
}

/// Computes Easter Sunday with the anonymous Gregorian algorithm (Meeus, Astronomical Algorithms,
/// ch. 8).
fn easter_sunday(year: i32) -> NaiveDate {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let month = (h + l - 7 * m + 114) / 31;
    let day = (h + l - 7 * m + 114) % 31 + 1;
    NaiveDate::from_ymd_opt(year, month as u32, day as u32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn holidays_of_the_exchange_have_no_session() {
        for holiday in [
            "2024-01-01",
            "2024-01-15",
            "2024-02-19",
            "2024-03-29",
            "2024-05-27",
            "2024-06-19",
            "2024-07-04",
            "2024-09-02",
            "2024-11-28",
            "2024-12-25",
            "2025-01-09",
            "2025-04-18",
            "2026-07-03",
            "2023-01-02",
        ] {
            assert!(!is_trading_day(day(holiday)), "{holiday}");
        }
        for session in ["2021-12-31", "2024-07-05", "2021-06-18", "2024-11-29", "2026-11-20"] {
            assert!(is_trading_day(day(session)), "{session}");
        }
        let sessions = |year: i32| {
            NaiveDate::from_ymd_opt(year, 1, 1)
                .unwrap()
                .iter_days()
                .take_while(|d| d.year() == year)
                .filter(|d| is_trading_day(*d))
                .count()
        };
        assert_eq!((sessions(2023), sessions(2024), sessions(2025)), (250, 252, 250));
    }

    #[test]
    fn the_last_closed_session_follows_new_york_daylight_saving_time() {
        let at = |text: &str| last_closed_session(text.parse::<DateTime<Utc>>().unwrap());
        assert_eq!(at("2024-07-05T19:59:59Z"), day("2024-07-03"));
        assert_eq!(at("2024-07-05T20:00:00Z"), day("2024-07-05"));
        assert_eq!(at("2024-12-02T20:30:00Z"), day("2024-11-29"));
        assert_eq!(at("2024-12-02T21:00:00Z"), day("2024-12-02"));
        assert_eq!(at("2026-11-22T23:00:00Z"), day("2026-11-20"));
        assert_eq!(close_of(day("2024-07-05")).to_rfc3339(), "2024-07-05T20:00:00+00:00");
    }
}
