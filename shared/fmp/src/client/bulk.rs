//! Downloads bulk files: CSV files with rows of all companies. The client parses a file record by
//! record during the download, so that the whole file is never in memory.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use reqwest::{StatusCode, header::HeaderValue};

use super::{
    Deadline, Fmp,
    call::{CallState, Usage, minutes},
    lock, now,
};
use crate::{
    address, body,
    bulk_decoder::{BulkDecoder, Decoded},
    call_limit::PATIENCE,
    csv::Record,
    failure::Failure,
    redact::Redactor,
    response::classify,
    transport::{Transport, retry_after},
};
use findata_domain::{Error, Result};

/// The interval between bulk calls to FMP. FMP allows two calls a minute. One second is added for
/// network delay and clock skew.
pub const BULK_PAUSE: Duration = Duration::from_secs(31);
/// Maximum number of attempts per file, including the first. It is low because each attempt waits for
/// the next bulk call and may take minutes.
const MAX_ATTEMPTS: u32 = 3;
/// Maximum number of pauses for one file after FMP refused a bulk call. Each pause is twice as long as the previous
/// one. All pauses together take at most [`PATIENCE`].
const MAX_REFUSALS: u32 = 5;
/// Shortest pause after a refused bulk call or a failed download.
const MIN_PAUSE: Duration = Duration::from_millis(50);
/// Timeout of one download. The longest measured download took 200 s.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(600);
/// Time limit for one file, including its downloads and the pauses between them. Waiting for the next allowed bulk call
/// is excluded.
const MAX_FILE_TIME: Duration = Duration::from_secs(1_200);
/// Longest wait for the next byte. It is long because FMP assembles a file before it sends the first
/// byte.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(120);

/// Receives the records of a bulk file.
pub trait Records: Send {
    /// Called when a download begins. Discards all records received so far, because the download may
    /// be a retry.
    fn begin(&mut self);

    /// Receives a record.
    ///
    /// # Errors
    /// An error ends the download.
    fn record(&mut self, record: Record<'_>) -> Result<()>;
}

/// The result of downloading a bulk file.
#[derive(Debug)]
pub struct BulkAnswer {
    /// How the download ended, or why it failed.
    pub outcome: Result<BulkOutcome>,
    /// Requests sent, including retries.
    pub calls: u32,
    /// Bytes received, before decompression.
    pub bytes: u64,
}

/// How the download of a bulk file ended without a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkOutcome {
    /// The file is complete. The number of its records is 0 if FMP has no data.
    Complete(u64),
    /// The file does not exist, so the previous part was the last one. Contains FMP's message.
    NotFound(String),
    /// The deadline passed before the file was complete.
    DeadlineExceeded,
}

impl Fmp {
    /// Downloads a bulk file and passes its records to `to`. Each attempt takes one permit and one slot
    /// in the schedule of bulk calls, which all clients with the same key share.
    pub async fn bulk(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        to: &mut impl Records,
        until: Option<Deadline>,
    ) -> BulkAnswer {
        let usage = Usage::default();
        let download = self.bulk_attempts(endpoint, parameters, to, until.map(|until| until.begin), &usage);
        let outcome = match until {
            None => download.await,
            Some(until) => {
                let ended = tokio::time::timeout_at(until.wait.into(), download).await;
                ended.unwrap_or(Ok(BulkOutcome::DeadlineExceeded))
            }
        };
        if let Err(failure) = &outcome {
            self.halt_if_needed(failure).await;
        }
        let bytes = usage.bytes.into_inner();
        self.rate_limiter.received(bytes);
        BulkAnswer {
            outcome: outcome.map_err(Error::from),
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
        let (mut attempts, mut refusals, mut limits) = (1, 0, 0);
        let mut refused_for = Duration::ZERO;
        let mut state = CallState::new(MAX_FILE_TIME);
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
            let outcome = self.bulk_call(endpoint, parameters, &key, to, usage, &mut state).await;
            self.note_answer(endpoint, &outcome);
            match outcome {
                Err(Failure::CallLimit { message, retry_after }) => {
                    limits += 1;
                    let pause = self.limited(endpoint, limits, message, retry_after, &state.patience).await?;
                    self.wait_for_limit(self.call_limits.sleep(endpoint, pause), &mut state).await?;
                }
                Err(Failure::BulkLimit { message, certain }) => {
                    let pause = self.bulk_pause.max(MIN_PAUSE) * 2_u32.pow(refusals);
                    refusals += 1;
                    refused_for += pause;
                    if refusals > MAX_REFUSALS || refused_for > PATIENCE {
                        let text = format!("FMP refuses bulk calls: {message}");
                        return Err(if certain {
                            Failure::LimitedCall(text)
                        } else {
                            Failure::Rejected(text)
                        });
                    }
                    tracing::info!(
                        endpoint,
                        reason = message,
                        seconds = pause.as_secs(),
                        "FMP refused a bulk call"
                    );
                    self.rate_limiter.pause_bulk(pause).await;
                }
                Err(failure) if failure.is_transient() && attempts < MAX_ATTEMPTS => {
                    tracing::info!(endpoint, reason = %failure, "downloading a bulk file again");
                    let retry_after = match &failure {
                        Failure::Transient { retry_after, .. } => *retry_after,
                        _ => None,
                    };
                    let pause = retry_after.unwrap_or(MIN_PAUSE * 4_u32.pow(attempts));
                    if !state.patience.allows(pause) {
                        return Err(failure);
                    }
                    let (paused, waited) = state.patience.spend(self.pause(pause)).await;
                    self.stats.waited_to_retry(waited);
                    paused?;
                    attempts += 1;
                }
                Err(Failure::RefusedKey(_)) if self.renew_key(&key).await => {}
                other => return other,
            }
        }
    }

