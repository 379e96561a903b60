//! FMP's separate limit on bulk calls: one call per half minute, for all clients with the same key.
//!
//! An object next to the key's shared state contains the time of the next allowed bulk call. A
//! client that finds this time in the past takes the slot: it sets the time of the following call.
//! All other clients wait. Clients do not reserve future slots, so a client that stops waiting
//! blocks no other client.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::RateLimiter;
use findata_domain::Result;

/// Longest pause between two bulk calls.
const MAX_PAUSE: TimeDelta = TimeDelta::minutes(15);

/// The shared object with the schedule of bulk calls.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct BulkSchedule {
    /// When the next bulk call may be made.
    next: DateTime<Utc>,
}

impl RateLimiter {
    /// Waits until a bulk call may be made, and delays the next one by `pause`. Safe to cancel.
    ///
    /// # Errors
    /// The stage's errors.
    pub(crate) async fn bulk_slot(&self, pause: Duration) -> Result<()> {
        let pause = TimeDelta::from_std(pause).unwrap_or(MAX_PAUSE).min(MAX_PAUSE);
        loop {
            let wait = self.change_bulk_schedule(|schedule, now| {
                // Ignores a longer wait: a machine with a wrong clock wrote the time.
                let wait =
                    Some(schedule.next - now).filter(|wait| *wait > TimeDelta::zero() && *wait <= MAX_PAUSE);
                if wait.is_none() {
                    schedule.next = now + pause;
                }
                (wait, wait.is_none())
            });
            let Some(wait) = wait.await? else { return Ok(()) };
            self.time.sleep(wait.to_std().unwrap_or_default()).await;
        }
    }

    /// Pauses the bulk calls of all clients with the key, after FMP refused a bulk call.
    pub(crate) async fn pause_bulk(&self, wait: Duration) {
        let wait = TimeDelta::from_std(wait).unwrap_or(MAX_PAUSE).min(MAX_PAUSE);
        let paused = self.change_bulk_schedule(|schedule, now| {
            schedule.next = schedule.next.max(now + wait);
            ((), true)
        });
        if let Err(error) = paused.await {
            tracing::warn!(%error, "cannot tell other clients with the key that FMP refuses bulk calls");
        }
    }

    async fn change_bulk_schedule<R: Clone>(
        &self,
        mut change: impl FnMut(&mut BulkSchedule, DateTime<Utc>) -> (R, bool),
    ) -> Result<R> {
        let key = self.lease().object_key.replace(".json", "-bulk.json");
        self.change(&key, |schedule: &mut BulkSchedule| change(schedule, self.time.now())).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::rate_limit::Limits;
    use findata_domain::clock::SystemClock;
    use findata_pipeline::ports::stage::memory::MemoryStage;

    #[tokio::test]
    async fn clients_with_one_key_share_the_pause_between_bulk_calls() {
        let stage = MemoryStage::default();
        let limiter = |key: &str| {
            RateLimiter::new(
                Limits::default(),
                key,
                Box::new(stage.clone()),
                Box::new(SystemClock),
                Arc::default(),
            )
        };
        let (one, two, other) = (limiter("key"), limiter("key"), limiter("other"));
        let pause = Duration::from_millis(60);
        let calls = Mutex::new(Vec::new());
        let work = async |limiter: &RateLimiter| {
            for _ in 0..4 {
                limiter.bulk_slot(pause).await.unwrap();
                calls.lock().unwrap().push(std::time::Instant::now());
            }
        };
        let begun = std::time::Instant::now();
        tokio::join!(work(&one), work(&two));
        let mut calls = calls.into_inner().unwrap();
        calls.sort();
        let too_close = calls.windows(2).find(|pair| pair[1] - pair[0] < pause.mul_f64(0.9));
        assert_eq!((calls.len(), too_close), (8, None));
        assert!(begun.elapsed() < pause * 20, "{:?}", begun.elapsed());
        // A refusal pauses all clients with the key, but no client with another key.
        one.pause_bulk(Duration::from_secs(3)).await;
        let soon = Duration::from_millis(50);
        assert!(tokio::time::timeout(soon, two.bulk_slot(pause)).await.is_err());
        assert!(tokio::time::timeout(soon, other.bulk_slot(pause)).await.is_ok());
    }
}
