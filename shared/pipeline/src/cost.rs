//! Estimates the cost of a run on AWS without the free tier: from the plan before the run, and from
//! the ledger after the run.

use crate::{summary::Cost, usage::Usage};

/// Prices in US dollars for us-east-1, from AWS's pricing pages in July 2026.
mod price {
    /// Price of a Lambda GB-second on arm64, in US dollars.
    pub(super) const GB_SECOND: f64 = 0.000_013_333_4;
    /// Price of a Lambda invocation, in US dollars.
    pub(super) const INVOCATION: f64 = 0.20 / 1e6;
    /// Price of a request to SQS, in US dollars.
    pub(super) const QUEUE_REQUEST: f64 = 0.40 / 1e6;
    /// Price of a write to S3, in US dollars.
    pub(super) const PUT: f64 = 5.0 / 1e6;
    /// Price of a custom event on EventBridge, in US dollars.
    pub(super) const EVENT: f64 = 1.0 / 1e6;
}

/// Number of ledger writes per run: plan, staged, loaded, summary, and the statement logs of two
/// functions.
const LEDGER_WRITES: u64 = 6;
/// Memory of each function in GB (`infra/template.yaml`).
const MEMORY: f64 = 0.25;
/// Estimated seconds that load and analytics take together in a daily run of 500 companies. The
/// warehouse is billed for this time.
const LOAD_AND_COMPUTE: f64 = 60.0;
/// Estimated statements of load and analytics.
const STATEMENTS: u64 = 300;

/// Estimates the cost of a run on AWS: Lambda GB-seconds and invocations, SQS requests, S3 writes
/// and one EventBridge event. A batch costs one invocation, its share of a send request of ten
/// messages, a receive and a delete request, and one write for its entry and for each of its files.
pub fn on_aws(gb_seconds: f64, batches: u64, files: u64) -> Cost {
    let (sqs_requests, s3_puts) = (batches.div_ceil(10) + 2 * batches, batches + files + LEDGER_WRITES);
    let usd = gb_seconds * price::GB_SECOND
        + (batches + 3) as f64 * price::INVOCATION
        + sqs_requests as f64 * price::QUEUE_REQUEST
        + s3_puts as f64 * price::PUT
        + price::EVENT;
    Cost {
        lambda_gb_s: gb_seconds,
        s3_puts,
        sqs_requests,
        usd,
        ..Cost::default()
    }
}

/// Predicts the cost of a planned run on AWS and Snowflake. `workers` is the number of batches that
/// are fetched at the same time. `fetching` is the duration of the fetch step in seconds.
pub fn predicted(calls: u64, batches: u64, datasets: u64, workers: u64, fetching: f64) -> Cost {
    if batches == 0 {
        return on_aws(MEMORY, 0, 0);
    }
    let seconds = fetching * batches.min(workers) as f64 + LOAD_AND_COMPUTE;
    let usage = Usage {
        seconds: LOAD_AND_COMPUTE,
        resumes: 1,
        statements: STATEMENTS,
        ..Usage::default()
    };
    Cost {
        fmp_calls: calls,
        snowflake_credits: usage.credits(),
        ..on_aws(seconds * MEMORY, batches, batches * datasets)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_day_of_the_sp500_costs_a_fraction_of_a_cent() {
        let cost = super::on_aws(11.0 * 40.0 * 0.25, 11, 103);
        assert!((0.001..0.003).contains(&cost.usd), "{cost:?}");
        let planned = super::predicted(89, 8, 5, 2, 3.0);
        assert!((0.0003..0.002).contains(&planned.usd), "{planned:?}");
        assert!((0.05..0.15).contains(&planned.snowflake_credits), "{planned:?}");
    }
}
