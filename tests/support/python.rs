//! Python programs that serve the tests. Each prints a line when it is ready, and exits when its
//! standard input closes.

use std::{
    io::{BufRead, BufReader, Lines},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// The path of the Python interpreter that `./dev test` prepared and named in an environment
/// variable. If there is none, prints that the test is skipped and returns `None`.
pub fn prepared_python(variable: &str, requirements: &str) -> Option<PathBuf> {
    let python = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    if python.is_none() {
        println!("skipped: {variable} does not name a Python with {requirements}; ./dev test prepares one");
    }
    python
}

/// A running program with its own working directory. It ends when dropped, or with the test
/// process.
pub struct Program {
    child: Child,
    /// A pipe that closes when this process ends. The program then exits.
    pub(super) stdin: Option<ChildStdin>,
    pub(super) lines: Lines<BufReader<ChildStdout>>,
    folder: TempDir,
}

impl Program {
    /// Starts a script in `tests/`.
    pub fn start(
        python: &Path,
        script: &str,
        arguments: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
    ) -> Program {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = std::fs::File::create(folder.path().join("log")).expect("a file");
        let mut child = Command::new(python)
            .arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(script))
            .args(arguments)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("Python starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Program { stdin: child.stdin.take(), child, lines, folder }
    }

    /// Reads the next line of output, which must be JSON.
    pub fn read_json(&mut self) -> Value {
        let line = self.lines.next().and_then(Result::ok).unwrap_or_default();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?} {}", self.log()))
    }

    /// The text that the program has written to standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// The program's working directory.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Closing standard input tells the program to stop its child processes and exit.
        self.stdin.take();
        for _ in 0..50 {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
