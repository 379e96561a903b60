//! Tests of limits per run and day, stops, bursts, slow stages, wrong clocks and unused permits.

use findata_pipeline::ports::stage::read_json;

use super::*;
use crate::rate_limit::{SPAN, shared_state::State, window::Kind};

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
fn a_stage_that_is_slower_than_permits_are_valid_stops_no_client() {
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
fn a_burst_is_limited_and_a_refused_burst_paces_all_clients() {
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
        for _ in 0..5 {
            assert_eq!(first.limiter.pacing(), None);
            first.limiter.refused().await;
        }
        let begun = time.elapsed().as_secs() + 2;
        let other = world.worker(1, on_demand(None), i64::MAX);
        world.until(begun + 30).await;
        // The pace is five calls a second, with a resolution of a quarter of a second.
        let paced = world.calls(begun, begun + 20, |n| n == 1);
        assert!((60..=105).contains(&paced), "{paced}");
        assert!(other.limiter.pacing().is_some() && first.limiter.pacing().is_some());
    });
}

#[test]
fn a_client_with_a_clock_far_ahead_blocks_no_other_client() {
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
        // Calls in flight, so that the client requests permits for the calls that probably follow.
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
