//! Market-wide data in a few calls: which endpoints the key may use, and what has changed.
//!
//! If calls are limited, a run reads the change feeds first and requests only symbols with a
//! change. The feeds are stored on the stage. A feed proves that a symbol has not changed only for
//! the time in which it has followed the symbol without a gap.

mod calendars;
mod entitlements;
mod feed;
mod filings;

use chrono::{DateTime, Duration, Utc};
use findata_domain::{
    Error, Result, Symbol,
    catalog::{self, CATALOG, ChangeSource, Dataset},
    clock::Clock,
    rows,
};
use findata_fmp::{Answer, Fmp};
use findata_pipeline::{
    ports::stage::{self, Stage},
    run::Options,
};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

pub(crate) use calendars::TTL as CALENDAR_TTL;
pub use entitlements::Entitlements;
pub use feed::{ChangeFeed, FeedQuery, Verdict};

/// Stage key of the change feeds.
const FEEDS_KEY: &str = "state/market/news.json";
/// The feeds are read only if a run has at least this many symbols. With fewer symbols, requesting
/// each symbol costs no more calls than reading the feeds.
const MIN_SYMBOLS: usize = 25;
/// How long a reading of filings or results counts as fresh.
pub(crate) const FILINGS_TTL: Duration = Duration::hours(6);

/// The key's entitlements and the market-wide change feeds.
#[derive(Debug, Clone, Default)]
pub struct Market {
    /// The endpoints that the key may use.
    pub entitlements: Entitlements,
    /// The change feeds.
    pub feeds: Feeds,
    /// Remarks for the user, such as damaged objects on the stage.
    pub notes: Vec<String>,
}

/// The change feeds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Feeds {
    /// Statements that FMP has added (`latest-financial-statements`).
    #[serde(default)]
    pub filings: ChangeFeed,
    /// Results that companies have announced (`earnings-calendar`).
    #[serde(default)]
    pub reports: ChangeFeed,
    /// Dividends (`dividends-calendar`).
    #[serde(default)]
    pub dividends: ChangeFeed,
    /// Splits (`splits-calendar`).
    #[serde(default)]
    pub splits: ChangeFeed,
}

/// Calls and bytes spent on market-wide data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Number of calls.
    pub calls: u64,
    /// Bytes received.
    pub bytes: u64,
}

impl Market {
    /// Reads the stored entitlements and feeds; makes no call. Feeds that were read while a clock was
    /// ahead of `latest` are reset; a damaged object counts as absent and is noted.
    ///
    /// # Errors
    /// The stage's errors.
    pub async fn read(stage: &impl Stage, latest: DateTime<Utc>) -> Result<Market> {
        let mut notes = Vec::new();
        let mut feeds: Feeds =
            stage::read_rebuildable(stage, FEEDS_KEY, &mut notes).await?.unwrap_or_default();
        feeds.correct(latest);
        let entitlements = Entitlements::read(stage, latest, &mut notes).await?;
        Ok(Market { entitlements, feeds, notes })
    }

    /// Treats the feeds as read at `now`, without further changes. A plan that makes no call uses
    /// this.
    #[must_use]
    pub fn assume_unchanged_until(mut self, now: DateTime<Utc>) -> Market {
        for feed in self.feeds.all() {
            feed.assume_unchanged_until(now);
        }
        self
    }

    /// Whether the key may fetch the quotes of many symbols with one call.
    pub fn has_batch_quotes(&self, now: DateTime<Utc>) -> bool {
        self.entitlements.allows(entitlements::QUOTES, now) == Some(true)
    }

    /// Whether FMP refuses the key the market caps of past days.
    pub fn refuses_market_caps(&self, now: DateTime<Utc>) -> bool {
        self.entitlements.allows(entitlements::MARKET_CAPS, now) == Some(false)
    }
}

impl Feeds {
    /// Resets the feeds that were read while a clock was ahead of `latest`.
    fn correct(&mut self, latest: DateTime<Utc>) {
        for feed in self.all() {
            feed.correct(latest);
        }
    }

    fn all(&mut self) -> [&mut ChangeFeed; 4] {
        [&mut self.filings, &mut self.reports, &mut self.dividends, &mut self.splits]
    }
}

/// Reads the feeds that are due, and finds out which endpoints the key may use. The
/// feeds are read even if calls are unlimited and every symbol is requested anyway, so that a later
/// run with another FMP plan can rely on them. If a feed cannot be read, the planner decides by the
/// age of the data instead.
///
/// # Errors
/// The stage's errors, and FMP's if no other call can succeed.
pub async fn refresh(
    symbols: &[Symbol],
    options: &Options,
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
) -> Result<(Market, Spent)> {
    let (now, latest) = (clock.now(), clock.latest());
    let market = Market::read(stage, latest).await?;
    let stored = market.feeds.clone();
    let mut reader = MarketReader { fmp, now, market, spent: Spent::default() };
    let wants = |dataset: &Dataset| {
        options.datasets.is_empty() || options.datasets.iter().any(|name| name == dataset.name)
    };
    let uses = |source| CATALOG.iter().any(|dataset| dataset.change_feed == Some(source) && wants(dataset));
    if wants(catalog::PRICES) && options.plan_limits.minimize_calls {
        reader.check_entitlement(entitlements::QUOTES, &[("symbols", "AAPL".to_owned())]).await?;
    }
    if wants(catalog::MARKET_CAPS)
        && options.plan_limits.minimize_calls
        && options.plan_limits.market_cap_history
        && symbols.len() >= MIN_SYMBOLS
    {
        reader
            .check_entitlement(entitlements::MARKET_CAPS, &[("symbol", "AAPL".to_owned())])
            .await?;
    }
    if symbols.len() >= MIN_SYMBOLS {
        if uses(ChangeSource::Filings) {
            filings::update(&mut reader, symbols).await?;
        }
        for (source, calendar) in calendars::ALL {
            if uses(source) {
                calendars::update(&mut reader, calendar, symbols).await?;
            }
        }
    }
    let MarketReader { market, spent, .. } = reader;
    market.entitlements.write(stage, latest).await?;
    let feeds = &market.feeds;
    if *feeds != stored {
        stage::change_rebuildable(stage, FEEDS_KEY, |kept: &mut Feeds| {
            kept.correct(latest);
            kept.filings.merge(&feeds.filings);
            kept.reports.merge(&feeds.reports);
            kept.dividends.merge(&feeds.dividends);
            kept.splits.merge(&feeds.splits);
        })
        .await?;
    }
    Ok((market, spent))
}

