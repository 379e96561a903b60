//! Lands lines of ticks, and has the landed files loaded from time to time.
//!
//! Several files are written at once, because each waits for the disk. Lines are acknowledged in
//! order, once they and all lines before them are on the stage.

use std::{fmt::Write, future::Future, time::Duration};

use findata_domain::{Error, Result};
use findata_pipeline::ports::stage::Stage;
use findata_stream::{
    Counts,
    file::{PackedTicks, Record, pack},
};
use futures::{StreamExt, stream::FuturesOrdered};
use serde::Serialize;
use tokio::{
    sync::mpsc::Receiver,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::tick_input::Lines;

/// Files that are packed and written at the same time.
const IN_FLIGHT: usize = 4;
/// Most lines of a file. A file has more lines than [`Pace::records`] if more are waiting, so that a
/// fast producer does not wait for the disk after each thousand.
const MAX_LINES: usize = 25_000;
/// How often a write is tried, and the pause after the first failure; it doubles.
const WRITES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// When lines are landed and files are loaded.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Lines that are landed at once.
    pub records: usize,
    /// How long a line waits for others.
    pub wait: Duration,
    /// Time between two loads; `None` loads only at the end.
    pub load_every: Option<Duration>,
    /// Ticks after which a load begins earlier.
    pub load_at: u64,
}

/// What is on the stage: all lines up to a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Acknowledged {
    /// Lines of the input so far, including empty ones.
    pub lines: u64,
    /// Numbers of their records.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Loads the landed files.
pub trait Loader {
    /// The result of a load.
    type Loaded: Send + 'static;
    /// Starts a load. It runs beside the stream.
    fn load(&self) -> impl Future<Output = Self::Loaded> + Send + 'static;
    /// Called with each result. Loads of an unfinished stream are repeated later.
    fn loaded(&mut self, result: Self::Loaded);
}

/// Lands lines until the input ends or `stop` is cancelled, and waits for a running load. The caller
/// loads what was landed since.
///
/// # Errors
/// The stage's errors and those of the input. Lines that were not acknowledged may be lost.
pub async fn run<S: Stage + Clone + 'static, L: Loader>(
    session: &str,
    mut input: Receiver<Result<Lines>>,
    stage: &S,
    pace: Pace,
    stop: CancellationToken,
    loader: &mut L,
    mut acknowledge: impl FnMut(&Acknowledged) -> Result<()>,
) -> Result<Acknowledged> {
    let mut waiting = Waiting::default();
    let mut done = Acknowledged::default();
    let mut in_flight = FuturesOrdered::new();
    let mut load: Option<JoinHandle<L::Loaded>> = None;
    let mut at_load = Counts::default();
    let mut timer = tokio::time::interval(pace.load_every.unwrap_or(Duration::MAX / 4));
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick of an interval is immediate.
    timer.tick().await;
    let mut failure = None;
    let mut is_open = true;
    while is_open || !waiting.is_empty() || !in_flight.is_empty() {
        let can_start = in_flight.len() < IN_FLIGHT;
        if can_start && (waiting.count >= pace.records || (!is_open && !waiting.is_empty())) {
            while waiting.count < MAX_LINES
                && let Ok(Ok(lines)) = input.try_recv()
            {
                waiting.add(lines, pace.wait);
            }
            in_flight.push_back(tokio::spawn(land(session.to_owned(), waiting.take(), stage.clone())));
            continue;
        }
        tokio::select! {
            lines = input.recv(), if is_open && can_start => match lines {
                Some(Ok(lines)) => waiting.add(lines, pace.wait),
                Some(Err(error)) => failure = Some(error),
                None => is_open = false,
            },
            () = sleep_until(waiting.until), if can_start && !waiting.is_empty() => {
                in_flight.push_back(tokio::spawn(land(session.to_owned(), waiting.take(), stage.clone())));
            }
            Some(landed) = in_flight.next(), if !in_flight.is_empty() => {
                let landed = landed.map_err(|e| Error::Stop(format!("landing ticks was aborted: {e}")))?;
                let (lines, counts): (u64, Counts) = landed?;
                done.lines += lines;
                done.counts.add(&counts);
                acknowledge(&done)?;
                let new = done.counts.ticks - at_load.ticks;
                if pace.load_every.is_some() && new >= pace.load_at && load.is_none() {
                    at_load = done.counts;
                    load = Some(tokio::spawn(loader.load()));
                }
            }
            _ = timer.tick(), if pace.load_every.is_some() && load.is_none() => {
                // Loading nothing would wake a billed warehouse.
                if done.counts.files > at_load.files {
                    at_load = done.counts;
                    load = Some(tokio::spawn(loader.load()));
                }
            }
            result = finished(&mut load), if load.is_some() => loader.loaded(result?),
            () = stop.cancelled(), if is_open => is_open = false,
        }
    }
    if load.is_some() {
        let result = finished(&mut load).await?;
        loader.loaded(result);
    }
    failure.map_or(Ok(done), Err)
}

