//! Estimates what a run costs on AWS, from its ledger and without the free tier.

/// Prices in US dollars for us-east-1, from AWS's pricing pages in July 2026.
mod price {
    /// A GB-second of Lambda on arm64.
    pub(super) const GB_SECOND: f64 = 0.000_013_333_4;
    /// An invocation of Lambda.
    pub(super) const INVOCATION: f64 = 0.20 / 1e6;
    /// A request to SQS.
    pub(super) const QUEUE_REQUEST: f64 = 0.40 / 1e6;
    /// A write to S3.
    pub(super) const PUT: f64 = 5.0 / 1e6;
    /// A custom event on EventBridge.
    pub(super) const EVENT: f64 = 1.0 / 1e6;
}

/// The cost of a run in US dollars: Lambda GB-seconds and invocations, SQS requests, S3 writes and
/// one EventBridge event.
pub fn usd(gb_seconds: f64, invocations: u64, queue_requests: u64, puts: u64) -> f64 {
    gb_seconds * price::GB_SECOND
        + invocations as f64 * price::INVOCATION
        + queue_requests as f64 * price::QUEUE_REQUEST
        + puts as f64 * price::PUT
        + price::EVENT
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_day_of_the_sp500_costs_a_fraction_of_a_cent() {
        let usd = super::usd(11.0 * 40.0 * 0.25, 14, 35, 120);
        assert!((0.001..0.003).contains(&usd), "{usd}");
    }
}
