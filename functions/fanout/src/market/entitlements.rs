//! Records which endpoints the key may use, as learned from FMP's answers.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use findata_domain::{
    Error, Result,
    clock::{is_ahead, is_recent},
};
use findata_pipeline::ports::stage::{self, Stage};
use serde::{Deserialize, Serialize};

const KEY: &str = "state/market/offers.json";
/// How long a recorded permission is trusted. Plans are rarely downgraded, and after a downgrade
/// the run falls back to calls per symbol.
const ALLOWED_TTL: Duration = Duration::days(30);
/// How long a recorded refusal is trusted. `plan --probe` detects an upgraded plan at once.
const REFUSED_TTL: Duration = Duration::days(7);

/// Endpoint for the quotes of many symbols.
pub(super) const QUOTES: &str = "batch-quote";
/// Endpoint that lists statements as FMP adds them.
pub(super) const FILINGS: &str = "latest-financial-statements";
/// Endpoint that lists results as companies announce them.
pub(super) const REPORTS: &str = "earnings-calendar";

/// Endpoint with a company's market caps of past days.
pub(super) const MARKET_CAPS: &str = "historical-market-capitalization";
/// Endpoint that lists renamed symbols.
pub(super) const SYMBOL_CHANGES: &str = "symbol-change";

/// The optional endpoints, each with the parameters of a cheap call.
pub(super) const PROBES: &[(&str, &[(&str, &str)])] = &[
    (QUOTES, &[("symbols", "AAPL")]),
    (FILINGS, &[("page", "0"), ("limit", "1")]),
    (REPORTS, &[]),
    (MARKET_CAPS, &[("symbol", "AAPL")]),
    ("dividends-calendar", &[]),
    ("splits-calendar", &[]),
    ("sp500-constituent", &[]),
];

/// When each endpoint was last called, and whether FMP refused it; stored at `state/market/offers.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlements(BTreeMap<String, Entitlement>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entitlement {
    /// When the endpoint was last called.
    at: DateTime<Utc>,
    /// FMP's message, if it refused the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

impl Entitlements {
    /// Reads the stored entitlements. Drops those that were recorded while a clock was ahead of
    /// `now`.
    pub(super) async fn read(
        stage: &impl Stage,
        now: DateTime<Utc>,
        notes: &mut Vec<String>,
    ) -> Result<Entitlements> {
        let mut stored: Entitlements = stage::read_rebuildable(stage, KEY, notes).await?.unwrap_or_default();
        stored.0.retain(|_, known| !is_ahead(known.at, now));
        Ok(stored)
    }

    /// Stores the entitlements. Drops stored ones that were recorded while a clock was ahead of
    /// `now`. If there are two answers for an endpoint, the later one is kept.
    pub(super) async fn write(&self, stage: &impl Stage, now: DateTime<Utc>) -> Result<()> {
        let stored: Entitlements =
            stage::read_rebuildable(stage, KEY, &mut Vec::new()).await?.unwrap_or_default();
        let has_all = self.0.iter().all(|(name, known)| stored.0.get(name) == Some(known));
        if has_all && !stored.0.values().any(|known| is_ahead(known.at, now)) {
            return Ok(());
        }
        stage::change_rebuildable(stage, KEY, |kept: &mut Entitlements| {
            kept.0.retain(|_, known| !is_ahead(known.at, now));
            for (name, known) in &self.0 {
                if kept.0.get(name).is_none_or(|other| other.at <= known.at) {
                    kept.0.insert(name.clone(), known.clone());
                }
            }
        })
        .await
    }

    /// Returns whether the key may use an endpoint, or `None` if FMP has not answered yet or the
    /// answer is too old.
    pub fn allows(&self, endpoint: &str, now: DateTime<Utc>) -> Option<bool> {
        let known = self.0.get(endpoint)?;
        let allowed = known.refused.is_none();
        is_recent(known.at, if allowed { ALLOWED_TTL } else { REFUSED_TTL }, now).then_some(allowed)
    }

    /// Every known endpoint, with FMP's message if it refused the endpoint.
    pub fn all(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, known)| (name.as_str(), known.refused.as_deref()))
    }

    /// Records FMP's answer for an endpoint. `refused` is FMP's message if it refused the call.
    pub fn record(&mut self, endpoint: &str, at: DateTime<Utc>, refused: Option<String>) {
        self.0.insert(endpoint.to_owned(), Entitlement { at, refused });
    }
}

/// Whether an error means that the key may not use the endpoint: not in its plan (402), or not
/// found (404).
pub(super) fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::NotInPlan(_) | Error::NotOffered(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_counts_for_a_month_and_a_refusal_for_a_week() {
        let at: DateTime<Utc> = "2026-11-20T22:00:00Z".parse().unwrap();
        let mut known = Entitlements::default();
        assert_eq!(known.allows(QUOTES, at), None);
        known.record(QUOTES, at, None);
        known.record(FILINGS, at, Some("not in your FMP plan".into()));
        let later = |days| at + Duration::days(days);
        assert_eq!((known.allows(QUOTES, later(29)), known.allows(QUOTES, later(30))), (Some(true), None));
        assert_eq!((known.allows(FILINGS, later(6)), known.allows(FILINGS, later(7))), (Some(false), None));
        assert_eq!((known.allows(QUOTES, later(-2)), known.allows(FILINGS, later(-2))), (None, None));
    }
}
