//! Bulk files: CSV of the whole world, read record by record while it comes, so that none is ever whole in memory.

use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use reqwest::{StatusCode, header::HeaderValue};

use super::{Deadline, Fmp, is_refused_key, lock};
use crate::{
    body,
    bulk_decoder::BulkDecoder,
    csv::Record,
    response::{classify, is_call_limit},
    transport::{Transport, retry_after},
};
use findata_domain::{Error, Result};

/// The pause that suits FMP: two bulk calls a minute, with the way to FMP and clocks that differ counted in.
pub const BULK_PAUSE: Duration = Duration::from_secs(31);
/// Tries of one file, the first included; each takes a turn and may take minutes.
const TRIES: u32 = 3;
/// Refusals after which a file is given up; the pause doubles with each.
const REFUSALS: u32 = 5;
/// The least pause after a refusal.
const LEAST_PAUSE: Duration = Duration::from_millis(50);
/// A download of 200 s was measured.
const WHOLE: Duration = Duration::from_secs(600);
/// FMP gathers a file before it sends its first byte.
const SILENCE: Duration = Duration::from_secs(120);

/// Takes the records of a bulk file in.
pub trait Records: Send {
    /// The file begins, maybe not for the first time: what came of it before does not count.
    fn begin(&mut self);

    /// A record.
    ///
    /// # Errors
    /// What ends the reading.
    fn record(&mut self, record: Record<'_>) -> Result<()>;
}

/// What a bulk call came to.
#[derive(Debug)]
pub struct BulkAnswer {
    /// Whether the file is there.
    pub came: Result<BulkOutcome>,
    /// Calls it took, retries included.
    pub calls: u32,
    /// Bytes on the wire.
    pub bytes: u64,
}

/// What came of a bulk file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkOutcome {
    /// All of it, with so many records; none where FMP has no data.
    Complete(u64),
    /// There is no such file, in FMP's words: the part before was the last.
    NotFound(String),
    /// The time ended before it was whole.
    DeadlineExceeded,
}

/// Calls and bytes of the tries so far, which count also where the time ends.
#[derive(Default)]
struct Used {
    calls: u32,
    bytes: u64,
}

/// Why a try came to nothing.
struct Failed {
    error: Error,
    /// FMP refused it for coming too soon, or for a reason that it does not tell apart from that.
    too_soon: bool,
    /// Somebody answered.
    answered: bool,
}

impl Failed {
    fn of(error: Error) -> Self {
        Failed { error, too_soon: false, answered: true }
    }
}

impl Fmp {
    /// Reads a bulk file. Each try is one call of the budget, and has a turn among the bulk calls of all who have the key.
    pub async fn bulk(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        to: &mut impl Records,
        until: Option<Deadline>,
    ) -> BulkAnswer {
        let mut used = Used::default();
        let tries = self.bulk_tries(endpoint, parameters, to, until.map(|until| until.begin), &mut used);
        let came = match until {
            None => tries.await,
            Some(until) => {
                tokio::time::timeout_at(until.wait.into(), tries).await.unwrap_or(Ok(BulkOutcome::DeadlineExceeded))
            }
        };
        if let Err(error) = &came {
            self.heed(error).await;
        }
        self.budget.received(used.bytes);
        BulkAnswer { came, calls: used.calls, bytes: used.bytes }
    }

    async fn bulk_tries(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        to: &mut impl Records,
        begin: Option<Instant>,
        used: &mut Used,
    ) -> Result<BulkOutcome> {
        let (mut tries, mut refusals, probe) = (1, 0, AtomicBool::new(false));
        loop {
            let asked = Instant::now();
            let turn = self.budget.bulk_turn(self.bulk_pause);
            match begin {
                None => turn.await?,
                Some(begin) if asked >= begin => return Ok(BulkOutcome::DeadlineExceeded),
                Some(begin) => match tokio::time::timeout_at(begin.into(), turn).await {
                    Ok(turn) => turn?,
                    Err(_) => return Ok(BulkOutcome::DeadlineExceeded),
                },
            }
            self.stats.waited(asked.elapsed());
            let key = lock(&self.key).clone();
            to.begin();
            let failed = match self.bulk_once(endpoint, parameters, &key, &probe, to, used).await {
                Ok(came) => return Ok(came),
                Err(failed) => failed,
            };
            match failed.error {
                Error::Retry { reason, .. } | Error::Reject(reason) if failed.too_soon => {
                    if refusals == REFUSALS {
                        return Err(Error::Reject(format!("FMP refuses bulk calls: {reason}")));
                    }
                    let pause = self.bulk_pause.max(LEAST_PAUSE) * 2_u32.pow(refusals);
                    refusals += 1;
                    tracing::info!(endpoint, reason, pause = pause.as_secs(), "FMP refuses a bulk call");
                    self.budget.bulk_refused(pause).await;
                }
                Error::Retry { reason, after } if tries < TRIES => {
                    tracing::info!(endpoint, reason, "a bulk file comes again");
                    tokio::time::sleep(after.unwrap_or(LEAST_PAUSE * 4_u32.pow(tries))).await;
                    tries += 1;
                }
                Error::Stop(reason) if is_refused_key(&reason) && self.renew_key(&key).await => {}
                error => return Err(error),
            }
        }
    }

