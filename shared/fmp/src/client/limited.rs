//! Handles call-limit responses to a call: pauses the call, or ends it.

use std::{future::Future, time::Duration};

use super::{
    Fmp,
    call::{CallState, minutes},
    patience::Patience,
};
use crate::{
    call_limit::{Meaning, PATIENCE},
    failure::Failure,
};

/// Call-limit responses after which a call fails, even if other calls succeed. With the default pauses, they take about
/// two minutes.
const MAX_CALL_LIMITS: u32 = 9;

impl Fmp {
    /// Returns the pause after the call's `limits`-th call-limit response.
    ///
    /// # Errors
    /// `LimitedCall` or `LimitedKey` if waiting no longer helps.
    pub(super) async fn limited(
        &self,
        endpoint: &str,
        limits: u32,
        message: String,
        retry_after: Option<Duration>,
        patience: &Patience,
    ) -> Result<Duration, Failure> {
        self.stats.limit_answer();
        if limits == 1 {
            self.rate_limiter.refused().await;
        }
        let pause = self.call_limits.pause(limits, retry_after);
        match self.call_limits.refused(endpoint, retry_after, pause) {
            Meaning::KeyExhausted => {
                let time = minutes(PATIENCE);
                return Err(Failure::LimitedKey(format!(
                    "{message}; all calls with this key got only this response for {time}, so the run stops"
                )));
            }
            Meaning::EndpointExhausted => return Err(self.exhausted(endpoint)),
            Meaning::KeyPauses(pause) => self.rate_limiter.pause(pause).await,
            Meaning::Unclear => {}
        }
        if limits >= MAX_CALL_LIMITS || !patience.allows(pause) {
            let time = minutes(patience.most());
            let text = format!(
                "{message}; the call got this response {limits} times, and a call fails after {MAX_CALL_LIMITS} such \
                 responses or {time}"
            );
            return Err(Failure::LimitedCall(text));
        }
        Ok(pause)
    }

    /// The failure of an endpoint's calls after the endpoint sent only call-limit responses for too long.
    pub(super) fn exhausted(&self, endpoint: &str) -> Failure {
        let time = minutes(PATIENCE);
        Failure::LimitedCall(format!(
            "FMP's call limit is reached: for {time}, {endpoint} sent only \"Limit Reach\", so this run no longer calls it"
        ))
    }

    /// Records a response other than a call-limit response, which resets the count of call-limit responses.
    pub(super) fn note_answer<T>(&self, endpoint: &str, outcome: &Result<T, Failure>) {
        if outcome.as_ref().err().is_none_or(Failure::passed_the_limit) {
            self.call_limits.answered(endpoint);
        }
    }

    /// Waits because of call-limit responses.
    ///
    /// # Errors
    /// `LimitedCall` if the call has no time left; the failure that halted the client.
    pub(super) async fn wait_for_limit(
        &self,
        wait: impl Future<Output = ()>,
        state: &mut CallState,
    ) -> Result<(), Failure> {
        let patience = &mut state.patience;
        let (over, waited) = patience.spend(self.unless_halted(wait)).await;
        self.stats.waited_for_limit(waited);
        over?;
        if patience.allows(Duration::ZERO) {
            return Ok(());
        }
        let time = minutes(patience.most());
        Err(Failure::LimitedCall(format!(
            "FMP's call limit is reached: the call waited {time} for it to pass"
        )))
    }
}
