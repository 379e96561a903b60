//! Dividends and splits as the market's calendars announce them.

use std::collections::BTreeMap;

use chrono::{Days, Duration, NaiveDate};
use findata_domain::{Result, Symbol, catalog::ChangeSource, hash, nyse_calendar};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Asking, News,
    feed::{ChangeFeed, Item},
};

/// Announced events are looked at so far ahead.
const AHEAD: Days = Days::new(60);
/// And so far back: a longer time without a reading is a gap.
const BACK: Days = Days::new(7);
/// Rows at which FMP cuts an answer; it drops the earliest.
const CUT: usize = 4_000;
/// How long a reading counts.
pub(crate) const FRESH: Duration = Duration::hours(20);

/// One of the calendars.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calendar {
    endpoint: &'static str,
    feed: fn(&mut News) -> &mut ChangeFeed,
}

/// The calendars, by the change source that they implement.
pub(super) const ALL: [(ChangeSource, Calendar); 2] = [
    (ChangeSource::DividendCalendar, Calendar { endpoint: "dividends-calendar", feed: |news| &mut news.dividends }),
    (ChangeSource::SplitCalendar, Calendar { endpoint: "splits-calendar", feed: |news| &mut news.splits }),
];

/// A row of a calendar, as far as it is the event itself: its yield moves with the price of every day.
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
        let said = [&self.record_date, &self.payment_date, &self.dividend, &self.numerator, &self.denominator];
        hash::number(&said.map(ToString::to_string).join("|"))
    }
}

/// Reads a calendar and compares it with the last reading: an event that came, went or changed is news of its symbol.
pub(super) async fn follow(asking: &mut Asking<'_>, calendar: Calendar, symbols: &[Symbol]) -> Result<()> {
    let (now, today) = (asking.now, nyse_calendar::new_york_date(asking.now));
    let feed = (calendar.feed)(&mut asking.market.news);
    if feed.is_fresh(FRESH, now) {
        feed.follow(symbols, now);
        return Ok(());
    }
    let (from, to) = (today - BACK, today + AHEAD);
    let Some(held) = window(asking, calendar.endpoint, from, to).await? else { return Ok(()) };
    let feed = (calendar.feed)(&mut asking.market.news);
    match feed.read_at {
        Some(last) if nyse_calendar::new_york_date(last) >= from => {
            // What has gone by is not compared: it leaves the calendar's sight.
            let part = |events: Option<&BTreeMap<NaiveDate, u64>>| -> BTreeMap<NaiveDate, u64> {
                events.into_iter().flatten().filter(|(day, _)| **day >= from).map(|(day, hash)| (*day, *hash)).collect()
            };
            let changed = |symbol: &&String| part(feed.seen.get(*symbol)) != part(held.get(*symbol));
            let news: Vec<String> = feed.seen.keys().chain(held.keys()).filter(changed).cloned().collect();
            for symbol in news {
                feed.note(&symbol, Item { at: now, end: None });
            }
        }
        Some(_) => feed.start_again(now),
        None => {}
    }
    feed.follow(symbols, now);
    feed.read_at = Some(now);
    feed.seen = held;
    // Older news was heard, or its symbol is asked about again by its age.
    feed.news.retain(|_, item| now - item.at < Duration::days(200));
    Ok(())
}

type Held = BTreeMap<String, BTreeMap<NaiveDate, u64>>;

/// All events of some days, in as many parts as it takes to stay below the cut.
async fn window(
    asking: &mut Asking<'_>,
    endpoint: &'static str,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Option<Held>> {
    let mut held = Held::new();
    let mut parts = vec![(from, to)];
    while let Some((from, to)) = parts.pop() {
        let parameters = [("from", from.to_string()), ("to", to.to_string())];
        let Some(rows) = asking.rows::<Value>(endpoint, &parameters).await? else { return Ok(None) };
        if rows.len() >= CUT && from < to {
            let middle = from + Duration::days((to - from).num_days() / 2);
            parts.extend([(from, middle), (middle + Days::new(1), to)]);
            continue;
        }
        for row in &rows {
            // A row without symbol or day tells of nobody.
            if let Ok(event) = Row::deserialize(row) {
                let hash = event.hash();
                // Two of one day count both, in any order.
                let day = held.entry(event.symbol).or_default().entry(event.date).or_insert(0);
                *day = day.wrapping_add(hash);
            }
        }
    }
    Ok(Some(held))
}
