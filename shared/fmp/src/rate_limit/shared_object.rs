//! Changes the shared objects by the stage's compare-and-swap. Each change is signed, and the
//! pauses between attempts use the limiter's clock and random numbers.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::RateLimiter;
use findata_domain::Result;
use findata_pipeline::ports::stage;

/// A random number generator whose seed differs between processes.
#[derive(Debug)]
pub(super) struct Jitter(Mutex<fastrand::Rng>);

impl Jitter {
    /// Uses a seed from the operating system. The default seed of `fastrand` depends on time and
    /// thread, which may be equal on two machines.
    pub(super) fn new() -> Self {
        Jitter::with_seed(RandomState::new().hash_one(0))
    }

    /// Generates the same numbers for the same seed, for tests.
    pub(super) fn with_seed(seed: u64) -> Self {
        Jitter(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// A random number.
    pub(super) fn number(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).u64(..)
    }

    /// A random duration between zero and `duration`.
    pub(super) fn part_of(&self, duration: Duration) -> Duration {
        duration.mul_f64(self.0.lock().unwrap_or_else(PoisonError::into_inner).f64())
    }
}

/// A shared object with the signature of its last change.
#[derive(Default, Serialize, Deserialize)]
struct Signed<T> {
    /// Random number of the last change. If a client's write succeeds but the response is lost, the
    /// client recognizes its own change and does not repeat it. This is necessary because changes
    /// of the budget are not idempotent.
    by: u64,
    #[serde(flatten)]
    value: T,
}

impl RateLimiter {
    /// Changes a shared object. If the object does not exist, `change` receives the default value.
    /// `change` returns its result and whether to write the object. It runs again if another client
    /// changed the object in the meantime.
    ///
    /// # Errors
    /// `Retry` if other clients keep changing the object; `Damaged` if the object cannot be parsed;
    /// the stage's errors.
    pub(super) async fn change<T, R>(
        &self,
        key: &str,
        mut change: impl FnMut(&mut T) -> (R, bool),
    ) -> Result<R>
    where
        T: Default + Serialize + DeserializeOwned,
        R: Clone,
    {
        let signature = self.jitter.number();
        let mut previous = None;
        // Pauses up to four times as long as the stage proposes, because 40 workers may write at
        // once.
        let pause = |longest| self.time.sleep(self.jitter.part_of(longest * 4));
        stage::compare_and_swap(self.store.as_ref(), key, pause, |signed: &mut Signed<T>| {
            if signed.by == signature
                && let Some(result) = previous.take()
            {
                return (result, false);
            }
            let (result, write) = change(&mut signed.value);
            signed.by = signature;
            previous = Some(result.clone());
            (result, write)
        })
        .await
    }
}
