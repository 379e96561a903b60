//! A cap on what is tried again: above it trying again no longer helps, and only costs calls.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Retries that every piece of work has: a short run may meet a bad minute.
const FLOOR: u64 = 100;
/// One more for so many calls, retries included: of a long run every fifth may fail.
const CALLS: u64 = 5;

/// Those of one piece of work. What waits for the call limit is none.
#[derive(Debug, Default)]
pub(super) struct Retries {
    calls: AtomicU64,
    taken: AtomicU64,
}

impl Retries {
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
        let retries = Retries::default();
        let left = || (0..1_000).take_while(|_| retries.take()).count();
        assert_eq!(left(), 100);
        (0..50).for_each(|_| retries.call());
        assert_eq!((left(), left()), (10, 0));
        retries.begin();
        assert_eq!(left(), 100);
    }

    #[test]
    fn a_run_of_which_every_fifth_call_fails_is_not_cut_short() {
        let retries = Retries::default();
        for call in 0..100_000 {
            retries.call();
            assert!(call % 5 != 0 || retries.take(), "{call}");
        }
    }
}
