//! Dividends and splits from the market-wide calendars.

use std::collections::BTreeMap;

use chrono::{Days, Duration, NaiveDate};
use findata_domain::{Result, Symbol, catalog::ChangeSource, hash, nyse_calendar, rows};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    Feeds, MarketReader,
    feed::{Change, ChangeFeed},
};

/// How far ahead announced events are read.
const AHEAD: Days = Days::new(60);
/// How far back; a longer time without a reading is a gap.
const BACK: Days = Days::new(7);
/// Rows at which FMP truncates an answer, dropping the earliest.
const TRUNCATED_AT: usize = 4_000;
/// How long a reading counts as fresh.
pub(crate) const TTL: Duration = Duration::hours(20);

/// One of the calendars.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calendar {
    endpoint: &'static str,
    feed: fn(&mut Feeds) -> &mut ChangeFeed,
}

/// The calendars, by the change source that they implement.
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

/// The fields of a calendar's row that identify the event. The yield is left out, since it moves
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

/// Reads a calendar and compares it with the last reading: an event that was added, removed or
/// edited is a change of its symbol.
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
            // Past events are not compared, since they leave the calendar's range.
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
    // Symbols with older changes have been fetched since, or are due by age.
    feed.changes.retain(|_, change| now - change.at < Duration::days(200));
    Ok(())
}

/// Hashes of events by symbol and day.
type Events = BTreeMap<String, BTreeMap<NaiveDate, u64>>;

/// All events of a range of days, split until no answer is truncated. Returns `None` if a call
/// failed.
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
                // Summed, so that two events of one day count in any order.
                let day = events.entry(event.symbol).or_default().entry(event.date).or_insert(0);
                *day = day.wrapping_add(hash);
            }
        }
    }
    Ok(Some(events))
}
