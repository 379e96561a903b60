//! What holds in every simulation: no 60 seconds have more calls than the plan allows, nobody waits
//! while the window has room, nearly all of the rate is used, and no client starves.

use findata_pipeline::ports::stage::read_json;

use super::*;
use crate::rate_limit::{SPAN, shared_state::State, window::Kind};

/// The share of the limit that clients use while they have work: the window is refilled every 63 s,
/// but 40 of them need some seconds for that.
const UTILIZATION: f64 = 0.87;

/// A window, in whole seconds.
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
        (750, 40, 1),
        (3_000, 2, 1),
    ];
    for (limit, workers, seeds) in cases {
        for seed in 0..seeds {
            simulate(async |time| {
                let world = World::new(time, per_minute(limit), seed * 1_000 + u64::from(limit));
                // All runs are of the same kind, since an on-demand run goes first.
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
                    "{what}: {:.1} % used, fewest {fewest} of {share:.0}, {:.0} writes and {:.0} reads a minute",
                    used * 100.0,
                    writes,
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
fn nobody_waits_while_the_window_has_room() {
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
            // 64 callers of one worker make 750 calls of 0.15 s within two seconds.
            // Several workers may wait for permits that another one returns when it ends.
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
            // About when the window is refilled.
            let at = WINDOW + seed % 4;
            world.until(at).await;
            drop(killed);
            world.until(at + 3 * WINDOW).await;
            // A grant is at most half of the room, or 64 calls in flight and as many waiting.
            let after = world.calls(at - 3, at + WINDOW - 3, |_| true);
            assert!(after >= 300 - 128 && world.most_in_a_minute() <= 300, "seed {seed}: {after}");
            let later = world.calls(at + WINDOW + 8, at + 2 * WINDOW + 8, |n| n == 0);
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
fn an_on_demand_run_goes_first_and_scheduled_runs_keep_a_tenth() {
    for seed in 0..6 {
        simulate(async |time| {
            let world = World::new(time, per_minute(300), seed);
            let _daily: Vec<_> = (0..4).map(|n| world.worker(n, daily(), i64::MAX)).collect();
            world.until(60).await;
            let mut urgent = world.worker(4, on_demand(None), 200);
            join_all(urgent.callers.drain(..)).await;
            // It gets the first calls that leave the window, less the scheduled runs' tenth.
            let took = time.elapsed().as_secs_f64() - 60.0;
            assert!(took < 12.0, "seed {seed}: {took}");
            // Both kinds have more work than fits.
            let _urgent = world.worker(4, on_demand(None), i64::MAX);
            world.until(400).await;
            let (urgent, daily) = (world.calls(140, 400, |n| n == 4), world.calls(140, 400, |n| n < 4));
            assert!((100..=200).contains(&daily) && urgent > 900, "seed {seed}: {urgent} {daily}");
            assert!(world.most_in_a_minute() <= 300);
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
fn a_stop_reaches_all_workers_with_their_next_request() {
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
        assert!(time.elapsed() < Duration::from_secs(75));
        assert_eq!(world.calls(32, 200, |_| true), 0);
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

#[test]
fn a_stage_that_takes_longer_than_permits_are_valid_stops_nobody() {
    for seed in 0..4 {
        simulate(async |time| {
            let world = World::new(time, per_minute(300), seed);
            let world = World {
                slow: SlowStage { longest: Duration::from_secs(6), ..world.slow.clone() },
                ..world
            };
            let _running: Vec<_> = (0..2).map(|n| world.worker(n, on_demand(None), i64::MAX)).collect();
            world.until(120).await;
            let calls = world.calls(0, 120, |_| true);
            assert!(calls > 200 && world.most_in_a_minute() <= 300, "seed {seed}: {calls}");
        });
    }
}

#[test]
fn a_burst_is_limited_and_a_refused_one_paces_everyone() {
    simulate(async |time| {
        let world = World::new(time, Limits { burst: Some(50), ..per_minute(300) }, 1);
        let _worker = world.worker(0, on_demand(None), i64::MAX);
        world.until(60).await;
        let (begin, whole) = (world.calls(0, 7, |_| true), world.calls(0, 60, |_| true));
        assert!(begin == 50 && whole > 250 && world.most_in_a_minute() <= 300, "{begin} {whole}");
    });
    simulate(async |time| {
        let world = World::new(time, per_minute(300), 2);
        let mut first = world.worker(0, on_demand(None), 100);
        join_all(first.callers.drain(..)).await;
        assert_eq!(first.limiter.pacing(), None);
        first.limiter.pause(Duration::from_secs(1)).await;
        let begun = time.elapsed().as_secs() + 2;
        let other = world.worker(1, on_demand(None), i64::MAX);
        world.until(begun + 30).await;
        // Five calls a second, in steps of a quarter.
        let paced = world.calls(begun, begun + 20, |n| n == 1);
        assert!((60..=105).contains(&paced), "{paced}");
        assert!(other.limiter.pacing().is_some() && first.limiter.pacing().is_some());
    });
}

#[test]
fn a_clock_that_was_ahead_once_freezes_nobody() {
    simulate(async |time| {
        let world = World::new(time, per_minute(300), 2);
        let (wrong, stats) = world.limiter_with_clock(0, TimeDelta::hours(1));
        wrong.begin(&daily());
        join_all(world.callers(0, &wrong, &stats, 100)).await;
        let _right = world.worker(1, on_demand(None), i64::MAX);
        world.until(60).await;
        let calls = world.calls(0, 20, |n| n == 1);
        assert!((150..=200).contains(&calls), "{calls}");
        world.until(140).await;
        assert!(world.calls(60, 140, |n| n == 1) >= 290 && world.most_in_a_minute() <= 300);
    });
}

#[test]
fn permits_expire_after_a_second_and_are_returned() {
    simulate(async |time| {
        let world = World::new(time, per_minute(300), 1);
        let (limiter, stats) = world.limiter_with_clock(0, TimeDelta::zero());
        limiter.begin(&on_demand(None));
        // Each of them is probably followed by another call.
        let in_flight: Vec<_> = (0..20).map(|_| stats.begin()).collect();
        let writes = || world.slow.writes.load(Relaxed);
        limiter.permit().await.unwrap().use_up();
        time.sleep(Duration::from_millis(700)).await;
        limiter.permit().await.unwrap().use_up();
        assert_eq!(writes(), 1);
        time.sleep(Duration::from_millis(400)).await;
        limiter.permit().await.unwrap().use_up();
        assert_eq!(writes(), 2);
        drop(in_flight);
        limiter.finish().await;
        let key = world.slow.stage.list("state/budget/").await.unwrap().remove(0);
        let state: Option<State> = read_json(&world.slow.stage, &key).await.unwrap();
        let (window, now) = (state.unwrap().window.unwrap(), begun());
        assert_eq!((window.used(Kind::All, SPAN, now), writes()), (3, 3));
    });
}
