//! The source of the data: FMP, or another server with the same API. A stage never contains data
//! from both.

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

/// The kind of server from which the data on a stage comes. Data from a test server must never mix
/// with data from FMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Financial Modeling Prep itself.
    Fmp,
    /// Another server with the same API.
    Other,
}

impl SourceKind {
    /// Determines the kind of server from a base address.
    pub fn of(url: &str) -> Self {
        match Url::parse(url.trim()) {
            Ok(url) if host(&url) == Some(HOST) => SourceKind::Fmp,
            _ => SourceKind::Other,
        }
    }

    /// The default plan for this kind of server. Servers other than FMP have no limit.
    pub fn default_plan(self) -> FmpPlan {
        match self {
            SourceKind::Fmp => FmpPlan::Premium,
            SourceKind::Other => FmpPlan::Unlimited,
        }
    }

    /// The interval between bulk calls. Servers other than FMP need none.
    pub fn bulk_pause(self) -> Duration {
        match self {
            SourceKind::Fmp => BULK_PAUSE,
            SourceKind::Other => Duration::ZERO,
        }
    }

    /// The clock for planning. If a run is planned for a fixed day and the source is FMP, the clock
    /// allows for data received after that day, because FMP always sends current data.
    pub fn planning(self, clock: AnyClock) -> AnyClock {
        match (self, clock) {
            (SourceKind::Fmp, AnyClock::Day(day)) => AnyClock::PlannedDay(day),
            (_, clock) => clock,
        }
    }

    /// The clock for the time of receipt. FMP sends current data whatever day the run is planned
    /// for, so this is the system clock. Other servers use the planning clock.
    pub fn receipt(self, planning: AnyClock) -> AnyClock {
        match self {
            SourceKind::Fmp => AnyClock::System(SystemClock),
            SourceKind::Other => planning,
        }
    }
}

/// The host in lower case, without the trailing dot of an absolute domain name.
fn host(url: &Url) -> Option<&str> {
    url.host_str().map(|host| host.trim_end_matches('.'))
}

#[derive(Serialize, Deserialize)]
struct Source {
    kind: SourceKind,
}

/// Records the kind of source on the stage in the first run. Rejects the other kind in later runs.
///
/// # Errors
/// `Config` if the stage contains data from the other kind of source; the stage's errors.
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
                "the stage contains data from {}, but the FMP address is that of {}; the two must not mix: \
                 use another --home or --stage",
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
