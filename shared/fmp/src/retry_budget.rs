//! A limit on retries. Above it, retrying no longer helps and only costs calls.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Retries that every invocation may make, since even a short one may meet a bad minute.
const FLOOR: u64 = 50;
/// One more retry for this many calls, retries included: as many retries as first attempts. Every
/// call of a long run may fail once, and a run makes at most twice its calls plus the floor.
const CALLS_PER_RETRY: u64 = 2;

/// The retries of one invocation. Repeating a call after a cooldown is not a retry.
#[derive(Debug, Default)]
pub(super) struct RetryBudget {
    calls: AtomicU64,
    taken: AtomicU64,
}

impl RetryBudget {
    /// Begins an invocation.
    pub(super) fn begin(&self) {
        self.calls.store(0, Relaxed);
        self.taken.store(0, Relaxed);
    }

    /// Counts a call, first attempt or retry.
    pub(super) fn note_call(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    /// Takes one retry. Returns whether there was one left.
    pub(super) fn take(&self) -> bool {
        let most = FLOOR + self.calls.load(Relaxed) / CALLS_PER_RETRY;
        let taken = self
            .taken
            .fetch_update(Relaxed, Relaxed, |taken| (taken < most).then_some(taken + 1))
            .is_ok();
        if !taken {
            tracing::warn!(most, "too many calls fail: no call is retried for now");
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_has_a_floor_and_grows_with_the_calls() {
        let budget = RetryBudget::default();
        let left = || (0..1_000).take_while(|_| budget.take()).count();
        assert_eq!(left(), 50);
        (0..20).for_each(|_| budget.note_call());
        assert_eq!((left(), left()), (10, 0));
        budget.begin();
        assert_eq!(left(), 50);
    }

    #[test]
    fn a_run_in_which_every_call_fails_once_is_not_cut_short() {
        let budget = RetryBudget::default();
        for task in 0..10_000 {
            budget.note_call();
            assert!(budget.take(), "{task}");
            budget.note_call();
        }
    }

    #[test]
    fn a_run_in_which_every_call_fails_makes_at_most_twice_its_calls_and_the_floor() {
        let budget = RetryBudget::default();
        (0..10_000).for_each(|_| budget.note_call());
        let retries = (0..4 * 10_000).take_while(|_| budget.take()).inspect(|_| budget.note_call()).count();
        assert!((10_000..=10_000 + 2 * 50).contains(&retries), "{retries}");
    }
}
