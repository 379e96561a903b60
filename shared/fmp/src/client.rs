//! One call to FMP: paced, bounded, retried, and classified.

mod bulk;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use futures::future::BoxFuture;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    breaker::Breakers,
    client_stats::ClientStats,
    cooldown::Cooldown,
    rate_limit::{CallContext, FmpPlan, Limits, ObjectStore, Permit, RateLimiter},
    response::{is_call_limit, is_everybodys, is_refused_key},
    retry_budget::RetryBudget,
    transport::{self, Exchange, Transport},
};
use findata_domain::{Error, Result, clock::SystemClock};
use findata_pipeline::{
    plan::Task,
    ports::stage::{Stage, memory::MemoryStage},
};

pub use bulk::{BULK_PAUSE, BulkAnswer, BulkOutcome, Records};

/// When a piece of work leaves off, so that what it has is landed and written down before its time ends.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// No call is begun after it.
    pub begin: Instant,
    /// No answer is waited for after it.
    pub wait: Instant,
}

impl Deadline {
    /// That of work which is ended at a moment: of five minutes the last one is for calls under way and for landing.
    pub fn before(ends: Instant, now: Instant) -> Self {
        let left = ends.saturating_duration_since(now);
        Deadline { begin: ends - left / 5, wait: ends - left / 8 }
    }
}

/// FMP's own base.
pub const DEFAULT_URL: &str = "https://financialmodelingprep.com/stable";

/// Tries of one call, the first included.
const TRIES: usize = 5;
/// Answers that the call limit is reached, after which one call gives up: two minutes of waiting.
const LIMIT_ANSWERS: u32 = 8;

/// What a client is built from.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Base, `/stable` included.
    pub url: String,
    /// The key; it travels in a header and nowhere else.
    pub key: SecretString,
    /// What the key may do.
    pub plan: FmpPlan,
    /// Bytes in 30 days, where the plan's are not known or others are agreed on.
    pub bytes: Option<u64>,
    /// Most calls at once.
    pub in_flight: usize,
    /// First pause after FMP says that its limit is reached; each further one is twice as long, up to thirty times.
    pub limit_pause: Duration,
    /// From one bulk call to the next, of all who have the key.
    pub bulk_pause: Duration,
}

/// The pause that suits FMP, whose limit is by the minute.
pub const LIMIT_PAUSE: Duration = Duration::from_secs(1);

/// Reads the key anew from where it is kept.
pub type ReadKey = Box<dyn Fn() -> BoxFuture<'static, Result<SecretString>> + Send + Sync>;

/// The client of one run, or of a sandbox in which many follow each other.
pub struct Fmp {
    wire: Transport,
    /// For bulk files, which begin later and take longer; made for the first of them.
    bulk_wire: OnceLock<Transport>,
    bulk_pause: Duration,
    key: Mutex<HeaderValue>,
    /// For a key that somebody may have changed meanwhile.
    read_key: Option<ReadKey>,
    /// One caller reads it, the others wait for that.
    renewing: tokio::sync::Mutex<()>,
    budget: RateLimiter,
    gate: Cooldown,
    breakers: Breakers,
    retries: RetryBudget,
    slots: Semaphore,
    per_minute: Option<u32>,
    stats: Arc<ClientStats>,
    /// Set once a call said that no other will work; no call is made after it.
    halted: Mutex<Option<Error>>,
}

/// What a call came to.
#[derive(Debug)]
pub struct Answer {
    /// The rows' JSON; `None` where FMP has nothing.
    pub body: Result<Option<Bytes>>,
    /// Calls it took, retries included.
    pub calls: u32,
    /// Bytes on the wire.
    pub bytes: u64,
}

impl Answer {
    /// That of a call which was not made.
    pub fn none(error: Error) -> Self {
        Answer { body: Err(error), calls: 0, bytes: 0 }
    }
}

