//! Bulk files: CSV with rows of all companies, parsed record by record during the download, so that
//! no file is ever completely in memory.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use reqwest::{StatusCode, header::HeaderValue};

use super::{Deadline, Fmp, call::Usage, lock};
use crate::{
    body,
    bulk_decoder::{BulkDecoder, Decoded},
    csv::Record,
    failure::Failure,
    response::classify,
    transport::{Transport, retry_after},
};
use findata_domain::{Error, Result};

/// The interval between bulk calls that suits FMP: two calls a minute, with a second for network
/// delay and clock skew.
pub const BULK_PAUSE: Duration = Duration::from_secs(31);
/// Attempts per file, including the first. Each waits for its place in the queue of bulk calls and
/// may take minutes.
const MAX_ATTEMPTS: u32 = 3;
/// Refusals after which a file is given up. The pause doubles with each.
const MAX_REFUSALS: u32 = 5;
/// The shortest pause after a refusal.
const MIN_PAUSE: Duration = Duration::from_millis(50);
/// Longest download. One of 200 s was measured.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(600);
/// Longest wait for the next byte: FMP assembles a file before it sends the first one.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(120);

/// Receives the records of a bulk file.
pub trait Records: Send {
    /// A download begins. It may be a retry: discard the records received so far.
    fn begin(&mut self);

    /// Receives a record.
    ///
    /// # Errors
    /// Any error ends the download.
    fn record(&mut self, record: Record<'_>) -> Result<()>;
}

/// The result of downloading a bulk file.
#[derive(Debug)]
pub struct BulkAnswer {
    /// Whether the file was downloaded.
    pub came: Result<BulkOutcome>,
    /// Calls made, including retries.
    pub calls: u32,
    /// Bytes on the wire.
    pub bytes: u64,
}

/// How the download of a bulk file ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkOutcome {
    /// The file is complete and has this many records, 0 if FMP has no data.
    Complete(u64),
    /// The file does not exist (FMP's message): the previous part was the last one.
    NotFound(String),
    /// The deadline passed before the file was complete.
    DeadlineExceeded,
}

impl Fmp {
    /// Downloads a bulk file. Each attempt uses one permit and one place in the queue of bulk
    /// calls, which everyone who has the key shares.
    pub async fn bulk(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        to: &mut impl Records,
        until: Option<Deadline>,
    ) -> BulkAnswer {
        let usage = Usage::default();
        let download = self.bulk_attempts(endpoint, parameters, to, until.map(|until| until.begin), &usage);
        let came = match until {
            None => download.await,
            Some(until) => {
                let ended = tokio::time::timeout_at(until.wait.into(), download).await;
                ended.unwrap_or(Ok(BulkOutcome::DeadlineExceeded))
            }
        };
        if let Err(failure) = &came {
            self.halt_if_needed(failure).await;
        }
        let bytes = usage.bytes.into_inner();
        self.rate_limiter.received(bytes);
        BulkAnswer {
            came: came.map_err(Error::from),
            calls: usage.calls.into_inner(),
            bytes,
        }
    }

    async fn bulk_attempts(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        to: &mut impl Records,
        begin: Option<Instant>,
        usage: &Usage,
    ) -> Result<BulkOutcome, Failure> {
        let (mut attempts, mut refusals, probe) = (1, 0, AtomicBool::new(false));
        loop {
            let waiting_since = Instant::now();
            let slot = self.rate_limiter.bulk_slot(self.bulk_pause);
            match begin {
                None => slot.await?,
                Some(begin) if waiting_since >= begin => return Ok(BulkOutcome::DeadlineExceeded),
                Some(begin) => match tokio::time::timeout_at(begin.into(), slot).await {
                    Ok(slot) => slot?,
                    Err(_) => return Ok(BulkOutcome::DeadlineExceeded),
                },
            }
            self.stats.waited(waiting_since.elapsed());
            let key = lock(&self.key).clone();
            to.begin();
            match self.bulk_call(endpoint, parameters, &key, &probe, to, usage).await {
                Err(Failure::BulkLimit(message)) => {
                    if refusals == MAX_REFUSALS {
                        return Err(Failure::Rejected(format!("FMP refuses bulk calls: {message}")));
                    }
                    let pause = self.bulk_pause.max(MIN_PAUSE) * 2_u32.pow(refusals);
                    refusals += 1;
                    tracing::info!(endpoint, message, pause = pause.as_secs(), "FMP refused a bulk call");
                    self.rate_limiter.pause_bulk(pause).await;
                }
                Err(failure) if failure.is_transient() && attempts < MAX_ATTEMPTS => {
                    tracing::info!(endpoint, %failure, "downloading a bulk file again");
                    let retry_after = match failure {
                        Failure::Transient { retry_after, .. } => retry_after,
                        _ => None,
                    };
                    tokio::time::sleep(retry_after.unwrap_or(MIN_PAUSE * 4_u32.pow(attempts))).await;
                    attempts += 1;
                }
                Err(Failure::RefusedKey(_)) if self.renew_key(&key).await => {}
                other => return other,
            }
        }
    }

