//! A killed `findata stream` loses no acknowledged tick, and counts none twice.

use std::{io::Write, thread, time::Duration};

use findata_tests::{Command, Home, findata, wait_until};
use serde_json::Value;

use super::{SYMBOLS, home, stored_bars, ticks};

/// The number of lines that the newest acknowledgement covers.
pub(super) fn acknowledged(stdout: &str) -> usize {
    let lines = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line["lines"].as_u64()).max().unwrap_or_default() as usize
}

/// The command with the real clock. With a fixed clock, all gaps begin at the same time.
fn on_this_day(home: &Home) -> Command {
    findata(&["stream"]).option("--home", home.path())
}

#[test]
fn a_killed_stream_continues_from_the_last_acknowledged_line() {
    let home = home();
    let all = ticks::ticks(3_000, &SYMBOLS);
    let lines: Vec<String> = all.iter().map(|tick| tick.json() + "\n").collect();
    let mut done = 0;
    // The second and the third are killed while they load, or soon after.
    for (kill_after, load_every, pause) in [(200, "0", 0), (700, "1s", 1_100), (1_500, "1s", 1_400)] {
        let options = ["--acks", "--flush-records", "50", "--flush-after", "1s", "--load-every", load_every];
        let command = options.iter().fold(on_this_day(&home), |command, option| command.arg(option));
        let (running, mut stdin) = command.start_with_input();
        let rest = lines[done..].to_vec();
        let writer = thread::spawn(move || {
            // After the kill, the pipe is closed.
            for part in rest.chunks(25) {
                if stdin.write_all(part.concat().as_bytes()).and_then(|()| stdin.flush()).is_err() {
                    return;
                }
                thread::sleep(Duration::from_millis(25));
            }
            thread::sleep(Duration::from_secs(60));
        });
        wait_until("acknowledged lines", || done + acknowledged(&running.stdout()) >= kill_after);
        thread::sleep(Duration::from_millis(pause));
        let stdout = running.kill_and_read();
        done += acknowledged(&stdout);
        assert!((kill_after..=all.len()).contains(&done), "{done}");
        drop(writer);
    }
    let rest: String = lines[done..].concat();
    on_this_day(&home).arg("--json").run_with_input(&rest).json();
    // Each session that was killed left a gap, and the last one did not.
    let gaps = "select count(*) from ops.price_gaps where source = 'stdin' and gap_start < gap_end";
    assert_eq!(home.count(gaps), 3, "{:?}", home.lines("select * from ops.price_gaps"));
    assert_eq!(stored_bars(&home), ticks::bars(&all));
    // Sent again from the start, nothing counts twice.
    let again = on_this_day(&home).arg("--json").run_with_input(&lines.concat()).json();
    assert_eq!(home.count("select count(*) from ops.price_gaps"), 3);
    assert_eq!((&again["loaded"]["ticks"], &again["loaded"]["duplicates"]), (&0.into(), &3_000.into()));
    assert_eq!(stored_bars(&home), ticks::bars(&all));
}

#[test]
fn lines_land_after_a_time_and_load_at_a_number_or_at_ctrl_c() {
    let home = home();
    let all = ticks::ticks(30, &SYMBOLS);
    let options = ["stream", "--flush-after", "1s", "--load-every", "1h", "--load-at", "20", "--acks"];
    let (running, mut stdin) = findata(&options).home(&home).start_with_input();
    let (first, rest) = all.split_at(20);
    stdin.write_all(ticks::input(first).as_bytes()).unwrap();
    wait_until("lines to land without more input", || acknowledged(&running.stdout()) == 20);
    wait_until("as many ticks as --load-at to be loaded", || stored_bars(&home) == ticks::bars(first));
    stdin.write_all(ticks::input(rest).as_bytes()).unwrap();
    // The pipe has no more bytes than these, so one read gets them.
    thread::sleep(Duration::from_millis(300));
    running.signal("INT");
    let output = running.wait();
    assert!(output.failed(130).contains("after 30 lines"), "{output:?}");
    assert_eq!(stored_bars(&home), ticks::bars(&all));
    drop(stdin);
}
