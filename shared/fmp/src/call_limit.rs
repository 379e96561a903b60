//! What the client does when FMP answers that the call limit is reached.
//!
//! One such answer delays only its own call, since a server may send it for a single symbol. Several in a row with no
//! other answer between them are evidence: of one endpoint, that its limit is reached; of several endpoints, that the
//! limit of the key is. Then all calls of that scope wait for a cooldown, which doubles up to thirty times the first.
//! A scope that had no other answer for [`PATIENCE`] is exhausted: an endpoint's calls fail, or the client stops.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// Longest time without any answer but call-limit answers, and the longest that one call may pause.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);
/// Call-limit answers in a row that are evidence of a limit that other calls share.
const EVIDENCE: u32 = 5;
/// The longest pause, in multiples of the first. Thirty seconds at FMP, whose limit is per minute.
const LONGEST_PAUSE: u32 = 30;

/// The call limits of the key and of each endpoint, as FMP's answers show them.
pub(super) struct CallLimits {
    first: Duration,
    state: Mutex<State>,
    /// Wakes waiting calls when their endpoint is exhausted.
    exhausted: Notify,
}

#[derive(Default)]
struct State {
    key: Scope,
    /// The endpoint of the first answer that counts for the key, and whether others followed.
    first_endpoint: String,
    several: bool,
    endpoints: HashMap<String, Scope>,
}

/// Call-limit answers with no other answer since the first of them.
#[derive(Default)]
struct Scope {
    answers: u32,
    since: Option<Instant>,
    cooldowns: u32,
    until: Option<Instant>,
    exhausted: bool,
}

/// What a call-limit answer means for calls other than its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing new.
    Unclear,
    /// All calls with the key pause this long.
    KeyPauses(Duration),
    /// The endpoint's calls fail from now on.
    EndpointExhausted,
    /// All calls with the key fail from now on.
    KeyExhausted,
}

impl CallLimits {
    /// `first` is the first pause; each further one is twice as long.
    pub(super) fn new(first: Duration) -> Self {
        CallLimits { first, state: Mutex::default(), exhausted: Notify::new() }
    }

    /// How long a call pauses after this many call-limit answers to it. `Retry-After` takes precedence. The random part keeps
    /// calls from starting at the same moment.
    pub(super) fn pause(&self, answers: u32, retry_after: Option<Duration>) -> Duration {
        retry_after.unwrap_or_else(|| self.step(answers.saturating_sub(1))) + self.jitter()
    }

    /// Begins a run. The limits that earlier runs met have probably passed.
    pub(super) fn begin(&self) {
        *self.state() = State::default();
    }

    /// FMP answered a call that its limit did not stop.
    pub(super) fn answered(&self, endpoint: &str) {
        let mut state = self.state();
        state.endpoints.remove(endpoint);
        state.key = Scope::default();
    }

    /// FMP answered that the call limit is reached. `pause` is how long the call itself waits now.
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

    /// Whether an endpoint had only call-limit answers for so long that it is not called in this run.
    pub(super) fn is_exhausted(&self, endpoint: &str) -> bool {
        self.state().endpoints.get(endpoint).is_some_and(|scope| scope.exhausted)
    }

    /// Waits until no cooldown holds the endpoint's calls back, plus a random moment so that they do not start at once.
    pub(super) async fn wait_for_endpoint(&self, endpoint: &str) {
        self.wait(endpoint, |state| state.endpoints.get(endpoint).and_then(|scope| scope.until))
            .await;
    }

    /// Waits until no cooldown holds all calls back, plus a random moment. Ends early if the endpoint is exhausted.
    pub(super) async fn wait_for_key(&self, endpoint: &str) {
        self.wait(endpoint, |state| state.key.until).await;
    }

    /// Pauses. Ends early if the endpoint is exhausted.
    pub(super) async fn sleep(&self, endpoint: &str, pause: Duration) {
        self.sleep_until(endpoint, Instant::now() + pause).await;
    }

    /// Whether calls to the endpoint have to wait.
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

    /// Starts a cooldown if there is enough evidence and none is active. Returns its length.
    fn cool_down(&self, scope: &mut Scope, retry_after: Option<Duration>, now: Instant) -> Option<Duration> {
        // Calls that were in flight when the cooldown started add no information.
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

    /// Whether no answer can be expected within [`PATIENCE`], because the next call follows only at `next`.
    fn exhausts(&mut self, next: Instant) -> bool {
        self.exhausted |= self.answers >= EVIDENCE && self.since.is_some_and(|since| next > since + PATIENCE);
        self.exhausted
    }
}
