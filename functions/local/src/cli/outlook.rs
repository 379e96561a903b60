//! Predicts how long a plan takes at the key's call limits, and what it costs in dollars and
//! Snowflake credits.

use findata_fmp::{Demand, Estimate, SourceKind};
use findata_pipeline::{
    cost,
    plan::{DatasetPlan, Plan},
    summary::Cost,
};

use super::global::ResolvedConfig;

/// Default number of batches that a deployed stack fetches at a time (`Workers` in
/// `infra/template.yaml`).
const WORKERS: u64 = 2;
/// Seconds per call on Lambda without a rate limit: 64 calls in flight at FMP's latency of 0.12 s.
const SECONDS_PER_CALL: f64 = 0.12 / 64.0;

/// The prediction for a plan.
pub(crate) struct Outlook {
    /// The calls, files and bytes that the plan needs.
    pub demand: Demand,
    /// The time that the calls take at the limits of the key.
    pub estimate: Estimate,
    /// The cost of the run on this machine.
    pub here: Cost,
    /// The cost of the same run on a deployed stack.
    pub on_aws: Cost,
}

impl Outlook {
    pub(crate) fn of(plan: &Plan, config: &ResolvedConfig) -> Outlook {
        let sum = |of: fn(&DatasetPlan) -> u64| plan.datasets.iter().map(|(_, d)| of(d)).sum::<u64>();
        let demand = Demand {
            calls: sum(|d| d.calls),
            files: sum(|d| d.files),
            bytes: sum(|d| d.bytes),
        };
        let limits = config.fmp_plan.limits().with(config.fmp_bytes, config.fmp_burst);
        let estimate = limits.estimate(&demand, SourceKind::of(&config.fmp_url).bulk_pause());
        let batches = plan.batches.len() as u64;
        let datasets = plan.datasets.iter().filter(|(_, d)| d.calls > 0).count() as u64;
        let limited = estimate.time.unwrap_or_default().as_secs_f64();
        let fetching = limited.max(demand.calls as f64 * SECONDS_PER_CALL);
        let on_aws = cost::predicted(demand.calls, batches, datasets, WORKERS, fetching);
        // A laptop pays for no Lambda function or queue, only for S3 and Snowflake if it uses them.
        let here = match &config.cloud {
            Some(_) => Cost {
                usd: cost::on_aws(0.0, batches, batches * datasets).usd,
                ..on_aws
            },
            None => Cost::default(),
        };
        Outlook { demand, estimate, here, on_aws }
    }

    /// The duration of the run in minutes, rounded up to a tenth; `None` without a limit on calls.
    pub(crate) fn minutes(&self) -> Option<f64> {
        let time = self.estimate.time?;
        Some((time.as_secs_f64() / 60.0 * 10.0).ceil() / 10.0)
    }

    /// Formats the duration of the run.
    pub(crate) fn duration(&self) -> String {
        match (self.minutes(), &self.estimate.reason) {
            (_, Some(reason)) => format!("{} days ({reason})", self.estimate.days),
            (None, None) => "no rate limit".into(),
            (Some(minutes), None) if minutes < 1.0 => "less than a minute".into(),
            (Some(minutes), None) => format!("about {minutes} minutes"),
        }
    }

    /// Formats the cost of the run.
    pub(crate) fn cost(&self) -> String {
        let of =
            |cost: &Cost| format!("{:.4} USD and {:.3} Snowflake credits", cost.usd, cost.snowflake_credits);
        let here = if self.here.usd > 0.0 { of(&self.here) } else { "nothing".into() };
        format!("{here} on this machine, about {} on AWS", of(&self.on_aws))
    }
}
