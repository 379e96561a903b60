//! The real `findata` command.

use std::{
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{TIMEOUT, home::Home};

/// A `findata` command line and its environment.
pub struct Command {
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    /// The current folder, instead of a temporary one.
    folder: Option<PathBuf>,
    /// Largest size of a file that the command may write, in blocks of 512 bytes.
    file_limit: Option<u32>,
    stdout: Destination,
    stderr: Destination,
}

/// The destination of an output stream of the command.
#[derive(Clone, Copy)]
enum Destination {
    /// A file that the test reads.
    File,
    /// A pipe whose reader has closed it.
    ClosedPipe,
    /// A device that is always full.
    FullDevice,
}

/// A running `findata`. It is killed when dropped.
pub struct Running {
    child: Child,
    folder: TempDir,
}

/// The result of a finished command.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code; `None` if a signal ended the command.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// `findata` with these arguments and a test key, in an otherwise empty environment.
pub fn findata(arguments: &[&str]) -> Command {
    Command {
        arguments: arguments.iter().map(OsString::from).collect(),
        variables: Vec::new(),
        folder: None,
        file_limit: None,
        stdout: Destination::File,
        stderr: Destination::File,
    }
    .key("test-key")
}

/// The folder with everything that was built with the profile of the tests.
pub fn build_folder() -> PathBuf {
    let test = std::env::current_exe().expect("the path of the test binary");
    test.parent().and_then(Path::parent).expect("a target folder").to_owned()
}

/// The path of the `findata` binary that was built with the profile of the tests.
pub fn binary() -> PathBuf {
    let path = build_folder().join("findata");
    assert!(
        path.exists(),
        "{} does not exist: build it first with the same profile as the tests: cargo build -p findata-local",
        path.display()
    );
    path
}

impl Command {
    /// Adds an argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds an option and its value.
    pub fn option(self, name: &str, value: impl Into<OsString>) -> Self {
        self.arg(name).arg(value)
    }

    /// Sets the home, and sets today to [`today`](super::home::today).
    pub fn home(self, home: &Home) -> Self {
        self.option("--home", home.path()).option("--today", super::home::today().to_string())
    }

    /// Runs the command in this folder.
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Limits the size of files that the command may write.
    pub fn with_file_limit(mut self, kilobytes: u32) -> Self {
        self.file_limit = Some(kilobytes * 2);
        self
    }

    /// Sets the FMP server.
    pub fn url(self, url: impl Into<String>) -> Self {
        self.option("--fmp-url", url.into())
    }

    /// Sets an environment variable.
    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Sets the API key.
    pub fn key(self, key: &str) -> Self {
        self.variable("FMP_API_KEY", key)
    }

    /// Removes an environment variable.
    pub fn without(mut self, variable: &str) -> Self {
        self.variables.retain(|(name, _)| name != variable);
        self
    }

    /// Removes the API key.
    pub fn no_key(self) -> Self {
        self.without("FMP_API_KEY")
    }

    /// Closes the reading end of standard output.
    pub fn with_closed_stdout(mut self) -> Self {
        self.stdout = Destination::ClosedPipe;
        self
    }

    /// Closes the reading end of standard error.
    pub fn with_closed_stderr(mut self) -> Self {
        self.stderr = Destination::ClosedPipe;
        self
    }

    /// Connects standard error to a device that is always full.
    pub fn with_full_stderr(mut self) -> Self {
        self.stderr = Destination::FullDevice;
        self
    }

    /// Connects standard output to a device that is always full.
    pub fn with_full_stdout(mut self) -> Self {
        self.stdout = Destination::FullDevice;
        self
    }

    /// The command with its arguments and environment in a working directory.
    pub(super) fn process(&self, folder: &Path) -> std::process::Command {
        let mut process = match self.file_limit {
            None => std::process::Command::new(binary()),
            Some(blocks) => {
                let mut shell = std::process::Command::new("/bin/sh");
                shell.args(["-c", &format!("ulimit -f {blocks}; exec \"$0\" \"$@\"")]).arg(binary());
                shell
            }
        };
        process
            .args(&self.arguments)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.as_deref().unwrap_or(folder));
        process
    }

    /// Runs the command to its end, with this text as standard input.
    pub fn run_with_input(&self, text: &str) -> Output {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("stdin");
        std::fs::write(&path, text).expect("a file");
        let output = self
            .process(folder.path())
            .stdin(File::open(path).expect("the file"))
            .output()
            .expect("findata starts");
        Output {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts the command.
    pub fn start(&self) -> Running {
        self.start_with(Stdio::null())
    }

    /// Starts the command with a pipe as standard input.
    pub fn start_with_input(&self) -> (Running, ChildStdin) {
        let mut running = self.start_with(Stdio::piped());
        let stdin = running.child.stdin.take().expect("a pipe");
        (running, stdin)
    }

    fn start_with(&self, stdin: Stdio) -> Running {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = |to: Destination, name: &str| match to {
            Destination::File => Stdio::from(File::create(folder.path().join(name)).expect("a file")),
            Destination::ClosedPipe => Stdio::piped(),
            Destination::FullDevice => {
                Stdio::from(File::options().write(true).open("/dev/full").expect("the device"))
            }
        };
        let mut child = self
            .process(folder.path())
            .stdin(stdin)
            .stdout(output(self.stdout, "stdout"))
            .stderr(output(self.stderr, "stderr"))
            .spawn()
            .expect("findata starts");
        drop((child.stdout.take(), child.stderr.take()));
        Running { child, folder }
    }

    /// Runs the command to its end.
    pub fn run(&self) -> Output {
        self.start().wait()
    }
}

impl Running {
    /// Waits for the command to end.
    pub fn wait(mut self) -> Output {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(begun.elapsed() < TIMEOUT, "findata did not exit in time: {}", self.read("stderr"));
            thread::sleep(Duration::from_millis(2));
        };
        Output {
            code: status.code(),
            stdout: self.read("stdout"),
            stderr: self.read("stderr"),
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the command has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Sends a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let sent = std::process::Command::new("sh").args(["-c", &kill]).status().expect("a shell");
        assert!(sent.success(), "{kill}");
    }

    /// The peak memory of the command so far, in bytes; 0 after it has ended.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak.and_then(|kilobytes| kilobytes.trim().parse::<u64>().ok()).unwrap_or_default() << 10
    }

    /// Kills the command with SIGKILL. Returns whether it was still running.
    pub fn kill(mut self) -> bool {
        let running = !self.has_ended();
        let _ = self.child.kill();
        let _ = self.child.wait();
        running
    }

    /// Kills the command with SIGKILL, and returns its standard output.
    pub fn kill_and_read(mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.read("stdout")
    }

    /// The files that the command created in its working directory.
    pub fn left_behind(&self) -> Vec<OsString> {
        let names = std::fs::read_dir(self.folder.path())
            .expect("a folder")
            .flatten()
            .map(|entry| entry.file_name());
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
        String::from_utf8_lossy(&std::fs::read(self.folder.path().join(name)).unwrap_or_default())
            .into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    /// Standard output as JSON. It must be exactly one value.
    pub fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("stdout is not JSON ({e}): {self:#?}"));
        assert!(value.is_object() || value.is_array(), "{self:#?}");
        value
    }

    /// The errors on standard error, without progress output. Those of `--json` are shown as they are
    /// without it. The lines of an error after its first are indented.
    pub fn errors(&self) -> Vec<String> {
        let mut errors: Vec<String> = Vec::new();
        for line in self.stderr.lines() {
            match self.json_error(line) {
                Some(error) => {
                    errors.push(format!("findata: {}", error["message"].as_str().unwrap_or_default()));
                }
                None if line.starts_with("findata: ") => errors.push(line.to_owned()),
                None if line.starts_with("  ") => {
                    if let Some(error) = errors.last_mut() {
                        error.push('\n');
                        error.push_str(line);
                    }
                }
                None => {}
            }
        }
        errors
    }

    /// The error in a line of standard error, if the line is JSON. Asserts that it has every key.
    fn json_error(&self, line: &str) -> Option<Value> {
        let document: Value = serde_json::from_str(line).ok()?;
        let error = &document["error"];
        assert_eq!(document["schema_version"], 1, "{self:#?}");
        assert_eq!(error["exit_code"].as_i64(), self.code.map(i64::from), "{self:#?}");
        for key in ["kind", "message", "hint"] {
            assert!(error[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {self:#?}");
        }
        Some(error.clone())
    }

    /// Asserts the exit code, and that standard error has exactly one error. Returns it.
    pub fn failed(&self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:#?}");
        let mut errors = self.errors();
        assert_eq!(errors.len(), 1, "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        errors.remove(0)
    }

    /// Like [`Output::failed`], for a command with `--json`. Asserts that the last line of standard error is
    /// the only document, and returns the kind of the error.
    pub fn failed_as_json(&self, code: i32) -> String {
        self.failed(code);
        let documents: Vec<Value> =
            self.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        assert_eq!(documents.len(), 1, "{self:#?}");
        let last: Value = serde_json::from_str(self.stderr.lines().last().unwrap_or_default())
            .unwrap_or_else(|e| panic!("the last line is not JSON ({e}): {self:#?}"));
        last["error"]["kind"].as_str().unwrap_or_default().to_owned()
    }
}
