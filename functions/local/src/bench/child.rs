//! Runs findata as a child process and measures it.

use std::{
    env,
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStderr, Command, Stdio},
    thread,
    time::Duration,
};

use findata_domain::{Error, Result};
use findata_pipeline::{run::Status, summary::Summary};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    meter::Meter,
    results::{Stage, StageUse},
    stopped,
};

/// How often the peak memory is read. A peak in the last moments of a stage can be missed.
const POLL: Duration = Duration::from_millis(10);
/// The stages that a run announces on standard error. The time before the first of them belongs to
/// planning.
const STAGES: [&str; 3] = ["fetch", "load", "compute"];
/// Variables that a child inherits. Any other variable could change the run, or send its calls
/// through a proxy.
const INHERITED: [&str; 4] = ["PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// The measurements of a child that has ended.
pub(super) struct EndedChild {
    /// Usage of the whole process.
    pub total: StageUse,
    /// Usage by stage, in order.
    pub stages: Vec<Stage>,
    /// The run's summary, or why the run has failed.
    pub summary: std::result::Result<Summary, String>,
}

/// A running child. Dropping it kills the process and waits for its end, so that the process cannot
/// write to the folder that is deleted next.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs this binary with these arguments and waits for its end.
pub(super) async fn run(arguments: &[&OsStr], url: &str, stop: &CancellationToken) -> Result<EndedChild> {
    let child = start(arguments, url)?;
    tokio::select! {
        () = stop.cancelled() => Err(stopped()),
        measured = watch(child) => measured,
    }
}

fn start(arguments: &[&OsStr], url: &str) -> Result<Running> {
    let failed = |e| Error::Stop(format!("cannot start findata: {e}"));
    let inherited = env::vars_os().filter(|(name, _)| INHERITED.iter().any(|known| name == known));
    Command::new(env::current_exe().map_err(failed)?)
        .args(arguments)
        .env_clear()
        .envs(inherited)
        .env("FMP_API_KEY", "bench")
        .env("FINDATA_FMP_URL", url)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map(Running)
        .map_err(failed)
}

/// Measures a child until it ends.
async fn watch(mut child: Running) -> Result<EndedChild> {
    let failed = |e: std::io::Error| Error::Stop(format!("cannot monitor a run: {e}"));
    let pipes = child.0.stdout.take().zip(child.0.stderr.take());
    let (mut stdout, stderr) =
        pipes.ok_or_else(|| Error::Stop("cannot monitor a run: its output is not a pipe".into()))?;
    let summary = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let (stages, last_line) = follow(child.0.id(), lines(stderr)).await;
    let text = summary.await.map_err(|e| failed(e.into()))?.map_err(failed)?;
    let status = child.0.wait().map_err(failed)?;
    let summary = match serde_json::from_str::<Summary>(&text) {
        Ok(summary) if summary.status == Status::Complete => Ok(summary),
        _ if last_line.is_empty() => Err(status.to_string()),
        _ => Err(format!("{status}: {}", message(&last_line))),
    };
    let total = stages.iter().map(|stage| stage.usage).reduce(StageUse::then).unwrap_or_default();
    Ok(EndedChild { total, stages, summary })
}

/// Returns the message of an error that `--json` has written, or another line as it is.
fn message(line: &str) -> String {
    let document: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    document["error"]["message"].as_str().unwrap_or(line).to_owned()
}

/// Returns the lines of standard error. The channel closes when standard error is closed.
fn lines(stderr: ChildStderr) -> UnboundedReceiver<String> {
    let (sender, lines) = unbounded_channel();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(std::io::Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// Measures the stages that a process announces, such as `load ...`, until standard error is
/// closed, which happens when the process ends. Returns the stages, and the last line that
/// announces no stage.
async fn follow(process: u32, mut lines: UnboundedReceiver<String>) -> (Vec<Stage>, String) {
    let mut meter = Meter::start(process);
    let mut poll = interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut stages, mut stage) = (Vec::new(), "plan".to_owned());
    let mut last_line = String::new();
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) => match line.strip_suffix(" ...").filter(|stage| STAGES.contains(stage)) {
                    Some(next) => {
                        let stage = std::mem::replace(&mut stage, next.to_owned());
                        stages.push(Stage { stage, usage: meter.lap() });
                    }
                    None => last_line = line,
                },
                None => break,
            },
            _ = poll.tick() => meter.poll(),
        }
    }
    stages.push(Stage { stage, usage: meter.lap() });
    (stages, last_line)
}
