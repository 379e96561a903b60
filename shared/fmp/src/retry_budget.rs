//! The retry budget of an invocation. If more calls fail than the budget allows, retries only cost
//! calls and do not help.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Retries that every invocation may make. Even a short invocation may hit a brief outage.
const FLOOR: u64 = 50;
/// The budget grows by one retry after this many calls, where retries count as calls too. With 2,
/// the number of retries can reach the number of first attempts. So every call may fail once, and
/// an invocation sends at most twice its number of calls, plus about twice the floor.
const CALLS_PER_RETRY: u64 = 2;

/// Counts the calls and retries of one invocation. Repeating a call after a call-limit response
/// does not count as a retry.
#[derive(Debug, Default)]
pub(super) struct RetryBudget {
    calls: AtomicU64,
    taken: AtomicU64,
}

impl RetryBudget {
    /// Begins an invocation: resets the numbers of calls and retries.
    pub(super) fn begin(&self) {
        self.calls.store(0, Relaxed);
        self.taken.store(0, Relaxed);
    }

    /// Counts a call, first attempt or retry.
    pub(super) fn note_call(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    /// Takes one retry from the budget. Returns `false` if the budget is used up.
    pub(super) fn take(&self) -> bool {
        let most = FLOOR + self.calls.load(Relaxed) / CALLS_PER_RETRY;
        let taken = self
            .taken
            .fetch_update(Relaxed, Relaxed, |taken| (taken < most).then_some(taken + 1))
            .is_ok();
        if !taken {
            tracing::warn!(
                limit = most,
                "too many calls failed: the retry budget is used up; every two calls add one retry to it"
            );
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
    fn the_budget_suffices_if_every_call_fails_once() {
        let budget = RetryBudget::default();
        for task in 0..10_000 {
            budget.note_call();
            assert!(budget.take(), "{task}");
            budget.note_call();
        }
    }

    #[test]
    fn if_every_call_fails_there_are_at_most_as_many_retries_as_calls_plus_twice_the_floor() {
        let budget = RetryBudget::default();
        (0..10_000).for_each(|_| budget.note_call());
        let retries = (0..4 * 10_000).take_while(|_| budget.take()).inspect(|_| budget.note_call()).count();
        assert!((10_000..=10_000 + 2 * 50).contains(&retries), "{retries}");
    }
}
