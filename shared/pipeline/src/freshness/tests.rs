use super::*;

fn days(from: &str, to: &str) -> Days {
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    Days { from, to, newest: Some(to), since: None, own: None }
}

#[test]
fn a_gap_left_by_a_failed_part_does_not_count_as_fetched() {
    let (old, new) = (days("2000-01-01", "2004-12-31"), days("2010-01-01", "2026-11-20"));
    assert_eq!(joined(Some(old), new), new);
    assert_eq!(joined(Some(new), old), new);
    let between = days("2005-01-01", "2009-12-31");
    assert_eq!(joined(Some(joined(Some(old), between)), new), days("2000-01-01", "2026-11-20"));
}

#[test]
fn a_refetch_is_done_once_it_covers_the_whole_series() {
    let whole = days("1995-01-01", "2026-11-20");
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let due = Refetch { on: day("2026-11-20"), done: None };
    let first = due.after(day("1995-01-01"), day("2009-12-31"), whole).unwrap();
    assert_eq!(first.after(day("2010-01-01"), day("2026-11-20"), whole), None);
    assert_eq!(due.after(day("1994-01-01"), day("2026-11-23"), whole), None);
    // A part between two others failed: the last part alone is not the whole.
    assert!(first.after(day("2020-01-01"), day("2026-11-20"), whole).is_some());
}

#[test]
fn a_series_is_as_old_as_its_oldest_part() {
    let at = |text: &str| text.parse::<DateTime<Utc>>().ok();
    let old = Days {
        since: at("2026-01-05T22:00:00Z"),
        ..days("2021-01-01", "2026-01-05")
    };
    let new = Days {
        since: at("2026-01-06T22:00:00Z"),
        ..days("2026-01-01", "2026-01-06")
    };
    assert_eq!(joined(Some(old), new).since, old.since);
    let whole = Days { since: new.since, ..days("2021-01-01", "2026-01-06") };
    assert_eq!(joined(Some(old), whole).since, new.since);
}

#[test]
fn days_from_quotes_stay_marked_until_the_series_covers_them() {
    let whole = days("2026-01-01", "2026-11-16");
    let quoted = |day: &str, own: &str| Days { own: own.parse().ok(), ..days(day, day) };
    let two = joined(
        Some(joined(Some(whole), quoted("2026-11-17", "2026-11-16"))),
        quoted("2026-11-18", "2026-11-16"),
    );
    assert_eq!(
        (two.last_own().to_string(), two.to.to_string()),
        ("2026-11-16".into(), "2026-11-18".into())
    );
    // A later bar of the series leaves the mark; a range from before the quotes removes it.
    let behind = joined(Some(two), days("2026-11-19", "2026-11-19"));
    assert_eq!(behind.last_own().to_string(), "2026-11-16");
    assert_eq!(joined(Some(behind), days("2026-11-13", "2026-11-19")).own, None);
}
