//! Properties of every simulation: no 60 seconds have more calls than the plan allows, no client
//! waits while the window has room, clients use nearly all of the rate, and no client starves.

use super::*;

/// Smallest share of the limit that clients must use while they have work. It is below 1 because 40
/// clients need some seconds to take the permits of a new window.
const UTILIZATION: f64 = 0.87;

/// Length of a window in seconds.
const WINDOW: u64 = 63;

#[test]
fn no_window_has_too_many_calls_and_all_clients_get_their_share() {
    const WINDOWS: u64 = 4;
    let cases = [
        (20, 1, 2),
        (20, 8, 2),
        (300, 2, 4),
        (300, 8, 4),
        (300, 40, 1),
        (750, 1, 1),
        (750, 8, 1),
        (750, 40, 1),
        (3_000, 2, 1),
    ];
    for (limit, workers, seeds) in cases {
        for seed in 0..seeds {
            simulate(async |time| {
                let world = World::new(time, per_minute(limit), seed * 1_000 + u64::from(limit));
                // All runs are of the same kind, because on-demand runs take precedence.
                let context = if seed % 2 == 1 { daily() } else { on_demand(None) };
                let _running: Vec<_> =
                    (0..workers).map(|n| world.worker(n, context.clone(), i64::MAX)).collect();
                let end = WINDOW * (WINDOWS - 1) + 12;
                world.until(end).await;
                let what = format!("{limit} a minute, {workers} workers, seed {seed}");
                assert!(world.most_in_a_minute() <= limit as usize, "{what}: {}", world.most_in_a_minute());
                let all = world.calls(0, end, |_| true) as f64;
                let used = all / f64::from(limit) / WINDOWS as f64;
                assert!(used >= UTILIZATION, "{what}: {used}");
                let fewest = (0..workers).map(|number| world.calls(0, end, |n| n == number)).min().unwrap();
                let share = all / workers as f64;
                assert!(fewest as f64 >= share / 8.0, "{what}: a worker has {fewest} of {share}");
                let per_minute = |count: &AtomicU64| count.load(Relaxed) as f64 * 60.0 / end as f64;
                let (writes, refused) = (per_minute(&world.slow.writes), per_minute(&world.slow.refused));
                println!(
                    "{what}: {:.1} % used, fewest {fewest} of {share:.0}; a minute: {writes:.0} writes, {refused:.0} of them \
                     refused, {:.0} reads",
                    used * 100.0,
                    per_minute(&world.slow.reads),
                );
                assert!(
                    writes - refused <= 25.0 + 4.0 * workers as f64 + f64::from(limit) / 50.0,
                    "{what}: {writes} {refused}"
                );
            });
        }
    }
}

#[test]
fn no_client_waits_while_the_window_has_room() {
    for (workers, calls) in [(1, 750), (3, 250), (25, 30)] {
        simulate(async |time| {
            let world = World::new(time, per_minute(750), workers as u64);
            let mut running: Vec<_> = (0..workers).map(|n| world.worker(n, on_demand(None), calls)).collect();
            join_all(running.iter_mut().map(async |worker| {
                join_all(worker.callers.drain(..)).await;
                worker.limiter.finish().await;
            }))
            .await;
            assert_eq!(world.arrivals.lock().unwrap().len() as i64, workers as i64 * calls);
            // One worker with 64 callers makes 750 calls of 0.15 s within two seconds. Several
            // workers may have to wait for permits that another worker returns when it ends.
            let most = if workers == 1 { 6.0 } else { 14.0 };
            assert!(time.elapsed().as_secs_f64() < most, "{workers}: {:?}", time.elapsed());
        });
    }
}

#[test]
fn a_killed_worker_costs_at_most_its_grant() {
    for seed in 0..8 {
        simulate(async |time| {
            let world = World::new(time, per_minute(300), seed);
            let _other = world.worker(0, on_demand(None), i64::MAX);
            let killed = world.worker(1, on_demand(None), i64::MAX);
            // About the time when the first grants leave the window.
            let at = WINDOW + seed % 4;
            world.until(at).await;
            drop(killed);
            let _replacement = world.worker(2, on_demand(None), i64::MAX);
            world.until(at + 3 * WINDOW).await;
            // The killed worker held at most 128 permits: for 64 calls in flight and 64 waiting
            // callers.
            let after = world.calls(at - 4, at + 20, |_| true);
            assert!(after >= 300 - 128 && world.most_in_a_minute() <= 300, "seed {seed}: {after}");
            let later = world.calls(at + WINDOW + 8, at + 2 * WINDOW + 8, |_| true);
            assert!(later >= 290, "seed {seed}: {later}");
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
            let used = world.calls(0, 150, |_| true);
            assert!(
                world.most_in_a_minute() <= 300 && used > 500,
                "seed {seed}: {} {used}",
                world.most_in_a_minute()
            );
        });
    }
}

#[test]
fn an_on_demand_run_takes_precedence_and_scheduled_runs_keep_a_tenth() {
    for seed in 0..6 {
        simulate(async |time| {
            let world = World::new(time, per_minute(300), seed);
            let _daily: Vec<_> = (0..4).map(|n| world.worker(n, daily(), i64::MAX)).collect();
            world.until(60).await;
            let mut urgent = world.worker(4, on_demand(None), 200);
            join_all(urgent.callers.drain(..)).await;
            // The on-demand run gets the room of the grants that leave the window first, except for
            // the scheduled runs' tenth.
            let took = time.elapsed().as_secs_f64() - 60.0;
            assert!(took < 12.0, "seed {seed}: {took}");
            // Both kinds of run have more calls than the limit allows.
            let _urgent = world.worker(4, on_demand(None), i64::MAX);
            world.until(400).await;
            let (urgent, daily) = (world.calls(140, 400, |n| n == 4), world.calls(140, 400, |n| n < 4));
            assert!((100..=200).contains(&daily) && urgent > 900, "seed {seed}: {urgent} {daily}");
            assert!(world.most_in_a_minute() <= 300);
        });
    }
}
