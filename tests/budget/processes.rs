//! Eight processes at once on one stage.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use findata_local::fmp_server::Options;
use findata_tests::{Home, Server, wait};

use super::{client_at, profile};

/// Calls that the server allows in any 60 seconds.
const LIMIT: u32 = 600;
const WORKERS: usize = 8;
/// The variable that tells a worker where to work.
const PLACE: &str = "FINDATA_TEST_BUDGET";

struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn eight_processes_use_the_rate_and_never_pass_it() {
    let server = Server::start(Options { symbols: 12, calls_per_minute: Some(LIMIT), ..Options::default() });
    let home = Home::new();
    let place = format!("{}\n{}", server.url(), home.stage().display());
    let start = || {
        let worker = Command::new(std::env::current_exe().unwrap())
            .args(["budget::processes::a_worker", "--exact", "--ignored"])
            .env(PLACE, &place)
            .stdout(Stdio::null())
            .spawn();
        Worker(worker.expect("a worker"))
    };
    let mut workers: Vec<Worker> = (0..WORKERS).map(|_| start()).collect();
    findata_tests::wait_until("all work", || server.calls() > 30);
    // One is killed with a lease in its hands; another begins.
    let (begun, before) = (Instant::now(), server.calls());
    std::thread::sleep(Duration::from_secs(20));
    workers.remove(0);
    workers.push(start());
    std::thread::sleep(Duration::from_secs(60).saturating_sub(begun.elapsed()));
    let calls = server.calls() - before;
    let lease = 3.0 / 62.0 * f64::from(LIMIT);
    assert_eq!(server.refused(), 0, "of {calls}");
    // That 95 % of the rate are used is shown in simulated time; a machine with other work may be slower here.
    assert!(calls as f64 >= 0.5 * f64::from(LIMIT) - lease, "{calls}");
    println!("{calls} calls of {LIMIT} in a minute");
}

/// Calls without end.
#[test]
#[ignore = "a process of the test above"]
#[expect(clippy::disallowed_methods, reason = "the edge of the tests reads the environment")]
fn a_worker() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let (url, stage) = place.split_once('\n').unwrap();
    wait(async {
        let fmp = client_at(url, stage.as_ref(), LIMIT, None);
        let caller = async || while profile(&fmp).await.is_ok() {};
        futures::future::join_all((0..32).map(|_| caller())).await;
    });
}
