//! The source of the data: FMP itself, or another server with the same API. A stage never holds
//! data of both.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{BULK_PAUSE, DEFAULT_URL, FmpPlan};
use findata_domain::{
    Error, Result,
    clock::{AnyClock, SystemClock},
};
use findata_pipeline::ports::stage::{self, Stage};

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
        let host = |text: &str| {
            text.split("//")
                .nth(1)
                .and_then(|rest| rest.split(['/', ':', '?']).next())
                .map(str::to_ascii_lowercase)
        };
        if host(url).is_some() && host(url) == host(DEFAULT_URL) {
            SourceKind::Fmp
        } else {
            SourceKind::Other
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
        assert_eq!(SourceKind::of(DEFAULT_URL), SourceKind::Fmp);
        assert_eq!(SourceKind::of("https://FinancialModelingPrep.com:443/stable/"), SourceKind::Fmp);
        assert_eq!(SourceKind::of("http://127.0.0.1:8080/stable"), SourceKind::Other);
        assert_eq!(SourceKind::of("http://x/financialmodelingprep.com"), SourceKind::Other);
    }
}
