//! Finds new and changed dividends and splits in the market-wide calendars.

use std::collections::BTreeMap;

use chrono::{Days, Duration, NaiveDate};
use findata_domain::{Result, Symbol, catalog::ChangeSource, hash, nyse_calendar, rows};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    Feeds, MarketReader,
    feed::{Change, ChangeFeed},
};

/// How many days ahead of today a calendar is read.
const AHEAD: Days = Days::new(60);
/// How many days back a calendar is read. After a longer pause between two readings, changes may
/// have been missed.
const BACK: Days = Days::new(7);
/// Number of rows at which FMP truncates an answer. FMP drops the earliest rows.
const TRUNCATED_AT: usize = 4_000;
/// How long a reading of a calendar counts as fresh.
pub(crate) const TTL: Duration = Duration::hours(20);

/// A market-wide calendar: its endpoint, and the feed that it updates.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calendar {
    endpoint: &'static str,
    feed: fn(&mut Feeds) -> &mut ChangeFeed,
}

/// All calendars, each with the change source that it serves.
pub(super) const ALL: [(ChangeSource, Calendar); 2] = [
    (
        ChangeSource::DividendCalendar,
        Calendar {
            endpoint: "dividends-calendar",
            feed: |feeds| &mut feeds.dividends,
        },
    ),
    (
        ChangeSource::SplitCalendar,
        Calendar { endpoint: "splits-calendar", feed: |feeds| &mut feeds.splits },
    ),
];

/// The fields of a calendar's row that define an event. The yield is left out, because it changes
/// with the price.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    symbol: String,
    date: NaiveDate,
    #[serde(default)]
    record_date: Value,
    #[serde(default)]
    payment_date: Value,
    #[serde(default)]
    dividend: Value,
    #[serde(default)]
    numerator: Value,
    #[serde(default)]
    denominator: Value,
}

impl Row {
    fn hash(&self) -> u64 {
        let fields =
            [&self.record_date, &self.payment_date, &self.dividend, &self.numerator, &self.denominator];
        hash::number(&fields.map(ToString::to_string).join("|"))
    }
}

/// Reads a calendar and compares it with the last reading. Records a change for each symbol with an
/// event that was added, removed or edited.
pub(super) async fn update(
    reader: &mut MarketReader<'_>,
    calendar: Calendar,
    symbols: &[Symbol],
) -> Result<()> {
    let (now, today) = (reader.now, nyse_calendar::new_york_date(reader.now));
    let feed = (calendar.feed)(&mut reader.market.feeds);
    if feed.is_fresh(TTL, now) {
        feed.follow(symbols, now);
        return Ok(());
    }
    let (from, to) = (today - BACK, today + AHEAD);
    let Some(events) = events_between(reader, calendar.endpoint, from, to).await? else {
        return Ok(());
    };
    let feed = (calendar.feed)(&mut reader.market.feeds);
    match feed.read_at {
        Some(last) if nyse_calendar::new_york_date(last) >= from => {
            // Events before `from` are not compared: they have left the range that is read.
            let in_range = |events: Option<&BTreeMap<NaiveDate, u64>>| -> BTreeMap<NaiveDate, u64> {
                events
                    .into_iter()
                    .flatten()
                    .filter(|(day, _)| **day >= from)
                    .map(|(day, hash)| (*day, *hash))
                    .collect()
            };
            let changed =
                |symbol: &&String| in_range(feed.events.get(*symbol)) != in_range(events.get(*symbol));
            let changed: Vec<String> =
                feed.events.keys().chain(events.keys()).filter(changed).cloned().collect();
            for symbol in changed {
                feed.record(&symbol, Change { at: now, day: None });
            }
        }
        Some(_) => feed.restart(now),
        None => {}
    }
    feed.follow(symbols, now);
    feed.read_at = Some(now);
    feed.events = events;
    // Older changes are no longer needed: their symbols have been fetched since, or are fetched
    // because of their age.
    feed.changes.retain(|_, change| now - change.at < Duration::days(200));
    Ok(())
}

/// Hashes of events by symbol and day.
type Events = BTreeMap<String, BTreeMap<NaiveDate, u64>>;

/// Reads all events of a range of days. Splits the range until no answer is truncated. Returns
/// `None` if a call failed.
async fn events_between(
    reader: &mut MarketReader<'_>,
    endpoint: &'static str,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Option<Events>> {
    let mut events = Events::new();
    let mut ranges = vec![(from, to)];
    while let Some((from, to)) = ranges.pop() {
        let parameters = [("from", from.to_string()), ("to", to.to_string())];
        let Some(answer) = reader.rows::<Box<RawValue>>(endpoint, &parameters).await? else {
            return Ok(None);
        };
        if answer.len() >= TRUNCATED_AT && from < to {
            let middle = from + Duration::days((to - from).num_days() / 2);
            ranges.extend([(from, middle), (middle + Days::new(1), to)]);
            continue;
        }
        for row in &answer {
            // Skip rows without symbol or day.
            if let Ok(event) = serde_json::from_str::<Row>(row.get())
                && rows::is_plausible(event.date)
            {
                let hash = event.hash();
                // The hashes of a day's events are added, so that their order does not matter.
                let day = events.entry(event.symbol).or_default().entry(event.date).or_insert(0);
                *day = day.wrapping_add(hash);
            }
        }
    }
    Ok(Some(events))
}
