//! FMP itself, or another server that speaks its API: what a stage holds must never mix.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{BULK_PAUSE, DEFAULT_URL, FmpPlan};
use findata_domain::{
    Error, Result,
    clock::{AnyClock, SystemClock},
};
use findata_pipeline::ports::stage::{self, Stage};

const SOURCE: &str = "state/source.json";

/// Where a home's data comes from: figures of a test server must never mix with FMP's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Financial Modeling Prep itself.
    Fmp,
    /// Another server that speaks its API.
    Other,
}

impl SourceKind {
    /// The kind of a base address.
    pub fn of(url: &str) -> Self {
        let host = |text: &str| {
            text.split("//").nth(1).and_then(|rest| rest.split(['/', ':', '?']).next()).map(str::to_ascii_lowercase)
        };
        if host(url).is_some() && host(url) == host(DEFAULT_URL) { SourceKind::Fmp } else { SourceKind::Other }
    }

    /// The plan where none is named: a server of one's own has no limit.
    pub fn default_plan(self) -> FmpPlan {
        match self {
            SourceKind::Fmp => FmpPlan::Premium,
            SourceKind::Other => FmpPlan::Unlimited,
        }
    }

    /// The pause from one bulk call to the next: a server of one's own has no limit.
    pub fn bulk_pause(self) -> Duration {
        match self {
            SourceKind::Fmp => BULK_PAUSE,
            SourceKind::Other => Duration::ZERO,
        }
    }

    /// The clock of receipt: FMP itself answers as of now, whatever day is planned for.
    pub fn receipt(self, planning: AnyClock) -> AnyClock {
        match self {
            SourceKind::Fmp => AnyClock::System(SystemClock),
            SourceKind::Other => planning,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Source {
    kind: SourceKind,
}

/// Notes the kind of source at the first run and refuses the other kind ever after.
///
/// # Errors
/// `Config` for the other kind; the stage's own.
pub async fn claim_source(stage: &impl Stage, url: &str) -> Result<()> {
    let kind = SourceKind::of(url);
    stage.put_if_absent(SOURCE, stage::to_json(&Source { kind })?).await?;
    match stage::read_json::<Source>(stage, SOURCE).await? {
        Some(source) if source.kind != kind => {
            let name = |kind| if kind == SourceKind::Fmp { "FMP itself" } else { "another server than FMP" };
            Err(Error::Config(format!(
                "the stage holds data of {}, and the FMP address names {}: use another --home or stage, so that they never mix",
                name(source.kind),
                name(kind)
            )))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fmps_own_host_is_told_from_others() {
        assert_eq!(SourceKind::of(DEFAULT_URL), SourceKind::Fmp);
        assert_eq!(SourceKind::of("https://FinancialModelingPrep.com:443/stable/"), SourceKind::Fmp);
        assert_eq!(SourceKind::of("http://127.0.0.1:8080/stable"), SourceKind::Other);
        assert_eq!(SourceKind::of("http://x/financialmodelingprep.com"), SourceKind::Other);
    }
}