impl Fmp {
    /// A client; makes no call. It keeps to the plan by itself, until it shares the budget with others.
    ///
    /// # Errors
    /// `Config` for an address or a key that cannot be one.
    pub fn new(settings: &ClientSettings) -> Result<Self> {
        let stats = Arc::new(ClientStats::default());
        let wire = Transport::new(&settings.url, Arc::clone(&stats))?;
        let limits = settings.plan.limits();
        let limits = Limits { bytes: settings.bytes.or(limits.bytes), ..limits };
        let key = settings.key.expose_secret().trim();
        let shelf: Box<dyn ObjectStore> = Box::new(MemoryStage::default());
        let budget = RateLimiter::new(limits, key, shelf, Box::new(SystemClock), Arc::clone(&stats));
        Ok(Fmp {
            wire,
            bulk_wire: OnceLock::new(),
            bulk_pause: settings.bulk_pause,
            key: Mutex::new(transport::header(&settings.key)?),
            read_key: None,
            renewing: tokio::sync::Mutex::new(()),
            budget,
            gate: Cooldown::new(settings.limit_pause),
            breakers: Breakers::default(),
            retries: RetryBudget::default(),
            slots: Semaphore::new(settings.in_flight.max(1)),
            per_minute: settings.plan.per_minute(),
            stats,
            halted: Mutex::new(None),
        })
    }

    /// Shares one budget with all that have the same key and stage.
    #[must_use]
    pub fn sharing(mut self, stage: impl Stage + 'static) -> Self {
        self.budget = self.budget.on(Box::new(stage));
        self
    }

    /// Lets it read the key anew, once for each key that FMP refuses.
    #[must_use]
    pub fn with_key_from(mut self, read_key: ReadKey) -> Self {
        self.read_key = Some(read_key);
        self
    }

    /// Checks an address without building a client.
    ///
    /// # Errors
    /// `Config` for one that cannot be an API's.
    pub fn check_url(url: &str) -> Result<()> {
        transport::base(url).map(|_| ())
    }

    /// Asks for one task's rows.
    pub async fn fetch(&self, task: &Task) -> Answer {
        self.get(task.dataset.endpoint, &task.parameters()).await
    }

