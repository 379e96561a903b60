//! The source of the data: FMP itself, or another server with the same API. A stage never holds
//! data of both.

use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::{BULK_PAUSE, FmpPlan};
use findata_domain::{
    Error, Result,
    clock::{AnyClock, SystemClock},
};
use findata_pipeline::ports::stage::{self, Stage};

/// FMP's own host.
const HOST: &str = "financialmodelingprep.com";
const SOURCE: &str = "state/source.json";

/// Where the data on a stage comes from. Figures of a test server must never mix with FMP's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Financial Modeling Prep itself.
    Fmp,
    /// Another server with the same API.
    Other,
}

impl SourceKind {
    /// The kind of server at a base address.
    pub fn of(url: &str) -> Self {
        match Url::parse(url.trim()) {
            Ok(url) if host(&url) == Some(HOST) => SourceKind::Fmp,
            _ => SourceKind::Other,
        }
    }

    /// The plan if the user names none. Your own server has no limit.
    pub fn default_plan(self) -> FmpPlan {
        match self {
            SourceKind::Fmp => FmpPlan::Premium,
            SourceKind::Other => FmpPlan::Unlimited,
        }
    }

    /// The interval between bulk calls. Your own server has no limit.
    pub fn bulk_pause(self) -> Duration {
        match self {
            SourceKind::Fmp => BULK_PAUSE,
            SourceKind::Other => Duration::ZERO,
        }
    }

    /// The clock for planning. It knows that FMP's data may have been received after a planned day
    /// in the past.
    pub fn planning(self, clock: AnyClock) -> AnyClock {
        match (self, clock) {
            (SourceKind::Fmp, AnyClock::Day(day)) => AnyClock::PlannedDay(day),
            (_, clock) => clock,
        }
    }

    /// The clock for the time of receipt: FMP answers as of now, whatever day the run is planned
    /// for.
    pub fn receipt(self, planning: AnyClock) -> AnyClock {
        match self {
            SourceKind::Fmp => AnyClock::System(SystemClock),
            SourceKind::Other => planning,
        }
    }
}

/// Whether a host belongs to FMP, which serves HTTPS on all of them.
pub(super) fn belongs_to_fmp(url: &Url) -> bool {
    host(url)
        .and_then(|host| host.strip_suffix(HOST))
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The host in lower case, without the dot of an absolute name.
fn host(url: &Url) -> Option<&str> {
    url.host_str().map(|host| host.trim_end_matches('.'))
}

#[derive(Serialize, Deserialize)]
struct Source {
    kind: SourceKind,
}

/// Records the kind of source in the first run and rejects the other kind from then on.
///
/// # Errors
/// `Config` for the other kind; the stage's errors.
pub async fn claim_source(stage: &impl Stage, url: &str) -> Result<()> {
    let kind = SourceKind::of(url);
    stage.put_if_absent(SOURCE, stage::to_json(&Source { kind })?).await?;
    match stage::read_json::<Source>(stage, SOURCE).await? {
        Some(source) if source.kind != kind => {
            let name = |kind| {
                if kind == SourceKind::Fmp {
                    "FMP itself"
                } else {
                    "a server other than FMP"
                }
            };
            Err(Error::Config(format!(
                "the stage holds data from {}, but the FMP address is that of {}: \
                 use another --home or --stage, because the two must not mix",
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
    fn only_fmps_own_host_counts_as_fmp() {
        assert_eq!(SourceKind::of(crate::DEFAULT_URL), SourceKind::Fmp);
        assert_eq!(SourceKind::of("https://FinancialModelingPrep.com:443/stable/"), SourceKind::Fmp);
        assert_eq!(SourceKind::of("https:\\\\financialmodelingprep.com.\\stable"), SourceKind::Fmp);
        assert_eq!(SourceKind::of("http://127.0.0.1:8080/stable"), SourceKind::Other);
        assert_eq!(SourceKind::of("http://x/financialmodelingprep.com"), SourceKind::Other);
    }
}
