//! New statements: FMP's feed of the statements it adds, or the calendar of results if the plan
//! lacks that feed.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, Duration, NaiveDate, NaiveDateTime, Utc};
use findata_domain::{Result, Symbol, nyse_calendar, rows};
use findata_pipeline::plan::Cadence;
use serde::Deserialize;

use super::{FILINGS_TTL, MarketReader, entitlements, feed::Change};

/// Rows per page of the feed, FMP's maximum.
const PAGE_ROWS: usize = 250;
/// How many pages FMP serves. Together they cover about three weeks.
const MAX_PAGES: usize = 101;
/// How far back the feed is sure to reach.
const MIN_REACH: Duration = Duration::days(14);
/// Rows per page of the calendar; a full page has a successor.
const CALENDAR_PAGE_ROWS: usize = 4_000;
/// Most pages of the calendar that are read. 50 days have fewer than ten.
const MAX_CALENDAR_PAGES: usize = 50;
/// How far a reading overlaps the one before: rows may be added late, and the feed's times have no
/// time zone.
const OVERLAP: Duration = Duration::days(1);
/// Days by which actual figures may appear late in the calendar.
const RESULTS_DELAY: Days = Days::new(5);
/// Longest gap that is filled from the calendar.
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

/// Reads the changes since the last reading.
pub(super) async fn update(reader: &mut MarketReader<'_>, symbols: &[Symbol]) -> Result<()> {
    let now = reader.now;
    let feeds = &mut reader.market.feeds;
    for feed in [&mut feeds.filings, &mut feeds.reports] {
        feed.follow(symbols, now);
        // On the first reading nothing can have been missed: all data is fetched after this moment.
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

/// Reads FMP's feed of statements. Returns whether it covers all the time since the last reading.
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
                // A year's end is a quarter's end too, whichever of the two FMP reports.
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
            // The feed ends before it reaches back far enough, so it proves nothing.
            None => break,
        }
    }
    Ok(false)
}

/// Reads the calendar of results.
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
    tracing::warn!("FMP's calendar of results does not end: it is not used");
    Ok(())
}

/// Parses a time of the feed. As far as is known, FMP's times are in New York's time zone.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
    rows::is_plausible(local.date()).then(|| nyse_calendar::from_new_york(local).and_utc())
}