    /// Asks an endpoint.
    pub async fn get(&self, endpoint: &str, parameters: &[(&str, String)]) -> Answer {
        let (mut calls, mut bytes) = (0, 0);
        let tries = Mutex::new((&mut calls, &mut bytes));
        let probe = AtomicBool::new(false);
        let once = || async {
            let mut limited = 0;
            loop {
                let key = lock(&self.key).clone();
                let (call, received, outcome) = self.once(endpoint, parameters, &key, &probe).await;
                {
                    let mut sum = lock(&tries);
                    *sum.0 += u32::from(call);
                    *sum.1 += received;
                }
                match outcome {
                    // The limit is everybody's: all calls wait at the gate, and none of a call's tries is used up.
                    Err(Error::Retry { reason, after }) if is_call_limit(&reason) => {
                        if limited == LIMIT_ANSWERS {
                            return Err(Error::Reject(reason));
                        }
                        limited += 1;
                        if let Some(pause) = self.gate.close(after) {
                            self.budget.slow(pause).await;
                        }
                    }
                    Ok(body) => {
                        self.gate.open();
                        return Ok(body);
                    }
                    Err(Error::Stop(reason)) if is_refused_key(&reason) && self.renew_key(&key).await => {}
                    Err(error) => return Err(error),
                }
            }
        };
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(20))
            .with_factor(3.0)
            .with_max_times(TRIES - 1)
            .with_jitter();
        let body = once
            .retry(backoff)
            .when(|e: &Error| matches!(e, Error::Retry { .. }) && !self.breakers.given_up(endpoint, Instant::now()))
            .adjust(|e, delay| {
                let delay = delay.filter(|_| self.retries.take())?;
                match e {
                    Error::Retry { after: Some(after), .. } => Some(delay.max(*after)),
                    _ => Some(delay),
                }
            })
            .await;
        if let Err(error) = &body {
            self.heed(error).await;
        }
        self.budget.received(bytes);
        Answer { body, calls, bytes }
    }

    /// Where an error says that no other call will work, none is made.
    async fn heed(&self, error: &Error) {
        if error.ends_run() {
            lock(&self.halted).get_or_insert_with(|| error.clone());
            if is_everybodys(error) {
                self.budget.stop(error).await;
            }
        }
    }

    /// Begins another piece of work: what ended the one before may have passed.
    pub fn begin(&self, work: &CallContext) {
        *lock(&self.halted) = None;
        self.breakers.begin();
        self.retries.begin();
        self.budget.begin(work);
    }

    /// Ends a piece of work: gives back what it did not use of the budget.
    pub async fn finish(&self) {
        self.budget.finish().await;
    }

    /// Its base address.
    pub fn url(&self) -> &str {
        self.wire.base()
    }

    /// What the calls came to so far.
    pub fn stats(&self) -> &ClientStats {
        &self.stats
    }

    /// Allowed calls a minute.
    pub fn per_minute(&self) -> Option<u32> {
        self.per_minute
    }

    /// Reads the key anew when FMP refused the one given; whether there is another now.
    async fn renew_key(&self, refused: &HeaderValue) -> bool {
        let Some(read_key) = &self.read_key else { return false };
        let _turn = self.renewing.lock().await;
        if *lock(&self.key) != *refused {
            return true;
        }
        match read_key().await.and_then(|key| transport::header(&key)) {
            Ok(key) if key != *refused => {
                tracing::info!("FMP refused the key; another is in its place");
                self.budget.use_key(key.to_str().unwrap_or_default());
                *lock(&self.key) = key;
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(%error, "FMP refused the key, and it cannot be read anew");
                false
            }
        }
    }

    /// Waits until a call may be made. One that is a breaker's probe stays it in its further tries: what fails at first, but
    /// not for good, is found to work.
    async fn turn(&self, endpoint: &str, probe: &AtomicBool) -> Result<(SemaphorePermit<'_>, Permit<'_>)> {
        let halted = || lock(&self.halted).clone();
        if let Some(error) = halted() {
            return Err(error);
        }
        loop {
            // Before it takes a slot: who waits here holds up no other endpoint.
            if !probe.load(Relaxed) {
                probe.store(self.breakers.admit(endpoint).await.map_err(|e| self.unless_dead(e))?, Relaxed);
            }
            let slot = self.slots.acquire().await.map_err(|_| Error::Stop("the client is closed".into()))?;
            let asked = Instant::now();
            self.gate.wait().await;
            let permit = self.budget.permit().await;
            self.stats.waited(asked.elapsed());
            let permit = permit?;
            // Where only the limit of calls is reached, this one is within it.
            if let Some(error) = halted().filter(|e| matches!(e, Error::Stop(_)) || is_everybodys(e)) {
                return Err(error);
            }
            // Else it was shut meanwhile, or the endpoint failed; the permit goes back.
            if self.gate.is_open() && (probe.load(Relaxed) || self.breakers.is_closed(endpoint)) {
                return Ok((slot, permit));
            }
        }
    }

    /// One try: whether a call was made, its bytes, its outcome.
    async fn once(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        key: &HeaderValue,
        probe: &AtomicBool,
    ) -> (bool, u64, Result<Option<Bytes>>) {
        let (_slot, permit) = match self.turn(endpoint, probe).await {
            Ok(turn) => turn,
            Err(error) => return (false, 0, Err(error)),
        };
        permit.used();
        let under_way = self.stats.begin();
        self.retries.call();
        let Exchange { answered, bytes, outcome } = self.wire.exchange(endpoint, parameters, key).await;
        drop(under_way);
        self.breakers.note(endpoint, &outcome, answered, Instant::now());
        (true, bytes, outcome.map_err(|error| if answered { error } else { self.unless_dead(error) }))
    }

    /// The error, unless it is not this call's: that nobody answers any stops the run.
    fn unless_dead(&self, error: Error) -> Error {
        if self.breakers.nobody_answers(Instant::now()) {
            return Error::Stop(format!("{} does not answer: {error}; check the network and --fmp-url", self.url()));
        }
        error
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
