//! Pauses calls after FMP responds that the call limit is reached.
//!
//! One such response pauses only its own call, because a server may send it for a single symbol. Five consecutive
//! call-limit responses show that a shared limit is reached: the endpoint's limit if the responses come from one
//! endpoint, or the key's limit if they come from several endpoints. Then all calls of the endpoint or the key wait for
//! a cooldown. Each further cooldown is twice as long, up to thirty times the first one. If an endpoint or the key gets
//! no other response for [`PATIENCE`], it is exhausted: the endpoint's calls fail, or the client stops.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// Longest time during which an endpoint or the key may get only call-limit responses. Also the longest time that one
/// call may pause.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);
/// Number of consecutive call-limit responses that shows that other calls share the limit.
const EVIDENCE: u32 = 5;
/// Longest pause, as a multiple of the first pause. For FMP it is thirty seconds, which suits a limit per minute.
const LONGEST_PAUSE: u32 = 30;

/// The state of the key's and each endpoint's call limit, derived from FMP's responses.
pub(super) struct CallLimits {
    first: Duration,
    state: Mutex<State>,
    /// Wakes waiting calls when an endpoint is exhausted.
    exhausted: Notify,
}

#[derive(Default)]
struct State {
    key: Scope,
    /// The endpoint of the first call-limit response that counts for the key.
    first_endpoint: String,
    /// Whether a later call-limit response came from another endpoint.
    several: bool,
    endpoints: HashMap<String, Scope>,
}

/// Counts the consecutive call-limit responses of one endpoint, or of all endpoints for the key.
#[derive(Default)]
struct Scope {
    answers: u32,
    since: Option<Instant>,
    cooldowns: u32,
    until: Option<Instant>,
    exhausted: bool,
}

/// The consequence of a call-limit response for other calls.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// No consequence for other calls.
    Unclear,
    /// All calls with the key pause for this long.
    KeyPauses(Duration),
    /// The endpoint's calls fail from now on.
    EndpointExhausted,
    /// All calls with the key fail from now on.
    KeyExhausted,
}

impl CallLimits {
    /// `first` is the length of the first pause. Each further pause is twice as long.
    pub(super) fn new(first: Duration) -> Self {
        CallLimits { first, state: Mutex::default(), exhausted: Notify::new() }
    }

    /// How long a call pauses after its `answers`-th call-limit response. `Retry-After` replaces the computed pause. A
    /// random part is added so that calls do not start at the same moment.
    pub(super) fn pause(&self, answers: u32, retry_after: Option<Duration>) -> Duration {
        retry_after.unwrap_or_else(|| self.step(answers.saturating_sub(1))) + self.jitter()
    }

    /// Begins a run. Forgets the limits of earlier runs, which have probably ended.
    pub(super) fn begin(&self) {
        *self.state() = State::default();
    }

    /// Records a response other than a call-limit response.
    pub(super) fn answered(&self, endpoint: &str) {
        let mut state = self.state();
        state.endpoints.remove(endpoint);
        state.key = Scope::default();
    }

    /// Records a call-limit response. `pause` is how long the call itself waits now.
    pub(super) fn refused(&self, endpoint: &str, retry_after: Option<Duration>, pause: Duration) -> Meaning {
        let now = Instant::now();
        let state = &mut *self.state();
        if state.key.answers == 0 {
            (state.first_endpoint, state.several) = (endpoint.to_owned(), false);
        }
        state.several |= state.first_endpoint != endpoint;
        let scope = state.endpoints.entry(endpoint.to_owned()).or_default();
        scope.count(now);
        let of_endpoint = self.cool_down(scope, retry_after, now);
        let endpoint_exhausted = scope.exhausts(now + pause.max(of_endpoint.unwrap_or_default()));
        state.key.count(now);
        let of_key = if state.several {
            self.cool_down(&mut state.key, retry_after, now)
        } else {
            None
        };
        let next = now + pause.max(of_endpoint.or(of_key).unwrap_or_default());
        if state.key.exhausts(next) {
            return Meaning::KeyExhausted;
        }
        if endpoint_exhausted {
            self.exhausted.notify_waiters();
        }
        match (endpoint_exhausted, of_key) {
            (true, _) => Meaning::EndpointExhausted,
            (false, Some(pause)) => Meaning::KeyPauses(pause),
            (false, None) => Meaning::Unclear,
        }
    }