    /// One attempt.
    async fn bulk_call(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        key: &HeaderValue,
        probe: &AtomicBool,
        to: &mut impl Records,
        usage: &Usage,
    ) -> Result<BulkOutcome, Failure> {
        let (_slot, permit) = self.admit(endpoint, probe).await?;
        permit.use_up();
        usage.calls.fetch_add(1, Relaxed);
        let in_flight = self.stats.begin();
        let outcome = self.download(endpoint, parameters, key, to, usage).await;
        drop(in_flight);
        self.breakers.note(endpoint, &outcome, Instant::now());
        outcome
    }

    async fn download(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        key: &HeaderValue,
        to: &mut impl Records,
        usage: &Usage,
    ) -> Result<BulkOutcome, Failure> {
        let mut response = self.bulk_transport()?.send(endpoint, parameters, key).await?;
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        let mut decoder = BulkDecoder::new(&response, |record: Record<'_>| to.record(record));
        let interrupted = |e: reqwest::Error| {
            Failure::transient(format!("the download was interrupted: {}", body::cause(&e)))
        };
        while let Some(chunk) = response.chunk().await.map_err(interrupted)? {
            usage.bytes.fetch_add(chunk.len() as u64, Relaxed);
            decoder.feed(&chunk)?;
        }
        match decoder.finish()? {
            Decoded::Records(records) if status == StatusCode::OK => Ok(BulkOutcome::Complete(records)),
            Decoded::Records(_) => self.not_a_file(endpoint, status, b"", retry_after).await,
            Decoded::OtherText(text) => self.not_a_file(endpoint, status, &text, retry_after).await,
        }
    }

    /// Classifies a response that is not a bulk file.
    async fn not_a_file(
        &self,
        endpoint: &str,
        status: StatusCode,
        text: &[u8],
        retry_after: Option<Duration>,
    ) -> Result<BulkOutcome, Failure> {
        let failure = match classify(status, text) {
            Ok(_) => Failure::transient(format!("FMP answered {endpoint} with JSON instead of a file")),
            Err(Failure::Rejected(message)) if status == StatusCode::BAD_REQUEST => {
                return Ok(BulkOutcome::NotFound(message));
            }
            Err(Failure::NotOffered(_)) => Failure::NotInPlan(format!("FMP does not offer {endpoint} (404)")),
            Err(failure) => failure.with_retry_after(retry_after),
        };
        // With status 429 the limit of all calls is reached, otherwise that of bulk calls.
        if let Failure::CallLimit { .. } = failure
            && status == StatusCode::TOO_MANY_REQUESTS
            && let Some(pause) = self.cooldown.start(retry_after)
        {
            self.rate_limiter.pause(pause).await;
        }
        let json_object = status == StatusCode::OK && text.first() == Some(&b'{');
        Err(match failure {
            Failure::CallLimit { message, .. } => Failure::BulkLimit(message),
            Failure::Transient { message, .. } | Failure::Rejected(message) if json_object => {
                Failure::BulkLimit(message)
            }
            other => other,
        })
    }

    fn bulk_transport(&self) -> Result<&Transport> {
        if let Some(transport) = self.bulk_transport.get() {
            return Ok(transport);
        }
        let transport =
            Transport::with_timeouts(self.url(), self.stats.clone(), SILENCE_TIMEOUT, DOWNLOAD_TIMEOUT)?;
        Ok(self.bulk_transport.get_or_init(|| transport))
    }
}
