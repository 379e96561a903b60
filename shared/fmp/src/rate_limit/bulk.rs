//! FMP's own limit of bulk calls, which stands beside that of the minute: one in half a minute for all who have the key.
//!
//! The object beside the budget's says from when on the next call may be made. Who finds that moment come takes the turn
//! by moving it on; all others wait. Nobody holds a turn of the future, so who ends while waiting costs nobody anything.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{RateLimiter, shared_object};
use findata_domain::Result;

/// No pause is longer.
const FURTHEST: TimeDelta = TimeDelta::minutes(15);

/// When bulk calls were and may be made.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Turns {
    /// From when on the next call may be made.
    next: DateTime<Utc>,
}

impl RateLimiter {
    /// Waits until a bulk call may be made; the next one may follow after the pause. Safe to give up.
    ///
    /// # Errors
    /// The stage's own.
    pub(crate) async fn bulk_turn(&self, pause: Duration) -> Result<()> {
        let pause = TimeDelta::from_std(pause).unwrap_or(FURTHEST).min(FURTHEST);
        loop {
            let waits = self.change_turns(|turns, now| {
                // What is further off was written by a clock that was wrong.
                let waits = Some(turns.next - now).filter(|wait| *wait > TimeDelta::zero() && *wait <= FURTHEST);
                if waits.is_none() {
                    turns.next = now + pause;
                }
                (waits, waits.is_none())
            });
            let Some(wait) = waits.await? else { return Ok(()) };
            self.time.sleep(wait.to_std().unwrap_or_default()).await;
        }
    }

    /// FMP refused a bulk call: nobody makes one for a time.
    pub(crate) async fn bulk_refused(&self, wait: Duration) {
        let wait = TimeDelta::from_std(wait).unwrap_or(FURTHEST).min(FURTHEST);
        let noted = self.change_turns(|turns, now| {
            turns.next = turns.next.max(now + wait);
            ((), true)
        });
        if let Err(error) = noted.await {
            tracing::warn!(%error, "others do not learn that FMP refuses bulk calls");
        }
    }

    async fn change_turns<R>(&self, mut change: impl FnMut(&mut Turns, DateTime<Utc>) -> (R, bool)) -> Result<R> {
        let key = self.local().key.replace(".json", "-bulk.json");
        let change = |turns: &mut Turns| change(turns, self.time.now());
        shared_object::change(self.shelf.as_ref(), &key, self.writer(), change).await
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
    async fn all_who_have_the_key_take_turns() {
        let stage = MemoryStage::default();
        let budget = |key: &str| {
            RateLimiter::new(Limits::default(), key, Box::new(stage.clone()), Box::new(SystemClock), Arc::default())
        };
        let (one, two, other) = (budget("key"), budget("key"), budget("other"));
        let pause = Duration::from_millis(60);
        let turns = Mutex::new(Vec::new());
        let work = async |budget: &RateLimiter| {
            for _ in 0..4 {
                budget.bulk_turn(pause).await.unwrap();
                turns.lock().unwrap().push(std::time::Instant::now());
            }
        };
        let begun = std::time::Instant::now();
        tokio::join!(work(&one), work(&two));
        let mut turns = turns.into_inner().unwrap();
        turns.sort();
        let near = turns.windows(2).find(|pair| pair[1] - pair[0] < pause.mul_f64(0.9));
        assert_eq!((turns.len(), near), (8, None));
        assert!(begun.elapsed() < pause * 20, "{:?}", begun.elapsed());
        // Another key has turns of its own, and a refusal is everybody's.
        one.bulk_refused(Duration::from_secs(3)).await;
        let soon = Duration::from_millis(50);
        assert!(tokio::time::timeout(soon, two.bulk_turn(pause)).await.is_err());
        assert!(tokio::time::timeout(soon, other.bulk_turn(pause)).await.is_ok());
    }
}