    /// One try.
    async fn bulk_once(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        key: &HeaderValue,
        probe: &AtomicBool,
        to: &mut impl Records,
        used: &mut Used,
    ) -> Result<BulkOutcome, Failed> {
        let (_slot, permit) = self.turn(endpoint, probe).await.map_err(Failed::of)?;
        permit.used();
        used.calls += 1;
        let under_way = self.stats.begin();
        let came = self.receive(endpoint, parameters, key, to, &mut used.bytes).await;
        drop(under_way);
        // A refusal for coming too soon is no failure of the endpoint.
        match &came {
            Err(failed) if !failed.too_soon => {
                let outcome: Result<()> = Err(failed.error.clone());
                self.breakers.note(endpoint, &outcome, failed.answered, Instant::now());
            }
            _ => self.breakers.note(endpoint, &Ok(()), true, Instant::now()),
        }
        came
    }

    async fn receive(
        &self,
        endpoint: &str,
        parameters: &[(&str, String)],
        key: &HeaderValue,
        to: &mut impl Records,
        bytes: &mut u64,
    ) -> Result<BulkOutcome, Failed> {
        let sent = self.bulk_wire().map_err(Failed::of)?.send(endpoint, parameters, key).await;
        let silent = |e: reqwest::Error| {
            let error = Error::retry(format!("no answer from FMP: {}", body::cause(&e)));
            Failed { error, too_soon: false, answered: false }
        };
        let mut response = sent.map_err(silent)?;
        let (status, after) = (response.status(), retry_after(response.headers()));
        let mut intake = BulkDecoder::new(&response, |record: Record<'_>| to.record(record));
        let broke_off = |e: reqwest::Error| Error::retry(format!("the file broke off: {}", body::cause(&e)));
        while let Some(piece) = response.chunk().await.map_err(|e| Failed::of(broke_off(e)))? {
            *bytes += piece.len() as u64;
            intake.take(&piece).map_err(Failed::of)?;
        }
        match intake.finish().map_err(Failed::of)? {
            Ok(records) if status == StatusCode::OK => Ok(BulkOutcome::Complete(records)),
            Ok(_) => self.refusal(endpoint, status, b"", after).await,
            Err(text) => self.refusal(endpoint, status, &text, after).await,
        }
    }

    /// What an answer means that is no file.
    async fn refusal(
        &self,
        endpoint: &str,
        status: StatusCode,
        text: &[u8],
        after: Option<Duration>,
    ) -> Result<BulkOutcome, Failed> {
        let error = match classify(status, text) {
            Ok(_) => Error::retry(format!("FMP answered {endpoint} with JSON that is no file")),
            Err(Error::Reject(reason)) if status == StatusCode::BAD_REQUEST => {
                return Ok(BulkOutcome::NotFound(reason));
            }
            Err(Error::Reject(_)) if status == StatusCode::NOT_FOUND => {
                Error::NotInPlan(format!("FMP does not offer {endpoint} (404)"))
            }
            Err(Error::Retry { reason, .. }) => Error::Retry { reason, after },
            Err(error) => error,
        };
        let limited = matches!(&error, Error::Retry { reason, .. } if is_call_limit(reason));
        // On 429 it is the limit of all calls, else that of bulk calls.
        if limited
            && status == StatusCode::TOO_MANY_REQUESTS
            && let Some(pause) = self.gate.close(after)
        {
            self.budget.slow(pause).await;
        }
        let object = status == StatusCode::OK && text.first() == Some(&b'{');
        Err(Failed { error, too_soon: object || limited, answered: true })
    }

    fn bulk_wire(&self) -> Result<&Transport> {
        if let Some(wire) = self.bulk_wire.get() {
            return Ok(wire);
        }
        let wire = Transport::patient(self.url(), self.stats.clone(), SILENCE, WHOLE)?;
        Ok(self.bulk_wire.get_or_init(|| wire))
    }
}