    /// Whether an endpoint sent only call-limit responses for so long that this run no longer calls it.
    pub(super) fn is_exhausted(&self, endpoint: &str) -> bool {
        self.state().endpoints.get(endpoint).is_some_and(|scope| scope.exhausted)
    }

    /// Waits until the endpoint's cooldown ends, plus a short random time so that calls do not start at once. Ends
    /// early if the endpoint is exhausted.
    pub(super) async fn wait_for_endpoint(&self, endpoint: &str) {
        self.wait(endpoint, |state| state.endpoints.get(endpoint).and_then(|scope| scope.until))
            .await;
    }

    /// Waits until the key's cooldown ends, plus a short random time. Ends early if the endpoint is exhausted.
    pub(super) async fn wait_for_key(&self, endpoint: &str) {
        self.wait(endpoint, |state| state.key.until).await;
    }

    /// Waits for `pause`. Ends early if the endpoint is exhausted.
    pub(super) async fn sleep(&self, endpoint: &str, pause: Duration) {
        self.sleep_until(endpoint, Instant::now() + pause).await;
    }

    /// Whether a cooldown of the endpoint or the key is active.
    pub(super) fn holds_back(&self, endpoint: &str) -> bool {
        let (state, now) = (self.state(), Instant::now());
        let is_active = |scope: &Scope| scope.until.is_some_and(|until| until > now);
        is_active(&state.key) || state.endpoints.get(endpoint).is_some_and(is_active)
    }

    async fn wait(&self, endpoint: &str, until: impl Fn(&State) -> Option<Instant>) {
        loop {
            let active = until(&self.state()).filter(|until| *until > Instant::now());
            match active {
                Some(until) if !self.is_exhausted(endpoint) => {
                    self.sleep_until(endpoint, until + self.jitter()).await;
                }
                _ => return,
            }
        }
    }

    async fn sleep_until(&self, endpoint: &str, moment: Instant) {
        loop {
            let woken = self.exhausted.notified();
            if self.is_exhausted(endpoint) || tokio::time::timeout_at(moment, woken).await.is_err() {
                return;
            }
        }
    }

    /// Starts a cooldown after enough call-limit responses. Returns its length, or `None` if no cooldown was started.
    fn cool_down(&self, scope: &mut Scope, retry_after: Option<Duration>, now: Instant) -> Option<Duration> {
        // During a cooldown, only calls that were in flight when it started are refused. They do not extend it.
        if scope.answers < EVIDENCE || scope.until.is_some_and(|until| until > now) {
            return None;
        }
        let pause = retry_after.unwrap_or_else(|| self.step(scope.cooldowns));
        scope.until = Some(now + pause);
        scope.cooldowns += 1;
        Some(pause)
    }

    fn step(&self, doublings: u32) -> Duration {
        self.first * 2_u32.saturating_pow(doublings.min(6)).min(LONGEST_PAUSE)
    }

    fn jitter(&self) -> Duration {
        self.first.mul_f64(fastrand::f64() * 0.4)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scope {
    fn count(&mut self, now: Instant) {
        self.answers = self.answers.saturating_add(1);
        self.since.get_or_insert(now);
    }

    /// Whether the endpoint or key is exhausted: the next call, at `next`, comes later than [`PATIENCE`] allows.
    fn exhausts(&mut self, next: Instant) -> bool {
        self.exhausted |= self.answers >= EVIDENCE && self.since.is_some_and(|since| next > since + PATIENCE);
        self.exhausted
    }
}