/// Calls each optional endpoint once to find out whether the key may use it. Ignores the stored
/// entitlements.
///
/// # Errors
/// As for [`refresh`].
pub async fn probe(fmp: &Fmp, stage: &impl Stage, now: DateTime<Utc>) -> Result<(Entitlements, Spent)> {
    let mut reader = MarketReader { fmp, now, market: Market::default(), spent: Spent::default() };
    for (endpoint, parameters) in entitlements::PROBES {
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        reader.check_entitlement(endpoint, &parameters).await?;
    }
    reader.market.entitlements.write(stage, now).await?;
    Ok((reader.market.entitlements, reader.spent))
}

/// Reads FMP's list of symbol changes, as [`optional`] does.
///
/// # Errors
/// The stage's errors.
pub(crate) async fn symbol_changes(
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
    notes: &mut Vec<String>,
) -> Result<(Option<Vec<serde_json::Value>>, Spent)> {
    // FMP has some 5,500 changes, and returns only the newest 100 without a limit.
    const ALL: &str = "10000";
    optional(entitlements::SYMBOL_CHANGES, &[("limit", ALL.to_owned())], fmp, stage, clock, notes).await
}

/// Calls an endpoint that not every FMP plan includes. `None` if the call failed or the key may not use the endpoint.
/// A failed call does not end the run: if no other call can succeed, the run's tasks report it.
///
/// # Errors
/// The stage's errors.
pub(crate) async fn optional<T: DeserializeOwned>(
    endpoint: &'static str,
    parameters: &[(&str, String)],
    fmp: &Fmp,
    stage: &impl Stage,
    clock: &impl Clock,
    notes: &mut Vec<String>,
) -> Result<(Option<Vec<T>>, Spent)> {
    let market = Market {
        entitlements: Entitlements::read(stage, clock.latest(), notes).await?,
        ..Market::default()
    };
    let mut reader = MarketReader { fmp, now: clock.now(), market, spent: Spent::default() };
    let rows = reader.rows(endpoint, parameters).await.unwrap_or_else(|error| {
        tracing::warn!(%error, endpoint, "cannot read an optional endpoint");
        None
    });
    reader.market.entitlements.write(stage, clock.latest()).await?;
    Ok((rows, reader.spent))
}

/// Whether the key may use the list of symbol changes, as far as it is known.
///
/// # Errors
/// The stage's errors.
pub(crate) async fn may_read_symbol_changes(stage: &impl Stage, latest: DateTime<Utc>) -> Result<bool> {
    // Damage is reported when the feeds are read.
    let entitlements = Entitlements::read(stage, latest, &mut Vec::new()).await?;
    Ok(entitlements.allows(entitlements::SYMBOL_CHANGES, latest) != Some(false))
}

/// Makes the market-wide calls and counts them.
struct MarketReader<'a> {
    fmp: &'a Fmp,
    now: DateTime<Utc>,
    market: Market,
    spent: Spent,
}

impl MarketReader<'_> {
    /// Calls an endpoint and returns the rows of the answer. Returns `None` if the call failed or
    /// the key may not use the endpoint. Records whether the key may use it.
    async fn rows<T: DeserializeOwned>(
        &mut self,
        endpoint: &'static str,
        parameters: &[(&str, String)],
    ) -> Result<Option<Vec<T>>> {
        if self.market.entitlements.allows(endpoint, self.now) == Some(false) {
            return Ok(None);
        }
        let Answer { body, calls, bytes } = self.fmp.get(endpoint, parameters).await;
        self.spent.calls += u64::from(calls);
        self.spent.bytes += bytes;
        let rows = match body {
            Ok(Some(body)) => match rows::list(&body, rows::MAX_LIST) {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::warn!(endpoint, %error, "cannot parse a change feed");
                    return Ok(None);
                }
            },
            Ok(None) => Vec::new(),
            // A used-up call budget is reported by the run's tasks, so it is not an error here.
            Err(error) if error.ends_run() && !matches!(error, Error::Budget(_)) => return Err(error),
            Err(error) => {
                if entitlements::is_refusal(&error) {
                    self.market.entitlements.record(endpoint, self.now, Some(error.to_string()));
                } else {
                    tracing::warn!(endpoint, %error, "reading a change feed failed");
                }
                return Ok(None);
            }
        };
        self.market.entitlements.record(endpoint, self.now, None);
        Ok(Some(rows))
    }

    /// Calls an endpoint if it is not known whether the key may use it.
    async fn check_entitlement(
        &mut self,
        endpoint: &'static str,
        parameters: &[(&str, String)],
    ) -> Result<()> {
        if self.market.entitlements.allows(endpoint, self.now).is_none() {
            self.rows::<IgnoredAny>(endpoint, parameters).await?;
        }
        Ok(())
    }
}
