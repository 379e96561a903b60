//! The FMP client: its settings, its life cycle and its key. The module `call` makes JSON calls, and
//! `bulk` downloads bulk files.

mod bulk;
mod call;
mod halt;
mod limited;
mod patience;
mod settings;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;
use tokio::sync::watch;

use super::{
    address,
    breaker::Breakers,
    call_limit::CallLimits,
    call_slots::CallSlots,
    client_stats::ClientStats,
    failure::Failure,
    rate_limit::{CallContext, RateLimiter},
    retry_budget::RetryBudget,
    transport::{self, Exchange, Transport},
};
use findata_domain::{
    Result,
    clock::{SystemClock, TimeScale},
};
use findata_pipeline::{
    ports::stage::{Stage, memory::MemoryStage},
    run::RunId,
    summary::{BudgetUse, ClientUsage, Connections},
};

pub use bulk::{BULK_PAUSE, BulkAnswer, BulkOutcome, Records};
pub use call::{Answer, MAX_CALL_TIME};
pub use settings::{ClientSettings, Deadline, LIMIT_PAUSE, ReadKey};

/// A client for FMP. It works for one run, or in a Lambda environment for several runs in turn.
pub struct Fmp {
    url: String,
    transport: Box<dyn Exchange>,
    /// HTTP client with longer timeouts, because bulk files start later and take longer. It is
    /// created for the first bulk file.
    bulk_transport: OnceLock<Transport>,
    bulk_pause: Duration,
    key: Mutex<HeaderValue>,
    /// Reads the key again after FMP refused it, because it may have been rotated.
    read_key: Option<ReadKey>,
    /// Locked by the one call that reads the key again, while other calls wait.
    key_renewal: tokio::sync::Mutex<()>,
    rate_limiter: RateLimiter,
    call_limits: CallLimits,
    breakers: Breakers,
    retry_budget: RetryBudget,
    time_scale: TimeScale,
    slots: CallSlots,
    per_minute: Option<u32>,
    stats: Arc<ClientStats>,
    /// The failure after which the client makes no further calls; `None` if it may make calls.
    halted: watch::Sender<Option<Failure>>,
    /// The run that the client works for.
    run: Mutex<Option<RunId>>,
    /// The counters when the invocation began.
    before: Mutex<ClientUsage>,
}

impl Fmp {
    /// Creates a client. Makes no call. The client has a private call budget until [`Fmp::sharing`]
    /// shares the budget.
    ///
    /// # Errors
    /// `Config` or `Reject` for an invalid address; `Config` for an invalid key.
    pub fn new(settings: &ClientSettings) -> Result<Self> {
        let url = address::parse_without(&settings.url, settings.key.expose_secret().as_bytes())?;
        let stats = Arc::new(ClientStats::default());
        let transport = Transport::new(url.clone(), Arc::clone(&stats), settings.time_scale)?;
        Fmp::with_exchange(settings, url.into(), Box::new(transport), stats)
    }

    fn with_exchange(
        settings: &ClientSettings,
        url: String,
        transport: Box<dyn Exchange>,
        stats: Arc<ClientStats>,
    ) -> Result<Self> {
        let limits = settings.limits();
        let key = settings.key.expose_secret().trim();
        let store = Box::new(MemoryStage::default());
        let rate_limiter = RateLimiter::new(limits, key, store, Box::new(SystemClock), Arc::clone(&stats));
        Ok(Fmp {
            url,
            transport,
            bulk_transport: OnceLock::new(),
            bulk_pause: settings.bulk_pause,
            key: Mutex::new(transport::header(&settings.key)?),
            read_key: None,
            key_renewal: tokio::sync::Mutex::new(()),
            rate_limiter,
            call_limits: CallLimits::new(settings.limit_pause),
            breakers: Breakers::new(settings.time_scale),
            retry_budget: RetryBudget::default(),
            time_scale: settings.time_scale,
            slots: CallSlots::new(limits.burst.or(limits.per_minute), settings.in_flight),
            per_minute: settings.plan.per_minute(),
            stats,
            halted: watch::Sender::new(None),
            run: Mutex::new(None),
            before: Mutex::default(),
        })
    }

