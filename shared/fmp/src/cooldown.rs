//! The cooldown of one client: while it lasts, no call starts. It acts at once, before the client
//! next reads the shared rate limit.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Pauses all calls of a client while FMP says that the call limit is reached.
pub(super) struct Cooldown {
    first: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    until: Option<Instant>,
    /// Cooldowns since the last successful call.
    streak: u32,
}

impl Cooldown {
    pub(super) fn new(first: Duration) -> Self {
        Cooldown { first, state: Mutex::default() }
    }

    /// Waits until the cooldown ends, plus a random moment so that not all calls start at once.
    pub(super) async fn wait(&self) {
        loop {
            let active = self.state().until.filter(|until| *until > Instant::now());
            let Some(until) = active else { return };
            let jitter = self.first.mul_f64(fastrand::f64() * 0.4);
            tokio::time::sleep_until((until + jitter).into()).await;
        }
    }

    /// Whether calls have to wait.
    pub(super) fn is_active(&self) -> bool {
        self.state().until.is_some_and(|until| until > Instant::now())
    }

    /// Starts a cooldown: as long as FMP asks for, or twice as long as the last one, up to thirty
    /// times the first. Returns its length, or `None` if one is active already.
    pub(super) fn start(&self, retry_after: Option<Duration>) -> Option<Duration> {
        let mut state = self.state();
        let now = Instant::now();
        // Calls that were in flight when the cooldown started add no information.
        if state.until.is_some_and(|until| until > now) {
            return None;
        }
        let pause =
            retry_after.unwrap_or_else(|| self.first * 2u32.saturating_pow(state.streak.min(6)).min(30));
        state.until = Some(now + pause);
        state.streak += 1;
        Some(pause)
    }

    /// A call succeeded: the next cooldown is as short as the first.
    pub(super) fn reset(&self) {
        self.state().streak = 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
