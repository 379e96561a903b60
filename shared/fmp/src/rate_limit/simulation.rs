//! A simulation of many clients with differing clocks, a slow stage and calls that arrive late.
//! The tests are in `scenarios` and `special_cases`.

mod scenarios;
mod special_cases;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::{BoxFuture, FutureExt, join_all, select};

use super::{
    CLOCKS, CallContext, Limits, RateLimiter, TRAVEL, Time,
    shared_object::Jitter,
    simulated::{Simulated, Task},
};
use crate::{client_stats::ClientStats, failure::Failure};
use findata_domain::{Error, Result};
use findata_pipeline::{
    ports::stage::{Object, Stage, memory::MemoryStage},
    run::RunId,
};

/// Number of concurrent callers in a worker.
const CALLERS: usize = 64;

/// A machine's clock: the simulated time plus a constant skew.
struct SkewedClock {
    time: Simulated,
    skew: TimeDelta,
}

impl Time for SkewedClock {
    fn now(&self) -> DateTime<Utc> {
        begun() + TimeDelta::from_std(self.time.elapsed()).unwrap() + self.skew
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'_, ()> {
        self.time.sleep(time).boxed()
    }
}

/// A stage with the latency of S3 that counts its writes.
#[derive(Clone)]
struct SlowStage {
    stage: MemoryStage,
    time: Simulated,
    jitter: Arc<Jitter>,
    /// The longest time that one operation takes.
    longest: Duration,
    writes: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    reads: Arc<AtomicU64>,
}

impl SlowStage {
    /// Waits for half of an operation's time.
    async fn pause(&self) {
        let half = self.longest / 2;
        self.time.sleep(half / 10 + self.jitter.part_of(half.mul_f64(0.9))).await;
    }

    async fn written(&self, done: Result<bool>) -> Result<bool> {
        self.pause().await;
        self.writes.fetch_add(1, Relaxed);
        self.refused.fetch_add(u64::from(done == Ok(false)), Relaxed);
        done
    }
}

impl Stage for SlowStage {
    async fn get(&self, key: &str) -> Result<Option<Object>> {
        self.pause().await;
        self.reads.fetch_add(1, Relaxed);
        let object = Stage::get(&self.stage, key).await;
        self.pause().await;
        object
    }

    async fn put_if_absent(&self, key: &str, body: Bytes) -> Result<bool> {
        self.pause().await;
        self.written(self.stage.put_if_absent(key, body).await).await
    }

    async fn put_if_match(&self, key: &str, body: Bytes, etag: &str) -> Result<bool> {
        self.pause().await;
        self.written(self.stage.put_if_match(key, body, etag).await).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.stage.list(prefix).await
    }

    async fn delete(&self, keys: &[String]) -> Result<()> {
        self.stage.delete(keys).await
    }
}

/// One simulation: the limits, the stage, and the calls that reached FMP.
struct World {
    limits: Limits,
    seed: u64,
    time: Simulated,
    slow: SlowStage,
    /// When each call reached FMP, and the number of its worker.
    arrivals: Arc<Mutex<Vec<(Duration, usize)>>>,
}

/// A simulated worker. Dropping it aborts its calls, as if the process were killed.
struct Worker {
    limiter: Arc<RateLimiter>,
    callers: Vec<Task<Result<(), Failure>>>,
}

impl World {
    fn new(time: &Simulated, limits: Limits, seed: u64) -> Self {
        let slow = SlowStage {
            stage: MemoryStage::default(),
            time: time.clone(),
            jitter: Arc::new(Jitter::with_seed(seed)),
            longest: Duration::from_millis(120),
            writes: Arc::default(),
            refused: Arc::default(),
            reads: Arc::default(),
        };
        World {
            limits,
            seed,
            time: time.clone(),
            slow,
            arrivals: Arc::default(),
        }
    }

    fn limiter(&self, number: usize) -> (Arc<RateLimiter>, Arc<ClientStats>) {
        let jitter = Jitter::with_seed(self.seed ^ (number as u64) << 32);
        // A quarter of the clocks is right, and a quarter differs by the largest assumed
        // difference.
        let skew = match jitter.number() % 4 {
            0 => TimeDelta::zero(),
            1 => CLOCKS,
            _ => TimeDelta::from_std(jitter.part_of(CLOCKS.to_std().unwrap())).unwrap(),
        };
        self.limiter_with_clock(number, skew)
    }

