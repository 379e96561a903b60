//! The real command.

use std::{
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{PATIENCE, home::Home};

/// A call of `findata` in the making.
pub struct Command {
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    closed_stdout: bool,
}

/// A running `findata`; it is killed when dropped.
pub struct Running {
    child: Child,
    output: TempDir,
}

/// How it ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Exit code; none after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// `findata` with these arguments and a key, in an environment of its own.
pub fn findata(arguments: &[&str]) -> Command {
    Command { arguments: arguments.iter().map(OsString::from).collect(), variables: Vec::new(), closed_stdout: false }
        .key("test-key")
}

fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the path of the test binary");
    let target = test.parent().and_then(Path::parent).expect("a target folder");
    let path = target.join("findata");
    assert!(
        path.exists(),
        "{} is absent: build it first, with the profile of the tests: cargo build -p findata-local",
        path.display()
    );
    path
}

impl Command {
    /// One more argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// An option with its value.
    pub fn option(self, name: &str, value: impl Into<OsString>) -> Self {
        self.arg(name).arg(value)
    }

    /// The home, on the day of the synthetic world.
    pub fn home(self, home: &Home) -> Self {
        self.option("--home", home.path()).option("--today", super::home::today().to_string())
    }

    /// The server.
    pub fn url(self, url: impl Into<String>) -> Self {
        self.option("--fmp-url", url.into())
    }

    /// A variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.into(), value.into()));
        self
    }

    /// The key.
    pub fn key(self, key: &str) -> Self {
        self.variable("FMP_API_KEY", key)
    }

    /// Without a variable.
    pub fn without(mut self, variable: &str) -> Self {
        self.variables.retain(|(name, _)| name != variable);
        self
    }

    /// Without a key.
    pub fn no_key(self) -> Self {
        self.without("FMP_API_KEY")
    }

    /// With a standard output that nobody reads any more.
    pub fn with_closed_stdout(mut self) -> Self {
        self.closed_stdout = true;
        self
    }

    /// Starts it.
    pub fn start(&self) -> Running {
        let output = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str| Stdio::from(File::create(output.path().join(name)).expect("a file"));
        let mut child = std::process::Command::new(binary())
            .args(&self.arguments)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(output.path())
            .stdin(Stdio::null())
            .stdout(if self.closed_stdout { Stdio::piped() } else { file("stdout") })
            .stderr(file("stderr"))
            .spawn()
            .expect("findata starts");
        drop(child.stdout.take());
        Running { child, output }
    }

    /// Runs it to its end.
    pub fn run(&self) -> Ended {
        self.start().wait()
    }
}

impl Running {
    /// Waits for its end.
    pub fn wait(mut self) -> Ended {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "findata does not end: {}", self.read("stderr"));
            thread::sleep(Duration::from_millis(2));
        };
        Ended { code: status.code(), stdout: self.read("stdout"), stderr: self.read("stderr") }
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Ends it with SIGKILL; whether it was still running.
    pub fn kill(mut self) -> bool {
        let running = !self.has_ended();
        let _ = self.child.kill();
        let _ = self.child.wait();
        running
    }

    /// Names in the folder it was started in, besides its own output.
    pub fn left_behind(&self) -> Vec<OsString> {
        let names = std::fs::read_dir(self.output.path()).expect("a folder").flatten().map(|entry| entry.file_name());
        names.filter(|name| name != "stdout" && name != "stderr").collect()
    }

    /// Standard output so far.
    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    /// Standard error so far.
    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.output.path().join(name)).unwrap_or_default()).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Standard output as the one JSON object it must be.
    pub fn json(&self) -> Value {
        ended_json(self)
    }

    /// The lines of standard error that the command itself wrote, without progress.
    pub fn errors(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.starts_with("findata: ")).collect()
    }

    /// Expects an exit code and exactly one line of its own on standard error, and gives that line.
    pub fn failed(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:#?}");
        let errors = self.errors();
        assert_eq!(errors.len(), 1, "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        errors[0]
    }
}

/// Standard output as the one JSON object it must be.
pub fn ended_json(ended: &Ended) -> Value {
    let value: Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("stdout is no JSON ({e}): {ended:#?}"));
    assert!(value.is_object() || value.is_array(), "{ended:#?}");
    value
}
