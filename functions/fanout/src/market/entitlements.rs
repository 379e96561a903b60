//! What the key may use, as FMP answered when it was asked.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use findata_domain::{Error, Result};
use findata_pipeline::ports::stage::{self, Stage};
use serde::{Deserialize, Serialize};

const KEY: &str = "state/market/offers.json";
/// A plan is seldom made smaller, and then the per-symbol way is taken within the run.
const OFFERED: Duration = Duration::days(30);
/// A plan that was made larger is noticed after so long, at once by `plan --probe`.
const REFUSED: Duration = Duration::days(7);

/// Quotes of many symbols.
pub(super) const QUOTES: &str = "batch-quote";
/// Statements as FMP takes them in.
pub(super) const FILINGS: &str = "latest-financial-statements";
/// Results as companies announce them.
pub(super) const REPORTS: &str = "earnings-calendar";

/// The endpoints that a plan can do with or without, each with a question that costs little.
pub(super) const PROBES: &[(&str, &[(&str, &str)])] = &[
    (QUOTES, &[("symbols", "AAPL")]),
    (FILINGS, &[("page", "0"), ("limit", "1")]),
    (REPORTS, &[]),
    ("dividends-calendar", &[]),
    ("splits-calendar", &[]),
    ("sp500-constituent", &[]),
];

/// What is known of each endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlements(BTreeMap<String, Offer>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Offer {
    /// When it was asked.
    at: DateTime<Utc>,
    /// FMP's words, where it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

impl Entitlements {
    pub(super) async fn read(stage: &impl Stage) -> Result<Entitlements> {
        Ok(stage::read_json(stage, KEY).await?.unwrap_or_default())
    }

    /// Keeps it; of two answers about one endpoint the later holds.
    pub(super) async fn write(&self, stage: &impl Stage) -> Result<()> {
        let all_known = |kept: &Entitlements| self.0.iter().all(|(name, offer)| kept.0.get(name) == Some(offer));
        if all_known(&Entitlements::read(stage).await?) {
            return Ok(());
        }
        stage::change_json(stage, KEY, |kept: &mut Entitlements| {
            for (name, offer) in &self.0 {
                if kept.0.get(name).is_none_or(|other| other.at <= offer.at) {
                    kept.0.insert(name.clone(), offer.clone());
                }
            }
        })
        .await
    }

    /// Whether the key may use an endpoint; `None` where that was not asked lately.
    pub fn known(&self, endpoint: &str, now: DateTime<Utc>) -> Option<bool> {
        let offer = self.0.get(endpoint)?;
        let offered = offer.refused.is_none();
        (now - offer.at < if offered { OFFERED } else { REFUSED }).then_some(offered)
    }

    /// Every endpoint that is known, with FMP's words where it refused it.
    pub fn all(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, offer)| (name.as_str(), offer.refused.as_deref()))
    }

    /// Notes an answer.
    pub fn note(&mut self, endpoint: &str, at: DateTime<Utc>, refused: Option<String>) {
        self.0.insert(endpoint.to_owned(), Offer { at, refused });
    }
}

/// Whether FMP says that the endpoint is not for this key: not in its plan (402), or not there at all (404).
pub(super) fn refuses(error: &Error) -> bool {
    matches!(error, Error::NotInPlan(_) | Error::NotOffered(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_remembered_for_a_month_and_a_refusal_for_a_week() {
        let at: DateTime<Utc> = "2026-11-20T22:00:00Z".parse().unwrap();
        let mut offers = Entitlements::default();
        assert_eq!(offers.known(QUOTES, at), None);
        offers.note(QUOTES, at, None);
        offers.note(FILINGS, at, Some("not in your FMP plan".into()));
        let later = |days| at + Duration::days(days);
        assert_eq!((offers.known(QUOTES, later(29)), offers.known(QUOTES, later(30))), (Some(true), None));
        assert_eq!((offers.known(FILINGS, later(6)), offers.known(FILINGS, later(7))), (Some(false), None));
    }
}