    /// Shares the call budget with all clients that use the same key and stage.
    #[must_use]
    pub fn sharing(mut self, stage: impl Stage + 'static) -> Self {
        self.rate_limiter = self.rate_limiter.with_store(Box::new(stage));
        self
    }

    /// Lets the client call `read_key` whenever FMP refuses its key.
    #[must_use]
    pub fn with_key_from(mut self, read_key: ReadKey) -> Self {
        self.read_key = Some(read_key);
        self
    }

    /// Validates a base address.
    ///
    /// # Errors
    /// `Reject` if the text is not an HTTP address; `Config` if the address contains a secret, or if
    /// the key would be sent to FMP without encryption.
    pub fn check_url(url: &str) -> Result<()> {
        address::parse(url).map(|_| ())
    }

    /// Begins an invocation. Clears the failure that stopped the previous invocation, because its cause may have
    /// passed. If the key's call limit stopped the client, the failure is kept for further invocations of the same run.
    pub fn begin(&self, context: &CallContext) {
        let same_run = lock(&self.run).replace(context.run.clone()).is_some_and(|run| run == context.run);
        if !same_run {
            self.call_limits.begin();
        }
        self.halted.send_if_modified(|halted| {
            let keep = same_run && matches!(halted, Some(Failure::LimitedKey(_)));
            !keep && halted.take().is_some()
        });
        self.stats.reset_maxima();
        *lock(&self.before) = self.total_usage();
        self.breakers.begin();
        self.retry_budget.begin();
        self.rate_limiter.begin(context);
    }

    /// Ends an invocation: returns unused permits to the shared call budget.
    pub async fn finish(&self) {
        self.rate_limiter.finish().await;
    }

    /// The base address of the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The counters of this client.
    pub fn stats(&self) -> &ClientStats {
        &self.stats
    }

    /// How the client was used since the invocation began.
    pub fn usage(&self) -> ClientUsage {
        let (mut usage, before) = (self.total_usage(), *lock(&self.before));
        usage.budget.waited_seconds -= before.budget.waited_seconds;
        usage.budget.limit_answers -= before.budget.limit_answers;
        usage.budget.limit_seconds -= before.budget.limit_seconds;
        usage.budget.retry_seconds -= before.budget.retry_seconds;
        usage.connections.opened -= before.connections.opened;
        usage
    }

    fn total_usage(&self) -> ClientUsage {
        let stats = &self.stats;
        ClientUsage {
            budget: BudgetUse {
                waited_seconds: stats.waited_seconds(),
                limit_per_minute: self.per_minute,
                limit_answers: stats.limit_answers(),
                limit_seconds: stats.limit_seconds(),
                retry_seconds: stats.retry_seconds(),
                longest_call_seconds: stats.longest_seconds(),
                max_call_seconds: MAX_CALL_TIME.as_secs_f64(),
            },
            connections: Connections { opened: stats.opened(), peak: stats.peak() },
        }
    }

    /// The maximum number of calls in flight.
    pub fn most_in_flight(&self) -> usize {
        self.slots.most()
    }

    /// Why the calls of this invocation are spread evenly; `None` if they are not.
    pub fn pacing(&self) -> Option<String> {
        self.rate_limiter.pacing()
    }

    /// The plan's calls per minute; `None` without a limit.
    pub fn per_minute(&self) -> Option<u32> {
        self.per_minute
    }

    /// Reads the key again, after FMP refused it. `refused` is the refused key. Returns whether the
    /// client has a different key now.
    async fn renew_key(&self, refused: &HeaderValue) -> bool {
        let Some(read_key) = &self.read_key else {
            return false;
        };
        let _only_one = self.key_renewal.lock().await;
        if *lock(&self.key) != *refused {
            return true;
        }
        match read_key().await.and_then(|key| transport::header(&key)) {
            Ok(key) if key != *refused => {
                tracing::info!(
                    "FMP refused the key; the key was read again and has changed, so the new key is used"
                );
                self.rate_limiter.use_key(key.to_str().unwrap_or_default());
                *lock(&self.key) = key;
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(%error, "FMP refused the key, and reading it again failed");
                false
            }
        }
    }
}

/// The current time of tokio's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
