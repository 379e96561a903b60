//! Changes of the shared objects: the stage's compare-and-swap, with a signature and the limiter's
//! own time and jitter.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::RateLimiter;
use findata_domain::Result;
use findata_pipeline::ports::stage;

/// Random numbers that differ between processes.
#[derive(Debug)]
pub(super) struct Jitter(Mutex<fastrand::Rng>);

impl Jitter {
    /// Seeded by the operating system. `fastrand` alone would use the time and thread, which
    /// machines may share.
    pub(super) fn new() -> Self {
        Jitter::with_seed(RandomState::new().hash_one(0))
    }

    /// The same numbers for the same seed.
    pub(super) fn with_seed(seed: u64) -> Self {
        Jitter(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// A random number.
    pub(super) fn number(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).u64(..)
    }

    /// A random part of a duration.
    pub(super) fn part_of(&self, duration: Duration) -> Duration {
        duration.mul_f64(self.0.lock().unwrap_or_else(PoisonError::into_inner).f64())
    }
}

/// An object with the signature of its last change.
#[derive(Default, Serialize, Deserialize)]
struct Signed<T> {
    /// Identifies the change, so that a client whose write succeeded but whose answer was lost does
    /// not repeat it. Unlike the changes made by `stage::change_json`, those of the rate limiter
    /// are not idempotent.
    by: u64,
    #[serde(flatten)]
    value: T,
}

impl RateLimiter {
    /// Changes an object, which starts as its default. `change` returns its result and whether to
    /// write the object. It runs again whenever somebody else changed the object first.
    ///
    /// # Errors
    /// `Retry` if others keep changing the object; `Stop` if it cannot be parsed; the stage's
    /// errors.
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
        // Longer pauses than the stage proposes, since 40 workers may write at once.
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
