//! FMP settings of a Lambda function: reads the environment variables and creates the client.

use std::num::NonZeroU32;

use findata_domain::{Result, clock::TimeScale};
use findata_pipeline::ports::stage::Stage;

use crate::{
    ClientSettings, DEFAULT_URL, Fmp, FmpPlan, LIMIT_PAUSE, MOST_IN_FLIGHT_IN_FUNCTION, ReadKey, SourceKind,
};

/// The FMP settings in a Lambda function's environment variables.
#[derive(Debug, Clone)]
pub struct FmpAccess {
    url: String,
    /// Whether the server is FMP or another server.
    pub kind: SourceKind,
    /// The FMP plan of the key.
    pub plan: FmpPlan,
    /// Bandwidth limit in GB per 30 days, if it differs from the plan's.
    gigabytes: Option<u64>,
    /// Maximum number of calls made at once, if lower than the plan's calls per minute.
    burst: Option<NonZeroU32>,
    /// Divides timeouts, pauses and delays; 1 unless a test sets another value.
    pub time_scale: TimeScale,
}

impl FmpAccess {
    /// Reads the variables `FINDATA_FMP_URL`, `FINDATA_FMP_PLAN`, `FINDATA_FMP_GIGABYTES`,
    /// `FINDATA_FMP_BURST` and `FINDATA_TIME_SCALE`. Appends a message to `problems` for each invalid value.
    pub fn from_variables(variable: &dyn Fn(&str) -> Option<String>, problems: &mut Vec<String>) -> Self {
        let url = variable("FINDATA_FMP_URL").unwrap_or_else(|| DEFAULT_URL.into());
        if let Err(error) = Fmp::check_url(&url) {
            problems.push(format!("FINDATA_FMP_URL: {error}"));
        }
        let kind = SourceKind::of(&url);
        let plan = variable("FINDATA_FMP_PLAN").and_then(|text| {
            text.parse().map_err(|e| problems.push(format!("FINDATA_FMP_PLAN: {text:?}: {e}"))).ok()
        });
        let gigabytes = variable("FINDATA_FMP_GIGABYTES").and_then(|text| {
            text.parse()
                .map_err(|e| problems.push(format!("FINDATA_FMP_GIGABYTES: {text:?}: {e}")))
                .ok()
        });
        let burst = variable("FINDATA_FMP_BURST").and_then(|text| {
            text.parse().map_err(|e| problems.push(format!("FINDATA_FMP_BURST: {text:?}: {e}"))).ok()
        });
        let time_scale = variable("FINDATA_TIME_SCALE").and_then(|text| {
            text.parse().map_err(|e| problems.push(format!("FINDATA_TIME_SCALE: {text:?}: {e}"))).ok()
        });
        FmpAccess {
            url,
            kind,
            plan: plan.unwrap_or(kind.default_plan()),
            gigabytes,
            burst,
            time_scale: time_scale.unwrap_or_default(),
        }
    }

    /// Creates a client that shares the key's call budget with other clients through the stage. If
    /// FMP refuses the key, the client calls `read_key` again, so the key can be rotated without a
    /// deployment.
    ///
    /// # Errors
    /// The errors of `read_key`; `Config` if the key contains characters that an HTTP header cannot
    /// contain.
    pub async fn open(&self, read_key: ReadKey, stage: impl Stage + 'static) -> Result<Fmp> {
        let fmp = Fmp::new(&ClientSettings {
            url: self.url.clone(),
            key: read_key().await?,
            plan: self.plan,
            bytes: self.gigabytes.map(|gigabytes| gigabytes.saturating_mul(1_000_000_000)),
            burst: self.burst,
            in_flight: MOST_IN_FLIGHT_IN_FUNCTION,
            limit_pause: LIMIT_PAUSE,
            bulk_pause: self.kind.bulk_pause(),
            time_scale: self.time_scale,
        })?;
        Ok(fmp.sharing(stage).with_key_from(read_key))
    }
}
