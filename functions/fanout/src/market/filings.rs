//! New statements: FMP's own feed of what it took in, or where the plan lacks it the calendar of results.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, Duration, NaiveDate, NaiveDateTime, Utc};
use findata_domain::{Result, Symbol, nyse_calendar};
use findata_pipeline::plan::Cadence;
use serde::Deserialize;

use super::{Asking, FILINGS_FRESH, entitlements, feed::Item};

/// Rows of a page of the feed, the most that FMP gives.
const PAGE: usize = 250;
/// Pages that FMP gives, about three weeks.
const PAGES: usize = 101;
/// A time that the feed surely looks back.
const REACH: Duration = Duration::days(14);
/// Rows of a page of the calendar; a full one has a next.
const CALENDAR_PAGE: usize = 4_000;
/// What was read is read again so far back: rows may come late, and the feed's times have no zone.
const OVERLAP: Duration = Duration::days(1);
/// Actual figures are put into the calendar some days late.
const LATE_RESULTS: Days = Days::new(5);
/// A gap that the calendar is not asked to close.
const LONGEST_GAP: Duration = Duration::days(45);

/// A row of `latest-financial-statements`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filing {
    symbol: String,
    period: String,
    /// The period's end, with a time of day that says nothing.
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

/// Reads what is new since the last time.
pub(super) async fn follow(asking: &mut Asking<'_>, symbols: &[Symbol]) -> Result<()> {
    let now = asking.now;
    let news = &mut asking.market.news;
    for feed in [&mut news.filings, &mut news.reports] {
        feed.follow(symbols, now);
        // All that is not there yet is fetched after this moment.
        feed.read_at.get_or_insert(now);
    }
    if news.filings.is_fresh(FILINGS_FRESH, now) || news.reports.is_fresh(FILINGS_FRESH, now) {
        return Ok(());
    }
    if !filings(asking).await? {
        reports(asking).await?;
    }
    Ok(())
}

/// Reads FMP's own feed; whether it tells all since the last time.
async fn filings(asking: &mut Asking<'_>) -> Result<bool> {
    let now = asking.now;
    let last = asking.market.news.filings.read_at.unwrap_or(now);
    if now - last > REACH {
        let feed = &mut asking.market.news.filings;
        feed.start_again(now);
        feed.read_at = Some(now);
        return Ok(false);
    }
    let followed: BTreeSet<String> = asking.market.news.filings.follows.keys().map(ToString::to_string).collect();
    let since = last - OVERLAP;
    for page in 0..PAGES {
        let parameters = [("page", page.to_string()), ("limit", PAGE.to_string())];
        let Some(rows) = asking.rows::<Filing>(entitlements::FILINGS, &parameters).await? else { return Ok(false) };
        let mut oldest = None;
        for row in &rows {
            let Some(added) = instant(&row.date_added) else { continue };
            oldest = Some(added);
            if added >= since && followed.contains(&row.symbol) {
                let end = row.date.get(..10).and_then(|day| day.parse().ok());
                // A year's end is a quarter's too, whichever of the two FMP names.
                let cadences: &[Cadence] = if matches!(row.period.as_str(), "FY" | "Q4") {
                    &[Cadence::Annual, Cadence::Quarter]
                } else {
                    &[Cadence::Quarter]
                };
                for cadence in cadences {
                    let subject = format!("{}:{}", row.symbol, cadence.as_str());
                    asking.market.news.filings.note(&subject, Item { at: added, end });
                }
            }
        }
        match oldest {
            Some(oldest) if oldest < since => {
                asking.market.news.filings.read_at = Some(now);
                return Ok(true);
            }
            Some(_) => {}
            // It ends before it came so far back: that proves nothing.
            None => break,
        }
    }
    Ok(false)
}

async fn reports(asking: &mut Asking<'_>) -> Result<()> {
    let (now, today) = (asking.now, nyse_calendar::new_york_date(asking.now));
    let last = asking.market.news.reports.read_at.unwrap_or(now);
    let followed: BTreeSet<String> = asking.market.news.reports.follows.keys().map(ToString::to_string).collect();
    if now - last > LONGEST_GAP {
        asking.market.news.reports.start_again(now);
    }
    let from = nyse_calendar::new_york_date(last.max(now - LONGEST_GAP)) - LATE_RESULTS;
    for page in 0.. {
        let parameters = [("from", from.to_string()), ("to", today.to_string()), ("page", page.to_string())];
        let Some(rows) = asking.rows::<Report>(entitlements::REPORTS, &parameters).await? else { return Ok(()) };
        let feed = &mut asking.market.news.reports;
        let known = |row: &&Report| row.eps_actual.is_some() || row.revenue_actual.is_some();
        for row in rows.iter().filter(known).filter(|row| followed.contains(&row.symbol)) {
            feed.note(&row.symbol, Item { at: nyse_calendar::close_of(row.date), end: Some(row.date) });
        }
        if rows.len() < CALENDAR_PAGE {
            break;
        }
    }
    asking.market.news.reports.read_at = Some(now);
    Ok(())
}

/// FMP's times are New York's, as far as is known.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(nyse_calendar::from_new_york(local).and_utc())
}
