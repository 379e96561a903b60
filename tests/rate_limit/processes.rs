//! One, two and eight processes sharing a stage (a directory or an S3 prefix), each group against
//! its own call-counting server. While there is work, they use at least 95 % of the rate, no
//! 60-second window exceeds the limit, and a killed process costs at most its lease.

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use findata_aws::s3_stage::S3Stage;
use findata_fmp_simulator::Options;
use findata_local::stage::DirectoryStage;
use findata_tests::{Home, Program, Simulator, prepared_python, wait, wait_until};

use super::{client_at, profile};

/// Calls the server allows in any 60 seconds.
const LIMIT: u32 = 600;
/// The share of the limit that must be used.
const MIN_UTILIZATION: f64 = 0.95;
/// The longest lease, in seconds of permits: three, taken while 1.2 of the previous lease are left.
const LEASE: f64 = 4.2;
/// The number of minutes, of which one must reach the target: on a busy machine a process may wake
/// up too late to use its permits.
const MINUTES: u32 = 3;
/// The environment variable that gives a worker its server and stage.
const TARGET: &str = "FINDATA_TEST_WORKER_TARGET";
const BUCKET: &str = "budget";

struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Worker processes that share a stage.
struct WorkerGroup {
    workers: usize,
    /// A directory or an S3 URL.
    stage: String,
    /// The endpoint of the S3.
    s3: Option<String>,
    /// Whether one worker is killed and replaced in each minute.
    kill_one: bool,
}

impl WorkerGroup {
    fn start(&self, server: &Simulator) -> Worker {
        let mut worker = Command::new(std::env::current_exe().unwrap());
        worker
            .args(["rate_limit::processes::worker_process", "--exact", "--ignored"])
            .stdout(Stdio::null());
        worker.env(TARGET, format!("{}\n{}", server.url(), self.stage));
        if let Some(url) = &self.s3 {
            let root = [
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("AWS_REGION", "us-east-1"),
            ];
            worker.envs(root).env("AWS_ENDPOINT_URL", url);
        }
        Worker(worker.spawn().expect("a worker"))
    }

    fn check(&self) {
        let server = Simulator::start(Options {
            symbols: 12,
            calls_per_minute: Some(LIMIT),
            ..Options::default()
        });
        let mut workers: Vec<Worker> = (0..self.workers).map(|_| self.start(&server)).collect();
        wait_until("all workers to start", || server.calls() > 30);
        let lost = if self.kill_one { LEASE / 62.0 } else { 0.0 };
        let least = (MIN_UTILIZATION - lost) * f64::from(LIMIT);
        let group_name = format!("{} on {}", self.workers, self.stage);
        let enough = (0..MINUTES).any(|_| {
            let (begun, before) = (Instant::now(), server.calls());
            if self.kill_one {
                // By now it holds a lease, as a worker always does.
                thread::sleep(Duration::from_secs(20));
                workers.remove(0);
                workers.push(self.start(&server));
            }
            thread::sleep(Duration::from_secs(60).saturating_sub(begun.elapsed()));
            let calls = server.calls() - before;
            println!("{group_name}: {calls} calls of {LIMIT} in a minute, {} too many", server.refused());
            calls as f64 >= least
        });
        assert_eq!(server.refused(), 0, "{group_name}");
        assert!(enough, "{group_name}: never {least} calls in a minute");
    }
}

#[test]
fn processes_together_use_the_full_rate_and_never_exceed_it() {
    let home = || {
        let home = Home::new();
        let stage = home.stage().display().to_string();
        (home, stage)
    };
    let homes: Vec<_> = [(1, false), (2, true), (8, true)].map(|group| (group, home())).into();
    // The local AWS emulator has the same conditional writes, executed one after the other.
    let aws = prepared_python("FINDATA_TEST_AWS_PYTHON", "tests/aws/requirements.txt").map(|python| {
        let mut aws = Program::start(&python, "aws/local_aws.py", [] as [&str; 0]);
        let url = aws.read_json()["url"].as_str().expect("an address").to_owned();
        let make = "import sys; from deploy import client; client(sys.argv[1], 's3').create_bucket(Bucket=sys.argv[2])";
        let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/aws");
        let made = Command::new(&python).args(["-B", "-c", make, &url, BUCKET]).current_dir(scripts).status();
        assert!(made.expect("Python starts").success());
        (aws, url)
    });
    thread::scope(|scope| {
        for ((workers, kill_one), (_, stage)) in &homes {
            let group = WorkerGroup {
                workers: *workers,
                stage: stage.clone(),
                s3: None,
                kill_one: *kill_one,
            };
            scope.spawn(move || group.check());
        }
        if let Some((_, url)) = &aws {
            let stage = format!("s3://{BUCKET}/some/home");
            let group = WorkerGroup { workers: 8, stage, s3: Some(url.clone()), kill_one: true };
            scope.spawn(move || group.check());
        }
    });
}

/// A worker process: calls without end.
#[test]
#[ignore = "started as a separate process by the test above"]
#[expect(clippy::disallowed_methods, reason = "test entry points may read the environment")]
fn worker_process() {
    let Ok(place) = std::env::var(TARGET) else { return };
    let (url, stage) = place.split_once('\n').unwrap();
    wait(async {
        let fmp = match stage.parse() {
            Ok(place) => {
                client_at(url, S3Stage::new(&findata_aws::config().await.unwrap(), place), LIMIT, None)
            }
            Err(_) => client_at(url, DirectoryStage::open(stage.as_ref()).unwrap(), LIMIT, None),
        };
        let caller = async || while profile(&fmp).await.is_ok() {};
        futures::future::join_all((0..32).map(|_| caller())).await;
    });
}
