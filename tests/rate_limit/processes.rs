//! Groups of worker processes; each group shares a stage (a directory or an S3 prefix) and calls
//! its own server. The server counts calls and refuses those that exceed the limit in any 60
//! seconds. It must refuse none, and calls must continue after workers are killed.

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

/// The calls that the server allows in any 60 seconds. The number is small, so that even a busy
/// machine makes them all within the second for which permits are valid.
const LIMIT: u32 = 240;
/// Concurrent callers in each process.
const CALLERS: usize = 16;
/// The longest wait until a full window of 60 seconds allows calls again.
const REFILLED: Duration = Duration::from_secs(70);
/// The environment variable that tells a worker its server and its stage.
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
    /// The endpoint of the S3 emulator; `None` for a directory.
    s3: Option<String>,
    /// The number of windows after the first. In each of them a worker is killed and replaced.
    refills: u32,
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
        let group_name = format!("{} on {}", self.workers, self.stage);
        let mut workers: Vec<Worker> = (0..self.workers).map(|_| self.start(&server)).collect();
        // Half a window is enough: a killed worker loses its grant, and on a busy machine some
        // permits expire. The unit tests of shared/fmp simulate windows that are used completely.
        let most_of_a_window = u64::from(LIMIT) / 2;
        wait_until("most of the first window", || server.calls() >= most_of_a_window);
        for _ in 0..self.refills {
            // Waits for the last calls of this window. The next window begins much later.
            thread::sleep(Duration::from_secs(10));
            let (begun, before) = (Instant::now(), server.calls());
            wait_until_within(REFILLED, || server.calls() > before);
            // The first worker probably has a grant of permits.
            workers.remove(0);
            workers.push(self.start(&server));
            wait_until_within(REFILLED, || server.calls() >= before + most_of_a_window);
            println!(
                "{group_name}: {} calls after {:.1} s, {} too many",
                server.calls() - before,
                begun.elapsed().as_secs_f64(),
                server.refused()
            );
        }
        // Waits for the rest of the last window's calls. Calls above the limit would come now.
        thread::sleep(Duration::from_secs(3));
        assert_eq!(server.refused(), 0, "{group_name}");
    }
}

fn wait_until_within(time: Duration, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < time, "not within {time:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn processes_together_never_exceed_the_limit() {
    check_groups(&[1, 8], &[2], 1);
}

#[test]
#[ignore = "slow: four minutes, and up to 80 processes at once"]
fn up_to_forty_processes_never_exceed_the_limit() {
    check_groups(&[1, 2, 8], &[1, 2, 8], 2);
    check_groups(&[40], &[], 1);
    check_groups(&[], &[40], 1);
}

/// Checks all groups at the same time. A list has the number of workers of each group.
fn check_groups(on_directory: &[usize], on_s3: &[usize], refills: u32) {
    let homes: Vec<_> = on_directory.iter().map(|workers| (*workers, Home::new())).collect();
    // The local AWS emulator executes conditional writes like S3, one after the other.
    let python = prepared_python("FINDATA_TEST_AWS_PYTHON", "tests/aws/requirements.txt");
    let aws = python.filter(|_| !on_s3.is_empty()).map(|python| {
        let mut aws = Program::start(&python, "aws/local_aws.py", [] as [&str; 0]);
        let url = aws.read_json()["url"].as_str().expect("an address").to_owned();
        let make = "import sys; from deploy import client; client(sys.argv[1], 's3').create_bucket(Bucket=sys.argv[2])";
        let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/aws");
        let made = Command::new(&python).args(["-B", "-c", make, &url, BUCKET]).current_dir(scripts).status();
        assert!(made.expect("Python starts").success());
        (aws, url)
    });
    thread::scope(|scope| {
        for (workers, home) in &homes {
            let stage = home.stage().display().to_string();
            let group = WorkerGroup { workers: *workers, stage, s3: None, refills };
            scope.spawn(move || group.check());
        }
        for (workers, (_, url)) in on_s3.iter().filter_map(|workers| Some((*workers, aws.as_ref()?))) {
            let stage = format!("s3://{BUCKET}/{workers}");
            let group = WorkerGroup { workers, stage, s3: Some(url.clone()), refills };
            scope.spawn(move || group.check());
        }
    });
}

/// The main function of a worker process: it makes calls until it is killed.
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
        futures::future::join_all((0..CALLERS).map(|_| caller())).await;
    });
}