/// Waits for a load, and forgets it.
async fn finished<T>(load: &mut Option<JoinHandle<T>>) -> Result<T> {
    let Some(handle) = load.as_mut() else {
        return std::future::pending().await;
    };
    let result = handle.await;
    *load = None;
    result.map_err(|e| Error::Stop(format!("loading ticks was aborted: {e}")))
}

/// Lines that are not landed yet.
struct Waiting {
    lines: Vec<Lines>,
    count: usize,
    /// Number of the last line before them.
    before: u64,
    /// When they must be landed.
    until: Instant,
}

impl Default for Waiting {
    fn default() -> Self {
        Waiting {
            lines: Vec::new(),
            count: 0,
            before: 0,
            until: Instant::now(),
        }
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn add(&mut self, lines: Lines, wait: Duration) {
        if self.is_empty() {
            self.until = Instant::now() + wait;
        }
        self.count += lines.len();
        self.lines.push(lines);
    }

    fn take(&mut self) -> Waiting {
        let next = Waiting {
            before: self.before + self.count as u64,
            ..Waiting::default()
        };
        std::mem::replace(self, next)
    }
}

/// Lands lines in a file. Returns their number, and those of their records.
async fn land(session: String, waiting: Waiting, stage: impl Stage) -> Result<(u64, Counts)> {
    let lines = waiting.count as u64;
    let packed = tokio::task::spawn_blocking(move || pack_lines(&session, &waiting));
    let packed = packed.await.map_err(|e| Error::Stop(format!("packing ticks was aborted: {e}")))?;
    let Some(packed) = packed? else {
        return Ok((lines, Counts::default()));
    };
    let counts = Counts::of(&packed);
    let mut pause = PAUSE;
    for _ in 1..WRITES {
        match PackedTicks::land(packed.clone(), &stage).await {
            Err(Error::Retry { reason, .. }) => tracing::warn!(reason, "landing ticks again"),
            result => return result.map(|()| (lines, counts)),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    PackedTicks::land(packed, &stage).await.map(|()| (lines, counts))
}

fn pack_lines(session: &str, waiting: &Waiting) -> Result<Option<PackedTicks>> {
    const DIGITS: usize = 12;
    let mut numbers = String::with_capacity(waiting.count * DIGITS);
    for line in (waiting.before + 1..).take(waiting.count) {
        // Writing to a String cannot fail.
        let _ = write!(numbers, "{line:0DIGITS$}");
    }
    let mut records = Vec::with_capacity(waiting.count);
    let all = waiting.lines.iter().flat_map(|lines| lines.iter().map(|data| (lines.arrived_at, data)));
    for (i, (arrived_at, data)) in all.enumerate() {
        let data = data.trim_ascii();
        if !data.is_empty() {
            records.push(Record {
                sequence: &numbers[i * DIGITS..(i + 1) * DIGITS],
                arrived_at,
                data,
            });
        }
    }
    let Some(first) = records.first() else { return Ok(None) };
    pack(session, first.arrived_at.date_naive(), &records)
}
