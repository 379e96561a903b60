//! One, two and eight processes at once on one stage, a directory or a prefix on S3, each crew against a server of its own
//! that counts: with work left they use 95 % of the rate, no window of 60 seconds holds a call too many, and a process that is
//! killed costs its lease at most.

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use findata_local::{fmp_server::Options, places::AnyStage, stage::DirectoryStage};
use findata_shared::{aws, stage::s3::S3Stage};
use findata_tests::{Home, Program, Simulator, prepared_python, wait, wait_until};

use super::{client_at, profile};

/// Calls that the server allows in any 60 seconds.
const LIMIT: u32 = 600;
/// The share of them that is used at least.
const SHARE: f64 = 0.95;
/// The longest lease, in seconds of permits: three, taken while 1.2 of the one before are left.
const LEASE: f64 = 4.2;
/// Minutes of which one must show it: on a machine with other work a process may be woken too late for its permits.
const MINUTES: u32 = 3;
/// The variable that tells a worker where to work.
const PLACE: &str = "FINDATA_TEST_BUDGET";
const BUCKET: &str = "budget";

struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Processes that share a stage.
struct Crew {
    workers: usize,
    /// A folder or a place on S3.
    stage: String,
    /// The address of the S3.
    s3: Option<String>,
    /// One is killed in each minute, and another begins.
    killed: bool,
}

impl Crew {
    fn start(&self, server: &Simulator) -> Worker {
        let mut worker = Command::new(std::env::current_exe().unwrap());
        worker.args(["rate_limit::processes::a_worker", "--exact", "--ignored"]).stdout(Stdio::null());
        worker.env(PLACE, format!("{}\n{}", server.url(), self.stage));
        if let Some(url) = &self.s3 {
            let root = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")];
            worker.envs(root).env("AWS_ENDPOINT_URL", url);
        }
        Worker(worker.spawn().expect("a worker"))
    }

    fn check(&self) {
        let server = Simulator::start(Options { symbols: 12, calls_per_minute: Some(LIMIT), ..Options::default() });
        let mut workers: Vec<Worker> = (0..self.workers).map(|_| self.start(&server)).collect();
        wait_until("all work", || server.calls() > 30);
        let lost = if self.killed { LEASE / 62.0 } else { 0.0 };
        let least = (SHARE - lost) * f64::from(LIMIT);
        let what = format!("{} on {}", self.workers, self.stage);
        let enough = (0..MINUTES).any(|_| {
            let (begun, before) = (Instant::now(), server.calls());
            if self.killed {
                // With a lease in its hands, as it always has one.
                thread::sleep(Duration::from_secs(20));
                workers.remove(0);
                workers.push(self.start(&server));
            }
            thread::sleep(Duration::from_secs(60).saturating_sub(begun.elapsed()));
            let calls = server.calls() - before;
            println!("{what}: {calls} calls of {LIMIT} in a minute, {} too many", server.refused());
            calls as f64 >= least
        });
        assert_eq!(server.refused(), 0, "{what}");
        assert!(enough, "{what}: never {least} calls in a minute");
    }
}

#[test]
fn processes_use_the_rate_and_never_pass_it() {
    let home = || {
        let home = Home::new();
        let stage = home.stage().display().to_string();
        (home, stage)
    };
    let homes: Vec<_> = [(1, false), (2, true), (8, true)].map(|crew| (crew, home())).into();
    // Its double with the same conditional writes, made one after the other.
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
        for ((workers, killed), (_, stage)) in &homes {
            let crew = Crew { workers: *workers, stage: stage.clone(), s3: None, killed: *killed };
            scope.spawn(move || crew.check());
        }
        if let Some((_, url)) = &aws {
            let stage = format!("s3://{BUCKET}/some/home");
            let crew = Crew { workers: 8, stage, s3: Some(url.clone()), killed: true };
            scope.spawn(move || crew.check());
        }
    });
}

/// Calls without end.
#[test]
#[ignore = "a process of the test above"]
#[expect(clippy::disallowed_methods, reason = "the edge of the tests reads the environment")]
fn a_worker() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let (url, stage) = place.split_once('\n').unwrap();
    wait(async {
        let stage = match stage.parse() {
            Ok(place) => AnyStage::S3(S3Stage::new(&aws::config().await.unwrap(), place)),
            Err(_) => AnyStage::Directory(DirectoryStage::open(stage.as_ref()).unwrap()),
        };
        let fmp = client_at(url, stage, LIMIT, None);
        let caller = async || while profile(&fmp).await.is_ok() {};
        futures::future::join_all((0..32).map(|_| caller())).await;
    });
}