    /// Makes one attempt to download a file.
    async fn bulk_call(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        key: &HeaderValue,
        to: &mut impl Records,
        usage: &Usage,
        state: &mut CallState,
    ) -> Result<BulkOutcome, Failure> {
        let (_slot, permit) = self.admit(endpoint, state).await?;
        permit.use_up();
        usage.calls.fetch_add(1, Relaxed);
        let in_flight = self.stats.begin();
        let downloaded = state.patience.bound(self.download(endpoint, parameters, key, to, usage)).await;
        let outcome = downloaded.unwrap_or_else(|_| {
            Err(Failure::transient(format!(
                "the file did not arrive within {}",
                minutes(state.patience.most())
            )))
        });
        drop(in_flight);
        self.breakers.record(endpoint, &outcome, now());
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
        let redactor = Redactor::new(key.as_bytes());
        let mut decoder = BulkDecoder::new(&response, redactor, |record: Record<'_>| to.record(record));
        let interrupted = |e: reqwest::Error| {
            Failure::transient(format!("the download was interrupted: {}", body::cause(&e)))
        };
        while let Some(chunk) = response.chunk().await.map_err(interrupted)? {
            usage.bytes.fetch_add(chunk.len() as u64, Relaxed);
            decoder.feed(&chunk)?;
        }
        match decoder.finish()? {
            Decoded::Records(records) if status == StatusCode::OK => Ok(BulkOutcome::Complete(records)),
            Decoded::Records(_) => not_a_file(endpoint, status, b"", retry_after),
            Decoded::OtherText(text) => not_a_file(endpoint, status, &text, retry_after),
        }
    }

    fn bulk_transport(&self) -> Result<&Transport> {
        if let Some(transport) = self.bulk_transport.get() {
            return Ok(transport);
        }
        let url = address::parse(self.url())?;
        let transport = Transport::with_timeouts(url, self.stats.clone(), SILENCE_TIMEOUT, DOWNLOAD_TIMEOUT)?;
        Ok(self.bulk_transport.get_or_init(|| transport))
    }
}

/// Classifies a response that is not a bulk file.
fn not_a_file(
    endpoint: &str,
    status: StatusCode,
    text: &[u8],
    retry_after: Option<Duration>,
) -> Result<BulkOutcome, Failure> {
    let failure = match classify(status, text) {
        Ok(_) => Failure::transient(format!("FMP's response for {endpoint} is JSON instead of CSV")),
        Err(Failure::Rejected(message)) if status == StatusCode::BAD_REQUEST => {
            return Ok(BulkOutcome::NotFound(message));
        }
        Err(Failure::NotOffered(_)) => Failure::NotInPlan(format!("FMP does not offer {endpoint} (404)")),
        Err(failure) => failure.with_retry_after(retry_after),
    };
    let json_object = status == StatusCode::OK && text.first() == Some(&b'{');
    Err(match failure {
        // With status 200, FMP reports the limit on bulk calls. With 429, it reports the limit on all calls.
        Failure::CallLimit { message, .. } if status == StatusCode::OK => {
            Failure::BulkLimit { message, certain: true }
        }
        Failure::Transient { message, .. } | Failure::Rejected(message) if json_object => {
            Failure::BulkLimit { message, certain: false }
        }
        other => other,
    })
}
