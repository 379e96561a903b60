//! The command is killed at some point of a run. The next run ends with the tables of an
//! undisturbed run.

use std::{thread, time::Duration};

use findata_fmp_simulator::Options;
use findata_tests::{Command, Home, Running, Simulator, findata, today, wait_until};

use super::{SYMBOLS, assert_fault_free_tables, fault_free};

/// When to kill the command.
#[derive(Debug, Clone, Copy)]
enum Point {
    /// Once the server has received this many calls.
    Calls(u64),
    /// This many milliseconds after a key with this ending appears on the stage.
    Key(&'static str, u64),
}

use Point::{Calls, Key};

/// Points during fetching, staging, loading and computing. Which step a pause ends in depends on
/// the machine; the result must not.
const POINTS: [Point; 12] = [
    Calls(1),
    Calls(11),
    Calls(21),
    Key("plan.json", 0),
    Key(".ndjson.gz", 0),
    Key("b00001.json", 0),
    Key("staged.json", 0),
    Key("staged.json", 60),
    Key("staged.json", 130),
    Key("loaded.json", 0),
    Key("loaded.json", 300),
    Key("summary.json", 0),
];

fn command(server: &Simulator, home: &Home) -> Command {
    findata(&["run", "--json", "--days", "30", "--quarters", "8", "--years", "6"])
        .home(home)
        .url(server.url())
        .option("--symbols", SYMBOLS.join(","))
}

/// Kills the command at a point, unless it ends first. Returns whether it was still running.
fn kill_at(point: Point, server: &Simulator, home: &Home, mut running: Running) -> bool {
    let reached = |running: &mut Running| match point {
        Calls(n) => server.calls() >= n || running.has_ended(),
        Key(end, _) => home.keys("").iter().any(|key| key.ends_with(end)) || running.has_ended(),
    };
    let cell = std::cell::RefCell::new(&mut running);
    wait_until(&format!("{point:?}"), || reached(&mut cell.borrow_mut()));
    if let Key(_, pause) = point {
        thread::sleep(Duration::from_millis(pause));
    }
    running.kill()
}

fn kill_and_rerun(point: Point) -> bool {
    // A little latency spreads the calls over time.
    let server = Simulator::start(Options {
        symbols: 12,
        today: today(),
        latency: Duration::from_millis(5),
        ..Options::default()
    });
    let home = Home::new();
    let killed = kill_at(point, &server, &home, command(&server, &home).start());
    let next = command(&server, &home).run();
    assert_eq!(next.code, Some(0), "{point:?}: {next:#?}");
    assert_fault_free_tables(&home, &format!("{point:?}"));
    // The next run finishes every run that had staged its files before the kill.
    for key in home.keys("runs/").iter().filter(|key| key.ends_with("/staged.json")) {
        let summary = home.stage().join(key.replace("staged.json", "summary.json"));
        assert!(summary.exists(), "{point:?}: {key} was never finished");
    }
    killed
}

#[test]
fn a_run_after_a_kill_ends_with_the_tables_of_an_undisturbed_run() {
    fault_free();
    let mut killed = 0;
    for points in POINTS.chunks(3) {
        killed += thread::scope(|scope| {
            let threads: Vec<_> = points.iter().map(|point| scope.spawn(|| kill_and_rerun(*point))).collect();
            threads.into_iter().map(|t| usize::from(t.join().unwrap())).sum::<usize>()
        });
    }
    assert!(
        killed > POINTS.len() / 2,
        "only {killed} of {} were killed before their end",
        POINTS.len()
    );
}

#[test]
fn a_run_killed_three_times_still_completes() {
    fault_free();
    let server = Simulator::start(Options {
        symbols: 12,
        today: today(),
        latency: Duration::from_millis(5),
        ..Options::default()
    });
    let home = Home::new();
    for point in [Calls(3), Key("staged.json", 30), Key("loaded.json", 20)] {
        kill_at(point, &server, &home, command(&server, &home).start());
    }
    let last = command(&server, &home).run();
    assert_eq!(last.code, Some(0), "{last:#?}");
    assert_fault_free_tables(&home, "after three kills");
}

#[test]
fn data_staged_before_a_kill_is_not_fetched_again() {
    let (server, home) = (Simulator::with_symbols(12), Home::new());
    let killed = kill_at(Key("staged.json", 0), &server, &home, command(&server, &home).start());
    assert!(killed);
    let calls = server.calls();
    assert_eq!(command(&server, &home).run().code, Some(0));
    assert_eq!(server.calls(), calls);
    assert_fault_free_tables(&home, "staged before the kill");
}
