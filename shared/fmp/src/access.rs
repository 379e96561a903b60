//! How a Lambda function reaches FMP: its variables, and a client with the key from a secret.

use findata_domain::Result;
use findata_pipeline::ports::stage::Stage;

use crate::{ClientSettings, DEFAULT_URL, Fmp, FmpPlan, LIMIT_PAUSE, ReadKey, SourceKind};

/// Calls in flight. At 3,000 calls a minute and one second per answer, 50 are in flight.
const IN_FLIGHT: usize = 64;

/// A function's FMP settings, from its environment variables.
#[derive(Debug, Clone)]
pub struct FmpAccess {
    url: String,
    /// FMP itself or another server.
    pub kind: SourceKind,
    /// The key's plan.
    pub plan: FmpPlan,
    /// Bandwidth in 30 days, in GB, if it differs from the plan's.
    gigabytes: Option<u64>,
}

impl FmpAccess {
    /// Reads `FINDATA_FMP_URL`, `FINDATA_FMP_PLAN` and `FINDATA_FMP_GIGABYTES`, and appends what is
    /// wrong with them to `problems`.
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
        FmpAccess {
            url,
            kind,
            plan: plan.unwrap_or(kind.default_plan()),
            gigabytes,
        }
    }

    /// A client that shares its call budget through the stage. If FMP refuses the key, the client
    /// reads it again, so a rotated key needs no deployment.
    ///
    /// # Errors
    /// The errors of `read_key`; `Config` for a key that no HTTP header can carry.
    pub async fn open(&self, read_key: ReadKey, stage: impl Stage + 'static) -> Result<Fmp> {
        let fmp = Fmp::new(&ClientSettings {
            url: self.url.clone(),
            key: read_key().await?,
            plan: self.plan,
            bytes: self.gigabytes.map(|gigabytes| gigabytes.saturating_mul(1_000_000_000)),
            in_flight: IN_FLIGHT,
            limit_pause: LIMIT_PAUSE,
            bulk_pause: self.kind.bulk_pause(),
        })?;
        Ok(fmp.sharing(stage).with_key_from(read_key))
    }
}
