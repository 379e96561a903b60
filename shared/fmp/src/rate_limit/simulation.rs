//! Simulates many clients with skewed clocks and a slow stage. For every seed, no window has too
//! many calls, nearly all of the rate is used, and no client starves.

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

/// Concurrent callers of one worker.
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
    writes: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl SlowStage {
    async fn pause(&self) {
        self.time
            .sleep(Duration::from_millis(5) + self.jitter.part_of(Duration::from_millis(60)))
            .await;
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

/// One simulation.
struct World {
    limits: Limits,
    seed: u64,
    time: Simulated,
    slow: SlowStage,
    /// When calls reached FMP, and from which worker.
    arrivals: Arc<Mutex<Vec<(Duration, usize)>>>,
}

/// A worker. Dropping it aborts its calls, as if it were killed.
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
            writes: Arc::default(),
            refused: Arc::default(),
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
        let skew = TimeDelta::from_std(jitter.part_of(CLOCKS.to_std().unwrap())).unwrap();
        let stats = Arc::new(ClientStats::default());
        let clock = Box::new(SkewedClock { time: self.time.clone(), skew });
        let limiter =
            RateLimiter::new(self.limits, "key", Box::new(self.slow.clone()), clock, Arc::clone(&stats));
        (Arc::new(limiter.with_seed(self.seed.wrapping_mul(31) + number as u64)), stats)
    }

    /// Starts a worker that makes this many calls.
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
                    // Most calls arrive immediately, one in 20 as late as `TRAVEL` allows.
                    let latest = if jitter.number().is_multiple_of(20) {
                        TRAVEL.to_std().unwrap()
                    } else {
                        Duration::ZERO
                    };
                    time.sleep(jitter.part_of(latest)).await;
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

    /// The number of calls of the selected workers that arrived in `from..to`, in seconds.
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

#[test]
fn no_window_has_too_many_calls_and_nearly_all_of_the_rate_is_used() {
    const MINUTES: u64 = 4;
    let (mut least, mut most_writes, mut writes_of_all) = (f64::MAX, 0.0f64, 0.0f64);
    for (limit, seeds) in [(20, 12), (300, 12), (750, 8), (3_000, 2)] {
        for (workers, seed) in [1, 2, 8].into_iter().flat_map(|n| (0..seeds).map(move |seed| (n, seed))) {
            simulate(async |time| {
                let world = World::new(time, per_minute(limit), seed * 1_000 + u64::from(limit));
                let context_of = |n: usize| if n % 3 == 2 { daily() } else { on_demand(None) };
                // All runs are of the same kind, since scheduled runs get no calls while on-demand
                // runs are active.
                let kind = context_of(seed as usize);
                let _running: Vec<_> =
                    (0..workers).map(|n| world.worker(n, kind.clone(), i64::MAX)).collect();
                world.until(60 * MINUTES + 5).await;
                let what = format!("{limit} a minute, {workers} workers, seed {seed}");
                assert!(world.most_in_a_minute() <= limit as usize, "{what}: {}", world.most_in_a_minute());
                let used =
                    world.calls(5, 60 * MINUTES + 5, |_| true) as f64 / f64::from(limit) / MINUTES as f64;
                assert!(used >= 0.95, "{what}: {used}");
                let share = used * f64::from(limit) * MINUTES as f64 / workers as f64;
                for number in 0..workers {
                    let own = world.calls(5, 60 * MINUTES + 5, |n| n == number) as f64;
                    assert!(own >= share * 0.8 - 3.0, "{what}: worker {number} has {own} of {share}");
                }
                let writes = world.slow.writes.load(Relaxed) as f64 / MINUTES as f64;
                least = least.min(used);
                (most_writes, writes_of_all) =
                    (most_writes.max(writes / workers as f64), writes_of_all.max(writes));
                let refused = world.slow.refused.load(Relaxed) as f64 / MINUTES as f64;
                assert!(refused < writes / 2.0, "{what}: {refused} of {writes} writes a minute are refused");
                if seed == 0 {
                    println!(
                        "{what}: {:.2} % used, {writes:.1} writes a minute, {refused:.1} refused",
                        used * 100.0
                    );
                }
            });
        }
    }
    println!("least {least:.4}, writes a minute: {most_writes:.1} of one worker, {writes_of_all:.1} of all");
    assert!(most_writes <= 50.0 && writes_of_all <= 90.0, "{most_writes} {writes_of_all}");
}

#[test]
fn a_killed_worker_costs_at_most_its_lease() {
    for seed in 0..8 {
        simulate(async |time| {
            let world = World::new(time, per_minute(300), seed);
            let _other = world.worker(0, on_demand(None), i64::MAX);
            let killed = world.worker(1, on_demand(None), i64::MAX);
            world.until(60 + seed).await;
            drop(killed);
            world.until(130 + seed).await;
            // A lease lasts three seconds, and a client takes the next one 1.2 seconds before it
            // ends, so 20 calls are lost. Then the other worker takes over.
            let after = world.calls(60 + seed, 120 + seed, |_| true);
            assert!(after >= 288 - 21 && world.most_in_a_minute() <= 300, "seed {seed}: {after}");
            let later = world.calls(69 + seed, 129 + seed, |n| n == 0);
            assert!(later >= 285, "seed {seed}: {later}");
        });
    }
}

#[test]
fn short_and_cancelled_invocations_stay_within_the_limit() {
    for seed in 0..12 {
        simulate(async |time| {
            let world = World::new(time, per_minute(300), seed);
            let processes = (0..4).map(|number| {
                let (world, jitter) = (&world, Jitter::with_seed(seed * 10 + number as u64));
                async move {
                    let (limiter, stats) = world.limiter(number);
                    limiter.begin(&if number == 0 { daily() } else { on_demand(None) });
                    while time.elapsed() < Duration::from_secs(150) {
                        let calls = jitter.number() % 40 + 1;
                        let callers = world.callers(number, &limiter, &stats, calls as i64);
                        let patience = jitter.part_of(Duration::from_secs(8));
                        // Some callers are cancelled while they wait for permits.
                        drop(select(join_all(callers), time.sleep(patience).boxed()).await);
                        limiter.finish().await;
                        time.sleep(jitter.part_of(Duration::from_secs(1))).await;
                    }
                }
            });
            join_all(processes).await;
            let used = world.calls(5, 125, |_| true);
            assert!(
                world.most_in_a_minute() <= 300 && used > 400,
                "seed {seed}: {} {used}",
                world.most_in_a_minute()
            );
        });
    }
}

#[test]
fn an_on_demand_run_takes_precedence_over_scheduled_runs() {
    for seed in 0..8 {
        simulate(async |time| {
            let world = World::new(time, per_minute(300), seed);
            let _daily: Vec<_> = (0..4).map(|n| world.worker(n, daily(), i64::MAX)).collect();
            world.until(60).await;
            let mut urgent = world.worker(4, on_demand(None), 200);
            for caller in urgent.callers.drain(..) {
                caller.await.unwrap();
            }
            urgent.limiter.finish().await;
            let took = time.elapsed().as_secs_f64() - 60.0;
            // The permits of 41 seconds, after the other workers used up those they held.
            assert!(took < 41.4 + 9.0, "seed {seed}: {took}");
            let meanwhile = world.calls(70, 60 + took as u64 - 1, |n| n < 4);
            assert_eq!(meanwhile, 0, "seed {seed}");
            world.until(190).await;
            assert!(
                world.calls(5, 185, |_| true) >= 3 * 285 && world.most_in_a_minute() <= 300,
                "seed {seed}"
            );
        });
    }
}

#[test]
fn the_call_limit_of_a_run_holds_for_all_its_workers() {
    for limits in [Limits::default(), per_minute(600)] {
        simulate(async |time| {
            let world = World::new(time, limits, 3);
            let mut running: Vec<_> = (0..8).map(|n| world.worker(n, on_demand(Some(333)), 100)).collect();
            let (mut ended, mut refused) = (0, 0);
            for worker in &mut running {
                for caller in worker.callers.drain(..) {
                    ended += 1;
                    refused += u64::from(matches!(caller.await, Err(Failure::Local(Error::Budget(_)))));
                }
                worker.limiter.finish().await;
            }
            assert!(ended == 8 * CALLERS && refused > 8, "{refused}");
            assert_eq!(world.arrivals.lock().unwrap().len(), 333);
        });
    }
}

#[test]
fn a_stop_reaches_all_workers_within_a_lease() {
    simulate(async |time| {
        let world = World::new(time, per_minute(300), 5);
        let mut running: Vec<_> = (0..8).map(|n| world.worker(n, daily(), i64::MAX)).collect();
        world.until(30).await;
        running[0].limiter.stop(&Failure::BandwidthUsedUp("bandwidth".into())).await;
        for worker in &mut running[1..] {
            for caller in worker.callers.drain(..) {
                assert_eq!(caller.await, Err(Failure::BandwidthUsedUp("bandwidth".into())));
            }
        }
        assert!(time.elapsed() < Duration::from_secs(40));
        assert_eq!(world.calls(40, 100, |_| true), 0);
    });
}

#[test]
fn without_a_limit_nothing_is_read_or_written() {
    simulate(async |time| {
        let world = World::new(time, Limits::default(), 1);
        let mut worker = world.worker(0, on_demand(None), 1_000);
        join_all(worker.callers.drain(..)).await;
        worker.limiter.finish().await;
        assert_eq!((world.calls(0, 60, |_| true), world.slow.writes.load(Relaxed)), (1_000, 0));
        assert!(time.elapsed() < Duration::from_secs(6));
    });
}

#[test]
fn short_runs_can_use_all_calls_of_a_day() {
    simulate(async |time| {
        let world = World::new(time, Limits { per_day: Some(250), ..per_minute(300) }, 1);
        // Short runs, each in its own process.
        for number in 0..60 {
            let mut worker = world.worker(number, on_demand(None), 5);
            join_all(worker.callers.drain(..)).await;
            worker.limiter.finish().await;
        }
        assert_eq!(world.arrivals.lock().unwrap().len(), 250);
    });
}
