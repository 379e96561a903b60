//! What a call does while FMP answers that the call limit is reached.

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

/// Call-limit answers after which a call is given up, although others may be answered: after two minutes.
const MAX_CALL_LIMITS: u32 = 9;

impl Fmp {
    /// The pause after a call-limit answer, which is the call's `limits`-th.
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
                    "{message}; no call gets another answer, and findata waits {time} at most for one"
                )));
            }
            Meaning::EndpointExhausted => return Err(self.exhausted(endpoint)),
            Meaning::KeyPauses(pause) => self.rate_limiter.pause(pause).await,
            Meaning::Unclear => {}
        }
        if limits >= MAX_CALL_LIMITS || !patience.allows(pause) {
            let time = minutes(patience.most());
            let text = format!(
                "{message}; {limits} attempts of this call got no other answer, and findata gives a call at most \
                 {MAX_CALL_LIMITS} attempts or {time}"
            );
            return Err(Failure::LimitedCall(text));
        }
        Ok(pause)
    }

    /// The failure of an endpoint's calls after it answered nothing else for too long.
    pub(super) fn exhausted(&self, endpoint: &str) -> Failure {
        let time = minutes(PATIENCE);
        Failure::LimitedCall(format!(
            "FMP's call limit is reached: {endpoint} gives no other answer, and findata waits {time} at most for one"
        ))
    }

    /// Tells the call limits if FMP answered a call that no limit stopped.
    pub(super) fn note_answer<T>(&self, endpoint: &str, outcome: &Result<T, Failure>) {
        if outcome.as_ref().err().is_none_or(Failure::passed_the_limit) {
            self.call_limits.answered(endpoint);
        }
    }

    /// Waits because of call-limit answers.
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
            "FMP's call limit is reached: this call waited {time} for it"
        )))
    }
}
