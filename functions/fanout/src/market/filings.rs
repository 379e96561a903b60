//! Finds new statements in FMP's feed of added statements or, if that feed cannot be used, in the
//! calendar of results.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, Duration, NaiveDate, NaiveDateTime, Utc};
use findata_domain::{Result, Symbol, nyse_calendar, rows};
use findata_pipeline::plan::Cadence;
use serde::Deserialize;

use super::{FILINGS_TTL, MarketReader, entitlements, feed::Change};

/// Rows per page of the feed, FMP's maximum.
const PAGE_ROWS: usize = 250;
/// Number of pages that FMP serves. Together they cover about three weeks.
const MAX_PAGES: usize = 101;
/// Minimum time span, ending now, that the feed covers.
const MIN_REACH: Duration = Duration::days(14);
/// Rows per page of the calendar. A page with fewer rows is the last one.
const CALENDAR_PAGE_ROWS: usize = 4_000;
/// Maximum number of calendar pages that are read. A range of 50 days has fewer than ten.
const MAX_CALENDAR_PAGES: usize = 50;
/// How far a reading overlaps the previous one: FMP may add rows late, and the feed's times have no
/// time zone.
const OVERLAP: Duration = Duration::days(1);
/// Maximum number of days from the announcement of results until the calendar contains the figures.
const RESULTS_DELAY: Days = Days::new(5);
/// Longest time between two readings that the calendar can cover.
const MAX_GAP: Duration = Duration::days(45);

/// A row of `latest-financial-statements`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filing {
    symbol: String,
    period: String,
    /// The period's end, with a meaningless time of day.
    date: String,
    date_added: String,
}

/// A row of `earnings-calendar`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    symbol: String,
    date: NaiveDate,
    eps_actual: Option<serde_json::Number>,
    revenue_actual: Option<serde_json::Number>,
}

/// Records the statements that were added since the last reading.
pub(super) async fn update(reader: &mut MarketReader<'_>, symbols: &[Symbol]) -> Result<()> {
    let now = reader.now;
    let feeds = &mut reader.market.feeds;
    for feed in [&mut feeds.filings, &mut feeds.reports] {
        feed.follow(symbols, now);
        // The first reading has no earlier changes to find: all data is fetched after `now`.
        feed.read_at.get_or_insert(now);
    }
    if feeds.filings.is_fresh(FILINGS_TTL, now) || feeds.reports.is_fresh(FILINGS_TTL, now) {
        return Ok(());
    }
    if !filings(reader).await? {
        reports(reader).await?;
    }
    Ok(())
}

/// Reads FMP's feed of statements. Returns whether the feed covers the whole time since the last
/// reading.
async fn filings(reader: &mut MarketReader<'_>) -> Result<bool> {
    let now = reader.now;
    let last = reader.market.feeds.filings.read_at.unwrap_or(now);
    if now - last > MIN_REACH {
        let feed = &mut reader.market.feeds.filings;
        feed.restart(now);
        feed.read_at = Some(now);
        return Ok(false);
    }
    let followed: BTreeSet<String> =
        reader.market.feeds.filings.followed_since.keys().map(ToString::to_string).collect();
    let since = last - OVERLAP;
    for page in 0..MAX_PAGES {
        let parameters = [("page", page.to_string()), ("limit", PAGE_ROWS.to_string())];
        let Some(rows) = reader.rows::<Filing>(entitlements::FILINGS, &parameters).await? else {
            return Ok(false);
        };
        let mut oldest = None;
        for row in &rows {
            let Some(added) = instant(&row.date_added) else {
                continue;
            };
            oldest = Some(added);
            if added >= since && followed.contains(&row.symbol) {
                let day = row.date.get(..10).and_then(|day| day.parse().ok());
                // The end of a fiscal year is also the end of its fourth quarter, and FMP may list
                // it as either.
                let cadences: &[Cadence] = if matches!(row.period.as_str(), "FY" | "Q4") {
                    &[Cadence::Annual, Cadence::Quarter]
                } else {
                    &[Cadence::Quarter]
                };
                for cadence in cadences {
                    let subject = format!("{}:{}", row.symbol, cadence.as_str());
                    reader.market.feeds.filings.record(&subject, Change { at: added, day });
                }
            }
        }
        match oldest {
            Some(oldest) if oldest < since => {
                reader.market.feeds.filings.read_at = Some(now);
                return Ok(true);
            }
            Some(_) => {}
            // The feed ends before it reaches the last reading, so it may lack changes.
            None => break,
        }
    }
    Ok(false)
}

/// Records the results that the calendar lists since the last reading.
async fn reports(reader: &mut MarketReader<'_>) -> Result<()> {
    let (now, today) = (reader.now, nyse_calendar::new_york_date(reader.now));
    let last = reader.market.feeds.reports.read_at.unwrap_or(now);
    let followed: BTreeSet<String> =
        reader.market.feeds.reports.followed_since.keys().map(ToString::to_string).collect();
    if now - last > MAX_GAP {
        reader.market.feeds.reports.restart(now);
    }
    let from = nyse_calendar::new_york_date(last.max(now - MAX_GAP)) - RESULTS_DELAY;
    for page in 0..MAX_CALENDAR_PAGES {
        let parameters = [("from", from.to_string()), ("to", today.to_string()), ("page", page.to_string())];
        let Some(rows) = reader.rows::<Report>(entitlements::REPORTS, &parameters).await? else {
            return Ok(());
        };
        let feed = &mut reader.market.feeds.reports;
        let has_results = |row: &&Report| row.eps_actual.is_some() || row.revenue_actual.is_some();
        let is_followed = |row: &&Report| followed.contains(&row.symbol) && rows::is_plausible(row.date);
        for row in rows.iter().filter(has_results).filter(is_followed) {
            feed.record(&row.symbol, Change { at: nyse_calendar::close_of(row.date), day: Some(row.date) });
        }
        if rows.len() < CALENDAR_PAGE_ROWS {
            reader.market.feeds.reports.read_at = Some(now);
            return Ok(());
        }
    }
    tracing::warn!("ignoring FMP's calendar of results: it has too many pages");
    Ok(())
}

/// Parses a time of the feed. FMP's times appear to be in New York's time zone.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
    rows::is_plausible(local.date()).then(|| nyse_calendar::from_new_york(local).and_utc())
}
