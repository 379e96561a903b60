//! A cap on what is tried again: above it trying again no longer helps, and only costs calls.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// RetryBudget that every piece of work has: a short one may meet a bad minute.
const FLOOR: u64 = 50;
/// One more for so many calls, retries included: so many as there are first tries. Of a long run every call may fail once; it
/// never makes more than twice its calls, and the floor.
const CALLS: u64 = 2;

/// Those of one piece of work. What waits for the call limit is none.
#[derive(Debug, Default)]
pub(super) struct RetryBudget {
    calls: AtomicU64,
    taken: AtomicU64,
}

impl RetryBudget {
    /// Begins another piece of work.
    pub(super) fn begin(&self) {
        self.calls.store(0, Relaxed);
        self.taken.store(0, Relaxed);
    }

    /// Notes a call, whatever for.
    pub(super) fn call(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    /// Takes one, where there is one left.
    pub(super) fn take(&self) -> bool {
        let most = FLOOR + self.calls.load(Relaxed) / CALLS;
        let taken = self.taken.fetch_update(Relaxed, Relaxed, |taken| (taken < most).then_some(taken + 1)).is_ok();
        if !taken {
            tracing::warn!(most, "too many calls fail: none is tried again for now");
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_some_and_more_for_each_call() {
        let retries = RetryBudget::default();
        let left = || (0..1_000).take_while(|_| retries.take()).count();
        assert_eq!(left(), 50);
        (0..20).for_each(|_| retries.call());
        assert_eq!((left(), left()), (10, 0));
        retries.begin();
        assert_eq!(left(), 50);
    }

    #[test]
    fn a_run_of_which_every_call_fails_once_is_not_cut_short() {
        let retries = RetryBudget::default();
        for task in 0..10_000 {
            retries.call();
            assert!(retries.take(), "{task}");
            retries.call();
        }
    }

    #[test]
    fn one_of_which_all_fails_makes_twice_its_calls_and_the_floor() {
        let retries = RetryBudget::default();
        (0..10_000).for_each(|_| retries.call());
        let again = (0..4 * 10_000).take_while(|_| retries.take()).inspect(|_| retries.call()).count();
        assert!((10_000..=10_000 + 2 * 50).contains(&again), "{again}");
    }
}
