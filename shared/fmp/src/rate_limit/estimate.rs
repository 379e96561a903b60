//! Estimates how long the calls of a run take within the limits of a key.

use std::time::Duration;

use super::{Limits, SPAN};

/// The calls and bytes that a run needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Demand {
    /// Number of calls, including one for each bulk file.
    pub calls: u64,
    /// Number of bulk files to download.
    pub files: u64,
    /// Number of bytes to download.
    pub bytes: u64,
}

/// The estimated time of a [`Demand`].
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Time for the calls and bulk files of one day; `None` without a limit on calls per minute.
    pub time: Option<Duration>,
    /// Number of days until everything is fetched; 1 if one run can fetch everything.
    pub days: u64,
    /// The limit that makes more than one day necessary.
    pub reason: Option<String>,
}

impl Limits {
    /// Estimates how long a demand takes if no other client uses the key. `bulk_pause` is the
    /// interval between two bulk calls.
    pub fn estimate(&self, demand: &Demand, bulk_pause: Duration) -> Estimate {
        let by_calls = self.per_day.map_or(1, |most| demand.calls.div_ceil(most.max(1)).max(1));
        // Bytes stop counting towards the limit after 30 days.
        let by_bytes =
            self.bytes.map_or(1, |most| demand.bytes.div_ceil(most.max(1)).saturating_sub(1) * 30 + 1);
        let reason = if by_calls.max(by_bytes) == 1 {
            None
        } else if by_calls >= by_bytes {
            self.per_day.map(|most| format!("{most} calls a day"))
        } else {
            self.bytes.map(|most| format!("{} MB in 30 days", most / 1_000_000))
        };
        let calls = self.per_day.map_or(demand.calls, |most| demand.calls.min(most));
        let time = self.time_of_calls(calls).map(|time| time.max(bulk_pause * demand.files as u32));
        Estimate { time, days: by_calls.max(by_bytes), reason }
    }

    /// Estimates the time for `calls` calls. After each burst except the last, the client waits
    /// until the burst's calls leave the window.
    fn time_of_calls(&self, calls: u64) -> Option<Duration> {
        let limit = self.per_minute?.max(1);
        let burst = self.burst.map_or(limit, |burst| burst.clamp(1, limit));
        let waits = calls.div_ceil(burst.into()).saturating_sub(1);
        let wait = SPAN.to_std().unwrap_or_default().mul_f64(f64::from(burst) / f64::from(limit));
        Some(wait.mul_f64(waits as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BULK_PAUSE, FmpPlan};

    fn estimate(limits: Limits, calls: u64, files: u64, bytes: u64) -> (u64, u64, Option<String>) {
        let estimate = limits.estimate(&Demand { calls, files, bytes }, BULK_PAUSE);
        (estimate.time.unwrap().as_secs(), estimate.days, estimate.reason)
    }

    #[test]
    fn every_limit_counts() {
        let premium = FmpPlan::Premium.limits();
        assert_eq!(estimate(premium, 750, 0, 0), (0, 1, None));
        assert_eq!(estimate(premium, 2_005, 0, 0), (126, 1, None));
        let paced = Limits { burst: Some(75), ..premium };
        assert_eq!(estimate(paced, 750, 0, 0), (56, 1, None));
        assert_eq!(estimate(FmpPlan::Ultimate.limits(), 100, 99, 0), (99 * 31, 1, None));
        let free = FmpPlan::Free.limits();
        assert_eq!(estimate(free, 3_522, 0, 0), (0, 15, Some("250 calls a day".into())));
        assert_eq!(estimate(free, 250, 0, 0), (0, 1, None));
        let starter = FmpPlan::Starter.limits();
        assert_eq!(estimate(starter, 300, 0, 50_000_000_000), (0, 61, Some("20000 MB in 30 days".into())));
        assert_eq!(Limits::default().estimate(&Demand::default(), BULK_PAUSE).time, None);
    }
}
