//! The whole market in a few calls: what the key may use, and what the change feeds tell.
//!
//! Where calls are limited, a day's run asks the feeds first and each symbol only where they tell of something. What they
//! told is kept on the stage: a feed proves that nothing is new about a symbol since it has been followed without a gap.

mod calendars;
mod entitlements;
mod feed;
mod filings;

use chrono::{DateTime, Duration, Utc};
use findata_domain::{
    Error, Result, Symbol,
    catalog::{self, CATALOG, ChangeSource, Dataset},
};
use findata_fmp::{Answer, Fmp};
use findata_pipeline::{
    ports::stage::{self, Stage},
    run::Options,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub(crate) use calendars::FRESH as CALENDAR_FRESH;
pub use entitlements::Entitlements;
pub use feed::{ChangeFeed, Question, Verdict};

/// Where it is kept what the feeds told.
const NEWS: &str = "state/market/news.json";
/// Symbols below which asking each costs no more than the feeds.
const FEW: usize = 25;
/// How long a reading of what companies file counts.
pub(crate) const FILINGS_FRESH: Duration = Duration::hours(6);

/// What is known of the market.
#[derive(Debug, Clone, Default)]
pub struct Market {
    /// What the key may use.
    pub entitlements: Entitlements,
    /// What the feeds told.
    pub news: News,
}

/// What the feeds told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct News {
    /// Statements as FMP took them in (`latest-financial-statements`).
    #[serde(default)]
    pub filings: ChangeFeed,
    /// Results as companies announced them (`earnings-calendar`).
    #[serde(default)]
    pub reports: ChangeFeed,
    /// Dividends (`dividends-calendar`).
    #[serde(default)]
    pub dividends: ChangeFeed,
    /// Splits (`splits-calendar`).
    #[serde(default)]
    pub splits: ChangeFeed,
}

/// What asking the market took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Calls.
    pub calls: u64,
    /// Bytes received.
    pub bytes: u64,
}

impl Market {
    /// What is known without a call.
    ///
    /// # Errors
    /// The stage's own.
    pub async fn read(stage: &impl Stage) -> Result<Market> {
        let news = stage::read_json(stage, NEWS).await?.unwrap_or_default();
        Ok(Market { entitlements: Entitlements::read(stage).await?, news })
    }

    /// The same as if the feeds had been read now and told nothing more: what a plan that calls nothing goes by.
    #[must_use]
    pub fn as_if_read(mut self, now: DateTime<Utc>) -> Market {
        for feed in self.news.all() {
            feed.read_now(now);
        }
        self
    }

    /// Whether a price of many symbols can be had in one call.
    pub fn has_quotes(&self, now: DateTime<Utc>) -> bool {
        self.entitlements.known(entitlements::QUOTES, now) == Some(true)
    }
}

impl News {
    fn all(&mut self) -> [&mut ChangeFeed; 4] {
        [&mut self.filings, &mut self.reports, &mut self.dividends, &mut self.splits]
    }
}

/// Reads the feeds that are due for these symbols, and asks once what the key may use. Without a limit of calls nothing is
/// asked, since every symbol is. A feed that fails tells nothing: what it would prove is then decided by age.
///
/// # Errors
/// The stage's own, and FMP's when no other call would work either.
pub async fn ask(
    symbols: &[Symbol],
    options: &Options,
    fmp: &Fmp,
    stage: &impl Stage,
    now: DateTime<Utc>,
) -> Result<(Market, Spent)> {
    if !options.plan_limits.minimize_calls {
        return Ok((Market::default(), Spent::default()));
    }
    let market = Market::read(stage).await?;
    let known = market.news.clone();
    let mut asking = Asking { fmp, now, market, spent: Spent::default() };
    let wants =
        |dataset: &Dataset| options.datasets.is_empty() || options.datasets.iter().any(|name| name == dataset.name);
    let follows = |source| CATALOG.iter().any(|dataset| dataset.change_feed == Some(source) && wants(dataset));
    if wants(catalog::PRICES) {
        asking.offered(entitlements::QUOTES, &[("symbols", "AAPL".to_owned())]).await?;
    }
    if symbols.len() >= FEW {
        if follows(ChangeSource::Filings) {
            filings::follow(&mut asking, symbols).await?;
        }
        for (source, calendar) in calendars::ALL {
            if follows(source) {
                calendars::follow(&mut asking, calendar, symbols).await?;
            }
        }
    }
    let Asking { market, spent, .. } = asking;
    market.entitlements.write(stage).await?;
    let news = &market.news;
    if *news != known {
        stage::change_json(stage, NEWS, |kept: &mut News| {
            kept.filings.merge(&news.filings);
            kept.reports.merge(&news.reports);
            kept.dividends.merge(&news.dividends);
            kept.splits.merge(&news.splits);
        })
        .await?;
    }
    Ok((market, spent))
}

/// Asks once for each endpoint that a plan can do with or without, whatever is remembered of it.
///
/// # Errors
/// As for [`ask`].
pub async fn probe(fmp: &Fmp, stage: &impl Stage, now: DateTime<Utc>) -> Result<(Entitlements, Spent)> {
    let mut asking = Asking { fmp, now, market: Market::default(), spent: Spent::default() };
    for (endpoint, parameters) in entitlements::PROBES {
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        asking.offered(endpoint, &parameters).await?;
    }
    asking.market.entitlements.write(stage).await?;
    Ok((asking.market.entitlements, asking.spent))
}

/// Questions to the whole market, and what they took.
struct Asking<'a> {
    fmp: &'a Fmp,
    now: DateTime<Utc>,
    market: Market,
    spent: Spent,
}

impl Asking<'_> {
    /// The rows of an answer; none where the key may not use the endpoint, which is remembered, or where it failed.
    async fn rows<T: DeserializeOwned>(
        &mut self,
        endpoint: &'static str,
        parameters: &[(&str, String)],
    ) -> Result<Option<Vec<T>>> {
        if self.market.entitlements.known(endpoint, self.now) == Some(false) {
            return Ok(None);
        }
        let Answer { body, calls, bytes } = self.fmp.get(endpoint, parameters).await;
        self.spent.calls += u64::from(calls);
        self.spent.bytes += bytes;
        let rows = match body {
            Ok(Some(body)) => match serde_json::from_slice(&body) {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::warn!(endpoint, %error, "a feed cannot be read");
                    return Ok(None);
                }
            },
            Ok(None) => Vec::new(),
            // Where the run's calls are used up, its tasks say so.
            Err(error) if error.ends_run() && !matches!(error, Error::Budget(_)) => return Err(error),
            Err(error) => {
                if entitlements::refuses(&error) {
                    self.market.entitlements.note(endpoint, self.now, Some(error.to_string()));
                } else {
                    tracing::warn!(endpoint, %error, "a feed does not answer");
                }
                return Ok(None);
            }
        };
        self.market.entitlements.note(endpoint, self.now, None);
        Ok(Some(rows))
    }

    /// Asks whether the key may use an endpoint, where that is not known.
    async fn offered(&mut self, endpoint: &'static str, parameters: &[(&str, String)]) -> Result<()> {
        if self.market.entitlements.known(endpoint, self.now).is_none() {
            self.rows::<serde_json::Value>(endpoint, parameters).await?;
        }
        Ok(())
    }
}
