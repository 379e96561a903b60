//! The time limit of an invocation that works in slices. Each finished slice is stored, and the invocation stops
//! before a slice that would not be finished in time. Another invocation continues.

use std::time::{Duration, Instant};

use findata_domain::{Error, Result};

/// Measures slices against the end of the invocation.
#[derive(Debug)]
pub struct TimeLimit {
    ends_at: Option<Instant>,
    begun: Instant,
    slowest: Option<Duration>,
}

impl TimeLimit {
    /// A limit; `None` for none.
    pub fn new(ends_at: Option<Instant>) -> Self {
        TimeLimit { ends_at, begun: Instant::now(), slowest: None }
    }

    /// Begins a slice. The first one of an invocation always begins, so that each invocation makes progress.
    ///
    /// # Errors
    /// `OutOfTime` if less time is left than one and a half times the slowest slice so far.
    pub fn begin(&mut self) -> Result<()> {
        self.begun = Instant::now();
        match (self.ends_at, self.slowest) {
            (Some(ends_at), Some(slowest)) if self.begun + slowest * 3 / 2 > ends_at => {
                Err(Error::OutOfTime("the time of this invocation is almost up".into()))
            }
            _ => Ok(()),
        }
    }

    /// Ends a slice, whose result is stored.
    pub fn end(&mut self) {
        let taken = self.begun.elapsed();
        self.slowest = Some(self.slowest.map_or(taken, |slowest| slowest.max(taken)));
    }

    /// Turns a transient error into `OutOfTime` if this invocation has stored a slice: another invocation
    /// continues, and the error does not count as a failure of the step. An error with a pause, which means that
    /// another writer was faster, stays as it is: the step is repeated in this invocation.
    pub fn error(&self, error: Error) -> Error {
        match error {
            Error::Retry { reason, after: None } if self.ends_at.is_some() && self.slowest.is_some() => {
                Error::OutOfTime(reason)
            }
            error => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_that_would_not_end_in_time_does_not_begin() {
        let mut limit = TimeLimit::new(Some(Instant::now()));
        assert!(limit.begin().is_ok(), "the first slice always begins");
        let failed = Error::retry("lost");
        assert_eq!(limit.error(failed.clone()), failed, "no slice was stored");
        limit.end();
        assert!(matches!(limit.begin(), Err(Error::OutOfTime(_))));
        assert!(matches!(limit.error(failed.clone()), Error::OutOfTime(_)));
        let conflict = Error::Retry { reason: "conflict".into(), after: Some(Duration::ZERO) };
        assert_eq!(limit.error(conflict.clone()), conflict);

        let mut later = TimeLimit::new(Some(Instant::now() + Duration::from_secs(600)));
        let mut none = TimeLimit::new(None);
        for limit in [&mut later, &mut none] {
            for _ in 0..2 {
                assert!(limit.begin().is_ok());
                limit.end();
            }
        }
        assert_eq!(none.error(failed.clone()), failed);
    }
}
