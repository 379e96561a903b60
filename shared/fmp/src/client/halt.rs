//! Halts the client after a failure that all further calls would share.

use std::future::Future;

use super::{Fmp, now};
use crate::failure::Failure;

impl Fmp {
    /// Halts the client if all further calls would fail in the same way. If the failure affects the
    /// key, also stops all other clients with the key.
    pub(super) async fn halt_if_needed(&self, failure: &Failure) {
        if failure.ends_run() {
            self.halted.send_if_modified(|halted| {
                let first = halted.is_none();
                halted.get_or_insert_with(|| failure.clone());
                first
            });
            if failure.affects_key() {
                self.rate_limiter.stop(failure).await;
            }
        }
    }

    /// The failure that halted the client; `None` if the client may make calls.
    pub(super) fn halted(&self) -> Option<Failure> {
        self.halted.borrow().clone()
    }

    /// Runs `wait`, but ends early if the client halts. Does not end early if the client halts
    /// because a limit on calls is reached, since a permit that was already granted may still be
    /// used.
    ///
    /// # Errors
    /// The failure that halted the client.
    pub(super) async fn unless_halted<T>(&self, wait: impl Future<Output = T>) -> Result<T, Failure> {
        let is_final = |failure: &Option<Failure>| {
            failure.as_ref().is_some_and(|failure| !failure.leaves_permits_valid())
        };
        let mut halted = self.halted.subscribe();
        tokio::select! {
            biased;
            Ok(failure) = halted.wait_for(is_final) => {
                Err(failure.clone().unwrap_or_else(|| Failure::transient("the FMP client has stopped making calls")))
            }
            output = wait => Ok(output),
        }
    }

    /// Replaces a failure by `Unreachable` if the breakers conclude that FMP or the network is
    /// down.
    pub(super) fn unreachable_or(&self, failure: Failure) -> Failure {
        if self.breakers.nobody_answers(now()) {
            let url = self.url();
            return Failure::Unreachable(format!(
                "{url} does not respond: {failure}; check the network and --fmp-url"
            ));
        }
        failure
    }
}
