//! What one client knows of FMP's call limit between two looks at the budget that it shares.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Shut for everybody while FMP says that the limit of calls is reached.
pub(super) struct Cooldown {
    first: Duration,
    shut: Mutex<Shut>,
}

#[derive(Default)]
struct Shut {
    until: Option<Instant>,
    /// Times in a row that it was shut.
    streak: u32,
}

impl Cooldown {
    pub(super) fn new(first: Duration) -> Self {
        Cooldown { first, shut: Mutex::default() }
    }

    /// Waits until it is open, and a moment of its own so that not all go at once.
    pub(super) async fn wait(&self) {
        loop {
            let shut = self.shut().until.filter(|until| *until > Instant::now());
            let Some(until) = shut else { return };
            let moment = self.first.mul_f64((RandomState::new().hash_one(until) % 400) as f64 / 1e3);
            tokio::time::sleep_until((until + moment).into()).await;
        }
    }

    /// Whether nobody needs to wait.
    pub(super) fn is_open(&self) -> bool {
        self.shut().until.is_none_or(|until| until <= Instant::now())
    }

    /// Shuts it: for as long as FMP says, or twice as long as the time before. Says for how long, where it was not shut
    /// already.
    pub(super) fn close(&self, after: Option<Duration>) -> Option<Duration> {
        let mut shut = self.shut();
        let now = Instant::now();
        // Calls that were under way when it was shut say nothing new.
        if shut.until.is_some_and(|until| until > now) {
            return None;
        }
        let pause = after.unwrap_or_else(|| self.first * 2u32.saturating_pow(shut.streak.min(6)).min(30));
        shut.until = Some(now + pause);
        shut.streak += 1;
        Some(pause)
    }

    /// A call got through.
    pub(super) fn open(&self) {
        self.shut().streak = 0;
    }

    fn shut(&self) -> MutexGuard<'_, Shut> {
        self.shut.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
