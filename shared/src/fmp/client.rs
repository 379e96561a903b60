//! One call to FMP: paced, bounded, retried, and classified.

mod bulk;

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use futures::future::BoxFuture;
use reqwest::{
    Client, Url,
    header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tower::util::MapRequestLayer;

use super::{
    answer::{classify, is_call_limit, is_everybodys, is_refused_key},
    body,
    budget::{Budget, FmpPlan, Limits, Permit, Shelf, Work},
    gate::Gate,
    tally::Tally,
};
use crate::{
    Error, Result,
    clock::SystemClock,
    plan::Task,
    stage::{Stage, memory::MemoryStage},
};

pub use bulk::{BULK_PAUSE, BulkAnswer, Came, Deadline, Records};

/// FMP's own base.
pub const DEFAULT_URL: &str = "https://financialmodelingprep.com/stable";

/// The header in which the key travels.
const KEY: &str = "apikey";
/// Tries of one call, the first included.
const TRIES: usize = 5;
/// Answers that the call limit is reached, after which one call gives up: two minutes of waiting.
const LIMIT_ANSWERS: u32 = 8;
/// Calls in a row to which nobody answered, after which the run stops.
const SILENT_CALLS: u64 = 24;

/// What a client is built from.
#[derive(Debug, Clone)]
pub struct Settings {
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
    http: Client,
    /// For bulk files, which begin later and take longer; made for the first of them.
    bulk_http: OnceLock<Client>,
    bulk_pause: Duration,
    key: Mutex<HeaderValue>,
    /// For a key that somebody may have changed meanwhile.
    read_key: Option<ReadKey>,
    /// One caller reads it, the others wait for that.
    renewing: tokio::sync::Mutex<()>,
    base: Url,
    budget: Budget,
    gate: Gate,
    slots: Semaphore,
    per_minute: Option<u32>,
    tally: Arc<Tally>,
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
    pub fn new(settings: &Settings) -> Result<Self> {
        let base = base(&settings.url)?;
        let tally = Arc::new(Tally::default());
        let http = http(Arc::clone(&tally), Duration::from_secs(20), Duration::from_secs(60))?;
        let limits = settings.plan.limits();
        let limits = Limits { bytes: settings.bytes.or(limits.bytes), ..limits };
        let key = settings.key.expose_secret().trim();
        let shelf: Box<dyn Shelf> = Box::new(MemoryStage::default());
        let budget = Budget::new(limits, key, shelf, Box::new(SystemClock), Arc::clone(&tally));
        Ok(Fmp {
            http,
            bulk_http: OnceLock::new(),
            bulk_pause: settings.bulk_pause,
            key: Mutex::new(header(&settings.key)?),
            read_key: None,
            renewing: tokio::sync::Mutex::new(()),
            base,
            budget,
            gate: Gate::new(settings.limit_pause),
            slots: Semaphore::new(settings.in_flight.max(1)),
            per_minute: settings.plan.per_minute(),
            tally,
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
        base(url).map(|_| ())
    }

    /// Asks for one task's rows.
    pub async fn fetch(&self, task: &Task) -> Answer {
        self.get(task.dataset.endpoint, &task.parameters()).await
    }

    /// Asks an endpoint.
    pub async fn get(&self, endpoint: &str, parameters: &[(&str, String)]) -> Answer {
        let (mut calls, mut bytes) = (0, 0);
        let tries = Mutex::new((&mut calls, &mut bytes));
        let once = || async {
            let mut limited = 0;
            loop {
                let key = lock(&self.key).clone();
                let (call, received, outcome) = self.once(endpoint, parameters, &key).await;
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
            .when(|e: &Error| matches!(e, Error::Retry { .. }))
            .adjust(|e, delay| match e {
                Error::Retry { after: Some(after), .. } => delay.map(|d| d.max(*after)),
                _ => delay,
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
    pub fn begin(&self, work: &Work) {
        *lock(&self.halted) = None;
        self.budget.begin(work);
    }

    /// Ends a piece of work: gives back what it did not use of the budget.
    pub async fn finish(&self) {
        self.budget.finish().await;
    }

    /// Its base address.
    pub fn url(&self) -> &str {
        self.base.as_str()
    }

    /// What the calls came to so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
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
        match read_key().await.and_then(|key| header(&key)) {
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

    /// Waits until a call may be made.
    async fn permit(&self) -> Result<Permit<'_>> {
        let halted = || lock(&self.halted).clone();
        if let Some(error) = halted() {
            return Err(error);
        }
        loop {
            self.gate.wait().await;
            let permit = self.budget.permit().await?;
            // Where only the limit of calls is reached, this one is within it.
            if let Some(error) = halted().filter(|e| matches!(e, Error::Stop(_)) || is_everybodys(e)) {
                return Err(error);
            }
            // Else it was shut meanwhile; the permit goes back.
            if self.gate.is_open() {
                return Ok(permit);
            }
        }
    }

    /// One try: whether a call was made, its bytes, its outcome.
    async fn once(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        key: &HeaderValue,
    ) -> (bool, u64, Result<Option<Bytes>>) {
        let Ok(_slot) = self.slots.acquire().await else {
            return (false, 0, Err(Error::Stop("the client is closed".into())));
        };
        let asked = Instant::now();
        let permit = self.permit().await;
        self.tally.waited(asked.elapsed());
        match permit {
            Ok(permit) => permit.used(),
            Err(error) => return (false, 0, Err(error)),
        }
        self.tally.begin();
        let answered = self.exchange(endpoint, parameters, key).await;
        let silent = self.tally.end(!matches!(answered, Err((_, false))));
        match answered {
            Ok((bytes, outcome)) => (true, bytes, outcome),
            Err((error, _)) if silent >= SILENT_CALLS => {
                let error = format!("{} does not answer: {error}; check the network and --fmp-url", self.base);
                (true, 0, Err(Error::Stop(error)))
            }
            Err((error, _)) => (true, 0, Err(error)),
        }
    }

    fn address(&self, endpoint: &str, parameters: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{endpoint}", self.base.path().trim_end_matches('/')));
        url.query_pairs_mut().extend_pairs(parameters);
        url
    }

    /// Sends and reads; an error says whether somebody had answered.
    async fn exchange(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        key: &HeaderValue,
    ) -> Result<(u64, Result<Option<Bytes>>), (Error, bool)> {
        let sent = self.http.get(self.address(endpoint, parameters)).header(KEY, key).send().await;
        let response = sent.map_err(|e| (Error::retry(format!("no answer from FMP: {}", body::cause(&e))), false))?;
        let status = response.status();
        let after = retry_after(response.headers());
        let (body, bytes) = body::read(response).await.map_err(|e| (e, true))?;
        let outcome = match classify(status, &body) {
            Ok(rows) => Ok(rows.then_some(body)),
            Err(Error::Retry { reason, .. }) => Err(Error::Retry { reason, after }),
            Err(other) => Err(other),
        };
        Ok((bytes, outcome))
    }
}

fn base(url: &str) -> Result<Url> {
    // Not echoed: an address may hold a password or a key, and errors are kept.
    let wrong = || {
        Error::Config(format!(
            "this is no address of an FMP API: use one like {DEFAULT_URL}, without user, password or query; the key goes into FMP_API_KEY"
        ))
    };
    let parsed = Url::parse(url.trim()).map_err(|_| wrong())?;
    let bare = parsed.username().is_empty() && parsed.password().is_none() && parsed.query().is_none();
    let usable = matches!(parsed.scheme(), "http" | "https") && parsed.has_host() && bare;
    if usable { Ok(parsed) } else { Err(wrong()) }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The key as the header's value, which logs do not show.
fn header(key: &SecretString) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(key.expose_secret().trim())
        .map_err(|_| Error::Config("FMP_API_KEY holds characters that no key has".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A client that bears so long a silence, and so long an answer.
fn http(tally: Arc<Tally>, silence: Duration, whole: Duration) -> Result<Client> {
    // The first caller installs the one crypto provider of the process; later calls find it there.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("findata/", env!("CARGO_PKG_VERSION"))));
    Client::builder()
        .default_headers(headers)
        // Unpacked within bounds by `body`, also where another crate turns reqwest's own unpacking on.
        .no_gzip()
        // A redirect would carry the key to another host.
        .redirect(redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(silence)
        .timeout(whole)
        .connector_layer(MapRequestLayer::new(move |request| {
            tally.connection();
            request
        }))
        .build()
        .map_err(|e| Error::Config(format!("cannot set up HTTPS: {}", body::cause(&e))))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    // A longer wait than any run takes is no advice for this run.
    Some(Duration::from_secs(seconds.min(120)))
}