    fn limiter_with_clock(&self, number: usize, skew: TimeDelta) -> (Arc<RateLimiter>, Arc<ClientStats>) {
        let stats = Arc::new(ClientStats::default());
        let clock = Box::new(SkewedClock { time: self.time.clone(), skew });
        let limiter =
            RateLimiter::new(self.limits, "key", Box::new(self.slow.clone()), clock, Arc::clone(&stats));
        (Arc::new(limiter.with_seed(self.seed.wrapping_mul(31) + number as u64)), stats)
    }

    /// Starts a worker that makes `calls` calls.
    fn worker(&self, number: usize, context: CallContext, calls: i64) -> Worker {
        let (limiter, stats) = self.limiter(number);
        limiter.begin(&context);
        let callers = self.callers(number, &limiter, &stats, calls);
        Worker { limiter, callers }
    }

    fn callers(
        &self,
        number: usize,
        limiter: &Arc<RateLimiter>,
        stats: &Arc<ClientStats>,
        calls: i64,
    ) -> Vec<Task<Result<(), Failure>>> {
        let remaining = Arc::new(AtomicI64::new(calls));
        let caller = |caller: usize| {
            let (limiter, stats, remaining) =
                (Arc::clone(limiter), Arc::clone(stats), Arc::clone(&remaining));
            let (arrivals, time) = (Arc::clone(&self.arrivals), self.time.clone());
            let jitter = Jitter::with_seed(self.seed ^ (number * CALLERS + caller) as u64);
            self.time.spawn(async move {
                while remaining.fetch_sub(1, Relaxed) > 0 {
                    limiter.permit().await?.use_up();
                    let in_flight = stats.begin();
                    // Most calls arrive immediately, some as late as `TRAVEL` allows.
                    let travel = match jitter.number() % 40 {
                        0 => TRAVEL.to_std().unwrap(),
                        1 => jitter.part_of(TRAVEL.to_std().unwrap()),
                        _ => Duration::ZERO,
                    };
                    time.sleep(travel).await;
                    arrivals.lock().unwrap().push((time.elapsed(), number));
                    time.sleep(Duration::from_millis(50) + jitter.part_of(Duration::from_millis(200))).await;
                    drop(in_flight);
                }
                Ok(())
            })
        };
        (0..CALLERS).map(caller).collect()
    }

    async fn until(&self, seconds: u64) {
        self.time.sleep_until(Duration::from_secs(seconds)).await;
    }

    /// The maximum number of calls that arrived within any 60 seconds.
    fn most_in_a_minute(&self) -> usize {
        let mut arrivals: Vec<Duration> = self.arrivals.lock().unwrap().iter().map(|(at, _)| *at).collect();
        arrivals.sort();
        let minute = Duration::from_secs(60);
        (0..arrivals.len())
            .map(|i| arrivals.partition_point(|at| *at < arrivals[i] + minute) - i)
            .max()
            .unwrap_or(0)
    }

    /// The number of calls of the selected workers that arrived between the seconds `from` and
    /// `to`.
    fn calls(&self, from: u64, to: u64, of: impl Fn(usize) -> bool) -> usize {
        let within = Duration::from_secs(from)..Duration::from_secs(to);
        self.arrivals
            .lock()
            .unwrap()
            .iter()
            .filter(|(at, number)| within.contains(at) && of(*number))
            .count()
    }
}

fn simulate(test: impl AsyncFnOnce(&Simulated)) {
    let time = Simulated::default();
    time.run(test(&time));
}

fn per_minute(calls: u32) -> Limits {
    Limits { per_minute: Some(calls), ..Limits::default() }
}

fn begun() -> DateTime<Utc> {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn on_demand(max_calls: Option<u64>) -> CallContext {
    CallContext { run: RunId::new(begun(), 7), begun: begun(), max_calls }
}

fn daily() -> CallContext {
    CallContext {
        run: RunId::scheduled(begun()),
        begun: begun(),
        max_calls: None,
    }
}
